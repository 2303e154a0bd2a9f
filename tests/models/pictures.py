"""Images drawn for tests that need no photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def gradient(width: int = 300, height: int = 200) -> Image.Image:
    """Return an image of smooth colors, always the same."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = np.stack([x, y, 0.5 + 0.5 * np.sin(12 * x * y)], axis=2)
    return Image.fromarray((waves * 255).round().astype(np.uint8))


def blot(color: tuple[int, int, int], random_state: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Return an image of a colored disc at a random position on noise."""
    rng = np.random.default_rng(random_state)
    width, height = size
    pixels = rng.integers(90, 160, (height, width, 3))
    y, x = np.mgrid[:height, :width]
    inside = (x - rng.integers(50, width - 50)) ** 2 + (y - rng.integers(45, height - 45)) ** 2 < 40**2
    pixels[inside] = np.clip(np.array(color) + rng.integers(-20, 20, 3), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def save_blots(folder: Path, color: tuple[int, int, int], count: int, random_state: int = 0) -> list[str]:
    """Write ``count`` of them as JPEG files and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        blot(color, random_state + i).save(path, quality=90)
    return [str(path) for path in paths]
