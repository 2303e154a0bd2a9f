"""Find the confidence from which predictions are right often enough to be shown, with a statistical guarantee.

The evidence consists of check images: labelled images that were drawn at random, with predictions of heads that were
not trained on them. The lowest threshold with the desired measured precision would usually miss the target on other
images, because it is chosen where the check images happen to look good. Therefore only a few numbers of surest items
are compared, each 1.2 times the one before, and the lower confidence bound of their precision (Clopper and Pearson,
1934) must reach the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import beta

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb.assist.queue import FIRST_SHARE, LATER_SHARE, MANY_CHECKED
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray
from customlabels_nb.evaluation.boxes import make_boxes

#: Confidence level of the lower bound, and ratio between the numbers of surest items that are compared.
LEVEL, GROWTH = 0.95, 1.2

_MOST_GROWTH = 50.0  # times the number of check images, beyond which no forecast is made


@dataclass(frozen=True)
class Guarantee:
    """Least confidence of predictions that can be trusted. It is infinite if there is none.

    Of the check ``items`` of these ``labels`` (positions), near-duplicates counted once, ``shown`` reach the threshold
    and ``right`` of these are right. ``bound`` is the lower 95 % confidence bound of their precision.
    """

    labels: tuple[int, ...]
    items: int
    threshold: float = float("inf")
    shown: int = 0
    right: int = 0
    bound: float = 0.0


def lower_bound(right: ArrayLike, count: ArrayLike, level: float = LEVEL) -> FloatArray:
    """Compute the one-sided Clopper-Pearson bound of the precision of ``right`` out of ``count`` items."""
    r, n = np.asarray(right, dtype=np.float64), np.asarray(count, dtype=np.float64)
    return np.asarray(np.where(r > 0, beta.ppf(1 - level, np.maximum(r, 1e-9), n - r + 1), 0.0))


def precision_interval(right: int, count: int) -> tuple[float, float]:
    side = (1 + LEVEL) / 2
    return float(lower_bound(right, count, side)), 1 - float(lower_bound(count - right, count, side))


def fewest_items(target: float, errors: int = 0) -> int:
    """Return the smallest number of items whose bound reaches the target with this many errors among them."""
    target = check_fraction("target", target, 0.5, 0.999)
    most = errors + 1
    while lower_bound(most - errors, most) < target:
        most *= 2
    counts = np.arange(errors + 1, most + 1)
    return int(counts[lower_bound(counts - errors, counts) >= target][0])


def find_guarantee(
    confidence: ArrayLike,
    right: ArrayLike,
    target: float,
    *,
    copies: ArrayLike | None = None,
    labels: tuple[int, ...] = (),
) -> Guarantee:
    """Find the lowest threshold whose precision is guaranteed to reach the target, from check items (n,).

    An item is a check image or, for boxes, a row of :func:`check_boxes`. For images with several labels, the confidence
    is the :func:`.probabilities.clarity` of the least clear label, and an image is right if all its labels are.
    ``copies`` has the group of near-duplicates of each item. Only the first item of a group counts. Items of equal
    confidence are shown together or not at all.
    """
    sure, ok = _surest_first(confidence, right, copies)
    first = fewest_items(target)
    steps = np.arange(max(0, ceil(np.log(max(len(sure), 1) / first) / np.log(GROWTH)) + 1))
    sizes = np.ceil(first * GROWTH**steps - 1e-9).astype(np.int64)
    sizes = sizes[sizes <= len(sure)]
    sizes = np.searchsorted(-sure, -sure[sizes - 1], side="right")  # with all items of equal confidence
    hits = np.cumsum(ok)[sizes - 1]
    bounds = lower_bound(hits, sizes)
    if not (bounds >= target).any():
        return Guarantee(labels, len(sure))
    last = int(np.flatnonzero(bounds >= target)[-1])
    size = int(sizes[last])
    return Guarantee(labels, len(sure), float(sure[size - 1]), size, int(hits[last]), float(bounds[last]))


def guarantee_labels(
    confidence: FloatArray,
    predicted: ArrayLike,
    right: ArrayLike,
    n_labels: int,
    target: float,
    *,
    copies: ArrayLike | None = None,
) -> list[Guarantee]:
    """Find a threshold for each predicted label of check items, such as images with one label, or boxes.

    A label with enough items gets its own threshold, if there is one. The other labels are pooled and share one. Each
    tested size has an error rate of at most 5 % by itself. Several sizes, labels and trainings are tested, so a
    threshold whose precision is slightly below the target is granted more often.
    ``predicted`` has the position of each item's predicted label.
    """
    label, ok = np.asarray(predicted), np.asarray(right)
    groups = np.arange(len(label)) if copies is None else np.asarray(copies)

    def guarantee_of(labels: tuple[int, ...]) -> Guarantee:
        chosen = np.isin(label, labels)
        return find_guarantee(confidence[chosen], ok[chosen], target, copies=groups[chosen], labels=labels)

    single = [guarantee_of((position,)) for position in range(n_labels)]
    rest = guarantee_of(tuple(guarantee.labels[0] for guarantee in single if not guarantee.shown))
    return [guarantee if guarantee.shown else rest for guarantee in single]


def check_boxes(
    predictions: pd.DataFrame,
    annotations: pd.DataFrame,
    images: Sequence[str],
    *,
    random_state: int = 0,
) -> pd.DataFrame:
    """Choose one random predicted box of each check image: a table with image, label, confidence and right."""
    predicted = predictions[predictions["image"].isin(images)]
    if predicted.empty:
        return predicted[["image", "label", "confidence"]].assign(right=np.empty(0, np.bool_))
    truth = annotations.reset_index(drop=True).reindex(range(len(annotations) + len(images)))
    truth["image"] = [*annotations["image"], *images]
    boxes = make_boxes(truth, predicted, list(images))
    drawn = np.random.default_rng(random_state).permutation(np.flatnonzero(~boxes.ignored))
    first = drawn[np.unique(boxes.image[drawn], return_index=True)[1]]
    names, labels = (np.asarray(each, dtype=object) for each in (boxes.images, boxes.labels))
    columns = {"image": names[boxes.image[first]], "label": labels[boxes.label[first]]}
    return pd.DataFrame({**columns, "confidence": boxes.confidence[first], "right": boxes.match[first] >= 0})


def labels_needed(
    confidence: ArrayLike,
    right: ArrayLike,
    target: float,
    *,
    checked: int | None = None,
    copies: ArrayLike | None = None,
) -> int | None:
    """Estimate how many more labels are needed until predictions can be trusted, from check items (n,).

    The share of errors among the surest items is assumed to stay the same. All labels to give are counted, because
    check images are only a part of each page. ``checked`` is the number of labelled check images, if the items are
    those of one label. Return 0 if predictions can be trusted already, and None if there are too many errors.
    """
    if find_guarantee(confidence, right, target, copies=copies).shown:
        return 0
    ok = _surest_first(confidence, right, copies)[1]
    count, more = len(ok) if checked is None else checked, fewest_items(target)
    if len(ok):
        growth = np.unique(np.append(np.geomspace(1, _MOST_GROWTH, 200), max(more / len(ok), 1)))
        size, wrong = np.arange(1, len(ok) + 1)[:, None], np.cumsum(~ok)[:, None]
        enough = (lower_bound(np.floor((size - wrong) * growth + 1e-6), size * growth) >= target - 1e-9).any(axis=0)
        if not enough.any():
            return None
        more = max(1, ceil(count * (growth[enough][0] - 1) - 1e-6))
    first = min(more, max(MANY_CHECKED - count, 0))
    return round(first / FIRST_SHARE + (more - first) / LATER_SHARE)


def count_evidence(right: ArrayLike, copies: ArrayLike) -> tuple[int, int]:
    """Count the check items (n,) without near-duplicates, and those of them that are right."""
    first = np.unique(np.asarray(copies), return_index=True)[1]
    return len(first), int(np.asarray(right, dtype=np.bool_)[first].sum())


def describe_evidence(
    checks: pd.DataFrame, guarantees: list[Guarantee], checked: int, names: list[str], target: float
) -> dict[str, Any]:
    """Describe how often predictions were right on check images, or how many labels are needed until that is known."""
    kept = {guarantee.labels: guarantee for guarantee in guarantees if guarantee.shown}.values()
    sure, right, copies = (checks[name].to_numpy() for name in ("sure", "right", "copies"))
    promise, needed = None, None
    if kept:
        shown, hits = sum(guarantee.shown for guarantee in kept), sum(guarantee.right for guarantee in kept)
        bound, threshold = float(lower_bound(hits, shown)), min(guarantee.threshold for guarantee in kept)
        promise = {"shown": shown, "right": hits, "bound": bound, "threshold": threshold}
    else:
        needed = labels_needed(sure, right, target, copies=copies)
        if checks.empty and needed is not None:  # without a model, the check images so far count nevertheless
            needed = max(1, needed - round(checked / FIRST_SHARE))
    items, correct = (checked, None) if checks.empty else count_evidence(right, copies)
    evidence = {"items": items, "right": correct, "wanted": fewest_items(target)}
    missing = _labels_missing(checks, guarantees, checked, names, target)
    return {"promise": promise, "needed": needed, "missing": missing, "evidence": evidence}


def _labels_missing(
    checks: pd.DataFrame, guarantees: list[Guarantee], checked: int, names: list[str], target: float
) -> list[list[Any]]:
    """Estimate for each label that cannot be trusted yet how many labels are needed, the fewest first."""
    needed = [
        [names[label], labels_needed(part["sure"], part["right"], target, checked=checked, copies=part["copies"])]
        for label, part in checks.groupby("label")
        if not guarantees[label].shown
    ]
    return sorted((pair for pair in needed if pair[1] is not None), key=lambda pair: pair[1])


def _surest_first(confidence: ArrayLike, right: ArrayLike, copies: ArrayLike | None) -> tuple[FloatArray, BoolArray]:
    """Sort items by descending confidence, with the first item of each group of near-duplicates only."""
    sure, ok = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    if sure.shape != ok.shape:
        raise InputError(f"confidence {sure.shape} and right {ok.shape} must have the same shape.")
    if copies is not None:
        first = np.unique(np.asarray(copies), return_index=True)[1]
        sure, ok = sure[first], ok[first]
    order = np.lexsort((ok, -sure))
    return sure[order], ok[order]
