"""UI-independent base class for project screens."""

from __future__ import annotations

import threading
from pathlib import Path

from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings

#: Number of steps that a screen can undo.
UNDO_STEPS = 200


class ProjectScreen:
    """Base class for screens that show and change a project, and notify its other screens in this process."""

    def __init__(self, store: SqlStore, root: Path, *, user: str | None = None) -> None:
        self.root = root
        self._store = store
        self._user = user
        self._lock = threading.RLock()

    @property
    def user(self) -> str:
        return self._user or settings.user

    @property
    def project(self) -> str:
        return self._store.project().name

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    def last_action(self) -> int:
        """Return the id of the newest action, which increases with every change to the project."""
        return self._store.last_action()

    def _action(self, what: str, note: str = "") -> Action:
        return Action(what, self.user, note)
