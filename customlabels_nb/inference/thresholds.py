"""Filter predictions by confidence threshold and number of results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import check_fraction, check_integer
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import LabelError
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
        thresholds.update({label: check_fraction(f"threshold[{label!r}]", value) for label, value in threshold.items()})
    elif threshold is not None:
        thresholds = dict.fromkeys(thresholds, check_fraction("threshold", threshold))
    return np.array([thresholds[label] for label in config.labels], dtype=np.float64)


def check_max_results(max_results: object) -> None:
    if max_results is not None:
        check_integer("max_results", max_results, 1, otherwise="None for all results")


def choose(
    labels: IntArray, confidences: FloatArray, thresholds: FloatArray, max_results: int | None = None
) -> IntArray:
    """Return the indices of the predictions that reach their threshold, sorted stably by decreasing confidence."""
    order = np.argsort(-confidences, kind="stable")
    return order[confidences[order] >= thresholds[labels[order]]][:max_results]
