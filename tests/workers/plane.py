"""Learner of a plane from random points, with noise from torch's own generator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from customlabels_nb.events import Events
from customlabels_nb.training.loop import OtherRank
from customlabels_nb.workers import ranks
from customlabels_nb.workers.protocol import WorkerJob
from customlabels_nb.workers.ranks import RankTask

BATCH = 8


def take_part(job: WorkerJob) -> Callable[[dict[str, Any], Events], str]:
    """Return what workers run for a rank, and let rank 0 name :func:`plane_rank` too."""
    ranks.FUNCTIONS["plane"] = "tests.workers.plane:plane_rank"
    return ranks.take_part(job)


def plane_rank(task: RankTask) -> OtherRank:
    """Return the work of another process that trains a plane."""
    facts = task.facts["learner"]
    parent, once = facts.pop("parent"), facts.pop("once")
    plane = Plane(**facts, once=once and Path(once))
    plane.parent = parent
    return OtherRank(plane, task)


class Plane:
    """See :class:`customlabels_nb.training.loop.Learner`.

    Parameters
    ----------
    most : int
        Largest number of items that fit into memory at once.
    roomy : bool
        Whether that limit only applies to processes other than the parent.
    die_at : int
        Step at which a process other than the parent kills itself, once if a file ``once`` is given.
    fail : str
        Message of an error that is raised instead.
    """

    def __init__(
        self, *, most: int = BATCH, die_at: int = -1, once: Path | None = None, fail: str = "", roomy: bool = False
    ) -> None:
        self.facts = {"most": most, "die_at": die_at, "once": once, "fail": fail, "roomy": roomy}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self.network: nn.Module = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 1), nn.Linear(1, 1))
        self.identity: dict[str, Any] = {"plane": 1}
        self.batch_size = BATCH
        self.most, self.die_at, self.once, self.fail, self.roomy = most, die_at, once, fail, roomy
        self.parent = os.getpid()

    def for_ranks(self) -> RankTask:
        return RankTask("plane", {**self.facts, "parent": self.parent})

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.network.parameters()), "lr": 0.05}]

    def batch(self, step: int, fraction: float, slots: Iterable[int] | None = None) -> list[torch.Tensor]:
        if step == self.die_at and os.getpid() != self.parent:
            if self.fail:
                raise ValueError(self.fail)
            if self.once is None or not self.once.exists():
                if self.once is not None:
                    self.once.touch()
                os.kill(os.getpid(), 9)
        points = torch.randn(BATCH, 3, generator=torch.Generator().manual_seed(step)) * (1 + fraction)
        return [points[slot] for slot in (range(BATCH) if slots is None else slots)]

    def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        if len(items) > self.most and not (self.roomy and os.getpid() == self.parent):
            raise MemoryError
        x = torch.stack(list(items))
        found = self.network[:3](x)  # the last layer never gets a gradient
        noise = 0.1 * torch.randn(len(items), 1)
        return {"square": ((found - x.sum(dim=1, keepdim=True) - noise) ** 2).mean(), "size": 1e-3 * found.abs().mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {"ap50": 0.5}
