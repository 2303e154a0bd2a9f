"""The example "logos": three brands that don't exist, shown alone to train on and in scenes with boxes to test.

A scene has one or two logos and signs that only look like them. A box is what is seen of a
logo, found on the canvas once everything is painted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from customlabels_nb.examples._picture import Picture
from customlabels_nb.examples._shapes import Frame
from customlabels_nb.examples.logos import _goods as goods
from customlabels_nb.examples.logos import _streets as streets
from customlabels_nb.examples.logos._marks import BRANDS
from customlabels_nb.examples.logos._sheets import sheet
from customlabels_nb.examples.logos._stage import Stage

LABELS = tuple(BRANDS)
TASK = "boxes"
FILES = {"train": "folders", "test": "coco"}
TRAIN, TEST, SIZE = 21, 42, (640, 480)

Painter = Callable[[np.random.Generator, tuple[int, int], list[str | None]], tuple[Image.Image, Stage]]


def _on_table(thing: Callable[[Stage, Frame], None]) -> Painter:
    return lambda rng, size, signs: goods.table(rng, size, signs, thing)


SCENES: dict[str, Painter] = {
    "shop": streets.shop,
    "mug": _on_table(goods.mug),
    "van": streets.van,
    "shirts": goods.shirts,
    "parcel": _on_table(goods.parcel),
    "billboard": streets.billboard,
    "laptop": _on_table(goods.laptop),
    "phone": _on_table(goods.phone),
    "cap": _on_table(goods.cap),
    "bag": _on_table(goods.bag),
}

_TRIES = 5


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """A logo alone for training, otherwise a scene; brands and kinds of scenes take turns."""
    brand = LABELS[number % len(LABELS)]
    if split == "train":
        return Picture(sheet(brand, number // len(LABELS), rng, size), (brand,))
    kind = list(SCENES)[number % len(SCENES)]
    for _ in range(_TRIES):  # a file of COCO can't say of a picture that it was looked at and shows nothing
        signs: list[str | None] = [brand]
        if rng.random() < 0.4:
            signs.append(str(rng.choice(LABELS)))
        elif rng.random() < 0.7:
            signs.append(None)
        image, stage = SCENES[kind](rng, size, signs)
        boxes = stage.boxes()
        if boxes:
            break
    return Picture(image, boxes=boxes)
