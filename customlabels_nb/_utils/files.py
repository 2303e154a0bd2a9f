"""Paths as people type them, and files that are whole or not there."""

from __future__ import annotations

import os
import shutil
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

_PREFIX = ".clnb-"
# a network file system may not show the locks of other machines: each trusts only those of its own name
_OURS = f"{_PREFIX}{zlib.crc32(socket.gethostname().encode()):08x}-"
_ABANDONED_SECONDS = 7 * 24 * 3600


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


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Make a hidden folder in ``folder`` that goes when the block ends; remove those that killed processes left."""
    remove_abandoned(folder)
    path, lock = folder, None
    try:
        while path == folder or not path.exists():  # another process may remove it before it is locked
            if lock is not None:
                os.close(lock)
            path = folder / f"{_OURS}{uuid4().hex[:12]}.part"
            path.mkdir(0o700)
            lock = _lock(path, wait=True)
        yield path
    finally:
        if path != folder:
            shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_abandoned(folder: Path) -> None:
    """Remove what :func:`scratch` made in ``folder`` for processes that are dead.

    Those of this machine are known by their locks. Of other machines, and where there are no locks, only age can tell.
    """
    for path in folder.glob(f"{_PREFIX}*.part"):
        lock = _lock(path) if path.name.startswith(_OURS) else None
        with suppress(OSError):
            if lock is not None or time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path, *, wait: bool = False) -> int | None:
    """Lock a folder until the process ends; return None if another process has it, or it can't be locked here."""
    try:
        import fcntl

        opened = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return None
    with suppress(OSError):
        fcntl.flock(opened, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return opened
    os.close(opened)
    return None
