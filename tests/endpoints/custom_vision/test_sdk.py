"""Tests of programs with the newest and the oldest SDK that can reach the endpoint, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image, ImageOps

import customlabels_nb as cl
from tests import provision
from tests.endpoints.rekognition.server_process import ServerProcess

pytestmark = pytest.mark.thorough

PROGRAMS = Path(__file__).parent / "programs"
OLDEST = "azure-cognitiveservices-vision-customvision==1.0.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server whose trainings take a few seconds."""
    with ServerProcess(tmp_path_factory.mktemp("sdk"), "--engine", "torch", "--budget", "8s") as server:
        yield server


def run(server: ServerProcess, program: str, *arguments: str | Path, packages: Path | None = None) -> dict[str, Any]:
    """Run a program with the SDK of the tests, or with that in a folder alone, and return the JSON of its last line."""
    environment = {**os.environ, "ENDPOINT": f"{server.url}/", "KEY": "test"}
    isolated = [] if packages is None else ["-S"]
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
    command = [sys.executable, *isolated, str(PROGRAMS / program), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("release", ["newest", "1.0.0"])
def test_a_classifier_is_trained_published_and_asked(
    server: ServerProcess,
    fruit_photos: Path,
    fruit_test_photos: list[Path],
    outer_environment: dict[str, str],
    release: str,
) -> None:
    packages = None
    if release != "newest":
        try:
            packages = provision.get_package(OLDEST, outer_environment)
        except provision.Unavailable as reason:
            pytest.skip(str(reason))
    before = set(cl.list_projects(server.root)["path"])
    answer = run(server, "classifier.py", fruit_photos, fruit_test_photos[0].parent, packages=packages)
    assert (answer["statuses"], answer["again"], answer["count"]) == (["OK"] * 45, "OKDuplicate", 45)
    assert (answer["iteration"], answer["names"]) == ("Iteration 1", ["Completed", "Training"])
    assert (answer["published"], answer["per_tag"], answer["precision"] > 0.5) == (True, 3, True)
    assert [found[0][0] for found in answer["found"].values()] == ["apple", "banana", "orange"]
    for found in answer["found"].values():
        assert sum(probability for _, probability in found) == pytest.approx(1)
        assert len(found) == 3
    refusal = "azure.cognitiveservices.vision.customvision.prediction.models"
    assert answer["refusal"].startswith(refusal)
    assert answer["refusal"].endswith(": NotFoundIteration")
    assert answer["unneeded"] == "BadRequestTrainingNotNeeded"

    (path,) = set(cl.list_projects(server.root)["path"]) - before
    with closing(cl.load_project(path)) as project:
        assert set(project.train_set.labels["label"]) == {"apple", "banana", "orange"}
        assert len(project.versions) == 1
        model = project.model()
        with model.started("cpu", engine="torch"):
            expected = model.detect(fruit_test_photos[0], threshold=0).table.set_index("label")["confidence"]
        assert dict(answer["found"][fruit_test_photos[0].name]) == pytest.approx(expected.to_dict(), abs=1e-3)


def test_a_detector_needs_photos_with_boxes_drawn_by_hand(
    server: ServerProcess, test_data: Path, tmp_path: Path
) -> None:
    fruit = test_data / "fruit-objects"
    before = set(cl.list_projects(server.root)["path"])
    uploaded = run(server, "detector.py", "upload", fruit / "tagged-images.json")
    assert uploaded["successful"]
    assert uploaded["regions"] == 33
    assert uploaded["refusal"].startswith("BadRequestDetectionTrainingValidationFailed")
    assert uploaded["iterations"] == 0

    (path,) = set(cl.list_projects(server.root)["path"]) - before
    with closing(cl.load_project(path)) as project:  # what the annotator stores for boxes drawn on ten photos
        project.import_dataset(mirrored(fruit, tmp_path, 10), copy=True, progress=False)
    drawing = tmp_path / "drawing.jpg"
    answer = run(server, "detector.py", "train", uploaded["project"], fruit / "produce.jpg", drawing)
    assert len(answer["average_precision"]) == 3
    probabilities = [probability for _, probability, _ in answer["found"]]
    assert probabilities == sorted(probabilities, reverse=True)
    with Image.open(drawing) as drawn, Image.open(fruit / "produce.jpg") as photo:
        assert drawn.size == photo.size
        size = photo.size
    with closing(cl.load_project(path)) as project:
        model = project.model()
        with model.started("cpu", engine="torch"):
            expected = model.detect(fruit / "produce.jpg", threshold=0).table.head(5)
    for (label, probability, box), row in zip(answer["found"], expected.itertuples(), strict=False):
        assert (label, probability) == (row.label, pytest.approx(row.confidence, abs=1e-2))
        shares = (row.left / size[0], row.top / size[1], row.width / size[0], row.height / size[1])
        assert (box["left"], box["top"], box["width"], box["height"]) == pytest.approx(shares, abs=1e-2)


def mirrored(folder: Path, to: Path, count: int) -> cl.Dataset:
    """Return mirrored copies of photos with their boxes: those that help most to have 15 boxes of each tag."""
    data = cl.read_dataset(folder / "tagged-images.json")
    boxes_of = data.annotations.groupby("image")["label"].agg(Counter).to_dict()
    needed = Counter({"apple": 6, "orange": 4, "banana": 2})
    names: list[str] = []
    for _ in range(count):
        others = [name for name in boxes_of if name not in names]
        names.append(max(others, key=lambda name: (boxes_of[name] & needed).total()))
        needed -= boxes_of[names[-1]]
    assert not needed
    boxes = data.annotations[data.annotations["image"].isin(names)]
    widths = {}
    for name in names:
        with Image.open(name) as photo:
            ImageOps.mirror(photo.convert("RGB")).save(to / Path(name).name)
            widths[name] = photo.width
    left = boxes["image"].map(widths) - boxes["left"] - boxes["width"]
    renamed = {name: str(to / Path(name).name) for name in names}
    marks = boxes.assign(left=left, image=boxes["image"].map(renamed))
    images = pd.DataFrame({"image": list(renamed.values()), "status": "labelled"})
    return cl.Dataset(images, marks[["image", "label", "left", "top", "width", "height"]], list(data.labels["label"]))
