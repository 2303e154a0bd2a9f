"""The store on SQLite or PostgreSQL through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import WeakSet

import pandas as pd
from sqlalchemy import select, update

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ProjectExistsError, ProjectNotFoundError
from customlabels_nb.store import (
    _copying,
    _counts,
    _datasets,
    _entries,
    _history,
    _labels,
    _overview,
    _snapshots,
    _versions,
    frames,
    schema,
)
from customlabels_nb.store._later import read_tables_later
from customlabels_nb.store.base import Action, DatasetRecord, ProjectRecord, Statistics, Store, Tables, VersionRecord
from customlabels_nb.store.database import Database, dump_json, fetch, load_json, now_us, record


def create_store(location: str, name: str, *, schema: str | None = None, task: str | None = None) -> Store:
    """Make the database of a new project.

    Parameters
    ----------
    location : str
        Path of the SQLite file to make, or a PostgreSQL URL.
    name, task : str
        The project's.
    schema : str, optional
        The PostgreSQL schema to make for the project.

    Raises
    ------
    ProjectExistsError
        If the file or the schema is there already.
    """
    database = Database(location, schema)
    if database.is_sqlite and Path(location).exists():
        raise ProjectExistsError(f"There is a file {location!r} already; nothing was overwritten.")
    if schema is not None and not database.is_sqlite and _has_schema(database, schema):
        raise ProjectExistsError(f"There is a schema {schema!r} in {database.shown} already; nothing was overwritten.")
    database.create(name, task)
    return SqlStore(database)


def open_store(location: str, *, schema: str | None = None) -> Store:
    """Open a project's database, bringing an older schema up to date.

    Raises
    ------
    ProjectNotFoundError
        If there is none.
    SchemaTooNewError
        If a newer release wrote it.
    """
    database = Database(location, schema)
    if database.is_sqlite and not Path(location).is_file():
        raise ProjectNotFoundError(f"There is no project database at {location!r}.")
    database.check_version()
    return SqlStore(database)


def _has_schema(database: Database, name: str) -> bool:
    from sqlalchemy import inspect

    with database.read() as connection:
        return name in inspect(connection).get_schema_names()


class SqlStore(Store):
    """See :class:`customlabels_nb.store.base.Store` for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readers: WeakSet[Thread] = WeakSet()

    @property
    def read_only(self) -> bool:
        return self._database.read_only

    def close(self) -> None:
        self._wait()
        self._database.close()

    def destroy(self) -> None:
        self._wait()
        self._database.drop()

    def _wait(self) -> None:
        """Let those read on who wait for annotations: they were promised."""
        for thread in list(self._readers):
            thread.join()

    def copy_to(self, path: str) -> None:
        _copying.copy_to_sqlite(self._database, path)

    def rename_images(self, names: Mapping[str, str]) -> int:
        with self._database.write() as connection:
            return _copying.rename_images(connection, names)

    def project(self) -> ProjectRecord:
        c = schema.project.c
        columns = (c.name, c.task, c.status, c.status_message, c.created, c.updated, c.tags, c.instructions)
        with self._database.read(once=True) as connection:
            name, task, status, message, *times, tags, instructions = fetch(connection, select(*columns))[0]
            made, changed = map(frames.moment, times)
            return ProjectRecord(name, task, status, message, made, changed, load_json(tags, {}), instructions or "")

    def set_project(self, action: Action, **changes: Any) -> None:
        unknown = changes.keys() - {"name", "task", "status", "status_message", "tags", "instructions"}
        if unknown:
            raise ValueError(f"A project has no {sorted(unknown)!r}.")
        values = {name: dump_json(value) if name == "tags" else value for name, value in changes.items()}
        with self._database.write() as connection:
            before = fetch(connection, select(*(schema.project.c[name] for name in changes)))[0]
            connection.execute(update(schema.project).values(**values, updated=now_us()))
            record(connection, action, before=dict(zip(changes, before, strict=True)), after=changes)

    def dataset(self, split: str) -> DatasetRecord | None:
        c = schema.datasets.c
        with self._database.read() as connection:
            rows = fetch(
                connection,
                select(c.split, c.status, c.status_message, c.created, c.updated, c.sources, c.tags).where(
                    c.split == split
                ),
            )
            if not rows:
                return None
            name, status, message, created, updated, sources, tags = rows[0]
            made, changed = frames.moment(created), frames.moment(updated)
            return DatasetRecord(name, status, message, made, changed, load_json(sources, []), load_json(tags, {}))

    def statistics(self, split: str) -> Statistics:
        with self._database.read() as connection:
            return Statistics(*_counts.statistics(connection, split))

    def images(self, split: str | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return frames.read_images(connection, split)

    def annotations(self, split: str | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return frames.read_annotations(connection, schema.annotations, split)

    def tables(
        self, split: str, images: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        with self._database.read() as connection:
            _, found, annotations = frames.read_tables(connection, split, images)
            return found, annotations, frames.read_labels(connection) if images is None else frames.NO_LABELS

    def tables_later(self, split: str) -> tuple[pd.DataFrame, Callable[[], pd.DataFrame], pd.DataFrame]:
        *found, thread = read_tables_later(self._database, split)
        if thread is not None:
            self._readers.add(thread)
        return found[0], found[1], found[2]

    def label_counts(self, split: str) -> pd.DataFrame:
        with self._database.read() as connection:
            return _counts.label_counts(connection, split)

    def labels_of_images(self, split: str) -> pd.DataFrame:
        with self._database.read() as connection:
            return _counts.labels_of_images(connection, split)

    def files(self) -> tuple[pd.DataFrame, int]:
        with self._database.read() as connection:
            return frames.read_files(connection), _datasets.image_changes(connection)

    def issues(self) -> pd.DataFrame:
        columns = {"split": "str", **t.ISSUE_COLUMNS}
        c = schema.issues.c
        with self._database.read() as connection:
            return frames.frame(fetch(connection, select(*(c[name] for name in columns)).order_by(c.id)), columns)

    def import_lines(self) -> pd.DataFrame:
        columns = {"split": "str", "source": "str", "line": "int64", "raw": "str"}
        c = schema.import_lines.c
        with self._database.read() as connection:
            return frames.frame(fetch(connection, select(*(c[name] for name in columns)).order_by(c.id)), columns)

    def history(self, limit: int | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return _history.read_history(connection, limit)

    def last_action(self) -> int:
        with self._database.read() as connection:
            return _history.last_action(connection)

    def actions_since(self, history_id: int, limit: int | None = 100) -> pd.DataFrame:
        with self._database.read() as connection:
            return _history.actions_since(connection, history_id, limit)

    def undo(self, action_id: int | None, action: Action) -> int:
        with self._database.write() as connection:
            return _history.undo(connection, action_id, action)

    def outline_images(self, images: Sequence[str] | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return _overview.outline_images(connection, images)

    def outline_annotations(self, numbers: Sequence[int] | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return _overview.outline_annotations(connection, numbers)

    def image_count(self) -> int:
        with self._database.read() as connection:
            return _overview.image_count(connection)

    def image_names(self, numbers: Sequence[int]) -> pd.DataFrame:
        with self._database.read() as connection:
            return _overview.image_names(connection, numbers)

    def actions(self, *, before: int | None = None, who: str | None = None, limit: int | None = 50) -> pd.DataFrame:
        with self._database.read() as connection:
            return _overview.actions(connection, before, who, limit)

    def actors(self) -> dict[str, int]:
        with self._database.read() as connection:
            return _overview.actors(connection)

    def changes_since(self, moment: datetime) -> tuple[int, datetime | None]:
        with self._database.read() as connection:
            return _overview.changes_since(connection, moment)

    def undo_refusal(self, action_id: int) -> str | None:
        with self._database.read() as connection:
            return _history.refusal(connection, action_id)

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
    ) -> int:
        with self._database.write(check_keys=False) as connection:
            _datasets.check_as_of(connection, as_of)
            return _datasets.add_images(connection, split, images, annotations, action, files, issues, lines, source)

    def update_images(
        self, split: str, images: pd.DataFrame, annotations: pd.DataFrame, action: Action, stored: Tables | None = None
    ) -> int:
        edit = _datasets.Edit(images, annotations, *(stored or self.tables(split, images["image"].tolist())[:2]))
        with self._database.write() as connection:
            return _datasets.update_images(connection, split, edit, action)

    def update_entries(
        self,
        split: str,
        known: tuple[pd.DataFrame, pd.DataFrame],
        new: tuple[pd.DataFrame, pd.DataFrame],
        action: Action,
        *,
        files: pd.DataFrame | None = None,
        issues: Iterable[Issue] = (),
        lines: Sequence[tuple[str, int, str]] = (),
        as_of: int | None = None,
    ) -> tuple[int, int]:
        with self._database.write() as connection:
            _datasets.check_as_of(connection, as_of)
            return _entries.update_entries(connection, split, known, new, action, files, issues, lines)

    def remove_images(self, split: str, images: pd.DataFrame, action: Action) -> int:
        with self._database.write() as connection:
            return _datasets.remove_images(connection, split, images, action)

    def refresh_files(self, split: str, facts: pd.DataFrame, action: Action) -> int:
        with self._database.write() as connection:
            return _datasets.refresh_files(connection, split, facts, action)

    def move_images(self, images: Sequence[str], origin: str, target: str, action: Action) -> int:
        with self._database.write() as connection:
            return _datasets.move_images(connection, images, origin, target, action)

    def delete_dataset(self, split: str, action: Action) -> int:
        with self._database.write() as connection:
            return _datasets.delete_dataset(connection, split, action)

    def take_snapshot(self, name: str, split: str | None, action: Action) -> int:
        with self._database.read() as connection:
            content = _snapshots.read_content(connection, split)
        data = _snapshots.encode(content)
        with self._database.write() as connection:
            _snapshots.save(connection, name, content, data, action)
        return len(content)

    def snapshots(self) -> pd.DataFrame:
        with self._database.read() as connection:
            return _snapshots.listed(connection)

    def compare_snapshots(self, before: str, after: str | None) -> pd.DataFrame:
        with self._database.read() as connection:
            kept = [_snapshots.load(connection, name) for name in (before, after) if name is not None]
            now = _snapshots.read_content(connection, None) if after is None else None
        contents = [_snapshots.decode(data) for data in kept]
        return _snapshots.differences(contents[0], contents[1] if now is None else now)

    def restore_snapshot(self, name: str, action: Action) -> int:
        with self._database.read() as connection:
            data = _snapshots.load(connection, name)
        content = _snapshots.decode(data)
        with self._database.write() as connection:
            return _snapshots.restore(connection, name, content, action)

    def delete_snapshot(self, name: str, action: Action) -> None:
        with self._database.write() as connection:
            _snapshots.remove(connection, name, action)

    def labels(self) -> pd.DataFrame:
        with self._database.read() as connection:
            return frames.read_labels(connection)

    def label_uses(self, label: str | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return _counts.label_uses(connection, label)

    def add_label(self, label: str, colour: str | None, action: Action) -> None:
        with self._database.write() as connection:
            _labels.add_labels(connection, [(label, colour)], action, review=False)

    def add_labels(self, labels: Sequence[tuple[str, str | None]], action: Action, *, review: bool = False) -> int:
        with self._database.write() as connection:
            return _labels.add_labels(connection, labels, action, review=review)

    def rename_label(self, label: str, new: str, action: Action) -> int:
        with self._database.write() as connection:
            return _labels.rename_label(connection, label, new, action)

    def merge_labels(self, label: str, into: str, action: Action) -> int:
        with self._database.write() as connection:
            return _labels.merge_labels(connection, label, into, action)

    def remove_label(self, label: str, action: Action, *, with_annotations: bool = False) -> int:
        with self._database.write() as connection:
            return _labels.remove_label(connection, label, action, with_annotations)

    def reorder_labels(self, labels: Sequence[str], action: Action) -> None:
        with self._database.write() as connection:
            _labels.reorder_labels(connection, labels, action)

    def recolour_label(self, label: str, colour: str, action: Action) -> None:
        with self._database.write() as connection:
            _labels.recolour_label(connection, label, colour, action)

    def versions(self) -> list[VersionRecord]:
        with self._database.read() as connection:
            return _versions.read_versions(connection)

    def add_version(self, version: VersionRecord, action: Action) -> None:
        with self._database.write() as connection:
            _versions.add_version(connection, version, action)

    def update_version(self, name: str, action: Action | None = None, **changes: Any) -> None:
        with self._database.write() as connection:
            _versions.update_version(connection, name, action, changes)

    def delete_version(self, name: str, action: Action) -> None:
        with self._database.write() as connection:
            _versions.delete_version(connection, name, action)

    def predictions(self, split: str | None = None, model: str | None = None) -> pd.DataFrame:
        with self._database.read() as connection:
            return frames.read_annotations(connection, schema.predictions, split, model)

    def replace_predictions(self, model: str, predictions: pd.DataFrame, action: Action) -> int:
        with self._database.write() as connection:
            return _versions.replace_predictions(connection, model, predictions, action)
