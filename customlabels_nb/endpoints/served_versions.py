"""Describe the versions of served projects, and note in their records what only endpoints need."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic

from customlabels_nb.core.version_status import BUSY, COPYING, TRAINING, endpoint_status
from customlabels_nb.endpoints.project_folders import ProjectFolder, Served, unused_digits
from customlabels_nb.errors import ModelNotFoundError, ProjectNameError
from customlabels_nb.project.location import check_name
from customlabels_nb.project.model import Model
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.training.status import settle_orphans, this_process
from customlabels_nb.user_settings import settings

#: Statuses that change by themselves.
TRANSITIONAL = (*(status for status in BUSY if status != "RUNNING"), "DELETING")

#: Message in Python of a version that is to be trained or copied.
WAITING = "The version waits for its turn at the endpoint."

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
    """Model version of a project.

    ``facts`` is what only endpoints note of it, such as its ``name`` in the ARN, ``output``, ``files`` and units. They
    have a ``status`` until an endpoint has finished to train or copy the version, which includes its output files.
    """

    served: Served
    record: VersionRecord

    @property
    def local(self) -> str:
        """Name of the version in Python."""
        return self.record.name

    @property
    def facts(self) -> dict[str, Any]:
        return self.record.endpoint

    @property
    def digits(self) -> int:
        """Time of its creation in milliseconds, which ends its ARN."""
        return self.record.digits

    @property
    def status(self) -> str:
        return endpoint_status(self.facts.get("status") or self.record.status)

    @property
    def message(self) -> str:
        return _MESSAGES.get(self.status) or self.record.status_message or self.status

    @property
    def created(self) -> datetime:
        return datetime.fromtimestamp(self.digits / 1000, UTC)

    @property
    def seconds(self) -> float | None:
        """Duration of the training, or None if it is unknown."""
        return self.record.metrics.get("seconds")

    @property
    def ended(self) -> float:
        """Time at which training or copying has ended, in seconds since 1970."""
        return float(self.facts.get("ended") or self.created.timestamp() + (self.seconds or 0.0))

    @property
    def model(self) -> Model:
        return Model(location_of(self.served.project), self.local)


def versions_of(served: Served) -> list[ServedVersion[Served]]:
    """Return the versions of a project, newest first, with true statuses of those whose process has ended."""
    records = served.store.versions()
    if any(record.status in _WORKING for record in records) and settle_orphans(served.store):
        records = served.store.versions()
    return sorted((ServedVersion(served, record) for record in records), key=lambda version: -version.digits)


def check_quota(
    folder: ProjectFolder[Any], name: str, *statuses: str, code: str = "ServiceQuotaExceededException"
) -> None:
    """Raise ServiceError if one more version with one of the statuses is more than a quota of an account allows."""
    if getattr(folder.options.quotas, name) is not None:  # or else they need not be counted
        by_project = folder.read_each(folder.projects(), versions_of)
        count = sum(version.status in statuses for versions in by_project for version in versions)
        folder.options.quotas.check(name, count + 1, code)


def reserve_version(
    served: Served, name: str, status: str, facts: dict[str, Any], tags: dict[str, str] | None = None
) -> ServedVersion[Served]:
    """Reserve a version that is to be trained or copied, under a name that its folder can have."""
    now, versions = time.time(), versions_of(served)
    digits = unused_digits(now, [version.digits for version in versions])
    local = f"version-{digits}"
    with suppress(ProjectNameError):
        check_name(name)
        taken = any(version.local.casefold() == name.casefold() for version in versions)
        if not taken and not (served.project.root / "versions" / name).exists():
            local = name
    facts = {**facts, "name": name, "digits": digits, "status": status}
    created, process = datetime.fromtimestamp(now, UTC), {**this_process(), "heartbeat": None}
    record = VersionRecord(
        local, status, WAITING, f"versions/{local}", created, created,
        tags=tags or {}, endpoint=facts, **process,
    )  # fmt: skip
    served.store.add_version(record)
    return ServedVersion(served, record)


def facts_of(store: SqlStore, local: str) -> dict[str, Any]:
    """Return what endpoints note of a version now, which is nothing if it was deleted."""
    return next((record.endpoint for record in store.versions() if record.name == local), {})


def change_facts(store: SqlStore, local: str, **changes: Any) -> dict[str, Any]:
    """Change what endpoints note of a version, where None removes a fact, and return all of it."""
    facts: dict[str, Any] = {}

    def change(record: VersionRecord) -> dict[str, Any]:
        facts.update({key: value for key, value in {**record.endpoint, **changes}.items() if value is not None})
        return {"endpoint": facts}

    with suppress(ModelNotFoundError):  # it was deleted meanwhile
        store.change_version(local, change)
    return facts


def end_job(store: SqlStore, local: str, status: str, message: str, **facts: Any) -> None:
    """Store the final status of a version that an endpoint has trained or copied."""

    def ended(record: VersionRecord) -> dict[str, Any]:
        noted = {**record.endpoint, **facts, "ended": time.time()}
        done = {"status": status, "status_message": message, "host": None, "pid": None, "heartbeat": None}
        return done | {"endpoint": {key: noted[key] for key in noted.keys() - {"status", "process"}}}

    with suppress(ModelNotFoundError):
        store.change_version(local, ended, Action(status.lower().replace("_", " "), settings.user, local))
