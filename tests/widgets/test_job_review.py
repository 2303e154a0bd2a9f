"""Tests of the review of a labelling job: what reaches the page of a reviewer, and what its requests do."""

# ruff: noqa: F811 - fixtures are imported

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.project.project import Project
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets.job_review import JobReview
from tests.fake_clock import FakeClock
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.widgets.asking import Cell, JobPage

PEOPLE = ("anna", "ben", "carl")
BOX = {"label": "lime", "left": 1, "top": 2, "width": 10, "height": 8, "polygon": None}


@pytest.fixture(autouse=True)
def meg() -> None:
    """Let everybody be meg, who manages the job."""
    settings.user = "meg"


def disputed(project: Project, answers: list[Any], count: int = 2, **options: Any) -> LabellingJob:
    """Create a job, in which each person gives their answer to each image."""
    names = project.train_set.images["image"][:count]
    labels = ["lemon", "lime", "fig"]
    job = project.jobs.create("fruit-1", names, annotators=3, agreement=0.9, labels=labels, **options)
    for name, given in zip(PEOPLE, answers, strict=True):
        worker = job.worker(name)
        for task in worker.lease(count):
            worker.submit(task, given)
    return job


@pytest.fixture
def screens() -> Iterator[list[JobReview]]:
    """Yield a list of widgets that are closed afterwards."""
    opened: list[JobReview] = []
    yield opened
    for screen in opened:
        screen.close()


def opened(job: LabellingJob, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch) -> JobPage:
    """Open the review."""
    screens.append(job.review())
    return JobPage(screens[-1], monkeypatch)


def test_a_page_takes_an_answer_and_sees_names_then(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = disputed(project, ["lemon", "lime", "lime"])
    page = opened(job, screens, monkeypatch)
    first, second = page.rows()
    assert [one["letter"] for one in first["answers"]] == ["A", "B", "C"]
    assert not any(name in json.dumps(page.sent) for name in PEOPLE)
    number = 1 + [one["labels"] for one in first["answers"]].index(["lemon"])
    answer = page.edit_row("take", first, number=number)
    assert answer["rows"][0]["labels"] == ["lemon"]
    assert {one["person"] for one in answer["rows"][0]["answers"]} == set(PEOPLE)
    assert answer["info"]["review"]["done"] == 1
    assert job.results.query("state == 'resolved'")["label"].tolist() == ["lemon"]
    page.edit_row("approve", second)
    assert sorted(job.results["label"]) == ["lemon", "lime"]
    page.ask("undo")
    assert job.results["state"].tolist().count("resolved") == 1
    assert [row["name"] for row in page.rows()] == [second["name"]]
    assert [row["name"] for row in page.rows("reviewed")] == [first["name"]]


def test_a_page_sends_images_back(project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch) -> None:
    job = disputed(project, ["lemon", "lime", "fig"])
    page = opened(job, screens, monkeypatch)
    first, second = page.rows()
    with pytest.raises(RuntimeError, match="no majority"):
        page.edit_row("approve", first)
    page.edit_row("ask", first)
    page.edit_row("reject", second)
    assert page.rows() == []
    assert job.progress.left == 4  # one person more, and three again
    with pytest.raises(RuntimeError, match="no longer in the review"):
        page.edit_row("take", first, number=1)
    assert page.ask("follow", images=[first["name"]]).get("rows", []) == []


def test_a_conflict_can_be_repeated(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(disputed(project, ["lemon", "lime", "fig"]), screens, monkeypatch)
    row = page.rows()[0]
    page.edit_row("take", row, number=1)
    answer = page.edit_row("take", row, number=2)
    assert [conflict["image"] for conflict in answer["conflicts"]] == [row["name"]]
    assert answer["edit"] == {"op": "take", "number": 2}


@pytest.mark.parametrize("op", ["ask", "reject", "take"])
def test_page_cannot_override_unseen_decisions(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    job = disputed(project, ["lemon", "lime", "lime"])
    page = opened(job, screens, monkeypatch)
    row = page.rows()[0]
    job.decide(row["name"], "fig")
    page.widget.session.clock = FakeClock(time.monotonic() + 60)
    page.widget.session.refresh()  # for another page
    answer = page.edit_row(op, row, number=1)
    assert [conflict["theirs"] for conflict in answer["conflicts"]] == [["fig"]]
    assert not answer["reload"]
    assert job.results.query("state == 'resolved'")["label"].tolist() == ["fig"]
    job.requeue(row["name"])
    answer = page.edit_row(op, answer["rows"][0], number=1)
    assert ([conflict["theirs"] for conflict in answer["conflicts"]], answer["reload"]) == ([[]], True)
    assert row["name"] not in [shown["name"] for shown in page.rows()]


def test_boxes_are_edited_in_an_annotator_below(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = disputed(project, [[BOX], [{**BOX, "width": 12}], []], count=1, task="boxes")
    page = opened(job, screens, monkeypatch)
    (row,) = page.rows()
    assert row["size"] is not None
    assert sorted(len(one["shapes"]) for one in row["answers"]) == [0, 1, 1]
    page.ask("fix", image=row["name"])
    annotator = JobPage(Cell(page.widget).widgets[1], monkeypatch)
    facts = annotator.ask("image", image=row["name"], pixels=300)
    assert [shape["label"] for shape in facts["shapes"]] == ["lime"]
    shape = {**BOX, "label": "fig", "width": 20, "crowd": False, "confidence": None}
    annotator.ask("save", image=row["name"], split="train", shapes=[shape], labels=[], status="labelled",
                  revision=facts["revision"])  # fmt: skip
    assert job.results[["label", "width", "state"]].to_numpy().tolist() == [["fig", 20.0, "resolved"]]
    assert not any(name in json.dumps(annotator.sent) for name in PEOPLE)
    assert page.ask("follow", images=[row["name"]])["rows"][0]["boxes"] == ["fig"]


def test_jobs_of_labels_have_no_boxes_to_edit(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(disputed(project, ["lemon", "lime", "fig"]), screens, monkeypatch)
    with pytest.raises(RuntimeError, match="no boxes to edit"):
        page.ask("fix", image=page.rows()[0]["name"])
    for kind in ("add label", "task", "instructions"):
        with pytest.raises(RuntimeError, match="The manager of a labelling job"):
            page.ask(kind, label="kiwi", task="boxes", text="x")


def test_decisions_can_be_made_from_python(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = disputed(project, ["lemon", "lime", "lime"])
    screen = opened(job, screens, monkeypatch).widget
    first, second = job.disputed().tasks["image"]
    screen.take(1, [first])
    screen.ask_one_more([second])
    assert screen.progress["left"] == 0
    assert screen.progress["done"] == 1
    assert "1 of 1 reviewed" in Cell(screen).html


def test_only_reviewers_open_it(project: Project) -> None:
    job = disputed(project, ["lemon", "lime", "fig"])
    with pytest.raises(InputError, match="page_size=5"):
        job.review(page_size=5)
    settings.user = "anna"
    with pytest.raises(NotAllowedError, match=r"'anna' is a labeler of the job 'fruit-1'.* can review it\. Ask 'meg'"):
        job.review()


def test_review_lists_waiting_images_and_only_managers_invite(
    project: Project, screens: list[JobReview], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = project.jobs.create("fruit-1", project.train_set.images["image"][:2], annotators=2, max_annotators=3)
    for name, given in (("anna", "apple"), ("ben", "pear")):
        worker = job.worker(name)
        for task in worker.lease(2):
            worker.submit(task, given)
    page = opened(job, screens, monkeypatch)
    first, _ = page.rows()
    decided = page.edit_row("label", first, label="pear")["info"]["waiting"]
    assert [group["sentence"] for group in decided] == [
        "1 image waits for a third person: invite one, or decide yourself.",
    ]
    job.invite("rita", role="reviewer")
    settings.user = "rita"
    with pytest.raises(RuntimeError, match="only a manager can invite people"):
        page.ask("invite", person="dora")
    settings.user = "meg"
    assert "Start the page first" in page.ask("invite", person="dora")["link"]
    assert "dora" in job.members["person"].tolist()
