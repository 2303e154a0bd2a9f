"""Tests of durations written by people."""

from __future__ import annotations

import pytest

from customlabels_nb._utils.durations import read_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("2min", 120), ("1h 30min", 5400), (" 250 ms ", 0.25), ("1.5 Hours", 5400), ("5", 5), ("1m1s", 61),
        ("1d", 86400), ("2 days 1h", 176400),
    ],
)  # fmt: skip
def test_durations_are_parsed(text: str, seconds: float) -> None:
    assert read_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "  ", "soon", "-1s", "1 week", "1,5s", "s", "1s x", "1e3s", "nan", "²s", "1h30", "5 5s"]
)
def test_other_text_is_no_duration(text: str) -> None:
    assert read_seconds(text) is None
