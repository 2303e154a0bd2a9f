"""Ground truth and predictions on a classifier's test set, as image × label matrices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.tables import CLASSIFICATION_TASKS, SINGLE_LABEL, TEXT
from customlabels_nb.errors import InputError, TableError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.input_tables import (
    check_confidences,
    choose_test_images,
    clean_table,
    labels_and_colors,
    some_images,
    with_same_names,
)
from customlabels_nb.evaluation.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, Outcomes, Steps
from customlabels_nb.user_settings import settings

_WORTH_THREADS = 1_000_000  # minimum number of confidences for which threads pay off
_WORTH_A_LOOK = 100  # images
_LABELS_AT_ONCE = 8  # adjacent columns copied from the matrix together


@dataclass(frozen=True, eq=False)
class Scores(Outcomes):
    """Ground truth and predictions of a classifier, (n, k). Pairs that are not ``given`` are never accepted."""

    truth: BoolArray
    confidence: FloatArray
    given: BoolArray

    @property
    def targets(self) -> IntArray:
        return self.test_images

    @cached_property
    def test_images(self) -> IntArray:
        return np.asarray(self.truth.sum(axis=0), dtype=np.int64)

    @property
    def known(self) -> BoolArray:
        return np.asarray(self.given.any(axis=0))

    @property
    def answered(self) -> BoolArray:
        return np.asarray(self.given.any(axis=1))

    @property
    def all_certain(self) -> bool:
        parts = (slice(_WORTH_A_LOOK), slice(None))  # the first images decide almost always
        return all(np.array_equal(self.confidence[part] == 1, self.given[part]) for part in parts)

    @property
    def bare(self) -> BoolArray:
        return np.asarray(~self.truth.any(axis=1))

    def predictions(self, position: int) -> tuple[IntArray, FloatArray, BoolArray]:
        """Return the image, confidence and ground truth of each prediction of one label, each of shape (m,)."""
        image = np.flatnonzero(self.given[:, position])
        return image, self.confidence[image, position], self.truth[image, position]

    def steps(self, position: int) -> Steps:
        return self._steps[position]

    @cached_property
    def _steps(self) -> list[Steps]:
        def some(start: int) -> list[Steps]:
            part = slice(start, start + _LABELS_AT_ONCE)
            by_label = (np.ascontiguousarray(matrix[:, part].T) for matrix in (self.truth, self.confidence, self.given))
            return [
                Steps.of(*((truth, confidence) if has.all() else (truth[has], confidence[has])), targets)
                for truth, confidence, has, targets in zip(*by_label, self.test_images[part].tolist(), strict=True)
            ]

        workers = settings.threads if self.truth.size >= _WORTH_THREADS else 1
        starts = range(0, len(self.labels), _LABELS_AT_ONCE)
        return list(chain.from_iterable(map_bounded(some, starts, workers=workers)))

    def average_precision(self, position: int) -> float:
        """Compute the average precision of one label without interpolation, 0 if no image has the label.

        This is the definition of ``sklearn.metrics.average_precision_score``: the sum, over the distinct confidences,
        of the precision times the increase in recall. Images without a prediction of the label are never reached.
        """
        steps = self.steps(position)
        area = (np.diff(steps.hits, prepend=0) * (steps.hits / steps.accepted)).sum()
        return float(area / max(int(self.test_images[position]), 1))

    def accepted(self, thresholds: FloatArray) -> BoolArray:
        return (self.confidence >= thresholds) & self.given

    def image_counts(self, thresholds: FloatArray) -> csr_array:
        accepted, k = self.accepted(thresholds), len(self.labels)
        row, column = np.nonzero(self.truth | accepted)
        part = np.where(self.truth[row, column], np.where(accepted[row, column], 0, 2), 1)
        ones = np.ones(len(row), dtype=np.int64)
        return csr_array((ones, (row, column + k * part)), shape=(len(self.images), 3 * k))

    def confusion(self, thresholds: FloatArray) -> ConfusionMatrix:
        """Compute the confusion matrix.

        Single-label: an image counts once, under its answer. There is a column for images without an answer, unless
        the thresholds are 0 and all images have one. Multi-label: see :class:`.confusion.ConfusionMatrix`.
        """
        k, single = len(self.labels), self.task == SINGLE_LABEL
        if single:
            true, answer = self.true_label, self.answer(thresholds)
            width = k + bool(thresholds.any() or (answer < 0).any())
            column = answer % (k + 1)  # position -1: the last one
            counts = np.bincount((true * width + column)[true >= 0], minlength=k * width).reshape(k, width)
            predicted_counts = np.bincount(column, minlength=width)
        else:
            accepted = self.accepted(thresholds)
            wrong, missed = (
                csr_array(part, dtype=np.int64) for part in (accepted & ~self.truth, self.truth & ~accepted)
            )
            counts = (missed.T @ wrong).toarray() + np.diag((accepted & self.truth).sum(axis=0))
            predicted_counts = accepted.sum(axis=0)
        return ConfusionMatrix(
            counts=counts.astype(np.int64),
            labels=self.labels,
            truth_counts=self.test_images,
            predicted_counts=predicted_counts.astype(np.int64),
            multi_label=not single,
            images=len(self.images),
        )

    def per_image(self, thresholds: FloatArray) -> pd.DataFrame:
        """Build a table of the labels that each image has or is predicted to have, most confident first.

        The columns are ``image``, ``label``, ``confidence``, ``result`` ("true positive", "false positive" or "false
        negative") and ``threshold``. Single-label tasks also have ``truth`` and ``predicted``, the image's true label
        and its answer (NaN if there is none).
        """
        accepted = self.accepted(thresholds)
        row, column = np.nonzero(self.truth | accepted)
        order = np.lexsort((column, -self.confidence[row, column], row))
        row, column = row[order], column[order]
        names = np.array([*self.labels, None], dtype=object)  # position -1: none
        result = np.where(self.truth[row, column], TRUE_POSITIVE, FALSE_POSITIVE)
        result[~accepted[row, column]] = FALSE_NEGATIVE
        table = pd.DataFrame(
            {
                "image": self.images[row],
                "label": names[column],
                "confidence": self.confidence[row, column],
                "result": result,
                "threshold": thresholds[column],
            }
        ).astype({"image": TEXT, "label": TEXT, "result": TEXT})
        if self.task == SINGLE_LABEL:
            table["truth"] = pd.Series(names[self.true_label[row]], dtype=TEXT)
            table["predicted"] = pd.Series(names[self.answer(thresholds)[row]], dtype=TEXT)
        return table

    def only(self, chosen: npt.NDArray[np.generic]) -> Self:
        return replace(
            self,
            images=self.images[chosen],
            truth=self.truth[chosen],
            confidence=self.confidence[chosen],
            given=self.given[chosen],
        )

    @cached_property
    def true_label(self) -> IntArray:
        """Position of each image's true label, shape (n,), or -1 if it has none. Only for single-label tasks."""
        return np.where(self.truth.any(axis=1), self.truth.argmax(axis=1), -1)

    @cached_property
    def predicted_label(self) -> IntArray:
        """Position of each image's most confident label (first if tied), shape (n,), or -1 if it has no predictions."""
        if self.given.all():  # saves a copy of the matrix
            return np.asarray(self.confidence.argmax(axis=1), dtype=np.int64)
        return np.where(self.answered, np.where(self.given, self.confidence, -1.0).argmax(axis=1), -1)

    def answer(self, thresholds: FloatArray) -> IntArray:
        """Return the position of each image's most confident label that reaches its threshold, shape (n,), or -1."""
        if not thresholds.any():
            return self.predicted_label
        accepted = self.accepted(thresholds)
        best = np.where(accepted, self.confidence, -1.0).argmax(axis=1)
        return np.where(accepted.any(axis=1), best, -1)

    def most_confident(self) -> Self:
        """Keep only the prediction of each image's most confident label. Only for single-label tasks."""
        is_best = np.arange(len(self.labels)) == self.predicted_label[:, None]
        return replace(self, given=is_best)


def make_scores(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    named: Iterable[str] = (),
    task: str = SINGLE_LABEL,
) -> Scores:
    """Convert a truth table and a predictions table to matrices.

    A row of ``truth`` with a missing label declares an image without labels. A pair without a prediction has confidence
    0 and is never accepted. ``images`` defaults to those in either table. Rows for other images are ignored. ``labels``
    and ``named`` are labels of the evaluation even if no table has them.
    """
    if task not in CLASSIFICATION_TASKS:
        raise InputError(f"task={task!r} is not a classification task. Use one of {', '.join(CLASSIFICATION_TASKS)}.")
    truth = clean_table(truth, "truth", ("image", "label"))
    predictions = clean_table(predictions, "predictions", ("image", "label", "confidence"))
    confidence = check_confidences(predictions)
    truth, predictions, matched = with_same_names(truth, predictions, images)
    test_images, left_out = choose_test_images(truth, predictions, images)
    names, colors = labels_and_colors(truth, predictions, labels, named)

    axes = pd.Index(test_images), pd.Index(names)
    is_true = find_pairs(truth, "truth", *axes).has
    predicted = find_pairs(predictions, "predictions", *axes)
    scores = Scores(
        task,
        test_images,
        tuple(names),
        tuple(colors),
        is_true,
        predicted.matrix(confidence),
        predicted.has,
        left_out=(*matched, *left_out),
    )
    return _without_second_labels(scores) if task == SINGLE_LABEL else scores


def _without_second_labels(scores: Scores) -> Scores:
    """Leave out images with more than one true label, with a note. It is an error if no other image has a label."""
    count = scores.truth.sum(axis=1)
    many = np.flatnonzero(count > 1)
    if not many.size:
        return scores
    if not (count == 1).any():
        several = [scores.labels[column] for column in np.flatnonzero(scores.truth[many[0]])]
        raise TableError(
            f"Image {scores.images[many[0]]!r} has the labels {several!r} in truth, but task='single-label' allows "
            "only one per image, and no image has one. Keep one of them, or pass task='multi-label'."
        )
    note = f"Left out because task='single-label' allows one label per image: {some_images(scores.images[many])}."
    return replace(scores.only(count <= 1), left_out=(*scores.left_out, note))


@dataclass(frozen=True, eq=False)
class ImageLabelPairs:
    """Image/label pairs in a table, and their positions in the (n, k) matrix of images and labels."""

    has: BoolArray
    _where: Any  # target in the matrix: a block of rows and columns, or positions in the flat matrix
    _rows: Any  # rows of the table that have a target: all, or a mask

    def matrix(self, values: FloatArray) -> FloatArray:
        """Arrange values, one per table row, in a matrix of shape (n, k), with 0 for missing pairs."""
        result = np.zeros(self.has.shape)
        _assign(result, self._where, values[self._rows])
        return result


def find_pairs(frame: pd.DataFrame, name: str, images: pd.Index, labels: pd.Index) -> ImageLabelPairs:
    """Find the image/label pairs in a table with categorical columns. A duplicate is a TableError."""
    columns = [(images, frame["image"].cat), (labels, frame["label"].cat)]
    places = [index.get_indexer(column.categories) for index, column in columns]
    codes = [column.codes.to_numpy() for _, column in columns]
    has = np.zeros((len(images), len(labels)), dtype=bool)
    block = _block(*codes)
    if block is not None:
        row, column = (index[of] for index, of in zip(places, block, strict=True))
        if (row >= 0).all() and (column >= 0).all():
            where = _as_slice(row, len(images)), _as_slice(column, len(labels))
            _assign(has, where, True)
            return ImageLabelPairs(has, where, slice(None))
    row, column = (np.append(index, -1)[of] for index, of in zip(places, codes, strict=True))
    kept = (row >= 0) & (column >= 0)
    cells = row[kept] * len(labels) + column[kept]
    has.ravel()[cells] = True
    if np.count_nonzero(has) < cells.size:
        repeated = np.flatnonzero(np.bincount(cells) > 1)[0]
        image, label = images[repeated // len(labels)], labels[repeated % len(labels)]
        raise TableError(f"{name} has label {label!r} twice for image {image!r}. Drop the repeated rows.")
    return ImageLabelPairs(has, cells, kept)


def _block(image: npt.NDArray[Any], label: npt.NDArray[Any]) -> tuple[IntArray, IntArray] | None:
    """Return images and labels of a table that lists the same labels in order for each image (most do), else None."""
    width = int(np.argmax(image != image[0])) if image.size else 0
    if width == 0 or image.size % width:
        return None
    images, labels = image.reshape(-1, width), label.reshape(-1, width)
    if (images != images[:, :1]).any() or (labels != labels[0]).any() or labels[0].min() < 0:
        return None
    rows, columns = images[:, 0].astype(np.int64), labels[0].astype(np.int64)
    distinct = np.unique(rows).size == rows.size and np.unique(columns).size == columns.size
    return (rows, columns) if distinct else None


def _as_slice(positions: IntArray, count: int) -> IntArray | slice:
    """Return a slice, which is faster, if ``positions`` are all ``count`` rows or columns in order."""
    return slice(None) if np.array_equal(positions, np.arange(count)) else positions


def _assign(matrix: npt.NDArray[Any], where: Any, values: Any) -> None:
    if not isinstance(where, tuple):
        matrix.ravel()[where] = values
        return
    rows, columns = where
    shape = (-1, matrix.shape[1] if isinstance(columns, slice) else len(columns))
    values = values if np.isscalar(values) else values.reshape(shape)
    both = not isinstance(rows, slice) and not isinstance(columns, slice)
    matrix[np.ix_(rows, columns) if both else where] = values
