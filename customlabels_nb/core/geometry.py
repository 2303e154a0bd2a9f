"""Convert bounding boxes between notations, and compute intersection over union (IoU).

Inside the package a box is ``left, top, width, height`` in pixels of the EXIF-oriented image. All functions take and
return float arrays of shape ``(n, 4)``. ``size`` is always ``(width, height)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.polygons import box_polygon, rings_of

FloatArray = npt.NDArray[np.float64]

#: COCO box sizes, and the area in square pixels at which each begins.
BOX_SIZES = {"small": 0.0, "medium": 32.0**2, "large": 96.0**2}


def _as_boxes(boxes: npt.ArrayLike) -> FloatArray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def ltwh_to_xyxy(boxes: npt.ArrayLike) -> FloatArray:
    """Convert ``left, top, width, height`` boxes to corners ``x0, y0, x1, y1`` (as in torchvision), shape (n, 4)."""
    result = _as_boxes(boxes).copy()
    result[:, 2:] += result[:, :2]
    return result


def xyxy_to_ltwh(boxes: npt.ArrayLike) -> FloatArray:
    """Convert boxes from corners ``x0, y0, x1, y1`` to ``left, top, width, height``, shape (n, 4)."""
    result = _as_boxes(boxes).copy()
    result[:, 2:] -= result[:, :2]
    return result


def ltwh_to_ratios(boxes: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """Convert boxes in pixels to fractions of the image ``size`` (width, height), as in Rekognition's API.

    ``size`` has shape (2,) if all boxes are in images of the same size, otherwise shape (n, 2).
    """
    return _as_boxes(boxes) / np.tile(np.asarray(size, dtype=np.float64), 2)


def ratios_to_ltwh(boxes: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """Convert boxes from fractions of the image ``size`` to pixels, the inverse of :func:`ltwh_to_ratios`."""
    return _as_boxes(boxes) * np.tile(np.asarray(size, dtype=np.float64), 2)


def centred_to_ltwh(boxes: npt.ArrayLike) -> FloatArray:
    """Convert boxes from centres ``x, y, width, height`` to ``left, top, width, height``, shape (n, 4)."""
    result = _as_boxes(boxes).copy()
    result[:, :2] -= result[:, 2:] / 2
    return result


def clip_ltwh(boxes: npt.ArrayLike, size: tuple[int, int]) -> FloatArray:
    """Clip boxes to an image of ``size`` (width, height). A box outside the image gets width or height 0."""
    width, height = size
    corners = ltwh_to_xyxy(boxes)
    corners[:, 0::2] = np.clip(corners[:, 0::2], 0, width)
    corners[:, 1::2] = np.clip(corners[:, 1::2], 0, height)
    return xyxy_to_ltwh(corners)


def polygon_to_ltwh(polygon: Any) -> FloatArray:
    """Return the bounding box, shape (4,), of a polygon, a list of points ``x, y`` or of rings in pixels."""
    points = np.concatenate(rings_of(polygon))
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low])


def rotate_box(box: Sequence[float], degrees: float, around: Sequence[float]) -> FloatArray:
    """Return the corners, shape (4, 2), of a ``left, top, width, height`` box rotated clockwise around a point x, y."""
    x, y = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pivot = np.asarray(around, dtype=np.float64)
    corners: FloatArray = (np.asarray(box_polygon(box)) - pivot) @ np.array([[x, y], [-y, x]]) + pivot
    return corners


def shared_areas(first: FloatArray, second: FloatArray) -> FloatArray:
    """Compute the intersection area of each pair of rectangles ``x0, y0, x1, y1``, shape (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2), dtype=np.float64)


def iou(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Compute the IoU of each pair of ``left, top, width, height`` boxes, 0 where the union has no area."""
    a, b = ltwh_to_xyxy(first), ltwh_to_xyxy(second)
    shared = shared_areas(a, b)
    area_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    area_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    union = area_a[:, None] + area_b[None, :] - shared
    result: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def iou_of_pairs(first: npt.ArrayLike, second: npt.ArrayLike, *, crowd: npt.ArrayLike = False) -> FloatArray:
    """Compute the intersection over union of corresponding ``left, top, width, height`` boxes of two arrays.

    The arithmetic follows pycocotools' ``bbIou`` operation by operation, so that both return identical values. Where
    ``crowd`` is True, the result is the share of the first box's area inside the second one.
    """
    (left, top, width, height), (to_left, to_top, to_width, to_height) = _as_boxes(first).T, _as_boxes(second).T
    across = np.minimum(width + left, to_width + to_left) - np.maximum(left, to_left)
    down = np.minimum(height + top, to_height + to_top) - np.maximum(top, to_top)
    shared, area = across * down, width * height
    whole = np.where(crowd, area, area + to_width * to_height - shared)
    shares = (across > 0) & (down > 0) & (whole > 0)
    result: FloatArray = np.divide(shared, whole, out=np.zeros_like(shared), where=shares)
    return result
