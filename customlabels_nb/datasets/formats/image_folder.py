"""Read and write image folders whose subfolders are the labels (``<label>/<image>``), and match glob patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.files import expand_home, folded, portable_name
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.tables import check_label
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import to_uri
from customlabels_nb.images.reading import READ_SUFFIXES, why_unread
from customlabels_nb.remote.remote_files import RemoteFile

_PROJECT_DATABASE, _PROJECT_POINTER, _POINTER_MARK = "project.db", "project.json", b'"customlabels_'
_CACHE_TAG, _CACHE_MARK = "CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55"


@dataclass
class FoundFiles:
    """Image files, sorted by name.

    ``labels`` holds the label of each file or None, ``stats`` its size in bytes and modification time in nanoseconds,
    if known, ``contents`` an identifier of the content of remote files. ``ignored`` counts the files without an image
    extension.
    """

    images: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    stats: list[tuple[int, int] | None] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    ignored: int = 0
    contents: list[str | None] = field(default_factory=list)


def read_folder(root: str | os.PathLike[str], *, labels_from: str | None = None) -> FoundFiles:
    """Find all image files in a folder and its subfolders, at any depth.

    With ``labels_from="folders"``, the label of an image is the name of the top-level subfolder of ``root`` that
    contains it.
    Images in ``root`` itself have no label. Hidden files and folders are skipped, and so are caches and projects of
    this package inside ``root``. Links are followed, but never back into a folder that is being read. Unreadable
    folders, folder names that are not valid labels, projects, and unsupported image types are reported as issues.
    """
    top = os.path.abspath(expand_home(os.fspath(root)))
    if not os.fspath(root) or not os.path.isdir(top):
        what = "is a file, not a folder" if os.path.isfile(top) else "does not exist"
        raise InputError(f"The folder {os.fspath(root)!r} {what}.")
    try:
        entries, identity = _entries(top), file_identity(top)
    except OSError as error:
        raise InputError(f"The folder {os.fspath(root)!r} cannot be read ({error.strerror}).") from error
    files = FoundFiles()
    # an explicit stack, because folders can be nested more deeply than Python's recursion limit
    open_folders = [_Folder(entries, None, frozenset({identity}))]
    while open_folders:
        folder = open_folders[-1]
        entry = next(folder.entries, None)
        if entry is None:
            open_folders.pop()
        elif not entry.name.startswith("."):
            label_below = len(open_folders) == 1 and labels_from is not None
            inner = _take(entry, folder, files, label_below=label_below)
            if inner is not None:
                open_folders.append(inner)
    return files


def sort_out_listing(url: str, files: Sequence[RemoteFile], *, labels_from: str | None = None) -> FoundFiles:
    """Select the image files in a remote listing by name, as :func:`read_folder` does, without opening them."""
    accepted = FoundFiles()
    top = url.rstrip("/") + "/"
    labels: dict[str, str | None] = {}
    for file in files:
        *folders, name = file.url[len(top) :].split("/")
        if any(part.startswith(".") for part in (*folders, name)):
            continue
        if not is_image_name(name):
            if reason := why_unread(name):
                accepted.issues.append(Issue("IMAGE_TYPE_UNSUPPORTED", reason, where=file.url))
            else:
                accepted.ignored += 1
            continue
        label = folders[0] if folders and labels_from else ""
        if label not in labels:
            labels[label] = _usable_label(label, top + label, accepted) if label else None
        accepted.images.append(file.url)
        accepted.labels.append(labels[label])
        accepted.stats.append(file.stat)
        accepted.contents.append(file.identity)
    return accepted


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
            _is_cache(path) or _is_project(path) or passed_over(os.path.dirname(folder))
        )

    return [
        match for match in matches
        if not os.path.isdir(os.path.join(top, match)) and not passed_over(os.path.dirname(match))
    ]  # fmt: skip


_Identity = tuple[int, int]


@dataclass
class _Folder:
    entries: Iterator[os.DirEntry[str]]
    label: str | None
    above: frozenset[_Identity]  # this folder and its parents


def file_identity(path: str | os.PathLike[str]) -> _Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        return iter(sorted(scan, key=lambda entry: entry.name))


def _take(entry: os.DirEntry[str], folder: _Folder, files: FoundFiles, *, label_below: bool) -> _Folder | None:
    """Add a file to ``files``, or return a folder to read."""
    try:
        if entry.is_dir():
            label = _usable_label(entry.name, to_uri(entry.path), files) if label_below else folder.label
            return _open(entry.path, label, folder.above, files)
        if not is_image_name(entry.name):
            if reason := why_unread(entry.name):
                files.issues.append(Issue("IMAGE_TYPE_UNSUPPORTED", reason, where=to_uri(entry.path)))
            else:
                files.ignored += 1
            return None
        status = entry.stat()
    except OSError as error:
        files.issues.append(
            Issue("IMAGE_NOT_FOUND", f"It cannot be read ({error.strerror}).", where=to_uri(entry.path))
        )
        return None
    # scandir yields absolute paths for an absolute folder, so only names that are not ASCII need to_uri
    files.images.append(entry.path.replace(os.sep, "/") if entry.path.isascii() else to_uri(entry.path))
    files.labels.append(folder.label)
    files.stats.append((status.st_size, status.st_mtime_ns))
    return None


def _open(path: str, label: str | None, above: frozenset[_Identity], files: FoundFiles) -> _Folder | None:
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
        return _Folder(_entries(path), label, above | {identity})
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
        return check_label(name)
    except LabelError as error:
        files.issues.append(Issue("LABEL_UNUSABLE", f"Its images have no label: {error}", folder))
        return None


def _read(path: Path, finder: ImageFinder) -> Contents:
    contents = read_labelled(path)
    if contents.images.empty:
        raise InputError(f"There are no images in {str(path)!r}.")
    return contents


def read_labelled(path: Path) -> Contents:
    """Read the images of a folder whose subfolders are the labels."""
    files = read_folder(path, labels_from="folders")
    rows = pd.DataFrame({"image": files.images, "label": pd.Series(files.labels, dtype=object)})
    annotations = t.normalise_annotations(rows)
    images = t.settle_statuses(t.normalise_images(rows[["image"]]), annotations)
    if files.ignored:
        message = f"{files.ignored:,} files do not have an image extension and were not read."
        files.issues.append(Issue("ENTRY_UNREADABLE", message, source=to_uri(path)))
    return Contents(images, annotations, t.labels_in_order(annotations), files.issues)


def _write(contents: Contents, path: Path) -> list[Path]:
    """Copy each image into the folder named after its label, and images without a label into ``path`` itself."""
    return write_labelled(contents, path, lambda image: path)


def write_labelled(contents: Contents, path: Path, parent: Callable[[str], Path]) -> list[Path]:
    """Copy each image into the folder of its label in ``parent(image)``, a folder in ``path``, or into that itself."""
    labels = contents.annotations.drop_duplicates(["image", "label"]).groupby("image")["label"].agg(list).to_dict()
    several = [image for image, names in labels.items() if len(names) > 1]
    if several:
        raise InputError(
            f"{len(several)} images, such as {several[0]!r}, have more than one label. Folders allow only one."
        )
    folders = {label: _folder_name(label) for names in labels.values() for label in names}
    same = {folded(label): label for label in folders}
    path.mkdir(parents=True, exist_ok=True)
    taken: dict[Path, dict[str, int]] = {}
    with staged(path) as files:
        if len(same) < len(folders) and files.ignores_case():
            first, second = next((label, same[folded(label)]) for label in folders if same[folded(label)] != label)
            raise InputError(f"This disk has one folder for the labels {first!r} and {second!r}. Rename a label.")
        for image in contents.images["image"]:
            folder = parent(image) / folders[labels[image][0]] if image in labels else parent(image)
            files.copy_image(image, folder, taken.setdefault(folder, {}))
    contents.issues += files.issues
    return files.files


def _folder_name(label: str) -> str:
    """Return the label if it is a valid folder name that can be read back."""
    bad = label in (".", "..") or label.startswith(".") or any(c in "/\\\0" for c in label) or len(label.encode()) > 255
    if bad or (os.name == "nt" and portable_name(label) != label):
        raise InputError(
            f"The label {label!r} is not a valid folder name. Rename the label, or use a different format."
        )
    return label


FORMAT = Format(
    "image_folder",
    Path.is_dir,
    _read,
    _write,
    frozenset({"image_labels", "unlabelled"}),
    folder=lambda path: path,
    copies=True,
    unlabelled="an image beside the folders of labels",
)
