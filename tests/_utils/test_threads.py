"""Tests of the thread pool: it keeps order and limits, and leaves no work running that nobody waits for."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from customlabels_nb._utils.threads import map_bounded


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.002 if item % 5 == 0 else 0)
        return item * item

    assert list(map_bounded(slow_first, range(60), workers=workers)) == [i * i for i in range(60)]
    assert list(map_bounded(slow_first, [], workers=workers)) == []


def test_several_run_at_once() -> None:
    meeting = threading.Barrier(3, timeout=10)
    assert list(map_bounded(lambda item: meeting.wait() >= 0, range(6), workers=3)) == [True] * 6


def test_no_more_items_are_taken_than_may_be_in_flight() -> None:
    taken = itertools.count()
    last = 0

    def endless() -> Iterator[int]:
        nonlocal last
        while True:
            last = next(taken)
            yield last

    results = map_bounded(lambda item: item, endless(), workers=2, ahead=5)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert last <= 3 + 5
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_is_raised_at_its_items_turn(workers: int) -> None:
    def refuse_seven(item: int) -> int:
        if item == 7:
            raise ValueError("seven")
        return item

    seen: list[int] = []
    with pytest.raises(ValueError, match="seven"):
        seen.extend(map_bounded(refuse_seven, range(100), workers=workers))
    assert seen == list(range(7))


def test_leaving_early_ends_the_threads() -> None:
    before = threading.active_count()
    done = []
    for result in map_bounded(lambda item: done.append(item) or item, range(10_000), workers=3, ahead=8):
        if result == 4:
            break
    del result
    # the generator ends with the loop's last reference to it
    for _ in range(100):
        if threading.active_count() == before:
            break
        time.sleep(0.01)
    assert threading.active_count() == before
    assert len(done) < 100
