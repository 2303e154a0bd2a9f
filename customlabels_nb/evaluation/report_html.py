"""An evaluation as HTML for a notebook's output: static, small, right on light and dark ground.

Names of labels, models and images are anybody's text: all of it is escaped, and isolated so that a name written
from right to left doesn't turn its neighbours around.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import pandas as pd

from customlabels_nb._utils.text import escaped
from customlabels_nb.evaluation.confusion import matrix_html
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.evaluation.page import body, name_html, page
from customlabels_nb.evaluation.report_text import headline, number_of_images
from customlabels_nb.evaluation.result import Evaluation

#: Of more labels than these, so many are shown: half of them the best, half the worst.
MOST_LABELS = 100

_COLUMNS = {"f1": "F1", "precision": "precision", "recall": "recall", "threshold": "threshold", "test_images": "test"}
_BOX_COLUMNS = {"boxes": "boxes", "average_precision": "AP"}
_COUNTS = ("test_images", "boxes")
_ALWAYS = ("threshold", "test_images", "boxes")  # also of a label that no test image has


def evaluation_html(evaluation: Evaluation, *, name: str, details: Mapping[str, object]) -> str:
    """The whole report: head, table of labels, confusion matrix, notes."""
    parts = per_label_html(evaluation) + matrix_html(evaluation.confusion_matrix)
    notes = [*evaluation.notes, *(f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in details.items())]
    return page(head_html(evaluation, name=name), body(parts), _list(notes))


def head_html(evaluation: Evaluation, *, name: str) -> str:
    """Name, number of test images and the figures that come first in one line."""
    metrics = []
    for number, head in enumerate(headline(evaluation)):
        value = f"{head.value:.3f}" if number else f"<b>{head.value:.3f}</b>"
        interval = f" {head.interval}" if head.interval else ""
        metrics.append(f'<span title="{escaped(head.meaning)}">{head.name} {value}{interval}</span>')
    line = " · ".join([number_of_images(evaluation), *metrics])
    return f'<div class="clnb-head"><b><bdi>{escaped(name)}</bdi></b><span class="clnb-dim">{line}</span></div>'


def per_label_html(evaluation: Evaluation) -> str:
    """The table of labels, highest F1 first; of very many, the first and the last."""
    colours = dict(zip(evaluation.labels["label"], evaluation.labels["colour"], strict=True))
    table = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")
    columns = {**_COLUMNS, **(_BOX_COLUMNS if evaluation.task == DETECTION else {})}
    table["boxes"] = table["tp"] + table["fn"]
    rows = [_label_row(row, colours[row["label"]], columns) for _, row in _ends(table).iterrows()]
    if len(table) > MOST_LABELS:
        more = f"… {len(table) - MOST_LABELS:,} more labels in .per_label …"
        middle = f'<tr><td class="clnb-dim" colspan="{len(columns) + 2}">{more}</td></tr>'
        rows.insert(MOST_LABELS // 2, middle)
    heads = "".join(f'<th scope="col">{head}</th>' for head in (*columns.values(), ""))
    return (
        '<div class="clnb-scroll"><table class="clnb-labels"><thead><tr><th scope="col">label</th>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    half = MOST_LABELS // 2
    return table if len(table) <= MOST_LABELS else pd.concat([table.head(half), table.tail(half)])


def _label_row(row: pd.Series, colour: str, columns: Iterable[str]) -> str:
    tested = row["test_images"] > 0
    metrics = "".join(f"<td>{_metric(row, column) if tested or column in _ALWAYS else '—'}</td>" for column in columns)
    bar = f'<span class="clnb-bar"><i style="width:{100 * row["f1"]:.1f}%;background:{colour}"></i></span>'
    return (
        f'<tr><td><span class="clnb-swatch" style="background:{colour}"></span>{name_html(row["label"])}</td>{metrics}'
        f"<td>{bar if tested else ''}</td></tr>"
    )


def _metric(row: pd.Series, column: str) -> str:
    return f"{row[column]:,}" if column in _COUNTS else f"{row[column]:.3f}"


def _list(sentences: Iterable[str]) -> str:
    items = "".join(f"<li><bdi>{escaped(sentence)}</bdi></li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _shown(value: object) -> str:
    """A detail as a reader wants it: moments to the minute."""
    return f"{value:%Y-%m-%d %H:%M %Z}".strip() if isinstance(value, datetime) else str(value)
