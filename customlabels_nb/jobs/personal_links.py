"""Create, look up and revoke personal links to the page of a job. Only hashes of their secrets are stored.

Whoever opens a personal link labels under that person's name. Nobody can enter the name of a person who has a link.
"""

from __future__ import annotations

import hashlib
import secrets
from urllib.parse import urlencode

import pandas as pd
from sqlalchemy import Connection

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.jobs.leases import MERGED, fetch_one, name_in, run
from customlabels_nb.store import SqlStore

#: Setting of a project with the address at which its jobs were served last.
ADDRESS = "address of job pages"
_DEFAULT_ADDRESS = "http://127.0.0.1:8866"
_OF_PERSON = f"job = :job AND link IS NOT NULL AND (who = :who OR role = '{MERGED}' AND reason = :who)"


class LinkTable(pd.DataFrame):
    """Table of people and their links. It is shown in full, because the links are shown only once."""

    def __repr__(self) -> str:
        return str(self.to_string())

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return str(self.to_html())


def create_link(store: SqlStore, connection: Connection, job: int, person: str) -> str:
    """Create the link of a member, in place of an earlier one, and return it."""
    secret = secrets.token_urlsafe(24)
    revoke_link(connection, job, person)
    sql = "UPDATE job_members SET link = :link WHERE job = :job AND who = :who"
    run(connection, sql, job=job, who=person, link=hash_secret(secret))
    return f"{store.setting(ADDRESS) or _DEFAULT_ADDRESS}/?{urlencode({'token': secret})}"


def revoke_link(connection: Connection, job: int, person: str) -> bool:
    """Make the links of a member and of names merged into it invalid, and return whether there were any."""
    revoked = f"UPDATE job_members SET link = NULL WHERE {_OF_PERSON} RETURNING id"
    return bool(run(connection, revoked, job=job, who=person))


def find_person(store: SqlStore, job: int, hashed: str) -> str | None:
    """Return the member whose link has this hash, or None. A merged name has the link of the other name."""
    sql = f"""SELECT m.who FROM job_members m JOIN job_members l ON l.job = m.job
        AND m.who = CASE WHEN l.role = '{MERGED}' THEN l.reason ELSE l.who END
        WHERE l.job = :job AND l.link = :link AND m.state <> 'removed'"""
    with store.reading() as connection:
        row = fetch_one(connection, sql, job=job, link=hashed)
    return None if row is None else str(row.who)


def refuse_linked_name(store: SqlStore, job: int, name: str) -> None:
    """Raise NotAllowedError if the person with this name has a link, so that nobody else can use the name."""
    with store.reading() as connection:
        person = name_in(connection, job, name)
        row = fetch_one(connection, f"SELECT id FROM job_members WHERE {_OF_PERSON}", job=job, who=person)
    if row is not None:
        raise NotAllowedError(f"{name!r} has a personal link. If this is your name, open that link to label.")


def hash_secret(secret: str) -> str:
    """Return the hash that is stored of a secret. It is random and long, so it needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
