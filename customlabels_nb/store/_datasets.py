"""Writing images and annotations, inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection, delete, select

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import OutdatedError, StaleEditError, TableError
from customlabels_nb.store import _own_columns, frames, schema
from customlabels_nb.store._labels import ensure_labels
from customlabels_nb.store._trace import MARKS, Trace
from customlabels_nb.store.base import Action
from customlabels_nb.store.columns import among, insert_columns
from customlabels_nb.store.database import (
    counter,
    delete_rows,
    dump_json,
    fetch,
    insert_rows,
    load_json,
    now_us,
    pack,
    record,
    take_ids,
    update_rows,
)

_IMAGE_CHANGES = "image changes"
# of an image that an edit changes, what its trace keeps: what can't change, what can, and how often it did
_KEPT = ("id", "image", *frames.EDITABLE, "tags", "extra", "revision")


def image_changes(connection: Connection) -> int:
    """A number that grows whenever images come, go, change sides or content."""
    return counter(connection, _IMAGE_CHANGES)


def check_as_of(connection: Connection, as_of: int | None) -> None:
    """Refuse if images came, went, changed sides or content since ``as_of``."""
    if as_of is not None and as_of != image_changes(connection):
        raise OutdatedError("Images were added, removed or moved meanwhile; nothing was written. Look again.")


def note_image_change(connection: Connection) -> None:
    """Make that number grow."""
    take_ids(connection, _IMAGE_CHANGES, 1)


def image_ids(connection: Connection, split: str | None = None, images: Sequence[str] | None = None) -> dict[str, int]:
    """Id by image, of all or of these images."""
    c = schema.images.c
    statement = select(c.image, c.id)
    if split is not None:
        statement = statement.where(c.split == split)
    return dict(fetch(connection, statement if images is None else statement.where(among(connection, c.image, images))))


def ensure_dataset(
    connection: Connection, split: str, source: Mapping[str, Any] | None = None, trace: Trace | None = None
) -> None:
    """Create the dataset's row or note that it was changed, and remember where the images came from."""
    t.check_split(split)
    c = schema.datasets.c
    now = now_us()
    found = fetch(connection, select(c.sources).where(c.split == split))
    before = load_json(found[0][0], []) if found else []
    sources = [*before, dict(source)] if source and dict(source) not in before else before
    if trace is not None:
        trace.note("datasets_made", [] if found else [split])
        trace.note("sources", {split: [before, sources]} if sources != before else {})
    if not found:
        insert_rows(
            connection,
            schema.datasets,
            ("split", "status", "status_message", "created", "updated", "sources"),
            [(split, "CREATE_COMPLETE", "The dataset is ready.", now, now, dump_json(sources))],
        )
    else:
        touch_dataset(connection, split, sources=dump_json(sources))


def touch_dataset(connection: Connection, split: str, **more: str | None) -> None:
    """Note that the dataset was changed."""
    values = {"status": "UPDATE_COMPLETE", "status_message": "The dataset is ready.", "updated": now_us(), **more}
    update_rows(connection, schema.datasets, tuple(values), [(*values.values(), split)], key="split")


def add_images(
    connection: Connection,
    split: str,
    images: pd.DataFrame,
    annotations: pd.DataFrame,
    action: Action,
    files: pd.DataFrame | None,
    issues: Iterable[Issue],
    lines: Sequence[tuple[str, int, str]],
    source: Mapping[str, Any] | None,
) -> int:
    """See :meth:`customlabels_nb.store.base.Store.add_images`."""
    trace = Trace(connection)
    said = insert_images(connection, split, images, annotations, files, issues, lines, source, trace)
    if len(images) or said:  # importing the same again is no action
        added = {"images": images["image"].tolist()}
        record(connection, action, split=split, count=len(images), after=added, undo=trace.payload())
    return len(images)


def insert_images(
    connection: Connection,
    split: str,
    images: pd.DataFrame,
    annotations: pd.DataFrame,
    files: pd.DataFrame | None,
    issues: Iterable[Issue],
    lines: Sequence[tuple[str, int, str]],
    source: Mapping[str, Any] | None,
    trace: Trace,
) -> int:
    """Insert images with all that comes with them; returns how many findings and unread lines are new."""
    ensure_dataset(connection, split, source, trace)
    known = _known(connection, split, images)
    if known:
        raise TableError(f"{len(known)} of these images are in the {split} set already, such as {min(known)!r}.")
    ids = range(0)
    if len(images):
        ids = take_ids(connection, schema.images, len(images))
        columns = frames.image_columns(images.assign(split=split), ids, now_us(), files)
        insert_columns(connection, schema.images, columns)
        _own_columns.remember_dtypes(connection, images)
        note_image_change(connection)
    insert_annotations(connection, annotations, dict(zip(images["image"].tolist(), ids, strict=True)))
    return _add_issues(connection, split, issues) + _add_lines(connection, split, lines)


def _known(connection: Connection, split: str, images: pd.DataFrame) -> dict[str, int]:
    """Which of the images the dataset has already."""
    c = schema.images.c
    if images.empty or connection.scalar(select(c.id).where(c.split == split).limit(1)) is None:
        return {}
    return image_ids(connection, split, images["image"].tolist())


def insert_annotations(connection: Connection, annotations: pd.DataFrame, ids: Mapping[str, int]) -> None:
    """Insert annotations of images whose ids are known; labels that aren't there yet are added."""
    if annotations.empty:
        return
    labels = ensure_labels(connection, annotations["label"].unique())
    try:
        columns = frames.mark_columns(annotations, ids, labels)
    except KeyError as error:
        raise TableError(f"Annotations speak of {error.args[0]!r}, which is not among the images.") from error
    own = take_ids(connection, schema.annotations, len(annotations))
    insert_columns(connection, schema.annotations, {"id": own, **columns})


class Edit:
    """What differs between images as they shall be and as they were read; found before anybody waits for it."""

    def __init__(
        self, images: pd.DataFrame, annotations: pd.DataFrame, stored: pd.DataFrame, stored_annotations: pd.DataFrame
    ) -> None:
        self.images, self.annotations = images, annotations
        self.stored, self.stored_annotations = stored, stored_annotations
        self.marks = frames.annotation_keys(stored_annotations), frames.annotation_keys(annotations)
        self.fields = frames.row_keys(stored), frames.row_keys(images)
        names = self.fields[1]
        self.relabelled = {name for name in names if self.marks[0].get(name) != self.marks[1].get(name)}
        self.changed = [n for n in names if n in self.relabelled or self.fields[1][n] != self.fields[0].get(n)]

    def states(self, after: bool) -> dict[str, Any]:
        """Return what the images that changed were, or are ``after`` the edit."""
        return _states(self.changed, {n: row[0] for n, row in self.fields[after].items()}, self.marks[after])


def update_images(connection: Connection, split: str, edit: Edit, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.update_images`."""
    trace = Trace(connection)
    before, after = change_images(connection, split, edit, trace)
    if before:
        payload = trace.payload()
        record(connection, action, split=split, count=len(before), before=before, after=after, undo=payload)
    return len(before)


def change_images(
    connection: Connection, split: str, edit: Edit, trace: Trace
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write what differs; returns what the images that changed were and are, for the history."""
    t.check_split(split)
    c, images = schema.images.c, edit.images
    chosen = (c.split == split, among(connection, c.image, images["image"].tolist()))
    rows = {row[1]: row for row in fetch(connection, select(*(c[name] for name in _KEPT)).where(*chosen))}
    current = {name: row[-1] for name, row in rows.items()}
    if current != _revisions(edit.stored) or len(current) < len(images):
        edit = Edit(images, edit.annotations, *_read_named(connection, split, images)[1:])
    changed = edit.changed
    if not changed:
        return {}, {}
    _refuse_stale(changed, images, current, edit.stored_annotations, edit.annotations)
    ids = {name: rows[name][0] for name in changed}
    trace.keep_known(schema.images, _KEPT, [rows[name] for name in changed])
    _own_columns.remember_dtypes(connection, images, new_only=True)
    new = [(*edit.fields[1][name], current[name] + 1, ids[name]) for name in changed]
    update_rows(connection, schema.images, _KEPT[2:], new)
    relabelled = [ids[name] for name in changed if name in edit.relabelled]
    trace.keep(schema.annotations, relabelled, key="image_id", gone=True)
    delete_rows(connection, schema.annotations, "image_id", relabelled)
    insert_annotations(connection, edit.annotations[edit.annotations["image"].isin(edit.relabelled)], ids)
    touch_dataset(connection, split)
    return edit.states(after=False), edit.states(after=True)


def remove_images(connection: Connection, split: str, images: pd.DataFrame, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.remove_images`."""
    ids, stored, stored_annotations = _read_named(connection, split, images)
    gone = images["image"].tolist()
    if not gone:
        return 0
    _refuse_stale(gone, images, _revisions(stored), stored_annotations, stored_annotations.head(0))
    trace = Trace(connection)
    keep_images(connection, trace, [ids[name] for name in gone])
    delete_rows(connection, schema.images, "id", [ids[name] for name in gone])
    note_image_change(connection)
    touch_dataset(connection, split)
    states = _states(gone, stored["status"].to_dict(), frames.annotation_keys(stored_annotations))
    record(connection, action, split=split, count=len(gone), before=states, undo=trace.payload())
    return len(gone)


def keep_images(connection: Connection, trace: Trace, ids: Sequence[int]) -> None:
    """Keep images that will be deleted, with all that speaks of them."""
    for table in MARKS:
        trace.keep(table, ids, key="image_id", gone=True)
    trace.keep(schema.images, ids, gone=True)


def _read_named(
    connection: Connection, split: str, images: pd.DataFrame
) -> tuple[dict[str, int], pd.DataFrame, pd.DataFrame]:
    """Ids, rows (by name) and annotations of these images as stored; all of them must be in the dataset."""
    t.check_split(split)
    ids, stored, annotations = frames.read_tables(connection, split, images["image"].tolist())
    unknown = images.loc[~images["image"].isin(stored["image"]), "image"]
    if len(unknown):
        raise TableError(
            f"{len(unknown)} images are not in the {split} set (any more), such as {unknown.iloc[0]!r}; "
            "add_images takes in new ones."
        )
    return ids, stored.set_index("image", drop=False), annotations


def _refuse_stale(
    names: Sequence[str],
    given: pd.DataFrame,
    current: Mapping[str, int],
    stored_annotations: pd.DataFrame,
    annotations: pd.DataFrame,
) -> None:
    revisions = _revisions(given)
    stale = [name for name in names if revisions[name] != current[name]]
    if stale:
        raise StaleEditError(
            f"{len(stale)} of these images were changed by somebody else since you read them, such as {stale[0]!r}. "
            "Nothing was written; see .theirs and .yours, read the dataset again and repeat your edit.",
            images=stale,
            theirs=stored_annotations[stored_annotations["image"].isin(stale)].reset_index(drop=True),
            yours=annotations[annotations["image"].isin(stale)].reset_index(drop=True),
        )


def _revisions(images: pd.DataFrame) -> dict[str, int]:
    return dict(zip(images["image"].tolist(), images["revision"].tolist(), strict=True))


def refresh_files(connection: Connection, split: str, facts: pd.DataFrame, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.refresh_files`."""
    c = schema.images.c
    chosen = (c.split == split, among(connection, c.image, facts["image"].tolist()))
    stored = {row[0]: row[1:] for row in fetch(connection, select(c.image, c.id, c.sha256).where(*chosen))}
    names = ["sha256", "width", "height", "bytes", "mtime_ns"]
    given = [row for row in frames.plain_rows(facts, ["image", *names]) if row[0] in stored]
    update_rows(connection, schema.images, names, [(*row[1:], stored[row[0]][0]) for row in given])
    changed = [row[0] for row in given if row[1] != stored[row[0]][1]]
    if changed:
        _bump(connection, [stored[name][0] for name in changed])
        note_image_change(connection)
        record(connection, action, split=split, count=len(changed), after={"images": changed})
    return len(changed)


def move_images(connection: Connection, names: Sequence[str], origin: str, target: str, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.move_images`."""
    t.check_split(origin)
    trace = Trace(connection)
    ensure_dataset(connection, target, trace=trace)
    ids, there = (image_ids(connection, split, names) for split in (origin, target))
    for name in names:
        if name not in ids:
            raise TableError(f"The image {name!r} is not in the {origin} set (any more).")
        if name in there:
            raise TableError(f"The image {name!r} is in the {target} set already.")
    trace.keep(schema.images, [ids[name] for name in names], ("split", "image", "revision"))
    update_rows(connection, schema.images, ("split",), [(target, ids[name]) for name in names])
    _bump(connection, [ids[name] for name in names])
    note_image_change(connection)
    record(
        connection,
        action,
        split=origin,
        count=len(names),
        before={origin: list(names)},
        after={target: list(names)},
        undo=trace.payload(),
    )
    return len(names)


def delete_dataset(connection: Connection, split: str, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.delete_dataset`."""
    t.check_split(split)
    ids, before = _packed_states(connection, split)
    trace = Trace(connection)
    keep_images(connection, trace, ids)
    for table in (schema.issues, schema.import_lines):
        own = [int(row[0]) for row in fetch(connection, select(table.c.id).where(table.c.split == split))]
        trace.keep(table, own, gone=True)
    trace.note("datasets_gone", dataset_rows(connection, split))
    for table in (schema.images, schema.issues, schema.import_lines, schema.datasets):
        connection.execute(delete(table).where(table.c.split == split))
    note_image_change(connection)
    record(connection, action, split=split, count=len(ids), before=before, undo=trace.payload())
    return len(ids)


def _packed_states(connection: Connection, split: str) -> tuple[list[int], bytes | None]:
    """Ids of all images of a dataset, and what they are for the history: packed, before anything else takes memory."""
    ids, stored, marks = frames.read_tables(connection, split)
    statuses = dict(zip(stored["image"], stored["status"], strict=True))
    return list(ids.values()), pack(_states(list(statuses), statuses, frames.annotation_keys(marks)))


def dataset_rows(connection: Connection, split: str) -> list[dict[str, Any]]:
    """The row of a dataset, if there is one."""
    names = [column.name for column in schema.datasets.columns]
    rows = fetch(connection, select(schema.datasets).where(schema.datasets.c.split == split))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _bump(connection: Connection, ids: Sequence[int]) -> None:
    c = schema.images.c
    if ids:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            f"UPDATE {schema.images.name} SET {c.revision.name} = {c.revision.name} + 1 WHERE id = {mark}",
            [(int(i),) for i in ids],
        )


def _states(names: Sequence[str], statuses: Mapping[str, str], keys: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"status": statuses[name], "annotations": keys.get(name, [])} for name in names}


def _add_lines(connection: Connection, split: str, lines: Sequence[tuple[str, int, str]]) -> int:
    """Keep lines that aren't kept yet; returns how many."""
    if not lines:
        return 0
    c = schema.import_lines.c
    known = set(fetch(connection, select(c.source, c.line, c.raw).where(c.split == split)))
    found = [line for line in dict.fromkeys(lines) if line not in known]
    ids = take_ids(connection, schema.import_lines, len(found)) if found else range(0)
    rows = [(id_, split, *line) for id_, line in zip(ids, found, strict=True)]
    insert_rows(connection, schema.import_lines, ("id", "split", "source", "line", "raw"), rows)
    return len(found)


def _add_issues(connection: Connection, split: str, issues: Iterable[Issue]) -> int:
    """Keep findings that aren't kept yet; returns how many."""
    c = schema.issues.c
    columns = (c.code, c.message, c.where, c.source, c.line)
    given = [(i.code, i.message, i.where, i.source, i.line) for i in issues]
    known = set(fetch(connection, select(*columns).where(c.split == split))) if given else set()
    found = [row for row in given if row not in known]
    if found:
        now = now_us()
        insert_rows(
            connection,
            schema.issues,
            ("id", "created", "split", *(column.name for column in columns)),
            [
                (id_, now, split, *row)
                for id_, row in zip(take_ids(connection, schema.issues, len(found)), found, strict=True)
            ],
        )
    return len(found)
