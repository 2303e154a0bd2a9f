"""Multi-label classification head: an independent logistic regression for each label on frozen features.

All labels are fitted together as one separable problem. With 100 labels, this is many times faster than fitting one
label after the other. All labels share the same regularisation strength, which is chosen by the held-out log-loss over
all labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from customlabels_nb.datasets.splitting import stratified_split
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.training.classification import (
    CS,
    DEFAULT_C,
    MAX_FOLDS,
    FittedHead,
    HeadChoice,
    as_rows,
    choose_balance,
    fit_head,
    row_space,
    rows_to_compare,
    temperature_note,
)
from customlabels_nb.training.temperature import fit_temperature, losses

_CHOOSING_TOLERANCE = 1e-4
_TOLERANCE, _TOLERANCE_OF_MANY = 1e-7, 1e-5
_MAX_ITERATIONS = 1000
_NOTHING = ""  # dummy label of images without labels, so that these images are spread over the folds, too


def fit_head_of_task(
    features: npt.NDArray[np.float32], truth: npt.NDArray[np.generic], n_labels: int, *, random_state: int
) -> FittedHead:
    """Fit a multi-label head if ``truth`` is a mask of shape (n, k), otherwise a single-label head."""
    if truth.ndim == 2:
        return fit_multi_label_head(features, truth, random_state=random_state)
    return fit_head(features, truth, n_labels, random_state=random_state)


def fit_multi_label_head(
    features: npt.ArrayLike, truth: npt.ArrayLike, *, random_state: int = 0, Cs: Sequence[float] = CS
) -> FittedHead:
    """Fit a head that predicts for each label whether an image has it.

    The result is deterministic for the same input and seed. An image may have no labels, but every label needs at least
    one image. If all images have a label, it gets the same high confidence for any image, because there are no negative
    examples.
    """
    x, y = _checked(features, truth)
    if not Cs or not all(np.isfinite(C) and C > 0 for C in Cs):
        raise InputError(f"Cs={Cs!r} must be a non-empty sequence of positive numbers.")
    with threadpool_limits(limits=1, user_api="blas"):
        compared = rows_to_compare((np.flatnonzero(has_label) for has_label in y.T), len(y), random_state)
        rows, some = row_space(x[compared])[0], y[compared]
        fold = _folds(some, random_state)
        chosen, notes = HeadChoice(DEFAULT_C, 0.0, None), list[str]()
        if fold is not None:
            validate = partial(_cross_validate, rows, some, fold, sorted(Cs))
            chosen, notes = choose_balance(validate, y.sum(axis=0))
        rows, basis = row_space(x)
        tolerance = _TOLERANCE if len(compared) == len(y) else _TOLERANCE_OF_MANY
        weight, bias = _fit(rows, y, chosen.C, chosen.balance, tolerance)
        if basis is not None:
            weight = weight @ basis.T
    always = np.flatnonzero(y.all(axis=0))
    if len(always):
        notes.append(
            f"Every training image has {len(always)} of the {y.shape[1]} labels, so the model always predicts them."
        )
    head = FittedHead(
        weight.astype(np.float32), bias.astype(np.float32), float(chosen.C), None, None, None, chosen.balance
    )
    return replace(_calibrated(head, chosen.held_out, some, compared, len(y), random_state, notes), notes=tuple(notes))


def label_weights(truth: BoolArray, balance: float) -> FloatArray:
    """Compute a weight for each label of each image, shape (n, k).

    With ``balance=1``, images with a label and those without it have equal total weight, with 0 all images.
    """
    n, count = len(truth), truth.sum(axis=0)
    having, lacking = (n / (2 * np.maximum(number, 1)) for number in (count, n - count))
    return np.asarray(np.where(truth, having, lacking) ** balance, dtype=np.float64)


def _checked(features: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    x, y = as_rows(features), np.asarray(truth)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or y.dtype != np.bool_:
        raise InputError(
            f"features {x.shape} must have shape (n, d), and truth {y.dtype} {y.shape} must be bool with shape (n, k)."
        )
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"features[{row}] contains NaN or infinity. Exclude images that cannot be read.")
    if not y.shape[1] or not y.any(axis=0).all():
        missing = np.flatnonzero(~y.any(axis=0)).tolist()
        raise NotEnoughDataError(f"The labels at positions {missing} have no images. Add images or remove the labels.")
    return x, y


def _folds(y: BoolArray, random_state: int) -> IntArray | None:
    """Assign images to folds with labels spread evenly, or None if most have only one image."""
    if 2 * (y.sum(axis=0) > 1).sum() < y.shape[1]:
        return None
    folds = min(MAX_FOLDS, int(y.sum(axis=0).max()))
    labels = [[str(i) for i in np.flatnonzero(row)] or [_NOTHING] for row in y]
    fold, remaining = np.zeros(len(y), dtype=np.int64), np.arange(len(y))
    for number in range(folds - 1, 0, -1):
        chosen = stratified_split([labels[i] for i in remaining], 1 / (number + 1), random_state=random_state)
        fold[remaining[chosen]] = number
        remaining = remaining[~chosen]
    return fold if np.unique(fold).size > 1 else None


def _cross_validate(rows: FloatArray, y: BoolArray, fold: IntArray, Cs: list[float], balance: float) -> HeadChoice:
    """Find the value of C with the lowest log-loss on held-out rows, as in the single-label case, and their logits."""
    splits = [(fold != number, fold == number) for number in np.unique(fold)]
    starts: list[FloatArray | None] = [None] * len(splits)
    mean_losses: list[float] = []
    best = HeadChoice(Cs[0], balance, None)
    for C in Cs:
        held_out = np.empty(y.shape)
        for i, (train, test) in enumerate(splits):
            weight, bias = _fit(rows[train], y[train], C, balance, _CHOOSING_TOLERANCE, starts[i])
            starts[i] = np.column_stack([weight, bias])
            held_out[test] = rows[test] @ weight.T + bias
        mean_losses.append(float(losses(held_out, y).mean()))
        if mean_losses[-1] < best.loss:
            best = HeadChoice(C, balance, held_out, mean_losses[-1])
        if len(mean_losses) > 2 and mean_losses[-1] > mean_losses[-2] > mean_losses[-3]:
            break
    return best


def _fit(
    rows: FloatArray, y: BoolArray, C: float, balance: float, tolerance: float, start: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Fit weights (k, d) and biases (k,), minimising |w|² / 2 + C × the sum of the images' log-losses for each label.

    There is no minimum for a label that is on all rows or on none. Such a label gets zero weights, and a bias that
    corresponds to the Laplace estimate of its frequency.
    """
    n, d = rows.shape
    counts = y.sum(axis=0)
    weight, bias = np.zeros((y.shape[1], d)), logit((counts + 1) / (n + 2))
    learnt = np.flatnonzero((counts > 0) & (counts < n))
    if not len(learnt):
        return weight, bias
    targets = y[:, learnt]
    weights = label_weights(targets, balance) / n
    begin = np.column_stack([weight, bias]) if start is None else start

    def cost(flat: FloatArray) -> tuple[float, FloatArray]:
        w = flat.reshape(len(learnt), d + 1)
        z = rows @ w[:, :-1].T.astype(rows.dtype) + w[:, -1]
        value = (weights * np.logaddexp(0, np.where(targets, -z, z))).sum() + (w[:, :-1] ** 2).sum() / (2 * C * n)
        slope = weights * (expit(z) - targets)
        return float(value), np.column_stack(
            [slope.T.astype(rows.dtype) @ rows + w[:, :-1] / (C * n), slope.sum(axis=0)]
        ).ravel()

    solution = minimize(
        cost,
        begin[learnt].ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_ITERATIONS, "maxfun": 10 * _MAX_ITERATIONS, "gtol": tolerance, "ftol": 1e-14},
    ).x.reshape(len(learnt), d + 1)
    weight[learnt], bias[learnt] = solution[:, :-1], solution[:, -1]
    return weight, bias


def _calibrated(
    head: FittedHead,
    held_out: FloatArray | None,
    y: BoolArray,
    compared: IntArray,
    count: int,
    random_state: int,
    notes: list[str],
) -> FittedHead:
    """Add out-of-fold metrics and a useful temperature, of images ``compared`` among ``count``."""
    if held_out is None:
        return head
    temperature = fit_temperature(held_out, y, random_state=random_state)
    if temperature.kept:
        notes.append(temperature_note(temperature.value, temperature.before, temperature.after))
    confidences = expit(held_out / temperature.value)
    of_all = np.full((count, y.shape[1]), np.nan)
    of_all[compared] = confidences
    return replace(
        head,
        weight=(head.weight / temperature.value).astype(np.float32),
        bias=(head.bias / temperature.value).astype(np.float32),
        log_loss=temperature.after,
        accuracy=float(((confidences >= 0.5) == y).all(axis=1).mean()),
        out_of_fold=of_all,
        temperature=temperature.value,
    )
