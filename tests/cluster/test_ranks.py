from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from customlabels_nb.cluster.ranks import Ranks, ranks
from customlabels_nb.errors import Cancelled, HelperError
from customlabels_nb.events import Events, Message, Progress
from customlabels_nb.training.budget import Budget
from customlabels_nb.training.loop import LoopOptions, LoopState, train
from tests.cluster.plane import Plane


@pytest.fixture(scope="module")
def two() -> Iterator[Ranks]:
    with ranks(2) as found:
        assert found is not None
        yield found


def run(learner: Plane, folder: Path | None = None, *, steps: int = 20, on: Ranks | None = None, events: Events | None = None) -> LoopState:
    options = LoopOptions(Budget(steps=steps), best_steps=40, epoch_steps=5, ranks=on)
    return train(learner, options, events or Events(), folder)

def same(first: Plane, second: Plane) -> bool:
    a, b = first.network.state_dict(), second.network.state_dict()
    return all(torch.equal(a[key], b[key]) for key in a)


def test_all(two: Ranks) -> None:
    alone = Plane(most=4)
    a = run(alone)
    import time
    t=time.time()
    other = Plane()
    b = run(other, on=two)
    print(time.time()-t)
    assert same(alone, other)
    print(a, b)
