"""The status of a version at every moment: while its process lives, when it ends, and when it was killed."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from customlabels_nb.errors import Cancelled, CustomLabelsError, NotAllowedError
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore, VersionRecord

HEARTBEAT_SECONDS = 15
#: A training that was silent for so long is taken for dead, wherever it ran.
SILENT = timedelta(minutes=5)


def settle_orphans(store: SqlStore) -> list[str]:
    """Give versions whose process is gone the status that is true; returns their names."""
    settled: list[str] = []
    for version in [] if store.read_only else store.versions():
        if version.status == "TRAINING_IN_PROGRESS" and _is_gone(version):
            status = "TRAINING_FAILED"
            message = "The kernel that trained it is gone; resume() goes on, delete() removes it."
        elif version.status in ("STARTING", "RUNNING", "STOPPING") and _is_gone(version):
            status, message = "STOPPED", "The kernel that ran it is gone."
        elif version.status == "COPYING_IN_PROGRESS" and _is_gone(version):
            status = "COPYING_FAILED"
            message = "The kernel that copied it is gone; copy it again, or delete() what there is of it."
        else:
            continue
        store.update_version(
            version.name, Action("settle", "customlabels_nb", version.name), status=status, status_message=message
        )
        settled.append(version.name)
    return settled


def this_process() -> dict[str, Any]:
    """Which process works on a version, for its record."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "heartbeat": datetime.now(UTC)}


def is_settled(version: VersionRecord) -> bool:
    """Whether the process that the record names is this one or gone."""
    return (version.host, version.pid) == (socket.gethostname(), os.getpid()) or _is_gone(version)


def _is_gone(version: VersionRecord) -> bool:
    heartbeat = version.heartbeat or version.updated
    silent = datetime.now(UTC) - heartbeat > SILENT
    if version.host != socket.gethostname():
        return silent
    try:
        born = psutil.Process(version.pid).create_time() if version.pid else None
    except psutil.Error:
        born = None
    if born is None or born > heartbeat.timestamp() + 1:  # a later process may have got the same number
        return True
    # it lives, but its end could not be noted
    return silent and version.status in ("TRAINING_IN_PROGRESS", "COPYING_IN_PROGRESS")


class Heartbeat:
    """Tells others, again and again, that this process works on a version."""

    def __init__(self, store: SqlStore, name: str) -> None:
        self._store = store
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="customlabels_nb heartbeat", daemon=True)
        if not store.read_only:
            self._thread.start()

    def stop(self) -> None:
        """Say no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self._store.update_version(self._name, heartbeat=datetime.now(UTC))
            except CustomLabelsError:  # deleted by somebody, or a moment's trouble: the work itself will tell
                continue


@dataclass(frozen=True)
class Doing:
    """What is done to a version: its status if that fails, the history's line, and what to do once it was stopped."""

    failed: str
    action: str
    advice: str


TRAINING = Doing("TRAINING_FAILED", "training failed", "resume() goes on")
COPYING = Doing("COPYING_FAILED", "copying failed", "copy it again, or delete() it")


@contextmanager
def honest_status(store: SqlStore, name: str, doing: Doing = TRAINING) -> Iterator[None]:
    """Whatever ends the block, the version's status says so afterwards; meanwhile its heart beats."""
    heartbeat = Heartbeat(store, name)
    try:
        yield
    except BaseException as error:
        heartbeat.stop()
        _note_failure(store, name, error, doing)
        raise
    finally:
        heartbeat.stop()
        with suppress(CustomLabelsError):  # the last beat may have come after the run's own last word
            store.update_version(name, host=None, pid=None, heartbeat=None)


def _note_failure(store: SqlStore, name: str, error: BaseException, doing: Doing) -> None:
    if isinstance(error, KeyboardInterrupt | Cancelled):
        told = str(error)  # a loop tells after which epoch
        message = told if told.startswith("Stopped by you") else f"Stopped by you; {doing.advice}."
    elif isinstance(error, CustomLabelsError | OSError):
        message = str(error)
    else:
        message = f"{type(error).__name__}: {error}"
    try:
        store.update_version(
            name,
            Action(doing.action, settings.user, name),
            status=doing.failed,
            status_message=message,
        )
    except CustomLabelsError as second:  # a full disk, say: the missing heartbeat will tell
        error.add_note(f"The version's status could not be written: {second}")


def remove_folder(folder: Path, root: Path) -> None:
    """Delete a version's folder, and nothing that lies outside ``root``."""
    inside = folder.resolve()
    if root.resolve() / "versions" != inside.parent:
        raise NotAllowedError(f"{str(folder)!r} is not a version's folder of {str(root)!r}; nothing was deleted.")
    if inside.exists():
        shutil.rmtree(inside)
