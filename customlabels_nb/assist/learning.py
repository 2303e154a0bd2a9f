"""Estimate how much more labels would improve the model, and how long labelling them would take.

The learning curve measures models of nested subsets of the labels on check images. Its errors follow a power law of the
number of labels (Hestness et al.: Deep Learning Scaling is Predictable, Empirically, 2017). The check images are
resampled to show how certain the forecast is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from customlabels_nb._utils.text import counted, one_line
from customlabels_nb.assist.probabilities import folds_by_group, predict_others
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.training.classification import FittedHead, as_rows, row_space

#: Shares of the labels that models are trained on.
SHARES = (0.2, 0.3, 0.45, 0.7, 1.0)
#: With fewer check images, no forecast is made.
FEWEST_CHECKED = 20
#: Number of labels for which the gain is forecast.
MORE = 50
#: A forecast below this gain of F1 is no reason to continue.
WORTH = 0.005

_RESAMPLES = 300
_BREAK = 60.0  # seconds between two actions from which a person did something else


@dataclass(frozen=True, eq=False)
class Counts:
    """Results on ``m`` check images of models trained on ``s`` nested subsets of the labels.

    ``sizes`` (s,) are the numbers of labels, ascending. ``hits`` and ``predicted`` (s, m, k) and ``truth`` (m, k) count
    the right predictions, all predictions, and the true labels or boxes of each label on each check image.
    """

    sizes: IntArray
    hits: NDArray[np.generic]
    predicted: NDArray[np.generic]
    truth: NDArray[np.generic]


@dataclass(frozen=True)
class Forecast:
    """Expected ``gain`` of the mean ``f1`` from ``more`` labels, its 95 % interval, and the label that gains most."""

    more: int
    f1: float
    gain: float
    low: float
    high: float
    label: int | None


def count_on_check_images(
    features: ArrayLike,
    truth: NDArray[np.generic],
    check: IntArray,
    head: FittedHead,
    *,
    copies: ArrayLike | None = None,
) -> Counts:
    """Train heads on nested subsets of the labelled images and count their results on check images.

    ``check`` has the positions of the check images among the labelled images. Each is predicted by heads that were not
    trained on it or its ``copies``. ``truth`` is as in :func:`.probabilities.learn`, and ``head`` a head of all
    labelled images.
    """
    rows = row_space(as_rows(features))[0]
    n, k = len(rows), len(head.bias)
    fold = folds_by_group(truth, copies, 0)
    order = np.random.default_rng(0).permutation(n)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    sizes = np.unique(np.ceil(np.array(SHARES) * n).astype(np.int64))
    several, single = truth.ndim == 2, np.eye(k, dtype=np.bool_)
    actual = truth[check].astype(np.bool_) if several else single[truth[check].astype(np.int64)]
    predicted = np.zeros((len(sizes), len(check), k), dtype=np.bool_)
    for i, size in enumerate(sizes):
        for number in np.unique(fold[check]):
            train, held_out = np.flatnonzero((fold != number) & (rank < size)), np.flatnonzero(fold[check] == number)
            probabilities = predict_others(rows[train], truth[train], rows[check[held_out]], head)
            predicted[i, held_out] = probabilities >= 0.5 if several else single[probabilities.argmax(axis=1)]
    return Counts(sizes, predicted & actual, predicted, actual)


def forecast(counts: Counts, *, more: int = MORE) -> Forecast | None:
    """Extrapolate the learning curve to ``more`` labels, or return None if there are too few check images or sizes."""
    images = len(counts.truth)
    if images < FEWEST_CHECKED or len(counts.sizes) < 3:
        return None
    drawn = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), _RESAMPLES)
    weights = np.vstack([np.ones(images), drawn])
    hits, predicted, truth = (
        np.asarray(weights @ np.asarray(each, dtype=np.float64))
        for each in (counts.hits, counts.predicted, counts.truth[None])
    )  # (s or 1, resamples, k)
    with np.errstate(invalid="ignore"):
        f1 = np.where(truth > 0, 2 * hits / (predicted + truth), np.nan)  # (s, resamples, k)
    usable = truth[0].any(axis=1)  # not resamples of images without labels
    f1 = f1[:, usable]
    if len(f1[0]) < _RESAMPLES // 2:
        return None
    measured = ~np.isnan(f1[0, 0])
    mean = np.nanmean(f1[:, :, measured], axis=2)
    gains = _gain(counts.sizes, mean, more, images)
    of_label = np.zeros(f1.shape[2])
    of_label[measured] = _gain(counts.sizes, f1[:, 0, measured], more, images)
    low, high = np.percentile(gains[1:], [2.5, 97.5])
    gain = float(np.clip(gains[0], low, high))
    best = int(of_label.argmax())
    most = best if measured.sum() > 1 and of_label[best] > 1.5 * of_label[measured].mean() else None
    return Forecast(more, float(mean[-1, 0]), gain, float(low), float(high), most)


def describe_forecast(forecast: Forecast, labels: Sequence[str], minutes: int | None) -> str:
    """Write the advice on whether to continue as a sentence. ``minutes`` is the time for more labels, if known."""
    interval = f"{forecast.gain:.2f} ({forecast.low:.2f}–{forecast.high:.2f})"
    if forecast.high < WORTH:
        return f"The next {counted(forecast.more, 'label')} would raise F1 by {interval}. The model hardly needs them."
    mostly = "" if forecast.label is None else f", mostly for {one_line(labels[forecast.label])}"
    text = f"The next {counted(forecast.more, 'label')} would raise F1 by {interval}{mostly}."
    return text if minutes is None else f"{text} They take about {counted(minutes, 'minute')} at your pace."


def describe_advice(result: Forecast, labels: Sequence[str], times: ArrayLike) -> dict[str, Any]:
    """Return the advice as a JSON object. ``times`` are the moments of actions in seconds."""
    seconds = seconds_per_label(times)
    minutes = None if seconds is None else max(1, round(result.more * seconds / 60))
    return {
        "more": result.more, "gain": result.gain, "low": result.low, "high": result.high,
        "label": None if result.label is None else labels[result.label],
        "minutes": minutes, "text": describe_forecast(result, labels, minutes),
    }  # fmt: skip


def seconds_per_label(times: ArrayLike) -> float | None:
    """Compute the seconds that a person needs for a label, from the moments of actions, or None with fewer than 5."""
    moments, counts = np.unique(np.asarray(times, dtype=np.float64), return_counts=True)
    gaps = np.diff(moments)
    working = gaps <= _BREAK
    labelled = int(counts[1:][working].sum())
    return float(gaps[working].sum() / labelled) if labelled >= 5 else None


def _gain(sizes: IntArray, f1: FloatArray, more: int, images: int) -> FloatArray:
    """Compute the increase of F1 that a power law of the errors predicts for ``more`` labels. ``f1`` is (s, r)."""
    x = np.log(sizes)
    errors = np.log(np.maximum(1 - f1, 0.5 / images))
    weight = sizes / sizes.sum()  # large subsets are closer to the forecast
    middle = weight @ x
    slope = (weight * (x - middle)) @ errors / (weight @ (x - middle) ** 2)
    level = weight @ errors
    slope = np.minimum(slope, 0)
    now, then = (np.exp(level + slope * (np.log(count) - middle)) for count in (sizes[-1], sizes[-1] + more))
    return np.asarray(np.clip(now - then, 0, 1))
