"""Metrics by slice: evaluate subsets of the test set, grouped by camera, day or tag, for example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core.tables import IMAGE_COLUMNS, TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.evaluation.metrics import bootstrap_intervals, overall_metrics, per_label_table
from customlabels_nb.evaluation.thresholded import Thresholded

#: Name of the slice of images that have no value in the column.
NONE = "(none)"

#: Numbers and times with more distinct values are binned into ranges with about equally many images.
MOST_NUMBERS = 12
RANGES = 5

MOST_SLICES = 500


def slice_table(applied: Thresholded, images: pd.DataFrame, column: str, *, bins: int | None = None) -> pd.DataFrame:
    """Compute the table that ``Report.by`` returns. ``images`` has one row per test image."""
    if bins is not None:
        bins = check_integer("bins", bins, 2, MOST_SLICES)
    known = [name for name in images.columns if name not in IMAGE_COLUMNS or images[name].notna().any()]
    if not isinstance(column, str) or column not in known:
        what = "empty for all" if column in list(images.columns) else "not a column"
        raise InputError(
            f"column={column!r} is {what} of the test images. Choose one of {known}, or pass a table with that column "
            "to cl.evaluate(..., images=table)."
        )
    rows: list[dict[str, Any]] = []
    for name, positions in slices_of(images[column].reset_index(drop=True), bins=bins):
        part = applied.only(positions)
        intervals = bootstrap_intervals(part)
        metrics = overall_metrics(part, per_label_table(part))
        del metrics["mean_threshold"]
        low, high = intervals.metrics["f1"]
        here = {"slice": name, "test_images": len(positions), "labels": int(part.outcomes.in_test_set.sum())}
        rows.append(here | metrics | {"f1_low": low, "f1_high": high})
    return pd.DataFrame(rows).astype({"slice": TEXT})


def slices_of(values: pd.Series, *, bins: int | None = None) -> Iterator[tuple[str, IntArray]]:
    """Yield the name and images of each slice of a column. Numbers and times are in ranges if there are ``bins``."""
    values = _as_numbers(values)
    if values.dtype == object:
        values = values.map(_each_once).explode()
    kept = values[values.notna()].infer_objects()
    if types.is_numeric_dtype(kept) or types.is_datetime64_any_dtype(kept):
        kept = _ranges(kept, bins or RANGES) if bins or kept.nunique() > MOST_NUMBERS else kept
    groups = kept.groupby(kept.map(str) if kept.dtype == object else kept, observed=True, sort=True)
    if groups.ngroups > MOST_SLICES:
        raise InputError(
            f"column={str(values.name)!r} has {groups.ngroups} different values, each of which would be a slice. "
            f"Choose a column with at most {MOST_SLICES}."
        )
    for name, part in groups:
        yield _text(name), part.index.to_numpy(dtype=np.int64)
    without = values.index[values.isna()]
    if len(without):
        yield NONE, without.to_numpy(dtype=np.int64)


def _each_once(value: object) -> object:
    """Deduplicate the items of a list-like value, convert mappings to text, and return other values unchanged."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return list({str(item): item for item in value}.values())
    return str(value) if isinstance(value, Mapping) else value


def _as_numbers(values: pd.Series) -> pd.Series:
    """Convert a column of texts to numbers if there are many and all of them are numbers."""
    if not types.is_string_dtype(values) or values.nunique() <= MOST_NUMBERS:
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if (numbers.notna() == values.notna()).all() else values


def _ranges(values: pd.Series, bins: int) -> pd.Series:
    """Map each value to a range named after its lowest and highest value, keeping equal values together."""
    before = values.rank(method="min").to_numpy(dtype=np.float64) - 1  # number of lower values
    codes, _ = pd.factorize(before * bins // len(values), sort=True)
    ends = [(part.min(), part.max()) for _, part in values.groupby(codes)]
    names = [_text(low) if low == high else f"{_text(low, 3)} to {_text(high, 3)}" for low, high in ends]
    if len(set(names)) < len(names):  # the rounded ends are not unique
        names = [f"{low} to {high}" for low, high in ends]
    return pd.Series(pd.Categorical.from_codes(codes, names, ordered=True), index=values.index)


def _text(value: object, digits: int = 6) -> str:
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value.round("s"))
    if isinstance(value, float | np.floating):
        number = float(value)
        if number.is_integer() and abs(number) < 1e15:
            return str(int(number))
        return f"{number:.{digits if abs(number) < 100 else 6}g}"
    return str(value)
