"""What a person should know before training: what is left out, and what will limit the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.evaluation.outcomes import DETECTION, SINGLE_LABEL
from customlabels_nb.training.kinds import BRANDS, boxed, whole_labels

if TYPE_CHECKING:
    from customlabels_nb.training.plan import Part

_FEW = 10
_UNEVEN = 0.8


def about(kind: str, datasets: Sequence[Dataset], parts: Sequence[Part], labels: pd.DataFrame) -> list[str]:
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


def _left_out(kind: str, dataset: Dataset, part: Part) -> list[str]:
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
