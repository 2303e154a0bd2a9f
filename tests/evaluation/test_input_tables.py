from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core.colors import PALETTE
from customlabels_nb.core.tables import BOX_COLUMNS, normalise_annotations
from customlabels_nb.errors import CustomLabelsError, InputError, LabelError, NotEnoughDataError, TableError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.input_tables import as_categories, clean_table
from customlabels_nb.evaluation.metrics import log_loss
from customlabels_nb.evaluation.scores import find_pairs
from tests.evaluation.cases import random_tables, tables
from tests.facts import tells
from tests.tiers import many

TRUTH, PREDICTIONS = tables([0, 1], [[0.6, 0.4], [0.2, 0.8]], ["apple", "pear"])


@pytest.mark.parametrize("confidence", [1.01, -0.01, float("nan"), float("inf"), 60, "high", None])
def test_confidences_outside_0_to_1(confidence: object) -> None:
    wrong = PREDICTIONS.astype({"confidence": "object"})
    wrong.loc[1, "confidence"] = confidence
    fix = "Drop rows" if pd.isna(confidence) else ".*by 100.* logits"
    with pytest.raises(TableError, match=rf"image 0\.jpg.*pear.*{re.escape(repr(confidence))}\. {fix}"):
        evaluate(TRUTH, wrong)


@pytest.mark.parametrize("which", ["truth", "predictions"])
def test_repeated_pairs(which: str) -> None:
    given = {"truth": TRUTH, "predictions": PREDICTIONS}
    given[which] = pd.concat([given[which], given[which].iloc[[0]]])
    with pytest.raises(TableError, match=rf"{which} has label 'apple' twice for image 'image 0\.jpg'"):
        evaluate(**given)


def test_two_labels_on_one_image() -> None:
    truth = pd.concat([TRUTH, pd.DataFrame({"image": ["image 1.jpg"], "label": ["apple"]})])
    images = pd.DataFrame({"image": ["image 1.jpg", "image 0.jpg"], "day": [1, 2]})
    found = evaluate(truth, PREDICTIONS, images, task="single-label", thresholds="assumed")
    assert found.images.to_numpy().tolist() == [["image 0.jpg", 2]]
    assert found.per_label[["support", "tp", "fp"]].to_numpy().tolist() == [[1, 1, 0], [0, 0, 1]]
    assert "Left out because task='single-label' allows one label per image: 1 image ('image 1.jpg')." in found.notes
    with pytest.raises(TableError, match=r"image 1\.jpg.*apple.*pear.*no image has one.*multi-label"):
        evaluate(truth, PREDICTIONS, ["image 1.jpg"], task="single-label")
    assert evaluate(truth, PREDICTIONS).task == "multi-label"


@pytest.mark.parametrize(
    ("truth", "predictions", "images", "words"),
    [
        (TRUTH[:0], PREDICTIONS[:0], None, "no test image"),
        (TRUTH, PREDICTIONS, [], "no test image"),
        (TRUTH[:0], PREDICTIONS[:0], ["a.jpg"], "neither truth nor predictions contain a label"),
        (TRUTH.assign(label=None), PREDICTIONS[:0], None, "neither truth nor predictions contain a label"),
        (TRUTH, PREDICTIONS, ["other.jpg"], r"truth.*'image 0\.jpg'.*'other\.jpg'"),
        (
            TRUTH,
            PREDICTIONS.assign(image="photos/image 0.jpg"),
            TRUTH["image"],
            r"predictions.*photos/image.*folders",
        ),
    ],
)
def test_nothing_to_evaluate(truth: pd.DataFrame, predictions: pd.DataFrame, images: object, words: str) -> None:
    with pytest.raises(NotEnoughDataError, match=words):
        evaluate(truth, predictions, images)  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@pytest.mark.parametrize("thresholds", [None, 0, 0.5, "cross-validated"])
def test_without_predictions_everything_is_missed(task: str, thresholds: object) -> None:
    found = evaluate(TRUTH, PREDICTIONS[:0], task=task, thresholds=thresholds)  # type: ignore[arg-type]
    assert found.per_label[["tp", "fp", "fn"]].to_numpy().tolist() == [[0, 0, 1], [0, 0, 1]]
    assert found.per_label["undefined"].all()
    assert [found.metric(name) for name in ("f1", "precision", "recall")] == [0, 0, 0]
    assert found.per_image["result"].tolist() == ["false negative"] * 2
    expected = [[0, 0, 1], [0, 0, 1]] if task == "single-label" else [[0, 0], [0, 0]]  # no answer
    assert found.confusion_matrix.counts.tolist() == expected
    assert any("does not predict apple and pear" in note for note in found.notes)
    assert any(tells(note, 2, 2, "test", "predictions") for note in found.notes)
    assert len(found.curve("pear")) == 2
    assert found.precision_recall("pear")["recall"].tolist() == [0]


@pytest.mark.parametrize("truth", [TRUTH[:0], TRUTH.assign(label=None)])
@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@pytest.mark.parametrize("thresholds", ["assumed", "cross-validated"])
def test_without_truth_every_prediction_is_wrong(truth: pd.DataFrame, task: str, thresholds: str | None) -> None:
    found = evaluate(truth, PREDICTIONS, task=task, thresholds=thresholds)
    assert found.thresholds.tolist() == [0.5, 0.5]
    assert found.per_label[["tp", "fp", "fn"]].to_numpy().tolist() == [[0, 1, 0], [0, 1, 0]]
    assert set(found.summary.loc[found.summary["value"].isna(), "metric"]) <= {"roc_auc", "kappa"}
    assert found.summary["low"].isna().all()
    assert found.metric("f1") == 0
    assert log_loss(found.outcomes) >= 0  # type: ignore[arg-type]
    assert any("No test image has apple and pear" in note for note in found.notes)
    assert any(tells(note, 2, 2, "test", "label") for note in found.notes)


def test_without_truth_every_most_confident_label_is_wrong() -> None:
    found = evaluate(TRUTH[:0], PREDICTIONS, task="single-label")
    assert found.per_label[["tp", "fp", "fn"]].to_numpy().tolist() == [[0, 1, 0], [0, 1, 0]]
    assert found.confusion_matrix.counts.tolist() == [[0, 0], [0, 0]]
    assert (found.metric("f1"), found.metric("accuracy")) == (0, 0)


def test_one_label_alone() -> None:
    found = evaluate(*tables([0, 0, 0], [[0.9], [0.6], [0.2]], ["apple"]), thresholds="assumed", task="single-label")
    assert found.per_label[["f1", "threshold", "tp"]].to_numpy().tolist() == [[1, 0.1, 3]]
    assert found.confusion_matrix.counts.tolist() == [[3, 0]]
    none = evaluate(*tables([0, None, None], [[0.9], [0.6], [0.2]], ["apple"]))
    assert none.task == "multi-label"  # the most confident label would always be this one
    assert none.per_label[["tp", "fp", "threshold"]].to_numpy().tolist() == [[1, 0, 0.75]]


def test_labels_in_one_table_only() -> None:
    truth, predictions = TRUTH.replace("pear", "plum"), PREDICTIONS.replace("apple", "fig")
    table = evaluate(truth, predictions).per_label.set_index("label")
    assert table.index.tolist() == ["apple", "fig", "pear", "plum"]
    assert table["test_images"].tolist() == [1, 0, 0, 1]
    assert table["tp"].sum() == 0
    assert table["fn"].tolist() == [1, 0, 0, 1]


def test_labels_that_differ_in_capitals_are_named() -> None:
    found = evaluate(TRUTH, PREDICTIONS.assign(label=PREDICTIONS["label"].str.title()))
    assert any("'Apple' and 'apple' differ only in capitals" in note for note in found.notes)
    assert not any("capitals" in note for note in evaluate(TRUTH, PREDICTIONS).notes)


def test_images_of_neither_table() -> None:
    found = evaluate(TRUTH, PREDICTIONS, images=[*TRUTH["image"], "bare.jpg"], thresholds=0)
    assert found.metric("test_images") == 3
    assert found.per_label["fp"].tolist() == [1, 1]  # nothing is predicted for the name without a folder
    assert any(tells(note, 1, 3, "test", "predictions") for note in found.notes)
    assert any(tells(note, 1, 3, "test", "label") for note in found.notes)


def test_images_without_common_names_are_reported() -> None:
    found = evaluate(TRUTH[:1], PREDICTIONS[PREDICTIONS["image"] != TRUTH["image"][0]], TRUTH["image"])
    assert found.metric("f1") == 0
    assert any("No image has both labels and predictions" in note and "'image'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"truth": TRUTH.drop(columns="label")}, TableError, "truth must have a column 'label'"),
        (
            {"predictions": PREDICTIONS.drop(columns="confidence")},
            TableError,
            "column 'confidence'.*assign\\(confidence=1.0",
        ),
        ({"truth": [("a.jpg", "apple")]}, InputError, "truth must be a DataFrame"),
        ({"truth": SimpleNamespace(to_pandas=dict)}, InputError, r"not types\.SimpleNamespace\. Pass truth\.to_pandas"),
        ({"truth": pd.concat([TRUTH, TRUTH["label"]], axis=1)}, TableError, "truth has two columns 'label'"),
        ({"truth": TRUTH.assign(image=None)}, TableError, "'image' of truth has missing values"),
        ({"predictions": PREDICTIONS.assign(label="")}, LabelError, "1 to 256 characters"),
        ({"images": "image 0.jpg"}, InputError, "images='image 0.jpg' is a single name"),
        ({"images": pd.DataFrame({"path": ["a"]})}, TableError, "images must have a column 'image'"),
        (
            {"images": pd.DataFrame([["a", "b"]], columns=["image", "image"])},
            TableError,
            "images has two columns 'image'",
        ),
        (
            {"images": pd.DataFrame([["a", 1, 2]], columns=["image", 1, "1"])},
            TableError,
            "images has two columns '1'",
        ),
        ({"images": ["a", "a"]}, TableError, "contains 'a' twice"),
        ({"images": ["a", None]}, TableError, "missing values"),
        ({"images": 3}, InputError, "images=3 is not a list of names"),
        ({"labels": 3}, LabelError, "labels=3 is not a list of names"),
        ({"labels": pd.DataFrame({"name": ["apple"]})}, TableError, r"needs a column 'label'.*\['name'\]"),
        ({"task": "detection"}, InputError, "task='detection'"),
        ({"random_state": -1}, InputError, "random_state=-1"),
        ({"labels": ["apple", "apple"]}, LabelError, "apple"),
        (
            {"labels": pd.DataFrame({"label": ["apple"], "color": ["red;background:url(//x)"]})},
            TableError,
            "#rrggbb",
        ),
    ],
)
def test_invalid_arguments_are_refused(change: dict[str, object], error: type[CustomLabelsError], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(**{"truth": TRUTH, "predictions": PREDICTIONS, **change})


def test_order_and_colors_of_labels() -> None:
    table = pd.DataFrame({"label": ["unused", "pear"], "color": ["#000000", "#abcdef"]})
    found = evaluate(TRUTH, PREDICTIONS, labels=table)
    assert found.labels.to_numpy().tolist() == [["unused", "#000000"], ["pear", "#abcdef"], ["apple", PALETTE[2]]]
    assert found.confusion_matrix.labels == ("unused", "pear", "apple")
    assert found.metric("f1") == evaluate(TRUTH, PREDICTIONS).metric("f1")
    assert evaluate(TRUTH, PREDICTIONS).per_label["label"].tolist() == ["apple", "pear"]


def test_labels_are_compared_without_outer_white_space() -> None:
    found = evaluate(TRUTH.assign(label=[" apple", "pear\n"]), PREDICTIONS)
    assert found.metric("labels") == 2
    assert found.metric("accuracy") == 1


def test_project_tables_are_accepted() -> None:
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


# -- datasets, and names that do not match ------------------------------------------------------------
def test_datasets_are_taken_as_truth_and_as_predictions() -> None:
    images = pd.DataFrame(
        {"image": ["a", "b", "c"], "status": ["unlabelled", "labelled", "unlabelled"], "day": [1, 2, 2]}
    )
    marks = pd.DataFrame({"image": ["a", "b"], "label": ["cat", "dog"]})
    truth = cl.Dataset(images, marks, ["dog", "cat"])
    said = cl.Dataset(images, marks.assign(label="cat", confidence=[0.9, None]))
    report = cl.evaluate(truth, said, thresholds={"cat": 0.95})
    table = report.per_label.set_index("label")
    assert table.index.tolist() == ["dog", "cat"]
    assert table.loc["cat", ["tp", "fp", "fn"]].tolist() == [0, 1, 1]  # confidence is 1 by default
    assert len(report.by("day")) == 2
    best = cl.evaluate(truth, said, thresholds="best")
    pd.testing.assert_frame_equal(best.per_label, cl.evaluate(truth, said, thresholds="assumed").per_label)


@pytest.mark.parametrize("images", [None, ["old/1.jpg", "old/2.jpg"]])
@pytest.mark.parametrize(
    ("other", "hint"),
    [
        ("C:\\new\\2.jpg", "Only the folders differ"),
        ("x.jpg", "file names differ"),
    ],
)
def test_tables_without_common_images_are_refused(images: list[str] | None, other: str, hint: str) -> None:
    truth = pd.DataFrame({"image": ["old/1.jpg", "old/2.jpg"], "label": ["cat", "dog"]})
    predictions = pd.DataFrame({"image": [other], "label": ["cat"], "confidence": [0.9]})
    with pytest.raises(NotEnoughDataError, match=hint) as caught:
        cl.evaluate(truth, predictions, images)
    assert repr(other) in str(caught.value)
    assert repr("old/2.jpg" if "folders" in hint else "old/1.jpg") in str(caught.value)


def test_names_that_match_only_in_part_are_noted() -> None:
    names = [*(f"new/{number}.jpg" for number in range(5)), "old/5.jpg", "old/\xe9.jpg", "old/7.jpg"]
    truth = pd.DataFrame({"image": [*(f"old/{number}.jpg" for number in range(6)), "old/e\u0301.jpg"], "label": "cat"})
    predictions = pd.DataFrame({"image": names, "label": "cat", "confidence": 0.9})
    notes = cl.evaluate(truth, predictions).notes
    folders = (
        "'old/0.jpg', 'old/1.jpg', 'old/2.jpg' and 2 more. If they are the same images, use the same paths in both."
    )
    assert (
        f"Only the folders of 5 images differ between truth and predictions, so they are not matched: {folders}"
        in notes
    )
    assert any(
        "Only the Unicode forms (NFC and NFD) of 1 image differ between truth and pred" in note for note in notes
    )
    assert not any("old/7.jpg" in note for note in notes if "Only" in note)
    notes = cl.evaluate(truth, predictions, truth["image"]).notes
    assert any("Only the folders of 5 images differ between predictions and images" in note for note in notes)
    assert any("not test images: 7 images ('new/0.jpg', 'new/1.jpg', 'new/2.jpg' and 4 more)" in note for note in notes)
    with pytest.raises(NotEnoughDataError, match=r"Only the Unicode forms \(NFC and NFD\) differ"):
        cl.evaluate(truth[-1:], predictions[6:])


DTYPES = ("str", "object", "category", "string")


@st.composite
def columns(draw: st.DrawFn) -> list[str | None]:
    """Draw columns with runs, with periods, with nearly periodic values, and arbitrary ones."""
    few = st.lists(st.sampled_from(["a", "b", "c", None, "dd"]), min_size=1, max_size=5)
    values = draw(few)
    kind = draw(st.sampled_from(["runs", "period", "any"]))
    if kind == "runs":
        values = [value for value in values for _ in range(draw(st.integers(1, 6)))]
    if kind == "period":
        values = (values * draw(st.integers(1, 6)))[: draw(st.integers(1, 40))]
    if draw(st.booleans()):
        values[draw(st.integers(0, len(values) - 1))] = draw(st.sampled_from(["a", None]))
    return values


@settings(max_examples=many(300))
@given(columns(), st.sampled_from(DTYPES))
def test_categorical_columns_equal_text_columns(values: list[str | None], dtype: str) -> None:
    found = as_categories(pd.Series(values, dtype=dtype), "the column", str)
    assert [None if pd.isna(value) else value for value in found] == values
    seen = list(dict.fromkeys(value for value in values if value is not None))
    assert sorted(found.categories) == sorted(seen)
    if dtype != "category":
        assert found.categories.tolist() == seen  # in order of appearance


def test_values_of_one_text_become_one_category() -> None:
    found = as_categories(pd.Series([" a", "a", "b ", None, "a "]), "the column", lambda value: str(value).strip())
    assert found.tolist() == ["a", "a", "b", np.nan, "a"]
    assert as_categories(pd.Series([1, "1", 2.5], dtype="object"), "the column", str).codes.tolist() == [0, 0, 1]


def test_lists_of_labels_are_several_labels() -> None:
    truth, predictions = random_tables(4, ["a", "b"])
    lists = [["a"], ["b"], ["a", "b"], ["b", "a"]]
    expected = evaluate(truth.assign(label=lists).explode("label"), predictions)
    for labels in (lists, list(map(str, lists)), [tuple(each) for each in lists], list(map(np.array, lists))):
        assert cl.evaluate(truth.assign(label=labels), predictions).metric("f1") == expected.metric("f1")
    with pytest.raises(TableError, match=r"The column 'image' has \['a'\] in row 0.*explode"):
        cl.evaluate(truth.assign(image=[["a"], ["b"], ["a"], ["a"]]), predictions)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "order",
    ["as they are", "by label", "any", "one left out", "labels turned round", "one image turned round"],
)
def test_figures_do_not_depend_on_order_and_dtypes(order: str, dtype: str) -> None:
    truth, predictions = random_tables(40, ["a", "b", "c"])
    expected = evaluate(truth, predictions, images=truth["image"])
    rows: Sequence[int] | np.ndarray = np.arange(120)
    if order == "by label":
        rows = np.arange(120).reshape(40, 3).T.ravel()
    elif order == "any":
        rows = np.random.default_rng(0).permutation(120)
    elif order == "labels turned round":
        rows = np.arange(120).reshape(40, 3)[::-1, ::-1].ravel()
    elif order == "one image turned round":
        rows = np.concatenate([np.arange(117), [119, 118, 117]])
    elif order == "one left out":
        predictions.loc[119, "confidence"] = 0.0
        expected = evaluate(truth, predictions, images=truth["image"])
        rows = np.arange(119)
    given = predictions.iloc[rows].astype({"image": dtype, "label": dtype})
    found = evaluate(truth.astype({"image": dtype, "label": dtype}), given, images=truth["image"])
    pd.testing.assert_frame_equal(found.per_label, expected.per_label)
    pd.testing.assert_frame_equal(found.per_image, expected.per_image)
    pd.testing.assert_frame_equal(found.summary, expected.summary)


@settings(max_examples=many(200))
@given(
    st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from(["a", "b", None])), min_size=1, max_size=12),
    st.lists(st.sampled_from("pqrs"), min_size=1, unique=True),
    st.lists(st.sampled_from("abc"), min_size=1, unique=True),
)
def test_pairs_are_found_and_repeated_ones_refused(
    rows: list[tuple[str, str | None]], images: list[str], labels: list[str]
) -> None:
    frame = clean_table(pd.DataFrame(rows, columns=["image", "label"]), "truth", ("image", "label"))
    known = [(image, label) for image, label in rows if image in images and label in labels]
    place = pd.Index(images, dtype="object"), pd.Index(labels, dtype="object")
    if len(set(known)) < len(known):
        with pytest.raises(TableError, match="twice"):
            find_pairs(frame, "truth", *place)
        return
    found = find_pairs(frame, "truth", *place)
    values = np.arange(1.0, len(rows) + 1)
    expected = np.zeros((len(images), len(labels)))
    for (image, label), value in zip(rows, values, strict=True):
        if (image, label) in known:
            expected[images.index(image), labels.index(label or "")] = value
    assert found.has.tolist() == (expected > 0).tolist()
    assert found.matrix(values).tolist() == expected.tolist()


def test_evaluation_keeps_no_reference_to_the_table() -> None:
    truth, predictions = random_tables(20, ["a", "b"])
    found = evaluate(truth, predictions)
    before = found.outcomes.confidence.copy()  # type: ignore[attr-defined]
    predictions.loc[:, "confidence"] = 0.5
    assert np.array_equal(found.outcomes.confidence, before)  # type: ignore[attr-defined]


def test_a_table_with_a_column_for_each_label_is_read_as_of_scikit_learn() -> None:
    wide = PREDICTIONS.pivot(index="image", columns="label", values="confidence").reset_index()
    wide.columns.name = None
    expected = cl.evaluate(TRUTH, PREDICTIONS)
    for table in (wide, wide.assign(**{"Unnamed: 0": range(len(wide))})):  # as read from the file of to_csv
        pd.testing.assert_frame_equal(cl.evaluate(TRUTH, table).summary, expected.summary)
    for column in (["a", "b"], [0, 1], [0.25, 0.875], [True, True]):
        report = cl.evaluate(TRUTH, wide.assign(fold=column))
        pd.testing.assert_frame_equal(report.summary, expected.summary)
        assert any("left out" in note and "'fold'" in note for note in report.notes)
    named = cl.evaluate(TRUTH, wide.assign(fold=[0.0, 0.0]), labels=["fold"])
    assert named.per_label["label"].tolist() == ["fold", "apple", "pear"]
    with pytest.raises(TableError, match="predictions must have a column 'label'"):
        cl.evaluate(TRUTH, wide.rename(columns={"apple": "Apple", "pear": "Pear"}))
    for array, words in (
        ({"truth": TRUTH["label"].to_numpy()}, r"'label': labels"),
        ({"predictions": np.eye(2)}, "image="),
    ):
        with pytest.raises(InputError, match=rf"not numpy\.ndarray\. Convert the array with pd.DataFrame\(.*{words}"):
            cl.evaluate(**{"truth": TRUTH, "predictions": PREDICTIONS, **array})
    with pytest.raises(InputError, match=r"cl\.read_dataset\('found\.csv'\)"):
        cl.evaluate(TRUTH, "found.csv")


def test_names_without_an_ending_are_matched_with_a_note() -> None:
    bare = PREDICTIONS["image"].str.removesuffix(".jpg")
    expected = evaluate(TRUTH, PREDICTIONS)
    for truth, predictions in (
        (TRUTH, PREDICTIONS.assign(image=bare)),
        (TRUTH.assign(image=TRUTH["image"].str.removesuffix(".jpg")), PREDICTIONS),
    ):
        report = evaluate(truth, predictions)
        pd.testing.assert_frame_equal(report.per_label, expected.per_label)
        assert any("ending of 2 images" in note and "'image 0'" in note for note in report.notes)
    report = evaluate(BOXED.assign(image="a.jpg"), BOXED.assign(confidence=0.9))
    assert report.metric("recall") == 1


def test_labels_by_file_are_refused_with_the_code_that_converts_them() -> None:
    for truth in ({"image 0.jpg": "apple"}, ["apple", "pear"]):
        with pytest.raises(InputError, match=r"pd\.DataFrame\({'image': "):
            cl.evaluate(truth, PREDICTIONS)  # type: ignore[arg-type]


def test_rows_of_zeros_are_no_missed_boxes() -> None:
    truth = pd.concat([BOXED, pd.DataFrame([{"image": "b", "label": "cat", **dict.fromkeys(BOX_COLUMNS, 0)}])])
    assert cl.evaluate(truth, BOXED.assign(confidence=0.9)).metric("recall") == 1


BOXED = pd.DataFrame(
    {"image": ["a"], "label": ["cat"], "left": [10.0], "top": [5.0], "width": [40.0], "height": [30.0]}
)


@pytest.mark.parametrize(
    "found",
    [
        pd.DataFrame({"path": ["a"], "class": [0], "name": ["cat"], "conf": [0.7], "bbox": [[10, 5, 40, 30]]}),
        pd.DataFrame({"file": ["a"], "class": ["cat"], "score": [0.7], "bbox_xyxy": ["10 5 50 35"]}),
        pd.DataFrame(
            {"filename": ["a"], "category": ["cat"], "prob": [0.7], "xmin": 10, "ymin": 5, "xmax": 50, "ymax": 35}
        ),
    ],
)
def test_columns_of_other_programs_are_those_that_a_csv_file_may_have(found: pd.DataFrame) -> None:
    report = cl.evaluate(BOXED, found)
    assert report.per_image[["label", "confidence", "iou"]].to_numpy().tolist() == [["cat", 0.7, 1.0]]


def test_errors_about_unknown_columns_say_how_to_convert_them() -> None:
    corners = pd.DataFrame({"image": ["a"], "label": ["cat"], "score": [0.7], "x1": 10, "y1": 5, "x2": 50, "y2": 35})
    with pytest.raises(TableError, match=r"'x1', 'y1', 'x2', 'y2'.*rename them to left.*xmin"):
        cl.evaluate(BOXED, corners)
    results = pd.DataFrame({"image_id": [1], "category_id": [2], "bbox": [[10, 5, 40, 30]], "score": [0.7]})
    with pytest.raises(TableError, match=r"read_dataset\('predictions\.json', truth='coco\.json'\)"):
        cl.evaluate(BOXED, results)


def test_crowds_have_the_names_and_words_that_a_csv_file_may_have() -> None:
    truth = pd.concat([BOXED, BOXED.assign(left=500.0)])
    for crowds in ({"iscrowd": [0, 1]}, {"is_crowd": [None, "yes"]}, {"crowd": [False, True]}, {"crowd": [0.0, 1.0]}):
        found = cl.evaluate(truth.assign(**crowds), BOXED.assign(score=0.7))
        assert found.per_label["support"].tolist() == [1]
    with pytest.raises(TableError, match=r"'crowd' of truth.*Image 'a' has 2"):
        cl.evaluate(truth.assign(iscrowd=[0, 2]), BOXED.assign(score=0.7))


def test_entries_that_a_file_of_predictions_could_not_tell_are_noted(tmp_path: Path) -> None:
    box = {"category_id": 1, "bbox": [10, 5, 40, 30]}
    coco = {"images": [{"id": 1, "file_name": "a.jpg", "width": 90, "height": 90}], "annotations": [
        {"id": 1, "image_id": 1, "area": 1200, **box}], "categories": [{"id": 1, "name": "cat"}]}  # fmt: skip
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    (tmp_path / "found.json").write_text(json.dumps([{"image_id": 1, "score": 95, **box}] * 2))
    truth = cl.read_dataset(tmp_path / "coco.json")
    report = cl.evaluate(truth, cl.read_dataset(tmp_path / "found.json", truth=tmp_path / "coco.json"))
    assert any("2 entries of predictions" in note and ".issues" in note and "95" in note for note in report.notes)
    assert not any("entries of truth" in note for note in report.notes)


def test_images_without_annotations_can_be_counted_as_empty() -> None:
    truth = cl.Dataset(pd.DataFrame({"image": ["a", "b"]}), BOXED)
    found = pd.concat([BOXED, BOXED.assign(image="b")]).assign(score=0.7)
    report = cl.evaluate(truth, found, thresholds=0.5)
    assert any("1 of 2 images" in note and "images=truth.images" in note for note in report.notes)
    assert report.per_label["fp"].tolist() == [0]
    assert cl.evaluate(truth, found, images=truth.images, thresholds=0.5).per_label["fp"].tolist() == [1]


def test_confidences_that_are_all_1_are_noted() -> None:
    for truth, predictions in ((TRUTH, PREDICTIONS), (BOXED, BOXED.assign(confidence=0.9))):
        assert not any("confidence of 1" in note for note in cl.evaluate(truth, predictions).notes)
        notes = cl.evaluate(truth, predictions.assign(confidence=1)).notes
        assert any("All predictions have a confidence of 1" in note and "'confidence'" in note for note in notes)


def test_several_answers_for_an_image_without_confidences_are_noted() -> None:
    truth = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "label": ["pear", "apple"]})
    answers = pd.DataFrame({"image": ["1.jpg", "1.jpg", "2.jpg"], "label": ["pear", "apple", "apple"]})
    report = cl.evaluate(truth, answers.assign(confidence=1))
    assert report.metric("accuracy") == 0.5
    assert "1 of 2 test images have several answers" in report.notes[0]
    assert "'1.jpg'" in report.notes[0]
    for first, thresholds in ((1, None), (0, 0.5)):
        notes = cl.evaluate(truth, answers[first:].assign(confidence=1), thresholds=thresholds).notes
        assert not any("several answers" in note for note in notes)


def test_corners_in_the_columns_of_a_size_are_noted() -> None:
    at = np.arange(12.0)
    truth = pd.DataFrame({"image": "a", "label": "cat", "left": 50 * at, "top": 50.0, "width": 40.0, "height": 30.0})
    right = truth.assign(confidence=0.5)
    wrong = right.assign(width=right["left"] + right["width"], height=right["top"] + right["height"])
    assert not any("width is greater than left" in note for note in cl.evaluate(truth, right).notes)
    assert any("width is greater than left" in note and "xmax" in note for note in cl.evaluate(truth, wrong).notes)


def test_columns_that_are_not_used_are_named() -> None:
    rows = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]})
    ours = rows.assign(confidence=0.5, split="test", annotator="me", created=pd.Timestamp("2020-01-01", tz="UTC"))
    assert not any("not used" in note for note in cl.evaluate(rows, ours).notes)
    report = cl.evaluate(rows.assign(site="roof"), ours.assign(fold=[1, 2], width=[40, 40], height=20))
    assert [*report.notes[:2]] == [
        "These columns of truth were not used: 'site'.",
        "These columns of predictions were not used: 'fold', 'width' and 'height'.",
    ]


@pytest.mark.parametrize("kind", [list, tuple, set, np.array])
def test_lists_of_labels_are_one_label_in_each_row(kind: Any) -> None:
    truth = pd.DataFrame({"image": ["1.jpg", "2.jpg", "3.jpg"], "label": [["a", "b"], ["a"], []]})
    predictions = truth.head(2).assign(label=truth["label"].head(2).map(kind), confidence=0.9)
    report = cl.evaluate(truth, predictions)
    assert (report.metric("f1"), len(report.images)) == (1, 3)
    with pytest.raises(TableError, match=r"table\.explode\(\['label', 'confidence'\]\)"):
        cl.evaluate(truth, predictions.assign(confidence=[[0.9, 0.8], [0.7]]))


def test_only_known_labels_of_a_wide_truth_count() -> None:
    truth = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "a": [1, 0], "b": [0, 1], "fold": [1, 1]})
    predictions = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "a": [0.9, 0.1], "b": [0.1, 0.9]})
    assert cl.evaluate(truth, predictions, labels=["a", "b"]).metric("f1") == 1


def test_joined_labels_are_split_in_both_tables() -> None:
    truth = pd.DataFrame({"image": ["1.jpg", "2.jpg", "3.jpg"], "label": ["a,b", "a", "b"]})
    assert cl.evaluate(truth, truth.head(2).assign(confidence=0.9)).labels["label"].tolist() == ["a", "b"]
    notes = cl.evaluate(truth.head(2), truth.assign(confidence=0.9)).notes
    assert any("In truth: 1 × label with ','" in note for note in notes)


def test_the_error_without_images_lists_all_columns_and_names_the_index() -> None:
    with pytest.raises(TableError, match=r"\['label', 'confidence'\].*table\.rename_axis\('image'\)"):
        evaluate(TRUTH, PREDICTIONS.set_index("image"))
