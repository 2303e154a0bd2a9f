"""Scene sources for training a detector: photos with boxes, or synthetic scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TrainingScene:
    """Image with its boxes.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Pixels. Do not write to them, because the array may be shared.
    boxes : ndarray of float64, shape (n, 4)
        ``left, top, width, height`` in pixels of this image, which may be smaller than its file.
    labels : ndarray of int64, shape (n,)
        Position of each box's label among the labels to train, from 0.
    """

    pixels: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


class SceneSource(Protocol):
    """Endless supply of scenes, with a fixed number per epoch.

    The same index and epoch always give the same scene, in any order and from any thread, so a resumed run continues
    exactly where it was stopped. A source with a true attribute ``composed`` creates scenes of many objects at many
    sizes itself. They are not combined into mosaics or mirrored.
    """

    def __len__(self) -> int:
        """Return the number of scenes per epoch."""
        ...

    def load(self, index: int, epoch: int) -> TrainingScene | None:
        """Return scene ``index`` (0 to ``len() - 1``) of an epoch, or None, for example if its file is unreadable."""
        ...

    def labels_of(self, index: int) -> npt.NDArray[np.int64]:
        """Return the labels of a scene's boxes in any epoch, as far as they are known without loading it. Cheap."""
        ...
