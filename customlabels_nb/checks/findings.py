"""Report of the checks before training, with the severity, message, advice and images of each finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.tables import ANNOTATION_COLUMNS, TEXT, empty

if TYPE_CHECKING:
    from customlabels_nb.core.tables import Split

#: "error": training would fail or learn something wrong; "warning": the result will suffer; "note": information.
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Finding of a check, with its affected images (split, image, detail), each once, or only their ``count``.

    ``boxes`` are the affected rows of the annotations with their split, for findings about boxes.
    """

    code: str
    severity: str
    message: str
    advice: str
    where: str = ""
    rows: pd.DataFrame | None = None
    count: int = 0
    boxes: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES or self.severity not in SEVERITIES:
            raise ValueError(f"Unknown code or severity: {self.code!r}, {self.severity!r}.")

    @property
    def images(self) -> int:
        return self.count if self.rows is None else len(self.rows)


def rows_of(split: str, images: Iterable[str], details: Iterable[str] | str = "") -> pd.DataFrame:
    """Return the table of a finding's images. If an image occurs more than once, its first detail is used."""
    frame = pd.DataFrame({"split": split, "image": pd.Series(list(images), dtype=TEXT)})
    frame["detail"] = details if isinstance(details, str) else pd.Series(list(details), dtype=TEXT)
    return frame.drop_duplicates("image").reset_index(drop=True)


_COLUMNS = {"code": TEXT, "severity": TEXT, "where": TEXT, "images": "int64", "message": TEXT, "advice": TEXT}
_ROW_COLUMNS = {"code": TEXT, "severity": TEXT, "split": TEXT, "image": TEXT, "detail": TEXT}
_BOX_COLUMNS = {"split": TEXT, **ANNOTATION_COLUMNS}
_MARKS = {"error": "✗", "warning": "!", "note": "·"}


class CheckReport:
    """Findings of the checks before training, sorted by severity.

    Attributes
    ----------
    near_duplicates : DataFrame or None
        Pairs of near-duplicates (see :meth:`customlabels_nb.project.project.Project.near_duplicates`). None if the
        search was skipped.

    Examples
    --------
    >>> checked = project.check(progress=False)
    >>> checked.ok
    True
    >>> checked.issues[["code", "severity"]]
                            code severity
    0       LABEL_HAS_FEW_IMAGES  warning
    1  LABEL_HAS_FEW_TEST_IMAGES  warning
    """

    def __init__(self, findings: Sequence[Finding], images: int, near_duplicates: pd.DataFrame | None) -> None:
        order = {severity: position for position, severity in enumerate(SEVERITIES)}
        self._findings = sorted(findings, key=lambda finding: (order[finding.severity], -finding.images))
        self._images = images
        self.near_duplicates = near_duplicates

    @property
    def ok(self) -> bool:
        """True if there are no errors, even if there are warnings."""
        return not any(finding.severity == "error" for finding in self._findings)

    @property
    def issues(self) -> pd.DataFrame:
        """Findings as a table: code, severity ("error", "warning", "note"), where, images (count), message, advice."""
        rows = [[f.code, f.severity, f.where, f.images, f.message, f.advice] for f in self._findings]
        return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)

    @property
    def table(self) -> pd.DataFrame:
        """Affected images as a table with one row per finding and image: code, severity, split, image, detail."""
        parts = [
            f.rows.assign(code=f.code, severity=f.severity)[list(_ROW_COLUMNS)]
            for f in self._findings
            if f.rows is not None
        ]
        empty = pd.DataFrame(columns=list(_ROW_COLUMNS))
        return pd.concat([empty, *parts], ignore_index=True).astype(_ROW_COLUMNS)

    def images_with(self, code: str, split: Split | None = None) -> list[str]:
        """Return the images affected by findings with the given code, in both datasets or only in ``split``.

        Examples
        --------
        >>> annotations = boxes.train_set.annotations
        >>> annotations.loc[0, "left"] = 155
        >>> boxes.update("train", annotations)
        1
        >>> checked = boxes.check(progress=False)
        >>> checked.images_with("BOX_OFF_FRAME") == [annotations.loc[0, "image"]]
        True
        >>> checked.images_with("BOX_EMPTY")
        []
        """
        table = self.table
        chosen = (table["code"] == code) & (table["split"].eq(split) | (split is None))
        images: list[str] = table.loc[chosen, "image"].drop_duplicates().tolist()
        return images

    def images_of(self, position: int, split: Split | None = None) -> list[str]:
        """Return the images affected by the finding at a row of :attr:`issues`, in both datasets or only in ``split``.

        Examples
        --------
        >>> annotations = boxes.train_set.annotations
        >>> annotations.loc[0, "width"] = 0
        >>> boxes.update("train", annotations)
        1
        >>> checked = boxes.check(progress=False)
        >>> checked.issues["code"].iloc[0]
        'BOX_EMPTY'
        >>> checked.images_of(0) == [annotations.loc[0, "image"]]
        True
        """
        rows = self._findings[position].rows
        if rows is None:
            return []
        images: list[str] = rows.loc[rows["split"].eq(split) | (split is None), "image"].drop_duplicates().tolist()
        return images

    def boxes_with(self, code: str, split: Split | None = None) -> pd.DataFrame:
        """Return the boxes affected by findings with the given code, in both datasets or only in ``split``.

        The columns are ``split`` and those of ``dataset.annotations``. Pass the table to :meth:`.Project.crops` to show
        its boxes. Of twins ("BOX_REPEATED"), it has the less plausible box of each pair: a model's box rather than a
        person's, then the less confident box, then the later one.

        Examples
        --------
        >>> annotations = boxes.train_set.annotations
        >>> boxes.update("train", pd.concat([annotations, annotations.head(1)]))
        1
        >>> twins = boxes.check(progress=False).boxes_with("BOX_REPEATED")
        >>> twins["image"].tolist() == annotations["image"].head(1).tolist()
        True
        """
        parts = [f.boxes for f in self._findings if f.boxes is not None and f.code == code]
        table = pd.concat([empty(_BOX_COLUMNS), *parts], ignore_index=True).astype(_BOX_COLUMNS)
        return table if split is None else table[table["split"] == split].reset_index(drop=True)

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
            columns=("", "finding and advice", "images", "code"),
            findings=[
                {"state": f.severity, "mark": f.severity, "text": f.message}
                | {"advice": f.advice, "images": f.images, "code": f.code}
                for f in self._findings
            ],
        )

    def _head(self) -> str:
        number = {severity: sum(f.severity == severity for f in self._findings) for severity in SEVERITIES}
        start = f"{counted(self._images, 'image')} checked: "
        parts = [counted(number[severity], severity) for severity in SEVERITIES if number[severity]]
        if not parts:
            return start + "no problems found."
        if number["error"]:
            return start + f"{', '.join(parts)}. Start with the errors."
        if number["warning"]:
            return start + f"{', '.join(parts)}. Training will work, but these problems limit its result."
        return start + f"no errors or warnings, and {parts[0]}."
