"""Read and write the folders of Ultralytics' classifiers: ``train``, ``val`` and ``test`` with a folder for each label.

Images in ``val`` and ``test`` become test images. The writer copies test images into ``val``, which Ultralytics needs
to train. Images without a label are in the folder of the split itself, where its programs ignore them.
"""

from __future__ import annotations

from pathlib import Path

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.image_folder import contents_of, write_labelled
from customlabels_nb.errors import InputError
from customlabels_nb.images.listing import is_hidden, read_folder

_SPLITS = frozenset({"train", "val", "valid", "validation", "test"})
_FOLDERS = {t.TRAIN: "train", t.TEST: "val"}


def _recognise(path: Path) -> bool:
    try:
        inner = [each for each in path.iterdir() if each.is_dir() and not is_hidden(each.name)] if path.is_dir() else []
        # a folder "train" with images only can be a label
        return (
            bool(inner)
            and {each.name for each in inner} <= _SPLITS
            and any(below.is_dir() for each in inner for below in each.iterdir())
        )
    except OSError:
        return False


def _read(path: Path, finder: ImageFinder) -> Contents:
    contents = contents_of(read_folder(path, labels_from="folders"))
    if contents.images.empty:
        raise InputError(f"There are no images in the folders train, val and test of {str(path)!r}.")
    return contents


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
