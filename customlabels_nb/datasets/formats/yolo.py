"""Read and write YOLO datasets: a ``data.yaml`` with labels and images, and a text file of boxes for each image.

A line of such a file is ``class x y width height`` (centre and size of a box) or ``class x1 y1 x2 y2 x3 y3 …`` (a
polygon), all relative to the image size, optionally followed by a confidence. The number of a tracked object (2 or
more) after a box or its confidence, and keypoints, are counted and not imported. A line has keypoints if the
description has a ``kpt_shape``, if its further numbers are points with a visibility of 0, 1 or 2, or if half of all
outlines have as many numbers and look like a box with points in it. Numbers that are not ratios are judged by
:mod:`.verdicts`. The rings of a polygon with holes or several parts are joined by edges that are followed in both
directions, as Ultralytics' converter does. An empty file means that the image shows no objects, a missing file that the
image was not reviewed. The label file of ``images/a/1.jpg`` is ``labels/a/1.txt``: the last folder called ``images`` is
replaced by ``labels``. Without such a folder, the file is next to the image.

The reader accepts a ``data.yaml`` (with any name), Darknet's ``obj.data``, a list of the labels (``classes.txt``,
``obj.names`` or Roboflow's ``_darknet.labels``), or a folder with one of them. ``train``, ``val`` and ``test`` are
image folders or lists of images. If none is given, the images are where these programs put them, such as
``train/images`` or ``images/train``. Images in ``val`` and ``test`` become test images. Entries that refer to folders
or lists outside the folder of the ``data.yaml`` are not read. A ``path`` outside it is ignored.

The writer creates ``data.yaml``, ``train.txt`` and ``test.txt`` with the paths or URLs of the images, the label files
of reviewed images, and an ``index.json`` with the order and sizes of images. Without test images, ``val`` is the list
of training images. If an image is outside the folder, or its label file would have the same name as another file, its
label file is ``labels/<stem>.txt``, or ``labels/<stem>-<hash of its path>.txt`` if several images have this stem.
"""

from __future__ import annotations

import codecs
import math
import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import yaml

from customlabels_nb._utils.files import folded
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import FloatArray, centred_to_ltwh, polygon_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import COMMON_SUFFIXES, IMAGE_SUFFIXES
from customlabels_nb.core.polygons import Polygon, from_one_ring, to_one_ring
from customlabels_nb.datasets.formats.account import TAKEN, Ignored, Record
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import (
    HOLDS_DRAWN,
    INDEX_NAME,
    Collector,
    Index,
    Places,
    Size,
    files_below,
    finite,
    is_here,
    listed_name,
    make_folder,
    plain,
    read_index,
    short_hash,
    sizes_of_drawn,
    with_annotations,
    write_index,
)
from customlabels_nb.datasets.formats.json_file import measured, shown, unusable
from customlabels_nb.datasets.formats.staging import portable_stem, staged
from customlabels_nb.datasets.formats.verdicts import ROUNDING, Verdict, judge, without_area
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.listing import read_folder
from customlabels_nb.images.locations import absolute_uri, is_remote, relative_name, to_path, to_uri

_IMAGES, _LABELS = "images", "labels"
_DESCRIPTIONS, _CLASS_LISTS = ("data.yaml", "dataset.yaml"), ("classes.txt", "obj.names", "_darknet.labels")
_YAML_ENDINGS, _DARKNET_ENDING = (".yaml", ".yml"), ".data"
_SPLITS = {"train": t.TRAIN, "val": t.TEST, "valid": t.TEST, "validation": t.TEST, "test": t.TEST}
_KEYS = Record(
    "the description",
    {
        **dict.fromkeys(("names", "nc", "path", "kpt_shape", *_SPLITS), TAKEN),
        **dict.fromkeys(("download", "roboflow"), Ignored("where the dataset came from")),
        **dict.fromkeys(("flip_idx", "kpt_names", "skeleton"), Ignored("the keypoints are counted")),
        **dict.fromkeys(("classes", "backup", "results", "eval", "top"), Ignored("for training with Darknet")),
    },
)
_LARGEST_DESCRIPTION = 2**22
_MOST_DESCRIPTIONS = 10  # YAML files in a folder that are checked

_TRAIN_LIST, _TEST_LIST, _DESCRIPTION = "train.txt", "test.txt", "data.yaml"
_LARGEST_FILE = 2**26
_LONGEST_NAME = 4096
_MOST_CLASSES, _MOST_FOLDERS = 10_000, 1_000
_NUMBERED = re.compile(r"^\d+[\s:,.]+")  # a class list may have numbers
_A_LINE = re.compile(rb"\s*\d+(\.0*)?(\s+[-+.\deE]+){4}")
_LOOKED_AT = 20  # text files that are checked for boxes
_DIGITS = 13  # accurate to a billionth of a pixel for images of 10,000 pixels

_MOST_NAMED = 100  # lines that cannot be read
_POINTS_WITHIN = 0.6  # of the size of their box from its centre, because predicted ones may be beyond it
_LARGEST = 1e9  # numbers are clipped to this one, which is far beyond any image


def _recognise(path: Path) -> bool:
    try:
        file = _find_description(path)
        return file is not None and not describes_folders(file)
    except (OSError, ValueError):
        return False


def describes_folders(file: Path) -> bool:
    """Check whether the labels in a description or class list are names of folders, without any label files."""
    if file.suffix.lower() in _YAML_ENDINGS:
        names = _load(file).get("names")
        labels = names.values() if isinstance(names, dict) else names if isinstance(names, list) else ()
    else:
        labels = [_NUMBERED.sub("", line) for _, line in islice(_lines(file), _MOST_CLASSES)]
    class_names = {label for label in labels if isinstance(label, str)} - {_IMAGES, _LABELS, *t.SPLIT_NAMES}
    folders = (set(names) for parent, names, _ in islice(os.walk(file.parent), _MOST_FOLDERS))
    found = set[str]().union(*(class_names & names for names in folders))
    return bool(found) and len(found) * 2 >= len(class_names) and not _has_boxes(_base_of(file))


# -- reading ----------------------------------------------------------------------------------------


#: Line number, label, ratios of a box (centre and size) or polygon, and confidence if there is one.
_Shape: TypeAlias = tuple[int, str, list[float], float | None]


def _read(path: Path, finder: ImageFinder) -> Contents:
    collected, places = Collector(to_uri(path)), Places(finder)
    layout = _read_description(path, collected)
    index, order, files = layout.index.images, dict[str, str](), _LabelFiles(layout, collected)
    for listed in _list_images(layout, places, collected):
        if listed.uri in collected.images:
            collected.unreadable(
                "The image is already listed.", where=listed.name, source=listed.source, line=listed.line
            )
            continue
        order.setdefault(listed.name, listed.uri)
        size, status = index.get(listed.name), files.read(listed)
        collected.add_image(listed.uri, split=listed.split, status=status, size=size)
    files.finish()
    return collected.contents(layout.labels, order=[order[name] for name in index if name in order])


class _LabelFile(NamedTuple):
    """Label file with its shapes, and the URI of its image."""

    image: str
    path: str
    shapes: list[_Shape]


class _LabelFiles:
    """Reader of label files, which converts the shapes of all of them to pixels at once."""

    def __init__(self, layout: _Layout, collected: Collector) -> None:
        self._layout, self._collected, self._index = layout, collected, layout.index.images
        self._stems = _count_stems(self._index if any(map(_is_elsewhere, self._index)) else ())
        self._base = os.path.abspath(layout.base).replace(os.sep, "/")
        self._used: dict[str, str] = {}  # images by path
        self._files: list[_LabelFile] = []
        self._faults: list[Issue] = []

    def read(self, listed: _Listed) -> str:
        """Read the label file of an image, and return the status of the image, as if no shape was readable."""
        ours = listed.name in self._index
        names = _own_label_files(listed.name, self._stems) if ours else _label_files(listed, self._base)
        paths = [os.path.join(self._base, name) for name in names]
        upper = (path.removesuffix(".txt") + ".TXT" for path in paths)  # which other systems take for the same
        file = next(filter(os.path.isfile, chain(paths, upper)), "")
        if file and (first := self._used.setdefault(file, listed.name)) != listed.name:
            self._collected.adjusted(f"{first!r} has the same label file.", where=listed.name, source=to_uri(file))
        text = self._text(file) if file else None
        if not text or text.isspace():
            return "unlabelled" if text is None else "labelled"
        if shapes := self._shapes(text, file, once=not ours):
            self._files.append(_LabelFile(listed.uri, file, shapes))
        return "unlabelled"  # it is not empty

    def _text(self, file: str) -> str | None:
        try:
            with open(file, "rb", buffering=0) as stream:
                if os.fstat(stream.fileno()).st_size > _LARGEST_FILE:
                    raise OSError(f"it has more than {_LARGEST_FILE:,} bytes")
                return _decoded(stream.readall(), "replace")
        except OSError as error:
            self._collected.unreadable(f"The file cannot be read ({error}).", source=to_uri(file))
            return None

    def _shapes(self, text: str, file: str, *, once: bool) -> list[_Shape]:
        """Return the shapes in a label file, ``once`` each if it has some twice. Exports have what was drawn twice."""
        shapes, seen = list[_Shape](), set[object]()
        for number, line in enumerate(text.split("\n"), 1):
            if not (words := line.split()):
                continue
            try:
                label, numbers, confidence, others = _shape(words, self._layout)
            except ValueError as error:
                self._faults.append(Issue("ENTRY_UNREADABLE", str(error), source=to_uri(file), line=number))
                continue
            key = (label, 1.0 if confidence is None else confidence, *numbers) if once else number
            if key in seen:
                others = ["repeated line"]
            else:
                shapes.append((number, label, numbers, confidence))
                seen.add(key)
            for what in others:
                self._collected.account.add(what, f"{os.path.basename(file)}, line {number}")
        return shapes

    def finish(self) -> None:
        """Add the shapes of all files in pixels, and report lines and files that were not read."""
        collected, read = self._collected, set(map(to_uri, self._used))
        collected.taken |= read
        collected.issues += self._faults[:_MOST_NAMED]
        if len(self._faults) > _MOST_NAMED:
            collected.unreadable(f"{len(self._faults) - _MOST_NAMED:,} more lines cannot be read.")
        if self._files:
            _leave_out_keypoints(self._files, collected)
            _add_shapes(self._files, collected)
        for path in () if self._index else files_below(self._layout.base, ".txt"):
            if to_uri(path) not in read and path.name not in _CLASS_LISTS and _A_LINE.match(_head(path)):
                name = path.relative_to(self._layout.base).as_posix()
                collected.account.add("label file without an image", name)
                collected.taken.add(to_uri(path))


def _shape(words: list[str], layout: _Layout) -> tuple[str, list[float], float | None, list[str]]:
    """Return the label, numbers and confidence of a line, and what the line has that is not imported."""
    try:
        values = list(map(float, words))
    except ValueError:
        values = [math.nan]
    if not math.isfinite(sum(values)) or "_" in "".join(words):  # float accepts underscores
        strange = next((word for word in words if finite(word) is None), None)
        if strange is not None:
            raise ValueError(f"{shown(strange)} is not a number.")
    label = layout.names.get(values[0])
    if label is None:
        raise ValueError(f"The class {shown(words[0])} is not in names.")
    numbers, others = _without_extras(values[1:], layout.keypoints)
    if len(numbers) < 4:
        raise ValueError(f"A line needs a class and at least 4 numbers, but this one has {len(numbers)}.")
    confidence = numbers.pop() if len(numbers) % 2 else None
    if confidence is not None and not 0 <= confidence <= 1:
        raise ValueError(f"The confidence {shown(confidence)} is not between 0 and 1.")
    if len(numbers) == 4 and (numbers[2] < 0 or numbers[3] < 0):
        raise ValueError(f"The box {shown(numbers)} has a negative size.")
    return label, numbers, confidence, others


def _without_extras(numbers: list[float], keypoints: int) -> tuple[list[float], list[str]]:
    """Return the numbers of a box or polygon with its confidence, and what else a line has.

    The first rule counts. A line has keypoints as the description says, the number of a tracked object, other
    keypoints, or only a box or polygon.
    """
    count = len(numbers)
    if count == 4:
        return numbers, []
    if keypoints and count >= 4 + keypoints:
        # a confidence follows the box, or a number of a tracked object the points
        after = ["number after the keypoints of a box"] if count > 4 + keypoints else []
        return numbers[:4], ["list of keypoints", *after]
    with_number = count == 5 or (count == 6 and 0 <= numbers[4] <= 1)
    if with_number and numbers[-1] > 1 and numbers[-1].is_integer():  # the numbers of polygons are at most 1
        return numbers[:-1], ["number of a tracked object"]
    if count >= 6 if keypoints else count >= 7 and _has_keypoints(numbers):
        return numbers[:4], ["list of keypoints"]
    return numbers, []


def _has_keypoints(numbers: list[float]) -> bool:
    """Check whether numbers are a box in the image, and points with a visibility of 0, 1 or 2."""
    visible = numbers[6::3]
    if (len(numbers) - 4) % 3 or not any(visible) or not {0, 1, 2}.issuperset(visible):
        return False
    sides = [(numbers[axis], numbers[2 + axis], numbers[4 + axis :: 3]) for axis in (0, 1)]
    boxed = all(size > 0 and abs(centre - 0.5) + size / 2 <= 0.5 + ROUNDING for centre, size, _ in sides)
    inside = all(abs(each - centre) <= size / 2 + ROUNDING for centre, size, points in sides for each in points)
    # one point may also be a triangle with a confidence
    return boxed and (len(visible) > 1 or visible[0] > 1 or inside)


def _leave_out_keypoints(files: list[_LabelFile], collected: Collector) -> None:
    """Read lines as boxes where half of the outlines have the same length, and these look like keypoints."""
    by_length = defaultdict[int, list[tuple[_LabelFile, int, list[float]]]](list)
    for file in files:
        for row, (_, _, numbers, confidence) in enumerate(file.shapes):
            if len(numbers) > 4:
                whole = numbers if confidence is None else [*numbers, confidence]
                by_length[len(whole)].append((file, row, whole))
    most = sum(map(len, by_length.values())) / 2
    for lines in (lines for lines in by_length.values() if len(lines) >= most):
        after = _numbers_after_keypoints(np.array([whole for *_, whole in lines]))
        for file, row, whole in lines if after is not None else ():
            number, label, *_ = file.shapes[row]
            file.shapes[row] = number, label, whole[:4], whole[-1] if after else None
            collected.account.add("list of keypoints", f"{os.path.basename(file.path)}, line {number}")


def _numbers_after_keypoints(lines: FloatArray) -> int | None:
    """Return how many numbers follow the keypoints of lines of the same length, or None if the lines are outlines.

    Points have two numbers, or three with a confidence or visibility. The points of nearly all lines must be in the box
    that the first four numbers describe. As small outlines may be so, too, half of the lines need another sign: the
    size, taken for a point, is far from all others, as no vertex of a rectangle is. Or the centre, which would be a
    vertex, is in the middle of points that fill the box, and the next vertex is not near it.
    """
    count, centre, size = lines.shape[1] - 4, lines[:, None, :2], lines[:, None, 2:4]
    found = list[tuple[float, bool, int]]()
    for after, each in ((count % each, each) for each in (3, 2) if count >= 2 * each and count % each < 2):
        points = lines[:, 4 : 4 + count - after].reshape(len(lines), -1, each)[:, :, :2]
        points = np.where(points.any(axis=2, keepdims=True), points, centre)  # those that are not visible are 0 0
        boxed = (size > 0) & (np.abs(centre - 0.5) + size / 2 <= 0.5 + ROUNDING)
        inside = (boxed & (np.abs(points - centre) <= _POINTS_WITHIN * size + ROUNDING)).all(axis=(1, 2))
        low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
        least, reach = np.minimum(low, centre), np.maximum(high, centre) - np.minimum(low, centre)
        far = (np.maximum(least - size, size - least - reach) > 1.5 * reach).any(axis=(1, 2))
        middle = (np.abs(centre - (low + high) / 2) <= 0.3 * (high - low)) & (high - low > 0.3 * size)
        middle &= (np.abs(size - centre) > 0.35 * reach).any(axis=2, keepdims=True)
        if inside.mean() >= 0.9 and (far | middle.all(axis=(1, 2)))[inside].mean() >= 0.5:
            found.append((inside.mean(), not after, after))
    return max(found)[2] if found else None


def _add_shapes(files: list[_LabelFile], collected: Collector) -> None:
    """Convert the shapes of all files to pixels, and add them."""
    owners = np.repeat(np.arange(len(files)), [len(file.shapes) for file in files])
    lines, labels, drawn, confidences = zip(*chain.from_iterable(file.shapes for file in files), strict=True)
    outlined = np.array([len(numbers) > 4 for numbers in drawn])
    numbers = np.array([_box_or_corners(numbers) for numbers in drawn]).clip(-_LARGEST, _LARGEST)
    boxes = np.where(outlined[:, None], xyxy_to_ltwh(numbers), centred_to_ltwh(numbers))
    sizes = _sizes(files, collected)[owners]
    judged = judge(boxes, sizes, unit="ratios", numbers=numbers, corners=not outlined.any())
    for verdict, message, first in judged.findings():
        say = collected.unreadable if verdict == Verdict.UNREADABLE else collected.adjusted
        say(message, source=to_uri(files[owners[first]].path), line=lines[first])
    kept = judged.keep & ~np.isnan(sizes[:, 0])
    polygons: list[Polygon | None] = [None] * len(drawn)
    for row in np.flatnonzero(kept & outlined).tolist():
        polygons[row] = from_one_ring((np.reshape(drawn[row], (-1, 2)) * judged.scale[row]).tolist())
    rows = pd.DataFrame({
        "image": pd.Series([file.image for file in files], dtype=t.TEXT).array.take(owners),
        "label": pd.Series(labels, dtype=t.TEXT),
        **{side: judged.boxes[:, number] for number, side in enumerate(t.BOX_COLUMNS)},
        "polygon": pd.Series(polygons, dtype=object),
        "confidence": [1.0 if confidence is None else confidence for confidence in confidences],
    })  # fmt: skip
    collected.add_table(rows[kept])
    collected.issues += without_area(rows[kept & judged.boxes.any(axis=1)], collected.source)
    for number in np.unique(owners[kept]).tolist():
        collected.images[files[number].image]["status"] = "labelled"


def _box_or_corners(numbers: list[float]) -> list[float]:
    """Return the numbers of a box as they are, and two corners around a polygon."""
    if len(numbers) == 4:
        return numbers
    across, down = numbers[::2], numbers[1::2]
    return [min(across), min(down), max(across), max(down)]


def _sizes(files: list[_LabelFile], collected: Collector) -> FloatArray:
    """Measure the images of label files, report those of unknown size, and return the sizes, with NaN for these."""
    paths = {file.image: file.path for file in files}
    images = collected.images
    for uri, size in measured(uri for uri in paths if not is_remote(uri) or images[uri]["width"] is None):
        if isinstance(size, tuple):
            images[uri]["width"], images[uri]["height"] = size
        elif images[uri]["width"] is None:
            message = f"Its boxes cannot be read, because the image size is unknown: {size}"
            collected.issues.append(Issue("IMAGE_NOT_LISTED", message, where=uri, source=to_uri(paths[uri])))
    return np.array([(images[uri]["width"], images[uri]["height"]) for uri in paths], dtype=np.float64)


# -- file locations ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Layout of a dataset, as given in its description file.

    ``names`` maps class numbers to labels. ``sources`` lists pairs of a split and an image folder or list file (a path
    relative to ``base``). Where the split is "", the folders of the images may state it. ``keypoints`` is the number of
    keypoint values that follow each box. ``index`` is that of an export.
    """

    base: Path
    names: dict[float, str] = field(default_factory=dict)
    sources: list[tuple[str, str]] = field(default_factory=list)
    keypoints: int = 0
    index: Index = field(default_factory=Index)

    @property
    def labels(self) -> list[str]:
        """Labels in the order of their classes."""
        return list(dict.fromkeys(self.names[number] for number in sorted(self.names)))


@dataclass(frozen=True)
class _Listed:
    """Listed image with its name (a path relative to the dataset folder, or a URL), its URI, and where it is listed."""

    name: str
    uri: str
    split: str
    source: str
    line: int | None = None


class _PlainLoader(yaml.BaseLoader):
    """YAML loader that reads values as strings and rejects aliases, because a few aliases can expand to any size."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not supported")
        return super().compose_node(parent, index)


def _find_description(path: Path) -> Path | None:
    """Find the description file of the dataset at ``path``: ``path`` itself, or a file in that folder."""
    files = [path] if path.is_file() else _usual_descriptions(path) if path.is_dir() else ()
    return next(filter(_describes, files), None)


def _usual_descriptions(folder: Path) -> Iterator[Path]:
    """Yield the files that may describe the dataset in a folder, in the order in which they are tried.

    labelImg's class list is beside the text files, Roboflow's in the folder of a split.
    """
    names = sorted(os.listdir(folder))
    described = [name for name in names if name.lower().endswith(_YAML_ENDINGS)][:_MOST_DESCRIPTIONS]
    of_darknet = [name for name in names if name.lower().endswith(_DARKNET_ENDING)]
    yield from map(folder.joinpath, dict.fromkeys((*_DESCRIPTIONS, *described, *of_darknet)))
    for place in ("", _LABELS, *(f"{_LABELS}/{split}" for split in t.SPLIT_NAMES), *t.SPLIT_NAMES):
        yield from map((folder / place).joinpath, _CLASS_LISTS)


def _describes(file: Path) -> bool:
    """Check whether a file describes a dataset: a class list of label files, or a description that has names."""
    if not file.is_file():
        return False
    if file.name in _CLASS_LISTS:
        return _has_boxes(_base_of(file))
    try:
        description = _load(file)
    except ValueError:
        return False
    names = description.get("names")
    if file.suffix.lower() == _DARKNET_ENDING:
        return names is not None
    stated = _SPLITS.keys() & description.keys() or file.name.lower() in _DESCRIPTIONS or "nc" in description
    return _is_description(file) and isinstance(names, dict | list) and bool(stated)


def _base_of(file: Path) -> Path:
    """Return the folder of a dataset, given its description or class list, which may be among the text files."""
    return next((folder.parent for folder in (file.parent, file.parent.parent) if folder.name == _LABELS), file.parent)


def _has_boxes(folder: Path) -> bool:
    """Check whether one of the first text files in a folder is a label file."""
    files = (file for file in files_below(folder, ".txt", depth=4) if file.name not in _CLASS_LISTS)
    return any(map(is_label_file, islice(files, _LOOKED_AT)))


def is_label_file(file: Path) -> bool:
    """Check whether a file has boxes or polygons in its first line, or nothing, which means that it has no objects."""
    head = _head(file)
    return not head.strip() or _A_LINE.match(head) is not None


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as lines:
            return _decoded(lines.read(_LONGEST_NAME), "replace").encode()
    except OSError:
        return b"-"


def _decoded(data: bytes, errors: str = "strict") -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16", "replace") if wide else data.decode("utf-8", errors).removeprefix("\ufeff")


def why_unread(path: Path) -> str:
    """Return the reason why a YAML file does not describe a dataset, as a clause without a full stop."""
    try:
        return _why_no_names(_load(path).get("names"))
    except ValueError as error:
        return f"it cannot be read: {error}"


def _why_no_names(names: object) -> str:
    return "it has no names:" if names is None else f"names: is {shown(names)}, not a list or mapping of labels"


def _load(path: Path) -> dict[Any, Any]:
    """Load the mapping in a YAML file, or Darknet's ``key = value`` lines, or raise ValueError if it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST_DESCRIPTION:
            raise ValueError(f"it has more than {_LARGEST_DESCRIPTION:,} bytes")
        if path.suffix.lower() != _DARKNET_ENDING:
            content = _loaded(path.read_bytes())
            return content if isinstance(content, dict) else {}
        pairs = (line.partition("=") for line in path.read_text("utf-8-sig").splitlines())
        return {key.strip(): value.strip() for key, _, value in pairs if value}
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"it is not valid YAML{line}: {error.problem or error.context}") from error
    except (OSError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


@lru_cache(maxsize=4)
def _loaded(data: bytes) -> Any:
    """Load YAML, once to recognise a description and to read its layout. Nobody changes the result."""
    return yaml.load(data, Loader=_PlainLoader)


def _read_description(path: Path, collected: Collector) -> _Layout:
    """Read the layout of the dataset at ``path``, a description file or its folder."""
    try:
        file = path if path.is_file() else _find_description(path)
    except OSError as error:
        raise unusable(path, str(error)) from error
    if file is None:
        raise unusable(path, "it has neither a data.yaml with names: nor a classes.txt")
    collected.taken.add(to_uri(file))
    base, classes = file.parent, file
    if file.name in _CLASS_LISTS:
        description: dict[Any, Any] = {"names": _class_list(file, collected)}
        base = _base_of(file)
        base = path if base.parent == path else base  # Roboflow has a list for each split
    else:
        try:
            description = _load(file)
        except ValueError as error:
            raise unusable(file, str(error)) from error
    names = description.get("names")
    if file.suffix.lower() == _DARKNET_ENDING and names is not None:
        if (inside := _below(base, ".", names)) is None:
            raise unusable(file, f"names = {shown(names)} does not exist")
        classes = base / inside
        names = _class_list(classes, collected)
    if not isinstance(names, dict | list):
        raise unusable(file, _why_no_names(names))
    labels = _names(_by_number(names), classes, collected)
    if not labels:
        raise unusable(file, "it has no labels")
    if (count := description.get("nc")) is not None and finite(str(count)) != len(names):
        why = f"nc is {shown(count)}, but names has {counted(len(names), 'label')}. nc was ignored."
        collected.adjusted(why, where="nc", source=to_uri(file))
    collected.account.record(description, _KEYS, file.name)
    sources = list(_sources(description, base, file, collected))
    return _Layout(base, labels, sources, _keypoints(description), read_index(base, collected))


def _class_list(file: Path, collected: Collector) -> list[str]:
    collected.taken.add(to_uri(file))
    try:
        text = _decoded(file.read_bytes())
    except UnicodeDecodeError as error:
        raise unusable(file, f"it is not UTF-8 text. Save it as UTF-8: byte {error.start:,} cannot be read") from error
    except OSError as error:
        raise unusable(file, str(error)) from error
    lines = text.rstrip().split("\n")
    if blank := next((number for number, line in enumerate(lines, 1) if not line.strip()), 0):
        message = "The line is blank and was left out, so the labels below have smaller numbers. Check their boxes."
        collected.adjusted(message, source=to_uri(file), line=blank)
    return [line.strip() for line in lines if line.strip()]


def _usual_sources(base: Path) -> Iterator[tuple[str, str]]:
    """Yield the image folders or lists of the splits where these programs put them, or else all images."""
    found = False
    for name, split in t.SPLIT_NAMES.items():
        for source in (f"{name}/{_IMAGES}", f"{_IMAGES}/{name}", f"{name}.txt"):
            if (base / source).is_file() and not _lists_images(base / source):
                continue
            if (base / source).exists():
                found = True
                yield split, source
    if not found:
        in_folders = any((base / name).is_dir() for name in (_IMAGES, _LABELS))
        yield "", _IMAGES if in_folders else "."


def _lists_images(file: Path) -> bool:
    with file.open("rb") as lines:
        return lines.readline(_LONGEST_NAME).strip().decode("utf-8", "replace").lower().endswith(tuple(IMAGE_SUFFIXES))


def _by_number(names: dict[Any, Any] | list[Any]) -> dict[Any, Any]:
    """Return labels by class number, also of a mapping from labels to different numbers."""
    if isinstance(names, list):
        return dict(enumerate(names))
    keys, values = ([finite(str(each)) for each in side] for side in (names, names.values()))
    is_reversed = not any(key is not None for key in keys) and len({*values} - {None}) == len(names)
    return dict(zip(names.values(), names, strict=True)) if is_reversed else names


def _names(names: dict[Any, Any], file: Path, collected: Collector) -> dict[float, str]:
    result: dict[float, str] = {}
    for key, name in names.items():
        number = finite(str(key)) if isinstance(key, int | str) else None
        try:
            if number is None or number < 0 or number != int(number):
                raise LabelError(f"{shown(key)} is not a class number.")
            if not isinstance(name, str):
                raise LabelError(f"{shown(name)} is not a label.")
            result[number] = collected.label(name)
        except LabelError as error:
            collected.unreadable(str(error), where=f"names: {shown(key)}", source=to_uri(file))
    return result


def _keypoints(description: dict[Any, Any]) -> int:
    shape = description.get("kpt_shape")
    sides = [finite(str(side)) for side in shape] if isinstance(shape, list) else []
    if len(sides) != 2 or any(side is None or not 1 <= side <= 10_000 for side in sides):
        return 0
    return int(sides[0] or 0) * int(sides[1] or 0)


def _sources(description: dict[Any, Any], base: Path, file: Path, collected: Collector) -> Iterator[tuple[str, str]]:
    if not _SPLITS.keys() & description.keys():
        yield from _usual_sources(base)
        return
    seen = set[str]()
    root = _root(description.get("path"), file, collected)
    for key, split in _SPLITS.items():
        value = description.get(key)
        for entry in value if isinstance(value, list) else [value]:
            if entry is None or entry == "":
                continue
            folder = _below(base, root, entry) if isinstance(entry, str) else None
            if folder is None:
                message = f"{shown(entry)} is not an image folder or list in the folder of this file."
                collected.unreadable(message, where=key, source=to_uri(file))
            elif folder not in seen:  # small datasets name the training images for validation, too
                seen.add(folder)
                yield split, folder


def _root(path: Any, file: Path, collected: Collector) -> str:
    if not path:
        return "."
    root = _inside(file.parent, ".", path) if isinstance(path, str) else None
    if root is not None and os.path.isdir(file.parent / root):
        return root
    message = f"{shown(path)} is not a folder in the folder of this file. The file's own folder was used instead."
    if isinstance(path, str) and "\0" not in path and os.path.isdir(file.parent / path):
        message += " If the images are in the other one, move this file there."
    collected.adjusted(message, where="path", source=to_uri(file))
    return "."


def _below(base: Path, root: str, entry: str) -> str | None:
    """Return the path of the folder or list ``entry``, or None if neither it nor its label files exist."""
    entry = entry.replace("\\", "/")
    upwards = entry
    while upwards.startswith("../"):  # Roboflow writes one "../" too many
        upwards = upwards[3:]
    tail = "/".join(PurePosixPath(entry).parts[-2:]) if entry.startswith("/") else entry  # of another computer
    inside = _all_inside(base, root, (entry, upwards, _as_in_darknet(upwards), tail))
    there = [path for path in inside if os.path.exists(base / path)]
    return next(iter(there or [path for path in inside if os.path.isdir(base / _swapped(path))]), None)


def _all_inside(base: Path, folder: str, names: Iterable[str]) -> list[str]:
    """Return the paths of names in ``folder`` and in ``base``, relative to ``base``, that are not outside ``base``."""
    places = (_inside(base, parent, name) for name in names for parent in (folder, "."))
    return [path for path in dict.fromkeys(places) if path is not None]


def _inside(base: Path, folder: str, name: str) -> str | None:
    """Return ``folder/name`` as a path relative to ``base``, or None if it is outside ``base``."""
    if "\0" in name or "://" in name[:32] or os.path.splitdrive(name)[0]:
        return None
    path = posixpath.normpath(posixpath.join(folder, name))
    if not path.startswith(("/", "..")):
        return path
    absolute = posixpath.normpath(posixpath.join(os.path.abspath(base), path))
    relative = posixpath.relpath(absolute, os.path.abspath(base))
    return None if relative == ".." or relative.startswith("../") else relative


def _list_images(layout: _Layout, places: Places, collected: Collector) -> Iterator[_Listed]:
    """Yield all images listed in the description file, in the order of the file."""
    for split, source in layout.sources:
        path = layout.base / source
        if os.path.isdir(path):
            yield from _in_folder(layout, split, path, places, collected)
        elif os.path.isfile(path):
            yield from _in_list(layout, split, path, places, collected)
        else:
            yield from _by_label_files(layout, split, layout.base / _swapped(source), places, collected)


def _in_folder(layout: _Layout, split: str, folder: Path, places: Places, collected: Collector) -> Iterator[_Listed]:
    files, top = read_folder(folder), f"{to_uri(layout.base)}/"
    collected.issues += files.issues
    for uri in files.images:
        name = uri[len(top) :] if uri.startswith(top) else relative_name(to_path(uri), layout.base)
        with suppress(InputError):  # a name with a backslash, for example, although the file exists
            uri = places.find(name)
        yield _Listed(name, uri, split or _split_of(name), to_uri(folder))
    labels = layout.base / _swapped(relative_name(folder, layout.base))
    if not files.images and labels != folder:
        yield from _by_label_files(layout, split, labels, places, collected)


def _split_of(name: str) -> str:
    return t.split_of_folders(name.split("/")[:-1])


def _in_list(layout: _Layout, split: str, list_file: Path, places: Places, collected: Collector) -> Iterator[_Listed]:
    try:
        lines = _lines(list_file)
    except OSError as error:
        collected.unreadable(f"The list cannot be read ({error}).", source=to_uri(list_file))
        return
    beside, source = relative_name(list_file.parent, layout.base), to_uri(list_file)
    collected.taken.add(source)
    for number, line in lines:
        try:
            name = next(filter(layout.index.images.__contains__, (line, line.removeprefix("./"))), None)
            name = name or _name_in_list(layout.base, beside, line)
            yield _Listed(name, places.find(name), split, source, number)
        except InputError as error:
            collected.unreadable(str(error), where=line, source=source, line=number)


def _name_in_list(base: Path, beside: str, line: str) -> str:
    """Return the image's path relative to ``base``, or the line itself if the image is outside ``base``."""
    if "://" in line[:32]:
        return line
    inside = _all_inside(base, beside, (line, line.replace("\\", "/")))  # of Windows, unless a file has this name
    if not inside and os.path.isfile(os.path.join(base, line)):
        return line
    below = _all_inside(base, ".", (_as_in_darknet(line), *_tails(line)))
    there = (path for path in [*inside, *below] if os.path.isfile(os.path.join(base, path)))
    return next(there, inside[0] if inside else line)


def _tails(line: str) -> list[str]:
    """Return the ends of a path of another computer, the longest first. A relative one keeps its last folder."""
    path = line.replace("\\", "/")
    parts = path.strip("/").split("/")
    fewest = 1 if path.startswith("/") or path[1:2] == ":" else 2
    return ["/".join(parts[start:]) for start in range(1, len(parts) - fewest + 1)]


def _as_in_darknet(name: str) -> str:
    """Return a path as seen from the folder ``data``, because Darknet's paths are relative to the folder above it."""
    return name.removeprefix("./").removeprefix("data/")


def _by_label_files(
    layout: _Layout, split: str, folder: Path, places: Places, collected: Collector
) -> Iterator[_Listed]:
    """Yield images that are no longer in the folder, inferring their names from the label files."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            if file.endswith(".txt") and not file.startswith(".") and file not in _CLASS_LISTS:
                labels = PurePosixPath(relative_name(parent, layout.base)).parts
                where = [_IMAGES if part == _LABELS else part for part in labels]
                stem = posixpath.join(*where, file.removesuffix(".txt"))
                try:
                    yield _with_some_ending(stem, split or _split_of(stem), to_uri(os.path.join(parent, file)), places)
                except InputError as error:
                    collected.unreadable(str(error), source=to_uri(os.path.join(parent, file)))


def _with_some_ending(stem: str, split: str, source: str, places: Places) -> _Listed:
    for ending in COMMON_SUFFIXES:
        uri = places.find(stem + ending)
        if is_remote(uri) or is_here(uri):
            return _Listed(stem + ending, uri, split, source)
        places.not_missing(stem + ending)
    raise InputError("There is no image for this file. Pass the folder of the images with images=.")


def _lines(path: Path) -> list[tuple[int, str]]:
    """Read the non-blank lines with their line numbers, preserving bytes that are not UTF-8."""
    text = _decoded(path.read_bytes(), "surrogateescape")
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


@lru_cache(maxsize=1024)
def _swapped(folder: str) -> str:
    """Replace the last folder called ``images`` in a path with ``labels``."""
    before, images, after = f"/{folder}/".rpartition(f"/{_IMAGES}/")
    path = f"{before}/{_LABELS}/{after}"[1:] if images else folder
    return posixpath.normpath(path)


def _label_file(name: str) -> str:
    """Return the path of an image's label file, given the image's path relative to the dataset folder."""
    folder, file = posixpath.split(name)
    return f"{_swapped(folder)}/{posixpath.splitext(file)[0]}.txt".removeprefix("./")


def _is_elsewhere(name: str) -> bool:
    """Check whether the name of an image is a URL or an absolute path, because it is not in the dataset folder."""
    return "://" in name[:32] or os.path.isabs(name)


def _own_label_files(name: str, stems: Counter[str]) -> list[str]:
    """Return the possible label files of an image of an export, the one to write first.

    If the image is elsewhere, programs find the file by its stem, which only one image may have.
    """
    if not _is_elsewhere(name):
        return [_label_file(name)]
    stem = portable_stem(name)
    files = [f"{_LABELS}/{stem}.txt"] if stems[folded(stem)] == 1 else []
    return [*files, f"{_LABELS}/{stem}-{short_hash(name)}.txt"]


def _count_stems(names: Iterable[str]) -> Counter[str]:
    return Counter(folded(portable_stem(name)) for name in names)


def _label_files(listed: _Listed, base: str) -> Iterator[str]:
    """Yield possible paths of an image's label file, most likely first, given the absolute path of the dataset."""
    name = listed.name.replace("\\", "/")
    below = not name.startswith("/") and ".." not in name.split("/") and "://" not in name[:32]
    if below:
        yield _label_file(listed.name)
        yield _label_file(name)
        yield os.path.splitext(name)[0] + ".txt"
    _, folder, tail = name.rpartition(f"/{_IMAGES}/")
    if folder and ".." not in tail.split("/"):
        yield os.path.join(_LABELS, os.path.splitext(tail)[0] + ".txt")
    if not is_remote(listed.uri):
        path = to_path(listed.uri).as_posix()
        if not path.startswith(f"{base}/"):
            yield _label_file(path)


# -- writing ----------------------------------------------------------------------------------------


def _write(contents: Contents, path: Path) -> list[Path]:
    """Write a folder, or a description file if ``path`` ends in ``.yaml``, with all other files next to it."""
    base, described = (path.parent, path) if _is_description(path) else (path, path / _DESCRIPTION)
    make_folder(base, "YOLO")
    labels = t.labels_in_order(contents.annotations, contents.labels)
    numbers = {label: number for number, label in enumerate(labels)}
    sizes = sizes_of_drawn(
        contents,
        "YOLO needs the size of images with boxes, but the size of {uri!r} is unknown: {reason} "
        "Set the columns width and height, or remove the image.",
        predicted=False,
    )
    namer = _Namer(base, {_TRAIN_LIST, _TEST_LIST, INDEX_NAME, described.name}, contents.images["image"])
    index = Index()
    lists: dict[str, list[str]] = {split: [] for split in t.SPLITS}
    with staged(base) as files:
        for image, shapes, looked_at in with_annotations(contents, drawn=True):
            name, file, former = namer.name(image.image)
            size = sizes.get(image.image)
            index.images[name] = size
            lists[image.split].append(name if _is_elsewhere(name) else f"./{name}")
            for other in former if looked_at else [file, *former]:
                files.remove(other)  # from an earlier export
            if looked_at:
                lines = [_line(row, numbers[row.label], size) for row in shapes if size is not None]
                files.write(file, "".join(lines).encode())
        used = {"train": _TRAIN_LIST, "val": _TEST_LIST}
        if not lists[t.TEST]:
            used["val"] = _TRAIN_LIST
            message = f"There are no test images, so 'val' in {described.name} names the training images."
            contents.issues.append(Issue("EXPORT_ADJUSTED", message, "val"))
        for split, name in ((t.TRAIN, _TRAIN_LIST), (t.TEST, _TEST_LIST)):
            if name in used.values():
                files.write(base / name, "".join(f"{line}\n" for line in lists[split]).encode(), durable=True)
        write_index(files, base / INDEX_NAME, index)
        files.write(described, _description(labels, used), durable=True)
    return files.files


def _description(labels: list[str], lists: dict[str, str]) -> bytes:
    """Return the content of ``data.yaml`` for these labels and the list file of each split."""
    names = {number: str(label) for number, label in enumerate(labels)}
    readable = all(label.isprintable() for label in labels)  # unusual line breaks would be read back as spaces
    text = yaml.safe_dump({**lists, "names": names}, allow_unicode=readable, sort_keys=False)
    return str(text).encode()


def _is_description(path: Path) -> bool:
    return path.suffix.lower() in _YAML_ENDINGS


class _Namer:
    """Generator of image names for the lists, with a unique label file for each image."""

    def __init__(self, base: Path, taken: set[str], uris: Iterable[str]) -> None:
        self._base = base
        self._stems = _count_stems(listed_name(uri, base) for uri in uris)
        self._top = base.resolve()
        self._taken = {name.lower() for name in taken}  # for case-insensitive file systems
        self._before = read_index(base, Collector("")).images
        self._inside: dict[str, bool] = {}

    def name(self, uri: str) -> tuple[str, Path, list[Path]]:
        """Return the name of an image, its label file, and other files that an earlier export may have written."""
        name = listed_name(uri, self._base)
        file, *former = _own_label_files(name, self._stems)
        if file.lower() in self._taken or not self._may_write(name, file):
            name = absolute_uri(uri)
            file, *former = _own_label_files(name, self._stems)
        self._taken.add(file.lower())
        return name, self._base / file, [self._base / each for each in former]

    def _may_write(self, name: str, file: str) -> bool:
        """Check that the label file is in the folder (after following links) and is not a user's own text file."""
        folder = os.path.dirname(file)
        if folder not in self._inside:
            self._inside[folder] = (self._top / folder).resolve().is_relative_to(self._top)
        beside = os.path.dirname(name) == folder
        return self._inside[folder] and not (
            beside and name not in self._before and os.path.lexists(os.path.join(self._top, file))
        )


def _line(row: Any, number: int, size: Size) -> str:
    ring = [] if row.polygon is None else to_one_ring(row.polygon)
    if len(ring) >= 3:
        numbers = (np.asarray(ring, dtype=np.float64) / np.asarray(size)).ravel().tolist()
    else:
        box = polygon_to_ltwh(row.polygon) if pd.isna(row.left) else (row.left, row.top, row.width, row.height)
        left, top, width, height = (value / side for value, side in zip(box, (*size, *size), strict=True))
        numbers = [left + width / 2, top + height / 2, width, height]
    words = [str(number), *(plain(value, _DIGITS) for value in numbers)]
    return " ".join([*words, repr(float(row.confidence))] if row.confidence != 1 else words) + "\n"


FORMAT = Format(
    name="yolo",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=HOLDS_DRAWN,
    folder=lambda path: path.parent if _is_description(path) else path,
    empty="an empty text file",
    unlabelled="an image without a text file",
    in_image=True,
    holes="joined to the outline",
    on_lines=True,
    need_copies="Ultralytics",
)
