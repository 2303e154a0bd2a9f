"""Convert networks to a form that PyTorch can export, without data-dependent shapes or control flow."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.ops import nms, roi_align

from customlabels_nb.errors import InputError
from customlabels_nb.models.box_voting import OVERLAP, VotingHeads, vote
from customlabels_nb.models.cascade import SCALE, CascadeHeads, is_likely, mean_confidences, object_confidences, refined
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_shape import LEAST_CONFIDENCE
from customlabels_nb.models.transformers_detector import TransformersDetector

#: Smallest side of a box of a Faster R-CNN, in pixels of the canvas.
LEAST_SIDE = 0.01

Candidates = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def exportable(network: ImageClassifier | ImageDetector) -> nn.Module:
    """Return a copy of ``network``, in eval mode, that PyTorch can export.

    A classifier maps images (n, 3, side, side) to logits (n, k). A detector takes one image (1, 3, height, width) whose
    sides are multiples of 32. It returns the candidates before the last non-maximum suppression: corners ``x0, y0, x1,
    y1`` on the canvas (m, 4), confidences (m,) and label indices (m,). A detector with masks returns the detections
    after non-maximum suppression instead, and their masks (m, cells, cells).
    """
    with torch.inference_mode(False):
        copied = copy.deepcopy(network).eval().requires_grad_(False)
        copied.to(
            memory_format=torch.contiguous_format
        )  # a different layout would be hard-coded in views that fit only one image size
    if isinstance(copied, ImageClassifier):
        return copied
    if isinstance(copied, TransformersDetector):
        return Queried(copied).eval()
    with torch.no_grad():
        copied(torch.zeros(1, 3, 64, 64))  # the first call computes constants of the network
    _fix_padding(copied)
    _simplify_activations(copied)
    if copied.masks is not None:
        return Masked(copied.network, copied.masks).eval()
    for kind, form in ((FasterRCNN, TwoStages), (FCOS, Dense), (RetinaNet, Dense), (SSD, Boxed)):
        if isinstance(copied.network, kind):
            return form(copied.network).eval()
    raise InputError(
        f"A {copied.shape.architecture!r} detector cannot be exported. Train one with detector='fasterrcnn'."
    )


def rules_of(network: ImageDetector) -> dict[str, float]:
    """Return the rules that :func:`customlabels_nb.inference.exporting.detect.boxes` uses to filter candidates."""
    if isinstance(network, TransformersDetector):  # no suppression
        most = network.shape.box_limit
        return {"least_confidence": LEAST_CONFIDENCE, "least_side": 0.0, "overlap": 1.0, "votes": False, "most": most}
    two_stages = isinstance(network.network, FasterRCNN)
    heads = network.network.roi_heads if two_stages else network.network
    overlap, most = suppression_of(heads)
    return {
        "least_confidence": float(heads.score_thresh),
        "least_side": LEAST_SIDE if two_stages else 0.0,
        "overlap": overlap if network.masks is None else 1.0,  # a graph with masks suppresses and votes itself
        "votes": isinstance(heads, VotingHeads) and network.masks is None,
        "most": most,
    }


def suppression_of(heads: Any) -> tuple[float, int]:
    """Return the IoU above which a detector suppresses a box, and its largest number of detections."""
    if isinstance(heads, VotingHeads):
        return OVERLAP, heads.max_boxes
    return float(heads.nms_thresh), int(heads.detections_per_img)


class TwoStages(nn.Module):
    """Exportable version of torchvision's Faster R-CNN for one image, without the final non-maximum suppression."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone, self.rpn, self.heads = network.backbone, network.rpn, network.roi_heads
        self.before = int(self.rpn.pre_nms_top_n())
        self.after = int(self.rpn.post_nms_top_n())

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self._candidates(self.backbone(images), images)

    def _candidates(self, features: dict[str, torch.Tensor], images: torch.Tensor) -> Candidates:
        proposals, real = self._proposals(list(features.values()), images)
        hidden = self.heads.box_head(self._pooled(features, proposals, self.heads.box_roi_pool.output_size))
        logits, deltas = self.heads.box_predictor(hidden)
        confidences = logits.softmax(dim=-1)
        corners = self.heads.box_coder.decode_single(deltas, proposals).reshape(self.after, -1, 4)
        if isinstance(self.heads, CascadeHeads):
            better = clipped(refined(corners, logits, proposals), images)
            hidden = self.heads.second_head(self._pooled(features, better, self.heads.box_roi_pool.output_size))
            again, deltas = self.heads.second_predictor(hidden)
            confidences = mean_confidences(logits, again)
            best = torch.where(real, object_confidences(logits), -1.0)
            real = real & is_likely(best, self.heads.score_thresh, self.heads.max_boxes)
            corners = self.heads.box_coder.decode_single(deltas / SCALE, better).reshape(self.after, -1, 4)
        scores, corners = torch.where(real[:, None], confidences, 0.0)[:, 1:], corners[:, 1:]  # without background
        count = scores.shape[1]
        labels = torch.arange(count, device=images.device).repeat(self.after)
        return clipped(corners.reshape(-1, 4), images), scores.reshape(-1), labels

    def _proposals(self, levels: list[torch.Tensor], images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a fixed number of the most likely boxes of all levels, and a mask of the boxes that are real."""
        every, likely = [], []
        objectness, deltas = self.rpn.head(levels)
        for level, cells in enumerate(self.rpn.anchor_generator.cell_anchors):
            logits = objectness[level].permute(0, 2, 3, 1).reshape(-1)
            moves = deltas[level].reshape(cells.shape[0], 4, *deltas[level].shape[-2:]).permute(2, 3, 0, 1)
            anchors = grid_of(cells, levels[level], images)
            # a small image may have fewer anchors than topk requires, so add anchors that are never real
            logits = torch.cat((logits, logits.new_full((self.before,), -1e9)))
            best, indices = logits.topk(self.before)
            moves, anchors = padded(moves.reshape(-1, 4), self.before)[indices], padded(anchors, self.before)[indices]
            boxes = clipped(self.rpn.box_coder.decode_single(moves, anchors).reshape(-1, 4), images)
            sides = boxes[:, 2:] - boxes[:, :2]
            scores = best.sigmoid()
            real = (best > -1e8) & (sides >= self.rpn.min_size).all(dim=1) & (scores >= self.rpn.score_thresh)
            boxes = torch.where(real[:, None], boxes, 0.0)  # empty boxes suppress nothing
            kept = nms(boxes, scores, self.rpn.nms_thresh)
            stays = torch.zeros_like(scores).index_fill(0, kept, 1.0) > 0
            every.append(boxes)
            likely.append(torch.where(real & stays, scores, -1.0))
        scores, indices = torch.cat(likely).topk(self.after)
        return torch.cat(every)[indices], scores >= 0

    def _pooled(self, features: dict[str, torch.Tensor], boxes: torch.Tensor, bins: Sequence[int]) -> torch.Tensor:
        pool = self.heads.box_roi_pool
        levels = [level for name, level in features.items() if name in pool.featmap_names]
        wanted = pool.map_levels([boxes]) if len(levels) > 1 else None
        rois = torch.cat((boxes.new_zeros(boxes.shape[0], 1), boxes), dim=1)
        result = None
        for position, (level, scale) in enumerate(zip(levels, pool.scales, strict=True)):
            pooled = roi_align(level, rois, bins, scale, pool.sampling_ratio)
            if wanted is None or result is None:
                result = pooled
            else:
                result = torch.where((wanted == position)[:, None, None, None], pooled, result)
        assert result is not None
        return result


class Masked(TwoStages):
    """Exportable version of a Faster R-CNN with a mask head for one image. It returns a fixed number of detections."""

    def __init__(self, network: Any, masks: Any) -> None:
        super().__init__(network)
        self.masks = masks

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features = self.backbone(images)
        corners, scores, labels = self._candidates(features, images)
        sides = corners[:, 2:] - corners[:, :2]
        real = (scores > self.heads.score_thresh) & (sides >= LEAST_SIDE).all(dim=1)
        apart = labels[:, None] * (images.shape[-1] + images.shape[-2])  # boxes of different labels do not overlap
        overlap, most = suppression_of(self.heads)
        kept = nms(torch.where(real[:, None], corners + apart, 0.0), scores, overlap)
        stays = torch.zeros_like(scores).index_fill(0, kept, 1.0) > 0
        scores = padded(torch.where(real, scores, 0.0), most)
        best, indices = torch.where(padded(stays, most), scores, 0.0).topk(most)
        corners, labels = padded(corners, most), padded(labels, most)
        corners = vote(corners, scores, labels, indices) if isinstance(self.heads, VotingHeads) else corners[indices]
        labels = labels[indices]
        pooled = self._pooled(features, corners, self.masks.pool.output_size)
        return corners, best, labels, self.masks.layers(pooled)[:, 0].sigmoid()


class Dense(nn.Module):
    """Exportable version of torchvision's FCOS or RetinaNet for one image, without non-maximum suppression."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone, self.head, self.box_coder = network.backbone, network.head, network.box_coder
        self.most = int(network.topk_candidates)
        self.cells = network.anchor_generator.cell_anchors
        self.decode = network.box_coder.decode if isinstance(network, FCOS) else network.box_coder.decode_single

    def forward(self, images: torch.Tensor) -> Candidates:
        every: list[Candidates] = []
        for level, cells in zip(self.backbone(images).values(), self.cells, strict=True):
            outputs = self.head([level])
            scores = outputs["cls_logits"][0].sigmoid()
            if "bbox_ctrness" in outputs:
                scores = (scores * outputs["bbox_ctrness"][0].sigmoid()).sqrt()
            count = scores.shape[-1]
            best, indices = padded(scores.reshape(-1), self.most).topk(self.most)
            moves = padded(outputs["bbox_regression"][0], self.most)[indices // count]
            anchors = padded(grid_of(cells, level, images), self.most)[indices // count]
            every.append((clipped(self.decode(moves, anchors), images), best, indices % count - 1))
        corners, confidences, labels = (torch.cat(parts) for parts in zip(*every, strict=True))
        return corners, torch.where(labels >= 0, confidences, 0.0), labels.clamp(min=0)


class Boxed(nn.Module):
    """Exportable version of torchvision's SSD for one image, without non-maximum suppression."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone, self.head, self.box_coder = network.backbone, network.head, network.box_coder
        self.default_boxes = network.anchor_generator
        self.most = int(network.topk_candidates)

    def forward(self, images: torch.Tensor) -> Candidates:
        levels = list(self.backbone(images).values())
        outputs = self.head(levels)
        height, width = images.shape[-2:]
        anchors = self.default_boxes(ImageList(images, [(height, width)]), levels)[0]
        corners = clipped(self.box_coder.decode_single(outputs["bbox_regression"][0], anchors), images)
        scores = outputs["cls_logits"][0].softmax(dim=-1)[:, 1:]  # index 0 is the background
        best, indices = padded(scores, self.most).topk(self.most, dim=0)
        labels = torch.arange(scores.shape[1], device=images.device).expand(self.most, -1)
        return padded(corners, self.most)[indices.reshape(-1)], best.reshape(-1), labels.reshape(-1)


class Queried(nn.Module):
    """Exportable version of a detector from transformers for one image, which it pads to the square of its input."""

    def __init__(self, detector: TransformersDetector) -> None:
        super().__init__()
        self.detector = detector
        self.side = int(detector.shape.side)

    def forward(self, images: torch.Tensor) -> Candidates:
        height, width = images.shape[-2:]
        square = nn.functional.pad(images, (0, self.side - width, 0, self.side - height))
        corners, scores, labels = self.detector.candidates(square)
        return clipped(corners[0], images), scores[0], labels[0]


def padded(rows: torch.Tensor, count: int) -> torch.Tensor:
    """Append ``count`` rows of zeros, so that a fixed number of rows can be taken even for a small image."""
    return torch.cat((rows, rows.new_zeros(count, *rows.shape[1:])))


def grid_of(cells: torch.Tensor, level: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Place the anchors ``cells`` at each position of a pyramid level, shape (rows × columns × cells, 4)."""
    rows, columns = level.shape[-2:]
    y = torch.arange(rows, device=level.device) * (images.shape[-2] // rows)
    x = torch.arange(columns, device=level.device) * (images.shape[-1] // columns)
    down, across = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack((across, down, across, down), dim=-1).to(cells.dtype)
    return (shifts[:, :, None] + cells).reshape(-1, 4)


def clipped(corners: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[-2:]
    x, y = corners[:, 0::2].clamp(0, width), corners[:, 1::2].clamp(0, height)
    return torch.stack((x, y), dim=2).reshape(-1, 4)


def _fix_padding(network: nn.Module) -> None:
    """Replace "same" padding in convolutions with fixed padding, which is equivalent because input sizes are even."""
    from timm.layers import Conv2dSame

    for name, layer in list(network.named_modules()):
        if isinstance(layer, Conv2dSame):
            network.set_submodule(name, _padded(layer))


class _Clamped(nn.ReLU6):
    """ReLU6 as a single clamp operator. PyTorch exports a ``ReLU6`` of dynamic size as two operations."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.clamp(self.min_val, self.max_val)


def _simplify_activations(network: nn.Module) -> None:
    for layer in network.modules():
        if type(layer) is nn.ReLU6:
            layer.__class__ = _Clamped


def _padded(layer: nn.Conv2d) -> nn.Module:
    sides: list[int] = []
    pairs = (tuple(pair)[::-1] for pair in (layer.kernel_size, layer.stride, layer.dilation))
    for kernel, stride, dilation in zip(*pairs, strict=True):
        total = max((kernel - 1) * dilation + 1 - stride, 0)
        sides += [total // 2, total - total // 2]
    plain = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        0,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
    )
    plain.weight, plain.bias = layer.weight, layer.bias
    return nn.Sequential(nn.ZeroPad2d(tuple(sides)), plain)
