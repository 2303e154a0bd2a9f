"""Store what only the endpoint needs of a project: ARNs, statuses of datasets, manifest lines as they were given.

The ledger is an SQLite file in the project's folder. Images, annotations and versions stay in the project's own store.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from customlabels_nb.errors import StoreError

_FORMAT = "1.0"
_WAIT_SECONDS = 30
_TABLES = (
    "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # times are seconds since 1970
    """CREATE TABLE IF NOT EXISTS datasets (
        split TEXT PRIMARY KEY, digits INTEGER NOT NULL, created REAL NOT NULL, status TEXT NOT NULL,
        message TEXT NOT NULL, code TEXT NOT NULL)""",
    # "image" is the name in the project's store, "state" a digest of its annotations there when "line" was written
    """CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT, split TEXT NOT NULL, image TEXT NOT NULL, source TEXT NOT NULL,
        line BLOB NOT NULL, labelled INTEGER NOT NULL, findings TEXT, state TEXT NOT NULL,
        UNIQUE (split, source))""",
    "CREATE INDEX IF NOT EXISTS entries_by_image ON entries (split, image)",
    "CREATE TABLE IF NOT EXISTS labels (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE)",
    """CREATE TABLE IF NOT EXISTS entry_labels (
        entry INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE, label INTEGER NOT NULL,
        boxed INTEGER NOT NULL, PRIMARY KEY (label, entry)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS labels_by_entry ON entry_labels (entry)",
    "CREATE TABLE IF NOT EXISTS versions (name TEXT PRIMARY KEY, digits INTEGER NOT NULL, facts TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS policies (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, revision TEXT NOT NULL,
        document TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS predictions (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created REAL NOT NULL,
        iteration TEXT NOT NULL, application TEXT, answer TEXT NOT NULL, image BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions (created)",
)


class Ledger:
    """SQLite file of a project for the endpoint, shared by the threads of this process and by training processes."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._connection, self._reader = (
            sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
            for _ in range(2)
        )
        self._writer: int | None = None  # thread that is in a transaction
        self._connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for writers
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.writing() as connection:
            is_new = not connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            for statement in _TABLES:
                connection.execute(statement)
            if is_new:
                self.set_facts(format=_FORMAT)
            if (other := self.fact("format")) != _FORMAT:
                raise StoreError(
                    f"{str(path)!r} has the format {other!r}, but this release reads {_FORMAT!r}. Use the release that "
                    "wrote it, or delete it: images and models stay, with new ARNs and without policies."
                )

    def close(self) -> None:
        with self._lock, self._reading:
            self._reader.close()
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction, which is undone if the block raises. Blocks may be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself ends it if the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._writer = None

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, without waiting for a transaction of another thread."""
        if self._writer == threading.get_ident():
            return self._connection.execute(statement, values).fetchall()
        with self._reading:
            return self._reader.execute(statement, values).fetchall()

    # -- facts --------------------------------------------------------------------------------------
    def fact(self, key: str, default: Any = None) -> Any:
        rows = self.rows("SELECT value FROM facts WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else default

    def set_facts(self, **facts: Any) -> None:
        with self.writing() as connection:
            pairs = [(key, json.dumps(value)) for key, value in facts.items()]
            connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", pairs)
