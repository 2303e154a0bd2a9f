"""Reading the history, and taking actions back, inside a transaction that the caller holds.

Taking back is an action like any other: it is refused where somebody changed the same images or labels since, and it
can be taken back itself. Each action that touches an image makes its revision one higher, and so does taking it back;
that is how changes which were taken back are told from those which stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import pandas as pd
from sqlalchemy import Connection, func, select

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError, StaleEditError
from customlabels_nb.store import _putting_back, frames, schema
from customlabels_nb.store._trace import Trace, made_ids, rows_with
from customlabels_nb.store.base import Action
from customlabels_nb.store.database import fetch, load_json, record, unpack

_COLUMNS = ("id", "created", "who", "what", "note", "split", "count", "before", "after", "undoes")
_LOOKED_THROUGH = 200  # later actions that are searched for whoever changed an image


@dataclass(frozen=True)
class _Done:
    """An action of the history that is to be taken back."""

    id: int
    what: str
    split: str | None
    payload: dict[str, Any]


def read_history(connection: Connection, limit: int | None) -> pd.DataFrame:
    """See :meth:`customlabels_nb.store.base.Store.history`."""
    c = schema.history.c
    undoable = (func.length(c.undo) > 0).label("undoable")
    statement = select(*(c[name] for name in _COLUMNS), undoable).order_by(c.id.desc()).limit(limit)
    rows = fetch(connection, statement)
    values = list(zip(*rows, strict=True)) if rows else [()] * (len(_COLUMNS) + 1)
    data = dict(zip((*_COLUMNS, "undoable"), values, strict=True))
    undone = undone_by(connection)
    return pd.DataFrame(
        {
            "id": pd.Series(data["id"], dtype="int64"),
            "created": frames.times(data["created"]),
            **{name: pd.Series(data[name], dtype="str") for name in ("who", "what", "note", "split")},
            "count": pd.Series(data["count"], dtype="int64"),
            **{name: pd.Series([unpack(v) for v in data[name]], dtype=object) for name in ("before", "after")},
            "undoes": pd.Series(data["undoes"], dtype="Int64"),
            "undone_by": pd.Series([undone.get(id_) for id_ in data["id"]], dtype="Int64"),
            "undoable": [
                bool(can) and id_ not in undone for id_, can in zip(data["id"], data["undoable"], strict=True)
            ],
        }
    ).astype({"undoable": bool})


def last_action(connection: Connection) -> int:
    """The id of the newest action, 0 if there is none."""
    return int(connection.scalar(select(func.max(schema.history.c.id))) or 0)


def actions_since(connection: Connection, history_id: int, limit: int | None) -> pd.DataFrame:
    """See :meth:`customlabels_nb.store.base.Store.actions_since`."""
    c = schema.history.c
    columns = (c.id, c.created, c.who, c.what, c.note, c.split, c.count, c.before, c.after)
    rows = fetch(connection, select(*columns).where(c.id > history_id).order_by(c.id).limit(limit))
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    touched = [touched_images(unpack(before), unpack(after)) for before, after in zip(*values[7:], strict=True)]
    return pd.DataFrame(
        {
            "id": pd.Series(values[0], dtype="int64"),
            "created": frames.times(values[1]),
            **{name: pd.Series(values[i], dtype="str") for i, name in enumerate(("who", "what", "note", "split"), 2)},
            "count": pd.Series(values[6], dtype="int64"),
            "images": pd.Series(touched, dtype=object),
        }
    )


def touched_images(before: Any, after: Any) -> list[str]:
    """The images that a line of history speaks of."""
    found: dict[str, None] = {}
    for side in (before, after):
        for key, value in side.items() if isinstance(side, dict) else ():
            if isinstance(value, list) and key in ("images", "train", "test"):
                found |= dict.fromkeys(value)
            elif isinstance(value, dict) and "annotations" in value:
                found[key] = None
    return list(found)


def undone_by(connection: Connection) -> dict[int, int]:
    """Action → the one that took it back, where that stands; an undo that was taken back itself doesn't count."""
    c = schema.history.c
    found: dict[int, int] = {}
    for id_, undoes in fetch(connection, select(c.id, c.undoes).where(c.undoes.is_not(None)).order_by(c.id.desc())):
        if id_ not in found:
            found.setdefault(undoes, id_)
    return found


def undo(connection: Connection, action_id: int | None, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.undo`."""
    done, expected = _checked(connection, action_id, action.who)
    trace = Trace(connection)
    images = _putting_back.put_back(connection, done.payload, trace, expected)
    verb = "redo" if done.what.startswith("undo ") else "undo"
    record(
        connection,
        Action(f"{verb} {done.what.removeprefix('undo ').removeprefix('redo ')}", action.who, action.note),
        split=done.split,
        count=len(images),
        after={"undoes": done.id, "images": images},
        undo=trace.payload(),
        undoes=done.id,
    )
    return len(images)


def refusal(connection: Connection, action_id: int) -> str | None:
    """See :meth:`customlabels_nb.store.overview.Overview.undo_refusal`."""
    try:
        _checked(connection, action_id, "")
    except (NotAllowedError, StaleEditError) as error:
        return str(error)
    return None


def _checked(connection: Connection, action_id: int | None, who: str) -> tuple[_Done, dict[int, int]]:
    """The action that is to be taken back, if it can be, and the revision that each of its images has by now."""
    undone = undone_by(connection)
    done = _choose(connection, action_id, who, undone)
    expected = _expected(connection, done, undone)
    _refuse_changed_images(connection, done, expected)
    _putting_back.refuse_changed_labels(connection, done.payload, f"{done.what!r} (action {done.id})")
    return done, expected


def _choose(connection: Connection, action_id: int | None, who: str, undone: Mapping[int, int]) -> _Done:
    c = schema.history.c
    if action_id is None:
        mine = select(c.id).where(c.who == who, c.undo.is_not(None), c.undoes.is_(None)).order_by(c.id.desc())
        action_id = next((int(row[0]) for row in fetch(connection, mine) if row[0] not in undone), None)
        if action_id is None:
            raise NotAllowedError(
                f"{who!r} has done nothing yet that could be taken back. project.history has the actions of all; "
                "undo(id) takes one of them back."
            )
    try:
        action_id = index(action_id)
    except TypeError as error:
        raise InputError(f"action_id={action_id!r} is no id of an action; project.history has them.") from error
    found = fetch(connection, select(c.id, c.what, c.split, c.undo).where(c.id == action_id))
    if not found:
        raise NotAllowedError(f"There is no action {action_id!r}; project.history has their ids.")
    id_, what, split, payload = found[0]
    if id_ in undone:
        raise NotAllowedError(
            f"{what!r} (action {id_}) was taken back already, by action {undone[id_]}; undo({undone[id_]}) redoes it."
        )
    if payload is None:
        raise NotAllowedError(
            f"{what!r} (action {id_}) can't be taken back: only changes of images, annotations and labels can, "
            "unless an older release made them."
        )
    return _Done(int(id_), what, split, unpack(payload))


def _expected(connection: Connection, done: _Done, undone: Mapping[int, int]) -> dict[int, int]:
    """The revision that each image has by now if nothing stands that was done to it since.

    An image that the action removed has the one that it would have.
    """
    result = dict.fromkeys(made_ids(done.payload, schema.images), 1)
    result |= {int(id_): revision for id_, revision in done.payload.get("revisions", ())}
    for part in done.payload["parts"].get(schema.images.name, ()):
        at = part["columns"].index("revision")
        result |= {row[0]: row[at] + 1 for row in part["rows"]}
    pairs = {id_ for target, by in undone.items() if target > done.id for id_ in (target, by)}
    for payload in _payloads(connection, sorted(pairs)):
        for id_ in _touched_ids(payload):
            if id_ in result:
                result[id_] += 1
    return result


def _payloads(connection: Connection, ids: Sequence[int]) -> Iterable[dict[str, Any]]:
    for _, payload in rows_with(connection, schema.history, ("id", "undo"), ids):
        if payload is not None:
            yield unpack(payload)


def _touched_ids(payload: Mapping[str, Any]) -> set[int]:
    kept = {row[0] for part in payload["parts"].get(schema.images.name, ()) for row in part["rows"]}
    return kept.union(made_ids(payload, schema.images), payload.get("bumped", ()))


def _refuse_changed_images(connection: Connection, done: _Done, expected: Mapping[int, int]) -> None:
    """Refuse if an image that the action changed or made was changed since, or the name of one it removed is taken."""
    parts = done.payload["parts"].get(schema.images.name, ())
    gone = {row[0] for part in parts if part["gone"] for row in part["rows"]}
    names = {row[0]: row[part["columns"].index("image")] for part in parts for row in part["rows"]}
    current = {row[0]: row[1:] for row in rows_with(
        connection, schema.images, ("id", "split", "image", "revision"), expected
    )}  # fmt: skip
    stale = [id_ for id_, revision in expected.items() if id_ not in gone and current.get(id_, (0,))[-1] != revision]
    if stale:
        shown = names.get(stale[0]) or (current[stale[0]][1] if stale[0] in current else "")
        _refuse(connection, done, stale, [names.get(id_) or str(current.get(id_, ("", ""))[1]) for id_ in stale], shown)
    wanted: dict[tuple[str, str], int] = {}
    for part in parts:
        if "split" in part["columns"]:
            split, image = part["columns"].index("split"), part["columns"].index("image")
            wanted |= {(row[split], row[image]): row[0] for row in part["rows"]}
    for split in sorted({split for split, _ in wanted}):
        c = schema.images.c
        there = fetch(connection, select(c.image, c.id).where(c.split == split))
        taken = [(name, id_) for name, id_ in there if wanted.get((split, name), id_) != id_]
        if taken:
            _refuse(connection, done, [id_ for _, id_ in taken], [name for name, _ in taken], taken[0][0])


def _refuse(connection: Connection, done: _Done, ids: Sequence[int], names: Sequence[str], shown: str) -> None:
    who = _who_changed(connection, done.id, ids[0], shown)
    parts = done.payload["parts"].get(schema.annotations.name, ())
    columns = [column.name for column in schema.annotations.columns]
    yours = [found for part in parts if "image_id" in part["columns"] for found in _whole(connection, part, columns)]
    names_of, wanted = dict(zip(ids, names, strict=True)), set(ids)
    theirs = [(columns, row) for row in rows_with(connection, schema.annotations, columns, ids, key="image_id")]
    labels: dict[int, str] = {row[0]: row[1] for row in done.payload["labels"]}
    for part in done.payload["parts"].get(schema.labels.name, ()):
        if "label" in part["columns"]:  # one that the action removed is nowhere else
            labels |= {row[0]: row[part["columns"].index("label")] for row in part["rows"]}
    labels |= dict(fetch(connection, select(schema.labels.c.id, schema.labels.c.label)))
    raise StaleEditError(
        f"{done.what!r} (action {done.id}) can't be taken back: {len(ids)} of its images were changed since, such as "
        f"{shown!r}{who}. Nothing was changed; take that back first.",
        images=[name for name in names if name],
        theirs=_annotations(theirs, names_of, labels),
        yours=_annotations([p for p in yours if p[1][p[0].index("image_id")] in wanted], names_of, labels),
    )


def _whole(
    connection: Connection, part: Mapping[str, Any], columns: Sequence[str]
) -> Iterable[tuple[Sequence[str], Sequence[Any]]]:
    """Rows of annotations with the names of their columns; where only labels were kept, the rest is as it is now."""
    if "created" in part["columns"]:
        return [(part["columns"], row) for row in part["rows"]]
    at, to = part["columns"].index("label_id"), columns.index("label_id")
    labels = {row[0]: row[at] for row in part["rows"]}
    rows = rows_with(connection, schema.annotations, columns, labels)
    return [(columns, (*row[:to], labels[row[0]], *row[to + 1 :])) for row in rows]


def _who_changed(connection: Connection, action_id: int, image_id: int, image: str) -> str:
    """``, by ann with 'update' (action 7)``: the last who touched the image after the action; empty if unknown."""
    c = schema.history.c
    later = fetch(
        connection, select(c.id).where(c.id > action_id).order_by(c.id.desc()).limit(_LOOKED_THROUGH)
    )  # fmt: skip
    for (id_,) in later:
        who, what, before, after, undo_ = fetch(
            connection, select(c.who, c.what, c.before, c.after, c.undo).where(c.id == id_)
        )[0]
        touched = undo_ is not None and image_id in _touched_ids(unpack(undo_))
        if touched or image in touched_images(unpack(before), unpack(after)):
            return f", by {who} with {what!r} (action {id_})"
    return ""


def _annotations(
    rows: Sequence[tuple[Sequence[str], Sequence[Any]]], images: Mapping[int, str], labels: Mapping[int, str]
) -> pd.DataFrame:
    """An annotations table from single rows of the database, each with the names of its columns."""
    found = [dict(zip(columns, row, strict=True)) for columns, row in rows]
    if not found:
        return t.empty(t.ANNOTATION_COLUMNS)
    data = pd.DataFrame(found).assign(
        image=[images[row["image_id"]] for row in found],
        label=[labels.get(row["label_id"], "") for row in found],
        polygon=[load_json(row["polygon"], None) for row in found],
        created=frames.times([row["created"] for row in found]),
    )
    return t.normalise_annotations(data)
