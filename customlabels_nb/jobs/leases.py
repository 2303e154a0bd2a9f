"""Lease tasks of a labelling job to people, and store their answers.

A task has slots, one for each answer that it needs. Leasing reserves a slot for a person until a time. An expired slot
is free for anybody, so nothing has to clean up after a crash. Each function is one transaction, which locks the task or
the person's row, but never the project. All times are those of the database. What the schema forbids, such as a second
counted answer of one person, is tried again with the new state.
"""

from __future__ import annotations

import json
import random
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Executable, Row, TextClause, case, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from customlabels_nb.errors import DamagedError, NotAllowedError, StoreError
from customlabels_nb.jobs.consolidation import NEEDS_REVIEW, OPEN, RESOLVED
from customlabels_nb.store import SqlStore
from customlabels_nb.store.columns import among
from customlabels_nb.store.expressions import database_now
from customlabels_nb.store.schema import OPEN_SLOT, job_answers, job_slots, job_tasks, jobs

#: How long a task is held for a person by default, and the shortest and longest such time in seconds.
DEFAULT_LEASE = "5min"
SHORTEST_LEASE, LONGEST_LEASE = 1, 7 * 86400
#: Reasons for which an answer does not count. People are not asked again after the first two.
LATE, REJECTED, CHANGED, ASKED_AGAIN, DISCARDED = "late", "rejected", "changed", "asked again", "discarded"
SKIPS_TO_REVIEW = 2
#: Reason with which a manager let a stopped person label again.
TRUSTED = "trusted again"
#: Role of a name that was merged into another one, which is then its reason.
MERGED = "merged"
#: More states of a task: all answers are in and wait to be combined, a reviewer has decided, people have skipped it and
#: it waits for the manager, and the manager leaves it without a result.
ANSWERED, REVIEWED, SKIPPED, ACCEPTED = "answered", "reviewed", "skipped", "accepted"

_FIRST_GOLD, _GOLD_SHARE = 5, 0.1
_CONFLICTS = 50
_PATIENCE_SECONDS = 30.0
_LONGEST_PAUSE = 2.0
_END = 2**62
_FIRST_WINDOW = 120
# Cyrillic and Greek letters that look like Latin ones
_TWINS = str.maketrans(
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423\u0430\u0435\u0455"
    "\u0456\u0458\u043e\u0440\u0441\u0445\u0443\u04bb\u0501\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d"
    "\u039f\u03a1\u03a4\u03a5\u03a7\u03b1\u03bd\u03bf\u03c1\u03c5\u03b9",
    "ABESIJKMHOPCTXYaesijopcxyhdABEZHIKMNOPTYXavopui",
)
# invisible characters with other categories than Cc and Cf
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\ufe00-\ufe0f\U000e0100-\U000e01ef]")
T = TypeVar("T")
_ANSWER, _JOB, _SLOT, _TASK = (table.c for table in (job_answers, jobs, job_slots, job_tasks))

_DIALECTS = {
    "sqlite": {
        "now": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
        "token": "lower(hex(randomblob(16)))",
        "lock_task": "",
        "lock_name": "",
        "lock_slots": "",
        "skip_locked": "",
    },
    "postgresql": {
        "now": "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT)",
        "token": "CAST(gen_random_uuid() AS TEXT)",
        "lock_task": "FOR NO KEY UPDATE OF t",
        "lock_name": "FOR KEY SHARE",
        "lock_slots": "FOR UPDATE",
        "skip_locked": "FOR UPDATE OF s SKIP LOCKED",
    },
}
# scalar subqueries, because PostgreSQL would turn EXISTS into joins with whole tables
_MAY_ASK = f"""t.state = 'open'
    AND (SELECT 1 FROM images i WHERE i.split IN ('train', 'test') AND i.image = t.image LIMIT 1) = 1
    AND (SELECT 1 FROM job_skips k WHERE k.task = t.id AND k.who = :who) IS NULL
    AND (SELECT 1 FROM job_answers a
         WHERE a.task = t.id AND a.who = :who AND a.reason IN ('{LATE}', '{REJECTED}') LIMIT 1) IS NULL"""
_NEAR = """SELECT task, slot, holder FROM job_slots
    WHERE job = :job AND state <> 'answered' AND slot > 0 AND until < {now} AND task > :after AND task <= :stop
    ORDER BY task, slot LIMIT :window"""
_LEASE = f"""
WITH near AS MATERIALIZED ({_NEAR}),
chosen AS (
    SELECT task, coalesce(max(CASE WHEN holder = :who THEN slot END), min(slot)) AS slot FROM near GROUP BY task),
free AS MATERIALIZED (
    SELECT s.task AS of_task, s.slot AS of_slot
    FROM chosen c JOIN job_tasks t ON t.id = c.task JOIN job_slots s ON s.task = c.task AND s.slot = c.slot
    WHERE s.state <> 'answered' AND s.until < {{now}} AND {_MAY_ASK}
      AND (SELECT 1 FROM job_slots o WHERE o.task = c.task AND o.holder = :who AND o.slot <> c.slot) IS NULL
    ORDER BY s.task LIMIT :count {{skip_locked}})
UPDATE job_slots SET state = 'held', holder = :who, since = {{now}}, until = {{now}} + :time, token = {{token}}
FROM free WHERE task = of_task AND slot = of_slot
RETURNING task, token, since, until, (SELECT t.image FROM job_tasks t WHERE t.id = task) AS image"""
_LEASE_GOLD = f"""
INSERT INTO job_slots (task, slot, job, state, holder, since, until, token)
SELECT t.id, :slot, t.job, 'held', :who, {{now}}, {{now}} + :time, {{token}} FROM job_tasks t
WHERE t.job = :job AND t.gold IS NOT NULL AND {_MAY_ASK}
  AND NOT EXISTS (SELECT 1 FROM job_slots o WHERE o.task = t.id AND o.holder = :who)
ORDER BY random() LIMIT :count
RETURNING task, token, since, until, (SELECT t.image FROM job_tasks t WHERE t.id = task) AS image"""
_STORE = """
INSERT INTO job_answers (key, task, slot, who, edit, accepted, submitted, seconds, payload, counted, reason)
VALUES (:key, :task, :slot, :who, :edit, :accepted, {now}, :seconds, :payload, :counted, :reason) RETURNING id"""

_UNCOUNT = update(job_answers).values(counted=0, slot=None).returning(_ANSWER.id)
_LACKING = select(1).where(_SLOT.task == _TASK.id, _SLOT.slot > 0, _SLOT.state != "answered").exists()
_SLOTS = select(func.count()).where(_SLOT.task == _TASK.id, _SLOT.slot > 0).scalar_subquery()
_ANNOTATORS = select(_JOB.annotators).where(_JOB.id == _TASK.job).scalar_subquery()
_NOTE_STATES = (
    update(job_tasks)
    .values(state=case((_LACKING, OPEN), ((_SLOTS == 1) & (_ANNOTATORS == 1), RESOLVED), else_=ANSWERED))
    .where(_TASK.gold.is_(None), _TASK.state.in_((OPEN, ANSWERED, RESOLVED, NEEDS_REVIEW)))
    .where(~((_TASK.state == OPEN) & _LACKING))
)


@dataclass(frozen=True)
class Lease:
    """Slot of a task that a person holds. Times are microseconds since 1970, UTC."""

    job: int
    task: int
    image: str
    token: str
    since: int
    until: int


@dataclass(frozen=True)
class Acknowledgement:
    """Confirmation that an answer is stored.

    Attributes
    ----------
    answer : int
        Number of the answer in ``job.answers``.
    counted : bool
        True if the answer counts. All other answers are stored as well.
    reason : str
        Reason why it does not count, such as "late": others have answered meanwhile. Empty if it counts.
    """

    answer: int
    counted: bool
    reason: str = ""


@lru_cache
def _statement(sql: str, dialect: str) -> TextClause:
    filled = sql.format(**_DIALECTS[dialect]) if "{" in sql else sql
    among = "IN (SELECT value FROM json_each(:each))" if dialect == "sqlite" else "= ANY(:each)"
    return text(filled.replace("IN :each", among))


def run(connection: Connection, sql: str | Executable, **values: Any) -> Sequence[Row[Any]]:
    """Run SQL and return its rows. ``{now}`` is the database's time, and ``IN :each`` takes a list of any length."""
    if not isinstance(sql, str):
        result = connection.execute(sql, values)
        return result.all() if result.returns_rows else ()
    dialect = connection.dialect.name
    if "each" in values:
        values["each"] = json.dumps(list(values["each"])) if dialect == "sqlite" else list(values["each"])
    result = connection.execute(_statement(sql, dialect), values)
    return result.all() if result.returns_rows else ()


def fetch_one(connection: Connection, sql: str | Executable, **values: Any) -> Row[Any] | None:
    """Run one SQL statement and return its first row, None if there is none."""
    rows = run(connection, sql, **values)
    return rows[0] if rows else None


def read_job(connection: Connection, job: int) -> Row[Any]:
    return run(connection, "SELECT * FROM jobs WHERE id = :job", job=job)[0]


def transact(store: SqlStore, work: Callable[[Connection], T], *, patience: float = 0.0) -> T:
    """Run ``work`` in a write transaction, again after conflicts, and for ``patience`` seconds without a connection."""
    pause, conflicts, end = 0.05, 0, time.monotonic() + patience
    while True:
        try:
            with store.writing(lock=False) as connection:
                return work(connection)
        except StoreError as error:
            cause = error.__cause__
            state = str(getattr(getattr(cause, "orig", None), "sqlstate", ""))
            if isinstance(cause, IntegrityError) or state in ("40P01", "40001"):
                conflicts += 1
                if conflicts > _CONFLICTS:
                    raise
                continue
            lost = isinstance(cause, OperationalError | InterfaceError)
            lost = lost or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
            if isinstance(error, DamagedError) or not lost or time.monotonic() > end:
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _transact_as(
    store: SqlStore, job: int, who: str, work: Callable[[Connection, str], T], *, patience: float = 0.0
) -> T:
    """Run ``work`` as :func:`transact` does, with the name that a person has now and keeps until the end."""
    named = partial(name_in, job=job, name=who, exact=True, lock="{lock_name}")
    return transact(store, lambda connection: work(connection, named(connection)), patience=patience)


# -- leasing ----------------------------------------------------------------------------------------
def lease(store: SqlStore, job: int, who: str, count: int, *, first: Sequence[int] = ()) -> list[Lease]:
    """Lease up to ``count`` tasks that a person has not held, answered or skipped, for ``count`` times the job's lease.

    ``first`` are tasks to lease before others. Images with known answers are mixed in. The list is shorter, or empty,
    if no more tasks need an answer of theirs. NotAllowedError is raised if the job does not run, or the person may not
    label.
    """

    def work(connection: Connection, who: str) -> list[Lease]:
        job_row, member, cursor = check_in(connection, job, who)
        values: dict[str, Any] = {"job": job, "who": who, "time": job_row.lease * count}
        gold = _lease_gold(connection, count, slot=-member, **values) if job_row.gold else ()
        again: list[Row[Any]] = []
        for task in first:
            again += _lease_from(connection, task - 1, task, min(1, count - len(gold) - len(again)), **values)
        rows = _lease_from(connection, cursor, _END, count - len(gold) - len(again), **values)
        if rows:
            move = "UPDATE job_members SET cursor = :task WHERE id = :id"
            run(connection, move, task=max(row.task for row in rows), id=member)
        rows = again + rows
        rows += _lease_from(connection, 0, cursor, count - len(gold) - len(rows), **values)
        for row in gold:
            rows.insert(random.randint(0, len(rows)), row)
        if not rows:
            held = (_SLOT.job == job, _SLOT.state == "held", _SLOT.slot > 0, _SLOT.until < database_now())
            use_late_answers(connection, _TASK.id.in_(select(_SLOT.task).where(*held)))
        return [Lease(job, row.task, row.image, row.token, row.since, row.until) for row in rows]

    return _transact_as(store, job, who, work)


def check_in(connection: Connection, job: int, who: str) -> tuple[Row[Any], int, int]:
    """Note that a person is here, and return the job, their member id, and their last task, or refuse them."""
    of_job = """SELECT name, state, members, lease,
            EXISTS (SELECT 1 FROM job_tasks WHERE job = :job AND gold IS NOT NULL) AS gold
        FROM jobs WHERE id = :job"""
    job_row = run(connection, of_job, job=job)[0]
    seen = "UPDATE job_members SET seen = {now} WHERE job = :job AND who = :who RETURNING id, state, reason, cursor"
    member = fetch_one(connection, seen, job=job, who=who)
    if member is None and job_row.members == "open":
        add_member(connection, job, who, exact=True)
        member = fetch_one(connection, seen, job=job, who=who)
    name, why = job_row.name, None
    if job_row.state != "running":
        verb = "resume" if job_row.state == "paused" else "reopen"
        why = f"The job {name!r} is {job_row.state}, so {who!r} gets no tasks", f"{verb} it"
    elif member is None or member.state == "removed":
        was = "is not" if member is None else "is no longer"
        why = f"{who!r} {was} a labeler of the job {name!r}", f"invite {who!r}"
    elif member.state == "stopped":
        why = f"{who!r} gets no more tasks of the job {name!r}: {member.reason}", f"let {who!r} label again"
    if why is not None:
        raise NotAllowedError(f"{why[0]}. Ask {_managers(connection, job)} to {why[1]}.")
    assert member is not None
    return job_row, member.id, member.cursor


def add_member(connection: Connection, job: int, name: str, role: str = "labeler", *, exact: bool = False) -> str:
    """Add a member to the job, unless they are one, and return how the job spells their name, see :func:`name_in`.

    A typed name that looks like that of another member is refused. ``exact`` names come from a login.
    """
    run(connection, "SELECT t.id FROM jobs t WHERE t.id = :job {lock_task}", job=job)  # other spellings have to wait
    who = name_in(connection, job, name, exact=exact)
    active = "SELECT who FROM job_members WHERE job = :job AND state <> 'removed' ORDER BY id"
    members = [row.who for row in run(connection, active, job=job)]
    twin = next((member for member in members if look_key(member) == look_key(who)), None)
    if not exact and twin is not None and who not in members:
        raise NotAllowedError(
            f"{who!r} looks like the name {twin!r} of another person, but has a {other_letter(who, twin)}. "
            "Type it with the usual keyboard layout, or use a different name."
        )
    insert = """INSERT INTO job_members (job, who, role, state, reason, cursor, joined)
        VALUES (:job, :who, :role, 'active', '', 0, {now}) ON CONFLICT (job, who) DO NOTHING"""
    run(connection, insert, job=job, who=who, role=role)
    return who


def name_in(connection: Connection, job: int, name: str, *, exact: bool = False, lock: str = "") -> str:
    """Return how a job spells a name: as it is if the job has it, otherwise like the first one that looks the same.

    With ``exact``, other spellings are other people. A name that was merged into another one is that one.
    """
    sql = "SELECT who, role, reason FROM job_members WHERE job = :job"
    row = fetch_one(connection, f"{sql} AND who = :who {lock}", job=job, who=name)
    if row is None and not exact:
        key, members = name_key(name), run(connection, f"{sql} ORDER BY id", job=job)
        row = next((member for member in members if name_key(member.who) == key), None)
    return name if row is None else str(row.reason if row.role == MERGED else row.who)


def name_key(name: str) -> str:
    """Return a text that all spellings share that look the same apart from capitals, "" if nothing is visible."""
    shown = _BLANK.sub("", unicodedata.normalize("NFKC", name))
    shown = "".join(sign for sign in shown if sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf"))
    return " ".join(unicodedata.normalize("NFKC", shown.casefold()).split())


def look_key(name: str) -> str:
    """Return a text that all names share that look the same, with letters of several alphabets too."""
    return name_key(unicodedata.normalize("NFKC", name).translate(_TWINS))


def other_letter(name: str, twin: str) -> str:
    """Return the Unicode name of the letter that tells a name from one that looks the same, "" if only case differs."""
    pairs = zip(name_key(name), name_key(twin), strict=False)
    return next((unicodedata.name(sign, "different letter") for sign, other in pairs if sign != other), "")


def stop(connection: Connection, job: int, who: str, state: str, reason: str = "", only: str = "TRUE") -> bool:
    """Give a member no more tasks, release those they hold, and return whether there is such a member."""
    sql = f"""UPDATE job_members SET state = :state, reason = :reason
        WHERE job = :job AND who = :who AND state <> 'removed' AND {only} RETURNING id"""
    is_stopped = fetch_one(connection, sql, job=job, who=who, state=state, reason=reason) is not None
    if is_stopped:
        reopen(connection, job, who)
    return is_stopped


def _managers(connection: Connection, job: int) -> str:
    """Return the names of the job's managers as a part of a sentence."""
    of_job = "SELECT who FROM job_members WHERE job = :job AND role = 'manager' AND state = 'active' ORDER BY id"
    names = [repr(row.who) for row in run(connection, of_job, job=job)]
    return f"the manager {names[0]}" if len(names) == 1 else f"one of the managers {', '.join(names)}"


def _lease_from(connection: Connection, after: int, stop: int, count: int, **values: Any) -> list[Row[Any]]:
    """Lease tasks with ids above ``after`` up to ``stop``, in their order."""
    if count <= 0 or after >= stop:
        return []
    window = _FIRST_WINDOW
    rows = [*run(connection, _LEASE, count=count, after=after, stop=stop, window=window, **values)]
    while len(rows) < count:  # look at more and more tasks, from the first one on
        near = {"job": values["job"], "after": after, "stop": stop, "window": window}
        last = fetch_one(connection, f"SELECT max(task) AS task, count(*) AS number FROM ({_NEAR}) AS near", **near)
        if last is None or last.task is None:
            break
        near |= {"stop": last.task, "window": _END, "count": count - len(rows)}
        rows += run(connection, _LEASE, **{**values, **near})
        if last.number < window:
            break
        after, window = last.task, 4 * window
    return sorted(rows, key=lambda row: row.task)


def _lease_gold(connection: Connection, count: int, *, job: int, slot: int, **values: Any) -> Sequence[Row[Any]]:
    """Lease images with known answers: the first five tasks of a person, then one in ten at random."""
    counts = """SELECT count(*) AS total, count(s.slot) AS had
        FROM job_tasks t LEFT JOIN job_slots s ON s.task = t.id AND s.holder = :who AND s.slot < 0
            AND (s.state = 'answered' OR s.until >= {now})
        WHERE t.job = :job AND t.gold IS NOT NULL"""
    gold = fetch_one(connection, counts, job=job, who=values["who"])
    if gold is None or gold.total <= gold.had:
        return ()
    first = max(0, min(count, _FIRST_GOLD - gold.had))
    due = first + sum(random.random() < _GOLD_SHARE for _ in range(count - first))
    if not due:
        return ()
    expired = "job = :job AND holder = :who AND slot < 0 AND state = 'held' AND until < {now}"
    run(connection, f"DELETE FROM job_slots WHERE {expired}", job=job, who=values["who"])
    return run(connection, _LEASE_GOLD, job=job, slot=slot, count=due, **values)


def renew(store: SqlStore, job: int, who: str, tokens: Sequence[str]) -> dict[str, int]:
    """Renew leases from now on, and return the new end of each that is still held."""
    sql = """UPDATE job_slots SET until = {now} + :count * (SELECT lease FROM jobs WHERE id = :job)
        WHERE job = :job AND holder = :who AND state = 'held' AND token IN :each RETURNING token, until"""
    values = {"job": job, "each": list(tokens), "count": len(tokens)}
    if not tokens:
        return {}
    rows = _transact_as(store, job, who, lambda connection, who: run(connection, sql, who=who, **values))
    return {row.token: row.until for row in rows}


def release(store: SqlStore, job: int, who: str, tokens: Sequence[str] | None = None) -> int:
    """Give back leases, or all of a person's leases, and return their number."""
    return _transact_as(store, job, who, lambda connection, who: reopen(connection, job, who, tokens))


def reopen(connection: Connection, job: int, who: str, tokens: Sequence[str] | None = None) -> int:
    """Reopen the slots that a person holds, or those with these tokens, and return their number."""
    if tokens is not None and not tokens:
        return 0
    chosen = "job = :job AND holder = :who AND state = 'held'" + (" AND token IN :each" if tokens else "")
    values = {"job": job, "who": who} | ({"each": list(tokens)} if tokens else {})
    gold = run(connection, f"DELETE FROM job_slots WHERE slot < 0 AND {chosen} RETURNING task", **values)
    rest = run(connection, f"UPDATE job_slots SET {OPEN_SLOT} WHERE {chosen} RETURNING task", **values)
    if rest:
        use_late_answers(connection, among(connection, _TASK.id, [row.task for row in rest]))
    return len(gold) + len(rest)


# -- answers ----------------------------------------------------------------------------------------
def submit(
    store: SqlStore,
    lease: Lease,
    who: str,
    payload: str,
    *,
    key: str,
    edit: int = 1,
    seconds: float = 0.0,
    patience: float = _PATIENCE_SECONDS,
) -> Acknowledgement:
    """Store an answer, trying again until the database acknowledges it.

    An answer counts if its slot, or another one of the task, is free. Otherwise it is stored, and takes the place of a
    counted answer that is rejected. ``key`` is its unique id: what is submitted twice is stored once. ``edit`` is 1 for
    a first answer, and more for each change, so that a delayed earlier answer does not replace a later one. A change
    does not count after the job was closed or the person removed. ``seconds`` is the time that the person took. Without
    a connection, it is tried again for ``patience`` seconds.
    """

    def work(connection: Connection, who: str) -> Acknowledgement:
        task = lock_task(connection, lease.task, who)
        earlier = f"""SELECT id, key, slot, edit, counted, reason FROM job_answers
            WHERE key = :key OR (task = :task AND who = :who AND reason IN ('', '{LATE}'))"""
        answers = run(connection, earlier, key=key, task=lease.task, who=who)
        for answer in answers:
            if answer.key == key:
                return Acknowledgement(answer.id, bool(answer.counted), answer.reason)
        before = next((answer for answer in answers if answer.counted), None)
        slot: int | None = None
        reason = LATE
        if before is not None and edit <= before.edit:
            reason = CHANGED
        elif _is_over(task):
            reopen(connection, task.job, who, [lease.token])  # which the late answer takes if the job goes on
        else:
            slot = _free_slot(connection, task, lease, who) if before is None else before.slot
            reason = LATE if slot is None else ""
        if replaced := [answer.id for answer in answers if not reason or answer.reason == reason]:
            uncount(connection, CHANGED, among(connection, _ANSWER.id, replaced))
        values = {"key": key, "task": lease.task, "slot": slot, "who": who, "edit": edit, "accepted": lease.since}
        values |= {"seconds": seconds, "payload": payload, "counted": int(not reason), "reason": reason}
        stored = run(connection, _STORE, **values)[0]
        if not reason:
            note_states(connection, _TASK.id == lease.task)
        return Acknowledgement(stored.id, not reason, reason)

    return _transact_as(store, lease.job, who, work, patience=patience)


def lock_task(connection: Connection, task: int, who: str = "") -> Row[Any]:
    """Lock a task for other answers and skips, but not for leases of others, and return it with the job's member."""
    sql = """SELECT t.id, t.job, t.gold IS NOT NULL AS gold, j.state, m.id AS member, m.state AS member_state
        FROM job_tasks t JOIN jobs j ON j.id = t.job LEFT JOIN job_members m ON m.job = t.job AND m.who = :who
        WHERE t.id = :task {lock_task}"""
    return run(connection, sql, task=task, who=who)[0]


def _free_slot(connection: Connection, task: Row[Any], lease: Lease, who: str) -> int | None:
    """Take the leased slot for an answer, or a free one if that was lost, and return its number, None without one."""
    slots = "SELECT slot, holder, until < {now} AS free, state FROM job_slots WHERE task = :task {lock_slots}"
    rows = [row for row in run(connection, slots, task=task.id) if row.state != "answered"]
    chosen = next((row.slot for row in rows if row.holder == who), None)  # also if leased by another kernel of theirs
    if chosen is None and not task.gold:
        chosen = min((row.slot for row in rows if row.free), default=None)
    values = {"task": task.id, "who": who, "token": lease.token}
    if chosen is None and task.gold:
        insert = """INSERT INTO job_slots (task, slot, job, state, holder, until, token)
            VALUES (:task, :slot, :job, 'answered', :who, 0, :token)"""
        run(connection, insert, slot=-task.member, job=task.job, **values)
        return -int(task.member)
    if chosen is not None:
        take = """UPDATE job_slots SET state = 'answered', holder = :who, token = :token
            WHERE task = :task AND slot = :slot"""
        run(connection, take, slot=chosen, **values)
    return chosen


def _is_over(task: Row[Any]) -> bool:
    """Check whether the answers of the person of :func:`lock_task` are final: in a closed job, and after a removal."""
    return task.state == "closed" or task.member_state in (None, "removed")


def uncount(connection: Connection, reason: str, chosen: ColumnElement[bool]) -> int:
    """Stop counting the chosen answers for a reason, and return their number."""
    return len(run(connection, _UNCOUNT.values(reason=reason).where(chosen)))


def skip(store: SqlStore, lease: Lease, who: str, reason: str) -> None:
    """Skip a task, which the person is never asked again. A second skip by anybody leaves the task to the manager.

    NotAllowedError is raised if the person has answered the task and the answer is final.
    """

    def work(connection: Connection, who: str) -> None:
        task = lock_task(connection, lease.task, who)
        insert = """INSERT INTO job_skips (task, who, reason, created) VALUES (:task, :who, :reason, {now})
            ON CONFLICT (task, who) DO UPDATE SET reason = :reason"""
        run(connection, insert, task=lease.task, who=who, reason=reason)
        _withdraw_answer(connection, task, who)
        again = "DELETE FROM job_slots" if task.gold else f"UPDATE job_slots SET {OPEN_SLOT}"
        run(connection, f"{again} WHERE task = :task AND holder = :who", task=lease.task, who=who)
        if task.gold:
            return
        count_late_answers(connection, lease.task)
        to_review = """UPDATE job_tasks SET state = 'skipped' WHERE id = :task AND state = 'open'
            AND (SELECT count(*) FROM job_skips WHERE task = :task) >= :most"""
        run(connection, to_review, task=lease.task, most=SKIPS_TO_REVIEW)

    _transact_as(store, lease.job, who, work, patience=_PATIENCE_SECONDS)


def withdraw(store: SqlStore, lease: Lease, who: str) -> Lease:
    """Take back a person's answer or skip unless it is final, and return the lease of the task."""

    def work(connection: Connection, who: str) -> Lease:
        task = lock_task(connection, lease.task, who)
        values = {"task": lease.task, "who": who}
        run(connection, "DELETE FROM job_skips WHERE task = :task AND who = :who", **values)
        reopened = """UPDATE job_tasks SET state = 'open' WHERE id = :task AND state = 'skipped'
            AND (SELECT count(*) FROM job_skips WHERE task = :task) < :most"""
        run(connection, reopened, task=lease.task, most=SKIPS_TO_REVIEW)
        _withdraw_answer(connection, task, who)
        hold = """UPDATE job_slots SET state = 'held', since = {now}, token = {token},
                until = {now} + (SELECT lease FROM jobs WHERE id = job_slots.job)
            WHERE task = :task AND holder = :who RETURNING token, since, until"""
        row = fetch_one(connection, hold, **values)
        note_states(connection, _TASK.id == lease.task)
        return lease if row is None else replace(lease, token=row.token, since=row.since, until=row.until)

    return _transact_as(store, lease.job, who, work)


def _withdraw_answer(connection: Connection, task: Row[Any], who: str) -> None:
    current = (_ANSWER.task == task.id) & (_ANSWER.who == who) & _ANSWER.reason.in_(("", LATE))
    if uncount(connection, CHANGED, current) and _is_over(task):
        raise NotAllowedError(f"The answer stays, because the job is closed, or {who!r} is no longer a member of it.")


def reject(connection: Connection, answer: int, reason: str = REJECTED) -> None:
    """Stop counting an answer. The earliest late answer to its task takes its place, otherwise its slot reopens."""
    answer_row = fetch_one(connection, "SELECT task FROM job_answers WHERE id = :id", id=answer)
    if answer_row is None:
        raise NotAllowedError(f"Answer {answer!r} does not exist. job.answers lists the answers.")
    task = lock_task(connection, answer_row.task)
    run(connection, "SELECT slot FROM job_slots WHERE task = :task {lock_slots}", task=task.id)
    row = fetch_one(connection, "SELECT slot FROM job_answers WHERE id = :id AND counted = 1", id=answer)
    if row is None:
        raise NotAllowedError(f"Answer {answer} does not count already, so it cannot be rejected.")
    uncount(connection, reason, _ANSWER.id == answer)
    again = "DELETE FROM job_slots" if task.gold else f"UPDATE job_slots SET {OPEN_SLOT}"
    run(connection, f"{again} WHERE task = :task AND slot = :slot", task=task.id, slot=row.slot)
    count_late_answers(connection, task.id)


def store_decision(connection: Connection, task: int, who: str, payload: str) -> int:
    """Store the decision of a reviewer as an answer that does not count, end the task, and return its number."""
    lock_task(connection, task)
    values = {"key": uuid4().hex, "task": task, "slot": None, "who": who, "edit": 0, "accepted": 0, "seconds": 0.0}
    stored = run(connection, _STORE, payload=payload, counted=0, reason=REVIEWED, **values)[0]
    run(connection, "UPDATE job_answers SET accepted = submitted WHERE id = :id", id=stored.id)
    run(connection, f"UPDATE job_tasks SET state = '{REVIEWED}' WHERE id = :task", task=task)
    return int(stored.id)


def withdraw_decision(connection: Connection, task: int) -> None:
    """Let the answers to a task, or its skips, count again instead of the decision of a reviewer or manager."""
    lock_task(connection, task)
    back = f"UPDATE job_answers SET reason = '{CHANGED}' WHERE task = :task AND reason = '{REVIEWED}'"
    run(connection, back, task=task)
    undecided = f"""UPDATE job_tasks SET state = CASE
            WHEN (SELECT count(*) FROM job_skips WHERE task = :task) >= {SKIPS_TO_REVIEW} THEN '{SKIPPED}'
            ELSE '{OPEN}' END
        WHERE id = :task AND state IN ('{REVIEWED}', '{ACCEPTED}', '{SKIPPED}')"""
    run(connection, undecided, task=task)
    note_states(connection, _TASK.id == task)


def ask_again(connection: Connection, task: int) -> int:
    """Stop counting all answers to a task, also late ones, reopen it for everybody, and return their number."""
    skips = "DELETE FROM job_skips WHERE task = :task AND (SELECT count(*) FROM job_skips WHERE task = :task) >= :most"
    run(connection, skips, task=task, most=SKIPS_TO_REVIEW)  # otherwise they would leave it to the manager again
    withdraw_decision(connection, task)
    run(connection, "SELECT slot FROM job_slots WHERE task = :task {lock_slots}", task=task)
    gone = uncount(connection, ASKED_AGAIN, (_ANSWER.task == task) & _ANSWER.reason.in_(("", LATE, REJECTED)))
    run(connection, f"UPDATE job_slots SET {OPEN_SLOT} WHERE task = :task AND state = 'answered'", task=task)
    note_states(connection, _TASK.id == task)
    return gone


def end_with_answers(connection: Connection, tasks: Sequence[int]) -> None:
    """Ask for no more answers to those of the open tasks that have some."""
    some = "EXISTS (SELECT 1 FROM job_answers a WHERE a.task = t.id AND a.counted = 1)"
    end = f"UPDATE job_tasks AS t SET state = '{ANSWERED}' WHERE t.state = '{OPEN}' AND t.id IN :each AND {some}"
    if ended := [row.id for row in run(connection, f"{end} RETURNING id", each=list(tasks))]:
        run(connection, "DELETE FROM job_slots WHERE state <> 'answered' AND task IN :each", each=ended)


def use_late_answers(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Let the late answers to the chosen tasks take their free slots."""
    late = select(_ANSWER.task).join(job_tasks).where(_ANSWER.reason == LATE, chosen).distinct().order_by(_ANSWER.task)
    for row in run(connection, late):
        lock_task(connection, row.task)
        count_late_answers(connection, row.task)


def count_late_answers(connection: Connection, task: int) -> None:
    """Let the late answers to a task take its free slots, the earliest first. Each person has at most one."""
    late = f"""SELECT a.id, a.who FROM job_answers a WHERE a.task = :task AND a.reason = '{LATE}'
        AND NOT EXISTS (SELECT 1 FROM job_slots s WHERE s.task = a.task AND s.holder = a.who) ORDER BY a.id"""
    slots = """SELECT slot FROM job_slots WHERE task = :task AND slot > 0 AND state <> 'answered' AND until < {now}
        ORDER BY slot {lock_slots}"""
    free = run(connection, slots, task=task)
    for slot, row in zip(free, run(connection, late, task=task), strict=False):
        take = "UPDATE job_slots SET state = 'answered', holder = :who WHERE task = :task AND slot = :slot"
        run(connection, take, who=row.who, task=task, slot=slot.slot)
        run(connection, "UPDATE job_answers SET counted = 1, slot = :slot, reason = '' WHERE id = :id",
            slot=slot.slot, id=row.id)  # fmt: skip
    note_states(connection, _TASK.id == task)


def note_states(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Note which of the chosen tasks need more answers, and which have all of them and wait for the decision."""
    connection.execute(_NOTE_STATES.where(chosen))
