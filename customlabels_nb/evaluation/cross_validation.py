"""Cross-validated thresholds: thresholds are chosen on different images from the ones they are evaluated on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from customlabels_nb.core.decisions import ASSUMED, MOST_CONFIDENT
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.thresholded import Thresholded, by_most_confident
from customlabels_nb.evaluation.thresholds import assumed_thresholds, resolve_thresholds

CROSS_VALIDATED = "cross-validated"
FOLDS = 5


def apply_thresholds(
    thresholds: float | Mapping[str, float] | str, outcomes: Outcomes, *, random_state: int = 0
) -> Thresholded:
    """Apply a decision in any form that ``evaluate`` accepts. See :func:`.thresholds.resolve_thresholds`.

    Cross-validated thresholds are chosen for each fold of the test images on the images of the other folds. If a
    label's only test image is in a fold, its threshold for that fold is the median of the other labels' thresholds.
    """
    if isinstance(thresholds, str) and thresholds == MOST_CONFIDENT:
        return by_most_confident(outcomes)
    if not isinstance(thresholds, str) or thresholds != CROSS_VALIDATED:
        return Thresholded(outcomes, resolve_thresholds(thresholds, outcomes))
    if len(outcomes.images) < 2:
        raise NotEnoughDataError(
            "thresholds='cross-validated' needs at least two test images, but there is only "
            f"{len(outcomes.images)}. Add test images, or omit thresholds."
        )
    fold_of = deal(outcomes, random_state=random_state)
    return chosen_on_folds(outcomes, [np.flatnonzero(fold_of == fold) for fold in range(int(fold_of.max()) + 1)])


def rule_of(applied: Thresholded) -> str | float | dict[str, float]:
    """Return the argument of :func:`apply_thresholds` that this is the result of."""
    if applied.most_confident:
        return MOST_CONFIDENT
    if applied.folds:
        return CROSS_VALIDATED
    if np.array_equal(applied.thresholds, assumed_thresholds(applied.outcomes)):
        return ASSUMED
    by_label = dict(zip(applied.outcomes.labels, applied.thresholds.tolist(), strict=True))
    values = set(by_label.values())
    return values.pop() if len(values) == 1 else by_label


def rule_to_follow(baseline: Thresholded, other: Thresholded) -> str | float | None:
    """Return the rule by which to compare ``other`` with a baseline, or None if its own rule is comparable.

    Thresholds by label belong to one model, so the other model keeps its own thresholds, or has its assumed ones.
    """
    rule = rule_of(baseline)
    if isinstance(rule, dict) or rule == ASSUMED:
        return ASSUMED if other.most_confident else None
    return None if rule_of(other) == rule else rule


def chosen_on_folds(outcomes: Outcomes, folds: Sequence[IntArray]) -> Thresholded:
    """Choose the thresholds for each fold (an array of image positions) on the images of the other folds."""
    every = np.arange(len(outcomes.images))
    thresholds = [assumed_thresholds(outcomes.only(np.setdiff1d(every, images))) for images in folds]
    return Thresholded(outcomes, np.mean(thresholds, axis=0), tuple(zip(folds, thresholds, strict=True)))


def deal(outcomes: Outcomes, *, random_state: int = 0) -> IntArray:
    """Assign each test image to one of :data:`FOLDS` folds (fewer if there are fewer images), shape (n,).

    Each label's images are spread over the folds as evenly as possible, starting with the rarest label, which leaves
    the fewest options. Images without labels are distributed last.
    """
    n, k = len(outcomes.images), len(outcomes.labels)
    counts = outcomes.image_counts(np.full(k, 0.5))
    has = (counts[:, :k] + counts[:, 2 * k :]).tocsc()  # true positives and false negatives: the ground-truth labels
    has.eliminate_zeros()
    images_with = [has.indices[has.indptr[label] : has.indptr[label + 1]] for label in range(k)]
    rng, fold_of = np.random.default_rng(random_state), np.full(n, -1, dtype=np.int64)
    folds = min(FOLDS, n)
    for images in (*sorted(images_with, key=len), np.arange(n)):
        waiting = rng.permutation(images[fold_of[images] < 0])
        dealt = fold_of[images]
        here = np.bincount(dealt[dealt >= 0], minlength=folds)
        in_all = np.bincount(fold_of[fold_of >= 0], minlength=folds)
        fold_of[waiting] = _levelled(here, in_all, waiting.size)
    return fold_of


def _levelled(here: IntArray, in_all: IntArray, count: int) -> IntArray:
    """Assign ``count`` images to folds: each to the fold with the fewest images of the label, then fewest overall."""
    level = here[:, None] + np.arange(count)[None, :]
    fold, step = np.divmod(np.arange(level.size), max(count, 1))
    order = np.lexsort((fold, in_all[fold] + step, level.ravel()))
    return np.asarray(fold[order[:count]], dtype=np.int64)
