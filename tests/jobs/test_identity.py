"""Tests of who is labelling: environment variables, shared logins, spellings of a name, and roles of PostgreSQL."""

from __future__ import annotations

import threading
import unicodedata
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

import customlabels_nb as cl
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.jobs import identity, leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.leases import name_key
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.project.location import open_project_store
from customlabels_nb.user_settings import find_user, is_nobody, settings
from tests.jobs.conftest import Place, check
from tests.tiers import many

Create = Callable[..., LabellingJob]
SPELLINGS = [
    "Anna",
    "anna",
    " ANNA ",
    "an\u200bna",
    "\uff21\uff4e\uff4e\uff41",
    "anna\ufe0f",
    "a\u00adnna",
    "anna\u2800",
]


@pytest.fixture(autouse=True)
def _login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "jovyan")
    monkeypatch.setattr(identity, "_warned", False)
    settings.user = find_user()[0]


def test_the_name_is_found_in_the_environment_before_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = cl.create_project("leaves", tmp_path)
    assert (cl.whoami(project).name, cl.whoami(project).source) == ("jovyan", "the login name")
    for variable, name in (("JUPYTERHUB_USER", "ann"), ("CUSTOMLABELS_NB_USER", "ben")):
        monkeypatch.setenv(variable, name)
        settings.user = find_user()[0]
        assert (cl.whoami(project).name, cl.whoami(project).source) == (name, variable)
    settings.user = "cem"
    found = cl.whoami(project)
    assert (found.name, found.source, found.roles) == ("cem", "settings.user", {})
    assert repr(found) == "cem (from settings.user): no role in a labelling job"
    project.close()


@pytest.mark.parametrize(("login", "nobody"), [("jovyan", True), ("root", True), ("ann", False)])
def test_shared_login_identifies_nobody(monkeypatch: pytest.MonkeyPatch, login: str, nobody: bool) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: login)
    assert is_nobody(login) is nobody
    assert not is_nobody("ann")
    monkeypatch.setenv("CUSTOMLABELS_NB_USER", login)
    assert not is_nobody(login)


def test_a_script_is_warned_once_that_its_login_is_shared(project: cl.Project) -> None:
    with pytest.warns(UserWarning, match=r"'jovyan' does not say who you are.*CUSTOMLABELS_NB_USER") as caught:
        job = project.jobs.create("leaves-1", project.train_set)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job.worker()


def test_roles_in_each_job_are_shown(project: cl.Project) -> None:
    settings.user = "ann"
    project.jobs.create("leaves-1", project.train_set)
    settings.user = "ben"
    project.jobs.create("leaves-2", project.train_set, members=["ann"])
    settings.user = "ann"
    assert cl.whoami(project).roles == {"leaves-1": "manager", "leaves-2": "labeler"}
    assert repr(cl.whoami(project)).endswith("manager of 'leaves-1', labeler of 'leaves-2'")


@pytest.fixture
def project(tmp_path: Path) -> cl.Project:
    """Return a project with one image."""
    from tests.project.conftest import draw

    draw(tmp_path / "a.png", 0, 0)
    found = cl.create_project("leaves", tmp_path)
    found.add_images(tmp_path / "a.png", progress=False)
    return found


@pytest.mark.parametrize("name", ["", "  ", "\u200b\u3164", "x" * 101, "a\0b", 7, None])
def test_a_name_that_cannot_be_stored_is_refused(name: object) -> None:
    with pytest.raises(InputError, match="not a person's name"):
        identity.check_person(name)


def test_a_role_of_ones_own_in_the_database_is_the_name(postgres_url: str, tmp_path: Path) -> None:
    settings.user = "ann"
    project = cl.create_project("leaves", tmp_path, store=postgres_url)
    store = open_project_store(project.root, postgres_url)
    schema, role = store.location[1], f"carla_{uuid4().hex[:8]}"
    with store.writing() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    assert cl.whoami(project).name == "ann"
    own = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    hers = cl.load_project(project.root, store=own)
    assert (cl.whoami(hers).name, cl.whoami(hers).source) == (role, "the database role")
    hers.close()
    with store.writing() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    store.close()
    project.delete(confirm=True)


# -- spellings --------------------------------------------------------------------------------------
@given(
    st.text(min_size=1, max_size=8), st.lists(st.tuples(st.integers(0, 8), st.sampled_from("\u200b\u2060\ufeff\x01")))
)
def test_invisible_characters_of_a_name_do_not_matter(name: str, hidden: list[tuple[int, str]]) -> None:
    key = name_key(name)
    assert name_key(key) == key
    assert name_key(f" {unicodedata.normalize('NFD', name)}\u00a0") == key
    for at, sign in hidden:
        name = name[:at] + sign + name[at:]
    assert name_key(name) == key


def test_names_that_differ_visibly_are_different() -> None:
    names = ["anna", "ana", "änna", "anna k", "annak", "анна", "anna1", "\u0915\u094d\u0937", "-", "安娜"]
    assert len({name_key(name) for name in names}) == len(names)
    assert name_key("Straße") == name_key("STRASSE")


LATIN, CYRILLIC, GREEK = "copax", "\u0441\u043e\u0440\u0430\u0445", "c\u03bfp\u03b1x"


@pytest.mark.parametrize("first", [0, 1, 2, 3])
@pytest.mark.parametrize("second", [0, 1, 2, 3])
def test_a_name_that_looks_like_that_of_another_member_is_refused(create: Create, first: int, second: int) -> None:
    names = [LATIN, CYRILLIC, GREEK, LATIN[0] + CYRILLIC[1:]]
    job = create(annotators=2)
    worker = job.worker(names[first])
    worker.lease(1)
    if first == second:
        assert job.worker(names[second].upper()).name == worker.name
    else:
        with pytest.raises(NotAllowedError, match=r"looks like the name .* of another person, but has a [A-Z]+ SMALL"):
            job.worker(names[second])
        with pytest.raises(NotAllowedError, match="looks like"):
            job.invite(names[second])
        job.remove(names[first])
        assert job.worker(names[second]).name == names[second]


@pytest.mark.parametrize("name", ["\u202eneb", "b\u202dn"])
def test_a_name_with_reversed_text_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="reverses the text"):
        identity.check_person(name)


def test_a_manager_sees_which_letter_of_logins_differs(create: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    job = create(annotators=2)
    for login in (LATIN, CYRILLIC):
        monkeypatch.setenv("JUPYTERHUB_USER", login)
        settings.user = find_user()[0]
        job.worker().lease(1)
    settings.user = "MEG"
    assert job.similar_names == [[LATIN, CYRILLIC]]
    assert leases.other_letter(CYRILLIC, LATIN) == "CYRILLIC SMALL LETTER ES"


def test_one_person_is_one_member_however_the_name_is_typed(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create(annotators=2)
    for spelling in SPELLINGS:
        monkeypatch.setenv("CUSTOMLABELS_NB_USER", spelling)
        settings.user = find_user()[0]
        worker = job.worker()
        assert worker.submit(worker.lease(1)[0], "lemon").counted
        assert len(job.answers) == worker.done
    settings.user = "MEG"
    assert job.answers["person"].tolist() == ["Anna"] * len(SPELLINGS)
    assert job.worker("anna\u200d").name == "Anna"
    job.invite(["ANNA", "Ben", "ben"], role="reviewer")
    job.update(members=["anna", "Meg", "BEN", "cem"])
    assert job.members[["person", "role"]].to_numpy().tolist() == [
        ["meg", "manager"], ["Anna", "reviewer"], ["Ben", "reviewer"], ["cem", "labeler"]
    ]  # fmt: skip
    assert len(job.worker("Anna").lease(2)) == job.release("aNNa") == 2
    job.remove("anna ")
    assert job.members.set_index("person")["state"]["Anna"] == "removed"
    assert place.store.history()["who"].iloc[0] == "meg"
    other = create("leaves-2", members=["Anna", "anna", "Meg"])
    assert other.members["person"].tolist() == ["MEG", "Anna"]
    settings.user = "anna"
    assert other.worker().lease(1)
    settings.user = "Anne"
    with pytest.raises(NotAllowedError, match="'Anne' is not a labeler"):
        other.worker().lease(1)


@pytest.mark.parametrize("source", ["JUPYTERHUB_USER", "LOGIN"])
def test_names_of_jupyterhub_and_logins_are_exact(create: Create, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    job = create()
    job.worker("Anna")
    for name in ("anna", "ANNA", "anna"):
        if source == "LOGIN":
            monkeypatch.setattr("getpass.getuser", lambda name=name: name)
        else:
            monkeypatch.setenv(source, name)
        settings.user = name
        worker = job.worker()
        assert (worker.name, len(worker.lease(1))) == (name, 1)
    settings.user = "meg"
    assert job.members["person"].tolist() == ["meg", "Anna", "anna", "ANNA"]
    assert job.similar_names == [["Anna", "anna", "ANNA"]]
    assert [job.worker(name).name for name in ("Anna", "anna", "aNNa")] == ["Anna", "anna", "Anna"]


def test_roles_do_not_depend_on_capitals_that_are_typed(project: cl.Project) -> None:
    settings.user = "Ann"
    project.jobs.create("leaves-1", project.train_set)
    settings.user = "ann"
    assert cl.whoami(project).roles == {"leaves-1": "manager"}
    project.jobs["leaves-1"].pause()


def test_two_spellings_that_join_at_the_same_time_are_one_person(place: Place, create: Create) -> None:
    job = create(annotators=3)
    number, start = place.number(job), threading.Barrier(6)

    def join(spelling: str) -> str:
        store = place.reopened()
        start.wait()
        worker = Worker(store, number, spelling)
        for task in worker.lease(2):
            worker.submit(task, "lemon")
        store.close()
        return worker.name

    with ThreadPoolExecutor(6) as pool:
        names = {found.result() for found in [pool.submit(join, spelling) for spelling in SPELLINGS[:6]]}
    assert len(names) == 1
    assert job.members["person"].tolist() == ["meg", *names]
    assert job.answers.groupby("task").size().tolist() == [1] * 12
    check(place, 3)


# -- merging ----------------------------------------------------------------------------------------
NUMBER = count(1)
IMAGES = [f"{number:02}.jpg" for number in range(3)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["Anna", "anna", "ben"]),
        st.sampled_from(["answer", "late", "skip", "hold", "take back", "reject", "decide"]),
        st.sampled_from([*IMAGES, "11.jpg"]),
    ),
    min_size=8,
    max_size=14,
)


def act(place: Place, job: LabellingJob, worker: Worker, what: str, image: str) -> None:
    """Let a person, or a reviewer, do something with an image, if that is possible."""
    mine = next((task for task in worker.answered() if task.image == image), None)
    if what == "decide":
        if image in IMAGES:
            job.decide(image, "lime")
    elif what == "take back":
        if mine is not None:
            worker.withdraw(mine)
    elif what == "reject":
        if mine is not None:
            own = job.answers.query("person == @worker.name and image == @image and counted")
            job.reject(int(own["answer"].iloc[0]))
    elif task := next((task for task in worker.lease(5) if task.image == image), None):
        zoe = job.worker("zoe")
        if what == "late":
            place.expire(worker.name)
            zoe.lease(12)
        if what == "skip":
            worker.skip(task, "blurred")
        elif what != "hold":
            worker.submit(task, "lemon")
        zoe.release()
        worker.release([each for each in worker.held if what != "hold" or each is not task])


@examples(max_examples=many(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(steps=[("Anna", "skip", "00.jpg"), ("anna", "skip", "00.jpg")], annotators=2)
@example(steps=[("Anna", "late", "00.jpg"), ("anna", "answer", "00.jpg")], annotators=1)
@given(steps=STEPS, annotators=st.sampled_from([1, 2]))
def test_merging_two_names_loses_no_answer_and_counts_none_twice(
    place: Place, create: Create, steps: list[tuple[str, str, str]], annotators: int
) -> None:
    gold = {"11.jpg": "lime"}
    job = create(f"leaves-{next(NUMBER)}", IMAGES, annotators=annotators, gold=gold)
    number = place.number(job)
    workers = {name: Worker(place.store, number, name, exact=True) for name in ("Anna", "anna", "ben")}
    for name, what, image in steps:
        act(place, job, workers[name], what, image)
    of_job = f"task IN (SELECT id FROM job_tasks WHERE job = {number})"
    stored = f"SELECT id, payload, submitted FROM job_answers WHERE {of_job} ORDER BY id"
    merged = f"SELECT task, replace(who, 'anna', 'Anna') FROM job_answers WHERE counted = 1 AND {of_job}"
    latest = (
        f"SELECT task, max(id) FROM job_answers WHERE counted = 1 AND lower(who) = 'anna' AND {of_job} GROUP BY task"
    )
    slots = f"SELECT task, count(*) FROM job_slots WHERE slot > 0 AND {of_job} GROUP BY task ORDER BY task"
    before, people, last = [place.sql(stored), place.sql(slots)], set(place.sql(merged)), set(place.sql(latest))
    job.merge_people("anna", into="Anna")
    assert [place.sql(stored), place.sql(slots)] == before
    assert people <= set(place.sql(merged))
    assert last <= set(place.sql(latest))
    twice = (
        f"SELECT task FROM job_answers WHERE reason IN ('', 'late') AND {of_job} GROUP BY task, who HAVING count(*) > 1"
    )
    assert place.sql(twice) == []
    few = "(SELECT count(*) FROM job_skips WHERE task = t.id) < 2"
    assert place.sql(f"SELECT id FROM job_tasks t WHERE job = {number} AND state = 'skipped' AND {few}") == []
    check(place)
    for table, column in (("job_answers", "who"), ("job_slots", "holder"), ("job_skips", "who")):
        assert place.sql(f"SELECT count(*) FROM {table} WHERE {column} = 'anna' AND {of_job}") == [(0,)]
    own = workers["anna"]  # who goes on in a screen that is open
    for task in [*own.held, *own.lease(3)]:
        own.submit(task, "lemon")
    assert own.done == job.answers.query("person == 'Anna' and counted").shape[0]
    for name in ("carl", "dora"):
        worker = job.worker(name)
        place.expire()
        while tasks := worker.lease(5):
            for task in tasks:
                worker.submit(task, "lemon")
    check(place)
    given = job.answers.query("counted and not gold").groupby("image").size()
    open_ = place.sql(f"SELECT image FROM job_tasks WHERE job = {number} AND state NOT IN ('reviewed', 'skipped')")
    assert {given[image] for (image,) in open_ if image in IMAGES} <= {annotators}
    assert "anna" not in set(job.members["person"]) | set(job.answers["person"])
    assert job.worker("anna").name == Worker(place.store, number, "anna", exact=True).name == "Anna"


def test_names_are_merged_while_both_label(place: Place, create: Create) -> None:
    job = create(annotators=3)
    number, both = place.number(job), threading.Barrier(3)
    acknowledged: list[int] = []

    def label(name: str) -> None:
        store = place.reopened()
        worker = Worker(store, number, name, exact=True)
        both.wait()
        while tasks := worker.lease(2):
            acknowledged.extend(worker.submit(task, "lemon").answer for task in tasks)
        store.close()

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(label, name) for name in ("Anna", "anna")]
        both.wait()
        while len(acknowledged) < 4:
            pass
        job.merge_people("anna", into="Anna")
        for each in found:
            each.result()
    assert set(acknowledged) <= set(job.answers["answer"])
    assert set(job.answers["person"]) == {"Anna"}
    assert job.answers["counted"].sum() == 12
    check(place, 3)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_gold_images_of_both_names_are_those_of_one_person(
    place: Place, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_GOLD_SHARE", 0)
    job = create(images=IMAGES, gold={f"{number:02}.jpg": "lemon" for number in range(3, 12)})
    first, second = (Worker(place.store, place.number(job), name, exact=True) for name in ("Anna", "anna"))
    for task in second.lease(5):
        second.submit(task, "lemon")
    assert job.answers["gold"].all()
    job.merge_people("anna", into="Anna")
    assert sorted(task.image for task in first.lease(3)) == IMAGES


def test_a_merged_person_has_the_rights_of_both_names(place: Place, create: Create) -> None:
    job = create(annotators=2)
    for name in ("Anna", "anna", "ANNA"):
        Worker(place.store, place.number(job), name, exact=True)
    assert job.similar_names == [["Anna", "anna", "ANNA"]]
    place.sql("UPDATE job_members SET role = 'manager' WHERE who = 'anna'")
    for person, into in (("Anna", "Anna"), ("Anna", "aNNa"), ("zoe", "Anna")):
        with pytest.raises(InputError, match=r"must be another member of the job\. Members: \['meg', 'Anna', 'anna'"):
            job.merge_people(person, into=into)
    job.remove("Anna")
    job.merge_people("ANNA", into="anna")
    job.merge_people("anna", into="Anna")
    assert job.members[["person", "role", "state"]].to_numpy().tolist() == [
        ["meg", "manager", "active"], ["Anna", "manager", "active"]
    ]  # fmt: skip
    assert job.similar_names == []
    assert {job.worker(name).name for name in ("Anna", "anna", "ANNA")} == {"Anna"}
    last = place.store.history().iloc[0]
    assert (last["who"], last["what"], last["after"]["person"]) == ("meg", "merge people of labelling job", "anna")
    settings.user = "ben"
    job.worker()
    for call in (lambda: job.merge_people("meg", into="Anna"), lambda: job.similar_names):
        with pytest.raises(NotAllowedError, match=r"'ben' is a labeler .* only a manager can"):
            call()
