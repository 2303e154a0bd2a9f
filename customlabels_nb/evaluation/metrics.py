"""Metrics per label, their averages over the labels, and bootstrap 95% confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array, hstack

from customlabels_nb.core.tables import SINGLE_LABEL, TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.bootstrap import RESAMPLES, middle_95, resampled_sums
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.detector_metrics import coco_map, mean_average_recall
from customlabels_nb.evaluation.roc import roc_area
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholded import Thresholded

#: Metrics that are computed from counts, and therefore have a confidence interval.
COUNTED = ("f1", "precision", "recall", "accuracy")

#: Metrics that not all tasks have, and the models that have them.
_ONLY_FOR = {
    **dict.fromkeys(("mean_average_recall", "coco_map"), "detectors"),
    "roc_auc": "classifiers",
    **dict.fromkeys(("accuracy", "kappa", "mcc"), "single-label models"),
}
#: Names of metrics elsewhere that do not resemble the names here.
_ALSO_NAMED = {
    "map": "mean_average_precision", "map50": "mean_average_precision", "mar": "mean_average_recall",
    "map50_95": "coco_map", "auc": "roc_auc", "auroc": "roc_auc", "matthews_corrcoef": "mcc",
}  # fmt: skip


def ratios(tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute precision, recall and F1 from counts of equal shape. A ratio of 0/0 is 0."""
    right, extra, missed = (np.asarray(value, dtype=np.float64) for value in (tp, fp, fn))
    return (
        _divide(right, right + extra),
        _divide(right, right + missed),
        _divide(2 * right, 2 * right + extra + missed),
    )


def mean_f1(counts: npt.NDArray[np.int64]) -> float:
    """Compute the mean F1 of the labels with targets from true and false positives and false negatives, (3, k)."""
    tested = counts[0] + counts[2] > 0
    return float(ratios(*counts)[2][tested].mean()) if tested.any() else 0.0


def per_label_table(applied: Thresholded, intervals: Intervals | None = None) -> pd.DataFrame:
    """Build the table of metrics per label.

    ``f1_low`` and ``f1_high`` bound the 95% confidence interval of F1 (NaN unless ``intervals`` is given).

    ``undefined`` is true if precision, recall or F1 = 2PR/(P+R) is 0/0 and therefore shown as 0. This happens if and
    only if there are no true positives, as for any label without test images.
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
        "support": outcomes.targets,
        "test_images": outcomes.test_images,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "undefined": tp == 0,
        "f1_low": low,
        "f1_high": high,
    }
    if isinstance(outcomes, Scores):
        table["roc_auc"] = [roc_area(outcomes, position) for position in range(len(outcomes.labels))]
    return pd.DataFrame(table).astype({"label": TEXT})


def aggregate(per_label: pd.DataFrame) -> dict[str, float]:
    """Compute averages of the metrics over the labels that have test images, or 0 if no label has any.

    They are macro averages, except for ``micro_…``, of the summed counts, and ``weighted_…``, weighted by support.
    """
    here = per_label[per_label["test_images"] > 0]
    columns = {"mean_threshold": "threshold", "mean_average_precision": "average_precision"}
    means = {name: float(here[columns.get(name, name)].mean()) for name in (*COUNTED[:3], *columns)}
    precision, recall, f1 = (float(ratio) for ratio in ratios(*(here[name].sum() for name in ("tp", "fp", "fn"))))
    micro = {"micro_f1": f1, "micro_precision": precision, "micro_recall": recall}
    weights = here["support"] / here["support"].sum()
    weighted = {f"weighted_{name}": float((here[name] * weights).sum()) for name in COUNTED[:3]}
    values = means | micro | weighted
    if not len(here):
        values = dict.fromkeys(values, 0.0)
    return values | ({"mean_threshold": np.nan} if per_label["threshold"].isna().all() else {})


def agreement(applied: Thresholded) -> dict[str, float]:
    """Compute accuracy, Cohen's kappa and Matthews' correlation of the true labels and answers as scikit-learn does.

    The answer for an image is its most confident accepted label. No answer is a class of its own, and images without a
    true label are left out. Accuracy is 0 without labelled images, kappa is NaN if there is only one class, and
    Matthews' correlation is 0 if it is undefined.
    """
    scores = applied.outcomes
    assert isinstance(scores, Scores)
    labelled = scores.true_label >= 0
    true, answer = scores.true_label[labelled], applied.answer()[labelled]
    width = len(scores.labels) + 1  # with no answer, -1
    truths, answers = (np.bincount(each % width, minlength=width).astype(np.float64) for each in (true, answer))
    square, chance = float(true.size) ** 2, truths @ answers
    right = (true == answer).sum()
    above_chance = right * true.size - chance
    spread = np.sqrt((square - truths @ truths) * (square - answers @ answers))
    return {
        "accuracy": float(right / max(true.size, 1)),
        "kappa": float(above_chance / (square - chance)) if square > chance else np.nan,
        "mcc": float(above_chance / spread) if spread else 0.0,
    }


def log_loss(scores: Scores) -> float:
    """Compute the mean negative log-likelihood of the ground truth.

    Single-label: the mean of the negative log confidence in the true label, over the labelled images, or 0 if no image
    has a label. Multi-label: the mean binary cross-entropy over all image/label pairs. Confidences of exactly 0 or 1
    are clipped to the nearest number with a finite logarithm.
    """
    tiny = np.finfo(np.float64).eps
    confidence = np.clip(scores.confidence, tiny, 1 - tiny)
    if scores.task == SINGLE_LABEL:
        return float(-np.log(confidence[scores.truth]).mean()) if scores.truth.any() else 0.0
    return float(-np.log(np.where(scores.truth, confidence, 1 - confidence)).mean())


@dataclass(frozen=True)
class Intervals:
    """95% confidence intervals ``(low, high)`` of metrics by name and of each label's F1, NaN if undefined."""

    metrics: dict[str, tuple[float, float]]
    label_f1: tuple[FloatArray, FloatArray]


def bootstrap_intervals(applied: Thresholded, *, random_state: int = 0, resamples: int = RESAMPLES) -> Intervals:
    """Compute bootstrap confidence intervals of the metrics by resampling the test images.

    Images are drawn with replacement, thresholds stay fixed, and each interval runs from the 2.5th to the 97.5th
    percentile of the metric. As in the metrics themselves, a label without images in a resample does not count towards
    the mean of that resample.
    """
    outcomes, k = applied.outcomes, len(applied.outcomes.labels)
    single = outcomes.task == SINGLE_LABEL
    rows = counted_rows(applied) if single else applied.image_counts()
    sums = resampled_sums(rows, resamples=resamples, random_state=random_state)
    metrics, label_f1 = (
        np.concatenate(parts) for parts in zip(*(resampled_metrics(part, k) for part in sums), strict=True)
    )
    low, high = (ends.tolist() for ends in middle_95(metrics))
    names = COUNTED if single else COUNTED[:-1]
    return Intervals({name: (low[column], high[column]) for column, name in enumerate(names)}, middle_95(label_f1))


def counted_rows(applied: Thresholded) -> csr_array:
    """Return the counts for each image, shape (n, 3 k + 2).

    The columns are the true positives, false positives and false negatives of each label, then whether the image's
    answer is correct and whether the image has a label (both 0 unless the task is single-label).
    """
    outcomes = applied.outcomes
    right = np.zeros((len(outcomes.images), 2), dtype=np.int64)
    if isinstance(outcomes, Scores) and outcomes.task == SINGLE_LABEL:
        true = outcomes.true_label
        right = np.stack([(applied.answer() == true) & (true >= 0), true >= 0], axis=1).astype(np.int64)
    return hstack([applied.image_counts(), csr_array(right)], format="csr")


def resampled_metrics(sums: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Compute metrics :data:`COUNTED` (m, 4), and each label's F1 (m, k), of resampled rows, NaN if undefined."""
    tp, fp, fn, right = sums[:, :k], sums[:, k : 2 * k], sums[:, 2 * k : 3 * k], sums[:, 3 * k :]
    here = (tp + fn) > 0
    precision, recall, f1 = ratios(tp, fp, fn)
    means = [_divide((each * here).sum(axis=1), here.sum(axis=1), empty=np.nan) for each in (f1, precision, recall)]
    accuracy = _divide(right[:, 0], right[:, 1], empty=np.nan) if right.shape[1] else np.full(len(sums), np.nan)
    return np.stack([*means, accuracy], axis=1), np.where(here, f1, np.nan)


def overall_metrics(applied: Thresholded, per_label: pd.DataFrame) -> dict[str, float]:
    """Compute the summary metrics by name: the averages of :func:`aggregate` and the task-specific metrics."""
    values, outcomes = aggregate(per_label), applied.outcomes
    if isinstance(outcomes, Boxes):
        values |= {"mean_average_recall": mean_average_recall(outcomes), "coco_map": coco_map(outcomes)}
    if isinstance(outcomes, Scores):
        values |= agreement(applied) if outcomes.task == SINGLE_LABEL else {}
        values |= {"roc_auc": float(per_label["roc_auc"].mean())}
    return values


def summary_table(applied: Thresholded, per_label: pd.DataFrame, intervals: Intervals) -> pd.DataFrame:
    """Build the summary table: ``metric``, ``value``, and the bounds ``low``, ``high`` (NaN without an interval)."""
    values, outcomes = overall_metrics(applied, per_label), applied.outcomes
    values |= {"test_images": float(len(outcomes.images)), "labels": float(len(outcomes.labels))}
    rows = [(metric, value, *intervals.metrics.get(metric, (np.nan, np.nan))) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high"]).astype({"metric": TEXT})


def row_of(metric: str, summary: pd.DataFrame, task: str) -> pd.Series:
    """Return the row of a metric in a summary. A metric that the summary does not have is an InputError."""
    names, name = summary["metric"].tolist(), str(metric).lower().replace("-", "_").replace(" ", "_")
    if metric in names:
        return summary.set_index("metric").loc[metric]
    column = _ALSO_NAMED.get(name, name.removeprefix("macro_"))
    if column in _ONLY_FOR and column not in names:
        hint = f"{column} is for {_ONLY_FOR[column]}, and the task of this evaluation is {task!r}. "
    else:
        hint = "".join(f"Did you mean {near!r}? " for near in get_close_matches(column, names, 1, 0.3))
    raise InputError(f"metric={metric!r} does not exist. {hint}The metrics are {', '.join(names)}.")


def _divide(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic], *, empty: float = 0.0) -> FloatArray:
    result = np.full(np.shape(below), empty, dtype=np.float64)
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result
