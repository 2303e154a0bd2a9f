"""A comparison as HTML for a notebook's output: static, small, right on light and dark ground.

Names of labels, models and images are anybody's text: all of it is escaped and isolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from customlabels_nb._utils.text import escaped, one_line
from customlabels_nb.evaluation.comparison.sentences import LISTED, METRICS, certain, signed

_STYLE = """
.clnb-compare.clnb-compare { font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-ui-font-color1, inherit); border: 1px solid var(--jp-border-color2, #8884); border-radius: 6px;
  max-width: 1120px; overflow: hidden; font-variant-numeric: tabular-nums; }
.clnb-compare.clnb-compare .clnb-head { padding: 8px 12px; border-bottom: 1px solid var(--jp-border-color2, #8884); }
.clnb-compare.clnb-compare .clnb-dim { color: var(--jp-ui-font-color2, inherit); }
.clnb-compare.clnb-compare .clnb-body { display: flex; flex-wrap: wrap; gap: 16px 36px; padding: 12px;
  align-items: flex-start; }
.clnb-compare.clnb-compare .clnb-scroll { overflow: auto; max-height: 420px; max-width: 100%; }
.clnb-compare.clnb-compare table { border-collapse: separate; border-spacing: 0; margin: 0; table-layout: auto;
  font-size: inherit; color: inherit; border: 0; }
.clnb-compare.clnb-compare tbody tr:nth-child(n) { background: none; }
.clnb-compare.clnb-compare th, .clnb-compare.clnb-compare td { border: 0; padding: 4px 8px; text-align: right;
  background: none; white-space: nowrap; font-weight: normal; vertical-align: middle; line-height: 1.3;
  border-bottom: 1px solid var(--jp-border-color2, #8884); }
.clnb-compare.clnb-compare thead th { color: var(--jp-ui-font-color2, inherit); font-weight: 600; }
.clnb-compare.clnb-compare tr > :first-child, .clnb-compare.clnb-compare .clnb-text { text-align: left; }
.clnb-compare.clnb-compare caption { caption-side: top; text-align: left; padding: 0 8px 4px; font-weight: 600;
  color: inherit; }
.clnb-compare.clnb-compare .clnb-name { display: inline-block; max-width: 200px; overflow: hidden;
  text-overflow: ellipsis; vertical-align: middle; }
.clnb-compare.clnb-compare .clnb-swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px;
  margin-right: 7px; vertical-align: middle; }
.clnb-compare.clnb-compare ul { margin: 0; padding: 8px 12px 8px 28px; font-size: 12px;
  color: var(--jp-ui-font-color2, inherit); border-top: 1px solid var(--jp-border-color2, #8884); }
.clnb-compare.clnb-compare li { overflow-wrap: anywhere; }
"""


def comparison_html(
    *,
    names: tuple[str, str],
    test_images: int,
    sentences: Iterable[str],
    summary: pd.DataFrame,
    per_label: pd.DataFrame,
    colours: Mapping[str, str],
    fixed: pd.DataFrame,
    broken: pd.DataFrame,
    notes: Iterable[str],
) -> str:
    """Write sentences, figures, labels, and what was fixed and broken.

    See :class:`customlabels_nb.evaluation.comparison.comparing.Comparison` for the tables.
    """
    one, other = (f"<b><bdi>{escaped(name)}</bdi></b>" for name in names)
    number = f"{test_images:,} test image{'' if test_images == 1 else 's'}"
    head = f'{one} → {other} <span class="clnb-dim">{number}</span>'
    said = "".join(f"<div><bdi>{escaped(sentence)}</bdi></div>" for sentence in sentences)
    body = _metrics(summary) + _labels(per_label, colours) + _images(fixed, "fixed") + _images(broken, "broken")
    below = "".join(f"<li><bdi>{escaped(note)}</bdi></li>" for note in notes)
    return (
        f'<div class="clnb-compare"><style>{_STYLE}</style><div class="clnb-head">{head}{said}</div>'
        f'<div class="clnb-body">{body}</div>{f"<ul>{below}</ul>" if below else ""}</div>'
    )


def _metrics(summary: pd.DataFrame) -> str:
    rows = [_row(escaped(METRICS.get(row["figure"], row["figure"])), _deltas(row)) for _, row in summary.iterrows()]
    return _table("figures", ("", "before", "after", "change", "95 % interval"), rows)


def _labels(per_label: pd.DataFrame, colours: Mapping[str, str]) -> str:
    table = per_label.sort_values("delta", ascending=False, kind="stable", na_position="last")
    rows = [
        _row(_swatch(colours[row["label"]]) + _name(row["label"]), [*_deltas(row), str(row["test_images"])])
        for _, row in table.iterrows()
    ]
    return _table("F1 by label", ("label", "before", "after", "change", "95 % interval", "test"), rows)


def _images(table: pd.DataFrame, what: str) -> str:
    if table.empty:
        return ""
    rows = [
        _row(_name(one_line(row["image"].rstrip("/").rsplit("/", 1)[-1]), row["image"]), texts, text=True)
        for _, row in table.head(LISTED).iterrows()
        for texts in [[_name(row["label"]), _answer(row, "before"), _answer(row, "after")]]
    ]
    number = f"{len(table):,}" if len(table) <= LISTED else f"{LISTED} of {len(table):,}"
    return _table(f"{what}: {number}", ("image", "label", "before", "after"), rows, text=True)


def _answer(row: pd.Series, when: str) -> str:
    said = _name(row[when]) if pd.notna(row[when]) else "—"
    confidence = row.get(f"confidence_{when}")
    return f"{said} {confidence:.2f}" if confidence is not None and pd.notna(confidence) else said


def _deltas(row: pd.Series) -> list[str]:
    def number(value: float) -> str:
        return "—" if pd.isna(value) else f"{value:.3f}"

    if pd.isna(row["delta"]):
        return [number(row["before"]), number(row["after"]), "", ""]
    change = signed(row["delta"])
    if pd.isna(row["low"]):
        return [number(row["before"]), number(row["after"]), change, ""]
    interval = f"[{signed(row['low'], 2)}, {signed(row['high'], 2)}]"
    shown = f"<b>{change}</b>" if certain(row) else change
    return [number(row["before"]), number(row["after"]), shown, interval]


def _row(first: str, cells: Iterable[str], *, text: bool = False) -> str:
    kind = ' class="clnb-text"' if text else ""
    return f"<tr><td>{first}</td>{''.join(f'<td{kind}>{cell}</td>' for cell in cells)}</tr>"


def _table(caption: str, heads: tuple[str, ...], rows: list[str], *, text: bool = False) -> str:
    kind = ' class="clnb-text"' if text else ""
    head = "".join(f'<th scope="col"{kind}>{name}</th>' for name in heads)
    return (
        f'<div class="clnb-scroll"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _swatch(colour: str) -> str:
    return f'<span class="clnb-swatch" style="background:{escaped(colour)}"></span>'


def _name(label: object, title: object = None) -> str:
    return f'<bdi class="clnb-name" title="{escaped(str(title or label))}">{escaped(str(label))}</bdi>'
