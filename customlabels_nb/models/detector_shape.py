"""Describe detector architectures and list the available detectors, without importing torch."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.core.limits import HIGHEST_MAX_BOXES
from customlabels_nb.errors import InputError

#: Default detector, which needs no download.
OWN = "fasterrcnn"
#: Requests the most accurate detector that suits the device and the time that there is for training.
AUTO = "auto"

#: Candidate input sizes (longer side of the image) in pixels.
INPUT_SIZES = (320, 416, 512, 640, 800, 1024)

#: Minimum confidence of a box. Less confident boxes are numerous and never accepted.
LEAST_CONFIDENCE = 0.01
#: Largest number of boxes per image, unless a training image has more than half as many.
MOST_BOXES = 100
_OWN_LIMITS = {"retinanet_resnet50_fpn_v2": 300, "ssdlite320_mobilenet_v3_large": 300}  # those of torchvision
#: Divisor of the sides of a canvas: the coarsest stride of a feature pyramid.
STRIDE = 32
_MOST_SIDES = 96
_MOST_CHANNELS = 4096
_SMALL_SIDE = 16.0  # canvas pixels; smaller boxes are hard to learn
_SMALL_SHARE = 10  # percentage of the boxes that may be smaller


@dataclass(frozen=True)
class CocoDetector:
    """Detector with weights trained on COCO, which are downloaded on first use.

    ``box_ap`` is mAP@[.5:.95] on COCO in percent, as reported by its authors. ``parameters`` are millions.
    ``repository`` is empty for a detector from torchvision. ``core_seconds``, the processor time of a forward pass for
    one image of the size that the weights were trained with, were measured with random weights for detectors from
    transformers.
    """

    name: str
    box_ap: float
    parameters: float
    megabytes: float
    licence: str = "BSD-3-Clause"
    repository: str = ""
    core_seconds: float = math.nan


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

_APACHE = "Apache-2.0"
#: Detectors from transformers, in the order of their mAP on COCO: D-FINE (Peng et al., 2024) and RF-DETR (Robinson et
#: al., 2025). Larger RF-DETR networks have a different licence.
TRANSFORMERS_DETECTORS = {
    facts.name: facts
    for facts in (
        CocoDetector("dfine-nano", 42.8, 4, 15, _APACHE, "ustc-community/dfine-nano-coco", 0.27),
        CocoDetector("rfdetr-nano", 48.4, 30.5, 122, _APACHE, "Roboflow/rf-detr-nano", 0.57),
        CocoDetector("dfine-small", 48.5, 10, 42, _APACHE, "ustc-community/dfine-small-coco", 0.67),
        CocoDetector("dfine-medium", 52.3, 19, 79, _APACHE, "ustc-community/dfine-medium-coco", 1.3),
        CocoDetector("rfdetr-small", 53.0, 32.1, 129, _APACHE, "Roboflow/rf-detr-small", 1.0),
        CocoDetector("dfine-large", 54.0, 31, 126, _APACHE, "ustc-community/dfine-large-coco", 1.8),
        CocoDetector("rfdetr-medium", 54.7, 33.7, 135, _APACHE, "Roboflow/rf-detr-medium", 1.3),
        CocoDetector("rfdetr-large", 56.5, 33.9, 136, _APACHE, "Roboflow/rf-detr-large", 2.1),
    )
}


@dataclass(frozen=True)
class DetectorShape:
    """Architecture of a detector, which determines its network apart from the number of labels and the weights.

    ``anchors`` are the sides of the square anchors in pixels of the canvas, for each level of the feature pyramid,
    finest first. Each is used with aspect ratios of 1/2, 1 and 2. ``channels`` are those of each level, ``hidden`` the
    width of the head that classifies each proposal. ``votes`` averages the boxes of an object, see
    :mod:`customlabels_nb.models.box_voting`, and ``cascade`` refines them in a second pass, see
    :mod:`customlabels_nb.models.cascade`, which requires ``votes``. They are not used by the detectors in
    :data:`COCO_DETECTORS`. ``max_boxes`` is the largest number of boxes per image, None for that of the architecture.
    """

    architecture: str = OWN
    anchors: tuple[tuple[float, ...], ...] = ((24, 40), (64, 100), (160, 250))
    channels: int = 96
    hidden: int = 512
    votes: bool = True
    cascade: bool = True
    max_boxes: int | None = None

    def __post_init__(self) -> None:
        if self.architecture != OWN and self.architecture not in COCO_DETECTORS:
            raise InputError(
                f"Unknown detector {self.architecture!r}. Choose one of: {', '.join((OWN, *COCO_DETECTORS))}."
            )
        for name in ("channels", "hidden"):
            check_integer(f"detector {name}", getattr(self, name), 1, _MOST_CHANNELS)
        for name in ("votes", "cascade"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"detector {name}={getattr(self, name)!r} must be True or False.")
            if self.architecture != OWN:
                object.__setattr__(self, name, False)
        if self.cascade and not self.votes:
            raise InputError("detector cascade=True requires votes=True.")
        object.__setattr__(self, "anchors", _checked_anchors(self.anchors))
        check_max_boxes(self.max_boxes)

    @property
    def box_limit(self) -> int:
        """Largest number of boxes per image."""
        return self.max_boxes or _OWN_LIMITS.get(self.architecture, MOST_BOXES)

    def to_dict(self) -> dict[str, Any]:
        """Convert the shape to JSON values that :meth:`from_dict` accepts."""
        return {**_set_values(self), "anchors": [list(level) for level in self.anchors]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DetectorShape:
        expected = {field.name for field in fields(cls)} - _OPTIONAL
        if not isinstance(values, Mapping) or set(values) - _OPTIONAL != expected:
            raise InputError(f"detector={values!r} must have the keys {', '.join(sorted(expected))}.")
        return cls(**values)


@dataclass(frozen=True)
class ZeroShot:
    """Pretrained detector that was not trained on its labels, but is given a description of each, in their order."""

    weights: str
    revision: str
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("weights", "revision"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name}={getattr(self, name)!r} must be a string.")
        if not isinstance(self.prompts, list | tuple) or not all(isinstance(text, str) for text in self.prompts):
            raise InputError(f"prompts={self.prompts!r} must be a list of texts.")
        object.__setattr__(self, "prompts", tuple(self.prompts))


@dataclass(frozen=True)
class Family:
    """Kind of detector from transformers, its classes there, and how its authors train it.

    ``backbone`` is the only type that is built. ``backbone_layers`` is part of the names of its parameters. Learning
    rates of AdamW are for batches of 8 images. ``decay`` is for matrices, ``clip`` the largest norm of the gradient.
    """

    config: str
    network: str
    backbone: str
    backbone_layers: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rate: float
    backbone_rate: float
    decay: float = 1e-4
    clip: float = 0.1


#: Families by ``model_type``. The authors resize images to a square. Here they keep their aspect ratio in its corner.
FAMILIES = {
    # dfine_hgnetv2_m_custom.yml of the authors: 2.5e-4 and a tenth of it for 32 images, halved for 8 images; pixels
    # between 0 and 1 without mean and standard deviation (preprocessor_config.json)
    "d_fine": Family(
        "DFineConfig",
        "DFineForObjectDetection",
        "hgnet_v2",
        ".backbone.model.",
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        rate=1.25e-4,
        backbone_rate=1.25e-5,
    ),
    # TrainConfig of the authors: 1e-4 for 16 images. Its rate for the backbone, 1.5e-4 x 0.7^2, decreases by 0.8 with
    # each of 12 layers, to 2e-5 in the middle. ImageNet's mean and standard deviation (preprocessor_config.json)
    "rf_detr": Family(
        "RfDetrConfig",
        "RfDetrForObjectDetection",
        "rf_detr_dinov2",
        ".backbone.backbone.",
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        rate=1e-4,
        backbone_rate=2e-5,
    ),
}
_D_FINE_SIDE = 640  # of the published weights; the configuration does not contain it
#: Keys of a configuration that name code or other weights, or the labels of the published weights.
_LEFT_OUT = (
    "architectures", "auto_map", "backbone", "backbone_kwargs", "id2label", "label2id", "num_labels",
    "transformers_version", "use_pretrained_backbone", "use_timm_backbone", "_name_or_path",
)  # fmt: skip


@dataclass(frozen=True)
class TransformersShape:
    """Architecture of a detector from transformers, with pretrained ``revision`` and the side of its square input."""

    architecture: str
    revision: str
    licence: str
    config: dict[str, Any]
    side: int = 0
    max_boxes: int | None = None

    def __post_init__(self) -> None:
        for name in ("architecture", "revision", "licence"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"detector {name}={getattr(self, name)!r} must be a string.")
        backbone = self.config.get("backbone_config") if isinstance(self.config, dict) else None
        kind = backbone.get("model_type") if isinstance(backbone, dict) else None
        family = FAMILIES.get(str(self.config.get("model_type"))) if isinstance(backbone, dict) else None
        if family is None or not isinstance(backbone, dict) or kind != family.backbone:
            raise InputError(
                f"The detector {self.architecture!r} has the backbone {kind!r}. Only D-FINE with 'hgnet_v2' and "
                "RF-DETR with 'rf_detr_dinov2' can be used."
            )
        config = {key: value for key, value in self.config.items() if key not in _LEFT_OUT}
        config["backbone_config"] = {key: value for key, value in backbone.items() if key not in _LEFT_OUT}
        object.__setattr__(self, "config", config)
        check_integer("detector side", self.side, 0, _MOST_CHANNELS)
        check_max_boxes(self.max_boxes)
        if self.max_boxes is not None and self.max_boxes > self._queries:
            raise InputError(
                f"max_boxes={self.max_boxes} is too many for the detector {self.architecture!r}, which finds at most "
                f"{self._queries} objects in an image. Use a smaller number or detector={OWN!r}."
            )

    @property
    def box_limit(self) -> int:
        """Largest number of boxes per image."""
        return self.max_boxes or self._queries

    @property
    def _queries(self) -> int:
        return _whole({"num_queries": 300, **self.config}, "num_queries")

    @property
    def family(self) -> Family:
        return FAMILIES[self.config["model_type"]]

    @property
    def best_size(self) -> int:
        """Side of the images that the pretrained weights were trained with, in pixels."""
        return _whole(self.config["backbone_config"], "image_size") if self._is_windowed else _D_FINE_SIDE

    @property
    def divisor(self) -> int:
        """Divisor of the side of the input: the coarsest stride, or a patch in each of the windows of RF-DETR."""
        backbone = self.config["backbone_config"]
        return _whole(backbone, "patch_size") * _whole(backbone, "num_windows") if self._is_windowed else STRIDE

    @property
    def _is_windowed(self) -> bool:
        return bool(self.config["model_type"] == "rf_detr")

    def for_size(self, input_size: int) -> TransformersShape:
        """Return the shape for images whose longer side has ``input_size`` pixels."""
        side = -(-input_size // self.divisor) * self.divisor
        strides = [_whole(self.config["backbone_config"], "patch_size")] if self._is_windowed else self._strides()
        cells = sum((side // stride) ** 2 for stride in strides)
        if cells < self._queries:
            raise InputError(
                f"input_size={input_size} is too small for the detector {self.architecture!r}, which proposes "
                f"{self._queries} objects for {cells} cells. Its weights were trained with {self.best_size} pixels."
            )
        return replace(self, side=side)

    def _strides(self) -> list[int]:
        strides = self.config.get("feat_strides", (8, 16, 32))
        return [
            _whole({"feat_strides": stride}, "feat_strides")
            for stride in (strides if isinstance(strides, list | tuple) else [strides])
        ]

    def to_dict(self) -> dict[str, Any]:
        """Convert the shape to JSON values that :func:`shape_from_dict` accepts."""
        return _set_values(self)


def _whole(config: Mapping[str, Any], key: str) -> int:
    return check_integer(f"detector {key}", config.get(key), 1, _MOST_CHANNELS)


AnyShape = DetectorShape | TransformersShape

#: Keys that are left out if they have no value, so that a model without them keeps its identity.
_OPTIONAL = {"max_boxes"}


def _set_values(shape: AnyShape) -> dict[str, Any]:
    return {key: value for key, value in asdict(shape).items() if key not in _OPTIONAL or value is not None}


def with_box_limit(shape: AnyShape, max_boxes: int | None, most: int) -> AnyShape:
    """Return the shape with ``max_boxes``, by default at least twice the ``most`` boxes of a training image."""
    if max_boxes is None and isinstance(shape, DetectorShape):
        max_boxes = max(shape.box_limit, min(2 * most, HIGHEST_MAX_BOXES))
    return shape if max_boxes in (None, shape.box_limit) else replace(shape, max_boxes=max_boxes)


def shape_from_dict(values: Mapping[str, Any]) -> AnyShape:
    if not isinstance(values, Mapping) or "config" not in values:
        return DetectorShape.from_dict(values)
    if set(values) - _OPTIONAL != {"architecture", "revision", "licence", "config", "side"}:
        raise InputError(f"detector has the keys {', '.join(sorted(values))}. It must be one that this package wrote.")
    return TransformersShape(**values)


def is_pretrained(name: str) -> bool:
    """Check whether ``name`` can be a detector from transformers: a short name, a repository or a folder."""
    if name == OWN or name in COCO_DETECTORS:
        return False
    return (
        name.partition("@")[0] in TRANSFORMERS_DETECTORS
        or name.startswith("hf://")
        or os.path.isdir(os.path.expanduser(name))
    )


def check_detector(name: object) -> None:
    if name in (OWN, AUTO) or name in COCO_DETECTORS or (isinstance(name, str) and is_pretrained(name)):
        return
    names = ", ".join((OWN, AUTO, *TRANSFORMERS_DETECTORS, *COCO_DETECTORS))
    raise InputError(f"Unknown detector {name!r}. Choose one of: {names}, a folder with a model, or 'hf://user/name'.")


def check_masks(name: str) -> None:
    """Raise an error unless the detector can have a mask head."""
    if not name.startswith(OWN):
        raise InputError(
            f"detector={name!r} cannot predict masks. Use {OWN!r}, the default, or train boxes with task='boxes'."
        )


def check_input_size(size: object) -> int | None:
    """Return the length of the longer side of an image on a canvas, or raise InputError unless it is valid or None."""
    if size is None:
        return None
    number = check_integer("input_size", size, 64, 2048, otherwise="None to derive it from the boxes")
    if number % STRIDE:
        raise InputError(f"input_size={number} must be a multiple of {STRIDE}, such as {number // STRIDE * STRIDE}.")
    return number


def check_max_boxes(most: object) -> int | None:
    """Return a number of boxes per image, or raise InputError unless it is valid or None."""
    otherwise = "None for at least twice the most boxes of a training image"
    return None if most is None else check_integer("max_boxes", most, 1, HIGHEST_MAX_BOXES, otherwise=otherwise)


def anchors_for(input_size: int, smallest: float) -> tuple[tuple[float, ...], ...]:
    """Return anchor sides in a geometric series from the ``smallest`` box side to nearly the full canvas.

    For 320 pixels and no small boxes, they are 24, 40, 64, 100, 160 and 250 pixels, two on each of three levels.
    """
    low, high = min(24.0, max(8.0, smallest)), 0.78 * input_size
    sides = [round(low * (high / low) ** (step / 5), 1) for step in range(6)]
    return tuple((sides[level], sides[level + 1]) for level in (0, 2, 4))


def fill_of(mean: Sequence[float]) -> tuple[int, ...]:
    """Return the red, green and blue values that become zero after normalisation."""
    return tuple(round(255 * value) for value in mean)


def _is_side(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _checked_anchors(anchors: object) -> tuple[tuple[float, ...], ...]:
    levels = anchors if isinstance(anchors, list | tuple) else ()
    counts = {len(level) if isinstance(level, list | tuple) else 0 for level in levels}
    is_even = len(levels) == 3 and len(counts) == 1 and 0 < 3 * max(counts) <= _MOST_SIDES
    if not is_even or not all(_is_side(side) for level in levels for side in level):
        raise InputError(f"detector anchors={anchors!r} must be 3 lists of equally many positive sides.")
    return tuple(tuple(float(side) for side in level) for level in levels)


def choose_input_size(boxes: FloatArray, sizes: npt.ArrayLike) -> tuple[int, float]:
    """Choose the network's input size for the boxes of a dataset.

    Larger inputs are slower and are only chosen if small boxes require them, and never far above the resolution of the
    images. Boxes and the ``sizes`` of their images have shape (n, 4) and (n, 2). Returns one of :data:`INPUT_SIZES`,
    and the 10th percentile of the boxes' side lengths in pixels at that size.
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
