"""Tests of the manager's dashboard without a page: states, people, hints, pace, and the images behind each number."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pytest

from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.jobs import manager_session
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.manager_session import STATES, ManagerSession, describe_pace
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings
from tests.fake_clock import FakeClock
from tests.jobs.conftest import Place

Create = Callable[..., LabellingJob]
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
NOW = 10**15


def answer(job: LabellingJob, person: str, given: dict[str, Any]) -> None:
    """Let a person give these answers, and give the other tasks back."""
    worker = job.worker(person)
    for task in worker.lease(40):
        if task.image in given:
            worker.submit(task, given[task.image])
    worker.release()


def answer_all(job: LabellingJob, person: str, given: dict[str, Any]) -> None:
    """Let a person answer all images, also the gold images that come now and then."""
    worker, done = job.worker(person), 0
    while done < len(given):
        for task in worker.lease(40):
            worker.submit(task, given[task.image])
            done += 1


def opened(place: Place, job: LabellingJob, clock: Callable[[], float] | None = None) -> ManagerSession:
    """Open the session, and wait until everything is measured."""
    session = ManagerSession(place.store, place.root, job, clock=clock or FakeClock())
    assert session.measuring.wait(30).name == "done"
    return session


def followed(session: ManagerSession) -> dict[str, Any]:
    """Follow the job some time later, and return the figures as the page receives them."""
    session.clock.advance(11)  # type: ignore[attr-defined]
    session.refresh()
    assert session.measuring.wait(30).name == "done"
    found: dict[str, Any] = json.loads(json.dumps(session.figures))
    return found


def names(*numbers: int) -> list[str]:
    return [f"{number:02}.jpg" for number in numbers]


def said(hint: dict[str, Any]) -> str:
    """Return the text of a hint."""
    shown = [part if isinstance(part, str) else part.get("person", part.get("label")) for part in hint["parts"]]
    return "".join("nothing" if part is None else part for part in shown)


def test_every_image_is_in_one_state_and_each_number_has_its_images(place: Place, create: Create) -> None:
    job = create(annotators=2)
    answer(job, "anna", dict.fromkeys(names(0, 1, 2, 3), "lemon"))
    answer(job, "ben", {"00.jpg": "lemon", "01.jpg": "lime", "02.jpg": "lemon"})
    job.decide("02.jpg", "lime")
    for person in ("anna", "ben"):
        worker = job.worker(person)
        for task in worker.lease(20):
            if task.image == "11.jpg":
                worker.skip(task, "blurred")
        worker.release()
    held = job.worker("carl").lease(2)
    session = opened(place, job)
    states = session.figures["states"]
    assert states == {"done": 2, "review": 1, "working": 2, "waiting": 6, "skipped": 1}
    assert sum(states.values()) == session.figures["images"] == 12
    assert sorted(session.images({"state": "done"})) == names(0, 2)
    assert session.images({"state": "review"}) == names(1)
    assert sorted(session.images({"state": "working"})) == sorted(task.image for task in held)
    assert session.images({"state": "skipped"}) == session.images({"verdict": "skipped"}) == names(11)
    assert all(len(session.images({"state": state})) == states[state] for state in STATES)
    assert sorted(session.images({"person": "anna"})) == names(0, 1, 2, 3)
    assert session.images({"skipped_by": "ben"}) == names(11)
    assert session.images({"label": "lime"}) == names(1)
    assert session.images({"image": "05.jpg"}) == names(5)
    place.expire("carl")
    assert followed(session)["states"]["working"] == 0  # leases expire without any change in the database
    place.store.remove_images("train", place.store.tables("train", images=names(0))[0], Action("remove", "meg"))
    after = followed(session)
    assert after["states"]["done"] == 1
    assert sum(after["states"].values()) == after["images"] == 11
    for link in ({}, {"state": "done", "person": "anna"}, {"unknown": 1}):
        with pytest.raises(InputError, match="exactly one of the keys"):
            session.images(link)


def test_metrics_are_recomputed_only_after_changes(place: Place, create: Create) -> None:
    job = create(annotators=2)
    session = opened(place, job)
    assert session.figures["people"] == []
    assert session.figures["agreement"] == [None, None, None]
    before = session.changes
    for _ in range(3):
        session.refresh()
    assert session.changes == before
    answer(job, "anna", {"00.jpg": "lemon"})
    figures = followed(session)
    assert figures["changes"] == session.changes > before
    assert [row["person"] for row in figures["people"]] == ["anna"]
    assert figures["per_label"] == [["lemon", 1, None, None, None], ["lime", 0, None, None, None]]
    assert figures["left"] == 23
    session.act("pause")
    assert session.figures["state"] == job.state == "paused"
    session.act("close")
    assert job.state == "closed"
    session.act("resume")
    assert session.figures["state"] == "running"
    with pytest.raises(InputError, match="action='explode' must be one of"):
        session.act("explode")
    settings.user = "anna"
    with pytest.raises(NotAllowedError, match=r"'anna' is a labeler.*only a manager can pause it\. Ask 'meg'"):
        session.act("pause")


def test_refresh_waits_longer_the_more_it_costs(place: Place, create: Create) -> None:
    job, times = create(), count(100.0, 7.0)
    session = opened(place, job, lambda: next(times))  # counting takes from 100 to 107, measuring until 121
    before = session.changes
    answer(job, "anna", {"00.jpg": "lemon"})
    for _ in range(6):  # the last one at 163
        session.refresh()
    assert session.changes == before
    session.refresh()  # ten times 7 s after 100
    assert session.changes > before
    assert session.measuring.wait(30).name == "done"


def test_dashboard_lists_stopped_people_skips_and_wrong_gold(place: Place, create: Create) -> None:
    gold = dict.fromkeys(names(*range(11)), "lemon")
    job = create(images=names(11), gold=gold, annotators=3, members=["anna", "ben", "carl", "dora", "emil"])
    for person in ("anna", "ben", "dora"):
        answer_all(job, person, {**gold, "00.jpg": "lime", "11.jpg": "lemon"})
    with suppress(NotAllowedError):  # whether one task is left when the tenth answer is wrong depends on chance
        answer_all(job, "emil", dict.fromkeys(gold, "lime"))
    session = opened(place, job)
    rows = {row["person"]: row for row in session.figures["people"]}
    assert list(rows) == ["anna", "ben", "carl", "dora", "emil"]
    assert rows["carl"] | {"state": "active"} == rows["carl"]
    assert (rows["carl"]["done"], rows["carl"]["seen"], rows["carl"]["agreement"]) == (0, None, None)
    assert rows["emil"]["state"] == "stopped"
    assert (rows["emil"]["right"], rows["emil"]["known"]) == (0, 10)
    assert (rows["anna"]["right"], rows["anna"]["known"]) == (10, 10)
    hints = [said(hint) for hint in session.figures["hints"]]
    assert hints[0] == f"emil gets no more tasks: {rows['emil']['reason']}. {rows['emil']['done']} answers still count."
    assert rows["emil"]["reason"].startswith("only ")
    assert hints[1] == "The known answer of 00.jpg is probably wrong. It is not used any more."
    assert session.figures["hints"][0]["acts"] == (("trust", "Let them go on"),)
    session.act("trust", "emil")
    figures = followed(session)
    assert not any("emil gets" in said(hint) for hint in figures["hints"])
    assert job.members.set_index("person")["state"]["emil"] == "active"


def test_similar_names_are_listed_and_merged(place: Place, create: Create) -> None:
    job = create(images=names(0, 1), annotators=2)
    for person in ("Anna", "anna"):
        worker = Worker(place.store, place.number(job), person, exact=True)
        worker.submit(next(task for task in worker.lease(2) if task.image == "00.jpg"), "lime")
        worker.release()
    session = opened(place, job)
    (hint,) = session.figures["hints"]
    assert said(hint) == "Anna and anna have similar names, but count as two people. Are they one person?"
    assert hint["link"] == {"person": "anna"}
    assert hint["acts"] == (("merge", "Merge…"),)
    session.act("merge", "anna")
    figures = followed(session)
    assert (figures["hints"], [(row["person"], row["done"]) for row in figures["people"]]) == ([], [("Anna", 1)])
    assert figures["states"] == {"done": 0, "review": 0, "working": 0, "waiting": 2, "skipped": 0}


def test_skipped_images_are_returned_or_accepted(place: Place, create: Create) -> None:
    job = create(images=names(0, 1), annotators=2)
    for person, reason in (("anna", "blurred"), ("ben", "")):
        worker = job.worker(person)
        for task in worker.lease(2):
            worker.skip(task, reason)
    session = opened(place, job)
    (hint,) = session.figures["waiting"]
    ask = "ask again, or leave them without a result"
    assert said(hint) == f"2 images wait for a decision, because people skipped them: {ask}."
    assert hint["acts"] == (("return", "Ask again"), ("accept", "Leave without result"))
    session.act("return")
    assert followed(session)["states"] == {"done": 0, "review": 0, "working": 0, "waiting": 2, "skipped": 0}
    assert [said(hint) for hint in session.figures["waiting"]] == ["2 images wait for the people of the job."]
    for person in ("anna", "ben"):
        worker = job.worker(person)
        worker.skip(worker.lease(1)[0], "")
    session.act("accept")
    assert job.skipped.empty


def test_images_without_further_labelers_wait(place: Place, create: Create) -> None:
    job = create(images=names(0, 1), annotators=2, members=["anna", "ben"])
    answer(job, "anna", dict.fromkeys(names(0, 1), "lime"))
    job.remove("ben")
    session = opened(place, job)
    (hint,) = session.figures["waiting"]
    assert said(hint) == "2 images wait for a second person: invite one, or decide yourself."
    assert hint["acts"] == (("invite", "Invite one…"), ("decide", "Decide yourself"))
    assert sorted(session.images(hint["link"])) == names(0, 1)
    assert (session.figures["left"], session.figures["coming"]) == (2, 0)


def test_a_measurement_that_failed_is_repeated(place: Place, create: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any) -> Any:
        raise StoreError("connection refused")

    with monkeypatch.context() as broken:
        broken.setattr(LabellingJob, "people", property(lost))
        session = ManagerSession(place.store, place.root, create(), clock=FakeClock())
        assert session.measuring.wait(30).name == "failed"
    assert session.figures["error"] == "connection refused"
    session.refresh()
    assert session.measuring.state.name == "failed"  # not at once
    assert followed(session)["error"] == ""
    assert session.figures["people"] == []


def test_mixed_up_labels_name_people_and_have_their_images(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customlabels_nb.jobs.agreement.FEWEST_COMMON", 8)
    job = create(annotators=2, labels=["lemon", "lime", "fig"])
    ours = dict(zip(names(*range(12)), ["lemon"] * 6 + ["lime"] * 3 + [None] * 3, strict=True))
    answer(job, "anna", ours)
    answer(job, "ben", {**ours, **dict.fromkeys(names(0, 1, 2), "lime"), **dict.fromkeys(names(9, 10, 11), "fig")})
    session = opened(place, job)
    hints = {said(hint): hint for hint in session.figures["hints"]}
    assert list(hints) == [
        "anna and ben mix up nothing and fig (3 of 3).",
        "anna and ben mix up lemon and lime (3 of 9).",
        "Answers differ between nothing and fig on 3 of 3 images with one of them.",
        "Answers differ between lemon and lime on 3 of 9 images with one of them.",
    ]
    for text, hint in hints.items():
        wanted = names(0, 1, 2) if "lemon" in text else names(9, 10, 11)
        assert sorted(session.images(hint["link"])) == wanted
        assert hint["show"] == "Show 3"
    assert session.images({"mixed": ["lemon", "lime", "anna", "carl"]}) == []
    figures = session.figures
    assert figures["metric"] == "alpha"
    assert 0 < figures["agreement"][0] < 1
    assert [row["confusion"] for row in figures["people"]] == [
        "nothing instead of fig (3 of 3)",
        "fig instead of nothing (3 of 3)",
    ]


def test_agreement_over_time_is_that_of_groups_of_images(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_session, "FEWEST_COMMON", 4)
    job = create(annotators=2)
    anna = job.worker("anna").lease(12)
    ben = {task.image: task for task in job.worker("ben").lease(12)}
    workers = {"anna": job.worker("anna"), "ben": job.worker("ben")}
    for at, task in enumerate(anna):
        label = ["lemon", "lime"][at % 2]
        workers["anna"].submit(workers["anna"].find([task.number])[0], label)
        mine = label if at >= 6 else "lemon"  # ben learns
        workers["ben"].submit(workers["ben"].find([ben[task.image].number])[0], mine)
    course = opened(place, job).figures["course"]
    assert len(course) == 3
    assert [time for time, *_ in course] == sorted(time for time, *_ in course)
    assert course[0][1] <= 0.2
    assert course[-1][1] == 1.0
    assert all(low <= value <= high for _, value, low, high in course)


@pytest.mark.parametrize("task", ["multi-label", "boxes"])
def test_labels_count_images_of_all_tasks(place: Place, create: Create, task: str) -> None:
    job = create(task=task, annotators=2)
    box = {"left": 1, "top": 2, "width": 30, "height": 20}
    both = ["lemon", "lime"] if task == "multi-label" else [{"label": own, **box} for own in ("lemon", "lime")]
    answer(job, "anna", {"00.jpg": both, "01.jpg": both[:1], "02.jpg": []})
    answer(job, "ben", {"00.jpg": both[:1], "01.jpg": both[:1]})
    session = opened(place, job)
    assert [row[:2] for row in session.figures["per_label"]] == [["lemon", 2], ["lime", 1]]
    assert session.images({"label": "lime"}) == names(0)
    assert session.figures["metric"] == ("alpha" if task == "multi-label" else "F1")


def test_images_are_counted_by_dataset(place: Place, create: Create) -> None:
    session = opened(place, create())
    assert session.datasets_of(names(0, 1)) == ["train", "train"]
    assert session.datasets_of(["gone.jpg"]) == []


def pace(minutes_ago: Any, left: int) -> dict[str, str]:
    return describe_pace(np.sort(NOW - np.array(minutes_ago, dtype=float) * MINUTE).astype(np.int64), NOW, left)


def test_pace_is_described() -> None:
    assert pace([], 12) == {"rate": "–", "per": "no answers yet", "left": "–", "more": ""}
    lesson = np.linspace(0, 10, 101)  # ten answers a minute
    assert pace(lesson, 80) == {"rate": "606", "per": "answers an hour", "left": "8 minutes", "more": "7 to 10 minutes"}
    finished = {"left": "done", "more": "all answers are in"}
    assert pace(lesson, 0) == {"rate": "606", "per": "answers an hour", **finished}
    assert pace(lesson + 30, 0) == {"rate": "–", "per": "no answers for 30 minutes", **finished}
    assert pace([0.1], 1) == {"rate": "60", "per": "answers an hour", "left": "1 minute", "more": ""}  # no range
    # after a break of a day, the pace is that since the break
    twice = [*lesson, *(lesson + 24 * 60)]
    assert pace(twice, 80)["left"] == "8 minutes"
    long = {"left": "50 days", "more": "at 201 answers a day"}
    assert pace(twice, 10_000) == {"rate": "606", "per": "answers an hour", **long}
    assert pace(lesson + 30, 80) == {"rate": "–", "per": "no answers for 30 minutes", "left": "–", "more": ""}
    slow = {"left": "3 days", "more": "at 34 answers a day"}
    assert pace(lesson + 3 * 24 * 60, 101) == {"rate": "–", "per": "no answers for 3 days", **slow}
    assert pace(lesson + 30 * 24 * 60, 101)["left"] == "–"
