"""What a check-up shows: text for a terminal, a table, and itself in a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from customlabels_nb._utils.text import escaped, one_line

if TYPE_CHECKING:
    import pandas as pd


GOOD, NOTE, WARNING, PROBLEM = "good", "note", "warning", "problem"
#: From best to worst.
_STATES = (GOOD, NOTE, WARNING, PROBLEM)

_MARKS = {GOOD: "✓", NOTE: "·", WARNING: "!", PROBLEM: "✗"}
_COLOURS = {
    GOOD: "var(--jp-success-color1,#1a7f37)",
    NOTE: "var(--jp-ui-font-color2,#6b7280)",
    WARNING: "var(--jp-warn-color1,#9a6700)",
    PROBLEM: "var(--jp-error-color1,#b3261e)",
}


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
        cell = "padding:3px 12px 3px 0;vertical-align:top;text-align:left"
        rows = ""
        for section, members in groupby(self._found, key=lambda line: line.section):
            rows += f'<tr><th colspan="3" style="{cell};padding-top:10px">{escaped(section.capitalize())}</th></tr>'
            for line in members:
                advice = f'<div style="color:var(--jp-ui-font-color2,inherit)">{escaped(line.advice)}</div>'
                rows += (
                    f'<tr><td style="{cell};color:{_COLOURS[line.state]}" title="{line.state}">'
                    f'<b aria-label="{line.state}">{_MARKS[line.state]}</b></td>'
                    f'<td style="{cell};white-space:nowrap">{escaped(line.name)}</td>'
                    f'<td style="{cell};overflow-wrap:anywhere">{escaped(line.text)}'
                    f"{advice if line.advice else ''}</td></tr>"
                )
        return (
            '<div style="font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);'
            f'color:var(--jp-ui-font-color1,inherit)"><b>{escaped(self._verdict())}</b>'
            f'<table style="margin:0"><tbody>{rows}</tbody></table></div>'
        )

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
