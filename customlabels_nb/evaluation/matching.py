"""Which predicted box is which true one: the one matcher, for every figure of a detector.

Predictions come in order of confidence; each takes, of the true boxes of its group that no prediction before it took,
the one that it overlaps most, if that is enough. (Groups are an image and a label, or an image.) Seen from the other
side it is a marriage in which every true box prefers the more confident prediction: all predictions ask at once, and a
box that is asked again by a more confident one leaves the other to ask elsewhere. That takes a few rounds over whole
arrays and ends at the same matches, as there is only one stable one.

Order and ties are those of COCO's evaluation (``pycocotools.cocoeval``): of equally overlapping true boxes the last,
true boxes before crowds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from customlabels_nb.core.geometry import iou_of_pairs
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray

#: Overlaps of this and more count as whole, as with COCO: sums of floats may miss 1 by a little.
WHOLE = 1 - 1e-10

_PAIRS_AT_ONCE = 1_000_000
_MANY_BOXES = 64  # of a group: from here on it pays to look only at those near by


@dataclass(frozen=True, eq=False)
class Candidates:
    """What may be matched: the pairs of a prediction and a true box of one group that overlap at all.

    Attributes
    ----------
    prediction, truth : ndarray of int64, shape (q,)
        Positions. Sorted by prediction; the pairs of each in the order in which it asks: largest overlap first.
    iou : ndarray of float64, shape (q,)
        Intersection over union.
    on_crowd : ndarray of float64, shape (p,)
        For each prediction the largest share of it that lies on one crowd of its group.
    truths : int
        Number of true boxes, crowds among them.
    """

    prediction: IntArray
    truth: IntArray
    iou: FloatArray
    on_crowd: FloatArray
    truths: int

    def match(self, iou_threshold: float) -> tuple[IntArray, FloatArray, BoolArray]:
        """The matches of all predictions at one IoU threshold, each of shape (p,).

        Returns
        -------
        match : ndarray of int64
            Position of the true box, -1 for none.
        iou : ndarray of float64
            Of the two; NaN for none.
        ignored : ndarray of bool
            Predictions that match no true box but lie on a crowd: neither right nor wrong.
        """
        least = min(iou_threshold, WHOLE)
        enough = np.flatnonzero(self.iou >= least)
        pairs = enough[_stable(self.prediction[enough], self.truth[enough], self.truths)]
        match = np.full(self.on_crowd.shape, -1, dtype=np.int64)
        iou = np.full(self.on_crowd.shape, np.nan)
        match[self.prediction[pairs]], iou[self.prediction[pairs]] = self.truth[pairs], self.iou[pairs]
        return match, iou, (match < 0) & (self.on_crowd >= least)

    def of(self, predictions: IntArray, moved: IntArray, truths: int) -> Self:
        """Those of some of the predictions, whose groups stay whole.

        Parameters
        ----------
        predictions : ndarray of int64, shape (m,)
            Positions; the m-th is the m-th prediction of the result.
        moved : ndarray of int64, shape (m,)
            By how much the true boxes of each have moved.
        truths : int
            Number of true boxes of the result.
        """
        start = np.searchsorted(self.prediction, predictions, side="left")
        pairs, owner = ranges(start, np.searchsorted(self.prediction, predictions, side="right") - start)
        return type(self)(owner, self.truth[pairs] + moved[owner], self.iou[pairs], self.on_crowd[predictions], truths)


def find_candidates(
    group: IntArray, box: FloatArray, truth_group: IntArray, truth_box: FloatArray, truth_crowd: BoolArray
) -> Candidates:
    """The candidates of ``p`` predictions for ``t`` true boxes.

    Parameters
    ----------
    group, truth_group : ndarray of int64, shape (p,) and (t,)
        What each belongs to, rising; in a group predictions stand with the most confident first.
    box, truth_box : ndarray of float64, shape (p, 4) and (t, 4)
        Left, top, width, height.
    truth_crowd : ndarray of bool, shape (t,)
    """
    start = np.searchsorted(truth_group, group, side="left")
    count = np.searchsorted(truth_group, group, side="right") - start
    place = np.arange(len(truth_group))
    many = np.flatnonzero(count > _MANY_BOXES)
    if many.size:
        place = np.lexsort((truth_box[:, 0], truth_group))
        start[many], count[many] = _near(group[many], box[many], truth_group, truth_box[place])
    on_crowd = np.zeros(len(group))
    parts: list[tuple[IntArray, IntArray, FloatArray]] = []
    for some in _blocks(count):
        near, owner = ranges(start[some], count[some])
        truth = place[near]
        prediction = owner + (some.start or 0)
        crowd = truth_crowd[truth]
        iou = iou_of_pairs(box[prediction], truth_box[truth], crowd=crowd)
        np.maximum.at(on_crowd, prediction[crowd], iou[crowd])
        kept = np.flatnonzero((iou > 0) & ~crowd)
        parts.append((prediction[kept], truth[kept], iou[kept]))
    prediction, truth, iou = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((-truth, -iou, prediction))
    return Candidates(prediction[order], truth[order], iou[order], on_crowd, len(truth_group))


def ranges(start: IntArray, count: IntArray) -> tuple[IntArray, IntArray]:
    """The numbers ``start[i], start[i] + 1, …``, ``count[i]`` of them, for each i in turn; and for each its i."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return np.arange(len(owner)) + (start - before)[owner], owner


def check_iou_threshold(iou_threshold: object) -> float:
    """``iou_threshold`` as a number above 0 and up to 1; InputError otherwise."""
    if isinstance(iou_threshold, bool) or not isinstance(iou_threshold, int | float | np.integer | np.floating):
        raise InputError(
            f"iou_threshold={iou_threshold!r} is no number; give one above 0 and up to 1, for instance 0.5."
        )
    if not 0 < iou_threshold <= 1:
        raise InputError(
            f"iou_threshold={iou_threshold!r} lies outside 0..1; give a number above 0 and up to 1, such as 0.5."
        )
    return float(iou_threshold)


def _near(group: IntArray, box: FloatArray, truth_group: IntArray, truth_box: FloatArray) -> tuple[IntArray, IntArray]:
    """Start and number of the true boxes that may overlap each prediction from left to right, each of shape (p,).

    The true boxes are sorted by group and left edge.
    """
    first = np.searchsorted(truth_group, truth_group, side="left")
    widest = np.zeros(len(truth_group))
    np.maximum.at(widest, first, truth_box[:, 2])
    reach = widest[np.searchsorted(truth_group, group, side="left")]
    left, right = box[:, 0], box[:, 0] + box[:, 2]
    farthest = left - reach - 1e-6 * (np.abs(left) + reach)  # a little farther, as sums are rounded
    start = _before(group, farthest, truth_group, truth_box[:, 0])
    return start, np.maximum(_before(group, right, truth_group, truth_box[:, 0]) - start, 0)


def _before(group: IntArray, value: FloatArray, in_group: IntArray, values: FloatArray) -> IntArray:
    """How many of the sorted ``in_group, values`` come before each ``group, value``, shape (p,)."""
    order = np.lexsort((np.concatenate([value, values]), np.concatenate([group, in_group])))
    asked = order < len(group)
    result = np.empty(len(group), dtype=np.int64)
    result[order[asked]] = np.cumsum(~asked)[asked]
    return result


def _blocks(count: IntArray) -> list[slice]:
    """Parts of the predictions with about :data:`_PAIRS_AT_ONCE` pairs each, which bounds the memory of one."""
    ends = np.cumsum(count)
    if not ends.size or ends[-1] <= _PAIRS_AT_ONCE:
        return [slice(0, len(count))]
    cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, ends[-1], _PAIRS_AT_ONCE))
    edges = np.unique(np.concatenate([[0], cuts, [len(count)]])).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]


def _stable(prediction: IntArray, truth: IntArray, truths: int) -> IntArray:
    """Positions of the pairs that are matched: of each prediction and of each true box one at most."""
    none = len(prediction)
    held = np.full(truths, none, dtype=np.int64)  # the pair each true box holds on to; an earlier one is preferred
    asking = np.flatnonzero(np.diff(prediction, prepend=-1))
    while asking.size:
        asked = truth[asking]
        before = held[asked]
        np.minimum.at(held, asked, asking)
        won = held[asked] == asking
        left = np.concatenate([asking[~won], before[won & (before < none)]])
        following = left[left + 1 < none] + 1
        asking = following[prediction[following] == prediction[following - 1]]
    return held[held < none]
