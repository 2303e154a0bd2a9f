"""What screens of a project have in common, without a screen."""

from __future__ import annotations

import threading
from pathlib import Path

from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore


class ProjectScreen:
    """A project as a screen shows and changes it.

    Parameters
    ----------
    store : SqlStore
    root : Path
        The project's folder: screens of it in this process are told of every change.
    user : str, optional
        Who changes it; ``settings.user`` unless it is given.
    """

    def __init__(self, store: SqlStore, root: Path, *, user: str | None = None) -> None:
        self.root = root
        self._store = store
        self._user = user
        self._lock = threading.RLock()

    @property
    def user(self) -> str:
        """Name of the person who changes the project here."""
        return self._user or settings.user

    @property
    def project(self) -> str:
        """The project's name."""
        return self._store.project().name

    @property
    def read_only(self) -> bool:
        """Whether nothing can be stored here."""
        return self._store.read_only

    def last_action(self) -> int:
        """The id of the newest action: it grows with every change of the project."""
        return self._store.last_action()

    def _action(self, what: str) -> Action:
        return Action(what, self.user)
