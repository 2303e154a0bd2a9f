"""Which images one evaluation gets right and another wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.evaluation.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, SINGLE_LABEL, TRUE_POSITIVE, Outcomes
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholded import Thresholded

_KEYS = ["image", "label"]


@dataclass(frozen=True, eq=False)
class ComparedSide:
    """One of the two evaluations, on the images that are compared.

    Attributes
    ----------
    applied : Thresholded
    rows : DataFrame
        Its table of images, with the names of images that the former evaluation has.
    """

    applied: Thresholded
    rows: pd.DataFrame

    @classmethod
    def of(cls, applied: Thresholded, names: npt.NDArray[np.object_]) -> ComparedSide:
        """``names`` are those that the images get, in their order."""
        rows = applied.per_image()
        at = pd.Index(applied.outcomes.images).get_indexer(pd.Index(rows["image"].to_numpy(dtype=object)))
        return cls(applied, rows.assign(image=pd.array(names[at], dtype="str")))

    @property
    def outcomes(self) -> Outcomes:
        """Truth and predictions."""
        return self.applied.outcomes

    def numbers(self, *results: str) -> pd.Series:
        """How many rows of the table have one of the results, by image and label."""
        return self.rows[self.rows["result"].isin(results)].groupby(_KEYS).size()


def changed_images(before: ComparedSide, after: ComparedSide) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was wrong before and isn't after, and the reverse; the images of both are in one order.

    Of one label an image what counts is its most confident label, as in the confusion matrix; of images without label,
    and of several labels or boxes, whether there are fewer mistakes about a label at the thresholds.
    """
    one, other = before.outcomes, after.outcomes
    if isinstance(one, Scores) and isinstance(other, Scores) and one.task == SINGLE_LABEL:
        return _other_answers(one, other)
    table = _mistakes(before, after)
    if isinstance(one, Scores) and isinstance(other, Scores):
        table = table.assign(
            confidence_before=_confidences(one, table["at"], table["label"]),
            confidence_after=_confidences(other, table["at"], table["label"]),
        )
    wrong = table["wrong_after"] - table["wrong_before"]
    order = table.assign(by=wrong.abs()).sort_values("by", ascending=False, kind="stable").index
    if "confidence_after" in table.columns:
        order = table.sort_values("confidence_after", ascending=False, kind="stable").index
    table, wrong = table.loc[order], wrong.loc[order]
    shown = table.drop(columns=["at", "wrong_before", "wrong_after"])
    return shown[wrong < 0].reset_index(drop=True), shown[wrong > 0].reset_index(drop=True)


def changed_truth(before: ComparedSide, after: ComparedSide) -> pd.DataFrame:
    """``image``, ``label``: what has another number in the truth of the other one."""
    numbers = [side.numbers(FALSE_NEGATIVE, TRUE_POSITIVE) for side in (before, after)]
    both = pd.concat(numbers, axis=1).fillna(0)
    differ = both[both.iloc[:, 0] != both.iloc[:, 1]]
    return differ.index.to_frame(index=False).astype("str")


def _other_answers(one: Scores, other: Scores) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of one label an image: its answers, by the most confident label."""
    parts = []
    for scores in (one, other):
        true, said, at = scores.true_label(), scores.predicted_label(), np.arange(len(scores.images))
        names = np.array([*scores.labels, None], dtype=object)
        confidence = np.where(said >= 0, scores.confidence[at, said], np.nan)
        parts.append((names[true], names[said], confidence, (true >= 0) & (true == said)))
    labelled = (one.truth.any(axis=1)) & (other.truth.any(axis=1))
    table = pd.DataFrame(
        {
            "image": one.images,
            "label": parts[1][0],
            "before": parts[0][1],
            "after": parts[1][1],
            "confidence_before": parts[0][2],
            "confidence_after": parts[1][2],
        }
    ).astype(dict.fromkeys(("image", "label", "before", "after"), "str"))
    order = np.argsort(-table["confidence_after"].fillna(-1).to_numpy(), kind="stable")
    right = [part[3] for part in parts]
    fixed, broken = labelled & ~right[0] & right[1], labelled & right[0] & ~right[1]
    return (
        table.iloc[order[fixed[order]]].reset_index(drop=True),
        table.iloc[order[broken[order]]].reset_index(drop=True),
    )


def _mistakes(before: ComparedSide, after: ComparedSide) -> pd.DataFrame:
    """One row for each label of an image about which there are mistakes, with their numbers and in words."""
    columns = {}
    for when, side in (("before", before), ("after", after)):
        columns[f"missed_{when}"] = side.numbers(FALSE_NEGATIVE)
        columns[f"false_{when}"] = side.numbers(FALSE_POSITIVE)
    table = pd.DataFrame(columns).fillna(0).astype("int64").rename_axis(_KEYS).reset_index()
    table["at"] = pd.Index(before.outcomes.images).get_indexer(table["image"].astype("object"))
    table = table.sort_values(["at", "label"], kind="stable", ignore_index=True)
    several = not isinstance(before.outcomes, Scores)
    words = {
        when: [
            _in_words(missed, false, several)
            for missed, false in zip(table[f"missed_{when}"], table[f"false_{when}"], strict=True)
        ]
        for when in ("before", "after")
    }
    return pd.DataFrame(
        {
            "image": table["image"],
            "label": table["label"],
            "before": pd.Series(words["before"], dtype="str"),
            "after": pd.Series(words["after"], dtype="str"),
            "at": table["at"],
            "wrong_before": table["missed_before"] + table["false_before"],
            "wrong_after": table["missed_after"] + table["false_after"],
        }
    ).astype({"image": "str", "label": "str"})


def _in_words(missed: int, false: int, several: bool) -> str:
    if not missed and not false:
        return "right"
    if not several:
        return "missed" if missed else "false alarm"
    alarms = f"{false} false alarm{'' if false == 1 else 's'}"
    return ", ".join(part for part, number in ((f"{missed} missed", missed), (alarms, false)) if number)


def _confidences(scores: Scores, at: pd.Series, label: pd.Series) -> list[float]:
    """The confidence of a label for an image; null for one that the predictions don't have."""
    column = pd.Index(scores.labels).get_indexer(label.astype("object"))
    found = np.where((column >= 0) & scores.given[at, column], scores.confidence[at, column], np.nan)
    return [float(value) for value in found]
