"""Settle what tables of users and of other programs leave open: empty boxes and leftovers."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.table_columns import (
    Decisions,
    boxes_without_label,
    in_column,
    leftovers,
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
