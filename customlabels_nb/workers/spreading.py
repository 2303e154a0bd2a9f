"""Open workers, and let them process tasks until all have ended."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from customlabels_nb import errors
from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.text import counted
from customlabels_nb.errors import Cancelled, CustomLabelsError, HelperError, InputError
from customlabels_nb.events import Events
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.local_workers import LocalWorkers
from customlabels_nb.workers.protocol import TaskOutcome, WorkerJob, Workers

Task = TypeVar("Task")

Backend: TypeAlias = Literal["ray"]
#: Code of an image that no worker could process, see :data:`customlabels_nb.core.issues.CODES`.
FAILED = "IMAGE_UNUSABLE"
_ATTEMPTS = {"failed": 3, "lost": 5}  # many workers are lost for reasons of their machines
_MOST_FAILURES = 60  # without a task that is done, more than one bad image in a chunk of 500 causes
_MOST_LOST_TOGETHER = 3  # times all workers, because a machine can have most of them, and its replacement ends too
_WAIT_SECONDS = 0.5


def check_workers(workers: int | None, backend: str | None) -> int | None:
    """Return the number of processes to share work, or raise InputError if an argument is invalid."""
    if backend not in (None, *get_args(Backend)):
        raise InputError(
            f"backend={backend!r} is unknown. Use backend='ray', or leave it out for processes on this machine."
        )
    return None if workers is None else check_integer("workers", workers, 1)


def open_workers(job: WorkerJob, workers: int | None, backend: str | None, *, gpus: int = 0) -> Workers:
    """Start workers for a job: processes on this machine, or actors on the cluster with ``backend="ray"``."""
    if backend == "ray":
        from customlabels_nb.workers.ray_workers import RayWorkers

        return RayWorkers(job, workers, gpus=gpus)
    return LocalWorkers(job, workers or 1)


def worker_options(workers: int | None) -> dict[str, Any]:
    """Return the settings of this process for its workers, which share its threads."""
    return {
        "threads": max(1, int(settings.threads) // (workers or 1)),
        "network": settings.network,
        "timeout_seconds": settings.timeout_seconds,
        "private_redirects": settings.private_redirects,
        "cache_dir": str(settings.cache_dir),
        "buckets": {name: str(folder) for name, folder in settings.buckets.items()},
    }


@dataclass
class Attempt(Generic[Task]):
    """Task with the number of times that it has failed, and that its worker has ended."""

    task: Task
    ends: Counter[str] = field(default_factory=Counter)


def process_tasks(
    workers: Workers,
    tasks: Iterable[Task],
    *,
    encode: Callable[[Task], Any],
    split: Callable[[Task], list[Task]],
    events: Events | None = None,
) -> Iterator[tuple[Task, TaskOutcome]]:
    """Let workers process all tasks, and yield each that is done, or that no worker could process, with its outcome.

    A task that fails, or whose worker ends, is given to a worker again. After three failures, or five workers, it is
    split, where ``split`` returns at most one part of a task that cannot be. Tasks that a worker had not begun go to
    the others. An error that splitting would not avoid, such as a full disk, is raised.
    """
    waiting = (Attempt(task) for task in tasks)
    again: deque[Attempt[Task]] = deque()
    submitted: dict[int, Attempt[Task]] = {}
    numbers, failures = itertools.count(), 0
    while True:
        for attempt in _fitting(workers, again, waiting):
            number = next(numbers)
            submitted[number] = attempt
            workers.submit(number, encode(attempt.task))
        if not submitted and not again:  # done, or no worker is ready
            if (following := next(waiting, None)) is None:
                return
            again.append(following)
        for outcome in workers.wait(_WAIT_SECONDS):
            attempt = submitted.pop(outcome.number)
            if outcome.state == "done":
                failures = 0
                yield attempt.task, outcome
                continue
            if outcome.state != "returned":
                failures += 1
                if failures >= _MOST_FAILURES + _MOST_LOST_TOGETHER * workers.count:
                    raise HelperError(
                        f"{counted(failures, 'task')} failed in a row, the last on {outcome.worker}: {outcome.error}"
                    )
            if _is_tried_again(attempt, outcome):
                again.append(attempt)
            elif len(parts := split(attempt.task)) > 1:
                again.extendleft(map(Attempt, reversed(parts)))
            else:
                yield attempt.task, outcome
        if events is not None and events.is_cancelled:
            raise Cancelled("Stopped on request.")


def _is_tried_again(attempt: Attempt[Task], outcome: TaskOutcome) -> bool:
    """Decide whether a task that was not done is given to a worker again as it is, after counting how it ended.

    Raises HelperError for an error that does not depend on a single image.
    """
    if outcome.state == "returned":
        return True
    attempt.ends[outcome.state] += 1
    if attempt.ends[outcome.state] < _ATTEMPTS[outcome.state]:
        return True
    kind = getattr(errors, outcome.kind, None)
    if isinstance(kind, type) and issubclass(kind, CustomLabelsError):
        raise HelperError(f"{outcome.error} (on {outcome.worker})", outcome.kind)
    return False


def _fitting(
    workers: Workers, again: deque[Attempt[Task]], waiting: Iterator[Attempt[Task]]
) -> Iterator[Attempt[Task]]:
    while workers.room() > 0:
        attempt = again.popleft() if again else next(waiting, None)
        if attempt is None:
            return
        yield attempt
