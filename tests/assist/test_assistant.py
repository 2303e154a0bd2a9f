"""Tests of the help with labelling: what it learns from, what it shows, and that it never overwrites a person."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.assist import background_training, training
from customlabels_nb.assist.background_training import BackgroundTraining
from customlabels_nb.assist.queue import check_places
from customlabels_nb.assist.stored_results import AssistResults
from customlabels_nb.core import tables as t
from customlabels_nb.errors import HelperError, InputError, NotAllowedError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.events import Events
from customlabels_nb.labeling.project_actions import ProjectActions
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.models.detector import DetectedBoxes, to_table
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.report import Report
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.store.database import now_us
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.background import RunnerRecord, change_record
from tests.assist.in_process import InProcess, train_in_process, training_of, turn_on
from tests.facts import tells
from tests.waiting import is_gone, is_soon

LABELS = ["lemon", "lime", "01"]
COUNT, TESTED = 240, 20

KERNEL = """
import sys
root = sys.argv[1]
sys.path[:] = sys.argv[2:]
import customlabels_nb as cl
from customlabels_nb.events import Events
from customlabels_nb.workers.background import BackgroundRunner
from tests.assist.in_process import training_of
run = BackgroundRunner.run
BackgroundRunner.run = lambda self, entry, arguments, events: run(
    self, "tests.workers.helper_tasks:stored_work", {"steps": 10_000}, events
)
training, events = training_of(cl.load_project(root)), Events()
events.subscribe(lambda event: print(training.runner.pid, flush=True))
training.run(events)
"""


def truth(name: str) -> str:
    return LABELS[int(name[3:6]) % 3]


def features(names: list[str], noise: float) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Return features that separate the labels, unless the noise is large."""
    centres = np.eye(3, 16) * 10
    rows = [
        centres[int(name[3:6]) % 3] + noise * np.random.default_rng(int(name[3:6])).normal(size=16) for name in names
    ]
    return np.array(rows, dtype=np.float16).reshape(-1, 16)


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the features and near-duplicates of the images, and the helper process. Return the noise, as a list."""
    amount = [1.0]

    train_in_process(monkeypatch, lambda names: features(names, amount[0]))
    return amount


def make(tmp_path: Path, task: str = "single-label") -> Project:
    project = cl.create_project("fruit", tmp_path / "fruit", task=task)
    for label in LABELS:
        project.labels.add(label)
    for split, count in ((t.TRAIN, COUNT), (t.TEST, TESTED)):
        images = t.normalise_images(
            pd.DataFrame({"image": [f"{split[:2]}-{i:03}.jpg" for i in range(count)]}), split=split
        )
        open_project_store(project.root).add_images(
            split, images, t.empty(t.ANNOTATION_COLUMNS), Action("import", "me")
        )
    return project


@pytest.fixture
def project(tmp_path: Path, noise: list[float]) -> Iterator[Project]:
    made = make(tmp_path)
    assert not made.assist.on  # so that it has no thread, also if it is turned on elsewhere
    training_of(made).checks()
    yield made
    made.close()


def names_in_order(project: Project) -> list[str]:
    """Return the training images in the order in which check images are drawn."""
    names = project.train_set.images["image"].tolist()
    return [names[i] for i in np.argsort(check_places(names))]


def label_checks(project: Project, names: list[str], labels: list[str] | None = None) -> None:
    """Label images that were offered as check images before."""
    start = 0
    while start < len(names):
        train(project)
        reserved = (project.train_set.images["status"] == "unlabelled").sum() // 4
        part = slice(start, start + min(reserved, 60))
        label(project, names[part], labels and labels[part])
        start = part.stop


def label(project: Project, names: list[str], labels: list[str] | None = None) -> None:
    given = [truth(name) for name in names] if labels is None else labels
    project.update("train", pd.DataFrame({"image": names, "label": given}))


def train(project: Project) -> dict[str, Any]:
    return project.assist.train(progress=False)


def test_prelabels_appear_from_59_check_images_on(project: Project) -> None:
    order = names_in_order(project)
    label_checks(project, order[:58])
    run = train(project)
    assert run["steps"][2] == {**run["steps"][2], "phase": "validation", "count": 58, "unit": "check images"}
    assert (run["promise"], run["needed"]) == (None, 2)
    assert run["evidence"] == {"items": 58, "right": 58, "wanted": 59}
    assert tells(project.assist.advice[0], 58, 59, "check images", "95%", "2 more labels")
    assert project.assist.queue["label"].isna().all()
    assert project.assist.auto_label(progress=False).frame.empty
    label(project, order[58:59])
    run = train(project)
    assert run["promise"]["shown"] == run["promise"]["right"] == 59
    assert run["promise"]["bound"] >= 0.95
    assert run["needed"] is None
    found = project.assist.results
    assert found is not None
    assert len(found.prelabels) > 100
    assert (found.prelabels["label"] == found.prelabels["image"].map(truth)).mean() > 0.95
    assert found.prelabels["label"].tolist() == sorted(found.prelabels["label"], key=LABELS.index)
    assert not set(found.prelabels["image"]) & set(order[:59])
    rejected = found.prelabels["image"].iloc[0]
    data = project.train_set
    tagged = data.images.assign(tags=[["prelabel-rejected"] if n == rejected else [] for n in data.images["image"]])
    project.update("train", cl.Dataset(tagged, data.annotations, data.labels, name="train", origin=data))
    train(project)
    assert project.assist.results is not None
    assert rejected not in project.assist.results.prelabels["image"].tolist()
    assert rejected not in project.assist.auto_label(progress=False, dry_run=True).frame["image"].tolist()


@pytest.mark.thorough
def test_a_biased_queue_changes_neither_promise_nor_check_images(project: Project) -> None:
    order = names_in_order(project)
    label_checks(project, order[:70])
    before = train(project)
    label(project, [name for name in order[75:] if truth(name) == "lime"])
    after = train(project)
    assert after["steps"][1]["count"] > before["steps"][1]["count"]
    assert after["steps"][2]["count"] == before["steps"][2]["count"] == 70
    assert after["promise"]["shown"] <= 70


@pytest.mark.thorough
def test_random_labels_are_never_prelabelled(project: Project) -> None:
    order = names_in_order(project)[:160]
    label_checks(project, order, np.random.default_rng(0).choice(LABELS, 160).tolist())
    run = train(project)
    assert run["steps"][2]["count"] == 160
    assert run["promise"] is None
    assert project.assist.results is not None
    assert project.assist.results.prelabels.empty
    assert project.assist.auto_label(progress=False).frame.empty


def test_suspects_are_listed_until_they_are_reviewed_or_changed(project: Project) -> None:
    order = names_in_order(project)
    wrong = [LABELS[(LABELS.index(truth(name)) + 1) % 3] for name in order[88:90]]
    label(project, order[:90], [*map(truth, order[:88]), *wrong])
    train(project)
    found = project.assist.suspects()
    assert set(found["image"]) == set(order[88:90])
    assert found["suggested"].tolist() == found["image"].map(truth).tolist()
    actions = ProjectActions(
        open_project_store(project.root), project.root, "", cast(Any, None),
        keep_thresholds=print, open_images=print, open_crops=print, open_map=print, predict=print,
    )  # fmt: skip
    report = Report(evaluate(project.train_set.annotations, project.train_set.annotations), actions=lambda: actions)
    item = report.advice[0]
    assert (item.kind, item.names) == ("suspects", found["image"].tolist())
    tells(item.text, "2 training images")
    label(project, order[88:89])
    assert len(report.advice.about("suspects")[0].names) == 1
    label(project, order[:1])  # moves the rows of the others
    found, data = project.assist.suspects(), project.train_set
    assert found["image"].tolist() == order[89:90]
    assert data.annotations.loc[found["annotation"], ["image", "label"]].values.tolist() == [[order[89], wrong[1]]]
    tagged = data.images.assign(tags=[["reviewed"] if name == order[89] else [] for name in data.images["image"]])
    project.update("train", cl.Dataset(tagged, data.annotations, data.labels, name="train", origin=data))
    assert project.assist.suspects().empty


def test_test_set_is_never_used(project: Project) -> None:
    def state() -> list[Any]:
        tables = project.test_set.images, project.test_set.annotations
        return [table.astype(str).to_numpy().tolist() for table in tables]

    before, names = state(), set(project.test_set.images["image"])
    label_checks(project, names_in_order(project)[:100])
    train(project)
    assert project.assist.results is not None
    assert not names & set(project.assist.results.images)
    assert not names & set(project.assist.queue["image"])
    labels = project.assist.auto_label(progress=False)
    assert not names & set(labels.frame["image"])
    assert state() == before
    project.assist.start(test=True)
    project.assist.stop()
    train(project)
    assert names <= set(project.assist.results.images)
    assert names & set(project.assist.results.prelabels["image"])
    assert not names & set(project.assist.auto_label(progress=False).frame["image"])
    assert state() == before


def test_machine_labels_are_one_action_and_not_trained_on(project: Project) -> None:
    order = names_in_order(project)
    label_checks(project, order[:80])
    first = train(project)
    labels = project.assist.auto_label(dry_run=True, progress=False)
    assert labels.threshold is not None
    assert "at least 95" in repr(labels)
    assert project.train_set.annotations["annotator"].str.startswith("model:").sum() == 0
    count = labels.apply()
    assert count == labels.frame["image"].nunique() > 100
    made = project.train_set.annotations
    machine = made[t.by_machine(made)]
    assert len(machine) == count
    assert (machine["confidence"] < 1).all()
    assert machine["annotator"].unique().tolist() == [f"model:{first['run'] + 1}"]
    again = train(project)
    store = open_project_store(project.root)
    assert again["labels"] == first["labels"] == 80
    assert again["steps"][2]["count"] == first["steps"][2]["count"]
    assert project.assist.suspects().empty
    assert labels.apply() == 0
    label(project, machine["image"].tolist()[:1])
    assert store.labelled_by_people(t.TRAIN) == (81, 0)
    project.undo()
    assert project.undo() == count
    assert store.labelled_by_people(t.TRAIN) == (80, 0)
    assert len(project.train_set.annotations) == 80


def test_auto_label_keeps_labels_that_people_set_meanwhile(project: Project) -> None:
    order = names_in_order(project)
    label_checks(project, order[:80])
    labels = project.assist.auto_label(dry_run=True, progress=False)
    found = labels.frame["image"].tolist()
    wrong = LABELS[(LABELS.index(truth(found[0])) + 1) % 3]
    label(project, found[:1], [wrong])
    train_set = project.train_set
    skipped = train_set.with_status("skipped", train_set.images["image"] == found[1])
    project.update("train", skipped)
    project.remove("train", found[2:3])
    label(project, found[3:4])
    project.undo()  # it is unlabelled again, but somebody worked on it
    project.labels.remove("01", with_annotations=True)
    count = labels.apply()
    stored = project.train_set
    by_name = stored.annotations.set_index("image")
    assert by_name.loc[found[0], "label"] == wrong
    assert by_name.loc[found[0], "annotator"] == settings.user
    assert stored.images.set_index("image").loc[found[1], "status"] == "skipped"
    assert not {found[1], found[2], found[3]} & set(by_name.index)
    assert count == t.by_machine(stored.annotations).sum()
    assert "01" not in project.labels


def test_labels_of_people_win_over_auto_label(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_checks(project, names_in_order(project)[:80])
    labels = project.assist.auto_label(dry_run=True, progress=False)
    name, plain = labels.frame["image"].iat[0], SqlStore.update_images

    def late(store: SqlStore, *args: Any, **options: Any) -> Any:
        monkeypatch.setattr(SqlStore, "update_images", plain)
        label(project, [name], ["lime"])
        return plain(store, *args, **options)

    monkeypatch.setattr(SqlStore, "update_images", late)
    assert labels.apply() == labels.frame["image"].nunique() - 1
    given = project.train_set.annotations.set_index("image").loc[name]
    assert (given["label"], given["annotator"]) == ("lime", settings.user)


@pytest.mark.thorough
def test_labels_that_were_renamed_or_merged_are_no_longer_shown(project: Project) -> None:
    label_checks(project, names_in_order(project)[:200])
    train(project)
    assert project.assist.results is not None
    before = set(project.assist.results.prelabels["label"])
    assert before == set(LABELS)
    project.labels.rename("lemon", "citron")
    assert set(project.assist.results.prelabels["label"]) == before - {"lemon"}
    project.labels.rename("citron", "lemon")
    assert set(project.assist.results.prelabels["label"]) == before
    project.labels.rename("lemon", "citron")
    project.labels.merge("01", into="lime")
    assert set(project.assist.results.prelabels["label"]) == {"lime"}
    count = len(project.assist.runs)
    turn_on(project)
    training_of(project).train_if_due()
    assert len(project.assist.runs) == count + 1
    assert set(project.assist.results.prelabels["label"]) == {"citron", "lime"}


def test_the_next_training_counts_labels_of_people(project: Project) -> None:
    order, assist = names_in_order(project), project.assist
    assert assist.next_training == 0
    assert assist.summary()["needed"] is None
    events, seen = Events(), []
    events.subscribe(lambda event: seen.append((event.phase, event.done == event.total)))
    run = assist.train(progress=False, events=events)
    assert [phase for phase, ended in dict(seen).items() if ended] == [step["phase"] for step in run["steps"]]
    assert "typical" in run["note"]
    assert run["needed"] == 118
    assert assist.next_training == 10
    label(project, order[:4])
    assert (assist.summary()["next"], assist.summary()["new"], assist.summary()["every"]) == (6, 4, 10)
    assert repr(assist.status).startswith("off: ")
    label(project, order[4:16])
    assert assist.next_training == 0
    turn_on(project)
    assert assist.status.text.startswith("Trains soon.")


def test_background_training_starts_after_enough_labels(project: Project) -> None:
    assist = project.assist
    assist.start(target=0.9)
    assert project.history["what"].iat[0] == "start assist"
    assert is_soon(lambda: len(assist.runs) == 1, 20)
    label(project, names_in_order(project)[:12])
    assert is_soon(lambda: len(assist.runs) == 2, 20)
    assert assist.runs["labels"].tolist() == [0, 12]
    assert assist.status.state == "waiting"
    assert "Trains after 10 more labels" in assist.status.text
    assist.stop()
    assert assist.status.state == "off"
    label(project, names_in_order(project)[12:40])
    time.sleep(1.5)
    assert len(assist.runs) == 2
    other = cl.load_project(project.root)
    assert other.assist.summary()["on"] is False
    other.close()


def test_another_kernel_trains_until_it_has_ended(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    record = RunnerRecord("x", socket.gethostname(), other.pid, now_us())
    change_record(open_project_store(project.root), "trainer", lambda _: record)
    assist = project.assist
    with pytest.raises(NotAllowedError, match="Another kernel runs the trainer"):
        train(project)
    said = assist.summary()
    assert said["elsewhere"]
    assert said["running"] is not None
    turn_on(project)
    training = training_of(project)
    training.train_if_due()
    assert assist.runs.empty
    other.kill()
    other.wait()
    assert not assist.summary()["elsewhere"]
    ran: list[Any] = []
    monkeypatch.setattr(BackgroundTraining, "run", lambda self, events: ran.append(1))
    training.train_if_due()
    assert ran == [1]


@pytest.mark.storing
def test_a_killed_kernel_leaves_no_helper_and_no_label_is_lost(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(project, names_in_order(project)[:30])
    command = [sys.executable, "-c", KERNEL, str(project.root), *sys.path]
    kernel = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    helper = int(kernel.stdout.readline())
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    kernel.stdout.close()
    assert is_soon(lambda: is_gone(helper), 10)
    assert len(project.train_set.annotations) == 30
    monkeypatch.undo()
    turn_on(project)
    assert project.assist.status.state == "failed"
    assert "has ended" in project.assist.status.text
    assert project.assist.next_training == 0


@pytest.mark.parametrize(
    ("given", "text"),
    [(0, "No image has been labelled yet"), (1, "1 label in use"), (COUNT, "All images that can be read")],
)
def test_too_few_or_all_labels_give_a_message(project: Project, given: int, text: str) -> None:
    names = names_in_order(project)
    if given == 1:
        label_checks(project, names[:70], ["lime"] * 70)
    else:
        label(project, names[:given])
    assert text in train(project)["note"]
    assert text in project.assist.advice[0]


def test_the_advice_does_not_ask_for_more_labels_than_there_are_images(project: Project) -> None:
    turn_on(project, target=0.99)
    order = names_in_order(project)
    label_checks(project, order[:40])
    needed = train(project)["needed"]
    left = project.assist.summary()["left"]
    assert left == COUNT - 40 < needed
    assert (
        project.assist.advice[0]
        == f"Too few images are left to trust predictions at 99%: that needs {needed:,} labels."
    )
    label(project, order[40:])
    assert project.assist.summary()["left"] == 0
    assert "next" not in " ".join(project.assist.advice)


def test_an_empty_project_and_a_wrong_target_are_refused(tmp_path: Path, noise: list[float]) -> None:
    project = cl.create_project("empty", tmp_path / "empty")
    assert project.assist.queue.empty
    assert project.assist.suspects().empty
    assert project.assist.advice == ["Nothing was trained yet. project.assist.train() does it now."]
    with pytest.raises(HelperError, match="no images"):
        train(project)
    assert project.assist.status.state == "off"
    turn_on(project)
    assert project.assist.status.state == "failed"
    assert "no images" in project.assist.status.text
    with pytest.raises(InputError, match="target"):
        project.assist.start(target=1.5)
    with pytest.raises(InputError):
        project.assist.start(budget="soon")
    project.close()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (MemoryError("none left"), "MemoryError: none left"),
    ],
)
def test_full_disk_or_memory_gives_a_message(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(AssistResults, "write", fail)
    with pytest.raises(HelperError, match=text):
        train(project)
    turn_on(project)
    assert project.assist.status.state == "failed"
    assert text in project.assist.summary()["error"]
    assert project.assist.runs["state"].tolist() == ["failed"]
    training_of(project).train_if_due()  # it is not tried again and again
    assert project.assist.runs["state"].tolist() == ["failed"]
    label(project, names_in_order(project)[:1])
    training_of(project).train_if_due()
    assert project.assist.runs["state"].tolist() == ["failed", "failed"]


def test_stop_waits_for_the_end_of_a_training(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assist, store = project.assist, open_project_store(project.root)
    turn_on(project)
    here = RunnerRecord("x", socket.gethostname(), os.getpid(), now_us(), progress=["training", 3, 10])
    change_record(store, "trainer", lambda _: here)
    assert repr(assist.status) == "running: training, 3 of 10."
    assist.stop(wait=False)
    assert repr(assist.status) == "stopping: The training (training, 3 of 10) was asked to stop."
    assert not assist.on
    ended = threading.Timer(0.5, change_record, (store, "trainer", lambda _: replace(here, state="stopped")))
    ended.start()
    assist.stop()  # although it is off already
    assert assist.status.state == "off"
    ended.join()
    change_record(store, "trainer", lambda _: here)
    monkeypatch.setattr(background_training, "STOPPING_SECONDS", 0.3)
    assist.stop()  # of a kernel that does not respond
    assert assist.status.state == "stopping"


def test_read_only_project_gives_a_message(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label(project, names_in_order(project)[:100])
    train(project)
    monkeypatch.setattr(SqlStore, "read_only", True)
    with pytest.raises(NotAllowedError, match="read-only"):
        project.assist.start()
    with pytest.raises(NotAllowedError, match="read-only"):
        train(project)
    assert project.assist.status.state == "read-only"
    assert not project.assist.queue.empty
    project.assist.stop()


def test_accepted_and_corrected_prelabels_are_counted(project: Project) -> None:
    order = names_in_order(project)
    label(project, order[:3])
    data = project.train_set
    tags = {order[0]: ["prelabelled"], order[1]: ["prelabelled", "x"], order[2]: ["prelabel-corrected"]}
    tags[order[3]] = ["prelabel-rejected"]  # unlabelled
    images = data.images.assign(tags=[tags.get(name, []) for name in data.images["image"]])
    project.update("train", cl.Dataset(images, data.annotations, data.labels, name="train", origin=data))
    said = project.assist.summary()
    assert said["queues"] == {"manual": 0, "clustered": 0, "prelabelled": 0, "suspect": 0}
    train(project)
    said = project.assist.summary()
    assert (said["accepted"], said["corrected"]) == (2, 2)
    assert said["queues"]["clustered"] == COUNT - 3 - 60  # without the next check images


def test_advice_is_about_no_more_labels_than_there_are_images(project: Project) -> None:
    order = names_in_order(project)
    label_checks(project, order[:60])
    label(project, order[60:-7])
    advice = train(project)["advice"]
    assert (advice["more"], advice["text"][:18]) == (7, "The next 7 labels ")
    label(project, order[-7:])
    assert train(project)["advice"] is None


@pytest.mark.thorough
def test_several_labels_are_prelabelled_where_all_are_clear(tmp_path: Path, noise: list[float]) -> None:
    project = make(tmp_path, "multi-label")
    order = names_in_order(project)[:120]
    for some in (order[:0], order[:40], order[40:80], order[80:]):
        rows = [(name, given) for name in some for given in {truth(name), "01"}]
        project.update("train", pd.DataFrame(rows, columns=["image", "label"], dtype=object))
        run = train(project)
    assert run["task"] == "multi-label"
    assert run["promise"]["shown"] >= 59
    assert project.assist.results is not None
    found = project.assist.results.prelabels.groupby("image")["label"].agg(set)
    assert np.mean([given == {truth(name), "01"} for name, given in found.items()]) > 0.95
    project.close()


def test_boxes_are_prelabelled_and_suspected(
    tmp_path: Path, noise: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from customlabels_nb.training import detector_recipe

    def predict(
        trained: Any, images: list[str], labels: list[str], **_: Any
    ) -> tuple[pd.DataFrame, list[str], list[Any]]:
        rows = [(name, truth(name), 0.9, 10.0, 10.0, 50.0, 40.0) for name in images]
        return pd.DataFrame(rows, columns=["image", "label", "confidence", *t.BOX_COLUMNS]), images, []

    trained: list[int] = []
    monkeypatch.setattr(detector_recipe, "train_detector", lambda examples, *_, **__: trained.append(len(examples)))
    monkeypatch.setattr(detector_recipe, "predict_boxes", predict)
    project = make(tmp_path, "boxes")
    order = names_in_order(project)[:110]
    rows = [(name, truth(name), 12.0, 9.0, 50.0, 40.0) for name in order]
    table = pd.DataFrame(rows, columns=["image", "label", *t.BOX_COLUMNS])
    project.update("train", table.head(10))
    run = train(project)
    assert run["learnt"] == 0
    assert "15 images with 20 boxes" in run["note"]
    assert project.assist.next_training == 10
    table.loc[109, "label"] = "lemon" if truth(order[109]) != "lemon" else "lime"
    project.update("train", table.head(60))
    assert project.assist.next_training == 0
    train(project)
    assert trained == [30, 30]
    project.update("train", table.iloc[60:100])
    train(project)
    project.update("train", table.iloc[100:])
    run = train(project)
    assert trained[-2:] == [55, 55]
    assert (run["promise"]["right"], run["promise"]["shown"]) == (99, 100)  # 10 were labelled before
    assert project.assist.results is not None
    prelabels = project.assist.results.prelabels
    assert set(prelabels["image"]) <= set(names_in_order(project)[110:])
    assert (prelabels["left"] == 10).all()
    assert project.assist.suspects()["image"].tolist() == [order[109]]
    assert project.assist.next_training == 28
    turn_on(project)
    assert "Trains after 28 more boxes" in project.assist.status.text
    project.assist.stop()
    labels = project.assist.auto_label(progress=False)
    made = project.train_set.annotations
    assert t.by_machine(made).sum() == len(labels.frame) > 0
    project.close()


def test_boxes_are_suspected_when_no_image_waits_for_a_label(
    tmp_path: Path, noise: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from customlabels_nb.training import detector_recipe

    def predict(
        trained: Any, images: list[str], labels: list[str], **_: Any
    ) -> tuple[pd.DataFrame, list[str], list[Any]]:
        box, label = np.array([[10.0, 10.0, 50.0, 40.0]]), np.zeros(1, np.int64)
        found = [DetectedBoxes(box, label, np.array([0.95 if name == order[-1] else 0.9])) for name in images]
        return to_table(images, found, ["lime"]), images, []

    monkeypatch.setattr(detector_recipe, "train_detector", lambda *_, **__: None)
    monkeypatch.setattr(detector_recipe, "predict_boxes", predict)
    project = make(tmp_path, "boxes")
    order = names_in_order(project)
    rows = [(name, "lime", 12.0, 9.0, 50.0, 40.0) for name in order[:-1]]
    rows.append((order[-1], "lemon", 12.0, 9.0, 50.0, 40.0))
    project.update("train", pd.DataFrame(rows, columns=["image", "label", *t.BOX_COLUMNS]))
    run = train(project)
    assert "All images" in run["note"]
    assert project.assist.results is not None
    assert project.assist.results.prelabels.empty
    assert set(project.assist.suspects()["image"]) == {order[-1]}
    project.close()


def test_training_leaves_labels_by_models_out(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from customlabels_nb.training import run as training_run

    given: list[int] = []
    tested: list[int] = []

    def keep(store: Any, root: Any, name: str, train: Any, test: Any, *_: Any, **__: Any) -> None:
        given.append(len(train.annotations))
        tested.append(len(test.annotations))
        raise NotAllowedError("enough")

    monkeypatch.setattr(training_run, "train_version", keep)
    project.delete_dataset("test", confirm=True)
    label_checks(project, names_in_order(project)[:80])
    assert project.assist.auto_label(progress=False).frame["image"].nunique() > 100
    machine = set(project.train_set.annotations.loc[t.by_machine(project.train_set.annotations), "image"])
    for machine_labels in (False, True):
        with pytest.raises(NotAllowedError, match="enough"):
            project.train(machine_labels=machine_labels, progress=False)
    assert given[0] < 80
    assert given[1] == given[0] + len(machine)
    assert not machine & set(project.test_set.images["image"])
    assert f"{len(machine)} train images with labels by models left out. Use them with machine_labels=True." in (
        capsys.readouterr().out
    )
    marks = project.test_set.annotations
    assert tested == [len(marks)] * 2
    project.update("test", marks.assign(annotator=["model:7", *marks["annotator"][1:]]))
    with pytest.raises(NotAllowedError, match="enough"):
        project.train(machine_labels=True, progress=False)
    assert tested[2] == len(marks) - 1
    assert "1 test image with labels by models left out. Approve them in project.review" in capsys.readouterr().out


def test_the_next_check_images_have_neither_prelabel_nor_cluster_nor_automatic_label(project: Project) -> None:
    label_checks(project, names_in_order(project)[:80])
    train(project)
    found = project.assist.results
    assert found is not None
    checks = set(names_in_order(project)[80:120])
    asked = found.queue.loc[found.queue["kind"] == "check", "position"].to_numpy()
    assert len(asked) > 20
    assert set(found.images[asked]) <= checks
    labels = project.assist.auto_label(progress=False)
    for names in (found.prelabels["image"], found.images[found.pages["position"]], labels.frame["image"]):
        assert len(names)
        assert not checks & set(names)
    label(project, names_in_order(project)[80:90])
    assert train(project)["steps"][2]["count"] == 90  # labels by a model do not end the evidence


def test_copies_of_a_labelled_image_offer_its_label(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "group_copies", lambda images, *_: np.arange(len(images)) % (COUNT // 2))
    names = project.train_set.images["image"].tolist()
    label(project, names[:30], [LABELS[1], *map(truth, names[1:30])])
    label(project, [names[COUNT // 2 + 29]], [LABELS[0]])  # not the label of its copy
    train(project)
    found = project.assist.results
    assert found is not None
    offered = dict(zip(found.prelabels["image"], found.prelabels["label"], strict=True))
    assert offered == dict(zip(names[COUNT // 2 :][:29], [LABELS[1], *map(truth, names[1:29])], strict=True))
    queue = project.assist.queue
    assert set(offered) < set(queue.loc[queue["kind"] == "copy", "image"])
    assert project.assist.auto_label(progress=False).frame.empty


def test_images_that_had_a_label_before_assist_are_no_check_images(project: Project) -> None:
    order = names_in_order(project)
    label(project, order[:100])
    open_project_store(project.root).change_setting("assist checks", lambda _: None)
    label_checks(project, order[100:140])
    assert train(project)["steps"][2]["count"] == 40


def test_renamed_images_keep_their_queue_position_and_group(tmp_path: Path) -> None:
    content = [{"sha256": f"{number:064x}", "width": 8, "height": 8} for number in range(6)]
    store = open_project_store(cl.create_project("x", tmp_path / "x").root)
    part = pd.DataFrame(content).assign(split="train")
    for name in ("a", "b"):
        data = t.normalise_images(part.assign(image=[f"{name}{i}.jpg" for i in range(6)]))
        found = training.group_copies(data, tmp_path, store, Events())
        assert found.tolist() == [0, 1, 2, 3, 4, 5]


def test_groups_of_near_duplicates_stay_in_one_half() -> None:
    groups = np.repeat(np.arange(20), 5)
    half = training.split_groups(groups)
    assert half.sum() == 50
    assert all(half[groups == group].all() or not half[groups == group].any() for group in range(20))
    assert 0 < training.split_groups(np.array([0] * 14 + [1])).sum() < 15
    assert training.split_groups(np.zeros(15, dtype=np.int64)).sum() == 0


def test_stopped_runs_are_ignored_and_missing_results_recomputed(project: Project) -> None:
    def runs_when_due() -> list[str]:
        training_of(project).train_if_due()
        return list(project.assist.runs["state"])

    turn_on(project)
    label(project, names_in_order(project)[:5])
    stopped = {**train(project), "state": "stopped"}
    open_project_store(project.root).change_setting("assist runs", lambda _: [stopped])
    assert project.assist.next_training == 0
    assert runs_when_due() == ["stopped", "done"]
    assert runs_when_due() == ["stopped", "done"]
    (project.root / "cache" / "assist" / "results.npz").unlink()
    assert runs_when_due() == ["stopped", "done", "done"]


def test_corrected_labels_count_for_the_next_training(project: Project) -> None:
    order = names_in_order(project)
    label(project, order[:30])
    train(project)
    label(project, order[:4], [LABELS[(LABELS.index(truth(name)) + 1) % 3] for name in order[:4]])
    assert project.assist.next_training == 10 - 4


def test_closing_stops_training_and_leaves_no_files(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(InProcess):
        def run(self, entry: str, arguments: dict[str, Any], events: Events) -> Any:
            ended.wait(20)
            raise HelperError("SIGKILL", "killed from outside")

        def close(self) -> None:
            ended.set()

    ended = threading.Event()
    monkeypatch.setattr(background_training, "BackgroundRunner", Killed)
    store, threads = open_project_store(project.root), set(threading.enumerate())
    project.assist.start()
    assert is_soon(lambda: bool(store.setting("assist runs")), 20)
    project.close()
    assert not set(threading.enumerate()) - threads
    assert store.setting("assist runs") == []


def test_training_continues_after_renaming_the_project(project: Project) -> None:
    assist = project.assist
    turn_on(project)
    with pytest.raises(cl.errors.ProjectError):
        project.rename("a/b")
    assert is_soon(lambda: len(assist.runs) == 1, 20)
    project.rename("vegetables")
    assert project.assist is assist
    label(project, names_in_order(project)[:12])
    assert is_soon(lambda: len(assist.runs) == 2, 20)


def test_an_error_without_a_text_is_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: BackgroundTraining) -> None:
        raise MemoryError

    monkeypatch.setattr(BackgroundTraining, "train_if_due", fail)
    project.assist.start()
    assert is_soon(lambda: project.assist.status.text == "MemoryError", 10)
    assert project.assist.status.state == "failed"


def test_an_unpacked_project_does_not_train_by_itself(project: Project, tmp_path: Path) -> None:
    turn_on(project, target=0.9)
    project.pack(tmp_path / "x.zip", progress=False)
    copy = cl.unpack_project(tmp_path / "x.zip", tmp_path / "copy")
    assert not copy.assist.on
    assert copy.assist.summary()["target"] == 0.9
    copy.close()


def test_frames_of_one_video_count_once_and_images_are_trusted_with_all_their_boxes(
    tmp_path: Path, noise: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from customlabels_nb.training import detector_recipe

    def predict(
        trained: Any, images: list[str], labels: list[str], **_: Any
    ) -> tuple[pd.DataFrame, list[str], list[Any]]:
        rows = [(name, "lime", 0.9, 10.0, 10.0, 50.0, 40.0) for name in images]
        rows += [(name, "lime", 0.6, 90.0, 90.0, 50.0, 40.0) for name in images if int(name[3:6]) % 2]
        return pd.DataFrame(rows, columns=["image", "label", "confidence", *t.BOX_COLUMNS]), images, []

    monkeypatch.setattr(detector_recipe, "train_detector", lambda *_, **__: None)
    monkeypatch.setattr(detector_recipe, "predict_boxes", predict)
    monkeypatch.setattr(training, "MOST_DETECTED", 1000)
    project = make(tmp_path, "boxes")
    order = names_in_order(project)
    train(project)
    for some in (order[:60], order[60:100]):
        rows = [(name, "lime", 10.0, 10.0, 50.0, 40.0) for name in some]
        project.update("train", pd.DataFrame(rows, columns=["image", "label", *t.BOX_COLUMNS]))
        run = train(project)
    assert run["promise"]["threshold"] == 0.9
    found = project.assist.results
    assert found is not None
    assert len(found.prelabels) > 20
    assert not any(int(name[3:6]) % 2 for name in found.prelabels["image"])
    assert "of the boxes right" in repr(project.assist.auto_label(dry_run=True, progress=False))
    monkeypatch.setattr(training, "group_copies", lambda images, *_: np.arange(len(images)) // 5)
    assert train(project)["promise"] is None
    project.close()


def test_check_images_that_people_cannot_label_are_evidence_against_predictions(project: Project) -> None:
    names, start = names_in_order(project), 0
    session = LabellingSession(open_project_store(project.root), project.root, "train")
    while start < 100:
        train(project)
        part, start = names[start : start + 40], start + 40
        label(project, [name for name in part if truth(name) != "lime"])
        others = [name for name in part if truth(name) == "lime"]
        session.set_status(others[::2], "skipped")
        session.set_status(others[1::2], "needs_review")
    evidence = train(project)["evidence"]
    assert evidence["right"] / evidence["items"] == pytest.approx(2 / 3, abs=0.12)


def test_correcting_a_label_from_before_assist_adds_no_evidence(project: Project) -> None:
    names = names_in_order(project)
    label(project, names[:60:2], ["lime"] * 30)
    open_project_store(project.root).change_setting("assist checks", lambda _: None)
    training_of(project).checks()
    label_checks(project, names[1:60:2])
    before = train(project)["evidence"]
    label(project, names[:60:2])
    assert train(project)["evidence"]["items"] == before["items"] > 0
