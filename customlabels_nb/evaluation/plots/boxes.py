"""How well boxes of each size are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from customlabels_nb.evaluation.fonts import with_further_fonts
from customlabels_nb.evaluation.plots.rows import PlotRows
from customlabels_nb.evaluation.plots.style import (
    INK,
    NARROW,
    RIGHT,
    TEXT,
    WRONG,
    count_ticks,
    inches,
    legend,
    new_axes,
    plain,
    quiet,
)
from customlabels_nb.evaluation.result import Evaluation

#: What is said of each size, by COCO's measure.
SIZE_NAMES = {"small": "small\nbelow 32² px", "medium": "medium\nbelow 96² px", "large": "large"}
#: The figures beside the bars: head, and where its right end is, in parts of the length of the bars' axis.
BESIDE = {"tp": ("found", 0.15), "fn": ("missed", 0.31), "fp": ("false", 0.44), "precision": ("precision", 0.67),
          "recall": ("recall", 0.84)}  # fmt: skip


@with_further_fonts
def plot_box_sizes(evaluation: Evaluation, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """True boxes of each size to the right, found (blue) and missed (hollow); false positives to the left.

    Beside them precision and recall. All labels together, or one.

    Raises
    ------
    InputError
        If there are no boxes.
    LabelError
        If there is no such label.
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
    quiet(ax)
    handles = [Patch(**look) for _, _, look in parts]
    names = ["found", "missed", "false positives"]
    legend(ax, plain(label, 28) if label else "all labels", beside=beside, handles=handles, names=names)
    return ax


def _columns_beside(rows: PlotRows, table: pd.DataFrame, start: int, length: int) -> float:
    """Write the figures; how much room they have taken, in parts of the length."""
    columns = BESIDE if inches(rows.ax)[0] >= NARROW else {}
    none = {"precision": table["tp"] + table["fp"] == 0, "recall": table["tp"] + table["fn"] == 0}
    for column, (head, x) in columns.items():
        texts = [f"{value:.3f}" if column in none else f"{value:,}" for value in table[column]]
        if column in none:
            texts = ["—" if undefined else text for text, undefined in zip(texts, none[column], strict=True)]
        rows.column(head, start + x * length, texts)
    return 0.86 if columns else 0.02
