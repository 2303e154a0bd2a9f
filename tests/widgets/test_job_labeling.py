"""Tests of the widgets of a labelling job: what reaches the page of a labeler, and what its requests do."""

# ruff: noqa: F811 - fixtures are imported

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_list import LabellingJobs
from customlabels_nb.project.job_page import show_job
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets.job_labeling import JobAnnotator, JobGallery
from customlabels_nb.widgets.name_question import NameQuestion
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.widgets.asking import Cell, JobPage

BOX = {"label": "pear", "left": 1, "top": 2, "width": 10, "height": 8, "polygon": None}


@pytest.fixture(autouse=True)
def anna() -> None:
    """Let everybody be anna, who also manages the job."""
    settings.user = "anna"


@pytest.fixture
def job(project: Project) -> LabellingJob:
    return project.jobs.create("leaves-1", images=project.train_set, annotators=2, instructions="Look twice.")


def test_keys_label_and_the_view_grows(job: LabellingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    page = JobPage(job.label(), monkeypatch)
    hello = page.ask("hello")
    assert (hello["mode"], hello["focus"], hello["instructions"], hello["manages_labels"]) == (
        "single",
        0,
        "Look twice.",
        False,
    )
    about = {"name": "leaves-1", "person": "anna", "text": "0 done, about 60 left for all", "end": "", "total": 10}
    assert hello["job"] == {**about, "asked": False}
    rows = page.rows()
    for row in rows[:7]:
        answer = page.edit_row("label", row, label="apple")
        assert answer["rows"][0]["labels"] == ["apple"]
    assert answer["info"]["job"]["text"] == "7 done, about 53 left for all"
    follow = page.ask("follow", images=[])
    assert (follow["info"]["job"]["total"], follow["info"]["view"], follow["more"]) == (17, hello["view"] + 1, 0)
    assert page.ask("follow", images=[]) == {}
    more = page.ask("page", view=follow["info"]["view"], place=10, size=24, pixels=160)
    assert [row["name"] for row in more["rows"]][:10] == [row["name"] for row in rows]
    assert len(more["rows"]) == 17
    page.edit_row("status", rows[7], status="labelled", remove_labels=True)
    page.edit_row("status", rows[8], status="skipped", remove_labels=True, reason="blurred")
    page.ask("undo")
    table = job.answers
    assert (len(table), int(table["label"].isna().sum())) == (8, 1)
    assert page.ask("hello")["focus"] == 8  # the first without an answer
    assert "leaves-1: 8 done, about 52 left for all. Run the cell to continue." in Cell(page.widget).html
    page.widget.close()
    page.widget.close()
    assert job.progress.held == 0


def test_closed_page_releases_tasks_and_another_leases(job: LabellingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    page = JobPage(job.label(mode="grid", page_size=6), monkeypatch)
    first = page.rows()
    assert (len(first), job.progress.held) == (6, 6)
    assert page.ask("here") == {}
    page.ask("leave")
    assert job.progress.held == 0
    page.pushed.clear()
    page.ask("follow", images=[])  # of another page of the same widget
    assert page.pushed == [{"push": "show", "change": {"place": 0, "keep": 0}}]
    assert job.progress.held == 6
    # an answer of the closed page arrives late
    page.edit_row("label", first[0], label="pear")
    assert job.answers["counted"].tolist() == [True]
    page.widget.close()


def test_page_is_notified_of_an_unacknowledged_answer(job: LabellingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    page = JobPage(job.label(), monkeypatch)
    row = page.rows()[0]

    def lost(*_: Any, **__: Any) -> Any:
        raise StoreError("connection refused")

    with monkeypatch.context() as broken:
        broken.setattr(leases, "submit", lost)
        with pytest.raises(RuntimeError, match="connection refused"):
            page.edit_row("label", row, label="apple")
        assert page.sent[-1]["again"]  # the page keeps it and sends it again
    assert page.edit_row("label", row, label="apple")["rows"][0]["labels"] == ["apple"]
    assert job.answers["label"].tolist() == ["apple"]
    with pytest.raises(RuntimeError, match="If no label fits, skip the image"):
        page.ask("add label", label="kiwi")
    with pytest.raises(RuntimeError, match="not one of the job's labels"):
        page.edit_row("label", row, label="kiwi")
    with pytest.raises(RuntimeError, match="The manager of a labelling job chooses"):
        page.ask("upload begin")
    page.widget.close()


def test_boxes_are_drawn_in_the_annotator(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = project.jobs.create("boxes-1", images=project.train_set, task="boxes")
    screen = job.label()
    assert isinstance(screen, JobAnnotator)
    page = JobPage(screen, monkeypatch)
    row, other = page.rows()[:2]
    image = page.ask("image", image=row["name"], pixels=800)
    assert (image["width"], image["height"], image["shapes"], image["predictions"]) == (48, 36, [], [])
    common = {"split": "train", "labels": [], "revision": 1}
    answer = page.ask("save", image=row["name"], shapes=[BOX], status="labelled", **common)
    assert (answer["conflict"], answer["info"]["job"]["text"]) == (False, "1 done, about 29 left for all")
    page.ask("save", image=other["name"], shapes=[], status="skipped", reason="dark", **common)
    assert [box["label"] for box in job.answers["boxes"].iloc[0]] == ["pear"]
    assert page.ask("hello")["place"] == 2
    box = {"left": 0, "top": 0, "width": 40, "height": 30}
    assert page.ask("outline", image=row["name"], points=[])["polygon"] is None  # only prepared
    assert "polygon" in page.ask("outline", image=row["name"], points=[], box=box)
    with pytest.raises(RuntimeError, match="cannot be marked for review"):
        page.ask("save", image=row["name"], shapes=[BOX], status="needs_review", **common)
    page.widget.close()


def test_picture_errors_do_not_reveal_files(
    job: LabellingJob, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "notes.txt").write_text("no image")
    lines = ["![](notes.txt)", f"![]({project.root}/project.db)", "![](gone.png)", "![](../elsewhere/gone.png)"]
    job.update(instructions="\n".join(lines))
    page = JobPage(job.label(), monkeypatch)
    instructions = page.ask("hello")["instructions"]
    told = set()
    for line in range(len(lines)):
        with pytest.raises(RuntimeError) as error:
            page.ask("picture", instructions=instructions, line=line, nth=0)
        told.add(str(error.value))
    assert told == {"This picture of the instructions cannot be shown. Tell the manager of the job."}
    page.widget.close()


def test_messages_contain_no_data_of_others(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have labelled, predicted and answered everything, and the folder is named after the label."""
    secret = "SECRETLABEL"
    store, images = open_project_store(project.root), project.train_set.images
    project.labels.add(secret)
    table = t.normalise_annotations(images[["image"]].assign(label=secret), annotator="ben-secret")
    store.update_images("train", images.assign(status="labelled"), table, Action("label", "ben-secret"))
    store.replace_predictions(
        "model-secret", table.assign(model="model-secret", confidence=0.987), Action("predict", "x")
    )
    store.rename_images({name: name.replace("/photos/", f"/{secret}/") for name in images["image"]})
    names = project.train_set.images["image"].tolist()
    Path(names[0]).parent.parent.joinpath("photos").rename(Path(names[0]).parent)
    gold = dict.fromkeys(names[:8], "apple")
    job = project.jobs.create("blind-1", images=names, annotators=3, labels=["apple", "pear"], gold=gold)
    settings.user = "ben-secret"
    ben = job.worker("ben-secret")
    for task in ben.lease(30):
        ben.submit(task, "pear")
    settings.user = "carl"
    actions = store.last_action()

    pages = [JobPage(job.label(), monkeypatch), JobPage(job.label(mode="grid", page_size=6), monkeypatch)]
    for page in pages:
        rows = page.rows()
        assert len(rows) in (6, 10)
        file = Path(page.widget.session.source_of(rows[5]["name"]))
        file.rename(file.with_suffix(".gone"))
        with pytest.raises(RuntimeError, match="No such file"):
            page.ask("full", image=rows[5]["name"])
        file.with_suffix(".gone").rename(file)
        for row in rows[:4]:
            page.ask("full", image=row["name"])
            page.edit_row("label", row, label="apple")
        page.ask(
            "edit", op="accept", images=[rows[4]["name"]], split="train", revisions={}, labels={rows[4]["name"]: []}
        )
        page.ask("edit", op="clear", images=[rows[4]["name"]], split="train", revisions={})
        page.ask("follow", images=[row["name"] for row in rows])
        page.ask("rows", view=page.ask("hello")["view"], ranges=[[0, 5]])
        page.ask("undo")
        page.ask("redo")
        # gold images look like the others
        waiting = [{**row, "name": "", "short": ""} for row in page.rows() if row["revision"] == 1]
        assert all(row == waiting[0] for row in waiting)
        messages = json.dumps(page.sent)
        for word in (secret, "ben-secret", "model-secret", "0.987", "gold", str(project.root)):
            assert word not in messages
        query = page.ask("hello")["query"]
        for asked in ({"predicted": secret}, {"annotator": "ben-secret"}, {"label": secret}, {"confidence": 0.5}):
            shown = page.ask("show", split="train", query={**query, **asked}, place=0, size=24, pixels=160)
            assert shown["page"]["total"] == 0
        page.widget.close()
    history = project.history
    assert store.last_action() == actions
    assert "carl" not in set(history["who"])


def test_the_screen_is_refused_to_people_who_are_not_members(project: Project) -> None:
    job = project.jobs.create("closed-1", images=project.train_set, members=["ben"])
    with pytest.raises(InputError, match="page_size=7"):
        job.label(page_size=7)
    with pytest.raises(InputError, match="mode='list'"):
        job.label(mode="list")
    assert job.progress.held == 0
    with pytest.raises(NotAllowedError, match="cannot open screens"):
        LabellingJobs(open_project(project.root))["closed-1"].label()
    settings.user = "dora"
    screen = job.label()
    assert isinstance(screen, JobGallery)
    assert (
        "'dora' is not a labeler of the job 'closed-1'. Ask the manager 'anna' to invite 'dora'." in screen.session.end
    )
    screen.close()


def test_shared_login_prompts_for_a_name_once(job: LabellingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "jovyan")
    monkeypatch.setattr("customlabels_nb.project.screens.can_show_widgets", lambda: True)
    settings.user = "jovyan"
    for question in (job.label(), job.review()):
        assert isinstance(question, NameQuestion)
        assert (question.job, question.screen, job.progress.held) == ("leaves-1", None, 0)
    page = JobPage(job.label(), monkeypatch)
    for refused in ("", " ", "x" * 101):
        with pytest.raises(RuntimeError, match="not a person's name"):
            page.ask("name", name=refused)
    assert settings.user == "jovyan"
    assert page.ask("name", name=" dora ") == {}
    assert page.ask("name", name="emil") == {}  # a second click
    screen = page.widget.screen
    assert isinstance(screen, JobGallery)
    assert (settings.user, screen.session.user, job.progress.held) == ("dora", "dora", 10)
    assert Cell(page.widget).widgets == (screen,)
    page.widget.close()
    assert job.progress.held == 0
    again = job.label()
    assert isinstance(again, JobGallery)
    again.close()
    asked = job.label(ask=True)
    assert isinstance(asked, NameQuestion)
    asked.close()


def test_somebody_else_may_enter_their_name_on_the_screen(job: LabellingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="Unknown request"):
        JobPage(job.label(), monkeypatch).ask("other person")  # the login says who it is
    page = JobPage(job.label(ask=True), monkeypatch)
    page.ask("name", name="dora")
    screen = JobPage(page.widget.screen, monkeypatch)
    assert [screen.ask("hello")["job"][key] for key in ("person", "asked")] == ["dora", True]
    held = job.progress.held
    assert screen.ask("other person") == {}
    assert (page.widget.screen, Cell(page.widget).widgets) == (None, (page.widget,))
    assert job.progress.held == held - 10
    page.ask("name", name="emil")
    assert page.widget.screen.session.user == "emil"
    page.widget.close()


def test_a_question_remains_until_the_person_may_label(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = project.jobs.create("closed-1", images=project.train_set, members=["ben"])
    page = JobPage(job.label(ask=True), monkeypatch)
    with pytest.raises(RuntimeError, match=r"'<b>' is not a labeler of the job 'closed-1'. Ask the manager 'anna' to"):
        page.ask("name", name="<b>")
    assert (settings.user, page.widget.screen) == ("anna", None)
    assert page.ask("name", name="BEN\u200b") == {}
    assert page.widget.screen.session.user == "ben"
    page.widget.close()


def test_the_page_of_a_job_shows_a_screen_a_question_or_why_there_is_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("JUPYTERHUB_USER", "CUSTOMLABELS_NB_USER"):
        monkeypatch.setenv(variable, "service")  # restored after the test
    job = project.jobs.create("leaves-1", images=project.train_set)
    assert isinstance(show_job(str(project.root), "leaves-1"), NameQuestion)
    job.worker("Dora")
    screen = show_job(str(project.root), "leaves-1", "dora")  # the exact name of a user of JupyterHub
    assert (screen.session.user, settings.user) == ("dora", "dora")
    screen.close()
    assert job.members["person"].tolist() == ["anna", "Dora", "dora"]
    assert "&lt;i&gt;" in show_job(str(project.root), "<i>").data


def test_person_with_two_screens(job: LabellingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = JobPage(job.label(), monkeypatch), JobPage(job.label(), monkeypatch)
    assert [row["name"] for row in one.rows()] == [row["name"] for row in other.rows()]
    assert job.progress.held == 10
    one.edit_row("label", one.rows()[0], label="apple")
    # an edit that the page of the first one kept is sent by the second one
    row = one.rows()[1]
    other.edit_row("label", row, label="pear", guest=True)
    assert other.pushed[-1] == {"push": "show", "change": {"place": 0, "keep": 0}}  # the first without an answer here
    other.ask("undo")  # not of a guest's edit
    assert sorted(job.answers["label"]) == ["apple", "pear"]
    assert pd.Series(job.answers["counted"]).all()
    for page in (one, other):
        page.widget.close()
