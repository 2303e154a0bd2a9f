"""Records of the project, its datasets, its versions, and the actions that change them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Statuses of versions, as the hosted service names them.
VERSION_STATUSES = (
    "TRAINING_IN_PROGRESS", "TRAINING_COMPLETED", "TRAINING_FAILED", "STARTING", "RUNNING", "FAILED",
    "STOPPING", "STOPPED", "DELETING", "COPYING_IN_PROGRESS", "COPYING_COMPLETED", "COPYING_FAILED",
    "DEPRECATED", "EXPIRED",
)  # fmt: skip

#: The tag that describes a version.
DESCRIPTION = "description"


@dataclass(frozen=True)
class Action:
    """One action of a person or program, as the history tells it: ``who`` did ``what``, with a free ``note``."""

    what: str
    who: str
    note: str = ""


@dataclass(frozen=True)
class WriteResult:
    """What a writer of the store did: the action's id in the history and how many rows of its kind changed.

    Attributes
    ----------
    action : int, optional
        None if there was nothing to change: then no action was written.
    count : int
        How many images, annotations or predictions the action is about; each writer says which.
    """

    action: int | None = None
    count: int = 0


@dataclass(frozen=True)
class ProjectRecord:
    """The project itself. Times are UTC; ``instructions`` is what people who label are told."""

    name: str
    task: str | None
    status: str
    status_message: str
    created: datetime
    updated: datetime
    tags: dict[str, str] = field(default_factory=dict)
    instructions: str = ""


@dataclass(frozen=True)
class DatasetRecord:
    """The train or the test dataset. ``sources`` are what it was imported from, oldest first."""

    split: str
    status: str
    status_message: str
    created: datetime
    updated: datetime
    sources: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Statistics:
    """Counts of one dataset, as the hosted service gives them."""

    total_entries: int
    labelled_entries: int
    total_labels: int


@dataclass(frozen=True)
class VersionRecord:
    """A trained model, or one in the making.

    ``folder`` is relative to the project's. ``host``, ``pid`` and ``heartbeat`` tell of the process that trains
    or runs it. ``alias`` is the stable name it was published under.
    """

    name: str
    status: str
    status_message: str
    folder: str
    created: datetime
    updated: datetime
    kind: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    alias: str | None = None
    host: str | None = None
    pid: int | None = None
    heartbeat: datetime | None = None

    @property
    def description(self) -> str:
        """What the version is for, in the words of a person: its tag ``description``, empty without one."""
        return self.tags.get(DESCRIPTION, "")
