"""Work that runs ahead of who needs it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """The same items, made by a thread that is up to ``depth`` of them ahead; what it raises is raised here."""
    done: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    left = threading.Event()

    def put(kind: str, value: Any = None) -> bool:
        while not left.is_set():
            try:
                done.put((kind, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        made = iter(items)
        try:
            for item in made:
                if not put("item", item):
                    return
            put("end")
        except BaseException as error:  # all of it is for who asked
            put("error", error)
        finally:
            close = getattr(made, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name="customlabels_nb video", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = done.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        left.set()
        thread.join()
