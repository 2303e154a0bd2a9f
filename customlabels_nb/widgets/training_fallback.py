"""The still picture that a saved notebook shows in place of a live view: how it ended, curves, samples."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image, ImageDraw

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb.events import Sample
from customlabels_nb.widgets.static_fallback import StillPicture, contact_sheet, still_html
from customlabels_nb.widgets.training_progress import (
    DONE,
    FAILED,
    RUNNING,
    STOPPED,
    MetricCurve,
    TrainingProgress,
    thinned,
)

_WIDTH, _HEIGHT, _GAP, _TOP, _SIDE = 400, 130, 30, 22, 44
_MOST_POINTS, _MOST_CURVES, _MOST_LINES, _LONGEST_NAME = 200, 5, 12, 11
_GREY = "#767676"  # can be read on white and on black
_COLOURS = ("#2f7fc1", "#c8553d", "#3a9a5b", "#8a63c9", "#d49b1a")
_WORDS = {RUNNING: "Training was under way", DONE: "Trained", STOPPED: "Stopped", FAILED: "Failed"}


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
