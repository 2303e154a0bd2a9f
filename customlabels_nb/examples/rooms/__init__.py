"""The example "rooms": photos of a home's rooms and grounds, drawn by program.

Ten labels, one a photo. Rooms share walls, windows, lamps, pictures and plants, and are seen from many
viewpoints at many hours, so what tells them apart is what stands in them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from customlabels_nb.errors import InputError
from customlabels_nb.examples._picture import Picture
from customlabels_nb.examples.rooms._bathroom import bathroom
from customlabels_nb.examples.rooms._kitchen import kitchen
from customlabels_nb.examples.rooms._living import bedroom, living_space
from customlabels_nb.examples.rooms._outdoors import backyard, front_yard, patio
from customlabels_nb.examples.rooms._passing import closet, entry_way
from customlabels_nb.examples.rooms._plans import floor_plan

_PAINTERS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Image.Image]] = {
    "backyard": backyard,
    "bathroom": bathroom,
    "bedroom": bedroom,
    "closet": closet,
    "entry_way": entry_way,
    "floor_plan": floor_plan,
    "front_yard": front_yard,
    "kitchen": kitchen,
    "living_space": living_space,
    "patio": patio,
}

LABELS = tuple(_PAINTERS)
TASK = "single-label"
FILES = {"train": "folders", "test": "folders"}
TRAIN, TEST, SIZE = 60, 56, (480, 360)


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """A room; labels take turns."""
    label = LABELS[number % len(LABELS)]
    return Picture(draw(label, rng, size), (label,))


def draw(label: str, rng: np.random.Generator, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """A photo-like picture of a room.

    Parameters
    ----------
    label : str
        One of :data:`LABELS`.
    rng : numpy.random.Generator
        Decides everything about the picture; the same state draws the same one.
    size : tuple of int
        Width and height in pixels.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.

    Raises
    ------
    InputError
        If there is no such label.
    """
    if label not in _PAINTERS:
        raise InputError(f"label={label!r} isn't one of this example's labels: {', '.join(LABELS)}.")
    return _PAINTERS[label](rng, size)
