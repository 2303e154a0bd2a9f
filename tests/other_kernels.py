"""Let another kernel be faster at a point where that once went wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from customlabels_nb.store import SqlStore
from customlabels_nb.store.database import Database


def before_next_write(monkeypatch: pytest.MonkeyPatch, store: SqlStore, act: Callable[[], object]) -> None:
    """Call ``act`` when the next write to the database of ``store`` is to begin, as if it waited for another writer."""
    write = Database.write

    def late(database: Database, **options: Any) -> AbstractContextManager[Any]:
        if SqlStore(database).location == store.location:
            monkeypatch.setattr(Database, "write", write)
            act()
        return write(database, **options)

    monkeypatch.setattr(Database, "write", late)
