"""Create or unpack a project in forks that are killed at one call after another, run by ``test_killed_creation.py``.

Arguments: "create", "unpack" or "serve", 1 to be killed at each call or 5 at every fifth, and an empty folder. Prints
the number of calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

import customlabels_nb as cl
from customlabels_nb.endpoints.project_folders import ServingOptions
from customlabels_nb.endpoints.rekognition.buckets import Buckets
from customlabels_nb.endpoints.rekognition.project_operations import create_project_operation
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, Workspace
from customlabels_nb.errors import ProjectExistsError, ProjectNotFoundError
from customlabels_nb.project.project import Project

_CALLS = ("open", "os.", "shutil.", "sqlite3.", "fcntl.")


def die_at(number: int) -> None:
    """Kill this process at its call with this number of the file system or the database."""
    numbers = count(1)

    def call(name: str, *arguments: object) -> None:
        if name.startswith(_CALLS) and next(numbers) == number:
            os.kill(os.getpid(), 9)

    sys.addaudithook(call)
    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, lambda *arguments, **named: call("sqlite3."))


def finished(folder: Path, number: int, create: Callable[..., Project]) -> Project:
    """Do what a person may do after the kill: call it again, with or without ``exist_ok``, or load the project."""
    if number % 3 == 0:
        return create(exist_ok=True)
    first, second = (cl.load_project, create) if number % 3 == 1 else (create, cl.load_project)
    for call in (first, second):
        try:
            return call() if call is create else cl.load_project(folder / "fruit")
        except (ProjectExistsError, ProjectNotFoundError):
            continue
    raise AssertionError(f"neither {first} nor {second} opens the project")


def main(kind: str, every: int, folder: Path) -> None:
    """Kill at every call of this number until there are no more. See the module docstring."""
    work, archive = folder / "work", folder / "fruit.zip"
    facts: dict[str, Any] = {"task": "boxes", "tags": {"team": "a"}}
    original = cl.create_project("fruit", folder, **facts)
    original.pack(archive, progress=False)
    original.close()

    def create(exist_ok: bool = False) -> Project:
        if kind == "create":
            return cl.create_project("fruit", work, **facts, exist_ok=exist_ok)
        try:
            return cl.unpack_project(archive, work)
        except ProjectExistsError:
            return cl.load_project(work / "fruit")

    def serve() -> Project:
        """Create the project as a client of the endpoint, unless it lists the project already."""
        workspace = Workspace(work, "1" * 12, ServingOptions(), Buckets("console"))
        if not workspace.projects():
            request = {"ProjectName": "fruit", "Tags": facts["tags"]}
            create_project_operation(RekognitionCall("CreateProject", workspace, {}, "", b""), request)
        (served,) = workspace.projects()
        assert served.name == "fruit"
        served.project.task = facts["task"]
        workspace.close()
        return cl.load_project(work / "fruit")

    for number in count(every, every):
        work.mkdir()
        (work / "mine.txt").write_text("mine")
        child = os.fork()
        if child == 0:
            die_at(number)
            serve() if kind == "serve" else create()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        project = serve() if kind == "serve" else finished(work, number, create)
        assert (project.name, project.task, project.tags) == ("fruit", "boxes", {"team": "a"}), number
        project.labels.add("apple")
        assert sorted(os.listdir(work)) == ["fruit", "mine.txt"], (number, os.listdir(work))
        project.delete(confirm=True)
        (work / "mine.txt").unlink()
        work.rmdir()
        if status == 0:
            print(number)
            return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
