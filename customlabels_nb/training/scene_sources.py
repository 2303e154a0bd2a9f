"""Interface to the images for training a detector: photos with boxes, or synthetic scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Outline = list[npt.NDArray[np.float64]]


@dataclass(frozen=True)
class MaskTargets:
    """Regions ``x0, y0, x1, y1`` of a canvas, and the share of each of their cells that an object covers."""

    regions: npt.NDArray[np.float32]
    inside: npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainingScene:
    """Image with its boxes ``left, top, width, height``, in pixels of this image, which may be a reduced copy.

    Pixels may be shared, so treat them as read-only. ``outlines`` are rings ``x, y`` in its pixels, or None if only the
    box is known, and empty if no masks are trained. What is outside the box is not visible. ``masks`` are for a batch.
    """

    pixels: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    outlines: Sequence[Outline | None] = ()
    masks: MaskTargets | None = None


class SceneSource(Protocol):
    """Endless supply of scenes, with a fixed number per epoch.

    The same index and epoch always give the same scene, in any order and from any thread, so a resumed run continues
    exactly where it stopped. A source whose attribute ``composed`` is True already creates scenes with several objects
    at various sizes. Training does not combine these scenes into mosaics or mirror them. ``most_boxes``, the largest
    number of boxes of a photo, is optional as well.
    """

    @property
    def facts(self) -> dict[str, Any]:
        """Arguments that create the same source in another process of a training run."""

    def __len__(self) -> int:
        """Return the number of scenes per epoch."""

    def load(self, index: int, epoch: int) -> TrainingScene | None:
        """Return scene ``index`` (0 to ``len(self) - 1``) of an epoch, or None if it cannot be loaded."""

    def labels_of(self, index: int) -> npt.NDArray[np.int64]:
        """Return the labels of a scene's boxes, as far as they are known without loading the scene."""
