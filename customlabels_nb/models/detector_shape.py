"""What a detector's network is built from, and the detectors that can be named; torch isn't needed to know it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from customlabels_nb.errors import InputError

#: The network that is trained unless another is named; it needs no download.
OWN = "fasterrcnn"

#: Sides of the square inputs that are tried, in pixels.
INPUT_SIZES = (320, 416, 512, 640, 800, 1024)

#: Canvases have sides that divide by it: the coarsest stride of a pyramid.
STRIDE = 32
_MOST_SIDES = 96


@dataclass(frozen=True)
class CocoDetector:
    """A detector of torchvision with weights trained on COCO, which are fetched when it is first used.

    Attributes
    ----------
    name : str
        torchvision's.
    box_ap : float
        COCO's mAP@[.5:.95] in percent, as torchvision tells it.
    parameters : float
        Millions.
    megabytes : float
        To be fetched.
    licence : str
        Of code and weights.
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
    """All that is needed, beside its weights and the number of its labels, to build a detector again.

    Attributes
    ----------
    architecture : str
        :data:`OWN`, or a key of :data:`COCO_DETECTORS`, which fixes all that follows.
    anchors : tuple of tuple of float
        For each level of the pyramid, finest first, the sides of its square anchors in pixels of the canvas; each comes
        with aspect ratios of 1/2, 1 and 2, too.
    channels : int
        Of the pyramid's levels.
    hidden : int
        Width of the head that looks at each proposal.

    Raises
    ------
    InputError
        If a value can't be.
    """

    architecture: str = OWN
    anchors: tuple[tuple[float, ...], ...] = ((24, 40), (64, 100), (160, 250))
    channels: int = 96
    hidden: int = 512

    def __post_init__(self) -> None:
        check_detector(self.architecture)
        for name in ("channels", "hidden"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 4096:
                raise InputError(f"detector {name}={value!r} must be a number from 1 to 4096.")
        levels = self.anchors if isinstance(self.anchors, list | tuple) else ()
        sides = [side for level in levels if isinstance(level, list | tuple) for side in level]
        even = len({len(level) if isinstance(level, list | tuple) else 0 for level in levels}) == 1
        if len(levels) != 3 or not 0 < len(sides) <= _MOST_SIDES or not even or not all(map(_is_side, sides)):
            raise InputError(f"detector anchors={self.anchors!r} must be 3 levels of equally many positive sides.")
        object.__setattr__(self, "anchors", tuple(tuple(float(side) for side in level) for level in levels))

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; :meth:`from_dict` takes it."""
        return {**asdict(self), "anchors": [list(level) for level in self.anchors]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DetectorShape:
        """The shape that :meth:`to_dict` gave.

        Raises
        ------
        InputError
            If keys are missing or unknown, or a value can't be.
        """
        expected = {"architecture", "anchors", "channels", "hidden"}
        if not isinstance(values, Mapping) or set(values) != expected:
            raise InputError(f"detector={values!r} must have the keys {', '.join(sorted(expected))}.")
        return cls(**values)


def check_detector(name: object) -> None:
    """Refuse the name of a detector that there isn't.

    Raises
    ------
    InputError
        If it is neither :data:`OWN` nor in :data:`COCO_DETECTORS`.
    """
    if name != OWN and name not in COCO_DETECTORS:
        raise InputError(f"detector={name!r} is not known; use one of {', '.join((OWN, *COCO_DETECTORS))}.")


def check_input_size(size: object) -> None:
    """Refuse a longer side that no canvas can have.

    Raises
    ------
    InputError
        If it is neither None nor a multiple of :data:`STRIDE` from 64 to 2048.
    """
    good = isinstance(size, int) and not isinstance(size, bool) and size % STRIDE == 0 and 64 <= size <= 2048
    if size is not None and not good:
        raise InputError(
            f"input_size={size!r} must be a multiple of {STRIDE} from 64 to 2048, or None for one from the boxes."
        )


def anchors_for(input_size: int, smallest: float) -> tuple[tuple[float, ...], ...]:
    """Sides of anchors in equal ratios, from boxes of the ``smallest`` side in question to nearly the whole canvas.

    At 320 pixels and boxes that aren't small: 24, 40, 64, 100, 160 and 250 pixels, two on each of three levels.
    """
    low, high = min(24.0, max(8.0, smallest)), 0.78 * input_size
    sides = [round(low * (high / low) ** (step / 5), 1) for step in range(6)]
    return tuple((sides[level], sides[level + 1]) for level in (0, 2, 4))


def fill_of(mean: Sequence[float]) -> tuple[int, ...]:
    """Red, green and blue that are zero after normalisation."""
    return tuple(round(255 * value) for value in mean)


def _is_side(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
