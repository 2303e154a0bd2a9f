"""Tables of boxes that are handed to an evaluation, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customlabels_nb.core.geometry import polygon_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.errors import TableError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.input_tables import check_confidences, clean_table

CORNER_COLUMNS = ("xmin", "ymin", "xmax", "ymax")

#: Pixels; what lies beyond is no place in an image, and areas stay finite.
FARTHEST = 1e9


@dataclass(frozen=True, eq=False)
class BoxedRows:
    """A table of boxes.

    Attributes
    ----------
    all_rows : DataFrame
        ``image`` and ``label`` of all rows.
    rows : DataFrame
        Those that have a box, ``m`` of them.
    box : ndarray of float64, shape (m, 4)
        Left, top, width, height in pixels.
    crowd : ndarray of bool, shape (m,)
    confidence : ndarray of float64, shape (m,)
        1 where the table has none.
    without_box : int
        Rows that have a label and no box.
    """

    all_rows: pd.DataFrame
    rows: pd.DataFrame
    box: FloatArray
    crowd: BoolArray
    confidence: FloatArray
    without_box: int

    def sorted_positions(self, images: pd.Index, labels: pd.Index) -> tuple[IntArray, IntArray, IntArray]:
        """Position of the image, of the label, and of the row, sorted by these two and falling confidence.

        Rows whose image or label isn't there are left out; equals keep the order given.
        """
        image, label = _positions(self.rows["image"], images), _positions(self.rows["label"], labels)
        kept = np.flatnonzero((image >= 0) & (label >= 0))
        group = image[kept] * len(labels) + label[kept]
        rows = kept[np.lexsort((-self.confidence[kept], group))]
        return image[rows], label[rows], rows


def has_boxes(frame: pd.DataFrame) -> bool:
    """Whether a table that was handed in holds a box."""
    return isinstance(frame, pd.DataFrame) and any(
        name in frame.columns and bool(frame[name].notna().to_numpy().any()) for name in ("left", "xmin", "polygon")
    )


def boxed_rows(frame: pd.DataFrame, name: str) -> BoxedRows:
    """The rows of truth or predictions that have a box.

    Parameters
    ----------
    frame : DataFrame
        ``image``, ``label``, the box as ``left, top, width, height`` or ``xmin, ymin, xmax, ymax``, of predictions
        ``confidence``; perhaps ``crowd``, and ``polygon`` where a box is null.
    name : {"truth", "predictions"}

    Raises
    ------
    InputError, TableError
        If the table or a box can't be used.
    """
    by_corners = isinstance(frame, pd.DataFrame) and "left" not in frame.columns and "xmin" in frame.columns
    needed = ("image", "label", *(CORNER_COLUMNS if by_corners else BOX_COLUMNS))
    table = clean_table(frame, name, (*needed, "confidence") if name == "predictions" else needed)
    box = np.stack([_numbers(table, column, name) for column in needed[2:]], axis=1)
    missing = np.isnan(box).sum(axis=1)
    boxed: BoolArray = missing < 4
    _refuse(boxed & (missing > 0), "lacks one of its four numbers", table, box, name)
    _refuse(np.any(np.abs(box) > FARTHEST, axis=1), "is not finite, or beyond all images", table, box, name)
    if by_corners:
        box = xyxy_to_ltwh(box)
    _refuse((box[:, 2] < 0) | (box[:, 3] < 0), "has a negative width or height", table, box, name)
    if "polygon" in frame.columns:
        for row in np.flatnonzero(~boxed & frame["polygon"].notna().to_numpy()):
            box[row], boxed[row] = _around(frame["polygon"].iat[row], name), True
    _refuse(boxed & table["label"].isna().to_numpy(), "has no label: give it one, or drop the row", table, box, name)
    rows = table[boxed]
    crowd = (
        _crowds(frame["crowd"]) if name == "truth" and "crowd" in frame.columns else np.zeros(len(table), dtype=bool)
    )
    return BoxedRows(
        all_rows=table[["image", "label"]],
        rows=rows,
        box=box[boxed],
        crowd=crowd[boxed],
        confidence=check_confidences(rows) if name == "predictions" else np.ones(len(rows)),
        without_box=int((table["label"].notna().to_numpy() & ~boxed).sum()),
    )


def _positions(column: pd.Series, names: pd.Index) -> IntArray:
    """Where the text of each cell of a column of categories stands in ``names``, -1 where it doesn't."""
    where = names.get_indexer(column.cat.categories).astype(np.int64)
    positions: IntArray = np.append(where, -1)[column.cat.codes.to_numpy()]
    return positions


def _numbers(table: pd.DataFrame, column: str, name: str) -> FloatArray:
    try:
        numbers: FloatArray = pd.to_numeric(table[column]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TableError(f"The column {column!r} of {name} holds something that is no number: {error}") from error
    return numbers


def _around(polygon: object, name: str) -> FloatArray:
    try:
        box = polygon_to_ltwh(polygon)  # type: ignore[arg-type]
        if (np.abs(box) <= FARTHEST).all():
            return box
    except (TypeError, ValueError):
        pass
    raise TableError(f"A polygon of {name} is no list of points [x, y] in pixels: {str(polygon)[:80]!r}.")


def _crowds(column: pd.Series) -> BoolArray:
    try:
        crowd: BoolArray = column.astype("boolean").to_numpy(dtype=bool, na_value=False)
    except (TypeError, ValueError) as error:
        raise TableError(f"The column 'crowd' of truth holds something other than true and false: {error}") from error
    return crowd


def _refuse(wrong: BoolArray, what: str, table: pd.DataFrame, box: FloatArray, name: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise TableError(
            f"A box of {name} {what}: image {table['image'].iat[row]!r}, label {table['label'].iat[row]!r}, "
            f"left, top, width, height {box[row].tolist()}."
        )
