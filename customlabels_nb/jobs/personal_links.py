"""Create, look up and revoke personal links to the page of a job. Only hashes of their secrets are stored.

Whoever opens a personal link labels under that person's name. Nobody can enter the name of a person who has a link.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import pandas as pd
from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.jobs.identity import find_role
from customlabels_nb.jobs.leases import MERGED, name_in
from customlabels_nb.store import SqlStore, schema

#: Start of the settings of a project with the addresses at which its jobs were served last.
ADDRESS = "address of the page of job"
_PATIENCE = 2.0  # seconds to wait for the page
_MEMBER = schema.job_members.c


class LinkTable(pd.DataFrame):
    """Table of people and their links. It is shown in full, because the links are shown only once."""

    def __repr__(self) -> str:
        return str(self.to_string())

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return str(self.to_html())


def page_address(store: SqlStore, job: int) -> str | None:
    """Return the address at which the page of a job is served now, or None if the page does not run."""
    address: str = store.setting(f"{ADDRESS} {job}") or ""
    page = urlsplit(address)
    with suppress(OSError), socket.create_connection((page.hostname or "", page.port or 0), timeout=_PATIENCE):
        return address
    return None


def create_link(address: str, connection: Connection, job: int, person: str) -> str:
    """Create the link of a member to the page at this address, in place of an earlier one, and return it."""
    secret = secrets.token_urlsafe(24)
    revoke_link(connection, job, person)
    member = update(schema.job_members).where(_MEMBER.job == job, _MEMBER.who == person)
    connection.execute(member.values(link=hash_secret(secret)))
    return f"{address}/?{urlencode({'token': secret})}"


def revoke_link(connection: Connection, job: int, person: str) -> bool:
    """Make the links of a member and of names merged into it invalid, and return whether there were any."""
    return connection.execute(update(schema.job_members).where(_has_link(job, person)).values(link=None)).rowcount > 0


def find_person(store: SqlStore, job: int, hashed: str) -> str | None:
    """Return the member whose link has this hash, or None. A merged name has the link of the other name."""
    with store.reading() as connection:
        name = connection.scalar(select(_MEMBER.who).where(_MEMBER.job == job, _MEMBER.link == hashed))
        person: str | None = name and name_in(connection, job, name, exact=True)
        return person if person and find_role(connection, job, person) else None


def refuse_linked_name(store: SqlStore, job: int, name: str) -> None:
    """Raise NotAllowedError if the person with this name has a link, so that nobody else can use the name."""
    with store.reading() as connection:
        linked = connection.scalar(select(_MEMBER.id).where(_has_link(job, name_in(connection, job, name))))
    if linked is not None:
        raise NotAllowedError(f"{name!r} has a personal link. If this is your name, open that link to label.")


def _has_link(job: int, person: str) -> ColumnElement[bool]:
    """Return the condition that a member has a link with which this person labels."""
    is_person = or_(_MEMBER.who == person, and_(_MEMBER.role == MERGED, _MEMBER.reason == person))
    return and_(_MEMBER.job == job, _MEMBER.link.is_not(None), is_person)


def hash_secret(secret: str) -> str:
    """Return the hash that is stored of a secret. It is random and long, so it needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
