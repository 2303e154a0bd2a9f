"""Drawn squares with known boxes, for training detectors in tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from customlabels_nb.training.boxes_data import Example

COLORS = ((220, 40, 30), (30, 60, 220))


def drawn_squares(
    folder: Path,
    count: int,
    *,
    size: tuple[int, int] = (128, 96),
    random_state: int = 0,
    sides: tuple[int, int] = (30, 50),
) -> list[Example]:
    """Write PNG files with one colored rectangle each on noise, alternating between the labels 0 and 1."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(random_state)
    examples = []
    for index in range(count):
        pixels = rng.integers(90, 160, (size[1], size[0], 3)).astype(np.uint8)
        width, height = (int(side) for side in rng.integers(*sides, size=2))
        left, top = int(rng.integers(0, size[0] - width)), int(rng.integers(0, size[1] - height))
        label = index % 2
        pixels[top : top + height, left : left + width] = COLORS[label]
        path = folder / f"{index:03}.png"
        Image.fromarray(pixels).save(path)
        box = np.array([[left, top, width, height]], dtype=np.float64)
        examples.append(Example(str(path), None, box, np.array([label])))
    return examples
