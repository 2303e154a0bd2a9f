"""Check the answers of a lab notebook and count the right ones."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from numbers import Real
from traceback import walk_tb
from typing import Any

from customlabels_nb._utils.arguments import check_integer, plain_repr
from customlabels_nb._utils.text import first_line, one_line
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.errors import InputError

#: Largest difference between an answer and the right number, so that an answer may be rounded to two decimal places.
TOLERANCE = 0.006
_MOST_SHOWN = 80


class ExerciseResult:
    """Sentence about an answer, as Markdown. As plain text, it is the points that nbgrader reads."""

    def __init__(self, text: str, plain: str) -> None:
        self._text, self._plain = text, plain

    def __repr__(self) -> str:
        return self._plain

    def __str__(self) -> str:
        return self._text

    def _repr_markdown_(self) -> str:
        return self._text


class Exercises(NameHints):
    """Check the exercises of a lab notebook.

    Exercise 3 is answered by the variable or function ``answer_3``. Its value is ``...`` until a student answers.

    Parameters
    ----------
    count : int
        Number of exercises, numbered from 1.
    names : mapping
        Variables that hold the answers: ``globals()`` in a notebook.

    Examples
    --------
    >>> answers = {"answer_1": 0.25, "answer_2": ...}
    >>> exercises = cl.teaching.Exercises(2, answers)
    >>> print(exercises.check(1, 0.625, expected="a fraction between 0 and 1", hints=[(0.375, "What was missed?")]))
    🤔 **Not quite.** You have `0.25`. Expected: a fraction between 0 and 1. Read the text above the exercise again.
    >>> answers["answer_1"] = 5 / 8
    >>> print(exercises.check(1, 0.625, expected="a fraction between 0 and 1"))
    ✅ **Right.**
    >>> print(exercises.score())
    **1 of 2 exercises are right.** Not checked yet: 2.
    """

    def __init__(self, count: int, names: Mapping[str, Any]) -> None:
        self._names, count = names, check_integer("count", count, 1)
        self._right: dict[int, bool | None] = dict.fromkeys(range(1, count + 1))

    def check(
        self,
        number: int,
        right: Any,
        *,
        expected: str,
        hints: Iterable[tuple[Any, str]] = (),
        apply: Callable[[Any], Any] | None = None,
    ) -> ExerciseResult:
        """Compare an answer with the right one, and return a sentence without the solution.

        Parameters
        ----------
        number : int
            Number of the exercise.
        right : number, str, sequence or set
            The right answer. Numbers may be rounded to two decimal places, and case does not matter in a text.
        expected : str
            Description of what is asked for, such as "a fraction between 0 and 1".
        hints : iterable of tuple
            Pairs of a wrong answer, or a function that recognises one, and the hint for it. The first match is shown.
        apply : callable, optional
            Function that computes the value to compare from the answer, for exercises in which students write code.

        Returns
        -------
        ExerciseResult
            Sentence to show as the last expression of a cell. Its plain text is "1" if the answer is right, else "0".

        Raises
        ------
        InputError
            If there is no exercise with this number.

        Examples
        --------
        >>> exercises = cl.teaching.Exercises(1, {"answer_1": lambda side: 4 * side})
        >>> squares = dict(expected="a function of the side", apply=lambda area: [area(1), area(3)])
        >>> print(exercises.check(1, [1, 9], **squares, hints=[([4, 12], "That is the perimeter.")]))
        🤔 **Not quite.** You have `[4, 12]`. Expected: a function of the side. Hint: That is the perimeter.
        """
        if number not in self._right:
            raise InputError(
                f"number={plain_repr(number)} is not an exercise. They are numbered from 1 to {len(self._right)}."
            )
        self._right[number] = False
        name = f"answer_{number}"
        answer = self._names.get(name, ...)
        if answer is ...:
            return ExerciseResult(self._what_is_missing(name, expected), "0")
        if apply is not None:
            try:
                answer = apply(answer)
            except Exception as error:
                what = _code(f"{type(error).__name__}: {first_line(error)}".removesuffix(": "))
                text = f"🤔 **Your code stopped** with {what}. Expected: {expected}."
                return ExerciseResult(f"{text} Read the text above the exercise again.", "0")
        if answer is ... or (isinstance(answer, list | tuple) and any(part is ... for part in answer)):
            return ExerciseResult(_unanswered(expected), "0")
        if _same(answer, right):
            self._right[number] = True
            return ExerciseResult("✅ **Right.**", "1")
        hint = next((text for wrong, text in hints if _recognised(answer, wrong)), _about_notation(answer, right))
        advice = f"Hint: {hint}" if hint else "Read the text above the exercise again."
        return ExerciseResult(f"🤔 **Not quite.** You have {_code(repr(answer))}. Expected: {expected}. {advice}", "0")

    def _what_is_missing(self, name: str, expected: str) -> str:
        """Return what to do about a missing answer. If the last error was an undefined name in it, this is named."""
        error = getattr(sys, "last_value", None)
        frames = (frame for frame, _ in walk_tb(error.__traceback__)) if isinstance(error, NameError) else ()
        if any(frame.f_globals is self._names and name in frame.f_code.co_names for frame in frames):
            what = _code(str(getattr(error, "name", "")))
            advice = f"A text needs quotes. Correct the cell with `{name}`, then run both cells again."
            return f"🤔 **{what} is not defined.** Expected: {expected}. {advice}"
        if name in self._names:
            return _unanswered(expected)
        return f"✏️ **Not answered yet.** Run the cell with `{name}` first, then this one again."

    def score(self) -> ExerciseResult:
        """Count the right answers, and list the exercises that are wrong or were not checked.

        Examples
        --------
        >>> exercises = cl.teaching.Exercises(2, {"answer_1": 1, "answer_2": 5})
        >>> _ = exercises.check(1, 1, expected="a number"), exercises.check(2, 4, expected="a number")
        >>> print(exercises.score())
        **1 of 2 exercises are right.** Not right yet: 2.
        """
        answers = list(self._right.values())
        text = f"**{answers.count(True)} of {len(answers)} exercises are right.**"
        for state, words in ((False, "Not right yet"), (None, "Not checked yet")):
            numbers = [str(number) for number, right in self._right.items() if right is state]
            text += f" {words}: {', '.join(numbers)}." if numbers else ""
        return ExerciseResult(text, f"{answers.count(True)} of {len(answers)}")


def _unanswered(expected: str) -> str:
    return f"✏️ **Not answered yet.** Expected: {expected}. Replace the three dots, then run both cells again."


def _same(answer: Any, right: Any) -> bool:
    """Return True if an answer has the right value. It may be of any type."""
    if isinstance(right, str):
        return isinstance(answer, str) and answer.strip().casefold() == right.strip().casefold()
    with suppress(TypeError, ValueError):  # an answer of another kind
        if isinstance(right, set | frozenset):
            found = [any(_same(part, value) for part in answer) for value in right]
            return not isinstance(answer, str) and len(answer) == len(right) and all(found)
        if isinstance(right, Collection):
            return len(answer) == len(right) and all(map(_same, answer, right))
        return not isinstance(answer, str) and abs(float(answer) - float(right)) < TOLERANCE
    return False


def _about_notation(answer: Any, right: Any) -> str:
    """Return what is wrong with how a number is written, or an empty string. It may be wrong in other ways, too."""
    wanted = list(right) if isinstance(right, Collection) and not isinstance(right, str) else [right]
    if not all(map(_is_number, wanted)):
        return ""
    given = list(answer) if isinstance(answer, list | tuple) else [answer]
    if any(isinstance(part, str) for part in given):
        return "Write numbers without quotes."
    if isinstance(answer, tuple) and len(given) == 2 * len(wanted) and any(float(one) % 1 for one in wanted):
        return "Write decimal numbers with a point: 0.5 instead of 0,5."
    return "Divide percentages by 100." if _are_percentages(given, wanted) else ""


def _are_percentages(given: list[Any], shares: list[Any]) -> bool:
    are_shares = any(shares) and all(0 <= float(share) <= 1 for share in shares)
    return are_shares and _same([part / 100 for part in given if _is_number(part)], shares)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _recognised(answer: Any, wrong: Any) -> bool:
    """Return True if this wrong answer is the one that a hint is about."""
    if not callable(wrong):
        return _same(answer, wrong)
    try:
        return bool(wrong(answer))
    except Exception:  # an answer of another kind than the function expects
        return False


def _code(text: str) -> str:
    """Format text of any content as a Markdown code span, in which nothing is HTML."""
    line = one_line(text)
    line = line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"
