"""Tests of kill -9 during a batch prediction: resuming yields each image once and loses none."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from customlabels_nb.inference.batch import detect_many
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections
from tests.inference.conftest import blots, model_folder
from tests.stress.test_killed import Nursery, nursery

__all__ = ["blots", "model_folder", "nursery"]

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]
KILLS = 4
IMAGES = 120


@pytest.fixture
def place(tmp_path: Path, model_folder: Path, blots: dict[str, list[str]]) -> Path:
    """Return a folder with a model and photos, some of which are invalid."""
    (tmp_path / "model").symlink_to(model_folder)
    (tmp_path / "photos").mkdir()
    data = [Path(path).read_bytes() for paths in blots.values() for path in paths]
    for number in range(IMAGES):
        broken = number % 20 == 7
        (tmp_path / "photos" / f"{number:03}.jpg").write_bytes(b"none" if broken else data[number % len(data)])
    return tmp_path


@pytest.mark.parametrize("name", ["found.jsonl", "found.manifest"])
def test_each_image_is_there_once(nursery: Nursery, place: Path, model_folder: Path, name: str) -> None:
    whole = nursery.run("detect", place / f"whole-{name}")
    rng, progress = random.Random(name), []
    journal = place / f"{name}.journal"
    while len(progress) < KILLS or (len(set(progress)) < 3 and len(progress) < 4 * KILLS):
        slower = 1 + len(progress) // KILLS  # than before: a busy machine takes longer to start
        nursery.run("detect", place / name, kill_after=slower * whole * rng.uniform(0.02, 0.3))
        progress.append(journal.read_bytes().count(b"\n"))
    assert len(set(progress)) >= 3, progress  # the kills happened during the work
    running = Predictor(model_folder)
    running.start("cpu")
    result = detect_many(running, place / "photos", to=place / name, resume=True)
    uninterrupted = detect_many(running, place / "photos", to=place / f"whole-{name}", resume=True)
    running.stop()
    assert isinstance(result, WrittenDetections)
    assert isinstance(uninterrupted, WrittenDetections)
    assert (result.images, result.left, result.found) == (IMAGES, 0, IMAGES - 6)
    key = "image" if name.endswith("jsonl") else "source-ref"
    there = [Path(json.loads(line)[key]).stem for line in (place / name).read_bytes().splitlines()]
    assert there == [f"{number:03}" for number in range(IMAGES) if number % 20 != 7]
    assert [Path(image).stem for image in result.errors["image"]] == ["007", "027", "047", "067", "087", "107"]
    assert result.table()[["image", "label"]].equals(uninterrupted.table()[["image", "label"]])
