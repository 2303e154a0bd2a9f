"""Background jobs for widgets, with progress and cancellation."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from customlabels_nb.errors import Cancelled, CustomLabelsError, NotAllowedError
from customlabels_nb.events import Event, Events, Progress

T = TypeVar("T")


@dataclass(frozen=True)
class JobState(Generic[T]):
    """State of a job: "idle", "running", "done", "failed" or "stopped".

    ``progress`` is the latest event, ``result`` that of a job that is done, ``error`` says why it ended otherwise.
    """

    name: str = "idle"
    progress: Progress | None = None
    result: T | None = None
    error: str = ""


class Job(Generic[T]):
    """Background task. ``changes`` increases with each change of state, and ``on_end`` is called in the thread."""

    def __init__(self, on_end: Callable[[], object] | None = None) -> None:
        self.on_end = on_end
        self.changes = 0
        self._lock = threading.Lock()
        self._state: JobState[T] = JobState()
        self._events = Events()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> JobState[T]:
        return self._state

    def start(self, work: Callable[[Events], T]) -> None:
        with self._lock:
            if self._state.name == "running":
                raise NotAllowedError("This job is already running. Wait until it ends, or stop it.")
            self._events = Events()
            self._events.subscribe(self._listen)
            self._become(JobState("running"))
            self._thread = threading.Thread(target=self._run, args=(work,), name="customlabels_nb job", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._events.cancel()

    def wait(self, seconds: float | None = None) -> JobState[T]:
        if self._thread is not None:
            self._thread.join(seconds)
        return self._state

    def _listen(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._become(JobState("running", event))

    def _become(self, state: JobState[T]) -> None:
        self._state = state
        self.changes += 1

    def _run(self, work: Callable[[Events], T]) -> None:
        try:
            self._become(JobState("done", result=work(self._events)))
        except Cancelled as error:
            self._become(JobState("stopped", error=str(error)))
        except CustomLabelsError as error:
            self._become(JobState("failed", error=str(error)))
        except Exception as error:
            logging.getLogger("customlabels_nb").exception("A background job of a widget failed.")
            self._become(JobState("failed", error=f"{type(error).__name__}: {error}"))
        if self.on_end is not None:
            self.on_end()
