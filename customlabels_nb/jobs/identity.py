"""Find out who is labelling: ``cl.whoami(project)``, and let two names be one person."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol, TypeAlias, get_args

from sqlalchemy import Connection

from customlabels_nb._utils.text import one_line
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
    fetch_one,
    name_in,
    name_key,
    run,
)
from customlabels_nb.store import SqlStore
from customlabels_nb.store.columns import among
from customlabels_nb.store.schema import job_answers, job_tasks
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


class StoredProject(Protocol):
    """Project, as functions see it that are below projects."""

    @property
    def _store(self) -> SqlStore: ...


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
        for job in run(connection, "SELECT id, name FROM jobs ORDER BY id"):
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
    sql = "SELECT role FROM job_members WHERE job = :job AND who = :who AND state <> 'removed'"
    member = fetch_one(connection, sql, job=job, who=person)
    return "" if member is None else str(member.role)


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
        raise InputError(f"{name!r} is not a person's name. Use 1 to {_LONGEST} characters, and not {MACHINE!r} first.")
    return stripped


def merge_names(connection: Connection, job: int, who: str, into: str) -> None:
    """Let the answers, skips, leases and rights of one member of a job be those of another one.

    Of two answers to a task, the counted one stays, or else the later one. The slot of a counted one that goes is open
    again. Whoever still labels under the old name does so under the other one from then on.
    """
    names, of_job = {"job": job, "who": who, "into": into}, "task IN (SELECT id FROM job_tasks WHERE job = :job)"
    lock = "FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    sql = f"SELECT * FROM job_members WHERE job = :job AND who IN (:who, :into) ORDER BY id {lock}"
    old, new = sorted(run(connection, sql, **names), key=lambda member: bool(member.who == into))
    run(connection, "SELECT t.id FROM job_tasks t WHERE t.job = :job ORDER BY t.id {lock_task}", job=job)
    sql = f"""SELECT id, task, counted FROM job_answers WHERE who IN (:who, :into) AND {of_job}
        AND reason IN ('', '{LATE}') ORDER BY task, counted DESC, id DESC"""
    again = [row for kept, row in pairwise(run(connection, sql, **names)) if row.task == kept.task]
    gone = among(connection, job_answers.c.id, [row.id for row in again if not row.counted])
    leases.uncount(connection, CHANGED, gone)
    sql = """SELECT token FROM job_slots WHERE job = :job AND holder IN (:who, :into) AND state = 'held' AND task IN
        (SELECT task FROM job_slots WHERE job = :job AND holder IN (:who, :into) GROUP BY task HAVING count(*) > 1)"""
    held = [row.token for row in run(connection, sql, **names)]
    for name in (who, into):
        leases.reopen(connection, job, name, held)
    for row in again:
        if row.counted:
            leases.reject(connection, row.id, CHANGED)
    also = "task IN (SELECT task FROM job_skips WHERE who = :into)"
    run(connection, f"DELETE FROM job_skips WHERE who = :who AND {of_job} AND {also}", **names)
    for table in ("job_answers", "job_skips"):
        run(connection, f"UPDATE {table} SET who = :into WHERE who = :who AND {of_job}", **names)
    run(connection, "UPDATE job_slots SET holder = :into WHERE job = :job AND holder = :who", **names)
    sql = f"""UPDATE job_tasks SET state = '{OPEN}' WHERE job = :job AND state = '{SKIPPED}'
        AND (SELECT count(*) FROM job_skips k WHERE k.task = job_tasks.id) < {SKIPS_TO_REVIEW}"""
    run(connection, sql, **names)
    leases.note_states(connection, (job_tasks.c.job == job) & (job_tasks.c.state == OPEN))
    member = old if new.state == "removed" else new
    role = max([row.role for row in (old, new) if row.state != "removed"], key=ROLES.index, default=new.role)
    rights = """UPDATE job_members SET role = :role, state = :state, reason = :reason,
        seen = (SELECT max(seen) FROM job_members WHERE id IN (:old, :new)) WHERE id = :new"""
    run(connection, rights, role=role, state=member.state, reason=member.reason, old=old.id, new=new.id)
    sql = f"""UPDATE job_members SET role = '{MERGED}', state = 'removed', reason = :into
        WHERE job = :job AND (who = :who OR (role = '{MERGED}' AND reason = :who))"""
    run(connection, sql, **names)
