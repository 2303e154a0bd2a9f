"""The classification head: regularised logistic regression on the pooled features of a frozen backbone.

With few images this beats fine-tuning the whole network, in a thousandth of the time. Its one setting, the
strength of the regularisation, is chosen by cross-validated log-loss: sets of images that are told apart easily
want little of it, hard ones much, and the wrong choice makes confidences that can't be trusted.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from customlabels_nb.errors import InputError, NotEnoughDataError

FloatArray = npt.NDArray[np.float64]

#: Inverse strengths that are tried. More than 10 makes near-certain confidences out of a handful of images.
CS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Used where a label has one image only, so that nothing can be held out: a cautious value between the extremes.
DEFAULT_C = 1.0
MAX_FOLDS = 5

_CHOOSING_TOLERANCE = 1e-4  # enough to compare strengths, in a fifth of the time
_TOLERANCE = 1e-8
_MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class FittedHead:
    """A linear head and what cross-validation says of it.

    Attributes
    ----------
    weight : ndarray of float32, shape (k, d)
    bias : ndarray of float32, shape (k,)
        Softmax of ``features @ weight.T + bias`` gives the labels' probabilities.
    C : float
        The inverse strength of the regularisation that was chosen.
    log_loss, accuracy : float or None
        On held-out images; None where a label has only one image.
    out_of_fold : ndarray of float64, shape (n, k), or None
        The probabilities of each training image from a head that did not see it.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    C: float
    log_loss: float | None
    accuracy: float | None
    out_of_fold: FloatArray | None


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
        rows, basis = row_space(x)
        folds = min(MAX_FOLDS, int(counts.min()))
        if folds < 2:
            chosen, held_out = DEFAULT_C, None
        else:
            chosen, held_out = _cross_validate(rows, y, n_labels, folds, seed, sorted(Cs))
        weight, bias = _softmax_rows(_solver(chosen, _TOLERANCE).fit(rows, y))
        if basis is not None:
            weight = weight @ basis.T
    return FittedHead(
        weight.astype(np.float32),
        bias.astype(np.float32),
        float(chosen),
        None if held_out is None else _log_loss(held_out, y),
        None if held_out is None else float((held_out.argmax(axis=1) == y).mean()),
        held_out,
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


def _checked(
    features: npt.ArrayLike, targets: npt.ArrayLike, n_labels: int
) -> tuple[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets)
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


def _cross_validate(
    rows: FloatArray, y: npt.NDArray[np.int64], n_labels: int, folds: int, seed: int, Cs: list[float]
) -> tuple[float, FloatArray]:
    """The strength with the lowest log-loss on held-out rows (of equals the smallest), and its probabilities.

    The strengths are tried in ascending order, each fit starting from the one before, until the loss has risen
    twice in a row: it falls to one minimum and rises again, and the weakest regularisation takes the longest.
    """
    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, y))
    solvers = [_solver(Cs[0], _CHOOSING_TOLERANCE) for _ in splits]
    losses: list[float] = []
    best_held_out: FloatArray | None = None
    for C in Cs:
        held_out = np.empty((len(y), n_labels))
        for solver, (train, test) in zip(solvers, splits, strict=True):
            held_out[test] = solver.set_params(C=C).fit(rows[train], y[train]).predict_proba(rows[test])
        losses.append(_log_loss(held_out, y))
        if best_held_out is None or losses[-1] < min(losses[:-1]):
            best_held_out = held_out
        if len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]:
            break
    assert best_held_out is not None
    return Cs[int(np.argmin(losses))], best_held_out


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
