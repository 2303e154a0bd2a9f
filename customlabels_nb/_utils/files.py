"""Atomic file writes, locks, temporary folders, and file names that are valid on all systems."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import time
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from customlabels_nb.errors import CustomLabelsError, InputError, StoreError

_PREFIX = ".clnb-"
# a network file system may not show other machines' locks, so a machine relies on locks only for folders it created
_OURS = f"{_PREFIX}{zlib.crc32(socket.gethostname().encode()):08x}-"
_ABANDONED_SECONDS = 7 * 24 * 3600
# Windows refuses to replace a file that another program, such as a virus scanner, has open for a moment
_REPLACE_PAUSES = (0.05, 0.2, 1.0) if os.name == "nt" else ()
_LOCKED_BYTE = 2**31 - 2  # after the end of all locked files, because nobody else can read a locked byte on Windows
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]')
_DEVICE = re.compile(r"\A(con|prn|aux|nul|com\d|lpt\d)(?= *(?:\.|$))", re.IGNORECASE)


def expand_home(path: str) -> str:
    """Replace a leading ``~`` with the home folder, unless a file of exactly that name exists."""
    return os.path.expanduser(path) if path.startswith("~") and not os.path.lexists(path) else path


@contextmanager
def replacing(path: Path, *, durable: bool = True, via: Path | None = None) -> Iterator[BinaryIO]:
    """Write a file atomically, through a temporary file. ``durable`` waits until the data is on the disk.

    The temporary file is beside the file, or in the folder ``via`` of the same disk, such as one of :func:`scratch`,
    which is deleted if the process is killed.
    """
    temporary = (path.parent if via is None else via) / f".{uuid4().hex[:12]}.part"
    try:
        with temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _replace(source: Path, target: Path) -> None:
    for pause in _REPLACE_PAUSES:
        with suppress(PermissionError):
            source.replace(target)
            return
        time.sleep(pause)
    source.replace(target)


def portable_name(name: str) -> str:
    """Return a file name without characters, endings and names of devices that Windows does not allow."""
    return _DEVICE.sub(r"\1_", _UNSAFE.sub("_", name).rstrip(". "))


def folded(name: str) -> str:
    """Return a key that is equal for file names that disks of Windows and macOS do not distinguish."""
    return unicodedata.normalize("NFC", name).casefold()


def write_whole(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)


def is_disk_full(error: BaseException | None) -> bool:
    """Check whether an error of a file or a database, or one of its causes, is that the disk is full."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        if getattr(error, "sqlite_errorname", None) in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"):
            return True
        if getattr(error, "sqlstate", None) == "53100":  # of PostgreSQL
            return True
        error = error.__cause__
    return False


def why_not_written(error: BaseException) -> str:
    if is_disk_full(error):
        return "the disk is full. Free some space and try again"
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def write_errors(target: str, kind: type[CustomLabelsError] = InputError) -> Iterator[None]:
    """Convert errors of the operating system, and full disks under a database, to an error that names ``target``."""
    try:
        yield
    except (OSError, StoreError) as error:
        if isinstance(error, StoreError) and not is_disk_full(error):
            raise
        raise kind(f"{target} cannot be written: {why_not_written(error)}.") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's directory entries to disk, if the system supports it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Create a hidden temporary folder in ``folder`` for the block, and delete folders left by killed processes."""
    remove_abandoned(folder)
    path, lock = folder, None
    try:
        while path == folder or not path.exists():  # another process may remove it before it is locked
            if lock is not None:
                os.close(lock)
            path = folder / f"{_OURS}{uuid4().hex[:12]}.part"
            path.mkdir(0o700)
            lock = lock_folder(path, wait=True)
        yield path
    finally:
        if path != folder:
            shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextmanager
def scratch_for(folder: Path) -> Iterator[Path]:
    """Create a folder like :func:`scratch`, in the parent of ``folder`` unless ``folder`` is on another disk."""
    folder.mkdir(parents=True, exist_ok=True)
    parent = folder.parent
    with scratch(parent if os.stat(parent).st_dev == os.stat(folder).st_dev else folder) as path:
        yield path


def remove_abandoned(folder: Path) -> None:
    """Delete the folders that :func:`scratch` created in ``folder`` for processes that no longer exist.

    A folder created on this machine is abandoned if it is not locked. A folder created on another machine, or on a file
    system without locks, is considered abandoned after a week.
    """
    for path in folder.glob(f"{_PREFIX}*.part"):
        lock = lock_folder(path) if path.name.startswith(_OURS) else None
        with suppress(OSError):
            if lock is not None or time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def lock_file(file: BinaryIO) -> bool:
    """Lock an open file until it is closed, or return False if another process has locked it.

    On a file system without locks, the result is always True.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        import msvcrt

        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except PermissionError:
            return False
        finally:
            file.seek(0)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def lock_folder(folder: Path, *, wait: bool = False) -> int | None:
    """Lock a folder until the process ends, or return None if it is locked or locks are not supported."""
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
