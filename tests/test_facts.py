"""Tests of the facts of a message: other facts are detected, other words are accepted."""

from __future__ import annotations

import pytest

from tests.facts import tells

FACTS = ("pear", "0.5", "'a.jpg'", "1,300", 'fix("clip_boxes")', "resume=True")


def test_messages_match_with_other_words() -> None:
    assert tells("Of pear at 0.5 'a.jpg' is first of 1,300; fix(\"clip_boxes\") helps: resume=True goes on.", *FACTS)
    assert tells("Before.\npear: 0.5 ('a.jpg'), 1,300: fix(\"clip_boxes\"), resume=True\nAfter.", *FACTS)


@pytest.mark.parametrize("text", ["", "13", "31", "3.5", "1.3", "1,300", "3,100", "v3", "3rd", "-\n-"])
def test_numbers_match_as_a_whole(text: str) -> None:
    assert not tells(f"there are {text} of them", 3)
    assert tells("there are 3, of them.", 3)
    assert tells("(3)", 3)


@pytest.mark.parametrize(
    "text", ["4 of 3 images", "3 images of 2 in 4", "3 images\n4 labels", "3 images", "3 images of 5"]
)
def test_order_and_numbers_between_count(text: str) -> None:
    assert not tells(text, 3, 4)
    assert tells("3 images of 4", 3, 4)


def test_names_match_as_a_whole() -> None:
    assert not tells("pears", "pear")
    assert not tells("spear", "pear")
    assert not tells('fix("clip_boxes_all")', 'fix("clip_boxes")')
