"""The classification head: regularised logistic regression on the pooled features of a frozen backbone.

With few images this beats fine-tuning the whole network, in a thousandth of the time. Its one setting, the
strength of the regularisation, is chosen by cross-validated log-loss: sets of images that are told apart easily
want little of it, hard ones much, and the wrong choice makes confidences that can't be trusted. Where some labels
have many more images than others, the same figure decides whether the images of rare ones count for more.
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

#: Inverse strengths that are tried. More than 10 makes near-certain confidences out of a handful of images.
CS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Used where most labels have one image only, so that nothing can be held out: a cautious value between the extremes.
DEFAULT_C = 1.0
MAX_FOLDS = 5
#: Of more images these many, drawn at random, are enough to choose strength and balance on.
MOST_COMPARED, LEAST_COMPARED_OF_LABEL = 2000, 10
#: How many times the images of the rarest label the most frequent one has before rare labels may count for more.
UNEVEN = 1.5

_CHOOSING_TOLERANCE = 1e-4  # enough to compare strengths, in a fifth of the time
_TOLERANCE, _TOLERANCE_OF_MANY = 1e-8, 1e-5
_MAX_ITERATIONS = 2000
_MOST_DOUBLE = 20_000  # images


@dataclass(frozen=True)
class FittedHead:
    """A linear head and what cross-validation says of it.

    Attributes
    ----------
    weight : ndarray of float32, shape (k, d)
    bias : ndarray of float32, shape (k,)
        Softmax of ``features @ weight.T + bias``, or sigmoid where an image can have several labels, gives the
        labels' probabilities.
    C : float
        The inverse strength of the regularisation that was chosen.
    log_loss, accuracy : float or None
        On held-out images; None where nothing could be held out. Where an image can have several labels: the mean
        over the labels, and the share of images of which every label is right at a threshold of 0.5.
    out_of_fold : ndarray of float64, shape (n, k), or None
        The probabilities of each training image from a head that did not see it; NaN for the only image of a label,
        and for those beyond :data:`MOST_COMPARED` images.
    balance : float
        0: all images count alike; 1: all labels do.
    temperature : float
        What the logits were divided by; weights and biases hold it already.
    notes : tuple of str
        What was decided, and on which figures, in sentences.
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
        """The logits, shape (n, k), of features, shape (n, d)."""
        rows = np.asarray(features, dtype=np.float32)
        return np.asarray(rows @ self.weight.T + self.bias, dtype=np.float32)


def fit_head(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    n_labels: int,
    *,
    seed: int = 0,
    Cs: Sequence[float] = CS,
) -> FittedHead:
    """Fit a head that tells ``n_labels`` labels apart. The same input and seed give the same head.

    Parameters
    ----------
    features : array of shape (n, d)
        Pooled features as the backbone gives them; standardised ones do clearly worse with few images.
    targets : array of int, shape (n,)
        Each image's label as its position, 0 to ``n_labels`` - 1.
    n_labels : int
        At least 2; each needs an image.
    seed : int
        Decides which images are held out together.
    Cs : sequence of float
        The inverse strengths of regularisation to choose from.

    Raises
    ------
    InputError
        If shapes don't fit together, or a feature is NaN or infinite.
    NotEnoughDataError
        If there are fewer than two labels or one of them has no image.
    """
    x, y, counts = _checked(features, targets, n_labels)
    if not Cs or not all(np.isfinite(C) and C > 0 for C in Cs):
        raise InputError(f"Cs={Cs!r} must hold at least one positive number.")
    # A fit of this size is quicker on one thread, and BLAS threads would fight torch's for the cores.
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        # A head that stops a hair short of the optimum is as good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Many labels of few images each are no sign of a regression; the targets were checked.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        compared = rows_to_compare((np.flatnonzero(y == label) for label in range(n_labels)), len(y), seed)
        rows, own = row_space(x[compared])[0], y[compared]
        fold = folds_of(own, n_labels, seed)
        chosen, notes = HeadChoice(DEFAULT_C, 0.0, None), list[str]()
        if fold is not None:
            chosen, notes = choose_balance(partial(_cross_validate, rows, own, n_labels, fold, sorted(Cs)), counts)
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
    return _calibrated(head, held_out, y, seed, notes)


def rows_to_compare(having: Iterable[IntArray], n: int, seed: int) -> IntArray:
    """All of ``n`` images, or some drawn at random, a few of each label among them: shape (m,), ascending.

    ``having`` holds the positions of the images of each label.
    """
    if n <= MOST_COMPARED:
        return np.arange(n, dtype=np.int64)
    rng = np.random.default_rng(seed)
    chosen = np.zeros(n, dtype=bool)
    chosen[rng.choice(n, MOST_COMPARED, replace=False)] = True
    for own in having:
        short = LEAST_COMPARED_OF_LABEL - int(chosen[own].sum())
        if short > 0:
            chosen[rng.permutation(own[~chosen[own]])[:short]] = True
    return np.flatnonzero(chosen)


def folds_of(targets: IntArray, n_labels: int, seed: int) -> IntArray | None:
    """The fold in which each image is held out, shape (n,), the images of each label spread evenly over them.

    The only image of a label is never held out (-1). None where that holds for more than half of the labels: the few
    others say too little.
    """
    counts = np.bincount(targets, minlength=n_labels)
    if 2 * (counts > 1).sum() < n_labels:
        return None
    folds = min(MAX_FOLDS, int(counts.max()))
    fold, rng, place = np.full(len(targets), -1, dtype=np.int64), np.random.default_rng(seed), 0
    for label in np.flatnonzero(counts > 1):
        own = rng.permutation(np.flatnonzero(targets == label))
        fold[own] = (place + np.arange(len(own))) % folds
        place += len(own)
    return fold


def image_weights(targets: IntArray, n_labels: int, balance: float) -> FloatArray:
    """How much each image counts, 1 on the average, shape (n,); see :class:`FittedHead` for ``balance``."""
    counts = np.bincount(targets, minlength=n_labels)
    return np.asarray((len(targets) / (n_labels * counts[targets])) ** balance, dtype=np.float64)


def choose_balance(cross_validate: Callable[[float], HeadChoice], counts: IntArray) -> tuple[HeadChoice, list[str]]:
    """Return the best choice by balance, where labels of so many images are uneven, and why in a sentence."""
    plain = cross_validate(0.0)
    if counts.max() < UNEVEN * counts.min():
        return plain, []
    weighted = cross_validate(1.0)
    note = _uneven_note(counts.min(), counts.max(), plain.loss, weighted.loss)
    return min(plain, weighted, key=lambda choice: choice.loss), [note]


def _uneven_note(fewest: int, most: int, plain: float, weighted: float) -> str:
    metrics = f"held-out log-loss {weighted:.3f} instead of {plain:.3f}"
    if weighted < plain:
        return f"The labels are uneven ({fewest:,} to {most:,} images): images of rare ones count for more, {metrics}."
    return (
        f"The labels are uneven ({fewest:,} to {most:,} images); all images count alike, because counting those of "
        f"rare labels for more would do worse ({metrics})."
    )


def row_space(x: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """``x`` of shape (n, d) in coordinates of the space that its rows span, and the basis (d, n) of that space.

    The best weights under an L2 penalty are combinations of the rows, and turning the coordinates changes
    neither products nor lengths: a problem of n unknowns per label with the very same solution, where n < d.
    Otherwise ``x`` comes back as it is, without a basis.
    """
    if x.shape[0] >= x.shape[1]:
        return x, None
    basis, triangle = np.linalg.qr(x.T)
    return np.ascontiguousarray(triangle.T), basis


def as_rows(features: npt.ArrayLike) -> FloatArray:
    """The features in double precision; of very many images as they are, which take enough memory."""
    rows = np.asarray(features)
    return rows if rows.dtype == np.float32 and len(rows) > _MOST_DOUBLE else rows.astype(np.float64)


def _checked(
    features: npt.ArrayLike, targets: npt.ArrayLike, n_labels: int
) -> tuple[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    x, y = as_rows(features), np.asarray(targets)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise InputError(f"features {x.shape} and targets {y.shape} must have the shapes (n, d) and (n,).")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"features[{row}] has values that are NaN or infinite; leave unreadable images out.")
    if not np.issubdtype(y.dtype, np.integer) or (len(y) and not 0 <= y.min() <= y.max() < n_labels):
        raise InputError(f"targets must be integers from 0 to n_labels - 1 = {n_labels - 1}; got {np.unique(y)}.")
    if n_labels < 2:
        raise NotEnoughDataError(f"A classifier needs images of at least 2 labels; n_labels={n_labels}.")
    counts = np.bincount(y, minlength=n_labels)
    if (counts == 0).any():
        missing = np.flatnonzero(counts == 0).tolist()
        raise NotEnoughDataError(f"No image has the labels at positions {missing}; add images or leave them out.")
    return x, y.astype(np.int64), counts


@dataclass(frozen=True)
class HeadChoice:
    """A strength and a balance, and what a head with them says of held-out images, with its log-loss."""

    C: float
    balance: float
    held_out: FloatArray | None
    loss: float = float("inf")


def _cross_validate(
    rows: FloatArray, y: IntArray, n_labels: int, fold: IntArray, Cs: list[float], balance: float
) -> HeadChoice:
    """The strength with the lowest log-loss on held-out rows (of equals the smallest), and its probabilities.

    The strengths are tried in ascending order, each fit starting from the one before, until the loss has risen
    twice in a row: it falls to one minimum and rises again, and the weakest regularisation takes the longest.
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


def _calibrated(head: FittedHead, held_out: FloatArray, y: IntArray, seed: int, notes: list[str]) -> FittedHead:
    """The head with a temperature, if that makes held-out confidences better, and with its held-out figures."""
    known = ~np.isnan(held_out[:, 0])
    logs = np.log(np.clip(held_out, np.finfo(np.float64).tiny, 1))
    found = fit_temperature(logs[known], y[known], seed=seed)
    if found.kept:
        notes = [*notes, temperature_note(found.value, found.before, found.after)]
        powers = np.exp(logs / found.value)
        held_out = powers / powers.sum(axis=1, keepdims=True)
    return replace(
        head,
        weight=(head.weight / found.value).astype(np.float32),
        bias=(head.bias / found.value).astype(np.float32),
        log_loss=found.after,
        accuracy=float((held_out[known].argmax(axis=1) == y[known]).mean()),
        out_of_fold=held_out,
        temperature=found.value,
        notes=tuple(notes),
    )


def temperature_note(value: float, before: float, after: float) -> str:
    """That confidences were softened, in a sentence."""
    return (
        f"Confidences were softened (temperature {value:.2f}): held-out log-loss {after:.3f} instead of {before:.3f}."
    )


def _solver(C: float, tolerance: float) -> LogisticRegression:
    return LogisticRegression(C=C, tol=tolerance, max_iter=_MAX_ITERATIONS, warm_start=True)


def _softmax_rows(solver: LogisticRegression) -> tuple[FloatArray, FloatArray]:
    """One row of weights per label; scikit-learn gives two labels a single row, their difference."""
    weight, bias = solver.coef_, solver.intercept_
    if len(weight) == 1:
        return np.vstack([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    return weight, bias


def _log_loss(probabilities: FloatArray, y: npt.NDArray[np.int64]) -> float:
    of_truth = probabilities[np.arange(len(y)), y]
    return float(-np.log(np.clip(of_truth, np.finfo(np.float64).tiny, 1)).mean())
