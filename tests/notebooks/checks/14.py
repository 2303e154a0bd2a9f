"""Checks of the lab about bias and label noise: its models, and the feedback on its exercises."""

from __future__ import annotations

from typing import Any

from tests.notebooks.answering import check_lab

USUAL, RARE = {"apple on wood", "lemon on cloth"}, {"apple on cloth", "lemon on wood"}


def after_biased(ns: dict[str, Any]) -> None:
    accuracy = ns["groups"].set_index("slice")["accuracy"].to_dict()
    assert accuracy == dict.fromkeys(USUAL, 1.0) | dict.fromkeys(RARE, 0.0)


def after_balanced(ns: dict[str, Any]) -> None:
    assert ns["fair"].by("group")["accuracy"].min() >= 0.95, "'now recognises the fruit'"


def after_suspects(ns: dict[str, Any]) -> None:
    assert len(set(ns["first"]["file"]) & set(ns["wrong"])) >= 5, ns["suspects"]


def after_score(ns: dict[str, Any]) -> None:
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
    check_lab(ns, "14", wrong)
