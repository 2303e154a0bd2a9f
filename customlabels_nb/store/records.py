"""Records of the project, its datasets and versions, and of the actions that change them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from customlabels_nb.core.tables import Task
from customlabels_nb.core.version_status import TRAINING

#: Key under which the tags of a version hold its description. Clients of the hosted service cannot use such keys.
DESCRIPTION = "aws:description"


@dataclass(frozen=True)
class Action:
    """Action by a person or program, for the history: ``who`` did ``what``, with an optional ``note``."""

    what: str
    who: str
    note: str = ""


@dataclass(frozen=True)
class WriteResult:
    """Result of a write: the action's id in the history (None if nothing changed), and the number of changed rows."""

    action: int | None = None
    count: int = 0


@dataclass(frozen=True)
class ProjectRecord:
    """Properties of the project. Times are UTC, and ``instructions`` are shown to annotators."""

    name: str
    task: Task | None
    status: str
    status_message: str
    created: datetime
    updated: datetime
    tags: dict[str, str] = field(default_factory=dict)
    instructions: str = ""


@dataclass(frozen=True)
class DatasetRecord:
    """Properties of the train or test dataset.

    ``sources`` are the origins of its imports, oldest first. ``endpoint`` is what HTTP endpoints store about it.
    """

    split: str
    status: str
    status_message: str
    created: datetime
    updated: datetime
    sources: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    endpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def digits(self) -> int:
        """Time of its creation in milliseconds, or the number that endpoints gave it before."""
        return int(self.endpoint.get("digits") or round(self.created.timestamp() * 1000))


@dataclass(frozen=True)
class Statistics:
    """Counts for one dataset, as in Rekognition Custom Labels. ``total_boxes`` includes polygons."""

    total_entries: int
    labelled_entries: int
    total_labels: int
    total_boxes: int = 0


@dataclass(frozen=True)
class VersionRecord:
    """Model version, trained or in training.

    ``folder`` is relative to the project's folder. ``host``, ``pid`` and ``heartbeat`` identify the process that trains
    or runs it, and without a heartbeat one that has reserved the name. ``alias`` is the stable name under which it was
    published. ``endpoint`` is what HTTP endpoints store about it, such as its name and output there.
    """

    name: str
    status: str
    status_message: str
    folder: str
    created: datetime
    updated: datetime
    task: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    alias: str | None = None
    host: str | None = None
    pid: int | None = None
    heartbeat: datetime | None = None
    endpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def digits(self) -> int:
        """Time of its creation in milliseconds, or the number that endpoints gave it before."""
        return int(self.endpoint.get("digits") or round(self.created.timestamp() * 1000))

    @property
    def is_reserved(self) -> bool:
        """True if this process has reserved the name for a version that it makes next, which no server does."""
        is_next = "process" in self.endpoint or self.status != TRAINING
        return is_next and self.heartbeat is None and self.is_own

    @property
    def is_own(self) -> bool:
        """True if this process trains, copies or runs the version, or has reserved it."""
        return (self.host, self.pid) == (socket.gethostname(), os.getpid())

    @property
    def description(self) -> str:
        """Description of the version. Empty by default."""
        return self.tags.get(DESCRIPTION, "")
