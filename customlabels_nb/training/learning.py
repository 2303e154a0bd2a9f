"""What a loop trains and how: the contract of a learner, the options, the state that is kept, the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from customlabels_nb.events import Sample
from customlabels_nb.training.budget import Budget

#: Steps after which a budget of time becomes a number of steps; the first of them only warm up.
PROBE = 10
#: A budget of time never becomes fewer steps.
LEAST_STEPS = 20

_LOWEST_RATE = 0.01


class Learner(Protocol):
    """What a loop trains: it makes batches and computes losses.

    Attributes
    ----------
    network : nn.Module
        On its device.
    identity : dict
        Facts that JSON can hold; a training that was begun with others is not gone on with.
    """

    network: nn.Module
    identity: dict[str, Any]

    def groups(self) -> list[dict[str, Any]]:
        """Groups of parameters for AdamW, each with its ``lr``."""
        ...

    def batch(self, step: int, fraction: float) -> Sequence[Any]:
        """The items of a step's batch, which depend on nothing else; ``fraction`` of the training is over then."""
        ...

    def losses(self, items: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Losses of (a part of) a batch, each a mean over its items; their sum is made small."""
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures of a network, in eval mode, on held-out images; empty without any."""
        ...


@runtime_checkable
class Showing(Protocol):
    """A learner that can show what its network makes of a few images."""

    def samples(self) -> tuple[list[Sample], str]:
        """A few images as of the last :meth:`Learner.validate`, none before; and which these are."""
        ...


@dataclass(frozen=True)
class LoopOptions:
    """How to train.

    Attributes
    ----------
    budget : Budget
    best_steps : int
        How many steps "best" has at most.
    epoch_steps : int
        Steps between two looks at held-out images, each followed by a checkpoint.
    seed : int
    device : str
    metric : str
        The figure of ``validate`` by which the best is known, the higher the better.
    warm_up : int
        Steps until the full learning rate.
    clip : float
        Largest norm of the gradient.
    average : float
        How slowly the average of the weights follows them, 0..1.
    spent : float
        Seconds of the budget that are gone before the first step, for decoding images say.
    expect : callable, optional
        Measures with a network the seconds of a look at held-out images, and of what comes after the training.
    least_steps : int
        A budget of time never becomes fewer.
    """

    budget: Budget
    best_steps: int
    epoch_steps: int
    seed: int = 0
    device: str = "cpu"
    metric: str = "ap50"
    warm_up: int = 40
    clip: float = 10.0
    average: float = 0.995
    spent: float = 0.0
    expect: Callable[[nn.Module], tuple[float, float]] | None = None
    least_steps: int = LEAST_STEPS


@dataclass
class LoopState:
    """How far a training is; what JSON can hold of it.

    Attributes
    ----------
    step : int
        Steps that are finished.
    total : int or None
        Steps in all; None while a budget of time isn't one yet.
    seconds : float
        Wall time so far, that of former sittings included.
    parts : int
        In how many parts a batch goes through the network, as it didn't fit into memory at once.
    history : list of dict
        For each epoch ``step``, ``seconds``, the mean losses and the figures on held-out images.
    sums : dict
        Sums of the losses since the last epoch.
    best_step, best : int or None, float or None
        Where the figure on held-out images was highest, and how high.
    step_seconds : float or None
        What a step takes, once that is known.
    look_seconds, after_seconds : float
        Of a look at held-out images with its checkpoint, and what is kept free for after the training.
    threads : int or None
        Of torch; another number rounds differently.
    """

    step: int = 0
    total: int | None = None
    seconds: float = 0.0
    parts: int = 1
    history: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    best_step: int | None = None
    best: float | None = None
    step_seconds: float | None = None
    look_seconds: float = 0.0
    after_seconds: float = 0.0
    threads: int | None = None


def rate(step: int, total: int | None, warm_up: int) -> float:
    """The share of the full learning rate at a step: a short rise, then half a cosine over the rest of the steps.

    The first :data:`PROBE` steps don't depend on ``total``, which isn't known then.
    """
    if step < PROBE or total is None:
        return min(1.0, (step + 1) / warm_up)
    top = min(warm_up, max(PROBE, total // 4))
    if step < top:
        start = PROBE / warm_up
        return min(1.0, start + (1 - start) * (step + 1 - PROBE) / (top - PROBE))
    return max(_LOWEST_RATE, 0.5 * (1 + math.cos(math.pi * (step - top) / max(1, total - top))))
