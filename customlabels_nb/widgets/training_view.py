"""The live view of a run: what a :class:`.TrainingProgress` knows, in a page."""

from __future__ import annotations

import io
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anywidget
import traitlets
from PIL import Image, ImageDraw

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb.core.tables import label_colour
from customlabels_nb.events import Event, Events, Mark, Sample, Samples
from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import (
    StaticFallback,
    StillPicture,
    contact_sheet,
    display_with_fallback,
    still_html,
)
from customlabels_nb.widgets.training_progress import (
    DONE,
    FAILED,
    MOST_MESSAGES,
    RUNNING,
    STOPPED,
    STOPPING,
    MetricCurve,
    TrainingProgress,
    thinned,
)

_BETWEEN = 0.1  # seconds from one message to the page to the next
_BETWEEN_WHOLE = 1.0  # while no page has said that it listens, each message has everything
_LAST_WORDS = 5.0
_MOST_SAMPLES, _MOST_MARKS = 6, 60
# the still picture
_WIDTH, _HEIGHT, _GAP, _TOP, _SIDE = 400, 130, 30, 22, 44
_MOST_POINTS, _MOST_CURVES, _MOST_LINES, _LONGEST_NAME = 200, 5, 12, 11
_GREY = "#767676"  # can be read on white and on black
_COLOURS = ("#2f7fc1", "#c8553d", "#3a9a5b", "#8a63c9", "#d49b1a")
_WORDS = {RUNNING: "Training was under way", DONE: "Trained", STOPPED: "Stopped", FAILED: "Failed"}


class TrainingView(MessageHandler, anywidget.AnyWidget):
    """How a run is going; made by :func:`customlabels_nb.project.progress_display.watch`.

    It sends from a thread of its own, at most ten messages a second: the run never waits for it.

    Parameters
    ----------
    events : Events
        Of the run; "Stop" cancels them.
    title : str
        What is trained.
    colours : mapping, optional
        Label → colour (#rrggbb).

    Attributes
    ----------
    progress : TrainingProgress
        What is known of it: ``view.progress.history`` is a table of all figures.
    status : str
        "running", "stopping", "done", "stopped" or "failed"; ``observe(handler, "status")`` follows it.
    """

    _esm = join_modules(STATIC / "training_view.js")
    _css = join_styles("shared/base.css", "training_view.css")

    status = traitlets.Unicode(RUNNING)

    def __init__(self, events: Events, *, title: str = "", colours: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.progress = TrainingProgress()
        self._events, self._title = events, title
        self._colours = dict(colours or {})
        self._heard_of_page = False
        self._told = _Told()
        self._shown_fallback: StaticFallback | None = None
        self._something, self._over = threading.Event(), threading.Event()
        self._sender: threading.Thread | None = None
        self.handlers = {"awake": self._awake, "hello": self._hello, "stop": self._stop}
        self.on_msg(self.answer)

    # -- the run --------------------------------------------------------------------------------------
    def hear(self, event: Event) -> None:
        """Take in an event of the run, in its thread."""
        self.progress.hear(event)
        self._something.set()

    def stop(self) -> None:
        """Ask the run to stop at its next event; what is finished is kept."""
        self.progress.stopping()
        if not self.progress.is_over:
            self._events.cancel()
            self.status = STOPPING
        self._something.set()

    def end(self, status: str, words: str = "") -> None:
        """Show how it ended, also in the saved notebook."""
        self.progress.end(status, words)
        self.status = self.progress.status
        self._over.set()
        self._something.set()
        if self._sender is not None:
            self._sender.join(_LAST_WORDS)
        self._draw_still()

    # -- display --------------------------------------------------------------------------------------
    def show(self) -> None:
        """Display it below the cell that runs, with a still picture for the saved notebook, which the widget hides."""
        self._shown_fallback = display_with_fallback(self, self._fallback())
        self._begin_sending()

    def _ipython_display_(self) -> None:
        self.show()

    def close(self) -> None:
        """End the widget; the run goes on."""
        self._over.set()
        self._something.set()
        super().close()

    def _fallback(self) -> str:
        return training_picture(self.progress, self._title, self._colour)

    def _draw_still(self) -> None:
        if self._shown_fallback is not None:
            self._shown_fallback.draw(self._fallback)

    # -- what is sent ---------------------------------------------------------------------------------
    def _begin_sending(self) -> None:
        if self._sender is None and not self.progress.is_over:
            self._sender = threading.Thread(target=self._send_news, name="customlabels_nb live view", daemon=True)
            self._sender.start()

    def _send_news(self) -> None:
        over = False
        while not over:
            self._something.wait()
            self._something.clear()
            over = self._over.is_set()
            try:
                self._push()
            except Exception:  # the page is gone, or the kernel is ending
                logging.getLogger("customlabels_nb").debug("The live view could not be told.", exc_info=True)
            self._over.wait(_BETWEEN if self._heard_of_page else _BETWEEN_WHOLE)

    def _push(self) -> None:
        told = self._told if self._heard_of_page else _Told()
        with self.progress.lock:
            news, buffers = self._news(told)
            self._told = told
        self.send({"push": "news", "news": news}, buffers)

    def _news(self, told: _Told) -> tuple[dict[str, Any], list[bytes]]:
        """What the page doesn't know yet, and all that is short; afterwards it is told."""
        progress = self.progress
        phase = progress.phases[-1] if progress.phases else None
        news: dict[str, Any] = {
            "title": self._title,
            "status": progress.status,
            "words": progress.words,
            "seconds": round(progress.seconds, 2),
            "left": progress.seconds_left,
            "phase": phase and {"name": phase.name, "done": phase.done, "total": phase.total, "unit": phase.unit},
            "over": [
                {"name": own.name, "done": own.done, "unit": own.unit, "seconds": round(own.heard - own.started, 2)}
                for own in progress.phases[:-1]
            ],
            "figures": self._metrics(told),
        }
        first = max(told.messages, progress.said - MOST_MESSAGES, 0)
        if first < progress.said:
            lines = progress.messages[first - progress.said :]
            news["messages"] = {"from": first, "lines": [[round(at, 2), text] for at, text in lines]}
            told.messages = progress.said
        if progress.samples is None or progress.samples is told.samples:
            return news, []
        told.samples = progress.samples
        news["samples"] = self._samples(progress.samples)
        return news, [sample.picture for sample in progress.samples.samples[:_MOST_SAMPLES]]

    def _metrics(self, told: _Told) -> list[dict[str, Any]]:
        found = []
        for curve in self.progress.metrics.values():
            generation, count = told.metrics.get(curve.name, (curve.generation, 0))
            first = count if generation == curve.generation else 0
            told.metrics[curve.name] = (curve.generation, len(curve.points))
            points = [[step, round(at, 2), _number(value)] for step, at, value in curve.points[first:]]
            own = {"name": curve.name, "kind": curve.kind, "generation": curve.generation, "from": first}
            if points or not first:
                best = curve.best
                found.append({**own, "points": points, "best": best and [best[0], _number(best[2])]})
        return found

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
        return {"label": mark.label, "colour": self._colour(mark.label), "box": box, "confidence": mark.confidence}

    def _colour(self, label: str) -> str:
        return self._colours.setdefault(label, label_colour(len(self._colours)))

    # -- what the page asks for -----------------------------------------------------------------------
    def _awake(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        """The first message of a page, which may wait until the cell has run."""
        return {}

    def _hello(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self._heard_of_page = True
        with self.progress.lock:
            return self._news(_Told())

    def _stop(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.stop()
        return {"status": self.progress.status}


@dataclass
class _Told:
    """What a page has been told so far."""

    messages: int = 0
    samples: Samples | None = None
    metrics: dict[str, tuple[int, int]] = field(default_factory=dict)


def _number(value: float) -> float | None:
    """As JSON can hold it; None where it is no number."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def training_picture(progress: TrainingProgress, title: str, colour: Callable[[str], str]) -> str:
    """HTML of how a run is or ended, less than 100 KB.

    Parameters
    ----------
    progress : TrainingProgress
    title : str
    colour : callable
        Gives the colour (#rrggbb) of a label.
    """
    with progress.lock:
        lines = [_first_line(progress, title), *(text for _, text in progress.messages[-_MOST_LINES:])]
        charts = _charts(progress)
        samples = () if progress.samples is None else progress.samples.samples[:6]
    parts: list[str | StillPicture] = [*lines]
    if charts:
        said = "; ".join(_said(curve) for curve in progress.metrics.values() if curve.points)
        parts.append(StillPicture(data_url(charts.encode(), "image/svg+xml"), said))
    if progress.samples is not None and samples:
        parts.append(contact_sheet([_drawn(sample, colour) for sample in samples], [_caption(s) for s in samples]))
        parts.append(f"{progress.samples.of.capitalize()}: what is true (solid) and what the model says (thin).")
    return still_html(*parts)


def _first_line(progress: TrainingProgress, title: str) -> str:
    words = [f"{_WORDS.get(progress.status, 'Training is being stopped')} {title}".strip()]
    if progress.status in (STOPPED, FAILED):
        words.append(progress.words)
    if progress.is_over:
        words.append(f"{progress.seconds:.0f} s")
    if progress.best is not None:
        name, step, value = progress.best
        words.append(f"best {name} {value:.3f} at step {step:,}")
    return " · ".join(words)


def _said(curve: MetricCurve) -> str:
    return f"{curve.name}: {curve.points[-1][2]:.4g} at step {curve.points[-1][0]}"


def _charts(progress: TrainingProgress) -> str:
    """Losses and measured figures as SVG beside each other; "" if there are none."""
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
    """Return a chart's curves with their points in pixels, its lowest and highest value, and its steps."""
    values = [value for curve in metrics for _, _, value in curve.points if math.isfinite(value)]
    steps = [curve.points[end][0] for curve in metrics for end in (0, -1)]
    low, high = min([0.0, *values]), max([*values, 0.0])
    high = high if high > low else low + 1
    first, last = min(steps), max(steps)

    def place(step: float, value: float) -> tuple[float, float]:
        x = _SIDE + (_WIDTH - 2 * _SIDE) * (step - first) / max(1, last - first)
        return x, _TOP + _HEIGHT * (1 - (value - low) / (high - low))

    curves = []
    at = _SIDE
    for curve, colour in zip(metrics, _COLOURS, strict=False):
        name = curve.name.removeprefix("loss_")[:_LONGEST_NAME]
        points = [point for point in thinned(curve.points, _MOST_POINTS) if math.isfinite(point[2])]
        best = None if curve.best is None else place(curve.best[0], curve.best[2])
        drawn = [place(step, value) for step, _, value in points]
        curves.append({"name": name, "left": at, "colour": colour, "points": drawn, "best": best})
        at += 6 * len(name) + 10
    levels = [(f"{value:.3g}", place(first, value)[1]) for value in (low, high)]
    return {"curves": curves, "levels": levels, "first": first, "last": last}


def _drawn(sample: Sample, colour: Callable[[str], str]) -> bytes | Exception:
    """A sample's picture with its boxes."""
    try:
        with Image.open(io.BytesIO(sample.picture)) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        return error
    pen = ImageDraw.Draw(image)
    scale = image.width / sample.size[0], image.height / sample.size[1]
    for marks, width in ((sample.true, 4), (sample.predicted, 2)):
        for mark in marks:
            if mark.box is not None:
                x, y, w, h = (value * scale[at % 2] for at, value in enumerate(mark.box))
                pen.rectangle((x, y, x + max(1, w), y + max(1, h)), outline=colour(mark.label), width=width)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _caption(sample: Sample) -> str:
    true = ", ".join(sorted({mark.label for mark in sample.true})) or "nothing"
    found = ", ".join(sorted({mark.label for mark in sample.predicted})) or "nothing"
    return f"{sample.image}: {true}; the model says {found}"
