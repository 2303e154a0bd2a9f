"""How many threads torch computes on: where others use the cores, two can do a fifth of what one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from customlabels_nb.settings import CpuShare, settings

_SECONDS = 0.3
_WORTH_IT = 1.1  # times as fast as fewer threads


def fastest_threads(pass_seconds: Callable[[int], float] | None = None) -> int:
    """Return the number of threads on which torch is fastest now, by a trial of 0.3 s.

    At most torch's present number and ``settings.threads``; these without a trial if ``settings.threads`` was set.
    ``pass_seconds`` tells how long a pass on so many threads takes.
    """
    former, measure = torch.get_num_threads(), pass_seconds or _trial()
    most: int = min(settings.threads, former)
    if most == 1 or not isinstance(settings.threads, CpuShare):
        return most
    taken = dict.fromkeys(sorted({1, 2, most // 2, most}), 0.0)
    try:
        measure(1)  # the first pass prepares the others
        while sum(taken.values()) < _SECONDS:
            for threads in taken:  # in turn, so that what disturbs the machine disturbs all
                taken[threads] += measure(threads)
    finally:
        torch.set_num_threads(former)
    return min(taken, key=lambda threads: taken[threads] * (_WORTH_IT if threads > 1 else 1))


@contextmanager
def torch_threads(device: str) -> Iterator[None]:
    """Let torch compute on the fastest number of threads while the block runs, if it computes on the CPU."""
    former = torch.get_num_threads()
    try:
        if device == "cpu":
            torch.set_num_threads(fastest_threads())
        yield
    finally:
        torch.set_num_threads(former)


def _trial() -> Callable[[int], float]:
    network = nn.Sequential(*(nn.Conv2d(32, 32, 3, padding=1, bias=False) for _ in range(4)))
    batch = torch.ones(2, 32, 28, 28)  # small, as in most layers: threads wait for each other after each of them

    def measure(threads: int) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        with torch.inference_mode():
            network(batch)
        return time.perf_counter() - started

    return measure
