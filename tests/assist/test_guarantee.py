from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from customlabels_nb.assist.guarantee import (
    Guarantee,
    check_boxes,
    fewest_items,
    find_guarantee,
    guarantee_labels,
    labels_needed,
    lower_bound,
    precision_interval,
)
from customlabels_nb.assist.probabilities import clarity
from customlabels_nb.errors import InputError

Drawn = tuple[np.ndarray, np.ndarray]


def drawn(rng: np.random.Generator, n: int) -> Drawn:
    """Draw confidences of two labels and whether the predictions are right, at an accuracy of 0.89."""
    confidence = 1 / (1 + np.exp(-np.abs(rng.normal(3, 2, n))))
    return confidence, rng.random(n) < confidence


def judge_labels(probabilities: np.ndarray, truth: np.ndarray) -> list[Guarantee]:
    predicted = probabilities.argmax(axis=1)
    return guarantee_labels(probabilities.max(axis=1), predicted, predicted == truth, probabilities.shape[1], 0.95)


@pytest.mark.parametrize(
    ("target", "errors", "items"),
    [(0.95, 0, 59), (0.95, 1, 93), (0.95, 2, 124), (0.90, 0, 29), (0.99, 0, 299)],
)
def test_the_fewest_items_are_those_of_the_binomial_distribution(target: float, errors: int, items: int) -> None:
    assert fewest_items(target, errors) == items
    assert lower_bound(items - errors, items) >= target > lower_bound(items - 1 - errors, items - 1)


@given(st.integers(1, 400), st.data())
def test_bounds_agree_with_scipy(count: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, count))
    one_sided = binomtest(right, count, alternative="greater").proportion_ci(0.95, "exact")
    assert float(lower_bound(right, count)) == pytest.approx(one_sided.low, abs=1e-9)
    both = binomtest(right, count).proportion_ci(0.95, "exact")
    assert precision_interval(right, count) == pytest.approx((both.low, both.high), abs=1e-9)


def test_bound_needs_59_check_items() -> None:
    confidence = np.linspace(0.5, 1, 59)
    assert find_guarantee(confidence[:58], np.ones(58, bool), 0.95).shown == 0
    assert find_guarantee(confidence[:58], np.ones(58, bool), 0.95).threshold == np.inf
    found = find_guarantee(confidence, np.ones(59, bool), 0.95)
    assert (found.shown, found.right, found.threshold) == (59, 59, 0.5)
    assert found.bound >= 0.95


def test_near_duplicates_count_once() -> None:
    confidence, right = np.linspace(0.5, 1, 100), np.ones(100, bool)
    copies = np.arange(100) % 58
    assert find_guarantee(confidence, right, 0.95, copies=copies).items == 58
    assert find_guarantee(confidence, right, 0.95, copies=copies).shown == 0
    assert find_guarantee(confidence, right, 0.95, copies=np.arange(100) % 59).shown == 59


def test_items_of_equal_confidence_are_shown_together() -> None:
    right = np.arange(200) < 150  # whichever come first are right
    assert find_guarantee(np.full(200, 0.9), right, 0.95).shown == 0
    assert find_guarantee(np.full(200, 0.9), np.ones(200, bool), 0.95).shown == 200


def test_the_lowest_of_the_safe_thresholds_is_taken() -> None:
    right = np.arange(1000) % 40 != 39  # 2.5 % errors everywhere
    found = find_guarantee(np.linspace(1, 0.5, 1000), right, 0.95)
    assert found.shown > 900  # the largest rung
    assert found.right / found.shown == pytest.approx(0.975, abs=0.005)


def broken(rule: str, runs: int, n: int = 200) -> float:
    """Return the share of runs in which less than 95 % of what is shown is really right."""
    rng = np.random.default_rng(0)
    population = drawn(rng, 200_000)
    order = np.argsort(-population[0])
    sure, precision = population[0][order], np.cumsum(population[1][order]) / np.arange(1, 200_001)
    failures = 0
    for _ in range(runs):
        confidence, right = drawn(rng, n)
        if rule == "bound":
            threshold = find_guarantee(confidence, right, 0.95).threshold
        else:
            own = np.argsort(-confidence)
            measured = np.cumsum(right[own]) / np.arange(1, n + 1)
            threshold = confidence[own][np.flatnonzero(measured >= 0.95)].min(initial=np.inf)
        shown = np.searchsorted(-sure, -threshold, side="right")
        failures += bool(shown and precision[shown - 1] < 0.95)
    return failures / runs


def test_bound_holds_where_measured_precision_does_not() -> None:
    assert broken("bound", 1000) <= 0.04  # measured 0.03 in the longest simulation
    assert broken("measured precision", 300) >= 0.4


def test_bound_holds_for_labels_of_different_quality() -> None:
    rng = np.random.default_rng(0)
    middle, excess = np.array([3.5, 3.0, 2.0]), np.array([0.0, 0.0, 0.1])

    def drawn_with_labels(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        label = rng.choice(3, n, p=[0.5, 0.3, 0.2])
        confidence = 1 / (1 + np.exp(-np.abs(rng.normal(middle[label], 2))))
        return confidence, label, rng.random(n) < confidence - excess[label]

    confidence, label, right = drawn_with_labels(50_000)
    covered, kept = [], []
    for _ in range(150):
        found = guarantee_labels(*drawn_with_labels(200), 3, 0.95)
        shown = confidence >= np.array([one.threshold for one in found])[label]
        covered.append(shown.mean())
        kept.append(not shown.any() or right[shown].mean() >= 0.95)
    assert np.mean(kept) >= 0.95  # measured 0.99 in the longest simulation
    assert np.mean(covered) > 0.15  # 0.13 if a label with enough items were never pooled


def test_coverage_grows_with_the_check_images() -> None:
    rng = np.random.default_rng(0)
    accuracy = drawn(rng, 100_000)[1].mean()
    assert accuracy == pytest.approx(0.89, abs=0.02)
    population = drawn(rng, 50_000)[0]
    covered = []
    for n in (100, 200, 400, 800):
        thresholds = [find_guarantee(*drawn(rng, n), 0.95).threshold for _ in range(150)]
        covered.append(np.mean([(population >= threshold).mean() for threshold in thresholds]))
    assert covered == sorted(covered)
    assert 0.02 < covered[0] < 0.25
    assert covered[3] > 0.45


def test_random_labels_are_never_prelabelled() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        probabilities = rng.dirichlet(np.ones(3), 600)
        found = judge_labels(probabilities, rng.integers(0, 3, 600))
        assert [one.shown for one in found] == [0, 0, 0]


def test_a_label_gets_its_own_threshold_and_the_others_share_one() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [200, 40, 40])
    probabilities = np.full((280, 3), 0.02)
    probabilities[np.arange(280), truth] = rng.uniform(0.7, 0.96, 280)
    first, second, third = judge_labels(probabilities, truth)
    assert first.labels == (0,)
    assert first.items == 200
    assert second is third
    assert (second.labels, second.items) == ((1, 2), 80)
    assert second.shown >= 59


def test_a_label_with_many_errors_does_not_hide_the_others() -> None:
    truth = np.repeat([0, 1], 300)
    probabilities = np.zeros((600, 2))
    probabilities[np.arange(600), truth] = 1
    probabilities[300:, :] = [0.1, 0.9]
    truth[300:] = np.arange(300) % 2  # predictions of label 1 are right half of the time
    good, bad = judge_labels(probabilities, truth)
    assert good.shown == 300
    assert bad.shown == 0


def test_an_image_with_several_labels_is_shown_if_all_are_clear() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((300, 3)) < 0.5
    probabilities = np.where(truth, 0.97, 0.03)
    probabilities[:60, 1] = np.where(rng.random(60) < 0.5, 0.55, 0.45)  # one unclear label
    right = ((probabilities >= 0.5) == truth).all(axis=1)
    found = find_guarantee(clarity(probabilities, 0.5).min(axis=1), right, 0.95)
    assert found.shown == 240
    assert found.threshold == pytest.approx(0.94)


def boxes(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["image", "label", "left", "confidence"])
    return frame.assign(top=0.0, width=100.0, height=100.0)


def test_one_random_box_of_an_image_counts() -> None:
    truth = boxes([("a", "cat", 0, 1), ("a", "cat", 200, 1), ("b", "dog", 0, 1)])
    found = boxes([("a", "cat", 5, 0.9), ("a", "cat", 260, 0.8), ("b", "cat", 0, 0.7)])
    seen = [check_boxes(found, truth, ["a", "b", "c"], random_state=random_state) for random_state in range(30)]
    assert {tuple(one["image"]) for one in seen} == {("a", "b")}
    assert {(row.confidence, row.right) for one in seen for row in one.itertuples() if row.image == "a"} == {
        (0.9, True),
        (0.8, False),  # IoU of 0.25
    }
    assert not any(one.loc[one["image"] == "b", "right"].any() for one in seen)  # another label
    assert check_boxes(found, truth, ["a", "b"], random_state=3).equals(
        check_boxes(found, truth, ["a", "b"], random_state=3)
    )
    assert check_boxes(found.head(0), truth, ["a"]).empty


def test_labels_needed_count_the_other_half_of_each_page() -> None:
    confidence = np.linspace(0.5, 1, 40)
    assert labels_needed(confidence, np.ones(40, bool), 0.95) == 2 * 19
    assert labels_needed([], [], 0.95) == 2 * 59
    assert labels_needed(confidence, np.ones(40, bool), 0.99) == 2 * 60 + 5 * 199
    assert labels_needed(np.linspace(0.5, 1, 59), np.ones(59, bool), 0.95) == 0


def test_labels_needed_of_one_label_count_those_of_the_others() -> None:
    confidence = np.linspace(0.5, 1, 30)
    assert labels_needed(confidence, np.ones(30, bool), 0.95, checked=90) == 2 * 10 + 5 * 77


def test_no_number_of_labels_helps_against_random_predictions() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(400) < 0.5
    right[:20] = False
    assert labels_needed(np.linspace(1, 0.5, 400), right, 0.95) is None


def test_estimate_of_needed_labels_is_close() -> None:
    rng = np.random.default_rng(0)
    estimates = [labels_needed(*drawn(rng, 60), 0.95, checked=60) for _ in range(40)]
    known = [each for each in estimates if each is not None]
    assert len(known) > 20
    assert 20 < np.median(known) < 2000


@pytest.mark.parametrize("target", [0.3, 1.0, 95, True, "95 %"])
def test_a_target_must_be_a_precision(target: object) -> None:
    with pytest.raises(InputError, match="target="):
        find_guarantee([0.5], [True], target)  # type: ignore[arg-type]


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match=r"confidence \(2,\) and right \(1,\)"):
        find_guarantee([0.5, 0.6], [True], 0.95)
