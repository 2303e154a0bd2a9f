"""Folders by label: ``<label>/<image>``, as torchvision's ImageFolder and many others have them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.folder import read_folder
from customlabels_nb.datasets.formats.staging import free_name, staged
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import to_uri


def _recognise(path: Path) -> bool:
    return path.is_dir()


def _read(path: Path, finder: ImageFinder) -> Contents:
    found = read_folder(path, auto_label=True)
    if not found.images:
        raise InputError(f"There is no image in {str(path)!r}.")
    rows = pd.DataFrame({"image": found.images, "label": pd.Series(found.labels, dtype=object)})
    annotations = t.normalise_annotations(rows)
    images = t.settle_statuses(t.normalise_images(rows[["image"]]), annotations)
    if found.ignored:
        message = f"{found.ignored:,} files are no images by their name, and were not read."
        found.issues.append(Issue("ENTRY_UNREADABLE", message, source=to_uri(path)))
    return Contents(images, annotations, t.labels_in_order(annotations), found.issues)


def _write(contents: Contents, path: Path) -> list[Path]:
    """Copy each image into the folder of its label; images without one lie in ``path`` itself."""
    labels = contents.annotations.drop_duplicates(["image", "label"]).groupby("image")["label"].agg(list).to_dict()
    several = [image for image, names in labels.items() if len(names) > 1]
    if several:
        raise InputError(
            f"{len(several)} images have more than one label, such as {several[0]!r}; folders can't hold that."
        )
    folders = {label: _folder_name(label) for names in labels.values() for label in names}
    path.mkdir(parents=True, exist_ok=True)
    taken: dict[Path, set[str]] = {}
    with staged(path) as files:
        for image in contents.images["image"]:
            folder = path / folders[labels[image][0]] if image in labels else path
            files.copy_image(image, folder / free_name(image, taken.setdefault(folder, set())))
    contents.issues += files.issues
    return files.files


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


FORMAT = Format(
    "image_folder",
    _recognise,
    _read,
    _write,
    frozenset({"image_labels", "unlabelled"}),
    folder=lambda path: path,
    copies=True,
)
