"""The files of an evaluation in a folder: the service's summary and snapshots, tables as CSV, drawings as PNG."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class EvaluationFiles:
    """What is to be written of an evaluation.

    Attributes
    ----------
    evaluation : Evaluation
    names : tuple of str
        Of project and version, for the names of files.
    project_version_arn, ended, training_images
        As in :func:`customlabels_nb.evaluation.summary.evaluation_summary`.
    training : Evaluation, or something with the tables ``images`` and ``annotations``, optional
        Of the training images; without predictions their snapshot has only the truth.
    """

    evaluation: Evaluation
    names: tuple[str, ...]
    project_version_arn: str
    ended: datetime
    training_images: int = 0
    training: Evaluation | TrainingSet | None = None

    def write(
        self, folder: str | os.PathLike[str], *, drawings: Mapping[str, Callable[[], Axes]]
    ) -> tuple[list[Path], list[str]]:
        """Write them; each file appears whole or not at all, and files of the same names are replaced.

        Parameters
        ----------
        folder : path
            Made if it isn't there.
        drawings : dict
            Names of files and functions that draw, for PNGs.

        Returns
        -------
        paths : list of Path
        notes : list of str
            What isn't in them as one would expect, in sentences.

        Raises
        ------
        InputError
            If ``folder`` is a file.
        """
        target = local_path(folder, "folder")
        if target.exists() and not target.is_dir():
            raise InputError(f"folder={str(folder)!r} is a file; name a folder.")
        target.mkdir(parents=True, exist_ok=True)
        paths, notes = [], list[str]()
        with no_garbage_collection():
            for name, lines in self._files(notes):
                with replacing(target / name) as file:
                    file.writelines(lines)
                paths.append(target / name)
        for name, draw in drawings.items():
            paths.append(target / f"{name}.png")
            write_whole(paths[-1], _picture(draw))
        return paths, notes

    def _files(self, notes: list[str]) -> Iterator[tuple[str, Iterable[bytes]]]:
        found = self.evaluation
        content = evaluation_summary(
            found,
            project_version_arn=self.project_version_arn,
            ended=self.ended,
            training_images=self.training_images,
        )
        yield summary_file_name(*self.names), [summary_bytes(content)]
        for name, snapshot in zip(snapshot_file_names(*self.names), self._snapshots(), strict=True):
            if snapshot is not None:
                notes += [_ESTIMATED.format(name, snapshot.estimated)] if snapshot.estimated else []
                yield name, (line + b"\n" for line in snapshot)
        for name, table in (
            ("summary", found.summary),
            ("per_label", found.per_label),
            ("per_image", found.per_image),
        ):
            yield f"{name}.csv", [_csv(table, index=False)]
        if found.task == DETECTION:
            yield "by_box_size.csv", [_csv(found.by_box_size(), index=False)]
        yield "confusion_matrix.csv", [_csv(found.confusion_matrix.to_frame(), index=True)]

    def _snapshots(self) -> Iterator[Snapshot | None]:
        """Of the test images, and of the training images."""
        yield evaluation_snapshot(self.evaluation, created=self.ended)
        if self.training is None:
            yield None
        elif isinstance(self.training, Evaluation):
            yield evaluation_snapshot(self.training, created=self.ended)
        else:
            boxes, tables = self.evaluation.task == DETECTION, self.training
            yield truth_snapshot(tables.images, tables.annotations, boxes=boxes, created=self.ended)


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
