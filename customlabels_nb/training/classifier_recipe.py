"""Train image classifiers: a head on a frozen backbone, with fine-tuning if it improves results on held-out images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from customlabels_nb._utils.text import counted
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.tables import SINGLE_LABEL
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.models.artifact import ACTIVATIONS, ModelConfig, load_artifact
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.models.backbones import backbone_named, load_backbone
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.models.embeddings import embed
from customlabels_nb.models.feature_file import project_features
from customlabels_nb.training.classification import FittedHead
from customlabels_nb.training.fine_tuning import TuningOptions, forward_all
from customlabels_nb.training.image_data import ImagePixels
from customlabels_nb.training.improving import BaseVersion, ImprovementResult, improve
from customlabels_nb.training.kept_files import prediction_frame
from customlabels_nb.training.multi_label import fit_head_of_task
from customlabels_nb.training.plan import UsableImages
from customlabels_nb.training.recipe import Predictions, TrainingJob, TrainingResult

Features = npt.NDArray[np.float32]


def train_classifier(work: TrainingJob) -> TrainingResult:
    """Train a single-label or multi-label image classifier."""
    plan, backbone = work.plan, backbone_named(work.options.backbone)
    names = plan.labels["label"].tolist()
    train, features, issues = _embed(work, plan.train, "train")
    test, test_features, test_issues = _embed(work, plan.test, "test")
    missing = set(names) - set(train.marks["label"])
    if missing or test.images.empty:
        what = f"no training image of {sorted(missing)[0]!r}" if missing else "no test image"
        left_out = len(issues) + len(test_issues)
        raise NotEnoughDataError(
            f"{counted(left_out, 'image')} can no longer be read, and {what} is left. See project.issues."
        )
    truth = _truth(train, names, plan.task)
    head = fit_head_of_task(features, truth, len(names), random_state=work.options.random_state)
    for note in head.notes:
        work.events.message(note)
    held_out = "" if head.log_loss is None else f", cross-validated log-loss {head.log_loss:.3f}"
    seconds = time.perf_counter() - work.started
    work.events.message(
        f"Logistic head on {counted(len(features), 'image')}: C = {head.C:g}{held_out}; {seconds:.1f} s."
    )
    better = _improve(work, head, features, truth, train, backbone)
    facts = {
        "C": head.C,
        "balance": head.balance,
        "temperature": head.temperature,
        "cross_validated_log_loss": head.log_loss,
        "cross_validated_accuracy": head.accuracy,
        "notes": [*head.notes, *better.notes],
        **better.facts,
    }
    if better.network is None:
        network = ImageClassifier(load_backbone(backbone.name), backbone.features, len(names))
        network.set_head(head.weight, head.bias)
        confidences = [_confidences(head.logits(rows), plan.task) for rows in (features, test_features)]
    else:
        network = better.network
        confidences = [_tuned_confidences(work, network, part, backbone) for part in (train, test)]
    config = ModelConfig(
        task=plan.task,
        labels=tuple(names),
        colors=tuple(plan.labels["color"]),
        backbone=backbone.name,
        input_size=backbone.input_size,
        mean=backbone.mean,
        std=backbone.std,
    )
    return TrainingResult(
        network,
        config,
        _predicted(train, names, confidences[0], [*issues, *better.issues]),
        _predicted(test, names, confidences[1], test_issues),
        facts,
        [] if better.held_out is None else train.images.loc[better.held_out, "image"].tolist(),
        _cross_fitted(train, names, head),
    )


def _embed(work: TrainingJob, part: UsableImages, split: str) -> tuple[UsableImages, Features, list[Issue]]:
    phase = f"features of {split}"
    with work.clock.watching(phase):
        embeddings = embed(
            part.images["image"].tolist(),
            root=work.root,
            keys=_hashes(part),
            backbone=work.options.backbone,
            device=work.device,
            cache=project_features(work.root),
            events=work.events,
            phase=phase,
        )
    images = part.images[embeddings.readable].reset_index(drop=True)
    annotations = part.marks[part.marks["image"].isin(images["image"])].reset_index(drop=True)
    return UsableImages(images, annotations), embeddings.features[embeddings.readable], embeddings.issues


def _hashes(part: UsableImages) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in part.images["sha256"]]


def _truth(part: UsableImages, names: Sequence[str], task: str) -> npt.NDArray[Any]:
    """Encode the ground truth: the index of each image's label, or a boolean array of shape (n, k) for multi-label."""
    row = part.images["image"].to_list()
    index_of = {image: i for i, image in enumerate(row)}, {name: i for i, name in enumerate(names)}
    has = np.zeros((len(row), len(names)), dtype=bool)
    has[part.marks["image"].map(index_of[0]).to_numpy(), part.marks["label"].map(index_of[1]).to_numpy()] = True
    return has.argmax(axis=1) if task == SINGLE_LABEL else has


def _improve(
    work: TrainingJob,
    head: FittedHead,
    features: Features,
    truth: npt.NDArray[Any],
    train: UsableImages,
    backbone: Backbone,
) -> ImprovementResult:
    """Try to improve on the head, if the user passed a budget or a version to start from."""
    former = None if work.base is None else _former(work)
    if former is None and not work.options.is_timed:
        return ImprovementResult(None, [])
    return improve(
        head,
        features,
        truth,
        train.images["image"].tolist(),
        backbone,
        TuningOptions(
            budget=work.options.time(),
            random_state=work.options.random_state,
            device=work.device,
            clock=work.clock,
            ranks=work.ranks,
            run=work.run,
        ),
        work.events,
        root=work.root,
        hashes=_hashes(train),
        former=former,
        tune=work.options.is_timed,
        checkpoints=work.checkpoints,
    )


def _former(work: TrainingJob) -> BaseVersion | None:
    assert work.base is not None
    network, config = load_artifact(work.base.folder)
    if not isinstance(network, ImageClassifier):
        work.events.message(f"Version {work.base.name!r} is a detector, so a classifier cannot start from it.")
        return None
    return BaseVersion(work.base.name, network, config.backbone, work.base.learnt)


def _confidences(logits: npt.NDArray[Any], task: str) -> npt.NDArray[np.float64]:
    return probabilities(torch.from_numpy(logits), ACTIVATIONS[task])


def _tuned_confidences(
    work: TrainingJob, network: ImageClassifier, part: UsableImages, backbone: Backbone
) -> npt.NDArray[np.float64]:
    """Predict with a network whose backbone was fine-tuned. Confidences are 0 for images that can no longer be read."""
    images = part.images["image"].tolist()
    pixels = ImagePixels(images, backbone.input_size, root=work.root, cache_bytes=0)
    logits = forward_all(network, pixels, range(len(images)), backbone, work.device, work.events, phase="predicting")
    return np.nan_to_num(_confidences(logits, work.plan.task), nan=0.0)


def _cross_fitted(train: UsableImages, names: list[str], head: FittedHead) -> Predictions | None:
    """Return the predictions of the heads of the cross-validation, each for the images it was not fitted on."""
    if head.out_of_fold is None:
        return None
    predicted = ~np.isnan(head.out_of_fold).any(axis=1)
    images = train.images.loc[predicted, "image"].tolist()
    return Predictions(images, prediction_frame(images, names, head.out_of_fold[predicted]))


def _predicted(
    part: UsableImages, names: list[str], confidences: npt.NDArray[np.float64], issues: list[Issue]
) -> Predictions:
    images = part.images["image"].tolist()
    return Predictions(images, prediction_frame(images, names, confidences), issues)
