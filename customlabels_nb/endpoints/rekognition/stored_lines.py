"""Read and write the manifest lines of images, which the project's store keeps beside them.

A line belongs to its image, whatever dataset that is in. Only lines of images that exist are read. Labels of entries
are those of the images' annotations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, delete, exists, func, select

from customlabels_nb.core import tables as t
from customlabels_nb.store import SqlStore, schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.database import Rows, fetch, insert_rows, take_ids, update_rows

_COLUMNS = ("revision", "source", "line", "labelled", "findings", "state")
_TABLE = schema.manifest_lines
_a, _i, _l, _n = schema.annotations.c, schema.images.c, _TABLE.c, schema.labels.c
_LINES = _TABLE.join(schema.images, _i.id == _l.image_id)
_IMAGES = schema.images.outerjoin(_TABLE, _i.id == _l.image_id)


@dataclass(frozen=True)
class Entry:
    """Manifest line of an image, as it was given.

    ``labelled`` is True if it is valid and has a label attribute. ``state`` is the digest of the annotations that the
    line has, and ``revision`` that of the image which has them.
    """

    image: str
    source: str
    line: bytes
    labelled: bool
    findings: list[dict[str, Any]]
    revision: int = 0
    state: str = ""


def _lines(split: str, *columns: Any) -> Select[Any]:
    """Select columns of the lines of a dataset in their order."""
    # an expression, because the index of the column would return all images, which would then have to be sorted
    in_split = _i.split.concat("") == split
    return select(*columns).select_from(_LINES).where(in_split).order_by(_l.id)


def changed_images(store: SqlStore) -> dict[str, list[str]]:
    """Return the images of each dataset that have no line, or have changed since their lines were compared."""
    images: dict[str, list[str]] = {split: [] for split in t.SPLITS}
    with store.reading() as connection:
        is_new = func.coalesce(_l.revision, -1) != _i.revision
        for split, image in fetch(connection, select(_i.split, _i.image).select_from(_IMAGES).where(is_new)):
            images[split].append(image)
    return images


def read_lines(
    store: SqlStore,
    split: str,
    *columns: str,
    images: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
) -> Rows:
    """Return columns of the lines of a dataset and "image" in their order, or only of these images or source-refs."""
    chosen = _lines(split, *(_i.image if name == "image" else _l[name] for name in columns))
    with store.reading() as connection:
        for column, values in ((_i.image, images), (_l.source, sources)):
            chosen = chosen if values is None else chosen.where(among(connection, column, values))
        return fetch(connection, chosen)


def put_entries(
    store: SqlStore, split: str, entries: Iterable[Entry], compared: Mapping[str, int] | None = None
) -> None:
    """Store the lines of images, in the places of their earlier lines, and revisions of images that keep theirs."""
    by_image, revisions = {entry.image: entry for entry in entries}, compared or {}
    with store.writing() as connection:
        named = among(connection, _i.image, [*by_image, *revisions])
        chosen = select(_i.image, _i.id, _l.id).select_from(_IMAGES).where(_i.split == split, named)
        ids = {image: (image_id, line_id) for image, image_id, line_id in fetch(connection, chosen)}
        rows = {image: _row(entry) for image, entry in by_image.items() if image in ids}
        new = [image for image in rows if ids[image][1] is None]
        changed = [(*row, ids[image][1]) for image, row in rows.items() if ids[image][1] is not None]
        update_rows(connection, _TABLE, _COLUMNS, changed)
        numbered = zip(take_ids(connection, _TABLE, len(new)), new, strict=True)
        added: Rows = [(number, ids[image][0], *rows[image]) for number, image in numbered]
        insert_rows(connection, _TABLE, ("id", "image_id", *_COLUMNS), added)
        seen: Rows = [
            (revision, ids[image][1]) for image, revision in revisions.items() if image in ids and image not in rows
        ]
        update_rows(connection, _TABLE, ("revision",), seen)


def _row(entry: Entry) -> tuple[Any, ...]:
    findings = json.dumps(entry.findings) if entry.findings else None
    return entry.revision, entry.source, entry.line, int(entry.labelled), findings, entry.state


def forget_gone_lines(store: SqlStore) -> None:
    """Delete the lines of images that do not exist. They are written again if the removal is undone."""
    with store.writing() as connection:
        connection.execute(delete(_TABLE).where(_l.image_id.not_in(select(_i.id))))


def count_entries(store: SqlStore, split: str) -> tuple[int, int, int]:
    """Count the entries of a dataset, those that are labelled, and those with errors."""
    counts = (func.count(), func.coalesce(func.sum(_l.labelled), 0), func.count(_l.findings))
    with store.reading() as connection:
        total, labelled, errors = fetch(connection, _lines(split, *counts).order_by(None))[0]
        return int(total), int(labelled), int(errors)


def find_entries(store: SqlStore, split: str, filters: Mapping[str, Any], after: int, count: int) -> Rows:
    """Return up to ``count`` entries after an id that fulfil the filters of ListDatasetEntries.

    Each has an id, a line, whether it is labelled, and findings.
    """
    chosen = _lines(split, _l.id, _l.line, _l.labelled, _l.findings).where(_l.id > after)
    if "Labeled" in filters:
        chosen = chosen.where(_l.labelled == int(filters["Labeled"]))
    if filters.get("HasErrors"):
        chosen = chosen.where(_l.findings.is_not(None))
    if (text := filters.get("SourceRefContains")) is not None:  # LIKE would ignore the case on SQLite
        chosen = chosen.where(func.replace(_l.source, text, "") != _l.source)
    with store.reading() as connection:
        if "ContainsLabels" in filters:
            labels = fetch(connection, select(_n.id).where(among(connection, _n.label, filters["ContainsLabels"])))
            has_label = _a.label_id.in_([id_ for (id_,) in labels])
            chosen = chosen.where(exists().where(_a.image_id == _l.image_id, has_label))
        return fetch(connection, chosen.limit(count))


def find_labels(store: SqlStore, split: str, after: int, count: int) -> Rows:
    """Return up to ``count`` labels after an id: id, name, and numbers of images with it, and with it on a box."""
    boxed = case((_a.left.is_not(None), _a.image_id))
    counts = (func.count(_a.image_id.distinct()), func.count(boxed.distinct()))
    uses = select(_n.id, _n.label, *counts).join(schema.annotations, _a.label_id == _n.id)
    uses = uses.join(schema.images, _i.id == _a.image_id).where(_i.split == split, _n.id > after)
    with store.reading() as connection:
        return fetch(connection, uses.group_by(_n.id, _n.label).order_by(_n.id).limit(count))
