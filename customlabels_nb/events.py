"""What long work tells those who watch, and how they ask it to stop.

A worker gets an :class:`Events` and calls :meth:`Events.progress`; a progress bar, a widget or a log
subscribes. Calling :meth:`Events.cancel` from any thread makes the worker's next event raise
:class:`~customlabels_nb.errors.Cancelled`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from customlabels_nb.errors import Cancelled, show_in_one_line

#: Which images samples are of.
HELD_OUT, LEARNT_FROM = "held-out images", "training images"


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` units of ``phase`` are finished; ``total`` is None while it isn't known."""

    phase: str
    done: int
    total: int | None = None
    unit: str = "images"


@dataclass(frozen=True)
class Message:
    """A sentence for people."""

    text: str


@dataclass(frozen=True)
class Metrics:
    """Figures of one step or epoch of training."""

    step: int
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """A label of an image, or of a box in it.

    Attributes
    ----------
    label : str
    box : tuple of float, optional
        left, top, width, height in pixels of the upright image.
    confidence : float, optional
        0..1, of what a model says.
    """

    label: str
    box: tuple[float, float, float, float] | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Sample:
    """One image with what is true of it and what a model says.

    Attributes
    ----------
    image : str
        Its name.
    picture : bytes
        Small, upright, as a JPEG file.
    size : tuple of int
        Width and height of the upright image, in whose pixels the boxes are.
    true, predicted : tuple of Mark
    """

    image: str
    picture: bytes
    size: tuple[int, int]
    true: tuple[Mark, ...] = ()
    predicted: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Samples:
    """What the model says of a few images at a step; later ones take their place.

    Attributes
    ----------
    step : int
    samples : tuple of Sample
    of : str
        Which images they are: :data:`HELD_OUT`, or :data:`LEARNT_FROM` where nothing is held out.
    """

    step: int
    samples: tuple[Sample, ...] = ()
    of: str = HELD_OUT


Event = Progress | Message | Metrics | Samples
Listener = Callable[[Event], None]


class Events:
    """A stream of events from one piece of work to any number of listeners. Safe to use from several threads."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each event from now on; the function returned ends that."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    def cancel(self) -> None:
        """Ask the work to stop at its next event."""
        self._cancelled.set()

    def emit(self, event: Event) -> None:
        """Send an event to all listeners.

        Raises
        ------
        Cancelled
            If :meth:`cancel` was called.
        """
        if self._cancelled.is_set():
            raise Cancelled("Stopped on request; what was finished is kept.")
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    def progress(self, phase: str, done: int, total: int | None = None, unit: str = "images") -> None:
        """Emit a :class:`Progress`."""
        self.emit(Progress(phase, done, total, unit))

    def message(self, text: str) -> None:
        """Emit a :class:`Message`."""
        self.emit(Message(text))

    def metrics(self, step: int, **values: float) -> None:
        """Emit a :class:`Metrics`."""
        self.emit(Metrics(step, values))

    def samples(self, step: int, samples: Iterable[Sample], *, of: str = HELD_OUT) -> None:
        """Emit :class:`Samples`: pictures of what the model sees."""
        self.emit(Samples(step, tuple(samples), of))


@contextmanager
def progress_bars(events: Events, *, show: bool = True) -> Iterator[Events]:
    """Show the events of a ``with`` block as one tqdm bar per phase, figures behind it, messages as lines between.

    An interrupt is shown as one line instead of a traceback, also without bars.
    """
    try:
        with _bars(events) if show else nullcontext():
            yield events
    except KeyboardInterrupt as error:
        show_in_one_line(error, "Stopped by you; what was finished is kept. Call it again for the rest.")
        raise


@contextmanager
def _bars(events: Events) -> Iterator[None]:
    from tqdm.auto import tqdm

    bars: dict[str, Any] = {}
    latest: Any = None

    def listener(event: Event) -> None:
        nonlocal latest
        if isinstance(event, Message):
            tqdm.write(event.text)
        elif isinstance(event, Metrics) and latest is not None:
            latest.set_postfix({name: f"{value:.3g}" for name, value in event.values.items()}, refresh=False)
        elif isinstance(event, Progress):
            bar = bars.get(event.phase)
            if bar is None:
                bar = bars[event.phase] = tqdm(total=event.total, desc=event.phase, unit=f" {event.unit}")
            latest = bar
            bar.total = event.total
            bar.update(event.done - bar.n)
            if event.total is not None and event.done >= event.total:
                bar.close()

    unsubscribe = events.subscribe(listener)
    try:
        yield
    finally:
        unsubscribe()
        for bar in bars.values():
            bar.close()


def say(text: str) -> None:
    """Write one line for the person in front of the notebook, without tearing a progress bar apart."""
    from tqdm.auto import tqdm

    tqdm.write(text)
