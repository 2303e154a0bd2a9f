"""What advice is drawn from: an evaluation, what is known beside it, and how things are said and done there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.evaluation.advice.items import HERE
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.metrics import ratios
from customlabels_nb.evaluation.outcomes import (
    DETECTION,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    SINGLE_LABEL,
    TRUE_POSITIVE,
    Outcomes,
)
from customlabels_nb.evaluation.thresholded import Thresholded

_LISTED = 4


@dataclass(frozen=True, eq=False)
class Case:
    """One evaluation to give advice on.

    Attributes
    ----------
    applied : Thresholded
    summary, per_label, per_image : DataFrame
        The tables of the evaluation.
    training : dict or None
        Number of training images by label.
    features : ndarray of float64, shape (n, d), or None
        One row a test image; NaN where there are none.
    in_project : bool
        Whether there are a project and a model that calls can name.
    """

    applied: Thresholded
    summary: pd.DataFrame
    per_label: pd.DataFrame
    per_image: pd.DataFrame
    training: Mapping[str, int] | None = None
    features: FloatArray | None = None
    in_project: bool = False

    @property
    def outcomes(self) -> Outcomes:
        """Truth and predictions."""
        return self.applied.outcomes

    @property
    def labels(self) -> tuple[str, ...]:
        """In order."""
        return self.outcomes.labels

    @property
    def single_label(self) -> bool:
        """Whether each image has one label."""
        return self.outcomes.task == SINGLE_LABEL

    @property
    def detection(self) -> bool:
        """Whether boxes were evaluated."""
        return self.outcomes.task == DETECTION

    @cached_property
    def counts(self) -> tuple[IntArray, IntArray, IntArray]:
        """True positives, false positives and false negatives of each label."""
        table = self.per_label
        return table["tp"].to_numpy(), table["fp"].to_numpy(), table["fn"].to_numpy()

    def gain(self, tp: npt.ArrayLike = 0, fp: npt.ArrayLike = 0, fn: npt.ArrayLike = 0) -> float:
        """How much the mean F1 rises, if the counts of the labels change by so much, each of shape (k,)."""
        changed = (np.maximum(now + np.asarray(by), 0) for now, by in zip(self.counts, (tp, fp, fn), strict=True))
        tested = self.outcomes.in_test_set
        return float((ratios(*changed)[2] - ratios(*self.counts)[2])[tested].mean()) if tested.any() else 0.0

    def each(self, labels: Sequence[str] | pd.Series) -> IntArray:
        """How often each label stands there, shape (k,)."""
        numbers = pd.Series(list(labels), dtype="object").value_counts()
        return np.array([numbers.get(label, 0) for label in self.labels], dtype=np.int64)

    def rows(self, result: str) -> pd.DataFrame:
        """The rows of the table of images with this result."""
        return self.per_image[self.per_image["result"] == result].reset_index(drop=True)

    @cached_property
    def hits(self) -> pd.DataFrame:
        """True positives."""
        return self.rows(TRUE_POSITIVE)

    @cached_property
    def misses(self) -> pd.DataFrame:
        """False negatives."""
        return self.rows(FALSE_NEGATIVE)

    @cached_property
    def alarms(self) -> pd.DataFrame:
        """False positives."""
        return self.rows(FALSE_POSITIVE)

    def things(self, number: int) -> str:
        """``1 test image``, ``20 test images``; of detectors ``20 boxes``."""
        if self.detection:
            return f"{number:,} {'box' if number == 1 else 'boxes'}"
        return f"{number:,} test image{'' if number == 1 else 's'}"

    def look(self) -> str:
        """Code that opens the item's images where they are labelled."""
        if not self.in_project:
            return f"{HERE}.images"
        opened = 'project.annotate("test")' if self.detection else 'project.label("test")'
        return (
            f"names = {HERE}.names\nscreen = {opened}\n"
            'screen.set_filter(lambda images: images["image"].isin(names))\nscreen'
        )

    def add(self, label: str, split: str = "train") -> str:
        """Code that adds images of a label."""
        if not self.in_project:
            return f"{HERE}.images"
        to = "" if split == "train" else f', split="{split}"'
        if self.detection:
            return f'project.add_images("photos/"{to})\nproject.annotate("{split}")'
        return f'project.add_images("photos/", label={label!r}{to})'

    def use_thresholds(self, thresholds: Mapping[str, float]) -> str:
        """Code that takes these thresholds."""
        if self.in_project:
            return f"model.set_thresholds({dict(thresholds)!r})"
        return f"cl.evaluate(truth, predictions, thresholds={dict(thresholds)!r})"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; of many the first and how many more there are."""
    if len(names) > _LISTED + 1:
        names = [*names[:_LISTED], f"{len(names) - _LISTED:,} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
