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
    """Training job: plan, options, device and folders.

    Attributes
    ----------
    plan : TrainingPlan
        Kind of model, labels and images.
    options : TrainingOptions
        Options that the user passed.
    device : str
        Device to train on.
    root, folder : Path
        Project folder and version folder. Checkpoints are stored in the version folder.
    events : Events
        Receives progress, metrics and messages.
    base : Base or None
        Version to start from, if that gives a better model.
    started : float
        Start of the budget, as a value of :func:`time.perf_counter`.
    ranks : Ranks or None
        Processes that share the images of each batch.
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

    @cached_property
    def clock(self) -> Clock:
        """Clock that tracks the time budget. It has no limit for a classifier without a time budget."""
        timed = self.options.is_timed or self.plan.task not in CLASSIFICATION_TASKS
        parts = [self.plan.test] if self.plan.recipe == BRANDS else [self.plan.train, self.plan.test]
        images = [image for part in parts for image in part.images["image"]]
        return Clock(self.options.time() if timed else Budget(), self.events, self.started, images)

    @property
    def checkpoints(self) -> Path:
        """Folder for the checkpoints of an unfinished training run."""
        return self.folder / CHECKPOINTS


@dataclass(frozen=True)
class Predictions:
    """Predictions of the trained model for the readable images of one dataset.

    Attributes
    ----------
    images : list of str
        Images that could be read.
    table : DataFrame or None
        Table with the columns image, label, confidence (between 0 and 1) and, for detectors, left, top, width and
        height in pixels. None if there are no predictions.
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
        Configuration of the model, without the thresholds and facts that the run adds.
    train, test : Predictions
        Predictions for the training images and the test images.
    cross_fitted : Predictions or None
        Predictions for training images, each by a model that was not trained on the image: all images of a
        classifier, or a sample if there are many. None for detectors, and if no image could be held out.
    facts : dict
        JSON-serialisable choices and metrics of the recipe.
    held_out : list of str
        Training images that the network was not trained on.
    """

    network: nn.Module
    config: ModelConfig
    train: Predictions
    test: Predictions
    facts: dict[str, Any]
    held_out: list[str] = field(default_factory=list)
    cross_fitted: Predictions | None = None
