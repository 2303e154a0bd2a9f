"""Folders of images, labels from the names of folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images import to_uri
from customlabels_nb.issues import Issue
from customlabels_nb.limits import IMAGE_SUFFIXES
from customlabels_nb.tables import check_label


@dataclass
class FoundFiles:
    """Image files in the order of their names.

    ``labels`` has the label of each or None; ``stats`` size in bytes and time of change in nanoseconds; ``ignored``
    counts files that don't look like images.
    """

    images: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    stats: list[tuple[int, int]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    ignored: int = 0


def read_folder(root: str | os.PathLike[str], *, auto_label: bool = False) -> FoundFiles:
    """All image files under a folder, however deep.

    The label of an image is the name of the folder directly below ``root`` in which it lies, however deep; images in
    ``root`` itself have none. Hidden files and folders are passed over, links are followed, but never back into a
    folder that is being read. A folder that may not be read is an issue, and so is one whose name can't be a label.

    Raises
    ------
    InputError
        If ``root`` isn't a folder, or may not be read.
    """
    top = os.path.abspath(os.fspath(root))
    if not os.fspath(root) or not os.path.isdir(top):
        what = "is a file, not a folder" if os.path.isfile(top) else "does not exist"
        raise InputError(f"The folder {os.fspath(root)!r} {what}.")
    try:
        entries, identity = _entries(top), _identity(top)
    except OSError as error:
        raise InputError(f"The folder {os.fspath(root)!r} may not be read ({error.strerror}).") from error
    found = FoundFiles()
    # folders are on a list of ours, not on Python's stack: they may lie deeper than that is high
    open_folders = [_Folder(entries, None, frozenset({identity}))]
    while open_folders:
        folder = open_folders[-1]
        entry = next(folder.entries, None)
        if entry is None:
            open_folders.pop()
        elif not entry.name.startswith("."):
            label_below = len(open_folders) == 1 and auto_label
            inner = _take(entry, folder, found, label_below=label_below)
            if inner is not None:
                open_folders.append(inner)
    return found


def is_image_name(name: str) -> bool:
    """Whether the file's ending is that of an image, and the file isn't hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


_Identity = tuple[int, int]


@dataclass
class _Folder:
    entries: Iterator[os.DirEntry[str]]
    label: str | None
    above: frozenset[_Identity]  # this folder and those it lies in


def _identity(path: str) -> _Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        return iter(sorted(scan, key=lambda entry: entry.name))


def _take(entry: os.DirEntry[str], folder: _Folder, found: FoundFiles, *, label_below: bool) -> _Folder | None:
    """Note a file; give back a folder that is to be read."""
    try:
        if entry.is_dir():
            label = _folder_label(entry, found) if label_below else folder.label
            return _open(entry.path, label, folder.above, found)
        if not is_image_name(entry.name):
            found.ignored += 1
            return None
        status = entry.stat()
    except OSError as error:
        found.issues.append(Issue("IMAGE_NOT_FOUND", f"It can't be read ({error.strerror}).", where=to_uri(entry.path)))
        return None
    found.images.append(_uri(entry.path))
    found.labels.append(folder.label)
    found.stats.append((status.st_size, status.st_mtime_ns))
    return None


def _open(path: str, label: str | None, above: frozenset[_Identity], found: FoundFiles) -> _Folder | None:
    try:
        identity = _identity(path)
        if identity in above:
            found.issues.append(Issue("FOLDER_LOOP", where=to_uri(path)))
            return None
        return _Folder(_entries(path), label, above | {identity})
    except OSError as error:
        reason = f"The folder may not be read ({error.strerror})."
        found.issues.append(Issue("FOLDER_UNREADABLE", reason, where=to_uri(path)))
        return None


def _folder_label(entry: os.DirEntry[str], found: FoundFiles) -> str | None:
    try:
        return check_label(entry.name)
    except LabelError as error:
        found.issues.append(Issue("LABEL_UNUSABLE", f"Its images have no label: {error}", to_uri(entry.path)))
        return None


def _uri(path: str) -> str:
    # what scandir gives below an absolute path is absolute: only names that aren't UTF-8 need to_uri
    return path if path.isascii() else to_uri(path)
