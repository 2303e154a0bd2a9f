"""Truth and predictions of one test set as two matrices: every figure is computed from these."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.errors import InputError, NotEnoughDataError, TableError
from customlabels_nb.tables import check_label, label_colour, labels_in_order, normalise_labels

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SINGLE_LABEL, MULTI_LABEL = "single-label", "multi-label"
CLASSIFICATION_TASKS = (SINGLE_LABEL, MULTI_LABEL)

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, eq=False)
class Scores:
    """One test set, ``n`` images by ``k`` labels.

    Attributes
    ----------
    task : str
        One of :data:`CLASSIFICATION_TASKS`.
    images : ndarray of object, shape (n,)
        Names of the test images.
    labels, colours : tuple of str, length k
        In the order of the labels.
    truth : ndarray of bool, shape (n, k)
        Whether the image has the label.
    confidence : ndarray of float64, shape (n, k)
        0..1; 0 for a pair that the predictions don't have.
    given : ndarray of bool, shape (n, k)
        Pairs that the predictions have. The others are never predicted, even at a threshold of 0.
    left_out : int
        Images of truth or predictions that aren't test images.
    """

    task: str
    images: npt.NDArray[np.object_]
    labels: tuple[str, ...]
    colours: tuple[str, ...]
    truth: BoolArray
    confidence: FloatArray
    given: BoolArray
    left_out: int = 0

    @property
    def test_images(self) -> IntArray:
        """Number of test images that have each label, shape (k,)."""
        return np.asarray(self.truth.sum(axis=0), dtype=np.int64)

    @property
    def in_test_set(self) -> BoolArray:
        """Labels that at least one test image has, shape (k,)."""
        return np.asarray(self.truth.any(axis=0))

    @property
    def known(self) -> BoolArray:
        """Labels that the predictions have at all, shape (k,)."""
        return np.asarray(self.given.any(axis=0))

    @property
    def answered(self) -> BoolArray:
        """Images that the predictions have at all, shape (n,)."""
        return np.asarray(self.given.any(axis=1))

    def column(self, position: int) -> tuple[BoolArray, FloatArray, BoolArray]:
        """Truth, confidence and given of one label, each of shape (n,)."""
        return self.truth[:, position], self.confidence[:, position], self.given[:, position]

    def accepted(self, thresholds: FloatArray) -> BoolArray:
        """Pairs whose confidence is equal to or above the label's threshold, shape (n, k)."""
        return (self.confidence >= thresholds) & self.given

    def true_label(self) -> IntArray:
        """Position of each image's label, shape (n,); -1 without one. For single-label tasks."""
        return np.where(self.truth.any(axis=1), self.truth.argmax(axis=1), -1)

    def predicted_label(self) -> IntArray:
        """Position of each image's most confident label (a tie: the first), shape (n,); -1 without predictions."""
        return np.where(self.answered, np.where(self.given, self.confidence, -1.0).argmax(axis=1), -1)


def make_scores(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    task: str = SINGLE_LABEL,
) -> Scores:
    """The matrices of a truth and a predictions table.

    Parameters
    ----------
    truth : DataFrame
        Columns ``image`` and ``label``, one row a label; a row whose label is null is an image without label.
    predictions : DataFrame
        Columns ``image``, ``label`` and ``confidence`` (0..1); a missing pair has confidence 0
        and is never predicted.
    images : list, Series or DataFrame with a column ``image``, optional
        The test images; by default those of both tables. Rows of other images are left out.
    labels : list or labels table, optional
        Gives order and colours; labels that neither table has are left out.
    task : {"single-label", "multi-label"}

    Raises
    ------
    InputError
        If ``task`` or ``images`` can't be used.
    TableError
        If a column is missing, a pair is repeated, a confidence is no number in 0..1, or an image of a
        single-label task has two labels.
    NotEnoughDataError
        If there are no test images, no predictions, or no test image has a label.
    """
    if task not in CLASSIFICATION_TASKS:
        raise InputError(f"task={task!r} can't be evaluated here; use one of {', '.join(CLASSIFICATION_TASKS)}.")
    truth = _clean(truth, "truth", ("image", "label"))
    predictions = _clean(predictions, "predictions", ("image", "label", "confidence"))
    confidence = _confidences(predictions)
    test_images, left_out = _test_images(truth, predictions, images)
    names, colours = _labels(truth, predictions, labels)
    if not test_images.size or not names:
        raise NotEnoughDataError("There is nothing to evaluate: truth and predictions name no test image or no label.")

    place = pd.Index(test_images), pd.Index(names)
    truth_at, _ = _positions(truth, "truth", *place)
    predicted_at, kept = _positions(predictions, "predictions", *place)
    if not truth_at[0].size:
        raise NotEnoughDataError(f"None of the {test_images.size} test images has a label in truth; label some first.")
    if not predicted_at[0].size:
        raise NotEnoughDataError(
            f"predictions has no row for any of the {test_images.size} test images; compare the column 'image' of both."
        )
    is_true = np.zeros((test_images.size, len(names)), dtype=bool)
    is_true[truth_at] = True
    if task == SINGLE_LABEL:
        _check_one_label_each(is_true, test_images, names)
    scores = np.zeros(is_true.shape)
    scores[predicted_at] = confidence[kept]
    given = np.zeros(is_true.shape, dtype=bool)
    given[predicted_at] = True
    return Scores(task, test_images, tuple(names), tuple(colours), is_true, scores, given, left_out)


def _clean(frame: pd.DataFrame, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{name} is a DataFrame with the columns {', '.join(columns)}; got {type(frame).__name__}.")
    for column in columns:
        if column not in frame.columns:
            raise TableError(f"{name} needs a column {column!r}; it has {list(frame.columns)}.")
    if frame["image"].isna().any():
        raise TableError(f"The column 'image' of {name} has empty cells; each row needs a path or URL.")
    result = frame[list(columns)].reset_index(drop=True)
    result["image"] = result["image"].astype("str")
    unique: dict[Hashable, str] = {label: check_label(label) for label in result["label"].dropna().unique()}
    result["label"] = result["label"].map(unique).astype("object")
    return result


def _confidences(predictions: pd.DataFrame) -> FloatArray:
    numbers = pd.to_numeric(predictions["confidence"], errors="coerce")
    values: FloatArray = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))  # also what is no number at all
    if wrong.size:
        row = predictions.iloc[wrong[0]]
        raise TableError(
            f"Confidences of predictions lie between 0 and 1 (divide percentages by 100); image {row['image']!r}, "
            f"label {row['label']!r} has {row['confidence']!r}."
        )
    return values


def _test_images(
    truth: pd.DataFrame, predictions: pd.DataFrame, images: Iterable[str] | pd.DataFrame | None
) -> tuple[npt.NDArray[np.object_], int]:
    seen = pd.concat([truth["image"], predictions["image"]]).unique()
    if images is None:
        return np.asarray(seen, dtype=object), 0
    if isinstance(images, str | bytes):
        raise InputError(f"images={images!r} is one name; give a list, a Series or a DataFrame with a column 'image'.")
    if isinstance(images, pd.DataFrame):
        if "image" not in images.columns:
            raise TableError(f"images needs a column 'image'; it has {list(images.columns)}.")
        images = images["image"]
    given = pd.Series(list(images), dtype="object")
    if given.isna().any():
        raise TableError("images has empty cells; each test image needs its path or URL.")
    given = given.astype("str")
    if given.duplicated().any():
        raise TableError(f"images names {str(given[given.duplicated()].iloc[0])!r} twice; name each test image once.")
    return given.to_numpy(dtype=object), int((~pd.Index(seen).isin(given)).sum())


def _labels(
    truth: pd.DataFrame, predictions: pd.DataFrame, labels: Iterable[str] | pd.DataFrame | None
) -> tuple[list[str], list[str]]:
    both = pd.DataFrame({"label": [*truth["label"].dropna().unique(), *predictions["label"].dropna().unique()]})
    table = normalise_labels([] if labels is None else labels)
    colour_of: dict[str, Any] = dict(zip(table["label"], table["colour"], strict=True))
    for label, colour in colour_of.items():
        if not _COLOUR.fullmatch(str(colour)):  # it goes into style sheets
            raise TableError(f"The colour of label {label!r} is {colour!r}; give it as #rrggbb.")
    ordered = labels_in_order(both, table["label"])
    colours = [colour_of.get(label) or label_colour(position) for position, label in enumerate(ordered)]
    here = set(both["label"])
    kept = [(label, colour) for label, colour in zip(ordered, colours, strict=True) if label in here]
    return [label for label, _ in kept], [colour for _, colour in kept]


def _positions(
    frame: pd.DataFrame, name: str, images: pd.Index, labels: pd.Index
) -> tuple[tuple[IntArray, IntArray], BoolArray]:
    """Row and column in the matrices of the frame's rows, and which of its rows have one."""
    row = images.get_indexer(frame["image"]).astype(np.int64)
    column = labels.get_indexer(frame["label"]).astype(np.int64)
    kept = (row >= 0) & (column >= 0)
    flat = row[kept] * len(labels) + column[kept]
    repeated = np.flatnonzero(np.bincount(flat, minlength=1) > 1)
    if repeated.size:
        image, label = images[repeated[0] // len(labels)], labels[repeated[0] % len(labels)]
        raise TableError(f"{name} has label {label!r} twice for image {image!r}; drop the repeated rows.")
    return (row[kept], column[kept]), kept


def _check_one_label_each(truth: BoolArray, images: npt.NDArray[np.object_], names: list[str]) -> None:
    many = np.flatnonzero(truth.sum(axis=1) > 1)
    if many.size:
        found = [names[column] for column in np.flatnonzero(truth[many[0]])]
        raise TableError(
            f"Image {images[many[0]]!r} has the labels {found!r} in truth, but task='single-label' means one an image; "
            "keep one, or use task='multi-label'."
        )
