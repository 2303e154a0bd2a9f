"""Tests of the reviewer's view without a page: order, decisions with undo, hidden names, and roles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.errors import InputError, LabelError, NotAllowedError
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.reviewer_session import BoxSession, JobReviewQuery, ReviewerSession
from customlabels_nb.labeling.drawing import Shape
from customlabels_nb.labeling.session import Conflict
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings
from tests.fake_clock import FakeClock
from tests.jobs.conftest import Place, check

Create = Callable[..., LabellingJob]
Open = Callable[[LabellingJob], ReviewerSession]
PEOPLE = ("anna", "ben", "carl")
BOX = {"label": "lime", "left": 1.0, "top": 2.0, "width": 10.0, "height": 8.0}


@pytest.fixture
def open_review(place: Place) -> Iterator[Open]:
    """Return a function that opens the session of a reviewer."""
    opened = []

    def open_session(job: LabellingJob) -> ReviewerSession:
        opened.append(ReviewerSession(place.store, place.root, job, clock=FakeClock()))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


def later(session: ReviewerSession) -> None:
    """Refresh the session like a page that polls it some time later."""
    session.clock.advance(10)  # type: ignore[attr-defined]
    session.refresh()


def answer(job: LabellingJob, given: dict[str, list[Any]], people: tuple[str, ...] = PEOPLE) -> None:
    """Let each person give their answer to each image."""
    for at, name in enumerate(people):
        worker = job.worker(name)
        for task in worker.lease(20):
            if task.image in given:
                worker.submit(task, given[task.image][at])
        worker.release()


def disputed(create: Create, **options: Any) -> LabellingJob:
    """Create a job in which image 3 has a weak majority, 1 has a tie of three, and 0 has everybody's agreement."""
    job = create(annotators=3, agreement=0.9, labels=["lemon", "lime", "fig"], **options)
    answer(job, {"00.jpg": ["lime"] * 3, "03.jpg": ["lemon", "lime", "lime"], "01.jpg": ["lemon", "lime", "fig"]})
    return job


def shown(session: ReviewerSession, **query: Any) -> list[str]:
    """Return the images of the review, in order."""
    session.show(JobReviewQuery(**query))
    return session.images_at([(0, 99)])


def result(job: LabellingJob, image: str) -> list[tuple[Any, ...]]:
    """Return label and state of the results of an image."""
    table = job.results
    rows = table.loc[table["image"] == image, ["label", "state"]]
    return sorted(rows.astype(object).where(rows.notna(), None).itertuples(index=False, name=None), key=str)


def number_of(session: ReviewerSession, image: str, label: str) -> int:
    """Return the number of the answer with this label."""
    return 1 + [one["labels"] for one in session.row(image)["answers"]].index([label])


def test_disputed_images_come_first_with_the_lowest_agreement(create: Create, open_review: Open) -> None:
    session = open_review(disputed(create))
    assert shown(session) == ["01.jpg", "03.jpg"]
    weak = session.row("03.jpg")
    assert weak["labels"] == ["lime"]
    assert 0.5 < weak["agreement"] < 0.9
    assert not weak["tie"]
    assert session.row("01.jpg")["tie"]
    assert session.row("01.jpg")["agreement"] < weak["agreement"]
    assert {label for label, _ in weak["candidates"]} == {"lemon", "lime"}
    assert session.progress()["left"] == 2
    assert session.progress()["done"] == 0


def test_names_are_hidden_until_the_decision(create: Create, open_review: Open) -> None:
    session = open_review(disputed(create))
    before = session.row("03.jpg")
    assert [one["letter"] for one in before["answers"]] == ["A", "B", "C"]
    assert sorted(label for one in before["answers"] for label in one["labels"]) == ["lemon", "lime", "lime"]
    assert not any(name in json.dumps(session.rows(["01.jpg", "03.jpg"])) for name in PEOPLE)
    assert session.annotators() == []
    session.approve(["03.jpg"])
    after = {one["person"]: one["labels"] for one in session.row("03.jpg")["answers"]}
    assert after == {"anna": ["lemon"], "ben": ["lime"], "carl": ["lime"]}
    assert not any(name in json.dumps(session.rows(["01.jpg"])) for name in PEOPLE)
    session.undo()
    assert not any(name in json.dumps(session.rows(["03.jpg"])) for name in PEOPLE)


def test_answer_letters_are_shuffled(create: Create, open_review: Open) -> None:
    job = create(annotators=3, labels=["lemon", "lime", "fig"])
    answer(job, {f"{number:02}.jpg": ["lemon", "lime", "fig"] for number in range(12)})
    session = open_review(job)
    firsts = {session.row(name)["answers"][0]["labels"][0] for name in shown(session)}
    assert len(shown(session)) == 12
    assert firsts == {"lemon", "lime", "fig"}


def test_the_consensus_is_decided_and_undone(place: Place, create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    session.approve(["03.jpg"])
    assert result(job, "03.jpg") == [("lime", "resolved")]
    assert session.progress()["left"] == 1
    assert session.row("03.jpg")["reviewed"]
    session.undo()
    assert {state for _, state in result(job, "03.jpg")} == {"needs_review"}
    assert session.progress()["left"] == 2
    assert session.row("03.jpg")["labels"] == ["lime"]
    session.redo()
    assert result(job, "03.jpg") == [("lime", "resolved")]
    check(place)


def test_a_tie_has_no_consensus(create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    with pytest.raises(InputError, match=r"'01\.jpg' have no majority"):
        session.approve(["01.jpg", "03.jpg"])
    assert session.progress()["left"] == 2
    assert {state for _, state in result(job, "03.jpg")} == {"needs_review"}


def test_an_image_of_another_dataset_is_refused(create: Create, open_review: Open) -> None:
    session = open_review(disputed(create))
    expected = r"'03\.jpg' is not in the test set"
    with session.visiting("test", undoable=True), pytest.raises(InputError, match=expected):
        session.correct(["03.jpg"], "lemon")


def test_an_answer_or_another_label_is_taken(create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    session.take(["01.jpg"], number_of(session, "01.jpg", "fig"))
    assert result(job, "01.jpg") == [("fig", "resolved")]
    session.correct(["01.jpg"], "lemon")
    assert result(job, "01.jpg") == [("lemon", "resolved")]
    session.undo()
    assert result(job, "01.jpg") == [("fig", "resolved")]
    session.undo()
    assert {state for _, state in result(job, "01.jpg")} == {"needs_review"}
    for number in (0, 4, True, "1"):
        with pytest.raises(InputError, match=f"number={number!r} must|has 3 answers"):
            session.take(["01.jpg"], number)  # type: ignore[arg-type]


def test_empty_answer_can_be_chosen(create: Create, open_review: Open) -> None:
    job = create(annotators=2, max_annotators=2)
    answer(job, {"02.jpg": [None, "lime"]}, PEOPLE[:2])
    session = open_review(job)
    answers = [one["labels"] for one in session.row("02.jpg")["answers"]]
    session.take(["02.jpg"], 1 + answers.index([]))
    assert result(job, "02.jpg") == [(None, "resolved")]
    assert session.approve(["02.jpg"]).images == ()
    session.undo()
    assert session.row("02.jpg")["status"] == "needs_review"


def skipped(create: Create) -> LabellingJob:
    """Create a job in which anna and ben skip image 2, to which carl gives an answer."""
    job = create(annotators=3, labels=["lemon", "lime", "fig"])
    answer(job, {"02.jpg": ["lime"]}, ("carl",))
    for name in PEOPLE[:2]:
        worker = job.worker(name)
        for task in worker.lease(20):
            if task.image == "02.jpg":
                worker.skip(task, f"blurred, says {name[0]}")
        worker.release()
    return job


def test_skipped_images_are_shown_with_reasons_and_accepted(place: Place, create: Create, open_review: Open) -> None:
    job = skipped(create)
    session = open_review(job)
    assert shown(session) == ["02.jpg"]
    row = session.row("02.jpg")
    assert {skip["reason"] for skip in row["skips"]} == {"blurred, says a", "blurred, says b"}
    assert not any(name in json.dumps(row) for name in PEOPLE)
    with pytest.raises(NotAllowedError, match=r"People skipped '02\.jpg'"):
        session.ask_one_more(["02.jpg"])
    session.correct(["02.jpg"], "fig")
    assert {skip["person"] for skip in session.row("02.jpg")["skips"]} == {"anna", "ben"}
    assert result(job, "02.jpg") == [("fig", "resolved")]
    session.undo()
    assert set(job.skipped["image"]) == {"02.jpg"}
    assert result(job, "02.jpg") == []
    assert [one["labels"] for one in session.row("02.jpg")["answers"]] == [["lime"]]
    session.take(["02.jpg"], 1)
    assert result(job, "02.jpg") == [("lime", "resolved")]
    session.undo()
    session.reject(["02.jpg"])
    assert job.answers.query("person == 'carl'")["counted"].all()
    assert job.skipped.empty
    check(place)


def test_an_accepted_skip_is_undone(place: Place, create: Create, open_review: Open) -> None:
    job = create(annotators=3, labels=["lemon", "lime", "fig"])
    for name in PEOPLE[:2]:
        worker = job.worker(name)
        for task in worker.lease(2):
            worker.skip(task, "two fruits")
    session = open_review(job)
    first, second = shown(session)
    session.approve([first])
    assert set(job.skipped["image"]) == {second}
    assert session.row(first)["accepted"]
    assert session.progress()["done"] == 1
    assert open_review(job).row(first)["accepted"]
    session.undo()
    assert set(job.skipped["image"]) == {first, second}
    session.redo()
    session.correct([first], "lime")
    assert not session.row(first)["accepted"]
    assert result(job, first) == [("lime", "resolved")]
    session.reject([first, second])
    assert shown(session, show="all") == []
    assert job.skipped.empty
    for name in PEOPLE:
        worker = job.worker(name)
        assert {first, second} <= {task.image for task in worker.lease(20)}
        worker.release()
    check(place)


def test_only_managers_accept_skips(create: Create, open_review: Open) -> None:
    job = skipped(create)
    job.invite("rita", role="reviewer")
    settings.user = "rita"
    session = open_review(job)
    for act in (session.reject, session.approve):
        with pytest.raises(NotAllowedError, match=r"'rita' is a reviewer .* only a manager can .* Ask 'meg'"):
            act(["02.jpg"])
    assert not session.row("02.jpg")["reviewed"]
    session.correct(["02.jpg"], "lime")
    assert session.row("02.jpg")["reviewed"]


def test_images_without_further_labelers_are_shown(place: Place, create: Create, open_review: Open) -> None:
    job = create(images=["00.jpg", "01.jpg", "02.jpg"], annotators=2, members=["anna", "ben"])
    worker = job.worker("anna")
    tasks = {task.image: task for task in worker.lease(3)}
    worker.submit(tasks["00.jpg"], "lime")
    worker.skip(tasks["01.jpg"], "blurred")
    for name in ("anna", "ben"):
        job.remove(name)
    session = open_review(job)
    assert {name: session.row(name)["reasons"] for name in shown(session)} == {
        "00.jpg": [("alone",)], "01.jpg": [("skipped",)], "02.jpg": [("alone",)]
    }  # fmt: skip
    assert sorted(shown(session, reason=["alone"])) == ["00.jpg", "02.jpg"]
    with pytest.raises(NotAllowedError, match=r"Nobody is left to ask about '00\.jpg'"):
        session.ask_one_more(["00.jpg"])
    assert not session.row("00.jpg")["acceptable"]
    session.approve(["00.jpg"])
    assert result(job, "00.jpg") == [("lime", "resolved")]
    session.approve(["02.jpg"])  # nobody has said that there is nothing
    assert session.row("02.jpg")["accepted"]
    assert result(job, "02.jpg") == []
    session.undo()
    assert set(job.skipped["image"]) == {"01.jpg", "02.jpg"}
    check(place)


def test_an_answer_is_the_consensus_if_all_others_skipped(place: Place, create: Create, open_review: Open) -> None:
    job = create(images=["00.jpg", "01.jpg"], annotators=2, members=["anna", "ben"])
    answer(job, {"00.jpg": ["lime"], "01.jpg": [None]}, ("anna",))
    worker = job.worker("ben")
    for task in worker.lease(2):
        worker.skip(task, "blurred")
    session = open_review(job)
    assert (session.row("00.jpg")["labels"], session.row("00.jpg")["skips"][0]["reason"]) == (["lime"], "blurred")
    session.approve(["00.jpg", "01.jpg"])
    assert result(job, "00.jpg") == [("lime", "resolved")]
    assert result(job, "01.jpg") == [(None, "resolved")]
    assert not session.row("01.jpg")["accepted"]
    session.undo()
    session.reject(["00.jpg"])
    assert {task.image for task in worker.lease(2)} == {"00.jpg"}
    check(place)


def test_labels_and_instructions_of_the_job_are_followed(place: Place, create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    place.store.rename_label("lime", "limette", Action("rename label", "meg"))
    job.update(labels=["lemon", "limette", "grapefruit"], instructions="Look twice.")
    later(session)
    assert session.labels()["label"].tolist() == ["lemon", "limette", "grapefruit"]
    assert session.instructions == "Look twice."
    assert session.row("03.jpg")["labels"] == ["limette"]
    session.approve(["03.jpg"])
    session.correct(["01.jpg"], "grapefruit")
    assert sorted(job.results.query("state == 'resolved'")["label"]) == ["grapefruit", "limette", "limette"]


def test_new_skips_are_followed(create: Create, open_review: Open) -> None:
    job = create(annotators=3)
    session = open_review(job)
    for name in PEOPLE[:2]:
        worker = job.worker(name)
        worker.skip(worker.lease(1)[0], "")
    later(session)
    assert len(shown(session)) == 1


def test_images_are_filtered_by_reason(create: Create, open_review: Open) -> None:
    session = open_review(disputed(create))
    pair = ("mixed", "lemon", "lime")
    counts = dict(session.reasons())
    assert counts[pair] == 2
    assert counts[("mixed", "fig", "lime")] == counts[("tie",)] == 1
    assert shown(session, reason=list(pair)) == ["01.jpg", "03.jpg"]
    assert shown(session, reason=["tie"]) == ["01.jpg"]
    session.correct(["01.jpg"], "fig")
    assert dict(session.reasons())[pair] == 1
    assert shown(session, show="reviewed", reason=pair) == ["01.jpg"]
    assert dict(session.reasons())[pair] == 1


def test_ask_one_more_reopens_the_task(place: Place, create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    session.correct(["01.jpg"], "lemon")
    session.ask_one_more(["01.jpg"])
    assert shown(session) == ["03.jpg"]
    assert not session.undoable
    dora = job.worker("dora")
    (task,) = [task for task in dora.lease(20) if task.image == "01.jpg"]
    dora.submit(task, "fig")
    dora.release()
    later(session)
    assert "01.jpg" in shown(session)
    assert len(session.row("01.jpg")["answers"]) == 4
    check(place)
    for name in "efghi":
        session.ask_one_more(["01.jpg"])
        answer(job, {"01.jpg": ["lemon"]}, (name,))
        later(session)
    with pytest.raises(NotAllowedError, match="9 people are already asked"):
        session.ask_one_more(["01.jpg"])


def test_rejected_images_are_in_the_queue_again(place: Place, create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    session.approve(["03.jpg"])
    session.reject(["03.jpg"])
    assert shown(session, show="all") == ["01.jpg"]
    assert not session.undoable
    assert result(job, "03.jpg") == []
    assert not job.answers.query("image == '03.jpg'")["counted"].any()
    for name in PEOPLE:  # everybody is asked again
        worker = job.worker(name)
        assert "03.jpg" in {task.image for task in worker.lease(20)}
        worker.release()
    answer(job, {"03.jpg": ["lemon"] * 3})
    assert result(job, "03.jpg") == [("lemon", "resolved")]
    check(place)


def test_several_labels_are_toggled(create: Create, open_review: Open) -> None:
    job = create(annotators=3, agreement=0.9, task="multi-label")
    answer(job, {"04.jpg": [["lemon", "lime"], ["lemon"], ["lemon"]]})
    session = open_review(job)
    assert session.row("04.jpg")["labels"] == ["lemon"]
    session.correct_toggling(["04.jpg"], "lime")
    assert result(job, "04.jpg") == [("lemon", "resolved"), ("lime", "resolved")]
    session.correct_toggling(["04.jpg"], "lemon")
    session.correct_toggling(["04.jpg"], "lime")
    assert {state for _, state in result(job, "04.jpg")} == {"needs_review"}


def test_boxes_are_taken_and_edited(place: Place, create: Create, open_review: Open) -> None:
    job = create(annotators=3, agreement=0.9, task="boxes")
    far = {**BOX, "left": 60.0}
    answer(job, {"05.jpg": [[BOX], [{**BOX, "width": 11.0}], [BOX, far]]})
    session = open_review(job)
    row = session.row("05.jpg")
    assert row["boxes"] == ["lime"]
    assert sorted(len(one["shapes"]) for one in row["answers"]) == [1, 1, 2]
    objects = sorted({shape["object"] for one in row["answers"] for shape in one["shapes"]})
    assert [
        sum(shape["object"] == number for one in row["answers"] for shape in one["shapes"]) for number in objects
    ] == [3, 1]
    assert row["reasons"] == [("missed",)]
    assert [shape["label"] for shape in row["shapes"]] == ["lime"]
    both = 1 + [len(one["shapes"]) for one in row["answers"]].index(2)
    session.take(["05.jpg"], both)
    assert sorted(job.results.query("state == 'resolved'")["left"]) == [1.0, 60.0]
    boxes = BoxSession(session)
    boxes.set_shapes("05.jpg", [Shape("lemon", 3, 4, 20, 20)])
    found = job.results.query("state == 'resolved'")
    assert found[["label", "left", "width"]].to_numpy().tolist() == [["lemon", 3.0, 20.0]]
    assert session.row("05.jpg")["boxes"] == ["lemon"]
    session.undo()
    assert sorted(job.results.query("state == 'resolved'")["left"]) == [1.0, 60.0]
    with pytest.raises(LabelError, match="'fig' no longer exists"), boxes.giving("fig"):
        boxes.set_shapes("05.jpg", [Shape("fig", 3, 4, 20, 20)])
    boxes.set_shapes("05.jpg", [])
    found = job.results.query("state == 'resolved'")
    assert found["label"].isna().tolist() == [True]  # nothing here


def test_only_reviewers_may_review(place: Place, create: Create, open_review: Open) -> None:
    job = disputed(create)
    settings.user = "anna"
    with pytest.raises(NotAllowedError, match=r"'anna' is a labeler .* only a reviewer or manager can review it\. Ask"):
        open_review(job)
    for act in (job.withdraw_decision, job.requeue):
        with pytest.raises(NotAllowedError, match="only a reviewer or manager can"):
            act("03.jpg")
    settings.user = "meg"
    job.invite("ben", role="reviewer")
    settings.user = "ben"
    session = open_review(job)
    settings.user = "meg"
    job.invite("ben", role="labeler")
    settings.user = "ben"
    with pytest.raises(NotAllowedError, match="'ben' is a labeler"):
        session.approve(["03.jpg"])
    assert not session.row("03.jpg")["reviewed"]
    assert not session.undoable
    assert {one["person"] for one in session.row("03.jpg")["answers"]} == {None}


def test_a_decision_that_cannot_be_stored_is_not_shown(
    place: Place, create: Create, open_review: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = disputed(create)
    session = open_review(job)
    session.approve(["03.jpg"])
    place.store.remove_label("fig", Action("remove label", "meg"))
    with pytest.raises(LabelError, match="'fig' is not one of the job's labels"):
        session.correct(["03.jpg"], "fig")
    assert session.row("03.jpg")["labels"] == ["lime"]
    assert result(job, "03.jpg") == [("lime", "resolved")]


def test_decisions_of_others_are_followed(create: Create, open_review: Open) -> None:
    job = disputed(create)
    session = open_review(job)
    job.decide("01.jpg", "fig")
    answer(job, {"06.jpg": ["lemon", "lime", "lime"]})
    session.refresh()  # too soon after the last refresh
    assert shown(session) == ["01.jpg", "03.jpg"]
    later(session)
    assert set(shown(session)) == {"03.jpg", "06.jpg"}
    assert session.row("01.jpg")["labels"] == ["fig"]
    assert session.row("01.jpg")["reviewed"]
    assert isinstance(job.disputed().tasks, pd.DataFrame)


def test_reviewers_do_not_overwrite_each_other(create: Create, open_review: Open) -> None:
    job = disputed(create)
    ann, bob = open_review(job), open_review(job)
    ann.correct(["01.jpg"], "fig")
    found = bob.correct(["03.jpg", "01.jpg"], "lemon")
    assert (found.images, found.conflicts) == (("03.jpg",), (Conflict("01.jpg", ("fig",), ("lemon",)),))
    assert {image: result(job, image) for image in ("01.jpg", "03.jpg")} == {
        "01.jpg": [("fig", "resolved")], "03.jpg": [("lemon", "resolved")]
    }  # fmt: skip
    assert (bob.row("01.jpg")["labels"], bob.row("01.jpg")["reviewed"]) == (["fig"], True)
    assert bob.correct(["01.jpg"], "lemon").conflicts == ()  # after he has seen it
    undone = ann.undo()
    assert (undone.images, undone.conflicts) == ((), (Conflict("01.jpg", ("lemon",), ()),))
    assert result(job, "01.jpg") == [("lemon", "resolved")]
    assert (ann.row("01.jpg")["labels"], ann.row("01.jpg")["reviewed"], ann.undoable) == (["lemon"], True, ())
    bob.undo()
    assert result(job, "01.jpg") == [("fig", "resolved")]
    ann.approve(["03.jpg"])
    assert ann.row("03.jpg")["labels"] == ["lemon"]


@pytest.mark.parametrize("act", ["ask_one_more", "reject"])
@pytest.mark.parametrize("change", ["decided", "answered", "resolved", "asked", "returned"])
def test_images_that_changed_since_the_reviewer_saw_them_stay(
    place: Place, create: Create, open_review: Open, act: str, change: str
) -> None:
    job = disputed(create)
    session = open_review(job)
    anna = job.worker("anna")
    hers = next(task for task in anna.answered() if task.image == "03.jpg")
    changes: dict[str, Callable[[], object]] = {
        "decided": lambda: job.decide("03.jpg", "lemon"), "answered": lambda: anna.submit(hers, "lime"),
        "resolved": lambda: job.update(agreement=0.6), "asked": lambda: job.ask_one_more("03.jpg", max_annotators=4),
        "returned": lambda: job.requeue("03.jpg"),
    }  # fmt: skip
    changes[change]()
    tables = "SELECT * FROM job_tasks WHERE image = '03.jpg'", "SELECT * FROM job_answers ORDER BY id"
    before = [place.sql(table) for table in tables], job.progress.left
    found = getattr(session, act)(["03.jpg"])
    assert (found.images, [conflict.image for conflict in found.conflicts]) == ((), ["03.jpg"])
    assert ([place.sql(table) for table in tables], job.progress.left) == before
    assert ("03.jpg" in shown(session, show="all")) == (change == "decided")
    found = getattr(session, act)([*shown(session, show="all")])  # what is shown now can be sent back
    assert (found.conflicts, shown(session, show="all")) == ((), [])
    check(place)


def test_an_accepted_skip_is_a_conflict_with_a_decision(place: Place, create: Create, open_review: Open) -> None:
    job = skipped(create)
    ann, bob, cem = open_review(job), open_review(job), open_review(job)
    ann.approve(["02.jpg"])
    assert bob.correct(["02.jpg"], "fig").conflicts == (Conflict("02.jpg", (), ("fig",)),)
    assert bob.row("02.jpg")["accepted"]
    job.requeue("02.jpg")
    assert cem.approve(["02.jpg"]).conflicts == (Conflict("02.jpg", (), ()),)
    assert shown(cem, show="all") == []
    assert result(job, "02.jpg") == []
    check(place)


def test_boxes_that_another_reviewer_decided_are_a_conflict(create: Create, open_review: Open) -> None:
    job = create(annotators=2, max_annotators=2, task="boxes")
    answer(job, {"05.jpg": [[BOX], []]}, PEOPLE[:2])
    ann, bob = open_review(job), open_review(job)
    boxes = BoxSession(bob)
    ann.take(["05.jpg"], 1 + [len(one["shapes"]) for one in ann.row("05.jpg")["answers"]].index(1))
    assert boxes.set_shapes("05.jpg", [Shape("lemon", 3, 4, 20, 20)]).conflicts
    assert [shape["label"] for shape in boxes.shapes("05.jpg")["shapes"]] == ["lime"]
    assert job.results["label"].tolist() == ["lime"]
    boxes.set_shapes("05.jpg", [Shape("lemon", 3, 4, 20, 20)])
    assert job.results["label"].tolist() == ["lemon"]
