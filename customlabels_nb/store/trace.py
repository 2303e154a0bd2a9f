"""Undo log: the rows that an action changes, stored with the action's history entry.

A trace contains the previous state of changed and deleted rows, and the ids of new rows. Ids are never reused, so
a deleted row can be restored with its original id and position.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

from customlabels_nb.store import schema
from customlabels_nb.store.counts import CountChanges
from customlabels_nb.store.database import Rows, counter, counters, take_ids
from customlabels_nb.store.id_ranges import conditions, runs

#: Tables that can be restored, in the order of insertion. Rows are deleted in the reverse order.
TABLES = (
    schema.labels, schema.images, schema.annotations, schema.predictions, schema.issues, schema.import_lines
)  # fmt: skip
MARKS = (schema.annotations, schema.predictions)
#: Counter of the first revision of new images. It exceeds those of all images that were removed or moved, and may be
#: added again.
FIRST_REVISION = "first revision"
LABEL_FIELDS = ("id", "label", "color", "position")


class Trace:
    """Collector of an action's changes. Writers take turns, so all new ids belong to this action."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first = dict(counters(connection))
        self._parts: dict[str, list[dict[str, Any]]] = {}
        self._returned: dict[str, list[int]] = {}
        self._more: dict[str, Any] = {}
        self._counts = CountChanges(connection)

    def keep(
        self,
        table: Table,
        ids: Iterable[int],
        columns: Sequence[str] | None = None,
        *,
        key: str = "id",
        gone: bool = False,
    ) -> Rows:
        """Store the current state of the rows whose ``key`` is in ``ids``, and return them with the id first."""
        names = ["id", *(c.name for c in table.columns if c.name != "id" and (columns is None or c.name in columns))]
        rows = rows_with(self._connection, table, names, ids, key=key)
        self.keep_known(table, names, rows, gone=gone)
        return rows

    def keep_known(self, table: Table, columns: Sequence[str], rows: Rows, *, gone: bool = False) -> None:
        """Store rows that have already been read and not yet changed. The first of ``columns`` must be the id."""
        if table is schema.images or table is schema.annotations:
            position = columns.index("id" if table is schema.images else "image_id")
            self._counts.leave(row[position] for row in rows)
        if rows and table is schema.images and "split" in columns:
            last = max(row[columns.index("revision")] for row in rows)
            if (more := last + 1 - counter(self._connection, FIRST_REVISION)) > 0:
                take_ids(self._connection, FIRST_REVISION, more)
        if rows:
            self._parts.setdefault(table.name, []).append({"columns": list(columns), "rows": rows, "gone": gone})

    def merge_counts(self, label: int, into: int, both: Collection[int]) -> None:
        """Count a label as another one, before any change. Only the images with ``both`` are counted again."""
        self._counts.leave(both)
        self._counts.merge(label, into)

    def returned(self, table: Table, ids: Iterable[int]) -> None:
        """Record rows that are restored with their previous ids."""
        self._returned.setdefault(table.name, []).extend(ids)

    def note(self, key: str, value: Any) -> None:
        self._more[key] = value

    def payload(self) -> dict[str, Any]:
        """Return the trace as JSON-compatible data, and count the changes. Call this once, after all of them."""
        made: dict[str, list[tuple[int, int]]] = {}
        now = counters(self._connection)
        for table in TABLES:
            first, last = self._first.get(table.name, 1), now.get(table.name, 1)
            parts = [(first, last)] if last > first else []
            parts += runs(self._returned.get(table.name, []))
            if parts:
                made[table.name] = parts
        self._counts.arrive(made.get(schema.images.name, []))
        return {
            "parts": self._parts,
            "made": made,
            "labels": self._labels_in_use(),
            "labels_after": self._labels_after(made.get(schema.labels.name, [])),
            "models": self._models(),
            "first_revision": now.get(FIRST_REVISION, 1),
            **self._more,
        }

    def _labels_after(self, made: Sequence[tuple[int, int]]) -> list[list[Any]]:
        """Return the labels that the action changed or created, in their new state."""
        ids = {row[0] for part in self._parts.get(schema.labels.name, []) for row in part["rows"]}
        ids.update(chain.from_iterable(range(*part) for part in made))
        return [list(row) for row in rows_with(self._connection, schema.labels, LABEL_FIELDS, ids)]

    def _labels_in_use(self) -> list[list[Any]]:
        """Return the labels of the stored annotations, because labels may be deleted before these are restored."""
        used = {row[position] for rows, position in self._columns(MARKS, "label_id") for row in rows}
        return [list(row) for row in rows_with(self._connection, schema.labels, LABEL_FIELDS, used)]

    def _models(self) -> dict[str, int]:
        """Return the change number of each model with stored predictions."""
        names = {row[position] for rows, position in self._columns([schema.predictions], "model") for row in rows}
        return {name: prediction_changes(self._connection, name) for name in sorted(names)}

    def _columns(self, tables: Iterable[Table], column: str) -> Iterable[tuple[Rows, int]]:
        for part in chain.from_iterable(self._parts.get(table.name, []) for table in tables):
            if column in part["columns"]:
                yield part["rows"], part["columns"].index(column)


def prediction_changes(connection: Connection, model: str) -> int:
    """Return a number that increases whenever a model's predictions are replaced or deleted."""
    return counter(connection, _counter_of(model))


def note_prediction_change(connection: Connection, model: str) -> None:
    take_ids(connection, _counter_of(model), 1)


def _counter_of(model: str) -> str:
    return f"predictions of {model}"


def rows_with(
    connection: Connection, table: Table, columns: Sequence[str], ids: Iterable[int], *, key: str = "id"
) -> Rows:
    """Select columns of the rows whose ``key`` is in ``ids``, sorted by key and id. Missing rows are ignored."""
    quote = connection.dialect.identifier_preparer.quote
    select_ = f"SELECT {', '.join(map(quote, columns))} FROM {quote(table.name)} WHERE "
    order = f" ORDER BY {quote(key)}, id"
    rows: Rows = []
    for where in conditions(quote(key), runs(ids)):
        # safe from SQL injection: the ids are integers from the database
        result = connection.exec_driver_sql(select_ + where + order)
        rows += result.cursor.fetchall() if result.cursor is not None else []
        result.close()
    return rows


def delete_with(connection: Connection, table: Table, ids: Iterable[int], *, key: str = "id") -> None:
    quote = connection.dialect.identifier_preparer.quote
    for where in conditions(quote(key), runs(ids)):
        connection.exec_driver_sql(f"DELETE FROM {quote(table.name)} WHERE {where}")


def update_with(connection: Connection, table: Table, changes: str, ids: Iterable[int]) -> None:
    """Update the rows with these ids. ``changes`` is trusted SQL, such as ``revision = revision + 1``."""
    quote = connection.dialect.identifier_preparer.quote
    for where in conditions(quote("id"), runs(ids)):
        connection.exec_driver_sql(f"UPDATE {quote(table.name)} SET {changes} WHERE {where}")


def made_ids(payload: Mapping[str, Any], table: Table) -> list[int]:
    return [id_ for start, stop in payload["made"].get(table.name, ()) for id_ in range(start, stop)]
