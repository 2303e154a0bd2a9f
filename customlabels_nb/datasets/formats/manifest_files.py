"""The lines of a manifest: of a file, of something that fsspec reads, or in memory."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from customlabels_nb.core.issues import CODES
from customlabels_nb.errors import ImageError, ManifestError
from customlabels_nb.images.reading import is_remote, read_bytes, to_path, to_uri

#: A line is read no further than this many bytes, so that a file without line ends can't fill the memory.
LONGEST_LINE = 2**27
_BLOCK = 2**20
UNUSABLE = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
REFUSED = "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET"


class LineSource(Protocol):
    """Lines that can be iterated over again and again, and what findings call where they are from."""

    @property
    def name(self) -> str:
        """A path, URL, or whatever the user calls it."""

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class ManifestLines:
    """The lines of a manifest that is no file.

    Attributes
    ----------
    name : str
        How findings call it.
    lines : sequence of bytes
        Without line ends.
    """

    name: str
    lines: Sequence[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.lines)


class ManifestFile:
    """The lines of a manifest file, without ``\\n`` at their ends and byte order mark at the start.

    Parameters
    ----------
    path : path or URL

    Raises
    ------
    ManifestError
        If it isn't there or may not be read; a pipe or a device is never waited for.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._bytes = b""
        try:
            if is_remote(self.path):
                self.name = self.path
                self._bytes = read_bytes(self.path)
                self.size = len(self._bytes)
                return
            self.name = to_uri(to_path(self.path))
            if not os.path.isfile(to_path(self.path)):
                raise OSError("there is no such file" if not os.path.exists(to_path(self.path)) else "it is no file")
            with self._open():
                self.size = os.path.getsize(to_path(self.path))
        except (OSError, ValueError) as error:
            raise _error(self.path, error) from error

    def __iter__(self) -> Iterator[bytes]:
        with self._open() as file:
            if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                file.seek(0)
            parts: list[bytes] = []  # of a line that goes on in the next block
            while block := file.read(_BLOCK):
                *lines, rest = block.split(b"\n")
                if lines:
                    yield b"".join([*parts, lines[0]])
                    yield from lines[1:]
                    parts.clear()
                parts.append(rest)
                if sum(map(len, parts)) > LONGEST_LINE:
                    yield b"".join(parts)
                    parts.clear()
                    _skip_line(file)
            if line := b"".join(parts):
                yield line

    def _open(self) -> BinaryIO:
        return io.BytesIO(self._bytes) if is_remote(self.path) else open(to_path(self.path), "rb")


def _skip_line(file: BinaryIO) -> None:
    while block := file.read(_BLOCK):
        if (end := block.find(b"\n")) >= 0:
            file.seek(end + 1 - len(block), os.SEEK_CUR)
            return


def _error(path: str, error: Exception) -> ManifestError:
    refused = isinstance(error, ImageError) and isinstance(error.__cause__, PermissionError)
    code = REFUSED if refused and path.startswith("s3://") else UNUSABLE
    why = error.reason if isinstance(error, ImageError) else error
    return ManifestError(f"{path!r}: {CODES[code]} ({why})", code)


def lines_numbered(source: LineSource, numbers: Container[int]) -> Iterator[tuple[int, bytes]]:
    """Those lines of ``source`` that have one of the ``numbers`` (from 1)."""
    for number, raw in enumerate(source, 1):
        if number in numbers:
            yield number, raw


def without_end(raw: bytes) -> bytes:
    """The line without its line end."""
    return raw.removesuffix(b"\n").removesuffix(b"\r")
