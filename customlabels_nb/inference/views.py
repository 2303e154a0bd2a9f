"""Make several views of an image, over which a model's predictions are averaged.

A view is the image, mirrored or not. With four views, a classifier also sees the centre of the image, and a detector
the image at :data:`LARGER` times its size. The boxes of one object are averaged, weighted by their confidences, after
Solovyev et al., "Weighted boxes fusion" (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core.geometry import iou
from customlabels_nb.errors import InputError
from customlabels_nb.inference.thresholds import IntArray
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.detector_shape import MOST_BOXES
from customlabels_nb.models.transforms import Pixels

if TYPE_CHECKING:
    from customlabels_nb.models.detector import DetectedBoxes

#: Scale of the third and fourth view of a detector.
LARGER = 1.25
#: IoU from which two boxes with the same label show the same object.
SAME_OBJECT_IOU = 0.6
_CENTRE = 0.8  # share of each side


def check_views(views: object) -> int:
    number = check_integer("views", views, 1)
    if number not in (1, 2, 4):
        raise InputError(
            f"views={number} must be 1, 2 (the image and its mirror image) or 4 (also both of the image's centre, "
            "or for a detector, of the enlarged image)."
        )
    return number


def find_in_views(
    find: Callable[[list[Canvas]], list[DetectedBoxes]], canvases: list[Canvas], views: int, most: int
) -> list[DetectedBoxes]:
    """Detect objects with ``find`` in each view of all images, and fuse the ``most`` confident ones in each image."""
    plain = find(canvases)
    if views == 1:
        return plain
    mirrored = find([mirror_canvas(canvas) for canvas in canvases])
    found = [
        fuse_boxes(boxes, mirror_boxes(others, canvas.size[0]), most)
        for canvas, boxes, others in zip(canvases, plain, mirrored, strict=True)
    ]
    if views == 2:
        return found
    larger = find_in_views(find, [canvas.larger or canvas for canvas in canvases], 2, most)
    return [fuse_boxes(boxes, others, most) for boxes, others in zip(found, larger, strict=True)]


def fuse_boxes(first: DetectedBoxes, second: DetectedBoxes, most: int = MOST_BOXES) -> DetectedBoxes:
    """Fuse the detections in two views of an image, both in pixels of the image.

    A box is fused with at most one box of the other view. Confidences are averaged, where an object that a view lacks
    counts as 0. A fused box has the mask of the more confident one. The result has the ``most``
    confident boxes, as many as that of one view may have.
    """
    boxes = np.concatenate([first.boxes, second.boxes])
    confidences = np.concatenate([first.confidences, second.confidences]) / 2
    from_first, other = _pairs(first, second)
    stronger = confidences[from_first] >= confidences[other]
    kept, left_out = np.where(stronger, (from_first, other), (other, from_first))
    confidences[kept] += confidences[left_out]
    share = np.divide(confidences[left_out], confidences[kept], out=np.zeros(len(kept)), where=confidences[kept] > 0)
    boxes[kept] += share[:, None] * (boxes[left_out] - boxes[kept])
    rows = np.setdiff1d(np.arange(len(boxes)), left_out)
    rows = rows[np.argsort(-confidences[rows], kind="stable")][:most]
    masks = first.masks
    if masks is not None and second.masks is not None:
        masks = replace(
            masks,
            inside=np.concatenate([masks.inside, second.masks.inside])[rows],
            regions=np.concatenate([masks.regions, second.masks.regions])[rows],
        )
    labels = np.concatenate([first.labels, second.labels])
    return replace(first, boxes=boxes[rows], labels=labels[rows], confidences=confidences[rows], masks=masks)


def _pairs(first: DetectedBoxes, second: DetectedBoxes) -> tuple[IntArray, IntArray]:
    """Pair boxes of both views, the most confident pairs first, and return their rows in the joined views."""
    same = first.labels[:, None] == second.labels
    rows, columns = np.nonzero(same & (iou(first.boxes, second.boxes) >= SAME_OBJECT_IOU))
    taken: dict[int, int] = {}
    for position in np.argsort(-first.confidences[rows] - second.confidences[columns], kind="stable").tolist():
        row, column = int(rows[position]), len(first.labels) + int(columns[position])
        if row not in taken and column not in taken:
            taken |= {row: column, column: row}
    from_first = [row for row in taken if row < len(first.labels)]
    return np.array(from_first, dtype=np.int64), np.array([taken[row] for row in from_first], dtype=np.int64)


def views_of(pixels: Sequence[Pixels], views: int) -> Iterator[list[Pixels]]:
    """Yield each view of all images, as uint8 arrays of the images' shape (3, side, side)."""
    for whole in (True, False)[: max(1, views // 2)]:
        shown = list(pixels) if whole else [_centre(pixels_of_image) for pixels_of_image in pixels]
        yield shown
        if views > 1:
            yield [np.ascontiguousarray(pixels_of_image[:, :, ::-1]) for pixels_of_image in shown]


def mirror_canvas(canvas: Canvas) -> Canvas:
    pixels, width = canvas.pixels.copy(), canvas.inside[0]
    pixels[:, :, :width] = pixels[:, :, :width][:, :, ::-1]
    return replace(canvas, pixels=pixels)


def mirror_boxes(detected: DetectedBoxes, width: int) -> DetectedBoxes:
    """Mirror the detections in an image of ``width`` pixels from left to right."""
    boxes, masks = detected.boxes.copy(), detected.masks
    boxes[:, 0] = width - boxes[:, 0] - boxes[:, 2]
    if masks is not None:
        x0, y0, x1, y1 = masks.regions.T
        masks = replace(masks, inside=masks.inside[:, :, ::-1], regions=np.stack([width - x1, y0, width - x0, y1], 1))
    return replace(detected, boxes=boxes, masks=masks)


def _centre(pixels: Pixels) -> Pixels:
    side = pixels.shape[-1]
    edge = side * (1 - _CENTRE) / 2
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    box = (edge, edge, side - edge, side - edge)
    centre = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
    return np.ascontiguousarray(np.asarray(centre).transpose(2, 0, 1))
