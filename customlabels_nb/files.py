"""Paths as people type them, and files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


def expand_home(path: str) -> str:
    """``path`` with the home folder for a leading ``~``, unless something of that very name is here."""
    return os.path.expanduser(path) if path.startswith("~") and not os.path.lexists(path) else path


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write to, beside ``path``, that takes its place when the block ends well and goes if it doesn't.

    Parameters
    ----------
    path : Path
        Its folder must be there.
    durable : bool
        Wait until the bytes are on the disk, so that they survive a power cut, too.

    Raises
    ------
    OSError
        As writing does; ``path`` is then as it was.
    """
    temporary = path.with_name(f".{uuid4().hex[:12]}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``; see :func:`replacing`."""
    with replacing(path) as file:
        file.write(data)
