"""Which kind of model the labels ask for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.outcomes import DETECTION, MULTI_LABEL, SINGLE_LABEL

#: A detector whose training images show nothing but the logo of one brand each.
BRANDS = "brands"
KINDS = (SINGLE_LABEL, MULTI_LABEL, DETECTION, BRANDS)
#: What a project's declared task trains.
OF_TASK = {SINGLE_LABEL: SINGLE_LABEL, MULTI_LABEL: MULTI_LABEL, "boxes": DETECTION, "polygons": DETECTION}


@dataclass(frozen=True)
class KindChoice:
    """A kind of model, one of :data:`KINDS`, and why it was chosen, as the end of a sentence."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"Training {_IN_WORDS[self.kind]}: {self.reason}."


_IN_WORDS = {
    SINGLE_LABEL: "a classifier of one label an image",
    MULTI_LABEL: "a classifier of several labels an image",
    DETECTION: "a detector",
    BRANDS: "a detector of brands from pictures of their logos",
}


def choose_kind(train: Dataset, test: Dataset, *, named: str | None = None, task: str | None = None) -> KindChoice:
    """The kind that the labels of both datasets ask for.

    The first of these that holds: the user names it, or the project's task does; the training images have no boxes but
    labels of the boxes in the test images (brands); the test images have boxes; there are more usable training images
    for it (a tie: detection). A classifier has one label an image if each labelled training image has exactly one.

    Raises
    ------
    InputError
        If the named kind isn't known.
    """
    if named is not None:
        if named not in KINDS:
            raise InputError(f"kind={named!r} is not known; use one of {', '.join(map(repr, KINDS))}.")
        return KindChoice(named, "you named it")
    boxes, test_boxes = boxed(train), boxed(test)
    whole = whole_labels(train)
    shown = set(whole["label"])
    are_brands = bool(boxes.empty and len(test_boxes) and shown and shown <= set(test_boxes["label"]))
    if task is not None:
        kind = OF_TASK[task]
        if kind == DETECTION and are_brands:
            return KindChoice(BRANDS, f"the project's task is {task!r}, and the training images have no boxes")
        return KindChoice(kind, f"the project's task is {task!r}")
    if are_brands:
        return KindChoice(BRANDS, "the training images have no boxes, but labels of boxes that the test images have")
    if len(test_boxes):
        return KindChoice(DETECTION, "the test images have boxes")
    in_boxes, in_whole = boxes["image"].nunique(), whole["image"].nunique()
    if in_boxes and in_boxes >= in_whole:
        return KindChoice(DETECTION, f"{in_boxes:,} training images have boxes, {in_whole:,} labels of their own")
    most = int(whole.groupby("image").size().max()) if len(whole) else 0
    if most > 1:
        return KindChoice(MULTI_LABEL, f"training images have up to {most} labels")
    return KindChoice(SINGLE_LABEL, "each labelled training image has exactly one")


def boxed(dataset: Dataset) -> pd.DataFrame:
    """Boxes and polygons of the images whose labelling is complete."""
    return _of_labelled(dataset, shapes=True)


def whole_labels(dataset: Dataset) -> pd.DataFrame:
    """Image-level labels of the images whose labelling is complete, each once: image, label."""
    return _of_labelled(dataset, shapes=False)[["image", "label"]].drop_duplicates()


def _of_labelled(dataset: Dataset, *, shapes: bool) -> pd.DataFrame:
    images, marks = dataset.images, dataset.annotations
    ready = images.loc[images["status"] == "labelled", "image"]
    is_shape = marks["left"].notna() | marks["polygon"].notna()
    return marks[marks["image"].isin(ready) & (is_shape if shapes else ~is_shape)]
