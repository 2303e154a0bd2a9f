"""Input and output of training recipes, the same for all kinds of models."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.core.issues import Issue
from customlabels_nb.evaluation.scores import CLASSIFICATION_TASKS
from customlabels_nb.events import Events
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.training.budget import Budget, Clock
from customlabels_nb.training.kinds import BRANDS
from customlabels_nb.training.options import TrainingOptions
from customlabels_nb.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import nn


#: Folder inside a version's folder, deleted when the training is complete.
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Base:
    """Former version to start from: its name, its folder, and the content hashes of the images it was trained on."""

    name: str
    folder: Path
    learnt: frozenset[str]


@dataclass(frozen=True)
class TrainingJob:
    """Training job: plan, options, device and folders.

    Attributes
    ----------
    plan : TrainingPlan
        Kind of model, labels and images.
    options : TrainingOptions
        Options of the user.
    device : str
        Device to train on.
    root, folder : Path
        Folders of the project and of the version. Checkpoints are stored in the latter.
    events : Events
        Receives progress, metrics and messages.
    base : Base or None
        Version to start from, if that is better.
    started : float
        Start of the budget, as a time of :func:`time.perf_counter`.
    """

    plan: TrainingPlan
    options: TrainingOptions
    device: str
    root: Path
    folder: Path
    events: Events
    base: Base | None = None
    started: float = 0.0

    @cached_property
    def clock(self) -> Clock:
        """Clock of the budget. It has no limit for a classifier without a time budget."""
        timed = self.options.is_timed or self.plan.kind not in CLASSIFICATION_TASKS
        parts = [self.plan.test] if self.plan.kind == BRANDS else [self.plan.train, self.plan.test]
        images = [image for part in parts for image in part.images["image"]]
        return Clock(self.options.time() if timed else Budget(), self.events, self.started, images)

    @property
    def checkpoints(self) -> Path:
        """Folder for the checkpoints of an unfinished training."""
        return self.folder / CHECKPOINTS


@dataclass(frozen=True)
class Predictions:
    """Predictions of the finished model for the readable images of one dataset.

    Attributes
    ----------
    images : list of str
        Images that could be read.
    table : DataFrame or None
        image, label, confidence (0..1) and, from detectors, left, top, width, height in pixels. None if no predictions
        were made.
    issues : list of Issue
        Reasons why other images could not be read.
    """

    images: list[str]
    table: pd.DataFrame | None
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training recipe.

    Attributes
    ----------
    network : torch.nn.Module
        Network with the weights to save.
    config : ModelConfig
        Configuration without thresholds and facts, which the run adds.
    train, test : Predictions
        Predictions for both datasets.
    facts : dict
        Choices and metrics of the recipe, JSON-serialisable.
    held_out : list of str
        Training images that the network was not trained on.
    """

    network: nn.Module
    config: ModelConfig
    train: Predictions
    test: Predictions
    facts: dict[str, Any]
    held_out: list[str] = field(default_factory=list)
