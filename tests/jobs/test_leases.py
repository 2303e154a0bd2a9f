"""Tests of leases and answers on SQLite and PostgreSQL: nothing is lost, nothing counts twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import IntegrityError

from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.store import schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.expressions import database_now
from tests.jobs.conftest import Place, check

Create = Callable[..., LabellingJob]


def answer_all(worker: Worker, label: str = "lemon") -> int:
    """Answer tasks until none is left, and return their number."""
    number = 0
    while tasks := worker.lease(5):
        for task in tasks:
            assert worker.submit(task, label).counted
            number += 1
    return number


def test_each_image_is_answered_by_as_many_people_as_wanted(place: Place, create: Create) -> None:
    job = create(annotators=2)
    assert [answer_all(job.worker(name)) for name in ("ann", "ben", "cem")] == [12, 12, 0]
    assert job.state == "completed"
    found = {
        "images": 12,
        "done": 12,
        "skipped": 0,
        "answers": 24,
        "left": 0,
        "held": 0,
        "alone": 0,
        "review": 0,
        "waiting": (),
    }
    assert vars(job.progress) == found
    check(place, 2)


def test_nobody_gets_a_task_that_others_hold(place: Place, create: Create) -> None:
    job = create(annotators=2)
    held = [{task.image for task in job.worker(name).lease(8)} for name in ("ann", "ben", "cem", "dan")]
    assert [len(images) for images in held] == [8, 8, 4, 4]
    everything = sorted(image for images in held for image in images)
    assert everything == sorted(2 * [f"{number:02}.jpg" for number in range(12)])
    assert job.worker("eve").lease(3) == []
    assert job.progress.held == 24


def test_a_lease_lasts_one_time_limit_per_task_by_the_clock_of_the_database(place: Place, create: Create) -> None:
    job = create(lease="2min")
    found = leases.lease(place.store, place.number(job), "ann", 4)
    assert {lease.until - lease.since for lease in found} == {4 * 120_000_000}
    with place.store.reading() as connection:
        assert 0 <= connection.scalars(select(database_now())).one() - found[0].since < 60_000_000
    assert abs(found[0].since - time.time_ns() // 1000) < 60_000_000


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_of_clients_do_not_matter(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    job = create(annotators=1)
    ann, ben = job.worker("ann"), job.worker("ben")
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + hours * 3_600_000_000_000)
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
    tasks = ann.lease(12)
    assert abs(tasks[0].until.timestamp() - real() / 1e9 - 12 * 300) < 60
    monkeypatch.undo()
    assert ben.lease(1) == []
    assert all(ann.submit(task, "lime").counted for task in tasks)
    assert (job.answers["submitted"] >= job.answers["accepted"]).all()
    assert abs(job.answers["submitted"].iloc[0].timestamp() - time.time()) < 60


def test_an_expired_lease_that_nobody_took_counts(place: Place, create: Create) -> None:
    ann = create().worker("ann")
    task = ann.lease(1)[0]
    place.expire()
    assert ann.submit(task, "lemon").counted
    check(place, 1)


def test_an_answer_after_a_takeover_is_stored_and_replaces_a_rejected_one(place: Place, create: Create) -> None:
    job = create()
    ann, ben = job.worker("ann"), job.worker("ben")
    task = ann.lease(1)[0]
    place.expire()
    other = ben.lease(1)[0]
    assert other.image == task.image
    accepted = ben.submit(other, "lime")
    late = ann.submit(task, "lemon")
    assert (accepted.counted, late.counted, late.reason) == (True, False, "late")
    assert task.image not in {each.image for each in ann.lease(12)}
    job.reject(accepted.answer)
    counted = job.answers.set_index("answer")["counted"]
    assert counted.to_dict() == {accepted.answer: False, late.answer: True}
    assert ben.lease(12) == []
    check(place, 1)


@pytest.mark.parametrize("how", ["release", "skip", "expire"])
def test_a_late_answer_takes_a_place_that_becomes_free(place: Place, create: Create, how: str) -> None:
    job = create(images=["00.jpg", "01.jpg"])
    ann, ben = job.worker("ann"), job.worker("ben")
    tasks = ann.lease(2)
    place.expire()
    others = ben.lease(2)
    assert [ann.submit(task, "lime").reason for task in tasks] == ["late"] * 2
    if how == "release":
        assert ben.release() == 2
    elif how == "expire":
        place.expire()
        assert ann.lease(1) == []
    else:
        for other in others:
            ben.skip(other, "unclear")
    assert job.answers["counted"].all()
    assert job.progress.done == 2
    check(place, 1)


def test_a_late_answer_that_was_changed_takes_no_place(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"])
    ann, ben = job.worker("ann"), job.worker("ben")
    task = ann.lease(1)[0]
    place.expire()
    accepted = ben.submit(ben.lease(1)[0], "lime")
    late = [ann.submit(task, label) for label in ("lemon", None, "lime")]
    assert [receipt.reason for receipt in late] == ["late"] * 3
    job.reject(accepted.answer)
    assert job.answers["counted"].tolist() == [False, False, False, True]
    job.reject(late[-1].answer)
    assert not job.answers["counted"].any()
    check(place, 1)


def test_an_answer_after_a_takeover_counts_in_another_free_slot(place: Place, create: Create) -> None:
    job = create(annotators=2)
    ann, ben = job.worker("ann"), job.worker("ben")
    task = ann.lease(1)[0]
    place.expire()
    other = ben.lease(1)[0]
    assert ann.submit(task, "lemon").counted
    assert ben.submit(other, "lemon").counted
    check(place, 2)


def test_rejected_answer_reopens_the_task_for_others(place: Place, create: Create) -> None:
    job = create()
    ann, ben = job.worker("ann"), job.worker("ben")
    task = ann.lease(1)[0]
    job.reject(ann.submit(task, "lemon").answer)
    with pytest.raises(NotAllowedError, match="already does not count"):
        job.reject(int(job.answers["answer"].iloc[0]))
    assert task.image not in {each.image for each in ann.lease(12)}
    assert [each.image for each in ben.lease(12)] == [task.image]


def test_a_rejected_answer_to_a_gold_image_can_be_changed(place: Place, create: Create) -> None:
    job = create(images=["11.jpg"], gold={"00.jpg": "lemon"})
    ann = job.worker("ann")
    task = next(task for task in ann.lease(2) if task.image == "00.jpg")
    job.reject(ann.submit(task, "lime").answer)
    check(place, 1)
    assert ann.submit(task, "lemon").counted
    check(place, 1)


def test_an_answer_that_is_submitted_twice_is_stored_once(place: Place, create: Create) -> None:
    job = create()
    ann = job.worker("ann")
    task = ann.lease(1)[0]
    first = ann.submit(task, "lemon", key="one")
    assert ann.submit(task, "lemon", key="one") == first
    assert len(job.answers) == 1


def test_answer_after_a_failure_replaces_the_earlier_one(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, real = create(), leases.submit
    ann = job.worker("ann")
    task = ann.lease(1)[0]

    def submit(*given: Any, **options: Any) -> None:
        real(*given, **options)
        raise StoreError("The connection was cut between commit and reply.")

    monkeypatch.setattr(leases, "submit", submit)
    with pytest.raises(StoreError):
        ann.submit(task, "lemon")
    monkeypatch.undo()
    assert ann.submit(task, "lime").counted
    assert job.answers["counted"].tolist() == [False, True]


def test_a_changed_answer_replaces_the_earlier_one_whatever_the_order_of_arrival(place: Place, create: Create) -> None:
    job = create()
    job.worker("ann")
    (lease,) = leases.lease(place.store, place.number(job), "ann", 1)
    lime, lemon = (f'[[{number}, "{name}"]]' for number, name in ((2, "lime"), (1, "lemon")))
    assert leases.submit(place.store, lease, "ann", lime, key="b", edit=2).counted
    assert leases.submit(place.store, lease, "ann", lemon, key="a", edit=1).reason == "changed"
    assert leases.submit(place.store, lease, "ann", lemon, key="c", edit=3).counted
    assert leases.submit(place.store, lease, "ann", lime, key="b", edit=2) == leases.Acknowledgement(
        1, False, "changed"
    )
    assert job.answers[["label", "counted"]].to_numpy().tolist() == [["lime", False], ["lemon", False], ["lemon", True]]
    check(place, 1)


def test_answers_can_be_changed_in_another_kernel(place: Place, create: Create) -> None:
    job = create()
    ann = job.worker("ann")
    tasks = ann.lease(2)
    for task, label in zip(tasks, ("lemon", None), strict=True):
        ann.submit(task, label)
    again = Worker(place.reopened(), place.number(job), "ann")
    found = again.answered()
    assert [(task.image, task.answer) for task in found] == [(tasks[1].image, None), (tasks[0].image, "lemon")]
    assert again.submit(found[0], "lime").counted
    assert ann.submit(tasks[1], "lemon").reason == "changed"  # made on an answer that has been replaced
    assert [task.answer for task in again.answered()] == ["lime", "lemon"]
    check(place, 1)


def test_two_kernels_of_one_person_get_different_tasks(place: Place, create: Create) -> None:
    job = create(annotators=3)
    number, found = place.number(job), list[str]()
    start = threading.Barrier(4)

    def label(worker: Worker) -> None:
        start.wait()
        while tasks := worker.lease(2):
            found.extend(task.image for task in tasks)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(label, Worker(place.reopened(), number, "ann")) for _ in range(4)]:
            each.result()
    assert sorted(found) == [f"{number:02}.jpg" for number in range(12)]
    check(place, 3)


def test_a_second_kernel_takes_over_the_expired_leases_of_the_first(place: Place, create: Create) -> None:
    job = create(annotators=2)
    first, second = job.worker("ann"), job.worker("ann")
    tasks = first.lease(12)
    assert second.lease(12) == []
    place.expire("ann")
    again = second.lease(12)
    assert {task.image for task in again} == {task.image for task in tasks}
    assert first.submit(tasks[0], "lemon").counted
    same = next(task for task in again if task.image == tasks[0].image)
    assert not second.submit(same, "lime").counted
    assert second.renew() == 11
    check(place, 2)


@pytest.mark.parametrize("people", [60, pytest.param(1000, marks=pytest.mark.exhaustive)])
def test_concurrent_leases_of_one_task(place: Place, create: Create, people: int) -> None:
    id_, counted = place.number(create(images=["00.jpg"], annotators=3)), list[bool]()

    def race(first: int) -> None:
        store = place.reopened()
        for number in range(first, people, 6):
            who = f"person {number}"
            for lease in leases.lease(store, id_, who, 1):
                if number % 2:
                    leases.release(store, id_, who)
                else:
                    counted.append(leases.submit(store, lease, who, "[]", key=who).counted)
        store.close()

    with ThreadPoolExecutor(6) as pool:
        for each in [pool.submit(race, first) for first in range(6)]:
            each.result()
    race(0)  # alone, if those who give back held the last slot all the time
    assert counted == [True] * 3
    check(place, 3)


def test_leases_are_renewed_and_released(place: Place, create: Create) -> None:
    job = create()
    ann, ben = job.worker("ann"), job.worker("ben")
    tasks = ann.lease(10)
    place.expire()
    assert ann.renew() == 10
    assert len(ben.lease(10)) == 2
    assert ann.release(tasks[:1]) == 1
    assert [task.image for task in ben.lease(10)] == [tasks[0].image]
    assert (ann.release(), ann.release(), len(ann.held)) == (9, 0, 0)
    assert ann.submit(tasks[5], "lemon").counted  # still free
    assert not ann.submit(tasks[0], "lemon").counted
    assert (job.release("ben"), job.progress.held) == (3, 0)


def test_released_tasks_are_leased_last(place: Place, create: Create) -> None:
    job = create()
    ann = job.worker("ann")
    first = ann.lease(3)
    ann.release(first)
    rest = ann.lease(12)
    assert len(rest) == 12
    assert {task.image for task in rest[9:]} == {task.image for task in first}


def test_a_skipped_task_is_asked_of_others_and_then_left_to_the_manager(place: Place, create: Create) -> None:
    job = create(annotators=2)
    ann, ben, cem = (job.worker(name) for name in ("ann", "ben", "cem"))
    task = ann.lease(1)[0]
    ann.skip(task, "blurred")
    assert task.image not in {each.image for each in ann.lease(12)}
    assert job.skipped.empty
    own = next(each for each in ben.lease(12) if each.image == task.image)
    ben.skip(own, "dark")
    assert job.skipped.to_numpy().tolist() == [[task.image, "ann", "blurred"], [task.image, "ben", "dark"]]
    assert task.image not in {each.image for each in cem.lease(12)}
    assert job.progress.skipped == 1
    assert job.return_skipped() == 1
    assert task.image in {each.image for each in ann.lease(12)}
    check(place, 2)


def test_an_answered_task_can_still_be_skipped(place: Place, create: Create) -> None:
    job = create(annotators=1)
    ann = job.worker("ann")
    task = ann.lease(1)[0]
    ann.submit(task, "lemon")
    with pytest.raises(InputError, match="reason='not"):
        ann.skip(task, "not\0sure")
    ann.skip(task, "not sure")
    assert job.answers["counted"].tolist() == [False]
    assert [each.image for each in job.worker("ben").lease(12)].count(task.image) == 1
    check(place, 1)


def test_a_paused_job_gives_no_tasks_and_accepts_answers(place: Place, create: Create) -> None:
    job = create()
    ann = job.worker("ann")
    tasks = ann.lease(2)
    job.pause()
    with pytest.raises(NotAllowedError, match=r"'leaves-1' is paused.*'ann'.*Ask the manager 'meg' to resume it\.$"):
        ann.lease(1)
    assert ann.submit(tasks[0], "lemon").counted
    job.close()
    assert ann.submit(tasks[1], "lemon").reason == "late"
    assert ann.submit(tasks[0], "lime").reason == "late"
    assert job.answers[["label", "counted"]].to_numpy().tolist() == [["lemon", True], ["lemon", False], ["lime", False]]
    for change in (ann.withdraw, ann.skip):
        with pytest.raises(NotAllowedError, match="The answer stays, because the job is closed"):
            change(tasks[0])
    assert (job.answers["counted"].sum(), job.progress.answers, job.progress.held) == (1, 1, 0)
    job.resume()
    assert job.answers["counted"].tolist() == [True, True, False]
    assert len(ann.lease(12)) == 10
    assert ann.submit(tasks[0], "lime").counted
    check(place, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE job_answers SET counted = 1",
        "UPDATE job_answers SET counted = 1, slot = 1",
        "UPDATE job_answers SET counted = 1, slot = 2 WHERE key = 'first'",
        "UPDATE job_slots SET holder = 'ann', state = 'held'",
        "UPDATE job_slots SET slot = 10 WHERE state = 'open'",
        "UPDATE job_slots SET state = 'held' WHERE state = 'open'",
        "DELETE FROM job_slots WHERE state = 'answered'",
    ],
)
def test_the_schema_forbids_more_answers_than_slots_and_two_of_a_person(
    place: Place, create: Create, statement: str
) -> None:
    job = create(images=["00.jpg"], annotators=2)
    ann = job.worker("ann")
    task = ann.lease(1)[0]
    ann.submit(task, "lemon", key="first")
    ann.submit(task, "lime", key="again")
    place.sql("UPDATE job_slots SET until = 0")
    with pytest.raises(StoreError) as caught:
        place.sql(statement)
    assert isinstance(caught.value.__cause__, IntegrityError)
    check(place, 2)


def test_a_conflict_with_the_schema_is_tried_again_a_few_times(place: Place, create: Create) -> None:
    create()
    tried = []

    def work(connection: Connection) -> str:
        tried.append(1)
        if len(tried) < 3:
            connection.exec_driver_sql("INSERT INTO job_members SELECT * FROM job_members")
        return "done"

    assert leases.transact(place.store, work) == "done"
    assert len(tried) == 3


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_lease_does_not_wait_for_writers_of_the_project(place: Place, create: Create) -> None:
    job = create()
    ann = job.worker("ann")
    with place.reopened().writing():
        task = ann.lease(1)[0]
        assert ann.submit(task, "lemon").counted
        ann.skip(ann.lease(1)[0])
        assert ann.release() == 0


def test_a_labeler_uses_one_connection_at_a_time(place: Place, create: Create) -> None:
    ann = create().worker("ann")
    taken: list[object] = []
    most = 0
    with place.store.reading() as connection:
        engine = connection.engine

    @event.listens_for(engine, "checkout")
    def take(connection: object, *_: object) -> None:
        nonlocal most
        taken.append(connection)
        most = max(most, len(taken))

    @event.listens_for(engine, "checkin")
    def put_back(connection: object, *_: object) -> None:
        taken.remove(connection)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(lambda: ann.submit(ann.lease(1)[0], "lemon")) for _ in range(8)]:
            assert each.result().counted
        pool.submit(ann.renew).result()
    ann.skip(ann.lease(2)[0])
    assert (ann.release(), ann.done, most) == (1, 8, 1)


def test_gold_images_are_mixed_in_and_look_like_all_others(place: Place, create: Create) -> None:
    known = {f"{number:02}.jpg": "lemon" for number in range(6)}
    job = create(gold=known, annotators=1)
    ann, ben = job.worker("ann"), job.worker("ben")
    first = ann.lease(5)
    assert {task.image for task in first} <= set(known)
    for task in first:
        assert ann.submit(task, "lime").counted
    assert {task.image for task in ben.lease(5)} <= set(known)
    rest = ann.lease(7)
    assert len(rest) >= 6
    plain = next(task for task in rest if task.image not in known)
    assert ann.submit(plain, "lime").counted
    shown = [vars(task) | {"image": "", "id": "", "_lease": None, "until": None} for task in (first[0], plain)]
    assert shown[0] == shown[1]
    assert {len(task.id) for task in (*first, *rest)} == {len(plain.id)}
    assert job.progress.images == 6
    assert job.answers["gold"].sum() == 5
    assert job.gold.loc[job.gold["image"].isin(known), "label"].tolist() == ["lemon"] * 6
    check(place)


def test_gold_images_come_back_after_expiry(place: Place, create: Create) -> None:
    job = create(images=["11.jpg"], gold={"00.jpg": None, "01.jpg": "lime"})
    ann = job.worker("ann")
    first = ann.lease(3)
    assert len(first) == 3
    ann.release(first[:1])
    place.expire()
    again = ann.lease(3)
    assert {task.image for task in again} == {"00.jpg", "01.jpg", "11.jpg"}
    assert ann.submit(first[1], None).counted
    assert job.answers["label"].isna().all()
    check(place)


def test_conditions_take_more_values_than_a_statement_has_parameters(place: Place) -> None:
    c = schema.images.c
    ids = [row[0] for row in place.sql("SELECT id FROM images")]
    for column, values, expected in (
        (c.id, range(70_000), ids),
        (c.image, ["00.jpg", "x'); --"], ids[:1]),
        (c.image, [], []),
    ):
        with place.store.reading() as connection:
            assert connection.scalars(select(c.id).where(among(connection, column, values))).all() == expected
