"""Between rows of the database and the tables of :mod:`customlabels_nb.tables`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, select

from customlabels_nb import tables as t
from customlabels_nb.store import schema
from customlabels_nb.store.database import Rows, dump_json, fetch, load_json

_TIME = "$time"
#: Columns of images that people change, beside tags and their own.
EDITABLE = ("status", "width", "height", "source")
_ANNOTATION_FIELDS = (*t.BOX_COLUMNS, "polygon", "crowd", "confidence", "annotator", "job", "created")


def moment(microseconds: int) -> datetime:
    """A stored time as an aware datetime."""
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC)


def from_datetime(value: datetime | None) -> int | None:
    """A datetime as stored."""
    return None if value is None else round(value.timestamp() * 1e6)


def times(values: Sequence[int]) -> pd.Series:
    """A column of stored times."""
    moments = np.asarray(values, dtype=np.int64).view("datetime64[us]")
    return pd.Series(moments).dt.tz_localize("UTC")


def frame(rows: Rows, columns: dict[str, str]) -> pd.DataFrame:
    """A table from tuples, with these columns and dtypes."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pd.DataFrame(
        {name: pd.Series(column, dtype=columns[name]) for name, column in zip(columns, values, strict=True)}
    )


def read_images(connection: Connection, split: str | None) -> pd.DataFrame:
    """The images table with the user's extra columns at the end."""
    c = schema.images.c
    names = list(t.IMAGE_COLUMNS)
    statement = select(*(c[name] for name in names), c.extra).order_by(c.id)
    rows = fetch(connection, statement if split is None else statement.where(c.split == split))
    if not rows:
        return t.empty(t.IMAGE_COLUMNS)
    *values, extras = zip(*rows, strict=True)
    columns = dict(zip(names, values, strict=True))
    result = pd.DataFrame(
        {
            name: pd.Series([load_json(v, []) for v in columns[name]], dtype=object)
            if name == "tags"
            else pd.Series(columns[name], dtype=dtype)
            for name, dtype in t.IMAGE_COLUMNS.items()
        }
    )
    if any(extras):
        own = pd.DataFrame([load_json(extra, {}) for extra in extras], dtype=object)
        for name in own:
            if name not in result:
                result[name] = _own_column(own[name])
    return result


def _own_column(values: pd.Series) -> pd.Series:
    """A column of the user's with the dtype it had: moments, and whole numbers and bools also with gaps."""
    there = values[values.notna()]
    if len(there) and all(isinstance(value, dict) and value.keys() == {_TIME} for value in there):
        return pd.to_datetime(values.map(lambda value: value[_TIME], na_action="ignore"), format="ISO8601")
    kinds = {type(value) for value in there}
    if len(there) < len(values) and len(kinds) == 1 and kinds <= {int, bool}:
        return values.astype("Int64" if kinds == {int} else "boolean")
    return values.infer_objects()


def read_labels(connection: Connection) -> pd.DataFrame:
    """The labels table, in order."""
    c = schema.labels.c
    return frame(fetch(connection, select(c.label, c.colour).order_by(c.position)), t.LABEL_COLUMNS)


def read_labels_of_images(connection: Connection, split: str) -> pd.DataFrame:
    """Image and label of each annotation of a dataset, each pair once, in the order of import."""
    a, i, names = schema.annotations.c, schema.images.c, schema.labels.c
    joined = schema.annotations.join(schema.images, a.image_id == i.id)
    pairs = select(i.image, a.label_id).select_from(joined).where(i.split == split).order_by(a.image_id, a.id)
    label_of: dict[int, str] = dict(fetch(connection, select(names.id, names.label)))
    rows = list(dict.fromkeys(fetch(connection, pairs)))
    return frame([(image, label_of[key]) for image, key in rows], {"image": "str", "label": "str"})


def read_annotations(connection: Connection, table: Table, split: str | None, model: str | None = None) -> pd.DataFrame:
    """Annotations or predictions; names come from the ids, so that equal ones are one object in memory."""
    c, i, names = table.c, schema.images.c, schema.labels.c
    is_prediction = "model" in c
    images = select(i.id, i.image)
    statement = select(
        c.image_id, c.label_id, *(c[name] for name in _ANNOTATION_FIELDS), *([c.model] if is_prediction else [])
    )
    if split is not None:
        images = images.where(i.split == split)
        statement = statement.where(c.image_id.in_(select(i.id).where(i.split == split)))
    if model is not None:
        statement = statement.where(c.model == model)
    rows = fetch(connection, statement.order_by(c.image_id, c.id))
    columns = t.PREDICTION_COLUMNS if is_prediction else t.ANNOTATION_COLUMNS
    if not rows:
        return t.empty(columns)
    image_of: dict[int, str] = dict(fetch(connection, images))
    label_of: dict[int, str] = dict(fetch(connection, select(names.id, names.label)))
    image_ids, label_ids, *values = zip(*rows, strict=True)
    data: dict[str, Any] = {
        "image": pd.Series([image_of[key] for key in image_ids], dtype="str"),
        "label": pd.Series([label_of[key] for key in label_ids], dtype="str"),
    }
    for name, column in zip((*_ANNOTATION_FIELDS, "model"), values, strict=False):
        if name == "created":
            data[name] = times(column)
        elif name == "polygon":
            data[name] = pd.Series([json.loads(v) if v else None for v in column], dtype=object)
        elif name == "crowd":
            data[name] = np.asarray(column, dtype=bool)
        elif columns[name] == "float64":
            data[name] = np.asarray(column, dtype=np.float64)
        else:
            data[name] = pd.Series(column, dtype=columns[name])
    return pd.DataFrame(data)[list(columns)]


def image_rows(images: pd.DataFrame, ids: Sequence[int], now: int, files: pd.DataFrame | None) -> Rows:
    """Rows for the columns of :data:`IMAGE_INSERT`."""
    known = {} if files is None else {r[0]: r[1:] for r in plain_rows(files, ["image", "bytes", "mtime_ns"])}
    base = plain_rows(images, ["split", "image", "status", "width", "height", "sha256", "source", "tags"])
    return [
        (id_, split, image, status, width, height, sha256, *known.get(image, (None, None)), source, dump_json(tags),
         extra, 1, now)
        for id_, (split, image, status, width, height, sha256, source, tags), extra in zip(
            ids, base, extra_json(images), strict=True
        )
    ]  # fmt: skip


IMAGE_INSERT = (
    "id", "split", "image", "status", "width", "height", "sha256", "bytes", "mtime_ns", "source", "tags", "extra",
    "revision", "created",
)  # fmt: skip

ANNOTATION_INSERT = ("image_id", "label_id", *_ANNOTATION_FIELDS)


def annotation_rows(annotations: pd.DataFrame, image_ids: dict[str, int], label_ids: dict[str, int]) -> Rows:
    """Rows for the columns of :data:`ANNOTATION_INSERT`."""
    created = annotations["created"].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64")
    values = plain_rows(annotations.assign(created=created), ["image", "label", *_ANNOTATION_FIELDS])
    return [
        (image_ids[image], label_ids[label], left, top, width, height, dump_json(polygon), int(crowd), confidence,
         annotator, job, moment)
        for image, label, left, top, width, height, polygon, crowd, confidence, annotator, job, moment in values
    ]  # fmt: skip


def extra_json(images: pd.DataFrame) -> list[str | None]:
    """The user's own columns of each image as JSON; null cells are left out."""
    names = [str(name) for name in images.columns if name not in t.IMAGE_COLUMNS]
    if not names:
        return [None] * len(images)
    return [
        dump_json({name: _plain(value) for name, value in zip(names, row, strict=True) if value is not None})
        for row in plain_rows(images, names)
    ]


def row_keys(images: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """What an edit of an image could change of its row, by image; for comparing."""
    rows = plain_rows(images, ["image", *EDITABLE, "tags"])
    extras = extra_json(images)
    return {row[0]: (*row[1:-1], dump_json(row[-1]), extra) for row, extra in zip(rows, extras, strict=True)}


def _plain(value: Any) -> Any:
    return {_TIME: value.isoformat()} if isinstance(value, datetime) else value


def annotation_keys(annotations: pd.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    """What an edit of an image could change of its annotations, sorted, by image; for comparing."""
    names = ["image", "label", *t.BOX_COLUMNS, "polygon", "crowd", "confidence", "annotator", "job"]
    result: dict[str, list[tuple[Any, ...]]] = {}
    for image, label, *rest in plain_rows(annotations, names):
        box = tuple(-1.0 if value is None else value for value in rest[:4])
        key = (label, *box, dump_json(rest[4]) or "", bool(rest[5]), rest[6], rest[7] or "", rest[8] or "")
        result.setdefault(image, []).append(key)
    for keys in result.values():
        keys.sort()
    return result


def plain_rows(data: pd.DataFrame, names: Sequence[str]) -> Rows:
    """Tuples of plain Python values in which every missing one is None."""
    columns = []
    for name in names:
        column = data[name] if name in data.columns else pd.Series([None] * len(data), dtype=object)
        values = column.astype(object)
        if values.dtype == object and name not in ("tags", "polygon"):
            values = values.where(column.notna(), None)
        columns.append(values.tolist())
    return list(zip(*columns, strict=True))
