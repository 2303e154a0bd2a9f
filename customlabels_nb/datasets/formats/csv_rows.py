"""The rows of a CSV file, and the columns that its header names; see :mod:`.csv_labels`."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.datasets.formats.entries import Collector, Places
from customlabels_nb.datasets.formats.json_file import shown, unusable
from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.images.reading import is_remote, to_uri

CORNERS = ("xmin", "ymin", "xmax", "ymax")
HEAD_BYTES = 1 << 16
MOST_CELLS = 1000
_LONGEST_CELL = 2**24  # characters
_LOOKED_AT = 1000  # rows, before a file without a header is taken for something else
_EMPTY = "ERROR_MANIFEST_IS_EMPTY"
_DELIMITERS = ",;\t"
_OTHER_NAMES = {
    **dict.fromkeys(("filename", "file_name", "file", "path", "image_path", "image_name"), "image"),
    **dict.fromkeys(("class", "class_name", "category", "tag"), "label"),
    "score": "confidence",
}
_KNOWN = {
    "image", "label", *t.BOX_COLUMNS, *CORNERS, "polygon", "crowd", "confidence", "annotator", "job", "created",
    "split", "status", "image_width", "image_height",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """The cells of a row that begins on ``line``, as it stands there; or why it has none, such as too ``many``."""

    line: int
    cells: list[str]
    text: str
    error: str = ""
    many: int = 0


def read_rows(path: Path) -> tuple[list[Row], dict[str, int] | None]:
    """The rows that aren't blank, and the columns by name, if there is a header."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise unusable(path, str(error)) from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise unusable(path, "it is UTF-16; save it as UTF-8, which spreadsheets call CSV UTF-8")
    text = data.decode("utf-8-sig", "surrogateescape")
    with _long_cells():
        found = _rows(text, find_delimiter(text[:HEAD_BYTES]) or ",")
        rows = list(islice(found, 1))
        if rows and rows[0].many:
            raise unusable(path, f"its first row has {rows[0].many:,} cells; at most {MOST_CELLS:,} are read")
        rows += islice(found, _LOOKED_AT)
        if not rows:
            raise ManifestError(f"{str(path)!r}: {CODES[_EMPTY]}", _EMPTY)
        columns = _columns(rows[0].cells)
        if columns is None:
            _check_images(path, rows)
        rows += found
    return (rows, None) if columns is None else (rows[1:], columns)


def _check_images(path: Path, rows: list[Row]) -> None:
    """Refuse a file that begins with rows of which none names an image, or with one that should be a header."""
    named = [bool(row.cells) and (_is_image(row.cells[0]) or "://" in row.cells[0][:32]) for row in rows]
    if not any(named):
        raise unusable(path, f"it names no image: its first row is {shown(rows[0].text)}")
    if rows[0].cells and not named[0] and named[1]:
        first = shown(rows[0].cells)
        raise unusable(path, f"its first row {first} is neither an image with its labels nor a header with 'image'")


@contextmanager
def _long_cells() -> Iterator[None]:
    """Outlines of many points are longer than what the library lets a cell be, and it has one limit for all."""
    usual = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _rows(text: str, delimiter: str) -> Iterator[Row]:
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
            error = f"The row can't be read ({reason})."
        many = len(cells) if len(cells) > MOST_CELLS else 0
        if many:
            error = f"The row has {many:,} cells; at most {MOST_CELLS:,} are read."
        if error or any(cell and not cell.isspace() for cell in cells):
            yield Row(start, [] if error else cells, "".join(consumed).rstrip("\r\n"), error, many)


def find_delimiter(head: str) -> str | None:
    """What separates cells, by the first row; None if that looks neither like a header nor like an image."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    for delimiter in _DELIMITERS:
        cells = next((row.cells for row in _rows(first, delimiter)), [])
        if cells and (_columns(cells) is not None or _is_image(cells[0])):
            return delimiter
    return None


def _columns(cells: list[str]) -> dict[str, int] | None:
    """Positions of the known columns, if the row is a header."""
    result: dict[str, int] = {}
    for position, cell in enumerate(cells):
        name = cell.strip().lower()
        result.setdefault(_OTHER_NAMES.get(name, name), position)
    if "image" not in result or (len(cells) > 1 and len(_KNOWN & result.keys()) < 2):
        return None
    if "xmin" in result and "left" not in result:
        for side in ("width", "height"):
            if side in result:
                result.setdefault(f"image_{side}", result.pop(side))
    return {name: position for name, position in result.items() if name in _KNOWN}


def _is_image(cell: str) -> bool:
    return os.path.splitext(cell.strip().partition("?")[0])[1].lower() in IMAGE_SUFFIXES


class Located:
    """Goes over the rows whose images have a place; the others become issues."""

    def __init__(
        self, rows: list[Row], position: int, collected: Collector, places: Places, prefix: str | None
    ) -> None:
        self._rows, self._position, self._collected, self._places, self._prefix = (
            rows,
            position,
            collected,
            places,
            prefix,
        )

    def __iter__(self) -> Iterator[tuple[Row, str, str]]:
        for row in self._rows:
            name = row.cells[self._position].strip() if len(row.cells) > self._position else ""
            try:
                if row.error or not name:
                    raise InputError(row.error or "The row names no image.")
                yield row, name, self._find(name)
            except InputError as error:
                self.refuse(row, str(error), name)

    def refuse(self, row: Row, message: str, where: str = "") -> None:
        self._collected.unreadable(message, where=where, line=row.line)
        self._collected.unread.append((row.line, row.text))

    def _find(self, name: str) -> str:
        if self._prefix and not has_path(name) and name not in (".", ".."):
            joined = self._prefix.rstrip("/") + "/" + name
            return joined if is_remote(joined) else to_uri(joined)
        return self._places.find(name)


def has_path(name: str) -> bool:
    return "/" in name or "\\" in name
