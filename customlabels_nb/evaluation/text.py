"""An evaluation as plain text, for terminals and logs."""

from __future__ import annotations

import pandas as pd

from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.text import printable


def evaluation_text(evaluation: Evaluation, *, name: str) -> str:
    """Head line, table of labels with the highest F1 first, notes."""
    f1 = evaluation.summary[evaluation.summary["figure"] == "f1"].iloc[0]
    count = len(evaluation.scores.images)
    head = (
        f"{name}: {count} test image{'' if count == 1 else 's'}, F1 {f1['value']:.3f} {interval(f1)}, "
        f"precision {evaluation.figure('precision'):.3f}, recall {evaluation.figure('recall'):.3f}"
    )
    columns = ["label", "f1", "precision", "recall", "threshold", "test_images"]
    table = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")[columns]
    body = table.to_string(index=False, max_rows=40, max_colwidth=40, float_format="{:.3f}".format)
    return printable("\n".join([head, "", body, *(["", *evaluation.notes] if evaluation.notes else [])]))


def interval(row: pd.Series) -> str:
    """``low`` and ``high`` of a figure in brackets."""
    return f"[{row['low']:.2f}, {row['high']:.2f}]"
