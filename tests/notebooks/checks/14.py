"""Checks of the lab about bias and label noise and of the feedback on its exercises."""

from __future__ import annotations

from typing import Any

from tests.notebooks.answering import check_lab, check_saved
from tests.notebooks.running import pictures_of, tagged

USUAL, RARE = {"apple on wood", "lemon on cloth"}, {"apple on cloth", "lemon on wood"}


def after_counts(ns: dict[str, Any]) -> None:
    assert ns["counts"].loc["apple"].to_dict() == {"wood": 36, "cloth": 4}
    assert ns["counts"].loc["lemon"].to_dict() == {"wood": 4, "cloth": 36}


def after_biased(ns: dict[str, Any]) -> None:
    accuracy = ns["groups"].set_index("slice")["accuracy"].to_dict()
    assert accuracy == dict.fromkeys(USUAL, 1.0) | dict.fromkeys(RARE, 0.0)
    assert ns["groups"]["test_images"].tolist() == [20] * 4


def after_balanced(ns: dict[str, Any]) -> None:
    assert ns["balanced"]["group"].value_counts().tolist() == [36] * 4
    assert ns["fair"].by("group")["accuracy"].min() >= 0.95, "now recognises the fruit"


def after_suspects(ns: dict[str, Any]) -> None:
    assert len(ns["labelled"]) == 80
    assert len(ns["first"]) == 8
    assert set(ns["first"]["kind"]) == {"swapped"}
    assert len(set(ns["first"]["file"]) & set(ns["wrong"])) >= 5, ns["suspects"]


def after_corrected(ns: dict[str, Any]) -> None:
    assert ns["before"] == 8
    assert ns["after"] == 8 - ns["slips"]


def at_end(ns: dict[str, Any]) -> None:
    """Check the feedback on correct, wrong and missing answers of every exercise."""
    slips = ns["slips"]
    wrong: dict[int, list[tuple[Any, str]]] = {
        1: [(36 / 80, "all photos"), (0.1, "cloth")],
        2: [({"lemon on wood"}, "not all"), (USUAL, "is right")],
        3: [("fruit", "lemon on wood")],
        4: [(0.5, "mean over"), (1.0, "usual groups only"), (0.1, "weights")],
        5: [(36, "already"), (64, "together")],
        6: [(1.0, "compared"), (0.1, "wrong labels")],
        7: [(slips - 1, "more"), (slips + 1, "fewer")],
        8: [(slips, "Divide it")],
    }
    check_lab(ns, "14", wrong=wrong, also_right={2: sorted(RARE), 3: "Table"})


def outputs(notebook: Any) -> None:
    """Check that the saved notebook asks its questions and shows images."""
    check_saved(notebook, 8)
    for tag in ("photos", "suspects"):
        assert pictures_of(tagged(notebook, tag)) == 1, f"{tag}: one plot"
