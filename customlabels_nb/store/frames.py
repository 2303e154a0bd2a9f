"""Convert between database rows and the tables of :mod:`customlabels_nb.core.tables`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Table, false, select

from customlabels_nb.core import tables as t
from customlabels_nb.store import extra_columns, schema
from customlabels_nb.store.columns import Array, Column, among, fetch_columns, plain, shared
from customlabels_nb.store.database import Rows, dump_json, fetch, load_json

NO_LABELS = t.empty(t.LABEL_COLUMNS)
#: Image columns that users can edit, in addition to tags and user-defined columns.
EDITABLE = ("status", "width", "height", "source")
# kinds of columns, see fetch_columns
_IMAGE_KINDS = {"split": "s", "status": "s", "width": "f", "height": "f", "source": "s", "revision": "i"}
_IMAGES = select(schema.images.c.id, *(schema.images.c[name] for name in t.IMAGE_COLUMNS), schema.images.c.extra)
_LABELS = select(schema.labels.c.id, schema.labels.c.label).order_by(schema.labels.c.id)
_MARK_KINDS = {"float64": "f", "bool": "i", t.CREATED_DTYPE: "i", "object": "o"}


def moment(microseconds: int) -> datetime:
    """Convert a stored time to an aware datetime."""
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC)


def from_datetime(value: datetime | None) -> int | None:
    return None if value is None else round(value.timestamp() * 1e6)


def times(values: Sequence[int] | Array) -> Any:
    """Convert stored times to a datetime column."""
    return pd.array(np.asarray(values, dtype=np.int64).view("datetime64[us]"), dtype=t.CREATED_DTYPE)


def frame(rows: Rows, columns: dict[str, str]) -> pd.DataFrame:
    return _typed(list(zip(*rows, strict=True)) if rows else [()] * len(columns), columns)


def _typed(values: Sequence[Any], columns: dict[str, str]) -> pd.DataFrame:
    named = zip(columns, values, strict=True)
    return pd.DataFrame({name: pd.array(column, dtype=columns[name]) for name, column in named})


def read_files(connection: Connection) -> pd.DataFrame:
    columns = {"image": t.TEXT, "split": t.TEXT, "sha256": t.TEXT, "bytes": "Int64", "mtime_ns": "Int64"}
    statement = select(*(schema.images.c[name] for name in columns)).order_by(schema.images.c.id)
    return _typed(fetch_columns(connection, statement, "osooo"), columns)


def read_tables(
    connection: Connection, split: str, images: Sequence[str] | None = None
) -> tuple[dict[str, int], pd.DataFrame, pd.DataFrame]:
    """Read a dataset's image ids by name, its images and its annotations, or only those for ``images``."""
    ids, table = read_images_and_ids(connection, split, images)
    names = table["image"].array
    if images is None:
        annotations = read_marks_of(connection, split, ids, names)
    else:
        where = among(connection, schema.annotations.c.image_id, ids.tolist())
        annotations = _read_marks(connection, schema.annotations, [where], ids, names)
    return dict(zip(names.to_numpy(dtype=object), ids.tolist(), strict=True)), table, annotations


def read_marks_of(
    connection: Connection, split: str, ids: Array, names: Any, go_on: Callable[[], None] | None = None
) -> pd.DataFrame:
    """Read a dataset's annotations, given its image ids and names. ``go_on`` may raise to stop reading."""
    in_split = schema.annotations.c.image_id.in_(select(schema.images.c.id).where(schema.images.c.split == split))
    where = [false() if _is_empty(connection, schema.annotations) else in_split]
    return _read_marks(connection, schema.annotations, where, ids, names, go_on)


def read_images_and_ids(
    connection: Connection, split: str | None, images: Sequence[str] | None = None
) -> tuple[Array, pd.DataFrame]:
    """Read the image ids, in ascending order, and the images table, or only the rows for ``images``."""
    c, statement = schema.images.c, _IMAGES
    if images is not None:
        statement = statement.where(among(connection, c.image, images), *([] if split is None else [c.split == split]))
    elif split is not None:
        # an expression, because the column's index would return rows by name, which would then have to be sorted
        statement = statement.where(c.split.concat("") == split)
    kinds = "i" + "".join(_IMAGE_KINDS.get(name, "o") for name in t.IMAGE_COLUMNS) + "o"
    ids, *values, extras = fetch_columns(connection, statement.order_by(c.id), kinds)
    if not len(ids):
        return ids, t.empty(t.IMAGE_COLUMNS)
    result = pd.DataFrame(
        {name: _image_column(name, column) for name, column in zip(t.IMAGE_COLUMNS, values, strict=True)}
    )
    if extras.any():
        user_columns = pd.DataFrame([load_json(extra, {}) for extra in extras], dtype=object)
        dtypes = extra_columns.dtypes(connection)
        for name in user_columns:
            if name not in result:
                result[name] = extra_columns.restored(user_columns[name], dtypes.get(name))
    return ids, result


def _image_column(name: str, values: Array) -> Any:
    if name == "tags" and not values.any():
        return np.frompyfunc(lambda value: [], 1, 1)(values)
    if name == "tags":
        return np.fromiter((json.loads(value) if value else [] for value in values), dtype=object, count=len(values))
    if t.IMAGE_COLUMNS[name] == "Int64":
        missing = np.isnan(values)
        return pd.arrays.IntegerArray(np.where(missing, 1, values).astype(np.int64), missing)
    return pd.array(values, dtype=t.IMAGE_COLUMNS[name])


def read_labels(connection: Connection) -> pd.DataFrame:
    c = schema.labels.c
    return frame(fetch(connection, select(c.label, c.color).order_by(c.position)), t.LABEL_COLUMNS)


def read_annotations(
    connection: Connection,
    table: Table,
    split: str | None,
    images: Sequence[str] | None = None,
    *conditions: ColumnElement[bool],
) -> pd.DataFrame:
    """Read annotations or predictions that meet the conditions, or only those for ``images``."""
    c, i = table.c, schema.images.c
    chosen = select(i.id, i.image).order_by(i.id)
    where = list(conditions)
    if split is not None:
        chosen = chosen.where(i.split == split)
    if images is not None:
        chosen = chosen.where(among(connection, i.image, images))
    elif split is not None:
        where.append(c.image_id.in_(select(i.id).where(i.split == split)))
    if _is_empty(connection, table):
        chosen, where = chosen.where(false()), [false()]
    ids, names = fetch_columns(connection, chosen, "io")
    if images is not None:
        where.append(among(connection, c.image_id, ids.tolist()))
    return _read_marks(connection, table, where, ids, names)


def _is_empty(connection: Connection, table: Table) -> bool:
    """Return True for a table without rows, for which a new project's images need not be listed."""
    return connection.execute(select(table.c.id).limit(1)).first() is None


def _read_marks(
    connection: Connection,
    table: Table,
    where: Sequence[ColumnElement[bool]],
    ids: Array,
    images: Any,
    go_on: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """Read annotations or predictions of images, given the images' ascending ids and their names."""
    c = table.c
    columns = t.PREDICTION_COLUMNS if "model" in c else t.ANNOTATION_COLUMNS
    fields = [name for name in columns if name not in ("image", "label")]
    kinds = "ii" + "".join(_MARK_KINDS.get(columns[name], "s") for name in fields)
    statement = select(c.image_id, c.label_id, *(c[name] for name in fields)).where(*where)
    image_ids, label_ids, *values = fetch_columns(connection, statement.order_by(c.image_id, c.id), kinds, go_on)
    known_ids, labels = fetch_columns(connection, _LABELS, "io")
    data = {"image": named(image_ids, ids, images), "label": named(label_ids, known_ids, labels)}
    for name, column in zip(fields, values, strict=True):
        data[name] = _mark_column(columns[name], column)
    return pd.DataFrame(data)


def _mark_column(dtype: str, values: Array) -> Any:
    if dtype == t.CREATED_DTYPE:
        return times(values)
    if dtype == "object":
        for index in np.flatnonzero(pd.notna(values)):
            values[index] = json.loads(values[index])
        return values
    return values.astype(bool) if dtype == "bool" else values if dtype == "float64" else pd.array(values, dtype=dtype)


def named(ids: Array, known_ids: Array, names: Any) -> Any:
    """Map ids to names, given the ascending ids ``known_ids`` and their ``names``. Equal names share memory."""
    return pd.array(names, dtype=t.TEXT).take(np.searchsorted(known_ids, ids))


def image_columns(
    images: pd.DataFrame, ids: range, now: int, revision: int, files: pd.DataFrame | None
) -> dict[str, Column]:
    """Return the columns to insert for new images. ``files`` may provide ``bytes`` and ``mtime_ns``."""
    extras = extra_json(images)
    columns = {name: plain(images[name]) for name in ("image", "status", "width", "height", "sha256", "source")}
    if files is not None:
        facts = files.set_index("image")[["bytes", "mtime_ns"]].reindex(images["image"])
        columns |= {name: plain(facts[name]) for name in facts}
    return {
        "id": ids,
        "split": images["split"].iloc[0],
        **columns,
        "tags": _texts(images["tags"]),
        "extra": extras if any(extras) else None,
        "revision": revision,
        "created": now,
    }


def mark_columns(
    annotations: pd.DataFrame, image_ids: Mapping[str, int], label_ids: Mapping[str, int]
) -> dict[str, Column]:
    """Return the columns to insert for annotations or predictions, without ids. Unknown images raise KeyError."""
    created = annotations["created"].to_numpy(dtype="datetime64[us]").view("int64")
    return {
        "image_id": [image_ids[image] for image in annotations["image"].tolist()],
        "label_id": [label_ids[label] for label in annotations["label"].tolist()],
        **{name: plain(annotations[name]) for name in (*t.BOX_COLUMNS, "annotator", "job", "note")},
        "polygon": _texts(annotations["polygon"]),
        "crowd": shared(annotations["crowd"].to_numpy(dtype=np.int64)),
        "confidence": shared(annotations["confidence"].to_numpy()),
        "created": shared(created),
    }


def _texts(values: pd.Series) -> list[str | None] | None:
    """Serialise structured values to JSON. Return None if all are empty."""
    texts = [dump_json(value) if value else None for value in values.tolist()]
    return texts if any(texts) else None


def extra_json(images: pd.DataFrame) -> list[str | None]:
    """Serialise each image's user-defined columns to JSON, without null cells."""
    names = [str(name) for name in images.columns if name not in t.IMAGE_COLUMNS]
    if not names:
        return [None] * len(images)
    return [
        dump_json({name: _plain(value) for name, value in zip(names, row, strict=True) if value is not None})
        for row in plain_rows(images, names)
    ]


def row_keys(images: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """Map each image to its editable fields, for comparison."""
    rows = plain_rows(images, ["image", *EDITABLE, "tags"])
    extras = extra_json(images)
    return {row[0]: (*row[1:-1], dump_json(row[-1]), extra) for row, extra in zip(rows, extras, strict=True)}


def _plain(value: Any) -> Any:
    return {extra_columns.TIME: value.isoformat()} if isinstance(value, datetime) else value


def annotation_keys(annotations: pd.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    """Map each image to the editable fields of its annotations, sorted, for comparison. The last one is a note, if any.

    A table without the column ``note`` is compared without notes.
    """
    names = ["image", "label", *t.BOX_COLUMNS, "polygon", "crowd", "confidence", "annotator", "job", "note"]
    result: dict[str, list[tuple[Any, ...]]] = {}
    for image, label, *rest in plain_rows(annotations, names):
        box = tuple(-1.0 if value is None else value for value in rest[:4])
        key = (label, *box, dump_json(rest[4]) or "", bool(rest[5]), rest[6], rest[7] or "", rest[8] or "")
        key += (rest[9],) * bool(rest[9])
        result.setdefault(image, []).append(key)
    for keys in result.values():
        keys.sort()
    return result


def plain_rows(data: pd.DataFrame, names: Sequence[str]) -> Rows:
    """Convert a table to tuples of plain Python values, with None for missing values."""
    columns = []
    for name in names:
        values = data[name].tolist() if name in data.columns else [None] * len(data)
        if name in data.columns and name not in ("tags", "polygon"):
            missing = data[name].array.isna()
            if missing.any():
                values = [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]
        columns.append(values)
    return list(zip(*columns, strict=True))
