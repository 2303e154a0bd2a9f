"""An evaluation as HTML for a notebook's output: static, small, right on light and dark ground.

Names of labels, models and images are anybody's text: all of it is escaped, and isolated so that a name written
from right to left doesn't turn its neighbours around.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import escaped
from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.text import headline, number_of_images

#: Matrices of more labels are shown as a list of their largest confusions.
LARGEST_MATRIX = 20
MOST_CONFUSIONS = 10
#: Of more labels, so many are shown: half of them the best, half the worst.
MOST_LABELS = 100

_COLUMNS = {"f1": "F1", "precision": "precision", "recall": "recall", "threshold": "threshold", "test_images": "test"}
_BOX_COLUMNS = {"boxes": "boxes", "average_precision": "AP"}
_COUNTS = ("test_images", "boxes")
_ALWAYS = ("threshold", "test_images", "boxes")  # also of a label that no test image has

# The doubled class outranks the notebook's own rules for tables; where its variables aren't known, text and
# ground are inherited and lines are a translucent grey.
_STYLE = """
.clnb-report.clnb-report { font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-ui-font-color1, inherit); border: 1px solid var(--jp-border-color2, #8884); border-radius: 6px;
  max-width: 1120px; overflow: hidden; font-variant-numeric: tabular-nums; }
.clnb-report.clnb-report .clnb-head { display: flex; flex-wrap: wrap; gap: 0 10px; padding: 8px 12px;
  border-bottom: 1px solid var(--jp-border-color2, #8884); }
.clnb-report.clnb-report .clnb-dim { color: var(--jp-ui-font-color2, inherit); }
.clnb-report.clnb-report .clnb-head .clnb-dim b { color: var(--jp-ui-font-color1, inherit); }
.clnb-report.clnb-report .clnb-body { display: flex; flex-wrap: wrap; gap: 16px 24px; padding: 12px;
  align-items: flex-start; }
.clnb-report.clnb-report .clnb-scroll { overflow: auto; max-height: 480px; max-width: 100%; }
.clnb-report.clnb-report .clnb-whole { max-height: none; }
.clnb-report.clnb-report table { border-collapse: separate; border-spacing: 0; margin: 0; table-layout: auto;
  font-size: inherit; color: inherit; border: 0; }
.clnb-report.clnb-report tbody tr:nth-child(n) { background: none; }
.clnb-report.clnb-report th, .clnb-report.clnb-report td { border: 0; padding: 5px 7px; text-align: right;
  background: none; white-space: nowrap; font-weight: normal; vertical-align: middle; line-height: 1.3; }
.clnb-report.clnb-report thead th { color: var(--jp-ui-font-color2, inherit); font-weight: 600; }
.clnb-report.clnb-report .clnb-labels td, .clnb-report.clnb-report .clnb-labels th {
  border-bottom: 1px solid var(--jp-border-color2, #8884); }
.clnb-report.clnb-report .clnb-labels tr > :first-child,
.clnb-report.clnb-report .clnb-text { text-align: left; }
.clnb-report.clnb-report .clnb-name { display: inline-block; max-width: 200px; overflow: hidden;
  text-overflow: ellipsis; vertical-align: bottom; }
.clnb-report.clnb-report .clnb-swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px;
  margin-right: 7px; }
.clnb-report.clnb-report .clnb-bar { display: block; width: 60px; height: 6px; border-radius: 3px;
  background: #8883; overflow: hidden; }
.clnb-report.clnb-report .clnb-bar i { display: block; height: 100%; border-radius: 3px; }
.clnb-report.clnb-report .clnb-matrix { border-spacing: 2px; }
.clnb-report.clnb-report .clnb-matrix td { min-width: 32px; height: 34px; padding: 0 4px; text-align: center;
  border-radius: 3px; background-color: #8881; }
.clnb-report.clnb-report .clnb-matrix thead th { text-align: center; font-weight: normal; }
.clnb-report.clnb-report .clnb-matrix .clnb-name { max-width: 96px; }
.clnb-report.clnb-report .clnb-steep thead th { vertical-align: bottom; padding: 4px 0; }
.clnb-report.clnb-report .clnb-steep thead .clnb-name { writing-mode: vertical-rl; transform: rotate(180deg);
  max-width: none; max-height: 96px; vertical-align: bottom; }
.clnb-report.clnb-report caption { caption-side: bottom; text-align: left; white-space: nowrap; padding: 4px 0 0;
  font-size: 12px; color: var(--jp-ui-font-color2, inherit); }
.clnb-report.clnb-report ul { margin: 0; padding: 8px 12px 8px 28px; font-size: 12px;
  color: var(--jp-ui-font-color2, inherit); border-top: 1px solid var(--jp-border-color2, #8884); }
.clnb-report.clnb-report li { overflow-wrap: anywhere; }
"""


def evaluation_html(evaluation: Evaluation, *, name: str, details: Mapping[str, object]) -> str:
    """The whole report: head, table of labels, confusion matrix, notes."""
    body = per_label_html(evaluation) + confusion_html(evaluation.confusion_matrix)
    notes = [*evaluation.notes, *(f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in details.items())]
    return _page(head_html(evaluation, name=name), _body(body), _list(notes))


def matrix_page(matrix: ConfusionMatrix) -> str:
    """The matrix alone."""
    return _page(_body(confusion_html(matrix)))


def head_html(evaluation: Evaluation, *, name: str) -> str:
    """Name, number of test images and the figures that come first in one line."""
    figures = []
    for number, head in enumerate(headline(evaluation)):
        value = f"{head.value:.3f}" if number else f"<b>{head.value:.3f}</b>"
        interval = f" {head.interval}" if head.interval else ""
        figures.append(f'<span title="{escaped(head.meaning)}">{head.name} {value}{interval}</span>')
    line = " · ".join([number_of_images(evaluation), *figures])
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


def confusion_html(matrix: ConfusionMatrix) -> str:
    """The matrix as a table of counts; of more than 20 labels, its largest confusions."""
    names = matrix.labels
    if len(names) - matrix.background > LARGEST_MATRIX:
        return _confusions_html(matrix)
    shares = matrix.values("truth")
    last = len(names) - 1 if matrix.background else len(names)  # where no label stands
    steep = " clnb-steep" if last > 5 else ""
    shown = [_name(label) if n != last else f"<i>{_name(label)}</i>" for n, label in enumerate(names)]
    heads = "".join(f'<th scope="col">{name}</th>' for name in shown)
    rows = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(_cell(int(matrix.counts[p, g]), float(shares[p, g]), p == g) for g in range(len(names)))
        + "</tr>"
        for p, name in enumerate(shown)
    )
    caption = "rows predicted, columns ground truth"
    if matrix.multi_label:
        caption += ";<br/>red: images where the column's label is missed and the row's is predicted wrongly"
    if matrix.most_confident:
        caption += ";<br/>each image under its most confident label, whatever the threshold"
    if matrix.background:
        caption = f"boxes: {caption};<br/>{_name(names[last])}: where the other has no box"
    return (
        f'<div class="clnb-scroll clnb-whole"><table class="clnb-matrix{steep}"><caption>{caption}</caption>'
        f'<thead><tr><td style="background:none"></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _confusions_html(matrix: ConfusionMatrix) -> str:
    table = matrix.confusions()
    if matrix.background:  # what is missed or seen where nothing is, the table of labels tells
        table = table[(table["truth"] != matrix.labels[-1]) & (table["predicted"] != matrix.labels[-1])]
    if table.empty:
        return '<div class="clnb-dim">No label is taken for another.</div>'
    rows = "".join(
        f'<tr><td>{_name(row.truth)}</td><td class="clnb-text">{_name(row.predicted)}</td>'
        f"<td>{row.count}</td><td>{row.share:.3f}</td></tr>"
        for row in table.head(MOST_CONFUSIONS).itertuples(name="Confusion", index=False)
    )
    heads = (
        '<th scope="col">ground truth</th><th scope="col" class="clnb-text">taken for</th>'
        f'<th scope="col">{"boxes" if matrix.background else "images"}</th><th scope="col">share</th>'
    )
    return (
        f'<div class="clnb-scroll"><table class="clnb-labels"><caption>largest of {len(table)} confusions; '
        f"confusion_matrix.plot() draws all</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    half = MOST_LABELS // 2
    return table if len(table) <= MOST_LABELS else pd.concat([table.head(half), table.tail(half)])


def _label_row(row: pd.Series, colour: str, columns: Iterable[str]) -> str:
    tested = row["test_images"] > 0
    figures = "".join(f"<td>{_figure(row, column) if tested or column in _ALWAYS else '—'}</td>" for column in columns)
    bar = f'<span class="clnb-bar"><i style="width:{100 * row["f1"]:.1f}%;background:{colour}"></i></span>'
    return (
        f'<tr><td><span class="clnb-swatch" style="background:{colour}"></span>{_name(row["label"])}</td>{figures}'
        f"<td>{bar if tested else ''}</td></tr>"
    )


def _figure(row: pd.Series, column: str) -> str:
    return f"{row[column]:,}" if column in _COUNTS else f"{row[column]:.3f}"


def _cell(count: int, share: float, right: bool) -> str:
    if not count:
        return '<td class="clnb-dim">·</td>'
    strength = 0.15 + 0.6 * float(np.clip(share, 0, 1))
    ground = f"rgba(47,127,193,{strength:.2f})" if right else f"rgba(210,70,60,{strength:.2f})"
    text = f"<b>{count}</b>" if right else str(count)
    return f'<td style="background-color:{ground}" title="{share:.3f} of the column">{text}</td>'


def _page(*parts: str) -> str:
    # Jupyter's MathJax 3 and others' MathJax 2 would typeset what stands between dollars
    return f'<div class="clnb-report mathjax_ignore tex2jax_ignore"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _body(content: str) -> str:
    return f'<div class="clnb-body">{content}</div>'


def _name(label: object) -> str:
    text = escaped(str(label))
    return f'<bdi class="clnb-name" title="{text}">{text}</bdi>'


def _list(sentences: Iterable[str]) -> str:
    items = "".join(f"<li><bdi>{escaped(sentence)}</bdi></li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _shown(value: object) -> str:
    """A detail as a reader wants it: moments to the minute."""
    return f"{value:%Y-%m-%d %H:%M %Z}".strip() if isinstance(value, datetime) else str(value)
