"""The example "flowers": photos of flowers and buds with and without leaves, drawn by program.

Nine labels, three a photo: which of five kinds it is, whether leaves grow on it, and whether it is in full bloom.
Every combination occurs. The kinds share colours, grounds and light; leaves out of focus may be behind flowers that
have none, and a bud may stand among open flowers.
"""

from __future__ import annotations

import numpy as np

from customlabels_nb.examples._picture import Picture
from customlabels_nb.examples.flowers._scenes import Wish, compose
from customlabels_nb.examples.flowers._species import SPECIES

_KINDS = tuple(SPECIES)

LABELS = tuple(sorted((*_KINDS, "fully_grown", "not_fully_grown", "with_leaves", "without_leaves")))
TASK = "multi-label"
FILES = {"train": "csv", "test": "csv"}
TRAIN, TEST, SIZE = 100, 60, (480, 360)


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """A picture of flowers."""
    asked = wish(number)
    return Picture(compose(rng, size, asked), shown(asked))


def wish(number: int) -> Wish:
    """What the picture of that number is to show; the twenty combinations take turns."""
    return Wish(_KINDS[number % 5], leafy=(number // 5) % 2 == 0, grown=(number // 10) % 2 == 0)


def shown(asked: Wish) -> tuple[str, ...]:
    """The three labels of a picture: its kind, its age, its leaves."""
    return (
        asked.species,
        "fully_grown" if asked.grown else "not_fully_grown",
        "with_leaves" if asked.leafy else "without_leaves",
    )
