"""Tests of creating, finding, renaming and deleting projects, which never affect files outside their folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

import customlabels_nb as cl
from customlabels_nb.errors import (
    CustomLabelsError,
    InputError,
    NotAllowedError,
    ProjectError,
    ProjectExistsError,
    ProjectNameError,
    ProjectNotFoundError,
    StoreError,
)
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.location import check_name, new_version_name, open_project_store
from customlabels_nb.store.database import now_us
from customlabels_nb.workers.background import RunnerRecord, change_record
from tests.images.pictures import tree, write_folder

BAD_NAMES = [
    "", " ", ".", "..", "../x", "a/b", "/abs", "a\\b", "..\\x", "C:x", "~", ".hidden", "-rf", " a", "a ", "a.", "a...",
    "a\nb", "a\n", "a\0b", "a\tb", "x" * 101, "x" * 300, "𠀀" * 100, "漢" * 70,
    "a*", "a?", 'a"b', "<b>", "a|b", "a:b", "\udcff",
    None, 5, b"name",
]  # fmt: skip


# -- names ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_never_leads_out_of_its_folder(tmp_path: Path, name: Any) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(ProjectNameError, match="not a valid name"):
        cl.create_project(name, tmp_path / "work")
    assert tree(tmp_path) == {"work": "folder"}


@pytest.mark.parametrize("name", ["fruit", "a", "Früchte 2024", "水果", "v1.2-final_x", "1", "x" * 100, "a..b"])
def test_good_names_are_kept(tmp_path: Path, name: str) -> None:
    assert check_name(name) == name
    project = cl.create_project(name, tmp_path)
    assert project.name == name
    assert project.root == tmp_path / name
    project.close()


def test_versions_named_in_the_same_second_have_different_names(tmp_path: Path) -> None:
    project = cl.create_project("fruit", tmp_path)
    place, other, noon = open_project(project.root), open_project(project.root), datetime(2026, 1, 2, 12)
    places = (place, other, place)
    names = [new_version_name(each, clock=lambda: noon) for each in places]
    assert names == ["fruit.2026-01-02T12.00.00", "fruit.2026-01-02T12.00.00-2", "fruit.2026-01-02T12.00.00-3"]
    (project.root / "versions" / "fruit.2026-01-02T12.00.01").mkdir(parents=True)
    assert new_version_name(other, clock=lambda: noon.replace(second=1)) == "fruit.2026-01-02T12.00.01-2"
    assert new_version_name(place, "mine") == "mine"
    for each in (project, place.store, other.store):
        each.close()


def test_renaming_obeys_the_same_rules(tmp_path: Path) -> None:
    project = cl.create_project("fruit", tmp_path)
    before = sorted(os.listdir(tmp_path))
    for name in BAD_NAMES:
        with pytest.raises(ProjectNameError):
            project.rename(name)
    assert sorted(os.listdir(tmp_path)) == before
    assert project.name == "fruit"
    project.close()


# -- creating and loading ---------------------------------------------------------------------------
def test_project_is_loaded_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "photos", {"apple": 2})
    project = cl.create_project("fruit", task="single-label", tags={"team": "<b>"})
    project.add_images("photos", labels_from="folders", progress=False)
    project.close()
    for path in ("fruit", tmp_path / "fruit", "./fruit/"):
        loaded = cl.load_project(path)
        assert (loaded.name, loaded.task, loaded.tags) == ("fruit", "single-label", {"team": "<b>"})
        assert loaded.train_set.labels_of_images() == [["apple"], ["apple"]]
        assert repr(loaded) == "Project('fruit': train 2, test 0 images; 1 label; 0 versions)"
        loaded.close()


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    cl.create_project("fruit", tmp_path).close()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("fruit", "folder", "file", "link"):
        with pytest.raises(ProjectExistsError, match=name):
            cl.create_project(name, tmp_path)
    assert tree(tmp_path) == before


def test_an_unknown_task_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="task='cats'"):
        cl.create_project("fruit", tmp_path, task="cats")
    assert os.listdir(tmp_path) == []
    project = cl.create_project("fruit", tmp_path)
    with pytest.raises(InputError, match="task='cats'"):
        project.task = "cats"
    project.task = "boxes"
    assert project.task == "boxes"
    project.close()


def test_missing_project_error_suggests_projects(tmp_path: Path) -> None:
    cl.create_project("fruit", tmp_path).close()
    with pytest.raises(ProjectNotFoundError, match=r"\['fruit'\]"):
        cl.load_project(tmp_path)
    with pytest.raises(ProjectNotFoundError, match=r"Copy the folder that create_project\(…, store=…\) has made"):
        cl.load_project("nowhere", store="postgresql://localhost/fruit")
    with pytest.raises(ProjectNotFoundError, match=r"no project in .*nowhere"):
        cl.load_project(tmp_path / "nowhere")
    assert cl.load_project(tmp_path / "fruit" / "project.db").name == "fruit"


def test_projects_with_a_similar_name_are_suggested(tmp_path: Path) -> None:
    for name in ("Kitchens", "kitchen-2024", "boats"):
        cl.create_project(name, tmp_path).close()
    (tmp_path / "kitchenz").mkdir()  # not a project
    with pytest.raises(ProjectNotFoundError, match=r"Did you mean 'Kitchens' or 'kitchen-2024'\?"):
        cl.load_project("kitchens!", tmp_path)
    with pytest.raises(ProjectNotFoundError) as caught:
        cl.load_project("zebra", tmp_path)
    assert "Did you mean" not in str(caught.value)


def test_a_project_is_loaded_by_name_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cl.create_project("fruit", tmp_path).close()
    assert cl.load_project("fruit", tmp_path).root == tmp_path / "fruit"
    assert cl.load_project(tmp_path / "fruit", "/elsewhere").root == tmp_path / "fruit"  # an absolute path stays
    monkeypatch.chdir(tmp_path)
    assert cl.load_project("fruit").root == tmp_path / "fruit"


def test_an_existing_project_is_opened_and_not_changed(tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    given: dict[str, Any] = {"folder": tmp_path, "task": "single-label", "tags": {"team": "a"}, "exist_ok": True}
    for _ in range(2):
        project = cl.create_project("fruit", **given)
        project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
        assert (len(project.train_set), project.tags) == (2, {"team": "a"})
        actions = len(project.history)
        project.close()
    project = cl.create_project("fruit", tmp_path, tags={"team": "b"}, exist_ok=True)
    assert (project.tags, len(project.history)) == ({"team": "a"}, actions)
    project.close()
    with pytest.raises(ProjectExistsError, match=r"task='single-label', not task='boxes'"):
        cl.create_project("fruit", tmp_path, task="boxes", exist_ok=True)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProjectExistsError, match="not a project"):
        cl.create_project("folder", tmp_path, exist_ok=True)


def test_projects_are_listed_with_errors_of_broken_ones(tmp_path: Path) -> None:
    assert cl.list_projects(tmp_path).empty
    with pytest.raises(InputError, match="nowhere"):
        cl.list_projects(tmp_path / "nowhere")
    for name in ("pear", "apple"):
        cl.create_project(name, tmp_path).close()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "project.db").write_text("no database")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "project.json").write_text("{")
    (tmp_path / "no project").mkdir()
    listed = cl.list_projects(tmp_path).set_index("name")
    assert listed.index.tolist() == ["apple", "broken", "damaged", "pear"]
    assert listed.loc["apple", "status"] == "CREATED"
    assert listed.loc["apple", "path"] == str(tmp_path / "apple")
    assert "not a database" in listed.loc["broken", "status"]
    assert "damaged" in listed.loc["damaged", "status"]


def test_renaming_moves_the_folder_and_keeps_everything(tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 1})
    project = cl.create_project("fruit", tmp_path)
    project.add_images(tmp_path / "photos", labels_from="folders", copy=True, progress=False)
    cl.create_project("taken", tmp_path).close()
    with pytest.raises(ProjectExistsError, match="taken"):
        project.rename("taken")
    assert project.name == "fruit"
    project.rename("obst")
    assert (project.name, project.root) == ("obst", tmp_path / "obst")
    assert not (tmp_path / "fruit").exists()
    assert "<img" in project.train_set._repr_html_()
    project.close()
    assert cl.load_project(tmp_path / "obst").train_set.labels_of_images() == [["apple"]]


# -- folders without access ------------------------------------------------------------------------
NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a folder that anybody may access and nobody owns."""
    folder = Path(tempfile.mkdtemp())
    warm = cl.create_project("warm", folder)  # import everything needed, because nobody may not read root's Python
    warm.labels.add("apple")
    warm.rename("warmer")
    cl.list_projects(folder)
    cl.load_project(warm.root).delete(confirm=True)
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Drop root's privileges while the block runs, so that permissions apply."""
    root = os.getuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Change the permission bits of a path while the block runs."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.skipif(os.name == "nt", reason="permission bits are POSIX")
def test_a_folder_that_may_not_be_read_is_a_typed_error_and_hides_no_other(place: Path) -> None:
    with as_nobody():
        for name in ("apple", "locked", "pear", "unreadable"):
            cl.create_project(name, place).close()
        with mode(place / "locked", 0), mode(place / "unreadable" / "project.db", 0):
            listed = cl.list_projects(place)
            assert listed["name"].tolist() == ["apple", "locked", "pear", "unreadable"]
            assert listed["status"].str.contains("CREATED").tolist() == [True, False, True, False]
            assert "denied" in listed["status"][1]
            for path in ("locked", "locked/project.db", "locked/inner"):
                with pytest.raises(ProjectError, match=r"locked.*denied"):
                    cl.load_project(place / path)
            with pytest.raises(StoreError, match=r"unreadable.*project\.db"):
                cl.load_project(place / "unreadable")
            with pytest.raises(InputError, match=r"locked.*denied"):
                cl.list_projects(place / "locked")


@pytest.mark.skipif(os.name == "nt", reason="permission bits are POSIX")
def test_deleting_what_may_not_be_deleted_is_a_typed_error(place: Path) -> None:
    with as_nobody():
        project = cl.create_project("fruit", place)
        with mode(project.root, 0o555), pytest.raises(ProjectError, match=r"project\.db.*denied"):
            project.delete(confirm=True)
        project = cl.load_project(place / "fruit")
        with mode(project.root, 0), pytest.raises(CustomLabelsError, match="fruit"):
            project.delete(confirm=True)
        project = cl.load_project(place / "fruit")
        (project.root / "images").mkdir()
        (project.root / "images" / "a.jpg").touch()
        with (
            mode(project.root / "images", 0o555),
            pytest.raises(ProjectError, match=r"Cannot delete '.*(a\.jpg|images)': .*denied"),
        ):
            project.delete(confirm=True)
        assert (project.root / "images" / "a.jpg").exists()


@pytest.mark.skipif(os.name == "nt", reason="permission bits are POSIX")
def test_a_rename_that_fails_changes_nothing(place: Path) -> None:
    with as_nobody():
        project = cl.create_project("fruit", place / "work")
        with mode(place / "work", 0o555), pytest.raises(ProjectError, match=r"Cannot move .*fruit' to .*obst"):
            project.rename("obst")
        with mode(project.root, 0o555), pytest.raises(ProjectError, match=r"denied"):
            project.rename("obst")
        loaded = cl.load_project(project.root)
        with mode(project.root / "project.db", 0o444):
            read_only = cl.load_project(project.root)
            with pytest.raises(StoreError, match=r"project\.db"):
                read_only.rename("obst")
        for each in (project, read_only, loaded):
            assert (each.name, each.root) == ("fruit", place / "work" / "fruit")
        assert os.listdir(place / "work") == ["fruit"]
        project = cl.load_project(project.root)
        project.rename("obst")
        project.labels.add("apple")
        assert cl.load_project(place / "work" / "obst").name == "obst"
        assert sorted(path.name for path in project.root.iterdir()) == [
            "project.db",
            "project.db-shm",
            "project.db-wal",
        ]
        with pytest.raises(StoreError, match="moved"):  # it would be lost if there were another project by now
            loaded.labels.add("pear")


@pytest.mark.parametrize("verb", ["renamed", "deleted"])
def test_a_project_that_another_kernel_trains_stays(tmp_path: Path, verb: str) -> None:
    project = cl.create_project("a", tmp_path)
    root = project.root
    running = RunnerRecord("x", "elsewhere", 1, now_us())
    change_record(open_project_store(root), "trainer", lambda _: running)

    def change() -> None:
        project.rename("b") if verb == "renamed" else project.delete(confirm=True)

    with pytest.raises(NotAllowedError, match=f"cannot be {verb}: its assist is training .* on elsewhere"):
        change()
    assert (project.name, root.is_dir()) == ("a", True)
    change_record(open_project_store(root), "trainer", lambda _: replace(running, state="done", token=None))
    change()
    assert not root.exists()


def test_foreign_rename_note_moves_nothing(tmp_path: Path) -> None:
    project = cl.create_project("fruit", tmp_path / "work")
    project.close()
    for note in (b"fruit\0../evil", b"fruit\0fruit", b"fruit\0obst", b"\xff", b"", b"x\0fruit", b"\0" * 10_000):
        (project.root / ".renaming").write_bytes(note)
        assert cl.load_project(project.root).root == tmp_path / "work" / "fruit"
    assert os.listdir(tmp_path / "work") == ["fruit"]
    assert os.listdir(tmp_path) == ["work"]


def test_opening_leaves_a_rename_in_progress_alone(tmp_path: Path) -> None:
    project = cl.create_project("fruit", tmp_path)
    marker = project.root / ".renaming"
    marker.write_bytes(b"fruit\0obst")
    cl.load_project(project.root).close()
    assert marker.exists()
    os.utime(marker, (0, 0))
    cl.load_project(project.root).close()
    assert not marker.exists()


# -- deletion ---------------------------------------------------------------------------------------
def answer(monkeypatch: pytest.MonkeyPatch, reply: str | type[Exception]) -> list[str]:
    """Answer questions with the reply and return the list of questions."""
    asked: list[str] = []

    def reply_to(question: str) -> str:
        asked.append(question)
        if isinstance(reply, str):
            return reply
        raise reply

    monkeypatch.setattr("builtins.input", reply_to)
    return asked


@pytest.mark.parametrize("reply", ["", "n", "no", "delete", EOFError, OSError, RuntimeError])
def test_delete_asks_for_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: str | type[Exception]
) -> None:
    project = cl.create_project("fruit", tmp_path)
    asked = answer(monkeypatch, reply)
    with pytest.raises(NotAllowedError):
        project.delete()
    with pytest.raises(NotAllowedError):
        project.delete_dataset("train")
    assert "'fruit'" in asked[0]
    assert "cannot be undone" in asked[0]
    project.close()
    assert cl.load_project(tmp_path / "fruit").name == "fruit"


@pytest.mark.parametrize("reply", ["yes", " Y "])
def test_confirmed_delete_removes_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    project = cl.create_project("fruit", tmp_path)
    answer(monkeypatch, reply)
    project.delete()
    assert os.listdir(tmp_path) == []


def test_deleting_removes_only_what_is_the_projects(tmp_path: Path) -> None:
    project = cl.create_project("fruit", tmp_path / "work")
    write_folder(tmp_path / "photos", {"apple": 2})
    write_folder(project.root / "my photos", {"pear": 1}, start=9)
    (project.root / "notes.txt").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    write_folder(elsewhere, {"": 1}, start=20)
    (project.root / "versions").symlink_to(elsewhere)
    project.add_images(tmp_path / "photos", copy=True, progress=False)
    project.add_images(project.root / "my photos", progress=False)
    outside = {name: kind for name, kind in tree(tmp_path).items() if not name.startswith("work")}
    project.train_set._repr_html_()  # fills the cache
    project.delete(confirm=True)
    left = tree(tmp_path)
    assert {name: kind for name, kind in left.items() if not name.startswith("work")} == outside
    inside = [name for name, kind in left.items() if name.startswith("work/fruit/") and kind != "folder"]
    assert inside == ["work/fruit/my photos/pear/000.jpg", "work/fruit/notes.txt"]
    with pytest.raises(ProjectNotFoundError):
        cl.load_project(tmp_path / "work" / "fruit")


# -- PostgreSQL -------------------------------------------------------------------------------------
@pytest.mark.parametrize("store", ["sqlite:///other.db", "nonsense", "mysql://user:secret@host/db", "postgres//x", ""])
def test_a_store_that_is_no_postgresql_url_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="store=") as caught:
        cl.create_project("fruit", store=store)
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "pointer",
    [
        "", "[]", "{}", '{"store": 5, "schema": 5}', '{"store": "postgresql://h/d"}', "\xff",
        json.dumps({"store": "postgresql://h/d", "schema": "public"}),
        json.dumps({"store": "postgresql://h/d", "schema": "customlabels_0123456789abcdef -c role=other"}),
        json.dumps({"store": "sqlite:////etc/passwd", "schema": "customlabels_0123456789abcdef"}),
    ],
)  # fmt: skip
def test_a_pointer_from_somebody_else_is_not_trusted(tmp_path: Path, pointer: str) -> None:
    (tmp_path / "project.json").write_bytes(pointer.encode("latin-1"))
    with pytest.raises(StoreError, match=r"project\.json"):
        cl.load_project(tmp_path)


@pytest.fixture
def own_database(postgres_url: str) -> Iterator[str]:
    """Yield the URL of a database that no other test's process writes to."""
    name = f"test_{uuid4().hex[:12]}"
    engine = create_engine(make_url(postgres_url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
            yield make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    finally:
        engine.dispose()


def schemas(url: str) -> set[str]:
    """Return the names of the schemas in a database."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        return set(inspect(engine).get_schema_names())
    finally:
        engine.dispose()


@pytest.mark.postgres
def test_a_team_project_lives_in_a_schema_and_keeps_no_password(
    tmp_path: Path, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"secret{uuid4().hex}"
    url = make_url(own_database).set(password=secret)
    url = url.set(query={**url.query, "sslpassword": secret + "2"}).render_as_string(hide_password=False)
    before = schemas(own_database)
    write_folder(tmp_path / "photos", {"apple": 2})
    project = cl.create_project("fruit", tmp_path / "a", store=url)
    project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    project.close()
    new = schemas(own_database) - before
    assert len(new) == 1
    assert secret.encode() not in b"".join(p.read_bytes() for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert not (tmp_path / "a" / "fruit" / "project.db").exists()
    # two people may have projects of the same name and folder on their machines
    other = cl.create_project("fruit", tmp_path / "b", store=url)
    assert len(schemas(own_database) - before) == 2
    other.delete(confirm=True)
    loaded = cl.load_project(tmp_path / "a" / "fruit", store=url)
    assert loaded.train_set.labels_of_images() == [["apple"], ["apple"]]
    loaded.rename("obst")
    assert cl.list_projects(tmp_path / "a")["name"].tolist() == ["obst"]
    loaded.delete(confirm=True)
    assert schemas(own_database) == before
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "photos"]
    assert os.listdir(tmp_path / "a") == []


@pytest.mark.postgres
def test_unreachable_server_error_hides_the_password(tmp_path: Path) -> None:
    with pytest.raises(CustomLabelsError) as caught:
        cl.create_project("fruit", tmp_path, store="postgresql://ana:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_unwritable_folder_raises_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="Cannot create"):
        cl.create_project("p", tmp_path / "file")
    with pytest.raises(ProjectError, match="Cannot create"):
        cl.create_project("p", Path("/proc/nowhere"))
