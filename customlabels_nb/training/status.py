"""Training status of versions: heartbeats, failures and recovery after a kernel is killed."""

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

from customlabels_nb.errors import Cancelled, CustomLabelsError, ModelNotFoundError, NotAllowedError
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.user_settings import settings

HEARTBEAT_SECONDS = 15
#: A training run without a heartbeat for this long is considered dead, on any machine.
SILENT = timedelta(minutes=5)
#: Status and message of a version whose process is dead, by its last status. Other versions need no process.
_AFTER_DEATH = {
    "TRAINING_IN_PROGRESS": (
        "TRAINING_FAILED",
        "The kernel that trained the version has ended. Call resume() to continue or delete() to remove it.",
    ),
    **dict.fromkeys(("STARTING", "RUNNING", "STOPPING"), ("STOPPED", "The kernel that ran the version has ended.")),
    "COPYING_IN_PROGRESS": (
        "COPYING_FAILED",
        "The kernel that copied the version has ended. Copy it again, or delete() the partial copy.",
    ),
}


def settle_orphans(store: SqlStore) -> list[str]:
    """Update the status of versions whose process is dead, and return their names."""
    settled: list[str] = []
    for version in [] if store.read_only else store.versions():
        if _settled(version) is None:
            continue
        action = Action("settle", "customlabels_nb", version.name)
        with suppress(ModelNotFoundError):  # another kernel has deleted it meanwhile
            # checked again: its training may have ended normally since it was read, or another kernel resumed it
            if store.change_version(version.name, _settled, action).action is not None:
                settled.append(version.name)
    return settled


def _settled(version: VersionRecord) -> dict[str, str] | None:
    """Return the true status of a version and its message if its process is dead, or None."""
    if version.status not in _AFTER_DEATH or not _is_gone(version):
        return None
    status, message = _AFTER_DEATH[version.status]
    return {"status": status, "status_message": message}


def this_process() -> dict[str, Any]:
    """Return the host, ID and heartbeat of this process, for the record of a version."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "heartbeat": datetime.now(UTC)}


def is_settled(version: VersionRecord) -> bool:
    """Check whether the process in a version's record is the current process or dead."""
    return version.is_own or _is_gone(version)


def _is_gone(version: VersionRecord) -> bool:
    heartbeat = version.heartbeat or version.updated
    silent = datetime.now(UTC) - heartbeat > SILENT
    if version.host != socket.gethostname():
        return silent
    try:
        born = psutil.Process(version.pid).create_time() if version.pid else None
    except psutil.Error:
        born = None
    if born is None or born > heartbeat.timestamp() + 1:  # a later process may have the same ID
        return True
    # the process is alive, but may have failed to record the end of training, unless it still checks the data
    is_checking = version.heartbeat is None and "process" in version.endpoint
    return silent and not is_checking and version.status in ("TRAINING_IN_PROGRESS", "COPYING_IN_PROGRESS")


class Heartbeat:
    """Thread that regularly records that this process is working on a version."""

    def __init__(self, store: SqlStore, name: str) -> None:
        self._store = store
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="customlabels_nb heartbeat", daemon=True)
        if not store.read_only:
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self._store.update_version(self._name, heartbeat=datetime.now(UTC))
            except CustomLabelsError:  # deleted version or temporary problem, which training itself reports
                continue


@dataclass(frozen=True)
class RunState:
    """Kind of work on a version: status if it fails, action for the history, and advice if it is stopped."""

    failed: str
    action: str
    advice: str


TRAINING = RunState("TRAINING_FAILED", "training failed", "Call resume() to continue")
COPYING = RunState("COPYING_FAILED", "copying failed", "Copy it again, or delete() it")


@contextmanager
def honest_status(store: SqlStore, name: str, doing: RunState = TRAINING) -> Iterator[None]:
    """Send heartbeats during the block, and record the version's failure if the block raises."""
    heartbeat = Heartbeat(store, name)
    try:
        yield
    except BaseException as error:
        heartbeat.stop()
        _note_failure(store, name, error, doing)
        raise
    finally:
        heartbeat.stop()
        with suppress(CustomLabelsError):  # a heartbeat may be written after the final status
            store.change_version(name, _released)


def _released(version: VersionRecord) -> dict[str, None] | None:
    """Return the changes that remove this process, or None if another one has started or resumed the version."""
    return dict.fromkeys(("host", "pid", "heartbeat")) if version.is_own else None


def check_resumable(version: VersionRecord) -> None:
    if version.status != "TRAINING_FAILED":
        raise NotAllowedError(f"Only a failed training run can be resumed. {version.name!r} is {version.status}.")


@contextmanager
def resuming(store: SqlStore, version: VersionRecord) -> Iterator[None]:
    """Claim a failed version for this process during the block, and restore its status if the block raises."""

    def claim(now: VersionRecord) -> dict[str, Any]:
        check_resumable(now)
        noted = {key: now.endpoint[key] for key in now.endpoint.keys() - {"status", "process"}}  # no endpoint trains it
        changes = {"status": "TRAINING_IN_PROGRESS", "status_message": "Training is being resumed.", "endpoint": noted}
        return {**changes, **this_process()}

    store.change_version(version.name, claim)
    heartbeat = Heartbeat(store, version.name)
    try:
        yield
    except BaseException:
        heartbeat.stop()
        before: dict[str, Any] = {name: getattr(version, name) for name in ("status", "status_message", "endpoint")}
        with suppress(CustomLabelsError):  # the missing heartbeat reveals the failure
            store.update_version(version.name, **before, host=None, pid=None, heartbeat=None)
        raise
    finally:
        heartbeat.stop()


def _note_failure(store: SqlStore, name: str, error: BaseException, doing: RunState) -> None:
    if isinstance(error, KeyboardInterrupt | Cancelled):
        text = str(error)  # the message from a training loop names the epoch
        message = text if text.startswith("Stopped by you") else f"Stopped by you. {doing.advice}."
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
    except CustomLabelsError as second:  # for example a full disk: the missing heartbeat reveals the failure
        error.add_note(f"Cannot write the version's status: {second}")


def remove_folder(folder: Path, root: Path) -> None:
    """Delete a version's folder. Folders outside ``root`` are never deleted."""
    inside = folder.resolve()
    if root.resolve() / "versions" != inside.parent:
        raise NotAllowedError(f"{str(folder)!r} is not the folder of a version in {str(root)!r}. Nothing was deleted.")
    if inside.exists():
        shutil.rmtree(inside)
