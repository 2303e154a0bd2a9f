"""What an evaluation shows: tables, drawings, files, and itself in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from customlabels_nb.errors import InputError
from customlabels_nb.events import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from customlabels_nb.evaluation import ConfusionMatrix, Evaluation
    from customlabels_nb.evaluation.advice import Advice
    from customlabels_nb.evaluation.comparison import Comparison
    from customlabels_nb.evaluation.exploring import Exploration, Hands
    from customlabels_nb.evaluation.files import TrainingSet
    from customlabels_nb.evaluation.snapshot_reading import SnapshotTables
    from customlabels_nb.evaluation.summary import EvaluationSummary
    from customlabels_nb.widgets.results import About, Results

    Training: TypeAlias = Evaluation | TrainingSet


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
    training : Dataset or Evaluation, or a function that gives one, optional
        The training images, for their snapshot among the files: with labels alone, or also with predictions.
    root : Path, optional
        The project's folder, under which relative paths of images lie.
    hands : callable, optional
        ``hands()`` gives what the results screen can do to a project; see
        :class:`customlabels_nb.evaluation.exploring.Hands`.
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
        hands: Callable[[], Hands] | None = None,
    ) -> None:
        self.evaluation = evaluation
        self._hands = hands
        self.root = root
        self.project = project
        self.name = name or "evaluation"
        self.details = dict(details or {})
        if not isinstance(self.details.get("evaluated"), datetime | None):
            raise InputError(f"details['evaluated'] is {self.details['evaluated']!r}; give a datetime.")
        self._ended = self.details.get("evaluated") or datetime.now(UTC)
        self._given_training = training

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

    def by(self, column: str) -> pd.DataFrame:
        """The figures of each slice of the test images: by camera, day, tag or any other column of theirs.

        See :meth:`customlabels_nb.evaluation.Evaluation.by`.
        """
        return self.evaluation.by(column)

    def precision_recall(self, label: str) -> pd.DataFrame:
        """``recall``, ``precision`` and ``threshold`` of one label, as the threshold comes down."""
        return self.evaluation.precision_recall(label)

    def calibration(self, bins: int = 10, *, label: str | None = None) -> pd.DataFrame:
        """Which share of the predictions of about one confidence is right; the error is in ``.attrs["error"]``.

        ``bins`` is how many ranges of confidence there are, ``label`` the one that is looked at instead of all.
        """
        return self.evaluation.calibration(bins, label=label)

    def by_box_size(self) -> pd.DataFrame:
        """How well a detector finds small, medium and large boxes: ``label`` (null: all), ``size``, counts, ratios."""
        return self.evaluation.by_box_size()

    @property
    def notes(self) -> list[str]:
        """What a reader of the figures has to know, in sentences."""
        return list(self.evaluation.notes)

    # -- what to do about it ------------------------------------------------------------------------
    @cached_property
    def advice(self) -> Advice:
        """What would help most, the strongest first, each with its images and the call that does it."""
        return self.advise()

    def advise(
        self,
        *,
        features: Mapping[str, Any] | pd.DataFrame | Any | None = None,
        training: Mapping[str, int] | None = None,
    ) -> Advice:
        """:attr:`advice` that takes more into account.

        Parameters
        ----------
        features : dict, DataFrame or ndarray, optional
            Features of the test images (image → vector, a table indexed by image, or one row a test image): tells
            labels that hide several looks.
        training : dict, optional
            Number of training images by label, tells labels that have too few; by default what is known of them.
        """
        from customlabels_nb.evaluation.advice import advise, picture_of

        return advise(
            self.evaluation,
            training=self._training_images() if training is None else training,
            features=features,
            name=self.name,
            in_project=bool(self.project),
            pictures=partial(picture_of, root=self.root),
        )

    def compare(self, after: Report, *, common: bool = False, random_state: int = 0) -> Comparison:
        """What changed from this report to another one on the same test images.

        See :func:`customlabels_nb.evaluation.comparison.compare` for what is raised.

        Parameters
        ----------
        after : Report
        common : bool
            Compare the test images that both have, where there are others.
        random_state : int
            Seeds the resampling of the intervals.
        """
        from customlabels_nb.evaluation.comparison import compare

        names = (self.name, after.name)
        return compare(self.evaluation, after.evaluation, common=common, names=names, random_state=random_state)

    # -- looking around -----------------------------------------------------------------------------
    def show(self, compare: Report | None = None) -> Results:
        """The results screen: numbers, curves and test images that follow as thresholds and overlap are moved.

        Parameters
        ----------
        compare : Report, optional
            Of another version, put beside it as what was before.

        Returns
        -------
        Results
            A widget that other cells can read and steer: ``selected``, ``thresholds``, ``set_thresholds(…)``,
            ``set_filter(…)``.
        """
        from customlabels_nb.widgets.results import Results

        hands = None if self._hands is None else self._hands()
        return Results(self._exploration(compare), self._about(), hands)

    def to_html(
        self, path: str | os.PathLike[str], *, images: int = 100, pixels: int = 320, compare: Report | None = None
    ) -> Path:
        """Write the results screen to one file that any browser opens without a network; its sliders live in the page.

        Parameters
        ----------
        path : path
            A file of that name is replaced.
        images : int
            How many test images are in it as small pictures, the most confident mistakes first.
        pixels : int
            The longest side of these.
        compare : Report, optional
            Of another version, put beside it as what was before.
        """
        from customlabels_nb.widgets.results_file import write_results_file

        return write_results_file(path, self._exploration(compare), self._about(), images=images, pixels=pixels)

    def _exploration(self, compare: Report | None) -> Exploration:
        from customlabels_nb.evaluation.exploring import Exploration

        exploration = Exploration(self.evaluation, name=self.name, advice=lambda: self.advice)
        if compare is not None:
            exploration.compare_with(compare.evaluation, compare.name)
        return exploration

    def _about(self) -> About:
        from customlabels_nb.widgets.results import About

        writers: dict[str, Callable[[str], Any]] = {"page": self.to_html, "files": self.to}
        return About(self.name, self.project, self.details, self._training_images, self.root, writers)

    # -- drawings and files -------------------------------------------------------------------------
    def plot_per_label(self, ax: Axes | None = None) -> Axes:
        """Bars of F1 by label, with the figures beside them."""
        from customlabels_nb.evaluation.plots import plot_per_label

        return plot_per_label(self.evaluation, ax)

    def plot_curves(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """F1 of all labels along the threshold; with ``label`` also precision and recall of that one."""
        from customlabels_nb.evaluation.plots import plot_curves

        return plot_curves(self.evaluation, ax, label=label)

    def plot_precision_recall(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """Precision against recall of all labels or of one, with average precision."""
        from customlabels_nb.evaluation.plots import plot_precision_recall

        return plot_precision_recall(self.evaluation, ax, label=label)

    def plot_confusion_matrix(self, ax: Axes | None = None, normalize: str | None = None) -> Axes:
        """What is taken for what: counts, or shares of ``normalize="truth"`` or ``"prediction"``."""
        return self.confusion_matrix.plot(ax, normalize)

    def plot_confidences(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """How confident right and wrong predictions are; with ``label`` those of that one and its threshold."""
        from customlabels_nb.evaluation.plots import plot_confidences

        return plot_confidences(self.evaluation, ax, label=label)

    def plot_calibration(self, ax: Axes | None = None, label: str | None = None, bins: int = 10) -> Axes:
        """How often predictions of each confidence are right, in ``bins`` ranges, of all labels or of one."""
        from customlabels_nb.evaluation.plots import plot_calibration

        return plot_calibration(self.evaluation, ax, label=label, bins=bins)

    def plot_support(self, ax: Axes | None = None) -> Axes:
        """How many test images each label has and, where they are known, training images."""
        from customlabels_nb.evaluation.plots import plot_support

        return plot_support(self.evaluation, ax, training=self._training_images())

    def plot_box_sizes(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """Boxes found, missed and falsely found, by their size; of all labels or of one."""
        from customlabels_nb.evaluation.plots import plot_box_sizes

        return plot_box_sizes(self.evaluation, ax, label=label)

    def to(self, folder: str | os.PathLike[str], *, plots: bool = False) -> list[Path]:
        """Write the service's summary and snapshots, and the tables as CSV; each file appears whole or not at all.

        Parameters
        ----------
        folder : path
            Made if it isn't there; files of the same names are replaced.
        plots : bool
            Write the drawings, too, as PNG.

        Returns
        -------
        list of Path
            The files written. The snapshot of the training images is among them where they are known.

        Raises
        ------
        InputError
            If ``folder`` is a file.
        """
        from customlabels_nb.evaluation.files import EvaluationFiles

        files = EvaluationFiles(
            evaluation=self.evaluation,
            names=(self.project, self.name),
            project_version_arn=str(self.details.get("project_version_arn", self.name)),
            ended=self._ended,
            training_images=int(self.details.get("training_images", 0)),
            training=self._training,
        )
        paths, notes = files.write(folder, drawings=self._drawings() if plots else {})
        for note in notes:
            say(note)
        return paths

    def _training_images(self) -> dict[str, int] | None:
        """The number of training images by label, where they are known."""
        from customlabels_nb.evaluation.support import images_by_label

        return None if self._training is None else images_by_label(self._training)

    @cached_property
    def _training(self) -> Training | None:
        given = self._given_training
        return given() if callable(given) else given

    def _drawings(self) -> dict[str, Callable[[], Axes]]:
        found: dict[str, Callable[[], Axes]] = {
            "per_label": self.plot_per_label,
            "curves": self.plot_curves,
            "precision_recall": self.plot_precision_recall,
            "confusion_matrix": self.plot_confusion_matrix,
            "confidences": self.plot_confidences,
            "calibration": self.plot_calibration,
            "support": self.plot_support,
        }
        return found | ({"box_sizes": self.plot_box_sizes} if self.evaluation.task == "detection" else {})

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
    thresholds: float | Mapping[str, float] | str | None = None,
    task: str | None = None,
    overlap: float = 0.5,
    random_state: int = 0,
    name: str = "",
    details: Mapping[str, Any] | None = None,
    training: Training | Callable[[], Training] | None = None,
) -> Report:
    """Compare predictions with the truth, without a project.

    The arguments up to ``random_state`` are those of :func:`customlabels_nb.evaluation.evaluate`, ``name``,
    ``details`` and ``training`` those of :class:`Report`.
    """
    from customlabels_nb import evaluation

    found = evaluation.evaluate(
        truth,
        predictions,
        images,
        labels=labels,
        thresholds=thresholds,
        task=task,
        overlap=overlap,
        random_state=random_state,
    )
    return Report(found, name=name, details=details, training=training)


def read_evaluation_summary(path: str | os.PathLike[str]) -> EvaluationSummary:
    """The result summary of an evaluation, written by ``report.to`` or by the hosted service.

    See :func:`customlabels_nb.evaluation.summary.read_evaluation_summary`.
    """
    from customlabels_nb.evaluation.summary import read_evaluation_summary

    return read_evaluation_summary(path)


def read_evaluation_snapshot(path: str | os.PathLike[str]) -> SnapshotTables:
    """Truth, predictions and images of an evaluation snapshot; ``cl.evaluate(*tables)`` judges them again.

    See :func:`customlabels_nb.evaluation.snapshot_reading.read_evaluation_snapshot`.
    """
    from customlabels_nb.evaluation.snapshot_reading import read_evaluation_snapshot

    return read_evaluation_snapshot(path)
