"""Drawings of an evaluation with matplotlib: each takes an Axes or makes one, and returns it.

A figure made here has no ground of its own and writes in a middle grey that has about the same contrast (4:1 and
4.7:1) against white and against a dark notebook's ground: a notebook's theme can change after the cell was run, so no
fixed ground fits, and white cards glare at night. Text that stands on a filled cell takes its colour from that cell.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.transforms import blended_transform_factory

from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.fonts import drawable, with_further_fonts
from customlabels_nb.evaluation.result import Evaluation

INK = "#7f7f7f"
#: The nearest grey on the other side of the middle, for the ticks of x. Jupyter's inline backend puts a white card
#: under a transparent figure whose tick labels are all dark, and a black one where all are light: here neither.
INK_LIGHT = "#808080"
FAINT = "#8888884d"
EMPTY_CELL = "#88888814"
#: From few to all; the lightest still shows on white, the darkest on black. Told apart without colour by the diagonal.
RIGHT = LinearSegmentedColormap.from_list("right", ["#bcd7ee", "#2f7fc1"])
WRONG = LinearSegmentedColormap.from_list("wrong", ["#f0c9c4", "#c23a2b"])

#: The figures beside the bars: head, right end on the axis of the bars (which are at most 1 long), format.
BESIDE_BARS = {
    "f1": ("F1", 1.16, "{:.3f}"),
    "precision": ("precision", 1.41, "{:.3f}"),
    "recall": ("recall", 1.60, "{:.3f}"),
    "threshold": ("threshold", 1.85, "{:.3f}"),
    "test_images": ("test", 2.02, "{:d}"),
}
BARS_END = 2.03

LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))
#: So many lines can be told apart; of more labels, the weakest are drawn in colour.
MOST_LINES = len(LINE_STYLES)


@with_further_fonts
def plot_per_label(evaluation: Evaluation, ax: Axes | None = None) -> Axes:
    """A bar for each label's F1, best first, and beside it F1, precision, recall, threshold and test images."""
    table = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")
    count = len(table)
    if ax is None:
        ax = _new_axes(9.0, float(np.clip(0.9 + 0.30 * count, 1.6, 18.0)))
    size = _font_size(ax, count)
    colours = dict(zip(evaluation.labels["label"], evaluation.labels["colour"], strict=True))
    places = list(range(count))
    tests = table["test_images"].to_list()
    ax.barh(places, np.ones(count), height=0.5, color=FAINT, alpha=0.15, linewidth=0)
    ax.barh(places, table["f1"], height=0.5, color=[colours[name] for name in table["label"]], linewidth=0)
    ax.set_yticks(places, [plain(name, 28) for name in table["label"]], fontsize=size)
    ax.set_xlim(0, BARS_END)
    ax.set_ylim(count - 0.4, -0.6)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=size)
    ax.set_xlabel("F1", fontsize=size, x=0.5 / BARS_END)
    _quiet(ax)
    above = blended_transform_factory(ax.transData, ax.transAxes)
    for column, (head, x, form) in BESIDE_BARS.items():
        ax.text(x, 1, head, transform=above, ha="right", va="bottom", fontsize=size, color=INK)
        weight = "bold" if column == "f1" else "normal"
        for place, value in zip(places, table[column], strict=True):
            text = "—" if column in ("f1", "precision", "recall") and not tests[place] else form.format(value)
            ax.text(x, place, text, ha="right", va="center", fontsize=size, color=INK, weight=weight)
    return ax


@with_further_fonts
def plot_curves(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Figures along the threshold, and the threshold in use.

    Without ``label``: F1 of each label with a dot at its threshold; of more than eight labels the eight with the
    lowest F1 are named, the others grey. With ``label``: precision, recall and F1 of that label.

    Raises
    ------
    LabelError
        If there is no such label.
    """
    curves = {} if label is None else {label: evaluation.curve(label)}  # refuses before a figure is made
    if ax is None:
        ax = _new_axes(7.0, 3.6)
    if label is None:
        _all_f1_lines(evaluation, ax)
    else:
        _lines_of(evaluation, ax, label, curves[label])
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.02, 1.04)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.set_xlabel("threshold")
    ax.grid(axis="y", color=FAINT, linewidth=0.8)
    _quiet(ax)
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, labelcolor=INK, handlelength=2.6)
    legend.set_title("F1" if label is None else plain(label, 28))
    legend.get_title().set(color=INK, weight="bold")
    legend.set_alignment("left")
    return ax


@with_further_fonts
def plot_confusion_matrix(matrix: ConfusionMatrix, ax: Axes | None = None, *, normalize: str | None = None) -> Axes:
    """The matrix as coloured cells, right ones blue, mistakes red; numbers where they fit.

    Rows are predicted, columns ground truth. Cells are shaded by their share of the column (with
    ``normalize="prediction"`` of the row), also where counts are written.

    Raises
    ------
    InputError
        If ``normalize`` is not None, "truth" or "prediction".
    """
    values = matrix.values(normalize)
    shares = np.clip(matrix.values(normalize or "truth"), 0, 1)
    count = len(matrix.labels)
    names = [plain(name, 20) for name in matrix.labels]
    if ax is None:
        side = float(np.clip(0.55 * count, 1.6, 12.0))
        margin = 0.5 + 0.075 * min(20, max(map(len, names)))
        ax = _new_axes(side + margin, side + (margin if count > 6 else 0.8))
    cells = np.where(np.eye(count, dtype=bool)[..., None], RIGHT(shares), WRONG(shares))
    cells[matrix.counts == 0] = to_rgba(EMPTY_CELL)
    ax.imshow(cells, aspect="equal", interpolation="nearest")
    size = _font_size(ax, count)
    steep = count > 6 or max(map(len, names)) > 9
    ax.set_xticks(range(count), names, fontsize=size, rotation=90 if steep else 0)
    ax.set_yticks(range(count), names, fontsize=size)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("ground truth", fontsize=max(size, 8))
    ax.set_ylabel("predicted", fontsize=max(size, 8))
    if count <= 40:
        ax.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="#80808030", linewidth=0.8)
    _quiet(ax)
    _write_cells(ax, matrix, values, cells, whole=normalize is None)
    return ax


def plain(name: str, longest: int) -> str:
    """A label's name for a drawing: one line of at most ``longest`` characters that there is a font for.

    Its ``$`` start no formula.
    """
    text = "".join(character if character.isprintable() else " " for character in name)
    text = drawable(text if len(text) <= longest else text[: longest - 1].rstrip() + "…")
    text = text.replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text  # matplotlib leaves such names out of legends


def _all_f1_lines(evaluation: Evaluation, ax: Axes) -> None:
    table = evaluation.per_label
    table = table[table["test_images"] > 0].sort_values("f1", kind="stable")
    colours = dict(zip(evaluation.labels["label"], evaluation.labels["colour"], strict=True))
    named = list(table["label"][:MOST_LINES])
    if len(table) > MOST_LINES:
        ax.plot([], [], color="#88888866", linewidth=0.7, label=f"stronger labels: {len(table) - MOST_LINES}")
    for label in [*table["label"][MOST_LINES:], *named[::-1]]:
        curve = evaluation.curve(label).dropna(subset="precision")  # up to the highest confidence
        if label not in named:
            _step(ax, curve["threshold"], curve["f1"], color="#88888866", linewidth=0.7)
            continue
        style = LINE_STYLES[named.index(label)]
        name = plain(label, 24)
        _step(ax, curve["threshold"], curve["f1"], color=colours[label], linestyle=style, linewidth=1.8, label=name)
        row = table[table["label"] == label].iloc[0]
        ax.plot([row["threshold"]], [row["f1"]], "o", color=colours[label], markersize=6, clip_on=False, zorder=4)


def _lines_of(evaluation: Evaluation, ax: Axes, label: str, curve: Any) -> None:
    position = evaluation.scores.labels.index(label)
    colour, threshold = evaluation.scores.colours[position], float(evaluation.thresholds[position])
    row = evaluation.per_label.iloc[position]
    _step(ax, curve["threshold"], curve["precision"], color=INK, linestyle="--", linewidth=1.4,
          label=f"precision {row['precision']:.3f}")  # fmt: skip
    _step(ax, curve["threshold"], curve["recall"], color=INK, linestyle=":", linewidth=1.8,
          label=f"recall {row['recall']:.3f}")  # fmt: skip
    _step(ax, curve["threshold"], curve["f1"], color=colour, linewidth=2.4, label=f"F1 {row['f1']:.3f}")
    ax.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (3, 2)))
    ax.annotate(f"{threshold:.3f}", (threshold, 1), (0, 2), ("data", "axes fraction"), "offset points",
                ha="center", va="bottom", color=INK, fontsize=9)  # fmt: skip


def _step(ax: Axes, x: Any, y: Any, **style: Any) -> None:
    # what holds at a confidence holds down to the next lower one
    ax.plot(x, y, drawstyle="steps-pre", solid_capstyle="butt", **style)


def _write_cells(ax: Axes, matrix: ConfusionMatrix, values: Any, cells: Any, *, whole: bool) -> None:
    filled = np.argwhere(matrix.counts > 0).tolist()
    texts = [f"{values[p, g]:.0f}" if whole else f"{values[p, g]:.2f}" for p, g in filled]
    cell = _cell_points(ax, len(matrix.labels))
    size = min(10.0, 0.72 * cell, cell / (0.68 * max(map(len, texts), default=1)))
    if size < 5:
        return
    for (p, g), text in zip(filled, texts, strict=True):
        dark = np.dot(cells[p, g, :3] ** 2.2, (0.2126, 0.7152, 0.0722)) > 0.18  # where black and white contrast alike
        weight = "bold" if p == g else "normal"
        ax.text(g, p, text, ha="center", va="center", fontsize=size, color="#111" if dark else "#fff", weight=weight)


def _new_axes(width: float, height: float) -> Axes:
    figure = plt.figure(figsize=(width, height), layout="constrained")
    ax: Axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    ax.patch.set_alpha(0)
    return ax


def _quiet(ax: Axes) -> None:
    ax.tick_params(axis="y", which="both", length=0, colors=INK)
    ax.tick_params(axis="x", which="both", length=0, colors=INK_LIGHT)
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        text.set_color(INK)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _cell_points(ax: Axes, count: int) -> float:
    """Points (1/72 inch) that one of ``count`` rows has."""
    box = ax.get_position()
    width, height = ax.figure.get_size_inches()  # type: ignore[union-attr]
    return float(72 * min(box.width * width, box.height * height) / max(count, 1))


def _font_size(ax: Axes, rows: int) -> float:
    return float(np.clip(0.75 * _cell_points(ax, rows), 4.0, 9.5))
