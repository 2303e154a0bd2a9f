from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from customlabels_nb.core.tables import normalise_annotations
from customlabels_nb.errors import CustomLabelsError, InputError, LabelError, NotEnoughDataError, TableError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.boxes import Boxes, make_boxes
from customlabels_nb.evaluation.input_tables import with_usual_columns
from tests.evaluation.box_cases import CORNERS, Case, cases, predicted_boxes, shop, true_boxes
from tests.facts import tells
from tests.tiers import many

TRUTH, PREDICTIONS = shop()


def notes_of(*tables: Any, **options: Any) -> str:
    return "\n".join(evaluate(*tables, **options).notes)


# -- manually computed case -----------------------------------------------------------------------------
def test_counts_and_ratios_of_the_shop() -> None:
    found = evaluate(TRUTH, PREDICTIONS, thresholds=0.5)
    assert found.task == "boxes"
    table = found.per_label.set_index("label")
    assert table.loc["apple", ["tp", "fp", "fn", "test_images"]].tolist() == [1, 1, 1, 1]
    assert table.loc["pear", ["tp", "fp", "fn", "test_images"]].tolist() == [1, 2, 1, 2]
    assert table.loc["pear", ["precision", "recall", "f1"]].tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 5])
    assert found.metric("precision") == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.metric("mean_average_recall") == pytest.approx((1 + 1 / 2) / 2)
    assert found.metric("test_images") == 3
    # precision 1 up to a recall of 1/2 (51 points of 101), then 2/3 (apple) and 0 (pear)
    average = {"apple": (51 + 50 * 2 / 3) / 101, "pear": 51 / 101}
    assert table["average_precision"].to_dict() == pytest.approx(average)
    assert found.metric("mean_average_precision") == pytest.approx(sum(average.values()) / 2)


def test_summary_of_a_detector() -> None:
    table = evaluate(TRUTH, PREDICTIONS).summary
    assert table["metric"].tolist() == [
        "f1", "precision", "recall", "mean_threshold", "mean_average_precision", "micro_f1", "micro_precision",
        "micro_recall", "weighted_f1", "weighted_precision", "weighted_recall", "mean_average_recall", "coco_map",
        "test_images", "labels",
    ]  # fmt: skip
    assert not table["value"].isna().any()


def test_assumed_thresholds_are_between_the_best_scores() -> None:
    thresholds = evaluate(TRUTH, PREDICTIONS).per_label.set_index("label")["threshold"]
    assert thresholds["apple"] == pytest.approx(0.1)  # from 0.2 down all apples, one false positive: F1 0.8
    assert thresholds["pear"] == pytest.approx(0.7)  # between the pear that is correct and the first that is not


def test_boxes_have_no_true_negatives() -> None:
    with pytest.raises(InputError, match="per_label"):
        evaluate(TRUTH, PREDICTIONS).confusion_matrix.one_vs_rest()


def test_the_background_has_a_name_of_its_own() -> None:
    names = {"apple": "background", "pear": "(background)"}
    matrix = evaluate(*(table.replace({"label": names}) for table in (TRUTH, PREDICTIONS))).confusion_matrix
    assert matrix.labels[-1] == "((background))"


def test_confusion_matrix_of_the_shop() -> None:
    matrix = evaluate(TRUTH, PREDICTIONS, thresholds=0.5).confusion_matrix
    assert matrix.background
    assert matrix.labels == ("apple", "pear", "background")
    assert matrix.counts.tolist() == [[1, 0, 1], [1, 1, 0], [0, 2, 0]]
    assert matrix.truth_counts.tolist() == [2, 2, 2]
    assert matrix.predicted_counts.tolist() == [2, 3, 1]
    assert matrix.to_frame().loc["pear", "apple"] == 1
    assert matrix.values("truth").sum(axis=1) == pytest.approx(1)
    assert matrix.confusions()[["truth", "predicted", "count"]].to_numpy().tolist() == [
        ["background", "pear", 2],
        ["apple", "background", 1],
        ["pear", "apple", 1],
    ]


def test_a_label_called_background() -> None:
    truth, predictions = (frame.replace("pear", "background") for frame in (TRUTH, PREDICTIONS))
    matrix = evaluate(truth, predictions).confusion_matrix
    assert matrix.labels == ("apple", "background", "(background)")


def test_table_of_the_images_of_the_shop() -> None:
    table = evaluate(TRUTH, PREDICTIONS, thresholds=0.5).per_image
    assert list(table.columns) == [
        "image", "label", "confidence", "result", "threshold", *CORNERS,
        "truth_left", "truth_top", "truth_width", "truth_height", "iou", "taken_for",
    ]  # fmt: skip
    plain = table.astype(object).where(table.notna(), None)
    assert plain[["image", "label", "confidence", "result", "taken_for"]].to_numpy().tolist() == [
        ["1.jpg", "apple", 0.9, "true positive", None],
        ["1.jpg", "apple", 0.7, "false positive", "pear"],
        ["1.jpg", "apple", 0.2, "false negative", None],
        ["1.jpg", "pear", 0.0, "false negative", None],
        ["2.jpg", "pear", 0.8, "true positive", None],
        ["2.jpg", "pear", 0.6, "false positive", None],
        ["2.jpg", "pear", 0.55, "false positive", None],
    ]
    assert plain["iou"].tolist() == [0.8, 1.0, None, None, 0.9, None, None]
    assert table[CORNERS].to_numpy()[:4].tolist() == [
        [0, 0, 100, 80],
        [400, 0, 20, 20],
        [200, 0, 100, 100],
        [400, 0, 20, 20],
    ]
    true = table[[f"truth_{side}" for side in CORNERS]]
    assert true.isna().all(axis=1).tolist() == [False, True, False, False, False, True, True]
    assert true.to_numpy()[0].tolist() == [0, 0, 100, 100]
    assert (table["threshold"] == 0.5).all()


def test_sizes_of_the_boxes_of_the_shop() -> None:
    table = evaluate(TRUTH, PREDICTIONS, thresholds=0.5).by_box_size()
    everything = table[table["label"].isna()].set_index("size")
    assert everything[["tp", "fp", "fn"]].to_numpy().tolist() == [[0, 1, 1], [1, 2, 0], [1, 0, 1]]
    assert everything.loc["large", ["precision", "recall"]].tolist() == [1, 0.5]
    pears = table[table["label"] == "pear"].set_index("size")
    assert pears.loc["small", ["tp", "fp", "fn", "precision", "recall"]].tolist() == [0, 0, 1, 0, 0]
    assert table["size"].tolist() == ["small", "medium", "large"] * 3


def test_sizes_at_their_edges() -> None:
    truth = true_boxes(("1.jpg", "a", 0, 0, 32, 31.9), ("1.jpg", "a", 100, 0, 32, 32), ("1.jpg", "a", 0, 100, 96, 96))
    predictions = predicted_boxes(*((i, label, 0.9, *box) for i, label, *box, _ in truth.to_numpy().tolist()))
    table = evaluate(truth, predictions).by_box_size()
    assert table.loc[table["label"].isna(), "tp"].tolist() == [1, 1, 1]


def test_only_detectors_have_sizes() -> None:
    whole = pd.DataFrame({"image": ["1.jpg"], "label": ["a"]})
    with pytest.raises(InputError, match="no boxes"):
        evaluate(whole, whole.assign(confidence=0.5)).by_box_size()


# -- arbitrary boxes ------------------------------------------------------------------------------------
@settings(max_examples=many(60))
@given(cases())
def test_all_metrics_use_the_same_matches(case: Case) -> None:
    found = evaluate(*case)
    boxes, at = found.outcomes, found.thresholds
    assert isinstance(boxes, Boxes)
    k, accepted = len(boxes.labels), boxes.accepted(at)
    tp, fp, fn = boxes.counts(at)
    matrix = found.confusion_matrix
    assert np.diag(matrix.counts).tolist() == [*tp, 0]
    assert matrix.counts.sum(axis=1).tolist()[:k] == boxes.targets.tolist() == (tp + fn).tolist()
    assert matrix.counts.sum(axis=0).tolist()[:k] == np.bincount(boxes.label[accepted], minlength=k).tolist()
    assert matrix.counts.sum(axis=0).tolist()[:k] == (tp + fp).tolist()
    assert boxes.image_counts(at).sum(axis=0).tolist() == [*tp, *fp, *fn]

    table, results = found.per_image, ("true positive", "false positive", "false negative")
    cells = pd.crosstab(table["label"], table["result"]).reindex(
        index=boxes.labels, columns=list(results), fill_value=0
    )
    assert cells.to_numpy().T.tolist() == [tp.tolist(), fp.tolist(), fn.tolist()]
    taken = table[table["taken_for"].notna()]
    assert len(taken) == matrix.counts[:k, :k].sum() - tp.sum()
    assert (taken["label"] != taken["taken_for"]).all()
    assert (taken["result"] == "false positive").all()
    assert (table["iou"].dropna() >= 0.5).all()
    assert table["iou"].notna().sum() == tp.sum() + len(taken)
    of_images = table.groupby("image", sort=False)["confidence"]
    assert of_images.apply(lambda values: values.is_monotonic_decreasing).all()
    assert found.by_box_size().query("label.isna()")[["tp", "fp", "fn"]].sum().tolist() == [
        tp.sum(),
        fp.sum(),
        fn.sum(),
    ]


@settings(max_examples=many(60))
@given(cases())
def test_some_of_the_images_are_those_images_evaluated_alone(case: Case) -> None:
    truth, predictions, images = case
    boxes = make_boxes(*case)
    order = [position for position in (4, 1, 2) if position < len(images)] or [0]
    chosen = [images[position] for position in order]
    part, at = boxes.only(np.array(order)), np.full(len(boxes.labels), 0.4)
    kept = truth["image"].isin(chosen), predictions["image"].isin(chosen)
    mask = boxes.only(np.isin(images, chosen))
    assert mask.counts(at)[0].tolist() == part.counts(at)[0].tolist()
    if not kept[0].any() and not kept[1].any():
        assert [one.tolist() for one in part.counts(at)] == [[0] * len(part.labels)] * 3
        return
    alone = make_boxes(truth[kept[0]], predictions[kept[1]], chosen, labels=boxes.labels)
    for one in (part, part.at_iou_threshold(0.8)):
        other = alone.at_iou_threshold(one.iou_threshold)
        assert one.match.tolist() == other.match.tolist()
        assert one.ignored.tolist() == other.ignored.tolist()
        at_alone = np.full(len(alone.labels), 0.4)
        pd.testing.assert_frame_equal(one.per_image(at), other.per_image(at_alone))
    for k, label in enumerate(alone.labels):
        assert part.average_precision(part.labels.index(label)) == alone.average_precision(k)


@pytest.mark.parametrize("overlap", [0.3, 0.75, 1.0])
def test_iou_threshold_changes_the_matches(overlap: float) -> None:
    found, usual = evaluate(TRUTH, PREDICTIONS, thresholds=0.5, iou_threshold=overlap), make_boxes(TRUTH, PREDICTIONS)
    other, at = usual.at_iou_threshold(overlap), np.full(2, 0.5)
    assert found.per_label["tp"].tolist() == other.counts(at)[0].tolist()
    pd.testing.assert_frame_equal(found.per_image, other.per_image(at))
    assert found.metric("coco_map") == pytest.approx(evaluate(TRUTH, PREDICTIONS).metric("coco_map"))
    assert f"IoU of {overlap:g} " in notes_of(TRUTH, PREDICTIONS, iou_threshold=overlap)
    assert usual.iou_threshold == 0.5


def test_cross_validated_thresholds_and_slices_of_boxes() -> None:
    truth, predictions = (
        pd.concat([frame.assign(image=f"{n}-" + frame["image"]) for n in range(10)]) for frame in shop()
    )
    images = pd.DataFrame({"image": truth["image"].unique()})
    images["shop"] = [name.split("-")[0] for name in images["image"]]
    honest, usual = (evaluate(truth, predictions, images, thresholds=at) for at in ("cross-validated", None))
    assert honest.per_label["tp"].tolist() == usual.per_label["tp"].tolist()  # all shops are equal
    assert honest.by_box_size()["tp"].tolist() == usual.by_box_size()["tp"].tolist()
    assert honest.confusion_matrix.counts.tolist() == usual.confusion_matrix.counts.tolist()
    assert len(usual.by("shop")) == 10


# -- input tables ---------------------------------------------------------------------------------------
def test_task_is_inferred_from_the_tables() -> None:
    whole = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "label": ["a", "b"]})
    confident = whole.assign(confidence=0.5)
    assert evaluate(whole, confident).task == "single-label"
    assert evaluate(normalise_annotations(whole), normalise_annotations(confident)).task == "single-label"
    assert evaluate(whole.assign(image="1.jpg"), confident).task == "multi-label"
    assert evaluate(TRUTH, PREDICTIONS).task == "boxes"
    assert evaluate(TRUTH, PREDICTIONS[:0]).task == "boxes"
    assert evaluate(TRUTH[-1:], PREDICTIONS, TRUTH["image"].unique()).task == "boxes"


def test_corner_boxes_and_project_tables_are_accepted() -> None:
    truth = TRUTH.dropna()
    expected = evaluate(truth, PREDICTIONS).per_image
    corners = [
        frame.assign(xmin=frame["left"], ymin=frame["top"], xmax=frame["left"] + frame["width"],
                     ymax=frame["top"] + frame["height"]).drop(columns=CORNERS)
        for frame in (truth, PREDICTIONS)
    ]  # fmt: skip
    usual = with_usual_columns(*corners, None)
    pd.testing.assert_frame_equal(evaluate(*usual[:2]).per_image, expected)
    full = normalise_annotations(truth), normalise_annotations(PREDICTIONS).assign(model="shop.1")
    pd.testing.assert_frame_equal(evaluate(*full).per_image, expected)


def test_a_polygon_is_its_bounding_box() -> None:
    truth = true_boxes(("1.jpg", "a", None, None, None, None)).astype({"left": float})
    truth["polygon"] = [[[10, 10], [30, 10], [20, 50]]]
    found = evaluate(truth, predicted_boxes(("1.jpg", "a", 0.9, 10, 10, 20, 40)))
    assert found.per_label["tp"].tolist() == [1]
    truth["polygon"] = ["round"]
    with pytest.raises(TableError, match="not a list of finite points"):
        evaluate(truth, PREDICTIONS)


def test_equal_predictions_are_legal() -> None:
    found = evaluate(TRUTH, pd.concat([PREDICTIONS, PREDICTIONS]), thresholds=0.5)
    assert found.per_label["tp"].tolist() == [1, 1]
    assert found.per_label["fp"].tolist() == [3, 5]


def test_tables_in_any_order_give_the_same() -> None:
    rng = np.random.default_rng(1)
    shuffled = [frame.iloc[rng.permutation(len(frame))] for frame in (TRUTH, PREDICTIONS)]
    images = ["1.jpg", "2.jpg", "3.jpg"]
    pd.testing.assert_frame_equal(evaluate(*shuffled, images).per_image, evaluate(TRUTH, PREDICTIONS, images).per_image)


def test_inputs_stay_as_they_are() -> None:
    before = [frame.copy() for frame in (TRUTH, PREDICTIONS)]
    evaluate(TRUTH, PREDICTIONS)
    for frame, copy in zip((TRUTH, PREDICTIONS), before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


def test_evaluation_without_predictions() -> None:
    found = evaluate(TRUTH, PREDICTIONS[:0])
    assert found.per_label[["tp", "fp", "fn"]].to_numpy().tolist() == [[0, 0, 2], [0, 0, 2]]
    assert found.per_label["undefined"].all()
    assert found.summary["value"].tolist() == [0, 0, 0, 0.5, 0, *[0] * 8, 3, 2]
    assert found.confusion_matrix.counts[:, 2].tolist() == [2, 2, 0]
    assert (found.per_image["confidence"] == 0).all()
    assert "no predictions of apple and pear" in "\n".join(found.notes)


def test_evaluation_without_truth() -> None:
    found = evaluate(TRUTH[:0], PREDICTIONS, ["1.jpg", "2.jpg", "3.jpg"])
    assert found.per_label[["tp", "fp", "fn"]].sum().tolist() == [0, 6, 0]
    assert found.per_label["undefined"].all()
    assert (
        found.summary.set_index("metric")
        .loc[["f1", "mean_average_precision", "mean_average_recall", "coco_map"], "value"]
        .tolist()
        == [0] * 4
    )
    assert found.summary["low"].isna().all()
    assert "No test image has apple and pear" in "\n".join(found.notes)
    assert found.by_box_size()["recall"].tolist() == [0] * 9


@pytest.mark.parametrize(
    ("truth", "predictions", "images"),
    [
        (TRUTH[:0], PREDICTIONS[:0], None),
        (TRUTH[:0], PREDICTIONS[:0], ["1.jpg"]),
        (TRUTH, PREDICTIONS, []),
        (TRUTH, PREDICTIONS, ["elsewhere/1.jpg"]),
    ],
)
def test_nothing_to_evaluate(truth: pd.DataFrame, predictions: pd.DataFrame, images: list[str] | None) -> None:
    with pytest.raises(NotEnoughDataError):
        evaluate(truth, predictions, images, task="boxes")


def test_labels_of_one_table_only() -> None:
    found = evaluate(TRUTH[TRUTH["label"] != "pear"], PREDICTIONS[PREDICTIONS["label"] != "apple"], thresholds=0.5)
    table = found.per_label.set_index("label")
    assert table.loc["apple", ["tp", "fp", "fn", "test_images"]].tolist() == [0, 0, 2, 1]
    assert table.loc["pear", ["tp", "fp", "fn", "test_images"]].tolist() == [0, 3, 0, 0]
    notes = "\n".join(found.notes)
    assert "No test image has pear" in notes
    assert "no predictions of apple" in notes


def test_relative_boxes_are_pointed_out() -> None:
    relative = PREDICTIONS.assign(**{name: PREDICTIONS[name] / 1000 for name in ("left", "top", "width", "height")})
    assert "Boxes must be in pixels" in "\n".join(evaluate(TRUTH, relative).notes)
    assert "in pixels" not in "\n".join(evaluate(TRUTH, PREDICTIONS).notes)


def test_crowd_boxes_are_ignored() -> None:
    truth = true_boxes(("1.jpg", "a", 0, 0, 100, 100, True), ("1.jpg", "b", 0, 0, 10, 10))
    predictions = predicted_boxes(("1.jpg", "a", 0.9, 10, 10, 5, 5), ("1.jpg", "a", 0.8, 95, 95, 50, 50))
    found = evaluate(truth, predictions, thresholds=0)
    table = found.per_label.set_index("label")
    assert table.loc["a", ["tp", "fp", "fn", "test_images"]].tolist() == [0, 1, 0, 0]
    assert len(found.per_image) == 2
    assert "Boxes around crowds: 1." in "\n".join(found.notes)


def test_crowds_are_not_counted_as_missed() -> None:
    truth = true_boxes(("1.jpg", "a", 0, 0, 10, 10), ("2.jpg", "a", 0, 0, 100, 100, True))
    predictions = predicted_boxes(("1.jpg", "a", 0.9, 0, 0, 10, 10))
    assert "count as missed" not in "\n".join(evaluate(truth, predictions).notes)
    notes = evaluate(truth.assign(crowd=False), predictions).notes
    assert any(tells(note, 1, 2, "no predictions", "count as missed") for note in notes)


def test_images_without_anything_count() -> None:
    found = evaluate(TRUTH, PREDICTIONS, ["1.jpg", "2.jpg", "3.jpg", "4.jpg"])
    assert found.metric("test_images") == 4
    assert any(tells(note, 2, 4, "test", "box") for note in found.notes)
    left_out = evaluate(TRUTH, PREDICTIONS, ["1.jpg"])
    assert left_out.per_label.set_index("label")["test_images"].to_dict() == {"apple": 1, "pear": 1}
    assert "2 images ('2.jpg' and '3.jpg') in truth or predictions" in "\n".join(left_out.notes)


def test_rows_without_a_box_are_left_out_with_a_warning() -> None:
    whole = {"image": "9.jpg", "label": "storefront", "crowd": False, "confidence": None}
    truth = pd.concat([TRUTH, pd.DataFrame([whole])])
    predictions = pd.concat([PREDICTIONS, pd.DataFrame([whole, whole])])
    found = evaluate(truth, predictions, thresholds=0.5)
    assert found.outcomes.labels == ("apple", "pear")
    assert found.metric("test_images") == 4
    assert any(tells(note, "box", 1, "truth", 2, "predictions") for note in found.notes)


def test_true_boxes_without_area_count_as_missed_with_a_warning() -> None:
    truth = true_boxes(("1.jpg", "a", 5, 5, 0, 10), ("1.jpg", "a", 50, 50, 10, 10))
    predictions = predicted_boxes(("1.jpg", "a", 0.9, 5, 5, 0, 10), ("1.jpg", "a", 0.8, 50, 50, 10, 10))
    found = evaluate(truth, predictions, thresholds=0)
    assert found.per_label[["tp", "fp", "fn"]].to_numpy().tolist() == [[1, 1, 1]]
    assert any(tells(note, "boxes", "width", "height", 1) for note in found.notes)


@pytest.mark.parametrize("which", ["truth", "predictions"])
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"width": -1.0}, "negative width or height.*'1.jpg'.*'apple'"),
        ({"left": None}, "incomplete.*'1.jpg'"),
        ({"top": float("inf")}, "infinite.*inf"),
        ({"width": 1e300}, "too large.*1e\\+300"),
        ({"label": None}, "no label"),
        ({"height": "tall"}, "a value that is not a number"),
    ],
)
def test_invalid_boxes_are_refused(which: str, cells: dict[str, object], words: str) -> None:
    given: dict[str, Any] = {"truth": TRUTH, "predictions": PREDICTIONS}
    given[which] = given[which].astype("object").copy()
    for column, value in cells.items():
        given[which].loc[0, column] = value
    with pytest.raises(TableError, match=f"{which}.*{words}|{words}.*{which}"):
        evaluate(**given)


@pytest.mark.parametrize("confidence", [1.01, -0.01, float("nan"), float("inf"), 60, "high", None])
def test_confidences_outside_0_to_1(confidence: object) -> None:
    wrong = PREDICTIONS.astype({"confidence": "object"})
    wrong.loc[1, "confidence"] = confidence
    with pytest.raises(TableError, match=r"1\.jpg.*apple"):
        evaluate(TRUTH, wrong)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"truth": TRUTH.drop(columns="width")}, TableError, "truth must have a column 'width'"),
        ({"predictions": PREDICTIONS.drop(columns="confidence")}, TableError, "must have a column 'confidence'"),
        ({"predictions": PREDICTIONS.assign(label="")}, LabelError, "1 to 256 characters"),
        ({"truth": TRUTH.assign(crowd="many")}, TableError, "'crowd' of truth"),
        ({"iou_threshold": 0}, InputError, "iou_threshold=0"),
        ({"iou_threshold": 75}, InputError, "iou_threshold=75"),
        ({"task": "detection"}, InputError, "task='detection'"),
        ({"images": ["1.jpg", "1.jpg"]}, TableError, "contains '1.jpg' twice"),
    ],
)
def test_invalid_arguments_are_refused(change: dict[str, Any], error: type[CustomLabelsError], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(**{"truth": TRUTH, "predictions": PREDICTIONS, **change})


def test_crowd_as_numbers_or_empty() -> None:
    expected = evaluate(TRUTH, PREDICTIONS).per_image
    numbers = TRUTH.assign(crowd=[0.0, None, 0.0, 0.0, 1.0, None])
    pd.testing.assert_frame_equal(evaluate(numbers, PREDICTIONS).per_image, expected)
