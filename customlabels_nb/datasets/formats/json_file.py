"""Helpers for datasets in a single JSON file: reading, writing, boxes, polygons and their areas."""

from __future__ import annotations

import codecs
import json
import math
import re
import reprlib
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import fitting_encodings, utf_16_of
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import CODES, Issue
from customlabels_nb.core.polygons import Ring
from customlabels_nb.core.tables import check_label, storable
from customlabels_nb.datasets.formats.base import ImageFinder
from customlabels_nb.errors import ImageError, InputError, LabelError, ManifestError
from customlabels_nb.images.reading import header_size
from customlabels_nb.user_settings import settings

Loaded = TypeVar("Loaded", dict[str, Any], list[Any])

_FARTHEST = 1e150  # the area of a polygon within this range is finite
_NUMBERS = frozenset({int, float})

_UNUSABLE = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
_EMPTY = "ERROR_MANIFEST_IS_EMPTY"
_HEAD_BYTES = 1 << 16
_LONGEST_MESSAGE = 400
_LARGEST_SIZE = 2**31 - 1
_BATCH = 2000
_TRIED, _SLOW = 8, 0.001  # images whose headers are read first, and the seconds for each that pay for threads
# a string, with the first character of its value if it is a key, or a bracket
_TOKEN = re.compile(r'"((?:[^"\\]+|\\.)*+)"(?:\s*:\s*(?=(\S)))?|[\[{]|[\]}]', re.DOTALL)


class Findings:
    """Collector of issues for entries in the file ``source`` that cannot be read or are changed while reading."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.issues: list[Issue] = []

    def unreadable(self, where: str, why: str) -> None:
        """Add an issue for an entry that is skipped."""
        self._add("ENTRY_UNREADABLE", where, why)

    def adjusted(self, where: str, how: str) -> None:
        """Add an issue for an entry that was changed while reading."""
        self._add("ENTRY_ADJUSTED", where, how)

    def not_found(self, where: str, why: str) -> None:
        """Add an issue for an entry that cannot be read because its image is not available."""
        self._add("IMAGE_NOT_LISTED", where, why)

    def _add(self, code: str, where: str, message: str) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 2] + " …"
        self.issues.append(Issue(code, message, where=where, source=self._source))


_KINDS: dict[type, str] = {dict: "an object", list: "an array"}


def load(path: Path, kind: type[Loaded]) -> Loaded:
    """Load the JSON object (dict) or array (list) in the file, or raise ManifestError."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")
        with collection_paused():
            value = _loads(data := path.read_bytes())
    except UnicodeDecodeError as error:
        raise unusable(path, why_not_utf_8(data, error)) from error
    except (OSError, ValueError, RecursionError) as error:
        if path.is_file() and _is_blank(path):
            raise empty(path) from error
        raise unusable(path, str(error) or type(error).__name__) from error
    if not isinstance(value, kind):
        found = _KINDS.get(type(value)) or shown(value)
        raise unusable(path, f"it contains {found}, not {_KINDS[kind]}")
    return value


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:  # json also accepts NaN, lone surrogates and a byte order mark
        return json.loads(data)


def _is_blank(path: Path) -> bool:
    try:
        return path.stat().st_size < _HEAD_BYTES and not path.read_bytes().removeprefix(codecs.BOM_UTF8).strip()
    except (OSError, ValueError):
        return False


def unusable(path: Path, why: str) -> ManifestError:
    """Create the error for a file that cannot be read at all."""
    return ManifestError(f"{str(path)!r}: {CODES[_UNUSABLE]} ({why})", _UNUSABLE)


def empty(path: Path) -> ManifestError:
    """Create the error for a file without content."""
    return ManifestError(f"{str(path)!r}: {CODES[_EMPTY]}", _EMPTY)


def why_not_utf_8(data: bytes, error: UnicodeDecodeError) -> str:
    """Return the reason why a file is not read, with the line that is not UTF-8 and the encodings that fit."""
    return _not_in("UTF-8", data.count(b"\n", 0, error.start) + 1, fitting_encodings(data))


def _not_in(encoding: str, line: int, fitting: list[str]) -> str:
    guess = f", but may be {' or '.join(map(repr, fitting[:3]))}" if fitting else ""
    return f"line {line} is not {encoding}{guess}. Save the file as UTF-8"


def text_of(path: Path, encoding: str | None = None, *, option: bool = False) -> str:
    """Read a text file: UTF-8 with or without byte order mark, or another ``encoding``.

    The ManifestError for a file in another encoding names those that fit, and with ``option`` the argument for them. If
    none fits, the file is damaged, and with ``option`` its damaged bytes become lone surrogates.
    """
    try:
        data = path.read_bytes()
        if encoding is None and (fitting := utf_16_of(data)):
            line = 1
        else:
            return data.decode(encoding or "utf-8-sig")
    except LookupError as error:
        raise InputError(f"encoding={encoding!r} is unknown. Pass an encoding such as 'cp1252'.") from error
    except UnicodeError as error:
        fitting, line = fitting_encodings(data), data.count(b"\n", 0, getattr(error, "start", 0)) + 1
    except (OSError, ValueError) as error:
        raise unusable(path, str(error)) from error
    if option and encoding is None and not fitting:
        return data.decode("utf-8-sig", "surrogateescape")
    how = f", or pass encoding={fitting[0]!r}" if option and fitting else ""
    raise unusable(path, f"{_not_in(encoding or 'UTF-8', line, fitting)}{how}")


def file_in(path: Path, name: str) -> Path:
    """Return ``path``, or the path of the file ``name`` in it if ``path`` is a folder or has no extension."""
    return path / name if path.is_dir() or not path.suffix else path


def outer_keys(path: Path, *, of_first: bool = False) -> tuple[dict[str, str], str]:
    """Return the top-level keys of a JSON file, each with the first character of its value, and the text that was read.

    Only the start of the file is read. There are no keys if the file does not begin with a JSON object. With
    ``of_first``, the keys are those of the first object in an array.
    """
    try:
        if not path.is_file():
            return {}, ""
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return {}, ""
    keys: dict[str, str] = {}
    text = head.lstrip()
    if of_first:
        text = text[1:].lstrip() if text.startswith("[") else ""
    if not text.startswith("{"):
        return keys, head
    depth = 0
    for token in _TOKEN.finditer(text):
        key, value = token.groups()
        if key is not None:
            if depth == 1 and value:
                keys[key] = value
        elif token[0] in "[{":
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                break
    return keys, head


def first_entry(head: str) -> dict[str, Any] | None:
    """Return the first object of the array that ``head`` begins with, or None if it is invalid or not complete."""
    text = head.lstrip()[1:].lstrip()
    try:
        entry, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def write_array(file: BinaryIO, entries: Iterable[dict[str, Any]]) -> None:
    """Write the entries as a JSON array, in batches. A number that is not finite is an InputError."""
    rest = iter(entries)
    file.write(b"[")
    between = b"\n"
    while batch := list(islice(rest, _BATCH)):
        try:
            text = json.dumps(batch, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise InputError(f"annotations contain a non-finite number, which JSON forbids ({error}).") from error
        file.write(between + text[1:-1].encode())
        between = b",\n"
    file.write(b"\n]")


def shown(value: object) -> str:
    return reprlib.repr(value)


def as_list(value: object) -> list[Any]:
    """Return a list, or an empty list for any other value."""
    return value if isinstance(value, list) else []


def find_image(finder: ImageFinder, *names: str) -> str:
    """Return the URI of an image by its first name, using others as alternatives. ValueError if none is allowed."""
    uri = finder.find(*names) if names else ""
    if not uri or not storable(uri):
        raise ValueError(f"{shown(names[0] if names else None)} is not a valid image name.")
    return uri


def label_or_none(name: object, findings: Findings, where: str) -> str | None:
    """Return the label, or None with an issue if it is invalid."""
    try:
        if isinstance(name, str):
            return check_label(name)
        why = "it is not a string"
    except LabelError as error:
        why = str(error)
    findings.unreadable(where, f"{shown(name)} is not a valid label: {why}")
    return None


def number_or_none(value: object) -> float | None:
    """Return a finite number as a float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def size_of(width: object, height: object) -> tuple[int, int] | None:
    """Return width and height in pixels, or None if they are not a valid image size."""
    across, down = number_or_none(width), number_or_none(height)
    if across is None or down is None or not all(1 <= v <= _LARGEST_SIZE and v == int(v) for v in (across, down)):
        return None
    return int(across), int(down)


def measured(uris: Iterable[str]) -> Iterator[tuple[str, tuple[int, int] | str]]:
    """Yield each image with its size after EXIF rotation, or why it is unknown, from headers of local files only."""

    def measure_one(uri: str) -> tuple[str, tuple[int, int] | str]:
        try:
            return uri, header_size(uri)
        except ImageError as error:
            return uri, error.reason

    rest, first, fastest = iter(uris), [], math.inf
    for uri in islice(rest, _TRIED):
        began = time.perf_counter()
        first.append(measure_one(uri))
        fastest = min(fastest, time.perf_counter() - began)
    # threads take twice as long where reading a header hardly waits
    workers = settings.threads if fastest > _SLOW else 1
    return chain(first, map_bounded(measure_one, rest, workers=workers))


# -- boxes and polygons -----------------------------------------------------------------------------


def as_boxes(raw: list[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Convert boxes to an array (n, 4), NaN where they are missing or invalid, and flag the invalid ones."""
    values = _all_at_once(raw)
    present = np.ones(len(raw), dtype=bool)
    if values is None:
        present = np.array([box is not None and box != [] for box in raw], dtype=bool)
        listed = [box for box in raw if box is not None and box != []]
        values = _all_at_once(listed)
        if values is None:
            values = np.array([_one_by_one(box) for box in listed], dtype=np.float64).reshape(-1, 4)
    bad_values = ~np.isfinite(values).all(axis=1) | (values[:, 2:] < 0).any(axis=1)
    values[bad_values] = np.nan
    boxes = np.full((len(raw), 4), np.nan)
    boxes[present] = values
    bad = np.zeros(len(raw), dtype=bool)
    bad[present] = bad_values
    return boxes, bad


def _all_at_once(listed: list[Any]) -> npt.NDArray[np.float64] | None:
    """Convert boxes to an array if each is a list of four plain numbers, else return None."""
    if not set(map(type, listed)) <= {list} or not set(map(len, listed)) <= {4}:
        return None
    flat = list(chain.from_iterable(listed))
    if not set(map(type, flat)) <= _NUMBERS:
        return None
    try:
        return np.array(flat, dtype=np.float64).reshape(-1, 4)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _one_by_one(box: object) -> list[float]:
    numbers = [number_or_none(value) for value in box] if isinstance(box, list) and len(box) == 4 else [None] * 4
    return [math.nan if number is None else number for number in numbers]


def plain_polygons(
    segmentations: Mapping[int, object],
) -> tuple[dict[int, Ring], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the polygons with a single part of plain numbers, by entry number, with areas and boxes in the same order.

    The boxes are ``left, top, width, height``, shape (n, 4). This is the fast path of :func:`as_rings` for many
    polygons. Nothing is returned if any of these parts contains an unusable number. Segmentations that are not returned
    may still be polygons.
    """
    parts = {
        number: given[0]
        for number, given in segmentations.items()
        if type(given) is list and len(given) == 1 and type(given[0]) is list
    }
    lengths = np.fromiter(map(len, parts.values()), np.int64, len(parts))
    whole = (lengths >= 6) & (lengths % 2 == 0)
    if not whole.all():
        parts = {number: part for (number, part), usable in zip(parts.items(), whole.tolist(), strict=True) if usable}
        lengths = lengths[whole]
    flat = list(chain.from_iterable(parts.values()))
    kinds = set(map(type, flat))
    try:
        values = np.array(flat, dtype=np.float64) if kinds <= _NUMBERS else np.array([np.nan])
    except OverflowError:  # an integer of hundreds of digits
        values = np.array([np.nan])
    if not len(values) or not (np.abs(values) <= _FARTHEST).all():
        return {}, np.empty(0), np.empty((0, 4))
    sides = iter(flat if kinds == {float} else values.tolist())
    points = list(map(list, zip(sides, sides, strict=True)))
    ends = np.cumsum(lengths // 2)
    starts = ends - lengths // 2
    slices = zip(starts.tolist(), ends.tolist(), strict=True)
    polygons = {number: points[start:end] for number, (start, end) in zip(parts, slices, strict=True)}
    corners = values.reshape(-1, 2)
    low, high = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
    return polygons, _areas(corners, starts, ends), np.hstack([low, high - low])


def _areas(
    points: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    following = np.roll(points, -1, axis=0)
    following[ends - 1] = points[starts]
    with np.errstate(over="ignore", invalid="ignore"):
        doubled = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
        result: npt.NDArray[np.float64] = np.abs(np.add.reduceat(doubled, starts)) / 2
    return result


def as_rings(segmentation: object) -> tuple[list[Ring], int]:
    """Return the readable parts of a segmentation, flat lists ``x, y, …`` or a single one, and the number of parts."""
    if not isinstance(segmentation, list):
        return [], 1
    flat = bool(segmentation) and not isinstance(segmentation[0], list)
    parts = [part for part in ([segmentation] if flat else segmentation) if part != []]
    return [ring for part in parts if (ring := _points(part)) is not None], len(parts)


def _points(part: object) -> Ring | None:
    if not isinstance(part, list) or len(part) < 6 or len(part) % 2 or not set(map(type, part)) <= _NUMBERS:
        return None
    try:
        values = list(map(float, part))
    except OverflowError:
        return None
    if not all(-_FARTHEST <= value <= _FARTHEST for value in values):
        return None
    return list(map(list, zip(values[::2], values[1::2], strict=True)))
