"""A person trying models on pictures: what was asked, what of the answers counts, what becomes of them."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb._utils.files import expand_home
from customlabels_nb.core import tables as t
from customlabels_nb.errors import ImageError, InputError, ModelNotFoundError, NotAllowedError, StaleEditError
from customlabels_nb.images.reading import is_remote, open_image, read_bytes, thumbnail, to_path, to_uri
from customlabels_nb.labeling.feedback import Added, Feedback


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


#: How many pictures are kept, with what was said of them.
MOST_TRIALS = 12
_VIEW_PIXELS, _THUMBNAIL_PIXELS = 1600, 160
_NO_PICTURE = Image.new("RGB", (1, 1))
_ANSWER_COLUMNS = ("label", "confidence", *t.BOX_COLUMNS)


class QuickTestSession:
    """Asks models about pictures and keeps the last ones with their answers.

    Parameters
    ----------
    candidates : callable
        Gives the models that there are now, the one to begin with first.
    feedback : Feedback, optional
        Where pictures can be added.
    root : Path, optional
        Folder under which relative paths lie that aren't here.
    """

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
        """The models that there are now."""
        return list(self._candidates())

    def candidate(self, name: str | None = None) -> QuickTestModel:
        """A model by its name, the chosen one unless it is given."""
        wanted = self.model if name is None else name
        for candidate in self._candidates():
            if candidate.name == wanted:
                return candidate
        raise ModelNotFoundError(f"There is no model {wanted!r} any more; choose another.")

    def choose(self, name: str) -> None:
        """Ask this model from now on."""
        self.model = self.candidate(name).name

    def start(self) -> None:
        """Start the chosen model."""
        self.candidate().start()

    def stop(self) -> None:
        """Stop the chosen model."""
        self.candidate().stop()

    # -- asking -------------------------------------------------------------------------------------
    @property
    def current(self) -> QuickTestImage | None:
        """The picture that is looked at."""
        return None if self._current is None else self._trial(self._current)

    @property
    def answer(self) -> QuickTestAnswer | None:
        """What the chosen model said of it."""
        trial = self.current
        return None if trial is None else trial.answers.get(self.model)

    def ask(self, image: Any, name: str | None = None) -> QuickTestImage:
        """Ask the chosen model, which is started if it doesn't run, about a picture.

        Parameters
        ----------
        image
            Encoded bytes, or anything else that ``model.detect`` takes.
        name : str, optional
            What bytes are called.

        Raises
        ------
        ImageError, InputError
            If it is no picture that can be read; what was looked at before stays.
        ModelError
            If the model can't be started.
        """
        data, called, place = self._read(image, name)
        answer, picture = self._answer(image if data is None else _named(data, called))
        if data is None:
            data, called = _as_png(picture), str(answer.detection.name)
        with self._lock:
            self._last += 1
            view, small = _for_a_screen(picture)
            trial = QuickTestImage(self._last, called, data, place, view, small, *picture.size)
            trial.answers[answer.model] = answer
            self.trials = [*self.trials[-MOST_TRIALS + 1 :], trial]
            self._current, self._picture = trial.number, (trial.number, picture)
        return trial

    def glance(self, data: bytes) -> tuple[QuickTestAnswer, tuple[int, int]]:
        """What the chosen model says of a picture that nobody keeps, such as a camera's, and its width and height."""
        answer, picture = self._answer(_named(data, "camera"))
        return answer, picture.size

    def again(self, number: int) -> QuickTestImage:
        """Look at an earlier picture; the chosen model is asked about it unless it was before.

        Raises
        ------
        InputError
            If it isn't kept any more.
        """
        with self._lock:
            trial = self._trial(number)
        candidate, known = self.candidate(), trial.answers.get(self.model)
        if known is None:
            answer, picture = self._answer(_named(trial.data, trial.name))
            trial.answers[answer.model] = answer
            self._picture = (number, picture)
        elif candidate.device() is not None:  # thresholds may have been set meanwhile
            trial.answers[self.model] = replace(known, facts=candidate.facts())
        self._current = number
        return trial

    def detection(self, threshold: float | None) -> Any:
        """What counts of the answer for the current picture, with it; None before the first."""
        trial, answer = self.current, self.answer
        if trial is None or answer is None:
            return None
        kept = self._picture
        if kept is None or kept[0] != trial.number:
            kept = self._picture = (trial.number, open_image(trial.data, name=trial.name))
        return replace(answer.counted(threshold), image=kept[1])

    def table(self, threshold: float | None) -> pd.DataFrame:
        """What counts of the answer for the current picture: label, confidence, left, top, width, height."""
        answer = self.answer
        found: pd.DataFrame = _nothing() if answer is None else answer.counted(threshold).table
        return found

    # -- feedback -----------------------------------------------------------------------------------
    def add(
        self, number: int, split: str, rows: Sequence[int], labels: Sequence[str] = (), *, model: str | None = None
    ) -> Added:
        """Add a picture to the dataset with what was found right.

        Parameters
        ----------
        number : int
            Of the picture.
        split : {"train", "test"}
        rows : sequence of int
            Positions in the model's answer.
        labels : sequence of str
            Labels of the whole picture beside these.
        model : str, optional
            Whose answer; the chosen model's unless it is given.

        Raises
        ------
        NotAllowedError
            If there is no project, it is there already, or the project has one label for each image. Nothing was added.
        InputError, LabelError
            If an argument can't be used.
        """
        if self.feedback is None:
            raise NotAllowedError("This model belongs to no project to which pictures could be added.")
        with self._lock:
            trial = self._trial(number)
            if trial.added is not None:
                raise NotAllowedError(f"This picture is in the {trial.added.split} set already; undo takes it back.")
            model = self.model if model is None else model
            marks = _accepted(trial.answers.get(model), rows, labels)
            if self.feedback.one_label and marks["left"].isna().sum() > 1:
                raise NotAllowedError("An image of this project has one label; choose one.")
            place = trial.place or (str(trial.kept) if trial.kept is not None and trial.kept.is_file() else None)
            added = self.feedback.add(trial.data, trial.name, place, marks, split, model=model)
            trial.added, trial.kept = added, None if trial.place else to_path(added.image)
            self._undo.append(trial)
        return added

    def undo(self) -> QuickTestImage | None:
        """Take the latest addition of this session back; None if there is none."""
        with self._lock:
            if not self._undo or self.feedback is None:
                return None
            trial = self._undo.pop()
            assert trial.added is not None
            try:
                self.feedback.undo(trial.added)
            except StaleEditError:  # somebody corrected its labels: it stays
                raise
            except NotAllowedError:  # somebody took it back
                trial.added = None
                raise
            trial.added = None
        return trial

    # -- helpers ------------------------------------------------------------------------------------
    def _trial(self, number: int) -> QuickTestImage:
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise InputError(f"The picture number {number} is not kept any more; only the last {MOST_TRIALS} are.")

    def _answer(self, image: Any) -> tuple[QuickTestAnswer, Image.Image]:
        """The chosen model's answer, and the upright picture."""
        candidate = self.candidate()
        if candidate.device() is None:
            candidate.start()
        began = time.perf_counter()
        found = candidate.ask(image)
        seconds = time.perf_counter() - began
        return QuickTestAnswer(
            candidate.name, replace(found, image=_NO_PICTURE), candidate.facts(), seconds
        ), found.image

    def _read(self, image: Any, name: str | None) -> tuple[bytes | None, str, str | None]:
        """The bytes of an encoded image, what to call it, and the local file in which it lies."""
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
    """Rows of an answer, and labels of the whole picture, as a table without confidences."""
    table = _nothing() if answer is None else answer.table
    if any(not 0 <= row < len(table) for row in rows):
        raise InputError(f"rows={list(rows)!r} are not all rows of the answer, which has {len(table)}.")
    chosen = table.iloc[list(dict.fromkeys(rows))].drop(columns="confidence")
    named = pd.DataFrame({"label": [t.check_label(label) for label in labels]}, dtype="str")
    named = named.reindex(columns=chosen.columns).astype(chosen.dtypes)
    return pd.concat([chosen, named], ignore_index=True).drop_duplicates(ignore_index=True)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="float64") for name in _ANSWER_COLUMNS}).astype({"label": "str"})


def _named(data: bytes, name: str) -> io.BytesIO:
    """Bytes that errors call by a name."""
    file = io.BytesIO(data)
    file.name = name
    return file


def _for_a_screen(picture: Image.Image) -> tuple[bytes, bytes]:
    """JPEG of the picture to look at, and of a small one; a large one is only once made smaller."""
    shown = picture.copy()
    shown.thumbnail((_VIEW_PIXELS, _VIEW_PIXELS), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return thumbnail(shown, _VIEW_PIXELS), thumbnail(shown, _THUMBNAIL_PIXELS)


def _as_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
