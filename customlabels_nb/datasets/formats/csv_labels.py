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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import CORNERS, look_like_boxes, notation_of, numbers_of_box, to_ltwh
from customlabels_nb.core.limits import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
from customlabels_nb.core.table_columns import (
    FLAG,
    INDEX,
    KNOWN,
    LIKE_BOX,
    ONE_BOX,
    OTHER,
    OWN,
    TRUE,
    ColumnDecision,
    Decisions,
    decide,
    in_column,
    labels_in,
)
from customlabels_nb.datasets.formats.base import CAPABILITIES, Contents, Format, ImageFinder, moved
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
from customlabels_nb.datasets.formats.given_tables import settle_boxes
from customlabels_nb.datasets.formats.json_file import empty, shown, size_of, text_of, unusable
from customlabels_nb.errors import InputError, LabelError, TableError
from customlabels_nb.images.locations import to_uri

_HEAD_BYTES = 1 << 16
_MOST_CELLS = 1000
_LONGEST_CELL = 2**24  # characters
_LOOKED_AT = 1000  # rows that are searched for images before a file without a header is rejected
_DELIMITERS = ",;\t"
#: Columns of Label Studio's CSV, which has shapes as JSON, and one of VGG Image Annotator's.
_LABEL_STUDIO, _VGG = frozenset({"annotation_id", "annotator"}), "region_shape_attributes"
#: Roles of columns whose values become columns of the user's own if each image has one.
_OTHERS = (OWN, OTHER, "tags", "sha256", "source", "revision")

_PLACES = 9
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?(e[+-]?[0-9]{1,2})?", re.IGNORECASE)

OnDuplicate = Literal["error", "first", "merge"]

_POLICIES = ("error", "first", "merge")
_SUFFIXES = IMAGE_SUFFIXES | UNREAD_SUFFIXES  # images that cannot be read are named, too
_TABLES = (".csv", ".tsv", ".txt")
_LABEL_STUDIO_ADVICE = "Export the project as JSON or JSON-MIN, not as CSV"


def _recognise(path: Path) -> bool:
    try:
        if path.suffix.lower() not in _TABLES or not path.is_file():
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
    folder = f"{str(prefix).rstrip('/')}/" if prefix else None
    rows, names = _read_rows(path, encoding)
    collected = Collector(to_uri(path))
    dialect = next((each for each in _DIALECTS if names is None and each.fits(path, rows)), None)
    if dialect is not None:
        collected.adjusted(dialect.message, line=rows[0].line)
        names = dialect.names
    decisions = Decisions((ColumnDecision("image", "image", ""),)) if names is None else _decisions(path, names, rows)
    located = _located(rows, decisions.roles["image"], collected, Places(finder), folder)
    if names is None:
        _read_labels(path, rows, located, collected, on_duplicate)
    else:
        _read_table(path, decisions, len(names), located, collected)
    if not collected.images and collected.issues:
        raise unusable(
            path, f"no row can be read, for example line {collected.issues[0].line}: {collected.issues[0].message}"
        )
    contents = collected.contents([])
    if "created" not in decisions.roles:  # this package writes it, with boxes in pixels
        settled = settle_boxes(contents.images, contents.annotations, collected.source)
        contents.images, contents.annotations, issues = settled
        contents.issues += issues
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


def _decisions(path: Path, names: Sequence[str], rows: list[_Row]) -> Decisions:
    """Decide what the columns of a table are, or raise ManifestError if another program has to convert it first."""
    lower = {name.lower() for name in names}
    if _VGG in lower:
        raise unusable(path, "it is a file of VGG Image Annotator, which is not read. Export COCO instead")
    decisions = _decided(path, names, rows)
    if lower >= _LABEL_STUDIO and "label" not in decisions.roles:
        raise unusable(path, f"the columns are those of Label Studio. {_LABEL_STUDIO_ADVICE}")
    return decisions


def _decided(path: Path, names: Sequence[str], rows: list[_Row]) -> Decisions:
    def values(position: int) -> list[str]:
        return [row.cells[position].strip() for row in rows if position < len(row.cells)]

    try:
        return decide(names, values)
    except TableError as error:
        if "notation" not in str(error):
            raise unusable(path, str(error).removesuffix(".")) from error
        column = str(error).split("'")[1]
        cells = ((row.line, row.cells[names.index(column)]) for row in rows if names.index(column) < len(row.cells))
        line = next(line for line, cell in cells if numbers_of_box(cell.strip()))
        raise unusable(path, f"line {line}: {error}".removesuffix(".")) from error


def _read_table(path: Path, decisions: Decisions, width: int, located: _Located, collected: Collector) -> None:
    own, roles = _OwnColumns(decisions, width), decisions.roles
    for column, message in decisions.notes():
        if column not in decisions.having("label") or column.lower() == "name":  # the others are usual in files
            collected.adjusted(message, where=column)
    flags = [(str(each.column), position) for position, each in enumerate(decisions.of_columns) if each.role == FLAG]
    for row, name, uri in located:
        cells = _Cells(row, roles, name, collected)
        labels = [
            label for label, position in flags if position < len(row.cells) and row.cells[position].strip() in TRUE
        ]
        labels = labels or labels_in(cells["label"])
        _check_label_cell(path, row, cells["label"])
        if uri not in collected.images:
            status = "labelled" if flags and not labels else cells.status()
            collected.add_image(uri, size=cells.size(), split=cells.split(), status=status)
        else:
            cells.compare(collected.images[uri])
        own.add(row, name, uri)
        try:
            _add_annotations(collected, uri, labels, cells, cells.box(decisions.notation), cells.polygon())
        except (UnreadableError, LabelError) as error:
            _refuse(collected, row, str(error), name)
    own.store(collected)


def _add_annotations(
    collected: Collector, uri: str, labels: list[str], cells: _Cells, box: Box | None, polygon: Polygon | None
) -> None:
    """Add an annotation for each label of a row, or raise UnreadableError if a box does not have exactly one."""
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


def _check_label_cell(path: Path, row: _Row, cell: str) -> None:
    """Raise ManifestError if a label is JSON, which Label Studio writes for shapes."""
    if cell[:1] not in ("[", "{"):
        return
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return
    if value and isinstance(value[0] if isinstance(value, list) else value, dict):
        raise unusable(path, f"line {row.line}: the label is JSON: {shown(cell)}. {_LABEL_STUDIO_ADVICE}")


class _OwnColumns:
    """Columns of the user's own. Those with one value per image become columns of the images table."""

    def __init__(self, decisions: Decisions, width: int) -> None:
        columns = [*enumerate(decisions.of_columns)]
        self._positions = [(str(each.column), position) for position, each in columns if each.role in _OTHERS]
        self._own = {position for position, each in columns if each.role == OWN}
        self._width = width
        self._cells: dict[tuple[str, int], list[tuple[str, str]]] = {}  # URI and value
        self._places: dict[tuple[str, int], str] = {}
        self._long: list[int] = []

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
            single = key[1] in self._own and name not in kept
            single = single and all(values.setdefault(uri, value) == value for uri, value in cells)
            if single:
                kept.add(name)
                typed = _typed(list(values.values()), complete=len(values) == len(collected.images))
                for uri, value in zip(values, typed, strict=True):
                    collected.images[uri] |= collected.columns({name: value}, self._places[key])
            else:
                collected.account.add(in_column(name, cells[0][1]), self._places[key], len(cells))
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

    def compare(self, first: Mapping[str, Any]) -> None:
        """Report the split and the status if they differ from those that the ``first`` row of the image has."""
        for name, value in (("split", self._given_split()), ("status", self["status"])):
            if value and value != first[name]:
                why = f"because an earlier row of the image was read as {first[name]!r}"
                self._adjusted(f"The {name} {shown(value)} was ignored, {why}.")

    def _given_split(self) -> str:
        text = self["split"]
        return t.split_named(text) or text

    def status(self) -> str:
        text = self["status"] or "unlabelled"
        if text not in t.STATUSES:
            self._adjusted(f"The status {shown(text)} is unknown. It was ignored.")
            return "unlabelled"
        return text

    def size(self) -> tuple[int, int] | None:
        texts = [self["image_width"], self["image_height"]]
        size = size_of(*map(finite, texts))
        if size is None and any(texts):
            self._collected.account.add("size of an image", self["image"], value=texts)
        return size

    def box(self, notation: str) -> Box | None:
        if ONE_BOX in self._columns:
            return self._box_of_cell(notation)
        corners = "xmin" in self._columns
        texts = [self[side] for side in (CORNERS if corners else t.BOX_COLUMNS)]
        if not any(texts):
            return None
        numbers = [number for number in map(finite, texts) if number is not None]
        if len(numbers) < 4:
            raise UnreadableError(f"The box {shown(texts)} does not consist of four numbers.")
        if corners:
            numbers = self._collected.box_of_corners(numbers, texts, **self._place)
        return self._checked(numbers, texts)

    def _box_of_cell(self, notation: str) -> Box | None:
        text = self[ONE_BOX]
        if not text:
            return None
        numbers = numbers_of_box(text)
        if numbers is None:
            raise UnreadableError(f"The box {shown(text)} does not consist of four numbers.")
        return self._checked(to_ltwh(notation, numbers)[0].tolist(), text)

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


class _Dialect(NamedTuple):
    """Layout of a file without a header: its rows, the names of its columns, and the message about it."""

    fits: Callable[[Path, list[_Row]], bool]
    names: tuple[str, ...]
    message: str


def _read_rows(path: Path, encoding: str | None) -> tuple[list[_Row], Sequence[str] | None]:
    """Read the rows that are not blank, and the names of the columns if there is a header."""
    text = text_of(path, encoding, option=True)
    with _long_cells():
        parsed = _rows(text, _find_delimiter(text[:_HEAD_BYTES]) or ",")
        rows = list(islice(parsed, 1))
        if rows and rows[0].many:
            raise unusable(path, f"its first row has {rows[0].many:,} cells, but at most {_MOST_CELLS:,} are allowed")
        rows += islice(parsed, _LOOKED_AT)
        if not rows:
            raise empty(path)
        names = _header([row.cells for row in rows])
        if names is None:
            _check_images(path, rows)
        rows += parsed
    return (rows, None) if names is None else (rows[1:], names)


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


#: Layouts of files without a header. The first one that fits counts, and otherwise each further cell is a label.
_DIALECTS = (
    _Dialect(
        _are_corners,
        ("image", *CORNERS, "label"),
        "The file has no header. Its columns were read as image, xmin, ymin, xmax, ymax and label, as for "
        "keras-retinanet. If they are others, add a first row with their names.",
    ),
)


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
        if rows and rows[0] and (_header(rows) is not None or (named[0] and sum(named) * 2 >= len(named))):
            return delimiter
    return None


def _header(rows: list[list[str]]) -> list[str] | None:
    """Return the cells of the first row if they are a header: if they name an image and another known column."""
    names = [cell.strip() for cell in rows[0]]
    try:
        roles = decide(
            names, lambda position: [cells[position].strip() for cells in rows[1:] if position < len(cells)]
        ).roles
    except TableError:  # about boxes, which are known columns
        return names
    known = roles.keys() - {OWN, INDEX, LIKE_BOX}
    return names if "image" in roles and (len(names) == 1 or len(known) > 1) else None


def _is_image(cell: str) -> bool:
    return os.path.splitext(cell.strip().partition("?")[0])[1].lower() in _SUFFIXES


def _located(rows: list[_Row], position: int, collected: Collector, places: Places, folder: str | None) -> _Located:
    """Yield the rows with a valid image name, the name and the URI of the image. Other rows are reported as issues.

    Names without a path are in the ``folder``, which ends with ``/``.
    """
    for row in rows:
        name = row.cells[position].strip() if len(row.cells) > position else ""
        try:
            if row.error or not name:
                raise InputError(row.error or "The row does not name an image.")
            bare = folder is not None and not _has_path(name) and name not in (".", "..")
            uri = moved(name, folder, name) if folder and bare else places.find(name)
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
    return own_values(images, KNOWN | {*CORNERS} | unread | boxes, only)


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
