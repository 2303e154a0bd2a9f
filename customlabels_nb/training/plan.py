"""Checks before training: what can be trained on the datasets, what is excluded, and what will limit the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

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
    """Plan of a training run: task, recipe, labels and images. Labels are in the project's order.

    ``is_fold`` and ``is_split_off`` say whether the test images are a fold or a part of the training set.
    """

    choice: TaskChoice
    labels: pd.DataFrame
    train: UsableImages
    test: UsableImages
    is_fold: bool = False
    is_split_off: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def task(self) -> str:
        return self.choice.task

    @property
    def recipe(self) -> str | None:
        return self.choice.recipe

    @property
    def is_brands(self) -> bool:
        return self.recipe == BRANDS

    @property
    def learns_boxes(self) -> bool:
        return self.task in DRAWN_TASKS and not self.is_brands

    @property
    def model(self) -> str:
        return "detector" if self.task in DRAWN_TASKS else "classifier"

    @property
    def names(self) -> list[str]:
        """Names of the labels."""
        return list(self.labels["label"])

    @cached_property
    def tested(self) -> list[str]:
        """Names of the labels in the test images."""
        return list(self.test.marks["label"].unique())

    @cached_property
    def labelled(self) -> int:
        """Number of training images with annotations."""
        return int(self.train.marks["image"].nunique())

    @property
    def least(self) -> int:
        """Least number of labels. One is enough if the model also sees images or parts of images without it."""
        has_negatives = self.task == MULTI_LABEL and len(self.train.images) > self.labelled
        is_one_enough = self.task in DRAWN_TASKS or has_negatives
        return LOCAL.min_detection_labels if is_one_enough else LOCAL.min_classification_labels


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
    learnt = usable_part(train, SINGLE_LABEL if is_brands else choice.task, brands=is_brands)
    labels = train.labels[train.labels["label"].isin(set(learnt.marks["label"]))].reset_index(drop=True)
    plan = TrainingPlan(choice, labels, learnt, usable_part(test, choice.task), is_fold, test.name == TRAIN)
    for is_refused, reason, code in _REFUSALS:
        if is_refused(plan):
            raise NotEnoughDataError(reason(plan), code)
    notes = []
    for dataset, part in ((train, plan.train), (test, plan.test)):
        notes += left_out(dataset, part, f"{dataset.name} image", choice.task, recipe=choice.recipe)
    return replace(plan, notes=[*notes, *_label_notes(plan, train), *_composition_notes(plan, train)])


def without_machine_labels(dataset: Dataset) -> Dataset:
    """Return the dataset in which images with labels by a model are unlabelled."""
    machine = by_machine(dataset.annotations)
    if not machine.any():
        return dataset
    images, annotations = dataset.image_table, dataset.annotations
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
    aside = not len(test)
    try:
        plan = _plan_of(task, train, test)
    except CustomLabelsError as error:
        return [str(error)]
    used = f"{counted(len(plan.labels), 'label')} from {counted(len(plan.train.images), 'image')}"
    others = ("image split off first", "images split off first") if aside else ("other",)
    tested = counted(len(plan.test.images), *others)
    return [f"project.train() would learn {used}, tested on {tested}.", *plan.notes]


def why_refused(task: str | None, train: Dataset, test: Dataset) -> str:
    """Return the reason why project.train() would not start, or an empty string if it would."""
    try:
        _plan_of(task, train, test)
    except CustomLabelsError as error:
        return str(error)
    return ""


def _plan_of(task: str | None, train: Dataset, test: Dataset) -> TrainingPlan:
    train, test, aside = without_machine_labels(train), without_machine_labels(test), not len(test)
    return make_plan(*(set_aside(train) if aside else (train, test)), project_task=task)


def usable_part(dataset: Dataset, task: str, *, brands: bool = False) -> UsableImages:
    """Select the images and annotations that a model for a task can be trained or tested on."""
    columns = ["image", "sha256", "width", "height"]
    ready = dataset.image_table.loc[dataset.image_table["status"] == "labelled", columns]
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


def _no_polygons(plan: TrainingPlan) -> str:
    return (
        "A detector with masks needs training images with polygons, but no polygon is drawn. Draw polygons with "
        "project.annotate('train'), or pass task='boxes' to train on boxes."
    )


def _too_few_labels(plan: TrainingPlan) -> str:
    names, least = plan.names, plan.least
    annotated = counted(plan.labelled, "labelled image")
    advice = "Add images with project.add_images('photos/'), and label them with project.label('train')."
    if plan.learns_boxes:
        annotated = counted(len(plan.train.marks), "box", "boxes")
        advice = "Draw boxes with project.annotate('train'), or pass a different task."
    elif names:
        advice = (
            f"Label images of another label. Or record images that show nothing of {names[0]!r}, with "
            "project.label('train').session.set_status(images, 'labelled'), and train with task='multi-label'."
        )
    return (
        f"A {plan.model} needs images of at least {least} label{'s' * (least > 1)} in the training set, which "
        f"has {annotated} and {f'only the label {names[0]!r}' if names else 'no label'}. {advice}"
    )


def _too_few_images(plan: TrainingPlan) -> str:
    least = LOCAL.min_training_images
    return f"Training needs at least {least} labelled images, but the training set has {plan.labelled}."


def _no_test_images(plan: TrainingPlan) -> str:
    if plan.is_brands:
        return "None of the boxes in the test images can be used. Add test images with boxes around the brands."
    missing = "image with boxes" if plan.learns_boxes else "labelled image"
    return (
        f"The test set has no {missing}, so the model could not be evaluated. Add test images with labels, or delete "
        "the test set and let distribute() take a share of the training images."
    )


def _too_few_tested_labels(plan: TrainingPlan) -> str:
    more = ", or more training images of other labels that can be split off." if plan.is_split_off else "."
    return (
        f"The test set has images of only {len(plan.tested)} label ({plan.tested[0]!r}), but a {plan.model} needs test "
        f"images of at least {plan.least}. Add test images of other labels{more}"
    )


def _nothing_in_common(plan: TrainingPlan) -> str:
    return "The training set and the test set have no labels in common, so the model could not be evaluated."


_UNTESTED = "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"
#: Conditions under which nothing can be trained, with the reason and its code. The first that holds is raised.
_REFUSALS: tuple[tuple[Callable[[TrainingPlan], bool], Callable[[TrainingPlan], str], str | None], ...] = (
    (lambda p: p.task == POLYGONS and p.learns_boxes and p.train.marks["polygon"].isna().all(), _no_polygons, None),
    (lambda p: len(p.names) < p.least, _too_few_labels, "ERROR_MANIFEST_TOO_FEW_LABELS"),
    (lambda p: p.labelled < LOCAL.min_training_images and not p.is_brands, _too_few_images, None),
    (lambda p: not p.tested, _no_test_images, _UNTESTED),
    (lambda p: len(p.tested) < p.least and not p.is_fold, _too_few_tested_labels, _UNTESTED),
    (lambda p: not set(p.names) & set(p.tested), _nothing_in_common, "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP"),
)


def _label_notes(plan: TrainingPlan, train: Dataset) -> list[str]:
    """Describe which labels have no training or test images, or few."""
    names, counts, notes = plan.names, _images_with_each_label(plan.train), []
    trained, tested = set(names), set(plan.tested)
    if never := [name for name in train.labels["label"] if name not in trained]:
        notes.append(f"No training image has {quoted(never)}, so the model will not recognise it.")
    if untested := [name for name in names if name not in tested]:
        notes.append(f"No test image has {quoted(untested)}, so the averaged metrics do not include it.")
    few = [f"{name} ({counts[name]})" for name in names if counts[name] < _FEW]
    if few and not plan.is_brands:
        notes.append(f"Fewer than {_FEW} training images: {', '.join(few[:10])}{', …' if len(few) > 10 else ''}.")
    return notes


def _composition_notes(plan: TrainingPlan, train: Dataset) -> list[str]:
    """Describe which kinds of images are missing, too frequent or mixed in the datasets."""
    names, counts, notes = plan.names, _images_with_each_label(plan.train), []
    if plan.task == MULTI_LABEL and len(names) == 1 and plan.test.images["image"].isin(plan.test.marks["image"]).all():
        notes.append(f"All test images show {names[0]!r}, so false positives are not measured.")
    if plan.task == SINGLE_LABEL and counts.max() > _UNEVEN * counts.sum():
        notes.append(f"{counts.idxmax()!r} makes up {counts.max() / counts.sum():.0%} of the training images.")
    if plan.is_brands and len(shapes := boxed(train)):
        with_boxes = counted(shapes["image"].nunique(), "training image has", "training images have")
        notes.append(
            f"{with_boxes} boxes, and the others show only a logo. Images with boxes are used as they are, in addition "
            "to scenes created from the logos."
        )
    return notes


def _images_with_each_label(part: UsableImages) -> pd.Series:
    return part.marks.drop_duplicates(["image", "label"])["label"].value_counts()


def left_out(dataset: Dataset, part: UsableImages, what: str, task: str, *, recipe: str | None = None) -> list[str]:
    """Describe which images (each a ``what``) and annotations of a dataset are not in its part that a task can use."""
    notes, learns_boxes = unlabelled_notes(dataset.image_table, f"{what}s"), task in DRAWN_TASKS and recipe != BRANDS
    ready = dataset.image_table.loc[dataset.image_table["status"] == "labelled", "image"]
    unused = set(ready) - set(part.images["image"])
    of_images, in_boxes = set(whole_labels(dataset)["image"]), set(boxed(dataset)["image"])
    if (both := (of_images & in_boxes) - unused) and recipe != BRANDS:
        used = "boxes" if learns_boxes else "image-level labels"
        have = counted(len(both), f"{what} has", f"{what}s have")
        notes.append(f"{have} image-level labels and boxes. Only the {used} are used.")
    reasons = (
        ("boxes only", in_boxes - of_images if not learns_boxes else set()),
        ("image-level labels only", of_images - in_boxes if learns_boxes else set()),
        ("more than one label", of_images if task == SINGLE_LABEL else set()),
    )
    for having, which in reasons:
        if unused & which:
            notes.append(f"Excluded: {counted(len(unused & which), what)} with {having}.")
            unused -= which
    if unused:
        notes.append(f"Excluded: {counted(len(unused), what)} without labels.")
    return notes


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def unlabelled_notes(images: pd.DataFrame, what: str) -> list[str]:
    """Describe in at most one sentence how many images are not labelled completely."""
    count = int((images["status"] != "labelled").sum())
    state = f"{_are(count)} unlabelled, skipped or still to be reviewed, and {_are(count)} excluded."
    return [f"{count:,} of {len(images):,} {what} {state}"] if count else []


def unread_notes(images: Sequence[str]) -> list[str]:
    """Describe in at most one sentence which images could not be read."""
    such = f"{counted(len(images), 'image')}, such as {images[0]!r}" if len(images) else ""
    return [f"Excluded because they could not be read: {such}."] if such else []
