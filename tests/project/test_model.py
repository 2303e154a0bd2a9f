"""Tests of a version after training: run, detect, evaluate, publish, delete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import (
    ArtifactError,
    CustomLabelsError,
    DeviceError,
    InputError,
    LabelError,
    ModelNotFoundError,
    NotAllowedError,
    NotEnoughDataError,
    ProjectExistsError,
    StoreError,
)
from customlabels_nb.project.location import DATABASE
from customlabels_nb.project.model import Model
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from customlabels_nb.store import Action, SqlStore, open_store
from customlabels_nb.store.records import DESCRIPTION
from customlabels_nb.training import stored
from customlabels_nb.training.status import this_process
from tests.facts import tells
from tests.other_kernels import before_next_write
from tests.waiting import wait_until

RUN_AND_WAIT = """
import sys, customlabels_nb as cl
cl.load_project(sys.argv[1]).model("v1").start()
print("started", flush=True)
sys.stdin.read()
"""

LOOK_AND_RUN = """
import sys, customlabels_nb as cl
project = cl.load_project(sys.argv[1])
model = project.model()
print(len(project.train_set), model.evaluate().metric("f1"))
print(model.detect(sys.argv[2]).table["label"].iloc[0])
model.stop()
print(cl.list_projects(project.root.parent)["status"].tolist())
try:
    project.labels.add("new")
except cl.CustomLabelsError as error:
    print(error)
"""


@pytest.fixture
def project(trained_copy: Project) -> Project:
    return trained_copy


@pytest.fixture
def other(project: Project) -> Iterator[SqlStore]:
    """Yield the project's database as another kernel opens it."""
    with closing(open_store(str(project.root / DATABASE))) as opened:
        yield opened


def test_a_project_can_be_closed_twice(model: Model, trained_copy: Project) -> None:
    assert trained_copy.model("v1") is model
    trained_copy.close()
    trained_copy.close()


def test_start_and_stop_print_messages(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_detect_starts_the_model_with_a_message(model: Model, shapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = model.detect(shapes / "disc" / "0.png")
    assert "v1 was not running and was started on" in capsys.readouterr().out
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


def test_stored_test_predictions_equal_detections(project: Project, model: Model) -> None:
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


def test_versions_are_found_by_name_alias_and_latest(project: Project, model: Model) -> None:
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


def test_thresholds_are_set_and_reset(model: Model, shapes: Path) -> None:
    picture, assumed = shapes / "disc" / "0.png", model.thresholds
    assert [row.label for row in model.detect(picture).table.itertuples()] == ["disc"]
    model.set_thresholds({"disc": 1.0, "stripes": 0.0})  # also for a running model
    assert model.thresholds == {"disc": 1.0, "stripes": 0.0, "triangle": assumed["triangle"]}
    assert [row.label for row in model.detect(picture).table.itertuples()] == ["stripes"]
    model.set_thresholds(0.0)
    assert len(model.detect(picture).table) == 3
    model.set_thresholds(None)
    assert model.thresholds == pytest.approx(assumed)
    with pytest.raises(LabelError, match="cube"):
        model.set_thresholds({"cube": 0.5})
    with pytest.raises(InputError, match="thresholds='best' must be a number"):
        model.set_thresholds("best")
    with pytest.raises(InputError, match="between 0 and 1"):
        model.set_thresholds(50)
    assert model.thresholds == pytest.approx(assumed)
    assert model.evaluate().advice is not None


def test_the_decision_is_stored_and_followed(project: Project, model: Model, shapes: Path) -> None:
    picture, assumed = shapes / "disc" / "0.png", model.thresholds
    assert (model.decision, project.versions["decision"].tolist()) == ("most confident", ["most confident"])

    def found() -> tuple[list[str], bool]:
        by_answer = [model.evaluate(*data, progress=False).applied.most_confident for data in ((), (project.test_set,))]
        assert by_answer[0] == by_answer[1] == (model.decision == "most confident")
        return model.detect(picture).table["label"].tolist(), by_answer[0]

    assert found() == (["disc"], True)
    model.set_thresholds({"disc": 1.0, "stripes": 0.0})
    assert found() == (["stripes"], False)
    model.set_thresholds("most confident")
    assert found() == (["disc"], True)
    assert model.thresholds == {**assumed, "disc": 1.0, "stripes": 0.0}, "kept for the other decision"
    model.set_thresholds("assumed")
    assert (model.decision, model.thresholds) == ("assumed", pytest.approx(assumed))
    model.set_thresholds(None)
    assert (model.decision, model.thresholds) == ("most confident", pytest.approx(assumed))
    model.stop()


def test_tags_are_added(model: Model) -> None:
    model.tags["stage"] = "test"
    model.tags["owner"] = "ann"
    assert model.record.tags == {"stage": "test", "owner": "ann"}


def test_changes_of_two_kernels_are_merged(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    other = load_project(model.folder.parent.parent).model("v1")
    before_next_write(monkeypatch, model._store, lambda: other.tags.update(owner="ann"))
    model.tags["stage"] = "test"
    before_next_write(monkeypatch, model._store, lambda: other.tags.update(room="3"))
    model.describe("Shapes on paper")
    assert model.record.tags == {"owner": "ann", "stage": "test", "room": "3", DESCRIPTION: "Shapes on paper"}
    before_next_write(monkeypatch, model._store, lambda: other.set_thresholds({"stripes": 0.75}))
    model.set_thresholds({"disc": 0.25})
    assert (model.thresholds["disc"], model.thresholds["stripes"]) == (0.25, 0.75)


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
    project.close()  # nothing is left to stop


def test_version_resumed_during_confirmation_is_not_deleted(
    project: Project, model: Model, other: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resume_and_agree(question: str) -> str:
        other.update_version("v1", status="TRAINING_IN_PROGRESS", **this_process())
        return "yes"

    monkeypatch.setattr("builtins.input", resume_and_agree)
    for delete in (model.delete, project.delete):
        other.update_version("v1", status="TRAINING_FAILED", host=None, pid=None)
        with pytest.raises(NotAllowedError, match="TRAINING_IN_PROGRESS"):
            delete()
        assert model.status == "TRAINING_IN_PROGRESS"
        assert (model.folder / "config.json").is_file()


def test_a_folder_that_leads_elsewhere_is_never_deleted(project: Project, model: Model, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    folder = model.folder
    shutil.rmtree(folder)
    folder.symlink_to(precious, target_is_directory=True)
    with pytest.raises(NotAllowedError, match="Nothing was deleted"):
        model.delete(confirm=True)
    assert precious.is_dir()


def test_a_damaged_folder_is_a_typed_error(model: Model, other: SqlStore) -> None:
    weights = model.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        model.start()
    assert model.status == "FAILED"
    (model.folder / "config.json").write_text("{")
    other.update_version("v1", status="STOPPED")
    with pytest.raises(ArtifactError, match=r"config\.json"):
        model.start()
    assert model.status == "FAILED"
    shutil.rmtree(model.folder)
    with pytest.raises(ArtifactError, match="is missing"):
        model.start()


def test_a_model_whose_start_cannot_be_stored_does_not_run(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    update = SqlStore.update_version

    def fail(store: SqlStore, name: str, *action: Action, **values: Any) -> None:
        if values.get("status") == "RUNNING":
            raise StoreError("The project's database is locked.")
        update(store, name, *action, **values)

    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "update_version", fail)
        with pytest.raises(StoreError, match="locked"):
            model.start()
    assert (model.status, model.engine) == ("FAILED", None)
    model.start()
    assert model.status == "RUNNING"
    model.stop()


def test_a_running_version_of_a_dead_kernel_is_stopped_at_the_next_load(
    project: Project, model: Model, other: SqlStore
) -> None:
    other.update_version("v1", status="RUNNING", pid=2**22 + 1, host=model.record.host or "")
    other.update_version("v1", **{**this_process(), "pid": 2**22 + 1})
    assert load_project(project.root).model("v1").status == "STOPPED"


def test_two_objects_of_one_version_share_what_runs(project: Project, model: Model) -> None:
    model.start()
    second = load_project(project.root).model("v1")
    assert second.status == "RUNNING"
    assert second.detect(project.test_set.images["image"].iloc[0]).table["label"].notna().all()
    second.stop()
    assert model.status == "STOPPED"
    model.delete(confirm=True)


def test_stop_reaches_a_model_running_in_another_kernel(project: Project, model: Model) -> None:
    command = [sys.executable, "-c", RUN_AND_WAIT, str(project.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any("started" in line for line in process.stdout)
        assert model.status == "RUNNING"
        with pytest.raises(NotAllowedError, match="another kernel"):
            model.stop()
        other = load_project(project.root)
        assert other.model("v1").status == "RUNNING"
        other.close()
        assert model.status == "RUNNING", "closing a project stops only its own models"
        process.kill()
        process.wait()
    model.stop()
    assert model.status == "STOPPED"


def test_a_run_on_a_machine_that_fell_silent_is_settled(project: Project, model: Model, other: SqlStore) -> None:
    from datetime import UTC, datetime, timedelta

    before = datetime.now(UTC) - timedelta(hours=1)
    other.update_version("v1", status="RUNNING", host="elsewhere", pid=1, heartbeat=before)
    assert load_project(project.root).model("v1").status == "STOPPED"


@pytest.mark.parametrize("alias", ["", "latest", None, 3, "../x", "v1"])
def test_a_name_to_publish_under_is_checked(model: Model, alias: object) -> None:
    with pytest.raises(CustomLabelsError):
        model.publish(alias)  # type: ignore[arg-type]


def test_a_new_version_never_takes_a_published_name(project: Project, model: Model) -> None:
    model.publish("best")
    with pytest.raises(NotAllowedError, match="already"):
        project.train("best", progress=False)


def test_an_unknown_device_changes_nothing(model: Model) -> None:
    with pytest.raises(DeviceError, match="gpu"):
        model.start("gpu")
    assert model.status == "TRAINING_COMPLETED"
    model.start()
    with pytest.raises(DeviceError, match="gpu"):
        model.start("gpu")
    assert model.status == "RUNNING"
    model.stop()


def test_models_survive_rename_and_report_a_deleted_project(project: Project, model: Model) -> None:
    project.rename("forms")
    assert model.status == "TRAINING_COMPLETED"
    assert model.folder.parent.parent.name == "forms"
    (project.root / "mine.txt").write_text("mine")
    project.delete(confirm=True)
    assert "unavailable" in repr(project)
    assert "unavailable" in repr(model)
    assert "unavailable" in project._repr_html_() + model._repr_html_()
    assert [path.name for path in project.root.iterdir()] == ["mine.txt"]
    with pytest.raises(StoreError, match="closed"):
        project.train_set  # noqa: B018


@pytest.mark.thorough
def test_read_only_project_can_be_used(project: Project, model: Model) -> None:
    image = project.test_set.images["image"].iloc[0]
    expected = model.evaluate().metric("f1")
    project.close()
    command = [sys.executable, "-c", LOOK_AND_RUN, str(project.root), image]
    mounted = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    if os.getuid() == 0 and shutil.which("unshare"):
        command = ["unshare", "--mount", "sh", "-c", mounted, str(project.root), *command]
        if subprocess.run([*command[:6], "true"], check=False, capture_output=True).returncode:
            pytest.skip("this machine doesn't let the test mount a folder read-only")
    else:
        for path in [project.root, *project.root.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for path in [project.root, *project.root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"18 {expected}"
    assert lines[-2] == "['CREATED']"
    assert "not writable" in lines[-1]


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
    assert re.fullmatch(r"Model\('v1', TRAINING_COMPLETED: [^\n']+\)", repr(model))
    assert repr(project) == "Project('shapes': train 18, test 6 images; 3 labels; 1 version)"
    assert "F1" in model._repr_html_()
    assert isinstance(project.statistics["train"].total_entries, int)
    assert isinstance(project.history, pd.DataFrame)


def test_idle_model_stops_with_a_message(
    model: Model, shapes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, str]] = []
    keep = SqlStore.update_version

    def update(store: SqlStore, name: str, *action: Action, **values: Any) -> None:
        keep(store, name, *action, **values)
        if "status" in values:
            told.append((values["status"], values["status_message"]))

    monkeypatch.setattr(SqlStore, "update_version", update)
    model.start("cpu", idle_stop="0.5s")
    model.detect(shapes / "disc" / "0.png")
    wait_until(lambda: model.status == "STOPPED")
    assert tells(model.status_message, "0.5")
    assert (model.record.pid, model.record.heartbeat) == (None, None)
    model.start(idle_stop="never")
    time.sleep(0.8)
    assert model.status == "RUNNING"
    assert model.detect(shapes / "disc" / "0.png").table["label"].iloc[0] == "disc"
    assert "was not running" not in capsys.readouterr().out
    model.stop()
    assert [status for status, _ in told] == [
        "STARTING", "RUNNING", "STOPPED", "STARTING", "RUNNING", "STOPPING", "STOPPED",
    ]  # fmt: skip
    assert ("STOPPING", "The model is stopping.") in told
    with pytest.raises(InputError, match="idle_stop='soon'"):
        model.start(idle_stop="soon")
    assert model.status == "STOPPED"


@pytest.mark.thorough
def test_idle_model_restarts_on_detect(model: Model, shapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.start("cpu", idle_stop=0.3)
    wait_until(lambda: model.status == "STOPPED")
    assert model.detect(shapes / "disc" / "0.png").table["label"].iloc[0] == "disc"
    assert tells(capsys.readouterr().out, "v1", "cpu")
    wait_until(lambda: model.status == "STOPPED")  # when idle again, as requested once
    model.stop()
    model.start("cpu")
    time.sleep(0.8)
    assert model.status == "RUNNING"  # stopping it manually ends that
    model.stop()


def test_many_threads_start_one_model_once(model: Model, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from customlabels_nb.inference import predictor as module

    loads: list[Path] = []
    load = module.load_artifact
    monkeypatch.setattr(module, "load_artifact", lambda folder, *more: (loads.append(folder), load(folder, *more))[1])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.detect, [shapes / "disc" / "0.png"] * 4))
    assert [one.table["label"].iloc[0] for one in found] == ["disc"] * 4
    assert len(loads) == 1
    model.stop()


# -- evaluated on other images ----------------------------------------------------------------------
def test_evaluation_on_the_test_images_equals_the_stored_one(project: Project, model: Model) -> None:
    said = model.evaluate()
    found = model.evaluate(project.test_set, progress=False)
    columns = ["label", "tp", "fp", "fn", "f1"]
    pd.testing.assert_frame_equal(found.per_label[columns], said.per_label[columns])
    assert (found.name, found.project, found.details["data"]) == ("v1", "shapes", "test")
    truth = project.test_set.annotations[["image", "label"]].assign(camera="a")
    by = model.evaluate(truth, progress=False).by("camera")
    assert by["test_images"].tolist() == [len(project.test_set)]
    model.stop()


def test_evaluate_uses_stored_thresholds_by_default(project: Project, model: Model) -> None:
    model.set_thresholds({"disc": 1.0, "stripes": 0.25})
    data, own = project.test_set, model.thresholds

    def thresholds(asked: Any) -> dict[str, float]:
        table = model.evaluate(data, thresholds=asked, progress=False).per_label
        return dict(zip(table["label"], table["threshold"], strict=True))

    assert thresholds(None) == own
    assert thresholds({"disc": 0.5}) == {**own, "disc": 0.5}
    assert set(thresholds(0.5).values()) == {0.5}
    best = thresholds("best")
    assert best["disc"] < 1
    stored, assumed = (
        {row.label: row.threshold for row in model.evaluate(thresholds=asked).per_label.itertuples()}
        for asked in (None, "assumed")
    )
    assert stored == own, "the report of the test images counts as detect does"
    assert best == pytest.approx(assumed, abs=1e-3)
    with pytest.raises(LabelError, match="square"):
        model.evaluate(thresholds={"square": 0.5})
    for wrong in ({"square": 0.5}, "bests", 50):
        with pytest.raises(InputError):
            model.evaluate(data, thresholds=wrong)
    model.stop()


BOX = {"left": 1, "top": 1, "width": 5, "height": 5}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows.assign(image=rows["image"] + ".gone"), "none of its 6 images can be read.*No such file"),
        (lambda rows: rows.assign(label=None), "single-label model on. Excluded: 6 images without labels"),
        (lambda rows: rows.assign(**BOX), "single-label model on. Excluded: 6 images with boxes only"),
        (lambda rows: pd.concat([rows, rows.assign(label="disk")]), "Excluded: 6 images with more than one label"),
        (lambda rows: rows.head(0), "It contains no images"),
    ],
)
def test_evaluate_says_why_there_is_nothing_to_evaluate(
    project: Project, model: Model, change: Callable[[pd.DataFrame], pd.DataFrame], reason: str
) -> None:
    rows = project.test_set.annotations[["image", "label"]].head(6)
    with pytest.raises(NotEnoughDataError, match=f"^data has nothing to evaluate.*{reason}"):
        model.evaluate(change(rows), progress=False)
    model.stop()


def test_evaluate_counts_unusable_images_in_its_notes(project: Project, model: Model, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    test = project.test_set
    names, broken = test.images["image"].tolist(), str(tmp_path / "broken.png")
    images = pd.DataFrame({"image": [*names, broken], "status": "labelled"})
    images.loc[0, "status"] = "needs_review"
    marks = pd.concat(
        [
            test.annotations[["image", "label"]],
            pd.DataFrame([{"image": broken, "label": "disc"}, {"image": names[1], "label": "disc", **BOX}]),
        ]
    )
    marks.loc[marks["image"] == names[2], list(BOX)] = list(BOX.values())
    marks = marks[marks["image"] != names[3]]
    report = model.evaluate(Dataset(images, marks), progress=False)
    assert len(report.images) == len(names) - 3
    assert report.notes[:5] == [
        f"1 of {len(names) + 1} images is unlabelled, skipped or still to be reviewed, and is excluded.",
        "1 image has image-level labels and boxes. Only the image-level labels are used.",
        "Excluded: 1 image with boxes only.",
        "Excluded: 1 image without labels.",
        f"Excluded because they could not be read: 1 image, such as {broken!r}.",
    ]
    truth = cl.evaluate(Dataset(images.head(3), marks[marks["image"].isin(names[:3])]), marks.assign(confidence=1.0))
    excluded = "1 of 3 images in truth is unlabelled, skipped or still to be reviewed, and is excluded."
    assert truth.notes[0] == f"{excluded} If they show none of the labels, pass images=truth.images."
    model.stop()


def test_the_stored_evaluation_notes_unreadable_images(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(folder: Path, *, split: str) -> Any:
        names, predictions = read_predictions(folder, split=split)
        return names[1:], predictions[predictions["image"] != names[0]]

    read_predictions = stored.read_predictions
    first = model.evaluate().images["image"].iloc[0]
    monkeypatch.setattr(stored, "read_predictions", read)
    expected = f"Excluded because they could not be read: 1 image, such as {first!r}."
    assert model.evaluate(as_trained=True).notes[0] == expected


def test_unknown_labels_are_missed_and_unreadable_images_left_out(
    project: Project, model: Model, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    test = project.test_set.annotations[["image", "label"]]
    truth = pd.concat([test, pd.DataFrame({"image": [str(tmp_path / "broken.png")], "label": ["disc"]})])
    truth.loc[truth.index[0], "label"] = "square"
    report = model.evaluate(truth, progress=False)
    assert report.details["left out, as they could not be read"] == 1
    assert len(report.images) == len(test)
    assert report.per_label.set_index("label").loc["square", "fn"] == 1
    assert not any("chosen on this test set" in note for note in report.notes)
    with pytest.raises(NotEnoughDataError):
        model.evaluate(truth[truth["image"].str.contains("broken")], progress=False)
    with pytest.raises(InputError, match=r"not 'test'\. Read a folder"):
        model.evaluate("test")  # type: ignore[arg-type]
    model.stop()
