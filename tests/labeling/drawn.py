"""Small project with boxes and predictions, for tests of crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project

SIZE = (120, 90)
Box: TypeAlias = tuple[float, float, float, float]
FIRST, SECOND, THIRD, FAR = (5, 5, 20, 30), (40, 10, 20, 20), (70, 40, 30, 30.5), (5, 50, 20, 30)
#: Labels and boxes of the images: the second has a box twice, the fourth is not labelled.
DRAWN: dict[str, list[tuple[str, Box]]] = {
    "0.png": [("cat", FIRST), ("dog", SECOND), ("cat", THIRD)],
    "1.png": [("cat", FIRST), ("dog", FIRST)],
    "2.png": [("dog", SECOND)],
    "3.png": [],
}
#: Predictions: another label for a box and one that is nowhere else, and two of an image without labels.
PREDICTED: dict[str, list[tuple[str, Box, float]]] = {
    "0.png": [("dog", (6, 6, 20, 30), 0.9), ("cat", FAR, 0.8)],
    "3.png": [("cat", FIRST, 0.7), ("dog", SECOND, 0.6)],
}


def table(rows: dict[str, list[Any]], folder: Path) -> pd.DataFrame:
    columns = ["image", "label", *BOX_COLUMNS]
    marks = [(str(folder / name), label, *box, *rest) for name, all_of in rows.items() for label, box, *rest in all_of]
    return pd.DataFrame(marks, columns=columns + ["confidence"] * (len(marks[0]) > len(columns)))


def draw_photos(folder: Path) -> Path:
    """Write a photo for each image of :data:`DRAWN`."""
    for name in DRAWN:
        pixels = np.random.default_rng(int(name[0])).integers(0, 255, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize(SIZE).save(folder / name)
    return folder


def drawn_project(folder: Path, photos: Path) -> Project:
    """Return a project with the boxes of :data:`DRAWN` in train."""
    made = create_project("things", folder, task="boxes")
    made.add_images(photos, progress=False)
    whole = pd.DataFrame({"image": [str(photos / "2.png")], "label": ["dog"]})
    made.add_images(pd.concat([table(DRAWN, photos), whole]), on_known="replace", progress=False)
    return made


def crop(photos: Path, image: str, box: Sequence[float], number: int = 1) -> str:
    return f"{photos / image}#xywh={','.join(f'{side:g}' for side in box)}" + (f"&n={number}" if number > 1 else "")
