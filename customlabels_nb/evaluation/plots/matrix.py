"""Plot of the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle
from matplotlib.text import Text

from customlabels_nb._utils.plotting.style import (
    FAINT,
    FAINTER,
    INK,
    TEXT,
    inches,
    ink_on,
    name_plot,
    new_axes,
    plain,
    plot,
    quiet,
    readable,
)
from customlabels_nb.evaluation.arrays import FloatArray

#: Colors from a low to a high share. Cells also grow with their share, because pale cells would otherwise stand out on
#: a dark page.
RIGHT_CELLS = LinearSegmentedColormap.from_list("right", ["#a9cbe8", "#2f7fc1"])
WRONG_CELLS = LinearSegmentedColormap.from_list("wrong", ["#e8c0b9", "#c23a2b"])
SMALLEST_CELL, LARGEST_CELL = 0.46, 0.94
#: Matrices with more rows have a grid line every five rows and columns instead of a background for each cell.
MOST_SINGLE_CELLS = 30
#: If more cells than this are filled, cells with a share below `LEAST_SHARE` have no number.
MOST_NUMBERS, LEAST_SHARE = 1500, 0.02
#: Smallest font size of the numbers in the cells. Smaller ones are not legible.
SMALLEST_NUMBER = 5.0


@plot
def plot_confusion_matrix(
    values: FloatArray,
    shares: FloatArray,
    labels: Sequence[str],
    columns: Sequence[str],
    ax: Axes | None = None,
    *,
    whole: bool = True,
    background: bool = False,
    one_vs_rest: pd.DataFrame | None = None,
) -> Axes:
    """Draw the confusion matrix with correct cells in blue, mistakes in red, and numbers where they fit.

    Rows are ground truth, named by ``labels``, and columns are predicted. ``values`` are written in the cells, and
    ``shares``, of the same shape, determine their size and color. ``background`` separates the last row and column with
    a line, which is also between the labels and a further column. ``one_vs_rest`` has ``tp``, ``fp``, ``fn`` and ``tn``
    of each label, shown next to a matrix of up to 30 labels.
    """
    shares = np.clip(shares, 0, 1)
    names, across = [plain(name, 20) for name in labels], [plain(name, 20) for name in columns]
    count, width, longest = len(names), len(across), max(map(len, across))
    steep = count > 6 or longest > 12
    beside = pd.DataFrame(index=range(count))
    if one_vs_rest is not None and count <= MOST_SINGLE_CELLS:
        beside = one_vs_rest[["tp", "fp", "fn", "tn"]]
    wide = width + beside.shape[1]
    if ax is None:
        ax, cell = _axes_for(count, wide, longest, steep=steep)
    else:
        inches_wide, inches_high = inches(ax)
        cell = 72 * min(inches_wide / wide, inches_high / count)
        steep |= 6 * longest > cell
    right = np.eye(count, width, dtype=bool)
    _ground(ax, count, width)
    cells = _cells(ax, values > 0, shares, right)
    size, step = readable(cell)
    places, shown = [*range(0, width, step), *range(width, wide)], [*across[::step], *map(str.upper, beside)]
    ax.set_xticks(places, shown, fontsize=size, rotation=90 if steep else 0)
    ax.set_yticks(range(0, count, step), names[::step], fontsize=size)
    ax.set(xlim=(-0.5, wide - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("predicted", fontsize=max(size, TEXT), weight="bold", labelpad=6, x=width / wide / 2)
    ax.set_ylabel("ground truth", fontsize=max(size, TEXT), weight="bold", labelpad=6)
    name_plot(ax, "Confusion matrix")
    quiet(ax)
    if background or width > count:  # the last column is not a label
        ax.axvline(width - 1.5, color=INK, linewidth=1)
        _slanted(ax.get_xticklabels()[width - 1 : width] if step == 1 else ())
    if background:
        ax.axhline(count - 1.5, color=INK, linewidth=1)
        _slanted(ax.get_yticklabels()[-1:] if step == 1 else ())
    written = _texts(values, shares, whole=whole)
    if beside.size:
        ax.axvline(width - 0.5, color=INK, linewidth=1)
    counts = np.ndenumerate(beside.to_numpy())
    written |= {(row, width + column): f"{number}" for (row, column), number in counts}
    _numbers(ax, written, cells, cell, cell * _sides(shares))
    return ax


def _slanted(texts: Sequence[Text]) -> None:
    for text in texts:
        text.set_fontstyle("italic")


def _axes_for(count: int, wide: int, longest: int, *, steep: bool) -> tuple[Axes, float]:
    """Create axes for rows, columns and names of ``longest`` characters, and return them with the size of a cell."""
    side = float(np.clip((0.55 if steep else max(0.55, 0.1 + 0.085 * longest)) * count, 1.1, 12.0))
    margin = 0.35 + 0.075 * longest
    return new_axes(side * wide / count + margin, side + (margin if steep else 0.6)), 72 * side / count


def _ground(ax: Axes, count: int, width: int) -> None:
    if count <= MOST_SINGLE_CELLS:
        gap = (1 - LARGEST_CELL) / 2
        places = [(p - 0.5 + gap, g - 0.5 + gap) for g in range(count) for p in range(width)]
        cells = [_rounded(position, LARGEST_CELL) for position in places]
        ax.add_collection(PatchCollection(cells, facecolor=FAINTER, linewidth=0))
        return
    ax.add_patch(Rectangle((-0.5, -0.5), width, count, facecolor=FAINTER, linewidth=0))
    for position in np.arange(5, count, 5) - 0.5:
        ax.axhline(position, color=FAINT, linewidth=0.6)
        ax.axvline(position, color=FAINT, linewidth=0.6)


def _cells(ax: Axes, filled: Any, shares: FloatArray, right: Any) -> FloatArray:
    """Draw the filled cells and return the colors of all cells, in their shape and 4."""
    strength = np.sqrt(shares)  # so that rare mistakes differ from each other, too
    colors = np.where(right[..., None], RIGHT_CELLS(strength), WRONG_CELLS(strength))
    places = np.argwhere(filled)
    side = _sides(shares)[filled]
    top_left = places[:, ::-1] - side[:, None] / 2  # x, y
    if len(filled) <= MOST_SINGLE_CELLS:
        patches = [_rounded((x, y), width) for (x, y), width in zip(top_left.tolist(), side.tolist(), strict=True)]
        ax.add_collection(PatchCollection(patches, facecolor=colors[filled], linewidth=0))
    else:  # squares, as thousands of separate patches are slow
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        squares = top_left[:, None, :] + side[:, None, None] * corners
        ax.add_collection(PolyCollection(squares, facecolor=colors[filled], linewidth=0))
    return np.asarray(colors, dtype=np.float64)


def _sides(shares: FloatArray) -> FloatArray:
    return np.asarray(SMALLEST_CELL + (LARGEST_CELL - SMALLEST_CELL) * np.sqrt(shares), dtype=np.float64)


def _rounded(corner: tuple[float, float], side: float) -> Patch:
    return FancyBboxPatch(corner, side, side, boxstyle="round,pad=0,rounding_size=0.07")


def _numbers(ax: Axes, texts: dict[tuple[int, int], str], cells: FloatArray, cell: float, sides: FloatArray) -> None:
    """Write the values into the cells if a legible font size fits all of them, smaller ones into small cells.

    ``cell`` and ``sides``, those of the filled cells, are in points.
    """
    size = min(10.0, 0.72 * cell, cell / (0.68 * max(map(len, texts.values()), default=1)))
    if size < SMALLEST_NUMBER:
        return
    for (g, p), text in texts.items():
        weight, color, fitting = "bold" if p == g else "normal", INK, size
        if p < cells.shape[1]:
            color, fitting = ink_on(cells[g, p]), max(SMALLEST_NUMBER, min(size, sides[g, p] / (0.68 * len(text))))
        ax.text(p, g, text, ha="center", va="center", fontsize=fitting, color=color, weight=weight)


def _texts(values: FloatArray, shares: FloatArray, *, whole: bool) -> dict[tuple[int, int], str]:
    """Format the values by row and column: short ones for small cells, and only large shares if there are many."""
    small = len(values) > MOST_SINGLE_CELLS
    filled = values > 0
    if filled.sum() > MOST_NUMBERS:
        filled &= shares >= LEAST_SHARE
    texts = {}
    for g, p in np.argwhere(filled).tolist():
        text = f"{values[g, p]:.0f}" if whole else f"{values[g, p]:.2f}"
        if small:
            text = f"{values[g, p] / 1000:.0f}k" if len(text) > 3 and whole else text.removeprefix("0")
            text = "1" if text == "1.00" else text
        texts[g, p] = text
    return texts
