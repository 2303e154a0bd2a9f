"""Decide the tasks of a labelling job when all their answers are in, and write the results to the datasets.

A task with all its answers is in the state "answered". Combining them resolves it, asks one person more, or leaves it
to a reviewer. This needs no lock of the project. Results are written as one action that can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, func, or_, select, update

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.errors import OutdatedError, StaleEditError
from customlabels_nb.jobs import consolidation
from customlabels_nb.jobs.agreement import GOLD_ANSWERS, find_wrong_gold, score_gold
from customlabels_nb.jobs.answer_format import COUNTED, LabelNames, decode_answer, job_labels, read_answers
from customlabels_nb.jobs.consolidation import ASK_AGAIN, FEW_ANSWERS, NEEDS_REVIEW, OPEN, RESOLVED, Consensus, job_name
from customlabels_nb.jobs.job_tasks import MOST_ANNOTATORS, add_slots
from customlabels_nb.jobs.leases import (
    ACCEPTED,
    ANSWERED,
    REVIEWED,
    SKIPPED,
    SKIPS_TO_REVIEW,
    TRUSTED,
    name_in,
    read_job,
    stop,
    transact,
)
from customlabels_nb.jobs.open_images import ALONE, ENDED, NEEDED, SKIPS, THERE
from customlabels_nb.store import Action, SqlStore, schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.database import counter, fetch, record, take_ids, update_rows
from customlabels_nb.store.expressions import constants
from customlabels_nb.store.frames import annotation_keys, moment
from customlabels_nb.store.trace import Trace
from customlabels_nb.store.writing import Edit, change_images, read_setting, write_setting

#: Who writes results when the last answer of a job is in.
PROGRAM = "customlabels_nb"
_GROWTH = 0.5  # the accuracies of people are estimated again after this growth of the number of answers
_TRIES = 5
T = TypeVar("T")
#: For each image, the number of its newest answer, and whether it was decided or accepted.
Seen: TypeAlias = Mapping[str, tuple[int, bool]]
_ANSWER, _IMAGE, _JOB, _MEMBER = schema.job_answers.c, schema.images.c, schema.jobs.c, schema.job_members.c
_SKIP, _SLOT, _TASK = schema.job_skips.c, schema.job_slots.c, schema.job_tasks.c
# parts of the SQL, so that databases know which index has the rows, and PostgreSQL plans a statement only once
_OPEN, _ANSWERED, _ZERO, _ONE = constants(OPEN, ANSWERED, 0, 1)
_SHOWN = _TASK.gold.is_(None) & (_TASK.state.in_((NEEDS_REVIEW, REVIEWED, ACCEPTED, SKIPPED)) | ALONE)
_DECIDES = COUNTED | (_ANSWER.reason == REVIEWED)
_LATEST = select(func.coalesce(func.max(_ANSWER.id), 0)).where(_ANSWER.task == _TASK.id, _DECIDES).scalar_subquery()
# tasks of a job that are answered but not decided, and their counted answers
_UNDECIDED = select(_TASK.id).where(_TASK.job == bindparam("job"), _TASK.state == _ANSWERED).order_by(_TASK.id)
_COUNTS = _UNDECIDED.add_columns(func.count(_ANSWER.id).label("answers"), func.max(_ANSWER.id)).group_by(_TASK.id)
_COUNTS = _COUNTS.outerjoin_from(schema.job_tasks, schema.job_answers, (_ANSWER.task == _TASK.id) & COUNTED)
_UNANSWERED = select(_SLOT.task).where(_SLOT.job == bindparam("job"), NEEDED)
_UNANSWERED = _UNANSWERED.join(schema.job_tasks).where(_TASK.state == _OPEN, THERE).limit(_ONE)
_TO_GOLD = and_(_TASK.gold.is_not(None), COUNTED)
_NEWEST = select(func.count(), func.max(_SKIP.created), select(func.max(_ANSWER.id)).scalar_subquery())


@dataclass(frozen=True)
class JobConsolidation:
    """Result of :meth:`LabellingJob.consolidate`.

    Attributes
    ----------
    changed : int
        Images whose annotations changed.
    left_out : list of str
        Images that keep their labels, because somebody labelled them outside of the job meanwhile, or because a label
        was removed from the project.
    """

    changed: int
    left_out: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        more = f", {len(self.left_out):,} left out (labelled meanwhile, or label removed)" if self.left_out else ""
        if not self.changed and not self.left_out:
            more = ": the datasets have all results already"
        return f"{counted(self.changed, 'image')} changed{more}"


@dataclass(frozen=True)
class DisputedTasks:
    """Tasks that need the decision of a reviewer, or have one.

    ``tasks`` has task, image, width, height, sha256, ``decided`` and ``accepted`` (bool, decided by a reviewer, and
    accepted as skipped), ``latest`` (number of the newest answer or decision, or 0) and ``agreement``. ``annotations``
    has the candidates as in :class:`.Consensus`, ``answers`` the counted answers as :func:`.read_answers` returns them,
    and ``skips`` has task, person and reason of the tasks that were left to the manager because people skipped them.
    """

    tasks: pd.DataFrame
    annotations: pd.DataFrame
    answers: pd.DataFrame
    skips: pd.DataFrame


def read_disputed(store: SqlStore, connection: Connection, row: Row[Any]) -> DisputedTasks:
    """Read the tasks of a job that need a decision or have one."""
    columns = (_TASK.id, _TASK.image, _IMAGE.width, _IMAGE.height, _IMAGE.sha256, _TASK.state, _LATEST)
    there = and_(_IMAGE.image == _TASK.image, _IMAGE.split.in_(t.SPLITS))
    tasks = select(*columns).join_from(schema.job_tasks, schema.images, there).order_by(_TASK.id)
    skips = select(_TASK.id, _SKIP.who, _SKIP.reason).join_from(schema.job_tasks, schema.job_skips)
    skips = skips.where(_TASK.state.not_in((NEEDS_REVIEW, REVIEWED)) | (SKIPS >= SKIPS_TO_REVIEW))
    chosen = (_TASK.job == row.id, _SHOWN)
    names = ["task", "image", "width", "height", "sha256", "state", "latest"]
    table = pd.DataFrame(fetch(connection, tasks.where(*chosen)), columns=names)
    table = table.drop_duplicates("task", ignore_index=True)  # an image can be in both datasets
    settled = store.setting(f"accuracies of job {row.id}") or {"accuracy": None}
    final = combine(connection, row, _SHOWN, accuracy=settled["accuracy"])
    agreement = table["task"].map(final.tasks.set_index("task")["agreement"]).fillna(1.0)
    answers = read_answers(connection, row, _SHOWN, COUNTED)
    states = table.pop("state")
    table = table.assign(decided=states == REVIEWED, accepted=states == ACCEPTED, agreement=agreement)
    skipped = fetch(connection, skips.where(*chosen).order_by(_SKIP.created))
    return DisputedTasks(table, final.annotations, answers, pd.DataFrame(skipped, columns=["task", "person", "reason"]))


def newest_answers(connection: Connection, tasks: Iterable[int]) -> dict[int, int]:
    """Return the number of the newest counted answer or decision of each of these tasks, 0 if it has none."""
    return dict(fetch(connection, select(_TASK.id, _LATEST).where(among(connection, _TASK.id, tasks))))


def newest_change(connection: Connection) -> Row[Any]:
    """Return what is different after each answer or skip in any job."""
    return connection.execute(_NEWEST).one()


def with_nobody_left(connection: Connection, tasks: Iterable[int]) -> list[str]:
    """Return the images of those of these tasks about which no invited person can be asked."""
    return list(connection.scalars(select(_TASK.image).where(among(connection, _TASK.id, tasks), ENDED)))


def refuse_changed(connection: Connection, tasks: Mapping[int, str], seen: Seen) -> None:
    """Raise StaleEditError if a task (id to image) has another answer than ``seen``, or needs no decision."""
    may_be = or_(_TASK.state.in_((NEEDS_REVIEW, ANSWERED, SKIPPED)), ALONE)
    is_decided = case((_TASK.state.in_((REVIEWED, ACCEPTED)), 1), (may_be, 0))
    now = select(_TASK.image, _LATEST, is_decided).where(among(connection, _TASK.id, tasks)).order_by(_TASK.id)
    if stale := [image for image, *state in fetch(connection, now) if [*seen.get(image, state)] != state]:
        raise StaleEditError(
            f"The answers or decisions of {counted(len(stale), 'image')} have changed since you read them, for example "
            f"of {stale[0]!r}. Nothing was stored. Read job.disputed() again and decide again.",
            images=stale, theirs=t.empty(t.ANNOTATION_COLUMNS), yours=t.empty(t.ANNOTATION_COLUMNS),
        )  # fmt: skip


def combine(
    connection: Connection, row: Row[Any], *only: ColumnElement[bool], accuracy: dict[str, float] | None = None
) -> Consensus:
    """Combine the answers to the tasks of a job with these conditions. A reviewer's decision replaces all answers."""
    answers = read_answers(connection, row, *only)
    decided = select(func.max(_ANSWER.id)).join(schema.job_tasks).group_by(_ANSWER.task)
    decided = decided.where(_TASK.job == row.id, _TASK.state == REVIEWED, _ANSWER.reason == REVIEWED, *only)
    if chosen := connection.scalars(decided).all():
        mine = answers["answer"].isin(chosen)
        tasks = answers.loc[mine, "task"]
        answers["counted"] = mine | (answers["counted"] & ~answers["task"].isin(tasks))
    labels = list(job_labels(connection, row.id))
    settings = {"annotators": row.annotators, "most": row.most, "agreement": row.agreement}
    return consolidation.consolidate(answers, row.task, **settings, labels=labels, job=row.name, accuracy=accuracy)


def final_results(connection: Connection, row: Row[Any]) -> Consensus:
    """Combine all answers of a job. Only tasks that are decided have the state "resolved"."""
    consensus = combine(connection, row)
    states = select(_TASK.id, _TASK.state).where(_TASK.job == row.id, _TASK.gold.is_(None))
    stored = consensus.tasks["task"].map(dict(fetch(connection, states)))
    tied = consensus.tasks["tie"] & ~consensus.tasks["task"].isin(consensus.annotations.query("kept")["task"])
    sure = (stored == REVIEWED) | ((stored == RESOLVED) & ~tied)
    now = np.select([sure, stored == NEEDS_REVIEW], [RESOLVED, NEEDS_REVIEW], OPEN)
    return replace(consensus, tasks=consensus.tasks.assign(state=pd.array(now, dtype=t.TEXT)))


def is_complete(connection: Connection, job: int) -> bool:
    """Check whether a job needs no more answers, and all those it has are combined."""
    return connection.scalar(_UNANSWERED, {"job": job}) is None and not _is_undecided(connection, job)


def _is_undecided(connection: Connection, job: int) -> bool:
    """Check whether tasks of a job have all their answers, but are not decided."""
    return connection.scalar(_UNDECIDED.limit(_ONE), {"job": job}) is not None


def settle(store: SqlStore, job: int, *, again: bool = False) -> None:
    """Decide the tasks that have all their answers, with ``again`` also those decided before."""
    if again:
        transact(store, lambda connection: decide_again(connection, job))
    for _ in range(MOST_ANNOTATORS):  # a late answer may take the slot of one person more, or settings change
        if not _settle_once(store, job, again):
            return


def read_decided(store: SqlStore, job: int, read: Callable[[Connection, Row[Any]], T]) -> T:
    """Decide the tasks that have all their answers, and return ``read(connection, row)`` of the job.

    If others change answers or settings meanwhile, so that tasks must be decided again, this is tried again.
    """
    for _ in range(_TRIES):
        settle(store, job)
        with store.reading() as connection:
            if not _is_undecided(connection, job):
                return read(connection, read_job(connection, job))
    with store.reading() as connection:
        return read(connection, read_job(connection, job))


def decide_again(connection: Connection, job: int, states: Collection[str] = (RESOLVED, NEEDS_REVIEW)) -> None:
    """Let the tasks that were decided by combining their answers be decided again."""
    combined = update(schema.job_tasks).where(_TASK.job == job, _TASK.state.in_(states))
    connection.execute(combined.values(state=ANSWERED))


def _settle_once(store: SqlStore, job: int, again: bool) -> bool:
    key = f"accuracies of job {job}"
    with store.reading() as connection:
        if not _is_undecided(connection, job):
            return False
    settled = store.setting(key) or {"newest": 0, "answers": 0, "accuracy": None}
    with store.reading() as connection:
        row = read_job(connection, job)
        newest = newest_answer(connection)
        if all_ := again or newest - settled["newest"] >= _GROWTH * settled["answers"]:
            consensus = combine(connection, row)
        else:
            consensus = combine(connection, row, _TASK.state == ANSWERED, accuracy=settled["accuracy"])
        before = set(connection.execute(_COUNTS, {"job": job}))
    number = int(consensus.tasks["answers"].sum())
    if all_ and number > FEW_ANSWERS:
        people = consensus.people.set_index("person")["accuracy"].to_dict()
        store.change_setting(key, lambda old: {"newest": newest, "answers": number, "accuracy": people})
    new = dict(zip(consensus.tasks["task"].tolist(), consensus.tasks["state"], strict=True))

    return transact(store, lambda connection: _store_states(connection, row, before, new))


def _store_states(connection: Connection, row: Row[Any], before: Collection[Row[Any]], new: Mapping[int, str]) -> bool:
    """Store the new states of tasks without further answers. Return True if the job must be settled again."""
    job = {"job": row.id}
    connection.execute(_UNDECIDED.with_for_update(key_share=True), job)
    now = read_job(connection, row.id)
    if (now.annotators, now.most, now.agreement) != (row.annotators, row.most, row.agreement):
        return True
    rows = [task for task in connection.execute(_COUNTS, job) if task in before]
    ended = set(connection.scalars(_UNDECIDED.where(ENDED), job))
    states = [(RESOLVED if new[task.id] == RESOLVED else NEEDS_REVIEW, task.id) for task in rows]
    update_rows(connection, schema.job_tasks, ("state",), states)
    more = [task for task in rows if new[task.id] == ASK_AGAIN and task.id not in ended]
    for answers in {task.answers for task in more}:
        extended = [task.id for task in more if task.answers == answers]
        add_slots(connection, among(connection, _TASK.id, extended), answers + 1)
    return bool(more)


def write_results(store: SqlStore, job: int, who: str) -> JobConsolidation:
    """Write the results of decided tasks to the datasets, and remove those of tasks that are open again.

    Labels that a person gave outside of the job since it was created stay, and so does an image that a person found to
    have nothing to label. Boxes that a person deleted do not come back until there is a new answer.
    """
    for _ in range(_TRIES):
        settle(store, job)
        with suppress(StaleEditError, OutdatedError):  # somebody labels one of the images, or answers, just now
            return _write_results(store, job, who)
    return _write_results(store, job, who, undecided=True)


def finish(store: SqlStore, job: int) -> None:
    """Write the results of a job that needs no more answers, unless there is no new answer since they were written.

    Before, all tasks are decided again, because the accuracies of the people are known better than midway.
    """
    with store.reading() as connection:
        complete, newest = is_complete(connection, job), newest_answer(connection, job)
    if complete and store.setting(f"written results of job {job}") != newest:
        settle(store, job, again=True)
        write_results(store, job, PROGRAM)


def newest_answer(connection: Connection, job: int | None = None) -> int:
    """Return the number of the newest answer, by default of all jobs, 0 if there is none."""
    newest = select(_ANSWER.id).order_by(_ANSWER.id.desc()).limit(1)
    newest = newest if job is None else newest.join(schema.job_tasks).where(_TASK.job == job)
    return int(connection.scalar(newest) or 0)


def _write_results(store: SqlStore, job: int, who: str, *, undecided: bool = False) -> JobConsolidation:
    """Write the results. Without ``undecided``, raise OutdatedError if tasks are not decided."""
    kinds = ("writes of", "written", "empty", "revisions of")
    writes, written, without, separate = (f"{kind} results of job {job}" for kind in kinds)
    with store.reading() as connection:
        if _is_undecided(connection, job) and not undecided:
            raise OutdatedError("Answers or settings of the job have changed. Nothing was written. Try again.")
        number, last = counter(connection, writes), read_setting(connection, written)
        before_empty = set(read_setting(connection, without) or ())
        row, newest = read_job(connection, job), newest_answer(connection, job)
        apart = read_setting(connection, separate) or {}  # revisions of the images in both datasets, by dataset
        tasks, kept = _read_tasks(connection, row, last or 0, before_empty)
    judged, edits = _judge_datasets(store, row, tasks, kept, apart)
    left_out = judged.loc[judged["verdict"] == "leave out", "image"].tolist()
    nothing = judged.query("verdict == 'write' and not has_result")["image"]
    empty = before_empty.difference(judged.loc[~judged["waiting"], "image"]).union(nothing)
    with store.writing() as connection:
        if counter(connection, writes) != number:
            raise OutdatedError("Somebody else has written results of the job. Nothing was written. Try again.")
        take_ids(connection, writes, 1)
        trace = Trace(connection)
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for split, edit in edits.items():
            states = change_images(connection, split, edit, trace) if edit.changed else ({}, {})
            before, after = before | states[0], after | states[1]
            is_written = (judged["split"] == split) & judged["image"].isin(states[0])
            judged.loc[is_written, "revision"] = judged["now"] + 1
            changed = [*judged.loc[is_written, ["revision", "id"]].itertuples(index=False, name=None)]
            update_rows(connection, schema.job_tasks, ("revision",), changed)
        if before:
            action = Action("consolidate labelling job", who, row.name)
            record(connection, action, count=len(before), before=before, after=after, undo=trace.payload())
        if not tasks["waiting"].any():
            write_setting(connection, written, newest)
        if (apart_now := _revisions_apart(judged)) != apart:
            write_setting(connection, separate, apart_now)
        if empty != before_empty:
            write_setting(connection, without, sorted(empty))
    return JobConsolidation(len(before), left_out)


def _read_tasks(connection: Connection, row: Row[Any], last: int, empty: set[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the tasks of a job with what decides whether to write them, and the annotations of the decided ones.

    The columns are id, image, revision and state; ``done``: decided; ``waiting``: to be decided; ``fresh``: answered
    after the answer ``last``; ``has_result``: has annotations; ``unknown``: with a label that was removed from the
    project; ``was_empty``: the written result was that there is nothing to label.
    """
    consensus, labels = final_results(connection, row), set(LabelNames(connection).names.values())
    done = set(consensus.tasks.loc[consensus.tasks["state"] == RESOLVED, "image"])
    kept = consensus.annotations[consensus.annotations["kept"] & consensus.annotations["image"].isin(done)]
    stored = select(_TASK.id, _TASK.image, _TASK.revision, _TASK.state).where(_TASK.job == row.id, _TASK.gold.is_(None))
    tasks = pd.DataFrame(fetch(connection, stored), columns=["id", "image", "revision", "state"])
    fresh = select(_TASK.image).join(schema.job_answers).where(_TASK.job == row.id, _ANSWER.id > last, _DECIDES)
    unknown = kept.loc[~kept["label"].isin(labels), "image"]
    names = [done, set(connection.scalars(fresh)), kept["image"], unknown, empty]
    facts = zip(("done", "fresh", "has_result", "unknown", "was_empty"), map(tasks["image"].isin, names), strict=True)
    return tasks.assign(waiting=tasks["state"] == ANSWERED, **dict(facts)), kept[[*t.ANNOTATION_COLUMNS]]


def _judge_datasets(
    store: SqlStore, row: Row[Any], tasks: pd.DataFrame, kept: pd.DataFrame, apart: dict[str, dict[str, int]]
) -> tuple[pd.DataFrame, dict[str, Edit]]:
    """Return the tasks of each dataset with a ``verdict`` and ``split``, and the edit of each dataset.

    Images in both datasets have a revision in each: those of the last results are in ``apart``, by dataset.
    """
    names_in = {split: store.images(split)["image"] for split in t.SPLITS}
    tasks = tasks.assign(in_both=np.logical_and(*(tasks["image"].isin(names) for names in names_in.values())))
    edits: dict[str, Edit] = {}
    tables = []
    for split, names in names_in.items():
        stored, existing, _ = store.tables(split, names[names.isin(tasks["image"])].tolist())
        revisions = dict(zip(tasks["image"], tasks["revision"].tolist(), strict=True)) | apart.get(split, {})
        own = tasks.assign(revision=tasks["image"].map(revisions))
        table, edits[split] = _judge(row, own, kept, stored, existing)
        tables.append(table.assign(split=split))
    return pd.concat(tables, ignore_index=True), edits


def _revisions_apart(judged: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Map each dataset to the revisions of the images that are in both."""
    both = judged[judged["in_both"]]
    return {
        str(split): dict(zip(rows["image"], rows["revision"].tolist(), strict=True))
        for split, rows in both.groupby("split")
    }


def _judge(
    row: Row[Any], tasks: pd.DataFrame, kept: pd.DataFrame, stored: pd.DataFrame, existing: pd.DataFrame
) -> tuple[pd.DataFrame, Edit]:
    """Return the tasks of the stored images with a ``verdict``, and the edit that carries it out.

    The verdict is "leave out", "write", "take back" or "keep".
    """
    table = stored[["image", "status"]].assign(now=stored["revision"]).merge(tasks, on="image")
    name, of_job = table["image"], existing["job"] == job_name(row.name)
    bare, touched = ~name.isin(existing["image"]), table["now"] != table["revision"]
    meanwhile = ~t.by_machine(existing) & ~of_job & (existing["created"] >= moment(row.created))
    # as when it was only moved, which an image in both datasets was not
    is_ours = table["was_empty"] & ~table["in_both"] & (table["fresh"] | ~table["has_result"])
    ours = name.isin(existing.loc[of_job, "image"])
    written = name[table["done"] & touched & ours & ~table["fresh"]]
    compared = (part[part["image"].isin(written)].drop(columns="note") for part in (existing[of_job], kept))
    mine, result = map(annotation_keys, compared)
    edited = [image for image in written if mine[image] != result.get(image)]
    by_person = (
        name.isin(existing.loc[meanwhile, "image"])  # labelled since the job was created
        | (bare & touched & (table["status"] == "labelled") & ~is_ours)  # found to have nothing to label
        | name.isin(edited)  # the job's annotations were edited
    )
    rules = {  # the first one that applies counts
        "leave out": table["done"] & (by_person | table["unknown"]),
        "write": table["done"],
        "keep": by_person | table["waiting"],
        "take back": ours | (bare & ~touched & table["was_empty"]),
    }
    table["verdict"] = np.select([rule.to_numpy(dtype=bool) for rule in rules.values()], list(rules), "keep")
    write, take_back = (name[table["verdict"] == verdict] for verdict in ("write", "take back"))
    before, old = (part[part["image"].isin([*write, *take_back])] for part in (stored, existing))
    others = old[old["image"].isin(take_back) & ~of_job[old.index]]
    new = pd.concat([kept[kept["image"].isin(write)], others], ignore_index=True)
    images = before.reset_index(drop=True)
    images["status"] = np.where(images["image"].isin([*write, *new["image"]]), "labelled", "unlabelled")
    return table, Edit(images, new, before, old)


# -- gold -------------------------------------------------------------------------------------------
def read_gold(connection: Connection, row: Row[Any]) -> pd.DataFrame:
    """Read the known answers of a job: image, label, labels, boxes."""
    known = select(_TASK.image, _TASK.gold).where(_TASK.job == row.id, _TASK.gold.is_not(None)).order_by(_TASK.id)
    names = LabelNames(connection)
    rows = [{"image": image, **decode_answer(gold, row.task, names)} for image, gold in fetch(connection, known)]
    return pd.DataFrame(rows, columns=["image", "label", "labels", "boxes"])


def usable_gold(answers: pd.DataFrame, task: str, gold: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Return the known answers that reliable people do not contradict."""
    accuracy = consolidation.consolidate(answers, task, labels=labels).people.set_index("person")["accuracy"].to_dict()
    return gold[~gold["image"].isin(find_wrong_gold(answers, task, gold, accuracy)["image"])]


def stop_by_gold(store: SqlStore, job: int, who: str, scored: int) -> int:
    """Give a person no more tasks if too few of their answers to gold images are right, and return their number.

    Nothing is done if there are only the ``scored`` answers of the last time.
    """
    with store.reading() as connection:
        who = name_in(connection, job, who, exact=True)
        done = select(func.count(_ANSWER.id)).join(schema.job_tasks).where(_TASK.job == job, _ANSWER.who == who)
        number = int(connection.scalar(done.where(_TO_GOLD)) or 0)
        if number < GOLD_ANSWERS or number == scored:
            return number
        row = read_job(connection, job)
        answers = read_answers(connection, row, _TO_GOLD)
        gold, labels = read_gold(connection, row), list(job_labels(connection, job))
    gold = usable_gold(answers, row.task, gold, labels)
    scores = score_gold(answers[answers["person"] == who], row.task, gold)
    if not scores["stopped"].any():
        return number
    known = f"{counted(scores['answers'][0], 'answer')} to images with known answers"
    reason = f"only {scores['right'][0]:,} of {known} are right"

    c = schema.job_members.c
    only = (c.state == "active", c.role == "labeler", c.reason != TRUSTED)
    with store.writing() as connection:  # the history needs the lock of the project, so take it first
        if stop(connection, job, who, "stopped", reason, *only):
            after = {"job": row.name, "person": who, "reason": reason}
            record(connection, Action("stop in labelling job", PROGRAM, row.name), after=after)
    return number
