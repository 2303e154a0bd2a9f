"""Statuses of model versions: the table of what each status allows, and the names of groups of statuses."""

from __future__ import annotations

from typing import NamedTuple

TRAINING, STOPPED_TRAINING, FAILED_TRAINING = "TRAINING_IN_PROGRESS", "TRAINING_STOPPED", "TRAINING_FAILED"
COPYING, FAILED_COPYING = "COPYING_IN_PROGRESS", "COPYING_FAILED"


class VersionStatus(NamedTuple):
    """What a status allows.

    ``can_run`` is True if the model is complete, ``is_busy`` if a process trains, copies or runs the version, and
    ``can_resume`` if its training can be resumed. ``endpoint`` is its name at HTTP endpoints, if that is another one.
    """

    can_run: bool = False
    is_busy: bool = False
    can_resume: bool = False
    endpoint: str | None = None


#: All statuses, named as in Rekognition Custom Labels, which has no name for a training that the user has stopped.
VERSION_STATUSES = {
    TRAINING: VersionStatus(is_busy=True),
    STOPPED_TRAINING: VersionStatus(can_resume=True, endpoint=FAILED_TRAINING),
    FAILED_TRAINING: VersionStatus(can_resume=True),
    "TRAINING_COMPLETED": VersionStatus(can_run=True),
    COPYING: VersionStatus(is_busy=True),
    FAILED_COPYING: VersionStatus(),
    "COPYING_COMPLETED": VersionStatus(can_run=True),
    "STARTING": VersionStatus(can_run=True, is_busy=True),
    "RUNNING": VersionStatus(can_run=True, is_busy=True),
    "STOPPING": VersionStatus(can_run=True, is_busy=True),
    "STOPPED": VersionStatus(can_run=True),
    "FAILED": VersionStatus(can_run=True),
    "DELETING": VersionStatus(),
    "DEPRECATED": VersionStatus(),
    "EXPIRED": VersionStatus(),
}

#: Statuses of versions that can run, that a process works on, that are running, and that can be resumed.
READY = tuple(name for name, status in VERSION_STATUSES.items() if status.can_run)
BUSY = tuple(name for name, status in VERSION_STATUSES.items() if status.is_busy)
RUNNING = tuple(name for name in READY if name in BUSY)
RESUMABLE = tuple(name for name, status in VERSION_STATUSES.items() if status.can_resume)


def endpoint_status(name: str) -> str:
    """Return the name of a status at HTTP endpoints."""
    return VERSION_STATUSES[name].endpoint or name
