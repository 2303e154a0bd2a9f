"""YOLO: a ``data.yaml`` that names labels and images, and a text file of boxes for each image.

A line of such a file is ``class x y width height`` (centre and size of a box) or ``class x1 y1 x2 y2 x3 y3 …`` (a
polygon), all as shares of the image's size; a confidence may follow. A file without lines means that there is nothing
on the image; an image without a file has not been looked at. The file of ``images/a/1.jpg`` is ``labels/a/1.txt``: the
last folder called ``images`` makes way for ``labels``; where there is none, it lies beside the image.

Read is a ``data.yaml`` (any name), its folder, or a folder with a ``classes.txt`` instead. ``train``, ``val`` and
``test`` name folders of images or lists of them; ``val`` and ``test`` are both for testing here. Nothing outside the
folder is read on the word of the file; ``path`` counts only if it lies within.

Written are ``data.yaml``, ``train.txt`` and ``test.txt`` with the images' paths or URLs, the label files of those that
were looked at, and an ``index.json`` with the order and sizes of images. No image is copied; the label file of one that
lies elsewhere, or whose own would have the same name as another file, is ``labels/<name>-<hash of its URL>.txt``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import (
    centred_to_ltwh,
    ltwh_to_centred,
    ltwh_to_ratios,
    polygon_to_ltwh,
    ratios_to_ltwh,
)
from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import (
    HOLDS_DRAWN,
    INDEX_NAME,
    Box,
    Collector,
    Index,
    Places,
    Size,
    drawn,
    finite,
    is_here,
    known_size,
    listed_name,
    plain,
    read_index,
    write_index,
)
from customlabels_nb.datasets.formats.json_file import measured, shown
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.datasets.formats.yolo_layout import (
    Layout,
    Listed,
    description,
    find_description,
    label_file,
    label_files,
    list_images,
    read_description,
)
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import to_path, to_uri

_TRAIN_LIST, _TEST_LIST, _DESCRIPTION = "train.txt", "test.txt", "data.yaml"
_LARGEST_FILE = 2**26
_DIGITS = 13  # of a share of 10,000 pixels they are a billionth of a pixel

# label, the numbers of a box or polygon, confidence, line
_Shape = tuple[str, list[float], float, int]


def _recognise(path: Path) -> bool:
    try:
        return find_description(path) is not None
    except (OSError, ValueError):
        return False


# -- reading ----------------------------------------------------------------------------------------


def _read(path: Path, finder: ImageFinder) -> Contents:
    collected, places = Collector(to_uri(path)), Places(finder)
    layout = read_description(path, collected)
    index = read_index(layout.base, collected)
    order: dict[str, str] = {}
    pending: dict[str, tuple[list[_Shape], Path]] = {}
    for listed in list_images(layout, places, collected):
        if listed.uri in collected.images:
            collected.unreadable(
                "The image is listed already.", where=listed.name, source=listed.source, line=listed.line
            )
            continue
        order.setdefault(listed.name, listed.uri)
        shapes, file = _label_lines(listed, layout, collected, ours=listed.name in index.images)
        status = "unlabelled" if shapes is None else "labelled"
        collected.add_image(listed.uri, split=listed.split, status=status, size=index.images.get(listed.name))
        if shapes and file:
            pending[listed.uri] = shapes, file
    _place_shapes(pending, collected)
    return collected.contents(layout.labels, order=[order[name] for name in index.images if name in order])


def _label_lines(
    listed: Listed, layout: Layout, collected: Collector, *, ours: bool
) -> tuple[list[_Shape] | None, Path | None]:
    """The shapes in the image's label file; None if it has no such file, or none that can be read."""
    found = next((file for file in label_files(listed, layout.base, ours=ours) if os.path.isfile(file)), None)
    if found is None:
        return None, None
    file = Path(found)
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise OSError(f"it has more than {_LARGEST_FILE:,} bytes")
        lines = file.read_bytes().decode("utf-8-sig", "replace").split("\n")
    except OSError as error:
        collected.unreadable(f"The file can't be read ({error}).", source=to_uri(file))
        return None, None
    result: list[_Shape] = []
    for number, line in enumerate(lines, 1):
        if words := line.split():
            try:
                result.append((*_shape(words, layout), number))
            except ValueError as error:
                collected.unreadable(str(error), source=to_uri(file), line=number)
    filled = any(line.strip() for line in lines)
    return (result if result or not filled else None), file


def _shape(words: list[str], layout: Layout) -> tuple[str, list[float], float]:
    numbers = [finite(word) for word in words]
    values = [number for number in numbers if number is not None]
    if len(values) < len(words):
        raise ValueError(f"{shown(words[numbers.index(None)])} is not a number.")
    known = layout.names.get(int(values[0])) if values[0] == int(values[0]) else None
    if known is None:
        raise ValueError(f"The class {shown(words[0])} is not among the names.")
    rest = values[1:]
    if layout.keypoints and len(rest) >= 4 + layout.keypoints:
        rest = rest[:4]
    if len(rest) < 4:
        raise ValueError(f"A line has a class and at least 4 numbers; this one has {len(rest)}.")
    confidence = rest.pop() if len(rest) % 2 else 1.0
    if not 0 <= confidence <= 1:
        raise ValueError(f"The confidence {shown(confidence)} doesn't lie between 0 and 1.")
    if len(rest) == 4 and min(rest[2:]) < 0:
        raise ValueError(f"The box {shown(rest)} has a negative size.")
    return known, rest, confidence


def _place_shapes(pending: dict[str, tuple[list[_Shape], Path]], collected: Collector) -> None:
    """Add the shapes in pixels: of the image that is there, else of the size that it had when they were written."""
    sizes: dict[str, Size | str] = {}
    known = {uri for uri in pending if collected.images[uri]["width"] is not None and not is_here(uri)}
    sizes.update(measured(uri for uri in pending if uri not in known))
    for uri, (shapes, file) in pending.items():
        facts = collected.images[uri]
        size = sizes.get(uri, "")
        if isinstance(size, str):
            if facts["width"] is None:
                message = f"Its size is needed for its boxes, but {size}"
                collected.issues.append(Issue("IMAGE_NOT_LISTED", message, where=uri, source=to_uri(file)))
                facts["status"] = "unlabelled"
                continue
            size = facts["width"], facts["height"]
        facts["width"], facts["height"] = size
        for label, numbers, confidence, line in shapes:
            box, polygon = _in_pixels(numbers, size)
            if np.isfinite(box).all():
                collected.add_annotation(uri, label, box, polygon=polygon, confidence=confidence)
            else:
                collected.unreadable("The numbers are too large.", source=to_uri(file), line=line)


def _in_pixels(numbers: list[float], size: Size) -> tuple[Box, list[list[float]] | None]:
    with np.errstate(over="ignore", invalid="ignore"):
        if len(numbers) == 4:
            left, top, width, height = ratios_to_ltwh(centred_to_ltwh(numbers), size)[0].tolist()
            return (left, top, width, height), None
        points = np.asarray(numbers).reshape(-1, 2) * np.asarray(size)
        left, top, width, height = polygon_to_ltwh(points).tolist()
        return (left, top, width, height), points.tolist()


# -- writing ----------------------------------------------------------------------------------------


def _write(contents: Contents, path: Path) -> list[Path]:
    """Write a folder, or what belongs to a description ``path`` that ends in ``.yaml`` into the folder of that.

    Raises
    ------
    InputError
        If the size of an image that has boxes is neither known nor to be had, or the folder is a file.
    """
    base, described = (path.parent, path) if _is_description(path) else (path, path / _DESCRIPTION)
    if base.exists() and not base.is_dir():
        raise InputError(f"path={str(path)!r} is a file; YOLO needs a folder.")
    base.mkdir(parents=True, exist_ok=True)
    labels = t.labels_in_order(contents.annotations, contents.labels)
    numbers = {label: number for number, label in enumerate(labels)}
    sizes = _sizes(contents)
    namer = _Namer(base, {_TRAIN_LIST, _TEST_LIST, INDEX_NAME, described.name})
    index = Index()
    lists: dict[str, list[str]] = {split: [] for split in t.SPLITS}
    with staged(base) as files:
        for image, shapes, looked_at in drawn(contents):
            name, file = namer.name(image.image)
            size = sizes.get(image.image)
            index.images[name] = size
            lists[image.split].append(name if "://" in name[:32] else f"./{name}")
            if looked_at:
                lines = [_line(row, numbers[row.label], size) for row in shapes if size is not None]
                files.write(file, "".join(lines).encode())
            else:
                files.remove(file)  # of an earlier export
        used = {"train": _TRAIN_LIST} | ({"val": _TEST_LIST} if lists[t.TEST] else {})
        for split, name in ((t.TRAIN, _TRAIN_LIST), (t.TEST, _TEST_LIST)):
            if name in used.values():
                files.write(base / name, "".join(f"{line}\n" for line in lists[split]).encode(), durable=True)
        write_index(files, base, index)
        files.write(described, description(labels, used), durable=True)
    return files.files


def _is_description(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml")


class _Namer:
    """Gives each image the name by which lists have it, and a label file that is no other's."""

    def __init__(self, base: Path, taken: set[str]) -> None:
        self._base = base
        self._top = os.path.realpath(base)
        self._taken = {name.lower() for name in taken}  # some file systems take A and a for one
        self._before = read_index(base, Collector("")).images
        self._inside: dict[str, bool] = {}

    def name(self, uri: str) -> tuple[str, Path]:
        name = listed_name(uri, self._base)
        file = label_file(name)
        if file.lower() in self._taken or not self._may_write(name, file):
            name = name if "://" in name[:32] else to_path(uri).as_uri()
            file = label_file(name)
        self._taken.add(file.lower())
        return name, self._base / file

    def _may_write(self, name: str, file: str) -> bool:
        """Whether the file lies in the folder, also where links lead, and isn't somebody's own text beside an image."""
        folder = os.path.dirname(file)
        if folder not in self._inside:
            place = os.path.realpath(os.path.join(self._top, folder))
            self._inside[folder] = os.path.commonpath([place, self._top]) == self._top
        beside = "://" not in name[:32] and os.path.dirname(name) == folder
        return self._inside[folder] and not (
            beside and name not in self._before and os.path.lexists(os.path.join(self._top, file))
        )


def _sizes(contents: Contents) -> dict[str, Size]:
    """The sizes of images as far as they are known, and of all that have boxes."""
    sizes: dict[str, Size] = {}
    unknown = []
    for image, shapes, _ in drawn(contents):
        size = known_size(image)
        if size is not None:
            sizes[image.image] = size
        elif shapes:
            unknown.append(image.image)
    for uri, size_or_reason in measured(unknown):
        if isinstance(size_or_reason, str):
            raise InputError(
                f"YOLO needs the size of images with boxes; that of {uri!r} isn't known: {size_or_reason} "
                "Give it in the columns width and height, or leave the image out."
            )
        sizes[uri] = size_or_reason
    return sizes


def _line(row: Any, number: int, size: Size) -> str:
    if row.polygon is not None and len(row.polygon) >= 3:
        numbers = (np.asarray(row.polygon, dtype=np.float64) / np.asarray(size)).ravel().tolist()
    else:
        box = polygon_to_ltwh(row.polygon) if pd.isna(row.left) else [row.left, row.top, row.width, row.height]
        numbers = ltwh_to_centred(ltwh_to_ratios(box, size))[0].tolist()
    words = [str(number), *(plain(value, _DIGITS) for value in numbers)]
    return " ".join([*words, repr(float(row.confidence))] if row.confidence != 1 else words) + "\n"


FORMAT = Format(
    name="yolo",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=HOLDS_DRAWN,
    folder=lambda path: path.parent if _is_description(path) else path,
)
