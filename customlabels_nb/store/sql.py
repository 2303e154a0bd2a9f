"""Store of a project on SQLite or PostgreSQL: images, annotations, labels, versions, history and snapshots."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Table, case, delete, func, insert, inspect, literal, select, update

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import check_color
from customlabels_nb.core.image_files import longer_files
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.version_status import VERSION_STATUSES
from customlabels_nb.errors import (
    Cancelled,
    InputError,
    LabelError,
    ModelNotFoundError,
    NotAllowedError,
    ProjectExistsError,
    ProjectNotFoundError,
    StoreError,
    TableError,
)
from customlabels_nb.store import frames, schema, snapshots
from customlabels_nb.store.columns import Array, among, fetch_columns, fetch_joined
from customlabels_nb.store.database import (
    Database,
    Rows,
    counter,
    dump_json,
    fetch,
    insert_rows,
    load_json,
    now_us,
    pack,
    record,
    take_ids,
    unpack,
    update_rows,
)
from customlabels_nb.store.gone_labels import current_label, note_gone, read_gone
from customlabels_nb.store.records import (
    Action,
    DatasetRecord,
    ProjectRecord,
    Statistics,
    VersionRecord,
    WriteResult,
)
from customlabels_nb.store.suggestions import REJECTED_BY, any_suggested, is_predicted, is_suggested
from customlabels_nb.store.trace import (
    LABEL_FIELDS,
    MARKS,
    Trace,
    delete_with,
    note_prediction_change,
    rows_with,
    update_with,
)
from customlabels_nb.store.undo import labels_of_actions, touched_images, undo_action, undo_refusal, undone_by
from customlabels_nb.store.writing import (
    SETTING,
    Edit,
    ImportPart,
    Tables,
    bump_images_with_label,
    change_images,
    check_as_of,
    dataset_rows,
    ensure_dataset,
    image_changes,
    image_ids,
    insert_images,
    insert_label,
    insert_marks,
    keep_images,
    note_image_change,
    read_named,
    read_setting,
    refuse_stale,
    refuse_unknown,
    states,
    touch_dataset,
    write_setting,
)

#: Start of the names of settings that tell what is running. Copies of the database do not have them.
RUNNER = "runner:"
#: Start of the names of settings with what HTTP endpoints store about the project. Copies do not have them either.
ENDPOINT = "endpoint:"

_COPIED_AT_ONCE = 20_000
_READ_AT_ONCE = 50_000  # fewer annotations are read without a thread
_VERSION_FIELDS = tuple(field.name for field in fields(VersionRecord))
_VERSION_JSON = ("tags", "config", "metrics", "statistics", "endpoint")
_VERSION_TIMES = ("created", "updated", "heartbeat")
_SHOWN_CHANGES = ("status", "status_message", "alias", "tags")
_ACTION_DTYPES = {
    "id": "int64", "created": "int64", "who": t.TEXT, "what": t.TEXT, "note": t.TEXT, "split": t.TEXT, "count": "int64"
}  # fmt: skip


def create_store(location: str, name: str, *, schema: str | None = None, task: str | None = None) -> SqlStore:
    database = Database(location, schema)
    if database.is_sqlite and Path(location).exists():
        raise ProjectExistsError(f"The file {location!r} already exists. Nothing was overwritten.")
    if schema is not None and not database.is_sqlite:
        with database.read() as connection:
            taken = schema in inspect(connection).get_schema_names()
        if taken:
            raise ProjectExistsError(
                f"The schema {schema!r} already exists in {database.shown}. Nothing was overwritten."
            )
    database.create(name, task)
    return SqlStore(database)


def open_store(location: str, *, schema: str | None = None) -> SqlStore:
    """Open a project's database, migrating an older schema if necessary."""
    database = Database(location, schema)
    if database.is_sqlite and not Path(location).is_file():
        raise ProjectNotFoundError(f"There is no project database at {location!r}.")
    database.check_format()
    return SqlStore(database)


class SqlStore:
    """Database of a project.

    Data frames have the columns and dtypes of :mod:`customlabels_nb.core.tables`. Every writing method runs in one
    transaction: either everything is stored, with an entry in the history, or nothing. It returns the recorded action.
    Writers of one project take turns, and readers only see complete transactions. Each image has a revision, which
    increases with every change to the image or its annotations, also if it is removed and added again.
    :meth:`update_images` refuses to overwrite a newer revision.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._longer_files: tuple[int | None, Mapping[str, str]] = None, {}  # and at which image_changes

    # -- opening and closing ------------------------------------------------------------------------
    @property
    def read_only(self) -> bool:
        """True if nothing can be written, because the folder or the file is read-only."""
        return self._database.read_only

    def close(self) -> None:
        """Close the connections. The store cannot be used afterwards."""
        self._finish_reading()
        self._database.close()

    def destroy(self) -> None:
        self._finish_reading()
        self._database.drop()

    def _finish_reading(self) -> None:
        """Wait for the threads that :meth:`tables_later` started."""
        for thread in list(self._readers):
            thread.join()

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a read transaction on a consistent snapshot, for tables that this class has no methods for."""
        return self._database.read()

    def writing(self, *, lock: bool = True) -> AbstractContextManager[Connection]:
        """Open a write transaction. Without ``lock``, other writers to a PostgreSQL database do not have to wait."""
        return self._database.write(lock=lock)

    def own_role(self) -> str | None:
        """Return the person's PostgreSQL role if it does not own the project, None if the team shares one role."""
        if self._database.is_sqlite:
            return None
        owner = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = current_schema()"
        with self._database.read(once=True) as connection:
            role, of_all = connection.exec_driver_sql(f"SELECT session_user, ({owner})").one()
            return None if role == of_all else str(role)

    def copy_to(self, path: str) -> None:
        """Copy a snapshot of the database to a new SQLite file, with all answers, and jobs paused."""
        with closing(Database(path)) as copy:
            if self._database.is_sqlite:
                try:
                    with self._database.read() as connection, closing(sqlite3.connect(path)) as file:
                        source: Any = connection.connection.driver_connection
                        source.backup(file)
                except sqlite3.Error as error:
                    raise OSError(str(error)) from error
            else:
                _copy_rows(self._database, copy)
            slot, key = schema.job_slots.c, schema.meta.c.key
            with copy.write() as connection:  # nothing runs for the copy, and endpoints give it names of their own
                for prefix in (RUNNER, ENDPOINT):
                    connection.execute(delete(schema.meta).where(key.startswith(SETTING + prefix)))
                for table in (schema.datasets, schema.versions):
                    connection.execute(update(table).values(endpoint=None))
                connection.execute(delete(schema.manifest_lines))
                connection.execute(update(schema.jobs).where(schema.jobs.c.state == "running").values(state="paused"))
                connection.execute(delete(schema.job_slots).where(slot.state == "held", slot.slot < 0))
                connection.execute(update(schema.job_slots).where(slot.state == "held").values(schema.REOPENED))

    def rename_images(
        self,
        names: Mapping[str, str],
        *,
        sources: Mapping[str, str] | None = None,
        action: Action | None = None,
        count: int = 0,
    ) -> None:
        """Rename images everywhere in the store, including history, snapshots, findings and settings.

        Revisions are kept. ``sources`` has the new names of folders that were added. In copies of a project, no action
        is recorded.
        """
        payloads = ("before", "after", "undo")
        m, h, s = schema.meta.c, schema.history.c, schema.snapshots.c
        with self._database.write() as connection:
            for table, column in ((schema.images, "image"), (schema.job_tasks, "image"), (schema.issues, "where")):
                rows = fetch(connection, select(table.c[column], table.c.id))
                update_rows(connection, table, (column,), [(names[name], id_) for name, id_ in rows if name in names])
            for (key,) in fetch(connection, select(m.key).where(m.key.startswith(SETTING))):
                name = key.removeprefix(SETTING)
                write_setting(connection, name, _renamed(read_setting(connection, name), names))
            for (id_,) in connection.execute(select(h.id)).all():
                kept = connection.execute(select(*(h[name] for name in payloads)).where(h.id == id_)).one()
                renamed = [pack(_renamed(unpack(value), names)) for value in kept]
                update_rows(connection, schema.history, payloads, [(*renamed, id_)])
            for (id_,) in connection.execute(select(s.id)).all():
                content = unpack(connection.scalar(select(s.content).where(s.id == id_)))
                for column, renames in (("image", names), ("source", sources or {})):
                    content["images"][column] = _renamed(content["images"][column], renames)
                update_rows(connection, schema.snapshots, ("content",), [(pack(content), id_)])
            _rename_sources(connection, sources or {})
            if action is not None:
                note_image_change(connection)
                before, after = ({"images": list(its)} for its in (names, names.values()))
                record(connection, action, count=count, before=before, after=after)

    @property
    def location(self) -> tuple[str, str | None]:
        """Location and PostgreSQL schema, with which :func:`open_store` opens the same store in another process."""
        database = self._database
        return os.path.abspath(database.location) if database.is_sqlite else database.location, database.schema

    # -- settings -----------------------------------------------------------------------------------
    def setting(self, name: str) -> Any:
        with self._database.read(once=True) as connection:
            return read_setting(connection, name)

    def change_setting(self, name: str, change: Callable[[Any], Any], action: Action | None = None) -> Any:
        """Replace a setting's JSON value by ``change(value)``, in the history only with an ``action``."""
        with self._database.write() as connection:
            old = read_setting(connection, name)
            new = change(old)
            write_setting(connection, name, new)
            if action is not None:
                record(connection, action, before=old, after=new)
            return new

    # -- project ------------------------------------------------------------------------------------
    def project(self) -> ProjectRecord:
        c = schema.project.c
        columns = (c.name, c.task, c.status, c.status_message, c.created, c.updated, c.tags, c.instructions)
        with self._database.read(once=True) as connection:
            name, task, status, message, *times, tags, instructions = fetch(connection, select(*columns))[0]
            made, changed = map(frames.moment, times)
            return ProjectRecord(name, task, status, message, made, changed, load_json(tags, {}), instructions or "")

    def set_project(self, action: Action, **changes: Any) -> WriteResult:
        """Change fields of the project's record: name, task, status, status_message, tags, instructions."""
        unknown = changes.keys() - {"name", "task", "status", "status_message", "tags", "instructions"}
        if unknown:
            raise ValueError(f"A project has no field {sorted(unknown)!r}.")
        values = {name: dump_json(value) if name == "tags" else value for name, value in changes.items()}
        with self._database.write() as connection:
            before = fetch(connection, select(*(schema.project.c[name] for name in changes)))[0]
            connection.execute(update(schema.project).values(**values, updated=now_us()))
            return record(connection, action, before=dict(zip(changes, before, strict=True)), after=changes)

    def change_tags(self, action: Action, change: Callable[[dict[str, str]], dict[str, str]]) -> WriteResult:
        """Replace the tags of the project by ``change(tags)`` in one transaction."""
        with self._database.write() as connection:
            old = load_json(fetch(connection, select(schema.project.c.tags))[0][0], {})
            new = change(dict(old))
            connection.execute(update(schema.project).values(tags=dump_json(new), updated=now_us()))
            return record(connection, action, before={"tags": old}, after={"tags": new})

    # -- datasets: read -----------------------------------------------------------------------------
    def dataset(self, split: str) -> DatasetRecord | None:
        """Return the record of the train or test dataset, or None if it does not exist."""
        c = schema.datasets.c
        columns = (c.split, c.status, c.status_message, c.created, c.updated, c.sources, c.tags, c.endpoint)
        with self._database.read() as connection:
            rows = fetch(connection, select(*columns).where(c.split == split))
            if not rows:
                return None
            name, status, message, created, updated, sources, *mappings = rows[0]
            times = frames.moment(created), frames.moment(updated)
            tags, noted = (load_json(text, {}) for text in mappings)
            return DatasetRecord(name, status, message, *times, load_json(sources, []), tags, noted)

    def create_dataset(self, split: str, action: Action, *, tags: dict[str, str], endpoint: dict[str, Any]) -> bool:
        """Create an empty dataset with what an endpoint stores about it, or return False if it exists."""
        with self._database.write() as connection:
            if dataset_rows(connection, split):
                return False
            trace = Trace(connection)
            ensure_dataset(connection, split, trace=trace)
            values = {"tags": dump_json(tags), "endpoint": dump_json(endpoint)}
            connection.execute(update(schema.datasets).where(schema.datasets.c.split == split).values(**values))
            record(connection, action, split=split, after={"tags": tags}, undo=trace.payload())
            return True

    def note_dataset(self, split: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        """Replace what endpoints store about a dataset by ``change(stored)``.

        Return False if that is None or the dataset does not exist.
        """
        c = schema.datasets.c
        with self._database.write() as connection:
            rows = fetch(connection, select(c.endpoint).where(c.split == split))
            noted = change(load_json(rows[0][0], {})) if rows else None
            if noted is not None:
                connection.execute(update(schema.datasets).where(c.split == split).values(endpoint=dump_json(noted)))
            return noted is not None

    def tag_dataset(
        self, split: str, change: Callable[[dict[str, str]], dict[str, str]], action: Action
    ) -> WriteResult:
        """Replace the tags of the train or test dataset by ``change(tags)`` in one transaction."""
        c = schema.datasets.c
        with self._database.write() as connection:
            before = fetch(connection, select(c.tags).where(c.split == split))
            if not before:
                raise InputError(f"The project has no {split} set. Import images first.")
            old = load_json(before[0][0], {})
            new = change(dict(old))
            values = {"tags": dump_json(new), "updated": now_us()}
            connection.execute(update(schema.datasets).where(c.split == split).values(**values))
            return record(connection, action, split=split, before={"tags": old}, after={"tags": new})

    def statistics(self, split: str) -> Statistics:
        """Count the dataset's images, labelled images, labels in use and boxes. All are 0 if it does not exist."""
        i, n = schema.image_counts.c, schema.label_counts.c
        labelled = func.sum(case((i.status == "labelled", i.images), else_=0))
        images = select(func.sum(i.images), labelled).where(i.split == split)
        labels = select(func.count(), func.sum(n.boxes)).where(n.split == split, n.images > 0)
        with self._database.read() as connection:
            counts = [*connection.execute(images).one(), *connection.execute(labels).one()]
            return Statistics(*(int(count or 0) for count in counts))

    def status_counts(self) -> pd.DataFrame:
        """Count the images of both datasets by status: split, status, images, and annotated, those with a label."""
        c = schema.image_counts.c
        dtypes = {"split": t.TEXT, "status": t.TEXT, "images": "int64", "annotated": "int64"}
        with self._database.read(once=True) as connection:
            return frames.frame(fetch(connection, select(*(c[name] for name in dtypes)).where(c.images > 0)), dtypes)

    def implied_task(self) -> t.Task:
        """Return the task that the annotations of both datasets suggest, whatever the task of the project is."""
        c = schema.image_counts.c
        tasks: dict[t.Task, ColumnElement[Any]] = {t.POLYGONS: c.outlined, t.BOXES: c.boxed, t.MULTI_LABEL: c.several}
        with self._database.read(once=True) as connection:
            counts = connection.execute(select(*map(func.sum, tasks.values()))).one()
        return next((task for task, count in zip(tasks, counts, strict=True) if count), t.SINGLE_LABEL)

    def labelled_by_people(self, split: str) -> tuple[int, int]:
        """Count the labelled images without any label by a model, and the boxes and polygons on them."""
        i, a = schema.images.c, schema.annotations.c
        by_model = select(a.image_id).where(func.substr(a.annotator, 1, len(t.MACHINE)) == t.MACHINE)
        by_hand = select(i.id).where(i.split == split, i.status == "labelled", i.id.not_in(by_model))
        shape = a.left.is_not(None) | a.polygon.is_not(None)
        with self._database.read(once=True) as connection:
            images = connection.scalar(select(func.count()).select_from(by_hand.subquery()))
            boxes = connection.scalar(select(func.count()).where(a.image_id.in_(by_hand), shape))
        return int(images or 0), int(boxes or 0)

    def images(self, split: str | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return frames.read_images_and_ids(connection, split)[1]

    def annotations(self, split: str | None = None) -> pd.DataFrame:
        """Return the annotations table, image by image in the order of import."""
        with self._database.read() as connection:
            return frames.read_annotations(connection, schema.annotations, split)

    def tables(
        self, split: str, images: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return the dataset's images and annotations, and all labels, in a consistent state.

        With ``images``, return only these and no labels, in a time independent of the number of others.
        """
        with self._database.read() as connection:
            _, table, annotations = frames.read_tables(connection, split, images)
            return table, annotations, frames.read_labels(connection) if images is None else frames.NO_LABELS

    def tables_later(self, split: str) -> tuple[pd.DataFrame, Callable[[], pd.DataFrame], pd.DataFrame]:
        """Return :meth:`tables`, with the annotations replaced by a function that waits until they are read.

        A dataset of 250,000 images may have a million boxes, which are not needed to show the first images. A
        background thread reads them in the same transaction as the images, so both are consistent despite concurrent
        writers.
        """
        with self._database.read() as connection:
            if counter(connection, schema.annotations.name) <= _READ_AT_ONCE:
                _, images, annotations = frames.read_tables(connection, split)
                return images, lambda: annotations, frames.read_labels(connection)
        first: Future[tuple[pd.DataFrame, pd.DataFrame]] = Future()
        pending = _PendingAnnotations()
        arguments = (self._database, split, first, pending.table, weakref.ref(pending))
        thread = threading.Thread(target=_read_for, args=arguments, daemon=True)
        thread.start()
        images, labels = first.result()
        self._readers.add(thread)
        return images, pending, labels

    def labels_of_images(self, split: str) -> pd.DataFrame:
        """Return the distinct pairs of ``image`` and ``label`` in the dataset's annotations."""
        a, i, names = schema.annotations.c, schema.images.c, schema.labels.c
        pairs = select(i.id, i.image, a.label_id).join(schema.images, i.id == a.image_id).where(i.split == split)
        with self._database.read() as connection:
            ids, images, label_ids = fetch_columns(connection, pairs.order_by(a.image_id, a.id), "isi")
            known_ids, labels = fetch_columns(connection, select(names.id, names.label).order_by(names.id), "io")
        first = ~pd.DataFrame({"image": ids, "label": label_ids}).duplicated().to_numpy()
        label = frames.named(label_ids[first], known_ids, labels)
        return pd.DataFrame({"image": images[first], "label": label}, dtype=t.TEXT)

    def files(self) -> tuple[pd.DataFrame, int]:
        """Return the file data of all images, and a change counter.

        The table has image, split, sha256 (str), bytes, mtime_ns (Int64). The counter increases whenever images are
        added, removed or moved, or their content changes. See ``as_of`` of the writing methods.
        """
        with self._database.read() as connection:
            return frames.read_files(connection), image_changes(connection)

    def longer_files(self) -> Mapping[str, str]:
        """Return :func:`.image_files.longer_files` of all images, read again after one was added or removed."""
        with self._database.read() as connection:
            change = image_changes(connection)
            if self._longer_files[0] != change:
                i = schema.images.c
                images = fetch_columns(connection, select(i.image, i.source).order_by(i.id), "os")
                self._longer_files = change, longer_files(*(column.tolist() for column in images))
            return self._longer_files[1]

    def issues(self) -> pd.DataFrame:
        return self._read_whole(schema.issues, {"split": t.TEXT, **t.ISSUE_COLUMNS})

    def import_lines(self) -> pd.DataFrame:
        """Return the lines of imported manifests that were not read completely: split, source, line, raw."""
        return self._read_whole(
            schema.import_lines, {"split": t.TEXT, "source": t.TEXT, "line": "int64", "raw": t.TEXT}
        )

    def _read_whole(self, table: Table, columns: dict[str, str]) -> pd.DataFrame:
        with self._database.read() as connection:
            rows = fetch(connection, select(*(table.c[name] for name in columns)).order_by(table.c.id))
            return frames.frame(rows, columns)

    def image_count(self) -> int:
        with self._database.read(once=True) as connection:
            return int(connection.scalar(select(func.sum(schema.image_counts.c.images))) or 0)

    def image_names(self, numbers: Sequence[int]) -> pd.DataFrame:
        """Look up the existing images with these numbers: number, split, image."""
        with self._database.read() as connection:
            rows = rows_with(connection, schema.images, ("id", "split", "image"), numbers)
            return frames.frame(rows, {"number": "int64", "split": t.TEXT, "image": t.TEXT})

    def outline_images(self, images: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a compact table of all images (or only ``images``) in both datasets, without names, for counting.

        Numbers are ascending and permanent. ``predicted`` is True if any model has predictions for the image. The time
        for ``images`` is independent of the number of others.
        """
        c, p = schema.images.c, schema.predictions.c
        query = select(c.id, _position(c.split, t.SPLITS), _position(c.status, t.STATUSES), c.created)
        predicted = select(p.image_id).distinct()
        with self._database.read() as connection:
            if images is None:
                numbers, splits, statuses, added = fetch_joined(connection, query, "iiii", by=c.id)
            else:  # the index begins with the split
                query = query.where(c.split.in_(t.SPLITS), among(connection, c.image, images)).order_by(c.id)
                numbers, splits, statuses, added = fetch_columns(connection, query, "iiii")
                predicted = predicted.where(among(connection, p.image_id, numbers.tolist()))
            predicted = predicted.where(*is_predicted(connection))
            (with_predictions,) = fetch_columns(connection, predicted, "i")
        return pd.DataFrame(
            {
                "number": numbers,
                "split": pd.Categorical.from_codes(splits, t.SPLITS),
                "status": pd.Categorical.from_codes(statuses, t.STATUSES),
                "added": frames.times(added),
                "predicted": np.isin(numbers, with_predictions),
            }
        )

    def outline_annotations(self, numbers: Sequence[int] | None = None) -> pd.DataFrame:
        """Return the annotations in both datasets, or of the images with these numbers, without boxes.

        Columns: number (of the image), label, annotator (categories, may be missing), created (datetime).
        """
        a, names = schema.annotations.c, schema.labels.c
        annotations = select(a.image_id, a.label_id, a.annotator, a.created)
        with self._database.read() as connection:
            if numbers is None:
                of, label_ids, people, created = fetch_joined(connection, annotations, "iisi", by=a.id)
            else:
                annotations = annotations.where(among(connection, a.image_id, numbers))
                of, label_ids, people, created = fetch_columns(connection, annotations, "iisi")
            known_ids, labels = fetch_columns(connection, select(names.id, names.label).order_by(names.id), "io")
        return pd.DataFrame(
            {
                "number": of,
                "label": _categories(np.searchsorted(known_ids, label_ids), labels),
                "annotator": _categories(*pd.factorize(people)),
                "created": frames.times(created),
            }
        )

    # -- history ------------------------------------------------------------------------------------
    def history(self, limit: int | None = None) -> pd.DataFrame:
        """Return the actions, newest first: id, created, who, what, note, split, count, before, after (parsed JSON).

        ``undoes`` is the id of the action that this action undid. ``undone_by`` is the id of the action that undid this
        action, unless that undo was itself undone. ``undoable`` is True if :meth:`undo` can undo the action, provided
        that the same data has not been changed since then.
        """
        with self._database.read() as connection:
            return _read_actions(connection, [], limit, payloads=("before", "after"))

    def actions(self, *, before: int | None = None, who: str | None = None, limit: int | None = 50) -> pd.DataFrame:
        """Return :meth:`history` without the columns ``before`` and ``after``."""
        c = schema.history.c
        where = [] if before is None else [c.id < before]
        if who is not None:
            where.append(c.who == who)
        with self._database.read() as connection:
            return _read_actions(connection, where, limit)

    def last_action(self) -> int:
        """Return the id of the newest action, or 0 if there is none. The id increases with every change."""
        with self._database.read() as connection:
            return int(connection.scalar(select(func.max(schema.history.c.id))) or 0)

    def actions_since(self, history_id: int, limit: int | None = 100) -> pd.DataFrame:
        """Return up to ``limit`` actions after the action with this id, oldest first.

        Columns: id, created, who, what, note, split, count, and images (a list of those that the action touched).
        """
        c = schema.history.c
        dtypes = {**_ACTION_DTYPES, "before": "object", "after": "object"}
        chosen = select(*(c[name] for name in dtypes)).where(c.id > history_id).order_by(c.id).limit(limit)
        with self._database.read() as connection:
            actions = frames.frame(fetch(connection, chosen), dtypes)
            pairs = zip(actions.pop("before"), actions.pop("after"), strict=True)
            touched = [touched_images(unpack(before), unpack(after)) for before, after in pairs]
        return actions.assign(
            created=frames.times(actions["created"].to_numpy()), images=pd.Series(touched, dtype=object)
        )

    def labels_of_actions(self, ids: Sequence[int]) -> dict[int, tuple[list[str], list[str]]]:
        """Map actions to the labels they name or change, before and after, without those of very large edits."""
        with self._database.read() as connection:
            return labels_of_actions(connection, ids)

    def actors(self) -> dict[str, int]:
        c = schema.history.c
        counts = select(c.who, func.count()).group_by(c.who).order_by(func.count().desc(), c.who)
        with self._database.read() as connection:
            return {str(who): int(count) for who, count in fetch(connection, counts)}

    def changes_since(self, moment: datetime) -> tuple[int, datetime | None]:
        """Count the changes to images, annotations and labels after ``moment``, and return the time of the first."""
        c = schema.history.c
        changes = select(c.created).where(c.created > frames.from_datetime(moment), c.undo.is_not(None)).subquery()
        with self._database.read() as connection:
            chosen = select(func.count(), func.min(changes.c.created)).select_from(changes)
            count, first = connection.execute(chosen).one()
            return int(count), None if first is None else frames.moment(int(first))

    def undo(self, action_id: int | None, action: Action) -> WriteResult:
        """Undo an action. ``count`` is the number of changed images.

        Undo is itself an action, and undoing it redoes the original action. Changes to images, annotations and labels
        can be undone in any order, unless a later change to the same images or labels still applies.
        """
        with self._database.write() as connection:
            return undo_action(connection, action_id, action)

    def undo_refusal(self, action_id: int) -> str | None:
        """Return the reason why :meth:`undo` would refuse to undo an action, or None if it would not."""
        with self._database.read() as connection:
            return undo_refusal(connection, action_id)

    # -- datasets: write ----------------------------------------------------------------------------
    def add_images(
        self,
        split: str,
        images: pd.DataFrame,
        annotations: pd.DataFrame,
        action: Action,
        *,
        files: pd.DataFrame | None = None,
        issues: Iterable[Issue] = (),
        lines: Sequence[tuple[str, int, str]] = (),
        source: Mapping[str, Any] | None = None,
        as_of: int | None = None,
    ) -> WriteResult:
        """Add images with their annotations, creating the dataset and missing labels.

        Files have image, bytes and mtime_ns, so that a later import can skip unchanged ones. Issues, lines and the
        source are stored even if no image is new. If images have been added, removed, moved or changed since ``as_of``,
        OutdatedError is raised.
        """
        parts = [ImportPart(images, annotations, files)]
        return self.add_parts(split, parts, action, issues=issues, lines=lines, source=source, as_of=as_of)

    def add_parts(
        self,
        split: str,
        parts: Iterable[ImportPart],
        action: Action,
        *,
        issues: Iterable[Issue] = (),
        lines: Sequence[tuple[str, int, str]] = (),
        labels: Iterable[str] = (),
        vocabulary: Sequence[tuple[str, str | None]] = (),
        source: Mapping[str, Any] | None = None,
        as_of: int | None = None,
        after: int | None = None,
    ) -> WriteResult:
        """Add images as in :meth:`add_images` and edit known ones, part by part as one action.

        Undoing it also undoes the action ``after``, in which the same import changed the other dataset.

        Parts may be made as they are added, and an exception then leaves everything as it was. ``issues`` and ``lines``
        are read after them. ``labels`` may occur, so that new labels are sorted by name, whatever part they are in. The
        labels of ``vocabulary`` (name, color) come before them, in this order and even if they are not used.
        """
        with self._database.write(check_keys=False) as connection:
            check_as_of(connection, as_of)
            trace, existed = Trace(connection), bool(dataset_rows(connection, split))
            done = insert_images(
                connection, split, parts, trace,
                issues=issues, lines=lines, labels=labels, vocabulary=vocabulary, source=source,
            )  # fmt: skip
            count = done.names.count + len(done.before)
            if not count and not done.noted:  # a repeated import is not an action, and leaves no other source
                if existed:
                    connection.rollback()
                return WriteResult()
            names, payload = done.names.packed(done.after), trace.payload()
            payload |= {} if after is None else {"with": after}
            return record(connection, action, split=split, count=count, before=done.before, after=names, undo=payload)

    def update_images(
        self,
        split: str,
        images: pd.DataFrame,
        annotations: pd.DataFrame,
        action: Action,
        stored: Tables | None = None,
        *,
        labels: Collection[str] = (),
        rejects: bool = False,
        settles: bool = True,
    ) -> WriteResult:
        """Store the changes to these images. ``count`` is the number of changed images.

        ``images.revision`` is the revision on which the edit is based. Other images in the dataset stay the same.
        ``stored`` is a recent result of :meth:`tables` for these images. If it is passed, the images are read again
        only if somebody has changed them. Other labels than these ``labels`` are added if they do not exist. If the
        action ``rejects`` annotations, the previous ones become :meth:`suggestions`. Its note is the reason. If it
        ``settles`` them, those for images that are or were labelled are deleted.
        """
        edit = Edit(images, annotations, *(stored or self.tables(split, images["image"].tolist())[:2]))
        with self._database.write() as connection:
            refuse_unknown(connection, labels)
            trace = Trace(connection)
            by = (action.who, action.note) if rejects else None
            before, after = change_images(connection, split, edit, trace, rejected_by=by, settles=settles)
            if not before:
                return WriteResult()
            payload = trace.payload()
            return record(connection, action, split=split, count=len(before), before=before, after=after, undo=payload)

    def remove_images(self, split: str | None, images: pd.DataFrame, action: Action) -> WriteResult:
        """Remove images (image, revision) and their annotations, but no files. ``count`` is their number.

        If ``split`` is None, the column "split" has the dataset of each image.
        """
        if images.empty:
            return WriteResult()
        parts = images.groupby("split", sort=False) if split is None else [(split, images)]
        with self._database.write() as connection:
            trace, before = Trace(connection), dict[str, Any]()
            for part_split, part in parts:
                ids, stored, annotations = read_named(connection, str(part_split), part)
                gone = part["image"].tolist()
                refuse_stale(gone, part, stored["revision"].to_dict(), annotations, annotations.head(0))
                removed = [ids[name] for name in gone]
                keep_images(trace, removed)
                delete_with(connection, schema.images, removed)
                touch_dataset(connection, str(part_split))
                before |= states(gone, stored["status"].to_dict(), frames.annotation_keys(annotations))
            note_image_change(connection)
            return record(connection, action, split=split, count=len(images), before=before, undo=trace.payload())

    def refresh_files(self, split: str, facts: pd.DataFrame, action: Action) -> WriteResult:
        """Update stored file data. ``count`` is the number of images with new content.

        ``facts`` has the columns image, width, height, sha256, bytes and mtime_ns. If only the modification time of a
        file has changed, no action is recorded and the image keeps its revision.
        """
        c = schema.images.c
        names = ["sha256", "width", "height", "bytes", "mtime_ns"]
        with self._database.write() as connection:
            chosen = (c.split == split, among(connection, c.image, facts["image"].tolist()))
            rows = fetch(connection, select(c.image, c.id, c.sha256).where(*chosen))
            stored = {image: (id_, sha256) for image, id_, sha256 in rows}
            rows_in_store = [row for row in frames.plain_rows(facts, ["image", *names]) if row[0] in stored]
            update_rows(connection, schema.images, names, [(*row[1:], stored[row[0]][0]) for row in rows_in_store])
            changed = [row[0] for row in rows_in_store if row[1] != stored[row[0]][1]]
            if not changed:
                return WriteResult()
            _bump_revisions(connection, [stored[name][0] for name in changed])
            note_image_change(connection)
            return record(connection, action, split=split, count=len(changed), after={"images": changed})

    def move_images(
        self, images: Sequence[str], origin: str, target: str, action: Action, *, into_empty: bool = False
    ) -> WriteResult:
        """Move images and their annotations to the other dataset. ``count`` is the number of images.

        With ``into_empty``, nothing is moved if the other dataset already has images.
        """
        t.check_split(origin)
        names = list(images)
        with self._database.write() as connection:
            present = select(schema.images.c.id).where(schema.images.c.split == target).limit(1)
            if into_empty and connection.scalar(present) is not None:
                return WriteResult()
            trace = Trace(connection)
            ensure_dataset(connection, target, trace=trace)
            ids, there = (image_ids(connection, names, split) for split in (origin, target))
            for name in names:
                if name not in ids:
                    raise TableError(f"Image {name!r} is not in the {origin} set.")
                if name in there:
                    raise TableError(f"Image {name!r} is already in the {target} set.")
            moved = [ids[name] for name in names]
            trace.keep(schema.images, moved, ("split", "image", "revision"))
            update_rows(connection, schema.images, ("split",), [(target, id_) for id_ in moved])
            _bump_revisions(connection, moved)
            note_image_change(connection)
            before, after = {origin: names}, {target: names}
            return record(
                connection, action, split=origin, count=len(names), before=before, after=after, undo=trace.payload()
            )

    def delete_dataset(self, split: str, action: Action) -> WriteResult:
        """Delete the dataset with its images and annotations, but not the files. ``count`` is the number of images."""
        t.check_split(split)
        with self._database.write() as connection:
            ids, before = _pack_dataset(connection, split)
            trace = Trace(connection)
            keep_images(trace, ids)
            for table in (schema.issues, schema.import_lines):
                row_ids = [int(row[0]) for row in fetch(connection, select(table.c.id).where(table.c.split == split))]
                trace.keep(table, row_ids, gone=True)
            trace.note("datasets_gone", dataset_rows(connection, split))
            for table in (schema.images, schema.issues, schema.import_lines, schema.datasets):
                connection.execute(delete(table).where(table.c.split == split))
            note_image_change(connection)
            return record(connection, action, split=split, count=len(ids), before=before, undo=trace.payload())

    # -- snapshots ----------------------------------------------------------------------------------
    def take_snapshot(self, name: str, split: str | None, action: Action) -> WriteResult:
        """Store the current state of a dataset, or of both if ``split`` is None. ``count`` is the number of images."""
        with self._database.read() as connection:
            content = snapshots.read_content(connection, split)
        data = snapshots.encode(content)
        with self._database.write() as connection:
            return snapshots.save(connection, name, content, data, action)

    def snapshots(self) -> pd.DataFrame:
        """Return the snapshots, oldest first.

        Columns: name, created, who, split (missing if both are in it), and numbers of images and annotations.
        """
        dtypes = {"name": t.TEXT, "created": "int64", "who": t.TEXT, "split": t.TEXT, "images": "int64",
                  "annotations": "int64"}  # fmt: skip
        table = self._read_whole(schema.snapshots, dtypes)
        return table.assign(created=frames.times(table["created"].to_numpy()))

    def compare_snapshots(self, before: str, after: str | None) -> pd.DataFrame:
        """Compare a snapshot with another snapshot or the current state: image, split, change, before, after.

        ``change`` is "added", "removed", "moved", "status", "relabelled", "redrawn" (same labels) or "details" (source,
        tags and user-defined columns). An image that both moved and was relabelled has two rows.
        """
        with self._database.read() as connection:
            kept = [snapshots.load(connection, name) for name in (before, after) if name is not None]
            now = snapshots.read_content(connection, None) if after is None else None
        contents = [snapshots.decode(data) for data in kept]
        return snapshots.differences(contents[0], contents[1] if now is None else now)

    def restore_snapshot(self, name: str, action: Action) -> WriteResult:
        """Restore the datasets from the snapshot, as one action. ``count`` is the number of changed images.

        A dataset that is not in the snapshot stays the same, except that images in the snapshot are moved back out of
        it. Deleted labels that the snapshot uses are added again, and no label is removed. The sizes and content of
        image files are never restored.
        """
        with self._database.read() as connection:
            data = snapshots.load(connection, name)
        content = snapshots.decode(data)
        with self._database.write() as connection:
            return snapshots.restore(connection, name, content, action)

    def delete_snapshot(self, name: str, action: Action) -> WriteResult:
        with self._database.write() as connection:
            snapshots.load(connection, name)
            connection.execute(delete(schema.snapshots).where(schema.snapshots.c.name == name))
            return record(connection, action, before={"snapshot": name})

    # -- labels -------------------------------------------------------------------------------------
    def labels(self) -> pd.DataFrame:
        with self._database.read() as connection:
            return frames.read_labels(connection)

    def label_names(self) -> list[str]:
        """Return the labels in their order."""
        c = schema.labels.c
        with self._database.read(once=True) as connection:
            return [str(label) for (label,) in fetch(connection, select(c.label).order_by(c.position))]

    def label_ids(self) -> dict[str, int]:
        """Return the id of each label. It stays the same when the label is renamed, and is never used again."""
        c = schema.labels.c
        with self._database.read(once=True) as connection:
            return {str(label): int(id_) for label, id_ in fetch(connection, select(c.label, c.id))}

    def current_labels(self, ids: Mapping[str, int]) -> dict[str, str]:
        """Map former names of labels to their names now, or to that of the label they were merged into.

        ``ids`` are those that :meth:`label_ids` returned then. Labels that were removed keep their names. So do labels
        that were merged, or renamed and are not used, if another label has the name now, as after a snapshot is
        restored.
        """
        c, n = schema.labels.c, schema.label_counts.c
        with self._database.read() as connection:
            there = {int(id_): str(label) for label, id_ in fetch(connection, select(c.label, c.id))}
            used = {int(id_) for (id_,) in fetch(connection, select(n.label_id).where(n.images > 0))}
            gone = read_gone(connection)
        names = set(there.values())
        return {
            name: name if id_ not in used and name in names else there.get(current_label(id_, there, gone), name)
            for name, id_ in ids.items()
        }

    def state_of(self, split: str) -> str:
        """Return a hash that differs after every change to the images, annotations or names of labels of a dataset.

        Every change to an image increments its revision, and ids are never used again.
        """
        i, c = schema.images.c, schema.labels.c
        with self._database.read() as connection:
            images = fetch_columns(connection, select(i.id, i.revision).where(i.split == split).order_by(i.id), "ii")
            labels = fetch(connection, select(c.id, c.label).order_by(c.id))
        content = [column.tobytes() for column in images]
        return hashlib.sha256(b"".join([*content, repr([tuple(row) for row in labels]).encode()])).hexdigest()

    def label_uses(self, label: str | None = None) -> pd.DataFrame:
        """Count the uses of each label, or only of ``label``: label, train, test (images), annotations (int64)."""
        names, n = schema.labels.c, schema.label_counts.c
        sums = [func.coalesce(func.sum(case((n.split == split, n.images), else_=0)), 0) for split in t.SPLITS]
        joined = schema.labels.outerjoin(schema.label_counts, n.label_id == names.id)
        uses = select(names.label, *sums, func.coalesce(func.sum(n.annotations), 0)).select_from(joined)
        uses = uses.group_by(names.id, names.label, names.position).order_by(names.position)
        if label is not None:
            uses = uses.where(names.label == label)
        with self._database.read(once=True) as connection:
            rows = [(name, *map(int, counts)) for name, *counts in fetch(connection, uses)]
        return frames.frame(rows, {"label": t.TEXT, **dict.fromkeys((*t.SPLITS, "annotations"), "int64")})

    def add_labels(
        self, labels: Sequence[tuple[str, str | None]], action: Action, *, review: bool = False
    ) -> WriteResult:
        """Append labels (name, color). ``review`` marks labelled images for review and counts them."""
        names = [t.check_label(label) for label, _ in labels]
        if len(set(names)) < len(names):
            raise LabelError(f"A label occurs twice in {names!r}.")
        with self._database.write() as connection:
            for name in names:
                if _find_label(connection, name) is not None:
                    raise LabelError(f"Label {name!r} already exists.")
            if not names:
                return WriteResult()
            trace = Trace(connection)
            for name, (_, color) in zip(names, labels, strict=True):
                insert_label(connection, name, color)
            trace.note("explicit", True)
            after: dict[str, Any] = {"label": names[0]} if len(names) == 1 else {"labels": names}
            images = _send_to_review(connection, trace) if review else []
            if images:
                after["images"] = images
            return record(connection, action, count=len(images), after=after, undo=trace.payload())

    def review_without(self, label: str, action: Action) -> WriteResult:
        """Mark all labelled images that do not have this label for review. ``count`` is their number."""
        with self._database.write() as connection:
            id_ = _find_label(connection, label)
            if id_ is None:
                raise LabelError(f"Label {label!r} does not exist.")
            trace = Trace(connection)
            images = _send_to_review(connection, trace, without=id_)
            if not images:
                return WriteResult()
            after = {"label": label, "images": images}
            return record(connection, action, count=len(images), after=after, undo=trace.payload())

    def rename_label(self, label: str, new: str, action: Action) -> WriteResult:
        """Rename a label in all annotations and predictions. ``count`` is the number of annotations."""
        name = t.check_label(new)
        c = schema.labels.c
        with self._database.write() as connection:
            id_ = _require_label(connection, label)
            if name == label:
                return WriteResult()
            if _find_label(connection, name) is not None:
                raise LabelError(
                    f"Label {name!r} already exists. To combine the two labels, use merge({label!r}, into={name!r})."
                )
            trace = Trace(connection)
            trace.keep(schema.labels, [id_], ("label",))
            connection.execute(update(schema.labels).where(c.id == id_).values(label=name))
            carriers = bump_images_with_label(connection, id_)
            trace.note("bumped", carriers)
            images = [row[1] for row in rows_with(connection, schema.images, ("id", "image"), carriers)]
            count, after = _count_uses(connection, id_), {"label": name, "images": images}
            return record(connection, action, count=count, before={"label": label}, after=after, undo=trace.payload())

    def merge_labels(self, label: str, into: str, action: Action) -> WriteResult:
        """Replace ``label`` with ``into`` and remove it. ``count`` is the number of its annotations."""
        with self._database.write() as connection:
            id_, target = _require_label(connection, label), _require_label(connection, into)
            if id_ == target:
                raise LabelError(f"Label {label!r} cannot be merged into itself.")
            trace = Trace(connection)
            before = dict(zip(LABEL_FIELDS, trace.keep(schema.labels, [id_], gone=True)[0], strict=True))
            count, carriers = 0, set()
            for table in MARKS:
                annotations, others = _marks_with(connection, table, id_, target)
                if table is schema.annotations:
                    count, carriers = len(annotations), {row[1] for row in annotations}
                    trace.merge_counts(id_, target, carriers.intersection(row[1] for row in others))
                there = {row[1:4:2] for row in others if row[4]}
                doubled = {row[0] for row in annotations if row[4] and row[1:4:2] in there}
                trace.keep(table, doubled, gone=True)
                delete_with(connection, table, doubled)
                # for annotations whose label is all that changes, store only the label
                columns = ("id", "image_id", "label_id", *(["model"] if "model" in table.c else []))
                rows = [row[: len(columns)] for row in annotations if row[0] not in doubled]
                trace.keep_known(table, columns, rows)
                connection.execute(update(table).where(table.c.label_id == id_).values(label_id=target))
            images = [str(row[1]) for row in trace.keep(schema.images, carriers, ("image", "status", "revision"))]
            _bump_revisions(connection, carriers)
            connection.execute(delete(schema.labels).where(schema.labels.c.id == id_))
            note_gone(connection, id_, target)
            after = {"label": into, "images": images}
            return record(connection, action, count=count, before=before, after=after, undo=trace.payload())

    def remove_label(self, label: str, action: Action, *, with_annotations: bool = False) -> WriteResult:
        """Remove a label. Images without another become unlabelled. ``count`` is that of its annotations."""
        a = schema.annotations
        with self._database.write() as connection:
            id_ = _require_label(connection, label)
            count = _count_uses(connection, id_)
            if count and not with_annotations:
                raise LabelError(
                    f"Label {label!r} is used by {counted(count, 'annotation')}. Pass with_annotations=True to remove "
                    "its annotations as well, or merge the label into another one."
                )
            note_gone(connection, id_, None)
            trace = Trace(connection)
            _, _, color, position = trace.keep(schema.labels, [id_], gone=True)[0]
            annotations = fetch(connection, select(a).where(a.c.label_id == id_))
            for table in MARKS:
                rows = fetch(connection, select(table.c.id).where(table.c.label_id == id_))
                trace.keep(table, [int(row[0]) for row in rows], gone=True)
                connection.execute(delete(table).where(table.c.label_id == id_))
            carriers = {int(row[1]) for row in annotations}
            images = trace.keep(schema.images, carriers, ("image", "status", "revision"))
            _bump_revisions(connection, carriers)
            connection.execute(delete(schema.labels).where(schema.labels.c.id == id_))
            labelled = [row[0] for row in images if row[2] == "labelled"]
            kept = {row[0] for row in rows_with(connection, a, ("image_id",), labelled, key="image_id")}
            update_with(connection, schema.images, "status = 'unlabelled'", set(labelled) - kept)
            before: dict[str, Any] = {"label": label, "color": color, "position": position}
            before |= {"annotations": [list(row) for row in annotations], "images": [row[1] for row in images]}
            return record(connection, action, count=count, before=before, undo=trace.payload())

    def reorder_labels(self, labels: Sequence[str], action: Action) -> WriteResult:
        """Set the order of the labels. Labels that are not in ``labels`` follow in their previous order."""
        if len(set(labels)) != len(labels):
            raise LabelError(f"A label occurs twice in {list(labels)!r}.")
        c = schema.labels.c
        with self._database.write() as connection:
            rows = fetch(connection, select(c.label, c.id).order_by(c.position))
            old = [str(name) for name, _ in rows]
            for name in labels:
                if name not in old:
                    raise LabelError(f"Label {name!r} does not exist. Existing labels: {old!r}.")
            named = set(labels)
            new = [*labels, *(name for name in old if name not in named)]
            trace = Trace(connection)
            trace.keep(schema.labels, [int(id_) for _, id_ in rows], ("position",))
            update_rows(connection, schema.labels, ("position",), list(enumerate(new)), key="label")
            return record(connection, action, before={"order": old}, after={"order": new}, undo=trace.payload())

    def recolor_label(self, label: str, color: str, action: Action) -> WriteResult:
        c = schema.labels.c
        with self._database.write() as connection:
            id_ = _require_label(connection, label)
            old = connection.scalar(select(c.color).where(c.id == id_))
            trace = Trace(connection)
            trace.keep(schema.labels, [id_], ("color",))
            connection.execute(update(schema.labels).where(c.id == id_).values(color=check_color(color)))
            before, after = {"label": label, "color": old}, {"label": label, "color": color}
            return record(connection, action, before=before, after=after, undo=trace.payload())

    def job_count(self) -> int:
        """Return the number of labelling jobs."""
        with self._database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(schema.jobs)) or 0)

    # -- versions and predictions -------------------------------------------------------------------
    def versions(self) -> list[VersionRecord]:
        c = schema.versions.c
        with self._database.read() as connection:
            rows = fetch(connection, select(*(c[name] for name in _VERSION_FIELDS)).order_by(c.id))
            return [_read_version(row) for row in rows]

    def add_version(self, version: VersionRecord, action: Action | None = None) -> WriteResult:
        """Add a version, or begin the one that this process has reserved, which keeps its tags and endpoint notes.

        Without an action, as for a reserved name, nothing is written to the history.
        """
        c = schema.versions.c
        with self._database.write() as connection:
            rows = fetch(connection, select(*(c[name] for name in _VERSION_FIELDS)).where(c.name == version.name))
            if rows:
                reserved = _read_version(rows[0])
                if action is None or not reserved.is_reserved:
                    raise NotAllowedError(f"Version {version.name!r} already exists. Choose another name.")
                version = replace(version, tags=reserved.tags, endpoint=reserved.endpoint)
                connection.execute(delete(schema.versions).where(c.name == version.name))  # it becomes the newest one
            values = {name: _written_field(name, getattr(version, name)) for name in _VERSION_FIELDS}
            id_ = take_ids(connection, schema.versions, 1)[0]
            connection.execute(insert(schema.versions).values(id=id_, **values))
            if action is None:
                return WriteResult()
            return record(connection, action, after={"version": version.name, "status": version.status})

    def update_version(self, name: str, action: Action | None = None, **changes: Any) -> WriteResult:
        """Change fields of a version. Without an action, as for heartbeats, nothing is written to the history."""
        return self.change_version(name, lambda _: changes, action)

    def change_version(
        self, name: str, change: Callable[[VersionRecord], Mapping[str, Any] | None], action: Action | None = None
    ) -> WriteResult:
        """Change a version to ``change(record)`` before other kernels can, unless it returns None or raises."""
        c = schema.versions.c
        with self._database.write() as connection:
            rows = fetch(connection, select(*(c[field] for field in _VERSION_FIELDS)).where(c.name == name))
            if not rows:
                raise ModelNotFoundError(f"Version {name!r} does not exist.")
            changes = change(_read_version(rows[0]))
            if changes is None:
                return WriteResult()
            unknown = changes.keys() - set(_VERSION_FIELDS)
            if "status" in changes and changes["status"] not in VERSION_STATUSES:
                unknown = unknown or {changes["status"]}
            if unknown:
                raise InputError(f"A version has no field or status {sorted(unknown)!r}.")
            values = {field: _written_field(field, value) for field, value in changes.items()}
            if changes.get("alias"):
                connection.execute(update(schema.versions).where(c.alias == changes["alias"]).values(alias=None))
            if set(changes) != {"heartbeat"}:
                values["updated"] = now_us()
            connection.execute(update(schema.versions).where(c.name == name).values(**values))
            if action is None:
                return WriteResult()
            shown = {field: changes[field] for field in changes if field in _SHOWN_CHANGES}
            return record(connection, action, before={"version": name}, after={"version": name, **shown})

    def delete_version(self, name: str, action: Action) -> WriteResult:
        with self._database.write() as connection:
            if not _has_version(connection, name):
                raise ModelNotFoundError(f"Version {name!r} does not exist.")
            _delete_predictions(connection, name)
            connection.execute(delete(schema.versions).where(schema.versions.c.name == name))
            return record(connection, action, before={"version": name})

    def predictions(
        self, split: str | None = None, model: str | None = None, images: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return the predictions table, or only the rows for ``images``."""
        of_model = [] if model is None else [schema.predictions.c.model == model]
        with self._database.read() as connection:
            conditions = is_predicted(connection) + of_model
            return frames.read_annotations(connection, schema.predictions, split, images, *conditions)

    def suggestions(self, split: str, images: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the annotations that people rejected as predictions, see :mod:`.suggestions`."""
        with self._database.read() as connection:
            if not any_suggested(connection):
                return t.empty(t.PREDICTION_COLUMNS)
            return frames.read_annotations(connection, schema.predictions, split, images, is_suggested())

    def replace_predictions(
        self, model: str, predictions: pd.DataFrame, action: Action, *, images: Collection[str] | None = None
    ) -> WriteResult:
        """Replace a model's predictions for ``images`` or all. ``count`` is the number that it has then."""
        if model.startswith(REJECTED_BY):
            raise InputError(f"model={model!r} must not start with {REJECTED_BY!r}, which is for rejected annotations.")
        p = schema.predictions.c
        with self._database.write() as connection:
            _delete_predictions(connection, model, images)
            ids = image_ids(connection, predictions["image"].unique().tolist()) if len(predictions) else {}
            insert_marks(connection, schema.predictions, predictions, ids, model=model)
            stored = connection.scalar(select(func.count()).select_from(schema.predictions).where(p.model == model))
            return record(connection, action, count=int(stored or 0), after={"model": model})


# -- copies -----------------------------------------------------------------------------------------
def _copy_rows(database: Database, copy: Database) -> None:
    with database.read() as source, copy.write(lock=False) as connection:
        schema.metadata.create_all(connection, checkfirst=False)
        for table in schema.metadata.sorted_tables:
            columns = [column.name for column in table.columns]
            result = source.execution_options(yield_per=_COPIED_AT_ONCE).execute(select(table))
            for part in result.partitions(_COPIED_AT_ONCE):
                rows = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in part]
                insert_rows(connection, table, columns, rows)


def _rename_sources(connection: Connection, sources: Mapping[str, str]) -> None:
    i, d = schema.images.c, schema.datasets.c
    for old, new in sources.items():
        inside = i.image.startswith(new.rstrip("/") + "/", autoescape=True)  # others are still missing
        connection.execute(update(schema.images).where(i.source == old, inside).values(source=new))
    still = set(connection.scalars(select(i.source).distinct())) & sources.keys()  # have images that are still missing
    for split, listed in fetch(connection, select(d.split, d.sources)) if sources else ():
        places = load_json(listed, [])
        places = dump_json([place for place in places if place.get("name") in still] + _renamed(places, sources))
        connection.execute(update(schema.datasets).where(d.split == split).values(sources=places))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return {names.get(k, k): _renamed(v, names) for k, v in value.items()} if isinstance(value, dict) else value


# -- annotations that are read in a background thread -----------------------------------------------
class _PendingAnnotations:
    """Callable that waits for annotations that are being read. Reading stops if it is garbage-collected."""

    def __init__(self) -> None:
        self.table: Future[pd.DataFrame] = Future()
        self._process = os.getpid()

    def __call__(self) -> pd.DataFrame:
        if self._process != os.getpid() and not self.table.done():
            raise StoreError("The process was forked while annotations were being read. Fork after reading finishes.")
        return self.table.result()


def _read_for(
    database: Database,
    split: str,
    first: Future[tuple[pd.DataFrame, pd.DataFrame]],
    table: Future[pd.DataFrame],
    pending: Callable[[], _PendingAnnotations | None],
) -> None:
    def go_on() -> None:
        if pending() is None:
            raise Cancelled("These annotations are no longer needed.")

    try:
        with database.read() as connection:
            ids, images = frames.read_images_and_ids(connection, split)
            labels = frames.read_labels(connection)
            names = images["image"].array
            first.set_result((images, labels))
            del images
            table.set_result(frames.read_marks_of(connection, split, ids, names, go_on))
    except BaseException as error:
        for future in (first, table):
            if not future.done():
                future.set_exception(error)


# -- images -----------------------------------------------------------------------------------------
def _bump_revisions(connection: Connection, ids: Iterable[int]) -> None:
    c = schema.images.c
    connection.execute(update(schema.images).where(among(connection, c.id, ids)).values(revision=c.revision + 1))


def _pack_dataset(connection: Connection, split: str) -> tuple[list[int], bytes | None]:
    """Return the ids and packed states of a dataset's images. Call this first to limit memory use."""
    ids, stored, annotations = frames.read_tables(connection, split)
    statuses = dict(zip(stored["image"], stored["status"], strict=True))
    return list(ids.values()), pack(states(list(statuses), statuses, frames.annotation_keys(annotations)))


def _position(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[Any]:
    """Map a text column to its position in ``values``, because drivers return numbers faster than strings."""
    return case({value: index for index, value in enumerate(values)}, value=column)


def _categories(codes: Array, names: Array) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype=t.TEXT))


# -- history ----------------------------------------------------------------------------------------
def _read_actions(
    connection: Connection, where: Sequence[ColumnElement[bool]], limit: int | None, payloads: Sequence[str] = ()
) -> pd.DataFrame:
    c = schema.history.c
    dtypes = {**_ACTION_DTYPES, **dict.fromkeys(payloads, "object"), "undoes": "Int64"}
    undoable = (func.coalesce(func.length(c.undo), 0) > 0).label("undoable")
    chosen = select(*(c[name] for name in dtypes), undoable).where(*where).order_by(c.id.desc()).limit(limit)
    actions = frames.frame(fetch(connection, chosen), {**dtypes, "undoable": "bool"})
    undone = undone_by(connection)
    by = pd.array([undone.get(id_) for id_ in actions["id"]], dtype="Int64")
    actions.insert(actions.columns.get_loc("undoable"), "undone_by", by)
    return actions.assign(
        created=frames.times(actions["created"].to_numpy()),
        undoable=actions["undoable"] & actions["undone_by"].isna(),
        **{name: pd.Series([unpack(value) for value in actions[name]], dtype=object) for name in payloads},
    )


# -- labels -----------------------------------------------------------------------------------------
def _send_to_review(connection: Connection, trace: Trace, *, without: int | None = None) -> list[str]:
    """Mark labelled images, except those with the label ``without``, for review, and return their names."""
    i, a = schema.images.c, schema.annotations.c
    done = select(i.id).where(i.status == "labelled")
    if without is not None:
        done = done.where(i.id.not_in(select(a.image_id).where(a.label_id == without)))
    ids = [int(row[0]) for row in fetch(connection, done)]
    changed = trace.keep(schema.images, ids, ("image", "status", "revision"))
    update_with(connection, schema.images, "status = 'needs_review', revision = revision + 1", ids)
    return [str(row[1]) for row in changed]


def _find_label(connection: Connection, label: str) -> int | None:
    id_ = connection.scalar(select(schema.labels.c.id).where(schema.labels.c.label == label))
    return None if id_ is None else int(id_)


def _require_label(connection: Connection, label: str) -> int:
    id_ = _find_label(connection, label)
    if id_ is None:
        c = schema.labels.c
        names = [str(row[0]) for row in fetch(connection, select(c.label).order_by(c.position))]
        raise LabelError(f"Label {label!r} does not exist. Existing labels: {names[:20]!r}.")
    return id_


def _count_uses(connection: Connection, label_id: int) -> int:
    a = schema.annotations
    return int(connection.scalar(select(func.count()).select_from(a).where(a.c.label_id == label_id)) or 0)


def _marks_with(connection: Connection, table: Table, label_id: int, other: int) -> tuple[Rows, Rows]:
    """Return the id, image id, label, model (if any) and image-level flag of each annotation with either label."""
    c = table.c
    model = c.model if "model" in c else literal("")
    columns = c.id, c.image_id, c.label_id, model, c["left"].is_(None)
    rows = fetch(connection, select(*columns).where(c.label_id.in_((label_id, other))))
    return [row for row in rows if row[2] == label_id], [row for row in rows if row[2] == other]


# -- versions and predictions -----------------------------------------------------------------------
def _has_version(connection: Connection, name: str) -> bool:
    return connection.scalar(select(schema.versions.c.id).where(schema.versions.c.name == name)) is not None


def _read_version(row: tuple[Any, ...]) -> VersionRecord:
    return VersionRecord(**{name: _read_field(name, value) for name, value in zip(_VERSION_FIELDS, row, strict=True)})


def _read_field(name: str, value: Any) -> Any:
    if name in _VERSION_JSON:
        return load_json(value, {})
    return frames.moment(value) if name in _VERSION_TIMES and value is not None else value


def _written_field(name: str, value: Any) -> Any:
    if name in _VERSION_JSON:
        return dump_json(value)
    return frames.from_datetime(value) if name in _VERSION_TIMES else value


def _delete_predictions(connection: Connection, model: str, images: Collection[str] | None = None) -> None:
    p, i = schema.predictions.c, schema.images.c
    chosen = delete(schema.predictions).where(p.model == model)
    if images is not None:
        chosen = chosen.where(p.image_id.in_(select(i.id).where(among(connection, i.image, images))))
    connection.execute(chosen)
    note_prediction_change(connection, model)
