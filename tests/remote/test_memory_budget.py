"""Tests of the memory that threads share."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.remote.memory_budget import MemoryBudget

_LIMIT = 100


@given(st.lists(st.lists(st.integers(0, _LIMIT), max_size=6), min_size=2, max_size=8))
def test_threads_never_hold_more_than_the_limit_and_all_of_them_end(sizes_of_threads: list[list[int]]) -> None:
    budget, lock = MemoryBudget(_LIMIT), threading.Lock()
    held = most = 0

    def count(change: int) -> None:
        nonlocal held, most
        with lock:
            held += change
            most = max(most, held)

    def work(sizes: list[int]) -> None:
        with budget.share() as hold:
            for size in sizes:
                hold(size)
                count(size)
                count(-size)

    with ThreadPoolExecutor(len(sizes_of_threads)) as pool:
        for future in [pool.submit(work, sizes) for sizes in sizes_of_threads]:
            future.result(60)
    assert most <= _LIMIT
    assert budget.used == 0


def test_small_files_do_not_overtake_a_large_one_which_may_exceed_the_limit() -> None:
    budget = MemoryBudget(_LIMIT)
    order: list[int] = []

    def work(size: int) -> None:
        with budget.share() as hold:
            hold(size)
            order.append(size)

    with budget.share() as hold:
        hold(60)
        large, small = (threading.Thread(target=work, args=[size]) for size in (3 * _LIMIT, 1))
        large.start()
        while not budget._turn.locked():
            large.join(0.01)
        small.start()
        small.join(0.05)
        assert order == []
        hold(0)
        large.join(60)
    small.join(60)
    assert order == [3 * _LIMIT, 1]
