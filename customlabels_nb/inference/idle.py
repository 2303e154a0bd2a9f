"""When a model that nobody asks frees its memory."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from customlabels_nb._utils.durations import read_seconds
from customlabels_nb.errors import InputError

#: What turns it off.
NEVER = "never"

_HOW = 'give seconds, or a text like "90s", "10min", "1h 30min", or "never"'
_MOST_SECONDS = 30 * 24 * 3600.0
_LOOK_SECONDS = 60.0  # how long a thread may outlive what it watches


def idle_seconds(idle_stop: str | float) -> float:
    """How long nothing may be asked, in seconds; infinite for "never".

    Raises
    ------
    InputError
        If it can't be understood, or is no span from a tenth of a second to 30 days.
    """
    if isinstance(idle_stop, str):
        if idle_stop.strip().lower() == NEVER:
            return math.inf
        seconds = read_seconds(idle_stop)
    else:
        is_number = isinstance(idle_stop, int | float) and not isinstance(idle_stop, bool)
        seconds = float(idle_stop) if is_number else None
    if seconds is None:
        raise InputError(f"idle_stop={idle_stop!r} can't be understood; {_HOW}.")
    if not 0.1 <= seconds <= _MOST_SECONDS:
        raise InputError(f"idle_stop={idle_stop!r} must be from 0.1 seconds to 30 days; {_HOW}.")
    return seconds


def in_words(seconds: float) -> str:
    """A span as a person says it: "90 seconds", "10 minutes", "1.5 hours"."""
    for size, unit in ((3600.0, "hour"), (60.0, "minute")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:g} {unit}" + ("" if seconds == size else "s")
    return f"{seconds:g} second" + ("" if seconds == 1 else "s")


class Sleeper(Protocol):
    """What can be stopped for idleness."""

    def sleep_if_idle(self) -> float | None:
        """Stop if nothing was asked for long enough; the seconds until it may be so, None if there is no need to."""


class IdleWatch:
    """A thread that stops what isn't asked for. It keeps neither Python from ending nor ``sleeper`` in memory."""

    def __init__(self, sleeper: Sleeper) -> None:
        self._ended = threading.Event()
        watched: Callable[[], Sleeper | None] = weakref.ref(sleeper)
        thread = threading.Thread(target=_watch, args=(watched, self._ended), name="customlabels_nb idle", daemon=True)
        thread.start()

    def end(self) -> None:
        """Watch no longer; doesn't wait for the thread, which may be the caller."""
        self._ended.set()


def _watch(watched: Callable[[], Sleeper | None], ended: threading.Event) -> None:
    while True:
        sleeper = watched()
        left = None if sleeper is None or ended.is_set() else sleeper.sleep_if_idle()
        del sleeper
        if left is None or ended.wait(min(left, _LOOK_SECONDS)):
            return
