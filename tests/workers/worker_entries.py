"""Entries of jobs that fail in the ways that workers can. They run in worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.workers.protocol import WorkerJob


def add_up(job: WorkerJob) -> Callable[[Any, Events], Any]:
    """Return the sum of the numbers of a task. Some numbers end the worker, or make it fail."""

    def add(task: list[int], events: Events) -> int:
        for cause in {job.arguments.get("bad"), job.arguments.get("deadly")}.intersection(task):
            if "attempts" in job.arguments:
                Path(job.arguments["attempts"], f"{cause}-{uuid4()}").touch()
        if job.arguments.get("deadly") in task:
            os.kill(os.getpid(), signal.SIGKILL)
        if job.arguments.get("bad") in task:
            raise ValueError("no such number")
        if job.arguments.get("full") in task:
            raise InputError("to='found' cannot be written: No space left on device.")
        return sum(task)

    return add
