"""Checks of the lab about boxes: its numbers, and the feedback on its exercises."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebooks.answering import check_lab


def iou(a: Any, b: Any, *, least: float = 0, twice: int = 1) -> float:
    """Return the IoU as students write it: without a smallest width, or with the intersection counted twice."""
    across = max(least, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    down = max(least, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return across * down / (a[2] * a[3] + b[2] * b[3] - twice * across * down)


#: Wrong answers of students, and a word of the hint.
WRONG: dict[int, list[tuple[Any, str]]] = {
    1: [((30, 20, 90, 60), "corners"), ((60, 40, 60, 40), "centre"), ((30, 20, 40, 60), "swapped")],
    2: [((160, 60, 64, 24), "starts at the centre"), ((0.4, 0.2, 0.2, 0.1), "fractions"), ((96, 36, 64, 24), "whole")],
    3: [
        (lambda a, b: iou(a, b, least=-99), "apart"),
        (lambda a, b: iou(a, b, twice=0), "subtract it once"),
        (lambda a, b: iou(a, b, twice=0) * (a[2] * a[3] + b[2] * b[3]) / (b[2] * b[3]), "*at least one* box"),
    ],
    4: [(0.5, "covered"), (0.82, "large pair"), (0.25, "twice")],
    5: [
        ((4, 2, 2), "only once"),
        ((4, 2, 1), "wrong label"),
        ((3, 2, 2), "on no part"),
        ((3, 3, 1), "as well"),
        ((3, 2, 3), "swapped"),
    ],
    6: [(0.6, "recall at 0.5"), (1 / 3, "precision"), (2 / 3, "all five parts")],
    7: [(0.5, "all six"), (0.6, "recall"), (1.0, "another label")],
    8: [("A", "first row change")],
}


def after_ious(ns: dict[str, Any]) -> None:
    assert ns["table"]["IoU"].tolist()[3:] == pytest.approx([1, 0.57, 0], abs=0.005), "'Box 4 has an IoU of 0.57'"
    assert (ns["table"]["IoU"][:2] >= 0.75).all()


def after_two(ns: dict[str, Any]) -> None:
    f1 = [row["F1"] for row in ns["rows"]]
    assert f1[0] == f1[1], "'The first row is the same at both thresholds'"
    assert f1[3] < 0.7 < f1[2] == 1, "'loses much of it at 0.75'"


def after_score(ns: dict[str, Any]) -> None:
    check_lab(ns, "13", WRONG)
