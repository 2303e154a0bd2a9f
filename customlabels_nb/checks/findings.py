"""What a check finds: each finding, and all of them by impact, as tables, as text and in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb.core.issues import CODES

#: "error": training refuses or would learn something wrong; "warning": limits the result; "note": good to know.
SEVERITIES = ("error", "warning", "note")

_LISTED = 4


@dataclass(frozen=True)
class Finding:
    """One finding of a check.

    Parameters
    ----------
    code : str
        A key of :data:`customlabels_nb.core.issues.CODES`.
    severity : str
        One of :data:`SEVERITIES`.
    message : str
        What was found, in a sentence with the figures.
    advice : str
        What to do about it, in a sentence.
    where : str
        What it concerns: a label, a split, an image.
    rows : DataFrame, optional
        The images concerned: split, image, detail; each once.
    count : int, optional
        How many images it concerns, where they aren't listed.
    """

    code: str
    severity: str
    message: str
    advice: str
    where: str = ""
    rows: pd.DataFrame | None = None
    count: int = 0

    def __post_init__(self) -> None:
        if self.code not in CODES or self.severity not in SEVERITIES:
            raise ValueError(f"Unknown code or severity: {self.code!r}, {self.severity!r}.")

    @property
    def images(self) -> int:
        """How many images it concerns."""
        return self.count if self.rows is None else len(self.rows)


def rows_of(split: str, images: Iterable[str], details: Iterable[str] | str = "") -> pd.DataFrame:
    """The images that a finding concerns; of an image that stands there twice the first detail."""
    frame = pd.DataFrame({"split": split, "image": pd.Series(list(images), dtype="str")})
    frame["detail"] = details if isinstance(details, str) else pd.Series(list(details), dtype="str")
    return frame.drop_duplicates("image").reset_index(drop=True)


def listed(names: Sequence[str]) -> str:
    """The first names in quotes, and how many more there are."""
    more = len(names) - _LISTED
    return ", ".join(map(repr, names[:_LISTED])) + (f" and {more:,} more" if more > 0 else "")


_COLUMNS = {"code": "str", "severity": "str", "where": "str", "images": "int64", "message": "str", "advice": "str"}
_ROW_COLUMNS = {"code": "str", "severity": "str", "split": "str", "image": "str", "detail": "str"}
_MARKS = {"error": "✗", "warning": "!", "note": "·"}


class CheckReport:
    """What will limit the result, the worst first.

    Attributes
    ----------
    near_duplicates : DataFrame or None
        The pairs of near-duplicates, see :meth:`customlabels_nb.project.project.Project.near_duplicates`; None where
        they were not looked for.
    """

    def __init__(self, findings: Sequence[Finding], images: int, near_duplicates: pd.DataFrame | None) -> None:
        order = {severity: position for position, severity in enumerate(SEVERITIES)}
        self._findings = sorted(findings, key=lambda finding: (order[finding.severity], -finding.images))
        self._images = images
        self.near_duplicates = near_duplicates

    @property
    def ok(self) -> bool:
        """Whether there are no errors; there may be warnings."""
        return not any(finding.severity == "error" for finding in self._findings)

    @property
    def issues(self) -> pd.DataFrame:
        """One row a finding: code, severity ("error", "warning", "note"), where, images (how many), message, advice."""
        rows = [[f.code, f.severity, f.where, f.images, f.message, f.advice] for f in self._findings]
        return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)

    @property
    def table(self) -> pd.DataFrame:
        """One row an image that a finding concerns: code, severity, split, image, detail."""
        parts = [
            f.rows.assign(code=f.code, severity=f.severity)[list(_ROW_COLUMNS)]
            for f in self._findings
            if f.rows is not None
        ]
        empty = pd.DataFrame(columns=list(_ROW_COLUMNS))
        return pd.concat([empty, *parts], ignore_index=True).astype(_ROW_COLUMNS)

    def images_with(self, code: str, split: str | None = None) -> list[str]:
        """The images that findings of this code concern, of both datasets or of one."""
        table = self.table
        chosen = (table["code"] == code) & (table["split"].eq(split) | (split is None))
        images: list[str] = table.loc[chosen, "image"].drop_duplicates().tolist()
        return images

    def images_of(self, position: int, split: str | None = None) -> list[str]:
        """The images that the finding in this row of :attr:`issues` concerns, of both datasets or of one."""
        rows = self._findings[position].rows
        if rows is None:
            return []
        images: list[str] = rows.loc[rows["split"].eq(split) | (split is None), "image"].drop_duplicates().tolist()
        return images

    def __repr__(self) -> str:
        lines = [self._head()]
        for finding in self._findings:
            lines.append(f"  {_MARKS[finding.severity]} {one_line(finding.message)}")
            lines.append(f"    {one_line(finding.advice)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return render(
            "findings.html",
            head=self._head(),
            columns=("", "what, and what to do", "images", "code"),
            findings=[
                {"state": f.severity, "mark": f.severity, "text": f.message}
                | {"advice": f.advice, "images": f.images, "code": f.code}
                for f in self._findings
            ],
        )

    def _head(self) -> str:
        number = {severity: sum(f.severity == severity for f in self._findings) for severity in SEVERITIES}
        looked = f"{counted(self._images, 'image')} checked: "
        parts = [counted(number[severity], severity) for severity in SEVERITIES if number[severity]]
        if not parts:
            return looked + "nothing was found that would limit the result."
        if number["error"]:
            return looked + f"{', '.join(parts)}. Start with the errors."
        if number["warning"]:
            return looked + f"{', '.join(parts)}. Training will work; the warnings limit what comes of it."
        return looked + f"nothing that would limit the result, and {parts[0]}."
