"""What happens to a project as a whole: another name, and its end."""

from __future__ import annotations

import shutil

from customlabels_nb.errors import NotAllowedError, ProjectError, ProjectExistsError
from customlabels_nb.locations import POINTER, Place, check_name, open_project_store
from customlabels_nb.store import Action, Store

_BUSY = ("TRAINING_IN_PROGRESS", "STARTING", "RUNNING", "STOPPING", "COPYING_IN_PROGRESS")


def refuse_if_busy(store: Store, verb: str) -> None:
    """Refuse while a version trains or runs."""
    busy = [version for version in store.versions() if version.status in _BUSY]
    if busy:
        name, status = busy[0].name, busy[0].status
        stop = "Stop it" if status.endswith("IN_PROGRESS") else f"Call project.model({name!r}).stop()"
        raise NotAllowedError(
            f"{store.project().name!r} can't be {verb}: its version {name!r} is {status}. {stop} first."
        )


def rename_project(place: Place, name: str, action: Action) -> None:
    """Rename the project and its folder; see :meth:`customlabels_nb.project.Project.rename`."""
    target = place.root.parent / check_name(name)
    refuse_if_busy(place.store, "renamed")
    if target.exists():
        raise ProjectExistsError(f"There is something called {str(target)!r} already; nothing was renamed.")
    place.store.close()
    try:
        place.root.rename(target)
        place.root = target
    except OSError as error:
        raise ProjectError(f"The folder {str(place.root)!r} can't be renamed: {error.strerror}.") from error
    finally:
        place.store = open_project_store(place.root)
    place.store.set_project(action, name=name)


def delete_project(place: Place) -> None:
    """Delete the database and what lies in the project's folder of ours; see ``Project.delete``."""
    place.store.destroy()
    for part in ("versions", "cache", "images"):
        if (place.root / part).is_symlink():
            (place.root / part).unlink()
        shutil.rmtree(place.root / part, ignore_errors=True)
    (place.root / POINTER).unlink(missing_ok=True)
    if place.root.is_dir() and not any(place.root.iterdir()):
        place.root.rmdir()
