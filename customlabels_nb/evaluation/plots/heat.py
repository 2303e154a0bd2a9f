"""Plot of the F1 in the slices by two columns, as a table with colored cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from customlabels_nb._utils.plotting.style import FAINTER, TEXT, ink_on, name_plot, new_axes, plain, plot, quiet
from customlabels_nb.evaluation.plots.matrix import RIGHT_CELLS
from customlabels_nb.evaluation.slices import LOWER

#: Edge of the cells that are lower beyond chance.
MARKED = "#c23a2b"
_WIDTH, _HEIGHT, _LONGEST = 1.15, 0.5, 24  # of a cell in inches, and of a name


@plot
def plot_heat(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the F1 of each combination of two slices, with its interval and whether it differs beyond chance.

    ``table`` is that of ``Report.by`` for two columns. Cells without images are empty.
    """
    down, across = ([str(name) for name in level] for level in table.index.levels)
    if ax is None:
        ax = new_axes(1.6 + _WIDTH * len(across), 0.9 + _HEIGHT * len(down))
    f1 = table["f1"].to_numpy(dtype=np.float64)
    for row, color, y, x in zip(table.itertuples(), RIGHT_CELLS(f1), *table.index.codes, strict=True):
        edge = {"edgecolor": MARKED, "linewidth": 2.2} if row.differs == LOWER else {"linewidth": 0}
        ax.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=color, **edge))
        mark = f" {row.differs}" if row.differs else ""
        ends = "" if np.isnan(row.f1_low) else f"{row.f1_low:.2f} to {row.f1_high:.2f}"
        for text, place, size, weight in ((f"{row.f1:.2f}{mark}", -0.16, TEXT, "bold"), (ends, 0.24, 7.5, "normal")):
            ax.text(x, y + place, text, ha="center", va="center", fontsize=size, weight=weight, color=ink_on(color))
    ax.set_facecolor(FAINTER)
    ax.set(xlim=(-0.5, len(across) - 0.5), ylim=(len(down) - 0.5, -0.5))
    ax.set_xticks(range(len(across)), [plain(name, _LONGEST) for name in across], fontsize=TEXT)
    ax.set_yticks(range(len(down)), [plain(name, _LONGEST) for name in down], fontsize=TEXT)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    first, second = (plain(str(name), 28) for name in table.index.names)
    ax.set_xlabel(second, fontsize=TEXT, weight="bold")
    name_plot(ax, "F1 with 95% interval", up=first)
    quiet(ax)
    return ax
