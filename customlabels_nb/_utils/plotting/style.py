"""Shared style of all plots: background, colors and sizes.

New figures are transparent, and their text is a medium grey with about the same contrast on white (4:1) and on a dark
notebook page (4.7:1). A notebook's theme can change after the cell has run, so no fixed background would suit both, and
white figures glare in dark mode. Text on a filled cell is black or white, depending on the color of that cell.

Color is never the only cue: correct and wrong also differ in position or shape, and lines in dashes and markers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any, Literal, TypeAlias, get_args

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb, to_rgba_array
from matplotlib.legend import Legend

from customlabels_nb._utils.plotting.fonts import add_further_fonts, drawable
from customlabels_nb.errors import InputError

INK = "#7f7f7f"
#: The grey just lighter than mid-grey, for x-axis ticks. Jupyter's inline backend puts a white background under a
#: transparent figure if all its tick labels are dark, and a black one if all are light. A mix of both avoids this.
INK_LIGHT = "#808080"
FAINT = "#8888884d"
FAINTER = "#88888822"
PALE = 0.4  # opacity of bars of training images beside those of test images

QUARTERS, QUARTER_NAMES = (0, 0.25, 0.5, 0.75, 1), ("0", "0.25", "0.5", "0.75", "1")
#: Markers have a light edge that separates them from lines and from each other.
MARK: dict[str, Any] = {"markersize": 7, "markeredgecolor": "#ffffffcc", "markeredgewidth": 0.9}
#: In points: font size, smallest font size, and smallest row height for text. If rows are closer together, only some of
#: them have text.
TEXT, SMALLEST_TEXT, SMALLEST_ROW = 9.5, 5.0, 7.0
#: Markers of lines, and colors of versions, which are distinguishable for color-blind readers (Okabe and Ito).
MARKS = "osD^vp<>Xh"
VERSION_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
#: Themes of plots. None has grey text on a transparent background, for light and dark pages.
Theme: TypeAlias = Literal["paper"]
THEMES = (None, *get_args(Theme))
#: In points: space between a plot and its title, and with column headings or a number in between.
CLOSE_TITLE, HIGH_TITLE = 8.0, 22.0
MOST_STEPS = 6  # maximum number of tick intervals on a count axis
#: Axes narrower than this (in inches) have no room for metric columns next to the bars.
NARROW = 5.0


def plot(function: Callable[..., Axes]) -> Callable[..., Axes]:
    """Decorate a plotting function so that it has fallback fonts and takes ``theme``, one of :data:`THEMES`."""

    @wraps(function)
    def themed(*args: Any, theme: str | None = None, **kwargs: Any) -> Axes:
        check_theme(theme)
        given = signature(function).bind(*args, **kwargs).arguments.get("ax")
        if given is not None and not hasattr(given, "set_title"):
            raise InputError(f"ax={given!r} is not Axes of Matplotlib. Pass the second result of plt.subplots().")
        ax = function(*args, **kwargs)
        add_further_fonts(ax)
        if theme == "paper":
            draw_on_paper(ax)
        return ax

    return themed


def check_theme(theme: str | None) -> None:
    if theme not in THEMES:
        raise InputError(f"theme={theme!r} is not a theme. Use None or 'paper'.")


def draw_on_paper(ax: Axes) -> None:
    """Make the background white, and grey lines and text black."""
    for patch in (ax.patch, ax.figure.patch):
        patch.set(facecolor="white", alpha=1)
    ax.tick_params(axis="both", which="both", colors="black")
    for artist in ax.findobj():
        for part in ("color", "facecolor", "edgecolor"):
            read, write = getattr(artist, f"get_{part}", None), getattr(artist, f"set_{part}", None)
            if (
                read is not None
                and write is not None
                and {to_hex(color) for color in to_rgba_array(read())} & {INK, INK_LIGHT}
            ):
                write("black")


def name_plot(ax: Axes, title: str, *, up: str | None = None, high: bool = False) -> None:
    """Write the title and the name of the y axis. A ``high`` title leaves space for text above the axes."""
    ax.set_title(title, fontsize=TEXT + 1, color=INK, pad=HIGH_TITLE if high else CLOSE_TITLE)
    if up is not None:
        ax.set_ylabel(up, fontsize=TEXT, color=INK)


def new_axes(width: float, height: float) -> Axes:
    """Create a transparent figure of the given size in inches and return its axes."""
    figure = plt.figure(figsize=(width, height), layout="constrained")
    ax: Axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    ax.patch.set_alpha(0)
    return ax


def quiet(ax: Axes, grid: Literal["x", "y"] | None = None) -> None:
    """Remove the frame and tick marks, draw all text in the ink color, and a faint ``grid``."""
    if grid is not None:
        ax.grid(axis=grid, color=FAINT, linewidth=0.8)
        ax.set_axisbelow(True)
    ax.tick_params(axis="y", which="both", length=0, colors=INK)
    ax.tick_params(axis="x", which="both", length=0, colors=INK_LIGHT)
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        text.set_color(INK)
    for spine in ax.spines.values():
        spine.set_visible(False)


def unit_square(ax: Axes, *, across: str, up: str = "") -> None:
    """Scale both axes from 0 to 1, with ticks at the quarters and faint horizontal grid lines."""
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.02, 1.04)
    ax.set_xticks(QUARTERS, QUARTER_NAMES)
    ax.set_yticks(QUARTERS, QUARTER_NAMES)
    ax.set_xlabel(across, fontsize=TEXT)
    ax.set_ylabel(up, fontsize=TEXT)
    ax.tick_params(labelsize=TEXT)
    quiet(ax, grid="y")


def legend(
    ax: Axes, title: str, *, beside: bool, handles: Sequence[Any] = (), names: Sequence[str] | None = None
) -> Legend:
    """Draw the legend ``beside`` the axes, or inside where there is room, of ``handles`` or all labelled artists."""
    shown = ax.get_legend_handles_labels() if names is None else (handles, names)
    location: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02)} if beside else {"loc": "best"}
    made = ax.legend(
        *shown, **location, frameon=False, labelcolor=INK, handlelength=2.6, fontsize=TEXT, labelspacing=0.45
    )
    if title:
        made.set_title(title)
        made.get_title().set(color=INK, weight="bold", fontsize=TEXT)
        made.set_alignment("left")
    return made


def marked_threshold(ax: Axes, threshold: float) -> None:
    """Draw a dashed vertical line at a threshold, with its value above it. NaN, for no threshold, draws nothing."""
    if np.isnan(threshold):
        return
    ax.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (3, 2)), zorder=1.5)
    ax.annotate(f"{threshold:.3f}", (threshold, 1), (0, 2), ("data", "axes fraction"), "offset points",
                ha="center", va="bottom", color=INK, fontsize=TEXT)  # fmt: skip


def colors_of(labels: pd.DataFrame) -> dict[str, str]:
    return dict(zip(labels["label"], labels["color"], strict=True))


def ink_on(ground: Any) -> str:
    """Choose black or white text, whichever is more legible on the given fill color."""
    red, green, blue = (float(part) ** 2.2 for part in to_rgb(ground))
    return "#111" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#fff"  # equal contrast at 0.18


def count_ticks(ax: Axes, axis: str, below: int, above_zero: int) -> None:
    """Set ticks at integers on both sides of 0, with labels without a sign."""
    shortest = max(below + above_zero, 1) / MOST_STEPS
    step = next(part * 10**power for power in range(20) for part in (1, 2, 5) if part * 10**power >= shortest)
    steps = range(step, max(below, above_zero) + 1, step)
    ticks = [
        *(-position for position in reversed(steps) if position <= below),
        0,
        *(position for position in steps if position <= above_zero),
    ]
    set_ticks = ax.set_xticks if axis == "x" else ax.set_yticks
    set_ticks(ticks, [f"{abs(tick):,}" for tick in ticks])


def inches(ax: Axes) -> tuple[float, float]:
    box = ax.get_position()
    width, height = ax.figure.get_size_inches()  # type: ignore[union-attr]
    return float(box.width * width), float(box.height * height)


def readable(points: float) -> tuple[float, int]:
    """Compute the font size for rows that are ``points`` points high, and the step between rows with text."""
    step = max(1, math.ceil(SMALLEST_ROW / points))
    return float(np.clip(0.72 * points * step, SMALLEST_TEXT, TEXT)), step


def plain(name: str, longest: int) -> str:
    """Convert a label to plot text: one line of at most ``longest`` characters in available fonts, without formulas."""
    text = "".join(character if character.isprintable() else " " for character in name)
    text = drawable(text if len(text) <= longest else text[: longest - 1].rstrip() + "…")
    text = text.replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text  # matplotlib omits names with a leading "_" from legends
