"""Describe workers, the job that they are prepared for, and the tasks that they process.

A task is a small JSON value, such as the names of a chunk of images, and so is its result. Images and predictions never
pass through the driver: workers read images by name, and write their results where the job says.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, Protocol

from customlabels_nb._utils.installing import OURS, installed_version
from customlabels_nb.errors import ImageError, ModelError
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import content_hash, read_bytes
from customlabels_nb.settings import settings

#: Without a worker that becomes ready. Cluster autoscalers take minutes.
START_SECONDS = 900.0
_PACKAGES = (OURS, "torch", "torchvision", "pillow")
#: Settings that are not JSON values.
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "cache_dir": Path,
    "buckets": lambda folders: {name: Path(folder) for name, folder in folders.items()},
}


def own_versions() -> dict[str, str]:
    """Return the versions of this package, Python and the packages that results depend on."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, **{name: installed_version(name) or "none" for name in _PACKAGES}}


def own_name() -> str:
    return f"{platform.node()}, process {os.getpid()}"


@dataclass(frozen=True)
class WorkerJob:
    """Job that each worker of a run is prepared for. All fields are JSON values.

    ``entry`` is "package.module:function". It is called once in each worker with this job. It returns the function that
    is called with each task, and with :class:`customlabels_nb.events.Events`, and returns the task's result. ``model``
    is a folder with config.json and model.safetensors, as the worker sees it. If workers cannot read the driver's
    folder, the backend gives each of them a copy, and the job with its path. ``identity`` is that of the driver's copy.
    ``probes`` are files that each worker must be able to read, with their SHA-256 hash, or "" for remote files.
    ``options`` are the fields of ``settings`` that each worker sets, and ``versions`` those of the driver.
    """

    entry: str
    arguments: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    identity: str = ""
    probes: list[list[str]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=own_versions)

    def prepare(self) -> Callable[..., Any]:
        """Prepare this process, a worker, and return the function that it calls with each task and its events."""
        for name, value in self.options.items():
            setattr(settings, name, _FROM_JSON.get(name, lambda plain: plain)(value))
        _check_versions(self.versions)
        for name, digest in self.probes:
            _check_readable(name, digest)
        if self.model is not None:
            from customlabels_nb.models.artifact import load_config, model_identity

            if model_identity(Path(self.model), load_config(Path(self.model))) != self.identity:
                raise ModelError(f"The model on {own_name()} is not the driver's model. Start the run again.")
        work: Callable[..., Any] = resolve_name(self.entry)(self)
        return work


def _check_versions(driver: dict[str, str]) -> None:
    versions = own_versions()
    for name, wanted in driver.items():
        if (version := versions.get(name, "none")) != wanted:
            raise ModelError(
                f"The worker on {own_name()} has {name} {version}, but the driver has {name} {wanted}. "
                "Install the same version on both."
            )


def _check_readable(name: str, digest: str) -> None:
    from customlabels_nb.remote.remote_files import look_up

    try:
        if is_remote(name):
            look_up(name)  # a file in the download cache would say nothing about the worker's credentials
            return
        actual = content_hash(read_bytes(name, max_bytes=None))
    except ImageError as error:
        raise ModelError(f"The worker on {own_name()} cannot read {name!r}: {error.reason}") from error
    if actual != digest:
        raise ModelError(f"The worker on {own_name()} reads another file as {name!r} than the driver.")


@dataclass(frozen=True)
class TaskOutcome:
    """End of a submitted task.

    ``state`` is "done", "failed" if the task raised an error (of class ``kind``), "lost" if the worker ended while it
    processed the task, or "returned" if the worker ended before it began with the task.
    """

    number: int
    state: Literal["done", "failed", "lost", "returned"]
    result: Any = None
    error: str = ""
    kind: str = ""
    worker: str = ""


class Workers(Protocol):
    """Workers that are prepared for one job. The backend replaces workers that end.

    A replacement receives tasks once it is prepared, and never before. The driver calls all methods from one thread.
    ``count`` is their number once all are ready.
    """

    count: int

    def ready(self) -> int:
        """Return the number of workers that can process tasks now."""

    def room(self) -> int:
        """Return the number of tasks that can be submitted now."""

    def submit(self, number: int, task: Any) -> None:
        """Give a task to a worker that has room for it."""

    def wait(self, seconds: float) -> list[TaskOutcome]:
        """Wait until tasks end, a worker becomes ready, or the time is over, and return the tasks that have ended."""

    def close(self) -> None:
        """End all workers at once, including the tasks that they are processing."""
