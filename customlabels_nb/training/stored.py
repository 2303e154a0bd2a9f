"""Read the stored predictions of versions, and evaluate a version on them, without running the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from customlabels_nb.core.decisions import MOST_CONFIDENT
from customlabels_nb.core.tables import IMAGE_COLUMNS, SINGLE_LABEL
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.reviewed import SEEN, has_tag, with_review, without_review
from customlabels_nb.errors import ArtifactError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.inference.thresholds import label_thresholds
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.store import SqlStore
from customlabels_nb.training.kept_files import CROSS_FITTED, has_predictions, read_predictions, read_snapshot
from customlabels_nb.training.plan import left_out, unread_notes, usable_part


def stored_evaluation(
    folder: Path,
    root: Path,
    config: ModelConfig,
    *,
    split: str = "test",
    thresholds: float | Mapping[str, float] | str | None = None,
    columns: pd.DataFrame | None = None,
) -> Evaluation:
    """Evaluate a version on the images and ground truth of a split at the time of training.

    By default, it is evaluated by its own decision. Labels missing in ``thresholds`` have its own thresholds.
    ``columns`` is the current table of images. It provides tags and the user's own columns for slices, and image sizes
    and sources that are not stored with the version. Its tag :data:`.reviewed.SEEN` is replaced by the stored one.
    """
    if thresholds is None:
        thresholds = own_decision(config)
    elif isinstance(thresholds, Mapping):
        thresholds = label_thresholds(config, thresholds)
    dataset = read_snapshot(folder, split, root)
    names, predictions = read_predictions(folder, split=split)
    images = dataset.images[dataset.images["image"].isin(names)]
    part = usable_part(dataset, config.task)
    unread = part.images.loc[~part.images["image"].isin(names), "image"].tolist()
    notes = [*left_out(dataset, part, f"{split} image", config.task), *unread_notes(unread)]
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
    labels = pd.DataFrame({"label": config.labels, "color": config.colors})
    return evaluate(
        truth, predictions, images,
        labels=labels, thresholds=thresholds, task=config.task, left_out=notes, max_boxes=config.box_limit,
    )  # fmt: skip


def stored_training(folder: Path, root: Path, config: ModelConfig) -> Evaluation | Dataset:
    """Evaluate a version on its training images by its own decision.

    If the version has no stored predictions for these images, they are returned as a dataset instead. The model has
    seen the images in training, so the metrics do not show how well it performs on new images.
    """
    if not has_predictions(folder, "train"):
        return read_snapshot(folder, "train", root)
    return stored_evaluation(folder, root, config, split="train")


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
    return best[sure & best["label"].isin(store.labels()["label"])].reset_index(drop=True)
