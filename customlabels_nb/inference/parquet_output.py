"""Answers about many images as a folder of Parquet files, which together are one table."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb._utils.installing import extra_command
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.errors import InputError, MissingDependencyError
from customlabels_nb.inference.journal import Mark
from customlabels_nb.inference.outputs import Looked, plain, sync_folder, table_of
from customlabels_nb.inference.postprocess import DETECTION_COLUMNS, ImagePrediction, joined
from customlabels_nb.models.artifact import ModelConfig

_PART = re.compile(r"part-(\d{6,12})\.parquet")
_CUT_OFF = re.compile(r"\.[0-9a-f]{12}\.part")


class ParquetParts:
    """See the module and :class:`customlabels_nb.inference.outputs.Output`; a mark is the name of a file.

    Raises
    ------
    MissingDependencyError
        If the package that writes Parquet isn't here.
    """

    form = "Parquet"
    images_a_step, seconds_a_step = 2000, 30.0

    def __init__(self, path: Path, config: ModelConfig) -> None:
        self.path = path
        self.journal = path / "_journal.jsonl"  # who reads a folder of Parquet passes over what begins like this
        self._labels = np.asarray(config.labels, dtype=object)
        self._number = 0
        self._arrow, self._parquet = _imported("pyarrow"), _imported("pyarrow.parquet")

    def there(self) -> bool:
        return any(self.path.iterdir()) if self.path.is_dir() else self.path.exists()

    def make_room(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        self._number = 0

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        known = {name: match for name in map(str, marks) if (match := _PART.fullmatch(name))}
        for path in self.path.iterdir():
            if _CUT_OFF.fullmatch(path.name) or (_PART.fullmatch(path.name) and path.name not in known):
                path.unlink()
        if lost := [str(mark) for mark in marks if mark not in known or not (self.path / str(mark)).is_file()]:
            raise InputError(
                f"to={str(self.path)!r} lacks {lost[0]!r}, which was written; "
                "empty the folder to begin anew, or give another to=."
            )
        self._number = 1 + max((int(match[1]) for match in known.values()), default=-1)

    def write(self, looked: Sequence[Looked]) -> Mark | None:
        answers = {position: one.answer for position, one in enumerate(looked) if one.answer is not None}
        if not any(len(answer.labels) for answer in answers.values()):
            return None
        return self._write([plain(looked[position].image) for position in answers], list(answers.values()))

    def finish(self) -> None:
        """See to it that there is a table, if one without rows."""
        if not self._number:
            self._write([], [])

    def read(self) -> pd.DataFrame:
        parts = sorted(path for path in self.path.iterdir() if _PART.fullmatch(path.name))
        found = pd.concat([table_of([]), *map(pd.read_parquet, parts)], ignore_index=True)
        return found.astype({"image": "str", "label": "str"})

    def _write(self, images: list[str], answers: list[ImagePrediction]) -> Mark:
        arrow, every = self._arrow, joined(answers)
        names = np.repeat(np.asarray(images, dtype=object), [len(answer.labels) for answer in answers])
        text, number = arrow.string(), arrow.float64()
        columns = {
            "image": arrow.array(names, type=text),
            "label": arrow.array(self._labels[every.labels], type=text),
            "confidence": arrow.array(every.confidences, type=number),
            **{
                side: arrow.array(np.ascontiguousarray(column), type=number, from_pandas=True)  # NaN is null
                for side, column in zip(BOX_COLUMNS, every.boxes.T, strict=True)
            },
        }
        name = f"part-{self._number:06}.parquet"
        with replacing(self.path / name) as file:
            self._parquet.write_table(arrow.table(columns), file, compression="zstd")
        sync_folder(self.path)
        self._number += 1
        assert list(columns) == ["image", *DETECTION_COLUMNS]
        return name


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            "A folder of Parquet files needs pyarrow; a file that ends in .jsonl needs nothing more: "
            f"{extra_command('parquet')}"
        ) from error
