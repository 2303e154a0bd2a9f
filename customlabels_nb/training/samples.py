"""Sample predictions shown during training: a few images with their ground truth and detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from PIL import Image

from customlabels_nb.events import Mark, Sample
from customlabels_nb.images.reading import thumbnail
from customlabels_nb.models.canvas import Canvas

#: Largest number of samples.
MOST_SAMPLES = 6

_SIDE = 320  # px
_LEAST_CONFIDENCE = 0.3
_MOST_MARKS = 40


def chosen(count: int, most: int = MOST_SAMPLES) -> list[int]:
    """Choose the indices of at most ``most`` of ``count`` images, evenly spaced and deterministic."""
    shown = min(count, most)
    return [(2 * index + 1) * count // (2 * shown) for index in range(shown)]


def make_samples(
    names: Sequence[str],
    canvases: Sequence[Canvas],
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    captions: Sequence[str] | None = None,
) -> list[Sample]:
    """Create samples for :meth:`customlabels_nb.events.Events.samples`.

    Boxes are in pixels of the upright image. Crowd regions are ignored. So are unlikely predictions, except the most
    likely label of an image without boxes, and rows for other images. Captions default to ``names``.
    """
    return [
        Sample(
            image=caption,
            picture=_picture(canvas),
            size=canvas.size,
            true=_marks(truth[truth["image"] == name], 0.0),
            predicted=_marks(predictions[predictions["image"] == name], _LEAST_CONFIDENCE),
        )
        for name, caption, canvas in zip(names, captions or names, canvases, strict=True)
    ]


def _picture(canvas: Canvas) -> bytes:
    width, height = canvas.inside
    return thumbnail(Image.fromarray(canvas.pixels[:, :height, :width].transpose(1, 2, 0).copy()), _SIDE)


def _marks(rows: pd.DataFrame, least: float) -> tuple[Mark, ...]:
    if "crowd" in rows:
        rows = rows[~rows["crowd"].eq(True)]
    has_boxes = "left" in rows and bool(rows["left"].notna().any())
    confident = "confidence" in rows
    if confident:
        rows = rows.sort_values("confidence", ascending=False, kind="stable").head(_MOST_MARKS)
        shown = rows[rows["confidence"] >= least]
        rows = rows.head(1) if shown.empty and not has_boxes else shown
    return tuple(_mark(row, confident) for row in rows.head(_MOST_MARKS).to_dict("records"))


def _mark(row: dict[str, Any], confident: bool) -> Mark:
    confidence = float(row["confidence"]) if confident and pd.notna(row["confidence"]) else None
    if pd.isna(row.get("left")):
        return Mark(str(row["label"]), None, confidence)
    left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
    return Mark(str(row["label"]), (left, top, width, height), confidence)
