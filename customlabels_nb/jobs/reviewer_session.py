"""Read the disputed answers of a labelling job for its reviewers, and store their decisions."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import REVIEWED, has_tag, is_reviewed, with_review, without_review
from customlabels_nb.errors import InputError, NotAllowedError, StaleEditError, StoreError
from customlabels_nb.jobs.agreement import Reason, find_disagreements
from customlabels_nb.jobs.identity import current_person
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_results import DisputedTasks, Seen, newest_answers, newest_change, with_nobody_left
from customlabels_nb.jobs.job_tasks import MOST_ANNOTATORS
from customlabels_nb.jobs.leases import SKIPS_TO_REVIEW
from customlabels_nb.labeling.drawing import DrawingSession
from customlabels_nb.labeling.edit_rules import Change, Revisions
from customlabels_nb.labeling.review import ReviewQuery, ReviewSession
from customlabels_nb.labeling.session import Conflict, EditResult
from customlabels_nb.labeling.view import Query
from customlabels_nb.store import SqlStore, create_store

LETTERS = "ABCDEFGHI"
_LOOK_SECONDS = 10.0  # between looks at the job for new disputes
_GONE: dict[str, Any] = {
    "answers": [], "skips": [], "agreement": None, "candidates": [], "tie": False, "acceptable": False, "reasons": []
}  # fmt: skip
_SHAPE = ("label", *t.BOX_COLUMNS, "polygon")
#: Tag of images that the reviewer leaves without a result because people skipped them, and their answer.
ACCEPTED, _SKIP = "accepted", json.dumps("skip")


@dataclass(frozen=True)
class JobReviewQuery(ReviewQuery):
    """Filter and sort order of a job's review.

    ``reason`` is a :data:`.agreement.Reason`, ("skipped",), or ("alone",) if nobody is left to give more answers.
    """

    reason: Sequence[str | None] | None = None


class ReviewerSession(ReviewSession):
    """Session in which a reviewer decides the images of a labelling job, the least certain first.

    Its database is a temporary one with the job's disputed, skipped and decided images. Their annotations are the
    consensus, or the decision. An edit returns when the job has stored the decision. Answers are called A, B, C in a
    random order, and have no names until the image is decided. ``threshold`` is the agreement from which the job
    decides itself, and ``waiting`` the images without a result, as in ``job.progress``. NotAllowedError is raised for
    people who are no reviewers.
    """

    query_type = JobReviewQuery

    def __init__(
        self, store: SqlStore, root: Path, job: LabellingJob, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.job, self._project, self.clock = job, store, clock
        self._facts: dict[str, dict[str, Any]] = {}
        self._states: dict[str, tuple[bool, str]] = {}
        self._label_table = t.empty(t.LABEL_COLUMNS)
        self._looked = self.clock()
        self._newest: object = None
        disputed = job.disputed()
        self._folder = TemporaryDirectory(prefix="customlabels_nb-", ignore_cleanup_errors=True)
        decisions = create_store(str(Path(self._folder.name) / "review.db"), job.name, task=job.task)
        super().__init__(decisions, root, user=current_person(store)[0])
        self._take_in(disputed)

    def close(self) -> None:
        with self._lock:
            self._store.close()
            self._folder.cleanup()

    # -- state --------------------------------------------------------------------------------------
    @property
    def draws(self) -> bool:
        """True if the answers are boxes or polygons."""
        return self.job.task in t.TASKS[2:]

    def labels(self) -> pd.DataFrame:
        return self._label_table

    def row(self, image: str) -> dict[str, Any]:
        """Return :meth:`.ReviewSession.row` with what people said, and what they disagree about.

        Each of ``answers`` has a letter, its labels and shapes, and the person if the image is decided. Each of
        ``skips`` has a reason and the person. ``candidates`` are a label with its confidence, and ``shapes`` the boxes
        of the consensus or the decision. ``accepted`` is True for an image that stays without a result, ``acceptable``
        for one that may, because people skipped it or nobody answered it.
        """
        review_row, facts = super().row(image), self._facts.get(image, _GONE)
        state = self._states[image][1] if image in self._states else "[]"

        def named(answer: Mapping[str, Any]) -> dict[str, Any]:
            return {**answer, "person": answer["person"] if review_row["reviewed"] else None}

        return {
            **review_row,
            **{name: facts[name] for name in ("agreement", "candidates", "tie", "acceptable", "reasons")},
            "answers": [
                {"letter": letter, **named(answer)} for letter, answer in zip(LETTERS, facts["answers"], strict=False)
            ],
            "skips": [named(skip) for skip in facts["skips"]],
            "shapes": json.loads(state) if self.draws and state != _SKIP else [],
            "accepted": state == _SKIP,
            "size": self.table.sizes[self.table.position[image]],
        }

    def reasons(self) -> list[tuple[Reason, int]]:
        """Count the images that are to decide, or the decided ones if they are shown, by reason."""
        with self._lock:
            shown = JobReviewQuery(show=self.view.query.show)
            names = [self.table.names[index] for index in super()._order(shown).tolist()]
            return Counter(reason for name in names for reason in self._facts[name]["reasons"]).most_common()

    def refresh(self) -> None:
        """Follow the job: show new disputes, and remove images that need no decision any more."""
        with self._lock:
            now = self.clock()
            if now >= self._looked + _LOOK_SECONDS:
                self._looked = now
                with suppress(StoreError):  # the next look may succeed
                    self._read_job()

    def _order(self, query: Query) -> npt.NDArray[np.int64]:
        order, names = super()._order(query).tolist(), self.table.names
        if isinstance(query, JobReviewQuery) and query.reason is not None:
            order = [index for index in order if tuple(query.reason) in self._facts[names[index]]["reasons"]]
        if query.sort == "doubt" and query.queue is None:
            order.sort(key=lambda at: (len(self._facts[names[at]]["skips"]), self._facts[names[at]]["agreement"]))
        return np.array(order, dtype=np.int64)

    def _read_job(self) -> None:
        """Bring the temporary database up to date with the job, after new answers, skips, decisions or labels."""
        with self._project.reading() as connection:
            newest = newest_change(connection), self._project.last_action()
        if newest != self._newest:
            self._take_in(self.job.disputed())
            self._newest = newest

    def _take_in(self, disputed: DisputedTasks) -> None:
        self._follow_settings()
        self.waiting = self.job.progress.waiting
        tasks = disputed.tasks.set_index("image", drop=False)
        tasks["seen"] = list(zip(tasks["latest"], tasks["decided"] | tasks["accepted"], strict=True))
        seen = tasks["seen"].to_dict()
        self._drop([name for name, facts in self._facts.items() if seen.get(name) != facts["seen"]])
        tasks = tasks[~tasks["image"].isin(list(self._facts))]
        if tasks.empty:
            return
        votes = disputed.answers[disputed.answers["task"].isin(tasks["task"])]
        reasons, objects = find_disagreements(votes, self.job.task)
        answers, skips = votes.groupby("task").groups, disputed.skips.groupby("task").groups
        waiting = self.job.skipped["image"].value_counts()
        alone = set(waiting.index[waiting < SKIPS_TO_REVIEW])
        skipped = {task for task, rows in skips.items() if len(rows) >= SKIPS_TO_REVIEW}
        results = self._consensus(disputed.annotations, tasks, reasons, skipped)
        of_image = results.groupby("image").groups
        for task in tasks.itertuples(index=False):
            candidates = results.loc[of_image.get(task.image, []), ["label", "confidence", "kept"]].to_numpy().tolist()
            people_answers = [_answer(row, objects) for row in votes.loc[answers.get(task.task, [])].to_dict("records")]
            skippers = disputed.skips.loc[skips.get(task.task, []), ["person", "reason"]].to_dict("records")
            for people in (people_answers, skippers):
                random.Random(task.task).shuffle(people)  # otherwise A would be whoever answers fastest
            self._facts[task.image] = {
                "task": task.task, "seen": task.seen, "agreement": float(task.agreement), "answers": people_answers,
                "skips": skippers, "candidates": [[label, float(sure)] for label, sure, _ in candidates],
                "tie": bool(candidates) and not any(kept for *_, kept in candidates),
                "acceptable": task.task in skipped or not people_answers,
                "reasons": _reasons(reasons.get(task.task, []), bool(skippers), task.image in alone),
            }  # fmt: skip
        images = _image_rows(tasks)
        kept = results.loc[results["kept"].to_numpy(dtype=np.bool_), ["image", *_SHAPE]]
        table = t.normalise_annotations(kept) if len(kept) else t.empty(t.ANNOTATION_COLUMNS)
        self._store.add_images(t.TRAIN, t.normalise_images(images), table, self._action("read job"))
        self.reread(images["image"].tolist())
        self._states |= {name: self._state(name) for name in images["image"]}

    def _consensus(
        self, annotations: pd.DataFrame, tasks: pd.DataFrame, reasons: Mapping[int, list[Reason]], skipped: set[int]
    ) -> pd.DataFrame:
        """Return the annotations that are the consensus or the decision. Skipped images and ties have none."""
        shown = tasks.loc[~tasks["task"].isin(skipped) | tasks["decided"], "image"]
        results = annotations[annotations["image"].isin(shown)]
        if self.job.task != t.TASKS[0]:
            return results
        undecided = tasks.loc[~tasks["decided"], "task"]
        tied = [task for task in undecided if ("tie",) in reasons.get(task, [])]  # weights alone are no consensus
        return results.assign(kept=results["kept"] & ~results["task"].isin(tied))

    def _follow_settings(self) -> None:
        labels, settings = self.job.labels, self.job.settings
        colors = self._project.labels().set_index("label")["color"].to_dict()
        if not set(self._label_table["label"]) <= set(labels):  # answers with renamed labels must be read again
            self._drop(list(self._facts))
        table = pd.DataFrame({"label": labels, "color": [colors.get(label) for label in labels]})
        self._label_table = table.astype(t.LABEL_COLUMNS)
        stored = set(self._store.labels()["label"])
        if new := [(label, colors.get(label)) for label in labels if label not in stored]:
            self._store.add_labels(new, self._action("add label"))
        if settings["instructions"] != self.instructions:
            self._store.set_project(self._action("set instructions"), instructions=settings["instructions"])
        self.threshold = float(settings["agreement"])

    def _drop(self, names: Sequence[str]) -> None:
        """Remove images from the view. Edits of them cannot be undone any more."""
        if names:
            self._store.remove_images(t.TRAIN, self._store.tables(t.TRAIN, images=names)[0], self._action("drop"))
            self.table.drop(set(names))
            for name in names:
                del self._facts[name], self._states[name]
            self._forget_edits(names)

    # -- decisions ----------------------------------------------------------------------------------
    def approve(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Take the consensus of images, unless it is a tie, or leave those without one. Decided ones stay."""
        self._check_here(images)
        images = [name for name in images if not self._states[name][0]]
        bare = {name for name in images if self._states[name][1] == "[]"}
        accepted = {name for name in bare if self._facts[name]["acceptable"]}
        if tied := [name for name in images if name in bare - accepted and self._facts[name]["tie"]]:
            raise InputError(
                f"The answers to {tied[0]!r} have no majority. Take one of them with its letter, or choose a label."
            )

        def change(rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            return with_review(_decided(rows), rows["image"].isin(accepted), ACCEPTED), annotations

        return self._edit(images, change, "approve", revisions, looked_through=True)

    def take(self, images: Sequence[str], number: int, *, revisions: Revisions = None) -> EditResult:
        """Take the answer with this number, 1 for A, as the decision about images."""
        self._check_here(images)
        chosen: dict[str, list[dict[str, Any]]] = {}
        number = check_integer("number", number, 1)
        for name in images:
            answers = self._facts[name]["answers"]
            if number > len(answers):
                raise InputError(f"number={number} is too large: {name!r} has {counted(len(answers), 'answer')}.")
            shapes = answers[number - 1]["shapes"]
            chosen[name] = [{key: shape[key] for key in _SHAPE} for shape in shapes] or [
                {"label": marks_of_image} for marks_of_image in answers[number - 1]["labels"]
            ]
        taken = pd.DataFrame(
            [{"image": name, **mark} for name, marks_of_image in chosen.items() for mark in marks_of_image]
        )
        new = t.normalise_annotations(taken, annotator=self.user) if len(taken) else t.empty(t.ANNOTATION_COLUMNS)

        def change(rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            return _decided(rows), new[new["image"].isin(rows["image"])].reset_index(drop=True)

        return self._edit(images, change, f"take answer {LETTERS[number - 1]}", revisions, looked_through=True)

    def ask_one_more(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Ask one person more about images, also beyond the job's most. They leave the review until then.

        Images that others have decided or answered since they were shown are conflicts. NotAllowedError is raised if
        people skipped one of them, nobody is left to ask, or nine people are asked.
        """

        def ask(names: Sequence[str], *, seen: Seen) -> None:
            if not self.job.ask_one_more(names, max_annotators=MOST_ANNOTATORS, seen=seen):
                raise NotAllowedError(
                    f"{MOST_ANNOTATORS} people are already asked about these images, which is the maximum. Decide them."
                )

        with self._lock:
            self._check_here(images)
            if skipped := [name for name in images if self._facts[name]["skips"]]:
                raise NotAllowedError(
                    f"People skipped {skipped[0]!r}. Return it to the queue, so that they are asked again."
                )
            with self._project.reading() as connection:
                alone = with_nobody_left(connection, [self._facts[name]["task"] for name in images])
            if alone:
                raise NotAllowedError(
                    f"Nobody is left to ask about {alone[0]!r}. A manager can invite more people: job.invite([…])."
                )
            return self._send_back(images, self._states_shown(images, revisions), ask, "ask one person more")

    def reject(self, images: Sequence[str], *, reason: str = "", revisions: Revisions = None) -> EditResult:
        """Return images to the queue: everybody is asked again.

        Their answers do not count any more, except those to images that others skipped and that are not decided. Images
        that others have decided or answered since they were shown are conflicts.
        """
        if reason:
            raise InputError(f"reason={reason!r} cannot be given for images of a labelling job. Leave it out.")
        with self._lock:
            self._check_here(images)
            seen, what = self._states_shown(images, revisions), "return to queue"
            waiting = [name for name in images if self._facts[name]["skips"] and not self._states[name][0]]
            others = [name for name in images if name not in waiting]
            first = self._send_back(waiting, seen, self.job.return_skipped, what)
            then = self._send_back(others, seen, self.job.requeue, what)
            return EditResult(first.images + then.images, first.conflicts + then.conflicts, what)

    def _states_shown(self, images: Iterable[str], revisions: Revisions) -> dict[str, tuple[int, bool]]:
        """Return the state of images as in ``job.disputed()``, an impossible one if the page shows an older one."""
        now = {name: self.table.revisions[self.table.position[name]] for name in images}
        on_page = now | dict(revisions or {})
        return {name: self._facts[name]["seen"] if on_page[name] == now[name] else (-1, False) for name in now}

    def _send_back(self, images: Sequence[str], seen: Seen, send: Callable[..., object], what: str) -> EditResult:
        """Send images back to the labelers. Those that have changed since they were seen are conflicts instead."""
        remaining, stale = list(images), list[str]()
        while remaining:
            try:
                send(remaining, seen=seen)
                break
            except StaleEditError as error:
                stale += error.images
                remaining = [name for name in remaining if name not in stale]
        self._take_in(self.job.disputed())
        theirs = self._labels_here(stale)
        return EditResult(tuple(remaining), tuple(Conflict(name, theirs[name], ()) for name in stale), what)

    def _check_here(self, images: Iterable[str]) -> None:
        names = list(images)
        gone = next((name for name in names if name not in self._facts), None)
        if gone is not None:
            raise InputError(
                f"Image {gone!r} is no longer in the review, because it has been decided or waits for more answers."
            )
        super()._check_here(names)  # such as one of another dataset

    def _edit(
        self, images: Sequence[str], change: Change, what: str, revisions: Revisions, **options: Any
    ) -> EditResult:
        """Edit images and store decisions in the job, or nothing. Those that others changed are conflicts."""

        def undecided(rows: pd.DataFrame, answers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            every = pd.Series(True, index=rows.index)
            rows, answers = change(without_review(rows, every, ACCEPTED), answers)
            is_open = ~is_reviewed(rows)
            return without_review(rows.assign(status=rows["status"].mask(is_open, "needs_review")), is_open), answers

        with self._lock:
            before = self._undo[-1:]
            outcome = super()._edit(images, undecided, what, revisions, **options)
            yours = self._labels_here(outcome.images)
            try:
                self.send(outcome.images)
            except BaseException as error:
                if self._undo[-1:] != before:
                    super()._undo_or_redo(self._undo, [], "undo")
                if not isinstance(error, StaleEditError):
                    raise
                conflicts = outcome.conflicts + self._take_in_theirs(error, yours)
                others = [name for name in outcome.images if name in self._facts and name not in error.images]
                again = self._edit(others, change, what, None, **options)
                return replace(again, conflicts=conflicts + again.conflicts)
            return outcome

    def _undo_or_redo(self, steps: list[Any], others: list[Any], verb: str) -> EditResult:
        with self._lock:
            outcome = super()._undo_or_redo(steps, others, verb)
            yours = self._labels_here(outcome.images)
            try:
                self.send(outcome.images)
            except BaseException as error:
                if outcome.images:
                    super()._undo_or_redo(others, steps, "undo")
                if not isinstance(error, StaleEditError):
                    raise
                return EditResult((), self._take_in_theirs(error, yours), outcome.what)
            return outcome

    def _take_in_theirs(self, error: StaleEditError, yours: Mapping[str, tuple[str, ...]]) -> tuple[Conflict, ...]:
        """Show what others have decided or answered, and return the conflicts with ``yours``."""
        self._take_in(self.job.disputed())
        theirs = self._labels_here(error.images)
        return tuple(Conflict(name, theirs[name], yours[name]) for name in error.images)

    def _labels_here(self, images: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the labels of each image and of its shapes, none if it is not in the review any more."""
        table, positions = self.table, {name: self.table.position[name] for name in images}
        return {
            name: tuple(dict.fromkeys((*table.labels[i], *table.box_labels[i]))) if name in self._facts else ()
            for name, i in positions.items()
        }

    def send(self, images: Iterable[str]) -> None:
        """Store decisions in the job, and withdraw undone ones. StaleEditError if others have changed an image."""
        with self._lock:
            now = {name: self._state(name) for name in images if name in self._facts}
            changed = {name: state for name, state in now.items() if state != self._states[name]}
            fates: dict[str, list[str]] = {"accept": [], "decide": [], "withdraw": [], "none": []}
            for name, state in changed.items():
                fates[_fate(self._states[name], state)].append(name)
            seen = {name: self._facts[name]["seen"] for name in changed}
            new = {name: (seen[name][0], True) for name in fates["accept"]}
            if new:
                self.job.accept_skipped(fates["accept"], seen=seen)
            if answers := {name: json.loads(changed[name][1]) for name in fates["decide"]}:
                numbers = self.job.decide_many(answers, seen=seen)
                new |= {name: (number, True) for name, number in numbers.items()}
            self._states |= {name: changed[name] for name in fates["accept"] + fates["decide"]}
            new |= self._withdraw(fates["withdraw"], seen)
            self._states |= changed
            for name, seen_now in new.items():
                self._facts[name]["seen"] = seen_now
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Count the images without a result again if some of them may have been decided here."""
        if any("decide" in group.actions for group in self.waiting):
            self.waiting = self.job.progress.waiting

    def _withdraw(self, images: Sequence[str], seen: Seen) -> dict[str, tuple[int, bool]]:
        """Withdraw decisions from the job, and return the states of their images."""
        if not images:
            return {}
        self.job.withdraw_decision(images, seen=seen)
        tasks = {name: self._facts[name]["task"] for name in images}
        with self._project.reading() as connection:
            latest = newest_answers(connection, tasks.values())
        return {name: (latest[task], False) for name, task in tasks.items()}

    def _state(self, name: str) -> tuple[bool, str]:
        """Return whether an image is decided, and its answer as JSON."""
        rows, decided, _ = self._store.tables(t.TRAIN, images=[name])
        if has_tag(rows, ACCEPTED).any():
            return True, _SKIP
        shapes = [dict(zip(_SHAPE, mark, strict=True)) for mark in decided[[*_SHAPE]].to_numpy(dtype=object).tolist()]
        answer = shapes if self.draws else decided["label"].tolist()
        return self.table.reviewed[self.table.position[name]], json.dumps(answer)


class BoxSession(DrawingSession):
    """Session of the annotator that edits the boxes of a :class:`ReviewerSession`. What is saved is decided."""

    def __init__(self, reviewer: ReviewerSession) -> None:
        self._reviewer = reviewer
        super().__init__(reviewer._store, reviewer.root, user=reviewer.user)

    def _edit(
        self, images: Sequence[str], change: Change, what: str, revisions: Revisions, **options: Any
    ) -> EditResult:
        def decided(rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            rows, annotations = change(rows, annotations)
            return _decided(rows), annotations

        with self._reviewer.giving(*self._labels_in_edit):
            outcome = self._reviewer._edit(images, decided, what, revisions, looked_through=True)
        self.follow()
        return outcome


def _decided(rows: pd.DataFrame) -> pd.DataFrame:
    return with_review(rows.assign(status="labelled"), pd.Series(True, index=rows.index))


def _fate(before: tuple[bool, str], now: tuple[bool, str]) -> str:
    """Return what the job stores of a change of ``ReviewerSession._state``."""
    if now[0]:
        return "accept" if now[1] == _SKIP else "decide"
    return "withdraw" if before[0] else "none"


def _image_rows(tasks: pd.DataFrame) -> pd.DataFrame:
    """Return the images of tasks, with the status and tags of what was decided about them."""
    closed, accepted = (tasks["decided"] | tasks["accepted"]).tolist(), tasks["accepted"].tolist()
    tags = [[REVIEWED] * is_closed + [ACCEPTED] * is_left for is_closed, is_left in zip(closed, accepted, strict=True)]
    images = tasks[["image", "width", "height", "sha256"]].reset_index(drop=True)
    return images.assign(status=np.where(closed, "labelled", "needs_review"), tags=pd.Series(tags, dtype=object))


def _reasons(of_answers: list[Reason], is_skipped: bool, is_alone: bool) -> list[Reason]:
    """Return why an image is shown: what people disagree about, unless they skipped it or nobody is left to ask."""
    if is_skipped:
        return [("skipped",)]
    return [("alone",), *(reason for reason in of_answers if reason != ("unsure",))] if is_alone else of_answers


def _answer(row: Mapping[str, Any], objects: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    """Return a row of the answers table as the page shows it, with the number of the object of each shape."""
    numbers = objects.get(row["answer"], [])
    shapes = [
        {**{name: box[name] for name in _SHAPE}, "object": number}
        for box, number in zip(row["boxes"], numbers, strict=True)
    ]
    labels = [row["label"]] if isinstance(row["label"], str) else list(row["labels"])
    return {"labels": labels or list(dict.fromkeys(box["label"] for box in shapes)), "shapes": shapes,
            "person": row["person"]}  # fmt: skip
