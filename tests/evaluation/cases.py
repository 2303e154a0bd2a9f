"""Tables to evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st

from customlabels_nb.evaluation.outcomes import Steps

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(2)',
    "$x^2$ and $\\frac{1}{2}$",
    "one $ only",
    "תפוח אדום",
    "_hidden",
    "a label whose name is " + "very " * 20 + "long",
    "tab\tand\nline end",
    "</style><b>",
)


def tables(
    truth: Sequence[int | None], confidence: npt.ArrayLike, labels: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return truth and dense predictions: image i has label ``truth[i]`` and the confidences of row i."""
    matrix = np.asarray(confidence, dtype=np.float64)
    names = list(labels) if labels is not None else [f"label {j}" for j in range(matrix.shape[1])]
    images = [f"image {i}.jpg" for i in range(len(matrix))]
    rows = [(images[i], names[label]) for i, label in enumerate(truth) if label is not None]
    predictions = [
        (image, name, value)
        for image, row in zip(images, matrix.tolist(), strict=True)
        for name, value in zip(names, row, strict=True)
    ]
    return (
        pd.DataFrame(rows, columns=["image", "label"]),
        pd.DataFrame(predictions, columns=["image", "label", "confidence"]),
    )


def random_tables(images: int, labels: Sequence[str], *, random_state: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a mostly correct classifier's predictions for images with about balanced labels."""
    rng = np.random.default_rng(random_state)
    truth = rng.permutation(np.arange(images) % len(labels))
    scores = rng.normal(size=(images, len(labels)))
    scores[np.arange(images), truth] += 2
    confidence = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return tables(truth.tolist(), confidence, labels)


def caps_and_watches() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 390 caps and 234 watches with the counts and thresholds of the service's published example."""
    groups: list[tuple[int, str, float, float]] = [
        # count, truth, confidence as CAP, as WATCH
        (381, "CAP", 0.9979, 0.0100),
        (7, "CAP", 0.9780, 0.0189),
        (2, "CAP", 0.0050, 0.9950),
        (164, "WATCH", 0.0050, 0.9950),
        (63, "WATCH", 0.9780, 0.0189),
        (7, "WATCH", 0.9979, 0.0100),
    ]
    truth, predictions = [], []
    for count, label, cap, watch in groups:
        for _ in range(count):
            image = f"s3://bucket/{len(truth)}.jpg"
            truth.append((image, label))
            predictions += [(image, "CAP", cap), (image, "WATCH", watch)]
    return (
        pd.DataFrame(truth, columns=["image", "label"]),
        pd.DataFrame(predictions, columns=["image", "label", "confidence"]),
    )


@st.composite
def one_label(draw: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Draw truth and confidences of one label on 1 to 40 images, at least one of which has it, with many ties."""
    n = draw(st.integers(1, 40))
    truth = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    truth[draw(st.integers(0, n - 1))] = True
    some = st.one_of(st.integers(0, 10).map(lambda tenth: tenth / 10), st.floats(0, 1, width=32))
    return truth, np.array(draw(st.lists(some, min_size=n, max_size=n)), dtype=np.float64)


@st.composite
def single_label_cases(draw: Any) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Draw labels of 1 to 25 images, and confidences for 2 to 5 labels that sum to about 1."""
    n, k = draw(st.integers(1, 25)), draw(st.integers(2, 5))
    truth = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.exponential(size=(n, k)) ** draw(st.sampled_from([1.0, 4.0]))
    if draw(st.booleans()):
        weights = np.ceil(weights)  # equal confidences
    return truth, weights / weights.sum(axis=1, keepdims=True)


@st.composite
def multi_label_cases(draw: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Draw the labels of 1 to 25 images out of 2 to 5, at least one in all, and confidences with many ties."""
    n, k = draw(st.integers(1, 25)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    has = rng.random((n, k)) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    has[rng.integers(n), rng.integers(k)] = True
    confidence = np.clip(has * rng.random() + rng.random((n, k)), 0, 1)
    return has, confidence.round(draw(st.sampled_from([1, 2, 12])))


def multi_label_tables(
    has: npt.NDArray[np.bool_], confidence: npt.NDArray[np.float64]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return truth with at least one row per image, and dense predictions."""
    _, predictions = tables([None] * len(has), confidence)
    names = [f"label {j}" for j in range(has.shape[1])]
    rows = [
        (f"image {i}.jpg", name)
        for i, row in enumerate(has.tolist())
        for name in ([name for name, true in zip(names, row, strict=True) if true] or [None])
    ]
    return pd.DataFrame(rows, columns=["image", "label"]), predictions


def steps(truth: npt.NDArray[np.bool_], confidence: npt.NDArray[np.float64]) -> Steps:
    """Return the steps of one label of a classifier that predicts every image."""
    return Steps.of(truth, confidence, int(truth.sum()))
