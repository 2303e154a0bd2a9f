"""Zip files of images, unpacked so that nothing lands outside the folder that was named."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from customlabels_nb.errors import ArchiveError
from customlabels_nb.formats.folder import is_image_name
from customlabels_nb.issues import Issue
from customlabels_nb.limits import LOCAL, Limits


def unpack_zip(archive: str | os.PathLike[str], target: Path, *, limits: Limits = LOCAL) -> tuple[Path, list[Issue]]:
    """Unpack the images of a zip file below ``target``.

    Members that would land elsewhere, links, encrypted members and those that grow beyond the limits become issues; the
    rest is unpacked. Where everything lies in one folder inside the archive, that folder is taken for the root.

    Returns
    -------
    root : Path
        The folder in which to look for images and labels.
    issues : list of Issue

    Raises
    ------
    ArchiveError
        If the file is no zip file, or its contents are larger than ``limits`` allow (a zip bomb).
    """
    name = os.fspath(archive)
    issues: list[Issue] = []
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir() and is_image_name(PurePosixPath(m.filename).name)]
            packed = sum(m.compress_size for m in members)
            size = sum(m.file_size for m in members)
            if size > limits.max_archive_bytes or size > limits.max_archive_ratio * max(packed, 1):
                raise ArchiveError(
                    f"The archive {name!r} would unpack to {size:,} bytes from {packed:,}: it looks like a zip bomb. "
                    "Unpack it yourself and add the folder, if you trust it."
                )
            for member in members:
                reason = _refusal(member)
                if reason is None:
                    reason = _extract(opened, member, target)
                if reason is not None:
                    issues.append(Issue("ARCHIVE_MEMBER_REFUSED", reason, where=member.filename, source=name))
    except (zipfile.BadZipFile, OSError) as error:
        raise ArchiveError(f"The archive {name!r} can't be read as a zip file: {error}.") from error
    return _root(target), issues


def _refusal(member: zipfile.ZipInfo) -> str | None:
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or "\0" in member.filename:
        return "It would land outside the folder."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a link."
    if member.flag_bits & 0x1:
        return "It is encrypted."
    return None


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str | None:
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    path = target.joinpath(*parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:80]}.part")
        with opened.open(member) as source, temporary.open("wb") as file:
            # never more than the directory says: a member that lies about its size is cut off there
            shutil.copyfileobj(_Bounded(source, member.file_size), file)
        temporary.replace(path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        return f"It can't be unpacked ({error})."
    except OSError as error:
        if error.errno == 28:
            raise
        return f"It can't be written ({error.strerror})."
    return None


class _Bounded:
    def __init__(self, file: object, limit: int) -> None:
        self._read = file.read  # type: ignore[attr-defined]
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data: bytes = self._read(wanted) if wanted else b""
        self._left -= len(data)
        return data


def _root(target: Path) -> Path:
    root = target
    while root.is_dir():
        entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
        if len(entries) != 1 or not entries[0].is_dir() or not any(e.is_dir() for e in entries[0].iterdir()):
            break
        root = entries[0]
    return root
