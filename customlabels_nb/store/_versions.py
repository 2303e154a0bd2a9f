"""Writing versions and predictions, inside a transaction that the caller holds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Connection, delete, select, update

from customlabels_nb.errors import InputError, ModelNotFoundError, NotAllowedError, TableError
from customlabels_nb.store import frames, schema
from customlabels_nb.store._datasets import image_ids
from customlabels_nb.store._labels import ensure_labels
from customlabels_nb.store._trace import note_prediction_change
from customlabels_nb.store.base import VERSION_STATUSES, Action, VersionRecord
from customlabels_nb.store.columns import insert_columns
from customlabels_nb.store.database import dump_json, fetch, insert_rows, load_json, now_us, record, take_ids

_FIELDS = (
    "name", "status", "status_message", "kind", "folder", "created", "updated", "tags", "config", "metrics",
    "statistics", "alias", "host", "pid", "heartbeat",
)  # fmt: skip
_STRUCTURED = ("tags", "config", "metrics", "statistics")
_TIMES = ("created", "updated", "heartbeat")


def read_versions(connection: Connection) -> list[VersionRecord]:
    c = schema.versions.c
    rows = fetch(connection, select(*(c[name] for name in _FIELDS)).order_by(c.id))
    return [
        VersionRecord(**{name: _read(name, value) for name, value in zip(_FIELDS, row, strict=True)}) for row in rows
    ]


def add_version(connection: Connection, version: VersionRecord, action: Action) -> None:
    if _exists(connection, version.name):
        raise NotAllowedError(f"There is a version {version.name!r} already; choose another name.")
    values = {name: _write(name, getattr(version, name)) for name in _FIELDS}
    id_ = take_ids(connection, schema.versions, 1)[0]
    insert_rows(connection, schema.versions, ("id", *_FIELDS), [(id_, *(values[name] for name in _FIELDS))])
    record(connection, action, after={"version": version.name, "status": version.status})


def update_version(connection: Connection, name: str, action: Action | None, changes: dict[str, Any]) -> None:
    if not _exists(connection, name):
        raise ModelNotFoundError(f"There is no version {name!r}.")
    unknown = changes.keys() - set(_FIELDS) or (
        {changes["status"]} - set(VERSION_STATUSES) if "status" in changes else set()
    )
    if unknown:
        raise InputError(f"A version has no {sorted(unknown)!r}.")
    values = {field: _write(field, value) for field, value in changes.items()}
    if changes.get("alias"):
        connection.execute(
            update(schema.versions).where(schema.versions.c.alias == changes["alias"]).values(alias=None)
        )
    if set(changes) != {"heartbeat"}:
        values["updated"] = now_us()
    connection.execute(update(schema.versions).where(schema.versions.c.name == name).values(**values))
    if action is not None:
        shown = {
            field: value for field, value in changes.items() if field in ("status", "status_message", "alias", "tags")
        }
        record(connection, action, before={"version": name}, after={"version": name, **shown})


def delete_version(connection: Connection, name: str, action: Action) -> None:
    if not _exists(connection, name):
        raise ModelNotFoundError(f"There is no version {name!r}.")
    connection.execute(delete(schema.predictions).where(schema.predictions.c.model == name))
    note_prediction_change(connection, name)
    connection.execute(delete(schema.versions).where(schema.versions.c.name == name))
    record(connection, action, before={"version": name})


def replace_predictions(connection: Connection, model: str, predictions: pd.DataFrame, action: Action) -> int:
    connection.execute(delete(schema.predictions).where(schema.predictions.c.model == model))
    note_prediction_change(connection, model)
    if len(predictions):
        labels = ensure_labels(connection, predictions["label"].unique())
        known = image_ids(connection, images=predictions["image"].unique().tolist())
        try:
            columns = frames.mark_columns(predictions, known, labels)
        except KeyError as error:
            raise TableError(f"Predictions speak of {error.args[0]!r}, which is not in the project.") from error
        ids = take_ids(connection, schema.predictions, len(predictions))
        insert_columns(connection, schema.predictions, {"id": ids, "model": model, **columns})
    record(connection, action, count=len(predictions), after={"model": model})
    return len(predictions)


def _exists(connection: Connection, name: str) -> bool:
    return connection.scalar(select(schema.versions.c.id).where(schema.versions.c.name == name)) is not None


def _read(name: str, value: Any) -> Any:
    if name in _STRUCTURED:
        return load_json(value, {})
    return frames.moment(value) if name in _TIMES and value is not None else value


def _write(name: str, value: Any) -> Any:
    if name in _STRUCTURED:
        return dump_json(value)
    return frames.from_datetime(value) if name in _TIMES else value
