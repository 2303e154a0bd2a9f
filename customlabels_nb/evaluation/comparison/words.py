"""A comparison in words, for people and terminals."""

from __future__ import annotations

import pandas as pd

from customlabels_nb._utils.text import printable
from customlabels_nb.evaluation.comparison.comparing import Comparison
from customlabels_nb.evaluation.outcomes import SINGLE_LABEL

#: Labels and images named in a sentence or a list.
NAMED, LISTED = 4, 10
FIGURES = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "mean_threshold": "mean threshold",
    "mean_average_precision": "mean average precision",
    "mean_average_recall": "mean average recall",
    "coco_map": "COCO mAP",
    "accuracy": "accuracy",
}


def sentences(comparison: Comparison) -> list[str]:
    """How F1 changed, what was fixed and broken, which labels gained and lost."""
    return [_of_f1(comparison), _of_images(comparison), *_of_labels(comparison)]


def comparison_text(comparison: Comparison) -> str:
    """Sentences, figures, labels and notes."""
    summary = comparison.summary.assign(figure=[FIGURES.get(name, name) for name in comparison.summary["figure"]])
    labels = comparison.per_label.dropna(subset="delta").sort_values("delta", ascending=False, kind="stable")
    parts = [f"{comparison.names[0]} → {comparison.names[1]}, {comparison.test_images:,} test images"]
    parts.append("\n".join(sentences(comparison)))
    for table in (summary, labels):
        if len(table):
            shown = table.to_string(
                index=False, max_rows=40, max_colwidth=40, na_rep="", float_format="{:.3f}".format, justify="right"
            )
            parts.append(shown)
    if comparison.notes:
        parts.append("\n".join(comparison.notes))
    return printable("\n\n".join(parts))


def signed(value: float, digits: int = 3) -> str:
    """With its sign; a real minus, so that columns line up."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return f"±{text}"
    return f"{'+' if value > 0 else '−'}{text}"


def certain(row: pd.Series) -> bool:
    """Whether the interval leaves no room for chance: it lies on one side of 0."""
    return bool(row["low"] > 0 or row["high"] < 0)


def _of_f1(comparison: Comparison) -> str:
    row = comparison.figure("f1")
    if f"{row['before']:.3f}" == f"{row['after']:.3f}":
        move = f"F1 stays at {row['after']:.3f}"
    else:
        move = f"F1 {'rises' if row['delta'] > 0 else 'falls'} from {row['before']:.3f} to {row['after']:.3f}"
    if pd.isna(row["low"]) or row["low"] == row["high"] == 0:
        return f"{move}."
    said = f"{move} ({signed(row['delta'])}, 95 % interval {signed(row['low'])} to {signed(row['high'])})"
    return f"{said}." if certain(row) else f"{said}: that can be chance."


def _of_images(comparison: Comparison) -> str:
    def said(table: pd.DataFrame, what: str) -> str:
        number, images = len(table), table["image"].nunique()
        if not number:
            return f"none {what}"
        noun = "image" if comparison.task == SINGLE_LABEL else "label"
        of = "" if noun == "image" else f" on {images:,} image{'' if images == 1 else 's'}"
        return f"{number:,} {noun}{'' if number == 1 else 's'} {what}{of}"

    if comparison.fixed.empty and comparison.broken.empty:
        return "Nothing was fixed, and nothing broke."
    text = f"{said(comparison.fixed, 'fixed')}, {said(comparison.broken, 'broken')}."
    return text[0].upper() + text[1:]


def _of_labels(comparison: Comparison) -> list[str]:
    table = comparison.per_label.dropna(subset="delta")
    table = table[(table["low"] > 0) | (table["high"] < 0)]
    found = []
    for rows, what in ((table[table["delta"] > 0], "Better"), (table[table["delta"] < 0], "Worse")):
        if len(rows):
            rows = rows.loc[rows["delta"].abs().sort_values(ascending=False, kind="stable").index]
            named = [f"{row['label']} {signed(row['delta'], 2)}" for _, row in rows.head(NAMED).iterrows()]
            more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
            found.append(f"{what} beyond chance (F1): {', '.join(named)}{more}.")
    if not found and len(comparison.fixed) + len(comparison.broken):
        found.append("No label changed beyond chance.")
    return found
