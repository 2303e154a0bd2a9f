"""Open, rename and delete a project."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from customlabels_nb._utils.files import why_not_written, write_whole
from customlabels_nb._utils.text import one_line
from customlabels_nb.core.version_status import BUSY
from customlabels_nb.errors import NotAllowedError, ProjectError, ProjectExistsError, StoreError
from customlabels_nb.models.feature_file import project_features
from customlabels_nb.project.location import (
    POINTER,
    STORED_PREDICTIONS,
    ProjectLocation,
    check_name,
    is_project,
    open_project_store,
)
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.workers.background import is_alive, runner_record

_RENAMING = ".renaming"  # contains the old and the new folder name while a project is being renamed
_RENAME_SECONDS = 120  # longer than a writer waits for the lock


def refuse_if_busy(store: SqlStore, verb: str) -> None:
    """Raise NotAllowedError if a version is running, or is being trained or copied."""
    busy = [version for version in store.versions() if version.status in BUSY]
    if busy:
        name, status = busy[0].name, busy[0].status
        stop = "Stop it" if status.endswith("IN_PROGRESS") else f"Call project.model({name!r}).stop()"
        raise NotAllowedError(
            f"{store.project().name!r} cannot be {verb}: its version {name!r} is {status}. {stop} first."
        )


def _refuse_if_trained(store: SqlStore, verb: str) -> None:
    """Raise NotAllowedError if assist is training in another kernel, whose helper process writes to the folder."""
    record = runner_record(store, "trainer")
    if record is not None and record.state == "running" and is_alive(record):
        raise NotAllowedError(
            f"{store.project().name!r} cannot be {verb}: its assist is training in another kernel (process "
            f"{record.pid} on {one_line(record.host)}). Call project.assist.stop() first."
        )


def open_project(root: Path, url: str | None = None) -> ProjectLocation:
    """Open the project in ``root``, the old or new path after an interrupted rename, and finish such a rename."""
    if not is_project(root):
        near = (marker.parent for marker in root.parent.glob(f"*/{_RENAMING}"))
        root = next((folder for folder in near if root.name in _names(folder)), root)
    store = open_project_store(root, url)
    if names := _names(root):
        name = store.project().name
        store.close()
        with suppress(OSError):  # a folder that cannot be moved works where it is, and the next open retries
            if names == (root.name, name) and not os.path.lexists(root.parent / name):
                root = root.rename(root.parent / name)
            marker = root / _RENAMING
            if name == names[1] or time.time() - marker.stat().st_mtime > _RENAME_SECONDS:
                marker.unlink()  # keep a recent marker: another kernel may be about to store the new name
        store = open_project_store(root, url)
    return ProjectLocation(root, store, url)


def _names(root: Path) -> tuple[str, ...]:
    """Return the old and the new name of an unfinished rename, or an empty tuple. The file is not trusted."""
    try:
        old, new = os.fsdecode((root / _RENAMING).read_bytes()).split("\0")
        return old, check_name(new)
    except (OSError, ValueError):
        return ()


def rename_project(location: ProjectLocation, name: str, action: Action) -> None:
    target = location.root.parent / check_name(name)
    refuse_if_busy(location.store, "renamed")
    _refuse_if_trained(location.store, "renamed")
    if os.path.lexists(target):
        raise ProjectExistsError(f"{str(target)!r} already exists. Nothing was renamed.")
    before = location.store.project().name
    try:
        write_whole(location.root / _RENAMING, os.fsencode(f"{location.root.name}\0{name}"))
        location.store.set_project(action, name=name)  # from here on, opening the project finishes the rename
    except OSError as error:
        raise ProjectError(
            f"Cannot rename {str(location.root)!r}: {why_not_written(error)}. Nothing was changed."
        ) from error
    except StoreError:  # the old name is still stored
        (location.root / _RENAMING).unlink(missing_ok=True)
        raise
    finally:
        location.store.close()
        project_features(location.root).close()
        opened = open_project(target if is_project(target) else location.root, location.url)
        location.root, location.store = opened.root, opened.store
    if location.root != target:
        location.store.set_project(action, name=before)
        raise ProjectError(f"Cannot move {str(location.root)!r} to {str(target)!r}. Nothing was renamed.")


def delete_project(location: ProjectLocation) -> None:
    """Delete the database and this package's files in the project's folder, see ``Project.delete``."""
    refuse_if_busy(location.store, "deleted")  # here too: a kernel may have started one while the user was asked
    _refuse_if_trained(location.store, "deleted")
    try:
        project_features(location.root).close()
        location.store.destroy()
        for part in ("versions", "cache", "feedback", "images"):
            if (location.root / part).is_symlink():
                (location.root / part).unlink()
            elif (location.root / part).is_dir():
                shutil.rmtree(location.root / part)
        for file in (POINTER, STORED_PREDICTIONS, f"{STORED_PREDICTIONS}-wal", f"{STORED_PREDICTIONS}-shm"):
            (location.root / file).unlink(missing_ok=True)
        if location.root.is_dir() and not any(location.root.iterdir()):
            location.root.rmdir()
    except OSError as error:
        what = f"Cannot delete {str(error.filename)!r}: {error.strerror}."
        raise ProjectError(f"{what} Check its permissions, then delete {str(location.root)!r} by hand.") from error
