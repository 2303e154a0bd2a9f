"""Measure how far the people of a labelling job agree, with each other and with gold answers.

The tables of answers and the tasks are those of :mod:`customlabels_nb.jobs.consolidation`. Labels are compared by
Krippendorff's alpha (Krippendorff: Content Analysis, 2004) and Cohen's kappa, boxes and polygons by F1 and mean IoU.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array, hstack

from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb.assist.guarantee import lower_bound
from customlabels_nb.core import tables as t
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.bootstrap import middle_95, resampled_sums
from customlabels_nb.evaluation.matching import ranges
from customlabels_nb.jobs.box_clusters import match_boxes
from customlabels_nb.jobs.consolidation import Votes, collect_votes, drawn_boxes, spans, weigh_votes

#: Pairs of people with fewer common tasks are not compared.
FEWEST_COMMON = 20
#: Labels that two people mixed up at least this often, and in this share of their answers, are mentioned.
FEWEST_MIXED, SHARE_MIXED = 3, 0.2
#: F1 from which a gold answer is right. After this number of gold answers, a person gets no more tasks if the upper
#: 95 % confidence bound of the share of right ones is below the limit.
GOLD_F1, GOLD_ANSWERS, GOLD_LIMIT = 0.7, 10, 0.7
#: Estimated accuracy of a reliable person. More than two thirds of at least this many can contradict a gold answer.
RELIABLE, FEWEST_RELIABLE = 0.7, 3

#: ("mixed", label, label or None for nothing), ("missed",) if somebody did not draw an object, ("tie",) if no label has
#: more than half of the votes, or ("unsure",) if there is none of them: boxes that differ in place or size.
Reason: TypeAlias = tuple[str | None, ...]

NOTHING = "nothing"
_SCALE = 1_000_000  # resampled sums are integers


@dataclass(frozen=True, eq=False)
class Agreement(ShownWithTable):
    """Agreement of the people of a job.

    Attributes
    ----------
    metric : str
        "alpha" (Krippendorff's) for labels, "F1" (of two people, at IoU 0.5) for boxes and polygons.
    value, low, high : float
        Agreement on all labels with its 95 % bootstrap interval. NaN if it is undefined.
    labels : DataFrame
        The same for each label: label, value, low, high, and answers (with this label, or its boxes).
    pairs : DataFrame
        Two people with at least 20 common tasks: person, other, tasks, and Cohen's kappa, or f1 and mean_iou.
    confusions : DataFrame
        Labels that these people mix up, the most frequent first: person, other, label, other_label, times and of, the
        number of images or matched boxes to which both gave one of the labels. A missing label means that one of them
        found nothing. Empty if images can have several labels.
    """

    metric: str
    value: float
    low: float
    high: float
    labels: pd.DataFrame
    pairs: pd.DataFrame
    confusions: pd.DataFrame

    _shown_table = "labels"

    def __repr__(self) -> str:
        interval = f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"
        return "\n".join([f"{self.metric}: {'too few answers' if np.isnan(self.value) else interval}", *self.sentences])

    @property
    def frequent(self) -> pd.DataFrame:
        """Rows of ``confusions`` that occur often."""
        table = self.confusions
        return table[(table["times"] >= FEWEST_MIXED) & (table["times"] >= SHARE_MIXED * table["of"])]

    @property
    def sentences(self) -> list[str]:
        """Sentences that describe the frequent confusions."""
        return [
            f"{row.person} and {row.other} mix up {_shown(row.label)} and {_shown(row.other_label)} "
            f"({row.times:,} of {row.of:,})"
            for row in self.frequent.itertuples()
        ]


def measure_agreement(answers: pd.DataFrame, task: str, labels: Sequence[str] = ()) -> Agreement:
    """Measure the agreement in the counted answers. The intervals are of 1,000 bootstrap resamples of the tasks."""
    votes = collect_votes(answers, task, labels)
    compared, pairs = _compared_people(votes)
    if task in t.TASKS[2:]:
        return _box_agreement(votes, compared, pairs)
    members = _members(votes, task)
    task_id = votes.answers["task_at"].to_numpy()
    size = np.bincount(task_id, minlength=len(votes.tasks))
    several = np.flatnonzero(size > 1)
    shape = len(votes.tasks), len(task_id)
    in_task = csr_array((np.ones(len(task_id), dtype=np.int64), (task_id, np.arange(len(task_id)))), shape=shape)
    counts, size = csr_array((in_task @ members)[several]), size[several]
    cells = counts.tocoo()
    apart = cells.data * (size[cells.row] - cells.data) / (size[cells.row] - 1)
    scaled = csr_array((np.round(apart * _SCALE).astype(np.int64), (cells.row, cells.col)), shape=cells.shape)

    def alpha(sums: FloatArray) -> FloatArray:
        assigned, disagreed, number = np.split(sums, [cells.shape[1], 2 * cells.shape[1]], axis=1)
        expected = assigned * (number - assigned) / np.maximum(number - 1, 1)
        return 1 - _ratio(_with_sum(disagreed / _SCALE), _with_sum(expected))

    rows = csr_array(hstack([counts, scaled, csr_array(size[:, None])], format="csr"))
    if task == "single-label":
        pairs["kappa"] = _kappa_of_one(compared, votes, len(pairs))
        first, second = (votes.value[compared[side]] for side in ("first", "second"))
        mixed = _confusions(votes, pairs, compared["pair"], first, second)
    else:
        pairs["kappa"] = _kappa_of_several(compared, members, len(pairs))
        mixed = _confusions(votes, pairs, *np.empty((3, 0), dtype=np.int64))
    result = _with_intervals(rows, alpha, votes, members.sum(axis=0))
    return Agreement("alpha", *result, _named(pairs, votes), mixed)


def _box_agreement(votes: Votes, compared: dict[str, IntArray], pairs: pd.DataFrame) -> Agreement:
    """Measure the agreement of drawn boxes by F1: twice the matched boxes of equal label over all boxes."""
    drawn, many = votes.boxes, (len(votes.tasks), len(votes.labels))
    task, person, value = votes.item_task[drawn["item"]], drawn["person"].to_numpy(), drawn["value"].to_numpy()
    first, second, iou = match_boxes(task, person, value, drawn[[*t.BOX_COLUMNS]].to_numpy())
    same = value[first] == value[second]
    others = np.bincount(votes.answers["task_at"], minlength=many[0]) - 1
    matched = coo_array((2 * same, (task[first], value[first])), shape=many, dtype=np.int64)
    boxes = coo_array((others[task], (task, value)), shape=many, dtype=np.int64)

    def f1(sums: FloatArray) -> FloatArray:
        return _ratio(*map(_with_sum, np.split(sums, 2, axis=1)))

    rows = csr_array(hstack([matched, boxes], format="csr"))
    codes = pairs["person"].to_numpy() * len(votes.people) + pairs["other"].to_numpy()
    pair = pd.Index(codes).get_indexer(person[first] * len(votes.people) + person[second])
    listed = pair >= 0
    answer = pd.MultiIndex.from_frame(votes.answers[["task_at", "person_at"]])
    number = np.bincount(answer.get_indexer(pd.MultiIndex.from_arrays([task, person])), minlength=len(answer))
    of_both = np.bincount(compared["pair"], number[compared["first"]] + number[compared["second"]], len(pairs))
    shared, right = (np.bincount(pair[listed], part[listed], len(pairs)) for part in (np.ones(len(pair)), same))
    pairs["f1"] = _ratio(2 * right, of_both)
    pairs["mean_iou"] = _ratio(np.bincount(pair[listed], iou[listed], len(pairs)), shared)
    result = _with_intervals(rows, f1, votes, np.bincount(value, minlength=many[1]))
    mixed = _confusions(votes, pairs, pair[listed], value[first][listed], value[second][listed])
    return Agreement("F1", *result, _named(pairs, votes), mixed)


def _members(votes: Votes, task: str) -> csr_array:
    """Return 1 for each answer and value that it gives, shape (answers, values)."""
    rows, shape = votes.answers, (len(votes.answers), len(votes.labels))
    if task == "single-label":
        return csr_array((np.ones(shape[0], dtype=np.int64), (np.arange(shape[0]), votes.value)), shape=shape)
    voted = votes.value > 0
    answer = pd.MultiIndex.from_frame(rows[["task_at", "person_at"]])
    index = answer.get_indexer(pd.MultiIndex.from_arrays([votes.item_task[votes.item[voted]], votes.person[voted]]))
    return csr_array((np.ones(len(index), dtype=np.int64), (index, votes.value[voted])), shape=shape)


def _with_intervals(
    rows: csr_array, metric: Callable[[FloatArray], FloatArray], votes: Votes, answers: IntArray
) -> tuple[float, float, float, pd.DataFrame]:
    """Return the metric of all labels with its interval, and the table of labels. The last of its columns is of all."""
    value = low = high = np.full(len(votes.labels) + 1, np.nan)
    if rows.shape[0]:
        value = metric(np.asarray(rows.sum(axis=0), dtype=np.float64)[None])[0]
        low, high = middle_95(np.concatenate([metric(sums) for sums in resampled_sums(rows)]))
    names = np.array(votes.labels, dtype=object)
    columns = {"value": value[:-1], "low": low[:-1], "high": high[:-1], "answers": answers}
    table = pd.DataFrame({"label": pd.array(names, dtype=t.TEXT), **columns})
    used = table["label"].notna() | (table["answers"] > 0)
    return float(value[-1]), float(low[-1]), float(high[-1]), table[used].reset_index(drop=True)


def _compared_people(votes: Votes) -> tuple[dict[str, IntArray], pd.DataFrame]:
    """Return the pairs of answers to a task by people with enough common tasks, and a table of these people.

    The pairs have the positions ``first`` and ``second`` of the answers, and ``pair``, a row of the table. It has
    ``person`` and ``other`` (positions) and ``tasks``, the number of their common tasks.
    """
    task, person = (votes.answers[name].to_numpy() for name in ("task_at", "person_at"))
    start, count = spans(task, len(votes.tasks))
    position = np.arange(len(task))
    second, first = ranges(position + 1, (start + count)[task] - position - 1)
    many = len(votes.people)
    codes, pair, tasks = np.unique(person[first] * many + person[second], return_inverse=True, return_counts=True)
    enough = tasks >= FEWEST_COMMON
    kept = enough[pair]
    table = pd.DataFrame({"person": codes // max(many, 1), "other": codes % max(many, 1), "tasks": tasks})
    number = np.cumsum(enough) - 1
    return {"first": first[kept], "second": second[kept], "pair": number[pair[kept]]}, table[enough].reset_index(
        drop=True
    )


def _kappa_of_one(compared: dict[str, IntArray], votes: Votes, pairs: int) -> FloatArray:
    many, pair = len(votes.labels), compared["pair"]
    first, second = votes.value[compared["first"]], votes.value[compared["second"]]
    tasks = np.bincount(pair, minlength=pairs)
    used = [np.bincount(pair * many + value, minlength=pairs * many).reshape(pairs, many) for value in (first, second)]
    expected = (used[0] * used[1]).sum(axis=1) / tasks**2
    return _ratio(np.bincount(pair, first == second, pairs) / tasks - expected, 1 - expected)


def _kappa_of_several(compared: dict[str, IntArray], members: csr_array, pairs: int) -> FloatArray:
    """Return Cohen's kappa of all decisions for or against a label."""
    pair, earlier, later = compared["pair"], members[compared["first"]], members[compared["second"]]
    totals = [np.bincount(pair, each.sum(axis=1), pairs) for each in (earlier, later, earlier.multiply(later))]
    decisions = np.bincount(pair, minlength=pairs) * (members.shape[1] - 1)
    first, second, both = (part / decisions for part in totals)
    expected = first * second + (1 - first) * (1 - second)
    return _ratio(1 - first - second + 2 * both - expected, 1 - expected)


def _confusions(votes: Votes, pairs: pd.DataFrame, pair: IntArray, first: IntArray, second: IntArray) -> pd.DataFrame:
    """Count how often the people of each pair gave two different values to the same image or object."""
    table = pd.DataFrame({"pair": pair, "low": np.minimum(first, second), "high": np.maximum(first, second)})
    counts = table.groupby(["pair", "low", "high"]).size()
    mixed = counts.rename("times").reset_index()
    mixed = mixed[mixed["low"] != mixed["high"]].reset_index(drop=True)
    mixed["of"] = mixed["times"]
    for side in ("low", "high"):
        same = pd.MultiIndex.from_arrays([mixed["pair"], mixed[side], mixed[side]])
        mixed["of"] += counts.reindex(same, fill_value=0).to_numpy()
    mixed = mixed.sort_values(["times", "of", "pair", "low", "high"], ascending=[False, *[True] * 4], ignore_index=True)
    names = np.array(votes.labels, dtype=object)
    confusions = pairs[["person", "other"]].iloc[mixed["pair"]].reset_index(drop=True)
    confusions["label"], confusions["other_label"] = (
        pd.array(names[mixed[side]], dtype=t.TEXT) for side in ("low", "high")
    )
    return _named(confusions.assign(times=mixed["times"], of=mixed["of"]), votes)


def _named(table: pd.DataFrame, votes: Votes) -> pd.DataFrame:
    names = pd.array(votes.people, dtype=t.TEXT)
    return table.assign(**{side: names.take(table[side].to_numpy()) for side in ("person", "other")})


def _with_sum(columns: FloatArray) -> FloatArray:
    return np.column_stack([columns, columns.sum(axis=1)])


def _ratio(above: ArrayLike, below: ArrayLike) -> FloatArray:
    """Divide, with NaN for a division by zero."""
    nan = np.full(np.shape(above), np.nan)
    return np.asarray(np.divide(above, below, out=nan, where=np.abs(below) > 1e-12))


def _shown(label: object) -> str:
    return label if isinstance(label, str) else NOTHING


# -- disagreements ------------------------------------------------------------------------------------------


def find_disagreements(answers: pd.DataFrame, task: str) -> tuple[dict[int, list[Reason]], dict[int, list[int]]]:
    """Return the reasons of each task, and the numbers of the objects that the boxes of each answer belong to.

    ``answers`` are counted answers as in :mod:`.consolidation`.
    """
    votes, is_drawn = collect_votes(answers, task), task in t.TASKS[2:]
    values: dict[int, Counter[int]] = defaultdict(Counter)
    for item, value in zip(votes.item.tolist(), votes.value.tolist(), strict=True):
        values[item][value] += 1
    by_task: dict[int, set[Reason]] = {task_id: set() for task_id in votes.tasks.tolist()}
    for item, counts in values.items():
        task_reasons = by_task[int(votes.tasks[votes.item_task[item]])]
        task_reasons |= _reasons_of_item(
            counts, sorted(str(votes.labels[value]) for value in counts if value), is_drawn
        )
    reasons = {task_id: sorted(task_reasons, key=str) or [("unsure",)] for task_id, task_reasons in by_task.items()}
    lengths = votes.answers["boxes"].map(len).to_numpy(dtype=np.int64)
    objects = np.split(votes.boxes["item"].to_numpy(), np.cumsum(lengths)[:-1]) if is_drawn and len(lengths) else []
    numbers = [task_reasons.tolist() for task_reasons in objects]
    return reasons, dict(zip(votes.answers["answer"].tolist(), numbers, strict=False))


def _reasons_of_item(counts: Counter[int], labels: Sequence[str], is_drawn: bool) -> set[Reason]:
    """Return what the votes for one item disagree about. ``labels`` are those with votes, in order."""
    reasons: set[Reason] = {("mixed", *pair) for pair in combinations(labels, 2)}
    if 0 in counts:
        reasons |= {("missed",)} if is_drawn else {("mixed", label, None) for label in labels}
    if 2 * max(counts.values()) <= counts.total():
        reasons.add(("tie",))
    return reasons


# -- people -------------------------------------------------------------------------------------------------


def describe_people(
    answers: pd.DataFrame,
    task: str,
    labels: Sequence[str] = (),
    *,
    skipped: Mapping[str, int] | None = None,
    gold: pd.DataFrame | None = None,
    last_seen: Mapping[str, pd.Timestamp] | None = None,
) -> pd.DataFrame:
    """Describe the work of each person, in alphabetical order.

    ``skipped`` has the number of tasks that each person skipped, ``gold`` the known answers of :func:`score_gold`, and
    ``last_seen`` the time at which each was last active, by default that of the last answer. The column ``seconds`` is
    the median per answer, ``agreement`` the share of the person's votes that are the most frequent vote of the others
    of the task, without ties, ``gold`` the share of right gold answers, and ``confusion`` the most frequent difference
    from the others, in words.
    """
    skipped, last_seen = skipped or {}, last_seen or {}
    groups = answers.groupby("person")
    names = sorted({*groups.groups, *skipped, *last_seen})
    votes = collect_votes(answers, task, labels)
    result = pd.DataFrame({"person": pd.array(names, dtype=t.TEXT)}, index=names)
    result["done"] = groups.size().reindex(names, fill_value=0)
    result["skipped"] = pd.Series(skipped, dtype="int64").reindex(names, fill_value=0)
    result["seconds"] = groups["seconds"].median().reindex(names)
    others = _votes_of_others(votes)
    if task != "single-label":  # agreeing that an object is absent says nothing about a person
        others = others[(others["value"] > 0) | (others["usual"] > 0)]
    same = others["value"] == others["usual"]
    result["agreement"] = (
        same.groupby(others["person"]).mean().reindex(range(len(votes.people))).set_axis(votes.people).reindex(names)
    )
    scores = score_gold(answers, task, answers.head(0) if gold is None else gold).set_index("person")
    result["gold"] = (scores["right"] / scores["answers"]).reindex(names)
    result["gold_answers"] = scores["answers"].reindex(names, fill_value=0)
    result["stopped"] = scores["stopped"].reindex(names, fill_value=False)
    result["confusion"] = pd.array(_top_confusions(others, votes).reindex(names), dtype=t.TEXT)
    seen = groups["submitted"].max().astype(t.CREATED_DTYPE).reindex(names)
    result["last_seen"] = pd.Series(last_seen, dtype=t.CREATED_DTYPE).reindex(names).fillna(seen)
    return result.reset_index(drop=True)


def _votes_of_others(votes: Votes) -> pd.DataFrame:
    """Return ``person``, ``value`` and ``usual``, the most frequent vote of the others, of votes where it is unique."""
    weighed = weigh_votes(votes, {})
    start, count = spans(weighed.item, len(votes.item_task))
    pair, vote = ranges(start[votes.item], count[votes.item])
    others = weighed.count[pair] - (weighed.pair[vote] == pair)
    order = np.lexsort((-others, vote))
    first, many = spans(vote, len(votes.item))
    best, second = order[first], order[first + (many > 1)]
    unique = (others[best] > 0) & ((others[best] > others[second]) | (many == 1))
    table = pd.DataFrame({"person": votes.person, "value": votes.value, "usual": weighed.value[pair[best]]})
    return table[unique]


def _top_confusions(others: pd.DataFrame, votes: Votes) -> pd.Series:
    """Describe each person's most frequent difference from the others, by name, if it occurs at least twice."""
    counts = others.groupby(["person", "usual", "value"]).size().rename("times").reset_index()
    counts["of"] = counts.groupby(["person", "usual"])["times"].transform("sum")
    wrong = counts[(counts["usual"] != counts["value"]) & (counts["times"] > 1)]
    top = wrong.sort_values(["times", "of", "usual", "value"], ascending=[False, True, True, True])
    return pd.Series({
        votes.people[row.person]: f"{_shown(votes.labels[row.value])} instead of {_shown(votes.labels[row.usual])} "
        f"({row.times:,} of {row.of:,})"
        for row in top.drop_duplicates("person").itertuples()
    }, dtype="object")  # fmt: skip


# -- gold ---------------------------------------------------------------------------------------------------


def score_gold(answers: pd.DataFrame, task: str, gold: pd.DataFrame) -> pd.DataFrame:
    """Compare answers with known answers, for each person who gave such answers.

    ``gold`` has the columns ``image``, ``label``, ``labels`` and ``boxes`` of answers, without those of
    :func:`find_wrong_gold`. Return ``person``, ``answers`` (to gold tasks), ``right``, ``upper`` (95 % confidence bound
    of the share of right ones) and ``stopped``: True if the person should get no more tasks.
    """
    scored = _gold_answers(answers, task, gold)
    table = scored.groupby("person")["right"].agg(["size", "sum"]).reset_index()
    table.columns = ["person", "answers", "right"]
    table["upper"] = 1 - lower_bound(table["answers"] - table["right"], table["answers"])
    table["stopped"] = (table["answers"] >= GOLD_ANSWERS) & (table["upper"] < GOLD_LIMIT)
    return table.astype({"person": t.TEXT, "right": "int64"})


def find_wrong_gold(
    answers: pd.DataFrame, task: str, gold: pd.DataFrame, accuracy: Mapping[str, float]
) -> pd.DataFrame:
    """Find known answers that most reliable people contradict.

    ``accuracy`` is that of :attr:`.consolidation.Consensus.people`. People are reliable from :data:`RELIABLE` on, and
    at least :data:`FEWEST_RELIABLE` of them must have answered. Return ``image``, ``answers`` (of reliable people) and
    ``contradicting``.
    """
    scored = _gold_answers(answers, task, gold)
    scored = scored[scored["person"].map(lambda name: accuracy.get(name, 0) >= RELIABLE).astype(bool)]
    table = (~scored["right"]).groupby(scored["image"]).agg(["size", "sum"]).reset_index()
    table.columns = ["image", "answers", "contradicting"]
    is_wrong = (table["answers"] >= FEWEST_RELIABLE) & (3 * table["contradicting"] > 2 * table["answers"])
    return table[is_wrong].reset_index(drop=True)


def _gold_answers(answers: pd.DataFrame, task: str, gold: pd.DataFrame) -> pd.DataFrame:
    """Return ``image``, ``person`` and ``right`` of the answers to gold tasks."""
    rows = answers[answers["image"].isin(gold["image"])].reset_index(drop=True)
    golden = gold.set_index("image").loc[rows["image"]].reset_index(drop=True)
    if task == "single-label":
        right = rows["label"].fillna("").eq(golden["label"].fillna("")).tolist()
    elif task == "multi-label":
        sets = [(set(labels), set(correct)) for labels, correct in zip(rows["labels"], golden["labels"], strict=True)]
        right = [_reaches(len(labels & correct), len(labels) + len(correct)) for labels, correct in sets]
    else:
        both = pd.concat([drawn_boxes(golden["boxes"]).assign(person=0), drawn_boxes(rows["boxes"]).assign(person=1)])
        both = both.sort_values(["answer_at", "person"], kind="stable")
        row, person, label = both["answer_at"].to_numpy(), both["person"].to_numpy(), pd.factorize(both["label"])[0]
        first, second, _ = match_boxes(row, person, label, both[[*t.BOX_COLUMNS]].to_numpy())
        common = np.bincount(row[first], label[first] == label[second], len(rows)).tolist()
        right = [
            _reaches(int(matches), all_)
            for matches, all_ in zip(common, np.bincount(row, minlength=len(rows)).tolist(), strict=True)
        ]
    return rows[["image", "person"]].assign(right=np.array(right, dtype=np.bool_))


def _reaches(common: int, total: int) -> bool:
    """Check whether ``common`` equal labels or boxes, of ``total`` on both sides, make an answer right."""
    return 2 * common >= GOLD_F1 * total
