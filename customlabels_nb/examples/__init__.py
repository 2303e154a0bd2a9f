"""Example projects with generated photos, for use without your own data. The same seed gives the same photos.

To add an example, add a module and its name in ``NAMES``. The module has ``LABELS`` and ``TASK`` (as in
``create_project``), ``FILES`` (annotation format of each split: "folders" by label, "csv" or "coco"),
``TRAIN``, ``TEST`` and ``SIZE`` (the defaults) and ``paint(split, number, rng, size)``, which returns a
:class:`~customlabels_nb.examples._drawing.Picture`.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.arguments import check_integer, check_random_state, plain_repr
from customlabels_nb._utils.files import write_errors
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.errors import InputError
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from customlabels_nb.core.tables import Split
    from customlabels_nb.examples._drawing import Picture
    from customlabels_nb.project.project import Project

NAMES = ("circuit_boards", "flowers", "logos", "rooms")

_SPLITS = ("train", "test", "detect")
_DETECT = 2
_QUALITY = 90
_CREATED = "2026-01-01T00:00:00Z"  # fixed, so that the same seed writes the same files


@dataclass(frozen=True)
class ExamplePhotos:
    """Paths and labels of an example's photos.

    Attributes
    ----------
    name : str
        Name of the example.
    labels : tuple of str
        Labels of the example, in order.
    train, test : Path
        Sources for ``cl.read_dataset``: a folder with one folder per label, or an annotation file.
    detect : tuple of Path
        Photos that belong to neither split, and whose file names do not reveal their labels.
    answers : dict
        Labels of the ``detect`` photos, by file name.
    """

    name: str
    labels: tuple[str, ...]
    train: Path
    test: Path
    detect: tuple[Path, ...]
    answers: dict[str, tuple[str, ...]]


def _module(name: str) -> Any:
    if name not in NAMES:
        raise InputError(f"name={name!r} is not an example project. Choose one of: {', '.join(NAMES)}.")
    return import_module(f"customlabels_nb.examples.{name}")


@names_arguments
def write_photos(
    name: str,
    folder: str | os.PathLike[str],
    *,
    random_state: int = 0,
    train: int | None = None,
    test: int | None = None,
    size: tuple[int, int] | None = None,
) -> ExamplePhotos:
    """Draw an example's photos as JPEG files in ``folder/train``, ``folder/test`` and ``folder/detect``.

    Parameters
    ----------
    name : str
        "rooms" (one label per photo), "flowers" (several labels per photo), "logos" (logo images
        for training, scenes with boxes for testing) or "circuit_boards" (boxes).
    folder : path
        Folder to write to. It is created if needed, and must be empty if it exists.
    random_state : int
        Random seed. The same seed draws the same photos, whatever the number of photos.
    train, test : int, optional
        Number of photos in each split, spread evenly over the labels. If the number is not divisible by the number of
        labels, the first labels get one more photo. The default is enough for a meaningful result after a minute of
        training.
    size : tuple of int, optional
        Width and height of the photos in pixels.

    Returns
    -------
    ExamplePhotos
        Paths and labels of the photos.

    Raises
    ------
    InputError
        If there is no example with this name, an argument is out of range, or ``folder`` is not empty or cannot be
        written.

    Examples
    --------
    >>> photos = cl.examples.write_photos("rooms", "rooms-photos", train=10, test=10, size=(160, 120))
    >>> photos.labels[:3]
    ('backyard', 'bathroom', 'bedroom')
    >>> cl.read_dataset(photos.train).label_counts["bedroom"].item()
    1
    """
    example = _module(name)
    random_state = check_random_state(random_state)
    counts = {"train": (train, example.TRAIN), "test": (test, example.TEST)}
    wanted = {split: check_integer(split, some if n is None else n, 0) for split, (n, some) in counts.items()}
    if size is not None and min(size) < 16:
        raise InputError(f"size={plain_repr(size)} is too small. Width and height must be at least 16 pixels.")
    target = _new_folder(folder)

    import numpy as np

    labels: tuple[str, ...] = example.LABELS
    kept = np.random.default_rng([zlib.crc32(name.encode()), random_state]).permutation(len(labels))[:_DETECT].tolist()
    photos = {  # file: (split, number)
        target / _file(example, name, split, number): (split, number)
        for split, count in wanted.items()
        for number in range(count)
    }
    detect = {target / "detect" / f"new_{n + 1:02}.jpg": ("detect", n * len(labels) + k) for n, k in enumerate(kept)}
    photos |= detect

    def paint(path: Path) -> Picture:
        split, number = photos[path]
        which, n = number % len(labels), number // len(labels)
        rng = np.random.default_rng([zlib.crc32(name.encode()), random_state, _SPLITS.index(split), which, n])
        picture: Picture = example.paint(split, number, rng, size or example.SIZE)
        picture.image.save(path, "JPEG", quality=_QUALITY)
        return picture

    with _whole_or_nothing(target), write_errors(f"folder={str(target)!r}"):
        for part in {path.parent for path in photos} | {target / split for split in _SPLITS}:
            part.mkdir(parents=True, exist_ok=True)
        pictures = dict(zip(photos, map_bounded(paint, photos, workers=settings.threads), strict=True))
        written = {split: _write_annotations(example, target, split, pictures) for split in ("train", "test")}
    answers = {path.name: pictures[path].shown for path in detect}
    return ExamplePhotos(name, labels, written["train"], written["test"], tuple(detect), answers)


def _new_folder(folder: str | os.PathLike[str]) -> Path:
    target = Path(folder)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"folder={os.fspath(folder)!r} already exists and is not empty. Choose a new folder.")
    return target


@contextmanager
def _whole_or_nothing(target: Path) -> Iterator[None]:
    """Remove what was written if writing fails or is interrupted: a partial example would block the next attempt."""
    try:
        yield
    except BaseException:
        for split in _SPLITS:
            shutil.rmtree(target / split, ignore_errors=True)
            for file in target.glob(f"{split}.*"):
                file.unlink(missing_ok=True)
        raise


def _file(example: Any, name: str, split: str, number: int) -> str:
    if example.FILES[split] != "folders":
        return f"{split}/{name}_{number + 1:03}.jpg"
    label, n = example.LABELS[number % len(example.LABELS)], number // len(example.LABELS)
    return f"{split}/{label}/{label}_{n + 1:02}.jpg"


def _write_annotations(example: Any, target: Path, split: str, pictures: dict[Path, Picture]) -> Path:
    """Write the annotations of a split, unless its folders are the labels, and return its ``read_dataset`` source."""
    if example.FILES[split] == "folders":
        return target / split
    import pandas as pd

    from customlabels_nb.datasets.dataset import Dataset

    rows: list[tuple[Any, ...]] = []
    table_rows: list[tuple[Any, ...]] = []
    for path, picture in pictures.items():
        if path.parent == target / split:
            image = f"{split}/{path.name}"
            rows.append((image, "labelled", *picture.image.size))
            table_rows += [(image, label, None, None, None, None) for label in picture.labels]
            table_rows += [(image, box.label, box.left, box.top, box.width, box.height) for box in picture.boxes]
    dataset = Dataset(
        pd.DataFrame(rows, columns=["image", "status", "width", "height"]),
        pd.DataFrame(table_rows, columns=["image", "label", "left", "top", "width", "height"]).assign(created=_CREATED),
        example.LABELS,
        name=split,
        root=target,
    )
    file = target / f"{split}{'.csv' if example.FILES[split] == 'csv' else '.json'}"
    dataset.to(example.FILES[split], file)
    return file


@names_arguments
def create(
    name: str,
    folder: str | os.PathLike[str] = ".",
    *,
    random_state: int = 0,
    train: int | None = None,
    test: int | None = None,
    size: tuple[int, int] | None = None,
) -> Project:
    """Create an example project in ``<folder>/<name>``, with its photos in ``<folder>/<name>-photos``.

    See :func:`write_photos` for the other arguments. The photos in ``<name>-photos/detect`` belong to neither dataset.

    Raises
    ------
    InputError
        If there is no example with this name, a split would be empty, or the photo folder is not empty.
    ProjectExistsError
        If a file or folder with the project's name already exists.

    Examples
    --------
    >>> cl.examples.create("circuit_boards", train=3, test=2, size=(160, 120))
    Project('circuit_boards': train 3, test 2 images; 4 labels; 0 versions)
    """
    example = _module(name)
    if train == 0 or test == 0:
        raise InputError(
            f"train={train}, test={test}: a project needs photos in both splits. Use write_photos for a single split."
        )
    from customlabels_nb.datasets.loading import read_dataset
    from customlabels_nb.project.projects import create_project

    project = create_project(name, folder, task=example.TASK)
    try:
        photos = write_photos(
            name, Path(folder) / f"{name}-photos", random_state=random_state, train=train, test=test, size=size
        )
    except BaseException:
        project.delete(confirm=True)
        raise
    for label in example.LABELS:
        project.labels.add(label)
    folders: dict[Split, Path] = {"train": photos.train, "test": photos.test}
    for split, photo_folder in folders.items():
        if example.FILES[split] == "folders":
            project.add_images(photo_folder, split=split, labels_from="folders", progress=False)
        else:
            project.import_dataset(read_dataset(photo_folder), split=split, progress=False)
    return project
