"""Run tasks in processes on this machine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from customlabels_nb.errors import HelperError
from customlabels_nb.events import Events
from customlabels_nb.workers.helper_process import HelperProcess
from customlabels_nb.workers.protocol import TaskOutcome, WorkerJob

_PREPARE, _RUN = (f"{__name__}:{name}" for name in ("prepare", "run"))
_MOST_STARTS = 3  # without a task that ends
_ENDED = ("killed", "ended")
_CLOSE_SECONDS = 0.1
_IDLE_SECONDS = 7 * 24 * 3600.0  # an idle process would lose what it was prepared for
_work: list[Callable[..., Any]] = []  # of the job that this process is prepared for, if it is a worker


class LocalWorkers:
    """Workers in processes on this machine, which end with this process. See :class:`Workers`."""

    def __init__(self, job: WorkerJob, count: int) -> None:
        self.count = count
        self._job = asdict(job)
        self._tasks: queue.SimpleQueue[tuple[int, Any] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[TaskOutcome | HelperError | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ready = self._busy = 0
        self._closed = False
        self._helpers = [HelperProcess(idle_seconds=_IDLE_SECONDS, niceness=0) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._serve, args=(helper,), name="customlabels_nb worker", daemon=True)
            for helper in self._helpers
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pids(self) -> list[int]:
        return [helper.pid for helper in self._helpers if helper.pid is not None]

    def ready(self) -> int:
        return self._ready

    def room(self) -> int:
        return self._ready - self._busy

    def submit(self, number: int, task: Any) -> None:
        self._add(busy=1)
        self._tasks.put((number, task))

    def wait(self, seconds: float) -> list[TaskOutcome]:
        outcomes: list[TaskOutcome] = []
        try:
            ended = self._ended.get(timeout=seconds)
            while True:
                if isinstance(ended, HelperError):
                    raise ended
                if ended is not None:
                    outcomes.append(ended)
                ended = self._ended.get_nowait()
        except queue.Empty:
            return outcomes

    def close(self) -> None:
        self._closed = True
        for _ in self._helpers:
            self._tasks.put(None)
        for helper, thread in zip(self._helpers, self._threads, strict=True):
            helper.close()
            while thread.is_alive():  # it may be starting the process again
                thread.join(_CLOSE_SECONDS)
                helper.close()

    def _serve(self, helper: HelperProcess) -> None:
        """Prepare a process and give it tasks. Start again whenever it ends."""
        starts = 0
        while not self._closed:
            starts += 1
            try:
                helper.run(_PREPARE, self._job)
            except HelperError as error:
                if error.kind in _ENDED and starts < _MOST_STARTS:
                    continue
                return self._ended.put(error)
            self._add(ready=1)
            self._ended.put(None)
            while (task := self._tasks.get()) is not None:
                outcome = _outcome(helper, *task)
                lost = outcome.state == "lost"
                self._add(ready=-1 if lost else 0, busy=-1)
                self._ended.put(outcome)
                if lost:
                    break
                starts = 0
        return None

    def _add(self, *, ready: int = 0, busy: int = 0) -> None:
        with self._lock:
            self._ready += ready
            self._busy += busy


def _outcome(helper: HelperProcess, number: int, task: Any) -> TaskOutcome:
    worker = f"process {helper.pid}"
    try:
        return TaskOutcome(number, "done", helper.run(_RUN, task), worker=worker)
    except HelperError as error:
        state: Literal["failed", "lost"] = "lost" if error.kind in _ENDED else "failed"
        return TaskOutcome(number, state, error=str(error), kind=error.kind, worker=worker)


# -- worker -----------------------------------------------------------------------------------------
def prepare(arguments: dict[str, Any], events: Events) -> None:
    """Prepare this process for a job, given as the fields of :class:`WorkerJob`."""
    _work[:] = [WorkerJob(**arguments).prepare()]


def run(task: Any, events: Events) -> Any:
    """Run a task of the job that this process is prepared for."""
    return _work[0](task, events)
