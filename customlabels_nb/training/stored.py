"""A version's evaluation from the files beside it: no model is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from customlabels_nb.core.tables import IMAGE_COLUMNS
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.training.kept_files import has_predictions, read_predictions, read_snapshot


def stored_evaluation(
    folder: Path,
    root: Path,
    config: ModelConfig,
    *,
    split: str = "test",
    thresholds: float | Mapping[str, float] | str | None = None,
    columns: pd.DataFrame | None = None,
) -> Evaluation:
    """What the version's images of a split say of it, as they were at training.

    Parameters
    ----------
    folder, root : Path
        Of the version and of the project.
    config : ModelConfig
    thresholds : number, dict or str, optional
        See :func:`customlabels_nb.evaluation.evaluate`.
    columns : DataFrame, optional
        An images table as it is now: tags, the user's own columns and, where the version does not know them, sizes
        and sources are taken from it, for slices.
    """
    dataset = read_snapshot(folder, split, root)
    asked, predictions = read_predictions(folder, split=split)
    images = dataset.images[dataset.images["image"].isin(asked)]
    if columns is not None:
        own = columns.drop(columns=[name for name in IMAGE_COLUMNS if name not in ("image", "tags")])
        now = columns.set_index("image")
        known = {
            name: images[name].fillna(images["image"].map(now[name]).astype(images[name].dtype))
            for name in ("width", "height", "source")
        }
        images = images.assign(**known).drop(columns="tags").merge(own, on="image", how="left")
    truth = dataset.annotations[dataset.annotations["image"].isin(images["image"])]
    labels = pd.DataFrame({"label": config.labels, "colour": config.colours})
    return evaluate(truth, predictions, images, labels=labels, thresholds=thresholds, task=config.kind)


def stored_training(folder: Path, root: Path, config: ModelConfig) -> Evaluation | Dataset:
    """The same of its training images at the version's thresholds; only these, where no predictions were kept.

    A model knows the images that it learnt from: the figures say nothing about new ones.
    """
    if not has_predictions(folder, "train"):
        return read_snapshot(folder, "train", root)
    return stored_evaluation(folder, root, config, split="train", thresholds=dict(config.thresholds))
