"""Models that can be tried, and pictures that they were asked about with their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.labeling.feedback import Added


@dataclass(frozen=True)
class Facts:
    """What a model knows: its labels, their colours (#rrggbb) and own thresholds (0..1), in one order.

    ``one_label`` says that its confidences are of labels of which an image has one.
    """

    labels: tuple[str, ...]
    colours: tuple[str, ...]
    thresholds: tuple[float, ...]
    one_label: bool


@dataclass(frozen=True)
class QuickTestModel:
    """A model that can be tried.

    Attributes
    ----------
    name, about : str
        What it is called, and a few words beside that.
    start, stop : callable
    device : callable
        Where it runs; None while it doesn't.
    ask : callable
        ``ask(image)`` gives everything it says of an image, as :class:`customlabels_nb.inference.detection.Detection`.
    facts : callable
        Gives its :class:`Facts` while it runs.
    """

    name: str
    about: str
    start: Callable[[], object]
    stop: Callable[[], object]
    device: Callable[[], str | None]
    ask: Callable[[Any], Any]
    facts: Callable[[], Facts]


@dataclass(frozen=True)
class QuickTestAnswer:
    """All that a model said of a picture. ``detection`` is without the picture; ``seconds`` is how long it took."""

    model: str
    detection: Any
    facts: Facts
    seconds: float

    @property
    def table(self) -> pd.DataFrame:
        """``label``, ``confidence`` and box, the highest confidence first; boxes are NaN from a classifier."""
        return self.detection.table

    def limits(self, threshold: float | None) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The threshold of each row of :attr:`table`: ``threshold``, or with None that of its label."""
        own = dict(zip(self.facts.labels, self.facts.thresholds, strict=True))
        limits = [own[label] if threshold is None else threshold for label in self.table["label"]]
        return np.asarray(limits, dtype=np.float64)

    def counted(self, threshold: float | None) -> Any:
        """The detection with what reaches its threshold only, as ``model.detect(…, threshold)`` gives it."""
        table, limits = self.table, self.limits(threshold)
        nearest = None
        if len(table):
            best = int(table["confidence"].to_numpy().argmax())
            nearest = (str(table["label"].iat[best]), float(table["confidence"].iat[best]), float(limits[best]))
        kept = table[table["confidence"].to_numpy() >= limits].reset_index(drop=True)
        return replace(self.detection, table=kept, nearest=nearest)


@dataclass
class QuickTestImage:
    """A picture that was asked about.

    Attributes
    ----------
    number : int
        Tells it from others for ever.
    name : str
        Path, URL or file name.
    data : bytes
        The encoded picture.
    place : str, optional
        The local file in which it lies.
    view, small : bytes
        JPEG of the upright picture for a screen.
    width, height : int
        Of the upright picture, in pixels.
    answers : dict of str to Answer
        By model.
    added : Added, optional
        What it is in the dataset.
    kept : Path, optional
        The file that was written for it in the project, which stays when that is taken back.
    """

    number: int
    name: str
    data: bytes
    place: str | None
    view: bytes
    small: bytes
    width: int
    height: int
    answers: dict[str, QuickTestAnswer] = field(default_factory=dict)
    added: Added | None = None
    kept: Path | None = None
