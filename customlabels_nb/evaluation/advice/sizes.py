"""Advice on boxes: those that lie badly, and sizes that are missed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from customlabels_nb.evaluation.advice.case import Case, listed
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.advice.mistakes import Mistakes
from customlabels_nb.evaluation.detector_metrics import SIZES

#: So many boxes that lie badly, as a share of all of a label, aren't single ones that were drawn carelessly.
MISPLACED_TIMES, MISPLACED_SHARE = 3, 0.1
#: From that overlap on a box lies badly; one with less of it beside a box that isn't found is another thing.
MISPLACED_IOU = 0.2
#: A size is missed if so many boxes of it are, its recall is lower by so much than that of the others, and both are so
#: many that the difference isn't chance.
SIZE_MISSED, SIZE_GAP, SIZE_BOXES = 3, 0.2, 5
_IN_WORDS = {
    "small": ("under 32 × 32 pixels", "take photos from nearer or cut large ones into parts"),
    "medium": ("32 × 32 to 96 × 96 pixels", "add some from other distances"),
    "large": ("from 96 × 96 pixels on", "add some from nearby"),
}


def misplaced_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Labels that are found, but whose boxes overlap the truth too little."""
    needed = getattr(case.outcomes, "iou_threshold", 0.5)
    found = mistakes.misplaced
    if found.empty:
        return
    missed = pd.MultiIndex.from_frame(case.misses[["image", "label"]])
    lacking = pd.MultiIndex.from_frame(found[["image", "predicted"]]).isin(missed)  # else it is a second one
    found = found[lacking & found["overlap"].between(MISPLACED_IOU, needed, inclusive="left")]
    targets = found["predicted"].map(dict(zip(case.labels, case.outcomes.targets.tolist(), strict=True)))
    times = found.groupby("predicted")["predicted"].transform("size")
    found = found[(times >= MISPLACED_TIMES) & (times >= MISPLACED_SHARE * targets)]
    if found.empty:
        return
    labels = tuple(found["predicted"].value_counts().index)
    which = listed(labels) + (" is found, but its" if len(labels) == 1 else " are found, but their")
    text = (
        f"{which} boxes lie badly {len(found):,} times: they share {found['overlap'].mean():.2f} of their area with "
        f"the true ones on average, where {needed:g} is asked for. Check that all boxes are drawn tightly and in the "
        "same way, in train and in test."
    )
    by = case.each(found["predicted"])
    images = found.sort_values("overlap", kind="stable", ignore_index=True)
    yield AdviceItem("misplaced", text, labels, images, case.look(), case.gain(tp=by, fp=-by, fn=-by))


def size_advice(case: Case) -> Iterator[AdviceItem]:
    """Sizes of boxes of which more are missed than of the others."""
    found, missed = _sizes_of(case.hits), _sizes_of(case.misses)
    for size, (extent, otherwise) in _IN_WORDS.items():
        lacking, here = int((missed == size).sum()), int((found == size).sum())
        targets = lacking + here
        others = len(found) + len(missed) - targets
        if lacking < SIZE_MISSED or targets < SIZE_BOXES or others < SIZE_BOXES:
            continue
        recall, elsewhere = here / targets, (len(found) - here) / others
        if elsewhere - recall < SIZE_GAP:
            continue
        rows = case.misses[(missed == size).to_numpy()]
        text = (
            f"{size.capitalize()} boxes ({extent}) are missed: {here:,} of {targets:,} are found, of the others "
            f"{len(found) - here:,} of {others:,}. Add training images with such boxes, or {otherwise}."
        )
        labels = tuple(label for label in case.labels if label in set(rows["label"]))
        truth = {"left": "truth_left", "top": "truth_top", "width": "truth_width", "height": "truth_height"}
        images = rows[["image", "label", "confidence"]].assign(**{name: rows[of] for name, of in truth.items()})
        by = np.floor(case.each(rows["label"]) * (elsewhere - recall) / max(1 - recall, 1e-9)).astype(np.int64)
        yield AdviceItem("box_size", text, labels, images.reset_index(drop=True), case.look(), case.gain(tp=by, fn=-by))


def _sizes_of(rows: pd.DataFrame) -> pd.Series:
    area = rows["truth_width"] * rows["truth_height"]
    names, edges = np.array(list(SIZES), dtype=object), list(SIZES.values())[1:]
    return pd.Series(names[np.digitize(area, edges)], index=rows.index)
