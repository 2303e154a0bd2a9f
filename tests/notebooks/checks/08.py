"""Checks of the lab about metrics: its numbers and plots, and the feedback on its exercises."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.display import DisplayHandle

from tests.notebooks.answering import check_lab

#: Wrong answers of students, and a word of the hint.
WRONG: dict[int, list[tuple[Any, str]]] = {
    1: [((5, 3, 0), "swapped"), ((5, 0, 0), "How many of the eight"), ((8, 0, 3), "accept at 0.8")],
    2: [(1.0, "precision"), (0.25, "number of kitchens"), (3 / 8, "missed")],
    3: [(1.0, "recall"), (0.11, "false alarms"), (0.4, "*accepts*")],
    4: [
        (0.4, "a higher threshold"),
        (0.44, "equal to the threshold counts"),
        (0.46, "is missed"),
        (0.55, "false alarm"),
    ],
    5: [(0.75, "ordinary mean"), (0.5, "Double"), (1.0, "divide")],
    6: [((0.95, 0.475), "precision of the cups"), ((0.97, 0.97), "weight"), ((0.974, 0.926), "once")],
    7: [(70 / 234, "the row"), (70 / 624, "classified as caps"), (2 / 166, "reverse"), (388 / 458, "really are caps")],
    8: [(0.83, "plot")],
    9: [(0.7, "three kitchens"), (0.6, "everything is accepted"), (2.42, "number of kitchens")],
    10: [(0.5, "*either*"), (0.25, "twice"), (12, "Divide")],
}


def after_slider(ns: dict[str, Any]) -> None:
    """Check that moving a slider redraws the plot at its value."""
    before, update, drawn = ns["threshold"].value, DisplayHandle.update, []
    DisplayHandle.update = lambda _, figure, **__: drawn.append(figure.get_suptitle())  # type: ignore[method-assign]
    try:
        ns["threshold"].value = 0.3
    finally:
        ns["threshold"].value = before
        DisplayHandle.update = update  # type: ignore[method-assign]
    assert drawn[:1] == ["threshold 0.30"]


def after_by_hand(ns: dict[str, Any]) -> None:
    table = ns["two"].per_label.set_index("label")
    for metric in ("precision", "recall", "f1"):
        assert ns["hand"].loc[["CAP", "WATCH"], metric].tolist() == pytest.approx(table[metric].tolist())
    summary = ns["two"].summary.set_index("metric")["value"]
    assert summary["f1"] == pytest.approx(ns["hand"].loc["mean", "f1"]), "'The report shows it'"


def after_flattering(ns: dict[str, Any]) -> None:
    means = ns["rounds"].mean()
    assert round(means["on the same photos"], 2) == 0.83, "as stated in exercise 8"
    assert round(means["cross-validated"], 2) == 0.75, "as stated in exercise 8"
    assert abs(means["cross-validated"] - means["on new photos"]) < 0.03, "'the mean agrees with that on new photos'"


def after_score(ns: dict[str, Any]) -> None:
    check_lab(ns, "08", WRONG)
