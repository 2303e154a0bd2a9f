"""Boxes of tables: the columns that contain them, and boxes in a single column such as ``bbox``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.geometry import FloatArray, centred_to_ltwh, xyxy_to_ltwh

CORNERS = ("xmin", "ymin", "xmax", "ymax")
#: Columns in which other programs write boxes, in various units and notations.
LIKE_BOXES = frozenset(
    f"{axis}{sign}{end}" for axis in "xywh" for sign in ("", "_") for end in ("", "0", "1", "2", "min", "max", "center")
) | {"cx", "cy", "right", "bottom", "bbox_x", "bbox_y", "bbox_width", "bbox_height", "bbox_w", "bbox_h"}

_ONE_COLUMN = re.compile(r"(?:(bbox(?:es)?)|box(?:es)?|bounding_?box(?:es)?|bndbox)(?:_(\w+))?", re.IGNORECASE)
_TO_LTWH: dict[str, Callable[[npt.ArrayLike], FloatArray]] = {
    **dict.fromkeys(("xywh", "ltwh", "coco"), lambda boxes: np.array(boxes, dtype=np.float64)),
    **dict.fromkeys(("xyxy", "ltrb", "voc", "pascal_voc"), xyxy_to_ltwh),
    **dict.fromkeys(("cxcywh", "yolo"), centred_to_ltwh),
}
_RATIO_AT_MOST = 1 + 1e-6


def notation_of(column: object) -> str | None:
    """Return the notation of the boxes in a column, such as "xywh", from its name.

    It is "" if the name states none, and None if the column does not contain boxes. ``bbox`` is COCO's left, top,
    width and height.
    """
    match = _ONE_COLUMN.fullmatch(column) if isinstance(column, str) else None
    if match is None or (match[2] and match[2].lower() not in _TO_LTWH):
        return None
    return (match[2] or ("xywh" if match[1] else "")).lower()


def unstated(column: str) -> str:
    """Return the message for a column of boxes whose name states no notation."""
    return (
        f"The column {column!r} has boxes, but its name does not state their notation. Rename it to 'bbox_xywh' (left, "
        "top, width, height), 'bbox_xyxy' (left, top, right, bottom) or 'bbox_cxcywh' (centre, width, height)."
    )


def numbers_of_box(value: object) -> list[float] | None:
    """Return the four finite numbers of a list or a text such as "[1, 2, 30, 40]", or None for anything else."""
    if isinstance(value, str):
        value = re.split(r"[\s,;]+", value.strip().strip("[]()").strip())
    try:
        numbers = [float(part) for part in value]  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if len(numbers) == 4 and all(map(math.isfinite, numbers)) else None


def to_ltwh(notation: str, boxes: npt.ArrayLike) -> FloatArray:
    """Convert boxes in a notation of :func:`notation_of` to ``left, top, width, height``, shape (n, 4)."""
    return _TO_LTWH[notation](boxes).reshape(-1, 4)


def look_like_boxes(columns: Iterable[Any]) -> list[str]:
    """Return the columns that are probably coordinates of boxes under names that are not read, or an empty list."""
    texts = [name for name in columns if isinstance(name, str)]
    alike = [name for name in texts if name.lower() in LIKE_BOXES]
    sizes = [name for name in texts if name.lower() in ("width", "height")]
    return [*alike, *sizes] if len(alike) >= 2 and len(alike) + len(sizes) >= 4 else []


def like_ratios(boxes: FloatArray) -> npt.NDArray[np.bool_]:
    """Return a mask of the boxes, shape (n, 4), whose values are all between 0 and 1, so that they may be ratios."""
    with np.errstate(invalid="ignore"):
        inside = (boxes >= 0) & (boxes <= _RATIO_AT_MOST)
    return np.logical_and(inside.all(axis=1), (boxes[:, 2:] > 0).all(axis=1))
