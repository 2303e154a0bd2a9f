"""Temperature scaling: calibrate confidences with a single temperature, fitted on held-out images.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017. A temperature above 1 lowers confidences
without changing the order of the labels. Temperatures below 1 are not tried: a handful of held-out images without an
error do not justify higher confidences.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray

#: Smallest number of held-out images. With fewer, overconfidence cannot be distinguished from bad luck.
LEAST_IMAGES = 20
MOST = 10.0
_FOLDS = 5


@dataclass(frozen=True)
class Temperature:
    """Fitted temperature, by which logits are divided. It is 1 if no higher value is better.

    ``before`` and ``after`` are mean log-losses of held-out images, without and with a temperature fitted on others.
    ``losses`` are those of each image after it.
    """

    value: float
    before: float
    after: float
    losses: FloatArray = field(repr=False, compare=False)

    @property
    def kept(self) -> bool:
        return self.value != 1.0


def fit_temperature(logits: npt.ArrayLike, truth: npt.ArrayLike, *, random_state: int = 0) -> Temperature:
    """Fit the temperature with the lowest log-loss, or return 1 if it does not help on other images.

    The temperature must lower the log-loss of images that it was not fitted on by more than the standard error of the
    difference. Logits are for images that the model was not trained on. Logarithms of softmax probabilities work as
    well. ``truth`` has the index of each image's label (softmax), or a mask of its labels (sigmoid).
    """
    z, y = np.asarray(logits, dtype=np.float64), np.asarray(truth)
    if z.ndim != 2 or y.shape not in (z.shape[:1], z.shape) or not np.isfinite(z).all():
        raise InputError(
            f"logits must be finite with shape (n, k), got {z.shape}, and truth must have shape (n,) or (n, k), "
            f"got {y.shape}."
        )
    plain = losses(z, y)
    before = float(plain.mean()) if len(z) else float("nan")
    if len(z) < LEAST_IMAGES:
        return Temperature(1.0, before, before, plain)
    fold = np.random.default_rng(random_state).permutation(len(z)) % _FOLDS
    softened = np.empty(len(z))
    for held_out in range(_FOLDS):
        in_fold = fold == held_out
        softened[in_fold] = losses(z[in_fold] / _best(z[~in_fold], y[~in_fold]), y[in_fold])
    gain = plain - softened
    value = _best(z, y)
    if value == 1.0 or gain.mean() <= standard_error(gain):
        return Temperature(1.0, before, before, plain)
    return Temperature(value, before, float(softened.mean()), softened)


def losses(logits: FloatArray, truth: npt.NDArray[np.generic]) -> FloatArray:
    """Compute the log-loss of each image, shape (n,). In the multi-label case, this is the mean over all labels."""
    if truth.ndim == 1:
        top = logits.max(axis=1, keepdims=True)
        normaliser = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        return np.asarray(normaliser - logits[np.arange(len(logits)), truth.astype(np.int64)], dtype=np.float64)
    return np.asarray(np.logaddexp(0, np.where(truth, -logits, logits)).mean(axis=1), dtype=np.float64)


def standard_error(values: FloatArray) -> float:
    """Compute the standard error of the mean of ``values``, which is infinite for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def _best(logits: FloatArray, truth: npt.NDArray[np.generic]) -> float:
    minimum = minimize_scalar(
        lambda power: losses(logits / np.exp(power), truth).mean(), bounds=(0, np.log(MOST)), method="bounded"
    )
    # the search never returns exactly a bound
    return float(np.exp(minimum.x)) if minimum.fun < losses(logits, truth).mean() else 1.0
