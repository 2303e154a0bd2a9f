"""Detector metrics: mean average recall, COCO mAP, and metrics by box size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customlabels_nb.core.geometry import BOX_SIZES
from customlabels_nb.core.tables import TEXT
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.coco_metrics import IOU_THRESHOLDS


def mean_average_precision(boxes: Boxes) -> float:
    """Compute the mean of each label's average precision over the labels with test images, 0 if there are none."""
    here = np.flatnonzero(boxes.in_test_set).tolist()
    return float(np.mean([boxes.average_precision(position) for position in here])) if here else 0.0


def mean_average_recall(boxes: Boxes) -> float:
    """Compute the mean of each label's highest recall over the labels that have test images, 0 if no label has any."""
    here = np.flatnonzero(boxes.in_test_set).tolist()
    return float(np.mean([boxes.highest_recall(position) for position in here])) if here else 0.0


def coco_map(boxes: Boxes) -> float:
    """Compute COCO mAP@[.5:.95] as in ``pycocotools.cocoeval``, over labels with test images, 0 if there are none."""
    here = np.flatnonzero(boxes.in_test_set).tolist()
    if not here:
        return 0.0
    every = [boxes.at_iou_threshold(iou_threshold) for iou_threshold in IOU_THRESHOLDS.tolist()]
    return float(np.mean([matched.average_precision(position) for matched in every for position in here]))


def by_box_size(boxes: Boxes, accepted: BoolArray) -> pd.DataFrame:
    """Compute the ``Report.by_box_size`` table. ``accepted``, shape (p,), is a mask of the accepted predictions."""
    k, edges = len(boxes.labels), list(BOX_SIZES.values())[1:]
    hit, wrong = np.flatnonzero(accepted & (boxes.match >= 0)), np.flatnonzero(accepted & (boxes.match < 0))
    missed = np.flatnonzero(boxes.missed(accepted))

    def counted(label: IntArray, area: FloatArray) -> IntArray:
        cell = label * len(BOX_SIZES) + np.digitize(area, edges)
        counts = np.bincount(cell, minlength=k * len(BOX_SIZES)).reshape(k, len(BOX_SIZES))
        return np.concatenate([counts.sum(axis=0, keepdims=True), counts]).ravel().astype(np.int64)

    truth_area, area = boxes.areas()
    tp = counted(boxes.label[hit], truth_area[boxes.match[hit]])
    fp = counted(boxes.label[wrong], area[wrong])
    fn = counted(boxes.truth_label[missed], truth_area[missed])
    table = pd.DataFrame(
        {
            "label": np.repeat(np.array([None, *boxes.labels], dtype=object), len(BOX_SIZES)),
            "size": [*BOX_SIZES] * (k + 1),
            "tp": tp,
            "fp": fp,
            "fn": fn,
            "precision": tp / np.maximum(tp + fp, 1),
            "recall": tp / np.maximum(tp + fn, 1),
        }
    )
    return table.astype({"label": TEXT, "size": TEXT})
