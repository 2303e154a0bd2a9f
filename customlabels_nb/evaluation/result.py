"""Evaluation of predictions against ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import check_fraction, check_random_state
from customlabels_nb._utils.text import listed, quoted
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core.decisions import ASSUMED, MOST_CONFIDENT, default_decision
from customlabels_nb.core.tables import (
    BOXES,
    DRAWN_TASKS,
    MULTI_LABEL,
    POLYGONS,
    SINGLE_LABEL,
    TASKS,
    TEXT,
    as_text,
    check_label,
    copied,
    normalise_labels,
)
from customlabels_nb.datasets.reviewed import SEEN, had_prelabel, has_tag
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.basis import Basis
from customlabels_nb.evaluation.boxes import Boxes, limit_note, make_boxes
from customlabels_nb.evaluation.calibration import CALIBRATION_BINS, calibration_table
from customlabels_nb.evaluation.coco_metrics import MOST_PREDICTIONS
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.cross_validation import apply_thresholds, rule_to_follow
from customlabels_nb.evaluation.detector_metrics import by_box_size, mean_average_precision, mean_average_recall
from customlabels_nb.evaluation.input_tables import has_boxes, images_table
from customlabels_nb.evaluation.matching import IOU_THRESHOLD
from customlabels_nb.evaluation.metrics import bootstrap_intervals, per_label_table, row_of, summary_table
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.roc import roc_table
from customlabels_nb.evaluation.scores import Scores, make_scores
from customlabels_nb.evaluation.slices import slice_table
from customlabels_nb.evaluation.thresholded import Thresholded
from customlabels_nb.evaluation.thresholds import assumed_thresholds, precision_recall, threshold_curve

if TYPE_CHECKING:
    from customlabels_nb.evaluation.advice import Advice


#: With more test images and no mistakes, fewer than 1% of new images may be wrong (the rule of three).
MANY_IMAGES = 300


class Evaluation(NameHints):
    """Result of an evaluation: metrics, tables and notes.

    Parameters
    ----------
    applied : Thresholded
        Ground truth and predictions, with the thresholds that the metrics and tables use.
    images : DataFrame
        One row per test image, in order: ``image``, and the other columns of the images table passed to ``evaluate``.
    summary, per_label, per_image : DataFrame
        Tables. The properties of the same names return copies.
    confusion_matrix : ConfusionMatrix
        Confusion matrix.
    labels : DataFrame
        ``label`` and ``color``, in order.
    notes : sequence of str
        Human-readable notes on how to interpret the metrics.
    basis : Basis, optional
        Version and test set that were evaluated, if a project has them.

    Examples
    --------
    >>> evaluation = cl.evaluate(truth, predictions)
    >>> evaluation.task
    'single-label'
    >>> evaluation.per_label[["label", "tp", "fp", "fn"]]
      label  tp  fp  fn
    0   cat   2   1   0
    1   dog   1   0   1
    """

    def __init__(
        self,
        applied: Thresholded,
        images: pd.DataFrame,
        summary: pd.DataFrame,
        per_label: pd.DataFrame,
        per_image: pd.DataFrame,
        confusion_matrix: ConfusionMatrix,
        labels: pd.DataFrame,
        notes: Sequence[str],
        basis: Basis | None = None,
    ) -> None:
        self.applied = applied
        self.images = images
        self.labels = labels
        self._summary = summary
        self._per_label = per_label
        self._per_image = per_image
        self._confusion_matrix = confusion_matrix
        self._notes = notes
        self.basis = basis

    @property
    def summary(self) -> pd.DataFrame:
        """Overall metrics.

        Returns
        -------
        DataFrame
            One row per metric: ``metric``, the metric's name (str), ``value``, and the bounds of its 95% confidence
            interval ``low``, ``high`` (float64, NaN without an interval). f1, precision, recall, mean_threshold and
            mean_average_precision are macro averages over the labels that test images have, as in scikit-learn's
            ``classification_report(labels=…)`` with these labels. micro_f1, micro_precision and micro_recall are those
            of the summed counts of the same labels, weighted_f1, weighted_precision and weighted_recall are weighted by
            the labels' support. Classifiers also have roc_auc, the mean area under the ROC curves, and single-label
            models accuracy, Cohen's kappa and mcc, Matthews' correlation. Detectors have mean_average_recall and
            coco_map. test_images and labels are counts.
        """
        return copied(self._summary)

    @property
    def per_label(self) -> pd.DataFrame:
        """Metrics of each label at its threshold.

        Returns
        -------
        DataFrame
            One row per label, in order: ``label`` (str); ``f1``, ``precision``, ``recall``, ``threshold`` and
            ``average_precision`` (float64); ``support``, the number of test images with the label or, for a detector,
            of its true boxes without crowds, ``test_images``, the number of test images with the label, and the number
            of true positives ``tp``, false positives ``fp`` and false negatives ``fn``, which count boxes for a
            detector (int64); ``undefined`` (bool), true if there are no true positives, so that a ratio is 0/0 and
            shown as 0; ``f1_low`` and ``f1_high``, the bounds of the 95% confidence interval of F1 (float64).
            Classifiers also have ``roc_auc``, the area under the label's ROC curve (float64, NaN if all test images
            have the label, or none).
        """
        return copied(self._per_label)

    @property
    def per_image(self) -> pd.DataFrame:
        """True positives, false positives and false negatives of each test image.

        Returns
        -------
        DataFrame
            One row for each label that an image has or is predicted to have, or for each predicted and each missed box
            of a detector: ``image`` and ``label`` (str), ``confidence`` (float64), ``result`` (str: "true positive",
            "false positive" or "false negative") and ``threshold`` (float64). Single-label models also have ``truth``
            and ``predicted`` (str): the image's true label and its answer. Detectors also have ``left``,
            ``top``, ``width``, ``height`` of the predicted box (of the true box for a false negative), ``truth_left``,
            …, ``truth_height`` of the true box, the ``iou`` of both boxes (float64), and ``taken_for`` (str): the label
            of the missed box that a false positive overlaps.
        """
        return copied(self._per_image)

    @property
    def confusion_matrix(self) -> ConfusionMatrix:
        """Confusion matrix. Rows are ground truth, columns are predicted, as in scikit-learn.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).confusion_matrix.to_frame(normalize="truth")
        predicted     cat  dog
        ground truth
        cat           1.0  0.0
        dog           0.5  0.5
        """
        return self._confusion_matrix

    @property
    def notes(self) -> list[str]:
        """Human-readable notes on how to interpret the metrics."""
        return list(self._notes)

    @property
    def outcomes(self) -> Outcomes:
        """Ground truth and predictions.

        The type is :class:`~customlabels_nb.evaluation.scores.Scores` for a classifier and
        :class:`~customlabels_nb.evaluation.boxes.Boxes` for a detector.
        """
        return self.applied.outcomes

    @property
    def thresholds(self) -> FloatArray:
        """Threshold of each label, shape (k,): the mean over the folds if cross-validated, NaN by "most confident"."""
        return self.applied.thresholds

    @property
    def task(self) -> str:
        """Task that was evaluated: "single-label", "multi-label", "boxes" or "polygons"."""
        return self.outcomes.task

    def metric(self, name: str) -> float:
        """Return the value of one metric in the summary.

        Raises
        ------
        InputError
            If the summary does not have the metric. The message names the nearest one.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).metric("accuracy")
        0.75
        """
        return float(row_of(name, self._summary, self.task)["value"])

    def curve(self, label: str) -> pd.DataFrame:
        """Return the precision, recall and F1 of one label as functions of the threshold.

        The columns are ``threshold`` (ascending), ``precision``, ``recall`` and ``f1``.

        Raises
        ------
        LabelError
            If the label does not exist.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).curve("cat")
           threshold  precision  recall        f1
        0        0.0   0.500000     1.0  0.666667
        1        0.2   0.500000     1.0  0.666667
        2        0.6   0.666667     1.0  0.800000
        3        0.7   0.500000     0.5  0.500000
        4        0.9   1.000000     0.5  0.666667
        5        1.0        NaN     0.0  0.000000
        """
        return threshold_curve(self.outcomes.steps(self.outcomes.position(label)))

    def precision_recall(self, label: str) -> pd.DataFrame:
        """Return the precision-recall curve of one label, from the highest to the lowest confidence.

        Returns
        -------
        DataFrame
            ``recall`` (ascending), ``precision`` and ``threshold`` (descending), all float64. In the first row, nothing
            is predicted: recall is 0, precision is 1 by convention, and threshold is NaN. The values match
            ``sklearn.metrics.precision_recall_curve``, in reverse order.

        Raises
        ------
        LabelError
            If the label does not exist.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).precision_recall("cat")
           recall  precision  threshold
        0     0.0   1.000000        NaN
        1     0.5   1.000000        0.9
        2     0.5   0.500000        0.7
        3     1.0   0.666667        0.6
        4     1.0   0.500000        0.2
        """
        return precision_recall(self.outcomes.steps(self.outcomes.position(label)))

    def roc(self, label: str) -> pd.DataFrame:
        """Return the receiver operating characteristic (ROC) of one label of a classifier.

        Returns
        -------
        DataFrame
            ``false_positive_rate`` and ``true_positive_rate`` (ascending, NaN without negatives or positives) and
            ``threshold`` (descending), all float64, as ``sklearn.metrics.roc_curve`` with ``drop_intermediate=False``.
            Nothing is predicted at the first threshold, infinity. A missing pair of an image and the label is below
            every confidence, at minus infinity.

        Raises
        ------
        InputError, LabelError
            If this is an evaluation of a detector, or the label does not exist.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).roc("cat")
           false_positive_rate  true_positive_rate  threshold
        0                  0.0                 0.0        inf
        1                  0.0                 0.5        0.9
        2                  0.5                 0.5        0.7
        3                  0.5                 1.0        0.6
        4                  1.0                 1.0        0.2
        """
        if not isinstance(self.outcomes, Scores):
            raise InputError(f"ROC curves are for classifiers, and the task of this evaluation is {self.task!r}.")
        return roc_table(self.outcomes, self.outcomes.position(label))

    def calibration(self, bins: int = CALIBRATION_BINS, *, label: str | None = None) -> pd.DataFrame:
        """Return the share of correct predictions by confidence.

        Parameters
        ----------
        bins : int
            Number of equal-width confidence bins, from 1 to 1,000.
        label : str, optional
            Label whose predictions to use, including predictions below its threshold. By default, the predictions of
            all labels are used or, for single-label models, each image's most confident label.

        Returns
        -------
        DataFrame
            One row per bin: its edges ``low`` and ``high`` (float64), ``count`` (int64), ``mean_confidence`` and
            ``share_right`` (float64, NaN for an empty bin). ``.attrs["error"]`` is the expected calibration error (Guo
            et al., 2017): the mean absolute difference between ``mean_confidence`` and ``share_right``, weighted by
            ``count``.

        Raises
        ------
        InputError, LabelError
            If ``bins`` is not valid, or the label does not exist.

        Examples
        --------
        >>> table = cl.evaluate(truth, predictions).calibration(bins=2)
        >>> table[["low", "high", "count", "share_right"]]
           low  high  count  share_right
        0  0.0   0.5      0          NaN
        1  0.5   1.0      4         0.75
        """
        return calibration_table(self.outcomes, bins, position=None if label is None else self.outcomes.position(label))

    def by(self, column: str | Sequence[str], *, bins: int | None = None) -> pd.DataFrame:
        """Return metrics for each slice of the test images, grouped by one or two columns of :attr:`images`.

        Parameters
        ----------
        column : str or list of two str
            Column of :attr:`images`: "width", "height", "source", "tags" or one of your own. Each value is a slice, or
            each combination of the values of two columns. An
            image whose value is a list (such as tags) is in the slice of every item. Numbers and times with more than
            12 distinct values are binned into 5 ranges with about equally many images, such as "480 to 640". Images
            without a value are in the last slice, "(none)".
        bins : int, optional
            Number of ranges into which numbers and times are binned.

        Returns
        -------
        DataFrame
            One row per slice, sorted by value: ``slice`` (str); ``test_images`` and ``labels``, the number of images in
            the slice and of labels that these images have (int64); ``f1``, ``precision``, ``recall`` and
            ``mean_average_precision``, macro averages over these labels, and as in :attr:`summary` ``micro_f1``,
            ``micro_precision``, ``micro_recall``, ``weighted_f1``, ``weighted_precision`` and ``weighted_recall``
            (float64), for classifiers also ``roc_auc``, for single-label models also ``accuracy``, ``kappa`` and
            ``mcc``, for detectors also ``mean_average_recall`` and ``coco_map``; ``f1_low`` and ``f1_high``, the bounds
            of the 95% confidence interval of F1 (float64); ``differs`` (str), "lower" or "higher" if the F1 differs
            from that of the other images by more than chance explains, corrected for the number of slices, else "". The
            thresholds are the same as for the entire test set. Two columns are the index, instead of ``slice``.

        Raises
        ------
        InputError
            If :attr:`images` has no such column, or the column is empty or has more than 500 distinct values.

        Examples
        --------
        >>> images = pd.DataFrame({"image": sorted(set(truth["image"])), "camera": ["left", "left", "right", "right"]})
        >>> cl.evaluate(truth, predictions, images).by("camera")[["slice", "test_images", "accuracy"]]
           slice  test_images  accuracy
        0   left            2       1.0
        1  right            2       0.5

        Two columns, as a table:

        >>> images["day"] = ["Monday", "Tuesday"] * 2
        >>> cl.evaluate(truth, predictions, images).by(["camera", "day"])["accuracy"].unstack()
        day     Monday  Tuesday
        camera
        left       1.0      1.0
        right      1.0      0.0
        """
        return slice_table(self.applied, self.images, column, bins=bins)

    def by_box_size(self) -> pd.DataFrame:
        """Return the precision and recall for small, medium and large boxes.

        Returns
        -------
        DataFrame
            One row per label and size: ``label`` (str, NaN in the first three rows, which cover all labels); ``size``
            (str: "small" below 32² pixels, "medium" below 96², otherwise "large"), the size of the true box or, for a
            false positive, of the predicted box; ``tp``, ``fp`` and ``fn`` (int64); ``precision`` and ``recall``
            (float64).

        Raises
        ------
        InputError
            If the evaluated task is neither "boxes" nor "polygons".

        Examples
        --------
        >>> box = {"left": 10, "top": 10, "width": 20, "height": 20}
        >>> truth = pd.DataFrame([{"image": "a.jpg", "label": "cat", **box}])
        >>> cl.evaluate(truth, truth.assign(confidence=0.9)).by_box_size().head(3)
          label    size  tp  fp  fn  precision  recall
        0   NaN   small   1   0   0        1.0     1.0
        1   NaN  medium   0   0   0        0.0     0.0
        2   NaN   large   0   0   0        0.0     0.0
        """
        if not isinstance(self.outcomes, Boxes):
            raise InputError(f"There are no boxes to group by size: the task of this evaluation is {self.task!r}.")
        return by_box_size(self.outcomes, self.applied.accepted())

    @cached_property
    def advice(self) -> Advice:
        """Suggestions for improving the model, largest estimated gain first."""
        return self._advise()

    def _advise(self, **options: Any) -> Advice:
        from customlabels_nb.evaluation.advice import advise

        return advise(
            self.applied,
            summary=self._summary,
            per_label=self._per_label,
            per_image=self._per_image,
            images=self.images,
            labels=self.labels,
            **options,
        )


def evaluate(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | str | None = None,
    task: str | None = None,
    iou_threshold: float = IOU_THRESHOLD,
    random_state: int = 0,
    left_out: Sequence[str] = (),
    max_boxes: int | None = None,
) -> Evaluation:
    """Evaluate predictions against ground truth. See ``customlabels_nb.evaluate`` for arguments and errors.

    The labels that ``thresholds`` names are labels of the evaluation. The sentences ``left_out`` describe what the
    caller has left out. They become notes. ``max_boxes`` is the largest number of boxes per image that the detector
    returns, if known.
    """
    random_state = check_random_state(random_state)
    named = []
    if isinstance(thresholds, Mapping):
        thresholds = {check_label(name): value for name, value in thresholds.items()}
        named = list(thresholds)
    outcomes = make_outcomes(
        truth, predictions, images, labels=labels, named=named, task=task, iou_threshold=iou_threshold,
        max_boxes=max_boxes,
    )  # fmt: skip
    table_labels = {*normalise_labels([] if labels is None else labels)["label"]}
    left_out = [*left_out, *_about_names(outcomes, [name for name in named if name not in table_labels])]
    if thresholds is None:
        thresholds = default_decision(outcomes.task)
    elif isinstance(thresholds, str) and thresholds == "best":
        thresholds = ASSUMED
    applied = apply_thresholds(thresholds, outcomes, random_state=random_state)
    tested = images_table(images, outcomes.images)
    return evaluation_of(applied, tested, thresholds, random_state=random_state, left_out=left_out)


def evaluation_of(
    applied: Thresholded,
    images: pd.DataFrame,
    thresholds: float | Mapping[str, float] | str,
    *,
    random_state: int = 0,
    left_out: Sequence[str] = (),
) -> Evaluation:
    """Compute the metrics and tables of an evaluation, with notes on the ``thresholds`` argument of ``evaluate``."""
    outcomes, intervals = applied.outcomes, bootstrap_intervals(applied, random_state=random_state)
    per_label = per_label_table(applied, intervals)
    return Evaluation(
        applied=applied,
        images=images,
        summary=summary_table(applied, per_label, intervals),
        per_label=per_label,
        per_image=applied.per_image(),
        confusion_matrix=applied.confusion(),
        labels=pd.DataFrame({"label": list(outcomes.labels), "color": list(outcomes.colors)}).astype(TEXT),
        notes=[*left_out, *evaluation_notes(outcomes, per_label, thresholds), *_about_help(images)],
    )


def moved_to(evaluation: Evaluation, applied: Thresholded) -> Evaluation:
    """Return a copy of an evaluation, or of a report, with the tables and the advice of another decision."""
    moved = copy(evaluation)
    moved.__dict__.pop("advice", None)
    moved.__dict__.pop("_advised", None)
    intervals = bootstrap_intervals(applied)
    moved.applied = applied
    moved._per_label, moved._per_image = per_label_table(applied, intervals), applied.per_image()
    moved._summary = summary_table(applied, moved._per_label, intervals)
    moved._confusion_matrix = applied.confusion()
    return moved


def decided_as(evaluation: Evaluation, baseline: Evaluation) -> Evaluation:
    """Return the evaluation with the decision that makes it comparable with a baseline."""
    rule = rule_to_follow(baseline.applied, evaluation.applied)
    return evaluation if rule is None else moved_to(evaluation, apply_thresholds(rule, evaluation.outcomes))


def make_outcomes(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    named: Iterable[str] = (),
    task: str | None = None,
    iou_threshold: float = IOU_THRESHOLD,
    max_boxes: int | None = None,
) -> Outcomes:
    """Convert the truth and predictions tables to boxes or scores. Takes the same arguments as ``evaluate``.

    ``named`` are labels of the evaluation even if no table has them.
    """
    argument, task = task, task_of(truth, predictions) if task is None else task
    if task not in TASKS:
        raise InputError(f"task={task!r} cannot be evaluated. Use one of {', '.join(TASKS)}, or None.")
    iou_threshold = check_fraction("iou_threshold", iou_threshold, exclude=(0,))
    if task in DRAWN_TASKS:
        return make_boxes(
            truth, predictions, images, labels=labels, named=named, iou_threshold=iou_threshold,
            masks=task == POLYGONS, max_boxes=max_boxes,
        )  # fmt: skip
    scores = make_scores(truth, predictions, images, labels=labels, named=named, task=task)
    if argument is None and (scores.in_test_set | scores.known).sum() == 1:  # it would always be the most confident one
        return replace(scores, task=MULTI_LABEL)
    return scores


def task_of(truth: pd.DataFrame, predictions: pd.DataFrame) -> str:
    """Infer the task from the truth and predictions tables, which are validated later.

    It is "boxes" if there is a box, "single-label" if no image has two true labels, otherwise "multi-label".
    """
    if has_boxes(truth) or has_boxes(predictions):
        return BOXES
    columns = list(truth.columns) if isinstance(truth, pd.DataFrame) else []
    if columns.count("image") != 1 or columns.count("label") != 1:
        return SINGLE_LABEL
    labelled = truth.loc[truth["label"].notna(), ["image", "label"]]
    labelled = labelled[as_text(labelled["image"]).duplicated(keep=False)].apply(as_text).drop_duplicates()
    return MULTI_LABEL if labelled["image"].duplicated().any() else SINGLE_LABEL


def evaluation_notes(
    outcomes: Outcomes, per_label: pd.DataFrame, decision: float | Mapping[str, float] | str
) -> list[str]:
    notes = [
        *_about_thresholds(outcomes, decision, per_label["threshold"].to_numpy()),
        *_about_confidences(outcomes, decision),
    ]
    if isinstance(outcomes, Boxes):
        notes += _about_matching(outcomes)
    never = "no image has {} as its most confident label." if decision == MOST_CONFIDENT else _NEVER_REACHED
    notes += [sentence[0].upper() + sentence[1:] for sentence in _about_labels(outcomes, per_label, never)]
    notes += _about_images(outcomes)
    tested = outcomes.in_test_set
    mistakes = per_label["fp"].to_numpy()[tested].any() or per_label["fn"].any()
    if len(outcomes.images) <= MANY_IMAGES and tested.any() and not mistakes:
        notes.append(flawless_note(len(outcomes.images)))
    return notes


def flawless_note(images: int, who: str = "The model") -> str:
    """Explain the confidence intervals of a model that made no mistakes on this number of test images."""
    most = min(99, round(300 / images))
    return (
        f"{who} made no mistakes, so the confidence intervals have zero width. With so few test images, "
        f"however, it could still be wrong on up to about {most}% of new images."
    )


def _about_thresholds(
    outcomes: Outcomes, decision: float | Mapping[str, float] | str, thresholds: FloatArray
) -> Iterator[str]:
    chosen = isinstance(decision, Mapping) and np.array_equal(thresholds, assumed_thresholds(outcomes))
    if decision == ASSUMED or chosen or (isinstance(decision, Mapping) and len(decision) < len(outcomes.labels)):
        yield (
            "The thresholds were chosen on this test set to maximise the F1 of each label. Expect slightly lower "
            "metrics on new images."
        )
    elif decision == "cross-validated":
        yield (
            "The thresholds were cross-validated: for each fold of the test images, they were chosen on the other "
            "folds, so the metrics are not biased by the choice of thresholds. The threshold shown for each label is "
            "the mean over the folds."
        )
        once = outcomes.test_images == 1
        if once.any():
            names = listed(np.array(outcomes.labels, dtype=object)[once])
            yield f"Only one test image has {names}. The threshold for that image comes from the other labels."


def _about_confidences(outcomes: Outcomes, decision: float | Mapping[str, float] | str) -> Iterator[str]:
    """Say that all confidences are 1, as those of a dataset whose file has none, or has them under another name."""
    if outcomes.known.any() and outcomes.all_certain:
        if isinstance(outcomes, Scores) and decision == MOST_CONFIDENT:
            several = outcomes.given.sum(axis=1) > 1
            if several.any():
                number, names = int(several.sum()), quoted(outcomes.images[several], 3)
                yield (
                    f"{number} of {len(outcomes.images)} test images have several answers with the same confidence. "
                    f"Only the first in the order of the labels counts: {names}."
                )
        yield (
            "All predictions have a confidence of 1, so average precision, curves and calibration say little. If the "
            "predictions have confidences, name their column 'confidence'."
        )


def _about_names(outcomes: Outcomes, named: Sequence[str]) -> Iterator[str]:
    """Say which names of thresholds no table has, with the nearest label, as they may be misspelt."""
    occurring = {*np.array(outcomes.labels, dtype=object)[outcomes.in_test_set | outcomes.known]}
    unknown = [name for name in named if name not in occurring]
    if unknown:
        near = [match for name in unknown for match in get_close_matches(name, sorted(occurring), 1)][:1]
        nearest = f" The nearest is {near[0]!r}." if near else ""
        yield f"thresholds names labels that are in neither truth nor predictions: {quoted(unknown)}.{nearest}"


_NEVER_REACHED = "no prediction of {} reaches the threshold."


def _about_labels(outcomes: Outcomes, per_label: pd.DataFrame, never: str) -> Iterator[str]:
    names, tested, predicted = np.array(outcomes.labels, dtype=object), outcomes.in_test_set, outcomes.known
    tp, fp = per_label["tp"].to_numpy(), per_label["fp"].to_numpy()
    unknown = "the model does not predict {}. All test images with such a label count as missed."
    if isinstance(outcomes, Boxes):
        unknown = "there are no predictions of {}. All true boxes with such a label count as missed."
    for which, text in (
        (~tested, "no test image has {}. Labels without test images do not count towards the averages."),
        (tested & ~predicted, unknown),
        (tested & predicted & (tp + fp == 0), f"{never} Precision and F1 are 0/0, shown as 0."),
        (tested & predicted & (tp == 0) & (fp > 0), "no prediction of {} is correct. F1 is 0/0, shown as 0."),
    ):
        if which.any():
            yield text.format(listed(names[which]))
    true_names = {name.casefold(): name for name in names[tested]}
    for name in names[~tested]:
        other = true_names.get(name.casefold())
        if other is not None:
            yield (
                f"the labels {name!r} and {other!r} differ only in capitals and are not matched. To match them, rename "
                f"the label in predictions with .replace({{{name!r}: {other!r}}})."
            )


def _about_help(images: pd.DataFrame) -> Iterator[str]:
    """Say how many test images were labelled with a model's help, or corrected after its predictions were seen."""
    if "tags" not in images or not images["tags"].map(lambda tags: isinstance(tags, list)).all():
        return
    for mask, what in (
        (had_prelabel(images), "labelled while a model's predictions were shown"),
        (has_tag(images, SEEN), "corrected after seeing predictions"),
    ):
        if mask.any():
            yield f"{int(mask.sum())} of {len(images)} test images were {what}. The metrics may be too good."


def _about_images(outcomes: Outcomes) -> Iterator[str]:
    silent, noun, all_of_it = ~outcomes.answered, "label", "labels"
    if isinstance(outcomes, Boxes):
        silent, noun, all_of_it = silent & outcomes.with_targets, "box", "boxes"
    for which, what, text in (
        (silent, "predictions", f"Their {all_of_it} count as missed"),
        (outcomes.bare, noun, "Any prediction there is a false positive"),
    ):
        if which.any():
            number, names = int(which.sum()), quoted(outcomes.images[which], 3)
            yield f"{number} of {len(outcomes.images)} test images have no {what}. {text}: {names}."
    if not (outcomes.answered & ~outcomes.bare).any() and outcomes.answered.any() and not outcomes.bare.all():
        yield (
            f"No image has both {all_of_it} and predictions. Check that the column 'image' uses the same names in "
            "truth and predictions."
        )
    yield from outcomes.left_out


#: Fewer boxes than this may be wider than they are far from the left by chance.
_ENOUGH_BOXES = 10


def _like_corners(boxes: FloatArray) -> bool:
    return bool((boxes[:, 2:] > boxes[:, :2]).all())


def _about_coordinates(boxes: Boxes) -> Iterator[str]:
    """Say where predicted boxes look as if they had another unit or notation than the true ones."""
    if len(boxes.box) and boxes.box.max() <= 1 < boxes.truth_box.max(initial=0):
        yield (
            "The coordinates of all predicted boxes are between 0 and 1. Boxes must be in pixels: multiply left "
            "and width by the width of the image, and top and height by its height."
        )
    if len(boxes.box) >= _ENOUGH_BOXES and _like_corners(boxes.box) and not _like_corners(boxes.truth_box):
        yield (
            "In all predicted boxes, width is greater than left, and height than top. If they are the right and bottom "
            "edges, name the columns xmin, ymin, xmax and ymax."
        )


def _about_matching(boxes: Boxes) -> Iterator[str]:
    if boxes.iou_threshold != IOU_THRESHOLD:
        what = "Masks" if boxes.masks else "Boxes"
        yield (
            f"{what} match at an IoU of {boxes.iou_threshold:g} or more for all metrics except COCO mAP. The usual "
            "threshold is 0.5."
        )
    yield from _about_coordinates(boxes)
    yield from _about_limits(boxes)
    unboxed = [f"{number} of the rows in {name}" for name, number in boxes.left_out_rows.items() if number]
    if unboxed:
        yield f"Ignored because they have no box: {' and '.join(unboxed)}."
    crowds, flat = int(boxes.truth_crowd.sum()), int((boxes.areas()[0] == 0).sum())
    if crowds:
        yield f"Boxes around crowds: {crowds}. They are not targets, and predictions on them do not count."
    if flat:
        what = "masks without a pixel" if boxes.masks else "boxes of zero width or height"
        yield f"True {what}: {flat}. No prediction can match them, so they count as missed."
    if boxes.masks:
        bare = [
            sum(polygon is None for polygon in column) for column in (boxes.masks.truth_polygon, boxes.masks.polygon)
        ]
        if any(bare):
            yield f"Compared as boxes because they have no polygon: {bare[0]} in truth, {bare[1]} in predictions."


def _about_limits(boxes: Boxes) -> Iterator[str]:
    """Say where the model, or COCO's metrics, count fewer boxes than an image has."""
    if boxes.at_limit.any():
        yield limit_note(boxes)
    many = int((np.bincount(boxes.truth_image * len(boxes.labels) + boxes.truth_label) > MOST_PREDICTIONS).sum())
    if many:
        yield (
            f"More than {MOST_PREDICTIONS} true boxes of a label in an image: {many} times. As in COCO, average "
            f"precision and recall count only the {MOST_PREDICTIONS} most confident predictions of a label in an image."
            f" Without this limit, {_unlimited(boxes)}."
        )


def _unlimited(boxes: Boxes) -> str:
    """Give mAP and mAR without the limit of predictions, beside those with it."""
    every = boxes.without_limit()
    return " and ".join(
        f"{metric.__name__} is {metric(every):.3f} instead of {metric(boxes):.3f}"
        for metric in (mean_average_precision, mean_average_recall)
    )
