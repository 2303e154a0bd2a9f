"""Tests that arguments have one name each."""

from __future__ import annotations

from tests.docs.signatures import arguments

#: Names that one argument had in different functions → its name.
ONE_NAME = {
    "compare": "baseline", "duplicates": "on_duplicate", "limit": "max_results",
    "most": "max_annotators", "out": "folder", "seed": "random_state", "share": "fraction",
    "test_share": "test_fraction", "verify": "check_images",
}  # fmt: skip


def test_arguments_have_one_name() -> None:
    table = arguments()
    assert set(table["argument"]) & set(ONE_NAME) == set()
    assert set(ONE_NAME.values()) <= set(table["argument"])


def test_arguments_of_progress_are_the_same_everywhere() -> None:
    table = arguments().set_index("function")
    progress, events = (table[table["argument"] == name] for name in ("progress", "events"))
    assert set(progress["default"]) == {"True"}
    assert set(progress.index) == set(events.index)
    assert set(events["type"]) == {"Events | Listener | None"}
    assert set(progress["position"]) == set(events["position"]) == {"*"}
