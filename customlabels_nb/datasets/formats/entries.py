"""Helpers for text formats: a collector of entries, image names, and the index file next to the annotations."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, polygon_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.core.polygons import Polygon
from customlabels_nb.datasets.formats.account import Account, Taken
from customlabels_nb.datasets.formats.base import Contents, ImageFinder
from customlabels_nb.datasets.formats.json_file import as_list, measured, shown, size_of, unusable
from customlabels_nb.datasets.formats.staging import Staged, free_stem
from customlabels_nb.datasets.formats.verdicts import (
    BOX_OF_POLYGON,
    POLYGON_IN_RATIOS,
    contradictions,
    scaled_polygon,
    settle,
    text_of,
    without_zeros,
)
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.listing import is_hidden
from customlabels_nb.images.locations import is_remote, to_path, to_uri

#: File next to the annotations with data that their format cannot store: the order of labels and images, image sizes,
#: and the images that were not reviewed.
INDEX_NAME = "index.json"
#: The same beside files that end in ``.json``, which programs would take for one of them.
INDEX_BESIDE_JSON = "index.txt"
_INDEX_MARK = "customlabels_nb"
_LARGEST_INDEX = 2**30
# control characters and line breaks of any kind: lists have one name per line, and XML cannot store most of them
_AWKWARD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_MOST_COLUMNS, _LONGEST_VALUE = 50, 1000
_NOTHING: tuple[Any, ...] = (None, "", [], {})

#: Folders with images, next to the folder with their annotation files.
IMAGE_FOLDERS = ("JPEGImages", "images")

#: Capabilities of formats for drawn shapes with an index file; see ``CAPABILITIES``.
HOLDS_DRAWN = frozenset(
    ["boxes", "polygons", "confidence", "empty", "unlabelled", "split", "labels", "label_order", "size"]
)

Box = tuple[float, float, float, float]
Size = tuple[int, int]
Parsed = TypeVar("Parsed")


#: Fate of a date.
MOMENT = Taken(lambda value: moment_or_none(value) is not None, "date")


class UnreadableError(Exception):
    """Error with the reason why a file or an entry cannot be read."""


@dataclass
class Collector:
    """Collector of entries from a file or folder. Issues refer to ``source`` by default."""

    source: str
    issues: list[Issue] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    taken: set[str] = field(default_factory=set)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _tables: list[pd.DataFrame] = field(default_factory=list)
    _labels: dict[str, str] = field(default_factory=dict)
    _forms: dict[str, str] = field(default_factory=dict)
    _columns: set[str] = field(default_factory=set)
    _lost: list[str] = field(default_factory=list)  # images of boxes that were left out

    def unreadable(self, message: str, *, where: str = "", source: str | None = None, line: int | None = None) -> None:
        """Add an issue for an entry that is skipped."""
        self._add("ENTRY_UNREADABLE", message, where, source, line)

    def adjusted(self, message: str, *, where: str = "", source: str | None = None, line: int | None = None) -> None:
        """Add an issue for an entry that was changed while reading."""
        self._add("ENTRY_ADJUSTED", message, where, source, line)

    def _add(self, code: str, message: str, where: str, source: str | None, line: int | None) -> None:
        self.issues.append(Issue(code, message, where, source or self.source, line))

    def label(self, text: str) -> str:
        """Check ``text`` and return it as a label, or raise LabelError."""
        if text not in self._labels:
            label = self._labels[text] = t.check_label(text)
            first = self._forms.setdefault(label, text.strip())
            if first != text.strip():
                self.adjusted(f"The label {label!r} is written in two Unicode forms. Both were read as one label.")
        return self._labels[text]

    def add_image(
        self,
        uri: str,
        *,
        size: Size | None = None,
        split: str = t.TRAIN,
        status: str = "unlabelled",
        own: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an image with the values of columns of the user's own."""
        width, height = size or (None, None)
        self.images[uri] = {"split": split, "status": status, **(own or {}), "width": width, "height": height}

    def note(self, text: object, where: str) -> str | None:
        """Return a text as a note, or None for an empty one and for what cannot be a note, which is counted."""
        if text in _NOTHING:
            return None
        try:
            return t.check_note(text) or None
        except InputError:
            self.account.add("note", where, value=text)
            return None

    def columns(self, values: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
        """Return the texts and numbers among the facts about an image that can be columns, and count the others.

        Without ``where``, the caller counts them.
        """
        facts: dict[str, Any] = {}
        for name, value in values.items():
            if value in _NOTHING:
                continue
            text = name if isinstance(value, int | float) else f"{name}{value}"
            usable = isinstance(value, str | int | float) and name.strip() and t.storable(text)
            taken = name in t.IMAGE_COLUMNS or (name in t.PREDICTION_COLUMNS and name != "note")
            taken |= len(text) > _LONGEST_VALUE
            if not usable or taken or (name not in self._columns and len(self._columns) >= _MOST_COLUMNS):
                if where is not None:
                    self.account.add(f"value of {shown(name)}", where, value=value)
                continue
            self._columns.add(name)
            facts[name] = value
        return facts

    def plausible(
        self, box: Box, polygon: Polygon | None, uri: str, size: Size | None, **origin: Any
    ) -> tuple[Box, Polygon | None]:
        """Return a box and its polygon, with an issue if they contradict each other, or the box has no area."""
        outline = box if polygon is None else box_around(polygon)
        if box != outline:
            unclear = size is None and (_is_in_ratios(box) or _is_in_ratios(outline))
            whole = dict(measured([uri]))[uri] if unclear else size
            around, of_image = np.array([outline]), np.array([whole if isinstance(whole, tuple) else (np.nan, np.nan)])
            verdict = contradictions(np.array([box]), around, ltwh_to_xyxy(box), of_image).get(0)
            if verdict is not None:
                what = f"Its box ({text_of(box)}) does not fit its polygon ({text_of(outline)})."
                self.adjusted(f"{what} {verdict}", **origin)
            box = outline if verdict == BOX_OF_POLYGON else box
            polygon = scaled_polygon(polygon, of_image[0]) if verdict == POLYGON_IN_RATIOS else polygon
        self.check_area(box, **origin)
        return box, polygon

    def check_area(self, box: Box | None, **origin: Any) -> None:
        """Add an issue if a box has no area. One of only zeros means an empty image."""
        if box is not None and any(box) and not (box[2] > 0 and box[3] > 0):
            self.adjusted(f"Its box has no area: {text_of(box)}. Draw it again, or remove it.", **origin)

    def add_annotation(
        self,
        uri: str,
        label: str,
        box: Box | None = None,
        *,
        polygon: Polygon | None = None,
        crowd: bool = False,
        confidence: float = 1.0,
        annotator: str | None = None,
        job: str | None = None,
        created: datetime | None = None,
        note: str | None = None,
        model: str | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        """Add an annotation with a valid label, box and confidence, or a prediction of ``model``.

        With its ``origin``, where issues are, the box is judged together with all others.
        """
        whole = box or (None,) * 4
        facts = polygon, crowd, confidence, annotator, job, created, note, model
        self._rows.append((uri, label, *whole, *facts, origin))

    def add_table(self, rows: pd.DataFrame) -> None:
        """Add annotations with valid labels, boxes and confidences as a table."""
        self._tables.append(rows)

    def count_missing(self, finder: ImageFinder) -> None:
        """Add an issue if some images are not there, although others are, unless the finder lists them."""
        if finder.missing:
            return
        local = [uri for uri in self.images if not is_remote(uri)]
        missing = [uri for uri in local if not is_here(uri)]
        if missing and len(missing) < len(local):
            names = ", ".join(shown(Path(uri).name) for uri in missing[:3]) + (" …" if len(missing) > 3 else "")
            message = (
                f"{len(missing):,} × image was not found: {names}. Add the files, or pass their folder as images=."
            )
            self.issues.append(Issue("IMAGE_NOT_LISTED", message, missing[0], self.source))

    def settle(self, uri: str, read: list[bool]) -> None:
        """Mark an image as unlabelled if none of its entries could be read, because it is not empty."""
        if read and not any(read):
            self.images[uri]["status"] = "unlabelled"

    def confidence(self, value: float | None, quoted: object, *, what: str = "confidence", **origin: Any) -> float:
        """Return ``value``, or add an issue that shows ``quoted`` and return 1 if it is not between 0 and 1."""
        if value is not None and 0 <= value <= 1:
            return value
        self.adjusted(f"The {what} {shown(quoted)} is not between 0 and 1. It was read as 1.", **origin)
        return 1.0

    def box_of_corners(self, corners: list[float], quoted: object, **origin: Any) -> list[float]:
        """Convert two opposite corners to left, top, width and height, adding an issue if their order is wrong."""
        ordered = [*map(min, corners[:2], corners[2:]), *map(max, corners[:2], corners[2:])]
        if ordered != corners:
            self.adjusted(f"The corners {shown(quoted)} were in the wrong order.", **origin)
        with np.errstate(over="ignore"):
            box: list[float] = xyxy_to_ltwh(ordered)[0].tolist()
        return box

    def contents(self, labels: list[str], *, order: list[str] | None = None) -> Contents:
        """Return the collected entries as contents, with ``labels`` and the images in ``order`` first."""
        result = Contents(unread=self.unread, taken={self.source, *self.taken})
        uris = list(dict.fromkeys([*(uri for uri in order or () if uri in self.images), *self.images]))
        if self._rows or self._tables:
            self._fill(result, self._table(), uris if order else [])
        if uris:
            frame = pd.DataFrame([self.images[uri] for uri in uris]).assign(image=uris)
            for name in self._columns:
                if len(set(map(type, frame[name].dropna()))) > 1:  # such as texts and numbers
                    frame[name] = frame[name].map(str, na_action="ignore")
            sizes = {name: pd.array(frame[name], dtype="Int64") for name in ("width", "height")}
            images = t.normalise_images(frame.assign(**sizes))
            images = t.settle_statuses(images, result.annotations, changed=pd.Series(self._lost, dtype=object))
            result.images, result.annotations, issues = without_zeros(images, result.annotations, self.source)
            self.issues += issues
        result.issues = [*self.issues, *self.account.issues(self.source)]
        result.labels = t.labels_in_order(result.annotations, labels)
        return result

    def _fill(self, result: Contents, rows: pd.DataFrame, order: list[str]) -> None:
        """Set the annotations and predictions of the contents, by the order of the images if there is one."""
        if order:
            position = {uri: number for number, uri in enumerate(order)}
            rows = rows.iloc[np.argsort([position[uri] for uri in rows["image"].tolist()], kind="stable")]
        predicted = rows["model"].notna() if self._rows else pd.Series(False, rows.index)
        if not predicted.all():
            result.annotations = t.normalise_annotations(rows[~predicted])
        if predicted.any():
            result.predictions = t.normalise_predictions(rows[predicted])

    def _table(self) -> pd.DataFrame:
        """Judge the boxes with an origin, and return the readable rows."""
        if not self._rows:
            return pd.concat(self._tables)
        rows = pd.DataFrame(self._rows, columns=[*t.PREDICTION_COLUMNS, "origin"])
        origins = rows.pop("origin")
        judged = origins.notna().to_numpy()
        if not judged.any():
            return rows
        sizes = {uri: size_of(facts["width"], facts["height"]) for uri, facts in self.images.items()}
        part = rows[judged].reset_index(drop=True).astype(dict.fromkeys(t.BOX_COLUMNS, float))
        table, keep, issues = settle(part, sizes, self.source, origins[judged].tolist().__getitem__)
        self.issues += issues
        table, others = table.set_axis(np.flatnonzero(judged)[keep]), rows[~judged]
        self._lost = part.loc[~keep & part["model"].isna(), "image"].tolist()
        return pd.concat([table, others]).sort_index() if len(others) else table


class Places:
    """Cache of image locations by name."""

    def __init__(self, finder: ImageFinder) -> None:
        self._finder = finder
        self._uri_by_names: dict[tuple[str, ...], str] = {}
        self._stems: dict[Path, dict[str, list[Path]]] = {}

    def find(self, name: str, *urls: str) -> str:
        """Return the URI of an image, or raise InputError if the name is not allowed or cannot be stored."""
        uri = self._uri_by_names.get((name, *urls))
        if uri is None:
            uri = self._finder.find(name, *urls)
            if not t.storable(uri):
                raise InputError(f"The image name {shown(name)} contains characters that cannot be stored.")
            self._uri_by_names[(name, *urls)] = uri
        return uri

    def beside(self, name: str, folders: Sequence[Path], *urls: str, endings: tuple[str, ...] = ()) -> str:
        """Return the URI of an image as :meth:`find` does, or of the first file of this name in one of the folders.

        The name may lack one of the ``endings``.
        """
        uri = self.find(name, *urls)
        path = PurePosixPath(name.replace("\\", "/"))
        if is_remote(uri) or is_here(uri) or path.is_absolute() or ".." in path.parts or "\0" in name:
            return uri
        for candidate in (to_uri(folder / f"{path}{ending}") for ending in ("", *endings) for folder in folders):
            if is_here(candidate):
                self.not_missing(name)
                return candidate
        return uri

    def named_like(self, file: Path, folders: Iterable[Path]) -> str | None:
        """Return the URI of the only image with the name of an annotation file, in the first folder that has one."""
        for folder in folders:
            if folder not in self._stems:
                by_stem = self._stems[folder] = {}
                for path in images_in(folder):
                    by_stem.setdefault(path.stem, []).append(path)
            if images := self._stems[folder].get(file.stem):
                return to_uri(images[0]) if len(images) == 1 else None
        return None

    def not_missing(self, name: str) -> None:
        """Remove the image from the list of missing images, because it was found elsewhere."""
        if name in self._finder.missing[-1:]:
            self._finder.missing.pop()


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder, but not in its subfolders, sorted by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [folder / name for name in names if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES]


def is_here(uri: str) -> bool:
    return not is_remote(uri) and os.path.isfile(to_path(uri))


def listed_name(uri: str, base: Path) -> str:
    """Return the name of an image in a file in ``base``: its path relative to ``base``, or else its path or URL.

    The name of a file that is not UTF-8 is a ``file:`` URL. Relative names that readers would not take literally, such
    as those with a backslash, are absolute.
    """
    if is_remote(uri) or uri.startswith("file://"):
        return _AWKWARD.sub(lambda found: quote(found[0]), uri)
    path, inside = to_uri(uri), os.path.join(to_uri(base), "")
    name = path.removeprefix(inside)
    literal = name == name.strip() and "\\" not in name and ":" not in name[:5]
    return name if literal else path


def cannot_be_listed(name: str) -> bool:
    """Check whether the name of an image cannot be stored on a line or in XML."""
    return bool(_AWKWARD.search(name)) or name != name.rstrip()


def short_hash(text: str) -> str:
    """Hash ``text`` to twelve hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def finite(text: str | None) -> float | None:
    """Parse a finite number, or return None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    if text and "_" in text:  # Python's float accepts underscores
        return None
    return number if math.isfinite(number) else None


def plain(value: float, digits: int) -> str:
    """Format a number with at most ``digits`` decimals, and none for an integer."""
    rounded = round(float(value), digits)
    return str(int(rounded)) if rounded.is_integer() and abs(rounded) < 1e15 else repr(rounded)


def moment_or_none(text: object) -> datetime | None:
    """Parse an ISO date, also with ``/`` as separator, to UTC without a time zone, or return None if it is invalid."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip().replace("/", "-"))
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _is_in_ratios(box: Box) -> bool:
    """Check whether a box is within the first pixel, as ratios of the image size are."""
    left, top, width, height = box
    inside = min(left, top) >= 0 and max(left + width, top + height) <= 1 and min(width, height) > 0
    return inside and any(side % 1 for side in box)


def checked_box(values: Iterable[float]) -> Box:
    """Return a box as a tuple, or raise UnreadableError if it is not finite."""
    left, top, width, height = values
    if not all(map(math.isfinite, (left, top, width, height))):
        raise UnreadableError("The box is too large.")
    return left, top, width, height


def box_around(polygon: Polygon) -> Box:
    """Return the bounding box of a polygon, or raise UnreadableError if it is not finite."""
    with np.errstate(over="ignore"):
        return checked_box(polygon_to_ltwh(polygon).tolist())


def split_of(name: object) -> str:
    """Return the split that a name such as "val" or "Test" refers to, "train" by default."""
    return t.split_named(name) or t.TRAIN


def sizes_of_drawn(contents: Contents, error: str, *, predicted: bool = True) -> dict[str, Size]:
    """Return the known image sizes, after reading those of images with shapes (also ``predicted`` ones).

    ``error`` is the message for a size that cannot be read, with ``{uri!r}`` and ``{reason}``.
    """
    with_size = contents.images.dropna(subset=["width", "height"])
    columns = (with_size[name].tolist() for name in ("image", "width", "height"))
    sizes = {image: (int(width), int(height)) for image, width, height in zip(*columns, strict=True)}
    for rows in (contents.annotations, contents.predictions) if predicted else (contents.annotations,):
        drawn = rows.loc[rows["left"].notna() | rows["polygon"].notna(), "image"].unique()
        for uri, size in measured(uri for uri in drawn if uri not in sizes):
            if isinstance(size, str):
                raise InputError(error.format(uri=uri, reason=size))
            sizes[uri] = size
    return sizes


def known_size(image: Any) -> Size | None:
    return None if pd.isna(image.width) or pd.isna(image.height) else (int(image.width), int(image.height))


def with_annotations(contents: Contents, *, drawn: bool = False) -> Iterator[tuple[Any, list[Any], bool]]:
    """Yield each image, its annotations (or only drawn ones), and True if the image was reviewed."""
    annotations = contents.annotations
    chosen = annotations[annotations["left"].notna() | annotations["polygon"].notna()] if drawn else annotations
    rows: dict[str, list[Any]] = {}
    for row in chosen.itertuples(index=False):
        rows.setdefault(row.image, []).append(row)
    annotated = set(annotations["image"])
    for image in contents.images.itertuples(index=False):
        image_rows = rows.get(image.image, [])
        yield image, image_rows, bool(image_rows) or (image.status == "labelled" and image.image not in annotated)


def own_values(images: pd.DataFrame, taken: Collection[str], only: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the user's columns as values by name and image, except those that reading takes for others.

    ``taken`` are names in lower case that the reader takes for something else. With ``only``, one column is returned.
    """
    others = {*t.IMAGE_COLUMNS, *t.PREDICTION_COLUMNS, *taken}
    names = [name for name in images.columns if name and name == name.strip() and name.lower() not in others]
    found: dict[str, dict[str, Any]] = {}
    for name in names[:_MOST_COLUMNS]:
        if only not in (None, name):
            continue
        there = images[name].notna()
        found[name] = dict(zip(images["image"][there], images[name][there].tolist(), strict=True))
    return found


def is_readable(name: str, value: object) -> bool:
    """Check whether a value of a user's column is one that readers keep."""
    usable = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return usable and value != "" and len(f"{name}{value}") <= _LONGEST_VALUE


def make_folder(path: Path, format_name: str) -> None:
    """Create the folder for annotations, or raise InputError if it is a file."""
    if path.exists() and not path.is_dir():
        raise InputError(f"path={str(path)!r} is a file, but {format_name} needs a folder.")
    path.mkdir(parents=True, exist_ok=True)


@dataclass
class Index:
    """Content of the index file: the labels in order, and the image names in order with their sizes.

    ``test`` has the test images that no other file lists, ``files`` annotation files with other names than images.
    """

    labels: list[str] = field(default_factory=list)
    images: dict[str, Size | None] = field(default_factory=dict)
    test: set[str] = field(default_factory=set)
    files: list[str] | None = None


def files_below(folder: Path, ending: str, *, depth: int | None = None) -> Iterator[Path]:
    """Yield the files with this ending in a folder, sorted by name, except hidden ones."""
    for parent, folders, files in os.walk(folder):
        level = len(Path(parent).relative_to(folder).parts)
        inner = [] if depth is not None and level + 1 >= depth else folders
        folders[:] = sorted(name for name in inner if not is_hidden(name))
        for file in sorted(files):
            if file.lower().endswith(ending) and not file.startswith("."):
                yield Path(parent, file)


class FilesOfImages:
    """Reader of a folder with one annotation file per image and an index, or of a single annotation file."""

    def __init__(self, path: Path, ending: str, finder: ImageFinder) -> None:
        self._path, self._ending, self._finder, self._places = path, ending, finder, Places(finder)
        self._base = path if path.is_dir() else path.parent
        self._uris: dict[str, str] = {}
        self.collected = Collector(to_uri(path))
        self.index = read_index(path, self.collected) if path.is_dir() else Index()

    def each(
        self, parse: Callable[[Path], Parsed], image_of: Callable[[Parsed, Path, Path, Places], tuple[str, str]]
    ) -> Iterator[tuple[Path, Parsed, str, str]]:
        """Yield each annotation file, its content, and the name and URI of its image, then add the index's others."""
        read = 0
        for file in list(files_below(self._path, self._ending)) if self._path.is_dir() else [self._path]:
            self.collected.taken.add(to_uri(file))
            try:
                parsed = parse(file)
                read += 1
                name, uri = self._image(parsed, file, image_of)
                if uri in self.collected.images:
                    raise UnreadableError(f"An earlier file describes the same image, {shown(name)}.")
            except (UnreadableError, InputError) as error:
                self.collected.unreadable(str(error), source=to_uri(file))
                continue
            self._uris[name] = uri
            yield file, parsed, name, uri
        if not read and not self.index.images:
            issues, kind = self.collected.issues, self._ending[1:].upper()
            raise unusable(self._path, issues[0].message if issues else f"it contains no {kind} file")
        for name, size in self.index.images.items():
            if name in self._uris:
                continue
            try:
                uri = self._uris[name] = self._places.find(name)
            except InputError as error:
                self.collected.unreadable(str(error), where=name)
                continue
            if uri not in self.collected.images:  # it has no annotation file, because it was not reviewed
                self.collected.add_image(uri, size=size, split=t.TEST if name in self.index.test else t.TRAIN)

    def _image(
        self, parsed: Parsed, file: Path, image_of: Callable[[Parsed, Path, Path, Places], tuple[str, str]]
    ) -> tuple[str, str]:
        """Return the name and URI of the image of a file: the stated one or, if missing, one named like the file."""
        fault = None
        try:
            name, uri = image_of(parsed, file, self._base, self._places)
            if (is_remote(uri) or is_here(uri)) and uri not in self.collected.images:
                return name, uri
        except (UnreadableError, InputError) as error:
            name, uri, fault = file.name, "", error
        above = file.parent.relative_to(self._base).parts  # such as "train", "Annotations", "deep"
        beside = (
            Path(self._base, *above[:level], folder, *above[level + 1 :])
            for level in range(len(above))
            for folder in IMAGE_FOLDERS
        )
        folders = [file.parent, *beside, *(file.parent.parent / folder for folder in IMAGE_FOLDERS), self._base]
        own = self._places.named_like(file, folders)
        if own is None or own in self.collected.images:
            if fault is not None:
                raise fault
            return name, uri
        taken = uri in self.collected.images
        why = str(fault or f"The image {shown(name)} {'belongs to an earlier file' if taken else 'was not found'}.")
        used = f"{Path(own).name!r}, which has the name of the annotation file, was used."
        self.collected.adjusted(f"{why} {used} Correct the name in the file if that is wrong.", source=to_uri(file))
        self._places.not_missing(name)
        return name, own

    def name_of(self, file: Path) -> str:
        return file.relative_to(self._base).as_posix()

    def split_of(self, file: Path) -> str:
        """Return the split that the folders of a file are named after."""
        return t.split_of_folders(file.parent.relative_to(self._base).parts if file.is_relative_to(self._base) else ())

    def add_unlabelled(self, split_of_file: Callable[[Path], str]) -> None:
        """Add the images next to the others, and in the usual folders, that have no annotation file as unlabelled.

        The index, if there is one, lists all images.
        """
        if self.index.images or not self._path.is_dir():
            return
        images = self.collected.images
        used = {to_path(uri).parent for uri in images if not is_remote(uri)}
        folders = [self._base / name for name in IMAGE_FOLDERS]
        inside = sorted(folder for folder in used if folder.is_relative_to(os.path.abspath(self._base)))
        for path in chain.from_iterable(map(images_in, dict.fromkeys([*inside, *folders]))):
            if (uri := to_uri(path)) not in images:
                self.collected.add_image(uri, split=split_of_file(path))

    def contents(self) -> Contents:
        self.collected.count_missing(self._finder)
        order = [self._uris[name] for name in self.index.images if name in self._uris]
        return self.collected.contents(self.index.labels, order=order)


def named_files(
    contents: Contents, index: Index, base: Path, ending: str, *, drawn: bool = False
) -> Iterator[tuple[Any, str, list[Any], str | None]]:
    """Yield each image, its name, annotations and file name (None if not reviewed), and fill ``index``.

    The files have the stems of their images, with a number if several images have the same stem.
    """
    taken: dict[str, int] = {}
    for image, rows, looked_at in with_annotations(contents, drawn=drawn):
        name = listed_name(image.image, base)
        index.images[name] = known_size(image)
        yield image, name, rows, f"{free_stem(name, taken)}{ending}" if looked_at else None


def remove_former(files: Staged, folder: Path, names: Iterable[str], ending: str) -> None:
    """Delete the files that an earlier export wrote to ``folder`` for images that are no longer labelled."""
    for name in names:
        old = folder / name
        if old.parent == folder and old.suffix == ending:
            files.remove(old)


def write_index(files: Staged, path: Path, index: Index) -> None:
    """Write the index of the annotations in a folder to ``path``."""
    images = [[name, *(size or (None, None))] for name, size in index.images.items()]
    content = {_INDEX_MARK: 1, "labels": index.labels, "images": images, "test": sorted(index.test)}
    if index.files is not None:
        content["files"] = index.files
    text = json.dumps(content, ensure_ascii=False, indent=0)
    files.write(path, text.encode(), durable=True)


def read_index(folder: Path, collected: Collector) -> Index:
    """Read the index of the annotations in ``folder``, or return an empty one if this package did not write any."""
    path = next((folder / name for name in (INDEX_BESIDE_JSON, INDEX_NAME) if (folder / name).is_file()), folder)
    content, source = _content_of_index(path, collected), to_uri(path)
    collected.taken.add(source)
    labels: dict[str, None] = {}
    for number, label in enumerate(as_list(content.get("labels")), 1):
        try:
            labels[collected.label(label) if isinstance(label, str) else t.check_label(label)] = None
        except LabelError as error:
            collected.unreadable(str(error), where=f"label {number}", source=source)
    images: dict[str, Size | None] = {}
    for number, entry in enumerate(as_list(content.get("images")), 1):
        match entry:
            case [str(name), width, height]:
                images.setdefault(name, size_of(width, height))
            case _:
                collected.unreadable(
                    f"{shown(entry)} is not a valid image entry.", where=f"image {number}", source=source
                )
    test, files = ([name for name in as_list(content.get(key)) if isinstance(name, str)] for key in ("test", "files"))
    return Index(list(labels), images, set(test), files if isinstance(content.get("files"), list) else None)


def _content_of_index(path: Path, collected: Collector) -> dict[str, Any]:
    """Load an index file, or return nothing if it is missing, too large, damaged or from another program."""
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST_INDEX:
            content = json.loads(path.read_bytes())
            return content if isinstance(content, dict) and _INDEX_MARK in content else {}
    except (OSError, ValueError, RecursionError) as error:
        message = f"The order of labels and images is unknown: {str(error) or type(error).__name__}."
        collected.unreadable(message, source=to_uri(path))
    return {}
