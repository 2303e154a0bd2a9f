"""Labels that an import brings for images which the project has already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import StaleEditError
from customlabels_nb.store import Action, SqlStore

_ATTEMPTS = 20  # so many times in a row somebody else may be quicker; then those images stay as they are

_STATUS_WORDS = {
    "labelled": "was looked at and has nothing on it",
    "skipped": "was skipped by whoever labelled it",
    "needs_review": "is to be reviewed",
}

#: The labels of each image that has any.
LabelsByImage: TypeAlias = Mapping[str, tuple[str, ...]]


def labels_by_image(annotations: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The labels of each annotated image, each once, in the order of the table."""
    alone = {
        label: (label,) for label in annotations["label"].unique()
    }  # most images have one label: no new tuple each
    found: dict[str, tuple[str, ...]] = {}
    for image, label in zip(annotations["image"].tolist(), annotations["label"].tolist(), strict=True):
        own = found.get(image)
        if own is None:
            found[image] = alone[label]
        elif label not in own:
            found[image] = (*own, label)
    return found


def told(labels: LabelsByImage, image: str) -> str:
    """The labels of an image in words: ``labelled 'a' and 'b'``."""
    own = labels.get(image)
    return f"labelled {' and '.join(map(repr, own))}" if own else "not labelled"


def kept_labels(wanted: pd.DataFrame, stored: LabelsByImage, statuses: Mapping[str, str], source: str) -> list[Issue]:
    """An issue for each image for which the import brings a label that is not applied.

    Parameters
    ----------
    wanted : DataFrame
        Annotations of images that the project has, by the names that it has for them.
    stored : mapping
        The labels that the project's images have.
    statuses : mapping
        The statuses of those among them that have none.
    """
    issues = []
    for image, labels in labels_by_image(wanted).items():
        own = stored.get(image, ())
        other = [label for label in labels if label not in own]
        if not other or (not own and statuses.get(image) == "unlabelled"):
            continue
        is_now = f"is {told(stored, image)} already" if own else _STATUS_WORDS.get(statuses.get(image, ""), "is known")
        was = "was" if len(other) == 1 else "were"
        message = f"It {is_now}; {' and '.join(map(repr, other))} {was} not applied."
        issues.append(Issue("LABEL_KEPT", message, where=image, source=source))
    return issues


def label_known(store: SqlStore, split: str, wanted: pd.DataFrame, action: Action) -> int:
    """Give these annotations to those of their images that are unlabelled and bare; returns to how many.

    Who labels one of them meanwhile is right: that image is left alone.
    """
    for _ in range(_ATTEMPTS if len(wanted) else 0):
        images, annotations, _labels = store.tables(split, wanted["image"].unique().tolist())
        bare = (images["status"] == "unlabelled") & ~images["image"].isin(annotations["image"])
        chosen = images[bare & images["image"].isin(wanted["image"])]
        if chosen.empty:
            return 0
        given = wanted[wanted["image"].isin(chosen["image"])]
        try:
            return store.update_images(split, t.settle_statuses(chosen, given), given, action).count
        except StaleEditError:
            continue
    return 0
