"""Confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import printable
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from customlabels_nb._utils.plotting.style import Theme

Normalize: TypeAlias = Literal["truth", "predicted"]
NORMALISATIONS = (None, *get_args(Normalize))

#: Name of the last row and column of a detector's matrix, in brackets if a label has the same name.
BACKGROUND = "background"
#: Name of the last column of a single-label matrix if images can have no answer, in more brackets if a label has it.
NO_ANSWER = "(no answer)"


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Confusion matrix of images (classifiers) or boxes (detectors).

    Attributes
    ----------
    counts : ndarray of int64, shape (k, k) or (k, k + 1)
        Rows are ground truth, columns are predicted, as in scikit-learn: ``counts[g, p]`` is the number of test images
        with label ``g`` that are predicted as ``p``. For single-label models, each image counts once. If thresholds
        apply, one more column counts the images where no label reaches its threshold. For multi-label models,
        off-diagonal cells count only the images where ``g`` is missed and ``p`` is a false positive.
    labels : tuple of str
        Labels of the rows. :attr:`columns` has those of the columns.
    truth_counts : ndarray of int64, shape (k,)
        Number of test images that have each label. For boxes and single-label models, these are the row sums.
    predicted_counts : ndarray of int64, shape (k,) or (k + 1,)
        Number of test images that are predicted to have each label. For boxes, and if each image has one label, these
        are the column sums.
    background : bool
        True if the last row and column are the background: missed true boxes, and predictions that match no true box.
    multi_label : bool
        True if an image can have several labels.
    images : int
        Number of test images of a classifier. 0 for a detector.

    Examples
    --------
    >>> matrix = cl.evaluate(truth, predictions).confusion_matrix
    >>> matrix.labels
    ('cat', 'dog')
    >>> int(matrix.counts.sum())
    4
    """

    counts: IntArray
    labels: tuple[str, ...]
    truth_counts: IntArray
    predicted_counts: IntArray
    background: bool = False
    multi_label: bool = False
    images: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Labels of the columns: :attr:`labels` and, if images can have no answer, "(no answer)"."""
        more = self.counts.shape[1] - len(self.labels)
        return (*self.labels, *[unused_name(NO_ANSWER, self.labels)] * more)

    def values(self, normalize: Normalize | None = None) -> FloatArray:
        """Return the cells as an array, in the shape of :attr:`counts`.

        Parameters
        ----------
        normalize : {None, "truth", "predicted"}
            None returns counts. "truth" divides each cell by the number of images with the row's label (single-label
            rows sum to 1), and "predicted" by the number of images predicted as the column's label. 0/0 is 0.

        Raises
        ------
        InputError
            If ``normalize`` is not valid.

        Examples
        --------
        >>> matrix = cl.evaluate(truth, predictions).confusion_matrix
        >>> matrix.values("truth").sum(axis=1)
        array([1., 1.])
        """
        check_normalize(normalize)
        counts = self.counts.astype(np.float64)
        if normalize == "truth":
            return counts / np.maximum(self.truth_counts, 1)[:, None]
        if normalize == "predicted":
            return counts / np.maximum(self.predicted_counts, 1)[None, :]
        return counts

    def to_frame(self, normalize: Normalize | None = None) -> pd.DataFrame:
        """Return the cells as a table.

        Parameters
        ----------
        normalize : {None, "truth", "predicted"}
            None returns counts (int64). "truth" and "predicted" return shares (float64), as in :meth:`values`.

        Returns
        -------
        DataFrame
            The index ``ground truth`` and the columns ``predicted`` hold the labels (str). For a detector, the last
            label is "background". For a single-label model with thresholds, the last column is "(no answer)".

        Raises
        ------
        InputError
            If ``normalize`` is not valid.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).confusion_matrix.to_frame()
        predicted     cat  dog
        ground truth
        cat             2    0
        dog             1    1
        """
        values: Any = self.counts.copy() if normalize is None else self.values(normalize)
        index, columns = pd.Index(self.labels, name="ground truth"), pd.Index(self.columns, name="predicted")
        return pd.DataFrame(values, index=index, columns=columns)

    def confusions(self) -> pd.DataFrame:
        """Return the non-zero off-diagonal cells, highest count first.

        Returns
        -------
        DataFrame
            One row per cell: ``truth`` and ``predicted`` (str), ``count``, the number of images or boxes (int64), and
            ``share``, their share of all images or boxes with that true label (float64).

        Examples
        --------
        >>> cl.evaluate(truth, predictions).confusion_matrix.confusions()
          truth predicted  count  share
        0   dog       cat      1    0.5
        """
        row, column = np.nonzero(np.where(np.eye(*self.counts.shape), 0, self.counts))
        names = np.array(self.columns, dtype=object)
        table = pd.DataFrame(
            {
                "truth": names[row],
                "predicted": names[column],
                "count": self.counts[row, column],
                "share": self.values("truth")[row, column],
            }
        ).astype({"truth": TEXT, "predicted": TEXT})
        return table.sort_values(["count", "share"], ascending=False, kind="stable", ignore_index=True)

    def one_vs_rest(self) -> pd.DataFrame:
        """Return the binary confusion counts of each label of a classifier.

        Returns
        -------
        DataFrame
            One row per label, in order: ``label`` (str), and the number of test images (int64) where the label is a
            true positive (``tp``), false positive (``fp``), false negative (``fn``) or true negative (``tn``). For
            single-label models each image counts once, as in the matrix.

        Raises
        ------
        InputError
            If boxes were evaluated, which have no true negatives.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).confusion_matrix.one_vs_rest()
          label  tp  fp  fn  tn
        0   cat   2   1   0   1
        1   dog   1   0   1   2
        """
        if not self.images:
            raise InputError("Boxes have no true negatives. Use report.per_label for tp, fp and fn of each label.")
        tp = self.counts.diagonal()
        fp, fn = self.predicted_counts[: len(tp)] - tp, self.truth_counts - tp
        table = {"label": self.labels, "tp": tp, "fp": fp, "fn": fn, "tn": self.images - tp - fp - fn}
        return pd.DataFrame(table).astype({"label": TEXT})

    def plot(self, ax: Axes | None = None, normalize: Normalize | None = None, *, theme: Theme | None = None) -> Axes:
        """Draw the matrix with matplotlib: correct cells in blue, mistakes in red, and numbers where they fit.

        Rows are ground truth, columns are predicted. The last row and column of a detector's matrix, separated by a
        line, are the background. The size and darkness of a cell show its share of the row (of the column with
        ``normalize="predicted"``), even if the numbers are counts. A multi-label matrix of up to 30 labels also shows
        the true and false positives and negatives of each label. ``theme="paper"`` draws in black on white.

        Raises
        ------
        InputError
            If ``normalize`` is not None, "truth" or "predicted".

        Examples
        --------
        >>> ax = cl.evaluate(truth, predictions).confusion_matrix.plot(normalize="truth")
        >>> ax.get_xlabel()
        'predicted'
        """
        from customlabels_nb.evaluation.plots.matrix import plot_confusion_matrix

        return plot_confusion_matrix(
            self.values(normalize),
            self.values(normalize or "truth"),
            self.labels,
            self.columns,
            ax,
            whole=normalize is None,
            background=self.background,
            one_vs_rest=self.one_vs_rest() if self.multi_label else None,
            theme=theme,
        )

    def __repr__(self) -> str:
        return printable(f"Confusion matrix (rows ground truth, columns predicted)\n{self.to_frame()}")

    def _repr_html_(self) -> str:
        return render("confusion_matrix.html", matrix=self)


def check_normalize(normalize: object) -> None:
    if normalize not in NORMALISATIONS:
        renamed = " 'prediction' is now 'predicted'." if normalize == "prediction" else ""
        raise InputError(f"normalize={normalize!r} is not valid. Use None, 'truth' or 'predicted'.{renamed}")


def unused_name(name: str, labels: tuple[str, ...]) -> str:
    """Put the name of a row or column that is not a label in brackets until no label has it."""
    while name in labels:
        name = f"({name})"
    return name
