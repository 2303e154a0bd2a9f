"""Answer the exercises of a lab inside its kernel, and read the feedback."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat

import customlabels_nb as cl
from tests.notebooks.running import notebook_path, tagged

#: Answers that no exercise expects.
STRANGE = (object(), "`five`\n<img src=x onerror=alert(1)>", (1, 2, 3, 4, 5, 6, 7), None, -7, float("nan"), {})


def check_lab(
    ns: Mapping[str, Any],
    number: str,
    *,
    wrong: Mapping[int, Sequence[tuple[Any, str]]],
    also_right: Mapping[int, Any] | None = None,
) -> None:
    """Check the feedback on correct, wrong and missing answers of every exercise of notebook ``number``.

    ``wrong`` has wrong answers of students and a word of the hint for each. ``also_right`` has other right answers.
    Each hint of the notebook must be tried.
    """
    lab = nbformat.read(notebook_path(number), as_version=4)
    for exercise, answers in wrong.items():
        source = tagged(lab, f"check_{exercise}").source
        (solution,) = (cell.source for cell in lab.cells if f"solution_{exercise}" in cell.metadata.get("tags", ()))
        names = dict(ns)
        exec(re.search(r"```python\n(.*?)```", solution, re.DOTALL)[1], names)  # type: ignore[index] # noqa: S102
        rights = [names[f"answer_{exercise}"]]
        rights += [(also_right or {})[exercise]] if exercise in (also_right or {}) else []
        for right in rights:
            assert feedback(ns, source, exercise, right) == ("✅ **Right.**", "1"), f"exercise {exercise}: {right!r}"
        for answer, word in answers:
            text, points = feedback(ns, source, exercise, answer)
            assert "Not quite" in text, f"exercise {exercise}, {answer!r}: {text}"
            assert "Hint: " in text, f"exercise {exercise}, {answer!r}: {text}"
            assert word in text, f"exercise {exercise}, {answer!r}: {text}"
            assert points == "0"
        for answer in STRANGE:
            text, points = feedback(ns, source, exercise, answer)
            assert "exercise again" in text, f"exercise {exercise}, {answer!r}: {text}"
            assert "Expected: " in text, f"exercise {exercise}, {answer!r}: {text}"
            assert points == "0"
        assert "Not answered yet" in feedback(ns, source, exercise, ...)[0]
        assert len(answers) == _hints(source), f"a hint of exercise {exercise} is not tried"
    assert list(wrong) == [*range(1, len(wrong) + 1)]
    assert str(ns["exercises"].score()).startswith(f"**0 of {len(wrong)} exercises")


def feedback(ns: Mapping[str, Any], source: str, exercise: int, answer: Any) -> tuple[str, str]:
    """Run the cell that checks an exercise, and return its sentence and its points."""
    names = {**ns, f"answer_{exercise}": answer}
    names["exercises"] = cl.teaching.Exercises(exercise, names)
    *first, last = ast.parse(source).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(first, []), "check", "exec"), names)  # noqa: S102
    found = eval(compile(ast.Expression(last.value), "check", "eval"), names)  # noqa: S307
    return str(found), repr(found)


def check_saved(notebook: Any, exercises: int) -> None:
    """Check that an executed lab asks its questions and says how long they take."""
    for exercise in range(1, exercises + 1):
        markdown = tagged(notebook, f"check_{exercise}").outputs[0]["data"]["text/markdown"]
        assert "Not answered yet" in markdown, f"check {exercise}: {markdown}"
    assert "0 of" in tagged(notebook, "score").outputs[0]["data"]["text/markdown"]
    minutes = [int(found) for cell in notebook.cells for found in re.findall(r"· (\d+) minutes?$", cell.source, re.M)]
    assert len(minutes) == exercises
    assert f"{exercises} exercises for about {sum(minutes)} minutes" in notebook.cells[0].source


def _hints(source: str) -> int:
    """Count the hints of a check."""
    (keyword,) = (
        keyword
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "hints"
    )
    assert isinstance(keyword.value, ast.List)
    return len(keyword.value.elts)
