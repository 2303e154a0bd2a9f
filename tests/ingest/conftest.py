"""Fixtures of a project to import into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.store import SqlStore, open_store


@pytest.fixture
def project(tmp_path: Path) -> Iterator[cl.Project]:
    """Yield an empty project with room for photos next to it."""
    created = cl.create_project("fruit", tmp_path / "projects")
    yield created
    created.close()


@pytest.fixture
def store(project: cl.Project) -> Iterator[SqlStore]:
    """Yield the store of the project, as another kernel opens it."""
    with closing(open_store(str(project.root / "project.db"))) as opened:
        yield opened


@pytest.fixture
def add(project: cl.Project) -> Callable[..., ImportReport]:
    """Return a function that imports into the project without progress bars."""

    def add_quietly(source: Any, **options: Any) -> ImportReport:
        return project.add_images(source, progress=False, **options)

    return add_quietly
