"""Fine-tuning: train the last stages of a classifier's backbone together with a previously fitted head.

With few images, fine-tuning makes a model worse and overconfident. This module therefore only trains the network, and
:mod:`customlabels_nb.training.improving` decides on held-out images whether to use it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.device import BatchSize
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.events import Events
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.models.backbones import backbone_named, build_backbone, forward_batch, freeze
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.transforms import Pixels, to_batch
from customlabels_nb.training.budget import Budget, Clock, parse_budget
from customlabels_nb.training.checkpoints import LoopState
from customlabels_nb.training.image_data import ImageChange, ImagePixels, apply_changes, draw_change
from customlabels_nb.training.loop import TUNING_WARM_UP, LoopOptions, OtherRank, train
from customlabels_nb.training.temperature import losses
from customlabels_nb.workers.ranks import Ranks, RankTask

#: Images per step (batch size).
BATCH = 16
#: Share of the backbone's weights, counted from the input, that stay frozen. The first stages detect edges and
#: textures, which all images share, and take most of the computation. (About the first half of the packaged backbone.)
FROZEN = 0.05
#: Metric on held-out images that selects the best state: the geometric mean of the confidences in the true labels.
METRIC = "likelihood"

_HEAD_RATE, _BACKBONE_RATE, _DECAY = 1e-3, 5e-4, 0.02
_LEAST_EPOCH = 10  # steps; prevents validation from taking most of the time
_BEST_EPOCHS, _BEST_STEPS = 40, (200, 20_000)
_AVERAGE = 0.98


@dataclass(frozen=True)
class TuningOptions:
    """Options for fine-tuning, deterministic on a CPU.

    ``clock`` tracks a budget that has started. ``run`` identifies the training run in its checkpoints.
    """

    budget: Budget = field(default_factory=parse_budget)
    random_state: int = 0
    device: str = "cpu"
    batch: int = BATCH
    clock: Clock | None = None
    ranks: Ranks | None = None
    run: str = ""

    def __post_init__(self) -> None:
        check_integer("batch", self.batch, 1, 1024)


def fine_tune(
    network: ImageClassifier,
    images: ImagePixels,
    truth: npt.NDArray[Any],
    train_on: IntArray,
    held_out: IntArray,
    backbone: Backbone,
    options: TuningOptions,
    events: Events,
    *,
    weights: FloatArray | None = None,
    mirror: bool = True,
    checkpoints: Path | None = None,
) -> LoopState:
    """Train ``network`` in place within a budget, and load the weights that performed best on held-out images.

    ``truth`` has the index of each image's label, or a mask (n, k) of its labels, and ``weights`` the same shape. Use
    ``mirror=False`` if left and right distinguish labels. Training resumes from a checkpoint in ``checkpoints``.
    Unreadable images are recorded in ``images.issues``.
    """
    network.to(options.device).to(memory_format=torch.channels_last)
    learner = _Learner(network, images, np.asarray(truth), train_on, held_out, backbone, options, weights, mirror)
    clock = options.clock or Clock(options.budget, events, time.perf_counter(), [])

    def expect(average: nn.Module) -> tuple[float, float]:
        def ask(few: Sequence[str]) -> None:
            pixels = ImagePixels(few, backbone.input_size, root=images.root, cache_bytes=0)
            forward_all(average, pixels, range(len(few)), backbone, options.device)

        return clock.predictions(ask, len(held_out))

    epoch = max(_LEAST_EPOCH, -(-len(train_on) // options.batch))
    low, high = _BEST_STEPS
    loop = LoopOptions(
        budget=options.budget,
        best_steps=min(high, max(low, _BEST_EPOCHS * len(train_on) // options.batch)),
        epoch_steps=epoch,
        random_state=options.random_state,
        device=options.device,
        metric=METRIC,
        warm_up=TUNING_WARM_UP,
        average=_AVERAGE,
        spent=clock.spent(),
        expect=expect if clock.asked_about else None,
        ranks=options.ranks,
    )
    state = train(learner, loop, events, checkpoints)
    network.requires_grad_(False)
    return state


def forward_all(
    network: nn.Module,
    images: ImagePixels,
    indices: Sequence[int] | IntArray,
    backbone: Backbone,
    device: str,
    events: Events | None = None,
    *,
    phase: str = "features",
    mirrored: bool = False,
) -> FloatArray:
    """Run ``network`` in eval mode on images, or mirrored ones, NaN for unreadable, shape (n, outputs)."""
    step = forward_batch(device)
    batches = BatchSize(step, device, events)

    def forward(pixels: Sequence[Pixels]) -> FloatArray:
        batch = to_batch(pixels, backbone.mean, backbone.std, device)
        rows: FloatArray = network(batch.flip(-1) if mirrored else batch).cpu().double().numpy()  # MPS has no float64
        return rows

    wanted = [int(index) for index in indices]
    network.eval()
    parts: list[tuple[int, FloatArray]] = []
    with torch.inference_mode():
        for start in range(0, len(wanted), step):
            loaded = images.load_all(wanted[start : start + step])
            if loaded:
                rows = batches.map(forward, [pixels for _, pixels in loaded])
                parts += [(index, row) for (index, _), row in zip(loaded, rows, strict=True)]
            if events is not None:
                events.progress(phase, min(start + step, len(wanted)), len(wanted))
        if not parts:  # a blank image shows the number of outputs
            width = network(torch.zeros(1, 3, images.side, images.side, device=device)).shape[1]
        else:
            width = len(parts[0][1])
    output_of = dict(parts)
    nothing = np.full(width, np.nan)
    return np.array([output_of.get(index, nothing) for index in wanted], dtype=np.float64).reshape(len(wanted), width)


def unfreeze_last_stages(backbone: nn.Module, frozen: float = FROZEN) -> list[nn.Parameter]:
    """Freeze the first share ``frozen`` of a backbone's weights, unfreeze the rest and return the unfrozen weights."""
    parameters = list(backbone.parameters())
    sizes = np.cumsum([parameter.numel() for parameter in parameters])
    trained = [p for p, end in zip(parameters, sizes, strict=True) if end > frozen * sizes[-1]]
    backbone.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
    return trained


@dataclass(frozen=True)
class _Item:
    index: int
    pixels: Pixels
    change: ImageChange


class _Learner:
    """Learner for fine-tuning. See :class:`customlabels_nb.training.loop.Learner`."""

    def __init__(
        self,
        network: ImageClassifier,
        images: ImagePixels,
        truth: npt.NDArray[Any],
        train_on: IntArray,
        held_out: IntArray,
        backbone: Backbone,
        options: TuningOptions,
        weights: FloatArray | None,
        mirror: bool,
    ) -> None:
        self.network: nn.Module = network
        self.images, self.truth, self.train_on, self.held_out = images, truth, train_on, held_out
        self.backbone, self.mirror = backbone, mirror
        self.options = replace(options, clock=None, ranks=None)  # not for other processes
        self.batch_size = options.batch
        self.weights = np.ones(truth.shape) if weights is None else weights
        self.trained = unfreeze_last_stages(network.backbone)
        self.head = list(network.head.requires_grad_(True).parameters())
        self.identity: dict[str, Any] = {
            "start time": options.run, "images": len(train_on), "held_out": len(held_out),
            "outputs": network.head.out_features,
            "backbone": backbone.name, "batch": options.batch, "random_state": options.random_state,
            "mirror": mirror,
        }  # fmt: skip

    def groups(self) -> list[dict[str, Any]]:
        matrices = [p for p in self.trained if p.ndim > 1]
        others = [p for p in self.trained if p.ndim <= 1]
        return [
            {"params": matrices, "lr": _BACKBONE_RATE, "weight_decay": _DECAY},
            {"params": others, "lr": _BACKBONE_RATE, "weight_decay": 0.0},
            {"params": self.head, "lr": _HEAD_RATE, "weight_decay": 0.0},
        ]

    def for_ranks(self) -> RankTask:
        facts = {
            "images": self.images.images, "root": self.images.root, "side": self.images.side, "mirror": self.mirror,
            "train_on": self.train_on, "held_out": self.held_out, "backbone": self.backbone.name,
            "options": self.options, "outputs": self.identity["outputs"],
        }  # fmt: skip
        arrays = {"truth": self.truth, "weights": self.weights}
        return RankTask("classifier", facts, {name: torch.from_numpy(array) for name, array in arrays.items()})

    def batch(self, step: int, fraction: float, slots: Iterable[int] | None = None) -> list[_Item]:
        rng = np.random.default_rng([self.options.random_state, step])
        changes = [draw_change(rng, mirror=self.mirror) for _ in range(self.batch_size)]
        wanted = range(self.batch_size) if slots is None else slots
        return [_Item(*self._readable(step * self.batch_size + slot), changes[slot]) for slot in wanted]

    def losses(self, items: Sequence[_Item]) -> dict[str, torch.Tensor]:
        # eval mode: batch-norm statistics from a million images are better than those of a small batch
        self.network.eval()
        device = self.options.device
        images = to_batch([item.pixels for item in items], self.backbone.mean, self.backbone.std, device)
        logits = self.network(apply_changes(images, [item.change for item in items]))
        indices = [item.index for item in items]
        truth = torch.from_numpy(self.truth[indices]).to(device)
        weights = torch.from_numpy(self.weights[indices]).to(device, torch.float32)
        if truth.ndim == 1:
            each = functional.cross_entropy(logits, truth, reduction="none")
        else:
            each = functional.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")
        return {"log_loss": (each * weights).mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        if not len(self.held_out):
            return {}
        logits = forward_all(network, self.images, self.held_out, self.backbone, self.options.device)
        readable = np.isfinite(logits).all(axis=1)
        if not readable.any():
            return {}
        loss = float(losses(logits[readable], self.truth[self.held_out[readable]]).mean())
        return {"held_out_log_loss": loss, METRIC: float(np.exp(-loss))}

    def _readable(self, start: int) -> tuple[int, Pixels]:
        """Return the image at a position in the endless training order, or the next one that can be read."""
        count = len(self.train_on)
        for later in range(start, start + count):
            epoch, position = divmod(later, count)
            order = np.random.default_rng([self.options.random_state, 1, epoch]).permutation(count)
            index = int(self.train_on[order[position]])
            pixels = self.images.load(index)
            if pixels is not None:
                return index, pixels
        raise NotEnoughDataError("None of the training images can still be read. See project.issues.")


def classifier_rank(task: RankTask) -> OtherRank:
    """Return the work of another process that fine-tunes a classifier, see :meth:`_Learner.for_ranks`."""
    facts = task.facts["learner"]
    options = TuningOptions(**{**facts["options"], "budget": Budget(**facts["options"]["budget"])})
    backbone = backbone_named(facts["backbone"])
    network = freeze(ImageClassifier(build_backbone(backbone.name), backbone.features, facts["outputs"]))
    images = ImagePixels(facts["images"], facts["side"], root=facts["root"] and Path(facts["root"]))
    truth, weights = (task.tensors[name].numpy() for name in ("truth", "weights"))
    train_on, held_out = (np.array(facts[name], dtype=np.int64) for name in ("train_on", "held_out"))
    learner = _Learner(
        network.to(options.device), images, truth, train_on, held_out, backbone, options, weights, facts["mirror"]
    )
    return OtherRank(learner, task)
