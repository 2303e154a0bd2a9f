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

from customlabels_nb.core import version_status
from customlabels_nb.errors import Cancelled, CustomLabelsError, ModelNotFoundError, NotAllowedError
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.user_settings import settings

HEARTBEAT_SECONDS = 15
#: A training run without a heartbeat for this long is considered dead, on any machine.
SILENT = timedelta(minutes=5)
#: Status and message of a version whose process is dead, by its last status. Other versions need no process.
_AFTER_DEATH = {
    version_status.TRAINING: (
        version_status.FAILED_TRAINING,
        "The kernel that trained the version has ended. Call {model}.resume() to continue, or {model}.delete().",
    ),
    **dict.fromkeys(version_status.RUNNING, ("STOPPED", "The kernel that ran the version has ended.")),
    version_status.COPYING: (
        version_status.FAILED_COPYING,
        "The kernel that copied the version has ended. Copy it again, or call {model}.delete().",
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
    return {"status": status, "status_message": message.format(model=f"project.model({version.name!r})")}


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
    return silent and not is_checking and version.status in (version_status.TRAINING, version_status.COPYING)


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
    """Kind of work on a version, its status if it fails, its status if it is stopped, and the advice then."""

    work: str
    failed: str
    stopped: str
    advice: str


TRAINING = RunState(
    "training", version_status.FAILED_TRAINING, version_status.STOPPED_TRAINING, "Call {model}.resume() to continue."
)
COPYING = RunState(
    "copying", version_status.FAILED_COPYING, version_status.FAILED_COPYING, "Copy it again, or call {model}.delete()."
)


@contextmanager
def honest_status(store: SqlStore, name: str, doing: RunState = TRAINING) -> Iterator[None]:
    """Send heartbeats during the block, and record that the version failed or was stopped if the block raises.

    The message of a stop, which names the call that continues, becomes that of its exception.
    """
    heartbeat = Heartbeat(store, name)
    try:
        yield
    except BaseException as error:
        heartbeat.stop()
        _note_end(store, name, error, doing)
        raise
    finally:
        heartbeat.stop()
        with suppress(CustomLabelsError):  # a heartbeat may be written after the final status
            store.change_version(name, _released)


def _released(version: VersionRecord) -> dict[str, None] | None:
    """Return the changes that remove this process, or None if another one has started or resumed the version."""
    return dict.fromkeys(("host", "pid", "heartbeat")) if version.is_own else None


def check_resumable(version: VersionRecord) -> None:
    if version.status not in version_status.RESUMABLE:
        raise NotAllowedError(f"Only stopped or failed trainings can be resumed. {version.name!r} is {version.status}.")


@contextmanager
def resuming(store: SqlStore, version: VersionRecord) -> Iterator[None]:
    """Claim a version for this process during the block, and restore its status if the block raises."""

    def claim(now: VersionRecord) -> dict[str, Any]:
        check_resumable(now)
        noted = {key: now.endpoint[key] for key in now.endpoint.keys() - {"status", "process"}}  # no endpoint trains it
        changes = {"status": version_status.TRAINING, "status_message": "Training is being resumed."}
        return {**changes, "endpoint": noted, **this_process()}

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


def _note_end(store: SqlStore, name: str, error: BaseException, doing: RunState) -> None:
    is_stop = isinstance(error, KeyboardInterrupt | Cancelled)
    if is_stop:
        text = str(error)  # the message from a training loop names the epoch
        reason = text if text.startswith("Stopped by you") else "Stopped by you."
        message = f"{reason} {doing.advice.format(model=f'project.model({name!r})')}"
        error.args = (message,)  # for the user, and for listeners to the end of the run
    elif isinstance(error, CustomLabelsError | OSError):
        message = str(error)
    else:
        message = f"{type(error).__name__}: {error}"
    try:
        store.update_version(
            name,
            Action(f"{doing.work} {'stopped' if is_stop else 'failed'}", settings.user, name),
            status=doing.stopped if is_stop else doing.failed,
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
