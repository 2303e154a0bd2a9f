"""How long to train: what people say, and what becomes of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from customlabels_nb._utils.durations import read_seconds
from customlabels_nb.errors import InputError
from customlabels_nb.events import Event, Events, Progress

#: "as good as it gets": until held-out images say that more doesn't help.
BEST = "best"

_HOW = 'give seconds, or a text like "90s", "2min", "1h 30min" or "best"'
_MOST_SECONDS = 30 * 24 * 3600.0
_MOST_STEPS = 10_000_000
_COUNTED = 0.25  # share of a budget that other work than training may take without being announced
_MEASURED = 8  # images


@dataclass(frozen=True)
class Budget:
    """Seconds of training, or a number of steps; neither for "best"."""

    seconds: float | None = None
    steps: int | None = None

    def __str__(self) -> str:
        if self.steps is not None:
            return f"{self.steps:,} steps"
        return BEST if self.seconds is None else f"{self.seconds:g} s"


class Clock:
    """Counts a budget from the call on: all work counts, unless it is announced as beyond the budget.

    ``asked_about`` are the images that the finished model is asked about.
    """

    def __init__(self, budget: Budget, events: Events, started: float, asked_about: Sequence[str]) -> None:
        self.budget, self.events, self.asked_about = budget, events, asked_about
        self._started = started

    def spent(self) -> float:
        """Return the seconds since the call, less what was announced."""
        return time.perf_counter() - self._started

    def reserve(self, doing: str, seconds: float) -> float:
        """Return the seconds to keep free for work, or announce it if it takes more than a quarter of the budget."""
        if seconds <= _COUNTED * (self.budget.seconds or math.inf):
            return seconds
        self.events.message(f"{doing} takes about {math.ceil(seconds)} s, beyond the budget of {self.budget}.")
        return 0.0

    def predictions(self, ask: Callable[[Sequence[str]], object], held_out: int) -> tuple[float, float]:
        """Return the seconds of a look at ``held_out`` images, and those to keep free for ``asked_about``."""
        few = self.asked_about[:: len(self.asked_about) // _MEASURED + 1]
        ask(few[:1])  # loads what it needs
        started = time.perf_counter()
        ask(few)
        each = (time.perf_counter() - started) / len(few)
        count = len(self.asked_about)
        return each * held_out, self.reserve(f"Predicting {count:,} images", each * count)

    @contextmanager
    def watching(self, phase: str) -> Iterator[None]:
        """Announce work if its progress, told as ``phase``, shows after a few images that it takes long."""
        begun, beyond, seen = time.perf_counter(), 0.0, list[tuple[int, float]]()

        def hear(event: Event) -> None:
            nonlocal beyond
            if not isinstance(event, Progress) or event.phase != phase or event.total is None or beyond:
                return
            seen.append((event.done, time.perf_counter()))
            before, since = seen[min(len(seen), 2) - 1]  # the first images wait for the network
            if event.done - before >= _MEASURED:
                expected = (seen[-1][1] - since) / (event.done - before) * (event.total - before)
                beyond = (expected - self.reserve(f"Preparing the {phase}", expected)) or 1e-9

        unsubscribe = self.events.subscribe(hear)
        try:
            yield
        finally:
            unsubscribe()
        self._started += min(beyond, time.perf_counter() - begun)


def parse_budget(budget: str | float | None = None, steps: int | None = None, *, default: str = "2min") -> Budget:
    """What a person asked for.

    Parameters
    ----------
    budget : str or float, optional
        Wall time of training: seconds, or a text like "90s", "2min", "1h 30min"; or "best".
    steps : int, optional
        Instead, exactly so many steps, as a former training tells them: it is repeated.
    default : str
        The budget if neither is given.

    Raises
    ------
    InputError
        If both are given, or one can't be understood.
    """
    if steps is not None:
        if budget is not None:
            raise InputError(f"budget={budget!r} and steps={steps!r}: give one of them.")
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
            raise InputError(f"steps={steps!r} must be a whole number from 1 to {_MOST_STEPS:,}.")
        return Budget(steps=steps)
    given = default if budget is None else budget
    if isinstance(given, str):
        if given.strip().lower() == BEST:
            return Budget()
        seconds = read_seconds(given)
    else:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        seconds = float(given) if is_number else None
    if seconds is None:
        raise InputError(f"budget={given!r} can't be understood; {_HOW}.")
    if not math.isfinite(seconds) or not 1 <= seconds <= _MOST_SECONDS:
        raise InputError(f"budget={given!r} must be from 1 second to 30 days.")
    return Budget(seconds=seconds)
