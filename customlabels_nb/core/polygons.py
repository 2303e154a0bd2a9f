"""Polygons: outlines of objects in pixels of the upright image, with several parts and holes.

A polygon is one ring ``[[x, y], …]``, or a list of rings for an object with several parts or holes. A point is inside
if it is inside an odd number of rings (even-odd rule), so a ring within another one is a hole. The last point of a ring
is connected to the first one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Ring: TypeAlias = list[list[float]]
Polygon: TypeAlias = "Ring | list[Ring]"

_MOST_CROSSINGS = 200
_PAIRS_AT_ONCE = 250_000
_END = 1e-9  # of an edge: edges that only touch do not cross
_OFF = 1.0  # pixels beyond the image edge: smaller values come from rounding

TOO_FEW_POINTS = "POLYGON_TOO_FEW_POINTS"
NO_AREA = "POLYGON_NO_AREA"
SELF_INTERSECTING = "POLYGON_SELF_INTERSECTING"
OFF_FRAME = "POLYGON_OFF_FRAME"


def rings_of(polygon: Any) -> list[FloatArray]:
    """Return the non-empty rings, each of shape (n, 2). ValueError or TypeError if they are not lists of points."""
    if polygon is None or len(polygon) == 0:
        return []
    if not isinstance(polygon, list | tuple | np.ndarray):
        raise TypeError(f"A polygon is a list of points [x, y] or of rings, not a {type(polygon).__name__}.")
    first = next((part for part in polygon if np.isscalar(part) or len(part)), None)
    if first is None:
        return []
    nested = isinstance(first, list | tuple | np.ndarray) and not np.isscalar(first[0])
    parts = polygon if nested else [polygon]
    rings = [ring for part in parts if (ring := np.asarray(part, dtype=np.float64)).size]
    if any(ring.ndim != 2 or ring.shape[1] != 2 for ring in rings):
        raise ValueError("A polygon is a list of points [x, y] or of rings.")
    return rings


def readable_rings(polygon: Any) -> list[FloatArray]:
    """Return the rings of a polygon as :func:`rings_of` does, but none for a value that is not a polygon."""
    try:
        return rings_of(polygon)
    except (ValueError, TypeError, OverflowError):
        return []


def polygon_of(rings: Iterable[npt.ArrayLike]) -> Polygon | None:
    """Return rings as a polygon: one ring as a list of points, several as a list of rings, None without rings."""
    parts: list[Ring] = [ring for each in rings if (ring := np.asarray(each, dtype=np.float64).tolist())]
    return (parts[0] if len(parts) == 1 else parts) or None


def box_polygon(box: Sequence[float]) -> Ring:
    """Return the four corners of a box ``left, top, width, height``."""
    left, top, width, height = box
    return [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]


def area(polygon: Any) -> float:
    """Compute the area in square pixels of a polygon whose rings do not cross. Holes are subtracted."""
    rings = rings_of(polygon)
    if len(rings) == 1:
        return ring_area(rings[0])
    firsts = np.array([ring[0] for ring in rings]).reshape(-1, 2)
    depths = np.zeros(len(rings), dtype=np.int64)
    for number, ring in enumerate(rings):
        near = ((ring.min(axis=0) <= firsts) & (firsts <= ring.max(axis=0))).all(axis=1)
        near[number] = False
        for other in np.flatnonzero(near).tolist():
            points = np.vstack([rings[other], (rings[other] + np.roll(rings[other], -1, axis=0)) / 2])
            point = next((point for point in points if not _touches(ring, point)), firsts[other])
            depths[other] += contains(ring, point)
    return float(sum(ring_area(ring) * (-1 if depth % 2 else 1) for ring, depth in zip(rings, depths, strict=True)))


def ring_area(ring: FloatArray) -> float:
    """Compute the area in square pixels of a ring that does not cross itself (shoelace formula)."""
    x, y = ring[:, 0], ring[:, 1]
    with np.errstate(over="ignore", invalid="ignore"):
        return float(abs(x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1]) / 2)


def contains(ring: FloatArray, point: npt.ArrayLike) -> bool:
    """Check whether a point is inside a ring (even-odd rule)."""
    x, y = np.asarray(point, dtype=np.float64)
    following = np.roll(ring, -1, axis=0)
    across = (ring[:, 1] > y) != (following[:, 1] > y)
    start, end = ring[across], following[across]
    crossings = start[:, 0] + (y - start[:, 1]) * (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
    return bool((crossings > x).sum() % 2)


def _touches(ring: FloatArray, point: FloatArray) -> bool:
    """Check whether a point is on a ring, where :func:`contains` may return either."""
    along, apart = np.roll(ring, -1, axis=0) - ring, point - ring
    length = (along**2).sum(axis=1)
    share = np.clip((apart * along).sum(axis=1) / np.where(length > 0, length, 1), 0, 1)
    return bool((((apart - share[:, None] * along) ** 2).sum(axis=1) <= _END**2).any())


def to_one_ring(polygon: Any) -> Ring:
    """Join the rings of a polygon to one ring around the same area, for formats with one ring for each object.

    From its first point, the ring goes to each further ring, around it, and back. :func:`from_one_ring` reverses this.
    """
    first, *others = rings_of(polygon) or [np.empty((0, 2))]
    detours = [part for ring in others for part in (ring, ring[:1], first[:1])]
    joined: Ring = np.concatenate([first[:1], *detours, first[1:]]).tolist()
    return joined


def from_one_ring(points: Ring) -> Polygon:
    """Split a ring that was joined from several ones: edges that it follows in both directions are removed."""
    corners = list(map(tuple, points))
    if len(set(corners)) >= len(points) - (corners[:1] == corners[-1:]):
        return points
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    starts: dict[tuple[Any, Any], list[int]] = {}
    for position, edge in enumerate(edges):
        starts.setdefault(edge, []).append(position)
    rest, rings = points[:1], []
    position, before = 1, corners[0]
    while position + 2 < len(points):
        turns = starts.get((corners[position], before), [])
        turn = bisect_left(turns, position + 3)
        if turn == len(turns):
            rest.append(points[position])
            position, before = position + 1, corners[position]
        else:
            rings.append(points[position : turns[turn]])
            position = turns[turn] + 2
    return [rest + points[position:], *rings] if rings else points


# -- problems and repairs ---------------------------------------------------------------------------


def problems(polygon: Any, size: tuple[float, float] | None = None) -> list[str]:
    """List the codes of the problems that keep a polygon from being a mask, in the order of their checks.

    A ring with coordinates that are not finite has no area, and a value that is not a polygon has too few points.
    """
    codes = [code] if (code := emptiness(polygon)) else []
    if TOO_FEW_POINTS in codes:
        return codes
    rings = rings_of(polygon)
    codes += (
        [SELF_INTERSECTING] if any(np.isfinite(ring).all() and crossing(ring) is not None for ring in rings) else []
    )
    if size is not None:
        points = np.concatenate(rings)
        if (points < -_OFF).any() or (points > np.asarray(size) + _OFF).any():
            codes.append(OFF_FRAME)
    return codes


def emptiness(polygon: Any) -> str | None:
    """Return the code of the problem if a polygon has a ring that encloses nothing, or None.

    It is much faster than :func:`problems`, because only rings without an area are searched for crossings.
    """
    rings = readable_rings(polygon)
    if not rings or min(map(len, rings)) < 3:
        return TOO_FEW_POINTS
    flat = (not np.isfinite(ring).all() or (ring_area(ring) <= 0 and crossing(ring) is None) for ring in rings)
    return NO_AREA if any(flat) else None


def repaired(polygon: Any, size: tuple[float, float] | None = None) -> Polygon | None:
    """Return the polygon as rings that do not cross themselves, have an area and are inside the image.

    The area inside stays the same, except outside the image. None if nothing is left.
    """
    rings = [ring for ring in readable_rings(polygon) if np.isfinite(ring).all()]
    if size is not None:
        rings = [clipped(ring, size) for ring in rings]
    rings = [part for ring in rings if len(ring) >= 3 for part in without_crossings(ring)]
    return polygon_of(ring for ring in rings if len(ring) >= 3 and ring_area(ring) > 0)


def crossing(ring: FloatArray) -> tuple[int, int, FloatArray] | None:
    """Return the first two edges that cross each other, and where, or None. Edge i starts at point i."""
    n = len(ring)
    following = np.roll(ring, -1, axis=0)
    along = following - ring
    (left, top), (right, bottom) = np.minimum(ring, following).T, np.maximum(ring, following).T
    for begin in range(0, n if n > 3 else 0, block := max(1, _PAIRS_AT_ONCE // max(n, 1))):
        block_rows = np.arange(begin, min(begin + block, n))[:, None]
        near = (left[block_rows] <= right[begin:]) & (left[begin:] <= right[block_rows])
        near &= (top[block_rows] <= bottom[begin:]) & (top[begin:] <= bottom[block_rows])
        i, j = np.nonzero(near)
        i, j = i + begin, j + begin
        later = (j > i + 1) & ((i > 0) | (j < n - 1))
        i, j = i[later], j[later]
        (apart_x, apart_y), (x, y), (own_x, own_y) = (ring[j] - ring[i]).T, along[j].T, along[i].T
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slope = own_x * y - own_y * x
            first = (apart_x * y - apart_y * x) / slope
            second = (apart_x * own_y - apart_y * own_x) / slope
            hits = (first > _END) & (first < 1 - _END) & (second > _END) & (second < 1 - _END)
        if hits.any():
            pair = int(hits.argmax())
            return int(i[pair]), int(j[pair]), ring[i[pair]] + first[pair] * along[i[pair]]
    return None


def without_crossings(ring: FloatArray) -> list[FloatArray]:
    """Split a ring where its edges cross. By the even-odd rule, the parts cover the same area."""
    done: list[FloatArray] = []
    waiting = [ring]
    while waiting:
        part = waiting.pop()
        crossed = crossing(part) if len(done) + len(waiting) < _MOST_CROSSINGS else None
        if crossed is None:
            done.append(part)
            continue
        i, j, point = crossed
        waiting += [np.vstack([part[: i + 1], point, part[j + 1 :]]), np.vstack([point, part[i + 1 : j + 1]])]
    return done


def clipped(ring: FloatArray, size: npt.ArrayLike) -> FloatArray:
    """Clip a ring to an image of ``size`` (width, height), shape (n, 2). It may become empty."""
    right, bottom = np.asarray(size, dtype=np.float64).tolist()
    for axis, edge, sign in ((0, 0.0, 1), (0, right, -1), (1, 0.0, 1), (1, bottom, -1)):
        inside = sign * (ring[:, axis] - edge) >= 0
        if inside.all():
            continue
        parts: list[FloatArray] = []
        for index in range(len(ring)):
            point, before = ring[index], ring[index - 1]
            if inside[index] != inside[index - 1]:
                share = (edge - before[axis]) / (point[axis] - before[axis])
                where = before + share * (point - before)
                where[axis] = edge
                parts.append(where)
            if inside[index]:
                parts.append(point)
        ring = np.array(parts, dtype=np.float64).reshape(-1, 2)
    return ring


def simplified(polygon: Any, tolerance: float) -> Polygon | None:
    """Remove points that are at most ``tolerance`` pixels from the simplified outline (Douglas and Peucker, 1973).

    Rings that would have fewer than three points, or would begin to cross themselves, keep their points.
    """
    result = []
    for ring in rings_of(polygon):
        middle = int(((ring - ring[0]) ** 2).sum(axis=1).argmax())
        closed = np.vstack([ring, ring[:1]])
        kept = np.zeros(len(closed), dtype=bool)
        kept[[0, middle]] = True
        waiting = [(0, middle), (middle, len(ring))]
        while waiting:
            first, last = waiting.pop()
            if last - first < 2:
                continue
            far = _distances(closed[first + 1 : last], closed[first], closed[last])
            if far.max() > tolerance:
                farthest = first + 1 + int(far.argmax())
                kept[farthest] = True
                waiting += [(first, farthest), (farthest, last)]
        fewer = ring[kept[:-1]]
        broken = len(fewer) < 3 or (crossing(fewer) is not None and crossing(ring) is None)
        result.append(ring if broken else fewer)
    return polygon_of(result)


def _distances(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    return np.asarray(np.linalg.norm(points - (start + share[:, None] * along), axis=1))
