"""Putting rows back as a trace has them; what they are meanwhile goes into a new trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, update

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.store import schema
from customlabels_nb.store._datasets import dataset_rows, ensure_dataset, note_image_change
from customlabels_nb.store._labels import bump_images_of
from customlabels_nb.store._trace import MARKS, Trace, delete_with, made_ids, prediction_changes, rows_with
from customlabels_nb.store.database import dump_json, fetch, insert_rows, load_json, update_rows

Payload = Mapping[str, Any]


def put_back(connection: Connection, payload: Payload, trace: Trace, expected: Mapping[int, int]) -> list[str]:
    """Undo what ``payload`` tells of; returns the images that changed.

    Parameters
    ----------
    expected : mapping
        The revision of each image now, or the one it would have if it weren't removed.
    """
    _datasets_back(connection, payload, trace)
    labels = _labels_back(connection, payload, trace)
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


def refuse_changed_labels(connection: Connection, payload: Payload, what: str) -> None:
    """Refuse if a label that the action changed isn't any more as the action left it, or has come into use."""
    c = schema.labels.c
    after = {row[0]: tuple(row[1:3]) for row in payload.get("labels_after", ())}
    order_after = {row[0]: row[3] for row in payload.get("labels_after", ())}
    there = {row[0]: row[1:] for row in fetch(connection, select(c.id, c.label, c.colour, c.position))}
    for part in _parts(payload, schema.labels):
        ids = [row[0] for row in part["rows"]]
        if part["columns"] == ["id", "position"]:
            if sorted(ids, key=lambda i: order_after[i]) != sorted(ids, key=lambda i: there.get(i, (0, 0, -1))[2]):
                raise NotAllowedError(f"{what} can't be taken back: the labels have another order since.")
            continue
        for id_ in ids:
            if there.get(id_, (None, None))[:2] != after.get(id_, (None, None)):
                name = after[id_][0] if id_ in after else there[id_][0]
                raise NotAllowedError(f"{what} can't be taken back: the label {name!r} was changed since.")
        if "label" in part["columns"]:
            at = part["columns"].index("label")
            for row in part["rows"]:
                taken = [id_ for id_, (label, *_) in there.items() if label == row[at] and id_ != row[0]]
                if taken and row[0] in there:
                    raise NotAllowedError(f"{what} can't be taken back: there is another label {row[at]!r} since.")
    if payload.get("explicit"):
        for id_ in made_ids(payload, schema.labels):
            if there.get(id_, (None, None))[:2] != after.get(id_):
                raise NotAllowedError(f"{what} can't be taken back: its label was changed since.")
            if uses := _uses(connection, id_):
                raise NotAllowedError(
                    f"{what} can't be taken back: the label {there[id_][0]!r} is used by {uses:,} annotations by now."
                )


def _parts(payload: Payload, table: Table) -> Sequence[Mapping[str, Any]]:
    parts: Sequence[Mapping[str, Any]] = payload["parts"].get(table.name, ())
    return parts


def _uses(connection: Connection, label_id: int) -> int:
    counts = (
        connection.scalar(select(func.count()).select_from(table).where(table.c.label_id == label_id))
        for table in MARKS
    )
    return sum(int(count or 0) for count in counts)


def _labels_back(connection: Connection, payload: Payload, trace: Trace) -> dict[int, int]:
    """Bring labels back that were changed or are gone; returns old id → new one of those that were made anew since."""
    c = schema.labels.c
    there = {row[0] for row in fetch(connection, select(c.id))}
    missing: dict[int, dict[str, Any]] = {
        row[0]: dict(zip(("id", "label", "colour", "position"), row, strict=True))
        for row in payload["labels"]
        if row[0] not in there
    }
    bumped: list[int] = []
    for part in _parts(payload, schema.labels):
        rows = [dict(zip(part["columns"], row, strict=True)) for row in part["rows"]]
        missing |= {row["id"]: row for row in rows if row["id"] not in there}
        changed = [row for row in rows if row["id"] in there]
        trace.keep(schema.labels, (row["id"] for row in changed), part["columns"])
        names = part["columns"][1:]
        update_rows(connection, schema.labels, names, [(*(row[name] for name in names), row["id"]) for row in changed])
        if "label" in names:
            bumped += [id_ for row in changed for id_ in bump_images_of(connection, row["id"])]
    trace.note("bumped", bumped)
    by_name: dict[str, int] = dict(fetch(connection, select(c.label, c.id)))
    anew = {id_: by_name[row["label"]] for id_, row in missing.items() if row["label"] in by_name}
    for id_, row in sorted(missing.items(), key=lambda item: (item[1]["position"], item[0])):
        if id_ not in anew:
            if connection.scalar(select(c.id).where(c.position == row["position"]).limit(1)) is not None:
                later = update(schema.labels).where(c.position >= row["position"]).values(position=c.position + 1)
                connection.execute(later)
            insert_rows(connection, schema.labels, list(row), [tuple(row.values())])
            trace.returned(schema.labels, [id_])
    return anew


def _delete_made(connection: Connection, payload: Payload, trace: Trace, images: Sequence[int]) -> None:
    """Delete what the action made, labels excepted; with images goes whatever speaks of them."""
    for table in MARKS:
        own = {int(row[0]) for row in rows_with(connection, table, ("id",), images, key="image_id")}
        made = own.union(made_ids(payload, table))
        trace.keep(table, made, gone=True)
        delete_with(connection, table, made)
    for table in (schema.images, schema.issues, schema.import_lines):
        made = set(made_ids(payload, table))
        trace.keep(table, made, gone=True)
        delete_with(connection, table, made)


def _images_back(connection: Connection, payload: Payload, trace: Trace, expected: Mapping[int, int]) -> list[str]:
    """Write the old fields of images, or whole rows; their revisions go on growing."""
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
            [(*(row[place] for place in places), expected[row[0]] + 1, row[0]) for row in rows],
        )
    trace.returned(schema.images, (id_ for id_, _ in returned))
    trace.note("revisions", returned)
    return touched


def _marks_back(connection: Connection, payload: Payload, trace: Trace, table: Table, anew: Mapping[int, int]) -> None:
    """Annotations or predictions as they were; predictions only of models that have no others since."""
    for part in _parts(payload, table):
        columns: list[str] = part["columns"]
        label, image = columns.index("label_id"), columns.index("image_id")
        rows = [tuple(row) for row in part["rows"]]
        if table is schema.predictions:
            model = columns.index("model")
            current = {name: prediction_changes(connection, name) for name in payload["models"]}
            images = {row[0] for row in rows_with(connection, schema.images, ("id",), {row[image] for row in rows})}
            rows = [
                row for row in rows if current[row[model]] == payload["models"][row[model]] and row[image] in images
            ]
        if anew:
            rows = [(*row[:label], anew.get(row[label], row[label]), *row[label + 1 :]) for row in rows]
        if "created" not in columns:  # only their label was changed
            trace.keep(table, (row[0] for row in rows), columns)
            update_rows(connection, table, ("label_id",), [(row[label], row[0]) for row in rows])
            continue
        there = {row[0] for row in trace.keep(table, (row[0] for row in rows))}
        delete_with(connection, table, there)
        insert_rows(connection, table, columns, rows)
        trace.returned(table, (row[0] for row in rows if row[0] not in there))


def _delete_made_labels(connection: Connection, payload: Payload, trace: Trace) -> None:
    """Delete labels that the action made, unless they have come into use."""
    made = made_ids(payload, schema.labels)
    used = {row[0] for table in MARKS if made for row in fetch(connection, select(table.c.label_id).distinct())}
    unused = [id_ for id_ in made if id_ not in used]
    trace.keep(schema.labels, unused, gone=True)
    delete_with(connection, schema.labels, unused)
    trace.note("explicit", bool(payload.get("explicit")))


def _datasets_back(connection: Connection, payload: Payload, trace: Trace) -> None:
    """Datasets that the action deleted, or that images go back to; and where the images came from."""
    c = schema.datasets.c
    there = {row[0] for row in fetch(connection, select(c.split))}
    gone = {row["split"]: row for row in payload.get("datasets_gone", ())}
    splits = set(gone)
    for part in _parts(payload, schema.images):
        if "split" in part["columns"]:
            splits |= {row[part["columns"].index("split")] for row in part["rows"]}
    for split in sorted(splits - there):
        if split in gone:
            insert_rows(connection, schema.datasets, list(gone[split]), [tuple(gone[split].values())])
    made = sorted(splits - there)
    for split, (before, after) in payload.get("sources", {}).items():
        now = load_json(connection.scalar(select(c.sources).where(c.split == split)), [])
        # others may have added some meanwhile
        wanted = [s for s in now if s in before or s not in after] + [s for s in before if s not in now]
        connection.execute(update(schema.datasets).where(c.split == split).values(sources=dump_json(wanted)))
        trace.note("sources", {split: [now, wanted]})
    for split in sorted(splits | set(payload.get("sources", {}))):
        if split in there or split in made:
            ensure_dataset(connection, split)
    trace.note("datasets_made", made)


def _datasets_away(connection: Connection, payload: Payload, trace: Trace) -> None:
    """Datasets that the action made go again if they are empty."""
    gone = []
    for split in payload.get("datasets_made", ()):
        c = schema.images.c
        if connection.scalar(select(c.id).where(c.split == split).limit(1)) is None:
            gone += dataset_rows(connection, split)
            connection.execute(delete(schema.datasets).where(schema.datasets.c.split == split))
    trace.note("datasets_gone", gone)
