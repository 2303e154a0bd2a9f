"""Object detector based on the detection networks of torchvision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.core.tables import TEXT
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.detector_shape import DetectorShape, fill_of
from customlabels_nb.models.transforms import to_batch

#: Number of cells per side of a mask, and of the features that it is computed from.
CELLS, POOLED = 28, 14
_CHANNELS, _LAYERS = 64, 3

# With mixed precision, torchvision would round coordinates to bfloat16, by up to 2 pixels on a canvas of 1024 pixels.
# The names are those of its detectors of one stage and of two.
_ANCHORS = ("anchor_generator", "rpn.anchor_generator")
_OFFSETS = ("head", "rpn.head", "roi_heads.box_predictor")


@dataclass(frozen=True)
class DetectedMasks:
    """Masks of the detections in one image: the probability that a cell shows the object, (n, cells, cells).

    Masks are NaN for detections below their threshold. ``regions`` are ``x0, y0, x1, y1`` in pixels of the upright
    image and may reach beyond it. ``pixel`` is the side of a pixel of the network's input, in pixels of the image.
    """

    inside: npt.NDArray[np.float32]
    regions: FloatArray
    size: tuple[int, int]
    pixel: float


@dataclass(frozen=True)
class DetectedBoxes:
    """Detections in one image, the most confident first: ``left, top, width, height`` in its pixels."""

    boxes: FloatArray
    labels: npt.NDArray[np.int64]
    confidences: FloatArray
    masks: DetectedMasks | None = None


class MaskHead(nn.Module):
    """Mask head from torchvision with one mask for all labels, which learns nearly as well from fewer images.

    It predicts which part of each box the object covers (Mask R-CNN: He et al., 2017).
    """

    def __init__(self, pool: nn.Module, channels: int) -> None:
        super().__init__()
        self.pool = pool
        self.channels = channels
        head = MaskRCNNHeads(channels, (_CHANNELS,) * _LAYERS, 1)
        predictor = MaskRCNNPredictor(_CHANNELS, _CHANNELS, 1)
        nn.init.normal_(predictor.mask_fcn_logits.weight, std=0.001)  # begins undecided, as the other heads do
        self.layers: nn.Module = nn.Sequential(head, predictor)

    def forward(
        self, features: dict[str, torch.Tensor], boxes: list[torch.Tensor], sizes: list[tuple[int, int]]
    ) -> torch.Tensor:
        """Return the logits of the masks in all boxes (``x0, y0, x1, y1`` on the canvas), shape (n, cells, cells)."""
        if not sum(map(len, boxes)):
            return boxes[0].new_zeros(0, CELLS, CELLS)
        logits: torch.Tensor = self.layers(self.pool(features, boxes, sizes))
        return logits[:, 0]

    def loss(
        self,
        features: dict[str, torch.Tensor],
        boxes: list[torch.Tensor],
        inside: Sequence[torch.Tensor],
        sizes: list[tuple[int, int]],
    ) -> torch.Tensor:
        """Compute the mean loss of the masks. ``inside`` is the share of each cell that the object covers."""
        logits = self(features, boxes, sizes)
        if not len(logits):
            return logits.sum()
        return functional.binary_cross_entropy_with_logits(logits, torch.cat(list(inside)))


class ImageDetector(nn.Module):
    """Detector for normalised float images (n, 3, height, width) whose sides are multiples of 32.

    torchvision's resizing is removed from ``network``, because canvases have the right size. Masks need Faster R-CNN.
    """

    def __init__(self, network: nn.Module, shape: DetectorShape, n_labels: int, masks: MaskHead | None = None) -> None:
        super().__init__()
        network.transform = _AsItIs()
        for name, layer in network.named_modules():
            if name in _ANCHORS:
                layer.register_forward_pre_hook(_for_float32)
            elif name in _OFFSETS:
                layer.register_forward_hook(_to_float32)
        self.network: Any = network
        self.shape = shape
        self.n_labels = n_labels
        self.masks = masks

    def train(self, mode: bool = True) -> ImageDetector:
        """Set the training mode, but keep batch norm in eval mode, because batches are too small for its statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def losses(
        self,
        images: torch.Tensor,
        boxes: Sequence[torch.Tensor],
        labels: Sequence[torch.Tensor],
        masks: Sequence[tuple[torch.Tensor, torch.Tensor]] = (),
    ) -> dict[str, torch.Tensor]:
        """Compute the losses of a batch in training mode, with boxes ``x0, y0, x1, y1`` in pixels of the canvas.

        ``masks`` has regions like boxes, and the share of each cell covered by the object, shape (m, cells, cells).
        """
        targets = [
            {"boxes": b, "labels": codes + 1} for b, codes in zip(boxes, labels, strict=True)
        ]  # 0 is the background
        if self.masks is None:
            result: dict[str, torch.Tensor] = self.network(images, targets)
            return result
        features, sizes, _, result = self._in_two_stages(images, targets)
        regions, inside = [mask for mask, _ in masks], [mask for _, mask in masks]
        return {**result, "loss_mask": self.masks.loss(features, regions, inside, sizes)}

    def forward(self, images: torch.Tensor, thresholds: torch.Tensor | None = None) -> list[dict[str, torch.Tensor]]:
        """Return ``boxes`` (x0, y0, x1, y1 on the canvas), ``labels`` (from 0) and ``scores`` for each image.

        A network with a mask head also returns ``masks``, the probability that a cell of the box shows the object,
        shape (n, cells, cells). If ``thresholds`` has a confidence for each label, the masks of boxes below it are NaN.
        """
        if self.masks is None:
            detected: list[dict[str, torch.Tensor]] = self.network(images)
            return [{**detections, "labels": detections["labels"] - 1} for detections in detected]
        features, sizes, detected, _ = self._in_two_stages(images, None)
        detected = [{**detections, "labels": detections["labels"] - 1} for detections in detected]
        wanted = [
            torch.ones_like(detections["scores"], dtype=torch.bool)
            if thresholds is None
            else detections["scores"] >= thresholds[detections["labels"]]
            for detections in detected
        ]
        logits = self.masks(
            features,
            [detections["boxes"][wanted_here] for detections, wanted_here in zip(detected, wanted, strict=True)],
            sizes,
        )
        counts = [int(wanted_here.sum()) for wanted_here in wanted]
        for detections, wanted_here, inside in zip(
            detected, wanted, logits.float().sigmoid().split(counts), strict=True
        ):
            detections["masks"] = inside.new_full((len(wanted_here), *inside.shape[1:]), math.nan)
            detections["masks"][wanted_here] = inside
        return detected

    def _in_two_stages(self, images: torch.Tensor, targets: list[dict[str, torch.Tensor]] | None) -> Any:
        frames, _ = self.network.transform(images)
        features = self.network.backbone(images)
        proposals, first = self.network.rpn(frames, features, targets)
        detected, second = self.network.roi_heads(features, proposals, frames.image_sizes, targets)
        return features, frames.image_sizes, detected, {**second, **first}


def detect(
    network: ImageDetector,
    canvases: Sequence[Canvas],
    mean: Sequence[float],
    std: Sequence[float],
    device: str,
    thresholds: FloatArray | None = None,
) -> list[DetectedBoxes]:
    """Run ``network``, in eval mode on ``device``, on each canvas.

    On a CPU, each canvas is processed on its own, which is just as fast as a batch. On other devices, canvases are
    extended to squares, because cuDNN takes seconds to plan each new input shape. The detections on one canvas never
    depend on the other canvases. If ``thresholds`` has a confidence for each label, only detections that reach it get
    a mask.
    """
    # MPS has no float64. Rounding never excludes a score that reaches its threshold, because scores are float32
    least = None if thresholds is None else torch.from_numpy(thresholds).float().to(device)
    groups: dict[object, list[int]] = {}
    for position, canvas in enumerate(canvases):
        groups.setdefault(position if device == "cpu" else max(canvas.pixels.shape), []).append(position)
    detected: dict[int, DetectedBoxes] = {}
    with torch.inference_mode():
        for positions in groups.values():
            pixels = [canvases[position].pixels for position in positions]
            batch = to_batch(pixels if device == "cpu" else _squares(pixels, fill_of(mean)), mean, std, device)
            for position, output in zip(positions, network(batch, least), strict=True):
                detected[position] = _detected_boxes(output, canvases[position])
    return [detected[position] for position in range(len(canvases))]


def _squares(canvases: Sequence[npt.NDArray[np.uint8]], fill: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
    """Extend canvases at the right or at the bottom to squares of the longest side."""
    side = max(max(canvas.shape) for canvas in canvases)
    squares = np.empty((len(canvases), 3, side, side), dtype=np.uint8)
    squares[:] = np.asarray(fill, dtype=np.uint8)[:, None, None]
    for square, canvas in zip(squares, canvases, strict=True):
        square[:, : canvas.shape[1], : canvas.shape[2]] = canvas
    return list(squares)


def _detected_boxes(output: dict[str, torch.Tensor], canvas: Canvas) -> DetectedBoxes:
    corners = output["boxes"].detach().cpu().double().numpy()
    boxes, scores = canvas.to_image(corners), output["scores"].detach().cpu().double().numpy()
    seen = (corners[:, 2:] - corners[:, :2] >= 1).all(axis=1)  # boxes thinner than a pixel are not objects
    labels = output["labels"].detach().cpu().numpy().astype(np.int64)
    seen &= labels >= 0  # single-stage detectors also have an output for the background
    kept = np.flatnonzero(seen & (boxes[:, 2:] > 0).all(axis=1) & np.isfinite(scores))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    masks = None
    if "masks" in output:
        inside, scale = output["masks"].detach().cpu().numpy()[kept], np.divide(canvas.size, canvas.inside)
        masks = DetectedMasks(inside, corners[kept] * np.tile(scale, 2), canvas.size, float(scale.max()))
    return DetectedBoxes(boxes[kept], labels[kept], scores[kept], masks)


def to_table(images: Sequence[str], detected: Sequence[DetectedBoxes], labels: Sequence[str]) -> pd.DataFrame:
    """Convert detections to a table: image, label, confidence (0 to 1), and left, top, width, height in pixels."""
    names = np.asarray(labels, dtype=object)
    table = pd.DataFrame(
        np.concatenate([np.empty((0, 4)), *(boxes.boxes for boxes in detected)]),
        columns=["left", "top", "width", "height"],
    )
    table.insert(0, "image", np.repeat(np.asarray(images, dtype=object), [len(boxes.labels) for boxes in detected]))
    table.insert(
        1, "label", names[np.concatenate([np.empty(0, dtype=np.int64), *(boxes.labels for boxes in detected)])]
    )
    table.insert(2, "confidence", np.concatenate([np.empty(0), *(boxes.confidences for boxes in detected)]))
    return table.astype({"image": TEXT, "label": TEXT})


class _AsItIs(nn.Module):
    """Replacement for torchvision's transform, because canvases are already resized and batches already normalised."""

    def forward(
        self, images: torch.Tensor, targets: list[dict[str, torch.Tensor]] | None = None
    ) -> tuple[ImageList, list[dict[str, torch.Tensor]] | None]:
        height, width = images.shape[-2:]
        return ImageList(images, [(height, width)] * len(images)), targets

    def postprocess(self, result: list[dict[str, torch.Tensor]], *sizes: object) -> list[dict[str, torch.Tensor]]:
        return result


def _for_float32(layer: nn.Module, inputs: tuple[ImageList, list[torch.Tensor]]) -> Any:
    """Let a generator compute anchors in float32. It computes them in the type of the feature maps."""
    images, features = inputs
    if features[0].dtype == torch.float32:
        return None
    return images, [
        feature.new_empty((), dtype=torch.float32).expand(feature.shape) for feature in features
    ]  # only shapes matter


def _to_float32(layer: nn.Module, inputs: object, output: Any) -> Any:
    """Convert the output of a layer to float32. Boxes are computed in the type of their offsets."""
    if isinstance(output, torch.Tensor):
        return output if output.dtype == torch.float32 else output.float()
    if isinstance(output, dict):
        return {name: _to_float32(layer, inputs, value) for name, value in output.items()}
    return type(output)(_to_float32(layer, inputs, value) for value in output)
