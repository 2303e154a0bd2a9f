"""Thresholds: the assumed one of each label, those that a caller gives, and the figures along all of them.

A confidence equal to or above a threshold counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.outcomes import Outcomes, Steps

#: The threshold of a label when there is nothing to choose it by.
FALLBACK_THRESHOLD = 0.5
#: Thresholds of a curve.
MOST_POINTS = 1000


def best_threshold(steps: Steps) -> float:
    """The confidence at which F1 of one label is highest; NaN where it is 0 at all of them.

    F1 is the same for every threshold above one score and up to the next: of the intervals with the highest
    F1 the widest is taken (of equally wide ones the highest), and its middle. The upper end itself would be
    the worst choice in it, as it loses the next image that is only slightly less certain.
    """
    scores = steps.confidence
    f1 = 2 * steps.hits / (steps.accepted + steps.targets)
    if not f1.any():
        return float("nan")
    below = np.append(scores[1:], 0.0)
    width = np.where(f1 == f1.max(), scores - below, -1.0)
    best = int(width.argmax())
    middle = float((scores[best] + below[best]) / 2)
    return middle if middle > below[best] else float(scores[best])  # neighbours too close for a number between


def assumed_thresholds(outcomes: Outcomes) -> FloatArray:
    """The assumed threshold of each label, shape (k,).

    A label that no test image has, or no prediction for an image that has it, gets the median of the others;
    0.5 if there are no others.
    """
    result = np.array([best_threshold(outcomes.steps(position)) for position in range(len(outcomes.labels))])
    chosen = result[~np.isnan(result)]
    return np.where(np.isnan(result), np.median(chosen) if chosen.size else FALLBACK_THRESHOLD, result)


def resolve_thresholds(thresholds: float | Mapping[str, float] | str | None, outcomes: Outcomes) -> FloatArray:
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
        return assumed_thresholds(outcomes)
    if not isinstance(thresholds, Mapping):
        return np.full(len(outcomes.labels), check_threshold(thresholds))
    result = assumed_thresholds(outcomes)
    for label, value in thresholds.items():
        if label not in outcomes.labels:
            raise LabelError(f"thresholds names {label!r}; the labels here are {list(outcomes.labels)!r}.")
        result[outcomes.labels.index(label)] = check_threshold(value)
    return result


def check_threshold(value: object) -> float:
    """``value`` as a threshold.

    Raises
    ------
    InputError
        If it is no number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(
            f"A threshold is a number from 0 to 1; got {value!r}. thresholds=None chooses them, and so does "
            "'cross-validated'."
        )
    number = float(value)
    if not 0 <= number <= 1:
        hint = " The API's MinConfidence is in percent: divide by 100." if 1 < number <= 100 else ""
        raise InputError(f"A threshold lies between 0 and 1; got {value!r}.{hint}")
    return number


def threshold_curve(steps: Steps) -> pd.DataFrame:
    """Precision, recall and F1 of one label along the threshold.

    Returns
    -------
    DataFrame
        Columns ``threshold`` (rising from 0 to 1), ``precision`` (null where nothing is accepted), ``recall``,
        ``f1``. The thresholds are 0, all distinct confidences and 1, or evenly spaced where there would be
        more than :data:`MOST_POINTS`. From one to the next, the figures are those of the next.
    """
    thresholds = np.unique(np.concatenate([[0.0, 1.0], steps.confidence]))
    if len(thresholds) > MOST_POINTS:
        thresholds = np.linspace(0.0, 1.0, MOST_POINTS)
    hits, taken = steps.reached(thresholds)
    with np.errstate(invalid="ignore"):
        precision = hits / np.where(taken, taken, np.nan)
    recall = hits / max(steps.targets, 1)
    f1 = 2 * hits / np.maximum(taken + steps.targets, 1)
    return pd.DataFrame({"threshold": thresholds, "precision": precision, "recall": recall, "f1": f1})


def precision_recall(steps: Steps) -> pd.DataFrame:
    """Return the table of :meth:`customlabels_nb.project.report.Report.precision_recall`."""
    return pd.DataFrame(
        {
            "recall": np.append(0.0, steps.hits / max(steps.targets, 1)),
            "precision": np.append(1.0, steps.hits / steps.accepted),
            "threshold": np.append(np.nan, steps.confidence),
        }
    )
