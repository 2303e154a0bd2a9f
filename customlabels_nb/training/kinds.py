"""Choose the kind of model from the labels: single-label, multi-label, detection, masks or brands."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.outcomes import DETECTION, MULTI_LABEL, SINGLE_LABEL
from customlabels_nb.models.artifact import DETECTORS, MASKS

#: Kind of detector whose training images each show nothing but the logo of one brand.
BRANDS = "brands"
KINDS = (SINGLE_LABEL, MULTI_LABEL, DETECTION, MASKS, BRANDS)
#: Kind of model for each task of a project.
OF_TASK = {SINGLE_LABEL: SINGLE_LABEL, MULTI_LABEL: MULTI_LABEL, "boxes": DETECTION, "polygons": MASKS}


@dataclass(frozen=True)
class KindChoice:
    """Kind of model, one of :data:`KINDS`, and the reason for choosing it, as the end of a sentence."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"Training {_IN_WORDS[self.kind]}: {self.reason}."


_IN_WORDS = {
    SINGLE_LABEL: "a single-label classifier",
    MULTI_LABEL: "a multi-label classifier",
    DETECTION: "a detector",
    MASKS: "a detector with masks",
    BRANDS: "a brand detector from images of logos",
}


def choose_kind(train: Dataset, test: Dataset, *, named: str | None = None, task: str | None = None) -> KindChoice:
    """Choose the kind of model that fits the labels of both datasets.

    The first rule that applies decides:

    - ``named``, or the project's task, if given. For the task "polygons", this is masks if training images have any
      polygons.
    - Brands, if the training images have no boxes, but all of their labels have boxes in the test images.
    - Detection, if the test images have boxes.
    - Classification or detection, whichever has more usable training images. Detection wins a tie.

    A classifier is single-label if each labelled training image has exactly one label.

    Raises
    ------
    InputError
        If ``named`` is not a known kind.
    """
    if named is not None:
        if named not in KINDS:
            raise InputError(f"kind={named!r} is unknown. Choose one of {', '.join(map(repr, KINDS))}.")
        return KindChoice(named, "you chose it")
    boxes, test_boxes = boxed(train), boxed(test)
    whole = whole_labels(train)
    shown = set(whole["label"])
    are_brands = bool(boxes.empty and len(test_boxes) and shown and shown <= set(test_boxes["label"]))
    if task is not None:
        kind = OF_TASK[task]
        if kind in DETECTORS and are_brands:
            return KindChoice(BRANDS, f"the project's task is {task!r}, and the training images have no boxes")
        if kind == MASKS and boxes["polygon"].isna().all():
            return KindChoice(DETECTION, f"the project's task is {task!r}, but training images have only boxes")
        return KindChoice(kind, f"the project's task is {task!r}")
    if are_brands:
        return KindChoice(
            BRANDS, "the training images have no boxes, but all their labels have boxes in the test images"
        )
    if len(test_boxes):
        return KindChoice(DETECTION, "the test images have boxes")
    in_boxes, in_whole = boxes["image"].nunique(), whole["image"].nunique()
    if in_boxes and in_boxes >= in_whole:
        return KindChoice(DETECTION, f"{in_boxes:,} training images have boxes, {in_whole:,} image-level labels")
    most = int(whole.groupby("image").size().max()) if len(whole) else 0
    if most > 1:
        return KindChoice(MULTI_LABEL, f"training images have up to {most} labels")
    return KindChoice(SINGLE_LABEL, "each labelled training image has exactly one label")


def boxed(dataset: Dataset) -> pd.DataFrame:
    """Select the boxes and polygons of fully labelled images."""
    return _of_labelled(dataset, shapes=True)


def whole_labels(dataset: Dataset) -> pd.DataFrame:
    """Select the image-level labels of fully labelled images, as unique pairs of image and label."""
    return _of_labelled(dataset, shapes=False)[["image", "label"]].drop_duplicates()


def _of_labelled(dataset: Dataset, *, shapes: bool) -> pd.DataFrame:
    images, marks = dataset.images, dataset.annotations
    ready = images.loc[images["status"] == "labelled", "image"]
    is_shape = marks["left"].notna() | marks["polygon"].notna()
    return marks[marks["image"].isin(ready) & (is_shape if shapes else ~is_shape)]
