"""Writing labels, inside a transaction that the caller holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, delete, func, literal, select, update

from customlabels_nb.core.tables import check_label, label_colour
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.store import schema
from customlabels_nb.store._trace import LABEL_FIELDS, Trace, delete_with, update_with
from customlabels_nb.store.base import Action
from customlabels_nb.store.database import Rows, fetch, insert_rows, record, take_ids

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_USES = (schema.annotations, schema.predictions)


def ensure_labels(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Ids of all labels; those of ``names`` that aren't there yet are added at the end, in alphabetical order."""
    c = schema.labels.c
    known = {name: int(id_) for name, id_ in fetch(connection, select(c.label, c.id))}
    for name in sorted(set(names) - known.keys()):
        known[name] = insert_label(connection, name, None)
    return known


def add_labels(
    connection: Connection, labels: Sequence[tuple[str, str | None]], action: Action, *, review: bool
) -> int:
    """See :meth:`customlabels_nb.store.base.Store.add_labels`."""
    names = [check_label(label) for label, _ in labels]
    if len(set(names)) < len(names):
        raise LabelError(f"A label stands twice in {names!r}.")
    for name in names:
        if _find(connection, name) is not None:
            raise LabelError(f"There is a label {name!r} already.")
    if not names:
        return 0
    trace = Trace(connection)
    for name, (_, colour) in zip(names, labels, strict=True):
        insert_label(connection, name, colour)
    trace.note("explicit", True)
    after: dict[str, object] = {"label": names[0]} if len(names) == 1 else {"labels": names}
    done = _send_to_review(connection, trace) if review else []
    if done:
        after["images"] = done
    record(connection, action, count=len(done), after=after, undo=trace.payload())
    return len(done)


def _send_to_review(connection: Connection, trace: Trace) -> list[str]:
    """Make all images that are done need review; returns their names."""
    i = schema.images.c
    ids = [int(row[0]) for row in fetch(connection, select(i.id).where(i.status == "labelled"))]
    rows = trace.keep(schema.images, ids, ("image", "status", "revision"))
    update_with(connection, schema.images, "status = 'needs_review', revision = revision + 1", ids)
    return [str(row[1]) for row in rows]


def rename_label(connection: Connection, label: str, new: str, action: Action) -> int:
    name = check_label(new)
    id_ = _require(connection, label)
    if name == label:
        return 0
    if _find(connection, name) is not None:
        raise LabelError(f"There is a label {name!r} already; merge({label!r}, into={name!r}) makes the two one.")
    trace = Trace(connection)
    trace.keep(schema.labels, [id_], ("label",))
    connection.execute(update(schema.labels).where(schema.labels.c.id == id_).values(label=name))
    count = _count(connection, id_)
    trace.note("bumped", bump_images_of(connection, id_))
    after = {"label": name, "images": _images_of(connection, id_)}
    record(connection, action, count=count, before={"label": label}, after=after, undo=trace.payload())
    return count


def merge_labels(connection: Connection, label: str, into: str, action: Action) -> int:
    id_, target = _require(connection, label), _require(connection, into)
    if id_ == target:
        raise LabelError(f"The label {label!r} can't be merged into itself.")
    trace = Trace(connection)
    before = dict(zip(LABEL_FIELDS, trace.keep(schema.labels, [id_], gone=True)[0], strict=True))
    count, carriers = 0, set()
    for table in _USES:
        own = _marks_of(connection, table, id_)
        if table is schema.annotations:
            count, carriers = len(own), {row[1] for row in own}
        doubled = _doubled(connection, table, own, target)
        trace.keep(table, doubled, gone=True)
        delete_with(connection, table, doubled)
        # of what only changes its label, only that is kept
        columns = ("id", "image_id", "label_id", *(["model"] if "model" in table.c else []))
        rows = [(row[0], row[1], id_, row[3])[: len(columns)] for row in own if row[0] not in doubled]
        trace.keep_known(table, columns, rows)
        connection.execute(update(table).where(table.c.label_id == id_).values(label_id=target))
    images = [str(row[1]) for row in trace.keep(schema.images, carriers, ("image", "status", "revision"))]
    update_with(connection, schema.images, "revision = revision + 1", carriers)
    connection.execute(delete(schema.labels).where(schema.labels.c.id == id_))
    after = {"label": into, "images": images}
    record(connection, action, count=count, before=before, after=after, undo=trace.payload())
    return count


def _marks_of(connection: Connection, table: Table, id_: int) -> Rows:
    """Id, image, whether it is about the whole image, and model (if it has one) of all that carries a label."""
    c = table.c
    model = c.model if "model" in c else literal("")
    return fetch(connection, select(c.id, c.image_id, c["left"].is_(None), model).where(c.label_id == id_))


def _doubled(connection: Connection, table: Table, own: Rows, target: int) -> set[int]:
    """Those of ``own`` that are about a whole image which has ``target`` already: it keeps one of them."""
    whole = [row for row in own if row[2]]
    if not whole:
        return set()
    there = {(row[1], row[3]) for row in _marks_of(connection, table, target) if row[2]}
    return {row[0] for row in whole if (row[1], row[3]) in there}


def remove_label(connection: Connection, label: str, action: Action, with_annotations: bool) -> int:
    id_ = _require(connection, label)
    count = _count(connection, id_)
    if count and not with_annotations:
        raise LabelError(
            f"The label {label!r} is used by {count:,} annotations. Remove it with them "
            f"(with_annotations=True), or merge it into another label."
        )
    before = _state(connection, label, id_)
    images = schema.images.c
    touched = [
        int(row[0])
        for row in fetch(
            connection,
            select(schema.annotations.c.image_id).where(schema.annotations.c.label_id == id_).distinct(),
        )
    ]
    before["images"] = _images_of(connection, id_)
    trace = _traced(connection, id_)
    bump_images_of(connection, id_)
    for table in _USES:
        connection.execute(delete(table).where(table.c.label_id == id_))
    connection.execute(delete(schema.labels).where(schema.labels.c.id == id_))
    if touched:
        # an image that lost its last annotation is no longer done
        bare = ~select(schema.annotations.c.id).where(schema.annotations.c.image_id == images.id).exists()
        low, high = min(touched), max(touched)
        lost = set(touched)
        rows = fetch(
            connection, select(images.id).where(images.id.between(low, high), images.status == "labelled", bare)
        )
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        changes = [(int(row[0]),) for row in rows if int(row[0]) in lost]
        if changes:
            connection.exec_driver_sql(f"UPDATE images SET status = 'unlabelled' WHERE id = {mark}", changes)
    record(connection, action, count=count, before=before, undo=trace.payload())
    return count


def reorder_labels(connection: Connection, labels: Sequence[str], action: Action) -> None:
    c = schema.labels.c
    old = [str(row[0]) for row in fetch(connection, select(c.label).order_by(c.position))]
    if len(set(labels)) != len(labels):
        raise LabelError(f"A label stands twice in {list(labels)!r}.")
    for name in labels:
        if name not in old:
            raise LabelError(f"There is no label {name!r}; there are {old!r}.")
    named = set(labels)
    new = [*labels, *(name for name in old if name not in named)]
    trace = Trace(connection)
    trace.keep(schema.labels, [int(row[0]) for row in fetch(connection, select(c.id))], ("position",))
    for position, name in enumerate(new):
        connection.execute(update(schema.labels).where(c.label == name).values(position=position))
    record(connection, action, before={"order": old}, after={"order": new}, undo=trace.payload())


def recolour_label(connection: Connection, label: str, colour: str, action: Action) -> None:
    id_ = _require(connection, label)
    old = connection.scalar(select(schema.labels.c.colour).where(schema.labels.c.id == id_))
    trace = Trace(connection)
    trace.keep(schema.labels, [id_], ("colour",))
    connection.execute(update(schema.labels).where(schema.labels.c.id == id_).values(colour=_check_colour(colour)))
    record(
        connection,
        action,
        before={"label": label, "colour": old},
        after={"label": label, "colour": colour},
        undo=trace.payload(),
    )


def insert_label(connection: Connection, name: str, colour: str | None) -> int:
    """Insert a label at the end; returns its id."""
    c = schema.labels.c
    last = connection.scalar(select(func.max(c.position)))
    position = 0 if last is None else int(last) + 1
    id_ = take_ids(connection, schema.labels, 1)[0]
    chosen = label_colour(id_ - 1) if colour is None else _check_colour(colour)
    insert_rows(connection, schema.labels, ("id", "label", "colour", "position"), [(id_, name, chosen, position)])
    return id_


def _check_colour(colour: str) -> str:
    if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
        raise InputError(f"colour={colour!r} is not a colour such as '#c8553d'.")
    return colour.lower()


def _find(connection: Connection, label: str) -> int | None:
    found = connection.scalar(select(schema.labels.c.id).where(schema.labels.c.label == label))
    return None if found is None else int(found)


def _require(connection: Connection, label: str) -> int:
    found = _find(connection, label)
    if found is None:
        names = [
            str(row[0]) for row in fetch(connection, select(schema.labels.c.label).order_by(schema.labels.c.position))
        ]
        raise LabelError(f"There is no label {label!r}; there are {names[:20]!r}.")
    return found


def _count(connection: Connection, id_: int) -> int:
    a = schema.annotations
    return int(connection.scalar(select(func.count()).select_from(a).where(a.c.label_id == id_)) or 0)


def _state(connection: Connection, label: str, id_: int) -> dict[str, object]:
    """What is needed to bring a label back: its row and its annotations."""
    a, c = schema.annotations, schema.labels.c
    colour, position = fetch(connection, select(c.colour, c.position).where(c.id == id_))[0]
    rows = fetch(connection, select(a).where(a.c.label_id == id_))
    return {"label": label, "colour": colour, "position": position, "annotations": [list(row) for row in rows]}


def _traced(connection: Connection, id_: int) -> Trace:
    """A trace that has a label, whatever carries it, and its images."""
    trace = Trace(connection)
    trace.keep(schema.labels, [id_], gone=True)
    for table in _USES:
        own = fetch(connection, select(table.c.id).where(table.c.label_id == id_))
        trace.keep(table, [int(row[0]) for row in own], gone=True)
    trace.keep(schema.images, _image_ids_of(connection, id_), ("image", "status", "revision"))
    return trace


def _image_ids_of(connection: Connection, id_: int) -> list[int]:
    a = schema.annotations.c
    return [int(row[0]) for row in fetch(connection, select(a.image_id).where(a.label_id == id_).distinct())]


def _images_of(connection: Connection, id_: int) -> list[str]:
    a, i = schema.annotations.c, schema.images.c
    own = select(i.image).where(i.id.in_(select(a.image_id).where(a.label_id == id_))).order_by(i.id)
    return [str(row[0]) for row in fetch(connection, own)]


def bump_images_of(connection: Connection, id_: int) -> list[int]:
    """Make the revisions of all images that carry the label one higher; returns their ids."""
    a, i = schema.annotations.c, schema.images.c
    own = _image_ids_of(connection, id_)
    connection.execute(
        update(schema.images)
        .where(i.id.in_(select(a.image_id).where(a.label_id == id_)))
        .values(revision=i.revision + 1)
    )
    return own
