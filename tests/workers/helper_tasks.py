"""Tasks that the tests run in helper processes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.events import Events

if TYPE_CHECKING:
    from customlabels_nb.store import SqlStore


def add(numbers: list[float], events: Events) -> dict[str, Any]:
    """Add numbers, with all kinds of events."""
    print("printed, which must not disturb the events")
    events.message("début ✓")
    for done in range(1, len(numbers) + 1):
        events.progress("adding", done, len(numbers), unit="numbers")
    events.metrics(3, loss=0.25)
    events.samples(1, [])
    return {"sum": sum(numbers), "pid": os.getpid(), "nice": os.nice(0)}


def fail(how: str, events: Events) -> None:
    """Fail or crash in one of many ways."""
    events.progress("failing", 0, 1)
    if how == "typed":
        raise NotEnoughDataError("There are only 3 labels. Label 7 more.")
    if how == "untyped":
        raise ValueError("bad value")
    if how == "memory":
        raise MemoryError
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "crashed":
        ctypes.string_at(0)
    if how == "exited":
        print("last words", file=sys.stderr, flush=True)
        os._exit(7)


def unserialisable(_: object, events: Events) -> object:
    """Return something that JSON cannot represent."""
    return object()


def work(arguments: dict[str, Any], events: Events) -> str:
    """Work in small steps."""
    for step in range(int(arguments["steps"])):
        time.sleep(0.02)
        if not arguments.get("silent"):
            events.progress("working", step, arguments["steps"])
    return "finished"


def stored(store: SqlStore, arguments: dict[str, Any], events: Events) -> dict[str, Any]:
    """Use the project's store from the helper process."""
    events.progress("reading", 1, 2)
    return {"name": store.project().name, "pid": os.getpid(), "arguments": arguments}


def stored_work(store: SqlStore, arguments: dict[str, Any], events: Events) -> str:
    """Work in small steps for a project."""
    return work(arguments, events)


def stored_failure(store: SqlStore, arguments: dict[str, Any], events: Events) -> None:
    """Fail or crash while working for a project."""
    fail(arguments["how"], events)
