"""Detector training steps: augmented batches (mosaic, scale, color), losses and validation on held-out images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from torch import nn

from customlabels_nb._utils.device import BatchSize
from customlabels_nb.core.geometry import FloatArray, clip_ltwh, ltwh_to_xyxy
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.evaluation.boxes import Boxes, make_boxes
from customlabels_nb.events import HELD_OUT, LEARNT_FROM, Events, Sample
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.detector import ImageDetector, detect, to_table
from customlabels_nb.models.detector_building import normalisation
from customlabels_nb.models.detector_shape import OWN, TransformersShape, fill_of
from customlabels_nb.models.transforms import to_batch
from customlabels_nb.training.boxes_data import BOX, Example, Photos
from customlabels_nb.training.detection_data import DetectionOptions, Prepared
from customlabels_nb.training.mask_data import mask_targets
from customlabels_nb.training.samples import chosen, make_samples
from customlabels_nb.training.scene_sources import Outline, TrainingScene
from customlabels_nb.workers.ranks import RankTask

_RATE, _BACKBONE_SHARE, _DECAY = 1.5e-3, 0.15, 0.02
_COCO_RATE = 2e-4
_MOSAICS, _CALM_FROM = 0.5, 0.8
_TRIES = 8  # images to try in place of an unreadable one

#: Smallest visible share of a box for it to be used.
VISIBLE = 0.4

_LEAST_SIDE = 2.0  # pixels of the canvas
_JITTER, _CALM_JITTER = (0.5, 1.6), (0.8, 1.2)
_MOSAIC_JITTER = (0.5, 1.2)
_STRETCH = 0.12  # largest change of the aspect ratio, as a logarithm
_BRIGHTNESS, _CONTRAST, _COLOR = 0.25, 0.3, 0.12
_PLAIN_COLORS = 0.2  # share of canvases without color augmentation

_Part = tuple[FloatArray, npt.NDArray[np.int64], list[Outline | None]]  # boxes, labels, outlines


class DetectionLearner:
    """Learner that trains a detector. See :class:`customlabels_nb.training.loop.Learner`."""

    def __init__(
        self,
        network: ImageDetector,
        prepared: Prepared,
        labels: Sequence[str],
        options: DetectionOptions,
        device: str,
    ) -> None:
        self.network: Any = network
        self.labels = list(labels)
        self.batch_size = options.batch
        self._prepared, self._options, self._device = prepared, options, device
        self._pretrained = network.shape if isinstance(network.shape, TransformersShape) else None
        self.mean, self.std = normalisation(self._pretrained or options.detector, options.backbone)
        self._fill = fill_of(self.mean)
        self._batches = BatchSize(options.batch, device)
        self._found: pd.DataFrame | None = None
        source = prepared.source
        weights = frequencies([source.labels_of(index) for index in range(len(source))], len(labels))
        self.repeated = float(weights.max(initial=1.0))
        self.turns = Turns(weights, options.random_state)
        self.identity = {
            "start time": options.run,
            "labels": self.labels,
            "images": len(source),
            "input_size": prepared.size,
            # "votes" and "max_boxes" do not affect training
            "shape": {k: value for k, value in network.shape.to_dict().items() if k not in ("votes", "max_boxes")},
            "backbone": options.backbone,
            "batch": options.batch,
            "random_state": options.random_state,
            "device": device.partition(":")[0],
            **({"masks": True} if options.masks else {}),
        }

    def groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        backbone, rate, backbone_rate, decay = ".backbone.body.", _RATE, _RATE * _BACKBONE_SHARE, _DECAY
        if self._pretrained is not None:
            family = self._pretrained.family
            backbone, rate, backbone_rate = family.backbone_layers, family.rate, family.backbone_rate
            decay = family.decay
        elif self._options.detector != OWN:
            rate = backbone_rate = _COCO_RATE
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((backbone in name, parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": backbone_rate if in_backbone else rate,
                "weight_decay": decay if matrix else 0.0,
            }
            for (in_backbone, matrix), parameters in groups.items()
        ]

    def for_ranks(self) -> RankTask:
        """Return what :func:`customlabels_nb.training.detector_recipe.detector_rank` needs."""
        options = (
            self._options if self._pretrained is None else replace(self._options, detector=OWN)
        )  # not loaded there
        facts = {
            "shape": self.network.shape, "labels": self.labels, "options": options, "device": self._device,
            "size": self._prepared.size, "source": self._prepared.source.facts,
        }  # fmt: skip
        return RankTask("detector", facts)

    def preload(self) -> None:
        if isinstance(self._prepared.source, Photos):
            self._prepared.source.preload(Events())

    def batch(self, step: int, fraction: float, slots: Iterable[int] | None = None) -> list[TrainingScene]:
        wanted = range(self.batch_size) if slots is None else slots
        return [self._canvas(step * self.batch_size + slot, fraction) for slot in wanted]

    def _canvas(self, turn: int, fraction: float) -> TrainingScene:
        rng = np.random.default_rng([self._options.random_state, turn])
        index, epoch = self.turns.at(turn)
        canvas = self._augmented(index, epoch, fraction, rng)
        return replace(canvas, masks=mask_targets(canvas, rng)) if self._options.masks else canvas

    def _augmented(self, index: int, epoch: int, fraction: float, rng: np.random.Generator) -> TrainingScene:
        first = self._scene(index, epoch, rng)
        if getattr(self._prepared.source, "composed", False):  # as varied as mosaics, must not be mirrored
            return single(first, self._prepared.size, self._fill, rng, mirrored=False, calm=True)
        calm = fraction >= _CALM_FROM  # towards the end of training, images look as in prediction
        if calm or rng.random() >= _MOSAICS:
            return single(first, self._prepared.size, self._fill, rng, calm=calm)
        others = [self._scene(self.turns.some(rng), epoch, rng) for _ in range(3)]
        return mosaic([first, *others], self._prepared.size, self._fill, rng)

    def _scene(self, index: int, epoch: int, rng: np.random.Generator) -> TrainingScene:
        for _ in range(_TRIES):
            scene = self._prepared.source.load(index, epoch)
            if scene is not None:
                return scene
            index = self.turns.some(rng)
        raise NotEnoughDataError("Almost none of the training images can still be read. See project.issues.")

    def losses(self, items: Sequence[TrainingScene]) -> dict[str, torch.Tensor]:
        images = to_batch([item.pixels.transpose(2, 0, 1) for item in items], self.mean, self.std, self._device)
        corners = [torch.from_numpy(ltwh_to_xyxy(item.boxes)).float().to(self._device) for item in items]
        labels = [torch.from_numpy(item.labels).to(self._device) for item in items]
        masks = [
            (torch.from_numpy(targets.regions).to(self._device), torch.from_numpy(targets.inside).to(self._device))
            for targets in (item.masks for item in items)
            if targets is not None
        ]
        return self.network.losses(images, corners, labels, masks)

    def validate(self, network: nn.Module) -> dict[str, float]:
        held_out = self._prepared.held_out
        if not any(len(example.boxes) for example, _ in held_out):
            self._found = self._detect(network, self._prepared.shown)
            return {}
        predictions = self._detect(network, held_out)
        positions = chosen(len(held_out))
        shown = {str(position): str(order) for order, position in enumerate(positions)}
        self._found = predictions[predictions["image"].isin(shown)].replace({"image": shown})
        if predictions.empty:
            return {"ap50": 0.0}
        names = _numbered(held_out)
        truth = truth_table(names, [example for example, _ in held_out], self.labels)
        return {"ap50": average_precision_50(make_boxes(truth, predictions, names, labels=self.labels))}

    def _detect(self, network: Any, images: Sequence[tuple[Example, Canvas]]) -> pd.DataFrame:
        find = partial(detect, network.eval(), mean=self.mean, std=self.std, device=self._device)
        detected = self._batches.map(find, [canvas for _, canvas in images])
        return to_table(_numbered(images), detected, self.labels)

    def samples(self) -> tuple[list[Sample], str]:
        """Return a few images with their ground truth and latest detections, and a description of these images."""
        shown = self._prepared.shown
        of = HELD_OUT if self._prepared.held_out else LEARNT_FROM
        if self._found is None or not shown:
            return [], of
        names, examples = _numbered(shown), [example for example, _ in shown]
        truth = truth_table(names, examples, self.labels)
        captions = [example.image for example in examples]
        return make_samples(names, [canvas for _, canvas in shown], truth, self._found, captions=captions), of


def _numbered(images: Sequence[object]) -> list[str]:
    """Return a unique name for each image, because the same image may occur twice."""
    return [str(position) for position in range(len(images))]


def truth_table(names: Sequence[str], examples: Sequence[Example], labels: Sequence[str]) -> pd.DataFrame:
    """Convert the boxes of examples to a ground-truth table for evaluation, with ``names`` as the image names."""
    tables = []
    for name, example in zip(names, examples, strict=True):
        tables.append(_box_table(name, example.boxes, [labels[code] for code in example.labels.tolist()], crowd=False))
        if len(example.ignored):  # detections in a crowd region count neither as correct nor as wrong
            many = [label for label in labels for _ in example.ignored]
            tables.append(_box_table(name, np.tile(example.ignored, (len(labels), 1)), many, crowd=True))
    return pd.concat(tables, ignore_index=True)


def average_precision_50(boxes: Boxes) -> float:
    """Compute the mean average precision (mAP) over the labels in the test set, at the IoU threshold of ``boxes``."""
    here = np.flatnonzero(boxes.in_test_set).tolist()
    return float(np.mean([boxes.average_precision(position) for position in here])) if here else 0.0


def _box_table(image: str, boxes: FloatArray, labels: Sequence[str], *, crowd: bool) -> pd.DataFrame:
    table = pd.DataFrame(boxes, columns=BOX)
    return table.assign(image=image, label=pd.Series(labels, dtype=TEXT), crowd=crowd)


#: Labels that occur in a smaller share of the images than this are oversampled.
RARE = 0.1
#: Largest number of repetitions of an image per epoch.
MOST_TURNS = 4.0


def frequencies(labels: Sequence[IntArray], n_labels: int) -> FloatArray:
    """Compute how often each image occurs per epoch, shape (n,), to oversample rare labels.

    A label that occurs in a share f of the images, with f below :data:`RARE`, has a repeat factor of sqrt(RARE / f),
    other labels one of 1. An image gets the repeat factor of its rarest label. (Repeat factor sampling, introduced with
    the LVIS data set: Gupta et al., 2019.)
    """
    shown = np.zeros(n_labels)
    distinct = [np.unique(label_codes) for label_codes in labels]
    for label_codes in distinct:
        shown[label_codes] += 1
    share = shown / max(1, len(labels))
    factor = np.clip(np.sqrt(RARE / np.maximum(share, 1e-9)), 1.0, MOST_TURNS)
    return np.array([factor[label_codes].max(initial=1.0) for label_codes in distinct], dtype=np.float64)


class Turns:
    """Endless, shuffled sequence of images, each as often per epoch as its weight of :func:`frequencies`."""

    def __init__(self, weights: FloatArray, random_state: int) -> None:
        self._ends = np.cumsum(np.asarray(weights, dtype=np.float64))
        self._seed = random_state
        self._orders: dict[int, IntArray] = {}

    def __len__(self) -> int:
        """Return the number of turns per epoch."""
        return max(1, round(float(self._ends[-1])))

    def at(self, turn: int) -> tuple[int, int]:
        """Return the index of the image at ``turn``, counted from 0 across all epochs, and the epoch."""
        epoch, position = divmod(turn, len(self))
        return int(self._order(epoch)[position]), epoch

    def some(self, rng: np.random.Generator) -> int:
        """Draw the index of a random image, with probability proportional to its frequency."""
        return int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))

    def _order(self, epoch: int) -> IntArray:
        order = self._orders.get(epoch)
        if order is None:
            rng = np.random.default_rng([self._seed, epoch])
            # systematic sampling: each image occurs as often as its weight requires, rounded up or down at random
            spaced = (np.arange(len(self)) + rng.random()) * (self._ends[-1] / len(self))
            order = np.minimum(np.searchsorted(self._ends, spaced, side="right"), len(self._ends) - 1)
            order = rng.permutation(order).astype(np.int64)
            former = {number: former_order for number, former_order in self._orders.items() if abs(number - epoch) == 1}
            self._orders = {**former, epoch: order}  # a batch may span two epochs
        return order


# augmentation: all randomness comes from a generator that the caller seeds


def single(
    scene: TrainingScene,
    side: int,
    fill: Sequence[int],
    rng: np.random.Generator,
    *,
    mirrored: bool = True,
    calm: bool = False,
) -> TrainingScene:
    """Place one scene at a random scale and position on a square canvas, with random lighting.

    If ``mirrored``, the scene is mirrored half of the time. If the scene is larger than the canvas, the visible part
    contains the centre of one of its boxes. With ``calm``, scales are closer to those in prediction.
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
    parts = [_draw(canvas, scene, scales, offset, (0, 0, side, side))]
    return _finish(canvas, parts, rng, mirrored)


def mosaic(scenes: Sequence[TrainingScene], side: int, fill: Sequence[int], rng: np.random.Generator) -> TrainingScene:
    """Combine four downscaled scenes on a square canvas, for more objects, scales and backgrounds."""
    centre = np.round(rng.uniform(0.3, 0.7, size=2) * side).astype(int)
    canvas = _empty(side, fill)
    parts = []
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
        parts.append(_draw(canvas, scene, scales, offset, quarter))
    return _finish(canvas, parts, rng)


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
) -> _Part:
    """Draw a scaled scene at ``offset`` in a window, and return visible boxes, labels and outlines."""
    nothing: _Part = np.empty((0, 4)), np.empty(0, dtype=np.int64), []
    height, width = scene.pixels.shape[:2]
    whole = np.array([width, height]) * scales
    x0, y0 = (int(max(edge, round(edge_offset))) for edge, edge_offset in zip(window[:2], offset, strict=True))
    ends = np.minimum(np.array(window[2:]), np.round(offset + whole)).astype(int)
    if ends[0] <= x0 or ends[1] <= y0:
        return nothing
    part = (np.array([x0, y0, ends[0], ends[1]]) - np.tile(offset, 2)) / np.tile(scales, 2)
    part = np.clip(part, 0, [width, height, width, height])
    if part[2] - part[0] < 1 or part[3] - part[1] < 1:
        return nothing
    drawn = Image.fromarray(scene.pixels).resize(
        (int(ends[0]) - x0, int(ends[1]) - y0),
        Image.Resampling.BILINEAR,
        box=tuple(part.tolist()),
        reducing_gap=2.0,
    )
    canvas[y0 : ends[1], x0 : ends[0]] = np.asarray(drawn)
    if not len(scene.boxes):
        return nothing
    moved = scene.boxes * np.tile(scales, 2)
    moved[:, :2] += offset
    seen = moved.copy()
    seen[:, :2] -= (x0, y0)
    seen = clip_ltwh(seen, (int(ends[0]) - x0, int(ends[1]) - y0))
    seen[:, :2] += (x0, y0)
    shares = seen[:, 2:].prod(axis=1) / np.maximum(moved[:, 2:].prod(axis=1), 1e-9)
    kept = (shares >= VISIBLE) & (seen[:, 2:] >= _LEAST_SIDE).all(axis=1)
    outlines = [
        None if outline is None else [ring * scales + offset for ring in outline]
        for outline, is_kept in zip(scene.outlines, kept.tolist(), strict=False)  # without masks, there are no outlines
        if is_kept
    ]
    return seen[kept], scene.labels[kept], outlines


def _finish(
    canvas: npt.NDArray[np.uint8], parts: Sequence[_Part], rng: np.random.Generator, mirrored: bool = True
) -> TrainingScene:
    boxes, labels = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    outlines = [outline for part in parts for outline in part[2]]
    if mirrored and rng.random() < 0.5:
        canvas = canvas[:, ::-1]
        boxes[:, 0] = canvas.shape[1] - boxes[:, 0] - boxes[:, 2]
        outlines = [rings and [ring * (-1, 1) + (canvas.shape[1], 0) for ring in rings] for rings in outlines]
    canvas = _in_other_light(canvas, rng)
    return TrainingScene(canvas, boxes, labels, outlines)


def _in_other_light(canvas: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Change brightness, contrast and color at random, using one lookup table per channel for speed."""
    if rng.random() < _PLAIN_COLORS:
        return canvas
    contrast = np.exp(rng.uniform(-_CONTRAST, _CONTRAST))
    gains = contrast * np.exp(rng.uniform(-_COLOR, _COLOR, size=3))
    shift = 255 * rng.uniform(-_BRIGHTNESS, _BRIGHTNESS) * 0.5
    tones = np.arange(256, dtype=np.float64)
    tables = np.clip((tones - 128) * gains[:, None] + 128 + shift, 0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(canvas))
    return np.asarray(image.point(tables.ravel().tolist()))
