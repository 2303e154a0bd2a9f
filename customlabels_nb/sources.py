"""What a source of images names, before any is opened: folders, zip files, patterns, lists, URLs, DataFrames."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import ArchiveError, InputError, MissingDependencyError
from customlabels_nb.files import expand_home
from customlabels_nb.formats.archive import unpack_zip
from customlabels_nb.formats.folder import is_pattern, match_files, read_folder
from customlabels_nb.images import is_remote, to_path, to_uri
from customlabels_nb.issues import Issue
from customlabels_nb.limits import LOCAL
from customlabels_nb.settings import settings

Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | pd.DataFrame
_CORNERS = {"xmin", "ymin", "xmax", "ymax"}


@dataclass
class Found:
    """What a source names, before any file was opened.

    ``images`` has ``image`` and any column of the user's; ``annotations`` are normalised; ``stats`` are size in
    bytes and time of change (ns) of each image where they came for free.
    """

    images: pd.DataFrame
    annotations: pd.DataFrame
    description: dict[str, Any]
    stats: list[tuple[int, int] | None] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    ignored: int = 0


@dataclass(frozen=True)
class _Labelling:
    auto: bool
    label: str | None
    annotator: str | None


def found_in_tables(
    images: pd.DataFrame, annotations: pd.DataFrame, name: str, *, root: Path | None, issues: Sequence[Issue]
) -> Found:
    """The images and annotations of a dataset's tables; ``root`` is where its relative images lie."""
    uris = {image: image if is_remote(image) else to_uri(to_path(image, root)) for image in images["image"]}
    plain = images.drop(columns=["split", "revision", "sha256", "source", "width", "height"])
    plain = plain.assign(image=plain["image"].map(uris))
    marks = annotations.assign(image=annotations["image"].map(uris))
    return Found(plain, marks, {"kind": "dataset", "name": name}, [_stat(uri) for uri in plain["image"]], list(issues))


def find_images(
    source: Source,
    *,
    auto_label: bool,
    label: str | None,
    project_folder: Path,
    annotator: str | None = None,
    split: str | None = None,
) -> Found:
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
        found = _from_list([_text(item) for item in source], labelling, project_folder)
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


def image_uri(name: object) -> str:
    """How the tables call an image that a person names: see :func:`customlabels_nb.images.to_uri`."""
    return _uri(_text(name))


def _text(item: object) -> str:
    if not isinstance(item, str | os.PathLike) or not os.fspath(item):
        raise InputError(f"{item!r} is no path and no URL.")
    path = os.fspath(item)
    return expand_home(path if isinstance(path, str) else os.fsdecode(path))


def _uri(name: str) -> str:
    return name if is_remote(name) else to_uri(to_path(name))


def _from_name(name: str, labelling: _Labelling, project_folder: Path) -> Found:
    if is_pattern(name):
        found = _from_list(_matches(name), labelling, project_folder)
        found.description["name"] = name
        return found
    if not is_remote(name) and not os.path.exists(to_path(name)):
        raise InputError(f"{name!r} does not exist; give a folder, a zip file, an image, a pattern, or a list of them.")
    return _from_container(name, labelling, project_folder) or _from_files([name], labelling)


def _matches(pattern: str) -> list[str]:
    matches = match_files(pattern)
    if not matches:
        raise InputError(f"No file matches the pattern {pattern!r}.")
    return matches


def _from_list(names: list[str], labelling: _Labelling, project_folder: Path) -> Found:
    """Folders and zip files are looked into; each image is taken once, where it is named first."""
    parts: list[Found] = []
    files: list[str] = []
    for name in chain.from_iterable(_matches(name) if is_pattern(name) else [name] for name in names):
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


def _from_container(name: str, labelling: _Labelling, project_folder: Path) -> Found | None:
    """What is in a folder or zip file; None if ``name`` is neither."""
    if is_remote(name):
        location = urlsplit(name).path if "::" not in name else ""
        return _from_zip_url(name, labelling, project_folder) if location.lower().endswith(".zip") else None
    path = os.fspath(to_path(name))
    if os.path.isdir(path):
        return _from_folder(path, {"kind": "folder", "name": to_uri(path)}, labelling)
    if path.lower().endswith(".zip") and os.path.isfile(path):
        return _from_zip(path, to_uri(path), labelling, project_folder)
    return None


def _from_zip_url(url: str, labelling: _Labelling, project_folder: Path) -> Found:
    if not settings.network:
        raise ArchiveError(f"The archive {url!r} is not fetched: settings.network is off.")
    with tempfile.TemporaryDirectory(prefix=".download-", dir=project_folder) as folder:
        path = os.path.join(folder, "download.zip")
        try:
            import fsspec

            with fsspec.open(url, "rb") as source, open(path, "wb") as target:
                while target.tell() <= LOCAL.max_archive_bytes and (data := source.read(1 << 20)):
                    target.write(data)
                size = target.tell()
        except ImportError as error:
            raise MissingDependencyError(f"{url!r}: its protocol needs a package that isn't here ({error}).") from error
        except Exception as error:  # each protocol raises what its client library does
            raise ArchiveError(f"The archive {url!r} can't be read ({type(error).__name__}: {error}).") from error
        if size > LOCAL.max_archive_bytes:
            raise ArchiveError(f"The archive {url!r} has more than {LOCAL.max_archive_bytes:,} bytes.")
        return _from_zip(path, url, labelling, project_folder)


def _from_zip(path: str, name: str, labelling: _Labelling, project_folder: Path) -> Found:
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


def _from_folder(folder: str, description: dict[str, Any], labelling: _Labelling) -> Found:
    files = read_folder(folder, auto_label=labelling.auto)
    labels = files.labels if labelling.label is None else [labelling.label] * len(files.images)
    found = _found(files.images, labels, {**description, "auto_label": labelling.auto}, labelling)
    found.stats, found.issues, found.ignored = list(files.stats), files.issues, files.ignored
    return found


def _from_files(names: list[str], labelling: _Labelling) -> Found:
    uris = list(dict.fromkeys(map(_uri, names)))
    description = {"kind": "files", "name": uris[0] if len(uris) == 1 else f"{len(uris)} files"}
    found = _found(uris, [labelling.label] * len(uris), description, labelling)
    found.stats = [_stat(uri) for uri in uris]
    return found


def _from_frame(frame: pd.DataFrame, labelling: _Labelling, split: str | None) -> Found:
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
    return Found(images, annotations, description, [_stat(uri) for uri in images["image"]])


def _check_side(sides: pd.Series, split: str) -> None:
    others = sides[sides.notna() & (sides != split)]
    if len(others):
        raise InputError(
            f"The DataFrame's column 'split' says {others.iloc[0]!r} in {len(others):,} rows, but they were to be "
            f"added with split={split!r}. Add each side with a call of its own: "
            "add_images(frame[frame['split'] == 'test'], split='test'), and so for 'train'."
        )


def _join(parts: Sequence[Found]) -> Found:
    description = {
        "kind": "list",
        "name": f"{len(parts)} sources",
        "sources": [part.description for part in parts],
    }
    images = pd.concat([part.images for part in parts], ignore_index=True)
    first = ~images["image"].duplicated()
    stats = [stat for part in parts for stat in part.stats]
    seen: set[str] = set()
    annotations = []
    for part in parts:
        annotations.append(part.annotations[~part.annotations["image"].isin(seen)])
        seen.update(part.images["image"])
    return Found(
        images[first].reset_index(drop=True),
        pd.concat(annotations, ignore_index=True),
        description,
        [stat for stat, new in zip(stats, first, strict=True) if new],
        [issue for part in parts for issue in part.issues],
        sum(part.ignored for part in parts),
    )


def _found(
    images: Sequence[str], labels: Sequence[str | None], description: dict[str, Any], labelling: _Labelling
) -> Found:
    rows = pd.DataFrame({"image": pd.Series(images, dtype="str"), "label": pd.Series(labels, dtype=object)})
    return Found(rows[["image"]], t.normalise_annotations(rows, annotator=labelling.annotator), description)


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
