"""Read and write CVAT's format "CVAT for images 1.1": an XML file with all images of a task or project.

An ``<image>`` has a name, a size, a subset (``Test`` or ``Validation`` for test images) and its objects: a ``<box>``,
by its corners, a ``<polygon>``, a ``<mask>``, whose ``rle`` lists the lengths of runs of 0 and 1 in the rows of its
rectangle, or a ``<tag>``, an image-level label. A box with a ``rotation``, in degrees clockwise around its centre, is
read as a polygon, and so are masks. Attributes of tags become columns of the images table. ``<meta>`` lists the labels
with their colors, and the subsets of tasks, for images that have none. An image without objects is unlabelled, because
the file lists all images of the task. Attributes of objects, other shapes, other subsets and tracks (video) are
counted. Objects that are ``outside`` the image are left out.

Images are looked up next to the file, and in ``images`` and its subset's folder there, as CVAT exports them. Polygons
with holes or several parts are written as masks, with their points in an additional attribute ``rings``, from which
they are read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import COLOR
from customlabels_nb.core.geometry import ltwh_to_xyxy, polygon_to_ltwh, rotate_box
from customlabels_nb.core.masks import MOST_EDGES, MOST_PIXELS, polygon_of_mask, polygon_to_mask, row_runs
from customlabels_nb.core.polygons import Polygon, Ring, polygon_of, rings_of, to_one_ring
from customlabels_nb.datasets.formats.account import ELSEWHERE, NUMERAL, TAKEN, Fate, Ignored, Record, Unless
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import (
    Box,
    Collector,
    Places,
    UnreadableError,
    box_around,
    checked_box,
    finite,
    is_here,
    known_size,
    listed_name,
    plain,
    split_of,
    with_annotations,
)
from customlabels_nb.datasets.formats.json_file import file_in, shown, size_of, unusable
from customlabels_nb.datasets.formats.xml_file import begins_with, check_xml_labels, escaped, parse_xml
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import to_uri

_FILE = "annotations.xml"
_TAG = "annotations"
_LARGEST_FILE = 2**30
_DIGITS = 9
_FARTHEST = 1e150
_SUBSETS = {t.TRAIN: "Train", t.TEST: "Test"}
_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_IMAGES = "images"
_SHAPES = ("box", "polygon", "mask", "tag")
_ORDINARY_SUBSETS = ("", "train", "default", "val", "valid", "validation", "test")


def _one_by_one(key: str) -> Fate | None:
    return None if key.startswith(("@", "#")) else ELSEWHERE


_IMAGE = Record(
    "an image",
    {
        **dict.fromkeys(("@name", "@subset", "@task_id", "@deleted"), TAKEN),
        **dict.fromkeys(("@width", "@height"), NUMERAL),
        "@id": Ignored("the position in the task"),
    },
    rule=_one_by_one,
)
#: Attributes of objects that are not imported, with the values that say nothing.
_MARKS = {"occluded": "0", "z_order": "0", "group_id": "0", "source": "manual", "outside": "0", "keyframe": "1"}
_OBJECT = Record(
    "an object",
    {
        **dict.fromkeys(
            map("@{}".format, ("label", "points", "rle", "rings", "rotation", *_CORNERS, *t.BOX_COLUMNS)), TAKEN
        ),
        **{f"@{name}": Unless((usual,), f"mark {name!r} of an object") for name, usual in _MARKS.items()},
        "attribute": Record("an attribute", {"@name": TAKEN, "#text": TAKEN}),
    },
)


def _recognise(path: Path) -> bool:
    try:
        return begins_with(file_in(path, _FILE), _TAG)
    except (OSError, ValueError):
        return False


# -- reading ----------------------------------------------------------------------------------------


def _read(path: Path, finder: ImageFinder) -> Contents:
    path = file_in(path, _FILE)
    reader = _Reader(path, finder)
    try:
        reader.read_outermost(parse_xml(path, _TAG, _LARGEST_FILE, reader.read))
    except UnreadableError as error:
        raise unusable(path, str(error)) from error
    return reader.contents()


class _Reader:
    """Reader of the children of the outermost element: the labels, images and tracks."""

    def __init__(self, path: Path, finder: ImageFinder) -> None:
        self._path, self._base, self._finder, self._places = path, path.parent, finder, Places(finder)
        self._collected = Collector(to_uri(path))
        self._colors: dict[str, str] = {}
        self._labels: dict[str, None] = {}
        self._subsets: dict[str, str] = {}  # by the id of the task
        self._tracks = 0

    def read(self, element: Element, lines: list[int]) -> None:
        """Read an element, given the line numbers of it and the elements in it."""
        if element.tag == "meta":
            self._read_labels(element, lines[0])
            stated = {task.findtext("id") or "": task.findtext("subset") or "" for task in element.iter("task")}
            self._subsets = {task: subset for task, subset in stated.items() if subset}
        elif element.tag == "image":
            self._read_image(element, dict(zip(element.iter(), lines, strict=True)))
        elif element.tag == "track":
            self._tracks += 1
            self._collected.account.add("track of a video", f"line {lines[0]}")
        elif element.tag != "version" and (len(element) or (element.text or "").strip()):
            self._collected.account.add(f"<{element.tag[:50]}>", f"line {lines[0]}", value=element.text)

    def read_outermost(self, element: Element) -> None:
        """Count what the outermost element has beside those in it, which are read one by one."""
        self._collected.account.element(element, Record("the file", {}, rule=_one_by_one), "<annotations>")

    def contents(self) -> Contents:
        if self._tracks and not self._collected.images:
            raise unusable(
                self._path,
                f"it has only tracks of a video, {self._tracks:,}. Export the task as 'CVAT for images 1.1', or its "
                "frames as images",
            )
        self._collected.count_missing(self._finder)
        result = self._collected.contents(list(self._labels))
        result.colors = self._colors
        return result

    def _read_labels(self, meta: Element, line: int) -> None:
        for entry in meta.iterfind(".//labels/label"):
            try:
                name = self._collected.label(entry.findtext("name") or "")
            except LabelError as error:
                self._collected.unreadable(str(error), where="labels", line=line)
                continue
            self._labels[name] = None
            color = entry.findtext("color") or ""
            if COLOR.fullmatch(color):
                self._colors[name] = color
            elif color:
                self._collected.account.add("color of a label", name, value=color)

    def _read_image(self, image: Element, lines: dict[Element, int]) -> None:
        collected, name, line = self._collected, image.get("name") or "", lines[image]
        if _is_set(image, "deleted"):
            collected.account.add("image that is marked deleted", name)
            return
        subset = image.get("subset") or self._subset_of_task(image.get("task_id"))
        try:
            inner = self._base / _IMAGES
            folders = [inner, *([inner / subset] if subset.isidentifier() else [])]
            uri = self._places.beside(name, folders)
            if uri in collected.images:
                raise UnreadableError(f"An earlier <image> has the same name, {shown(name)}.")
        except (UnreadableError, InputError) as error:
            collected.unreadable(str(error), where="image", line=line)
            return
        if subset.lower() not in _ORDINARY_SUBSETS:
            collected.account.add(f"subset {shown(subset)} of an image", name)
        size = size_of(finite(image.get("width")), finite(image.get("height")))
        collected.account.element(image, _IMAGE, name)
        facts: dict[str, str] = {}
        for number, entry in enumerate(image, 1):
            origin: dict[str, Any] = {"where": f"{name}, object {number}", "line": lines[entry]}
            if entry.tag == "tag":
                facts = _attributes_of(entry) | facts
            if (left_out := _left_out(entry)) is not None:
                collected.account.add(left_out, origin["where"])
                continue
            self._count_others(entry, origin["where"])
            try:
                box, polygon = _outline(entry, collected, origin)
                label = collected.label(entry.get("label") or "")
                if box is not None:
                    box, polygon = collected.plausible(box, polygon, uri, size, **origin)
                collected.add_annotation(uri, label, box, polygon=polygon, origin=origin)
            except (UnreadableError, LabelError) as error:
                collected.unreadable(str(error), **origin)
        collected.add_image(uri, size=size, split=split_of(subset), own=collected.columns(facts, name))

    def _count_others(self, entry: Element, where: str) -> None:
        """Count what an object has beside its label and outline."""
        account = self._collected.account
        account.element(entry, _OBJECT, where)
        for what, value in _attributes_of(entry).items() if entry.tag != "tag" else ():
            account.add(f"attribute {shown(what)} of an object", where, value=value)

    def _subset_of_task(self, task: str | None) -> str:
        only = next(iter(self._subsets.values())) if len(self._subsets) == 1 else ""
        return self._subsets.get(task or "", only)


def _left_out(entry: Element) -> str | None:
    """Return what an object that is not imported is called, or None for other objects."""
    if entry.tag not in _SHAPES:
        return f"shape <{entry.tag[:50]}>"
    return next((f"object that is marked {mark}" for mark in ("outside", "deleted") if _is_set(entry, mark)), None)


def _attributes_of(entry: Element) -> dict[str, str]:
    return {child.get("name") or "": child.text or "" for child in entry.iterfind("attribute")}


def _is_set(entry: Element, mark: str) -> bool:
    return entry.get(mark, "0").lower() in ("1", "true", "yes")


def _outline(entry: Element, collected: Collector, origin: dict[str, Any]) -> tuple[Box | None, Polygon | None]:
    """Return the box and the polygon of an object, or None."""
    if entry.tag == "tag":
        return None, None
    if entry.tag != "box":
        polygon = _of_mask(entry) if entry.tag == "mask" else _points(entry.get("points") or "")
        return box_around(polygon), polygon
    corners = [_number(entry, side) for side in _CORNERS]
    box = checked_box(collected.box_of_corners(corners, corners, **origin))
    degrees = _number(entry, "rotation") if entry.get("rotation") else 0.0
    if not degrees % 360:
        return box, None
    left, top, width, height = box
    rotated: Polygon = rotate_box(box, degrees, (left + width / 2, top + height / 2)).tolist()
    return box_around(rotated), rotated


def _of_mask(entry: Element) -> Polygon:
    """Return the outline of a mask, with the points in its ``rings`` where they fit the pixels."""
    left, top, width, height = (int(_number(entry, side)) for side in t.BOX_COLUMNS)
    corner = np.array([left, top], dtype=np.float64)
    mask = _pixels_of(entry.get("rle") or "", width, height)
    rings = [np.array(_points(part)) - corner for part in (entry.get("rings") or "").split("|") if part]
    try:
        polygon = polygon_of(ring + corner for ring in rings_of(polygon_of_mask(mask, rings)))
    except InputError as error:
        raise UnreadableError(str(error)) from error
    if polygon is None:
        raise UnreadableError("The mask is empty.")
    return polygon


def _pixels_of(text: str, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Return the mask, shape (height, width), of runs of pixels that are outside and inside in turn."""
    if min(width, height) < 1 or width * height > MOST_PIXELS:
        raise UnreadableError(f"The size of the mask, {width} × {height}, is invalid.")
    if text.count(",") > MOST_EDGES:
        raise UnreadableError(f"The mask has more than {MOST_EDGES:,} runs. Its outline would be too long.")
    try:
        runs = [int(part) for part in text.split(",")]
    except ValueError:
        runs = [-1]
    if min(runs) < 0 or sum(runs) != width * height:
        raise UnreadableError(f"The runs of the mask do not add up to {width} × {height} pixels.")
    return np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs).reshape(height, width)


def _number(entry: Element, name: str) -> float:
    value = finite(entry.get(name))
    if value is None or abs(value) > _FARTHEST:
        raise UnreadableError(f"{name} is {shown(entry.get(name))}, not a number.")
    return value


def _points(text: str) -> Ring:
    """Return the points in ``x,y;x,y;…``, three at least."""
    if text.count(";") >= MOST_EDGES:
        raise UnreadableError(f"The polygon has more than {MOST_EDGES:,} points.")
    points = []
    for part in text.split(";"):
        sides = [finite(side) for side in part.split(",")]
        whole = [side for side in sides if side is not None and abs(side) <= _FARTHEST]
        if len(sides) != 2 or len(whole) != 2:
            raise UnreadableError(f"{shown(part)} is not a point with two numbers.")
        points.append(whole)
    if len(points) < 3:
        raise UnreadableError(f"A polygon needs at least three points, but this one has {len(points)}.")
    return points


# -- writing ----------------------------------------------------------------------------------------


def _write(contents: Contents, path: Path) -> list[Path]:
    path = file_in(path, _FILE)
    labels = t.labels_in_order(contents.annotations, contents.labels)
    check_xml_labels(labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    base = _base_of_names(path.parent, contents)
    with replacing(path) as file:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        for line in _label_lines(labels, contents.colors):
            file.write(f"  {line}\n".encode())
        for number, (image, rows, _) in enumerate(with_annotations(contents)):
            for line in _image_lines(number, image, rows, base):
                file.write(f"  {line}\n".encode())
        file.write(b"</annotations>\n")
    return [path]


def _base_of_names(folder: Path, contents: Contents) -> Path:
    """Return ``folder``, or ``images`` in it if all images are there and could be nowhere else, as in CVAT's exports.

    The names are then those of the frames of a task that was made of these images. For other names, CVAT assigns the
    annotations to frames by number.
    """
    images = folder / _IMAGES
    inside = to_uri(images) + "/"
    names = [(uri, uri.removeprefix(inside)) for uri in contents.images["image"]]
    copied = all(name != uri and is_here(uri) and not os.path.lexists(folder / name) for uri, name in names)
    return images if copied else folder


def _label_lines(labels: list[str], colors: dict[str, str]) -> Iterator[str]:
    yield "<meta><task><labels>"
    for label in labels:
        color = f"<color>{colors[label]}</color>" if label in colors else ""
        yield f"  <label><name>{escaped(label)}</name>{color}<type>any</type><attributes></attributes></label>"
    yield "</labels></task></meta>"


def _image_lines(number: int, image: Any, rows: list[Any], folder: Path) -> Iterator[str]:
    size = known_size(image)
    facts = {"id": str(number), "name": listed_name(image.image, folder), "subset": _SUBSETS[image.split]}
    if size is not None:
        facts |= {"width": str(size[0]), "height": str(size[1])}
    yield f"<image{_attributes(facts)}>"
    for row in rows:
        tag, shape = _shape(row, size)
        common = {"label": row.label, "source": "manual"} | ({} if tag == "tag" else {"occluded": "0", "z_order": "0"})
        yield f"  <{tag}{_attributes(common | shape)}></{tag}>"
    yield "</image>"


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _shape(row: Any, size: tuple[int, int] | None) -> tuple[str, dict[str, str]]:
    """Return the element name of an annotation, and the attributes of its outline."""
    if row.polygon is None:
        if pd.isna(row.left):
            return "tag", {}
        corners = ltwh_to_xyxy([row.left, row.top, row.width, row.height])[0]
        return "box", {side: plain(v, _DIGITS) for side, v in zip(_CORNERS, corners, strict=True)}
    rings = rings_of(row.polygon)
    if len(rings) > 1:
        left, top, width, height = polygon_to_ltwh(rings)
        low, high = np.floor([left, top]), np.ceil([left + width, top + height])
        if size is not None:
            low, high = np.clip(low, 0, size), np.clip(high, 0, size)
        width, height = (high - low).tolist()
        if 0 < width * height <= MOST_PIXELS:
            mask = polygon_to_mask([ring - low for ring in rings], (int(width), int(height)))
            if mask.any():
                values = [*low.tolist(), width, height]
                sides = {side: plain(value, 0) for side, value in zip(t.BOX_COLUMNS, values, strict=True)}
                runs = ", ".join(map(str, row_runs(mask)))
                return "mask", {"rle": runs, **sides, "rings": "|".join(map(_points_text, rings))}
    return "polygon", {"points": _points_text(to_one_ring(rings))}


def _points_text(ring: Any) -> str:
    return ";".join(f"{plain(x, _DIGITS)},{plain(y, _DIGITS)}" for x, y in ring)


FORMAT = Format(
    name="cvat",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=frozenset({
        "image_labels", "boxes", "polygons", "unlabelled", "split", "size", "labels", "label_order",
    }),
    folder=lambda path: file_in(path, _FILE).parent,
    in_image=True,
    holes="a mask",
    on_lines=True,
    need_copies="CVAT",
)  # fmt: skip
