"""Start workers that can be killed: everything is imported once, then each worker is a fork of this process.

Reads lines ``mode root`` from standard input, forks a worker for each and prints its pid. The worker prints ``begin``
when it starts to write and ``end`` when it has finished. Run by ``test_killed.py``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import sklearn.linear_model  # noqa: F401
import timm  # noqa: F401
from sqlalchemy import Connection

import customlabels_nb as cl
import customlabels_nb.training.run
from customlabels_nb.store import schema

BATCH = 6


def import_photos(root: Path) -> None:
    """Add all photos in batches, each of which is one action."""
    project = cl.load_project(root)
    photos = sorted((root.parent / "photos").glob("*/*.png"))
    say("begin")
    for start in range(0, len(photos), BATCH):
        project.add_images(photos[start : start + BATCH], label=f"batch {start // BATCH}", progress=False)


def edit(root: Path) -> None:
    """Give all images one label after another, each round as one action."""
    project = cl.load_project(root)
    say("begin")
    for number in range(12):
        project.update("train", project.train_set.relabel(f"round {number}"), note=str(number))


def train(root: Path) -> None:
    """Train a version."""
    project = cl.load_project(root)
    say("begin")
    project.train("v1", progress=False)


def migrate(root: Path) -> None:
    """Open the project with a release whose schema is one version newer."""
    install_next_schema()
    say("begin")
    cl.load_project(root)


def detect(root: Path) -> None:
    """Detect on photos, in the format given by the folder's name, and resume existing results."""
    from customlabels_nb.inference.batch import detect_many
    from customlabels_nb.inference.outputs import LineOutput
    from customlabels_nb.inference.predictor import Predictor

    LineOutput.images_a_step = BATCH
    predictor = Predictor(root.parent / "model")
    predictor.start("cpu")
    say("begin")
    detect_many(predictor, root.parent / "photos", to=root, resume=True)


def install_next_schema() -> None:
    """Turn this process into a release with a slow migration that changes every row."""

    def step(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE images ADD COLUMN rating INTEGER")
        for number in range(40):
            connection.exec_driver_sql("UPDATE images SET rating = ?, status = 'skipped'", (number,))

    schema.MIGRATIONS[schema.SCHEMA_VERSION] = step
    schema.SCHEMA_VERSION += 1


MODES: dict[str, Callable[[Path], None]] = {
    "import": import_photos, "edit": edit, "train": train, "migrate": migrate, "detect": detect,
}  # fmt: skip


def say(word: object) -> None:
    """Write one line and flush it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the workers. See the module docstring."""
    say("ready")
    for line in sys.stdin:
        mode, root = line.rstrip("\n").split(" ", 1)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                say(f"pid {os.getpid()}")
                MODES[mode](Path(root))
                status = 0
            finally:
                say("end")
                os._exit(status)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
