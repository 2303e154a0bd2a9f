"""The status of a version at every moment: while its process lives, when it ends, and when it was killed."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from customlabels_nb.errors import Cancelled, CustomLabelsError, NotAllowedError
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, Store, VersionRecord

HEARTBEAT_SECONDS = 15
#: A training that was silent for so long is taken for dead, wherever it ran.
SILENT = timedelta(minutes=5)


def settle_orphans(store: Store) -> list[str]:
    """Give versions whose process is gone the status that is true; returns their names."""
    settled = []
    for version in store.versions():
        if version.status == "TRAINING_IN_PROGRESS" and _is_gone(version):
            status = "TRAINING_FAILED"
            message = "The kernel that trained it is gone; resume() goes on, delete() removes it."
        elif version.status in ("STARTING", "RUNNING", "STOPPING") and _is_gone(version):
            status, message = "STOPPED", "The kernel that ran it is gone."
        else:
            continue
        store.update_version(version.name, Action("settle", "customlabels_nb"), status=status, status_message=message)
        settled.append(version.name)
    return settled


def this_process() -> dict[str, Any]:
    """Which process works on a version, for its record."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "heartbeat": datetime.now(UTC)}


def _is_gone(version: VersionRecord) -> bool:
    heartbeat = version.heartbeat or version.updated
    if version.status == "TRAINING_IN_PROGRESS" and datetime.now(UTC) - heartbeat > SILENT:
        return True
    if version.host != socket.gethostname():
        return False
    try:
        born = psutil.Process(version.pid).create_time() if version.pid else None
    except psutil.Error:
        born = None
    return born is None or born > heartbeat.timestamp() + 1  # a later process may have got the same number


@contextmanager
def honest_status(store: Store, name: str) -> Iterator[None]:
    """Whatever ends the block, the version's status says so afterwards; a heartbeat tells others that it goes on."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                store.update_version(name, heartbeat=datetime.now(UTC))
            except CustomLabelsError:  # deleted by somebody, or a moment's trouble: the run itself will tell
                continue

    thread = threading.Thread(target=beat, name="customlabels_nb heartbeat", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        stop.set()
        thread.join()
        _note_failure(store, name, error)
        raise
    finally:
        stop.set()
        thread.join()


def _note_failure(store: Store, name: str, error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | Cancelled):
        message = "Stopped by you; resume() goes on."
    elif isinstance(error, CustomLabelsError | OSError):
        message = str(error)
    else:
        message = f"{type(error).__name__}: {error}"
    try:
        store.update_version(
            name, Action("train", settings.user), status="TRAINING_FAILED", status_message=message, host=None, pid=None
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
