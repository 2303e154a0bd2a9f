from __future__ import annotations

import pandas as pd
import pytest

from customlabels_nb.errors import CustomLabelsError, InputError, LabelError, NotEnoughDataError, TableError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.tables import PALETTE, normalise_annotations
from tests.evaluation.cases import random_tables, tables

TRUTH, PREDICTIONS = tables([0, 1], [[0.6, 0.4], [0.2, 0.8]], ["apple", "pear"])


@pytest.mark.parametrize("confidence", [1.01, -0.01, float("nan"), float("inf"), 60, "high", None])
def test_confidences_outside_0_to_1(confidence: object) -> None:
    wrong = PREDICTIONS.astype({"confidence": "object"})
    wrong.loc[1, "confidence"] = confidence
    with pytest.raises(TableError, match=r"image 0\.jpg.*pear"):
        evaluate(TRUTH, wrong)


@pytest.mark.parametrize("which", ["truth", "predictions"])
def test_repeated_pairs(which: str) -> None:
    given = {"truth": TRUTH, "predictions": PREDICTIONS}
    given[which] = pd.concat([given[which], given[which].iloc[[0]]])
    with pytest.raises(TableError, match=rf"{which} has label 'apple' twice for image 'image 0\.jpg'"):
        evaluate(**given)


def test_two_labels_on_one_image() -> None:
    truth = pd.concat([TRUTH, pd.DataFrame({"image": ["image 1.jpg"], "label": ["apple"]})])
    with pytest.raises(TableError, match=r"image 1\.jpg.*apple.*pear.*multi-label"):
        evaluate(truth, PREDICTIONS)
    assert evaluate(truth, PREDICTIONS, task="multi-label").figure("labels") == 2


@pytest.mark.parametrize(
    ("truth", "predictions", "images"),
    [
        (TRUTH[:0], PREDICTIONS[:0], None),
        (TRUTH[:0], PREDICTIONS, None),
        (TRUTH, PREDICTIONS[:0], None),
        (TRUTH, PREDICTIONS, []),
        (TRUTH, PREDICTIONS, ["other.jpg"]),
        (TRUTH.assign(label=None), PREDICTIONS, None),
    ],
)
def test_nothing_to_evaluate(truth: pd.DataFrame, predictions: pd.DataFrame, images: list[str] | None) -> None:
    with pytest.raises(NotEnoughDataError):
        evaluate(truth, predictions, images)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"truth": TRUTH.drop(columns="label")}, TableError, "truth needs a column 'label'"),
        ({"predictions": PREDICTIONS.drop(columns="confidence")}, TableError, "needs a column 'confidence'"),
        ({"truth": [("a.jpg", "apple")]}, InputError, "truth is a DataFrame"),
        ({"truth": TRUTH.assign(image=None)}, TableError, "'image' of truth has empty cells"),
        ({"predictions": PREDICTIONS.assign(label="")}, LabelError, "1 to 256 characters"),
        ({"images": "image 0.jpg"}, InputError, "images='image 0.jpg' is one name"),
        ({"images": pd.DataFrame({"path": ["a"]})}, TableError, "images needs a column 'image'"),
        ({"images": ["a", "a"]}, TableError, "names 'a' twice"),
        ({"images": ["a", None]}, TableError, "empty cells"),
        ({"task": "boxes"}, InputError, "task='boxes'"),
        ({"random_state": -1}, InputError, "random_state=-1"),
        ({"labels": ["apple", "apple"]}, LabelError, "twice"),
        (
            {"labels": pd.DataFrame({"label": ["apple"], "colour": ["red;background:url(//x)"]})},
            TableError,
            "give it as #rrggbb",
        ),
    ],
)
def test_arguments_that_cannot_be(change: dict[str, object], error: type[CustomLabelsError], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(**{"truth": TRUTH, "predictions": PREDICTIONS, **change})


def test_order_and_colours_of_labels() -> None:
    table = pd.DataFrame({"label": ["unused", "pear"], "colour": ["#000000", "#abcdef"]})
    found = evaluate(TRUTH, PREDICTIONS, labels=table)
    assert found.labels.to_numpy().tolist() == [["pear", "#abcdef"], ["apple", PALETTE[2]]]
    assert found.confusion_matrix.labels == ("pear", "apple")
    assert evaluate(TRUTH, PREDICTIONS).per_label["label"].tolist() == ["apple", "pear"]


def test_labels_are_compared_without_outer_white_space() -> None:
    found = evaluate(TRUTH.assign(label=[" apple", "pear\n"]), PREDICTIONS)
    assert found.figure("labels") == 2
    assert found.figure("accuracy") == 1


def test_full_tables_of_a_project_do() -> None:
    full = normalise_annotations(TRUTH)
    predictions = normalise_annotations(PREDICTIONS).assign(model="fruit.1")
    pd.testing.assert_frame_equal(evaluate(full, predictions).per_label, evaluate(TRUTH, PREDICTIONS).per_label)


def test_inputs_stay_as_they_are() -> None:
    truth, predictions = random_tables(20, ["a", "b"])
    truth.index = truth.index[::-1]
    images, labels = pd.DataFrame({"image": truth["image"]}), pd.DataFrame({"label": ["b", "a"]})
    before = [frame.copy() for frame in (truth, predictions, images, labels)]
    evaluate(truth, predictions, images, labels=labels)
    for frame, copy in zip((truth, predictions, images, labels), before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)
