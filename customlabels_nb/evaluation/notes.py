"""What a reader of an evaluation's figures has to know, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.outcomes import Outcomes


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


def _listed(names: list[str], most: int = 8) -> str:
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more labels" if len(names) > most else text
