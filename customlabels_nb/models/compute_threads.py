"""Choose the number of CPU threads for PyTorch by timing.

On a busy machine, two threads can be five times slower than one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.nn import functional

from customlabels_nb.user_settings import CpuShare, settings

_SECONDS = 0.3
_WORTH_IT = 1.1  # required speed-up over a single thread


def fastest_threads(pass_seconds: Callable[[int], float] | None = None) -> int:
    """Return the number of threads with which PyTorch is currently fastest, measured for 0.3 s.

    The result does not exceed PyTorch's current number of threads or ``settings.threads``. Nothing is measured if the
    user has set ``settings.threads``. ``pass_seconds`` returns the duration of a forward pass with the given number of
    threads.
    """
    former = torch.get_num_threads()
    most: int = min(settings.threads, former)
    if most == 1 or not isinstance(settings.threads, CpuShare):
        return most
    measure = pass_seconds or _trial()
    taken = dict.fromkeys(sorted({1, 2, most // 2, most}), 0.0)
    try:
        measure(1)  # the first pass includes one-time setup
        while sum(taken.values()) < _SECONDS:
            for threads in taken:  # alternate, so that other load on the machine affects all measurements
                taken[threads] += measure(threads)
    finally:
        torch.set_num_threads(former)
    return min(taken, key=lambda threads: taken[threads] * (_WORTH_IT if threads > 1 else 1))


@contextmanager
def torch_threads(device: str) -> Iterator[None]:
    """Let PyTorch use the fastest number of threads inside the block if ``device`` is the CPU."""
    former = torch.get_num_threads()
    try:
        if device == "cpu":
            torch.set_num_threads(fastest_threads())
        yield
    finally:
        torch.set_num_threads(former)


def _trial() -> Callable[[int], float]:
    # not a Conv2d, which would draw its weights from the random numbers of the user's program
    kernel = torch.full((32, 32, 3, 3), 1 / (32 * 9))
    batch = torch.ones(2, 32, 28, 28)  # as small as in most layers, where synchronising threads is costly

    def measure(threads: int) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        with torch.inference_mode():
            x = batch
            for _ in range(4):
                x = functional.conv2d(x, kernel, padding=1)
        return time.perf_counter() - started

    return measure
