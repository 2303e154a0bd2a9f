"""A version's life after training: run, detect, evaluate, publish, delete."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import ArtifactError, ModelNotFoundError, NotAllowedError, ProjectExistsError
from customlabels_nb.model import Model
from customlabels_nb.project import Project
from customlabels_nb.projects import create_project, load_project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Project:
    """A project with one version; tests that change it take a copy."""
    project = create_project("shapes", tmp_path_factory.mktemp("trained"))
    project.add_images(shapes, auto_label=True, progress=False)
    project.distribute(test_fraction=0.25)
    project.train("v1", progress=False)
    project.close()
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    shutil.copytree(trained.root, tmp_path / "shapes")
    return load_project(tmp_path / "shapes")


@pytest.fixture
def model(project: Project) -> Model:
    return project.model("v1")


def test_start_and_stop_are_said(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert model.start() is model
    assert model.status == "RUNNING"
    assert model.start().status == "RUNNING"
    model.detect(Image.new("RGB", (50, 40), "red"))
    assert "was not running" not in capsys.readouterr().out
    model.stop()
    assert (model.status, model.status_message) == ("STOPPED", "The model has stopped running.")
    model.stop()
    with model.started() as running:
        assert running.status == "RUNNING"
    assert model.status == "STOPPED"


def test_detecting_starts_it_and_says_so(model: Model, shapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = model.detect(shapes / "disc" / "0.png")
    assert "v1 was not running: started on" in capsys.readouterr().out
    assert found.table["label"].iloc[0] == "disc"
    assert model.status == "RUNNING"
    model.stop()


def test_detect_many_takes_a_dataset_and_agrees_with_detect(project: Project, model: Model) -> None:
    with model.started():
        many = model.detect_many(project.test_set, threshold=0, progress=False)
        one = model.detect(project.test_set.images["image"].iloc[0], threshold=0).table
    assert len(many) == len(project.test_set) * 3
    first = many[many["image"] == project.test_set.images["image"].iloc[0]]
    assert first["label"].tolist() == one["label"].tolist()
    np.testing.assert_allclose(first["confidence"], one["confidence"], atol=1e-5)
    assert many.attrs["errors"] == []


def test_what_it_says_of_its_test_set_is_what_it_detects_there(project: Project, model: Model) -> None:
    with model.started():
        found = model.detect_many(project.test_set, progress=False)
    said = model.evaluate().per_image
    accepted = said[said["result"] != "false negative"]
    pairs = set(zip(found["image"], found["label"], strict=True))
    assert pairs == set(zip(accepted["image"], accepted["label"], strict=True))


def test_copies_in_the_project_are_found_by_their_relative_name(project: Project, model: Model, shapes: Path) -> None:
    copied = project.root / "images" / "upload.png"
    copied.parent.mkdir()
    shutil.copy(shapes / "stripes" / "1.png", copied)
    with model.started():
        assert model.detect("images/upload.png").table["label"].iloc[0] == "stripes"


def test_latest_published_and_unknown_names(project: Project, model: Model) -> None:
    assert project.model().name == "v1"
    assert project.model("v1") is project.model("latest")
    model.publish("shape-classifier")
    assert project.model("shape-classifier").name == "v1"
    second = project.train("v2", progress=False)
    second.publish("shape-classifier")
    assert project.model("shape-classifier").name == "v2"
    assert project.versions["alias"].fillna("").tolist() == ["", "shape-classifier"]
    with pytest.raises(NotAllowedError, match="name of a version"):
        second.publish("v1")
    with pytest.raises(ModelNotFoundError, match="v3"):
        project.model("v3")
    with pytest.raises(NotAllowedError, match="already"):
        project.train("v1", progress=False)


def test_tags_are_added(model: Model) -> None:
    model.tag(stage="test")
    model.tag(owner="ann")
    assert model.record.tags == {"stage": "test", "owner": "ann"}


def test_deleting_a_version_asks_and_is_refused_while_it_runs(
    project: Project, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model.folder
    model.start()
    with pytest.raises(NotAllowedError, match="RUNNING"):
        model.delete(confirm=True)
    with pytest.raises(NotAllowedError, match="RUNNING"):
        project.delete(confirm=True)
    with pytest.raises(NotAllowedError, match="RUNNING"):
        project.rename("other")
    model.stop()
    monkeypatch.setattr("builtins.input", lambda question: "no")
    with pytest.raises(NotAllowedError, match="Not confirmed"):
        model.delete()
    assert folder.is_dir()
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    model.delete()
    assert not folder.exists()
    assert project.versions.empty


def test_a_folder_that_leads_elsewhere_is_never_deleted(project: Project, model: Model, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    folder = model.folder
    shutil.rmtree(folder)
    folder.symlink_to(precious, target_is_directory=True)
    with pytest.raises(NotAllowedError, match="nothing was deleted"):
        model.delete(confirm=True)
    assert precious.is_dir()


def test_a_damaged_folder_is_a_typed_error(model: Model) -> None:
    weights = model.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        model.start()
    assert model.status == "FAILED"
    shutil.rmtree(model.folder)
    with pytest.raises(ArtifactError, match="is gone"):
        model.start()


def test_a_running_version_of_a_dead_kernel_is_stopped_at_the_next_load(project: Project, model: Model) -> None:
    project._store.update_version("v1", status="RUNNING", pid=2**22 + 1, host=model.record.host or "")
    from customlabels_nb.training.status import this_process

    project._store.update_version("v1", **{**this_process(), "pid": 2**22 + 1})
    assert load_project(project.root).model("v1").status == "STOPPED"


def test_renaming_moves_everything(project: Project, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ProjectExistsError):
        project.rename("taken")
    project.rename("forms")
    assert project.root == tmp_path / "forms"
    assert load_project(tmp_path / "forms").name == "forms"
    assert not (tmp_path / "shapes").exists()
    with project.model("v1").started() as model:
        assert model.detect(project.test_set.images["image"].iloc[0]).table.columns[0] == "label"


def test_reprs_are_short_and_true(project: Project, model: Model) -> None:
    assert repr(model) == "Model('v1', TRAINING_COMPLETED: The model is ready to run.)"
    assert repr(project) == "Project('shapes': train 18, test 6 images; 3 labels; 1 versions)"
    assert "F1" in model._repr_html_()
    assert isinstance(project.statistics["train"].total_entries, int)
    assert isinstance(project.history, pd.DataFrame)
