"""An evaluation as a few plain arrays, from which a page computes every number at any position of the sliders.

What a page gets is what it needs and no more: of a classifier the matrices, of a detector the boxes and the pairs that
may match, in the order in which they are matched (:mod:`customlabels_nb.evaluation.matching`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.cross_validation import CROSS_VALIDATED
from customlabels_nb.evaluation.exploring.exploration import Exploration
from customlabels_nb.evaluation.exploring.position import LEAST_IOU, Position
from customlabels_nb.evaluation.matching import WHOLE, find_candidates
from customlabels_nb.evaluation.outcomes import SINGLE_LABEL
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholds import FALLBACK_THRESHOLD, assumed_thresholds

Arrays = dict[str, np.ndarray[Any, Any]]


def pack(exploration: Exploration) -> tuple[dict[str, Any], Arrays]:
    """What a page computes from: plain values as JSON takes them, and arrays of little-endian numbers by name."""
    outcomes = exploration.evaluation.outcomes
    arrays: Arrays = {"rank": exploration.ranks.astype(np.int32), **_folds(exploration)}
    facts: dict[str, Any] = {
        "task": outcomes.task,
        "images": exploration.names,
        "labels": [{"label": n, "colour": c} for n, c in zip(outcomes.labels, outcomes.colours, strict=True)],
        "cells": list(exploration.evaluation.confusion_matrix.labels),
        "targets": outcomes.targets.tolist(),
        "test_images": outcomes.test_images.tolist(),
        "bare": int(outcomes.bare.sum()),
        "overlap": None,
        "least_overlap": LEAST_IOU,
        "whole": WHOLE,
        "fallback": FALLBACK_THRESHOLD,
    }
    places: list[np.ndarray[Any, Any]] = []
    facts["slices"] = []
    at = 0
    for column, parts in exploration.slices.items():
        values = []
        for name, positions in parts.items():
            places.append(positions)
            values.append({"name": name, "start": at, "count": len(positions)})
            at += len(positions)
        facts["slices"].append({"column": column, "values": values})
    arrays["slices"] = np.concatenate([*places, np.empty(0)]).astype(np.int32)
    facts["groups"] = {name: np.flatnonzero(mask).tolist() for name, mask in exploration.compared.items()}
    if isinstance(outcomes, Scores):
        arrays |= _scores(outcomes)
        facts["assumed"] = assumed_thresholds(outcomes).tolist()
    elif isinstance(outcomes, Boxes):
        arrays |= _boxes(outcomes)
        facts["overlap"] = outcomes.iou_threshold
    return facts, arrays


def _folds(exploration: Exploration) -> Arrays:
    """The fold of each image, and a classifier's thresholds in each; nothing where there is only one image.

    A detector's follow the IoU threshold, so that the page chooses them.
    """
    if not exploration.folds:
        return {}
    outcomes = exploration.evaluation.outcomes
    fold = np.zeros(len(outcomes.images), dtype=np.uint8)
    for number, images in enumerate(exploration.folds):
        fold[images] = number
    if not isinstance(outcomes, Scores):
        return {"fold": fold}
    applied = Position(CROSS_VALIDATED).applied(outcomes, exploration.folds)
    return {"fold": fold, "fold_thresholds": np.stack([at for _, at in applied.folds])}


def _scores(scores: Scores) -> Arrays:
    found: Arrays = {"confidence": scores.confidence.ravel(), "truth": scores.truth.ravel().astype(np.uint8)}
    if not scores.given.all():
        found["given"] = scores.given.ravel().astype(np.uint8)
    if scores.task == SINGLE_LABEL:
        found["true_label"] = scores.true_label.astype(np.int32)
        found["predicted_label"] = scores.predicted_label.astype(np.int32)
    return found


def _boxes(boxes: Boxes) -> Arrays:
    own = np.flatnonzero(boxes.candidates.iou >= min(LEAST_IOU, boxes.iou_threshold))
    order = np.lexsort((-boxes.confidence, boxes.image))  # of an image, whatever the label
    real = np.flatnonzero(~boxes.truth_crowd)
    every = find_candidates(
        boxes.image[order],
        boxes.box[order],
        boxes.truth_image[real],
        boxes.truth_box[real],
        np.zeros(len(real), dtype=bool),
    )
    near = np.flatnonzero(every.iou >= min(LEAST_IOU, boxes.iou_threshold))
    by_label = np.concatenate([boxes.of_label(position) for position in range(len(boxes.labels))])
    return {
        "truth_image": boxes.truth_image.astype(np.int32),
        "truth_label": boxes.truth_label.astype(np.int32),
        "truth_crowd": boxes.truth_crowd.astype(np.uint8),
        "truth_box": boxes.truth_box.astype(np.float32).ravel(),
        "image": boxes.image.astype(np.int32),
        "label": boxes.label.astype(np.int32),
        "confidence": boxes.confidence,
        "box": boxes.box.astype(np.float32).ravel(),
        "on_crowd": boxes.candidates.on_crowd,
        "by_label": by_label.astype(np.int32),
        "pair_prediction": boxes.candidates.prediction[own].astype(np.int32),
        "pair_truth": boxes.candidates.truth[own].astype(np.int32),
        "pair_iou": boxes.candidates.iou[own],
        # the same over all labels: predictions in the order in which they ask
        "other_prediction": order[every.prediction[near]].astype(np.int32),
        "other_truth": real[every.truth[near]].astype(np.int32),
        "other_iou": every.iou[near],
    }


def as_buffers(arrays: Arrays) -> tuple[list[list[str]], list[bytes]]:
    """Name and type of each array, and their bytes."""
    little = {name: np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    return [[name, array.dtype.name] for name, array in little.items()], [array.tobytes() for array in little.values()]
