"""Read and write CSV files of labels, with or without a header.

Without a header, a row is ``image,label,label,…``. Empty cells and blank rows are skipped, and each image has one row.
If all rows are ``image,number,number,number,number,class``, as for keras-retinanet, the numbers are the corners of a
box. A file with other rows of four numbers is refused.

With a header, a row is an annotation, or an image without annotations. Known columns are ``image`` (or ``filename``,
``file_name``, ``file``, ``path``, ``image_path``, ``image_name``), ``label`` (``class``, ``class_name``, ``category``,
``category_name``, ``tag``, ``name``), a box as ``left, top, width, height``, ``xmin, ymin, width, height``, ``xmin,
ymin, xmax, ymax`` or in one column (``bbox``: left, top, width, height as in COCO, ``bbox_xywh``, ``bbox_xyxy`` or
``bbox_cxcywh``), the image size as ``image_width, image_height`` (``width, height`` too where the box does not need
them), ``polygon`` (JSON: ``[[x, y], …]`` or a list of such rings), ``crowd`` (yes, no, true, false, 1 or 0),
``confidence`` (``score``, ``conf``, ``prob``, ``probability``, ``confidence_score``), ``annotator``, ``job``,
``created``, ``note`` (in a row without a label, of the image), ``split`` (``subset``) and ``status``. A label may be a
list of labels, such as ``['cat', 'dog']``, as pandas writes it. Boxes that are all between 0 and 1 are ratios of the
image size, unless there is a column ``created``, as in files of this package. Another column becomes a column of the
images table if each image has one value, and is reported otherwise. It has numbers if all of its cells are numbers
without leading zeros, and booleans if all are ``True`` or ``False``. Cells may also be separated by ``;`` or tabs. The
text is UTF-8, unless ``encoding`` names another encoding.

Files are written with a header, only the columns that contain data, and columns of the user's own.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import (
    CORNERS,
    look_like_boxes,
    notation_of,
    numbers_of_box,
    to_ltwh,
    unstated,
)
from customlabels_nb.core.limits import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
from customlabels_nb.datasets.formats.base import CAPABILITIES, Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.box_ratios import in_pixels
from customlabels_nb.datasets.formats.entries import (
    Box,
    Collector,
    Places,
    UnreadableError,
    finite,
    is_readable,
    known_size,
    listed_name,
    own_values,
    plain,
    with_annotations,
)
from customlabels_nb.datasets.formats.json_file import empty, shown, size_of, text_of, unusable
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import is_remote, to_uri

_HEAD_BYTES = 1 << 16
_MOST_CELLS = 1000
_LONGEST_CELL = 2**24  # characters
_LOOKED_AT = 1000  # rows that are searched for images before a file without a header is rejected
_DELIMITERS = ",;\t"
_OTHER_NAMES = {
    **dict.fromkeys(t.IMAGE_NAMES, "image"),
    **dict.fromkeys(t.LABEL_NAMES, "label"),
    **dict.fromkeys(t.CROWD_NAMES, "crowd"),
    **dict.fromkeys(t.CONFIDENCE_NAMES, "confidence"),
    "subset": "split",
}
_KNOWN = {
    "image", "label", *t.BOX_COLUMNS, *CORNERS, "polygon", "crowd", "confidence", "annotator", "job", "created", "note",
    "split", "status", "image_width", "image_height",
}  # fmt: skip
#: Key of the boxes of a single column, in the positions of columns.
_BOX = "bbox"
#: Columns of Label Studio's CSV, which has shapes as JSON.
_LABEL_STUDIO = frozenset({"annotation_id", "annotator"})

_PLACES = 9
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?(e[+-]?[0-9]{1,2})?", re.IGNORECASE)
_A_LIST = re.compile(rf"""\[\s*(?:(?:{_QUOTED.pattern})[\s,]*)*\]|\(\s*(?:(?:{_QUOTED.pattern})[\s,]*)+\)""")

OnDuplicate = Literal["error", "first", "merge"]

_POLICIES = ("error", "first", "merge")
_SUFFIXES = IMAGE_SUFFIXES | UNREAD_SUFFIXES  # images that cannot be read are named, too
_ENDINGS = (".csv", ".tsv", ".txt")


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
    path: Path,
    finder: ImageFinder,
    *,
    on_duplicate: OnDuplicate = "error",
    prefix: str | os.PathLike[str] | None = None,
    encoding: str | None = None,
) -> Contents:
    """Read a CSV file, putting ``prefix`` in front of image names without a path.

    If an image is repeated in a file without a header, ``on_duplicate`` "error" reads nothing, and writes the repeated
    rows to ``<name>-duplicates.csv`` next to the file and all others to ``<name>-deduplicated.csv``. "first" ignores
    them. "merge" gives the image the labels of all rows.
    """
    if on_duplicate not in _POLICIES:
        raise InputError(f"on_duplicate={on_duplicate!r} must be one of {', '.join(map(repr, _POLICIES))}.")
    if not isinstance(encoding, str | None):
        raise InputError(f"encoding={encoding!r} must be text, such as 'cp1252'.")
    if not isinstance(prefix, str | os.PathLike | None):
        raise InputError(f"prefix={prefix!r} must be a folder or URL.")
    prefix = None if prefix is None else str(prefix)
    rows, header = _read_rows(path, encoding)
    collected = Collector(to_uri(path))
    if header is None and _are_corners(path, rows):
        collected.adjusted(
            "The file has no header. Its columns were read as image, xmin, ymin, xmax, ymax and label, as for "
            "keras-retinanet. If they are others, add a first row with their names.",
            line=rows[0].line,
        )
        header = _Header(dict(zip(("image", *CORNERS, "label"), range(6), strict=True)))
    header = _with_split(header, rows) if header else None
    columns = header.columns if header else {"image": 0}
    located = _located(rows, columns["image"], collected, Places(finder), prefix)
    if header is None:
        _read_labels(path, rows, located, collected, on_duplicate)
    else:
        _read_table(path, header, located, collected)
    if not collected.images and collected.issues:
        raise unusable(
            path, f"no row can be read, for example line {collected.issues[0].line}: {collected.issues[0].message}"
        )
    contents = collected.contents([])
    if "created" not in columns:  # this package writes it, with boxes in pixels
        contents.annotations, issues = in_pixels(contents.images, contents.annotations, collected.source)
        contents.issues += issues
        emptied = pd.Series([issue.where for issue in issues if issue.code == "IMAGE_NOT_LISTED"], dtype=object)
        contents.images = t.settle_statuses(contents.images, contents.annotations, changed=emptied)
    return contents


# -- without a header -------------------------------------------------------------------------------


def _read_labels(
    path: Path, rows: list[_Row], located: _Located, collected: Collector, on_duplicate: OnDuplicate
) -> None:
    lines: dict[str, int] = {}  # first line of each image
    by_path: dict[bool, tuple[int, str]] = {}
    repeated: list[tuple[_Row, str, str]] = []
    numbers: list[tuple[int, str]] = []
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
            if finite(cell) is not None:
                numbers.append((row.line, cell))
            try:
                collected.add_annotation(uri, collected.label(cell))
            except LabelError as error:
                collected.unreadable(str(error), where=name, line=row.line)
    if numbers:
        collected.adjusted(
            f"{len(numbers):,} × label that is a number, such as {numbers[0][1]!r}, was read as text. Replace class "
            "numbers with names. For other numbers, add a first row with the names of the columns.",
            line=numbers[0][0],
        )
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
            f"{str(path)!r}: {counted(len(repeated), 'row repeats', 'rows repeat')} an image, first on line "
            f"{row.line}: {shown(name)} is already on line {lines[uri]}. Pass on_duplicate='first' or "
            f"'merge'. {written}"
        )
    for row, name, uri in repeated:
        how = "Its labels were added" if on_duplicate == "merge" else "It was not read"
        collected.adjusted(f"The row repeats the image on line {lines[uri]}. {how}.", where=name, line=row.line)


# -- with a header ----------------------------------------------------------------------------------


def _read_table(path: Path, header: _Header, located: _Located, collected: Collector) -> None:
    columns, own = header.columns, _own_columns(path, header, collected)
    for row, name, uri in located:
        cells = _Cells(row, columns, name, collected)
        _check_label_cell(path, row, cells["label"], header)
        if uri not in collected.images:
            facts = {"split": cells.split(), "status": cells.status()}
            size = size_of(finite(cells["image_width"]), finite(cells["image_height"]))
            collected.add_image(uri, size=size, **facts)
        else:
            cells.compare_split(collected.images[uri]["split"])
        own.add(row, name, uri)
        try:
            _add_annotations(collected, uri, cells, cells.box(path, header), cells.polygon())
        except (UnreadableError, LabelError) as error:
            _refuse(collected, row, str(error), name)
    own.store(collected)


def _own_columns(path: Path, header: _Header, collected: Collector) -> _OwnColumns:
    """Return the columns that the reader does not know, after reporting those that may be boxes or labels."""
    own, drawn = _OwnColumns(header), {"left", "xmin", "polygon", _BOX} & header.columns.keys()
    if not drawn and (alike := look_like_boxes(own.names)):
        collected.adjusted(
            f"The columns {', '.join(map(repr, alike))} were not read. If they are boxes in pixels, rename them to "
            "left, top, width and height, or to xmin, ymin, xmax and ymax."
        )
        own.leave_out(alike)
    sides = CORNERS if "xmin" in drawn and "left" not in drawn else t.BOX_COLUMNS if "left" in drawn else ()
    if lacking := [side for side in sides if side not in header.columns]:
        others = f"Rename its columns, among {own.names}, or add them"
        raise unusable(
            path, f"its boxes need the columns {', '.join(sides)}, but {', '.join(lacking)} are missing. {others}"
        )
    if drawn and "label" not in header.columns:
        raise unusable(path, f"it has boxes, but no column 'label'. Rename the one with the labels: {own.names}")
    if header.label_name == "name":
        collected.adjusted("The column 'name' was read as the label. Name it 'label', or leave it out.", where="name")
    return own


def _add_annotations(collected: Collector, uri: str, cells: _Cells, box: Box | None, polygon: Polygon | None) -> None:
    """Add an annotation for each label of a row, or raise UnreadableError if a box does not have exactly one."""
    labels = _labels_in(cells["label"])
    if len(labels) != 1 and (box or polygon):
        several = f"a box and several labels: {shown(cells['label'])}"
        raise UnreadableError(f"The row has {several if labels else 'a box, but no label'}.")
    for label in labels:
        collected.add_annotation(
            uri,
            collected.label(label),
            box,
            polygon=polygon,
            crowd=cells.crowd(),
            confidence=cells.confidence(),
            annotator=cells["annotator"] or None,
            job=cells["job"] or None,
            created=cells.created(),
            note=collected.note(cells["note"], cells["image"]),
        )
    if not labels:
        collected.images[uri] |= collected.columns({"note": cells["note"]}, cells["image"])


def _labels_in(cell: str) -> list[str]:
    """Return the labels of a cell: itself, or those of a list or tuple of quoted texts, or of an array of NumPy."""
    if _A_LIST.fullmatch(cell):
        return [text[1:-1] for text in _QUOTED.findall(cell) if text[1:-1].strip()]
    return [cell] if cell else []


def _check_label_cell(path: Path, row: _Row, cell: str, header: _Header) -> None:
    """Raise ManifestError if a label is JSON of Label Studio, which has shapes in the cells of its CSV."""
    like_json = cell[:1] in ("[", "{")
    if like_json:
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            value = None
        like_json = bool(value) and isinstance(value[0] if isinstance(value, list) else value, dict)
    if like_json or (header.names >= _LABEL_STUDIO and "label" not in header.columns):
        what = f"the label is JSON: {shown(cell)}" if like_json else "the columns are those of Label Studio"
        raise unusable(path, f"line {row.line}: {what}. Export the project as JSON or JSON-MIN, not as CSV")


class _OwnColumns:
    """Columns that the reader does not know. Those with one value per image become columns of the images table."""

    def __init__(self, header: _Header) -> None:
        self._positions = list(header.own)
        self._width = header.width
        self._cells: dict[tuple[str, int], list[tuple[str, str]]] = {}  # URI and value
        self._places: dict[tuple[str, int], str] = {}
        self._long: list[int] = []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self._positions]

    def leave_out(self, names: list[str]) -> None:
        """Ignore columns that were reported already."""
        self._positions = [(name, position) for name, position in self._positions if name not in names]

    def add(self, row: _Row, name: str, uri: str) -> None:
        cells = row.cells
        for key in self._positions:
            if key[1] < len(cells) and (value := cells[key[1]].strip()):
                self._cells.setdefault(key, []).append((uri, value))
                self._places.setdefault(key, name)
        if any(map(str.strip, cells[self._width :])):
            self._long.append(row.line)

    def store(self, collected: Collector) -> None:
        """Add the columns to the images, and report the values of the others."""
        kept: set[str] = set()
        for key, cells in self._cells.items():
            name, values = key[0], dict[str, str]()
            single = name not in kept and all(values.setdefault(uri, value) == value for uri, value in cells)
            if single:
                kept.add(name)
                typed = _typed(list(values.values()), complete=len(values) == len(collected.images))
                for uri, value in zip(values, typed, strict=True):
                    collected.images[uri] |= collected.columns({name: value}, self._places[key])
            else:
                collected.account.add(f"value of the column {shown(name)}", self._places[key], len(cells))
        if self._long:
            have = counted(len(self._long), "row has", "rows have")
            message = f"{have} more cells than the first row. These cells were not read."
            collected.adjusted(message, line=self._long[0])


def _typed(cells: list[str], *, complete: bool) -> Sequence[str | float]:
    """Return the numbers or booleans of cells that are all one, else the cells. ``007`` stays text.

    Unless they are ``complete``, whole numbers and booleans stay text: beside missing values, 101 would become 101.0.
    """
    if {"True", "False"}.issuperset(cells):
        return [cell == "True" for cell in cells] if complete else cells
    if all(map(_WHOLE.fullmatch, cells)):
        return [int(cell) for cell in cells] if complete else cells
    return [float(cell) for cell in cells] if all(map(_DECIMAL.fullmatch, cells)) else cells


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
        text = self["split"]
        return t.split_named(text) or text

    def status(self) -> str:
        text = self["status"] or "unlabelled"
        if text not in t.STATUSES:
            self._adjusted(f"The status {shown(text)} is unknown. It was ignored.")
            return "unlabelled"
        return text

    def box(self, path: Path, header: _Header) -> Box | None:
        if _BOX in self._columns:
            return self._box_of_cell(path, header)
        corners = "left" not in self._columns and "xmin" in self._columns
        texts = [self[side] for side in (CORNERS if corners else t.BOX_COLUMNS)]
        if not any(texts):
            return None
        numbers = [number for number in map(finite, texts) if number is not None]
        if len(numbers) < 4:
            raise UnreadableError(f"The box {shown(texts)} does not consist of four numbers.")
        if corners:
            numbers = self._collected.box_of_corners(numbers, texts, **self._place)
        return self._checked(numbers, texts)

    def _box_of_cell(self, path: Path, header: _Header) -> Box | None:
        text = self[_BOX]
        numbers = numbers_of_box(text) if text else None
        if numbers is None:
            if text and header.notation:
                raise UnreadableError(f"The box {shown(text)} does not consist of four numbers.")
            return None
        if not header.notation:
            raise unusable(path, f"line {self._row.line}: {unstated(header.box_name)}")
        return self._checked(to_ltwh(header.notation, numbers)[0].tolist(), text)

    def _checked(self, numbers: list[float], raw: object) -> Box:
        left, top, width, height = numbers
        if not (0 <= width < math.inf and 0 <= height < math.inf):
            raise UnreadableError(f"The box {shown(raw)} has an invalid size.")
        return left, top, width, height

    def crowd(self) -> bool:
        text = self["crowd"]
        crowd = t.as_boolean(text) if text else False
        if crowd is None:
            raise UnreadableError(f"crowd is {shown(text)}, which is not yes, no, true, false, 1 or 0.")
        return crowd

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


@dataclass(frozen=True)
class _Header:
    """First row of a table: the positions of known columns, and names and positions of the ``own`` others.

    ``notation`` is that of the box in the column "bbox", ``label_name`` the name of the column with the labels.
    """

    columns: dict[str, int]
    own: tuple[tuple[str, int], ...] = ()
    notation: str = ""
    box_name: str = ""
    label_name: str = "label"
    names: frozenset[str] = frozenset()
    width: int = _MOST_CELLS


def _read_rows(path: Path, encoding: str | None) -> tuple[list[_Row], _Header | None]:
    """Read the rows that are not blank, and the header if there is one."""
    text = text_of(path, encoding, option=True)
    with _long_cells():
        parsed = _rows(text, _find_delimiter(text[:_HEAD_BYTES]) or ",")
        rows = list(islice(parsed, 1))
        if rows and rows[0].many:
            raise unusable(path, f"its first row has {rows[0].many:,} cells, but at most {_MOST_CELLS:,} are allowed")
        rows += islice(parsed, _LOOKED_AT)
        if not rows:
            raise empty(path)
        header = _header(rows[0].cells)
        if header is None:
            _check_images(path, rows)
        rows += parsed
    return (rows, None) if header is None else (rows[1:], header)


def _are_corners(path: Path, rows: list[_Row]) -> bool:
    """Check whether rows without a header are boxes as for keras-retinanet. Rows of other numbers are a ManifestError.

    Without this check, the numbers would become labels.
    """
    counted = [(row, sum(finite(cell.strip()) is not None for cell in row.cells[1:])) for row in rows]
    boxed = [row for row, numbers in counted if numbers >= 4]
    if boxed and not all(row.error or _is_corner_row(row.cells, numbers) for row, numbers in counted):
        row = boxed[0]
        raise unusable(
            path,
            f"line {row.line} has at least four numbers, but the file has no header: {shown(row.text)}. Add a first "
            "row with the names of the columns, such as image,xmin,ymin,xmax,ymax,label",
        )
    return bool(boxed)


def _is_corner_row(cells: list[str], numbers: int) -> bool:
    if len(cells) != 6 or numbers != (4 if cells[1].strip() else 0):
        return False
    left, top, right, bottom = (finite(cell.strip()) for cell in cells[1:5])
    if left is None or top is None or right is None or bottom is None:
        return not any(map(str.strip, cells[1:]))
    return left <= right and top <= bottom and bool(cells[5].strip())


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
    """Detect the delimiter, or return None if there is neither a header nor an image in most of the first rows."""
    for number, delimiter in enumerate(_DELIMITERS):
        rows = [row.cells for row in islice(_rows(head, delimiter), 5)]
        if rows and len(rows[0]) == 1 and any(other in rows[0][0] for other in _DELIMITERS[:number]):
            continue  # a row such as cat,a.jpg, which is not one name of an image
        named = [bool(cells) and _is_image(cells[0]) for cells in rows]
        if rows and rows[0] and (_header(rows[0]) is not None or (named[0] and sum(named) * 2 >= len(named))):
            return delimiter
    return None


def _header(cells: list[str]) -> _Header | None:
    """Return the columns of a row if it is a header: if it names an image and another known column."""
    names = [cell.strip() for cell in cells]
    lower = [name.lower() for name in names]
    columns, boxed = _known_columns(lower)
    if "image" not in columns or (len(cells) > 1 and len(columns) < 2):
        return None
    notation = notation_of(boxed) or ""
    used = {number for name, number in columns.items() if name != _BOX or notation}
    own = tuple((name, number) for number, name in enumerate(names) if name and number not in used)
    label_name = lower[columns["label"]] if "label" in columns else ""
    return _Header(columns, own, notation, boxed, label_name, frozenset(lower), len(cells))


def _with_split(header: _Header, rows: list[_Row]) -> _Header:
    """Take a column "subset" for one of the user's if it has other values than splits."""
    position = header.columns.get("split")
    if position is None or "split" in header.names:
        return header
    cells = {row.cells[position].strip() for row in rows if position < len(row.cells)} - {""}
    if all(t.split_named(cell) for cell in cells):
        return header
    columns = {name: number for name, number in header.columns.items() if name != "split"}
    return replace(header, columns=columns, own=(*header.own, ("subset", position)))


def _known_columns(lower: list[str]) -> tuple[dict[str, int], str]:
    """Return the position of each known column, and the name of the column with whole boxes if there is one.

    The first of several other names counts, and the shortest name of several columns with whole boxes.
    """
    columns = {name: lower.index(name) for name in _KNOWN & set(lower)}
    for other, name in _OTHER_NAMES.items():
        if other in lower:
            columns.setdefault(name, lower.index(other))
    candidates = [] if {"left", "xmin"} & columns.keys() else sorted(lower, key=len)
    boxed = next((name for name in candidates if notation_of(name) is not None), "")
    return _disambiguated(columns | ({_BOX: lower.index(boxed)} if boxed else {})), boxed


def _disambiguated(columns: dict[str, int]) -> dict[str, int]:
    """Rename columns whose meaning depends on the others.

    ``width`` and ``height`` are the image size where the box does not need them. Otherwise, ``xmin`` and ``ymin`` are
    the left and top of a box with this size.
    """
    if "left" in columns or not {_BOX, "xmin"} & columns.keys():
        return columns
    as_size = {"xmax", _BOX} & columns.keys() or not {"width", "height"} <= columns.keys()
    meant = {"width": "image_width", "height": "image_height"} if as_size else {"xmin": "left", "ymin": "top"}
    return {meant[old]: columns[old] for old in meant.keys() & columns} | {
        name: number for name, number in columns.items() if name not in meant
    }


def _is_image(cell: str) -> bool:
    return os.path.splitext(cell.strip().partition("?")[0])[1].lower() in _SUFFIXES


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
    columns, own = _used_columns(contents), _own_values(contents.images)
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([*columns, *own])
        for image, rows, _ in with_annotations(contents):
            size = known_size(image) or ("", "")
            facts = {"image": listed_name(image.image, path.parent), "split": image.split, "status": image.status}
            facts |= {"image_width": str(size[0]), "image_height": str(size[1])}
            note = getattr(image, "note", None)
            of_image = {"note": note} if isinstance(note, str) else {}
            for row in [*rows, None] if of_image or not rows else rows:
                cells = {**facts, **(of_image if row is None else _annotation_cells(row))}
                row_cells = [cells.get(name, "") for name in columns]
                row_cells += [_own_cell(values.get(image.image, "")) for values in own.values()]
                writer.writerow(map(_escaped, row_cells) if escape_formulas else row_cells)
        text.detach()
    return [path]


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and finite(cell) is None else cell


def _own_values(images: pd.DataFrame, only: str | None = None) -> dict[str, dict[str, Any]]:
    unread = {name.lower() for name in look_like_boxes([name for name in images if name not in t.IMAGE_COLUMNS])}
    boxes = {name.lower() for name in images if notation_of(name.lower()) is not None}
    return own_values(images, _KNOWN | _OTHER_NAMES.keys() | unread | boxes, only)


def _holds_column(images: pd.DataFrame, name: str) -> bool:
    """Check whether reading finds the same values of a column. Texts of digits, for example, become numbers."""
    own = _own_values(images, name)
    given = list(own.get(name, {}).values())
    found = _typed([_own_cell(value).strip() for value in given], complete=len(given) == len(images))
    same = list(map(type, given)) == list(map(type, found)) and given == found
    return name in own and same and all(is_readable(name, value) for value in given)


def _own_cell(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _used_columns(contents: Contents) -> list[str]:
    images, annotations = contents.images, contents.annotations
    derived = np.where(t.is_among(images["image"], annotations["image"]), "labelled", "unlabelled")
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
        "note": annotations["note"].notna().any() or ("note" in images and images["note"].notna().any()),
        "split": (images["split"] != t.TRAIN).any(),
        "status": (images["status"].to_numpy() != derived).any(),
        **dict.fromkeys(("image_width", "image_height"), images["width"].notna().any()),
    }
    return [name for name, needed in used.items() if needed]


def _annotation_cells(row: Any) -> dict[str, str]:
    cells = {
        "label": row.label,
        "crowd": "true" if row.crowd else "",
        "confidence": repr(float(row.confidence)),
        "annotator": row.annotator if isinstance(row.annotator, str) else "",
        "job": row.job if isinstance(row.job, str) else "",
        "created": row.created.isoformat(),
        "note": row.note if isinstance(row.note, str) else "",
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
    columns=frozenset({"note"}),
    holds_column=_holds_column,
    options=frozenset({"on_duplicate", "prefix", "encoding"}),
    empty="`status` is `labelled`, without a label",
    holes="lists of points",
    unlabelled="neither a label nor a status",
)
