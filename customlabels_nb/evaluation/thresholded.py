"""Decide which predictions are answers: by thresholds, for all images or by fold, or by the most confident label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array, vstack

from customlabels_nb.core.decisions import require_single_label
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.scores import Scores


@dataclass(frozen=True, eq=False)
class Thresholded:
    """Ground truth and predictions with the decision which predictions are answers.

    A prediction is an answer if it reaches the threshold of its label. ``thresholds`` is the mean over ``folds``, if
    there are any. If ``most_confident``, it is NaN, and each image's most confident label is its answer.
    """

    outcomes: Outcomes
    thresholds: FloatArray
    folds: tuple[tuple[IntArray, FloatArray], ...] = ()
    most_confident: bool = False

    @cached_property
    def candidates(self) -> Outcomes:
        """Ground truth, and the predictions that are answers if they reach the threshold."""
        return (
            self.outcomes.most_confident()
            if isinstance(self.outcomes, Scores) and self.most_confident
            else self.outcomes
        )

    def counts(self) -> tuple[IntArray, IntArray, IntArray]:
        """Count the true positives, false positives and false negatives of each label, each of shape (k,)."""
        tp, fp, fn = (
            sum(parts)
            for parts in zip(*(outcomes.counts(thresholds) for outcomes, thresholds in self._parts()), strict=True)
        )
        return np.asarray(tp), np.asarray(fp), np.asarray(fn)

    def accepted(self) -> BoolArray:
        return self.candidates.accepted(self._limits())

    def answer(self) -> IntArray:
        """Return the position of the label that each image counts under, shape (n,), or -1. Only for classifiers."""
        assert isinstance(self.candidates, Scores)
        return self.candidates.answer(self._limits())

    def of_images(self) -> FloatArray:
        """Return the threshold of the candidates of each label for each image as a read-only array of shape (n, k)."""
        shape = (len(self.outcomes.images), len(self.thresholds))
        if not self.folds:
            return np.broadcast_to(self._limits(), shape)
        result = np.empty(shape)
        for images, thresholds in self.folds:
            result[images] = thresholds
        return result

    def image_counts(self) -> csr_array:
        parts = [outcomes.image_counts(thresholds) for outcomes, thresholds in self._parts()]
        if not self.folds:
            return parts[0]
        return vstack(parts, format="csr")[np.argsort(np.concatenate([images for images, _ in self.folds]))]

    def confusion(self) -> ConfusionMatrix:
        return self.candidates.confusion(self._limits())

    def per_image(self) -> pd.DataFrame:
        tables = [outcomes.per_image(thresholds) for outcomes, thresholds in self._parts()]
        if not self.folds:
            return tables[0].assign(threshold=np.nan) if self.most_confident else tables[0]
        table = pd.concat(tables, ignore_index=True)
        position = pd.Index(self.outcomes.images).get_indexer(pd.Index(table["image"].to_numpy(dtype=object)))
        return table.iloc[np.argsort(position, kind="stable")].reset_index(drop=True)

    def only(self, chosen: npt.NDArray[np.generic]) -> Thresholded:
        """Select images by a mask of shape (n,) or by their positions."""
        positions = np.arange(len(self.outcomes.images))[chosen]
        new = np.full(len(self.outcomes.images), -1)
        new[positions] = np.arange(positions.size)
        kept = ((new[images], thresholds) for images, thresholds in self.folds)
        folds = tuple((images[images >= 0], thresholds) for images, thresholds in kept if (images >= 0).any())
        return Thresholded(self.outcomes.only(positions), self.thresholds, folds, self.most_confident)

    def _limits(self) -> FloatArray:
        """Return the thresholds of the candidates, shape (k,), or by image, shape (n, k), if they differ by fold."""
        if self.folds:
            return self.of_images()
        return np.zeros(len(self.thresholds)) if self.most_confident else self.thresholds

    def _parts(self) -> list[tuple[Outcomes, FloatArray]]:
        if not self.folds:
            return [(self.candidates, self._limits())]
        return [(self.outcomes.only(images), thresholds) for images, thresholds in self.folds]


def by_most_confident(outcomes: Outcomes) -> Thresholded:
    """Decide by the most confident label of each image."""
    require_single_label("thresholds", outcomes.task)
    return Thresholded(outcomes, np.full(len(outcomes.labels), np.nan), most_confident=True)
