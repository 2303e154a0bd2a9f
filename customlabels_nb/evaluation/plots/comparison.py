"""Plot of the change in F1 per label between two evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customlabels_nb._utils.plotting.rows import PlotRows
from customlabels_nb._utils.plotting.style import (
    INK,
    MARK,
    NARROW,
    inches,
    legend,
    name_plot,
    plain,
    plot,
    quiet,
)
from customlabels_nb.core.colors import RIGHT, WRONG

#: Style of each kind of change. A change is better or worse if its entire confidence interval is above or below 0.
CHANGES: dict[str, dict[str, Any]] = {
    "better": {"color": RIGHT, "marker": ">"},
    "worse": {"color": WRONG, "marker": "<"},
    "not significant": {"color": INK, "marker": "o"},
}
#: Metric columns to the right of the intervals: heading, format.
BESIDE = {"before": ("before", "{:.3f}"), "after": ("after", "{:.3f}"), "delta": ("change", "{:+.3f}")}
#: Most characters of a name in the title.
LONGEST_NAME = 30
#: Width of one column, as a fraction of half the x axis of the intervals.
COLUMN = 0.32


@plot
def plot_comparison(per_label: pd.DataFrame, ax: Axes | None = None, *, names: Sequence[str] = ()) -> Axes:
    """Draw the change in F1 of each label with its 95% confidence interval, largest gain first.

    F1 before, F1 after and the change are shown on the right. Axes narrower than five inches show only the change.
    Labels that are missing from either evaluation are omitted. ``per_label`` is the table of the same name in a
    :class:`~customlabels_nb.evaluation.comparison.comparing.Comparison`. The title has the ``names`` of both.
    """
    table = per_label.dropna(subset="delta")
    table = table.sort_values("delta", ascending=False, kind="stable", ignore_index=True)
    beside = ax is None
    rows = PlotRows.of(len(table), ax, width=10.2)
    ax = rows.ax
    low, high = table["low"].fillna(table["delta"]), table["high"].fillna(table["delta"])
    kinds = np.select([low > 0, high < 0], ["better", "worse"], "not significant")
    ax.axvline(0, color=INK, linewidth=1)
    for kind, look in CHANGES.items():
        here = np.flatnonzero(kinds == kind)
        if here.size:
            ax.hlines(here, low[here], high[here], color=look["color"], linewidth=2.2)
            dots = {"linestyle": "none", "zorder": 3, "label": f"{kind}: {here.size}", **look, **MARK}
            ax.plot(table["delta"][here], here, **dots)
    rows.name(table["label"].to_list())
    reach = 1.06 * max([0.05, *table["delta"].abs(), *low.abs(), *high.abs()])
    _metrics_beside(rows, table, reach)
    both = " → ".join(plain(name, LONGEST_NAME) for name in names)
    name_plot(ax, "Change in F1 per label" + (f", {both}" if both else ""), up="label", high=True)
    quiet(ax, grid="x")
    legend(ax, "", beside=beside)
    return ax


def _metrics_beside(rows: PlotRows, table: pd.DataFrame, reach: float) -> None:
    ax = rows.ax
    columns = list(BESIDE) if inches(ax)[0] >= NARROW else ["delta"]
    end = 1 + COLUMN * len(columns) + 0.02
    for position, column in enumerate(columns):
        head, form = BESIDE[column]
        x = reach * (1 + COLUMN * (position + 1))
        rows.column(head, x, map(form.format, table[column]), bold=column == "delta")
    ax.set_xlim(-reach, reach * end)
    step = next(step for step in (0.5, 0.25, 0.1, 0.05, 0.02) if step <= reach / 1.5)
    ticks = [step * number for number in range(-int(reach / step), int(reach / step) + 1)]
    ax.set_xticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks], fontsize=rows.size)
    ax.set_xlabel("change in F1 with 95% confidence interval", fontsize=rows.size, x=1 / (1 + end))
