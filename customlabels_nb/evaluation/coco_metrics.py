"""COCO's definitions: where precision is read off, how many predictions count, which IoU thresholds are averaged.

They are those of ``pycocotools.cocoeval.Params`` for boxes.
"""

from __future__ import annotations

import numpy as np

from customlabels_nb.evaluation.arrays import BoolArray

#: At most so many predictions of a label in an image count for average precision and highest recall.
MOST_PREDICTIONS = 100

#: The recalls at which precision is read off.
RECALL_POINTS = np.linspace(0.0, 1.0, 101)

#: The IoU thresholds over which COCO's mean average precision is averaged.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)


def interpolated_precision(hit: BoolArray, targets: int) -> float:
    """COCO's average precision of predictions in order, the most confident first; 0 without targets.

    Parameters
    ----------
    hit : ndarray of bool, shape (m,)
        Whether each is right.
    targets : int
        How many there are to be found.
    """
    if not targets:
        return 0.0
    hits = np.flatnonzero(hit)  # between them recall stays and precision only falls
    right = np.arange(1, len(hits) + 1)
    precision = np.append(np.maximum.accumulate((right / (hits + 1))[::-1])[::-1], 0.0)
    return float(precision[np.searchsorted(right / targets, RECALL_POINTS, side="left")].mean())
