"""Run tasks of a project in a helper process, one process of a kind for each project.

A record in the project's database decides which kernel runs tasks of a kind, such as "trainer". The helper process
renews its heartbeat as long as it lives, also while it waits for the next task. Another kernel takes over when the
process has ended, or has been silent for :data:`SILENT_SECONDS`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psutil

from customlabels_nb._utils.helper_process import IDLE_SECONDS, HelperProcess
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import Cancelled, CustomLabelsError, NotAllowedError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.store.database import now_us
from customlabels_nb.store.records import RunnerRecord
from customlabels_nb.store.sql import SqlStore, open_store

HEARTBEAT_SECONDS = 5.0
#: A runner on another computer without a heartbeat for this long is considered dead.
SILENT_SECONDS = 120.0

_ENTRY = f"{__name__}:run_task"


class BackgroundRunner:
    """Runner of one kind of task for a project.

    Parameters
    ----------
    store : SqlStore
        Store of the project.
    kind : str
        Kind of the tasks. Each kind has one runner in a project, in any number of kernels.
    idle_seconds : float
        Time without work after which the helper process ends.
    """

    def __init__(self, store: SqlStore, kind: str, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.kind = kind
        self._store = store
        self._token = uuid4().hex
        self._helper = HelperProcess(idle_seconds=idle_seconds)
        self._turn = threading.Lock()
        self._events: Events | None = None

    @property
    def pid(self) -> int | None:
        """ID of this runner's helper process, or None if it is not running."""
        return self._helper.pid

    @property
    def record(self) -> RunnerRecord | None:
        """Record of the latest task of this kind in any kernel, or None. A task whose process has died has failed."""
        record = self._store.runner(self.kind)
        return None if record is None else _settled(record)

    @property
    def is_elsewhere(self) -> bool:
        """True if another kernel's runner is alive, so that this one may not run tasks."""
        record = self._store.runner(self.kind)
        return record is not None and record.token not in (None, self._token) and is_alive(record)

    def run(self, entry: str, arguments: dict[str, Any], events: Events | None = None) -> Any:
        """Run a task in the helper process and return its result.

        Parameters
        ----------
        entry : str
            Module and function, as in "package.module:function". The function is called with a store of the project
            (open in the helper process), the arguments and :class:`Events`, and returns a JSON value.
        arguments : dict
            JSON-serialisable arguments.
        events : Events, optional
            Receives the task's events. Cancel it to stop the task.

        Raises
        ------
        NotAllowedError
            If another kernel runs tasks of this kind, or this one is running a task.
        HelperError
            If the task failed, or the helper process ended. The record has the same message.
        Cancelled
            If the task was stopped.
        """
        if not self._turn.acquire(blocking=False):
            raise NotAllowedError(f"The {self.kind} is already running a task. Wait until it ends, or stop it.")
        try:
            self._events = events = events or Events()
            self._store.change_runner(self.kind, self._claim)
            location, schema = self._store.location
            task = {"location": location, "schema": schema, "kind": self.kind, "token": self._token,
                    "entry": entry, "arguments": arguments}  # fmt: skip
            try:
                result = self._helper.run(_ENTRY, task, events)
            except BaseException as error:
                stopped = isinstance(error, Cancelled | KeyboardInterrupt)
                self._end("stopped" if stopped else "failed", str(error) or type(error).__name__)
                raise
            self._end("done")
            return result
        finally:
            self._events = None
            self._turn.release()

    def stop(self) -> None:
        """Ask the running task to stop at its next event, in whichever kernel it runs."""
        if (events := self._events) is not None:
            events.cancel()
            return
        with contextlib.suppress(_UnchangedError):
            self._store.change_runner(self.kind, _asked_to_stop)

    def close(self) -> None:
        """End the helper process, and let other kernels run tasks of this kind."""

        def closed(record: RunnerRecord) -> RunnerRecord:
            if record.state == "running":
                record = replace(record, state="stopped", error="The runner was closed.", progress=None, ended=now_us())
            return replace(record, token=None)

        self._helper.close()
        with contextlib.suppress(_UnchangedError):
            self._store.change_runner(self.kind, _if_owned(self._token, closed))

    def _claim(self, record: RunnerRecord | None) -> RunnerRecord:
        if record is not None and record.token not in (None, self._token) and is_alive(record):
            seen = datetime.fromtimestamp(record.heartbeat / 1e6, tz=UTC).strftime("%H:%M:%S UTC")
            raise NotAllowedError(
                f"Another kernel is the {self.kind} of this project (process {record.pid} on {one_line(record.host)}, "
                f"last active {seen}). This kernel takes over when that one has ended."
            )
        return RunnerRecord(self._token, socket.gethostname(), self.pid or os.getpid(), now_us(), started=now_us())

    def _end(self, state: str, error: str = "") -> None:
        """Record the outcome of the task, unless another kernel has taken over."""

        def ended(record: RunnerRecord) -> RunnerRecord:
            token = self._token if self.pid is not None else None
            return replace(record, state=state, error=error, progress=None, ended=now_us(), stop=False, token=token)

        with contextlib.suppress(_UnchangedError, CustomLabelsError):  # such as a full disk: the heartbeat tells
            self._store.change_runner(self.kind, _if_owned(self._token, ended))


def is_alive(record: RunnerRecord) -> bool:
    """Check whether the process of a runner is alive, on this computer or, going by its heartbeat, on another."""
    if now_us() - record.heartbeat > SILENT_SECONDS * 1e6:
        return False
    if record.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(record.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(process.create_time() <= record.heartbeat / 1e6 + 1)  # a later process may have the same ID
    except psutil.Error:
        return False


class _UnchangedError(Exception):
    """Raised in a transaction that has nothing to change."""


def _if_owned(
    token: str, change: Callable[[RunnerRecord], RunnerRecord]
) -> Callable[[RunnerRecord | None], RunnerRecord]:
    """Return a change of a record that does nothing if another process has taken over."""

    def changed(record: RunnerRecord | None) -> RunnerRecord:
        if record is None or record.token != token:
            raise _UnchangedError
        return change(record)

    return changed


def _asked_to_stop(record: RunnerRecord | None) -> RunnerRecord:
    if record is None or record.state != "running" or not is_alive(record):
        raise _UnchangedError
    return replace(record, stop=True)


def _settled(record: RunnerRecord) -> RunnerRecord:
    if record.state != "running" or is_alive(record):
        return record
    return replace(record, state="failed", error="The kernel or the helper process has ended.", token=None)


# -- in the helper process ----------------------------------------------------------------------------
def run_task(task: dict[str, Any], events: Events) -> Any:
    """Run a task in the helper process. The heartbeat continues until the process ends."""
    import importlib

    module, _, name = task["entry"].partition(":")
    function = getattr(importlib.import_module(module), name)
    pulse = _Pulse.of(task)
    events.subscribe(pulse.listen)
    pulse.begin(events)
    try:
        return function(pulse.store, task["arguments"], events)
    finally:
        pulse.events = None


_pulses: dict[str, _Pulse] = {}


class _Pulse:
    """Heartbeat of the helper process, for one kind of task of one project."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.store = open_store(task["location"], schema=task["schema"])
        self.events: Events | None = None
        self._kind, self._token = task["kind"], task["token"]
        self._progress: list[Any] | None = None
        self._thread = threading.Thread(target=self._beat, name="customlabels_nb heartbeat", daemon=True)

    @classmethod
    def of(cls, task: dict[str, Any]) -> _Pulse:
        """Return the pulse for the kind and project of a task."""
        if task["token"] not in _pulses:
            pulse = _pulses[task["token"]] = cls(task)
            atexit.register(pulse.release)
        return _pulses[task["token"]]

    def listen(self, event: Event) -> None:
        """Remember the progress for the next heartbeat."""
        if isinstance(event, Progress):
            self._progress = [event.phase, event.done, event.total]

    def begin(self, events: Events) -> None:
        """Record this process at the start of a task, and start the heartbeat."""
        self.events, self._progress = events, None
        try:
            self._renew()
        except _UnchangedError as error:
            raise Cancelled("Another kernel has taken over.") from error
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self._beat, name="customlabels_nb heartbeat", daemon=True)
            self._thread.start()

    def release(self) -> None:
        """Let other kernels run tasks when the process ends for lack of work."""

        def released(record: RunnerRecord) -> RunnerRecord:
            if record.state == "running":  # a task has arrived too late and starts another process
                raise _UnchangedError
            return replace(record, token=None)

        with contextlib.suppress(_UnchangedError, CustomLabelsError):
            self.store.change_runner(self._kind, _if_owned(self._token, released))

    def _beat(self) -> None:
        wait = threading.Event()
        while not wait.wait(HEARTBEAT_SECONDS):
            try:
                self._renew()
            except _UnchangedError:  # another kernel has taken over
                if (events := self.events) is not None:
                    events.cancel()
                return
            except CustomLabelsError:  # such as a full disk or a lost connection: try again
                continue

    def _renew(self) -> None:
        """Write the heartbeat, and cancel the task if another kernel has asked for it."""
        asked = False

        def renewed(record: RunnerRecord) -> RunnerRecord:
            nonlocal asked
            asked = record.stop
            progress = self._progress if record.state == "running" else None
            host, pid = socket.gethostname(), os.getpid()
            return replace(record, host=host, pid=pid, heartbeat=now_us(), stop=False, progress=progress)

        self.store.change_runner(self._kind, _if_owned(self._token, renewed))
        if asked and (events := self.events) is not None:
            events.cancel()
