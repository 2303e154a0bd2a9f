"""Fixtures of labelling: images on disk, a small project, a session and a second user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import SqlStore


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of thirty different small images."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(30):
        pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 36), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def project(tmp_path: Path, photos: Path) -> Project:
    """Return a single-label project with these images in train."""
    made = create_project("things", tmp_path, task="single-label")
    made.add_images(photos, progress=False)
    for label in ("apple", "pear"):
        made.labels.add(label)
    return made


@pytest.fixture
def store(project: Project) -> Iterator[SqlStore]:
    """Yield the project's database opened again, like in another kernel."""
    opened = open_project_store(project.root)
    yield opened
    opened.close()


@pytest.fixture
def session(project: Project) -> LabellingSession:
    return another(project, "anna")


def another(project: Project, user: str) -> LabellingSession:
    """Open a session of another user on the same project."""
    return LabellingSession(open_project_store(project.root), project.root, user=user)


def named(session: LabellingSession, *numbers: int) -> list[str]:
    """Return the images called ``<number>.png``."""
    by_number = {int(Path(name).stem): name for name in session.table.names}
    return [by_number[number] for number in numbers]
