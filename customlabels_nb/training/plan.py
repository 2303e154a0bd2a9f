"""Checks before training: what can be trained on the datasets, what is excluded, and what will limit the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from customlabels_nb._utils.text import counted, quoted
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.core.tables import DRAWN_TASKS, MULTI_LABEL, POLYGONS, SINGLE_LABEL, TRAIN, by_machine
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import CustomLabelsError, NotEnoughDataError
from customlabels_nb.training.tasks import BRANDS, TaskChoice, boxed, choose_task, whole_labels

_FEW = 10  # training images per label
_UNEVEN = 0.8  # share of one label in the training images


@dataclass(frozen=True)
class UsableImages:
    """Usable images of a dataset and their labels or shapes, with negative ones if the model can use them."""

    images: pd.DataFrame
    marks: pd.DataFrame


@dataclass(frozen=True)
class TrainingPlan:
    """Plan of a training run: task, recipe, labels and images. Labels are in the project's order."""

    choice: TaskChoice
    labels: pd.DataFrame
    train: UsableImages
    test: UsableImages
    notes: list[str]

    @property
    def task(self) -> str:
        return self.choice.task

    @property
    def recipe(self) -> str | None:
        return self.choice.recipe


def make_plan(
    train: Dataset,
    test: Dataset,
    *,
    task: str | None = None,
    recipe: str | None = None,
    project_task: str | None = None,
    is_fold: bool = False,
) -> TrainingPlan:
    """Check the datasets, and plan which labels to train on which images.

    The test images of a fold may have a single label, because the results of all folds are averaged.
    """
    choice = choose_task(train, test, named=task, recipe=recipe, project_task=project_task)
    is_brands = choice.recipe == BRANDS
    parts = {
        "train": usable_part(train, SINGLE_LABEL if is_brands else choice.task, brands=is_brands),
        "test": usable_part(test, choice.task),
    }
    used = set(parts["train"].marks["label"])
    labels = train.labels[train.labels["label"].isin(used)].reset_index(drop=True)
    _require_enough(choice, test, labels, parts["train"], parts["test"], is_fold=is_fold)
    notes = _notes(choice, (train, test), (parts["train"], parts["test"]), labels)
    return TrainingPlan(choice, labels, parts["train"], parts["test"], notes)


def without_machine_labels(dataset: Dataset) -> Dataset:
    """Return the dataset in which images with labels by a model are unlabelled."""
    machine = by_machine(dataset.annotations)
    if not machine.any():
        return dataset
    images, annotations = dataset.images, dataset.annotations
    is_machine_labelled = images["image"].isin(annotations.loc[machine, "image"])
    kept = annotations[annotations["image"].isin(images.loc[~is_machine_labelled, "image"])]
    images = images.assign(status=images["status"].mask(is_machine_labelled, "unlabelled"))
    return Dataset(images, kept, dataset.labels, name=dataset.name, root=dataset.root)


def set_aside(train: Dataset) -> tuple[Dataset, Dataset]:
    """Split a training set as distribute() would, without changing the project."""
    rest, part = train.split(0.2)
    if len(train) and not len(part) and train.annotations["label"].nunique() > 1:
        raise NotEnoughDataError(
            "There is no test set, and none can be split off because no label has two different images. "
            "Label more images: project.label('train').",
            "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT",
        )
    return rest, part


def describe_plan(task: str | None, train: Dataset, test: Dataset) -> list[str]:
    """Describe in sentences what training would use, or why it would fail, without changing the project."""
    try:
        train, test, aside = without_machine_labels(train), without_machine_labels(test), not len(test)
        plan = make_plan(*(set_aside(train) if aside else (train, test)), project_task=task)
    except CustomLabelsError as error:
        return [str(error)]
    used = f"{counted(len(plan.labels), 'label')} from {len(plan.train.images):,} images"
    tested = f"tested on {len(plan.test.images):,} {'images split off first' if aside else 'others'}"
    return [f"project.train() would learn {used}, {tested}.", *plan.notes]


def usable_part(dataset: Dataset, task: str, *, brands: bool = False) -> UsableImages:
    """Select the images and annotations that a model for a task can be trained or tested on."""
    columns = ["image", "sha256", "width", "height"]
    ready = dataset.images.loc[dataset.images["status"] == "labelled", columns]
    if task in DRAWN_TASKS:
        annotations = boxed(dataset)
        usable = set(annotations["image"]) | (set(ready["image"]) - set(dataset.annotations["image"]))  # unannotated
    else:
        annotations = dataset.annotations.loc[whole_labels(dataset).index]
        usable = set(annotations["image"])
        if task == SINGLE_LABEL:  # an image with two labels does not fit a single-label classifier
            usable -= set(annotations.loc[annotations["image"].duplicated(), "image"])
        else:
            usable |= set(ready["image"]) - set(dataset.annotations["image"])
        if brands:  # images with boxes are used as they are, and images without annotations as backgrounds
            shapes = boxed(dataset)
            annotations = pd.concat([annotations[~annotations["image"].isin(shapes["image"])], shapes])
            usable |= set(shapes["image"]) | (set(ready["image"]) - set(dataset.annotations["image"]))
    images = ready[ready["image"].isin(usable)].reset_index(drop=True)
    return UsableImages(images, annotations[annotations["image"].isin(images["image"])].reset_index(drop=True))


def _require_enough(
    choice: TaskChoice,
    test: Dataset,
    labels: pd.DataFrame,
    learnt: UsableImages,
    tested: UsableImages,
    *,
    is_fold: bool,
) -> None:
    is_detector, is_brands = choice.task in DRAWN_TASKS, choice.recipe == BRANDS
    learns_boxes = is_detector and not is_brands
    if choice.task == POLYGONS and learns_boxes and learnt.marks["polygon"].isna().all():
        raise NotEnoughDataError(
            "A detector with masks needs training images with polygons, but no polygon is drawn. Draw polygons with "
            "project.annotate('train'), or pass task='boxes' to train on boxes."
        )
    model = "detector" if is_detector else "classifier"
    bare = len(learnt.images) - learnt.marks["image"].nunique()
    least = LOCAL.min_detection_labels
    if not is_detector and not (choice.task == MULTI_LABEL and bare):  # nothing to tell the only label from
        least = LOCAL.min_classification_labels
    labelled = learnt.marks["image"].nunique()
    if len(labels) < least:
        have = f"only {labels['label'].iloc[0]!r}" if len(labels) else "none"
        what = "boxes" if learns_boxes else "labelled images"
        have_all = len(learnt.marks) if learns_boxes else labelled
        advice = "Label more images: project.label('train')."
        if len(labels) and not learns_boxes:
            advice = (
                f"Label images of another label. Or record images that show nothing of {labels['label'].iloc[0]!r}, "
                "with project.label('train').session.set_status(images, 'labelled'), and train with "
                "task='multi-label'."
            )
        if learns_boxes:
            advice = "Draw boxes with project.annotate('train'), or pass a different task."
        raise NotEnoughDataError(
            f"A {model} needs images of at least {least} label{'s' * (least > 1)} in the training set. There are "
            f"{have_all} {what} and {len(labels)} labels ({have}). {advice}",
            "ERROR_MANIFEST_TOO_FEW_LABELS",
        )
    if labelled < LOCAL.min_training_images and not is_brands:
        raise NotEnoughDataError(
            f"Training needs at least {LOCAL.min_training_images} labelled images, but there are {labelled}."
        )
    names = tested.marks["label"].unique()
    if not len(names):
        raise NotEnoughDataError(
            "None of the boxes in the test images can be used. Add test images with boxes around the brands."
            if is_brands
            else f"The test set has no {'image with boxes' if is_detector else 'labelled image'}, so the model could "
            "not be evaluated. Add test images with labels, or delete the test set and let distribute() take a "
            "share of the training images.",
            "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS",
        )
    if len(names) < least and not is_fold:
        raise NotEnoughDataError(
            f"The test set has images of only {len(names)} label ({names[0]!r}), but a {model} needs test images "
            f"of at least {least}. Add test images of other labels"
            + (", or more training images of other labels that can be split off." if test.name == TRAIN else "."),
            "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS",
        )
    if not set(labels["label"]) & set(names):
        raise NotEnoughDataError(
            "The training set and the test set have no labels in common, so the model could not be evaluated.",
            "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP",
        )


def _notes(
    choice: TaskChoice, datasets: Sequence[Dataset], parts: Sequence[UsableImages], labels: pd.DataFrame
) -> list[str]:
    """Describe what is excluded from the training and test sets, and what will limit the result."""
    notes = []
    for dataset, part in zip(datasets, parts, strict=True):
        notes += left_out(dataset, part, f"{dataset.name} images", choice.task, recipe=choice.recipe)
    names = labels["label"].tolist()
    train, test = (part.marks.drop_duplicates(["image", "label"])["label"].value_counts() for part in parts)
    never = [name for name in datasets[0].labels["label"] if name not in set(names)]
    if never:
        notes.append(f"No training image has {quoted(never)}, so the model will not recognise it.")
    untested = [name for name in names if name not in test.index]
    if untested:
        notes.append(f"No test image has {quoted(untested)}, so the averaged metrics do not include it.")
    few = [f"{name} ({train[name]})" for name in names if train[name] < _FEW]
    if few and choice.recipe != BRANDS:
        notes.append(f"Fewer than {_FEW} training images: {', '.join(few[:10])}{', …' if len(few) > 10 else ''}.")
    tested = parts[1]
    if choice.task == MULTI_LABEL and len(names) == 1 and tested.images["image"].isin(tested.marks["image"]).all():
        notes.append(f"All test images show {names[0]!r}, so false positives are not measured.")
    if choice.task == SINGLE_LABEL and train.max() > _UNEVEN * train.sum():
        notes.append(f"{train.idxmax()!r} makes up {train.max() / train.sum():.0%} of the training images.")
    if choice.recipe == BRANDS and len(shapes := boxed(datasets[0])):
        notes.append(
            f"{shapes['image'].nunique():,} training images have boxes, and the others show only a logo. Images "
            "with boxes are used as they are, in addition to scenes created from the logos."
        )
    return notes


def left_out(dataset: Dataset, part: UsableImages, what: str, task: str, *, recipe: str | None = None) -> list[str]:
    """Describe which images (``what``) and annotations of a dataset are not in its part that a task can use."""
    notes, learns_boxes = unlabelled_notes(dataset.images, what), task in DRAWN_TASKS and recipe != BRANDS
    ready = dataset.images.loc[dataset.images["status"] == "labelled", "image"]
    unused = set(ready) - set(part.images["image"])
    of_images, in_boxes = set(whole_labels(dataset)["image"]), set(boxed(dataset)["image"])
    if (both := (of_images & in_boxes) - unused) and recipe != BRANDS:
        used = "boxes" if learns_boxes else "image-level labels"
        notes.append(f"{len(both):,} {what} have image-level labels and boxes. Only the {used} are used.")
    reasons = (
        ("boxes only", in_boxes - of_images if not learns_boxes else set()),
        ("image-level labels only", of_images - in_boxes if learns_boxes else set()),
        ("more than one label", of_images if task == SINGLE_LABEL else set()),
    )
    for having, which in reasons:
        if unused & which:
            notes.append(f"{len(unused & which):,} {what} have {having}, and are excluded.")
            unused -= which
    if unused:
        notes.append(f"{len(unused):,} {what} have no labels, and are excluded.")
    return notes


def unlabelled_notes(images: pd.DataFrame, what: str) -> list[str]:
    """Describe in at most one sentence how many images are not labelled completely."""
    count = int((images["status"] != "labelled").sum())
    state = "are unlabelled, skipped or still to be reviewed, and are excluded."
    return [f"{count:,} of {len(images):,} {what} {state}"] if count else []


def unread_notes(images: Sequence[str]) -> list[str]:
    """Describe in at most one sentence which images could not be read."""
    such = f"{counted(len(images), 'image')}, such as {images[0]!r}" if len(images) else ""
    return [f"Excluded because they could not be read: {such}."] if such else []
