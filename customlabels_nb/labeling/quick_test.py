"""Quick test session: try models on images, filter the predictions by threshold, and add images to the dataset."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.files import expand_home
from customlabels_nb.core import tables as t
from customlabels_nb.errors import ImageError, InputError, ModelNotFoundError, NotAllowedError, StaleEditError
from customlabels_nb.images.locations import is_remote, to_path, to_uri
from customlabels_nb.images.reading import open_image, read_bytes, thumbnail
from customlabels_nb.labeling.feedback import AddedImageReport, Feedback

if TYPE_CHECKING:
    from customlabels_nb.inference.detection import Detection
    from customlabels_nb.inference.inputs import ImageInput

    # for widgets, which do not import inference
    ShownDetection: TypeAlias = Detection
    AnyImage: TypeAlias = ImageInput


@dataclass(frozen=True)
class Facts:
    """Labels of a model with their colors and thresholds. ``one_label`` is True for single-label models.

    Without ``thresholds``, the answer of the model is its most confident label.
    """

    labels: tuple[str, ...]
    colors: tuple[str, ...]
    thresholds: tuple[float, ...] | None
    one_label: bool


@dataclass(frozen=True)
class QuickTestModel:
    """Model that can be tried, with functions that start it, stop it and run it with all its predictions."""

    name: str
    about: str
    start: Callable[[], object]
    stop: Callable[[], object]
    device: Callable[[], str | None]
    ask: Callable[[Any], Any]
    facts: Callable[[], Facts]


@dataclass(frozen=True)
class QuickTestAnswer:
    """All predictions of a model for an image, in ``detection``, which omits the image. ``seconds`` is the run time."""

    model: str
    detection: Detection
    facts: Facts
    seconds: float

    @property
    def table(self) -> pd.DataFrame:
        """Label, confidence and box of each prediction, highest confidence first. Boxes of a classifier are NaN."""
        return self.detection.table

    def limits(self, threshold: float | None) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the threshold of each row of :attr:`table`: ``threshold``, or by default the label's own.

        If the most confident label is the answer, that of the first row is 0, and those of the others are infinite.
        """
        if threshold is not None:
            return np.full(len(self.table), threshold)
        if self.facts.thresholds is None:
            return np.where(np.arange(len(self.table)) == 0, 0.0, np.inf)
        by_label = dict(zip(self.facts.labels, self.facts.thresholds, strict=True))
        return np.array([by_label[label] for label in self.table["label"]], dtype=np.float64)

    def counted(self, threshold: float | None) -> Detection:
        """Return the detections that reach their threshold, as ``model.detect(…, threshold)`` does."""
        table, limits = self.table, self.limits(threshold)
        nearest = None
        if len(table):
            best = int(table["confidence"].to_numpy().argmax())
            nearest = (str(table["label"].iat[best]), float(table["confidence"].iat[best]), float(limits[best]))
        kept = table[table["confidence"].to_numpy() >= limits].reset_index(drop=True)
        return replace(self.detection, table=kept, nearest=nearest)


@dataclass
class QuickTestImage:
    """Image that was tested, with its unique number in the session, views as JPEG and answers by model.

    ``place`` is a local file. ``kept`` was written to the project, and stays if the addition is undone.
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
    added: AddedImageReport | None = None
    kept: Path | None = None


#: Number of images that are kept with their predictions.
MOST_TRIALS = 12
_VIEW_PIXELS, _THUMBNAIL_PIXELS = 1600, 160
_NO_PICTURE = Image.new("RGB", (1, 1))
_ANSWER_COLUMNS = ("label", "confidence", *t.BOX_COLUMNS)


class QuickTestSession:
    """Session that runs one of the ``candidates`` (models) on images, and keeps the latest with predictions."""

    def __init__(
        self,
        candidates: Callable[[], Sequence[QuickTestModel]],
        *,
        feedback: Feedback | None = None,
        root: Path | None = None,
    ) -> None:
        self._candidates = candidates
        self.feedback = feedback
        self._root = root
        self.model = candidates()[0].name
        self.trials: list[QuickTestImage] = []
        self._current: int | None = None
        self._last = 0
        self._picture: tuple[int, Image.Image] | None = None
        self._undo: list[QuickTestImage] = []
        self._lock = threading.RLock()

    # -- models -------------------------------------------------------------------------------------
    def candidates(self) -> list[QuickTestModel]:
        return list(self._candidates())

    def candidate(self, name: str | None = None) -> QuickTestModel:
        """Return a model by name, by default the selected one."""
        wanted = self.model if name is None else name
        for candidate in self._candidates():
            if candidate.name == wanted:
                return candidate
        raise ModelNotFoundError(f"Model {wanted!r} no longer exists. Choose a different model.")

    def choose(self, name: str) -> None:
        self.model = self.candidate(name).name

    def start(self) -> None:
        self.candidate().start()

    def stop(self) -> None:
        self.candidate().stop()

    # -- predictions --------------------------------------------------------------------------------
    @property
    def current(self) -> QuickTestImage | None:
        return None if self._current is None else self._trial(self._current)

    @property
    def answer(self) -> QuickTestAnswer | None:
        trial = self.current
        return None if trial is None else trial.answers.get(self.model)

    def ask(self, image: Any, name: str | None = None) -> QuickTestImage:
        """Run the selected model on an image, starting it if necessary. If it fails, the current image stays."""
        data, called, location = self._read(image, name)
        answer, picture = self._answer(image if data is None else _named(data, called))
        if data is None:
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=1)
            data, called = buffer.getvalue(), str(answer.detection.name)
        with self._lock:
            self._last += 1
            shown = picture.copy()  # scaled down only once
            shown.thumbnail((_VIEW_PIXELS, _VIEW_PIXELS), Image.Resampling.BICUBIC, reducing_gap=2.0)
            view, small = thumbnail(shown, _VIEW_PIXELS), thumbnail(shown, _THUMBNAIL_PIXELS)
            trial = QuickTestImage(self._last, called, data, location, view, small, *picture.size)
            trial.answers[answer.model] = answer
            self.trials = [*self.trials[-MOST_TRIALS + 1 :], trial]
            self._current, self._picture = trial.number, (trial.number, picture)
        return trial

    def glance(self, data: bytes) -> tuple[QuickTestAnswer, tuple[int, int]]:
        """Return the predictions for an image that is not kept, such as a camera frame, and its width and height."""
        answer, picture = self._answer(_named(data, "camera"))
        return answer, picture.size

    def again(self, number: int) -> QuickTestImage:
        """Show an earlier image, running the selected model on it if necessary."""
        with self._lock:
            trial = self._trial(number)
        candidate, earlier = self.candidate(), trial.answers.get(self.model)
        if earlier is None:
            answer, picture = self._answer(_named(trial.data, trial.name))
            trial.answers[answer.model] = answer
            self._picture = (number, picture)
        elif candidate.device() is not None:  # thresholds may have changed
            trial.answers[self.model] = replace(earlier, facts=candidate.facts())
        self._current = number
        return trial

    def detection(self, threshold: float | None) -> Detection | None:
        """Return the detections in the current image that reach the threshold, or None if there is no image."""
        trial, answer = self.current, self.answer
        if trial is None or answer is None:
            return None
        kept = self._picture
        if kept is None or kept[0] != trial.number:
            kept = self._picture = (trial.number, open_image(trial.data, name=trial.name))
        return replace(answer.counted(threshold), image=kept[1])

    def table(self, threshold: float | None) -> pd.DataFrame:
        """Return the detections that reach the threshold as a table: label, confidence, left, top, width, height."""
        answer = self.answer
        table: pd.DataFrame = _nothing() if answer is None else answer.counted(threshold).table
        return table

    # -- feedback -----------------------------------------------------------------------------------
    def add(
        self, number: int, split: str, rows: Sequence[int], labels: Sequence[str] = (), *, model: str | None = None
    ) -> AddedImageReport:
        """Add an image to the dataset with the confirmed predictions, at positions ``rows`` in the model's output."""
        if self.feedback is None:
            raise NotAllowedError("This model does not belong to a project to which images can be added.")
        with self._lock:
            trial = self._trial(number)
            if trial.added is not None:
                raise NotAllowedError(f"This image is already in the {trial.added.split} set. Use undo to remove it.")
            model = self.model if model is None else model
            confirmed = _accepted(trial.answers.get(model), rows, labels)
            if self.feedback.one_label and confirmed["left"].isna().sum() > 1:
                raise NotAllowedError("Images in this project have a single label. Choose one label.")
            location = trial.place or (str(trial.kept) if trial.kept is not None and trial.kept.is_file() else None)
            added = self.feedback.add(trial.data, trial.name, location, confirmed, split, model=model)
            trial.added, trial.kept = added, None if trial.place else to_path(added.image)
            self._undo.append(trial)
        return added

    def undo(self) -> QuickTestImage | None:
        """Undo the latest addition of this session, and return its image, or None if there is none."""
        with self._lock:
            if not self._undo or self.feedback is None:
                return None
            trial = self._undo.pop()
            assert trial.added is not None
            try:
                self.feedback.undo(trial.added)
            except StaleEditError:  # somebody has corrected the image's labels, so it stays
                raise
            except NotAllowedError:  # somebody else has undone the addition
                trial.added = None
                raise
            trial.added = None
        return trial

    # -- helpers ------------------------------------------------------------------------------------
    def _trial(self, number: int) -> QuickTestImage:
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise InputError(f"Image {number} is no longer available. Only the last {MOST_TRIALS} images are kept.")

    def _answer(self, image: Any) -> tuple[QuickTestAnswer, Image.Image]:
        """Return the selected model's predictions for an image, and the upright image."""
        candidate = self.candidate()
        if candidate.device() is None:
            candidate.start()
        began = time.perf_counter()
        detections = candidate.ask(image)
        seconds = time.perf_counter() - began
        return QuickTestAnswer(
            candidate.name, replace(detections, image=_NO_PICTURE), candidate.facts(), seconds
        ), detections.image

    def _read(self, image: Any, name: str | None) -> tuple[bytes | None, str, str | None]:
        """Return the bytes of an encoded image, its name, and the path of its local file."""
        if isinstance(image, bytes | bytearray | memoryview):
            return bytes(image), name or "picture", None
        if not isinstance(image, str | Path):
            return None, "", None
        text = expand_home(str(image))
        if is_remote(text):
            return read_bytes(text), text, None
        path = to_path(text) if to_path(text).exists() or self._root is None else to_path(text, self._root)
        try:
            return read_bytes(str(path.absolute())), text, to_uri(path)
        except ImageError as error:
            raise type(error)(text, error.reason) from error


def _accepted(answer: QuickTestAnswer | None, rows: Sequence[int], labels: Sequence[str]) -> pd.DataFrame:
    """Combine some of a model's predictions and image-level labels in a table without confidences."""
    table = _nothing() if answer is None else answer.table
    if any(not 0 <= row < len(table) for row in rows):
        raise InputError(
            f"rows={plain_repr(list(rows))} must be positions in the model's output, which has {len(table)} rows."
        )
    chosen = table.iloc[list(dict.fromkeys(rows))].drop(columns="confidence")
    named = pd.DataFrame({"label": [t.check_label(label) for label in labels]}, dtype=t.TEXT)
    named = named.reindex(columns=chosen.columns).astype(chosen.dtypes)
    return pd.concat([chosen, named], ignore_index=True).drop_duplicates(["label", *t.BOX_COLUMNS], ignore_index=True)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="float64") for name in _ANSWER_COLUMNS}).astype({"label": t.TEXT})


def _named(data: bytes, name: str) -> io.BytesIO:
    """Wrap bytes in a file object with a name for error messages."""
    file = io.BytesIO(data)
    file.name = name
    return file
