"""What happens to a detector's training pictures on their way to the network, and where their boxes go with it.

All of it is drawn from a generator that the caller seeds: equal seeds make equal canvases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.core.geometry import FloatArray, clip_ltwh
from customlabels_nb.training.scene_sources import TrainingScene

#: A box counts while at least this share of it is visible.
VISIBLE = 0.4

_LEAST_SIDE = 2.0  # pixels of the canvas
_JITTER, _CALM_JITTER = (0.5, 1.6), (0.8, 1.2)
_MOSAIC_JITTER = (0.5, 1.2)
_STRETCH = 0.12  # how far width and height are scaled apart, as a logarithm
_BRIGHTNESS, _CONTRAST, _COLOUR = 0.25, 0.3, 0.12
_PLAIN_COLOURS = 0.2  # share of canvases whose colours stay


def single(
    scene: TrainingScene,
    side: int,
    fill: Sequence[int],
    rng: np.random.Generator,
    *,
    mirrored: bool = True,
    calm: bool = False,
) -> TrainingScene:
    """One scene at a random scale and place on a square canvas, in other light, ``mirrored`` half of the time.

    Where it is larger than the canvas, the part that is seen holds the middle of one of its boxes. ``calm`` scales are
    nearer to those of images that are asked about.
    """
    height, width = scene.pixels.shape[:2]
    jitter = np.exp(rng.uniform(*np.log(_CALM_JITTER if calm else _JITTER)))
    stretch = np.exp(rng.uniform(-_STRETCH, _STRETCH) / 2)
    scale = side / max(width, height) * jitter
    scales = np.array([scale * stretch, scale / stretch])
    whole = np.array([width, height]) * scales
    low, high = np.minimum(side - whole, 0.0), np.maximum(side - whole, 0.0)
    if len(scene.boxes):
        box = scene.boxes[rng.integers(len(scene.boxes))]
        middle = (box[:2] + box[2:] / 2) * scales
        margin = np.minimum(box[2:] * scales / 2, side / 2)
        low = np.where(whole > side, np.clip(margin - middle, low, high), low)
        high = np.where(whole > side, np.clip(side - margin - middle, low, high), high)
    offset = np.round(rng.uniform(low, np.maximum(low, high)))
    canvas = _empty(side, fill)
    boxes: list[FloatArray] = []
    labels: list[npt.NDArray[np.int64]] = []
    _draw(canvas, scene, scales, offset, (0, 0, side, side), boxes, labels)
    return _finish(canvas, boxes, labels, rng, mirrored)


def mosaic(scenes: Sequence[TrainingScene], side: int, fill: Sequence[int], rng: np.random.Generator) -> TrainingScene:
    """Four scenes, each smaller, around a random point of a square canvas: more objects, sizes and surroundings."""
    centre = np.round(rng.uniform(0.3, 0.7, size=2) * side).astype(int)
    canvas = _empty(side, fill)
    boxes: list[FloatArray] = []
    labels: list[npt.NDArray[np.int64]] = []
    for position, scene in enumerate(scenes[:4]):
        right, lower = position % 2, position // 2
        quarter = (
            int(centre[0]) if right else 0,
            int(centre[1]) if lower else 0,
            side if right else int(centre[0]),
            side if lower else int(centre[1]),
        )
        room = np.array([quarter[2] - quarter[0], quarter[3] - quarter[1]])
        height, width = scene.pixels.shape[:2]
        cover = float(max(room / np.array([width, height])))
        scale = min(cover, side / max(width, height)) * np.exp(rng.uniform(*np.log(_MOSAIC_JITTER)))
        stretch = np.exp(rng.uniform(-_STRETCH, _STRETCH) / 2)
        scales = np.array([scale * stretch, scale / stretch])
        whole = np.array([width, height]) * scales
        slack = room - whole
        offset = np.array(quarter[:2]) + np.round(rng.uniform(np.minimum(slack, 0), np.maximum(slack, 0)))
        _draw(canvas, scene, scales, offset, quarter, boxes, labels)
    return _finish(canvas, boxes, labels, rng)


def _empty(side: int, fill: Sequence[int]) -> npt.NDArray[np.uint8]:
    canvas = np.empty((side, side, 3), dtype=np.uint8)
    canvas[:] = np.asarray(fill, dtype=np.uint8)
    return canvas


def _draw(
    canvas: npt.NDArray[np.uint8],
    scene: TrainingScene,
    scales: FloatArray,
    offset: FloatArray,
    window: tuple[int, int, int, int],
    boxes: list[FloatArray],
    labels: list[npt.NDArray[np.int64]],
) -> None:
    """Draw a scene, scaled, with its upper left corner at ``offset``, as far as it lies in a window of the canvas."""
    height, width = scene.pixels.shape[:2]
    whole = np.array([width, height]) * scales
    x0, y0 = (int(max(edge, round(place))) for edge, place in zip(window[:2], offset, strict=True))
    ends = np.minimum(np.array(window[2:]), np.round(offset + whole)).astype(int)
    if ends[0] <= x0 or ends[1] <= y0:
        return
    part = (np.array([x0, y0, ends[0], ends[1]]) - np.tile(offset, 2)) / np.tile(scales, 2)
    part = np.clip(part, 0, [width, height, width, height])
    if part[2] - part[0] < 1 or part[3] - part[1] < 1:
        return
    drawn = Image.fromarray(scene.pixels).resize(
        (int(ends[0]) - x0, int(ends[1]) - y0),
        Image.Resampling.BILINEAR,
        box=tuple(part.tolist()),
        reducing_gap=2.0,
    )
    canvas[y0 : ends[1], x0 : ends[0]] = np.asarray(drawn)
    if not len(scene.boxes):
        return
    moved = scene.boxes * np.tile(scales, 2)
    moved[:, :2] += offset
    seen = moved.copy()
    seen[:, :2] -= (x0, y0)
    seen = clip_ltwh(seen, (int(ends[0]) - x0, int(ends[1]) - y0))
    seen[:, :2] += (x0, y0)
    shares = seen[:, 2:].prod(axis=1) / np.maximum(moved[:, 2:].prod(axis=1), 1e-9)
    kept = (shares >= VISIBLE) & (seen[:, 2:] >= _LEAST_SIDE).all(axis=1)
    boxes.append(seen[kept])
    labels.append(scene.labels[kept])


def _finish(
    canvas: npt.NDArray[np.uint8],
    boxes: list[FloatArray],
    labels: list[npt.NDArray[np.int64]],
    rng: np.random.Generator,
    mirrored: bool = True,
) -> TrainingScene:
    found = np.concatenate([np.empty((0, 4)), *boxes])
    if mirrored and rng.random() < 0.5:
        canvas = canvas[:, ::-1]
        found[:, 0] = canvas.shape[1] - found[:, 0] - found[:, 2]
    canvas = _in_other_light(canvas, rng)
    return TrainingScene(canvas, found, np.concatenate([np.empty(0, dtype=np.int64), *labels]))


def _in_other_light(canvas: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Other brightness, contrast and colour, by one table a channel: the quickest way."""
    if rng.random() < _PLAIN_COLOURS:
        return canvas
    contrast = np.exp(rng.uniform(-_CONTRAST, _CONTRAST))
    gains = contrast * np.exp(rng.uniform(-_COLOUR, _COLOUR, size=3))
    shift = 255 * rng.uniform(-_BRIGHTNESS, _BRIGHTNESS) * 0.5
    tones = np.arange(256, dtype=np.float64)
    tables = np.clip((tones - 128) * gains[:, None] + 128 + shift, 0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(canvas))
    return np.asarray(image.point(tables.ravel().tolist()))
