"""Answer the exercises of a lab inside its kernel, and read the feedback."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat

import customlabels_nb as cl
from tests.notebooks.running import notebook_path, tagged


def check_lab(ns: Mapping[str, Any], number: str, wrong: Mapping[int, Sequence[tuple[Any, str]]]) -> None:
    """Check the feedback on the solution of every exercise of notebook ``number``, and on wrong answers.

    ``wrong`` has the wrong answers of students and a word of the hint for each. Each hint of the notebook must be
    tried.
    """
    lab = nbformat.read(notebook_path(number), as_version=4)
    for exercise, answers in wrong.items():
        source = tagged(lab, f"check_{exercise}").source
        names = dict(ns)
        solution = re.search(r"```python\n(.*?)```", tagged(lab, f"solution_{exercise}").source, re.DOTALL)
        exec(solution[1], names)  # type: ignore[index] # noqa: S102
        right = names[f"answer_{exercise}"]
        assert feedback(ns, source, exercise, right) == "✅ **Right.**", f"exercise {exercise}: {right!r}"
        for answer, word in answers:
            text = feedback(ns, source, exercise, answer)
            assert "Hint: " in text, f"exercise {exercise}, {answer!r}: {text}"
            assert word in text, f"exercise {exercise}, {answer!r}: {text}"
        assert len(answers) == _hints(source), f"a hint of exercise {exercise} is not tried"
    assert str(ns["exercises"].score()).startswith(f"**0 of {len(wrong)} exercises")
    minutes = [int(found) for cell in lab.cells for found in re.findall(r"· (\d+) minutes?$", cell.source, re.M)]
    assert f"{len(wrong)} exercises for about {sum(minutes)} minutes" in lab.cells[0].source


def feedback(ns: Mapping[str, Any], source: str, exercise: int, answer: Any) -> str:
    """Run the cell that checks an exercise, and return its sentence."""
    names = {**ns, f"answer_{exercise}": answer}
    names["exercises"] = cl.teaching.Exercises(exercise, names)
    *first, last = ast.parse(source).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(first, []), "check", "exec"), names)  # noqa: S102
    return str(eval(compile(ast.Expression(last.value), "check", "eval"), names))  # noqa: S307


def _hints(source: str) -> int:
    """Count the hints of a check."""
    (hints,) = re.findall(r"^    hints=(\[.*\]),?$", source, re.DOTALL | re.MULTILINE)
    found = ast.parse(hints, mode="eval").body
    assert isinstance(found, ast.List)
    return len(found.elts)
