"""Ground truth and predictions on a detector's test set, as matched lists of boxes or masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb.core.limits import HIGHEST_MAX_BOXES
from customlabels_nb.core.masks import areas_of_masks, boxes_of_masks
from customlabels_nb.core.tables import BOXES, POLYGONS, TEXT
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.coco_metrics import MOST_PREDICTIONS, interpolated_precision
from customlabels_nb.evaluation.confusion import BACKGROUND, ConfusionMatrix, unused_name
from customlabels_nb.evaluation.input_tables import (
    boxed_rows,
    canvas_sizes,
    choose_test_images,
    labels_and_colors,
    rasterised,
    with_same_names,
)
from customlabels_nb.evaluation.matching import IOU_THRESHOLD, Candidates, find_candidates, ranges
from customlabels_nb.evaluation.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, Outcomes, Steps

#: A false positive with at least this IoU with a true box of the same label is an imprecise or duplicate box of it.
NEAR = 0.1

_Objects: TypeAlias = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of true and predicted objects: run-length encodings, and the polygons that they were rasterised from.

    ``truth`` and ``truth_polygon`` have shape (t,), ``predicted`` and ``polygon`` (p,). The polygon of a box is None.
    """

    truth: _Objects
    truth_polygon: _Objects
    predicted: _Objects
    polygon: _Objects

    def of(self, truth: IntArray | BoolArray, predicted: IntArray | BoolArray) -> Masks:
        return Masks(self.truth[truth], self.truth_polygon[truth], self.predicted[predicted], self.polygon[predicted])

    def find_candidates(self, group: IntArray, truth_group: IntArray, truth_crowd: BoolArray) -> Candidates:
        box, truth_box = boxes_of_masks(self.predicted.tolist()), boxes_of_masks(self.truth.tolist())
        return find_candidates(group, box, truth_group, truth_box, truth_crowd, (self.predicted, self.truth))


@dataclass(frozen=True, eq=False)
class Boxes(Outcomes):
    """Ground truth and predictions of a detector, with ``t`` true boxes and ``p`` predicted boxes.

    Boxes are left, top, width, height in pixels of the upright image, sorted by image and label, and predicted boxes
    then by descending confidence. Ties keep the order of the table. Images and labels are positions.

    ``truth_crowd`` is True for a box around a crowd, which is not a target, and predictions on it (``ignored``) count
    as neither right nor wrong. ``candidates`` are pairs of predictions and true boxes of the same image and label.
    ``match`` is the position of the true box that each prediction matches if accepted, or -1, and ``match_iou`` their
    IoU, or NaN. ``left_out_rows`` counts rows with a label but no box. For the task "polygons", ``masks`` are matched
    instead of boxes. ``max_boxes`` is the largest number of boxes per image that the model returns, if known.
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
    masks: Masks | None = field(default=None, kw_only=True)
    max_boxes: int | None = field(default=None, kw_only=True)

    # -- counts -------------------------------------------------------------------------------------
    @cached_property
    def targets(self) -> IntArray:
        """Number of true boxes of each label, without crowds, shape (k,)."""
        return self._by_label(self.truth_label[~self.truth_crowd])

    @cached_property
    def test_images(self) -> IntArray:
        """Number of test images with a true box of each label, without crowds, shape (k,)."""
        image, label = self.truth_image[~self.truth_crowd], self.truth_label[~self.truth_crowd]
        first = (np.diff(image, prepend=-1) != 0) | (np.diff(label, prepend=-1) != 0)
        return self._by_label(label[first])

    @property
    def known(self) -> BoolArray:
        return np.asarray(self._by_label(self.label) > 0)

    @property
    def all_certain(self) -> bool:
        return bool((self.confidence == 1).all())

    @property
    def answered(self) -> BoolArray:
        return np.asarray(np.bincount(self.image, minlength=len(self.images)) > 0)

    @property
    def bare(self) -> BoolArray:
        return np.asarray(np.bincount(self.truth_image, minlength=len(self.images)) == 0)

    @property
    def with_targets(self) -> BoolArray:
        """True for images with a true box that is not a crowd."""
        return np.asarray(self.true_boxes > 0)

    @property
    def at_limit(self) -> BoolArray:
        """Mask of the images with as many predictions as the model returns, and more than half as many true boxes.

        Fewer objects leave enough room, because a detector also returns boxes that are hardly likely.
        """
        if self.max_boxes is None:
            return np.zeros(len(self.images), dtype=bool)
        found = np.bincount(self.image, minlength=len(self.images))
        return np.asarray((found >= self.max_boxes) & (2 * self.true_boxes > self.max_boxes))

    @property
    def true_boxes(self) -> IntArray:
        """Number of true boxes in each image, without crowds, shape (n,)."""
        return np.bincount(self.truth_image[~self.truth_crowd], minlength=len(self.images)).astype(np.int64)

    def _by_label(self, label: IntArray) -> IntArray:
        return np.bincount(label, minlength=len(self.labels)).astype(np.int64)

    # -- predictions of one label -------------------------------------------------------------------
    @cached_property
    def _ordered(self) -> tuple[IntArray, IntArray]:
        """Positions of the predictions by label and descending confidence, and the bounds of each label's section.

        As in COCO, equal confidences are sorted by image and then keep the order of the table.
        """
        order = np.lexsort((-self.confidence, self.label)).astype(np.int64)
        return order, np.append(0, np.cumsum(self._by_label(self.label)))

    def of_label(self, position: int) -> IntArray:
        """Return the positions of the predictions of one label, most confident first, shape (m,)."""
        order, ends = self._ordered
        return order[ends[position] : ends[position + 1]]

    def predictions(self, position: int) -> tuple[IntArray, FloatArray, BoolArray]:
        """Return the image, confidence and correctness of each prediction of one label that is not on a crowd."""
        chosen = self.of_label(position)
        chosen = chosen[~self.ignored[chosen]]
        return self.image[chosen], self.confidence[chosen], self.match[chosen] >= 0

    def steps(self, position: int) -> Steps:
        return self._steps[position]

    @cached_property
    def _steps(self) -> list[Steps]:
        steps = []
        for position in range(len(self.labels)):
            _, confidence, hit = self.predictions(position)
            steps.append(Steps.of(hit, confidence, int(self.targets[position])))
        return steps

    @cached_property
    def counted(self) -> BoolArray:
        """Mask of the :data:`MOST_PREDICTIONS` most confident predictions per label and image, shape (p,)."""
        new = (np.diff(self.image, prepend=-1) != 0) | (np.diff(self.label, prepend=-1) != 0)
        first = np.flatnonzero(new)
        rank = np.arange(len(new)) - first[np.cumsum(new) - 1]
        return np.asarray(rank < MOST_PREDICTIONS)

    def without_limit(self) -> Self:
        """Count all predictions for average precision and highest recall."""
        other = replace(self)
        other.__dict__["counted"] = np.ones(self.image.shape, dtype=bool)
        return other

    def average_precision(self, position: int) -> float:
        """Compute COCO average precision at :attr:`iou_threshold`, 0 if no image has the label.

        This is the mean of the interpolated precision at 101 recall values. The interpolated precision is the highest
        precision at that recall or above, and 0 beyond the highest recall reached.
        """
        chosen = self.of_label(position)
        chosen = chosen[self.counted[chosen] & ~self.ignored[chosen]]
        return interpolated_precision(self.match[chosen] >= 0, int(self.targets[position]))

    def highest_recall(self, position: int) -> float:
        """Compute the recall of a label if all its predictions are accepted, 0 if it has no true boxes."""
        chosen = self.of_label(position)
        return float((self.counted[chosen] & (self.match[chosen] >= 0)).sum() / max(self.targets[position], 1))

    # -- at thresholds, shape (k,) ------------------------------------------------------------------
    def accepted(self, thresholds: FloatArray) -> BoolArray:
        """Return a mask of the accepted predictions, shape (p,).

        The confidence reaches its label's threshold, and the box is not on a crowd. Thresholds (n, k) apply per image.
        """
        limits = thresholds[self.label] if thresholds.ndim == 1 else thresholds[self.image, self.label]
        return (self.confidence >= limits) & ~self.ignored

    def missed(self, accepted: BoolArray) -> BoolArray:
        """Return a mask of the true boxes, excluding crowds, that no accepted prediction matches, shape (t,)."""
        missed = ~self.truth_crowd
        missed[self.match[accepted & (self.match >= 0)]] = False
        return missed

    def candidates_of_any_label(self, predictions: IntArray, truths: IntArray) -> Candidates:
        """Find the candidates between predictions and true boxes of any label, without crowds, given their positions.

        The predictions must be sorted by image and descending confidence, the true boxes by image.
        """
        group, truth_group, crowd = self.image[predictions], self.truth_image[truths], np.zeros(len(truths), dtype=bool)
        if self.masks is not None:
            return self.masks.of(truths, predictions).find_candidates(group, truth_group, crowd)
        return find_candidates(group, self.box[predictions], truth_group, self.truth_box[truths], crowd)

    def areas(self) -> tuple[FloatArray, FloatArray]:
        """Return the areas in square pixels of the true and of the predicted boxes or masks, shape (t,) and (p,)."""
        if self.masks is not None:
            return areas_of_masks(self.masks.truth.tolist()), areas_of_masks(self.masks.predicted.tolist())
        return self.truth_box[:, 2] * self.truth_box[:, 3], self.box[:, 2] * self.box[:, 3]

    def taken_for(self, accepted: BoolArray) -> tuple[IntArray, FloatArray]:
        """Match accepted false positives to missed boxes of other labels: a position (or -1) and IoU (or NaN) each."""
        wrong, missed = np.flatnonzero(accepted & (self.match < 0)), np.flatnonzero(self.missed(accepted))
        wrong = wrong[np.lexsort((-self.confidence[wrong], self.image[wrong]))]
        taken, found_iou, _ = self.candidates_of_any_label(wrong, missed).match(self.iou_threshold)
        match, iou = np.full(self.match.shape, -1, dtype=np.int64), np.full(self.match.shape, np.nan)
        match[wrong], iou[wrong] = np.append(missed, -1)[taken], found_iou
        return match, iou

    def image_counts(self, thresholds: FloatArray) -> csr_array:
        k, accepted = len(self.labels), self.accepted(thresholds)
        missed = self.missed(accepted)
        part = np.where(self.match[accepted] >= 0, 0, k)
        row = np.concatenate([self.image[accepted], self.truth_image[missed]])
        column = np.concatenate([self.label[accepted] + part, self.truth_label[missed] + 2 * k])
        return csr_array((np.ones(len(row), dtype=np.int64), (row, column)), shape=(len(self.images), 3 * k))

    def confusion(self, thresholds: FloatArray) -> ConfusionMatrix:
        """Compute the confusion matrix: match boxes within each label, then across labels, then with the background."""
        k, accepted = len(self.labels), self.accepted(thresholds)
        other, _ = self.taken_for(accepted)
        match = np.where(self.match >= 0, self.match, other)[accepted]
        missed = self.missed(accepted)
        missed[other[other >= 0]] = False
        row = np.concatenate([np.append(self.truth_label, k)[match], self.truth_label[missed]])
        column = np.concatenate([self.label[accepted], np.full(missed.sum(), k)])
        counts = np.bincount(row * (k + 1) + column, minlength=(k + 1) ** 2).reshape(k + 1, k + 1).astype(np.int64)
        return ConfusionMatrix(
            counts=counts,
            labels=(*self.labels, unused_name(BACKGROUND, self.labels)),
            truth_counts=counts.sum(axis=1),
            predicted_counts=counts.sum(axis=0),
            background=True,
        )

    def per_image(self, thresholds: FloatArray) -> pd.DataFrame:
        """Build a table of all accepted predictions and missed true boxes in each image, most confident first.

        The columns are ``image``, ``label``, ``confidence``, ``result`` ("true positive", "false positive" or "false
        negative") and ``threshold``, then ``left, top, width, height`` of the predicted box (of the true box for a
        false negative), ``truth_left, truth_top, truth_width, truth_height`` of the matched or missed true box (NaN for
        a false positive), and ``iou``, the IoU of the predicted and the true box. If a false positive lies on a missed
        box of a different label, ``taken_for`` is the label of that box, and ``iou`` is the IoU with it. For masks,
        ``polygon`` and ``truth_polygon`` are the polygons of the same objects, and ``iou`` is that of the masks.

        The confidence of a false negative is that of the below-threshold prediction that would match it, or 0 if there
        is no such prediction.
        """
        accepted = self.accepted(thresholds)
        other, other_iou = self.taken_for(accepted)
        shown, missed, image, confidence, order = self._listed(accepted)
        matches = self.match[shown]
        label = np.concatenate([self.label[shown], self.truth_label[missed]])[order]
        result = np.concatenate([np.where(matches >= 0, 0, 1), np.full(len(missed), 2)])[order]
        nothing = np.full((1, 4), np.nan)
        columns = {
            "image": _text(self.images, image[order]),
            "label": _text(self.labels, label),
            "confidence": confidence[order],
            "result": _text((TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE), result),
            "threshold": thresholds[label],
        }
        box = np.concatenate([self.box[shown], self.truth_box[missed]])[order]
        true = np.concatenate([self.truth_box, nothing])[np.concatenate([matches, missed])[order]]
        columns |= dict(zip(("left", "top", "width", "height"), box.T, strict=True))
        columns |= dict(zip(("truth_left", "truth_top", "truth_width", "truth_height"), true.T, strict=True))
        iou = np.where(matches >= 0, self.match_iou[shown], other_iou[shown])
        columns["iou"] = np.concatenate([iou, np.full(len(missed), np.nan)])[order]
        taken = np.append(self.truth_label, -1)[other[shown]]
        columns["taken_for"] = _text(self.labels, np.concatenate([taken, np.full(len(missed), -1)])[order])
        if self.masks is not None:
            polygons, of_truth = self.masks.polygon, self.masks.truth_polygon
            columns["polygon"] = np.concatenate([polygons[shown], of_truth[missed]])[order]
            of_truth = np.concatenate([of_truth, np.full(1, None, dtype=object)])
            columns["truth_polygon"] = of_truth[np.concatenate([matches, missed])[order]]
        return pd.DataFrame(columns)

    def _listed(self, accepted: BoolArray) -> tuple[IntArray, IntArray, IntArray, FloatArray, IntArray]:
        """Return the accepted predictions and missed boxes, the image and confidence of each, and their order."""
        shown, missed = np.flatnonzero(accepted), np.flatnonzero(self.missed(accepted))
        would = np.zeros(len(self.truth_label))
        would[self.match[self.match >= 0]] = self.confidence[self.match >= 0]
        image = np.concatenate([self.image[shown], self.truth_image[missed]])
        confidence = np.concatenate([self.confidence[shown], would[missed]])
        return shown, missed, image, confidence, np.lexsort((-confidence, image))

    @property
    def highest_iou(self) -> FloatArray:
        """Highest IoU of each prediction with a true box of its label, shape (p,), 0 if there is none."""
        best = np.zeros(len(self.label))
        np.maximum.at(best, self.candidates.prediction, self.candidates.iou)
        return best

    def highest_ious(self, accepted: BoolArray) -> FloatArray:
        """Return the highest IoU with a true box of the label for each row of :meth:`per_image`, 0 for missed boxes."""
        shown, missed, _, _, order = self._listed(accepted)
        return np.concatenate([self.highest_iou[shown], np.zeros(len(missed))])[order]

    # -- selections and other IoU thresholds --------------------------------------------------------
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
            masks=self.masks and self.masks.of(true, kept),
        )

    def at_iou_threshold(self, iou_threshold: float) -> Self:
        """Match the boxes again at a different IoU threshold (above 0 and up to 1)."""
        iou_threshold = check_fraction("iou_threshold", iou_threshold, exclude=(0,))
        match, iou, ignored = self.candidates.match(iou_threshold)
        other = replace(self, iou_threshold=iou_threshold, match=match, match_iou=iou, ignored=ignored)
        other.__dict__.update({name: getattr(self, name) for name in ("targets", "test_images", "counted", "_ordered")})
        return other  # the copied values do not depend on the IoU threshold


def make_boxes(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    named: Iterable[str] = (),
    iou_threshold: float = IOU_THRESHOLD,
    masks: bool = False,
    max_boxes: int | None = None,
) -> Boxes:
    """Convert a truth table and a predictions table to matched boxes.

    A polygon without a box is replaced by its bounding box. A row without a box only declares its image part of the
    test set. Rows for other than the test images and labels without boxes are ignored. With ``masks``, the masks inside
    the polygons are matched. The mask of a row without a polygon is its box. Masks are clipped to the image if
    ``images`` has the columns ``width`` and ``height``.
    """
    iou_threshold = check_fraction("iou_threshold", iou_threshold, exclude=(0,))
    true, predicted = boxed_rows(truth, "truth"), boxed_rows(predictions, "predictions")
    if not len(true.rows) and not len(predicted.rows):
        raise NotEnoughDataError("There is nothing to evaluate: neither truth nor predictions contain a labelled box.")
    *renamed, matched = with_same_names(true.all_rows, predicted.all_rows, images)
    true, predicted = (table.renamed(rows) for table, rows in zip((true, predicted), renamed, strict=True))
    test_images, left_out = choose_test_images(true.all_rows, predicted.all_rows, images)
    names, colors = labels_and_colors(true.rows, predicted.rows, labels, named)
    axes = pd.Index(test_images), pd.Index(names)
    truth_image, truth_label, truth_rows = true.sorted_positions(*axes)
    image, label, rows = predicted.sorted_positions(*axes)
    group, truth_group = image * len(names) + label, truth_image * len(names) + truth_label
    crowd = true.crowd[truth_rows]
    object_masks = None
    if masks:
        sizes = canvas_sizes(test_images, images, true, predicted)
        object_masks = Masks(
            rasterised(true, "truth", truth_image, truth_rows, sizes),
            true.polygon[truth_rows],
            rasterised(predicted, "predictions", image, rows, sizes),
            predicted.polygon[rows],
        )
        candidates = object_masks.find_candidates(group, truth_group, crowd)
    else:
        candidates = find_candidates(group, predicted.box[rows], truth_group, true.box[truth_rows], crowd)
    match, iou, ignored = candidates.match(iou_threshold)
    return Boxes(
        POLYGONS if masks else BOXES,
        test_images,
        tuple(names),
        tuple(colors),
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
        left_out=(*matched, *left_out),
        left_out_rows={"truth": true.without_box, "predictions": predicted.without_box},
        masks=object_masks,
        max_boxes=max_boxes,
    )


def limit_note(boxes: Boxes) -> str:
    """Describe how the limit of boxes per image affects an evaluation, and how to raise it."""
    assert boxes.max_boxes is not None
    most = int(boxes.true_boxes.max())
    needed = min(2 * most, HIGHEST_MAX_BOXES)
    advice = (
        f"Train again with max_boxes={needed}, or with training images that have as many boxes."
        if needed > boxes.max_boxes
        else f"{needed:,} is the highest limit. Cut the images into parts."
    )
    return (
        f"In {int(boxes.at_limit.sum())} of {len(boxes.images)} test images, the model found {boxes.max_boxes:,} "
        f"boxes, the most that it returns for an image. Test images have up to {most:,} true boxes, so some are missed "
        f"because of this limit. {advice}"
    )


def _text(names: npt.ArrayLike, positions: IntArray) -> pd.api.extensions.ExtensionArray:
    """Return the names at the given positions as a string column, with missing values where the position is -1."""
    return pd.array(np.asarray(names, dtype=object), dtype=TEXT).take(positions, allow_fill=True)
