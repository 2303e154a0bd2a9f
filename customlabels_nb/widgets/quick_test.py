"""Quick test widget: try a model on photos, a camera or URLs, and add the images to a dataset."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import pandas as pd
import traitlets

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb._utils.rendering import data_url
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.feedback import AddedImageReport
from customlabels_nb.labeling.quick_test import QuickTestAnswer, QuickTestImage, QuickTestSession
from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import StillPicture, display_with_fallback, redraw, still_html

if TYPE_CHECKING:
    from customlabels_nb.labeling.quick_test import AnyImage, ShownDetection

_MOST_FILES_AT_ONCE = 4
_MOST_BYTES = 256 * 2**20
_MOST_ROWS = 300
_PROTOCOLS = ("https", "http", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
_STILL_PIXELS, _STILL_QUALITIES, _STILL_BYTES = 480, (80, 60, 40), 60_000


class QuickTest(MessageHandler, anywidget.AnyWidget):
    """Widget to try a model on photos, created by ``model.quick_test()``.

    The model runs once on each photo, and all of its predictions are stored: moving a threshold does not run it again.
    Other cells can read and control the widget with ``ask``, ``table``, ``detection``, ``threshold``, ``add``, ``undo``
    and ``observe``.

    Attributes
    ----------
    threshold : float or None
        Minimum confidence (0..1) for all labels. None follows the model's decision.
    asked : int
        Number of the latest photo. ``observe(handler, "asked")`` calls ``handler`` for each new photo.
    """

    _esm = join_modules(STATIC / "quick_test.js")
    _css = join_styles("shared/base.css", "quick_test.css")

    threshold = traitlets.Float(None, allow_none=True)
    asked = traitlets.Int(0)

    def __init__(self, session: QuickTestSession) -> None:
        super().__init__()
        self.session = session
        self._parts = Parts(_MOST_BYTES)
        self._still: Any = None
        self._by_page = False
        self.handlers = {
            "hello": self._hello,
            "state": self._state,
            "choose": self._choose,
            "start": self._start,
            "stop": self._stop,
            "part": self._take_part,
            "ask": self._ask,
            "glance": self._glance,
            "show": self._show,
            "threshold": self._set_threshold,
            "add": self._add,
            "undo": self._undo,
        }
        self.on_msg(self.answer)
        self.observe(self._threshold_moved, "threshold")

    # -- for other cells ----------------------------------------------------------------------------
    def ask(self, image: AnyImage) -> ShownDetection:
        """Run the model on an image, show the image in the page and return the detection.

        Parameters
        ----------
        image : path, URL, bytes, PIL image, array or tensor
            Image in any form that ``model.detect`` accepts.

        Returns
        -------
        Detection
            Result as of ``model.detect``.

        Examples
        --------
        >>> widget = model.quick_test()
        >>> detection = widget.ask(photo)
        >>> len(widget.table) == len(detection.table)
        True
        """
        trial = self.session.ask(image)
        self._image_added(trial)
        self._push()
        detection = self.detection
        assert detection is not None
        return detection

    @property
    def detection(self) -> ShownDetection | None:
        """Result for the shown photo, as of ``model.detect``. None before the first photo."""
        return self.session.detection(self.threshold)

    @property
    def table(self) -> pd.DataFrame:
        """Detections that reach the threshold: label, confidence (0..1), left, top, width, height (pixels).

        Classifiers have no boxes: the last four columns are NaN.
        """
        return self.session.table(self.threshold)

    @property
    def model(self) -> str:
        """Name of the selected model."""
        return self.session.model

    def add(self, split: t.Split = t.TRAIN, labels: Sequence[str] | None = None) -> AddedImageReport:
        """Add the shown photo to the dataset.

        Parameters
        ----------
        split : {"train", "test"}
            Dataset to add the photo to.
        labels : sequence of str, optional
            Labels of the photo. Default: the labels that reach the threshold. An empty list means "nothing in this
            image".

        Returns
        -------
        AddedImageReport
            Name, split and labels of the image that was added.

        Raises
        ------
        InputError
            If no photo was tested yet.

        Examples
        --------
        >>> widget = model.quick_test()
        >>> detection = widget.ask(np.full((120, 160, 3), 127, dtype="uint8"))
        >>> widget.add("train", labels=["garden"]).labels
        ('garden',)
        """
        trial, answer = self.session.current, self.session.answer
        if trial is None or answer is None:
            raise InputError(
                "No photo was tested yet. Call the method ask(image) of the widget, or drop an image onto it."
            )
        if isinstance(labels, str):
            raise InputError(f"labels={labels!r} is a string. Give a list of labels.")
        counts = answer.table["confidence"].to_numpy() >= answer.limits(self.threshold)
        rows = [] if labels is not None else [row for row, does in enumerate(counts) if does]
        added = self.session.add(trial.number, split, rows, labels or ())
        self._push()
        return added

    def undo(self) -> None:
        """Remove the image that was added last.

        Examples
        --------
        >>> widget = model.quick_test()
        >>> widget.undo()
        """
        self.session.undo()
        self._push()

    # -- display ------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        self._still = display_with_fallback(self, self._fallback())

    def _fallback(self) -> str:
        """Return the HTML for the saved notebook: the photo with its detections."""
        detection = self.detection
        words = f"{self.model}: run this cell to try it on photos."
        return still_html(
            *([] if detection is None else [StillPicture(_small_picture(detection), repr(detection))]), words
        )

    # -- messages to the page -----------------------------------------------------------------------
    def _state(self) -> dict[str, Any]:
        session, feedback = self.session, self.session.feedback
        return {
            "models": [
                {"name": candidate.name, "about": candidate.about, "device": candidate.device()}
                for candidate in self.session.candidates()
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
                "labels": [{"label": label, "color": color} for label, color in feedback.labels()],
            },
        }

    def _strip(self) -> tuple[list[dict[str, Any]], list[bytes]]:
        trials = list(self.session.trials)
        return [_short(trial) for trial in trials], [trial.small for trial in trials]

    def _push(self) -> None:
        self.send({"push": "news"})

    def _image_added(self, trial: QuickTestImage) -> None:
        self.asked = max(self.asked, trial.number)
        redraw(self._still, self._fallback)

    def _threshold_moved(self, change: Any) -> None:
        if not self._by_page:
            self.send({"push": "threshold", "threshold": change["new"]})
        redraw(self._still, self._fallback)

    @traitlets.validate("threshold")
    def _check_threshold(self, proposal: Any) -> float | None:
        value = proposal["value"]
        return None if value is None else check_fraction("threshold", value, otherwise="None for the model's decision")

    # -- requests of the page -----------------------------------------------------------------------
    def _hello(self) -> Any:
        trials, pictures = self._strip()
        return {**self._state(), "trials": trials}, pictures

    def _choose(self, model: str) -> Any:
        self.session.choose(model)
        return self._state()

    def _start(self) -> Any:
        self.session.start()
        return self._state()

    def _stop(self) -> Any:
        self.session.stop()
        return self._state()

    def _take_part(self, key: str, first: bool, buffer: memoryview) -> Any:
        self._parts.add(key, buffer, first=first)
        return {}

    def _ask(self, url: str | None = None, key: str = "", name: str = "") -> Any:
        """Run the model on the image at a URL, or on the uploaded file ``key``."""
        if url is not None:
            trial = self.session.ask(_checked_url(url))
        else:
            trial = self.session.ask(self._parts.take(key), name)
        self._image_added(trial)
        return self._shown(trial)

    def _glance(self, buffer: memoryview) -> Any:
        answer, (width, height) = self.session.glance(bytes(buffer))
        return {"answer": _answer_as_json(answer), "width": width, "height": height}

    def _show(self, number: int) -> Any:
        trial = self.session.again(number)
        redraw(self._still, self._fallback)
        return self._shown(trial)

    def _shown(self, trial: QuickTestImage) -> Any:
        answer = trial.answers.get(self.session.model)
        facts = {**_short(trial), "answer": None if answer is None else _answer_as_json(answer)}
        return {"state": self._state(), "trial": facts}, [trial.view, trial.small]

    def _set_threshold(self, threshold: float | None) -> Any:
        self._by_page = True
        try:
            self.threshold = threshold
        finally:
            self._by_page = False
        return {}

    def _add(self, number: int, split: str, rows: list[int], labels: list[str], model: str) -> Any:
        self.session.add(number, split, rows, labels, model=model)
        return self._state() | {"trials": self._strip()[0]}

    def _undo(self) -> Any:
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
    """Convert a result to JSON for the page.

    ``rows`` are the most confident of ``total`` detections. ``limit`` is the threshold of the row's label, or None if
    the first row alone, the most confident one, is the answer.
    """
    colors = dict(zip(answer.facts.labels, answer.facts.colors, strict=True))
    shown = answer.table.head(_MOST_ROWS)
    boxes = shown[list(t.BOX_COLUMNS)].to_numpy(dtype=float).tolist()
    polygons = shown.get("polygon", [None] * len(shown))
    rows = zip(shown["label"], shown["confidence"], boxes, polygons, answer.limits(None), strict=False)
    return {
        "model": answer.model,
        "detects": bool(answer.detection.from_detector),
        "one_label": answer.facts.one_label,
        "seconds": answer.seconds,
        "total": len(answer.table),
        "rows": [
            {
                "label": label,
                "color": colors[label],
                "confidence": float(confidence),
                "box": None if math.isnan(box[0]) else box,
                "polygon": polygon,
                "limit": None if answer.facts.thresholds is None else float(limit),
                "answer": bool(confidence >= limit),
            }
            for label, confidence, box, polygon, limit in rows
        ],
    }


def _checked_url(url: str) -> str:
    """Return a URL that the kernel may fetch, not a path on its own disk."""
    text = url.strip()
    if text.partition("://")[0].lower() not in _PROTOCOLS:
        raise InputError(
            f"{text[:200]!r} is not a URL such as https://…. Use ask(path) of the widget for a local file."
        )
    return text


def _small_picture(detection: Any) -> str:
    picture = detection.draw(_STILL_PIXELS)
    for quality in _STILL_QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _STILL_BYTES:
            break
    return data_url(buffer.getvalue())


class Parts:
    """Buffer of files that a page uploads in chunks, because a message is limited to a few megabytes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._files: dict[str, bytearray] = {}
        self._lock = threading.Lock()

    def add(self, key: str, data: bytes | memoryview, *, first: bool) -> None:
        """Append a chunk to the file ``key``, or start the file if ``first`` is true.

        If there are too many files, the oldest is dropped.
        """
        with self._lock:
            if first:
                self._files[key] = bytearray()
                for old in list(self._files)[:-_MOST_FILES_AT_ONCE]:
                    del self._files[old]
            elif key not in self._files:
                raise InputError("The upload of this file is incomplete. Send it again.")
            if len(self._files[key]) + len(data) > self.most_bytes:
                del self._files[key]
                raise InputError(f"The file is larger than {self.most_bytes >> 20:,} MB.")
            self._files[key] += data

    def take(self, key: str) -> bytes:
        """Return the complete file and remove it from the buffer."""
        with self._lock:
            try:
                return bytes(self._files.pop(key))
            except KeyError:
                raise InputError("The upload of this file is incomplete. Send it again.") from None
