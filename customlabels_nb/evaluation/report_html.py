"""Write an evaluation as HTML for a notebook's output."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.evaluation.report_text import headline, number_of_images
from customlabels_nb.evaluation.result import Evaluation

#: Of more labels than these, so many are shown: half of them the best, half the worst.
MOST_LABELS = 100

_COLUMNS = {"f1": "F1", "precision": "precision", "recall": "recall", "threshold": "threshold", "test_images": "test"}
_BOX_COLUMNS = {"boxes": "boxes", "average_precision": "AP"}
_COUNTS = ("test_images", "boxes")
_ALWAYS = ("threshold", "test_images", "boxes")  # also of a label that no test image has


def evaluation_html(evaluation: Evaluation, *, name: str, details: Mapping[str, object]) -> str:
    """Write the whole report: head, table of labels with the highest F1 first, confusion matrix, notes."""
    columns = {**_COLUMNS, **(_BOX_COLUMNS if evaluation.task == DETECTION else {})}
    table = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")
    table["boxes"] = table["tp"] + table["fn"]
    table["colour"] = table["label"].map(evaluation.labels.set_index("label")["colour"])
    table = table.astype(dict.fromkeys(columns, object))
    table.loc[table["test_images"] == 0, [column for column in columns if column not in _ALWAYS]] = None
    half = MOST_LABELS // 2
    shown = table if len(table) <= MOST_LABELS else pd.concat([table.head(half), table.tail(half)])
    return render(
        "evaluation.html",
        title=name,
        images=number_of_images(evaluation),
        headline=headline(evaluation),
        columns=columns,
        counts=_COUNTS,
        rows=shown.to_dict("records"),
        more=len(table) - len(shown),
        matrix=evaluation.confusion_matrix,
        sentences=[*evaluation.notes, *(f"{key.replace('_', ' ')}: {_shown(details[key])}" for key in details)],
    )


def _shown(value: object) -> str:
    """Return a detail as text: times to the minute."""
    return f"{value:%Y-%m-%d %H:%M %Z}".strip() if isinstance(value, datetime) else str(value)
