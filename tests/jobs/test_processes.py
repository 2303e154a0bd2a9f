"""Tests of labelers in many processes that are killed, stopped, cut off, and have wrong clocks."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import psutil
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.errors import StoreError
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.store import open_store
from tests.jobs.conftest import ACTION, Place, check
from tests.jobs.cutting_proxy import CuttingProxy
from tests.jobs.labelers import labelers

Create = Callable[..., LabellingJob]


def add_images(place: Place, number: int) -> None:
    images = t.normalise_images(pd.DataFrame({"image": [f"more {at}.jpg" for at in range(number)]}))
    place.store.add_images("train", images, t.empty(t.ANNOTATION_COLUMNS), ACTION)


def check_acknowledged(job: LabellingJob, answers: list[tuple[int, bool]]) -> None:
    """Check that every acknowledged answer is stored."""
    stored = job.answers.set_index("answer")["counted"]
    assert set(dict(answers)) <= set(stored.index)
    assert all(stored[answer] == counted for answer, counted in answers)


def check_results(place: Place, job: LabellingJob, images: int) -> None:
    """Check that the job is completed, with a result for each image in the dataset."""
    assert job.state == "completed"
    assert place.sql("SELECT DISTINCT state FROM job_tasks") == [("resolved",)]
    assert place.store.annotations()["label"].tolist() == ["lemon"] * images


@pytest.mark.parametrize("images", [18, pytest.param(250, marks=pytest.mark.exhaustive)])
def test_processes_with_wrong_clocks_share_a_job(place: Place, create: Create, images: int) -> None:
    add_images(place, images)
    job = create(annotators=2)
    with labelers(place, job, "ann", "ben", hours=1) as fast, labelers(place, job, "cem", hours=-1) as slow:
        found = [answer for each in (*fast, *slow) for answer in each.acknowledged()]
    assert len(found) == 2 * (12 + images)
    assert all(counted for _, counted in found)
    check_acknowledged(job, found)
    check(place, 2)
    check_results(place, job, 12 + images)


@pytest.mark.parametrize("people", [3, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_killed_processes_lose_no_acknowledged_answer(place: Place, create: Create, people: int) -> None:
    add_images(place, 8 * people)
    job = create(annotators=2)
    names = [f"person {number}" for number in range(people)]
    acknowledged: list[tuple[int, bool]] = []
    with labelers(place, job, *names) as started:
        for number, each in enumerate(started):
            answers = each.acknowledged()
            acknowledged += [next(answers) for _ in range(number + 1)]
            each.process.kill()
            each.process.join()
            acknowledged += answers  # those that it sent before it was killed
    check_acknowledged(job, acknowledged)
    check(place, 2)
    place.expire()
    with labelers(place, job, *names, "and another one") as started:
        for each in started:
            acknowledged += each.acknowledged()
    check_acknowledged(job, acknowledged)
    check(place, 2)
    check_results(place, job, 12 + 8 * people)


def test_a_stopped_process_goes_on_after_its_tasks_were_taken_over(place: Place, create: Create) -> None:
    job = create()
    with labelers(place, job, "stops", batch=12) as (stopped,):
        answers = stopped.acknowledged()
        found = [next(answers)]
        process = psutil.Process(stopped.process.pid)
        while process.status() != psutil.STATUS_STOPPED:
            pass
        place.expire()
        ben = job.worker("ben")
        taken = [ben.submit(task, "lime") for task in ben.lease(12)]
        process.resume()
        found += answers
    assert [counted for _, counted in found] == [True] + [False] * 11
    check_acknowledged(job, [*found, *((each.answer, each.counted) for each in taken)])
    assert job.answers["counted"].sum() == 12
    check(place, 1)


@pytest.fixture
def cut(postgres_url: str) -> CuttingProxy:
    """Return a proxy that cuts connections."""
    return CuttingProxy(postgres_url)


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_connection_cut_between_commit_and_reply_stores_one_answer(
    place: Place, create: Create, cut: CuttingProxy
) -> None:
    job = create()
    store = open_store(cut.url, schema=place.store.location[1])
    ann = Worker(store, place.number(job), "ann")
    (task,) = ann.lease(1)
    cut.cuts = 1
    assert ann.submit(task, "lemon").counted
    assert cut.done == 1
    (lease,) = leases.lease(store, place.number(job), "ann", 1)
    cut.cuts = 1
    with pytest.raises(StoreError):
        leases.submit(store, lease, "ann", "[]", key="mine", patience=-1)
    assert cut.done == 2
    assert leases.submit(store, lease, "ann", "[]", key="mine").counted
    assert len(job.answers) == 2
    cut.close()
    store.close()
    check(place, 1)


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_without_a_connection_the_same_answer_keeps_its_key(place: Place, create: Create, cut: CuttingProxy) -> None:
    job = create()
    store = open_store(cut.url, schema=place.store.location[1])
    ann = Worker(store, place.number(job), "ann")
    task = ann.lease(1)[0]
    cut.cuts = 1
    with pytest.raises(StoreError):
        ann.submit(task, "lemon", patience=-1.0)
    assert [each.id for each in ann.held] == [task.id]
    assert ann.submit(task, "lemon").counted
    assert len(job.answers) == 1
    store.close()
    cut.close()
