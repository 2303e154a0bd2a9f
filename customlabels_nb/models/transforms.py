"""Preprocess images for a network: resize, stack and normalise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    import torch

Pixels = npt.NDArray[np.uint8]

#: Part of the key of cached features. Increase it when :func:`to_pixels` or :func:`to_batch` returns different values.
TRANSFORM_VERSION = 1


def to_pixels(image: Image.Image, size: int) -> Pixels:
    """Resize the entire image to a square, as uint8 of shape (3, size, size), ignoring its aspect ratio.

    Unlike a centre crop, this loses nothing at the edges. To save time, open the image with
    ``images.open_image(…, at_least=size)``, which decodes large JPEGs at a fraction of their size.
    """
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    small = rgb.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def to_batch(
    pixels: Sequence[Pixels],
    mean: Sequence[float],
    std: Sequence[float],
    device: str | torch.device = "cpu",
) -> torch.Tensor:
    """Stack images into a normalised float32 batch of shape (n, 3, size, size) on ``device``, in channels-last format.

    An NVIDIA GPU copies from pinned memory, so that the copy does not wait for the work that the GPU still has to do.
    The channels-last memory format changes features by less than 1e-5 and makes the forward pass 1.3 to 1.5 times as
    fast on a CPU.
    """
    import torch

    stacked, scale = torch.from_numpy(np.stack(pixels)), torch.tensor([list(mean), list(std)])
    pinned = torch.device(device).type == "cuda"  # other devices might still read memory that is freed after the call
    if pinned:
        stacked, scale = stacked.pin_memory(), scale.pin_memory()
    batch = stacked.to(device, non_blocking=pinned).float().div_(255)
    centre, spread = scale.to(device, non_blocking=pinned).view(2, 1, 3, 1, 1)
    return batch.sub_(centre).div_(spread).contiguous(memory_format=torch.channels_last)
