"""Tests of the kernel sides of dashboard and history panel: responses, and use from other cells."""

# ruff: noqa: F811

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.assist.auto_labels import AutoLabels
from customlabels_nb.errors import Cancelled, InputError, NotAllowedError
from customlabels_nb.events import Events
from customlabels_nb.project.location import ProjectLocation, open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import SqlStore
from customlabels_nb.widgets.annotator import Annotator
from customlabels_nb.widgets.gallery import Gallery
from customlabels_nb.widgets.review import Review
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.labeling.test_dashboard import label_some
from tests.waiting import wait_until
from tests.widgets.asking import Cell

Ask = Callable[..., Any]


def page_of(widget: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Ask, list[Any]]:
    """Return a function that sends requests like a widget's page, and the list of messages sent by the widget."""
    sent: list[Any] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(json.loads(json.dumps(content))))

    def ask(kind: str, **content: Any) -> Any:
        widget.answer(widget, {"id": 7, "kind": kind, "content": content}, [])
        answer = next(message for message in reversed(sent) if message.get("answer") == 7)
        sent.remove(answer)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["content"]

    return ask, sent


def test_hello_sends_all_counts_and_follow_only_changes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    dashboard = project.dashboard()
    ask, sent = page_of(dashboard, monkeypatch)
    news = ask("hello", offset=60)
    totals = news["figures"]
    assert totals["statuses"]["train"] == {"labelled": 11, "unlabelled": 10, "skipped": 2, "needs_review": 1}
    assert [row[0] for row in totals["labels"]] == ["apple", "pear"]
    assert totals["annotators"][0][:3] == ["anna", 9, 3]
    assert sum(train + test for _, train, test in totals["work"]) == 15
    assert totals["version"] is None
    assert "coco" in news["formats"]
    assert news["jobs"]["check"]["state"] == "idle"
    assert ask("follow", seen=totals["seen"], jobs=news["jobs"]["changes"], assist=news["assist"]) == {}
    assert dashboard.seen == totals["seen"]
    days = ask("unit", unit="day")["figures"]
    assert days["unit"] == "day"
    with pytest.raises(AssertionError, match="unit='year'"):
        ask("unit", unit="year")
    # actions in the meantime are pushed
    seen: list[int] = []
    dashboard.observe(lambda change: seen.append(change["new"]), "seen")
    sent.clear()
    project.labels.add("fig")
    wait_until(lambda: sent)
    assert sent[0]["news"]["figures"]["labels"][-1][0] == "fig"
    assert seen[-1] == project.history["id"].iloc[0]
    assert dashboard.totals.labels["label"].tolist() == ["apple", "pear", "fig"]
    dashboard.close()


def test_progress_shows_while_annotations_are_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    go_on, outline_annotations = threading.Event(), SqlStore.outline_annotations

    def slow(store: SqlStore, *numbers: Any) -> Any:
        assert go_on.wait(30)
        return outline_annotations(store, *numbers)

    monkeypatch.setattr(SqlStore, "outline_annotations", slow)
    dashboard = project.dashboard()
    assert "train: 11 labelled" in Cell(dashboard).html
    ask, sent = page_of(dashboard, monkeypatch)
    totals = ask("hello")["figures"]
    assert (totals["complete"], totals["seen"], dashboard.seen) == (False, 0, 0)
    assert totals["statuses"]["test"]["labelled"] == 4
    assert totals["queue"]["needs_review"] == [1, 0]
    assert [row[2:] for row in totals["labels"]] == [[5, 2], [6, 2]]  # the store keeps these counts itself
    assert totals["usable"] == {"train": 11, "test": 4}
    assert ask("follow", seen=0, jobs=0)["figures"]["complete"] is False
    go_on.set()
    wait_until(lambda: any(message["news"]["figures"]["complete"] for message in sent))
    assert [row[2:] for row in sent[-1]["news"]["figures"]["labels"]] == [[5, 2], [6, 2]]
    assert dashboard.seen == project.history["id"].iloc[0]
    dashboard.close()


def test_a_bar_opens_a_gallery_with_its_images(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    dashboard = project.dashboard()
    ask, _ = page_of(dashboard, monkeypatch)
    cell = Cell(dashboard)
    assert dashboard.gallery is None
    assert ask("open", split="train", link={"label": "apple"}) == {"total": 5}
    gallery = dashboard.gallery
    assert gallery.session.view.query.label == "apple"
    assert cell.widgets == (dashboard, gallery._outermost())
    # the same gallery shows other images, and its filter is cleared
    assert ask("open", split="train", link={"show": "skipped"}) == {"total": 2}
    assert dashboard.gallery is gallery
    assert gallery.session.view.query.label is None
    # labels from a moment ago are included
    project.update("train", project.train_set.with_status("needs_review", "label == 'pear'"))
    assert ask("open", split="train", link={"show": "needs_review"}) == {"total": 7}
    assert ask("open", split="test", link={"annotator": "ben"}) == {"total": 1}
    assert dashboard.gallery.session.split == "test"
    assert len(cell.widgets) == 2
    assert dashboard.show_images("train") is gallery
    ask("close")
    assert dashboard.gallery is None
    assert cell.widgets == (dashboard,)
    with pytest.raises(AssertionError, match="link="):
        ask("open", split="train", link={"nothing": 1})
    with pytest.raises(InputError, match="split="):
        dashboard.show_images("dev")
    dashboard.close()


def test_twins_open_as_crops_and_are_removed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    image = project.train_set.images["image"].iloc[0]
    boxes = [(image, "apple", left, 5.0, 15.0, 15.0) for left in (5.0, 6.0, 25.0)]
    project.update("train", pd.DataFrame(boxes, columns=["image", "label", "left", "top", "width", "height"]))
    dashboard = project.dashboard()
    ask, sent = page_of(dashboard, monkeypatch)
    with pytest.raises(AssertionError, match="Run the check first"):
        ask("open", split="train", link={"boxes": 0})
    ask("check")
    wait_until(lambda: any(m.get("news", {}).get("jobs", {}).get("check", {}).get("result") for m in sent), 60)
    findings = next(m["news"]["jobs"]["check"]["result"] for m in sent if "jobs" in m.get("news", {}))["findings"]
    number = next(at for at, finding in enumerate(findings) if finding["code"] == "BOX_REPEATED")
    assert findings[number]["boxes"] == {"train": 1}
    assert ask("open", split="train", link={"boxes": number}) == {"total": 1, "unit": ["box", "boxes"]}
    session = dashboard.gallery.session
    (crop,) = session.page(0, 10)[1]
    assert session.row(crop)["boxes"] == ["apple"]
    session.remove_boxes([crop])
    assert session.row(crop)["status"] == "removed"
    assert project.train_set.annotations["left"].tolist() == [5.0, 25.0]
    assert ask("open", split="train", link={"boxes": number})["total"] == 0  # they don't become predictions
    checked = dashboard.session.checking.state.result.report
    assert len(project.crops("train", annotations=checked.boxes_with("BOX_REPEATED", "train")).session.view) == 0
    project.undo()
    assert len(project.crops("train", annotations=checked.boxes_with("BOX_REPEATED", "train")).session.view) == 1
    assert dashboard.show_images("train").session is not dashboard._galleries["train", "boxes"].session
    dashboard.close()


def test_end_of_check_and_export_is_announced(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    label_some(project)
    monkeypatch.chdir(tmp_path)
    dashboard = project.dashboard()
    ask, sent = page_of(dashboard, monkeypatch)
    ask("check")
    wait_until(lambda: any(m.get("news", {}).get("jobs", {}).get("check", {}).get("result") for m in sent), 60)
    found = next(m["news"]["jobs"]["check"]["result"] for m in sent if "jobs" in m.get("news", {}))
    assert found["plan"][0].startswith("project.train() would learn 2 labels")
    assert found["findings"][0].keys() == {"code", "severity", "images", "message", "advice", "splits", "boxes"}
    sent.clear()
    choice = {"format": "coco", "folder": "out", "splits": ["train"], "include": ["skipped"], "copy_images": False}
    ask("export", **choice)
    wait_until(lambda: any(m.get("news", {}).get("jobs", {}).get("export", {}).get("result") for m in sent), 60)
    result = sent[-1]["news"]["jobs"]["export"]["result"]
    assert result["images"] == {"train": 13}
    assert result["folder"] == str(tmp_path / "out")
    assert any("annotator" in text for text in result["issues"])
    ask("export", **{**choice, "folder": "../out"})
    wait_until(lambda: dashboard.session.exporting.state.name == "failed", 20)
    assert "must be a subfolder of" in dashboard.session.exporting.state.error
    dashboard.close()


SUMMARY: dict[str, Any] = {
    "on": True, "read_only": False, "target": 0.95, "budget": "2min", "test": False, "error": "",
    "elsewhere": False, "running": None, "next": 14, "every": 25, "new": 11,
    "ended": None, "steps": [], "promise": None, "needed": 41, "missing": [], "accepted": 0, "corrected": 0,
    "queues": {"manual": 3, "clustered": 0, "prelabelled": 2, "suspect": 1}, "advice": None,
}  # fmt: skip


class FakeAssist:
    """Assistance that notes what it is asked, and whose training waits."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.state, self.rest = dict(SUMMARY, on=False), None
        self.go_on, self.error = threading.Event(), ""

    def summary(self) -> dict[str, Any]:
        return dict(self.state)

    def start(self, **settings: Any) -> None:
        self.asked.append(("start", settings))
        self.state.update(on=True, **settings)

    def stop(self, *, wait: bool) -> None:
        assert not wait  # the page would not be answered
        self.state["on"] = False

    def train(self, *, progress: bool, events: Events) -> None:
        assert not progress
        self.state["running"] = {"phase": "training", "done": 0, "total": None}
        while not self.go_on.wait(0.01):
            if events.is_cancelled:
                raise Cancelled("Stopped by you.")
        self.state["running"] = None
        if self.error:
            raise NotAllowedError(self.error)

    def auto_label(self, *, dry_run: bool, progress: bool, events: Events) -> Any:
        assert (dry_run, progress) == (True, False)
        return self.rest


def test_assist_card_switches_trains_and_updates(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    dashboard, assist = project.dashboard(), FakeAssist()
    dashboard.session.assist = assist
    ask, sent = page_of(dashboard, monkeypatch)
    known = ask("hello")
    assert (known["assist"]["on"], known["assist"]["test"]) == (False, False)
    state = {"seen": known["figures"]["seen"], "jobs": known["jobs"]["changes"]}
    assert ask("follow", **state, assist=known["assist"]) == {}
    on = ask("assist", do="start")["assist"]
    assert on["on"]
    assert ask("follow", **state, assist=known["assist"]) == {"assist": on, "next": known["next"]}
    assert ask("assist", do="start", target=0.9, budget="5min", test=True)["assist"]["target"] == 0.9
    assert assist.asked == [
        ("start", {"target": 0.95, "budget": "2min", "test": False}),
        ("start", {"target": 0.9, "budget": "5min", "test": True}),
    ]
    # a training does not keep the page waiting, and its end or error is pushed
    for error in ("", "Two labels are needed."):
        sent.clear()
        assist.go_on.clear()
        assist.error = error
        ask("assist", do="train")
        wait_until(lambda: ask("follow", **state, assist=on)["assist"]["running"])
        with pytest.raises(AssertionError, match="already running"):
            ask("assist", do="train")
        assist.go_on.set()
        wait_until(lambda: any("ended" in message["news"] for message in sent))
        assert sent[-1]["news"]["ended"] == {"error": error, "rest": None}
        assert sent[-1]["news"]["assist"]["running"] is None
    # every label is followed
    sent.clear()
    assist.state["new"] = 12
    project.update("train", project.train_set.images[["image"]].iloc[:1].assign(label="pear"))
    wait_until(lambda: any(m["news"].get("assist", {}).get("new") == 12 for m in sent))
    assist.go_on.clear()
    for stop in (lambda: ask("assist", do="stop"), dashboard.close):  # neither leaves a training of this page behind
        ask("assist", do="train")
        wait_until(lambda: dashboard.session.assisting.state.name == "running")
        stop()
        wait_until(lambda: dashboard.session.assisting.state.name == "stopped")
        assert assist.state["on"] is False


def test_auto_label_needs_confirmation_and_can_be_undone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    dashboard, assist = project.dashboard(), FakeAssist()
    dashboard.session.assist = assist
    ask, sent = page_of(dashboard, monkeypatch)
    images = project.train_set.images.query("status == 'unlabelled'")
    names = images["image"].tolist()[:3]
    found = {"image": names, "label": ["apple", "pear", "apple"], "confidence": [0.99, 0.98, 0.97]}
    run = {"run": 4, "found": found, "promise": {"threshold": 0.97, "bound": 0.953}, "target": 0.95, "note": ""}
    place = ProjectLocation(project.root, open_project_store(project.root))
    assist.rest = AutoLabels(place, run, dict(zip(images["image"], images["revision"].tolist(), strict=True)))
    with pytest.raises(AssertionError, match="again"):
        ask("assist apply")
    ask("assist rest")
    wait_until(lambda: any("ended" in message["news"] for message in sent))
    rest = next(m["news"]["ended"]["rest"] for m in sent if "ended" in m["news"])
    assert (rest["images"], rest["labels"]) == (3, [["apple", 2], ["pear", 1]])
    assert "95.3%" in rest["text"]
    assert "500" not in rest["text"]
    assert len(project.train_set.images.query("status == 'unlabelled'")) == 10, (
        "nothing is labelled before it is confirmed"
    )
    project.update("train", pd.DataFrame({"image": names[:1], "label": "pear"}))  # a person was faster
    done = ask("assist apply")
    assert done["images"] == 2
    marks = project.train_set.annotations.set_index("image")
    assert marks.loc[names, "label"].tolist() == ["pear", "pear", "apple"]
    assert (marks.loc[names, "annotator"] == "model:4").tolist() == [False, True, True]
    assert ask("history undo", id=done["action"])["images"] == 2
    assert project.train_set.annotations["image"].isin(names).sum() == 1
    dashboard.close()


def test_the_numbers_of_the_assist_card_open_their_queue(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    dashboard = project.dashboard()
    ask, _ = page_of(dashboard, monkeypatch)
    for queue in ("assist", "manual", "clustered", "prelabelled"):
        ask("open", split="train", link={"queue": queue})
        assert isinstance(dashboard.gallery, Gallery)
        assert dashboard.gallery.session.view.query.queue == queue
    first = dashboard.gallery
    ask("open", split="train", link={"queue": "suspect"})
    assert isinstance(dashboard.gallery, Review)
    assert dashboard.gallery.session.view.query.queue == "suspect"
    assert ask("open", split="train", link={"label": "apple"}) == {"total": 5}
    assert dashboard.gallery.session.view.query.queue is None
    assert dashboard.show_images("train", queue="prelabelled") is first  # the same screen again
    dashboard.close()


def test_queues_of_boxes_open_in_the_annotator(tmp_path: Any) -> None:
    project = create_project("boxed", folder=tmp_path, task="boxes")
    dashboard = project.dashboard()
    assert isinstance(dashboard.show_images("train", queue="manual"), Annotator)
    assert isinstance(dashboard.show_images("train", queue="suspect"), Review)
    assert isinstance(dashboard.show_images("train"), Gallery)
    dashboard.close()


def test_history_panel_opens_and_undoes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    label_some(project)
    panel = project.history_panel()
    ask, sent = page_of(panel, monkeypatch)
    page = ask("history", limit=2)
    assert [row["what"] for row in page["rows"]] == ["distribute", "mark needs review"]
    assert page["more"] is True
    assert ask("history", seen=page["seen"]) == {}
    assert ask("history details", id=page["rows"][1]["id"])["refusal"] is None
    assert panel.action == page["rows"][1]["id"]
    answer = ask("history undo", id=page["rows"][1]["id"])
    assert answer["images"] == 1
    assert {"push": "follow"} in sent  # other screens of the kernel are notified
    assert panel.table["what"].iloc[0] == "undo mark needs review"
    assert project.undo(answer["undone_by"]) == 1
    assert "undo mark needs review" in Cell(panel).html
    panel.close()


def test_static_view_of_a_saved_notebook_is_small_and_plain(project: Project) -> None:
    label_some(project)
    project.labels.rename("apple", "<img src=x onerror=alert(1)>")
    for widget in (project.dashboard(), project.history_panel()):
        still = Cell(widget).html
        assert len(still) < 5_000
        assert "<img" not in still
        widget.close()
    assert "train: 11 labelled, 1 to review, 2 skipped, 10 unlabelled" in Cell(project.dashboard()).html
