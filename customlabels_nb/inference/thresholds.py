"""Decide which predictions of a model for an image are its answers: by threshold, or the most confident label."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import check_fraction, check_integer
from customlabels_nb.core.decisions import ASSUMED, MOST_CONFIDENT, require_single_label
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import LabelError
from customlabels_nb.models.artifact import ModelConfig

IntArray = npt.NDArray[np.int64]
_RULES = "None, a dict by label, 'most confident' or 'assumed'"
Threshold = float | Mapping[str, float] | str | None


def resolve_thresholds(config: ModelConfig, threshold: Threshold, views: int = 1) -> FloatArray | None:
    """Return the threshold of each label, shape (k,), or None if the most confident label is the answer.

    By default, the model's decision applies. Other values are those of :func:`label_thresholds`, or "most confident".
    """
    threshold = config.decision if threshold is None else threshold
    if isinstance(threshold, str) and threshold == MOST_CONFIDENT:
        require_single_label("threshold", config.task)
        return None
    thresholds = label_thresholds(config, threshold, views)
    return np.array([thresholds[label] for label in config.labels], dtype=np.float64)


def label_thresholds(
    config: ModelConfig, threshold: float | Mapping[str, float] | str, views: int = 1, *, name: str = "threshold"
) -> dict[str, float]:
    """Return the threshold of each label, in the order of ``config.labels``.

    "assumed" is the stored threshold of each label, which depends on ``views``. A number applies to all labels. Labels
    that are missing in a mapping keep their stored threshold. Errors give the argument this ``name``.
    """
    thresholds = {label: config.threshold_of(label, views) for label in config.labels}
    if isinstance(threshold, Mapping):
        unknown = [label for label in threshold if label not in thresholds]
        if unknown:
            raise LabelError(f"{name} contains the unknown label {unknown[0]!r}. Labels: {list(config.labels)!r}.")
        return thresholds | {label: check_fraction(f"{name}[{label!r}]", value) for label, value in threshold.items()}
    if isinstance(threshold, str) and threshold == ASSUMED:
        return thresholds
    return dict.fromkeys(thresholds, check_fraction(name, threshold, otherwise=_RULES))


def decision_of(config: ModelConfig, thresholds: FloatArray | None) -> str | dict[str, float]:
    """Return resolved thresholds as JSON values: by label, or "most confident"."""
    return MOST_CONFIDENT if thresholds is None else dict(zip(config.labels, thresholds.tolist(), strict=True))


def check_max_results(max_results: object) -> None:
    if max_results is not None:
        check_integer("max_results", max_results, 1, otherwise="None for all results")


def choose(
    labels: IntArray, confidences: FloatArray, thresholds: FloatArray | None, max_results: int | None = None
) -> IntArray:
    """Return the indices of the answers among the predictions for an image, sorted stably by decreasing confidence.

    These are the predictions that reach their threshold. Without ``thresholds``, it is the most confident one, the
    first if several are.
    """
    if thresholds is None:
        return np.array([confidences.argmax()] if len(confidences) else [], dtype=np.int64)
    order = np.argsort(-confidences, kind="stable")
    return order[confidences[order] >= thresholds[labels[order]]][:max_results]
