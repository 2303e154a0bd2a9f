"""A copy of a project's database in an SQLite file, and other names for its images."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, select

from customlabels_nb.errors import StoreError
from customlabels_nb.store import schema
from customlabels_nb.store.database import Database, insert_rows, pack, unpack, update_rows

_CHUNK = 20_000
_PAYLOADS = ("before", "after", "undo")


def copy_to_sqlite(database: Database, path: str) -> None:
    """Write what the database holds at one moment to a new SQLite file.

    Raises
    ------
    StoreError
        If the file can't be written. What is there of it is of no use.
    """
    try:
        if database.is_sqlite:
            with database.read() as connection, closing(sqlite3.connect(path)) as target:
                source: Any = connection.connection.driver_connection
                source.backup(target)
        else:
            _copy_rows(database, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The database can't be copied to {path!r} ({error}); check the disk's space.") from error


def _copy_rows(database: Database, path: str) -> None:
    target = Database(path)
    try:
        with database.read() as source, target.write(lock=False) as connection:
            schema.metadata.create_all(connection, checkfirst=False)
            for table in schema.metadata.sorted_tables:
                columns = [column.name for column in table.columns]
                result = source.execution_options(yield_per=_CHUNK).execute(select(table))
                for part in result.partitions(_CHUNK):
                    rows = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in part]
                    insert_rows(connection, table, columns, rows)
    finally:
        target.close()


def rename_images(connection: Connection, names: Mapping[str, str]) -> int:
    """Give images other names wherever the database speaks of them; no action, for a copy only. Returns how many."""
    c = schema.images.c
    ids = [(names[name], id_) for id_, name in connection.execute(select(c.id, c.image)) if name in names]
    update_rows(connection, schema.images, ("image",), ids)
    history, snapshots = schema.history.c, schema.snapshots.c
    for (id_,) in connection.execute(select(history.id)).all():
        kept = connection.execute(select(*(history[name] for name in _PAYLOADS)).where(history.id == id_)).one()
        renamed = [pack(_renamed(unpack(value), names)) for value in kept]
        update_rows(connection, schema.history, _PAYLOADS, [(*renamed, id_)])
    for (id_,) in connection.execute(select(snapshots.id)).all():
        content = unpack(connection.scalar(select(snapshots.content).where(snapshots.id == id_)))
        content["images"]["image"] = _renamed(content["images"]["image"], names)
        update_rows(connection, schema.snapshots, ("content",), [(pack(content), id_)])
    return len(ids)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return {names.get(k, k): _renamed(v, names) for k, v in value.items()} if isinstance(value, dict) else value
