"""Compare two evaluations on the same test images, with a paired bootstrap for significance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import hstack

from customlabels_nb._utils.arguments import check_random_state
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, printable
from customlabels_nb.core.tables import DRAWN_TASKS, SINGLE_LABEL, TEXT
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.bootstrap import RESAMPLES, middle_95, resampled_sums
from customlabels_nb.evaluation.metrics import (
    COUNTED,
    counted_rows,
    overall_metrics,
    per_label_table,
    resampled_metrics,
    row_of,
)
from customlabels_nb.evaluation.outcome_tables import differing_truth, judged_by, predictions_of, tables_of
from customlabels_nb.evaluation.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, Outcomes
from customlabels_nb.evaluation.result import Evaluation, decided_as
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.thresholded import Thresholded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from customlabels_nb._utils.plotting.style import Theme


_SAME = "The predictions are the same."
_NAMED = 5
#: Maximum number of labels in a sentence, and of images in a list.
NAMED, LISTED = 4, 10
METRICS = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "mean_threshold": "mean threshold",
    "mean_average_precision": "mean average precision",
    "mean_average_recall": "mean average recall",
    "coco_map": "COCO mAP",
    "accuracy": "accuracy",
    **{f"{how}_{of}": f"{how} {of.replace('f1', 'F1')}" for how in ("micro", "weighted") for of in COUNTED[:3]},
    "roc_auc": "area under ROC curves",
    "kappa": "Cohen's kappa",
    "mcc": "Matthews' correlation",
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of two evaluations, before and after a change.

    Attributes
    ----------
    summary : DataFrame
        One row per metric: ``metric``, the metric's name, ``before``, ``after``, ``delta`` (after minus before), and
        the bounds ``low``, ``high`` of the delta's 95% confidence interval (NaN without an interval).
    per_label : DataFrame
        As ``summary``, but with the F1 of each label: ``label``, ``before``, ``after``, ``delta``, ``low``, ``high``,
        ``test_images``. NaN if either evaluation lacks the label, or no test image has it.
    fixed, broken : DataFrame
        Labels or boxes that were wrong before and are correct after, and the reverse: ``image``, ``label`` (the true
        label of single-label images, otherwise the label that changed), ``before``, ``after`` (the predicted label, or
        a description of the mistake) and, for classifiers, ``confidence_before``, ``confidence_after``.
    truth_changed : DataFrame
        ``image`` and ``label`` of the image/label pairs whose ground truth has changed: since the older version was
        trained, or between the evaluations. Both are judged by the same ground truth, today's or that of ``after``.
    labels : DataFrame
        Labels of both evaluations: ``label``, ``color``, ``in_before``, ``in_after``.
    test_images : int
        Number of images compared.
    names : tuple of two str
        Names of the two evaluations.
    task : str
        Task of both evaluations.
    notes : tuple of str
        Human-readable notes on how to interpret the comparison.
    same_predictions : bool
        True if both have the same predictions, with the same confidences, and decide in the same way.
    """

    summary: pd.DataFrame
    per_label: pd.DataFrame
    fixed: pd.DataFrame
    broken: pd.DataFrame
    truth_changed: pd.DataFrame
    labels: pd.DataFrame
    test_images: int
    names: tuple[str, str]
    task: str
    notes: tuple[str, ...]
    same_predictions: bool = False
    _about_truth: str = ""

    def metric(self, name: str) -> pd.Series:
        """Return the summary row of one metric.

        Raises
        ------
        InputError
            If the summary does not have the metric. The message names the nearest one.

        Examples
        --------
        >>> before = cl.evaluate(truth, predictions)
        >>> after = cl.evaluate(truth, truth.assign(confidence=0.9))
        >>> float(after.compare(baseline=before).metric("accuracy")["delta"])
        0.25
        """
        return row_of(name, self.summary, self.task)

    @property
    def sentences(self) -> list[str]:
        """Summary in sentences: change in F1, images fixed and broken, and labels that improved or got worse.

        The last one counts the images whose ground truth has changed, if there are any.
        """
        truth = [self._about_truth] if self._about_truth else []
        if self.same_predictions:
            return [_SAME, _of_f1(self.metric("f1")), *truth]
        labels = _of_labels(self.per_label)
        if not labels and len(self.fixed) + len(self.broken):
            labels = ["No label changed significantly."]
        noun = "image" if self.task == SINGLE_LABEL else "label"
        return [_of_f1(self.metric("f1")), _of_images(self.fixed, self.broken, noun), *labels, *truth]

    def plot(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """Draw the change in F1 of each label. See :func:`customlabels_nb.evaluation.plots.comparison.plot_comparison`.

        Examples
        --------
        >>> before = cl.evaluate(truth, predictions)
        >>> after = cl.evaluate(truth, truth.assign(confidence=0.9))
        >>> ax = after.compare(baseline=before).plot()
        >>> ax.get_xlabel()
        'change in F1 with 95% confidence interval'
        """
        from customlabels_nb.evaluation.plots.comparison import plot_comparison

        return plot_comparison(self.per_label, ax, names=self.names, theme=theme)

    def _shown_summary(self) -> pd.DataFrame:
        """Return the summary with names of metrics as shown, without the threshold if none applies."""
        summary = self.summary.dropna(subset=["before", "after"], how="all")
        return summary.assign(metric=[METRICS.get(name, name) for name in summary["metric"]])

    def __repr__(self) -> str:
        summary = self._shown_summary()
        labels = self.per_label.dropna(subset="delta").sort_values("delta", ascending=False, kind="stable")
        parts = [
            f"{self.names[0]} → {self.names[1]}, {counted(self.test_images, 'test image')}",
            "\n".join(self.sentences),
        ]
        for table in (summary, labels):
            if len(table):
                shown = table.to_string(
                    index=False, max_rows=40, max_colwidth=40, na_rep="", float_format="{:.3f}".format, justify="right"
                )
                parts.append(shown)
        if self.notes:
            parts.append("\n".join(self.notes))
        return printable("\n\n".join(parts))

    def _repr_html_(self) -> str:
        summary = self._shown_summary()
        labels = self.per_label.sort_values("delta", ascending=False, kind="stable", na_position="last")
        labels["color"] = labels["label"].map(self.labels.set_index("label")["color"])
        changes = (("fixed", self.fixed), ("broken", self.broken))
        return render(
            "comparison.html",
            names=self.names,
            images=counted(self.test_images, "test image"),
            sentences=self.sentences,
            summary=summary.to_dict("records"),
            per_label=labels.to_dict("records"),
            changes=[(title, table.head(LISTED).to_dict("records"), len(table)) for title, table in changes],
            notes_below=self.notes,
            signed=signed,
            certain=certain,
        )


def compare(
    before: Evaluation,
    after: Evaluation,
    *,
    common: bool = False,
    names: tuple[str, str] = ("before", "after"),
    random_state: int = 0,
    resamples: int = RESAMPLES,
    truth_changed: pd.DataFrame | None = None,
) -> Comparison:
    """Compare two evaluations on the same test images, by the same ground truth.

    Where their ground truth differs, ``before`` is evaluated again by that of ``after``. ``truth_changed`` has the
    pairs that changed since the older of two versions was trained, both of which are evaluated by today's truth.
    Both are evaluated by the decision of ``before``. With thresholds by label, each keeps its own. Confidence intervals
    come from a paired bootstrap: images are resampled with replacement, the same ones for both evaluations, and the
    difference is computed for each resample. Images are matched by name or, if both images tables have a column
    ``sha256``, by content. With ``common``, only those that both share are compared. By default, different test images
    are an error.
    """
    random_state = check_random_state(random_state)
    check_alike(before, after)
    labels, after = _labels(before, after), decided_as(after, before)
    here, there = same_images(before, after, common=common)
    before, differing = _by_truth_of(after, before, there, here)
    whole = len(here) == len(before.outcomes.images) == len(after.outcomes.images)
    before_here, other = before.applied.only(here), after.applied.only(there)
    deltas, label_deltas = _intervals(before_here, other, random_state=random_state, resamples=resamples)
    tables = [e.per_label if whole else per_label_table(a) for e, a in ((before, before_here), (after, other))]
    sides = [ComparedSide.of(applied, before_here.outcomes.images) for applied in (before_here, other)]
    fixed, broken = changed_images(*sides)
    changed = differing if truth_changed is None else truth_changed
    return Comparison(
        summary=_summary(before_here, other, tables, deltas),
        per_label=_per_label(labels, tables, label_deltas),
        fixed=fixed,
        broken=broken,
        truth_changed=changed,
        labels=labels,
        test_images=len(here),
        names=names,
        task=before.task,
        notes=tuple(_notes(before, after, labels, len(here), names)),
        same_predictions=_predict_the_same(before_here, other),
        _about_truth=about_versions(changed) if truth_changed is not None else _about_reports(changed, names[1]),
    )


def _by_truth_of(
    after: Evaluation, before: Evaluation, there: IntArray, here: IntArray
) -> tuple[Evaluation, pd.DataFrame]:
    """Return ``before`` judged by the truth of ``after`` on the images of both, and the pairs that differed."""
    names = dict(zip(after.outcomes.images[there], before.outcomes.images[here], strict=True))
    truths = [tables_of(evaluation.outcomes)[0] for evaluation in (before, after)]
    truths[1] = truths[1].assign(image=truths[1]["image"].map(names)).dropna(subset="image")
    truths[0] = truths[0][truths[0]["image"].isin(names.values())]
    differing = differing_truth(before.task, *truths)
    if differing.empty:
        return before, differing
    return judged_by(before, truths[1], set(names.values())), differing


def about_inputs(comparison: Comparison) -> str:
    """Return the sentences about predictions and ground truth, without those about metrics."""
    return " ".join([*[_SAME] * comparison.same_predictions, comparison._about_truth]).strip()


def check_alike(before: Evaluation, after: Evaluation) -> None:
    if before.task != after.task:
        boxes = " Evaluate both by their boxes: cl.evaluate(truth, predictions, task='boxes')."
        raise InputError(
            f"The task of one evaluation is {before.task!r}, of the other {after.task!r}. They cannot be compared."
            f"{boxes if {before.task, after.task} <= set(DRAWN_TASKS) else ''}"
        )
    iou_thresholds = [getattr(evaluation.outcomes, "iou_threshold", None) for evaluation in (before, after)]
    if iou_thresholds[0] != iou_thresholds[1]:
        raise InputError(
            f"The evaluations use different IoU thresholds, {iou_thresholds[0]} and {iou_thresholds[1]}. Evaluate both "
            "with the same iou_threshold."
        )


def same_images(before: Evaluation, after: Evaluation, *, common: bool) -> tuple[IntArray, IntArray]:
    """Return the positions in each evaluation of the images that both share, in the order of ``before``."""
    names = [pd.Index(evaluation.outcomes.images) for evaluation in (before, after)]
    matches = names[1].get_indexer(names[0]).astype(np.int64)
    tables = (evaluation.images.reset_index(drop=True) for evaluation in (before, after))
    contents = [table.get("sha256", pd.Series(None, index=table.index)).astype("object") for table in tables]
    free = ~np.isin(np.arange(len(names[1])), matches)
    by_content = {
        str(contents[1][index]): index for index in np.flatnonzero(free & contents[1].notna().to_numpy())[::-1]
    }
    for index in np.flatnonzero((matches < 0) & contents[0].notna().to_numpy()).tolist():
        matches[index] = by_content.pop(str(contents[0][index]), -1)
    alone = [names[0][matches < 0].tolist(), names[1][~np.isin(np.arange(len(names[1])), matches)].tolist()]
    here = np.flatnonzero(matches >= 0)
    if not here.size:
        raise NotEnoughDataError("The two evaluations have no test images in common. Evaluate both on the same images.")
    if any(alone) and not common:
        parts = [
            f"{len(a):,} only {when} ({_some(a)})" for a, when in zip(alone, ("before", "after"), strict=True) if a
        ]
        raise InputError(
            f"The two evaluations have different test images: {' and '.join(parts)}. Pass common=True to compare the "
            f"{here.size:,} images they share."
        )
    return here.astype(np.int64), matches[here]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(repr(str(name)) for name in names[:_NAMED]) + more


def _intervals(
    first: Thresholded, other: Thresholded, *, random_state: int, resamples: int
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Compute 95% confidence intervals of the differences in each metric, and in F1 of each label that both have."""
    rows = [counted_rows(applied) for applied in (first, other)]
    width = rows[0].shape[1]
    labels = [applied.outcomes.labels for applied in (first, other)]
    both = [label for label in labels[0] if label in labels[1]]
    columns = [[names.index(label) for label in both] for names in labels]
    drawn: list[FloatArray] = []
    label_drawn: list[FloatArray] = []
    for sums in resampled_sums(hstack(rows, format="csr"), random_state=random_state, resamples=resamples):
        metric, label_f1 = zip(
            resampled_metrics(sums[:, :width], len(labels[0])),
            resampled_metrics(sums[:, width:], len(labels[1])),
            strict=True,
        )
        drawn.append(metric[1] - metric[0])
        label_drawn.append(label_f1[1][:, columns[1]] - label_f1[0][:, columns[0]])
    return _ends(list(COUNTED), np.concatenate(drawn)), _ends(both, np.concatenate(label_drawn))


def _ends(names: list[str], deltas: FloatArray) -> dict[str, tuple[float, float]]:
    low, high = middle_95(deltas)
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def _summary(
    first: Thresholded, other: Thresholded, tables: list[pd.DataFrame], deltas: dict[str, tuple[float, float]]
) -> pd.DataFrame:
    before, after = (overall_metrics(a, table) for a, table in zip((first, other), tables, strict=True))
    rows = [
        (name, value, after[name], after[name] - value, *deltas.get(name, (np.nan, np.nan)))
        for name, value in before.items()
    ]
    return pd.DataFrame(rows, columns=["metric", "before", "after", "delta", "low", "high"]).astype({"metric": TEXT})


def _per_label(
    labels: pd.DataFrame, tables: list[pd.DataFrame], deltas: dict[str, tuple[float, float]]
) -> pd.DataFrame:
    by_label = [table.set_index("label").reindex(labels["label"]) for table in tables]
    tested = [table["test_images"].fillna(0).to_numpy() for table in by_label]
    f1 = [np.where(number > 0, table["f1"], np.nan) for number, table in zip(tested, by_label, strict=True)]
    delta = f1[1] - f1[0]
    ends = np.array([deltas.get(label, (np.nan, np.nan)) for label in labels["label"]]).reshape(-1, 2)
    ends[np.isnan(delta)] = np.nan
    return pd.DataFrame(
        {
            "label": labels["label"].to_numpy(),
            "before": f1[0],
            "after": f1[1],
            "delta": delta,
            "low": ends[:, 0],
            "high": ends[:, 1],
            "test_images": np.maximum(*tested).astype(np.int64),
        }
    ).astype({"label": TEXT})


def _labels(before: Evaluation, after: Evaluation) -> pd.DataFrame:
    table = pd.concat([before.labels, after.labels]).drop_duplicates("label", ignore_index=True)
    inside: list[npt.NDArray[np.bool_]] = [
        table["label"].isin(evaluation.outcomes.labels).to_numpy() for evaluation in (before, after)
    ]
    return table.assign(in_before=inside[0], in_after=inside[1])


def _notes(
    before: Evaluation,
    after: Evaluation,
    labels: pd.DataFrame,
    compared: int,
    names: tuple[str, str],
) -> list[str]:
    notes = []
    for evaluation, name in zip((before, after), names, strict=True):
        ignored = len(evaluation.outcomes.images) - compared
        if ignored:
            are = counted(ignored, "test image is", "test images are")
            notes.append(f"{are} only in {name} and therefore ignored.")
    for column, name in (("in_after", names[0]), ("in_before", names[1])):
        alone = labels.loc[~labels[column], "label"].tolist()
        if alone:
            notes.append(f"Only {name} has the label{'' if len(alone) == 1 else 's'} {_some(alone)}.")
    return notes


_KEYS = ["image", "label"]


@dataclass(frozen=True, eq=False)
class ComparedSide:
    """One of two evaluations, restricted to the compared images, with the image names of the one before."""

    applied: Thresholded
    rows: pd.DataFrame

    @classmethod
    def of(cls, applied: Thresholded, names: npt.NDArray[np.object_]) -> ComparedSide:
        """Create a side, replacing the names of its images by ``names``, in the same order."""
        rows = applied.per_image()
        positions = pd.Index(applied.outcomes.images).get_indexer(pd.Index(rows["image"].to_numpy(dtype=object)))
        return cls(applied, rows.assign(image=pd.array(names[positions], dtype=TEXT)))

    @property
    def outcomes(self) -> Outcomes:
        return self.applied.outcomes

    def numbers(self, *results: str) -> pd.Series:
        """Count the rows with any of the given results by image and label."""
        return self.rows[self.rows["result"].isin(results)].groupby(_KEYS).size()


def changed_images(before: ComparedSide, after: ComparedSide) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the images or labels that were wrong before and are correct after, and the reverse.

    Both sides must have the same image order. For single-label tasks each image counts once, as in the confusion
    matrix. Otherwise, a label of an image is fixed if it has fewer false positives and misses than before.
    """
    first, other = before.outcomes, after.outcomes
    if isinstance(first, Scores) and isinstance(other, Scores) and first.task == SINGLE_LABEL:
        return _other_answers((first, before.applied.answer()), (other, after.applied.answer()))
    table = _mistakes(before, after)
    if isinstance(first, Scores) and isinstance(other, Scores):
        table = table.assign(
            confidence_before=_confidences(first, table["at"], table["label"]),
            confidence_after=_confidences(other, table["at"], table["label"]),
        )
    wrong = table["wrong_after"] - table["wrong_before"]
    order = table.assign(by=wrong.abs()).sort_values("by", ascending=False, kind="stable").index
    if "confidence_after" in table.columns:
        order = table.sort_values("confidence_after", ascending=False, kind="stable").index
    table, wrong = table.loc[order], wrong.loc[order]
    shown = table.drop(columns=["at", "wrong_before", "wrong_after"])
    return shown[wrong < 0].reset_index(drop=True), shown[wrong > 0].reset_index(drop=True)


def _predict_the_same(before: Thresholded, after: Thresholded) -> bool:
    """Check whether both have the same predictions and answers, in the same order of images, except for rounding."""
    tables = []
    for applied in (before, after):
        table = predictions_of(applied).drop(columns="polygon", errors="ignore")
        positions = pd.Index(applied.outcomes.images).get_indexer(table["image"])
        table = table.assign(image=positions, label=table["label"].astype(object)).round(4)
        tables.append(table.sort_values(list(table.columns), ignore_index=True))
    return bool(tables[0].equals(tables[1]))


def _other_answers(
    before: tuple[Scores, IntArray], after: tuple[Scores, IntArray]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find fixed and broken single-label images by their answers, positions of labels or -1."""
    parts = []
    for scores, predicted in (before, after):
        true, rows = scores.true_label, np.arange(len(scores.images))
        names = np.array([*scores.labels, None], dtype=object)
        confidence = np.where(predicted >= 0, scores.confidence[rows, predicted], np.nan)
        parts.append((names[true], names[predicted], confidence, (true >= 0) & (true == predicted)))
    labelled = before[0].truth.any(axis=1) & after[0].truth.any(axis=1)
    table = pd.DataFrame(
        {
            "image": before[0].images,
            "label": parts[1][0],
            "before": parts[0][1],
            "after": parts[1][1],
            "confidence_before": parts[0][2],
            "confidence_after": parts[1][2],
        }
    ).astype(dict.fromkeys(("image", "label", "before", "after"), TEXT))
    order = np.argsort(-table["confidence_after"].fillna(-1).to_numpy(), kind="stable")
    right = [part[3] for part in parts]
    fixed, broken = labelled & ~right[0] & right[1], labelled & right[0] & ~right[1]
    return (
        table.iloc[order[fixed[order]]].reset_index(drop=True),
        table.iloc[order[broken[order]]].reset_index(drop=True),
    )


def _mistakes(before: ComparedSide, after: ComparedSide) -> pd.DataFrame:
    """Build a table with one row per image/label pair with mistakes on either side, with counts and descriptions."""
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
            _describe_errors(missed, false, several)
            for missed, false in zip(table[f"missed_{when}"], table[f"false_{when}"], strict=True)
        ]
        for when in ("before", "after")
    }
    return pd.DataFrame(
        {
            "image": table["image"],
            "label": table["label"],
            "before": pd.Series(words["before"], dtype=TEXT),
            "after": pd.Series(words["after"], dtype=TEXT),
            "at": table["at"],
            "wrong_before": table["missed_before"] + table["false_before"],
            "wrong_after": table["missed_after"] + table["false_after"],
        }
    ).astype({"image": TEXT, "label": TEXT})


def _describe_errors(missed: int, false: int, several: bool) -> str:
    if not missed and not false:
        return "right"
    if not several:
        return "missed" if missed else "false alarm"
    parts = ((f"{missed} missed", missed), (f"{false} false alarm{'s' * (false != 1)}", false))
    return ", ".join(part for part, number in parts if number)


def _confidences(scores: Scores, rows: pd.Series, label: pd.Series) -> list[float]:
    """Look up the confidence of each image/label pair, NaN if the pair has no prediction."""
    column = pd.Index(scores.labels).get_indexer(label.astype("object"))
    confidences = np.where((column >= 0) & scores.given[rows, column], scores.confidence[rows, column], np.nan)
    return [float(value) for value in confidences]


def signed(value: float, digits: int = 3) -> str:
    """Format a number with its sign. A true minus sign makes columns line up."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return f"±{text}"
    return f"{'+' if value > 0 else '−'}{text}"


def certain(row: pd.Series) -> bool:
    """Check whether a change is significant, that is, whether its confidence interval excludes 0."""
    return bool(row["low"] > 0 or row["high"] < 0)


def _of_f1(row: pd.Series) -> str:
    if f"{row['before']:.3f}" == f"{row['after']:.3f}":
        move = f"F1 stays at {row['after']:.3f}"
    else:
        move = f"F1 {'rises' if row['delta'] > 0 else 'falls'} from {row['before']:.3f} to {row['after']:.3f}"
    if pd.isna(row["low"]) or row["low"] == row["high"] == 0:
        return f"{move}."
    sentence = f"{move} ({signed(row['delta'])}, 95% confidence interval {signed(row['low'])} to {signed(row['high'])})"
    return f"{sentence}." if certain(row) else f"{sentence}, which is not significant."


def _of_images(fixed: pd.DataFrame, broken: pd.DataFrame, noun: str) -> str:
    def counted_changes(table: pd.DataFrame, what: str) -> str:
        if table.empty:
            return f"none {what}"
        of = "" if noun == "image" else f" on {counted(table['image'].nunique(), 'image')}"
        return f"{counted(len(table), noun)} {what}{of}"

    if fixed.empty and broken.empty:
        return "No image was fixed or broken."
    text = f"{counted_changes(fixed, 'fixed')}, {counted_changes(broken, 'broken')}."
    return text[0].upper() + text[1:]


def _about_reports(changed: pd.DataFrame, name: str) -> str:
    images = counted(changed["image"].nunique(), "image")
    return f"The ground truth of {images} differs. Both are judged by that of {name!r}." if len(changed) else ""


def about_versions(changed: pd.DataFrame, versions: int = 2) -> str:
    """Describe how many test images have other labels than at the training of the oldest of the versions."""
    images = counted(changed["image"].nunique(), "test image")
    oldest, every = ("older", "Both") if versions == 2 else ("oldest", "All")
    since = f"The labels of {images} were changed since the {oldest} version was trained"
    return f"{since}. {every} versions are judged by today's labels." if len(changed) else ""


def _of_labels(per_label: pd.DataFrame) -> list[str]:
    table = per_label.dropna(subset="delta")
    table = table[(table["low"] > 0) | (table["high"] < 0)]
    sentences = []
    for rows, what in ((table[table["delta"] > 0], "better"), (table[table["delta"] < 0], "worse")):
        if len(rows):
            rows = rows.loc[rows["delta"].abs().sort_values(ascending=False, kind="stable").index]
            named = [f"{row['label']} {signed(row['delta'], 2)}" for _, row in rows.head(NAMED).iterrows()]
            more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
            sentences.append(f"Significantly {what} (F1): {', '.join(named)}{more}.")
    return sentences
