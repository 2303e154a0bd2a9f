"""Project of format 1.0 that endpoints have served, and what its store has once their file was moved.

``python -m tests.project.served_before FOLDER`` opens it in processes that are killed, each one step later, until one
finishes, and prints the number of steps. With "together", it opens it in several processes at once.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, event, insert, select

from customlabels_nb.project import location
from customlabels_nb.store import SqlStore, open_store, schema

PACKED = Path(__file__).parents[1] / "released" / "format_1_0" / "served.zip"
KEYS = ("digits", "name", "custom_vision", "custom_vision_tags", "last_iteration", "policies", "moved")


def unpack(folder: Path, url: str | None = None) -> Path:
    """Unpack the project, with its database at ``url`` if that is given, and return its folder."""
    shutil.unpack_archive(PACKED, folder)
    (root,) = (folder / "root").iterdir()
    if url is not None:
        _move_to_server(root, url)
    return root


def _move_to_server(root: Path, url: str) -> None:
    """Replace the database of a project by one on a server."""
    file = open_store(str(root / "project.db"))
    location.create_project_store(root, "moved", url, None, {})
    store = location._open_store(root, url)
    with file.reading() as source, store.writing() as target:
        for table in reversed(schema.metadata.sorted_tables):
            target.execute(delete(table))
        for table in schema.metadata.sorted_tables:
            rows = [row._asdict() for row in source.execute(select(table))]
            if rows:
                target.execute(insert(table), rows)
    store.close()
    file.destroy()


def content(store: SqlStore) -> dict[str, Any]:
    """Return what endpoints have noted in the store."""
    lines, images = schema.manifest_lines.c, schema.images.c
    columns = (images.split, images.image, lines.source, lines.labelled, lines.findings.is_not(None), lines.revision)
    chosen = select(*columns, lines.line).join(schema.images, images.id == lines.image_id).order_by(lines.id)
    records = {split: store.dataset(split) for split in ("train", "test")}
    with store.reading() as connection:
        entries = [[*map(str, values), json.loads(bytes(line))] for *values, line in connection.execute(chosen)]
    return {
        "settings": {key: noted for key in KEYS if (noted := store.setting(f"endpoint:{key}")) is not None},
        "datasets": {split: record.endpoint for split, record in records.items() if record},
        "entries": entries,
        "versions": {record.name: [record.status, record.tags, record.endpoint] for record in store.versions()},
    }


def killed(root: Path) -> int:
    """Open the project in forks that are killed at one statement after another, and return their number."""
    before: list[Any] = []
    for number in count(1):
        child = os.fork()
        if child == 0:
            _die_at(number)
            location.open_project_store(root).close()
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return number
        store = location._open_store(root, None)
        before.append(content(store))
        store.close()
        assert before[-1] == before[0], number
    raise AssertionError


def _die_at(number: int) -> None:
    numbers = count(1)

    def step(*arguments: object, **named: object) -> None:
        if next(numbers) == number:
            os._exit(9)

    for name in ("after_cursor_execute", "commit"):
        event.listen(Engine, name, step)


def together(root: Path) -> None:
    """Open the project in processes that begin at the same time."""
    waiting, start = os.pipe()
    children = []
    for _ in range(4):
        children.append(os.fork())
        if children[-1] == 0:
            os.close(start)
            os.read(waiting, 1)  # until all are there
            location.open_project_store(root).close()
            os._exit(0)
    os.close(start)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


if __name__ == "__main__":
    if sys.argv[2:] == ["together"]:
        together(Path(sys.argv[1]))
    else:
        print(killed(Path(sys.argv[1])))
