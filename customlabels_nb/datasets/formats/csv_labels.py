"""Read and write CSV files of labels, with or without a header.

Without a header, a row is ``image,label,label,…``. Empty cells and blank rows are skipped, and each image has one row.
With a header, a row is an annotation, or an image without annotations. Known columns are ``image`` (or ``filename``,
``file_name``, ``file``, ``path``, ``image_path``, ``image_name``), ``label`` (``class``, ``class_name``, ``category``,
``tag``), a box as ``left, top, width, height``, ``xmin, ymin, width, height`` or ``xmin, ymin, xmax, ymax``, the image
size as ``image_width, image_height`` (with ``xmax`` also ``width, height``), ``polygon`` (JSON: ``[[x, y], …]`` or a
list of such rings), ``crowd``, ``confidence`` (``score``), ``annotator``, ``job``, ``created``, ``split`` and
``status``. Other columns are ignored, and reported if they look like boxes. Cells may also be separated by ``;`` or
tabs.

Files are written with a header and only the columns that contain data.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
from customlabels_nb.datasets.formats.base import CAPABILITIES, Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import (
    Box,
    Collector,
    Places,
    UnreadableError,
    finite,
    known_size,
    listed_name,
    plain,
    with_annotations,
)
from customlabels_nb.datasets.formats.json_file import shown, size_of, unusable
from customlabels_nb.errors import InputError, LabelError, ManifestError
from customlabels_nb.images.locations import is_remote, to_uri

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_HEAD_BYTES = 1 << 16
_MOST_CELLS = 1000
_LONGEST_CELL = 2**24  # characters
_LOOKED_AT = 1000  # rows that are searched for images before a file without a header is rejected
_EMPTY = "ERROR_MANIFEST_IS_EMPTY"
_DELIMITERS = ",;\t"
_OTHER_NAMES = {
    **dict.fromkeys(("filename", "file_name", "file", "path", "image_path", "image_name"), "image"),
    **dict.fromkeys(("class", "class_name", "category", "tag"), "label"),
    "score": "confidence",
}
_KNOWN = {
    "image", "label", *t.BOX_COLUMNS, *_CORNERS, "polygon", "crowd", "confidence", "annotator", "job", "created",
    "split", "status", "image_width", "image_height",
}  # fmt: skip

#: Columns in which other programs write boxes, in various units.
_LIKE_BOXES = frozenset(
    f"{axis}{sign}{end}" for axis in "xywh" for sign in ("", "_") for end in ("", "0", "1", "2", "min", "max", "center")
) | {"cx", "cy", "right", "bottom", "bbox_x", "bbox_y", "bbox_width", "bbox_height", "bbox_w", "bbox_h"}

_PLACES = 9
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

OnDuplicate = Literal["error", "first", "merge"]

_POLICIES = ("error", "first", "merge")
_ENDINGS = (".csv", ".tsv", ".txt")
_TRUE = ("true", "1", "yes")


def _recognise(path: Path) -> bool:
    try:
        if path.suffix.lower() not in _ENDINGS or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return b"\0" not in head and _find_delimiter(head.decode("utf-8-sig", "replace")) is not None


def read_csv(
    path: Path, finder: ImageFinder, *, on_duplicate: OnDuplicate = "error", prefix: str | None = None
) -> Contents:
    """Read a CSV file, putting ``prefix`` in front of image names without a path.

    If an image is repeated in a file without a header, ``on_duplicate`` "error" reads nothing, and writes the repeated
    rows to ``<name>-duplicates.csv`` next to the file and all others to ``<name>-deduplicated.csv``. "first" ignores
    them. "merge" gives the image the labels of all rows.
    """
    if on_duplicate not in _POLICIES:
        raise InputError(f"on_duplicate={on_duplicate!r} must be one of {', '.join(map(repr, _POLICIES))}.")
    rows, columns = _read_rows(path)
    collected = Collector(to_uri(path))
    located = _located(rows, columns["image"] if columns else 0, collected, Places(finder), prefix)
    if columns is None:
        _read_labels(path, rows, located, collected, on_duplicate)
    else:
        _read_table(columns, located, collected)
    if not collected.images and collected.issues:
        raise unusable(
            path, f"no row can be read, for example line {collected.issues[0].line}: {collected.issues[0].message}"
        )
    return collected.contents([])


# -- without a header -------------------------------------------------------------------------------


def _read_labels(
    path: Path, rows: list[_Row], located: _Located, collected: Collector, on_duplicate: OnDuplicate
) -> None:
    lines: dict[str, int] = {}  # first line of each image
    by_path: dict[bool, tuple[int, str]] = {}
    repeated: list[tuple[_Row, str, str]] = []
    for row, name, uri in located:
        by_path.setdefault(_has_path(name), (row.line, name))
        if uri in lines:
            repeated.append((row, name, uri))
            if on_duplicate != "merge":
                continue
        lines.setdefault(uri, row.line)
        if uri not in collected.images:
            collected.add_image(uri)
        for cell in filter(None, map(str.strip, row.cells[1:])):
            try:
                collected.add_annotation(uri, collected.label(cell))
            except LabelError as error:
                collected.unreadable(str(error), where=name, line=row.line)
    if len(by_path) == 2:
        (line, name), (bare_line, bare) = by_path[True], by_path[False]
        raise unusable(
            path,
            f"{shown(name)} on line {line} has a path, but {shown(bare)} on line {bare_line} does not. Use one style",
        )
    if repeated and on_duplicate == "error":
        row, name, uri = repeated[0]
        written = _write_duplicates(path, rows, {again.line for again, _, _ in repeated})
        raise InputError(
            f"{str(path)!r}: {len(repeated):,} rows repeat an image, first on line {row.line}: {shown(name)} is "
            f"already on line {lines[uri]}. Pass on_duplicate='first' or 'merge'. {written}"
        )
    for row, name, uri in repeated:
        how = "Its labels were added" if on_duplicate == "merge" else "It was not read"
        collected.adjusted(f"The row repeats the image on line {lines[uri]}. {how}.", where=name, line=row.line)


# -- with a header ----------------------------------------------------------------------------------


def _read_table(columns: dict[str, int], located: _Located, collected: Collector) -> None:
    unused = [name for name in columns if name in _LIKE_BOXES - _KNOWN]
    if len(unused) >= 4 and not {"left", "xmin", "polygon"} & columns.keys():
        names = ", ".join(map(repr, unused))
        collected.adjusted(
            f"The columns {names} were not read. If they are boxes in pixels, rename them to left, top, width and "
            "height, or to xmin, ymin, xmax and ymax."
        )
    for row, name, uri in located:
        cells = _Cells(row, columns, name, collected)
        if uri not in collected.images:
            facts = {"split": cells.split(), "status": cells.status()}
            size = size_of(finite(cells["image_width"]), finite(cells["image_height"]))
            collected.add_image(uri, size=size, **facts)
        else:
            cells.compare_split(collected.images[uri]["split"])
        try:
            box, polygon = cells.box(), cells.polygon()
            if cells["label"]:
                collected.add_annotation(
                    uri,
                    collected.label(cells["label"]),
                    box,
                    polygon=polygon,
                    crowd=cells["crowd"].lower() in _TRUE,
                    confidence=cells.confidence(),
                    annotator=cells["annotator"] or None,
                    job=cells["job"] or None,
                    created=cells.created(),
                )
            elif box or polygon:
                raise UnreadableError("The row has a box, but no label.")
        except (UnreadableError, LabelError) as error:
            _refuse(collected, row, str(error), name)


class _Cells:
    """Cells of one row by column name."""

    def __init__(self, row: _Row, columns: dict[str, int], image: str, collected: Collector) -> None:
        self._row, self._columns, self._collected = row, columns, collected
        self._place: dict[str, Any] = {"where": image, "line": row.line}

    def __getitem__(self, name: str) -> str:
        position = self._columns.get(name, _MOST_CELLS)
        return self._row.cells[position].strip() if position < len(self._row.cells) else ""

    def _adjusted(self, message: str) -> None:
        self._collected.adjusted(message, **self._place)

    def split(self) -> str:
        split = self._given_split() or t.TRAIN
        if split not in t.SPLITS:
            self._adjusted(f"The split {shown(split)} is unknown. It was read as 'train'.")
            return t.TRAIN
        return split

    def compare_split(self, first: str) -> None:
        """Report the split if it differs from that in the ``first`` row of the image."""
        split = self._given_split()
        if split in t.SPLITS and split != first:
            self._adjusted(
                f"The split {split!r} was ignored, because an earlier row of the image was read as {first!r}."
            )

    def _given_split(self) -> str:
        text = self["split"].lower()
        return t.TEST if text in ("val", "valid", "validation") else text

    def status(self) -> str:
        text = self["status"] or "unlabelled"
        if text not in t.STATUSES:
            self._adjusted(f"The status {shown(text)} is unknown. It was ignored.")
            return "unlabelled"
        return text

    def box(self) -> Box | None:
        corners = "left" not in self._columns and "xmin" in self._columns
        texts = [self[side] for side in (_CORNERS if corners else t.BOX_COLUMNS)]
        if not any(texts):
            return None
        numbers = [number for number in map(finite, texts) if number is not None]
        if len(numbers) < 4:
            raise UnreadableError(f"The box {shown(texts)} does not consist of four numbers.")
        if corners:
            numbers = self._collected.box_of_corners(numbers, texts, **self._place)
        left, top, width, height = numbers
        if not (0 <= width < math.inf and 0 <= height < math.inf):
            raise UnreadableError(f"The box {shown(texts)} has an invalid size.")
        return left, top, width, height

    def polygon(self) -> Polygon | None:
        text = self["polygon"]
        if not text:
            return None
        try:
            rings = rings_of(json.loads(text))
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError):
            rings = []
        if not rings or not all(np.isfinite(ring).all() for ring in rings):
            raise UnreadableError(f"The polygon {shown(text)} is not a list of points [x, y] or of such lists.")
        return polygon_of(rings)

    def confidence(self) -> float:
        text = self["confidence"]
        return self._collected.confidence(finite(text) if text else 1.0, text, **self._place)

    def created(self) -> datetime | None:
        text = self["created"]
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self._adjusted(f"The date {shown(text)} cannot be parsed. It was ignored.")
            return None


# -- rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """Row that begins on ``line``, with its cells and text. ``error`` is set if it has ``many`` cells, for example."""

    line: int
    cells: list[str]
    text: str
    error: str = ""
    many: int = 0


#: Rows with the name and URI of their image.
_Located: TypeAlias = Iterator[tuple[_Row, str, str]]


def _read_rows(path: Path) -> tuple[list[_Row], dict[str, int] | None]:
    """Read the rows that are not blank, and the position of each column if there is a header."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise unusable(path, str(error)) from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise unusable(path, "it is UTF-16. Save it as UTF-8, called 'CSV UTF-8' in spreadsheet programs")
    text = data.decode("utf-8-sig", "surrogateescape")
    with _long_cells():
        parsed = _rows(text, _find_delimiter(text[:_HEAD_BYTES]) or ",")
        rows = list(islice(parsed, 1))
        if rows and rows[0].many:
            raise unusable(path, f"its first row has {rows[0].many:,} cells, but at most {_MOST_CELLS:,} are allowed")
        rows += islice(parsed, _LOOKED_AT)
        if not rows:
            raise ManifestError(f"{str(path)!r}: {CODES[_EMPTY]}", _EMPTY)
        columns = _columns(rows[0].cells)
        if columns is None:
            _check_images(path, rows)
        rows += parsed
    return (rows, None) if columns is None else (rows[1:], columns)


def _check_images(path: Path, rows: list[_Row]) -> None:
    """Raise an error if no row names an image, or the first row looks like a header without an image column."""
    named = [bool(row.cells) and (_is_image(row.cells[0]) or "://" in row.cells[0][:32]) for row in rows]
    if not any(named):
        raise unusable(path, f"no row names an image, and the first row is {shown(rows[0].text)}")
    if rows[0].cells and not named[0] and named[1]:
        first = shown(rows[0].cells)
        raise unusable(path, f"its first row {first} is neither an image with labels nor a header with 'image'")


@contextmanager
def _long_cells() -> Iterator[None]:
    """Temporarily raise the global field size limit of the :mod:`csv` module to allow long polygons."""
    usual = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _rows(text: str, delimiter: str) -> Iterator[_Row]:
    consumed: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            consumed.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        consumed.clear()
        cells: list[str] = []
        error = ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as reason:
            error = f"The row cannot be read ({reason})."
        many = len(cells) if len(cells) > _MOST_CELLS else 0
        if many:
            error = f"The row has {many:,} cells, but at most {_MOST_CELLS:,} are allowed."
        if error or any(cell and not cell.isspace() for cell in cells):
            yield _Row(start, [] if error else cells, "".join(consumed).rstrip("\r\n"), error, many)


def _find_delimiter(head: str) -> str | None:
    """Detect the delimiter from the first row, or return None if it is not a header and does not name an image."""
    for delimiter in _DELIMITERS:
        cells = next((row.cells for row in _rows(head, delimiter)), [])
        if cells and (_columns(cells) is not None or _is_image(cells[0])):
            return delimiter
    return None


def _columns(cells: list[str]) -> dict[str, int] | None:
    """Return the position of each column that is known or looks like a box if the row is a header, else None."""
    result: dict[str, int] = {}
    for position, cell in enumerate(cells):
        name = cell.strip().lower()
        result.setdefault(_OTHER_NAMES.get(name, name), position)
    if "image" not in result or (len(cells) > 1 and len(_KNOWN & result.keys()) < 2):
        return None
    if "xmin" in result and "left" not in result:
        if "xmax" not in result and {"width", "height"} <= result.keys():
            renamed = {"xmin": "left", "ymin": "top"}
        else:
            renamed = {"width": "image_width", "height": "image_height"}
        for old, new in renamed.items():
            if old in result:
                result.setdefault(new, result.pop(old))
    return {name: position for name, position in result.items() if name in _KNOWN | _LIKE_BOXES}


def _is_image(cell: str) -> bool:
    return os.path.splitext(cell.strip().partition("?")[0])[1].lower() in IMAGE_SUFFIXES


def _located(rows: list[_Row], position: int, collected: Collector, places: Places, prefix: str | None) -> _Located:
    """Yield the rows with a valid image name, the name and the URI of the image. Other rows are reported as issues."""
    for row in rows:
        name = row.cells[position].strip() if len(row.cells) > position else ""
        try:
            if row.error or not name:
                raise InputError(row.error or "The row does not name an image.")
            if prefix and not _has_path(name) and name not in (".", ".."):
                joined = prefix.rstrip("/") + "/" + name
                uri = joined if is_remote(joined) else to_uri(joined)
            else:
                uri = places.find(name)
        except InputError as error:
            _refuse(collected, row, str(error), name)
        else:
            yield row, name, uri


def _refuse(collected: Collector, row: _Row, message: str, where: str) -> None:
    collected.unreadable(message, where=where, line=row.line)
    collected.unread.append((row.line, row.text))


def _has_path(name: str) -> bool:
    return "/" in name or "\\" in name


# -- writing ----------------------------------------------------------------------------------------


def write_csv(contents: Contents, path: Path, *, escape_formulas: bool = False) -> list[Path]:
    """Write a CSV file with a header and only the columns that contain data.

    ``escape_formulas`` puts ``'`` in front of text that a spreadsheet would treat as a formula. Reading keeps it.
    """
    if path.is_dir():
        raise InputError(f"path={str(path)!r} is a folder. Pass the path of the CSV file to write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = _used_columns(contents)
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(columns)
        for image, rows, _ in with_annotations(contents):
            size = known_size(image) or ("", "")
            facts = {"image": listed_name(image.image, path.parent), "split": image.split, "status": image.status}
            facts |= {"image_width": str(size[0]), "image_height": str(size[1])}
            for row in rows or [None]:
                cells = {**facts, **_annotation_cells(row)}
                row_cells = [cells.get(name, "") for name in columns]
                writer.writerow(map(_escaped, row_cells) if escape_formulas else row_cells)
        text.detach()
    return [path]


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and finite(cell) is None else cell


def _used_columns(contents: Contents) -> list[str]:
    images, annotations = contents.images, contents.annotations
    derived = np.where(images["image"].isin(annotations["image"]), "labelled", "unlabelled")
    boxes = annotations["left"].notna().any()
    used = {
        "image": True,
        "label": True,
        **dict.fromkeys(t.BOX_COLUMNS, boxes),
        "polygon": annotations["polygon"].notna().any(),
        "crowd": annotations["crowd"].any(),
        "confidence": (annotations["confidence"] != 1).any(),
        "annotator": annotations["annotator"].notna().any(),
        "job": annotations["job"].notna().any(),
        "created": len(annotations) > 0,
        "split": (images["split"] != t.TRAIN).any(),
        "status": (images["status"].to_numpy() != derived).any(),
        **dict.fromkeys(("image_width", "image_height"), images["width"].notna().any()),
    }
    return [name for name, needed in used.items() if needed]


def _annotation_cells(row: Any) -> dict[str, str]:
    if row is None:
        return {}
    cells = {
        "label": row.label,
        "crowd": "true" if row.crowd else "",
        "confidence": repr(float(row.confidence)),
        "annotator": row.annotator if isinstance(row.annotator, str) else "",
        "job": row.job if isinstance(row.job, str) else "",
        "created": row.created.isoformat(),
    }
    if not pd.isna(row.left):
        cells |= {side: plain(getattr(row, side), _PLACES) for side in t.BOX_COLUMNS}
    if row.polygon is not None:
        cells["polygon"] = json.dumps(polygon_of(rings_of(row.polygon)))
    return cells


def _write_duplicates(path: Path, rows: Iterable[_Row], repeated: set[int]) -> str:
    """Write the rows of ``path`` that begin on a line in ``repeated`` to ``<name>-duplicates.csv`` next to it.

    All other rows are written to ``<name>-deduplicated.csv``. An existing file with different content is not
    overwritten. Return a sentence about both files for the error message.
    """
    texts: dict[bool, list[str]] = {True: [], False: []}
    for row in rows:
        texts[row.line in repeated].append(row.text)
    notes = []
    for are_repeated, ending in ((True, "duplicates"), (False, "deduplicated")):
        file = path.with_name(f"{path.stem}-{ending}.csv")
        what = "these rows" if are_repeated else "all other rows"
        data = "".join(f"{text}\n" for text in texts[are_repeated]).encode("utf-8", "surrogateescape")
        try:
            if file.is_symlink() or (file.exists() and file.read_bytes() != data):
                notes.append(f"{what} were not written, because {file.name!r} already exists with different content")
                continue
            write_whole(file, data)
        except OSError as error:
            notes.append(f"{what} cannot be written to {file.name!r} ({error.strerror})")
        else:
            notes.append(f"{what} were written to {file.name!r}")
    text = ", and ".join(notes)
    return f"{text[0].upper()}{text[1:]}."


FORMAT = Format(
    name="csv",
    recognise=_recognise,
    read=read_csv,
    write=write_csv,
    holds=CAPABILITIES - {"labels", "label_order", "tags", "columns", "notes", "predictions"},
    options=frozenset({"on_duplicate", "prefix"}),
    empty="`status` is `labelled`, without a label",
    holes="lists of points",
    unlabelled="neither a label nor a status",
)
