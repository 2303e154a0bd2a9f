"""Match predicted boxes or masks to true ones by IoU.

Boxes are matched greedily within each group (one label of an image, or an entire image). In descending order of
confidence, each prediction takes the unmatched true box with the highest IoU, if this IoU reaches the threshold. The
result is a stable matching in which every true box prefers the most confident prediction, so all predictions can
propose in parallel, and a true box that gets a more confident proposal drops the previous one. This takes a few rounds
over entire arrays and gives the same matches, because there is only one stable matching.

Order and ties follow COCO's evaluation (``pycocotools.cocoeval``): among true boxes with equal IoU the last one is
matched, and true boxes are matched before crowds. ``widgets/static/results/matching.js`` implements the same algorithm
in the browser, and tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.geometry import iou_of_pairs
from customlabels_nb.core.masks import mask_iou
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray

#: IoU from which a predicted box matches a true one, unless another is given.
IOU_THRESHOLD = 0.5
#: An IoU of at least this counts as 1, as in COCO, because sums of floats can be slightly below 1.
WHOLE = 1 - 1e-10

_PAIRS_AT_ONCE = 1_000_000
_MANY_BOXES = 64  # with more boxes in a group, it pays to compare neighbouring boxes only


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates for matching: pairs of a prediction and a true box of the same group whose IoU is above 0.

    They are sorted by prediction, then by descending IoU. ``on_crowd`` has for each prediction the largest share of its
    area inside a single crowd of its group. ``truths`` counts true boxes, including crowds.
    """

    prediction: IntArray
    truth: IntArray
    iou: FloatArray
    on_crowd: FloatArray
    truths: int

    def match(self, iou_threshold: float) -> tuple[IntArray, FloatArray, BoolArray]:
        """Match all predictions at one IoU threshold: the true box (or -1), the IoU (or NaN), and True where ignored.

        Ignored predictions match no true box but lie on a crowd. They count as neither right nor wrong.
        """
        least = min(iou_threshold, WHOLE)
        enough = np.flatnonzero(self.iou >= least)
        pairs = enough[_stable(self.prediction[enough], self.truth[enough], self.truths)]
        match = np.full(self.on_crowd.shape, -1, dtype=np.int64)
        iou = np.full(self.on_crowd.shape, np.nan)
        match[self.prediction[pairs]], iou[self.prediction[pairs]] = self.truth[pairs], self.iou[pairs]
        return match, iou, (match < 0) & (self.on_crowd >= least)

    def of(self, predictions: IntArray, moved: IntArray, truths: int) -> Self:
        """Return the candidates of selected predictions. Select all or none of the predictions in a group.

        ``moved`` is the offset to add to the true-box positions of each prediction.
        """
        start = np.searchsorted(self.prediction, predictions, side="left")
        pairs, owner = ranges(start, np.searchsorted(self.prediction, predictions, side="right") - start)
        return type(self)(owner, self.truth[pairs] + moved[owner], self.iou[pairs], self.on_crowd[predictions], truths)


def find_candidates(
    group: IntArray,
    box: FloatArray,
    truth_group: IntArray,
    truth_box: FloatArray,
    truth_crowd: BoolArray,
    masks: tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]] | None = None,
) -> Candidates:
    """Find the candidate matches between ``p`` predictions and ``t`` true boxes.

    Groups are ascending. Within a group, predictions are sorted by descending confidence. If ``masks`` (run-length
    encodings of predictions and truth) are given, the IoU is that of the masks, whose bounding boxes must be ``box``
    and ``truth_box``.
    """
    start = np.searchsorted(truth_group, group, side="left")
    count = np.searchsorted(truth_group, group, side="right") - start
    by_left = np.arange(len(truth_group))
    many = np.flatnonzero(count > _MANY_BOXES)
    if many.size:
        by_left = np.lexsort((truth_box[:, 0], truth_group))
        start[many], count[many] = _near(group[many], box[many], truth_group, truth_box[by_left])
    on_crowd = np.zeros(len(group))
    parts: list[tuple[IntArray, IntArray, FloatArray]] = []
    for some in _blocks(count):
        near, owner = ranges(start[some], count[some])
        truth = by_left[near]
        prediction = owner + (some.start or 0)
        crowd = truth_crowd[truth]
        iou = iou_of_pairs(box[prediction], truth_box[truth], crowd=crowd)
        if masks is not None:  # replace the IoU of boxes that overlap by that of their masks
            first, second, near = masks[0][prediction], masks[1][truth], np.flatnonzero(iou > 0)
            for pairs in np.split(near, np.flatnonzero(np.diff(prediction[near])) + 1) if near.size else ():
                iou[pairs] = mask_iou([first[pairs[0]]], second[pairs].tolist(), crowd=crowd[pairs].tolist())[0]
        np.maximum.at(on_crowd, prediction[crowd], iou[crowd])
        kept = np.flatnonzero((iou > 0) & ~crowd)
        parts.append((prediction[kept], truth[kept], iou[kept]))
    prediction, truth, iou = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((-truth, -iou, prediction))
    return Candidates(prediction[order], truth[order], iou[order], on_crowd, len(truth_group))


def ranges(start: IntArray, count: IntArray) -> tuple[IntArray, IntArray]:
    """Concatenate the ranges of ``count[i]`` integers from ``start[i]``, and return also the index i of each item."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return np.arange(len(owner)) + (start - before)[owner], owner


def _near(group: IntArray, box: FloatArray, truth_group: IntArray, truth_box: FloatArray) -> tuple[IntArray, IntArray]:
    """Find the range of true boxes that can overlap each prediction horizontally.

    The true boxes must be sorted by group and left edge. Return the start and length of each range, both of shape (p,).
    """
    first = np.searchsorted(truth_group, truth_group, side="left")
    widest = np.zeros(len(truth_group))
    np.maximum.at(widest, first, truth_box[:, 2])
    reach = widest[np.searchsorted(truth_group, group, side="left")]
    left, right = box[:, 0], box[:, 0] + box[:, 2]
    farthest = left - reach - 1e-6 * (np.abs(left) + reach)  # a margin for rounding errors
    start = _before(group, farthest, truth_group, truth_box[:, 0])
    return start, np.maximum(_before(group, right, truth_group, truth_box[:, 0]) - start, 0)


def _before(group: IntArray, value: FloatArray, in_group: IntArray, values: FloatArray) -> IntArray:
    """Count, for each query ``(group, value)``, the sorted ``(in_group, values)`` pairs that precede it."""
    order = np.lexsort((np.concatenate([value, values]), np.concatenate([group, in_group])))
    is_query = order < len(group)
    result = np.empty(len(group), dtype=np.int64)
    result[order[is_query]] = np.cumsum(~is_query)[is_query]
    return result


def _blocks(count: IntArray) -> list[slice]:
    """Split the predictions into blocks of about :data:`_PAIRS_AT_ONCE` pairs, to limit memory use."""
    ends = np.cumsum(count)
    if not ends.size or ends[-1] <= _PAIRS_AT_ONCE:
        return [slice(0, len(count))]
    cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, ends[-1], _PAIRS_AT_ONCE))
    edges = np.unique(np.concatenate([[0], cuts, [len(count)]])).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]


def _stable(prediction: IntArray, truth: IntArray, truths: int) -> IntArray:
    """Return the positions of the pairs in the stable matching: at most one per prediction and per true box."""
    none = len(prediction)
    held = np.full(truths, none, dtype=np.int64)  # current pair of each true box. Earlier pairs are preferred.
    asking = np.flatnonzero(np.diff(prediction, prepend=-1))
    while asking.size:
        wanted = truth[asking]
        before = held[wanted]
        np.minimum.at(held, wanted, asking)
        won = held[wanted] == asking
        rejected = np.concatenate([asking[~won], before[won & (before < none)]])
        following = rejected[rejected + 1 < none] + 1
        asking = following[prediction[following] == prediction[following - 1]]
    return held[held < none]
