"""Bar charts of F1 per label, images per label, and detections by box size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from customlabels_nb._utils.plotting.rows import PlotRows
from customlabels_nb._utils.plotting.style import (
    FAINTER,
    INK,
    NARROW,
    PALE,
    TEXT,
    colors_of,
    count_ticks,
    inches,
    legend,
    name_plot,
    new_axes,
    plain,
    plot,
    quiet,
)
from customlabels_nb.core.colors import RIGHT, WRONG
from customlabels_nb.evaluation.result import Evaluation

#: Metric columns to the right of the bars: heading, right edge on the x axis (bars are at most 1 long), format.
BESIDE_BARS = {
    "f1": ("F1", 1.17, "{:.3f}"),
    "interval": ("95% CI", 1.45, "{}"),
    "precision": ("precision", 1.71, "{:.3f}"),
    "recall": ("recall", 1.90, "{:.3f}"),
    "threshold": ("threshold", 2.16, "{:.3f}"),
    "test_images": ("test", 2.33, "{:,d}"),
}
NARROW_END = 1.22


@plot
def plot_per_label(evaluation: Evaluation, ax: Axes | None = None) -> Axes:
    """Draw the F1 of each label as a bar, best first, with its 95% confidence interval as a dark line.

    Columns to the right of the bars show F1, its interval, precision, recall, threshold and number of test images. Axes
    narrower than five inches show only F1. Labels without test images come last and have no bar.
    """
    table = evaluation.per_label.assign(here=evaluation.per_label["test_images"] > 0)
    table = table.sort_values(["here", "f1"], ascending=False, kind="stable", ignore_index=True)
    rows = PlotRows.of(len(table), ax, width=9.6)
    ax, size = rows.ax, rows.size
    wide = inches(ax)[0] >= NARROW
    columns = dict(BESIDE_BARS)
    if evaluation.applied.most_confident:  # no thresholds: the next column takes their place
        _, place, _ = columns.pop("threshold")
        columns["test_images"] = ("test", place, "{:,d}")
    end = max(place for _, place, _ in columns.values()) + 0.01 if wide else NARROW_END
    here = table[table["here"]]
    colors = colors_of(evaluation.labels)
    ax.barh(here.index, np.ones(len(here)), height=0.56, color=FAINTER, linewidth=0)
    ax.barh(here.index, here["f1"], height=0.56, color=[colors[name] for name in here["label"]], linewidth=0)
    rows.whiskers(here["f1_low"], here["f1_high"], here.index)
    rows.name(table["label"].to_list())
    ax.set_xlim(0, end)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=size)
    ax.set_xlabel("F1 with 95% confidence interval", fontsize=size, x=0.5 / end)
    name_plot(ax, "F1 per label", up="label", high=True)
    quiet(ax)
    _metrics_beside(rows, table, columns if wide else {"f1": columns["f1"]})
    return ax


def _metrics_beside(rows: PlotRows, table: pd.DataFrame, columns: dict[str, tuple[str, float, str]]) -> None:
    ends = zip(table["f1_low"], table["f1_high"], strict=True)
    table = table.assign(interval=[f"[{low:.2f}, {high:.2f}]" if low == low else "—" for low, high in ends])
    for column, (head, x, form) in columns.items():
        has_value = table["here"] | (column in ("threshold", "test_images"))
        texts = [form.format(value) if has else "—" for value, has in zip(table[column], has_value, strict=True)]
        rows.column(head, x, texts, bold=column == "f1")


@plot
def plot_support(evaluation: Evaluation, ax: Axes | None = None, *, training: Mapping[str, int] | None = None) -> Axes:
    """Draw the number of test images with each label, and of training images if ``training`` is given.

    Labels with the most images come first. ``training`` maps each label to its number of training images. For a
    detector, the number of boxes in the test images is shown next to the number of images.
    """
    table = pd.DataFrame({"label": evaluation.outcomes.labels, "test": evaluation.outcomes.test_images})
    table["boxes"] = evaluation.outcomes.targets
    table["training"] = [int((training or {}).get(label, 0)) for label in table["label"]]
    table = table.sort_values(["training", "test"], ascending=False, kind="stable", ignore_index=True)
    beside = ax is None
    rows = PlotRows.of(len(table), ax, width=7.0 if training is None else 8.5)
    ax, size = rows.ax, rows.size
    colors = table["label"].map(colors_of(evaluation.labels)).to_list()
    places = np.arange(len(table))
    if training is None:
        ax.barh(places, table["test"], height=0.56, color=colors, linewidth=0)
    else:
        ax.barh(places - 0.19, table["training"], height=0.36, color=colors, linewidth=0, alpha=PALE)
        ax.barh(places + 0.19, table["test"], height=0.36, color=colors, linewidth=0)
    _numbers_at_ends(rows, table, training=training is not None)
    rows.name(table["label"].to_list())
    ax.set_xlim(0, 1.02 * max(1, *table["test"], *table["training"]))
    count_ticks(ax, "x", 0, max(*table["test"], *table["training"]))
    ax.tick_params(axis="x", labelsize=size)
    ax.set_xlabel("images", fontsize=size)
    name_plot(ax, "Images per label", up="label")
    quiet(ax, grid="x")
    if training is not None:
        handles = [Patch(color=INK, alpha=PALE, linewidth=0), Patch(color=INK, linewidth=0)]
        legend(ax, "", handles=handles, names=["training", "test"], beside=beside)
    return ax


def _numbers_at_ends(rows: PlotRows, table: pd.DataFrame, *, training: bool) -> None:
    """Write the number of images (and the number of boxes, if different) at the end of each bar."""
    with_boxes = bool((table["boxes"] != table["test"]).any())
    for row, (test, boxes, trained) in enumerate(table[["test", "boxes", "training"]].itertuples(index=False)):
        if row not in rows.written:
            continue
        ends = [(test, row + 0.19 * training, f"{test:,} with {boxes:,} boxes" if with_boxes else f"{test:,}")]
        ends += [(trained, row - 0.19, f"{trained:,}")] if training and rows.step == 1 else []
        for end, height, text in ends:
            rows.ax.annotate(text, (end, height), (4, 0), textcoords="offset points", va="center", color=INK,
                             fontsize=rows.size * (0.8 if training else 1))  # fmt: skip


#: Tick labels of the COCO box sizes.
SIZE_NAMES = {"small": "small\nbelow 32² px", "medium": "medium\nbelow 96² px", "large": "large"}
#: Metric columns to the right of the bars: heading, and right edge as a fraction of the length of the bars' axis.
BESIDE_SIZES = {"tp": ("found", 0.15), "fn": ("missed", 0.31), "fp": ("false", 0.44), "precision": ("precision", 0.67),
          "recall": ("recall", 0.84)}  # fmt: skip


@plot
def plot_box_sizes(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the number of detected, missed and falsely predicted boxes by box size.

    Bars to the right are true boxes: detected ones are filled in blue, missed ones are outlined. Bars to the left are
    false positives. Precision and recall are shown next to the bars. The counts cover all labels, or only ``label``.
    """
    table = evaluation.by_box_size()
    if label is None:
        table = table[table["label"].isna()]
    else:
        evaluation.outcomes.position(label)
        table = table[table["label"] == label]
    beside = ax is None
    ax = new_axes(9.6, 2.3) if ax is None else ax
    rows = PlotRows.of(len(table), ax, width=9.6)
    tp, fp, fn = (table[column].to_numpy() for column in ("tp", "fp", "fn"))
    places = np.arange(len(table))
    parts: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
        (tp, np.zeros_like(tp), {"color": RIGHT, "linewidth": 0}),
        (fn, tp, {"facecolor": "none", "edgecolor": INK, "linestyle": "--", "linewidth": 1.2}),
        (-fp, np.zeros_like(fp), {"color": WRONG, "linewidth": 0}),
    )
    right, left = int((tp + fn).max(initial=1)), int(fp.max(initial=0))
    for lengths, starts, look in parts:
        ax.barh(places, lengths, height=0.6, left=starts, **look)
    ax.axvline(0, color=INK, linewidth=0.8)
    end = right + (right + left) * _columns_beside(rows, table, right, right + left)
    ax.set_xlim(-1.02 * left, end)
    ax.set_yticks(places, [SIZE_NAMES[size] for size in table["size"]])
    ax.set_ylim(len(table) - 0.5, -0.5)
    count_ticks(ax, "x", left, right)
    ax.tick_params(labelsize=TEXT)
    ax.set_xlabel("boxes", fontsize=TEXT, x=(left + right / 2) / (left + end))
    name_plot(ax, "Boxes by size", up="size", high=True)
    quiet(ax)
    handles = [Patch(**look) for _, _, look in parts]
    names = ["found", "missed", "false positives"]
    legend(ax, plain(label, 28) if label else "all labels", beside=beside, handles=handles, names=names)
    return ax


def _columns_beside(rows: PlotRows, table: pd.DataFrame, start: int, length: int) -> float:
    """Write the metric columns and return their width as a fraction of ``length``."""
    columns = BESIDE_SIZES if inches(rows.ax)[0] >= NARROW else {}
    none = {"precision": table["tp"] + table["fp"] == 0, "recall": table["tp"] + table["fn"] == 0}
    for column, (head, x) in columns.items():
        texts = [f"{value:.3f}" if column in none else f"{value:,}" for value in table[column]]
        if column in none:
            texts = ["—" if undefined else text for text, undefined in zip(texts, none[column], strict=True)]
        rows.column(head, start + x * length, texts)
    return 0.86 if columns else 0.02
