"""Tests of labelling jobs: settings, roles, and what changes while people label."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.errors import CustomLabelsError, InputError, LabelError, NotAllowedError
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_list import LabellingJobs
from customlabels_nb.jobs.personal_links import ADDRESS, find_person, hash_secret, refuse_linked_name
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import Action, open_store
from customlabels_nb.user_settings import settings
from tests.jobs.conftest import ACTION, Place, check
from tests.jobs.test_leases import answer_all

Create = Callable[..., LabellingJob]
HOSTILE = "<img src=x onerror=alert(1)>'; DROP TABLE jobs; --"
#: For tests of arguments, which do not depend on the database.
sqlite_only = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
BOX = {"label": "lemon", "left": 1, "top": 2.5, "width": 30, "height": 40}


# -- creating ---------------------------------------------------------------------------------------
@sqlite_only
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a b"}, "name='a b'"),
        ({"name": "-x"}, "name='-x'"),
        ({"name": "x" * 64}, "1 to 63"),
        ({"annotators": 0}, "annotators=0"),
        ({"annotators": True}, "annotators=True"),
        ({"annotators": 10}, "annotators=10"),
        ({"annotators": 3, "max_annotators": 2}, "max_annotators=2 must be at least annotators=3"),
        ({"agreement": 70}, "agreement=70"),
        ({"lease": "soon"}, "lease='soon'"),
        ({"lease": 0}, "lease=0"),
        ({"members": "everybody"}, "members='everybody'"),
        ({"members": [""]}, "person's name"),
        ({"members": None}, "members=None"),
        ({"instructions": "a\0b"}, "instructions='a"),
        ({"task": "segments"}, "task='segments'"),
        ({"labels": "lemon"}, "labels='lemon'"),
        ({"images": ["gone.jpg"]}, r"1 image is not in the project, for example 'gone\.jpg'"),
        ({"images": "image == 'x'"}, "is empty"),
        ({"images": 3}, "images=3"),
        ({"gold": {"gone.jpg": "lemon"}}, "gold: 1 image"),
        ({"gold": ["00.jpg"]}, "gold="),
        ({"gold": {"00.jpg": "pear"}}, "'pear' is not one of the job's labels"),
    ],
)
def test_invalid_argument_is_named(place: Place, create: Create, options: dict[str, Any], words: str) -> None:
    with pytest.raises(CustomLabelsError, match=words):
        create(**{"name": "leaves-1", **options})
    assert list(LabellingJobs(place)) == []
    assert place.sql("SELECT count(*) FROM job_tasks") == [(0,)]


def test_jobs_are_listed_and_found_by_name(place: Place, create: Create) -> None:
    jobs = LabellingJobs(place)
    assert repr(jobs) == "No labelling jobs. Create one with project.jobs.create(…)."
    create(annotators=2, instructions="Only ripe ones.")
    create("leaves-2", ["00.jpg"], labels=["lime", "quince"], task="multi-label", lease=90)
    assert (list(jobs), len(jobs), "leaves-2" in jobs, "x" in jobs) == (["leaves-1", "leaves-2"], 2, True, False)
    assert jobs.to_frame()[["name", "state", "images", "annotators"]].to_numpy().tolist() == [
        ["leaves-1", "running", 12, 2],
        ["leaves-2", "running", 1, 1],
    ]
    assert jobs["leaves-1"].settings["instructions"] == "Only ripe ones."
    second = jobs["leaves-2"]
    assert (second.name, second.task, second.labels) == ("leaves-2", "multi-label", ["lime", "quince"])
    assert second.settings == {
        "annotators": 1, "max_annotators": 1, "agreement": 0.65, "instructions": "", "lease": 90.0, "members": "open",
    }  # fmt: skip
    assert second.summary["people"] == ["meg"]
    assert place.store.labels()["label"].tolist() == ["lemon", "lime", "quince"]
    with pytest.raises(InputError, match=r"labelling job 'x' does not exist. Jobs: \['leaves-1', 'leaves-2'\]"):
        jobs["x"]
    with pytest.raises(NotAllowedError, match="'leaves-1' already"):
        create("Leaves-1")
    jobs["leaves-1"].close()
    with pytest.raises(NotAllowedError, match="name of a closed job cannot be used again"):
        create("leaves-1")


def test_images_may_be_datasets_tables_or_lists(place: Place, create: Create) -> None:
    done = t.label_images(["00.jpg"], "lemon", "meg")
    images = t.settle_statuses(place.store.images("train"), done)
    place.store.update_images("train", images, done, ACTION)
    train = place.dataset("train")
    given = [None, "train", train, train.images, ["03.jpg", "03.jpg"], "image < '04.jpg'"]
    found = [create(f"job-{number}", images).progress.images for number, images in enumerate(given)]
    assert found == [11, 12, 12, 12, 1, 4]
    job = create("job-6", "train", gold=train)  # of images that nobody labelled, no answer is known
    assert job.gold[["image", "label"]].to_numpy().tolist() == [["00.jpg", "lemon"]]
    assert (job.progress.images, job.add_images("train"), job.add_images(gold={"01.jpg": "lime"})) == (11, 0, 0)
    with pytest.raises(InputError, match="gold has no labelled image"):
        job.add_images(gold=train.filter("status == 'unlabelled'"))


# -- answers ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("task", "given", "columns"),
    [
        ("single-label", "lime", ("lime", (), ())),
        ("single-label", ["lime"], ("lime", (), ())),
        ("single-label", None, (None, (), ())),
        ("multi-label", ["lime", "lemon", "lime"], (None, ("lime", "lemon"), ())),
        ("multi-label", [], (None, (), ())),
        ("boxes", [BOX], (None, (), ({**BOX, "polygon": None},))),
        ("boxes", None, (None, (), ())),
        (
            "polygons",
            [{"label": "lime", "polygon": [(0, 0), (4, 0), (4, 3)]}],
            (None, (), ({"label": "lime", "left": 0, "top": 0, "width": 4, "height": 3,
                         "polygon": [[0, 0], [4, 0], [4, 3]]},)),
        ),
        (
            "polygons",
            [{"label": "lime", "polygon": [[[0, 0], [4, 0], [4, 3]], [[5, 0], [9, 0], [9, 9]]]}],
            (None, (), ({"label": "lime", "left": 0, "top": 0, "width": 9, "height": 9,
                         "polygon": [[[0, 0], [4, 0], [4, 3]], [[5, 0], [9, 0], [9, 9]]]},)),
        ),
    ],
)  # fmt: skip
def test_answers_of_each_task_come_back(
    place: Place, create: Create, task: str, given: Any, columns: tuple[Any, ...]
) -> None:
    job = create(task=task)
    ann = job.worker("ann")
    task_ = ann.lease(1)[0]
    assert ann.submit(task_, given, seconds=2.5).counted
    row = job.answers.iloc[0]
    assert tuple(None if isinstance(v, float) else v for v in row[["label", "labels", "boxes"]]) == columns
    assert (row["image"], row["person"], row["seconds"], row["counted"], row["gold"]) == (
        task_.image, "ann", 2.5, True, False,
    )  # fmt: skip
    dtypes = job.answers.dtypes
    assert dtypes["submitted"] == dtypes["accepted"] == "datetime64[us, UTC]"
    assert (dtypes["label"], dtypes["labels"], dtypes["counted"]) == (t.TEXT, "object", "bool")
    assert ann.submit(ann.answered()[0], ann.answered()[0].answer).counted


def test_a_changed_answer_has_the_time_of_all_its_versions(create: Create) -> None:
    job = create(task="boxes")
    ann = job.worker("ann")
    box = {"label": "lime", "left": 0, "top": 0, "width": 9, "height": 9}
    task, other = ann.lease(2)
    ann.submit(task, [box], seconds=8)
    ann.submit(task, [box, {**box, "left": 20}], seconds=0.5)  # the second box of the image
    ann.submit(other, [box], seconds=3)
    for wrong in (-1, float("nan"), float("inf"), "5"):
        with pytest.raises(InputError, match=f"seconds={wrong!r} must be a number of at least 0"):
            ann.submit(other, [box], seconds=wrong)  # type: ignore[arg-type]
    counted = job.answers.query("counted")
    assert counted["seconds"].tolist() == [8.5, 3]
    assert job.people.set_index("person").loc["ann", "seconds"] == 5.75


@sqlite_only
@pytest.mark.parametrize(
    ("task", "given", "error"),
    [
        ("single-label", ["lime", "lemon"], InputError),
        ("single-label", "pear", LabelError),
        ("single-label", 3, InputError),
        ("single-label", [3], LabelError),
        ("single-label", [BOX], LabelError),
        ("multi-label", ["lime", None], LabelError),
        ("boxes", "lime", InputError),
        ("boxes", [{**BOX, "left": "x"}], InputError),
        ("boxes", [{**BOX, "width": -1}], InputError),
        ("boxes", [{**BOX, "top": float("nan")}], InputError),
        ("boxes", [{"left": 1}], InputError),
        ("boxes", [{**BOX, "label": "pear"}], LabelError),
        ("polygons", [{"label": "lime", "polygon": [[0, 0], [1, 1]]}], InputError),
        ("polygons", [{**BOX, "polygon": [[0, 0], [1, 1], [float("nan"), 1]]}], InputError),
        ("boxes", [{**BOX, "left": 1e300}], InputError),
    ],
)
def test_a_wrong_answer_is_refused_and_the_task_stays_leased(
    place: Place, create: Create, task: str, given: Any, error: type[Exception]
) -> None:
    ann = create(task=task).worker("ann")
    task_ = ann.lease(1)[0]
    with pytest.raises(error):
        ann.submit(task_, given)
    assert ann.held == [task_]
    assert ann.submit(task_, None).counted


def test_an_answers_table_without_answers_has_its_columns(place: Place, create: Create) -> None:
    table = create().answers
    assert list(table.columns) == [
        "answer", "task", "image", "person", "label", "labels", "boxes", "submitted", "accepted", "seconds", "counted",
        "gold",
    ]  # fmt: skip
    assert table.empty


# -- changes while people label ---------------------------------------------------------------------
def test_more_and_fewer_annotators(place: Place, create: Create) -> None:
    job = create(annotators=2)
    ann, ben, cem = (job.worker(name) for name in ("ann", "ben", "cem"))
    task, held = ann.lease(2)
    ann.submit(task, "lemon")
    late = next(each for each in ben.lease(12) if each.image == task.image)
    place.expire("ben")
    taken = next(each for each in cem.lease(12) if each.image == task.image)
    cem.submit(taken, "lemon")
    assert ben.submit(late, "lime").reason == "late"
    job.update(annotators=3)
    assert job.answers["counted"].all()
    assert (job.progress.done, job.progress.left, job.settings["max_annotators"]) == (1, 33, 3)
    check(place, 3)
    job.update(annotators=1, max_annotators=1)
    assert (job.progress.done, job.progress.left, job.progress.answers) == (1, 11, 3)
    assert sorted([ann.submit(held, "lemon").counted, *(cem.submit(each, None).counted for each in cem.held)]).count(
        True
    ) == 11  # fmt: skip
    assert job.state == "completed"
    check(place, 3)


def test_ask_one_more_stops_at_the_maximum(place: Place, create: Create) -> None:
    job = create(annotators=1, max_annotators=2)
    answer_all(job.worker("ann"))
    assert job.state == "completed"
    assert job.ask_one_more("00.jpg") == 1
    assert job.ask_one_more(["00.jpg", "01.jpg"]) == 1
    assert (job.progress.left, answer_all(job.worker("ben")), job.ask_one_more("00.jpg")) == (2, 2, 0)
    assert sum(job.ask_one_more("00.jpg", max_annotators=99) for _ in range(9)) == 7  # until there are nine
    with pytest.raises(InputError, match=r"'99\.jpg'"):
        job.ask_one_more("99.jpg")
    check(place, 2)


@pytest.mark.parametrize("answers", ["keep", "ask_again", "discard"])
def test_new_label_keeps_requeues_or_discards_answers(place: Place, create: Create, answers: str) -> None:
    job = create(annotators=1, gold={"11.jpg": "lemon"})
    ann = job.worker("ann")
    assert answer_all(ann) == 12
    assert ann.submit(ann.answered()[0], "lime").counted
    job.update(labels=["lemon", "lime", "quince"], answers=answers)
    assert job.labels == ["lemon", "lime", "quince"]
    stored = {"keep": (13, 12), "ask_again": (13, 0), "discard": (0, 0)}[answers]
    assert (len(job.answers), job.answers["counted"].sum()) == stored
    assert answer_all(ann, "quince") == (0 if answers == "keep" else 12)
    assert place.sql("SELECT count(*) FROM job_answers") == [(13 if answers == "keep" else 25,)]
    check(place, 1)
    with pytest.raises(InputError, match="answers='forget'"):
        job.update(answers="forget")


def test_labels_that_are_renamed_merged_and_removed_midway(place: Place, create: Create) -> None:
    job = create(labels=["lemon", "lime"])
    ann = job.worker("ann")
    tasks = ann.lease(4)
    ann.submit(tasks[0], "lime")
    place.store.rename_label("lime", "limette", ACTION)
    ann.submit(tasks[1], "lime")  # her screen shows the old name
    assert job.answers["label"].tolist() == ["limette", "limette"]
    merged = place.store.merge_labels("limette", "lemon", ACTION)
    ann.submit(tasks[2], "lime")
    assert job.answers["label"].tolist() == ["lemon"] * 3
    assert job.labels == ["lemon"]
    assert ann.answered()[0].answer == "lemon"
    place.store.undo(merged.action, Action("undo", "meg"))
    assert job.answers["label"].tolist() == ["limette"] * 3
    place.store.remove_label("limette", ACTION)
    assert job.answers["label"].tolist() == ["lime"] * 3  # as it was called then
    ann.submit(tasks[3], "lemon")


def test_images_that_are_removed_and_restored_midway(place: Place, create: Create) -> None:
    job = create(annotators=2)
    place.store.take_snapshot("before", None, ACTION)
    ann = job.worker("ann")
    task = next(each for each in ann.lease(12) if each.image == "00.jpg")
    gone = place.store.images("train").query("image < '06.jpg'")
    removed = place.store.remove_images("train", gone, ACTION)
    assert ann.submit(task, "lemon").counted
    ann.release()
    assert {each.image for each in job.worker("ben").lease(12)} == {f"{number:02}.jpg" for number in range(6, 12)}
    job.release("ben")
    assert job.progress.images == 6
    job.update(annotators=1)
    progress = job.progress
    assert (progress.images, progress.done, progress.answers) == (6, 0, 0)  # not the removed image and its only answer
    job.update(annotators=2)
    place.store.undo(removed.action, Action("undo", "meg"))
    assert job.progress.images == 12
    place.store.delete_dataset("train", ACTION)
    assert (job.state, job.worker("ben").lease(3)) == ("completed", [])
    place.store.restore_snapshot("before", ACTION)
    place.store.move_images(["00.jpg"], "train", "test", ACTION)
    assert len(job.worker("ben").lease(12)) == 12
    assert job.answers["image"].tolist() == [task.image]
    check(place, 2)


def test_settings_that_change_while_many_people_label(place: Place, create: Create) -> None:
    job = create(annotators=2, gold={"11.jpg": "lemon"})
    id_, done = place.number(job), threading.Event()

    def label(name: str) -> int:
        worker, number = Worker(place.reopened(), id_, name), 0
        while not done.is_set():
            for task in worker.lease(3)[:2]:
                worker.submit(task, "lemon")
                number += 1
            worker.release()
        return number

    with ThreadPoolExecutor(4) as pool:
        labelled = [pool.submit(label, f"person {number}") for number in range(4)]
        for annotators, answers in ((3, "keep"), (1, "ask_again"), (3, "discard"), (2, "keep"), (3, "ask_again")):
            given = place.sql("SELECT count(*) FROM job_answers")[0][0]
            job.update(annotators=annotators, answers=answers)
            check(place, 3)
            while place.sql("SELECT count(*) FROM job_answers")[0][0] < given + 3 and job.state != "completed":
                pass
        done.set()
        total = sum(each.result() for each in labelled)
    assert place.sql("SELECT count(*) FROM job_answers") == [(total,)]
    check(place, 3)


# -- people -----------------------------------------------------------------------------------------
def test_permission_errors_name_role_person_and_helpers(place: Place, create: Create) -> None:
    job = create(members=["ann"], gold={"11.jpg": "lemon"})
    job.invite("ron", role="reviewer")
    ann = job.worker("ann")
    receipt = ann.submit(ann.lease(1)[0], "lemon")
    settings.user = "ann"
    calls: list[Callable[[], object]] = [
        job.pause, job.resume, job.close, lambda: job.update(annotators=2), lambda: job.add_images("train"),
        lambda: job.invite("eve"), lambda: job.remove("meg"), lambda: job.release("ron"),
        lambda: job.worker("ron"), job.accept_skipped, job.return_skipped,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(NotAllowedError, match=r"'ann' is a labeler of the job 'leaves-1'.*Ask 'meg' \(manager\)"):
            call()
    for call in (
        lambda: job.reject(receipt.answer),
        lambda: job.ask_one_more("00.jpg"),
        lambda: job.gold,
        lambda: job.skipped,
    ):
        with pytest.raises(NotAllowedError, match=r"reviewer or manager.*Ask 'meg' \(manager\), 'ron' \(reviewer\)\."):
            call()
    assert job.release("ann") == 0
    assert not job.answers["gold"].any()
    settings.user = "ron"
    assert job.answers["gold"].tolist() == [True]
    job.reject(receipt.answer)
    settings.user = "eve"
    assert job.answers.empty
    with pytest.raises(NotAllowedError, match="'eve' is not a member"):
        job.close()
    with pytest.raises(NotAllowedError, match=r"'eve' is not a labeler.*\. Ask the manager 'meg' to invite 'eve'\.$"):
        job.worker().lease(1)


def test_labelers_see_only_their_own_answers(place: Place, create: Create) -> None:
    job = create(annotators=2)
    answer_all(job.worker("ann"))
    ben = job.worker("ben")
    tasks = ben.lease(12)
    assert {task.answer for task in tasks} == {None}
    ben.submit(tasks[0], "lime")
    settings.user = "ben"
    assert job.answers["person"].tolist() == ["ben"]
    assert [task.answer for task in ben.answered()] == ["lime"]


def test_leaving_member_releases_their_tasks(place: Place, create: Create) -> None:
    job = create(members=["ann", "ben"])
    ann, ben = job.worker("ann"), job.worker("ben")
    first, second = ann.lease(12)[:2]
    ann.submit(first, "lemon")
    job.remove("ann")
    assert len(ben.lease(12)) == 11
    with pytest.raises(NotAllowedError, match="'ann' is no longer a labeler"):
        ann.lease(1)
    assert [ann.submit(task, "lime").reason for task in (second, first)] == ["late", "late"]
    assert job.answers["counted"].tolist() == [True, False, False]
    assert job.members.set_index("person")["state"].to_dict() == {"meg": "active", "ann": "removed", "ben": "active"}
    with pytest.raises(InputError, match=r"'ann' is not a member of the job. Members: \['meg', 'ben'\]"):
        job.remove("ann")
    job.invite("ann")
    number = place.number(job)
    with place.store.writing() as connection:
        assert leases.stop(connection, number, "ben", "stopped", "please read the instructions")
    with pytest.raises(NotAllowedError, match=r"'ben' gets no more tasks.*please read the instructions.*'meg'"):
        ben.lease(1)
    assert len(ann.lease(12)) == 10  # all but the two that she has answered
    with pytest.raises(NotAllowedError, match="needs a manager"):
        job.remove("meg")
    with pytest.raises(NotAllowedError, match="needs a manager"):
        job.invite("meg", role="labeler")
    check(place, 1)


@sqlite_only
def test_invitations_have_links_only_while_the_page_runs(place: Place, create: Create) -> None:
    job, other = create(members=["ann"]), create("leaves-2", members=["ann"])
    command = f"customlabels-nb label leaves-1 --project {place.root}"
    first = f"Start the page first, and invite this person again for a link: {command}"
    assert job.invite(["ann", "ben"])["link"].tolist() == [first, first]
    assert job.members["person"].tolist() == ["meg", "ann", "ben"]
    with served(place, job) as address:
        (link,) = job.invite("ann")["link"]
        assert link.startswith(f"{address}/?token=")
        assert "Start the page first" in other.invite("ann")["link"][0]  # of the other job
    assert job.invite("ann")["link"].tolist() == [first]
    assert find_person(place.store, place.number(job), hash_secret(link.rpartition("token=")[2])) == "ann"


@contextmanager
def served(place: Place, job: LabellingJob) -> Iterator[str]:
    """Listen at the address of the page of a job."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        place.store.change_setting(f"{ADDRESS} {place.number(job)}", lambda _: address)
        yield address


def test_links_are_secrets_of_one_person_each(place: Place, create: Create) -> None:
    job = create(members=["ann", "ben"])
    with served(place, job):
        check_links(place, job)


def check_links(place: Place, job: LabellingJob) -> None:
    number = place.number(job)

    def owner(link: str) -> str | None:
        return find_person(place.store, number, hash_secret(link.rpartition("token=")[2]))

    table = job.invite(["ann", "BEN", "cem"])
    links = table.set_index("person")["link"]
    assert all(link in shown for link in links for shown in (repr(table), table._repr_html_()))
    assert links.index.tolist() == ["ann", "ben", "cem"]
    assert [owner(link) for link in links] == ["ann", "ben", "cem"]
    secrets = [link.rpartition("token=")[2] for link in links]
    stored = f"{place.sql('SELECT * FROM job_members')} {place.store.history().to_dict()}"
    assert not any(secret in stored for secret in secrets)
    for name in ("ann", " Ann", "ANN"):
        with pytest.raises(NotAllowedError, match="has a personal link"):
            refuse_linked_name(place.store, number, name)
    refuse_linked_name(place.store, number, "meg")
    (again,) = job.invite("ann")["link"]  # replaces the first one
    assert (owner(links["ann"]), owner(again)) == (None, "ann")
    job.remove("ben")
    job.update(members=["ann", "ben", "cem"])  # does not bring the link back
    assert owner(links["ben"]) is None
    job.trust("cem")
    assert owner(links["cem"]) == "cem"
    with pytest.raises(InputError, match="'stranger' is not a member"):
        job.trust("stranger")
    job.merge_people("cem", into="ben")
    assert owner(links["cem"]) == "ben"
    with pytest.raises(NotAllowedError, match="has a personal link"):
        refuse_linked_name(place.store, number, "ben")
    assert job.revoke_links("Cem") == ["ben"]
    assert owner(links["cem"]) is None
    assert job.revoke_links() == ["ann"]
    refuse_linked_name(place.store, number, "ann")
    settings.user = "ann"
    for refused in (job.revoke_links, lambda: job.trust("ben"), lambda: job.invite("ann")):
        with pytest.raises(NotAllowedError, match="only a manager"):
            refused()


def test_members_who_are_named_again_keep_their_roles(place: Place, create: Create) -> None:
    job = create()
    job.invite("ron", role="reviewer")
    job.worker("ann")
    job.remove("ann")
    job.update(members={"meg", "ron", "ann", "ben"})
    members = job.members.set_index("person")[["role", "state"]].agg(" ".join, axis=1).to_dict()
    roles = {"meg": "manager", "ron": "reviewer", "ann": "labeler", "ben": "labeler"}
    assert members == {person: f"{role} active" for person, role in roles.items()}
    assert job.settings["members"] == "invited"


def test_screens_of_managers_are_not_opened_as_views_of_labelers(place: Place, create: Create) -> None:
    job = create()
    for mode in ("dashboard", "review", "x"):
        with pytest.raises(InputError, match=f"mode='{mode}' must be 'single' or 'grid'"):
            job.label(mode=mode)


def test_a_task_that_everybody_skipped_waits_for_the_manager(place: Place, create: Create) -> None:
    job = create(images=["00.jpg"], members=["ann"])
    job.invite("meg", role="manager")
    ann, meg = job.worker("ann"), job.worker("meg")
    meg.release(meg.lease(1))  # a manager who labels
    ann.skip(ann.lease(1)[0], "dark")
    assert job.skipped.empty
    meg.skip(meg.lease(1)[0], HOSTILE)
    assert job.skipped["reason"].tolist() == ["dark", HOSTILE]
    assert job.ask_one_more("00.jpg", max_annotators=9) == 0
    assert (job.accept_skipped("00.jpg"), job.accept_skipped()) == (1, 0)
    with pytest.raises(NotAllowedError, match="not among the skipped"):
        job.return_skipped("00.jpg")
    assert (job.state, job.progress.skipped) == ("completed", 1)


def test_with_few_members_a_single_skip_leaves_nobody(place: Place, create: Create) -> None:
    job = create(images=["00.jpg", "01.jpg"], members=["ann", "ben"], annotators=2)
    ann, ben, meg = job.worker("ann"), job.worker("ben"), job.worker("meg")
    for task in ann.lease(2):
        ann.skip(task, "dark") if task.image == "00.jpg" else ann.submit(task, "lemon")
    answer_all(ben)
    assert job.skipped["image"].tolist() == ["00.jpg"]
    tasks = meg.lease(2)
    assert job.skipped.empty  # the manager labels as well
    for task in tasks:
        meg.submit(task, "lemon")
    assert (job.state, job.skipped.empty) == ("completed", True)
    job.update(annotators=3)
    assert job.skipped["image"].tolist() == ["00.jpg"]
    assert job.accept_skipped() == 1


def test_hostile_names_stay_text(place: Place, create: Create) -> None:
    settings.user = HOSTILE
    job = create(members=[HOSTILE + "2"], labels=[HOSTILE], instructions=HOSTILE)
    worker = job.worker()
    task = worker.lease(1)[0]
    worker.skip(worker.lease(1)[0], HOSTILE)
    assert worker.submit(task, HOSTILE).counted
    assert job.answers["label"].tolist() == [HOSTILE]
    assert job.summary["created_by"] == HOSTILE
    assert "<img" not in LabellingJobs(place)._repr_html_()
    assert place.store.history()["who"].iloc[0] == HOSTILE


def test_actions_of_managers_are_in_the_history(place: Place, create: Create) -> None:
    job = create()
    job.update(annotators=2, agreement=0.9)
    job.pause()
    newest = place.store.history().iloc[:3]
    assert newest["what"].tolist() == ["pause labelling job", "update labelling job", "create labelling job"]
    assert newest["before"].iloc[1] == {"job": "leaves-1", "annotators": 1, "most": 1, "agreement": 0.65}
    assert newest["after"].iloc[1]["agreement"] == 0.9
    assert not newest["undoable"].any()


# -- copies -----------------------------------------------------------------------------------------
def test_in_a_copy_jobs_are_paused_with_all_answers_and_nobody_holds_a_task(place: Place, create: Create) -> None:
    job = create(annotators=2, gold={"11.jpg": "lemon"})
    ann = job.worker("ann")
    tasks = ann.lease(6)
    for task in tasks[:3]:
        ann.submit(task, "lemon")
    path = place.root / "copy" / "project.db"
    path.parent.mkdir()
    place.store.copy_to(str(path))
    copy = cl.load_project(path.parent)
    same = copy.jobs["leaves-1"]
    assert (same.state, same.progress.held) == ("paused", 0)
    pd.testing.assert_frame_equal(same.answers, job.answers)
    same.resume()
    other = same.worker("ben")
    assert answer_all(other) == 12
    store = open_store(str(path))
    check(Place(path.parent, store), 2)
    store.rename_images({"00.jpg": "images/00.jpg"})
    store.close()
    assert same.add_images(["images/00.jpg"]) == 0
    copy.close()
    assert (job.state, len(ann.lease(12))) == ("running", 6)


def test_a_packed_project_takes_its_jobs_along(tmp_path: Path) -> None:
    settings.user = "meg"
    project = cl.create_project("leaves", tmp_path, task="single-label")
    images = t.normalise_images(pd.DataFrame({"image": ["a.jpg"]}))
    open_project_store(project.root).add_images("train", images, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    job = project.jobs.create("leaves-1", labels=["lemon"])
    meg = job.worker()
    meg.submit(meg.lease(1)[0], "lemon")
    project.pack(tmp_path / "leaves.zip", images=False, progress=False)
    again = cl.unpack_project(tmp_path / "leaves.zip", name="again", folder=tmp_path)
    assert again.jobs["leaves-1"].answers["label"].tolist() == ["lemon"]
    assert cl.whoami(again).roles == {"leaves-1": "manager"}
    again.close()
    project.delete(confirm=True)
