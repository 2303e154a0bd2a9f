"""Mask head of a detector: predict which part of each box the object covers (Mask R-CNN: He et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

#: Number of cells per side of a mask, and of the features that it is computed from.
CELLS, POOLED = 28, 14
_CHANNELS, _LAYERS = 64, 3


class MaskHead(nn.Module):
    """Mask head from torchvision with one mask for all labels, which fewer images teach nearly as well."""

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
