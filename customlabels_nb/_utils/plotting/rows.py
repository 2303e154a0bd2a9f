"""Rows of a plot, one per label, with bars or intervals and metric columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from customlabels_nb._utils.plotting.style import INK, inches, new_axes, plain, readable

#: In inches: row height, row height if there are many rows, and the maximum figure height for each of the two. If rows
#: are even closer together, only some of them have a name.
ROW, CLOSE_ROW, TALL, TALLEST = 0.29, 0.2, 17.0, 40.0


@dataclass(frozen=True)
class PlotRows:
    """Rows of a plot, numbered from 0 at the top. Every ``step``-th row has text, in points of ``size``."""

    ax: Axes
    count: int
    size: float
    step: int

    @classmethod
    def of(cls, count: int, ax: Axes | None, *, width: float, row: float = ROW) -> PlotRows:
        """Create ``count`` rows on the axes, or in a new figure of the given width and row height in inches."""
        if ax is None:
            ax = new_axes(width, 0.95 + max(min(row * count, TALL), min(CLOSE_ROW * count, TALLEST)))
        return cls(ax, count, *readable(72 * inches(ax)[1] / max(count, 1)))

    @property
    def written(self) -> range:
        return range(0, self.count, self.step)

    def name(self, names: Sequence[str]) -> None:
        texts = [plain(names[row], 28) for row in self.written]
        self.ax.set_yticks(list(self.written), texts, fontsize=self.size)
        self.ax.set_ylim(max(self.count, 1) - 0.4, -0.6)

    def column(self, head: str, x: float, texts: Iterable[str], *, bold: bool = False) -> None:
        """Write a column of text that ends at ``x``, with a heading above it."""
        above = blended_transform_factory(self.ax.transData, self.ax.transAxes)
        look: dict[str, Any] = {"ha": "right", "fontsize": self.size, "color": INK}
        self.ax.text(x, 1, head, transform=above, va="bottom", **look)
        for row, text in enumerate(texts):
            if row in self.written:
                self.ax.text(x, row, text, va="center", weight="bold" if bold else "normal", **look)

    def whiskers(self, low: Any, high: Any, places: Any) -> None:
        """Draw intervals as dark lines with a light edge, visible on any background and on bars."""
        for color, width, cap in (("#ffffffb0", 2.9, 0.17), ("#333333", 1.3, 0.15)):
            self.ax.hlines(places, low, high, color=color, linewidth=width, capstyle="butt", zorder=3)
            for end in (low, high):
                ends = np.asarray(places) - cap, np.asarray(places) + cap
                self.ax.vlines(end, *ends, color=color, linewidth=width, zorder=3)
