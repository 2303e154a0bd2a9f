"""Check labels: too few labels, too few images per label, class imbalance, or similar names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches

import pandas as pd

from customlabels_nb._utils.text import counted, quoted
from customlabels_nb.checks.findings import Finding, rows_of
from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.datasets.dataset import Dataset

_FEW_IMAGES = 10  # in total, or per label
_FEW_TEST_IMAGES = 3
_UNEVEN_SHARE, _UNEVEN_RATIO = 0.8, 10
#: A label of this few images is compared with labels of this many times more, and is mistyped from this likeness on.
_FEW_MISTYPED, _OFTEN, _NEARLY = 3, 5, 0.88
_SHORT = re.compile(r"\d+|\b\w{1,3}\b")  # numbers and words such as "A" and "II" are not typos
_MOST_TYPED = 300  # more labels come from a file
_SPACES = re.compile(r"[\s_.\-]+")
#: Letters of other scripts that look like Latin letters, mapped to these Latin letters.
_LOOKS_LIKE = str.maketrans("аеорсухіјѕһԁԛԝαοριυνκτ", "aeopcyxijshdqwaopiuvkt")


def check_labels(train: Dataset, test: Dataset, task: str | None) -> list[Finding]:
    """Check the labels of the training and test sets and the number of images per label."""
    counts, test_counts = _usable(train), _usable(test)
    names = list(dict.fromkeys([*train.labels["label"], *test.labels["label"]]))
    findings = [
        *_enough(train, counts, task),
        *_few(counts),
        *_uneven(counts),
        *_one_sided(names, counts, test_counts, len(test)),
        *_tested(test, counts, test_counts),
        *_alike(names, counts),
    ]
    for dataset in (train, test):
        findings += [*_kinds(dataset, task), *_statuses(dataset)]
    return findings


def look_alike_key(label: str) -> str:
    """Return a key shared by labels that differ only in case, spaces, hyphens, accents or look-alike letters."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c))
    return _SPACES.sub("", plain.casefold().translate(_LOOKS_LIKE)) or label


def _usable(dataset: Dataset) -> pd.Series:
    """Count the images with status "labelled" per label, the most frequent label first."""
    images = dataset.image_table
    ready = images.loc[images["status"] == "labelled", "image"]
    pairs = dataset.annotations[["image", "label"]].drop_duplicates()
    return pairs.loc[pairs["image"].isin(ready), "label"].value_counts()


def _enough(train: Dataset, counts: pd.Series, task: str | None) -> Iterator[Finding]:
    boxed = task in ("boxes", "polygons") or bool(train.annotations["left"].notna().any())
    bare = (train.image_table["status"] == "labelled") & ~train.image_table["image"].isin(train.annotations["image"])
    has_contrast = boxed or (task != t.SINGLE_LABEL and bare.any())  # images that show nothing of the only label
    least = LOCAL.min_detection_labels if has_contrast else LOCAL.min_classification_labels
    if len(counts) < least:
        have = f"only {counts.index[0]!r}" if len(counts) else "none yet"
        message = f"Training needs images with {counted(least, 'label')} or more, but the training set has {have}."
        advice = (
            "Label some images with a different label, such as 'other', or record images that show nothing of the "
            "label with project.label('train').session.set_status(images, 'labelled'): a model needs examples of both."
        )
        if counts.empty:
            advice = "Label some images of each kind: project.label('train')."
        yield Finding("TOO_FEW_LABELS", "error", message, advice, t.TRAIN, count=len(train))
    images = train.image_table
    labelled = int(images["image"].isin(train.annotations["image"])[images["status"] == "labelled"].sum())
    if labelled < _FEW_IMAGES:
        message = f"The training set has only {counted(labelled, 'labelled image')}."
        advice = f"Label at least {_FEW_IMAGES}."
        yield Finding("TOO_FEW_IMAGES", "warning", message, advice, t.TRAIN, count=labelled)


def _few(counts: pd.Series) -> Iterator[Finding]:
    tiers = (
        (1, 2, "one training image, so none can be held out for testing, tuning or distributing"),
        (2, 5, "2 to 4 training images, so the metrics depend on single images"),
        (5, _FEW_IMAGES, "5 to 9 training images"),
    )
    for least, below, meaning in tiers:
        few = counts[(counts >= least) & (counts < below)]
        if len(few):
            names = few.index.tolist()
            message = f"{counted(len(few), 'label has', 'labels have')} only {meaning} ({quoted(names)})."
            advice = "Add images as varied in location, light and angle as those the model will be used on."
            severity = "note" if below == _FEW_IMAGES else "warning"
            yield Finding("LABEL_HAS_FEW_IMAGES", severity, message, advice, names[0], count=int(few.sum()))


def _uneven(counts: pd.Series) -> list[Finding]:
    if len(counts) < 2:
        return []
    most, least, share = counts.index[0], counts.index[-1], counts.iloc[0] / counts.sum()
    if share <= _UNEVEN_SHARE and counts.iloc[0] < _UNEVEN_RATIO * counts.iloc[-1]:
        return []
    message = (
        f"The labels are imbalanced: {most!r} has {counted(int(counts.iloc[0]), 'training image')} "
        f"({share:.0%} of all), {least!r} {int(counts.iloc[-1]):,}."
    )
    advice = "Add images of the rare labels. Otherwise the model is biased towards the frequent label."
    severity = "warning" if share > _UNEVEN_SHARE else "note"
    return [Finding("LABELS_UNEVEN", severity, message, advice, str(most), count=int(counts.iloc[0]))]


def _one_sided(names: list[str], counts: pd.Series, test_counts: pd.Series, test_images: int) -> Iterator[Finding]:
    unused = [name for name in names if name not in counts and name not in test_counts]
    if unused:
        message = f"{counted(len(unused), 'label has', 'labels have')} no labelled images ({quoted(unused)})."
        yield Finding("LABEL_UNUSED", "note", message, "Add labelled images, or delete the label.", unused[0])
    only_test = [name for name in names if name in test_counts and name not in counts]
    if only_test:
        message = (
            f"{counted(len(only_test), 'label occurs', 'labels occur')} only in the test set ({quoted(only_test)})."
        )
        advice = "Add training images. The model cannot recognise a label without training images."
        number = int(test_counts[only_test].sum())
        yield Finding("LABEL_NOT_IN_TRAIN", "warning", message, advice, only_test[0], count=number)
    only_train = [name for name in names if name in counts and name not in test_counts]
    if test_images and only_train:
        message = f"{counted(len(only_train), 'label has', 'labels have')} no test images ({quoted(only_train)})."
        advice = "Add test images. Without them, the metrics of a label are unknown."
        number = int(counts[only_train].sum())
        yield Finding("LABEL_NOT_IN_TEST", "warning", message, advice, only_train[0], count=number)


def _tested(test: Dataset, counts: pd.Series, test_counts: pd.Series) -> list[Finding]:
    if not len(test):
        message = "There is no test set. Training will hold out a fifth of the labelled images as a test set."
        advice = "Split now with project.distribute(), or better, add separate test images from the intended use."
        return [Finding("TEST_SET_MISSING", "note", message, advice, t.TEST)]
    few = test_counts[(test_counts < _FEW_TEST_IMAGES) & test_counts.index.isin(counts.index)]
    if few.empty:
        return []
    names = few.index.tolist()
    message = (
        f"{counted(len(few), 'label has', 'labels have')} fewer than {_FEW_TEST_IMAGES} test images ({quoted(names)}): "
        "a single image can change the metrics considerably."
    )
    advice = "Add test images with these labels."
    return [Finding("LABEL_HAS_FEW_TEST_IMAGES", "warning", message, advice, names[0], count=int(few.sum()))]


def _alike(names: list[str], counts: pd.Series) -> Iterator[Finding]:
    groups: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: -counts.get(name, 0)):  # the most frequent is probably the right one
        groups.setdefault(look_alike_key(name), []).append(name)
    for group in groups.values():
        if len(group) > 1:
            message = f"The labels {quoted(group)} look alike and are probably variants of the same label."
            advice = f"If they mean the same, merge them: project.labels.merge({group[1]!r}, into={group[0]!r})."
            yield Finding("LABELS_LOOK_ALIKE", "warning", message, advice, group[0])
    for name, count in counts[counts <= _FEW_MISTYPED].items() if len(counts) <= _MOST_TYPED else ():
        right = _meant(str(name), counts.index[counts >= _OFTEN * count].tolist())
        if right is not None:
            message = f"The label {name!r} ({counted(count, 'image')}) is perhaps {right!r}, mistyped."
            advice = f"If they mean the same, merge them: project.labels.merge({name!r}, into={right!r})."
            yield Finding("LABELS_LOOK_ALIKE", "warning", message, advice, str(name), count=int(count))


def _meant(name: str, others: list[str]) -> str | None:
    """Return the label that is nearly this one. "damaged" and "undamaged" differ, and so do "screw 1" and "screw 2"."""
    folded = {
        other.casefold(): other
        for other in others
        if not (look_alike_key(name) == look_alike_key(other) or name.endswith(other) or other.endswith(name))
        and _SHORT.findall(name) == _SHORT.findall(other)
    }
    return next((folded[close] for close in get_close_matches(name.casefold(), folded, 1, _NEARLY)), None)


def _kinds(dataset: Dataset, task: str | None) -> Iterator[Finding]:
    annotations = dataset.annotations
    shaped = annotations["left"].notna() | annotations["polygon"].notna()
    if shaped.any() and not shaped.all():
        fewer = annotations[shaped] if shaped.sum() < (~shaped).sum() else annotations[~shaped]
        message = (
            f"The {dataset.name} set has {counted(int(shaped.sum()), 'box', 'boxes')} or polygons as well as "
            f"{counted(int((~shaped).sum()), 'image-level label')}, but a model learns from one kind only."
        )
        advice = "Choose the kind with project.task, or remove the annotations of the other kind."
        rows = rows_of(dataset.name, fewer["image"])
        yield Finding("LABELS_OF_TWO_KINDS", "warning", message, advice, dataset.name, rows)
    if task == "single-label":
        several = annotations[["image", "label"]].drop_duplicates()["image"].value_counts()
        several = several[several > 1]
        if len(several):
            message = f"{counted(len(several), 'image')} of the {dataset.name} set with more than one label."
            advice = "Remove all but one label from each, or set project.task = 'multi-label'."
            rows = rows_of(dataset.name, several.index.tolist(), [f"{n} labels" for n in several])
            yield Finding("IMAGE_HAS_SEVERAL_LABELS", "error", message, advice, dataset.name, rows)


def _statuses(dataset: Dataset) -> Iterator[Finding]:
    images = dataset.image_table
    for status, code, words, advice in (
        ("unlabelled", "IMAGES_UNLABELLED", "without a label", "Label them, or remove them."),
        ("needs_review", "IMAGES_TO_REVIEW", "to be reviewed", "Review them with project.review()."),
        ("skipped", "IMAGES_SKIPPED", "skipped", "Nothing to do, unless you want more labelled images."),
    ):
        of_status = images.loc[images["status"] == status, "image"]
        if len(of_status):
            share = len(of_status) / len(images)
            message = f"{counted(len(of_status), 'image')} of the {dataset.name} set ({share:.0%}) {words}: not used."
            severity = "note" if status == "skipped" or share < 0.5 else "warning"
            yield Finding(code, severity, message, advice, dataset.name, rows_of(dataset.name, of_status))
