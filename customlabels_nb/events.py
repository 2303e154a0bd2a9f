"""Events of long-running work: progress, messages, metrics and cancellation.

A worker receives an :class:`Events` and calls :meth:`Events.progress`. A progress bar, widget or log subscribes to it.
Calling :meth:`Events.cancel` from any thread makes the worker's next event raise
:class:`~customlabels_nb.errors.Cancelled`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from customlabels_nb.errors import Cancelled, InputError

#: Sets of images that samples are taken from.
HELD_OUT, LEARNT_FROM = "held-out images", "training images"
#: Ways in which a run ends.
DONE, STOPPED, FAILED = "done", "stopped", "failed"


@dataclass(frozen=True)
class Progress:
    """Progress event: ``done`` of ``total`` units of ``phase`` are finished. ``total`` is None if unknown."""

    phase: str
    done: int
    total: int | None = None
    unit: str = "images"


@dataclass(frozen=True)
class Message:
    """Message event with a sentence for the user."""

    text: str


@dataclass(frozen=True)
class Kept(Message):
    """Message event with the ``network`` that a run keeps, after it has tried another one.

    The metrics of the run are those of the network that it has trained. ``is_trained`` is True if that one is kept.
    """

    network: str = ""
    is_trained: bool = True


@dataclass(frozen=True)
class Result(Message):
    """Message event with the result of a run that has completed, and its report on the test images."""

    report: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Started:
    """Started event of a training run, also of one that is resumed.

    Attributes
    ----------
    name : str
        Name of the version.
    created : datetime
        Time at which the version was created, which stays the same if its training is resumed.
    folder : Path
        Folder of the version.
    parameters : dict
        Options of the run, and the numbers of images.
    """

    name: str
    created: datetime
    folder: Path
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """Ended event of a run: its status "done", "stopped" or "failed", and the reason. It is the last event."""

    status: str
    reason: str = ""


@dataclass(frozen=True)
class Metrics:
    """Metrics event of one training step or epoch."""

    step: int
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """Label of an image, or of a box in it.

    Attributes
    ----------
    label : str
        Name of the label.
    box : tuple of float, optional
        left, top, width, height in pixels of the upright image.
    confidence : float, optional
        Confidence of a prediction, between 0 and 1.
    """

    label: str
    box: tuple[float, float, float, float] | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Sample:
    """Image with its ground truth and predictions.

    Attributes
    ----------
    image : str
        Name of the image.
    picture : bytes
        Small upright JPEG of the image.
    size : tuple of int
        Width and height of the upright image in pixels. Box coordinates refer to this size.
    true, predicted : tuple of Mark
        Ground truth and predictions.
    """

    image: str
    picture: bytes
    size: tuple[int, int]
    true: tuple[Mark, ...] = ()
    predicted: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Samples:
    """Samples event: predictions for a few images at a training step. Each event replaces the previous one.

    Attributes
    ----------
    step : int
        Training step.
    samples : tuple of Sample
        Images with their predictions.
    of : str
        Set that the images are taken from: "held-out images", or "training images" if none are held out.
    """

    step: int
    samples: tuple[Sample, ...] = ()
    of: str = HELD_OUT


Event = Started | Progress | Message | Metrics | Samples | Ended
Listener = Callable[[Event], None]


class Events:
    """Thread-safe stream of events from one task to any number of listeners.

    Parameters
    ----------
    *listeners : callable
        Functions called with each event, in the thread of the task. An exception in a listener ends the task.

    Examples
    --------
    >>> events = cl.Events(print)
    >>> events.progress("training", 1, 10)
    Progress(phase='training', done=1, total=10, unit='images')
    >>> events.cancel()
    >>> events.progress("training", 2, 10)
    Traceback (most recent call last):
    customlabels_nb.errors.Cancelled: ...
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        for listener in listeners:
            self.subscribe(listener)
        self._cancelled = threading.Event()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each event from now on, and return a function that unsubscribes it.

        Raises
        ------
        InputError
            If ``listener`` is not callable.

        Examples
        --------
        >>> events = cl.Events()
        >>> unsubscribe = events.subscribe(print)
        >>> events.message("Loading images")
        Message(text='Loading images')
        >>> unsubscribe()
        """
        if not callable(listener):
            raise InputError(f"listener={listener!r} is not callable. A listener is a function of one event.")
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    def cancel(self) -> None:
        """Cancel the work: the worker's next event raises ``Cancelled``.

        Examples
        --------
        >>> events = cl.Events()
        >>> events.cancel()
        >>> events.message("Loading images")
        Traceback (most recent call last):
        customlabels_nb.errors.Cancelled: ...
        """
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """True if :meth:`cancel` was called.

        Examples
        --------
        >>> cl.Events().is_cancelled
        False
        """
        return self._cancelled.is_set()

    def emit(self, event: Event) -> None:
        """Send an event to all listeners.

        Raises
        ------
        Cancelled
            If :meth:`cancel` was called, unless the event is the result or the end of the run.

        Examples
        --------
        >>> from customlabels_nb.events import Message
        >>> events = cl.Events()
        >>> events.emit(Message("Loading images"))
        """
        if self._cancelled.is_set() and not isinstance(event, Result | Ended):
            raise Cancelled("Stopped on request. Finished work was stored.")
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    def progress(self, phase: str, done: int, total: int | None = None, unit: str = "images") -> None:
        """Send a :class:`Progress` event.

        Examples
        --------
        >>> events = cl.Events()
        >>> unsubscribe = events.subscribe(print)
        >>> events.progress("training", 5, 20, unit="steps")
        Progress(phase='training', done=5, total=20, unit='steps')
        """
        self.emit(Progress(phase, done, total, unit))

    def message(self, text: str) -> None:
        """Send a :class:`Message` event.

        Examples
        --------
        >>> events = cl.Events()
        >>> events.message("Loading images")
        """
        self.emit(Message(text))

    def metrics(self, step: int, **values: float) -> None:
        """Send a :class:`Metrics` event.

        Examples
        --------
        >>> events = cl.Events()
        >>> unsubscribe = events.subscribe(print)
        >>> events.metrics(10, loss=0.25)
        Metrics(step=10, values={'loss': 0.25})
        """
        self.emit(Metrics(step, values))

    def samples(self, step: int, samples: Iterable[Sample], *, of: str = HELD_OUT) -> None:
        """Send a :class:`Samples` event with the model's predictions for a few images.

        Examples
        --------
        >>> from customlabels_nb.events import Mark, Sample
        >>> events = cl.Events()
        >>> sample = Sample("a.jpg", b"", (160, 120), true=(Mark("cat"),), predicted=(Mark("dog", confidence=0.6),))
        >>> events.samples(10, [sample])
        """
        self.emit(Samples(step, tuple(samples), of))


def stream_of(events: Events | Listener | None) -> Events:
    """Return the argument ``events`` as a stream: unchanged, or a new one, with the listener if it is a function."""
    if isinstance(events, Events):
        return events
    return Events() if events is None else Events(events)


def relay(events: Events, phase: str, start: int = 0, total: int | None = None) -> Events:
    """Return events whose progress is passed on as that of a phase."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            events.progress(phase, start + event.done, total or event.total, event.unit)

    return Events(listen)
