"""Processes that label, which the tests kill, stop and give wrong clocks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.store import open_store
from tests.jobs.conftest import Place

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.jobs.labelers", "customlabels_nb.jobs.job_list"])


def label(out: Connection, location: str, schema: str | None, job: int, name: str, hours: float, batch: int) -> None:
    """Answer tasks until none is left, and send the number of each acknowledged answer and whether it counts.

    The person "stops" stops like a laptop that sleeps, after the first answer.
    """
    real = time.time_ns
    time.time_ns = lambda: real() + int(hours * 3_600_000_000_000)
    time.time = lambda: time.time_ns() / 1e9
    store = open_store(location, schema=schema)
    worker = Worker(store, job, name)
    while tasks := worker.lease(batch):
        for number, task in enumerate(tasks):
            found = worker.submit(task, "lemon")
            out.send((found.answer, found.counted))
            if number == 0 and name == "stops":
                os.kill(os.getpid(), signal.SIGSTOP)
    out.send(None)
    store.close()


class Labeler:
    """Process that labels as one person."""

    def __init__(self, place: Place, job: int, name: str, *, hours: float = 0, batch: int = 4) -> None:
        self.name = name
        self._in, out = CONTEXT.Pipe(duplex=False)
        arguments = (out, *place.store.location, job, name, hours, batch)
        self.process: BaseProcess = CONTEXT.Process(target=label, args=arguments, daemon=True)
        self.process.start()
        out.close()

    def acknowledged(self) -> Iterator[tuple[int, bool]]:
        """Yield the acknowledged answers until the process ends, has nothing more to label, or is killed."""
        while True:
            try:
                found = self._in.recv()
            except EOFError:
                return
            if found is None:
                return
            yield found

    def end(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.join()
        self._in.close()


@contextmanager
def labelers(place: Place, job: LabellingJob, *names: str, **options: float) -> Iterator[list[Labeler]]:
    """Start one process for each person, and kill those that are left."""
    started = [Labeler(place, place.number(job), name, **options) for name in names]  # type: ignore[arg-type]
    try:
        yield started
    finally:
        for each in started:
            each.end()
