"""How a project is doing, without a screen: figures that follow what is done, and the images behind each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.dataset import Dataset
from customlabels_nb.errors import InputError, NotReadyError
from customlabels_nb.events import Events
from customlabels_nb.labeling import progress
from customlabels_nb.labeling.action_list import ActionList
from customlabels_nb.labeling.exporting import Exported, export
from customlabels_nb.labeling.jobs import Job
from customlabels_nb.labeling.outline import FollowedOutline
from customlabels_nb.labeling.view import Query
from customlabels_nb.store import Store

_UNFINISHED = ("TRAINING_IN_PROGRESS", "TRAINING_FAILED", "DELETING")
#: What :meth:`DashboardSession.query` takes beside ``split``; the first four are the gallery's own filters.
LINKS = ("show", "label", "annotator", "queue", "work", "since", "finding", "action")


@dataclass(frozen=True)
class LastVersion:
    """The latest version whose training is complete, and what was done since: None where there is none.

    ``changes`` actions changed images or labels since it was made, the first at ``changed_at``; ``labelled`` images by
    dataset got a label since.
    """

    name: str
    created: datetime
    f1: float | None
    changes: int
    changed_at: datetime | None
    labelled: dict[str, int]


@dataclass(frozen=True)
class Checked:
    """What a check found, as of the action ``seen``: a report, and what training would say."""

    report: Any
    plan: tuple[str, ...]
    seen: int


@dataclass(frozen=True)
class Figures:
    """All figures as of the action ``seen``; the tables are those of :mod:`customlabels_nb.labeling.progress`."""

    seen: int
    statuses: pd.DataFrame
    labels: pd.DataFrame
    annotators: pd.DataFrame
    work: pd.DataFrame
    queue: pd.DataFrame
    usable: dict[str, int]
    version: LastVersion | None


class DashboardSession:
    """Figures of one project, its check and its export. Safe to use from several threads.

    Parameters
    ----------
    store : Store
    root : Path
        The project's folder.
    dataset : callable
        ``dataset(split)`` gives the dataset as it is now.
    check : callable
        ``check(events)`` gives the report that ``project.check()`` does.
    plan : callable
        ``plan()`` says in sentences what training would use, or why it would not begin.
    user : str, optional
        Who takes actions back; ``settings.user`` unless it is given.
    """

    def __init__(
        self,
        store: Store,
        root: Path,
        *,
        dataset: Callable[[str], Dataset],
        check: Callable[[Events], Any],
        plan: Callable[[], list[str]],
        user: str | None = None,
    ) -> None:
        self.root = root
        self.actions = ActionList(store, root, user=user)
        self.checking: Job[Checked] = Job()
        self.exporting: Job[Exported] = Job()
        self._store = store
        self._dataset = dataset
        self._check, self._plan = check, plan
        self._lock = threading.RLock()
        self._outline = FollowedOutline(store)

    @property
    def store(self) -> Store:
        """The project's store."""
        return self._store

    @property
    def task(self) -> str | None:
        """The project's task, None while nobody said."""
        return self._store.project().task

    def figures(self, unit: str = "hour", *, offset: timedelta = timedelta()) -> Figures:
        """The figures as they are now; ``unit`` and ``offset`` are those of :func:`.progress.work`."""
        with self._lock:
            self._outline.follow()
            outline = self._outline.outline
            return Figures(
                self._outline.seen,
                progress.statuses(outline),
                progress.label_distribution(outline, self._store.labels()),
                progress.annotators(outline),
                progress.work(outline, unit, offset=offset),
                progress.queue(outline),
                progress.usable(outline),
                self._last_version(),
            )

    def _last_version(self) -> LastVersion | None:
        ready = [version for version in self._store.versions() if not version.status.startswith(_UNFINISHED)]
        if not ready:
            return None
        last = ready[-1]
        changes, first = self._store.changes_since(last.created)
        outline = self._outline.outline
        since = {split: len(progress.numbers_of(outline, split, since=last.created)) for split in t.SPLITS}
        f1 = last.metrics.get("f1")
        return LastVersion(last.name, last.created, None if f1 is None else float(f1), changes, first, since)

    # -- the images behind a figure -------------------------------------------------------------------
    def query(self, split: str, link: Mapping[str, Any]) -> Query:
        """What a gallery of the dataset shows, so that it is exactly the images that a figure counts.

        Parameters
        ----------
        link : mapping
            One of :data:`LINKS`: ``show``, ``label`` or ``annotator`` with the gallery's values; ``queue``, one of
            :data:`.progress.QUEUE`; ``work``, a start (microseconds since 1970) and a unit; ``since``, a time; ``finding``,
            a code of the latest check; ``action``, an id of the history. Empty for all images.

        Raises
        ------
        InputError
            If it is none of these.
        NotReadyError
            If nothing was checked yet.
        """
        t.check_split(split)
        if not link:
            return Query()
        kind = next(iter(link))
        value = link[kind]
        if len(link) > 1 or kind not in LINKS:
            raise InputError(f"link={dict(link)!r} is not known; give one of {LINKS!r}.")
        if kind in ("show", "label", "annotator"):
            return Query(**{kind: value})
        if kind == "queue" and value in ("unlabelled", "needs_review") and not self._is_predicted(split):
            return Query(show=value)
        return Query(images=frozenset(self._images(split, kind, value)))

    def _is_predicted(self, split: str) -> bool:
        with self._lock:
            images = self._outline.outline.images
            return bool((images["predicted"] & (images["split"] == split)).any())

    def _images(self, split: str, kind: str, value: Any) -> list[str]:
        if kind == "finding":
            checked = self.checking.state.result
            if checked is None:
                raise NotReadyError("Nothing was checked yet.")
            found: list[str] = checked.report.images_with(str(value), split)
            return found
        if kind == "action":
            return self.actions.images(int(value)).get(split, [])
        with self._lock:
            self._outline.follow()
            asked: dict[str, Any] = {kind: value}
            if kind == "work":
                asked = {"work": (progress.moment(int(value[0])), str(value[1]))}
            elif kind == "since":
                asked = {"since": progress.moment(int(value))}
            numbers = progress.numbers_of(self._outline.outline, split, **asked)
        names: list[str] = self._store.image_names(numbers.tolist())["image"].tolist()
        return names

    # -- work that takes its time ---------------------------------------------------------------------
    def check(self) -> None:
        """Begin to look for what will limit the next training; :attr:`checking` tells how far it is."""
        seen = self._store.last_action()
        self.checking.start(lambda events: Checked(self._check(events), tuple(self._plan()), seen))

    def export(self, folder: str, format: str, **options: Any) -> None:
        """Begin to write labelled data; see :func:`.exporting.export`. :attr:`exporting` tells how far it is."""
        self.exporting.start(lambda events: export(self._dataset, folder, format, events=events, **options))
