"""What a check finds, and how many images it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

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
