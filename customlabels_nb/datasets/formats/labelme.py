"""Read and write LabelMe files: a folder with a JSON file for each image.

``shapes`` is a list of shapes, each with a ``label``, a ``shape_type`` and ``points`` in pixels: a ``rectangle`` has
two opposite corners, a ``polygon`` its vertices, a ``circle`` its centre and a point on its edge. A ``mask`` is read as
a polygon along the edges of its pixels. The rings of a polygon with holes or several parts are written as one, joined
by edges that are followed in both directions. ``flags`` of the file that are true are image-level labels. ``imagePath``
is relative to the JSON file. If there is no such file, the image is looked up next to the JSON file, also by the name
of the latter. ``imageData``, a copy of the image, is not read. The ``score`` of a shape, as written by prediction
programs, is its confidence, and its ``description`` is its note. Its group, flags, and other types of shapes are
counted. Images without a JSON file, next to those that have one, are unlabelled.

The reader accepts a single file, or a folder with ``.json`` files at any depth. The writer creates a folder, with an
``index.txt`` next to the files for data that they cannot store: the order of labels and images, the test images, and
images that were not reviewed. The box of a polygon is its bounding box.
"""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, xyxy_to_ltwh
from customlabels_nb.core.masks import mask_to_polygon
from customlabels_nb.core.polygons import Polygon, from_one_ring, polygon_of, rings_of, to_one_ring
from customlabels_nb.datasets.formats.account import NUMBER, TAKEN, Ignored, Record, Taken, Unless
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import (
    HOLDS_DRAWN,
    INDEX_BESIDE_JSON,
    Box,
    Collector,
    FilesOfImages,
    Index,
    Places,
    Size,
    UnreadableError,
    box_around,
    checked_box,
    files_below,
    is_here,
    known_size,
    make_folder,
    named_files,
    read_index,
    remove_former,
    write_index,
)
from customlabels_nb.datasets.formats.json_file import load, number_or_none, outer_keys, shown, size_of
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.errors import ImageError, InputError, LabelError, ManifestError
from customlabels_nb.images.decoding import decode, opened
from customlabels_nb.images.locations import is_remote, to_uri

_VERSION = "5.5.0"  # version of LabelMe whose file format is written
_LARGEST_FILE = 2**28  # files can contain the image itself, as text
_FARTHEST = 1e150
_LOOKED_AT = 5  # JSON files that are checked to detect the format of a folder
_DIGITS = 9
_OUTLINES = ("polygon", "oriented_rectangle", "rotation")
_KINDS = (*_OUTLINES, "rectangle", "circle", "mask")
_LOOK = Ignored("how the program draws the shape")
_RECORD = Record(
    "a file",
    {
        **dict.fromkeys(("shapes", "imagePath", "imageData"), TAKEN),
        **dict.fromkeys(("imageHeight", "imageWidth"), NUMBER),
        **dict.fromkeys(("lineColor", "fillColor"), _LOOK),
        "version": Ignored("the version of the program"),
        "flags": Record("the flags", {}, Taken(lambda value: isinstance(value, bool), "boolean")),
    },
)
_SHAPE = Record(
    "a shape",
    {
        **dict.fromkeys(("label", "points", "shape_type", "score", "mask", "description"), TAKEN),
        **dict.fromkeys(("line_color", "fill_color"), _LOOK),
        "difficult": Unless((False,)),
        "flags": Record("a shape", {}, Unless((False,)), key="flag"),
    },
)


def _recognise(path: Path) -> bool:
    try:
        if not path.is_dir():
            return _begins_as_ours(path)
        if any(map(_begins_as_ours, islice(files_below(path, ".json", depth=2), _LOOKED_AT))):
            return True
        return "files" in outer_keys(path / INDEX_BESIDE_JSON)[0]  # an export without labelled images
    except (OSError, ValueError):
        return False


def _begins_as_ours(path: Path) -> bool:
    keys, _ = outer_keys(path)
    return keys.get("shapes") == "[" or "imageData" in keys


def _read(path: Path, finder: ImageFinder) -> Contents:
    folder = FilesOfImages(path, ".json", finder)
    collected, index = folder.collected, folder.index
    for file, data, name, uri in folder.each(_load, _image):
        size = size_of(data.get("imageWidth"), data.get("imageHeight"))
        split = t.TEST if name in index.test else folder.split_of(file)
        collected.add_image(uri, size=size or index.images.get(name), status="labelled", split=split)
        collected.account.record(data, _RECORD, folder.name_of(file))
        if data.get("imageData") and not is_remote(uri) and not is_here(uri):
            collected.account.add("image inside a JSON file (imageData)", folder.name_of(file))
        read = list(_read_flags(data.get("flags"), uri, collected, to_uri(file)))
        for number, shape in enumerate(data["shapes"], 1):
            origin = {"where": f"shape {number}", "source": to_uri(file)}
            read.append(_read_shape(shape, uri, size, collected, origin, exact=bool(index.images)))
            if isinstance(shape, dict) and read[-1]:
                where = f"{folder.name_of(file)}, shape {number}"
                collected.account.record(shape, _SHAPE, where)
                if shape.get("shape_type") == "circle":
                    collected.account.add("outline of a circle", where)
        collected.settle(uri, read)
    folder.add_unlabelled(folder.split_of)
    return folder.contents()


def _load(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise UnreadableError(f"The file has more than {_LARGEST_FILE:,} bytes.")
        data = load(file, dict)
    except (OSError, ManifestError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(data.get("shapes"), list):
        raise UnreadableError("The file has no array 'shapes', so it is not a LabelMe file.")
    return data


def _image(data: dict[str, Any], file: Path, base: Path, places: Places) -> tuple[str, str]:
    """Return the image name given in the file, relative to ``base``, and the URI of the image."""
    image_path = data.get("imagePath")
    if not isinstance(image_path, str) or not image_path:
        inside = " Its imageData is not read. Save the image next to the file." if data.get("imageData") else ""
        raise UnreadableError(f"Its imagePath is {shown(image_path)}, which is not the name of an image.{inside}")
    name = _from_base(image_path, PurePosixPath(file.parent.relative_to(base).as_posix()))
    uri = places.find(name, image_path)
    beside = to_uri(file.parent / PurePosixPath(image_path.replace("\\", "/")).name)
    if uri != beside and not is_remote(uri) and not is_here(uri) and is_here(beside):
        places.not_missing(name)
        return name, beside
    return name, uri


def _from_base(path: str, folder: PurePosixPath) -> str:
    """Convert a path relative to ``folder`` to a path relative to the top folder, leaving other paths unchanged."""
    plain = path.replace("\\", "/")
    if is_remote(path) or plain.startswith(("/", "file:")) or ":" in plain[:3] or "\0" in plain:
        return path
    if ".." not in plain and not folder.parts:
        return path
    return os.path.normpath(folder / plain).replace("\\", "/")


def _read_flags(flags: object, uri: str, collected: Collector, source: str) -> Iterator[bool]:
    """Read the image's flags, and yield True for each one that was read and False for each one that was reported."""
    if flags is not None and not isinstance(flags, dict):
        collected.unreadable(f"Its flags are {shown(flags)}, not an object.", where="flags", source=source)
        yield False
        return
    for name, is_set in (flags or {}).items():
        if is_set is not True:
            continue
        try:
            collected.add_annotation(uri, collected.label(name))
            yield True
        except LabelError as error:
            collected.unreadable(str(error), where="flags", source=source)
            yield False


def _read_shape(
    shape: object, uri: str, size: Size | None, collected: Collector, origin: dict[str, Any], *, exact: bool
) -> bool:
    """Read a shape, or report it and return False if it cannot be read. ``exact`` is True for files of this package."""
    try:
        if not isinstance(shape, dict):
            raise UnreadableError(f"It is {shown(shape)}, not an object.")
        if (kind := shape.get("shape_type")) and kind not in _KINDS:
            file = Path(origin["source"]).name
            collected.account.add(f"shape of the type {shown(kind)}", f"{file}, {origin['where']}")
            return False
        name = shape.get("label")
        if not isinstance(name, str):
            raise UnreadableError(f"Its label is {shown(name)}, not a string.")
        label = collected.label(name)
        box, polygon = _outline(shape)
        if not exact:
            box, polygon = collected.plausible(box, polygon, uri, size, **origin)
    except (UnreadableError, LabelError) as error:
        collected.unreadable(str(error), **origin)
        return False
    if polygon is None and shape.get("mask") is not None:
        collected.adjusted("Its mask cannot be read. Only the box was read.", **origin)
    score = shape.get("score")
    number = 1.0 if score is None else number_or_none(score)
    confidence = collected.confidence(number, score, what="score", **origin)
    note = collected.note(shape.get("description"), f"{Path(origin['source']).name}, {origin['where']}")
    collected.add_annotation(
        uri, label, box, polygon=polygon, confidence=confidence, note=note, origin=None if exact else origin
    )
    return True


def _outline(shape: dict[str, Any]) -> tuple[Box, Polygon | None]:
    """Return the bounding box of a shape and its polygon, or None instead of the polygon for boxes and circles."""
    points = _points(shape.get("points"))
    kind = shape.get("shape_type") or ("rectangle" if len(points) == 2 else "polygon")
    if kind in _OUTLINES:
        if len(points) < 3:
            raise UnreadableError(f"A polygon needs at least three points, but this one has {len(points)}.")
        return box_around(points), from_one_ring(points)
    if kind == "circle" and len(points) == 2:
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return checked_box((x - radius, y - radius, 2 * radius, 2 * radius)), None
    if kind in ("rectangle", "mask") and len(points) >= 2:
        (left, top), (right, bottom) = np.min(points, axis=0), np.max(points, axis=0)
        if kind == "rectangle":
            return checked_box(xyxy_to_ltwh([left, top, right, bottom])[0].tolist()), None
        outline = _outline_of_mask(shape["mask"], left, top) if shape.get("mask") else None
        corners = [left, top, right + 1, bottom + 1]  # those of a mask are pixels that belong to it
        return checked_box(xyxy_to_ltwh(corners)[0].tolist()), outline
    raise UnreadableError(f"A {shown(kind)} with {len(points)} points is neither a box nor a polygon.")


def _outline_of_mask(text: object, left: float, top: float) -> Polygon | None:
    """Return the outline of a mask, a PNG as base64 with its first pixel at ``left, top``, or None if unreadable."""
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        with opened(data, "mask") as image:
            decode(image, "mask")
            rings = rings_of(mask_to_polygon(np.asarray(image.convert("L")) > 0))
    except (ValueError, ImageError):
        return None
    return polygon_of(ring + np.array([left, top]) for ring in rings)


def _points(entries: object) -> list[list[float]]:
    if not isinstance(entries, list):
        raise UnreadableError(f"Its points are {shown(entries)}, not an array.")
    points = []
    for point in entries:
        sides = [number_or_none(value) for value in point] if isinstance(point, list) and len(point) == 2 else [None]
        whole = [side for side in sides if side is not None and abs(side) <= _FARTHEST]
        if len(whole) != 2:
            raise UnreadableError(f"{shown(point)} is not a point with two numbers.")
        points.append(whole)
    return points


def _write(contents: Contents, path: Path) -> list[Path]:
    make_folder(path, "LabelMe")
    before = read_index(path, Collector("")).files or []
    written: list[str] = []
    index = Index(t.labels_in_order(contents.annotations, contents.labels), files=written)
    with staged(path) as files:
        for image, name, rows, file in named_files(contents, index, path, ".json"):
            if image.split == t.TEST:
                index.test.add(name)
            if file is not None:
                files.write(path / file, _document(name, image, rows))
                written.append(file)
        write_index(files, path / INDEX_BESIDE_JSON, index)
        remove_former(files, path, before, ".json")
    return files.files


def _document(name: str, image: Any, rows: list[Any]) -> bytes:
    size = known_size(image) or (None, None)
    document = {
        "version": _VERSION,
        "flags": {row.label: True for row in rows if pd.isna(row.left) and row.polygon is None},
        "shapes": [_shape(row) for row in rows if not pd.isna(row.left) or row.polygon is not None],
        "imagePath": name,
        "imageData": None,
        "imageHeight": size[1],
        "imageWidth": size[0],
    }
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2).encode() + b"\n"
    except ValueError as error:
        raise InputError(f"annotations contain a non-finite number, which JSON forbids ({error}).") from error


def _shape(row: Any) -> dict[str, Any]:
    if row.polygon is not None:
        kind, points = "polygon", to_one_ring(row.polygon)
    else:
        corners = ltwh_to_xyxy([row.left, row.top, row.width, row.height])[0].tolist()
        kind, points = "rectangle", [corners[:2], corners[2:]]
    rounded = [[round(float(value), _DIGITS) for value in point] for point in points]
    note = {} if pd.isna(row.note) else {"description": row.note}
    return {"label": row.label, "points": rounded, "group_id": None, **note, "shape_type": kind, "flags": {}}


FORMAT = Format(
    name="labelme",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=HOLDS_DRAWN - {"confidence"} | {"image_labels", "box_notes"},
    folder=lambda path: path,
    empty="a JSON file without shapes",
    unlabelled="an image without a JSON file",
    in_image=True,
    holes="joined to the outline",
)
