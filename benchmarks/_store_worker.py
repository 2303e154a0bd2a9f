"""Edit images of a project one by one, alone or concurrently with other processes, through the package or bare SQL."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARM = 5
EDITS = (
    "UPDATE images SET status = 'labelled', revision = revision + 1 WHERE id = ?",
    "UPDATE annotations SET label_id = ? WHERE image_id = ?",
    """INSERT INTO history (id, created, who, what, note, count)
    SELECT next_id, ?, 'somebody', 'label', '', 1 FROM counters WHERE name = 'history'""",
    "UPDATE counters SET next_id = next_id + 1 WHERE name = 'history'",
)


def ours(location: str, schema: str) -> Callable[[int, int], object]:
    """Return a function that labels an image, both given by number, in a labelling session as used by the widgets."""
    from customlabels_nb.labeling.session import LabellingSession
    from customlabels_nb.store import open_store

    session = LabellingSession(open_store(location, schema=schema or None), Path(), user="somebody")
    names = session.table.names

    def edit(image: int, label: int) -> None:
        outcome = session.assign([names[image - 1]], f"label {label}")
        assert len(outcome.images) == 1

    return edit


def bare(location: str, schema: str) -> Callable[[int, int], object]:
    """Return a function that labels an image, both given by number, through the database driver."""
    connection: Any
    if schema:
        import psycopg

        connection = psycopg.connect(location.replace("+psycopg", ""), options=f"-csearch_path={schema}")
        begin, mark = "SELECT id FROM project FOR UPDATE", "%s"
    else:
        import sqlite3

        connection = sqlite3.connect(location, timeout=60, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        begin, mark = "BEGIN IMMEDIATE", "?"
    statements = [statement.replace("?", mark) for statement in EDITS]

    def edit(image: int, label: int) -> None:
        connection.execute(begin)
        for statement, values in zip(
            statements, ((image,), (label, image), (time.time_ns() // 1000,), ()), strict=True
        ):
            connection.execute(statement, values)
        connection.commit()

    return edit


def main() -> None:
    """Edit until the time is over. Each process edits its own images, so there are no conflicts."""
    location, schema, which, own, count, seconds, images, labels = sys.argv[1:]
    edit = {"ours": ours, "bare": bare}[which](location, schema)
    mine = range(1 + int(own), 1 + int(images), int(count))

    def go_on(number: int) -> float:
        began = time.perf_counter()
        edit(mine[number % len(mine)], 1 + (number // len(mine) + 1 + mine[number % len(mine)]) % int(labels))
        return time.perf_counter() - began

    for number in range(WARM):
        go_on(number)
    print("ready", flush=True)
    sys.stdin.readline()
    waits, cpu, end = [], time.process_time(), time.perf_counter() + float(seconds)
    while time.perf_counter() < end:
        waits.append(go_on(WARM + len(waits)))
    print(json.dumps({"waits": waits, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
