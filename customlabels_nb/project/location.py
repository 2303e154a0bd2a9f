"""Locate projects: validate their names, and create and open the database of a project folder."""

from __future__ import annotations

import difflib
import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from customlabels_nb._utils.files import is_disk_full, portable_name, scratch, why_not_written
from customlabels_nb.core.tables import TASKS
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import (
    CustomLabelsError,
    InputError,
    NotAllowedError,
    ProjectError,
    ProjectExistsError,
    ProjectNameError,
    ProjectNotFoundError,
    StoreError,
)
from customlabels_nb.project.former_endpoints_file import move_endpoints_file
from customlabels_nb.store import Action, SqlStore, create_store, open_store
from customlabels_nb.user_settings import settings

POINTER = "project.json"
DATABASE = "project.db"
#: File in a project's folder with the images of stored predictions, up to format 1.0 with all that endpoints noted.
STORED_PREDICTIONS = "endpoints.db"
#: Folder beside projects with the files of the HTTP endpoints themselves, such as access keys.
STATE_FOLDER = ".endpoints"
_GENERATED = "generated version name"  # setting: start and number of the last one
_NAME = re.compile(r"\w[\w .\-]{0,99}")
_SCHEMA = re.compile(r"customlabels_[0-9a-f]{16}")
#: File systems limit names to 255 bytes or so, and version names append a time to the project's name.
_MOST_BYTES = 200
#: Errors for a path where nothing can be. EINVAL is Windows' for a character that no name may have.
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
_LONGEST_DESCRIPTION = 2000
_MOST_COMPARED = 20  # files and folders that may be a project with a similar name
_SECRETS = ("password", "sslpassword", "passwd")


@dataclass
class ProjectLocation:
    """Current folder and database of a project, shared by the project and its models."""

    root: Path
    store: SqlStore
    url: str | None = None  # database URL including the password, if one was given

    def dataset(self, split: str, *, project: Any = None) -> Dataset:
        store = self.store

        def unread() -> list[tuple[str, int, str]]:
            lines = store.import_lines()
            mine = lines.loc[lines["split"] == split, ["source", "line", "raw"]]
            return [(str(source), int(line), str(raw)) for source, line, raw in mine.itertuples(index=False)]

        tables = store.tables_later(split)
        return Dataset.as_stored(
            *tables, name=split, root=self.root, unread=unread, longer=store.longer_files, project=project
        )


def check_name(name: str, argument: str = "name", advice: str = "") -> str:
    """Return ``name`` if it is valid for a project or version, and so cannot refer outside the parent folder."""
    usable = isinstance(name, str) and _NAME.fullmatch(name) and portable_name(name) == name
    if not usable or len(name.encode()) > _MOST_BYTES:
        raise ProjectNameError(
            f"{argument}={name!r} is not a valid name. Use 1 to 100 letters, digits, spaces, '.', '-' and '_', "
            f"starting with a letter or digit.{advice}"
        )
    return name


def check_task(task: str | None) -> str | None:
    if task is not None and task not in TASKS:
        raise InputError(f"task={task!r} is not a known task. Use one of {TASKS!r} or None.")
    return task


def new_version_name(
    location: ProjectLocation, name: str | None = None, *, clock: Callable[[], datetime] = datetime.now
) -> str:
    """Check that no version or alias is called ``name``, or generate ``<project>.<date>T<time>`` if it is None."""
    versions = location.store.versions()
    taken = {name for version in versions if not version.is_reserved for name in (version.name, version.alias)}
    folder = location.root / "versions"
    if name is not None:
        if check_name(name) in taken or (folder / name).exists():
            raise NotAllowedError(f"Version {name!r} already exists. Choose another name.")
        return name
    stem = f"{location.store.project().name}.{clock().strftime('%Y-%m-%dT%H.%M.%S')}"

    def numbered(number: int) -> str:
        return stem if number == 1 else f"{stem}-{number}"

    def next_free(last: list[Any] | None) -> list[Any]:
        # a version is only stored after long checks, during which another kernel may need a name
        first = last[1] + 1 if last and last[0] == stem else 1
        free = (n for n in count(first) if numbered(n) not in taken and not (folder / numbered(n)).exists())
        return [stem, next(free)]

    return numbered(location.store.change_setting(_GENERATED, next_free)[1])


def check_tags(tags: object) -> dict[str, str]:
    if not isinstance(tags, dict) or not all(isinstance(text, str) for pair in tags.items() for text in pair):
        raise InputError(f"tags={tags!r} must be a dict of strings, such as {{'stage': 'test'}}.")
    return dict(tags)


def check_description(text: object) -> str:
    """Return ``text`` without surrounding whitespace, if it is a valid description."""
    stripped = storable_text(text, _LONGEST_DESCRIPTION)
    if stripped is None:
        raise InputError(
            f"text={text!r} is not a valid description. Use up to {_LONGEST_DESCRIPTION:,} characters of text."
        )
    return stripped


def storable_text(text: object, longest: int) -> str | None:
    """Return ``text`` without surrounding whitespace, or None if databases cannot store it or it is too long."""
    if not isinstance(text, str) or re.search("[\0\ud800-\udfff]", text):  # such as half a surrogate pair
        return None
    stripped = text.strip()
    return stripped if len(stripped) <= longest else None


def is_project(path: Path) -> bool:
    """Check whether a folder contains a project, or raise OSError if its files may not be seen.

    ``Path.is_file`` returns False then, from Python 3.14 on.
    """
    for file in (path / DATABASE, path / POINTER):
        try:
            if stat.S_ISREG(file.stat().st_mode):
                return True
        except ValueError:  # a null character
            return False
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
    return False


@contextmanager
def new_project_folder(root: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes the project folder ``root`` at the end of the block.

    Until then it is in a hidden folder beside ``root``. If the process is killed, there is no partial project, and the
    next project that is created or opened beside it removes the hidden folder.
    """
    try:
        if os.path.lexists(root):
            raise FileExistsError
        root.parent.mkdir(parents=True, exist_ok=True)
        with scratch(root.parent) as hidden:
            folder = hidden / "project"
            folder.mkdir()
            yield folder
            if os.path.lexists(root):  # an empty folder would be replaced
                raise FileExistsError
            folder.rename(root)
    except (OSError, ValueError, StoreError) as error:
        if isinstance(error, CustomLabelsError) and not (isinstance(error, StoreError) and is_disk_full(error)):
            raise
        if os.path.lexists(root):
            what = f"{str(root)!r} already exists. Nothing was overwritten. Choose another name or folder."
            raise ProjectExistsError(what) from error
        reason = why_not_written(error)
        raise ProjectError(f"Cannot create the folder {str(root)!r}: {reason}. Nothing was created.") from error


def create_project_store(root: Path, name: str, url: str | None, task: str | None, tags: dict[str, str]) -> None:
    """Create the database of a new project: a file in its folder, or a separate schema in the database at ``url``."""
    if url is None:
        store = create_store(str(root / DATABASE), name, task=task)
    else:
        kept = _without_password(url)
        schema = f"customlabels_{uuid4().hex[:16]}"
        store = create_store(url, name, schema=schema, task=task)
    try:
        if url is not None:
            (root / POINTER).write_text(json.dumps({"store": kept, "schema": schema}) + "\n", "utf-8")
        if tags:
            store.set_project(Action("tag project", settings.user), tags=tags)
    except BaseException:
        store.destroy()
        raise
    store.close()


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError("store= is not a database URL, such as 'postgresql://user@host/name'.") from error
    if parsed.get_backend_name() != "postgresql":
        raise InputError(
            f"store={parsed.render_as_string()!r} is not a PostgreSQL URL. Without store=, the database is a file in "
            "the project's folder."
        )
    secret = [key for key in parsed.query if key.lower() in _SECRETS]
    # URL.set(password=None) would keep the password
    bare = parsed._replace(password=None).difference_update_query(secret)
    return bare.render_as_string(hide_password=False)


def open_project_store(root: Path, url: str | None = None) -> SqlStore:
    """Open the database of a project, with what endpoints once kept in a file beside it."""
    store = _open_store(root, url)
    try:
        move_endpoints_file(root / STORED_PREDICTIONS, store)
    except BaseException:
        store.close()
        raise
    return store


def _open_store(root: Path, url: str | None) -> SqlStore:
    if os.path.isfile(root / POINTER):
        kept, schema = _read_pointer(root / POINTER)
        return open_store(url or kept, schema=schema)
    if not os.path.isfile(root / DATABASE):
        inside = sorted(path.name for path in root.iterdir() if is_project(path)) if os.path.isdir(root) else []
        hint = f" It contains the projects {inside!r}." if inside else ""
        if not inside and (near := _similar_projects(root)):
            hint = f" Did you mean {' or '.join(map(repr, near))}?"
        advice = "create_project(name) creates one."
        if url is not None:
            advice = "Copy the folder that create_project(…, store=…) has made to this computer."
        raise ProjectNotFoundError(f"There is no project in {str(root)!r}.{hint} {advice}")
    return open_store(str(root / DATABASE))


def _similar_projects(root: Path) -> list[str]:
    """Return up to three projects beside ``root`` with a similar folder name, the most similar first."""
    try:
        beside: dict[str, str] = {}
        for name in os.listdir(root.parent):
            beside.setdefault(name.casefold(), name)
        similar = difflib.get_close_matches(root.name.casefold(), list(beside), n=_MOST_COMPARED)
        return [beside[name] for name in similar if is_project(root.parent / beside[name])][:3]
    except OSError:  # the hint is not worth another error
        return []


def _read_pointer(path: Path) -> tuple[str, str]:
    """Read the URL and schema of the database, and validate them, as the folder may come from someone else."""
    try:
        pointer = json.loads(path.read_text("utf-8"))
        url, schema = pointer["store"], pointer["schema"]
        if _SCHEMA.fullmatch(schema) and _without_password(url):
            return url, schema
        reason = f"unknown schema {schema!r}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
    raise StoreError(f"The project file {str(path)!r} is damaged ({reason}). The project was not opened.")
