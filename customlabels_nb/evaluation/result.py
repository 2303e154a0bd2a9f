"""The evaluation of a classifier as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation.confusion import ConfusionMatrix, confusion_matrix
from customlabels_nb.evaluation.metrics import bootstrap_intervals, per_image_table, per_label_table, summary_table
from customlabels_nb.evaluation.scores import SINGLE_LABEL, FloatArray, Scores, make_scores
from customlabels_nb.evaluation.thresholds import resolve_thresholds, threshold_curve


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that an evaluation found.

    Attributes
    ----------
    scores : Scores
        Truth and predictions as matrices.
    thresholds : ndarray of float64, shape (k,)
        In the order of the labels.
    summary : DataFrame
        ``figure``, ``value``, ``low``, ``high``; see :func:`customlabels_nb.evaluation.metrics.summary_table`.
    per_label : DataFrame
        One row a label; see :func:`customlabels_nb.evaluation.metrics.per_label_table`.
    per_image : DataFrame
        One row a label of an image; see :func:`customlabels_nb.evaluation.metrics.per_image_table`.
    confusion_matrix : ConfusionMatrix
    labels : DataFrame
        ``label`` and ``colour``, in order.
    notes : tuple of str
        What a reader of the figures has to know, in sentences.
    """

    scores: Scores
    thresholds: FloatArray
    summary: pd.DataFrame
    per_label: pd.DataFrame
    per_image: pd.DataFrame
    confusion_matrix: ConfusionMatrix
    labels: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def task(self) -> str:
        """What was evaluated: "single-label" or "multi-label"."""
        return self.scores.task

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
        if label not in self.scores.labels:
            raise LabelError(f"label={label!r} is not evaluated here; the labels are {list(self.scores.labels)!r}.")
        return threshold_curve(*self.scores.column(self.scores.labels.index(label)))


def evaluate(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | None = None,
    task: str = SINGLE_LABEL,
    random_state: int = 0,
) -> Evaluation:
    """Compare predictions with the truth.

    Parameters
    ----------
    truth : DataFrame
        Columns ``image`` and ``label``, one row a label.
    predictions : DataFrame
        Columns ``image``, ``label`` and ``confidence`` (0..1), for each image every label that the model knows;
        a missing pair has confidence 0 and is never predicted, even at a threshold of 0.
    images : list, Series or DataFrame with a column ``image``, optional
        The test images, so that those without labels count too; by default the images of both tables.
    labels : list or labels table, optional
        Order and colours.
    thresholds : number or dict, optional
        One threshold for all labels, or by label; by default (and for labels that a dict doesn't name) each
        label's assumed threshold, where its F1 is highest.
    task : {"single-label", "multi-label"}
    random_state : int
        Seeds the resampling of the intervals.

    Raises
    ------
    InputError, TableError, LabelError
        If an argument can't be used.
    NotEnoughDataError
        If there is nothing to compare.
    """
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise InputError(f"random_state={random_state!r} is no seed; give a whole number from 0 up.")
    scores = make_scores(truth, predictions, images, labels=labels, task=task)
    chosen = resolve_thresholds(thresholds, scores)
    per_label = per_label_table(scores, chosen)
    intervals = bootstrap_intervals(scores, chosen, random_state=int(random_state))
    return Evaluation(
        scores=scores,
        thresholds=chosen,
        summary=summary_table(scores, per_label, intervals),
        per_label=per_label,
        per_image=per_image_table(scores, chosen),
        confusion_matrix=confusion_matrix(scores, chosen),
        labels=pd.DataFrame({"label": list(scores.labels), "colour": list(scores.colours)}).astype("str"),
        notes=tuple(_notes(scores, per_label, thresholds)),
    )


def _notes(scores: Scores, per_label: pd.DataFrame, given: float | Mapping[str, float] | None) -> list[str]:
    found = []
    if given is None or (isinstance(given, Mapping) and len(given) < len(scores.labels)):
        found.append(
            "Thresholds were chosen on this very test set, where each label's F1 is highest: "
            "expect slightly lower figures on new images."
        )
    names, tested = np.array(scores.labels, dtype=object), scores.in_test_set
    tp, fp = per_label["tp"].to_numpy(), per_label["fp"].to_numpy()
    silent = tested & scores.known & (tp + fp == 0)
    wrong = tested & scores.known & (tp == 0) & (fp > 0)
    for which, text in (
        (~tested, "no test image has {}: listed, but not part of the means."),
        (~scores.known, "the predictions don't know {}: all test images with it count as missed."),
        (silent, "nothing reaches the threshold of {}: precision and F1 are 0/0, shown as 0."),
        (wrong, "no prediction of {} is right: F1 is 0/0, shown as 0."),
    ):
        if which.any():
            sentence = text.format(_listed(list(names[which])))
            found.append(sentence[0].upper() + sentence[1:])
    for number, text in (
        (int((~scores.answered).sum()), "test images have no predictions; their labels count as missed."),
        (int((~scores.truth.any(axis=1)).sum()), "test images have no label; a prediction there is a false positive."),
    ):
        if number:
            found.append(f"{number} of {len(scores.images)} {text}")
    if scores.left_out:
        found.append(f"Left out, as they are no test images: {scores.left_out} images of truth or predictions.")
    if len(scores.images) <= 300 and not (fp[tested].any() or per_label["fn"].any()):
        most = min(99, round(300 / len(scores.images)))  # the rule of three
        found.append(
            "No mistake was made, so the intervals have no width; but so few test images can't rule out that up to "
            f"about {most} % of new images go wrong."
        )
    return found


def _listed(names: list[str], most: int = 8) -> str:
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more labels" if len(names) > most else text
