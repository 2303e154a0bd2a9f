"""Apply thresholds to predictions: the same for all images, or different ones for each cross-validation fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array, vstack

from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class Thresholded:
    """Ground truth and predictions with thresholds, for all or by fold. ``thresholds`` is the mean over folds."""

    outcomes: Outcomes
    thresholds: FloatArray
    folds: tuple[tuple[IntArray, FloatArray], ...] = ()

    def counts(self) -> tuple[IntArray, IntArray, IntArray]:
        """Count the true positives, false positives and false negatives of each label, each of shape (k,)."""
        tp, fp, fn = (
            sum(parts)
            for parts in zip(*(outcomes.counts(thresholds) for outcomes, thresholds in self._parts()), strict=True)
        )
        return np.asarray(tp), np.asarray(fp), np.asarray(fn)

    def accepted(self) -> BoolArray:
        return self.outcomes.accepted(self.of_images() if self.folds else self.thresholds)

    def of_images(self) -> FloatArray:
        """Return the threshold of each label for each image as a read-only array of shape (n, k)."""
        shape = (len(self.outcomes.images), len(self.thresholds))
        if not self.folds:
            return np.broadcast_to(self.thresholds, shape)
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
        return reduce(_added, (outcomes.confusion(thresholds) for outcomes, thresholds in self._parts()))

    def per_image(self) -> pd.DataFrame:
        tables = [outcomes.per_image(thresholds) for outcomes, thresholds in self._parts()]
        if not self.folds:
            return tables[0]
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
        return Thresholded(self.outcomes.only(positions), self.thresholds, folds)

    def _parts(self) -> list[tuple[Outcomes, FloatArray]]:
        if not self.folds:
            return [(self.outcomes, self.thresholds)]
        return [(self.outcomes.only(images), thresholds) for images, thresholds in self.folds]


def _added(first: ConfusionMatrix, other: ConfusionMatrix) -> ConfusionMatrix:
    return replace(
        first,
        counts=first.counts + other.counts,
        truth_counts=first.truth_counts + other.truth_counts,
        predicted_counts=first.predicted_counts + other.predicted_counts,
        images=first.images + other.images,
    )
