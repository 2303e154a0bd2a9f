"""Train versions one after the other, each in a process of its own, which outlives the server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

import psutil

from customlabels_nb.core.version_status import FAILED_TRAINING, TRAINING
from customlabels_nb.endpoints.failures import FAILED_BY_SERVICE, job_message, log_failure
from customlabels_nb.endpoints.served_versions import WAITING, ServedVersion, change_facts, end_job, facts_of
from customlabels_nb.errors import CustomLabelsError, ModelNotFoundError
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.store import SqlStore, VersionRecord
from customlabels_nb.training.status import settle_orphans, this_process
from customlabels_nb.workers.detached_process import is_alive

_POLL_SECONDS = 0.5
_CLAIM_SECONDS = 60.0


def begin_training(version: ServedVersion[Any], start_process: Callable[[ServedVersion[Any]], None]) -> None:
    """Train a version when no other is being trained. The thread does not keep the server from ending."""
    store, training = version.served.store, version.served.folder.training

    def train() -> None:
        try:
            store.change_version(version.local, _claimed)
            while not training.acquire(timeout=_CLAIM_SECONDS):
                store.change_version(version.local, _claimed)  # so that other computers know that it still waits
            try:
                if not version.served.folder.is_closed:
                    run_training(version, start_process)
            finally:
                training.release()
        except ModelNotFoundError:  # deleted by a notebook
            pass
        except Exception as error:  # such as a project that was deleted
            log_failure(error, f"The training of {version.local} could not be run.")
            with suppress(CustomLabelsError):
                end_job(store, version.local, FAILED_TRAINING, FAILED_BY_SERVICE)

    threading.Thread(target=train, name="endpoint-training", daemon=True).start()


def run_training(version: ServedVersion[Any], start_process: Callable[[ServedVersion[Any]], None]) -> None:
    """Train a version in a new process, or wait for its process. If it dies, the training has failed."""
    if not _wait_for(version):
        start_process(version)
        _wait_for(version)  # one that a server began just before it was killed may have been faster
    if version.served.folder.is_closed:  # the next server goes on
        return
    store = version.served.store
    if "status" in change_facts(store, version.local, process=None):
        settle_orphans(store)
        end_job(store, version.local, FAILED_TRAINING, FAILED_BY_SERVICE)


def _claimed(record: VersionRecord) -> dict[str, Any] | None:
    """Return the changes with which this process is the one that will train a version, None if another one does or has.

    Another server may have queued it, and been killed, so that a notebook takes its training for a failed one.
    """
    if "status" not in record.endpoint or is_alive(*record.endpoint.get("process", (0, 0))):
        return None
    return {"status": TRAINING, "status_message": WAITING, **this_process(), "heartbeat": None}


def _wait_for(version: ServedVersion[Any]) -> bool:
    """Wait for the process that trains the version, and return False if there was none."""
    process = facts_of(version.served.store, version.local).get("process")
    while process is not None and is_alive(*process):
        time.sleep(_POLL_SECONDS)
    return process is not None


def train_in_this_process(task: Mapping[str, Any], train: Callable[[Project, SqlStore], None]) -> None:
    """Call ``train`` unless another process trains the version, and note the reason if it fails."""
    process = os.getpid(), psutil.Process().create_time()

    def reserve(record: VersionRecord) -> dict[str, Any] | None:
        claimed = _claimed(record)
        begun = {"status_message": "The data are being checked.", "endpoint": {**record.endpoint, "process": process}}
        return claimed and claimed | begun

    with closing(load_project(task["root"])) as project:
        store = location_of(project).store
        try:
            store.change_version(task["name"], reserve)
            if facts_of(store, task["name"]).get("process") == list(process):
                train(project, store)
        except Exception as error:
            message = job_message(error, f"The training of {task['name']} failed.")
            end_job(store, task["name"], FAILED_TRAINING, message)
