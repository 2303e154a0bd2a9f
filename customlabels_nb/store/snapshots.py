"""Snapshots of datasets: take, compare and restore.

A snapshot is compressed JSON, column by column, which refers to images and labels by name. Images are matched by name,
even if they have moved to the other dataset.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.store import schema
from customlabels_nb.store.columns import fetch_columns, insert_columns, plain
from customlabels_nb.store.database import counter, fetch, insert_rows, now_us, record, take_ids, update_rows
from customlabels_nb.store.records import Action, WriteResult
from customlabels_nb.store.suggestions import drop_suggestions
from customlabels_nb.store.trace import FIRST_REVISION, Trace, delete_with
from customlabels_nb.store.writing import dataset_rows, ensure_dataset, insert_label, keep_images, note_image_change

_FORMAT = "1.0"
_LEVEL = 3  # a third of the default level's time for 10 % more bytes
_IMAGES = ("image", "split", "status", "width", "height", "sha256", "bytes", "mtime_ns", "source", "tags", "extra")
#: Fields that are restored for an image that still exists. Its size and content still describe the current file.
_RESTORED = ("split", "status", "source", "tags", "extra")
_MARKS = (*t.BOX_COLUMNS, "polygon", "crowd", "confidence", "annotator", "job", "created", "note")
_NUMBERS = (*t.BOX_COLUMNS, "confidence")
_WHOLE = ("image", "label", "crowd", "created")
_KINDS = "".join("f" if name in _NUMBERS else "i" if name in _WHOLE else "s" for name in _MARKS)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: odd, with well-mixed bits
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Content:
    """Images and annotations as columns of raw values.

    In ``annotations``, ``image`` and ``label`` are positions in ``images`` and ``labels``. ``ids`` and ``revisions``
    are filled only if the content was read from the database tables. ``split`` is set if only one dataset is included.
    """

    split: str | None
    images: dict[str, list[Any]]
    annotations: dict[str, Array]
    labels: list[list[str]]
    ids: list[int]
    revisions: list[int]

    def __len__(self) -> int:
        return len(self.images["image"])


def read_content(connection: Connection, split: str | None) -> Content:
    """Read the current content of one dataset, or of both if ``split`` is None."""
    i, a, names = schema.images.c, schema.annotations.c, schema.labels.c
    images = select(i.id, i.revision, *(i[name] for name in _IMAGES)).order_by(i.id)
    annotation_query = select(a.image_id, a.label_id, *(a[name] for name in _MARKS)).order_by(a.image_id, a.id)
    if split is not None:
        images = images.where(i.split == split)
        annotation_query = annotation_query.where(a.image_id.in_(select(i.id).where(i.split == split)))
    ids, revisions, *columns = _columns(fetch(connection, images), len(_IMAGES) + 2)
    image_ids, label_ids, *values = fetch_columns(connection, annotation_query, "ii" + _KINDS)
    labels = fetch(connection, select(names.id, names.label, names.color).order_by(names.id))
    annotations = {
        "image": np.searchsorted(np.asarray(ids, dtype=np.int64), image_ids),
        "label": np.searchsorted(np.asarray([row[0] for row in labels], dtype=np.int64), label_ids),
        **dict(zip(_MARKS, values, strict=True)),
    }
    images_ = dict(zip(_IMAGES, columns, strict=True))
    return Content(split, images_, annotations, [list(row[1:]) for row in labels], ids, revisions)


def encode(content: Content) -> bytes:
    packer = zlib.compressobj(_LEVEL)
    parts = (packer.compress(part.encode("utf-8", "surrogatepass")) for part in _json_parts(content))
    return b"".join([*parts, packer.flush()])


def _json_parts(content: Content) -> Iterator[str]:
    """Yield the JSON text column by column, so that only one uncompressed column is in memory."""
    head = {"format": _FORMAT, "split": content.split, "labels": content.labels}
    yield json.dumps(head, ensure_ascii=False)[:-1]
    tables: dict[str, Mapping[str, Any]] = {"images": content.images, "annotations": content.annotations}
    for key, columns in tables.items():
        for position, (name, column) in enumerate(columns.items()):
            yield f"{',' if position else f', {json.dumps(key)}: {{'}{json.dumps(name)}:"
            yield json.dumps(_listed_values(column), ensure_ascii=False, separators=(",", ":"))
        yield "}"
    yield "}"


def _listed_values(column: Sequence[Any] | Array) -> list[Any] | dict[str, Any]:
    """Convert a column to a list with None for missing values, or to a count and a value if all are equal."""
    if isinstance(column, list):
        return column
    values = np.asarray(column)
    if values.dtype.kind == "f" and (missing := np.isnan(values)).any():
        values = values.astype(object)
        values[missing] = None
    first = values[0] if len(values) else None
    if len(values) and (values == first).all():
        return {"count": len(values), "value": values[:1].tolist()[0]}
    listed: list[Any] = values.tolist()
    return listed


def decode(data: bytes) -> Content:
    try:
        value = json.loads(zlib.decompress(bytes(data)).decode("utf-8", "surrogatepass"))
        if value["format"] != _FORMAT:
            raise StoreError("The snapshot was written by a newer release of customlabels_nb. Upgrade customlabels_nb.")
        annotations = {name: _array(name, column) for name, column in value["annotations"].items()}
        annotations.setdefault("note", np.full(len(annotations["image"]), None))  # snapshots of the format 1.1
        return Content(value["split"], value["images"], annotations, value["labels"], [], [])
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"The snapshot is damaged ({error}).") from error


def _array(name: str, column: list[Any] | dict[str, Any]) -> Array:
    dtype = np.float64 if name in _NUMBERS else np.int64 if name in _WHOLE else object
    if isinstance(column, dict):
        return np.full(column["count"], column["value"], dtype=dtype)
    values = np.empty(len(column), dtype=dtype)
    values[:] = column
    return values


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def save(connection: Connection, name: str, content: Content, data: bytes, action: Action) -> WriteResult:
    c = schema.snapshots.c
    if connection.scalar(select(c.id).where(c.name == name)) is not None:
        raise NotAllowedError(f"Snapshot {name!r} already exists. Choose a different name, or delete that snapshot.")
    id_ = take_ids(connection, schema.snapshots, 1)[0]
    annotations = len(content.annotations["image"])
    row = (id_, name, now_us(), action.who, content.split, len(content), annotations, data)
    insert_rows(connection, schema.snapshots, [column.name for column in schema.snapshots.columns], [row])
    return record(connection, action, split=content.split, count=len(content), after={"snapshot": name})


def load(connection: Connection, name: str) -> bytes:
    c = schema.snapshots.c
    rows = fetch(connection, select(c.content).where(c.name == name))
    if not rows:
        names = [row[0] for row in fetch(connection, select(c.name).order_by(c.id))]
        raise InputError(f"Snapshot {name!r} does not exist. Existing snapshots: {names[-20:]!r}.")
    return bytes(rows[0][0])


def restore(connection: Connection, name: str, content: Content, action: Action) -> WriteResult:
    """Restore the datasets from a snapshot, as one action. This also repairs counts of a damaged database."""
    schema.count_all(connection)
    now = read_content(connection, None)
    match = matched(now, content)
    if not match.gone and not match.new and not match.changed:
        return WriteResult()
    trace = Trace(connection)
    splits = {content.images["split"][j] for j in [*match.new, *match.changed.values()]}
    made = [split for split in sorted(splits) if not dataset_rows(connection, split)]
    for split in sorted(splits):
        ensure_dataset(connection, split)
    gone = [now.ids[i] for i in match.gone]
    keep_images(trace, gone)
    delete_with(connection, schema.images, gone)
    some_moved = _restore_fields(connection, now, content, match.changed, trace)
    redrawn = {j: now.ids[i] for i, j in match.redrawn.items()}
    trace.keep(schema.annotations, redrawn.values(), key="image_id", gone=True)
    delete_with(connection, schema.annotations, redrawn.values(), key="image_id")
    drop_suggestions(connection, trace, list(redrawn.values()))
    _insert_marks(connection, content, redrawn | _insert_images(connection, content, match.new))
    if gone or match.new or some_moved:
        note_image_change(connection)
    trace.note("datasets_made", made)
    touched = [now.images["image"][i] for i in [*match.gone, *match.changed]]
    touched += [content.images["image"][j] for j in match.new]
    after = {"snapshot": name, "images": touched}
    return record(connection, action, split=content.split, count=len(touched), after=after, undo=trace.payload())


def _restore_fields(
    connection: Connection, now: Content, content: Content, changed: Mapping[int, int], trace: Trace
) -> bool:
    """Restore the fields of ``changed`` images, as in :class:`Match`, and return whether some moved."""
    trace.keep(schema.images, [now.ids[i] for i in changed], ("image", *_RESTORED, "revision"))
    rows = [(*_fields(content, j), now.revisions[i] + 1, now.ids[i]) for i, j in changed.items()]
    update_rows(connection, schema.images, (*_RESTORED, "revision"), rows)
    return any(now.images["split"][i] != content.images["split"][j] for i, j in changed.items())


def _insert_images(connection: Connection, content: Content, positions: Sequence[int]) -> dict[int, int]:
    """Insert images from the snapshot, and map their positions in it to their new ids."""
    ids = take_ids(connection, schema.images, len(positions)) if positions else range(0)
    facts = counter(connection, FIRST_REVISION), now_us()
    rows = [
        (id_, *(content.images[name][j] for name in _IMAGES), *facts) for id_, j in zip(ids, positions, strict=True)
    ]
    insert_rows(connection, schema.images, ("id", *_IMAGES, "revision", "created"), rows)
    return dict(zip(positions, ids, strict=True))


def _insert_marks(connection: Connection, content: Content, ids: Mapping[int, int]) -> None:
    """Insert the annotations of the images in ``ids`` (position to id), and any missing labels."""
    chosen = _positions(content, ids)
    c = schema.labels.c
    label_ids: dict[str, int] = dict(fetch(connection, select(c.label, c.id)))
    for number in np.unique(content.annotations["label"][chosen]).tolist():
        label, color = content.labels[number]
        if label not in label_ids:
            label_ids[label] = insert_label(connection, label, color)
    if not len(chosen):
        return
    labels = [label_ids.get(label) for label, _ in content.labels]
    columns: dict[str, Any] = {
        "id": take_ids(connection, schema.annotations, len(chosen)),
        "image_id": [ids[position] for position in content.annotations["image"][chosen].tolist()],
        "label_id": [labels[number] for number in content.annotations["label"][chosen].tolist()],
        **{name: plain(pd.Series(content.annotations[name][chosen])) for name in _MARKS},
    }
    insert_columns(connection, schema.annotations, columns)


def _positions(content: Content, places: Iterable[int]) -> Array:
    """Return the positions of the annotations that belong to these images."""
    wanted = np.zeros(len(content), dtype=bool)
    wanted[list(places)] = True
    return np.flatnonzero(wanted[content.annotations["image"]])


@dataclass(frozen=True)
class Match:
    """Images of two contents by their fate, as positions in the earlier or the later content.

    ``gone`` are only in the earlier one and ``new`` only in the later one. ``changed`` maps those in both, whose fields
    or annotations differ, from the earlier one to the later one. ``redrawn`` has those whose annotations differ.
    """

    gone: list[int]
    new: list[int]
    changed: dict[int, int]
    redrawn: dict[int, int]


def matched(before: Content, after: Content) -> Match:
    """Match images by split and name, then by name alone. Those of datasets that the other lacks are dropped."""
    keys = [list(zip(c.images["split"], c.images["image"], strict=True)) for c in (before, after)]
    there = {key: j for j, key in enumerate(keys[1])}
    pairs = {i: there.pop(key) for i, key in enumerate(keys[0]) if key in there}
    moved = {name: j for (_, name), j in there.items()}
    pairs |= {i: moved.pop(name) for i, (_, name) in enumerate(keys[0]) if i not in pairs and name in moved}
    return Match(
        _unmatched(keys[0], set(pairs), after.split),
        _unmatched(keys[1], set(pairs.values()), before.split),
        *_compared(before, after, dict(sorted(pairs.items()))),
    )


def _unmatched(keys: Sequence[tuple[str, str]], pairs: set[int], split: str | None) -> list[int]:
    """Return the positions of images without a match, if the other content includes their dataset."""
    return [i for i, (own_split, _) in enumerate(keys) if i not in pairs and split in (None, own_split)]


def _compared(before: Content, after: Content, pairs: Mapping[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the pairs of images that differ, and those whose annotations differ."""
    positions, positions_now = (np.fromiter(side, np.int64, len(pairs)) for side in (pairs, pairs.values()))
    differ = mark_sums(before)[positions] != mark_sums(after)[positions_now]
    redrawn = {i: pairs[i] for i in positions[differ].tolist()}
    return {i: j for i, j in pairs.items() if i in redrawn or _fields(before, i) != _fields(after, j)}, redrawn


def _fields(content: Content, position: int) -> tuple[Any, ...]:
    return tuple([content.images[name][position] for name in _RESTORED])


def mark_sums(content: Content) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Compute a 64-bit hash of each image's annotations, independent of their order and their creation times."""
    sums = np.zeros(len(content), dtype=np.uint64)
    if len(content.annotations["image"]):
        names = np.array([label for label, _ in content.labels], dtype=object)
        hashes = _hashed(names)[content.annotations["label"]]
        for name in _MARKS:
            if name != "created":
                hashes = (hashes ^ (hashes >> np.uint64(29))) * _FACTOR + _hashed(content.annotations[name])
        np.add.at(sums, content.annotations["image"], hashes)
    return sums


def _hashed(values: Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    if values.dtype != object:
        values = values + 0  # converts -0.0 to 0.0
        return np.asarray(pd.util.hash_array(values))
    codes, uniques = pd.factorize(values)  # -1 for null, which is treated as an empty string
    hashes = np.asarray(pd.util.hash_array(np.array(["", *uniques], dtype=object), categorize=False))
    return np.asarray(hashes[np.where(codes >= 0, codes + 1, 0)])


def differences(before: Content, after: Content) -> pd.DataFrame:
    """Compare two contents, and return one row per change: image, split, change, before, after."""
    match = matched(before, after)
    was = _marks_of(before, {*match.redrawn, *match.gone})
    is_ = _marks_of(after, {*match.redrawn.values(), *match.new})
    changes: list[tuple[Content, int, str, Any, Any]] = []
    for i in sorted([*match.gone, *match.changed]):
        j = match.changed.get(i)
        if j is None:
            changes.append((before, i, "removed", _labels(was.get(i, [])), None))
            continue
        changes += [(after, j, *change) for change in _field_changes(before, i, after, j)]
        if i in match.redrawn:
            changes.append((after, j, *_mark_change(was.get(i, []), is_.get(j, []))))
    changes += [(after, j, "added", None, _labels(is_.get(j, []))) for j in match.new]
    rows = [(content.images["image"][k], content.images["split"][k], *change) for content, k, *change in changes]
    dtypes = {"image": t.TEXT, "split": t.TEXT, "change": t.TEXT, "before": "object", "after": "object"}
    columns = zip(dtypes, _columns(rows, len(dtypes)), strict=True)
    return pd.DataFrame({name: pd.Series(column, dtype=dtypes[name]) for name, column in columns})


def _field_changes(before: Content, i: int, after: Content, j: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield the changes of an image's fields: change, before, after."""
    (split, status, *details), (split_now, status_now, *details_now) = _fields(before, i), _fields(after, j)
    if split != split_now:
        yield "moved", split, split_now
    if status != status_now:
        yield "status", status, status_now
    if details != details_now and _details(*details) != _details(*details_now):
        yield "details", _details(*details), _details(*details_now)


def _mark_change(was: list[tuple[Any, ...]], is_: list[tuple[Any, ...]]) -> tuple[str, Any, Any]:
    """Return the change of an image's annotations, with their labels or, if these are the same, the annotations.

    If only the notes differ, it has these.
    """
    if _labels(was) != _labels(is_):
        return "relabelled", _labels(was), _labels(is_)
    if [row[:-1] for row in was] != [row[:-1] for row in is_]:
        return "redrawn", was, is_
    return "notes", [row[-1] for row in was], [row[-1] for row in is_]


def _labels(marks: Sequence[tuple[Any, ...]]) -> list[str]:
    return [label for label, *_ in marks]


def _details(source: str | None, tags: str | None, extra: str | None) -> dict[str, Any]:
    return {"source": source, "tags": json.loads(tags or "[]"), **json.loads(extra or "{}")}


def _marks_of(content: Content, places: set[int]) -> dict[int, list[tuple[Any, ...]]]:
    """Map each of these images to its annotations as sorted tuples (label, left, top, width, …, note)."""
    result: dict[int, list[tuple[Any, ...]]] = {}
    names = [name for name in _MARKS if name != "created"]
    chosen = _positions(content, places)
    columns = [plain(pd.Series(content.annotations[name][chosen])) for name in names]
    values = [[None] * len(chosen) if column is None else column.tolist() for column in columns]
    heads = (content.annotations[name][chosen].tolist() for name in ("image", "label"))
    for position, number, *row in zip(*heads, *values, strict=True):
        result.setdefault(position, []).append((content.labels[number][0], *row))
    for rows in result.values():
        rows.sort(key=lambda row: tuple((value is not None, value) for value in row))
    return result
