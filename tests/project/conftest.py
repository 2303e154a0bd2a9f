"""Fixtures of small projects of drawn images that a classifier can distinguish, with and without trained versions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from customlabels_nb.project.model import Model
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project, load_project

HOSTILE = ["<img src=x onerror=alert(1)>", '"; DROP TABLE labels; --', "plain"]


def draw(path: Path, label: int, random_state: int) -> None:
    """Draw one of three shapes, a disc, stripes or a triangle, in varying colors."""
    rng = np.random.default_rng([label, random_state])
    ground = Image.fromarray(rng.integers(200, 230, (96, 128, 3), dtype=np.uint8).astype(np.uint8))
    pen, color = ImageDraw.Draw(ground), tuple(int(v) for v in rng.integers(0, 140, 3))
    x, y = (int(v) for v in rng.integers(30, 66, 2))
    if label == 0:
        pen.ellipse((x - 24, y - 24, x + 24, y + 24), fill=color)
    elif label == 1:
        for offset in range(0, 128, 12):
            pen.line((offset + x % 12, 0, offset + x % 12, 96), fill=color, width=4)
    else:
        pen.polygon([(x, y - 28), (x - 28, y + 24), (x + 28, y + 24)], fill=color)
    path.parent.mkdir(parents=True, exist_ok=True)
    ground.save(path)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 8 images each of disc, stripes and triangle."""
    folder = tmp_path_factory.mktemp("shapes")
    for label, name in enumerate(("disc", "stripes", "triangle")):
        for random_state in range(8):
            draw(folder / name / f"{random_state}.png", label, random_state)
    return folder


@pytest.fixture
def project(tmp_path: Path, shapes: Path) -> Project:
    """Return a project with these images in train."""
    made = create_project("shapes", tmp_path)
    made.add_images(shapes, labels_from="folders", progress=False)
    return made


@pytest.fixture
def fruit(tmp_path: Path) -> Iterator[Project]:
    """Yield an empty project with room for photos next to it."""
    made = create_project("fruit", tmp_path / "projects")
    yield made
    made.close()


def train_project(
    folder: Path, pictures: Path, *versions: str, task: str | None = None, copy: bool = False, **options: Any
) -> Project:
    """Create a project with these images in train and test, and versions trained on them."""
    project = create_project("shapes", folder, task=task)
    project.add_images(pictures, labels_from="folders", copy=copy, progress=False)
    project.distribute(test_fraction=0.25)
    for version in versions:
        project.train(version, progress=False, **options)
    project.close()
    return project


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Project:
    """Return a project with one version, "v1". Tests that change it use ``trained_copy``."""
    return train_project(tmp_path_factory.mktemp("trained"), shapes, "v1")


@pytest.fixture
def known_features(project: Project, trained: Project) -> None:
    """Give the project the features of its images, whose computation takes most of the time of a training."""
    shutil.copytree(trained.root / "cache", project.root / "cache")


@pytest.fixture
def trained_copy(trained: Project, tmp_path: Path) -> Project:
    """Return a copy of the trained project that a test may change."""
    shutil.copytree(trained.root, tmp_path / "shapes")
    return load_project(tmp_path / "shapes")


@pytest.fixture
def model(trained_copy: Project) -> Model:
    """Return the version of that copy."""
    return trained_copy.model("v1")
