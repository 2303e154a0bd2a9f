"""Lease and answer tasks of a labelling job in many processes, through the package or bare SQL on the same tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any
from uuid import uuid4

from customlabels_nb.jobs import leases
from customlabels_nb.store import open_store

BATCH = 10
_LEASE = {
    "sqlite": """UPDATE job_slots SET state = 'held', holder = ?, until = ?, token = ? WHERE (task, slot) IN (
        SELECT task, min(slot) FROM job_slots s WHERE job = 1 AND state <> 'answered' AND until < ? AND NOT EXISTS (
            SELECT 1 FROM job_slots o WHERE o.task = s.task AND o.holder = ?)
        GROUP BY task ORDER BY task LIMIT ?) RETURNING task, slot""",
    "postgresql": """WITH free AS (
        SELECT task AS t, slot AS s FROM job_slots s WHERE job = 1 AND state <> 'answered' AND until < %s
            AND slot = 1 + mod(hashtext(%s) & 1023, 3) ORDER BY task LIMIT %s FOR UPDATE SKIP LOCKED)
        UPDATE job_slots SET state = 'held', holder = %s, until = %s, token = %s FROM free WHERE task = t AND slot = s
        RETURNING task, slot""",
}
_ANSWER = (
    "UPDATE job_slots SET state = 'answered' WHERE task = ? AND slot = ?",
    """INSERT INTO job_answers (key, task, slot, who, edit, accepted, submitted, seconds, payload, counted, reason)
    VALUES (?, ?, ?, ?, 1, 0, 0, 1, '[]', 1, '')""",
)
Lease = Callable[[], list[Any]]
Submit = Callable[[Any], object]


def ours(location: str, schema: str | None, job: int, who: str) -> tuple[Lease, Submit]:
    """Return functions that lease tasks and answer one, as used by the labelling screens."""
    store = open_store(location, schema=schema)
    return (
        lambda: leases.lease(store, job, who, BATCH),
        lambda lease: leases.submit(store, lease, who, "[]", key=lease.token),
    )


def bare(location: str, schema: str | None, job: int, who: str) -> tuple[Lease, Submit]:
    """Return the same through the database driver, without refusals, roles, skips, gold images and lost leases.

    On PostgreSQL each person uses one slot number, so that nobody has to be kept from answering a task twice.
    """
    connection: Any
    if schema:
        import psycopg

        connection = psycopg.connect(location.replace("+psycopg", ""), options=f"-csearch_path={schema}")
        mark = "%s"
    else:
        import sqlite3

        connection = sqlite3.connect(location, timeout=60, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        mark = "?"
    answer = [statement.replace("?", mark) for statement in _ANSWER]

    def lease() -> list[Any]:
        now = time.time_ns() // 1000
        if schema:
            found = connection.execute(
                _LEASE["postgresql"], (now, who, BATCH, who, now + 3_000_000_000, uuid4().hex)
            ).fetchall()
            connection.commit()
        else:
            connection.execute("BEGIN IMMEDIATE")
            values = (who, now + 3_000_000_000, uuid4().hex, now, who, BATCH)
            found = connection.execute(_LEASE["sqlite"], values).fetchall()
            connection.execute("COMMIT")
        return list(found)

    def submit(place: tuple[int, int]) -> None:
        if not schema:
            connection.execute("BEGIN IMMEDIATE")
        connection.execute(answer[0], place)
        connection.execute(answer[1], (uuid4().hex, *place, who))
        connection.commit()

    return lease, submit


def label(
    pipe: Connection, which: str, location: str, schema: str | None, job: int, who: str, seconds: float, pace: float
) -> None:
    """Answer tasks for some seconds, ``pace`` answers a second, or as fast as possible if it is 0."""
    lease, submit = {"ours": ours, "bare": bare}[which](location, schema, job, who)
    tasks = lease()
    submit(tasks.pop())
    pipe.send("ready")
    pipe.recv()
    waits: dict[str, list[float]] = {"lease": [], "submit": []}
    end, cpu, due = time.perf_counter() + seconds, time.process_time(), time.perf_counter()
    due += (hash(who) % 1000) / 1000 / pace if pace else 0
    while time.perf_counter() < end:
        if not tasks:
            began = time.perf_counter()
            tasks = lease()
            waits["lease"].append(time.perf_counter() - began)
        while tasks:
            task = tasks.pop()
            if pace:
                due += 1 / pace
                time.sleep(max(0.0, due - time.perf_counter()))
            if time.perf_counter() >= end:
                tasks.clear()
                break
            began = time.perf_counter()
            submit(task)
            waits["submit"].append(time.perf_counter() - began)
    pipe.send((waits, time.process_time() - cpu))
