"""Masks: pixels of an object, as arrays and as COCO run-length encodings (RLE), and their conversion to polygons.

Polygons become masks as in pycocotools, which COCO's evaluation uses: an RLE is a dict with ``size`` (height, width)
and ``counts``, the lengths of runs of 0 and 1 by column, as a list or compressed to bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.polygons import Polygon, box_polygon, clipped, polygon_of, rings_of
from customlabels_nb.errors import InputError

Rle: TypeAlias = dict[str, Any]
Mask = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

#: Largest mask that is read.
MOST_PIXELS = 2**28
#: Longest outline of a mask, in pixel edges. Outlines of objects are far shorter, those of noise take minutes to trace.
MOST_EDGES = 2**19
_ROWS = 256  # rows of a mask whose edges are found at once
_GRID = 2048  # pixels of the longer side on which rings are compared


class OutlineTooLongError(InputError):
    """Raised for a mask of noise, whose outline is too long to be traced."""


def polygon_to_rle(polygon: Any, size: tuple[int, int]) -> Rle:
    """Rasterise a polygon by the even-odd rule, clipped to ``size`` (width, height). Infinite rings are left out."""
    from pycocotools import mask

    width, height = size
    usable = [ring for ring in rings_of(polygon) if len(ring) >= 3 and np.isfinite(ring).all()]
    rings = [_near(ring, np.array(size, dtype=np.float64)) for ring in usable]
    flat = [ring.ravel().tolist() for ring in rings if len(ring) >= 3]
    if not flat:
        return encode(np.zeros((height, width), dtype=np.uint8))
    parts: list[Rle] = mask.frPyObjects(flat, height, width)
    if len(parts) == 1:
        return parts[0]
    ends = [np.cumsum(_runs(part["counts"]) or [])[:-1] for part in parts]  # where the pixels of a part change
    changes, times = np.unique(np.concatenate(ends), return_counts=True)
    counts = np.diff(changes[times % 2 == 1], prepend=0, append=width * height).astype(np.int64).tolist()
    rle: Rle = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return rle


def parts_overlap(polygon: Any) -> bool:
    """Check whether the rings of a polygon share pixels, for example because one is a hole in another."""
    rings = [ring for ring in rings_of(polygon) if len(ring) >= 3]
    points = np.concatenate([*rings, np.empty((0, 2))])
    if len(rings) < 2 or not np.isfinite(points).all():
        return False
    low = np.floor(points.min(axis=0))
    scale = min(1.0, _GRID / float((points.max(axis=0) - low).max() or 1))
    width, height = (np.ceil((points.max(axis=0) - low) * scale).astype(int) + 1).tolist()
    parts = [polygon_to_rle((ring - low) * scale, (width, height)) for ring in rings]
    ends = [np.cumsum(_runs(part["counts"]) or [0]) for part in parts]
    starts, stops = (np.concatenate([end[offset : len(end) - 1 + offset : 2] for end in ends]) for offset in (0, 1))
    order = np.argsort(starts, kind="stable")
    return bool((starts[order][1:] < stops[order][:-1]).any())


def union(polygon: Any, size: tuple[int, int]) -> Polygon | None:
    """Return the outline of all pixels in any ring of a polygon, in an image of ``size`` (width, height)."""
    from pycocotools import mask

    return rle_to_polygon(mask.merge([polygon_to_rle(ring, size) for ring in rings_of(polygon)]))


def _near(ring: FloatArray, size: FloatArray) -> FloatArray:
    """Clip a ring that reaches far beyond the image, because pycocotools needs memory for every pixel of its edges."""
    return clipped(ring + size, 3 * size) - size if np.abs(ring).max() > 10 * size.max() + 1000 else ring


def polygon_to_mask(polygon: Any, size: tuple[int, int]) -> Mask:
    """Rasterise a polygon to an array of 0 and 1, shape (height, width). ``size`` is (width, height)."""
    return decode(polygon_to_rle(polygon, size))


def masks_of(polygons: Sequence[Any], boxes: npt.ArrayLike, size: tuple[int, int]) -> Mask:
    """Rasterise polygons, (n, height, width). Where it is None, the mask is the box ``left, top, width, height``."""
    filled = np.zeros((len(polygons), size[1], size[0]), dtype=np.uint8)
    for number, (polygon, box) in enumerate(zip(polygons, np.asarray(boxes).tolist(), strict=True)):
        filled[number] = polygon_to_mask(box_polygon(box) if polygon is None else polygon, size)
    return filled


def encode(mask: npt.ArrayLike) -> Rle:
    """Encode a mask of shape (height, width) as a compressed RLE."""
    from pycocotools import mask as coco

    rle: Rle = coco.encode(np.asfortranarray(np.asarray(mask, dtype=bool).astype(np.uint8)))
    return rle


def decode(rle: Mapping[str, Any]) -> Mask:
    """Decode a compressed RLE to an array of 0 and 1, shape (height, width)."""
    runs = _runs(rle["counts"]) or []
    height, width = rle["size"]
    return np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs).reshape(width, height).T


def as_rle(raw_rle: object) -> Rle:
    """Check an RLE from a file and return it compressed. ValueError (or OutlineTooLongError) if it is not usable."""
    size = raw_rle.get("size") if isinstance(raw_rle, Mapping) else None
    if not isinstance(raw_rle, Mapping) or not isinstance(size, list | tuple) or len(size) != 2:
        raise ValueError("An RLE needs size: [height, width] and counts.")
    if not all(type(side) is int and side > 0 for side in size) or size[0] * size[1] > MOST_PIXELS:
        raise ValueError(f"The size {list(size)!r} of the mask is invalid.")
    runs = _checked_runs(raw_rle.get("counts"))
    if sum(runs) != size[0] * size[1]:
        raise ValueError(f"The counts of the mask add up to {sum(runs)}, not to its {size[0] * size[1]} pixels.")
    from pycocotools import mask

    rle: Rle = mask.frPyObjects({"size": list(size), "counts": runs}, *size)
    return rle


def _checked_runs(counts: object) -> list[int]:
    """Return the lengths of the runs, from a list or compressed. ValueError if they are invalid or too many."""
    if isinstance(counts, str | bytes | list) and len(counts) > MOST_EDGES * (1 if isinstance(counts, list) else 4):
        raise OutlineTooLongError(f"The mask has {len(counts):,} counts. Its outline would be too long.")
    runs = _runs(counts) if isinstance(counts, str | bytes) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("The counts of the mask are invalid.")
    return runs


def _runs(counts: str | bytes) -> list[int] | None:
    """Decompress counts, or return None if they are invalid.

    pycocotools does not check them, so wrong counts would let it read beyond the mask.
    """
    runs: list[int] = []
    value = shift = 0
    for byte in counts if isinstance(counts, bytes) else counts.encode("utf-8", "replace"):
        part = byte - 48
        if not 0 <= part < 64 or shift > 60:
            return None
        value |= (part & 31) << shift
        shift += 5
        if not part & 32:
            value -= (1 << shift) if part & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return None if shift else runs


def mask_to_polygon(mask: npt.ArrayLike) -> Polygon | None:
    """Return the outline of a mask along the edges of its pixels, or None if it is empty.

    Parts and holes become rings. Rasterised again, the polygon gives the same mask. OutlineTooLongError is raised if
    the outline has more than ``MOST_EDGES`` pixel edges.
    """
    filled = np.asarray(mask)
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    if not rows.size:
        return None
    corner = int(columns[0]) - 1, int(rows[0]) - 1  # x, y of the first corner of the cut-out with its margin
    filled = filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return polygon_of(ring + corner for ring in _traced(filled))


def polygon_of_mask(mask: Mask, rings: Sequence[Any]) -> Polygon | None:
    """Return ``rings`` as a polygon if they fill the same pixels as the mask, else the outline of the mask."""
    size = mask.shape[1], mask.shape[0]
    same = len(rings) > 0 and np.array_equal(polygon_to_mask(rings, size), mask)
    return polygon_of(rings) if same else mask_to_polygon(mask)


def row_runs(mask: npt.ArrayLike) -> list[int]:
    """Return the lengths of the runs of 0 and 1 in the rows of a mask, starting with 0."""
    flat = np.asarray(mask, dtype=bool).ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    runs: list[int] = np.diff(changes, prepend=0, append=len(flat)).tolist()
    return runs


def _edges(mask: npt.NDArray[Any]) -> list[set[int]]:
    """Return the corners from which an edge leads right, down, left and up, in the mask with a margin of one pixel.

    Few rows are compared at a time, as the arrays for this take several times the memory of the mask.
    """
    height, wide = mask.shape[0] + 2, mask.shape[1] + 2
    edges: list[set[int]] = [set(), set(), set(), set()]
    for start in range(1, height, _ROWS):
        stop = min(start + _ROWS, height)
        part = np.asarray(mask[max(start - 2, 0) : stop - 1], dtype=bool)  # with the row above
        filled = np.pad(part, ((int(start == 1), int(stop == height)), (1, 1)))
        above, before = np.roll(filled, 1, axis=0), np.roll(filled, 1, axis=1)
        starts = (
            filled & ~above, ~filled & before, np.roll(~filled & above, 1, axis=1), np.roll(filled & ~before, 1, axis=0)
        )  # fmt: skip
        if sum(map(len, edges)) + sum(np.count_nonzero(members[1:]) for members in starts) > MOST_EDGES:
            raise OutlineTooLongError(f"The outline of the mask has more than {MOST_EDGES:,} pixel edges.")
        for corners, members in zip(edges, starts, strict=True):
            corners.update((np.flatnonzero(members[1:]) + start * wide).tolist())
    return edges


def _traced(mask: npt.NDArray[Any]) -> list[FloatArray]:
    """Trace the edges between pixels, with the mask on the right, to rings of corners ``x, y``.

    The corners are those of the mask with a margin of one pixel. Where two pixels share only a corner, the ring turns
    right.
    """
    edges, wide = _edges(mask), mask.shape[1] + 2
    steps = (1, wide, -1, -wide)
    rings: list[FloatArray] = []
    waiting = dict.fromkeys(sorted(edges[0]))
    while waiting:
        first = corner = next(iter(waiting))
        direction, corners = 0, [first]
        while True:
            if direction == 0:
                del waiting[corner]
            corner += steps[direction]
            following = next(d for turn in (1, 0, 3) if corner in edges[d := (direction + turn) % 4])
            if (corner, following) == (first, 0):
                break
            if following != direction:
                corners.append(corner)
                direction = following
        places = np.array(corners, dtype=np.int64)
        rings.append(np.stack([places % wide, places // wide], axis=1).astype(np.float64))
    return rings


def rle_to_polygon(rle: Mapping[str, Any]) -> Polygon | None:
    """Return the outline of an RLE along the edges of its pixels, or None if it is empty."""
    return mask_to_polygon(decode(rle))


def boxes_of_masks(masks: Sequence[Rle]) -> FloatArray:
    """Return the bounding box ``left, top, width, height`` of each mask, shape (n, 4). Empty masks have no area."""
    from pycocotools import mask

    return np.asarray(mask.toBbox(list(masks)), dtype=np.float64).reshape(-1, 4)


def areas_of_masks(masks: Sequence[Rle]) -> FloatArray:
    """Count the pixels of each mask, shape (n,)."""
    from pycocotools import mask

    # pycocotools stores the number of masks in a byte, and fails from 256 on
    parts = [mask.area(list(masks[start : start + 255])) for start in range(0, len(masks), 255)]
    return np.concatenate([np.empty(0), *parts]).astype(np.float64)


def mask_iou(first: Sequence[Rle], second: Sequence[Rle], *, crowd: Sequence[bool] | None = None) -> FloatArray:
    """Compute the IoU of each pair of masks of one image, shape (len(first), len(second)).

    Where ``crowd`` is true for the second mask, it is the share of the first mask inside it.
    """
    from pycocotools import mask

    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)))
    crowds = [0] * len(second) if crowd is None else [int(flag) for flag in crowd]
    return np.asarray(mask.iou(list(first), list(second), crowds), dtype=np.float64)
