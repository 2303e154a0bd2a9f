"""Word of changes within one process: screens of one kernel follow each other at once.

Other processes are followed by asking the store now and then; this only spares the wait for the next time.
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
    """Call a method whenever :func:`notify` is called for the project in the folder ``root``.

    Parameters
    ----------
    listener : bound method
        Its object isn't kept alive by this. It may be called in any thread.

    Returns
    -------
    callable
        Ends it.
    """
    reference = weakref.WeakMethod(listener)
    with _lock:
        _listeners.setdefault(str(root), []).append(reference)

    def stop() -> None:
        with _lock:
            kept = [own for own in _listeners.get(str(root), []) if own is not reference and own() is not None]
            if kept:
                _listeners[str(root)] = kept
            else:
                _listeners.pop(str(root), None)

    return stop


def notify(root: Path) -> None:
    """Say that the project in this folder was changed."""
    with _lock:
        references = list(_listeners.get(str(root), ()))
    for reference in references:
        listener = reference()
        if listener is None:
            continue
        try:
            listener()
        except Exception:  # the change is stored: a screen that can't hear of it looks again anyway
            logging.getLogger("customlabels_nb").debug("A screen could not be told of a change.", exc_info=True)
