"""Plots of confidence: histograms of correct and wrong predictions, and calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from customlabels_nb._utils.plotting.style import (
    FAINT,
    INK,
    MARK,
    QUARTER_NAMES,
    QUARTERS,
    TEXT,
    count_ticks,
    inches,
    legend,
    marked_threshold,
    name_plot,
    new_axes,
    plain,
    plot,
    quiet,
    unit_square,
)
from customlabels_nb.core.colors import RIGHT, WRONG
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.calibration import CALIBRATION_BINS, answers
from customlabels_nb.evaluation.result import Evaluation

BINS = 20
#: If a bar has more predictions than this, the y axis is logarithmic, so that a few confident mistakes stay visible.
MOST_ON_A_LINE = 100


@plot
def plot_confidences(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw histograms of confidence: correct predictions upwards, wrong ones downwards.

    Without ``label``, the histograms cover each image's most confident label (single-label) or all predictions (other
    tasks). With ``label``, they cover the predictions of that label and show its threshold: wrong predictions above the
    threshold are false positives, and correct ones below it are false negatives.
    """
    position = None if label is None else evaluation.outcomes.position(label)
    confidence, right = answers(evaluation.outcomes, position)
    beside = ax is None
    if ax is None:
        ax = new_axes(7.6, 3.4)
    edges = np.linspace(0, 1, BINS + 1)
    up, down = (np.histogram(confidence[which], edges)[0] for which in (right, ~right))
    tallest = max(int(up.max()), int(down.max()), 1)
    places, width = edges[:-1] + 0.5 / BINS, 0.9 / BINS
    ax.bar(places, up, width, color=RIGHT, linewidth=0)
    ax.bar(places, -down, width, color=WRONG, linewidth=0)
    _count_scale(ax, up, down, tallest)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xlim(0, 1)
    ax.set_xticks(QUARTERS, QUARTER_NAMES)
    ax.set_xlabel("confidence", fontsize=TEXT)
    ax.set_ylabel("predictions" + (" (logarithmic)" if tallest > MOST_ON_A_LINE else ""), fontsize=TEXT)
    ax.tick_params(labelsize=TEXT)
    name_plot(ax, "Confidence of right and wrong predictions", high=position is not None)
    quiet(ax, grid="y")
    names = [f"right: {int(right.sum()):,}", f"wrong: {int((~right).sum()):,}"]
    if position is not None and not evaluation.applied.most_confident:
        threshold = float(evaluation.thresholds[position])
        marked_threshold(ax, threshold)
        names[0] += f", {int((right & (confidence < threshold)).sum()):,} below"
        names[1] += f", {int((~right & (confidence >= threshold)).sum()):,} above"
    handles = [Patch(color=RIGHT, linewidth=0), Patch(color=WRONG, linewidth=0)]
    legend(ax, plain(label or "", 28), beside=beside, handles=handles, names=names)
    return ax


@plot
def plot_calibration(
    evaluation: Evaluation, ax: Axes | None = None, *, bins: int = CALIBRATION_BINS, label: str | None = None
) -> Axes:
    """Draw the share of correct predictions against confidence (a reliability diagram).

    Dots show the share with its 95% confidence interval, and bars below show the number of predictions in each bin.
    Perfectly calibrated confidences lie on the diagonal. ``bins`` and ``label`` work as in
    :meth:`customlabels_nb.evaluation.result.Evaluation.calibration`.
    """
    table = evaluation.calibration(bins, label=label)
    beside = ax is None
    if ax is None:
        ax = new_axes(6.6, 5.0)
    unit_square(ax, across="confidence", up="share correct")
    name_plot(ax, "Calibration")
    filled = table[table["count"] > 0]
    count, share = filled["count"].to_numpy(dtype=np.float64), filled["share_right"].to_numpy(dtype=np.float64)
    ax.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), label="perfect calibration", zorder=1.5)
    ax.vlines(filled["mean_confidence"], *_wilson(share, count), color=RIGHT, linewidth=1.6, zorder=3, clip_on=False)
    ax.plot(filled["mean_confidence"], share, "-o", color=RIGHT, linewidth=1.6, zorder=4, clip_on=False,
            label="correct, 95% interval", **MARK)  # fmt: skip
    _counts_below(ax, filled)
    error = f"calibration error {table.attrs['error']:.3f}" if len(filled) else "no predictions"
    title = error if label is None else f"{plain(label, 28)}\n{error}"
    if not beside:
        _space_above(ax, lines=3 + title.count("\n"))
    legend(ax, title, beside=beside)
    return ax


def _space_above(ax: Axes, lines: int) -> None:
    """Extend the y axis above 1, so that a legend of some lines covers nothing: the curve can be anywhere below."""
    foot, _ = ax.get_ylim()
    share = min(0.6, (1.7 * TEXT * lines + 10) / (72 * inches(ax)[1]))
    ax.set_ylim(foot, (1.02 - foot * share) / (1 - share))


def _counts_below(ax: Axes, bins: pd.DataFrame) -> None:
    foot, highest = -0.26, 0.13
    heights = highest * bins["count"] / bins["count"].max()
    middle = (bins["low"] + bins["high"]) / 2
    ax.bar(middle, heights, 0.9 * (bins["high"] - bins["low"]), foot, color=FAINT, linewidth=0)
    for x, height, number in zip(middle, heights, bins["count"], strict=True):
        ax.text(x, foot + height + 0.008, f"{number:,}", ha="center", va="bottom", fontsize=7.5, color=INK)
    ax.set_ylim(foot, 1.04)


def _count_scale(ax: Axes, up: IntArray, down: IntArray, tallest: int) -> None:
    """Scale the y axis for counts in both directions, logarithmically if some are large."""
    top, bottom = max(int(up.max()), 1), max(int(down.max()), 1)
    if tallest > MOST_ON_A_LINE:
        ax.set_yscale("symlog", linthresh=1, linscale=0.5)
        steps = [10**power for power in range(len(str(tallest)))]
        ticks = [*(-step for step in reversed(steps) if step <= bottom), 0, *(step for step in steps if step <= top)]
        ax.set_yticks(ticks, [f"{abs(tick):,}" for tick in ticks])
        ax.set_yticks([], minor=True)
    else:
        count_ticks(ax, "y", int(down.max()), int(up.max()))
    ax.set_ylim(-1.08 * bottom, 1.08 * top)


def _wilson(share: FloatArray, count: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute 95% Wilson confidence intervals for shares of ``count`` predictions."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half
