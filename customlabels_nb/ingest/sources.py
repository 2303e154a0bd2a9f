"""List the images of a source without opening them: folders, zip files, patterns, lists, URLs, DataFrames."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, TypeAlias, get_args
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import scratch
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import label_color
from customlabels_nb.core.image_files import without_files
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.core.table_columns import about_index, how_to_convert, lacks_ending, read_frame, with_image
from customlabels_nb.datasets.formats.base import ROUNDING, Notes
from customlabels_nb.datasets.formats.format_detection import issues_beside
from customlabels_nb.datasets.formats.given_tables import tables_of
from customlabels_nb.datasets.formats.image_folder import folders_as_splits
from customlabels_nb.datasets.formats.stems import FilesByStem
from customlabels_nb.datasets.formats.zip_files import other_members, unpack_zip
from customlabels_nb.errors import ArchiveError, ImageError, InputError
from customlabels_nb.images.listing import FoundFiles, LabelsFrom, list_folder, list_pattern, read_folder
from customlabels_nb.images.locations import Location, is_remote, relative_name, to_path, to_uri
from customlabels_nb.remote.download_cache import look_up_all
from customlabels_nb.remote.remote_files import RemoteFile, download, is_chain, is_identity, is_web

OnLeak: TypeAlias = Literal["report", "keep"]
OnDuplicate: TypeAlias = Literal["skip", "keep"]
OnKnown: TypeAlias = Literal["fill", "replace", "skip"]
Lacking: TypeAlias = Literal["image-level labels", "boxes and polygons"]

_ANNOTATIONS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".manifest", ".xml", ".yaml", ".yml"})
_ARCHIVES = frozenset({".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


@dataclass(frozen=True)
class ImportOptions:
    """Import options, as described in :meth:`customlabels_nb.project.project.Project.add_images`.

    With ``follow``, images of the other split are known there instead of reported as leaks. With ``exact``, known
    images get exactly the annotations of the source, even none. With ``only_known``, new images are an error.
    ``lacks`` is the kind of annotations that the source does not have at all, see :func:`lacking`.
    ``copies`` maps images to their earlier copies in the project, which are replaced if the images have changed.
    Without ``records``, the source is not stored for later refreshes, because an earlier one has the images.
    """

    split: str = t.TRAIN
    labels_from: str | None = None
    label: str | None = None
    copy: bool = False
    on_leak: str = "report"
    on_duplicate: str = "skip"
    check_images: bool = False
    on_known: str = "fill"
    follow: bool = False
    exact: bool = False
    only_known: bool = False
    lacks: Lacking | None = None
    copies: Mapping[str, str] = field(default_factory=dict)
    records: bool = True

    def __post_init__(self) -> None:
        for argument, allowed in (
            ("split", t.SPLITS),
            ("labels_from", (None, *get_args(LabelsFrom))),
            ("on_leak", get_args(OnLeak)),
            ("on_duplicate", get_args(OnDuplicate)),
            ("on_known", get_args(OnKnown)),
        ):
            value = getattr(self, argument)
            if value not in allowed:
                raise InputError(f"{argument}={value!r} is unknown. Choose one of {allowed!r}.")
        if self.label is not None and self.labels_from:
            raise InputError("Pass either label= or labels_from='folders', not both.")


Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | pd.DataFrame | Iterator[pd.DataFrame]


class Incoming(NamedTuple):
    """Images of a source without their annotations, as columns of the same length (see :class:`SourceContents`)."""

    images: pd.DataFrame
    stats: Sequence[tuple[int, int] | None]
    contents: Sequence[str | None]


@dataclass
class SourceContents:
    """Contents of a source, listed without opening any file.

    ``images`` has the column ``image`` and any user columns. ``annotations`` are normalised. ``stats`` has the size in
    bytes and the modification time (ns) of each image if they are available at no cost, and ``contents`` has the
    identities of remote images. ``lines`` has the source, line number and text of manifest lines that could not be
    read. ``labels`` has the labels to add in order, each with its color, or None for the next palette color.
    ``rounding`` is the difference in pixels up to which two boxes of the source are the same.
    """

    images: pd.DataFrame
    annotations: pd.DataFrame
    description: dict[str, Any]
    stats: list[tuple[int, int] | None] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    ignored: int = 0
    lines: list[tuple[str, int, str]] = field(default_factory=list)
    contents: list[str | None] = field(default_factory=list)
    labels: Sequence[tuple[str, str | None]] = ()
    rounding: float = ROUNDING

    def __post_init__(self) -> None:
        self.stats = self.stats or [None] * len(self.images)
        self.contents = self.contents or [None] * len(self.images)

    @property
    def incoming(self) -> Incoming:
        named = [name for name in ("image", "width", "height") if name in self.images]
        return Incoming(self.images[named], self.stats, self.contents)

    def part(self, rows: Sequence[int]) -> SourceContents:
        """Return the images at these positions with their annotations, without issues, lines and ignored files."""
        images, annotations = self.images.iloc[rows].reset_index(drop=True), self.annotations
        if len(images) < len(self.images):
            annotations = annotations[t.is_among(annotations["image"], images["image"])]
        stats, contents = [self.stats[i] for i in rows], [self.contents[i] for i in rows]
        part = replace(self, images=images, annotations=annotations, stats=stats, contents=contents)
        return replace(part, issues=[], ignored=0, lines=[])


def contents_of_tables(
    images: pd.DataFrame,
    annotations: pd.DataFrame,
    name: str,
    *,
    root: Path | None,
    issues: Sequence[Issue] = (),
    lines: Sequence[tuple[str, int, str]] = (),
    labels: Iterable[tuple[str, str]] = (),
    rounding: float = ROUNDING,
) -> SourceContents:
    """Convert a dataset's tables to source contents, with relative paths resolved against ``root``."""
    plain, renamed = images.drop(columns=["split", "revision", "sha256", "source"]), annotations
    places = [Location(image, None if is_remote(image) else to_path(image, root)) for image in images["image"].tolist()]
    uris = {place.name: place.uri for place in places}
    if list(uris) != list(uris.values()):
        plain, renamed = (table.assign(image=table["image"].map(uris)) for table in (plain, annotations))
    stats = [_stat(place.path) for place in places]
    contents = [content if is_identity(content) else None for content in images["sha256"].tolist()]
    notes = {key: dict(value) for key, value in images.attrs.items() if isinstance(value, Notes)}
    description = {"kind": "dataset", "name": name, **({"notes": notes} if notes else {})}
    return SourceContents(
        plain, renamed, description, stats, list(issues), lines=list(lines), contents=contents, labels=_chosen(labels),
        rounding=rounding,
    )  # fmt: skip


def lacking(annotations: pd.DataFrame) -> Lacking | None:
    """Return the kind of annotations that a source with the other kind lacks.

    Its program may not know them, as most that write COCO do not know labels of images. So it cannot remove them.
    """
    drawn = annotations["left"].notna()
    if drawn.empty or drawn.nunique() == 2:
        return None
    return "image-level labels" if drawn.iloc[0] else "boxes and polygons"


def _chosen(labels: Iterable[tuple[str, str]]) -> list[tuple[str, str | None]]:
    """Return the labels with the colors that are not those of the palette."""
    return [(label, None if color == label_color(i) else color) for i, (label, color) in enumerate(labels)]


def find_images(
    source: Source, options: ImportOptions, *, project_folder: Path, annotator: str | None = None
) -> SourceContents:
    """List the images of ``source``: a folder, a zip file, one file or URL, a pattern, a list, or a DataFrame.

    A zip file is unpacked in ``project_folder``, into a folder named after the file and its content.
    """
    label = None if options.label is None else t.check_label(options.label)
    if isinstance(source, pd.DataFrame):
        frame = source if label is None else source.assign(label=label)
        contents = _from_frame(frame, annotator, options.split, project_folder)
    else:
        contents = _Finder(project_folder, annotator, options.labels_from).find(source)
        if label is not None:
            _labelled(contents, label, annotator)
    if contents.images.empty and not contents.issues:
        were = counted(contents.ignored, "other file was", "other files were")
        ignored = f" ({were} ignored)" if contents.ignored else ""
        raise InputError(f"No images found in {contents.description['name']!r}{ignored}.")
    if options.labels_from and contents.description["kind"] in ("files", "table"):
        raise InputError(
            "labels_from='folders' takes the labels from folder names, but the source is "
            f"{'a table' if contents.description['kind'] == 'table' else 'a list of files'}. Pass the folder, or "
            "label= for all images, or a DataFrame with a column 'label'."
        )
    return contents


def find_again(
    description: Mapping[str, Any], *, project_folder: Path, annotator: str | None = None
) -> SourceContents | None:
    """Rescan a source from its description, or return None if it cannot be rescanned. It may now have no images."""
    kind, pattern = description.get("kind"), description.get("pattern")
    if kind not in ("folder", "zip", "files"):
        return None
    location = Location.of(pattern or description["name"])
    file = location.path if kind == "files" else None
    if file is not None and not file.is_absolute():
        return None
    finder = _Finder(project_folder, annotator, description.get("labels_from"))
    if pattern:
        contents = finder.from_list(list_pattern(location))
    elif file is not None and not os.path.lexists(file):
        contents = finder.from_files([])
    else:
        contents = finder.from_location(location)
    if description.get("label") is not None:
        _labelled(contents, description["label"], annotator)
    contents.description = {key: value for key, value in description.items() if key != "copy"}
    return contents


@dataclass(frozen=True)
class _Finder:
    """Scanner for image sources."""

    project_folder: Path
    annotator: str | None
    labels_from: str | None

    def find(self, source: object) -> SourceContents:
        if isinstance(source, str | os.PathLike):
            return self.from_location(Location.of(source))
        if isinstance(source, Mapping):
            raise InputError(f"source is a dict, of which only the keys would be read. {how_to_convert(source)}")
        if not isinstance(source, Iterable) or isinstance(source, bytes):
            raise InputError(f"source={source!r} must be a path, a URL, a list of these, or a DataFrame.")
        items = [Location.of(item) for item in source]
        if not items:
            raise InputError("source is an empty list. Pass at least one path or URL.")
        return self.from_list(items)

    def from_location(self, location: Location) -> SourceContents:
        name, path = location.name, location.path
        if path is not None and not location.is_pattern and not os.path.exists(path):
            where = "" if path.is_absolute() else f" in {os.getcwd()}"
            raise InputError(
                f"{name!r} does not exist{where}. Pass a folder, a zip file, an image, a pattern, or a list of them."
            )
        suffix = "" if path is None else path.suffix.lower()
        if suffix in _ANNOTATIONS:
            raise InputError(f"{name!r} is not an image. Pass cl.read_dataset({name!r}) to project.import_dataset.")
        if suffix in _ARCHIVES:
            raise InputError(f"{name!r} is an archive that is not read. Unpack it, and pass the folder.")
        contents = self.from_list([location])
        if location.is_pattern:
            contents.description |= {"name": name, "pattern": name if path is None else os.path.abspath(path)}
        return contents

    def from_list(self, locations: Iterable[Location]) -> SourceContents:
        """Return the combined contents of a list of sources, with each image only once."""
        places = chain.from_iterable(map(_matches, locations))
        found = ((place, self._from_container(place)) for place in places)
        parts: list[SourceContents] = []
        for is_file, group in groupby(found, key=lambda each: each[1] is None):
            if is_file:
                parts.append(self.from_files(place for place, _ in group))
            else:
                parts += [part for _, part in group if part]
        return _join(parts) if len(parts) > 1 else parts[0] if parts else self.from_files([])

    def from_files(self, places: Iterable[Location]) -> SourceContents:
        named = {place.uri: place for place in places}
        contents = SourceContents(
            pd.DataFrame({"image": pd.Series(list(named), dtype=t.TEXT)}),
            t.empty(t.ANNOTATION_COLUMNS),
            {"kind": "files", "name": next(iter(named)) if len(named) == 1 else f"{len(named):,} files"},
            [_stat(place.path) for place in named.values()],
        )
        listed = {uri: place.listed for uri, place in named.items() if place.listed}
        unlisted = (uri for uri, place in named.items() if place.path is None and uri not in listed)
        return _with_metadata(contents, {**listed, **look_up_all(unlisted)})

    def _from_container(self, place: Location) -> SourceContents | None:
        """Return the contents of a folder or zip file, or None if it is neither."""
        if _is_zip(place):
            return self._from_zip(place)
        files = list_folder(place, labels_from=self.labels_from, any_name=True)
        return None if files is None else self._from_folder(files, {"kind": "folder", "name": place.uri}, place.uri)

    def _from_zip(self, place: Location) -> SourceContents:
        if place.path is not None:
            return self._unpacked(place.path, place)
        with scratch(self.project_folder) as folder:
            path = folder / "download.zip"
            try:
                download(place.name, path, LOCAL.max_archive_bytes)
            except InputError as error:
                raise ArchiveError(f"Archive {error}") from error
            return self._unpacked(path, place)

    def _unpacked(self, path: Path, place: Location) -> SourceContents:
        # the folder name contains a hash of the archive, so that a different archive of the same name overwrites
        # nothing, and unpack_zip checks the members
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        stem = (place.path or PurePosixPath(urlsplit(place.name).path)).stem
        safe = re.sub(r"[^\w-]+", "_", stem)[:40].strip("_") or "archive"
        root, issues = unpack_zip(path, self.project_folder / "images" / f"{safe}-{digest[:8]}")
        files = read_folder(root, labels_from=self.labels_from) if root.is_dir() else FoundFiles()
        top = os.path.abspath(self.project_folder)
        files.images = [image if image.startswith("file://") else relative_name(image, top) for image in files.images]
        files.issues[:0] = issues
        top = to_uri(root)
        files.others = [f"{top}/{name}" for name in other_members(path)]
        return self._from_folder(files, {"kind": "zip", "name": place.uri}, top)

    def _from_folder(self, files: FoundFiles, description: dict[str, Any], top: str) -> SourceContents:
        if self.labels_from or files.others:
            files.issues += issues_beside(files.images, files.others, top)
        if self.labels_from:
            how = (
                "All images were added to one split. To add them to their splits, pass the result of cl.read_dataset "
                "to project.import_dataset."
            )
            files.issues += folders_as_splits(files, top, how)
        rows = pd.DataFrame(
            {"image": pd.Series(files.images, dtype=t.TEXT), "label": pd.Series(files.labels, dtype=t.TEXT)}
        )
        contents = SourceContents(
            rows[["image"]],
            t.normalise_annotations(rows[rows["label"].notna()], annotator=self.annotator),
            {**description, "labels_from": self.labels_from},
            files.stats,
            files.issues,
            len(files.others),
            contents=files.contents,
        )
        return _with_metadata(contents, look_up_all(files.unlisted))


def _matches(location: Location) -> list[Location]:
    matches = list_pattern(location) if location.is_pattern else [location]
    if not matches:
        raise InputError(f"No file matches the pattern {location.name!r}.")
    return matches


def _is_zip(place: Location) -> bool:
    if place.path is not None:
        return os.fspath(place.path).lower().endswith(".zip") and os.path.isfile(place.path)
    path = place.name.partition("?")[0] if is_web(place.name) else place.name
    return path.lower().endswith(".zip") and not is_chain(place.name)


def _with_metadata(contents: SourceContents, answers: Mapping[str, RemoteFile | ImageError]) -> SourceContents:
    """Add the metadata of remote images, and report those that cannot be reached as issues instead."""
    if not answers:
        return contents
    reached = []
    for row, image in enumerate(contents.images["image"].tolist()):
        answer = answers.get(image)
        if isinstance(answer, ImageError):
            contents.issues.append(Issue(answer.code, answer.reason, image, contents.description["name"]))
            continue
        reached.append(row)
        if answer is not None:
            contents.stats[row], contents.contents[row] = answer.stat, answer.identity
    return replace(contents.part(reached), issues=contents.issues, ignored=contents.ignored)


def _labelled(contents: SourceContents, label: str, annotator: str | None) -> None:
    """Set ``label`` as the label of each image, in the annotations and the source descriptions."""
    rows = contents.images[["image"]].assign(label=label)
    contents.annotations = t.normalise_annotations(rows, annotator=annotator)
    for description in contents.description.get("sources", [contents.description]):
        description["label"] = label


def _from_frame(frame: pd.DataFrame, annotator: str | None, split: str, project_folder: Path) -> SourceContents:
    frame, _ = without_files(with_image(frame))
    t.check_flat(frame, "images")
    rows, decisions = read_frame(frame)
    _check_frame(rows, split)
    uris, paths, files = _located(rows["image"], project_folder)
    rows = rows.drop(columns="split", errors="ignore").assign(image=uris)
    images, annotations, issues = tables_of(rows, frame, decisions, "the table", annotator=annotator)
    about = [Issue("ENTRY_ADJUSTED", message, column, "the table") for column, message in decisions.notes()]
    issues = [*about, *files.issues("the table"), *issues]
    description = {"kind": "table", "name": f"a table of {counted(len(images), 'image')}"}
    return SourceContents(images, annotations, description, [_stat(paths[uri]) for uri in images["image"]], issues)


def _located(names: Iterable[Any], project_folder: Path) -> tuple[list[str], dict[str, Path | None], FilesByStem]:
    """Return the URIs of images, their paths, and the finder that has completed names without an ending."""
    locations = [Location.of(_with_folder(name, project_folder)) for name in names]
    uris, files = [location.uri for location in locations], FilesByStem()
    paths = dict(zip(uris, (location.path for location in locations), strict=True))
    completed = {uri: file for uri, path in paths.items() if lacks_ending(uri) and (file := files.find(path))}
    paths |= {to_uri(file): file for file in completed.values()}
    return [to_uri(completed[uri]) if uri in completed else uri for uri in uris], paths, files


def _with_folder(name: Any, project_folder: Path) -> Any:
    """Return the path of a copy in the project, whose name is relative to it in the project's tables."""
    is_copy = isinstance(name, str) and name.startswith("images/") and not os.path.exists(name)
    return project_folder / name if is_copy and (project_folder / name).is_file() else name


def _check_frame(frame: pd.DataFrame, split: str) -> None:
    if "image" not in frame.columns or not frame.columns.is_unique:
        raise InputError(
            f"The DataFrame needs a column 'image', and columns with different names, but has {list(frame.columns)}."
            f"{about_index(frame) if 'image' not in frame.columns else ''}"
        )
    if (empty := frame["image"].isna()).any():
        row = frame.index[empty][0]
        raise InputError(f"Column 'image' of the DataFrame is empty in row {row}. Each row needs a path or URL.")
    sides = frame.get("split", pd.Series(dtype=t.TEXT))
    others = sides[sides.notna() & (sides.map(t.split_named) != split)]
    if len(others):
        raise InputError(
            f"Column 'split' of the DataFrame is {others.iloc[0]!r} in {counted(len(others), 'row')}, but "
            f"split={split!r}. Add train and test separately, for example add_images(frame[frame['split'] == 'test'], "
            "split='test')."
        )


def _join(parts: Sequence[SourceContents]) -> SourceContents:
    seen: set[str] = set()
    annotations = []
    for part in parts:
        annotations.append(part.annotations[~part.annotations["image"].isin(seen)])
        seen.update(part.images["image"])
    images = pd.concat([part.images for part in parts], ignore_index=True)
    joined = SourceContents(
        images,
        pd.concat(annotations, ignore_index=True),
        {"kind": "list", "name": f"{len(parts)} sources", "sources": [part.description for part in parts]},
        [stat for part in parts for stat in part.stats],
        contents=[content for part in parts for content in part.contents],
    ).part(np.flatnonzero(~images["image"].duplicated()).tolist())
    issues = [issue for part in parts for issue in part.issues]
    return replace(joined, issues=issues, ignored=sum(part.ignored for part in parts))


def _stat(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns
