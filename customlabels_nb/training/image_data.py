"""In-memory cache for training images, each decoded once, and the augmentation of those of a classifier."""

from __future__ import annotations

import math
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import psutil

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image
from customlabels_nb.models.transforms import Pixels, to_pixels
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import torch

Decoded = TypeVar("Decoded")

#: Largest size of the decoded images in memory.
MOST_BYTES = 2 * 2**30

_ZOOM = (0.8, 1.35)  # factors; above 1, the edges of the image are cropped
_STRETCH = 0.1  # largest change of the aspect ratio, as a logarithm
_TURN = 12.0  # degrees
_SHIFT = 0.1  # share of the image's side
_BRIGHTNESS, _CONTRAST = 0.2, 0.25
_PLAIN = 0.15  # share of images without augmentation


class DecodedImages(ABC, Generic[Decoded]):
    """Thread-safe cache of decoded images. Images that exceed the memory limit are decoded again each time."""

    def __init__(self, images: Sequence[str], *, root: Path | None = None, cache_bytes: int | None = None) -> None:
        self.images = list(images)
        self.root = root
        quarter = int(psutil.virtual_memory().available) // 4
        usual = min(MOST_BYTES, quarter) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        self.cache_bytes = usual if cache_bytes is None else cache_bytes
        self.cached_bytes = 0
        self._issues: dict[int, dict[Issue, None]] = {}  # those of each image, in the order in which they were found
        self._kept: dict[int, Decoded] = {}
        self._unusable: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def issues(self) -> list[Issue]:
        """Problems with images found so far, in the order of the images and without duplicates."""
        with self._lock:
            return list(dict.fromkeys(issue for index in sorted(self._issues) for issue in self._issues[index]))

    def load(self, index: int, epoch: int = 0) -> Decoded | None:
        """Return the decoded image, the same in every epoch, or None with an issue."""
        with self._lock:
            if index in self._kept or index in self._unusable:
                return self._kept.get(index)
        try:
            decoded, issues = self._decode(index)
        except ImageError as error:
            decoded, issues = None, [Issue(error.code, error.reason, where=self.images[index])]
        with self._lock:
            if issues:  # decoding an image again repeats its issues
                self._issues.setdefault(index, {}).update(dict.fromkeys(issues))
            if decoded is None:
                self._unusable.add(index)
            elif self._fits(decoded) and index not in self._kept:
                self._kept[index] = decoded
                self.cached_bytes += self._bytes(decoded)
        return decoded

    def preload(self, events: Events) -> None:
        """Decode images in threads until the cache is full or all images are decoded."""
        workers = connections(self.images, settings.threads)
        events.progress("images", 0, len(self))
        with closing(map_bounded(self.load, range(len(self)), workers=workers)) as loaded:
            for done, decoded in enumerate(loaded, start=1):
                events.progress("images", done, len(self))
                if decoded is not None and not self._fits(decoded):
                    events.progress("images", len(self), len(self))
                    return

    @abstractmethod
    def _decode(self, index: int) -> tuple[Decoded | None, list[Issue]]:
        """Decode an image, and return it (or None if it is unusable) and its issues. May raise ImageError."""

    @abstractmethod
    def _bytes(self, decoded: Decoded) -> int: ...

    def _fits(self, decoded: Decoded) -> bool:
        return self.cached_bytes + self._bytes(decoded) <= self.cache_bytes


class ImagePixels(DecodedImages[Pixels]):
    """Cache of read-only arrays (3, side, side) of :func:`customlabels_nb.models.transforms.to_pixels`."""

    def __init__(
        self, images: Sequence[str], side: int, *, root: Path | None = None, cache_bytes: int | None = None
    ) -> None:
        super().__init__(images, root=root, cache_bytes=cache_bytes)
        self.side = side

    def load_all(self, indices: Sequence[int]) -> list[tuple[int, Pixels]]:
        """Decode images in threads, and return each readable image with its index."""
        workers = connections((self.images[index] for index in indices), settings.threads)
        with closing(map_bounded(self.load, indices, workers=workers)) as loaded:
            return [(index, pixels) for index, pixels in zip(indices, loaded, strict=True) if pixels is not None]

    def _decode(self, index: int) -> tuple[Pixels, list[Issue]]:
        pixels = to_pixels(open_image(self.images[index], root=self.root, at_least=self.side), self.side)
        pixels.flags.writeable = False
        return pixels, []

    def _bytes(self, decoded: Pixels) -> int:
        return decoded.nbytes


@dataclass(frozen=True)
class ImageChange:
    """Random augmentation of an image, as if a different camera had taken it: zoom, mirroring, rotation and lighting.

    ``move`` maps points of the new image to their sources, in half sides. Contrast is of normalised values.
    """

    move: npt.NDArray[np.float64]
    contrast: float
    brightness: float


def draw_change(rng: np.random.Generator, *, mirror: bool = True) -> ImageChange:
    """Draw random augmentation parameters from ``rng``. If ``mirror``, images are mirrored half of the time."""
    zoom = math.exp(rng.uniform(*np.log(_ZOOM)))
    stretch = math.exp(rng.uniform(-_STRETCH, _STRETCH) / 2)
    turn = math.radians(rng.uniform(-_TURN, _TURN))
    mirrored = -1.0 if rng.random() < 0.5 and mirror else 1.0
    room = max(0.0, 1 - 1 / zoom) + _SHIFT  # when zoomed in, any part of the image may be in the centre
    across, down = rng.uniform(-room, room, 2)
    wide, high = stretch / zoom, 1 / (stretch * zoom)
    move = np.array(
        [
            [mirrored * wide * math.cos(turn), -high * math.sin(turn), across],
            [mirrored * wide * math.sin(turn), high * math.cos(turn), down],
        ]
    )
    contrast, brightness = math.exp(rng.uniform(-_CONTRAST, _CONTRAST)), rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    if rng.random() < _PLAIN:
        return ImageChange(np.eye(2, 3), 1.0, 0.0)
    return ImageChange(move, contrast, brightness)


def apply_changes(batch: torch.Tensor, changes: Sequence[ImageChange]) -> torch.Tensor:
    """Augment each normalised image of a batch (n, 3, side, side), and return it in channels-last memory format."""
    import torch
    from torch.nn import functional

    def each(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=batch.dtype, device=batch.device).view(-1, 1, 1, 1)

    moves = torch.from_numpy(np.stack([change.move for change in changes])).to(batch)
    with torch.autocast(batch.device.type, enabled=False):  # in bfloat16, points would be off by a fifth of a pixel
        grid = functional.affine_grid(moves, list(batch.shape), align_corners=False)
    moved = functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    light = each([change.brightness for change in changes])
    changed = (moved - mean) * each([change.contrast for change in changes]) + mean + light
    return changed.contiguous(memory_format=torch.channels_last)
