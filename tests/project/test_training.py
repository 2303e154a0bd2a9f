"""Tests of training a version: stored files, refused input, and messages when it is stopped."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file

import customlabels_nb as cl
from customlabels_nb.core.version_status import VERSION_STATUSES
from customlabels_nb.datasets.formats.ground_truth import read_manifest
from customlabels_nb.errors import (
    ArtifactError,
    Cancelled,
    CustomLabelsError,
    ModelNotFoundError,
    ModelNotReadyError,
    NotAllowedError,
    NotEnoughDataError,
    StoreError,
)
from customlabels_nb.evaluation import result as result_module
from customlabels_nb.events import Ended, Event, Events, Message, Progress, Result, Started
from customlabels_nb.labeling.review import ReviewQuery
from customlabels_nb.models.artifact import load_config
from customlabels_nb.project.location import DATABASE
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project, load_project
from customlabels_nb.store import Action, SqlStore, VersionRecord, open_store
from customlabels_nb.training import plan, run
from customlabels_nb.training.kept_files import CROSS_FITTED, read_predictions
from customlabels_nb.training.recipe import TrainingJob, TrainingResult
from customlabels_nb.training.run import TrainingOptions, recipe_for, resume_version, train_version
from customlabels_nb.training.status import SILENT, check_resumable, settle_orphans, this_process
from customlabels_nb.user_settings import settings
from tests.facts import tells
from tests.models.pictures import save_blots
from tests.project.conftest import HOSTILE, draw

STOPPED = "Stopped by you. Call project.model('v1').resume() to continue."


@pytest.fixture
def store(project: Project) -> Iterator[SqlStore]:
    """Yield the project's database as another kernel opens it."""
    with closing(open_store(str(project.root / DATABASE))) as opened:
        yield opened


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("known_features")
def test_a_version_keeps_what_is_needed_to_repeat_and_to_judge_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.distribute(test_fraction=0.25)
    seen: list[Event] = []
    evaluated: list[set[str]] = []
    make_outcomes = result_module.make_outcomes

    def counted(truth: pd.DataFrame, *arguments: Any, **named: Any) -> Any:
        evaluated.append(set(truth["image"]))
        return make_outcomes(truth, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(result_module, "make_outcomes", counted)
        model = project.train(random_state=3, progress=False, events=seen.append)
    assert evaluated.count(set(project.test_set.annotations["image"])) == 1
    assert isinstance(seen[0], Started)
    assert (seen[0].name, seen[0].folder) == (model.name, model.folder)
    assert (seen[0].parameters["training_images"], seen[0].parameters["random_state"]) == (18, 3)
    assert seen[-1] == Ended("done")
    assert isinstance(seen[-2], Result)
    assert seen[-2].report.name == model.name
    assert seen[-2].text.startswith(f"Test F1 {model.evaluate().metric('f1'):.3f} [")
    assert seen[-2].text.endswith(f", accuracy {model.evaluate().metric('accuracy'):.3f}. Next: model.evaluate()")
    assert model.status == "TRAINING_COMPLETED"
    assert model.status_message == "The model is ready to run."
    assert files(model.folder) >= {
        "model.safetensors", "config.json", "environment.json", "metrics.json", "train.manifest", "test.manifest",
        "images.json", "predictions.npz", "predictions_train.npz", "predictions_cross_fitted.npz",
        f"evaluation/EvaluationResultSummary-shapes-{model.name}.json",
        f"evaluation/EvaluationSnapshot-shapes-{model.name}.manifest",
        f"evaluation/TrainingSnapshot-shapes-{model.name}.manifest",
    }  # fmt: skip
    assert not any(name.endswith((".part", ".pkl", ".pt", ".pth")) for name in files(model.folder))
    record = model.record
    assert record.config["random_state"] == 3
    assert record.statistics["training_images"] == 18
    assert record.metrics["f1"] == pytest.approx(model.evaluate().metric("f1"))
    assert json.loads((model.folder / "config.json").read_text())["training"]["threads"] >= 1
    environment = json.loads((model.folder / "environment.json").read_text())
    assert environment["packages"]["torch"]
    assert project.versions["f1"].tolist() == [record.metrics["f1"]]
    kept = read_manifest(model.folder / "train.manifest")
    pd.testing.assert_series_equal(kept.images["image"], project.train_set.images["image"])
    assert kept.annotations["label"].tolist() == project.train_set.annotations["label"].tolist()
    kept_facts = json.loads((model.folder / "images.json").read_text())
    assert {facts["sha256"] for facts in kept_facts["test"].values()} == set(project.test_set.images["sha256"])
    for name, dataset in (("EvaluationSnapshot", project.test_set), ("TrainingSnapshot", project.train_set)):
        path = model.folder / "evaluation" / f"{name}-shapes-{model.name}.manifest"
        truth, predictions, _ = cl.read_evaluation_snapshot(path)
        assert truth[["image", "label"]].equals(dataset.annotations[["image", "label"]])
        assert len(predictions) == 3 * len(dataset)  # every label of every image
        text = path.read_text("utf-8")
        assert text.count('"is-true-positive":true') + text.count('"is-false-negative":true') == len(dataset)
    (model.folder / "predictions_train.npz").unlink()  # as in versions trained before this file existed
    model.evaluate().to(model.folder / "evaluation")
    assert read_manifest(path).annotations["label"].tolist() == project.train_set.annotations["label"].tolist()
    assert "rekognition-custom-labels-evaluation" not in path.read_text("utf-8")


@pytest.mark.usefixtures("known_features")
@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_a_review_starts_with_wrong_labels_the_model_was_trained_on(project: Project, task: str) -> None:
    project.task = task
    project.distribute(test_fraction=0.25)
    rows = project.train_set.annotations
    wrong = rows[rows["label"] == "disc"].iloc[:1].assign(label="triangle")
    project.update("train", wrong)
    model = project.train(progress=False)
    images, table = read_predictions(model.folder, split=CROSS_FITTED)
    assert sorted(images) == sorted(project.train_set.images["image"])
    assert len(table) == 3 * len(images)
    session = project.review("train", sort="doubt").session
    first = session.table.names[session.show(ReviewQuery(sort="doubt")).order[0]]
    assert first == wrong["image"].iloc[0]
    assert session.predictions[first].label == "disc"
    assert session.agrees(first) is False
    assert project.review("test").session.predictions == {}  # the test set shows no predictions
    project.labels.rename("disc", "circle")
    predicted = project.review("train").session.predictions
    assert {one.label for one in predicted.values()} == {"circle", "stripes", "triangle"}
    (model.folder / "predictions_cross_fitted.npz").write_bytes(b"no zip")
    assert project.review("train").session.predictions == {}
    (model.folder / "predictions_cross_fitted.npz").unlink()  # as in versions trained before this file existed
    assert project.review("train").session.predictions == {}


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_weights(project: Project) -> None:
    project.distribute()
    first, second = (project.train(name, random_state=5, progress=False) for name in ("one", "two"))
    weights = [load_file(model.folder / "model.safetensors") for model in (first, second)]
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.usefixtures("known_features")
def test_a_version_stays_as_it_was_when_the_dataset_changes(project: Project) -> None:
    project.distribute()
    model = project.train(progress=False)
    before = model.evaluate(as_trained=True).per_label
    pd.testing.assert_frame_equal(model.evaluate().per_label, before)
    project.update("test", project.test_set.relabel("disc"))
    project.labels.rename("disc", "circle")
    pd.testing.assert_frame_equal(model.evaluate(as_trained=True).per_label, before)
    assert model.evaluate().per_label.set_index("label").loc["circle", "test_images"] == len(project.test_set)


@pytest.mark.usefixtures("known_features")
def test_without_a_test_set_it_distributes_first_and_says_so(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.train(progress=False)
    assert "no test set yet" in capsys.readouterr().out
    assert len(project.test_set) == 6


@pytest.mark.usefixtures("known_features")
def test_a_test_set_that_another_training_has_just_made_is_used(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load_project(project.root)

    def plan_slowly(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(plan, "make_plan", make_plan)
        other.distribute()
        return make_plan(*arguments, **named)

    make_plan = plan.make_plan
    monkeypatch.setattr(plan, "make_plan", plan_slowly)
    assert project.train(progress=False).status == "TRAINING_COMPLETED"
    assert len(project.test_set) == 6
    other.close()


def test_errors_are_raised_before_training(tmp_path: Path, shapes: Path) -> None:
    project = create_project("few", tmp_path)
    with pytest.raises(NotEnoughDataError, match="at least 2 labels"):
        project.train(progress=False)
    project.add_images(shapes / "disc", label="disc", progress=False)
    with pytest.raises(NotEnoughDataError, match="only the label 'disc'") as caught:
        project.train(progress=False)
    assert caught.value.code == "ERROR_MANIFEST_TOO_FEW_LABELS"
    assert len(project.test_set) == 0
    assert project.versions.empty
    assert not (project.root / "versions").exists()


def test_one_image_of_each_label_can_not_be_split(tmp_path: Path, shapes: Path) -> None:
    project = create_project("ones", tmp_path)
    for name in ("disc", "stripes"):
        project.add_images([shapes / name / "0.png"], label=name, progress=False)
    with pytest.raises(NotEnoughDataError) as caught:
        project.train(progress=False)
    assert caught.value.code == "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"
    assert len(project.test_set) == 0
    project.add_images(shapes / "disc" / "1.png", split="test", label="disc", progress=False)
    with pytest.raises(NotEnoughDataError, match="only 1 label") as caught:
        project.train(progress=False)
    assert caught.value.code == "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"
    project.add_images(shapes / "stripes" / "1.png", split="test", label="stripes", progress=False)
    assert project.train(progress=False).status == "TRAINING_COMPLETED"


@pytest.mark.thorough
def test_hostile_label_names_come_through_whole(tmp_path: Path) -> None:
    for label in range(len(HOSTILE)):
        for random_state in range(4):
            draw(tmp_path / "photos" / f"{label}-{random_state}.png", label, random_state)
    project = create_project("hostile", tmp_path)
    for label, name in enumerate(HOSTILE):
        project.add_images(sorted((tmp_path / "photos").glob(f"{label}-*.png")), label=name, progress=False)
    model = project.train(progress=False)
    assert model.evaluate().per_label["label"].tolist() == HOSTILE
    assert set(model.thresholds) == set(HOSTILE)
    with model.started():
        answer = model.detect(tmp_path / "photos" / "0-0.png", threshold=0).response["CustomLabels"]
    assert {found["Name"] for found in answer} == set(HOSTILE)
    markup = (
        model.evaluate()._repr_html_()
        + project.train_set._repr_html_()
        + model.detect(tmp_path / "photos" / "0-0.png", threshold=0)._repr_html_()
    )
    assert "<img src=x" not in markup
    model.stop()


def test_progress_is_shown_before_torch_is_loaded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.distribute()
    shown: list[str] = []

    @contextmanager
    def watch(events: Events | None, *, title: str, **_: Any) -> Iterator[Events]:
        shown.append(title)
        yield Events()

    monkeypatch.setattr("customlabels_nb.project.project.watch", watch)
    monkeypatch.setitem(sys.modules, "customlabels_nb.training.run", None)
    with pytest.raises(ImportError):
        project.train("v1")
    assert shown == ["v1"]


@pytest.mark.parametrize(("task", "changed"), [(None, None), ("single-label", None), (None, "boxes")])
def test_events_report_progress_and_cancel_training(
    project: Project, store: SqlStore, task: str | None, changed: str | None
) -> None:
    project.distribute()
    events, seen = Events(), []

    def listener(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Progress) and event.done >= 4:
            events.cancel()

    events.subscribe(listener)
    arguments = (store, project.root, "v1", project.train_set, project.test_set, TrainingOptions(task=task))
    with pytest.raises(Cancelled):
        train_version(*arguments, events)
    (said,) = [event.text for event in seen if isinstance(event, Message) and event.text.startswith("Training a")]
    model = project.model("v1")
    assert model.status == "TRAINING_STOPPED"
    assert model.status_message == STOPPED
    for call in (lambda: model.detect(project.train_set.images["image"].iloc[0]), lambda: model.export("onnx")):
        with pytest.raises(ModelNotReadyError, match=re.escape(f"'v1' is TRAINING_STOPPED: {STOPPED}")):
            call()
    if changed is not None:
        project.task = changed
    texts: list[str] = []
    model.resume(progress=False, events=cl.Events(lambda e: texts.append(e.text) if isinstance(e, Message) else None))
    assert model.status == "TRAINING_COMPLETED"
    (reason,) = [text for text in texts if text.startswith("Training a")]
    assert ("you chose it" in reason) == (task is not None)
    assert (reason == said) == (changed is None)
    assert 0 <= model.evaluate().metric("f1") <= 1
    with pytest.raises(NotAllowedError, match="'v1' is TRAINING_COMPLETED"):
        model.resume()


def test_interrupt_is_raised_and_stored(project: Project, store: SqlStore) -> None:
    project.distribute()
    events = Events()

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            raise KeyboardInterrupt

    events.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        train_version(store, project.root, "v1", project.train_set, project.test_set, TrainingOptions(), events)
    model = project.model("v1")
    assert (model.status, model.status_message, str(caught.value)) == ("TRAINING_STOPPED", STOPPED, STOPPED)
    assert STOPPED in repr(model)
    assert STOPPED in project.versions._repr_html_()
    assert STOPPED in repr(project.versions)
    with pytest.raises(ModelNotFoundError, match=r"'v1' \(TRAINING_STOPPED\).*project\.model\('v1'\)\.resume\(\)"):
        project.model()


@pytest.mark.usefixtures("known_features")
@pytest.mark.parametrize(("way", "show"), [("interrupt", True), ("cancel", False), ("listener", False)])
def test_every_stop_raises_and_leaves_no_model(project: Project, way: str, show: bool) -> None:
    project.distribute()
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress):
            if way == "cancel":
                events.cancel()
            else:
                raise KeyboardInterrupt if way == "interrupt" else Cancelled("Enough.")

    events.subscribe(stop)
    ends: list[Ended] = []
    events.subscribe(lambda event: ends.append(event) if isinstance(event, Ended) else None)
    model = None
    calls = [lambda: project.train("v1", progress=show, events=events)]
    calls.append(lambda: project.model("v1").resume(progress=show, events=events))
    for call in calls:
        events._cancelled.clear()
        with pytest.raises((KeyboardInterrupt, Cancelled)) as caught:
            model = call()
        assert model is None
        assert str(caught.value) == STOPPED
        assert ends.pop() == Ended("stopped", STOPPED)
        assert project.model("v1").status == "TRAINING_STOPPED"
        with pytest.raises(ModelNotFoundError):
            project.model()


def test_each_status_allows_what_its_table_says(project: Project, store: SqlStore) -> None:
    now, folder = datetime.now(UTC), project.root / "versions" / "v1"
    folder.mkdir(parents=True)
    store.add_version(VersionRecord("v1", "FAILED", "", "versions/v1", now, now), Action("begin training", "ann"))
    for status, allowed in VERSION_STATUSES.items():
        store.update_version("v1", status=status, status_message="Why.", **this_process())
        may_run = nullcontext() if allowed.can_run else pytest.raises(ModelNotFoundError, match=rf"'v1' \({status}\)")
        with may_run:
            assert project.model().name == "v1", status
        with nullcontext() if allowed.can_resume else pytest.raises(NotAllowedError, match=f"'v1' is {status}"):
            check_resumable(project.model("v1").record)
        with pytest.raises(ArtifactError if allowed.can_run else ModelNotReadyError):
            project.model("v1").labels  # noqa: B018
        packed = project.pack(project.root.parent / "packed.zip", images=False, progress=False)
        assert packed.versions == (allowed.can_run or allowed.can_resume), status


def test_killed_training_is_settled_and_resumes(project: Project) -> None:
    project.distribute()
    program = (
        "import sys, time, customlabels_nb.models.embeddings as embeddings\n"
        "real = embeddings._forward\n"
        "def slow(*args):\n    print('working', flush=True); time.sleep(0.2); return real(*args)\n"
        "embeddings._forward = slow\n"
        "import customlabels_nb as cl\n"
        "cl.load_project(sys.argv[1]).train('v1', progress=False)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(project.root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any("working" in line for line in process.stdout)
    assert load_project(project.root).model("v1").status == "TRAINING_IN_PROGRESS"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    again = load_project(project.root)
    assert again.model("v1").status == "TRAINING_FAILED"
    assert "project.model('v1').resume()" in again.model("v1").status_message
    manifest = project.root / "versions" / "v1" / "train.manifest"
    kept = manifest.read_bytes()
    manifest.write_bytes(kept + kept.splitlines(keepends=True)[0].replace(b".png", b"2.png"))
    with pytest.raises(ArtifactError, match=r"train\.manifest' has been changed since the training began"):
        again.model("v1").resume(progress=False)
    assert again.model("v1").status == "TRAINING_FAILED"
    manifest.write_bytes(kept)
    assert again.model("v1").resume(progress=False).status == "TRAINING_COMPLETED"


@pytest.mark.usefixtures("known_features")
def test_training_process_is_recognised_as_alive(project: Project, store: SqlStore) -> None:
    project.distribute()
    events, statuses = Events(), []

    def look(event: Event) -> None:
        if isinstance(event, Progress):
            statuses.append(load_project(project.root).model("v1").status)

    events.subscribe(look)
    train_version(store, project.root, "v1", project.train_set, project.test_set, TrainingOptions(), events)
    assert set(statuses) == {"TRAINING_IN_PROGRESS"}


def test_missing_images_are_left_out_with_a_note(tmp_path: Path) -> None:
    for label in (0, 1):
        for random_state in range(6):
            draw(tmp_path / "photos" / str(label) / f"{random_state}.png", label, random_state)
    project = create_project("vanishing", tmp_path)
    project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    project.distribute()
    gone = project.train_set.images["image"].iloc[0]
    os.unlink(gone)
    events, texts = Events(), []
    events.subscribe(lambda event: texts.append(event.text) if isinstance(event, Message) else None)
    project.train("v", progress=False, events=events)
    assert any(gone in text for text in texts)
    assert project.model("v").status == "TRAINING_COMPLETED"


@pytest.mark.usefixtures("known_features")
def test_unlabelled_images_and_unused_labels_are_noted(project: Project) -> None:
    project.labels.add("square")
    path = project.root / "more.png"
    Image.new("RGB", (64, 64), "white").save(path)
    project.distribute()
    project.add_images(path, progress=False)
    events, texts = Events(), []
    events.subscribe(lambda event: texts.append(event.text) if isinstance(event, Message) else None)
    project.train("v", progress=False, events=events)
    assert any(tells(text, 1, 19, "train") for text in texts)
    assert any("'square'" in text for text in texts)
    assert "square" not in project.model("v").thresholds


@pytest.mark.thorough
def test_fruit_is_classified_with_any_random_state(
    tmp_path: Path, fruit_photos: Path, fruit_test_photos: list[Path]
) -> None:
    scores, cache = [], None
    for random_state in range(3):
        project = create_project(f"fruit{random_state}", tmp_path)
        if cache is not None:
            (project.root / "cache").symlink_to(cache)
        cache = cache or project.root / "cache"
        project.add_images(fruit_photos, labels_from="folders", progress=False)
        project.distribute(test_fraction=0.2, random_state=random_state)
        model = project.train(random_state=random_state, progress=False)
        scores.append(model.evaluate().metric("f1"))
        with model.started():
            answers = [model.detect(photo).table["label"].tolist() for photo in fruit_test_photos]
        assert answers == [["apple"], ["banana"], ["orange"]]
        project.close()
    assert np.mean(scores) >= 0.99


@pytest.mark.thorough
def test_the_heartbeat_goes_on_while_it_trains(
    project: Project, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customlabels_nb.training.status.HEARTBEAT_SECONDS", 0.05)
    project.distribute()
    events, beats = Events(), set()

    def look(event: Event) -> None:
        if isinstance(event, Progress):
            time.sleep(0.15)
            beats.add(project.model("v1").record.heartbeat)

    events.subscribe(look)
    train_version(store, project.root, "v1", project.train_set, project.test_set, TrainingOptions(), events)
    assert len(beats) >= 2
    assert project.model("v1").record.heartbeat is None
    assert settings.user == project.history["who"].iloc[0]


@pytest.mark.usefixtures("known_features")
def test_a_run_killed_before_its_snapshots_begins_anew(project: Project, store: SqlStore) -> None:
    project.distribute()
    events = Events()
    events.subscribe(lambda event: events.cancel())
    with pytest.raises(Cancelled):
        train_version(store, project.root, "v1", project.train_set, project.test_set, TrainingOptions(), events)
    (project.root / "versions" / "v1" / "images.json").unlink()
    (project.root / "versions" / "v1" / "test.manifest").unlink()
    with pytest.raises(ModelNotReadyError, match=r"'v1' is TRAINING_STOPPED.*project\.model\('v1'\)\.resume\(\)"):
        project.train("v2", base="v1", progress=False)
    assert project.versions["name"].tolist() == ["v1"]
    with closing(sqlite3.connect(project.root / "project.db", isolation_level=None)) as connection:  # left out by train
        connection.execute(
            "UPDATE annotations SET annotator = 'model:v0' WHERE id IN (SELECT min(id) FROM annotations)"
        )
    whole = len(project.train_set)
    assert project.model("v1").resume(progress=False).status == "TRAINING_COMPLETED"
    assert project.model("v1").record.statistics["training_images"] == whole - 1


def test_a_second_kernel_cannot_resume_during_the_checks_of_the_first(
    project: Project, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    failed = VersionRecord("v1", "TRAINING_FAILED", "Stopped by you.", "versions/v1", now, now, task="single-label")
    store.add_version(failed, Action("begin training", "ann"))
    answers = []

    def hash_slowly(*_: Any) -> None:
        monkeypatch.setattr(run, "with_current_hashes", lambda *_: pytest.fail("two kernels train one version"))
        with pytest.raises(NotAllowedError) as caught:
            resume_version(store, project.root, failed, Events())
        answers.append(str(caught.value))
        raise NotEnoughDataError("The images are gone.")

    monkeypatch.setattr(run, "with_current_hashes", hash_slowly)
    with pytest.raises(NotEnoughDataError, match="gone"):
        resume_version(store, project.root, failed, Events())
    assert len(answers) == 1
    assert "'v1' is TRAINING_IN_PROGRESS" in answers[0]
    assert (project.model("v1").status, project.model("v1").status_message) == ("TRAINING_FAILED", "Stopped by you.")


@pytest.mark.usefixtures("known_features")
def test_silent_training_is_settled(project: Project, store: SqlStore) -> None:
    project.distribute()
    project.train("v1", progress=False)
    alive = {**this_process(), "status": "TRAINING_IN_PROGRESS"}
    store.update_version("v1", **alive)
    assert settle_orphans(store) == []
    store.update_version("v1", **{**alive, "host": "elsewhere", "pid": 1})
    assert settle_orphans(store) == []
    store.update_version("v1", **{**alive, "heartbeat": datetime.now(UTC) - SILENT - timedelta(seconds=5)})
    assert settle_orphans(store) == ["v1"]
    assert project.model("v1").status == "TRAINING_FAILED"


@pytest.mark.thorough
def test_changed_files_are_noted_and_used_as_they_are(tmp_path: Path) -> None:
    for label, name in enumerate(("disc", "stripes")):
        for random_state in range(8):
            draw(tmp_path / "photos" / name / f"{random_state}.png", label, random_state)
    project = create_project("changing", tmp_path)
    project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    project.distribute(test_fraction=0.25)
    truth = project.train(progress=False).evaluate().metric("f1")
    for random_state in range(8):  # all files swap their contents, and then swap them back
        swap(
            tmp_path / "photos" / "disc" / f"{random_state}.png",
            tmp_path / "photos" / "stripes" / f"{random_state}.png",
        )
    events, texts = Events(), []
    events.subscribe(lambda event: texts.append(event.text) if isinstance(event, Message) else None)
    swapped = project.train("swapped", progress=False, events=events)
    assert any(tells(text, 12, "train", "changed") for text in texts)
    assert (project.issues["code"] == "IMAGE_CHANGED").sum() == 16
    kept = json.loads((swapped.folder / "images.json").read_text())["train"]
    image = project.train_set.images["image"].iloc[0]
    assert kept[image]["sha256"] == hashlib.sha256(Path(image).read_bytes()).hexdigest()
    with swapped.started():
        assert swapped.detect(tmp_path / "photos" / "disc" / "0.png").table["label"].iloc[0] == "disc"
    for random_state in range(8):
        swap(
            tmp_path / "photos" / "disc" / f"{random_state}.png",
            tmp_path / "photos" / "stripes" / f"{random_state}.png",
        )
    again = project.train(progress=False)
    assert again.evaluate().metric("f1") == truth
    with again.started():
        assert again.detect(tmp_path / "photos" / "disc" / "0.png").table["label"].iloc[0] == "disc"


def swap(first: Path, second: Path) -> None:
    """Swap the contents of two files."""
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


@pytest.mark.usefixtures("known_features")
def test_only_images_that_count_as_labelled_are_trained_on_also_after_a_resume(project: Project) -> None:
    project.distribute()
    train = project.train_set
    doubtful = train.images.head(5).assign(status="needs_review")
    project.update("train", train.filter(train.images["image"].isin(doubtful["image"])).with_status("needs_review"))
    events = Events()
    events.subscribe(lambda event: events.cancel() if isinstance(event, Progress) else None)
    with pytest.raises(Cancelled):
        project.train("v1", progress=False, events=events)
    assert project.model("v1").record.statistics["training_images"] == 13
    assert project.model("v1").resume(progress=False).record.statistics["training_images"] == 13
    assert (project.model("v1").folder / "evaluation").is_dir()


@pytest.mark.usefixtures("known_features")
@pytest.mark.parametrize("kept", [True, False])
def test_a_resumed_run_keeps_the_order_of_its_labels(project: Project, kept: bool) -> None:
    project.distribute()
    events = Events()
    events.subscribe(lambda event: events.cancel() if isinstance(event, Progress) else None)
    with pytest.raises(Cancelled):
        project.train("v1", progress=False, events=events)
    project.labels.rename("disc", "circle")
    project.labels.reorder(["triangle", "circle", "stripes"])
    if not kept:  # killed before its snapshots were written, so it starts again
        (project.model("v1").folder / "images.json").unlink()
        with pytest.raises(Cancelled):
            project.model("v1").resume(progress=False, events=events)
        project.labels.reorder(["stripes", "circle", "triangle"])
    order = ["disc", "stripes", "triangle"] if kept else ["triangle", "circle", "stripes"]
    assert project.model("v1").record.statistics["labels"] == order
    model = project.model("v1").resume(progress=False)
    config = json.loads((model.folder / "config.json").read_text())
    assert config["labels"] == order
    colors = dict(zip(config["labels"], config["colors"], strict=True))
    assert colors["stripes"] == project.labels.colors["stripes"]


@pytest.mark.usefixtures("known_features")
def test_checkpoints_stay_until_the_version_is_complete(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def recipe(work: TrainingJob) -> TrainingResult:
        work.checkpoints.mkdir(exist_ok=True)
        return recipe_for(work.plan.task)(work)

    def update_version(*given: Any, **named: Any) -> None:
        if named.get("status") == "TRAINING_COMPLETED":
            raise StoreError("The disk is full.")
        original(*given, **named)

    original = SqlStore.update_version
    project.distribute()
    monkeypatch.setattr(run, "recipe_for", lambda task: recipe)
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "update_version", update_version)
        with pytest.raises(StoreError, match="disk is full"):
            project.train("v1", progress=False)
    model = project.model("v1")
    assert (model.folder / "checkpoints").is_dir()
    assert model.resume(progress=False).status == "TRAINING_COMPLETED"
    assert not (model.folder / "checkpoints").exists()


def test_figures_count_the_images_that_were_used(tmp_path: Path) -> None:
    for label, name in enumerate(("disc", "stripes")):
        for random_state in range(8):
            draw(tmp_path / "photos" / name / f"{random_state}.png", label, random_state)
    project = create_project("vanished", tmp_path)
    project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    project.distribute(test_fraction=0.5)
    for dataset in (project.train_set, project.test_set):
        os.unlink(dataset.images["image"].iloc[0])
    model = project.train(progress=False)
    assert model.record.statistics["training_images"] == 7
    assert model.record.statistics["test_images"] == 7
    assert sorted(project.issues["code"]) == ["IMAGE_NOT_FOUND", "IMAGE_NOT_FOUND"]
    report = model.evaluate(as_trained=True)
    assert report.details["training_images"] == 7
    assert "left out" in report._repr_html_()
    assert report.details["evaluated"] > model.record.created


@pytest.mark.parametrize(
    "wrong",
    [
        {"random_state": "a"},
        {"random_state": -1},
        {"device": "gpu"},
        {"name": "../x"},
    ],
)
def test_invalid_arguments_are_refused_before_training(project: Project, wrong: dict[str, object]) -> None:
    with pytest.raises(CustomLabelsError):
        project.train(progress=False, **wrong)  # type: ignore[arg-type]
    assert len(project.test_set) == 0
    assert project.versions.empty


def test_a_declared_task_decides(project: Project) -> None:
    project.task = "boxes"
    with pytest.raises(NotEnoughDataError, match="0 boxes"):
        project.train(progress=False)


def test_labels_of_one_photo_do_not_make_a_test_set_of_one_label(tmp_path: Path, shapes: Path) -> None:
    project = create_project("lopsided", tmp_path)
    project.add_images(shapes / "disc", label="disc", progress=False)
    project.add_images(shapes / "stripes" / "0.png", label="stripes", progress=False)
    with pytest.raises(NotEnoughDataError, match="only 1 label"):
        project.train(progress=False)
    assert len(project.test_set) == 0


def test_test_labels_that_training_does_not_know_are_refused(project: Project, tmp_path: Path) -> None:
    for label in (0, 1):
        draw(tmp_path / "more" / f"{label}.png", label, 50)
        project.add_images(tmp_path / "more" / f"{label}.png", split="test", label=f"new {label}", progress=False)
    with pytest.raises(NotEnoughDataError) as caught:
        project.train(progress=False)
    assert caught.value.code == "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP"


def test_a_classifier_learns_one_label_from_images_that_show_nothing_of_it(tmp_path: Path) -> None:
    colors = {"red": (220, 30, 30), "blue": (30, 60, 220)}
    blots = {name: save_blots(tmp_path / "photos" / name, color, 6) for name, color in colors.items()}
    project = create_project("red", tmp_path)
    project.add_images(blots["red"], label="red", progress=False)
    project.add_images(blots["blue"], progress=False)
    images = project.train_set.images
    bare = images.loc[images["status"] == "unlabelled", "image"].tolist()
    project.label("train").session.set_status(bare, "labelled")
    model = project.train(progress=False)
    report = model.evaluate()
    assert (report.task, report.per_label["label"].tolist()) == ("multi-label", ["red"])
    assert 0 < report.outcomes.bare.sum() < len(report.outcomes.images)  # false positives are measured
    assert report.metric("f1") == 1
    assert load_config(model.folder).labels == ("red",)
    with model.started("cpu", engine="torch"):
        assert [len(model.detect(blots[label][0]).table) for label in ("red", "blue")] == [1, 0]
