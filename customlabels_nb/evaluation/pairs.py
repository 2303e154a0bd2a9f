"""Rows of a long table as cells of a matrix of images by labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.errors import TableError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ImageLabelPairs:
    """Which pairs of image and label a table has, and where its rows belong.

    Attributes
    ----------
    has : ndarray of bool, shape (n, k)
    """

    has: BoolArray
    _where: Any  # of what is assigned, in a matrix: a block of rows and columns, or positions in the flat matrix
    _rows: Any  # of the table's rows that have a place: all, or a mask

    def matrix(self, values: FloatArray) -> FloatArray:
        """A value for each row of the table, shape (rows,), as a matrix of shape (n, k); 0 for pairs without one."""
        result = np.zeros(self.has.shape)
        _assign(result, self._where, values[self._rows])
        return result


def find_pairs(frame: pd.DataFrame, name: str, images: pd.Index, labels: pd.Index) -> ImageLabelPairs:
    """The pairs of a table whose ``image`` and ``label`` are categories.

    Rows of other images, and those without a label, are left out.

    Raises
    ------
    TableError
        If the table has a pair twice.
    """
    own = [(images, frame["image"].cat), (labels, frame["label"].cat)]
    places = [place.get_indexer(column.categories) for place, column in own]
    codes = [column.codes.to_numpy() for _, column in own]
    has = np.zeros((len(images), len(labels)), dtype=bool)
    block = _block(*codes)
    if block is not None:
        row, column = (place[of] for place, of in zip(places, block, strict=True))
        if (row >= 0).all() and (column >= 0).all():
            where = _as_slice(row, len(images)), _as_slice(column, len(labels))
            _assign(has, where, True)
            return ImageLabelPairs(has, where, slice(None))
    row, column = (np.append(place, -1)[of] for place, of in zip(places, codes, strict=True))
    kept = (row >= 0) & (column >= 0)
    cells = row[kept] * len(labels) + column[kept]
    has.ravel()[cells] = True
    if np.count_nonzero(has) < cells.size:
        repeated = np.flatnonzero(np.bincount(cells) > 1)[0]
        image, label = images[repeated // len(labels)], labels[repeated % len(labels)]
        raise TableError(f"{name} has label {label!r} twice for image {image!r}; drop the repeated rows.")
    return ImageLabelPairs(has, cells, kept)


def _block(image: npt.NDArray[Any], label: npt.NDArray[Any]) -> tuple[IntArray, IntArray] | None:
    """The images and the labels of a table that has every label of every image, image by image in one order.

    None of any other. Most predictions of classifiers are so, and then belong into the matrix as they stand.
    """
    width = int(np.argmax(image != image[0])) if image.size else 0
    if width == 0 or image.size % width:
        return None
    images, labels = image.reshape(-1, width), label.reshape(-1, width)
    if (images != images[:, :1]).any() or (labels != labels[0]).any() or labels[0].min() < 0:
        return None
    rows, columns = images[:, 0].astype(np.int64), labels[0].astype(np.int64)
    distinct = np.unique(rows).size == rows.size and np.unique(columns).size == columns.size
    return (rows, columns) if distinct else None


def _as_slice(positions: IntArray, count: int) -> IntArray | slice:
    """All of ``count`` rows or columns in their order as a slice, which is quicker."""
    return slice(None) if np.array_equal(positions, np.arange(count)) else positions


def _assign(matrix: npt.NDArray[Any], where: Any, values: Any) -> None:
    if not isinstance(where, tuple):
        matrix.ravel()[where] = values
        return
    rows, columns = where
    shape = (-1, matrix.shape[1] if isinstance(columns, slice) else len(columns))
    values = values if np.isscalar(values) else values.reshape(shape)
    both = not isinstance(rows, slice) and not isinstance(columns, slice)
    matrix[np.ix_(rows, columns) if both else where] = values
