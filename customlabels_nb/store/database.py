"""Database connections, transactions and locks, and the differences between SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Select, Table, create_engine, event, inspect, select, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import DatabaseError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.schema import CreateSchema, DropSchema

from customlabels_nb._utils.arguments import surrogate_error
from customlabels_nb._utils.files import is_disk_full
from customlabels_nb._utils.installing import extra_command
from customlabels_nb.errors import (
    ArgumentError,
    CustomLabelsError,
    DamagedError,
    InputError,
    MissingDependencyError,
    SchemaTooNewError,
    SchemaTooOldError,
    StoreError,
)
from customlabels_nb.store import schema as tables
from customlabels_nb.store.records import Action, WriteResult

_BUSY_SECONDS = 60
_CONNECT_SECONDS = 10
_DEADLOCK = "40P01"
_DROP_ATTEMPTS = 5
_QUEUE_SECONDS = 5
_LARGE_PAYLOAD = 2**20
_READ_ONLY = {"mode": "ro", "immutable": "1", "uri": "true"}


class UnreadableValueError(ValueError):
    """Raised when a stored value does not have the expected type."""


_BY_DAMAGED_VALUES = (UnreadableValueError, sqlite3.Error, zlib.error, json.JSONDecodeError, UnicodeDecodeError)
_BY_DAMAGED_ROWS = (*_BY_DAMAGED_VALUES, LookupError, ValueError, TypeError, ArithmeticError, AttributeError)
Rows = list[tuple[Any, ...]]


def now_us() -> int:
    """Return the current time as stored: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def dump_json(value: Any) -> str | None:
    """Serialise a structured value to JSON. Return None if the value is empty."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str) if value else None


def load_json(value: str | None, empty: Any) -> Any:
    """Parse the value of a JSON column. Return ``empty`` if it is null."""
    parsed = json.loads(value) if value else empty
    if empty is not None and type(parsed) is not type(empty):
        raise UnreadableValueError(f"a {type(parsed).__name__} is stored instead of a {type(empty).__name__}")
    return parsed


def pack(value: Any) -> bytes | None:
    """Compress a value into a history payload. Return None if the value is empty, and bytes unchanged."""
    if isinstance(value, bytes):
        return value
    text_ = dump_json(value)
    if text_ is None:
        return None
    data = text_.encode("utf-8", "surrogatepass")
    return zlib.compress(data, 6 if len(data) < _LARGE_PAYLOAD else 1)  # 4 times as fast, less than twice the size


def unpack(value: bytes | None) -> Any:
    return None if value is None else json.loads(zlib.decompress(bytes(value)).decode("utf-8", "surrogatepass"))


class Database:
    """Database of one project, in an SQLite file or a PostgreSQL ``schema``."""

    def __init__(self, location: str, schema: str | None = None) -> None:
        self.location = location
        self.schema = schema
        self.url = _url(location)
        self.read_only = self.is_sqlite and _is_read_only(location)
        self.engine = _engine(self.url, schema, read_only=self.read_only)
        self._file: tuple[int, int] | None = None
        self._finalizer = weakref.finalize(self, self.engine.dispose)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def close(self) -> None:
        self._finalizer()

    def create(self, name: str, task: str | None) -> None:
        with self.write(lock=False) as connection:
            if self.schema:
                connection.execute(CreateSchema(self.schema))
            tables.metadata.create_all(connection, checkfirst=False)
            now = now_us()
            insert_rows(connection, tables.meta, ("key", "value"), [(tables.FORMAT_KEY, tables.FORMAT)])
            insert_rows(
                connection,
                tables.project,
                ("id", "name", "task", "status", "status_message", "created", "updated"),
                [(1, name, task, "CREATED", "", now, now)],
            )

    def check_format(self) -> None:
        """Migrate a database of an earlier release to the current format."""
        if self._format() == tables.FORMAT:
            return
        with self.write() as connection:
            current = self._format(connection)  # again: another process may have migrated it
            if not re.fullmatch(r"\d{1,4}\.\d{1,4}", current):
                raise UnreadableValueError(f"format {current!r}")
            while current in tables.MIGRATIONS:
                current, migrate = tables.MIGRATIONS[current]
                migrate(connection)
            if current != tables.FORMAT:
                raise SchemaTooNewError(
                    f"The project's database {self.shown} has format {current}, but this release of customlabels_nb "
                    f"reads formats up to {tables.FORMAT}. Upgrade customlabels_nb to open it. Nothing was changed."
                )
            connection.execute(
                update(tables.meta).where(tables.meta.c.key == tables.FORMAT_KEY).values(value=tables.FORMAT)
            )

    def _format(self, connection: Connection | None = None) -> str:
        if connection is None:
            with self.read() as opened:
                return self._format(opened)
        if not inspect(connection).has_table("meta", schema=self.schema):
            raise StoreError(f"{self.shown} is not a project's database: the table 'meta' is missing.")
        keys = (tables.FORMAT_KEY, tables.EARLY_KEY)
        rows = connection.execute(select(tables.meta).where(tables.meta.c.key.in_(keys)))
        values: dict[str, str] = {row.key: row.value for row in rows}
        if tables.FORMAT_KEY not in values and tables.EARLY_KEY in values:
            raise SchemaTooOldError(
                f"The project's database {self.shown} was written before customlabels_nb 1.0. Open the project with "
                f"commit {tables.EARLY_COMMIT} of customlabels_nb, and export its datasets to import them here."
            )
        return values.get(tables.FORMAT_KEY, "")

    @property
    def shown(self) -> str:
        """Database as shown in messages: the file path, or the URL without its password."""
        return repr(self.location) if self.is_sqlite else repr(self.url.render_as_string(hide_password=True))

    def drop(self) -> None:
        if self.is_sqlite:
            self.close()
            for suffix in ("", "-wal", "-shm"):
                Path(self.location + suffix).unlink(missing_ok=True)
            return
        for remaining in reversed(range(_DROP_ATTEMPTS)):
            try:
                with self.write(lock=False) as connection:
                    if self.schema:
                        connection.execute(DropSchema(self.schema, cascade=True, if_exists=True))
                    else:
                        tables.metadata.drop_all(connection)
                break
            except StoreError as error:  # programs that read several tables can cause a deadlock
                if not remaining or getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) != _DEADLOCK:
                    raise
        self.close()

    @contextmanager
    def read(self, *, once: bool = False) -> Iterator[Connection]:
        """Open a read transaction on a consistent snapshot. With ``once``, run a single query without a transaction."""
        with self._translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="AUTOCOMMIT" if once else "REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, *, lock: bool = True, check_keys: bool = True) -> Iterator[Connection]:
        """Open a write transaction after waiting for other writers. Commit at the end, or roll back on any error.

        With ``check_keys=False``, SQLite does not check the foreign keys of new rows. This is only safe if the ids they
        refer to were read or created in the same transaction and nothing is deleted in it.
        """
        with self._translated(), self._turn(), self.engine.connect() as connection:
            connection.execution_options(customlabels_write=True, customlabels_counters={})
            with self._keys_unchecked(connection, not check_keys), connection.begin():
                if lock and not self.is_sqlite:
                    connection.exec_driver_sql(f"SELECT id FROM {tables.project.name} FOR UPDATE")
                yield connection
                self._check_file()

    def _check_file(self) -> None:
        """Raise StoreError if the file is no longer the one that was opened, because changes would be lost."""
        now = None
        with suppress(OSError):
            now = (status := os.stat(self.location)).st_dev, status.st_ino
        self._file = self._file or now
        if self._file != now:
            text = f"The project's database {self.shown} was moved, replaced or deleted. Nothing was written."
            raise StoreError(f"{text} Open the project again, from its current folder.")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Queue behind earlier writers, because SQLite alone serves whichever process retries first.

        The queue is a lock on the folder, released when the process that holds it ends. It is only for fairness, since
        SQLite itself protects the data: if such locks are not supported, or the queue does not advance, the transaction
        starts without it.
        """
        folder = None
        try:
            with suppress(ImportError, OSError):
                import fcntl

                if self.is_sqlite:
                    folder = os.open(os.path.dirname(os.path.abspath(str(self.url.database))), os.O_RDONLY)
                    try:
                        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:  # wait in a thread, because flock has no timeout
                        waiting = Thread(target=fcntl.flock, args=(folder, fcntl.LOCK_EX), daemon=True)
                        waiting.start()
                        waiting.join(_QUEUE_SECONDS)
            yield
        finally:
            if folder is not None:
                with suppress(OSError):
                    fcntl.flock(folder, fcntl.LOCK_UN)  # a forked child process may still have it open
                os.close(folder)

    @contextmanager
    def _keys_unchecked(self, connection: Connection, wanted: bool) -> Iterator[None]:
        if not (wanted and self.is_sqlite):
            yield
            return
        direct: Any = connection.connection.driver_connection  # SQLite accepts this only outside of transactions
        direct.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            direct.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate driver errors to StoreError, and errors caused by damaged rows to DamagedError."""
        if not self._finalizer.alive:
            raise StoreError(f"The project's database {self.shown} was closed. Open the project again.")
        self._check_file()
        damage = _BY_DAMAGED_ROWS if self.is_sqlite else _BY_DAMAGED_VALUES  # a server enforces column types
        try:
            yield
        except CustomLabelsError:
            raise
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        except DBAPIError as error:
            raise self._translate(error) from error
        except damage as error:
            text = f"The project's database {self.shown} contains unreadable data ({type(error).__name__}: {error})."
            raise DamagedError(f"{text} {self._way_back()} Nothing was written.") from error

    def _translate(self, error: DBAPIError) -> CustomLabelsError:
        """Return the error of this package for an error of the driver."""
        cause, kind = str(error.orig), StoreError
        if is_disk_full(error):
            hint = "The disk is full. Free some space and try again."
        elif "locked" in cause and self.is_sqlite:
            hint = f"Another program has locked it for more than {_BUSY_SECONDS} s. Close that program and retry."
        elif "readonly" in cause or "read-only" in cause:
            hint = "It is not writable. Check the permissions of the file and of its folder."
        elif "unable to open" in cause:
            hint = "Check that the folder exists and is writable."
        elif "binding parameter" in cause or "cannot adapt type" in cause:
            return ArgumentError(f"A value is neither text nor a number ({cause}). Nothing was written.")
        elif self.is_sqlite and type(error) in (DatabaseError, OperationalError):
            kind, hint = DamagedError, self._way_back()
        else:
            hint = "See the cause below."
        return kind(f"The project's database {self.shown} failed ({cause.strip()}). {hint} "
                    "No part of this action was written.")  # fmt: skip

    def _way_back(self) -> str:
        """Return advice for recovering a damaged database, including the newest readable snapshot."""
        c, way = tables.snapshots.c, "restore a backup of the project, or a file written by project.pack."
        newest = select(c.name, c.created, c.content).order_by(c.id.desc())
        with suppress(Exception), self.engine.connect() as connection:
            for name, created, content in connection.execute(newest):
                with suppress(*_BY_DAMAGED_ROWS):
                    unpack(content)
                    taken = datetime.fromtimestamp(created / 1e6).isoformat(" ", "minutes")
                    way = f"use project.snapshots.restore({name!r}) to restore the snapshot taken {taken}, or {way}"
                    break
        copy = "Copy the project's folder first" if self.is_sqlite else "Save the database with pg_dump first"
        return f"It may be damaged. {copy}, then {way}"


def _url(location: str) -> URL:
    if "://" not in location:
        return URL.create("sqlite", database=location)
    try:
        url = make_url(location)
    except UrlError as error:
        # do not show the URL, which may contain a password
        raise InputError("store= must be a database URL, such as 'postgresql://user@host/name'.") from error
    if url.get_backend_name() == "sqlite":
        return url
    if url.get_backend_name() != "postgresql":
        raise InputError(f"store={url.render_as_string()!r} must be an SQLite or PostgreSQL URL.")
    return url if "+" in url.drivername else url.set(drivername="postgresql+psycopg")


def _is_read_only(path: str) -> bool:
    there = os.path.exists(path)
    return there and not (os.access(path, os.W_OK) and os.access(os.path.dirname(os.path.abspath(path)), os.W_OK))


def _engine(url: URL, schema: str | None, *, read_only: bool) -> Engine:
    if read_only:
        # SQLite cannot write its log in a read-only folder, and can then read only files declared immutable
        url = URL.create("sqlite", database=f"file:{quote(str(url.database))}", query=_READ_ONLY)
    try:
        if url.get_backend_name() != "sqlite":
            options = f"-csearch_path={schema}" if schema else ""
            # keep only one connection open: many kernels share the server's limited connections
            pool = {"pool_size": 1, "max_overflow": 9, "pool_pre_ping": True}
            timeout = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
            engine = create_engine(url, connect_args={"options": options, **timeout}, **pool)
            ping, pinged = engine.dialect.do_ping, weakref.WeakKeyDictionary[Any, float]()

            def ping_unless_fresh(connection: Any) -> bool:
                with DefaultSelector() as news:  # before closing a connection, a server sends something
                    news.register(connection, EVENT_READ)
                    if pinged.get(connection, 0) < time.monotonic() - 1 or news.select(0):
                        ping(connection)
                        pinged[connection] = time.monotonic()
                return True

            engine.dialect.do_ping = ping_unless_fresh  # type: ignore[method-assign, assignment]
            return engine
        engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise MissingDependencyError(
            f"store={url.render_as_string()!r} requires a database driver: {extra_command('postgres')}"
        ) from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # BEGIN is issued explicitly below
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # what is shown as saved also survives a power failure
        connection.execute("PRAGMA cache_size = -65536")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("customlabels_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def fetch(connection: Connection, statement: Select[Any]) -> Rows:
    """Fetch all rows as the driver's tuples, without conversion or row objects."""
    result = connection.execute(statement)
    try:
        return list(result.cursor.fetchall()) if result.cursor is not None else []
    finally:
        result.close()


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert tuples in the order of ``columns`` through the driver's bulk interface."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names = ", ".join(quote(name) for name in columns)
    placeholders = ", ".join([mark] * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {quote(table.name)} ({names}) VALUES ({placeholders})", rows)


def update_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Rows, *, key: str = "id") -> None:
    """Update ``columns`` of the rows whose ``key`` equals the last value of each tuple."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    changes = ", ".join(f"{quote(name)} = {mark}" for name in columns)
    connection.exec_driver_sql(f"UPDATE {quote(table.name)} SET {changes} WHERE {quote(key)} = {mark}", rows)


def counter(connection: Connection, name: str) -> int:
    """Return the next number of a counter, 1 if it has never been used."""
    return counters(connection).get(name, 1)


def counters(connection: Connection) -> dict[str, int]:
    """Return the next number of each counter used so far. In a write transaction, the database is queried once."""
    used: dict[str, int] = connection.get_execution_options().get("customlabels_counters", {})
    if not used:
        used.update(fetch(connection, select(tables.counters.c.name, tables.counters.c.next_id)))
    return used


def take_ids(connection: Connection, table: Table | str, count: int) -> range:
    """Reserve ``count`` ids for a table, or numbers of a named counter. They are never reused."""
    name = table if isinstance(table, str) else table.name
    used = counters(connection)
    start = used.get(name, 1)
    if name not in used:
        insert_rows(connection, tables.counters, ("name", "next_id"), [(name, start + count)])
    else:
        update_rows(connection, tables.counters, ("next_id",), [(start + count, name)], key="name")
    used[name] = start + count
    return range(start, start + count)


def record(
    connection: Connection,
    action: Action,
    *,
    split: str | None = None,
    count: int = 0,
    before: Any = None,
    after: Any = None,
    undo: Any = None,
    undoes: int | None = None,
) -> WriteResult:
    """Write an action to the history, and update the project's modification time."""
    id_, now = take_ids(connection, tables.history, 1)[0], now_us()
    insert_rows(
        connection,
        tables.history,
        ("id", "created", "who", "what", "note", "split", "count", "before", "after", "undo", "undoes"),
        [(id_, now, action.who, action.what, action.note, split, count, pack(before), pack(after), pack(undo), undoes)],
    )
    update_rows(connection, tables.project, ("updated",), [(now, 1)])
    return WriteResult(id_, count)
