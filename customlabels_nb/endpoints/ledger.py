"""Store what only the endpoint needs of a project: ARNs, statuses of datasets, manifest lines as they were given.

The ledger is an SQLite file in the project's folder. Images, annotations and versions stay in the project's own store.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customlabels_nb.core.tables import Split
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


@dataclass(frozen=True)
class DatasetState:
    """Status of a dataset as the endpoint reports it. ``digits`` ends its ARN, ``created`` is in seconds since 1970."""

    split: Split
    digits: int
    created: float
    status: str
    message: str
    code: str

    @property
    def is_busy(self) -> bool:
        """True while the dataset is being created, changed or deleted."""
        return self.status.endswith("IN_PROGRESS")


@dataclass(frozen=True)
class Entry:
    """Manifest line of a dataset, as it was given.

    ``labelled`` is True if it is valid and has a label attribute. ``labels`` maps each label to whether it has a
    box. ``state`` is the digest of the image's annotations in the store.
    """

    image: str
    source: str
    line: bytes
    labelled: bool
    findings: list[dict[str, Any]]
    labels: dict[str, bool]
    state: str = ""


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

    # -- datasets -----------------------------------------------------------------------------------
    def datasets(self) -> dict[str, DatasetState]:
        columns = "split, digits, created, status, message, code"
        rows = self.rows(f"SELECT {columns} FROM datasets ORDER BY split = 'test'")
        return {row[0]: DatasetState(*row) for row in rows}

    def add_dataset(self, split: Split, status: str, message: str, *, created: float | None = None) -> DatasetState:
        with self.writing() as connection:
            created = time.time() if created is None else created
            taken = {state.digits for state in self.datasets().values()} | {self.fact("last_dataset", 0)}
            digits = max(round(created * 1000), max(taken) + 1)
            state = DatasetState(split, digits, created, status, message, "SUCCESS")
            values = (split, digits, created, status, message, state.code)
            connection.execute(
                "INSERT INTO datasets (split, digits, created, status, message, code) VALUES (?, ?, ?, ?, ?, ?)", values
            )
            self.set_facts(last_dataset=max(digits, self.fact("last_dataset", 0)))
            return state

    def set_status(self, split: str, status: str, message: str, code: str = "SUCCESS", *, idle: bool = False) -> bool:
        """Store a dataset's status. Return False if ``idle`` is set and a change is in progress."""
        condition = " AND status NOT LIKE '%IN_PROGRESS'" if idle else ""
        statement = f"UPDATE datasets SET status = ?, message = ?, code = ? WHERE split = ?{condition}"
        with self.writing() as connection:
            return connection.execute(statement, (status, message, code, split)).rowcount > 0

    def remove_dataset(self, split: str) -> None:
        with self.writing() as connection:
            connection.execute("DELETE FROM entries WHERE split = ?", (split,))
            connection.execute("DELETE FROM datasets WHERE split = ?", (split,))

    # -- entries ------------------------------------------------------------------------------------
    def put_entries(self, split: str, entries: Iterable[Entry]) -> None:
        """Add entries, or replace those with the same source-ref, else the same image, in their places."""
        with self.writing() as connection:
            labels = dict(connection.execute("SELECT label, id FROM labels").fetchall())
            by_source: dict[str, int] = {}
            by_image: dict[str, int] = {}
            for number, source, image in self.rows("SELECT id, source, image FROM entries WHERE split = ?", split):
                by_source[source] = by_image[image] = number
            numbers = set(by_source.values())
            last = self.rows("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'entries'")[0][0]
            rows, links = [], []
            for entry in entries:
                number = by_source.get(entry.source) or by_image.get(entry.image) or (last := last + 1)
                findings = json.dumps(entry.findings) if entry.findings else None
                rows.append(
                    (number, split, entry.image, entry.source, entry.line, entry.labelled, findings, entry.state)
                )
                links += [(number, labels.setdefault(name, len(labels) + 1), on) for name, on in entry.labels.items()]
            self.remove_entries([row[0] for row in rows if row[0] in numbers])
            connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT OR IGNORE INTO labels (label, id) VALUES (?, ?)", labels.items())
            connection.executemany("INSERT INTO entry_labels VALUES (?, ?, ?)", links)

    def move_entries(self, ids: Sequence[int], split: str) -> None:
        with self.writing() as connection:
            connection.executemany(
                "UPDATE OR REPLACE entries SET split = ? WHERE id = ?", [(split, each) for each in ids]
            )

    def remove_entries(self, ids: Sequence[int]) -> None:
        with self.writing() as connection:
            connection.executemany("DELETE FROM entries WHERE id = ?", [(each,) for each in ids])

    def images_of(self, sources: Sequence[str]) -> dict[str, str]:
        """Map source-refs of entries in either dataset to the names of their images."""
        images: dict[str, str] = {}
        for start in range(0, len(sources), 500):
            part = sources[start : start + 500]
            placeholders = ", ".join("?" * len(part))
            images |= dict(self.rows(f"SELECT source, image FROM entries WHERE source IN ({placeholders})", *part))
        return images
