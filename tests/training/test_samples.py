"""Tests of the held-out images shown during a training."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb.events import Mark
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.training.samples import chosen, make_samples


def canvas(width: int, height: int) -> object:
    """Return a white image with a red left half on a canvas."""
    image = Image.new("RGB", (width, height), "white")
    image.paste((255, 0, 0), (0, 0, width // 2, height))
    return to_canvas(image, 320, (0, 0, 0))


def test_sample_images_are_spread_and_distinct() -> None:
    assert chosen(0) == []
    assert chosen(4) == [0, 1, 2, 3]
    assert chosen(1000, 4) == [125, 375, 625, 875]
    for count in range(1, 60):
        found = chosen(count)
        assert found == sorted(set(found))
        assert len(found) == min(6, count)
        assert 0 <= found[0] <= found[-1] < count


def test_boxes_stay_in_pixels_of_the_image_and_unsure_ones_are_left_out() -> None:
    truth = pd.DataFrame(
        {"image": ["0", "0", "1"], "label": ["a", "a", "b"], "left": [10.0, 0, 5], "top": [20.0, 0, 5],
         "width": [300.0, 900, 9], "height": [100.0, 600, 9], "crowd": [False, True, False]}
    )  # fmt: skip
    predictions = pd.DataFrame(
        {"image": ["0"] * 3, "label": ["a", "b", "a"], "confidence": [0.2, 0.5, 0.9], "left": 1.0, "top": 2.0,
         "width": 3.0, "height": 4.0}
    )  # fmt: skip
    first, second = make_samples(
        ["0", "1"], [canvas(900, 600), canvas(50, 90)], truth, predictions, captions=["x/one.jpg", "two.jpg"]
    )
    assert (first.image, first.size) == ("x/one.jpg", (900, 600))
    assert first.true == (Mark("a", (10, 20, 300, 100)),)
    assert first.predicted == (Mark("a", (1, 2, 3, 4), 0.9), Mark("b", (1, 2, 3, 4), 0.5))
    assert second.predicted == ()
    with Image.open(io.BytesIO(first.picture)) as image:
        assert image.format == "JPEG"
        assert image.size == (320, 213)  # the padding of the canvas is not in it
        pixels = np.asarray(image)
    assert pixels[100, 20].tolist()[1] < 40
    assert pixels[100, 300].min() > 215
    assert len(first.picture) < 30_000


def test_an_image_with_labels_shows_its_likeliest_one_at_least() -> None:
    truth = pd.DataFrame({"image": ["0"], "label": ["a"]})
    predictions = pd.DataFrame({"image": ["0", "0"], "label": ["a", "b"], "confidence": [0.1, 0.2]})
    (only,) = make_samples(["0"], [canvas(40, 40)], truth, predictions)
    assert only.true == (Mark("a"),)
    assert only.predicted == (Mark("b", None, 0.2),)
    (both,) = make_samples(["0"], [canvas(40, 40)], truth, predictions.assign(confidence=[0.6, 0.7]))
    assert [mark.label for mark in both.predicted] == ["b", "a"]


def test_no_predictions_at_all() -> None:
    truth = pd.DataFrame({"image": ["0"], "label": ["a"], "left": [0.0], "top": [0.0], "width": [9.0], "height": [9.0]})
    none = truth.head(0).assign(confidence=pd.Series(dtype=float))
    (only,) = make_samples(["0"], [canvas(40, 40)], truth, none)
    assert only.predicted == ()
