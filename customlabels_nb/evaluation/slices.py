"""Metrics by slice: evaluate subsets of the test set, grouped by camera, day or tag, for example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types
from scipy.sparse import csr_array

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core.tables import IMAGE_COLUMNS, TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, IntArray
from customlabels_nb.evaluation.confusion import unused_name
from customlabels_nb.evaluation.metrics import bootstrap_intervals, mean_f1, overall_metrics, per_label_table
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
    is_one = isinstance(column, str) or not isinstance(column, Iterable)
    columns: list[Any] = [column] if is_one else list(column)
    if not is_one and (len(columns) != 2 or columns[0] == columns[1]):
        raise InputError(f"column={columns!r} must be a name, or a list of two different names, out of {known}.")
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

    The difference is that of Welch's t-test, between how much each image of the slice and each other image raises the
    mean F1 of the labels. It has the null distribution of randomly permuted images, and its limits are quantiles of the
    lowest and highest of all slices, so they are corrected for the number of slices (Westfall and Young, 1993). The
    images of a marked slice are set aside before the others are tested again, so that a bad slice neither makes the
    other slices good ones, nor another slice with the same images bad.
    """
    result = [""] * len(slices)
    counts = applied.image_counts()
    n = counts.shape[0]
    member = np.zeros((len(slices), n), dtype=bool)
    for row, positions in enumerate(slices):
        member[row, positions] = True
    left = np.ones(n, dtype=bool)
    limits = None
    while True:
        tested = np.flatnonzero(_testable(member[:, left]))
        influence = _influence(counts[left])
        if not tested.size or not influence.any():
            return result
        inside = member[np.ix_(tested, left)].astype(np.float32)
        limits = limits or _limits(inside, influence)
        differences = _differences(inside, influence).round(4)  # of slices with the same images, the first is marked
        if differences.min() < limits[0]:
            row, mark = int(tested[differences.argmin()]), LOWER
        elif differences.max() > limits[1]:
            row, mark = int(tested[differences.argmax()]), HIGHER
        else:
            return result
        others = left & ~member[row]
        result[row] = mark if _is_shown(counts, member[row], others, mark) else ""
        left = others


def _testable(member: BoolArray) -> BoolArray:
    inside = member.sum(axis=1)
    return np.asarray(np.minimum(inside, member.shape[1] - inside) >= LEAST_IMAGES)


def _is_shown(counts: csr_array, member: BoolArray, others: BoolArray, mark: str) -> bool:
    """Check that the mean F1 of the labels in a slice, which people see, differs in the direction of its mark."""
    here, there = (mean_f1(sum_counts(counts, part)) for part in (member, others))
    return here < there if mark == LOWER else here > there


def sum_counts(counts: csr_array, chosen: IntArray | BoolArray) -> IntArray:
    """Sum the true positives, false positives and false negatives of each label in some images, shape (3, k)."""
    return np.asarray(counts[chosen].sum(axis=0), dtype=np.int64).reshape(3, -1)


def _influence(counts: csr_array) -> npt.NDArray[np.float32]:
    """Return how much each image raises or lowers the mean F1, with mean 0 and variance 1, or zeros if all are alike.

    This is the derivative of the mean F1 by the number of each image.
    """
    tp, fp, fn = (np.asarray(part) for part in np.split(np.asarray(counts.sum(axis=0)).ravel(), 3))
    below = 2 * tp + fp + fn
    share = (tp + fn > 0) / np.maximum(below, 1)  # labels that the test set has count equally
    f1 = 2 * tp / np.maximum(below, 1)
    influence = np.asarray(counts @ np.r_[(2 - 2 * f1) * share, -f1 * share, -f1 * share])
    influence -= influence.mean()
    spread = influence.std()
    return np.asarray(influence / spread if spread > 1e-12 else 0 * influence, dtype=np.float32)


def _differences(inside: npt.NDArray[np.float32], influence: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return Welch's t of each slice, from influences of mean 0 and variance 1 of shape (n,) or (n, permutations).

    The variance in a slice is mixed with that of ten images of all, since small slices often have none.
    """
    n, count = len(influence), inside.sum(axis=1).reshape(-1, *[1] * (influence.ndim - 1))
    total, squares = inside @ influence, inside @ influence**2
    variance = 0.0
    for size, mean, of_squares in (
        (count, total / count, squares / count),
        (n - count, -total / (n - count), (n - squares) / (n - count)),
    ):
        own = (np.maximum(of_squares - mean**2, 0) * size + LEAST_IMAGES) / (size + LEAST_IMAGES)
        variance = variance + own / size
    return np.asarray((total / count + total / (n - count)) / np.sqrt(variance), dtype=np.float32)


def _limits(inside: npt.NDArray[np.float32], influence: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return the quantiles of the lowest and the highest difference of all slices if the images are permuted."""
    rng = np.random.default_rng(0)
    at_once = min(_PERMUTATIONS, max(1, _CELLS_AT_ONCE // len(influence)))
    permuted, ends = np.tile(influence, (at_once, 1)), []
    for _ in range(0, _PERMUTATIONS, at_once):
        differences = _differences(inside, rng.permuted(permuted, axis=1, out=permuted).T)
        ends.append(np.stack([differences.min(axis=0), differences.max(axis=0)]))
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
    found = [(name, part.index.to_numpy(dtype=np.int64)) for name, part in groups]
    names = [_text(name) for name, _ in found]
    if len(set(names)) < len(names):  # the rounded values are not unique
        names = [str(name) for name, _ in found]
    yield from zip(names, (positions for _, positions in found), strict=True)
    without = values.index[values.isna()]
    if len(without):
        yield unused_name(NONE, tuple(names)), without.to_numpy(dtype=np.int64)


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
