"""Figures per label, their means, and the 95 % intervals of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array, hstack

from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.bootstrap import RESAMPLES, middle_95, resampled_sums
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.detector_metrics import coco_map, mean_average_recall
from customlabels_nb.evaluation.outcomes import SINGLE_LABEL, Outcomes
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholded import Thresholded

#: Metrics that are means of counts, and so have an interval.
COUNTED = ("f1", "precision", "recall", "accuracy")
PER_LABEL_COLUMNS: dict[str, str] = {
    "label": "str",
    "f1": "float64",
    "precision": "float64",
    "recall": "float64",
    "threshold": "float64",
    "average_precision": "float64",
    "test_images": "int64",
    "tp": "int64",
    "fp": "int64",
    "fn": "int64",
    "undefined": "bool",
    "f1_low": "float64",
    "f1_high": "float64",
}


def ratios(tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision, recall and F1 of counts of any one shape; 0 where a ratio is 0/0."""
    right, extra, missed = (np.asarray(value, dtype=np.float64) for value in (tp, fp, fn))
    return (
        _divide(right, right + extra),
        _divide(right, right + missed),
        _divide(2 * right, 2 * right + extra + missed),
    )


def per_label_table(applied: Thresholded, intervals: Intervals | None = None) -> pd.DataFrame:
    """One row a label, in their order, with the columns of :data:`PER_LABEL_COLUMNS`.

    ``f1_low`` and ``f1_high`` are the ends of F1's 95 % interval; null without ``intervals``.

    ``undefined`` is true where precision, recall or F1 = 2PR/(P+R) is 0/0 and therefore shown as 0. That is so
    exactly where there is no true positive, among them every label that no test image has.
    """
    outcomes = applied.outcomes
    tp, fp, fn = applied.counts()
    precision, recall, f1 = ratios(tp, fp, fn)
    low, high = intervals.label_f1 if intervals else (np.nan, np.nan)
    table = {
        "label": list(outcomes.labels),
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "threshold": applied.thresholds,
        "average_precision": [outcomes.average_precision(position) for position in range(len(outcomes.labels))],
        "test_images": outcomes.test_images,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "undefined": tp == 0,
        "f1_low": low,
        "f1_high": high,
    }
    return pd.DataFrame(table).astype(PER_LABEL_COLUMNS)


def aggregate(per_label: pd.DataFrame) -> dict[str, float]:
    """Unweighted means over the labels that the test set has; 0 if it has none.

    Keys: ``f1``, ``precision``, ``recall``, ``mean_threshold``, ``mean_average_precision``.
    """
    here = per_label[per_label["test_images"] > 0]
    columns = {
        "f1": "f1",
        "precision": "precision",
        "recall": "recall",
        "mean_threshold": "threshold",
        "mean_average_precision": "average_precision",
    }
    return {metric: float(here[column].mean()) if len(here) else 0.0 for metric, column in columns.items()}


def accuracy(scores: Scores) -> float:
    """Share of the labelled test images whose most confident label is theirs (single-label); 0 if there are none."""
    true, predicted = scores.true_label, scores.predicted_label
    right = (predicted == true)[true >= 0]
    return float(right.mean()) if right.size else 0.0


def log_loss(scores: Scores) -> float:
    """Mean negative logarithm of the confidence given to what is true.

    Single-label: of the image's own label, over the labelled images. Multi-label: of each label's presence or
    absence, over all pairs. A confidence of exactly 0 or 1 counts as the nearest number that has a logarithm; 0 where
    no image has a label.
    """
    tiny = np.finfo(np.float64).eps
    confidence = np.clip(scores.confidence, tiny, 1 - tiny)
    if scores.task == SINGLE_LABEL:
        return float(-np.log(confidence[scores.truth]).mean()) if scores.truth.any() else 0.0
    return float(-np.log(np.where(scores.truth, confidence, 1 - confidence)).mean())


@dataclass(frozen=True)
class Intervals:
    """95 % intervals, each the ends ``(low, high)``; NaN where nothing can be said.

    Attributes
    ----------
    figures : dict
        Of ``f1``, ``precision``, ``recall`` and, single-label, ``accuracy``.
    label_f1 : tuple of two float64 ndarrays of shape (k,)
        Of each label's F1.
    """

    metrics: dict[str, tuple[float, float]]
    label_f1: tuple[FloatArray, FloatArray]


def bootstrap_intervals(applied: Thresholded, *, random_state: int = 0, resamples: int = RESAMPLES) -> Intervals:
    """What the figures would be with other test images of the same sort.

    The images are drawn anew with replacement, the thresholds held, and each figure's 2.5 % and 97.5 %
    percentiles taken. As in the figures themselves, labels that a resample doesn't have don't count in it.
    """
    outcomes, k = applied.outcomes, len(applied.outcomes.labels)
    single = outcomes.task == SINGLE_LABEL
    rows = counted_rows(applied) if single else applied.image_counts()
    sums = resampled_sums(rows, resamples=resamples, random_state=random_state)
    metrics, label_f1 = (
        np.concatenate(parts) for parts in zip(*(resampled_metrics(one, k) for one in sums), strict=True)
    )
    low, high = (ends.tolist() for ends in middle_95(metrics))
    names = COUNTED if single else COUNTED[:-1]
    return Intervals({name: (low[at], high[at]) for at, name in enumerate(names)}, middle_95(label_f1))


def counted_rows(applied: Thresholded) -> csr_array:
    """Return what is counted on each image, shape (n, 3 k + 2).

    True positives, false positives and misses of each label, then whether its most confident label is right, and
    whether it has one (single-label; 0 otherwise).
    """
    outcomes = applied.outcomes
    right = np.zeros((len(outcomes.images), 2), dtype=np.int64)
    if isinstance(outcomes, Scores) and outcomes.task == SINGLE_LABEL:
        true = outcomes.true_label
        right = np.stack([(outcomes.predicted_label == true) & (true >= 0), true >= 0], axis=1).astype(np.int64)
    return hstack([applied.image_counts(), csr_array(right)], format="csr")


def resampled_metrics(sums: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return the metrics of resamples, from their sums of counted rows.

    Parameters
    ----------
    sums : ndarray of float64, shape (m, 3 k + 2), or (m, 3 k) without what the accuracy is counted by

    Returns
    -------
    metrics : ndarray of float64, shape (m, 4)
        In the order of :data:`COUNTED`; NaN where nothing can be said.
    label_f1 : ndarray of float64, shape (m, k)
    """
    tp, fp, fn, right = sums[:, :k], sums[:, k : 2 * k], sums[:, 2 * k : 3 * k], sums[:, 3 * k :]
    here = (tp + fn) > 0
    precision, recall, f1 = ratios(tp, fp, fn)
    means = [_divide((each * here).sum(axis=1), here.sum(axis=1), empty=np.nan) for each in (f1, precision, recall)]
    accuracy = _divide(right[:, 0], right[:, 1], empty=np.nan) if right.shape[1] else np.full(len(sums), np.nan)
    return np.stack([*means, accuracy], axis=1), np.where(here, f1, np.nan)


def overall_metrics(outcomes: Outcomes, per_label: pd.DataFrame) -> dict[str, float]:
    """The figures of the summary by name: :func:`aggregate`, and what only one task has."""
    values = aggregate(per_label)
    if isinstance(outcomes, Scores) and outcomes.task == SINGLE_LABEL:
        values["accuracy"] = accuracy(outcomes)
    if isinstance(outcomes, Boxes):
        values |= {"mean_average_recall": mean_average_recall(outcomes), "coco_map": coco_map(outcomes)}
    return values


def summary_table(outcomes: Outcomes, per_label: pd.DataFrame, intervals: Intervals) -> pd.DataFrame:
    """One row a figure: ``figure``, ``value``, and the ends ``low``, ``high`` of its interval (null without one)."""
    values = overall_metrics(outcomes, per_label)
    values |= {"test_images": float(len(outcomes.images)), "labels": float(len(outcomes.labels))}
    rows = [(metric, value, *intervals.metrics.get(metric, (np.nan, np.nan))) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["figure", "value", "low", "high"]).astype({"figure": "str"})


def _divide(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic], *, empty: float = 0.0) -> FloatArray:
    result = np.full(np.shape(below), empty, dtype=np.float64)
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result
