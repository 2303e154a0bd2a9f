"""Where the files of a YOLO dataset lie, and the file that describes it; see :mod:`.yolo`."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.entries import Collector, Places, finite, is_here, safe_stem, short_hash
from customlabels_nb.datasets.formats.folder import read_folder
from customlabels_nb.datasets.formats.json_file import shown, unusable
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.reading import is_remote, to_path, to_uri

_IMAGES, LABELS = "images", "labels"
_DESCRIPTIONS, _CLASS_LISTS = ("data.yaml", "dataset.yaml"), ("classes.txt", "obj.names")
_YAML_ENDINGS = (".yaml", ".yml")
_SPLITS = {"train": t.TRAIN, "val": t.TEST, "valid": t.TEST, "validation": t.TEST, "test": t.TEST}
_LARGEST_DESCRIPTION = 2**22
_MOST_DESCRIPTIONS = 10  # files of a folder that are looked into
# tried in turn for a label file whose image isn't beside it
_ENDINGS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".bmp", ".webp", ".tif", ".tiff")


@dataclass
class Layout:
    """What describes a dataset.

    ``names`` has the label of each class, ``sources`` a split and a folder or list (a path below ``base``) for each
    part, ``keypoints`` how many numbers follow each box that aren't its own.
    """

    base: Path
    names: dict[int, str] = field(default_factory=dict)
    sources: list[tuple[str, str]] = field(default_factory=list)
    keypoints: int = 0

    @property
    def labels(self) -> list[str]:
        """The labels in the order of their classes."""
        return list(dict.fromkeys(self.names[number] for number in sorted(self.names)))


@dataclass(frozen=True)
class Listed:
    """An image: its name below the folder or its URL, where it lies, and what named it."""

    name: str
    uri: str
    split: str
    source: str
    line: int | None = None


# -- the description --------------------------------------------------------------------------------


class _PlainLoader(yaml.BaseLoader):
    """Reads all values as the text that stands there, and no aliases: a few of them can stand for any amount."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read")
        return super().compose_node(parent, index)


def find_description(path: Path) -> Path | None:
    """The file that describes the dataset at ``path``: itself or one in that folder."""
    if path.is_file():
        return path if path.suffix.lower() in _YAML_ENDINGS and _describes(path) else None
    if not path.is_dir():
        return None
    others = sorted(entry.name for entry in os.scandir(path) if entry.name.lower().endswith(_YAML_ENDINGS))
    for name in dict.fromkeys((*_DESCRIPTIONS, *others[:_MOST_DESCRIPTIONS])):
        if (path / name).is_file() and _describes(path / name):
            return path / name
    for name in _CLASS_LISTS:
        if (path / name).is_file() and ((path / LABELS).is_dir() or _has_texts(path)):
            return path / name
    return None


def _has_texts(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name.endswith(".txt") and entry.name not in _CLASS_LISTS for entry in entries)


def _describes(path: Path) -> bool:
    try:
        found = _load(path)
    except ValueError:
        return False
    return (
        isinstance(found, dict) and isinstance(found.get("names"), dict | list) and bool(_SPLITS.keys() & found.keys())
    )


def _load(path: Path) -> Any:
    """What the YAML file says; ValueError if that can't be read."""
    try:
        if path.stat().st_size > _LARGEST_DESCRIPTION:
            raise ValueError(f"it has more than {_LARGEST_DESCRIPTION:,} bytes")
        return yaml.load(path.read_bytes(), Loader=_PlainLoader)
    except (OSError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def read_description(path: Path, collected: Collector) -> Layout:
    """The layout of the dataset at ``path``, a description or its folder.

    Raises
    ------
    ManifestError
        If there is no description, or none that names labels.
    """
    try:
        file = path if path.is_file() else find_description(path)
    except OSError as error:
        raise unusable(path, str(error)) from error
    if file is None:
        raise unusable(path, "there is no data.yaml with names: and train:, and no classes.txt")
    layout = Layout(file.parent)
    if file.name in _CLASS_LISTS:
        try:
            lines = _lines(file)
        except OSError as error:
            raise unusable(file, str(error)) from error
        layout.names = _names(dict(enumerate(line for _, line in lines)), file, collected)
        in_folders = any((file.parent / name).is_dir() for name in (_IMAGES, LABELS))
        layout.sources = [(t.TRAIN, _IMAGES if in_folders else ".")]
    else:
        try:
            found = _load(file)
        except ValueError as error:
            raise unusable(file, str(error)) from error
        names = found.get("names") if isinstance(found, dict) else None
        if not isinstance(names, dict | list):
            raise unusable(file, f"names: is {shown(names)}, not a list or mapping of labels")
        layout.names = _names(names if isinstance(names, dict) else dict(enumerate(names)), file, collected)
        layout.sources = list(_sources(found, file, collected))
        layout.keypoints = _keypoints(found)
        if layout.keypoints:
            collected.adjusted("Boxes are read without their keypoints.", where="kpt_shape", source=to_uri(file))
    if not layout.names:
        raise unusable(file, "it names no labels")
    return layout


def _names(names: dict[Any, Any], file: Path, collected: Collector) -> dict[int, str]:
    result: dict[int, str] = {}
    for key, name in names.items():
        number = finite(str(key)) if isinstance(key, int | str) else None
        try:
            if number is None or number < 0 or number != int(number):
                raise LabelError(f"{shown(key)} is not the number of a class.")
            if not isinstance(name, str):
                raise LabelError(f"{shown(name)} is not a label.")
            result[int(number)] = collected.label(name)
        except LabelError as error:
            collected.unreadable(str(error), where=f"names: {shown(key)}", source=to_uri(file))
    return result


def _keypoints(found: dict[Any, Any]) -> int:
    shape = found.get("kpt_shape")
    sides = (
        [finite(side) for side in shape] if isinstance(shape, list) and all(isinstance(s, str) for s in shape) else []
    )
    if len(sides) != 2 or any(side is None or not 1 <= side <= 10_000 for side in sides):
        return 0
    return int(sides[0] or 0) * int(sides[1] or 0)


def _sources(found: dict[Any, Any], file: Path, collected: Collector) -> Iterator[tuple[str, str]]:
    base, seen = file.parent, set[str]()
    root = _root(found.get("path"), file, collected)
    for key, split in _SPLITS.items():
        value = found.get(key)
        for entry in value if isinstance(value, list) else [value]:
            if entry is None or entry == "":
                continue
            place = _below(base, root, entry) if isinstance(entry, str) else None
            if place is None:
                message = f"{shown(entry)} is no folder or list of images in the folder of this file."
                collected.unreadable(message, where=key, source=to_uri(file))
            elif place in seen:
                collected.adjusted(f"{shown(entry)} is named twice; it was read once.", where=key, source=to_uri(file))
            else:
                seen.add(place)
                yield split, place


def _root(path: Any, file: Path, collected: Collector) -> str:
    if not path:
        return "."
    root = _inside(file.parent, ".", path) if isinstance(path, str) else None
    if root is not None and os.path.isdir(file.parent / root):
        return root
    message = f"{shown(path)} is no folder in the folder of this file, which was taken instead."
    collected.adjusted(message, where="path", source=to_uri(file))
    return "."


def _below(base: Path, root: str, entry: str) -> str | None:
    """The folder or list that ``entry`` names; the labels of images that lie elsewhere now count, too."""
    entry = entry.replace("\\", "/")
    upwards = entry
    while upwards.startswith("../"):  # as Roboflow writes them, one folder too high
        upwards = upwards[3:]
    places = [
        _inside(base, folder, name) for name in dict.fromkeys((entry, upwards)) for folder in dict.fromkeys((root, "."))
    ]
    inside = [place for place in dict.fromkeys(places) if place is not None]
    there = [place for place in inside if os.path.exists(base / place)]
    return next(iter(there or [place for place in inside if os.path.isdir(base / swapped(place))]), None)


def _inside(base: Path, folder: str, name: str) -> str | None:
    """The path below ``base`` of ``folder/name``; None if it doesn't lie there."""
    if "\0" in name or "://" in name[:32]:
        return None
    place = posixpath.normpath(posixpath.join(os.path.abspath(base), folder, name))
    relative = posixpath.relpath(place, os.path.abspath(base))
    return None if relative == ".." or relative.startswith("../") else relative


def description(labels: list[str], lists: dict[str, str]) -> bytes:
    """What describes a dataset of these labels, and of these lists of images by split."""
    names = {number: str(label) for number, label in enumerate(labels)}
    readable = all(label.isprintable() for label in labels)  # line ends other than the usual would come back as spaces
    text = yaml.safe_dump({**lists, "names": names}, allow_unicode=readable, sort_keys=False)
    return str(text).encode()


# -- images -----------------------------------------------------------------------------------------


def list_images(layout: Layout, places: Places, collected: Collector) -> Iterator[Listed]:
    """All images that the description names, in its order."""
    for split, source in layout.sources:
        place = layout.base / source
        if os.path.isdir(place):
            yield from _in_folder(layout, split, place, places, collected)
        elif os.path.isfile(place):
            yield from _in_list(layout, split, place, places, collected)
        else:
            yield from _by_label_files(layout, split, layout.base / swapped(source), places, collected)


def _in_folder(layout: Layout, split: str, place: Path, places: Places, collected: Collector) -> Iterator[Listed]:
    found = read_folder(place)
    collected.issues += found.issues
    for uri in found.images:
        name = os.path.relpath(to_path(uri), layout.base)
        try:
            yield Listed(name, places.find(name), split, to_uri(place))
        except InputError:  # a name with a backslash, say: but there the file is
            yield Listed(name, uri, split, to_uri(place))
    labels = layout.base / swapped(os.path.relpath(place, layout.base))
    if not found.images and labels != place:
        yield from _by_label_files(layout, split, labels, places, collected)


def _in_list(layout: Layout, split: str, place: Path, places: Places, collected: Collector) -> Iterator[Listed]:
    try:
        lines = _lines(place)
    except OSError as error:
        collected.unreadable(f"The list can't be read ({error}).", source=to_uri(place))
        return
    beside = os.path.relpath(place.parent, layout.base)
    for number, line in lines:
        try:
            name = _name_in_list(layout.base, beside, line)
            yield Listed(name, places.find(name), split, to_uri(place), number)
        except InputError as error:
            collected.unreadable(str(error), where=line, source=to_uri(place), line=number)


def _name_in_list(base: Path, beside: str, line: str) -> str:
    """The image's path below ``base`` where it has one, otherwise what stands there."""
    if "://" in line[:32]:
        return line
    inside = [place for place in (_inside(base, beside, line), _inside(base, ".", line)) if place is not None]
    if not inside:
        return line
    return next((place for place in inside if os.path.isfile(base / place)), inside[0])


def _by_label_files(layout: Layout, split: str, place: Path, places: Places, collected: Collector) -> Iterator[Listed]:
    """Images that lie elsewhere now, by the names of their label files."""
    for parent, folders, files in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            if file.endswith(".txt") and not file.startswith(".") and file not in _CLASS_LISTS:
                labels = PurePosixPath(os.path.relpath(parent, layout.base)).parts
                where = [_IMAGES if part == LABELS else part for part in labels]
                stem = posixpath.join(*where, file.removesuffix(".txt"))
                try:
                    yield _with_some_ending(stem, split, to_uri(os.path.join(parent, file)), places)
                except InputError as error:
                    collected.unreadable(str(error), source=to_uri(os.path.join(parent, file)))


def _with_some_ending(stem: str, split: str, source: str, places: Places) -> Listed:
    for ending in _ENDINGS:
        uri = places.find(stem + ending)
        if is_remote(uri) or is_here(uri):
            return Listed(stem + ending, uri, split, source)
        places.not_missing(stem + ending)
    raise InputError("There is no image for this file; say where the images are now with images=.")


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that aren't blank, with their numbers; bytes that aren't UTF-8 stay what they are."""
    text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


# -- label files ------------------------------------------------------------------------------------


def swapped(place: str) -> str:
    """A path with its last folder called ``images`` replaced by ``labels``."""
    parts = list(PurePosixPath(place).parts)
    for i in range(len(parts) - 1, -1, -1):
        if parts[i] == _IMAGES:
            parts[i] = LABELS
            break
    return posixpath.join(*parts) if parts else "."


def label_file(name: str) -> str:
    """The path of the label file of an image that is called so, a path below the dataset's folder or a URL."""
    if "://" in name[:32]:
        return f"{LABELS}/{safe_stem(name)}-{short_hash(name)}.txt"
    image = PurePosixPath(name)
    return posixpath.normpath(posixpath.join(swapped(str(image.parent)), f"{image.stem}.txt"))


def label_files(listed: Listed, base: Path, *, ours: bool) -> Iterator[str]:
    """Where the label file of an image may lie, the likeliest place first; in one only, if the names are ``ours``."""
    top, name = os.path.abspath(base), listed.name.replace("\\", "/")
    below = not name.startswith("/") and ".." not in name.split("/")
    if below:
        yield os.path.join(top, label_file(listed.name))
    if ours:
        return
    if below and "://" not in name[:32]:
        yield os.path.join(top, os.path.splitext(name)[0] + ".txt")
    _, found, tail = name.rpartition(f"/{_IMAGES}/")
    if found and ".." not in tail.split("/"):
        yield os.path.join(top, LABELS, os.path.splitext(tail)[0] + ".txt")
    if not is_remote(listed.uri):
        path = os.fspath(to_path(listed.uri))
        if not path.startswith(top + os.sep):
            yield label_file(path)
