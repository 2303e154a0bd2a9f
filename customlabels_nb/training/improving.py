"""Model selection: try fine-tuning and an earlier version as alternatives to a head on a frozen backbone.

Candidates are compared on held-out images that none of them was trained on. A candidate only replaces the current best
one if it is clearly better. Either way, a note reports the metrics of both.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.splitting import stratified_split
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray
from customlabels_nb.events import Events, Kept, Message
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.models.backbones import load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.training.classification import FittedHead, image_weights
from customlabels_nb.training.fine_tuning import TuningOptions, fine_tune, forward_all
from customlabels_nb.training.image_data import ImagePixels
from customlabels_nb.training.multi_label import fit_head_of_task, label_weights
from customlabels_nb.training.temperature import fit_temperature, losses, standard_error

Features = npt.NDArray[np.float32]

#: Smallest number of training images for fine-tuning. In experiments, fine-tuning with fewer images never helped.
LEAST_IMAGES = 40
#: Held-out log-loss below which there is nothing to gain (a mean confidence of 0.98 in the true labels).
GOOD_ENOUGH = 0.02

#: Share of the training images on which candidates are compared.
HELD_OUT = 0.2
#: Smallest and largest number of held-out images. With fewer, the result depends on chance. More only cost time.
LEAST_HELD_OUT, MOST_HELD_OUT = 8, 2000

#: Note on why fine-tuning is not tried without a budget.
NOT_ASKED_FOR = "Fine-tuning is not tried without a budget. Use train(budget='2min') to try it."

_MIRRORED_WORSE = 0.1  # of log-loss

FROZEN_NAME = "the head on the frozen backbone"
TUNED_NAME = "the fine-tuned network"


@dataclass(frozen=True)
class BaseVersion:
    """Network of an earlier version to start from, and the hashes of its images without the held-out ones."""

    name: str
    network: ImageClassifier
    backbone: str
    learnt: frozenset[str]


@dataclass(frozen=True)
class ImprovementResult:
    """Result of :func:`improve`. ``network`` is None if nothing beat the head on the frozen backbone.

    Notes are the candidates and decisions. Later versions are compared using the ``held_out`` images.
    """

    network: ImageClassifier | None
    notes: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    held_out: BoolArray | None = None
    issues: list[Issue] = field(default_factory=list)


def why_not_fine_tune(head: FittedHead, images: int) -> str | None:
    """Return a sentence that explains why fine-tuning is not tried, or None if it should be tried."""
    if images < LEAST_IMAGES:
        return f"Fine-tuning is not tried with fewer than {LEAST_IMAGES} training images: it makes models worse."
    if head.log_loss is not None and head.log_loss < GOOD_ENOUGH:
        return f"Fine-tuning is not tried: the head's held-out log-loss of {head.log_loss:.3f} leaves nothing to gain."
    return None


def improve(
    head: FittedHead,
    features: npt.NDArray[np.float32],
    truth: npt.NDArray[Any],
    images: Sequence[str],
    backbone: Backbone,
    options: TuningOptions,
    events: Events,
    *,
    root: Path | None = None,
    hashes: Sequence[str | None] | None = None,
    former: BaseVersion | None = None,
    tune: bool = True,
    checkpoints: Path | None = None,
) -> ImprovementResult:
    """Try alternatives to ``head``, and use one only if it is better on held-out images.

    On a CPU, the same input gives the same result, even if the call is interrupted and repeated with the same
    ``checkpoints`` folder. ``truth`` has the index of each image's label, or a mask (n, k) of its labels. ``hashes``
    are used to recognise the images that ``former`` was trained on. ``tune`` tries fine-tuning, which takes the entire
    budget.
    """
    y = np.asarray(truth)
    _require_equal_lengths({"features has": features, "truth": y, "images": images, "hashes": hashes})
    notes: list[str] = []
    former = _usable(former, backbone, notes)
    why_not = why_not_fine_tune(head, len(images)) or (None if tune else NOT_ASKED_FOR)
    if former is None and why_not is not None:
        return _report(ImprovementResult(None, [*notes, why_not]), events)
    held_out = hold_out(
        _names(y), random_state=options.random_state, seen=_maybe_trained_on(former, hashes, len(images))
    )
    if held_out is None and former is not None:
        notes.append(f"Did not start from version {former.name!r}: it was trained on nearly all of these images.")
        former = None
        held_out = hold_out(_names(y), random_state=options.random_state) if why_not is None else None
    if held_out is None:
        return _report(
            ImprovementResult(None, [*notes, why_not or "There are too few images to try more than a head."]), events
        )
    pixels = ImagePixels(images, backbone.input_size, root=root)
    work = _Work(head, features, y, held_out, pixels, backbone, options, events, checkpoints, notes)
    work.start(former)
    if why_not is None:
        work.fine_tune()
    else:
        notes.append(why_not)
    kept = work.best.build() if work.best.name != FROZEN_NAME else None
    result = ImprovementResult(kept, notes, work.facts, held_out if kept is not None else None, pixels.issues)
    return _report(result, events, work.best.name)


@dataclass(frozen=True)
class _Option:
    """Candidate: its losses on held-out images, and a function that builds its network."""

    name: str
    losses: FloatArray  # NaN for images that can no longer be read
    build: Callable[[], ImageClassifier]


@dataclass
class _Work:
    """State of the search: ``best`` is the best candidate so far, and ``notes`` and ``facts`` explain the decisions."""

    head: FittedHead
    features: Features
    truth: npt.NDArray[Any]
    held_out: BoolArray
    pixels: ImagePixels
    backbone: Backbone
    options: TuningOptions
    events: Events
    checkpoints: Path | None
    notes: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    def start(self, former: BaseVersion | None) -> None:
        """Start with a head on the frozen backbone, fitted without the held-out images, or with the earlier network."""
        head = self._fit(self.features)
        self.best = _Option(
            FROZEN_NAME,
            losses(head.logits(self.features[self.held_out]).astype(np.float64), self.truth[self.held_out]),
            lambda: self._network(load_backbone(self.backbone.name), head),
        )
        if former is None:
            return
        network = former.network.to(self.options.device).eval()
        features = forward_all(
            network.backbone, self.pixels, range(len(self.truth)), self.backbone, self.options.device, self.events
        ).astype(np.float32)
        readable = np.isfinite(features).all(axis=1)
        if not readable.all():
            self.notes.append(f"Did not start from version {former.name!r}: an image can no longer be read.")
            return
        other = self._fit(features)
        held_out_losses = losses(other.logits(features[self.held_out]).astype(np.float64), self.truth[self.held_out])
        option = _Option(
            f"the network of version {former.name!r}",
            held_out_losses,
            lambda: self._network(copy.deepcopy(network.backbone), other),
        )
        self._compare(option, "start")

    def fine_tune(self) -> None:
        """Fine-tune the best candidate so far, and use the result if it is clearly better."""
        network = self.best.build()
        train_on, held_out = np.flatnonzero(~self.held_out), np.flatnonzero(self.held_out)
        mirror = self._may_be_mirrored(network, held_out)
        state = fine_tune(
            network,
            self.pixels,
            self.truth,
            train_on,
            held_out,
            self.backbone,
            self.options,
            self.events,
            weights=label_weights(self.truth, self.head.balance)
            if self.truth.ndim == 2
            else image_weights(self.truth, len(self.head.bias), self.head.balance),
            mirror=mirror,
            checkpoints=self.checkpoints,
        )
        logits = forward_all(network, self.pixels, held_out, self.backbone, self.options.device)
        readable = np.isfinite(logits).all(axis=1)
        tuned_losses, temperature = np.full(len(held_out), np.nan), 1.0
        if readable.any():
            softened = fit_temperature(
                logits[readable], self.truth[held_out][readable], random_state=self.options.random_state
            )
            tuned_losses[readable], temperature = softened.losses, softened.value
        network.set_head(*(p.detach().cpu().numpy() / temperature for p in (network.head.weight, network.head.bias)))
        self._compare(_Option(TUNED_NAME, tuned_losses, lambda: network), "fine_tuning")
        self.notes += state.notes
        self.facts["fine_tuning"] |= {
            "steps": state.step, "planned_steps": state.total, "seconds": round(state.seconds, 3),
            "best_step": state.best_step, "budget": str(self.options.budget), "batch": self.options.batch,
            "parts": state.parts, "temperature": temperature, "mirror": mirror, "history": state.history,
        }  # fmt: skip

    def _may_be_mirrored(self, network: ImageClassifier, held_out: npt.NDArray[np.int64]) -> bool:
        """Check whether mirroring an image keeps its labels. It does not for left and right arrows, for example."""
        plain, mirrored = (
            forward_all(network, self.pixels, held_out, self.backbone, self.options.device, mirrored=value)
            for value in (False, True)
        )
        readable = np.isfinite(plain).all(axis=1)
        if not readable.any():
            return True
        truth = self.truth[held_out][readable]
        worse = losses(mirrored[readable], truth) - losses(plain[readable], truth)
        harmless = worse.mean() <= max(_MIRRORED_WORSE, 2 * standard_error(worse))
        if not harmless:
            self.notes.append("Training images are not mirrored, because mirroring would change their labels.")
        return bool(harmless)

    def _compare(self, other: _Option, topic: str) -> None:
        comparable = ~(np.isnan(self.best.losses) | np.isnan(other.losses))
        if not comparable.any():
            reason = f"Kept {self.best.name}: none of the held-out images can still be read."
            self.notes.append(reason)
            self.facts[topic] = {"kept": False, "reason": reason}
            return
        first, other_losses = self.best.losses[comparable], other.losses[comparable]
        kept, reason = choose_start((self.best.name, other.name), first, other_losses)
        self.notes.append(reason)
        self.facts[topic] = {
            "kept": kept, "reason": reason, "held_out_images": len(other_losses),
            "held_out_log_loss": {self.best.name: float(first.mean()), other.name: float(other_losses.mean())},
        }  # fmt: skip
        if kept:
            self.best = other

    def _fit(self, features: Features) -> FittedHead:
        kept = ~self.held_out
        n_labels, random_state = len(self.head.bias), self.options.random_state
        return fit_head_of_task(features[kept], self.truth[kept], n_labels, random_state=random_state)

    def _network(self, backbone: nn.Module, head: FittedHead) -> ImageClassifier:
        network = ImageClassifier(backbone, self.backbone.features, len(head.bias))
        network.set_head(head.weight, head.bias)
        return network.to(self.options.device).eval().requires_grad_(False)


def _require_equal_lengths(arguments: Mapping[str, Sized | None]) -> None:
    lengths = {words: len(values) for words, values in arguments.items() if values is not None}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{words} {length:,}" for words, length in lengths.items())
        raise InputError(f"All arguments must have the same length, but {listed} items.")


def _usable(former: BaseVersion | None, backbone: Backbone, notes: list[str]) -> BaseVersion | None:
    """Return the earlier version, or add a note and return None if it cannot improve on the frozen backbone."""
    if former is None:
        return None
    if former.backbone != backbone.name:
        notes.append(f"Did not start from version {former.name!r}: its backbone is {former.backbone}.")
        return None
    frozen = load_backbone(backbone.name).state_dict()
    former_weights = former.network.backbone.state_dict()
    if former_weights.keys() == frozen.keys() and all(
        torch.equal(former_weights[key].cpu(), value) for key, value in frozen.items()
    ):
        notes.append(
            f"Version {former.name!r} has the same frozen backbone: features of unchanged images are reused, and the "
            "head is fitted again on all images."
        )
        return None
    return former


def _maybe_trained_on(former: BaseVersion | None, hashes: Sequence[str | None] | None, count: int) -> BoolArray | None:
    """Return a mask of images that the earlier version may have been trained on, including images without a hash."""
    if former is None:
        return None
    if hashes is None:
        return np.ones(count, dtype=bool)
    return np.array([not isinstance(value, str) or value in former.learnt for value in hashes], dtype=bool)


def _names(truth: npt.NDArray[Any]) -> list[list[str]]:
    """Return each image's labels as strings. Images without labels get a dummy label, to be held out in proportion."""
    if truth.ndim == 1:
        return [[str(value)] for value in truth]
    return [[str(i) for i in np.flatnonzero(row)] or ["none"] for row in truth]


def _report(improved: ImprovementResult, events: Events, network: str = "") -> ImprovementResult:
    """Send the notes as messages. The decision on fine-tuning says whether its metrics are those of the model."""
    tuning = improved.facts.get("fine_tuning", {"reason": None})
    for note in improved.notes:
        events.emit(Kept(note, network, tuning["kept"]) if note == tuning["reason"] else Message(note))
    return improved


def choose_start(names: tuple[str, str], first: FloatArray, other: FloatArray) -> tuple[bool, str]:
    """Decide whether the other candidate replaces the first, and return the decision and a sentence with both metrics.

    The other candidate must have a log-loss that is lower by more than the standard error of the difference. Names are
    the subject of a sentence: "the frozen backbone", "the version 'fruit.1'".
    """
    gain, count = first - other, f"{len(first):,} held-out images"
    if gain.mean() > standard_error(gain):
        return True, (
            f"Kept {names[1]}: on {count}, its log-loss is {other.mean():.3f}, that of {names[0]} {first.mean():.3f}."
        )
    verdict = "not clearly better" if gain.mean() > 0 else "no better"
    return False, (
        f"Kept {names[0]} (log-loss {first.mean():.3f} on {count}): {names[1]} ({other.mean():.3f}) was {verdict}."
    )


def hold_out(
    labels: Sequence[Sequence[str]], *, random_state: int = 0, seen: npt.ArrayLike | None = None
) -> BoolArray | None:
    """Choose held-out images to compare candidates on, such that every label keeps a training image.

    Images in ``seen``, which a candidate has been trained on, are not held out, because the candidate would look better
    on them than it is. The result is None if too few images are new to all candidates.
    """
    fresh = np.ones(len(labels), dtype=bool) if seen is None else ~np.asarray(seen, dtype=bool)
    if fresh.shape != (len(labels),):
        raise InputError(f"seen has shape {fresh.shape}, but must have one value for each of the {len(labels)} images.")
    wanted = min(HELD_OUT * len(labels), MOST_HELD_OUT)
    if not fresh.any() or wanted < LEAST_HELD_OUT:
        return None
    positions = np.flatnonzero(fresh)
    chosen = stratified_split(
        [labels[int(i)] for i in positions], min(0.5, wanted / len(positions)), random_state=random_state
    )
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[positions[chosen]] = True
    trainable = {name for image_labels, held in zip(labels, held_out, strict=True) if not held for name in image_labels}
    for i in map(int, np.flatnonzero(held_out)):  # holding out multi-label images can leave a label without images
        if not trainable.issuperset(labels[i]):
            held_out[i] = False
            trainable.update(labels[i])
    return held_out if held_out.sum() >= LEAST_HELD_OUT else None
