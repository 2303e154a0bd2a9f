"""Answers in the form of the service's API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from customlabels_nb.core.geometry import FloatArray, ltwh_to_ratios


def api_entries(
    labels: Iterable[str], confidences: Iterable[float], boxes: FloatArray, size: tuple[int, int] | None
) -> list[dict[str, Any]]:
    """What the API calls ``CustomLabels``: confidences in percent, boxes as shares of the image.

    Parameters
    ----------
    labels, confidences
        Names, and confidences in 0..1.
    boxes : ndarray of float64, shape (n, 4)
        ``left, top, width, height`` in pixels of the upright image; NaN where the label is the whole image's.
    size : tuple of int, optional
        Width and height of the upright image; may be None only if no label has a box.
    """
    ratios = boxes if size is None else ltwh_to_ratios(boxes, size)
    found = []
    for label, confidence, box in zip(labels, confidences, ratios, strict=True):
        entry: dict[str, Any] = {"Name": label, "Confidence": float(confidence) * 100}
        if not np.isnan(box).any():
            left, top, width, height = box.tolist()
            entry["Geometry"] = {"BoundingBox": {"Width": width, "Height": height, "Left": left, "Top": top}}
        found.append(entry)
    return found
