"""Slider positions of the results screen: confidence thresholds and, for detectors, the IoU threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb.core.decisions import ASSUMED, MOST_CONFIDENT
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.cross_validation import CROSS_VALIDATED, apply_thresholds, chosen_on_folds, rule_of
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.thresholded import Thresholded

ONE, PER_LABEL = "one", "per label"

#: Assumed threshold for each label, cross-validated thresholds, one threshold for all labels, one per label, or, for
#: single-label models, each image's most confident label without thresholds.
MODES = (ASSUMED, CROSS_VALIDATED, ONE, PER_LABEL, MOST_CONFIDENT)

#: Minimum of the IoU threshold slider.
LEAST_IOU = 0.05


@dataclass(frozen=True)
class Position:
    """Slider positions of the results screen: one threshold for all labels, or ``own`` by label (default: assumed)."""

    mode: str = ASSUMED
    one: float = 0.5
    own: Mapping[str, float] = field(default_factory=dict)
    iou_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"mode={self.mode!r} is not valid. Use one of {MODES!r}.")
        object.__setattr__(self, "one", check_fraction("thresholds", self.one))
        if not isinstance(self.own, Mapping):
            raise InputError(f"own={self.own!r} must be a dict of thresholds by label.")
        for label, value in self.own.items():
            check_fraction(f"thresholds[{label!r}]", value)
        if self.iou_threshold is not None:
            object.__setattr__(self, "iou_threshold", check_fraction("iou_threshold", self.iou_threshold, LEAST_IOU))

    @classmethod
    def of(cls, thresholds: float | Mapping[str, float] | str, iou_threshold: float | None) -> Self:
        """Return the positions for the argument ``thresholds`` of ``evaluate``."""
        if isinstance(thresholds, str):
            return cls(thresholds, iou_threshold=iou_threshold)
        if isinstance(thresholds, Mapping):
            return cls(PER_LABEL, own=dict(thresholds), iou_threshold=iou_threshold)
        return cls(ONE, one=thresholds, iou_threshold=iou_threshold)

    def applied(self, outcomes: Outcomes, folds: Sequence[IntArray] = ()) -> Thresholded:
        """Apply the thresholds and the IoU threshold. ``folds`` has the image positions for cross-validation."""
        outcomes = self.matched(outcomes)
        if self.mode == CROSS_VALIDATED:
            if len(folds) < 2:
                raise NotEnoughDataError("Cannot cross-validate thresholds on a single test image. Add more images.")
            return chosen_on_folds(outcomes, folds)
        by_mode: dict[str, float | Mapping[str, float]] = {ONE: self.one, PER_LABEL: self.own}
        return apply_thresholds(by_mode.get(self.mode, self.mode), outcomes)

    def matched(self, outcomes: Outcomes) -> Outcomes:
        """Match the boxes again at the IoU threshold of this position, if it is set."""
        if self.iou_threshold is None:
            return outcomes
        if not isinstance(outcomes, Boxes):
            raise InputError(
                f"iou_threshold={self.iou_threshold} applies only to detectors. This is a {outcomes.task} model."
            )
        if outcomes.iou_threshold == self.iou_threshold:
            return outcomes
        return outcomes.at_iou_threshold(self.iou_threshold)

    def to_dict(self) -> dict[str, Any]:
        return {"mode": self.mode, "one": self.one, "own": dict(self.own), "iou_threshold": self.iou_threshold}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        return cls(**state)


def position_of(evaluation: Evaluation) -> Position:
    """Return the slider positions that correspond to the thresholds of an evaluation."""
    outcomes = evaluation.outcomes
    return Position.of(rule_of(evaluation.applied), outcomes.iou_threshold if isinstance(outcomes, Boxes) else None)
