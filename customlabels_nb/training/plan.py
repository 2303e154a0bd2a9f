"""What can be trained on these datasets, or why not; what is left out, and what will limit the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from customlabels_nb.core.limits import LOCAL, Limits
from customlabels_nb.core.tables import TRAIN
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import CustomLabelsError, NotEnoughDataError
from customlabels_nb.evaluation.outcomes import DETECTION, SINGLE_LABEL
from customlabels_nb.training.kinds import BRANDS, KindChoice, boxed, choose_kind, whole_labels

_FEW = 10  # training images of a label
_UNEVEN = 0.8  # share of the training images that one label makes up


@dataclass(frozen=True)
class UsableImages:
    """The usable images of one dataset.

    Attributes
    ----------
    images : DataFrame
        image, sha256, width, height. Those on which there is nothing are among them where that teaches something.
    marks : DataFrame
        Their annotations that count, with the columns of annotations: whole-image labels, each once, or shapes.
    """

    images: pd.DataFrame
    marks: pd.DataFrame


@dataclass(frozen=True)
class TrainingPlan:
    """What is learnt from what.

    Attributes
    ----------
    choice : KindChoice
        The kind of model, and why.
    labels : DataFrame
        The labels to tell apart, in the project's order: those that training images have.
    train, test : UsableImages
    notes : list of str
        What was left out, and what will limit the result.
    """

    choice: KindChoice
    labels: pd.DataFrame
    train: UsableImages
    test: UsableImages
    notes: list[str]

    @property
    def kind(self) -> str:
        """One of :data:`customlabels_nb.training.kinds.KINDS`."""
        return self.choice.kind


def make_plan(
    train: Dataset, test: Dataset, *, kind: str | None = None, task: str | None = None, limits: Limits = LOCAL
) -> TrainingPlan:
    """Decide what is trained, and what it learns from.

    Parameters
    ----------
    kind : str, optional
        One of :data:`customlabels_nb.training.kinds.KINDS`; what the labels ask for unless it is given.
    task : str, optional
        The project's declared task, which goes before what the labels ask for.

    Raises
    ------
    InputError
        If ``kind`` isn't known.
    NotEnoughDataError
        If there are too few images or labels; the message says how many of what are missing.
    """
    choice = choose_kind(train, test, named=kind, task=task)
    parts = {
        "train": usable_part(
            train, choice.kind if choice.kind != BRANDS else SINGLE_LABEL, brands=choice.kind == BRANDS
        ),
        "test": usable_part(test, DETECTION if choice.kind == BRANDS else choice.kind),
    }
    used = set(parts["train"].marks["label"])
    labels = train.labels[train.labels["label"].isin(used)].reset_index(drop=True)
    _require_enough(choice.kind, train, test, labels, parts["train"], parts["test"], limits)
    said = _notes(choice.kind, (train, test), (parts["train"], parts["test"]), labels)
    return TrainingPlan(choice, labels, parts["train"], parts["test"], said)


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
            "Label more images: project.label('train').",
            "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT",
        )
    return rest, part


def plan_in_words(task: str | None, train: Dataset, test: Dataset) -> list[str]:
    """What training would use, in sentences, or the one that says why it would not begin. Nothing is changed."""
    try:
        aside = not len(test)
        plan = make_plan(*(set_aside(train) if aside else (train, test)), task=task)
    except CustomLabelsError as error:
        return [str(error)]
    used = f"{len(plan.labels)} labels from {len(plan.train.images):,} images"
    tested = f"tested on {len(plan.test.images):,} {'set aside of them' if aside else 'others'}"
    return [f"project.train() would learn {used}, {tested}.", *plan.notes]


def usable_part(dataset: Dataset, kind: str, *, brands: bool = False) -> UsableImages:
    """Return the images of a dataset that a kind of model can learn from, or be tested on, and their annotations."""
    columns = ["image", "sha256", "width", "height"]
    ready = dataset.images.loc[dataset.images["status"] == "labelled", columns]
    if kind == DETECTION:
        marks = boxed(dataset)
        known = set(marks["image"]) | (set(ready["image"]) - set(dataset.annotations["image"]))  # nothing is on those
    else:
        marks = dataset.annotations.loc[whole_labels(dataset).index]
        known = set(marks["image"])
        if kind == SINGLE_LABEL:  # an image of two says nothing about which of them
            known -= set(marks.loc[marks["image"].duplicated(), "image"])
        else:
            known |= set(ready["image"]) - set(dataset.annotations["image"])
        if brands:  # boxes beside the logos are used as they are; images of nothing are backdrops
            shapes = boxed(dataset)
            marks = pd.concat([marks[~marks["image"].isin(shapes["image"])], shapes])
            known |= set(shapes["image"]) | (set(ready["image"]) - set(dataset.annotations["image"]))
    images = ready[ready["image"].isin(known)].reset_index(drop=True)
    return UsableImages(images, marks[marks["image"].isin(images["image"])].reset_index(drop=True))


def _require_enough(
    kind: str,
    train: Dataset,
    test: Dataset,
    labels: pd.DataFrame,
    learnt: UsableImages,
    tested: UsableImages,
    limits: Limits,
) -> None:
    is_detector = kind in (DETECTION, BRANDS)
    model = "detector" if is_detector else "classifier"
    least = limits.min_detection_labels if is_detector else limits.min_classification_labels
    labelled = learnt.marks["image"].nunique()
    if len(labels) < least:
        have = f"only {labels['label'].iloc[0]!r}" if len(labels) else "none"
        what = "boxes" if kind == DETECTION else "labelled images"
        have_all = len(learnt.marks) if kind == DETECTION else labelled
        advice = "Label more images: project.label('train')."
        if kind == DETECTION:
            advice = "Draw boxes, project.annotate('train'), or name another kind."
        raise NotEnoughDataError(
            f"A {model} needs images of at least {least} label{'s' * (least > 1)} in the training set; there are "
            f"{have_all} {what} and {len(labels)} labels ({have}). {advice}",
            "ERROR_MANIFEST_TOO_FEW_LABELS",
        )
    if labelled < limits.min_training_images and kind != BRANDS:
        raise NotEnoughDataError(
            f"Training needs at least {limits.min_training_images} labelled images; there are {labelled}."
        )
    names = tested.marks["label"].unique()
    if not len(names):
        raise NotEnoughDataError(
            "No box of the test images can be used: add test images with boxes of the brands."
            if kind == BRANDS
            else f"The test set has no {'image with boxes' if is_detector else 'labelled image'}, so nothing could be "
            "said about the model. Add test images with labels, or delete the test set and let distribute() take a "
            "share of the training images.",
            "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS",
        )
    if len(names) < least:
        raise NotEnoughDataError(
            f"The test set has images of {len(names)} label only ({names[0]!r}); a {model} is tested "
            f"on at least {least}. Add test images of other labels"
            + (", or more training images of them, so that some can be set aside." if test.name == TRAIN else "."),
            "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS",
        )
    if not set(labels["label"]) & set(names):
        raise NotEnoughDataError(
            "No label of the test set is a label of the training set, so nothing could be said about the model.",
            "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP",
        )


def _notes(kind: str, datasets: Sequence[Dataset], parts: Sequence[UsableImages], labels: pd.DataFrame) -> list[str]:
    """The sentences about a training and a test set, and the parts of them that are used."""
    said = []
    for dataset, part in zip(datasets, parts, strict=True):
        said += _left_out(kind, dataset, part)
    names = labels["label"].tolist()
    train, test = (part.marks.drop_duplicates(["image", "label"])["label"].value_counts() for part in parts)
    never = [name for name in datasets[0].labels["label"] if name not in set(names)]
    if never:
        said.append(f"No training image has {_listed(never)}: the model will not know of it.")
    untested = [name for name in names if name not in test.index]
    if untested:
        said.append(f"No test image has {_listed(untested)}: its figures are left out of the means.")
    few = [f"{name} ({train[name]})" for name in names if train[name] < _FEW]
    if few and kind != BRANDS:
        said.append(f"Fewer than {_FEW} training images: {', '.join(few[:10])}{', …' if len(few) > 10 else ''}.")
    if kind == SINGLE_LABEL and train.max() > _UNEVEN * train.sum():
        said.append(f"{train.idxmax()!r} makes up {train.max() / train.sum():.0%} of the training images.")
    if kind == BRANDS and len(shapes := boxed(datasets[0])):
        said.append(
            f"{shapes['image'].nunique():,} training images have boxes, the others show a logo alone: the former are "
            "used as they are, beside scenes made of the latter."
        )
    return said


def _left_out(kind: str, dataset: Dataset, part: UsableImages) -> list[str]:
    said = []
    images = dataset.images
    ready = images.loc[images["status"] == "labelled", "image"]
    if len(images) > len(ready):
        said.append(
            f"{len(images) - len(ready):,} of {len(images):,} {dataset.name} images are not labelled (yet), skipped or "
            "to be reviewed, and are left out."
        )
    unused = set(ready) - set(part.images["image"])
    if not unused:
        return said
    of_images, in_boxes = set(whole_labels(dataset)["image"]), set(boxed(dataset)["image"])
    reasons = (
        ("boxes only", in_boxes - of_images if kind != DETECTION else set()),
        ("labels of the whole image only", of_images - in_boxes if kind == DETECTION else set()),
        ("more than one label", of_images if kind == SINGLE_LABEL else set()),
    )
    for what, which in reasons:
        if unused & which:
            said.append(f"{len(unused & which):,} {dataset.name} images have {what}, and are left out.")
            unused -= which
    if unused:
        said.append(f"{len(unused):,} {dataset.name} images were looked at and have nothing, and are left out.")
    return said


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
