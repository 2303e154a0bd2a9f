"""Run tasks of a project in a helper process, one process of a kind for each project.

A record in the project's database decides which kernel runs a task of a kind, such as "trainer". That kernel renews
the heartbeat in the record until the task ends. Another kernel takes over when the kernel has ended, with which its
helper process ends as well, or has been silent for :data:`SILENT_SECONDS`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pkgutil import resolve_name
from typing import Any
from uuid import uuid4

import psutil

from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import Cancelled, CustomLabelsError, NotAllowedError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.store.database import now_us
from customlabels_nb.store.sql import RUNNER, SqlStore, open_store
from customlabels_nb.workers.helper_process import HelperProcess

HEARTBEAT_SECONDS = 5.0
#: A runner on another computer without a heartbeat for this long is considered dead.
SILENT_SECONDS = 120.0

_CLOSE_SECONDS = 10.0
_ENTRY = f"{__name__}:run_task"


@dataclass(frozen=True)
class RunnerRecord:
    """Background runner of a kind, such as "trainer", and its latest task. Times are microseconds since 1970, UTC.

    ``token`` identifies the process that may run tasks of this kind, None if it has given up this right. ``state`` is
    that of the latest task: "running", "done", "failed" or "stopped". ``progress`` has the phase, the number of
    finished units, and the total number (or None). ``stop`` is True if the running task was asked to stop.
    """

    token: str | None
    host: str
    pid: int
    heartbeat: int
    state: str = "running"
    error: str = ""
    progress: list[Any] | None = None
    started: int | None = None
    ended: int | None = None
    stop: bool = False


class BackgroundRunner:
    """Runner of one kind of task for a project, in one of its kernels."""

    def __init__(self, store: SqlStore, kind: str) -> None:
        self.kind = kind
        self._store = store
        self._token = uuid4().hex
        self._helper = HelperProcess()
        self._turn = threading.Lock()
        self._events: Events | None = None

    @property
    def pid(self) -> int | None:
        return self._helper.pid

    @property
    def record(self) -> RunnerRecord | None:
        """Record of the latest task of this kind in any kernel, or None. A task whose process has died has failed."""
        record = runner_record(self._store, self.kind)
        return None if record is None else _settled(record)

    @property
    def is_elsewhere(self) -> bool:
        """True if another kernel runs a task, so that this one may not."""
        record = runner_record(self._store, self.kind)
        return record is not None and record.token not in (None, self._token) and is_alive(record)

    def run(self, entry: str, arguments: dict[str, Any], events: Events | None = None) -> Any:
        """Run a task in the helper process and return its result.

        ``entry`` is "package.module:function". The function is called with a store of the project (open in the helper
        process), the arguments and :class:`Events`, and returns a JSON value. HelperError, in the record, too, means
        that it failed, NotAllowedError that another kernel runs tasks of this kind.
        """
        if not self._turn.acquire(blocking=False):
            raise NotAllowedError(f"The {self.kind} is already running a task. Wait until it ends, or stop it.")
        try:
            self._events = events = events or Events()
            change_record(self._store, self.kind, self._claim)
            pulse = TaskHeartbeat(self._store, self.kind, self._token, events)
            unsubscribe = events.subscribe(pulse.listen)
            try:
                task = {"store": self._store.location, "entry": entry, "arguments": arguments}
                result = self._helper.run(_ENTRY, task, events, pulse.beat)
            except BaseException as error:
                stopped = isinstance(error, Cancelled | KeyboardInterrupt)
                self._end("stopped" if stopped else "failed", str(error) or type(error).__name__)
                raise
            finally:
                unsubscribe()
            self._end("done")
            return result
        finally:
            self._events = None
            self._turn.release()

    def stop(self) -> None:
        """Ask the running task to stop at its next event, in whichever kernel it runs. The record has this request."""
        events = self._events
        try:
            with contextlib.suppress(_UnchangedError):
                change_record(self._store, self.kind, _with_stop_request)
        finally:
            if events is not None:
                events.cancel()

    def close(self) -> None:
        """End the helper process, with the task that is running. The task is recorded as stopped."""
        if (events := self._events) is not None:
            events.cancel()
        self._helper.close()
        if self._turn.acquire(timeout=_CLOSE_SECONDS):
            self._turn.release()

    def _claim(self, record: RunnerRecord | None) -> RunnerRecord:
        if record is not None and record.token not in (None, self._token) and is_alive(record):
            seen = datetime.fromtimestamp(record.heartbeat / 1e6, tz=UTC).strftime("%H:%M:%S UTC")
            raise NotAllowedError(
                f"Another kernel runs the {self.kind} of this project (process {record.pid} on "
                f"{one_line(record.host)}, last active {seen}). This kernel takes over when that one has ended."
            )
        return RunnerRecord(self._token, socket.gethostname(), os.getpid(), now_us(), started=now_us())

    def _end(self, state: str, error: str = "") -> None:
        """Record the outcome of the task, unless another kernel has taken over."""

        def ended(record: RunnerRecord) -> RunnerRecord:
            return replace(record, state=state, error=error, progress=None, ended=now_us(), stop=False, token=None)

        with contextlib.suppress(_UnchangedError, CustomLabelsError):  # such as a full disk: the heartbeat tells
            change_record(self._store, self.kind, _if_owned(self._token, ended))


def runner_record(store: SqlStore, kind: str) -> RunnerRecord | None:
    """Return the stored record of the latest task of a kind, or None if there has been none."""
    stored = store.setting(RUNNER + kind)
    return None if stored is None else RunnerRecord(**stored)


def change_record(store: SqlStore, kind: str, change: Callable[[RunnerRecord | None], RunnerRecord]) -> None:
    """Replace the record of a kind of task in one transaction, unless ``change`` raises an error."""
    store.change_setting(RUNNER + kind, lambda old: asdict(change(None if old is None else RunnerRecord(**old))))


def is_alive(record: RunnerRecord) -> bool:
    """Check whether the kernel of a runner is alive, on this computer or, going by its heartbeat, on another."""
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


def _with_stop_request(record: RunnerRecord | None) -> RunnerRecord:
    if record is None or record.state != "running" or record.stop or not is_alive(record):
        raise _UnchangedError
    return replace(record, stop=True)


def _settled(record: RunnerRecord) -> RunnerRecord:
    if record.state != "running" or is_alive(record):
        return record
    return replace(record, state="failed", error="The kernel has ended.", token=None)


class TaskHeartbeat:
    def __init__(self, store: SqlStore, kind: str, token: str, events: Events) -> None:
        self._store, self._kind, self._token, self._events = store, kind, token, events
        self._progress: list[Any] | None = None
        self._due = time.monotonic() + HEARTBEAT_SECONDS

    def listen(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress = [event.phase, event.done, event.total]

    def beat(self) -> None:
        """Write the heartbeat if it is time. Cancel the task if another kernel has asked for it or has taken over."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + HEARTBEAT_SECONDS

        def renewed(record: RunnerRecord) -> RunnerRecord:
            if record.stop:
                self._events.cancel()
            return replace(record, heartbeat=now_us(), progress=self._progress)

        try:
            change_record(self._store, self._kind, _if_owned(self._token, renewed))
        except _UnchangedError:
            self._events.cancel()
        except CustomLabelsError:  # such as a full disk or a lost connection: try again
            pass


def run_task(task: dict[str, Any], events: Events) -> Any:
    """Run a task with a store of the project, in the helper process."""
    location, schema = task["store"]
    store = open_store(location, schema=schema)
    try:
        return resolve_name(task["entry"])(store, task["arguments"], events)
    finally:
        store.close()
