"""Move what HTTP endpoints kept in a file of their own, up to format 1.0 of projects, to the project's store.

The file is only read. It also has the images of stored predictions, which stay there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    TableClause,
    case,
    column,
    create_engine,
    exists,
    select,
    table,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from customlabels_nb.core.tables import SPLITS, TEST, TRAIN
from customlabels_nb.errors import StoreError
from customlabels_nb.store import SqlStore, frames, schema
from customlabels_nb.store.columns import insert_columns
from customlabels_nb.store.database import fetch, insert_rows, load_json, take_ids
from customlabels_nb.store.sql import ENDPOINT
from customlabels_nb.store.writing import image_ids, read_setting, write_setting

_FORMAT = "1.0"
#: Setting of a project whose file has nothing to move any more.
MOVED = f"{ENDPOINT}moved"
_SETTINGS = ("digits", "name", "custom_vision", "custom_vision_tags", "last_iteration", "policies")
#: Messages of versions that were queued, or were about to be copied, and had no record in the store.
_MESSAGES = {"TRAINING_IN_PROGRESS": "The model is being trained.", "COPYING_IN_PROGRESS": "The model is being copied."}
_LINES_AT_ONCE = 2_000

_log = logging.getLogger(__name__)


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *map(column, columns))


_tables = _table("sqlite_master", "name")
_facts = _table("facts", "key", "value")
_datasets = _table("datasets", "split", "status", "message", "code", "digits")
_entries = _table("entries", "id", "split", "image", "source", "line", "labelled", "findings", "state")
_versions = _table("versions", "name", "digits", "facts")
_policies = _table("policies", "id", "name", "revision", "document", "created", "updated")


def move_endpoints_file(path: Path, store: SqlStore) -> None:
    """Move what the file at ``path`` has beside predictions to the store, in one transaction and once only."""
    if store.read_only or not path.is_file() or store.setting(MOVED):
        return
    url = URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": "ro", "uri": "true"})
    file = create_engine(url, poolclass=NullPool)
    if ("facts",) not in _read(file, select(_tables)):  # a file of this release, with predictions only
        return
    facts = {key: json.loads(value) for key, value in _read(file, select(_facts))}
    if facts.get("format") != _FORMAT:
        _log.warning(
            "%r has the format %r, but this release reads %r. It was not read, so the endpoints serve the project with "
            "new ARNs and without its policies.", str(path), facts.get("format"), _FORMAT,
        )  # fmt: skip
        return
    with store.writing() as connection:
        if read_setting(connection, MOVED):  # another process was faster
            return
        _move_settings(connection, file, facts)
        _move_datasets(connection, file)
        _move_entries(connection, file)
        _move_versions(connection, file)
        write_setting(connection, MOVED, True)


def _read(file: Engine, statement: Select[Any]) -> Iterator[Any]:
    """Yield the rows of a query as tuples, some thousand in memory."""
    try:
        with file.connect() as connection:
            yield from connection.execution_options(yield_per=_LINES_AT_ONCE).execute(statement)
    except DBAPIError as error:  # while the store's own errors are about its database
        message = f"Cannot read the data of the endpoints about the project ({error.orig})."
        path = unquote(str(file.url.database)).removeprefix("file:")
        raise StoreError(f"{message} Restore the file {path!r}, or move it elsewhere.") from error


def _move_settings(connection: Connection, file: Engine, facts: dict[str, Any]) -> None:
    policies = [row._asdict() for row in _read(file, select(_policies).order_by(_policies.c.id))]
    noted = facts | ({"policies": policies} if policies else {})
    for key in _SETTINGS:
        if key in noted and read_setting(connection, ENDPOINT + key) is None:
            write_setting(connection, ENDPOINT + key, noted[key])


def _move_datasets(connection: Connection, file: Engine) -> None:
    c = schema.datasets.c
    for split, *values in _read(file, select(_datasets)):
        noted = json.dumps(dict(zip(("status", "message", "code", "digits"), values, strict=True)))
        connection.execute(update(schema.datasets).where(c.split == split, c.endpoint.is_(None)).values(endpoint=noted))


def _move_entries(connection: Connection, file: Engine) -> None:
    """Move the lines of images that the project still has, also if they are in the other dataset now.

    With the revision -1, they are compared with their images when they are next needed.
    """
    e, other = _entries.c, _entries.alias()
    other_split = case((e.split == TRAIN, TEST), else_=TRAIN)
    is_only_one = ~exists().where(other.c.split == other_split, other.c.image == e.image)  # by the index of the file
    columns = (e.source, e.line, e.labelled, e.findings, e.state)
    rows = _read(file, select(e.split, e.image, is_only_one, *columns).order_by(e.id))
    taken = {image_id for (image_id,) in fetch(connection, select(schema.manifest_lines.c.image_id))}
    while part := list(islice(rows, _LINES_AT_ONCE)):
        names = [row[1] for row in part]
        ids = {split: image_ids(connection, names, split) for split in SPLITS}
        lines = []
        for split, image, alone, *values in part:
            image_id = ids[split].get(image)
            if image_id is None and alone:
                image_id = next((found[image] for found in ids.values() if image in found), None)
            if image_id is not None and image_id not in taken:
                taken.add(image_id)
                lines.append((image_id, *values))
        if lines:
            moved = dict(zip(("image_id", *(each.name for each in columns)), zip(*lines, strict=True), strict=True))
            numbers = take_ids(connection, schema.manifest_lines, len(lines))
            insert_columns(connection, schema.manifest_lines, {"id": numbers, "revision": -1, **moved})


def _move_versions(connection: Connection, file: Engine) -> None:
    """Move what endpoints noted of versions, and add those that were queued.

    A version may have been deleted since, and another one may have got its name.
    """
    v = schema.versions.c
    known = {name: row for name, *row in fetch(connection, select(v.name, v.created, v.tags, v.endpoint))}
    for name, digits, text in _read(file, select(_versions)):
        facts = json.loads(text)
        began, record = facts.pop("created", digits / 1000), facts.pop("record", None)
        tags, first_tags = facts.pop("tags", {}), facts.pop("first_tags", {})  # a copy loses those that it began with
        if name in known:
            made, stored_tags, noted = known[name]
            if noted or record not in (None, frames.moment(made).isoformat()):
                continue
            kept = {key: text for key, text in load_json(stored_tags, {}).items() if key not in first_tags}
            tags = kept | tags
        elif "status" not in facts:
            continue
        else:
            made = round(began * 1_000_000)
            _insert_queued(connection, name, facts["status"], made)
        # training will replace the record, with another time
        if "status" in facts or digits != round(frames.moment(made).timestamp() * 1000):
            facts["digits"] = digits
        values = {"tags": json.dumps(tags), "endpoint": json.dumps(facts)}
        connection.execute(update(schema.versions).where(v.name == name).values(**values))


def _insert_queued(connection: Connection, name: str, status: str, made: int) -> None:
    (id_,) = take_ids(connection, schema.versions, 1)
    columns = ("id", "name", "status", "status_message", "folder", "created", "updated")
    row = (id_, name, status, _MESSAGES[status], f"versions/{name}", made, made)
    insert_rows(connection, schema.versions, columns, [row])
