"""Figures of a classifier: per label, their means with 95 % intervals, and per image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.evaluation.scores import SINGLE_LABEL, BoolArray, FloatArray, IntArray, Scores
from customlabels_nb.evaluation.thresholds import score_steps

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
}
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "true positive", "false positive", "false negative"


def count(truth: BoolArray, accepted: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """True positives, false positives and false negatives per label, each of shape (k,), from (n, k) matrices."""
    return (
        (truth & accepted).sum(axis=0, dtype=np.int64),
        (~truth & accepted).sum(axis=0, dtype=np.int64),
        (truth & ~accepted).sum(axis=0, dtype=np.int64),
    )


def ratios(tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision, recall and F1 of counts of any one shape; 0 where a ratio is 0/0."""
    right, extra, missed = (np.asarray(value, dtype=np.float64) for value in (tp, fp, fn))
    return (
        _divide(right, right + extra),
        _divide(right, right + missed),
        _divide(2 * right, 2 * right + extra + missed),
    )


def average_precision(truth: BoolArray, confidence: FloatArray) -> float:
    """Sum over the distinct confidences of precision times gain in recall; 0 if no row has the label.

    The definition of ``sklearn.metrics.average_precision_score``: no interpolation. Shapes are (n,).
    """
    positives = int(truth.sum())
    if not positives:
        return 0.0
    _, true_positives, accepted = score_steps(truth, confidence)
    return float((np.diff(true_positives, prepend=0) * (true_positives / accepted)).sum() / positives)


def per_label_table(scores: Scores, thresholds: FloatArray) -> pd.DataFrame:
    """One row a label, in their order, with the columns of :data:`PER_LABEL_COLUMNS`.

    ``undefined`` is true where precision, recall or F1 = 2PR/(P+R) is 0/0 and therefore shown as 0. That is so
    exactly where there is no true positive, among them every label that no test image has.
    """
    tp, fp, fn = count(scores.truth, scores.accepted(thresholds))
    precision, recall, f1 = ratios(tp, fp, fn)
    areas = [average_precision(scores.truth[:, k], scores.confidence[:, k]) for k in range(len(scores.labels))]
    table = {
        "label": list(scores.labels),
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "threshold": thresholds,
        "average_precision": areas,
        "test_images": scores.test_images,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "undefined": tp == 0,
    }
    return pd.DataFrame(table).astype(PER_LABEL_COLUMNS)


def aggregate(per_label: pd.DataFrame) -> dict[str, float]:
    """Unweighted means over the labels that the test set has.

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
    return {figure: float(here[column].mean()) for figure, column in columns.items()}


def accuracy(scores: Scores) -> float:
    """Share of the labelled test images whose most confident label is theirs (single-label)."""
    true, predicted = scores.true_label(), scores.predicted_label()
    return float((predicted == true)[true >= 0].mean())


def log_loss(scores: Scores) -> float:
    """Mean negative logarithm of the confidence given to what is true.

    Single-label: of the image's own label, over the labelled images. Multi-label: of each label's presence or
    absence, over all pairs. A confidence of exactly 0 or 1 counts as the nearest number that has a logarithm.
    """
    tiny = np.finfo(np.float64).eps
    confidence = np.clip(scores.confidence, tiny, 1 - tiny)
    if scores.task == SINGLE_LABEL:
        return float(-np.log(confidence[scores.truth]).mean())
    return float(-np.log(np.where(scores.truth, confidence, 1 - confidence)).mean())


def bootstrap_intervals(
    scores: Scores, thresholds: FloatArray, *, random_state: int = 0, resamples: int = 1000
) -> dict[str, tuple[float, float]]:
    """95 % intervals of ``f1``, ``precision``, ``recall`` and, single-label, ``accuracy``.

    The images are drawn anew with replacement, the thresholds held, and each figure's 2.5 % and 97.5 %
    percentiles taken. As in the figures themselves, labels that a resample doesn't have don't count in it.

    Images that are alike in all counts are drawn as one kind by their number, which is the same lottery with
    far fewer tickets.
    """
    accepted = scores.accepted(thresholds)
    parts = [scores.truth & accepted, ~scores.truth & accepted, scores.truth & ~accepted]
    if scores.task == SINGLE_LABEL:
        true = scores.true_label()
        parts += [((scores.predicted_label() == true) & (true >= 0))[:, None], (true >= 0)[:, None]]
    kinds, numbers = _alike(np.concatenate(parts, axis=1))
    rng = np.random.default_rng(random_state)
    k = len(scores.labels)
    drawn: dict[str, list[FloatArray]] = {"f1": [], "precision": [], "recall": [], "accuracy": []}
    at_once = max(1, 20_000_000 // len(kinds))  # bounds the memory of one block to 160 MB
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        totals = rng.multinomial(numbers.sum(), numbers / numbers.sum(), size=size) @ kinds
        tp, fp, fn = totals[:, :k], totals[:, k : 2 * k], totals[:, 2 * k : 3 * k]
        here = (tp + fn) > 0
        for figure, values in zip(("precision", "recall", "f1"), ratios(tp, fp, fn), strict=True):
            drawn[figure].append(_divide((values * here).sum(axis=1), here.sum(axis=1), empty=np.nan))
        if scores.task == SINGLE_LABEL:
            drawn["accuracy"].append(_divide(totals[:, -2], totals[:, -1], empty=np.nan))
    return {figure: _middle_95(np.concatenate(values)) for figure, values in drawn.items() if values}


def summary_table(scores: Scores, per_label: pd.DataFrame, intervals: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """One row a figure: ``figure``, ``value``, and the ends ``low``, ``high`` of its interval (null without one)."""
    values = aggregate(per_label)
    if scores.task == SINGLE_LABEL:
        values["accuracy"] = accuracy(scores)
    values |= {"test_images": float(len(scores.images)), "labels": float(len(scores.labels))}
    rows = [(figure, value, *intervals.get(figure, (np.nan, np.nan))) for figure, value in values.items()]
    return pd.DataFrame(rows, columns=["figure", "value", "low", "high"]).astype({"figure": "str"})


def per_image_table(scores: Scores, thresholds: FloatArray) -> pd.DataFrame:
    """One row for each label that an image has or that is predicted for it; an image's most confident first.

    Columns ``image``, ``label``, ``confidence``, ``result`` ("true positive", "false positive" or "false
    negative"), ``threshold``; single-label also ``truth`` and ``predicted``, the image's label and its most
    confident one (null without).
    """
    accepted = scores.accepted(thresholds)
    row, column = np.nonzero(scores.truth | accepted)
    order = np.lexsort((column, -scores.confidence[row, column], row))
    row, column = row[order], column[order]
    names = np.array([*scores.labels, None], dtype=object)  # position -1: none
    result = np.where(scores.truth[row, column], TRUE_POSITIVE, FALSE_POSITIVE)
    result[~accepted[row, column]] = FALSE_NEGATIVE
    table = pd.DataFrame(
        {
            "image": scores.images[row],
            "label": names[column],
            "confidence": scores.confidence[row, column],
            "result": result,
            "threshold": thresholds[column],
        }
    ).astype({"image": "str", "label": "str", "result": "str"})
    if scores.task == SINGLE_LABEL:
        table["truth"] = pd.Series(names[scores.true_label()[row]], dtype="str")
        table["predicted"] = pd.Series(names[scores.predicted_label()[row]], dtype="str")
    return table


def _divide(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic], *, empty: float = 0.0) -> FloatArray:
    result = np.full(np.shape(below), empty, dtype=np.float64)
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result


def _alike(rows: BoolArray) -> tuple[FloatArray, IntArray]:
    """The distinct rows as float64 and how often each occurs."""
    packed = np.ascontiguousarray(np.packbits(rows, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, numbers = np.unique(keys, return_index=True, return_counts=True)
    return rows[first].astype(np.float64), numbers.astype(np.int64)


def _middle_95(values: FloatArray) -> tuple[float, float]:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
