"""Ids of many rows as ranges, and the SQL conditions that select them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_IN_ONE = 1000  # ids per statement
_RUN = 16  # at least this many consecutive ids are queried as a range


def conditions(key: str, ranges: Iterable[Sequence[int]]) -> Iterable[str]:
    """Yield SQL conditions that together select the rows whose ``key`` is in one of the ranges, each row once."""
    single: list[int] = []
    for start, stop in ranges:
        if stop - start >= _RUN:
            yield f"{key} BETWEEN {start} AND {stop - 1}"
        else:
            single += range(start, stop)
        while len(single) >= _IN_ONE:
            yield f"{key} IN ({', '.join(map(str, single[:_IN_ONE]))})"
            del single[:_IN_ONE]
    if single:
        yield f"{key} IN ({', '.join(map(str, single))})"


def runs(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Convert ids to sorted ranges (start, stop)."""
    result: list[tuple[int, int]] = []
    for id_ in sorted({int(id_) for id_ in ids}):
        if result and result[-1][1] == id_:
            result[-1] = (result[-1][0], id_ + 1)
        else:
            result.append((id_, id_ + 1))
    return result
