"""Add images to a labelling job as tasks, and change how many answers they need.

Callers of functions with a connection hold the project's write lock.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pandas as pd
from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, literal, select, tuple_, update

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import Location
from customlabels_nb.jobs.answer_format import Answer
from customlabels_nb.jobs.consolidation import OPEN
from customlabels_nb.jobs.leases import (
    ACCEPTED,
    DISCARDED,
    LATE,
    REJECTED,
    REVIEWED,
    SKIPPED,
    lock_task,
    note_states,
    uncount,
    use_late_answers,
)
from customlabels_nb.store import SqlStore, schema
from customlabels_nb.store.columns import insert_columns
from customlabels_nb.store.database import fetch, take_ids

MOST_ANNOTATORS = 9
_FOLLOWED = "images of job"  # start of the names of settings
_SLOT, _TASK = schema.job_slots.c, schema.job_tasks.c
_SLOTS = select(func.count()).where(_SLOT.task == _TASK.id, _SLOT.slot > 0)
#: Expression of tasks: the number of answers that are wanted.
WANTED = _SLOTS.correlate(schema.job_tasks).scalar_subquery()
_REOPEN_REVIEWED = update(schema.job_tasks).where(_TASK.state == REVIEWED).values(state=OPEN)

#: Images of a job, and images with known answers.
JobImages: TypeAlias = Dataset | pd.DataFrame | str | Sequence[str]
Gold: TypeAlias = Dataset | pd.DataFrame | Mapping[str, Answer]


class ProjectPlace(Protocol):
    """Folder, database and datasets of a project."""

    root: Path
    store: SqlStore

    def dataset(self, split: str) -> Dataset:
        """Return the dataset of a split in its current state."""


def images_of(location: ProjectPlace, images: Any) -> list[str]:
    """Return the names of images in the project.

    ``images`` is a dataset, "train" or "test", a query for the training set as in ``Dataset.filter``, a table with a
    column ``image``, or names of images. None selects the unlabelled training images.
    InputError is raised if there are none, or one is not in the project.
    """
    argument, images = images, _chosen(location, images)
    if isinstance(images, Dataset):
        images = images.image_table
    if isinstance(images, pd.DataFrame):
        images = images.get("image", ())
    if not isinstance(images, Iterable):
        raise InputError(f"images={argument!r} must be a dataset, a query, a table or a list of images.")
    names = list(dict.fromkeys(images))
    if not names:
        shown = f"images={str(argument)[:200]!r} is empty" if argument is not None else "There are no unlabelled images"
        raise InputError(f"{shown}. Pass images=project.train_set, or another dataset with images.")
    return _stored(location.store, names, "images")


def _chosen(location: ProjectPlace, images: Any) -> Any:
    """Return the dataset that ``images`` describes, or ``images`` if it is a table or a list."""
    if images is None:
        return location.dataset(t.TRAIN).filter("status == 'unlabelled'")
    if isinstance(images, str):
        return location.dataset(images) if images in t.SPLITS else location.dataset(t.TRAIN).filter(images)
    return images


def follow_images(store: SqlStore, job: int, images: Any) -> None:
    """Note the description of a job's images, unless it is a list of them, so that the job can take new ones."""
    if isinstance(images, Dataset) and images.origin is images:
        images = images.name
    if images is None or isinstance(images, str):
        store.change_setting(f"{_FOLLOWED} {job}", lambda old: [*(old or []), images])


def followed_images(location: ProjectPlace, job: int) -> list[str]:
    """Return the images that the noted descriptions of a job's images describe now."""
    described = location.store.setting(f"{_FOLLOWED} {job}") or []
    return [name for images in described for name in _chosen(location, images).image_table["image"]]


def _stored(store: SqlStore, names: list[Any], argument: str) -> list[str]:
    """Return names as the project stores them, or raise InputError for those that it does not have."""
    stored_images = set(store.images()["image"])
    stored = [name if name in stored_images else Location.of(name).uri for name in map(str, names)]
    missing = [name for name, uri in zip(names, stored, strict=True) if uri not in stored_images]
    if missing:
        raise InputError(
            f"{argument}: {counted(len(missing), 'image is', 'images are')} not in the project, for example "
            f"{str(missing[0])!r}. Add images with project.add_images."
        )
    return stored


def gold_of(location: ProjectPlace, gold: Any, task: str) -> dict[str, Any]:
    """Map images to their known answers, given as a dataset, an annotations table, or a dict of image to answer."""
    if gold is None:
        return {}
    if isinstance(gold, Mapping):
        answers = dict(gold)
    elif isinstance(gold, Dataset | pd.DataFrame):
        annotations = gold.annotations if isinstance(gold, Dataset) else t.normalise_annotations(gold)
        names = _labelled_images(gold) if isinstance(gold, Dataset) else list(dict.fromkeys(gold["image"]))
        if not names:
            raise InputError("gold has no labelled image. Label some, or pass a dict of image to answer.")
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for row in annotations.to_dict("records"):
            rows[row["image"]].append(row)
        boxes = task in ("boxes", "polygons")
        answers = {name: row_list if boxes else [row["label"] for row in row_list] for name, row_list in rows.items()}
    else:
        raise InputError(f"gold={gold!r} must be a dataset, an annotations table, or a dict of image to answer.")
    names = _stored(location.store, list(answers), "gold")
    return dict(zip(names, answers.values(), strict=True))


def _labelled_images(dataset: Dataset) -> list[str]:
    """Return the images that somebody has labelled, also as empty. Of the others, no answer is known."""
    images = dataset.image_table
    known = (images["status"] == "labelled") | images["image"].isin(dataset.annotations["image"])
    labelled: list[str] = images.loc[known, "image"].tolist()
    return labelled


# -- tasks ------------------------------------------------------------------------------------------
def add_tasks(connection: Connection, job: int, images: Sequence[str], gold: Mapping[str, str], annotators: int) -> int:
    """Add a task for each new image in random order, and return their number. ``gold`` has encoded answers."""
    c = schema.job_tasks.c
    in_job = {row[0] for row in fetch(connection, select(c.image).where(c.job == job))}
    new = [image for image in dict.fromkeys([*images, *gold]) if image not in in_job]
    if not new:
        return 0
    random.shuffle(new)
    ids = take_ids(connection, schema.job_tasks, len(new))
    answers = [gold.get(image) for image in new]
    i = schema.images.c
    revisions = {row[0]: row[1] for row in fetch(connection, select(i.image, i.revision))}
    insert_columns(
        connection,
        schema.job_tasks,
        {"id": ids, "job": job, "image": new, "gold": answers if gold else None, "state": OPEN,
         "revision": [revisions.get(image) for image in new]},
    )  # fmt: skip
    open_tasks = [id_ for id_, answer in zip(ids, answers, strict=True) if answer is None]
    if open_tasks:
        slots = {"task": [id_ for id_ in open_tasks for _ in range(annotators)],
                 "slot": [*range(1, annotators + 1)] * len(open_tasks)}  # fmt: skip
        insert_columns(connection, schema.job_slots, {**slots, "job": job, "state": "open", "until": 0})
    if connection.dialect.name == "postgresql":  # without statistics, leasing from many new tasks is slow
        connection.exec_driver_sql("ANALYZE images, job_tasks, job_slots")
    return len(new)


def set_slots(connection: Connection, job: int, annotators: int) -> None:
    """Give each task at least ``annotators`` slots, and remove unanswered ones above. Counted answers stay."""
    _lock_tasks(connection, job)
    order = (case((_SLOT.state == "answered", 0), (_SLOT.state == "held", 1), else_=2), _SLOT.slot)
    place = func.row_number().over(partition_by=_SLOT.task, order_by=order).label("place")
    ranked = select(_SLOT.task, _SLOT.slot, place).where(_SLOT.job == job, _SLOT.slot > 0).subquery().c
    fewer = tuple_(_SLOT.task, _SLOT.slot).in_(select(ranked.task, ranked.slot).where(ranked.place > annotators))
    connection.execute(delete(schema.job_slots).where(_SLOT.state != "answered", fewer))
    add_slots(connection, _TASK.job == job, annotators)


def add_slots(connection: Connection, chosen: ColumnElement[bool], annotators: int) -> None:
    """Add slots to the chosen tasks until they have ``annotators``, and let late answers take them."""
    for slot in range(1, annotators + 1):  # with fewer slots, one of these numbers is free
        taken = select(1).where(_SLOT.task == _TASK.id, _SLOT.slot == slot).exists()
        more = select(_TASK.id, literal(slot), _TASK.job, literal("open"), literal(0))
        more = more.where(chosen, _TASK.gold.is_(None), annotators > WANTED, ~taken)
        connection.execute(insert(schema.job_slots).from_select(["task", "slot", "job", "state", "until"], more))
    use_late_answers(connection, chosen)
    note_states(connection, chosen)


def _lock_tasks(connection: Connection, job: int) -> None:
    """Lock all tasks of a job for answers and skips, which wait until the transaction ends."""
    connection.execute(select(_TASK.id).where(_TASK.job == job).order_by(_TASK.id).with_for_update(key_share=True))


def ask_one_more(connection: Connection, task: int, most: int) -> bool:
    """Add a slot to a task that has fewer than ``most`` and was not left to the manager. Tell whether one was added."""
    lock_task(connection, task)
    state, slots = connection.execute(select(_TASK.state, WANTED).where(_TASK.id == task)).one()
    if slots >= min(most, MOST_ANNOTATORS) or state in (SKIPPED, ACCEPTED):
        return False
    connection.execute(_REOPEN_REVIEWED.where(_TASK.id == task))
    add_slots(connection, _TASK.id == task, slots + 1)
    return True


def withdraw_answers(connection: Connection, job: int, reason: str) -> None:
    """Stop counting all answers of a job, so that everybody is asked again."""
    _lock_tasks(connection, job)
    c = schema.job_answers.c
    chosen: ColumnElement[bool] = c.task.in_(select(_TASK.id).where(_TASK.job == job))
    if reason != DISCARDED:
        chosen &= c.reason.in_(("", LATE, REJECTED, REVIEWED))
    uncount(connection, reason, chosen)
    answered = (_SLOT.job == job) & (_SLOT.state == "answered")
    connection.execute(delete(schema.job_slots).where(answered, _SLOT.slot < 0))
    connection.execute(update(schema.job_slots).where(answered).values(schema.REOPENED))
    connection.execute(update(schema.job_members).where(schema.job_members.c.job == job).values(cursor=0))
    connection.execute(_REOPEN_REVIEWED.where(_TASK.job == job))
    note_states(connection, _TASK.job == job)
