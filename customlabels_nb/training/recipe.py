"""Input and output types of training recipes, shared by all tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.core.issues import Issue
from customlabels_nb.core.tables import CLASSIFICATION_TASKS
from customlabels_nb.events import Events
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.training.budget import Budget, Clock
from customlabels_nb.training.options import TrainingOptions
from customlabels_nb.training.plan import TrainingPlan
from customlabels_nb.training.tasks import BRANDS
from customlabels_nb.workers.ranks import Ranks

if TYPE_CHECKING:
    from torch import nn


#: Checkpoint folder inside a version's folder, deleted when training is complete.
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Base:
    """Earlier version to start from: its name, its folder and the content hashes of its training images."""

    name: str
    folder: Path
    learnt: frozenset[str]


@dataclass(frozen=True)
class TrainingJob:
    """Training job with its plan, options and folders.

    ``started`` is from :func:`time.perf_counter`. ``run`` is the time at which the version was created. A checkpoint
    with another one is of other data or options.
    """

    plan: TrainingPlan
    options: TrainingOptions
    device: str
    root: Path
    folder: Path
    events: Events
    base: Base | None = None
    started: float = 0.0
    ranks: Ranks | None = None
    run: str = ""

    @cached_property
    def clock(self) -> Clock:
        """Clock that tracks the time budget. It has no limit for a classifier without a time budget."""
        timed = self.options.is_timed or self.plan.task not in CLASSIFICATION_TASKS
        parts = [self.plan.test] if self.plan.recipe == BRANDS else [self.plan.train, self.plan.test]
        images = [image for part in parts for image in part.images["image"]]
        return Clock(self.options.time() if timed else Budget(), self.events, self.started, images)

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS


@dataclass(frozen=True)
class Predictions:
    """Predictions of the trained model for the readable images of one dataset."""

    images: list[str]
    table: pd.DataFrame | None
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training recipe. The config is without the thresholds and facts that the run adds.

    ``cross_fitted`` are predictions for training images, each by a model that was not trained on the image: all images
    of a classifier, or a sample if there are many. None for detectors, and if no image could be held out. ``held_out``
    has training images that the network was not trained on.
    """

    network: nn.Module
    config: ModelConfig
    train: Predictions
    test: Predictions
    facts: dict[str, Any]
    held_out: list[str] = field(default_factory=list)
    cross_fitted: Predictions | None = None
