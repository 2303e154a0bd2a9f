"""Tests of deciding tasks and writing results: a class labels until a job is completed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.ground_truth import read_manifest
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.jobs import consolidation, job_results, leases
from customlabels_nb.jobs import worker as worker_module
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.store import Action
from customlabels_nb.store.database import record
from customlabels_nb.user_settings import settings
from tests.jobs.conftest import Place, check
from tests.jobs.test_leases import answer_all

Create = Callable[..., LabellingJob]
sqlite_only = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
postgres_only = pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


def answer(worker: Worker, image: str, given: Any) -> int:
    """Answer one image of a job, and return the number of the answer."""
    tasks = worker.lease(100)
    (task,) = [task for task in tasks if task.image == image]
    found = worker.submit(task, given)
    worker.release()
    return found.answer


def labels_of(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """Return label, annotator, job and confidence of the annotations of each image."""
    marks = place.store.annotations()
    rows = marks[["image", "label", "annotator", "job", "confidence"]].astype(object).where(marks.notna(), None)
    return {image: list(own.drop(columns="image").itertuples(index=False, name=None))
            for image, own in rows.groupby("image")}  # fmt: skip


def states_of(place: Place) -> dict[str, str]:
    """Return the state of each task."""
    return dict(place.sql("SELECT image, state FROM job_tasks ORDER BY image"))


def label_outside(place: Place, image: str, label: str, who: str = "olga") -> None:
    """Label an image in the project, outside of any job."""
    images = place.store.images("train").query("image == @image")
    marks = t.label_images([image], label, who)
    place.store.update_images("train", t.settle_statuses(images, marks), marks, Action("label", who))


# -- a class ----------------------------------------------------------------------------------------
def test_a_class_labels_until_the_job_is_completed(place: Place, create: Create) -> None:
    truth = {f"{number:02}.jpg": ("lemon", "lime")[number % 2] for number in range(12)}
    job = create(annotators=3, max_annotators=5, agreement=0.7, gold={"11.jpg": truth["11.jpg"]})
    pupils = [job.worker(f"pupil {number}") for number in range(9)]
    random_state = random.Random(3)
    while job.state != "completed":
        before = job.progress.answers
        for pupil in random_state.sample(pupils, len(pupils)):
            for task in pupil.lease(3):
                wrong = random_state.random() < 0.15
                other = {"lemon": "lime", "lime": "lemon"}[truth[task.image]]
                pupil.submit(task, other if wrong else truth[task.image])
        assert job.progress.answers > before or job.state == "completed"
    check(place, 5)
    states = states_of(place)
    assert states.pop("11.jpg") == "open"  # known answers are never combined
    assert set(states.values()) <= {"resolved", "needs_review"}
    results = job.results.query("state == 'resolved'")
    assert len(results) >= 9
    assert (results["label"] == results["image"].map(truth)).mean() >= 0.9
    assert results["annotators"].str.count("[+]").ge(2).all()
    assert results["confidence"].between(0.6, 1).all()
    written = labels_of(place)
    assert {image: rows[0][0] for image, rows in written.items()} == dict(
        zip(results["image"], results["label"], strict=True)
    )
    assert {rows[0][2] for rows in written.values()} == {"labeling-job/leaves-1"}
    last = place.store.history().iloc[0]
    assert (last["what"], last["who"], last["count"]) == ("consolidate labelling job", "customlabels_nb", len(results))
    assert last["undoable"]
    assert job.people["person"].tolist() == [pupil.name for pupil in pupils]
    assert job.people["gold_answers"].sum() == job.answers["gold"].sum() > 0
    assert job.agreement.metric == "alpha"
    assert job.agreement.value > 0.2


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_class_draws_boxes(place: Place, create: Create) -> None:
    job = create("boxes-1", ["00.jpg", "01.jpg"], annotators=3, task="boxes")
    for shift, name in enumerate(["ann", "ben", "carl"]):
        worker = job.worker(name)
        for task in worker.lease(2):
            box = {"label": "lemon", "left": 10 + shift, "top": 20, "width": 40, "height": 30}
            worker.submit(task, [box] if task.image == "00.jpg" else [])
    assert (job.state, states_of(place)) == ("completed", {"00.jpg": "resolved", "01.jpg": "resolved"})
    marks = place.store.annotations()
    assert marks[["image", "label", "left", "annotator", "job"]].to_numpy().tolist() == [
        ["00.jpg", "lemon", 11.0, "ann+ben+carl", "labeling-job/boxes-1"]
    ]
    assert 0.7 < marks["confidence"][0] < 1
    assert place.store.images().set_index("image")["status"].loc[["00.jpg", "01.jpg", "02.jpg"]].tolist() == [
        "labelled", "labelled", "unlabelled",
    ]  # fmt: skip
    assert job.results["image"].tolist() == ["00.jpg", "01.jpg"]
    assert job.results["label"].fillna("nothing").tolist() == ["lemon", "nothing"]
    assert job.agreement.metric == "F1"


# -- states -----------------------------------------------------------------------------------------
def test_disagreement_adds_one_person_and_then_a_reviewer(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], annotators=2, max_annotators=3, agreement=0.7)
    for who, label in [("ann", "lemon"), ("ben", "lime")]:
        answer(job.worker(who), "00.jpg", label)
    assert (states_of(place), job.progress.left, job.state) == ({"00.jpg": "open"}, 1, "running")
    number = answer(job.worker("carl"), "00.jpg", None)
    assert (states_of(place), job.state) == ({"00.jpg": "needs_review"}, "completed")
    assert repr(job.progress) == (
        "0 of 1 image decided, 0 skipped, 0 answers left\n1 image waits for the decision of a reviewer (job.review())"
    )
    assert labels_of(place) == {}
    assert sorted(job.results["label"]) == ["lemon", "lime"]
    assert job.results["state"].tolist() == ["needs_review"] * 2
    job.reject(number)
    assert (states_of(place), job.state) == ({"00.jpg": "open"}, "running")
    answer(job.worker("dora"), "00.jpg", "lemon")
    assert states_of(place) == {"00.jpg": "needs_review"}  # 2 of 3 are less than 0.7
    job.update(agreement=0.6)
    assert states_of(place) == {"00.jpg": "resolved"}
    assert job.consolidate().changed == 1
    assert labels_of(place) == {"00.jpg": [("lemon", "ann+ben+dora", "labeling-job/leaves-1", pytest.approx(2 / 3))]}
    check(place, 3)


@sqlite_only
def test_people_who_are_invited_later_are_asked_about_disputed_images(place: Place, create: Create) -> None:
    images = ["00.jpg", "01.jpg"]
    job = create(images=images, annotators=2, max_annotators=3, members=["ann", "ben"])
    for name, label in (("ann", "lime"), ("ben", "lemon")):
        answer(job.worker(name), "00.jpg", label)
    assert (job.progress.review, job.progress.left) == (1, 2)  # nobody is left to ask about the first one
    job.invite("cleo")
    assert (job.progress.review, job.progress.left) == (0, 3)
    answer(job.worker("cleo"), "00.jpg", "lime")
    assert job.results.loc[0, ["label", "state"]].tolist() == ["lime", "resolved"]
    job.invite("dora")
    assert job.results.loc[0, ["label", "state"]].tolist() == ["lime", "resolved"]


def test_a_resolved_image_stays_resolved_when_a_reviewer_decides_others(place: Place, create: Create) -> None:
    job = create(annotators=5, agreement=0.9)
    for number in range(5):
        worker = job.worker(f"pupil {number}")
        for task in worker.lease(100):
            worker.submit(task, "lime" if task.image == "00.jpg" and number > 2 else "lemon")
    assert states_of(place)["00.jpg"] == "resolved"  # all agree on the other images
    job.decide_many({f"{number:02}.jpg": "lemon" for number in range(1, 12)})
    results = job.results.set_index("image").loc["00.jpg"]
    assert (results["label"], results["state"]) == ("lemon", "resolved")


@sqlite_only
def test_weights_alone_resolve_no_image_but_those_resolved_before_stay_until_consolidate(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (job_results, consolidation):
        monkeypatch.setattr(module, "FEW_ANSWERS", 5)
    job = create(annotators=2, max_annotators=3)
    ann, ben, cem = (job.worker(name) for name in ("ann", "ben", "cem"))
    others = [f"{number:02}.jpg" for number in range(1, 11)]
    for worker in (ann, cem):
        for image in others:
            answer(worker, image, "lemon")
    job.ask_one_more(others)
    for image in others:
        answer(ben, image, "lime")  # so that ben weighs little
    answer(ann, "00.jpg", "lemon")
    answer(ben, "00.jpg", "lime")
    assert (states_of(place)["00.jpg"], job.progress.left) == ("open", 1 + 2)
    place.sql("DELETE FROM job_slots WHERE state = 'open' AND slot = 3")  # as another rule decided
    place.sql("UPDATE job_tasks SET state = 'resolved' WHERE image = '00.jpg'")
    answer(ann, "11.jpg", "lemon")
    result = job.results.set_index("image").loc["00.jpg"]
    assert (result["label"], result["state"], states_of(place)["00.jpg"]) == ("lemon", "resolved", "resolved")
    assert result["confidence"] > 0.7
    job.consolidate()
    assert (states_of(place)["00.jpg"], "00.jpg" in labels_of(place)) == ("open", False)
    answer(cem, "00.jpg", "lemon")
    assert states_of(place)["00.jpg"] == "resolved"
    check(place, 3)


def test_reviewer_decision_is_the_result(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], annotators=2)
    for who, label in [("ann", "lemon"), ("ben", "lime")]:
        answer(job.worker(who), "00.jpg", label)
    job.invite("rita", role="reviewer")
    settings.user = "rita"
    with pytest.raises(InputError, match="not in the job"):
        job.decide("01.jpg", "lime")
    job.decide("00.jpg", "lime")
    assert job.results[["label", "confidence", "annotators", "state"]].to_numpy().tolist() == [
        ["lime", 1.0, "rita", "resolved"]
    ]
    with pytest.raises(NotAllowedError, match=r"'rita' is a reviewer .* only a manager can consolidate"):
        job.consolidate()
    settings.user = "meg"
    assert job.consolidate().changed == 1
    assert labels_of(place) == {"00.jpg": [("lime", "rita", "labeling-job/leaves-1", 1.0)]}
    check(place, 2)


def test_a_changed_or_rejected_answer_reopens_the_task(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], annotators=2)
    ann, ben = job.worker("ann"), job.worker("ben")
    answer(ann, "00.jpg", "lemon")
    answer(ben, "00.jpg", "lemon")
    assert labels_of(place) == {"00.jpg": [("lemon", "ann+ben", "labeling-job/leaves-1", 1.0)]}
    ben.submit(ben.answered()[0], "lime")
    assert states_of(place) == {"00.jpg": "needs_review"}
    assert labels_of(place) == {}
    ben.submit(ben.answered()[0], "lemon")
    assert (states_of(place), len(labels_of(place))) == ({"00.jpg": "resolved"}, 1)
    ben.skip(ben.answered()[0], "blurred")
    assert states_of(place) == {"00.jpg": "open"}
    assert job.results.empty
    assert job.consolidate().changed == 1
    assert labels_of(place) == {}
    assert place.store.images("train")["status"].unique().tolist() == ["unlabelled"]


def test_more_and_fewer_annotators_reopen_and_finish_tasks(place: Place, create: Create) -> None:
    job = create(annotators=2)
    answer_all(job.worker("ann"))
    job.update(annotators=1)
    assert set(states_of(place).values()) == {"resolved"}
    job.update(annotators=3)
    assert set(states_of(place).values()) == {"open"}
    answer_all(job.worker("ben"))
    answer_all(job.worker("carl"))
    assert (job.state, set(states_of(place).values())) == ("completed", {"resolved"})
    job.update(answers="ask_again")
    assert (job.state, set(states_of(place).values())) == ("running", {"open"})


def test_fewer_people_at_most_end_a_task_that_nobody_else_can_answer(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], annotators=2, max_annotators=3, members=["ann", "ben"])
    for who, label in [("ann", "lemon"), ("ben", "lime")]:
        answer(job.worker(who), "00.jpg", label)
    assert (states_of(place), job.state) == ({"00.jpg": "needs_review"}, "completed")  # nobody is left
    job.invite("carl")
    job.consolidate()
    assert (states_of(place), job.progress.left, job.progress.alone) == ({"00.jpg": "open"}, 1, 0)
    job.update(max_annotators=2)
    assert (states_of(place), job.state) == ({"00.jpg": "needs_review"}, "completed")
    job.update(max_annotators=3)
    assert (states_of(place), job.progress.left) == ({"00.jpg": "open"}, 1)


def test_images_without_further_labelers_are_shown_and_accepted(place: Place, create: Create) -> None:
    job = create(images=["00.jpg", "01.jpg", "02.jpg"], annotators=3, members=["ann", "ben"])
    ann, ben = job.worker("ann"), job.worker("ben")
    answer(ann, "00.jpg", "lemon")
    answer(ben, "00.jpg", "lemon")
    assert (job.progress.alone, job.state) == (1, "running")
    assert "1 image waits for a third person: invite one, or decide yourself" in repr(job.progress)
    assert job.skipped.to_numpy().tolist() == [["00.jpg", "", "nobody is left to ask"]]
    meg = job.worker("meg")
    tasks = meg.lease(3)  # the manager labels as well
    assert len(tasks) == 3
    assert job.progress.alone == 0
    meg.release(tasks)
    for who in (ann, meg):
        who.skip(next(task for task in who.lease(3) if task.image == "02.jpg"))
        who.release()
    job.remove("ann")
    job.invite("cem", role="manager")
    answer(meg, "00.jpg", "lemon")
    answer(meg, "01.jpg", "lime")
    answer(ben, "01.jpg", "lime")
    found = job.skipped.drop_duplicates("image").set_index("image")["person"].to_dict()
    assert found == {"01.jpg": "", "02.jpg": "ann"}
    assert job.accept_skipped() == 2
    assert states_of(place) == {"00.jpg": "resolved", "01.jpg": "needs_review", "02.jpg": "accepted"}
    assert (job.state, job.progress.alone, job.skipped.empty) == ("completed", 0, True)
    disputed = job.disputed().tasks
    assert disputed.loc[~disputed["accepted"], "image"].tolist() == ["01.jpg"]
    ben.submit(ben.answered()[0], "lemon")
    job.consolidate()
    assert states_of(place)["01.jpg"] == "needs_review"
    job.decide("01.jpg", "lime")
    assert states_of(place)["01.jpg"] == "reviewed"
    check(place, 3)


def test_a_single_answer_is_no_result_where_more_were_needed(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], annotators=2, members=["ann"])
    ann = job.worker("ann")
    answer(ann, "00.jpg", "lemon")
    assert job.accept_skipped("00.jpg") == 1
    ann.submit(ann.answered()[0], "lime")
    job.disputed()
    assert states_of(place) == {"00.jpg": "needs_review"}
    assert job.results["label"].tolist() == ["lime"]
    job.update(annotators=1)
    assert states_of(place) == {"00.jpg": "resolved"}


def test_the_last_answer_lets_all_tasks_be_decided_again(place: Place, create: Create) -> None:
    job = create(annotators=5)
    people = [job.worker(name) for name in ("ann", "ben", "cem", "dan", "eve")]
    for number in range(12):
        for at, worker in enumerate(people):
            wrong = at > 2 and (number == 0 or number % 2 == at % 2)
            answer(worker, f"{number:02}.jpg", "lime" if wrong else "lemon")
        if number == 0:
            assert states_of(place)["00.jpg"] == "needs_review"  # three of five
    assert (job.state, set(states_of(place).values())) == ("completed", {"resolved"})  # dan and eve are often wrong
    assert {label for rows in labels_of(place).values() for label, *_ in rows} == {"lemon"}


def test_answers_of_another_job_change_nothing(place: Place, create: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = create(), create("leaves-2", annotators=2)
    ann = first.worker("ann")
    answer_all(ann)
    assert first.state == "completed"
    monkeypatch.setattr(job_results, "write_results", lambda *_: pytest.fail("The results are written already."))
    answer(second.worker("ann"), "00.jpg", "lemon")
    assert ann.lease(1) == []


def test_accuracies_are_estimated_again_after_growth_of_the_job(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_results, "FEW_ANSWERS", 5)
    answer_all(create(annotators=3).worker("ann"))
    second, estimated = create("leaves-2", annotators=2), []
    workers = [second.worker(name) for name in ("ben", "cem")]
    for number in range(6):
        for worker in workers:
            answer(worker, f"{number:02}.jpg", "lemon")
        estimated.append((place.store.setting("accuracies of job 2") or {"answers": 0})["answers"])
    assert estimated == [0, 0, 6, 6, 10, 10]


# -- writing ----------------------------------------------------------------------------------------
def test_a_consolidation_can_be_undone_midway(place: Place, create: Create) -> None:
    label_outside(place, "00.jpg", "lime", "before")
    job = create(annotators=2)
    ann, ben = job.worker("ann"), job.worker("ben")
    answer_all(ann)
    for task in ben.lease(4):
        ben.submit(task, "lemon")
    done = set(job.results["image"])
    assert (len(done), job.state) == (4, "running")
    before = labels_of(place)
    assert job.consolidate().changed == 4
    assert repr(job.consolidate()) == "0 images changed: the datasets have all results already"
    after = labels_of(place)
    assert {image for image, rows in after.items() if rows[0][1] == "ann+ben"} == done
    undone = place.store.undo(None, Action("undo", "meg"))
    assert (undone.count, labels_of(place)) == (4, before)
    assert answer_all(ben) == 8
    assert job.state == "completed"
    assert {rows[0][1] for rows in labels_of(place).values()} == {"ann+ben"}
    assert len(labels_of(place)) == 12
    check(place, 2)


def test_labels_given_outside_of_the_job_meanwhile_stay(place: Place, create: Create) -> None:
    job = create()
    label_outside(place, "00.jpg", "lime")
    label_outside(place, "01.jpg", "lime", "model:kitchens.1")
    nothing = place.store.images("train").query("image == '02.jpg'").assign(status="labelled")
    place.store.update_images("train", nothing, t.empty(t.ANNOTATION_COLUMNS), Action("label", "olga"))
    answer_all(job.worker("ann"))
    written = labels_of(place)
    assert written.pop("00.jpg") == [("lime", "olga", None, 1.0)]
    assert "02.jpg" not in written
    assert len(written) == 10
    assert {rows[0][:2] for rows in written.values()} == {("lemon", "ann")}
    found = job.consolidate()
    assert (found.changed, sorted(found.left_out)) == (0, ["00.jpg", "02.jpg"])
    assert repr(found) == "0 images changed, 2 left out (labelled meanwhile, or label removed)"


def test_a_box_that_a_person_deleted_does_not_come_back(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], task="boxes", annotators=2)
    boxes = [{"label": "lemon", "left": left, "top": 2.0, "width": 9.0, "height": 9.0} for left in (1.0, 60.0)]
    for name in ("ann", "ben"):
        answer(job.worker(name), "00.jpg", boxes)
    images, marks = place.store.images("train").query("image == '00.jpg'"), place.store.annotations()
    assert len(marks) == 2
    place.store.update_images("train", images.assign(tags=[["checked"]]), marks, Action("tag", "olga"))
    assert job.consolidate().left_out == []
    images = place.store.images("train").query("image == '00.jpg'")
    place.store.update_images("train", images, marks.query("left == 1.0"), Action("draw", "olga"))
    assert job.consolidate().left_out == ["00.jpg"]
    assert place.store.annotations()["left"].tolist() == [1.0]
    job.decide("00.jpg", boxes)
    assert job.consolidate().changed == 1
    assert sorted(place.store.annotations()["left"]) == [1.0, 60.0]


def test_a_reopened_image_without_labels_is_unlabelled_again(place: Place, create: Create) -> None:
    before = place.store.images("train").query("image == '01.jpg'").assign(status="labelled")
    place.store.update_images("train", before, t.empty(t.ANNOTATION_COLUMNS), Action("label", "olga"))
    job = create(images=["00.jpg", "01.jpg"], annotators=2, max_annotators=2)
    for name in ("ann", "ben"):
        answer(job.worker(name), "00.jpg", None)
    answer(job.worker("ann"), "01.jpg", "lemon")

    def statuses() -> list[str]:
        return place.store.images("train").sort_values("image")["status"].tolist()[:2]

    job.consolidate()
    assert statuses() == ["labelled", "labelled"]
    job.requeue("00.jpg")
    assert job.consolidate().changed == 1
    assert statuses() == ["unlabelled", "labelled"]
    assert job.consolidate().changed == 0


def test_images_and_labels_removed_meanwhile(place: Place, create: Create) -> None:
    job = create(annotators=2, labels=["lemon", "lime", "pear"])
    answer_all(job.worker("ann"), "pear")
    ben = job.worker("ben")
    tasks = ben.lease(12)
    gone = place.store.images("train").query("image == '00.jpg'")
    place.store.remove_images("train", gone, Action("remove", "meg"))
    place.store.merge_labels("pear", "lime", Action("merge", "meg"))
    for task in tasks:
        ben.submit(task, "lime")
    assert job.state == "completed"
    assert {image: rows[0][0] for image, rows in labels_of(place).items()} == dict.fromkeys(
        [f"{number:02}.jpg" for number in range(1, 12)], "lime"
    )


def test_a_label_that_was_removed_does_not_come_back(place: Place, create: Create) -> None:
    job = create()
    answer_all(job.worker("ann"), "lime")
    place.store.remove_label("lime", Action("remove", "meg"), with_annotations=True)
    found = job.consolidate()
    assert (found.changed, len(found.left_out)) == (0, 12)
    assert place.store.labels()["label"].tolist() == ["lemon"]


def test_a_label_given_while_results_are_written_stays(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create()
    worker = job.worker("ann")
    for task in worker.lease(12)[:11]:
        worker.submit(task, "lemon")
    real = job_results.Edit

    def edit(*tables: pd.DataFrame) -> Any:
        monkeypatch.setattr(job_results, "Edit", real)
        label_outside(place, "00.jpg", "lime")
        return real(*tables)

    monkeypatch.setattr(job_results, "Edit", edit)
    job.consolidate()
    assert labels_of(place)["00.jpg"] == [("lime", "olga", None, 1.0)]
    assert len(labels_of(place)) in (11, 12)  # the image without an answer may be this one


def test_results_stay_while_others_let_tasks_be_decided_again(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create()
    ann, again, real = job.worker("ann"), place.reopened(), job_results.settle
    answer_all(ann)
    number, decided = place.number(job), []

    def settle(*given: Any, **options: Any) -> None:
        """Let another person change the agreement before the results are written, who has not decided the tasks yet."""
        real(*given, **options)
        decided.append(given)
        if len(decided) == 2:
            leases.transact(again, lambda connection: job_results.decide_again(connection, number))

    monkeypatch.setattr(job_results, "settle", settle)
    changed = ann.answered(1)[0]
    ann.submit(changed, "lime")
    again.close()
    assert len(decided) == 3
    expected = {f"{number:02}.jpg": "lemon" for number in range(12)} | {changed.image: "lime"}
    assert {image: rows[0][0] for image, rows in labels_of(place).items()} == expected
    assert (job.state, set(states_of(place).values())) == ("completed", {"resolved"})


def test_tasks_that_others_always_decide_again_keep_their_results(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create()
    ann = job.worker("ann")
    answer_all(ann)
    ann.submit(ann.answered(1)[0], None)
    before, empty = labels_of(place), place.store.setting("empty results of job 1")
    number = place.number(job)
    leases.transact(place.store, lambda connection: job_results.decide_again(connection, number))
    with monkeypatch.context() as patch:
        patch.setattr(job_results, "settle", lambda *_, **__: None)
        assert job.consolidate().changed == 0
    assert (len(before), len(empty), labels_of(place)) == (11, 1, before)
    assert place.store.setting("empty results of job 1") == empty
    assert len(job.results) == 12


def test_settings_that_change_while_tasks_are_decided_are_used(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create(images=["00.jpg", "01.jpg"], annotators=3, agreement=0.6)
    people, real = [job.worker(name) for name in ("ann", "ben", "carl")], job_results.combine

    def combine(*given: Any) -> Any:
        monkeypatch.setattr(job_results, "combine", real)
        found = real(*given)
        place.sql("UPDATE jobs SET agreement = 0.9")
        return found

    answer(people[0], "00.jpg", "lime")
    answer(people[1], "00.jpg", "lemon")
    monkeypatch.setattr(job_results, "combine", combine)
    answer(people[2], "00.jpg", "lemon")
    assert states_of(place) == {"00.jpg": "needs_review", "01.jpg": "open"}


def test_results_are_read_when_all_tasks_are_decided(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create()
    answer_all(job.worker("ann"))
    number, real = place.number(job), job_results.settle

    def settle(*given: Any) -> None:
        """Let another person change the agreement after the tasks were decided here."""
        monkeypatch.setattr(job_results, "settle", real)
        real(*given)
        leases.transact(place.store, lambda connection: job_results.decide_again(connection, number))

    monkeypatch.setattr(job_results, "settle", settle)
    assert len(job.results) == 12


@pytest.mark.parametrize("labels", [("lemon", "lime"), ("lime", "lemon")])
def test_older_results_do_not_replace_those_that_others_wrote_meanwhile(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch, labels: tuple[str, str]
) -> None:
    job = create(images=["00.jpg"])
    ann, again, real = job.worker("ann"), place.reopened(), job_results.final_results
    answer_all(ann, "lemon")

    def final_results(*given: Any) -> Any:
        """Let the person change the answer again in another notebook, and write that."""
        monkeypatch.setattr(job_results, "final_results", real)
        found = real(*given)
        other = Worker(again, place.number(job), "ann")
        other.submit(other.answered(1)[0], labels[1])
        return found

    monkeypatch.setattr(job_results, "final_results", final_results)
    ann.submit(ann.answered(1)[0], labels[0])
    again.close()
    assert labels_of(place)["00.jpg"][0][0] == labels[1]
    assert place.store.setting("written results of job 1") == job.answers["answer"].max() == 3


def test_an_answer_that_changes_while_a_task_is_decided_is_not_overlooked(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create(images=["00.jpg"], annotators=2)
    (lease,) = leases.lease(place.store, place.number(job), "ann", 1)
    lemon, lime = (json.dumps([[number, name]]) for number, name in [(1, "lemon"), (2, "lime")])
    leases.submit(place.store, lease, "ann", lemon, key="a")
    ben, again, real = job.worker("ben"), place.reopened(), job_results.combine

    def combine(*given: Any) -> Any:
        found = real(*given)
        monkeypatch.setattr(job_results, "combine", real)
        leases.submit(again, lease, "ann", lime, key="b", edit=2)
        return found

    monkeypatch.setattr(job_results, "combine", combine)
    ben.submit(ben.lease(1)[0], "lemon")
    assert (states_of(place), job.state) == ({"00.jpg": "answered"}, "running")
    assert sorted(job.results["label"]) == ["lemon", "lime"]
    assert (states_of(place), job.state) == ({"00.jpg": "needs_review"}, "completed")
    again.close()


def test_requeue_removes_the_reviewer_decision(place: Place, create: Create) -> None:
    job = create(images=["00.jpg", "01.jpg"], max_annotators=2)
    job.decide("00.jpg", "lime")
    assert (states_of(place), job.progress.left) == ({"00.jpg": "reviewed", "01.jpg": "open"}, 1)
    assert job.ask_one_more("00.jpg") == 1
    assert states_of(place)["00.jpg"] == "open"
    job.decide("00.jpg", "lemon")
    assert job.results["label"].tolist() == ["lemon"]
    ann = job.worker("ann")
    job.reject(answer(ann, "01.jpg", "lime"))
    job.update(answers="ask_again")
    assert set(states_of(place).values()) == {"open"}
    assert job.results.empty
    assert len(ann.lease(2)) == 2  # also the image whose answer was rejected


def test_an_image_that_people_skipped_returns_to_the_queue(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"])
    people = [job.worker(name) for name in ("ann", "ben")]
    for worker in people:
        worker.skip(worker.lease(1)[0], "dark")
    assert states_of(place) == {"00.jpg": "skipped"}
    assert job.requeue("00.jpg") == 0
    assert states_of(place) == {"00.jpg": "open"}
    assert len(people[0].lease(1)) == 1


# -- people -----------------------------------------------------------------------------------------
def test_too_many_wrong_answers_to_gold_images_stop_a_person(place: Place, create: Create) -> None:
    gold = {f"{number:02}.jpg": "lemon" for number in range(11)}
    job = create(images=["11.jpg"], annotators=2, gold=gold)
    guesser = job.worker("guesser")
    for _ in range(1000):
        if job.members["state"].iloc[-1] == "stopped":
            break
        for task in guesser.lease(5):
            guesser.submit(task, "lime")
    with pytest.raises(
        NotAllowedError, match=r"gets no more tasks .* only 0 of 1\d answers to images with known answers are right"
    ):
        guesser.lease()
    people = job.people.set_index("person")
    assert people.loc["guesser", "gold"] == 0
    assert people.loc["guesser", "stopped"]
    assert place.store.history()["what"].tolist().count("stop in labelling job") == 1
    job.invite("guesser")
    guesser.submit(guesser.answered()[0], None)
    assert job.members.set_index("person").loc["guesser", "state"] == "active"  # the manager trusts them


@postgres_only
def test_stopping_a_person_waits_for_an_import_without_a_deadlock(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_GOLD_SHARE", 1.0)
    monkeypatch.setattr(worker_module, "stop_by_gold", lambda *_: 0)
    job = create(images=["11.jpg"], gold={f"{number:02}.jpg": "lemon" for number in range(11)})
    guesser, again, number = job.worker("guesser"), place.reopened(), place.number(job)
    for task in guesser.lease(11):
        guesser.submit(task, "lime")
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    with ThreadPoolExecutor(1) as threads:
        with place.store.writing() as connection:  # like an import, which takes its number in the history at the end
            stopping = threads.submit(job_results.stop_by_gold, again, number, "guesser", 0)
            while connection.exec_driver_sql(blocked).scalar_one() == 0:
                assert not stopping.done()
            connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            record(connection, Action("import", "meg"))
        assert stopping.result() == 11
    again.close()
    assert job.members["state"].iloc[-1] == "stopped"
    assert {"import", "stop in labelling job"} < set(place.store.history()["what"])


@sqlite_only
def test_labeler_sees_no_answers_of_others(place: Place, create: Create) -> None:
    job = create(annotators=2, gold={"11.jpg": "lemon"})
    settings.user = "zelda-secret"
    zelda = job.worker()
    answer_all(zelda, "lime")
    settings.user = "anna"
    anna = job.worker()
    tasks = anna.lease(12)
    assert {task.answer for task in tasks} == {None}
    assert (len(job.answers), anna.answered(), anna.done) == (0, [], 0)
    for name in ("results", "agreement", "people", "gold", "skipped"):
        with pytest.raises(NotAllowedError, match=r"'anna' is a labeler .* Ask 'meg'"):
            getattr(job, name)
    for call in (job.consolidate, lambda: job.to(place.root), lambda: job.decide("00.jpg", "lime")):
        with pytest.raises(NotAllowedError, match="'anna' is a labeler"):
            call()
    history = place.store.history()
    seen = [repr(anna), repr(job), repr(job.progress), history.to_csv(), *(str(vars(task)) for task in tasks)]
    assert "zelda" not in "".join([*seen, str(history["before"].tolist()), str(history["after"].tolist())])
    assert labels_of(place) == {}
    for number, task in enumerate(tasks):
        anna.submit(task, "lime" if number else "lemon")
    assert set(job.answers["person"]) == {"anna"}
    assert not job.answers["gold"].any()


@sqlite_only
def test_names_of_models_are_refused(place: Place, create: Create) -> None:
    with pytest.raises(InputError, match="not a person's name"):
        create(members=["model:kitchens.1"])
    job = create()
    with pytest.raises(InputError, match="not a person's name"):
        job.worker("model:kitchens.1")
    settings.user = "model:kitchens.1"
    with pytest.raises(InputError, match="not a person's name"):
        job.worker()
    with pytest.raises(InputError, match="is reserved in manifests"):
        create("source-ref")


# -- export -----------------------------------------------------------------------------------------
def test_an_export_reads_back_equal(place: Place, create: Create, tmp_path: Path) -> None:
    job = create(annotators=2, instructions="Only ripe ones.", gold={"11.jpg": "lemon"})
    answer_all(job.worker("ann"))
    ben = job.worker("ben")
    tasks = [task for task in ben.lease(12) if task.image != "11.jpg"]
    for number, task in enumerate(tasks[:6]):
        ben.submit(task, "lime" if number == 0 else "lemon")
    job.consolidate()
    both = t.normalise_images(pd.DataFrame({"image": ["00.jpg"]}))
    place.store.add_images("test", both, t.empty(t.ANNOTATION_COLUMNS), Action("import", "meg"))
    folder = job.to(tmp_path / "out")
    manifest = folder / "manifests" / "output" / "output.manifest"
    assert folder == tmp_path / "out" / "leaves-1"
    found = read_manifest(manifest)
    assert len(manifest.read_bytes().splitlines()) == 11
    assert sorted(found.images["image"]) == [f"{number:02}.jpg" for number in range(11)]
    columns = ["image", "label", "confidence", "job", "created"]
    stored = place.store.annotations()
    assert len(stored) == 5
    pd.testing.assert_frame_equal(
        found.annotations[columns].sort_values("image", ignore_index=True),
        stored[columns].sort_values("image", ignore_index=True),
    )
    table = pd.read_csv(folder / "answers.csv")
    assert (
        table[["image", "person", "label"]].to_numpy().tolist()
        == job.answers[["image", "person", "label"]].to_numpy().tolist()
    )
    assert pd.read_json(folder / "job.json", typ="series")["name"] == "leaves-1"
    assert (folder / "annotation-tool" / "instructions.txt").read_text() == "Only ripe ones."
    for task in tasks[6:]:
        ben.submit(task, "lemon")
    assert job.to(tmp_path / "out") == folder
    assert len(read_manifest(manifest).annotations) == 10
    assert cl.read_dataset(manifest).annotations["label"].nunique() == 1


def test_a_decision_replaces_an_empty_result_of_an_image_that_was_moved(place: Place, create: Create) -> None:
    job = create(images=["00.jpg", "01.jpg"])
    ann = job.worker("ann")
    for name in ("00.jpg", "01.jpg"):
        answer(ann, name, None)
    job.consolidate()
    place.store.move_images(["00.jpg", "01.jpg"], "train", "test", Action("move", "olga"))
    job.decide("00.jpg", "lime")
    assert list(job.consolidate().left_out) == []
    found = place.store.annotations("test").set_index("image")["label"]
    assert found.to_dict() == {"00.jpg": "lime"}
    assert place.store.images("test").set_index("image")["status"].to_dict() == dict.fromkeys(
        ("00.jpg", "01.jpg"), "labelled"
    )
