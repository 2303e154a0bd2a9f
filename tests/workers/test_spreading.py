"""Tests of the driver with workers in processes: failing tasks, ended workers, and jobs that workers cannot do."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

import pytest

from customlabels_nb.errors import Cancelled, HelperError, InputError
from customlabels_nb.events import Events
from customlabels_nb.workers.local_workers import LocalWorkers
from customlabels_nb.workers.protocol import WorkerJob, own_versions
from customlabels_nb.workers.spreading import check_workers, process_tasks

ENTRY = "tests.workers.worker_entries:add_up"


class Run:
    """Run of a job over the numbers from 0 on, in tasks of eight."""

    def __init__(self, count: int, job: WorkerJob, *, workers: int = 2, events: Events | None = None) -> None:
        self.done: list[tuple[list[int], int]] = []
        self.failures: list[tuple[int, str]] = []
        numbers = list(range(count))
        self.workers = LocalWorkers(job, workers)
        tasks = [numbers[start : start + 8] for start in range(0, count, 8)]
        with closing(self.workers):
            for task, outcome in process_tasks(
                self.workers, tasks, encode=lambda task: task, split=halves, events=events
            ):
                if outcome.state == "done":
                    self.done.append((task, outcome.result))
                else:
                    self.failures.append((task[0], outcome.error))


def halves(task: list[int]) -> list[list[int]]:
    half = len(task) // 2
    return [task[:half], task[half:]] if half else []


def test_failing_tasks_are_halved_until_the_cause_is_alone(tmp_path: Path) -> None:
    run = Run(32, WorkerJob(ENTRY, {"bad": 11, "deadly": 21, "attempts": str(tmp_path)}))
    assert sorted(number for task, _ in run.done for number in task) == [n for n in range(32) if n not in (11, 21)]
    assert all(found == sum(task) for task, found in run.done)
    (bad, why_bad), (deadly, why_deadly) = sorted(run.failures)
    assert (bad, deadly) == (11, 21)
    assert why_bad == "ValueError: no such number"
    assert "SIGKILL" in why_deadly
    assert run.workers.pids == []
    # tasks of 8, 4, 2 and 1 numbers
    assert sorted(len(list(tmp_path.glob(f"{number}-*"))) for number in (bad, deadly)) == [4 * 3, 4 * 5]


def test_error_of_the_worker_ends_the_run() -> None:
    with pytest.raises(HelperError, match=r"to='found' cannot be written: No space left.*\(on process \d+\)") as caught:
        Run(8, WorkerJob(ENTRY, {"full": 3}), workers=1)
    assert caught.value.kind == "InputError"


def test_cancelling_ends_the_workers() -> None:
    events = Events()
    events.cancel()
    with pytest.raises(Cancelled):
        Run(8, WorkerJob(ENTRY), events=events)


def test_a_worker_that_differs_is_named(tmp_path: Path) -> None:
    own, probe = own_versions(), tmp_path / "probe"
    probe.write_bytes(b"theirs")
    other = hashlib.sha256(b"ours").hexdigest()
    for job, facts in (
        (WorkerJob(ENTRY, versions={**own, "torch": "1.0"}), (own["torch"], "1.0", "Install")),
        (WorkerJob(ENTRY, probes=[[str(probe), other]]), (str(probe), "have different files at")),
        (WorkerJob(ENTRY, probes=[[str(probe) + "s", other]]), (str(probe) + "s", "cannot read")),
        (
            WorkerJob(ENTRY, probes=[["s3://no-such-bucket/a.jpg", ""]], options={"network": False}),
            ("settings.network",),
        ),
    ):
        with pytest.raises(HelperError) as caught:
            Run(8, job, workers=1)
        assert all(fact in str(caught.value) for fact in ("The worker on ", ", process ", *facts))


def test_invalid_numbers_and_places_are_refused() -> None:
    for workers, backend, words in (
        (0, None, "workers=0"),
        (True, None, "workers=True"),
        (None, "dask", "backend='dask'"),
    ):
        with pytest.raises(InputError, match=words):
            check_workers(workers, backend)
