"""Write several files atomically: stage them in a temporary folder, then move them all into place."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from customlabels_nb._utils.files import folded, portable_name, replacing, scratch
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.decoding import file_suffix
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import read_bytes

_MOST_BYTES = 80  # of the stem and the suffix of a copy's name
_SPARE = 8  # for a number, so that the name of a copy is never shortened again
# percent signs, which some readers decode, and control characters and line breaks, which lists of names cannot hold
_ODD = re.compile("[%\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_EDGES = re.compile(r"^[\s.]+|[\s.]+$")


class Staged:
    """Files in a hidden staging folder that are moved to their final paths together by :func:`staged`."""

    def __init__(self, folder: Path, waiting: Path) -> None:
        self._folder = folder
        self._waiting = waiting
        self._moves: list[tuple[Path, Path]] = []
        self._old: list[Path] = []
        self.issues: list[Issue] = []

    @contextmanager
    def open(self, path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
        """Open a staged file for ``path`` for writing. With ``durable``, it is flushed to disk (fsync) at the end."""
        waiting = self._waiting / str(len(self._moves))
        with waiting.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        self._moves.append((waiting, path))

    def write(self, path: Path, data: bytes, *, durable: bool = False) -> None:
        with self.open(path, durable=durable) as file:
            file.write(data)

    def copy_image(self, uri: str, folder: Path, taken: dict[str, int]) -> Path | None:
        """Stage a copy of an image in ``folder``, with a :func:`free_name`. On failure, record an issue.

        No file with another content is replaced, such as an image of another export to the same folder.
        """
        try:
            data = read_bytes(uri)
        except ImageError as error:
            self.issues.append(Issue(error.code, str(error), where=uri))
            return None
        suffix = os.path.splitext(_file_name(uri))[1]
        if suffix.lower() not in IMAGE_SUFFIXES:  # as of many URLs: other programs leave out such files
            with suppress(ImageError):
                suffix = file_suffix(data, uri)
        path = folder / free_name(uri, taken, suffix)
        while os.path.lexists(path) and not (path.is_file() and path.read_bytes() == data):
            path = folder / free_name(uri, taken, suffix)
        self.write(path, data)
        return path

    def remove(self, path: Path) -> None:
        """Delete ``path``, if it exists, after the staged files are in place."""
        self._old.append(path)

    def ignores_case(self) -> bool:
        """Check whether the disk has the same files under names in lower and in upper case."""
        return os.path.lexists(self._waiting.with_name(self._waiting.name.upper()))

    @property
    def files(self) -> list[Path]:
        return [path for _, path in self._moves]

    def settle(self) -> None:
        """Move the staged files to their final paths, in the order in which they were written."""
        if self.issues and not self._moves:
            raise InputError(f"No image can be copied (0 of {len(self.issues):,}). {self.issues[0].message}")
        top = self._folder.resolve()
        for parent in {path.parent for path in (*self.files, *self._old)}:
            if not parent.resolve().is_relative_to(top):
                raise InputError(f"{str(parent)!r} is a symlink pointing outside {str(self._folder)!r}. Remove it.")
        for waiting, path in self._moves:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                waiting.replace(path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with waiting.open("rb") as source, replacing(path) as target:  # the target is on another disk
                    shutil.copyfileobj(source, target)
        current = set(self.files)
        for path in self._old:
            if path not in current:
                path.unlink(missing_ok=True)


@contextmanager
def staged(folder: Path) -> Iterator[Staged]:
    """Stage files in ``folder``: move them into place when the block succeeds, delete them when it fails.

    A full disk is detected before anything is replaced. Files are moved as they were written, so write indexes last.
    """
    with scratch(folder) as waiting:
        files = Staged(folder, waiting)
        yield files
        files.settle()


def free_name(uri: str, taken: dict[str, int], suffix: str | None = None) -> str:
    """Return a file name for the copy of an image that is valid on any system, with a :func:`free_stem`."""
    return free_stem(uri, taken) + _safe(os.path.splitext(_file_name(uri))[1] if suffix is None else suffix)


def free_stem(uri: str, taken: dict[str, int]) -> str:
    """Return the stem of an image as a valid file name on any system, unique because programs find images by it.

    It is added to ``taken``, which holds the last number that was added to each stem.
    """
    first = stem = portable_stem(uri)
    while folded(stem) in taken:
        taken[folded(first)] += 1
        stem = f"{first}-{taken[folded(first)]}"
    taken[folded(stem)] = 1
    return stem


def portable_stem(uri: str) -> str:
    """Return the file name of an image without its extension, with other characters for those not valid anywhere."""
    return portable_name(_EDGES.sub("", _safe(os.path.splitext(_file_name(uri))[0]))) or "image"


def _file_name(uri: str) -> str:
    plain = uri.partition("?")[0] if is_remote(uri) else uri
    plain = plain.partition("#")[0] if uri.lower().startswith(("http://", "https://")) else plain
    return portable_name(os.path.basename(plain)) or "image"


def _safe(part: str) -> str:
    plain = _ODD.sub("_", part)
    if len(plain.encode()) <= _MOST_BYTES:
        return plain
    return plain.encode()[: _MOST_BYTES - _SPARE].decode(errors="ignore")
