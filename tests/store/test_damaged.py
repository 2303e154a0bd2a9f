"""Tests of damaged and missing databases: typed errors that name the file and the remedy, and no data loss."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

import customlabels_nb as cl
from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, create_store, open_store
from tests.store.test_contract import version
from tests.store.test_history import ANN, fill

PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a small database with something in every table."""
    path = tmp_path_factory.mktemp("sound") / "project.db"
    store = create_store(str(path), "fruit")
    fill(store)
    store.take_snapshot("kept", None, ANN)
    store.add_version(version("v2", status="TRAINING_COMPLETED", metrics={"f1": 0.5}), ANN)
    for number in range(40):
        store.add_labels([(f"label {number}", None)], ANN)
    store.set_project(ANN, tags={"team": "a"}, instructions="look " * 200)
    store.close()
    return path.read_bytes()


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(20):
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)


def empty_pages(data: bytearray, rng: random.Random) -> None:
    for page in rng.sample(range(1, len(data) // PAGE), 3):
        data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(100, len(data)) :]


def change_schema(data: bytearray, rng: random.Random) -> None:
    """Corrupt a part of the schema."""
    starts = [at for at in range(len(data)) if data.startswith(b"CREATE ", at)]
    at = rng.choice(starts) + rng.randrange(60)
    data[at : at + 6] = rng.choice([b"\xff\xfe\x80xyz", b"      ", b"id, id", b"\0\0\0\0\0\0"])


def change_text(data: bytearray, rng: random.Random) -> None:
    """Insert invalid UTF-8, broken JSON or a wrong type into strings, JSON and packed values."""
    word = rng.choice([b"fruit", b"label", b"look ", b"apple", b'"team"', b'{"', b"[", b"\x78\x9c", b"format"])
    places = [at for at in range(2 * PAGE, len(data)) if data.startswith(word, at)] or [len(data) // 2]
    at = rng.choice(places)
    data[at : at + 2] = rng.choice([b"\xff\xfe", b"][", b"12"])


def everything(project: Project) -> Iterator[Callable[[], object]]:
    """Yield functions that read all tables, then write."""
    yield lambda: (project._record, repr(project), project.statistics, project.datasets)
    yield lambda: [len(split.annotations) for split in (project.train_set, project.test_set)]
    yield lambda: (project.history, project.issues, project._store.import_lines())
    yield lambda: (project.versions, project._store.predictions(), list(project.labels))
    yield lambda: (project.snapshots.list, project.snapshots.diff("kept"))
    yield lambda: project.labels.add("new")
    yield lambda: project.update("train", project.train_set.relabel("new"))
    yield lambda: project.undo()
    yield lambda: project.snapshots.restore("kept")


@pytest.mark.parametrize("damage", [flip, empty_pages, cut, change_schema, change_text])
def test_damaged_database_works_or_raises_a_typed_error(
    tmp_path: Path, sound: bytes, damage: Callable[[bytearray, random.Random], None]
) -> None:
    refused = 0
    for random_state in range(24):
        root = tmp_path / str(random_state)
        root.mkdir()
        data = bytearray(sound)
        damage(data, random.Random(random_state))
        (root / "project.db").write_bytes(data)
        said: list[str] = []
        try:
            project = cl.load_project(root)
            for step in everything(project):
                with suppress(InputError, NotAllowedError):
                    try:
                        step()
                    except StoreError as error:
                        said.append(str(error))
            project.close()
        except StoreError as error:
            said.append(str(error))
        refused += bool(said)
        named = [str(root / "project.db") in text or "snapshot" in text for text in said]
        assert all(named), said
    assert refused >= 3


def test_the_error_names_the_file_and_the_snapshot_that_repairs_it(tmp_path: Path, sound: bytes) -> None:
    (tmp_path / "project.db").write_bytes(sound)
    project = cl.load_project(tmp_path)
    before = project.train_set.annotations
    with sqlite3.connect(tmp_path / "project.db") as direct:
        (taken,) = direct.execute("SELECT date(created / 1000000, 'unixepoch') FROM snapshots").fetchone()
        direct.execute("UPDATE images SET tags = '{broken'")
    with pytest.raises(StoreError) as caught:
        project.train_set.images  # noqa: B018
    for fact in (str(tmp_path / "project.db"), "snapshots.restore('kept')", taken[:7]):
        assert fact in str(caught.value)
    project.snapshots.restore("kept")
    assert project.train_set.annotations["label"].tolist() == before["label"].tolist()
    project.close()


def test_a_full_disk_is_not_reported_as_damage(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "project.db"), "fruit")
    full = sqlite3.OperationalError("disk I/O error")  # SQLite cannot enlarge its file of shared memory
    full.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    with pytest.raises(StoreError, match="The disk is full") as caught, store.reading():
        raise OperationalError("SELECT", None, full) from full
    assert type(caught.value) is StoreError


def test_a_snapshot_that_is_damaged_itself_is_not_recommended(tmp_path: Path, sound: bytes) -> None:
    (tmp_path / "project.db").write_bytes(sound)
    store = open_store(str(tmp_path / "project.db"))
    store.take_snapshot("newer", None, ANN)
    for damaged, named in (("newer", "'kept'"), ("kept", "project.pack")):
        with sqlite3.connect(tmp_path / "project.db") as direct:
            direct.execute("UPDATE snapshots SET content = x'00' WHERE name = ?", (damaged,))
            direct.execute("UPDATE project SET tags = '5'")
        with pytest.raises(StoreError, match=named) as caught:
            store.project()
        assert repr(damaged) not in str(caught.value)
    store.close()


# -- missing file -------------------------------------------------------------------------------------
def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def move(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def replace(folder: Path) -> None:
    """Replace the folder with a copy of itself."""
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    shutil.rmtree(folder)
    other.rename(folder)


def empty(folder: Path) -> None:
    remove(folder)
    folder.mkdir()


@pytest.mark.parametrize("change", [remove, move, replace, empty])
@pytest.mark.parametrize("during", [False, True], ids=["before", "during"])
def test_a_write_to_a_file_that_is_gone_is_refused(
    tmp_path: Path, change: Callable[[Path], None], during: bool
) -> None:
    folder = tmp_path / "fruit"
    folder.mkdir()
    store = create_store(str(folder / "project.db"), "fruit")
    store.add_labels([("apple", None)], Action("add", "me"))

    def write() -> None:
        with store.writing() as connection:
            connection.exec_driver_sql("UPDATE project SET name = 'pear'")
            if during:
                change(folder)

    if not during:
        change(folder)
    with pytest.raises(StoreError, match=r"project\.db"):
        write()
    for place in (folder, tmp_path / "moved"):
        if (place / "project.db").is_file():
            kept = open_store(str(place / "project.db"))
            assert kept.labels()["label"].tolist() == ["apple"]
            assert kept.project().name == "fruit"
            kept.close()
    assert list(folder.iterdir() if folder.is_dir() else []) == [] or change is replace
    store.close()


def test_a_file_that_stays_is_written_by_many(tmp_path: Path) -> None:
    first = create_store(str(tmp_path / "project.db"), "fruit")
    second = open_store(str(tmp_path / "project.db"))
    for number, store in enumerate((first, second, first)):
        store.add_labels([(f"label {number}", None)], Action("add", "me"))
    assert len(second.labels()) == 3
    first.close()
    second.close()
