"""Tests of background runners: one of a kind for a project, in any number of kernels, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from customlabels_nb.errors import Cancelled, HelperError, NotAllowedError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.store import SqlStore, open_store
from customlabels_nb.store.database import now_us
from customlabels_nb.workers import background
from customlabels_nb.workers.background import (
    SILENT_SECONDS,
    BackgroundRunner,
    RunnerRecord,
    change_record,
    runner_record,
)
from tests.store.conftest import Opener, reopen, store
from tests.waiting import is_gone, is_soon

__all__ = ["reopen", "store"]

TASKS = "tests.workers.helper_tasks"

KERNEL = """
import sys
location, schema = sys.argv[1:3]
sys.path[:] = sys.argv[3:]
from customlabels_nb.events import Events
from customlabels_nb.store import open_store
from customlabels_nb.workers.background import BackgroundRunner
runner, events = BackgroundRunner(open_store(location, schema=schema or None), "trainer"), Events()
events.subscribe(lambda event: print(runner.pid, flush=True))
try:
    runner.run("tests.workers.helper_tasks:stored_work", {"steps": 10_000}, events)
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.fixture(autouse=True)
def _quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "HEARTBEAT_SECONDS", 0.5)


@pytest.fixture
def runner(store: SqlStore) -> Iterator[BackgroundRunner]:
    made = BackgroundRunner(store, "trainer")
    yield made
    made.close()


@pytest.fixture
def kernel(store: SqlStore) -> Iterator[subprocess.Popen[str]]:
    """Yield another kernel that is running a long task."""
    location, schema = store.location
    command = [sys.executable, "-c", KERNEL, location, schema or "", *sys.path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline())
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


class Running:
    """Task that runs in a thread, as in a kernel."""

    def __init__(self, runner: BackgroundRunner, entry: str = "stored_work", **arguments: Any) -> None:
        self.events, self.seen, self.error = Events(), list[Event](), None
        self.events.subscribe(self.seen.append)
        self._work = runner.run, f"{TASKS}:{entry}", {"steps": 10_000, **arguments}
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert is_soon(lambda: self.seen, 20)

    def _run(self) -> None:
        run, *arguments = self._work
        try:
            run(*arguments, self.events)
        except Exception as error:
            self.error: Exception | None = error

    def ended(self) -> Exception | None:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.error


def test_a_task_has_the_project_and_leaves_a_record(store: SqlStore, runner: BackgroundRunner) -> None:
    assert runner.record is None
    actions = len(store.history())
    found = runner.run(f"{TASKS}:stored", {"n": [1, "é"]})
    assert found == {"name": "fruit", "pid": runner.pid, "arguments": {"n": [1, "é"]}}
    record = runner.record
    assert record is not None
    assert (record.state, record.error, record.pid, record.progress) == ("done", "", os.getpid(), None)
    assert record.started is not None
    assert record.ended is not None
    assert record.started <= record.ended <= now_us()
    assert len(store.history()) == actions
    assert runner.run(f"{TASKS}:stored", {})["pid"] == found["pid"]


def test_each_kind_has_a_runner_of_its_own(store: SqlStore, runner: BackgroundRunner) -> None:
    other = BackgroundRunner(store, "endpoint")
    running = Running(runner)
    assert other.run(f"{TASKS}:stored", {})["name"] == "fruit"
    with pytest.raises(NotAllowedError, match="already running"):
        runner.run(f"{TASKS}:stored", {})
    runner.stop()
    assert isinstance(running.ended(), Cancelled)
    other.close()


@pytest.mark.storing
@pytest.mark.parametrize(
    ("how", "text"), [("typed", "only 3 labels"), ("killed", "SIGKILL"), ("memory", "memory"), ("exited", "last words")]
)
def test_a_crash_is_a_failed_record_with_its_reason(runner: BackgroundRunner, how: str, text: str) -> None:
    with pytest.raises(HelperError, match=text):
        runner.run(f"{TASKS}:stored_failure", {"how": how})
    record = runner.record
    assert record is not None
    assert record.state == "failed"
    assert text in record.error
    assert runner.run(f"{TASKS}:stored", {})["name"] == "fruit"


def test_heartbeat_contains_the_progress(runner: BackgroundRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(runner)
    first = runner.record
    assert first is not None
    assert first.state == "running"

    def has_moved() -> bool:
        now = runner.record
        return now is not None and now.heartbeat > first.heartbeat and bool(now.progress)

    assert is_soon(has_moved, background.HEARTBEAT_SECONDS + 5)
    now = runner.record
    assert now is not None
    assert now.progress is not None
    assert now.progress[::2] == ["working", 10_000]
    stored, change_record = list[RunnerRecord](), background.change_record

    def noted(store: Any, kind: str, change: Any) -> None:
        change_record(store, kind, lambda old: stored.append(change(old)) or stored[-1])

    monkeypatch.setattr(background, "change_record", noted)
    runner.stop()
    assert any(record.stop for record in stored)  # so that all kernels know it
    assert isinstance(running.ended(), Cancelled)
    record = runner.record
    assert record is not None
    assert (record.state, record.progress, record.stop) == ("stopped", None, False)


@pytest.mark.storing
def test_two_kernels_have_one_trainer_and_the_other_takes_over(
    kernel: subprocess.Popen[str], runner: BackgroundRunner
) -> None:
    assert runner.is_elsewhere
    with pytest.raises(NotAllowedError, match=r"Another kernel runs the trainer of this project \(process \d+ on "):
        runner.run(f"{TASKS}:stored", {})
    record = runner.record
    assert record is not None
    assert record.state == "running"
    assert record.pid == kernel.pid
    assert kernel.stdout is not None
    helper = int(kernel.stdout.readline())
    kernel.send_signal(signal.SIGKILL)
    assert is_soon(lambda: is_gone(kernel.pid) and is_gone(helper), 20)  # the helper may end first
    record = runner.record
    assert record is not None
    assert (record.state, record.error) == ("failed", "The kernel has ended.")
    assert not runner.is_elsewhere
    assert runner.run(f"{TASKS}:stored", {})["name"] == "fruit"


@pytest.mark.storing
def test_a_killed_helper_fails_the_task_and_the_next_one_runs(runner: BackgroundRunner) -> None:
    running = Running(runner)
    assert runner.pid is not None
    psutil.Process(runner.pid).kill()
    error = running.ended()
    assert isinstance(error, HelperError)
    record = runner.record
    assert record is not None
    assert (record.state, record.error) == ("failed", str(error))
    assert runner.run(f"{TASKS}:stored", {})["name"] == "fruit"


@pytest.mark.storing
def test_a_task_can_be_stopped_from_another_kernel(kernel: subprocess.Popen[str], runner: BackgroundRunner) -> None:
    runner.stop()
    runner.stop()
    record = runner.record
    assert record is not None
    assert record.stop
    assert kernel.stdout is not None
    started, lines = time.monotonic(), iter(kernel.stdout.readline, "")
    assert next(line for line in lines if not line.strip().isdecimal()).startswith("Cancelled")
    assert time.monotonic() - started < background.HEARTBEAT_SECONDS + 5
    record = runner.record
    assert record is not None
    assert (record.state, record.stop) == ("stopped", False)


@pytest.mark.storing
def test_kernels_take_turns(reopen: Opener) -> None:
    first, second = (BackgroundRunner(reopen(), "trainer") for _ in range(2))
    for runner in (first, second, first):
        assert runner.run(f"{TASKS}:stored", {})["name"] == "fruit"  # although the other's helper still waits
    assert first.pid is not None
    assert second.pid is not None
    first.close()
    second.close()


def test_runner_on_another_computer_expires(store: SqlStore, runner: BackgroundRunner) -> None:
    there = RunnerRecord("x", "elsewhere", 1, now_us(), started=now_us())
    change_record(store, "trainer", lambda _: there)
    with pytest.raises(NotAllowedError, match="process 1 on elsewhere"):
        runner.run(f"{TASKS}:stored", {})
    old = now_us() - int((SILENT_SECONDS + 1) * 1e6)
    change_record(store, "trainer", lambda _: replace(there, heartbeat=old))
    assert runner.run(f"{TASKS}:stored", {})["name"] == "fruit"
    # it notices that it was replaced, and does nothing any more
    running = Running(runner)
    change_record(store, "trainer", lambda _: replace(there, heartbeat=now_us()))
    assert isinstance(running.ended(), Cancelled)
    assert runner_record(store, "trainer") is not None
    assert runner_record(store, "trainer").token == "x"  # type: ignore[union-attr]


def test_a_process_id_that_is_used_again_is_not_the_runner(store: SqlStore, runner: BackgroundRunner) -> None:
    import socket

    before = int((psutil.Process().create_time() - 30) * 1e6)
    record = RunnerRecord("x", socket.gethostname(), os.getpid(), max(before, now_us() - 100_000_000))
    change_record(store, "trainer", lambda _: record)
    if record.heartbeat == before:
        assert not runner.is_elsewhere
    change_record(store, "trainer", lambda _: replace(record, heartbeat=now_us()))
    assert runner.is_elsewhere


def test_closed_runner_releases_its_record(store: SqlStore, runner: BackgroundRunner, reopen: Opener) -> None:
    running, other = Running(runner), BackgroundRunner(reopen(), "trainer")
    runner.close()
    record = other.record
    assert record is not None
    assert (record.token, record.state) == (None, "stopped")
    assert isinstance(running.ended(), Cancelled)
    assert other.run(f"{TASKS}:stored", {})["name"] == "fruit"
    other.close()


def test_progress_events_arrive_in_the_kernel(runner: BackgroundRunner) -> None:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    runner.run(f"{TASKS}:stored", {}, events)
    assert seen == [Progress("reading", 1, 2)]


def test_a_copy_of_the_database_has_no_runners(store: SqlStore, runner: BackgroundRunner, tmp_path: Path) -> None:
    change_record(store, "trainer", lambda _: RunnerRecord("x", "elsewhere", 1, now_us()))
    store.copy_to(str(tmp_path / "copy.db"))
    copy = open_store(str(tmp_path / "copy.db"))
    assert runner_record(copy, "trainer") is None
    assert copy.project().name == "fruit"
    copy.close()
