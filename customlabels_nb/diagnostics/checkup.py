"""What a check-up shows: text for a terminal, a table, and itself in a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line

if TYPE_CHECKING:
    import pandas as pd


GOOD, NOTE, WARNING, PROBLEM = "good", "note", "warning", "problem"
#: From best to worst.
_STATES = (GOOD, NOTE, WARNING, PROBLEM)

_MARKS = {GOOD: "✓", NOTE: "·", WARNING: "!", PROBLEM: "✗"}


class Checkup:
    """What is installed here, on which machine, and whether widgets will render.

    ``print`` it, show it in a notebook, or read :attr:`table`.
    """

    def __init__(self, found: Sequence[DiagnosticLine]) -> None:
        self._found = list(found)

    @property
    def ok(self) -> bool:
        """Whether everything needed is there; there may be warnings."""
        return not any(line.state == PROBLEM for line in self._found)

    @property
    def table(self) -> pd.DataFrame:
        """One row a thing that was looked at.

        Columns: section, name, state ("good", "note", "warning", "problem"), text, advice.
        """
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in self._found], columns=list(DiagnosticLine.__dataclass_fields__))

    def to_json(self) -> str:
        """:attr:`table` as JSON text, a list of objects."""
        return json.dumps([asdict(line) for line in self._found], ensure_ascii=False, indent=1)

    def __repr__(self) -> str:
        width = max((len(line.name) for line in self._found), default=0)
        lines: list[str] = []
        for section, members in groupby(self._found, key=lambda line: line.section):
            lines += ["", section.capitalize()] if lines else [section.capitalize()]
            for line in members:
                lines.append(f"  {_MARKS[line.state]} {line.name:{width}}  {one_line(line.text)}")
                if line.advice:
                    lines.append(f"    {'':{width}}  → {one_line(line.advice)}")
        return "\n".join([*lines, "", self._verdict()])

    def _repr_html_(self) -> str:
        findings = [{**asdict(line), "mark": _MARKS[line.state]} for line in self._found]
        return render("findings.html", head=self._verdict(), columns=(), findings=findings)

    def _verdict(self) -> str:
        number = {state: sum(line.state == state for line in self._found) for state in _STATES}
        if number[PROBLEM]:
            have = "One thing needed is missing" if number[PROBLEM] == 1 else f"{number[PROBLEM]} things are missing"
            return f"{have}: see the lines with {_MARKS[PROBLEM]}, each says what to do."
        if number[WARNING]:
            are = "one line" if number[WARNING] == 1 else f"{number[WARNING]} lines"
            return f"Everything needed is there. Please look at {are} with {_MARKS[WARNING]}."
        return "Everything needed is there."


@dataclass(frozen=True)
class DiagnosticLine:
    """One line of a check-up.

    Attributes
    ----------
    section : str
        What it belongs to: "packages", "machine", "widgets", …
    name : str
    state : str
        "good"; "note": something optional isn't there; "warning": it works, but not as well as it could or not
        everywhere; "problem": something needed is missing.
    text : str
        What was found.
    advice : str
        What to do about it; empty where there is nothing to do.
    """

    section: str
    name: str
    state: str
    text: str
    advice: str = ""
