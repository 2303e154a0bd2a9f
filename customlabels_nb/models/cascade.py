"""Second stage of a Faster R-CNN in two passes: the second pass refines the boxes of the first.

Proposals are far from the objects, so one pass cannot place boxes exactly. The second pass has its own weights, is
trained on the boxes that the first one predicts, and accepts only those that fit well. (Cascade R-CNN: Cai and
Vasconcelos, 2018.)
"""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.ops import box_iou, clip_boxes_to_image

from customlabels_nb.models.box_voting import VotingHeads
from customlabels_nb.models.detector_shape import MOST_BOXES

#: Minimum IoU at which a box of the first pass shows an object. Proposals need an IoU of 0.5.
LEAST_IOU = 0.6
#: Factor of the offsets in the second pass, where boxes move about half as far.
SCALE = 2.0
#: Number of proposals per box of a result that the second pass refines even if they are not confident.
REFINED = 0.75

Targets = list[dict[str, torch.Tensor]]


class CascadeHeads(VotingHeads):
    """Second stage of a Faster R-CNN in two passes, with box voting."""

    second_head: nn.Module
    second_predictor: nn.Module

    def forward(
        self,
        features: dict[str, torch.Tensor],
        proposals: list[torch.Tensor],
        image_shapes: list[tuple[int, int]],
        targets: Targets | None = None,
    ) -> tuple[Targets, dict[str, torch.Tensor]]:
        """Return the detections in each image, or the losses in training mode."""
        labels: list[torch.Tensor] | None = None
        if targets is not None:
            proposals, _, labels, offsets = self.select_training_samples(proposals, targets)
        pooled = self.box_roi_pool(features, proposals, image_shapes)
        logits, deltas = _exact(self.box_predictor(self.box_head(pooled)))
        with torch.no_grad():
            moved = self.box_coder.decode(deltas, proposals)
            boxes = refined(moved, logits, torch.cat(proposals), None if labels is None else torch.cat(labels))
        sizes = [len(image_boxes) for image_boxes in proposals]
        if targets is None:
            likely, sizes = self._likely(logits, sizes)
            boxes, logits = boxes[likely], logits[likely]
        better = [
            clip_boxes_to_image(image_boxes, size)
            for image_boxes, size in zip(boxes.split(sizes), image_shapes, strict=True)
        ]
        pooled = self.box_roi_pool(features, better, image_shapes)
        again, corrections = _exact(self.second_predictor(self.second_head(pooled)))
        if targets is None or labels is None:
            scores = mean_confidences(logits, again).log()
            detected = self.postprocess_detections(scores, corrections / SCALE, better, image_shapes)
            return [
                {"boxes": b, "scores": s, "labels": found_labels} for b, s, found_labels in zip(*detected, strict=True)
            ], {}
        first = fastrcnn_loss(logits, deltas, labels, offsets)
        matched = [_matched(image_boxes, target) for image_boxes, target in zip(better, targets, strict=True)]
        wanted = [SCALE * offset for offset in self.box_coder.encode([box for box, _ in matched], better)]
        second = fastrcnn_loss(again, corrections, [label for _, label in matched], wanted)
        return [], {name: a + b for name, a, b in zip(("loss_classifier", "loss_box_reg"), first, second, strict=True)}

    def _likely(self, logits: torch.Tensor, sizes: list[int]) -> tuple[torch.Tensor, list[int]]:
        """Return a mask of the boxes that likely have an object, and their number in each image."""
        parts = [
            is_likely(confidences, self.score_thresh, self.max_boxes)
            for confidences in object_confidences(logits).split(sizes)
        ]
        return torch.cat(parts), [int(part.sum()) for part in parts]


def refined(
    moved: torch.Tensor, logits: torch.Tensor, proposals: torch.Tensor, labels: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the boxes that the second pass starts from, shape (n, 4).

    ``moved``, shape (n, k, 4), contains the boxes that the first pass predicts for each proposal and label. Label 0 is
    the background. ``labels`` are used instead of the most likely ones. Proposals stay where the predicted box would be
    thinner than a pixel.
    """
    best = logits[:, 1:].argmax(dim=1) + 1
    if labels is not None:
        best = torch.where(labels > 0, labels, best)
    boxes = moved.gather(1, best[:, None, None].expand(-1, 1, 4))[:, 0]
    thin = ((boxes[:, 2:] - boxes[:, :2]) < 1).any(dim=1, keepdim=True)
    return torch.where(thin, proposals, boxes)


def object_confidences(logits: torch.Tensor) -> torch.Tensor:
    """Return the confidence of the most likely label of each proposal, shape (n,)."""
    return logits.softmax(dim=-1)[:, 1:].amax(dim=1)


def is_likely(confidences: torch.Tensor, least: float, max_boxes: int) -> torch.Tensor:
    """Return a mask of the proposals that the second pass refines: the most confident, and all from ``least`` on."""
    best = confidences.topk(min(round(REFINED * max(max_boxes, MOST_BOXES)), len(confidences))).indices
    return (confidences >= least) | (torch.zeros_like(confidences).index_fill(0, best, 1.0) > 0)


def mean_confidences(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Average the confidences of both passes, whose logits are given, shape (n, k)."""
    return ((first.softmax(dim=-1) + second.softmax(dim=-1)) / 2).clamp(min=1e-9)


def _exact(outputs: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Convert logits and offsets to float32, because torchvision computes boxes in the type of the offsets."""
    return outputs[0].float(), outputs[1].float()


def _matched(boxes: torch.Tensor, target: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the object that each box overlaps most, and its label, or 0 if the IoU is below :data:`LEAST_IOU`."""
    objects = torch.cat((boxes.new_zeros(1, 4), target["boxes"].to(boxes.dtype)))  # images may have no object
    iou, nearest = box_iou(objects, boxes).max(dim=0)
    labels = torch.cat((target["labels"].new_zeros(1), target["labels"]))
    return objects[nearest], torch.where(iou >= LEAST_IOU, labels[nearest], 0)
