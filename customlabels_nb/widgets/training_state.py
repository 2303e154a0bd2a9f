"""State of a training run, collected from events: phases, metrics, messages and sample predictions."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from customlabels_nb.core.tables import TEXT
from customlabels_nb.events import DONE, Event, Kept, Message, Metrics, Progress, Result, Samples

RUNNING, STOPPING = "running", "stopping"

#: Maximum number of points of a curve. A longer curve is thinned to half.
MOST_POINTS = 2_000
#: Maximum numbers. Older messages and phases, and metrics beyond the limit, are dropped.
MOST_MESSAGES, MOST_PHASES, MOST_METRICS = 500, 50, 40

_WINDOW = 60.0  # seconds that the estimate of the remaining time is based on
_BETWEEN = 0.25
_SURE_AFTER = 1.0
_PARAMETERS = ("learning_rate", "lr", "seconds")


@dataclass
class Phase:
    """One phase of a training run, with its start and its latest event in seconds from the start of the run."""

    name: str
    unit: str
    done: int
    total: int | None
    started: float
    heard: float
    _pace: deque[tuple[float, int]] = field(default_factory=deque, repr=False)

    @property
    def is_over(self) -> bool:
        return self.total is not None and self.done >= self.total

    def receive(self, event: Progress, now: float) -> None:
        if event.done < self.done:  # the phase was restarted
            self.started = now
            self._pace.clear()
        self.done, self.total, self.unit, self.heard = event.done, event.total, event.unit, now
        if not self._pace or now - self._pace[-1][0] >= _BETWEEN:
            self._pace.append((now, event.done))
        while len(self._pace) > 2 and now - self._pace[0][0] > _WINDOW:
            self._pace.popleft()

    def seconds_left(self, now: float) -> float | None:
        """Estimate the remaining seconds at the pace of the last minute, or return None if that is not possible."""
        if self.total is None or not self._pace:
            return None
        since, before = self._pace[0]
        taken = self.heard - since
        if taken < _SURE_AFTER or self.done <= before:
            return None
        return max(0.0, (self.total - self.done) * taken / (self.done - before) - (now - self.heard))


class MetricCurve:
    """One metric over the steps of training, with at most :data:`MOST_POINTS` points.

    ``points`` are tuples ``(step, seconds, value)`` with growing steps. ``generation`` increases when existing points
    are removed. Otherwise, points are only appended.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[tuple[int, float, float]] = []
        self.generation = 0

    @property
    def kind(self) -> str:
        """Kind of the metric: "parameter" (set), "loss" (minimised in training) or "figure" (measured)."""
        if self.name in _PARAMETERS:
            return "parameter"
        measured = self.name.startswith(("val", "held_out", "test"))
        return "loss" if "loss" in self.name.lower() and not measured else "figure"

    @property
    def better(self) -> str:
        """Direction of better values, "high" or "low"."""
        return "low" if any(word in self.name.lower() for word in ("loss", "error")) else "high"

    @property
    def best(self) -> tuple[int, float, float] | None:
        """Best point, the last one of equals like the checkpoint of training. None for curves that are not measured."""
        points = [point for point in self.points if math.isfinite(point[2])]
        if self.kind != "figure" or not points:
            return None
        sign = 1 if self.better == "high" else -1
        return max(points, key=lambda point: (sign * point[2], point[0]))

    def add(self, step: int, seconds: float, value: float) -> None:
        """Add a point. If the step is not larger than the last one (training resumed), later points are replaced."""
        if self.points and step <= self.points[-1][0]:
            self.points = [point for point in self.points if point[0] < step]
            self.generation += 1
        if len(self.points) >= MOST_POINTS:
            best = self.best
            self.points = [point for index, point in enumerate(self.points) if index % 2 == 0 or point is best]
            self.generation += 1
        self.points.append((step, seconds, value))


class TrainingProgress:
    """State of a training run, collected from its :class:`~customlabels_nb.events.Events`. Thread-safe.

    ``status`` is "running", "stopping", "done", "stopped" or "failed". ``words`` describes how the run ended, or is its
    result. ``phases`` are in the order of their latest start, and the last one is in progress. ``messages`` are the
    latest of ``said`` messages, each with the seconds from the start. ``samples`` are the latest sample predictions.
    ``kept`` says which network was kept, if the run has tried another one than the one that it has trained.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._ended: float | None = None
        self.lock = threading.RLock()
        self.status, self.words = RUNNING, ""
        self._result = ""
        self.phases: list[Phase] = []
        self.metrics: dict[str, MetricCurve] = {}
        self.messages: list[tuple[float, str]] = []
        self.said = 0
        self.samples: Samples | None = None
        self.kept = ""

    def receive(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, Progress):
                self._receive_progress(event)
            elif isinstance(event, Result):
                self._result = event.text
            elif isinstance(event, Message):
                self.messages.append((self.seconds, event.text))
                del self.messages[:-MOST_MESSAGES]
                self.said += 1
                if isinstance(event, Kept):
                    self.kept = f"{'' if event.is_trained else 'discarded, '}{event.network} was kept"
            elif isinstance(event, Metrics):
                self._receive_metrics(event)
            elif isinstance(event, Samples):
                self.samples = event

    def stopping(self) -> None:
        """Record that a stop was requested."""
        with self.lock:
            if self.status == RUNNING:
                self.status = STOPPING

    def end(self, status: str, words: str = "") -> None:
        """Record the end of the run with its status "done", "stopped" or "failed"."""
        with self.lock:
            if self._ended is None:
                self._ended = self._clock()
                self.status, self.words = status, words or (self._result if status == DONE else "")

    @property
    def is_over(self) -> bool:
        """True if the run has ended."""
        return self._ended is not None

    @property
    def seconds(self) -> float:
        """Seconds from the start until now, or until the end."""
        return (self._clock() if self._ended is None else self._ended) - self._began

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the end of the current phase, or None if unknown."""
        with self.lock:
            return self.phases[-1].seconds_left(self.seconds) if self.phases and not self.is_over else None

    @property
    def history(self) -> pd.DataFrame:
        """Table of all metrics so far: metric, step, seconds, value."""
        with self.lock:
            rows = [(curve.name, *point) for curve in self.metrics.values() for point in curve.points]
        return pd.DataFrame(rows, columns=["metric", "step", "seconds", "value"]).astype(
            {"metric": TEXT, "step": "int64", "seconds": "float64", "value": "float64"}
        )

    @property
    def best(self) -> tuple[str, int, float] | None:
        """Name, step and value of the best point of the first measured metric. None while there is none."""
        with self.lock:
            for curve in self.metrics.values():
                if (point := curve.best) is not None:
                    return curve.name, point[0], point[2]
        return None

    def _receive_progress(self, event: Progress) -> None:
        now = self.seconds
        phase = next((earlier for earlier in self.phases if earlier.name == event.phase), None)
        if phase is None:
            phase = Phase(event.phase, event.unit, event.done, event.total, started=now, heard=now)
        else:
            self.phases.remove(phase)
        phase.receive(event, now)
        self.phases.append(phase)
        del self.phases[:-MOST_PHASES]

    def _receive_metrics(self, event: Metrics) -> None:
        for name, value in event.values.items():
            curve = self.metrics.get(name)
            if curve is None:
                if len(self.metrics) >= MOST_METRICS:
                    continue
                curve = self.metrics[name] = MetricCurve(name)
            curve.add(event.step, self.seconds, float(value))


def thinned(points: Sequence[tuple[int, float, float]], most: int) -> list[tuple[int, float, float]]:
    """Return about ``most`` evenly spaced points, including the first and the last."""
    every = -(-len(points) // most) or 1
    chosen = list(points[::every])
    return chosen if not points or chosen[-1] is points[-1] else [*chosen, points[-1]]
