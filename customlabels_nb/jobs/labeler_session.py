"""Lease tasks of a labelling job, store answers, and give tasks back, for the labeler's page or without one."""

from __future__ import annotations

import atexit
import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sqlalchemy import select

from customlabels_nb.core import tables as t
from customlabels_nb.errors import CustomLabelsError, ImageError, InputError, LabelError, NotAllowedError, StoreError
from customlabels_nb.images.regions import Part
from customlabels_nb.images.thumbnails import BrowserImage
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.leases import CHANGED
from customlabels_nb.jobs.worker import LeasedTask
from customlabels_nb.labeling.drawing import DrawingSession, shape_dicts
from customlabels_nb.labeling.edit_rules import Change, Revisions, is_whole
from customlabels_nb.labeling.session import EditResult
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.view import Query, View
from customlabels_nb.store import SqlStore, create_store, schema
from customlabels_nb.store.columns import among

_BACK = 20  # last answers that are shown for changes
_FEW = 3  # more tasks are leased when this many are left
_IDLE_SECONDS = 600.0  # without use, leases are not renewed any more
_RENEW_SECONDS = 30.0
_RETRY_SECONDS = 10.0  # between attempts to lease when there was nothing
_COUNT_SECONDS = 15.0
_PATIENCE_SECONDS = 4.0  # the page sends an answer again that was not acknowledged
_MOST_DIGITS = 18
GONE_SECONDS = 120.0  # without a message of a page, after which it is closed, even if the browser did not say so
DONE = "No more images need an answer from you now. Thank you!"


class LabelerSession(DrawingSession):
    """Session in which a person answers the tasks of a labelling job.

    Its database is a temporary one that has only leased images, with the person's own answers, and the job's labels.
    Therefore nothing of other people can reach the page. Images are named by the number of their task and their file
    name, because folders are often named after labels. An edit returns when the job's database has acknowledged the
    answer. If it raises StoreError, the same edit can be repeated. ``batch`` tasks are leased at a time. ``end`` says
    why there are no more.
    """

    def __init__(
        self,
        store: SqlStore,
        root: Path,
        job: LabellingJob,
        *,
        batch: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job, self._project, self._batch, self.clock = job, store, batch, clock
        self._worker = job.worker()
        self._folder = TemporaryDirectory(prefix="customlabels_nb-", ignore_cleanup_errors=True)
        self._tasks: dict[str, LeasedTask] = {}
        self._lost: list[int] = []  # which are leased first, because the person has seen them
        self._acknowledged: dict[str, tuple[str, str]] = {}
        self._unsent: set[str] = set()
        self._late: set[str] = set()
        self._reason: str | None = None
        self._reasons: dict[str, str] = {}
        self.end = self._elsewhere = ""
        self._done = self._remaining = 0
        self._job_seen, self._has_left = -1, False
        self._names: dict[int, str] = {}
        self._label_table = t.empty(t.LABEL_COLUMNS)
        self._lease_after = self._counted = self._renewed = 0.0
        self._used = self._heard = self.clock()
        self._closed = threading.Event()
        self._watcher = threading.Thread()
        answers = create_store(str(Path(self._folder.name) / "answers.db"), job.name, task=job.task)
        super().__init__(answers, root, user=self._worker.name)
        self._read_job()
        self._add(self._worker.answered(_BACK)[::-1])
        self.refresh()
        atexit.register(self.close)  # Voilà shuts a kernel down with its page

    def close(self) -> None:
        """Give back the tasks, and remove the temporary database."""
        with self._lock:
            if not self._closed.is_set():
                self.leave()
                self._closed.set()
                atexit.unregister(self.close)
                self._store.close()
                self._folder.cleanup()

    # -- state --------------------------------------------------------------------------------------
    @property
    def progress(self) -> dict[str, Any]:
        """Return what a page shows: the job's name, person, text, end, and ``total``, the number of images it shows."""
        text = f"{self._done:,} done, about {self._remaining:,} left for all"
        if self._elsewhere:
            text += f" · you had answered {self._elsewhere} in another window, and your last answer counts"
        if self._late:
            verb = "count" if len(self._late) > 1 else "counts"
            text += f" · {len(self._late):,} of yours came late and {verb} only if another answer is rejected"
        total = len(self.view)
        return {"name": self._job_name, "person": self.user, "text": text, "end": self.end, "total": total}

    @property
    def waiting(self) -> list[str]:
        with self._lock:
            return [
                self.table.names[index] for index in self.table.here() if self.table.statuses[index] == "unlabelled"
            ]

    @property
    def needs_tasks(self) -> bool:
        """True if few tasks are left, and it is time to look for more."""
        return len(self.waiting) <= _FEW and self.clock() >= self._lease_after

    def labels(self) -> pd.DataFrame:
        return self._label_table

    def label_state(self) -> tuple[object, ...]:
        """Return a value that changes whenever the labels, the instructions or the progress change."""
        return *super().label_state(), *self._label_table["label"], *self.progress.values()

    def check_known(self, label: str) -> None:
        if label not in set(self._label_table["label"]):
            raise LabelError(f"Label {label!r} is not one of the job's labels any more. Choose another one.")

    def source_of(self, image: str) -> str:
        """Return the image in the project behind a name in this session."""
        if image not in self._tasks:
            raise InputError(f"Image {image!r} is not one of your tasks.")
        return self._tasks[image].image

    def heard(self) -> None:
        """Note that there is a page. When there is none any more, the tasks are released."""
        self._heard = self.clock()
        if not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._watch, name="customlabels_nb labeler", daemon=True)
            self._watcher.start()

    def _watch(self) -> None:
        while (remaining := self._heard + GONE_SECONDS - self.clock()) > 0:
            if self._closed.wait(remaining):
                return
        self.leave()

    def touch(self) -> None:
        self._used = self.clock()

    def open(self, split: str) -> None:
        """Open the only dataset of the session."""
        if split != t.TRAIN:
            raise InputError(f"split={split!r} does not exist in a labelling job.")
        super().open(split)

    def show(self, query: Query) -> View:
        """Create a view in the order in which the tasks were leased, so that new ones come last."""
        return super().show(replace(query, sort="added"))

    def _read_job(self) -> None:
        """Read the job's labels and instructions again after the project has changed."""
        seen = self._project.last_action()
        if seen == self._job_seen:
            return
        ids = self._worker.label_ids
        colors = self._project.labels().set_index("label")["color"]
        labels = set(self._store.labels()["label"])
        for name, id_ in ids.items():
            before = self._names.get(id_)
            if name not in labels and before in labels:
                self._store.rename_label(str(before), name, self._action("rename label"))
            elif name not in labels:
                self._store.add_labels([(name, colors.get(name))], self._action("add label"))
            self._names[id_] = name
        table = pd.DataFrame({"label": list(ids), "color": [colors.get(name) for name in ids]})
        self._label_table = table.astype(t.LABEL_COLUMNS)
        settings = self._job.settings
        self._store.set_project(self._action("set instructions"), instructions=settings["instructions"])
        self._job_name, self._limit = self._job.name, settings["lease"]
        self._is_running = self._job.state not in ("paused", "closed")
        self._lease_after = 0.0  # there may be tasks again, or a reason why not
        self.end = ""
        self._job_seen = seen

    # -- leases -------------------------------------------------------------------------------------
    def refresh(self) -> bool:
        """Renew leases, lease more tasks when few are left, and follow the job. Return True if tasks left the view."""
        with self._lock:
            self.heard()
            lost, self._has_left = self._has_left, False
            try:
                self._send(())
                lost |= self._renew()
                self._read_job()
                now = self.clock()
                if self.needs_tasks or (not self._is_running and now >= self._lease_after):
                    self._lease_after = now + _RETRY_SECONDS
                    self._lease()
                if self.end in ("", DONE):
                    self.end = "" if self.waiting else DONE
                if now >= self._counted + _COUNT_SECONDS:
                    self._share()
                    self._done, self._remaining, self._counted = self._worker.done, self._worker.left, now
            except (NotAllowedError, LabelError) as error:
                self.end = str(error)
            except StoreError as error:
                self.end = f"The database does not respond. Your answers are kept and sent again. {error}"
                self._job_seen = -1
            return lost

    def _lease(self) -> None:
        if self._is_running:  # otherwise leasing says why there are no tasks
            self._share()
        count = self._batch - len(self.waiting)
        tasks = self._worker.lease(max(1, count), first=self._lost) if count > 0 or not self._is_running else []
        self._lost = []
        self._renewed, self._counted = self.clock(), 0.0
        self._show(tasks)
        if len(tasks) >= count:
            self._lease_after = 0.0
        self.end = ""

    def _share(self) -> None:
        """Show also the tasks that this person holds in other windows, or held in one whose kernel was killed."""
        if tasks := self._worker.resume():
            self._worker.renew()  # a window that is closed does not give them back then
            self._show(tasks)

    def _show(self, tasks: Sequence[LeasedTask]) -> None:
        again = [name for name in map(_name_of, tasks) if name in self._tasks]  # the answers do not count any more
        self._drop(again)
        self._has_left |= bool(again)
        self._add(tasks)

    def _renew(self) -> bool:
        now = self.clock()
        held = {task.id for task in self._worker.held}
        if not held or now > self._used + _IDLE_SECONDS or now < self._renewed + min(_RENEW_SECONDS, self._limit / 3):
            return False
        self._worker.renew()
        self._renewed = now
        gone = held - {task.id for task in self._worker.held}
        names = [name for name in self.waiting if self._tasks[name].id in gone]
        self._lost = [self._tasks[name].number for name in names]
        self._drop(names)
        self._show_all()
        return bool(names)

    def leave(self) -> None:
        """Give back all tasks without an answer, because the view was closed. :meth:`refresh` leases others."""
        with self._lock:
            if self._closed.is_set():
                return
            with suppress(CustomLabelsError):
                self._send(())
            with suppress(StoreError):  # otherwise they expire
                self._worker.release()
            self._lost = [self._tasks[name].number for name in self.waiting]
            self._drop(self.waiting)
            self._show_all()
            self._lease_after, self._has_left = 0.0, True

    def _add(self, tasks: Iterable[LeasedTask]) -> None:
        """Add tasks to the end of the view."""
        new = {name: task for task in tasks if (name := _name_of(task)) not in self._tasks}
        if not new:
            return
        c = schema.images.c
        with self._project.reading() as connection:
            chosen = among(connection, c.image, [task.image for task in new.values()])
            rows = connection.execute(select(c.image, c.width, c.height, c.sha256).where(chosen))
            facts = {image: others for image, *others in rows}
        lines: list[tuple[Any, ...]] = []
        entries: list[dict[str, Any]] = []
        for name, task in new.items():
            status = "labelled" if task.is_answered else "unlabelled"
            lines.append((name, status, *facts.get(task.image, (None, None, None))))
            shapes = [task.answer] if isinstance(task.answer, str) else task.answer or []
            entries += [{"image": name, **({"label": mark} if isinstance(mark, str) else mark)} for mark in shapes]
        images = pd.DataFrame(lines, columns=["image", "status", "width", "height", "sha256"])
        table = t.normalise_annotations(pd.DataFrame(entries), annotator=self.user) if entries else t.empty(
            t.ANNOTATION_COLUMNS
        )  # fmt: skip
        self._store.add_images(self.split, t.normalise_images(images), table, self._action("lease"))
        self._tasks |= new
        self.reread(list(new))
        self._acknowledged |= {name: self._state(name) for name in new}
        self._show_all()

    def _drop(self, names: Sequence[str]) -> None:
        """Remove tasks, whose edits cannot be undone any more."""
        if names:
            self._store.remove_images(self.split, self._store.tables(self.split, images=names)[0], self._action("drop"))
            self.table.drop(names)
            self._unsent.difference_update(names)
            for name in names:
                del self._tasks[name], self._acknowledged[name]
            self._forget_edits(names)

    def _show_all(self) -> None:
        """Let the view end with new tasks, without a new number, so that the page keeps its place."""
        view = self._view
        if view is not None:
            kept = view.order[~np.isin(view.order, list(self.table.gone))]
            new = np.setdiff1d(np.array(list(self.table.here()), dtype=np.int64), kept)
            self._view = replace(view, order=np.append(kept, new))
            self._views = [self._view]

    # -- answers ------------------------------------------------------------------------------------
    @contextmanager
    def skipping(self, reason: object) -> Iterator[None]:
        """Skip images for this reason, also when the edit is sent again or redone later."""
        with self._lock:
            self._reason = None if reason is None else str(reason)
            try:
                yield
            finally:
                self._reason = None

    def _check_here(self, images: Iterable[str]) -> None:
        """Take over tasks of this person from another kernel, whose page had answers that were not stored."""
        unknown = {name for name in images if name not in self._tasks}
        numbers = [name.partition("/")[0] for name in unknown]
        task_ids = [int(number) for number in numbers if number.isdecimal() and len(number) <= _MOST_DIGITS]
        self._add(task for task in self._worker.find(task_ids) if _name_of(task) in unknown)
        super()._check_here(images)

    def _edit(
        self, images: Sequence[str], change: Change, what: str, revisions: Revisions, **options: Any
    ) -> EditResult:
        """Edit images, and return when the answers are stored. Of this person's pages, the last one wins."""

        def checked(rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            after, after_marks = change(rows, annotations)
            if (after["status"] == "needs_review").any():
                raise InputError("Images of a labelling job cannot be marked for review. Skip them with a reason.")
            return after, after_marks

        with self._lock:
            for label in self._labels_in_edit:
                self.check_known(label)
            self.touch()
            self._elsewhere = ""
            if self._reason is not None:
                self._reasons |= dict.fromkeys(images, self._reason)
            outcome = super()._edit(images, checked, what, None, **options)
            self._send(images)
            return outcome

    def _undo_or_redo(self, steps: list[Any], others: list[Any], verb: str) -> EditResult:
        with self._lock:
            outcome = super()._undo_or_redo(steps, others, verb)
            self._send(outcome.images)
            return outcome

    def _send(self, images: Iterable[str]) -> None:
        """Store answers that were not acknowledged, again after a StoreError. Those that are refused are reverted."""
        self._unsent.update(name for name in images if name in self._tasks)
        refused = None
        for name in sorted(self._unsent):
            state, before, task = self._state(name), self._acknowledged[name], self._tasks[name]
            if state != before:
                try:
                    self._store_answer(name, task, state, before)
                except StoreError:
                    raise
                except CustomLabelsError as error:
                    refused, tasks = error, self._worker.find([task.number])
                    self._drop([name])
                    self._add(tasks)
                    continue
                self._acknowledged[name] = state
                more = (state[0] == "labelled") - (before[0] == "labelled")
                self._done, self._remaining = self._done + more, max(0, self._remaining - more)
            self._unsent.discard(name)
        if refused is not None:
            raise refused

    def _store_answer(self, name: str, task: LeasedTask, state: tuple[str, str], before: tuple[str, str]) -> None:
        status, answer = state
        self._late.discard(name)
        if before[0] == "skipped" or status == "unlabelled":
            self._worker.withdraw(task)
        if status == "skipped":
            self._worker.skip(task, self._reasons.get(name, ""))
        elif status == "labelled":
            shapes = json.loads(answer)
            receipt = self._worker.submit(task, shapes, patience=_PATIENCE_SECONDS)
            if receipt.reason == CHANGED:  # another kernel of this person has answered meanwhile
                self._elsewhere = task.image.rstrip("/").rpartition("/")[2]
                renewed = self._tasks[name] = self._worker.find([task.number])[0]
                receipt = self._worker.submit(renewed, shapes, patience=_PATIENCE_SECONDS)
            if not receipt.counted:
                self._late.add(name)

    def _state(self, name: str) -> tuple[str, str]:
        """Return the status of an image and its answer as JSON."""
        index = self.table.position[name]
        if self.task in ("boxes", "polygons"):
            annotations = self._store.tables(self.split, images=[name])[1].drop(columns="note")  # no part of answers
            return self.table.statuses[index], json.dumps(shape_dicts(annotations[~is_whole(annotations)]))
        return self.table.statuses[index], json.dumps(self.table.labels[index])


def _name_of(task: LeasedTask) -> str:
    return f"{task.number}/{task.image.rstrip('/').rpartition('/')[2]}"


class JobFiles(SessionFiles):
    """Images of a :class:`LabelerSession`, whose names and errors do not contain folders."""

    def __init__(self, session: LabelerSession) -> None:
        super().__init__(session.root, dataset=_refuse, add_images=_refuse)
        self.session = session
        self.outliner.for_labelers = True

    def thumbnails(
        self, parts: Sequence[Part], pixels: int, *, seconds: float = math.inf
    ) -> list[bytes | ImageError | None]:
        """Return a thumbnail or an error for each part of an image. See :meth:`.SessionFiles.thumbnails`."""
        sources = [part._replace(image=self.session.source_of(part.image)) for part in parts]
        return [
            self._plain(part.image, thumbnail) if isinstance(thumbnail, ImageError) else thumbnail
            for part, thumbnail in zip(parts, super().thumbnails(sources, pixels, seconds=seconds), strict=True)
        ]

    def full(self, part: Part) -> BrowserImage:
        with self._without_folders(part.image) as source:
            return super().full(part._replace(image=source))

    def drawing_view(self, image: str, content: str | None, pixels: int) -> BrowserImage:
        with self._without_folders(image) as source:
            return super().drawing_view(source, content, pixels)

    def _open(self, image: str, content_id: str | None) -> tuple[Image.Image, str]:
        with self._without_folders(image) as source:
            return super()._open(source, content_id)

    def instruction_picture(self, path: str) -> bytes:
        """Return an image from the instructions. Errors do not tell which files exist."""
        try:
            return super().instruction_picture(path)
        except ImageError:
            raise InputError("This picture of the instructions cannot be shown. Tell the manager of the job.") from None

    @contextmanager
    def _without_folders(self, image: str) -> Iterator[str]:
        try:
            yield self.session.source_of(image)
        except ImageError as error:
            raise self._plain(image, error) from None

    def _plain(self, image: str, error: ImageError) -> ImageError:
        folder = self.session.source_of(image).rpartition("/")[0]
        reason = error.reason or "it cannot be read."
        return ImageError(image.partition("/")[2], reason.replace(folder, "…") if folder else reason)


def _refuse(*_: Any) -> Any:
    raise NotAllowedError("The manager of a labelling job chooses its images. Ask them to add images.")
