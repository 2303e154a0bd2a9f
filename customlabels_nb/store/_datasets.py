"""Writing images and annotations, inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection, delete, func, select, update

from customlabels_nb import tables as t
from customlabels_nb.errors import OutdatedError, StaleEditError, TableError
from customlabels_nb.issues import Issue
from customlabels_nb.store import frames, schema
from customlabels_nb.store._labels import ensure_labels
from customlabels_nb.store.base import Action
from customlabels_nb.store.database import (
    counter,
    delete_rows,
    dump_json,
    fetch,
    insert_rows,
    load_json,
    now_us,
    record,
    take_ids,
    update_rows,
)

_IMAGE_CHANGES = "image changes"


def image_changes(connection: Connection) -> int:
    """A number that grows whenever images come, go, change sides or content."""
    return counter(connection, _IMAGE_CHANGES)


def check_as_of(connection: Connection, as_of: int | None) -> None:
    """Refuse if images came, went, changed sides or content since ``as_of``."""
    if as_of is not None and as_of != image_changes(connection):
        raise OutdatedError("Images were added, removed or moved meanwhile; nothing was written. Look again.")


def _note_image_change(connection: Connection) -> None:
    take_ids(connection, _IMAGE_CHANGES, 1)


def image_ids(connection: Connection, split: str | None = None) -> dict[str, int]:
    """Id by image."""
    c = schema.images.c
    statement = select(c.image, c.id)
    return dict(fetch(connection, statement if split is None else statement.where(c.split == split)))


def ensure_dataset(connection: Connection, split: str, source: Mapping[str, Any] | None = None) -> None:
    """Create the dataset's row or note that it was changed, and remember where the images came from."""
    t.check_split(split)
    c = schema.datasets.c
    now = now_us()
    found = fetch(connection, select(c.sources).where(c.split == split))
    sources = load_json(found[0][0], []) if found else []
    if source and dict(source) not in sources:
        sources.append(dict(source))
    if not found:
        insert_rows(
            connection,
            schema.datasets,
            ("split", "status", "status_message", "created", "updated", "sources"),
            [(split, "CREATE_COMPLETE", "The dataset is ready.", now, now, dump_json(sources))],
        )
    else:
        connection.execute(
            update(schema.datasets)
            .where(c.split == split)
            .values(
                status="UPDATE_COMPLETE",
                status_message="The dataset is ready.",
                updated=now,
                sources=dump_json(sources),
            )
        )


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
    ensure_dataset(connection, split, source)
    known = image_ids(connection, split)
    again = images.loc[images["image"].isin(known.keys()), "image"]
    if len(again):
        raise TableError(f"{len(again)} of these images are in the {split} set already, such as {again.iloc[0]!r}.")
    now = now_us()
    ids = take_ids(connection, schema.images, len(images)) if len(images) else range(0)
    rows = frames.image_rows(images.assign(split=split), ids, now, files)
    insert_rows(connection, schema.images, frames.IMAGE_INSERT, rows)
    if rows:
        _note_image_change(connection)
    insert_annotations(connection, annotations, dict(zip(images["image"], ids, strict=True)))
    said = _add_issues(connection, split, issues)
    if lines:
        line_ids = take_ids(connection, schema.import_lines, len(lines))
        insert_rows(
            connection,
            schema.import_lines,
            ("id", "split", "source", "line", "raw"),
            [(id_, split, *line) for id_, line in zip(line_ids, lines, strict=True)],
        )
    if rows or said or lines:  # importing the same again is no action
        record(connection, action, split=split, count=len(images), after={"images": images["image"].tolist()})
    return len(images)


def insert_annotations(connection: Connection, annotations: pd.DataFrame, ids: dict[str, int]) -> None:
    """Insert annotations of images whose ids are known; labels that aren't there yet are added."""
    if annotations.empty:
        return
    unknown = annotations.loc[~annotations["image"].isin(ids.keys()), "image"]
    if len(unknown):
        raise TableError(f"Annotations speak of {unknown.iloc[0]!r}, which is not among the images.")
    labels = ensure_labels(connection, annotations["label"].unique())
    rows = frames.annotation_rows(annotations, ids, labels)
    own = take_ids(connection, schema.annotations, len(rows))
    insert_rows(
        connection,
        schema.annotations,
        ("id", *frames.ANNOTATION_INSERT),
        [(id_, *row) for id_, row in zip(own, rows, strict=True)],
    )


def update_images(
    connection: Connection, split: str, images: pd.DataFrame, annotations: pd.DataFrame, action: Action
) -> int:
    """See :meth:`customlabels_nb.store.base.Store.update_images`."""
    ids, stored, stored_annotations = _read_named(connection, split, images)
    before, after = frames.annotation_keys(stored_annotations), frames.annotation_keys(annotations)
    given = images.set_index("image", drop=False)
    same_fields = frames.row_keys(given), frames.row_keys(stored)
    changed = [
        name
        for name in given.index
        if before.get(name) != after.get(name) or same_fields[0][name] != same_fields[1][name]
    ]
    if not changed:
        return 0
    _refuse_stale(changed, given, stored, stored_annotations, annotations)
    current = stored["revision"].to_dict()
    edited = given.loc[changed].reset_index(drop=True)
    extras = frames.extra_json(edited)
    update_rows(
        connection,
        schema.images,
        (*frames.EDITABLE, "tags", "extra", "revision"),
        [
            (*row[:-1], dump_json(row[-1]), extra, current[name] + 1, ids[name])
            for name, row, extra in zip(
                changed, frames.plain_rows(edited, [*frames.EDITABLE, "tags"]), extras, strict=True
            )
        ],
    )
    relabelled = [name for name in changed if before.get(name) != after.get(name)]
    delete_rows(connection, schema.annotations, "image_id", [ids[name] for name in relabelled])
    insert_annotations(
        connection, annotations[annotations["image"].isin(relabelled)], {name: ids[name] for name in changed}
    )
    ensure_dataset(connection, split)
    record(
        connection,
        action,
        split=split,
        count=len(changed),
        before=_states(changed, stored["status"].to_dict(), before),
        after=_states(changed, given["status"].to_dict(), after),
    )
    return len(changed)


def remove_images(connection: Connection, split: str, images: pd.DataFrame, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.remove_images`."""
    ids, stored, stored_annotations = _read_named(connection, split, images)
    gone = images["image"].tolist()
    if not gone:
        return 0
    _refuse_stale(gone, images.set_index("image", drop=False), stored, stored_annotations, stored_annotations.head(0))
    delete_rows(connection, schema.images, "id", [ids[name] for name in gone])
    _note_image_change(connection)
    ensure_dataset(connection, split)
    states = _states(gone, stored["status"].to_dict(), frames.annotation_keys(stored_annotations))
    record(connection, action, split=split, count=len(gone), before=states)
    return len(gone)


def _read_named(
    connection: Connection, split: str, images: pd.DataFrame
) -> tuple[dict[str, int], pd.DataFrame, pd.DataFrame]:
    """Ids, images (by name) and annotations of a dataset as stored, in which all of ``images`` must be."""
    t.check_split(split)
    ids = image_ids(connection, split)
    unknown = images.loc[~images["image"].isin(ids.keys()), "image"]
    if len(unknown):
        raise TableError(
            f"{len(unknown)} images are not in the {split} set (any more), such as {unknown.iloc[0]!r}; "
            "add_images takes in new ones."
        )
    stored = frames.read_images(connection, split).set_index("image", drop=False)
    return ids, stored, frames.read_annotations(connection, schema.annotations, split)


def _refuse_stale(
    names: Sequence[str],
    given: pd.DataFrame,
    stored: pd.DataFrame,
    stored_annotations: pd.DataFrame,
    annotations: pd.DataFrame,
) -> None:
    revisions, current = given["revision"].to_dict(), stored["revision"].to_dict()
    stale = [name for name in names if revisions[name] != current[name]]
    if stale:
        raise StaleEditError(
            f"{len(stale)} of these images were changed by somebody else since you read them, such as {stale[0]!r}. "
            "Nothing was written; see .theirs and .yours, read the dataset again and repeat your edit.",
            images=stale,
            theirs=stored_annotations[stored_annotations["image"].isin(stale)].reset_index(drop=True),
            yours=annotations[annotations["image"].isin(stale)].reset_index(drop=True),
        )


def refresh_files(connection: Connection, split: str, facts: pd.DataFrame, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.refresh_files`."""
    c = schema.images.c
    stored = {row[0]: row[1:] for row in fetch(connection, select(c.image, c.id, c.sha256).where(c.split == split))}
    names = ["sha256", "width", "height", "bytes", "mtime_ns"]
    given = [row for row in frames.plain_rows(facts, ["image", *names]) if row[0] in stored]
    update_rows(connection, schema.images, names, [(*row[1:], stored[row[0]][0]) for row in given])
    changed = [row[0] for row in given if row[1] != stored[row[0]][1]]
    if changed:
        _bump(connection, [stored[name][0] for name in changed])
        _note_image_change(connection)
        record(connection, action, split=split, count=len(changed), after={"images": changed})
    return len(changed)


def move_images(connection: Connection, names: Sequence[str], origin: str, target: str, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.move_images`."""
    t.check_split(origin)
    ensure_dataset(connection, target)
    ids = image_ids(connection, origin)
    there = image_ids(connection, target)
    for name in names:
        if name not in ids:
            raise TableError(f"The image {name!r} is not in the {origin} set (any more).")
        if name in there:
            raise TableError(f"The image {name!r} is in the {target} set already.")
    update_rows(connection, schema.images, ("split",), [(target, ids[name]) for name in names])
    _bump(connection, [ids[name] for name in names])
    _note_image_change(connection)
    record(
        connection, action, split=origin, count=len(names), before={origin: list(names)}, after={target: list(names)}
    )
    return len(names)


def delete_dataset(connection: Connection, split: str, action: Action) -> int:
    """See :meth:`customlabels_nb.store.base.Store.delete_dataset`."""
    t.check_split(split)
    stored = frames.read_images(connection, split)
    annotations = frames.annotation_keys(frames.read_annotations(connection, schema.annotations, split))
    statuses = dict(zip(stored["image"], stored["status"], strict=True))
    for table in (schema.images, schema.issues, schema.import_lines, schema.datasets):
        connection.execute(delete(table).where(table.c.split == split))
    _note_image_change(connection)
    record(connection, action, split=split, count=len(stored), before=_states(list(statuses), statuses, annotations))
    return len(stored)


def statistics(connection: Connection, split: str) -> tuple[int, int, int]:
    """Entries, labelled entries and labels in use of a dataset."""
    i, a = schema.images.c, schema.annotations.c
    total = connection.scalar(select(func.count()).select_from(schema.images).where(i.split == split))
    labelled = connection.scalar(
        select(func.count()).select_from(schema.images).where(i.split == split, i.status == "labelled")
    )
    used = connection.scalar(
        select(func.count(func.distinct(a.label_id)))
        .select_from(schema.annotations.join(schema.images, a.image_id == i.id))
        .where(i.split == split)
    )
    return int(total or 0), int(labelled or 0), int(used or 0)


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


def _add_issues(connection: Connection, split: str, issues: Iterable[Issue]) -> int:
    """Keep findings that aren't kept yet; returns how many."""
    c = schema.issues.c
    columns = (c.code, c.message, c.where, c.source, c.line)
    known = set(fetch(connection, select(*columns).where(c.split == split)))
    found = [row for i in issues if (row := (i.code, i.message, i.where, i.source, i.line)) not in known]
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
