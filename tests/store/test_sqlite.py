"""Tests of the database file itself."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection

from customlabels_nb.errors import (
    DamagedError,
    InputError,
    ProjectExistsError,
    ProjectNotFoundError,
    SchemaTooNewError,
    SchemaTooOldError,
    StoreError,
)
from customlabels_nb.store import Action, create_store, open_store, schema


def test_the_file_is_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "p.db"), "p")
    with sqlite3.connect(tmp_path / "p.db") as direct:
        assert direct.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    store.close()


def test_create_and_open_do_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "p.db").write_text("mine")
    with pytest.raises(ProjectExistsError):
        create_store(str(tmp_path / "p.db"), "p")
    assert (tmp_path / "p.db").read_text() == "mine"
    with pytest.raises(ProjectNotFoundError):
        open_store(str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("key", "value", "error", "message"),
    [
        ("format", "1.999", SchemaTooNewError, r"p\.db.* 1\.999.*Upgrade"),
        ("schema_version", "3", SchemaTooOldError, rf"p\.db.* before customlabels_nb 1\.0.*{schema.EARLY_COMMIT}"),
        ("format", "x", DamagedError, "p.db"),
    ],
)
def test_other_formats_are_refused_untouched(
    tmp_path: Path, key: str, value: str, error: type[Exception], message: str
) -> None:
    create_store(str(tmp_path / "p.db"), "p").close()
    with sqlite3.connect(tmp_path / "p.db") as direct:
        direct.execute("UPDATE meta SET key = ?, value = ?", (key, value))
    before = (tmp_path / "p.db").read_bytes()
    with pytest.raises(error, match=message):
        open_store(str(tmp_path / "p.db"))
    assert (tmp_path / "p.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 40, b""])
def test_a_foreign_file_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"p\.db"):
        open_store(str(tmp_path / "p.db"))


def test_a_locked_database_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.store.database._BUSY_SECONDS", 0.1)
    store = create_store(str(tmp_path / "p.db"), "p")
    holder = sqlite3.connect(tmp_path / "p.db")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="Another program"):
        store.add_labels([("x", None)], Action("add", "me"))
    holder.rollback()
    holder.close()
    store.add_labels([("x", None)], Action("add", "me"))
    store.close()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the first place in the queue of writers to a database in this folder."""
    place = os.open(folder, os.O_RDONLY)
    fcntl.flock(place, fcntl.LOCK_EX)
    yield
    os.close(place)


def wait_until_queue(folder: Path, length: int) -> None:
    """Wait until ``length`` processes wait for the lock on a folder."""
    inode = f":{folder.stat().st_ino} "
    while True:
        locks = Path("/proc/locks").read_text().splitlines()
        if sum("-> FLOCK" in line and inode in line for line in locks) == length:
            return


def test_writers_take_turns_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    path = str(tmp_path / "p.db")
    create_store(path, "p").close()
    stores = [open_store(path) for _ in range(8)]
    writers = [
        threading.Thread(target=store.add_labels, args=([(f"label {number}", None)], Action("add", "me")))
        for number, store in enumerate(stores)
    ]
    with held(tmp_path):
        for number, writer in enumerate(writers):
            writer.start()
            wait_until_queue(tmp_path, number + 1)
    for writer in writers:
        writer.join()
    assert stores[0].labels()["label"].tolist() == [f"label {number}" for number in range(8)]
    assert sorted(os.listdir(tmp_path))[0] == "p.db"
    for store in stores:
        store.close()


WRITES = """
import sys
from customlabels_nb.store import open_store
with open_store(sys.argv[1]).writing():
    print("writes", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_the_queue(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "p.db"), "p")
    command = [sys.executable, "-c", WRITES, str(tmp_path / "p.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writes\n"
        writer = threading.Thread(target=store.add_labels, args=([("x", None)], Action("add", "me")))
        writer.start()
        wait_until_queue(tmp_path, 1)
        process.kill()
    writer.join()
    assert store.labels()["label"].tolist() == ["x"]
    store.close()


def test_a_queue_that_does_not_move_on_keeps_nobody_from_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customlabels_nb.store.database._QUEUE_SECONDS", 0.01)
    store = create_store(str(tmp_path / "p.db"), "p")
    with held(tmp_path):
        store.add_labels([("x", None)], Action("add", "me"))
    store.add_labels([("y", None)], Action("add", "me"))
    assert store.labels()["label"].tolist() == ["x", "y"]
    store.close()


def test_an_interrupted_wait_gives_its_place_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = Mock(side_effect=[KeyboardInterrupt, None])
    store = create_store(str(tmp_path / "p.db"), "p")
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with pytest.raises(KeyboardInterrupt):
            store.add_labels([("apple", None)], Action("add", "me"))
    assert len(os.listdir("/proc/self/fd")) == before
    store.close()


def test_writing_works_without_queue_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(place: int, operation: int) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    store = create_store(str(tmp_path / "p.db"), "p")
    store.add_labels([("x", None)], Action("add", "me"))
    assert store.labels()["label"].tolist() == ["x"]
    store.close()


def test_an_unknown_database_kind_is_refused() -> None:
    with pytest.raises(InputError, match="SQLite or PostgreSQL"):
        create_store("mysql://root@localhost/x", "p")


def test_migrations_run_once_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "p.db")
    create_store(path, "p").close()

    def broken(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half_done (id INTEGER)")
        raise RuntimeError("power cut")

    before = schema.FORMAT
    monkeypatch.setattr(schema, "FORMAT", "9.9")
    monkeypatch.setitem(schema.MIGRATIONS, before, ("9.9", broken))
    with pytest.raises(RuntimeError, match="power cut"):
        open_store(path)
    with sqlite3.connect(path) as direct:
        assert direct.execute("SELECT name FROM sqlite_master WHERE name = 'half_done'").fetchall() == []
        assert direct.execute("SELECT value FROM meta").fetchall() == [(before,)]

    ran = []

    def works(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE images ADD COLUMN rating INTEGER")
        ran.append(1)

    monkeypatch.setitem(schema.MIGRATIONS, before, ("9.9", works))
    for _ in range(2):
        open_store(path).close()
    assert ran == [1]
    with sqlite3.connect(path) as direct:
        assert direct.execute("SELECT value FROM meta").fetchall() == [("9.9",)]
