"""A small project of drawn pictures that a classifier can tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project

HOSTILE = ["<img src=x onerror=alert(1)>", '"; DROP TABLE labels; --', "plain"]


def draw(path: Path, label: int, seed: int) -> None:
    """A picture of one of three kinds: a disc, stripes or a triangle, in varying colours."""
    rng = np.random.default_rng([label, seed])
    ground = Image.fromarray(rng.integers(200, 230, (96, 128, 3), dtype=np.uint8).astype(np.uint8))
    pen, colour = ImageDraw.Draw(ground), tuple(int(v) for v in rng.integers(0, 140, 3))
    x, y = (int(v) for v in rng.integers(30, 66, 2))
    if label == 0:
        pen.ellipse((x - 24, y - 24, x + 24, y + 24), fill=colour)
    elif label == 1:
        for offset in range(0, 128, 12):
            pen.line((offset + x % 12, 0, offset + x % 12, 96), fill=colour, width=4)
    else:
        pen.polygon([(x, y - 28), (x - 28, y + 24), (x + 28, y + 24)], fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    ground.save(path)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 8 pictures each of disc, stripes and triangle."""
    folder = tmp_path_factory.mktemp("shapes")
    for label, name in enumerate(("disc", "stripes", "triangle")):
        for seed in range(8):
            draw(folder / name / f"{seed}.png", label, seed)
    return folder


@pytest.fixture
def project(tmp_path: Path, shapes: Path) -> Project:
    """A project with these pictures in train."""
    made = create_project("shapes", tmp_path)
    made.add_images(shapes, auto_label=True, progress=False)
    return made
