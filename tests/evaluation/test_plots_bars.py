"""Tests of bar plots: F1 by label, images by label, boxes by size, and changes between two versions."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.plots.bars import plot_box_sizes, plot_per_label, plot_support
from customlabels_nb.project.report import images_by_label
from tests.evaluation.cases import random_tables
from tests.evaluation.drawing import classified, compared, detected, legend_of, words

pytestmark = pytest.mark.usefixtures("closed_figures")


def rows_of(ax: Axes) -> list[str]:
    """Return the names of the rows from the top."""
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert ax.get_yticks().tolist() == list(range(len(names)))
    assert ax.yaxis_inverted()
    return names


def intervals_of(ax: Axes) -> set[tuple[float, float, float]]:
    """Return row, left end and right end of the horizontal lines."""
    segments = [segment for lines in ax.collections for segment in lines.get_segments()]
    return {(start[1], start[0], end[0]) for start, end in segments if start[1] == end[1]}


def test_bars_are_sorted_and_have_the_labels_colors_and_figures() -> None:
    found = classified(6, thresholds="assumed")
    ax = plot_per_label(found)
    best_first = found.per_label.sort_values("f1", ascending=False, kind="stable")
    assert rows_of(ax) == best_first["label"].tolist()
    ground, bars = ax.containers
    assert [bar.get_width() for bar in bars] == best_first["f1"].tolist()
    assert [bar.get_width() for bar in ground] == [1.0] * 6
    colors = found.labels.set_index("label")["color"]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == colors[best_first["label"]].tolist()
    for column in ("f1", "precision", "recall", "threshold"):
        assert {f"{value:.3f}" for value in best_first[column]} <= set(words(ax))
    for row in best_first.itertuples():
        assert f"[{row.f1_low:.2f}, {row.f1_high:.2f}]" in words(ax)


def test_bars_of_the_most_confident_label_have_no_thresholds_beside_them() -> None:
    found = classified(6)
    ax, by_threshold = plot_per_label(found), plot_per_label(classified(6, thresholds=0.3))
    assert "threshold" in words(by_threshold)
    assert not {"threshold", "nan"} & set(words(ax))
    assert ax.get_xlim()[1] < by_threshold.get_xlim()[1]
    for column in ("f1", "precision", "recall"):
        assert {f"{value:.3f}" for value in found.per_label[column]} <= set(words(ax))


def test_bars_have_their_intervals() -> None:
    found = classified(6)
    best_first = found.per_label.sort_values("f1", ascending=False, kind="stable")
    assert (best_first["f1_low"] < best_first["f1_high"]).any()
    ends = zip(range(6), best_first["f1_low"], best_first["f1_high"], strict=True)
    assert intervals_of(plot_per_label(found)) == set(ends)


def test_labels_without_test_images_come_last_without_a_bar() -> None:
    truth, predictions = random_tables(12, ["a", "b", "c"])
    kept = truth["label"] != "a"
    ax = plot_per_label(evaluate(truth[kept], predictions, truth["image"][kept]))
    assert rows_of(ax)[-1] == "a"
    assert len(ax.containers[1]) == 2
    assert words(ax).count("—") == 4  # F1, interval, precision, recall


def test_narrow_axes_have_f1_alone_beside_the_bars() -> None:
    found = classified(3)
    _, axes = plt.subplots(1, 2)
    ax = plot_per_label(found, axes[0])
    assert sorted(words(ax)) == sorted(["F1", *(f"{value:.3f}" for value in found.per_label["f1"])])


def test_support_shows_test_and_training_images() -> None:
    truth, predictions = random_tables(30, ["a", "b", "c"])
    found = evaluate(truth.iloc[:20], predictions, truth["image"].iloc[:20])
    test = dict(zip(found.outcomes.labels, found.outcomes.test_images.tolist(), strict=True))
    ax = plot_support(found)
    assert rows_of(ax) == sorted(test, key=lambda label: -test[label])
    assert {bar.get_width() for bar in ax.containers[0]} == set(test.values())
    assert ax.get_legend() is None

    ax = plot_support(found, training={"a": 5, "b": 1200})
    assert rows_of(ax) == ["b", "a", "c"]
    training, tested = ax.containers
    assert [bar.get_width() for bar in training] == [1200, 5, 0]
    assert [bar.get_width() for bar in tested] == [test["b"], test["a"], test["c"]]
    assert sorted(words(ax)) == sorted(["1,200", "5", "0", *map(str, test.values())])
    assert legend_of(ax) == ["training", "test"]


def test_support_of_a_detector_counts_boxes() -> None:
    found = detected(3)
    boxes = found.outcomes.targets.tolist()
    assert sorted(words(plot_support(found))) == sorted(
        f"{images} with {count} boxes" for images, count in zip(found.outcomes.test_images, boxes, strict=True)
    )


def test_images_are_counted_once_for_each_label() -> None:
    truth, predictions = random_tables(30, ["a", "b", "c"])
    found = evaluate(truth, predictions)
    expected = dict(zip(found.outcomes.labels, found.outcomes.test_images.tolist(), strict=True))
    assert images_by_label(found) == expected

    class Twice:
        images = truth[["image"]]
        annotations = truth.loc[truth.index.repeat(2)]

    assert images_by_label(Twice()) == expected


def test_box_sizes_are_those_of_the_table() -> None:
    found = detected(3)
    table = found.by_box_size()
    for label, rows in ((None, table[table["label"].isna()]), ("label 01", table[table["label"] == "label 01"])):
        assert rows[["tp", "fn", "fp"]].to_numpy().sum() > 0
        ax = plot_box_sizes(found, label=label)
        hits, misses, false = ax.containers
        assert [text.get_text().split("\n")[0] for text in ax.get_yticklabels()] == rows["size"].tolist()
        assert [bar.get_width() for bar in hits] == rows["tp"].tolist()
        assert [bar.get_width() for bar in misses] == rows["fn"].tolist()
        assert [bar.get_x() for bar in misses] == rows["tp"].tolist()
        assert [-bar.get_width() for bar in false] == rows["fp"].tolist()
        shown = words(ax)
        for column in ("tp", "fn", "fp"):
            assert {f"{value:,}" for value in rows[column]} <= set(shown)
        assert {f"{value:.3f}" for value in rows["recall"][rows["tp"] + rows["fn"] > 0]} <= set(shown)
    with pytest.raises(InputError, match="no boxes"):
        plot_box_sizes(classified(3))


def test_changes_are_sorted_and_drawn_with_intervals() -> None:
    comparison = compared(12)
    table = comparison.per_label.sort_values("delta", ascending=False, kind="stable", ignore_index=True)
    ax = comparison.plot()
    assert rows_of(ax) == table["label"].tolist()
    ends = zip(range(12), table["low"], table["high"], strict=True)
    assert intervals_of(ax) == set(ends)
    dots = {y: x for line in ax.lines if line.get_linestyle() == "None" for x, y in line.get_xydata()}
    np.testing.assert_allclose([dots[row] for row in range(12)], table["delta"])
    kinds = {
        "better": int((table["low"] > 0).sum()),
        "worse": int((table["high"] < 0).sum()),
        "not significant": int(((table["low"] <= 0) & (table["high"] >= 0)).sum()),
    }
    assert kinds["not significant"] < 12
    assert legend_of(ax) == [f"{kind}: {count}" for kind, count in kinds.items() if count]
    for row in table.itertuples():
        assert {f"{row.before:.3f}", f"{row.after:.3f}", f"{row.delta:+.3f}"} <= set(words(ax))
