"""Map of an evaluation's images: which are right and wrong, at thresholds that can change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import RIGHT, WRONG
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.exploring import Exploration, Filter, Position
from customlabels_nb.evaluation.outcome_tables import tables_of
from customlabels_nb.labeling.image_map import ImageMap
from customlabels_nb.labeling.image_table import ImageTable, Prediction
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.store import SqlStore

_RESULT = "result"
_COLORS = {"right": RIGHT, "wrong": WRONG}


class EvaluationSession(LabellingSession):
    """Session that shows an evaluation's images. ``moves`` counts the positions of its thresholds."""

    def __init__(self, store: SqlStore, root: Path, exploration: Exploration) -> None:
        self.exploration = exploration
        self._truth = t.normalise_annotations(tables_of(exploration.evaluation.outcomes)[0])
        self.moves = 0
        self._position: Position | None = None
        self._wrong: set[str] = set()
        super().__init__(store, root, t.TEST)

    @property
    def wrong(self) -> set[str]:
        """Images with a mistake at the current thresholds."""
        self._judge()
        return self._wrong

    @property
    def read_only(self) -> bool:
        return True

    @property
    def predictions(self) -> dict[str, Prediction]:
        """Most confident prediction by image that reaches its threshold."""
        with self._lock:
            self._judge()
            if not self._predictions:
                self._predictions = {t.TEST: self._read_predictions(t.TEST)}
            return self._predictions[t.TEST]

    def _judge(self) -> None:
        with self._lock:
            if self._position != self.exploration.position:
                self._position = self.exploration.position
                mistakes = self.exploration.choose(Filter(sort="given")).tolist()
                self._wrong = {self.exploration.names[index] for index in mistakes}
                self._predictions.clear()
                self.moves += 1

    def labels(self) -> pd.DataFrame:
        return self.exploration.evaluation.labels

    def assist_state(self) -> dict[str, Any] | None:
        """Return the version of the predictions, which changes with the thresholds."""
        self._judge()
        return {"version": self.moves}

    def totals(self) -> dict[str, int]:
        return {t.TRAIN: 0, t.TEST: len(self.table)}

    def row(self, image: str) -> dict[str, Any]:
        """Return an image for the front end. ``right`` is False if it has a mistake."""
        return {**super().row(image), "right": image not in self.wrong}

    def selected(self, images: Sequence[str]) -> pd.DataFrame:
        with self._lock:
            positions = [self.exploration.index_of[name] for name in images]
            return self.exploration.table(positions, self._store.longer_files())

    def follow(self) -> set[str] | None:
        """Return no image: an evaluation does not change with the project."""
        return set()

    def _read_table(self, split: str) -> ImageTable:
        if split != t.TEST:
            raise InputError(f"split={split!r} is not shown: an evaluation has only test images.")
        images = self.exploration.evaluation.images
        columns = images[["image", *(name for name in ("sha256", "width", "height") if name in images)]]
        table = self.table_type()
        table.put(t.normalise_images(columns, split=t.TEST).assign(status="labelled"), self._truth)
        return table

    def _annotations_of(self, images: Sequence[str]) -> pd.DataFrame:
        return self._truth[self._truth["image"].isin(images)]

    def _stored_predictions(self, split: str, images: Sequence[str] | None = None) -> pd.DataFrame:
        rows = t.normalise_annotations(self.exploration.predictions)
        return rows if images is None else rows[rows["image"].isin(images)]


class EvaluationMap(ImageMap):
    """Places and colors of the images of an :class:`EvaluationSession`."""

    session: EvaluationSession

    def state(self) -> dict[str, Any]:
        """Return the state of the map, with the number of ``wrong`` images."""
        wrong, state = len(self.session.wrong), super().state()
        return {**state, "stamp": f"{state['stamp']} {self.session.moves}", "wrong": wrong}

    def colorings(self) -> list[str]:
        """Return what the images can be colored by: first whether they are right."""
        first = [_RESULT, "prediction"]
        return [*first, *(name for name in super().colorings() if name not in (*first, "status"))]

    def still_colors(self) -> Iterable[str]:
        return (_COLORS["wrong" if name in self.session.wrong else "right"] for name in self.session.table.names)

    def _column(self, by: str) -> pd.Series:
        if by != _RESULT:
            return super()._column(by)
        return pd.Series(["wrong" if name in self.session.wrong else "right" for name in self.session.table.names])

    def _groups(self, by: str, texts: pd.Series) -> tuple[list[list[Any]], pd.Series]:
        if by != _RESULT:
            return super()._groups(by, texts)
        groups = [[name, int((texts == name).sum()), color] for name, color in _COLORS.items()]
        return groups, (texts == "wrong").astype("float32")
