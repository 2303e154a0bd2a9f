"""What is taken for what, as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.outcomes import FloatArray, IntArray
from customlabels_nb.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NORMALISATIONS = (None, "truth", "prediction")

#: The last row and column of a detector's matrix, unless a label is called so: then in brackets.
BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often which label is predicted for images (a detector's: for boxes) that have which label.

    Attributes
    ----------
    counts : ndarray of int64, shape (k, k)
        Rows predicted, columns ground truth: ``counts[p, g]`` test images have ``g`` and are predicted as ``p``.
    labels : tuple of str
        Of rows and columns.
    truth_counts, predicted_counts : ndarray of int64, shape (k,)
        Test images that have each label, and for which each label is predicted. They equal the sums of columns
        and rows where each image has one label and one prediction, and for boxes.
    background : bool
        Whether the last row and column are no label: true boxes that no prediction lies on, and predictions that lie
        on no true box.
    most_confident : bool
        Whether each image stands under its most confident label, whatever the thresholds, as where each has one label.
    """

    counts: IntArray
    labels: tuple[str, ...]
    truth_counts: IntArray
    predicted_counts: IntArray
    background: bool = False
    most_confident: bool = False

    def values(self, normalize: str | None = None) -> FloatArray:
        """The cells, shape (k, k).

        Parameters
        ----------
        normalize : {None, "truth", "prediction"}
            None gives counts; "truth" the share of the images that have the column's label (single-label columns
            sum to 1); "prediction" the share of the images predicted as the row's label. Shares of nothing are 0.

        Raises
        ------
        InputError
            If ``normalize`` is something else.
        """
        if normalize not in NORMALISATIONS:
            raise InputError(f"normalize={normalize!r} is not known; use None, 'truth' or 'prediction'.")
        counts = self.counts.astype(np.float64)
        if normalize == "truth":
            return counts / np.maximum(self.truth_counts, 1)[None, :]
        if normalize == "prediction":
            return counts / np.maximum(self.predicted_counts, 1)[:, None]
        return counts

    def to_frame(self, normalize: str | None = None) -> pd.DataFrame:
        """The cells as a table: index ``predicted``, columns ``ground truth``; see :meth:`values`."""
        values: Any = self.counts.copy() if normalize is None else self.values(normalize)
        index, columns = pd.Index(self.labels, name="predicted"), pd.Index(self.labels, name="ground truth")
        return pd.DataFrame(values, index=index, columns=columns)

    def confusions(self) -> pd.DataFrame:
        """The mistakes, most images first: ``truth``, ``predicted``, ``count``, ``share`` of the truth's images."""
        row, column = np.nonzero(self.counts * ~np.eye(len(self.labels), dtype=bool))
        names = np.array(self.labels, dtype=object)
        table = pd.DataFrame(
            {
                "truth": names[column],
                "predicted": names[row],
                "count": self.counts[row, column],
                "share": self.values("truth")[row, column],
            }
        ).astype({"truth": "str", "predicted": "str"})
        return table.sort_values(["count", "share"], ascending=False, kind="stable", ignore_index=True)

    def plot(self, ax: Axes | None = None, normalize: str | None = None) -> Axes:
        """Draw it with matplotlib; see :func:`customlabels_nb.evaluation.plots.plot_confusion_matrix`."""
        from customlabels_nb.evaluation.plots import plot_confusion_matrix

        return plot_confusion_matrix(self, ax=ax, normalize=normalize)

    def __repr__(self) -> str:
        return printable(f"Confusion matrix (rows predicted, columns ground truth)\n{self.to_frame()}")

    def _repr_html_(self) -> str:
        from customlabels_nb.evaluation.markup import matrix_page

        return matrix_page(self)
