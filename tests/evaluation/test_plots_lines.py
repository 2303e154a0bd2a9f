"""Tests of line plots: metrics by threshold, precision-recall, confidence histograms, calibration."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.plots.confidence import plot_calibration, plot_confidences
from customlabels_nb.evaluation.plots.curves import plot_curves, plot_precision_recall, plot_roc
from tests.evaluation.cases import random_tables
from tests.evaluation.drawing import classified, detected, legend_of

pytestmark = pytest.mark.usefixtures("closed_figures")


def line_of(ax: Axes, name: str) -> Line2D:
    return next(line for line in ax.lines if str(line.get_label()).endswith(name))


def dots(ax: Axes) -> set[tuple[float, float]]:
    found = [line.get_xydata()[0].tolist() for line in ax.lines if line.get_linestyle() == "None"]
    return {(round(x, 9), round(y, 9)) for x, y in found}


def test_curves_are_those_of_the_tables_and_mark_the_thresholds() -> None:
    found = classified(3, thresholds="assumed")
    ax = plot_curves(found)
    for label, color in found.labels.itertuples(index=False):
        curve = found.curve(label).dropna()
        line = line_of(ax, label)
        np.testing.assert_array_equal(line.get_xydata(), curve[["threshold", "f1"]])
        assert to_hex(line.get_color()) == color
        assert line.get_drawstyle() == "steps-pre"  # a value at a confidence is valid down to the next lower one
    rows = found.per_label[["threshold", "f1"]].round(9).itertuples(index=False, name=None)
    assert dots(ax) == set(rows)
    assert len({(line.get_marker(), str(line._unscaled_dash_pattern)) for line in ax.lines[::2]}) == 3


def test_curves_of_one_label_have_precision_recall_and_f1() -> None:
    found = classified(3, thresholds="assumed")
    ax = plot_curves(found, label="label 01")
    curve, row = found.curve("label 01").dropna(), found.per_label.iloc[1]
    for metric, name in (("precision", "precision"), ("recall", "recall"), ("f1", "F1")):
        line = line_of(ax, f"{name} {row[metric]:.3f}")
        np.testing.assert_array_equal(line.get_xydata(), curve[["threshold", metric]])
    assert [row["threshold"]] * 2 in [np.asarray(line.get_xdata()).tolist() for line in ax.lines]
    assert f"{row['threshold']:.3f}" in [text.get_text() for text in ax.texts]


def test_single_label_curve_has_all_metrics() -> None:
    ax = plot_curves(classified(1))
    assert [text.split()[0] for text in legend_of(ax)] == ["precision", "recall", "F1"]


@pytest.mark.parametrize(
    ("plot", "metric"),
    [(plot_curves, "f1"), (plot_precision_recall, "average_precision"), (plot_roc, "roc_auc")],
    ids=["F1", "AP", "ROC"],
)
def test_of_many_labels_the_weakest_are_named(plot: object, metric: str) -> None:
    for found, crowd in ((classified(22), 12), (classified(40), 30)):
        ax = plot(found)  # type: ignore[operator]
        texts = legend_of(ax)
        weakest = found.per_label.sort_values(metric, kind="stable")["label"][:10].tolist()
        assert [text[-8:] for text in texts[1:]] == weakest[::-1]
        assert texts[0].startswith(f"{crowd} stronger labels")
        assert len(ax.collections) == (crowd > 12)  # a band instead of many lines


def test_the_band_of_many_labels_is_their_middle() -> None:
    found = classified(40)
    ax = plot_curves(found)
    table = found.per_label.sort_values("f1", kind="stable")
    middle = next(line for line in ax.lines if str(line.get_label()).startswith("30 stronger"))
    for at in (0.05, 0.2, 0.4):
        heights = []
        for label in table["label"][10:]:
            curve = found.curve(label).dropna()
            above = curve[curve["threshold"] >= at]
            heights.append(above["f1"].iloc[0] if len(above) else 0.0)
        place = int(np.argmin(np.abs(middle.get_xdata() - at)))
        assert middle.get_xdata()[place] == pytest.approx(at)
        assert middle.get_ydata()[place] == pytest.approx(np.median(heights), abs=0.02)


def area(found: Evaluation, label: str) -> float:
    x, y = line_of(plot_precision_recall(found), label).get_data()
    return float((np.diff(x) * np.asarray(y)[1:]).sum())


def test_the_area_below_precision_and_recall_is_the_average_precision() -> None:
    found = classified(5)
    for row in found.per_label.itertuples():
        assert area(found, row.label) == pytest.approx(row.average_precision, abs=1e-9)


def test_roc_plot_shows_areas_and_marks_thresholds() -> None:
    found = classified(5, thresholds="assumed")
    ax = plot_roc(found)
    assert not dots(plot_roc(classified(5)))  # the most confident label has no threshold
    for row in found.per_label.itertuples():
        line = line_of(ax, row.label)
        x, y = (np.asarray(values) for values in line.get_data())
        assert np.trapezoid(y, x) == pytest.approx(row.roc_auc, abs=1e-9)
        assert str(line.get_label()).startswith(f"{row.roc_auc:.3f}  ")
        accepted = row.fp / (len(found.images) - row.support)
        assert (round(accepted, 9), round(row.recall, 9)) in dots(ax)
        assert np.interp(accepted, x, y) >= row.recall - 1e-9


def test_precision_and_recall_names_average_precision_and_marks_thresholds() -> None:
    for found in (classified(5, thresholds="assumed"), detected(5)):
        ax = plot_precision_recall(found)
        rows = found.per_label.sort_values("average_precision", ascending=False, kind="stable")
        expected = [f"{row.average_precision:.3f}  {row.label}" for row in rows.itertuples()]
        assert sorted(legend_of(ax)) == sorted(expected)
        marked = found.per_label[["recall", "precision"]].round(9).itertuples(index=False, name=None)
        assert dots(ax) == set(marked)
        for label in rows["label"]:  # the markers are on their lines
            x, y = line_of(ax, label).get_data()
            row = rows[rows["label"] == label].iloc[0]
            assert y[np.searchsorted(x, row["recall"])] >= row["precision"] - 1e-9


@pytest.mark.parametrize("boxes", [False, True])
def test_histograms_hold_the_right_and_the_wrong_predictions(boxes: bool) -> None:
    found = detected(3) if boxes else classified(3, thresholds="assumed")
    for position, label in enumerate(found.outcomes.labels):
        ax = plot_confidences(found, label=label)
        _, confidence, right = found.outcomes.predictions(position)
        up, down = ax.containers
        np.testing.assert_array_equal(
            [bar.get_height() for bar in up], np.histogram(confidence[right], np.linspace(0, 1, 21))[0]
        )
        assert -sum(bar.get_height() for bar in down) == (~right).sum()
        threshold = found.thresholds[position]
        assert [threshold] * 2 in [np.asarray(line.get_xdata()).tolist() for line in ax.lines]
        missed, extra = (right & (confidence < threshold)).sum(), (~right & (confidence >= threshold)).sum()
        assert legend_of(ax) == [f"right: {right.sum()}, {missed} below", f"wrong: {(~right).sum()}, {extra} above"]


def test_without_thresholds_none_is_marked() -> None:
    found = classified(3)
    label = found.outcomes.labels[0]
    whole, one, exact, histogram = (
        plot_curves(found),
        plot_curves(found, label=label),
        plot_precision_recall(found),
        plot_confidences(found, label=label),
    )
    assert dots(whole) == dots(exact) == set()
    for ax in (one, histogram):
        assert not [line for line in ax.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    for ax in (whole, one, exact, histogram):
        texts = [text.get_text() for text in ax.texts] + legend_of(ax)
        assert not any(word in text for text in texts for word in ("nan", "below", "above"))
    row = found.per_label.iloc[0]
    assert not any(f"{row['f1']:.3f}" in text for text in legend_of(one))  # F1 is of no point of the curve


def test_without_a_label_the_most_confident_label_of_each_image_counts() -> None:
    found = classified(3)
    accuracy = found.metric("accuracy")
    ax = plot_confidences(found)
    assert legend_of(ax) == [f"right: {20 * accuracy:.0f}", f"wrong: {20 - 20 * accuracy:.0f}"]
    every = sum(len(found.outcomes.predictions(k)[1]) for k in range(3))
    multi = evaluate(*random_tables(20, ["a", "b", "c"]), task="multi-label")
    counts = [int(text.split()[-1]) for text in legend_of(plot_confidences(multi))]
    assert sum(counts) == every == 60


def test_few_confident_mistakes_among_many_predictions_are_seen() -> None:
    truth, predictions = random_tables(3000, ["a", "b"])
    found = evaluate(truth, predictions)
    ax = plot_confidences(found, label="a")
    assert "logarithmic" in ax.get_ylabel()
    foot = ax.transData.transform((0, 0))[1]
    one = abs(ax.transData.transform((0, -1))[1] - foot)
    assert one > 0.02 * ax.get_window_extent().height
    assert "1,000" not in [text.get_text() for text in ax.get_yticklabels() if text.get_text().startswith("-")]


@pytest.mark.parametrize("boxes", [False, True])
def test_calibration_is_that_of_the_table(boxes: bool) -> None:
    found = detected(3) if boxes else classified(3)
    table = found.calibration(5)
    filled = table[table["count"] > 0]
    ax = plot_calibration(found, bins=5)
    line = line_of(ax, "95% interval")
    np.testing.assert_array_equal(line.get_xydata(), filled[["mean_confidence", "share_right"]])
    assert [text.get_text() for text in ax.texts] == [f"{count:,}" for count in filled["count"]]
    assert ax.get_legend().get_title().get_text() == f"calibration error {table.attrs['error']:.3f}"
    assert "label 01" in plot_calibration(found, label="label 01").get_legend().get_title().get_text()


@pytest.mark.parametrize("size", [(9.0, 7.0), (4.0, 3.0)])
def test_calibration_legend_covers_no_part_of_the_curve(size: tuple[float, float]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=size)
    for ax, label in zip(axes, (None, "label 01"), strict=True):
        plot_calibration(classified(3), ax, label=label)
    figure.tight_layout()
    figure.canvas.draw()
    for ax in axes:
        highest = ax.transData.transform((0, 1))[1]
        assert ax.get_legend().get_window_extent().y0 > highest
        assert ax.get_legend().get_window_extent().y1 < ax.bbox.y1 + 1


def test_calibration_intervals_are_wilson_intervals() -> None:
    found = classified(3)
    ax = plot_calibration(found, bins=4)
    filled = found.calibration(4).query("count > 0")
    drawn_ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    for row, ends in zip(filled.itertuples(), drawn_ends, strict=True):
        for end in ends:  # the ends solve (share - p)² = z² p (1 - p) / n
            assert (row.share_right - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / row.count, abs=1e-9)
        assert ends[0] <= row.share_right + 1e-12
        assert ends[1] >= row.share_right - 1e-12
