"""Tests of advice: situations for exactly one piece of advice, and for none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.advice import MOST_ITEMS, MOST_OF_A_KIND, Advice, AdviceItem
from customlabels_nb.evaluation.advice.items import KINDS
from customlabels_nb.project.report import Report
from tests.evaluation.cases import random_tables, single_label_cases, tables
from tests.facts import tells
from tests.project.test_report import Reader
from tests.tiers import many

FRUIT = ["apple", "pear", "fig"]


def single(
    truth: Sequence[int],
    says: Sequence[tuple[int, float]],
    labels: Sequence[str] = FRUIT,
    thresholds: float | None = None,
) -> Evaluation:
    """Evaluate single labels: each image's truth, and its most confident label with its confidence."""
    confidence = []
    for label, value in says:
        row = np.full(len(labels), (1 - value) / (len(labels) - 1))
        row[label] = value
        confidence.append(row)
    return evaluate(*tables(truth, confidence, labels), task="single-label", thresholds=thresholds)


def right(each: int = 30, sure: float = 0.9, labels: int = 3) -> tuple[list[int], list[tuple[int, float]]]:
    """Return truth and predictions without an error."""
    truth = [label for label in range(labels) for _ in range(each)]
    return truth, [(label, sure) for label in truth]


def kinds(advice: Advice) -> list[str]:
    return [item.kind for item in advice]


# -- no advice ------------------------------------------------------------------------------------------
def test_good_model_gets_a_short_message() -> None:
    advice = single(*right()).advice
    assert kinds(advice) == []
    assert "[0]" not in repr(advice)
    assert "<ol" not in advice._repr_html_()
    assert list(advice.to_frame().columns) == ["kind", "text", "labels", "images", "call", "weight"]


def test_a_single_doubtful_mistake_is_chance() -> None:
    truth, says = right()
    says[0] = (1, 0.5)
    assert kinds(single(truth, says).advice) == []


def test_chance_alone_gives_no_advice_on_a_model_that_is_calibrated() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.dirichlet([0.15, 0.15], 4000)
    truth = (rng.random(4000) > confidence[:, 0]).astype(int)
    found = evaluate(*tables(truth.tolist(), confidence), task="single-label").advice
    assert not {"over_confident", "few_test_images", "rare", "never_found"} & set(kinds(found))


def test_a_label_that_is_always_confused_is_named_once() -> None:
    truth, says = right()
    says = [(0, 0.6) if label == 1 else pair for label, pair in zip(truth, says, strict=True)]
    assert kinds(single(truth, says).advice) == ["confusion", "over_confident"]
    says[31] = (2, 0.6)  # once as fig
    assert kinds(single(truth, says).advice)[:2] == ["confusion", "never_found"]


def test_answers_without_confidences_are_neither_overconfident_nor_doubts() -> None:
    truth = np.repeat(FRUIT, 30)
    answers = truth.copy()
    answers[:2], answers[40:48] = "pear", "fig"
    tables = [pd.DataFrame({"image": [f"{i}.jpg" for i in range(90)], "label": labels}) for labels in (truth, answers)]
    for confidence, more in ((0.999, {"label_error", "over_confident"}), (1.0, set())):
        found = evaluate(tables[0], tables[1].assign(confidence=confidence), task="single-label").advice
        assert {"confusion", *more} <= {*kinds(found)}
        assert more or not {"label_error", "over_confident"} & {*kinds(found)}


def test_labels_that_differ_in_capitals_are_to_be_merged() -> None:
    truth, says = right()
    says[:10] = [(3, 0.9)] * 10
    (item,) = single(truth, says, [*FRUIT, "Apple"]).advice.about("confusion")
    assert tells(item.text, "apple", "Apple", 10, 30, "merge")
    assert "Add training images" not in item.text


# -- single errors --------------------------------------------------------------------------------------
def test_confident_contradictions_are_suspected_label_errors() -> None:
    truth, says = right(sure=0.8)
    says = [(label, 0.7 + 0.2 * (i % 2)) for i, (label, _) in enumerate(says)]
    says[3], says[40] = (1, 0.99), (0, 0.97)  # an apple predicted confidently as pear, and a pear as apple
    item = single(truth, says).advice[0]
    assert item.kind == "label_error"
    assert item.images[["image", "truth", "predicted"]].to_numpy().tolist() == [
        ["image 3.jpg", "apple", "pear"],
        ["image 40.jpg", "pear", "apple"],
    ]
    assert item.labels == ("apple", "pear")
    assert item.text.startswith("2 test images may have wrong labels")
    # the gain: F1 of apple and pear are 58/60 each, and would be 1
    assert item.weight == pytest.approx((2 * (1 - 58 / 60)) / 3)


def test_bad_model_gets_no_label_error_advice() -> None:
    truth, says = right(sure=0.9)
    for i in range(8):
        says[i] = (1, 0.95)
    advice = single(truth, says).advice
    assert "label_error" not in kinds(advice)
    (item,) = advice.about("confusion")
    assert item.labels == ("apple", "pear")
    assert tells(item.text, "apple", "pear", 8, 30)
    assert item.names == [f"image {i}.jpg" for i in range(8)]


def test_labels_taken_for_each_other_are_one_advice() -> None:
    truth, says = right(sure=0.8)
    for i in range(6):
        says[i], says[30 + i] = (1, 0.6), (0, 0.6)
    (item,) = single(truth, says).advice.about("confusion")
    assert tells(item.text, "apple and pear", "apple", "pear", 6, 30, "pear", "apple", 6, 30)
    assert len(item.names) == 12
    assert "merge" in item.text


def test_images_without_label_for_which_one_is_predicted_are_false_alarms() -> None:
    truth, says = right(sure=0.8)
    confidence = [[0.8 if label == j else 0.1 for j in range(3)] for label, _ in says] + [[0.7, 0.15, 0.15]] * 12
    found = evaluate(*tables([*truth, *[None] * 12], confidence, FRUIT), task="single-label", thresholds=0.5,
                     images=[f"image {i}.jpg" for i in range(102)])  # fmt: skip
    (item,) = found.advice.about("false_alarm")
    assert item.labels == ("apple",)
    assert item.names == [f"image {i}.jpg" for i in range(90, 102)]


def multi(rows: Sequence[tuple[str, dict[str, float]]], **options: object) -> Evaluation:
    """Evaluate several labels per image: its true labels by their first letters, and confidences."""
    truth = [
        (f"{i}.jpg", FRUIT[["a", "p", "f"].index(letter)]) for i, (labels, _) in enumerate(rows) for letter in labels
    ]
    said = [(f"{i}.jpg", label, says.get(label[0], 0.01)) for i, (_, says) in enumerate(rows) for label in FRUIT]
    return evaluate(
        pd.DataFrame(truth, columns=["image", "label"]),
        pd.DataFrame(said, columns=["image", "label", "confidence"]),
        [f"{i}.jpg" for i in range(len(rows))],
        task="multi-label",
        **options,  # type: ignore[arg-type]
    )


def test_multi_label_misses_and_confusions_are_distinguished() -> None:
    good = [("ap", {"a": 0.9, "p": 0.9}), ("f", {"f": 0.9}), ("a", {"a": 0.9})] * 12
    missed = [("ap", {"a": 0.9, "p": 0.2})] * 6
    taken = [("f", {"p": 0.6})] * 4
    advice = multi([*good, *missed, *taken], thresholds=0.5).advice
    (alone,) = advice.about("missed")
    assert alone.labels == ("pear",)
    assert alone.names == [f"{i}.jpg" for i in range(36, 42)]
    assert tells(alone.text, "pear", 6, 18, "test")
    assert "lower threshold" in alone.text
    (other,) = advice.about("confusion")
    assert other.labels == ("fig", "pear")
    assert other.names == [f"{i}.jpg" for i in range(42, 46)]
    assert not advice.about("false_alarm")


def test_confident_extra_label_may_be_missing_in_the_truth() -> None:
    good = [("ap", {"a": 0.8, "p": 0.9}), ("f", {"f": 0.9}), ("a", {"a": 0.9})] * 12
    advice = multi([*good, ("f", {"f": 0.9, "a": 0.97})], thresholds=0.5).advice
    assert kinds(advice) == ["label_error"]
    assert "1 label may be missing" in advice[0].text
    assert advice[0].images["predicted"].tolist() == ["apple"]


# -- thresholds -----------------------------------------------------------------------------------------
def test_threshold_advice_names_its_cost() -> None:
    truth, confidence = [], []
    for label, value, times in ((0, 0.9, 20), (0, 0.55, 4), (1, 0.45, 12), (1, 0.1, 30)):
        truth += [label] * times
        confidence += [[value, 1 - value]] * times
    tables_ = tables(truth, confidence, ["pear", "fig"])
    found = evaluate(*tables_, thresholds={"pear": 0.4, "fig": 0.5}, task="single-label")
    (item,) = found.advice.about("threshold")
    assert item.labels == ("pear",)
    assert tells(item.text, "Raise", "pear", "0.5", "0.4", "precision", "0.67", "1.00", "F1", "0.80", "1.00")
    assert "recall" not in item.text
    assert item.call == "thresholds = {'pear': 0.5}  # for cl.evaluate(..., thresholds=thresholds)"
    assert item.images["becomes"].tolist() == ["now rejected"] * 12
    assert item.weight == pytest.approx(0.1)
    # the suggested call has the stated effect
    after = evaluate(*tables_, thresholds={"pear": 0.5}, task="single-label")
    assert after.per_label.set_index("label").loc["pear", "f1"] == 1
    assert not after.advice.about("threshold")


def trade(groups: Sequence[tuple[int, float, int]], threshold: float) -> AdviceItem:
    """Return the trade-off for pear, given the number of pears (0) and others (1) with each confidence."""
    truth = [label for label, _, times in groups for _ in range(times)]
    confidence = [[value, 1 - value] for _, value, times in groups for _ in range(times)]
    case = tables(truth, confidence, ["pear", "fig"])
    found = evaluate(*case, thresholds={"pear": threshold, "fig": 0.5}, task="single-label")
    (item,) = [item for item in found.advice.about("trade_off") if item.labels == ("pear",)]
    new = float(item.call.split(": ")[1].split("}")[0])
    after = evaluate(*case, thresholds={"pear": new}, task="single-label").per_label.set_index("label").loc["pear"]
    before = found.per_label.set_index("label").loc["pear"]
    for metric, move in (("precision", new > threshold), ("recall", new < threshold)):
        assert (after[metric] > before[metric]) == move
        assert tells(item.text, metric, f"{before[metric]:.2f}", f"{after[metric]:.2f}")
    return item


def test_precision_can_be_had_for_recall() -> None:
    # at 0.2: 50 of 50 detected, 25 false positives (0.67, 1.00, F1 0.80), at 0.7: 38 detected, 6 (0.86, 0.76, F1 0.81)
    item = trade(((1, 0.95, 6), (0, 0.9, 38), (1, 0.6, 19), (0, 0.5, 12), (1, 0.02, 60)), 0.2)
    assert tells(item.text, "Raise", "pear", "0.75", "0.2", "precision", "0.67", "0.86", "recall", "1.00", "0.76", "F1",
                "0.80", "0.81")  # fmt: skip
    assert sorted(set(item.images["becomes"])) == ["now missed", "now rejected"]
    assert item.images["becomes"].tolist() == ["now rejected"] * 19 + ["now missed"] * 12


def test_recall_can_be_had_for_precision() -> None:
    # at 0.8: 25 of 50 detected, none falsely (1.00, 0.50, F1 0.67), at 0.26: 35 detected, 19 (0.65, 0.70, F1 0.67)
    item = trade(((0, 0.9, 25), (1, 0.6, 19), (0, 0.5, 10), (1, 0.02, 60), (0, 0.01, 15)), 0.8)
    assert tells(item.text, "Lower", "pear", "0.26", "0.8")
    assert item.images["becomes"].tolist() == ["now found"] * 10 + ["now a false alarm"] * 19


def test_assumed_thresholds_are_never_bettered() -> None:
    for random_state in range(5):
        case = random_tables(200, FRUIT, random_state=random_state)
        assert not evaluate(*case, task="single-label", thresholds="assumed").advice.about("threshold")


def test_advice_on_the_most_confident_label_says_nothing_of_thresholds() -> None:
    truth, says = right(sure=0.9)
    for i in range(8):
        says[i] = (1, 0.95)
    case = single(truth, says, thresholds=None), single(truth, says, thresholds=0.94)
    silent, told = (Report(found).advise(training={}) for found in case)
    assert {"confusion"} <= set(kinds(silent)) - {"threshold", "trade_off"}
    assert not {"threshold", "trade_off"} & set(kinds(silent))
    assert "threshold" not in repr(silent)
    assert "threshold" in kinds(told)


def test_images_without_an_answer_are_missed() -> None:
    truth, says = right(sure=0.8)
    says[:8] = [(0, 0.45)] * 8
    found = single(truth, says, thresholds=0.5)
    (item,) = found.advice.about("missed")
    assert tells(item.text, "apple", 8, 30)
    assert item.text.endswith("A lower threshold finds some of them.")
    assert item.names == [f"image {i}.jpg" for i in range(8)]
    assert not single(truth, says).advice.about("missed")


def test_cross_validated_thresholds_are_left_alone() -> None:
    found = evaluate(*random_tables(200, FRUIT), task="single-label", thresholds="cross-validated")
    assert not {"threshold", "trade_off"} & set(kinds(found.advice))


def test_a_threshold_above_all_that_is_right_is_lowered() -> None:
    found = evaluate(*tables(*[[0] * 20 + [1] * 20], [[0.7, 0.1]] * 20 + [[0.1, 0.9]] * 20, ["pear", "fig"]),
                     thresholds={"pear": 0.95, "fig": 0.5}, task="single-label")  # fmt: skip
    (item,) = found.advice.about("threshold")
    assert item.text.startswith(
        "Lower the threshold of pear: at 0.4 instead of 0.95, precision rises from 0.00 to 1.00"
    )


# -- labels and calibration -----------------------------------------------------------------------------
def test_labels_that_the_model_does_not_know_and_labels_never_found() -> None:
    truth, says = right(sure=0.7)
    truth, says = truth + [3] * 6, says + [(0, 0.4)] * 6
    predictions = single(truth, says, [*FRUIT, "plum"], 0.5)
    assert [item.text.split(".")[0] for item in predictions.advice.about("never_found")] == ["plum is never found"]
    true, said = tables(truth, np.full((len(truth), 4), 0.25), [*FRUIT, "plum"])
    said = said[said["label"] != "plum"]
    unknown = evaluate(true, said, task="single-label", thresholds="assumed").advice.about("never_found")
    assert "does not predict plum" in unknown[0].text
    assert len(unknown[0].names) == 6


def test_rare_labels_in_test_and_in_train() -> None:
    truth, says = right()
    truth, says = truth + [3] * 2, says + [(3, 0.9)] * 2
    found = single(truth, says, [*FRUIT, "plum"])
    (item,) = found.advice.about("rare")
    assert (item.labels, item.names) == (("plum",), ["image 90.jpg", "image 91.jpg"])
    assert tells(item.text, "plum", 3, "test")
    assert kinds(Report(single(*right())).advise(training=dict.fromkeys(FRUIT, 4))) == []  # good recall: not necessary

    truth, says = right(sure=0.6)
    says = [(1, 0.5) if i < 9 else said for i, said in enumerate(says)]
    poor = Report(single(truth, says, thresholds=0.5)).advise(training={"apple": 4, "pear": 50, "fig": 50})
    assert tells(poor.about("rare")[0].text, "apple", 4, "training", "F1")


def test_too_few_test_images() -> None:
    truth, says = right(each=8, sure=0.8)
    for i in (0, 1, 9, 17):
        says[i] = ((truth[i] + 1) % 3, 0.5)
    (item,) = single(truth, says).advice.about("few_test_images")
    assert tells(item.text, 24, "test")
    (item,) = single(*right(each=5)).advice
    assert tells(item.text, 15, "20%")


def test_overconfident_model_gets_calibration_advice() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 120).tolist()
    says = [(label if rng.random() < 0.7 else (label + int(rng.integers(1, 3))) % 3, 0.97) for label in truth]
    (item,) = single(truth, says).advice.about("over_confident")
    share = np.mean([label == said for label, (said, _) in zip(truth, says, strict=True)])
    assert tells(item.text, "0.97", f"{share:.2f}")
    modest = [(said, 0.7) for said, _ in says]
    assert not single(truth, modest).advice.about("over_confident")


def test_appearance_advice_needs_features() -> None:
    truth, says = right(sure=0.8)
    says = [(1, 0.5) if i < 8 else said for i, said in enumerate(says)]
    found = single(truth, says, thresholds=0.5)
    assert not found.advice.about("several_appearances")
    assert "features" in found.advice.notes[-1]
    rng = np.random.default_rng(0)
    middle = np.array([[1.0, 0, 0] if i < 8 else [0, 1.0, 0] for i in range(len(truth))])
    apart = middle + rng.normal(scale=0.1, size=middle.shape)
    (item,) = Report(found).advise(features=apart).about("several_appearances")
    assert item.labels == ("apple",)
    assert sorted(item.names) == sorted(f"image {i}.jpg" for i in range(8))
    assert tells(item.text, "apple", 0, 8, 22, 22)
    by_name = {f"image {i}.jpg": row for i, row in enumerate(apart)}
    assert Report(found).advise(features=by_name).about("several_appearances")[0].names == item.names
    table = pd.DataFrame(apart, index=list(by_name)).sample(frac=1, random_state=0)
    assert Report(found).advise(features=table).about("several_appearances")[0].names == item.names
    # no advice for a single appearance, or if both appearances have equal recall
    assert not Report(found).advise(features=rng.normal(size=(len(truth), 3))).about("several_appearances")
    assert not Report(found).advise(features=np.roll(apart, 11, axis=0)).about("several_appearances")


@pytest.mark.parametrize("features", [np.zeros((3, 2)), np.zeros(90), "features", {"image 0.jpg": ["a"]}])
def test_features_of_other_images_are_refused(features: object) -> None:
    with pytest.raises(InputError, match="features"):
        Report(single(*right())).advise(features=features)  # type: ignore[arg-type]


# -- ordering -------------------------------------------------------------------------------------------
def test_strongest_advice_of_each_kind_comes_first() -> None:
    labels = [f"label {j:02}" for j in range(40)]
    truth, says = right(each=20, sure=0.6, labels=40)
    says = [((label + 1) % 40, 0.5) if i % 20 < 4 + label // 10 else said for i, (label, said) in
            enumerate(zip(truth, says, strict=True))]  # fmt: skip
    advice = single(truth, says, labels).advice
    assert len(advice) <= MOST_ITEMS
    assert max(pd.Series(kinds(advice)).value_counts()) == MOST_OF_A_KIND
    weights = [item.weight for item in advice if item.kind != "label_error"]
    assert weights == sorted(weights, reverse=True)
    assert tells(advice.notes[0], "not shown")
    assert advice.about("confusion")[0].labels[0] in labels[30:]


def test_advice_is_a_list_and_a_table() -> None:
    truth, says = right()
    advice = single(truth, [(1, 0.95) if i < 8 else said for i, said in enumerate(says)]).advice
    assert isinstance(advice[:1], Advice)
    assert list(advice[:1]) == [advice[0]]
    assert advice.to_frame()["kind"].tolist() == kinds(advice)
    assert advice.to_frame()["images"].tolist() == [len(item.names) for item in advice]
    assert all(label in item.labels for label in ("apple",) for item in advice.about(label="apple"))
    for number, item in enumerate(advice):
        assert f"[{number}] {item.heading}" in repr(advice)
        assert item.heading in repr(item)


@pytest.mark.parametrize("thresholds", [None, "assumed", 0.0, 1.0])
@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ([("a", None)], [("a", "x", 1.0)]),
        ([("a", "x")], []),
        ([("a", "x"), ("b", "y")], [("a", "z", 0.5)]),
        ([("a", "x"), ("a", "y")], [("a", "x", 0.5), ("b", "x", 0.2)]),
    ],
    ids=["no truth", "no predictions", "nothing in common", "several labels"],
)
def test_tiny_test_sets_get_no_advice(truth: list, said: list, thresholds: float | str | None) -> None:
    found = evaluate(
        pd.DataFrame(truth, columns=["image", "label"]),
        pd.DataFrame(said, columns=["image", "label", "confidence"]),
        thresholds=thresholds,
    )
    advice = Report(found).advise(training={}, features=np.ones((len(found.outcomes.images), 2)))
    assert {"rare", "never_found"} & set(kinds(advice))
    assert repr(advice)
    assert Reader(advice._repr_html_()).texts


@settings(max_examples=many(30))
@given(case=single_label_cases(), threshold=st.sampled_from([None, "assumed", 0.5]), several=st.booleans())
def test_advice_is_deterministic_and_never_fails(
    case: tuple[list[int], np.ndarray], threshold: float | str | None, several: bool
) -> None:
    truth, confidence = case
    task = "multi-label" if several else "single-label"
    found = evaluate(*tables(truth, confidence), task=task, thresholds=threshold)
    advice, again = Report(found).advise(), Report(found).advise()
    assert repr(advice) == repr(again)
    assert advice._repr_html_() == again._repr_html_()
    for item in advice:
        assert item.kind in KINDS
        assert set(item.labels) <= set(found.outcomes.labels)
        assert set(item.names) <= set(found.outcomes.images)
        assert np.isfinite(item.weight)
        compile(item.call, "call", "exec")
