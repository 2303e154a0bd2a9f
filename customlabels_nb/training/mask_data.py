"""Masks to train on: outlines of the objects, rasterised in regions around their boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from customlabels_nb.core.geometry import FloatArray, ltwh_to_xyxy
from customlabels_nb.models.detector import CELLS
from customlabels_nb.training.scene_sources import MaskTargets, Outline, TrainingScene

#: Largest number of masks to train on in one image, because each takes time.
MOST_MASKS = 8
_JITTER = 0.1  # of the sides: predicted boxes are not exact either
_FINER = 8  # pixels per cell and side to rasterise


def mask_targets(scene: TrainingScene, rng: np.random.Generator) -> MaskTargets:
    """Choose some of the objects with outlines, and rasterise each in a region that differs a little from its box."""
    outlined = [chosen for chosen, outline in enumerate(scene.outlines) if outline is not None]
    chosen = rng.permutation(outlined)[:MOST_MASKS].astype(np.int64)
    boxes = scene.boxes[chosen]
    regions = ltwh_to_xyxy(boxes) + rng.uniform(-_JITTER, _JITTER, (len(chosen), 4)) * np.tile(boxes[:, 2:], 2)
    height, width = scene.pixels.shape[:2]
    regions = np.clip(regions, 0, [width, height, width, height])
    inside = [
        rasterise(scene.outlines[number] or [], corners, region)
        for number, corners, region in zip(chosen.tolist(), ltwh_to_xyxy(boxes), regions, strict=True)
    ]
    shares = np.stack(inside) if inside else np.empty((0, CELLS, CELLS), dtype=np.float32)
    return MaskTargets(regions.astype(np.float32), shares)


def rasterise(outline: Outline, seen: FloatArray, region: FloatArray) -> npt.NDArray[np.float32]:
    """Compute the share of each cell inside an outline (even-odd), whose visible part is ``seen``."""
    side = CELLS * _FINER
    scale = side / np.maximum(region[2:] - region[:2], 1e-6)
    page = Image.new("1", (side, side))
    for ring in outline:
        points = np.clip((ring - region[:2]) * scale - 0.5, -(2**20), 2**20)  # Pillow refers to the centres of pixels
        drawn = Image.new("1", page.size)
        ImageDraw.Draw(drawn).polygon(points.ravel().tolist(), fill=1)
        page = ImageChops.logical_xor(page, drawn)
    whole = np.array(page, dtype=np.float32)
    x0, y0 = np.clip(np.round((seen[:2] - region[:2]) * scale), 0, side).astype(int)
    x1, y1 = np.clip(np.round((seen[2:] - region[:2]) * scale), 0, side).astype(int)
    visible = np.zeros_like(whole)
    visible[y0:y1, x0:x1] = whole[y0:y1, x0:x1]
    shares: npt.NDArray[np.float32] = visible.reshape(CELLS, _FINER, CELLS, _FINER).mean(axis=(1, 3))
    return shares
