"""What an evaluation shows: tables, drawings, files, and itself in a notebook."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import ConfusionMatrix, Evaluation
from customlabels_nb.evaluation import evaluate as _evaluate
from customlabels_nb.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Report:
    """An evaluation with a name.

    Parameters
    ----------
    evaluation : Evaluation
    name : str
        What was evaluated, for instance a version's name.
    project : str
        The project's name, for the names of files.
    details : dict, optional
        Shown below the figures. ``project_version_arn`` (str, the name by default), ``evaluated`` (datetime) and
        ``training_images`` (int) also go into the summary file.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        *,
        name: str = "",
        project: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.evaluation = evaluation
        self.project = project
        self.name = name or "evaluation"
        self.details = dict(details or {})
        if not isinstance(self.details.get("evaluated"), datetime | None):
            raise InputError(f"details['evaluated'] is {self.details['evaluated']!r}; give a datetime.")

    @property
    def summary(self) -> pd.DataFrame:
        """One row a figure: ``figure``, ``value`` and the 95 % interval's ``low`` and ``high``."""
        return self.evaluation.summary.copy()

    @property
    def per_label(self) -> pd.DataFrame:
        """One row a label: F1, precision, recall, threshold, average precision, test images and counts."""
        return self.evaluation.per_label.copy()

    @property
    def per_image(self) -> pd.DataFrame:
        """One row for each label that an image has or that is predicted for it."""
        return self.evaluation.per_image.copy()

    @property
    def confusion_matrix(self) -> ConfusionMatrix:
        """Rows predicted, columns ground truth; ``to_frame(normalize="truth")``, ``plot()``."""
        return self.evaluation.confusion_matrix

    @property
    def notes(self) -> list[str]:
        """What a reader of the figures has to know, in sentences."""
        return list(self.evaluation.notes)

    def plot_per_label(self, ax: Axes | None = None) -> Axes:
        """Bars of F1 by label, with the figures beside them."""
        from customlabels_nb.evaluation.plots import plot_per_label

        return plot_per_label(self.evaluation, ax)

    def plot_curves(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """F1 of all labels along the threshold; with ``label`` also precision and recall of that one."""
        from customlabels_nb.evaluation.plots import plot_curves

        return plot_curves(self.evaluation, ax, label=label)

    def to(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the tables as CSV and the service's summary and snapshot; each file appears whole or not at all.

        Returns
        -------
        list of Path
            The files written. Files of the same names are replaced.

        Raises
        ------
        InputError
            If ``folder`` is a file.
        """
        from customlabels_nb.images import local_path

        target = local_path(folder, "folder")
        if target.exists() and not target.is_dir():
            raise InputError(f"folder={str(folder)!r} is a file; name a folder.")
        target.mkdir(parents=True, exist_ok=True)
        return [_write(target / name, lines) for name, lines in self._files()]

    def _files(self) -> Iterable[tuple[str, Iterable[str]]]:
        from customlabels_nb.evaluation import summary

        ended = self.details.get("evaluated")
        stem = (self.project, self.name) if self.project else (self.name,)
        content = summary.evaluation_summary(
            self.evaluation,
            project_version_arn=str(self.details.get("project_version_arn", self.name)),
            ended=ended,
            training_images=int(self.details.get("training_images", 0)),
        )
        yield summary.summary_file_name(*stem), [json.dumps(content, indent=2, allow_nan=False)]
        yield summary.snapshot_file_name(*stem), summary.evaluation_snapshot(self.evaluation, created=ended)
        for name, table in (("summary", self.summary), ("per_label", self.per_label), ("per_image", self.per_image)):
            yield f"{name}.csv", [table.to_csv(index=False, lineterminator="\n").rstrip("\n")]
        yield "confusion_matrix.csv", [self.confusion_matrix.to_frame().to_csv(lineterminator="\n").rstrip("\n")]

    def __repr__(self) -> str:
        from customlabels_nb.evaluation.text import evaluation_text

        return evaluation_text(self.evaluation, name=self.name)

    def _repr_html_(self) -> str:
        from customlabels_nb.evaluation.markup import evaluation_html

        return evaluation_html(self.evaluation, name=self.name, details=self.details)


def evaluate(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | None = None,
    task: str = "single-label",
    random_state: int = 0,
    name: str = "",
    details: Mapping[str, Any] | None = None,
) -> Report:
    """Compare predictions with the truth, without a project.

    The arguments up to ``random_state`` are those of :func:`customlabels_nb.evaluation.evaluate`, ``name`` and
    ``details`` those of :class:`Report`.
    """
    found = _evaluate(
        truth, predictions, images, labels=labels, thresholds=thresholds, task=task, random_state=random_state
    )
    return Report(found, name=name, details=details)


def _write(path: Path, lines: Iterable[str]) -> Path:
    with replacing(path) as file:
        file.writelines(f"{line}\n".encode(errors="backslashreplace") for line in lines)
    return path
