"""Tests that files written by a release can be opened and resumed, and give the same detections."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, text

import customlabels_nb as cl
from tests.released.make import KINDS, OUTPUTS, STEPS, TASKS, found_by, tiny_networks

pytestmark = pytest.mark.thorough
RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))
CONFIDENCE, PIXELS = 1e-6, 1e-4


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


@pytest.fixture
def expected(release: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((release / "expected.json").read_text())
    return found


def unpacked(archive: Path, folder: Path) -> Path:
    """Extract an archive and return the folder."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def counts(project: cl.Project) -> dict[str, list[int]]:
    datasets = {"train": project.train_set, "test": project.test_set}
    return {split: [len(data.images), len(data.annotations)] for split, data in datasets.items()}


def same_detections(found: list[list[Any]], kept: list[list[Any]], tolerance: float = CONFIDENCE) -> None:
    """Check that detections equal the stored ones within the tolerance."""
    assert [[row[0] for row in image] for image in found] == [[row[0] for row in image] for image in kept]
    for image, kept_image in zip(found, kept, strict=True):
        for row, kept_row in zip(image, kept_image, strict=True):
            assert row[1] == pytest.approx(kept_row[1], abs=tolerance)
            boxes = [(value, other) for value, other in zip(row[2:], kept_row[2:], strict=True) if other is not None]
            assert all(value == pytest.approx(other, abs=PIXELS) for value, other in boxes)


def images_of(project: cl.Project) -> list[str]:
    return [str(project.root / name) for name in project.test_set.images["image"]]


def test_there_is_a_release() -> None:
    assert RELEASES


@pytest.mark.parametrize("kind", KINDS)
def test_projects_open_and_their_models_detect_the_same(
    release: Path, expected: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    project = cl.load_project(unpacked(release / f"{kind}.zip", tmp_path / kind))
    kept = expected["counts"][kind]
    assert counts(project) == {split: kept[split] for split in ("train", "test")}
    assert (project.task, project.tags["kind"]) == (kind if kind in TASKS else None, kind)
    assert len(project.history) == kept["history"]
    assert project.instructions == "Squares of three colours."
    assert set(project.labels.to_frame()["label"]) == {"red", "green", "blue"}
    assert project.snapshots.list["name"].tolist() == ["as imported"]
    if kind == "polygons":
        assert project.train_set.annotations["polygon"].map(len).eq(4).all()
    model = project.model("first")
    assert model.status == "STOPPED"
    assert model.evaluate().evaluation.figure("f1") == pytest.approx(kept["f1"], abs=1e-9)
    same_detections(found_by(model, images_of(project)), expected["detections"][kind])
    project.labels.rename("red", "crimson")
    project.undo()
    assert counts(project) == {split: kept[split] for split in ("train", "test")}


@pytest.mark.parametrize("task", TASKS)
def test_team_projects_open_in_postgres(
    release: Path, expected: dict[str, Any], task: str, postgres_url: str, tmp_path: Path
) -> None:
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    name = f"kept_{task.replace('-', '_')}"
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(postgres_url).set(database=name)
    kept = create_engine(url)
    try:
        with kept.begin() as connection:
            connection.exec_driver_sql((release / "postgres.sql").read_text().replace("%", "%%"))
        folder = unpacked(release / "team.zip", tmp_path) / task
        project = cl.load_project(folder, store=url.render_as_string(hide_password=False))
        assert counts(project) == {split: expected["counts"][task][split] for split in ("train", "test")}
        project.labels.rename("red", "crimson")
        assert "crimson" in set(project.labels.to_frame()["label"])
        project.undo()
        assert set(project.labels.to_frame()["label"]) == {"red", "green", "blue"}
        project.close()
    finally:
        kept.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def test_a_packed_project_is_unpacked(release: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    project = cl.unpack_project(release / "packed.zip", tmp_path)
    assert counts(project) == {split: expected["counts"]["single-label"][split] for split in ("train", "test")}
    same_detections(found_by(project.model("first"), images_of(project)), expected["detections"]["single-label"])


def test_an_interrupted_training_resumes(release: Path, tmp_path: Path) -> None:
    folder = unpacked(release / "interrupted.zip", tmp_path)
    checkpoint = json.loads((folder / "boxes" / "versions" / "half" / "checkpoints" / "state.json").read_text())
    assert 0 < checkpoint["facts"]["step"] < STEPS
    with tiny_networks(folder / "hub"):
        model = cl.load_project(folder / "boxes").model("half")
        assert model.status == "TRAINING_FAILED"
        model.resume(progress=False)
    assert model.status == "TRAINING_COMPLETED"
    training = json.loads((model.folder / "config.json").read_text())["training"]
    assert training["steps"] == STEPS
    assert training["history"][0] == checkpoint["facts"]["history"][0]


@pytest.mark.parametrize("form", OUTPUTS)
def test_half_written_outputs_resume(release: Path, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = cl.load_model(unpacked(release / "single-label.zip", tmp_path / "project") / "versions" / "first")
    monkeypatch.chdir(unpacked(release / "outputs.zip", tmp_path / "outputs"))
    images = [f"photos/{path.parent.name}/{path.name}" for path in sorted(Path("photos").rglob("*.png"))]
    with model.started("cpu", engine="torch"):
        resumed = model.detect_many(images, to=form, resume=True, progress=False)
        whole = model.detect_many(images, to=f"whole{Path(form).suffix}" if "." in form else "whole", progress=False)
    assert (resumed.images, resumed.left) == (len(images), 0)
    tables = [written.table().assign(image=lambda table: table["image"].map(lambda name: Path(name).name))
              for written in (resumed, whole)]  # fmt: skip
    assert tables[0]["image"].nunique() == len(images)
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=CONFIDENCE)


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_exported_programs_find_the_same(release: Path, expected: dict[str, Any], form: str, tmp_path: Path) -> None:
    folder = unpacked(release / "exports.zip", tmp_path / "exports") / form
    images = images_of(cl.load_project(unpacked(release / "single-label.zip", tmp_path / "project")))
    program = "import json, sys, detect; m = detect.Model(); print(json.dumps([m.detect(i, 0) for i in sys.argv[1:]]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *images], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    found = [[[row["label"], row["confidence"]] for row in image] for image in json.loads(done.stdout)]
    same_detections(found, [[row[:2] for row in image] for image in expected["detections"]["single-label"]], 1e-5)
