"""An evaluation as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation.applied import Applied
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.calibration import calibration_table
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.cross_validation import apply_thresholds
from customlabels_nb.evaluation.detection import by_box_size
from customlabels_nb.evaluation.inputs import images_table
from customlabels_nb.evaluation.metrics import bootstrap_intervals, per_label_table, summary_table
from customlabels_nb.evaluation.notes import evaluation_notes
from customlabels_nb.evaluation.outcomes import FloatArray, Outcomes
from customlabels_nb.evaluation.slices import slice_table
from customlabels_nb.evaluation.tasks import make_outcomes
from customlabels_nb.evaluation.thresholds import precision_recall, threshold_curve

if TYPE_CHECKING:
    from customlabels_nb.evaluation.advice import Advice


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that an evaluation found.

    Attributes
    ----------
    applied : Applied
        Truth and predictions, and the thresholds that figures and tables are at.
    images : DataFrame
        One row a test image, in their order: ``image``, and the further columns that the images were given with.
    summary : DataFrame
        ``figure``, ``value``, ``low``, ``high``; see :func:`customlabels_nb.evaluation.metrics.summary_table`.
    per_label : DataFrame
        One row a label; see :func:`customlabels_nb.evaluation.metrics.per_label_table`.
    per_image : DataFrame
        One row a label of an image; see :meth:`customlabels_nb.evaluation.outcomes.Outcomes.per_image`.
    confusion_matrix : ConfusionMatrix
    labels : DataFrame
        ``label`` and ``colour``, in order.
    notes : tuple of str
        What a reader of the figures has to know, in sentences.
    """

    applied: Applied
    images: pd.DataFrame
    summary: pd.DataFrame
    per_label: pd.DataFrame
    per_image: pd.DataFrame
    confusion_matrix: ConfusionMatrix
    labels: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def outcomes(self) -> Outcomes:
        """Truth and predictions: of a classifier :class:`~customlabels_nb.evaluation.scores.Scores`, of a detector
        :class:`~customlabels_nb.evaluation.boxes.Boxes`.
        """
        return self.applied.outcomes

    @property
    def thresholds(self) -> FloatArray:
        """The threshold of each label, in their order, shape (k,); cross-validated: the means of the folds'."""
        return self.applied.thresholds

    @property
    def task(self) -> str:
        """What was evaluated: "single-label", "multi-label" or "detection"."""
        return self.outcomes.task

    def figure(self, name: str) -> float:
        """One value of the summary."""
        return float(self.summary.loc[self.summary["figure"] == name, "value"].iloc[0])

    def curve(self, label: str) -> pd.DataFrame:
        """``threshold``, ``precision``, ``recall``, ``f1`` along the threshold of one label.

        Raises
        ------
        LabelError
            If there is no such label.
        """
        return threshold_curve(self.outcomes.steps(self._position(label)))

    def precision_recall(self, label: str) -> pd.DataFrame:
        """``recall``, ``precision``, ``threshold`` of one label.

        See :func:`customlabels_nb.evaluation.thresholds.precision_recall`.

        Raises
        ------
        LabelError
            If there is no such label.
        """
        return precision_recall(self.outcomes.steps(self._position(label)))

    def calibration(self, bins: int = 10, *, label: str | None = None) -> pd.DataFrame:
        """Whether confidences keep what they promise, for all predictions or those of one label.

        See :func:`customlabels_nb.evaluation.calibration.calibration_table`.

        Raises
        ------
        InputError, LabelError
            If ``bins`` can't be, or there is no such label.
        """
        return calibration_table(self.outcomes, bins, position=None if label is None else self._position(label))

    def by(self, column: str) -> pd.DataFrame:
        """The figures of each slice of the test images, by a column of :attr:`images`.

        See :func:`customlabels_nb.evaluation.slices.slice_table`.

        Raises
        ------
        InputError
            If there is no such column, or it has too many values.
        """
        return slice_table(self.applied, self.images, column)

    def by_box_size(self) -> pd.DataFrame:
        """How well a detector finds small, medium and large boxes.

        See :func:`customlabels_nb.evaluation.detection.by_box_size`.

        Raises
        ------
        InputError
            If there are no boxes.
        """
        if not isinstance(self.outcomes, Boxes):
            raise InputError(f"There are no boxes: task={self.task!r} was evaluated, sizes are a detector's.")
        return by_box_size(self.outcomes, self.applied.accepted())

    @cached_property
    def advice(self) -> Advice:
        """What would help most, the strongest first; see :func:`customlabels_nb.evaluation.advice.advise`."""
        from customlabels_nb.evaluation.advice import advise

        return advise(self)

    def _position(self, label: str) -> int:
        if label not in self.outcomes.labels:
            raise LabelError(f"label={label!r} is not evaluated here; the labels are {list(self.outcomes.labels)!r}.")
        return self.outcomes.labels.index(label)


def evaluate(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | str | None = None,
    task: str | None = None,
    overlap: float = 0.5,
    random_state: int = 0,
) -> Evaluation:
    """Compare predictions with the truth.

    Parameters
    ----------
    truth : DataFrame
        Columns ``image`` and ``label``, one row a label; of boxes also ``left``, ``top``, ``width``, ``height`` in
        pixels, perhaps ``crowd`` (see :func:`customlabels_nb.evaluation.boxes.make_boxes`).
    predictions : DataFrame
        Columns ``image``, ``label`` and ``confidence`` (0..1), for each image every label that the model knows;
        a missing pair has confidence 0 and is never predicted, even at a threshold of 0. Of a detector one row a
        predicted box, with the columns of boxes.
    images : list, Series or DataFrame with a column ``image``, optional
        The test images, so that those without labels count too; by default the images of both tables. Further
        columns of a DataFrame are kept, for :meth:`Evaluation.by`.
    labels : list or labels table, optional
        Order and colours.
    thresholds : number, dict or "cross-validated", optional
        One threshold for all labels, or by label; by default (and for labels that a dict doesn't name) each
        label's assumed threshold, where its F1 is highest. "cross-validated" chooses them likewise, but for each
        fifth of the test images on the other four: such figures are honest, as no image has a say in the thresholds
        that it is judged by. The thresholds shown are then the means of the five.
    task : {None, "single-label", "multi-label", "detection"}
        By default "detection" if one of the tables holds a box, otherwise "single-label" if no image has two labels
        in ``truth``, otherwise "multi-label".
    overlap : float
        Detection: the intersection over union, above 0 and up to 1, from which on a prediction may match.
    random_state : int
        Seeds the resampling of the intervals, and how images are dealt for cross-validated thresholds.

    Raises
    ------
    InputError, TableError, LabelError
        If an argument can't be used.
    NotEnoughDataError
        If there is nothing to compare.
    """
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise InputError(f"random_state={random_state!r} is no seed; give a whole number from 0 up.")
    outcomes = make_outcomes(truth, predictions, images, labels=labels, task=task, overlap=overlap)
    applied = apply_thresholds(thresholds, outcomes, random_state=int(random_state))
    intervals = bootstrap_intervals(applied, random_state=int(random_state))
    per_label = per_label_table(applied, intervals)
    return Evaluation(
        applied=applied,
        images=images_table(images, outcomes.images),
        summary=summary_table(outcomes, per_label, intervals),
        per_label=per_label,
        per_image=applied.per_image(),
        confusion_matrix=applied.confusion(),
        labels=pd.DataFrame({"label": list(outcomes.labels), "colour": list(outcomes.colours)}).astype("str"),
        notes=tuple(evaluation_notes(outcomes, per_label, thresholds)),
    )
