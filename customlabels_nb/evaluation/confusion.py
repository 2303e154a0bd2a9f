"""What is taken for what, as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import printable
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray, IntArray

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
        Multi-label: of these, off the diagonal, only those where ``g`` is missed and ``p`` is predicted wrongly.
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
    images : int
        Number of test images of a classifier.
    """

    counts: IntArray
    labels: tuple[str, ...]
    truth_counts: IntArray
    predicted_counts: IntArray
    background: bool = False
    most_confident: bool = False
    images: int = 0

    @property
    def multi_label(self) -> bool:
        """Return whether an image can have several labels."""
        return bool(self.images) and not self.most_confident

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
        """Return the cells as a table.

        Parameters
        ----------
        normalize : {None, "truth", "prediction"}
            Counts (int64), or shares (float64) of the images with the column's label or predicted as the row's.

        Returns
        -------
        DataFrame
            The index ``predicted`` and the columns ``ground truth`` have the labels (str), of a detector also
            "background".

        Raises
        ------
        InputError
            If ``normalize`` is something else.
        """
        values: Any = self.counts.copy() if normalize is None else self.values(normalize)
        index, columns = pd.Index(self.labels, name="predicted"), pd.Index(self.labels, name="ground truth")
        return pd.DataFrame(values, index=index, columns=columns)

    def confusions(self) -> pd.DataFrame:
        """Return the cells off the diagonal that are not 0, highest count first.

        Returns
        -------
        DataFrame
            One row a cell: ``truth`` and ``predicted`` (str), ``count`` of images or boxes (int64), ``share`` of those
            that have the true label (float64).
        """
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

    def one_vs_rest(self) -> pd.DataFrame:
        """Return the 2 × 2 table of each label of a classifier.

        Returns
        -------
        DataFrame
            One row a label, in their order: ``label`` (str), and the numbers of test images (int64) where the label
            is rightly predicted (``tp``), wrongly predicted (``fp``), missed (``fn``) and rightly not predicted
            (``tn``). Single-label: by each image's most confident label, like the matrix.

        Raises
        ------
        InputError
            If boxes were evaluated: there are no true negatives.
        """
        if not self.images:
            raise InputError("Boxes have no true negatives; report.per_label has tp, fp and fn of each label.")
        tp = self.counts.diagonal()
        fp, fn = self.predicted_counts - tp, self.truth_counts - tp
        table = {"label": self.labels, "tp": tp, "fp": fp, "fn": fn, "tn": self.images - tp - fp - fn}
        return pd.DataFrame(table).astype({"label": "str"})

    def plot(self, ax: Axes | None = None, normalize: str | None = None) -> Axes:
        """Draw it with matplotlib: right cells blue, mistakes red; numbers where they fit.

        Rows are predicted, columns ground truth; a detector's last ones, set off by a line, are the background. A cell
        is the larger and the darker the greater its share of the column (with ``normalize="prediction"`` of the row),
        also where counts are written. Beside a multi-label matrix of up to 30 labels: true and false positives and
        negatives.

        Raises
        ------
        InputError
            If ``normalize`` is not None, "truth" or "prediction".
        """
        from customlabels_nb.evaluation.plots.matrix import plot_confusion_matrix

        return plot_confusion_matrix(
            self.values(normalize),
            self.values(normalize or "truth"),
            self.labels,
            ax,
            whole=normalize is None,
            background=self.background,
            one_vs_rest=self.one_vs_rest() if self.multi_label else None,
        )

    def __repr__(self) -> str:
        return printable(f"Confusion matrix (rows predicted, columns ground truth)\n{self.to_frame()}")

    def _repr_html_(self) -> str:
        return render("confusion_matrix.html", matrix=self)
