"""Where a detector's training pictures come from: photos with boxes, or scenes that are made up on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TrainingScene:
    """One picture and what is on it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Not to be written to: others may hold the same array.
    boxes : ndarray of float64, shape (n, 4)
        ``left, top, width, height`` in pixels of this very picture, which may be smaller than its file.
    labels : ndarray of int64, shape (n,)
        Positions among the labels to train, from 0.
    """

    pixels: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


class SceneSource(Protocol):
    """An endless supply of scenes, of which some are gone through once an epoch.

    The same index and epoch always give the same scene, in any order and from any thread: a run that was stopped
    goes on as if it had not been. A source with an attribute ``composed`` that is true makes scenes of many things at
    many sizes itself: they aren't put together to mosaics, nor mirrored.
    """

    def __len__(self) -> int:
        """How many scenes are one epoch."""
        ...

    def load(self, index: int, epoch: int) -> TrainingScene | None:
        """The scene at ``index`` (0 to ``len() - 1``) of an epoch; None where there is none, an unreadable file say."""
        ...

    def labels_of(self, index: int) -> npt.NDArray[np.int64]:
        """The labels of that scene's boxes in any epoch as far as they are known ahead; cheap."""
        ...
