"""Segmenter without a network: an object is what has the color at a click, or in the middle of the box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from customlabels_nb.images.outlining import Box, Click, Encoded, Logits


class ColorSegmenter:
    """Segmenter that counts its calls."""

    name, version = "by-color", "1"

    def __init__(self) -> None:
        self.encoded: list[tuple[int, int]] = []
        self.previous: list[bool] = []

    def encode(self, image: Image.Image) -> Encoded:
        self.encoded.append(image.size)
        return {"pixels": np.asarray(image.convert("RGB"), dtype=np.float16)}

    def mask(
        self,
        encoded: Encoded,
        size: tuple[int, int],
        *,
        box: Box | None = None,
        clicks: Sequence[Click] = (),
        previous: Logits | None = None,
    ) -> tuple[Logits, float]:
        self.previous.append(previous is not None)
        pixels = encoded["pixels"].astype(np.float32)
        logits = np.full(pixels.shape[:2], -1, dtype=np.float32)
        middle = [Click(box[0] + box[2] / 2, box[1] + box[3] / 2, True)] if box else []
        for click in [*middle, *clicks]:
            color = pixels[min(int(click.y), size[1] - 1), min(int(click.x), size[0] - 1)]
            logits[np.abs(pixels - color).max(axis=2) < 40] = 1 if click.inside else -1
        if box:
            outside = np.ones_like(logits, dtype=bool)
            left, top, right, bottom = map(int, (box[0], box[1], box[0] + box[2], box[1] + box[3]))
            outside[max(0, top) : bottom, max(0, left) : right] = False
            logits[outside] = -1
        return logits, 0.9


def shapes_picture(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Draw a red disc and a blue square on grey."""
    from PIL import ImageDraw

    picture = Image.new("RGB", size, "#888888")
    draw: Any = ImageDraw.Draw(picture)
    draw.ellipse((10, 10, 50, 50), fill="#cc2020")
    draw.rectangle((70, 20, 99, 59), fill="#2030cc")
    return picture
