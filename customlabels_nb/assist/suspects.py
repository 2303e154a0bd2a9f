"""Find annotations that are probably wrong, by comparing them with predictions of models that did not learn them.

Image labels are examined by confident learning (Northcutt, Jiang, Chuang: Confident Learning, 2021): a label is
suspected if another label comes near the mean probability that it has on the images labelled with it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customlabels_nb.core.geometry import iou
from customlabels_nb.core.tables import BOX_COLUMNS, TEXT
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.matching import IOU_THRESHOLD

#: Kinds of suspected errors. A spurious annotation is of nothing, a duplicate is a second box of the same object.
MISSED, SPURIOUS, SWAPPED = "missed", "spurious", "swapped"
BADLY_LOCATED, DUPLICATE = "badly_located", "duplicate"
#: Columns of a table of suspects. ``annotation`` is the index of the row in the annotations table, ``given`` its label,
#: both missing for a missed annotation. ``suggested`` is the label that is probably right, missing if there is none.
#: ``score`` is between 0 and 1. The box is the given one, or the suggested one if it is missed or badly located.
COLUMNS = ("image", "annotation", "kind", "given", "suggested", "score", "model", *BOX_COLUMNS)

#: Labels with fewer images or boxes are neither suspected nor suggested.
FEWEST = 5
#: Share of its mean probability from which a label is suggested. Heads that are regularised for few images give soft
#: probabilities, of which many remain below the mean: with all of it, a quarter of planted errors was not found.
STRICTNESS = 0.6

_LEAST_SURE, _WEAK = 0.5, 0.3  # confidence of a predicted box that is evidence, and of one that supports a given box
#: IoU of boxes of the same object, of imprecise boxes, and of duplicates.
_SAME, _NEAR, _COPY = IOU_THRESHOLD, 0.15, 0.85
_NO_BOX = (np.nan,) * 4

_Row = tuple[Any, ...]


def suspect_labels(
    probabilities: FloatArray,
    truth: NDArray[np.generic],
    images: Sequence[str],
    labels: Sequence[str],
    annotations: pd.DataFrame,
    *,
    model: str = "",
) -> pd.DataFrame:
    """Find labels of images that are probably wrong, the most suspicious first, as a table with :data:`COLUMNS`.

    ``probabilities`` (n, k) are cross-fitted, and ``truth`` has the position of each image's label (n,), or a mask of
    its labels (n, k). The index of ``annotations`` identifies them.
    """
    index = dict(zip(zip(annotations["image"], annotations["label"], strict=True), annotations.index, strict=True))
    rows: list[_Row] = []
    if truth.ndim == 1:
        for position, other, score in zip(*swapped_labels(probabilities, truth.astype(np.int64)), strict=True):
            given = labels[int(truth[position])]
            rows.append((images[position], index.get((images[position], given)), SWAPPED, given, labels[other], score))
    else:
        for position, label, score in zip(*doubtful_labels(probabilities, truth.astype(np.bool_)), strict=True):
            name = labels[label]
            if truth[position, label]:
                rows.append((images[position], index.get((images[position], name)), SPURIOUS, name, None, score))
            else:
                rows.append((images[position], None, MISSED, None, name, score))
    return _table([(*row, model, *_NO_BOX) for row in rows])


def swapped_labels(probabilities: FloatArray, labels: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the images whose single label is probably another one, this other label, and how much likelier it is."""
    n, k = probabilities.shape
    counts = np.bincount(labels, minlength=k)
    self_confidence = probabilities[np.arange(n), labels]
    least = STRICTNESS * np.bincount(labels, self_confidence, minlength=k) / np.maximum(counts, 1)
    reached = np.where((probabilities >= least) & (counts >= FEWEST), probabilities, -1.0)
    suggested = reached.argmax(axis=1)
    score = reached[np.arange(n), suggested] - self_confidence
    swapped = np.flatnonzero((suggested != labels) & (score > 0) & (counts[labels] >= FEWEST))
    swapped = swapped[np.argsort(-score[swapped], kind="stable")]
    return swapped, suggested[swapped], score[swapped]


def doubtful_labels(probabilities: FloatArray, has_label: BoolArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the images and labels that are probably missing or wrong, and how far given and predicted differ."""
    having, lacking = has_label.sum(axis=0), (~has_label).sum(axis=0)
    high = (probabilities * has_label).sum(axis=0) / np.maximum(having, 1)
    low = (probabilities * ~has_label).sum(axis=0) / np.maximum(lacking, 1)
    separable = high > low
    high, low = STRICTNESS * high, 1 - STRICTNESS * (1 - low)
    doubted = np.where(has_label, probabilities <= low, probabilities >= high)
    doubted &= (having >= FEWEST) & (lacking >= FEWEST) & separable
    image, label = np.nonzero(doubted)
    score = np.abs(has_label - probabilities)[image, label]
    order = np.argsort(-score, kind="stable")
    return image[order], label[order], score[order]


def suspect_boxes(annotations: pd.DataFrame, predictions: pd.DataFrame, *, model: str = "") -> pd.DataFrame:
    """Find boxes that are probably wrong, missing or imprecise, the most suspicious first, each at most once.

    The index of ``annotations`` identifies the given boxes. ``predictions`` are those of detectors that were trained on
    other images, from low confidences on and after non-maximum suppression. Return a table with :data:`COLUMNS`.
    """
    annotated, predicted = annotations[annotations["left"].notna()], predictions[predictions["left"].notna()]
    parts, guesses = annotated.groupby("image", sort=False).indices, predicted.groupby("image", sort=False).indices
    none = np.empty(0, dtype=np.int64)
    cases = [
        _Case(image, annotated.iloc[parts.get(image, none)], predicted.iloc[guesses.get(image, none)])
        for image in dict.fromkeys([*parts, *guesses])
    ]
    names = np.concatenate([np.empty(0, object), *(case.label for case in cases)])
    support = np.concatenate([np.empty(0), *(case.support for case in cases)])
    sure: dict[str, float] = {}  # confidence from which predictions are evidence: their mean, as in confident learning
    recall: dict[str, float] = {}  # share of the boxes that are found
    for label in pd.unique(names):
        confidences = support[names == label]
        if (confidences > 0).sum() >= FEWEST:
            sure[label] = max(_LEAST_SURE, float(confidences[confidences > 0].mean()))
            recall[label] = float((confidences >= _WEAK).mean())
    return _table([(*row[:6], model, *row[6]) for case in cases for row in case.suspects(sure, recall)])


def is_still_there(label: str | None, suggested: str | None, drawn: bool, labels: Container[str]) -> bool:
    """Return True if an image with these labels, of itself and its shapes, still has what is suspected."""
    return label in labels if label is not None else drawn or suggested not in labels


def still_there(suspects: pd.DataFrame, annotations: pd.DataFrame) -> pd.DataFrame:
    """Return the suspects that are still there, with the current indices of their annotations."""
    by_image = dict(iter(annotations.groupby("image", sort=False)))
    kept, indices = [], []
    for row in suspects.itertuples():
        annotated, drawn = by_image.get(row.image, annotations.head(0)), not pd.isna(row.left)
        label = None if pd.isna(row.given) else row.given
        if is_still_there(label, row.suggested, drawn, set(annotated["label"])):
            same = annotated[(annotated["label"] == label) & (annotated["left"].notna() == drawn)]
            overlap = iou(
                np.array([[getattr(row, side) for side in BOX_COLUMNS]]), same[[*BOX_COLUMNS]].to_numpy(float)
            )
            indices.append(same.index[int(np.nan_to_num(overlap[0]).argmax())] if len(same) else None)
            kept.append(row.Index)
    return suspects.loc[kept].assign(annotation=pd.array(indices, dtype="Int64")).reset_index(drop=True)


class _Case:
    """Compare the given and the predicted boxes of one image."""

    def __init__(self, image: str, shapes: pd.DataFrame, predicted: pd.DataFrame) -> None:
        boxes, guesses = (frame[[*BOX_COLUMNS]].to_numpy(np.float64) for frame in (shapes, predicted))
        crowd = shapes["crowd"].to_numpy(np.bool_) if "crowd" in shapes.columns else np.zeros(len(shapes), np.bool_)
        free = iou(guesses, boxes[crowd]).max(axis=1, initial=0) == 0
        self.image, self.index = image, shapes.index.to_numpy()[~crowd]
        self.label, self.box = shapes["label"].to_numpy(object)[~crowd], boxes[~crowd]
        self.found_label, self.found_box = predicted["label"].to_numpy(object)[free], guesses[free]
        self.confidence = predicted["confidence"].to_numpy(np.float64)[free]
        self.iou = iou(self.box, self.found_box)
        self.alike = self.label[:, None] == self.found_label
        #: highest confidence of a prediction of the same label at the same place
        self.support = (self.confidence * (self.alike & (self.iou >= _SAME))).max(axis=1, initial=0)

    def suspects(self, sure: dict[str, float], recall: dict[str, float]) -> Iterator[_Row]:
        """Yield the suspected boxes: image, annotation, kind, given, suggested, score and suggested box."""
        least = np.array([sure.get(label, np.inf) for label in self.found_label])
        evidence = self.confidence * (self.confidence >= least)
        matched = (self.alike * self.iou).max(axis=0, initial=0) >= _SAME
        swapped = evidence * (~self.alike & (self.iou >= _SAME))
        moved = evidence * (self.alike & (self.iou >= _NEAR) & (self.iou < _SAME) & ~matched)
        free = (evidence > 0) & (self.iou.max(axis=0, initial=0) < _NEAR)
        copies = self._copies()
        for i, label in enumerate(self.label):
            start = self.image, self.index[i]
            other, near = (int(part[i].argmax()) if part.shape[1] else None for part in (swapped, moved))
            around = float((self.confidence * (self.iou[i] >= _NEAR)).max(initial=0))
            if i in copies:
                yield *start, DUPLICATE, label, None, copies[i], self.box[i]
            elif other is not None and swapped[i, other] > self.support[i]:
                score = swapped[i, other] - self.support[i]
                yield *start, SWAPPED, label, self.found_label[other], score, self.box[i]
            elif near is not None and moved[i, near] > 0 and self.support[i] < _WEAK:
                score = moved[i, near] * (1 - self.iou[i, near])
                yield *start, BADLY_LOCATED, label, label, score, self.found_box[near]
            elif around < _WEAK and recall.get(label, 0) >= _LEAST_SURE:
                yield *start, SPURIOUS, label, None, recall[label] * (1 - around), self.box[i]
        for j in np.flatnonzero(free):
            yield self.image, None, MISSED, None, self.found_label[j], self.confidence[j], self.found_box[j]

    def _copies(self) -> dict[int, float]:
        """Return the boxes at nearly the same place as another box of the label, with the IoU, the less supported."""
        same = np.triu(iou(self.box, self.box) * (self.label[:, None] == self.label), 1)
        result: dict[int, float] = {}
        for first, second in np.argwhere(same >= _COPY).tolist():
            if first not in result and second not in result:
                result[second if self.support[first] >= self.support[second] else first] = float(same[first, second])
        return result


def _table(rows: list[_Row]) -> pd.DataFrame:
    types = dict.fromkeys(COLUMNS, "float64") | dict.fromkeys(("image", "kind", "given", "suggested", "model"), TEXT)
    table = pd.DataFrame(rows, columns=[*COLUMNS]).astype(types | {"annotation": "Int64"})
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
