"""Fixtures of a new store on each supported database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from customlabels_nb.store import SqlStore, create_store, open_store

Opener = Callable[[], SqlStore]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Yield a function that opens the same store again, like another process."""
    schema = None
    if request.param == "sqlite":
        location = str(tmp_path / "project.db")
    else:
        location, schema = request.getfixturevalue("postgres_url"), f"test_{uuid4().hex[:12]}"
    opened = [create_store(location, "fruit", schema=schema, task="single-label")]

    def open_again() -> SqlStore:
        opened.append(open_store(location, schema=schema))
        return opened[-1]

    yield open_again
    for store in opened[1:]:
        store.close()
    opened[0].destroy()


@pytest.fixture
def store(reopen: Opener) -> SqlStore:
    return reopen()
