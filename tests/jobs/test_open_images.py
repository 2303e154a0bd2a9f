"""Property tests: one sentence explains each image of a job that has no result yet, and names what is possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.manager_session import ManagerSession
from customlabels_nb.jobs.worker import Worker
from tests.fake_clock import FakeClock
from tests.jobs.conftest import Place
from tests.tiers import many

IMAGES = ("00.jpg", "01.jpg")
PEOPLE = ("anna", "ben", "carl", "meg")  # meg is the manager
NUMBER = count(1)
WHO, IMAGE = st.sampled_from(PEOPLE), st.sampled_from(IMAGES)
WORK = st.tuples(st.just("submit"), WHO, st.lists(st.sampled_from(["lemon", "lime"]), min_size=1, max_size=2))
STEPS = st.one_of(
    *[WORK] * 3,
    st.tuples(st.sampled_from(["lease", "skip", "release", "withdraw", "invite", "remove", "expire"]), WHO),
    st.tuples(st.sampled_from(["decide", "withdraw_decision", "ask_one_more", "requeue"]), IMAGE),
    st.tuples(st.sampled_from(["reject"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["pause", "close", "resume", "accept_skipped", "return_skipped", "consolidate"])),
    st.tuples(st.just("update"), st.integers(1, 3)),
)


def act(place: Place, job: LabellingJob, what: str, *about: Any) -> None:
    """Let somebody do something, if that is possible now."""
    if what in ("submit", "lease", "skip", "release", "withdraw"):
        worker = job.worker(about[0])
        tasks = worker.answered() if what == "withdraw" else worker.lease(2)
        for task, label in zip(tasks, about[1] if what == "submit" else ["", ""], strict=False):
            if what in ("submit", "skip", "withdraw"):
                getattr(worker, what)(task, *([label] if what == "submit" else []))
        if what != "lease":
            worker.release()
    elif what == "reject":
        job.reject(job.answers["answer"][about[0]])
    elif what == "update":
        job.update(annotators=about[0], max_annotators=3)
    elif what == "decide":
        job.decide(about[0], "lime")
    elif what == "ask_one_more":
        job.ask_one_more(about[0], max_annotators=9)
    elif what == "expire":
        place.expire(about[0])
    else:
        getattr(job, what)(*about)


def try_action(job: LabellingJob, session: ManagerSession, verdict: str, action: str, image: str) -> None:
    """Do what a sentence names, and check that it was possible for the image."""
    if action == "invite":
        name = f"new {next(NUMBER)}"
        job.invite(name)
        assert image in leased(job, name)
        job.remove(name)
    elif action in ("decide", "review"):
        disputed = job.disputed().tasks.set_index("image").loc[image]  # as the review shows it
        assert not disputed["decided"]
        job.decide_many({image: "lime"}, seen={image: (disputed["latest"], False)})
        assert image not in session.images({"verdict": verdict})
        job.withdraw_decision(image)
    else:
        session.act(action)
        assert image not in session.images({"verdict": verdict})


def leased(job: LabellingJob, *names: str) -> set[str]:
    """Return the images that people can lease, of which they have none afterwards."""
    found = set()
    for name in names:
        with suppress(CustomLabelsError):
            worker: Worker = job.worker(name)
            found |= {task.image for task in [*worker.lease(20), *worker.resume()]}
            worker.release()
    return found


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@examples(derandomize=True, max_examples=many(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(members="open", annotators=2, steps=[("submit", "anna", ["lime"] * 2), ("submit", "ben", ["lemon"] * 2)])
@example(members=["anna"], annotators=2, steps=[("submit", "anna", ["lime"] * 2), ("skip", "meg")])
@example(members=["anna", "ben"], annotators=2, steps=[("skip", "anna"), ("skip", "ben")])
@example(
    members="open", annotators=3,
    steps=[("submit", name, [label, "lime"]) for name, label in zip(PEOPLE, ("lime", "lemon", ""), strict=False)]
    + [("ask_one_more", "00.jpg")],
)  # fmt: skip
@given(
    members=st.sampled_from(["open", ["anna"], ["anna", "ben"]]),
    annotators=st.integers(1, 3),
    steps=st.lists(STEPS, min_size=1, max_size=12),
)
def test_each_open_image_has_one_reason_whose_actions_work(
    place: Place, create: Callable[..., LabellingJob], members: Any, annotators: int, steps: list[tuple[Any, ...]]
) -> None:
    job = create(f"leaves-{next(NUMBER)}", [*IMAGES], annotators=annotators, max_annotators=3, members=members)
    for step in steps:
        with suppress(CustomLabelsError, KeyError):
            act(place, job, *step)
    session = ManagerSession(place.store, place.root, job, clock=FakeClock())
    progress = job.progress
    states = dict(place.sql(f"SELECT image, state FROM job_tasks WHERE job = {place.number(job)}"))
    still_open = {image for image, state in states.items() if state in ("open", "skipped", "needs_review")}
    explained = {group.verdict: session.images({"verdict": group.verdict}) for group in progress.waiting}
    assert Counter(image for images in explained.values() for image in images) == Counter(still_open)
    assert sum(group.images for group in progress.waiting) == len(still_open)
    for group in progress.waiting:
        for image in explained[group.verdict]:
            if group.verdict == "working":
                assert image in held(place, job)
            elif group.verdict == "people":
                may_label = job.members.query("state == 'active' and (role == 'labeler' or last_seen.notna())")
                assert image in leased(job, *may_label["person"])
            else:
                assert group.actions
    for group in progress.waiting:
        for action in group.actions:
            if not set(explained[group.verdict]) & still_open:
                continue
            try_action(job, session, group.verdict, action, explained[group.verdict][0])
            still_open -= set(explained[group.verdict]) if action in ("resume", "return", "accept") else set()


def held(place: Place, job: LabellingJob) -> set[str]:
    """Return the images that somebody holds."""
    sql = "SELECT t.image FROM job_slots s JOIN job_tasks t ON t.id = s.task WHERE s.state = 'held' AND s.until > 1"
    return {image for (image,) in place.sql(f"{sql} AND t.job = {place.number(job)}")}


def test_images_that_wait_for_a_third_person_are_decided_or_given_to_somebody_invited(
    place: Place, create: Callable[..., LabellingJob]
) -> None:
    job = create(images=[*IMAGES], annotators=2, max_annotators=3)
    for who, label in (("anna", "lemon"), ("ben", "lime")):
        act(place, job, "submit", who, [label, label])
    assert repr(job.progress) == (
        "0 of 2 images decided, 0 skipped, 2 answers left\n2 images wait for a third person: "
        "invite one, or decide yourself (job.invite(…), job.review())"
    )
    assert sorted(job.disputed().tasks["image"]) == [*IMAGES]
    job.decide("00.jpg", "lime")
    job.invite("carl")
    assert [group.sentence for group in job.progress.waiting] == ["1 image waits for the people of the job."]
    assert job.disputed().tasks.query("not decided").empty
