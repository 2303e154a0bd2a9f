"""Example projects for those who have no photos at hand: drawn by program, the same for the same seed.

Another example is another module and its name in ``NAMES``. The module has ``LABELS`` and ``TASK`` (as in
``create_project``), ``FILES`` (how the annotations of each split are written: "folders" by label, "csv" or "coco"),
``TRAIN``, ``TEST`` and ``SIZE`` (the defaults) and ``paint(split, number, rng, size)``, which returns a
:class:`~customlabels_nb.examples._drawing.Picture`.
"""

from __future__ import annotations

import os
import shutil
import zlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.errors import InputError
from customlabels_nb.settings import settings

if TYPE_CHECKING:
    from customlabels_nb.examples._drawing import Picture
    from customlabels_nb.project.project import Project

NAMES = ("circuit_boards", "flowers", "logos", "rooms")

_SPLITS = ("train", "test", "detect")
_DETECT = 2
_QUALITY = 90
_CREATED = "2026-01-01T00:00:00Z"  # the same seed writes the same files


@dataclass(frozen=True)
class ExamplePhotos:
    """Where an example's photos are.

    Attributes
    ----------
    name : str
        The example.
    labels : tuple of str
        Its labels, in order.
    train, test : Path
        What ``cl.read_dataset`` reads: a folder that holds one folder a label, or a file of annotations.
    detect : tuple of Path
        Photos kept out, whose names don't tell what they show.
    answers : dict
        What they do show: labels by file name.
    """

    name: str
    labels: tuple[str, ...]
    train: Path
    test: Path
    detect: tuple[Path, ...]
    answers: dict[str, tuple[str, ...]]


def _module(name: str) -> Any:
    if name not in NAMES:
        raise InputError(f"name={name!r} isn't an example; known: {', '.join(NAMES)}.")
    return import_module(f"customlabels_nb.examples.{name}")


def write_photos(
    name: str,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    train: int | None = None,
    test: int | None = None,
    size: tuple[int, int] | None = None,
) -> ExamplePhotos:
    """Draw an example's photos into ``folder/train``, ``folder/test`` and ``folder/detect`` as JPEG files.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`: "rooms" (one label a photo), "flowers" (several), "logos" (pictures of logos to train on,
        scenes with boxes to test) or "circuit_boards" (boxes).
    folder : path
        Made if it isn't there; must be empty if it is.
    seed : int
        The same seed draws the same photos, and a photo doesn't depend on how many there are.
    train, test : int, optional
        Photos of each split, spread evenly over the labels; the first labels get one more where that doesn't divide.
        As many as show something after a minute of training unless told.
    size : tuple of int, optional
        Width and height in pixels.

    Returns
    -------
    ExamplePhotos

    Raises
    ------
    InputError
        If there is no such example, a number is negative, or ``folder`` holds something already.
    """
    example = _module(name)
    for argument, value in (("seed", seed), ("train", train), ("test", test)):
        if value is not None and value < 0:
            raise InputError(f"{argument}={value!r} must not be negative.")
    if size is not None and min(size) < 16:
        raise InputError(f"size={size!r} is too small; give a width and height of 16 pixels or more.")
    place = Path(folder)
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise InputError(f"folder={os.fspath(folder)!r} exists and isn't an empty folder; name a new one.")

    import numpy as np

    labels: tuple[str, ...] = example.LABELS
    kept = np.random.default_rng([zlib.crc32(name.encode()), seed]).permutation(len(labels))[:_DETECT].tolist()
    photos = {  # split and number of each file
        place / _file(example, name, split, number): (split, number)
        for split, count, default in (("train", train, example.TRAIN), ("test", test, example.TEST))
        for number in range(default if count is None else count)
    }
    detect = {place / "detect" / f"new_{n + 1:02}.jpg": ("detect", n * len(labels) + k) for n, k in enumerate(kept)}
    photos |= detect

    def paint(path: Path) -> Picture:
        split, number = photos[path]
        which, n = number % len(labels), number // len(labels)
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed, _SPLITS.index(split), which, n])
        picture: Picture = example.paint(split, number, rng, size or example.SIZE)
        picture.image.save(path, "JPEG", quality=_QUALITY)
        return picture

    try:
        for folder in {path.parent for path in photos} | {place / split for split in _SPLITS}:
            folder.mkdir(parents=True, exist_ok=True)
        pictures = dict(zip(photos, map_bounded(paint, photos, workers=settings.threads), strict=True))
        written = {split: _write_annotations(example, place, split, pictures) for split in ("train", "test")}
    except BaseException:  # an interrupt too: half an example would be in the way of the next try
        for split in _SPLITS:
            shutil.rmtree(place / split, ignore_errors=True)
            for file in place.glob(f"{split}.*"):
                file.unlink(missing_ok=True)
        raise
    answers = {path.name: pictures[path].shown for path in detect}
    return ExamplePhotos(name, labels, written["train"], written["test"], tuple(detect), answers)


def _file(example: Any, name: str, split: str, number: int) -> str:
    if example.FILES[split] != "folders":
        return f"{split}/{name}_{number + 1:03}.jpg"
    label, n = example.LABELS[number % len(example.LABELS)], number // len(example.LABELS)
    return f"{split}/{label}/{label}_{n + 1:02}.jpg"


def _write_annotations(example: Any, place: Path, split: str, pictures: dict[Path, Picture]) -> Path:
    """Write what the pictures of a split show, unless their folders say it; return what ``read_dataset`` takes."""
    if example.FILES[split] == "folders":
        return place / split
    import pandas as pd

    from customlabels_nb.datasets.dataset import Dataset

    rows: list[tuple[Any, ...]] = []
    marks: list[tuple[Any, ...]] = []
    for path, picture in pictures.items():
        if path.parent == place / split:
            image = f"{split}/{path.name}"
            rows.append((image, "labelled", *picture.image.size))
            marks += [(image, label, None, None, None, None) for label in picture.labels]
            marks += [(image, box.label, box.left, box.top, box.width, box.height) for box in picture.boxes]
    dataset = Dataset(
        pd.DataFrame(rows, columns=["image", "status", "width", "height"]),
        pd.DataFrame(marks, columns=["image", "label", "left", "top", "width", "height"]).assign(created=_CREATED),
        example.LABELS,
        name=split,
        root=place,
    )
    file = place / f"{split}{'.csv' if example.FILES[split] == 'csv' else '.json'}"
    dataset.to(example.FILES[split], file)
    return file


def create(
    name: str,
    folder: str | os.PathLike[str] = ".",
    *,
    seed: int = 0,
    train: int | None = None,
    test: int | None = None,
    size: tuple[int, int] | None = None,
) -> Project:
    """Draw an example's photos into ``<folder>/<name>-photos`` and make the project ``<folder>/<name>`` of them.

    The arguments are those of :func:`write_photos`. The photos in ``<name>-photos/detect`` are in neither dataset.

    Raises
    ------
    InputError
        If there is no such example, a split would be empty, or the photos' folder isn't empty.
    ProjectExistsError
        If there is something of the project's name already.
    """
    example = _module(name)
    if train == 0 or test == 0:
        raise InputError(
            f"train={train!r} and test={test!r}: a project needs photos of both; write_photos draws one split alone."
        )
    from customlabels_nb.datasets.loading import read_dataset
    from customlabels_nb.project.projects import create_project

    project = create_project(name, folder, task=example.TASK)
    try:
        photos = write_photos(name, Path(folder) / f"{name}-photos", seed=seed, train=train, test=test, size=size)
    except BaseException:
        project.delete(confirm=True)
        raise
    for label in example.LABELS:
        project.labels.add(label)
    for split, place in (("train", photos.train), ("test", photos.test)):
        if example.FILES[split] == "folders":
            project.add_images(place, split=split, auto_label=True, progress=False)
        else:
            project.import_dataset(read_dataset(place), split=split, progress=False)
    return project
