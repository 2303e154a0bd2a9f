from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.teaching import Exercises


def ask(answer: object, right: object, **options: object) -> str:
    return str(Exercises(1, {"answer_1": answer}).check(1, right, expected="it", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (0.33, 1 / 3),
        (np.float32(0.625), 0.625),
        ([1, 2], (1, 2)),
        (np.array([1, 2.003]), [1, 2]),
        (pd.Series([1, 2], index=[5, 6]), (1, 2)),
        (" Table ", "table"),
        (["b", "a"], {"a", "b"}),
        ({"Lemon", 1 / 3}, {"lemon", 0.333}),
    ],
)
def test_a_right_answer_may_be_rounded_or_of_another_type(answer: object, right: object) -> None:
    assert ask(answer, right) == "✅ **Right.**"


@pytest.mark.parametrize(
    ("answer", "right"),
    [(0.32, 1 / 3), ("0.5", 0.5), ([1, 2, 3], (1, 2)), ("ab", {"a", "b"}), (["a", "a", "b"], {"a", "b"}), (1, "1")],
)
def test_wrong_answer_message_names_answer_and_expectation(answer: object, right: object) -> None:
    assert ask(answer, right).startswith(f"🤔 **Not quite.** You have `{answer!r}`. Expected: it.")


@pytest.mark.parametrize(
    ("answer", "right", "hint"),
    [
        ((0, 63), 5 / 8, "with a point: 0.5 instead of 0,5"),
        ((0, 97, 0, 49), (0.97, 0.49), "with a point"),
        ("5/8", 5 / 8, "without quotes"),
        (("5", 0), (5, 0), "without quotes"),
        (62.5, np.float64(5 / 8), "Divide percentages by 100"),
        (62, 5 / 8, "Divide percentages by 100"),
        ((97, 49), (0.97, 0.49), "Divide percentages by 100"),
        (0.5, 5 / 8, ""),
        (500, 5, ""),
        ((1, 2), 3 / 8, "with a point"),
        ((5, 3), (5, 0), ""),
        (2, "table", ""),
        (0, 0.0, ""),
    ],
)
def test_numbers_in_another_notation_get_a_hint(answer: object, right: object, hint: str) -> None:
    said = ask(answer, right)
    assert hint in said
    assert ("Hint: " in said) == bool(hint)
    assert "Hint: mine" in ask(answer, right, hints=[(lambda _: True, "mine")]) or said == "✅ **Right.**"


def test_code_that_fails_and_missing_answers_are_explained() -> None:
    assert "**Your code stopped** with `ZeroDivisionError: division by zero`" in ask(0, 1, apply=lambda x: 1 / x)
    assert "Not answered yet" in ask(lambda: ..., [1], apply=lambda function: [function()])
    assert "Run the cell with `answer_1` first" in str(Exercises(1, {}).check(1, 1, expected="it"))


@pytest.mark.parametrize("before", ["", "answer_1 = ...", "answer_1 = 2"])
def test_check_names_an_undefined_name_in_an_answer(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, object] = {}
    exercises = Exercises(1, names)
    for cell in (before, "answer_1 = B"):
        try:
            exec(cell, names)  # noqa: S102
        except NameError as error:  # which a notebook keeps like this
            monkeypatch.setattr(sys, "last_value", error, raising=False)
    said = str(exercises.check(1, "B", expected="a letter"))
    assert ("**`B` is not defined.**" in said) == (before != "answer_1 = 2")
    names["answer_1"] = "B"
    assert str(exercises.check(1, "B", expected="a letter")) == "✅ **Right.**"
    assert "Run the cell with `answer_1` first" in str(Exercises(1, {}).check(1, 1, expected="it"))


def test_an_answer_is_never_markup() -> None:
    text = ask("`` <img src=x onerror=alert(1)> \n\n# heading", 1)
    assert "You have ``` '`` <img" in text
    assert "\n" not in text
    assert len(ask("x" * 1000, 1)) < 300


def test_the_score_and_the_points_that_nbgrader_reads() -> None:
    exercises = Exercises(4, {"answer_1": 1, "answer_2": 5, "answer_3": ...})
    assert [repr(exercises.check(number, number, expected="it")) for number in (1, 2, 3)] == ["1", "0", "0"]
    score = exercises.score()
    assert (repr(score), str(score)) == (
        "1 of 4",
        "**1 of 4 exercises are right.** Not right yet: 2, 3. Not checked yet: 4.",
    )
    with pytest.raises(InputError, match="number=5 is not an exercise"):
        exercises.check(5, 1, expected="it")
    with pytest.raises(InputError, match="count=0"):
        Exercises(0, {})
