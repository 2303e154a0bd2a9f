"""Temperature scaling: calibrate confidences with one temperature for all logits, fitted on held-out images.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017. A temperature above 1 lowers confidences
without changing the order of the labels. None below 1 is tried: a handful of held-out images without an error do not
justify more confidence in the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray

#: Smallest number of held-out images. Fewer cannot distinguish overconfidence from bad luck.
LEAST_IMAGES = 20
MOST = 10.0
_FOLDS = 5


@dataclass(frozen=True)
class Temperature:
    """Divisor of logits.

    Attributes
    ----------
    value : float
        Temperature, at least 1. It is 1 if no other value is better.
    before, after : float
        Mean log-loss of held-out logits, without and with a temperature that was fitted on other held-out images.
    losses : ndarray of float64, shape (n,)
        Log-losses of which ``after`` is the mean.
    """

    value: float
    before: float
    after: float
    losses: FloatArray = field(repr=False, compare=False)

    @property
    def kept(self) -> bool:
        """True if the temperature differs from 1."""
        return self.value != 1.0


def fit_temperature(logits: npt.ArrayLike, truth: npt.ArrayLike, *, seed: int = 0) -> Temperature:
    """Fit the temperature with the lowest log-loss, or 1 if that does not help on other images.

    It must lower the log-loss of images it was not fitted on by more than the standard error of the difference.

    Parameters
    ----------
    logits : array of shape (n, k)
        Logits of images that the model was not trained on. Logarithms of softmax probabilities work as well.
    truth : array of shape (n,), int, or (n, k), bool
        Position of each image's label (softmax), or which labels each image has (sigmoid).
    seed : int
        Seed of the cross-validation folds.

    Raises
    ------
    InputError
        If the shapes do not match or a logit is NaN or infinite.
    """
    z, y = np.asarray(logits, dtype=np.float64), np.asarray(truth)
    if z.ndim != 2 or y.shape not in (z.shape[:1], z.shape) or not np.isfinite(z).all():
        raise InputError(f"logits {z.shape} must be finite and of shape (n, k), and truth {y.shape} (n,) or (n, k).")
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
    """Compute the log-loss of each image, shape (n,). For several labels per image, it is the mean over all labels."""
    if truth.ndim == 1:
        top = logits.max(axis=1, keepdims=True)
        normaliser = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        return np.asarray(normaliser - logits[np.arange(len(logits)), truth.astype(np.int64)], dtype=np.float64)
    return np.asarray(np.logaddexp(0, np.where(truth, -logits, logits)).mean(axis=1), dtype=np.float64)


def standard_error(values: FloatArray) -> float:
    """Compute the standard error of the mean of ``values``, infinite for a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def _best(logits: FloatArray, truth: npt.NDArray[np.generic]) -> float:
    found = minimize_scalar(
        lambda power: losses(logits / np.exp(power), truth).mean(), bounds=(0, np.log(MOST)), method="bounded"
    )
    # the search never ends exactly on a bound
    return float(np.exp(found.x)) if found.fun < losses(logits, truth).mean() else 1.0
