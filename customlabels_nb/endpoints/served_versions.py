"""Combine what the project's store and the ledger know of model versions."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic

from customlabels_nb.endpoints.ledger import Ledger, unused_digits
from customlabels_nb.endpoints.project_folders import ProjectFolder, Served
from customlabels_nb.errors import ProjectNameError
from customlabels_nb.project.location import check_name
from customlabels_nb.project.model import Model
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.training.status import settle_orphans
from customlabels_nb.user_settings import settings

TRAINING, COPYING = "TRAINING_IN_PROGRESS", "COPYING_IN_PROGRESS"
#: Statuses that change by themselves.
TRANSITIONAL = (TRAINING, "STARTING", "STOPPING", "DELETING", COPYING)

_WORKING = (*TRANSITIONAL, "RUNNING")
_MESSAGES = {
    TRAINING: "The model is being trained.",
    COPYING: "The model is being copied.",
    "TRAINING_COMPLETED": "The model is ready to run.",
    "COPYING_COMPLETED": "The model is ready to run.",
    "STARTING": "The model is starting.",
    "RUNNING": "The model is running.",
    "STOPPING": "The model is stopping.",
    "STOPPED": "The model has stopped running.",
}


@dataclass(frozen=True)
class ServedVersion(Generic[Served]):
    """Model version of a project. ``digits`` end its ARN.

    ``facts`` is what only the endpoint knows of it: its ``name`` in the ARN, ``output``, ``files`` and units.
    ``status`` and ``tags`` are there until the endpoint has finished to train or copy it. A copy has ``first_tags``
    until then, those that its record in the store begins with. The record exists once training or copying has begun.
    """

    served: Served
    local: str
    digits: int
    facts: dict[str, Any]
    record: VersionRecord | None

    @property
    def status(self) -> str:
        return str(self.facts.get("status") or (self.record.status if self.record else "TRAINING_FAILED"))

    @property
    def message(self) -> str:
        return _MESSAGES.get(self.status) or (self.record.status_message if self.record else "") or self.status

    @property
    def created(self) -> datetime:
        created = self.facts.get("created")
        if created is not None:
            return datetime.fromtimestamp(created, UTC)
        return self.record.created if self.record else datetime.fromtimestamp(self.digits / 1000, UTC)

    @property
    def seconds(self) -> float | None:
        """Duration of the training, or None if it is unknown."""
        return self.record.metrics.get("seconds") if self.record else None

    @property
    def ended(self) -> float:
        """Time at which training or copying has ended, in seconds since 1970."""
        return float(self.facts.get("ended") or self.created.timestamp() + (self.seconds or 0.0))

    @property
    def tags(self) -> dict[str, str]:
        tags: dict[str, str] = self.facts.get("tags", self.record.tags if self.record else {})
        return tags

    @property
    def model(self) -> Model:
        return Model(self.served.project._location, self.local)


def versions_of(served: Served) -> list[ServedVersion[Served]]:
    """Return the versions of a project, newest first, with true statuses of those whose process has ended."""
    store, ledger = served.project._store, served.ledger
    rows = _rows(ledger)  # first, because a version whose training ends gets a record before it loses its status here
    records = {record.name: record for record in store.versions()}
    if any(record.status in _WORKING for record in records.values()) and settle_orphans(store):
        records = {record.name: record for record in store.versions()}
    if outdated := [name for name, (_, facts) in rows.items() if _is_outdated(facts, records.get(name))]:
        keys = [(name, rows.pop(name)[0]) for name in outdated]
        with ledger.writing() as connection:
            connection.executemany("DELETE FROM versions WHERE name = ? AND digits = ?", keys)
    if new := [record for record in records.values() if record.name not in rows]:
        rows |= _number(ledger, new)
    versions = [ServedVersion(served, name, digits, facts, records.get(name)) for name, (digits, facts) in rows.items()]
    return sorted(versions, key=lambda version: -version.digits)


def _number(ledger: Ledger, records: Sequence[VersionRecord]) -> dict[str, tuple[int, dict[str, Any]]]:
    """Add versions that Python has made to the ledger, unless another thread has, and return what it knows of them."""
    with ledger.writing() as connection:
        numbered = _rows(ledger)
        for record in records:
            if record.name not in numbered:
                digits = unused_digits(record.created.timestamp(), [digits for digits, _ in numbered.values()])
                numbered[record.name] = digits, {"record": record.created.isoformat()}
                row = record.name, digits, json.dumps(numbered[record.name][1])
                connection.execute("INSERT INTO versions VALUES (?, ?, ?)", row)
    return {record.name: numbered[record.name] for record in records}


def _is_outdated(facts: dict[str, Any], record: VersionRecord | None) -> bool:
    """Check whether a version was deleted in Python, where another one may have been trained under its name."""
    if "status" in facts:
        return False
    return record is None or facts.get("record", record.created.isoformat()) != record.created.isoformat()


def check_quota(
    folder: ProjectFolder[Any], name: str, *statuses: str, code: str = "ServiceQuotaExceededException"
) -> None:
    """Raise ServiceError if one more version with one of the statuses is more than a quota of an account allows."""
    if getattr(folder.options.quotas, name) is not None:  # or else they need not be counted
        by_project = folder.read_each(folder.projects(), versions_of)
        count = sum(version.status in statuses for versions in by_project for version in versions)
        folder.options.quotas.check(name, count + 1, code)


def _rows(ledger: Ledger) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return what the ledger knows of versions, by their names in Python."""
    return {name: (digits, json.loads(facts)) for name, digits, facts in ledger.rows("SELECT * FROM versions")}


def add_version(served: Served, name: str, facts: dict[str, Any]) -> ServedVersion[Served]:
    """Add a version that only the ledger knows, under a name that its folder can have."""
    with served.ledger.writing() as connection:
        now = time.time()
        taken = [digits for (digits,) in served.ledger.rows("SELECT digits FROM versions")]
        digits = unused_digits(now, [*taken, served.ledger.fact("last_version", 0)])
        locals_ = {local.casefold() for (local,) in served.ledger.rows("SELECT name FROM versions")}
        local = f"version-{digits}"
        with suppress(ProjectNameError):
            check_name(name)
            if name.casefold() not in locals_ and not (served.project.root / "versions" / name).exists():
                local = name
        facts = {**facts, "name": name, "created": now}
        connection.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?)", (local, digits, json.dumps(facts)))
        served.ledger.set_facts(last_version=digits)
        return ServedVersion(served, local, digits, facts, None)


def change_facts(ledger: Ledger, local: str, **changes: Any) -> dict[str, Any]:
    """Change what the ledger knows of a version, where None removes a fact, and return all of it."""
    with ledger.writing() as connection:
        rows = ledger.rows("SELECT facts FROM versions WHERE name = ?", local)
        facts = {**(json.loads(rows[0][0]) if rows else {}), **changes}
        facts = {key: value for key, value in facts.items() if value is not None}
        connection.execute("UPDATE versions SET facts = ? WHERE name = ?", (json.dumps(facts), local))
        return facts


def end_job(store: SqlStore, ledger: Ledger, local: str, status: str, message: str, **facts: Any) -> None:
    """Store the final status of a version, and its tags unless a notebook has changed them meanwhile."""
    with ledger.writing():
        now, stored_facts = datetime.now(UTC), change_facts(ledger, local)
        tags, first = stored_facts.get("tags", {}), stored_facts.get("first_tags", {})
        action = Action(status.lower().replace("_", " "), settings.user, local)

        def ended(record: VersionRecord) -> dict[str, Any]:
            kept = {key: text for key, text in record.tags.items() if key in tags or key not in first}
            changed = {key: text for key, text in tags.items() if first.get(key) != text}
            return {"status": status, "status_message": message, "tags": kept | changed}

        if any(record.name == local for record in store.versions()):
            store.change_version(local, ended, action)
        else:
            store.add_version(VersionRecord(local, status, message, f"versions/{local}", now, now, tags=tags), action)
        created = next(record.created for record in store.versions() if record.name == local)
        facts["record"] = created.isoformat()
        change_facts(ledger, local, status=None, tags=None, first_tags=None, ended=time.time(), **facts)


def forget_version(ledger: Ledger, local: str) -> None:
    with ledger.writing() as connection:
        connection.execute("DELETE FROM versions WHERE name = ?", (local,))
