"""Let another kernel be faster at a point where that once went wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from customlabels_nb.store import SqlStore


def before_next_write(monkeypatch: pytest.MonkeyPatch, store: SqlStore, act: Callable[[], object]) -> None:
    """Call ``act`` when the next write transaction of this store is to begin, as while it waits for another writer."""
    write = store._database.write

    def late(**options: Any) -> AbstractContextManager[Any]:
        monkeypatch.setattr(store._database, "write", write)
        act()
        return write(**options)

    monkeypatch.setattr(store._database, "write", late)
