"""Tables of answers for tests, and a simulated class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.jobs.answer_format import ANSWER_COLUMNS

FIRST = pd.Timestamp("2026-05-04T09:00:00.25", tz="UTC")


def box(label: str, *sides: float, polygon: list[list[float]] | None = None) -> dict[str, Any]:
    """Return a drawn box of left, top, width and height."""
    return {"label": label, **dict(zip(("left", "top", "width", "height"), sides, strict=True)), "polygon": polygon}


def outlined(label: str, polygon: list[list[float]]) -> dict[str, Any]:
    """Return a drawn polygon."""
    low, high = np.min(polygon, axis=0), np.max(polygon, axis=0)
    return box(label, *low.tolist(), *(high - low).tolist(), polygon=polygon)


def make_answers(rows: Iterable[tuple[int, str, Any]], **columns: object) -> pd.DataFrame:
    """Return a table of answers ``(task, person, given)``: a label or None, a tuple of labels, or a list of boxes."""
    table = []
    for number, (task, person, given) in enumerate(rows):
        table.append({
            "answer": number,
            "task": task,
            "image": f"photos/{task}.jpg",
            "person": person,
            "label": given if isinstance(given, str) else None,
            "labels": given if isinstance(given, tuple) else (),
            "boxes": tuple(given) if isinstance(given, list) else (),
            "submitted": FIRST + pd.Timedelta(seconds=number),
            "accepted": FIRST,
            "seconds": 2.5,
            "counted": True,
            "gold": False,
        })  # fmt: skip
    return pd.DataFrame(table, columns=[*ANSWER_COLUMNS]).assign(**columns).astype(ANSWER_COLUMNS)


def simulate_class(
    images: int, random_state: int, *, each: int = 3, labels: int = 5
) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Return the answers of 30 people (22 right at 0.85, 5 at 0.5, 3 guessing) and the position of the true labels."""
    random = np.random.default_rng(random_state)
    accuracy = np.array([0.85] * 22 + [0.5] * 5 + [1 / labels] * 3)
    truth = random.integers(0, labels, images)
    who = np.argsort(random.random((images, len(accuracy))), axis=1)[:, :each]
    right = random.random(who.shape) < accuracy[who]
    given = np.where(right, truth[:, None], (truth[:, None] + random.integers(1, labels, who.shape)) % labels)
    names = np.array([f"label {number}" for number in range(labels)])
    people = np.array([f"person {number:02}" for number in range(len(accuracy))])
    count = images * each
    task = np.repeat(np.arange(images), each)
    columns = {
        "answer": np.arange(count),
        "task": task,
        "image": [f"photos/{number}.jpg" for number in task],
        "person": people[who.ravel()],
        "label": names[given.ravel()],
        "labels": [()] * count,
        "boxes": [()] * count,
        "submitted": FIRST,
        "accepted": FIRST,
        "seconds": 2.5,
        "counted": True,
        "gold": False,
    }
    return pd.DataFrame(columns).astype(ANSWER_COLUMNS), truth
