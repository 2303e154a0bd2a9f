"""One labelling job, as ``project.jobs[name]`` returns it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd
from sqlalchemy import Connection, Row, case, delete, func, select, update

from customlabels_nb._utils.arguments import check_fraction, check_integer, plain_repr
from customlabels_nb._utils.durations import read_seconds
from customlabels_nb._utils.rendering import facts_html
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.images.locations import local_path
from customlabels_nb.jobs import job_results, job_tasks, leases
from customlabels_nb.jobs.agreement import Agreement, describe_people, measure_agreement
from customlabels_nb.jobs.answer_format import COUNTED, Answer, encode_answer, job_labels, read_answers
from customlabels_nb.jobs.consolidation import NEEDS_REVIEW, OPEN, RESOLVED, Consensus
from customlabels_nb.jobs.identity import ROLES, Role, check_person, current_person, find_role, merge_names
from customlabels_nb.jobs.job_output import JobOutput, write_job_output
from customlabels_nb.jobs.job_results import DisputedTasks, Seen
from customlabels_nb.jobs.leases import MERGED, look_key, name_in, read_job
from customlabels_nb.jobs.open_images import THERE, WAITING, ImageGroup, group_images
from customlabels_nb.jobs.personal_links import LinkTable, create_link, page_address, revoke_link
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.labeling.view import MODES, Mode
from customlabels_nb.store import Action, SqlStore, schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.database import fetch, now_us, record, update_rows
from customlabels_nb.store.frames import moment, times
from customlabels_nb.store.writing import ensure_labels

if TYPE_CHECKING:
    from customlabels_nb.jobs.job_screens import DashboardScreen, LabelScreen, NameScreen, ReviewScreen
    from customlabels_nb.jobs.job_tasks import Gold, JobImages

OldAnswers: TypeAlias = Literal["keep", "ask_again", "discard"]
_REASONS = {"keep": "", "ask_again": leases.ASKED_AGAIN, "discard": leases.DISCARDED}
_LONGEST_INSTRUCTIONS = 100_000
_ANSWER, _MEMBER = schema.job_answers.c, schema.job_members.c
_SKIP, _SLOT, _TASK = schema.job_skips.c, schema.job_slots.c, schema.job_tasks.c


@dataclass(frozen=True)
class JobProgress:
    """Progress of a labelling job. Gold images and removed images do not count.

    Attributes
    ----------
    images, done, skipped : int
        Images of the job, those with all their answers, and those that people skipped, which wait for the manager or
        were accepted as skipped.
    answers, left, held : int
        Counted answers, answers that are still needed, and those of them for which somebody has leased a task.
    alone : int
        Images that need more answers although all people of the job have answered or skipped them. ``job.skipped``
        lists them. They wait for more people, fewer annotators, or :meth:`LabellingJob.review`.
    review : int
        Done images that wait for the decision of a reviewer, see :meth:`LabellingJob.review`.
    waiting : tuple of ImageGroup
        Images without a result, grouped by the reason. Each group has the number of its ``images`` and a ``sentence``
        that says what can be done about them.
    """

    images: int
    done: int
    skipped: int
    answers: int
    left: int
    held: int
    alone: int = 0
    review: int = 0
    waiting: tuple[ImageGroup, ...] = ()

    def __repr__(self) -> str:
        numbers = (
            f"{self.done - self.review:,} of {counted(self.images, 'image')} decided, {self.skipped:,} skipped, "
            f"{counted(self.left, 'answer')} left{f', {self.held:,} in progress' if self.held else ''}"
        )
        return "\n".join([numbers, *map(repr, self.waiting)])


class LabellingJob(NameHints):
    """Labelling of images by several people, each without seeing the answers of the others.

    :attr:`Project.jobs` creates and opens jobs. Managers create a job and change it, reviewers see everybody's answers,
    and labelers see only their own. Everything but name and task can change while people label.

    Examples
    --------
    >>> job = project.jobs.create("rooms-2", images=project.train_set, annotators=2)
    >>> anna = job.worker("anna")
    >>> for task in anna.lease(12):
    ...     receipt = anna.submit(task, "garden")
    >>> job.progress
    0 of 12 images decided, 0 skipped, 12 answers left
    12 images wait for a second person: invite one (job.invite(…))
    """

    def __init__(
        self, location: job_tasks.ProjectPlace, job: int, open_screen: Callable[..., Any] | None = None
    ) -> None:
        self._location, self._id, self._open_screen = location, job, open_screen or _refuse_screens

    @property
    def _store(self) -> SqlStore:
        return self._location.store

    # -- properties ---------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        """Name of the job."""
        return str(self._row.name)

    @property
    def task(self) -> str:
        """Task: "single-label", "multi-label", "boxes" or "polygons"."""
        return str(self._row.task)

    @property
    def state(self) -> str:
        """State: "running", "paused", "closed", or "completed" if no image needs more answers."""
        with self._store.reading() as connection:
            stored = str(read_job(connection, self._id).state)
            return "completed" if stored == "running" and job_results.is_complete(connection, self._id) else stored

    @property
    def labels(self) -> list[str]:
        """Labels that the labelers choose from."""
        with self._store.reading() as connection:
            return list(job_labels(connection, self._id))

    @property
    def settings(self) -> dict[str, Any]:
        """Settings, as in :meth:`update`: annotators, max_annotators, agreement, instructions, members and lease."""
        row = self._row
        names = ("annotators", "agreement", "instructions", "members")
        settings = {name: getattr(row, name) for name in names}
        return {**settings, "max_annotators": row.most, "lease": row.lease / 1e6}

    @property
    def members(self) -> pd.DataFrame:
        """Table of the people: person, role, state ("active", "stopped", "removed"), reason, joined, last_seen."""
        c = _MEMBER
        members = select(c.who, c.role, c.state, c.reason, c.joined, c.seen).order_by(c.id)
        with self._store.reading() as connection:
            rows = connection.execute(members.where(c.job == self._id, c.role != MERGED)).all()
        table = pd.DataFrame([row[:4] for row in rows], columns=["person", "role", "state", "reason"], dtype=t.TEXT)
        seen = [pd.NaT if row.seen is None else moment(row.seen) for row in rows]
        return table.assign(joined=times([row.joined for row in rows]), last_seen=pd.array(seen, dtype=t.CREATED_DTYPE))

    @property
    def similar_names(self) -> list[list[str]]:
        """Groups of names that look alike, each with the first spelling first.

        They differ only in capitals, invisible characters, or letters of other alphabets, such as a Cyrillic "a". The
        names of a group probably belong to one person, see :meth:`merge_people`. Only for managers.
        """
        self._allow("see similar names in", "manager")
        groups: dict[str, list[str]] = {}
        for name in self.members["person"]:
            groups.setdefault(look_key(name), []).append(name)
        return [names for names in groups.values() if len(names) > 1]

    @property
    def progress(self) -> JobProgress:
        """Progress of the job, for everybody."""
        answers = select(func.count(_ANSWER.id)).join(schema.job_tasks)
        with self._store.reading() as connection:
            groups = group_images(connection, self._id)
            given = connection.scalar(answers.where(COUNTED, _TASK.job == self._id, _TASK.gold.is_(None), THERE)) or 0
        done, review, skipped, alone = (
            sum(group.images for group in groups if group.verdict in verdicts)
            for verdicts in (("done", "review"), ("review",), ("skipped", "accepted"), ("alone",))
        )
        images, left, held = (sum(getattr(group, name) for group in groups) for name in ("images", "left", "held"))
        waiting = tuple(group for group in groups if group.sentence)
        return JobProgress(images, done, skipped, given, left, held, alone, review, waiting)

    @property
    def answers(self) -> pd.DataFrame:
        """Table of answers, one row for each: answer, task, image, person, label, labels, boxes, submitted, accepted.

        ``seconds`` is the time that the person took for the image so far, also for earlier versions of the answer.
        ``counted`` is False for late, changed and rejected answers and for decisions of reviewers, and ``gold`` marks
        images with known answers. Labelers see only their own answers, without ``gold``.
        """
        person = self._me()
        with self._store.reading() as connection:
            row = read_job(connection, self._id)
            if self._has_role(connection, person, "reviewer"):
                return read_answers(connection, row)
            return read_answers(connection, row, _ANSWER.who == person).assign(gold=False)

    @property
    def gold(self) -> pd.DataFrame:
        """Table of images with known answers: image, label, labels, boxes. Only for reviewers and managers."""
        self._allow("see the known answers of")
        with self._store.reading() as connection:
            return job_results.read_gold(connection, read_job(connection, self._id))

    @property
    def skipped(self) -> pd.DataFrame:
        """Table of images that wait for :meth:`accept_skipped` or :meth:`return_skipped`.

        An image waits if two people skipped it, or if all invited people have answered or skipped it, and more answers
        are needed. The columns are image, person and reason, with a row for each skip, or one without a person. Only
        for reviewers and managers.
        """
        reason = func.coalesce(_SKIP.reason, "nobody is left to ask")
        skips = select(_TASK.image, func.coalesce(_SKIP.who, ""), reason).order_by(_TASK.id, _SKIP.created)
        skips = skips.outerjoin_from(schema.job_tasks, schema.job_skips).where(_TASK.job == self._id, WAITING)
        self._allow("see skipped images of")
        with self._store.reading() as connection:
            return pd.DataFrame(fetch(connection, skips), columns=["image", "person", "reason"])

    @property
    def results(self) -> pd.DataFrame:
        """Table of results: image, label (and box), confidence, annotators, state. Only for reviewers and managers.

        ``state`` is "resolved", or "needs_review" for the candidates of an image on which people disagree. An image in
        which people found nothing to label has a row without label.
        """
        final, boxes = self._final("see the results of"), [*t.BOX_COLUMNS, "polygon"]
        shown = final.tasks[final.tasks["state"].isin([RESOLVED, NEEDS_REVIEW])]
        disputed = shown.loc[shown["state"] == NEEDS_REVIEW, "task"]
        annotations = final.annotations[final.annotations["kept"] | final.annotations["task"].isin(disputed)]
        annotations = annotations[["task", "label", *(boxes if self.task in t.TASKS[2:] else []), "confidence"]]
        table = shown.rename(columns={"annotator": "annotators"}).merge(annotations, on="task", how="left")
        table["confidence"] = table["confidence"].fillna(table["agreement"])
        columns = ["image", *annotations.columns[1:], "annotators", "state"]
        return table.sort_values("image", kind="stable", ignore_index=True)[columns]

    @property
    def agreement(self) -> Agreement:
        """Agreement of the people: overall, per label, and of each pair of people. Only for reviewers and managers."""
        self._allow("see the agreement in")
        with self._store.reading() as connection:
            row = read_job(connection, self._id)
            answers, labels = read_answers(connection, row), list(job_labels(connection, self._id))
        return measure_agreement(answers, row.task, labels)

    @property
    def people(self) -> pd.DataFrame:
        """Table of the people: done, skipped, seconds, agreement with the others, gold, confusion and last_seen.

        ``agreement`` is the share of answers that are the most frequent answer of the others, without images on which
        the others are tied. ``gold`` is a share, too, and ``seconds`` the median. Only for reviewers and managers.
        """
        skips = select(_SKIP.who, func.count()).join(schema.job_tasks).where(_TASK.job == self._id)
        self._allow("see the people of")
        with self._store.reading() as connection:
            row = read_job(connection, self._id)
            answers = read_answers(connection, row, COUNTED)
            labels = list(job_labels(connection, self._id))
            skipped: dict[str, int] = dict(fetch(connection, skips.group_by(_SKIP.who)))
            gold = job_results.read_gold(connection, row)
        seen = self.members.dropna(subset="last_seen").set_index("person")["last_seen"].to_dict()
        gold = job_results.usable_gold(answers, row.task, gold, labels)
        return describe_people(answers, row.task, labels, skipped=skipped, gold=gold, last_seen=seen)

    @property
    def summary(self) -> dict[str, Any]:
        """Summary of the job as a dict: name, status, type, images, labelled, answers, people and settings."""
        row, progress = self._row, self.progress
        return {
            "name": row.name, "status": self.state, "type": row.task, "images": progress.images,
            "labelled": progress.done, "skipped": progress.skipped, "answers": progress.answers, "labels": self.labels,
            **self.settings, "created": moment(row.created), "created_by": row.who,
            "people": self.members["person"].tolist(),
        }  # fmt: skip

    # -- state --------------------------------------------------------------------------------------
    def pause(self) -> None:
        """Stop giving out tasks. Answers to leased tasks are still accepted, and count.

        Examples
        --------
        >>> job.pause()
        >>> job.state
        'paused'
        """
        self._set_state("pause", "paused")

    def resume(self) -> None:
        """Give out tasks of a paused or closed job again. Answers since it was closed count where they are needed.

        Examples
        --------
        >>> job.resume()
        >>> job.state
        'running'
        """
        self._set_state("resume", "running")

    def close(self) -> None:
        """End the job. Later answers are stored, but do not count. The name cannot be used again.

        Examples
        --------
        >>> job.close()
        >>> job.state
        'closed'
        """
        self._set_state("close", "closed")

    def update(
        self,
        *,
        annotators: int | None = None,
        max_annotators: int | None = None,
        agreement: float | None = None,
        labels: Sequence[str] | None = None,
        answers: OldAnswers = "keep",
        instructions: str | None = None,
        lease: str | float | None = None,
        members: str | Iterable[str] | None = None,
    ) -> None:
        """Change settings of the job while people label.

        Parameters
        ----------
        annotators, max_annotators, agreement, instructions, lease, members
            As in :meth:`LabellingJobs.create`. With fewer annotators, the answers that already count still count. Names
            of members are added, and nobody is removed.
        labels : list of str, optional
            New labels to choose from. Missing ones are added to the project.
        answers : {"keep", "ask_again", "discard"}
            What happens to the answers so far, for example after a new label: keep them, ask everybody again, or
            discard them. Answers before asking again do not count any more, but stay in :attr:`answers`.

        Raises
        ------
        InputError
            If an argument is invalid.
        NotAllowedError
            If you are not a manager of the job. The message names the managers.

        Examples
        --------
        >>> job.update(annotators=2, labels=["bathroom", "bedroom", "garden", "kitchen"], answers="keep")
        >>> job.settings["annotators"], job.labels[-1]
        (2, 'kitchen')
        """
        if answers not in _REASONS:
            raise InputError(f"answers={answers!r} is unknown. Choose 'keep', 'ask_again' or 'discard'.")
        with self._acting("manager", "change") as (connection, person):
            before = dict(read_job(connection, self._id)._mapping)
            if annotators is not None and max_annotators is None:
                max_annotators = max(before["most"], check_integer("annotators", annotators, 1))
            arguments = {"annotators": annotators, "max_annotators": max_annotators, "agreement": agreement,
                         "instructions": instructions, "lease": lease, "members": members}  # fmt: skip
            chosen = {name: value for name, value in arguments.items() if value is not None}
            stored = {**before, "max_annotators": before["most"], "lease": before["lease"] / 1e6}
            values = check_settings({**stored, **chosen})
            if members is not None and not isinstance(members, str):
                self._add_members(connection, members)
            if labels is not None:
                values["labels"] = label_ids(connection, labels)
            changes = {name: value for name, value in values.items() if value != before[name]}
            self._write(connection, changes)
            if changes.keys() & {"annotators", "most", "agreement"}:
                job_results.decide_again(connection, self._id)
                job_tasks.set_slots(connection, self._id, values["annotators"])
            if answers != "keep":
                job_tasks.withdraw_answers(connection, self._id, _REASONS[answers])
            after = {"job": before["name"], "answers": answers, **changes}
            shown = {"job": before["name"], **{name: before[name] for name in changes}}
            record(connection, Action("update labelling job", person, before["name"]), before=shown, after=after)

    def _add_members(self, connection: Connection, members: Iterable[str]) -> None:
        active = select(_MEMBER.who).where(_MEMBER.job == self._id, _MEMBER.state == "active")
        known = set(connection.scalars(active))  # who keep their roles
        names = [name_in(connection, self._id, check_person(name)) for name in members]
        self._add_people(connection, [name for name in names if name not in known], "labeler")

    def add_images(self, images: JobImages | None = None, *, gold: Gold | None = None) -> int:
        """Add images of the project to the job, and return how many of them were new to it.

        Parameters
        ----------
        images, gold
            As in :meth:`LabellingJobs.create`. Only gold images are added if just ``gold`` is given.

        Examples
        --------
        >>> job.add_images("test")
        6
        """
        names = [] if images is None and gold is not None else job_tasks.images_of(self._location, images)
        gold_answers = job_tasks.gold_of(self._location, gold, self.task)
        with self._acting("manager", "add images to") as (connection, person):
            row = read_job(connection, self._id)
            answers = encoded_gold(connection, self._id, gold_answers, row.task)
            added = job_tasks.add_tasks(connection, self._id, names, answers, row.annotators)
            self._note(connection, "add images to labelling job", person, {}, added)
        if names:
            job_tasks.follow_images(self._store, self._id, images)
        return added

    # -- results ------------------------------------------------------------------------------------
    def consolidate(self) -> job_results.JobConsolidation:
        """Combine the answers, and write the results to the datasets as one action, which can be undone.

        This also happens when the last answer of the job is stored. Images on which people disagree get more answers,
        up to the job's ``max_annotators``, and then wait for :meth:`decide`. Images that somebody labelled outside of
        the job since it was created keep their labels.

        Examples
        --------
        >>> receipt = worker.submit(worker.lease(2)[0], "garden")
        >>> job.consolidate()
        1 image changed
        """
        person = self._allow("consolidate", "manager")
        job_results.settle(self._store, self._id, again=True)
        return job_results.write_results(self._store, self._id, person)

    def decide(self, image: str, answer: Answer) -> None:
        """Decide the result of an image instead of its labelers. ``answer`` is that of :meth:`Worker.submit`.

        Examples
        --------
        >>> job.decide(project.train_set.images["image"][0], "garden")
        >>> job.results["label"].tolist()
        ['garden']
        """
        self.decide_many({image: answer})

    def decide_many(self, answers: Mapping[str, Answer], *, seen: Seen | None = None) -> dict[str, int]:
        """Decide the results of several images at once, and return the number of each decision.

        Parameters
        ----------
        answers : mapping
            Answer to each image, as in :meth:`decide`.
        seen : mapping, optional
            For each image, the number of its newest answer, and whether it was decided or accepted, when you read
            :meth:`disputed`.

        Raises
        ------
        StaleEditError
            If an image has a newer answer or decision than ``seen``, or no longer needs a decision. Nothing is stored.

        Examples
        --------
        >>> numbers = job.decide_many(dict.fromkeys(project.train_set.images["image"][:2], "garden"))
        >>> job.results["label"].tolist()
        ['garden', 'garden']
        """
        with self._acting("reviewer", "decide an image of") as (connection, person):
            tasks, job_task = self._tasks(connection, answers), read_job(connection, self._id).task
            job_results.refuse_changed(connection, tasks, seen or {})
            labels = job_labels(connection, self._id)
            payloads = {task: encode_answer(answers[name], job_task, labels) for task, name in tasks.items()}
            numbers = {
                tasks[task]: leases.store_decision(connection, task, person, payload)
                for task, payload in sorted(payloads.items())
            }
            self._note(connection, "decide image", person, {"images": list(tasks.values())}, len(tasks))
        return numbers

    def withdraw_decision(self, images: str | Iterable[str], *, seen: Seen | None = None) -> None:
        """Let the answers of the labelers count again instead of the decisions about these images.

        With ``seen``, StaleEditError is raised as in :meth:`decide_many`.

        Examples
        --------
        >>> job.decide(project.train_set.images["image"][0], "garden")
        >>> job.withdraw_decision(project.train_set.images["image"][0])
        >>> job.results.empty
        True
        """
        with self._acting("reviewer", "withdraw a decision in") as (connection, person):
            tasks = self._tasks(connection, images)
            job_results.refuse_changed(connection, tasks, seen or {})
            for task in sorted(tasks):
                leases.withdraw_decision(connection, task)
            self._note(connection, "withdraw decision", person, {"images": list(tasks.values())}, len(tasks))

    def requeue(self, images: str | Iterable[str], *, seen: Seen | None = None) -> int:
        """Reject all answers to these images, so that everybody is asked again, and return the number of answers.

        With ``seen``, StaleEditError is raised as in :meth:`decide_many`.

        Examples
        --------
        >>> receipt = worker.submit(worker.lease(1)[0], "garden")
        >>> job.requeue(job.answers["image"])
        1
        """
        with self._acting("reviewer", "reject answers of") as (connection, person):
            tasks = self._tasks(connection, images)
            job_results.refuse_changed(connection, tasks, seen or {})
            number = sum([leases.ask_again(connection, task) for task in sorted(tasks)])
            self._note(connection, "return to queue", person, {"images": list(tasks.values())}, number)
            return number

    def review(self, *, page_size: int = 24) -> ReviewScreen | NameScreen:
        """Open the screen in which reviewers decide the images on which people disagree, the least certain first.

        The answers are shown as A, B and C, with names after the decision. Every decision is stored immediately. Images
        that people skipped are shown last: a manager accepts that they have no result, or returns them to the queue.

        Parameters
        ----------
        page_size : {4, 6, 9, 24, 48, 100}
            Number of images per page.

        Returns
        -------
        JobReview
            Widget that other cells can read and control with ``selected``, ``approve``, ``correct`` and ``take``.

        Raises
        ------
        NotAllowedError
            If you are neither a reviewer nor a manager of the job.

        Examples
        --------
        >>> screen = job.review()
        >>> screen.progress["left"]
        0
        >>> screen.close()
        """
        screen: ReviewScreen | NameScreen = self._open_screen(self, mode="review", page_size=page_size)
        return screen

    def dashboard(self) -> DashboardScreen:
        """Open the dashboard of the job: states of the images, rate, people, agreement, and whether to pause or close.

        It follows the job while people label. Numbers open the images that they count. Only for managers.

        Returns
        -------
        JobDashboard
            Widget that other cells can read and control with ``totals`` and ``show_images``.

        Raises
        ------
        NotAllowedError
            If you are not a manager of the job. The message names the managers.

        Examples
        --------
        >>> dashboard = job.dashboard()
        >>> dashboard.totals["left"]
        12
        >>> dashboard.close()
        """
        self._allow("open the dashboard of", "manager")
        screen: DashboardScreen = self._open_screen(self, mode="dashboard", page_size=24)
        return screen

    def disputed(self) -> DisputedTasks:
        """Return the tasks that need or have a decision, and the skipped ones. Only for reviewers and managers.

        Examples
        --------
        >>> job.disputed().tasks.empty
        True
        """
        self._allow("review")
        return job_results.read_decided(self._store, self._id, partial(job_results.read_disputed, self._store))

    def to(self, folder: str | os.PathLike[str]) -> Path:
        """Write the job to ``<folder>/<name>`` in the layout of SageMaker Ground Truth, also midway.

        An earlier output is replaced as a whole. Return its folder.

        Raises
        ------
        InputError
            If the folder exists and is not the output of a job.

        Examples
        --------
        >>> job.to("out").name
        'rooms-1'
        """
        final, row = self._final("export", "manager"), self._row
        with self._store.reading() as connection:
            answers = read_answers(connection, row)
            names = connection.scalars(select(_TASK.image).where(_TASK.job == self._id, _TASK.gold.is_(None))).all()
        images = self._store.images().drop_duplicates("image")  # it can be in both datasets
        images = images[images["image"].isin(names)]
        built_in = [name for name in t.IMAGE_COLUMNS if name not in ("image", "width", "height")]
        output = JobOutput(
            job=row.name, task=row.task, labels=self.labels, images=images.drop(columns=built_in),
            answers=answers, tasks=final.tasks, annotations=final.annotations[final.annotations["kept"]],
            summary={**self.summary, "output": "manifests/output/output.manifest"}, instructions=row.instructions,
        )  # fmt: skip
        return write_job_output(output, local_path(folder, "folder"))

    # -- people -------------------------------------------------------------------------------------
    def invite(self, people: str | Iterable[str], *, role: Role = "labeler") -> pd.DataFrame:
        """Let people take part, or give members another role. Removed and stopped people may label again.

        They are also asked about disputed images that had no more people to ask.

        Each person gets a link to the page that ``customlabels-nb label`` serves. Whoever opens it labels with that
        name, and nobody can enter the name on the page any more. The link is shown only now. Another invitation
        replaces it, and :meth:`revoke_links` or :meth:`remove` make it invalid. If the page does not run, the people
        take part without a link, and earlier links stay valid.

        Parameters
        ----------
        people : str or list of str
            Names, as ``cl.whoami(project)`` shows them. Capitals do not matter for names that are in the job.
        role : {"labeler", "reviewer", "manager"}
            Role of these people. Any other raises an InputError.

        Returns
        -------
        DataFrame
            Columns ``person`` and ``link``. If the page does not run, ``link`` has the command that starts it.

        Examples
        --------
        >>> job.invite(["ben"], role="reviewer")["person"].tolist()
        ['ben']
        >>> job.members["person"].tolist()[1:]
        ['anna', 'ben']
        """
        if role not in ROLES:
            raise InputError(f"role={role!r} is unknown. Choose one of {ROLES!r}.")
        names = [check_person(name) for name in ([people] if isinstance(people, str) else people)]
        address = page_address(self._store, self._id)
        command = shlex.join(["customlabels-nb", "label", self.name, "--project", str(self._location.root)])
        first = f"Start the page first, and invite this person again for a link: {command}"
        with self._acting("manager", "invite people to") as (connection, person):
            names = self._add_people(connection, names, role)
            links = [create_link(address, connection, self._id, name) if address else first for name in names]
            self._check_managers(connection)
            self._note(connection, "invite to labelling job", person, {"people": names, "role": role})
        return LinkTable({"person": names, "link": links}, dtype=t.TEXT)

    def trust(self, person: str) -> None:
        """Let a stopped person label again. Their link stays valid.

        Raises
        ------
        InputError
            If the person is not a member.

        Examples
        --------
        >>> job.trust("anna")
        """
        with self._acting("manager", f"trust {person!r} in") as (connection, me):
            name = name_in(connection, self._id, check_person(person))
            role = find_role(connection, self._id, name)
            if not role:
                raise InputError(f"person={person!r} is not a member of the job.")
            self._add_people(connection, [name], role)
            self._note(connection, "invite to labelling job", me, {"people": [name], "role": role})

    def revoke_links(self, people: str | Iterable[str] | None = None) -> list[str]:
        """Make the links of people invalid, by default of all members, and return who had one.

        Pages that are open keep working until they are closed or loaded again.

        Examples
        --------
        >>> links = job.invite(["anna", "ben"])
        >>> job.revoke_links("ben")  # nobody has a link until the page runs
        []
        """
        with self._acting("manager", "revoke links of") as (connection, me):
            names = self.members["person"] if people is None else [people] if isinstance(people, str) else people
            spelled = [name_in(connection, self._id, name) for name in names]
            revoked = [name for name in spelled if revoke_link(connection, self._id, name)]
            self._note(connection, "revoke links of labelling job", me, {"people": revoked})
        return revoked

    def remove(self, person: str) -> None:
        """Remove a person from the job, and release the tasks they hold. Their answers stay.

        Raises
        ------
        InputError
            If the person is not a member.

        Examples
        --------
        >>> link = job.invite("ben")
        >>> job.remove("ben")
        """
        with self._acting("manager", f"remove {person!r} from") as (connection, me):
            person = name_in(connection, self._id, person)
            if not leases.stop(connection, self._id, person, "removed"):
                members = self.members.query("state != 'removed'")["person"].tolist()
                raise InputError(f"person={person!r} is not a member of the job. Members: {members[:20]!r}.")
            revoke_link(connection, self._id, person)
            self._check_managers(connection)
            self._note(connection, "remove from labelling job", me, {"person": person})

    def merge_people(self, person: str, *, into: str) -> None:
        """Merge two names of one person: the answers of ``person`` belong to ``into`` from now on.

        This cannot be undone. No answer is lost. Where both have answered an image, the later answer counts, and
        somebody else is asked. Whoever uses the name ``person`` in the job works as ``into``.

        Parameters
        ----------
        person, into : str
            Two names of :attr:`members`, for example of :attr:`similar_names`. They are compared exactly.

        Raises
        ------
        InputError
            If one of them is not a member of the job, or both are the same.

        Examples
        --------
        >>> link = job.invite("ben")
        >>> job.merge_people("ben", into="anna")
        >>> job.members["person"].tolist()[1:]
        ['anna']
        """
        with self._acting("manager", "merge people of") as (connection, me):
            names = self.members["person"].tolist()
            for argument, name in (("person", person), ("into", into)):
                if name not in names or person == into:
                    raise InputError(f"{argument}={name!r} must be another member of the job. Members: {names[:20]!r}.")
            merge_names(connection, self._id, person, into)
            self._check_managers(connection)
            self._note(connection, "merge people of labelling job", me, {"person": person, "into": into})

    def release(self, person: str) -> int:
        """Give back all tasks that a person has leased, for example on a computer that crashed.

        Examples
        --------
        >>> tasks = worker.lease(3)
        >>> job.release("anna")
        3
        """
        me = self._me()
        with self._store.writing(lock=False) as connection:
            who = name_in(connection, self._id, person)
            if me != who:
                self._check_role(connection, me, "manager", f"release the tasks of {who!r} in")
            return leases.reopen(connection, self._id, who)

    def worker(self, name: str | None = None) -> Worker:
        """Return a worker that leases and answers tasks as you, or as somebody else if you are a manager.

        Examples
        --------
        >>> job.worker("anna")
        Worker('anna': 0 tasks leased)
        """
        me = self._me()
        chosen = check_person(me if name is None else name)
        with self._store.reading() as connection:
            if name is not None and name_in(connection, self._id, chosen) != me:
                self._check_role(connection, me, "manager", f"label as {chosen!r} in")
        exact = name is None and current_person(self._store)[1]
        return Worker(self._store, self._id, chosen, exact=exact)

    def label(self, *, mode: Mode = "single", page_size: int = 24, ask: bool | None = None) -> LabelScreen | NameScreen:
        """Open the screen in which you answer the tasks of the job, without seeing anybody else's answers.

        Tasks are leased as you need them, and released when the screen is closed. Each answer is stored immediately.
        For boxes and polygons, the screen is the annotator.

        Parameters
        ----------
        mode : {"single", "grid"}
            One image at a time, or pages of thumbnails.
        page_size : {4, 6, 9, 24, 48, 100}
            Number of thumbnails per page.
        ask : bool, optional
            Ask for your name on the screen, and use it for this session. By default, this happens in notebooks whose
            login is shared by many people, "jovyan" or "root". A role of your own in PostgreSQL stays your name.

        Returns
        -------
        Gallery, Annotator or NameQuestion
            Widget that other cells can read with ``selected`` and ``observe``, or the question, whose ``screen`` is
            that widget afterwards.

        Raises
        ------
        InputError
            If ``mode`` is unknown.

        Examples
        --------
        >>> screen = job.label()
        >>> job.progress.held
        10
        >>> screen.close()
        """
        if mode not in MODES:
            raise InputError(f"mode={mode!r} must be 'single' or 'grid'.")
        screen: LabelScreen | NameScreen = self._open_screen(self, mode=mode, page_size=page_size, ask=ask)
        return screen

    # -- single images ------------------------------------------------------------------------------
    def reject(self, answer: int) -> None:
        """Stop counting an answer. A late answer of somebody else takes its place, or else somebody else is asked.

        Raises
        ------
        InputError
            If the job has no such answer.

        Examples
        --------
        >>> job.reject(worker.submit(worker.lease(1)[0], "garden").answer)
        >>> job.answers["counted"].tolist()
        [False]
        """
        with self._acting("reviewer", "reject an answer of") as (connection, person):
            answer = check_integer("answer", answer, 1)
            found = select(_ANSWER.id).join(schema.job_tasks).where(_ANSWER.id == answer, _TASK.job == self._id)
            if connection.scalar(found) is None:
                raise InputError(f"answer={answer} does not exist. job.answers lists the answers.")
            leases.reject(connection, answer)
            self._note(connection, "reject answer", person, {"answer": answer})

    def ask_one_more(
        self, images: str | Iterable[str], *, max_annotators: int | None = None, seen: Seen | None = None
    ) -> int:
        """Ask one more person about these images, and return their number.

        An image with ``max_annotators`` people (by default the job's) stays as it is.

        With ``seen``, StaleEditError is raised as in :meth:`decide_many`.

        Examples
        --------
        >>> job.update(max_annotators=2)
        >>> job.ask_one_more(project.train_set.images["image"][:2])
        2
        """
        with self._acting("reviewer", "ask more people in") as (connection, person):
            if max_annotators is None:
                max_annotators = read_job(connection, self._id).most
            limit = check_integer("max_annotators", max_annotators, 1)
            tasks = self._tasks(connection, images)
            job_results.refuse_changed(connection, tasks, seen or {})
            number = sum([job_tasks.ask_one_more(connection, task, limit) for task in tasks])
            self._note(connection, "ask one more", person, {"images": list(tasks.values())}, number)
            return number

    def accept_skipped(self, images: str | Iterable[str] | None = None, *, seen: Seen | None = None) -> int:
        """Leave skipped images without a result, by default all that wait, and return their number.

        Images that nobody else can be asked about, but that have answers, are left to :meth:`review` instead. With
        ``seen``, StaleEditError is raised as in :meth:`decide_many`.

        Examples
        --------
        >>> job.accept_skipped()
        0
        """
        return self._settle_skipped(images, "accept skipped images of", leases.ACCEPTED, seen or {})

    def return_skipped(self, images: str | Iterable[str] | None = None, *, seen: Seen | None = None) -> int:
        """Ask again about skipped images, by default all that wait, and return their number. Skips are forgotten.

        With ``seen``, StaleEditError is raised as in :meth:`decide_many`.

        Examples
        --------
        >>> job.return_skipped()
        0
        """
        return self._settle_skipped(images, "return skipped images of", OPEN, seen or {})

    # -- helpers ------------------------------------------------------------------------------------
    def _me(self) -> str:
        """Return the current person, as the job spells their name."""
        name, exact = current_person(self._store)
        with self._store.reading() as connection:
            return name_in(connection, self._id, name, exact=exact)

    @property
    def _row(self) -> Row[Any]:
        with self._store.reading() as connection:
            return read_job(connection, self._id)

    @contextmanager
    def _acting(self, role: str, what: str) -> Iterator[tuple[Connection, str]]:
        """Open a write transaction for a person with this role, or raise NotAllowedError. Then decide the tasks."""
        person = self._me()
        with self._store.writing() as connection:
            self._check_role(connection, person, role, what)
            yield connection, person
        job_results.settle(self._store, self._id)

    def _allow(self, what: str, role: str = "reviewer") -> str:
        """Return the current person, or raise NotAllowedError if they do not have this role."""
        person = self._me()
        with self._store.reading() as connection:
            self._check_role(connection, person, role, what)
        return person

    def _final(self, what: str, role: str = "reviewer") -> Consensus:
        """Combine all answers for a person with this role."""
        self._allow(what, role)
        return job_results.read_decided(self._store, self._id, job_results.final_results)

    def _has_role(self, connection: Connection, person: str, role: str) -> bool:
        return find_role(connection, self._id, person) in ROLES[ROLES.index(role) :]

    def _check_role(self, connection: Connection, person: str, role: str, what: str) -> None:
        """Raise NotAllowedError unless the person has this role, and name those who have it."""
        if self._has_role(connection, person, role):
            return
        wanted = ROLES[ROLES.index(role) :]
        members = select(_MEMBER.who, _MEMBER.role).where(_MEMBER.job == self._id, _MEMBER.state != "removed")
        roles: dict[str, str] = dict(fetch(connection, members.order_by(_MEMBER.id)))
        can = ", ".join(f"{who!r} ({its_role})" for who, its_role in roles.items() if its_role in wanted)
        role_text = f"a {roles[person]}" if person in roles else "not a member"
        name = read_job(connection, self._id).name
        raise NotAllowedError(
            f"{person!r} is {role_text} of the job {name!r}, and only a {' or '.join(wanted)} can {what} it. Ask {can}."
        )

    def _add_people(self, connection: Connection, people: Iterable[str], role: str) -> list[str]:
        """Let people take part with a role, and return how the job spells their names."""
        names = [leases.add_member(connection, self._id, name, role) for name in people]
        reason = case((_MEMBER.state == "stopped", leases.TRUSTED), else_=_MEMBER.reason)
        change = update(schema.job_members).values(role=role, state="active", reason=reason)
        connection.execute(change.where(_MEMBER.job == self._id, among(connection, _MEMBER.who, names)))
        job_results.decide_again(connection, self._id, [NEEDS_REVIEW])  # perhaps only because nobody was left to ask
        return names

    def _check_managers(self, connection: Connection) -> None:
        manages = (_MEMBER.role == "manager", _MEMBER.state == "active")
        if connection.scalar(select(_MEMBER.id).where(_MEMBER.job == self._id, *manages).limit(1)) is None:
            raise NotAllowedError("A job needs a manager. First invite another one: job.invite([…], role='manager').")

    def _tasks(self, connection: Connection, images: str | Iterable[str]) -> dict[int, str]:
        """Map the ids of the tasks of these images to the images."""
        names = [images] if isinstance(images, str) else list(images)
        of_images = select(_TASK.id, _TASK.image).where(_TASK.job == self._id, _TASK.gold.is_(None))
        tasks: dict[int, str] = dict(fetch(connection, of_images.where(among(connection, _TASK.image, names))))
        if missing := set(names) - set(tasks.values()):
            raise InputError(
                f"{counted(len(missing), 'image is', 'images are')} not in the job, for example {min(missing)!r}."
            )
        return tasks

    def _settle_skipped(self, images: str | Iterable[str] | None, what: str, state: str, seen: Seen) -> int:
        with self._acting("manager", what) as (connection, person):
            of_job = select(_TASK.id, _TASK.image).where(_TASK.job == self._id, WAITING)
            waiting: dict[int, str] = dict(fetch(connection, of_job))
            chosen = waiting if images is None else self._tasks(connection, images)
            job_results.refuse_changed(connection, chosen, seen)
            if wrong := chosen.keys() - waiting.keys():
                raise NotAllowedError(f"{chosen[min(wrong)]!r} is not among the skipped images that wait.")
            if chosen:
                if state == leases.ACCEPTED:
                    leases.end_with_answers(connection, list(chosen))
                tasks = among(connection, _TASK.id, chosen)
                unsettled = update(schema.job_tasks).where(tasks, _TASK.state.in_((OPEN, leases.SKIPPED)))
                connection.execute(unsettled.values(state=state))
                if state == OPEN:
                    connection.execute(delete(schema.job_skips).where(among(connection, _SKIP.task, chosen)))
                    leases.note_states(connection, tasks)
                self._note(connection, what.removesuffix(" of"), person, {"images": list(chosen.values())}, len(chosen))
        return len(chosen)

    def _set_state(self, verb: str, state: str) -> None:
        with self._acting("manager", verb) as (connection, person):
            self._write(connection, {"state": state})
            if state == "running":
                leases.use_late_answers(connection, _TASK.job == self._id)
            self._note(connection, f"{verb} labelling job", person, {"state": state})

    def _write(self, connection: Connection, changes: dict[str, Any]) -> None:
        values = {**changes, "updated": now_us()}
        update_rows(connection, schema.jobs, tuple(values), [(*values.values(), self._id)])

    def _note(self, connection: Connection, what: str, person: str, after: dict[str, Any], count: int = 0) -> None:
        name = read_job(connection, self._id).name
        record(connection, Action(what, person, name), count=count, after={"job": name, **after})

    def _repr_html_(self) -> str:
        facts = [self.state, self.task, counted(len(self.members), "person", "people")]
        return facts_html(self.name, facts, repr(self.progress).split("\n"))

    def __repr__(self) -> str:
        return f"LabellingJob({self.name!r}, {self.state}: {repr(self.progress).splitlines()[0]})"


def _refuse_screens(*_: Any, **__: Any) -> Any:
    raise NotAllowedError("This job cannot open screens. Use load_project(…).jobs[name] instead.")


def check_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings of a job, and return them as they are stored."""
    stored: dict[str, Any] = {}
    for name, column in (("annotators", "annotators"), ("max_annotators", "most")):
        stored[column] = check_integer(name, settings[name], 1, job_tasks.MOST_ANNOTATORS)
    if stored["most"] < stored["annotators"]:
        raise InputError(f"max_annotators={stored['most']} must be at least annotators={stored['annotators']}.")
    limit, members = settings["lease"], settings["members"]
    agreement = check_fraction("agreement", settings["agreement"])
    seconds = read_seconds(limit)
    if seconds is None or not leases.SHORTEST_LEASE <= seconds <= leases.LONGEST_LEASE:
        raise InputError(f"lease={plain_repr(limit)} must be a duration from 1 s to 7 days, such as '5min'.")
    words = settings["instructions"]
    if not isinstance(words, str) or len(words) > _LONGEST_INSTRUCTIONS or not t.storable(words):
        raise InputError(
            f"instructions={str(words)[:50]!r} must be a text of at most {_LONGEST_INSTRUCTIONS:,} characters."
        )
    if members not in ("open", "invited") if isinstance(members, str) else not isinstance(members, Iterable):
        raise InputError(f"members={members!r} must be 'open', or a list of names.")
    return {
        **stored,
        "agreement": agreement,
        "lease": round(seconds * 1e6),
        "instructions": words,
        "members": members if isinstance(members, str) else "invited",
    }


def label_ids(connection: Connection, labels: Sequence[str] | None) -> str | None:
    """Return the ids of a job's labels in stored form, adding missing labels to the project."""
    if labels is None:
        return None
    if isinstance(labels, str) or not labels:
        raise InputError(f"labels={labels!r} must be a list of at least one name.")
    names = [t.check_label(name) for name in dict.fromkeys(labels)]
    ids = ensure_labels(connection, names)
    return json.dumps([ids[name] for name in names])


def encoded_gold(connection: Connection, job: int, gold: dict[str, Any], task: str) -> dict[str, str]:
    """Convert the known answers of gold images to stored form."""
    ids = job_labels(connection, job)
    return {image: encode_answer(answer, task, ids) for image, answer in gold.items()}
