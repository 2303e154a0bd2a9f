"""Pictures of two colors, and trainings in the process of the tests, which has torch loaded already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from customlabels_nb.endpoints.rekognition import version_training
from customlabels_nb.endpoints.served_versions import ServedVersion
from customlabels_nb.project.project import Project
from customlabels_nb.user_settings import settings
from tests.endpoints.rekognition.service import boxed, classified

OUTPUT = {"S3Bucket": "photos", "S3KeyPrefix": "out"}


def paint(folder: Path, count: int = 12, size: tuple[int, int] = (96, 72)) -> list[str]:
    """Write photos, and return their manifest lines with the labels "red" and "blue"."""
    random = np.random.default_rng(3)
    lines = []
    for number in range(count):
        color = [(200, 30, 30), (30, 30, 200)][number % 2]
        pixels = np.clip(random.normal(color, 20, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg", quality=90)
        lines.append(classified(f"{number}.jpg", ["red", "blue"][number % 2]))
    return lines


#: Labels of the pictures of :func:`paint_several`, in turn.
LABELS = ({"red"}, {"blue"}, {"red", "blue"})


def paint_several(folder: Path, count: int = 24, size: tuple[int, int] = (96, 72)) -> list[str]:
    """Write pictures that are red, blue, or both, and return their manifest lines with one or both labels."""
    random = np.random.default_rng(4)
    colors = {"red": (200, 30, 30), "blue": (30, 30, 200)}
    lines = []
    for number in range(count):
        labels = sorted(LABELS[number % 3])
        pixels = np.empty((size[1], size[0], 3))
        for part, label in zip(np.array_split(pixels, len(labels)), labels, strict=True):
            part[:] = random.normal(colors[label], 20, part.shape)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        lines.append(classified(f"{number}.png", *labels))
    return lines


def paint_boxes(folder: Path, count: int = 16) -> list[str]:
    """Write pictures with a red and a blue square each, and return their manifest lines."""
    random = np.random.default_rng(5)
    lines = []
    for number in range(count):
        image = Image.new("RGB", (200, 150), (230, 230, 220))
        boxes = []
        for label, color, left in (("red", (200, 30, 30), 5), ("blue", (30, 30, 200), 105)):
            x, y, side = left + int(random.integers(0, 30)), int(random.integers(5, 80)), int(random.integers(30, 60))
            ImageDraw.Draw(image).rectangle((x, y, x + side - 1, y + side - 1), fill=color)
            boxes.append((label, x, y, side, side))
        image.save(folder / f"{number}.png")
        lines.append(boxed(f"{number}.png", *boxes))
    return lines


def replace_process(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[ServedVersion], object] = lambda version: None
) -> None:
    """Call ``start`` instead of starting the process that trains a version. By default, nothing is trained."""
    monkeypatch.setattr(version_training, "start_process", start)


def train_here(monkeypatch: pytest.MonkeyPatch, steps: int | None = None) -> None:
    """Train in a thread of this process instead of a process of its own, with ``steps`` instead of a time."""
    train = Project.train

    def start(version: ServedVersion) -> None:
        version_training.train_served_version(version_training.training_task(version))

    if steps is not None:
        monkeypatch.setattr(Project, "train", lambda *own, budget, **more: train(*own, steps=steps, **more))
    replace_process(monkeypatch, start)
    monkeypatch.setattr(settings, "threads", 1)  # otherwise a benchmark chooses
