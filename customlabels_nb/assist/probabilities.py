"""Predict probabilities of images with heads that were not trained on them, and measure how clear probabilities are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.models.embeddings import PackedFeatures
from customlabels_nb.training.classification import DEFAULT_C, FittedHead, fit_head, image_weights, row_space
from customlabels_nb.training.multi_label import fit_multi_label_head

FOLDS = 5

_BLOCK = 8_192  # images whose features are in memory at a time
_ITERATIONS, _TOLERANCE = 500, 1e-3


def predict(
    features: NDArray[np.floating] | PackedFeatures, head: FittedHead, *, several: bool = False
) -> NDArray[np.float32]:
    """Compute the probabilities of ``k`` labels from features (n, d), read in blocks, shape (n, k)."""
    result = np.empty((len(features), len(head.bias)), dtype=np.float32)
    for start in range(0, len(features), _BLOCK):
        logits = head.logits(features[start : start + _BLOCK])
        result[start : start + _BLOCK] = expit(logits) if several else softmax(logits, axis=1)
    return result


def learn(features: ArrayLike, truth: NDArray[np.generic], n_labels: int, *, random_state: int = 0) -> FittedHead:
    """Fit a head on the labels that have images. The other labels get probability 0.

    ``truth`` has the position of each image's label, shape (n,), or a mask of its labels, bool of shape (n, k). A
    single label is given no alternative, so that its probability is 1.
    """
    if truth.ndim == 2:
        used = np.flatnonzero(truth.any(axis=0))
        return _spread(
            fit_multi_label_head(features, truth[:, used].astype(np.bool_), random_state=random_state), used, n_labels
        )
    used, targets = np.unique(truth.astype(np.int64), return_inverse=True)
    if len(used) == 1:
        none = np.zeros((1, np.shape(features)[1]), np.float32)
        return _spread(FittedHead(none, none[:, 0], DEFAULT_C, None, None, None), used, n_labels)
    return _spread(fit_head(features, targets, len(used), random_state=random_state), used, n_labels)


def cross_fit(
    features: ArrayLike,
    truth: NDArray[np.generic],
    head: FittedHead,
    *,
    copies: ArrayLike | None = None,
    random_state: int = 0,
) -> FloatArray:
    """Predict each labelled image with a head like ``head`` that was trained on the other folds, shape (n, k).

    Near-duplicates, which have the same value in ``copies``, are in the same fold, so no image is predicted by a head
    that knows a copy of it. ``truth`` is as in :func:`learn`.
    """
    rows: NDArray[Any] = np.asarray(features, dtype=np.float32)
    fold = folds_by_group(truth, copies, random_state)
    result = np.empty((len(rows), len(head.bias)))
    small = row_space(rows)[0]  # the same distances in fewer dimensions
    for number in np.unique(fold):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        result[test] = predict_others(small[train], truth[train], small[test], head)
    return result


def predict_others(
    train: NDArray[np.floating], truth: NDArray[np.generic], test: NDArray[np.floating], head: FittedHead
) -> FloatArray:
    """Predict the images ``test`` with a head that is trained like ``head`` on other images, shape (m, k).

    Labels without images get 0. Without any training image, all labels are equally likely.
    """
    k = len(head.bias)
    result = np.zeros((len(test), k))
    if not len(train):
        return result + 1 / k
    with threadpool_limits(limits=1, user_api="blas"):
        if truth.ndim == 2:
            used = np.flatnonzero(truth.any(axis=0))
            if len(used):
                own_head = fit_multi_label_head(train, truth[:, used].astype(np.bool_), Cs=(head.C,))
                result[:, used] = predict(test, own_head, several=True)
            return result
        used, codes = np.unique(truth.astype(np.int64), return_inverse=True)
        if len(used) == 1:
            result[:, used[0]] = 1
            return result
        solver = LogisticRegression(C=head.C, tol=_TOLERANCE, max_iter=_ITERATIONS)
        solver.fit(train, codes, sample_weight=image_weights(codes, len(used), head.balance))
        result[:, used] = softmax(solver.predict_log_proba(test) / head.temperature, axis=1)
        return result


def folds_by_group(truth: NDArray[np.generic], copies: ArrayLike | None, random_state: int) -> IntArray:
    """Assign images to folds, with near-duplicates together and the images of each label spread evenly."""
    kind = np.unique(truth, axis=0, return_inverse=True)[1].ravel()
    groups = np.arange(len(truth)) if copies is None else np.asarray(copies)
    first, group = np.unique(groups, return_index=True, return_inverse=True)[1:]
    order = np.lexsort((np.random.default_rng(random_state).random(len(first)), kind[first]))
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % FOLDS
    return np.asarray(fold[group.ravel()])


def margin_doubt(probabilities: NDArray[np.floating]) -> FloatArray:
    """Compute 1 minus the margin between the two most likely labels of each image, shape (n,)."""
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(1 - (two[:, 1] - two[:, 0]), dtype=np.float64)


def clarity(probabilities: NDArray[np.floating], thresholds: ArrayLike) -> FloatArray:
    """Compute the distance of probabilities (n, k) to thresholds (k,), from 0 at the threshold to 1 at 0 or 1."""
    limits = np.clip(np.asarray(thresholds, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(
        np.where(probabilities >= limits, (probabilities - limits) / (1 - limits), (limits - probabilities) / limits)
    )


def label_doubt(probabilities: NDArray[np.floating], counts: ArrayLike, thresholds: ArrayLike = 0.5) -> FloatArray:
    """Compute the doubt about each image's least clear label, shape (n,), where frequent labels count less.

    ``counts`` has the number of labelled images of each label (k,). Otherwise, most of the images that are asked would
    be those on which frequent labels are hard to see, of which the model knows enough.
    """
    number = np.asarray(counts, dtype=np.float64)
    weight = (1 + number.min(initial=np.inf)) / (1 + number)
    return np.asarray(((1 - clarity(probabilities, thresholds)) * weight).max(axis=1, initial=0.0))


def box_doubt(image: IntArray, confidence: FloatArray, threshold: float, n_images: int) -> FloatArray:
    """Compute the doubt about each image's least certain box, shape (n_images,). Images without boxes get 0."""
    result = np.zeros(n_images)
    np.maximum.at(result, image, 1 - clarity(confidence[:, None], [threshold])[:, 0])
    return result


def _spread(head: FittedHead, used: IntArray, n_labels: int) -> FittedHead:
    """Give the head a row for each of ``n_labels`` labels. Labels that it does not know are never predicted."""
    weight = np.zeros((n_labels, head.weight.shape[1]), dtype=np.float32)
    bias = np.full(n_labels, -np.inf, dtype=np.float32)
    weight[used], bias[used] = head.weight, head.bias
    return replace(head, weight=weight, bias=bias, out_of_fold=None)
