"""One figure of an evaluation: bars per label, confusion matrix and precision-recall curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from customlabels_nb._utils.plotting.rows import ROW, TALL
from customlabels_nb._utils.plotting.style import Theme, check_theme
from customlabels_nb.evaluation.plots.bars import plot_per_label
from customlabels_nb.evaluation.plots.curves import plot_precision_recall

if TYPE_CHECKING:
    from customlabels_nb.evaluation.result import Evaluation

#: In inches: width of the figure, and height of the matrix and the curves.
WIDTH, HEIGHT = 10.4, 5.0


def plot_overview(evaluation: Evaluation, *, theme: Theme | None = None) -> tuple[Axes, Axes, Axes]:
    """Draw the F1 of each label above the confusion matrix and the precision-recall curves, and return their axes."""
    check_theme(theme)
    bars_height = 0.95 + min(ROW * len(evaluation.per_label), TALL)
    figure = plt.figure(figsize=(WIDTH, bars_height + HEIGHT))
    figure.set_layout_engine("constrained", h_pad=0.15)
    figure.patch.set_alpha(0)
    upper, lower = figure.add_gridspec(2, 1, height_ratios=[bars_height, HEIGHT])
    places = *upper.subgridspec(1, 1), *lower.subgridspec(1, 2, width_ratios=[1, 1.2])
    bars, matrix, curves = (figure.add_subplot(place, facecolor="none") for place in places)
    plot_per_label(evaluation, bars, theme=theme)
    evaluation.confusion_matrix.plot(matrix, theme=theme)
    plot_precision_recall(evaluation, curves, theme=theme)
    legend = curves.get_legend()
    legend.set_loc("upper left")  # beside the curves
    legend.set_bbox_to_anchor((1.01, 1.02))
    return bars, matrix, curves
