"""Write rows of images, annotations and labels inside the caller's transaction."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
from sqlalchemy import Connection, Table, delete, func, select, update

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import check_color, label_color
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import LabelError, OutdatedError, StaleEditError, TableError
from customlabels_nb.store import extra_columns, frames, schema
from customlabels_nb.store.columns import among, insert_columns
from customlabels_nb.store.database import (
    Rows,
    counter,
    dump_json,
    fetch,
    insert_rows,
    load_json,
    now_us,
    take_ids,
    update_rows,
)
from customlabels_nb.store.suggestions import SUGGESTIONS, drop_suggestions, suggesting_model
from customlabels_nb.store.trace import FIRST_REVISION, MARKS, Trace, delete_with

#: Images and their annotations.
Tables: TypeAlias = tuple[pd.DataFrame, pd.DataFrame]
#: Function of the stored tables of images and of the jobs in which some are being labelled.
EditKnown: TypeAlias = Callable[[pd.DataFrame, pd.DataFrame, Mapping[str, str]], Tables]
#: Start of the keys of settings in the table ``meta``.
SETTING = "setting:"
_IMAGE_CHANGES = "image changes"
# columns of an edited image that a trace stores: constant columns, editable columns and the revision
_KEPT = ("id", "image", *frames.EDITABLE, "tags", "extra", "revision")


@dataclass(frozen=True)
class ImportPart:
    """Images to add with their annotations, and images of the dataset whose annotations may change.

    ``files`` is the metadata of the files if known (image, bytes, mtime_ns). ``edit`` is called in the transaction with
    the stored tables of the images in ``known`` and with the jobs in which some of them are being labelled, and returns
    the images to change with their new annotations.
    """

    images: pd.DataFrame
    annotations: pd.DataFrame
    files: pd.DataFrame | None = None
    known: Sequence[str] = ()
    edit: EditKnown | None = None


# -- settings ---------------------------------------------------------------------------------------
def read_setting(connection: Connection, name: str) -> Any:
    text = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == SETTING + name))
    return None if text is None else json.loads(text)


def write_setting(connection: Connection, name: str, value: Any) -> None:
    connection.execute(delete(schema.meta).where(schema.meta.c.key == SETTING + name))
    insert_rows(connection, schema.meta, ("key", "value"), [(SETTING + name, json.dumps(value))])


# -- datasets ---------------------------------------------------------------------------------------
def image_changes(connection: Connection) -> int:
    """Return a number that increases whenever images are added, removed or moved, or their content changes."""
    return counter(connection, _IMAGE_CHANGES)


def note_image_change(connection: Connection) -> None:
    take_ids(connection, _IMAGE_CHANGES, 1)


def check_as_of(connection: Connection, as_of: int | None) -> None:
    """Raise OutdatedError if :func:`image_changes` differs from ``as_of``."""
    if as_of is not None and as_of != image_changes(connection):
        raise OutdatedError(
            "Images have been added, removed or changed since they were read. Nothing was written. Try again."
        )


def ensure_dataset(
    connection: Connection, split: str, source: Mapping[str, Any] | None = None, trace: Trace | None = None
) -> None:
    """Create or update the dataset's row, and store the source of the images."""
    t.check_split(split)
    c = schema.datasets.c
    now = now_us()
    rows = fetch(connection, select(c.sources).where(c.split == split))
    before = load_json(rows[0][0], []) if rows else []
    sources = [*before, dict(source)] if source and dict(source) not in before else before
    if trace is not None:
        trace.note("datasets_made", [] if rows else [split])
        trace.note("sources", {split: [before, sources]} if sources != before else {})
    if rows:
        touch_dataset(connection, split, sources=dump_json(sources))
    else:
        insert_rows(
            connection,
            schema.datasets,
            ("split", "status", "status_message", "created", "updated", "sources"),
            [(split, "CREATE_COMPLETE", "The dataset is ready.", now, now, dump_json(sources))],
        )


def touch_dataset(connection: Connection, split: str, **more: str | None) -> None:
    values = {"status": "UPDATE_COMPLETE", "status_message": "The dataset is ready.", "updated": now_us(), **more}
    update_rows(connection, schema.datasets, tuple(values), [(*values.values(), split)], key="split")


def dataset_rows(connection: Connection, split: str) -> list[dict[str, Any]]:
    """Return a list with the dataset's row, empty if the dataset does not exist."""
    names = [column.name for column in schema.datasets.columns]
    rows = fetch(connection, select(schema.datasets).where(schema.datasets.c.split == split))
    return [dict(zip(names, row, strict=True)) for row in rows]


# -- images and annotations -------------------------------------------------------------------------
def image_ids(connection: Connection, images: Sequence[str], split: str | None = None) -> dict[str, int]:
    c = schema.images.c
    statement = select(c.image, c.id).where(among(connection, c.image, images))
    return dict(fetch(connection, statement if split is None else statement.where(c.split == split)))


class PackedNames:
    """Names of images as the payload of a history entry, compressed one after another."""

    def __init__(self) -> None:
        self.count = 0
        self._compressor = zlib.compressobj(1)
        self._parts = [self._compressor.compress(b'{"images":[')]

    def add(self, names: Sequence[str]) -> None:
        text = json.dumps(names, ensure_ascii=False, separators=(",", ":"))[1:-1]
        text = f",{text}" if self.count and text else text
        self._parts.append(self._compressor.compress(text.encode("utf-8", "surrogatepass")))
        self.count += len(names)

    def packed(self, states: Mapping[str, Any]) -> bytes:
        """Return the payload, as :func:`.database.pack` would, with the ``states`` of other images."""
        text = dump_json(states)
        more = f",{text[1:]}" if text else "}"
        end = self._compressor.compress(f"]{more}".encode("utf-8", "surrogatepass"))
        return b"".join([*self._parts, end, self._compressor.flush()])


@dataclass(frozen=True)
class Inserted:
    """Result of :func:`insert_images`: names of the new images, and states of edited images before and after it.

    ``noted`` is the number of new findings, unread lines and labels of the ``vocabulary``.
    """

    names: PackedNames
    noted: int
    before: dict[str, Any]
    after: dict[str, Any]


def insert_images(
    connection: Connection,
    split: str,
    parts: Iterable[ImportPart],
    trace: Trace,
    *,
    issues: Iterable[Issue] = (),
    lines: Sequence[tuple[str, int, str]] = (),
    labels: Iterable[str] = (),
    vocabulary: Sequence[tuple[str, str | None]] = (),
    source: Mapping[str, Any] | None = None,
) -> Inserted:
    """Insert images with their annotations and findings, and edit known ones.

    Of new ``labels``, used ones come first. ``issues`` and ``lines`` may be filled while parts are made.
    """
    ensure_dataset(connection, split, source, trace)
    stored_labels, c = {name for (name,) in fetch(connection, select(schema.labels.c.label))}, schema.images.c
    added = _add_vocabulary(connection, vocabulary, stored_labels)
    stored_labels |= added.keys()
    new_labels, used, names = set(labels) - stored_labels, set[str](), PackedNames()
    before, after = dict[str, Any](), dict[str, Any]()
    ensure_labels(connection, new_labels)
    is_empty = connection.scalar(select(c.id).where(c.split == split).limit(1)) is None
    for part in parts:
        image_names = part.images["image"].tolist()
        taken = image_ids(connection, image_names, split) if image_names and not is_empty else {}
        if taken:
            raise TableError(
                f"{counted(len(taken), 'image is', 'images are')} already in the {split} set, for example "
                f"{min(taken)!r}."
            )
        is_empty = is_empty and not image_names
        ids = _insert_image_rows(connection, part.images.assign(split=split), part.files) if image_names else range(0)
        insert_marks(connection, schema.annotations, part.annotations, dict(zip(image_names, ids, strict=True)))
        used.update(part.annotations["label"].unique())
        names.add(image_names)
        if part.edit is not None:
            old, new = _edit_known(connection, split, part.known, part.edit, trace)
            before |= old
            after |= new
            used.update(key[0] for state in new.values() for key in state["annotations"])
    if names.count:
        note_image_change(connection)
    if unused := new_labels - used:
        connection.execute(delete(schema.labels).where(among(connection, schema.labels.c.label, unused)))
    findings: Rows = [(i.code, i.message, i.where, i.source, i.line) for i in issues]
    fields = ("code", "message", "where", "source", "line")
    noted = len(added) + _add_new(connection, schema.issues, split, fields, findings, created=now_us())
    unread: Rows = list(dict.fromkeys(lines))
    noted += _add_new(connection, schema.import_lines, split, ("source", "line", "raw"), unread)
    return Inserted(names, noted, before, after)


def _add_vocabulary(
    connection: Connection, vocabulary: Sequence[tuple[str, str | None]], stored: set[str]
) -> dict[str, str | None]:
    """Insert the labels that are not ``stored``, and return them with their colors."""
    added = {label: color for label, color in vocabulary if label not in stored}
    for label, color in added.items():
        insert_label(connection, label, color)
    return added


def _insert_image_rows(connection: Connection, images: pd.DataFrame, files: pd.DataFrame | None) -> range:
    """Insert the rows of images, and return their ids."""
    ids, revision = take_ids(connection, schema.images, len(images)), counter(connection, FIRST_REVISION)
    insert_columns(connection, schema.images, frames.image_columns(images, ids, now_us(), revision, files))
    extra_columns.remember_dtypes(connection, images)
    return ids


def _edit_known(
    connection: Connection, split: str, names: Sequence[str], edit: EditKnown, trace: Trace
) -> tuple[dict[str, Any], dict[str, Any]]:
    _, stored, annotations = frames.read_tables(connection, split, names)
    edited = edit(stored, annotations, leased_images(connection, names))
    if edited[0].empty:
        return {}, {}
    chosen = edited[0]["image"]
    before = stored[stored["image"].isin(chosen)], annotations[annotations["image"].isin(chosen)]
    return change_images(connection, split, Edit(*edited, *before), trace)


def leased_images(connection: Connection, images: Sequence[str]) -> dict[str, str]:
    """Map those images that somebody is labelling in a job now to the person and the job."""
    slots, tasks, jobs = schema.job_slots.c, schema.job_tasks.c, schema.jobs.c
    is_leased = (slots.state == "held", slots.until >= now_us(), among(connection, tasks.image, list(images)))
    rows = fetch(
        connection,
        select(tasks.image, slots.holder, jobs.name)
        .join(schema.job_tasks, tasks.id == slots.task)
        .join(schema.jobs, jobs.id == slots.job)
        .where(*is_leased),
    )
    return {image: f"{holder} (job {job!r})" for image, holder, job in rows}


def insert_marks(
    connection: Connection, table: Table, marks: pd.DataFrame, ids: Mapping[str, int], **more: str
) -> None:
    """Insert annotations or predictions of images with these ``ids``, adding missing labels."""
    if marks.empty:
        return
    labels = ensure_labels(connection, marks["label"].unique())
    try:
        columns = frames.mark_columns(marks, ids, labels)
    except KeyError as error:
        raise TableError(f"The {table.name} refer to {error.args[0]!r}, which is not among the images.") from error
    insert_columns(connection, table, {"id": take_ids(connection, table, len(marks)), **more, **columns})


def _add_new(connection: Connection, table: Table, split: str, fields: Sequence[str], rows: Rows, **more: int) -> int:
    """Store the rows of a dataset that are not stored yet, and return how many were added."""
    if not rows:
        return 0
    stored = set(fetch(connection, select(*(table.c[name] for name in fields)).where(table.c.split == split)))
    fresh = [row for row in rows if row not in stored]
    if fresh:
        ids = take_ids(connection, table, len(fresh))
        values = [(id_, split, *row, *more.values()) for id_, row in zip(ids, fresh, strict=True)]
        insert_rows(connection, table, ("id", "split", *fields, *more), values)
    return len(fresh)


class Edit:
    """Difference between the new and the stored state of images, computed before the transaction starts."""

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
        """Return the states of the changed images before the edit, or ``after`` it."""
        rows = self.fields[after]
        result = states(self.changed, {n: row[0] for n, row in rows.items()}, self.marks[after])
        for name in self.changed:
            extras = [fields[name][-1] for fields in self.fields]
            if extras[0] != extras[1]:
                result[name]["note"] = load_json(extras[after], {}).get("note")
        return result


def change_images(
    connection: Connection,
    split: str,
    edit: Edit,
    trace: Trace,
    *,
    rejected_by: tuple[str, str] | None = None,
    settles: bool = True,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write an edit, and return the previous and new states of the changed images for the history.

    The previous annotations become suggestions if a person rejects them for a reason, which may be empty. Suggestions
    for images that are or were labelled are deleted if the edit ``settles`` them.
    """
    t.check_split(split)
    c, images = schema.images.c, edit.images
    chosen = (c.split == split, among(connection, c.image, images["image"].tolist()))
    rows = {row[1]: row for row in fetch(connection, select(*(c[name] for name in _KEPT)).where(*chosen))}
    current = {name: row[-1] for name, row in rows.items()}
    if current != _revisions(edit.stored) or len(current) < len(images):
        edit = Edit(images, edit.annotations, *read_named(connection, split, images)[1:])
    changed = edit.changed
    if not changed:
        return {}, {}
    refuse_stale(changed, images, current, edit.stored_annotations, edit.annotations)
    ids = {name: rows[name][0] for name in changed}
    trace.keep_known(schema.images, _KEPT, [rows[name] for name in changed])
    extra_columns.remember_dtypes(connection, images, new_only=True)
    new = [(*edit.fields[1][name], current[name] + 1, ids[name]) for name in changed]
    update_rows(connection, schema.images, _KEPT[2:], new)
    relabelled = [ids[name] for name in changed if name in edit.relabelled]
    trace.keep(schema.annotations, relabelled, key="image_id", gone=True)
    delete_with(connection, schema.annotations, relabelled, key="image_id")
    new_marks = edit.annotations[edit.annotations["image"].isin(edit.relabelled)]
    insert_marks(connection, schema.annotations, new_marks, ids)
    _change_suggestions(connection, edit, ids, trace, rejected_by, settles=settles)
    touch_dataset(connection, split)
    return edit.states(after=False), edit.states(after=True)


def _change_suggestions(
    connection: Connection,
    edit: Edit,
    ids: Mapping[str, int],
    trace: Trace,
    rejected_by: tuple[str, str] | None,
    *,
    settles: bool,
) -> None:
    replaced = edit.relabelled if rejected_by is not None else set()
    settled = {name for name in edit.changed if "labelled" in {fields[name][0] for fields in edit.fields}}
    drop_suggestions(connection, trace, [ids[name] for name in (replaced | settled if settles else replaced)])
    if rejected_by is not None and replaced:
        rejected = edit.stored_annotations[edit.stored_annotations["image"].isin(replaced)]
        insert_marks(connection, schema.predictions, rejected, ids, model=suggesting_model(*rejected_by))
        take_ids(connection, SUGGESTIONS, len(rejected))


def states(names: Sequence[str], statuses: Mapping[str, str], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status and annotations of each image, in the form stored in the history."""
    return {name: {"status": statuses[name], "annotations": keys.get(name, [])} for name in names}


def read_named(
    connection: Connection, split: str, images: pd.DataFrame
) -> tuple[dict[str, int], pd.DataFrame, pd.DataFrame]:
    """Read the ids, rows (by name) and annotations of these images, which must all be in the dataset."""
    t.check_split(split)
    ids, stored, annotations = frames.read_tables(connection, split, images["image"].tolist())
    unknown = images.loc[~images["image"].isin(stored["image"]), "image"]
    if len(unknown):
        raise TableError(
            f"{counted(len(unknown), 'image is', 'images are')} not in the {split} set, for example "
            f"{unknown.iloc[0]!r}. Use add_images to add new images."
        )
    return ids, stored.set_index("image", drop=False), annotations


def refuse_stale(
    names: Sequence[str],
    images: pd.DataFrame,
    current: Mapping[str, int],
    stored_annotations: pd.DataFrame,
    annotations: pd.DataFrame,
) -> None:
    """Raise StaleEditError if the stored revision of one of these images differs from ``images``."""
    revisions = _revisions(images)
    stale = [name for name in names if revisions[name] != current[name]]
    if stale:
        raise StaleEditError(
            f"{counted(len(stale), 'image has', 'images have')} been changed since you read the dataset, for example "
            f"{stale[0]!r}. Nothing was written. Compare .theirs and .yours, read the dataset again and repeat your "
            "edit.",
            images=stale,
            theirs=stored_annotations[stored_annotations["image"].isin(stale)].reset_index(drop=True),
            yours=annotations[annotations["image"].isin(stale)].reset_index(drop=True),
        )


def _revisions(images: pd.DataFrame) -> dict[str, int]:
    return dict(zip(images["image"].tolist(), images["revision"].tolist(), strict=True))


def keep_images(trace: Trace, ids: Sequence[int]) -> None:
    """Add images that will be deleted to the trace, with their annotations and predictions."""
    for table in MARKS:
        trace.keep(table, ids, key="image_id", gone=True)
    trace.keep(schema.images, ids, gone=True)


# -- labels -----------------------------------------------------------------------------------------
def ensure_labels(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Add missing labels in alphabetical order, and map the names of all labels to their ids."""
    c = schema.labels.c
    ids = {name: int(id_) for name, id_ in fetch(connection, select(c.label, c.id))}
    for name in sorted(set(names) - ids.keys()):
        ids[name] = insert_label(connection, name, None)
    return ids


def refuse_unknown(connection: Connection, names: Collection[str]) -> None:
    stored_labels = {name for (name,) in fetch(connection, select(schema.labels.c.label))} if names else set()
    for name in names:
        if name not in stored_labels:
            raise LabelError(f"Label {name!r} no longer exists: somebody renamed, merged or removed it.")


def insert_label(connection: Connection, name: str, color: str | None) -> int:
    last = connection.scalar(select(func.max(schema.labels.c.position)))
    position = 0 if last is None else int(last) + 1
    id_ = take_ids(connection, schema.labels, 1)[0]
    chosen = label_color(id_ - 1) if color is None else check_color(color)
    insert_rows(connection, schema.labels, ("id", "label", "color", "position"), [(id_, name, chosen, position)])
    return id_


def bump_images_with_label(connection: Connection, label_id: int) -> list[int]:
    """Increment the revisions of all images with the label, and return their ids."""
    a, i = schema.annotations.c, schema.images.c
    with_label = select(a.image_id).where(a.label_id == label_id)
    ids = [int(row[0]) for row in fetch(connection, with_label.distinct())]
    connection.execute(update(schema.images).where(i.id.in_(with_label)).values(revision=i.revision + 1))
    return ids
