"""Tests of the dashboard of a labelling job: what its page receives and opens, and who may open it."""

# ruff: noqa: F811 - fixtures are imported

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.project.project import Project
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets.job_dashboard import JobDashboard
from customlabels_nb.widgets.job_review import JobReview
from tests.fake_clock import FakeClock
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.widgets.asking import Cell, JobPage


@pytest.fixture
def job(project: Project) -> LabellingJob:
    """Return a job of meg, in which anna and ben have answered, and disagree on one image."""
    settings.user = "meg"
    job = project.jobs.create("fruit-1", annotators=2, labels=["apple", "pear"], instructions="Look <b>twice</b>.")
    for name in ("anna", "ben"):
        worker = job.worker(name)
        for at, task in enumerate(sorted(worker.lease(30), key=lambda task: task.image)[:3]):
            worker.submit(task, "pear" if at == 0 and name == "ben" else "apple")
        worker.release()
    return job


@pytest.fixture
def screen(job: LabellingJob) -> Iterator[JobDashboard]:
    """Yield the dashboard of the job."""
    opened = job.dashboard()
    yield opened
    opened.close()
    opened.session.measuring.wait()


@pytest.fixture
def page(screen: JobDashboard, monkeypatch: pytest.MonkeyPatch) -> JobPage:
    """Return its page, when everything is measured."""
    screen.session.measuring.wait()
    return JobPage(screen, monkeypatch)


def test_page_receives_only_changes(job: LabellingJob, page: JobPage) -> None:
    figures = page.ask("hello")
    assert figures["states"] == {"done": 2, "review": 1, "working": 0, "waiting": 27, "skipped": 0}
    assert [row["person"] for row in figures["people"]] == ["anna", "ben"]
    assert figures["settings"]["instructions"] == "Look <b>twice</b>."
    assert page.ask("follow", changes=figures["changes"]) == {}
    worker = job.worker("carl")
    worker.submit(worker.lease(1)[0], "pear")
    page.widget.session.clock = FakeClock(time.monotonic() + 60)
    assert page.ask("follow", changes=figures["changes"])["answers"] == 7
    page.widget.session.measuring.wait()
    pushed = [sent["news"] for sent in page.sent if sent.get("push") == "news"]
    assert [row["person"] for row in pushed[-1]["people"]] == ["anna", "ben", "carl"]


def test_numbers_open_their_images_and_the_review(job: LabellingJob, page: JobPage) -> None:
    widget = page.widget
    assert page.ask("open", link={"state": "done"}) == {"total": 2, "more": ""}
    first, cell = widget.opened, Cell(widget)
    assert cell.widgets == (widget, first._outermost())
    assert set(first.session.view.query.images) == set(widget.session.images({"state": "done"}))
    assert page.ask("open", link={"review": True}) == {"total": 1}
    assert isinstance(widget.opened, JobReview)
    assert first.comm is None
    widget.opened.take(1, job.disputed().tasks["image"])
    assert {"push": "follow"} in page.sent  # decisions below show at once
    page.ask("close")
    assert cell.widgets == (widget,)
    assert widget.opened is None
    with pytest.raises(RuntimeError, match="exactly one of the keys"):
        page.ask("open", link={"nothing": 1})


def test_images_of_both_datasets_open_where_most_are(project: Project, page: JobPage) -> None:
    names = page.widget.session.images({"state": "waiting"})
    project.remove("train", names[:4])
    project.add_images(names[:4], split="test", progress=False)
    page.widget.session.clock = FakeClock(time.monotonic() + 60)
    assert page.ask("open", link={"state": "waiting"}) == {"total": 23, "more": ", and 4 in the other dataset"}
    assert page.widget.opened.session.split == "train"


def test_a_manager_pauses_and_closes(job: LabellingJob, page: JobPage) -> None:
    assert page.ask("act", action="pause")["state"] == job.state == "paused"
    assert page.ask("act", action="resume", about="")["state"] == "running"
    assert page.ask("act", action="close")["state"] == job.state == "closed"
    settings.user = "anna"
    with pytest.raises(RuntimeError, match="only a manager can resume it"):
        page.ask("act", action="resume")


def test_a_manager_with_a_shared_login_is_not_asked_for_a_name(
    job: LabellingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "jovyan")
    monkeypatch.setattr("customlabels_nb.project.screens.can_show_widgets", lambda: True)
    monkeypatch.setattr("customlabels_nb.jobs.identity._warned", True)
    job.invite("jovyan", role="manager")
    settings.user = "jovyan"
    screen = job.dashboard()
    assert isinstance(screen, JobDashboard)
    assert JobPage(screen, monkeypatch).ask("open", link={"review": True}) == {"total": 1}
    screen.close()
    screen.session.measuring.wait()
    review = job.review()
    assert isinstance(review, JobReview)
    review.close()


def test_only_managers_open_it(job: LabellingJob) -> None:
    job.invite("rita", role="reviewer")
    for name, role in (("anna", "a labeler"), ("rita", "a reviewer"), ("zoe", "not a member")):
        settings.user = name
        wanted = rf"'{name}' is {role} of the job 'fruit-1', and only a manager can open the dashboard.* Ask 'meg'"
        with pytest.raises(NotAllowedError, match=wanted):
            job.dashboard()


def test_a_saved_notebook_keeps_the_states(screen: JobDashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        "customlabels_nb.widgets.job_dashboard.display_with_fallback", lambda widget, html: shown.append(html)
    )
    screen._ipython_display_()
    assert "fruit-1: 2 done, 1 review, 27 waiting." in shown[0]
