"""Reports on importing images and on refreshing a dataset from its sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb._utils.text import counted
from customlabels_nb.core.issues import issues_to_frame
from customlabels_nb.core.tables import TEXT


@dataclass(eq=False)
class ImportReport(ShownWithTable):
    """Report on an import of images.

    Attributes
    ----------
    split : str
        "train", "test" or "train and test".
    added : int
        Number of new images.
    known : int
        Number of images that were already in the dataset.
    ignored : int
        Number of files that are not images according to their names.
    issues : DataFrame
        Skipped images, such as duplicates, and other problems, each with the reason.
    labelled : int
        Number of ``known`` images that were unlabelled and received a label, or a status such as labelled as empty.
    replaced, kept : int
        Numbers of ``known`` images whose annotations differed from those of the source, and were replaced by them or
        kept (see ``on_known`` of :meth:`.Project.add_images`). The annotations of other known images are unchanged.
    added_images, labelled_images : sequence of str
        Names of the new images, and of the ``labelled`` ones.
    changed_cells : int
        Number of cells of your own columns that changed in ``known`` images, because a table had other values.
    action : int or None
        Id of the import in ``project.history``, None if nothing changed. An import into the training and the test set
        is an action for each, which :meth:`.Project.undo` reverts together if it gets this id or none.

    Examples
    --------
    Import photos that the project already contains under other names:

    >>> report = project.add_images(photos, progress=False)
    >>> report.added, report.known, len(report.issues)
    (0, 9, 0)
    """

    split: str
    added: int
    known: int
    ignored: int
    issues: pd.DataFrame
    labelled: int = 0
    added_images: Sequence[str] = field(default=(), kw_only=True)
    labelled_images: Sequence[str] = field(default=(), kw_only=True)
    replaced: int = field(default=0, kw_only=True)
    kept: int = field(default=0, kw_only=True)
    changed_cells: int = field(default=0, kw_only=True)
    action: int | None = field(default=None, kw_only=True)

    def __add__(self, other: ImportReport) -> ImportReport:
        return ImportReport(
            f"{self.split} and {other.split}",
            self.added + other.added,
            self.known + other.known,
            self.ignored + other.ignored,
            pd.concat([self.issues, other.issues], ignore_index=True),
            self.labelled + other.labelled,
            added_images=[*self.added_images, *other.added_images],
            labelled_images=[*self.labelled_images, *other.labelled_images],
            replaced=self.replaced + other.replaced,
            kept=self.kept + other.kept,
            changed_cells=self.changed_cells + other.changed_cells,
            action=self.action if other.action is None else other.action,
        )

    def __repr__(self) -> str:
        parts = [f"{counted(self.added, 'image')} added to {self.split}"]
        if self.known:
            parts.append(f"{counted(self.known, 'image')} already in the dataset")
        if self.labelled:
            parts.append(f"{self.labelled:,} of these newly labelled")
        if self.replaced:
            parts.append(f"{self.replaced:,} with replaced annotations")
        if self.kept:
            parts.append(f"{self.kept:,} with other annotations than the source, which were kept")
        if self.changed_cells:
            parts.append(f"{counted(self.changed_cells, 'cell')} of your own columns changed")
        if self.ignored:
            parts.append(f"{counted(self.ignored, 'file')} ignored (not an image)")
        if len(self.issues) == 1 and not self.added:  # such as the only file that was passed
            return f"{', '.join(parts)}: {self.issues['where'].iat[0]}: {self.issues['message'].iat[0]}"
        if len(self.issues):
            parts.append(f"{counted(len(self.issues), 'issue')}, see .issues")
        moved = int((self.issues["code"] == "IMAGE_MOVED").sum())
        were = counted(moved, "file was", "files were")
        advice = f" {were} moved: project.relocate(folder) takes the new place." if moved else ""
        return ", ".join(parts) + "." + advice


class RefreshReport(ShownWithTable):
    """Changes to the sources of one or both datasets since the last scan.

    Attributes
    ----------
    images : DataFrame
        Columns split, image and what, which is "added", "labelled" (an image without labels got those of the source),
        "changed" (the file has new content, the labels are kept) or "vanished" (the file no longer exists, but the
        image stays in the dataset until it is removed).
    removed : list of str
        Images that are still in a source, but that a user removed from the dataset. They are not added again.
    skipped : list of str
        Sources that cannot be rescanned: tables, other datasets, lists of URLs.
    issues : DataFrame
        Unusable images and other problems, each with the reason.

    Examples
    --------
    >>> report = project.refresh()
    >>> report
    0 images added, 0 changed, 0 vanished.
    """

    def __init__(
        self,
        images: Iterable[tuple[str, str, str]] = (),
        *,
        removed: Sequence[str] = (),
        skipped: Sequence[str] = (),
        issues: pd.DataFrame | None = None,
    ) -> None:
        self.images = pd.DataFrame(list(images), columns=["split", "image", "what"], dtype=TEXT)
        self.removed = list(removed)
        self.skipped = list(skipped)
        self.issues = issues_to_frame([]) if issues is None else issues

    @property
    def added(self) -> list[str]:
        """Names of the new images."""
        return self._those("added")

    @property
    def changed(self) -> list[str]:
        """Names of the images whose content has changed."""
        return self._those("changed")

    @property
    def vanished(self) -> list[str]:
        """Names of the images whose files no longer exist.

        Call ``project.remove(split, report.vanished)`` to remove them from the dataset.
        """
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
        if labelled := self._those("labelled"):
            parts.insert(1, f"{len(labelled):,} labelled")
        if self.removed:
            parts.append(f"{counted(len(self.removed), 'removed image')} not added again")
        if self.skipped:
            parts.append(f"{counted(len(self.skipped), 'source')} cannot be rescanned, see .skipped")
        if len(self.issues):
            parts.append(f"{counted(len(self.issues), 'issue')}, see .issues")
        return ", ".join(parts) + ", see .images." if len(self.images) else ", ".join(parts) + "."

    def _those(self, what: str) -> list[str]:
        return list(self.images.loc[self.images["what"] == what, "image"])
