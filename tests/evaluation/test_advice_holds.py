"""Tests that advice holds: data on which somebody follows it give what it says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from customlabels_nb.evaluation import evaluate
from customlabels_nb.training.classification import fit_head
from tests.evaluation.cases import tables
from tests.evaluation.test_advice import multi
from tests.evaluation.test_advice_boxes import boxes, found

Arrays = tuple[np.ndarray, np.ndarray]


def points(counts: tuple[int, ...], random_state: int, spread: float = 5.0) -> Arrays:
    """Return points around a center for each label. The centers are the same for each random state."""
    centers = np.random.default_rng(0).normal(size=(len(counts), 60))
    targets = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(random_state).normal(size=(len(targets), 60))
    return (centers[targets] + spread * noise).astype(np.float32), targets


def recall_of_first(counts: tuple[int, ...], random_state: int) -> float:
    """Return the recall of label 0 after training on so many images of each label."""
    head = fit_head(*points(counts, random_state), len(counts), random_state=random_state)
    features, targets = points((200,) * len(counts), 1000 + random_state)
    says = (features @ head.weight.T + head.bias).argmax(axis=1)
    return float((says[targets == 0] == 0).mean())


def test_more_images_of_a_rare_label_and_of_an_imbalanced_one_raise_its_recall() -> None:
    for few, many in (((4, 40, 40), (10, 40, 40)), ((10, 90), (90, 90))):
        gains = [recall_of_first(many, state) - recall_of_first(few, state) for state in range(6)]
        assert np.mean(gains) > 0.05
        assert sum(gain > 0 for gain in gains) >= 5


@pytest.mark.parametrize("seed", range(4))
def test_planted_label_errors_are_most_of_the_suspects_of_a_good_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 3, 600)
    says = np.where(rng.random(600) < 0.97, real, (real + 1) % 3)
    sure = np.where(says == real, rng.uniform(0.6, 0.99, 600), rng.uniform(0.4, 0.75, 600))
    confidence = np.full((600, 3), 0.0) + ((1 - sure) / 2)[:, None]
    confidence[np.arange(600), says] = sure
    planted = rng.choice(600, 30, replace=False)
    truth = real.copy()
    truth[planted] = (truth[planted] + 2) % 3
    (item,) = evaluate(*tables(truth.tolist(), confidence), task="single-label").advice.about("label_error")
    numbers = {int(re.findall(r"\d+", name)[0]) for name in item.images["image"]}
    assert len(numbers & set(planted.tolist())) >= max(0.9 * len(numbers), 10)


def test_so_many_test_images_make_the_interval_as_narrow_as_advised() -> None:
    rng = np.random.default_rng(0)

    def evaluation(number: int):  # type: ignore[no-untyped-def]
        truth = rng.integers(0, 2, number)
        says = np.where(rng.random(number) < 0.8, truth, 1 - truth)
        return evaluate(*tables(truth.tolist(), np.where(says[:, None] == [0, 1], 0.8, 0.2)), task="single-label")

    (item,) = evaluation(40).advice.about("few_test_images")
    wanted = int(re.search(r"With about ([\d,]+)", item.text)[1].replace(",", ""))  # type: ignore[index]
    summary = [evaluation(wanted).summary.set_index("metric").loc["f1"] for _ in range(6)]
    assert np.mean([row["high"] - row["low"] for row in summary]) == pytest.approx(0.1, abs=0.02)


def test_a_lower_threshold_costs_the_false_positives_that_the_advice_names() -> None:
    good = [("ap", {"a": 0.9, "p": 0.9}), ("f", {"f": 0.9}), ("a", {"a": 0.9})] * 12
    missed = [("ap", {"a": 0.9, "p": 0.2})] * 6
    (free,) = multi([*good, *missed], thresholds=0.5).advice.about("missed")
    assert free.text.endswith("A lower threshold finds some of them.")
    assert multi([*good, *missed], thresholds=0.2).per_label.set_index("label").loc["pear", "f1"] == 1
    rows = [*good, *missed, *[("a", {"a": 0.9, "p": 0.3})] * 2]
    (costly,) = multi(rows, thresholds=0.5).advice.about("missed")
    assert costly.text.endswith("A lower threshold finds some of them, but adds at least 2 false positives.")
    assert multi(rows, thresholds=0.2).per_label.set_index("label").loc["pear", "fp"] == 2
    truth, said = found(40)
    lost, _ = found(10, size=130)
    faint = [(image, label, box, 0.2) for image, label, box in lost]
    (boxed,) = boxes(truth + lost, said + faint).advice.about("missed")
    assert boxed.text.endswith("A lower threshold finds some of them.")


def test_a_detector_that_finds_an_object_once_misses_its_repeated_box() -> None:
    truth, said = found(5)
    once = boxes(truth, said).per_label.iloc[0]
    twice = boxes([*truth, *truth], said).per_label.iloc[0]
    assert (once["recall"], twice["recall"]) == (1, 0.5)
