"""Boxes and outlines from JSON as numbers that are known to be usable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from customlabels_nb.datasets.formats.json_file import number_or_none

#: Points x, y in pixels.
Polygon: TypeAlias = list[list[float]]

_FARTHEST = 1e150  # areas of outlines within are numbers, too
_NUMBERS = frozenset({int, float})


def as_boxes(raw: list[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Boxes ``[left, top, width, height]`` as they stand in a file, None or empty where there is none.

    Returns
    -------
    boxes : ndarray of shape (n, 4)
        NaN where there is none, or none that can be.
    bad : ndarray of shape (n,)
        Where there is something that is no box: other than four finite numbers, or of negative size.
    """
    values = _all_at_once(raw)
    given = np.ones(len(raw), dtype=bool)
    if values is None:
        given = np.array([box is not None and box != [] for box in raw], dtype=bool)
        listed = [box for box in raw if box is not None and box != []]
        values = _all_at_once(listed)
        if values is None:
            values = np.array([_one_by_one(box) for box in listed], dtype=np.float64).reshape(-1, 4)
    bad_values = ~np.isfinite(values).all(axis=1) | (values[:, 2:] < 0).any(axis=1)
    values[bad_values] = np.nan
    boxes = np.full((len(raw), 4), np.nan)
    boxes[given] = values
    bad = np.zeros(len(raw), dtype=bool)
    bad[given] = bad_values
    return boxes, bad


def _all_at_once(listed: list[Any]) -> npt.NDArray[np.float64] | None:
    """The boxes if all are four plain numbers, None otherwise."""
    if not set(map(type, listed)) <= {list} or not set(map(len, listed)) <= {4}:
        return None
    flat = list(chain.from_iterable(listed))
    if not set(map(type, flat)) <= _NUMBERS:
        return None
    try:
        return np.array(flat, dtype=np.float64).reshape(-1, 4)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _one_by_one(box: object) -> list[float]:
    numbers = [number_or_none(value) for value in box] if isinstance(box, list) and len(box) == 4 else [None] * 4
    return [math.nan if number is None else number for number in numbers]


def plain_polygons(segmentations: Mapping[int, object]) -> tuple[dict[int, Polygon], npt.NDArray[np.float64]]:
    """The outlines, by number, of those that are a single part of plain numbers; none if these are not all usable.

    It gives what :func:`as_polygon` does, for many at once; those that are not here may be polygons, too. The second
    value has their :func:`area` in the same order.
    """
    parts = {
        number: given[0]
        for number, given in segmentations.items()
        if type(given) is list and len(given) == 1 and type(given[0]) is list
    }
    lengths = np.fromiter(map(len, parts.values()), np.int64, len(parts))
    whole = (lengths >= 6) & (lengths % 2 == 0)
    if not whole.all():
        parts = {number: part for (number, part), usable in zip(parts.items(), whole.tolist(), strict=True) if usable}
        lengths = lengths[whole]
    flat = list(chain.from_iterable(parts.values()))
    kinds = set(map(type, flat))
    try:
        values = np.array(flat, dtype=np.float64) if kinds <= _NUMBERS else np.array([np.nan])
    except OverflowError:  # an integer of hundreds of digits
        values = np.array([np.nan])
    if not len(values) or not (np.abs(values) <= _FARTHEST).all():
        return {}, np.empty(0)
    sides = iter(flat if kinds == {float} else values.tolist())
    points = list(map(list, zip(sides, sides, strict=True)))
    ends = np.cumsum(lengths // 2)
    starts = ends - lengths // 2
    slices = zip(starts.tolist(), ends.tolist(), strict=True)
    polygons = {number: points[start:end] for number, (start, end) in zip(parts, slices, strict=True)}
    return polygons, _areas(values.reshape(-1, 2), starts, ends)


def _areas(
    points: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    following = np.roll(points, -1, axis=0)
    following[ends - 1] = points[starts]
    with np.errstate(over="ignore", invalid="ignore"):
        doubled = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
        result: npt.NDArray[np.float64] = np.abs(np.add.reduceat(doubled, starts)) / 2
    return result


def as_polygon(segmentation: object) -> tuple[Polygon | None, int]:
    """The outline, the largest of several parts, and how many parts there are that aren't empty.

    Each part is a flat list ``x, y, x, y, …``; a single one is read without the list around it, too. None for what has
    no three points.
    """
    if not isinstance(segmentation, list):
        return None, 1
    flat = bool(segmentation) and not isinstance(segmentation[0], list)
    parts = [part for part in ([segmentation] if flat else segmentation) if part != []]
    polygons = [polygon for part in parts if (polygon := _points(part)) is not None]
    if len(polygons) > 1:
        return max(polygons, key=area), len(parts)
    return (polygons[0] if polygons else None), len(parts)


def _points(part: object) -> Polygon | None:
    if not isinstance(part, list) or len(part) < 6 or len(part) % 2 or not set(map(type, part)) <= _NUMBERS:
        return None
    try:
        values = list(map(float, part))
    except OverflowError:
        return None
    if not all(-_FARTHEST <= value <= _FARTHEST for value in values):
        return None
    return list(map(list, zip(values[::2], values[1::2], strict=True)))


def area(polygon: Iterable[Iterable[float]]) -> float:
    """Square pixels within a polygon that doesn't cross itself (Gauss's formula)."""
    points = [tuple(point) for point in polygon]
    doubled = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, [*points[1:], *points[:1]], strict=True))
    return abs(doubled) / 2
