"""What a review makes of the rows of some images. Pure functions of tables."""

from __future__ import annotations

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import with_review, without_review
from customlabels_nb.labeling import edit_rules

#: The statuses of images that can be reviewed.
REVIEWABLE = ("labelled", "needs_review")


def approve(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labelled images were looked through; what is unlabelled or skipped stays so."""
    chosen = images["status"].isin(REVIEWABLE)
    images = images.assign(status=images["status"].where(~chosen, "labelled"))
    return with_review(images, chosen), annotations


def correct(label: str, *, annotator: str, alone: bool, instead_of: str | None = None) -> edit_rules.Change:
    """The images have this label, and were looked through.

    Parameters
    ----------
    alone : bool
        It takes the place of all labels of the whole image, else it comes beside them.
    instead_of : str, optional
        The label whose place it takes, of whole images and of shapes. On images that don't have it, and without it, all
        shapes get the label.
    """

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        whole, named = edit_rules.is_whole(annotations), annotations["label"] == instead_of
        has_named = annotations["image"].isin(annotations.loc[named, "image"])
        wrong = named | ((alone | ~whole) & ~(has_named & ~whole))
        right = annotations["label"] == label
        shapes = annotations[~whole & wrong & ~right].assign(label=label).drop(columns=["annotator", "created"])
        shapes = t.normalise_annotations(shapes, annotator=annotator).set_index(shapes.index)
        kept = pd.concat([annotations[right | ~wrong], shapes]).sort_index()

        def among(mask: pd.Series) -> pd.Series:
            return images["image"].isin(annotations.loc[mask, "image"])

        as_whole = among(whole & wrong) | ~among(whole | ~whole) | (among(whole) & ~among(has_named))
        lacking = images[as_whole]
        _, own = edit_rules.add_label(label, annotator=annotator, alone=False)(
            lacking, kept[kept["image"].isin(lacking["image"])]
        )
        marks = pd.concat([kept[~kept["image"].isin(lacking["image"])], own], ignore_index=True)
        every = pd.Series(True, index=images.index)
        return with_review(images.assign(status="labelled"), every), marks

    return change


def take_away(label: str) -> edit_rules.Change:
    """The images have not this label; what has none left is unlabelled, the rest was looked through."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        images, annotations = edit_rules.remove_label(label)(images, annotations)
        left = images["image"].isin(annotations["image"])
        images = images.assign(status=images["status"].where(~left, "labelled"))
        return with_review(without_review(images, ~left), left), annotations

    return change


def reject(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nothing is left of the images' annotations."""
    every = pd.Series(True, index=images.index)
    return without_review(images.assign(status="unlabelled"), every), annotations.head(0)
