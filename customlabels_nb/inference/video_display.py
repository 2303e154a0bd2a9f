"""How the answer for a video looks: as HTML and as text."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import file_name, one_line
from customlabels_nb.images.box_drawing import BoxPicture, LabelledBox

#: Annotated videos up to so many bytes are kept in the notebook itself.
MOST_EMBEDDED = 8 * 2**20
#: Longest side of the small pictures that are kept, in pixels.
STILL_SIDE = 320

_STILL_SHOWN = 208  # px on the screen
_MOST_STILLS = 6
_COLUMNS = 320  # of a time line


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
    def spans(self) -> list[tuple[int, int]]:
        """Starts and ends of the columns in which the label is."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.columns.astype(np.int8), [0]])))
        return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

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
    return f"{one_line(file_name(name))}: {summary.looked}; {labels or 'nothing was found'}"


def to_html(
    name: str, summary: VideoSummary, *, stills: Sequence[VideoStill], video: Path | None, notes: Sequence[str]
) -> str:
    """The annotated video if there is one and it is small, else single frames; beneath, what was found when."""
    source, remark = None, None
    if video is not None:
        data = _small_file(video)
        source = data_url(data, "video/mp4") if data is not None else None
        remark = None if data else f"The annotated video is not kept in the notebook, see {one_line(str(video))}."
    elif not summary.interrupted:
        remark = 'result.to("annotated.mp4") writes the video with all this on it.'
    return render(
        "video.html",
        name=name,
        short_name=file_name(name),
        video=source,
        stills=[] if source else [_still(still) for still in stills],
        labels=summary.labels,
        columns=_COLUMNS,
        begin=clock(0),
        end=clock(summary.end),
        sentences=[summary.looked + ".", *([remark] if remark else []), *notes],
    )


def _small_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= MOST_EMBEDDED else None
    except OSError:
        return None


def _still(still: VideoStill) -> dict[str, Any]:
    if still.boxes:
        picture = BoxPicture(still.picture, still.boxes, side=_STILL_SHOWN)
        (width, height), source = picture.size, picture.to_url()
    else:
        scale = min(1.0, _STILL_SHOWN / max(still.picture.size))
        width, height = (max(1, round(side * scale)) for side in still.picture.size)
        buffer = io.BytesIO()
        still.picture.save(buffer, "JPEG", quality=82)
        source = data_url(buffer.getvalue())
    return {"source": source, "width": width, "height": height, "time": clock(still.ms), "chips": still.chips[:2]}


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
