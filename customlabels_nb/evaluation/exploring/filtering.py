"""Filter and sort the test images on the results screen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from customlabels_nb._utils.text import last_part
from customlabels_nb.core.tables import SINGLE_LABEL
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.boxes import NEAR, Boxes
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholded import Thresholded

ALL, MISTAKES, TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES = "all", "mistakes", "tp", "fp", "fn"

#: Values of ``show``: all images, images with any mistake, a true positive, a false positive or a false negative.
SHOWN = (ALL, MISTAKES, TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES)
#: Further values of ``show``, not always available: doubtful ground truth, and images fixed or broken in a comparison.
GROUPS = ("suspects", "fixed", "broken")
SORTS = ("confident", "unsure", "name", "given")

#: Kinds of wrong boxes: predictions that match no true box, missed true boxes, predictions on a missed box of another
#: label with this box, and predictions near a true box of their label (IoU of :data:`.boxes.NEAR` to the threshold).
BoxMistake: TypeAlias = Literal["false positives", "false negatives", "wrong label", "badly placed"]

TP, FP, FN = 1, 2, 4
_BITS = {MISTAKES: FP | FN, TRUE_POSITIVES: TP, FALSE_POSITIVES: FP, FALSE_NEGATIVES: FN}
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Filter:
    """Filter for the test images on the results screen. Images must match all fields.

    ``Results.set_filter`` takes these fields as keywords.

    Attributes
    ----------
    show : str
        "mistakes" (images with any mistake), "fp", "fn" or "tp" (images with a false positive, false negative or true
        positive), "all", "suspects" (images whose ground truth may be wrong), or, in a comparison, "fixed" or "broken".
    label : str, optional
        Label whose results to consider. By default, all labels.
    pair : tuple of two str, optional
        Cell of the confusion matrix, row and column: true label and predicted label, where a detector also has
        "background" and, with thresholds, a single-label model "(no answer)". With ``show="all"``, the filter selects
        all images that the cell counts or, for a detector, whose boxes it counts.
    slice : tuple of two str, optional
        Column of the images table and name of a slice, as in the column ``slice`` of ``report.by(column)``. The column
        must have 2 to 60 slices.
    search : str
        Part of the file name, or of the entire path if ``search`` contains a ``/``. Case is ignored.
    images : tuple of str, optional
        Names of the images to select.
    sort : str
        "confident" (the most confident mistakes first, then the most confident correct predictions), "unsure"
        (confidences closest to the threshold first or, without thresholds, the lowest), "name" (by file name) or
        "given" (in the order of the test images).

    Examples
    --------
    >>> Filter(show="fp", label="cat").sort
    'confident'
    >>> Filter(show="wrong")
    Traceback (most recent call last):
    ...
    customlabels_nb.errors.InputError: show='wrong' is not valid. Use one of ('all', 'mistakes', ...
    """

    show: str = MISTAKES
    label: str | None = None
    pair: tuple[str, str] | None = None
    slice: tuple[str, str] | None = None
    search: str = ""
    images: tuple[str, ...] | None = None
    sort: str = "confident"

    def __post_init__(self) -> None:
        for name, allowed in (("show", (*SHOWN, *GROUPS)), ("sort", SORTS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name}={getattr(self, name)!r} is not valid. Use one of {allowed!r}.")
        if not isinstance(self.search, str) or not isinstance(self.label, str | None):
            raise InputError(f"search={self.search!r} and label={self.label!r} must be strings.")
        for name, what in (("pair", "the true and the predicted label"), ("slice", "a column and one of its slices")):
            value = getattr(self, name)
            if value is None:
                continue
            strings = isinstance(value, tuple | list) and all(isinstance(part, str) for part in value)
            if not strings or len(value) != 2:
                raise InputError(f"{name}={value!r} must be {what}.")
            object.__setattr__(self, name, tuple(value))
        if self.images is not None:
            if isinstance(self.images, str) or not isinstance(self.images, Iterable):
                raise InputError(f"images={self.images!r} must be names of images.")
            object.__setattr__(self, "images", tuple(str(name) for name in self.images))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name.

        Examples
        --------
        >>> Filter(label="cat").to_dict()["label"]
        'cat'
        """
        return asdict(self)


class ImageOutcomes(NamedTuple):
    """Correct and wrong results for each image."""

    bits: np.ndarray[Any, np.dtype[np.uint8]]
    score: FloatArray
    margin: FloatArray


def judge(applied: Thresholded, label: int | None = None) -> ImageOutcomes:
    """Evaluate each image at the thresholds, for all labels or only for the label at position ``label``."""
    outcomes = applied.candidates
    if isinstance(outcomes, Scores):
        return _judged_scores(applied, outcomes, label)
    assert isinstance(outcomes, Boxes)
    return _judged_boxes(applied, outcomes, label)


def cell_images(applied: Thresholded, true: int, predicted: int) -> BoolArray:
    """Return a mask, shape (n,), of the images counted in a confusion-matrix cell.

    The position k is the background for boxes, and no answer for single-label images.
    """
    outcomes = applied.candidates
    if isinstance(outcomes, Scores):
        if outcomes.task == SINGLE_LABEL:
            answer = applied.answer() % (len(outcomes.labels) + 1)
            return np.asarray((answer == predicted) & (outcomes.true_label == true))
        is_predicted, is_true = (table[:, [predicted, true]] for table in (applied.accepted(), outcomes.truth))
        if predicted == true:
            return np.asarray(is_predicted[:, 0] & is_true[:, 0])
        return np.asarray((is_predicted & ~is_true)[:, 0] & (is_true & ~is_predicted)[:, 1])
    assert isinstance(outcomes, Boxes)
    accepted, mask = applied.accepted(), np.zeros(len(outcomes.images), dtype=bool)
    true_of, predicted_of = _cells(outcomes, accepted)
    if predicted == len(outcomes.labels):
        missed = (predicted_of == predicted) & ~outcomes.truth_crowd
        mask[outcomes.truth_image[missed & (outcomes.truth_label == true)]] = True
    else:
        mask[outcomes.image[accepted & (outcomes.label == predicted) & (true_of == true)]] = True
    return mask


def _cells(boxes: Boxes, accepted: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the true label of each prediction and the predicted label of each true box, k for the background."""
    k, (other, _) = len(boxes.labels), boxes.taken_for(accepted)
    match = np.where(boxes.match >= 0, boxes.match, other)
    predicted = np.full(len(boxes.truth_label), k)
    kept = accepted & (match >= 0)
    predicted[match[kept]] = boxes.label[kept]
    return np.append(boxes.truth_label, k)[match], predicted


def mistaken_boxes(
    applied: Thresholded, kind: BoxMistake, true: int | None, predicted: int | None
) -> tuple[BoolArray, BoolArray]:
    """Return masks of the true and of the predicted boxes with a kind of mistake, and with these labels if given.

    The position k of a label is the background. The true label of a badly placed box is that of the true box near it.
    """
    boxes, accepted = applied.candidates, applied.accepted()
    assert isinstance(boxes, Boxes)
    true_of, predicted_of = _cells(boxes, accepted)
    missed, wrong, iou = boxes.missed(accepted), accepted & (boxes.match < 0), boxes.highest_iou
    is_taken, on_other = predicted_of < len(boxes.labels), true_of < len(boxes.labels)
    is_near = ~on_other & (iou >= NEAR) & (iou < boxes.iou_threshold)
    kinds: dict[str, tuple[BoolArray | bool, BoolArray | bool]] = {
        "false positives": (False, True),
        "false negatives": (True, False),
        "wrong label": (is_taken, on_other),
        "badly placed": (False, is_near),
    }
    (of_truth, of_predictions), masks = kinds[kind], []
    for mask, true_label, predicted_label in (
        (missed & of_truth, boxes.truth_label, predicted_of),
        (wrong & of_predictions, boxes.label if kind == "badly placed" else true_of, boxes.label),
    ):
        for label, labels in ((true, true_label), (predicted, predicted_label)):
            mask = mask if label is None else mask & (labels == label)
        masks.append(mask)
    return masks[0], masks[1]


def in_order(judged: ImageOutcomes, sort: str, ranks: IntArray) -> IntArray:
    """Return the positions of all images in the order ``sort``, one of :data:`SORTS`. ``ranks`` are name ranks."""
    if sort == "confident":
        return np.argsort(-judged.score, kind="stable").astype(np.int64)
    if sort == "unsure":
        return np.argsort(judged.margin, kind="stable").astype(np.int64)
    if sort == "name":
        return np.argsort(ranks, kind="stable").astype(np.int64)
    return np.arange(len(ranks))


def wanted(judged: ImageOutcomes, show: str, groups: Mapping[str, BoolArray], *, labelled: bool) -> BoolArray:
    """Return a mask of the images that ``show`` selects, for one label if ``labelled``, where it has a result."""
    if show in GROUPS:
        if show not in groups:
            raise InputError(f"show={show!r} is not available here. Use one of {[*SHOWN, *groups]!r}.")
        return groups[show] & (judged.bits > 0) if labelled else groups[show]
    if show == ALL:
        return judged.bits > 0 if labelled else np.ones(len(judged.bits), dtype=bool)
    return np.asarray((judged.bits & _BITS[show]) > 0)


def name_ranks(names: list[str]) -> IntArray:
    """Rank the images by file name in natural order (``2.jpg`` before ``10.jpg``), shape (n,)."""
    keys = [_natural(last_part(name)) for name in names]
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[sorted(range(len(names)), key=keys.__getitem__)] = np.arange(len(names))
    return ranks


def _natural(name: str) -> list[Any]:
    parts: list[Any] = _DIGITS.split(name.lower())
    parts[1::2] = map(int, parts[1::2])
    return parts


def _judged_scores(applied: Thresholded, scores: Scores, label: int | None) -> ImageOutcomes:
    of_image = applied.of_images()
    part = slice(None) if label is None else slice(label, label + 1)
    truth, predicted = scores.truth[:, part], scores.given[:, part]
    confidence, thresholds = scores.confidence[:, part], of_image[:, part]
    accepted = (confidence >= thresholds) & predicted
    hits, alarms, misses = truth & accepted, ~truth & accepted, truth & ~accepted
    alarm, miss, hit = (np.where(some, confidence, -1.0).max(axis=1) for some in (alarms, misses, hits))
    margin = np.where(predicted, np.abs(confidence - thresholds), np.inf).min(axis=1)
    bits = TP * hits.any(axis=1) + FP * alarms.any(axis=1) + FN * misses.any(axis=1)
    return ImageOutcomes(bits.astype(np.uint8), _score(alarm, miss, hit), margin)


def _judged_boxes(applied: Thresholded, boxes: Boxes, label: int | None) -> ImageOutcomes:
    n, accepted = len(boxes.images), applied.accepted()
    missed = boxes.missed(accepted)
    shown = ~boxes.ignored
    if label is not None:
        accepted, missed = accepted & (boxes.label == label), missed & (boxes.truth_label == label)
        shown = shown & (boxes.label == label)
    hits, alarms = accepted & (boxes.match >= 0), accepted & (boxes.match < 0)
    would = np.zeros(len(boxes.truth_label))
    would[boxes.match[boxes.match >= 0]] = boxes.confidence[boxes.match >= 0]
    bits = np.zeros(n, dtype=np.uint8)
    alarm, miss, hit, margin = (np.full(n, start) for start in (-1.0, -1.0, -1.0, np.inf))
    for some, bit in ((hits, TP), (alarms, FP)):
        bits[boxes.image[some]] |= bit
    bits[boxes.truth_image[missed]] |= FN
    np.maximum.at(hit, boxes.image[hits], boxes.confidence[hits])
    np.maximum.at(alarm, boxes.image[alarms], boxes.confidence[alarms])
    np.maximum.at(miss, boxes.truth_image[missed], would[missed])
    of_image = applied.of_images()
    image, labels = boxes.image[shown], boxes.label[shown]
    np.minimum.at(margin, image, np.abs(boxes.confidence[shown] - of_image[image, labels]))
    return ImageOutcomes(bits, _score(alarm, miss, hit), margin)


def _score(alarm: FloatArray, miss: FloatArray, hit: FloatArray) -> FloatArray:
    """Rank images by the confidence that their tile shows: mistakes first, with or else without a wrong prediction.

    The arguments have the highest confidence of the wrong predictions, of what is missed, and of the correct
    predictions of each image, -1 if there are none.
    """
    mistake = np.where(alarm >= 0, alarm, miss)
    return np.where(mistake >= 0, 1 + mistake, hit)
