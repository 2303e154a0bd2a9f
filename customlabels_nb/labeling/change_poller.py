"""Noticing at once that something was done to a project, in whatever cell or process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from customlabels_nb.errors import StoreError
from customlabels_nb.store import Store


class ChangePoller:
    """Calls a function soon after each action, from a thread of its own, while somebody looks.

    Parameters
    ----------
    store : Store
    changed : callable
        Called without arguments.
    every : float
        Seconds between two looks, each of which is one small query.
    patience : float
        Seconds after :meth:`awake` after which nobody looks any more: the thread ends.
    """

    def __init__(
        self, store: Store, changed: Callable[[], object], *, every: float = 0.1, patience: float = 8.0
    ) -> None:
        self._store, self._changed = store, changed
        self._every, self._patience = every, patience
        self._lock = threading.Lock()
        self._until = 0.0
        self._thread: threading.Thread | None = None

    def awake(self) -> None:
        """Say that somebody looks now."""
        with self._lock:
            self._until = time.monotonic() + self._patience
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="customlabels_nb watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End it; :meth:`awake` begins anew."""
        with self._lock:
            self._until = 0.0

    @property
    def is_awake(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def _run(self) -> None:
        seen: int | None = None
        while self._goes_on():
            try:
                newest = self._store.last_action()
                if seen is not None and newest != seen:
                    self._changed()
                seen = newest
            except StoreError:
                break  # it was closed, or is gone
            except Exception:
                logging.getLogger("customlabels_nb").exception("What was done to a project could not be shown.")
            time.sleep(self._every)
        with self._lock:
            if self._thread is threading.current_thread():  # not one that began after this one had ended
                self._thread = None

    def _goes_on(self) -> bool:
        with self._lock:
            if time.monotonic() < self._until:
                return True
            self._thread = None
            return False
