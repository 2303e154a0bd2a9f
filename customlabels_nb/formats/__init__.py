"""Formats of datasets on disk: one module each, reader and writer, and one line in :data:`FORMATS`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.files import replacing
from customlabels_nb.formats import coco, csv_labels, custom_vision, ground_truth, image_folder, voc, yolo
from customlabels_nb.formats.base import Contents, Format, ImageFinder, losses
from customlabels_nb.images import is_remote, read_bytes, to_path, to_uri
from customlabels_nb.issues import CODES, Issue

#: In the order in which they are tried to recognise a file or folder.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (ground_truth, coco, custom_vision, yolo, voc, csv_labels, image_folder)
}

#: Formats that are a folder of files rather than one.
_FOLDERS = frozenset({"voc", "yolo", "image_folder"})


@dataclass(frozen=True)
class Written:
    """What became of writing: the files, and what the format could not hold."""

    format: str
    files: list[Path]
    issues: list[Issue]


def find_format(path: Path, name: str | None = None) -> Format:
    """The format of that name, or the one that the file or folder is of.

    Raises
    ------
    InputError
        If there is no such format.
    ManifestError
        If nothing is there, or no format recognises it.
    """
    if name is not None:
        if name not in FORMATS:
            raise InputError(f"format={name!r} is not known; use one of {list(FORMATS)!r}.")
        return FORMATS[name]
    code = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    if not path.exists():
        raise ManifestError(f"{str(path)!r} does not exist.", code)
    for format_ in FORMATS.values():
        if format_.recognise(path):
            return format_
    raise ManifestError(
        f"{str(path)!r}: {CODES[code]} It is none of {', '.join(FORMATS)}; say format= if you know better.", code
    )


def read(
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
) -> tuple[Format, Contents]:
    """What a file or folder of annotations says; see :func:`customlabels_nb.dataset.read_dataset`."""
    place = Path(path).expanduser()
    chosen = find_format(place, format)
    finder = ImageFinder(place if place.is_dir() else place.parent, images=images, relocate=relocate)
    contents = chosen.read(place, finder)
    contents.issues += [Issue("IMAGE_NOT_LISTED", where=name, source=str(place)) for name in finder.missing]
    return chosen, contents


def write(
    contents: Contents,
    format: str,
    path: str | os.PathLike[str],
    *,
    root: Path | None = None,
    copy_images: bool = False,
) -> Written:
    """Write contents in a format; see :meth:`customlabels_nb.dataset.Dataset.to`."""
    chosen, place = find_format(Path(), format), Path(path).expanduser()
    one_file = chosen.name not in _FOLDERS or place.suffix == ".xml"
    folder = place.parent if one_file else place
    folder.mkdir(parents=True, exist_ok=True)
    names = {image: image if is_remote(image) else to_uri(to_path(image, root)) for image in contents.images["image"]}
    copied: list[Path] = []
    if copy_images:
        names, copied = _copy_images(names, folder)
    placed = replace(
        contents,
        images=contents.images.assign(image=contents.images["image"].map(names)),
        annotations=contents.annotations.assign(image=contents.annotations["image"].map(names)),
    )
    return Written(format, [*chosen.write(placed, place), *copied], losses(placed, chosen))


def _copy_images(names: Mapping[str, str], folder: Path) -> tuple[dict[str, str], list[Path]]:
    """Copy each image below ``folder/images``, under its own name where that is free and safe."""
    target, taken = folder / "images", set[str]()
    target.mkdir(exist_ok=True)
    moved: dict[str, str] = {}
    files = []
    for image, uri in names.items():
        stem, suffix = os.path.splitext(os.path.basename(uri) or "image")
        stem = "".join("_" if c in '\\/:*?"<>|%' or ord(c) < 32 else c for c in stem)[:80].strip(". ") or "image"
        name, number = f"{stem}{suffix}", 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}{suffix}"
        taken.add(name.lower())
        with replacing(target / name, durable=False) as file:
            if is_remote(uri):
                file.write(read_bytes(uri))
            else:
                with to_path(uri).open("rb") as source:
                    shutil.copyfileobj(source, file)
        moved[image] = to_uri(target / name)
        files.append(target / name)
    return moved, files
