"""UI-independent project dashboard: live statistics, and the images behind each number."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.assist.stored_results import QUEUES
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, NotAllowedError, StoreError
from customlabels_nb.events import Events
from customlabels_nb.labeling import progress
from customlabels_nb.labeling.action_list import ActionList
from customlabels_nb.labeling.exporting import DashboardExport, export
from customlabels_nb.labeling.jobs import Job
from customlabels_nb.labeling.next_step import NextStep, find_next_step, finished_versions
from customlabels_nb.labeling.project_counts import FollowedCounts, ProjectCounts
from customlabels_nb.labeling.review import ReviewQuery
from customlabels_nb.labeling.screen import ProjectScreen
from customlabels_nb.labeling.view import Query
from customlabels_nb.store import SqlStore
from customlabels_nb.store.frames import moment

#: Keys that :meth:`DashboardSession.query` accepts. The first three are the filters of the gallery.
LINKS = ("show", "label", "annotator", "queue", "work", "since", "finding", "action")


@dataclass(frozen=True)
class LastVersion:
    """Latest fully trained version, and the changes since it was created.

    ``changes`` counts the actions since then that changed images or labels, and ``changed_at`` is the time of the
    first. ``labelled`` counts the images labelled since then, by dataset. ``f1`` and ``changed_at`` are None if not
    available.
    """

    name: str
    created: datetime
    f1: float | None
    changes: int
    changed_at: datetime | None
    labelled: dict[str, int]


@dataclass(frozen=True)
class DashboardCheck:
    """Result of a check as of the action ``seen``: the report, and a description of what training would use."""

    report: Any
    plan: tuple[str, ...]
    seen: int


@dataclass(frozen=True)
class DashboardTotals:
    """All statistics as of the action ``seen``, as tables from :mod:`customlabels_nb.labeling.progress`.

    ``complete`` is False while the images are still being read. Until then, only the statuses, labels and usable images
    are correct, the queue does not distinguish images with predictions, and ``seen`` is 0.
    """

    seen: int
    statuses: pd.DataFrame
    labels: pd.DataFrame
    annotators: pd.DataFrame
    work: pd.DataFrame
    queue: pd.DataFrame
    usable: dict[str, int]
    version: LastVersion | None
    complete: bool = True


class DashboardSession(ProjectScreen):
    """Statistics, check and export of one project. Thread-safe.

    ``dataset(split)`` returns the current dataset, ``check(events)`` the report of ``project.check()``, and ``plan()``
    sentences that describe what training would use, or why it would not start. ``assist`` is shown in a card.
    """

    def __init__(
        self,
        store: SqlStore,
        root: Path,
        *,
        dataset: Callable[[str], Dataset],
        check: Callable[[Events], Any],
        plan: Callable[[], list[str]],
        assist: Any = None,
        user: str | None = None,
    ) -> None:
        super().__init__(store, root, user=user)
        self.actions = ActionList(store, root, user=user)
        self.checking: Job[DashboardCheck] = Job()
        self.exporting: Job[DashboardExport] = Job()
        self.assist = assist
        self.assisting: Job[Any] = Job()
        self._dataset = dataset
        self._check, self._plan = check, plan
        self._followed: FollowedCounts | None = None
        self._when_complete: Callable[[], object] | None = None
        self._was_read = threading.Event()
        threading.Thread(target=self._read, name="customlabels_nb statistics", daemon=True).start()

    def watch(self, changed: Callable[[], object]) -> ChangePoller:
        return ChangePoller(self._store, changed)

    @property
    def task(self) -> str | None:
        return self._store.project().task

    def next_step(self) -> NextStep | None:
        """Return what to do next, see :func:`.find_next_step`."""
        return find_next_step(self._store, self.root, self.assist)

    def _read(self) -> None:
        try:
            followed = FollowedCounts(self._store)
            with self._lock:
                self._followed, callback = followed, self._when_complete
        except StoreError:
            return  # totals() raises the error
        finally:
            self._was_read.set()
        if callback is not None:
            callback()

    def when_complete(self, callback: Callable[[], object]) -> None:
        """Call ``callback()``, possibly in another thread, as soon as everything has been read."""
        with self._lock:
            self._when_complete, done = callback, self._followed is not None
        if done:
            callback()

    def _current(self) -> FollowedCounts:
        """Return the statistics including all actions until now. The caller must hold the lock."""
        if self._followed is None:
            self._followed = FollowedCounts(self._store)
        self._followed.follow()
        return self._followed

    def totals(
        self, unit: str = "hour", *, offset: timedelta = timedelta(), wait: float | None = None
    ) -> DashboardTotals:
        """Return the current statistics, incomplete if the images are not read within ``wait`` seconds."""
        if not self._was_read.wait(wait):
            return self._stored_counts(unit, offset)
        with self._lock:
            followed = self._current()
            outline = followed.outline
            return DashboardTotals(
                followed.seen,
                progress.statuses(outline),
                progress.label_distribution(outline, self._store.labels()),
                progress.annotators(outline),
                progress.work(outline, unit, offset=offset),
                progress.queue(outline),
                progress.usable(outline),
                self._last_version(outline),
            )

    def _stored_counts(self, unit: str, offset: timedelta) -> DashboardTotals:
        """Return the totals that the store counts itself, for as long as the tables are being read."""
        nothing, counts = ProjectCounts.empty(self._store), self._store.status_counts()
        keys = [counts["split"], counts["status"]]
        images = counts.set_index(keys)["images"].to_dict()
        statuses, queue = progress.statuses(nothing), progress.queue(nothing)
        statuses["images"] = [images.get(key, 0) for key in zip(statuses["split"], statuses["status"], strict=True)]
        for split in t.SPLITS:
            queue[split] = [images.get((split, kind), 0) for kind in queue["kind"]]
        usable = counts[counts["status"] == "labelled"].set_index("split")["annotated"].to_dict()
        return DashboardTotals(
            0,
            statuses,
            self._store.labels().merge(self._store.label_uses().drop(columns="annotations"), on="label"),
            progress.annotators(nothing),
            progress.work(nothing, unit, offset=offset),
            queue,
            {split: usable.get(split, 0) for split in t.SPLITS},
            None,
            complete=False,
        )

    def _last_version(self, outline: ProjectCounts) -> LastVersion | None:
        ready = finished_versions(self._store)
        if not ready:
            return None
        last = ready[-1]
        changes, first = self._store.changes_since(last.created)
        since: dict[str, int] = {
            split: len(progress.numbers_of(outline, split, since=last.created)) for split in t.SPLITS
        }
        f1 = last.metrics.get("f1")
        return LastVersion(last.name, last.created, None if f1 is None else float(f1), changes, first, since)

    # -- images behind a number -----------------------------------------------------------------------
    def query(self, split: str, link: Mapping[str, Any]) -> Query:
        """Return the gallery query that shows exactly the images counted by a number on the dashboard.

        ``link`` has one key: ``show``, ``label`` or ``annotator`` with the gallery's values; ``queue``, which is
        "unlabelled", "predicted" or "needs_review", or a queue of assist ("assist", "manual", "clustered",
        "prelabelled" or "suspect", which gives a query of the review); ``work``, a start (microseconds since 1970) and
        a unit; ``since``, a time; ``finding``, the number of a finding of the latest check; ``action``, an id in the
        history. An empty mapping selects all images.
        """
        t.check_split(split)
        if not link:
            return Query()
        kind = next(iter(link))
        value = link[kind]
        if len(link) > 1 or kind not in LINKS:
            raise InputError(f"link={dict(link)!r} must have exactly one of the keys {LINKS!r}.")
        if kind in ("show", "label", "annotator"):
            return Query(**{kind: value})
        if kind == "queue" and value in QUEUES:
            return ReviewQuery(queue=value) if value == "suspect" else Query(queue=value)
        if kind == "queue" and value in ("unlabelled", "needs_review") and not self._is_predicted(split):
            return Query(show=value)
        return Query(images=frozenset(self._images(split, kind, value)))

    def boxes(self, split: str, finding: int) -> pd.DataFrame:
        """Return the boxes of a finding of the latest check, given its number."""
        report = self._checked()
        boxes: pd.DataFrame = report.boxes_with(report.issues["code"].iloc[finding], split)
        return boxes

    def _checked(self) -> Any:
        checked = self.checking.state.result
        if checked is None:
            raise NotAllowedError("There are no findings yet. Run the check first.")
        return checked.report

    def _is_predicted(self, split: str) -> bool:
        self._was_read.wait()
        with self._lock:
            images = self._current().outline.images
            return bool((images["predicted"] & (images["split"] == split)).any())

    def _images(self, split: str, kind: str, value: Any) -> list[str]:
        if kind == "finding":
            flagged: list[str] = self._checked().images_of(int(value), split)
            return flagged
        if kind == "action":
            return self.actions.images(int(value)).get(split, [])
        self._was_read.wait()
        with self._lock:
            outline = self._current().outline
            condition: dict[str, Any] = {kind: value}
            if kind == "work":
                condition = {"work": (moment(int(value[0])), str(value[1]))}
            elif kind == "since":
                condition = {"since": moment(int(value))}
            numbers = progress.numbers_of(outline, split, **condition)
        names: list[str] = self._store.image_names(numbers.tolist())["image"].tolist()
        return names

    # -- background jobs ------------------------------------------------------------------------------
    def check(self) -> None:
        """Start the check before training in the background. :attr:`checking` reports its progress."""
        seen = self._store.last_action()
        self.checking.start(lambda events: DashboardCheck(self._check(events), tuple(self._plan()), seen))

    def export(self, folder: str, format: str, **options: Any) -> None:
        """Start exporting in the background, see :func:`.exporting.export`. :attr:`exporting` has the progress."""
        self.exporting.start(lambda events: export(self._dataset, folder, format, events=events, **options))

    def train(self) -> None:
        """Start a training of assist in the background. :attr:`assisting` shows when it has ended."""
        self.assisting.start(lambda events: self.assist.train(progress=False, events=events))

    def find_rest(self) -> None:
        """Find the images that a model can label, in the background. The result of :attr:`assisting` has them."""
        self.assisting.start(lambda events: self.assist.auto_label(dry_run=True, progress=False, events=events))


class ChangePoller:
    """Thread that calls ``changed`` soon after each action, until ``patience`` seconds after :meth:`awake`."""

    def __init__(
        self, store: SqlStore, changed: Callable[[], object], *, every: float = 0.1, patience: float = 8.0
    ) -> None:
        self._store, self._changed = store, changed
        self._every, self._patience = every, patience
        self._lock = threading.Lock()
        self._until = 0.0
        self._thread: threading.Thread | None = None

    def awake(self) -> None:
        """Report that somebody is watching now."""
        with self._lock:
            self._until = time.monotonic() + self._patience
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="customlabels_nb watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        with self._lock:
            self._until = 0.0

    def _run(self) -> None:
        seen: int | None = None
        while self._goes_on():
            try:
                newest = self._store.last_action()
                if seen is not None and newest != seen:
                    self._changed()
                seen = newest
            except StoreError:
                break  # the store was closed or deleted
            except Exception:
                logging.getLogger("customlabels_nb").exception("Could not display the changes to a project.")
            time.sleep(self._every)
        with self._lock:
            if self._thread is threading.current_thread():  # not a newer thread
                self._thread = None

    def _goes_on(self) -> bool:
        with self._lock:
            if time.monotonic() < self._until:
                return True
            self._thread = None
            return False
