"""Find out who is labelling: ``cl.whoami(project)``, and let two names be one person."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

from sqlalchemy import Connection, delete, func, select, update

from customlabels_nb._utils.text import one_line
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb._utils.user_code import users_level
from customlabels_nb.core.tables import MACHINE, storable
from customlabels_nb.errors import InputError
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.consolidation import OPEN
from customlabels_nb.jobs.leases import (
    CHANGED,
    LATE,
    MERGED,
    SKIPPED,
    SKIPS_TO_REVIEW,
    name_in,
    name_key,
)
from customlabels_nb.store import SqlStore
from customlabels_nb.store.columns import among
from customlabels_nb.store.schema import job_answers, job_members, job_skips, job_slots, job_tasks, jobs
from customlabels_nb.user_settings import find_user, is_nobody, settings

#: Roles, each with the rights of those before it.
Role: TypeAlias = Literal["labeler", "reviewer", "manager"]
ROLES: tuple[str, ...] = get_args(Role)
_LONGEST = 100
_OVERRIDES = frozenset("\u202d\u202e")  # LEFT-TO-RIGHT OVERRIDE and RIGHT-TO-LEFT OVERRIDE
_TYPED = ("CUSTOMLABELS_NB_USER", "settings.user")
_warned = False


@dataclass(frozen=True)
class Identity:
    """Person who works with a project.

    Attributes
    ----------
    name, source : str
        Name that is recorded with actions and answers, and where it comes from. A name is a convention among
        colleagues: whoever can open the database can use any name. Only a PostgreSQL role for each person is checked.
    roles : dict of str to str
        Role in each labelling job: "labeler", "reviewer" or "manager".
    """

    name: str
    source: str
    roles: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        roles = ", ".join(f"{role} of {job!r}" for job, role in self.roles.items()) or "no role in a labelling job"
        return f"{one_line(self.name)} (from {self.source}): {roles}"


@runtime_checkable
class StoredProject(Protocol):
    """Project, as functions see it that are below projects."""

    @property
    def _store(self) -> SqlStore: ...


@names_arguments
def whoami(project: StoredProject) -> Identity:
    """Return the name under which you work with a project, where it comes from, and your role in each labelling job.

    The name is the environment variable ``CUSTOMLABELS_NB_USER``, else ``JUPYTERHUB_USER``, else the login name.
    ``cl.settings.user`` changes it. If the project's database is PostgreSQL and you have a role
    of your own there, the name is that role.

    Parameters
    ----------
    project : Project
        Project of the labelling jobs.

    Examples
    --------
    >>> cl.whoami(project).roles
    {}
    """
    store = project._store
    name, source = _name_and_source(store)
    roles = {}
    with store.reading() as connection:
        for job in connection.execute(select(jobs.c.id, jobs.c.name).order_by(jobs.c.id)).all():
            who = name_in(connection, job.id, name, exact=source not in _TYPED)
            if role := find_role(connection, job.id, who):
                roles[job.name] = role
    return Identity(name, source, roles)


def current_person(store: SqlStore) -> tuple[str, bool]:
    """Return the person who works with the project, warning of shared logins, and if the name was not typed."""
    global _warned
    name, source = _name_and_source(store)
    if is_nobody(name) and not _warned:
        _warned = True
        warnings.warn(
            f"The login {name!r} does not say who you are, and answers of labelling jobs are stored with it. Set the "
            "environment variable CUSTOMLABELS_NB_USER to your name.",
            stacklevel=users_level(),
        )
    return name, source not in _TYPED


def find_role(connection: Connection, job: int, person: str) -> str:
    """Return the role of a member of a job, "" for others."""
    c = job_members.c
    role = select(c.role).where(c.job == job, c.who == person, c.state != "removed")
    return str(connection.scalar(role) or "")


def _name_and_source(store: SqlStore) -> tuple[str, str]:
    if (role := store.own_role()) is not None:
        return role, "the database role"
    user, source = find_user()
    return settings.user, source if settings.user == user else "settings.user"


def check_person(name: object) -> str:
    """Return a person's name without surrounding white space, or raise InputError if it cannot be one."""
    stripped = name.strip() if isinstance(name, str) else ""
    if _OVERRIDES.intersection(stripped):  # "neb" would be shown as "ben"
        raise InputError(f"{name!r} has a character that reverses the text after it. Type the name without it.")
    if len(stripped) > _LONGEST or not name_key(stripped) or not storable(stripped) or stripped.startswith(MACHINE):
        raise InputError(
            f"{name!r} is not a person's name. Use 1 to {_LONGEST} characters, and do not begin with {MACHINE!r}."
        )
    return stripped


def merge_names(connection: Connection, job: int, who: str, into: str) -> None:
    """Let the answers, skips, leases and rights of one member of a job be those of another one.

    Of two answers to a task, the counted one stays, or else the later one. The slot of a counted one that goes is open
    again. Whoever still labels under the old name does so under the other one from then on.
    """
    answer, member, skip, slot, task = (
        table.c for table in (job_answers, job_members, job_skips, job_slots, job_tasks)
    )
    both, of_job = (who, into), select(task.id).where(task.job == job)
    two = select(job_members).where(member.job == job, member.who.in_(both)).order_by(member.id).with_for_update()
    old, new = sorted(connection.execute(two), key=lambda row: bool(row.who == into))
    connection.execute(of_job.order_by(task.id).with_for_update(key_share=True))
    answers = select(answer.id, answer.task, answer.counted).where(answer.who.in_(both), answer.task.in_(of_job))
    answers = answers.where(answer.reason.in_(("", LATE))).order_by(
        answer.task, answer.counted.desc(), answer.id.desc()
    )
    again = [row for kept, row in pairwise(connection.execute(answers)) if row.task == kept.task]
    gone = among(connection, answer.id, [row.id for row in again if not row.counted])
    leases.uncount(connection, CHANGED, gone)
    theirs = select(slot.task).where(slot.job == job, slot.holder.in_(both))
    twice = theirs.group_by(slot.task).having(func.count() > 1)
    held = theirs.with_only_columns(slot.token).where(slot.state == "held", slot.task.in_(twice))
    tokens = connection.scalars(held).all()
    for name in both:
        leases.reopen(connection, job, name, tokens)
    for row in again:
        if row.counted:
            leases.reject(connection, row.id, CHANGED)
    also = skip.task.in_(select(skip.task).where(skip.who == into))
    connection.execute(delete(job_skips).where(skip.who == who, skip.task.in_(of_job), also))
    for table in (job_answers, job_skips):
        connection.execute(update(table).values(who=into).where(table.c.who == who, table.c.task.in_(of_job)))
    connection.execute(update(job_slots).values(holder=into).where(slot.job == job, slot.holder == who))
    few = select(func.count()).where(skip.task == task.id).scalar_subquery() < SKIPS_TO_REVIEW
    connection.execute(update(job_tasks).values(state=OPEN).where(task.job == job, task.state == SKIPPED, few))
    leases.note_states(connection, (task.job == job) & (task.state == OPEN))
    kept = old if new.state == "removed" else new
    rights = {"state": kept.state, "reason": kept.reason, "seen": max((old.seen, new.seen), key=lambda seen: seen or 0)}
    rights["role"] = max([row.role for row in (old, new) if row.state != "removed"], key=ROLES.index, default=new.role)
    connection.execute(update(job_members).values(rights).where(member.id == new.id))
    gone_names = (member.who == who) | ((member.role == MERGED) & (member.reason == who))
    merged = update(job_members).values(role=MERGED, state="removed", reason=into)
    connection.execute(merged.where(member.job == job, gone_names))
