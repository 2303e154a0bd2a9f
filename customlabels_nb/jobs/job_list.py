"""Labelling jobs of a project: ``project.jobs``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.jobs.identity import check_person, current_person
from customlabels_nb.jobs.job import LabellingJob, check_settings, encoded_gold, label_ids
from customlabels_nb.jobs.job_output import check_job_name
from customlabels_nb.jobs.job_results import PROGRAM
from customlabels_nb.jobs.job_tasks import (
    Gold,
    JobImages,
    ProjectPlace,
    add_tasks,
    follow_images,
    followed_images,
    gold_of,
    images_of,
)
from customlabels_nb.jobs.leases import DEFAULT_LEASE, add_member, read_job
from customlabels_nb.store import Action, schema
from customlabels_nb.store.database import fetch, insert_rows, now_us, record, take_ids
from customlabels_nb.store.network_disks import refuse_network_disk

_JOB = schema.jobs.c
#: Columns of the table of jobs, by their names in the summary of a job.
_COLUMNS = {
    "name": "name", "status": "state", "type": "task", "images": "images", "labelled": "done", "answers": "answers",
    "annotators": "annotators", "created": "created",
}  # fmt: skip


class LabellingJobs(NameHints):
    """Labelling jobs of a project, in which several people label the same images independently.

    Examples
    --------
    >>> job = project.jobs.create("rooms-1", images=project.train_set, annotators=3)
    >>> list(project.jobs)
    ['rooms-1']
    >>> project.jobs["rooms-1"].settings["annotators"]
    3
    """

    def __init__(self, location: ProjectPlace, open_screen: Callable[..., Any] | None = None) -> None:
        self._location, self._open_screen = location, open_screen

    def create(
        self,
        name: str,
        images: JobImages | None = None,
        *,
        annotators: int = 1,
        max_annotators: int | None = None,
        agreement: float = 0.65,
        labels: Sequence[str] | None = None,
        task: t.Task | None = None,
        instructions: str | None = None,
        lease: str | float = DEFAULT_LEASE,
        members: str | Iterable[str] = "open",
        gold: Gold | None = None,
    ) -> LabellingJob:
        """Create a labelling job, which you manage.

        Parameters
        ----------
        name : str
            1 to 63 letters, digits and hyphens. A name cannot be used twice, even if its job is closed.
        images : Dataset, str, DataFrame or list of str, optional
            Images to label: a dataset, "train" or "test", a query for the training set such as ``"width > 500"``, a
            table with the column ``image``, or names. By default the unlabelled training images.
        annotators : int
            Number of people who label each image, 1 to 9.
        max_annotators : int, optional
            Maximum number of people to ask about an image on which the first ones do not agree. By default
            ``annotators``.
        agreement : float
            Minimum confidence of a consensus, between 0 and 1.
        labels : list of str, optional
            Labels to choose from. Missing ones are added to the project. By default all labels of the project.
        task : {"single-label", "multi-label", "boxes", "polygons"}, optional
            Kind of answers. By default the project's task.
        instructions : str, optional
            Instructions for the labelers. By default the project's.
        lease : str or float
            Time for which an image is reserved for a labeler: seconds, or a string such as "5min".
        members : "open" or list of str
            "open" lets everybody label who can open the project. Otherwise, names of the labelers.
        gold : Dataset, DataFrame or dict, optional
            Images with known answers: a labelled dataset, an annotations table, or a dict of image to answer. They look
            like all other images. Each person gets five of them first, and then one in ten images.

        Raises
        ------
        InputError
            If an argument is invalid, or an image is not in the project.
        NotAllowedError
            If there is or was a job with this name.
        StoreError
            If the project is on a network disk with an SQLite database.

        Examples
        --------
        >>> job = project.jobs.create("leaves-1", images=project.train_set, annotators=3, max_annotators=5)
        >>> job.progress.left
        36
        """
        store = self._location.store
        check_job_name(name)
        refuse_network_disk(store)
        project = store.project()
        task = task or project.task or "single-label"
        if task not in t.TASKS:
            raise InputError(f"task={task!r} is not a known task. Use one of {t.TASKS!r}.")
        values = check_settings(
            {"annotators": annotators, "max_annotators": annotators if max_annotators is None else max_annotators,
             "agreement": agreement, "lease": lease, "members": members,
             "instructions": project.instructions if instructions is None else instructions}
        )  # fmt: skip
        people = [] if isinstance(members, str) else [check_person(person) for person in members]
        gold_answers = gold_of(self._location, gold, task)
        names = images_of(self._location, images)
        manager = check_person(current_person(store)[0])
        with store.writing() as connection:
            there = connection.scalar(select(_JOB.name).where(func.lower(_JOB.name) == name.lower()))
            if there is not None:
                raise NotAllowedError(
                    f"The job {there!r} already exists. Open it with project.jobs[{there!r}], or choose another name. "
                    "The name of a closed job cannot be used again."
                )
            id_ = take_ids(connection, schema.jobs, 1)[0]
            now = now_us()
            row = {"id": id_, "name": name, "state": "running", "task": task, "who": manager, "created": now,
                   "updated": now, "labels": label_ids(connection, labels), **values}  # fmt: skip
            insert_rows(connection, schema.jobs, tuple(row), [tuple(row.values())])
            add_member(connection, id_, manager, "manager", exact=True)
            for person in people:
                add_member(connection, id_, person)
            count = add_tasks(connection, id_, names, encoded_gold(connection, id_, gold_answers, task), annotators)
            after = {"job": name, **values}
            record(connection, Action("create labelling job", manager, name), count=count, after=after)
        follow_images(store, id_, images)
        return LabellingJob(self._location, id_, self._open_screen)

    def to_frame(self) -> pd.DataFrame:
        """Return the jobs as a table: name, state, task, images, done, answers, annotators, created.

        Examples
        --------
        >>> project.jobs.to_frame().columns.tolist()[:3]
        ['name', 'state', 'task']
        """
        jobs = pd.DataFrame([self[name].summary for name in self], columns=list(_COLUMNS))
        return jobs.rename(columns=_COLUMNS)

    def __getitem__(self, name: str) -> LabellingJob:
        with self._location.store.reading() as connection:
            job = connection.scalar(select(_JOB.id).where(_JOB.name == str(name)))
        if job is None:
            raise InputError(f"The labelling job {name!r} does not exist. Jobs: {list(self)[-20:]!r}.")
        return LabellingJob(self._location, job, self._open_screen)

    def __iter__(self) -> Iterator[str]:
        with self._location.store.reading() as connection:
            return iter(connection.scalars(select(_JOB.name).order_by(_JOB.id)).all())

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return (
            self.to_frame().to_string(index=False)
            if len(self)
            else "No labelling jobs. Create one with project.jobs.create(…)."
        )

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False)) if len(self) else repr(self)


def take_new_images(location: ProjectPlace) -> None:
    """Add the new images of their dataset or query to all running jobs, and print which cannot get them."""
    with location.store.reading() as connection:
        running = fetch(connection, select(_JOB.id, _JOB.name).where(_JOB.state == "running").order_by(_JOB.id))
    for job, name in running:
        try:
            names = followed_images(location, job)
        except InputError as error:
            say(f"The labelling job {name!r} does not get new images: {error}")
            continue
        with location.store.writing() as connection:
            if count := add_tasks(connection, job, names, {}, read_job(connection, job).annotators):
                action = Action("add images to labelling job", PROGRAM, name)
                record(connection, action, count=count, after={"job": name})
