"""A comparison in words."""

from __future__ import annotations

import pandas as pd

from customlabels_nb.evaluation.outcomes import SINGLE_LABEL

#: Labels and images named in a sentence or a list.
NAMED, LISTED = 4, 10
METRICS = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "mean_threshold": "mean threshold",
    "mean_average_precision": "mean average precision",
    "mean_average_recall": "mean average recall",
    "coco_map": "COCO mAP",
    "accuracy": "accuracy",
}


def sentences(
    f1: pd.Series, per_label: pd.DataFrame, fixed: pd.DataFrame, broken: pd.DataFrame, *, task: str
) -> list[str]:
    """Tell how F1 changed, what was fixed and broken, which labels gained and lost.

    ``f1`` is its row of the summary.
    """
    labels = _of_labels(per_label)
    if not labels and len(fixed) + len(broken):
        labels = ["No label changed beyond chance."]
    return [_of_f1(f1), _of_images(fixed, broken, "image" if task == SINGLE_LABEL else "label"), *labels]


def signed(value: float, digits: int = 3) -> str:
    """With its sign; a real minus, so that columns line up."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return f"±{text}"
    return f"{'+' if value > 0 else '−'}{text}"


def certain(row: pd.Series) -> bool:
    """Whether the interval leaves no room for chance: it lies on one side of 0."""
    return bool(row["low"] > 0 or row["high"] < 0)


def _of_f1(row: pd.Series) -> str:
    if f"{row['before']:.3f}" == f"{row['after']:.3f}":
        move = f"F1 stays at {row['after']:.3f}"
    else:
        move = f"F1 {'rises' if row['delta'] > 0 else 'falls'} from {row['before']:.3f} to {row['after']:.3f}"
    if pd.isna(row["low"]) or row["low"] == row["high"] == 0:
        return f"{move}."
    said = f"{move} ({signed(row['delta'])}, 95 % interval {signed(row['low'])} to {signed(row['high'])})"
    return f"{said}." if certain(row) else f"{said}: that can be chance."


def _of_images(fixed: pd.DataFrame, broken: pd.DataFrame, noun: str) -> str:
    def said(table: pd.DataFrame, what: str) -> str:
        number, images = len(table), table["image"].nunique()
        if not number:
            return f"none {what}"
        of = "" if noun == "image" else f" on {images:,} image{'' if images == 1 else 's'}"
        return f"{number:,} {noun}{'' if number == 1 else 's'} {what}{of}"

    if fixed.empty and broken.empty:
        return "Nothing was fixed, and nothing broke."
    text = f"{said(fixed, 'fixed')}, {said(broken, 'broken')}."
    return text[0].upper() + text[1:]


def _of_labels(per_label: pd.DataFrame) -> list[str]:
    table = per_label.dropna(subset="delta")
    table = table[(table["low"] > 0) | (table["high"] < 0)]
    found = []
    for rows, what in ((table[table["delta"] > 0], "Better"), (table[table["delta"] < 0], "Worse")):
        if len(rows):
            rows = rows.loc[rows["delta"].abs().sort_values(ascending=False, kind="stable").index]
            named = [f"{row['label']} {signed(row['delta'], 2)}" for _, row in rows.head(NAMED).iterrows()]
            more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
            found.append(f"{what} beyond chance (F1): {', '.join(named)}{more}.")
    return found
