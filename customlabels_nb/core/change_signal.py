"""Notifications of project changes within one process, which update the other screens of a kernel immediately.

Changes by other processes are found by polling the store. A notification only saves waiting for the next poll.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

_lock = threading.Lock()
_listeners: dict[str, list[weakref.WeakMethod[Callable[[], None]]]] = {}


def listen(root: Path, listener: Callable[[], None]) -> Callable[[], None]:
    """Call ``listener`` on each :func:`notify` for the project, and return a function that stops this.

    The listener is a method, whose object is held weakly. It may be called in any thread.
    """
    reference = weakref.WeakMethod(listener)
    with _lock:
        _listeners.setdefault(str(root), []).append(reference)

    def stop() -> None:
        with _lock:
            kept = [other for other in _listeners.get(str(root), []) if other is not reference and other() is not None]
            if kept:
                _listeners[str(root)] = kept
            else:
                _listeners.pop(str(root), None)

    return stop


def notify(root: Path) -> None:
    """Notify the listeners that the project in ``root`` has changed."""
    with _lock:
        references = list(_listeners.get(str(root), ()))
    for reference in references:
        listener = reference()
        if listener is None:
            continue
        try:
            listener()
        except Exception:  # the change is stored, so a screen that misses this notification finds it when polling
            logging.getLogger("customlabels_nb").debug("Could not notify a screen of a change.", exc_info=True)
