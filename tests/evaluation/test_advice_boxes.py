"""Tests of advice on detectors: each situation gives its advice and no other."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.advice import Advice
from tests.facts import tells

Row = tuple[str, str, tuple[float, float, float, float]]
BOX = ["left", "top", "width", "height"]


def boxes(
    truth: Sequence[Row],
    predictions: Sequence[tuple[str, str, tuple[float, float, float, float], float]],
    max_boxes: int | None = None,
) -> Evaluation:
    """Evaluate boxes by image, label, sides and, if predicted, confidence, with thresholds at 0.5."""
    true = pd.DataFrame([(image, label, *box) for image, label, box in truth], columns=["image", "label", *BOX])
    said = pd.DataFrame(
        [(image, label, *box, confidence) for image, label, box, confidence in predictions],
        columns=["image", "label", *BOX, "confidence"],
    )
    return evaluate(true, said, task="boxes", thresholds=0.5, max_boxes=max_boxes)


def found(number: int, label: str = "cat", size: float = 120, confidence: float = 0.8) -> tuple[list[Row], list]:
    """Return images with one detected box each."""
    sides = (10.0, 10.0, size, size)
    names = [f"{label}{size:g} {i:02}.jpg" for i in range(number)]
    return [(name, label, sides) for name in names], [(name, label, sides, confidence) for name in names]


def kinds(advice: Advice) -> set[str]:
    return {item.kind for item in advice}


def test_a_model_that_finds_nothing_at_all_was_trained_too_briefly() -> None:
    truth = [(f"{number}.jpg", label, (10, 10, 40, 40)) for number in range(6) for label in ("cat", "dog")]
    elsewhere = [("0.jpg", label, (200.0, 200.0, 9.0, 9.0), 0.9) for label in ("cat", "dog")]
    (item,) = boxes(truth, elsewhere).advice.about("never_found")
    assert item.text.startswith("cat and dog are never found. The model was probably trained too briefly: train it")
    one_found = [*elsewhere, ("1.jpg", "cat", (10.0, 10.0, 40.0, 40.0), 0.9)]
    (item,) = boxes(truth, one_found).advice.about("never_found")
    assert item.text.startswith("dog is never found. Check")


def test_perfect_detector_gets_no_advice() -> None:
    assert not boxes(*found(70)).advice


def test_confused_box_labels_are_reported() -> None:
    truth, said = found(30)
    other, _ = found(30, "dog")
    said += [(image, "cat" if i < 6 else "dog", box, 0.7) for i, (image, _, box) in enumerate(other)]
    advice = boxes(truth + other, said).advice
    (item,) = advice.about("confusion")
    assert (item.labels, item.names) == (("dog", "cat"), [f"dog120 {i:02}.jpg" for i in range(6)])
    assert tells(item.text, "dog", "cat", 6, 30, "boxes")
    assert not {"missed", "false_alarm", "misplaced"} & kinds(advice)


def test_missed_boxes_and_false_positives_are_reported() -> None:
    truth, said = found(30)
    lost, _ = found(10, "cat", 130)
    ghosts = [(image, "cat", (400.0, 400.0, 120.0, 120.0), 0.6) for image, _, _ in truth[:9]]
    advice = boxes(truth + lost, said + ghosts).advice
    (missed,) = advice.about("missed")
    assert missed.names == [image for image, _, _ in lost]
    assert tells(missed.text, 10, 40, "boxes", "cat")
    assert "No threshold finds them" in missed.text
    (alarm,) = advice.about("false_alarm")
    assert alarm.names == [image for image, _, _ in truth[:9]]
    assert "9 of its 39 accepted boxes" in alarm.text
    assert kinds(advice) <= {"missed", "false_alarm", "threshold", "trade_off"}


def test_sure_boxes_on_nothing_may_be_missing_in_the_truth() -> None:
    truth, said = found(40)
    unlabelled = (said[3][0], "cat", (400.0, 10.0, 100.0, 100.0), 0.95)
    advice = boxes(truth, [*said, unlabelled]).advice
    assert [item.kind for item in advice] == ["label_error"]
    assert advice[0].text.startswith("In the ground truth of the test images, 1 box may be missing: ")
    assert advice[0].images[BOX].to_numpy().tolist() == [[400, 10, 100, 100]]
    assert advice[0].weight == pytest.approx(1 - 80 / 81)


def test_a_second_box_on_one_object_is_no_missing_label() -> None:
    truth, said = found(40)
    twice = [(image, label, (40.0, 30.0, 120.0, 120.0), 0.95) for image, label, _, _ in said[:1]]
    assert not boxes(truth, said + twice).advice


def test_imprecise_boxes_are_reported() -> None:
    truth, said = found(40)
    said = [
        (image, label, (70.0 if i < 8 else 10.0, 10.0, 120.0, 120.0), c) for i, (image, label, _, c) in enumerate(said)
    ]
    advice = boxes(truth, said).advice
    (item,) = advice.about("misplaced")
    assert item.names == [image for image, _, _ in truth[:8]]
    assert tells(item.text, "cat", 8, "0.33")
    assert not {"missed", "false_alarm", "label_error"} & kinds(advice)


def test_missed_small_boxes_are_reported() -> None:
    large, said = found(40)
    small, small_said = found(20, size=20)
    advice = boxes(large + small, said + small_said[:5]).advice
    (item,) = advice.about("box_size")
    assert tells(item.text, "Small boxes", 32, 32, 5, 20, 40, 40)
    assert item.images[BOX].to_numpy().tolist() == [[10, 10, 20, 20]] * 15
    # size is not the reason where all sizes are missed equally
    assert not boxes(large + small, said[:10] + small_said[:5]).advice.about("box_size")


def test_a_lower_threshold_that_finds_the_missed_boxes_is_advised() -> None:
    truth, said = found(40)
    faint = [(image, label, box, 0.2) for image, label, box in found(10, size=130)[0]]
    advice = boxes(truth + found(10, size=130)[0], said + faint).advice
    (missed,) = advice.about("missed")
    assert "A lower threshold finds some" in missed.text


def test_duplicates_beside_a_found_box_are_not_imprecise_boxes_of_it() -> None:
    truth, said = found(30)
    beside = [(image, "cat", (70.0, 10.0, 120.0, 120.0), 0.6) for image, _, _ in truth[:9]]
    with pd.option_context("mode.string_storage", "pyarrow"):  # whose empty columns cannot be multiplied
        assert not boxes(truth, said + beside).advice.about("misplaced")


def test_advice_names_the_limit_of_boxes_instead_of_the_data() -> None:
    sides = [(20.0 * (k % 10), 20.0 * (k // 10), 15.0, 15.0) for k in range(30)]
    truth = [(image, "cat", box) for image in ("many.jpg", "more.jpg") for box in sides]
    said = [(image, "cat", box, 0.9) for image in ("many.jpg", "more.jpg") for box in sides[:20]]
    result = boxes(truth, said, max_boxes=20)
    (item,) = result.advice.about("box_limit")
    assert tells(item.text, "2 of 2", 20, 30, "max_boxes=60")
    assert item.text in result.notes
    assert (len(item.images), item.labels) == (20, ("cat",))
    assert not {"missed", "box_size"} & kinds(result.advice)
    unlimited = boxes(truth, said, max_boxes=None)
    assert {"missed"} <= kinds(unlimited.advice)
    assert item.text not in unlimited.notes
    for few in (boxes(truth, said, max_boxes=21), boxes(truth[:5] + truth[30:35], said, max_boxes=20)):
        assert not few.advice.about("box_limit")


def test_a_limit_that_cannot_be_raised_gets_other_advice() -> None:
    sides = [(20.0 * (k % 40), 20.0 * (k // 40), 15.0, 15.0) for k in range(1100)]
    result = boxes(
        [("a.jpg", "cat", box) for box in sides], [("a.jpg", "cat", box, 0.9) for box in sides[:1000]], max_boxes=1000
    )
    assert tells(result.advice.about("box_limit")[0].text, "1,000 is the highest limit", "parts")
    assert any("More than 100 true boxes of a label in an image: 1 times" in note for note in result.notes)
