"""Confidences that can be trusted: one temperature for all logits, fitted on images that were held out.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017. A temperature above 1 takes confidence
away without changing which label comes first. None below 1 is tried: that a handful of held-out images were all
right is no ground to be surer of the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray

#: Of held-out images; fewer can't tell overconfidence from bad luck.
LEAST_IMAGES = 20
MOST = 10.0
_FOLDS = 5


@dataclass(frozen=True)
class Temperature:
    """What logits are divided by.

    Attributes
    ----------
    value : float
        At least 1; 1 where nothing else does better.
    before, after : float
        The mean log-loss of held-out logits as they are, and divided by a temperature that was fitted on others of
        them.
    losses : ndarray of float64, shape (n,)
        Of which ``after`` is the mean.
    """

    value: float
    before: float
    after: float
    losses: FloatArray = field(repr=False, compare=False)

    @property
    def kept(self) -> bool:
        """Whether it changes anything."""
        return self.value != 1.0


def fit_temperature(logits: npt.ArrayLike, truth: npt.ArrayLike, *, seed: int = 0) -> Temperature:
    """The temperature with the lowest log-loss, or 1 where it does not lower that of images it was not fitted on.

    It has to do so by more than the standard error of the difference.

    Parameters
    ----------
    logits : array of shape (n, k)
        Of images that the model did not learn from. Logarithms of softmax's probabilities do as well.
    truth : array of shape (n,), int, or (n, k), bool
        Each image's label as its position (softmax), or which labels it has (sigmoid).
    seed : int
        Decides which images are looked at together.

    Raises
    ------
    InputError
        If the shapes don't fit together or a logit is NaN or infinite.
    """
    z, y = np.asarray(logits, dtype=np.float64), np.asarray(truth)
    if z.ndim != 2 or y.shape not in (z.shape[:1], z.shape) or not np.isfinite(z).all():
        raise InputError(f"logits {z.shape} must be finite, of shape (n, k), and truth {y.shape} (n,) or (n, k).")
    plain = losses(z, y)
    before = float(plain.mean()) if len(z) else float("nan")
    if len(z) < LEAST_IMAGES:
        return Temperature(1.0, before, before, plain)
    fold = np.random.default_rng(seed).permutation(len(z)) % _FOLDS
    softened = np.empty(len(z))
    for held_out in range(_FOLDS):
        own = fold == held_out
        softened[own] = losses(z[own] / _best(z[~own], y[~own]), y[own])
    gain = plain - softened
    value = _best(z, y)
    if value == 1.0 or gain.mean() <= standard_error(gain):
        return Temperature(1.0, before, before, plain)
    return Temperature(value, before, float(softened.mean()), softened)


def losses(logits: FloatArray, truth: npt.NDArray[np.generic]) -> FloatArray:
    """The log-loss of each image, shape (n,); where an image can have several labels, the mean over all labels."""
    if truth.ndim == 1:
        top = logits.max(axis=1, keepdims=True)
        normaliser = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        return np.asarray(normaliser - logits[np.arange(len(logits)), truth.astype(np.int64)], dtype=np.float64)
    return np.asarray(np.logaddexp(0, np.where(truth, -logits, logits)).mean(axis=1), dtype=np.float64)


def standard_error(values: FloatArray) -> float:
    """Of the mean of ``values``; infinite for a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def _best(logits: FloatArray, truth: npt.NDArray[np.generic]) -> float:
    found = minimize_scalar(
        lambda power: losses(logits / np.exp(power), truth).mean(), bounds=(0, np.log(MOST)), method="bounded"
    )
    # the search never ends exactly on a bound
    return float(np.exp(found.x)) if found.fun < losses(logits, truth).mean() else 1.0
