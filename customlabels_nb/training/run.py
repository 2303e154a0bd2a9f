"""One training run: from two datasets to a version's folder, with an honest status at every moment."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from customlabels_nb import evaluation
from customlabels_nb.cache import project_cache
from customlabels_nb.dataset import Dataset
from customlabels_nb.device import choose_device
from customlabels_nb.embeddings import embed
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.models.artifact import ModelConfig, save_artifact
from customlabels_nb.models.backbones import PACKAGED, backbone_named, load_backbone
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, Store, VersionRecord
from customlabels_nb.tables import normalise_annotations
from customlabels_nb.training.classification import FittedHead, fit_head
from customlabels_nb.training.current import note_issues, with_current_hashes
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

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise InputError(f"seed={self.seed!r} is no seed; give a whole number from 0 to {2**32 - 1}.")
        backbone_named(self.backbone)
        if self.device is not None:
            choose_device(self.device)


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
    train, test = with_current_hashes(store, (train, test), events)
    plan = plan_classification(train, test)
    device = choose_device(options.device)
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
        config=asdict(options),
        statistics=_statistics(plan.labels, plan.train, plan.test),
        **this_process(),
    )
    store.add_version(record, Action("begin training", settings.user, name))
    with honest_status(store, name):
        write_snapshots(root / record.folder, train, test)
        _Run(store, root, record, plan, options, device, events).go()


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
    train, test = with_current_hashes(store, (train, test), events)
    plan = plan_classification(train, test)
    options = TrainingOptions(**record.config)
    device = choose_device(options.device)
    store.update_version(
        record.name,
        Action("resume training", settings.user, record.name),
        status="TRAINING_IN_PROGRESS",
        status_message="The model is being trained.",
        **this_process(),
    )
    with honest_status(store, record.name):
        write_snapshots(folder, train, test)
        _Run(store, root, record, plan, options, device, events).go()


@dataclass(frozen=True)
class _Run:
    """One run and its steps: features, head, test, files."""

    store: Store
    root: Path
    record: VersionRecord
    plan: ClassificationPlan
    options: TrainingOptions
    device: str
    events: Events

    def go(self) -> None:
        started = time.perf_counter()
        for note in self.plan.notes:
            self.events.message(note)
        train, features = self._embed(self.plan.train, "train")
        test, test_features = self._embed(self.plan.test, "test")
        left_out = len(self.plan.train) + len(self.plan.test) - len(train) - len(test)
        missing = set(self.plan.labels["label"]) - set(train["label"])
        if missing or test.empty:
            what = f"no training image of {sorted(missing)[0]!r}" if missing else "no test image"
            raise NotEnoughDataError(
                f"{left_out} images can't be read any more, and {what} is left; see project.issues."
            )
        position = {name: i for i, name in enumerate(self.plan.labels["label"])}
        targets = train["label"].map(position).to_numpy(dtype=np.int64)
        head = fit_head(features, targets, len(position), seed=self.options.seed)
        seconds = time.perf_counter() - started
        self.events.message(_head_message(head, len(targets), seconds))
        logits = torch.from_numpy(test_features @ head.weight.T + head.bias)
        confidences = probabilities(logits, "softmax")
        facts = {
            "seed": self.options.seed,
            "device": self.device,
            "C": head.C,
            "training_images": len(train),
            "test_images": len(test),
            "left_out": left_out,
            "ended": datetime.now(UTC).isoformat(),
            "seconds": round(seconds, 3),
            "cross_validated_log_loss": head.log_loss,
            "cross_validated_accuracy": head.accuracy,
        }
        figures, thresholds = self._test(test, confidences)
        self._write(head, thresholds, facts, test["image"].tolist(), confidences)
        metrics = {**figures, "seconds": facts["seconds"], "cross_validated_log_loss": head.log_loss}
        write_json(self.folder / "metrics.json", metrics)
        self.store.update_version(
            self.record.name,
            Action("finish training", settings.user, self.record.name),
            status="TRAINING_COMPLETED",
            status_message=COMPLETED,
            metrics=metrics,
            statistics=_statistics(self.plan.labels, train, test),
            host=None,
            pid=None,
            heartbeat=None,
        )

    @property
    def folder(self) -> Path:
        return self.root / self.record.folder

    def _embed(self, rows: pd.DataFrame, split: str) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
        """The rows whose images can be read, and their features."""
        found = embed(
            rows["image"].tolist(),
            root=self.root,
            keys=[value if isinstance(value, str) else None for value in rows["sha256"]],
            backbone=self.options.backbone,
            device=self.device,
            cache=project_cache(self.root, "features"),
            events=self.events,
            phase=f"features of {split}",
        )
        for issue in found.issues:
            self.events.message(f"Left out: {issue.where}: {issue.message}")
        note_issues(self.store, split, found.issues)
        return rows[found.readable].reset_index(drop=True), found.features[found.readable]

    def _test(self, test: pd.DataFrame, confidences: FloatArray) -> tuple[dict[str, float | None], dict[str, float]]:
        """The figures on the test images, and each label's assumed threshold."""
        names = self.plan.labels["label"].tolist()
        truth = normalise_annotations(test[["image", "label"]])
        table = prediction_frame(test["image"].tolist(), names, confidences)
        result = evaluation.evaluate(truth, table, images=test["image"], labels=self.plan.labels)
        thresholds = {row.label: float(row.threshold) for row in result.per_label.itertuples() if row.label in names}
        figures = {row.figure: None if np.isnan(row.value) else float(row.value) for row in result.summary.itertuples()}
        return figures, thresholds

    def _write(
        self,
        head: FittedHead,
        thresholds: dict[str, float],
        facts: dict[str, Any],
        tested: list[str],
        confidences: FloatArray,
    ) -> None:
        """The version's folder, the model last: where that is, all of it is."""
        names, backbone = self.plan.labels["label"].tolist(), backbone_named(self.options.backbone)
        model = ImageClassifier(load_backbone(backbone.name), backbone.features, len(names))
        model.set_head(head.weight, head.bias)
        config = ModelConfig(
            kind="single-label",
            labels=tuple(names),
            colours=tuple(self.plan.labels["colour"]),
            backbone=backbone.name,
            input_size=backbone.input_size,
            mean=backbone.mean,
            std=backbone.std,
            thresholds=thresholds,
            training=facts,
        )
        write_predictions(self.folder, tested, names, confidences)
        write_json(self.folder / "environment.json", _environment(self.device))
        save_artifact(self.folder, model, config)


def _statistics(labels: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    return {
        "labels": labels["label"].tolist(),
        "training_images": len(train),
        "test_images": len(test),
        "training_images_per_label": {str(k): int(v) for k, v in train["label"].value_counts().items()},
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
