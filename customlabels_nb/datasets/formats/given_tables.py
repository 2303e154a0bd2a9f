"""Settle what tables of users and of other programs leave open: empty boxes, names without an ending, leftovers."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.table_columns import (
    Decisions,
    boxes_without_label,
    in_column,
    lacks_ending,
    leftovers,
    without_ending,
)
from customlabels_nb.datasets.formats.account import Account
from customlabels_nb.datasets.formats.verdicts import in_pixels, without_area


def settle_boxes(
    images: pd.DataFrame, annotations: pd.DataFrame, source: str, *, judged: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Return the tables with boxes in pixels, and issues.

    A box of only zeros, as DeepForest writes it, means that its image is labelled as empty. Other boxes without area
    are reported. Images all of whose boxes are left out become unlabelled. Unless ``judged``, boxes far beyond their
    images are kept.
    """
    zero = (annotations[list(t.BOX_COLUMNS)] == 0).all(axis=1) & annotations["polygon"].isna()
    names, issues = annotations.loc[zero, "image"], []
    if zero.any():
        message = f"{len(names):,} × box of only zeros was read as an image that is labelled without boxes."
        issues.append(Issue("ENTRY_ADJUSTED", message, names.iloc[0], source))
        statuses = images["status"] if "status" in images else pd.Series(None, index=images.index, dtype=t.TEXT)
        images = images.assign(
            status=statuses.mask(t.is_among(images["image"], names), "labelled").fillna("unlabelled")
        )
        annotations = annotations[~zero].reset_index(drop=True)
    annotations, adjusted = in_pixels(images, annotations, source, judged=judged)
    emptied = [issue.where for issue in adjusted if issue.code == "IMAGE_NOT_LISTED"]
    if emptied and "status" in images:
        images = t.settle_statuses(images, annotations, changed=pd.Series(emptied, dtype=object))
    return images, annotations, [*issues, *adjusted, *without_area(annotations, source)]


def not_imported(
    frame: pd.DataFrame, decisions: Decisions, source: str, *roles: str, elsewhere: Collection[object] = ()
) -> list[Issue]:
    """Return an issue for each column that is not imported, or has one of the ``roles``, and is not ``elsewhere``."""
    counter = Account()
    for column, example, image, count in leftovers(frame, decisions, *roles):
        if column not in elsewhere:
            counter.add(in_column(column, example), image, count)
    return counter.issues(source)


def without_label(rows: pd.DataFrame, source: str) -> list[Issue]:
    """Return an issue if rows with a box have no label, because they are not read."""
    if "label" not in rows or not len(names := boxes_without_label(rows)):
        return []
    message = f"{len(names):,} × box without a label was not read. Add the label."
    return [Issue("ENTRY_UNREADABLE", message, str(names.iloc[0]), source)]


@dataclass
class FilesByStem:
    """Finder of files for image names that lack the ending."""

    _folders: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _found: dict[str, str] = field(default_factory=dict)

    def find(self, path: Path | None) -> Path | None:
        """Return the only image in the folder of ``path`` with this name and an ending, or None."""
        if path is None or not lacks_ending(path.name) or os.path.lexists(path):
            return None
        folder = os.path.abspath(path.parent)
        if folder not in self._folders:
            by_stem = self._folders[folder] = {}
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                if (stem := without_ending(name)) != name:
                    by_stem.setdefault(stem, []).append(name)
        files = self._folders[folder].get(path.name, [])
        if len(files) != 1:
            return None
        self._found[path.name] = files[0]
        return path.with_name(files[0])

    def issues(self, source: str) -> list[Issue]:
        """Return an issue if names were completed."""
        if not self._found:
            return []
        (name, file), count = next(iter(self._found.items())), len(self._found)
        names = counted(count, "image name has", "image names have")
        message = f"{names} no ending and was completed by the only file of this name, such as {name!r} by {file!r}."
        return [Issue("ENTRY_ADJUSTED", message.replace("and was", "and were") if count > 1 else message, name, source)]
