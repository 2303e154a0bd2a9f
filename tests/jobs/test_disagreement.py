"""Tests of what people disagree about: pairs of labels, missing boxes, ties, and boxes that differ in place."""

from __future__ import annotations

from typing import Any

import pytest

from customlabels_nb.jobs.agreement import find_disagreements
from tests.jobs.answer_tables import box, make_answers

LIME, NEAR, FAR = (0, 0, 50, 40), (2, 1, 49, 42), (200, 100, 50, 40)


def reasons(kind: str, *given: Any) -> set[tuple[str | None, ...]]:
    """Return the reasons of a task with these answers."""
    found, _ = find_disagreements(make_answers((7, f"person {at}", one) for at, one in enumerate(given)), kind)
    return set(found[7])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["lime", "lemon", "lime"], {("mixed", "lemon", "lime")}),
        (["b", "a", "c"], {("mixed", "a", "b"), ("mixed", "a", "c"), ("mixed", "b", "c"), ("tie",)}),
        (["lime", None, None], {("mixed", "lime", None)}),
        (["lime", "lemon"], {("mixed", "lemon", "lime"), ("tie",)}),
        (["lime", "lime"], {("unsure",)}),
        ([None, None], {("unsure",)}),
    ],
)  # fmt: skip
def test_pairs_of_labels_are_mixed_up(given: list[Any], expected: set[Any]) -> None:
    assert reasons("single-label", *given) == expected


def test_several_labels_are_compared_one_by_one() -> None:
    assert reasons("multi-label", ("lime", "fig"), ("fig",), ("fig",)) == {("mixed", "lime", None)}
    assert reasons("multi-label", ("lime",), ()) == {("mixed", "lime", None), ("tie",)}


def test_boxes_are_compared_object_by_object() -> None:
    lime, near, far = box("lime", *LIME), box("lime", *NEAR), box("fig", *FAR)
    assert reasons("boxes", [lime], [near], [lime]) == {("unsure",)}
    assert reasons("boxes", [lime, far], [near, far], [lime]) == {("missed",)}
    assert reasons("boxes", [lime], [box("lemon", *NEAR)], [lime]) == {("mixed", "lemon", "lime")}
    assert reasons("boxes", [lime], []) == {("missed",), ("tie",)}
    assert reasons("boxes", [], []) == {("unsure",)}


def test_boxes_of_one_object_have_its_number() -> None:
    given = [[box("fig", *FAR), box("lime", *LIME)], [], [box("lime", *NEAR)]]
    _, objects = find_disagreements(make_answers((7, f"person {at}", one) for at, one in enumerate(given)), "boxes")
    (fig, lime), none, (other,) = (objects[number] for number in range(3))
    assert none == []
    assert fig != lime == other


def test_no_answers_have_no_disagreements() -> None:
    assert find_disagreements(make_answers([]), "boxes") == ({}, {})
    assert find_disagreements(make_answers([]), "single-label") == ({}, {})
