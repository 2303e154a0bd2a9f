"""Several files that take their places together, when all of them are whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from customlabels_nb._utils.files import replacing, scratch
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.reading import read_bytes

_LONGEST_STEM = 80


class Staged:
    """Files that wait in a hidden folder for the places they shall have; see :func:`staged`."""

    def __init__(self, folder: Path, waiting: Path) -> None:
        self._folder = folder
        self._waiting = waiting
        self._moves: list[tuple[Path, Path]] = []
        self._old: list[Path] = []
        self.issues: list[Issue] = []

    @contextmanager
    def open(self, path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
        """A file that will lie at ``path``; with ``durable`` it outlives a power cut."""
        waiting = self._waiting / str(len(self._moves))
        with waiting.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        self._moves.append((waiting, path))

    def write(self, path: Path, data: bytes, *, durable: bool = False) -> None:
        """Write ``data`` to what will lie at ``path``."""
        with self.open(path, durable=durable) as file:
            file.write(data)

    def copy_image(self, uri: str, path: Path) -> bool:
        """Copy the file of an image to what will lie at ``path``; if it can't be read, add that to ``issues``."""
        try:
            self.write(path, read_bytes(uri))
        except ImageError as error:
            self.issues.append(Issue(error.code, str(error), where=uri))
            return False
        return True

    def remove(self, path: Path) -> None:
        """Remove ``path``, if it is there, after the others have their places."""
        self._old.append(path)

    @property
    def files(self) -> list[Path]:
        """Where the files will lie, in the order in which they were written."""
        return [path for _, path in self._moves]

    def settle(self) -> None:
        """Give the files their places, in the order in which they were written."""
        if self.issues and not self._moves:
            raise InputError(f"None of {len(self.issues):,} images can be copied. {self.issues[0].message}")
        top = os.path.realpath(self._folder)
        for parent in {path.parent for path in (*self.files, *self._old)}:
            if os.path.commonpath([os.path.realpath(parent), top]) != top:
                raise InputError(f"{str(parent)!r} is a link that leads out of {str(self._folder)!r}; remove it.")
        for waiting, path in self._moves:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                waiting.replace(path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with waiting.open("rb") as source, replacing(path) as target:  # another disk is mounted there
                    shutil.copyfileobj(source, target)
        current = set(self.files)
        for path in self._old:
            if path not in current:
                path.unlink(missing_ok=True)


@contextmanager
def staged(folder: Path) -> Iterator[Staged]:
    """Files to write below ``folder``: they take their places when the block ends well, and are gone if it doesn't.

    A full disk is found before anything is replaced. What lists the others is written last, and takes its place last.

    Raises
    ------
    InputError
        If a link in ``folder`` leads out of it.
    OSError
        As writing does; what lies in ``folder`` is then as it was.
    """
    with scratch(folder) as waiting:
        files = Staged(folder, waiting)
        yield files
        files.settle()


def free_name(uri: str, taken: set[str]) -> str:
    """What the copy of an image may be called on any system: its own name where that is free and safe.

    ``taken`` has the names, in small letters, that were given already, and gets this one.
    """
    stem, suffix = os.path.splitext(os.path.basename(uri) or "image")
    stem, suffix = ("".join("_" if c in '\\/:*?"<>|%' or ord(c) < 32 else c for c in part) for part in (stem, suffix))
    stem = stem[:_LONGEST_STEM].strip(". ") or "image"
    name, number = f"{stem}{suffix}", 1
    while name.lower() in taken:  # some file systems take A and a for one
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.lower())
    return name
