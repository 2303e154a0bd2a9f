"""Write a confusion matrix as HTML, for the page of a report or one of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.page import name_html

#: Matrices of more labels are shown as a list of their largest confusions.
LARGEST_MATRIX = 20
MOST_CONFUSIONS = 10


def confusion_html(
    counts: IntArray,
    shares: FloatArray,
    labels: Sequence[str],
    confusions: pd.DataFrame,
    *,
    background: bool = False,
    multi_label: bool = False,
    most_confident: bool = False,
) -> str:
    """Write the matrix as a table of counts; of more than 20 labels, its largest confusions.

    Shares are those of the columns; for the rest see :class:`customlabels_nb.evaluation.confusion.ConfusionMatrix`.
    """
    if len(labels) - background > LARGEST_MATRIX:
        if background:  # what is missed or seen where nothing is, the table of labels tells
            confusions = confusions[(confusions["truth"] != labels[-1]) & (confusions["predicted"] != labels[-1])]
        return _confusions_html(confusions, "boxes" if background else "images")
    last = len(labels) - 1 if background else len(labels)  # where no label stands
    steep = " clnb-steep" if last > 5 else ""
    shown = [name_html(label) if n != last else f"<i>{name_html(label)}</i>" for n, label in enumerate(labels)]
    heads = "".join(f'<th scope="col">{name}</th>' for name in shown)
    rows = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(_cell(int(counts[p, g]), float(shares[p, g]), p == g) for g in range(len(labels)))
        + "</tr>"
        for p, name in enumerate(shown)
    )
    caption = "rows predicted, columns ground truth"
    if multi_label:
        caption += ";<br/>red: images where the column's label is missed and the row's is predicted wrongly"
    if most_confident:
        caption += ";<br/>each image under its most confident label, whatever the threshold"
    if background:
        caption = f"boxes: {caption};<br/>{name_html(labels[last])}: where the other has no box"
    return (
        f'<div class="clnb-scroll clnb-whole"><table class="clnb-matrix{steep}"><caption>{caption}</caption>'
        f'<thead><tr><td style="background:none"></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _confusions_html(table: pd.DataFrame, things: str) -> str:
    if table.empty:
        return '<div class="clnb-dim">No label is taken for another.</div>'
    rows = "".join(
        f'<tr><td>{name_html(row.truth)}</td><td class="clnb-text">{name_html(row.predicted)}</td>'
        f"<td>{row.count}</td><td>{row.share:.3f}</td></tr>"
        for row in table.head(MOST_CONFUSIONS).itertuples(name="Confusion", index=False)
    )
    heads = (
        '<th scope="col">ground truth</th><th scope="col" class="clnb-text">taken for</th>'
        f'<th scope="col">{things}</th><th scope="col">share</th>'
    )
    return (
        f'<div class="clnb-scroll"><table class="clnb-labels"><caption>largest of {len(table)} confusions; '
        f"confusion_matrix.plot() draws all</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(count: int, share: float, right: bool) -> str:
    if not count:
        return '<td class="clnb-dim">·</td>'
    strength = 0.15 + 0.6 * float(np.clip(share, 0, 1))
    ground = f"rgba(47,127,193,{strength:.2f})" if right else f"rgba(210,70,60,{strength:.2f})"
    text = f"<b>{count}</b>" if right else str(count)
    return f'<td style="background-color:{ground}" title="{share:.3f} of the column">{text}</td>'
