"""Rules that derive suggestions from an evaluation, each a function of a :class:`Case`.

The constants above each group of rules define when these rules apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pprint import pformat

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.text import counted, listed, one_line
from customlabels_nb.core.geometry import BOX_SIZES
from customlabels_nb.core.tables import DRAWN_TASKS, POLYGONS, SINGLE_LABEL, TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray
from customlabels_nb.evaluation.boxes import NEAR, Boxes, limit_note
from customlabels_nb.evaluation.matching import IOU_THRESHOLD
from customlabels_nb.evaluation.metrics import mean_f1, ratios
from customlabels_nb.evaluation.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, Outcomes, Steps
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.slices import LEAST_IMAGES as LEAST_OF_A_SLICE
from customlabels_nb.evaluation.slices import LOWER, beyond_chance, sliced, sum_counts
from customlabels_nb.evaluation.thresholded import Thresholded

#: Maximum number of images listed in the code of a suggestion.
MOST_NAMES = 50


@dataclass(frozen=True, eq=False)
class Case:
    """Evaluation to derive suggestions from.

    ``features`` has one row per test image, NaN for images without features. ``suspects`` are training images as in
    ``project.assist.suspects()``. ``project`` and ``model`` are expressions that evaluate to them, and empty outside a
    project, as ``split`` is.
    """

    applied: Thresholded
    summary: pd.DataFrame
    per_label: pd.DataFrame
    per_image: pd.DataFrame
    images: pd.DataFrame
    training: Mapping[str, int] | None = None
    features: FloatArray | None = None
    suspects: pd.DataFrame | None = None
    project: str = ""
    model: str = ""
    split: str = ""

    @property
    def outcomes(self) -> Outcomes:
        return self.applied.outcomes

    @property
    def labels(self) -> tuple[str, ...]:
        return self.outcomes.labels

    @property
    def single_label(self) -> bool:
        return self.outcomes.task == SINGLE_LABEL

    @property
    def is_drawn(self) -> bool:
        return self.outcomes.task in DRAWN_TASKS

    @property
    def shape(self) -> str:
        return "mask" if self.outcomes.task == POLYGONS else "box"

    @property
    def shapes(self) -> str:
        return "masks" if self.shape == "mask" else "boxes"

    @cached_property
    def counts(self) -> tuple[IntArray, IntArray, IntArray]:
        table = self.per_label
        return table["tp"].to_numpy(), table["fp"].to_numpy(), table["fn"].to_numpy()

    def gain(self, tp: npt.ArrayLike = 0, fp: npt.ArrayLike = 0, fn: npt.ArrayLike = 0) -> float:
        """Compute the gain in mean F1 if the counts of each label change by ``tp``, ``fp`` and ``fn``, shape (k,)."""
        changed = (np.maximum(now + np.asarray(by), 0) for now, by in zip(self.counts, (tp, fp, fn), strict=True))
        tested = self.outcomes.in_test_set
        return float((ratios(*changed)[2] - ratios(*self.counts)[2])[tested].mean()) if tested.any() else 0.0

    def each(self, labels: Sequence[str] | pd.Series) -> IntArray:
        numbers = pd.Series(list(labels), dtype="object").value_counts()
        return np.array([numbers.get(label, 0) for label in self.labels], dtype=np.int64)

    def rows(self, result: str) -> pd.DataFrame:
        return self.per_image[self.per_image["result"] == result].reset_index(drop=True)

    @cached_property
    def hits(self) -> pd.DataFrame:
        return self.rows(TRUE_POSITIVE)

    @cached_property
    def misses(self) -> pd.DataFrame:
        """Missed labels or boxes, without those that :attr:`limited` has."""
        rows = self.rows(FALSE_NEGATIVE)
        return rows[~rows["image"].isin(self.limited["image"])].reset_index(drop=True)

    @cached_property
    def limited(self) -> pd.DataFrame:
        """Missed boxes in images in which a detector reaches its limit of boxes."""
        rows = self.rows(FALSE_NEGATIVE)
        if not isinstance(self.outcomes, Boxes):
            return rows.head(0)
        return rows[rows["image"].isin(self.outcomes.images[self.outcomes.at_limit])].reset_index(drop=True)

    @cached_property
    def alarms(self) -> pd.DataFrame:
        return self.rows(FALSE_POSITIVE)

    def things(self, number: int) -> str:
        """Format a number of test images, such as ``1 test image``, or for detectors of boxes or masks."""
        return counted(number, self.shape, self.shapes) if self.is_drawn else counted(number, "test image")

    def code(self, *lines: str) -> str:
        """Write code that runs in any notebook, without changing variables such as ``project``."""
        return "\n".join(["import customlabels_nb as cl", "", *lines])

    def look(self, images: pd.DataFrame) -> str:
        """Write the code that lists images and, if they are in the project, opens them for labelling."""
        every = [str(name) for name in images["image"].unique()]
        names = "names = " + pformat(every[:MOST_NAMES], width=110, compact=True).replace("\n", "\n" + " " * 8)
        if len(every) > MOST_NAMES:
            names += f"  # the {MOST_NAMES} clearest of {len(every):,}"
        if not self.split:
            return f"{names}\nnames" if every else ""
        return self.code(
            names,
            f'screen = {self.project}.{"annotate" if self.is_drawn else "label"}("{self.split}")',
            'screen.set_filter(lambda images: images["image"].isin(names))',
            "screen",
        )

    def add(self, label: str, images: pd.DataFrame, split: str = "train") -> str:
        """Write the code that adds images with a label or, outside a project, lists the images of the suggestion."""
        if not self.project:
            return self.look(images)
        to = "" if split == "train" else f', split="{split}"'
        if self.is_drawn:
            return self.code(f"{self.project}.add_images({NEW!r}{to})", f'{self.project}.annotate("{split}")')
        return self.code(f"{self.project}.add_images({NEW!r}, label={label!r}{to})")

    def use_thresholds(self, thresholds: Mapping[str, float]) -> str:
        if self.project:
            return self.code(f"{self.model}.set_thresholds({dict(thresholds)!r})")
        return f"thresholds = {dict(thresholds)!r}  # for cl.evaluate(..., thresholds=thresholds)"


#: Folder in suggested code, which must be replaced.
NEW = "path/to/new/images"


# -- single mistakes: doubtful ground truth, confused labels, missed labels, false positives -----------------
#: Ground truth is doubted only if the model predicts a label with at least its average confidence in correct
#: predictions of that label (the rule of Northcutt et al., "Confident learning", 2021), and at least this confidence.
LEAST_SURE = 0.5
#: At that confidence, predictions of the label must also be nearly always correct: correct at least this many times,
#: and wrong in at most this share of cases (or once). If they are often wrong, the model is doubted instead.
SURE_TIMES, SURE_WRONG = 5, 0.1
#: Weight of suspected training labels, which are listed first in any case.
_SUSPECT_WEIGHT = 0.01
#: Minimum number and share of repeated confusions. A single one can be due to chance.
TAKEN_TIMES, TAKEN_SHARE = 2, 0.1
#: Minimum number and share of missed labels and of false positives, which are normally more frequent than confusions.
ALONE_TIMES, ALONE_SHARE = 3, 0.2

_BOX = ["left", "top", "width", "height"]
_COLUMNS = ["image", "truth", "predicted", "confidence"]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Mistakes by kind: ``image``, ``truth`` and ``predicted`` (missing without one), ``confidence`` and boxes."""

    suspects: pd.DataFrame
    taken: pd.DataFrame
    missed: pd.DataFrame
    alarms: pd.DataFrame
    misplaced: pd.DataFrame


def find_mistakes(case: Case) -> Mistakes:
    if case.is_drawn:
        taken, missed, alarms, misplaced = _boxes(case)
        suspects = pd.concat([_doubted(case, taken), _doubted(case, alarms)])
    elif isinstance(case.outcomes, Scores) and case.single_label:
        taken, alarms = (
            _other_labels(case.outcomes, case.applied.answer()),
            _wrong_labels(case.alarms[case.alarms["truth"].isna()]),
        )
        missed = _table(case.misses[case.misses["predicted"].isna()].assign(predicted=None)[_COLUMNS])  # no answer
        misplaced = taken.head(0)
        suspects = pd.concat([_doubted(case, taken), _doubted(case, alarms)])
    else:
        taken, missed = _of_many_labels(case.misses, case.alarms)
        misplaced = taken.head(0)
        suspects = _doubted(case, _wrong_labels(case.alarms))
        alarms = _wrong_labels(case.alarms[~case.alarms["image"].isin(case.misses["image"])])
    suspects = suspects.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
    return Mistakes(suspects, _without(taken, suspects), missed, _without(alarms, suspects), misplaced)


def truth_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Suggest checking ground-truth labels that are probably wrong."""
    suspects = mistakes.suspects
    if suspects.empty:
        return
    is_single, replaced = len(suspects) == 1, suspects["truth"].notna()
    if case.single_label:
        start = (
            "1 test image may have the wrong label"
            if is_single
            else f"{len(suspects):,} test images may have wrong labels"
        )
    else:
        what, several = (case.shape, case.shapes) if case.is_drawn else ("label", "labels")
        parts = [
            f"{counted(number, what, several)} {words}"
            for number, words in ((int((~replaced).sum()), "may be missing"), (int(replaced.sum()), "may be wrong"))
            if number
        ]
        start = f"In the ground truth of the test images, {' and '.join(parts)}"
    text = (
        f"{start}: the model disagrees at a confidence where it is usually right. Check these first, to see whether "
        "the label or the model is wrong, because wrong labels in the test set make every metric wrong."
    )
    right, wrong = case.each(suspects["predicted"]), case.each(suspects.loc[replaced, "truth"])
    labels = tuple(label for label in case.labels if label in {*suspects["predicted"], *suspects["truth"].dropna()})
    yield AdviceItem(
        "label_error", text, labels, suspects, case.look(suspects), case.gain(tp=right, fp=-right, fn=-wrong)
    )


def suspect_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest reviewing the training images whose labels are probably wrong."""
    if case.suspects is None or case.suspects.empty:
        return
    images = case.suspects.rename(columns={"given": "truth", "suggested": "predicted"})
    names = {*images["truth"].dropna(), *images["predicted"].dropna()}
    number = images["image"].nunique()
    have, them, their = ("has", "it", "its") if number == 1 else ("have", "them", "their")
    text = (
        f"{counted(number, 'training image')} probably {have} wrong or missing labels: models that were trained "
        f"without {them} disagree. Review {their} labels, and train again."
    )
    call = case.code(f'{case.project}.review(queue="suspect")') if case.project else ""
    labels = tuple(label for label in case.labels if label in names)
    yield AdviceItem("suspects", text, labels, images.reset_index(drop=True), call, _SUSPECT_WEIGHT)


def confusion_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Suggest improvements for pairs of labels that are confused with each other."""
    targets, often = _targets(case), _often_taken(case, mistakes)
    for (truth, predicted), number in often.items():
        back = often.get((predicted, truth), 0)
        if back and case.labels.index(truth) > case.labels.index(predicted):
            continue  # covered by the reverse pair
        images = _of(mistakes.taken, truth, predicted)
        share = f"{number:,} of {case.things(targets[truth])}"
        if back:
            images = pd.concat([images, _of(mistakes.taken, predicted, truth)])
            text = (
                f"{truth} and {predicted} are confused with each other: {truth} is predicted as {predicted} in "
                f"{share}, and {predicted} as {truth} in {back:,} of {targets[predicted]:,}. Add training images of "
                "both that look like these, check whether the labels are right, or merge the two labels if you do not "
                "need both."
            )
        else:
            text = (
                f"{truth} is predicted as {predicted} in {share}. Add training images of {truth} that look like these, "
                "and check whether their labels are right."
            )
        images = images.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
        call = case.look(images)
        if truth.casefold() == predicted.casefold():
            text = (
                f"{truth} is predicted as {predicted} in {share}. The two names differ only in capitals: if they mean "
                "the same, merge the labels and train again."
            )
            call = case.code(f"{case.project}.labels.merge({predicted!r}, into={truth!r})") if case.project else call
        there, here = case.each([truth] * number), case.each([predicted] * back)
        gain = case.gain(tp=there + here, fn=-there - here, fp=-case.each([predicted] * number + [truth] * back))
        yield AdviceItem("confusion", text, (truth, predicted), images, call, gain)


def _targets(case: Case) -> dict[str, int]:
    return dict(zip(case.labels, case.outcomes.targets.tolist(), strict=True))


def _often_taken(case: Case, mistakes: Mistakes) -> dict[tuple[str, str], int]:
    """Count the repeated confusions by true and predicted label, without labels that the model does not predict."""
    targets, known = _targets(case), dict(zip(case.labels, case.outcomes.known.tolist(), strict=True))
    sizes = mistakes.taken.groupby(["truth", "predicted"], sort=False).size()
    return {
        (str(truth), str(predicted)): int(number)
        for (truth, predicted), number in sizes.items()
        if known[truth] and number >= TAKEN_TIMES and number >= TAKEN_SHARE * targets[truth]
    }


def limit_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest a higher limit of boxes per image if a detector reaches it."""
    assert isinstance(case.outcomes, Boxes)
    if len(case.limited):
        images = _table(case.limited.assign(truth=case.limited["label"], predicted=None)[[*_COLUMNS, *_BOX]])
        labels = tuple(label for label in case.labels if label in set(images["truth"]))
        by = case.each(images["truth"])
        yield AdviceItem(
            "box_limit", limit_note(case.outcomes), labels, images, case.look(images), case.gain(tp=by, fn=-by)
        )


def missed_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Suggest improvements for labels that are often missed without another prediction."""
    missed = case.counts[0]
    for position in np.flatnonzero(missed > 0).tolist():
        label, targets = case.labels[position], int(case.outcomes.targets[position])
        images = mistakes.missed[mistakes.missed["truth"] == label]
        if len(images) < ALONE_TIMES or len(images) < ALONE_SHARE * targets:
            continue
        where = f"{len(images):,} of {case.things(targets)}"
        text = (
            f"{f'{where} of {label} are' if case.is_drawn else f'{label} is'} missed"
            f"{'' if case.is_drawn else f' in {where}'}, with no other prediction instead. Add training images that "
            f"look like these. {_at_lower_threshold(case, position, images['confidence'])}".rstrip()
        )
        by = case.each([label] * len(images))
        images = images.sort_values("confidence", kind="stable", ignore_index=True)
        yield AdviceItem("missed", text, (label,), images, case.look(images), case.gain(tp=by, fn=-by))


def _at_lower_threshold(case: Case, position: int, confidence: pd.Series) -> str:
    """Say whether a lower threshold finds any of the missed images or boxes, and what it costs."""
    if case.applied.most_confident:
        return ""
    if not (confidence > 0).any():
        return "No threshold finds them."
    hits, accepted = case.outcomes.steps(position).reached(np.asarray(confidence.max()))
    more = int(accepted - hits) - int(case.counts[1][position])
    cost = f", but adds at least {more:,} false positive{'' if more == 1 else 's'}" if more > 0 else ""
    return f"A lower threshold finds some of them{cost}."


def alarm_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Suggest improvements for labels that are often predicted where nothing is labelled."""
    tp, fp, _ = case.counts
    for position, label in enumerate(case.labels):
        images = mistakes.alarms[mistakes.alarms["predicted"] == label]
        accepted = int(tp[position] + fp[position])
        if len(images) < ALONE_TIMES or len(images) < ALONE_SHARE * accepted:
            continue
        if case.is_drawn:
            text = (
                f"{label} is predicted where nothing is labelled: {len(images):,} of its {accepted:,} accepted "
                f"{case.shapes}. Draw the {case.shapes} that are missing in the test images, or add training images of "
                f"such scenes without {case.shapes}."
            )
        else:
            text = (
                f"{label} is predicted for {len(images):,} test images without it, out of {accepted:,} predictions. "
                "Add the label where it is missing, or add training images without it that look like these."
            )
        by = case.each([label] * len(images))
        images = images.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
        yield AdviceItem("false_alarm", text, (label,), images, case.look(images), case.gain(fp=-by))


# -- mistakes by task -----------------------------------------------------------------------------------
def _other_labels(scores: Scores, predicted: IntArray) -> pd.DataFrame:
    """List the single-label images whose answer, one of ``predicted``, differs from their true label."""
    true = scores.true_label
    positions = np.flatnonzero((true >= 0) & (predicted >= 0) & (true != predicted))
    names = np.array(scores.labels, dtype=object)
    rows = (
        scores.images[positions],
        names[true[positions]],
        names[predicted[positions]],
        scores.confidence[positions, predicted[positions]],
    )
    return _table(dict(zip(_COLUMNS, rows, strict=True)))


def _wrong_labels(alarms: pd.DataFrame) -> pd.DataFrame:
    return _table(alarms.assign(truth=None, predicted=alarms["label"])[_COLUMNS])


def _of_many_labels(missed: pd.DataFrame, alarms: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pair each missed label with each false positive in the same image, and list missed labels without a pair."""
    both = missed[["image", "label"]].merge(
        alarms[["image", "label", "confidence"]], on="image", suffixes=("", "_said")
    )
    taken = both.rename(columns={"label": "truth", "label_said": "predicted"})
    missed = missed[~missed["image"].isin(alarms["image"])].rename(columns={"label": "truth"}).assign(predicted=None)
    return _table(taken[_COLUMNS]), _table(missed[_COLUMNS])


def _boxes(case: Case) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Split the mistakes of a detector into confusions, missed boxes, background boxes and imprecise boxes."""
    alarms = case.alarms.assign(iou=_iou_with_own(case))
    other = alarms["taken_for"].notna()
    near = ~other & (alarms["iou"] >= NEAR)
    taken, beside = alarms[other], alarms[near]

    def table(rows: pd.DataFrame, truth: object, predicted: object) -> pd.DataFrame:
        return _table(rows.assign(truth=truth, predicted=predicted)[[*_COLUMNS, *_BOX]])

    # a missed box that a confused or imprecise prediction explains is not listed as missed
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
        table(beside, beside["label"], beside["label"]).assign(iou=beside["iou"].to_numpy()),
    )


def _iou_with_own(case: Case) -> FloatArray:
    """Compute each false positive's highest IoU with a true box of the same label, one value per row."""
    assert isinstance(case.outcomes, Boxes)
    wrong: BoolArray = (case.per_image["result"] == FALSE_POSITIVE).to_numpy()
    return case.outcomes.highest_ious(case.applied.accepted())[wrong]


def _doubted(case: Case, rows: pd.DataFrame) -> pd.DataFrame:
    """Select the predictions whose confidence is so high that the ground truth is doubtful, see :func:`_least_sure`."""
    if case.outcomes.all_certain:
        return rows.head(0)  # answers without confidences, such as those of a person
    least = dict(zip(case.labels, _least_sure(case).tolist(), strict=True))
    return rows[rows["confidence"] >= rows["predicted"].map(least).astype("float64")]


def _least_sure(case: Case) -> FloatArray:
    """Compute, for each label, the confidence from which to doubt the ground truth, or infinity to never doubt it."""
    result = np.full(len(case.labels), np.inf)
    for position in range(len(case.labels)):
        _, confidence, hit = case.outcomes.predictions(position)
        if hit.any():
            least = max(LEAST_SURE, float(confidence[hit].mean()) - 1e-9)  # tolerates rounding of the mean
            sure = int((confidence >= least).sum())
            right = int(hit[confidence >= least].sum())
            if right >= SURE_TIMES and sure - right <= max(1, SURE_WRONG * sure):
                result[position] = least
    return result


def _without(table: pd.DataFrame, suspects: pd.DataFrame) -> pd.DataFrame:
    keys = ["image", "predicted", *(name for name in _BOX if name in table.columns)]
    other = pd.MultiIndex.from_frame(suspects[keys])
    return table[~pd.MultiIndex.from_frame(table[keys]).isin(other)].reset_index(drop=True)


def _of(rows: pd.DataFrame, truth: str, predicted: str) -> pd.DataFrame:
    return rows[(rows["truth"] == truth) & (rows["predicted"] == predicted)]


def _table(columns: dict[str, object] | pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(columns).reset_index(drop=True)
    return table.astype({"image": TEXT, "truth": TEXT, "predicted": TEXT, "confidence": "float64"})


# -- thresholds: better ones, and trading precision for recall -----------------------------------------------
#: Minimum gain in F1 that justifies a different threshold.
BETTER_F1 = 0.02
#: Minimum number of avoided mistakes or additional true positives. One or two can be due to chance.
BETTER_BY = 3
#: Minimum difference between precision and recall to suggest a trade-off.
UNEVEN = 0.1
#: Maximum loss in F1 for a threshold with fewer digits.
ROUNDING = 0.005
#: Minimum gain in the lower of precision and recall, and maximum loss in F1.
TRADED, TRADE_COST = 0.1, 0.02
#: Weight of the gain from a trade-off. It is low because another metric falls.
TRADE_WEIGHT = 0.1


def threshold_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest at most one new threshold per label, and none if they are cross-validated and thus unbiased."""
    if case.applied.folds or case.applied.most_confident:
        return
    tp, fp, fn = case.counts
    for position in np.flatnonzero(case.outcomes.in_test_set).tolist():
        steps = case.outcomes.steps(position)
        if steps.confidence.size:
            now = int(tp[position]), int(fp[position]), int(fn[position])
            before = [float(value) for value in ratios(*now)]
            item = _better(case, position, steps, now, before) or _trade(case, position, steps, now, before)
            if item is not None:
                yield item


def _better(
    case: Case, position: int, steps: Steps, now: tuple[int, int, int], before: list[float]
) -> AdviceItem | None:
    f1 = _along(steps)[2]
    wrong = steps.accepted - steps.hits + steps.targets - steps.hits
    good = (f1 - before[2] >= BETTER_F1) & (now[1] + now[2] - wrong >= BETTER_BY)
    if not good.any():
        return None
    best, new = _round(steps, int(np.where(good, f1, -1).argmax()), good)
    return _item("threshold", case, position, steps, best, new, before, float(f1[best]) - before[2])


def _trade(
    case: Case, position: int, steps: Steps, now: tuple[int, int, int], before: list[float]
) -> AdviceItem | None:
    """Suggest a threshold that clearly raises the lower of precision and recall while F1 stays about the same."""
    precision, recall, f1 = _along(steps)
    if abs(before[0] - before[1]) < UNEVEN:
        return None
    low = precision if before[0] < before[1] else recall
    won = low - min(before[:2])
    fewer = now[1] - (steps.accepted - steps.hits) if before[0] < before[1] else steps.hits - now[0]
    evener = np.minimum(precision, recall) >= min(before[:2])
    good = (won >= TRADED) & evener & (f1 >= before[2] - TRADE_COST) & (fewer >= BETTER_BY)
    if not good.any():
        return None
    best, new = _round(steps, int(np.lexsort((won, np.where(good, f1, -1)))[-1]), good)
    return _item("trade_off", case, position, steps, best, new, before, TRADE_WEIGHT * float(won[best]))


def _item(
    kind: str, case: Case, position: int, steps: Steps, best: int, new: float, before: list[float], gain: float
) -> AdviceItem:
    label, old = case.labels[position], float(case.applied.thresholds[position])
    after = (float(metric[best]) for metric in _along(steps))
    changes = [
        f"{name} {'rises' if b > a else 'falls'} from {a:.2f} to {b:.2f}"
        for name, a, b in zip(("precision", "recall", "F1"), before, after, strict=True)
        if f"{a:.2f}" != f"{b:.2f}"
    ]
    move = "Raise" if new > old else "Lower"
    when = ""
    if kind == "trade_off":
        when = " if false positives are worse than misses" if new > old else " if misses are worse than false positives"
    text = f"{move} the threshold of {label}{when}: at {new:.12g} instead of {old:.2g}, {listed(changes)}."
    images = _changed(case, position, old, new)
    weight = gain / max(int(case.outcomes.in_test_set.sum()), 1)
    return AdviceItem(kind, text, (label,), images, case.use_thresholds({label: new}), weight)


def _changed(case: Case, position: int, old: float, new: float) -> pd.DataFrame:
    """List the predictions accepted at only one of the two thresholds, with those that get worse at the end."""
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
    return table.astype({"image": TEXT, "label": TEXT, "becomes": TEXT})


def _round(steps: Steps, best: int, good: BoolArray) -> tuple[int, float]:
    """Find the threshold with the fewest digits that is about as good as step ``best``, and the step it falls in."""
    f1 = _along(steps)[2]
    good = good & (f1 >= f1[best] - ROUNDING)
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


# -- imprecise boxes, and box sizes that are missed ----------------------------------------------------------
#: Minimum number of imprecise boxes, and their minimum share of a label's boxes. Fewer can be due to careless drawing.
MISPLACED_TIMES, MISPLACED_SHARE = 3, 0.1
#: Minimum IoU of an imprecise box. Below this, the box is considered a different object.
MISPLACED_IOU = 0.2
#: Minimum number of missed boxes of a size, minimum difference in recall to the other sizes, and minimum number of
#: boxes in both groups, so that the difference is not due to chance.
SIZE_MISSED, SIZE_GAP, SIZE_BOXES = 3, 0.2, 5
_IN_WORDS = {
    "small": "under 32 × 32 pixels", "medium": "32 × 32 to 96 × 96 pixels", "large": "96 × 96 pixels or more"
}  # fmt: skip


def misplaced_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Suggest checking labels that are found, but whose boxes have too low an IoU with the true boxes."""
    needed = getattr(case.outcomes, "iou_threshold", IOU_THRESHOLD)
    misplaced = mistakes.misplaced
    if misplaced.empty:
        return
    missed = pd.MultiIndex.from_frame(case.misses[["image", "label"]])
    lacking = pd.MultiIndex.from_frame(misplaced[["image", "predicted"]]).isin(missed)  # otherwise it is a duplicate
    misplaced = misplaced[lacking & misplaced["iou"].between(MISPLACED_IOU, needed, inclusive="left")]
    targets = misplaced["predicted"].map(dict(zip(case.labels, case.outcomes.targets.tolist(), strict=True)))
    targets = targets.astype("float64")  # of no row, they are text
    times = misplaced.groupby("predicted")["predicted"].transform("size")
    misplaced = misplaced[(times >= MISPLACED_TIMES) & (times >= MISPLACED_SHARE * targets)]
    if misplaced.empty:
        return
    labels = tuple(misplaced["predicted"].value_counts().index)
    which = listed(labels) + (" is found, but its" if len(labels) == 1 else " are found, but their")
    text = (
        f"{which} {case.shapes} are imprecise {len(misplaced):,} times: their IoU with the true {case.shapes} is "
        f"{misplaced['iou'].mean():.2f} on average, and {needed:g} is required. Check that all {case.shapes} are "
        "drawn tightly and consistently, in the training and test images."
    )
    by = case.each(misplaced["predicted"])
    images = misplaced.sort_values("iou", kind="stable", ignore_index=True)
    yield AdviceItem("misplaced", text, labels, images, case.look(images), case.gain(tp=by, fp=-by, fn=-by))


def size_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest improvements for box sizes that are missed more often than other sizes."""
    matched, missed = _sizes_of(case.hits), _sizes_of(case.misses)
    for size, extent in _IN_WORDS.items():
        lacking, here = int((missed == size).sum()), int((matched == size).sum())
        targets = lacking + here
        others = len(matched) + len(missed) - targets
        if lacking < SIZE_MISSED or targets < SIZE_BOXES or others < SIZE_BOXES:
            continue
        recall, elsewhere = here / targets, (len(matched) - here) / others
        if elsewhere - recall < SIZE_GAP:
            continue
        rows = case.misses[(missed == size).to_numpy()]
        text = (
            f"{size.capitalize()} {case.shapes} ({extent}) are often missed: {here:,} of {targets:,} are found, "
            f"compared with {len(matched) - here:,} of {others:,} of other sizes. Add training images with such "
            f"{case.shapes}, or add images with more of them."
        )
        labels = tuple(label for label in case.labels if label in set(rows["label"]))
        truth = {"left": "truth_left", "top": "truth_top", "width": "truth_width", "height": "truth_height"}
        images = rows[["image", "label", "confidence"]].assign(**{name: rows[of] for name, of in truth.items()})
        by = np.floor(case.each(rows["label"]) * (elsewhere - recall) / max(1 - recall, 1e-9)).astype(np.int64)
        yield AdviceItem(
            "box_size", text, labels, images.reset_index(drop=True), case.look(images), case.gain(tp=by, fn=-by)
        )


def _sizes_of(rows: pd.DataFrame) -> pd.Series:
    area = rows["truth_width"] * rows["truth_height"]
    names, edges = np.array(list(BOX_SIZES), dtype=object), list(BOX_SIZES.values())[1:]
    return pd.Series(names[np.digitize(area, edges)], index=rows.index)


# -- slices of the test images ---------------------------------------------------------------------------
#: Minimum difference in F1 between a slice and the other images.
SLICE_GAP = 0.05
MOST_NAME = 40  # characters of a slice or of its column


def slice_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest improvements for slices whose F1 is lower than that of the other images beyond chance."""
    slices = [(column, *part) for column, parts in sliced(case.images).items() for part in parts.items()]
    marks = beyond_chance(case.applied, [positions for _, _, positions in slices])
    counts = case.applied.image_counts()
    f1s = [mean_f1(sum_counts(counts, positions)) for _, _, positions in slices]
    for (column, name, positions), mark, f1 in zip(slices, marks, f1s, strict=True):
        if mark != LOWER:
            continue
        here = sum_counts(counts, positions)
        there = np.asarray(counts.sum(axis=0)).reshape(3, -1) - here
        if mean_f1(there) - f1 < SLICE_GAP:
            continue
        others = [
            of_other
            for (of, _, part), differs, of_other in zip(slices, marks, f1s, strict=True)
            if of == column and not differs and len(part) >= LEAST_OF_A_SLICE
        ] or [mean_f1(there)]
        low, high = f"{min(others):.2f}", f"{max(others):.2f}"
        text = (
            f"{_short(column)} {_short(name)}: F1 {f1:.2f}, others {low if low == high else f'{low} to {high}'}. This "
            f"difference is larger than chance explains ({len(positions):,} of "
            f"{counted(len(case.images), 'test image')}). Look at these images for what sets them apart, and add "
            "training images like them."
        )
        rows = case.per_image[case.per_image["image"].isin(case.outcomes.images[positions])]
        right = (rows["result"] == TRUE_POSITIVE).to_numpy()
        order = np.lexsort((-rows["confidence"].to_numpy(), right))
        images = rows.iloc[order][["image", "label", "confidence", "result"]].reset_index(drop=True)
        share = max(0.0, 1 - _wrong(there) / max(_wrong(here), 1e-9))
        found, rejected = (np.floor(share * here[row]) for row in (2, 1))
        gain = case.gain(tp=found, fp=-rejected, fn=-found)
        yield AdviceItem("slice", text, (), images, case.look(images), gain)


def _short(name: str) -> str:
    """Return the name of a slice or its column in one line of at most 40 characters."""
    name = one_line(name)
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"


def _wrong(counts: IntArray) -> float:
    """Return the share of mistakes in labels and predictions, 1 - F1 of all labels together."""
    return 1 - float(ratios(*counts.sum(axis=1))[2])


# -- labels whose images differ in appearance ----------------------------------------------------------------
#: Minimum number of images of a label, and of each group of similar images.
LEAST_IMAGES, LEAST_OF_AN_APPEARANCE = 10, 4
#: Minimum separation of the two groups (mean silhouette score).
APART = 0.15
#: Minimum difference in recall between the groups, and maximum p-value (Fisher's exact test).
RECALL_GAP, CHANCE = 0.3, 0.01


def appearance_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest improvements for labels with two visually distinct groups of images, one of which is often missed."""
    if case.features is None or case.is_drawn:
        return
    for position, label in enumerate(case.labels):
        if case.counts[2][position] >= LEAST_OF_AN_APPEARANCE * RECALL_GAP:
            item = _two_appearances(case, label, case.features)
            if item is not None:
                yield item


def _two_appearances(case: Case, label: str, features: FloatArray) -> AdviceItem | None:
    from scipy.stats import fisher_exact

    rows = pd.concat([case.hits.assign(found=True), case.misses.assign(found=False)])
    rows = rows.loc[rows["label"] == label, ["image", "label", "confidence", "found"]]
    vectors = features[pd.Index(case.outcomes.images).get_indexer(rows["image"])]
    readable = np.isfinite(vectors).all(axis=1)
    rows, vectors = rows[readable], vectors[readable]
    if len(rows) < LEAST_IMAGES:
        return None
    group = _halves(vectors)
    if group is None:
        return None
    is_found = rows["found"].to_numpy(dtype=bool)
    recall = [float(is_found[group == which].mean()) for which in (0, 1)]
    worse = int(recall[1] < recall[0])
    sizes = [int((group == which).sum()) for which in (worse, 1 - worse)]
    hits = [int(is_found[group == which].sum()) for which in (worse, 1 - worse)]
    missed = [size - hit for size, hit in zip(sizes, hits, strict=True)]
    if recall[1 - worse] - recall[worse] < RECALL_GAP or fisher_exact([hits, missed]).pvalue > CHANCE:
        return None
    text = (
        f"The images of {label} seem to fall into two groups: {hits[0]:,} of the {sizes[0]:,} images in one group are "
        f"found, but {hits[1]:,} of the other {sizes[1]:,}. Add training images like the former, or give them their "
        "own label."
    )
    images = rows[group == worse].sort_values(["found", "confidence"], kind="stable", ignore_index=True)
    by = case.each([label] * round(sizes[0] * (recall[1 - worse] - recall[worse])))
    return AdviceItem("several_appearances", text, (label,), images, case.look(images), case.gain(tp=by, fn=-by))


def _halves(vectors: FloatArray) -> npt.NDArray[np.int64] | None:
    """Assign each row to one of two clusters, shape (rows,), or return None if they are not clearly separated."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    if len(np.unique(unit, axis=0)) < 2:
        return None
    group: npt.NDArray[np.int64] = KMeans(2, n_init=10, random_state=0).fit_predict(unit).astype(np.int64)
    sizes = np.bincount(group, minlength=2)
    if sizes.min() < LEAST_OF_AN_APPEARANCE or float(silhouette_score(unit, group)) < APART:
        return None
    return group


def checked_features(
    features: Mapping[str, npt.ArrayLike] | pd.DataFrame | npt.ArrayLike | None, outcomes: Outcomes
) -> FloatArray | None:
    """Return the features (a dict, an indexed table or rows in order) by test image, (n, d), NaN where missing."""
    if features is None:
        return None
    number = len(outcomes.images)
    try:
        if isinstance(features, Mapping):
            rows = {image: np.asarray(row, dtype=np.float64).ravel() for image, row in features.items()}
            features = pd.DataFrame.from_dict(rows, orient="index")
        if isinstance(features, pd.DataFrame):
            features = features[~features.index.duplicated()].reindex(list(outcomes.images))
        checked = np.asarray(features, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"features cannot be read as numbers: {error}.") from error
    if checked.ndim != 2 or len(checked) != number or not checked.shape[1]:
        raise InputError(
            f"features has the shape {checked.shape}. Pass one row for each of the {number} test images, in the order "
            "of the images table, or a dict that maps each image to its features."
        )
    return checked


# -- rare labels, few test images, overconfidence ------------------------------------------------------------
#: Same limits as in ``project.check()``: with fewer training images the model is unreliable, and with fewer test images
#: the metrics are unreliable.
FEW_TRAINING_IMAGES, FEW_TEST_IMAGES = 10, 3
#: Labels with this F1 need no more training images.
GOOD_F1 = 0.9
#: A confidence interval of F1 this wide cannot distinguish a good model from a mediocre one.
WIDE = 0.2
#: With this many test images and no mistakes, up to 5% of predictions on new images may be wrong (the rule of three).
FLAWLESS = 60
#: Minimum gap between mean confidence and share of correct predictions, minimum number of predictions, and minimum gap
#: in standard errors.
OVER_CONFIDENT, LEAST_PREDICTIONS, ERRORS_OFF = 0.1, 30, 3.0
#: Weights of suggestions without a gain of their own, lower than the weight of one mistake in a hundred.
_WIDTH_WEIGHT, _CONFIDENCE_WEIGHT, _RARE_WEIGHT = 0.02, 0.01, 0.01


def never_found_advice(case: Case, mistakes: Mistakes) -> Iterator[AdviceItem]:
    """Suggest improvements for labels in the test set that have no true positive, unless all are confusions."""
    tp, _, _ = case.counts
    tested, often = case.outcomes.in_test_set, _often_taken(case, mistakes)
    taken = case.each([truth for (truth, _), number in often.items() for _ in range(number)])
    for known in (False, True):
        unfound = np.flatnonzero(tested & (tp == 0) & (case.outcomes.known == known) & (taken < case.outcomes.targets))
        if not unfound.size:
            continue
        labels = tuple(case.labels[position] for position in unfound)
        images = _images_with(case, labels)
        several = len(labels) > 1
        if known and several and not tp.any():
            text = (
                f"{listed(labels)} are never found. The model was probably trained too briefly: train it with a longer "
                "budget. If it was not, check whether its labels mean the same as those of the test images."
            )
            call = case.look(images)
        elif known:
            text = (
                f"{listed(labels)} {'are' if several else 'is'} never found. Check whether these images are labelled "
                "correctly, and add training images that look like them."
            )
            call = case.look(images)
        else:
            text = (
                f"The model does not predict {listed(labels)}, but test images have {'them' if several else 'it'}. Add "
                f"training images with {'them' if several else 'it'} and train again."
            )
            call = case.add(labels[0], images)
        others = case.per_label["f1"].to_numpy()[tested & (tp > 0)]
        gain = len(labels) / int(tested.sum()) * (float(others.mean()) if others.size else 1.0)
        yield AdviceItem("never_found", text, labels, images, call, gain)


def rare_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest adding images for labels with too few training or test images."""
    if case.training is not None:
        yield from _few_training_images(case, case.training)
    few = np.flatnonzero(case.outcomes.test_images < FEW_TEST_IMAGES)
    if few.size:
        labels = tuple(case.labels[position] for position in few)
        numbers = case.outcomes.test_images[few]
        number = "no test image" if not numbers.any() else f"fewer than {FEW_TEST_IMAGES} test images"
        have, their, them = ("has", "its", "it") if len(labels) == 1 else ("have", "their", "them")
        text = (
            f"{listed(labels)} {have} {number}, so {their} metrics are unreliable. Add more of {them} to the test set."
        )
        weight = _RARE_WEIGHT * len(labels) / len(case.labels)
        images = _images_with(case, labels)
        yield AdviceItem("rare", text, labels, images, case.add(labels[0], images, "test"), weight)


def _few_training_images(case: Case, training: Mapping[str, int]) -> Iterator[AdviceItem]:
    f1 = case.per_label["f1"].to_numpy()
    tested = case.outcomes.in_test_set
    for position, label in enumerate(case.labels):
        number = int(training.get(label, 0))
        if number >= FEW_TRAINING_IMAGES or not tested[position] or f1[position] >= GOOD_F1 or not number:
            continue
        text = (
            f"{label} has only {counted(number, 'training image')} and an F1 of {f1[position]:.2f}. "
            f"Add images until it has at least {FEW_TRAINING_IMAGES}."
        )
        images = _images_with(case, (label,))
        weight = (GOOD_F1 - float(f1[position])) / 2 / int(tested.sum())  # half of the missing F1
        yield AdviceItem("rare", text, (label,), images, case.add(label, images), weight)


def interval_advice(case: Case) -> Iterator[AdviceItem]:
    """Suggest more test images if the confidence interval of F1 is too wide to be informative."""
    summary = case.summary.set_index("metric")
    low, high = float(summary.loc["f1", "low"]), float(summary.loc["f1", "high"])
    number = len(case.outcomes.images)
    images = counted(number, "test image")
    if high - low >= WIDE:
        wanted = int(np.ceil(number * ((high - low) / (WIDE / 2)) ** 2 / 10) * 10)  # width ~ 1 / sqrt(number)
        text = (
            f"The 95% confidence interval of F1 is {low:.2f} to {high:.2f}, because there are only {images}. With "
            f"about {wanted:,}, it would be only {WIDE / 2:.1f} wide."
        )
    elif case.counts[0].any() and not (case.counts[1].any() or case.counts[2].any()) and number < FLAWLESS:
        text = (
            f"The model made no mistakes on {images}, but with so few, it could still be wrong on up to "
            f"{min(99, round(300 / number))}% of new images. Add test images: with {FLAWLESS}, this limit would be "
            f"{round(300 / FLAWLESS)}%."
        )
        low, high = 0.0, WIDE
    else:
        return
    call = case.code(f'{case.project}.add_images({NEW!r}, split="test")') if case.project else ""
    weight = _WIDTH_WEIGHT * (high - low)
    yield AdviceItem("few_test_images", text, (), pd.DataFrame({"image": []}, dtype=TEXT), call, weight)


def confidence_advice(case: Case) -> Iterator[AdviceItem]:
    """Warn if confidences are higher than the share of correct predictions."""
    confidence, right = _answers(case)
    if len(confidence) < LEAST_PREDICTIONS or case.outcomes.all_certain:  # certain: answers without confidences
        return
    gap = float(confidence.mean() - right.mean())
    error = float(np.sqrt((confidence * (1 - confidence)).sum())) / len(confidence)
    if gap < OVER_CONFIDENT or gap < ERRORS_OFF * error:
        return
    text = (
        f"Confidences are too high: the average confidence is {confidence.mean():.2f}, but only a share of "
        f"{right.mean():.2f} of the predictions is right. Do not interpret confidences as probabilities."
        f"{'' if case.applied.most_confident else ' Choose thresholds from the curves.'}"
    )
    worst = case.alarms.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
    images = worst[["image", "label", "confidence"]]
    call = case.code(f"{case.model}.evaluate().plot_curves()") if case.split else case.look(images)
    yield AdviceItem("over_confident", text, (), images, call, _CONFIDENCE_WEIGHT * gap)


def _answers(case: Case) -> tuple[FloatArray, BoolArray]:
    """Return the confidence and correctness of each image's answer (single-label) or of each accepted prediction."""
    if isinstance(case.outcomes, Scores) and case.single_label:
        true, predicted = case.outcomes.true_label, case.applied.answer()
        positions = np.flatnonzero((true >= 0) & (predicted >= 0))
        return case.outcomes.confidence[positions, predicted[positions]], true[positions] == predicted[positions]
    answers = pd.concat([case.hits.assign(right=True), case.alarms.assign(right=False)])
    return answers["confidence"].to_numpy(dtype=np.float64), answers["right"].to_numpy(dtype=bool)


def _images_with(case: Case, labels: tuple[str, ...]) -> pd.DataFrame:
    """List the test images with the given labels, lowest confidence first."""
    rows = pd.concat([case.misses, case.hits])
    rows = rows[rows["label"].isin(labels)][["image", "label", "confidence"]]
    return rows.sort_values("confidence", kind="stable").drop_duplicates(["image", "label"], ignore_index=True)
