"""Combine the detections in two views of an image.

The boxes of one object are averaged, weighted by their confidences, after Solovyev et al., "Weighted boxes fusion"
(2021).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.geometry import iou
from customlabels_nb.models.detector_shape import MOST_BOXES

IntArray = npt.NDArray[np.int64]

if TYPE_CHECKING:
    from customlabels_nb.models.detector import DetectedBoxes

#: IoU from which two boxes with the same label show the same object.
SAME_OBJECT_IOU = 0.6


def fuse_boxes(first: DetectedBoxes, second: DetectedBoxes) -> DetectedBoxes:
    """Fuse the detections in two views of an image, both in pixels of the image.

    A box is fused with at most one box of the other view. Confidences are averaged, where an object that a view lacks
    counts as 0. A fused box has the mask of the more confident one. The result has at most
    :data:`customlabels_nb.models.detector_shape.MOST_BOXES` boxes, the most confident ones, as that of one view.
    """
    boxes = np.concatenate([first.boxes, second.boxes])
    confidences = np.concatenate([first.confidences, second.confidences]) / 2
    from_first, other = _pairs(first, second)
    stronger = confidences[from_first] >= confidences[other]
    kept, left_out = np.where(stronger, (from_first, other), (other, from_first))
    confidences[kept] += confidences[left_out]
    share = np.divide(confidences[left_out], confidences[kept], out=np.zeros(len(kept)), where=confidences[kept] > 0)
    boxes[kept] += share[:, None] * (boxes[left_out] - boxes[kept])
    rows = np.setdiff1d(np.arange(len(boxes)), left_out)
    rows = rows[np.argsort(-confidences[rows], kind="stable")][:MOST_BOXES]
    masks = first.masks
    if masks is not None and second.masks is not None:
        masks = replace(
            masks,
            inside=np.concatenate([masks.inside, second.masks.inside])[rows],
            regions=np.concatenate([masks.regions, second.masks.regions])[rows],
        )
    labels = np.concatenate([first.labels, second.labels])
    return replace(first, boxes=boxes[rows], labels=labels[rows], confidences=confidences[rows], masks=masks)


def _pairs(first: DetectedBoxes, second: DetectedBoxes) -> tuple[IntArray, IntArray]:
    """Pair boxes of both views, the most confident pairs first, and return their rows in the joined views."""
    same = first.labels[:, None] == second.labels
    rows, columns = np.nonzero(same & (iou(first.boxes, second.boxes) >= SAME_OBJECT_IOU))
    taken: dict[int, int] = {}
    for position in np.argsort(-first.confidences[rows] - second.confidences[columns], kind="stable").tolist():
        row, column = int(rows[position]), len(first.labels) + int(columns[position])
        if row not in taken and column not in taken:
            taken |= {row: column, column: row}
    from_first = [row for row in taken if row < len(first.labels)]
    return np.array(from_first, dtype=np.int64), np.array([taken[row] for row in from_first], dtype=np.int64)
