"""How a run is going, put together from its events: how far it is, its figures so far, what it said, a few samples."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from customlabels_nb.events import Event, Message, Metrics, Progress, Samples

RUNNING, STOPPING, DONE, STOPPED, FAILED = "running", "stopping", "done", "stopped", "failed"

#: More points of a figure are thinned out to half of them.
MOST_POINTS = 2_000
#: Earlier messages, phases and further figures are forgotten.
MOST_MESSAGES, MOST_PHASES, MOST_METRICS = 500, 50, 40

_WINDOW = 60.0  # seconds from which it is told how long the rest takes
_BETWEEN = 0.25
_SURE_AFTER = 1.0
_PARAMETERS = ("learning_rate", "lr", "seconds")


@dataclass
class Phase:
    """One part of a run.

    Attributes
    ----------
    name, unit : str
    done : int
    total : int or None
    started, heard : float
        Seconds from the beginning of the run.
    """

    name: str
    unit: str
    done: int
    total: int | None
    started: float
    heard: float
    _pace: deque[tuple[float, int]] = field(default_factory=deque, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether all of it is done."""
        return self.total is not None and self.done >= self.total

    def hear(self, event: Progress, now: float) -> None:
        """Take in how far it is."""
        if event.done < self.done:  # it has begun anew
            self.started = now
            self._pace.clear()
        self.done, self.total, self.unit, self.heard = event.done, event.total, event.unit, now
        if not self._pace or now - self._pace[-1][0] >= _BETWEEN:
            self._pace.append((now, event.done))
        while len(self._pace) > 2 and now - self._pace[0][0] > _WINDOW:
            self._pace.popleft()

    def seconds_left(self, now: float) -> float | None:
        """How long the rest takes at the pace of the last minute; None where that can't be told."""
        if self.total is None or not self._pace:
            return None
        since, before = self._pace[0]
        taken = self.heard - since
        if taken < _SURE_AFTER or self.done <= before:
            return None
        return max(0.0, (self.total - self.done) * taken / (self.done - before) - (now - self.heard))


class MetricCurve:
    """One figure over the steps, as ``(step, seconds, value)``; never more than :data:`MOST_POINTS` of them.

    Attributes
    ----------
    name : str
    points : list of tuple
        With growing steps.
    generation : int
        Grows when points that were there before go; otherwise only new ones come after them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[tuple[int, float, float]] = []
        self.generation = 0

    @property
    def kind(self) -> str:
        """ "parameter" for what was set, "loss" for what is learnt by, "figure" for what was measured."""
        if self.name in _PARAMETERS:
            return "parameter"
        measured = self.name.startswith(("val", "held_out", "test"))
        return "loss" if "loss" in self.name.lower() and not measured else "figure"

    @property
    def better(self) -> str:
        """Which values are better, "high" or "low"."""
        return "low" if any(word in self.name.lower() for word in ("loss", "error")) else "high"

    @property
    def best(self) -> tuple[int, float, float] | None:
        """The best point, of equal ones the last, as training keeps it; None unless it was measured."""
        points = [point for point in self.points if math.isfinite(point[2])]
        if self.kind != "figure" or not points:
            return None
        sign = 1 if self.better == "high" else -1
        return max(points, key=lambda point: (sign * point[2], point[0]))

    def add(self, step: int, seconds: float, value: float) -> None:
        """Add a point; where the steps go back, as in a run that goes on from a checkpoint, it replaces later ones."""
        if self.points and step <= self.points[-1][0]:
            self.points = [point for point in self.points if point[0] < step]
            self.generation += 1
        if len(self.points) >= MOST_POINTS:
            best = self.best
            self.points = [point for at, point in enumerate(self.points) if at % 2 == 0 or point is best]
            self.generation += 1
        self.points.append((step, seconds, value))


class TrainingProgress:
    """What is known of a run; listens to its :class:`~customlabels_nb.events.Events`. Safe to use from several threads.

    Parameters
    ----------
    clock : callable, optional
        Seconds from any moment on.

    Attributes
    ----------
    status : str
        "running", "stopping", "done", "stopped" or "failed".
    words : str
        How it ended, in a sentence.
    phases : list of Phase
        In the order in which they were last begun: the last one is under way.
    figures : dict of str to Figure
    messages : list of (float, str)
        The last ones, each with the seconds from the beginning.
    said : int
        How many messages there were in all.
    samples : Samples or None
        The latest.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._ended: float | None = None
        self.lock = threading.RLock()
        self.status, self.words = RUNNING, ""
        self.phases: list[Phase] = []
        self.metrics: dict[str, MetricCurve] = {}
        self.messages: list[tuple[float, str]] = []
        self.said = 0
        self.samples: Samples | None = None

    def hear(self, event: Event) -> None:
        """Take in an event."""
        with self.lock:
            if isinstance(event, Progress):
                self._hear_progress(event)
            elif isinstance(event, Message):
                self.messages.append((self.seconds, event.text))
                del self.messages[:-MOST_MESSAGES]
                self.said += 1
            elif isinstance(event, Metrics):
                self._hear_metrics(event)
            elif isinstance(event, Samples):
                self.samples = event

    def stopping(self) -> None:
        """Somebody asked it to stop."""
        with self.lock:
            if self.status == RUNNING:
                self.status = STOPPING

    def end(self, status: str, words: str = "") -> None:
        """It has ended: "done", "stopped" or "failed"."""
        with self.lock:
            if self._ended is None:
                self._ended = self._clock()
                self.status, self.words = status, words

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended is not None

    @property
    def seconds(self) -> float:
        """From its beginning until now, or until its end."""
        return (self._clock() if self._ended is None else self._ended) - self._began

    @property
    def seconds_left(self) -> float | None:
        """How long the phase under way will take; None where that can't be told."""
        with self.lock:
            return self.phases[-1].seconds_left(self.seconds) if self.phases and not self.is_over else None

    @property
    def history(self) -> pd.DataFrame:
        """All figures so far: figure, step, seconds, value."""
        with self.lock:
            rows = [(curve.name, *point) for curve in self.metrics.values() for point in curve.points]
        return pd.DataFrame(rows, columns=["figure", "step", "seconds", "value"]).astype(
            {"figure": "str", "step": "int64", "seconds": "float64", "value": "float64"}
        )

    @property
    def best(self) -> tuple[str, int, float] | None:
        """The first measured figure with the step and value of its best point; None while there is none."""
        with self.lock:
            for curve in self.metrics.values():
                if (point := curve.best) is not None:
                    return curve.name, point[0], point[2]
        return None

    def _hear_progress(self, event: Progress) -> None:
        now = self.seconds
        phase = next((own for own in self.phases if own.name == event.phase), None)
        if phase is None:
            phase = Phase(event.phase, event.unit, event.done, event.total, started=now, heard=now)
        else:
            self.phases.remove(phase)
        phase.hear(event, now)
        self.phases.append(phase)
        del self.phases[:-MOST_PHASES]

    def _hear_metrics(self, event: Metrics) -> None:
        for name, value in event.values.items():
            curve = self.metrics.get(name)
            if curve is None:
                if len(self.metrics) >= MOST_METRICS:
                    continue
                curve = self.metrics[name] = MetricCurve(name)
            curve.add(event.step, self.seconds, float(value))


def thinned(points: Sequence[tuple[int, float, float]], most: int) -> list[tuple[int, float, float]]:
    """At most about ``most`` of the points, evenly chosen, the first and the last among them."""
    every = -(-len(points) // most) or 1
    chosen = list(points[::every])
    return chosen if not points or chosen[-1] is points[-1] else [*chosen, points[-1]]
