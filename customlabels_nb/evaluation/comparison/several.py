"""Compare any number of evaluations on the test images that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, printable
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.evaluation.comparison.comparing import (
    about_versions,
    certain,
    check_alike,
    compare,
    same_images,
    signed,
)
from customlabels_nb.evaluation.cross_validation import rule_of
from customlabels_nb.evaluation.result import MANY_IMAGES, Evaluation, decided_as, evaluation_of, flawless_note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from customlabels_nb._utils.plotting.style import Theme


@dataclass(frozen=True, eq=False)
class VersionsComparison:
    """Comparison of several evaluations, each at its own thresholds. Changes refer to the first one.

    Attributes
    ----------
    summary : DataFrame
        One row per version: ``version``, ``f1`` with the bounds ``f1_low`` and ``f1_high`` of its 95% confidence
        interval, ``precision``, ``recall``, the other metrics of the task, ``delta`` (F1 minus that of the first
        version) with its interval ``low`` and ``high`` (NaN for the first version), and the numbers of images or labels
        ``fixed`` and ``broken`` since the first version.
    per_label : DataFrame
        One row per label and version: ``label``, ``version``, ``f1``, ``f1_low``, ``f1_high``. NaN if the version lacks
        the label or no test image has it.
    names : tuple of str
        Names of the versions.
    test_images : int
        Number of images compared.
    task : str
        Task of all evaluations.
    """

    summary: pd.DataFrame
    per_label: pd.DataFrame
    names: tuple[str, ...]
    test_images: int
    task: str
    _parts: tuple[Evaluation, ...]
    _about_truth: str = ""

    def by(self, column: str | Sequence[str], *, bins: int | None = None) -> pd.DataFrame:
        """Return the F1 of each version in each slice of the test images.

        Parameters
        ----------
        column : str or list of two str
            Columns of the first evaluation's images, as in :meth:`.Report.by`.
        bins : int, optional
            Number of ranges for a column of numbers or times.

        Returns
        -------
        DataFrame
            As :meth:`.Report.by`, with a column ``version``.

        Examples
        --------
        >>> comparison = project.compare("first", "first", "latest")
        >>> sorted(set(comparison.by("width")["version"]))
        ['first', 'first (2)', 'first (3)']
        """
        versions = zip(self.names, self._parts, strict=True)
        tables = [part.by(column, bins=bins).assign(version=name) for name, part in versions]
        return pd.concat(tables, ignore_index=isinstance(column, str))

    def plot(
        self, ax: Axes | None = None, *, by: str = "label", bins: int | None = None, theme: Theme | None = None
    ) -> Axes:
        """Draw the F1 of each version in one chart, by label or by a column of the test images.

        Parameters
        ----------
        ax : Axes, optional
            Axes to draw on.
        by, bins
            "label", or a column of the test images and its number of ranges as in :meth:`by`.
        theme : {None, "paper"}
            "paper" draws in black on white.

        Examples
        --------
        >>> comparison = project.compare("first", "first", "latest")
        >>> comparison.plot().get_xlabel()
        'F1 with 95% confidence interval'
        """
        from customlabels_nb.evaluation.plots.versions import plot_versions

        table = self.per_label if by == "label" else self.by(by, bins=bins)
        return plot_versions(table, ax, by=by, theme=theme)

    @property
    def _notes(self) -> list[str]:
        is_flawless = self.test_images <= MANY_IMAGES and (self.summary["f1_low"] == 1).any()
        flawless = [flawless_note(self.test_images, "At least one version")] if is_flawless else []
        return [*filter(None, [self._about_truth]), *flawless]

    def __repr__(self) -> str:
        table = self.summary.to_string(index=False, na_rep="", max_colwidth=40, float_format="{:.3f}".format)
        head = f"{len(self.names)} versions, {counted(self.test_images, 'test image')}"
        return printable("\n\n".join([head, table, *self._notes]))

    def _repr_html_(self) -> str:
        labels = self.per_label.groupby("label", sort=False)
        return render(
            "versions.html",
            names=self.names,
            images=counted(self.test_images, "test image"),
            summary=self.summary.to_dict("records"),
            per_label=[(label, rows.to_dict("records")) for label, rows in labels],
            signed=signed,
            certain=certain,
            sentences=self._notes,
        )


def compare_versions(
    evaluations: Sequence[Evaluation],
    names: Sequence[str],
    *,
    common: bool = False,
    truth_changed: pd.DataFrame | None = None,
) -> VersionsComparison:
    """Compare two or more evaluations on the same test images, or with ``common`` on those that all share.

    ``truth_changed`` has the pairs of images and labels that have changed since the oldest version was trained.
    """
    first, *others = evaluations
    for other in others:
        check_alike(first, other)
    evaluations = [first, *(decided_as(other, first) for other in others)]
    pairs = [same_images(first, other, common=common) for other in evaluations[1:]]
    here = reduce(np.intersect1d, [pair[0] for pair in pairs])
    if not here.size:
        raise NotEnoughDataError("The evaluations have no test images in common. Evaluate all on the same images.")
    positions = [here, *(there[np.isin(chosen, here)] for chosen, there in pairs)]
    images = first.images.iloc[here].reset_index(drop=True)
    parts = [_part(evaluation, chosen, images) for evaluation, chosen in zip(evaluations, positions, strict=True)]
    unique = tuple(f"{name} ({number + 1})" if name in names[:number] else name for number, name in enumerate(names))
    rows: list[dict[str, Any]] = []
    tables: list[pd.DataFrame] = []
    for version, part in zip(unique, parts, strict=True):
        metrics = part.summary.set_index("metric").drop(["test_images", "labels"])
        low, high = metrics.loc["f1", ["low", "high"]]
        row = {"version": version, "f1": np.nan, "f1_low": low, "f1_high": high} | metrics["value"].to_dict()
        row |= {"delta": np.nan, "low": np.nan, "high": np.nan, "fixed": 0, "broken": 0}
        if rows:
            change = compare(parts[0], part)
            row |= change.metric("f1")[["delta", "low", "high"]].to_dict()
            row |= {"fixed": len(change.fixed), "broken": len(change.broken)}
        rows.append(row)
        table = part.per_label[part.per_label["test_images"] > 0].assign(version=version)
        tables.append(table[["label", "version", "f1", "f1_low", "f1_high"]])
    labels = list(dict.fromkeys(label for part in parts for label in part.outcomes.labels))
    index = pd.MultiIndex.from_product([labels, unique], names=["label", "version"])
    per_label = pd.concat(tables).set_index(["label", "version"]).reindex(index).reset_index()
    about_truth = "" if truth_changed is None else about_versions(truth_changed, len(names))
    return VersionsComparison(pd.DataFrame(rows), per_label, unique, len(here), first.task, tuple(parts), about_truth)


def _part(whole: Evaluation, positions: IntArray, images: pd.DataFrame) -> Evaluation:
    """Evaluate the images at some positions. If these are all, the metrics are known, with their intervals."""
    if not np.array_equal(positions, np.arange(len(whole.images))):
        return evaluation_of(whole.applied.only(positions), images, rule_of(whole.applied))
    tables = whole.summary, whole.per_label, whole.per_image, whole.confusion_matrix
    return Evaluation(whole.applied, images, *tables, whole.labels, whole.notes)
