"""Ground truth and predictions of an evaluation as tables, and what changes with another ground truth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd

from customlabels_nb.core.polygons import rings_of
from customlabels_nb.core.tables import BOX_COLUMNS, DRAWN_TASKS, POLYGONS, TEXT
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.cross_validation import rule_of
from customlabels_nb.evaluation.input_tables import boxed_rows
from customlabels_nb.evaluation.matching import IOU_THRESHOLD
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.result import Evaluation, evaluate
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholded import Thresholded

_PAIR = ["image", "label"]
_SHAPE = [*_PAIR, *BOX_COLUMNS, "crowd", "polygon"]


def tables_of(outcomes: Outcomes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Convert outcomes back to tables of ground truth and predictions."""
    if isinstance(outcomes, Scores):
        (row, column), predicted = np.nonzero(outcomes.truth), np.nonzero(outcomes.given)
        rows = _rows(outcomes, predicted[0], predicted[1]).assign(confidence=outcomes.confidence[predicted])
        return _rows(outcomes, row, column), rows
    assert isinstance(outcomes, Boxes)
    truth = _rows(outcomes, outcomes.truth_image, outcomes.truth_label, outcomes.truth_box)
    predictions = _rows(outcomes, outcomes.image, outcomes.label, outcomes.box)
    truth, predictions = truth.assign(crowd=outcomes.truth_crowd), predictions.assign(confidence=outcomes.confidence)
    if outcomes.masks is not None:
        truth["polygon"] = pd.Series(outcomes.masks.truth_polygon, dtype=object)
        predictions["polygon"] = pd.Series(outcomes.masks.polygon, dtype=object)
    return truth, predictions


def predictions_of(applied: Thresholded) -> pd.DataFrame:
    """Return the table of predictions with a column ``accepted``: whether they are answers."""
    accepted = applied.accepted()
    if isinstance(applied.outcomes, Scores):
        accepted = accepted[np.nonzero(applied.outcomes.given)]
    return tables_of(applied.outcomes)[1].assign(accepted=accepted)


def judged_by(evaluation: Evaluation, truth: pd.DataFrame, images: Collection[str]) -> Evaluation:
    """Evaluate again with the ground truth of some images replaced, by the same decision.

    Assumed thresholds are chosen again. The model is not run.
    """
    outcomes = evaluation.outcomes
    before, predictions = tables_of(outcomes)
    truth = pd.concat([before[~before["image"].isin(images)], truth[truth["image"].isin(images)]], ignore_index=True)
    occurring = {*truth["label"], *predictions["label"]}  # a corrected label may be gone
    rule = rule_of(evaluation.applied)
    if isinstance(rule, dict):
        rule = {label: value for label, value in rule.items() if label in occurring}
    return evaluate(
        truth,
        predictions,
        evaluation.images,
        labels=evaluation.labels,
        thresholds=rule,
        task=evaluation.task,
        iou_threshold=outcomes.iou_threshold if isinstance(outcomes, Boxes) else IOU_THRESHOLD,
        max_boxes=outcomes.max_boxes if isinstance(outcomes, Boxes) else None,
    )


def changed_images(
    evaluation: Evaluation,
    images: Iterable[str],
    truth: pd.DataFrame,
    left_out: Iterable[str] = (),
    *,
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """List the test images whose ground truth has changed.

    These are images of ``images`` whose rows in ``truth`` differ, and all of ``left_out``. ``names`` are today's names
    of the labels of the evaluation.
    """
    tested: list[str] = evaluation.outcomes.images.tolist()
    before, _ = tables_of(evaluation.outcomes)
    if names:
        before = before.assign(label=before["label"].map(lambda label: names.get(label, label)))
    usable = set(images) & set(tested)
    sides = (rows[rows["image"].isin(usable)] for rows in (before, truth))
    changed = {*differing_truth(evaluation.task, *sides)["image"], *left_out}
    return [name for name in tested if name in changed]


def differing_truth(task: str, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """List the ``image`` and ``label`` of the pairs whose labels or shapes differ, of those that the task uses."""
    counts = []
    for rows in (before, after):
        used = _used_by(task, rows)
        counts.append(used.groupby(list(used.columns), dropna=False, sort=False).size())
    both = pd.concat(counts, axis=1).fillna(0)
    differ = both[both.iloc[:, 0] != both.iloc[:, 1]].index.to_frame(index=False)
    return differ.reindex(columns=_PAIR).drop_duplicates(ignore_index=True).astype(TEXT)


def _used_by(task: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each label of an image, or for each box with rounded sides, as outlines in text."""
    if task not in DRAWN_TASKS:
        return rows[_PAIR].dropna().drop_duplicates().astype(object)
    rows = rows[[name for name in _SHAPE if name in rows.columns]]
    rows = rows.astype(dict.fromkeys(BOX_COLUMNS, "float64"))
    is_drawn = rows["left"].notna() | (rows["polygon"].notna() if "polygon" in rows else False)
    rows = rows[is_drawn & rows["label"].notna()]
    crowd = rows["crowd"].astype("boolean").fillna(False).astype(bool) if "crowd" in rows else False
    drawn = boxed_rows(rows.assign(crowd=crowd), "truth")
    table = pd.DataFrame({name: rows[name].to_numpy(dtype=object) for name in _PAIR})
    table = table.assign(crowd=np.asarray(crowd), **dict(zip(BOX_COLUMNS, drawn.box.round(3).T, strict=True)))
    if task == POLYGONS:
        table["polygon"] = [str([ring.round(3).tolist() for ring in rings_of(polygon)]) for polygon in drawn.polygon]
    return table


def _rows(outcomes: Outcomes, image: IntArray, label: IntArray, box: FloatArray | None = None) -> pd.DataFrame:
    names = np.array(outcomes.labels, dtype=object)
    table = pd.DataFrame({"image": outcomes.images[image], "label": names[label]})
    return table if box is None else table.assign(**dict(zip(BOX_COLUMNS, box.T, strict=True)))
