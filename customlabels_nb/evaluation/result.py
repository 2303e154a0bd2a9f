"""An evaluation as one value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.boxes import Boxes, make_boxes
from customlabels_nb.evaluation.calibration import calibration_table
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.cross_validation import apply_thresholds
from customlabels_nb.evaluation.detector_metrics import by_box_size
from customlabels_nb.evaluation.input_tables import has_boxes, images_table
from customlabels_nb.evaluation.matching import check_iou_threshold
from customlabels_nb.evaluation.metrics import bootstrap_intervals, per_label_table, summary_table
from customlabels_nb.evaluation.outcomes import DETECTION, MULTI_LABEL, SINGLE_LABEL, TASKS, Outcomes
from customlabels_nb.evaluation.scores import make_scores
from customlabels_nb.evaluation.slices import slice_table
from customlabels_nb.evaluation.thresholded import Thresholded
from customlabels_nb.evaluation.thresholds import precision_recall, threshold_curve

if TYPE_CHECKING:
    from customlabels_nb.evaluation.advice import Advice

_LISTED = 8


class Evaluation:
    """Everything that an evaluation found.

    Parameters
    ----------
    applied : Thresholded
        Truth and predictions, and the thresholds that figures and tables are at.
    images : DataFrame
        One row a test image, in their order: ``image``, and the further columns that the images were given with.
    summary, per_label, per_image : DataFrame
        The tables that the properties of these names return copies of.
    confusion_matrix : ConfusionMatrix
    labels : DataFrame
        ``label`` and ``colour``, in order.
    notes : sequence of str
        What a reader of the figures has to know, in sentences.
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
    ) -> None:
        self.applied = applied
        self.images = images
        self.labels = labels
        self._summary = summary
        self._per_label = per_label
        self._per_image = per_image
        self._confusion_matrix = confusion_matrix
        self._notes = notes

    @property
    def summary(self) -> pd.DataFrame:
        """Return the metrics of all labels together.

        Returns
        -------
        DataFrame
            One row a metric: ``figure`` (str), ``value``, and the 95 % interval ``low``, ``high`` (float64, NaN without
            one). The metrics are f1, precision, recall, mean_threshold and mean_average_precision, which are means over
            the labels that test images have, test_images and labels; single-label also accuracy, detection also
            mean_average_recall and coco_map.
        """
        return self._summary.copy(deep=False)

    @property
    def per_label(self) -> pd.DataFrame:
        """Return the metrics of each label at its threshold.

        Returns
        -------
        DataFrame
            One row a label, in their order: ``label`` (str); ``f1``, ``precision``, ``recall``, ``threshold`` and
            ``average_precision`` (float64); ``test_images`` that have the label, and true positives ``tp``, false
            positives ``fp`` and false negatives ``fn``, of a detector boxes (int64); ``undefined`` (bool): without a
            true positive a ratio is 0/0 and shown as 0; ``f1_low`` and ``f1_high``, F1's 95 % interval (float64).
        """
        return self._per_label.copy(deep=False)

    @property
    def per_image(self) -> pd.DataFrame:
        """Return what is right and wrong on each test image.

        Returns
        -------
        DataFrame
            One row for each label that an image has or that is predicted for it, of a detector for each predicted and
            each missed box: ``image`` and ``label`` (str), ``confidence`` (float64), ``result`` (str: "true positive",
            "false positive" or "false negative") and ``threshold`` (float64). Single-label also ``truth`` and
            ``predicted`` (str): the image's label and its most confident one. Detection also ``left``, ``top``,
            ``width``, ``height`` of the predicted box (of a false negative the true one), ``truth_left``, …,
            ``truth_height`` of the true one and their ``iou`` (float64), and ``taken_for`` (str): the label of the
            missed box that a false positive lies on.
        """
        return self._per_image.copy(deep=False)

    @property
    def confusion_matrix(self) -> ConfusionMatrix:
        """Rows predicted, columns ground truth; ``to_frame(normalize="truth")``, ``plot()``."""
        return self._confusion_matrix

    @property
    def notes(self) -> list[str]:
        """What a reader of the figures has to know, in sentences."""
        return list(self._notes)

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

    def metric(self, name: str) -> float:
        """One value of the summary."""
        return float(self._summary.loc[self._summary["figure"] == name, "value"].iloc[0])

    figure = metric

    def curve(self, label: str) -> pd.DataFrame:
        """``threshold``, ``precision``, ``recall``, ``f1`` along the threshold of one label.

        Raises
        ------
        LabelError
            If there is no such label.
        """
        return threshold_curve(self.outcomes.steps(self.outcomes.position(label)))

    def precision_recall(self, label: str) -> pd.DataFrame:
        """Return precision against recall of one label, as its threshold falls through all of its confidences.

        Returns
        -------
        DataFrame
            ``recall`` (rising), ``precision`` and ``threshold`` (falling), all float64. In the first row nothing is
            predicted: recall 0, precision 1 by convention, threshold NaN. The rows are those of
            ``sklearn.metrics.precision_recall_curve`` in reverse.

        Raises
        ------
        LabelError
            If there is no such label.
        """
        return precision_recall(self.outcomes.steps(self.outcomes.position(label)))

    def calibration(self, bins: int = 10, *, label: str | None = None) -> pd.DataFrame:
        """Return the share of right predictions by confidence.

        Parameters
        ----------
        bins : int
            Number of equally wide ranges of the confidence, 1 to 1,000.
        label : str, optional
            Use the predictions of this label alone, also below its threshold. By default those of all labels;
            single-label: each image's most confident label.

        Returns
        -------
        DataFrame
            One row a range: ``low`` and ``high``, its ends (float64), ``count`` (int64), ``mean_confidence`` and
            ``share_right`` (float64, NaN in an empty range). ``.attrs["error"]`` is the expected calibration error
            (Guo et al., 2017): the mean distance of the two, weighted by count.

        Raises
        ------
        InputError, LabelError
            If ``bins`` can't be used, or there is no such label.
        """
        return calibration_table(self.outcomes, bins, position=None if label is None else self.outcomes.position(label))

    def by(self, column: str) -> pd.DataFrame:
        """Return the metrics of each slice of the test images, by a column of :attr:`images`.

        Parameters
        ----------
        column : str
            A column of the images: "width", "height", "source", "tags" or one of your own. Each value is a slice. An
            image with a list (tags) is in the slice of each item. Numbers and times of more than 12 values are cut into
            5 ranges of about equally many images, such as "480 to 640". Images without a value are the last slice,
            "(none)".

        Returns
        -------
        DataFrame
            One row a slice, in the order of the values: ``slice`` (str), ``test_images`` and ``labels``, the number of
            labels that its images have (int64); ``f1``, ``precision``, ``recall`` and ``mean_average_precision``, means
            over these labels (float64), single-label also ``accuracy``, detection also ``mean_average_recall`` and
            ``coco_map``; ``f1_low`` and ``f1_high``, F1's 95 % interval (float64). Thresholds are those of the whole
            test set.

        Raises
        ------
        InputError
            If the test images have no such column, it is not known for any of them, or it has more than 500 values.
        """
        return slice_table(self.applied, self.images, column)

    def by_box_size(self) -> pd.DataFrame:
        """Return how well a detector finds small, medium and large boxes.

        Returns
        -------
        DataFrame
            One row a label and size: ``label`` (str, NaN in the first rows: all labels), ``size`` (str: "small" below
            32² pixels, "medium" below 96², "large") of the true box, of a false positive of the predicted one;
            ``tp``, ``fp`` and ``fn`` (int64); ``precision`` and ``recall`` (float64).

        Raises
        ------
        InputError
            If no boxes were evaluated.
        """
        if not isinstance(self.outcomes, Boxes):
            raise InputError(f"There are no boxes: task={self.task!r} was evaluated, sizes are a detector's.")
        return by_box_size(self.outcomes, self.applied.accepted())

    @cached_property
    def advice(self) -> Advice:
        """What would help most, the strongest first; see :func:`customlabels_nb.evaluation.advice.advise`."""
        return self._advise()

    def _advise(self, **known: Any) -> Advice:
        from customlabels_nb.evaluation.advice import advise

        return advise(
            self.applied,
            summary=self._summary,
            per_label=self._per_label,
            per_image=self._per_image,
            labels=self.labels,
            **known,
        )


def evaluate(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | str | None = None,
    task: str | None = None,
    iou_threshold: float = 0.5,
    random_state: int = 0,
) -> Evaluation:
    """Compare the tables of truth and predictions; arguments and errors are those of ``customlabels_nb.evaluate``."""
    if isinstance(thresholds, str) and thresholds == "best":
        thresholds = None
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise InputError(f"random_state={random_state!r} is no seed; give a whole number from 0 up.")
    outcomes = make_outcomes(truth, predictions, images, labels=labels, task=task, iou_threshold=iou_threshold)
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
        notes=evaluation_notes(outcomes, per_label, thresholds),
    )


def make_outcomes(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    task: str | None = None,
    iou_threshold: float = 0.5,
) -> Outcomes:
    """Truth and predictions as boxes or scores; the arguments are those of
    :func:`customlabels_nb.evaluation.evaluate`.

    Raises
    ------
    InputError, TableError, LabelError, NotEnoughDataError
        See :func:`customlabels_nb.evaluation.boxes.make_boxes` and
        :func:`customlabels_nb.evaluation.scores.make_scores`.
    """
    if task is None:
        task = task_of(truth, predictions)
    if task not in TASKS:
        raise InputError(f"task={task!r} can't be evaluated; use one of {', '.join(TASKS)}, or None.")
    check_iou_threshold(iou_threshold)
    if task == DETECTION:
        return make_boxes(truth, predictions, images, labels=labels, iou_threshold=iou_threshold)
    return make_scores(truth, predictions, images, labels=labels, task=task)


def task_of(truth: pd.DataFrame, predictions: pd.DataFrame) -> str:
    """The task of two tables, which are checked later.

    "detection" if one of them holds a box, otherwise "single-label" if no image has two labels in truth, otherwise
    "multi-label".
    """
    if has_boxes(truth) or has_boxes(predictions):
        return DETECTION
    columns = list(truth.columns) if isinstance(truth, pd.DataFrame) else []
    if columns.count("image") != 1 or columns.count("label") != 1:
        return SINGLE_LABEL
    labelled = truth.loc[truth["label"].notna(), ["image", "label"]]
    labelled = labelled[labelled["image"].astype("str").duplicated(keep=False)].astype("str").drop_duplicates()
    return MULTI_LABEL if labelled["image"].duplicated().any() else SINGLE_LABEL


def evaluation_notes(
    outcomes: Outcomes, per_label: pd.DataFrame, given: float | Mapping[str, float] | str | None
) -> list[str]:
    """The sentences, in order.

    Parameters
    ----------
    outcomes : Outcomes
    per_label : DataFrame
        See :func:`customlabels_nb.evaluation.metrics.per_label_table`.
    given : number, dict, str or None
        The thresholds that were asked for.
    """
    found = [*_about_thresholds(outcomes, given)]
    if isinstance(outcomes, Boxes):
        found += _about_matching(outcomes)
    found += [sentence[0].upper() + sentence[1:] for sentence in _about_labels(outcomes, per_label)]
    found += _about_images(outcomes)
    tested = outcomes.in_test_set
    mistakes = per_label["fp"].to_numpy()[tested].any() or per_label["fn"].any()
    if len(outcomes.images) <= 300 and tested.any() and not mistakes:
        most = min(99, round(300 / len(outcomes.images)))  # the rule of three
        found.append(
            "No mistake was made, so the intervals have no width; but so few test images can't rule out that up to "
            f"about {most} % of new images go wrong."
        )
    return found


def _about_thresholds(outcomes: Outcomes, given: float | Mapping[str, float] | str | None) -> Iterator[str]:
    if given is None or (isinstance(given, Mapping) and len(given) < len(outcomes.labels)):
        yield (
            "Thresholds were chosen on this very test set, where each label's F1 is highest: "
            "expect slightly lower figures on new images."
        )
    elif given == "cross-validated":
        yield (
            "Thresholds were cross-validated: for each fifth of the test images they were chosen on the other four, so "
            "no image had a say in the thresholds that it is judged by, and these figures are the honest ones. Each "
            "label's threshold shown is the mean of the five."
        )
        once = outcomes.test_images == 1
        if once.any():
            names = _listed(list(np.array(outcomes.labels, dtype=object)[once]))
            yield f"Only one test image has {names}: its threshold there comes from the other labels."


def _about_labels(outcomes: Outcomes, per_label: pd.DataFrame) -> Iterator[str]:
    names, tested, known = np.array(outcomes.labels, dtype=object), outcomes.in_test_set, outcomes.known
    tp, fp = per_label["tp"].to_numpy(), per_label["fp"].to_numpy()
    unknown = "the predictions don't know {}: all test images with it count as missed."
    if isinstance(outcomes, Boxes):
        unknown = "nothing was predicted as {}: all its boxes count as missed."
    for which, text in (
        (~tested, "no test image has {}: listed, but not part of the means."),
        (~known, unknown),
        (tested & known & (tp + fp == 0), "nothing reaches the threshold of {}: precision and F1 are 0/0, shown as 0."),
        (tested & known & (tp == 0) & (fp > 0), "no prediction of {} is right: F1 is 0/0, shown as 0."),
    ):
        if which.any():
            yield text.format(_listed(list(names[which])))


def _about_images(outcomes: Outcomes) -> Iterator[str]:
    silent, one, all_of_it = ~outcomes.answered, "label", "labels"
    if isinstance(outcomes, Boxes):
        silent, one, all_of_it = silent & ~outcomes.bare, "box", "boxes"
    for number, text in (
        (int(silent.sum()), f"test images have no predictions; their {all_of_it} count as missed."),
        (int(outcomes.bare.sum()), f"test images have no {one}; a prediction there is a false positive."),
    ):
        if number:
            yield f"{number} of {len(outcomes.images)} {text}"
    if not (outcomes.answered & ~outcomes.bare).any() and outcomes.answered.any() and not outcomes.bare.all():
        yield (
            f"No image has both {all_of_it} and predictions: look whether the column 'image' names them alike in truth "
            "and predictions."
        )
    if outcomes.left_out:
        yield f"Left out, as they are no test images: {outcomes.left_out} images of truth or predictions."


def _about_matching(boxes: Boxes) -> Iterator[str]:
    if boxes.iou_threshold != 0.5:
        yield (
            f"Boxes match from an IoU of {boxes.iou_threshold:g} up, and all figures but COCO's own mAP are of that; "
            "usual is 0.5."
        )
    unboxed = [f"{number} of the rows of {name}" for name, number in boxes.left_out_rows.items() if number]
    if unboxed:
        yield f"Left out, as they have no box: {' and '.join(unboxed)}."
    crowds, flat = int(boxes.truth_crowd.sum()), int((boxes.truth_box[:, 2:] == 0).any(axis=1).sum())
    if crowds:
        yield f"Boxes around crowds: {crowds}. They aren't to be found; a prediction on one is neither right nor wrong."
    if flat:
        yield f"True boxes without width or height: {flat}. Nothing can match them, so they count as missed."


def _listed(names: list[str]) -> str:
    text = ", ".join(names[:_LISTED])
    return f"{text} and {len(names) - _LISTED} more labels" if len(names) > _LISTED else text
