"""Ground truth and predictions on a test set, in the form that all metrics are computed from.

Classifiers (:class:`customlabels_nb.evaluation.scores.Scores`) predict image labels, detectors
(:class:`customlabels_nb.evaluation.boxes.Boxes`) predict boxes. Their base class :class:`Outcomes` has ``n`` test
images and ``k`` labels. Each label has *targets* (the true labels or boxes to find) and *predictions*, each with a
confidence and a flag that is true if the prediction is correct when accepted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from customlabels_nb.errors import LabelError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

    from customlabels_nb.evaluation.confusion import ConfusionMatrix

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "true positive", "false positive", "false negative"


@dataclass(frozen=True, eq=False)
class Steps:
    """Counts of correct and all predictions of a label at its distinct confidences or above, highest first."""

    confidence: FloatArray
    hits: IntArray
    accepted: IntArray
    targets: int

    @classmethod
    def of(cls, hit: BoolArray, confidence: FloatArray, targets: int) -> Steps:
        """Compute the steps from predictions in any order. ``hit`` and ``confidence`` have the same shape."""
        ordered = np.sort(confidence)[::-1]
        changes = np.append(ordered[1:] != ordered[:-1], [True] * (ordered.size > 0))
        last = np.flatnonzero(changes)  # of each run of equal confidences
        distinct = ordered[last]
        step = distinct.size - 1 - np.searchsorted(distinct[::-1], np.sort(confidence[hit]))
        hits = np.cumsum(np.bincount(step, minlength=distinct.size), dtype=np.int64)
        return cls(distinct, hits, last.astype(np.int64) + 1, targets)

    def reached(self, thresholds: FloatArray) -> tuple[IntArray, IntArray]:
        """Count the correct and all predictions that reach each threshold, in the shape of ``thresholds``."""
        count = np.searchsorted(-self.confidence, -thresholds, side="right")
        return np.append(0, self.hits)[count], np.append(0, self.accepted)[count]


@dataclass(frozen=True, eq=False)
class Outcomes(ABC):
    """Ground truth and predictions on one test set. ``left_out`` are sentences about images outside it."""

    task: str
    images: npt.NDArray[np.object_]
    labels: tuple[str, ...]
    colors: tuple[str, ...]
    left_out: tuple[str, ...] = field(default=(), kw_only=True)

    def position(self, label: str) -> int:
        if label not in self.labels:
            raise LabelError(f"label={label!r} is not in this evaluation. The labels are {list(self.labels)!r}.")
        return self.labels.index(label)

    @property
    @abstractmethod
    def targets(self) -> IntArray:
        """Number of targets of each label, shape (k,): test images with the label, or true boxes without crowds."""

    @property
    @abstractmethod
    def test_images(self) -> IntArray:
        """Number of test images that have each label, shape (k,)."""

    @property
    @abstractmethod
    def known(self) -> BoolArray:
        """Mask of the labels with at least one prediction, shape (k,)."""

    @property
    @abstractmethod
    def answered(self) -> BoolArray:
        """Mask of the images with at least one prediction, shape (n,)."""

    @property
    @abstractmethod
    def all_certain(self) -> bool:
        """True if all predictions have a confidence of 1."""

    @property
    @abstractmethod
    def bare(self) -> BoolArray:
        """Mask of the images without any ground-truth label, shape (n,)."""

    @property
    def in_test_set(self) -> BoolArray:
        """Mask of the labels that at least one test image has, shape (k,)."""
        return np.asarray(self.targets > 0)

    @abstractmethod
    def predictions(self, position: int) -> tuple[IntArray, FloatArray, BoolArray]:
        """Return the predictions of one label, in any order.

        The arrays hold, for each prediction, the position of its image, its confidence, and whether it is correct if
        accepted, each of shape (m,). Ignored predictions (boxes on a crowd) are excluded.
        """

    @abstractmethod
    def steps(self, position: int) -> Steps:
        """Return the cumulative counts for one label (cached)."""

    @abstractmethod
    def average_precision(self, position: int) -> float:
        """Compute the average precision of one label by the task's definition, 0 if the label has no test images."""

    def counts(self, thresholds: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
        """Count the true positives, false positives and false negatives of each label, each of shape (k,)."""
        reached = [self.steps(k).reached(np.asarray(thresholds[k])) for k in range(len(self.labels))]
        hits = np.array([hit for hit, _ in reached], dtype=np.int64)
        accepted = np.array([count for _, count in reached], dtype=np.int64)
        return hits, accepted - hits, self.targets - hits

    @abstractmethod
    def accepted(self, thresholds: FloatArray) -> BoolArray:
        """Return a mask of accepted predictions, (n, k) or (p,) for boxes. Thresholds (n, k) apply per image."""

    @abstractmethod
    def image_counts(self, thresholds: FloatArray) -> csr_array:
        """Count the true positives, false positives and false negatives in each image by label, shape (n, 3 k)."""

    @abstractmethod
    def confusion(self, thresholds: FloatArray) -> ConfusionMatrix:
        """Compute the confusion matrix."""

    @abstractmethod
    def per_image(self, thresholds: FloatArray) -> pd.DataFrame:
        """Build a table of all true positives, false positives and false negatives, by image and confidence."""

    @abstractmethod
    def only(self, chosen: npt.NDArray[np.generic]) -> Self:
        """Select images by a mask of shape (n,) or by their positions. The labels stay the same."""
