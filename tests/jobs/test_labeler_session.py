"""Tests of the labeler's view without a page: leases, answers, undo, blindness, and several kernels of one person."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, LabelError, StoreError
from customlabels_nb.jobs import labeler_session, leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.labeler_session import DONE, LabelerSession
from customlabels_nb.labeling.drawing import Shape
from customlabels_nb.store import open_store
from customlabels_nb.user_settings import settings
from tests.fake_clock import FakeClock
from tests.jobs.conftest import ACTION, Place, check
from tests.waiting import wait_until

Create = Callable[..., LabellingJob]
BOX = {"label": "lime", "left": 1.0, "top": 2.0, "width": 10.0, "height": 8.0}


@contextmanager
def person(name: str) -> Iterator[None]:
    """Be another person meanwhile."""
    before, settings.user = settings.user, name
    try:
        yield
    finally:
        settings.user = before


@pytest.fixture
def open_as(place: Place) -> Iterator[Callable[..., LabelerSession]]:
    """Return a function that opens the session of a person."""
    opened = []

    def open_session(job: LabellingJob, name: str = "anna", **options: Any) -> LabelerSession:
        with person(name):
            opened.append(LabelerSession(place.store, place.root, job, **{"clock": FakeClock(), **options}))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


def given(job: LabellingJob, who: str = "anna") -> list[Any]:
    """Return a person's counted labels, in order."""
    table = job.answers
    found = table.loc[table["counted"] & (table["person"] == who), "label"]
    return [None if pd.isna(label) else label for label in found]


def later(session: LabelerSession) -> bool:
    """Refresh the session like a page that polls it some time later."""
    session.clock.advance(31)  # type: ignore[attr-defined]
    return session.refresh()


def test_answers_are_stored_and_more_tasks_leased_when_three_are_left(
    place: Place, create: Create, open_as: Any
) -> None:
    job = create(annotators=2, instructions="Look twice.")
    session = open_as(job, batch=6)
    assert (len(session.view), session.progress["text"], session.end) == (6, "0 done, about 24 left for all", "")
    assert (session.instructions, session.labels()["label"].tolist()) == ("Look twice.", ["lemon", "lime"])
    names = session.waiting
    for name in names[:2]:
        session.assign([name], "lemon")
    later(session)
    assert len(session.view) == 6
    session.assign(names[2:3], "lime")
    number = session.view.number
    later(session)
    assert (len(session.view), session.view.number, job.progress.held) == (9, number, 6)
    assert session.page(0, 24)[1][:6] == names  # no image moves
    assert given(job) == ["lemon", "lemon", "lime"]
    assert session.progress["text"] == "3 done, about 21 left for all"
    for _ in range(3):
        for name in session.waiting:
            session.assign([name], "lemon")
        later(session)
    assert (session.end, len(given(job)), job.progress.left) == (DONE, 12, 12)
    session.undo()
    session.refresh()
    assert (session.end, len(session.waiting)) == ("", 1)
    check(place, 2)


def test_nothing_here_skips_and_undo_reach_the_job(place: Place, create: Create, open_as: Any) -> None:
    job = create()
    session = open_as(job)
    first, second, third = session.waiting[:3]
    session.set_status([first], "labelled")
    assert given(job) == [None]
    with session.skipping("blurred"):
        session.set_status([second], "skipped", remove_labels=True)
    assert place.sql("SELECT who, reason FROM job_skips") == [("anna", "blurred")]
    session.assign([third], "lime")
    session.undo()
    assert (given(job), job.progress.held) == ([None], 8)  # taken back and held again
    session.redo()
    assert given(job) == [None, "lime"]
    session.undo()
    session.undo()
    assert place.sql("SELECT * FROM job_skips") == []
    session.assign([second], "lemon")
    assert given(job) == [None, "lemon"]
    with pytest.raises(InputError, match="Skip them with a reason"):
        session.set_status([third], "needs_review")
    assert session.rows([third])[0]["status"] == "unlabelled"
    check(place, 1)


def test_a_changed_answer_replaces_the_earlier_one(place: Place, create: Create, open_as: Any) -> None:
    job = create(task="multi-label")
    session = open_as(job)
    name = session.waiting[0]
    session.assign([name], "lemon")
    session.assign([name], "lime")
    session.assign([name], "lemon", on=False)
    assert job.answers.loc[job.answers["counted"], "labels"].tolist() == [("lime",)]
    check(place, 1)


def test_boxes_are_answers(create: Create, open_as: Any) -> None:
    job = create(task="boxes")
    session = open_as(job)
    name, empty = session.waiting[:2]
    session.set_shapes(name, [Shape.read(BOX)])
    session.set_shapes(empty, [])
    found = job.answers.set_index("image")["boxes"]
    assert [(box["label"], box["left"], box["height"]) for box in found[session.source_of(name)]] == [
        ("lime", 1.0, 8.0)
    ]
    assert found[session.source_of(empty)] == ()
    again = open_as(job)
    assert again.shapes(name)["shapes"][0]["label"] == "lime"
    assert again.shapes(empty)["status"] == "labelled"


def test_notes_do_not_change_answers(create: Create, open_as: Any) -> None:
    job = create(task="boxes")
    session = open_as(job)
    name = session.waiting[0]
    session.set_shapes(name, [Shape.read(BOX)])
    before = job.answers
    session.set_shapes(name, [Shape.read({**BOX, "note": "loose"})], note="dark")
    pd.testing.assert_frame_equal(job.answers, before)


def test_a_repeated_edit_is_stored_once(
    place: Place, create: Create, open_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create(annotators=2)
    session = open_as(job)
    name = session.waiting[0]
    submit = leases.submit

    def cut_off(*args: Any, **options: Any) -> Any:
        submit(*args, **options)
        raise StoreError("the connection was cut before the reply")

    def cut_off_before(*_: Any, **__: Any) -> Any:
        raise StoreError("the connection was cut")

    monkeypatch.setattr(leases, "submit", cut_off)
    with pytest.raises(StoreError):
        session.assign([name], "lemon", revisions={name: 1})
    monkeypatch.setattr(leases, "submit", submit)
    session.assign([name], "lemon", revisions={name: 1})  # the page sends the same edit again
    session.assign([name], "lemon", revisions={name: 1})
    assert (given(job), len(job.answers)) == (["lemon"], 1)
    # what was not acknowledged is sent even if the page does not
    monkeypatch.setattr(leases, "submit", cut_off)
    with pytest.raises(StoreError):
        session.assign([name], "lime")
    monkeypatch.setattr(leases, "submit", submit)
    session.refresh()
    assert given(job) == ["lime"]
    with monkeypatch.context() as broken:
        broken.setattr(leases, "submit", cut_off_before)
        with pytest.raises(StoreError):
            session.assign([name], "lemon")
    session.leave()  # the page was closed then
    assert given(job) == ["lemon"]
    check(place, 2)


def test_answers_of_a_page_whose_kernel_was_killed_are_stored_by_the_next_one(
    place: Place, create: Create, open_as: Any
) -> None:
    job = create()
    killed = open_as(job, batch=5)
    names = killed.waiting
    killed.assign(names[:1], "lemon")
    job.release("anna")
    session = open_as(job, batch=5)  # the same person after a restart
    assert not set(session.waiting) & set(names)
    assert session.rows(names[:1])[0]["labels"] == ["lemon"]
    assert session.rows(names[1:]) == []
    # edits that the page kept, one of which had been stored
    session.assign(names[:1], "lemon", revisions={names[0]: 1})
    session.assign(names[1:2], "lime", revisions={names[1]: 7})
    assert (given(job), len(job.answers)) == (["lemon", "lime"], 2)
    for wrong in ("x/00.jpg", "999999/00.jpg", "9" * 40 + "/00.jpg", f"{names[2]}x"):
        with pytest.raises(InputError, match="is not in the train set"):
            session.set_status([wrong], "labelled")
    assert session.rows(names[2:]) == []
    check(place, 1)


def test_a_second_window_shows_the_tasks_of_the_first_one_and_follows_it(
    place: Place, create: Create, open_as: Any
) -> None:
    job = create(annotators=2)
    one, other = open_as(job, batch=6), open_as(job, batch=6)
    assert (one.waiting, job.progress.held) == (other.waiting, 6)
    name, *rest = one.waiting
    one.assign([name], "lemon")
    later(other)
    assert other.waiting == rest
    one.undo()
    later(other)
    assert set(other.waiting) == {name, *rest}
    other.assign([name], "lime")
    other.close()  # the last one that has renewed the tasks gives them back
    assert job.progress.held == 0
    later(one)
    assert (set(one.waiting) >= set(rest), job.progress.held, given(job)) == (True, len(one.waiting), ["lime"])
    third = open_as(job, batch=6)
    one.close()
    assert (set(third.waiting) >= set(rest), job.progress.held) == (True, len(third.waiting))
    check(place, 2)


def test_the_last_answer_of_two_kernels_wins(place: Place, create: Create, open_as: Any) -> None:
    job = create(annotators=2)
    one, other = open_as(job, batch=4), open_as(job, batch=4)
    (name, *_) = one.waiting
    one.assign([name], "lemon")
    other.assign([name], "lime")
    other.assign([name], "lemon")
    one.assign([name], "lime")  # does not know of the answers of the other kernel
    assert given(job) == ["lime"]
    image = name.partition("/")[2]
    assert one.progress["text"].endswith(f"you had answered {image} in another window, and your last answer counts")
    one.assign(one.waiting[:1], "lime")
    assert "another window" not in one.progress["text"]
    check(place, 2)


def test_an_image_in_two_windows_is_answered_in_both(place: Place, create: Create, open_as: Any) -> None:
    job = create(images=["00.jpg", "01.jpg"])
    one, other = open_as(job, batch=4), open_as(job, batch=4)
    assert one.waiting == other.waiting
    name = one.waiting[0]
    one.assign([name], "lemon")
    other.assign(other.waiting, "lime")
    assert f"you had answered {name.partition('/')[2]} in another window" in other.progress["text"]
    other.assign([name], "lemon")
    assert "in another window" not in other.progress["text"]
    assert "in another window" not in one.progress["text"]
    assert (sorted(given(job)), job.progress.left) == (["lemon", "lime"], 0)
    check(place, 1)


def test_lost_leases_leave_the_view_and_late_answers_are_kept(place: Place, create: Create, open_as: Any) -> None:
    job = create()
    session = open_as(job, batch=4)
    names = session.waiting
    place.expire("anna")
    with person("ben"):
        ben = job.worker()
        tasks = ben.lease(12)
    taken = {task.image for task in tasks}
    late = next(name for name in names if session.source_of(name) in taken)
    for task in tasks:
        ben.submit(task, "lime")
    session.assign([late], "lemon")
    session.assign([late], "lime")
    assert session.progress["text"].endswith("1 of yours came late and counts only if another answer is rejected")
    session.assign([late], "lemon")
    assert later(session)
    assert session.waiting == []
    assert session.rows([late])[0]["labels"] == ["lemon"]
    assert session.end == DONE
    answers = job.answers.set_index("person").loc["anna"]
    assert not answers["counted"].any()
    check(place, 1)


def test_leases_are_renewed_only_while_the_view_is_used(place: Place, create: Create, open_as: Any) -> None:
    session = open_as(create(), batch=4)
    held = "SELECT min(until) FROM job_slots WHERE state = 'held'"
    place.expire()
    later(session)
    assert place.sql(held)[0][0] > 1
    place.expire()
    session.clock.advance(600)  # type: ignore[attr-defined]
    later(session)
    assert place.sql(held)[0][0] == 1
    session.touch()
    later(session)
    assert place.sql(held)[0][0] > 1


def test_closed_view_releases_its_tasks(create: Create, open_as: Any) -> None:
    job = create()
    session = open_as(job, batch=5)
    session.assign(session.waiting[:1], "lemon")
    session.leave()
    assert (job.progress.held, len(session.view), session.waiting) == (0, 1, [])
    assert session.refresh()
    assert (job.progress.held, len(session.waiting)) == (5, 5)
    assert not session.refresh()
    session.close()
    assert job.progress.held == 0


def test_silent_page_releases_its_tasks(create: Create, open_as: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = create()
    monkeypatch.setattr(labeler_session, "GONE_SECONDS", 0.4)
    session = open_as(job, batch=5)
    for _ in range(4):  # a hidden page
        session.clock.advance(0.3)
        session.heard()
    assert job.progress.held == 5
    session.clock.advance(0.5)
    wait_until(lambda: (job.progress.held, session.waiting) == (0, []))
    monkeypatch.undo()
    settings.user = "meg"
    assert session.refresh()
    assert job.progress.held == 5


def test_paused_closed_and_stopped_jobs_give_a_message(create: Create, open_as: Any) -> None:
    job = create(members=["anna", "ben"])
    session, other = open_as(job, batch=4), open_as(job, "ben", batch=4)
    job.pause()
    session.refresh()
    assert session.end.startswith("The job 'leaves-1' is paused")
    session.assign(session.waiting[:1], "lemon")  # leased before
    assert given(job) == ["lemon"]
    job.resume()
    session.refresh()
    assert session.end == ""
    job.remove("ben")
    assert later(other)
    assert (other.waiting, "no longer a labeler" in other.end) == ([], True)
    job.close()
    session.refresh()
    assert "is closed" in session.end


def test_lost_database_gives_a_message(
    create: Create, open_as: Any, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    session = open_as(create(), batch=4)

    def gone(*_: Any) -> Any:
        raise StoreError("connection refused")

    monkeypatch.setattr(leases, "renew", gone)
    later(session)
    assert session.end.startswith("The database does not respond. Your answers are kept and sent again.")
    monkeypatch.undo()
    settings.user = "meg"
    later(session)
    assert session.end == ""


def test_labels_follow_the_job(place: Place, create: Create, open_as: Any) -> None:
    job = create()
    session = open_as(job)
    session.assign(session.waiting[:1], "lemon")
    first = session.table.names[0]
    place.store.rename_label("lemon", "citron", ACTION)
    session.refresh()
    session.follow()
    assert session.labels()["label"].tolist() == ["citron", "lime"]
    assert session.rows([first])[0]["labels"] == ["citron"]
    job.update(labels=["lime", "grapefruit"])
    session.refresh()
    with session.giving("grapefruit"):
        session.assign(session.waiting[:1], "grapefruit")
    with pytest.raises(LabelError, match="any more"), session.giving("citron"):
        session.assign(session.waiting[:1], "citron")
    # removed between the check and the answer: nothing stays labelled here
    name = session.waiting[0]
    job.update(labels=["lime", "grapefruit", "fig"])
    session.refresh()
    with session.giving("fig"):
        job.update(labels=["lime"])
        with pytest.raises(LabelError):
            session.assign([name], "fig")
    assert session.rows([name])[0]["status"] == "unlabelled"
    assert given(job) == ["citron", "grapefruit"]


def test_edit_that_the_job_refuses_is_reverted(
    place: Place, create: Create, open_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create()
    session = open_as(job)
    names, order = session.waiting, session.page(0, 24)[1]
    session.assign(names[:1], "lime")
    session.undo()

    def lost(*_: Any, **__: Any) -> Any:
        raise StoreError("connection refused")

    with monkeypatch.context() as broken:
        broken.setattr(leases, "submit", lost)
        with pytest.raises(StoreError):
            session.assign(names[1:3], "lime")
    job.update(labels=["lemon"])
    session._worker._labels.clear()
    with pytest.raises(LabelError):
        session.redo()
    with pytest.raises(LabelError):
        session.assign(names[1:3], "lime")  # the page sends it again
    assert [row["status"] for row in session.rows(names[:3])] == ["unlabelled"] * 3
    assert (session.waiting, session.page(0, 24)[1]) == (names, order)
    session.assign(names[:3], "lemon")
    assert given(job) == ["lemon"] * 3
    check(place, 1)


def test_a_skip_that_is_sent_again_or_redone_keeps_its_reason(
    place: Place, create: Create, open_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_as(create())
    name = session.waiting[0]

    def lost(*_: Any) -> Any:
        raise StoreError("connection refused")

    with monkeypatch.context() as broken:
        broken.setattr(leases, "skip", lost)
        with pytest.raises(StoreError), session.skipping("blurred"):
            session.set_status([name], "skipped", remove_labels=True)
    reasons = "SELECT reason FROM job_skips"
    session.refresh()
    assert place.sql(reasons) == [("blurred",)]
    session.undo()
    assert place.sql(reasons) == []
    session.redo()
    assert place.sql(reasons) == [("blurred",)]


def test_requeued_images_are_shown_again(place: Place, create: Create, open_as: Any) -> None:
    job = create()
    session = open_as(job)
    names = session.waiting
    session.assign(names[:8], "lemon")
    job.update(answers="ask_again")
    assert later(session) is False
    assert session.refresh()  # the view is another one
    assert set(names[:2]) <= set(session.waiting)
    for name in session.waiting:
        session.assign([name], "lime")
    later(session)
    session.assign(session.waiting, "lime")
    assert (given(job), session.progress["text"]) == (["lime"] * 12, "12 done, about 0 left for all")
    with pytest.raises(InputError, match="does not exist in a labelling job"):
        session.open("test")
    check(place, 1)


def test_session_has_no_data_of_others(
    place: Place, create: Create, open_as: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    images = place.store.images("train")
    marks = [{"image": name, "label": "lime"} for name in images["image"]]
    table = t.normalise_annotations(pd.DataFrame(marks), annotator="ben")
    place.store.update_images("train", images.assign(status="labelled"), table, ACTION)
    place.store.replace_predictions("model", table.assign(model="model"), ACTION)
    job = create(annotators=2, gold={images["image"].iloc[0]: "lemon", images["image"].iloc[1]: "lemon"})
    with person("ben"):
        worker = job.worker()
        for task in worker.lease(12):
            worker.submit(task, "lime")
    actions = place.store.last_action()
    session = open_as(job, batch=12)
    rows = session.rows(session.waiting)
    plain = {"labels": [], "boxes": [], "predicted": None, "predicted_drawn": False, "prelabels": [], "findings": []}
    assert len(rows) == 12
    for row in rows:  # gold images, too
        assert {**row, **plain, "status": "unlabelled", "revision": rows[0]["revision"]} == row
    assert (session.table.by_label, session.annotators(), dict(session.predictions)) == ({}, [], {})
    session.assign([rows[0]["name"]], "lemon")
    assert place.store.last_action() == actions  # no history row says who answered what
    everything = json.dumps([rows, session.progress, session.totals(), session.annotators()])
    assert "ben" not in everything
    (file,) = tmp_path.glob("customlabels_nb-*/answers.db")
    with closing(open_store(str(file))) as own:
        assert own.history()["who"].unique().tolist() == ["anna"]
