"""Advice on single mistakes: doubtful truth, labels taken for others, for nothing, or seen where nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customlabels_nb.core.geometry import iou_of_pairs
from customlabels_nb.evaluation.advice.case import Case
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.evaluation.scores import Scores

#: The truth is only doubted where the model says its label as surely as it does on average where that label is right
#: (the rule of Northcutt et al., "Confident learning", 2021), and more likely than not.
LEAST_SURE = 0.5
#: ... and where it is nearly always right when it is so sure: so often at least, and wrong in no larger share than this
#: (or once). Where it is often wrong the model is to be doubted.
SURE_TIMES, SURE_WRONG = 5, 0.1
#: Mistakes that stand for something: once is chance.
TAKEN_TIMES, TAKEN_SHARE = 2, 0.1
#: Of what is missed or seen without anything instead a larger share is usual.
ALONE_TIMES, ALONE_SHARE = 3, 0.2
#: A box that overlaps one of its own label by so much means that one: it lies badly or is a second one.
NEAR = 0.1

_BOX = ["left", "top", "width", "height"]
_COLUMNS = ["image", "truth", "predicted", "confidence"]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """What is wrong, each table with ``image``, ``truth``, ``predicted`` (null without), ``confidence`` and boxes.

    Attributes
    ----------
    suspects : DataFrame
        Where rather the truth is wrong; in none of the others.
    taken : DataFrame
        One label for another.
    missed, alarms : DataFrame
        A label with nothing instead; nothing, with a label instead.
    misplaced : DataFrame
        Boxes near one of their own label that don't count as it (detection), with their ``overlap``.
    """

    suspects: pd.DataFrame
    taken: pd.DataFrame
    missed: pd.DataFrame
    alarms: pd.DataFrame
    misplaced: pd.DataFrame


def find_mistakes(case: Case) -> Mistakes:
    """The mistakes of an evaluation by what they are."""
    if case.detection:
        taken, missed, alarms, misplaced = _boxes(case)
        suspects = pd.concat([_doubted(case, taken), _doubted(case, alarms)])
    elif isinstance(case.outcomes, Scores) and case.single_label:
        taken, alarms = _other_labels(case.outcomes), _wrong_labels(case.alarms[case.alarms["truth"].isna()])
        missed = misplaced = taken.head(0)
        suspects = pd.concat([_doubted(case, taken), _doubted(case, alarms)])
    else:
        taken, missed = _of_many_labels(case.misses, case.alarms)
        misplaced = taken.head(0)
        suspects = _doubted(case, _wrong_labels(case.alarms))
        alarms = _wrong_labels(case.alarms[~case.alarms["image"].isin(case.misses["image"])])
    suspects = suspects.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
    return Mistakes(suspects, _without(taken, suspects), missed, _without(alarms, suspects), misplaced)


def truth_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Truth that is doubtful."""
    found = mistakes.suspects
    if found.empty:
        return
    one, replaced = len(found) == 1, found["truth"].notna()
    if case.single_label:
        start = "1 test image may have the wrong label" if one else f"{len(found):,} test images may have wrong labels"
    else:
        what = "box" if case.detection else "label"
        parts = [
            f"{number:,} {what if number == 1 else 'boxes' if case.detection else 'labels'} {words}"
            for number, words in ((int((~replaced).sum()), "may be missing"), (int(replaced.sum()), "may be wrong"))
            if number
        ]
        start = f"In the truth of the test images {' and '.join(parts)}"
    text = (
        f"{start}: the model says otherwise, as surely as where it is right. "
        "Look at these first; wrong labels in the test set make every figure wrong."
    )
    right, wrong = case.each(found["predicted"]), case.each(found.loc[replaced, "truth"])
    labels = tuple(label for label in case.labels if label in {*found["predicted"], *found["truth"].dropna()})
    yield AdviceItem("label_error", text, labels, found, case.look(), case.gain(tp=right, fp=-right, fn=-wrong))


def confusion_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Pairs of labels that are taken for each other, or one for the other."""
    targets = dict(zip(case.labels, case.outcomes.targets.tolist(), strict=True))
    sizes = mistakes.taken.groupby(["truth", "predicted"], sort=False).size()
    often = {
        (str(truth), str(predicted)): int(number)
        for (truth, predicted), number in sizes.items()
        if number >= TAKEN_TIMES and number >= TAKEN_SHARE * targets[truth]
    }
    for (truth, predicted), number in often.items():
        back = often.get((predicted, truth), 0)
        if back and case.labels.index(truth) > case.labels.index(predicted):
            continue  # said with the other one
        images = _of(mistakes.taken, truth, predicted)
        share = f"{number:,} of {case.things(targets[truth])}"
        if back:
            images = pd.concat([images, _of(mistakes.taken, predicted, truth)])
            text = (
                f"{truth} and {predicted} are taken for each other: {truth} for {predicted} in {share}, {predicted} "
                f"for {truth} in {back:,} of {targets[predicted]:,}. Add training images of both like these, check "
                "whether the labels are right, or merge the two if nobody needs them apart."
            )
        else:
            text = (
                f"{truth} is taken for {predicted} in {share}. Add training images of {truth} that look like these, "
                "and check whether their labels are right."
            )
        images = images.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
        there, here = case.each([truth] * number), case.each([predicted] * back)
        gain = case.gain(tp=there + here, fn=-there - here, fp=-case.each([predicted] * number + [truth] * back))
        yield AdviceItem("confusion", text, (truth, predicted), images, case.look(), gain)


def missed_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Labels that are often taken for nothing."""
    found = case.counts[0]
    for position in np.flatnonzero(found > 0).tolist():
        label, targets = case.labels[position], int(case.outcomes.targets[position])
        images = mistakes.missed[mistakes.missed["truth"] == label]
        if len(images) < ALONE_TIMES or len(images) < ALONE_SHARE * targets:
            continue
        where = f"{len(images):,} of {case.things(targets)}"
        seen = int((images["confidence"] > 0).sum())
        text = (
            f"{f'{where} of {label} are' if case.detection else f'{label} is'} missed"
            f"{'' if case.detection else f' in {where}'}, and nothing else is seen instead. Add training images that "
            f"look like these; {'a lower threshold finds some' if seen else 'no threshold finds them'}"
            f"{', at the price of false alarms' if seen else ''}."
        )
        by = case.each([label] * len(images))
        images = images.sort_values("confidence", kind="stable", ignore_index=True)
        yield AdviceItem("missed", text, (label,), images, case.look(), case.gain(tp=by, fn=-by))


def alarm_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Labels that are often seen where nothing is."""
    tp, fp, _ = case.counts
    for position, label in enumerate(case.labels):
        images = mistakes.alarms[mistakes.alarms["predicted"] == label]
        accepted = int(tp[position] + fp[position])
        if len(images) < ALONE_TIMES or len(images) < ALONE_SHARE * accepted:
            continue
        if case.detection:
            text = (
                f"{label} is seen where nothing is labelled: {len(images):,} of its {accepted:,} accepted boxes. Draw "
                "the boxes that are missing in the truth, or add training images of what is there, without boxes."
            )
        else:
            text = (
                f"{label} is seen in {len(images):,} test images that don't have it, of {accepted:,} where it is seen. "
                "Add the label where it is missing, or add training images that look like these without it."
            )
        by = case.each([label] * len(images))
        images = images.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
        yield AdviceItem("false_alarm", text, (label,), images, case.look(), case.gain(fp=-by))


# -- what is wrong, by task -----------------------------------------------------------------------------
def _other_labels(scores: Scores) -> pd.DataFrame:
    """Images of one label whose most confident one is another."""
    true, said = scores.true_label(), scores.predicted_label()
    at = np.flatnonzero((true >= 0) & (said >= 0) & (true != said))
    names = np.array(scores.labels, dtype=object)
    rows = (scores.images[at], names[true[at]], names[said[at]], scores.confidence[at, said[at]])
    return _table(dict(zip(_COLUMNS, rows, strict=True)))


def _wrong_labels(alarms: pd.DataFrame) -> pd.DataFrame:
    return _table({"image": alarms["image"], "truth": None, "predicted": alarms["label"], **_confidence(alarms)})


def _of_many_labels(missed: pd.DataFrame, alarms: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each missed label of an image beside each wrong one of it, and those beside which there is none."""
    both = missed[["image", "label"]].merge(
        alarms[["image", "label", "confidence"]], on="image", suffixes=("", "_said")
    )
    taken = {"image": both["image"], "truth": both["label"], "predicted": both["label_said"], **_confidence(both)}
    missed = missed[~missed["image"].isin(alarms["image"])]
    alone = {"image": missed["image"], "truth": missed["label"], "predicted": None, **_confidence(missed)}
    return _table(taken), _table(alone)


def _boxes(case: Case) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Boxes of another label, of nothing, on nothing, and beside one of their own."""
    alarms = case.alarms.assign(overlap=_iou_with_own(case))
    other = alarms["taken_for"].notna()
    near = ~other & (alarms["overlap"] >= NEAR)
    taken, beside = alarms[other], alarms[near]

    def table(rows: pd.DataFrame, truth: object, predicted: object) -> pd.DataFrame:
        columns = {name: rows[name] for name in _BOX}
        return _table({"image": rows["image"], "truth": truth, "predicted": predicted, **_confidence(rows), **columns})

    # a missed box with which something was mixed up isn't missed for nothing
    used = pd.concat(
        [taken[["image", "taken_for"]].rename(columns={"taken_for": "label"}), beside[["image", "label"]]]
    ).value_counts()
    number = case.misses.groupby(["image", "label"]).cumcount()
    keys = pd.MultiIndex.from_frame(case.misses[["image", "label"]])
    missed = case.misses[(number >= used.reindex(keys).fillna(0).to_numpy()).to_numpy()]
    alone = alarms[~other & ~near]
    return (
        table(taken, taken["taken_for"], taken["label"]),
        table(missed, missed["label"], None),
        table(alone, None, alone["label"]),
        table(beside, beside["label"], beside["label"]).assign(overlap=beside["overlap"].to_numpy()),
    )


def _iou_with_own(case: Case) -> FloatArray:
    """How far each false positive overlaps the nearest box of its label, shape (its rows,)."""
    truth = [*(f"truth_{name}" for name in _BOX)]
    boxes = pd.concat([case.hits, case.misses])[["image", "label", *truth]]
    alarms = case.alarms[["image", "label", *_BOX]].rename_axis("row").reset_index()
    pairs = alarms.merge(boxes, on=["image", "label"])
    best = pd.Series(iou_of_pairs(pairs[_BOX], pairs[truth])).groupby(pairs["row"].to_numpy()).max()
    return np.asarray(best.reindex(range(len(alarms)), fill_value=0.0), dtype=np.float64)


def _doubted(case: Case, found: pd.DataFrame) -> pd.DataFrame:
    """The rows where the model is as sure as where it is right, and is seldom wrong then."""
    least = dict(zip(case.labels, _least_sure(case).tolist(), strict=True))
    return found[found["confidence"] >= found["predicted"].map(least).astype("float64")]


def _least_sure(case: Case) -> FloatArray:
    """From which confidence on the truth is doubted rather than the model, by label; infinite where never."""
    result = np.full(len(case.labels), np.inf)
    for position in range(len(case.labels)):
        _, confidence, hit = case.outcomes.predictions(position)
        if hit.any():
            least = max(LEAST_SURE, float(confidence[hit].mean()) - 1e-9)  # the mean of equal ones is rounded
            sure = int((confidence >= least).sum())
            right = int(hit[confidence >= least].sum())
            if right >= SURE_TIMES and sure - right <= max(1, SURE_WRONG * sure):
                result[position] = least
    return result


def _without(found: pd.DataFrame, suspects: pd.DataFrame) -> pd.DataFrame:
    keys = ["image", "predicted", *_box(found)]
    other = pd.MultiIndex.from_frame(suspects[keys])
    return found[~pd.MultiIndex.from_frame(found[keys]).isin(other)].reset_index(drop=True)


def _of(found: pd.DataFrame, truth: str, predicted: str) -> pd.DataFrame:
    return found[(found["truth"] == truth) & (found["predicted"] == predicted)]


def _box(found: pd.DataFrame) -> list[str]:
    return [name for name in _BOX if name in found.columns]


def _confidence(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {"confidence": rows["confidence"]}


def _table(columns: dict[str, object]) -> pd.DataFrame:
    table = pd.DataFrame(columns).reset_index(drop=True)
    return table.astype({"image": "str", "truth": "str", "predicted": "str", "confidence": "float64"})
