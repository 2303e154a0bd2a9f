"""Non-maximum suppression in which the removed boxes vote on the position of the box that is kept.

A detector finds each object several times, and the most confident box is not the most accurate one. The average of all
boxes of an object is, and it takes no extra time. (Box voting: Gidaris and Komodakis, 2015.)
"""

from __future__ import annotations

import torch
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import batched_nms, box_iou

#: IoU above which two boxes with the same label show the same object.
OVERLAP = 0.5
#: ``box_detections_per_img`` of a Faster R-CNN that keeps all boxes.
ALL = 2**31 - 1


class VotingHeads(RoIHeads):
    """Second stage of a Faster R-CNN with box voting.

    Its own ``nms_thresh`` must be 1 and ``detections_per_img`` :data:`ALL`, so that torchvision suppresses no box.
    ``max_boxes`` is the largest number of boxes per image.
    """

    max_boxes: int

    def postprocess_detections(
        self,
        class_logits: torch.Tensor,
        box_regression: torch.Tensor,
        proposals: list[torch.Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
        """Return the boxes, confidences and labels of each image, the most confident first."""
        every = super().postprocess_detections(class_logits, box_regression, proposals, image_shapes)
        boxes, scores, labels = [], [], []
        for candidates, confidences, names in zip(*every, strict=True):
            kept = batched_nms(candidates, confidences, names, OVERLAP)[: self.max_boxes]
            boxes.append(vote(candidates, confidences, names, kept))
            scores.append(confidences[kept])
            labels.append(names[kept])
        return boxes, scores, labels


def vote(corners: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Return the boxes ``kept``, each averaged with the boxes of its label that overlap it.

    The weight of a box is the square of its confidence times the part of its IoU above :data:`OVERLAP`. It grows from
    zero, so that rounding errors in a box never decide whether it votes. Corners are ``x0, y0, x1, y1`` of all boxes of
    an image. ``kept`` are the indices of those that remain after non-maximum suppression.
    """
    same = labels[kept, None] == labels
    weights = (box_iou(corners[kept], corners).nan_to_num(0.0) - OVERLAP).clamp(min=0) * same * scores**2
    total = weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    return (weights[:, :, None] * corners).sum(dim=1) / total
