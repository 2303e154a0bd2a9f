"""One training run: from two datasets to a version's folder, with an honest status at every moment."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from customlabels_nb import evaluation
from customlabels_nb.cache import project_cache
from customlabels_nb.dataset import Dataset
from customlabels_nb.device import choose_device
from customlabels_nb.embeddings import embed
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.models.artifact import ModelConfig, save_artifact
from customlabels_nb.models.backbones import PACKAGED, backbone_named, load_backbone
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, Store, VersionRecord
from customlabels_nb.tables import normalise_annotations
from customlabels_nb.training.classification import FittedHead, fit_head
from customlabels_nb.training.plan import ClassificationPlan, plan_classification
from customlabels_nb.training.snapshots import (
    FloatArray,
    has_snapshots,
    prediction_frame,
    read_snapshot,
    write_json,
    write_predictions,
    write_snapshots,
)
from customlabels_nb.training.status import honest_status, this_process

COMPLETED = "The model is ready to run."
_PACKAGES = ("customlabels-nb", "torch", "torchvision", "timm", "scikit-learn", "numpy", "pandas", "pillow")


@dataclass(frozen=True)
class TrainingOptions:
    """What a run can be told. The same options on the same images give the same model on CPU."""

    seed: int = 0
    device: str | None = None
    backbone: str = PACKAGED


def train_version(
    store: Store,
    root: Path,
    name: str,
    train: Dataset,
    test: Dataset,
    options: TrainingOptions,
    events: Events,
    *,
    tags: dict[str, str] | None = None,
) -> None:
    """Train a new version: nothing is written before it is clear that it can be.

    Raises
    ------
    NotEnoughDataError, NotAllowedError
        Before the version exists, if the datasets can't be trained on.
    """
    plan = plan_classification(train, test)
    device = choose_device(options.device)
    folder = root / "versions" / name
    now = datetime.now(UTC)
    record = VersionRecord(
        name=name,
        status="TRAINING_IN_PROGRESS",
        status_message="The model is being trained.",
        folder=f"versions/{name}",
        created=now,
        updated=now,
        kind="single-label",
        tags=tags or {},
        config={"seed": options.seed, "device": device, "backbone": options.backbone},
        statistics=_statistics(plan),
        **this_process(),
    )
    store.add_version(record, Action("train", settings.user))
    with honest_status(store, name):
        write_snapshots(folder, train, test)
        _run(store, root, name, plan, options, device, events)


def resume_version(store: Store, root: Path, record: VersionRecord, events: Events) -> None:
    """Go on with a run that was stopped, on the snapshots and options that it began with.

    Where it was killed so early that there are no snapshots, it begins on the datasets as they are now. Features that
    were computed before are found by content and not computed again.
    """
    folder = root / record.folder
    if has_snapshots(folder):
        train, test = (read_snapshot(folder, split, root) for split in ("train", "test"))
        train = Dataset(train.images, train.annotations, store.labels(), name="train", root=root)
    else:  # it was killed before it had written down what it works on
        train, test = (Dataset(*store.tables(split), name=split, root=root) for split in ("train", "test"))
        write_snapshots(folder, train, test)
    plan = plan_classification(train, test)
    options = TrainingOptions(record.config["seed"], record.config["device"], record.config["backbone"])
    device = choose_device(options.device)
    store.update_version(
        record.name,
        Action("resume training", settings.user),
        status="TRAINING_IN_PROGRESS",
        status_message="The model is being trained.",
        **this_process(),
    )
    with honest_status(store, record.name):
        _run(store, root, record.name, plan, options, device, events)


def _run(
    store: Store, root: Path, name: str, plan: ClassificationPlan, options: TrainingOptions, device: str, events: Events
) -> None:
    started = time.perf_counter()
    for note in plan.notes:
        events.message(note)
    images = [*plan.train["image"], *plan.test["image"]]
    keys = [value if isinstance(value, str) else None for value in [*plan.train["sha256"], *plan.test["sha256"]]]
    embedded = embed(
        images,
        root=root,
        keys=keys,
        backbone=options.backbone,
        device=device,
        cache=project_cache(root, "features"),
        events=events,
        phase="features",
    )
    readable = embedded.readable
    for issue in embedded.issues:
        events.message(f"Left out: {issue.where}: {issue.message}")
    fits, tested = readable[: len(plan.train)], readable[len(plan.train) :]
    features, test_features = embedded.features[: len(plan.train)][fits], embedded.features[len(plan.train) :][tested]
    targets = plan.targets[fits]
    if len(np.unique(targets)) < len(plan.labels) or not tested.any():
        raise NotEnoughDataError(f"Too many images can't be read any more: {len(embedded.issues)} of {len(images)}.")
    head = fit_head(features, targets, len(plan.labels), seed=options.seed)
    seconds = time.perf_counter() - started
    events.message(_head_message(head, len(targets), seconds))
    logits = torch.from_numpy(test_features @ head.weight.T + head.bias)
    confidences = probabilities(logits, "softmax")
    predictions = plan.test[tested].reset_index(drop=True)
    folder = root / "versions" / name
    _finish(store, folder, name, plan, options, device, head, predictions, confidences, seconds)


def _finish(
    store: Store,
    folder: Path,
    name: str,
    plan: ClassificationPlan,
    options: TrainingOptions,
    device: str,
    head: FittedHead,
    tested: pd.DataFrame,
    confidences: FloatArray,
    seconds: float,
) -> None:
    names = plan.labels["label"].tolist()
    truth = normalise_annotations(tested[["image", "label"]])
    table = prediction_frame(tested["image"].tolist(), names, confidences)
    result = evaluation.evaluate(truth, table, images=tested["image"], labels=plan.labels)
    thresholds = {row.label: float(row.threshold) for row in result.per_label.itertuples() if row.label in names}
    backbone = backbone_named(options.backbone)
    model = ImageClassifier(load_backbone(backbone.name), backbone.features, len(names))
    model.set_head(head.weight, head.bias)
    facts = {
        "seed": options.seed,
        "device": device,
        "C": head.C,
        "training_images": len(plan.train),
        "test_images": len(tested),
        "seconds": round(seconds, 3),
        "cross_validated_log_loss": head.log_loss,
        "cross_validated_accuracy": head.accuracy,
    }
    config = ModelConfig(
        kind="single-label",
        labels=tuple(names),
        colours=tuple(plan.labels["colour"]),
        backbone=backbone.name,
        input_size=backbone.input_size,
        mean=backbone.mean,
        std=backbone.std,
        thresholds=thresholds,
        training=facts,
    )
    write_predictions(folder, tested["image"].tolist(), names, confidences)
    write_json(folder / "environment.json", _environment(device))
    figures = {row.figure: None if np.isnan(row.value) else float(row.value) for row in result.summary.itertuples()}
    metrics = {**figures, "seconds": facts["seconds"], "cross_validated_log_loss": head.log_loss}
    write_json(folder / "metrics.json", metrics)
    save_artifact(folder, model, config)
    store.update_version(
        name,
        Action("train", settings.user),
        status="TRAINING_COMPLETED",
        status_message=COMPLETED,
        metrics=metrics,
        host=None,
        pid=None,
        heartbeat=None,
    )


def _statistics(plan: ClassificationPlan) -> dict[str, Any]:
    return {
        "labels": plan.labels["label"].tolist(),
        "training_images": len(plan.train),
        "test_images": len(plan.test),
        "training_images_per_label": {str(k): int(v) for k, v in plan.train["label"].value_counts().items()},
    }


def _head_message(head: FittedHead, count: int, seconds: float) -> str:
    held_out = "" if head.log_loss is None else f", cross-validated log-loss {head.log_loss:.3f}"
    return f"Logistic head on {count:,} images: C = {head.C:g}{held_out}; {seconds:.1f} s."


def _environment(device: str) -> dict[str, Any]:
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
        "packages": packages,
    }
