"""Stop idle models after a timeout to free their memory."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.durations import read_seconds
from customlabels_nb.errors import InputError

#: Value that turns the timeout off.
NEVER = "never"

#: Timeout of a model that was started without ``idle_stop``.
DEFAULT_SECONDS = math.inf

_HOW = 'Pass a number of seconds, or a string like "90s", "10min", "1h 30min" or "never"'
_MOST_SECONDS = 30 * 24 * 3600.0
_LOOK_SECONDS = 60.0  # longest time for which a thread may outlive the object that it watches


def idle_seconds(idle_stop: str | float) -> float:
    """Convert ``idle_stop`` to a timeout in seconds, which is infinite for "never"."""
    if isinstance(idle_stop, str) and idle_stop.strip().lower() == NEVER:
        return math.inf
    seconds = read_seconds(idle_stop)
    if seconds is None:
        raise InputError(f"idle_stop={idle_stop!r} is not a duration. {_HOW}.")
    if not 0.1 <= seconds <= _MOST_SECONDS:
        raise InputError(f"idle_stop={plain_repr(idle_stop)} must be between 0.1 seconds and 30 days. {_HOW}.")
    return seconds


def format_duration(seconds: float) -> str:
    """Format a duration in human-readable form, such as "90 seconds", "10 minutes" or "1.5 hours"."""
    for size, unit in ((3600.0, "hour"), (60.0, "minute")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:g} {unit}" + ("" if seconds == size else "s")
    return f"{seconds:g} second" + ("" if seconds == 1 else "s")


class Sleeper(Protocol):
    """Object that can be stopped after an idle timeout."""

    def sleep_if_idle(self) -> float | None:
        """Stop if the timeout has expired. Otherwise return the seconds left, or None if there is nothing to watch."""


class IdleWatch:
    """Daemon thread that stops an idle object, to which it holds only a weak reference."""

    def __init__(self, sleeper: Sleeper) -> None:
        self._ended = threading.Event()
        watched: Callable[[], Sleeper | None] = weakref.ref(sleeper)
        thread = threading.Thread(target=_watch, args=(watched, self._ended), name="customlabels_nb idle", daemon=True)
        thread.start()

    def end(self) -> None:
        """Stop watching without waiting for the thread, which may be the caller."""
        self._ended.set()


def _watch(watched: Callable[[], Sleeper | None], ended: threading.Event) -> None:
    while True:
        sleeper = watched()
        remaining = None if sleeper is None or ended.is_set() else sleeper.sleep_if_idle()
        del sleeper
        if remaining is None or ended.wait(min(remaining, _LOOK_SECONDS)):
            return
