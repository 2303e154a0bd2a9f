"""Run functions in a helper process. It ends with its parent, and after a time without work.

The parent writes tasks to the helper's stdin and reads events from its stdout, one JSON object per line. A task names a
function, as in "package.module:function", which is called with the arguments (any JSON value) and with
:class:`~customlabels_nb.events.Events`. It returns a JSON value.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, Any

import psutil

from customlabels_nb.errors import Cancelled, CustomLabelsError, HelperError
from customlabels_nb.events import Event, Events, Message, Metrics, Progress, Result

#: Time without work after which a helper ends.
IDLE_SECONDS = 300.0
#: Time that a task may take to stop before the helper is killed.
STOP_SECONDS = 10.0

_POLL_SECONDS = 0.2
_WATCH_SECONDS = 1.0
_NICENESS = 10
_LONGEST_REASON = 500
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from customlabels_nb.workers.helper_process import serve; serve(int(sys.argv.pop()))"
)
_EVENTS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Progress, Message, Result, Metrics)}


# -- parent -----------------------------------------------------------------------------------------
class HelperProcess:
    """Process that runs one task at a time, ends when idle, and yields the processor by ``niceness``."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS, niceness: int = _NICENESS) -> None:
        self.idle_seconds = idle_seconds
        self._niceness = niceness
        self._turn = threading.Lock()
        self._running: _Running | None = None
        self._rest: threading.Timer | None = None

    @property
    def pid(self) -> int | None:
        running = self._running
        return running.process.pid if running is not None and running.process.poll() is None else None

    def run(
        self, entry: str, arguments: Any, events: Events | None = None, pulse: Callable[[], None] | None = None
    ) -> Any:
        """Run a task, relay its events, and return its result. Call it in a thread, such as a :class:`Job`.

        If ``events`` is cancelled, the task is asked to stop at its next event, and killed after :data:`STOP_SECONDS`.
        Events with images are not relayed. ``pulse`` is called several times a second while the task runs.
        """
        with self._turn:
            if self._rest is not None:
                self._rest.cancel()
            if self.pid is None:
                self.close()
                self._running = _Running(self._niceness)
            assert self._running is not None
            try:
                return self._running.run({"entry": entry, "arguments": arguments}, events or Events(), pulse)
            except (Cancelled, HelperError):
                raise
            except BaseException:  # such as an interrupt: nobody would read the rest of the answer
                self._running.kill()
                raise
            finally:
                self._rest = threading.Timer(self.idle_seconds, self._end_rest)
                self._rest.daemon = True
                self._rest.start()

    def close(self) -> None:
        if self._running is not None:
            self._running.kill()

    def _end_rest(self) -> None:
        if self._turn.acquire(blocking=False):  # otherwise there is a task
            self.close()
            self._turn.release()


class _Running:
    """Started helper process, with the lines that it has written."""

    def __init__(self, niceness: int) -> None:
        path = [os.path.abspath(folder) for folder in sys.path]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self._kills = _memory_kills()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BOOTSTRAP, str(niceness), json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            # threads of low priority that spin while they wait for each other are up to five times slower
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            start_new_session=True,  # an interrupt of the kernel is sent to its whole group
        )
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self.process, self._lines), daemon=True).start()
        weakref.finalize(self, self.process.kill).atexit = False  # a forked process must not kill it when it exits

    def run(self, task: dict[str, Any], events: Events, pulse: Callable[[], None] | None) -> Any:
        deadline = None
        self._send(task)
        while True:
            if pulse is not None:
                pulse()
            if events.is_cancelled and deadline is None:
                self._send({"stop": True})
                deadline = time.monotonic() + STOP_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                self.kill()
                raise Cancelled("Stopped on request. The helper process did not respond and was ended.")
            try:
                line = self._lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if line is None:
                if events.is_cancelled:
                    raise Cancelled("Stopped on request.")
                raise HelperError(self._reason(), "killed" if self.process.returncode < 0 else "ended")
            message = json.loads(line)
            if "result" in message:
                return message["result"]
            if "stopped" in message:
                raise Cancelled(message["stopped"])
            if "failed" in message:
                raise HelperError(message["failed"], message["kind"])
            if message.get("event") in _EVENTS:
                with contextlib.suppress(Cancelled):  # the next step asks the helper to stop
                    events.emit(_EVENTS[message["event"]](**message["fields"]))

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # the process has ended, which run() notices
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        for file in (self.process.stdin, self._complaints):
            with contextlib.suppress(OSError, ValueError):  # ValueError if another thread closes it as well
                file.close()

    def _reason(self) -> str:
        """Return a sentence that says why the process ended."""
        code, lines = self.process.returncode, list[str]()
        if code == -getattr(signal, "SIGKILL", 9):
            if _memory_kills() > self._kills:
                return "The helper process was ended by the system because memory ran out. Close other programs."
            return "The helper process was killed from outside (SIGKILL), by a person or for lack of memory."
        with contextlib.suppress(OSError, ValueError):  # kill() closes the file
            self._complaints.seek(0)
            lines = self._complaints.read()[-20_000:].decode("utf-8", "replace").strip().splitlines()
        last = f": {lines[-1][:_LONGEST_REASON]}" if lines else "."
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"The helper process crashed ({signal.Signals(-code).name}){last}"
        return f"The helper process ended with code {code}{last}"


def _listen(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    """Pass on the lines that a process writes, and then None when it has ended."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    process.wait()
    lines.put(None)


def _memory_kills() -> int:
    """Count the processes that the system has ended so far because memory ran out, 0 if unknown."""
    kills = 0
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"):
        with contextlib.suppress(OSError, ValueError):
            lines = Path(path).read_text("ascii").splitlines()
            kills += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return kills


# -- helper -----------------------------------------------------------------------------------------
def serve(niceness: int) -> None:
    """Run tasks from stdin until the parent ends."""
    parent = os.getppid()  # on Windows, that of a virtual environment is a launcher
    channel = _Channel()
    _yield_to_others(niceness)
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    current: list[Events] = []

    def listen() -> None:
        for message in _messages():
            if "stop" in message:
                for events in current:
                    events.cancel()
            else:
                current[:] = [Events()]
                tasks.put(message)
        os._exit(0)  # the parent has ended

    def watch() -> None:
        while os.getppid() == parent:  # a process forked by the parent may keep stdin open
            time.sleep(_WATCH_SECONDS)
        os._exit(0)

    for work in (listen, watch):
        threading.Thread(target=work, name=f"customlabels_nb {work.__name__}", daemon=True).start()
    while True:
        task = tasks.get()
        channel.send(_outcome(task, current[0], channel))


def _outcome(task: dict[str, Any], events: Events, channel: _Channel) -> dict[str, Any]:
    events.subscribe(channel.relay)
    try:
        result = resolve_name(task["entry"])(task["arguments"], events)
        json.dumps(result)
    except Cancelled as error:
        return {"stopped": str(error)}
    except MemoryError:
        return {"failed": "There is not enough memory. Close other programs, or use fewer images.", "kind": "memory"}
    except Exception as error:
        return failure(error)
    return {"result": result}


def failure(error: Exception) -> dict[str, Any]:
    """Return the answer of a task that raised an error."""
    kind = type(error).__name__
    is_plain = isinstance(error, CustomLabelsError | OSError)
    return {"failed": str(error) if is_plain else f"{kind}: {error}", "kind": kind}


class _Channel:
    """Lines to the parent. Everything else that is printed goes to stderr."""

    def __init__(self) -> None:
        self._file: IO[bytes] = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(message).encode() + b"\n")
            self._file.flush()

    def relay(self, event: Event) -> None:
        """Write an event, unless it contains images."""
        if type(event).__name__ in _EVENTS:
            self.send({"event": type(event).__name__, "fields": vars(event)})


def _messages() -> Iterator[dict[str, Any]]:
    """Yield the messages from the parent. A buffered file would be locked while the interpreter shuts down."""
    rest = b""
    while data := os.read(0, 2**16):
        *lines, rest = (rest + data).split(b"\n")
        yield from map(json.loads, lines)


def _yield_to_others(niceness: int) -> None:
    """Give way to other processes, for the processor and for memory."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process()
        lower = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", None)
        if niceness:
            process.nice(max(int(process.nice()), niceness) if lower is None else lower)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", "ascii")  # rather this process than the kernel
