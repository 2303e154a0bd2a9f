from __future__ import annotations

import numpy as np
import pytest

from customlabels_nb.assist.learning import (
    FEWEST_CHECKED,
    Counts,
    Forecast,
    count_on_check_images,
    describe_forecast,
    forecast,
    seconds_per_label,
)
from customlabels_nb.assist.probabilities import learn

LABELS = ["apple", "lime", "pear"]


def drawn(n: int, spread: float, *, random_state: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(random_state)
    label = rng.integers(0, 3, n)
    return (np.eye(3, 40)[label] + spread * rng.normal(size=(n, 40))).astype(np.float32), label


def following_a_power_law(images: int, *, exponent: float = 0.5, random_state: int = 0) -> Counts:
    """Draw results whose share of errors is ``size ** -exponent``."""
    rng = np.random.default_rng(random_state)
    sizes, label, difficulty = np.array([20, 40, 80, 160]), rng.integers(0, 3, images), rng.random(images)
    truth = np.eye(3, dtype=bool)[label]
    right = difficulty[None] > sizes[:, None] ** -exponent
    predicted = np.where(right[..., None], truth, np.roll(truth, 1, axis=1))
    return Counts(sizes, predicted & truth, predicted, truth)


def test_a_power_law_is_continued() -> None:
    found = forecast(following_a_power_law(20_000), more=160)
    assert found is not None
    expected = 160**-0.5 - 320**-0.5
    assert found.f1 == pytest.approx(1 - 160**-0.5, abs=0.01)
    assert found.gain == pytest.approx(expected, abs=0.005)
    assert found.low <= found.gain <= found.high
    assert found.high - found.low < 0.01


def test_few_check_images_make_the_interval_wide() -> None:
    many, few = forecast(following_a_power_law(5000)), forecast(following_a_power_law(60))
    assert many is not None
    assert few is not None
    assert few.high - few.low > 3 * (many.high - many.low)
    assert forecast(following_a_power_law(FEWEST_CHECKED - 1)) is None


def test_check_images_without_labels_make_no_forecast_undefined() -> None:
    counts = following_a_power_law(60)
    bare = np.arange(60) >= 3
    for each in (counts.hits, counts.predicted, counts.truth):
        each[..., bare, :] = False
    found = forecast(counts)
    assert found is not None
    assert found.low <= found.gain <= found.high
    counts.truth[:] = False
    assert forecast(counts) is None


def test_the_label_that_gains_most_is_named() -> None:
    counts = following_a_power_law(6000)
    predicted = np.broadcast_to(counts.truth, counts.predicted.shape).copy()
    lime = counts.truth[:, 1]
    predicted[:, lime] = counts.predicted[:, lime]  # only limes are mistaken, for pears
    found = forecast(Counts(counts.sizes, predicted & counts.truth, predicted, counts.truth))
    assert found is not None
    assert found.label == 1
    even = forecast(counts)
    assert even is not None
    assert even.label is None


def test_perfect_models_gain_nothing() -> None:
    truth = np.eye(2, dtype=bool)[np.arange(40) % 2]
    every = np.broadcast_to(truth, (4, 40, 2))
    found = forecast(Counts(np.array([10, 20, 40, 80]), every, every, truth))
    assert found is not None
    assert (found.f1, found.gain, found.high) == (1, 0, 0)


@pytest.mark.parametrize("several", [False, True])
def test_the_curve_rises_with_the_labels(several: bool) -> None:
    features, label = drawn(300, 0.8)
    truth = np.eye(3, dtype=bool)[label] if several else label
    check = np.arange(0, 300, 3)
    counts = count_on_check_images(features, truth, check, learn(features, truth, 3))
    f1 = 2 * counts.hits.sum(axis=(1, 2)) / (counts.predicted.sum(axis=(1, 2)) + counts.truth.sum())
    assert counts.sizes[-1] == 300
    assert f1[-1] > f1[0]
    assert counts.truth.sum() == 100
    found = forecast(counts)
    assert found is not None
    assert found.gain >= 0


def test_chosen_images_do_not_bias_the_curve() -> None:
    features, label = drawn(600, 0.9)
    check = np.arange(200)
    easy = np.r_[check, 200 + np.flatnonzero(features[np.arange(200, 600), label[200:]] > 1.0)]
    counts = count_on_check_images(features[easy], label[easy], check, learn(features[easy], label[easy], 3))
    fresh, their_label = drawn(5000, 0.9, random_state=1)
    head = learn(features[easy], label[easy], 3)
    really = (head.logits(fresh).argmax(axis=1) == their_label).mean()
    assert counts.hits[-1].sum() / 200 == pytest.approx(really, abs=0.1)


def test_advice_contains_metrics() -> None:
    found = Forecast(50, 0.9, 0.021, 0.002, 0.04, 1)
    text = "The next 50 labels would raise F1 by 0.02 (0.00–0.04), mostly for lime."
    assert describe_forecast(found, LABELS, None) == text
    assert describe_forecast(found, LABELS, 12) == f"{text} They take about 12 minutes at your pace."
    assert "mostly" not in describe_forecast(Forecast(50, 0.9, 0.02, 0, 0.04, None), LABELS, None)
    done = describe_forecast(Forecast(50, 0.99, 0.001, 0, 0.004, None), LABELS, 3)
    assert done == "The next 50 labels would raise F1 by 0.00 (0.00–0.00). The model hardly needs them."
    assert "\n" not in describe_forecast(found, ["a", "li\nme"], None)


def test_breaks_do_not_count_as_pace() -> None:
    times = np.r_[np.arange(10) * 3.0, 5000 + np.arange(10) * 3.0]
    assert seconds_per_label(times) == pytest.approx(3)
    assert seconds_per_label(times[::-1]) == pytest.approx(3)
    assert seconds_per_label(np.repeat(np.arange(4) * 9.0, 9)) == pytest.approx(1)  # nine labels per key
    assert seconds_per_label([1.0, 2.0]) is None
