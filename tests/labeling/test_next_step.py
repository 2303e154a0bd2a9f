"""Tests of what the screens say comes next: one step that is possible, the same on each of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.labeling import next_step
from customlabels_nb.labeling.next_step import NextStep
from customlabels_nb.labeling.queues import Queues
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.training.plan import why_refused
from customlabels_nb.widgets.dashboard import Dashboard
from tests.facts import tells
from tests.labeling.conftest import named
from tests.labeling.fake_assist import FakeAssist, results

TEST = frozenset(range(25, 30))
STATUSES = ["TRAINING_COMPLETED", "TRAINING_FAILED", "TRAINING_IN_PROGRESS", "TRAINING_STOPPED"]
CHANGES = st.one_of(
    st.tuples(
        st.sampled_from(["apple", "pear", "unlabelled", "skipped", "needs_review"]),
        st.one_of(st.sets(st.integers(0, 29)), st.just(range(30))),
    ),
    st.tuples(st.just("version"), st.sampled_from(STATUSES)),
)


def change(sessions: list[LabellingSession], store: SqlStore, what: str, of: Any) -> None:
    if what == "version":  # of the labels as they are
        now, name = datetime.now(UTC), f"v{len(store.versions())}"
        store.add_version(VersionRecord(name, of, "", "versions/x", now, now, metrics={"f1": 0.9}))
        return
    for session, mine in zip(sessions, (set(of).difference(TEST), TEST.intersection(of)), strict=True):
        images = named(session, *mine)
        if what in ("apple", "pear"):
            session.assign(images, what)
        else:
            session.set_status(images, what, remove_labels=True)


def check_possible(project: Project, dashboard: Dashboard, step: NextStep) -> str:
    """Check that the step can be done, and return what it is."""
    if step.link:
        opened = dashboard.show_images(step.split, **step.link)
        assert len(opened.session.view) == int(re.findall(r"\d+", step.button)[0]) > 0
        return f"{next(iter(step.link.values()))}: {step.code}".replace("test", "train")
    why = why_refused(project.task, project.train_set, project.test_set)
    if step.link is not None:
        assert step.text == why
        return "add"
    if step.code == "project.train()":
        assert not why
        return step.code
    return step.code.rpartition(".")[2]


def test_each_state_has_one_step_that_is_possible_and_the_same_everywhere(
    project: Project, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    images = named(project.label().session, *range(30))
    store.move_images(images[25:], "train", "test", Action("distribute", "meg"))
    suspects = [{"image": 0, "kind": "swapped", "given": "apple", "suggested": "pear"}]
    results(images[:25], suspects=suspects).write(project.root)
    sessions, dashboard = [project.label(split).session for split in ("train", "test")], project.dashboard()

    @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(CHANGES, max_size=2))
    def check(changes: list[Any]) -> None:
        for what, of in [("apple", range(30)), ("pear", range(0, 30, 2)), *changes]:
            change(sessions, store, what, of)
        sessions[0].show(Query(search="no image has this name"))
        empty, step = sessions[0].why_empty(), dashboard.session.next_step()
        assert empty is not None
        assert step is not None
        assert NextStep(**empty["next"]) == step
        with monkeypatch.context() as patched:
            patched.setattr(next_step, "_FEW", 0)  # a large project is checked by its counts first
            assert dashboard.session.next_step() == step
        seen.add(check_possible(project, dashboard, step))

    check()
    assert seen == {
        "unlabelled: project.label('train')",
        "needs_review: project.review('train', show='needs_review')",
        "suspect: project.review(queue='suspect')",
        "add",
        "project.train()",
        "status_message",
        "evaluate()",
        "resume()",
    }


def test_images_come_first_and_a_read_only_project_has_no_step(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = create_project("empty", tmp_path).dashboard().session.next_step()
    assert step is not None
    assert (step.link, step.code) == ({}, "project.add_images('photos')")
    monkeypatch.setattr(SqlStore, "read_only", True)
    assert project.dashboard().session.next_step() is None


@pytest.mark.parametrize("queue", ["assist", "manual", "clustered", "prelabelled", "suspect"])
def test_an_empty_queue_says_why(queue: str) -> None:
    say = Queues(FakeAssist(on=False)).why_empty
    assert tells(say(queue, 300, 300), "project.assist.start()")
    running = {"phase": "featurization", "done": 120, "total": 3000}
    assert tells(Queues(FakeAssist(running=running)).why_empty(queue, 300, 9), "reading the images", "120", "3,000")
    trained = Queues(FakeAssist(results(["a", "b"])))
    trained.renew()
    text = trained.why_empty(queue, 300, 9)
    assert ("can be trusted at 95%" in text) == (queue == "prelabelled")
    assert ("250" in trained.why_empty(queue, 249, 9)) == (queue == "prelabelled")
    assert "250" not in text + trained.why_empty(queue, 249, 0)
    assert tells(trained.why_empty("assist", 300, 0), "train image")  # test images may be left


def test_check_images_are_offered_if_enough_images_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    guarantee = {"run": 1, "target": 0.95, "promise": None, "evidence": {"items": 9, "wanted": 59}, "needed": 40}
    monkeypatch.setattr(FakeAssist, "guarantee", guarantee)
    queues = Queues(FakeAssist(results(["a", "b"])))
    queues.renew()
    assert [queues.lacks_checks(left) for left in (0, 39, 40)] == [False, False, True]


def test_an_empty_queue_with_a_filter_blames_the_filter(project: Project) -> None:
    session = project.label().session
    images = named(session, *range(30))
    results(images).write(project.root)
    session.show(Query(queue="assist", search="no image has this name"))
    empty = session.why_empty()
    assert empty is not None
    assert tells(empty["text"], "filter")
    assert tells(empty["next"]["text"], "30 train images")
