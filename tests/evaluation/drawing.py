"""Evaluations to draw, and checks of a drawing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.comparison.comparing import Comparison, compare
from tests.evaluation.cases import random_tables


def names(count: int) -> tuple[str, ...]:
    return tuple(f"label {j:02d}" for j in range(count))


@cache
def classified(
    count: int, *, labels: tuple[str, ...] | None = None, thresholds: float | str | None = None
) -> Evaluation:
    """Return a classifier's evaluation with this many labels."""
    return evaluate(*random_tables(max(20, 4 * count), labels or names(count)), thresholds=thresholds)


@cache
def detected(count: int, *, labels: tuple[str, ...] | None = None) -> Evaluation:
    """Return a detector's evaluation with confusions of neighbouring labels, misses and false positives."""
    rng, known = np.random.default_rng(count), labels or names(count)
    truth, predictions = [], []
    for number in range(max(60, 4 * count)):
        image, place = f"{number}.jpg", number % count
        for side in (20.0, 60.0, 150.0):
            box = (200 * rng.integers(3), 200 * rng.integers(3), side, side)
            truth.append((image, known[place], *box))
            if rng.random() < 0.75:
                seen = known[(place + int(rng.random() < 0.15)) % count]
                predictions.append((image, seen, rng.beta(5, 2), *(np.array(box) + rng.normal(0, 1, 4))))
        predictions.append((image, known[place], rng.beta(2, 5), 700, 700, 40, 40))
    box = ["left", "top", "width", "height"]
    return evaluate(
        pd.DataFrame(truth, columns=["image", "label", *box]),
        pd.DataFrame(predictions, columns=["image", "label", "confidence", *box]),
    )


@cache
def compared(count: int, *, labels: tuple[str, ...] | None = None) -> Comparison:
    """Return a comparison of two classifiers on the same test images."""
    truth, predictions = random_tables(max(20, 8 * count), labels or names(count))
    known = predictions.merge(truth.assign(right=1.0), "left", ["image", "label"])["right"].fillna(0.0)
    first = predictions["label"].isin(truth["label"].unique()[: max(1, count // 3)])
    last = predictions["label"].isin(truth["label"].unique()[-(count // 3) or count :])
    other = (
        predictions["confidence"].where(~first, known).where(~last, 1 - known)
    )  # perfect on some labels, always wrong on others
    return compare(evaluate(truth, predictions), evaluate(truth, predictions.assign(confidence=other)))


def drawn(ax: Axes) -> Figure:
    """Draw the figure, with matplotlib's warnings as errors, and return it."""
    figure = ax.figure
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    return figure


def shown_texts(figure: Figure) -> list[plt.Text]:
    """Return all visible texts."""
    return [text for text in figure.findobj(plt.Text) if text.get_text() and text.get_visible()]


def words(ax: Axes) -> list[str]:
    """Return the texts of the axes, without the names of rows."""
    return [text.get_text() for text in ax.texts]


def legend_of(ax: Axes) -> list[str]:
    """Return the texts of the legend."""
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text().strip("\u200b") for text in legend.get_texts()]


def assert_apart(texts: Iterable[plt.Text]) -> None:
    """Check that no text covers another one in a drawn figure."""
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    x0, y0, x1, y1 = np.array([text.get_window_extent().extents for text in shown]).reshape(-1, 4).T[:, :, None]
    covers = (x0 < x1.T) & (x1 > x0.T) & (y0 < y1.T) & (y1 > y0.T) & ~np.eye(len(shown), dtype=bool)
    assert not covers.any(), [shown[at].get_text() for at in np.argwhere(covers)[0]]


def contrast(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the contrast of the Web Content Accessibility Guidelines, 1 to 21."""

    def luminance(color: npt.ArrayLike) -> float:
        parts = np.asarray(color, dtype=np.float64)
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def save_font(path: Path, family: str, weight: int, characters: str) -> Path:
    """Write a font file of this name with only these characters, in one weight."""
    with TTFont(font_manager.findfont("DejaVu Sans")) as font:
        for table in font["cmap"].tables:
            table.cmap = {ord(character): "A" for character in characters}
        for record in font["name"].names:
            record.string = {1: family, 2: "Regular", 4: family}.get(record.nameID, "")
        font["OS/2"].usWeightClass = weight
        font.save(path)
    return path
