"""Figures of a project: how far labelling is, how labels are spread, who works how quickly, what waits.

Pure functions of :class:`.project_counts.ProjectCounts`; what a number counts, :func:`numbers_of` lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.project_counts import ProjectCounts

#: What work is counted by, and how many of these are shown.
UNITS = {"hour": (timedelta(hours=1), 24), "day": (timedelta(days=1), 30)}
#: A pause that is longer than this isn't work.
PAUSE = timedelta(minutes=10)
#: Less work than this says nothing of a pace: a program labels thousands of images in it.
LEAST_WORK = timedelta(minutes=1)
#: What the queue consists of.
QUEUE = ("unlabelled", "predicted", "needs_review")

_FAR = 2**52  # microseconds: more than any time has

Numbers = npt.NDArray[np.int64]


def statuses(outline: ProjectCounts) -> pd.DataFrame:
    """How many images have each status: split, status, images; a row for each of both, also where there are none."""
    counts = outline.images.groupby(["split", "status"], observed=False).size()
    return counts.rename("images").reset_index().astype({"split": "str", "status": "str", "images": "int64"})


def label_distribution(outline: ProjectCounts, labels: pd.DataFrame) -> pd.DataFrame:
    """How many images have each label, be it for the whole or for a shape: label, colour, train, test; in order.

    Parameters
    ----------
    labels : DataFrame
        The labels table.
    """
    counts = _images_by(outline.annotations, "label")
    found = labels[["label", "colour"]].reset_index(drop=True)
    return found.assign(**{split: found["label"].map(counts[split]).fillna(0).astype("int64") for split in t.SPLITS})


def annotators(outline: ProjectCounts) -> pd.DataFrame:
    """Who labelled how many images, and how quickly: annotator, train, test, images_per_hour; the busiest first.

    Counted are images with a label of theirs that stands, imported ones included. ``images_per_hour`` is how quickly
    they labelled, without pauses of more than :data:`PAUSE` and without what came with images; null where that is
    unknown or the work took less than :data:`LEAST_WORK`.
    """
    found = _images_by(outline.annotations, "annotator").rename_axis("annotator").reset_index()
    found = found[found[t.TRAIN] + found[t.TEST] > 0].astype({"annotator": "str"})
    found["images_per_hour"] = found["annotator"].map(_paces(outline.annotations)).astype("float64")
    order = (found[t.TRAIN] + found[t.TEST]).sort_values(ascending=False, kind="stable").index
    return found.loc[order].reset_index(drop=True)


def work(outline: ProjectCounts, unit: str = "hour", *, offset: timedelta = timedelta()) -> pd.DataFrame:
    """How many images were labelled in each hour or day: start (datetime, UTC), train, test; the latest last.

    It ends with the last in which anything was labelled, and goes as far back as :data:`UNITS` says, without gaps, but
    not beyond the first. An image counts in each in which it got a label that stands; labels that came with images
    don't.

    Parameters
    ----------
    unit : {"hour", "day"}
    offset : timedelta
        Of the clock by which hours and days begin, from UTC.
    """
    length, most = _unit(unit)
    marks = outline.annotations[outline.annotations["later"]]
    if marks.empty:
        return pd.DataFrame({"start": pd.Series(dtype=t.CREATED_DTYPE), t.TRAIN: 0, t.TEST: 0}).astype(
            {t.TRAIN: "int64", t.TEST: "int64"}
        )
    slots = _slots(marks["created"], length, offset)
    last = int(slots.max())
    first = max(int(slots.min()), last - most + 1)
    shown = slots >= first
    marks, slots = marks[shown], slots[shown]
    once = ~_repeated(marks["number"], slots - first)
    splits = marks["split"].cat.codes.to_numpy()
    counts = [np.bincount(slots[once & (splits == at)] - first, minlength=last - first + 1) for at in range(2)]
    starts = np.arange(first, last + 1) * _us(length) - _us(offset)
    moments = pd.Series(starts.view("datetime64[us]")).dt.tz_localize("UTC")
    return pd.DataFrame({"start": moments, t.TRAIN: counts[0], t.TEST: counts[1]})


def queue(outline: ProjectCounts) -> pd.DataFrame:
    """What waits for a person: kind (one of :data:`QUEUE`), train, test.

    "unlabelled" are images to label by hand, "predicted" those of which a model said something, "needs_review" those
    that somebody is to look at again.
    """
    rows = [[kind, *(len(numbers_of(outline, split, queue=kind)) for split in t.SPLITS)] for kind in QUEUE]
    return pd.DataFrame(rows, columns=["kind", *t.SPLITS]).astype(dict.fromkeys(t.SPLITS, "int64"))


def usable(outline: ProjectCounts) -> dict[str, int]:
    """How many images of each dataset training would use: labelled ones that have a label."""
    images = outline.images
    done = (images["status"] == "labelled") & images["number"].isin(outline.annotations["number"])
    return {split: int((done & (images["split"] == split)).sum()) for split in t.SPLITS}


def numbers_of(
    outline: ProjectCounts,
    split: str,
    *,
    queue: str | None = None,
    work: tuple[datetime, str] | None = None,
    since: datetime | None = None,
) -> Numbers:
    """The images of a dataset that a figure counts, by number.

    Parameters
    ----------
    queue : str, optional
        One of :data:`QUEUE`.
    work : (datetime, str), optional
        Those that :func:`work` counts for the hour or day that begins then.
    since : datetime, optional
        Those that got a label after this moment.
    """
    images, marks = outline.images, outline.annotations
    chosen = images["split"] == t.check_split(split)
    if queue is not None:
        if queue not in QUEUE:
            raise InputError(f"queue={queue!r} is not known; use one of {QUEUE!r}.")
        chosen &= images["status"] == ("needs_review" if queue == "needs_review" else "unlabelled")
        if queue != "needs_review":
            chosen &= images["predicted"] == (queue == "predicted")
    if work is not None:
        start, unit = work
        length, _ = _unit(unit)
        given = marks["later"] & (marks["created"] >= start) & (marks["created"] < start + length)
        chosen &= images["number"].isin(marks.loc[given, "number"])
    if since is not None:
        chosen &= images["number"].isin(marks.loc[marks["created"] > since, "number"])
    numbers: Numbers = images.loc[chosen, "number"].to_numpy(dtype=np.int64)
    return numbers


def _images_by(marks: pd.DataFrame, column: str) -> pd.DataFrame:
    """How many images of each dataset (columns) have each value of a category (rows)."""
    values, names = marks[column].cat.codes.to_numpy().astype(np.int64), marks[column].cat.categories
    sides = len(t.SPLITS)
    cells = values * sides + marks["split"].cat.codes.to_numpy()
    counted = (values >= 0) & ~_repeated(marks["number"], values + 1)
    counts = np.bincount(cells[counted], minlength=sides * len(names)).reshape(-1, sides)
    return pd.DataFrame(counts, index=names.astype("str"), columns=list(t.SPLITS)).astype("int64")


def _repeated(numbers: pd.Series, codes: Any) -> npt.NDArray[np.bool_]:
    """Whether the same image has the same code in a row before."""
    codes = np.asarray(codes, dtype=np.int64)
    keys = numbers.to_numpy() * (int(codes.max(initial=0)) + 1) + codes
    repeated: npt.NDArray[np.bool_] = pd.Series(keys).duplicated().to_numpy()
    return repeated


def _paces(marks: pd.DataFrame) -> dict[str, float]:
    """Images an hour by annotator: what came after another in one stretch of work, through how long that took."""
    people = marks["annotator"].cat.codes.to_numpy()
    given = np.flatnonzero(marks["later"].to_numpy() & (people >= 0))
    if not len(given):
        return {}
    people, moments = people[given], marks["created"].astype("int64").to_numpy()[given]
    order = np.argsort(people.astype(np.int64) * _FAR + moments)  # by person, then by time; quicker than two keys
    people, moments, numbers = people[order], moments[order], marks["number"].to_numpy()[given[order]]
    # of several boxes that somebody drew on an image one after another the last one counts: then it was done
    last = np.append((np.diff(numbers) != 0) | (np.diff(people) != 0), True)
    people, moments = people[last], moments[last]
    steps = np.diff(moments)
    goes_on = (np.diff(people) == 0) & (steps <= _us(PAUSE))
    names = marks["annotator"].cat.categories
    images = np.bincount(people[1:][goes_on], minlength=len(names))
    took = np.bincount(people[1:][goes_on], weights=steps[goes_on], minlength=len(names))
    per_hour = images * _us(timedelta(hours=1)) / np.maximum(took, 1)
    return {str(name): per_hour[at] for at, name in enumerate(names) if took[at] >= _us(LEAST_WORK)}


def _slots(moments: pd.Series, length: timedelta, offset: timedelta) -> Numbers:
    found: Numbers = (moments.astype("int64").to_numpy() + _us(offset)) // _us(length)
    return found


def _unit(unit: str) -> tuple[timedelta, int]:
    if unit not in UNITS:
        raise InputError(f"unit={unit!r} is not known; use one of {tuple(UNITS)!r}.")
    return UNITS[unit]


def _us(length: timedelta) -> int:
    return round(length / timedelta(microseconds=1))


def moment(microseconds: int) -> datetime:
    """A time as pages have it, in microseconds since 1970."""
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC)


def microseconds(moments: pd.Series | Sequence[datetime]) -> list[int]:
    """Times as pages have them."""
    found: list[int] = pd.Series(moments).astype(t.CREATED_DTYPE).astype("int64").tolist()
    return found
