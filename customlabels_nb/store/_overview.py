"""Reading what counting needs, and the list of actions, inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, case, func, select

from customlabels_nb.core import tables as t
from customlabels_nb.store import frames, schema
from customlabels_nb.store._history import undone_by
from customlabels_nb.store._trace import rows_with
from customlabels_nb.store.columns import Array, among, fetch_columns
from customlabels_nb.store.database import fetch

_ACTION_COLUMNS = ("id", "created", "who", "what", "note", "split", "count", "undoes")


def outline_images(connection: Connection, images: Sequence[str] | None) -> pd.DataFrame:
    """See :meth:`customlabels_nb.store.overview.Overview.outline_images`."""
    c, p = schema.images.c, schema.predictions.c
    own = select(c.id, _place(c.split, t.SPLITS), _place(c.status, t.STATUSES), c.created).order_by(c.id)
    if images is not None:
        own = own.where(c.split.in_(t.SPLITS), among(connection, c.image, images))  # the index begins with the split
    numbers, splits, statuses, added = fetch_columns(connection, own, "iiii")
    predicted = select(p.image_id).distinct()
    if images is not None:
        predicted = predicted.where(among(connection, p.image_id, numbers.tolist()))
    return pd.DataFrame(
        {
            "number": numbers,
            "split": pd.Categorical.from_codes(splits, t.SPLITS),
            "status": pd.Categorical.from_codes(statuses, t.STATUSES),
            "added": frames.times(added),
            "predicted": np.isin(numbers, fetch_columns(connection, predicted, "i")[0]),
        }
    )


def outline_annotations(connection: Connection, numbers: Sequence[int] | None) -> pd.DataFrame:
    """See :meth:`customlabels_nb.store.overview.Overview.outline_annotations`."""
    a = schema.annotations.c
    marks = select(a.image_id, a.label_id, a.annotator, a.created)
    if numbers is not None:
        marks = marks.where(among(connection, a.image_id, numbers))
    of, label_ids, people, created = fetch_columns(connection, marks, "iisi")
    return pd.DataFrame(
        {
            "number": of,
            "label": _labels(connection, label_ids),
            "annotator": _named(*pd.factorize(people)),
            "created": frames.times(created),
        }
    )


def _place(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[Any]:
    """Where a text stands among the few that it can be: numbers come from the driver quicker than texts."""
    return case({value: at for at, value in enumerate(values)}, value=column)


def _labels(connection: Connection, ids: Array) -> pd.Categorical:
    c = schema.labels.c
    known, names = fetch_columns(connection, select(c.id, c.label).order_by(c.id), "io")
    return _named(np.searchsorted(known, ids), names)


def _named(codes: Array, names: Array) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))


def image_count(connection: Connection) -> int:
    """See :meth:`customlabels_nb.store.overview.Overview.image_count`."""
    return int(connection.scalar(select(func.count()).select_from(schema.images)) or 0)


def image_names(connection: Connection, numbers: Sequence[int]) -> pd.DataFrame:
    """See :meth:`customlabels_nb.store.overview.Overview.image_names`."""
    rows = rows_with(connection, schema.images, ("id", "split", "image"), numbers)
    return frames.frame(rows, {"number": "int64", "split": "str", "image": "str"})


def actions(connection: Connection, before: int | None, who: str | None, limit: int | None) -> pd.DataFrame:
    """See :meth:`customlabels_nb.store.overview.Overview.actions`."""
    c = schema.history.c
    undoable = (func.length(c.undo) > 0).label("undoable")
    statement = select(*(c[name] for name in _ACTION_COLUMNS), undoable).order_by(c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(c.id < before)
    if who is not None:
        statement = statement.where(c.who == who)
    rows = fetch(connection, statement)
    undone = undone_by(connection)
    values = list(zip(*rows, strict=True)) if rows else [()] * (len(_ACTION_COLUMNS) + 1)
    ids = values[0]
    return pd.DataFrame(
        {
            "id": pd.Series(ids, dtype="int64"),
            "created": frames.times(values[1]),
            **{name: pd.Series(values[at], dtype="str") for at, name in enumerate(("who", "what", "note", "split"), 2)},
            "count": pd.Series(values[6], dtype="int64"),
            "undoes": pd.Series(values[7], dtype="Int64"),
            "undone_by": pd.Series([undone.get(id_) for id_ in ids], dtype="Int64"),
            "undoable": pd.Series([bool(can) and id_ not in undone for id_, can in zip(ids, values[8], strict=True)],
                                  dtype=bool),
        }
    )  # fmt: skip


def actors(connection: Connection) -> dict[str, int]:
    """See :meth:`customlabels_nb.store.overview.Overview.actors`."""
    c = schema.history.c
    found = fetch(connection, select(c.who, func.count()).group_by(c.who).order_by(func.count().desc(), c.who))
    return {str(who): int(count) for who, count in found}


def changes_since(connection: Connection, moment: datetime) -> tuple[int, datetime | None]:
    """See :meth:`customlabels_nb.store.overview.Overview.changes_since`."""
    c = schema.history.c
    changes = select(c.created).where(c.created > frames.from_datetime(moment), c.undo.is_not(None)).subquery()
    count, first = connection.execute(select(func.count(), func.min(changes.c.created)).select_from(changes)).one()
    return int(count), None if first is None else frames.moment(int(first))
