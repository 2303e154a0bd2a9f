"""Remember which labels were merged or removed, for answers of labelling jobs and actions that refer to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

from sqlalchemy import Connection, delete, select

from customlabels_nb.store import schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.database import fetch, insert_rows

#: The label that each gone label was merged into, None if it was removed, by id. Notes of undone actions may remain.
GoneLabels: TypeAlias = Mapping[int, int | None]
_KEY = "merged label:"  # start of keys in the table ``meta``, followed by the id of a label


def note_gone(connection: Connection, label: int, into: int | None) -> None:
    """Store that a label was merged ``into`` another one, or removed."""
    forget_gone(connection, [label])  # what an undone action stored
    insert_rows(connection, schema.meta, ("key", "value"), [(f"{_KEY}{label}", "" if into is None else str(into))])


def forget_gone(connection: Connection, labels: Collection[int]) -> None:
    """Forget that labels were merged or removed."""
    c = schema.meta.c
    connection.execute(delete(schema.meta).where(among(connection, c.key, [f"{_KEY}{label}" for label in labels])))


def read_gone(connection: Connection) -> GoneLabels:
    c = schema.meta.c
    rows = fetch(connection, select(c.key, c.value).where(c.key.startswith(_KEY, autoescape=True)))
    return {int(key.removeprefix(_KEY)): int(into) if into else None for key, into in rows}


def current_label(label: int, there: Collection[int], gone: GoneLabels) -> int:
    """Return the id of a label, or of the label into which it was merged, which may not be ``there`` either."""
    seen = set[int]()
    while label not in there and label not in seen and (into := gone.get(label)) is not None:
        seen.add(label)
        label = into
    return label
