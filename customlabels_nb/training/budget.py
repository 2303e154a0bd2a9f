"""Training budgets: parse time limits such as "2min" and track how much of the budget has been spent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from customlabels_nb._utils.arguments import check_integer, plain_repr
from customlabels_nb._utils.durations import read_seconds
from customlabels_nb._utils.text import counted
from customlabels_nb.errors import InputError
from customlabels_nb.events import Event, Events, Progress

#: Budget that trains until held-out images show no further improvement.
BEST = "best"

_HOW = 'Pass seconds, or a string such as "90s", "2min", "1h 30min" or "best"'
_MOST_SECONDS = 30 * 24 * 3600.0
_MOST_STEPS = 10_000_000
_COUNTED = 0.25  # share of a budget that work other than training may take up without a message
_MEASURED = 8  # images


@dataclass(frozen=True)
class Budget:
    """Training budget, either in seconds or in steps. Both attributes are None for "best"."""

    seconds: float | None = None
    steps: int | None = None

    def __str__(self) -> str:
        if self.steps is not None:
            return counted(self.steps, "step")
        return BEST if self.seconds is None else f"{self.seconds:g} s"


class Clock:
    """Clock that tracks how much of the time budget has been spent.

    All work since ``started`` counts, except work that is announced as exceeding the budget. ``asked_about`` contains
    the images to predict with the trained model.
    """

    def __init__(
        self,
        budget: Budget,
        events: Events,
        started: float,
        asked_about: Sequence[str],
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.budget, self.events, self.asked_about = budget, events, asked_about
        self._started, self._now = started, clock

    def spent(self) -> float:
        """Return the seconds since the start, excluding work that was announced as exceeding the budget."""
        return self._now() - self._started

    def reserve(self, doing: str, seconds: float) -> float:
        """Return the seconds to reserve for work, or 0 and a message if it needs over a quarter of the budget."""
        if seconds <= _COUNTED * (self.budget.seconds or math.inf):
            return seconds
        self.events.message(f"{doing} takes about {math.ceil(seconds)} s, beyond the budget of {self.budget}.")
        return 0.0

    def predictions(self, ask: Callable[[Sequence[str]], object], held_out: int) -> tuple[float, float]:
        """Time predictions, and return the seconds for ``held_out`` images and those to reserve for ``asked_about``."""
        few = self.asked_about[:: len(self.asked_about) // _MEASURED + 1]
        ask(few[:1])  # warm-up: the first call loads the network
        started = self._now()
        ask(few)
        each = (self._now() - started) / len(few)
        count = len(self.asked_about)
        return each * held_out, self.reserve(f"Predicting {counted(count, 'image')}", each * count)

    @contextmanager
    def watching(self, phase: str) -> Iterator[None]:
        """Announce work as exceeding the budget if progress events of ``phase`` show that it takes long."""
        begun, beyond, is_known, seen = self._now(), 0.0, False, list[tuple[int, float]]()

        def on_event(event: Event) -> None:
            nonlocal beyond, is_known
            if is_known or not isinstance(event, Progress) or event.phase != phase or event.total is None:
                return
            seen.append((event.done, self._now()))
            before, since = seen[min(len(seen), 2) - 1]  # the time of the first images includes loading the network
            if event.done - before >= _MEASURED:
                expected = (seen[-1][1] - since) / (event.done - before) * (event.total - before)
                beyond, is_known = expected - self.reserve(f"Preparing the {phase}", expected), True

        unsubscribe = self.events.subscribe(on_event)
        try:
            yield
        finally:
            unsubscribe()
        self._started += min(beyond, self._now() - begun)


def parse_budget(budget: str | float | None = None, steps: int | None = None, *, default: str = "2min") -> Budget:
    """Parse a time limit (seconds, or "90s", "2min", "1h 30min" or "best"), or an exact number of ``steps``."""
    if steps is not None:
        steps = check_integer("steps", steps, 1, _MOST_STEPS)
        if budget is not None:
            raise InputError(f"budget={plain_repr(budget)} and steps={steps} exclude each other. Pass only one.")
        return Budget(steps=steps)
    limit = default if budget is None else budget
    if isinstance(limit, str) and limit.strip().lower() == BEST:
        return Budget()
    seconds = read_seconds(limit)
    if seconds is None:
        raise InputError(f"budget={limit!r} is not a duration. {_HOW}.")
    if not math.isfinite(seconds) or not 1 <= seconds <= _MOST_SECONDS:
        raise InputError(f"budget={plain_repr(limit)} must be between 1 second and 30 days.")
    return Budget(seconds=seconds)
