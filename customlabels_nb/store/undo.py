"""Undo and redo actions of the history inside the caller's transaction.

Undo is itself an action and can be undone. It is refused if the same images or labels have been changed since the
action. Every action on an image, including undo, increments the image's revision. The revisions show which changes
have been undone and which still apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Table, delete, func, select, update

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.errors import NotAllowedError, StaleEditError
from customlabels_nb.store import frames, schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.database import dump_json, fetch, insert_rows, load_json, record, unpack, update_rows
from customlabels_nb.store.gone_labels import current_label, forget_gone, read_gone
from customlabels_nb.store.records import Action, WriteResult
from customlabels_nb.store.trace import MARKS, Trace, delete_with, made_ids, prediction_changes, rows_with
from customlabels_nb.store.writing import bump_images_with_label, dataset_rows, ensure_dataset, note_image_change

_LARGEST_NAMED = 2**16  # bytes of the compressed changes of an action that are read for its labels
_NO_LABEL = (None, None)
_LOOKED_THROUGH = 200  # later actions that are searched for the one that changed an image


def undo_action(
    connection: Connection, action_id: int | None, action: Action, *, back: int | None = None
) -> WriteResult:
    """Undo an action, and the one that it was done with. See :meth:`customlabels_nb.store.sql.SqlStore.undo`.

    Redoing it also redoes ``back``.
    """
    done, expected = _checked(connection, action_id, action.who)
    other = done.payload.get("with")
    trace = Trace(connection)
    images = _put_back(connection, done.payload, trace, expected)
    if not done.what.startswith("undo "):  # a redone merge or removal of a label is noted already
        forget_gone(connection, made_ids(done.payload, schema.labels))
    verb = "redo" if done.what.startswith("undo ") else "undo"
    result = record(
        connection,
        Action(f"{verb} {done.what.removeprefix('undo ').removeprefix('redo ')}", action.who, action.note),
        split=done.split,
        count=len(images),
        after={"undoes": done.id, "images": images},
        undo=trace.payload() | ({"with": back} if back else {}),
        undoes=done.id,
    )
    if other is None or other in undone_by(connection):
        return result
    also = undo_action(connection, other, action, back=result.action)
    return WriteResult(also.action, result.count + also.count)


def undo_refusal(connection: Connection, action_id: int) -> str | None:
    """Return the reason why :func:`undo_action` would refuse to undo an action, or None if it would not."""
    try:
        _checked(connection, action_id, "")
    except (NotAllowedError, StaleEditError) as error:
        return str(error)
    return None


@dataclass(frozen=True)
class _Done:
    id: int
    what: str
    split: str | None
    payload: dict[str, Any]


def touched_images(before: Any, after: Any) -> list[str]:
    """Collect the images named in an entry of the history."""
    names: dict[str, None] = {}
    for side in (before, after):
        for key, value in side.items() if isinstance(side, dict) else ():
            if isinstance(value, list) and key in ("images", "train", "test"):
                names |= dict.fromkeys(value)
            elif isinstance(value, dict) and "annotations" in value:
                names[key] = None
    return list(names)


def touched_labels(before: Any, after: Any) -> tuple[list[str], list[str]]:
    """Collect the labels that an entry of the history names or changes before and after it, most frequent first."""
    before, after = (side if isinstance(side, dict) else {} for side in (before, after))
    result: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    for counts, side in zip(result, (before, after), strict=True):
        named = [side.get("label"), *(side["labels"] if isinstance(side.get("labels"), list) else [])]
        counts.update(name for name in named if isinstance(name, str))  # an image may be called "label"
    for image in {**before, **after}:
        old, new = (_states(side.get(image)) for side in (before, after))
        for counts, changed in zip(result, (old - new, new - old), strict=True):
            counts.update(str(key[0]) for key in changed)
    return [name for name, _ in result[0].most_common()], [name for name, _ in result[1].most_common()]


def _states(change: Any) -> set[tuple[Any, ...]]:
    """Return the annotations of an image in an entry of the history."""
    return (
        {tuple(key) for key in change["annotations"]} if isinstance(change, dict) and "annotations" in change else set()
    )


def labels_of_actions(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[list[str], list[str]]]:
    """Map actions, or those they undo, to their :func:`touched_labels`, except very large edits."""
    c = schema.history.c
    links: dict[int, int] = dict(fetch(connection, select(c.id, c.undoes).where(c.undoes.is_not(None))))
    originals = {}
    for id_ in ids:
        original = id_
        while original in links:
            original = links[original]
        originals[id_] = original
    size = func.coalesce(func.length(c.before), 0) + func.coalesce(func.length(c.after), 0)
    wanted = among(connection, c.id, set(originals.values()))
    rows = fetch(connection, select(c.id, c.before, c.after).where(wanted, size <= _LARGEST_NAMED))
    labels = {id_: touched_labels(unpack(before), unpack(after)) for id_, before, after in rows}
    return {id_: labels[original] for id_, original in originals.items() if original in labels}


def undone_by(connection: Connection) -> dict[int, int]:
    """Map each undone action to the action that undid it, unless that was itself undone."""
    c = schema.history.c
    result: dict[int, int] = {}
    for id_, undoes in fetch(connection, select(c.id, c.undoes).where(c.undoes.is_not(None)).order_by(c.id.desc())):
        if id_ not in result:
            result.setdefault(undoes, id_)
    return result


def _checked(connection: Connection, action_id: int | None, who: str) -> tuple[_Done, dict[int, int]]:
    """Check that an action can be undone. Return it with the expected current revision of each of its images."""
    undone = undone_by(connection)
    done = _choose(connection, action_id, who, undone)
    expected = _expected(connection, done, undone)
    _refuse_changed_images(connection, done, expected)
    _refuse_changed_labels(connection, done.payload, f"{done.what!r} (action {done.id})")
    _refuse_removed_labels(connection, done.payload, f"{done.what!r} (action {done.id})")
    return done, expected


def _choose(connection: Connection, action_id: int | None, who: str, undone: Mapping[int, int]) -> _Done:
    c = schema.history.c
    if action_id is None:
        mine = select(c.id).where(c.who == who, c.undo.is_not(None), c.undoes.is_(None)).order_by(c.id.desc())
        action_id = next((int(row[0]) for row in fetch(connection, mine) if row[0] not in undone), None)
        if action_id is None:
            raise NotAllowedError(
                f"{who!r} has no actions to undo. project.history lists everyone's actions. Use "
                "undo(id) to undo one of them."
            )
    action_id = check_integer("action_id", action_id, 1, otherwise="None for your latest action")
    rows = fetch(connection, select(c.id, c.what, c.split, c.undo).where(c.id == action_id))
    if not rows:
        raise NotAllowedError(f"Action {action_id!r} does not exist. See project.history for the ids.")
    id_, what, split, payload = rows[0]
    if id_ in undone:
        raise NotAllowedError(
            f"{what!r} (action {id_}) has already been undone by action {undone[id_]}. To redo it, "
            f"use undo({undone[id_]})."
        )
    if payload is None:
        raise NotAllowedError(
            f"{what!r} (action {id_}) cannot be undone. Only changes to images, annotations and labels can be undone."
        )
    return _Done(int(id_), what, split, unpack(payload))


def _expected(connection: Connection, done: _Done, undone: Mapping[int, int]) -> dict[int, int]:
    """Compute the revision of each image (also removed) if no later change applies."""
    result = dict.fromkeys(made_ids(done.payload, schema.images), done.payload.get("first_revision", 1))
    result |= {int(id_): revision for id_, revision in done.payload.get("revisions", ())}
    result |= {id_: revision + 1 for id_, revision in _values(done.payload, schema.images, "id", "revision")}
    pairs = {id_ for target, by in undone.items() if target > done.id for id_ in (target, by)}
    for _, payload in rows_with(connection, schema.history, ("id", "undo"), pairs):
        for id_ in () if payload is None else _touched_ids(unpack(payload)):
            if id_ in result:
                result[id_] += 1
    return result


def _touched_ids(payload: Mapping[str, Any]) -> set[int]:
    kept = _values(payload, schema.images, "id")
    return set(kept).union(made_ids(payload, schema.images), payload.get("bumped", ()))


def _refuse_changed_images(connection: Connection, done: _Done, expected: Mapping[int, int]) -> None:
    """Raise StaleEditError if an image of the action was changed later, or its name is taken."""
    gone = {row[0] for part in _parts(done.payload, schema.images) if part["gone"] for row in part["rows"]}
    names = dict(_values(done.payload, schema.images, "id", "image"))
    rows = rows_with(connection, schema.images, ("id", "image", "revision"), expected)
    current = {id_: (image, revision) for id_, image, revision in rows}
    nothing = ("", 0)
    stale = [id_ for id_, revision in expected.items() if id_ not in gone and current.get(id_, nothing)[1] != revision]
    if stale:
        _refuse(connection, done, {id_: names.get(id_) or current.get(id_, nothing)[0] for id_ in stale})
    _refuse_taken_names(connection, done)


def _refuse_taken_names(connection: Connection, done: _Done) -> None:
    """Raise StaleEditError if another image has the dataset and name of one that would come back."""
    values = _values(done.payload, schema.images, "id", "split", "image")
    wanted = {(split, image): id_ for id_, split, image in values}
    for split in sorted({split for split, _ in wanted}):
        c = schema.images.c
        there = fetch(connection, select(c.image, c.id).where(c.split == split))
        if taken := {id_: name for name, id_ in there if wanted.get((split, name), id_) != id_}:
            _refuse(connection, done, taken)


def _refuse(connection: Connection, done: _Done, images: Mapping[int, str]) -> None:
    """Raise StaleEditError for these images (id to name)."""
    shown = next(iter(images.values()))
    who = _who_changed(connection, done.id, next(iter(images)), shown)
    columns = [column.name for column in schema.annotations.columns]
    parts = [part for part in _parts(done.payload, schema.annotations) if "image_id" in part["columns"]]
    yours = [mark for part in parts for mark in _whole(connection, part, columns) if mark["image_id"] in images]
    rows = rows_with(connection, schema.annotations, columns, images, key="image_id")
    theirs = [dict(zip(columns, row, strict=True)) for row in rows]
    if not made_ids(done.payload, schema.annotations):  # the action did not change other images' annotations
        changed = {mark["image_id"] for mark in yours}
        yours += [mark for mark in theirs if mark["image_id"] not in changed]
    labels: dict[int, str] = {row[0]: row[1] for row in done.payload["labels"]}
    labels |= dict(_values(done.payload, schema.labels, "id", "label"))  # only here if the action removed it
    labels |= dict(fetch(connection, select(schema.labels.c.id, schema.labels.c.label)))
    raise StaleEditError(
        f"{done.what!r} (action {done.id}) cannot be undone: {counted(len(images), 'image has', 'images have')} been "
        f"changed since then, for example {shown!r}{who}. Nothing was changed. Undo the later changes first.",
        images=[name for name in images.values() if name],
        theirs=_annotations(theirs, images, labels),
        yours=_annotations(yours, images, labels),
    )


def _whole(connection: Connection, part: Mapping[str, Any], columns: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Return complete annotation rows, taking fields that were not stored from the database."""
    rows = [dict(zip(part["columns"], row, strict=True)) for row in part["rows"]]
    if "created" in part["columns"]:
        return rows
    labels = {row["id"]: row["label_id"] for row in rows}
    stored = rows_with(connection, schema.annotations, columns, labels)
    marks = (dict(zip(columns, row, strict=True)) for row in stored)
    return [{**mark, "label_id": labels[mark["id"]]} for mark in marks]


def _who_changed(connection: Connection, action_id: int, image_id: int, image: str) -> str:
    """Describe the latest action on the image, such as ``, by ann with 'update' (action 7)``. Empty if unknown."""
    c = schema.history.c
    later = select(c.id).where(c.id > action_id).order_by(c.id.desc()).limit(_LOOKED_THROUGH)
    for (id_,) in fetch(connection, later):
        chosen = select(c.who, c.what, c.before, c.after, c.undo).where(c.id == id_)
        who, what, before, after, undo_ = fetch(connection, chosen)[0]
        touched = undo_ is not None and image_id in _touched_ids(unpack(undo_))
        if touched or image in touched_images(unpack(before), unpack(after)):
            return f", by {who} with {what!r} (action {id_})"
    return ""


def _annotations(
    records: Sequence[Mapping[str, Any]], images: Mapping[int, str], labels: Mapping[int, str]
) -> pd.DataFrame:
    """Convert database rows to an annotations table."""
    if not records:
        return t.empty(t.ANNOTATION_COLUMNS)
    data = pd.DataFrame(records).assign(
        image=[images[row["image_id"]] for row in records],
        label=[labels.get(row["label_id"], "") for row in records],
        polygon=[load_json(row["polygon"], None) for row in records],
        created=frames.times([row["created"] for row in records]),
    )
    return t.normalise_annotations(data)


def _put_back(
    connection: Connection, payload: Mapping[str, Any], trace: Trace, expected: Mapping[int, int]
) -> list[str]:
    """Undo the changes in ``payload``, given the revision of each image (if removed, the one it would have)."""
    _datasets_back(connection, payload, trace)
    labels = _labels_instead(connection, payload)
    _labels_back(connection, payload, trace, labels)
    made = made_ids(payload, schema.images)
    touched = [str(row[1]) for row in rows_with(connection, schema.images, ("id", "image"), made)]
    _delete_made(connection, payload, trace, made)
    touched += _images_back(connection, payload, trace, expected)
    for table in MARKS:
        _marks_back(connection, payload, trace, table, labels)
    for table in (schema.issues, schema.import_lines):
        for part in _parts(payload, table):
            insert_rows(connection, table, part["columns"], [tuple(row) for row in part["rows"]])
            trace.returned(table, (row[0] for row in part["rows"]))
    _delete_made_labels(connection, payload, trace)
    _datasets_away(connection, payload, trace)
    if made or any("split" in part["columns"] for part in _parts(payload, schema.images)):
        note_image_change(connection)
    return list(dict.fromkeys(touched))


def _refuse_changed_labels(connection: Connection, payload: Mapping[str, Any], what: str) -> None:
    """Raise NotAllowedError if a label of the action was changed later, or is now in use."""
    c = schema.labels.c
    after = {row[0]: tuple(row[1:]) for row in payload.get("labels_after", ())}
    there = {row[0]: row[1:] for row in fetch(connection, select(c.id, c.label, c.color, c.position))}
    for part in _parts(payload, schema.labels):
        if reason := _label_change(part, after, there):
            raise NotAllowedError(f"{what} cannot be undone: {reason} since then.")
    for id_ in made_ids(payload, schema.labels) if payload.get("explicit") else ():
        if there.get(id_, _NO_LABEL)[:2] != after.get(id_, ())[:2]:
            raise NotAllowedError(f"{what} cannot be undone: a label it created has been changed since then.")
        if uses := _uses(connection, id_):
            raise NotAllowedError(
                f"{what} cannot be undone: label {there[id_][0]!r} is now used by {counted(uses, 'annotation')}."
            )


def _label_change(
    part: Mapping[str, Any], after: Mapping[int, tuple[Any, ...]], there: Mapping[int, tuple[Any, ...]]
) -> str:
    """Return what happened to labels of a part of an action since then, or an empty text."""
    ids = [row[0] for row in part["rows"]]
    if part["columns"] == ["id", "position"]:
        orders = [sorted(ids, key=lambda id_: of[id_][2]) for of in (after, there) if there.keys() >= set(ids)]
        return "" if orders and orders[0] == orders[1] else "labels have been reordered or removed"
    for id_ in ids:
        if there.get(id_, _NO_LABEL)[:2] != after.get(id_, _NO_LABEL)[:2]:
            return f"label {after.get(id_, there.get(id_, _NO_LABEL))[0]!r} has been changed"
    owners = {label: id_ for id_, (label, *_) in there.items()}
    for id_, label in _values({"parts": {schema.labels.name: [part]}}, schema.labels, "id", "label"):
        if id_ in there and owners.get(label, id_) != id_:
            return f"another label {label!r} has been added"
    return ""


def _refuse_removed_labels(connection: Connection, payload: Mapping[str, Any], what: str) -> None:
    """Raise NotAllowedError if annotations would come back with a label that a person removed."""
    removed = {id_ for id_, instead in _labels_instead(connection, payload).items() if instead is None}
    for part in _parts(payload, schema.annotations) if removed else ():
        position = part["columns"].index("label_id")
        if found := removed & {row[position] for row in part["rows"]}:
            name = next(row[1] for row in payload["labels"] if row[0] in found)
            raise NotAllowedError(
                f"{what} cannot be undone: label {name!r} of its annotations has been removed since then. Undo the "
                "removal first, or add the label again."
            )


def _labels_instead(connection: Connection, payload: Mapping[str, Any]) -> dict[int, int | None]:
    """Map labels of an action that do not exist any more to those to use instead. The first rule counts.

    1. The label was merged into another one: that label.
    2. A label of the same name was added again: that label.
    3. A person removed the label: None.

    The others disappeared when nothing used them, and come back.
    """
    c = schema.labels.c
    by_name: dict[str, int] = dict(fetch(connection, select(c.label, c.id)))
    there, own = set(by_name.values()), set(_values(payload, schema.labels, "id"))
    missing = {row[0]: row[1] for row in payload["labels"] if row[0] not in there | own}
    gone = read_gone(connection) if missing else {}
    instead: dict[int, int | None] = {}
    for id_, name in missing.items():
        now = current_label(id_, there, gone)
        if now in there or name in by_name or now in gone:
            instead[id_] = now if now in there else by_name.get(name)
    return instead


def _parts(payload: Mapping[str, Any], table: Table) -> Sequence[Mapping[str, Any]]:
    parts: Sequence[Mapping[str, Any]] = payload["parts"].get(table.name, ())
    return parts


def _values(payload: Mapping[str, Any], table: Table, *columns: str) -> list[Any]:
    """Return a column, or tuples of several, of the stored rows of a table, as far as they have these columns."""
    parts = [part for part in _parts(payload, table) if set(columns) <= set(part["columns"])]
    getters = (itemgetter(*map(part["columns"].index, columns)) for part in parts)
    return [value for part, get in zip(parts, getters, strict=True) for value in map(get, part["rows"])]


def _uses(connection: Connection, label_id: int) -> int:
    counts = (
        connection.scalar(select(func.count()).select_from(table).where(table.c.label_id == label_id))
        for table in MARKS
    )
    return sum(int(count or 0) for count in counts)


def _labels_back(
    connection: Connection, payload: Mapping[str, Any], trace: Trace, instead: dict[int, int | None]
) -> None:
    """Restore changed and removed labels, except those with another one ``instead``."""
    c = schema.labels.c
    there = {row[0] for row in fetch(connection, select(c.id))}
    missing: dict[int, dict[str, Any]] = {
        row[0]: dict(zip(("id", "label", "color", "position"), row, strict=True))
        for row in payload["labels"]
        if row[0] not in there and row[0] not in instead
    }
    bumped: list[int] = []
    for part in _parts(payload, schema.labels):
        rows = [dict(zip(part["columns"], row, strict=True)) for row in part["rows"]]
        missing |= {row["id"]: row for row in rows if row["id"] not in there}
        bumped += _update_labels(connection, part["columns"], [row for row in rows if row["id"] in there], trace)
    trace.note("bumped", bumped)
    by_name: dict[str, int] = dict(fetch(connection, select(c.label, c.id)))
    instead |= {id_: by_name[row["label"]] for id_, row in missing.items() if row["label"] in by_name}
    _insert_labels(connection, [row for id_, row in missing.items() if id_ not in instead], trace)


def _update_labels(
    connection: Connection, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], trace: Trace
) -> list[int]:
    """Restore fields of labels, and return the images that have them if their names change."""
    trace.keep(schema.labels, (row["id"] for row in rows), columns)
    names = columns[1:]
    update_rows(connection, schema.labels, names, [(*(row[name] for name in names), row["id"]) for row in rows])
    return [id_ for row in rows if "label" in names for id_ in bump_images_with_label(connection, row["id"])]


def _insert_labels(connection: Connection, rows: Sequence[Mapping[str, Any]], trace: Trace) -> None:
    """Insert labels at their positions. Those from there on are shifted."""
    c, shifted = schema.labels.c, list[int]()
    for row in sorted(rows, key=itemgetter("position", "id")):
        if connection.scalar(select(c.id).where(c.position == row["position"]).limit(1)) is not None:
            later = update(schema.labels).where(c.position >= row["position"]).values(position=c.position + 1)
            connection.execute(later)
            shifted.append(row["position"])
        insert_rows(connection, schema.labels, list(row), [tuple(row.values())])
    trace.note("shifted", shifted)
    trace.returned(schema.labels, (row["id"] for row in rows))


def _delete_made(connection: Connection, payload: Mapping[str, Any], trace: Trace, images: Sequence[int]) -> None:
    """Delete the rows that the action created, except labels, and all annotations and predictions of new images."""
    for table in MARKS:
        annotated = {int(row[0]) for row in rows_with(connection, table, ("id",), images, key="image_id")}
        made = annotated.union(made_ids(payload, table))
        trace.keep(table, made, gone=True)
        delete_with(connection, table, made)
    for table in (schema.images, schema.issues, schema.import_lines):
        made = set(made_ids(payload, table))
        trace.keep(table, made, gone=True)
        delete_with(connection, table, made)


def _images_back(
    connection: Connection, payload: Mapping[str, Any], trace: Trace, expected: Mapping[int, int]
) -> list[str]:
    """Restore images, either some fields or entire rows. Their revisions keep increasing."""
    touched: list[str] = []
    returned: list[tuple[int, int]] = []
    for part in _parts(payload, schema.images):
        columns, rows = part["columns"], part["rows"]
        image, revision = columns.index("image"), columns.index("revision")
        touched += [row[image] for row in rows]
        if part["gone"]:
            again = [(*row[:revision], expected[row[0]] + 1, *row[revision + 1 :]) for row in rows]
            insert_rows(connection, schema.images, columns, again)
            returned += [(row[0], expected[row[0]] + 1) for row in rows]
            continue
        trace.keep(schema.images, (row[0] for row in rows), columns)
        names = [name for name in columns if name not in ("id", "image", "revision")]
        places = [columns.index(name) for name in names]
        update_rows(
            connection,
            schema.images,
            (*names, "revision"),
            [(*(row[position] for position in places), expected[row[0]] + 1, row[0]) for row in rows],
        )
    trace.returned(schema.images, (id_ for id_, _ in returned))
    trace.note("revisions", returned)
    return touched


def _marks_back(
    connection: Connection, payload: Mapping[str, Any], trace: Trace, table: Table, labels: Mapping[int, int | None]
) -> None:
    """Restore annotations or predictions. Predictions are skipped if the model has newer ones."""
    for part in _parts(payload, table):
        columns: list[str] = part["columns"]
        rows = [tuple(row) for row in part["rows"]]
        rows = _still_valid(connection, payload, columns, rows) if table is schema.predictions else rows
        rows = _with_labels(rows, columns, labels) if labels else rows
        if "created" not in columns:  # the action only changed their labels
            trace.keep(table, (row[0] for row in rows), columns)
            update_rows(connection, table, ("label_id",), list(map(itemgetter(columns.index("label_id"), 0), rows)))
            continue
        there = {row[0] for row in trace.keep(table, (row[0] for row in rows))}
        delete_with(connection, table, there)
        insert_rows(connection, table, columns, rows)
        trace.returned(table, (row[0] for row in rows if row[0] not in there))


def _still_valid(
    connection: Connection, payload: Mapping[str, Any], columns: list[str], rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Return the predictions of images that exist, by models without newer ones."""
    model, image = columns.index("model"), columns.index("image_id")
    models = {name for name, changes in payload["models"].items() if prediction_changes(connection, name) == changes}
    images = {row[0] for row in rows_with(connection, schema.images, ("id",), {row[image] for row in rows})}
    return [row for row in rows if row[model] in models and row[image] in images]


def _with_labels(
    rows: Sequence[tuple[Any, ...]], columns: list[str], labels: Mapping[int, int | None]
) -> list[tuple[Any, ...]]:
    """Replace labels of annotations, leaving out those of removed labels, and image-level ones that are then double."""
    label = columns.index("label_id")
    key = itemgetter(*(columns.index(name) for name in ("image_id", "label_id", "model") if name in columns))
    drawn = [columns.index(name) for name in ("left", "polygon") if name in columns]

    def is_drawn(row: tuple[Any, ...]) -> bool:
        return not drawn or any(row[i] is not None for i in drawn)

    result = [row for row in rows if row[label] not in labels]
    seen = {key(row) for row in result if not is_drawn(row)}
    for row in rows:
        if labels.get(row[label]) is not None:
            renamed = (*row[:label], labels[row[label]], *row[label + 1 :])
            if is_drawn(renamed) or key(renamed) not in seen:
                result.append(renamed)
                seen.update([] if is_drawn(renamed) else [key(renamed)])
    return result


def _delete_made_labels(connection: Connection, payload: Mapping[str, Any], trace: Trace) -> None:
    """Delete unused labels that the action created, and close the gaps that it opened in the label order."""
    made = made_ids(payload, schema.labels)
    used = {row[0] for table in MARKS if made for row in fetch(connection, select(table.c.label_id).distinct())}
    unused = [id_ for id_ in made if id_ not in used]
    trace.keep(schema.labels, unused, gone=True)
    delete_with(connection, schema.labels, unused)
    c = schema.labels.c
    for position in reversed(payload.get("shifted", ())):
        if connection.scalar(select(c.id).where(c.position == position).limit(1)) is None:
            connection.execute(update(schema.labels).where(c.position > position).values(position=c.position - 1))
    trace.note("explicit", bool(payload.get("explicit")))


def _datasets_back(connection: Connection, payload: Mapping[str, Any], trace: Trace) -> None:
    """Restore datasets that the action deleted or moved images from, and the datasets' sources."""
    c = schema.datasets.c
    there = {row[0] for row in fetch(connection, select(c.split))}
    gone = {row["split"]: row for row in payload.get("datasets_gone", ())}
    splits = set(gone).union(_values(payload, schema.images, "split"))
    made = sorted(splits - there)
    for split in made:
        if split in gone:
            row = {**gone[split], "endpoint": None}  # nothing that an endpoint had begun goes on
            insert_rows(connection, schema.datasets, list(row), [tuple(row.values())])
    for split, (before, after) in payload.get("sources", {}).items():
        now = load_json(connection.scalar(select(c.sources).where(c.split == split)), [])
        # later imports may have added sources
        wanted = [s for s in now if s in before or s not in after] + [s for s in before if s not in now]
        connection.execute(update(schema.datasets).where(c.split == split).values(sources=dump_json(wanted)))
        trace.note("sources", {split: [now, wanted]})
    for split in sorted(splits | set(payload.get("sources", {}))):
        if split in there or split in made:
            ensure_dataset(connection, split)
    trace.note("datasets_made", made)


def _datasets_away(connection: Connection, payload: Mapping[str, Any], trace: Trace) -> None:
    """Delete empty datasets that the action created."""
    gone = []
    for split in payload.get("datasets_made", ()):
        c = schema.images.c
        if connection.scalar(select(c.id).where(c.split == split).limit(1)) is None:
            gone += dataset_rows(connection, split)
            connection.execute(delete(schema.datasets).where(schema.datasets.c.split == split))
    trace.note("datasets_gone", gone)
