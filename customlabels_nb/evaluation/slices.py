"""Metrics by slice: evaluate subsets of the test set, grouped by camera, day or tag, for example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core.tables import IMAGE_COLUMNS, TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.metrics import bootstrap_intervals, overall_metrics, per_label_table
from customlabels_nb.evaluation.thresholded import Thresholded

#: Name of the slice of images that have no value in the column.
NONE = "(none)"

#: Numbers and times with more distinct values are binned into ranges with about equally many images.
MOST_NUMBERS = 12
RANGES = 5

MOST_SLICES = 500

#: Image columns that are not useful as slices, and the maximum number of slices of a column in a menu and in advice.
_TECHNICAL = ("image", "sha256", "revision", "status")
MOST_IN_MENU = 60

#: Slices with fewer images are not tested. A slice is marked if chance makes the most extreme of all slices that low,
#: or that high, in less than this share of cases.
LEAST_IMAGES, CHANCE = 10, 0.015
_PERMUTATIONS, _CELLS_AT_ONCE = 1000, 4_000_000
LOWER, HIGHER = "lower", "higher"


def slice_table(
    applied: Thresholded, images: pd.DataFrame, column: str | Sequence[str], *, bins: int | None = None
) -> pd.DataFrame:
    """Compute the table that ``Report.by`` returns. ``images`` has one row per test image."""
    if bins is not None:
        bins = check_integer("bins", bins, 2, MOST_SLICES)
    columns = _checked_columns(column, images)
    parts = [list(slices_of(images[name].reset_index(drop=True), bins=bins)) for name in columns]
    slices: list[tuple[tuple[int, ...], IntArray]] = [((at,), here) for at, (_, here) in enumerate(parts[0])]
    for other in parts[1:]:
        pairs = product(slices, enumerate(other))
        both = [((*chosen, at), np.intersect1d(here, there)) for (chosen, here), (at, (_, there)) in pairs]
        slices = [(chosen, here) for chosen, here in both if here.size]
    if len(slices) > MOST_SLICES:
        raise InputError(f"column={column!r} has {len(slices)} slices. Choose columns with at most {MOST_SLICES}.")
    marks = beyond_chance(applied, [positions for _, positions in slices])
    rows: list[dict[str, Any]] = []
    for (_, positions), differs in zip(slices, marks, strict=True):
        part = applied.only(positions)
        intervals = bootstrap_intervals(part)
        metrics = overall_metrics(part, per_label_table(part))
        del metrics["mean_threshold"]
        low, high = intervals.metrics["f1"]
        here = {"test_images": len(positions), "labels": int(part.outcomes.in_test_set.sum())}
        rows.append(here | metrics | {"f1_low": low, "f1_high": high, "differs": differs})
    names = [[name for name, _ in part] for part in parts]
    codes = list(zip(*(chosen for chosen, _ in slices), strict=True))
    table = pd.DataFrame(rows).astype({"differs": TEXT})
    if len(columns) == 2:
        return table.set_index(pd.MultiIndex(levels=names, codes=codes, names=columns))
    table.insert(0, "slice", pd.Series(names[0], dtype=TEXT))
    return table


def _checked_columns(column: str | Sequence[str], images: pd.DataFrame) -> list[str]:
    known = [name for name in images.columns if name not in IMAGE_COLUMNS or images[name].notna().any()]
    columns: list[Any] = list(column) if isinstance(column, list | tuple) else [column]
    if isinstance(column, list | tuple) and (len(columns) != 2 or columns[0] == columns[1]):
        raise InputError(f"column={column!r} must be one column, or a list of two different ones, out of {known}.")
    for name in columns:
        if not isinstance(name, str) or name not in known:
            what = "empty for all" if name in list(images.columns) else "not a column"
            raise InputError(
                f"column={name!r} is {what} of the test images. Choose one of {known}, or pass a table with that "
                "column to cl.evaluate(..., images=table)."
            )
    return columns


def sliced(images: pd.DataFrame) -> dict[str, dict[str, IntArray]]:
    """Return the positions of the images in each slice by column, for columns with a moderate number of slices."""
    result = {}
    for column in images.columns:
        if column not in _TECHNICAL:
            try:
                parts = dict(slices_of(images[column].reset_index(drop=True)))
            except (InputError, TypeError, ValueError):  # too many values, or values that cannot be grouped
                continue
            if 1 < len(parts) <= MOST_IN_MENU:
                result[str(column)] = parts
    return result


def beyond_chance(applied: Thresholded, slices: Sequence[IntArray]) -> list[str]:
    """Say for each slice whether its F1 is "lower" or "higher" than that of all other images beyond chance, else "".

    The F1 is of the summed counts of all labels. Its difference has the null distribution of randomly permuted images,
    and its limits are quantiles of the lowest and highest of all slices, so they are corrected for the number of slices
    (Westfall and Young, 1993). The images of a marked slice are set aside before the others are tested again, so that a
    bad slice neither makes the other slices good ones, nor another slice with the same images bad.
    """
    result = [""] * len(slices)
    shares = np.repeat([[2.0, 2.0], [0.0, 1.0], [0.0, 1.0]], len(applied.outcomes.labels), axis=0)
    parts = (applied.image_counts() @ shares).T  # F1 is the ratio of their sums
    member = np.zeros((len(slices), parts.shape[1]), dtype=bool)
    for row, positions in enumerate(slices):
        member[row, positions] = True
    left = np.ones(parts.shape[1], dtype=bool)
    limits = None
    while True:
        tested = np.flatnonzero(_testable(member[:, left]))
        influence = _influence(parts[:, left])
        if not tested.size or not influence.any():
            return result
        inside = _standardised(member[np.ix_(tested, left)])
        limits = limits or _limits(inside, influence)
        z = (inside @ influence).round(4)  # of slices with the same images, the first is marked
        if z.min() < limits[0]:
            row, mark = int(tested[z.argmin()]), LOWER
        elif z.max() > limits[1]:
            row, mark = int(tested[z.argmax()]), HIGHER
        else:
            return result
        result[row] = mark
        left &= ~member[row]


def _testable(member: BoolArray) -> BoolArray:
    inside = member.sum(axis=1)
    return np.asarray(np.minimum(inside, member.shape[1] - inside) >= LEAST_IMAGES)


def _influence(parts: FloatArray) -> npt.NDArray[np.float32]:
    """Return how much each image raises or lowers the F1, with mean 0 and variance 1, or zeros if all do the same."""
    above, below = parts.sum(axis=1)
    influence = parts[0] - (above / max(below, 1)) * parts[1]
    spread = influence.std()
    return np.asarray(influence / spread if spread > 1e-9 else 0 * influence, dtype=np.float32)


def _standardised(member: BoolArray) -> npt.NDArray[np.float32]:
    """Return weights of the images in each slice, whose sum has variance 1 if the images are permuted."""
    n, inside = member.shape[1], member.sum(axis=1, keepdims=True)
    return np.asarray(member / np.sqrt(inside * (n - inside) / (n - 1)), dtype=np.float32)


def _limits(inside: npt.NDArray[np.float32], influence: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return the quantiles of the lowest and the highest sum of all slices if the images are permuted."""
    rng = np.random.default_rng(0)
    at_once = min(_PERMUTATIONS, max(1, _CELLS_AT_ONCE // len(influence)))
    permuted, ends = np.tile(influence, (at_once, 1)), []
    for _ in range(0, _PERMUTATIONS, at_once):
        sums = inside @ rng.permuted(permuted, axis=1, out=permuted).T
        ends.append(np.stack([sums.min(axis=0), sums.max(axis=0)]))
    lowest, highest = np.concatenate(ends, axis=1)
    slack = 1e-4  # of equal sums in another order
    return float(np.quantile(lowest, CHANCE) - slack), float(np.quantile(highest, 1 - CHANCE) + slack)


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
