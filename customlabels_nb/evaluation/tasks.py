"""Which task two tables are of, and what is computed from."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.box_tables import has_boxes
from customlabels_nb.evaluation.boxes import make_boxes
from customlabels_nb.evaluation.matching import check_iou_threshold
from customlabels_nb.evaluation.outcomes import DETECTION, MULTI_LABEL, SINGLE_LABEL, TASKS, Outcomes
from customlabels_nb.evaluation.scores import make_scores


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
