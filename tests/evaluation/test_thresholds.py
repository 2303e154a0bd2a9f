from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_curve

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.cross_validation import rule_of
from customlabels_nb.evaluation.outcomes import Steps
from customlabels_nb.evaluation.thresholds import best_threshold, precision_recall, threshold_curve
from tests.evaluation.cases import one_label, random_tables, steps, tables
from tests.tiers import many

OneLabel = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]


@settings(max_examples=many(200))
@given(one_label())
def test_f1_at_the_threshold_is_the_best_of_scikit_learns_curve(case: OneLabel) -> None:
    truth, confidence = case
    precision, recall, _ = precision_recall_curve(truth, confidence)
    both = precision + recall
    best = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0).max()
    reached = f1_score(truth, confidence >= best_threshold(steps(truth, confidence)), zero_division=0.0)
    assert reached == pytest.approx(best, abs=1e-12)


@settings(max_examples=many(200))
@given(one_label())
def test_the_interval_is_the_widest_of_the_best_and_the_threshold_its_middle(case: OneLabel) -> None:
    truth, confidence = case
    threshold = best_threshold(steps(truth, confidence))
    distinct = np.unique(confidence)
    intervals = {
        float(upper): float(distinct[i - 1]) if i else 0.0  # lowest accepted → next lower, or 0
        for i, upper in enumerate(distinct)
    }
    f1 = {u: 2 * (truth & (confidence >= u)).sum() / (truth.sum() + (confidence >= u).sum()) for u in intervals}
    best = max(f1.values())
    widest = max(upper - lower for upper, lower in intervals.items() if f1[upper] > best - 1e-12)
    found = min(upper for upper in intervals if upper >= threshold)
    assert f1[found] == pytest.approx(best, abs=1e-12)
    assert found - intervals[found] == pytest.approx(widest, abs=1e-12)
    assert threshold == pytest.approx((found + intervals[found]) / 2, abs=1e-12)


@settings(max_examples=many(100))
@given(one_label())
def test_curve_holds_scikit_learns_points(case: OneLabel) -> None:
    truth, confidence = case
    curve = threshold_curve(steps(truth, confidence)).set_index("threshold")
    precision, recall, thresholds = precision_recall_curve(truth, confidence)
    ours = curve.loc[thresholds]
    assert ours["precision"].to_numpy() == pytest.approx(precision[:-1], abs=1e-12)
    assert ours["recall"].to_numpy() == pytest.approx(recall[:-1], abs=1e-12)


@settings(max_examples=many(200))
@given(one_label())
def test_precision_recall_is_scikit_learns_turned_round(case: OneLabel) -> None:
    truth, confidence = case
    found = precision_recall(steps(truth, confidence))
    precision, recall, thresholds = precision_recall_curve(truth, confidence)
    assert list(found.columns) == ["recall", "precision", "threshold"]
    assert found["precision"].to_numpy() == pytest.approx(precision[::-1], abs=1e-12)
    assert found["recall"].to_numpy() == pytest.approx(recall[::-1], abs=1e-12)
    assert np.isnan(found["threshold"].iloc[0])
    assert found["threshold"].iloc[1:].tolist() == thresholds[::-1].tolist()


@settings(max_examples=many(200))
@given(one_label(), st.lists(st.booleans(), min_size=40, max_size=40))
def test_counts_include_the_threshold_itself(case: OneLabel, kept: list[bool]) -> None:
    truth, confidence = (values[np.array(kept[: len(case[0])])] for values in case)
    found = Steps.of(truth, confidence, int(truth.sum()))
    assert found.confidence.tolist() == sorted(set(confidence.tolist()), reverse=True)
    assert found.hits.tolist() == [int((truth & (confidence >= at)).sum()) for at in found.confidence]
    assert found.accepted.tolist() == [int((confidence >= at).sum()) for at in found.confidence]


def test_precision_recall_of_one_label_of_an_evaluation() -> None:
    found = evaluate(*random_tables(30, ["a", "b"]))
    assert found.precision_recall("b")["recall"].iloc[-1] == 1
    with pytest.raises(LabelError, match="'pear'"):
        found.precision_recall("pear")


def test_curve_has_no_precision_where_nothing_is_accepted() -> None:
    curve = threshold_curve(steps(np.array([True, False]), np.array([0.6, 0.2])))
    assert curve["threshold"].tolist() == [0.0, 0.2, 0.6, 1.0]
    assert np.isnan(curve["precision"].iloc[-1])
    assert curve["f1"].iloc[-1] == 0
    assert curve["precision"].iloc[:-1].tolist() == [0.5, 0.5, 1.0]


def test_long_curves_are_thinned() -> None:
    rng = np.random.default_rng(0)
    truth, confidence = rng.random(5000) < 0.3, rng.random(5000)
    curve = threshold_curve(steps(truth, confidence))
    assert len(curve) == 1000
    at = curve.iloc[500]
    assert at["recall"] == pytest.approx((truth & (confidence >= at["threshold"])).sum() / truth.sum())


@pytest.mark.parametrize(
    ("truth", "confidence", "expected"),
    [
        ([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], 0.5),  # between the lowest accepted and the next lower
        ([1, 1], [0.9, 0.6], 0.3),  # nothing lower: down to 0
        ([1, 0, 0, 1], [0.9, 0.5, 0.4, 0.1], 0.7),  # 2/3 from the first alone (0.4 wide) and from all (0.1 wide)
        ([1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6], 0.3),  # the same two, the other way round: the widest wins
        ([1, 1, 0], [0.8, 0.8, 0.8], 0.4),  # ties are accepted or rejected together
        ([1, 0], [1.0, 0.0], 0.5),
        ([1, 0], [0.0, 0.0], 0.0),  # only 0 can accept what has confidence 0
    ],
)
def test_midpoint_rule(truth: list[int], confidence: list[float], expected: float) -> None:
    assert best_threshold(steps(np.array(truth, dtype=bool), np.array(confidence))) == pytest.approx(expected)


def test_adjacent_floats_are_separated() -> None:
    upper = np.nextafter(0.5, 1)
    assert best_threshold(steps(np.array([True, False]), np.array([upper, 0.5]))) == upper


def test_equal_to_the_threshold_counts() -> None:
    found = evaluate(*tables([0, 1], [[0.7, 0.3], [0.3, 0.7]]), thresholds=0.7)
    assert found.per_label["tp"].tolist() == [1, 1]
    assert found.per_label["fp"].tolist() == [0, 0]


def test_a_label_without_test_images_gets_the_median_of_the_others() -> None:
    confidence = [[0.8, 0.1, 0.1, 0.0], [0.1, 0.6, 0.2, 0.0], [0.0, 0.1, 0.4, 0.5]]
    found = evaluate(*tables([0, 1, 2], confidence, "abcd"), thresholds="assumed")
    thresholds = found.per_label["threshold"].tolist()
    assert thresholds[:3] == pytest.approx([0.45, 0.35, 0.3])
    assert thresholds[3] == pytest.approx(0.35)


def test_threshold_defaults_to_one_half() -> None:
    truth = pd.DataFrame({"image": ["1"], "label": ["pear"]})
    predictions = pd.DataFrame({"image": ["1"], "label": ["apple"], "confidence": [0.9]})
    assert evaluate(truth, predictions, thresholds="assumed").per_label["threshold"].tolist() == [0.5, 0.5]


def test_given_thresholds() -> None:
    truth, predictions = random_tables(40, ["a", "b", "c"])
    assumed = evaluate(truth, predictions, thresholds="assumed").per_label["threshold"].tolist()
    assert evaluate(truth, predictions, thresholds=1).per_label["threshold"].tolist() == [1, 1, 1]
    mixed = evaluate(truth, predictions, thresholds={"b": 0.25}).per_label["threshold"].tolist()
    assert mixed == [assumed[0], 0.25, assumed[2]]
    everything = evaluate(truth, predictions, thresholds=0).per_label
    assert everything["recall"].tolist() == [1, 1, 1]
    assert (everything["tp"] + everything["fp"] == 40).all()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (50, r"Did you mean 0\.5\?"),
        (-0.1, "between 0 and 1"),
        (float("nan"), "between 0 and 1"),
        ("certain", r"'certain'.*'most confident', 'assumed' or 'cross-validated'"),
        (True, "True"),
        ({"a": 2.0}, "between 0 and 1"),
    ],
)
def test_invalid_thresholds_are_refused(value: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate(*random_tables(10, ["a", "b"]), thresholds=value)  # type: ignore[arg-type]


def test_labels_that_only_thresholds_name_are_evaluated_and_noted_with_the_nearest() -> None:
    truth, predictions = random_tables(10, ["cat", "dog"])
    found = evaluate(truth, predictions, thresholds={"caat": 0.5, "dog": 0.4})
    assert found.per_label[["label", "support", "undefined"]].iloc[0].tolist() == ["caat", 0, True]
    assert found.per_label["threshold"].tolist()[::2] == [0.5, 0.4]
    assert "neither truth nor predictions: 'caat'. The nearest is 'cat'." in found.notes[0]
    listed = evaluate(truth, predictions, thresholds={"caat": 0.5}, labels=["cat", "dog", "caat"])
    assert not any("caat'" in note for note in listed.notes)
    with pytest.raises(LabelError, match="must be a string"):
        evaluate(truth, predictions, thresholds={1: 0.5})  # type: ignore[dict-item]


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_by_default_only_single_labels_are_decided_by_the_most_confident(task: str) -> None:
    case = random_tables(30, ["a", "b", "c"])
    by_default = evaluate(*case, task=task)
    rule = {"single-label": "most confident", "multi-label": "assumed"}[task]
    assert rule_of(by_default.applied) == rule
    pd.testing.assert_frame_equal(by_default.per_label, evaluate(*case, task=task, thresholds=rule).per_label)
    best = evaluate(*case, task=task, thresholds="best")
    pd.testing.assert_frame_equal(best.summary, evaluate(*case, task=task, thresholds="assumed").summary)
    assert best.thresholds.tolist() != [0, 0, 0]


def test_the_most_confident_label_is_for_single_labels_only() -> None:
    case = random_tables(10, ["a", "b"])
    with pytest.raises(InputError, match=r"thresholds='most confident'.*'multi-label'.*'assumed'"):
        evaluate(*case, task="multi-label", thresholds="most confident")
    boxes = case[0].assign(left=0.0, top=0.0, width=9.0, height=9.0)
    with pytest.raises(InputError, match=r"thresholds='most confident'.*'boxes'"):
        evaluate(boxes, boxes.assign(confidence=0.5), thresholds="most confident")


def test_notes_are_of_the_decision() -> None:
    case = tables([0, 0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3]], "ab")
    most, assumed, high = (evaluate(*case, thresholds=given).notes for given in (None, "assumed", 0.95))
    assert any("No image has b as its most confident label. Precision and F1 are 0/0" in note for note in most)
    assert not any("threshold" in note for note in most)
    assert any("thresholds were chosen on this test set" in note for note in assumed)
    assert any("No prediction of a and b reaches the threshold. Precision and F1 are 0/0" in note for note in high)
