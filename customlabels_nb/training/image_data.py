"""Images as a classifier's fine-tuning sees them: decoded once, kept within a limit of memory, changed a little."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image
from customlabels_nb.models.transforms import Pixels, to_pixels
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.settings import settings
from customlabels_nb.training.boxes_data import default_cache_bytes

if TYPE_CHECKING:
    import torch

_ZOOM = (0.8, 1.35)  # of the image; beyond 1 its edges are lost
_STRETCH = 0.1  # how far width and height are scaled apart, as a logarithm
_TURN = 12.0  # degrees
_SHIFT = 0.1  # of the side
_BRIGHTNESS, _CONTRAST = 0.2, 0.25
_PLAIN = 0.15  # share of images that stay as they are


class ImagePixels:
    """Images squeezed to squares of one size, as :func:`customlabels_nb.models.transforms.to_pixels` gives them.

    They are kept in memory until ``cache_bytes`` are full; the others are decoded again each time. Safe to use from
    several threads.

    Parameters
    ----------
    images : sequence of str
        Paths or URLs.
    side : int
        In pixels.
    root : Path, optional
        Folder under which relative paths lie.
    cache_bytes : int, optional
        See :func:`customlabels_nb.training.boxes_data.default_cache_bytes`.

    Attributes
    ----------
    issues : list of Issue
        The images that could not be read so far, each once.
    cached_bytes : int
        What the cache holds.
    """

    def __init__(
        self, images: Sequence[str], side: int, *, root: Path | None = None, cache_bytes: int | None = None
    ) -> None:
        self.images = list(images)
        self.side = side
        self.cache_bytes = default_cache_bytes() if cache_bytes is None else cache_bytes
        self.cached_bytes = 0
        self.issues: list[Issue] = []
        self.root = root
        self._kept: dict[int, Pixels] = {}
        self._unreadable: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many images there are, the unreadable ones included."""
        return len(self.images)

    def load(self, index: int) -> Pixels | None:
        """The image as uint8 of shape (3, side, side), read-only; None, and an issue, if it can't be read."""
        with self._lock:
            if index in self._kept or index in self._unreadable:
                return self._kept.get(index)
        name = self.images[index]
        try:
            pixels = to_pixels(open_image(name, root=self.root, at_least=self.side), self.side)
        except ImageError as error:
            with self._lock:
                if index not in self._unreadable:
                    self._unreadable.add(index)
                    self.issues.append(Issue(error.code, error.reason, where=name))
            return None
        pixels.flags.writeable = False
        with self._lock:
            if self.cached_bytes + pixels.nbytes <= self.cache_bytes and index not in self._kept:
                self._kept[index] = pixels
                self.cached_bytes += pixels.nbytes
        return pixels

    def load_all(self, indices: Sequence[int]) -> list[tuple[int, Pixels]]:
        """Those of the images that can be read, each with its index, decoded on threads."""
        workers = connections((self.images[index] for index in indices), settings.threads)
        with closing(map_bounded(self.load, indices, workers=workers)) as loaded:
            return [(index, found) for index, found in zip(indices, loaded, strict=True) if found is not None]

    def preload(self, events: Events) -> None:
        """Decode images on threads until the cache is full, or all are there.

        Raises
        ------
        Cancelled
            If ``events`` were asked to stop.
        """
        workers = connections(self.images, settings.threads)
        events.progress("images", 0, len(self))
        with closing(map_bounded(self.load, range(len(self)), workers=workers)) as loaded:
            for done, pixels in enumerate(loaded, start=1):
                events.progress("images", done, len(self))
                if pixels is not None and self.cached_bytes + pixels.nbytes > self.cache_bytes:
                    events.progress("images", len(self), len(self))
                    return


@dataclass(frozen=True)
class ImageChange:
    """How another camera might have seen an image: nearer, mirrored, turned a little, in other light.

    Attributes
    ----------
    move : ndarray of float64, shape (2, 3)
        Where each point of the new image comes from, in units of half a side.
    contrast, brightness : float
        A factor, and what is added to normalised values.
    """

    move: npt.NDArray[np.float64]
    contrast: float
    brightness: float


def draw_change(rng: np.random.Generator, *, mirror: bool = True) -> ImageChange:
    """A change, drawn at random, mirrored half of the time if it may be; equal states of ``rng`` give equal ones."""
    zoom = math.exp(rng.uniform(*np.log(_ZOOM)))
    stretch = math.exp(rng.uniform(-_STRETCH, _STRETCH) / 2)
    turn = math.radians(rng.uniform(-_TURN, _TURN))
    mirrored = -1.0 if rng.random() < 0.5 and mirror else 1.0
    room = max(0.0, 1 - 1 / zoom) + _SHIFT  # nearer, any part may be in the middle
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
    """The images as they look after their changes.

    Parameters
    ----------
    batch : Tensor of float32, shape (n, 3, side, side)
        Normalised.
    changes : sequence of n Change

    Returns
    -------
    Tensor
        Of the same shape, dtype and device, in channels-last order of memory.
    """
    import torch
    from torch.nn import functional

    def each(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=batch.dtype, device=batch.device).view(-1, 1, 1, 1)

    moves = torch.from_numpy(np.stack([change.move for change in changes])).to(batch)
    grid = functional.affine_grid(moves, list(batch.shape), align_corners=False)
    moved = functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    light = each([change.brightness for change in changes])
    changed = (moved - mean) * each([change.contrast for change in changes]) + mean + light
    return changed.contiguous(memory_format=torch.channels_last)
