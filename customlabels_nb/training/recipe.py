"""What a run gives to a recipe, and what a recipe gives back: one way in and out for all kinds of models."""

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


#: Below a version's folder; gone when the training is complete.
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Base:
    """A former version: its name, its folder, and the content hashes of the images it has learnt from."""

    name: str
    folder: Path
    learnt: frozenset[str]


@dataclass(frozen=True)
class TrainingJob:
    """What is to be trained, and where.

    Attributes
    ----------
    plan : TrainingPlan
    options : TrainingOptions
    device : str
        That it trains on.
    root, folder : Path
        Of the project, and of the version: checkpoints lie in the latter.
    events : Events
    base : Base or None
        The version to begin from, if that does better.
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
        """The clock of its budget; of none for a classifier that was given no time."""
        timed = self.options.is_timed or self.plan.kind not in CLASSIFICATION_TASKS
        parts = [self.plan.test] if self.plan.kind == BRANDS else [self.plan.train, self.plan.test]
        images = [image for part in parts for image in part.images["image"]]
        return Clock(self.options.time() if timed else Budget(), self.events, self.started, images)

    @property
    def checkpoints(self) -> Path:
        """The folder for the state of a training that isn't through yet."""
        return self.folder / CHECKPOINTS


@dataclass(frozen=True)
class Predictions:
    """What the finished model says of the images of one dataset that could be read.

    Attributes
    ----------
    images : list of str
    table : DataFrame or None
        image, label, confidence (0..1) and, from detectors, left, top, width, height in pixels; None where the model
        wasn't asked.
    issues : list of Issue
        Why the others could not be.
    """

    images: list[str]
    table: pd.DataFrame | None
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingResult:
    """What came of it.

    Attributes
    ----------
    network : torch.nn.Module
        With the weights to keep.
    config : ModelConfig
        Without thresholds and facts, which the run fills in.
    train, test : Predictions
        Of both datasets.
    facts : dict
        What the recipe chose and found, as JSON can hold it.
    held_out : list of str
        The training images that the network did not learn from.
    """

    network: nn.Module
    config: ModelConfig
    train: Predictions
    test: Predictions
    facts: dict[str, Any]
    held_out: list[str] = field(default_factory=list)
