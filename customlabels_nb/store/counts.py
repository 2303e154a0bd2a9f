"""Counts of images, annotations and boxes by dataset, status and label, kept up to date by every action.

An action subtracts what its images counted for before it, and adds what they count for after it, in its transaction.
Nothing has to be scanned to show how much a project contains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, repeat

from sqlalchemy import Connection, Insert, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from customlabels_nb.store import schema
from customlabels_nb.store.database import fetch
from customlabels_nb.store.id_ranges import conditions, runs

#: Both counts in one statement: status or label id, and the numbers.
_COUNT = f"""SELECT split, status, NULL, images, annotated, several, boxed, outlined
    FROM ({schema.COUNT_IMAGES}) of_images
    UNION ALL SELECT split, NULL, label_id, images, annotations, boxes, 0, 0 FROM ({schema.COUNT_LABELS}) of_labels"""


class CountChanges:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._subtracted: set[int] = set()
        self._changes: dict[tuple[Table, str, str | int], list[int]] = {}
        self._merged = False

    def leave(self, images: Iterable[int]) -> None:
        """Subtract these images and their annotations, which the action has not changed yet."""
        new = set[int]() if self._merged else set(images) - self._subtracted
        self._subtracted |= new
        self._add(runs(new), -1)

    def merge(self, label: int, into: int) -> None:
        """Count a label as another one. Images that have both must be subtracted, and nothing else may change."""
        n, self._merged = schema.label_counts, True
        for split, _, *numbers in fetch(self._connection, select(n).where(n.c.label_id == label)):
            moved = [sum(pair) for pair in zip(numbers, self._changes.get((n, split, label), repeat(0)), strict=False)]
            self._note((n, split, label), moved, -1)
            self._note((n, split, into), moved, 1)

    def arrive(self, made: Sequence[Sequence[int]]) -> None:
        """Add the images that were subtracted and those in the ranges ``made``, as they are now, and write the sums."""
        self._add(runs(chain(self._subtracted, *(range(*part) for part in made))) if self._subtracted else made, 1)
        for table in (schema.image_counts, schema.label_counts):
            keys = ((key, by) for (of, *key), by in self._changes.items() if of is table and any(by))
            if changes := [dict(zip(table.columns.keys(), (*key, *by), strict=False)) for key, by in keys]:
                self._connection.execute(_adding(self._connection.dialect.name, table), changes)

    def _add(self, images: Sequence[Sequence[int]], sign: int) -> None:
        for where in conditions("i.id", images):
            for split, status, label, *numbers in self._connection.exec_driver_sql(_COUNT.format(where, where)):
                key = (schema.image_counts, split, status) if label is None else (schema.label_counts, split, label)
                self._note(key, numbers, sign)

    def _note(self, key: tuple[Table, str, str | int], numbers: Sequence[int], sign: int) -> None:
        changes = zip(self._changes.get(key, repeat(0)), numbers, strict=False)
        self._changes[key] = [old + sign * int(number) for old, number in changes]


@cache
def _adding(dialect: str, table: Table) -> Insert:
    """Return the statement that inserts rows, or adds their numbers to those of the rows with the same key."""
    insert: sqlite.Insert | postgresql.Insert = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    sums = {column.name: column + insert.excluded[column.name] for column in table.columns if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums)
