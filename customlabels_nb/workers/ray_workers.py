"""Run tasks in actors on a Ray cluster.

Anyone who can reach a Ray cluster without a token can run any program on it. The address comes only from Ray's own
variable ``RAY_ADDRESS`` or from a connection that the user has made, and nothing is started here that listens for
connections.
"""

from __future__ import annotations

import hashlib
import importlib
import ipaddress
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from customlabels_nb._utils.files import write_whole
from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import counted
from customlabels_nb.errors import HelperError, InputError, MissingDependencyError
from customlabels_nb.events import Events
from customlabels_nb.models.artifact import CONFIG, WEIGHTS
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.helper_process import failure
from customlabels_nb.workers.protocol import START_SECONDS, TaskOutcome, WorkerJob, own_name

_TASKS_A_WORKER = 2
_MOST_STARTS = 3  # without being ready
_ADDRESS = "RAY_ADDRESS"


class RayWorkers:
    """Workers that are Ray actors, each with one CPU. See :class:`customlabels_nb.workers.protocol.Workers`.

    An actor that ends is never restarted. Its replacement is a new actor, which Ray starts where there is a free CPU.
    By default, there are as many as the cluster has CPUs, or GPUs if each gets one. Actors that do not fit wait for
    another node. Each worker gets a copy of the model's two files.
    """

    def __init__(self, job: WorkerJob, count: int | None, *, gpus: int = 0) -> None:
        self._ray = ray = _imported()
        self._connected_here = _connect(ray)
        try:
            self._unit = unit = "GPU" if gpus else "CPU"
            there = int(ray.cluster_resources().get(unit, 0))
            if not (count or there):
                raise InputError(f"workers=None requires a cluster with {unit}s, but it has none yet. Pass a number.")
            # each machine has folders and threads of its own
            options = {name: value for name, value in job.options.items() if name != "cache_dir"} | {"threads": 1}
            self._job = asdict(replace(job, options=options))
            self._files = None if job.model is None else ray.put(_files(Path(job.model)))
            self._class = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Worker)
            self._since = time.monotonic()  # there is no worker
            self.count = count or there
            self._actors = [self._started(1) for _ in range(self.count)]
        except BaseException:
            if self._connected_here:
                ray.shutdown()
            raise

    @property
    def names(self) -> list[str]:
        return [actor.name for actor in self._actors if actor.name]

    def ready(self) -> int:
        return len(self.names)

    def room(self) -> int:
        return sum(_TASKS_A_WORKER - len(actor.tasks) for actor in self._actors if actor.name)

    def submit(self, number: int, task: Any) -> None:
        actor = min((actor for actor in self._actors if actor.name), key=lambda actor: len(actor.tasks))
        actor.tasks[actor.handle.run.remote(task)] = number

    def wait(self, seconds: float) -> list[TaskOutcome]:
        ray, outcomes = self._ray, list[TaskOutcome]()
        pending = [ref for actor in self._actors for ref in actor.pending()]
        ray.wait(pending, timeout=seconds)
        ended = set(ray.wait(pending, num_returns=len(pending), timeout=0)[0])
        for index, actor in enumerate(self._actors):
            try:
                while actor.pending() and actor.pending()[0] in ended:  # an actor runs its tasks in order
                    outcomes += self._outcome(actor, actor.pending()[0])
            except ray.exceptions.RayError as error:
                reason = _reason(error)
                tries = 0 if actor.name else actor.starts
                if tries >= _MOST_STARTS:
                    raise HelperError(
                        f"A worker ended {counted(tries, 'time')} before it was ready: {reason}", "ended"
                    ) from error
                with suppress(Exception):  # if it is only unreachable, it must not go on
                    ray.kill(actor.handle)
                name, tasks = actor.name, list(actor.tasks.values())
                lost = f"The worker on {name} ended: {reason}"
                outcomes += [TaskOutcome(each, "lost", error=lost, kind="ended", worker=name) for each in tasks[:1]]
                outcomes += [TaskOutcome(each, "returned", worker=name) for each in tasks[1:]]
                self._actors[index] = self._started(tries + 1)
        self._check_any()
        return outcomes

    def close(self) -> None:
        for actor in self._actors:
            with suppress(Exception):  # the cluster may have ended
                self._ray.kill(actor.handle)
        self._actors, self._files = [], None
        if self._connected_here:
            self._ray.shutdown()

    def _started(self, starts: int) -> _Actor:
        handle = self._class.remote()
        return _Actor(handle, handle.prepare.remote(self._job, self._files), starts)

    def _outcome(self, actor: _Actor, ref: Any) -> list[TaskOutcome]:
        """Take an answer of an actor, and return the end of the task that it belongs to."""
        answer = self._ray.get(ref)
        if ref is actor.preparation:
            if "failed" in answer:
                raise HelperError(answer["failed"], answer["kind"])
            actor.preparation, actor.name = None, answer["result"]
            return []
        number = actor.tasks.pop(ref)
        if "failed" in answer:
            return [TaskOutcome(number, "failed", error=answer["failed"], kind=answer["kind"], worker=actor.name)]
        return [TaskOutcome(number, "done", answer["result"], worker=actor.name)]

    def _check_any(self) -> None:
        if self.names:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > START_SECONDS:
            free, all_ = (
                resources.get(self._unit, 0)
                for resources in (self._ray.available_resources(), self._ray.cluster_resources())
            )
            raise HelperError(
                f"The cluster has started no worker within {START_SECONDS / 60:.0f} minutes. Each needs one "
                f"{self._unit}, and {free:g} of {all_:g} are free. Add nodes, or end other jobs."
            )


@dataclass
class _Actor:
    """Actor and the references to its answers, in the order in which it will give them."""

    handle: Any
    preparation: Any
    starts: int
    name: str = ""
    tasks: dict[Any, int] = field(default_factory=dict)

    def pending(self) -> list[Any]:
        return [*([] if self.preparation is None else [self.preparation]), *self.tasks]


class _Worker:
    """Actor. Its answers are those of a helper process: a result, or the reason why there is none."""

    def __init__(self) -> None:
        self._work: Callable[..., Any] | None = None

    def prepare(self, job: dict[str, Any], files: Mapping[str, bytes] | None) -> dict[str, Any]:
        def work() -> str:
            copied = {} if files is None else {"model": str(_written(files))}
            self._work = WorkerJob(**job | copied).prepare()
            return own_name()

        return _answer(work)

    def run(self, task: Any) -> dict[str, Any]:
        assert self._work is not None
        return _answer(partial(self._work, task, Events()))


def _answer(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"result": work()}
    except MemoryError:
        return {"failed": f"There is not enough memory on {own_name()}.", "kind": "memory"}
    except Exception as error:
        return failure(error)


def _files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)}


def _written(files: Mapping[str, bytes]) -> Path:
    """Write the model's files to the cache of this machine, whose workers share them, and return the folder."""
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    folder = settings.cache_dir / "models" / digest
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_whole(folder / name, data)
    return folder


def _reason(error: Exception) -> str:
    """Return the sentence of one of Ray's errors that says why an actor ended."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = next((line for line in lines if line.startswith("The actor is dead because")), lines[-1] if lines else "")
    return cause.split(" Worker exit detail:")[0][:500] or type(error).__name__


# -- connection -------------------------------------------------------------------------------------
def _imported() -> Any:
    # otherwise Ray copies the current folder, with all photos in it, to the cluster if this process runs in "uv run"
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise MissingDependencyError(f"backend='ray' requires Ray. Install it with: {extra_command('ray')}") from error


def _connect(ray: Any) -> bool:
    """Connect to the cluster of ``RAY_ADDRESS``, unless there is a connection. Return True if there was none."""
    address, connected = os.environ.get(_ADDRESS, ""), bool(ray.is_initialized())
    if not connected:
        _check_address(address)
        try:
            ray.init(address, log_to_driver=False, logging_level="error")
        except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{_ADDRESS}={address!r} cannot be used: {_reason(error)}") from error
    try:
        for node in ray.nodes():
            if node["Alive"]:
                _check_token(node["NodeManagerAddress"])
    except BaseException:
        if not connected:
            ray.shutdown()
        raise
    return not connected


def _check_address(address: str) -> None:
    if not address:
        raise InputError(
            f"backend='ray' requires a Ray cluster, but {_ADDRESS} is not set. Set it to host:port of a cluster. "
            "Without a cluster, leave out `backend`: workers=4 starts processes on this machine."
        )
    if "://" in address:
        raise InputError(
            f"{_ADDRESS}={address!r} is not host:port. Ray Client is not supported: run this program on the cluster, "
            "for example with `ray job submit`."
        )
    if address == "local":  # Ray would start a cluster
        raise InputError(f"{_ADDRESS}='local' is not host:port of a running cluster.")
    try:
        host = urlsplit(f"//{address}").hostname
    except ValueError:  # a bracket is missing
        host = None
    _check_token(host or address)


def _check_token(host: str) -> None:
    """Raise an InputError if a host is another machine, and Ray does not ask for a token."""
    local = host == "localhost"
    with suppress(ValueError):
        local = local or ipaddress.ip_address(host).is_loopback
    if not local and os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        raise InputError(
            f"The Ray cluster uses {host!r}, which other machines can reach, without a token: anyone can run "
            "programs on it. Start it with RAY_AUTH_MODE=token and a token of `ray get-auth-token --generate`, and set "
            "both here. Use a private network or TLS, because Ray sends the token unencrypted."
        )
