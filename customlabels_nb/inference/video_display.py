"""How the answer for a video looks: as HTML and as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from customlabels_nb._utils.text import escaped, one_line
from customlabels_nb.images.box_drawing import BoxPicture, LabelledBox

#: Annotated videos up to so many bytes are kept in the notebook itself.
MOST_EMBEDDED = 8 * 2**20
#: Longest side of the small pictures that are kept, in pixels.
STILL_SIDE = 320

_SIDE = 640
_STILL_SHOWN = 208  # px on the screen
_MOST_STILLS = 6
_MOST_LABELS = 12
_COLUMNS = 320  # of a time line

_TEXT, _GREY = "var(--jp-ui-font-color1, CanvasText)", "var(--jp-ui-font-color2, GrayText)"
_TRACK = "var(--jp-layout-color3, rgba(128,128,128,.3))"
_STYLE = (
    f"margin:0;width:{_SIDE}px;max-width:100%;color:{_TEXT};line-height:1.5;"
    "font-family:var(--jp-ui-font-family, system-ui, sans-serif);font-size:var(--jp-ui-font-size1, 13px)"
)
_DOT = "flex:none;width:8px;height:8px;border-radius:50%;background:{colour}"


@dataclass(frozen=True)
class VideoStill:
    """A frame, small, with what was found in it: boxes in its pixels, or words and their colours."""

    picture: Image.Image
    ms: float
    boxes: Sequence[LabelledBox] = ()
    chips: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class _Label:
    """A label in a video: in how many of the frames looked at, how surely, and in which columns of the time line."""

    name: str
    colour: str
    frames: int
    lowest: float
    highest: float
    columns: npt.NDArray[np.bool_]

    @property
    def value(self) -> str:
        low, high = f"{self.lowest:.2f}", f"{self.highest:.2f}"
        return f"×{self.frames} {high if low == high else f'{low}–{high}'}"


@dataclass(frozen=True)
class VideoSummary:
    """What the tables of a video come to: its labels, the end of the time line in ms, and how much was looked at."""

    labels: list[_Label]
    end: float
    looked: str
    interrupted: bool


def summarise(
    table: pd.DataFrame,
    frames: pd.DataFrame,
    colours: Mapping[str, str],
    duration_ms: float | None,
    *,
    interrupted: bool,
) -> VideoSummary:
    """Summarise what was found in a video.

    Parameters
    ----------
    table, frames, colours, duration_ms, interrupted
        See :class:`customlabels_nb.inference.video.VideoDetection`.
    """
    last = float(frames["timestamp_ms"].max()) if len(frames) else 0.0
    end = max(duration_ms or 0.0, last, 1.0)
    count = "1 frame" if len(frames) == 1 else f"{len(frames):,} frames"
    length = f" of {clock(duration_ms)}" if duration_ms else ""
    looked = f"{count}{length} looked at" + (", then stopped" if interrupted else "")
    return VideoSummary(_labels(table, frames, colours, end), end, looked, interrupted)


def clock(ms: float) -> str:
    """A moment as players show it: 0:07.3, 1:02:03.0."""
    tenths = round(ms / 100)
    seconds, tenth = divmod(tenths, 10)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}.{tenth}" if hours else f"{minute}:{second:02}.{tenth}"


def to_text(name: str, summary: VideoSummary) -> str:
    """One line: the video and its labels."""
    labels = ", ".join(f"{one_line(label.name)} {label.value}" for label in summary.labels)
    return f"{one_line(_short(name))}: {summary.looked}; {labels or 'nothing was found'}"


def to_html(
    name: str, summary: VideoSummary, *, stills: Sequence[VideoStill], video: Path | None, notes: Sequence[str]
) -> str:
    """The annotated video if there is one and it is small, else single frames; beneath, what was found when."""
    labels = summary.labels
    shown, remark = _shown(stills, video, interrupted=summary.interrupted)
    rows = "".join(_row(label) for label in labels[:_MOST_LABELS])
    if len(labels) > _MOST_LABELS:
        rows += f'<span style="color:{_GREY}">and {len(labels) - _MOST_LABELS} more</span><span></span>'
    if labels:
        ends = f"<span>{clock(0)}</span><span>{clock(summary.end)}</span>"
        rows += f'<span></span><span style="display:flex;justify-content:space-between;color:{_GREY}">{ends}</span>'
    else:
        rows = f'<span style="color:{_GREY}">Nothing was found.</span>'
    sentences = [summary.looked + ".", *([remark] if remark else []), *notes]
    return (
        f'<figure style="{_STYLE}">{shown}'
        '<figcaption style="margin-top:8px"><div style="display:grid;grid-template-columns:minmax(0,auto) 1fr;'
        f'gap:4px 10px;align-items:center">{rows}</div>'
        f'<div style="color:{_GREY};margin-top:4px;overflow-wrap:anywhere" title="{escaped(name)}">'
        f"<bdi>{escaped(_short(name))}</bdi> · {escaped(' '.join(sentences))}</div></figcaption></figure>"
    )


def _shown(stills: Sequence[VideoStill], video: Path | None, *, interrupted: bool) -> tuple[str, str | None]:
    """The moving or still pictures, and what to say of them."""
    pictures = "".join(map(_still_html, stills))
    strip = f'<div style="display:flex;flex-wrap:wrap;gap:8px">{pictures}</div>'
    if video is None:
        return strip, None if interrupted else 'result.to("annotated.mp4") writes the video with all this on it.'
    data = _small_file(video)
    if data is None:
        return strip, f"The annotated video is not kept in the notebook, see {one_line(str(video))}."
    source = "data:video/mp4;base64," + base64.b64encode(data).decode()
    return (
        f'<video controls muted loop playsinline preload="metadata" src="{source}" width="{_SIDE}" '
        'style="display:block;width:auto;max-width:100%;max-height:640px;border-radius:4px;background:#000"></video>',
        None,
    )


def _small_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= MOST_EMBEDDED else None
    except OSError:
        return None


def _still_html(still: VideoStill) -> str:
    if still.boxes:
        picture = BoxPicture(still.picture, still.boxes, side=_STILL_SHOWN)
        (width, height), source = picture.size, picture.to_url()
    else:
        scale = min(1.0, _STILL_SHOWN / max(still.picture.size))
        width, height = (max(1, round(side * scale)) for side in still.picture.size)
        buffer = io.BytesIO()
        still.picture.save(buffer, "JPEG", quality=82)
        source = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    chips = "".join(_chip(words, colour) for words, colour in still.chips[:2])
    return (
        f'<span style="width:{max(width, 96)}px"><img src="{source}" alt="{clock(still.ms)}" width="{width}" '
        f'height="{height}" style="display:block;border-radius:4px">'
        f'<span style="color:{_GREY};font-variant-numeric:tabular-nums">{clock(still.ms)}</span>{chips}</span>'
    )


def _chip(words: str, colour: str) -> str:
    dot = f'<span style="{_DOT.format(colour=escape(colour))}"></span>'
    return (
        '<span style="display:flex;align-items:center;gap:5px;overflow-wrap:anywhere">'
        f"{dot}<bdi>{escaped(words)}</bdi></span>"
    )


def _row(label: _Label) -> str:
    spans = "".join(
        f'<rect x="{start}" y="0" width="{end - start}" height="8" fill="{escape(label.colour)}"/>'
        for start, end in _runs(label.columns)
    )
    return (
        f"{_chip(f'{label.name} {label.value}', label.colour)}"
        f'<svg viewBox="0 0 {_COLUMNS} 8" preserveAspectRatio="none" width="100%" height="8" '
        f'style="display:block;background:{_TRACK};border-radius:4px">{spans}</svg>'
    )


def _runs(columns: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Starts and ends of what is true without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], columns.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _labels(table: pd.DataFrame, frames: pd.DataFrame, colours: Mapping[str, str], end: float) -> list[_Label]:
    """What was found, the label in most frames first; each lasts until the next frame that was looked at."""
    if table.empty:
        return []
    moments = frames["timestamp_ms"].to_numpy(np.float64)
    until = dict(zip(frames["frame"].tolist(), [*moments[1:].tolist(), end], strict=True))
    labels = []
    for name, rows in table.groupby("label", sort=False):
        once = rows.drop_duplicates("frame")
        columns = np.zeros(_COLUMNS, dtype=np.bool_)
        for frame, start in zip(once["frame"].tolist(), once["timestamp_ms"].tolist(), strict=True):
            first = min(_COLUMNS - 1, int(start / end * _COLUMNS))
            columns[first : max(first + 1, round(until[frame] / end * _COLUMNS))] = True
        low, high = float(rows["confidence"].min()), float(rows["confidence"].max())
        labels.append(_Label(str(name), colours.get(str(name), "#888888"), len(once), low, high, columns))
    return sorted(labels, key=lambda label: -label.frames)


def _short(name: str) -> str:
    path = name.partition("?")[0] if "://" in name else name
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or name


class Stills:
    """Keeps a few small pictures, evenly spread over a video whose length nobody knows."""

    def __init__(self) -> None:
        self._kept: list[VideoStill] = []
        self._every, self._seen = 1, 0

    def add(self, still: VideoStill) -> None:
        """Perhaps keep one more."""
        if self._seen % self._every == 0:
            self._kept.append(still)
            if len(self._kept) >= 2 * _MOST_STILLS:
                self._kept, self._every = self._kept[::2], self._every * 2
        self._seen += 1

    def chosen(self) -> list[VideoStill]:
        """At most six of those that were kept, by time."""
        places = np.linspace(0, len(self._kept) - 1, min(len(self._kept), _MOST_STILLS)).round().astype(int)
        return [self._kept[place] for place in places]
