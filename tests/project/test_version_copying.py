"""Tests of copying a version to another project, complete or with an accurate status, and of refused deletions."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from customlabels_nb.core.version_status import VERSION_STATUSES
from customlabels_nb.errors import (
    ArtifactError,
    Cancelled,
    InputError,
    ModelNotFoundError,
    ModelNotReadyError,
    NotAllowedError,
    ProjectNameError,
    ProjectNotFoundError,
)
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.model import Model
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project, load_project
from customlabels_nb.store import Action
from tests.facts import tells
from tests.project.conftest import train_project

COPY_AND_WAIT = """
import sys, time, customlabels_nb as cl
events = cl.Events()
def wait(event):
    if getattr(event, "phase", "") == "copying" and event.done >= 1:
        print("copying", flush=True)
        time.sleep(600)
events.subscribe(wait)
cl.load_project(sys.argv[1]).model("v1").copy_to(sys.argv[2], progress=False, events=events)
"""
#: Files named after the project and the version, or containing the project's name.
REBUILT = ("evaluation", "card.md")
#: Files that name images.
RELOCATED = ("train.manifest", "test.manifest", "images.json", "predictions.npz", "predictions_train.npz",
             "predictions_cross_fitted.npz", "snapshots.json")  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Project:
    """Return a project with copies of images in its own folder, and one version."""
    project = load_project(train_project(tmp_path_factory.mktemp("copied"), shapes, "v1", copy=True).root)
    project.model("v1").describe("the first")
    project.close()
    return project


@pytest.fixture
def project(trained_copy: Project) -> Project:
    return trained_copy


@pytest.fixture
def other(tmp_path: Path) -> Project:
    return create_project("other", tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_copy_is_complete_and_usable(project: Project, model: Model, other: Project) -> None:
    (model.folder / "mine").mkdir()
    (model.folder / "mine" / "notes.txt").write_text("kept")
    (model.folder / ".0123456789ab.part").write_text("half written")
    (model.folder / "held_out.json").write_text(json.dumps([project.train_set.images["image"].iloc[0]]))
    copy = model.copy_to(other, progress=False)
    assert (copy.name, copy.status) == ("v1", "COPYING_COMPLETED")
    assert tells(copy.status_message, "'shapes'")
    assert copy.folder == other.root / "versions" / "v1"
    before, after = contents(model.folder), contents(copy.folder)
    for name in before:
        if not name.startswith((*REBUILT, *RELOCATED, "held_out", "learnt", ".0123")):
            assert after[name] == before[name], name
    assert not any(name.endswith(".part") for name in after)
    assert "evaluation/EvaluationResultSummary-other-v1.json" in after
    assert not any("-shapes-" in name for name in after)
    assert b"It belongs to the project other" in after["card.md"]

    row = other.versions.iloc[0]
    assert (row["name"], row["task"], row["description"], row["alias"]) == ("v1", "single-label", "the first", None)
    assert row["f1"] == model.record.metrics["f1"]
    assert other.model("latest").name == "v1"
    pd.testing.assert_frame_equal(copy.evaluate().summary, model.evaluate().summary)
    image = project.root / project.test_set.images["image"].iloc[0]
    with copy.started(), model.started():
        assert copy.detect(image).response == model.detect(image).response
    assert copy.status == "STOPPED"
    copy.publish("shape-classifier")
    assert other.model("shape-classifier").thresholds == model.thresholds
    copy.set_thresholds({"disc": 1.0})
    assert model.thresholds["disc"] < 1
    assert "copy version" in other.history["what"].tolist()
    copy.delete(confirm=True)
    assert other.versions.empty
    assert model.status == "STOPPED"
    assert (model.folder / "mine" / "notes.txt").read_text() == "kept"


def test_copied_version_finds_its_images(project: Project, model: Model, other: Project) -> None:
    first = project.train_set.images["image"].iloc[0]
    assert first.startswith("images/")
    (model.folder / "held_out.json").write_text(json.dumps([first]))
    copy = model.copy_to(other, progress=False)
    per_image = copy.evaluate().per_image
    assert all(Path(image).is_file() and Path(image).is_absolute() for image in per_image["image"])
    assert json.loads((copy.folder / "held_out.json").read_text()) == [str(project.root / first)]
    back = copy.copy_to(project, "back", progress=False)
    assert contents(back.folder)["images.json"] == contents(model.folder)["images.json"]
    assert set(back.evaluate().per_image["image"]) == set(model.evaluate().per_image["image"])


def test_by_folder_and_under_another_name_also_in_the_same_project(
    project: Project, model: Model, other: Project
) -> None:
    copy = model.copy_to(other.root, "taken over", progress=False)
    assert other.model("taken over").status == copy.status == "COPYING_COMPLETED"
    twin = model.copy_to(project, "v2", progress=False)
    assert project.versions["name"].tolist() == ["v1", "v2"]
    assert set(twin.evaluate().per_image["image"]) == set(model.evaluate().per_image["image"])
    assert project.compare("v1", "v2").metric("f1")["delta"] == 0


def test_uncopyable_version_is_refused_before_writing(
    project: Project, model: Model, other: Project, tmp_path: Path
) -> None:
    with pytest.raises(NotAllowedError, match="already"):
        model.copy_to(project)
    model.copy_to(other, progress=False)
    with pytest.raises(NotAllowedError, match="already"):
        model.copy_to(other)
    with pytest.raises(ProjectNameError):
        model.copy_to(other, "../v2")
    with pytest.raises(ProjectNotFoundError):
        model.copy_to(tmp_path)
    with pytest.raises(InputError, match="project=3"):
        model.copy_to(3)
    (model.folder / "weights").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match=r"'weights' .* is a link"):
        model.copy_to(other, "v2")
    (model.folder / "weights").unlink()
    (model.folder / "config.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"config\.json"):
        model.copy_to(other, "v2")
    store = open_project_store(project.root)
    store.update_version("v1", status="TRAINING_FAILED", status_message="No.")
    with pytest.raises(ModelNotReadyError):
        model.copy_to(other, "v2")
    store.update_version("v1", status="STOPPED", folder="versions/../images")
    with pytest.raises(NotAllowedError, match="Nothing was copied"):
        model.copy_to(other, "v2")
    assert other.versions["name"].tolist() == ["v1"]
    assert [path.name for path in (other.root / "versions").iterdir()] == ["v1"]


def test_damaged_snapshot_fails_the_copy_with_a_message(model: Model, other: Project) -> None:
    (model.folder / "predictions.npz").write_bytes(b"no zip")
    with pytest.raises(ArtifactError, match=r"predictions\.npz' is missing or damaged"):
        model.copy_to(other, progress=False)
    failed = other.model("v1")
    assert failed.status == "COPYING_FAILED"
    assert "is missing or damaged" in failed.status_message
    failed.delete(confirm=True)
    assert other.versions.empty


def test_stopped_copy_is_reported_and_repeated(model: Model, other: Project) -> None:
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == "copying" and event.done >= 2:
            events.cancel()

    events.subscribe(stop)
    with pytest.raises(Cancelled):
        model.copy_to(other, progress=False, events=events)
    stopped = other.model("v1")
    assert stopped.status == "COPYING_FAILED"
    assert tells(stopped.status_message, "project.model('v1').delete()")
    assert not stopped.folder.exists()
    assert (stopped.record.host, stopped.record.pid) == (None, None)
    with pytest.raises(ModelNotReadyError, match="Stopped by you"):
        stopped.start()
    with pytest.raises(NotAllowedError, match="can be resumed"):
        stopped.resume()
    with pytest.raises(ModelNotFoundError):
        other.model("latest")
    assert model.copy_to(other, progress=False).status == "COPYING_COMPLETED"
    assert other.versions["status"].tolist() == ["COPYING_COMPLETED"]


def test_copy_of_a_killed_kernel_is_settled(project: Project, model: Model, other: Project) -> None:
    command = [sys.executable, "-c", COPY_AND_WAIT, str(project.root), str(other.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any("copying" in line for line in process.stdout)
        running = load_project(other.root).model("v1")
        assert running.status == "COPYING_IN_PROGRESS"
        assert tells(running.status_message, "'shapes'")
        with pytest.raises(NotAllowedError, match="COPYING_IN_PROGRESS"):
            running.delete(confirm=True)
        with pytest.raises(NotAllowedError, match="already"):
            model.copy_to(other)
        process.kill()
        process.wait()
    failed = load_project(other.root).model("v1")
    assert failed.status == "COPYING_FAILED"
    assert "Copy it again" in failed.status_message
    assert failed.folder.is_dir()
    again = model.copy_to(other.root, progress=False)
    assert again.status == "COPYING_COMPLETED"
    assert not any(name.endswith(".part") for name in contents(again.folder))
    with again.started():
        assert again.status == "RUNNING"


def test_a_full_disk_fails_the_copy_and_leaves_nothing(model: Model, other: Project) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, before[1]))  # bytes per file: less than the weights
    try:
        with pytest.raises(ArtifactError, match="Cannot copy"):
            model.copy_to(other, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    failed = other.model("v1")
    assert failed.status == "COPYING_FAILED"
    assert "Cannot copy" in failed.status_message
    assert not failed.folder.exists()


# -- deletion ---------------------------------------------------------------------------------------------
BUSY = ("TRAINING_IN_PROGRESS", "STARTING", "RUNNING", "STOPPING", "COPYING_IN_PROGRESS")


@pytest.mark.parametrize("status", VERSION_STATUSES)
def test_only_idle_versions_are_deleted(
    status: str, trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = create_project("busy", tmp_path)
    record = load_project(trained.root).model("v1").record
    open_project_store(project.root).add_version(replace(record, status=status), Action("test", "me"))
    (project.root / "versions" / "v1").mkdir(parents=True)
    model = project.model("v1")
    if status in BUSY:
        with pytest.raises(NotAllowedError, match=f"'v1' cannot be deleted while it is {status}"):
            model.delete(confirm=True)
        for verb, refused in (
            ("deleted", lambda: project.delete(confirm=True)),
            ("renamed", lambda: project.rename("x")),
        ):
            with pytest.raises(NotAllowedError, match=f"cannot be {verb}: its version 'v1' is {status}"):
                refused()
        assert model.folder.is_dir()
        return
    monkeypatch.setattr("builtins.input", lambda question: "no")
    with pytest.raises(NotAllowedError, match="Not confirmed"):
        model.delete()
    with pytest.raises(NotAllowedError, match="Not confirmed"):
        project.delete()

    def nobody(question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(NotAllowedError, match="confirm=True"):
        model.delete()
    folder = model.folder
    assert folder.is_dir()
    model.delete(confirm=True)
    assert not folder.exists()
    project.delete(confirm=True)
    assert not project.root.exists()


def test_deleting_a_project_never_takes_the_pictures_of_others(trained: Project, tmp_path: Path, shapes: Path) -> None:
    project = create_project("mine", tmp_path)
    project.add_images(shapes, labels_from="folders", progress=False)
    before = sorted(path.name for path in shapes.rglob("*.png"))
    assert project.delete_dataset("train", confirm=True) == len(before)
    project.add_images(shapes / "disc", label="disc", progress=False)
    load_project(trained.root).model("v1").copy_to(project, progress=False)
    project.delete(confirm=True)
    assert not project.root.exists()
    assert sorted(path.name for path in shapes.rglob("*.png")) == before
