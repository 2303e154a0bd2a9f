"""Classification head: regularised logistic regression on the pooled features of a frozen backbone.

With few images this beats fine-tuning the entire network, in a thousandth of the time. Its one hyperparameter, the
strength of the regularisation, is chosen by cross-validated log-loss. Easily separable images need little
regularisation and hard ones need a lot, and a wrong choice makes the confidences unreliable. If the classes are
imbalanced, the same metric decides whether images of rare labels get a larger weight.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.training.temperature import fit_temperature

#: Inverse regularisation strengths to compare. Values above 10 give near-certain confidences for a handful of images.
CS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Cautious default between the extremes, for data where most labels have only one image and nothing can be held out.
DEFAULT_C = 1.0
MAX_FOLDS = 5
#: With more images, strength and balance are chosen on a random sample of this size, with at least 10 of each label.
MOST_COMPARED, LEAST_COMPARED_OF_LABEL = 2000, 10
#: Ratio between the most and the least frequent label from which a larger weight for rare labels is tried.
UNEVEN = 1.5
#: Number of images above which a head is fitted in single precision.
MOST_DOUBLE = 20_000

_CHOOSING_TOLERANCE = 1e-4  # enough to compare strengths, in a fifth of the time
_TOLERANCE, _TOLERANCE_OF_MANY = 1e-8, 1e-5
_MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class FittedHead:
    """Linear classification head with its cross-validation metrics.

    The softmax of ``features @ weight.T + bias``, or the sigmoid if an image can have several labels, gives the
    probabilities of the labels. ``log_loss`` (the mean over the labels) and ``accuracy`` (every label is correct at a
    threshold of 0.5) come from held-out images. ``out_of_fold`` has probabilities by a head that was not trained on the
    image, and NaN for the only image of a label and for images that are not in the sample of :data:`MOST_COMPARED`.
    ``balance`` is 0 if all images have the same weight, 1 if all labels have the same total weight. Weights and biases
    already include the ``temperature`` by which logits are divided.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    C: float
    log_loss: float | None
    accuracy: float | None
    out_of_fold: FloatArray | None
    balance: float = 0.0
    temperature: float = 1.0
    notes: tuple[str, ...] = ()

    def logits(self, features: npt.ArrayLike) -> npt.NDArray[np.float32]:
        rows = np.asarray(features, dtype=np.float32)
        return np.asarray(rows @ self.weight.T + self.bias, dtype=np.float32)


def fit_head(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    n_labels: int,
    *,
    random_state: int = 0,
    Cs: Sequence[float] = CS,
) -> FittedHead:
    """Fit a single-label classification head on ``n_labels`` labels.

    The result is deterministic for the same input and seed. Do not standardise the features: with few images, this is
    clearly worse. Each label needs at least one image.
    """
    x, y, counts = _checked(features, targets, n_labels)
    if not Cs or not all(np.isfinite(C) and C > 0 for C in Cs):
        raise InputError(f"Cs={Cs!r} must be a non-empty sequence of positive numbers.")
    # a fit of this size is faster on one thread, and BLAS threads would compete with torch's for the cores
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        # a head that stops just short of the optimum is just as good
        warnings.simplefilter("ignore", ConvergenceWarning)
        # scikit-learn suspects a regression if many labels have few images each, but the targets have been checked
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        compared = rows_to_compare((np.flatnonzero(y == label) for label in range(n_labels)), len(y), random_state)
        rows, compared_targets = row_space(x[compared])[0], y[compared]
        fold = folds_of(compared_targets, n_labels, random_state)
        chosen, notes = HeadChoice(DEFAULT_C, 0.0, None), list[str]()
        if fold is not None:
            chosen, notes = choose_balance(
                partial(_cross_validate, rows, compared_targets, n_labels, fold, sorted(Cs)), counts
            )
        rows, basis = row_space(x)
        solver = _solver(chosen.C, _TOLERANCE if len(compared) == len(y) else _TOLERANCE_OF_MANY)
        weight, bias = _softmax_rows(solver.fit(rows, y, sample_weight=image_weights(y, n_labels, chosen.balance)))
        if basis is not None:
            weight = weight @ basis.T
    head = FittedHead(
        weight.astype(np.float32), bias.astype(np.float32), float(chosen.C), None, None, None, chosen.balance
    )
    if chosen.held_out is None:
        return head
    held_out = np.full((len(y), n_labels), np.nan)
    held_out[compared] = chosen.held_out
    return _calibrated(head, held_out, y, random_state, notes)


def rows_to_compare(having: Iterable[IntArray], n: int, random_state: int) -> IntArray:
    """Return ascending rows for cross-validation: all, or a sample with a few of each label."""
    if n <= MOST_COMPARED:
        return np.arange(n, dtype=np.int64)
    rng = np.random.default_rng(random_state)
    chosen = np.zeros(n, dtype=bool)
    chosen[rng.choice(n, MOST_COMPARED, replace=False)] = True
    for of_label in having:
        short = LEAST_COMPARED_OF_LABEL - int(chosen[of_label].sum())
        if short > 0:
            chosen[rng.permutation(of_label[~chosen[of_label]])[:short]] = True
    return np.flatnonzero(chosen)


def folds_of(targets: IntArray, n_labels: int, random_state: int) -> IntArray | None:
    """Assign images to cross-validation folds, shape (n,), with each label spread evenly over the folds.

    An image that is the only one of its label is never held out (-1). Returns None if more than half of the labels have
    only one image, because the remaining images are too few for a reliable choice.
    """
    counts = np.bincount(targets, minlength=n_labels)
    if 2 * (counts > 1).sum() < n_labels:
        return None
    folds = min(MAX_FOLDS, int(counts.max()))
    fold, rng, offset = np.full(len(targets), -1, dtype=np.int64), np.random.default_rng(random_state), 0
    for label in np.flatnonzero(counts > 1):
        shuffled = rng.permutation(np.flatnonzero(targets == label))
        fold[shuffled] = (offset + np.arange(len(shuffled))) % folds
        offset += len(shuffled)
    return fold


def image_weights(targets: IntArray, n_labels: int, balance: float) -> FloatArray:
    """Compute sample weights, shape (n,), with mean 1. See :class:`FittedHead` for ``balance``."""
    counts = np.bincount(targets, minlength=n_labels)
    return np.asarray((len(targets) / (n_labels * counts[targets])) ** balance, dtype=np.float64)


def choose_balance(cross_validate: Callable[[float], HeadChoice], counts: IntArray) -> tuple[HeadChoice, list[str]]:
    """Choose between equal and balanced weights if labels are imbalanced, and return the choice and a note on it."""
    plain = cross_validate(0.0)
    fewest, most = int(counts.min()), int(counts.max())
    if most < UNEVEN * fewest:
        return plain, []
    weighted = cross_validate(1.0)
    note = _uneven_note(fewest, most, plain.loss, weighted.loss)
    return min(plain, weighted, key=lambda choice: choice.loss), [note]


def _uneven_note(fewest: int, most: int, plain: float, weighted: float) -> str:
    metrics = f"held-out log-loss {weighted:.3f} instead of {plain:.3f}"
    if weighted < plain:
        return f"The labels are imbalanced ({fewest:,} to {most:,} images): rare labels get a larger weight, {metrics}."
    return (
        f"The labels are imbalanced ({fewest:,} to {most:,} images). All images have the same weight, because a larger "
        f"weight for rare labels would be worse ({metrics})."
    )


def row_space(x: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """Express ``x`` of shape (n, d) in coordinates of its row space, and return the basis (d, n) of that space.

    The best weights under an L2 penalty are linear combinations of the rows, and rotating the coordinates changes
    neither products nor lengths. If n < d, the rotated problem therefore has only n unknowns per label and exactly the
    same solution. Otherwise, ``x`` is returned unchanged, without a basis.
    """
    if x.shape[0] >= x.shape[1]:
        return x, None
    basis, triangle = np.linalg.qr(x.T)
    return np.ascontiguousarray(triangle.T), basis


def as_rows(features: npt.ArrayLike) -> FloatArray:
    """Convert features to double precision, except for float32 features of very many images, to save memory."""
    rows = np.asarray(features)
    return rows if rows.dtype == np.float32 and len(rows) > MOST_DOUBLE else rows.astype(np.float64)


def _checked(
    features: npt.ArrayLike, targets: npt.ArrayLike, n_labels: int
) -> tuple[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    x, y = as_rows(features), np.asarray(targets)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise InputError(f"features {x.shape} and targets {y.shape} must have the shapes (n, d) and (n,).")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"features[{row}] contains NaN or infinity. Exclude images that cannot be read.")
    if not np.issubdtype(y.dtype, np.integer) or (len(y) and not 0 <= y.min() <= y.max() < n_labels):
        raise InputError(f"targets must be integers from 0 to n_labels - 1 = {n_labels - 1}, not {np.unique(y)}.")
    if n_labels < 2:
        raise NotEnoughDataError(f"A classifier needs images of at least 2 labels, but n_labels={n_labels}.")
    counts = np.bincount(y, minlength=n_labels)
    if (counts == 0).any():
        missing = np.flatnonzero(counts == 0).tolist()
        raise NotEnoughDataError(f"The labels at positions {missing} have no images. Add images or remove the labels.")
    return x, y.astype(np.int64), counts


@dataclass(frozen=True)
class HeadChoice:
    """Regularisation strength and balance, with the resulting out-of-fold predictions and log-loss."""

    C: float
    balance: float
    held_out: FloatArray | None
    loss: float = float("inf")


def _cross_validate(
    rows: FloatArray, y: IntArray, n_labels: int, fold: IntArray, Cs: list[float], balance: float
) -> HeadChoice:
    """Find the value of C with the lowest log-loss on held-out rows, and the out-of-fold probabilities for it.

    Ties go to the smallest C. Values are tried in ascending order, each fit starting from the previous one, until the
    loss has risen twice in a row. The loss has a single minimum, and the weakest regularisation takes the longest to
    fit.
    """
    splits = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(fold.max() + 1)]
    weights = image_weights(y, n_labels, balance)
    solvers = [_solver(Cs[0], _CHOOSING_TOLERANCE) for _ in splits]
    losses: list[float] = []
    best = HeadChoice(Cs[0], balance, None)
    for C in Cs:
        held_out = np.full((len(y), n_labels), np.nan)
        for solver, (train, test) in zip(solvers, splits, strict=True):
            solver.set_params(C=C).fit(rows[train], y[train], sample_weight=weights[train])
            held_out[test] = solver.predict_proba(rows[test])
        losses.append(_log_loss(held_out[fold >= 0], y[fold >= 0]))
        if losses[-1] < best.loss:
            best = HeadChoice(C, balance, held_out, losses[-1])
        if len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]:
            break
    return best


def _calibrated(head: FittedHead, held_out: FloatArray, y: IntArray, random_state: int, notes: list[str]) -> FittedHead:
    """Add out-of-fold metrics to the head, and a temperature if it improves held-out confidences."""
    predicted = ~np.isnan(held_out[:, 0])
    logs = np.log(np.clip(held_out, np.finfo(np.float64).tiny, 1))
    temperature = fit_temperature(logs[predicted], y[predicted], random_state=random_state)
    if temperature.kept:
        notes = [*notes, temperature_note(temperature.value, temperature.before, temperature.after)]
        powers = np.exp(logs / temperature.value)
        held_out = powers / powers.sum(axis=1, keepdims=True)
    return replace(
        head,
        weight=(head.weight / temperature.value).astype(np.float32),
        bias=(head.bias / temperature.value).astype(np.float32),
        log_loss=temperature.after,
        accuracy=float((held_out[predicted].argmax(axis=1) == y[predicted]).mean()),
        out_of_fold=held_out,
        temperature=temperature.value,
        notes=tuple(notes),
    )


def temperature_note(value: float, before: float, after: float) -> str:
    return (
        f"Confidences were softened (temperature {value:.2f}): held-out log-loss {after:.3f} instead of {before:.3f}."
    )


def _solver(C: float, tolerance: float) -> LogisticRegression:
    return LogisticRegression(C=C, tol=tolerance, max_iter=_MAX_ITERATIONS, warm_start=True)


def _softmax_rows(solver: LogisticRegression) -> tuple[FloatArray, FloatArray]:
    """Return one row of weights per label. For two labels, scikit-learn gives only a single row."""
    weight, bias = solver.coef_, solver.intercept_
    if len(weight) == 1:
        return np.vstack([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    return weight, bias


def _log_loss(probabilities: FloatArray, y: npt.NDArray[np.int64]) -> float:
    of_truth = probabilities[np.arange(len(y)), y]
    return float(-np.log(np.clip(of_truth, np.finfo(np.float64).tiny, 1)).mean())
