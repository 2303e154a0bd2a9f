"""Folders by label: ``<label>/<image>``, as torchvision's ImageFolder and many others have them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.files import replacing
from customlabels_nb.formats.base import Contents, Format, ImageFinder
from customlabels_nb.formats.folder import read_folder
from customlabels_nb.images import is_remote, read_bytes, to_path


def _recognise(path: Path) -> bool:
    return path.is_dir()


def _read(path: Path, finder: ImageFinder) -> Contents:
    found = read_folder(path, auto_label=True)
    if not found.images:
        raise InputError(f"There is no image in {str(path)!r}.")
    rows = pd.DataFrame({"image": found.images, "label": pd.Series(found.labels, dtype=object)})
    annotations = t.normalise_annotations(rows)
    images = t.settle_statuses(t.normalise_images(rows[["image"]]), annotations)
    return Contents(images, annotations, t.labels_in_order(annotations), found.issues)


def _write(contents: Contents, path: Path) -> list[Path]:
    """Copy each image into the folder of its label; images without one lie in ``path`` itself."""
    labels = contents.annotations.drop_duplicates(["image", "label"]).groupby("image")["label"].agg(list).to_dict()
    several = [image for image, names in labels.items() if len(names) > 1]
    if several:
        raise InputError(
            f"{len(several)} images have more than one label, such as {several[0]!r}; folders can't hold that."
        )
    files, taken = [], set[Path]()
    for image in contents.images["image"]:
        folder = path / _folder_name(labels[image][0]) if image in labels else path
        folder.mkdir(parents=True, exist_ok=True)
        name = Path(image).name or "image"
        target, number = folder / name, 1
        while target in taken:
            number += 1
            target = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        taken.add(target)
        with replacing(target, durable=False) as file:
            if is_remote(image):
                file.write(read_bytes(image))
            else:
                with to_path(image).open("rb") as source:
                    shutil.copyfileobj(source, file)
        files.append(target)
    return files


def _folder_name(label: str) -> str:
    """The label, if it can name one folder and comes back from there as it is.

    Raises
    ------
    InputError
        If it can't.
    """
    bad = label in (".", "..") or label.startswith(".") or any(c in "/\\\0" for c in label) or len(label.encode()) > 255
    if bad:
        raise InputError(f"The label {label!r} can't be the name of a folder; rename it, or use another format.")
    return label


FORMAT = Format("image_folder", _recognise, _read, _write, frozenset({"image_labels", "unlabelled"}))
