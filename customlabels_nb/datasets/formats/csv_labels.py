"""Read and write CSV files of labels, with or without a header, and read Parquet files.

Without a header, a row is ``image,label,label,…``. Empty cells and blank rows are skipped, and each image has one row.
If all rows are ``image,number,number,number,number,class``, as for keras-retinanet, the numbers are the corners of a
box. A file with other rows of four numbers is refused.

With a header, a row is an annotation, or an image without annotations. Known columns are ``image`` (or ``filename``,
``file_name``, ``file``, ``path``, ``image_path``, ``image_name``), ``label`` (``class``, ``class_name``, ``category``,
``category_name``, ``tag``, ``name``), a box as ``left, top, width, height``, ``xmin, ymin, width, height``, ``xmin,
ymin, xmax, ymax``, ``left, top, right, bottom``, ``x_center, y_center, width, height`` or in one column (``bbox``:
left, top, width, height as in COCO, ``bbox_xywh``, ``bbox_xyxy`` or ``bbox_cxcywh``), the image size as ``image_width,
image_height`` (``width, height`` too where the box does not need them), ``polygon`` (JSON: ``[[x, y], …]`` or a list of
such rings), ``crowd`` (yes, no, true, false, 1 or 0), ``confidence`` (``score``, ``conf``, ``prob``, ``probability``,
``confidence_score``), ``annotator``, ``job``, ``created``, ``note`` (in a row without a label, of the image), ``split``
(``subset``) and ``status``. A label may be a list of labels, such as ``['cat', 'dog']``, as pandas writes it, or
``cat,dog`` if both are labels of other rows. Boxes that are all between 0 and 1 are ratios of the image size, unless
there is a column ``created``, as in files of this package. Another column becomes a column of the images table if each
image has one value, and is reported otherwise. It has numbers if all of its cells are numbers without leading zeros,
and booleans if all are ``True`` or ``False``. Cells may also be separated by ``;`` or tabs. The text is UTF-8, unless
``encoding`` names another encoding. A Parquet file has the same columns, with types.

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
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb._utils.installing import imported
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import CORNERS, look_like_boxes, notation_of, numbers_of_box, to_ltwh
from customlabels_nb.core.geometry import centred_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
from customlabels_nb.core.table_columns import (
    CENTRED,
    FLAG,
    INDEX,
    KNOWN,
    LIKE_BOX,
    ONE_BOX,
    OWN,
    TRUE,
    ColumnDecision,
    Decisions,
    decide,
    is_no_number,
    labels_in,
    read_frame,
)
from customlabels_nb.datasets.formats.base import CAPABILITIES, Contents, Format, ImageFinder, moved
from customlabels_nb.datasets.formats.entries import (
    Collector,
    Places,
    UnreadableError,
    finite,
    is_readable,
    known_size,
    listed_name,
    moment_or_none,
    own_values,
    plain,
    with_annotations,
)
from customlabels_nb.datasets.formats.given_tables import tables_of
from customlabels_nb.datasets.formats.json_file import empty, shown, text_of, unusable
from customlabels_nb.errors import InputError, LabelError, TableError
from customlabels_nb.images.locations import to_uri

_HEAD_BYTES = 1 << 16
_MOST_CELLS = 1000
_LONGEST_CELL = 2**24  # characters
_LOOKED_AT = 1000  # rows that are searched for images before a file without a header is rejected
_DELIMITERS = ",;\t"
#: Columns of Label Studio's CSV, which has shapes as JSON, and one of VGG Image Annotator's.
_LABEL_STUDIO, _VGG = frozenset({"annotation_id", "annotator"}), "region_shape_attributes"
_SIZES = ("image_width", "image_height")
#: Roles of text columns, where "None" is a value and not an empty cell.
_TEXTS = ("image", "label", "note", "annotator", "job")
#: Roles of columns that only tables of a project have.
_UNREAD = ("tags", "sha256", "source", "revision")

_PLACES = 9
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?(e[+-]?[0-9]{1,2})?", re.IGNORECASE)

OnDuplicate = Literal["error", "first", "merge"]

_SUFFIXES = IMAGE_SUFFIXES | UNREAD_SUFFIXES  # images that cannot be read are named, too
_TABLES = (".csv", ".tsv", ".txt", ".parquet")
_PARQUET = b"PAR1"  # start of such files
_READ_AS_CORNERS = (
    "The file has no header. Its columns were read as image, xmin, ymin, xmax, ymax and label, as for keras-retinanet. "
    "If they are others, add a first row with their names."
)
_LABEL_STUDIO_ADVICE = "Export the project as JSON or JSON-MIN, not as CSV"


def _recognise(path: Path) -> bool:
    try:
        if path.suffix.lower() not in _TABLES or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return False
    if head.startswith(_PARQUET):
        return True
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
    _check_options(on_duplicate, prefix, encoding)
    folder = f"{str(prefix).rstrip('/')}/" if prefix else None
    collected, places = Collector(to_uri(path)), Places(finder)
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, collected, places, folder)
    rows, names = _read_rows(path, encoding)
    if names is None and _are_corners(path, rows):
        collected.adjusted(_READ_AS_CORNERS, line=rows[0].line)
        names = ("image", *CORNERS, "label")
    decisions = Decisions((ColumnDecision("image", "image", ""),)) if names is None else _decisions(path, names, rows)
    located = _located(rows, decisions.roles["image"], collected, places, folder)
    if names is None:
        found, given = _read_labels(path, rows, located, collected, on_duplicate), pd.DataFrame()
    else:
        found, given = _read_table(path, decisions, len(names), located, collected)
    if found.empty and collected.issues:
        raise unusable(
            path, f"no row can be read, for example line {collected.issues[0].line}: {collected.issues[0].message}"
        )
    images, annotations, issues = tables_of(found, given, decisions, collected.source, *_UNREAD)
    for name in [name for name in decisions.having(OWN) if name in images]:
        cells = images[name].dropna()
        typed = pd.Series(_typed(cells.tolist(), complete=len(cells) == len(images)), cells.index)
        images[name] = typed.reindex(images.index)
    return _contents(images, annotations, issues, collected)


def _check_options(on_duplicate: object, prefix: object, encoding: object) -> None:
    if on_duplicate not in get_args(OnDuplicate):
        raise InputError(f"on_duplicate={on_duplicate!r} must be one of {', '.join(map(repr, get_args(OnDuplicate)))}.")
    if not isinstance(encoding, str | None):
        raise InputError(f"encoding={encoding!r} must be text, such as 'cp1252'.")
    if not isinstance(prefix, str | os.PathLike | None):
        raise InputError(f"prefix={prefix!r} must be a folder or URL.")


def _contents(
    images: pd.DataFrame, annotations: pd.DataFrame, issues: Sequence[Issue], collected: Collector
) -> Contents:
    return Contents(
        t.settle_statuses(t.normalise_images(images), annotations),
        annotations,
        t.labels_in_order(annotations),
        [*collected.issues, *collected.account.issues(collected.source), *issues],
        collected.unread,
        taken={collected.source},
    )


def _read_parquet(path: Path, collected: Collector, places: Places, folder: str | None) -> Contents:
    """Read a Parquet file as the table that it is."""
    imported("pyarrow", "a Parquet file")
    try:
        frame = pd.read_parquet(path)
        found, decisions = read_frame(frame)
    except (OSError, ValueError, TableError) as error:
        raise unusable(path, str(error)) from error
    if "image" not in found:
        raise unusable(path, f"no column names the images: {list(frame.columns)}")
    rows = [_Row(number, [str(name)], str(name)) for number, name in enumerate(found["image"], 1)]
    uris = {row.line - 1: uri for row, _, uri in _located(rows, 0, collected, places, folder)}
    found = found.iloc[[*uris]].assign(image=[*uris.values()])
    return _contents(*tables_of(found, frame, decisions, collected.source, *_UNREAD), collected)


# -- without a header -------------------------------------------------------------------------------


def _read_labels(
    path: Path, rows: list[_Row], located: _Located, collected: Collector, on_duplicate: OnDuplicate
) -> pd.DataFrame:
    lines: dict[str, int] = {}  # first line of each image
    by_path: dict[bool, tuple[int, str]] = {}
    found: list[tuple[str, str | None]] = []
    repeated: list[tuple[_Row, str, str]] = []
    numbers: list[tuple[int, str]] = []
    for row, name, uri in located:
        by_path.setdefault(_has_path(name), (row.line, name))
        if uri in lines:
            repeated.append((row, name, uri))
            if on_duplicate != "merge":
                continue
        lines.setdefault(uri, row.line)
        found.append((uri, None))
        for cell in filter(None, map(str.strip, row.cells[1:])):
            if finite(cell) is not None:
                numbers.append((row.line, cell))
            try:
                found.append((uri, collected.label(cell)))
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
    return pd.DataFrame(found, columns=["image", "label"])


# -- with a header ----------------------------------------------------------------------------------


def _decisions(path: Path, names: Sequence[str], rows: list[_Row]) -> Decisions:
    """Decide what the columns of a table are, or raise ManifestError if another program has to convert it first."""
    lower = {name.lower() for name in names}
    if _VGG in lower:
        raise unusable(path, "it is a file of VGG Image Annotator, which is not read. Export COCO instead")
    try:
        decisions = decide(names, lambda position: [cell for _, cell in _column(rows, position)])
    except TableError as error:
        unclear = [at for at, name in enumerate(names) if "notation" in str(error) and notation_of(name) == ""]
        lines = (f"line {line}: " for at in unclear for line, cell in _column(rows, at) if numbers_of_box(cell))
        raise unusable(path, f"{next(lines, '')}{error}".removesuffix(".")) from error
    if lower >= _LABEL_STUDIO and "label" not in decisions.roles:
        raise unusable(path, f"the columns are those of Label Studio. {_LABEL_STUDIO_ADVICE}")
    return decisions


def _column(rows: list[_Row], position: int) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each cell of a column."""
    return ((row.line, row.cells[position].strip()) for row in rows if position < len(row.cells))


@dataclass
class _Table:
    """Rows of a file with a header: with the usual columns and those of the user's own, and the texts of all cells."""

    path: Path
    decisions: Decisions
    width: int
    collected: Collector
    found: list[dict[str, Any]] = field(default_factory=list)
    given: list[list[str]] = field(default_factory=list)
    long: list[int] = field(default_factory=list)  # lines with more cells than the header
    _first: dict[str, dict[str, Any]] = field(default_factory=dict)  # facts about each image

    def __post_init__(self) -> None:
        named = [(str(column), role, place) for place, (column, role, _) in enumerate(self.decisions.of_columns)]
        roles = self.decisions.roles
        self._cells = [(role, position, role in _TEXTS) for role, position in roles.items()]
        self._of_images = [role for role in ("split", "status") if role in roles]
        self._sizes = [role for role in _SIZES if role in roles]
        self._flags, self._own = ([(name, at) for name, role, at in named if role == of] for of in (FLAG, OWN))
        self._annotation = _Annotation(roles, self.decisions.notation, self.collected)

    def add(self, row: _Row, name: str, uri: str) -> None:
        texts = [*map(str.strip, row.cells[: self.width]), *[""] * (self.width - len(row.cells))]
        cells = {
            role: text
            for role, position, is_text in self._cells
            if (text := texts[position]) and (is_text or text[-1].isdigit() or not is_no_number(text))
        }
        report = partial(self.collected.adjusted, where=name, line=row.line)
        _check_label_cell(self.path, row, cells.get("label", ""))
        labels = [label for label, position in self._flags if texts[position] in TRUE]
        labels = labels or labels_in(cells.get("label", ""))
        facts = self._facts(uri, cells, report, is_empty=not labels and (bool(self._flags) or "label" in cells))
        if self._own:
            facts |= self.collected.columns({key: texts[position] for key, position in self._own}, name)
        try:
            facts |= self._annotation.read(labels, cells, report)
        except (UnreadableError, LabelError) as error:
            _refuse(self.collected, row, str(error), name)
        self.found.append({"label": None, **facts, "image": uri})
        self.given.append(texts)
        self.long += [row.line] if any(map(str.strip, row.cells[self.width :])) else []

    def _facts(self, uri: str, cells: Mapping[str, str], report: partial[None], *, is_empty: bool) -> dict[str, Any]:
        """Return the facts about an image. Of its split and status, those of the first row count."""
        facts: dict[str, Any] = {key: _value(cells, key, report) for key in self._of_images}
        if uri not in self._first:
            status = "labelled" if is_empty else facts.get("status") or "unlabelled"
            self._first[uri] = facts = {"split": facts.get("split") or t.TRAIN, "status": status}
        first = self._first[uri]
        for key, value in facts.items():
            if value and value != first[key]:
                why = f"because an earlier row of the image was read as {first[key]!r}"
                report(f"The {key} {shown(cells[key])} was ignored, {why}.")
        return {**first, **{key: cells[key] for key in self._sizes if key in cells}}


def _read_table(
    path: Path, decisions: Decisions, width: int, located: _Located, collected: Collector
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a file with a header, and the texts of all cells."""
    for column, message in decisions.notes():
        if column not in decisions.having("label") or column.lower() == "name":  # the others are usual in files
            collected.adjusted(message, where=column)
    table = _Table(path, decisions, width, collected)
    for row, name, uri in located:
        table.add(row, name, uri)
    if table.long:
        have = counted(len(table.long), "row has", "rows have")
        collected.adjusted(f"{have} more cells than the first row. These cells were not read.", line=table.long[0])
    found = pd.DataFrame(table.found)
    found = found if decisions.having("label", FLAG) else found.drop(columns="label", errors="ignore")
    return found, pd.DataFrame(table.given, columns=range(width), dtype=object)


class _Annotation:
    """Read what the columns with some ``roles`` say about the labels of a row."""

    def __init__(self, roles: Mapping[str, int], notation: str, collected: Collector) -> None:
        self._notation, self._collected = notation, collected
        self._sides = next((sides for sides in (CORNERS, CENTRED, t.BOX_COLUMNS) if sides[0] in roles), ())
        self._plain = [role for role in ("annotator", "job") if role in roles]
        self._parsed = [role for role in ("crowd", "confidence", "created") if role in roles]

    def read(self, labels: list[str], cells: Mapping[str, str], report: partial[None]) -> dict[str, Any]:
        """Return the facts about the labels of a row, or raise UnreadableError if a box has none or several."""
        box, polygon = self._box(cells, report), _value(cells, "polygon", report)
        if len(labels) != 1 and (box or polygon):
            several = f"a box and several labels: {shown(cells.get('label'))}"
            raise UnreadableError(f"The row has {several if labels else 'a box, but no label'}.")
        checked = [self._collected.label(label) for label in labels]
        facts: dict[str, Any] = {"label": checked[0] if len(checked) == 1 else checked or None, **box}
        if polygon:
            facts["polygon"] = polygon
        if "note" in cells:
            facts["note"] = self._collected.note(cells["note"], cells["image"])
        facts |= {role: cells[role] for role in self._plain if role in cells}
        return facts | {role: _value(cells, role, report) for role in self._parsed if labels}

    def _box(self, cells: Mapping[str, str], report: partial[None]) -> dict[str, float]:
        """Return the sides of the box of a row, or an empty dict if the row has no box."""
        text: Any = cells.get(ONE_BOX) or [cells.get(side, "") for side in self._sides]
        if not any(text):
            return {}
        numbers = numbers_of_box(text)
        if numbers is None:
            raise UnreadableError(f"The box {shown(text)} does not consist of four numbers.")
        if isinstance(text, str):
            numbers = to_ltwh(self._notation, numbers)[0].tolist()
        elif self._sides is CENTRED:
            numbers = centred_to_ltwh(numbers)[0].tolist()
        elif self._sides is CORNERS:
            numbers = self._collected.box_of_corners(numbers, text, **report.keywords)
        left, top, width, height = numbers
        if not (0 <= width < math.inf and 0 <= height < math.inf):
            raise UnreadableError(f"The box {shown(text)} has an invalid size.")
        return {"left": left, "top": top, "width": width, "height": height}


def _polygon(text: str) -> Polygon | None:
    try:
        rings = rings_of(json.loads(text))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError):
        return None
    return polygon_of(rings) if all(np.isfinite(ring).all() for ring in rings) else None


def _confidence(text: str) -> float | None:
    number = finite(text)
    return number if number is not None and 0 <= number <= 1 else None


class _Cell(NamedTuple):
    """Meaning of a text. One that has none is reported, and replaced or, without ``instead``, its row is not read."""

    meaning: Callable[[str], Any]
    message: str
    instead: Any = UnreadableError


_CELLS: Mapping[str, _Cell] = {
    "split": _Cell(t.split_named, "The split {} is unknown. It was read as 'train'.", t.TRAIN),
    "status": _Cell({status: status for status in t.STATUSES}.get, "The status {} is unknown. It was ignored.", None),
    "confidence": _Cell(_confidence, "The confidence {} is not between 0 and 1. It was read as 1.", 1.0),
    "created": _Cell(moment_or_none, "The date {} cannot be parsed. It was ignored.", None),
    "crowd": _Cell(t.as_boolean, "crowd is {}, which is not yes, no, true, false, 1 or 0."),
    "polygon": _Cell(_polygon, "The polygon {} is not a list of points [x, y] or of such lists."),
}


def _value(cells: Mapping[str, str], role: str, report: partial[None]) -> Any:
    """Return the value of a cell, or None for an empty one."""
    if role not in cells:
        return None
    cell = _CELLS[role]
    if (value := cell.meaning(cells[role])) is not None:
        return value
    message = cell.message.format(shown(cells[role]))
    if cell.instead is UnreadableError:
        raise UnreadableError(message)
    report(message)
    return cell.instead


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


def _typed(cells: list[str], *, complete: bool) -> Sequence[str | float | None]:
    """Return the numbers or booleans of cells that are all one, else the cells. ``007`` stays text, ``NaN`` is missing.

    Unless they are ``complete``, whole numbers and booleans stay text: beside missing values, 101 would become 101.0.
    """
    if {"True", "False"}.issuperset(cells):
        return [cell == "True" for cell in cells] if complete else cells
    numbers = [cell for cell in cells if not is_no_number(cell)]
    if not numbers or not all(map(_DECIMAL.fullmatch, numbers)):
        return cells
    if all(map(_WHOLE.fullmatch, numbers)):
        is_whole = complete and len(numbers) == len(cells)
        return [*map(int, cells)] if is_whole else [None if is_no_number(cell) else cell for cell in cells]
    return [None if is_no_number(cell) else float(cell) for cell in cells]


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


def _read_rows(path: Path, encoding: str | None) -> tuple[list[_Row], Sequence[str] | None]:
    """Read the rows that are not blank, and the names of the columns if there is a header."""
    text = text_of(path, encoding, option=True)
    with _long_cells():
        parsed = _rows(text, _find_delimiter(text[:_HEAD_BYTES]) or ",")
        rows = [*islice(parsed, 1)]
        if not rows:
            raise empty(path)
        if rows[0].many:
            raise unusable(path, f"its first row has {rows[0].many:,} cells, but at most {_MOST_CELLS:,} are allowed")
        rows += islice(parsed, _LOOKED_AT)
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
