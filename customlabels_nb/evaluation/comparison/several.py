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
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation.comparison.comparing import (
    ComparedSide,
    certain,
    changed_images,
    check_alike,
    delta_intervals,
    same_images,
    signed,
)
from customlabels_nb.evaluation.metrics import bootstrap_intervals, overall_metrics, per_label_table
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.slices import sliced
from customlabels_nb.evaluation.thresholded import Thresholded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    _parts: tuple[Thresholded, ...]
    _images: pd.DataFrame

    def by(self, column: str, *, bins: int | None = None) -> pd.DataFrame:
        """Return the F1 of each version in each slice of the test images.

        Parameters
        ----------
        column : str
            Column of the first evaluation's images, as in :meth:`.Report.by`.
        bins : int, optional
            Number of ranges for a column of numbers or times.

        Returns
        -------
        DataFrame
            One row per slice and version: ``slice``, ``version``, ``test_images``, ``f1``, ``f1_low``, ``f1_high``.

        Examples
        --------
        >>> comparison = project.compare("first", "first", "latest")
        >>> sorted(set(comparison.by("width")["version"]))
        ['first', 'first (2)', 'first (3)']
        """
        rows = []
        for name, positions in sliced(self._images, column, bins=bins):
            for version, part in zip(self.names, self._parts, strict=True):
                rows.append((name, version, len(positions), *_f1(part.only(positions))))
        return pd.DataFrame(rows, columns=["slice", "version", "test_images", "f1", "f1_low", "f1_high"])

    def plot(self, ax: Axes | None = None, *, by: str = "label", theme: str | None = None) -> Axes:
        """Draw the F1 of each version in one chart, by label or by a column of the test images.

        Parameters
        ----------
        ax : Axes, optional
            Axes to draw on.
        by : str
            "label", or a column of the test images as in :meth:`by`.
        theme : {None, "paper"}
            "paper" draws in black on white.

        Examples
        --------
        >>> comparison = project.compare("first", "first", "latest")
        >>> comparison.plot().get_xlabel()
        'F1 with 95% confidence interval'
        """
        from customlabels_nb.evaluation.plots.versions import plot_versions

        table = self.per_label if by == "label" else self.by(by).rename(columns={"slice": by})
        return plot_versions(table, ax, by=by, theme=theme)

    def __repr__(self) -> str:
        table = self.summary.to_string(index=False, na_rep="", max_colwidth=40, float_format="{:.3f}".format)
        return printable(f"{len(self.names)} versions, {counted(self.test_images, 'test image')}\n\n{table}")

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
        )


def compare_versions(
    evaluations: Sequence[Evaluation], names: Sequence[str], *, common: bool = False
) -> VersionsComparison:
    """Compare evaluations on the same test images. Differences refer to the first one.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        At least two evaluations of the same task.
    names : sequence of str
        Names of the evaluations. A repeated name gets a number.
    common : bool
        Compare only the test images that all evaluations share. By default, different test images are an error.

    Raises
    ------
    InputError
        If there are fewer than two evaluations, or their tasks, IoU thresholds or test images differ.
    NotEnoughDataError
        If no test image is in all evaluations.
    """
    if len(evaluations) < 2:
        raise InputError(f"{len(evaluations)} evaluation cannot be compared. Pass at least two.")
    first, others = evaluations[0], evaluations[1:]
    for other in others:
        check_alike(first, other)
    pairs = [same_images(first, other, common=common) for other in others]
    here = reduce(np.intersect1d, [pair[0] for pair in pairs])
    if not here.size:
        raise NotEnoughDataError("The evaluations have no test images in common. Evaluate all on the same images.")
    parts = [first.applied.only(here)]
    parts += [other.applied.only(there[np.isin(own, here)]) for other, (own, there) in zip(others, pairs, strict=True)]
    unique = tuple(f"{name} ({at + 1})" if name in names[:at] else name for at, name in enumerate(names))
    sides = [ComparedSide.of(part, parts[0].outcomes.images) for part in parts]
    rows: list[dict[str, Any]] = []
    by_label: list[pd.DataFrame] = []
    for version, part, side in zip(unique, parts, sides, strict=True):
        table = per_label_table(part, bootstrap_intervals(part))
        metrics = overall_metrics(part.outcomes, table)
        low, high = (np.nan, np.nan) if part is parts[0] else delta_intervals(parts[0], part)[0]["f1"]
        fixed, broken = changed_images(sides[0], side)
        _, f1_low, f1_high = _f1(part)
        row: dict[str, Any] = {
            "version": version,
            "f1": metrics.pop("f1"),
            "f1_low": f1_low,
            "f1_high": f1_high,
            **metrics,
        }
        delta = np.nan if part is parts[0] else row["f1"] - rows[0]["f1"]
        rows.append({**row, "delta": delta, "low": low, "high": high, "fixed": len(fixed), "broken": len(broken)})
        table.loc[table["test_images"] == 0, ["f1", "f1_low", "f1_high"]] = np.nan
        by_label.append(table[["label", "f1", "f1_low", "f1_high"]].assign(version=version))
    labels = list(dict.fromkeys(label for table in by_label for label in table["label"]))
    index = pd.MultiIndex.from_product([labels, unique], names=["label", "version"])
    per_label = pd.concat(by_label).set_index(["label", "version"]).reindex(index).reset_index()
    images = first.images.iloc[here].reset_index(drop=True)
    return VersionsComparison(pd.DataFrame(rows), per_label, unique, len(here), first.task, tuple(parts), images)


def _f1(part: Thresholded) -> tuple[float, float, float]:
    """Return F1 and the bounds of its 95% confidence interval."""
    value = overall_metrics(part.outcomes, per_label_table(part))["f1"]
    return (value, *bootstrap_intervals(part).metrics["f1"])
