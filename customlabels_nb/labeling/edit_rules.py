"""Edits to labels and statuses, as pure functions of the images and annotations tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t

#: Function that takes the images and annotations tables of the edited images and returns their new state.
Change: TypeAlias = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]
#: Revisions of images that an edit is based on, by default the ones that were read last.
Revisions: TypeAlias = Mapping[str, int] | None


def add_label(label: str, *, annotator: str, alone: bool) -> Change:
    """Return an edit that adds a label. In a single-label task (``alone``), it replaces the other labels."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        whole, same = is_whole(annotations), annotations["label"] == label
        kept = annotations[~whole | same] if alone else annotations
        has = set(annotations["image"].array[whole & same])
        new = t.label_images([name for name in images["image"] if name not in has], label, annotator)
        return images.assign(status="labelled"), pd.concat([kept, new], ignore_index=True) if len(kept) else new

    return change


def remove_label(label: str) -> Change:
    """Return an edit that removes a label. Images without any annotation become unlabelled."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        kept = annotations[~(is_whole(annotations) & (annotations["label"] == label))]
        return _unlabelled_if_bare(images, kept), kept.reset_index(drop=True)

    return change


def set_labels(labels: Sequence[str], *, annotator: str) -> Change:
    """Return an edit that sets exactly these labels. Existing labels keep their annotator and time."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        annotations = annotations[~is_whole(annotations) | annotations["label"].isin(labels)]
        images = _unlabelled_if_bare(images, annotations)
        for label in labels:
            images, annotations = add_label(label, annotator=annotator, alone=False)(images, annotations)
        return images, annotations.reset_index(drop=True)

    return change


def set_labels_of(wanted: Mapping[str, Sequence[str]], *, annotator: str) -> Change:
    """Return an edit that sets exactly the ``wanted`` image-level labels of each image."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        pairs = list(zip(annotations["image"], annotations["label"], strict=True))
        whole = is_whole(annotations)
        stays = ~whole | np.array([label in wanted[image] for image, label in pairs], dtype=bool)
        has = {pair for pair, is_whole_image in zip(pairs, whole, strict=True) if is_whole_image}
        missing: dict[str, list[str]] = {}
        for image in images["image"]:
            for label in wanted[image]:
                if (image, label) not in has:
                    missing.setdefault(label, []).append(image)
        new = [t.label_images(names, label, annotator) for label, names in missing.items()]
        kept = annotations[stays]
        edited = pd.concat([part for part in (kept, *new) if len(part)] or [kept], ignore_index=True)
        return _unlabelled_if_bare(images.assign(status="labelled"), edited), edited

    return change


def clear_labels(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    kept = annotations[~is_whole(annotations)].reset_index(drop=True)
    return _unlabelled_if_bare(images, kept), kept


def set_status(status: str, *, remove_labels: bool = False) -> Change:
    """Return an edit that sets the status. Images that still have annotations are not skipped."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        kept = annotations.head(0) if remove_labels else annotations
        stays = images["image"].isin(kept["image"]) & (status == "skipped")
        return images.assign(status=images["status"].where(stays, status)), kept

    return change


def skip_bare(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    stays = (images["status"] != "unlabelled") | images["image"].isin(annotations["image"])
    return images.assign(status=images["status"].where(stays, "skipped")), annotations


def adopt(images: pd.DataFrame, annotations: pd.DataFrame, annotator: str) -> pd.DataFrame:
    """Return the annotations, in which the machine labels of labelled images are those of a person."""
    by_model = t.by_machine(annotations) & annotations["image"].isin(
        images.loc[images["status"] == "labelled", "image"]
    )
    by, sure = annotations["annotator"].mask(by_model, annotator), annotations["confidence"].mask(by_model, 1.0)
    return annotations.assign(annotator=by, confidence=sure) if by_model.any() else annotations


def is_whole(annotations: pd.DataFrame) -> pd.Series:
    """Return a mask of the annotations that are image-level labels, not labels of a shape."""
    return annotations["left"].isna() & annotations["polygon"].isna()


def _unlabelled_if_bare(images: pd.DataFrame, annotations: pd.DataFrame) -> pd.DataFrame:
    bare = ~images["image"].isin(annotations["image"])
    return images.assign(status=images["status"].where(~bare, "unlabelled"))
