"""Describe detector architectures and list the available detectors, without importing torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import InputError

#: Default detector, which needs no download.
OWN = "fasterrcnn"

#: Candidate input sizes (longer side of the image) in pixels.
INPUT_SIZES = (320, 416, 512, 640, 800, 1024)

#: Divisor of the sides of a canvas: the coarsest stride of a feature pyramid.
STRIDE = 32
_MOST_SIDES = 96
_SMALL_SIDE = 16.0  # canvas pixels; smaller boxes are hard to learn
_SMALL_SHARE = 10  # percentage of the boxes that may be smaller


@dataclass(frozen=True)
class CocoDetector:
    """Detector from torchvision with weights trained on COCO, which are downloaded on first use.

    Attributes
    ----------
    name : str
        Name in torchvision.
    box_ap : float
        mAP@[.5:.95] on COCO in percent, as reported by torchvision.
    parameters : float
        Number of parameters in millions.
    megabytes : float
        Size of the download in megabytes.
    licence : str
        Licence of the code and the weights.
    """

    name: str
    box_ap: float
    parameters: float
    megabytes: float
    licence: str = "BSD-3-Clause"


COCO_DETECTORS = {
    facts.name: facts
    for facts in (
        CocoDetector("ssdlite320_mobilenet_v3_large", 21.3, 3.4, 13.4),
        CocoDetector("fasterrcnn_mobilenet_v3_large_320_fpn", 22.8, 19.4, 74.2),
        CocoDetector("fasterrcnn_mobilenet_v3_large_fpn", 32.8, 19.4, 74.2),
        CocoDetector("fasterrcnn_resnet50_fpn", 37.0, 41.8, 159.7),
        CocoDetector("fcos_resnet50_fpn", 39.2, 32.3, 123.6),
        CocoDetector("retinanet_resnet50_fpn_v2", 41.5, 38.2, 146.0),
        CocoDetector("fasterrcnn_resnet50_fpn_v2", 46.7, 43.7, 167.1),
    )
}


@dataclass(frozen=True)
class DetectorShape:
    """Architecture of a detector, which determines its network apart from the number of labels and the weights.

    Attributes
    ----------
    architecture : str
        :data:`OWN`, or a key of :data:`COCO_DETECTORS`, for which the other attributes do not matter.
    anchors : tuple of tuple of float
        Sides of the square anchors in pixels of the canvas, for each level of the feature pyramid, finest first. Each
        anchor is used with aspect ratios of 1/2, 1 and 2.
    channels : int
        Number of channels of each pyramid level.
    hidden : int
        Width of the head that classifies each proposal.
    votes : bool
        Average the boxes of an object, see :mod:`customlabels_nb.models.box_voting`. False for other architectures.
    cascade : bool
        Refine boxes in a second pass, see :mod:`customlabels_nb.models.cascade`. Requires ``votes``. False for other
        architectures.

    Raises
    ------
    InputError
        If a value is invalid.
    """

    architecture: str = OWN
    anchors: tuple[tuple[float, ...], ...] = ((24, 40), (64, 100), (160, 250))
    channels: int = 96
    hidden: int = 512
    votes: bool = True
    cascade: bool = True

    def __post_init__(self) -> None:
        check_detector(self.architecture)
        for name in ("channels", "hidden"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 4096:
                raise InputError(f"detector {name}={value!r} must be an integer from 1 to 4096.")
        for name in ("votes", "cascade"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"detector {name}={getattr(self, name)!r} must be True or False.")
            if self.architecture != OWN:
                object.__setattr__(self, name, False)
        if self.cascade and not self.votes:
            raise InputError("detector cascade=True requires votes=True.")
        levels = self.anchors if isinstance(self.anchors, list | tuple) else ()
        sides = [side for level in levels if isinstance(level, list | tuple) for side in level]
        even = len({len(level) if isinstance(level, list | tuple) else 0 for level in levels}) == 1
        if len(levels) != 3 or not 0 < len(sides) <= _MOST_SIDES or not even or not all(map(_is_side, sides)):
            raise InputError(f"detector anchors={self.anchors!r} must be 3 lists of equally many positive sides.")
        object.__setattr__(self, "anchors", tuple(tuple(float(side) for side in level) for level in levels))

    def to_dict(self) -> dict[str, Any]:
        """Convert the shape to JSON values that :meth:`from_dict` accepts."""
        return {**asdict(self), "anchors": [list(level) for level in self.anchors]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DetectorShape:
        """Create a shape from the result of :meth:`to_dict`.

        A model saved before ``votes`` or ``cascade`` was added lacks them and keeps detecting the same boxes.

        Raises
        ------
        InputError
            If keys are missing or unknown, or a value is invalid.
        """
        expected = {"architecture", "anchors", "channels", "hidden"}
        if not isinstance(values, Mapping) or set(values) - {"votes", "cascade"} != expected:
            raise InputError(f"detector={values!r} must have the keys {', '.join(sorted(expected))}.")
        return cls(**{"votes": False, "cascade": False, **values})


@dataclass(frozen=True)
class ZeroShot:
    """Pretrained detector that was not trained on its labels, but is given a description of each.

    Attributes
    ----------
    weights : str
        Name or folder of the weights, see :mod:`customlabels_nb.models.pretrained.weights`.
    revision : str
        Revision of the weights.
    prompts : tuple of str
        Description of each label, in the order of the labels.
    """

    weights: str
    revision: str
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.prompts, list | tuple) or not all(isinstance(text, str) for text in self.prompts):
            raise InputError(f"prompts={self.prompts!r} must be a list of texts.")
        object.__setattr__(self, "prompts", tuple(self.prompts))


def check_detector(name: object) -> None:
    """Raise an error unless the detector exists.

    Raises
    ------
    InputError
        If the name is neither :data:`OWN` nor in :data:`COCO_DETECTORS`.
    """
    if name != OWN and name not in COCO_DETECTORS:
        raise InputError(f"Unknown detector {name!r}. Choose one of: {', '.join((OWN, *COCO_DETECTORS))}.")


def check_masks(name: str) -> None:
    """Raise an error unless the detector can have a mask head.

    Raises
    ------
    InputError
        If the detector has no second stage.
    """
    if not name.startswith(OWN):
        raise InputError(
            f"detector={name!r} cannot predict masks. Use {OWN!r}, the default, or train boxes with task='boxes'."
        )


def check_input_size(size: object) -> None:
    """Raise an error unless ``size`` is None or a valid length for the longer side of an image on a canvas.

    Raises
    ------
    InputError
        If ``size`` is neither None nor a multiple of :data:`STRIDE` between 64 and 2048.
    """
    good = isinstance(size, int) and not isinstance(size, bool) and size % STRIDE == 0 and 64 <= size <= 2048
    if size is not None and not good:
        raise InputError(
            f"input_size={size!r} must be a multiple of {STRIDE} from 64 to 2048, or None to derive it from the boxes."
        )


def anchors_for(input_size: int, smallest: float) -> tuple[tuple[float, ...], ...]:
    """Return anchor sides in a geometric series from the ``smallest`` box side to nearly the full canvas.

    With an input size of 320 pixels and no small boxes, the anchor sides are 24, 40, 64, 100, 160 and 250 pixels, two
    on each of three levels.
    """
    low, high = min(24.0, max(8.0, smallest)), 0.78 * input_size
    sides = [round(low * (high / low) ** (step / 5), 1) for step in range(6)]
    return tuple((sides[level], sides[level + 1]) for level in (0, 2, 4))


def fill_of(mean: Sequence[float]) -> tuple[int, ...]:
    """Return the red, green and blue values that become zero after normalisation."""
    return tuple(round(255 * value) for value in mean)


def _is_side(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def choose_input_size(boxes: FloatArray, sizes: npt.ArrayLike) -> tuple[int, float]:
    """Choose the network's input size for the boxes of a dataset.

    Larger inputs are slower and are only chosen if small boxes require them.

    Parameters
    ----------
    boxes : array of shape (n, 4)
        ``left, top, width, height`` of each box, in pixels of its image.
    sizes : array of shape (n, 2)
        Width and height of the image that contains each box, in pixels.

    Returns
    -------
    input_size : int
        One of :data:`INPUT_SIZES`, never far above the resolution of the images.
    smallest : float
        10th percentile of the boxes' side lengths, in pixels at that input size.
    """
    rows, frames = np.asarray(boxes, dtype=np.float64).reshape(-1, 4), np.asarray(sizes, dtype=np.float64)
    longest = frames.reshape(-1, 2).max(axis=1, initial=0.0)
    good = np.isfinite(rows).all(axis=1) & (rows[:, 2:] > 0).all(axis=1) & (longest > 0)
    if not good.any():
        return INPUT_SIZES[0], float(INPUT_SIZES[0])
    share = float(np.percentile(np.sqrt(rows[good, 2] * rows[good, 3]) / longest[good], _SMALL_SHARE))
    most = float(np.percentile(longest[good], 90)) * 1.25
    fitting = [size for size in INPUT_SIZES if size <= most or size == INPUT_SIZES[0]]
    wanted = [size for size in fitting if size * share >= _SMALL_SIDE]
    chosen = wanted[0] if wanted else fitting[-1]
    return chosen, share * chosen
