"""Lease tasks of a labelling job to people, and store their answers.

A task has slots, one for each answer that it needs. Leasing reserves a slot for a person until a time. An expired slot
is free for anybody, so nothing has to clean up after a crash. Each function is one transaction, which locks the task or
the person's row, but never the project. All times are those of the database. What the schema forbids, such as a second
counted answer of one person, is tried again with the new state.
"""

from __future__ import annotations

import random
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, ScalarSelect, Select, Text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.sql import and_, bindparam, case, column, delete, func, insert, or_, select, true, update
from sqlalchemy.sql.dml import ReturningUpdate

from customlabels_nb.errors import DamagedError, NotAllowedError, StoreError
from customlabels_nb.jobs.consolidation import NEEDS_REVIEW, OPEN, RESOLVED
from customlabels_nb.store import SqlStore, schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.expressions import constants, database_now, random_token
from customlabels_nb.store.schema import job_answers, job_members, job_skips, job_slots, job_tasks, jobs

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
_WINDOW = 120
_END = 2**62
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

_ANSWER, _JOB, _MEMBER, _SKIP, _SLOT, _TASK = (
    table.c for table in (job_answers, jobs, job_members, job_skips, job_slots, job_tasks)
)
# Statements that are run often are built once. No parameter has the name of a column, which an update would then set.
_OF_JOB, _OF_TASK, _OF_SLOT = (bindparam(name, type_=BigInteger()) for name in ("of_job", "of_task", "of_slot"))
_BY, _COUNT = bindparam("by", type_=Text()), bindparam("count", type_=BigInteger())
_NOW = database_now()
_ZERO, _ONE, _OPEN, _HELD, _ANSWERED = constants(0, 1, "open", "held", "answered")


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
        True if the answer counts. Answers that do not count are stored as well.
    reason : str
        Reason why it does not count, such as "late": others have answered meanwhile. Empty if it counts.
    """

    answer: int
    counted: bool
    reason: str = ""


def read_job(connection: Connection, job: int) -> Row[Any]:
    return connection.execute(select(jobs).where(_JOB.id == job)).one()


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
    named = partial(name_in, job=job, name=who, exact=True, lock=True)
    return transact(store, lambda connection: work(connection, named(connection)), patience=patience)


# -- leasing ----------------------------------------------------------------------------------------
# of the job and the person
_NAMES = select(_MEMBER.who, _MEMBER.role, _MEMBER.reason).where(_MEMBER.job == _OF_JOB)
_NAME = _NAMES.where(_MEMBER.who == _BY)
_KEPT_NAME = _NAME.with_for_update(read=True, key_share=True)
_GOLD = (_TASK.job == _OF_JOB) & _TASK.gold.is_not(None)
_JOB_ROW = select(_JOB.name, _JOB.state, _JOB.members, _JOB.lease, select(1).where(_GOLD).exists().label("gold"))
_JOB_ROW = _JOB_ROW.where(_JOB.id == _OF_JOB)
_NOTE_SEEN = update(job_members).values(seen=_NOW).where(_MEMBER.job == _OF_JOB, _MEMBER.who == _BY)
_NOTE_SEEN = _NOTE_SEEN.returning(_MEMBER.id, _MEMBER.state, _MEMBER.reason, _MEMBER.cursor)
_MOVE_CURSOR = update(job_members).values(cursor=_OF_TASK).where(_MEMBER.id == bindparam("member"))

# of the tasks that a person may be asked. EXISTS would be turned into joins with whole tables by PostgreSQL
_IMAGE = select(1).where(schema.images.c.split.in_(constants("train", "test")), schema.images.c.image == _TASK.image)
_SKIPPED = select(1).where(_SKIP.task == _TASK.id, _SKIP.who == _BY)
_DONE = select(1).where(_ANSWER.task == _TASK.id, _ANSWER.who == _BY, _ANSWER.reason.in_(constants(LATE, REJECTED)))
_MAY_ASK = (_TASK.state == _OPEN) & (_IMAGE.limit(_ONE).scalar_subquery() == _ONE)
_MAY_ASK &= _SKIPPED.scalar_subquery().is_(None) & _DONE.limit(_ONE).scalar_subquery().is_(None)

# of the slots that are leased
_LEASED = {"state": _HELD, "holder": _BY, "since": _NOW, "until": _NOW + bindparam("time"), "token": random_token()}
_IMAGE_OF_TASK = select(_TASK.image).where(_TASK.id == column("task")).scalar_subquery().label("image")
_LEASE_ROW = (_SLOT.task, _SLOT.token, _SLOT.since, _SLOT.until, _IMAGE_OF_TASK)
_FREE = job_slots.alias("f").c
_FREE_SLOTS = (
    select(_FREE.task, _FREE.slot, _FREE.holder)
    .where(_FREE.job == _OF_JOB, _FREE.state != _ANSWERED, _FREE.slot > _ZERO, _FREE.until < _NOW)
    .where(_FREE.task > bindparam("after"))
    .order_by(_FREE.task, _FREE.slot)
)


def _leasing(near: Select[Any]) -> ReturningUpdate[Any]:
    """Return the statement that leases free slots of different tasks, the person's expired ones before others."""
    n, s, o = near.cte("near").prefix_with("MATERIALIZED"), job_slots.alias("s"), job_slots.alias("o").c
    slot = func.coalesce(func.max(case((n.c.holder == _BY, n.c.slot))), func.min(n.c.slot)).label("slot")
    chosen = select(n.c.task, slot).group_by(n.c.task).cte("chosen")
    another = select(1).where(o.task == chosen.c.task, o.holder == _BY, o.slot != chosen.c.slot).scalar_subquery()
    free = select(s.c.task.label("of_task"), s.c.slot.label("of_slot"))
    free = free.join_from(chosen, job_tasks, _TASK.id == chosen.c.task)
    free = free.join(s, (s.c.task == chosen.c.task) & (s.c.slot == chosen.c.slot))
    free = free.where(s.c.state != _ANSWERED, s.c.until < _NOW, _MAY_ASK, another.is_(None)).order_by(s.c.task)
    free = free.limit(_COUNT).with_for_update(of=s, skip_locked=True)
    c = free.cte("free").prefix_with("MATERIALIZED").c
    leased = update(job_slots).values(_LEASED).where(_SLOT.task == c.of_task, _SLOT.slot == c.of_slot)
    return leased.returning(*_LEASE_ROW)


# The first window is not a parameter: PostgreSQL keeps the plan of a statement only if it expects that plans for some
# parameters are not better. Planning takes longer than leasing.
_LEASE = _leasing(_FREE_SLOTS.limit(*constants(_WINDOW)))
_UP_TO = _FREE_SLOTS.where(_FREE.task <= bindparam("last"))
_LEASE_UP_TO = _leasing(_UP_TO)
_IN_WINDOW = _UP_TO.limit(bindparam("window")).subquery().c
_END_OF_WINDOW = select(func.max(_IN_WINDOW.task).label("task"), func.count(_IN_WINDOW.task).label("number"))

# of images with known answers
_HAD = and_(_SLOT.task == _TASK.id, _SLOT.holder == _BY, _SLOT.slot < _ZERO)
_HAD &= or_(_SLOT.state == _ANSWERED, _SLOT.until >= _NOW)
_COUNT_GOLD = select(func.count().label("total"), func.count(_SLOT.slot).label("had")).where(_GOLD)
_COUNT_GOLD = _COUNT_GOLD.outerjoin_from(job_tasks, job_slots, _HAD)
_UNSEEN = ~select(1).where(_SLOT.task == _TASK.id, _SLOT.holder == _BY).exists()
_GOLD_TASKS = select(_TASK.id, _OF_SLOT, _TASK.job, *_LEASED.values()).where(_GOLD, _MAY_ASK, _UNSEEN)
_GOLD_TASKS = _GOLD_TASKS.order_by(func.random()).limit(_COUNT)
_LEASE_GOLD = insert(job_slots).from_select(["task", "slot", "job", *_LEASED], _GOLD_TASKS).returning(*_LEASE_ROW)


def lease(store: SqlStore, job: int, who: str, count: int, *, first: Sequence[int] = ()) -> list[Lease]:
    """Lease up to ``count`` tasks that a person has not held, answered or skipped, for ``count`` times the job's lease.

    ``first`` are tasks to lease before others. Images with known answers are mixed in. The list is shorter, or empty,
    if no more tasks need an answer of theirs. NotAllowedError is raised if the job does not run, or the person may not
    label.
    """

    def work(connection: Connection, who: str) -> list[Lease]:
        job_row, member, cursor = check_in(connection, job, who)
        time_left = job_row.lease * count
        values: dict[str, Any] = {"of_job": job, "by": who, "time": time_left}
        gold = _lease_gold(connection, count, job, who, of_slot=-member, time=time_left) if job_row.gold else ()
        again: list[Row[Any]] = []
        for task in first:
            again += _lease_from(connection, task - 1, task, min(1, count - len(gold) - len(again)), **values)
        rows = _lease_from(connection, cursor, _END, count - len(gold) - len(again), **values)
        if rows:
            connection.execute(_MOVE_CURSOR, {"of_task": rows[-1].task, "member": member})
        rows = again + rows
        rows += _lease_from(connection, 0, cursor, count - len(gold) - len(rows), **values)
        for row in gold:
            rows.insert(random.randint(0, len(rows)), row)
        if not rows:
            held = (_SLOT.job == job, _SLOT.state == _HELD, _SLOT.slot > 0, _SLOT.until < _NOW)
            use_late_answers(connection, _TASK.id.in_(select(_SLOT.task).where(*held)))
        return [Lease(job, row.task, row.image, row.token, row.since, row.until) for row in rows]

    return _transact_as(store, job, who, work)


def check_in(connection: Connection, job: int, who: str) -> tuple[Row[Any], int, int]:
    """Note that a person is here, and return the job, their member id, and their last task, or refuse them."""
    person = {"of_job": job, "by": who}
    job_row = connection.execute(_JOB_ROW, {"of_job": job}).one()
    member = connection.execute(_NOTE_SEEN, person).first()
    if member is None and job_row.members == "open":
        add_member(connection, job, who, exact=True)
        member = connection.execute(_NOTE_SEEN, person).first()
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
    connection.execute(select(_JOB.id).where(_JOB.id == job).with_for_update(key_share=True))  # other spellings wait
    who = name_in(connection, job, name, exact=exact)
    everybody = select(_MEMBER.who, _MEMBER.state).where(_MEMBER.job == job).order_by(_MEMBER.id)
    rows = connection.execute(everybody).all()
    members = [row.who for row in rows if row.state != "removed"]
    twin = next((member for member in members if look_key(member) == look_key(who)), None)
    if not exact and twin is not None and who not in members:
        raise NotAllowedError(
            f"{who!r} looks like the name {twin!r} of another person, but has a {other_letter(who, twin)}. "
            "Type it with the usual keyboard layout, or use a different name."
        )
    if who not in [row.who for row in rows]:
        new = {"job": job, "who": who, "role": role, "state": "active", "reason": "", "cursor": 0, "joined": _NOW}
        connection.execute(insert(job_members).values(new))
    return who


def name_in(connection: Connection, job: int, name: str, *, exact: bool = False, lock: bool = False) -> str:
    """Return how a job spells a name: as it is if the job has it, otherwise like the first one that looks the same.

    With ``exact``, other spellings are other people. A name that was merged into another one is that one.
    """
    row = connection.execute(_KEPT_NAME if lock else _NAME, {"of_job": job, "by": name}).first()
    if row is None and not exact:
        key, members = name_key(name), connection.execute(_NAMES.order_by(_MEMBER.id), {"of_job": job})
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


def stop(connection: Connection, job: int, who: str, state: str, reason: str = "", *only: ColumnElement[bool]) -> bool:
    """Give a member no more tasks, release those they hold, and return whether there is such a member."""
    stopped = update(job_members).values(state=state, reason=reason).returning(_MEMBER.id)
    stopped = stopped.where(_MEMBER.job == job, _MEMBER.who == who, _MEMBER.state != "removed", *only)
    is_stopped = connection.execute(stopped).first() is not None
    if is_stopped:
        reopen(connection, job, who)
    return is_stopped


def _managers(connection: Connection, job: int) -> str:
    """Return the names of the job's managers as a part of a sentence."""
    managers = select(_MEMBER.who).where(_MEMBER.job == job, _MEMBER.role == "manager", _MEMBER.state == "active")
    names = [repr(who) for who in connection.scalars(managers.order_by(_MEMBER.id))]
    return f"the manager {names[0]}" if len(names) == 1 else f"one of the managers {', '.join(names)}"


def _lease_from(connection: Connection, after: int, last: int, count: int, **values: Any) -> list[Row[Any]]:
    """Lease tasks with ids above ``after`` up to ``last``, in their order."""
    rows: list[Row[Any]] = []
    if count > 0 and last == _END:
        rows += connection.execute(_LEASE, {**values, "after": after, "count": count})
    window = _WINDOW
    while len(rows) < count and after < last:  # look at more and more tasks, from the first one on
        part = {"of_job": values["of_job"], "after": after, "last": last, "window": window}
        end = connection.execute(_END_OF_WINDOW, part).one()
        if not end.number:
            break
        part = {"after": after, "last": end.task, "count": count - len(rows)}
        rows += connection.execute(_LEASE_UP_TO, {**values, **part})
        if end.number < window:
            break
        after, window = end.task, 4 * window
    return sorted(rows, key=lambda row: row.task)


def _lease_gold(connection: Connection, count: int, job: int, who: str, **values: Any) -> Sequence[Row[Any]]:
    """Lease images with known answers: the first five tasks of a person, then one in ten at random."""
    person = {"of_job": job, "by": who}
    gold = connection.execute(_COUNT_GOLD, person).one()
    if gold.total <= gold.had:
        return ()
    first = max(0, min(count, _FIRST_GOLD - gold.had))
    due = first + sum(random.random() < _GOLD_SHARE for _ in range(count - first))
    if not due:
        return ()
    expired = _held(connection, job, who, None) & (_SLOT.slot < 0) & (_SLOT.until < _NOW)
    connection.execute(delete(job_slots).where(expired))
    return connection.execute(_LEASE_GOLD, {**person, **values, "count": due}).all()


def renew(store: SqlStore, job: int, who: str, tokens: Sequence[str]) -> dict[str, int]:
    """Renew leases from now on, and return the new end of each that is still held."""
    if not tokens:
        return {}
    end = _NOW + len(tokens) * select(_JOB.lease).where(_JOB.id == job).scalar_subquery()
    renewed = update(job_slots).values(until=end).returning(_SLOT.token, _SLOT.until)

    def work(connection: Connection, who: str) -> dict[str, int]:
        rows = connection.execute(renewed.where(_held(connection, job, who, tokens)))
        return {row.token: row.until for row in rows}

    return _transact_as(store, job, who, work)


def release(store: SqlStore, job: int, who: str, tokens: Sequence[str] | None = None) -> int:
    """Give back leases, or all of a person's leases, and return their number."""
    return _transact_as(store, job, who, lambda connection, who: reopen(connection, job, who, tokens))


def reopen(connection: Connection, job: int, who: str, tokens: Sequence[str] | None = None) -> int:
    """Reopen the slots that a person holds, or those with these tokens, and return their number."""
    if tokens is not None and not tokens:
        return 0
    held = _held(connection, job, who, tokens)
    gold = connection.scalars(delete(job_slots).where(_SLOT.slot < 0, held).returning(_SLOT.task)).all()
    rest = connection.scalars(_REOPEN.where(held).returning(_SLOT.task)).all()
    if rest:
        use_late_answers(connection, among(connection, _TASK.id, rest))
    return len(gold) + len(rest)


def _held(connection: Connection, job: int, who: str, tokens: Sequence[str] | None) -> ColumnElement[bool]:
    """Return a condition of the slots that a person holds, or those with these tokens."""
    chosen = true() if tokens is None else among(connection, _SLOT.token, tokens)
    return and_(_SLOT.job == job, _SLOT.holder == who, _SLOT.state == _HELD, chosen)


# -- answers ----------------------------------------------------------------------------------------
# of the task, its answers and its slots
_LOCK_TASK = (
    select(_TASK.id, _TASK.job, _TASK.gold.is_not(None).label("gold"), _JOB.state)
    .add_columns(_MEMBER.id.label("member"), _MEMBER.state.label("member_state"))
    .join_from(job_tasks, jobs)
    .outerjoin(job_members, (_MEMBER.job == _TASK.job) & (_MEMBER.who == _BY))
    .where(_TASK.id == _OF_TASK)
    .with_for_update(of=job_tasks, key_share=True)
)
_CURRENT = and_(_ANSWER.task == _OF_TASK, _ANSWER.who == _BY, _ANSWER.reason.in_(constants("", LATE)))
_EARLIER = select(_ANSWER.id, _ANSWER.key, _ANSWER.slot, _ANSWER.edit, _ANSWER.counted, _ANSWER.reason, _ANSWER.seconds)
_EARLIER = _EARLIER.where((_ANSWER.key == bindparam("its_key")) | _CURRENT)
_SLOTS = select(_SLOT.slot, _SLOT.holder, (_SLOT.until < _NOW).label("free"), _SLOT.state)
_SLOTS = _SLOTS.where(_SLOT.task == _OF_TASK).order_by(_SLOT.slot).with_for_update()
_TAKE = update(job_slots).values(state=_ANSWERED, holder=_BY, token=bindparam("its_token"))
_TAKE = _TAKE.where(_SLOT.task == _OF_TASK, _SLOT.slot == _OF_SLOT)
_REOPEN = update(job_slots).values(schema.REOPENED)
_STORE = insert(job_answers).values(submitted=_NOW).returning(_ANSWER.id)

# of the state of tasks
_LACKING = select(1).where(_SLOT.task == _TASK.id, _SLOT.slot > _ZERO, _SLOT.state != _ANSWERED).exists()
_SLOT_COUNT = select(func.count()).where(_SLOT.task == _TASK.id, _SLOT.slot > _ZERO).scalar_subquery()
_SINGLE = (_SLOT_COUNT == _ONE) & (select(_JOB.annotators).where(_JOB.id == _TASK.job).scalar_subquery() == _ONE)
_NEXT_STATE = case((_LACKING, _OPEN), (_SINGLE, constants(RESOLVED)[0]), else_=_ANSWERED)
_UNDECIDED = _TASK.state.in_(constants(OPEN, ANSWERED, RESOLVED, NEEDS_REVIEW))
_NOTE_STATES = update(job_tasks).values(state=_NEXT_STATE).where(_TASK.gold.is_(None), _UNDECIDED)
_NOTE_STATES = _NOTE_STATES.where(~((_TASK.state == _OPEN) & _LACKING))
_NOTE_STATE = _NOTE_STATES.where(_TASK.id == _OF_TASK)


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
    does not count after the job was closed or the person removed. ``seconds`` is the time that the person took. What is
    stored also has that of the answers which this one replaces, because each box that is drawn stores a new answer.
    Without a connection, it is tried again for ``patience`` seconds.
    """

    def work(connection: Connection, who: str) -> Acknowledgement:
        task = lock_task(connection, lease.task, who)
        answers = connection.execute(_EARLIER, {"its_key": key, "of_task": lease.task, "by": who}).all()
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
        taken = seconds + _replace(connection, [answer for answer in answers if reason in ("", answer.reason)])
        values = {"key": key, "task": lease.task, "slot": slot, "who": who, "edit": edit, "accepted": lease.since}
        values |= {"seconds": taken, "payload": payload, "counted": int(not reason), "reason": reason}
        number = connection.execute(_STORE, values).scalar_one()
        if not reason:
            connection.execute(_NOTE_STATE, {"of_task": lease.task})
        return Acknowledgement(number, not reason, reason)

    return _transact_as(store, lease.job, who, work, patience=patience)


def _replace(connection: Connection, answers: Sequence[Any]) -> float:
    """Let answers not count any more, and return the time that they took. Each has that of those it replaced."""
    if answers:
        uncount(connection, CHANGED, among(connection, _ANSWER.id, [answer.id for answer in answers]))
    return max((answer.seconds for answer in answers), default=0.0)


def lock_task(connection: Connection, task: int, who: str = "") -> Row[Any]:
    """Lock a task for other answers and skips, but not for leases of others, and return it with the job's member."""
    return connection.execute(_LOCK_TASK, {"of_task": task, "by": who}).one()


def _free_slot(connection: Connection, task: Row[Any], lease: Lease, who: str) -> int | None:
    """Take the leased slot for an answer, or a free one if that was lost, and return its number, None without one."""
    rows = [row for row in connection.execute(_SLOTS, {"of_task": task.id}) if row.state != "answered"]
    chosen = next((row.slot for row in rows if row.holder == who), None)  # also if leased by another kernel of theirs
    if chosen is None and not task.gold:
        chosen = min((row.slot for row in rows if row.free), default=None)
    if chosen is None and task.gold:
        taken = {"task": task.id, "slot": -task.member, "job": task.job, "state": "answered", "holder": who}
        connection.execute(insert(job_slots).values(**taken, until=0, token=lease.token))
        return -int(task.member)
    if chosen is not None:
        taken = {"of_task": task.id, "of_slot": chosen, "by": who, "its_token": lease.token}
        connection.execute(_TAKE, taken)
    return chosen


def _is_over(task: Row[Any]) -> bool:
    """Check whether the answers of the person of :func:`lock_task` are final: in a closed job, and after a removal."""
    return task.state == "closed" or task.member_state in (None, "removed")


def uncount(connection: Connection, reason: str, chosen: ColumnElement[bool]) -> int:
    """Stop counting the chosen answers for a reason, and return their number."""
    gone = update(job_answers).values(counted=0, slot=None, reason=reason).where(chosen).returning(_ANSWER.id)
    return len(connection.execute(gone).all())


def skip(store: SqlStore, lease: Lease, who: str, reason: str) -> None:
    """Skip a task, which the person is never asked again. A second skip by anybody leaves the task to the manager.

    NotAllowedError is raised if the person has answered the task and the answer is final.
    """

    def work(connection: Connection, who: str) -> None:
        task = lock_task(connection, lease.task, who)
        mine = (_SKIP.task == lease.task, _SKIP.who == who)
        again = update(job_skips).values(reason=reason).where(*mine).returning(_SKIP.task)
        if connection.execute(again).first() is None:
            new = {"task": lease.task, "who": who, "reason": reason, "created": _NOW}
            connection.execute(insert(job_skips).values(new))
        _withdraw_answer(connection, task, who)
        reopened = delete(job_slots) if task.gold else _REOPEN
        connection.execute(reopened.where(_SLOT.task == lease.task, _SLOT.holder == who))
        if task.gold:
            return
        count_late_answers(connection, lease.task)
        to_review = update(job_tasks).values(state=SKIPPED).where(_TASK.id == lease.task, _TASK.state == OPEN)
        connection.execute(to_review.where(_skips(lease.task) >= SKIPS_TO_REVIEW))

    _transact_as(store, lease.job, who, work, patience=_PATIENCE_SECONDS)


def withdraw(store: SqlStore, lease: Lease, who: str) -> Lease:
    """Take back a person's answer or skip unless it is final, and return the lease of the task."""

    def work(connection: Connection, who: str) -> Lease:
        task = lock_task(connection, lease.task, who)
        connection.execute(delete(job_skips).where(_SKIP.task == lease.task, _SKIP.who == who))
        reopened = update(job_tasks).values(state=OPEN).where(_TASK.id == lease.task, _TASK.state == SKIPPED)
        connection.execute(reopened.where(_skips(lease.task) < SKIPS_TO_REVIEW))
        _withdraw_answer(connection, task, who)
        end = _NOW + select(_JOB.lease).where(_JOB.id == _SLOT.job).scalar_subquery()
        hold = update(job_slots).values(state="held", since=_NOW, token=random_token(), until=end)
        hold = hold.where(_SLOT.task == lease.task, _SLOT.holder == who)
        row = connection.execute(hold.returning(_SLOT.token, _SLOT.since, _SLOT.until)).first()
        note_states(connection, _TASK.id == lease.task)
        return lease if row is None else replace(lease, token=row.token, since=row.since, until=row.until)

    return _transact_as(store, lease.job, who, work)


def _withdraw_answer(connection: Connection, task: Row[Any], who: str) -> None:
    current = (_ANSWER.task == task.id) & (_ANSWER.who == who) & _ANSWER.reason.in_(("", LATE))
    if uncount(connection, CHANGED, current) and _is_over(task):
        raise NotAllowedError(f"The answer stays, because the job is closed, or {who!r} is no longer a member of it.")


def reject(connection: Connection, answer: int, reason: str = REJECTED) -> None:
    """Stop counting an answer. The earliest late answer to its task takes its place, otherwise its slot reopens."""
    number = connection.scalar(select(_ANSWER.task).where(_ANSWER.id == answer))
    if number is None:
        raise NotAllowedError(f"Answer {answer!r} does not exist. job.answers lists the answers.")
    task = lock_task(connection, number)
    connection.execute(_SLOTS, {"of_task": number})
    slot = connection.scalar(select(_ANSWER.slot).where(_ANSWER.id == answer, _ANSWER.counted == 1))
    if slot is None:
        raise NotAllowedError(f"Answer {answer} cannot be rejected, because it already does not count.")
    uncount(connection, reason, _ANSWER.id == answer)
    again = delete(job_slots) if task.gold else _REOPEN
    connection.execute(again.where(_SLOT.task == task.id, _SLOT.slot == slot))
    count_late_answers(connection, task.id)


def store_decision(connection: Connection, task: int, who: str, payload: str) -> int:
    """Store the decision of a reviewer as an answer that does not count, end the task, and return its number."""
    lock_task(connection, task)
    values = {"key": uuid4().hex, "task": task, "who": who, "edit": 0, "seconds": 0.0, "payload": payload}
    stored = _STORE.values(**values, accepted=_NOW, counted=0, reason=REVIEWED)
    number = connection.execute(stored).scalar_one()
    connection.execute(update(job_tasks).values(state=REVIEWED).where(_TASK.id == task))
    return int(number)


def withdraw_decision(connection: Connection, task: int) -> None:
    """Let the answers to a task, or its skips, count again instead of the decision of a reviewer or manager."""
    lock_task(connection, task)
    decision = (_ANSWER.task == task, _ANSWER.reason == REVIEWED)
    connection.execute(update(job_answers).values(reason=CHANGED).where(*decision))
    state = case((_skips(task) >= SKIPS_TO_REVIEW, SKIPPED), else_=OPEN)
    undecided = _TASK.state.in_((REVIEWED, ACCEPTED, SKIPPED))
    connection.execute(update(job_tasks).values(state=state).where(_TASK.id == task, undecided))
    note_states(connection, _TASK.id == task)


def ask_again(connection: Connection, task: int) -> int:
    """Stop counting all answers to a task, also late ones, reopen it for everybody, and return their number."""
    left_to_manager = _skips(task) >= SKIPS_TO_REVIEW  # as they would again
    connection.execute(delete(job_skips).where(_SKIP.task == task, left_to_manager))
    withdraw_decision(connection, task)
    connection.execute(_SLOTS, {"of_task": task})
    gone = uncount(connection, ASKED_AGAIN, (_ANSWER.task == task) & _ANSWER.reason.in_(("", LATE, REJECTED)))
    connection.execute(_REOPEN.where(_SLOT.task == task, _SLOT.state == _ANSWERED))
    note_states(connection, _TASK.id == task)
    return gone


def _skips(task: int) -> ScalarSelect[int]:
    skips = job_skips.alias()
    return select(func.count()).select_from(skips).where(skips.c.task == task).scalar_subquery()


def end_with_answers(connection: Connection, tasks: Sequence[int]) -> None:
    """Ask for no more answers to those of the open tasks that have some."""
    some = select(1).where(_ANSWER.task == _TASK.id, _ANSWER.counted == _ONE).exists()
    end = update(job_tasks).values(state=ANSWERED).where(_TASK.state == OPEN, among(connection, _TASK.id, tasks), some)
    if ended := connection.scalars(end.returning(_TASK.id)).all():
        rest = (_SLOT.state != _ANSWERED) & among(connection, _SLOT.task, ended)
        connection.execute(delete(job_slots).where(rest))


def use_late_answers(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Let the late answers to the chosen tasks take their free slots."""
    late = select(_ANSWER.task).join(job_tasks).where(_ANSWER.reason == LATE, chosen).distinct().order_by(_ANSWER.task)
    for task in connection.scalars(late).all():
        lock_task(connection, task)
        count_late_answers(connection, task)


def count_late_answers(connection: Connection, task: int) -> None:
    """Let the late answers to a task take its free slots, the earliest first. Each person has at most one."""
    has_slot = select(1).where(_SLOT.task == _ANSWER.task, _SLOT.holder == _ANSWER.who).exists()
    late = select(_ANSWER.id, _ANSWER.who).where(_ANSWER.task == task, _ANSWER.reason == LATE, ~has_slot)
    free = _SLOTS.where(_SLOT.slot > 0, _SLOT.state != _ANSWERED, _SLOT.until < _NOW)
    slots = connection.scalars(free, {"of_task": task}).all()
    for slot, row in zip(slots, connection.execute(late.order_by(_ANSWER.id)).all(), strict=False):
        taken = (_SLOT.task == task, _SLOT.slot == slot)
        connection.execute(update(job_slots).values(state="answered", holder=row.who).where(*taken))
        counts = {"counted": 1, "slot": slot, "reason": ""}
        connection.execute(update(job_answers).values(counts).where(_ANSWER.id == row.id))
    note_states(connection, _TASK.id == task)


def note_states(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Note which of the chosen tasks need more answers, and which have all of them and wait for the decision."""
    connection.execute(_NOTE_STATES.where(chosen))
