"""Where projects lie: names that are safe as folders, and which database belongs to a folder."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from customlabels_nb.core.tables import TASKS
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, NotAllowedError, ProjectNameError, ProjectNotFoundError, StoreError
from customlabels_nb.store import SqlStore, create_store, open_store

POINTER = "project.json"
DATABASE = "project.db"
_NAME = re.compile(r"\w[\w .\-]{0,99}")
_SCHEMA = re.compile(r"customlabels_[0-9a-f]{16}")
#: File systems count bytes, mostly up to 255; versions put a time behind the project's name.
_MOST_BYTES = 200
_LONGEST_DESCRIPTION = 2000
_SECRETS = ("password", "sslpassword", "passwd")


@dataclass
class ProjectLocation:
    """Where a project is now: its folder and its database. A project and its models share one, which moves with it."""

    root: Path
    store: SqlStore
    url: str | None = None  # of the database, with the password, if it was given

    def dataset(self, split: str, *, project: Any = None) -> Dataset:
        """Return a dataset as it is now.

        Parameters
        ----------
        project : Project, optional
            Answers what the dataset asks of its project.
        """
        store = self.store

        def unread() -> list[tuple[str, int, str]]:
            lines = store.import_lines()
            mine = lines.loc[lines["split"] == split, ["source", "line", "raw"]]
            return [(str(source), int(line), str(raw)) for source, line, raw in mine.itertuples(index=False)]

        tables = store.tables_later(split)
        return Dataset.as_stored(*tables, name=split, root=self.root, unread=unread, project=project)


def check_name(name: str) -> str:
    """``name``, if it can name a project or version and a folder.

    Raises
    ------
    ProjectNameError
        If it can't: a name never leads out of the folder it is put in.
    """
    usable = isinstance(name, str) and _NAME.fullmatch(name) and not name.endswith((".", " "))
    if not usable or len(name.encode()) > _MOST_BYTES:
        raise ProjectNameError(
            f"{name!r} can't be a name: use 1 to 100 letters, digits, spaces, '.', '-' and '_', beginning with a "
            "letter or digit. The folder is a second argument: create_project(name, folder)."
        )
    return name


def check_task(task: str | None) -> str | None:
    """``task``, if it is one that there is or None."""
    if task is not None and task not in TASKS:
        raise InputError(f"task={task!r} is not known; use one of {TASKS!r} or None.")
    return task


def new_version_name(place: ProjectLocation, name: str | None = None) -> str:
    """``name`` if no version has it yet, also as its published name; ``<project>.<date>T<time>`` if it is None."""
    versions = place.store.versions()
    taken = {version.name for version in versions} | {version.alias for version in versions}
    folder = place.root / "versions"
    if name is not None:
        if check_name(name) in taken or (folder / name).exists():
            raise NotAllowedError(f"There is a version {name!r} already; choose another name.")
        return name
    stem = f"{place.store.project().name}.{datetime.now().strftime('%Y-%m-%dT%H.%M.%S')}"
    candidates = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(c for c in candidates if c not in taken and not (folder / c).exists())


def check_tags(tags: object) -> dict[str, str]:
    """``tags``, if they are a dict of texts."""
    if not isinstance(tags, dict) or not all(isinstance(text, str) for pair in tags.items() for text in pair):
        raise InputError(f"tags={tags!r} must be a dict of texts, such as {{'stage': 'test'}}.")
    return dict(tags)


def check_description(text: object) -> str:
    """``text`` without spaces around it, if it can describe a version."""
    found = text.strip() if isinstance(text, str) else None
    try:
        storable = found is not None and "\0" not in found and found.encode() is not None
    except UnicodeEncodeError:  # half a surrogate pair
        storable = False
    if found is None or not storable or len(found) > _LONGEST_DESCRIPTION:
        raise InputError(
            f"text={text!r} can't describe a version: use up to {_LONGEST_DESCRIPTION:,} characters of text."
        )
    return found


def is_project(path: Path) -> bool:
    """Return whether a project is in this folder.

    Raises
    ------
    OSError
        If the folder may not be looked into.
    """
    try:
        return (path / DATABASE).is_file() or (path / POINTER).is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def create_project_store(root: Path, name: str, url: str | None, task: str | None) -> SqlStore:
    """The database of a new project: a file in its folder, or a schema of its own behind ``url``."""
    if url is None:
        return create_store(str(root / DATABASE), name, task=task)
    kept = _without_password(url)
    schema = f"customlabels_{uuid4().hex[:16]}"
    store = create_store(url, name, schema=schema, task=task)
    try:
        (root / POINTER).write_text(json.dumps({"store": kept, "schema": schema}) + "\n", "utf-8")
    except BaseException:
        store.destroy()
        raise
    return store


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError("store= is not a database URL, such as 'postgresql://user@host/name'.") from error
    if parsed.get_backend_name() != "postgresql":
        raise InputError(
            f"store={parsed.render_as_string()!r} is no PostgreSQL URL; without one the database is a file in the "
            "project's folder."
        )
    secret = [key for key in parsed.query if key.lower() in _SECRETS]
    # set(password=None) keeps it
    bare = parsed._replace(password=None).difference_update_query(secret)
    return bare.render_as_string(hide_password=False)


def open_project_store(root: Path, url: str | None = None) -> SqlStore:
    """The database of the project in ``root``.

    Raises
    ------
    ProjectNotFoundError
        If there is none.
    """
    if os.path.isfile(root / POINTER):
        kept, schema = _read_pointer(root / POINTER)
        return open_store(url or kept, schema=schema)
    if not os.path.isfile(root / DATABASE):
        near = sorted(path.name for path in root.iterdir() if is_project(path)) if os.path.isdir(root) else []
        hint = f" Projects in it: {near!r}." if near else ""
        raise ProjectNotFoundError(f"There is no project in {str(root)!r}.{hint} create_project(name) makes one.")
    return open_store(str(root / DATABASE))


def _read_pointer(path: Path) -> tuple[str, str]:
    """The database's URL and schema. They are checked: the folder may come from somebody else."""
    try:
        pointer = json.loads(path.read_text("utf-8"))
        url, schema = pointer["store"], pointer["schema"]
        if _SCHEMA.fullmatch(schema) and _without_password(url):
            return url, schema
        reason = f"schema {schema!r} is none of this package's"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
    raise StoreError(f"The project's file {str(path)!r} is damaged ({reason}); load_project opened nothing.")
