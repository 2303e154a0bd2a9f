"""Repeat an action, killed one step later each time, for ``test_killed_at_each_step.py``.

Arguments: the action, a folder. For n = 1, 2, … the folder is copied to ``<folder>-n``, and a fork of this process
works there until its n-th step, which is a system call that changes or opens a file there, or a commit. Ends when a
fork finishes, and prints how many were killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

import customlabels_nb as cl
from tests.datasets.formats.test_half_written import dataset

_STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")


def rename(folder: Path) -> Callable[[], object]:
    """Rename the project ``old``."""
    project = cl.load_project(folder / "old")
    return lambda: project.rename("new")


def pack(folder: Path) -> Callable[[], object]:
    """Pack the project ``old``."""
    project = cl.load_project(folder / "old")
    return lambda: project.pack(folder / "packed.zip", progress=False)


def unpack(folder: Path) -> Callable[[], object]:
    """Unpack ``given.zip``."""
    return lambda: cl.unpack_project(folder / "given.zip", folder / "out")


def export(folder: Path) -> Callable[[], object]:
    """Export the images of the project ``old``."""
    images = cl.load_project(folder / "old").train_set
    return lambda: images.to("image_folder", folder / "out")


def edit(folder: Path) -> Callable[[], object]:
    """Change the project ``old`` by several actions, and count those that have returned in the file ``done``."""
    project = cl.load_project(folder / "old")
    first, second = sorted((folder.parent / "more").glob("*/*"))
    actions: list[Callable[[], object]] = [
        lambda: project.add_images(first, label="pear", copy=True, progress=False),
        lambda: project.add_images(second, label="pear", copy=True, progress=False),
        lambda: project.update("train", project.train_set.relabel("plum")),
        project.undo,
    ]

    def run() -> None:
        for number, action in enumerate(actions, 1):
            action()
            (folder / "done").write_text(str(number))

    return run


def replace(folder: Path) -> Callable[[], object]:
    """Replace a dataset of several files by another."""
    images = [f"s3://bucket/photos/{number}.jpg" for number in range(3)]
    dataset(images, "first", boxes=True).to("voc", folder / "voc")
    return lambda: dataset(images, "second", boxes=True).to("voc", folder / "voc")


ACTIONS = {action.__name__: action for action in (rename, pack, unpack, export, edit, replace)}


def killed_at(step: int, folder: Path) -> None:
    """Kill this process at its ``step``-th step from now on."""
    left = count(step, -1)

    def take(*_: Any) -> None:
        if next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        paths = [os.fspath(value) for value in arguments if isinstance(value, str | os.PathLike)]
        if name in _STEPS and any(path.startswith(f"{folder}/") for path in paths):
            take()

    event.listen(Engine, "commit", take)
    sys.addaudithook(audit)


def main() -> None:
    """Run the action with kills. See the module docstring."""
    action, folder = ACTIONS[sys.argv[1]], Path(sys.argv[2])
    warm = folder.with_name(f"{folder.name}-0")
    shutil.copytree(folder, warm)
    action(warm)()  # imports everything needed
    for number in count(1):
        place = folder.with_name(f"{folder.name}-{number}")
        shutil.copytree(folder, place)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work = action(place)
                killed_at(number, place)
                work()
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            print(number - 1)
            raise SystemExit(os.waitstatus_to_exitcode(ended))


if __name__ == "__main__":
    main()
