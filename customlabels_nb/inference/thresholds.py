"""Which of a model's answers count."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.models.artifact import ModelConfig

IntArray = npt.NDArray[np.int64]
Threshold = float | Mapping[str, float] | None


def resolve_thresholds(config: ModelConfig, threshold: Threshold) -> FloatArray:
    """The threshold of each label, shape (k,), in the order of ``config.labels``.

    Parameters
    ----------
    config : ModelConfig
    threshold : float or mapping, optional
        None: each label's own assumed threshold. A number from 0 to 1: that for all. A mapping: by label, those
        that it lacks keep their own.

    Raises
    ------
    LabelError
        If ``threshold`` names a label that the model doesn't know.
    InputError
        If a threshold lies outside 0..1.
    """
    own = {label: config.threshold_of(label) for label in config.labels}
    if isinstance(threshold, Mapping):
        unknown = [label for label in threshold if label not in own]
        if unknown:
            raise LabelError(f"threshold names {unknown[0]!r}; the model's labels are {list(config.labels)!r}.")
        own.update({label: _checked(value, f"threshold[{label!r}]") for label, value in threshold.items()})
    elif threshold is not None:
        own = dict.fromkeys(own, _checked(threshold, "threshold"))
    return np.array([own[label] for label in config.labels], dtype=np.float64)


def check_max_results(max_results: object) -> None:
    """Raise InputError unless it is None or a positive whole number."""
    if max_results is None:
        return
    if isinstance(max_results, bool) or not isinstance(max_results, int | np.integer) or max_results < 1:
        raise InputError(f"max_results={max_results!r} must be a whole number from 1, or None for all.")


def choose(
    labels: IntArray, confidences: FloatArray, thresholds: FloatArray, max_results: int | None = None
) -> IntArray:
    """Positions of what counts, the highest confidence first, of equals the earlier.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Positions among the model's labels.
    confidences : ndarray of float64, shape (n,)
    thresholds : ndarray of float64, shape (k,)
        Of each label; a confidence equal to it counts.
    max_results : int, optional
        No more than these, cut after sorting.
    """
    order = np.argsort(-confidences, kind="stable")
    return order[confidences[order] >= thresholds[labels[order]]][:max_results]


def _checked(value: object, name: str) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"{name}={value!r} must be a number from 0 to 1.")
    number = float(value)
    if number > 1:
        raise InputError(
            f"{name}={value!r} must be a number from 0 to 1 "
            "(the API's MinConfidence is in percent: 80 there is 0.8 here)."
        )
    if math.isnan(number) or number < 0:
        raise InputError(f"{name}={value!r} must be a number from 0 to 1.")
    return number
