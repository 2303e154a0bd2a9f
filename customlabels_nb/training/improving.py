"""From a head on a frozen backbone to something better, where held-out images say that it is better.

Two things are tried: the network of a former version as the start, and fine-tuning. Each is compared on images that
none of them learnt from, and only kept if it clearly wins; both figures are said either way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
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
from customlabels_nb.events import Events
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.models.backbones import load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.training.classification import FittedHead, fit_head, image_weights
from customlabels_nb.training.fine_tuning import TuningOptions, fine_tune, forward_all
from customlabels_nb.training.image_data import ImagePixels
from customlabels_nb.training.multi_label import fit_multi_label_head, label_weights
from customlabels_nb.training.temperature import fit_temperature, losses, standard_error

Features = npt.NDArray[np.float32]

#: With fewer training images fine-tuning was never seen to win.
LEAST_IMAGES = 40
#: A held-out log-loss below which there is nothing to gain: a mean confidence of 0.98 in what is true.
GOOD_ENOUGH = 0.02

#: Share of the training images on which candidates are compared.
HELD_OUT = 0.2
#: Of held-out images; on fewer one lucky guess decides, and more cost time without deciding better.
LEAST_HELD_OUT, MOST_HELD_OUT = 8, 2000

#: Why fine-tuning isn't tried where nobody gave it time.
NOT_ASKED_FOR = "Fine-tuning isn't tried without a budget; train(budget='2min') would try it."

_MIRRORED_WORSE = 0.1  # of log-loss

FROZEN_NAME = "the head on the frozen backbone"
TUNED_NAME = "the fine-tuned network"


@dataclass(frozen=True)
class Former:
    """The network of a former version, to start from.

    Attributes
    ----------
    name : str
        The version's.
    network : ImageClassifier
    backbone : str
        Name of its backbone.
    learnt : set of str
        Content hashes of the images that it was trained on; those that it held out are not among them.
    """

    name: str
    network: ImageClassifier
    backbone: str
    learnt: frozenset[str]


@dataclass(frozen=True)
class Improved:
    """What came of it.

    Attributes
    ----------
    network : ImageClassifier or None
        On the device, in eval mode; None where the head on the frozen backbone stays what it was.
    notes : list of str
        What was tried, and decided on which figures, in sentences.
    facts : dict
        The same as JSON can hold it; with steps, and the figures of each epoch, where there was fine-tuning.
    held_out : ndarray of bool, shape (n,)
        The images that the network did not learn from. A later version is compared on them.
    issues : list of Issue
        Images that could not be read meanwhile.
    """

    network: ImageClassifier | None
    notes: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    held_out: BoolArray | None = None
    issues: list[Issue] = field(default_factory=list)


def why_not_fine_tune(head: FittedHead, images: int) -> str | None:
    """Why fine-tuning isn't tried, in a sentence; None if it should be."""
    if images < LEAST_IMAGES:
        return f"Fine-tuning isn't tried with fewer than {LEAST_IMAGES} training images: it makes models worse then."
    if head.log_loss is not None and head.log_loss < GOOD_ENOUGH:
        return f"Fine-tuning isn't tried: the head's held-out log-loss is {head.log_loss:.3f}, nothing is to be gained."
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
    former: Former | None = None,
    tune: bool = True,
    checkpoints: Path | None = None,
) -> Improved:
    """Try what might be better than ``head``, and keep it only if it is.

    The same input gives the same result on a CPU, also when it was interrupted and called again with the same folder
    of ``checkpoints``.

    Parameters
    ----------
    head : FittedHead
        On all training images.
    features : ndarray of float32, shape (n, d)
        Of the frozen backbone.
    truth : array of shape (n,), int, or (n, k), bool
        Each image's label as its position, or which labels it has.
    images : sequence of n str
        Paths or URLs.
    backbone : Backbone
    options : TuningOptions
    events : Events
    root : Path, optional
        Folder under which relative paths lie.
    hashes : sequence of n (str or None), optional
        The content hash of each image, by which those that ``former`` learnt from are known.
    former : Former, optional
        What to start from, if it does better.
    tune : bool
        Whether to try fine-tuning, which takes all of the budget.
    checkpoints : Path, optional
        Folder for the state of the fine-tuning.

    Raises
    ------
    InputError
        If the arguments don't fit together.
    Cancelled, KeyboardInterrupt, ArtifactError, ModelError
        See :func:`customlabels_nb.training.fine_tuning.fine_tune`.
    """
    y = np.asarray(truth)
    if not len(features) == len(y) == len(images) or (hashes is not None and len(hashes) != len(images)):
        raise InputError(f"features {features.shape}, truth {y.shape} and {len(images)} images must be as many.")
    notes: list[str] = []
    former = _usable(former, backbone, notes)
    why_not = why_not_fine_tune(head, len(images)) or (None if tune else NOT_ASKED_FOR)
    if former is None and why_not is not None:
        return _said(Improved(None, [*notes, why_not]), events)
    held_out = hold_out(_names(y), seed=options.seed, seen=_seen(former, hashes, len(images)))
    if held_out is None and former is not None:
        notes.append(f"Version {former.name!r} is not started from: it has learnt from nearly all of these images.")
        former = None
        held_out = hold_out(_names(y), seed=options.seed) if why_not is None else None
    if held_out is None:
        return _said(Improved(None, [*notes, why_not or "There are too few images to try more than a head."]), events)
    pixels = ImagePixels(images, backbone.input_size, root=root, cache_bytes=options.cache_bytes)
    work = _Work(head, features, y, held_out, pixels, backbone, options, events, checkpoints, notes)
    work.start(former)
    if why_not is None:
        work.fine_tune()
    else:
        notes.append(why_not)
    kept = work.best.build() if work.best.name != FROZEN_NAME else None
    return _said(Improved(kept, notes, work.facts, held_out if kept is not None else None, pixels.issues), events)


@dataclass(frozen=True)
class _Option:
    """Something that may be kept: how it does on held-out images, and what makes the network anew."""

    name: str
    losses: FloatArray  # NaN where an image can't be read any more
    build: Callable[[], ImageClassifier]


@dataclass
class _Work:
    """What is known so far: ``best``, and why, in ``notes`` and ``facts``."""

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

    def start(self, former: Former | None) -> None:
        """Begin with a head on the frozen backbone that knows no held-out image, or with the former network."""
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
        known = np.isfinite(features).all(axis=1)
        if not known.all():
            self.notes.append(f"Version {former.name!r} is not started from: an image can't be read any more.")
            return
        other = self._fit(features)
        found = losses(other.logits(features[self.held_out]).astype(np.float64), self.truth[self.held_out])
        option = _Option(
            f"the network of version {former.name!r}",
            found,
            lambda: self._network(copy.deepcopy(network.backbone), other),
        )
        self._compare(option, "start")

    def fine_tune(self) -> None:
        """Fine-tune the best so far, and keep that if it is clearly better."""
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
        known = np.isfinite(logits).all(axis=1)
        softened = fit_temperature(logits[known], self.truth[held_out][known], seed=self.options.seed)
        network.set_head(*(p.detach().cpu().numpy() / softened.value for p in (network.head.weight, network.head.bias)))
        found = np.full(len(held_out), np.nan)
        found[known] = softened.losses
        self._compare(_Option(TUNED_NAME, found, lambda: network), "fine_tuning")
        self.facts["fine_tuning"] |= {
            "steps": state.step, "planned_steps": state.total, "seconds": round(state.seconds, 3),
            "best_step": state.best_step, "budget": str(self.options.budget), "batch": self.options.batch,
            "parts": state.parts, "temperature": softened.value, "mirror": mirror, "history": state.history,
        }  # fmt: skip

    def _may_be_mirrored(self, network: ImageClassifier, held_out: npt.NDArray[np.int64]) -> bool:
        """Whether labels survive mirroring; arrows to the left and to the right don't, say."""
        plain, mirrored = (
            forward_all(network, self.pixels, held_out, self.backbone, self.options.device, mirrored=value)
            for value in (False, True)
        )
        known = np.isfinite(plain).all(axis=1)
        truth = self.truth[held_out][known]
        worse = losses(mirrored[known], truth) - losses(plain[known], truth)
        harmless = worse.mean() <= max(_MIRRORED_WORSE, 2 * standard_error(worse))
        if not harmless:
            self.notes.append("Images are not mirrored for training: that changes what they show.")
        return bool(harmless)

    def _compare(self, other: _Option, topic: str) -> None:
        known = ~(np.isnan(self.best.losses) | np.isnan(other.losses))
        if not known.any():
            self.notes.append(f"Kept {self.best.name}: no held-out image can be read any more.")
            self.facts[topic] = {"kept": False}
            return
        first, found = self.best.losses[known], other.losses[known]
        kept, reason = choose_start((self.best.name, other.name), first, found)
        self.notes.append(reason)
        self.facts[topic] = {
            "kept": kept, "reason": reason, "held_out_images": len(found),
            "held_out_log_loss": {self.best.name: float(first.mean()), other.name: float(found.mean())},
        }  # fmt: skip
        if kept:
            self.best = other

    def _fit(self, features: Features) -> FittedHead:
        """A head on the images that aren't held out."""
        rows, truth = features[~self.held_out], self.truth[~self.held_out]
        if truth.ndim == 2:
            return fit_multi_label_head(rows, truth, seed=self.options.seed)
        return fit_head(rows, truth, len(self.head.bias), seed=self.options.seed)

    def _network(self, backbone: nn.Module, head: FittedHead) -> ImageClassifier:
        network = ImageClassifier(backbone, self.backbone.features, len(head.bias))
        network.set_head(head.weight, head.bias)
        return network.to(self.options.device).eval().requires_grad_(False)


def _usable(former: Former | None, backbone: Backbone, notes: list[str]) -> Former | None:
    """The former version, unless nothing can be had from it that isn't here already."""
    if former is None:
        return None
    if former.backbone != backbone.name:
        notes.append(f"Version {former.name!r} is not started from: its backbone is {former.backbone}.")
        return None
    frozen = load_backbone(backbone.name).state_dict()
    own = former.network.backbone.state_dict()
    if own.keys() == frozen.keys() and all(torch.equal(own[key].cpu(), value) for key, value in frozen.items()):
        notes.append(
            f"Version {former.name!r} has the same frozen backbone: features of unchanged images are reused, and the "
            "head is fitted to all of them anew."
        )
        return None
    return former


def _seen(former: Former | None, hashes: Sequence[str | None] | None, count: int) -> BoolArray | None:
    """Which images the former version may have learnt from: also those of which nothing is known."""
    if former is None:
        return None
    if hashes is None:
        return np.ones(count, dtype=bool)
    return np.array([not isinstance(value, str) or value in former.learnt for value in hashes], dtype=bool)


def _names(truth: npt.NDArray[Any]) -> list[list[str]]:
    """The labels of each image as texts; images without any share one, so that they are held out in proportion."""
    if truth.ndim == 1:
        return [[str(value)] for value in truth]
    return [[str(i) for i in np.flatnonzero(row)] or ["none"] for row in truth]


def _said(improved: Improved, events: Events) -> Improved:
    for note in improved.notes:
        events.message(note)
    return improved


def choose_start(names: tuple[str, str], first: FloatArray, other: FloatArray) -> tuple[bool, str]:
    """Whether the other one is kept in place of the first, and why, in a sentence with both figures.

    It is if its log-loss is lower by more than chance would make it: the standard error of the difference.

    Parameters
    ----------
    names : tuple of (str, str)
        For a person, as the subject of a sentence: "the frozen backbone", "the version 'fruit.1'".
    first, other : ndarray of float64, shape (n,)
        The log-loss of each held-out image.
    """
    gain, count = first - other, f"{len(first):,} held-out images"
    if gain.mean() > standard_error(gain):
        return True, (
            f"Kept {names[1]}: on {count} its log-loss is {other.mean():.3f}, that of {names[0]} {first.mean():.3f}."
        )
    verb = "not clearly better" if gain.mean() > 0 else "no better"
    return False, (
        f"Kept {names[0]} (log-loss {first.mean():.3f} on {count}): {names[1]} ({other.mean():.3f}) did {verb}."
    )


def hold_out(labels: Sequence[Sequence[str]], *, seed: int = 0, seen: npt.ArrayLike | None = None) -> BoolArray | None:
    """Which images to compare candidates on; none of the others' labels is left without an image to learn from.

    Parameters
    ----------
    labels : sequence of n sequences of str
        The labels of each training image.
    seed : int
    seen : array of bool, shape (n,), optional
        The images that a candidate has learnt from before, such as a former version's: they would flatter it, and
        are not held out.

    Returns
    -------
    ndarray of bool, shape (n,), or None
        None where there are too few images that all candidates see for the first time.
    """
    fresh = np.ones(len(labels), dtype=bool) if seen is None else ~np.asarray(seen, dtype=bool)
    if fresh.shape != (len(labels),):
        raise InputError(f"seen has the shape {fresh.shape}; give one value for each of {len(labels)} images.")
    wanted = min(HELD_OUT * len(labels), MOST_HELD_OUT)
    if not fresh.any() or wanted < LEAST_HELD_OUT:
        return None
    positions = np.flatnonzero(fresh)
    chosen = stratified_split([labels[int(i)] for i in positions], min(0.5, wanted / len(positions)), random_state=seed)
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[positions[chosen]] = True
    left = {name for own, held in zip(labels, held_out, strict=True) if not held for name in own}
    for i in map(int, np.flatnonzero(held_out)):  # images with several labels can leave one of them without
        if not left.issuperset(labels[i]):
            held_out[i] = False
            left.update(labels[i])
    return held_out if held_out.sum() >= LEAST_HELD_OUT else None
