"""COCO average precision and its parameters: recall points, maximum number of detections, and IoU thresholds.

The values are the defaults of ``pycocotools.cocoeval.Params`` for boxes and masks.
"""

from __future__ import annotations

import numpy as np

from customlabels_nb.evaluation.arrays import BoolArray

#: Maximum number of predictions per label and image that count towards average precision and highest recall.
MOST_PREDICTIONS = 100

#: Recall values at which precision is sampled.
RECALL_POINTS = np.linspace(0.0, 1.0, 101)

#: IoU thresholds over which COCO's mean average precision is averaged.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)


def interpolated_precision(hit: BoolArray, targets: int) -> float:
    """Compute COCO average precision from predictions sorted by descending confidence, 0 if there are no targets."""
    if not targets:
        return 0.0
    hits = np.flatnonzero(hit)  # between two hits, recall is constant and precision decreases
    right = np.arange(1, len(hits) + 1)
    precision = np.append(np.maximum.accumulate((right / (hits + 1))[::-1])[::-1], 0.0)
    return float(precision[np.searchsorted(right / targets, RECALL_POINTS, side="left")].mean())
