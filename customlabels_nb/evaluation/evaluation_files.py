"""The files of an evaluation in a folder: the service's summary and snapshots, tables as CSV, drawings as PNG."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb.datasets.formats.json_file import no_garbage_collection
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.evaluation_snapshots import (
    Snapshot,
    evaluation_snapshot,
    snapshot_file_names,
    truth_snapshot,
)
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.summary import evaluation_summary, summary_bytes, summary_file_name
from customlabels_nb.events import say
from customlabels_nb.images.reading import local_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ESTIMATED = (
    "{}: the sizes of {:,} images aren't known, so the extent of their boxes stands there; "
    "evaluate(…, images=) takes columns width and height."
)


class TrainingSet(Protocol):
    """The images that a model was trained on, and their labels: a dataset."""

    @property
    def images(self) -> pd.DataFrame: ...

    @property
    def annotations(self) -> pd.DataFrame: ...


def write_evaluation_files(
    evaluation: Evaluation,
    folder: str | os.PathLike[str],
    *,
    names: tuple[str, ...],
    project_version_arn: str,
    ended: datetime,
    training_images: int,
    training: Evaluation | TrainingSet | None,
    drawings: Mapping[str, Callable[[], Axes]],
) -> list[Path]:
    """Write the files of an evaluation; each appears whole or not at all, and files of the same names are replaced.

    Parameters
    ----------
    evaluation : Evaluation
    folder : path
        Made if it isn't there.
    names : tuple of str
        Of project and version, for the names of files.
    project_version_arn, ended, training_images
        As in :func:`customlabels_nb.evaluation.summary.evaluation_summary`.
    training : Evaluation, or something with the tables ``images`` and ``annotations``, or None
        Of the training images; without predictions their snapshot has only the truth.
    drawings : dict
        Names of files and functions that draw, for PNGs.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If ``folder`` is a file.
    """
    target = local_path(folder, "folder")
    if target.exists() and not target.is_dir():
        raise InputError(f"folder={str(folder)!r} is a file; name a folder.")
    target.mkdir(parents=True, exist_ok=True)
    paths, notes = [], []
    with no_garbage_collection():
        content = evaluation_summary(
            evaluation, project_version_arn=project_version_arn, ended=ended, training_images=training_images
        )
        files: dict[str, Iterable[bytes]] = {summary_file_name(*names): [summary_bytes(content)]}
        for name, snapshot in zip(snapshot_file_names(*names), _snapshots(evaluation, training, ended), strict=True):
            if snapshot is not None:
                files[name] = (line + b"\n" for line in snapshot)
                notes += [_ESTIMATED.format(name, snapshot.estimated)] if snapshot.estimated else []
        for name, lines in (files | _tables(evaluation)).items():
            with replacing(target / name) as file:
                file.writelines(lines)
            paths.append(target / name)
    for name, draw in drawings.items():
        paths.append(target / f"{name}.png")
        write_whole(paths[-1], _picture(draw))
    for note in notes:
        say(note)
    return paths


def _snapshots(
    evaluation: Evaluation, training: Evaluation | TrainingSet | None, ended: datetime
) -> Iterator[Snapshot | None]:
    """The snapshot of the test images, and that of the training images."""
    yield evaluation_snapshot(evaluation, created=ended)
    if training is None:
        yield None
    elif isinstance(training, Evaluation):
        yield evaluation_snapshot(training, created=ended)
    else:
        boxes = evaluation.task == DETECTION
        yield truth_snapshot(training.images, training.annotations, boxes=boxes, created=ended)


def _tables(evaluation: Evaluation) -> dict[str, list[bytes]]:
    tables = {name: getattr(evaluation, name) for name in ("summary", "per_label", "per_image")}
    if evaluation.task == DETECTION:
        tables["by_box_size"] = evaluation.by_box_size()
    files = {f"{name}.csv": [_csv(table, index=False)] for name, table in tables.items()}
    return files | {"confusion_matrix.csv": [_csv(evaluation.confusion_matrix.to_frame(), index=True)]}


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
