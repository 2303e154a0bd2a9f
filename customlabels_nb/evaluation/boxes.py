"""Truth and predictions of a detector's test set as two lists of boxes, matched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.coco_metrics import MOST_PREDICTIONS, interpolated_precision
from customlabels_nb.evaluation.confusion import BACKGROUND, ConfusionMatrix
from customlabels_nb.evaluation.input_tables import boxed_rows, choose_test_images, labels_and_colours
from customlabels_nb.evaluation.matching import Candidates, check_iou_threshold, find_candidates, ranges
from customlabels_nb.evaluation.outcomes import (
    DETECTION,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
    Outcomes,
    Steps,
)


@dataclass(frozen=True, eq=False)
class Boxes(Outcomes):
    """One test set of a detector: ``t`` true boxes and ``p`` predicted ones.

    Both are sorted by image and label; predictions then with the most confident first, equals in the order given.

    Attributes
    ----------
    truth_image, truth_label : ndarray of int64, shape (t,)
        Positions.
    truth_box : ndarray of float64, shape (t, 4)
        Left, top, width, height in pixels of the oriented image.
    truth_crowd : ndarray of bool, shape (t,)
        A box around many: not to be found, and predictions on it are neither right nor wrong.
    image, label : ndarray of int64, shape (p,)
        Positions.
    confidence : ndarray of float64, shape (p,)
        0..1.
    box : ndarray of float64, shape (p, 4)
        Like ``truth_box``.
    candidates : Candidates
        Which predictions and true boxes of the same image and label overlap, and by how much.
    iou_threshold : float
        The intersection over union from which on a prediction may match.
    match : ndarray of int64, shape (p,)
        Position of the true box that each prediction matches if it counts, -1 for none.
    match_iou : ndarray of float64, shape (p,)
        Intersection over union of the two, NaN for none.
    ignored : ndarray of bool, shape (p,)
        Predictions on a crowd.
    left_out_rows : dict of str to int
        For ``truth`` and ``predictions`` the rows that were left out as they have no box.
    """

    truth_image: IntArray
    truth_label: IntArray
    truth_box: FloatArray
    truth_crowd: BoolArray
    image: IntArray
    label: IntArray
    confidence: FloatArray
    box: FloatArray
    candidates: Candidates
    iou_threshold: float
    match: IntArray
    match_iou: FloatArray
    ignored: BoolArray
    left_out_rows: dict[str, int] = field(default_factory=dict, kw_only=True)

    # -- what there is ------------------------------------------------------------------------------
    @cached_property
    def targets(self) -> IntArray:
        """Number of true boxes of each label, crowds aside, shape (k,)."""
        return self._by_label(self.truth_label[~self.truth_crowd])

    @cached_property
    def test_images(self) -> IntArray:
        """Number of test images with a true box of each label, crowds aside, shape (k,)."""
        image, label = self.truth_image[~self.truth_crowd], self.truth_label[~self.truth_crowd]
        first = (np.diff(image, prepend=-1) != 0) | (np.diff(label, prepend=-1) != 0)
        return self._by_label(label[first])

    @property
    def known(self) -> BoolArray:
        return np.asarray(self._by_label(self.label) > 0)

    @property
    def answered(self) -> BoolArray:
        return np.asarray(np.bincount(self.image, minlength=len(self.images)) > 0)

    @property
    def bare(self) -> BoolArray:
        return np.asarray(np.bincount(self.truth_image, minlength=len(self.images)) == 0)

    def _by_label(self, label: IntArray) -> IntArray:
        return np.bincount(label, minlength=len(self.labels)).astype(np.int64)

    # -- predictions of one label -------------------------------------------------------------------
    @cached_property
    def _ordered(self) -> tuple[IntArray, IntArray]:
        """The predictions label by label, the most confident first, and where each label's end.

        Equally confident ones stand in the order of the images and, within one, in the order given: COCO's.
        """
        order = np.lexsort((-self.confidence, self.label)).astype(np.int64)
        return order, np.append(0, np.cumsum(self._by_label(self.label)))

    def of_label(self, position: int) -> IntArray:
        """Positions of the predictions of one label, the most confident first, shape (m,)."""
        order, ends = self._ordered
        return order[ends[position] : ends[position + 1]]

    def predictions(self, position: int) -> tuple[IntArray, FloatArray, BoolArray]:
        """Image, confidence and whether it matches, of the predictions of one label that lie on no crowd."""
        chosen = self.of_label(position)
        chosen = chosen[~self.ignored[chosen]]
        return self.image[chosen], self.confidence[chosen], self.match[chosen] >= 0

    def steps(self, position: int) -> Steps:
        return self._steps[position]

    @cached_property
    def _steps(self) -> list[Steps]:
        found = []
        for position in range(len(self.labels)):
            _, confidence, hit = self.predictions(position)
            found.append(Steps.of(hit, confidence, int(self.targets[position])))
        return found

    @cached_property
    def counted(self) -> BoolArray:
        """The :data:`MOST_PREDICTIONS` most confident predictions of each label in each image, shape (p,)."""
        new = (np.diff(self.image, prepend=-1) != 0) | (np.diff(self.label, prepend=-1) != 0)
        first = np.flatnonzero(new)
        rank = np.arange(len(new)) - first[np.cumsum(new) - 1]
        return np.asarray(rank < MOST_PREDICTIONS)

    def average_precision(self, position: int) -> float:
        """COCO's at :attr:`iou_threshold`: the mean of the precision at 101 recalls; 0 if no image has the label.

        Precision at a recall is the highest one at this or a higher recall, 0 beyond the highest recall.
        """
        chosen = self.of_label(position)
        chosen = chosen[self.counted[chosen] & ~self.ignored[chosen]]
        return interpolated_precision(self.match[chosen] >= 0, int(self.targets[position]))

    def highest_recall(self, position: int) -> float:
        """Share of the true boxes of a label that are found when every prediction counts; 0 without any."""
        chosen = self.of_label(position)
        return float((self.counted[chosen] & (self.match[chosen] >= 0)).sum() / max(self.targets[position], 1))

    # -- at thresholds, shape (k,) ------------------------------------------------------------------
    def accepted(self, thresholds: FloatArray) -> BoolArray:
        """Predictions that count: confidence at least the label's threshold, not on a crowd; shape (p,).

        Thresholds of shape (n, k) are those of each image.
        """
        own = thresholds[self.label] if thresholds.ndim == 1 else thresholds[self.image, self.label]
        return (self.confidence >= own) & ~self.ignored

    def missed(self, accepted: BoolArray) -> BoolArray:
        """True boxes, crowds aside, that no accepted prediction matches, shape (t,)."""
        missed = ~self.truth_crowd
        missed[self.match[accepted & (self.match >= 0)]] = False
        return missed

    def taken_for(self, accepted: BoolArray) -> tuple[IntArray, FloatArray]:
        """For each accepted prediction that matches nothing, the missed true box of another label that it lies on.

        They are matched like those of one label, over all labels of an image.

        Returns
        -------
        match : ndarray of int64, shape (p,)
            Position of the true box; -1 for none.
        iou : ndarray of float64, shape (p,)
            Intersection over union of the two; NaN for none.
        """
        wrong, missed = np.flatnonzero(accepted & (self.match < 0)), np.flatnonzero(self.missed(accepted))
        wrong = wrong[np.lexsort((-self.confidence[wrong], self.image[wrong]))]
        candidates = find_candidates(
            self.image[wrong],
            self.box[wrong],
            self.truth_image[missed],
            self.truth_box[missed],
            np.zeros(len(missed), dtype=bool),
        )
        found, found_iou, _ = candidates.match(self.iou_threshold)
        match, iou = np.full(self.match.shape, -1, dtype=np.int64), np.full(self.match.shape, np.nan)
        match[wrong], iou[wrong] = np.append(missed, -1)[found], found_iou
        return match, iou

    def image_counts(self, thresholds: FloatArray) -> csr_array:
        k, accepted = len(self.labels), self.accepted(thresholds)
        missed = self.missed(accepted)
        part = np.where(self.match[accepted] >= 0, 0, k)
        row = np.concatenate([self.image[accepted], self.truth_image[missed]])
        column = np.concatenate([self.label[accepted] + part, self.truth_label[missed] + 2 * k])
        return csr_array((np.ones(len(row), dtype=np.int64), (row, column)), shape=(len(self.images), 3 * k))

    def confusion(self, thresholds: FloatArray) -> ConfusionMatrix:
        """Boxes matched in their own label, then the rest over all labels, and the rest of that as background."""
        k, accepted = len(self.labels), self.accepted(thresholds)
        other, _ = self.taken_for(accepted)
        match = np.where(self.match >= 0, self.match, other)[accepted]
        missed = self.missed(accepted)
        missed[other[other >= 0]] = False
        row = np.concatenate([self.label[accepted], np.full(missed.sum(), k)])
        column = np.concatenate([np.append(self.truth_label, k)[match], self.truth_label[missed]])
        counts = np.bincount(row * (k + 1) + column, minlength=(k + 1) ** 2).reshape(k + 1, k + 1).astype(np.int64)
        name = BACKGROUND
        while name in self.labels:
            name = f"({name})"
        return ConfusionMatrix(
            counts=counts,
            labels=(*self.labels, name),
            truth_counts=counts.sum(axis=0),
            predicted_counts=counts.sum(axis=1),
            background=True,
        )

    def per_image(self, thresholds: FloatArray) -> pd.DataFrame:
        """One row for each predicted box that counts and each true box that is missed; most confident first.

        Columns ``image``, ``label``, ``confidence``, ``result`` ("true positive", "false positive" or "false
        negative"), ``threshold``; the box ``left, top, width, height``: the predicted one, of a false negative the
        true one; ``truth_left, truth_top, truth_width, truth_height``: the true box that is matched or missed
        (null for a false positive); ``iou`` of the two boxes; ``taken_for``: for a false positive the label of the
        missed true box of another label that it lies on, then ``iou`` is that of these two.

        A false negative has the confidence of the prediction below the threshold that would match it, 0 without one.
        """
        accepted = self.accepted(thresholds)
        other, other_iou = self.taken_for(accepted)
        shown, missed = np.flatnonzero(accepted), np.flatnonzero(self.missed(accepted))
        found = self.match[shown]
        would = np.zeros(len(self.truth_label))
        would[self.match[self.match >= 0]] = self.confidence[self.match >= 0]

        image = np.concatenate([self.image[shown], self.truth_image[missed]])
        confidence = np.concatenate([self.confidence[shown], would[missed]])
        order = np.lexsort((-confidence, image))
        label = np.concatenate([self.label[shown], self.truth_label[missed]])[order]
        result = np.concatenate([np.where(found >= 0, 0, 1), np.full(len(missed), 2)])[order]
        nothing = np.full((1, 4), np.nan)
        columns = {
            "image": _text(self.images, image[order]),
            "label": _text(self.labels, label),
            "confidence": confidence[order],
            "result": _text((TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE), result),
            "threshold": thresholds[label],
        }
        box = np.concatenate([self.box[shown], self.truth_box[missed]])[order]
        true = np.concatenate([self.truth_box, nothing])[np.concatenate([found, missed])[order]]
        columns |= dict(zip(("left", "top", "width", "height"), box.T, strict=True))
        columns |= dict(zip(("truth_left", "truth_top", "truth_width", "truth_height"), true.T, strict=True))
        iou = np.where(found >= 0, self.match_iou[shown], other_iou[shown])
        columns["iou"] = np.concatenate([iou, np.full(len(missed), np.nan)])[order]
        taken = np.append(self.truth_label, -1)[other[shown]]
        columns["taken_for"] = _text(self.labels, np.concatenate([taken, np.full(len(missed), -1)])[order])
        return pd.DataFrame(columns)

    # -- parts of it, and the same otherwise --------------------------------------------------------
    def only(self, chosen: npt.NDArray[np.generic]) -> Self:
        positions = np.arange(len(self.images))[chosen]
        start = np.searchsorted(self.truth_image, positions, side="left")
        count = np.searchsorted(self.truth_image, positions, side="right") - start
        true, truth_image = ranges(start, count)
        moved = np.cumsum(count) - count - start
        start = np.searchsorted(self.image, positions, side="left")
        kept, image = ranges(start, np.searchsorted(self.image, positions, side="right") - start)
        return replace(
            self,
            images=self.images[positions],
            truth_image=truth_image,
            truth_label=self.truth_label[true],
            truth_box=self.truth_box[true],
            truth_crowd=self.truth_crowd[true],
            image=image,
            label=self.label[kept],
            confidence=self.confidence[kept],
            box=self.box[kept],
            candidates=self.candidates.of(kept, moved[image], len(true)),
            match=np.where(self.match[kept] >= 0, self.match[kept] + moved[image], -1),
            match_iou=self.match_iou[kept],
            ignored=self.ignored[kept],
        )

    def at_iou_threshold(self, iou_threshold: float) -> Self:
        """The same with the boxes matched at another IoU threshold (above 0 and up to 1)."""
        iou_threshold = check_iou_threshold(iou_threshold)
        match, iou, ignored = self.candidates.match(iou_threshold)
        other = replace(self, iou_threshold=iou_threshold, match=match, match_iou=iou, ignored=ignored)
        other.__dict__.update({name: getattr(self, name) for name in ("targets", "test_images", "counted", "_ordered")})
        return other  # these don't depend on it


def make_boxes(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    iou_threshold: float = 0.5,
) -> Boxes:
    """Boxes from a truth table and a prediction table, matched.

    Parameters
    ----------
    truth : DataFrame
        Columns ``image``, ``label``, ``left``, ``top``, ``width``, ``height`` (or ``xmin``, ``ymin``, ``xmax``,
        ``ymax``) in pixels, perhaps ``crowd``; a polygon without a box counts as its bounding box. Rows without a box
        name a test image and nothing more.
    predictions : DataFrame
        The same and ``confidence`` (0..1).
    images : list, Series or DataFrame with a column ``image``, optional
        The test images; by default those of both tables. Rows of other images are left out.
    labels : list or labels table, optional
        Gives order and colours; labels that no box has are left out.
    iou_threshold : float
        The intersection over union from which on boxes may match.

    Raises
    ------
    InputError
        If ``iou_threshold`` or ``images`` can't be used.
    TableError
        If a column is missing, a box is incomplete, negative or not finite, or has no label, or a confidence is no
        number in 0..1.
    NotEnoughDataError
        If there are no test images, no box at all, or a table names none of the test images.
    """
    iou_threshold = check_iou_threshold(iou_threshold)
    true, predicted = boxed_rows(truth, "truth"), boxed_rows(predictions, "predictions")
    if not len(true.rows) and not len(predicted.rows):
        raise NotEnoughDataError("There is nothing to evaluate: neither truth nor predictions have a box with a label.")
    test_images, left_out = choose_test_images(true.all_rows, predicted.all_rows, images)
    names, colours = labels_and_colours(true.rows, predicted.rows, labels)
    place = pd.Index(test_images), pd.Index(names)
    truth_image, truth_label, truth_rows = true.sorted_positions(*place)
    image, label, rows = predicted.sorted_positions(*place)
    candidates = find_candidates(
        image * len(names) + label,
        predicted.box[rows],
        truth_image * len(names) + truth_label,
        true.box[truth_rows],
        true.crowd[truth_rows],
    )
    match, iou, ignored = candidates.match(iou_threshold)
    return Boxes(
        DETECTION,
        test_images,
        tuple(names),
        tuple(colours),
        truth_image,
        truth_label,
        true.box[truth_rows],
        true.crowd[truth_rows],
        image,
        label,
        predicted.confidence[rows],
        predicted.box[rows],
        candidates,
        iou_threshold,
        match,
        iou,
        ignored,
        left_out=left_out,
        left_out_rows={"truth": true.without_box, "predictions": predicted.without_box},
    )


def _text(names: npt.ArrayLike, positions: IntArray) -> pd.api.extensions.ExtensionArray:
    """The names at positions as a column of text; null at -1."""
    return pd.array(np.asarray(names, dtype=object), dtype="str").take(positions, allow_fill=True)
