"""Tables of boxes to evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st

CORNERS = ["left", "top", "width", "height"]
LABELS = ["a", "b", "c", "d"]
MASK_SIZE = 110, 90

#: Ground truth, predictions, and the names of the test images.
Case: TypeAlias = tuple[pd.DataFrame, pd.DataFrame, list[str]]


def true_boxes(*rows: Sequence[object]) -> pd.DataFrame:
    """Return a table of image, label, left, top, width, height and optionally crowd."""
    columns = ["image", "label", *CORNERS, "crowd"]
    return pd.DataFrame([(*row, False)[:7] for row in rows], columns=columns)


def predicted_boxes(*rows: Sequence[object]) -> pd.DataFrame:
    """Return a table of image, label, confidence, left, top, width, height."""
    return pd.DataFrame(rows, columns=["image", "label", "confidence", *CORNERS])


def shop() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return three images of a shop with one of every outcome of a box at a threshold of 0.5.

    1.jpg: a detected apple, a missed one that a prediction of 0.2 would match, a pear predicted as apple. 2.jpg: a
    pear detected twice (one of them is a duplicate), a false positive on the background, apples on a crowd. 3.jpg: no
    boxes, no predictions.
    """
    truth = true_boxes(
        ("1.jpg", "apple", 0, 0, 100, 100),
        ("1.jpg", "apple", 200, 0, 100, 100),
        ("1.jpg", "pear", 400, 0, 20, 20),
        ("2.jpg", "pear", 0, 0, 50, 50),
        ("2.jpg", "apple", 300, 300, 200, 200, True),
        ("3.jpg", None, None, None, None, None),
    )
    predictions = predicted_boxes(
        ("1.jpg", "apple", 0.9, 0, 0, 100, 80),
        ("1.jpg", "apple", 0.2, 200, 0, 100, 90),
        ("1.jpg", "apple", 0.7, 400, 0, 20, 20),
        ("2.jpg", "pear", 0.8, 0, 0, 50, 45),
        ("2.jpg", "pear", 0.6, 0, 0, 50, 50),
        ("2.jpg", "pear", 0.55, 600, 600, 40, 40),
        ("2.jpg", "apple", 0.95, 300, 300, 50, 50),
    )
    return truth, predictions


def drawn(random_state: int, *, images: int, truths: int, predictions: int, coarse: bool, crowds: float) -> Case:
    """Return random boxes, with many predictions near a true box and some duplicates.

    Coarse boxes often have equal IoU and few distinct confidences.
    """
    rng = np.random.default_rng(random_state)
    names = np.array([f"{number}.jpg" for number in range(images)])

    def some(count: int) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
        frame = pd.DataFrame(
            {"image": rng.choice(names, count), "label": rng.choice(LABELS, count, p=[0.6, 0.2, 0.1, 0.1])}
        )
        box = np.concatenate([rng.uniform(0, 30, (count, 2)), rng.uniform(0, 40, (count, 2))], axis=1)
        return frame, np.round(box / 6) * 6 if coarse else box

    truth, box = some(truths)
    truth[CORNERS], truth["crowd"] = box, rng.random(truths) < crowds
    predicted, near = some(predictions)
    if truths:
        source, on = rng.integers(0, truths, predictions), rng.random(predictions) < 0.7
        predicted.loc[on, ["image", "label"]] = truth[["image", "label"]].to_numpy()[source[on]]
        shift = rng.integers(-1, 2, (predictions, 4)) * 3.0 if coarse else rng.normal(0, 2, (predictions, 4))
        near[on] = np.maximum(box[source] + shift, 0)[on]
    predicted[CORNERS] = near
    predicted["confidence"] = rng.integers(0, 6, predictions) / 5 if coarse else rng.random(predictions)
    if predictions:
        copied = rng.random(predictions) < 0.1
        predicted = predicted.iloc[np.where(copied, rng.integers(0, predictions, predictions), np.arange(predictions))]
    return truth, predicted.reset_index(drop=True), names.tolist()


def drawn_masks(random_state: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return polygons with holes, parts, crowds and ties that partly leave the image, and shifted copies of them."""
    rng = np.random.default_rng(random_state)

    def ring(centre: Any, radius: float) -> list[list[float]]:
        angle = np.sort(rng.random(7)) * 2 * np.pi
        around = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (0.5 + rng.random((7, 1)))
        points: list[list[float]] = (around * radius + centre).tolist()
        return points

    truth, predictions = [], []
    for _ in range(50):
        image, label = rng.integers(6), rng.choice(["a", "b"])
        centre, radius = rng.random(2) * 100, rng.random() * 25 + 2
        more = [ring(centre, radius / 3)] * (rng.random() < 0.3) + [ring(centre + 30, radius / 2)] * (
            rng.random() < 0.2
        )
        rings = [ring(centre, radius), *more]
        row = {"image": f"{image}.jpg", "label": label, **dict.fromkeys(CORNERS, np.nan)}
        truth.append({**row, "polygon": rings if more else rings[0], "crowd": rng.random() < 0.15})
        for _ in range(rng.integers(0, 4)):
            moved = [np.add(one, rng.normal(0, radius / 6, np.shape(one))).tolist() for one in rings]
            said = label if rng.random() < 0.8 else "b"
            predictions.append({**row, "polygon": moved, "label": said, "confidence": rng.integers(0, 20) / 20})
    images = pd.DataFrame({"image": [f"{i}.jpg" for i in range(6)], "width": MASK_SIZE[0], "height": MASK_SIZE[1]})
    return pd.DataFrame(truth), pd.DataFrame(predictions), images


@st.composite
def cases(draw: Any) -> Case:
    """Draw up to six images: with crowds, ties, duplicates, without truth or predictions, labels in one table only."""
    images = draw(st.integers(1, 6))
    truths, predictions = draw(st.integers(0, 12 * images)), draw(st.integers(0, 20 * images))
    return drawn(
        draw(st.integers(0, 2**32 - 1)),
        images=images,
        truths=truths or int(not predictions),
        predictions=predictions,
        coarse=draw(st.booleans()),
        crowds=draw(st.sampled_from([0.0, 0.2, 1.0])),
    )
