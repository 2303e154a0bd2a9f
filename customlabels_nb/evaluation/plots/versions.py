"""Plot of the F1 of several versions, by label or by slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customlabels_nb._utils.plotting.rows import PlotRows
from customlabels_nb._utils.plotting.style import MARK, MARKS, TEXT, VERSION_COLORS, legend, plain, plot, quiet

#: Height of one version in a row, as a fraction of the row height, and the largest height of all.
SPREAD, MOST_SPREAD = 0.22, 0.66
#: If the interval of a marked slice ends above this F1, the mark is on its left.
MOST_BEFORE_MARK = 0.8


@plot
def plot_versions(table: pd.DataFrame, ax: Axes | None = None, *, by: str = "label") -> Axes:
    """Draw the F1 of each version with its 95% confidence interval, one row per label or slice.

    ``table`` has ``label``, or ``slice`` with the values of the column ``by``, and ``version``, ``f1``, ``f1_low``,
    ``f1_high`` and, for slices, ``differs``, which is written beside the interval. Versions differ in color and marker.
    """
    column = "slice" if "slice" in table.columns else "label"
    names, versions = list(dict.fromkeys(table[column])), list(dict.fromkeys(table["version"]))
    beside = ax is None
    step = min(SPREAD, MOST_SPREAD / max(len(versions) - 1, 1))
    rows = PlotRows.of(len(names), ax, width=8.6, row=max(0.29, 0.17 * len(versions)))
    ax, size = rows.ax, rows.size
    positions = {name: number for number, name in enumerate(names)}
    for number, version in enumerate(versions):
        of_version = table[(table["version"] == version) & table["f1"].notna()]
        y = of_version[column].map(positions).to_numpy(dtype=np.float64) + step * (number - (len(versions) - 1) / 2)
        look: dict[str, Any] = {"color": VERSION_COLORS[number % len(VERSION_COLORS)]}
        ax.hlines(y, of_version["f1_low"], of_version["f1_high"], linewidth=1.6, **look)
        marker = MARKS[number % len(MARKS)]
        ax.plot(
            of_version["f1"], y, linestyle="none", marker=marker, label=plain(version, 32), zorder=3, **look, **MARK
        )
        for row, height in zip(of_version.itertuples(), y.tolist(), strict=True):
            _mark(ax, row, height, size, look["color"])
    rows.name([str(name) for name in names])
    ax.set_xlim(0, 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"], fontsize=size)
    ax.set_title(f"F1 by {plain(by, 28)}", fontsize=TEXT)
    ax.set_xlabel("F1 with 95% confidence interval", fontsize=TEXT)
    ax.set_ylabel(plain(by, 28), fontsize=TEXT)
    quiet(ax, grid="x")
    legend(ax, "", beside=beside)
    return ax


def _mark(ax: Axes, row: Any, height: float, size: float, color: str) -> None:
    """Write whether a slice differs beyond chance to the right of its interval, or to the left if it ends at 1."""
    differs = getattr(row, "differs", "")
    left = row.f1_high > MOST_BEFORE_MARK
    if differs:
        ax.annotate(
            f"{differs} than others", (row.f1_low if left else row.f1_high, height), (-5 if left else 5, 0),
            textcoords="offset points", ha="right" if left else "left", va="center", fontsize=size, color=color,
        )  # fmt: skip
