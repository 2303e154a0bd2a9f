from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.sparse import csr_array, random_array

from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.bootstrap import middle_95, resampled_sums
from customlabels_nb.evaluation.metrics import bootstrap_intervals
from customlabels_nb.evaluation.scores import make_scores
from customlabels_nb.evaluation.thresholded import Thresholded
from tests.evaluation.cases import random_tables, tables


def drawn(rows: npt.NDArray[np.int64], resamples: int = 4000, random_state: int = 0) -> npt.NDArray[np.float64]:
    return np.concatenate(list(resampled_sums(csr_array(rows), resamples=resamples, random_state=random_state)))


@pytest.mark.parametrize("alike", [1, 60, 300])  # every row is distinct, some are duplicates, nearly all are duplicates
def test_sums_are_those_of_rows_drawn_one_by_one(alike: int) -> None:
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 9, (150, 3)).repeat(rng.integers(1, alike + 1, 150), axis=0)
    ours = drawn(rows)
    theirs = np.array([rows[rng.integers(0, len(rows), len(rows))].sum(axis=0) for _ in range(1500)])
    assert ours.shape == (4000, 3)
    spread = theirs.std(axis=0)
    assert np.abs(ours.mean(axis=0) - rows.sum(axis=0)).max() < 0.1 * spread.max()
    assert ours.std(axis=0) == pytest.approx(spread, rel=0.06)
    assert np.corrcoef(ours.T) == pytest.approx(np.corrcoef(theirs.T), abs=0.08)


def test_every_resample_has_as_many_images() -> None:
    number = np.arange(300)
    rows = np.stack([np.ones(300, dtype=np.int64), number % 7 + (number < 100) * number], axis=1)
    assert (drawn(rows, 50)[:, 0] == 300).all()


def test_draws_are_seeded() -> None:
    rows = np.arange(200).reshape(100, 2)
    assert np.array_equal(drawn(rows, 20, 1), drawn(rows, 20, 1))
    assert not np.array_equal(drawn(rows, 20, 1), drawn(rows, 20, 2))


def test_percentiles_ignore_nan() -> None:
    values = np.arange(100.0)[:, None] * [1, 1, np.nan]
    values[:50, 1] = np.nan
    low, high = middle_95(values)
    whole, half = np.percentile(np.arange(100), [2.5, 97.5]), np.percentile(np.arange(50, 100), [2.5, 97.5])
    assert low.tolist()[:2] == pytest.approx([whole[0], half[0]])
    assert high.tolist()[:2] == pytest.approx([whole[1], half[1]])
    assert np.isnan([low[2], high[2]]).all()


def test_intervals_equal_drawing_the_images_one_by_one() -> None:
    scores = make_scores(*random_tables(60, ["a", "b", "c"], random_state=3))
    thresholds = np.full(3, 0.4)
    found = bootstrap_intervals(Thresholded(scores, thresholds), resamples=4000)
    rng, means, each = np.random.default_rng(1), [], []
    for _ in range(2000):
        pick = rng.integers(0, 60, 60)
        truth, accepted = scores.truth[pick], scores.accepted(thresholds)[pick]
        f1 = 2 * (truth & accepted).sum(axis=0) / (truth.sum(axis=0) + accepted.sum(axis=0))
        means.append(f1.mean())
        each.append(f1)
    assert found.metrics["f1"] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.012)
    assert np.stack(found.label_f1) == pytest.approx(np.percentile(each, [2.5, 97.5], axis=0), abs=0.025)


def test_each_label_has_an_interval_around_its_f1() -> None:
    truth, predictions = random_tables(90, ["a", "b", "c"])
    predictions = pd.concat([predictions, predictions[:1].assign(label="unheard of", confidence=0.3)])
    table = evaluate(truth, predictions).per_label
    assert (table["f1_low"][:3] < table["f1"][:3]).all()
    assert (table["f1"][:3] < table["f1_high"][:3]).all()
    assert table[["f1_low", "f1_high"]].iloc[3].isna().all()  # no test image has it


def test_label_on_a_single_image() -> None:
    table = evaluate(*tables([0, 0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])).per_label
    assert table[["f1_low", "f1_high"]].iloc[1].between(0, 1).all()


def test_twenty_thousand_different_images_take_no_time() -> None:
    rows = csr_array(random_array((20_000, 240), density=0.06, rng=0)) * 1000
    started = time.perf_counter()
    count = sum(len(block) for block in resampled_sums(rows.astype(np.int64)))
    assert count == 1000
    assert time.perf_counter() - started < 10  # about 0.5 s on an idle machine
