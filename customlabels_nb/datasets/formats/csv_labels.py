"""CSV: labels without a header, or a table with one.

Without a header a row is ``image,label,label,…``; empty cells and blank rows are skipped, and an image has one row.
With a header a row is an annotation, or an image without any. Known columns are ``image`` (or ``filename``,
``file_name``, ``file``, ``path``, ``image_path``, ``image_name``), ``label`` (``class``, ``class_name``, ``category``,
``tag``), a box as ``left, top, width, height`` or ``xmin, ymin, xmax, ymax``, the image's size as ``image_width,
image_height`` (beside ``xmin`` also ``width, height``), ``polygon`` (JSON: ``[[x, y], …]``), ``crowd``, ``confidence``
(``score``), ``annotator``, ``job``, ``created``, ``split`` and ``status``. Other columns are not read. Cells may be
separated by ``;`` or tabs, too.

Written is a table with a header and with those columns in which something stands.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import xyxy_to_ltwh
from customlabels_nb.datasets.formats.base import CAPABILITIES, Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.csv_rows import (
    CORNERS,
    HEAD_BYTES,
    MOST_CELLS,
    Located,
    Row,
    find_delimiter,
    has_path,
    read_rows,
)
from customlabels_nb.datasets.formats.csv_writing import write_csv, write_duplicates
from customlabels_nb.datasets.formats.entries import (
    Box,
    Collector,
    Places,
    finite,
    size_of,
)
from customlabels_nb.datasets.formats.json_file import shown, unusable
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.reading import to_uri

OnDuplicate = Literal["error", "first", "merge"]

_POLICIES = ("error", "first", "merge")
_ENDINGS = (".csv", ".tsv", ".txt")
_TRUE = ("true", "1", "yes")


def _recognise(path: Path) -> bool:
    try:
        if path.suffix.lower() not in _ENDINGS or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return b"\0" not in head and find_delimiter(head.decode("utf-8-sig", "replace")) is not None


def read_csv(
    path: Path, finder: ImageFinder, *, on_duplicate: OnDuplicate = "error", prefix: str | None = None
) -> Contents:
    """The contents of a CSV file.

    Parameters
    ----------
    on_duplicate : str
        What to do without a header, where a row repeats an image: "error" (nothing is read; the rows are written to
        ``<name>-duplicates.csv`` beside the file, all others to ``<name>-deduplicated.csv``), "first" (the others are
        left out) or "merge" (the image gets the labels of all).
    prefix : str, optional
        A folder or URL that comes before names without a path.

    Raises
    ------
    ManifestError
        If the file can't be read, is empty, has no row that can be read, or has names with and without a path.
    InputError
        If rows repeat images and ``on_duplicate`` is "error", or it is none of the three.
    """
    if on_duplicate not in _POLICIES:
        raise InputError(f"on_duplicate={on_duplicate!r} is not known; use one of {', '.join(map(repr, _POLICIES))}.")
    rows, columns = read_rows(path)
    collected = Collector(to_uri(path))
    located = Located(rows, columns["image"] if columns else 0, collected, Places(finder), prefix)
    if columns is None:
        _read_labels(path, rows, located, collected, on_duplicate)
    else:
        _read_table(columns, located, collected)
    if not collected.images and collected.issues:
        raise unusable(
            path, f"no row can be read, for instance line {collected.issues[0].line}: {collected.issues[0].message}"
        )
    return collected.contents([])


# -- without a header -------------------------------------------------------------------------------


def _read_labels(
    path: Path, rows: list[Row], located: Located, collected: Collector, on_duplicate: OnDuplicate
) -> None:
    lines: dict[str, int] = {}  # of images
    by_path: dict[bool, tuple[int, str]] = {}
    repeated: list[tuple[Row, str, str]] = []
    for row, name, uri in located:
        by_path.setdefault(has_path(name), (row.line, name))
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
            f"{shown(name)} on line {line} has a path, {shown(bare)} on line {bare_line} has none: treat all alike",
        )
    if repeated and on_duplicate == "error":
        row, name, uri = repeated[0]
        written = write_duplicates(path, rows, {again.line for again, _, _ in repeated})
        raise InputError(
            f"{str(path)!r}: {len(repeated):,} rows repeat an image, the first on line {row.line}: {shown(name)} "
            f"stands on line {lines[uri]} already. Choose on_duplicate='first' or 'merge'. {written}"
        )
    for row, name, uri in repeated:
        how = "its labels were added" if on_duplicate == "merge" else "it was not read"
        collected.adjusted(f"The row repeats the image of line {lines[uri]}; {how}.", where=name, line=row.line)


# -- with a header ----------------------------------------------------------------------------------


class _Unreadable(Exception):
    """Says why an annotation can't be read."""


def _read_table(columns: dict[str, int], located: Located, collected: Collector) -> None:
    for row, name, uri in located:
        cells = _Cells(row, columns, name, collected)
        if uri not in collected.images:
            facts = {"split": cells.split(), "status": cells.status()}
            size = size_of(finite(cells["image_width"]), finite(cells["image_height"]))
            collected.add_image(uri, size=size, **facts)
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
                raise _Unreadable("The row has a box but no label.")
        except (_Unreadable, LabelError) as error:
            located.refuse(row, str(error), name)


class _Cells:
    """The cells of one row by name."""

    def __init__(self, row: Row, columns: dict[str, int], image: str, collected: Collector) -> None:
        self._row, self._columns, self._image, self._collected = row, columns, image, collected

    def __getitem__(self, name: str) -> str:
        position = self._columns.get(name, MOST_CELLS)
        return self._row.cells[position].strip() if position < len(self._row.cells) else ""

    def _adjusted(self, message: str) -> None:
        self._collected.adjusted(message, where=self._image, line=self._row.line)

    def split(self) -> str:
        said = self["split"].lower()
        split = {"": t.TRAIN, "val": t.TEST, "valid": t.TEST, "validation": t.TEST}.get(said, said)
        if split not in t.SPLITS:
            self._adjusted(f"The split {shown(said)} is not known; 'train' was read.")
            return t.TRAIN
        return split

    def status(self) -> str:
        said = self["status"] or "unlabelled"
        if said not in t.STATUSES:
            self._adjusted(f"The status {shown(said)} is not known; it was left out.")
            return "unlabelled"
        return said

    def box(self) -> Box | None:
        corners = "left" not in self._columns and "xmin" in self._columns
        texts = [self[side] for side in (CORNERS if corners else t.BOX_COLUMNS)]
        if not any(texts):
            return None
        numbers = [number for number in map(finite, texts) if number is not None]
        if len(numbers) < 4:
            raise _Unreadable(f"The box {shown(texts)} is not four numbers.")
        if corners:
            ordered = [*map(min, numbers[:2], numbers[2:]), *map(max, numbers[:2], numbers[2:])]
            if ordered != numbers:
                self._adjusted(f"The corners {shown(texts)} were in the wrong order.")
            with np.errstate(over="ignore"):
                numbers = xyxy_to_ltwh(ordered)[0].tolist()
        left, top, width, height = numbers
        if not (0 <= width < math.inf and 0 <= height < math.inf):
            raise _Unreadable(f"The box {shown(texts)} has no size that can be.")
        return left, top, width, height

    def polygon(self) -> list[list[float]] | None:
        text = self["polygon"]
        if not text:
            return None
        try:
            found = json.loads(text)
            points = [[float(x), float(y)] for x, y in found]
        except (ValueError, TypeError, OverflowError, RecursionError):
            points = []
        if not points or not all(math.isfinite(value) for point in points for value in point):
            raise _Unreadable(f"The polygon {shown(text)} is no list of points [x, y].")
        return points

    def confidence(self) -> float:
        text = self["confidence"]
        number = finite(text) if text else 1.0
        if number is None or not 0 <= number <= 1:
            self._adjusted(f"The confidence {shown(text)} doesn't lie between 0 and 1; it was read as 1.")
            return 1.0
        return number

    def created(self) -> datetime | None:
        text = self["created"]
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self._adjusted(f"The date {shown(text)} can't be read; it was left out.")
            return None


FORMAT = Format(
    name="csv",
    recognise=_recognise,
    read=read_csv,
    write=write_csv,
    holds=CAPABILITIES - {"labels", "label_order", "tags", "columns", "notes"},
    options=frozenset({"on_duplicate", "prefix"}),
)
