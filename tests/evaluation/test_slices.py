from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.project.report import Report
from tests.evaluation.cases import HOSTILE, random_tables, tables

TRUTH, PREDICTIONS = random_tables(60, ["a", "b", "c"], random_state=2)
NAMES = TRUTH["image"].tolist()


def evaluated(column: object, **options: object) -> Evaluation:
    images = pd.DataFrame({"image": NAMES, "camera": column})
    return evaluate(TRUTH, PREDICTIONS, images, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("decision", ["assumed", "most confident"])
def test_figures_of_a_slice_are_those_of_its_images_by_the_same_decision(decision: str) -> None:
    found = evaluated(["left"] * 25 + ["right"] * 35, thresholds=decision)
    table = found.by("camera")
    assert list(table.columns) == [
        "slice", "test_images", "labels", "f1", "precision", "recall", "mean_average_precision", "micro_f1",
        "micro_precision", "micro_recall", "weighted_f1", "weighted_precision", "weighted_recall", "accuracy",
        "kappa", "mcc", "roc_auc", "f1_low", "f1_high", "differs",
    ]  # fmt: skip
    assert table["slice"].tolist() == ["left", "right"]
    assert table["test_images"].tolist() == [25, 35]
    held: object = dict(zip(found.outcomes.labels, found.thresholds.tolist(), strict=True))
    if decision == "most confident":
        held = decision
    for row, images in zip(table.itertuples(), (NAMES[:25], NAMES[25:]), strict=True):
        alone = evaluate(
            TRUTH[TRUTH["image"].isin(images)],
            PREDICTIONS[PREDICTIONS["image"].isin(images)],
            thresholds=held,  # type: ignore[arg-type]
        )
        for metric in ("f1", "precision", "recall", "mean_average_precision", "accuracy", "roc_auc", "kappa"):
            assert getattr(row, metric) == pytest.approx(alone.metric(metric), abs=1e-12)
        ends = alone.summary.set_index("metric").loc["f1", ["low", "high"]]
        assert (row.f1_low, row.f1_high) == tuple(ends)


def test_one_slice_of_all_is_the_summary() -> None:
    found = evaluated("all of them")
    row = found.by("camera").iloc[0]
    for metric in ("f1", "precision", "recall", "mean_average_precision", "accuracy", "roc_auc", "kappa"):
        assert row[metric] == found.metric(metric)


def test_an_image_is_in_the_slice_of_each_of_its_tags() -> None:
    tags: list[object] = [["day", "street", "day"]] * 20 + [["night"]] * 20 + [[]] * 10 + [None] * 10
    table = evaluated(tags).by("camera").set_index("slice")
    assert table["test_images"].to_dict() == {"day": 20, "night": 20, "street": 20, "(none)": 20}
    assert table.index.tolist()[-1] == "(none)"
    assert table.loc["day", "f1"] == table.loc["street", "f1"]


def test_missing_values_are_a_slice() -> None:
    table = evaluated(["x"] * 50 + [None] * 5 + [np.nan] * 5).by("camera")
    assert table[["slice", "test_images"]].to_numpy().tolist() == [["x", 50], ["(none)", 10]]
    assert evaluated(None).by("camera")["slice"].tolist() == ["(none)"]


def test_many_numbers_become_ranges() -> None:
    table = evaluated([*range(59), None]).by("camera")
    assert table["slice"].tolist() == ["0 to 11", "12 to 23", "24 to 35", "36 to 47", "48 to 58", "(none)"]
    assert table["test_images"].tolist() == [12, 12, 12, 12, 11, 1]
    assert evaluated(np.linspace(0, 1, 60)).by("camera")["slice"].iloc[0] == "0 to 0.186"
    assert evaluated(range(2026_0101, 2026_0161)).by("camera")["slice"].iloc[0] == "20260101 to 20260112"


def test_sizes_become_ranges_and_missing_ones_have_their_own_row() -> None:
    widths = pd.Series([*range(100, 158), None, None], dtype="Int64")
    images = pd.DataFrame({"image": NAMES, "width": widths, "height": None, "source": ["a.csv"] * 59 + [None]})
    found = evaluate(TRUTH, PREDICTIONS, images)
    table = found.by("width")
    assert table["slice"].tolist() == ["100 to 111", "112 to 123", "124 to 134", "135 to 146", "147 to 157", "(none)"]
    assert table["test_images"].tolist() == [12, 12, 11, 12, 11, 2]
    assert found.by("source")[["slice", "test_images"]].to_numpy().tolist() == [["a.csv", 59], ["(none)", 1]]
    with pytest.raises(InputError, match=r"'height' is empty.*\['image', 'width', 'source'\]"):
        found.by("height")


def test_ranges_equal_after_rounding_are_shown_exactly() -> None:
    table = evaluated(1_763_648_123.25 + np.arange(60) / 100).by("camera")
    assert table["slice"].iloc[0] == "1763648123.25 to 1763648123.36"
    assert table["slice"].is_unique


def test_equal_numbers_stay_together_and_infinite_ones_are_the_last() -> None:
    table = evaluated([0] * 40 + [*range(1, 19), np.inf, -np.inf]).by("camera")
    assert table["slice"].tolist() == ["-inf to 0", "1 to 7", "8 to inf"]
    assert table["test_images"].tolist() == [41, 7, 12]


def test_few_numbers_are_slices_of_their_own_in_their_order() -> None:
    assert evaluated([10, 9, 100] * 20).by("camera")["slice"].tolist() == ["9", "10", "100"]
    assert evaluated([True, False] * 30).by("camera")["slice"].tolist() == ["False", "True"]
    assert evaluated(pd.Series([10, 9, None] * 20, dtype="object")).by("camera")["slice"].tolist() == [
        "9",
        "10",
        "(none)",
    ]
    assert evaluated([0.5, 1.0] * 30).by("camera")["slice"].tolist() == ["0.5", "1"]


def test_days_become_ranges() -> None:
    days = pd.date_range("2026-01-01", periods=60, freq="D")
    table = evaluated(days).by("camera")
    assert table["slice"].tolist()[0] == "2026-01-01 to 2026-01-12"
    assert table["test_images"].sum() == 60
    assert evaluated(days[:3].repeat(20)).by("camera")["slice"].tolist() == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_cells_of_any_type_are_sliced() -> None:
    odd = [{"a": 1}, [["x"], ["x"]], np.array(["y", "y"]), {"z"}, 2.5, None] * 10
    table = evaluated(pd.Series(odd, dtype="object")).by("camera")
    assert table["slice"].tolist() == ["2.5", "['x']", "y", "z", "{'a': 1}", "(none)"]
    assert table["test_images"].tolist() == [10] * 6


def test_categories_keep_their_order() -> None:
    values = pd.Categorical(["low", "high", "low"] * 20, categories=["low", "middle", "high"], ordered=True)
    assert evaluated(values).by("camera")["slice"].tolist() == ["low", "high"]


def test_hostile_names_stay_as_they_are() -> None:
    values = [HOSTILE[i % len(HOSTILE)] for i in range(60)]
    assert sorted(evaluated(values).by("camera")["slice"]) == sorted(HOSTILE)
    assert evaluated([1, "one", ("a", "b")] * 20).by("camera")["slice"].tolist() == ["1", "a", "b", "one"]


def test_a_slice_without_labels_is_flagged() -> None:
    images = pd.DataFrame({"image": [*NAMES, "empty.jpg"], "camera": ["x"] * 60 + ["y"]})
    row = evaluate(TRUTH, PREDICTIONS, images).by("camera").iloc[1]
    assert row[["test_images", "labels", "f1", "accuracy"]].tolist() == [1, 0, 0, 0]
    assert np.isnan(row["f1_low"])


def test_cross_validated_slices_keep_the_thresholds_of_their_folds() -> None:
    found = evaluated(["left"] * 25 + ["right"] * 35, thresholds="cross-validated")
    rows = found.per_image[found.per_image["image"].isin(NAMES[:25])]
    hits = (rows["result"] == "true positive").groupby(rows["label"]).sum()
    recall = hits / TRUTH[:25].groupby("label").size()
    assert found.by("camera")["recall"].iloc[0] == pytest.approx(recall.mean())


def test_detector_slices_have_detector_metrics() -> None:
    box = {"left": 0.0, "top": 0.0, "width": 9.0, "height": 9.0}
    truth = TRUTH.assign(**box)
    images = pd.DataFrame({"image": NAMES, "camera": ["left", "right"] * 30})
    table = evaluate(truth, truth.assign(confidence=0.9), images).by("camera")
    assert table[["f1", "mean_average_recall"]].to_numpy().tolist() == [[1, 1], [1, 1]]


def test_unknown_columns_are_named_with_those_that_are_there() -> None:
    with pytest.raises(InputError, match=r"column='kamera'.*'image', 'camera'"):
        evaluated("x").by("kamera")
    with pytest.raises(InputError, match=r"column=\['camera'\]"):
        evaluated("x").by(["camera"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"images=table"):
        evaluate(TRUTH, PREDICTIONS).by("camera")


def test_two_columns_are_the_combinations_that_images_have() -> None:
    hours = [3] * 20 + [10, 9] * 20  # camera b has one hour only
    images = pd.DataFrame({"image": NAMES, "hour": hours, "camera": ["b"] * 20 + ["a"] * 40})
    found = evaluate(TRUTH, PREDICTIONS, images)
    table = found.by(["hour", "camera"])
    assert table.index.tolist() == [("3", "b"), ("9", "a"), ("10", "a")]
    assert table["test_images"].tolist() == [20, 20, 20]
    assert table["f1"].tolist() == found.by("hour")["f1"].tolist()
    with pytest.raises(InputError, match=r"column='kamera'"):
        found.by(["hour", "kamera"])
    assert found.by(np.array(["hour", "camera"])).index.equals(table.index)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two different"):
        found.by(["hour", "hour"])


def test_values_with_the_same_text_are_different_slices() -> None:
    values = ["(none)"] * 20 + [None] * 20 + ["x"] * 20
    images = pd.DataFrame({"image": NAMES, "site": values, "light": [0.12345671, 0.12345672, 0.5] * 20})
    found = evaluate(TRUTH, PREDICTIONS, images)
    assert found.by("site")["slice"].tolist() == ["(none)", "x", "((none))"]
    assert found.by("light")["slice"].tolist() == ["0.12345671", "0.12345672", "0.5"]
    assert len(found.by(["site", "light"])) == 9


@pytest.mark.parametrize("column", ["f1", "labels", "differs", "version", "slice"])
def test_columns_may_have_the_names_of_metrics(column: str) -> None:
    images = pd.DataFrame({"image": NAMES, column: ["a", "b", "c"] * 20})
    axes = Report(evaluate(TRUTH, PREDICTIONS, images)).plot_by(column)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_ylabel() == column
    plt.close("all")


def test_plots_mark_the_slices_that_differ() -> None:
    right = np.tile([0.9] * 9 + [0.1], 20)
    right[160:] = np.tile([0.9, 0.1, 0.1, 0.1], 10)
    truth, predictions = tables([0] * 200, np.stack([right, 1 - right], axis=1))
    images = pd.DataFrame({"image": [f"image {i}.jpg" for i in range(200)], "camera": np.repeat([*"ABCDE"], 40)})
    report = Report(evaluate(truth, predictions, images.assign(side=["left", "right"] * 100), task="single-label"))
    assert [text.get_text() for text in report.plot_by("camera").texts] == ["lower than others"]
    heat = report.plot_by(["camera", "side"])
    assert [text.get_text().split()[1:] for text in heat.texts[::2]] == [[]] * 8 + [["lower"]] * 2
    assert [label.get_text() for label in heat.get_yticklabels()] == [*"ABCDE"]
    plt.close("all")


def test_too_many_slices_are_refused() -> None:
    truth, predictions = random_tables(501, ["a", "b"])
    with pytest.raises(InputError, match=r"column='image' has 501 different values"):
        evaluate(truth, predictions).by("image")


def test_the_images_of_an_evaluation_keep_their_columns() -> None:
    images = pd.DataFrame({"image": NAMES[::-1], "camera": range(60)}, index=range(100, 160))
    found = evaluate(TRUTH, PREDICTIONS, images)
    assert found.images["image"].tolist() == found.outcomes.images.tolist() == NAMES[::-1]
    assert found.images["camera"].tolist() == list(range(60))
    assert list(evaluate(TRUTH, PREDICTIONS).images.columns) == ["image"]


def test_report_by_equals_slice_table() -> None:
    found = evaluated(["left", "right"] * 30)
    report = Report(found)
    pd.testing.assert_frame_equal(report.by("camera"), found.by("camera"))
    pd.testing.assert_frame_equal(report.calibration(5, label="a"), found.calibration(5, label="a"))
    pd.testing.assert_frame_equal(report.precision_recall("a"), found.precision_recall("a"))
