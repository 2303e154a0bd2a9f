"""Tests of the dashboard without a screen: links to images, jobs, polling, the list of actions, export."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import CustomLabelsError, InputError, NotAllowedError, NotEnoughDataError, StaleEditError
from customlabels_nb.events import Events
from customlabels_nb.labeling.action_list import ActionList
from customlabels_nb.labeling.dashboard import ChangePoller, DashboardSession
from customlabels_nb.labeling.exporting import export, place_of
from customlabels_nb.labeling.jobs import Job
from customlabels_nb.labeling.progress import microseconds
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.training.plan import describe_plan
from tests.facts import tells
from tests.labeling.conftest import another, named
from tests.waiting import wait_until


@pytest.fixture
def dashboard(project: Project) -> DashboardSession:
    """Return a dashboard session of the project."""

    def plan() -> list[str]:
        return describe_plan(project.task, project.train_set, project.test_set)

    place = open_project(project.root)
    return DashboardSession(
        place.store,
        place.root,
        dataset=place.dataset,
        check=lambda events: project.check(progress=False, events=events),
        plan=plan,
        user="anna",
    )


def label_some(project: Project) -> None:
    """Label seven apples and five pears by anna and three pears by ben, skip two, mark one, and move ten to test."""
    anna, ben = another(project, "anna"), another(project, "ben")
    anna.assign(named(anna, *range(7)), "apple")
    anna.assign(named(anna, *range(7, 12)), "pear")
    ben.follow()
    ben.assign(named(ben, 12, 13, 14), "pear")
    ben.set_status(named(ben, 15, 16), "skipped")
    ben.set_status(named(ben, 17), "needs_review")
    store = open_project_store(project.root)
    store.move_images(named(anna, 0, 1, 7, 12, 20, 21), "train", "test", Action("distribute", "meg"))


def shown_by(project: Project, dashboard: DashboardSession, split: str, link: Mapping[str, Any]) -> list[str]:
    """Return the images that a gallery shows for a link."""
    session = another(project, "somebody")
    session.open(split)
    view = session.show(dashboard.query(split, link))
    return session.images_at([(0, len(view) - 1)], view)


def test_links_show_as_many_images_as_they_count(project: Project, dashboard: DashboardSession) -> None:
    label_some(project)
    totals = dashboard.totals()

    def count(split: str, **link: Any) -> int:
        return len(shown_by(project, dashboard, split, link))

    for split, status, images in totals.statuses.itertuples(index=False):
        assert count(split, show=status) == images
    assert totals.statuses["images"].sum() == 30
    for label, _, train, test in totals.labels.itertuples(index=False):
        assert [count("train", label=label), count("test", label=label)] == [train, test]
    assert totals.labels["test"].tolist() == [2, 2]
    for person, train, test, _ in totals.annotators.itertuples(index=False):
        assert [count("train", annotator=person), count("test", annotator=person)] == [train, test]
    assert totals.annotators["annotator"].tolist() == ["anna", "ben"]
    for kind, train, test in totals.queue.itertuples(index=False):
        assert [count("train", queue=kind), count("test", queue=kind)] == [train, test]
    starts = microseconds(totals.work["start"])
    for start, train, test in zip(starts, totals.work["train"], totals.work["test"], strict=True):
        assert [count("train", work=[start, "hour"]), count("test", work=[start, "hour"])] == [train, test]
    assert totals.work[["train", "test"]].to_numpy().sum() == 15
    assert count("train") == 24
    assert totals.usable == {"train": 11, "test": 4}


def test_counts_update_at_once(project: Project, dashboard: DashboardSession) -> None:
    before = dashboard.totals()
    ben = another(project, "ben")
    ben.assign(named(ben, 3), "apple")
    after = dashboard.totals()
    assert after.seen > before.seen
    assert after.labels["train"].tolist() == [1, 0]
    project.labels.rename("apple", "quince")
    assert dashboard.totals().labels["label"].tolist() == ["quince", "pear"]
    project.remove("train", named(ben, 3))
    assert dashboard.totals().statuses["images"].sum() == 29


def test_invalid_links_are_refused(project: Project, dashboard: DashboardSession) -> None:
    with pytest.raises(InputError, match="link="):
        dashboard.query("train", {"sql": "1"})
    with pytest.raises(InputError, match="link="):
        dashboard.query("train", {"label": "apple", "show": "all"})
    with pytest.raises(InputError, match="split="):
        dashboard.query("both", {"show": "all"})
    with pytest.raises(NotAllowedError, match="check"):
        dashboard.query("train", {"finding": 0})
    assert dashboard.query("train", {}).show == "all"


def test_dashboard_counts_changes_since_the_last_version(
    project: Project, dashboard: DashboardSession, store: SqlStore
) -> None:
    label_some(project)
    assert dashboard.totals().version is None
    now = pd.Timestamp.now(tz="UTC").to_pydatetime()
    record = cl.store.VersionRecord("v1", "TRAINING_COMPLETED", "", "versions/v1", now, now, metrics={"f1": 0.9})
    store.add_version(record, Action("train", "anna"))
    version = dashboard.totals().version
    assert version is not None
    assert (version.name, version.f1, version.changes, version.changed_at) == ("v1", 0.9, 0, None)
    anna = another(project, "anna")
    anna.assign(named(anna, 25, 26), "apple")
    version = dashboard.totals().version
    assert version is not None
    assert (version.changes, version.labelled) == (1, {"train": 2, "test": 0})
    assert len(shown_by(project, dashboard, "train", {"since": microseconds([version.created])[0]})) == 2


def test_a_check_runs_beside_and_its_findings_lead_to_their_images(
    project: Project, dashboard: DashboardSession
) -> None:
    label_some(project)
    dashboard.check()
    state = dashboard.checking.wait(60)
    assert state.name == "done", state.error
    assert state.result is not None
    assert state.result.seen == dashboard.last_action()
    assert len(state.result.plan) > 0
    issues = state.result.report.issues
    assert issues["message"].tolist() == project.check(progress=False).issues["message"].tolist()
    for number, images in enumerate(issues["images"]):
        shown = [len(shown_by(project, dashboard, split, {"finding": number})) for split in ("train", "test")]
        assert sum(shown) in (0, images)
    assert any(shown_by(project, dashboard, "train", {"finding": number}) for number in range(len(issues)))


def test_training_plan_is_described(project: Project) -> None:
    def said() -> list[str]:
        return describe_plan(project.task, project.train_set, project.test_set)

    assert "0 labelled images" in said()[0]
    label_some(project)
    assert tells(said()[0], "project.train()", 2, "labels", 11, "images", 4)
    project.task = "boxes"
    assert "A detector needs images of at least 1 label" in said()[0]


# -- jobs and polling -------------------------------------------------------------------------------------


def test_background_job_reports_progress_and_can_be_stopped() -> None:
    told: list[str] = []
    job: Job[int] = Job(lambda: told.append(job.state.name))
    begun, go_on = threading.Event(), threading.Event()

    def work(events: Events) -> int:
        events.progress("counting", 1, 2)
        begun.set()
        assert go_on.wait(10)
        events.progress("counting", 2, 2)
        return 7

    assert job.state.name == "idle"
    job.start(work)
    assert begun.wait(10)
    assert job.state.name == "running"
    assert job.state.progress is not None
    assert (job.state.progress.done, job.state.progress.total) == (1, 2)
    with pytest.raises(NotAllowedError, match="already running"):
        job.start(work)
    changes = job.changes
    go_on.set()
    assert job.wait(10).result == 7
    assert job.changes > changes
    go_on.clear()
    begun.clear()
    job.start(work)
    assert begun.wait(10)
    job.stop()
    go_on.set()
    assert job.wait(10).name == "stopped"
    assert told == ["done", "stopped"]


@pytest.mark.parametrize("error", [InputError("folder='' must not be empty."), ZeroDivisionError("division")])
def test_failed_background_job_has_a_message(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def work(events: Events) -> None:
        raise error

    job: Job[None] = Job()
    job.start(work)
    state = job.wait(10)
    assert state.name == "failed"
    assert str(error) in state.error
    assert bool(caplog.records) == (not isinstance(error, CustomLabelsError))


def test_watch_notifies_soon_and_ends_without_pages(project: Project, store: SqlStore) -> None:
    told: list[int] = []
    watch = ChangePoller(store, lambda: told.append(1), every=0.02, patience=0.5)

    def is_watching() -> bool:
        return any(thread.name == "customlabels_nb watch" for thread in threading.enumerate())

    watch.awake()
    time.sleep(0.1)
    assert told == []
    other = cl.load_project(project.root)
    other.labels.add("fig")
    wait_until(lambda: told)
    wait_until(lambda: not is_watching())
    other.labels.add("plum")
    time.sleep(0.1)
    assert told == [1]
    watch.awake()
    time.sleep(0.1)
    other.labels.add("nut")
    wait_until(lambda: len(told) == 2)
    watch.stop()
    wait_until(lambda: not is_watching())
    other.close()


# -- the list of actions ------------------------------------------------------------------------------------


def test_actions_are_listed_opened_and_undone(project: Project, store: SqlStore) -> None:
    label_some(project)
    actions = ActionList(store, project.root, user="anna")
    rows = actions.rows(limit=3)
    assert [row["what"] for row in rows] == ["distribute", "mark needs review", "mark skipped"]
    assert all(row["undoable"] for row in rows)
    assert rows[1]["undone_by"] is None
    assert isinstance(rows[0]["created"], int)
    older = actions.rows(before=rows[-1]["id"], who="ben")
    assert [row["what"] for row in older] == ["label pear"]
    moved = actions.details(rows[0]["id"])
    assert moved["images"] == {"test": 6}
    assert moved["refusal"] is None
    assert len(moved["names"]) == 6
    skipped = actions.details(rows[2]["id"])
    assert skipped["images"] == {"train": 2}
    assert set(skipped["names"]) == {"15.png", "16.png"}
    labelled = actions.details(older[0]["id"])  # one of the three was moved later
    assert "changed since" in labelled["refusal"]
    with pytest.raises(StaleEditError):
        actions.undo(older[0]["id"])
    assert actions.undo(rows[2]["id"]) == 2
    newest = actions.rows(limit=1)[0]
    assert (newest["what"], newest["who"], newest["undoes"]) == ("undo mark skipped", "anna", rows[2]["id"])
    assert {"anna": 3, "ben": 3}.items() <= actions.people().items()
    unknown = actions.details(4711)
    assert tells(unknown.pop("refusal"), 4711, "project.history")
    assert unknown == {"id": 4711, "names": [], "images": {}}


def test_actions_name_their_labels_once(project: Project, store: SqlStore) -> None:
    label_some(project)
    label_of = {row["what"]: row["labels"] for row in ActionList(store, project.root).rows()}
    assert label_of["label pear"] == ""  # named by the action
    assert label_of["mark skipped"] == ""
    project.labels.rename("pear", "<b>pear")
    project.undo()
    images = project.train_set.filter("label == 'apple'").images["image"].tolist()
    project.update("train", pd.DataFrame({"image": images[:2], "label": ["pear", "plum"]}))
    store.add_labels([(f"label {number}", None) for number in range(6)], Action("add labels", "anna"))
    rows = ActionList(store, project.root).rows(limit=4)
    texts = [row["labels"].replace("\u2068", "").replace("\u2069", "") for row in rows]
    added = "label 0, label 1, label 2, label 3 and 2 more"
    assert texts == [added, "apple → pear, plum", "pear → <b>pear", "pear → <b>pear"]


def dataset_of(project: Project) -> Callable[[str], cl.Dataset]:
    return {"train": project.train_set, "test": project.test_set}.__getitem__


# -- export -------------------------------------------------------------------------------------------------


def test_export_writes_the_selection_and_reports_losses(project: Project, tmp_path: Path) -> None:
    label_some(project)
    done = export(dataset_of(project), "out", "coco", base=tmp_path)
    assert done.images == {"train": 11, "test": 4}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["test.json", "train.json"]
    assert len(cl.read_dataset(tmp_path / "out" / "train.json")) == 11
    assert done.issues["message"].str.contains("annotator").any()
    more = export(dataset_of(project), "all", "csv", base=tmp_path, include=["skipped", "needs_review", "unlabelled"])
    assert more.images == {"train": 24, "test": 6}
    back = cl.read_dataset(tmp_path / "all" / "labels.csv")
    assert back.images["status"].value_counts().to_dict() == {
        "labelled": 15, "unlabelled": 12, "skipped": 2, "needs_review": 1
    }  # fmt: skip
    assert back.images["split"].value_counts().to_dict() == {"train": 24, "test": 6}
    assert more.issues.empty or not more.issues["message"].str.contains("skipped").any()


@pytest.mark.parametrize(
    "format",
    [
        "ground_truth",
        "coco",
        "custom_vision",
        "label_studio",
        "label_studio_min",
        "yolo",
        "cvat",
        "voc",
        "labelme",
        "csv",
        "yolo_classify",
        "image_folder",
    ],
)
def test_every_format_can_be_exported(project: Project, tmp_path: Path, format: str) -> None:
    label_some(project)
    done = export(dataset_of(project), tmp_path / "out", format, splits=["train"], copy_images=True)
    assert done.images == {"train": 11}
    assert all(tmp_path / "out" in file.parents for file in done.files)
    assert len([file for file in done.files if file.suffix == ".png"]) == 11
    again = export(dataset_of(project), tmp_path / "out", format, splits=["train"], copy_images=True)
    assert again.images == {"train": 11}


def test_an_export_counts_what_was_written(project: Project, tmp_path: Path) -> None:
    label_some(project)
    gone = project.train_set.filter("status == 'labelled'").images["image"].iloc[0]
    (project.root / gone).unlink()
    done = export(dataset_of(project), tmp_path / "out", "coco", splits=["train"], copy_images=True)
    assert done.images == {"train": 10}
    assert done.issues.query("code == 'IMAGE_NOT_FOUND'")["where"].tolist() == [gone]


def test_export_refuses_invalid_options(project: Project, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDataError, match="Label some"):
        export(dataset_of(project), "out", "coco", base=tmp_path)
    for folder in ("", "  ", "..", "../out", "a/../..", ".", "nul\0"):
        with pytest.raises(InputError, match="folder="):
            place_of(folder, tmp_path)
    assert place_of("a/../b", tmp_path) == tmp_path / "b"
    assert place_of(tmp_path / "c", Path("/elsewhere")) == tmp_path / "c"
    with pytest.raises(InputError, match="format='docx'"):
        export(dataset_of(project), "out", "docx", base=tmp_path)
    with pytest.raises(InputError, match="include='deleted'"):
        export(dataset_of(project), "out", "coco", base=tmp_path, include=["deleted"])
    with pytest.raises(InputError, match="split="):
        export(dataset_of(project), "out", "coco", base=tmp_path, splits=["dev"])
    assert not (tmp_path / "out").exists()
