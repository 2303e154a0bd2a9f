"""The same predictions judged by another truth: what was put right since the evaluation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.box_tables import boxed_rows
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.evaluation.result import Evaluation, evaluate
from customlabels_nb.evaluation.scores import Scores

_TRUTH = ["image", "label", *BOX_COLUMNS, "crowd", "polygon"]


def tables_of(outcomes: Outcomes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Truth and predictions as tables, from which the same outcomes are made again."""
    if isinstance(outcomes, Scores):
        (row, column), given = np.nonzero(outcomes.truth), np.nonzero(outcomes.given)
        said = _rows(outcomes, given[0], given[1]).assign(confidence=outcomes.confidence[given])
        return _rows(outcomes, row, column), said
    assert isinstance(outcomes, Boxes)
    truth = _rows(outcomes, outcomes.truth_image, outcomes.truth_label, outcomes.truth_box)
    predictions = _rows(outcomes, outcomes.image, outcomes.label, outcomes.box)
    return truth.assign(crowd=outcomes.truth_crowd), predictions.assign(confidence=outcomes.confidence)


def judged_by(evaluation: Evaluation, images: Iterable[str], truth: pd.DataFrame) -> Evaluation:
    """The evaluation with the truth of some of its images replaced; no model is run.

    Thresholds are chosen as they were: assumed ones anew, on the truth as it is now.

    Parameters
    ----------
    evaluation : Evaluation
    images : iterable of str
        Images whose truth is known now; those that aren't test images of the evaluation are left aside, as are test
        images that aren't named: their truth stays.
    truth : DataFrame
        Their annotations: ``image``, ``label`` and, of boxes, the columns of boxes.

    Raises
    ------
    TableError
        If an image of a single-label task has two labels now.
    """
    from customlabels_nb.evaluation.exploring.position import ASSUMED, position_of

    outcomes = evaluation.outcomes
    before, predictions = tables_of(outcomes)
    known, here = _usable(evaluation, images, truth)
    position = position_of(evaluation)
    return evaluate(
        pd.concat([before[~before["image"].isin(known)], here], ignore_index=True),
        predictions,
        evaluation.images,
        labels=evaluation.labels,
        thresholds=None if position.mode == ASSUMED else _thresholds(evaluation, position.mode),
        task=evaluation.task,
        iou_threshold=outcomes.iou_threshold if isinstance(outcomes, Boxes) else 0.5,
    )


def changed_images(evaluation: Evaluation, images: Iterable[str], truth: pd.DataFrame) -> list[str]:
    """Test images whose truth is another one now; the arguments are those of :func:`judged_by`."""
    before, _ = tables_of(evaluation.outcomes)
    known, here = _usable(evaluation, images, truth)
    said = [_by_image(before[before["image"].isin(known)]), _by_image(here)]
    names: list[str] = evaluation.outcomes.images.tolist()
    return [name for name in names if said[0].get(name) != said[1].get(name)]


def _usable(evaluation: Evaluation, images: Iterable[str], truth: pd.DataFrame) -> tuple[set[str], pd.DataFrame]:
    """The test images among these, and the rows of their truth that the task is about."""
    known = set(images) & set(evaluation.outcomes.images.tolist())
    here = truth[truth["image"].isin(known)]
    if isinstance(evaluation.outcomes, Scores):
        return known, here[["image", "label"]].dropna().drop_duplicates()
    here = here[[name for name in _TRUTH if name in here.columns]]
    drawn = here["left"].notna()
    if "polygon" in here.columns:
        drawn = drawn | here["polygon"].notna()
    return known, here[drawn & here["label"].notna()]


def _by_image(rows: pd.DataFrame) -> dict[str, list[tuple[object, ...]]]:
    """What is true of each image, in one order."""
    if "left" not in rows.columns:
        table = rows[["image", "label"]]
    else:
        crowd = rows["crowd"].astype("boolean").fillna(False).astype(bool) if "crowd" in rows.columns else False
        box = boxed_rows(rows.assign(crowd=crowd), "truth").box.round(3)
        table = pd.DataFrame({"image": rows["image"].to_numpy(), "label": rows["label"].to_numpy()})
        table = table.assign(
            crowd=crowd if isinstance(crowd, bool) else crowd.to_numpy(), **dict(zip(BOX_COLUMNS, box.T, strict=True))
        )
    found: dict[str, list[tuple[object, ...]]] = {}
    for image, *rest in table.astype(object).itertuples(index=False, name=None):
        found.setdefault(str(image), []).append(tuple(rest))
    return {image: sorted(rows_, key=repr) for image, rows_ in found.items()}


def _thresholds(evaluation: Evaluation, mode: str) -> dict[str, float] | str:
    if mode == "cross-validated":
        return mode
    return dict(zip(evaluation.outcomes.labels, evaluation.thresholds.tolist(), strict=True))


def _rows(outcomes: Outcomes, image: IntArray, label: IntArray, box: FloatArray | None = None) -> pd.DataFrame:
    names = np.array(outcomes.labels, dtype=object)
    table = pd.DataFrame({"image": outcomes.images[image], "label": names[label]})
    return table if box is None else table.assign(**dict(zip(BOX_COLUMNS, box.T, strict=True)))
