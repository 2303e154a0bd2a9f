"""Training options (hyperparameters) with validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from customlabels_nb._utils.arguments import check_random_state
from customlabels_nb._utils.device import choose_device
from customlabels_nb.errors import InputError
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import backbone_named, is_size
from customlabels_nb.models.detector_shape import OWN, check_detector, check_input_size, check_max_boxes
from customlabels_nb.training.budget import Budget, parse_budget
from customlabels_nb.workers.spreading import check_workers

DETECTOR_BUDGET = "2min"


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training run. On a CPU, the same options and images give the same model.

    If None, an option is chosen from the labels (``task``, ``recipe``), the boxes (``input_size``, ``max_boxes``) or
    the machine (``device``). Without a ``budget``, detectors get :data:`DETECTOR_BUDGET` and classifiers are not
    fine-tuned. :func:`customlabels_nb.training.run.with_weights` replaces ``backbone`` (or its size) and ``detector``
    by what is used, with the revision of its weights. ``workers`` processes share the images of each batch. Without
    ``machine_labels``, labels by models were left out.
    """

    random_state: int = 0
    device: str | None = None
    backbone: str = PACKAGED
    task: str | None = None
    recipe: str | None = None
    budget: str | float | None = None
    steps: int | None = None
    detector: str = OWN
    input_size: int | None = None
    max_boxes: int | None = None
    base: str | None = None
    workers: int | None = None
    backend: str | None = None
    shared_filesystem: bool = False
    machine_labels: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "random_state", check_random_state(self.random_state))
        object.__setattr__(self, "steps", self.time().steps)
        if not isinstance(self.budget, str | None):
            object.__setattr__(self, "budget", float(self.budget))
        check_detector(self.detector)
        its_own = self.detector != OWN and self.backbone == self.detector
        if not its_own and not is_size(self.backbone):
            backbone_named(self.backbone)
        object.__setattr__(self, "input_size", check_input_size(self.input_size))
        object.__setattr__(self, "workers", check_workers(self.workers, self.backend))
        object.__setattr__(self, "max_boxes", check_max_boxes(self.max_boxes))
        if self.backend and not self.workers:
            raise InputError(
                f"backend={self.backend!r} requires a number of processes to train with, such as workers=4."
            )
        if self.device is not None:
            choose_device(self.device)

    def time(self) -> Budget:
        """Return the budget for training a network."""
        return parse_budget(self.budget, self.steps, default=DETECTOR_BUDGET)

    @property
    def is_timed(self) -> bool:
        """True if the user passed a budget or a number of steps."""
        return self.budget is not None or self.steps is not None


def options_from(**arguments: Any) -> TrainingOptions:
    """Create options from a user's arguments, replacing None by the defaults."""
    return TrainingOptions(**{name: value for name, value in arguments.items() if value is not None})
