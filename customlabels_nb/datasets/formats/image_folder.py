"""Read and write image folders whose subfolders are the labels (``<label>/<image>``)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.files import folded, portable_name
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.errors import InputError
from customlabels_nb.images.listing import FoundFiles, read_folder
from customlabels_nb.images.locations import to_uri


def _read(path: Path, finder: ImageFinder) -> Contents:
    files, top = read_folder(path, labels_from="folders"), to_uri(os.path.abspath(path))
    contents = contents_of(files)
    if contents.images.empty:
        hint = ""
        if any(file.endswith(".txt") for file in files.others):
            hint = " Label files of YOLO need a classes.txt in this folder, with a label on each line."
        raise InputError(f"There are no images in {str(path)!r}.{hint}")
    contents.issues += folders_as_splits(files, top, "Images in them keep their split.")
    return contents


def contents_of(files: FoundFiles) -> Contents:
    """Return the images of a folder with the labels and splits that the names of its subfolders state."""
    rows = pd.DataFrame({"image": files.images, "label": pd.Series(files.labels, dtype=object)})
    annotations = t.normalise_annotations(rows)
    splits = [split or t.TRAIN for split in files.splits]
    images = t.settle_statuses(t.normalise_images(rows[["image"]].assign(split=splits)), annotations)
    return Contents(images, annotations, t.labels_in_order(annotations), files.issues)


def folders_as_splits(files: FoundFiles, top: str, what: str) -> list[Issue]:
    """Report the folders that are splits and not labels, and what happens to their images."""
    if not files.split_folders:
        return []
    named = " and ".join(map(repr, files.split_folders))
    one = len(files.split_folders) == 1
    message = f"The folder {named} is named after a split" if one else f"The folders {named} are named after splits"
    return [Issue("FOLDERS_ARE_SPLITS", f"{message}, so {'it is' if one else 'they are'} not labels. {what}", top)]


def _write(contents: Contents, path: Path) -> list[Path]:
    """Copy each image into the folder named after its label, and images without a label into ``path`` itself."""
    return write_labelled(contents, path, lambda image: path)


def write_labelled(contents: Contents, path: Path, parent: Callable[[str], Path]) -> list[Path]:
    """Copy each image into the folder of its label in ``parent(image)``, a folder in ``path``, or into that itself."""
    labels = contents.annotations.drop_duplicates(["image", "label"]).groupby("image")["label"].agg(list).to_dict()
    several = [image for image, names in labels.items() if len(names) > 1]
    if several:
        raise InputError(
            f"{counted(len(several), 'image has', 'images have')} more than one label, for example {several[0]!r}. "
            "Folders allow only one."
        )
    folders = {label: _folder_name(label) for names in labels.values() for label in names}
    same = {folded(label): label for label in folders}
    path.mkdir(parents=True, exist_ok=True)
    taken: dict[Path, dict[str, int]] = {}
    with staged(path) as files:
        if len(same) < len(folders) and files.ignores_case():
            first, second = next((label, same[folded(label)]) for label in folders if same[folded(label)] != label)
            raise InputError(f"This disk has one folder for the labels {first!r} and {second!r}. Rename a label.")
        for image in contents.images["image"]:
            folder = parent(image) / folders[labels[image][0]] if image in labels else parent(image)
            files.copy_image(image, folder, taken.setdefault(folder, {}))
    contents.issues += files.issues
    return files.files


def _folder_name(label: str) -> str:
    """Return the label if it is a valid folder name that can be read back."""
    bad = label in (".", "..") or label.startswith(".") or any(c in "/\\\0" for c in label) or len(label.encode()) > 255
    if bad or (os.name == "nt" and portable_name(label) != label):
        raise InputError(
            f"The label {label!r} is not a valid folder name. Rename the label, or use a different format."
        )
    return label


FORMAT = Format(
    "image_folder",
    Path.is_dir,
    _read,
    _write,
    frozenset({"image_labels", "unlabelled"}),
    folder=lambda path: path,
    copies=True,
    unlabelled="an image beside the folders of labels",
)
