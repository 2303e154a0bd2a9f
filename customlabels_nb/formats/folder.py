"""Folders of images, labels from the names of folders."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from customlabels_nb.errors import InputError
from customlabels_nb.images import to_uri
from customlabels_nb.issues import Issue
from customlabels_nb.limits import IMAGE_SUFFIXES


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
    folder that is being read. A folder that may not be read is an issue.

    Raises
    ------
    InputError
        If ``root`` isn't a folder.
    """
    top = os.path.abspath(os.fspath(root))
    if not os.path.isdir(top):
        what = "is a file, not a folder" if os.path.exists(top) else "does not exist"
        raise InputError(f"The folder {os.fspath(root)!r} {what}.")
    found = FoundFiles()
    _walk(top, None, auto_label, found, frozenset())
    return found


def is_image_name(name: str) -> bool:
    """Whether the file's ending is that of an image, and the file isn't hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _walk(folder: str, label: str | None, auto_label: bool, found: FoundFiles, above: frozenset[str]) -> None:
    real = os.path.realpath(folder)
    if real in above:
        found.issues.append(Issue("FOLDER_LOOP", where=to_uri(folder)))
        return
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        reason = f"The folder may not be read ({error.strerror})."
        found.issues.append(Issue("FOLDER_UNREADABLE", reason, where=to_uri(folder)))
        return
    top = not above
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            is_folder = entry.is_dir()
            status = None if is_folder else entry.stat()
        except OSError as error:
            found.issues.append(
                Issue("IMAGE_NOT_FOUND", f"It can't be read ({error.strerror}).", where=to_uri(entry.path))
            )
            continue
        if status is None:
            _walk(entry.path, entry.name if top and auto_label else label, auto_label, found, above | {real})
        elif is_image_name(entry.name):
            found.images.append(_uri(entry.path))
            found.labels.append(label)
            found.stats.append((status.st_size, status.st_mtime_ns))
        else:
            found.ignored += 1


def _uri(path: str) -> str:
    # what scandir gives below an absolute path is absolute: only names that aren't UTF-8 need to_uri
    return path if path.isascii() else to_uri(path)
