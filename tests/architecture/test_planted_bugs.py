"""Test that the bugs of ``python -m tests.planted_bugs`` can be planted."""

from __future__ import annotations

from tests.planted_bugs import BUGS, PACKAGE


def test_planted_bugs_change_one_place_of_the_package() -> None:
    assert [bug.before for bug in BUGS if (PACKAGE / bug.file).read_text("utf-8").count(bug.before) != 1] == []
