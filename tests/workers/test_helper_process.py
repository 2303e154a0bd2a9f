"""Tests of the helper process: events, errors, crashes, stopping, idling, and the death of the parent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from customlabels_nb.errors import Cancelled, HelperError
from customlabels_nb.events import Event, Events, Message, Metrics, Progress
from customlabels_nb.workers import helper_process
from customlabels_nb.workers.helper_process import HelperProcess
from tests.waiting import is_gone, is_soon

TASKS = "tests.workers.helper_tasks"

PARENT = """
import os, sys, threading, time
sys.path[:] = sys.argv[2:]
from customlabels_nb.workers.helper_process import HelperProcess
from customlabels_nb.events import Events
events, helper = Events(), HelperProcess()
def told(event):
    print(helper.pid, flush=True)
events.subscribe(told)
threading.Thread(target=helper.run, args=("tests.workers.helper_tasks:work", {"steps": 10_000}, events)).start()
if sys.argv[1] == "fork":  # a process that has the pipes open and outlives the kernel
    time.sleep(1.5)
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
time.sleep(60)
"""


@pytest.fixture
def helper() -> Iterator[HelperProcess]:
    made = HelperProcess()
    yield made
    made.close()


def heard() -> tuple[Events, list[Event]]:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    return events, seen


def test_a_task_runs_in_another_process_with_low_priority(helper: HelperProcess) -> None:
    events, seen = heard()
    found = helper.run(f"{TASKS}:add", [1, 2, 3.5], events)
    assert found["sum"] == 6.5
    assert found["pid"] == helper.pid != os.getpid()
    assert found["nice"] == max(os.nice(0), 10)
    steps = [Progress("adding", done, 3, "numbers") for done in (1, 2, 3)]
    assert seen == [Message("début ✓"), *steps, Metrics(3, {"loss": 0.25})]  # without samples, which have images
    assert helper.run(f"{TASKS}:add", [1])["pid"] == found["pid"]  # the same process


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("typed", "NotEnoughDataError", "There are only 3 labels. Label 7 more."),
        ("untyped", "ValueError", "ValueError: bad value"),
        ("memory", "memory", "not enough memory"),
        ("killed", "killed", "SIGKILL"),
        ("crashed", "killed", "SIGSEGV"),
        ("exited", "ended", "code 7: last words"),
    ],
)
def test_failures_and_crashes_give_their_reason(helper: HelperProcess, how: str, kind: str, text: str) -> None:
    events, seen = heard()
    with pytest.raises(HelperError, match=text) as caught:
        helper.run(f"{TASKS}:fail", how, events)
    assert caught.value.kind == kind
    assert seen == [Progress("failing", 0, 1)]
    assert helper.run(f"{TASKS}:add", [1])["sum"] == 1  # in a new process, if necessary


def test_out_of_memory_kill_is_reported(helper: HelperProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([3, 4])  # of the system, before and after

    def read(path: Path, *_: Any) -> str:
        return f"oom_kill {next(counts)}\n" if str(path) == "/proc/vmstat" else ""

    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(HelperError, match="because memory ran out"):
        helper.run(f"{TASKS}:fail", "killed")


@pytest.mark.parametrize("entry", ["tests.nothing:run", f"{TASKS}:nothing", f"{TASKS}:unserialisable", "x"])
def test_invalid_task_is_an_error(helper: HelperProcess, entry: str) -> None:
    with pytest.raises(HelperError, match=r"Error"):
        helper.run(entry, None)
    assert helper.run(f"{TASKS}:add", [2])["sum"] == 2


@pytest.mark.storing
def test_a_task_is_stopped_at_its_next_event(helper: HelperProcess) -> None:
    events = Events()
    events.subscribe(lambda event: events.cancel() if isinstance(event, Progress) and event.done == 5 else None)
    with pytest.raises(Cancelled):
        helper.run(f"{TASKS}:work", {"steps": 10_000}, events)
    pid = helper.pid
    assert helper.run(f"{TASKS}:work", {"steps": 3}) == "finished"  # which the earlier request does not stop
    assert helper.pid == pid is not None


@pytest.mark.storing
def test_a_task_that_does_not_stop_is_killed(helper: HelperProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "STOP_SECONDS", 0.3)
    helper.run(f"{TASKS}:add", [1])
    events, pid = Events(), helper.pid
    events.cancel()
    with pytest.raises(Cancelled, match="did not respond"):
        helper.run(f"{TASKS}:work", {"steps": 10_000, "silent": True}, events)
    assert pid is not None
    assert is_gone(pid)


def test_an_interrupt_ends_the_task(helper: HelperProcess) -> None:
    events = Events()

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    events.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        helper.run(f"{TASKS}:work", {"steps": 10_000}, events)
    assert helper.pid is None
    assert helper.run(f"{TASKS}:add", [1])["sum"] == 1


@pytest.mark.storing
def test_a_process_ends_after_a_time_without_work() -> None:
    helper = HelperProcess(idle_seconds=0.3)
    first = helper.run(f"{TASKS}:add", [1])["pid"]
    assert is_soon(lambda: helper.pid is None)
    assert is_gone(first)
    found = helper.run(f"{TASKS}:add", [2])
    assert found["sum"] == 2
    assert found["pid"] != first
    for _ in range(5):  # about when the process ends
        time.sleep(0.3)
        assert helper.run(f"{TASKS}:add", [3])["sum"] == 3
    helper.close()


def test_a_helper_that_ends_at_once_is_an_error(helper: HelperProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    with pytest.raises(HelperError, match="ended with code 0"):
        helper.run(f"{TASKS}:add", [1])
    monkeypatch.undo()
    assert helper.run(f"{TASKS}:add", [1])["sum"] == 1


def test_a_launcher_may_start_the_helper(
    helper: HelperProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launcher = tmp_path / "python"  # as in virtual environments on Windows
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(launcher))
    pid = helper.run(f"{TASKS}:add", [1])["pid"]
    time.sleep(1.5)
    assert helper.run(f"{TASKS}:add", [2])["pid"] == pid != helper.pid
    helper.close()
    assert is_soon(lambda: is_gone(pid))


def test_a_closed_helper_ends_its_task(helper: HelperProcess) -> None:
    events, seen = heard()
    failures: list[Exception] = []

    def run() -> None:
        try:
            helper.run(f"{TASKS}:work", {"steps": 10_000}, events)
        except HelperError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert is_soon(lambda: seen, 20)
    helper.close()
    thread.join(5)
    assert len(failures) == 1
    assert helper.pid is None


@pytest.mark.storing
@pytest.mark.parametrize("how", ["plain", "fork"])
def test_a_helper_ends_with_a_killed_kernel(how: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, how, *sys.path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    helper = int(parent.stdout.readline())
    if how == "fork":
        time.sleep(2.5)
    assert not is_gone(helper)
    forked = [child.pid for child in psutil.Process(parent.pid).children() if child.pid != helper]
    assert len(forked) == (how == "fork")
    parent.send_signal(signal.SIGKILL)
    started = time.monotonic()
    try:
        assert is_soon(lambda: is_gone(helper), 5)
        print(f"helper ended {time.monotonic() - started:.2f} s after its kernel")
    finally:
        parent.wait()
        parent.stdout.close()
        for pid in forked:
            os.kill(pid, signal.SIGKILL)
