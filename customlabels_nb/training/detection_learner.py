"""How a detector learns: the batch of each step, its losses, and what it finds on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from customlabels_nb.core.geometry import FloatArray, ltwh_to_xyxy
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.evaluation.boxes import Boxes, make_boxes
from customlabels_nb.events import HELD_OUT, LEARNT_FROM, Sample
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.detector import ImageDetector, detect, to_table
from customlabels_nb.models.detector_building import normalisation
from customlabels_nb.models.detector_shape import OWN, fill_of
from customlabels_nb.models.transforms import to_batch
from customlabels_nb.training.augmentation import mosaic, single
from customlabels_nb.training.boxes_data import BOX, Example
from customlabels_nb.training.detection_data import DetectionOptions, Prepared
from customlabels_nb.training.samples import chosen, make_samples
from customlabels_nb.training.scene_sources import TrainingScene

_RATE, _BACKBONE_SHARE, _DECAY = 1.5e-3, 0.15, 0.02
_COCO_RATE = 2e-4
_MOSAICS, _CALM_FROM = 0.5, 0.8
_TRIES = 8  # pictures that are tried in place of an unreadable one


class DetectionLearner:
    """See :class:`customlabels_nb.training.loop.Learner`."""

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
        self._prepared, self._options, self._device = prepared, options, device
        self.mean, self.std = normalisation(options.detector, options.backbone)
        self._fill = fill_of(self.mean)
        self._found: pd.DataFrame | None = None
        source = prepared.source
        weights = frequencies([source.labels_of(index) for index in range(len(source))], len(labels))
        self.repeated = float(weights.max(initial=1.0))
        self.turns = Turns(weights, options.seed)
        self.identity = {
            "labels": self.labels,
            "images": len(source),
            "input_size": prepared.size,
            "shape": network.shape.to_dict(),
            "backbone": options.backbone,
            "batch": options.batch,
            "seed": options.seed,
            "device": device.partition(":")[0],
        }

    def groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        own = self._options.detector == OWN
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((own and ".backbone.body." in name, parameter.ndim > 1), []).append(parameter)
        full = _RATE if own else _COCO_RATE
        return [
            {
                "params": parameters,
                "lr": full * (_BACKBONE_SHARE if body else 1.0),
                "weight_decay": _DECAY if matrix else 0.0,
            }
            for (body, matrix), parameters in groups.items()
        ]

    def batch(self, step: int, fraction: float) -> list[TrainingScene]:
        size = self._options.batch
        return [self._canvas(step * size + slot, fraction) for slot in range(size)]

    def _canvas(self, turn: int, fraction: float) -> TrainingScene:
        rng = np.random.default_rng([self._options.seed, turn])
        index, epoch = self.turns.at(turn)
        first = self._scene(index, epoch, rng)
        if getattr(self._prepared.source, "composed", False):  # as varied as mosaics in themselves, and never mirrored
            return single(first, self._prepared.size, self._fill, rng, mirrored=False, calm=True)
        calm = fraction >= _CALM_FROM  # at the end as in use
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
        raise NotEnoughDataError("Nearly none of the training images can be read any more; see the project's issues.")

    def losses(self, items: Sequence[TrainingScene]) -> dict[str, torch.Tensor]:
        images = to_batch([item.pixels.transpose(2, 0, 1) for item in items], self.mean, self.std, self._device)
        corners = [torch.from_numpy(ltwh_to_xyxy(item.boxes)).float().to(self._device) for item in items]
        labels = [torch.from_numpy(item.labels).to(self._device) for item in items]
        return self.network.losses(images, corners, labels)

    def validate(self, network: nn.Module) -> dict[str, float]:
        held_out = self._prepared.held_out
        if not any(len(example.boxes) for example, _ in held_out):
            self._found = self._detect(network, self._prepared.shown)
            return {}
        predictions = self._detect(network, held_out)
        at = chosen(len(held_out))
        shown = {str(position): str(order) for order, position in enumerate(at)}
        self._found = predictions[predictions["image"].isin(shown)].replace({"image": shown})
        if predictions.empty:
            return {"ap50": 0.0}
        names = _numbered(held_out)
        truth = truth_table(names, [example for example, _ in held_out], self.labels)
        return {"ap50": average_precision_50(make_boxes(truth, predictions, names, labels=self.labels))}

    def _detect(self, network: Any, images: Sequence[tuple[Example, Canvas]]) -> pd.DataFrame:
        found = detect(network.eval(), [canvas for _, canvas in images], self.mean, self.std, self._device)
        return to_table(_numbered(images), found, self.labels)

    def samples(self) -> tuple[list[Sample], str]:
        """A few images with what is true of them and what the last look at them found; and which these are."""
        shown = self._prepared.shown
        of = HELD_OUT if self._prepared.held_out else LEARNT_FROM
        if self._found is None or not shown:
            return [], of
        names, examples = _numbered(shown), [example for example, _ in shown]
        truth = truth_table(names, examples, self.labels)
        captions = [example.image for example in examples]
        return make_samples(names, [canvas for _, canvas in shown], truth, self._found, captions=captions), of


def _numbered(images: Sequence[object]) -> list[str]:
    """Names of images that differ: a picture may be there twice."""
    return [str(position) for position in range(len(images))]


def truth_table(names: Sequence[str], examples: Sequence[Example], labels: Sequence[str]) -> pd.DataFrame:
    """The boxes of examples as an evaluation takes them, the images called by ``names``."""
    tables = []
    for name, example in zip(names, examples, strict=True):
        tables.append(_box_table(name, example.boxes, [labels[at] for at in example.labels.tolist()], crowd=False))
        if len(example.ignored):  # whatever is found in a crowd is neither right nor wrong
            many = [label for label in labels for _ in example.ignored]
            tables.append(_box_table(name, np.tile(example.ignored, (len(labels), 1)), many, crowd=True))
    return pd.concat(tables, ignore_index=True)


def average_precision_50(boxes: Boxes) -> float:
    """Mean over the labels that are there of their average precision, at the IoU threshold of ``boxes``."""
    here = np.flatnonzero(boxes.in_test_set).tolist()
    return float(np.mean([boxes.average_precision(position) for position in here])) if here else 0.0


def _box_table(image: str, boxes: FloatArray, labels: Sequence[str], *, crowd: bool) -> pd.DataFrame:
    table = pd.DataFrame(boxes, columns=BOX)
    return table.assign(image=image, label=pd.Series(labels, dtype="str"), crowd=crowd)


#: Labels that fewer than this share of the pictures show are shown more often.
RARE = 0.1
#: No picture comes more often than this an epoch.
MOST_TURNS = 4.0


def frequencies(labels: Sequence[IntArray], n_labels: int) -> FloatArray:
    """How often each picture comes in an epoch, shape (n,), each once at least.

    A label that a share f of the pictures shows, less than :data:`RARE`, asks for its pictures sqrt(RARE / f) times; a
    picture goes by the rarest of its labels. (Repeat factor sampling, as the LVIS data set introduced it: Gupta et
    al., 2019.)

    Parameters
    ----------
    labels : sequence of int arrays
        The labels on each picture.
    n_labels : int
    """
    shown = np.zeros(n_labels)
    own = [np.unique(at) for at in labels]
    for at in own:
        shown[at] += 1
    share = shown / max(1, len(labels))
    factor = np.clip(np.sqrt(RARE / np.maximum(share, 1e-9)), 1.0, MOST_TURNS)
    return np.array([factor[at].max(initial=1.0) for at in own], dtype=np.float64)


class Turns:
    """An endless order of pictures: in each epoch all of them as often as they should, shuffled.

    Parameters
    ----------
    weights : array of shape (n,)
        As :func:`frequencies` gives them.
    seed : int
    """

    def __init__(self, weights: FloatArray, seed: int) -> None:
        self._ends = np.cumsum(np.asarray(weights, dtype=np.float64))
        self._seed = seed
        self._orders: dict[int, IntArray] = {}

    def __len__(self) -> int:
        """Turns of an epoch."""
        return max(1, round(float(self._ends[-1])))

    def at(self, turn: int) -> tuple[int, int]:
        """The picture at a turn, counted from 0 over all epochs, and the epoch."""
        epoch, position = divmod(turn, len(self))
        return int(self._order(epoch)[position]), epoch

    def some(self, rng: np.random.Generator) -> int:
        """Any picture, as likely as it is frequent."""
        return int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))

    def _order(self, epoch: int) -> IntArray:
        order = self._orders.get(epoch)
        if order is None:
            rng = np.random.default_rng([self._seed, epoch])
            # evenly spaced marks hit each picture as often as its weight says, rounded down or up by chance
            marks = (np.arange(len(self)) + rng.random()) * (self._ends[-1] / len(self))
            order = np.minimum(np.searchsorted(self._ends, marks, side="right"), len(self._ends) - 1)
            order = rng.permutation(order).astype(np.int64)
            former = {at: known for at, known in self._orders.items() if abs(at - epoch) == 1}
            self._orders = {**former, epoch: order}  # a batch may span two
        return order
