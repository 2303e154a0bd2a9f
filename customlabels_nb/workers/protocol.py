"""Describe workers, the job that they are prepared for, and the tasks that they process.

A task is a small JSON value, such as the names of a chunk of images, and so is its result. Images and predictions never
pass through the driver: workers read images by name, and write their results where the job says.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from customlabels_nb._utils.installing import OURS, installed_version
from customlabels_nb.errors import ImageError, InputError, ModelError
from customlabels_nb.images.locations import is_remote, located, to_path
from customlabels_nb.images.reading import content_hash, read_bytes
from customlabels_nb.user_settings import settings

#: Without a worker that becomes ready. Cluster autoscalers take minutes.
START_SECONDS = 900.0
_MOST_PROBES = 8
_MOST_TRIES = 8  # of each bucket, because an image can be missing
_PACKAGES = (OURS, "torch", "torchvision", "pillow")


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
    folder, the backend gives each of them a copy, and the job with its path. ``probes`` are files that each worker must
    be able to read, with their SHA-256 hash, or "" for remote files. ``options`` are the fields of ``settings`` that
    each worker sets, and ``versions`` those of the driver.
    """

    entry: str
    arguments: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    probes: list[list[str]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=own_versions)

    def prepare(self) -> Callable[..., Any]:
        """Prepare this process, a worker, and return the function that it calls with each task and its events."""
        _check_versions(self.versions)  # before options that another version may not know
        for name, value in self.options.items():
            setattr(settings, name, value)
        for name, digest in self.probes:
            _check_readable(name, digest)
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
        raise ModelError(f"The worker on {own_name()} and the driver have different files at {name!r}.")


def readable_everywhere(
    names: Sequence[str], root: Path | None, *, shared_filesystem: bool, output: Path | None = None
) -> list[list[str]]:
    """Return files that each worker must be able to read: a local one, ``output``, and one of each bucket."""
    from customlabels_nb.remote.remote_files import is_web, path_in_bucket

    local = next(filter(_is_local, names), None)
    if not shared_filesystem and (local is not None or output is not None):
        argument = f"The image {local!r}" if output is None or local is not None else f"to={str(output.parent)!r}"
        raise InputError(
            f"{argument} is a path on this machine, which workers on other machines may not have. Use a URL, such as "
            "'s3://bucket/folder/', or pass shared_filesystem=True if all machines have the same files at this path."
        )
    probes: list[list[str]] = []
    if local is not None:
        with suppress(ImageError, FileNotFoundError):  # it is reported as an unreadable image
            probes.append(_probe(str(path_in_bucket(local) or os.path.abspath(to_path(located(local, root))))))
    if output is not None:
        probes.append(_probe(str(output)))
    for bucket, there in _by_bucket(names).items():
        usable, reason = _first_readable(there[:_MOST_TRIES])
        if usable is not None:
            probes.append([usable, ""])
        elif not is_web(bucket):  # a web server needs no credentials
            raise InputError(f"None of the first images can be read: {reason}") from reason
    return probes


def _probe(path: str) -> list[str]:
    """Return the path of a file on this machine with the hash of its content."""
    return [path, content_hash(read_bytes(path, max_bytes=None))]


def _by_bucket(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of remote files by the URLs of the first buckets or web servers that they are on."""
    buckets: dict[str, list[str]] = {}
    for name in names:
        if not _is_local(name):
            url = urlsplit(name)._replace(path="", query="", fragment="").geturl()
            if url in buckets or len(buckets) < _MOST_PROBES:
                buckets.setdefault(url, []).append(name)
    return buckets


def _is_local(name: str) -> bool:
    """Check whether a name is a path on this machine, or of a bucket that is a folder on it."""
    from customlabels_nb.remote.remote_files import path_in_bucket

    try:
        return not is_remote(name) or path_in_bucket(name) is not None
    except FileNotFoundError:  # the name leads out of the bucket's folder
        return True


def _first_readable(names: Sequence[str]) -> tuple[str | None, ImageError | None]:
    """Return the first name of a file that this process can read, and the first error."""
    from customlabels_nb.remote.remote_files import look_up

    reason: ImageError | None = None
    for name in names:
        try:
            look_up(name)
            return name, reason
        except ImageError as error:
            reason = reason or error
    return None, reason


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
