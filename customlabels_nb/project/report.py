"""Evaluation report: tables, plots, files, and a display in notebooks."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pandas as pd

from customlabels_nb._utils.files import write_errors
from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, printable
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.core import change_signal
from customlabels_nb.core.tables import DRAWN_TASKS, TEST, settle_statuses
from customlabels_nb.errors import (
    ArtifactError,
    CustomLabelsError,
    InputError,
    ModelNotFoundError,
    NotAllowedError,
    StoreError,
)
from customlabels_nb.evaluation.calibration import CALIBRATION_BINS
from customlabels_nb.evaluation.exploring.position import Position, position_of
from customlabels_nb.evaluation.input_tables import with_usual_columns
from customlabels_nb.evaluation.matching import IOU_THRESHOLD
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.result import evaluate as evaluate_tables
from customlabels_nb.evaluation.thresholds import assumed_thresholds
from customlabels_nb.images.locations import local_path

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from customlabels_nb._utils.plotting.style import Theme
    from customlabels_nb.core.decisions import EvaluationDecision
    from customlabels_nb.core.tables import Task
    from customlabels_nb.datasets.dataset import Dataset
    from customlabels_nb.evaluation.advice import Advice
    from customlabels_nb.evaluation.comparison.comparing import Comparison
    from customlabels_nb.evaluation.confusion import Normalize
    from customlabels_nb.evaluation.evaluation_snapshots import Snapshot
    from customlabels_nb.evaluation.exploring import Exploration
    from customlabels_nb.evaluation.exploring.filtering import BoxMistake
    from customlabels_nb.labeling.project_actions import ProjectActions
    from customlabels_nb.widgets.gallery import Gallery
    from customlabels_nb.widgets.map import ProjectMap
    from customlabels_nb.widgets.results import About, Results

    Training: TypeAlias = Evaluation | Dataset

#: Maximum number of labels shown in a notebook. If there are more, half of these are the best labels, half the worst.
_MOST_LABELS = 100
_COLUMNS = {"f1": "F1", "precision": "precision", "recall": "recall", "threshold": "threshold", "test_images": "test"}
_BOX_COLUMNS = {"boxes": "boxes", "average_precision": "AP"}
_COUNTS = ("test_images", "boxes")
_ALWAYS = ("threshold", "test_images", "boxes")  # shown even if no test image has the label
#: The headline metrics: name and meaning.
_METRICS = {
    "f1": ("F1", "mean over the labels, with its 95% confidence interval"),
    "precision": ("precision", "mean over the labels"),
    "recall": ("recall", "mean over the labels"),
}
_DETECTION_METRICS = {
    "mean_average_precision": ("mAP", "mean over the labels of the average precision at the chosen IoU threshold"),
    "mean_average_recall": ("mAR", "mean over the labels of the highest recall at the chosen IoU threshold"),
    "coco_map": ("COCO mAP", "mean of mAP at the IoU thresholds 0.50, 0.55, … 0.95"),
}
_ESTIMATED = (
    "{}: the sizes of {:,} images are unknown and were estimated from their boxes. "
    "Pass columns width and height in evaluate(…, images=)."
)


class Report(Evaluation):
    """Evaluation that displays itself in notebooks and writes plots and files.

    Parameters
    ----------
    evaluation : Evaluation
        Evaluation to report.
    name : str
        Name of what was evaluated, for example a version's name.
    project : str
        Name of the project, used in file names.
    details : dict, optional
        Facts shown below the metrics. ``project_version_arn`` (str, the name by default), ``evaluated`` (datetime) and
        ``training_images`` (int) are also written to the summary file.
    training : Dataset or Evaluation, or a function that returns one, optional
        Training images for the training snapshot file: with labels only, or also with predictions.
    root : Path, optional
        Project folder that relative image paths refer to.
    actions : callable, optional
        Function that returns the project actions of the results screen, see
        :class:`customlabels_nb.labeling.project_actions.ProjectActions`.
    access : tuple of str
        Two expressions that evaluate to the project and the model, for the code of the advice.

    Examples
    --------
    >>> report = cl.evaluate(truth, predictions, thresholds=0.5, name="cats and dogs")
    >>> report.per_label[["label", "tp", "fp", "fn"]]
      label  tp  fp  fn
    0   cat   2   1   0
    1   dog   1   0   1
    """

    def __init__(
        self,
        evaluation: Evaluation,
        *,
        name: str = "",
        project: str = "",
        details: Mapping[str, Any] | None = None,
        training: Training | Callable[[], Training] | None = None,
        root: Path | None = None,
        actions: Callable[[], ProjectActions] | None = None,
        access: tuple[str, str] = ("", ""),
    ) -> None:
        super().__init__(
            evaluation.applied,
            evaluation.images,
            evaluation.summary,
            evaluation.per_label,
            evaluation.per_image,
            evaluation.confusion_matrix,
            evaluation.labels,
            evaluation.notes,
            evaluation.basis,
        )
        self._actions = actions
        self._access = access
        self.root = root
        self.project = project
        self.name = name or "evaluation"
        if not isinstance(details, Mapping | None):
            raise InputError(f"details={details!r} is not a dict of facts.")
        self.details = dict(details or {})
        if not isinstance(self.details.get("evaluated"), datetime | None):
            raise InputError(f"details['evaluated']={self.details['evaluated']!r} must be a datetime.")
        self._ended = self.details.get("evaluated") or datetime.now(UTC)
        self._given_training = training
        self._position = position_of(evaluation)
        self._mapped: Exploration | None = None  # of all maps

    # -- advice -------------------------------------------------------------------------------------
    _advised: tuple[list[str] | None, Advice] | None = None  # suspects, and the advice that names them

    @property
    def advice(self) -> Advice:
        """Suggestions for improving the model, largest estimated gain first, each with its images and code."""
        suspects = self._suspects()
        queue = None if suspects is None else suspects["image"].tolist()
        if self._advised is None or self._advised[0] != queue:  # which people and trainings change
            self._advised = queue, self.advise()
        return self._advised[1]

    def advise(
        self,
        *,
        features: Mapping[str, npt.ArrayLike] | pd.DataFrame | npt.ArrayLike | None = None,
        training: Mapping[str, int] | None = None,
    ) -> Advice:
        """Return suggestions as in :attr:`advice`, but take additional information into account.

        Parameters
        ----------
        features : dict, DataFrame or ndarray, optional
            Features of the test images (image → vector, a table indexed by image, or one row per test image). They
            reveal labels that combine several visually different kinds of images.
        training : dict, optional
            Number of training images by label, to find labels that have too few. By default, the report's own numbers
            are used, if known.

        Examples
        --------
        >>> advice = report.advise(training={"bathroom": 40, "bedroom": 45, "garden": 3})
        """
        from customlabels_nb.evaluation.advice import picture_of

        actions = None if self._actions is None else self._actions()
        return self._advise(
            access=self._access,
            split="" if actions is None else "test",
            training=self._training_images() if training is None else training,
            features=features,
            suspects=self._suspects(),
            name=self.name,
            pictures=partial(picture_of, root=self.root),
        )

    def _suspects(self) -> pd.DataFrame | None:
        """Return the training images that the project's suspects queue holds now, None without a project."""
        return None if self._actions is None else self._actions().suspects()

    def compare(self, baseline: Report, *, common: bool = False, random_state: int = 0) -> Comparison:
        """Compare this report with an earlier one on the same test images, by the same ground truth.

        Versions of a project are judged by its test set as it is now. Otherwise, the ground truth of this report
        applies where the two differ. Differences are this report's metrics minus the baseline's, so positive ones are
        better for this report. Both are evaluated by the decision of the baseline (``thresholds`` of
        :func:`customlabels_nb.evaluate`): by "most confident", or by thresholds, where each report has its own.

        Parameters
        ----------
        baseline : Report
            Report to compare with, ``before`` in the tables.
        common : bool
            Compare only the test images that both reports share, if their test sets differ.
        random_state : int
            Seed for the bootstrap confidence intervals.

        Raises
        ------
        InputError
            If the tasks, the IoU thresholds or (without ``common``) the test images of the reports differ.
        NotEnoughDataError
            If the reports share no test image.

        Examples
        --------
        >>> before = cl.evaluate(truth, predictions, thresholds=0.5, name="before")
        >>> after = cl.evaluate(truth, truth.assign(confidence=1.0), thresholds=0.5, name="after")
        >>> comparison = after.compare(before)
        >>> float(comparison.metric("accuracy")["delta"])
        0.25
        """
        from customlabels_nb.evaluation.comparison.comparing import compare

        _require_report(baseline)
        before, after = baseline._today(), self._today()
        return compare(
            before, after, common=common, names=(baseline.name, self.name), random_state=random_state,
            truth_changed=self._truth_changed(before, after),
        )  # fmt: skip

    def _today(self) -> Evaluation:
        """Return the evaluation of the version on the test set as it is now, or the report if it has no version."""
        if self._actions is not None:
            with suppress(ModelNotFoundError, ArtifactError, StoreError):  # it was deleted since
                return self._actions().evaluate_again(self)
        return self

    def _truth_changed(self, *evaluations: Evaluation) -> pd.DataFrame | None:
        """List the pairs whose truth has changed since the older version was trained, None without versions."""
        if self._actions is not None:
            with suppress(ModelNotFoundError, ArtifactError, StoreError):
                return self._actions().truth_changed(*evaluations)
        return None

    def _outdated(self) -> list[str]:
        """Return a sentence about changes to the test set since the evaluation, or nothing."""
        if self._actions is not None and self.basis is not None:
            with suppress(CustomLabelsError):
                changes = self._actions().changes_since(self)
                them = "it" if changes.count == 1 else "them"
                return [f"{changes}; model.evaluate() uses {them}."] if changes.count else []
        return []

    # -- results screen -----------------------------------------------------------------------------
    def show(self, baseline: Report | None = None) -> Results:
        """Show the results screen: metrics, curves and test images, updated as confidence and IoU thresholds change.

        Parameters
        ----------
        baseline : Report, optional
            Report of an earlier version to compare with, shown next to this one. Differences are this report's metrics
            minus those of the baseline, both by the decision of the baseline, as in :meth:`compare`.

        Returns
        -------
        Results
            Widget that other cells can read and control with ``selected``, ``thresholds``, ``set_thresholds(…)`` and
            ``set_filter(…)``.

        Examples
        --------
        >>> results = report.show()
        >>> results.set_thresholds({"garden": 0.8})
        """
        from customlabels_nb.widgets.results import Results

        actions = None if self._actions is None else self._actions()
        results = Results(self._exploration(baseline), self._about(), actions)
        results.observe(self._move_maps, "position")
        return results

    def map(self, *, random_state: int = 0) -> ProjectMap:
        """Open a map of the test images, on which similar images are close, colored by right and wrong.

        The colors follow the thresholds of the results screen (:meth:`show`). The lasso selects images, whose ground
        truth and predictions are shown beside the map. Labels are not changed there. See :meth:`.Project.map`.

        Parameters
        ----------
        random_state : int
            Seed of the layout.

        Returns
        -------
        ProjectMap
            Widget whose selection other cells can read and control with ``selected`` and ``select``.

        Raises
        ------
        NotAllowedError
            If the report is not that of a model version on the project's test images.

        Examples
        --------
        >>> report_map = report.map()
        >>> report_map.selected.empty
        True
        """
        actions = self._project_actions("map")
        if self._mapped is None:
            self._mapped = self._exploration(None)
            self._mapped.move_to(self._position)
        opened: ProjectMap = actions.open_map(self._mapped, self.name, random_state)
        return opened

    def crops(
        self, kind: BoxMistake = "false positives", *, label: str | None = None, predicted: str | None = None
    ) -> Gallery:
        """Open the gallery with a picture of each wrong box of a detector, to see and correct the ground truth.

        Predicted boxes are dashed, with their confidence, and true ones solid. A box with a wrong label is shown as the
        true box, with the predicted label beside the true one. The mistakes are those at the thresholds of the report.
        Later reports state how many test images were corrected there. See :meth:`.Project.crops`.

        Parameters
        ----------
        kind : {"false positives", "false negatives", "wrong label", "badly placed"}
            Boxes to show: predictions that match no true box, missed true boxes, missed boxes on which another label
            is predicted, or predictions near a true box of their label (IoU of 0.1 up to the IoU threshold).
        label, predicted : str, optional
            True and predicted label, as the row and column of the confusion matrix, where "background" means none.

        Returns
        -------
        Gallery
            Widget whose ``selected`` is a table of the selected boxes.

        Raises
        ------
        NotAllowedError
            If the report is not that of a detector of the project on the project's test images.
        InputError, LabelError
            If the kind is unknown, or the report has no such label.

        Examples
        --------
        >>> model = boxes.train("quick", budget="5s", progress=False)
        >>> crops = model.evaluate().crops("false negatives", label="diode")
        >>> crops.session.split
        'test'
        """
        actions = self._project_actions("crops")
        shown = self._exploration(None)
        opened: Gallery = actions.open_crops(shown.boxes(kind, label, predicted), TEST, seen=shown.predictions)
        return opened

    def _project_actions(self, method: str) -> ProjectActions:
        if self._actions is None:
            raise NotAllowedError(
                "This report has no project with its test images. Use the report of a model version on the project's "
                f"test images: project.model().evaluate().{method}()."
            )
        return self._actions()

    def _move_maps(self, change: Mapping[str, Any]) -> None:
        """Move the thresholds of the maps to those of a results screen."""
        position = Position.from_dict(change["new"])
        labels = set(self.outcomes.labels)  # a results screen that judged again may have others
        self._position = replace(position, own={name: value for name, value in position.own.items() if name in labels})
        if self._mapped is not None and self.root is not None:
            self._mapped.move_to(self._position)
            change_signal.notify(self.root)

    def to_html(
        self, path: str | os.PathLike[str], *, max_images: int = 100, pixels: int = 320, baseline: Report | None = None
    ) -> Path:
        """Write the results screen to one interactive HTML file that any browser opens without a network connection.

        Parameters
        ----------
        path : path
            File to write. An existing file is replaced.
        max_images : int
            Number of test images included as thumbnails, the most confident mistakes first.
        pixels : int
            Longest side of the thumbnails.
        baseline : Report, optional
            Report of an earlier version to compare with, shown next to this one. Differences are this report's metrics
            minus those of the baseline, both by the decision of the baseline, as in :meth:`compare`.

        Examples
        --------
        >>> report.to_html("report.html", max_images=6).name
        'report.html'
        """
        from customlabels_nb.widgets.results import write_results_file

        exploration = self._exploration(baseline)
        notes = [] if baseline is not None else self._outdated()
        return write_results_file(path, exploration, self._about(), notes=notes, max_images=max_images, pixels=pixels)

    def _exploration(self, baseline: Report | None) -> Exploration:
        from customlabels_nb.evaluation.exploring import Exploration

        if baseline is None:
            return Exploration(self, name=self.name)
        _require_report(baseline)
        before, after = baseline._today(), self._today()
        exploration = Exploration(after, name=self.name)
        exploration.compare_with(before, baseline.name, truth_changed=self._truth_changed(before, after))
        return exploration

    def _about(self) -> About:
        from customlabels_nb.widgets.results import About

        def report_of(evaluation: Evaluation) -> Report:
            if evaluation is self:
                return self
            return Report(
                evaluation,
                name=self.name,
                project=self.project,
                details=self.details | {"evaluated": datetime.now(UTC)},
                training=self._given_training,
                root=self.root,
                actions=self._actions,
                access=self._access,
            )

        writers: dict[str, Callable[[Evaluation, str], Any]] = {
            "page": lambda evaluation, path: report_of(evaluation).to_html(path),
            "files": lambda evaluation, path: report_of(evaluation).to(path),
        }
        return About(self.name, self.project, self.details, self._training_images, self.root, writers)

    # -- plots and files: theme="paper" draws in black on white -------------------------------------
    def plot(self, *, theme: Theme | None = None) -> tuple[Axes, Axes, Axes]:
        """Plot F1 per label, the confusion matrix and the precision-recall curves in one figure.

        ``theme="paper"`` draws in black on white. The methods ``plot_…`` draw one plot each, also on your own axes.

        Returns
        -------
        tuple of Axes
            Axes of :meth:`plot_per_label`, :meth:`plot_confusion_matrix` and :meth:`plot_precision_recall`.

        Examples
        --------
        >>> bars, matrix, curves = report.plot()
        >>> bars.figure.savefig("report.png")
        """
        from customlabels_nb.evaluation.plots.overview import plot_overview

        return plot_overview(self, theme=theme)

    def plot_by(
        self,
        column: str | Sequence[str],
        ax: Axes | None = None,
        *,
        bins: int | None = None,
        theme: Theme | None = None,
    ) -> Axes:
        """Plot F1 in each slice of the test images, with ``column`` and ``bins`` as in :meth:`by`.

        Slices that differ from the other images beyond chance are marked. Two columns are drawn as a table with colors.
        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_by("width")
        >>> ax.get_ylabel()
        'width'
        """
        from customlabels_nb.evaluation.plots.heat import plot_heat
        from customlabels_nb.evaluation.plots.versions import plot_versions

        table = self.by(column, bins=bins)
        if not isinstance(column, str):
            return plot_heat(table, ax, theme=theme)
        return plot_versions(table.assign(version=self.name), ax, by=column, theme=theme)

    def plot_per_label(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the F1 of each label as a bar, with the label's metrics next to it.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_per_label()
        """
        from customlabels_nb.evaluation.plots.bars import plot_per_label

        return plot_per_label(self, ax, theme=theme)

    def plot_curves(self, ax: Axes | None = None, label: str | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the F1 of each label against the threshold. With ``label``, also plot that label's precision and recall.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_curves(label="garden")
        """
        from customlabels_nb.evaluation.plots.curves import plot_curves

        return plot_curves(self, ax, label=label, theme=theme)

    def plot_precision_recall(
        self, ax: Axes | None = None, label: str | None = None, *, theme: Theme | None = None
    ) -> Axes:
        """Plot precision against recall for each label, or only for ``label``, with the average precision.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_precision_recall()
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('recall', 'precision')
        """
        from customlabels_nb.evaluation.plots.curves import plot_precision_recall

        return plot_precision_recall(self, ax, label=label, theme=theme)

    def plot_roc(self, ax: Axes | None = None, label: str | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the ROC curve of each label of a classifier, or only of ``label``, with the area under it.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_roc()
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('false positive rate', 'true positive rate (recall)')
        """
        from customlabels_nb.evaluation.plots.curves import plot_roc

        return plot_roc(self, ax, label=label, theme=theme)

    def plot_confusion_matrix(
        self, ax: Axes | None = None, normalize: Normalize | None = None, *, theme: Theme | None = None
    ) -> Axes:
        """Plot the confusion matrix as counts, or as fractions with ``normalize="truth"`` or ``"prediction"``.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_confusion_matrix(normalize="truth")
        """
        return self.confusion_matrix.plot(ax, normalize, theme=theme)

    def plot_confidences(self, ax: Axes | None = None, label: str | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the confidences of correct and wrong predictions, or only those for ``label``, with its threshold.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_confidences(label="garden")
        """
        from customlabels_nb.evaluation.plots.confidence import plot_confidences

        return plot_confidences(self, ax, label=label, theme=theme)

    def plot_calibration(
        self,
        ax: Axes | None = None,
        label: str | None = None,
        bins: int = CALIBRATION_BINS,
        *,
        theme: Theme | None = None,
    ) -> Axes:
        """Plot a calibration curve: accuracy in ``bins`` ranges of confidence, for all labels or only for ``label``.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_calibration(bins=5)
        """
        from customlabels_nb.evaluation.plots.confidence import plot_calibration

        return plot_calibration(self, ax, label=label, bins=bins, theme=theme)

    def plot_support(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the number of test images and, if known, training images of each label.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = report.plot_support()
        """
        from customlabels_nb.evaluation.plots.bars import plot_support

        return plot_support(self, ax, training=self._training_images(), theme=theme)

    def plot_box_sizes(self, ax: Axes | None = None, label: str | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot detected, missed and false boxes by size, for all labels or only for ``label``.

        ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> report = cl.evaluate(boxes.test_set, boxes.test_set, thresholds=0.5)
        >>> ax = report.plot_box_sizes()
        """
        from customlabels_nb.evaluation.plots.bars import plot_box_sizes

        return plot_box_sizes(self, ax, label=label, theme=theme)

    def to(self, folder: str | os.PathLike[str], *, plots: bool = False) -> list[Path]:
        """Write Rekognition's summary and snapshot files, and the tables as CSV. All files are written, or none.

        Parameters
        ----------
        folder : path
            Folder to write to. It is created if needed, and files of the same names are replaced.
        plots : bool
            Also write the plots as PNG files.

        Returns
        -------
        list of Path
            Files written, including the snapshot of the training images if they are known.

        Raises
        ------
        InputError
            If ``folder`` is a file or cannot be written.

        Examples
        --------
        >>> files = report.to("results")
        >>> sorted(file.name for file in files if file.suffix == ".csv")
        ['confusion_matrix.csv', 'per_image.csv', 'per_label.csv', 'summary.csv']
        """
        from customlabels_nb._utils.garbage import collection_paused
        from customlabels_nb.datasets.formats.staging import staged
        from customlabels_nb.evaluation.evaluation_snapshots import snapshot_file_names
        from customlabels_nb.evaluation.summary import evaluation_summary, summary_bytes, summary_file_name

        target = local_path(folder, "folder")
        if target.exists() and not target.is_dir():
            raise InputError(f"folder={str(folder)!r} is a file. Pass a folder.")
        names, notes = (self.project, self.name), []
        with write_errors(f"folder={str(folder)!r}"), collection_paused():
            target.mkdir(parents=True, exist_ok=True)
            content = evaluation_summary(
                self,
                project_version_arn=str(self.details.get("project_version_arn", self.name)),
                ended=self._ended,
                training_images=int(self.details.get("training_images", 0)),
            )
            files: dict[str, Iterable[bytes]] = {summary_file_name(*names): [summary_bytes(content)]}
            for name, snapshot in zip(snapshot_file_names(*names), self._snapshots(), strict=True):
                if snapshot is not None:
                    files[name] = (line + b"\n" for line in snapshot)
                    notes += [_ESTIMATED.format(name, snapshot.estimated)] if snapshot.estimated else []
            with staged(target) as written:
                for name, lines in (files | self._tables()).items():
                    with written.open(target / name, durable=True) as file:
                        file.writelines(lines)
                for name, draw in self._drawings().items() if plots else ():
                    written.write(target / f"{name}.png", _picture(draw), durable=True)
        for note in notes:
            say(note)
        return written.files

    def _snapshots(self) -> Iterator[Snapshot | None]:
        """Yield the snapshots of the test images and the training images."""
        from customlabels_nb.evaluation.evaluation_snapshots import evaluation_snapshot, truth_snapshot

        yield evaluation_snapshot(self, created=self._ended)
        training = self._training
        if training is None:
            yield None
        elif isinstance(training, Evaluation):
            best = zip(self.outcomes.labels, assumed_thresholds(self.outcomes).tolist(), strict=True)
            learnt = {name: value for name, value in best if name in training.outcomes.labels}
            yield evaluation_snapshot(training, created=self._ended, thresholds=learnt)
        else:
            boxes = self.task in DRAWN_TASKS
            yield truth_snapshot(training.image_table, training.annotations, boxes=boxes, created=self._ended)

    def _tables(self) -> dict[str, list[bytes]]:
        tables = {name: getattr(self, name) for name in ("summary", "per_label", "per_image")}
        if self.task in DRAWN_TASKS:
            tables["by_box_size"] = self.by_box_size()
        files = {f"{name}.csv": [_csv(table, index=False)] for name, table in tables.items()}
        return files | {"confusion_matrix.csv": [_csv(self.confusion_matrix.to_frame(), index=True)]}

    def _training_images(self) -> dict[str, int] | None:
        """Return the number of training images by label, or None if unknown."""
        return None if self._training is None else images_by_label(self._training)

    @cached_property
    def _training(self) -> Training | None:
        training = self._given_training
        return training() if callable(training) else training

    def _drawings(self) -> dict[str, Callable[[], Axes]]:
        drawings: dict[str, Callable[[], Axes]] = {
            "per_label": self.plot_per_label,
            "curves": self.plot_curves,
            "precision_recall": self.plot_precision_recall,
            "confusion_matrix": self.plot_confusion_matrix,
            "confidences": self.plot_confidences,
            "calibration": self.plot_calibration,
            "support": self.plot_support,
        }
        return drawings | ({"box_sizes": self.plot_box_sizes} if self.task in DRAWN_TASKS else {"roc": self.plot_roc})

    def __repr__(self) -> str:
        metrics = (f"{head.name} {head.value:.3f}{head.interval and f' {head.interval}'}" for head in self._headline())
        head = f"{self.name}: {counted(len(self.outcomes.images), 'test image')}, {', '.join(metrics)}"
        columns = ["label", "f1", "precision", "recall", "average_precision", "threshold", "test_images"]
        columns = [column for column in columns if column in {"label", *self._columns()}]
        table = self.per_label.sort_values("f1", ascending=False, kind="stable")[columns]
        body = table.to_string(index=False, max_rows=40, max_colwidth=40, float_format="{:.3f}".format)
        notes = [*self._outdated(), *self.notes]
        return printable("\n".join([head, "", body, *(["", *notes] if notes else [])]))

    def _repr_html_(self) -> str:
        columns = self._columns()
        table = self.per_label.sort_values("f1", ascending=False, kind="stable")
        table["boxes"] = table["tp"] + table["fn"]
        table["color"] = table["label"].map(self.labels.set_index("label")["color"])
        table = table.astype(dict.fromkeys(columns, object))
        table.loc[table["test_images"] == 0, [column for column in columns if column not in _ALWAYS]] = None
        half = _MOST_LABELS // 2
        shown = table if len(table) <= _MOST_LABELS else pd.concat([table.head(half), table.tail(half)])
        return render(
            "evaluation.html",
            title=self.name,
            images=counted(len(self.outcomes.images), "test image"),
            headline=self._headline(),
            columns=columns,
            counts=_COUNTS,
            rows=shown.to_dict("records"),
            more=len(table) - len(shown),
            matrix=self.confusion_matrix,
            sentences=[
                *self._outdated(),
                *self.notes,
                *(f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in self.details.items()),
            ],
        )

    def _columns(self) -> dict[str, str]:
        """Return the columns shown for each label and their names, without thresholds if none apply."""
        columns = {**_COLUMNS, **(_BOX_COLUMNS if self.task in DRAWN_TASKS else {})}
        if self.applied.most_confident:
            del columns["threshold"]
        return columns

    def _headline(self) -> list[Headline]:
        """Return the headline metrics, with the 95% confidence interval of F1."""
        rows = self.summary.set_index("metric")
        names = {**_METRICS, **(_DETECTION_METRICS if self.task in DRAWN_TASKS else {})}
        low, high = rows.loc["f1", ["low", "high"]]
        intervals = {"f1": "" if pd.isna(low) else f"[{low:.2f}, {high:.2f}]"}
        return [
            Headline(name, meaning, float(rows.loc[metric, "value"]), intervals.get(metric, ""))
            for metric, (name, meaning) in names.items()
        ]


class Headline(NamedTuple):
    """Metric shown at the top of a report. The interval is empty if there is none."""

    name: str
    meaning: str
    value: float
    interval: str


def _require_report(baseline: object) -> None:
    if not isinstance(baseline, Report):
        raise InputError(
            f"baseline={baseline!r} is not a report. Pass the result of cl.evaluate or model.evaluate, or compare "
            "versions by name with project.compare."
        )


def images_by_label(training: Training) -> dict[str, int]:
    """Return the number of images with each label. Labels without images may be missing."""
    if isinstance(training, Evaluation):
        return dict(zip(training.outcomes.labels, training.outcomes.test_images.tolist(), strict=True))
    labelled = training.annotations[["image", "label"]].dropna().drop_duplicates()
    return {str(label): int(count) for label, count in labelled["label"].value_counts().items()}


@names_arguments
def evaluate(
    truth: pd.DataFrame | Dataset,
    predictions: pd.DataFrame | Dataset,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | EvaluationDecision | None = None,
    task: Task | None = None,
    iou_threshold: float = IOU_THRESHOLD,
    random_state: int = 0,
    name: str = "",
    details: Mapping[str, Any] | None = None,
    training: Training | Callable[[], Training] | None = None,
) -> Report:
    """Evaluate predictions against the ground truth, without a project.

    Parameters
    ----------
    truth : DataFrame or Dataset
        Ground truth with columns ``image`` and ``label``, one row per label (missing for an image without labels).
        Boxes also have ``left``, ``top``, ``width``, ``height`` in pixels, and optionally ``crowd``. The columns may
        have the other names that :func:`read_dataset` reads in CSV files, such as ``filename``, ``class`` and
        ``bbox``. In a dataset, only images whose labelling is complete are used.
    predictions : DataFrame or Dataset
        Predictions with columns ``image``, ``label`` and ``confidence`` (between 0 and 1), or ``score``. For a
        classifier, one row for each pair of an image and a label of the model, or one row for each image with ``image``
        and a column of confidences for each label. A missing pair counts as not predicted at any threshold. For a
        detector, one row per box, with the box columns. ``model.detect_many(…, threshold=0)`` returns such a table.
        In a dataset, annotations without a confidence have a confidence of 1.
    images : list, Series or DataFrame with a column ``image``, optional
        Test images, including those without labels. By default, the images of the dataset passed as ``truth``, or all
        images in either table. Further columns of a DataFrame or dataset are available in ``report.by``.
    labels : list or labels table, optional
        Labels, in order and optionally with colors. By default, the labels of the dataset passed as ``truth``. Those
        that neither table has are listed, but do not count towards the averages.
    thresholds : number, dict, "most confident", "assumed" or "cross-validated", optional
        Rule that decides which predictions are answers. By default, it is "most confident" if the task is
        "single-label", where the label with the highest confidence is the answer for an image, and otherwise "assumed".
        A number or a dict is the minimum confidence of a prediction, for all labels or by label
        (``thresholds=model.thresholds``). With "assumed" (or "best"), and for labels missing in a dict, it is the
        threshold with the label's highest F1. A dict may name labels that neither table has, which are listed like
        those of ``labels``. "cross-validated" chooses these thresholds for each fifth of the images from the other four
        fifths, so that the metrics are not biased by the choice. The thresholds shown are the means of the five.
    task : {None, "single-label", "multi-label", "boxes", "polygons"}
        Task to evaluate. By default "boxes" if a table has a box, "single-label" if there are several labels and no
        image has two in ``truth``, otherwise "multi-label". With "single-label", images with two labels are left out.
        "polygons" matches the areas inside the polygons of the column ``polygon`` (one ring ``[[x, y], …]`` or a list
        of rings) by their IoU, in pixels as in COCO. The mask of a row without a polygon is its box. Pass ``images``
        with ``width`` and ``height`` to clip the masks to the images.
    iou_threshold : float
        Minimum intersection over union (IoU) of matching boxes, above 0 and up to 1.
    random_state : int
        Seed for the bootstrap confidence intervals and for the folds of cross-validated thresholds.
    name, details
        Title shown above the metrics, and a dict of facts shown below them.
    training : Dataset or Evaluation, or a function that returns one, optional
        Training images, for their counts and for the training snapshot that ``report.to`` writes.

    Returns
    -------
    Report
        Report with ``.summary``, ``.per_label``, ``.per_image``, ``.confusion_matrix``, ``.by(column)``, plots and
        files.

    Raises
    ------
    InputError, TableError, LabelError
        If an argument is invalid, for example if a column is missing, a number is not between 0 and 1, or a label is
        not in the tables.
    NotEnoughDataError
        If there is nothing to compare, or ``truth`` and ``predictions`` have no image name in common.

    Examples
    --------
    >>> truth = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "label": ["cat", "dog"]})
    >>> predictions = truth.assign(label=["cat", "cat"], confidence=[0.9, 0.6])
    >>> report = cl.evaluate(truth, predictions, thresholds={"cat": 0.5})
    >>> report.per_label[["label", "tp", "fp", "fn"]]
      label  tp  fp  fn
    0   cat   1   1   0
    1   dog   0   0   1
    """
    from customlabels_nb.datasets.dataset import Dataset
    from customlabels_nb.training.plan import unlabelled_notes

    given = {"truth": truth, "predictions": predictions}
    left_out = [note for name, data in given.items() if isinstance(data, Dataset) for note in _unread(name, data)]
    if isinstance(truth, Dataset):
        labels = truth.labels if labels is None else labels
        if images is None:
            settled = settle_statuses(truth.image_table, truth.annotations)
            images = settled[settled["status"] == "labelled"]
            hint = "If they show none of the labels, pass images=truth.images."
            left_out += [f"{note} {hint}" for note in unlabelled_notes(settled, "images in truth")]
        truth = truth.annotations
    if isinstance(predictions, Dataset):
        predictions = predictions.annotations.fillna({"confidence": 1.0})
    truth, predictions, images, notes = with_usual_columns(truth, predictions, images, labels)
    left_out += notes
    evaluation = evaluate_tables(
        truth,
        predictions,
        images,
        labels=labels,
        thresholds=thresholds,
        task=task,
        iou_threshold=iou_threshold,
        random_state=random_state,
        left_out=left_out,
    )
    return Report(evaluation, name=name, details=details, training=training)


def _unread(name: str, data: Dataset) -> Iterator[str]:
    unread = [issue for issue in data.found if issue.code == "ENTRY_UNREADABLE"]
    if unread:
        count, first = counted(len(unread), "entry", "entries"), unread[0]
        yield f"{count} of {name} could not be read, see its .issues. {first.where}: {first.message}"


def _picture(draw: Callable[[], Axes]) -> bytes:
    from matplotlib import pyplot as plt

    figure = draw().get_figure(root=True)
    assert figure is not None
    try:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    finally:
        plt.close(figure)  # otherwise a notebook would show it as well
    return buffer.getvalue()


def _csv(table: pd.DataFrame, *, index: bool) -> bytes:
    # file names may contain surrogates, which UTF-8 cannot encode
    text: str = table.to_csv(index=index, lineterminator="\n")
    return text.encode(errors="backslashreplace")


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M %Z}".strip() if isinstance(value, datetime) else str(value)
