"""Unpack zip files of images safely (no path traversal, links or zip bombs)."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from uuid import uuid4

from customlabels_nb._utils.files import is_disk_full, scratch_for, write_errors
from customlabels_nb._utils.text import fitting_encodings
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL, Limits
from customlabels_nb.errors import ArchiveError
from customlabels_nb.images.listing import file_identity, is_image_name
from customlabels_nb.images.locations import to_uri

_BLOCK = 2**20
_IS_UTF_8 = 0x800
_DRIVE = re.compile(r"[A-Za-z]:")


def unpack_zip(archive: str | os.PathLike[str], target: Path, *, limits: Limits = LOCAL) -> tuple[Path, list[Issue]]:
    """Unpack the images in a zip file into ``target``, keeping identical files that already exist there.

    Members outside the target folder, links, encrypted or damaged members and duplicate names are skipped and reported
    as issues. If the archive has a single top-level folder, that folder is the root.
    """
    name = os.fspath(archive)
    with _opened(name) as opened:
        members = [m for m in opened.infolist() if not m.is_dir() and is_image_name("".join(_parts(m)[-1:]))]
        _refuse_bomb(name, members, limits)
        issues = []
        if encoding := _decode_names(opened.infolist()):
            message = (
                f"Its names are not marked as UTF-8. They were read as {encoding}. Pack it again if this is wrong."
            )
            issues.append(Issue("ENTRY_ADJUSTED", message, source=to_uri(name)))
        taken: set[tuple[int, int]] = set()  # device and inode, because file systems may ignore case
        with ExitStack() as stack:
            with write_errors(repr(str(target)), ArchiveError):
                via = stack.enter_context(scratch_for(target.parent))
            for member in members:
                reason = _refusal(member) or _extract(opened, member, target, taken, name, via)
                if reason is not None:
                    issues.append(Issue("ARCHIVE_MEMBER_REFUSED", reason, where=member.filename, source=to_uri(name)))
    return _root(target), issues


def other_members(archive: str | os.PathLike[str]) -> list[str]:
    """List the names of the files in a zip file that are not images."""
    with _opened(os.fspath(archive)) as opened:
        names = ["/".join(_parts(member)) for member in opened.infolist() if not member.is_dir()]
    return [name for name in names if not is_image_name(name.rpartition("/")[2])]


def unpack_whole(archive: str | os.PathLike[str], target: Path, *, allowed: Callable[[PurePosixPath], bool]) -> None:
    """Unpack a complete zip file into ``target``, which must be an existing empty folder.

    Members that are not ``allowed``, links, members outside the folder, and zip bombs are refused as ArchiveError.
    """
    name = os.fspath(archive)
    with _opened(name) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        _refuse_bomb(name, members, LOCAL)
        taken: set[tuple[int, int]] = set()
        for member in members:
            reason = _refusal(member)
            if reason is None and not allowed(PurePosixPath(*_parts(member))):
                reason = "A file with this name is not expected."
            reason = reason or _extract(opened, member, target, taken, name, target)
            if reason is not None:
                raise ArchiveError(f"The archive {name!r} cannot be unpacked: {member.filename!r}: {reason}")


@contextmanager
def _opened(name: str) -> Iterator[zipfile.ZipFile]:
    """Open the archive for the duration of the block, or raise ArchiveError if it cannot be read."""
    if not os.path.isfile(name):
        raise ArchiveError(f"{name!r} is not a file. Pass the path of a zip archive.")
    try:
        with zipfile.ZipFile(name) as opened:
            yield opened
    except ArchiveError:
        raise
    except Exception as error:  # zipfile raises many kinds of errors for a damaged directory
        raise ArchiveError(f"The archive {name!r} cannot be read as a zip file: {error}.") from error


def _decode_names(members: Sequence[zipfile.ZipInfo]) -> str | None:
    """Decode the names that are not marked as UTF-8, and return their encoding if it had to be guessed."""
    unmarked = [member for member in members if not member.flag_bits & _IS_UTF_8 and not member.filename.isascii()]
    raw = [member.filename.encode("cp437") for member in unmarked]  # as which zipfile has decoded them
    for encoding in ("utf-8", *fitting_encodings(b"\n".join(raw)), "cp437") if raw else ():
        with contextlib.suppress(UnicodeDecodeError):
            for member, text in zip(unmarked, [name.decode(encoding) for name in raw], strict=True):
                member.filename = text
            return None if encoding == "utf-8" else encoding
    return None


def _refuse_bomb(name: str, members: list[zipfile.ZipInfo], limits: Limits) -> None:
    size = sum(member.file_size for member in members)
    # members can overlap, so the sum of their compressed sizes may exceed the size of the file
    packed = min(sum(member.compress_size for member in members), os.path.getsize(name))
    if size > limits.max_archive_bytes or size > limits.max_archive_ratio * max(packed, 1):
        raise ArchiveError(
            f"The archive {name!r} would unpack to {size:,} bytes from {packed:,}, so it may be a zip bomb. "
            "If you trust it, unpack it yourself and add the folder."
        )


def _parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(member.filename.replace("\\", "/")).parts


def _refusal(member: zipfile.ZipInfo) -> str | None:
    parts = _parts(member)
    on_drive = any(":" in part for part in parts) if os.name == "nt" else parts and _DRIVE.match(parts[0])
    if not parts or ".." in parts or parts[0].startswith("/") or on_drive or "\0" in member.filename:
        return "The path is outside the target folder."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a link."
    if member.flag_bits & 0x1:
        return "It is encrypted. Unpack it with its password, and pass the folder."
    return None


def _extract(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, taken: set[tuple[int, int]], name: str, via: Path
) -> str | None:
    path, temporary = target.joinpath(*_parts(member)), via / f".{uuid4().hex}.part"
    try:
        if path.is_file():
            if file_identity(path) in taken:
                return "Another member has the same name. The first one was used."
            if path.stat().st_size == member.file_size and zlib.crc32(path.read_bytes()) == member.CRC:
                taken.add(file_identity(path))
                return None
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as source, temporary.open("wb") as file:
            # never read more than the declared size, in case a member declares a wrong one
            while data := source.read(min(member.file_size - file.tell(), _BLOCK)):
                file.write(data)
            if file.tell() != member.file_size:
                return f"It has {file.tell():,} bytes instead of {member.file_size:,}."
        temporary.replace(path)
        taken.add(file_identity(path))
    except OSError as error:
        if is_disk_full(error):
            raise ArchiveError(f"The disk is full: {name!r} was not unpacked completely.") from error
        return f"It cannot be written ({error.strerror or error})."
    except Exception as error:  # each compression method raises its own errors for damaged data
        return f"It cannot be unpacked ({error})."
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return None


def _root(target: Path) -> Path:
    root = target
    while root.is_dir():
        entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
        if len(entries) != 1 or not entries[0].is_dir() or not any(e.is_dir() for e in entries[0].iterdir()):
            break
        root = entries[0]
    return root
