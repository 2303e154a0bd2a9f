"""Read and write the folders of Ultralytics' classifiers: ``train``, ``val`` and ``test`` with a folder for each label.

Images in ``val`` and ``test`` become test images. The writer copies test images into ``val``, which Ultralytics needs
to train. Images without a label are in the folder of the split itself, where its programs ignore them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import split_of
from customlabels_nb.datasets.formats.image_folder import read_labelled, write_labelled
from customlabels_nb.errors import InputError

_SPLITS = ("train", "val", "valid", "validation", "test")
_FOLDERS = {t.TRAIN: "train", t.TEST: "val"}


def _recognise(path: Path) -> bool:
    try:
        if not path.is_dir():
            return False
        inner = [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        names = {entry.name for entry in inner}
        # a folder "train" with images only can be a label
        return (
            bool(names)
            and names <= set(_SPLITS)
            and any(below.is_dir() for entry in inner for below in entry.iterdir())
        )
    except OSError:
        return False


def _read(path: Path, finder: ImageFinder) -> Contents:
    parts = [
        replace(part, images=part.images.assign(split=split_of(name)))
        for name in _SPLITS
        if (path / name).is_dir()
        for part in [read_labelled(path / name)]
    ]
    if not any(len(part.images) for part in parts):
        raise InputError(f"There are no images in the folders train, val and test of {str(path)!r}.")
    images, annotations = (
        pd.concat([getattr(part, table) for part in parts], ignore_index=True) for table in ("images", "annotations")
    )
    issues = [issue for part in parts for issue in part.issues]
    return Contents(images, annotations, t.labels_in_order(annotations), issues)


def _write(contents: Contents, path: Path) -> list[Path]:
    splits = contents.images.set_index("image")["split"].map(_FOLDERS).to_dict()
    return write_labelled(contents, path, lambda image: path / splits[image])


FORMAT = Format(
    "yolo_classify",
    _recognise,
    _read,
    _write,
    frozenset({"image_labels", "unlabelled", "split"}),
    folder=lambda path: path,
    copies=True,
    unlabelled="an image beside the folders of labels",
)
