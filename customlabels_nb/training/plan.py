"""What can be trained on these datasets, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.dataset import Dataset
from customlabels_nb.errors import NotAllowedError, NotEnoughDataError
from customlabels_nb.limits import LOCAL, Limits
from customlabels_nb.tables import TRAIN


@dataclass(frozen=True)
class ClassificationPlan:
    """A single-label classifier's data.

    Attributes
    ----------
    labels : DataFrame
        The labels to tell apart, in the project's order: those that training images have.
    train, test : DataFrame
        The usable images: image, sha256, label.
    targets : ndarray of int, shape (len(train),)
        The position of each training image's label in ``labels``.
    notes : list of str
        What was left out, and why.
    """

    labels: pd.DataFrame
    train: pd.DataFrame
    test: pd.DataFrame
    targets: npt.NDArray[np.int64]
    notes: list[str]


def plan_classification(train: Dataset, test: Dataset, *, limits: Limits = LOCAL) -> ClassificationPlan:
    """Decide what a single-label classifier learns from.

    Raises
    ------
    NotEnoughDataError
        If there are too few images or labels; the message says how many of what are missing.
    NotAllowedError
        If the labels ask for another kind of model than single-label classification.
    """
    for dataset in (train, test):
        _refuse_other_kinds(dataset)
    rows, test_rows = _labelled(train), _labelled(test)
    used = set(rows["label"])
    labels = train.labels[train.labels["label"].isin(used)].reset_index(drop=True)
    if len(labels) < limits.min_classification_labels:
        have = f"only {labels['label'].iloc[0]!r}" if len(labels) else "none"
        raise NotEnoughDataError(
            f"A classifier needs images of at least {limits.min_classification_labels} labels in the training set; "
            f"there are {len(rows)} labelled images and {len(labels)} labels ({have}). Label more images.",
            "ERROR_MANIFEST_TOO_FEW_LABELS",
        )
    if len(rows) < limits.min_training_images:
        raise NotEnoughDataError(
            f"Training needs at least {limits.min_training_images} labelled images; there are {len(rows)}."
        )
    tested = test_rows["label"].nunique()
    if not test_rows.empty and tested < limits.min_classification_labels:
        raise NotEnoughDataError(
            f"The test set has images of {tested} label only ({test_rows['label'].iloc[0]!r}); a classifier is tested "
            f"on at least {limits.min_classification_labels}. Add test images of other labels"
            + (", or more training images of them, so that some can be set aside." if test.name == TRAIN else "."),
            "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS",
        )
    if not test_rows.empty and not used & set(test_rows["label"]):
        raise NotEnoughDataError(
            "No label of the test set is a label of the training set, so nothing could be said about the model.",
            "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP",
        )
    if test_rows.empty:
        raise NotEnoughDataError(
            "The test set has no labelled image, so nothing could be said about the model. Add test images with "
            "labels, or delete the test set and let distribute() take a share of the training images.",
            "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS",
        )
    position = {name: i for i, name in enumerate(labels["label"])}
    targets = rows["label"].map(position).to_numpy(dtype=np.int64)
    return ClassificationPlan(labels, rows, test_rows, targets, _notes(train, test, rows, test_rows, labels))


def set_aside(train: Dataset) -> tuple[Dataset, Dataset]:
    """What distributing would make of the training set: the rest, and the test set. Nothing is moved.

    Raises
    ------
    NotEnoughDataError
        If no label has two images that could stand on two sides.
    """
    rest, part = train.split(0.2)
    if len(train) and not len(part) and train.annotations["label"].nunique() > 1:
        raise NotEnoughDataError(
            "There is no test set, and no label has two images that could be told apart, so none can be set aside. "
            "Label more images.",
            "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT",
        )
    return rest, part


def plan_in_words(task: str | None, train: Dataset, test: Dataset) -> list[str]:
    """What training would use, in sentences, or the one that says why it would not begin. Nothing is changed."""
    try:
        check_task_can_be_trained(task)
        aside = not len(test)
        plan = plan_classification(*set_aside(train)) if aside else plan_classification(train, test)
    except (NotAllowedError, NotEnoughDataError) as error:
        return [str(error)]
    used = f"{len(plan.labels)} labels from {len(plan.train):,} images, tested on {len(plan.test):,}"
    return [f"project.train() would learn {used} {'set aside of them' if aside else 'others'}.", *plan.notes]


def check_task_can_be_trained(task: str | None) -> None:
    """Refuse a project's declared task that this release doesn't train."""
    if task not in (None, "single-label"):
        raise NotAllowedError(
            f"The project's task is {task!r}; this release trains 'single-label'. project.task = None leaves it open."
        )


def _refuse_other_kinds(dataset: Dataset) -> None:
    annotations = dataset.annotations
    boxed = annotations["left"].notna() | annotations["polygon"].notna()
    if boxed.any():
        raise NotAllowedError(
            f"The {dataset.name} set has {int(boxed.sum())} boxes; detectors can't be trained in this release. Use "
            "image-level labels: take the boxes out, or make a project of image-level labels from the same images."
        )
    several = annotations[["image", "label"]].drop_duplicates()["image"].value_counts()
    several = several[several > 1]
    if len(several):
        raise NotAllowedError(
            f"{len(several)} images of the {dataset.name} set have more than one label, such as {several.index[0]!r}; "
            "models with several labels an image can't be trained in this release. Leave one label on each image."
        )


def _labelled(dataset: Dataset) -> pd.DataFrame:
    images = dataset.images[["image", "status", "sha256"]]
    ready = images[images["status"].isin(["labelled"])]
    pairs = dataset.annotations[["image", "label"]].drop_duplicates()
    return ready.merge(pairs, on="image", how="inner")[["image", "sha256", "label"]]


def _notes(
    train: Dataset, test: Dataset, rows: pd.DataFrame, test_rows: pd.DataFrame, labels: pd.DataFrame
) -> list[str]:
    notes = []
    for dataset, usable in ((train, rows), (test, test_rows)):
        left_out = len(dataset) - len(usable)
        if left_out:
            notes.append(
                f"{left_out:,} of {len(dataset):,} {dataset.name} images are not labelled (yet), skipped or to be "
                "reviewed, and are left out."
            )
    never = [name for name in train.labels["label"] if name not in set(labels["label"])]
    if never:
        notes.append(f"No training image has {_listed(never)}: the model will not know of it.")
    untested = [name for name in labels["label"] if name not in set(test_rows["label"])]
    if untested:
        notes.append(f"No test image has {_listed(untested)}: its figures are left out of the means.")
    counts = rows["label"].value_counts()
    few = [f"{name} ({counts[name]})" for name in labels["label"] if counts[name] < 10]
    if few:
        notes.append(f"Fewer than 10 training images: {', '.join(few[:10])}{', …' if len(few) > 10 else ''}.")
    if counts.max() > 0.8 * len(rows):
        notes.append(f"{counts.idxmax()!r} makes up {counts.max() / len(rows):.0%} of the training images.")
    return notes


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
