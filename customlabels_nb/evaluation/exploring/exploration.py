"""State of the results screen: thresholds, filter and comparison, and the resulting metrics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import last_part
from customlabels_nb.core.decisions import ASSUMED, MOST_CONFIDENT, default_decision
from customlabels_nb.core.image_files import longer_of, with_files
from customlabels_nb.core.tables import DRAWN_TASKS, SINGLE_LABEL
from customlabels_nb.errors import InputError, LabelError, NotAllowedError
from customlabels_nb.evaluation.arrays import BoolArray, IntArray
from customlabels_nb.evaluation.comparison.comparing import Comparison, compare
from customlabels_nb.evaluation.confusion import NO_ANSWER, ConfusionMatrix, unused_name
from customlabels_nb.evaluation.cross_validation import CROSS_VALIDATED, deal, rule_to_follow
from customlabels_nb.evaluation.exploring import filtering
from customlabels_nb.evaluation.exploring.position import Position, position_of
from customlabels_nb.evaluation.metrics import bootstrap_intervals, overall_metrics, per_label_table
from customlabels_nb.evaluation.outcome_tables import predictions_of, tables_of
from customlabels_nb.evaluation.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from customlabels_nb.evaluation.result import Evaluation, moved_to
from customlabels_nb.evaluation.slices import sliced
from customlabels_nb.evaluation.thresholded import Thresholded

if TYPE_CHECKING:
    from customlabels_nb.evaluation.advice import Advice

_KEPT = 4  # maximum number of cached positions


class Exploration:
    """Evaluation with the current thresholds and filter of the results screen."""

    def __init__(self, evaluation: Evaluation, *, name: str = "evaluation") -> None:
        self.evaluation = evaluation
        self.name = name
        self.position = position_of(evaluation)
        table = evaluation.per_label
        mistakes = bool(table["fp"].any() or table["fn"].any())
        self.filter = filtering.Filter(filtering.MISTAKES if mistakes else filtering.ALL)
        self.comparison: Comparison | None = None
        self.earlier: tuple[Evaluation, str] | None = None  # what is compared, and its name
        self._applied: OrderedDict[Position, Thresholded] = OrderedDict()
        self.own = self.position
        self._advised = self.own, evaluation  # the evaluation at the last position with advice

    # -- thresholds ---------------------------------------------------------------------------------
    def set_thresholds(self, thresholds: float | Mapping[str, float] | str | None) -> Position:
        """Set the decision: "most confident", "assumed", "cross-validated", number or mapping, None for the default."""
        if thresholds is None:
            thresholds = default_decision(self.evaluation.task)
        if isinstance(thresholds, str) and thresholds not in (MOST_CONFIDENT, ASSUMED, CROSS_VALIDATED):
            raise InputError(
                f"thresholds={thresholds!r} is not valid. Use None, 'most confident', 'assumed', 'cross-validated', a "
                "number or a dict."
            )
        return self.move_to(Position.of(thresholds, self.position.iou_threshold))

    def move_to(self, position: Position) -> Position:
        """Move the sliders to a position. If the position is not valid, raise and leave them unchanged."""
        self._at(position)
        self.position = position
        return position

    def set_iou_threshold(self, iou_threshold: float) -> Position:
        return self.move_to(replace(self.position, iou_threshold=iou_threshold))

    @property
    def applied(self) -> Thresholded:
        return self._at(self.position)

    def _at(self, position: Position) -> Thresholded:
        if position == self.own:
            return self.evaluation.applied
        key = replace(position, own=_Frozen(position.own))
        if key not in self._applied:
            self._applied[key] = position.applied(self.evaluation.outcomes, self.folds)
            while len(self._applied) > _KEPT:
                self._applied.popitem(last=False)
        self._applied.move_to_end(key)
        return self._applied[key]

    @cached_property
    def folds(self) -> tuple[IntArray, ...]:
        """Positions of the images in each fold for cross-validated thresholds, empty if there is only one image."""
        folds = self.evaluation.applied.folds
        if folds or len(self.names) < 2:
            return tuple(images for images, _ in folds)
        fold = deal(self.evaluation.outcomes)
        return tuple(np.flatnonzero(fold == number) for number in range(int(fold.max()) + 1))

    # -- metrics ------------------------------------------------------------------------------------
    @property
    def thresholds(self) -> dict[str, float]:
        """Threshold of each label: the mean over the folds if cross-validated, NaN for "most confident"."""
        return dict(zip(self.evaluation.outcomes.labels, self.applied.thresholds.tolist(), strict=True))

    @property
    def counted(self) -> Thresholded:
        """Decisions that metrics count: for all images, or for those of the slice that the filter chooses."""
        return self._within(self.filter.slice)

    @property
    def per_label(self) -> pd.DataFrame:
        """Metrics of each label at the current thresholds, as in ``Evaluation.per_label``."""
        return per_label_table(self.counted)

    @property
    def metrics(self) -> dict[str, float]:
        """Overall metrics at the current thresholds: ``f1``, ``precision``, ``recall``, ``mean_threshold`` and more."""
        return overall_metrics(self.counted, self.per_label)

    def intervals(self, chosen: tuple[str, str] | None = None) -> dict[str, tuple[float, float]]:
        """Return the confidence intervals of the metrics, of all images or of a slice: its column and name."""
        return bootstrap_intervals(self._within(chosen)).metrics

    @property
    def confusion_matrix(self) -> ConfusionMatrix:
        return self.counted.confusion()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the confusion matrix can have: for single-label models also "(no answer)"."""
        labels = self.evaluation.confusion_matrix.labels
        return (*labels, unused_name(NO_ANSWER, labels)) if self.evaluation.task == SINGLE_LABEL else labels

    # -- images -------------------------------------------------------------------------------------
    @property
    def names(self) -> list[str]:
        names: list[str] = self.evaluation.outcomes.images.tolist()
        return names

    @cached_property
    def index_of(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    @cached_property
    def ranks(self) -> IntArray:
        return filtering.name_ranks(self.names)

    @cached_property
    def slices(self) -> dict[str, dict[str, IntArray]]:
        """Image positions by slice name, for each column with a moderate number of values."""
        return sliced(self.evaluation.images)

    @property
    def groups(self) -> dict[str, BoolArray]:
        """Groups of :data:`.filtering.GROUPS` that are available, each as a mask of shape (n,)."""
        return {"suspects": self._mask(self.suspects), **self.compared}

    @property
    def compared(self) -> dict[str, BoolArray]:
        """Groups "fixed" and "broken" of the comparison, empty if there is none."""
        if self.comparison is None:
            return {}
        return {name: self._mask(getattr(self.comparison, name)["image"]) for name in ("fixed", "broken")}

    @property
    def advice(self) -> Advice:
        """Suggestions for improving the model at the current thresholds."""
        if self._advised[0] != self.position:
            moved = self.evaluation if self.position == self.own else moved_to(self.evaluation, self.applied)
            self._advised = self.position, moved
        return self._advised[1].advice

    @property
    def suspects(self) -> list[str]:
        """Images whose ground truth the model confidently disagrees with, most doubtful first."""
        items = self.advice.about("label_error")
        return list(dict.fromkeys(name for item in items for name in item.names))

    def choose(self, chosen: filtering.Filter | None = None) -> IntArray:
        """Return the positions of the images that match a filter (default: :attr:`filter`), sorted as it specifies."""
        choice, applied = chosen or self.filter, self.applied
        label = None if choice.label is None else self.evaluation.outcomes.position(choice.label)
        judged = filtering.judge(applied, label)
        groups = self.groups if choice.show in filtering.GROUPS else {}  # computing them is slow
        kept = filtering.wanted(judged, choice.show, groups, labelled=label is not None)
        if choice.pair is not None:
            kept = kept & filtering.cell_images(applied, *self._cell(choice.pair))
        if choice.slice is not None:
            kept = kept & self._mask_of_slice(*choice.slice)
        if choice.images is not None:
            kept = kept & self._mask(choice.images)
        text = choice.search.strip().lower()
        if text:
            shown = str if "/" in text else last_part
            kept = kept & np.array([text in shown(name).lower() for name in self.names], dtype=bool)
        order = filtering.in_order(judged, choice.sort, self.ranks)
        return order[kept[order]]

    def check(self, chosen: filtering.Filter) -> filtering.Filter:
        self.choose(chosen)
        return chosen

    def table(self, positions: Sequence[int] | IntArray, longer: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Return rows of the images table with ``true``, ``predicted``, ``hits``, ``false_positives`` and ``misses``.

        ``longer`` is that of the project for :func:`.image_files.with_files`, by default that of the evaluated images.
        """
        indices = np.asarray(positions, dtype=np.int64)
        part = self.applied.only(indices)
        rows = part.per_image()
        k = len(part.outcomes.labels)
        counts = part.image_counts().toarray().reshape(len(indices), 3, k).sum(axis=2)
        table = self.evaluation.images.iloc[indices].reset_index(drop=True)
        columns: dict[str, Any] = {
            "true": _joined(rows, table["image"], (TRUE_POSITIVE, FALSE_NEGATIVE)),
            "predicted": _joined(rows, table["image"], (TRUE_POSITIVE, FALSE_POSITIVE)),
            "hits": counts[:, 0],
            "false_positives": counts[:, 1],
            "misses": counts[:, 2],
        }
        table = table.drop(columns=[name for name in columns if name in table.columns]).assign(**columns)
        return with_files(table, longer_of(self.evaluation.images) if longer is None else longer, facts=list(columns))

    def rows(self, positions: Sequence[int] | IntArray) -> pd.DataFrame:
        return self.applied.only(np.asarray(positions, dtype=np.int64)).per_image()

    @property
    def predictions(self) -> pd.DataFrame:
        """Predictions that count at the current thresholds: image, label, box and polygon of detectors, confidence."""
        rows = predictions_of(self.applied)
        return rows[rows["accepted"]].drop(columns="accepted")

    def boxes(self, kind: filtering.BoxMistake, true: str | None = None, predicted: str | None = None) -> pd.DataFrame:
        """Return the boxes with a kind of mistake, as in :func:`.filtering.mistaken_boxes`, most confident first.

        The columns are image, label, box, polygon (of polygons) and confidence, which is missing for true boxes.
        """
        task = self.evaluation.task
        if task not in DRAWN_TASKS:
            raise NotAllowedError(f"This report is about labels of images (task={task!r}), so it has no boxes.")
        if kind not in get_args(filtering.BoxMistake):
            raise InputError(f"kind={kind!r} is not valid. Use one of {get_args(filtering.BoxMistake)!r}.")
        names = self.evaluation.confusion_matrix.labels
        for label in (true, predicted):
            if label not in (None, *names):
                raise LabelError(f"label={label!r} is not in this evaluation. The labels are {list(names)!r}.")
        positions = [None if label is None else names.index(label) for label in (true, predicted)]
        masks = filtering.mistaken_boxes(self.applied, kind, *positions)
        tables = [table[mask] for table, mask in zip(tables_of(self.evaluation.outcomes), masks, strict=True)]
        table = pd.concat(tables, ignore_index=True).drop(columns="crowd")
        return table.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)

    # -- comparison ---------------------------------------------------------------------------------
    def compare_with(
        self, before: Evaluation | None, name: str = "before", *, truth_changed: pd.DataFrame | None = None
    ) -> Comparison | None:
        """Compare with an earlier evaluation by its decision, and move to that position. None ends the comparison."""
        if before is not None:
            self.comparison = compare(
                before, self.evaluation, common=True, names=(name, self.name), truth_changed=truth_changed
            )
            self.earlier = before, name
            self.move_to(self.compared_at)
            return self.comparison
        self.comparison = self.earlier = None
        if self.filter.show in ("fixed", "broken"):
            self.filter = filtering.Filter()
        return None

    @property
    def compared_at(self) -> Position:
        """Position whose metrics are compared: :attr:`own`, unless the other version decides by another rule."""
        if self.earlier is None:
            return self.own
        rule = rule_to_follow(self.earlier[0].applied, self.evaluation.applied)
        return self.own if rule is None else Position.of(rule, self.own.iou_threshold)

    # -- helpers ------------------------------------------------------------------------------------
    def _cell(self, pair: tuple[str, str]) -> tuple[int, int]:
        rows, columns = self.evaluation.confusion_matrix.labels, self.columns
        for label, side, names in zip(pair, ("rows", "columns"), (rows, columns), strict=True):
            if label not in names:
                raise LabelError(f"pair={pair!r} is not a confusion-matrix cell. The {side} are {list(names)!r}.")
        return rows.index(pair[0]), columns.index(pair[1])

    def _within(self, chosen: tuple[str, str] | None) -> Thresholded:
        return self.applied if chosen is None else self.applied.only(self._mask_of_slice(*chosen))

    def _mask_of_slice(self, column: str, name: str) -> BoolArray:
        if column not in self.slices:
            raise InputError(
                f"slice={(column, name)!r} is not a slice. The columns with slices are {list(self.slices)!r}."
            )
        if name not in self.slices[column]:
            raise InputError(
                f"slice={(column, name)!r} is not a slice. The slices of {column!r} are {list(self.slices[column])!r}."
            )
        mask = np.zeros(len(self.names), dtype=bool)
        mask[self.slices[column][name]] = True
        return mask

    def _mask(self, names: Sequence[str] | pd.Series) -> BoolArray:
        mask = np.zeros(len(self.names), dtype=bool)
        mask[[self.index_of[name] for name in names if name in self.index_of]] = True
        return mask


class _Frozen(dict[str, float]):
    """Hashable thresholds by label, never modified."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _joined(rows: pd.DataFrame, images: pd.Series, results: tuple[str, ...]) -> list[str]:
    """Return each image's distinct labels whose result is in ``results``, comma-separated."""
    kept = rows[rows["result"].isin(results)].drop_duplicates(["image", "label"])
    labels = kept.groupby("image", sort=False)["label"].agg(", ".join)
    return [str(labels.get(name, "")) for name in images]
