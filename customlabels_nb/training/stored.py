"""Read the stored predictions of versions, and evaluate a version on them, without running the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from customlabels_nb.core.decisions import MOST_CONFIDENT
from customlabels_nb.core.tables import IMAGE_COLUMNS, SINGLE_LABEL, TEST, TEXT, TRAIN
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.reviewed import SEEN, has_tag, with_review, without_review
from customlabels_nb.errors import ArtifactError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.basis import Basis
from customlabels_nb.evaluation.cross_validation import apply_thresholds
from customlabels_nb.evaluation.metrics import aggregate, per_label_table
from customlabels_nb.evaluation.result import make_outcomes
from customlabels_nb.inference.thresholds import label_thresholds
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.store import SqlStore, VersionRecord
from customlabels_nb.training.kept_files import (
    CROSS_FITTED,
    has_predictions,
    read_predictions,
    read_snapshot,
)
from customlabels_nb.training.plan import left_out, unread_notes, usable_part

Thresholds: TypeAlias = float | Mapping[str, float] | str | None


@dataclass(frozen=True)
class JudgedPredictions:
    """Predictions of a version for test images, and the truth that they are compared with.

    ``names`` maps the labels of the version to those of ``truth``, and ``colors`` has colors by name.
    """

    config: ModelConfig
    names: Mapping[str, str]
    colors: Mapping[str, str]
    images: pd.DataFrame
    truth: pd.DataFrame
    predictions: pd.DataFrame
    notes: list[str]

    def evaluate(self, thresholds: Thresholds, basis: Basis | None) -> Evaluation:
        result = evaluate(**self._tables(), thresholds=self._decision(thresholds), left_out=self.notes)
        result.basis = basis
        return result

    def f1(self) -> float:
        """Return only the F1 of the version's own decision."""
        decision = self._decision(None)
        outcomes = make_outcomes(**self._tables(), named=decision if isinstance(decision, Mapping) else ())
        return float(aggregate(per_label_table(apply_thresholds(decision, outcomes)))["f1"])

    def _tables(self) -> dict[str, Any]:
        names = [self.names[label] for label in self.config.labels]
        colors = [self.colors.get(name, color) for name, color in zip(names, self.config.colors, strict=True)]
        labels = pd.DataFrame({"label": names, "color": colors})
        return {
            "truth": self.truth,
            "predictions": self._renamed(),
            "images": self.images,
            "labels": labels.drop_duplicates("label"),
            "task": self.config.task,
            "max_boxes": self.config.box_limit,
        }

    def _renamed(self) -> pd.DataFrame:
        """Return the predictions with the labels of the truth. The confidences of merged labels become one."""
        table = self.predictions.assign(label=self.predictions["label"].map(self.names))
        if self.config.is_detector or len(set(self.names.values())) == len(self.names):
            return table
        how = "sum" if self.config.task == SINGLE_LABEL else "max"  # these labels exclude each other
        merged = table.groupby(["image", "label"], sort=False, as_index=False)["confidence"].agg(how)
        return merged.assign(confidence=merged["confidence"].clip(upper=1))

    def _decision(self, thresholds: Thresholds) -> float | str | dict[str, float]:
        """Return the decision by the labels of the truth. Merged labels have the lowest threshold."""
        if thresholds is None:
            thresholds = own_decision(self.config)
        elif isinstance(thresholds, Mapping):
            thresholds = label_thresholds(self.config, former_thresholds(thresholds, self.names), name="thresholds")
        return thresholds_now(thresholds, self.names) if isinstance(thresholds, Mapping) else thresholds


def thresholds_now(thresholds: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """Return thresholds by the ``names`` of labels now. Merged labels have the lowest one."""
    highest_first = sorted(thresholds.items(), key=lambda pair: -pair[1])
    return {names.get(label, label): value for label, value in highest_first}


def former_thresholds(thresholds: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """Return thresholds by the labels of a version, given by these or by their ``names`` now."""
    now = {label: thresholds[name] for label, name in names.items() if name in thresholds}
    return now | {name: value for name, value in thresholds.items() if name in names or name not in names.values()}


def stored_evaluation(
    folder: Path,
    root: Path,
    config: ModelConfig,
    *,
    split: str = TEST,
    thresholds: Thresholds = None,
    columns: pd.DataFrame | None = None,
    names: Mapping[str, str] | None = None,
    version: VersionRecord | None = None,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Evaluate a version on the images and ground truth of a split at the time of training.

    By default, it is evaluated by its own decision. Labels missing in ``thresholds`` have its own thresholds.
    ``columns`` is the current table of images. It provides tags and the user's own columns for slices, and image sizes
    and sources that are not stored with the version. Its tag :data:`.reviewed.SEEN` is replaced by the stored one.
    ``names`` are the names that the labels are given. The result of a ``version`` can be compared with today's truth.
    ``notes`` are further notes on it.
    """
    dataset = read_snapshot(folder, split, root)
    kept, predictions = read_predictions(folder, split=split)
    images = dataset.image_table[dataset.image_table["image"].isin(kept)]
    part = usable_part(dataset, config.task)
    unread = part.images.loc[~part.images["image"].isin(kept), "image"].tolist()
    notes = [*notes, *left_out(dataset, part, f"{split} image", config.task), *unread_notes(unread)]
    if columns is not None:
        extra = columns.drop(columns=[name for name in IMAGE_COLUMNS if name not in ("image", "tags")])
        now = columns.set_index("image")
        filled = {
            name: images[name].where(images[name].notna(), images["image"].map(now[name]).astype(images[name].dtype))
            for name in ("width", "height", "source")
        }
        corrected = has_tag(images, SEEN).reset_index(drop=True)
        images = images.assign(**filled).drop(columns="tags").merge(extra, on="image", how="left")
        tags = images["tags"].map(lambda tags: tags if isinstance(tags, list) else [])  # none of removed images
        images = with_review(without_review(images.assign(tags=tags), ~corrected, SEEN), corrected, SEEN)
    truth = dataset.annotations[dataset.annotations["image"].isin(images["image"])]
    if names:
        truth = truth.assign(label=truth["label"].map(lambda label: names.get(label, label)).astype(TEXT))
    names = {label: (names or {}).get(label, label) for label in config.labels}
    basis = None
    if version is not None:
        ids = version.statistics.get("label_ids", {})
        basis = Basis(root, version.name, thresholds, None, ids, frozenset(part.images["image"]))
    return JudgedPredictions(config, names, {}, images, truth, predictions, notes).evaluate(thresholds, basis)


def stored_training(
    folder: Path, root: Path, config: ModelConfig, names: Mapping[str, str] | None = None
) -> Evaluation | Dataset:
    """Evaluate a version on its training images by its own decision.

    If the version has no stored predictions for these images, they are returned as a dataset instead. The model has
    seen the images in training, so the metrics do not show how well it performs on new images. ``names`` are the names
    that the labels are given.
    """
    if has_predictions(folder, TRAIN):
        return stored_evaluation(folder, root, config, split=TRAIN, names=names)
    data = read_snapshot(folder, TRAIN, root)
    return data.relabel({label: name for label, name in (names or {}).items() if label in set(data.labels["label"])})


def own_decision(config: ModelConfig) -> str | dict[str, float]:
    """Return a version's decision with its own thresholds, as an argument of ``evaluate``."""
    return config.decision if config.decision == MOST_CONFIDENT or not config.thresholds else dict(config.thresholds)


def cross_fitted_predictions(store: SqlStore, root: Path) -> pd.DataFrame:
    """Return the surest predicted label of each training image, by a model that was not trained on the image.

    They come from the cross-validation of the newest classifier, so no model is run. Of many images, it has a sample.
    Predictions of labels that no longer exist are left out, and in a multi-label task those below 0.5.
    The table is empty if there is no classifier.
    """
    nothing = pd.DataFrame({"image": [], "label": [], "confidence": []})
    trained = [version for version in store.versions() if has_predictions(root / version.folder, CROSS_FITTED)]
    if not trained:
        return nothing
    newest = trained[-1]
    try:
        _, predictions = read_predictions(root / newest.folder, split=CROSS_FITTED)
    except ArtifactError:  # damaged, or deleted just now
        return nothing
    best = predictions.sort_values("confidence", kind="stable").drop_duplicates("image", keep="last")
    sure = (newest.task == SINGLE_LABEL) | (best["confidence"] >= 0.5)
    names = store.current_labels(newest.statistics.get("label_ids", {}))
    best = best.assign(label=best["label"].map(lambda label: names.get(label, label)))
    return best[sure & best["label"].isin(store.labels()["label"])].reset_index(drop=True)
