"""Convert answers of labelling jobs between what people pass, what is stored, and the answers table.

A stored answer refers to labels by id and name: ``[[3, "lemon"]]``, or for boxes ``[[3, "lemon", left, top, width,
height, polygon]]``. The id follows the label when it is renamed or merged. The name is shown if it has been removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Row, literal_column, select

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.polygons import polygon_of, rings_of
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.jobs.leases import DISCARDED
from customlabels_nb.store import schema
from customlabels_nb.store.database import fetch
from customlabels_nb.store.frames import times
from customlabels_nb.store.gone_labels import current_label, read_gone

#: Condition of answers: they count. The number is a part of the SQL, because there is an index of them.
COUNTED = schema.job_answers.c.counted == literal_column("1")
#: Columns of the answers table, with their dtypes.
ANSWER_COLUMNS = {
    "answer": "int64", "task": "int64", "image": t.TEXT, "person": t.TEXT, "label": t.TEXT, "labels": "object",
    "boxes": "object", "submitted": t.CREATED_DTYPE, "accepted": t.CREATED_DTYPE, "seconds": "float64",
    "counted": "bool", "gold": "bool",
}  # fmt: skip
_MANY = 1000  # labels or boxes in one answer
_FARTHEST = 1e9  # pixels from the corner of the image


class LabelNames:
    """Ids and current names of the project's labels, also of those that have been merged into another label."""

    def __init__(self, connection: Connection) -> None:
        c = schema.labels.c
        self.names: dict[int, str] = dict(fetch(connection, select(c.id, c.label).order_by(c.position)))
        self._gone = read_gone(connection)

    def find(self, label_id: int) -> tuple[int, str] | None:
        """Return the id and name of a label, or of the one that it was merged into, None if it has been removed."""
        label_id = current_label(label_id, self.names.keys(), self._gone)
        return (label_id, self.names[label_id]) if label_id in self.names else None

    def name(self, label_id: int, name: str) -> str:
        """Return the current name of a label that was called ``name``."""
        entry = self.find(label_id)
        return name if entry is None else entry[1]


def job_labels(connection: Connection, job: int) -> dict[str, int]:
    """Map the current names of a job's labels to their ids, in order."""
    names = LabelNames(connection)
    stored = connection.scalar(select(schema.jobs.c.labels).where(schema.jobs.c.id == job))
    if stored is None:
        return {name: id_ for id_, name in names.names.items()}
    entries = (names.find(id_) for id_ in json.loads(stored))
    return {name: id_ for id_, name in (label for label in entries if label is not None)}


#: A label, labels or boxes, or None if there is nothing to label.
Answer: TypeAlias = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | set[str] | pd.DataFrame | None


def encode_answer(answer: Answer, task: str, labels: Mapping[str, int]) -> str:
    """Check an answer and convert it to its stored form.

    ``answer`` is a label, a list of labels, or a list of boxes (dicts with label, left, top, width, height, and
    polygon), as the task requires. None or an empty list means "nothing here". ``labels`` has the id of each label.
    """

    def pair_of(label: Any) -> list[Any]:
        name = t.check_label(label)
        if name not in labels:
            raise LabelError(f"Label {name!r} is not one of the job's labels. Choose one of {list(labels)[:20]!r}.")
        return [labels[name], name]

    if isinstance(answer, pd.DataFrame):
        answer = answer.to_dict("records")
        answer = answer if task in ("boxes", "polygons") else list(map(_label_of, answer))
    values = [] if answer is None else [answer] if isinstance(answer, str | dict) else answer
    if not isinstance(values, Sequence | set | frozenset) or isinstance(values, bytes) or len(values) > _MANY:
        raise InputError(
            f"answer={plain_repr(answer)} must be a label, a list, or None for an image with nothing to label."
        )
    if task in ("boxes", "polygons"):
        return json.dumps([[*pair_of(box["label"]), *_box(box)] for box in map(_as_dict, values)], ensure_ascii=False)
    labels_given = list(dict.fromkeys(tuple(pair_of(label)) for label in values))
    if task == "single-label" and len(labels_given) > 1:
        raise InputError(
            f"answer={plain_repr(answer)} has {len(labels_given)} labels, but each image of this job has at most one."
        )
    return json.dumps(labels_given, ensure_ascii=False)


def _label_of(row: Any) -> Any:
    return _as_dict(row)["label"]


def _as_dict(box: Any) -> Mapping[str, Any]:
    if not isinstance(box, Mapping) or "label" not in box:
        raise InputError(
            f"{plain_repr(box)} is not a box. Pass a dict with label, left, top, width and height, or a polygon."
        )
    return box


def _box(box: Mapping[str, Any]) -> list[Any]:
    """Return the four coordinates of a box, and its polygon or None."""
    try:
        rings = rings_of(box.get("polygon"))
        polygon = polygon_of(rings)
        if polygon and not all(name in box for name in t.BOX_COLUMNS):
            box = dict(zip(t.BOX_COLUMNS, polygon_to_ltwh(polygon).tolist(), strict=True))
        sides = [float(box[name]) for name in t.BOX_COLUMNS]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise InputError(
            f"The box {plain_repr(box)} needs the numbers left, top, width and height, or a polygon."
        ) from error
    numbers = np.concatenate([sides, *(ring.ravel() for ring in rings)])
    if not (np.abs(numbers) <= _FARTHEST).all() or min(sides[2:]) < 0 or min(map(len, rings), default=3) < 3:
        raise InputError(f"The box {plain_repr(box)} must have finite coordinates and a size of at least 0.")
    return [*sides, polygon]


def decode_answer(payload: str, task: str, names: LabelNames) -> dict[str, Any]:
    """Convert a stored answer to the columns ``label``, ``labels`` and ``boxes`` of the answers table."""
    parts = json.loads(payload)
    labels = tuple(dict.fromkeys(names.name(part[0], part[1]) for part in parts))
    if task in ("boxes", "polygons"):
        keys = ("label", *t.BOX_COLUMNS, "polygon")
        boxes = tuple(dict(zip(keys, (names.name(*part[:2]), *part[2:]), strict=True)) for part in parts)
        return {"label": None, "labels": (), "boxes": boxes}
    several = task == "multi-label"
    label = labels[0] if labels and not several else None
    return {"label": label, "labels": labels if several else (), "boxes": ()}


def as_passed(payload: str, task: str, names: LabelNames) -> Any:
    """Convert a stored answer to the form in which people pass it: a label or None, or a list."""
    decoded = decode_answer(payload, task, names)
    if task in ("boxes", "polygons"):
        return [dict(box) for box in decoded["boxes"]]
    return list(decoded["labels"]) if task == "multi-label" else decoded["label"]


def read_answers(connection: Connection, job: Row[Any], *only: ColumnElement[bool]) -> pd.DataFrame:
    """Read the answers of a job as a table. ``only`` are conditions on answers and their tasks."""
    a, task = schema.job_answers.c, schema.job_tasks.c
    cells = (a.id, a.task, task.image, a.who, a.payload, a.submitted, a.accepted, a.seconds, a.counted)
    found = select(*cells, task.gold.is_not(None)).join_from(schema.job_answers, schema.job_tasks)
    found = found.where(task.job == job.id, a.reason != DISCARDED, *only).order_by(a.id)
    rows, names = fetch(connection, found), LabelNames(connection)
    ids, tasks, images, people, payloads, submitted, accepted, seconds, counted, gold = (
        zip(*rows, strict=True) if rows else [()] * 10
    )
    decoded = {payload: decode_answer(payload, job.task, names) for payload in set(payloads)}
    columns: dict[str, Any] = {"answer": ids, "task": tasks, "image": images, "person": people}
    for name in ("label", "labels", "boxes"):
        columns[name] = [decoded[payload][name] for payload in payloads]
    columns |= {"submitted": times(submitted), "accepted": times(accepted), "seconds": seconds}
    columns |= {"counted": [bool(value) for value in counted], "gold": [bool(value) for value in gold]}
    return pd.DataFrame({name: pd.Series(columns[name], dtype=dtype) for name, dtype in ANSWER_COLUMNS.items()})
