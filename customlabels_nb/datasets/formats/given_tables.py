"""Make the tables of images and annotations from one table of a user or of another program."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import date, time, timedelta
from numbers import Number
from uuid import UUID

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.table_columns import OTHER, OWN, Decisions, is_missing, with_lists_of_labels
from customlabels_nb.datasets.formats.account import Account
from customlabels_nb.datasets.formats.entries import finite
from customlabels_nb.datasets.formats.json_file import size_of
from customlabels_nb.datasets.formats.verdicts import in_pixels, without_area, without_zeros

_SIZES = {"image_width": "width", "image_height": "height"}
#: Types of values in columns of the user's own.
_VALUES = (str, Number, np.generic, date, time, timedelta, os.PathLike, UUID, list, tuple, dict)
_OF_IMAGES = ("split", "status", "note", *_SIZES, "tags", "sha256", "source")
#: Roles of columns about images and models, which tables of annotations and predictions do not keep.
BESIDE_ANNOTATIONS = (*_SIZES, "tags", "sha256", "source", "revision", "model")


def tables_of(
    rows: pd.DataFrame,
    given: pd.DataFrame,
    decisions: Decisions,
    source: str,
    *unread: str,
    annotator: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Return the images and annotations of rows that :func:`.table_columns.read_frame` has returned, and issues.

    ``given`` is the table before, of which columns with the roles ``unread`` are not imported. Of several values for an
    image, the first one counts. A column of the user's own must have one value for each image.
    """
    rows = rows.drop(columns=[name for name in unread if name in rows])
    account, own = Account(), [name for name in decisions.having(OWN) if name in rows]
    annotations, of_images = t.empty(t.ANNOTATION_COLUMNS), rows
    rows = _with_plain_values(rows, own, account)
    if "label" not in rows:
        of_images, issues = _without_answers(rows, source)
    else:
        rows, joined = with_lists_of_labels(rows, decisions)
        issues = [Issue("ENTRY_ADJUSTED", joined, "label", source)] if joined else []
        of_images = rows
        annotations = t.normalise_annotations(rows.drop(columns=own), annotator=annotator)
        if "note" in rows:  # the note in a row with a label is about the label
            of_images = rows.assign(note=rows["note"].where(rows["label"].isna()))
    images = _images_of(of_images, own, account)
    if "status" in images:
        images["status"] = t.normalise_images(images[["image", "status"]])["status"]
    images, issues = _with_sizes(images, account), [*issues, *without_label(rows, source)]
    if "created" not in {*decisions.roles} - {*unread}:  # our own tables have it, with boxes in pixels
        images, annotations, settled = settle_boxes(images, annotations, source)
        issues = [*settled, *issues]
    return images, annotations, [*issues, *account.issues(source), *not_imported(given, decisions, source, *unread)]


def _with_plain_values(rows: pd.DataFrame, own: Collection[str], account: Account) -> pd.DataFrame:
    """Return a table with lists instead of arrays in the user's ``own`` columns, and without sets and objects."""
    for name in [name for name in own if rows[name].dtype == object]:
        values = pd.Series([v.tolist() if hasattr(v, "tolist") else v for v in rows[name]], rows.index, dtype=object)
        strange = pd.Series([not (is_missing(v) or isinstance(v, _VALUES)) for v in values], rows.index, dtype=bool)
        count_values(account, name, values[strange], rows.loc[strange, "image"])
        rows = rows.assign(**{name: values.mask(strange, None)})
    return rows


def _without_answers(rows: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[Issue]]:
    """Return a table without labels whose images are not labelled either, and an issue if they were."""
    labelled = rows["status"] == "labelled" if "status" in rows else pd.Series(False, rows.index)
    if not labelled.any():
        return rows, []
    message = (
        f"{labelled.sum():,} × status 'labelled' was not imported, because the table has no labels. Add a column "
        "'label', which is empty for images on which there is nothing."
    )
    return rows.assign(status=rows["status"].mask(labelled, None)), [Issue("NOT_IMPORTED", message, "status", source)]


def _images_of(rows: pd.DataFrame, own: Collection[str], account: Account) -> pd.DataFrame:
    """Return the facts about images, and count values that differ from those of earlier rows of an image."""
    images = rows[["image"]].drop_duplicates(ignore_index=True)
    for name in [column for column in rows if column in own or column in _OF_IMAGES]:
        present = rows.loc[rows[name].notna(), ["image", name]]
        first = present.drop_duplicates("image").set_index("image")[name]
        differs = present[name].astype(str) != present["image"].map(first.astype(str))
        if len(present) > len(first) and differs.any():
            lost = present if name in own else present[differs]
            count_values(account, name, lost[name], lost["image"])
            if name in own:
                continue
        if len(present) or name in own:
            images[name] = images["image"].map(first)
    return images


def _with_sizes(images: pd.DataFrame, account: Account) -> pd.DataFrame:
    """Return a table with the sizes of images, and count values that are not sizes."""
    if not {*_SIZES} & {*images.columns}:
        return images
    given = images.reindex(columns=[*_SIZES]).astype(object).to_numpy().tolist()
    sizes = [size_of(*(None if is_missing(side) else finite(str(side)) for side in pair)) for pair in given]
    for row, size in enumerate(sizes):
        if size is None and not all(map(is_missing, given[row])):
            account.add("size of an image", str(images["image"].iat[row]), value=given[row])
    columns = pd.DataFrame([size or (None, None) for size in sizes], columns=[*_SIZES.values()], dtype="Int64")
    return images.drop(columns=[*_SIZES], errors="ignore").join(columns)


def settle_boxes(
    images: pd.DataFrame, annotations: pd.DataFrame, source: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Issue]]:
    """Return the tables with boxes in pixels, and issues.

    A box of only zeros means that its image is labelled as empty. Other boxes without area are reported. Images all of
    whose boxes are left out become unlabelled.
    """
    images, annotations, issues = without_zeros(images, annotations, source)
    annotations, adjusted = in_pixels(images, annotations, source)
    emptied = [issue.where for issue in adjusted if issue.code == "IMAGE_NOT_LISTED"]
    if emptied and "status" in images:
        images = t.settle_statuses(images, annotations, changed=pd.Series(emptied, dtype=object))
    return images, annotations, [*issues, *adjusted, *without_area(annotations, source)]


def not_imported(
    frame: pd.DataFrame, decisions: Decisions, source: str, *roles: str, elsewhere: Collection[object] = ()
) -> list[Issue]:
    """Return an issue for each column that is not imported, or has one of the ``roles``, and is not ``elsewhere``."""
    account, image = Account(), decisions.roles.get("image")
    for position, (column, role, _) in enumerate(decisions.of_columns):
        if image is not None and role in (OTHER, *roles) and column not in elsewhere:
            count_values(account, column, frame.iloc[:, position], frame.iloc[:, image])
    return account.issues(source)


def count_values(account: Account, column: object, values: pd.Series, images: pd.Series) -> None:
    """Count the values of a column that are not imported, unless they are empty."""
    rows = [row for row, value in enumerate(values) if not is_missing(value)]
    if rows:
        example = str(values.iat[rows[0]])[:80]
        account.add(f"value of the column {str(column)!r} (such as {example!r})", str(images.iat[rows[0]]), len(rows))


def without_label(rows: pd.DataFrame, source: str) -> list[Issue]:
    """Return an issue if rows with a box or polygon have no label, because they are not read."""
    shapes = rows[[name for name in ("left", "polygon") if name in rows]].notna().any(axis=1)
    names = rows.loc[shapes & rows["label"].isna(), "image"] if "label" in rows else rows["image"].iloc[:0]
    message = f"{len(names):,} × box without a label was not read. Add the label."
    return [Issue("ENTRY_UNREADABLE", message, str(names.iloc[0]), source)] if len(names) else []
