"""Create, open, unpack and list projects."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb._utils.files import remove_abandoned
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb._utils.user_code import users_level
from customlabels_nb.errors import InputError, ProjectError, ProjectExistsError, StoreError
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
    new_project_folder,
    open_project_store,
)
from customlabels_nb.project.project import Project
from customlabels_nb.store import SqlStore
from customlabels_nb.store.network_disks import warning_for
from customlabels_nb.training.status import settle_orphans

if TYPE_CHECKING:
    from customlabels_nb.core.tables import Task


@names_arguments
def create_project(
    name: str,
    folder: str | os.PathLike[str] = ".",
    *,
    task: Task | None = None,
    store: str | None = None,
    tags: dict[str, str] | None = None,
    exist_ok: bool = False,
) -> Project:
    """Create a new project in the folder ``<folder>/<name>``, or open the existing one with ``exist_ok=True``.

    Parameters
    ----------
    name : str
        1 to 100 letters, digits, spaces, ``.``, ``-`` and ``_``, starting with a letter or digit.
    folder : path
        Folder to create the project's folder in. By default the current folder.
    task : {"single-label", "multi-label", "boxes", "polygons"}, optional
        Annotation task. If it is not given, widgets assume one label per image until it is chosen there.
    store : str, optional
        URL of a PostgreSQL database, for a team. The password in the URL is not stored: when the project is loaded
        again, it is read from the environment or ``.pgpass``. Others open a copy of the project's folder with
        :func:`load_project`. By default, the database is an SQLite file in the project folder.
    tags : dict, optional
        Tags of a new project, a dict of str to str.
    exist_ok : bool
        Open the project if it already exists, so that a notebook can be run again. Nothing in it is changed.

    Raises
    ------
    ProjectNameError
        If the name is not valid.
    ProjectExistsError
        If a file or folder of that name already exists. With ``exist_ok``, only if it is not a project, or if its task
        is not ``task``. Nothing is overwritten.
    ProjectError
        If the folder cannot be created.
    StoreError
        If SQLite does not work on the disk of the folder, such as a mounted drive without file locks.

    Examples
    --------
    >>> project = cl.create_project("kitchens", task="single-label", tags={"client": "Smith"})
    >>> project.add_images(photos, labels_from="folders", progress=False).added
    9
    >>> again = cl.create_project("kitchens", task="single-label", exist_ok=True)
    >>> len(again.train_set)
    9
    """
    advice = " Pass the folder as the second argument: create_project(name, folder)."
    root = Path(folder).expanduser().absolute() / check_name(name, advice=advice)
    check_task(task)
    tags = check_tags(tags or {})
    try:
        with new_project_folder(root) as hidden:
            create_project_store(hidden, name, store, task, tags)
    except ProjectExistsError as error:
        if is_project(root):
            if exist_ok:
                return _reopen(root, task, store)
            advice = f"Open it with cl.load_project({str(root)!r}) or exist_ok=True"
        else:
            advice = "It is not a project. Remove it"
        raise ProjectExistsError(f"{str(root)!r} already exists. {advice}, or choose another name.") from error
    except StoreError as error:
        if store is not None or (warning := warning_for(root)) is None:
            raise
        raise StoreError(
            f"SQLite does not work there, because the disk lacks file locks or shared memory. {warning}"
        ) from error
    opened = open_project_store(root, store)
    _warn_of_network_disk(root, opened)
    return Project(ProjectLocation(root, opened, store))


def _reopen(root: Path, task: str | None, store: str | None) -> Project:
    """Open an existing project whose task is ``task``, if one is given and the project has one."""
    project = load_project(root, store=store)
    if task is not None and project.task not in (None, task):
        there = project.task
        project.close()
        raise ProjectExistsError(
            f"{str(root)!r} already exists with task={there!r}, not task={task!r}. Leave out task= to open it, or "
            "choose another name."
        )
    return project


@names_arguments
def load_project(
    path: str | os.PathLike[str], folder: str | os.PathLike[str] = ".", *, store: str | None = None
) -> Project:
    """Open the project in the folder ``path``, or ``<folder>/<path>`` as in :func:`create_project`.

    Parameters
    ----------
    path : path
        Project folder, or its name in ``folder``.
    folder : path
        Folder that a relative ``path`` starts from. By default the current folder.
    store : str, optional
        URL of the database, if it differs from the URL that is stored in the project (a different host, or a password).
        On another computer, first copy the project's folder there.

    Raises
    ------
    ProjectNotFoundError
        If the folder has no project. The message names projects with a similar name.
    ProjectError
        If the folder cannot be read.

    Examples
    --------
    >>> cl.load_project(project.root)
    Project('rooms': train 12, test 6 images; 3 labels; 1 version)
    >>> cl.load_project("rooms", project.root.parent).name
    'rooms'
    """
    root = Path(folder).expanduser().absolute() / Path(path).expanduser()
    if root.name == DATABASE and os.path.isfile(root):
        root = root.parent
    try:
        location = open_project(root, store)
    except OSError as error:
        raise ProjectError(f"Cannot read the folder {str(root)!r}: {error.strerror}.") from error
    for folder in (location.root, location.root / "images", location.root.parent):
        remove_abandoned(folder)
    settle_orphans(location.store)
    _warn_of_network_disk(location.root, location.store)
    return Project(location)


def _warn_of_network_disk(root: Path, store: SqlStore) -> None:
    """Warn about an SQLite database on a network disk, which several computers could damage."""
    location, schema = store.location
    warning = warning_for(root) if schema is None and "://" not in location else None
    if warning is not None:
        warnings.warn(warning, stacklevel=users_level())


@names_arguments
def unpack_project(
    path: str | os.PathLike[str], folder: str | os.PathLike[str] = ".", *, name: str | None = None
) -> Project:
    """Unpack a zip file written by ``project.pack`` into a new folder ``<folder>/<name>`` and open the project.

    Assist and automatic refreshes are switched off in it, so opening it neither starts a training nor requests a URL.

    Parameters
    ----------
    path : path
        Zip file to unpack.
    folder : path
        Folder to create the project's folder in. By default the current folder.
    name : str, optional
        Name of the unpacked project. By default its original name.

    Raises
    ------
    ArchiveError
        If the file is not a packed project, is damaged, or contains unexpected files. In that case, nothing is
        unpacked.
    ProjectExistsError
        If a file or folder of that name already exists. Nothing is overwritten.

    Examples
    --------
    >>> packed = project.pack("rooms.zip", versions=False, progress=False)
    >>> cl.unpack_project("rooms.zip", name="rooms-copy")
    Project('rooms-copy': train 12, test 6 images; 3 labels; 0 versions)
    """
    return load_project(unpack(path, Path(folder).expanduser().absolute(), name))


@names_arguments
def list_projects(folder: str | os.PathLike[str] = ".") -> pd.DataFrame:
    """List the projects in a folder as a table: name, path, status, task, created, updated.

    For a project that cannot be opened, the status is the error message.

    Raises
    ------
    InputError
        If ``folder`` is not a folder or cannot be listed.

    Examples
    --------
    >>> kitchens = cl.create_project("kitchens")
    >>> gardens = cl.create_project("gardens", task="boxes")
    >>> cl.list_projects()["name"].tolist()
    ['gardens', 'kitchens']
    """
    rows: list[dict[str, Any]] = []
    try:
        paths = sorted(Path(folder).expanduser().absolute().iterdir())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", error)
        raise InputError(f"Cannot list folder={os.fspath(folder)!r}: {why}.") from error
    for path in paths:
        try:
            if not is_project(path):
                continue
            location = open_project(path)
            record = location.store.project()
            location.store.close()
            rows.append({"name": record.name, "path": str(location.root), "status": record.status, "task": record.task,
                         "created": record.created, "updated": record.updated})  # fmt: skip
        except Exception as error:  # a broken project must not hide the others
            rows.append({"name": path.name, "path": str(path), "status": str(error)})
    return pd.DataFrame(rows, columns=["name", "path", "status", "task", "created", "updated"])
