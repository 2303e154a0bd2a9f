"""Long columns of text as codes: of 8,000,000 rows there are often only a few thousand different texts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import infer_dtype

from customlabels_nb.errors import TableError
from customlabels_nb.evaluation.arrays import BoolArray, IntArray

ObjectArray = npt.NDArray[np.object_]

_HEAD = 4096  # rows


def as_categories(column: pd.Series, where: str, text: Callable[[object], str]) -> pd.Categorical:
    """A column as categories, each value made text once.

    Parameters
    ----------
    column : Series
        Anything hashable; null stays null.
    where : str
        Names the column in errors.
    text : callable
        Makes one value the text that it stands for; values of one text become one category.

    Raises
    ------
    TableError
        If a cell holds a list or the like.
    """
    try:
        codes, values = _factorized(column)
    except TypeError as error:
        raise TableError(f"{where} holds a value that is no text: {error}.") from error
    merged, names = pd.factorize(np.array([text(value) for value in values.tolist()], dtype=object))
    if len(names) < len(values):
        codes = np.append(merged, -1)[codes]
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="object"))


def used_codes(codes: npt.NDArray[np.integer], count: int) -> BoolArray:
    """Which of the codes 0 to ``count`` - 1 occur, shape (count,); -1 is none of them."""
    used = np.zeros(count + 1, dtype=bool)
    used[codes] = True  # -1 is the last place
    return used[:-1]


def _factorized(column: pd.Series) -> tuple[IntArray, ObjectArray]:
    """The code of each row (-1: null), and the distinct values in the order in which they come."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories.to_numpy(dtype=object)
        used = used_codes(codes, len(values))
        return np.append(np.cumsum(used) - 1, -1)[codes], values[used]
    texts = _plain_texts(column)
    short = None if texts is None else _by_blocks(texts)
    if short is not None:
        return short
    codes, found = pd.factorize(column if texts is None else texts)
    return codes, np.asarray(found, dtype=object)


def _plain_texts(column: pd.Series) -> ObjectArray | None:
    """The cells as an array, where they are Python's own texts and so can be compared at once."""
    dtype = column.dtype
    plain = isinstance(dtype, pd.StringDtype) and dtype.storage == "python"
    if plain and dtype.na_value is pd.NA and column.hasnans:
        return None  # NA can't be compared
    if plain or (column.dtype == object and infer_dtype(column, skipna=False) == "string"):
        return np.asarray(column, dtype=object)
    return None


def _by_blocks(texts: ObjectArray) -> tuple[IntArray, ObjectArray] | None:
    """The same, found quickly where the column is made of runs of one text, or repeats itself; None elsewhere.

    Tables of predictions are mostly so: image by image, with the labels in one order. A look at the first rows says
    which of the two it may be, and one comparison of the whole column whether it is.
    """
    head = texts[:_HEAD]
    if np.count_nonzero(head[1:] == head[:-1]) > len(head) / 2:
        starts = np.append(0, np.flatnonzero(texts[1:] != texts[:-1]) + 1)
        codes, found = pd.factorize(texts[starts])
        lengths = np.diff(np.append(starts, len(texts)))
        return np.repeat(codes.astype(np.int32), lengths), np.asarray(found, dtype=object)
    period = _period(texts)
    ends = min(period + _HEAD, len(texts)), len(texts)
    if period and all((texts[period:end] == texts[: end - period]).all() for end in ends):
        codes, found = pd.factorize(texts[:period])
        repeats = -(-len(texts) // period)
        return np.tile(codes.astype(np.int32), repeats)[: len(texts)], np.asarray(found, dtype=object)
    return None


def _period(texts: ObjectArray) -> int:
    """After how many rows the first text comes again, if that is in the first half of the column; otherwise 0."""
    start, stop = 1, _HEAD
    while start <= len(texts) // 2:
        again = np.flatnonzero(texts[start : min(stop, len(texts) // 2 + 1)] == texts[0])
        if again.size:
            return start + int(again[0])
        start, stop = stop, 16 * stop
    return 0
