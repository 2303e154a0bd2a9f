"""What a source of images names, before any is opened: folders, zip files, patterns, lists, URLs, DataFrames."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pandas as pd

from customlabels_nb._utils.files import expand_home, scratch
from customlabels_nb._utils.text import plain_url
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES, LOCAL, UNREAD_SUFFIXES
from customlabels_nb.datasets.formats.base import Notes
from customlabels_nb.datasets.formats.folder import FoundFiles, is_pattern, match_files, read_folder, sort_out_listing
from customlabels_nb.datasets.formats.zip_files import unpack_zip
from customlabels_nb.errors import ArchiveError, ImageError, InputError
from customlabels_nb.images.reading import is_remote, to_path, to_uri
from customlabels_nb.remote.download_cache import look_up_all
from customlabels_nb.remote.remote_files import RemoteFile, download, is_identity, is_web, list_files

Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | pd.DataFrame
_CORNERS = {"xmin", "ymin", "xmax", "ymax"}


@dataclass
class SourceContents:
    """What a source names, before any file was opened.

    ``images`` has ``image`` and any column of the user's; ``annotations`` are normalised; ``stats`` are size in
    bytes and time of change (ns) of each image where they came for free, and ``contents`` what tells the content of
    remote ones from others; ``lines`` are source, number and text of lines of a manifest that were not read.
    """

    images: pd.DataFrame
    annotations: pd.DataFrame
    description: dict[str, Any]
    stats: list[tuple[int, int] | None] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    ignored: int = 0
    lines: list[tuple[str, int, str]] = field(default_factory=list)
    contents: list[str | None] = field(default_factory=list)


@dataclass(frozen=True)
class _Labelling:
    auto: bool
    label: str | None
    annotator: str | None
    listed: dict[str, RemoteFile] = field(default_factory=dict)  # what a listing said already


def found_in_tables(
    images: pd.DataFrame,
    annotations: pd.DataFrame,
    name: str,
    *,
    root: Path | None,
    issues: Sequence[Issue] = (),
    lines: Sequence[tuple[str, int, str]] = (),
) -> SourceContents:
    """The images and annotations of a dataset's tables; ``root`` is where its relative images lie."""
    plain, marks = images.drop(columns=["split", "revision", "sha256", "source"]), annotations
    names = images["image"].tolist()
    here = {image: to_uri(to_path(image, root)) for image in names if not is_remote(image)}
    if any(image != uri for image, uri in here.items()):
        uris = {image: here.get(image, image) for image in names}
        plain, marks = (table.assign(image=table["image"].map(uris)) for table in (plain, annotations))
    stats = [_stat(here[image]) if image in here else None for image in names]
    contents = [content if is_identity(content) else None for content in images["sha256"].tolist()]
    notes = {key: dict(value) for key, value in images.attrs.items() if isinstance(value, Notes)}
    description = {"kind": "dataset", "name": name, **({"notes": notes} if notes else {})}
    return SourceContents(plain, marks, description, stats, list(issues), lines=list(lines), contents=contents)


def find_images(
    source: Source,
    *,
    auto_label: bool,
    label: str | None,
    project_folder: Path,
    annotator: str | None = None,
    split: str | None = None,
) -> SourceContents:
    """The images that ``source`` names: a folder, a zip file, one file or URL, a pattern, a list, or a DataFrame.

    A zip is unpacked below ``project_folder``, in a folder named after it and its content.

    Parameters
    ----------
    split : str, optional
        The side for which images are wanted: a DataFrame whose column ``split`` says otherwise is refused.

    Raises
    ------
    InputError
        If there is nothing of that name, or no image in it; or labels are wanted from folders where there are none.
    """
    if label is not None and auto_label:
        raise InputError("Give either label= or auto_label=True, not both.")
    labelling = _Labelling(auto_label, None if label is None else t.check_label(label), annotator)
    if isinstance(source, pd.DataFrame):
        found = _from_frame(source, labelling, split)
    elif isinstance(source, str | os.PathLike):
        found = _from_name(_text(source), labelling, project_folder)
    elif isinstance(source, Iterable) and not isinstance(source, bytes):
        items = [_text(item) for item in source]
        if not items:
            raise InputError("source is an empty list: it names no image.")
        found = _from_list(items, labelling, project_folder)
    else:
        raise InputError(f"source={source!r} names no images: give a path, a URL, a list of these, or a DataFrame.")
    if found.images.empty and not found.issues:
        ignored = f" ({found.ignored:,} other files are there)" if found.ignored else ""
        raise InputError(f"There is no image in {found.description['name']!r}{ignored}.")
    if auto_label and found.description["kind"] in ("files", "table"):
        raise InputError(
            "auto_label=True takes labels from the names of folders, but the source names "
            f"{'a table' if found.description['kind'] == 'table' else 'files'}: give the folder, or label= for all, "
            "or a DataFrame with a column 'label'."
        )
    return found


def find_again(
    description: Mapping[str, Any], *, project_folder: Path, annotator: str | None = None
) -> SourceContents | None:
    """Return what the source of a described :class:`SourceContents` names now; None if it can't be looked at again.

    Raises
    ------
    CustomLabelsError
        As :func:`find_images`; but a folder or pattern may be without images now.
    """
    kind, pattern = description.get("kind"), description.get("pattern")
    name = str(pattern or description.get("name", ""))
    one_file = kind == "files" and (is_remote(name) or to_path(name).is_absolute())
    if kind not in ("folder", "zip") and not one_file:
        return None
    labelling = _Labelling(bool(description.get("auto_label")), description.get("label"), annotator)
    if pattern:
        found = _from_list(_matches(name, labelling, required=False), labelling, project_folder)
    elif one_file and not is_remote(name) and not os.path.lexists(to_path(name)):
        found = _found([], [], {}, labelling)
    else:
        found = _from_name(name, labelling, project_folder)
    found.description = {key: value for key, value in description.items() if key != "copy"}
    return found


def image_uri(name: object) -> str:
    """How the tables call an image that a person names: see :func:`customlabels_nb.images.reading.to_uri`."""
    return _uri(_text(name))


def _text(item: object) -> str:
    if not isinstance(item, str | os.PathLike) or not os.fspath(item):
        raise InputError(f"{item!r} is no path and no URL.")
    path = os.fspath(item)
    return plain_url(expand_home(path if isinstance(path, str) else os.fsdecode(path)))


def _uri(name: str) -> str:
    return name if is_remote(name) else to_uri(to_path(name))


def _from_name(name: str, labelling: _Labelling, project_folder: Path) -> SourceContents:
    if is_pattern(name):
        found = _from_list(_matches(name, labelling), labelling, project_folder)
        found.description |= {"name": name, "pattern": name if is_remote(name) else os.path.abspath(to_path(name))}
        return found
    if not is_remote(name) and not os.path.exists(to_path(name)):
        raise InputError(f"{name!r} does not exist; give a folder, a zip file, an image, a pattern, or a list of them.")
    return _from_container(name, labelling, project_folder) or _from_files([name], labelling)


def _matches(pattern: str, labelling: _Labelling, *, required: bool = True) -> list[str]:
    if is_remote(pattern):
        listed = {file.url: file for file in list_files(pattern)}
        labelling.listed.update(listed)
        matches = list(listed)
    else:
        matches = match_files(pattern)
    if required and not matches:
        raise InputError(f"No file matches the pattern {pattern!r}.")
    return matches


def _from_list(names: list[str], labelling: _Labelling, project_folder: Path) -> SourceContents:
    """Folders and zip files are looked into; each image is taken once, where it is named first."""
    parts: list[SourceContents] = []
    files: list[str] = []
    for name in chain.from_iterable(_matches(name, labelling) if is_pattern(name) else [name] for name in names):
        container = _from_container(name, labelling, project_folder)
        if container is None:
            files.append(name)
            continue
        if files:
            parts.append(_from_files(files, labelling))
            files = []
        parts.append(container)
    if files or not parts:
        parts.append(_from_files(files, labelling))
    return parts[0] if len(parts) == 1 else _join(parts)


def _from_container(name: str, labelling: _Labelling, project_folder: Path) -> SourceContents | None:
    """What is in a folder or zip file; None if ``name`` is neither."""
    if is_remote(name):
        return _from_remote_container(name, labelling, project_folder)
    path = os.fspath(to_path(name))
    if os.path.isdir(path):
        return _from_folder(path, {"kind": "folder", "name": to_uri(path)}, labelling)
    if path.lower().endswith(".zip") and os.path.isfile(path):
        return _from_zip(path, to_uri(path), labelling, project_folder)
    return None


def _from_remote_container(url: str, labelling: _Labelling, project_folder: Path) -> SourceContents | None:
    if "::" in url or url in labelling.listed:
        return None
    suffix = PurePosixPath(url.partition("?")[0] if is_web(url) else url).suffix.lower()
    if suffix == ".zip" and not url.endswith("/"):
        return _from_zip_url(url, labelling, project_folder)
    if is_web(url) or (suffix in IMAGE_SUFFIXES | UNREAD_SUFFIXES and not url.endswith("/")):
        return None
    listing = list_files(url)
    return _from_listing(url, listing, labelling) if listing or url.endswith("/") else None


def _from_listing(url: str, listing: Sequence[RemoteFile], labelling: _Labelling) -> SourceContents:
    """The images in a remote folder. One listing tells all that is wanted of them; none is asked for, or read."""
    return _from_found_files(
        sort_out_listing(url, listing, auto_label=labelling.auto), {"kind": "folder", "name": url}, labelling
    )


def _from_zip_url(url: str, labelling: _Labelling, project_folder: Path) -> SourceContents:
    with scratch(project_folder) as folder:
        path = folder / "download.zip"
        try:
            download(url, path, LOCAL.max_archive_bytes)
        except InputError as error:
            raise ArchiveError(f"The archive {error}") from error
        return _from_zip(os.fspath(path), url, labelling, project_folder)


def _from_zip(path: str, name: str, labelling: _Labelling, project_folder: Path) -> SourceContents:
    # by content, so that another archive of the same name overwrites nothing; the members are checked in unpack_zip
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    stem = PurePosixPath(urlsplit(name).path if is_remote(name) else os.fspath(to_path(name))).stem
    safe = re.sub(r"[^\w-]+", "_", stem)[:40].strip("_") or "archive"
    root, issues = unpack_zip(path, project_folder / "images" / f"{safe}-{digest[:8]}")
    description = {"kind": "zip", "name": name}
    if root.is_dir():
        found = _from_folder(os.fspath(root), description, labelling)
        inside = {image: _relative(image, project_folder) for image in found.images["image"]}
        found.images = found.images.assign(image=found.images["image"].map(inside))
        found.annotations = found.annotations.assign(image=found.annotations["image"].map(inside))
    else:
        found = _found([], [], description, labelling)
    found.issues[:0] = issues
    return found


def _from_folder(folder: str, description: dict[str, Any], labelling: _Labelling) -> SourceContents:
    return _from_found_files(read_folder(folder, auto_label=labelling.auto), description, labelling)


def _from_found_files(files: FoundFiles, description: dict[str, Any], labelling: _Labelling) -> SourceContents:
    labels = files.labels if labelling.label is None else [labelling.label] * len(files.images)
    found = _found(files.images, labels, {**description, "auto_label": labelling.auto}, labelling)
    found.stats, found.issues, found.ignored = list(files.stats), files.issues, files.ignored
    found.contents = files.contents
    return found


def _from_files(names: list[str], labelling: _Labelling) -> SourceContents:
    uris = list(dict.fromkeys(map(_uri, names)))
    description = {"kind": "files", "name": uris[0] if len(uris) == 1 else f"{len(uris)} files"}
    asked = look_up_all(uri for uri in uris if is_remote(uri) and uri not in labelling.listed)
    known = labelling.listed | {uri: file for uri, file in asked.items() if isinstance(file, RemoteFile)}
    there = [uri for uri in uris if not isinstance(asked.get(uri), ImageError)]
    found = _found(there, [labelling.label] * len(there), description, labelling)
    found.stats = [known[uri].stat if uri in known else _stat(uri) for uri in there]
    found.contents = [known[uri].identity if uri in known else None for uri in there]
    found.issues = [
        Issue(error.code, error.reason, uri, str(description["name"]))
        for uri, error in asked.items()
        if isinstance(error, ImageError)
    ]
    return found


def _from_frame(frame: pd.DataFrame, labelling: _Labelling, split: str | None) -> SourceContents:
    if "image" not in frame.columns or not frame.columns.is_unique:
        raise InputError(f"The DataFrame needs one column 'image', and none twice; it has {list(frame.columns)}.")
    if split is not None and "split" in frame.columns:
        _check_side(frame["split"], split)
    rows = frame.assign(image=[image_uri(name) for name in frame["image"]])
    if labelling.label is not None:
        rows = rows.assign(label=labelling.label)
    boxes = "left" in rows.columns or set(rows.columns) >= _CORNERS
    # beside boxes width and height are theirs, otherwise the image's own
    about_labels = {*t.ANNOTATION_COLUMNS, *_CORNERS, "split", "revision"} - {"image"}
    own = [c for c in rows.columns if c not in about_labels or (c in ("width", "height") and not boxes)]
    images = rows[own].drop_duplicates("image").reset_index(drop=True)
    said = rows if boxes else rows.drop(columns=["width", "height"], errors="ignore")
    annotations = (
        t.normalise_annotations(said, annotator=labelling.annotator)
        if "label" in rows.columns
        else t.empty(t.ANNOTATION_COLUMNS)
    )
    description = {"kind": "table", "name": f"a table of {len(images)} images"}
    return SourceContents(images, annotations, description, [_stat(uri) for uri in images["image"]])


def _check_side(sides: pd.Series, split: str) -> None:
    others = sides[sides.notna() & (sides != split)]
    if len(others):
        raise InputError(
            f"The DataFrame's column 'split' says {others.iloc[0]!r} in {len(others):,} rows, but they were to be "
            f"added with split={split!r}. Add each side with a call of its own: "
            "add_images(frame[frame['split'] == 'test'], split='test'), and so for 'train'."
        )


def _join(parts: Sequence[SourceContents]) -> SourceContents:
    description = {
        "kind": "list",
        "name": f"{len(parts)} sources",
        "sources": [part.description for part in parts],
    }
    images = pd.concat([part.images for part in parts], ignore_index=True)
    first = ~images["image"].duplicated()
    stats = [stat for part in parts for stat in part.stats]
    contents = [content for part in parts for content in part.contents or [None] * len(part.images)]
    seen: set[str] = set()
    annotations = []
    for part in parts:
        annotations.append(part.annotations[~part.annotations["image"].isin(seen)])
        seen.update(part.images["image"])
    return SourceContents(
        images[first].reset_index(drop=True),
        pd.concat(annotations, ignore_index=True),
        description,
        [stat for stat, new in zip(stats, first, strict=True) if new],
        [issue for part in parts for issue in part.issues],
        sum(part.ignored for part in parts),
        contents=[content for content, new in zip(contents, first, strict=True) if new],
    )


def _found(
    images: Sequence[str], labels: Sequence[str | None], description: dict[str, Any], labelling: _Labelling
) -> SourceContents:
    rows = pd.DataFrame({"image": pd.Series(images, dtype="str"), "label": pd.Series(labels, dtype=object)})
    if labelling.label is not None:
        description = {**description, "label": labelling.label}
    return SourceContents(rows[["image"]], t.normalise_annotations(rows, annotator=labelling.annotator), description)


def _stat(uri: str) -> tuple[int, int] | None:
    if is_remote(uri):
        return None
    try:
        status = to_path(uri).stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _relative(uri: str, root: Path) -> str:
    path = os.path.abspath(to_path(uri))
    return uri if uri.startswith("file://") else os.path.relpath(path, os.path.abspath(root))
