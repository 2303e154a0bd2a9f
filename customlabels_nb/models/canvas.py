"""Preprocess images for a detector by scaling them onto a canvas with their aspect ratio preserved (letterboxing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.core.geometry import FloatArray, clip_ltwh, xyxy_to_ltwh
from customlabels_nb.images.decoding import TURNED, opened, orientation
from customlabels_nb.images.reading import open_image
from customlabels_nb.models.detector_shape import STRIDE

_SHRINKS_WHILE_DECODING = ("JPEG", "MPO")


@dataclass(frozen=True)
class Canvas:
    """Upright image of ``size`` in the upper left corner, ``inside``, of a detector's input, and a larger one."""

    pixels: npt.NDArray[np.uint8]
    size: tuple[int, int]
    inside: tuple[int, int]
    larger: Canvas | None = None

    def to_image(self, corners: npt.ArrayLike) -> FloatArray:
        """Convert ``x0, y0, x1, y1`` on the canvas to ``left, top, width, height`` in the original image."""
        scale = np.divide(self.size, self.inside)
        boxes = np.asarray(corners, dtype=np.float64).reshape(-1, 4) * np.tile(scale, 2)
        return clip_ltwh(xyxy_to_ltwh(boxes), self.size)


def to_canvas(
    image: Image.Image,
    longest: int,
    fill: Sequence[int],
    *,
    size: tuple[int, int] | None = None,
    larger: int | None = None,
) -> Canvas:
    """Scale an upright image so that its longer side has ``longest`` pixels, and place it on a canvas.

    ``fill`` is the color of the rest, ``size`` that of the original image, if ``image`` is a reduced copy of it, and
    ``larger`` the longer side of a second canvas.
    """
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    inside = fitted(rgb.size, longest)
    small = rgb.resize(inside, Image.Resampling.BICUBIC, reducing_gap=3.0)
    width, height = (-(-side // STRIDE) * STRIDE for side in inside)
    pixels = np.empty((3, height, width), dtype=np.uint8)
    pixels[:] = np.asarray(fill, dtype=np.uint8)[:, None, None]
    pixels[:, : inside[1], : inside[0]] = np.asarray(small).transpose(2, 0, 1)
    again = None if larger is None else to_canvas(rgb, larger, fill, size=size or image.size)
    return Canvas(pixels, size or image.size, inside, again)


def fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return the width and height, each at least 1, of an image after scaling its longer side to ``longest``."""
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def open_reduced(data: bytes, name: str, longest: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode an upright RGB image, perhaps reduced to at least ``longest``, and return its original size."""
    with opened(data, name) as header:
        if header.format not in _SHRINKS_WHILE_DECODING:
            size = None
        else:
            size = header.size[::-1] if orientation(header, data) in TURNED else header.size
    if size is None:
        image = open_image(data, name=name)
        return image, image.size
    shorter = max(1, round(longest * min(size) / max(size)))  # open_image() expects the shorter side
    return open_image(data, name=name, at_least=shorter), (size[0], size[1])


def open_canvas(data: bytes, name: str, longest: int, fill: Sequence[int], *, larger: int | None = None) -> Canvas:
    """Decode an image onto a canvas, see :func:`open_reduced` and :func:`to_canvas`."""
    image, size = open_reduced(data, name, larger or longest)
    return to_canvas(image, longest, fill, size=size, larger=larger)
