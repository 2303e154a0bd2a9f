"""Drawings of an evaluation with matplotlib: each takes an Axes or makes one, and returns it."""

from customlabels_nb.evaluation.plots._bars import plot_per_label, plot_support
from customlabels_nb.evaluation.plots._boxes import plot_box_sizes
from customlabels_nb.evaluation.plots._comparison import plot_comparison
from customlabels_nb.evaluation.plots._confidence import plot_calibration, plot_confidences
from customlabels_nb.evaluation.plots._curves import plot_curves, plot_precision_recall
from customlabels_nb.evaluation.plots._matrix import plot_confusion_matrix

__all__ = [
    "plot_box_sizes",
    "plot_calibration",
    "plot_comparison",
    "plot_confidences",
    "plot_confusion_matrix",
    "plot_curves",
    "plot_per_label",
    "plot_precision_recall",
    "plot_support",
]
