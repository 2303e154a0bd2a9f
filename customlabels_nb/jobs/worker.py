"""Lease and answer tasks of a labelling job as one person: ``job.worker()``."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from customlabels_nb._utils.arguments import check_integer, is_number
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core.tables import storable
from customlabels_nb.errors import CustomLabelsError, InputError, LabelError
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.answer_format import COUNTED, Answer, LabelNames, as_passed, encode_answer, job_labels
from customlabels_nb.jobs.job_results import finish, settle, stop_by_gold
from customlabels_nb.jobs.leases import Acknowledgement, Lease
from customlabels_nb.jobs.open_images import NEEDED
from customlabels_nb.store import SqlStore, schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.frames import moment
from customlabels_nb.store.network_disks import refuse_network_disk

_MOST_LEASED = 200
_CHECK_SECONDS = 30.0  # between checks that no other computer writes to an SQLite database
_LONGEST_REASON = 500
_SETTLE_SECONDS = 1.0  # between decisions while tasks are held
_ANSWER, _SLOT, _TASK = schema.job_answers.c, schema.job_slots.c, schema.job_tasks.c
_OF_JOB, _IS_MINE = _TASK.job == bindparam("job"), and_(_ANSWER.who == bindparam("who"), COUNTED)
_DONE = select(func.count(_ANSWER.id)).join(schema.job_tasks).where(_OF_JOB, _IS_MINE)
# tasks as a person sees them
_SEEN = select(_TASK.id, _TASK.image, _SLOT.token, _SLOT.since, _SLOT.until).where(_OF_JOB)
_SEEN = _SEEN.add_columns(_ANSWER.accepted, _ANSWER.edit, _ANSWER.payload).select_from(schema.job_tasks)
_SEEN = _SEEN.outerjoin(schema.job_answers, and_(_ANSWER.task == _TASK.id, _IS_MINE))
_SEEN = _SEEN.outerjoin(schema.job_slots, and_(_SLOT.task == _TASK.id, _SLOT.holder == bindparam("who")))


@dataclass(eq=False)
class LeasedTask:
    """Image that a person is asked to label.

    Attributes
    ----------
    id, image : str
        Random name of the lease, and the image to label.
    until : datetime
        Time until which nobody else is asked, by the clock of the database. Later answers are accepted as well.
    answer
        Your answer so far: a label, a list of labels or boxes, or None if there is none, or nothing to label.
    """

    id: str
    image: str
    until: datetime
    answer: Any = None
    _lease: Lease = field(repr=False, kw_only=True)
    _edit: int = field(default=0, repr=False, kw_only=True)
    _pending: tuple[str, str, int] | None = field(default=None, repr=False, kw_only=True)

    @property
    def number(self) -> int:
        """Number of the task in ``job.answers``."""
        return self._lease.task

    @property
    def is_answered(self) -> bool:
        """True if this person has answered the task."""
        return self._edit > 0


class Worker(NameHints):
    """Labeler of a labelling job, in a widget or a script.

    Several workers of one person can be used at the same time, for example in two notebooks. They never get the same
    task. A worker shows nothing about other people's answers.

    Examples
    --------
    >>> job = project.jobs.create("rooms-1", images=project.train_set, annotators=2)
    >>> anna = job.worker("anna")
    >>> tasks = anna.lease(10)
    >>> anna.submit(tasks[0], "garden").counted
    True
    >>> anna.skip(tasks[1], "blurred")
    >>> anna.release()
    8
    """

    def __init__(
        self,
        store: SqlStore,
        job: int,
        name: str,
        *,
        exact: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._store, self._job, self._clock = store, job, clock
        self._turn = threading.RLock()  # one database connection is enough
        self._held: dict[str, LeasedTask] = {}
        self._labels: dict[str, int] = {}
        self._since = self._clock()
        self._checked = self._settled = 0.0
        self._scored = 0
        self._check_disk()
        self._task = leases.transact(store, partial(self._join, exact=exact))

    @property
    def held(self) -> list[LeasedTask]:
        """Tasks that this worker has leased and neither answered, skipped nor released."""
        return list(self._held.values())

    @property
    def labels(self) -> list[str]:
        """Labels to choose from."""
        return list(self.label_ids)

    @property
    def label_ids(self) -> dict[str, int]:
        """Labels to choose from, with ids that stay the same when a label is renamed."""
        with self._store.reading() as connection:
            return job_labels(connection, self._job)

    @property
    def done(self) -> int:
        """Number of tasks that this person has answered."""
        with self._store.reading() as connection:
            return int(connection.scalar(_DONE, self._parameters(connection)) or 0)

    @property
    def left(self) -> int:
        """Number of answers that the job still needs, from all people together."""
        with self._store.reading() as connection:
            return int(connection.scalar(select(func.count()).where(_SLOT.job == self._job, NEEDED)) or 0)

    def lease(self, count: int = 10, *, first: Sequence[int] = ()) -> list[LeasedTask]:
        """Lease up to ``count`` tasks. An empty list means that no more tasks need an answer of this person.

        They are held for ``count`` times the job's lease. If they are not answered by then, others may be asked.
        ``first`` are numbers of tasks to lease before others, if they are free.

        Raises
        ------
        InputError
            If ``count`` is not from 1 to 200.
        NotAllowedError
            If the job is paused or closed, or this person is not one of its labelers.

        Examples
        --------
        >>> len(worker.lease(5))
        5
        """
        count = check_integer("count", count, 1, _MOST_LEASED)
        with self._turn:
            self._check_disk()
            leased = leases.lease(self._store, self._job, self.name, count, first=first)
            if not leased:  # people may disagree on a task of somebody whose computer crashed
                self._settle()
                leased = leases.lease(self._store, self._job, self.name, count)
            self._labels |= self.label_ids
            if not self._held:
                self._since = self._clock()
            tasks = [LeasedTask(lease.token, lease.image, moment(lease.until), _lease=lease) for lease in leased]
            self._held |= {task.id: task for task in tasks}
            return tasks

    def renew(self) -> int:
        """Renew the leases of the held tasks, and return how many tasks are still held.

        Examples
        --------
        >>> tasks = worker.lease(3)
        >>> worker.renew()
        3
        """
        with self._turn:
            tokens = leases.renew(self._store, self._job, self.name, list(self._held))
            self._held = {token: task for token, task in self._held.items() if token in tokens}
            for token, task in self._held.items():
                task.until = moment(tokens[token])
            return len(tokens)

    def submit(
        self,
        task: LeasedTask,
        answer: Answer,
        *,
        seconds: float | None = None,
        key: str | None = None,
        patience: float = 30.0,
    ) -> Acknowledgement:
        """Store an answer, or the change of an earlier one, and return when the database has acknowledged it.

        Parameters
        ----------
        task : LeasedTask
            Task from :meth:`lease` or :meth:`answered`.
        answer
            Label, list of labels, or list of boxes (dicts with label, left, top, width, height in pixels, and
            polygon), as the job requires. None or an empty list if there is nothing to label.
        seconds : float, optional
            Time that it took. By default the time since this worker's previous answer or lease. If this changes an
            answer, the time of that is added.
        key : str, optional
            Unique id of this answer. Submitting it again with the same id stores nothing more.
        patience : float
            Seconds to retry while the database cannot be reached. After that, a StoreError is raised.

        Examples
        --------
        >>> task = worker.lease(1)[0]
        >>> worker.submit(task, "garden").counted
        True
        >>> worker.submit(task, "bedroom").counted
        True
        """
        if seconds is not None and not (is_number(seconds) and 0 <= seconds < math.inf):
            raise InputError(f"seconds={seconds!r} must be a number of at least 0.")
        with self._turn:
            payload = self._encoded(answer)
            taken = max(0.0, self._clock() - self._since) if seconds is None else float(seconds)
            edit = task._edit + 1
            if task._pending is not None:  # it failed, but may have been stored
                before, its_key, edit = task._pending
                if before == payload:
                    key = key or its_key
                else:
                    edit += 1
            key = key or uuid4().hex
            task._pending = payload, key, edit
            acknowledgement = leases.submit(
                self._store, task._lease, self.name, payload, key=key, edit=edit, seconds=taken, patience=patience
            )
            task.answer, task._edit, task._pending = answer, edit, None
            self._held.pop(task.id, None)
            self._since = self._clock()
            self._settle()
            return acknowledgement

    def skip(self, task: LeasedTask, reason: str = "") -> None:
        """Skip a task for a ``reason`` that the manager sees. This person is not asked again.

        Raises
        ------
        InputError
            If the reason is not a text of at most 500 characters.

        Examples
        --------
        >>> worker.skip(worker.lease(1)[0], "blurred")
        """
        if not isinstance(reason, str) or len(reason) > _LONGEST_REASON or not storable(reason):
            raise InputError(f"reason={reason!r} must be a text of at most {_LONGEST_REASON} characters.")
        with self._turn:
            leases.skip(self._store, task._lease, self.name, reason)
            self._held.pop(task.id, None)
            self._since = self._clock()
            self._settle()

    def withdraw(self, task: LeasedTask) -> None:
        """Take back your answer to a task, or your skip. You hold the task again, unless it was skipped.

        Examples
        --------
        >>> task = worker.lease(1)[0]
        >>> receipt = worker.submit(task, "garden")
        >>> worker.withdraw(task)
        >>> worker.done, len(worker.held)
        (0, 1)
        """
        with self._turn:
            held = leases.withdraw(self._store, task._lease, self.name)
            if held is not task._lease:
                task.id, task.until, task._lease = held.token, moment(held.until), held
                self._held[task.id] = task
            task.answer, task._edit = None, 0

    def release(self, tasks: Sequence[LeasedTask] | None = None) -> int:
        """Give back leased tasks, so that others are asked, and return their number.

        By default, these are all tasks of this worker, except those that another worker of this person has renewed
        since.

        Examples
        --------
        >>> tasks = worker.lease(4)
        >>> worker.release(tasks[:1]), worker.release()
        (1, 3)
        """
        with self._turn:
            if tasks is None:
                until = {task.id: task.until for task in self.find([task.number for task in self.held])}
                tasks, self._held = [task for task in self.held if until.get(task.id) == task.until], {}
            tokens = [task.id for task in tasks]
            number = leases.release(self._store, self._job, self.name, tokens)
            for token in tokens:
                self._held.pop(token, None)
            self._settle()
            return number

    def answered(self, max_results: int = 20) -> list[LeasedTask]:
        """Return this person's last answered tasks, at most ``max_results``, the latest first, to change their answers.

        Examples
        --------
        >>> receipt = worker.submit(worker.lease(1)[0], "garden")
        >>> worker.answered()[0].answer
        'garden'
        """
        mine = _SEEN.where(_ANSWER.id.is_not(None)).limit(max_results)
        return self._own_tasks(mine.order_by(_ANSWER.submitted.desc()))

    def find(self, numbers: Sequence[int]) -> list[LeasedTask]:
        """Return tasks by their numbers, with this person's answers, for example those of another notebook.

        Examples
        --------
        >>> task = worker.lease(1)[0]
        >>> worker.find([task.number])[0].image == task.image
        True
        """
        return self._own_tasks(_SEEN, numbers) if numbers else []

    def resume(self) -> list[LeasedTask]:
        """Take over the tasks that this person holds in other notebooks, for example of a kernel that was killed.

        Examples
        --------
        >>> tasks = job.worker("anna").lease(3)
        >>> len(worker.resume())
        3
        """
        with self._turn:
            tasks = self._own_tasks(_SEEN.where(_SLOT.job == self._job, _SLOT.state == "held"))
            new = [task for task in tasks if task.id not in self._held]
            self._held |= {task.id: task for task in new}
            return new

    def _parameters(self, connection: Connection) -> dict[str, Any]:
        """Return the parameters of statements about this person."""
        return {"job": self._job, "who": leases.name_in(connection, self._job, self.name, exact=True)}

    def _own_tasks(self, chosen: Select[Any], numbers: Sequence[int] | None = None) -> list[LeasedTask]:
        """Return the chosen of :data:`_SEEN`, or those of them with these numbers."""
        with self._turn, self._store.reading() as connection:
            names = LabelNames(connection)
            if numbers is not None:
                chosen = chosen.where(among(connection, _TASK.id, numbers))
            self._labels |= job_labels(connection, self._job)
            tasks = []
            for row in connection.execute(chosen.order_by(_TASK.id), self._parameters(connection)):
                lease = Lease(
                    self._job, row.id, row.image, row.token or "", row.accepted or row.since or 0, row.until or 0
                )
                task = LeasedTask(lease.token, row.image, moment(lease.until), _lease=lease, _edit=row.edit or 0)
                task.answer = None if row.payload is None else as_passed(row.payload, self._task, names)
                tasks.append(task)
            return tasks

    def __repr__(self) -> str:
        return f"Worker({one_line(self.name)!r}: {counted(len(self._held), 'task')} leased)"

    def _settle(self) -> None:
        """Decide the tasks that have all their answers, and write the results when the job has no more tasks.

        This may fail, for example without a connection. The answer is stored anyhow, and the next one tries it again.
        """
        if self._held and self._clock() - self._settled < _SETTLE_SECONDS:
            return
        with suppress(CustomLabelsError):
            settle(self._store, self._job)
            self._scored = stop_by_gold(self._store, self._job, self.name, self._scored)
            if not self._held:
                finish(self._store, self._job)
        self._settled = self._clock()

    def _encoded(self, answer: Any) -> str:
        """Convert an answer to its stored form, with the labels that this worker knows, or else the current ones."""
        with suppress(LabelError):
            return encode_answer(answer, self._task, self._labels)
        self._labels |= self.label_ids
        return encode_answer(answer, self._task, self._labels)

    def _join(self, connection: Connection, exact: bool) -> str:
        """Become a labeler of an open job, and return the job's task. Only leasing is refused otherwise."""
        row = leases.read_job(connection, self._job)
        join = leases.add_member if row.members == "open" else leases.name_in
        self.name = join(connection, self._job, self.name, exact=exact)
        return str(row.task)

    def _check_disk(self) -> None:
        if not self._checked or self._clock() - self._checked > _CHECK_SECONDS:
            refuse_network_disk(self._store)
            self._checked = self._clock()
