"""Thread pool with a bounded, ordered map that prefetches results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_bounded(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int | None = None
) -> Generator[Result, None, None]:
    """Apply ``function`` to ``items`` in ``workers`` threads and yield the results in order.

    At most ``ahead`` items (default: four per worker) are in flight, so memory use does not depend on the number of
    items. An exception raised by ``function`` is re-raised when the result of that item is due. Leaving the loop early
    cancels the items that have not started.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    limit = ahead or 4 * workers
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="customlabels_nb")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= limit:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown(wait=True)
