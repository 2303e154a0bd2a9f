"""Filter predictions by confidence threshold and number of results."""

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


def resolve_thresholds(config: ModelConfig, threshold: Threshold, views: int = 1) -> FloatArray:
    """Return the threshold of each label, shape (k,), in the order of ``config.labels``.

    By default, each label has its assumed threshold, which depends on ``views``. A number applies to all labels. Labels
    that are missing in a mapping keep their assumed threshold.
    """
    thresholds = {label: config.threshold_of(label, views) for label in config.labels}
    if isinstance(threshold, Mapping):
        unknown = [label for label in threshold if label not in thresholds]
        if unknown:
            raise LabelError(f"threshold contains the unknown label {unknown[0]!r}. Labels: {list(config.labels)!r}.")
        thresholds.update({label: _checked(value, f"threshold[{label!r}]") for label, value in threshold.items()})
    elif threshold is not None:
        thresholds = dict.fromkeys(thresholds, _checked(threshold, "threshold"))
    return np.array([thresholds[label] for label in config.labels], dtype=np.float64)


def check_max_results(max_results: object) -> None:
    if max_results is None:
        return
    if isinstance(max_results, bool) or not isinstance(max_results, int | np.integer) or max_results < 1:
        raise InputError(f"max_results={max_results!r} must be a positive integer, or None for all results.")


def choose(
    labels: IntArray, confidences: FloatArray, thresholds: FloatArray, max_results: int | None = None
) -> IntArray:
    """Return the indices of the predictions that reach their threshold, sorted stably by decreasing confidence."""
    order = np.argsort(-confidences, kind="stable")
    return order[confidences[order] >= thresholds[labels[order]]][:max_results]


def _checked(value: object, name: str) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"{name}={value!r} must be a number between 0 and 1.")
    number = float(value)
    if number > 1:
        raise InputError(
            f"{name}={value!r} must be a number between 0 and 1 "
            "(the API's MinConfidence is in percent, so 80 there is 0.8 here)."
        )
    if math.isnan(number) or number < 0:
        raise InputError(f"{name}={value!r} must be a number between 0 and 1.")
    return number
