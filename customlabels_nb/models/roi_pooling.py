"""RoIAlign as matrix products: what a CPU does in parallel, forward and backward.

The value of a bin is the mean of bilinear interpolations at a grid of points, and bilinear interpolation is a product
of one along the columns and one along the rows. So a box's 7×7 bins are ``rows @ map @ columns``, with two small
matrices a box. torchvision's own backward pass on a CPU adds up the points one after another, on one core.
(RoIAlign: He et al., Mask R-CNN, 2017; levels by size: Lin et al., Feature Pyramid Networks, 2017.)
"""

from __future__ import annotations

import math

import torch
from torchvision.ops import MultiScaleRoIAlign

_MOST_CELLS = 64  # along a side of the finest map: on larger ones whole products take longer than points


class SeparableRoIAlign(MultiScaleRoIAlign):
    """As torchvision's, and equal to it up to rounding; on a CPU, in training, computed as matrix products."""

    def forward(
        self, x: dict[str, torch.Tensor], boxes: list[torch.Tensor], image_shapes: list[tuple[int, int]]
    ) -> torch.Tensor:
        """The features of boxes, shape (all boxes, channels, bins, bins).

        Parameters
        ----------
        x : dict of str to Tensor, shape (images, channels, height, width)
            The levels of a pyramid, the finest first.
        boxes : list of Tensor, shape (n, 4)
            ``x0, y0, x1, y1`` in pixels of the images, for each image.
        image_shapes : list of tuple of int
            Height and width of each image.
        """
        maps = [x[name] for name in self.featmap_names]
        one_size = len(set(image_shapes)) == 1
        if not (self.training and one_size and maps[0].device.type == "cpu" and max(maps[0].shape[2:]) <= _MOST_CELLS):
            features: torch.Tensor = super().forward(x, boxes, image_shapes)
            return features
        corners = torch.cat(boxes)
        image = torch.repeat_interleave(torch.arange(len(boxes)), torch.tensor([len(own) for own in boxes]))
        strides = [2.0 ** round(math.log2(image_shapes[0][0] / level.shape[2])) for level in maps]
        levels = self._levels(corners, strides)
        parts, places = [], []
        for level, (features, stride) in enumerate(zip(maps, strides, strict=True)):
            for position, own in enumerate(features.permute(0, 2, 3, 1)):
                rows = torch.nonzero((levels == level) & (image == position))[:, 0]
                if len(rows):
                    parts.append(self._pooled(own, corners[rows] / stride))
                    places.append(rows)
        if not parts:
            return maps[0].new_zeros(0, maps[0].shape[1], *self.output_size)
        pooled = torch.cat(parts)
        return torch.empty_like(pooled).index_copy(0, torch.cat(places), pooled).permute(0, 3, 1, 2)

    def _levels(self, corners: torch.Tensor, strides: list[float]) -> torch.Tensor:
        sides = (corners[:, 2:] - corners[:, :2]).prod(dim=1).sqrt()
        wanted = torch.floor(self.canonical_level + torch.log2(sides / self.canonical_scale) + 1e-6)
        return wanted.clamp(math.log2(strides[0]), math.log2(strides[-1])) - math.log2(strides[0])

    def _pooled(self, features: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
        """Bins of boxes of one image on one level, shape (n, bins, bins, channels); all in cells of that level."""
        height, width, channels = features.shape
        sides = (corners[:, 2:] - corners[:, :2]).clamp(min=1)
        down = self._weights(corners[:, 1], sides[:, 1], self.output_size[0], height)
        across = self._weights(corners[:, 0], sides[:, 0], self.output_size[1], width)
        rows = down.reshape(-1, height) @ features.reshape(height, width * channels)
        return torch.matmul(across[:, None], rows.view(len(corners), self.output_size[0], width, channels))

    def _weights(self, start: torch.Tensor, side: torch.Tensor, bins: int, cells: int) -> torch.Tensor:
        """The share of each cell of a line in each bin, shape (n, bins, cells)."""
        steps = (torch.arange(bins * self.sampling_ratio) + 0.5) / (self.sampling_ratio * bins)
        at = start[:, None] + steps * side[:, None]
        counts = (at >= -1) & (at <= cells)  # points farther outside are zero
        nearness = 1 - (at.clamp(0, cells - 1)[..., None] - torch.arange(cells)).abs()
        weights = nearness.clamp(min=0) * counts[..., None]
        return weights.view(len(start), bins, self.sampling_ratio, cells).mean(dim=2)
