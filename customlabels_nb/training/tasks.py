"""Choose the task of a model and its training recipe from the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core.tables import (
    BOXES,
    CLASSIFICATION_TASKS,
    DRAWN_TASKS,
    MULTI_LABEL,
    POLYGONS,
    SINGLE_LABEL,
    TASKS,
)
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError

#: Recipe for a detector whose training images each show nothing but the logo of one brand.
BRANDS = "brands"
Recipe: TypeAlias = Literal["brands"]
RECIPES = get_args(Recipe)


@dataclass(frozen=True)
class TaskChoice:
    """Task of a model, its recipe, and the reason for choosing them, as the end of a sentence.

    ``recipe`` is one of :data:`RECIPES`, or None for the usual way to train a model for the task.
    """

    task: str
    reason: str
    recipe: str | None = None

    def __str__(self) -> str:
        return f"Training {_IN_WORDS[self.recipe or self.task]}: {self.reason}."


_IN_WORDS = {
    SINGLE_LABEL: "a single-label classifier",
    MULTI_LABEL: "a multi-label classifier",
    BOXES: "a detector",
    POLYGONS: "a detector with masks",
    BRANDS: "a brand detector from images of logos",
}


def choose_task(
    train: Dataset,
    test: Dataset,
    *,
    named: str | None = None,
    recipe: str | None = None,
    project_task: str | None = None,
) -> TaskChoice:
    """Choose the task that fits the labels of both datasets, and the recipe.

    The first rule that applies decides:

    - ``recipe``, ``named``, or the project's task, if given. For the project's task "polygons", this is "boxes" if the
      training images have only boxes.
    - The recipe "brands", if the training images have no boxes, but all of their labels have boxes in the test images.
    - "boxes", if the test images have boxes.
    - Classification or "boxes", whichever has more usable training images. "boxes" wins a tie.

    A classifier is single-label if each labelled training image has exactly one label, unless they all have the same
    one and other images show nothing of it. The recipe "brands" also applies
    to a given task with drawn objects, if the training images have no boxes as above. Unless ``named``, its task is
    "polygons" if all objects in the test images are polygons, and otherwise "boxes".
    """
    _check(named, recipe)
    if named in CLASSIFICATION_TASKS:
        return TaskChoice(str(named), "you chose it")
    boxes, test_boxes, whole = boxed(train), boxed(test), whole_labels(train)
    of_brands = named or (POLYGONS if len(test_boxes) and test_boxes["polygon"].notna().all() else BOXES)
    if recipe == BRANDS:
        return TaskChoice(of_brands, "you chose it", BRANDS)
    task, given = named or project_task, f"the project's task is {project_task!r}"
    if task in (None, *DRAWN_TASKS) and _are_brands(boxes, test_boxes, whole):
        reason = f"{f'you chose task={named!r}' if named else given}, and the training images have no boxes"
        no_task = "the training images have no boxes, but all their labels have boxes in the test images"
        return TaskChoice(of_brands, reason if task else no_task, BRANDS)
    if named is not None:
        return TaskChoice(named, "you chose it")
    if project_task == POLYGONS and boxes["polygon"].isna().all():
        return TaskChoice(BOXES, f"{given}, but training images have only boxes")
    if project_task is not None:
        return TaskChoice(project_task, given)
    return _by_labels(train, boxes, test_boxes, whole)


def _check(task: str | None, recipe: str | None) -> None:
    if task is not None and task not in TASKS:
        raise InputError(f"task={task!r} is unknown. Choose one of {', '.join(map(repr, TASKS))}.")
    if recipe is not None and recipe not in RECIPES:
        raise InputError(f"recipe={recipe!r} is unknown. Use {BRANDS!r}, or None to choose it from the labels.")
    if recipe == BRANDS and task in CLASSIFICATION_TASKS:
        raise InputError(f"recipe={recipe!r} trains a detector, which does not fit task={task!r}. Use task='boxes'.")


def _are_brands(boxes: pd.DataFrame, test_boxes: pd.DataFrame, whole: pd.DataFrame) -> bool:
    labels = set(whole["label"])
    return bool(boxes.empty and labels and labels <= set(test_boxes["label"]))


def _by_labels(train: Dataset, boxes: pd.DataFrame, test_boxes: pd.DataFrame, whole: pd.DataFrame) -> TaskChoice:
    if len(test_boxes):
        return TaskChoice(BOXES, "the test images have boxes")
    in_boxes, in_whole = boxes["image"].nunique(), whole["image"].nunique()
    if in_boxes and in_boxes >= in_whole:
        with_boxes = counted(in_boxes, "training image has", "training images have")
        return TaskChoice(BOXES, f"{with_boxes} boxes, {in_whole:,} image-level labels")
    most = int(whole.groupby("image").size().max()) if len(whole) else 0
    if most > 1:
        return TaskChoice(MULTI_LABEL, f"training images have up to {most} labels")
    if whole["label"].nunique() == 1 and (bare := len(without_labels(train))):
        reason = counted(bare, "training image shows", "training images show")
        reason += f" nothing of the only label, {whole['label'].iloc[0]!r}"
        return TaskChoice(MULTI_LABEL, reason)
    return TaskChoice(SINGLE_LABEL, "each labelled training image has exactly one label")


def boxed(dataset: Dataset) -> pd.DataFrame:
    """Select the boxes and polygons of fully labelled images."""
    return _of_labelled(dataset, shapes=True)


def whole_labels(dataset: Dataset) -> pd.DataFrame:
    """Select the image-level labels of fully labelled images, as unique pairs of image and label."""
    return _of_labelled(dataset, shapes=False)[["image", "label"]].drop_duplicates()


def without_labels(dataset: Dataset) -> pd.Series:
    """Return the images that were reviewed and show nothing of the labels."""
    images = dataset.image_table
    return images.loc[(images["status"] == "labelled") & ~images["image"].isin(dataset.annotations["image"]), "image"]


def _of_labelled(dataset: Dataset, *, shapes: bool) -> pd.DataFrame:
    images, annotations = dataset.image_table, dataset.annotations
    ready = images.loc[images["status"] == "labelled", "image"]
    is_shape = annotations["left"].notna() | annotations["polygon"].notna()
    return annotations[annotations["image"].isin(ready) & (is_shape if shapes else ~is_shape)]
