"""Labelling progress of a project: statuses, label distribution, annotators and their speed, review queue.

The functions are pure functions of :class:`.project_counts.ProjectCounts`. :func:`numbers_of` lists the images behind a
count.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.project_counts import ProjectCounts

#: Time units of the work table, and the number of units shown.
UNITS = {"hour": (timedelta(hours=1), 24), "day": (timedelta(days=1), 30)}
#: Longer pauses do not count as working time.
PAUSE = timedelta(minutes=10)
#: Minimum working time for a meaningful speed. Programs label thousands of images in less.
LEAST_WORK = timedelta(minutes=1)
#: Kinds of images in the queue.
QUEUE = ("unlabelled", "predicted", "needs_review")

_FAR = 2**52  # microseconds, later than any timestamp

Numbers = npt.NDArray[np.int64]


def statuses(outline: ProjectCounts) -> pd.DataFrame:
    """Count the images by split and status: split, status, images. Combinations without images also have a row."""
    counts = outline.images.groupby(["split", "status"], observed=False).size()
    return counts.rename("images").reset_index().astype({"split": t.TEXT, "status": t.TEXT, "images": "int64"})


def label_distribution(outline: ProjectCounts, labels: pd.DataFrame) -> pd.DataFrame:
    """Count the images with each label, image-level or of a shape, in label order: label, color, train, test."""
    counts = _images_by(outline.annotations, "label")
    distribution = labels[["label", "color"]].reset_index(drop=True)
    return distribution.assign(
        **{split: distribution["label"].map(counts[split]).fillna(0).astype("int64") for split in t.SPLITS}
    )


def annotators(outline: ProjectCounts) -> pd.DataFrame:
    """Count the images labelled by each annotator, and compute their speed: annotator, train, test, images_per_hour.

    The annotator with the most images comes first. An image counts if it currently has an annotation by the annotator,
    even an imported one. ``images_per_hour`` excludes pauses of more than :data:`PAUSE` and annotations that were
    imported with images. It is NaN if unknown or if the work took less than :data:`LEAST_WORK`.
    """
    table = _images_by(outline.annotations, "annotator").rename_axis("annotator").reset_index()
    table = table[table[t.TRAIN] + table[t.TEST] > 0].astype({"annotator": t.TEXT})
    table["images_per_hour"] = table["annotator"].map(_paces(outline.annotations)).astype("float64")
    order = (table[t.TRAIN] + table[t.TEST]).sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def work(outline: ProjectCounts, unit: str = "hour", *, offset: timedelta = timedelta()) -> pd.DataFrame:
    """Count the images labelled in each hour or day, oldest first: start (datetime, UTC), train, test.

    The table ends with the last unit in which anything was labelled, has no gaps, and covers at most the number of
    units in :data:`UNITS`. An image counts in each unit in which it received a label that still exists. Labels imported
    with the images are not counted. ``offset`` is that of the time zone in which hours and days begin.
    """
    length, most = _unit(unit)
    annotations = outline.annotations[outline.annotations["later"]]
    if annotations.empty:
        return pd.DataFrame({"start": pd.Series(dtype=t.CREATED_DTYPE), t.TRAIN: 0, t.TEST: 0}).astype(
            {t.TRAIN: "int64", t.TEST: "int64"}
        )
    slots = _slots(annotations["created"], length, offset)
    last = int(slots.max())
    first = max(int(slots.min()), last - most + 1)
    shown = slots >= first
    annotations, slots = annotations[shown], slots[shown]
    once = ~_repeated(annotations["number"], slots - first)
    splits = annotations["split"].cat.codes.to_numpy()
    counts = [np.bincount(slots[once & (splits == split)] - first, minlength=last - first + 1) for split in range(2)]
    starts = np.arange(first, last + 1) * _us(length) - _us(offset)
    moments = pd.Series(starts.view("datetime64[us]")).dt.tz_localize("UTC")
    return pd.DataFrame({"start": moments, t.TRAIN: counts[0], t.TEST: counts[1]})


def queue(outline: ProjectCounts) -> pd.DataFrame:
    """Count the images that wait for a person: kind, train, test.

    The kinds are "unlabelled", "predicted" (with a prediction), or "needs_review" (marked for review).
    """
    rows = [[kind, *(len(numbers_of(outline, split, queue=kind)) for split in t.SPLITS)] for kind in QUEUE]
    return pd.DataFrame(rows, columns=["kind", *t.SPLITS]).astype(dict.fromkeys(t.SPLITS, "int64"))


def usable(outline: ProjectCounts) -> dict[str, int]:
    """Count the images of each dataset that training would use: labelled images with a label."""
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
    """Return the numbers of a dataset's images in a count: a :data:`QUEUE`, a unit of :func:`work`, or ``since``."""
    images, annotations = outline.images, outline.annotations
    chosen = images["split"] == t.check_split(split)
    if queue is not None:
        if queue not in QUEUE:
            raise InputError(f"queue={queue!r} must be one of {QUEUE!r}.")
        chosen &= images["status"] == ("needs_review" if queue == "needs_review" else "unlabelled")
        if queue != "needs_review":
            chosen &= images["predicted"] == (queue == "predicted")
    if work is not None:
        start, unit = work
        length, _ = _unit(unit)
        in_unit = annotations["later"] & (annotations["created"] >= start) & (annotations["created"] < start + length)
        chosen &= images["number"].isin(annotations.loc[in_unit, "number"])
    if since is not None:
        chosen &= images["number"].isin(annotations.loc[annotations["created"] > since, "number"])
    numbers: Numbers = images.loc[chosen, "number"].to_numpy(dtype=np.int64)
    return numbers


def _images_by(annotations: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count the images of each dataset (columns) with each value of a category (rows)."""
    values, names = annotations[column].cat.codes.to_numpy().astype(np.int64), annotations[column].cat.categories
    sides = len(t.SPLITS)
    cells = values * sides + annotations["split"].cat.codes.to_numpy()
    counted = (values >= 0) & ~_repeated(annotations["number"], values + 1)
    counts = np.bincount(cells[counted], minlength=sides * len(names)).reshape(-1, sides)
    return pd.DataFrame(counts, index=names.astype(t.TEXT), columns=list(t.SPLITS)).astype("int64")


def _repeated(numbers: pd.Series, codes: Any) -> npt.NDArray[np.bool_]:
    """Return a mask of rows whose image and code occur in an earlier row."""
    codes = np.asarray(codes, dtype=np.int64)
    keys = numbers.to_numpy() * (int(codes.max(initial=0)) + 1) + codes
    repeated: npt.NDArray[np.bool_] = pd.Series(keys).duplicated().to_numpy()
    return repeated


def _paces(annotations: pd.DataFrame) -> dict[str, float]:
    """Compute images per hour by annotator, without pauses and the first image of each stretch of work."""
    people = annotations["annotator"].cat.codes.to_numpy()
    timed = np.flatnonzero(annotations["later"].to_numpy() & (people >= 0))
    if not len(timed):
        return {}
    people, moments = people[timed], annotations["created"].astype("int64").to_numpy()[timed]
    order = np.argsort(people.astype(np.int64) * _FAR + moments)  # by person, then by time; faster than two keys
    people, moments, numbers = people[order], moments[order], annotations["number"].to_numpy()[timed[order]]
    # of consecutive boxes by one person on one image, the last counts, because it finished the image
    last = np.append((np.diff(numbers) != 0) | (np.diff(people) != 0), True)
    people, moments = people[last], moments[last]
    steps = np.diff(moments)
    goes_on = (np.diff(people) == 0) & (steps <= _us(PAUSE))
    names = annotations["annotator"].cat.categories
    images = np.bincount(people[1:][goes_on], minlength=len(names))
    took = np.bincount(people[1:][goes_on], weights=steps[goes_on], minlength=len(names))
    per_hour = images * _us(timedelta(hours=1)) / np.maximum(took, 1)
    return {str(name): per_hour[index] for index, name in enumerate(names) if took[index] >= _us(LEAST_WORK)}


def _slots(moments: pd.Series, length: timedelta, offset: timedelta) -> Numbers:
    slots: Numbers = (moments.astype("int64").to_numpy() + _us(offset)) // _us(length)
    return slots


def _unit(unit: str) -> tuple[timedelta, int]:
    if unit not in UNITS:
        raise InputError(f"unit={unit!r} must be one of {tuple(UNITS)!r}.")
    return UNITS[unit]


def _us(length: timedelta) -> int:
    return round(length / timedelta(microseconds=1))


def microseconds(moments: pd.Series | Sequence[datetime]) -> list[int]:
    """Convert times to microseconds since 1970, as used by the front end."""
    result: list[int] = pd.Series(moments).astype(t.CREATED_DTYPE).astype("int64").tolist()
    return result
