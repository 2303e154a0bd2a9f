"""Projects in a folder: make one, open one, list them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb._utils.files import remove_abandoned
from customlabels_nb.errors import InputError, ProjectError, ProjectExistsError
from customlabels_nb.project.archive import unpack
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.location import (
    DATABASE,
    ProjectLocation,
    check_name,
    check_tags,
    check_task,
    create_project_store,
    is_project,
)
from customlabels_nb.project.project import Project
from customlabels_nb.settings import settings
from customlabels_nb.store import Action
from customlabels_nb.training.status import settle_orphans


def create_project(
    name: str,
    folder: str | os.PathLike[str] = ".",
    *,
    task: str | None = None,
    store: str | None = None,
    tags: dict[str, str] | None = None,
) -> Project:
    """Make a new project in the folder ``<folder>/<name>``.

    Parameters
    ----------
    name : str
        1 to 100 letters, digits, spaces, ``.``, ``-`` and ``_``, beginning with a letter or digit.
    task : {"single-label", "multi-label", "boxes", "polygons"}, optional
        What is labelled; the widgets ask if it isn't said.
    store : str, optional
        A PostgreSQL URL for a team (the password comes from the environment or ``.pgpass`` when the project is loaded
        again); an SQLite file in the folder unless it is given.
    tags : dict, optional
        Keys and values of your own, kept with the project.

    Raises
    ------
    ProjectNameError
        If the name can't be one.
    ProjectExistsError
        If there is something of that name; nothing is overwritten.
    ProjectError
        If the folder can't be made.
    """
    root = Path(folder).expanduser().absolute() / check_name(name)
    check_task(task)
    tags = check_tags(tags or {})
    try:
        root.mkdir(parents=True)
    except FileExistsError as error:
        raise ProjectExistsError(
            f"There is something called {str(root)!r} already: cl.load_project({str(root)!r}) opens a project; "
            "or choose another name."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(f"The folder {str(root)!r} can't be made: {reason}.") from error
    try:
        opened = create_project_store(root, name, store, task)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    project = Project(ProjectLocation(root, opened, store))
    if tags:
        opened.set_project(Action("tag project", settings.user), tags=tags)
    return project


def load_project(path: str | os.PathLike[str], *, store: str | None = None) -> Project:
    """Open the project in the folder ``path``.

    Parameters
    ----------
    store : str, optional
        The database's URL, where it isn't the one that the project was created with (another host, a password).

    Raises
    ------
    ProjectNotFoundError
        If there is no project in that folder.
    ProjectError
        If the folder can't be read.
    """
    root = Path(path).expanduser().absolute()
    if root.name == DATABASE and os.path.isfile(root):
        root = root.parent
    try:
        place = open_project(root, store)
    except OSError as error:
        raise ProjectError(f"The folder {str(root)!r} can't be read: {error.strerror}.") from error
    for folder in (place.root, place.root / "images", place.root.parent):
        remove_abandoned(folder)
    settle_orphans(place.store)
    return Project(place)


def unpack_project(
    path: str | os.PathLike[str], into: str | os.PathLike[str] = ".", *, name: str | None = None
) -> Project:
    """Unpack a zip file that ``project.pack`` wrote to a new folder ``<into>/<name>``, and open the project in it.

    Parameters
    ----------
    path : path
        The zip file.
    name : str, optional
        What the project is called here; what it was called unless it is given.

    Raises
    ------
    ArchiveError
        If the file is no packed project, or is damaged, or holds what doesn't belong there. Nothing of it is kept.
    ProjectExistsError
        If there is something of that name; nothing is overwritten.
    """
    return load_project(unpack(path, Path(into).expanduser().absolute(), name))


def list_projects(folder: str | os.PathLike[str] = ".") -> pd.DataFrame:
    """The projects in a folder: name, path, status, task, created, updated; one that can't be opened says why.

    Raises
    ------
    InputError
        If ``folder`` is no folder, or can't be listed.
    """
    rows: list[dict[str, Any]] = []
    try:
        paths = sorted(Path(folder).expanduser().absolute().iterdir())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", error)
        raise InputError(f"folder={os.fspath(folder)!r} can't be listed: {why}.") from error
    for path in paths:
        try:
            if not is_project(path):
                continue
            place = open_project(path)
            record = place.store.project()
            place.store.close()
            rows.append({"name": record.name, "path": str(place.root), "status": record.status, "task": record.task,
                         "created": record.created, "updated": record.updated})  # fmt: skip
        except Exception as error:  # one broken project must not hide the others
            rows.append({"name": path.name, "path": str(path), "status": str(error)})
    return pd.DataFrame(rows, columns=["name", "path", "status", "task", "created", "updated"])
