"""The quick test: translates between the page and a :class:`~customlabels_nb.labeling.quick_test.QuickTestSession`."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Sequence
from typing import Any

import anywidget
import pandas as pd
import traitlets

from customlabels_nb._utils.rendering import data_url
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.feedback import Added
from customlabels_nb.labeling.quick_test import QuickTestAnswer, QuickTestImage, QuickTestSession
from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import StaticFallback, StillPicture, display_with_fallback, still_html

_MOST_FILES_AT_ONCE = 4
_MOST_BYTES = 256 * 2**20
_MOST_ROWS = 300
_PROTOCOLS = ("https", "http", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
_STILL_PIXELS, _STILL_QUALITIES, _STILL_BYTES = 480, (80, 60, 40), 60_000


class QuickTest(MessageHandler, anywidget.AnyWidget):
    """Try a model on photos; made by ``model.try_it()``.

    The page asks the model once about each photo, for everything that it finds: moving a threshold asks nothing again.
    Other cells can read and steer it: ``ask``, ``table``, ``detection``, ``threshold``, ``add``, ``undo``, ``observe``.

    Attributes
    ----------
    threshold : float or None
        Confidence (0..1) from which on a label counts, for all labels; None for each label's own.
    asked : int
        Grows with each photo; ``observe(handler, "asked")`` follows it.
    """

    _esm = join_modules(STATIC / "quick_test.js")
    _css = join_styles("shared/base.css", "quick_test.css")

    threshold = traitlets.Float(None, allow_none=True)
    asked = traitlets.Int(0)

    def __init__(self, session: QuickTestSession) -> None:
        super().__init__()
        self.session = session
        self._parts = Parts(_MOST_BYTES)
        self._shown_fallback: StaticFallback | None = None
        self._by_page = False
        self.handlers = {
            "hello": self._hello,
            "state": self._tell_state,
            "choose": self._choose,
            "start": self._start,
            "stop": self._stop,
            "part": self._take_part,
            "ask": self._ask,
            "glance": self._glance,
            "show": self._show,
            "threshold": self._set_threshold,
            "add": self._add,
            "undo": self._take_back,
        }
        self.on_msg(self.answer)
        self.observe(self._threshold_moved, "threshold")

    # -- for other cells ----------------------------------------------------------------------------
    def ask(self, image: Any) -> Any:
        """Ask about an image, in any form that ``model.detect`` takes, and show it in the page; the answer."""
        trial = self.session.ask(image)
        self._asked(trial)
        self._push()
        return self.detection

    @property
    def detection(self) -> Any:
        """The answer for the photo that is shown, as ``model.detect`` gives it; None before the first."""
        return self.session.detection(self.threshold)

    @property
    def table(self) -> pd.DataFrame:
        """What counts of it: label, confidence (0..1), left, top, width, height (pixels; NaN from a classifier)."""
        return self.session.table(self.threshold)

    @property
    def model(self) -> str:
        """The name of the model that is asked."""
        return self.session.model

    def add(self, split: str = t.TRAIN, labels: Sequence[str] | None = None) -> Added:
        """Add the photo that is shown to the dataset.

        Parameters
        ----------
        split : {"train", "test"}
        labels : sequence of str, optional
            Its labels; what counts at the threshold unless they are given, none for "nothing here".

        Raises
        ------
        InputError
            If no photo was asked about yet.
        """
        trial, answer = self.session.current, self.session.answer
        if trial is None or answer is None:
            raise InputError("No photo was asked about yet: w.ask(image), or drop one on the widget.")
        if isinstance(labels, str):
            raise InputError(f"labels={labels!r} is one name; give a list of them.")
        counts = answer.table["confidence"].to_numpy() >= answer.limits(self.threshold)
        rows = [] if labels is not None else [row for row, does in enumerate(counts) if does]
        added = self.session.add(trial.number, split, rows, labels or ())
        self._push()
        return added

    def undo(self) -> None:
        """Take the latest addition back."""
        self.session.undo()
        self._push()

    # -- display ------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        self._shown_fallback = display_with_fallback(self, self._fallback())

    def _fallback(self) -> str:
        """What a saved notebook shows: the photo with what was found."""
        found = self.detection
        words = f"{self.model}: run this cell to try it on photos."
        return still_html(*([] if found is None else [StillPicture(_small_picture(found), repr(found))]), words)

    def _draw_still(self) -> None:
        if self._shown_fallback is not None:
            self._shown_fallback.draw(self._fallback)

    # -- what the page is told ----------------------------------------------------------------------
    def _state(self) -> dict[str, Any]:
        session, feedback = self.session, self.session.feedback
        return {
            "models": [
                {"name": one.name, "about": one.about, "device": one.device()} for one in self.session.candidates()
            ],
            "model": session.model,
            "threshold": self.threshold,
            "most_bytes": self._parts.most_bytes,
            "current": None if session.current is None else session.current.number,
            "project": None
            if feedback is None
            else {
                "name": feedback.project,
                "read_only": feedback.read_only,
                "one_label": feedback.one_label,
                "labels": [{"label": label, "colour": colour} for label, colour in feedback.labels()],
            },
        }

    def _strip(self) -> tuple[list[dict[str, Any]], list[bytes]]:
        trials = list(self.session.trials)
        return [_short(trial) for trial in trials], [trial.small for trial in trials]

    def _push(self) -> None:
        self.send({"push": "news"})

    def _asked(self, trial: QuickTestImage) -> None:
        self.asked = max(self.asked, trial.number)
        self._draw_still()

    def _threshold_moved(self, change: Any) -> None:
        if not self._by_page:
            self.send({"push": "threshold", "threshold": change["new"]})
        self._draw_still()

    @traitlets.validate("threshold")
    def _check_threshold(self, proposal: Any) -> float | None:
        value = proposal["value"]
        if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
            raise InputError(f"threshold={value!r} must be a number from 0 to 1, or None for each label's own.")
        return None if value is None else float(value)

    # -- what the page asks for ---------------------------------------------------------------------
    def _hello(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        trials, pictures = self._strip()
        return {**self._state(), "trials": trials}, pictures

    def _tell_state(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return self._state()

    def _choose(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.session.choose(str(content["model"]))
        return self._state()

    def _start(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.session.start()
        return self._state()

    def _stop(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.session.stop()
        return self._state()

    def _take_part(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self._parts.add(str(content["key"]), buffers[0], first=bool(content["first"]))
        return {}

    def _ask(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        if "url" in content:
            trial = self.session.ask(_checked_url(content["url"]))
        else:
            trial = self.session.ask(self._parts.take(str(content["key"])), str(content["name"]))
        self._asked(trial)
        return self._shown(trial)

    def _glance(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        answer, (width, height) = self.session.glance(bytes(buffers[0]))
        return {"answer": _answer_as_json(answer), "width": width, "height": height}

    def _show(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        trial = self.session.again(int(content["number"]))
        self._draw_still()
        return self._shown(trial)

    def _shown(self, trial: QuickTestImage) -> Any:
        answer = trial.answers.get(self.session.model)
        facts = {**_short(trial), "answer": None if answer is None else _answer_as_json(answer)}
        return {"state": self._state(), "trial": facts}, [trial.view, trial.small]

    def _set_threshold(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self._by_page = True
        try:
            self.threshold = content["threshold"]
        finally:
            self._by_page = False
        return {}

    def _add(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        number, rows = int(content["number"]), [int(row) for row in content["rows"]]
        labels = [str(label) for label in content["labels"]]
        self.session.add(number, str(content["split"]), rows, labels, model=str(content["model"]))
        return self._state() | {"trials": self._strip()[0]}

    def _take_back(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        trial = self.session.undo()
        return self._state() | {"trials": self._strip()[0], "undone": None if trial is None else trial.number}


def _short(trial: QuickTestImage) -> dict[str, Any]:
    added = trial.added
    return {
        "number": trial.number,
        "name": trial.name,
        "width": trial.width,
        "height": trial.height,
        "added": None if added is None else {"split": added.split, "labels": list(added.labels)},
    }


def _answer_as_json(answer: QuickTestAnswer) -> dict[str, Any]:
    """An answer as the page takes it: the surest of ``total`` rows; ``limit`` is the threshold of the row's label."""
    colours = dict(zip(answer.facts.labels, answer.facts.colours, strict=True))
    shown = answer.table.head(_MOST_ROWS)
    boxes = shown[list(t.BOX_COLUMNS)].to_numpy(dtype=float).tolist()
    rows = zip(shown["label"], shown["confidence"], boxes, answer.limits(None), strict=False)
    return {
        "model": answer.model,
        "detects": bool(answer.detection.from_detector),
        "one_label": answer.facts.one_label,
        "seconds": answer.seconds,
        "total": len(answer.table),
        "rows": [
            {
                "label": label,
                "colour": colours[label],
                "confidence": float(confidence),
                "box": None if math.isnan(box[0]) else box,
                "limit": float(limit),
            }
            for label, confidence, box, limit in rows
        ],
    }


def _checked_url(url: object) -> str:
    """A URL that the kernel fetches: not a file on its own disk, which nobody types here."""
    text = str(url).strip()
    if "::" in text or text.partition("://")[0].lower() not in _PROTOCOLS:
        raise InputError(f"{text[:200]!r} is no URL that begins with https://; w.ask(path) reads a file of the kernel.")
    return text


def _small_picture(found: Any) -> str:
    picture = found.draw(_STILL_PIXELS)
    for quality in _STILL_QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _STILL_BYTES:
            break
    return data_url(buffer.getvalue())


class Parts:
    """Files that a page sends in parts: a message holds a few megabytes, a photo may have more.

    Parameters
    ----------
    most_bytes : int
        A file with more is refused.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._files: dict[str, bytearray] = {}
        self._lock = threading.Lock()

    def add(self, key: str, data: bytes | memoryview, *, first: bool) -> None:
        """Append to the file that the page calls ``key``; ``first`` begins it. The oldest of many is dropped."""
        with self._lock:
            if first:
                self._files[key] = bytearray()
                for old in list(self._files)[:-_MOST_FILES_AT_ONCE]:
                    del self._files[old]
            elif key not in self._files:
                raise InputError("This file was not sent whole: send it again.")
            if len(self._files[key]) + len(data) > self.most_bytes:
                del self._files[key]
                raise InputError(f"The file has more than {self.most_bytes >> 20:,} MB.")
            self._files[key] += data

    def take(self, key: str) -> bytes:
        """The whole file, which is forgotten here."""
        with self._lock:
            try:
                return bytes(self._files.pop(key))
            except KeyError:
                raise InputError("This file was not sent whole: send it again.") from None
