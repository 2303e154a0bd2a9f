"""Property tests: a reviewer's decision is stored once, also if the database fails and it is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, TypeAlias

from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Connection

from customlabels_nb.errors import InputError, StoreError
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.reviewer_session import ReviewerSession
from customlabels_nb.store import SqlStore
from tests.fake_clock import FakeClock
from tests.jobs.conftest import Place, check
from tests.jobs.test_reviewer_session import answer, later
from tests.tiers import many

#: What three people say about each image: a weak majority, a tie and an image with nothing to label for most.
ANSWERS: dict[str, list[Any]] = {
    "00.jpg": ["lemon", "lime", "lime"],
    "01.jpg": ["lemon", "lime", "fig"],
    "02.jpg": [None, None, "fig"],
}
NUMBER = count(1)
IMAGES = st.lists(st.sampled_from([*ANSWERS]), min_size=1, max_size=2, unique=True)
STEPS = st.tuples(
    st.one_of(
        st.tuples(st.just("correct"), IMAGES, st.sampled_from(["lemon", "lime", "fig"])),
        st.tuples(st.just("take"), IMAGES, st.integers(1, 3)),
        st.tuples(st.just("approve"), IMAGES),
        st.tuples(st.sampled_from(["undo", "redo"])),
    ),
    st.sampled_from([None, None, "before", "after"]),
    st.integers(1, 2),
)
#: For each image, whether it is decided, and its labels if it is.
Decisions: TypeAlias = dict[str, tuple[bool, list[str]]]


@contextmanager
def failing(store: SqlStore, when: str | None, turn: int) -> Iterator[None]:
    """Let one of the next transactions fail before it starts, or after it is stored, as if the connection is lost."""
    real, turns = store.writing, count(1)

    @contextmanager
    def writing(**options: Any) -> Iterator[Connection]:
        fails = next(turns) == turn
        if fails and when == "before":
            raise StoreError("no connection")
        with real(**options) as connection:
            yield connection
        if fails:
            raise StoreError("connection lost")

    if when is not None:
        store.writing = writing  # type: ignore[method-assign]
    try:
        yield
    finally:
        store.writing = real  # type: ignore[method-assign]


def act(session: ReviewerSession, what: str, *more: Any) -> None:
    """Let the reviewer do something with images, if that is possible."""
    with suppress(InputError):  # a tie has no consensus to approve
        getattr(session, what)(*more)


def shown(session: ReviewerSession) -> Decisions:
    """Return what the page shows."""
    rows = {image: session.row(image) for image in ANSWERS}
    return {image: (row["reviewed"], row["labels"] if row["reviewed"] else []) for image, row in rows.items()}


def sent(place: Place, number: int) -> list[tuple[str, str, list[str], bool]]:
    """Return number, image, labels of all stored decisions, and whether they have not been withdrawn."""
    names = dict(place.sql("SELECT id, label FROM labels"))
    sql = f"""SELECT a.id, t.image, a.payload, a.reason = 'reviewed'
        FROM job_answers a JOIN job_tasks t ON t.id = a.task
        WHERE t.job = {number} AND a.edit = 0 ORDER BY a.id"""
    return [
        (id_, image, [names[label] for label, *_ in json.loads(payload)], bool(valid))
        for id_, image, payload, valid in place.sql(sql)
    ]


def decided(place: Place, number: int) -> Decisions:
    """Return what the job has stored."""
    latest = {image: labels for _, image, labels, valid in sent(place, number) if valid}
    states = place.sql(f"SELECT image, state FROM job_tasks WHERE job = {number}")
    return {image: (state == "reviewed", latest[image] if state == "reviewed" else []) for image, state in states}


@examples(derandomize=True, max_examples=many(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    steps=[
        (("correct", ["01.jpg"], "fig"), "after", 1),
        (("correct", ["01.jpg", "00.jpg"], "lime"), None, 1),
        (("undo",), "before", 2),
        (("correct", ["01.jpg"], "lemon"), "before", 1),
    ]
)
@given(steps=st.lists(STEPS, min_size=2, max_size=5))
def test_decisions_are_stored_once(
    place: Place, create: Callable[..., LabellingJob], steps: list[tuple[tuple[Any, ...], str | None, int]]
) -> None:
    options = {"annotators": 3, "max_annotators": 3, "agreement": 0.9, "labels": ["lemon", "lime", "fig"]}
    job = create(f"leaves-{next(NUMBER)}", [*ANSWERS], **options)
    answer(job, ANSWERS)
    session, number = ReviewerSession(place.store, place.root, job, clock=FakeClock()), place.number(job)
    try:
        for step, failure, turn in steps:
            before, stored = shown(session), sent(place, number)
            with failing(place.store, failure, turn):
                try:
                    act(session, *step)
                except StoreError:
                    assert shown(session) == before  # nothing is shown as stored that may not be
                    if (failure, turn) == ("before", 1):
                        assert sent(place, number) == stored
                        assert decided(place, number) == before
                    act(session, *step)  # the reviewer tries again
            now = shown(session)
            assert decided(place, number) == now
            new = [(image, labels) for _, image, labels, _ in sent(place, number)[len(stored) :]]
            changed = {image: now[image] for image in ANSWERS if now[image] != before[image]}
            assert sorted(new) == [(image, labels) for image, (is_decided, labels) in changed.items() if is_decided]
            later(session)
            assert shown(session) == now
        check(place, 3)
    finally:
        session.close()
