"""What is true of a test set and what was predicted for it: the one form that every figure is computed from.

Classifiers (:class:`customlabels_nb.evaluation.scores.Scores`) and detectors
(:class:`customlabels_nb.evaluation.boxes.Boxes`) differ in what a prediction is right about, a label of the image or a
box; here is what they have in common: ``n`` test images, ``k`` labels, and for each label its *targets* (the things to
be found) and its *predictions*, each with a confidence and whether it would be right if it counted.
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

SINGLE_LABEL, MULTI_LABEL, DETECTION = "single-label", "multi-label", "detection"
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "true positive", "false positive", "false negative"
TASKS = (SINGLE_LABEL, MULTI_LABEL, DETECTION)


@dataclass(frozen=True, eq=False)
class Steps:
    """What is accepted of one label at each of its distinct confidences, as a threshold comes down.

    Attributes
    ----------
    confidence : ndarray of float64, shape (s,)
        The distinct confidences, highest first.
    hits, accepted : ndarray of int64, shape (s,)
        How many right predictions, and how many at all, have that confidence or a higher one.
    targets : int
        How many there are to be found.
    """

    confidence: FloatArray
    hits: IntArray
    accepted: IntArray
    targets: int

    @classmethod
    def of(cls, hit: BoolArray, confidence: FloatArray, targets: int) -> Steps:
        """The steps of predictions in any order; ``hit`` and ``confidence`` have one shape."""
        ordered = np.sort(confidence)[::-1]
        changes = np.append(ordered[1:] != ordered[:-1], [True] * (ordered.size > 0))
        last = np.flatnonzero(changes)  # of each run of equal confidences
        distinct = ordered[last]
        step = distinct.size - 1 - np.searchsorted(distinct[::-1], np.sort(confidence[hit]))
        hits = np.cumsum(np.bincount(step, minlength=distinct.size), dtype=np.int64)
        return cls(distinct, hits, last.astype(np.int64) + 1, targets)

    def reached(self, thresholds: FloatArray) -> tuple[IntArray, IntArray]:
        """Right and all predictions with at least the confidence of each threshold, in the thresholds' shape."""
        count = np.searchsorted(-self.confidence, -thresholds, side="right")
        return np.append(0, self.hits)[count], np.append(0, self.accepted)[count]


@dataclass(frozen=True, eq=False)
class Outcomes(ABC):
    """Truth and predictions of one test set.

    Attributes
    ----------
    task : str
        One of :data:`TASKS`.
    images : ndarray of object, shape (n,)
        Names of the test images.
    labels, colours : tuple of str, length k
        In the order of the labels.
    left_out : int
        Images of truth or predictions that aren't test images.
    """

    task: str
    images: npt.NDArray[np.object_]
    labels: tuple[str, ...]
    colours: tuple[str, ...]
    left_out: int = field(default=0, kw_only=True)

    def position(self, label: str) -> int:
        """Return the position of a label.

        Raises
        ------
        LabelError
            If there is no such label.
        """
        if label not in self.labels:
            raise LabelError(f"label={label!r} is not evaluated here; the labels are {list(self.labels)!r}.")
        return self.labels.index(label)

    @property
    @abstractmethod
    def targets(self) -> IntArray:
        """Number of things to be found of each label, shape (k,): test images with it, or boxes (crowds aside)."""

    @property
    @abstractmethod
    def test_images(self) -> IntArray:
        """Number of test images that have each label, shape (k,)."""

    @property
    @abstractmethod
    def known(self) -> BoolArray:
        """Labels that the predictions have at all, shape (k,)."""

    @property
    @abstractmethod
    def answered(self) -> BoolArray:
        """Images that the predictions have at all, shape (n,)."""

    @property
    @abstractmethod
    def bare(self) -> BoolArray:
        """Images without any label in truth, shape (n,)."""

    @property
    def in_test_set(self) -> BoolArray:
        """Labels that at least one test image has, shape (k,)."""
        return np.asarray(self.targets > 0)

    @abstractmethod
    def predictions(self, position: int) -> tuple[IntArray, FloatArray, BoolArray]:
        """The predictions of one label, in any order and each of shape (m,).

        Image (its position), confidence, and whether it is right if it counts. Predictions that neither help nor
        harm (boxes on a crowd) aren't among them.
        """

    @abstractmethod
    def steps(self, position: int) -> Steps:
        """The steps of one label; computed once."""

    @abstractmethod
    def average_precision(self, position: int) -> float:
        """Average precision of one label by its task's definition; 0 if the test set doesn't have it."""

    def counts(self, thresholds: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
        """True positives, false positives and false negatives of each label, each of shape (k,)."""
        reached = [self.steps(k).reached(np.asarray(thresholds[k])) for k in range(len(self.labels))]
        hits = np.array([hit for hit, _ in reached], dtype=np.int64)
        accepted = np.array([count for _, count in reached], dtype=np.int64)
        return hits, accepted - hits, self.targets - hits

    @abstractmethod
    def accepted(self, thresholds: FloatArray) -> BoolArray:
        """What is predicted: of pairs shape (n, k), of boxes shape (p,).

        Thresholds of shape (n, k) are those of each image.
        """

    @abstractmethod
    def image_counts(self, thresholds: FloatArray) -> csr_array:
        """The same for each image, shape (n, 3 k): columns of true positives, false positives, false negatives."""

    @abstractmethod
    def confusion(self, thresholds: FloatArray) -> ConfusionMatrix:
        """What is taken for what."""

    @abstractmethod
    def per_image(self, thresholds: FloatArray) -> pd.DataFrame:
        """One row for each true positive, false positive and false negative, image by image, most confident first.

        At least ``image``, ``label``, ``confidence``, ``result``, ``threshold``.
        """

    @abstractmethod
    def only(self, chosen: npt.NDArray[np.generic]) -> Self:
        """The same of some of the images: a mask of shape (n,), or their positions. The labels stay."""
