"""What an evaluation shows: tables, drawings, files, and itself in a notebook."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import printable
from customlabels_nb.core.tables import settle_statuses
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.result import evaluate as evaluate_tables
from customlabels_nb.events import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from customlabels_nb.datasets.dataset import Dataset
    from customlabels_nb.evaluation.advice import Advice
    from customlabels_nb.evaluation.comparison.comparing import Comparison
    from customlabels_nb.evaluation.evaluation_snapshots import Snapshot
    from customlabels_nb.evaluation.exploring import Exploration
    from customlabels_nb.labeling.project_actions import ProjectActions
    from customlabels_nb.widgets.results import About, Results

    Training: TypeAlias = Evaluation | Dataset

#: Of more labels than these, so many are shown in a notebook: half of them the best, half the worst.
_MOST_LABELS = 100
_COLUMNS = {"f1": "F1", "precision": "precision", "recall": "recall", "threshold": "threshold", "test_images": "test"}
_BOX_COLUMNS = {"boxes": "boxes", "average_precision": "AP"}
_COUNTS = ("test_images", "boxes")
_ALWAYS = ("threshold", "test_images", "boxes")  # also of a label that no test image has
#: The figures at the head: name, and what it means.
_METRICS = {
    "f1": ("F1", "mean over the labels, with its 95 % interval"),
    "precision": ("precision", "mean over the labels"),
    "recall": ("recall", "mean over the labels"),
}
_DETECTION_METRICS = {
    "mean_average_precision": ("mAP", "mean over the labels of the average precision at the overlap chosen"),
    "mean_average_recall": ("mAR", "mean over the labels of the highest recall at the overlap chosen"),
    "coco_map": ("COCO mAP", "mean of mAP at the overlaps 0.50, 0.55, … 0.95"),
}
_ESTIMATED = (
    "{}: the sizes of {:,} images aren't known, so the extent of their boxes stands there; "
    "evaluate(…, images=) takes columns width and height."
)


class Report(Evaluation):
    """An evaluation with a name: it shows itself, and writes drawings and files.

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
    actions : callable, optional
        ``actions()`` gives what the results screen can do to a project; see
        :class:`customlabels_nb.labeling.project_actions.ProjectActions`.
    hands : callable, optional
        Another name of ``actions``.
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
        hands: Callable[[], ProjectActions] | None = None,
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
        )
        self._actions = actions or hands
        self.root = root
        self.project = project
        self.name = name or "evaluation"
        self.details = dict(details or {})
        if not isinstance(self.details.get("evaluated"), datetime | None):
            raise InputError(f"details['evaluated'] is {self.details['evaluated']!r}; give a datetime.")
        self._ended = self.details.get("evaluated") or datetime.now(UTC)
        self._given_training = training

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation, which is the report itself."""
        return self

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
        from customlabels_nb.evaluation.advice import picture_of

        return self._advise(
            training=self._training_images() if training is None else training,
            features=features,
            name=self.name,
            in_project=bool(self.project),
            pictures=partial(picture_of, root=self.root),
        )

    def compare(self, after: Report, *, common: bool = False, random_state: int = 0) -> Comparison:
        """Return what changed from this report to another one on the same test images.

        Parameters
        ----------
        after : Report
        common : bool
            Compare the test images that both have, where there are others.
        random_state : int
            Seeds the resampling of the intervals.

        Raises
        ------
        InputError
            If tasks, IoU thresholds or (without ``common``) test images differ.
        NotEnoughDataError
            If no test image is in both.
        """
        from customlabels_nb.evaluation.comparison.comparing import compare

        names = (self.name, after.name)
        return compare(self, after, common=common, names=names, random_state=random_state)

    # -- looking around -----------------------------------------------------------------------------
    def show(self, compare: Report | None = None) -> Results:
        """The results screen: numbers, curves and test images that follow as thresholds and IoU are moved.

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

        actions = None if self._actions is None else self._actions()
        return Results(self._exploration(compare), self._about(), actions)

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
        from customlabels_nb.widgets.results import write_results_file

        return write_results_file(path, self._exploration(compare), self._about(), images=images, pixels=pixels)

    def _exploration(self, compare: Report | None) -> Exploration:
        from customlabels_nb.evaluation.exploring import Exploration

        exploration = Exploration(self, name=self.name)
        if compare is not None:
            exploration.compare_with(compare, compare.name)
        return exploration

    def _about(self) -> About:
        from customlabels_nb.widgets.results import About

        writers: dict[str, Callable[[str], Any]] = {"page": self.to_html, "files": self.to}
        return About(self.name, self.project, self.details, self._training_images, self.root, writers)

    # -- drawings and files -------------------------------------------------------------------------
    def plot_per_label(self, ax: Axes | None = None) -> Axes:
        """Bars of F1 by label, with the figures beside them."""
        from customlabels_nb.evaluation.plots.bars import plot_per_label

        return plot_per_label(self, ax)

    def plot_curves(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """F1 of all labels along the threshold; with ``label`` also precision and recall of that one."""
        from customlabels_nb.evaluation.plots.curves import plot_curves

        return plot_curves(self, ax, label=label)

    def plot_precision_recall(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """Precision against recall of all labels or of one, with average precision."""
        from customlabels_nb.evaluation.plots.curves import plot_precision_recall

        return plot_precision_recall(self, ax, label=label)

    def plot_confusion_matrix(self, ax: Axes | None = None, normalize: str | None = None) -> Axes:
        """What is taken for what: counts, or shares of ``normalize="truth"`` or ``"prediction"``."""
        return self.confusion_matrix.plot(ax, normalize)

    def plot_confidences(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """How confident right and wrong predictions are; with ``label`` those of that one and its threshold."""
        from customlabels_nb.evaluation.plots.confidence import plot_confidences

        return plot_confidences(self, ax, label=label)

    def plot_calibration(self, ax: Axes | None = None, label: str | None = None, bins: int = 10) -> Axes:
        """How often predictions of each confidence are right, in ``bins`` ranges, of all labels or of one."""
        from customlabels_nb.evaluation.plots.confidence import plot_calibration

        return plot_calibration(self, ax, label=label, bins=bins)

    def plot_support(self, ax: Axes | None = None) -> Axes:
        """How many test images each label has and, where they are known, training images."""
        from customlabels_nb.evaluation.plots.bars import plot_support

        return plot_support(self, ax, training=self._training_images())

    def plot_box_sizes(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """Boxes found, missed and falsely found, by their size; of all labels or of one."""
        from customlabels_nb.evaluation.plots.bars import plot_box_sizes

        return plot_box_sizes(self, ax, label=label)

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
        from customlabels_nb.datasets.formats.json_file import no_garbage_collection
        from customlabels_nb.evaluation.evaluation_snapshots import snapshot_file_names
        from customlabels_nb.evaluation.summary import evaluation_summary, summary_bytes, summary_file_name
        from customlabels_nb.images.reading import local_path

        target = local_path(folder, "folder")
        if target.exists() and not target.is_dir():
            raise InputError(f"folder={str(folder)!r} is a file; name a folder.")
        target.mkdir(parents=True, exist_ok=True)
        names = (self.project, self.name)
        paths, notes = [], []
        with no_garbage_collection():
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
            for name, lines in (files | self._tables()).items():
                with replacing(target / name) as file:
                    file.writelines(lines)
                paths.append(target / name)
        for name, draw in self._drawings().items() if plots else ():
            paths.append(target / f"{name}.png")
            write_whole(paths[-1], _picture(draw))
        for note in notes:
            say(note)
        return paths

    def _snapshots(self) -> Iterator[Snapshot | None]:
        """The snapshot of the test images, and that of the training images."""
        from customlabels_nb.evaluation.evaluation_snapshots import evaluation_snapshot, truth_snapshot

        yield evaluation_snapshot(self, created=self._ended)
        training = self._training
        if training is None:
            yield None
        elif isinstance(training, Evaluation):
            yield evaluation_snapshot(training, created=self._ended)
        else:
            boxes = self.task == DETECTION
            yield truth_snapshot(training.images, training.annotations, boxes=boxes, created=self._ended)

    def _tables(self) -> dict[str, list[bytes]]:
        tables = {name: getattr(self, name) for name in ("summary", "per_label", "per_image")}
        if self.task == DETECTION:
            tables["by_box_size"] = self.by_box_size()
        files = {f"{name}.csv": [_csv(table, index=False)] for name, table in tables.items()}
        return files | {"confusion_matrix.csv": [_csv(self.confusion_matrix.to_frame(), index=True)]}

    def _training_images(self) -> dict[str, int] | None:
        """Return the number of training images by label, where they are known."""
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
        return found | ({"box_sizes": self.plot_box_sizes} if self.task == "detection" else {})

    def __repr__(self) -> str:
        metrics = (f"{head.name} {head.value:.3f}{head.interval and f' {head.interval}'}" for head in self._headline())
        head = f"{self.name}: {self._number_of_images()}, {', '.join(metrics)}"
        columns = ["label", "f1", "precision", "recall", "threshold", "test_images"]
        if self.task == DETECTION:
            columns.insert(4, "average_precision")
        table = self.per_label.sort_values("f1", ascending=False, kind="stable")[columns]
        body = table.to_string(index=False, max_rows=40, max_colwidth=40, float_format="{:.3f}".format)
        return printable("\n".join([head, "", body, *(["", *self.notes] if self.notes else [])]))

    def _repr_html_(self) -> str:
        columns = {**_COLUMNS, **(_BOX_COLUMNS if self.task == DETECTION else {})}
        table = self.per_label.sort_values("f1", ascending=False, kind="stable")
        table["boxes"] = table["tp"] + table["fn"]
        table["colour"] = table["label"].map(self.labels.set_index("label")["colour"])
        table = table.astype(dict.fromkeys(columns, object))
        table.loc[table["test_images"] == 0, [column for column in columns if column not in _ALWAYS]] = None
        half = _MOST_LABELS // 2
        shown = table if len(table) <= _MOST_LABELS else pd.concat([table.head(half), table.tail(half)])
        return render(
            "evaluation.html",
            title=self.name,
            images=self._number_of_images(),
            headline=self._headline(),
            columns=columns,
            counts=_COUNTS,
            rows=shown.to_dict("records"),
            more=len(table) - len(shown),
            matrix=self.confusion_matrix,
            sentences=[
                *self.notes,
                *(f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in self.details.items()),
            ],
        )

    def _headline(self) -> list[Headline]:
        """The figures that come first, F1 with its 95 % interval."""
        rows = self.summary.set_index("figure")
        names = {**_METRICS, **(_DETECTION_METRICS if self.task == DETECTION else {})}
        low, high = rows.loc["f1", ["low", "high"]]
        intervals = {"f1": "" if pd.isna(low) else f"[{low:.2f}, {high:.2f}]"}
        return [
            Headline(name, meaning, float(rows.loc[metric, "value"]), intervals.get(metric, ""))
            for metric, (name, meaning) in names.items()
        ]

    def _number_of_images(self) -> str:
        count = len(self.outcomes.images)
        return f"{count:,} test image{'' if count == 1 else 's'}"


class Headline(NamedTuple):
    """A figure at the head of an evaluation; the interval is empty where there is none."""

    name: str
    meaning: str
    value: float
    interval: str


def images_by_label(training: Training) -> dict[str, int]:
    """Return the number of images that have each label; labels without any may be missing."""
    if isinstance(training, Evaluation):
        return dict(zip(training.outcomes.labels, training.outcomes.test_images.tolist(), strict=True))
    labelled = training.annotations[["image", "label"]].dropna().drop_duplicates()
    return {str(label): int(count) for label, count in labelled["label"].value_counts().items()}


def evaluate(
    truth: pd.DataFrame | Dataset,
    predictions: pd.DataFrame | Dataset,
    images: Iterable[str] | pd.DataFrame | None = None,
    *,
    labels: Iterable[str] | pd.DataFrame | None = None,
    thresholds: float | Mapping[str, float] | str | None = None,
    task: str | None = None,
    iou_threshold: float = 0.5,
    random_state: int = 0,
    name: str = "",
    details: Mapping[str, Any] | None = None,
    training: Training | Callable[[], Training] | None = None,
    overlap: float | None = None,
) -> Report:
    """Compare predictions with the truth, without a project.

    Parameters
    ----------
    truth : DataFrame or Dataset
        Columns ``image`` and ``label``, one row a label (null: an image without labels); of boxes also ``left``,
        ``top``, ``width``, ``height`` in pixels, perhaps ``crowd``. Of a dataset the images count whose labelling is
        complete.
    predictions : DataFrame or Dataset
        Columns ``image``, ``label`` and ``confidence`` (0..1), for each image every label that the model knows: a
        missing pair is never predicted. Of a detector one row a box, with the columns of boxes.
        ``model.detect_many(…, threshold=0)`` gives such a table. A dataset's annotations without a confidence have 1.
    images : list, Series or DataFrame with a column ``image``, optional
        The test images, so that those without labels count, too; by default those of the dataset that is the truth, or
        of both tables. Further columns of a DataFrame or dataset are kept, for ``report.by``.
    labels : list or labels table, optional
        Order and colours; by default those of the dataset that is the truth.
    thresholds : number, dict, "best" or "cross-validated", optional
        The confidence from which on a prediction counts: one for all labels, or by label
        (``thresholds=model.thresholds``). By default, by "best" and for labels that a dict doesn't name it is where
        the label's F1 is highest. "cross-validated" chooses it for each fifth of the images on the other four: such
        figures are honest, and the thresholds shown the means of the five.
    task : {None, "single-label", "multi-label", "detection"}
        By default "detection" if a table has a box, "single-label" if no image has two labels in ``truth``, otherwise
        "multi-label".
    iou_threshold : float
        Of boxes: the intersection over union (above 0, up to 1) from which on a prediction may match.
    random_state : int
        Seeds the resampling of the intervals, and how images are dealt for cross-validated thresholds.
    name, details
        Shown above and below the figures: a text, and a dict.
    training : Dataset or Evaluation, or a function that returns one, optional
        The training images, for their numbers and for their snapshot among the files that ``report.to`` writes.
    overlap : float, optional
        Another name of ``iou_threshold``.

    Returns
    -------
    Report
        ``.summary``, ``.per_label``, ``.per_image``, ``.confusion_matrix``, ``.by(column)``, drawings and files.

    Raises
    ------
    InputError, TableError, LabelError
        If an argument can't be used: a column is missing, a number isn't from 0 to 1, a label isn't in the tables.
    NotEnoughDataError
        If there is nothing to compare, or truth and predictions have no image name in common.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "label": ["cat", "dog"]})
    >>> predictions = truth.assign(label=["cat", "cat"], confidence=[0.9, 0.6])
    >>> evaluate(truth, predictions, thresholds={"cat": 0.5}).per_label[["label", "tp", "fp", "fn"]]
      label  tp  fp  fn
    0   cat   1   1   0
    1   dog   0   0   1
    """
    from customlabels_nb.datasets.dataset import Dataset

    if isinstance(truth, Dataset):
        labels = truth.labels if labels is None else labels
        settled = settle_statuses(truth.images, truth.annotations)
        images = settled[settled["status"] == "labelled"] if images is None else images
        truth = truth.annotations
    if isinstance(predictions, Dataset):
        predictions = predictions.annotations.fillna({"confidence": 1.0})
    found = evaluate_tables(
        truth,
        predictions,
        images,
        labels=labels,
        thresholds=thresholds,
        task=task,
        iou_threshold=iou_threshold if overlap is None else overlap,
        random_state=random_state,
    )
    return Report(found, name=name, details=details, training=training)


def _picture(draw: Callable[[], Axes]) -> bytes:
    """What a function draws, as PNG."""
    from matplotlib import pyplot as plt

    figure = draw().get_figure(root=True)
    assert figure is not None
    try:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    finally:
        plt.close(figure)  # otherwise a notebook would show it, too
    return buffer.getvalue()


def _csv(table: pd.DataFrame, *, index: bool) -> bytes:
    # names of files may hold what UTF-8 can't
    text: str = table.to_csv(index=index, lineterminator="\n")
    return text.encode(errors="backslashreplace")


def _shown(value: object) -> str:
    """Return a detail as text: times to the minute."""
    return f"{value:%Y-%m-%d %H:%M %Z}".strip() if isinstance(value, datetime) else str(value)
