"""Training view widget: live progress, metric charts and sample predictions of a training run."""

from __future__ import annotations

import io
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anywidget
import traitlets
from PIL import Image, ImageDraw

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb.core.colors import label_color
from customlabels_nb.events import DONE, FAILED, STOPPED, Ended, Event, Events, Mark, Sample, Samples
from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import (
    StillPicture,
    contact_sheet,
    display_with_fallback,
    redraw,
    still_html,
)
from customlabels_nb.widgets.training_state import (
    MOST_MESSAGES,
    RUNNING,
    STOPPING,
    MetricCurve,
    TrainingProgress,
    thinned,
)

_BETWEEN = 0.1  # seconds between messages to the page
_BETWEEN_WHOLE = 1.0  # until a page has connected, each message contains the complete state
_LAST_WORDS = 5.0
_BETWEEN_PICTURES = 15.0  # of the state that a page shows which was reloaded
#: A reloaded page has no connection to its widgets until the cell has ended.
_AFTER_RELOAD = (
    "If the cell is still running, the progress is shown here again when it has ended. "
    "To stop it, click ■ (Interrupt the kernel) in the toolbar of the notebook."
)
_MOST_SAMPLES, _MOST_MARKS = 6, 60
# layout of the static image
_WIDTH, _HEIGHT, _GAP, _TOP, _SIDE = 400, 130, 30, 22, 44
_MOST_POINTS, _MOST_CURVES, _MOST_LINES, _LONGEST_NAME = 200, 5, 12, 11
_GREY = "#767676"  # readable on white and on black
_COLORS = ("#2f7fc1", "#c8553d", "#3a9a5b", "#8a63c9", "#d49b1a")
_WORDS = {RUNNING: "Training", DONE: "Trained", STOPPED: "Stopped", FAILED: "Failed"}


class TrainingView(MessageHandler, anywidget.AnyWidget):
    """Widget that shows the progress of a training run.

    Created by :func:`customlabels_nb.project.progress_display.watch`. Updates are sent from a separate thread, at most
    ten per second, so the run never waits for the page.

    Parameters
    ----------
    events : Events
        Events of the run. The button "Stop" cancels them.
    title : str
        Name of the model that is trained.
    colors : mapping, optional
        Label → color (#rrggbb).

    Attributes
    ----------
    progress : TrainingProgress
        State of the run. ``view.progress.history`` is a table of all metrics.
    status : str
        "running", "stopping", "done", "stopped" or "failed". ``observe(handler, "status")`` calls ``handler`` when it
        changes.
    """

    _esm = join_modules(STATIC / "training_view.js")
    _css = join_styles("shared/base.css", "training_view.css")

    status = traitlets.Unicode(RUNNING)

    def __init__(self, events: Events, *, title: str = "", colors: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.progress = TrainingProgress()
        self._events, self._title = events, title
        self._colors = dict(colors or {})
        self._page_is_open = False
        self._sent = _SentState()
        self._still: Any = None
        self._something, self._over = threading.Event(), threading.Event()
        self._sender: threading.Thread | None = None
        self.handlers = {"awake": self._awake, "hello": self._hello, "stop": self._stop}
        self.on_msg(self.answer)

    # -- the run --------------------------------------------------------------------------------------
    def receive(self, event: Event) -> None:
        """Handle an event in the thread of the run.

        Examples
        --------
        >>> from customlabels_nb.events import Metrics
        >>> from customlabels_nb.widgets.training_view import TrainingView
        >>> view = TrainingView(cl.Events())
        >>> view.receive(Metrics(1, {"loss": 0.5}))
        >>> len(view.progress.history)
        1
        """
        if isinstance(event, Ended):
            self.end(event.status, event.reason)
            return
        self.progress.receive(event)
        self._something.set()

    def stop(self) -> None:
        """Request that the run stops at its next event. Results so far are saved.

        Examples
        --------
        >>> from customlabels_nb.widgets.training_view import TrainingView
        >>> view = TrainingView(cl.Events())
        >>> view.stop()
        >>> view.status
        'stopping'
        """
        self.progress.stopping()
        if not self.progress.is_over:
            self._events.cancel()
            self.status = STOPPING
        self._something.set()

    def end(self, status: str, words: str = "") -> None:
        """Show how the run ended, also in the saved notebook."""
        self.progress.end(status, words)
        self.status = self.progress.status
        self._over.set()
        self._something.set()
        if self._sender is not None:
            self._sender.join(_LAST_WORDS)
        redraw(self._still, self._fallback)

    # -- display --------------------------------------------------------------------------------------
    def show(self) -> None:
        """Display the widget below the running cell, with a static image for the saved notebook.

        Examples
        --------
        >>> from customlabels_nb.widgets.training_view import TrainingView
        >>> TrainingView(cl.Events()).show()  # doctest: +SKIP
        """
        self._still = display_with_fallback(self, self._fallback())
        self._begin_sending()

    def _ipython_display_(self) -> None:
        self.show()

    def close(self) -> None:
        """Close the widget. The run continues.

        Examples
        --------
        >>> from customlabels_nb.widgets.training_view import TrainingView
        >>> view = TrainingView(cl.Events())
        >>> view.close()
        """
        self._over.set()
        self._something.set()
        super().close()

    def _fallback(self) -> str:
        return training_picture(self.progress, self._title, self._color)

    # -- messages to the page -------------------------------------------------------------------------
    def _begin_sending(self) -> None:
        if self._sender is None and not self.progress.is_over:
            self._sender = threading.Thread(target=self._send_news, name="customlabels_nb live view", daemon=True)
            self._sender.start()

    def _send_news(self) -> None:
        over, drawn = False, time.monotonic()
        while not over:
            self._something.wait()
            self._something.clear()
            over = self._over.is_set()
            try:
                self._push()
                if not over and time.monotonic() - drawn >= _BETWEEN_PICTURES:
                    drawn = time.monotonic()
                    redraw(self._still, self._fallback)
            except Exception:  # the page was closed, or the kernel is shutting down
                logging.getLogger("customlabels_nb").debug("Could not update the training view.", exc_info=True)
            self._over.wait(_BETWEEN if self._page_is_open else _BETWEEN_WHOLE)

    def _push(self) -> None:
        sent = self._sent if self._page_is_open else _SentState()
        with self.progress.lock:
            news, buffers = self._news(sent)
            self._sent = sent
        self.send({"push": "news", "news": news}, buffers)

    def _news(self, sent: _SentState) -> tuple[dict[str, Any], list[bytes]]:
        """Return the changes since ``sent``, with the short fields always included, and record them in ``sent``."""
        progress = self.progress
        phase = progress.phases[-1] if progress.phases else None
        news: dict[str, Any] = {
            "title": self._title,
            "status": progress.status,
            "words": progress.words,
            "kept": progress.kept,
            "seconds": round(progress.seconds, 2),
            "left": progress.seconds_left,
            "phase": phase and {"name": phase.name, "done": phase.done, "total": phase.total, "unit": phase.unit},
            "over": [
                {
                    "name": ended.name,
                    "done": ended.done,
                    "unit": ended.unit,
                    "seconds": round(ended.heard - ended.started, 2),
                }
                for ended in progress.phases[:-1]
            ],
            "figures": self._metrics(sent),
        }
        first = max(sent.messages, progress.said - MOST_MESSAGES, 0)
        if first < progress.said:
            lines = progress.messages[first - progress.said :]
            news["messages"] = {"from": first, "lines": [[round(seconds, 2), text] for seconds, text in lines]}
            sent.messages = progress.said
        if progress.samples is None or progress.samples is sent.samples:
            return news, []
        sent.samples = progress.samples
        news["samples"] = self._samples(progress.samples)
        return news, [sample.picture for sample in progress.samples.samples[:_MOST_SAMPLES]]

    def _metrics(self, sent: _SentState) -> list[dict[str, Any]]:
        metrics = []
        for curve in self.progress.metrics.values():
            generation, count = sent.metrics.get(curve.name, (curve.generation, 0))
            first = count if generation == curve.generation else 0
            sent.metrics[curve.name] = (curve.generation, len(curve.points))
            points = [[step, round(seconds, 2), _number(value)] for step, seconds, value in curve.points[first:]]
            entry = {"name": curve.name, "kind": curve.kind, "generation": curve.generation, "from": first}
            if points or not first:
                best = curve.best
                metrics.append({**entry, "points": points, "best": best and [best[0], _number(best[2])]})
        return metrics

    def _samples(self, samples: Samples) -> dict[str, Any]:
        shown = samples.samples[:_MOST_SAMPLES]
        return {
            "step": samples.step,
            "of": samples.of,
            "pictures": [
                {
                    "image": sample.image,
                    "size": sample.size,
                    "true": [self._mark(mark) for mark in sample.true[:_MOST_MARKS]],
                    "predicted": [self._mark(mark) for mark in sample.predicted[:_MOST_MARKS]],
                }
                for sample in shown
            ],
        }

    def _mark(self, mark: Mark) -> dict[str, Any]:
        box = None if mark.box is None else [float(value) for value in mark.box]
        return {"label": mark.label, "color": self._color(mark.label), "box": box, "confidence": mark.confidence}

    def _color(self, label: str) -> str:
        return self._colors.setdefault(label, label_color(len(self._colors)))

    # -- requests of the page -------------------------------------------------------------------------
    def _awake(self) -> Any:
        """Respond to the first message of a page, which may wait until the cell has finished."""
        return {}

    def _hello(self) -> Any:
        self._page_is_open = True
        with self.progress.lock:
            return self._news(_SentState())

    def _stop(self) -> Any:
        self.stop()
        return {"status": self.progress.status}


@dataclass
class _SentState:
    """State that was already sent to the page."""

    messages: int = 0
    samples: Samples | None = None
    metrics: dict[str, tuple[int, int]] = field(default_factory=dict)


def _number(value: float) -> float | None:
    """Round a number for JSON, or return None if it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def training_picture(progress: TrainingProgress, title: str, color: Callable[[str], str]) -> str:
    """Return the state of a run as static HTML of less than 100 KB. ``color`` returns the color of a label."""
    with progress.lock:
        lines = [_first_line(progress, title), *(() if progress.is_over else (_AFTER_RELOAD,))]
        lines += [text for _, text in progress.messages[-_MOST_LINES:]]
        charts = _charts(progress)
        samples = () if progress.samples is None else progress.samples.samples[:6]
    parts: list[str | StillPicture] = [*lines]
    if charts:
        last = [(curve.name, curve.points[-1]) for curve in progress.metrics.values() if curve.points]
        description = "; ".join(f"{name}: {value:.4g} at step {step}" for name, (step, _, value) in last)
        parts.append(StillPicture(data_url(charts.encode(), "image/svg+xml"), description))
    if progress.samples is not None and samples:
        parts.append(contact_sheet([_drawn(sample, color) for sample in samples], [_caption(s) for s in samples]))
        parts.append(f"{progress.samples.of.capitalize()}: ground truth (thick) and predictions (thin).")
    return still_html(*parts)


def _first_line(progress: TrainingProgress, title: str) -> str:
    words = [f"{_WORDS.get(progress.status, 'Stopping')} {title}".strip()]
    if progress.words:
        words.append(progress.words)
    if progress.phases and not progress.is_over:
        phase = progress.phases[-1]
        words.append(f"{phase.name} {phase.done:,}{f' of {phase.total:,}' if phase.total else ''} {phase.unit}")
    if progress.is_over:
        words.append(f"{progress.seconds:.0f} s")
    if progress.best is not None:
        name, step, value = progress.best
        words.append(f"best {name} {value:.3f} at step {step:,}")
    if progress.kept:
        words.append(progress.kept)
    return " · ".join(words)


def _charts(progress: TrainingProgress) -> str:
    """Draw losses and measured metrics as two SVG charts, or return "" if there are none."""
    groups = [
        [curve for curve in progress.metrics.values() if curve.kind == kind and len(curve.points) > 1]
        for kind in ("loss", "figure")
    ]
    groups = [group[:_MOST_CURVES] for group in groups if group]
    if not groups:
        return ""
    return render(
        "training_charts.svg",
        charts=[_chart(group) for group in groups],
        width=_WIDTH,
        left=_SIDE,
        right=_WIDTH - _SIDE,
        bottom=_TOP + _HEIGHT,
        height=_TOP + _HEIGHT + _GAP,
        grey=_GREY,
    )


def _chart(metrics: Sequence[MetricCurve]) -> dict[str, Any]:
    """Compute a chart's curves with their points in pixels, its lowest and highest value, and its steps."""
    values = [value for curve in metrics for _, _, value in curve.points if math.isfinite(value)]
    steps = [curve.points[end][0] for curve in metrics for end in (0, -1)]
    low, high = min([0.0, *values]), max([*values, 0.0])
    high = high if high > low else low + 1
    first, last = min(steps), max(steps)

    def pixel(step: float, value: float) -> tuple[float, float]:
        x = _SIDE + (_WIDTH - 2 * _SIDE) * (step - first) / max(1, last - first)
        return x, _TOP + _HEIGHT * (1 - (value - low) / (high - low))

    curves = []
    offset = _SIDE
    for curve, color in zip(metrics, _COLORS, strict=False):
        name = curve.name.removeprefix("loss_")[:_LONGEST_NAME]
        points = [point for point in thinned(curve.points, _MOST_POINTS) if math.isfinite(point[2])]
        best = None if curve.best is None else pixel(curve.best[0], curve.best[2])
        drawn = [pixel(step, value) for step, _, value in points]
        curves.append({"name": name, "left": offset, "color": color, "points": drawn, "best": best})
        offset += 6 * len(name) + 10
    levels = [(f"{value:.3g}", pixel(first, value)[1]) for value in (low, high)]
    return {"curves": curves, "levels": levels, "first": first, "last": last}


def _drawn(sample: Sample, color: Callable[[str], str]) -> bytes | Exception:
    try:
        with Image.open(io.BytesIO(sample.picture)) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        return error
    pen = ImageDraw.Draw(image)
    scale = image.width / sample.size[0], image.height / sample.size[1]
    for boxes, width in ((sample.true, 4), (sample.predicted, 2)):
        for mark in boxes:
            if mark.box is not None:
                x, y, w, h = (value * scale[axis % 2] for axis, value in enumerate(mark.box))
                pen.rectangle((x, y, x + max(1, w), y + max(1, h)), outline=color(mark.label), width=width)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _caption(sample: Sample) -> str:
    true = ", ".join(sorted({mark.label for mark in sample.true})) or "nothing"
    predicted = ", ".join(sorted({mark.label for mark in sample.predicted})) or "nothing"
    return f"{sample.image}: {true}, predicted: {predicted}"
