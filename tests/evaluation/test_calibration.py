from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.calibration import calibration_table
from customlabels_nb.evaluation.scores import make_scores
from tests.evaluation.cases import one_label, random_tables, single_label_cases, tables
from tests.tiers import many

OneLabel = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]
SingleLabel = tuple[list[int], npt.NDArray[np.float64]]


@settings(max_examples=many(200))
@given(one_label(), st.integers(1, 20))
def test_one_label_is_scikit_learns_curve(case: OneLabel, bins: int) -> None:
    truth, confidence = case
    outcomes = make_scores(*tables([0 if has else None for has in truth], confidence[:, None]), task="multi-label")
    expected_share, expected_mean = calibration_curve(truth, confidence, n_bins=bins)
    for position in (0, None):  # of one label, and of all labels, of which there is one
        found = calibration_table(outcomes, bins, position=position)
        assert found["low"].to_numpy() == pytest.approx(np.arange(bins) / bins)
        assert found["high"].to_numpy() == pytest.approx((np.arange(bins) + 1) / bins)
        assert found["count"].sum() == len(truth)
        filled = found[found["count"] > 0]
        assert filled["share_right"].to_numpy() == pytest.approx(expected_share, abs=1e-12)
        assert filled["mean_confidence"].to_numpy() == pytest.approx(expected_mean, abs=1e-12)
        assert found[found["count"] == 0][["share_right", "mean_confidence"]].isna().all(axis=None)


@settings(max_examples=many(200))
@given(single_label_cases())
def test_single_label_looks_at_the_most_confident_label(case: SingleLabel) -> None:
    truth, confidence = case
    found = calibration_table(make_scores(*tables(truth, confidence)), 5)
    right, highest = confidence.argmax(axis=1) == np.array(truth), confidence.max(axis=1)
    share, mean = calibration_curve(right, np.minimum(highest, 1), n_bins=5)
    filled = found[found["count"] > 0]
    assert filled["share_right"].to_numpy() == pytest.approx(share, abs=1e-12)
    error = (filled["count"] * np.abs(share - mean)).sum() / len(truth)
    assert found.attrs["error"] == pytest.approx(error, abs=1e-12)


def test_a_prediction_on_an_image_without_label_is_wrong() -> None:
    found = evaluate(*tables([0, None], [[0.9, 0.1], [0.9, 0.1]], "ab")).calibration(bins=1)
    assert found[["count", "mean_confidence", "share_right"]].to_numpy().tolist() == [[2, 0.9, 0.5]]
    assert found.attrs["error"] == pytest.approx(0.4)


def test_detection_looks_at_all_boxes() -> None:
    truth = pd.DataFrame({"image": "1", "label": "a", "left": [0.0], "top": 0.0, "width": 9.0, "height": 9.0})
    predictions = pd.concat([truth, truth.assign(left=50.0)]).assign(confidence=[0.9, 0.2])
    found = evaluate(truth, predictions).calibration(bins=2)
    assert found["share_right"].tolist() == [0, 1]
    assert found["mean_confidence"].tolist() == [0.2, 0.9]


def test_without_predictions_there_is_no_error_to_name() -> None:
    truth, predictions = random_tables(6, ["a", "b"])
    found = evaluate(truth, predictions[:0]).calibration()
    assert found["count"].sum() == 0
    assert np.isnan(found.attrs["error"])


@pytest.mark.parametrize("bins", [0, -1, 1001, 2.5, True, "10"])
def test_bins_that_cannot_be(bins: object) -> None:
    with pytest.raises(InputError, match="bins="):
        evaluate(*random_tables(6, ["a", "b"])).calibration(bins)  # type: ignore[arg-type]


def test_labels_that_are_not_here() -> None:
    found = evaluate(*random_tables(6, ["a", "b"]))
    assert found.calibration(label="b")["count"].sum() == 6
    with pytest.raises(LabelError, match="'pear'"):
        found.calibration(label="pear")
