"""Combine the answers of several people into one result per task.

A table of answers has one row per submitted answer and the columns :data:`.answer_format.ANSWER_COLUMNS`: ``label``
(missing if no label applies), ``labels`` (tuple of str) of answers with several, and ``boxes`` (tuple of dicts with
``label``, ``left``, ``top``, ``width``, ``height`` in pixels and ``polygon``, see :mod:`customlabels_nb.core.polygons`)
of drawn answers. The task of the answers is one of :data:`customlabels_nb.core.tables.TASKS`.

The answers become votes. With one label, all people of a task vote for its label. With several labels, they vote for or
against each label that somebody gave. With boxes, they vote for the label of each object that somebody drew, or for
nothing. Few votes are counted. More votes are weighted by the accuracy of each person, estimated from the answers alone
(Dawid and Skene: Maximum Likelihood Estimation of Observer Error-Rates, 1979). One accuracy per person instead of a
confusion matrix, smoothed by :data:`PRIOR`, needs far fewer answers. All labels are equally probable beforehand,
because otherwise rare labels would lose against frequent ones. Weights never overrule people: a label resolves a task
only if more than half of them gave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import iou_of_pairs, polygon_to_ltwh
from customlabels_nb.core.polygons import Polygon
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.matching import ranges
from customlabels_nb.jobs.box_clusters import cluster_boxes, median_boxes, outline, polygon_iou

#: Up to this number of answers in a job, votes are counted and not weighted.
FEW_ANSWERS = 50
#: Right and wrong votes that each person is assumed to have given before.
PRIOR = (4, 1)

#: States of a task with answers. An open task waits for its first answers. To ask again is to ask one person more.
OPEN, RESOLVED, ASK_AGAIN, NEEDS_REVIEW = "open", "resolved", "ask_again", "needs_review"

_ROUNDS, _PRECISION, _TIE = 100, 1e-6, 1e-9


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes of people on items: tasks, labels of a task, or objects drawn in a task.

    ``answers`` are the counted answers sorted by task and person, with the positions ``task_at`` and ``person_at`` of
    both in ``tasks`` (ascending numbers) and ``people`` (names). ``labels`` has the label of each value, where value 0
    means nothing, and ``options`` is the number of different votes that are possible. ``item_task`` is the position of
    the task of each item, ascending, shape (i,). ``item``, ``person`` and ``value`` are those of each vote, ascending
    by item, shape (v,). ``boxes`` has each drawn box with ``item``, ``person``, ``value``, four sides and ``polygon``.
    """

    answers: pd.DataFrame
    tasks: IntArray
    people: list[str]
    labels: list[str | None]
    options: int
    item_task: IntArray
    item: IntArray
    person: IntArray
    value: IntArray
    boxes: pd.DataFrame


@dataclass(frozen=True, eq=False)
class WeightedVotes:
    """Values with votes by item, the pair of each vote, shape (v,), and the accuracy of each person."""

    item: IntArray
    value: IntArray
    count: IntArray
    probability: FloatArray
    pair: IntArray
    accuracy: FloatArray


@dataclass(frozen=True, eq=False)
class Consensus:
    """Result of combining answers.

    ``tasks`` has one row per task with answers: ``task``, ``image``, ``state``, ``answers`` (their number),
    ``agreement`` (0 to 1), ``tie`` (bool, weights leave two values equal), ``annotator`` (the people, joined by "+")
    and ``created`` (of the last answer).
    ``annotations`` has the columns of annotations, ``task``, and ``kept`` (bool): True for the result, False for other
    candidates. ``people`` has ``person`` and ``accuracy``, the estimated share of right votes.
    """

    tasks: pd.DataFrame
    annotations: pd.DataFrame
    people: pd.DataFrame


def consolidate(
    answers: pd.DataFrame,
    task: str,
    *,
    annotators: int = 1,
    most: int | None = None,
    agreement: float = 0.65,
    labels: Sequence[str] = (),
    job: str = "",
    accuracy: Mapping[str, float] | None = None,
) -> Consensus:
    """Combine the counted answers of each task. Answers to gold tasks only help to estimate the people's accuracy.

    The label of a task is the one that more than half of its people gave, or else the most probable one. A task is
    resolved if it is both. With several labels, this holds for each of them. The agreement of a task is the probability
    of its label. With several labels it is that of the least certain label. With boxes it is the mean over the drawn
    objects, where the probability of a box is multiplied by the mean IoU of the drawn boxes with the result. A tie has
    no result and is never resolved. A single answer has the agreement 1.

    ``most`` is the number of answers from which a disagreement is left to a reviewer. With the ``accuracy`` of people
    from an earlier result, the answers of a few tasks can be combined alone.
    """
    votes = collect_votes(answers, task, labels)
    weighed = weigh_votes(votes, accuracy)
    items, annotations = _drawn_results(votes, weighed) if task in t.TASKS[2:] else _label_results(votes, weighed, task)
    rows = votes.answers
    start, count = spans(rows["task_at"].to_numpy(), len(votes.tasks))
    per_task = items.groupby("task_at").agg(
        agreement=("agreement", "mean" if task in t.TASKS[2:] else "min"),
        tie=("tie", "max"),
        majority=("majority", "min"),
    )
    per_task = per_task.reindex(range(len(count)))  # nobody gave a label or drew a box in the other tasks
    agreed, tie = per_task["agreement"].fillna(1.0).to_numpy(), (per_task["tie"] == 1).to_numpy()
    clear = (agreed >= agreement - _TIE) & ~tie & (per_task["majority"] != 0).to_numpy()
    enough = [count < annotators, clear, count < (annotators if most is None else most)]
    who = np.split(rows["person"].to_numpy(dtype=object), start[1:]) if len(start) else []
    tasks = pd.DataFrame({
        "task": votes.tasks,
        "image": rows["image"].array.take(start),
        "state": pd.array(np.select(enough, [OPEN, RESOLVED, ASK_AGAIN], NEEDS_REVIEW), dtype=t.TEXT),
        "answers": count,
        "agreement": agreed,
        "tie": tie,
        "annotator": pd.array(["+".join(people) for people in who], dtype=t.TEXT),
        "created": rows.groupby("task_at")["submitted"].max().astype(t.CREATED_DTYPE).array,
    })  # fmt: skip
    task_index = annotations["task_at"].to_numpy()
    shared = {name: tasks[name].array.take(task_index) for name in ("task", "image", "annotator", "created")}
    sure = annotations["confidence"].clip(0, 1)
    annotations = annotations.assign(
        **shared, crowd=False, confidence=sure, job=job_name(job) if job else None, note=None
    )
    annotations = annotations[[*t.ANNOTATION_COLUMNS, "task", "kept"]].astype(t.ANNOTATION_COLUMNS)
    gold = rows.loc[rows["gold"].to_numpy(dtype=np.bool_), "task"]
    tasks, annotations = (table[~table["task"].isin(gold)].reset_index(drop=True) for table in (tasks, annotations))
    names = pd.array(votes.people, dtype=t.TEXT)
    return Consensus(tasks, annotations, pd.DataFrame({"person": names, "accuracy": weighed.accuracy}))


def job_name(job: str) -> str:
    """Return the name of a job as Ground Truth writes it."""
    return f"labeling-job/{job}"


def collect_votes(answers: pd.DataFrame, task: str, labels: Sequence[str] = ()) -> Votes:
    """Create the votes of the counted answers. Labels that are not in ``labels`` follow in alphabetical order."""
    if task not in t.TASKS:
        raise InputError(f"task={task!r} is unknown. Choose one of: {', '.join(t.TASKS)}.")
    rows = answers[answers["counted"].to_numpy(dtype=np.bool_)]
    rows = rows.sort_values(["task", "person"], kind="stable", ignore_index=True)
    task_index, tasks = pd.factorize(rows["task"])
    person, people = pd.factorize(rows["person"], sort=True)
    rows = rows.assign(task_at=task_index, person_at=person)
    drawn = drawn_boxes(rows["boxes"] if task in t.TASKS[2:] else rows["boxes"].head(0))
    if task == "single-label":
        owner, voted = np.arange(len(rows)), rows["label"].to_numpy(dtype=object, na_value=None)
    elif task == "multi-label":
        exploded = rows["labels"].explode().dropna()
        owner, voted = exploded.index.to_numpy(dtype=np.int64), exploded.to_numpy(dtype=object)
    else:
        owner, voted = drawn.pop("answer_at").to_numpy(dtype=np.int64), drawn.pop("label").to_numpy(dtype=object)
    names: list[str | None] = [None, *labels, *sorted({*voted.tolist(), None}.difference(labels) - {None})]
    value = pd.Index(names[1:], dtype=object).get_indexer(voted).astype(np.int64) + 1
    facts = rows, np.asarray(tasks, dtype=np.int64), [*map(str, people)], names
    if task == "single-label":
        options = max(len(names) - int((value > 0).all()), 2)
        return Votes(*facts, options, np.arange(len(tasks)), task_index, person, value, drawn)
    if task == "multi-label":
        keys, item = np.unique(task_index[owner] * len(names) + value, return_inverse=True)
        return Votes(*facts, 2, keys // len(names), *_everybody(rows, keys // len(names), item, owner, value), drawn)
    item = cluster_boxes(task_index[owner], person[owner], value, drawn[[*t.BOX_COLUMNS]].to_numpy(dtype=np.float64))
    of_item = task_index[owner][np.unique(item, return_index=True)[1]]
    drawn = drawn.assign(item=item, person=person[owner], value=value)
    return Votes(*facts, len(names), of_item, *_everybody(rows, of_item, item, owner, value), drawn)


def drawn_boxes(boxes: pd.Series) -> pd.DataFrame:
    """Return the boxes of answers as a table: ``answer_at`` (position of the answer), label, sides and polygon."""
    per_answer = boxes.tolist()
    flat = list(chain.from_iterable(per_answer))
    columns: dict[str, object] = {"answer_at": np.repeat(np.arange(len(per_answer)), list(map(len, per_answer)))}
    columns["label"] = np.array([box["label"] for box in flat], dtype=object)
    columns |= {side: np.array([box[side] for box in flat], dtype=np.float64) for side in t.BOX_COLUMNS}
    polygons = np.empty(len(flat), dtype=object)
    polygons[:] = [box.get("polygon") for box in flat]
    return pd.DataFrame({**columns, "polygon": polygons})


def spans(positions: IntArray, length: int) -> tuple[IntArray, IntArray]:
    """Return the start and the number of rows of each position, shape (length,), in ascending positions."""
    count = np.bincount(positions, minlength=length)
    return np.cumsum(count) - count, count


def _everybody(
    rows: pd.DataFrame, of_item: IntArray, item: IntArray, owner: IntArray, value: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Return votes of all people of each item's task: the given ``value`` of answers ``owner``, and 0 of the others."""
    start, count = (part[of_item] for part in spans(rows["task_at"].to_numpy(), int(of_item.max(initial=-1)) + 1))
    answer, items = ranges(start, count)
    values = np.zeros(len(items), dtype=np.int64)
    values[(np.cumsum(count) - count)[item] + owner - start[item]] = value
    return items, rows["person_at"].to_numpy()[answer], values


# -- weighing -----------------------------------------------------------------------------------------------


def weigh_votes(votes: Votes, accuracy: Mapping[str, float] | None = None) -> WeightedVotes:
    """Compute the probability of each value that an item got a vote for, 1 for a single vote.

    Without ``accuracy``, it is the share of the votes in jobs with at most :data:`FEW_ANSWERS` answers.
    """
    many = max(len(votes.labels), 1)
    keys, pair, count = np.unique(votes.item * many + votes.value, return_inverse=True, return_counts=True)
    item, value = keys // many, keys % many
    start, values = spans(item, len(votes.item_task))
    total = np.bincount(votes.item, minlength=len(votes.item_task))
    probability = count / total[item]
    compared = total[votes.item] > 1  # a single vote says nothing about its person
    unlisted = votes.options - values

    def estimate() -> FloatArray:
        right = np.where(compared, probability[pair], 0)
        sums = (np.bincount(votes.person, part, minlength=len(votes.people)) for part in (right, compared))
        rights, all_ = sums
        return np.asarray((rights + PRIOR[0]) / (all_ + sum(PRIOR)))

    def update(accuracies: FloatArray) -> FloatArray:
        weight = np.log(accuracies * (votes.options - 1) / (1 - accuracies))
        score = np.bincount(pair, weight[votes.person], minlength=len(keys))
        top = np.maximum(np.maximum.reduceat(score, start), 0) if len(start) else np.empty(0)
        relative = np.exp(score - top[item])
        whole = np.bincount(item, relative, minlength=len(start)) + unlisted * np.exp(-top)
        return np.asarray(relative / whole[item])

    estimated = estimate()
    if accuracy is not None:
        usual = PRIOR[0] / sum(PRIOR)
        estimated = np.clip([accuracy.get(name, usual) for name in votes.people], 0.001, 0.999)
        probability = update(estimated)
    elif len(votes.answers) > FEW_ANSWERS:
        for _ in range(_ROUNDS):
            before, probability = probability, update(estimated)
            estimated = estimate()
            if np.abs(probability - before).max(initial=0) < _PRECISION:
                break
    return WeightedVotes(item, value, count, np.where(total[item] == 1, 1.0, probability), pair, estimated)


def _best(weighed: WeightedVotes, pairs: IntArray, items: int) -> tuple[IntArray, BoolArray]:
    """Return the most probable of the ``pairs`` for each item, and whether a second one is as probable."""
    order = pairs[np.lexsort((-weighed.probability[pairs], weighed.item[pairs]))]
    start, count = spans(weighed.item[order], items)
    best = order[start]
    second = order[start + (count > 1)]
    close = np.abs(weighed.probability[best] - weighed.probability[second]) < _TIE
    return best, np.asarray(close & (count > 1))


def _label_results(votes: Votes, weighed: WeightedVotes, task: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the agreement on each item, the labels with votes, and if more than half voted for the likeliest."""
    labelled = np.flatnonzero(weighed.value)
    sure, share = weighed.probability, 2 * weighed.count / np.bincount(votes.item)[weighed.item]
    if task == "single-label":
        best, tie = _best(weighed, np.arange(len(sure)), len(votes.item_task))
        most, top = np.flatnonzero(share > 1), sure[best]
        best[weighed.item[most]], tie[weighed.item[most]] = most, False
        agreement, majority = sure[best], (share[best] > 1) & (sure[best] >= top - _TIE)
        kept = (best[weighed.item] == np.arange(len(sure))) & ~tie[weighed.item]
    else:  # each item has one pair for its label
        kept = np.where(share == 1, sure >= 0.5, share > 1)
        agreement = np.where(kept, sure, 1 - sure)[labelled]
        tie = (np.abs(sure - 0.5) < _TIE)[labelled]
        majority = (share != 1)[labelled] & (agreement >= 0.5 - _TIE)
    items = pd.DataFrame({"task_at": votes.item_task, "agreement": agreement, "tie": tie, "majority": majority})
    return items, _annotations(votes, weighed.item[labelled], weighed.value[labelled], sure[labelled], kept[labelled])


def _drawn_results(votes: Votes, weighed: WeightedVotes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the agreement on each drawn object, and its box or polygon."""
    many, drawn = len(votes.item_task), votes.boxes
    item, sides = drawn["item"].to_numpy(), drawn[[*t.BOX_COLUMNS]].to_numpy()
    box = median_boxes(item, sides)
    close = np.bincount(item, iou_of_pairs(sides, box[item]), minlength=many) / np.maximum(np.bincount(item), 1)
    close[np.bincount(item) == 1] = 1
    polygon = np.full(many, None, dtype=object)
    outlines = drawn[[*t.BOX_COLUMNS, "polygon"]].to_dict("records") if drawn["polygon"].notna().any() else []
    groups = np.split(np.argsort(item, kind="stable"), np.cumsum(np.bincount(item))[:-1])
    for number in np.unique(item[drawn["polygon"].notna().to_numpy()]).tolist():
        members = groups[number]
        polygon[number], close[number] = _middle([outline(outlines[each]) for each in members])
        box[number] = polygon_to_ltwh(polygon[number])
    best, tie = _best(weighed, np.flatnonzero(weighed.value), many)
    nothing = np.zeros(many)
    absent = weighed.value == 0
    nothing[weighed.item[absent]] = weighed.probability[absent]
    people = np.bincount(votes.item, minlength=many)
    here = np.bincount(votes.item, votes.value > 0, minlength=many)
    tie |= 2 * here == people
    kept, sure = (2 * here > people) & ~tie, weighed.probability[best] * close
    agreement = np.where(2 * here > people, sure, nothing)
    items = pd.DataFrame({"task_at": votes.item_task, "agreement": agreement, "tie": tie, "majority": True})
    return items, _annotations(votes, np.arange(many), weighed.value[best], sure, kept, box, polygon)


def _middle(polygons: list[Polygon]) -> tuple[Polygon, float]:
    """Return the polygon with the highest mean IoU with the others, and this mean."""
    if len(polygons) == 1:
        return polygons[0], 1.0
    means = (polygon_iou(polygons).sum(axis=1) - 1) / (len(polygons) - 1)
    return polygons[int(means.argmax())], float(means.max())


def _annotations(
    votes: Votes,
    item: IntArray,
    value: IntArray,
    confidence: FloatArray,
    kept: BoolArray,
    box: FloatArray | None = None,
    polygon: object = None,
) -> pd.DataFrame:
    sides = np.full((len(item), 4), np.nan) if box is None else box
    columns = {"task_at": votes.item_task[item], "label": np.array(votes.labels, dtype=object)[value]}
    columns |= dict(zip(t.BOX_COLUMNS, sides.T, strict=True))
    return pd.DataFrame({**columns, "polygon": polygon, "confidence": confidence, "kept": kept})
