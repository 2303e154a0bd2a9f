"""What is told after images were taken in, or sources were looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted
from customlabels_nb.core.issues import issues_to_frame


@dataclass(eq=False)
class ImportReport:
    """What became of an import. ``issues`` is a table of what was left out or looks wrong, with the reason.

    ``added_images`` are the new ones by name; ``labelled`` counts those of the ``known`` images, which were there
    already, that had no label and got one.
    """

    split: str
    added: int
    known: int
    ignored: int
    issues: pd.DataFrame
    labelled: int = 0
    added_images: Sequence[str] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        parts = [f"{counted(self.added, 'image')} added to {self.split}"]
        if self.known:
            parts.append(f"{counted(self.known, 'was', 'were')} there already")
        if self.labelled:
            parts.append(f"{self.labelled:,} that were there got their labels")
        if self.ignored:
            parts.append(f"{self.ignored:,} files are no images by their name")
        if len(self.issues):
            parts.append(f"{counted(len(self.issues), 'needs', 'need')} a look, see .issues")
        return ", ".join(parts) + "."

    def _repr_html_(self) -> str:
        return render("import_report.html", head=repr(self), issues=self.issues.to_dict("records"))


class RefreshReport:
    """What has become of the sources of a dataset, or of both, since they were last looked at.

    Attributes
    ----------
    images : DataFrame
        split, image, and what became of it: "added", "changed" (other content, the labels were kept) or "vanished" (it
        isn't there any more; it stays in the dataset until it is removed).
    removed : list of str
        Images that are there and were removed from the dataset by somebody: they are not added again.
    skipped : list of str
        Sources that can't be looked at again: tables, other datasets, lists of URLs.
    issues : DataFrame
        What can't be used or looks wrong, with the reason.
    """

    def __init__(
        self,
        images: Iterable[tuple[str, str, str]] = (),
        *,
        removed: Sequence[str] = (),
        skipped: Sequence[str] = (),
        issues: pd.DataFrame | None = None,
    ) -> None:
        self.images = pd.DataFrame(list(images), columns=["split", "image", "what"], dtype="str")
        self.removed = list(removed)
        self.skipped = list(skipped)
        self.issues = issues_to_frame([]) if issues is None else issues

    @property
    def added(self) -> list[str]:
        """The new images, by name."""
        return self._those("added")

    @property
    def changed(self) -> list[str]:
        """The images whose content changed."""
        return self._those("changed")

    @property
    def vanished(self) -> list[str]:
        """The images that aren't there any more; ``project.remove(split, report.vanished)`` takes them out."""
        return self._those("vanished")

    def __add__(self, other: RefreshReport) -> RefreshReport:
        rows = pd.concat([self.images, other.images]).drop_duplicates()
        return RefreshReport(
            rows.itertuples(index=False, name=None),
            removed=[*self.removed, *other.removed],
            skipped=list(dict.fromkeys([*self.skipped, *other.skipped])),
            issues=pd.concat([self.issues, other.issues], ignore_index=True),
        )

    def __repr__(self) -> str:
        parts = [
            f"{counted(len(self.added), 'image')} added",
            f"{len(self.changed):,} changed",
            f"{len(self.vanished):,} vanished",
        ]
        if self.removed:
            parts.append(f"{len(self.removed):,} that were removed were not added again")
        if self.skipped:
            parts.append(f"{counted(len(self.skipped), 'source')} can't be looked at again, see .skipped")
        if len(self.issues):
            parts.append(f"{counted(len(self.issues), 'needs', 'need')} a look, see .issues")
        return ", ".join(parts) + "; see .images." if len(self.images) else ", ".join(parts) + "."

    def _those(self, what: str) -> list[str]:
        return list(self.images.loc[self.images["what"] == what, "image"])
