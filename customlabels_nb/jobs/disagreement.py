"""Say what people disagree about in the tasks of a labelling job."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.jobs.consolidation import collect_votes

#: ("mixed", label, label or None for nothing), ("missed",) if somebody did not draw an object, ("tie",) if no label has
#: more than half of the votes, or ("unsure",) if there is none of them: boxes that differ in place or size.
Reason: TypeAlias = tuple[str | None, ...]


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
        labels = sorted(str(votes.labels[value]) for value in counts if value)
        task_reasons |= {("mixed", *pair) for pair in combinations(labels, 2)}
        if 0 in counts:
            task_reasons |= {("missed",)} if is_drawn else {("mixed", label, None) for label in labels}
        if 2 * max(counts.values()) <= counts.total():
            task_reasons.add(("tie",))
    reasons = {task_id: sorted(task_reasons, key=str) or [("unsure",)] for task_id, task_reasons in by_task.items()}
    lengths = votes.answers["boxes"].map(len).to_numpy(dtype=np.int64)
    objects = np.split(votes.boxes["item"].to_numpy(), np.cumsum(lengths)[:-1]) if is_drawn and len(lengths) else []
    numbers = [task_reasons.tolist() for task_reasons in objects]
    return reasons, dict(zip(votes.answers["answer"].tolist(), numbers, strict=False))
