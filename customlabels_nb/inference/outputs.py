"""Where the answers about many images are written while the work goes on.

Each output is written in steps. A step is whole on the disk when :meth:`Output.write` returns, and gives a mark;
:meth:`Output.go_on` brings an output back to the marks that count.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from customlabels_nb.inference.journal import Failure, Mark
from customlabels_nb.inference.postprocess import DETECTION_COLUMNS, ImagePrediction


@dataclass(frozen=True)
class Looked:
    """An image that was looked at: the model's answer and, from a detector, the image's size; or why it isn't read."""

    image: str
    answer: ImagePrediction | None
    size: tuple[int, int] | None = None
    failure: Failure | None = None


class Output(Protocol):
    """See the module.

    Attributes
    ----------
    form : str
        As people are told it.
    path, journal : Path
        Where it lies, and where what is known to be done.
    images_a_step, seconds_a_step
        A step is due after so many.
    """

    form: str
    path: Path
    journal: Path
    images_a_step: int
    seconds_a_step: float

    def there(self) -> bool:
        """Whether something lies there already."""

    def make_room(self) -> None:
        """Make the folder that it lies in."""

    def begin(self) -> None:
        """Make it, without answers."""

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        """Take away what was written after the last mark; ``images`` are those that were looked at.

        Raises
        ------
        InputError
            If something that was written isn't there any more.
        """

    def write(self, looked: Sequence[Looked]) -> Mark | None:
        """Write the answers of a step."""

    def finish(self) -> None:
        """Everything is written."""

    def read(self) -> pd.DataFrame:
        """All that was written, as a table with ``image`` and DETECTION_COLUMNS."""


def table_of(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows of image, label, confidence, left, top, width, height as a table."""
    table = pd.DataFrame(rows, columns=["image", *DETECTION_COLUMNS])
    return table.astype({name: "str" if name in ("image", "label") else "float64" for name in table.columns})


def plain(name: str) -> str:
    """A name as UTF-8 can hold it: without halves of surrogate pairs."""
    return name.encode("utf-8", "replace").decode()


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
