"""Example photos for those who have none at hand: drawn by program, the same for the same seed.

Another example is another module with ``LABELS`` and ``draw(label, rng, size)``, and one line in ``_EXAMPLES``.
"""

from __future__ import annotations

import os
import shutil
import zlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from customlabels_nb.errors import InputError
from customlabels_nb.settings import settings
from customlabels_nb.work import map_bounded

if TYPE_CHECKING:
    from customlabels_nb.project import Project

_EXAMPLES = {
    "rooms": "customlabels_nb.examples.rooms",
}

NAMES = tuple(_EXAMPLES)

_SPLITS = ("train", "test", "detect")
_DETECT = 2
_QUALITY = 90


@dataclass(frozen=True)
class ExamplePhotos:
    """Where an example's photos lie.

    Attributes
    ----------
    name : str
        The example.
    labels : tuple of str
        Its labels, in order.
    train, test : Path
        Folders that hold one folder a label.
    detect : tuple of Path
        Photos kept out, whose names don't tell what they show.
    answers : dict
        What they do show: label by file name.
    """

    name: str
    labels: tuple[str, ...]
    train: Path
    test: Path
    detect: tuple[Path, ...]
    answers: dict[str, str]


def write_photos(
    name: str,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    train: int = 60,
    test: int = 56,
    size: tuple[int, int] = (480, 360),
) -> ExamplePhotos:
    """Draw an example's photos into ``folder/train``, ``folder/test`` and ``folder/detect`` as JPEG files.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    folder : path
        Made if it isn't there; must be empty if it is.
    seed : int
        The same seed draws the same photos, and a photo doesn't depend on how many there are.
    train, test : int
        Photos of each split, spread evenly over the labels; the first labels get one more where that doesn't divide.
    size : tuple of int
        Width and height in pixels.

    Returns
    -------
    ExamplePhotos

    Raises
    ------
    InputError
        If there is no such example, a number is negative, or ``folder`` holds something already.
    """
    if name not in _EXAMPLES:
        raise InputError(f"name={name!r} isn't an example; known: {', '.join(NAMES)}.")
    for argument, value in (("seed", seed), ("train", train), ("test", test)):
        if value < 0:
            raise InputError(f"{argument}={value!r} must not be negative.")
    if min(size) < 16:
        raise InputError(f"size={size!r} is too small; give a width and height of 16 pixels or more.")
    place = Path(folder)
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise InputError(f"folder={os.fspath(folder)!r} exists and isn't an empty folder; name a new one.")

    import numpy as np

    example = import_module(_EXAMPLES[name])
    labels: tuple[str, ...] = example.LABELS
    kept = np.random.default_rng([zlib.crc32(name.encode()), seed]).permutation(len(labels))[:_DETECT].tolist()
    photos = [(0, k, n, f"train/{labels[k]}/{labels[k]}_{n + 1:02}.jpg") for k, n in _spread(train, len(labels))]
    photos += [(1, k, n, f"test/{labels[k]}/{labels[k]}_{n + 1:02}.jpg") for k, n in _spread(test, len(labels))]
    photos += [(2, k, n, f"detect/new_{n + 1:02}.jpg") for n, k in enumerate(kept)]

    def write(photo: tuple[int, int, int, str]) -> None:
        split, k, n, path = photo
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed, split, k, n])
        example.draw(labels[k], rng, size).save(place / path, "JPEG", quality=_QUALITY)

    try:
        for path in {place / photo[3] for photo in photos} | {place / split / "x" for split in _SPLITS}:
            path.parent.mkdir(parents=True, exist_ok=True)
        for _ in map_bounded(write, photos, workers=settings.threads):
            pass
    except BaseException:  # an interrupt too: half an example would be in the way of the next try
        for split in _SPLITS:
            shutil.rmtree(place / split, ignore_errors=True)
        raise
    new = tuple(place / photo[3] for photo in photos if photo[0] == 2)
    answers = {path.name: labels[k] for path, k in zip(new, kept, strict=True)}
    return ExamplePhotos(name, labels, place / "train", place / "test", new, answers)


def _spread(total: int, labels: int) -> list[tuple[int, int]]:
    """Pairs (label, number within it) for ``total`` photos."""
    return sorted((k % labels, k // labels) for k in range(total))


def create(
    name: str,
    folder: str | os.PathLike[str] = ".",
    *,
    seed: int = 0,
    train: int = 60,
    test: int = 56,
    size: tuple[int, int] = (480, 360),
) -> Project:
    """Draw an example's photos into ``<folder>/<name>-photos`` and make the project ``<folder>/<name>`` of them.

    The arguments are those of :func:`write_photos`. The photos in ``<name>-photos/detect`` are in neither dataset.

    Raises
    ------
    InputError
        If there is no such example, or the photos' folder isn't empty.
    ProjectExistsError
        If there is something of the project's name already.
    """
    from customlabels_nb.projects import create_project

    project = create_project(name, folder, task="single-label")
    try:
        photos = write_photos(name, Path(folder) / f"{name}-photos", seed=seed, train=train, test=test, size=size)
    except BaseException:
        project.delete(confirm=True)
        raise
    for split, place in (("train", photos.train), ("test", photos.test)):
        project.add_images(place, split=split, auto_label=True, progress=False)
    return project
