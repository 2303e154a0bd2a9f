"""An evaluation as plain text, for terminals and logs."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from customlabels_nb._utils.text import printable
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.evaluation.result import Evaluation

_METRICS = {
    "f1": ("F1", "mean over the labels, with its 95 % interval"),
    "precision": ("precision", "mean over the labels"),
    "recall": ("recall", "mean over the labels"),
}
_DETECTION_METRICS = {
    "mean_average_precision": ("mAP", "mean over the labels of the average precision at the overlap chosen"),
    "mean_average_recall": ("mAR", "mean over the labels of the highest recall at the overlap chosen"),
    "coco_map": ("COCO mAP", "mean of mAP at the overlaps 0.50, 0.55, … 0.95"),
}


def evaluation_text(evaluation: Evaluation, *, name: str) -> str:
    """Head line, table of labels with the highest F1 first, notes."""
    metrics = (f"{head.name} {head.value:.3f}{head.interval and f' {head.interval}'}" for head in headline(evaluation))
    head = f"{name}: {number_of_images(evaluation)}, {', '.join(metrics)}"
    columns = ["label", "f1", "precision", "recall", "threshold", "test_images"]
    if evaluation.task == DETECTION:
        columns.insert(4, "average_precision")
    table = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")[columns]
    body = table.to_string(index=False, max_rows=40, max_colwidth=40, float_format="{:.3f}".format)
    return printable("\n".join([head, "", body, *(["", *evaluation.notes] if evaluation.notes else [])]))


class Headline(NamedTuple):
    """A figure at the head of an evaluation; the interval is empty where there is none."""

    name: str
    meaning: str
    value: float
    interval: str


def headline(evaluation: Evaluation) -> list[Headline]:
    """The figures that come first, F1 with its 95 % interval."""
    rows = evaluation.summary.set_index("figure")
    names = {**_METRICS, **(_DETECTION_METRICS if evaluation.task == DETECTION else {})}
    low, high = rows.loc["f1", ["low", "high"]]
    found = {"f1": "" if pd.isna(low) else f"[{low:.2f}, {high:.2f}]"}
    return [
        Headline(name, meaning, float(rows.loc[metric, "value"]), found.get(metric, ""))
        for metric, (name, meaning) in names.items()
    ]


def number_of_images(evaluation: Evaluation) -> str:
    """``27 test images``."""
    count = len(evaluation.outcomes.images)
    return f"{count:,} test image{'' if count == 1 else 's'}"
