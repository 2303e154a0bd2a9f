"""List the images of a folder, a pattern, a bucket or a web server by name, without opening them."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from customlabels_nb._utils.files import expand_home
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import Location, to_uri
from customlabels_nb.images.reading import READ_SUFFIXES, why_unread
from customlabels_nb.remote.remote_files import RemoteFile, is_chain, is_web, list_files, list_web, media_type

_PROJECT_DATABASE, _PROJECT_POINTER, _POINTER_MARK = "project.db", "project.json", b'"customlabels_'
_IMAGE_FOLDERS = frozenset({"images", "img", "data", "photos"})
#: Folders of systems and other programs with thumbnails, deleted files or earlier versions of photos.
_OF_PROGRAMS = frozenset({
    "@eadir", "@__thumb", ".@__thumb", "@recycle", "#recycle", "@recently-snapshot", "#snapshot", ".snapshot",
    "$recycle.bin", "recycler", ".trash", ".trashes", "system volume information", "lost+found", ".thumbnails",
    ".thumbs", ".picasaoriginals", "_thumbs", "_thumbnails",
})  # fmt: skip
#: Folders that may be of other programs: if all their images have the names of photos beside the folder.
_MAY_BE_OF_PROGRAMS = frozenset({"thumbs", "thumb", "thumbnails", "thumbnail", "@tmp"})
_CACHE_TAG, _CACHE_MARK = "CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55"

_EXAMPLES = 3

LabelsFrom: TypeAlias = Literal["folders"]


@dataclass
class FoundFiles:
    """Image files, sorted by name.

    ``labels`` holds the label of each file or None, ``splits`` the split that its folder names or None, ``stats`` its
    size in bytes and modification time in nanoseconds, if known, ``contents`` an identifier of the content of remote
    files. ``unlisted`` holds the URLs whose metadata is not in their listing. ``others`` holds the files without an
    image extension, and ``split_folders`` the names of the folders that are splits.
    """

    images: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    stats: list[tuple[int, int] | None] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    contents: list[str | None] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    split_folders: list[str] = field(default_factory=list)


def list_pattern(pattern: Location, *, root: Path | None = None) -> list[Location]:
    """List the files that match a pattern, sorted by name: a local one in ``root`` if none matches otherwise."""
    if pattern.path is None:
        files = list_files(pattern.name)
        return [Location(file.url, None, file) for file in files if not _of_program_in(file.url, pattern.name)]
    matches = match_files(pattern.path) or (match_files(pattern.path, root=root) if root else [])
    return [Location.of(match) for match in matches]


def list_folder(place: Location, *, labels_from: str | None = None, any_name: bool = False) -> FoundFiles | None:
    """List the images of a folder as :func:`read_folder` does, or return None if the place is not a folder.

    A URL is a folder if it ends in "/". With ``any_name``, a URL in a bucket without an image extension is one, too, if
    there are files below it, which takes a request to find out.
    """
    if place.path is not None:
        return read_folder(place.path, labels_from=labels_from) if place.is_folder else None
    files = _list_url(place, any_name=any_name)
    return None if files is None else sort_out_listing(place.name, files, labels_from=labels_from)


def _list_url(place: Location, *, any_name: bool) -> list[RemoteFile] | None:
    url = place.name
    if url.endswith("/") and is_web(url):
        if media_type(url).startswith("image/"):
            return None
        return [RemoteFile(file, None, None, None) for file in list_web(url)]
    if url.endswith("/"):
        return list_files(url)
    is_file = place.listed is not None or PurePosixPath(url).suffix.lower() in IMAGE_SUFFIXES | UNREAD_SUFFIXES
    return list_files(url) or None if any_name and not (is_file or is_web(url) or is_chain(url)) else None


def read_folder(root: str | os.PathLike[str], *, labels_from: str | None = None) -> FoundFiles:
    """Find all image files in a folder and its subfolders, at any depth.

    With ``labels_from="folders"``, the labels and splits are those of :func:`labels_of_folders`. Hidden files and
    folders are skipped, and so are caches and projects of this package inside ``root``. Links are followed, but never
    back into a folder that is being read. Folders of other programs are skipped and counted. Unreadable folders,
    folder names that are not valid labels, projects, and unsupported image types are reported as issues.
    """
    top = os.path.abspath(expand_home(os.fspath(root)))
    if not os.fspath(root) or not os.path.isdir(top):
        what = "is a file, not a folder" if os.path.isfile(top) else "does not exist"
        raise InputError(f"The folder {os.fspath(root)!r} {what}.")
    try:
        entries, identity = _entries(top), file_identity(top)
    except OSError as error:
        raise InputError(f"The folder {os.fspath(root)!r} cannot be read ({error.strerror}).") from error
    files, folders, skipped = FoundFiles(), list[_Names](), list[str]()
    # an explicit stack, because folders can be nested more deeply than Python's recursion limit
    open_folders = [_Folder(entries, (), frozenset({identity}))]
    while open_folders:
        folder = open_folders[-1]
        entry = next(folder.entries, None)
        if entry is None:
            open_folders.pop()
        elif _is_of_program_at(entry.path):
            skipped.append(to_uri(entry.path))
        elif not is_hidden(entry.name):
            if (inner := _take(entry, folder, files)) is not None:
                open_folders.append(inner)
            elif len(files.images) > len(folders):
                folders.append(folder.names)
    files.issues += _skipped_folders(skipped, to_uri(top))
    _add_labels(files, folders, to_uri(top), labels_from)
    return files


def sort_out_listing(url: str, files: Sequence[RemoteFile], *, labels_from: str | None = None) -> FoundFiles:
    """Select the image files in a remote listing by name, as :func:`read_folder` does, without opening them."""
    accepted, all_names, skipped = FoundFiles(), list[_Names](), dict[str, None]()
    top = url.rstrip("/") + "/"
    copies = _folders_of_copies([file.url[len(top) :] for file in files])
    for file in files:
        *names, name = file.url[len(top) :].split("/")
        if (folder := "/".join(names)) in copies or any(map(is_hidden, (*names, name))):
            skipped |= dict.fromkeys([top + folder] if folder in copies else _of_program_in(folder, "", top)[:1])
            continue
        if not is_image_name(name):
            if reason := why_unread(name):
                accepted.issues.append(Issue("IMAGE_TYPE_UNSUPPORTED", reason, where=file.url))
            else:
                accepted.others.append(file.url)
            continue
        accepted.images.append(file.url)
        all_names.append(tuple(names))
        accepted.stats.append(file.stat)
        accepted.contents.append(file.identity)
        accepted.unlisted += [file.url] if file.size is None else []
    accepted.issues += _skipped_folders(list(skipped), top.rstrip("/"))
    _add_labels(accepted, all_names, top.rstrip("/"), labels_from)
    return accepted


def labels_of_folders(folders: Iterable[_Names]) -> dict[_Names, tuple[str | None, str | None]]:
    """Map folders that contain images to the names of their labels and splits.

    A folder is given as the names on the way to it from the root. The label of an image is the folder directly below
    the root. Two kinds of folders are passed through, so that the label is the folder below them: names of splits, if
    all folders beside them are named after splits, too, and names such as ``images``, if all beside them are.
    """
    found: dict[_Names, tuple[str | None, str | None]] = {}
    groups: list[tuple[int, set[_Names], str | None]] = [(0, set(folders), None)]
    while groups:
        depth, group, split = groups.pop()
        below = {names for names in group if len(names) > depth}
        inner = {names[depth].lower() for names in below}
        if split is None and below and inner <= t.SPLIT_NAMES.keys():
            groups += [
                (depth + 1, {names for names in below if names[depth].lower() == name}, t.SPLIT_NAMES[name])
                for name in inner
            ]
        elif below and inner <= _IMAGE_FOLDERS:
            groups.append((depth + 1, below, split))
        else:
            found |= {names: (names[depth], split) for names in below}
        found |= dict.fromkeys(group - below, (None, split))
    return found


def _add_labels(files: FoundFiles, folders: Sequence[_Names], top: str, labels_from: str | None) -> None:
    """Set the labels and splits of images, given the names of their folders, and report invalid labels."""
    found = labels_of_folders(folders) if labels_from else {}
    labels: dict[str | None, str | None] = {None: None}
    for names, (label, _) in sorted(found.items()):
        if label is not None and label not in labels:
            labels[label] = _usable_label(label, posixpath.join(top, *names[: names.index(label) + 1]), files)
    if len(labels) == 2 and sum(label not in (None, *names[-1:]) for names, (label, _) in found.items()) > 1:
        _, only = labels
        message = f"All labels are {only!r}, the only folder. If the labels are the folders in it, pass that folder."
        files.issues.append(Issue("ONE_LABEL_FOLDER", message, top))
    files.issues += [Issue("SPLIT_AS_LABEL", message, top) for message in _splits_as_labels(found)]
    in_splits = [names for names, (_, split) in sorted(found.items()) if split is not None]
    files.split_folders = list(dict.fromkeys(next(filter(_names_a_split, names)) for names in in_splits))
    placed = [found.get(names, (None, None)) for names in folders]
    files.labels = [labels[label] for label, _ in placed]
    files.splits = [split for _, split in placed]


def _splits_as_labels(found: Mapping[_Names, tuple[str | None, str | None]]) -> Iterator[str]:
    """Yield a message for each label that is named after a split, if its images are in folders that may be labels."""
    inner: dict[str, set[str]] = {}
    for names, (label, _) in sorted(found.items()):
        if label is not None and any(map(_names_a_split, re.split(r"[\W\d_]+", label))):
            inner.setdefault(label, set()).add("/".join(names[names.index(label) + 1 :][:1]).lower())
    for label, below in inner.items():
        if "" not in below and not below <= _IMAGE_FOLDERS:
            yield f"The label {label!r} is named after a split. If the labels are the folders in it, pass that one."


def _names_a_split(folder: str) -> bool:
    return folder.lower() in t.SPLIT_NAMES


def is_hidden(name: str) -> bool:
    """Check whether a file or folder is hidden or of another program, such as macOS's archives and a NAS."""
    return name.startswith(".") or name == "__MACOSX" or is_of_program(name)


def is_of_program(name: str) -> bool:
    """Check whether a folder has thumbnails, deleted files or earlier versions that another program keeps there."""
    return name.lower() in _OF_PROGRAMS


def _is_of_program_at(folder: str) -> bool:
    """Check whether a local folder is of another program by its name, or also because it has copies."""
    name = os.path.basename(folder)
    if name.lower() not in _MAY_BE_OF_PROGRAMS:
        return is_of_program(name)
    try:
        beside = os.listdir(os.path.dirname(folder))
        return bool(_folders_of_copies([*beside, *(posixpath.join("thumbs", name) for name in os.listdir(folder))]))
    except OSError:
        return False


def _folders_of_copies(files: Sequence[str]) -> set[str]:
    """Return the folders that may be of another program, and have only images with the names of photos beside."""
    folders = set(map(posixpath.dirname, files))
    possible = [folder for folder in folders if posixpath.basename(folder).lower() in _MAY_BE_OF_PROGRAMS]
    stems: dict[str, set[str]] = {folder: set() for each in possible for folder in (each, posixpath.dirname(each))}
    for file in files if possible else ():
        folder, name = posixpath.split(file)
        if folder in stems and is_image_name(name):
            stems[folder].add(posixpath.splitext(name)[0])
    return {folder for folder in possible if stems[folder] and stems[folder] <= stems[posixpath.dirname(folder)]}


def _of_program_in(path: str, pattern: str, top: str = "") -> list[str]:
    """Return the folders of other programs on the way to a file, unless a pattern names them."""
    parts = path.split("/")
    named = pattern.split("/")
    return [
        f"{top}{'/'.join(parts[: number + 1])}"
        for number, part in enumerate(parts)
        if is_of_program(part) and part not in named
    ]


def _skipped_folders(folders: Sequence[str], top: str) -> list[Issue]:
    """Return an issue with the count of the folders of other programs."""
    names = ", ".join(map(repr, folders[:_EXAMPLES])) + (" …" if len(folders) > _EXAMPLES else "")
    message = f"{len(folders):,} × folder of another program was not imported: {names}."
    return [Issue("NOT_IMPORTED", message, "folder of another program", top)] if folders else []


def is_image_name(name: str) -> bool:
    """Check whether the file has an image extension and is not hidden."""
    return name[name.rfind(".") :].lower() in READ_SUFFIXES and not name.startswith(".")


def match_files(pattern: str | Path, *, root: Path | None = None) -> list[str]:
    """List the local files that match a pattern with ``*``, ``?`` or ``**``, sorted by name.

    Hidden files, folders, caches and projects of this package are skipped, unless the pattern names them.
    """
    parts = os.fspath(pattern).replace(os.altsep or os.sep, os.sep).split(os.sep)
    fixed = next((i for i, part in enumerate(parts) if "*" in part or "?" in part), len(parts) - 1)
    base = "".join(part + os.sep for part in parts[:fixed])  # brackets in it are not part of the pattern
    matches = sorted(glob.glob(glob.escape(base) + os.sep.join(parts[fixed:]), root_dir=root, recursive=True))
    top = "" if root is None else os.fspath(root)

    @cache
    def passed_over(folder: str) -> bool:
        path = os.path.join(top, folder)
        return len(folder) > len(base) and (
            _is_of_program_at(path) or _is_cache(path) or _is_project(path) or passed_over(os.path.dirname(folder))
        )

    return [
        match for match in matches
        if not os.path.isdir(os.path.join(top, match)) and not passed_over(os.path.dirname(match))
    ]  # fmt: skip


_Identity: TypeAlias = tuple[int, int]
_Names: TypeAlias = tuple[str, ...]  # of a folder and those above it, below the root


@dataclass
class _Folder:
    entries: Iterator[os.DirEntry[str]]
    names: _Names
    above: frozenset[_Identity]  # this folder and its parents


def file_identity(path: str | os.PathLike[str]) -> _Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        return iter(sorted(scan, key=lambda entry: entry.name))


def _take(entry: os.DirEntry[str], folder: _Folder, files: FoundFiles) -> _Folder | None:
    """Add a file to ``files``, or return a folder to read."""
    try:
        if entry.is_dir():
            return _open(entry.path, (*folder.names, entry.name), folder.above, files)
        # scandir yields absolute paths for an absolute folder, so only names that are not ASCII need to_uri
        uri = entry.path.replace(os.sep, "/") if entry.path.isascii() else to_uri(entry.path)
        if not is_image_name(entry.name):
            if reason := why_unread(entry.name):
                files.issues.append(Issue("IMAGE_TYPE_UNSUPPORTED", reason, where=uri))
            else:
                files.others.append(uri)
            return None
        status = entry.stat()
    except OSError as error:
        reason = f"It cannot be read ({error.strerror})."
        files.issues.append(Issue("IMAGE_NOT_FOUND", reason, where=to_uri(entry.path)))
        return None
    files.images.append(uri)
    files.stats.append((status.st_size, status.st_mtime_ns))
    return None


def _open(path: str, names: _Names, above: frozenset[_Identity], files: FoundFiles) -> _Folder | None:
    try:
        identity = file_identity(path)
        if identity in above:
            files.issues.append(Issue("FOLDER_LOOP", where=to_uri(path)))
            return None
        if _is_cache(path):
            return None
        if _is_project(path):
            reason = "The folder contains a project, so it was skipped. To add its images, pass this folder itself."
            files.issues.append(Issue("FOLDER_IS_PROJECT", reason, where=to_uri(path)))
            return None
        return _Folder(_entries(path), names, above | {identity})
    except OSError as error:
        reason = f"The folder cannot be read ({error.strerror})."
        files.issues.append(Issue("FOLDER_UNREADABLE", reason, where=to_uri(path)))
        return None


def _is_cache(folder: str) -> bool:
    return _begins(os.path.join(folder, _CACHE_TAG), _CACHE_MARK)


def _is_project(folder: str) -> bool:
    """Check whether the folder contains a project of this package, not just the ``project.json`` of another tool."""
    pointer = os.path.join(folder, _PROJECT_POINTER)
    return os.path.isfile(os.path.join(folder, _PROJECT_DATABASE)) or _begins(pointer, _POINTER_MARK, within=4096)


def _begins(path: str, mark: bytes, *, within: int | None = None) -> bool:
    """Check whether the file begins with ``mark``, or contains it in the first ``within`` bytes."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return mark in file.read(within or len(mark))
    except OSError:
        return False


def _usable_label(name: str, folder: str, files: FoundFiles) -> str | None:
    try:
        return t.check_label(name)
    except LabelError as error:
        files.issues.append(Issue("LABEL_UNUSABLE", f"Its images have no label: {error}", folder))
        return None
