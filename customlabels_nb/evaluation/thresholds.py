"""Choose, validate and sweep confidence thresholds.

A prediction is accepted if its confidence is equal to or above the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb.core.decisions import ASSUMED
from customlabels_nb.errors import LabelError
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.outcomes import Outcomes, Steps

#: Threshold of a label that has no test images or predictions to choose one from.
FALLBACK_THRESHOLD = 0.5
#: Maximum number of points on a threshold curve.
MOST_POINTS = 1000

_RULES = "None, a dict by label, 'most confident', 'assumed' or 'cross-validated'"


def best_threshold(steps: Steps) -> float:
    """Find the threshold that maximises the F1 of one label, or return NaN if F1 is 0 everywhere.

    F1 is constant for all thresholds above one confidence and up to the next. Of the intervals with the highest F1, the
    widest is used (the highest one if tied), and its midpoint is returned. Its upper end would be the worst choice, as
    it would reject a new image whose prediction is only slightly less confident.
    """
    scores = steps.confidence
    f1 = 2 * steps.hits / (steps.accepted + steps.targets)
    if not f1.any():
        return float("nan")
    below = np.append(scores[1:], 0.0)
    width = np.where(f1 == f1.max(), scores - below, -1.0)
    best = int(width.argmax())
    middle = float((scores[best] + below[best]) / 2)
    return middle if middle > below[best] else float(scores[best])  # no float between two close neighbours


def assumed_thresholds(outcomes: Outcomes) -> FloatArray:
    """Choose the assumed threshold of each label, which maximises its F1, shape (k,).

    A label without test images or correct predictions gets the median of the others' thresholds, or 0.5.
    """
    result = np.array([best_threshold(outcomes.steps(position)) for position in range(len(outcomes.labels))])
    chosen = result[~np.isnan(result)]
    return np.where(np.isnan(result), np.median(chosen) if chosen.size else FALLBACK_THRESHOLD, result)


def resolve_thresholds(thresholds: float | Mapping[str, float] | str, outcomes: Outcomes) -> FloatArray:
    """Resolve the argument ``thresholds`` to one threshold per label, shape (k,).

    "assumed" uses the assumed thresholds, a number applies to all labels, and a mapping sets thresholds by label.
    Labels missing from the mapping use their assumed threshold.
    """
    if isinstance(thresholds, str) and thresholds == ASSUMED:
        return assumed_thresholds(outcomes)
    if not isinstance(thresholds, Mapping):
        return np.full(len(outcomes.labels), check_fraction("thresholds", thresholds, otherwise=_RULES))
    result = assumed_thresholds(outcomes)
    for label, value in thresholds.items():
        if label not in outcomes.labels:
            raise LabelError(
                f"thresholds contains the unknown label {label!r}. The labels are {list(outcomes.labels)!r}."
            )
        result[outcomes.labels.index(label)] = check_fraction(f"thresholds[{label!r}]", value)
    return result


def threshold_curve(steps: Steps) -> pd.DataFrame:
    """Compute the precision, recall and F1 of one label as functions of the threshold.

    Thresholds are 0, all distinct confidences and 1, ascending, or evenly spaced if there would be more than
    :data:`MOST_POINTS`. Between two of them, the metrics equal their values at the higher one. Precision is NaN if
    nothing is accepted.
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
    """Compute the table that :meth:`customlabels_nb.project.report.Report.precision_recall` returns."""
    return pd.DataFrame(
        {
            "recall": np.append(0.0, steps.hits / max(steps.targets, 1)),
            "precision": np.append(1.0, steps.hits / steps.accepted),
            "threshold": np.append(np.nan, steps.confidence),
        }
    )
