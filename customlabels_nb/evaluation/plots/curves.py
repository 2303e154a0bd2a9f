"""Plots of metrics against the threshold, precision-recall curves and ROC curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customlabels_nb._utils.plotting.style import (
    FAINTER,
    INK,
    MARK,
    MARKS,
    colors_of,
    legend,
    marked_threshold,
    name_plot,
    new_axes,
    plain,
    plot,
    unit_square,
)
from customlabels_nb._utils.text import counted
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.result import Evaluation

#: Dashes and markers, so that lines differ in more than color.
LINE_STYLES: tuple[Any, ...] = (
    "-", (0, (6, 1.6)), (0, (7, 1.4, 1.4, 1.4)), (0, (2, 1.2)), (0, (12, 1.6)), (0, (4, 1.2, 1.2, 1.2, 1.2, 1.2)),
    (0, (1, 1)), (0, (12, 1.4, 2, 1.4)), (0, (3, 3)), (0, (9, 1.4, 1.4, 1.4, 1.4, 1.4)),
)  # fmt: skip
#: Number of lines that can be distinguished. If there are more labels, only the weakest ones are drawn in color.
MOST_LINES = len(LINE_STYLES)
CROWD = "#88888866"
#: Above this number, the grey lines are replaced by their median and a band from the 10th to the 90th percentile.
MOST_GREY_LINES = 12


@plot
def plot_curves(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw metrics against the threshold and mark the threshold, if in use.

    Without ``label``, the plot shows the F1 of each label with a marker at its threshold. If there are more than ten
    labels, the ten with the lowest F1 appear in the legend, and the rest are drawn in grey. With ``label``, or if
    there is only one label, the plot shows the precision, recall and F1 of that label.
    """
    table = _drawn_labels(evaluation, label, by="f1")
    curves = {name: evaluation.curve(name).dropna(subset="precision") for name in table["label"]}
    beside = ax is None
    if ax is None:
        ax = new_axes(7.6, 3.8)
    unit_square(ax, across="threshold", up="F1" if len(table) > 1 else "metric")
    name_plot(ax, "F1 by threshold" if len(table) > 1 else "Metrics by threshold", high=len(table) == 1)
    if len(table) == 1:
        row = table.iloc[0]
        _three_lines(ax, row, curves[row["label"]], colors_of(evaluation.labels)[row["label"]])
        legend(ax, plain(row["label"], 28), beside=beside)
        return ax
    looks = _styles(evaluation, table)
    _crowd(ax, [(curve["threshold"], curve["f1"]) for name, curve in curves.items() if name not in looks])
    for name, look in looks.items():
        row = table[table["label"] == name].iloc[0]
        # a value holds from one confidence down to the next lower one
        ax.plot(curves[name]["threshold"], curves[name]["f1"], drawstyle="steps-pre", **look)
        _dot(ax, row["threshold"], row["f1"], look)
    legend(ax, "F1", beside=beside)
    return ax


@plot
def plot_precision_recall(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the precision-recall curve of each label, or only of ``label``, with a marker at the threshold, if in use.

    The legend shows average precision. If there are more than ten labels, the ten with the lowest average precision
    appear in the legend, and the rest are drawn in grey. Faint lines connect points of equal F1.
    """
    table = _drawn_labels(evaluation, label, by="average_precision")
    beside = ax is None
    if ax is None:
        ax = new_axes(6.6, 4.4)
    unit_square(ax, across="recall", up="precision")
    name_plot(ax, "Precision and recall")
    _lines_of_one_f1(ax)
    curves = {name: _upper_edge(evaluation.precision_recall(name)) for name in table["label"]}
    looks = _styles(evaluation, table)
    _crowd(ax, [curve for name, curve in curves.items() if name not in looks])
    for name, look in looks.items():
        row = table[table["label"] == name].iloc[0]
        look["label"] = f"{row['average_precision']:.3f}  {look['label']}"
        ax.plot(*curves[name], drawstyle="steps-pre", **look)
        if row["tp"] + row["fp"] and not evaluation.applied.most_confident:
            _dot(ax, row["recall"], row["precision"], look)
    legend(ax, "average precision", beside=beside)
    return ax


@plot
def plot_roc(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the ROC curve of each label, or only of ``label``, with a marker at the threshold, if in use.

    The legend shows the area under the curve. If there are more than ten labels, the ten with the smallest area appear
    in the legend, and the rest are drawn in grey. A faint diagonal shows chance. Labels that all or no test images have
    are not drawn.
    """
    images, labels = len(evaluation.outcomes.images), evaluation.outcomes.labels
    curves = {name: _corners(evaluation.roc(name)) for name in (labels if label is None else [label])}
    table = _drawn_labels(evaluation, label, by="roc_auc").dropna(subset="roc_auc")
    beside = ax is None
    if ax is None:
        ax = new_axes(6.6, 4.4)
    unit_square(ax, across="false positive rate", up="true positive rate (recall)")
    name_plot(ax, "ROC")
    ax.plot([0, 1], [0, 1], color="#88888880", linewidth=0.7, zorder=1)
    looks = _styles(evaluation, table)
    _crowd(ax, [curves[name] for name in table["label"] if name not in looks], steps=False)
    for name, look in looks.items():
        row = table[table["label"] == name].iloc[0]
        look["label"] = f"{row['roc_auc']:.3f}  {look['label']}"
        ax.plot(*curves[name], **look)
        if not evaluation.applied.most_confident:
            _dot(ax, row["fp"] / (images - row["support"]), row["recall"], look)
    legend(ax, "area under curve", beside=beside)
    return ax


def _drawn_labels(evaluation: Evaluation, label: str | None, *, by: str) -> pd.DataFrame:
    """Select the ``per_label`` rows to draw, lowest metric first, without untested labels unless asked for."""
    table = evaluation.per_label
    if label is None:
        return table[table["test_images"] > 0].sort_values(by, kind="stable")
    evaluation.outcomes.position(label)
    return table[table["label"] == label]


def _styles(evaluation: Evaluation, table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Choose the line styles of the labels in the legend, in drawing order: the weakest label last, on top."""
    colors = colors_of(evaluation.labels)
    looks = {}
    for position, name in reversed(list(enumerate(table["label"][:MOST_LINES]))):
        looks[name] = {
            **_mark(MARKS[position], colors[name]),
            "linestyle": LINE_STYLES[position],
            "linewidth": 1.8,
            "label": plain(name, 24),
            "markevery": [],  # marker only in the legend
        }
    return looks


def _crowd(ax: Axes, curves: list[tuple[Any, Any]], *, steps: bool = True) -> None:
    """Draw the labels that are not in the legend: as grey lines, or as a band with a median if there are many."""
    if not curves:
        return
    if len(curves) <= MOST_GREY_LINES:
        for x, y in curves:
            ax.plot(x, y, drawstyle="steps-pre" if steps else None, color=CROWD, linewidth=0.8, zorder=1.8)
        ax.plot([], [], color=CROWD, linewidth=1.2, label=counted(len(curves), "stronger label"))
        return
    grid = np.linspace(0, 1, 401)
    # a value holds from one x down to the next lower one. Beyond its end, a curve counts as 0: no prediction is
    # accepted, or the recall is not reached
    heights = np.stack(
        [np.append(y, 0.0)[np.searchsorted(x, grid)] if steps else np.interp(grid, x, y) for x, y in curves]
    )
    low, middle, high = np.percentile(heights, [10, 50, 90], axis=0)
    ax.fill_between(grid, low, high, color=FAINTER, linewidth=0, zorder=1.7)
    ax.plot(
        grid, middle, color=INK, linewidth=1.2, zorder=1.8, label=f"{len(curves)} stronger labels:\nmedian, middle 80%"
    )


def _three_lines(ax: Axes, row: pd.Series, curve: pd.DataFrame, color: str) -> None:
    looks: dict[str, dict[str, Any]] = {
        "precision": {"color": INK, "linestyle": (0, (5, 1.6)), "linewidth": 1.5},
        "recall": {"color": INK, "linestyle": (0, (1.2, 1.2)), "linewidth": 1.9},
        "f1": {"color": color, "linewidth": 2.4},
    }
    for metric, look in looks.items():
        name = "F1" if metric == "f1" else metric
        if not np.isnan(row["threshold"]):
            name += f" {row[metric]:.3f}"
        ax.plot(curve["threshold"], curve[metric], drawstyle="steps-pre", label=name, solid_capstyle="butt", **look)
    marked_threshold(ax, float(row["threshold"]))
    _dot(ax, row["threshold"], row["f1"], {"marker": "o", "color": color})


def _mark(form: str, color: str) -> dict[str, Any]:
    return {"color": color, "marker": form, **MARK}


def _dot(ax: Axes, x: float, y: float, look: dict[str, Any]) -> None:
    """Draw a marker at a point. NaN, for no threshold, draws nothing."""
    if np.isnan(x):
        return
    mark = _mark(look["marker"], look["color"])
    ax.plot([x], [y], linestyle="none", clip_on=False, zorder=4, **mark)


def _upper_edge(curve: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the recall values, ascending from 0, and the highest precision at each. Others add no area."""
    points = curve.dropna()
    recall, precision = (points[column].to_numpy(dtype=np.float64) for column in ("recall", "precision"))
    first = np.flatnonzero(
        np.diff(recall, prepend=-1.0)
    )  # first point of each recall: later points accept more predictions, none of them correct
    recall, precision = recall[first], precision[first]
    return np.append(recall[:1] * 0, recall), np.append(precision[:1], precision)


def _corners(curve: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the rates of false and of true positives of a ROC curve, without points on straight lines."""
    x, y = (curve[name].to_numpy() for name in ("false_positive_rate", "true_positive_rate"))
    turns = np.diff(x[1:]) * np.diff(y[:-1]) != np.diff(x[:-1]) * np.diff(y[1:])
    kept = np.concatenate([[True], turns, [True]])
    return x[kept], y[kept]


def _lines_of_one_f1(ax: Axes) -> None:
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / (2 - f1), 1, 100)
        ax.plot(recall, f1 * recall / (2 * recall - f1), color="#88888840", linewidth=0.7, zorder=1)
        ax.text(1, f1 / (2 - f1) + 0.005, f"F1 {f1}", color=INK, fontsize=7, ha="right", va="bottom", zorder=1)
