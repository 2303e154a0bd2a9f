"""Advice on thresholds: which would be better, and where precision can be had for recall or the reverse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from customlabels_nb.evaluation.advice.case import Case, listed
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray
from customlabels_nb.evaluation.metrics import ratios
from customlabels_nb.evaluation.outcomes import Steps

#: What F1 has to gain by another threshold: less isn't worth a change.
BETTER_F1 = 0.02
#: So many mistakes fewer, or more right: one or two may be chance.
BETTER_BY = 3
#: Precision and recall lie apart by so much where there is something to trade.
UNEVEN = 0.1
#: What F1 may lose for a threshold that is written shorter.
ROUNDING = 0.005
#: What the lower of both has to win by it, and what F1 may lose at most.
TRADED, TRADE_COST = 0.1, 0.02
#: What is won so counts for little: something else is lost by it.
TRADE_WEIGHT = 0.1


def threshold_advice(case: Case) -> Iterator[AdviceItem]:
    """For each label at most one other threshold; none for cross-validated ones, which are honest as they are."""
    if case.applied.folds:
        return
    tp, fp, fn = case.counts
    for position in np.flatnonzero(case.outcomes.in_test_set).tolist():
        steps = case.outcomes.steps(position)
        if steps.confidence.size:
            now = (int(tp[position]), int(fp[position]), int(fn[position]))
            item = _better(case, position, steps, now) or _trade(case, position, steps, now)
            if item is not None:
                yield item


def _better(case: Case, position: int, steps: Steps, now: tuple[int, int, int]) -> AdviceItem | None:
    """A threshold at which F1 is higher."""
    precision, recall, f1 = _along(steps)
    before = [float(value) for value in ratios(*now)]
    wrong = steps.accepted - steps.hits + steps.targets - steps.hits
    good = (f1 - before[2] >= BETTER_F1) & (now[1] + now[2] - wrong >= BETTER_BY)
    if not good.any():
        return None
    best = int(np.where(good, f1, -1).argmax())
    best, new = _round(steps, best, good & (f1 >= f1[best] - ROUNDING))
    after = [float(precision[best]), float(recall[best]), float(f1[best])]
    gain = (after[2] - before[2]) / max(int(case.outcomes.in_test_set.sum()), 1)
    return _item("threshold", case, position, new, before, after, gain)


def _trade(case: Case, position: int, steps: Steps, now: tuple[int, int, int]) -> AdviceItem | None:
    """A threshold at which the lower of precision and recall is clearly higher, at about the same F1."""
    precision, recall, f1 = _along(steps)
    before = [float(value) for value in ratios(*now)]
    if abs(before[0] - before[1]) < UNEVEN:
        return None
    low = precision if before[0] < before[1] else recall
    won = low - min(before[:2])
    fewer = now[1] - (steps.accepted - steps.hits) if before[0] < before[1] else steps.hits - now[0]
    evener = np.minimum(precision, recall) >= min(before[:2])
    good = (won >= TRADED) & evener & (f1 >= before[2] - TRADE_COST) & (fewer >= BETTER_BY)
    if not good.any():
        return None
    best = int(np.lexsort((won, np.where(good, f1, -1)))[-1])
    best, new = _round(steps, best, good & (f1 >= f1[best] - ROUNDING))
    after = [float(precision[best]), float(recall[best]), float(f1[best])]
    gain = TRADE_WEIGHT * float(won[best]) / max(int(case.outcomes.in_test_set.sum()), 1)
    return _item("trade_off", case, position, new, before, after, gain)


def _item(
    kind: str,
    case: Case,
    position: int,
    new: float,
    before: list[float],
    after: list[float],
    gain: float,
) -> AdviceItem | None:
    label, old = case.labels[position], float(case.applied.thresholds[position])
    changes = listed(
        [
            f"{name} {'rises' if b > a else 'falls'} from {a:.2f} to {b:.2f}"
            for name, a, b in zip(("precision", "recall", "F1"), before, after, strict=True)
            if f"{a:.2f}" != f"{b:.2f}"
        ]
    )
    move = "Raise" if new > old else "Lower"
    when = ""
    if kind == "trade_off":
        when = " if a false alarm is worse than a miss" if new > old else " if a miss is worse than a false alarm"
    text = f"{move} the threshold of {label}{when}: at {new:.12g} instead of {old:.2g}, {changes}."
    images = _changed(case, position, old, new)
    return AdviceItem(kind, text, (label,), images, case.use_thresholds({label: new}), gain)


def _changed(case: Case, position: int, old: float, new: float) -> pd.DataFrame:
    """The predictions that one threshold accepts and the other doesn't, the most doubtful last."""
    image, confidence, hit = case.outcomes.predictions(position)
    chosen = (confidence >= old) != (confidence >= new)
    image, confidence, hit = image[chosen], confidence[chosen], hit[chosen]
    raised = new > old
    better = hit != raised
    order = np.lexsort((image, -confidence if raised else confidence, ~better))
    became = {
        (True, True): "now missed", (True, False): "now rejected",
        (False, True): "now found", (False, False): "now a false alarm",
    }  # fmt: skip
    table = pd.DataFrame(
        {
            "image": case.outcomes.images[image[order]],
            "label": case.labels[position],
            "confidence": confidence[order],
            "becomes": [became[raised, bool(right)] for right in hit[order]],
        }
    )
    return table.astype({"image": "str", "label": "str", "becomes": "str"})


def _round(steps: Steps, best: int, good: BoolArray) -> tuple[int, float]:
    """The threshold written shortest that is about as good as that of step ``best``, and the step that it reaches."""
    below = float(steps.confidence[best + 1]) if best + 1 < steps.confidence.size else 0.0
    middle = (below + float(steps.confidence[best])) / 2
    for digits in range(2, 16):
        new = round(middle, digits)
        reached = int(np.searchsorted(-steps.confidence, -new, side="right")) - 1
        if 0 < new <= 1 and reached >= 0 and good[reached]:
            return reached, new
    return best, float(steps.confidence[best])


def _along(steps: Steps) -> tuple[FloatArray, FloatArray, FloatArray]:
    return ratios(steps.hits, steps.accepted - steps.hits, steps.targets - steps.hits)
