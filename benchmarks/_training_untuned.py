"""Untuned part of ``training.py``: small objects, many objects, and a rare label.

Round cut-outs of fruit photos are pasted on other photos. Training and test images share neither fruit photos nor
backgrounds.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _measure import figure, heading
from _training_judging import train_and_judge
from _training_photos import folder_of
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from customlabels_nb.training.boxes_data import Example

LABELS = ["apple", "banana", "orange"]
TRAIN, TEST = 60, 30
_LONGEST = 1024


@dataclass(frozen=True)
class Kind:
    """Kind of scene: number of objects, their share of the longer side, and the rare label."""

    objects: tuple[int, int]
    share: tuple[float, float]
    rare: tuple[str, int] | None = None


KINDS = {
    "small objects": Kind((2, 5), (0.03, 0.06)),
    "many objects": Kind((12, 24), (0.06, 0.13)),
    "a rare label": Kind((1, 3), (0.1, 0.3), rare=("banana", 3)),
}


def untuned_part(seeds: Sequence[int], *, budget: str | None, steps: int | None, input_size: int | None) -> None:
    """Print AP50 and AP of each kind."""
    from customlabels_nb.training.detection_learner import truth_table

    grounds = sorted(folder_of("raccoon").glob("images/*.jpg"))
    fruit = {label: sorted(folder_of("fruit").glob(f"{label}/*.jpg")) for label in LABELS}
    if not grounds or not all(fruit.values()):
        print(f"There are no photos in {folder_of('fruit')}, so small, many and rare objects are skipped.")
        return
    how = {"budget": budget, "steps": steps, "input_size": input_size}
    heading(f"Fruit on photos, {TRAIN} for training, {TEST} for testing, {budget or f'{steps} steps'}:")
    for name, kind in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            train, test = make_scenes(Path(folder), kind, grounds, fruit)
            tests = [example.image for example in test]
            truth = truth_table(tests, test, LABELS)
            judged = [
                train_and_judge(
                    f"{name}, seed {random_state}", train, tests, truth, LABELS, random_state=random_state, **how
                )
                for random_state in seeds
            ]
        means = [statistics.mean(column) for column in zip(*judged, strict=True)]
        figure(f"{name}: AP50, AP, mean", ", ".join(f"{value:.3f}" for value in means))


def make_scenes(
    folder: Path, kind: Kind, grounds: Sequence[Path], fruit: dict[str, list[Path]]
) -> tuple[list[Example], list[Example]]:
    """Write training and test scenes to ``folder`` and return them."""
    rng = np.random.default_rng(7)
    train, test = [], []
    for number in range(TRAIN + TEST):
        testing = number >= TRAIN
        parity = int(testing)
        ground = _opened(grounds[(2 * int(rng.integers(len(grounds) // 2))) + parity])
        labels = list(LABELS)
        if kind.rare is not None and not testing and number >= kind.rare[1]:
            labels.remove(kind.rare[0])
        boxes: list[tuple[int, int, int, int]] = []
        at: list[int] = []
        for place in range(int(rng.integers(kind.objects[0], kind.objects[1] + 1))):
            label = str(rng.choice(labels))
            if kind.rare is not None and place == 0 and (number < kind.rare[1] or number % 3 == 0) and len(labels) == 3:
                label = kind.rare[0]
            photos = fruit[label][parity::2]
            box = _put(rng, ground, _cutting(photos[int(rng.integers(len(photos)))]), kind.share, boxes)
            if box is not None:
                boxes.append(box)
                at.append(LABELS.index(label))
        path = folder / f"{number:03d}.jpg"
        ground.save(path, quality=88)
        example = Example(str(path), None, np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(at, dtype=int))
        (test if testing else train).append(example)
    return train, test


def _opened(path: Path) -> Image.Image:
    """Open a photo upright and reduce it to the longest allowed side."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    return ImageOps.contain(image, (_LONGEST, _LONGEST))


def _cutting(path: Path) -> Image.Image:
    """Cut a soft disc out of the centre of a photo."""
    image = _opened(path)
    side = min(image.size)
    square = ImageOps.fit(image, (side, side))
    mask = Image.new("L", square.size)
    ImageDraw.Draw(mask).ellipse((2, 2, side - 3, side - 3), fill=255)
    square.putalpha(mask.filter(ImageFilter.GaussianBlur(side / 100)))
    return square


def _put(
    rng: np.random.Generator,
    image: Image.Image,
    cutting: Image.Image,
    share: tuple[float, float],
    taken: Sequence[tuple[int, int, int, int]],
) -> tuple[int, int, int, int] | None:
    """Paste a cut-out at a free position and return its box, or None if there is no room."""
    side = int(max(image.size) * rng.uniform(*share))
    small = cutting.resize((side, side), Image.Resampling.LANCZOS)
    for _ in range(30):
        left, top = (int(rng.integers(0, max(1, length - side))) for length in image.size)
        if all(left > x + w or left + side < x or top > y + h or top + side < y for x, y, w, h in taken):
            image.paste(small, (left, top), small)
            return left, top, side, side
    return None
