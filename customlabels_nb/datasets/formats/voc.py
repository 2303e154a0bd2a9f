"""Read and write Pascal VOC files: a folder with an XML file for each image.

``bndbox`` holds the corners ``xmin, ymin, xmax, ymax`` in pixels, as labelling programs write them: the width of a box
is ``xmax - xmin``. (The VOC challenge itself counted pixels from 1 and included the last one. Files do not state which
convention they use, and the difference is at most one pixel.) A polygon is ``<polygon><x1>…</x1><y1>…</y1><x2>…`` or a
list of ``<pt><x>…</x><y>…</y></pt>``. Each ring of a polygon with holes or several parts is a ``<polygon>``. A
``<confidence>`` is written if it is not 1.

The reader accepts a single file, or a folder with ``.xml`` files at any depth, such as ``VOCdevkit``. The image
``filename`` is looked up in the given folder, the folder of the XML file, and ``JPEGImages`` or ``images`` next to
``Annotations``, where subfolders correspond. ``ImageSets/Main`` lists the test images (``val``, ``test``), also those
without an XML file. Without it, folders called ``train``, ``valid`` and ``test`` are splits. Images without an XML
file, next to those that have one, are unlabelled. If the image that a file states is not there, an image with the name
of the file is used. Objects that are marked ``deleted`` are left out. Other elements, such as ``pose``, ``truncated``
or ``part``, are counted.

The writer creates ``Annotations``, ``ImageSets/Main``, a ``labelmap.txt`` for CVAT and datumaro, and an ``index.json``
with the order of labels and images, and with the unreviewed images, which have no XML file. An XML file without objects
means that the image was reviewed and shows none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, polygon_to_ltwh
from customlabels_nb.core.limits import COMMON_SUFFIXES, IMAGE_SUFFIXES
from customlabels_nb.core.polygons import Polygon, Ring, polygon_of, rings_of
from customlabels_nb.datasets.formats.account import ELSEWHERE, NUMERAL, TAKEN, Ignored, Record
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder, not_held
from customlabels_nb.datasets.formats.entries import (
    HOLDS_DRAWN,
    IMAGE_FOLDERS,
    INDEX_NAME,
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
    finite,
    known_size,
    listed_name,
    make_folder,
    named_files,
    plain,
    remove_former,
    with_annotations,
    write_index,
)
from customlabels_nb.datasets.formats.json_file import shown, size_of
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.datasets.formats.xml_file import begins_with, check_xml_labels, escaped, parse_xml
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import to_uri

_ANNOTATIONS, _SETS, _SPLIT_FILES = "Annotations", Path("ImageSets", "Main"), ("train", "trainval", "val", "test")
_LABEL_MAP = "labelmap.txt"
_LARGEST_FILE = 2**23
_TAG = "annotation"
_LOOKED_AT, _DEPTH = 5, 5  # XML files that are checked to detect the format of a folder, and folders above them
_NOTHING = ("", "0", "no", "false", "unspecified")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_POINT_PART = re.compile(r"([xy])(\d{1,6})")
_ORIGIN = Ignored("where the image was, or came from")
_POINT = Record("a point", {"x": TAKEN, "y": TAKEN})
_ELEMENTS = Record(
    "a file",
    {
        **dict.fromkeys(("folder", "path", "source", "owner"), _ORIGIN),
        "filename": TAKEN,
        "object": ELSEWHERE,
        "size": Record("a size", {"width": NUMERAL, "height": NUMERAL, "depth": Ignored("the image tells")}),
        "@verified": Ignored("whether somebody looked at the file"),
    },
)
_OBJECT = Record(
    "an object",
    {
        **dict.fromkeys(("name", "confidence", "score", "deleted"), TAKEN),
        "bndbox": Record("a box", dict.fromkeys(_CORNERS, TAKEN)),
        "attributes": Record("the attributes", {"attribute": Record("an attribute", {"name": TAKEN, "value": TAKEN})}),
        "polygon": Record("a polygon", {"pt": _POINT}, rule=lambda key: TAKEN if _POINT_PART.fullmatch(key) else None),
    },
)


def _recognise(path: Path) -> bool:
    try:
        if path.is_dir():
            files = islice(files_below(path, ".xml", depth=_DEPTH), _LOOKED_AT)
            if any(begins_with(file, _TAG) for file in files):
                return True
            return (path / _SETS).is_dir() and (path / INDEX_NAME).is_file()  # an export without annotated images
        return begins_with(path, _TAG)
    except (OSError, ValueError):
        return False


def _read(path: Path, finder: ImageFinder) -> Contents:
    folder = FilesOfImages(path, ".xml", finder)
    collected, index = folder.collected, folder.index
    splits = _Splits(path)
    for file, root, name, uri in folder.each(partial(parse_xml, tag=_TAG, largest=_LARGEST_FILE), _image):
        size = size_of(finite(_text(root, "size/width")), finite(_text(root, "size/height"))) or index.images.get(name)
        collected.add_image(uri, size=size, status="labelled", split=splits.of(file))
        collected.account.element(root, _ELEMENTS, folder.name_of(file))
        read: list[bool] = []
        for number, entry in enumerate(root.findall("object"), 1):
            where = f"{folder.name_of(file)}, object {number}"
            if _text(entry, "deleted").lower() not in _NOTHING:
                collected.account.add("object that is marked deleted", where)
                continue
            collected.account.element(entry, _OBJECT, where)
            for attribute in entry.iterfind("attributes/attribute"):  # of CVAT
                key, value = _text(attribute, "name"), _text(attribute, "value")
                if value.lower() not in _NOTHING and (key, value) != ("rotation", "0.0"):
                    collected.account.add(f"attribute {key[:50]!r} of an object", where, value=value)
            origin = {"where": f"object {number}", "source": to_uri(file)}
            read.append(_read_object(entry, uri, size, collected, origin, exact=bool(index.images)))
        collected.settle(uri, read)
    folder.add_unlabelled(splits.of)
    return folder.contents()


def _image(root: Element, file: Path, base: Path, places: Places) -> tuple[str, str]:
    """Return the image name given in the file, and the URI of the image."""
    path = _text(root, "path")
    name = _text(root, "filename") or PurePosixPath(path.replace("\\", "/")).name or file.stem
    top, inner = _top(file)
    folders = [base, file.parent, *(top / folder / part for part in (inner, "") for folder in IMAGE_FOLDERS)]
    endings = () if name.lower().endswith(tuple(IMAGE_SUFFIXES)) else COMMON_SUFFIXES
    return name, places.beside(name, folders, *([path] if path else []), endings=endings)


def _read_object(
    entry: Element, uri: str, size: Size | None, collected: Collector, origin: dict[str, Any], *, exact: bool
) -> bool:
    """Read an object, or report it and return False if it is unreadable. ``exact`` is True for our own files."""
    try:
        label = collected.label(_text(entry, "name"))
        polygon = _polygon(entry)
        box = _box(entry, polygon, collected, origin)
        if not exact:
            box, polygon = collected.plausible(box, polygon, uri, size, **origin)
    except (UnreadableError, LabelError) as error:
        collected.unreadable(str(error), **origin)
        return False
    if polygon is None and entry.find("polygon") is not None:
        collected.adjusted("Its polygon cannot be read. Only the box was read.", **origin)
    confidence_text = _text(entry, "confidence") or _text(entry, "score")
    confidence = collected.confidence(finite(confidence_text) if confidence_text else 1.0, confidence_text, **origin)
    collected.add_annotation(uri, label, box, polygon=polygon, confidence=confidence, origin=None if exact else origin)
    return True


def _box(entry: Element, polygon: Polygon | None, collected: Collector, origin: dict[str, Any]) -> Box:
    bounds = entry.find("bndbox")
    if bounds is None:
        if polygon is None:
            raise UnreadableError("The object has no <bndbox>.")
        return box_around(polygon)
    corners = []
    for side in _CORNERS:
        value = finite(_text(bounds, side))
        if value is None:
            raise UnreadableError(f"<{side}> is {shown(_text(bounds, side))}, not a number.")
        corners.append(value)
    return checked_box(collected.box_of_corners(corners, corners, **origin))


def _polygon(entry: Element) -> Polygon | None:
    """Return the polygon, with a ring for each element, or None if there is no polygon or one is unreadable."""
    rings = [_ring(element) for element in entry.findall("polygon")]
    return polygon_of(ring for ring in rings if ring) if all(rings) else None


def _ring(element: Element) -> Ring | None:
    points: list[list[float | None]]
    if element.find("pt") is not None:
        points = [[finite(_text(point, "x")), finite(_text(point, "y"))] for point in element.findall("pt")]
    else:
        sides: dict[str, dict[int, float | None]] = {"x": {}, "y": {}}
        for part in element:
            if named := _POINT_PART.fullmatch(part.tag):
                sides[named[1]][int(named[2])] = finite(part.text)
        points = [[sides["x"].get(n), sides["y"].get(n)] for n in sorted({*sides["x"], *sides["y"]})]
    whole = [[x, y] for x, y in points if x is not None and y is not None]
    return whole if whole and len(whole) == len(points) else None


def _top(file: Path) -> tuple[Path, Path]:
    """Return the folder with ``Annotations`` and images, and the path from one of these to the folder of a file."""
    for folder in file.parents:
        if folder.name in (_ANNOTATIONS, *IMAGE_FOLDERS):
            return folder.parent, file.parent.relative_to(folder)
    return file.parent.parent, Path()


class _Splits:
    """Splits of the XML files and images in a folder, as ``ImageSets`` or the names of folders state them."""

    def __init__(self, base: Path) -> None:
        self._base = base = Path(os.path.abspath(base))  # the paths of images are absolute
        self._lists: dict[Path, dict[str, str]] = {} if base.is_file() else {base: _splits(base)}

    def of(self, file: Path) -> str:
        """Return the split of an XML file or image, which is the training set by default."""
        file = Path(os.path.abspath(file))
        top, inner = _top(file)
        name = (inner / file.stem).as_posix()
        if not self._lists:
            return t.TRAIN
        if top not in self._lists:
            self._lists[top] = _splits(top) if top.is_relative_to(self._base) else {}
        listed = self._lists[top] or self._lists[self._base]
        if listed:
            return listed.get(name) or listed.get(file.stem, t.TRAIN)
        return t.split_of_folders(file.relative_to(self._base).parts[:-1])


def _splits(base: Path) -> dict[str, str]:
    """Map the names of XML files to splits, using the lists in ``ImageSets/Main``. Later lists take precedence."""
    result: dict[str, str] = {}
    for name in _SPLIT_FILES:
        try:
            text = (base / _SETS / f"{name}.txt").read_text("utf-8-sig", "replace")
        except OSError:
            continue
        split = t.TEST if name in ("val", "test") else t.TRAIN
        result |= {line.strip(): split for line in text.split("\n") if line.strip()}
    return result


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _write(contents: Contents, path: Path) -> list[Path]:
    """Write a folder, or one XML file for a single labelled image if ``path`` ends in ``.xml``."""
    labels = t.labels_in_order(contents.annotations, contents.labels)
    check_xml_labels(labels)
    if path.suffix.lower() == ".xml":
        return _write_one(contents, path)
    make_folder(path, "Pascal VOC")
    target = path / _ANNOTATIONS
    before = _splits(path) if (path / INDEX_NAME).is_file() else {}
    index = Index(labels)
    splits: dict[str, list[str]] = {split: [] for split in t.SPLITS}
    with staged(path) as files:
        for image, name, shapes, file in named_files(contents, index, path, ".xml", drawn=True):
            if file is not None:
                splits[image.split].append(file.removesuffix(".xml"))
                files.write(target / file, _document(name, image, shapes))
            elif image.split == t.TEST:
                index.test.add(name)
        for split, stems in splits.items():
            files.write(path / _SETS / f"{split}.txt", "".join(f"{stem}\n" for stem in stems).encode(), durable=True)
        files.write(path / _LABEL_MAP, _label_map(labels, contents).encode())
        write_index(files, path / INDEX_NAME, index)
        remove_former(files, target, (f"{stem}.xml" for stem in before), ".xml")
    return files.files


def _label_map(labels: list[str], contents: Contents) -> str:
    """Return the labels as CVAT's and datumaro's ``labelmap.txt``, and report those that its lines cannot hold."""
    writable = [label for label in labels if label.isprintable() and ":" not in label and not label.startswith("#")]
    if lost := [label for label in labels if label not in writable]:
        contents.issues.append(not_held(FORMAT, f"label in {_LABEL_MAP}", lost, where=_LABEL_MAP))
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    for label in writable:
        color = contents.colors.get(label, "").removeprefix("#")
        lines.append(f"{label}:{','.join(map(str, bytes.fromhex(color)))}::")
    return "\n".join([*lines, ""])


def _write_one(contents: Contents, path: Path) -> list[Path]:
    annotated = [(image, shapes) for image, shapes, looked_at in with_annotations(contents, drawn=True) if looked_at]
    if len(contents.images) != 1 or not annotated:
        raise InputError(f"path={str(path)!r} is a file for a single labelled image. Pass a folder for other datasets.")
    image, shapes = annotated[0]
    with replacing(path) as file:
        file.write(_document(listed_name(image.image, path.parent), image, shapes))
    return [path]


def _document(name: str, image: Any, shapes: list[Any]) -> bytes:
    lines = ["<annotation>", f"\t<filename>{escaped(name)}</filename>"]
    size = known_size(image)
    if size is not None:
        lines += [f"\t<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"]
    lines += [line for row in shapes for line in _object_lines(row)]
    return "\n".join([*lines, "</annotation>", ""]).encode()


def _object_lines(row: Any) -> Iterator[str]:
    yield "\t<object>"
    yield f"\t\t<name>{escaped(row.label)}</name>"
    if row.confidence != 1:
        yield f"\t\t<confidence>{float(row.confidence)!r}</confidence>"
    box = polygon_to_ltwh(row.polygon) if pd.isna(row.left) else [row.left, row.top, row.width, row.height]
    corners = zip(_CORNERS, ltwh_to_xyxy(box)[0], strict=True)
    yield "\t\t<bndbox>" + "".join(f"<{side}>{plain(value, 9)}</{side}>" for side, value in corners) + "</bndbox>"
    for ring in rings_of(row.polygon):
        points = enumerate(ring.tolist(), 1)
        inner = "".join(f"<x{n}>{plain(x, 9)}</x{n}><y{n}>{plain(y, 9)}</y{n}>" for n, (x, y) in points)
        yield f"\t\t<polygon>{inner}</polygon>"
    yield "\t</object>"


FORMAT = Format(
    name="voc",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=HOLDS_DRAWN,
    folder=lambda path: path.parent if path.suffix.lower() == ".xml" else path,
    rounding=1.0,
    empty="an XML file without objects",
    unlabelled="an image without an XML file",
    in_image=True,
    holes="one `<polygon>` each",
    on_lines=True,
)
