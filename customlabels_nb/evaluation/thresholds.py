"""Thresholds: the assumed one of each label, those that a caller gives, and the figures along all of them.

A confidence equal to or above a threshold counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation.scores import BoolArray, FloatArray, IntArray, Scores

#: The threshold of a label when there is nothing to choose it by.
FALLBACK_THRESHOLD = 0.5


def score_steps(truth: BoolArray, confidence: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """What is accepted at each distinct confidence of one label.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
    confidence : ndarray of float64, shape (n,)

    Returns
    -------
    scores : ndarray of float64, shape (s,)
        The distinct confidences, highest first.
    true_positives, accepted : ndarray of int64, shape (s,)
        How many rows with truth, and how many rows at all, have that confidence or a higher one.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    last = np.flatnonzero(
        np.append(ordered[1:] != ordered[:-1], [True] * (ordered.size > 0))
    )  # of each run of equal confidences
    return ordered[last], np.cumsum(truth[order], dtype=np.int64)[last], last.astype(np.int64) + 1


def best_threshold(truth: BoolArray, confidence: FloatArray, given: BoolArray | None = None) -> float:
    """The confidence at which F1 of one label is highest; NaN where it is 0 at all of them.

    F1 is the same for every threshold above one score and up to the next: of the intervals with the highest
    F1 the widest is taken (of equally wide ones the highest), and its middle. The upper end itself would be
    the worst choice in it, as it loses the next image that is only slightly less certain. All shapes are (n,);
    rows that aren't ``given`` are never accepted.
    """
    chosen = slice(None) if given is None else given
    scores, true_positives, accepted = score_steps(truth[chosen], confidence[chosen])
    f1 = 2 * true_positives / (accepted + truth.sum())
    if not f1.any():
        return float("nan")
    below = np.append(scores[1:], 0.0)
    width = np.where(f1 == f1.max(), scores - below, -1.0)
    best = int(width.argmax())
    middle = float((scores[best] + below[best]) / 2)
    return middle if middle > below[best] else float(scores[best])  # neighbours too close for a number between


def assumed_thresholds(scores: Scores) -> FloatArray:
    """The assumed threshold of each label, shape (k,).

    A label that no test image has, or no prediction for an image that has it, gets the median of the others;
    0.5 if there are no others.
    """
    result = np.array([best_threshold(*scores.column(position)) for position in range(len(scores.labels))])
    chosen = result[~np.isnan(result)]
    return np.where(np.isnan(result), np.median(chosen) if chosen.size else FALLBACK_THRESHOLD, result)


def resolve_thresholds(thresholds: float | Mapping[str, float] | None, scores: Scores) -> FloatArray:
    """The threshold of each label, shape (k,): assumed for None, one for all for a number, or by label.

    Labels that a mapping doesn't name keep their assumed threshold.

    Raises
    ------
    InputError
        If a threshold is no number from 0 to 1.
    LabelError
        If a mapping names a label that isn't here.
    """
    if thresholds is None:
        return assumed_thresholds(scores)
    if not isinstance(thresholds, Mapping):
        return np.full(len(scores.labels), check_threshold(thresholds))
    result = assumed_thresholds(scores)
    for label, value in thresholds.items():
        if label not in scores.labels:
            raise LabelError(f"thresholds names {label!r}; the labels here are {list(scores.labels)!r}.")
        result[scores.labels.index(label)] = check_threshold(value)
    return result


def check_threshold(value: object) -> float:
    """``value`` as a threshold.

    Raises
    ------
    InputError
        If it is no number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"A threshold is a number from 0 to 1 (thresholds=None chooses them); got {value!r}.")
    number = float(value)
    if not 0 <= number <= 1:
        hint = " The API's MinConfidence is in percent: divide by 100." if 1 < number <= 100 else ""
        raise InputError(f"A threshold lies between 0 and 1; got {value!r}.{hint}")
    return number


def threshold_curve(
    truth: BoolArray, confidence: FloatArray, given: BoolArray | None = None, *, points: int = 1000
) -> pd.DataFrame:
    """Precision, recall and F1 of one label along the threshold.

    Returns
    -------
    DataFrame
        Columns ``threshold`` (rising from 0 to 1), ``precision`` (null where nothing is accepted), ``recall``,
        ``f1``. The thresholds are 0, all distinct confidences and 1, or evenly spaced where there would be
        more than ``points``. From one to the next, the figures are those of the next.
    """
    chosen = slice(None) if given is None else given
    scores, true_positives, accepted = score_steps(truth[chosen], confidence[chosen])
    thresholds = np.unique(np.concatenate([[0.0, 1.0], scores]))
    if len(thresholds) > points:
        thresholds = np.linspace(0.0, 1.0, points)
    reached = np.searchsorted(-scores, -thresholds, side="right")  # distinct confidences >= threshold
    hits = np.append(0, true_positives)[reached]
    taken = np.append(0, accepted)[reached]
    positives = int(truth.sum())
    with np.errstate(invalid="ignore"):
        precision = hits / np.where(taken, taken, np.nan)
    recall = hits / max(positives, 1)
    f1 = 2 * hits / np.maximum(taken + positives, 1)
    return pd.DataFrame({"threshold": thresholds, "precision": precision, "recall": recall, "f1": f1})
