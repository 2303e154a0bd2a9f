"""Bulk transfer of columns to and from the database, some thousand rows at a time.

Rows are created as the driver reads them and converted to arrays as it returns them, so that a million rows are never
in memory as tuples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, Table, Text, any_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY

# rows at a time, so that they stay in the processor's cache between the driver and the arrays
_CHUNK = 2_000
_JOINED = 20_000

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
_Single: TypeAlias = str | int | float
#: One value per row, or a single number or string for all rows.
Column: TypeAlias = Array | Sequence[Any] | _Single | None


def plain(values: pd.Series) -> Array | None:
    """Convert a column to an array whose ``tolist`` suits the driver, or to None if all values are missing."""
    missing = np.asarray(values.array.isna())
    if missing.all():
        return None
    result: Array
    if missing.any():
        result = values.to_numpy(dtype=object, copy=True)
        result[missing] = None
    elif isinstance(values.dtype, np.dtype):
        result = values.to_numpy()
    else:
        result = values.to_numpy(dtype="int64" if values.dtype.kind == "i" else object)
    return result


def shared(values: Array) -> Column:
    """Collapse an array of finite numbers to a single number if all are equal."""
    alike = len(values) and (values == values[0]).all()
    return float(values[0]) if alike and values.dtype.kind == "f" else int(values[0]) if alike else values


def insert_columns(connection: Connection, table: Table, columns: Mapping[str, Column]) -> None:
    """Insert rows given as columns. A column that is None stays empty, and a single value applies to all rows."""
    there = {name: column for name, column in columns.items() if column is not None}
    lengths = {len(column) for column in there.values() if not isinstance(column, _Single)}
    if len(lengths) != 1:
        raise ValueError(f"Columns must have the same length. Got lengths {sorted(lengths)!r}.")
    few = lengths == {1} or connection.dialect.name == "sqlite"
    insert = _insert_values if few else _copy_postgresql  # for a single row, COPY needs more round trips to the server
    insert(connection, table, there, lengths.pop())


def _insert_values(connection: Connection, table: Table, columns: Mapping[str, Column], count: int) -> None:
    quote = connection.dialect.identifier_preparer.quote
    # a number shared by all rows is part of the statement, because binding takes time
    fixed = {name: repr(value) for name, value in columns.items() if isinstance(value, int | float)}
    bound = {name: column for name, column in columns.items() if name not in fixed}
    names = ", ".join(map(quote, (*bound, *fixed)))
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    values = ", ".join((*(mark for _ in bound), *fixed.values()))
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({values})"
    for rows in _row_chunks(bound, count):
        connection.exec_driver_sql(statement, list(rows))


def _copy_postgresql(connection: Connection, table: Table, columns: Mapping[str, Column], count: int) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(map(quote, columns))
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN") as copy:
        for rows in _row_chunks(columns, count):
            for row in rows:
                copy.write_row(row)


def _row_chunks(columns: Mapping[str, Column], count: int) -> Iterator[Iterable[tuple[Any, ...]]]:
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        yield zip(*(_part(column, start, stop) for column in columns.values()), strict=True)


def _part(column: Column, start: int, stop: int) -> Iterable[Any]:
    if isinstance(column, np.ndarray):
        part: list[Any] = column[start:stop].tolist()
        return part
    return repeat(column, stop - start) if column is None or isinstance(column, _Single) else column[start:stop]


def fetch_columns(
    connection: Connection, statement: Select[Any], kinds: str, go_on: Callable[[], None] | None = None
) -> list[Array]:
    """Run a query and return one array per column.

    ``kinds`` has a letter per column: ``i`` integers without nulls (int64), ``f`` numbers (float64, nan for null),
    ``o`` objects as returned by the driver, ``s`` objects with few distinct values (equal values share memory).
    ``go_on`` is called every few thousand rows. If it raises an exception, reading stops.
    """
    result = connection.execute(statement)
    parts: list[list[Array]] = [[] for _ in kinds]
    makers = [_maker(kind) for kind in kinds]
    try:
        cursor = result.cursor
        while cursor is not None and (rows := cursor.fetchmany(_CHUNK)):
            for part, make, column in zip(parts, makers, zip(*rows, strict=True), strict=True):
                part.append(make(column))
            if go_on is not None:
                go_on()
    finally:
        result.close()
    return [np.concatenate(part) if part else make(()) for part, make in zip(parts, makers, strict=True)]


def fetch_joined(connection: Connection, statement: Select[Any], kinds: str, *, by: ColumnElement[int]) -> list[Array]:
    """Run a query of most rows of a table like :func:`fetch_columns`, in the order of the integer key ``by``.

    Only the kinds ``i`` and ``s`` are possible. The database joins the values of some thousand rows into one text for
    each column, which is twice as fast as rows of Python objects, and lets other threads run.
    """
    makers = [_maker(kind) for kind in kinds]
    parts: list[list[Array]] = [[make(())] for make in makers]
    start: int | None = 0
    while (start := connection.scalar(select(func.min(by)).where(by >= start))) is not None:
        rows = statement.where(by >= start, by < start + _JOINED).order_by(by).subquery()
        texts = [_joined(connection, column, kind) for column, kind in zip(rows.c, kinds, strict=True)]
        count, *values = connection.execute(select(func.count(), *texts).select_from(rows)).one()
        for part, make, kind, text in zip(parts, makers, kinds, values, strict=True):
            part.append(np.fromstring(text or "", np.int64, sep=",") if kind == "i" else make(json.loads(text)))
            if len(part[-1]) != count:
                raise ValueError(f"{count} rows have only {len(part[-1])} integers")
        start += _JOINED
    return [np.concatenate(part) for part in parts]


def _joined(connection: Connection, column: ColumnElement[Any], kind: str) -> ColumnElement[str]:
    if kind == "i":
        return func.aggregate_strings(cast(column, Text), ",")
    return cast(func.json_group_array(column) if connection.dialect.name == "sqlite" else func.json_agg(column), Text)


def _maker(kind: str) -> Callable[[Sequence[Any]], Array]:
    if kind == "i":
        return lambda values: np.array(values, dtype=np.int64)
    if kind == "f":
        return lambda values: np.array(values, dtype=np.float64)
    seen: dict[Any, Any] = {}

    def make(values: Sequence[Any]) -> Array:
        result = np.empty(len(values), dtype=object)
        if kind == "o":
            result[:] = values
        elif values and values.count(values[0]) == len(values):
            result[:] = seen.setdefault(values[0], values[0])
        else:
            result[:] = [seen.setdefault(value, value) for value in values]
        return result

    return make


def among(connection: Connection, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return an SQL condition that a text or integer column equals one of ``values``, however many there are."""
    wanted = [value for value in values if not isinstance(value, str) or _can_be_stored(value)]
    if len(wanted) == 1:
        return column.__eq__(wanted[0])
    if connection.dialect.name == "sqlite":
        # one JSON parameter: the number of parameters is limited, and parsing is faster than binding
        each = func.json_each(bindparam(None, json.dumps(wanted, ensure_ascii=False), Text)).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(None, wanted, ARRAY(column.type)))


def _can_be_stored(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text))
