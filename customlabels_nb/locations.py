"""Where projects lie: names that are safe as folders, and which database belongs to a folder."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

from customlabels_nb.errors import ProjectNameError, ProjectNotFoundError
from customlabels_nb.store import Store, create_store, open_store

POINTER = "project.json"
_DATABASE = "project.db"
_NAME = re.compile(r"\w[\w .\-]{0,99}")


def check_name(name: str) -> str:
    """``name``, if it can name a project or version and a folder.

    Raises
    ------
    ProjectNameError
        If it can't: a name never leads out of the folder it is put in.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith((".", " ")):
        raise ProjectNameError(
            f"{name!r} can't be a name: use 1 to 100 letters, digits, spaces, '.', '-' and '_', beginning with a letter "
            "or digit. The folder is a second argument: create_project(name, folder)."
        )
    return name


def is_project(path: Path) -> bool:
    """Whether a project lies in this folder."""
    return path.is_dir() and ((path / _DATABASE).is_file() or (path / POINTER).is_file())


def create_project_store(root: Path, name: str, url: str | None, task: str | None) -> Store:
    """The database of a new project: a file in its folder, or a schema of its own behind ``url``."""
    if url is None:
        return create_store(str(root / _DATABASE), name, task=task)
    schema = f"customlabels_{sha256(str(root).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    store = create_store(url, name, schema=schema, task=task)
    without_password = re.sub(r"(://[^:/@]*):[^@]*@", r"\1@", url)
    (root / POINTER).write_text(json.dumps({"store": without_password, "schema": schema}) + "\n", "utf-8")
    return store


def open_project_store(root: Path, url: str | None = None) -> Store:
    """The database of the project in ``root``.

    Raises
    ------
    ProjectNotFoundError
        If there is none.
    """
    if (root / POINTER).is_file():
        pointer = json.loads((root / POINTER).read_text("utf-8"))
        return open_store(url or pointer["store"], schema=pointer["schema"])
    if not (root / _DATABASE).is_file():
        near = sorted(path.name for path in root.iterdir() if is_project(path)) if root.is_dir() else []
        hint = f" Projects in it: {near!r}." if near else ""
        raise ProjectNotFoundError(f"There is no project in {str(root)!r}.{hint} create_project(name) makes one.")
    return open_store(str(root / _DATABASE))
