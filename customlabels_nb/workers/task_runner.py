"""Prepare a worker for a job, and run its tasks. This is the part of a backend that runs in the worker.

:func:`prepare` and :func:`run` are tasks of :class:`customlabels_nb.workers.helper_process.HelperProcess`. A backend
whose workers are objects creates a :class:`TaskRunner` in each of them.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from customlabels_nb.errors import ImageError, ModelError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import content_hash, read_bytes
from customlabels_nb.settings import settings
from customlabels_nb.workers.protocol import WorkerJob, own_versions

#: Settings that are not JSON values.
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "cache_dir": Path,
    "buckets": lambda folders: {name: Path(folder) for name, folder in folders.items()},
}
_RUNNERS: list[TaskRunner] = []  # of this process


class TaskRunner:
    """Worker that is prepared for a job.

    Parameters
    ----------
    job : WorkerJob
        Job with paths as this worker sees them.

    Raises
    ------
    ModelError
        If the worker differs from the driver in its versions, its copy of the model, or the files that it can read.
    """

    def __init__(self, job: WorkerJob) -> None:
        for name, value in job.options.items():
            setattr(settings, name, _FROM_JSON.get(name, lambda plain: plain)(value))
        _check_versions(job.versions)
        for name, digest in job.probes:
            _check_readable(name, digest)
        if job.model is not None:
            from customlabels_nb.models.artifact import load_config, model_identity

            if model_identity(Path(job.model), load_config(Path(job.model))) != job.identity:
                raise ModelError(f"The model on {own_name()} is not the driver's model. Start the run again.")
        module, _, name = job.entry.partition(":")
        self._work = getattr(import_module(module), name)(job)

    def run(self, task: Any, events: Events | None = None) -> Any:
        """Run a task and return its result, a JSON value."""
        return self._work(task, events or Events())


def own_name() -> str:
    """Return the name of this worker for messages."""
    return f"{platform.node()}, process {os.getpid()}"


def prepare(arguments: dict[str, Any], events: Events) -> None:
    """Prepare this process for a job, given as the fields of :class:`WorkerJob`."""
    _RUNNERS[:] = [TaskRunner(WorkerJob(**arguments))]


def run(task: Any, events: Events) -> Any:
    """Run a task of the job that this process is prepared for."""
    return _RUNNERS[0].run(task, events)


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
