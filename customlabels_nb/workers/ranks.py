"""Start the processes (ranks) of a training run, and connect them with torch.distributed.

Rank 0 is the process that trains. The others are workers of :mod:`customlabels_nb.workers.protocol`, or processes that
``torchrun`` has started. They receive their work through the connection: the name of a function, JSON values and
tensors, never pickled objects. Each of these messages is authenticated with a key. Workers get it with their task, and
processes of ``torchrun`` from the environment variable :data:`KEY`. Numbers of steps and gradients, which cannot run
code, are not authenticated. The connection uses gloo for CPU tensors and nccl for CUDA tensors. Its ports listen on
127.0.0.1 if all processes are on this machine, otherwise on the address of the Ray node, or of ``torchrun``.
"""

from __future__ import annotations

import atexit
import hashlib
import hmac
import importlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeAlias

import psutil

from customlabels_nb._utils.text import counted
from customlabels_nb.errors import HelperError, InputError
from customlabels_nb.events import Events
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.protocol import START_SECONDS, WorkerJob, Workers, readable_everywhere
from customlabels_nb.workers.spreading import open_workers, worker_options

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import Store

#: Environment variable with the key of the processes that ``torchrun`` starts.
KEY = "CUSTOMLABELS_NB_RANKS_KEY"
#: Functions that rank 0 can name. Each takes a :class:`RankTask` and returns its work, with the methods ``prepare()``,
#: which does what takes long and needs no other rank, and ``run(rank, size)``, which takes part until rank 0 ends it.
FUNCTIONS = {
    "detector": "customlabels_nb.training.detector_recipe:detector_rank",
    "classifier": "customlabels_nb.training.fine_tuning:classifier_rank",
}
_END = "end"  # in place of a function: there are no more runs
_MESSAGE = "message"  # JSON among the tensors of a message
_KEY_CHARACTERS = 32
_HEAD_BYTES, _TAG_BYTES = 8 + 32, 32  # length and SHA-256 hash of a message, and their HMAC
_LOOPBACK = "127.0.0.1"
_ENTRY = "customlabels_nb.workers.ranks:take_part"
_TIMEOUT = timedelta(minutes=10)  # without a response
_PATIENCE = timedelta(days=7)  # for what rank 0 does alone, such as validation. Its end is noticed otherwise
_LOOK_SECONDS = 0.2
_END_SECONDS = 5.0  # until the end of a process is noticed
_LOST = "lost"
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


class LostRankError(HelperError):
    """A process of a training run has ended, or can no longer be reached."""


@dataclass(frozen=True)
class RankTask:
    """Work of the ranks other than 0, as rank 0 sends it: a key of :data:`FUNCTIONS`, JSON facts and tensors.

    In ``facts``, arrays become lists, dataclasses dicts, and paths strings. Tensors are received on the CPU.
    """

    function: str
    facts: dict[str, Any]
    tensors: dict[str, Tensor] = field(default_factory=dict)


class WorkerRanks:
    """Ranks that are workers on this machine or in a cluster, as rank 0 sees them. ``size`` includes this one."""

    def __init__(self, size: int, backend: str | None = None, *, shared_filesystem: bool = False) -> None:
        self.size, self.threads = size, 1 if backend else max(1, settings.threads // size)
        self._backend, self._shared_filesystem, self._gpus = backend, shared_filesystem, 0
        self._probes: list[list[str]] = []
        self._workers: Workers | None = None
        self._running: set[int] = set()  # ranks whose tasks have not ended
        self._is_stopped = False  # True if these tasks are of a former run, and may fail

    def check(self, device: str, images: Iterable[str], root: Path) -> None:
        """Check that the processes can use ``device``, and can read images that are files."""
        import torch

        if device not in ("cpu", "cuda"):
            raise InputError(f"workers={self.size} requires device='cpu' or 'cuda', not {device!r}.")
        self._gpus = int(device == "cuda")
        if self._backend is None:
            if device == "cuda" and torch.cuda.device_count() < self.size:
                raise InputError(
                    f"workers={self.size} requires {self.size} CUDA devices, but this machine has "
                    f"{torch.cuda.device_count()}. Pass fewer workers, or device='cpu'."
                )
            return
        self._probes = readable_everywhere(list(images), root, shared_filesystem=self._shared_filesystem)

    def start(self, task: RankTask, size: int, ready: Callable[[int], None]) -> None:
        """Connect the first ``size`` processes and let the others run ``task``.

        ``ready`` gets the number of ready processes until all are. LostRankError means that one ended before.
        """
        try:
            self._start(task, size, ready)
        except BaseException:
            disconnect()
            raise

    def _start(self, task: RankTask, size: int, ready: Callable[[int], None]) -> None:
        from torch.distributed import TCPStore

        if self._workers is None:
            options = {**worker_options(None), "threads": self.threads}
            job = WorkerJob(_ENTRY, probes=self._probes, options=options)
            self._workers = open_workers(job, size - 1, self._backend, gpus=self._gpus)
        most, since = -1, time.monotonic()
        while self._running or self._workers.ready() < size - 1:  # each must get one task
            self._check_workers()
            ready(0)
            started = self._workers.ready()
            if started > most:
                most, since = started, time.monotonic()
            elif started < size - 1 and time.monotonic() - since > START_SECONDS:
                raise HelperError(
                    f"Only {started} of {counted(size - 1, 'worker')} have started, and none within "
                    f"{START_SECONDS / 60:.0f} minutes. Pass workers={started + 1}, or add nodes."
                )
        host = _LOOPBACK if self._backend is None else _ray_address()
        listener = socket.create_server((host, 0))
        port = listener.getsockname()[1]
        store = TCPStore(host, port, size, True, _TIMEOUT, wait_for_workers=False, master_listen_fd=listener.detach())
        common = {"size": size, "host": host, "port": port, "key": secrets.token_hex()}
        self._is_stopped = False
        for rank in range(1, size):
            self._running.add(rank)
            self._workers.submit(rank, {"rank": rank, "device": 0 if self._backend else rank, **common})
        self._wait(store, "here", size, ready)
        _connect(store, 0, size, host, common["key"])
        _send(task)
        self._wait(store, "ready", size, ready)

    def reason(self) -> str:
        """Disconnect after a loss, and return the reason or raise HelperError if restarting would not help."""
        disconnect()
        try:
            for _ in range(round(_END_SECONDS / _LOOK_SECONDS)):
                self._check_workers()
        except LostRankError as error:
            return str(error)
        return "A process of this training run does not respond."

    def stop(self) -> None:
        """Disconnect. :meth:`start` can be called again."""
        disconnect()
        self._is_stopped = True

    def close(self) -> None:
        disconnect()
        if self._workers is not None:
            self._workers.close()

    def _wait(self, store: Store, what: str, size: int, ready: Callable[[int], None]) -> None:
        """Wait until all other ranks have set a key in the store."""
        missing = set(range(1, size))
        while missing:
            self._check_workers()
            missing = {rank for rank in missing if not store.check([f"{what}/{rank}"])}
            ready(size - 1 - len(missing) if what == "ready" else 0)

    def _check_workers(self) -> None:
        """Wait a moment for workers, and raise an error if the task of one of them has failed."""
        assert self._workers is not None
        outcomes = self._workers.wait(_LOOK_SECONDS)
        self._running -= {outcome.number for outcome in outcomes}
        if self._is_stopped:
            return
        for outcome in outcomes:
            if outcome.state == "failed":
                raise HelperError(f"Training failed in {outcome.worker}: {outcome.error}", outcome.kind)
        for outcome in outcomes:
            if outcome.state != "done":
                raise LostRankError(outcome.error)


class TorchrunRanks:
    """Ranks that ``torchrun`` has started. All of them run the same program. See :class:`WorkerRanks`."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.size = int(os.environ["WORLD_SIZE"])
        self.threads = max(1, settings.threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    def check(self, device: str, images: Iterable[str], root: Path) -> None:
        if device not in ("cpu", "cuda"):
            raise InputError(f"workers={self.size} requires device='cpu' or 'cuda', not {device!r}.")

    def start(self, task: RankTask, size: int, ready: Callable[[int], None]) -> None:
        if size != self.size:
            raise InputError(f"workers={self.size} cannot share the images of a batch equally. Start {size} processes.")
        _join()
        _send(task)

    def reason(self) -> str:
        call = f"project.model({self.version!r}).resume()"
        raise HelperError(f"Another process of this training run has ended. Start torchrun again, and call {call}.")

    def stop(self) -> None:
        """Stay connected, for the next run."""


Ranks: TypeAlias = WorkerRanks | TorchrunRanks


@contextmanager
def ranks(
    workers: int | None, backend: str | None = None, shared_filesystem: bool = False, *, version: str = ""
) -> Iterator[Ranks | None]:
    """Yield the ranks for a training run in this process, or None if it trains alone.

    By default, they are here or where ``torchrun`` has started them, where :func:`follow` returns ``version``.
    """
    if workers is None or workers == 1:
        yield None
    elif launched_rank(workers) is not None:
        yield TorchrunRanks(version)
        _join()
        _send(RankTask(_END, {"version": version}))
    else:
        group = WorkerRanks(workers, backend, shared_filesystem=shared_filesystem)
        try:
            yield group
        finally:
            group.close()


def launched_rank(workers: int | None) -> int | None:
    """Return the number of this process among those of ``torchrun``, or None if it trains without them."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if workers in (None, 1) or size == 1 or not {"RANK", "MASTER_ADDR"} <= os.environ.keys():
        return None
    if workers != size:
        raise InputError(f"workers={workers} must be {size}, the number of processes that torchrun has started.")
    if len(os.environ.get(KEY, "")) < _KEY_CHARACTERS:
        raise InputError(
            f"workers={workers} with torchrun requires a key of at least {_KEY_CHARACTERS} characters in the "
            f"environment variable {KEY}. Start it with {KEY}=$(openssl rand -hex 32) torchrun …, and the same key on "
            "all machines."
        )
    return int(os.environ["RANK"])


# -- other ranks ------------------------------------------------------------------------------------
def take_part(job: WorkerJob) -> Callable[[dict[str, Any], Events], str]:
    return _take_part


def _take_part(task: Mapping[str, Any], events: Events) -> str:
    from torch.distributed import TCPStore

    rank, size = task["rank"], task["size"]
    os.environ["LOCAL_WORLD_SIZE"] = str(size)
    try:
        store = TCPStore(task["host"], task["port"], size, False, _TIMEOUT)
        store.set(f"here/{rank}", "")
        _connect(store, rank, size, task["host"], task["key"])
        work = work_of(_received(), task["device"])
        work.prepare()
        store.set(f"ready/{rank}", "")
        work.run(rank, size)
    except (LostRankError, ConnectionError):
        return _LOST
    finally:
        disconnect()
    return "done"


def follow() -> str:
    """Take part in rank 0's trainings in a process of ``torchrun``, and return its ``version``."""
    _join()
    device = int(os.environ.get("LOCAL_RANK", "0"))
    while (received := _received()).function != _END:
        work = work_of(received, device)
        work.prepare()
        work.run(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    return str(received.facts["version"])


# -- connection -------------------------------------------------------------------------------------
def exchange(operation: Callable[..., object], *arguments: Any, **options: Any) -> None:
    """Run a collective operation of torch.distributed. LostRankError if another rank does not respond."""
    try:
        operation(*arguments, **options)
    except RuntimeError as error:
        raise LostRankError(f"Lost the connection to another process: {error}") from error


class RankChannel:
    """Authenticated messages from rank 0 to the others, in order and each once.

    ``session`` are random bytes of this connection, to which each rank has contributed. ``broadcast`` is called by all
    ranks with equally many bytes, and returns those of rank 0.
    """

    def __init__(self, key: str, session: bytes, broadcast: Callable[[bytes], bytes]) -> None:
        self._key = hmac.digest(key.encode(), session, "sha256")
        self._broadcast = broadcast
        self._messages = 0

    def send(self, data: bytes) -> None:
        """Send a message, as rank 0."""
        head = len(data).to_bytes(8, "big") + hashlib.sha256(data).digest()
        self._broadcast(head + self._tag(head))
        self._broadcast(data)

    def receive(self) -> bytes:
        """Return the next message, as another rank. HelperError if it has another key or is not the next one."""
        signed = self._broadcast(bytes(_HEAD_BYTES + _TAG_BYTES))
        head, tag = signed[:_HEAD_BYTES], signed[_HEAD_BYTES:]
        if hmac.compare_digest(tag, self._tag(head)):
            data = self._broadcast(bytes(int.from_bytes(head[:8], "big")))
            if hmac.compare_digest(hashlib.sha256(data).digest(), head[8:]):
                return data
        raise HelperError(
            f"A message was refused, because rank 0 did not send it with the key of this process. If torchrun runs on "
            f"several machines, set {KEY} to the same key on all of them.",
            "ValueError",
        )

    def _tag(self, head: bytes) -> bytes:
        self._messages += 1
        return hmac.digest(self._key, b"from rank 0" + self._messages.to_bytes(8, "big") + head, "sha256")


_channels: list[RankChannel] = []  # that of the connection, if there is one


def _open_channel(key: str) -> None:
    import torch
    import torch.distributed as dist

    def broadcast(data: bytes) -> bytes:
        content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        exchange(dist.broadcast, content, src=0)
        return bytes(content.numpy())

    tag = torch.frombuffer(bytearray(os.urandom(_TAG_BYTES)), dtype=torch.uint8)
    all_ = [torch.empty_like(tag) for _ in range(dist.get_world_size())]
    exchange(dist.all_gather, all_, tag)
    _channels[:] = [RankChannel(key, torch.cat(all_).numpy().tobytes(), broadcast)]


def _connect(store: Store, rank: int, size: int, host: str, key: str) -> None:
    import torch.distributed as dist

    # if the optimizer imports it later, its modules keep the connection open after disconnect()
    importlib.import_module("torch._dynamo")

    if dist.is_initialized():
        raise InputError("torch.distributed is in use. Call torch.distributed.destroy_process_group() first.")
    for name in _INTERFACES:
        os.environ[name] = _interface(host)
    timeout = _PATIENCE if rank else _TIMEOUT  # the end of rank 0 closes their connections
    exchange(dist.init_process_group, _backends(), store=store, rank=rank, world_size=size, timeout=timeout)
    _open_channel(key)


def _join() -> None:
    import torch.distributed as dist

    if not dist.is_initialized():
        if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:  # all are on this machine
            for name in _INTERFACES:
                os.environ.setdefault(name, _interface(_LOOPBACK))
        dist.init_process_group(_backends(), timeout=_PATIENCE)  # torchrun ends all if one ends
        atexit.register(disconnect)  # connecting again would find the addresses of the former connection
    if not _channels:
        _open_channel(os.environ[KEY])


def disconnect() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
    _channels.clear()
    for name in _INTERFACES:
        os.environ.pop(name, None)


def _ray_address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


def _backends() -> str:
    import torch

    available: bool = torch.cuda.is_available()
    return "cpu:gloo,cuda:nccl" if available else "gloo"


def _interface(host: str) -> str:
    """Return the name of the network interface with an address, so that connections use no other."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == host for address in addresses):
            return str(name)
    raise InputError(f"This machine has no network interface with the address {host}.")


def _send(task: RankTask) -> None:
    import torch
    from safetensors.torch import save

    message = json.dumps({"function": task.function, "facts": task.facts}, default=_plain).encode()
    tensors = {name: value.detach().cpu().contiguous() for name, value in task.tensors.items()}
    _channels[0].send(save({**tensors, _MESSAGE: torch.frombuffer(bytearray(message), dtype=torch.uint8)}))


def _plain(value: Any) -> Any:
    """Convert an array, a path or a dataclass to a JSON value."""
    if isinstance(value, Path):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else vars(value)


def _received() -> RankTask:
    from safetensors.torch import load

    tensors = load(_channels[0].receive())
    return RankTask(**json.loads(tensors.pop(_MESSAGE).numpy().tobytes()), tensors=tensors)


def work_of(task: RankTask, device: int) -> Any:
    """Return the work of a task, with its network on the CUDA device with this number if there is one."""
    import torch

    if task.function not in FUNCTIONS:
        raise HelperError(f"Rank 0 named {task.function!r}, but only {list(FUNCTIONS)} can run. Install one version.")
    if torch.cuda.is_available():
        torch.cuda.set_device(device)
    return resolve_name(FUNCTIONS[task.function])(task)
