"""Find out who is labelling: ``cl.whoami(project)``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from customlabels_nb._utils.text import one_line
from customlabels_nb._utils.user_code import users_level
from customlabels_nb.core.tables import MACHINE, storable
from customlabels_nb.errors import InputError
from customlabels_nb.jobs.leases import run
from customlabels_nb.settings import find_user, is_nobody, settings
from customlabels_nb.store import SqlStore

_LONGEST = 100
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


def whoami(project: Any) -> Identity:
    """Return the name under which you work with a project, where it comes from, and your role in each labelling job.

    The name is the environment variable ``CUSTOMLABELS_NB_USER``, else ``JUPYTERHUB_USER``, else the login name.
    ``customlabels_nb.settings.settings.user`` changes it. If the project's database is PostgreSQL and you have a role
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
    store: SqlStore = project._store
    name, source = _name_and_source(store)
    with store.reading() as connection:
        of_jobs = """SELECT j.name, m.role FROM job_members m JOIN jobs j ON j.id = m.job
            WHERE m.who = :who AND m.state <> 'removed' ORDER BY j.id"""
        roles = {row.name: row.role for row in run(connection, of_jobs, who=name)}
    return Identity(name, source, roles)


def current_person(store: SqlStore) -> str:
    """Return the person who works with the project, with a warning if the login is shared by many people."""
    global _warned
    name, _ = _name_and_source(store)
    if is_nobody(name) and not _warned:
        _warned = True
        warnings.warn(
            f"The login {name!r} does not say who you are, and answers of labelling jobs are stored with it. Set the "
            "environment variable CUSTOMLABELS_NB_USER to your name.",
            stacklevel=users_level(),
        )
    return name


def _name_and_source(store: SqlStore) -> tuple[str, str]:
    if (role := store.own_role()) is not None:
        return role, "the database role"
    found, source = find_user()
    return settings.user, source if settings.user == found else "settings.user"


def check_person(name: object) -> str:
    """Return a person's name without surrounding white space, or raise InputError if it cannot be one."""
    found = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(found) <= _LONGEST or not storable(found) or found.startswith(MACHINE):
        raise InputError(f"{name!r} is not a person's name. Use 1 to {_LONGEST} characters, and not {MACHINE!r} first.")
    return found
