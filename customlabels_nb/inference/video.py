"""Run a model on the frames of a video, show the predictions, and write an annotated video."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
from PIL import Image

from customlabels_nb._utils.arguments import check_integer, plain_repr
from customlabels_nb._utils.durations import read_seconds
from customlabels_nb._utils.files import portable_name, write_errors, write_whole
from customlabels_nb._utils.progress_bars import progress_bars
from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import counted, file_name, one_line
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Events, Listener, stream_of
from customlabels_nb.images.box_drawing import BoxPicture, LabelledBox
from customlabels_nb.images.locations import Location, is_remote, local_path
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared, api_entries, joined
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import Threshold
from customlabels_nb.inference.video_reading import (
    VideoFile,
    ends_too_early,
    local_video,
    open_source,
    open_video,
    prefetch,
)
from customlabels_nb.inference.video_writing import Marks, write_annotated
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.backbones import forward_batch

#: Columns of the table of processed frames.
_FRAME_COLUMNS = ("frame", "timestamp_ms", "found")

_OTHERS = frozenset({".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".gif", ".csv", ".parquet"})
_LONGEST_NAME = 200  # bytes, file systems allow 255

_HOW = 'Pass a string like "1s", "500ms" or "2min", or an integer number of frames'
_MOST_SECONDS = 24 * 3600.0
_EARLY_MS = 1.0  # tolerance, because files store rounded times

#: Maximum size in bytes of an annotated video that is embedded in the notebook.
MOST_EMBEDDED = 8 * 2**20
_STILL_SIDE = 320  # pixels of the stored thumbnails
_COVERED = 0.95  # share of a complete video, whose stated duration may be longer than its frames
_STILL_SHOWN = 208  # CSS pixels
_MOST_STILLS = 6
_COLUMNS = 320  # of the timeline


def detect_video(
    predictor: Predictor,
    video: str | os.PathLike[str],
    *,
    every: str | int = "1s",
    root: Path | None = None,
    threshold: Threshold = None,
    max_results: int | None = None,
    to: str | os.PathLike[str] | None = None,
    allow_damaged: bool = False,
    events: Events | Listener | None = None,
) -> VideoDetection:
    """Run a started model on the frames of a video, keeping only a few frames in memory at a time.

    The video is decoded in separate threads while the model runs. ``every`` is a time according to the timestamps in
    the file, or a number of frames. ``allow_damaged`` processes a truncated file up to its last readable frame, and
    says so in the notes. After an interrupt, the result has the frames processed so far, and nothing is written.
    """
    postprocessor, stream = Postprocessor(predictor, threshold, max_results), stream_of(events)
    takes = _pace(every)
    if not isinstance(video, str | os.PathLike):
        raise InputError(f"video has type {type(video).__name__}. Pass a path or URL.")
    name = Location.of(video).name
    with local_video(name, root) as path:
        with open_video(path, name, damaged=allow_damaged) as file:
            target = target_of(to, name)
            target.refuse_to_replace(path)
            detection = _detect_frames(postprocessor, file, takes, stream)
            if allow_damaged:
                _note_coverage(detection, file)
        try:
            detection.reopen = partial(open_video, path, name, damaged=allow_damaged)
            if not detection.interrupted:
                detection._write(target, stream)
        except (KeyboardInterrupt, Cancelled):
            detection.interrupted = True
            detection.note("Stopped while writing the annotated video, which was not saved.")
        detection.reopen = partial(open_source, name, root, damaged=allow_damaged)
    return detection


def _note_coverage(detection: VideoDetection, video: VideoFile) -> None:
    """Say how much of a truncated video was processed, unless its processing was stopped before."""
    whole = video.duration_ms or 0.0
    is_short = video.covered_ms < _COVERED * whole
    if detection.interrupted or not (is_short or ends_too_early(video.path)):
        return
    of_whole = f" of {clock(whole)}" if is_short else ""
    detection.note(f"The file is truncated. The video was processed for {clock(video.covered_ms)}{of_whole}.")
    detection.duration_ms = video.covered_ms


@dataclass(frozen=True)
class FrameResult:
    """Frame to process: the input for the model and a thumbnail."""

    index: int
    ms: float
    prepared: Prepared
    small: Image.Image


def _detect_frames(
    postprocessor: Postprocessor, video: VideoFile, takes: Callable[[int, float], bool], events: Events
) -> VideoDetection:
    config = postprocessor.config
    colors = dict(zip(config.labels, config.colors, strict=True))
    batch = forward_batch(postprocessor.predictor.device or "cpu")
    done: list[tuple[ImagePrediction, list[tuple[int, int, int]]]] = []  # complete on interrupt
    stills, empty, interrupted = _Stills(), _Stills(), False
    frames = prefetch(_predicted_frames(postprocessor, video, takes), 2 * batch)
    try:
        while group := list(islice(frames, batch)):
            answers = postprocessor.ask([frame.prepared for frame in group])
            rows = [(frame.index, round(frame.ms), len(a.labels)) for frame, a in zip(group, answers, strict=True)]
            done.append((joined(answers), rows))
            for frame, answer in zip(group, answers, strict=True):
                marks = _marks_of(frame.index, _named(answer, config))
                (stills if len(answer.labels) else empty).add(_still(frame.small, video.size, frame.ms, marks))
            _report_progress(events, group[-1].index + 1, video.count)
        _report_progress(events, video.decoded, video.decoded)
    except (KeyboardInterrupt, Cancelled):
        interrupted = True
    finally:
        frames.close()
    frame_rows = np.array([row for _, rows in done for row in rows], dtype=np.int64).reshape(-1, len(_FRAME_COLUMNS))
    seen = pd.DataFrame(frame_rows, columns=list(_FRAME_COLUMNS))
    table = postprocessor.table([answer for answer, _ in done])
    for position, column in enumerate(_FRAME_COLUMNS[:2]):
        table.insert(position, column, np.repeat(seen[column].to_numpy(), seen["found"].to_numpy()))
    detection = VideoDetection(video.name, table, seen, video.size, video.duration_ms, colors, interrupted=interrupted)
    detection.stills = stills.chosen() or empty.chosen()
    if video.lost:
        detection.notes.append(f"Skipped {counted(video.lost, 'damaged packet')} of the video.")
    if video.has_sound:
        detection.notes.append("The sound was ignored.")
    return detection


def _predicted_frames(
    postprocessor: Postprocessor, video: VideoFile, takes: Callable[[int, float], bool]
) -> Iterator[FrameResult]:
    for frame in video.frames():
        if takes(frame.index, frame.ms):
            picture = frame.picture()
            prepared = postprocessor.prepare_picture(picture)
            picture.thumbnail((_STILL_SIDE, _STILL_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
            yield FrameResult(frame.index, frame.ms, prepared, picture)


def _report_progress(events: Events, done: int, total: int | None) -> None:
    events.progress("detect", done, None if total is None else max(done, total), "frames")


def _pace(every: Any) -> Callable[[int, float], bool]:
    """Return a function that takes the index and time (in ms) of a frame and returns True if it is to be processed."""
    if isinstance(every, int | np.integer) and not isinstance(every, bool):
        frames = check_integer("every", every, 1)
        return lambda index, ms: index % frames == 0
    has_unit = isinstance(every, str) and any(sign.isalpha() for sign in every)
    seconds = read_seconds(every) if has_unit else None
    if seconds is None:
        raise InputError(f"every={plain_repr(every)} is not an interval. {_HOW}.")
    if not 0.001 <= seconds <= _MOST_SECONDS:
        raise InputError(f"every={every!r} must be between 1 ms and 24 hours. {_HOW}.")
    step, due = seconds * 1000, 0.0

    def takes(index: int, ms: float) -> bool:
        nonlocal due
        if index > 0 and ms + _EARLY_MS < due:
            return False
        due = (int((ms + _EARLY_MS) / step) + 1) * step
        return True

    return takes


@dataclass(frozen=True)
class _Still:
    """Thumbnail of a frame with its predictions: boxes in pixels of the thumbnail, or labels with their colors."""

    picture: Image.Image
    ms: float
    boxes: Sequence[LabelledBox]
    chips: Sequence[tuple[str, str]]

    def facts(self) -> dict[str, Any]:
        if self.boxes:
            picture = BoxPicture(self.picture, self.boxes, side=_STILL_SHOWN)
            (width, height), source = picture.size, picture.to_url()
        else:
            scale = min(1.0, _STILL_SHOWN / max(self.picture.size))
            width, height = (max(1, round(side * scale)) for side in self.picture.size)
            buffer = io.BytesIO()
            self.picture.save(buffer, "JPEG", quality=82)
            source = data_url(buffer.getvalue())
        return {"source": source, "width": width, "height": height, "time": clock(self.ms), "chips": self.chips[:2]}


class _Stills:
    """Collector of a few thumbnails, evenly distributed over a video of unknown length."""

    def __init__(self) -> None:
        self._kept: list[_Still] = []
        self._every, self._seen = 1, 0

    def add(self, still: _Still) -> None:
        if self._seen % self._every == 0:
            self._kept.append(still)
            if len(self._kept) >= 2 * _MOST_STILLS:
                self._kept, self._every = self._kept[::2], self._every * 2
        self._seen += 1

    def chosen(self) -> list[_Still]:
        """Select at most six of the collected thumbnails, in order of time."""
        places = np.linspace(0, len(self._kept) - 1, min(len(self._kept), _MOST_STILLS)).round().astype(int)
        return [self._kept[position] for position in places]


@dataclass(frozen=True)
class _Label:
    """Label in a video: its number of frames, range of confidences and columns in the timeline."""

    name: str
    color: str
    frames: int
    lowest: float
    highest: float
    columns: npt.NDArray[np.bool_]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end columns of the intervals in which the label occurs."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.columns.astype(np.int8), [0]])))
        return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

    @property
    def value(self) -> str:
        low, high = f"{self.lowest:.2f}", f"{self.highest:.2f}"
        return f"×{self.frames} {high if low == high else f'{low}–{high}'}"


@dataclass(frozen=True)
class _Target:
    """Output paths of the JSON file and of the annotated video, each None if it is not written."""

    answers: Path | None = None
    video: Path | None = None

    def refuse_to_replace(self, source: Path) -> None:
        """Raise InputError if the annotated video would overwrite the source video."""
        if self.video is not None and self.video.exists() and self.video.samefile(source):
            raise InputError(f"to={str(self.video)!r} is the source video itself. Choose a different name.")


@dataclass(repr=False, eq=False)
class VideoDetection:
    """Predictions for a video, displayed in a notebook as the annotated video or as single frames.

    Attributes
    ----------
    name : str
        Path or URL.
    table : pandas.DataFrame
        Columns ``frame`` (from 0), ``timestamp_ms`` (from the start of the video, rounded), ``label``, ``confidence``
        (between 0 and 1), and ``left``, ``top``, ``width``, ``height`` in pixels of the upright frame (NaN for a
        classifier), and ``polygon`` for a model with masks. Rows are sorted by time, and by decreasing confidence
        within a frame.
    frames : pandas.DataFrame
        Processed frames: ``frame``, ``timestamp_ms``, and ``found``, the number of rows for this frame in ``table``.
    size : tuple of int
        Width and height of an upright frame in pixels.
    duration_ms : float or None
        Duration of the video according to the file, if known. For a truncated file, the time that was processed.
    colors : dict of str to str
        Color of each label as #rrggbb.
    notes : list of str
        Human-readable notes, for example about skipped packets.
    interrupted : bool
        True if processing was stopped before the end.
    video, answers : Path or None
        Annotated video and JSON file that were last written.
    """

    name: str
    table: pd.DataFrame
    frames: pd.DataFrame
    size: tuple[int, int]
    duration_ms: float | None
    colors: dict[str, str]
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False
    video: Path | None = None
    answers: Path | None = None
    stills: list[_Still] = field(default_factory=list)
    reopen: Callable[[], AbstractContextManager[VideoFile]] | None = None

    @property
    def response(self) -> dict[str, list[dict[str, Any]]]:
        """Predictions in the format of the Rekognition API, with ``Timestamp`` in ms and boxes as fractions."""
        boxes = self.table[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
        entries = api_entries(
            self.table["label"], self.table["confidence"], boxes, self.size, self.table.get("polygon")
        )
        moments = self.table["timestamp_ms"].tolist()
        return {"CustomLabels": [{**entry, "Timestamp": ms} for entry, ms in zip(entries, moments, strict=True)]}

    def to(
        self, path: str | os.PathLike[str], *, progress: bool = True, events: Events | Listener | None = None
    ) -> VideoDetection:
        """Write the predictions, the annotated video, or both.

        Parameters
        ----------
        path : path
            A path ending in ``.json`` writes the predictions: the list ``CustomLabels`` of :attr:`response`. A path
            ending in ``.mp4`` writes the annotated video, in which each prediction is drawn until the next processed
            frame. It has no sound and is at most 1,920 pixels wide and high. Any other path is a folder, created if
            necessary, for both: ``<video>.json`` and ``<video>.annotated.mp4``.

        Returns
        -------
        VideoDetection
            This object, which now displays the video.

        Raises
        ------
        InputError
            If a file cannot be written, or ``path`` is the source video itself.
        VideoError
            If the source video no longer exists.

        Examples
        --------
        >>> found = model.detect_video("street.mp4", every="1s")  # doctest: +SKIP
        >>> found.to("street.annotated.mp4")  # doctest: +SKIP
        """
        with progress_bars(events, show=progress) as stream:
            self._write(target_of(path, self.name), stream)
        return self

    def _write(self, target: _Target, events: Events) -> None:
        """Write the outputs that ``target`` names, see :meth:`to`."""
        if target.answers is not None:
            with write_errors(f"to={str(target.answers)!r}"):
                write_whole(target.answers, orjson.dumps(self.response["CustomLabels"], option=orjson.OPT_INDENT_2))
            self.answers = target.answers
        if target.video is not None:
            assert self.reopen is not None
            with self.reopen() as video:
                target.refuse_to_replace(video.path)
                remark = write_annotated(video, list(self._marks()), target.video, events)
                self.note(remark)
                self.note("The annotated video has no sound." if video.has_sound else None)
            self.video = target.video

    def note(self, sentence: str | None) -> None:
        """Add ``sentence`` to the notes unless they already contain it."""
        if sentence is not None and sentence not in self.notes:
            self.notes.append(sentence)

    def _marks(self) -> Iterator[Marks]:
        """Yield the marks to draw from each processed frame onwards."""
        boxes = self.table[list(BOX_COLUMNS)].to_numpy(np.float64)
        labels, confidences = self.table["label"].tolist(), self.table["confidence"].tolist()
        polygons, end = self.table.get("polygon", [None] * len(labels)), 0
        for index, count in zip(self.frames["frame"].tolist(), self.frames["found"].tolist(), strict=True):
            rows, end = range(end, end + count), end + count
            named = [
                (labels[i], confidences[i], self.colors.get(labels[i], "#888888"), boxes[i], polygons[i]) for i in rows
            ]
            yield _marks_of(index, named)

    def __repr__(self) -> str:
        labels = ", ".join(f"{one_line(label.name)} {label.value}" for label in self._labels())
        return f"{one_line(file_name(self.name))}: {self._describe_length()}; {labels or 'no detections'}"

    def _repr_html_(self) -> str:
        """Render a timeline of the labels and the annotated video, or single frames if it is missing or too large."""
        source, remark = None, None
        if self.video is not None:
            data = _small_file(self.video)
            source = data_url(data, "video/mp4") if data is not None else None
            remark = (
                None if data else f"The annotated video is not embedded in the notebook: {one_line(str(self.video))}."
            )
        elif not self.interrupted:
            remark = 'result.to("annotated.mp4") writes the video with these predictions drawn on it.'
        return render(
            "video.html",
            name=self.name,
            short_name=file_name(self.name),
            video=source,
            stills=[] if source else [still.facts() for still in self.stills],
            labels=self._labels(),
            columns=_COLUMNS,
            begin=clock(0),
            end=clock(self._end()),
            sentences=[self._describe_length() + ".", *([remark] if remark else []), *self.notes],
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _describe_length(self) -> str:
        count = counted(len(self.frames), "frame")
        length = f" of {clock(self.duration_ms)}" if self.duration_ms else ""
        return f"{count}{length} processed" + (", then stopped" if self.interrupted else "")

    def _end(self) -> float:
        last = float(self.frames["timestamp_ms"].max()) if len(self.frames) else 0.0
        return max(self.duration_ms or 0.0, last, 1.0)

    def _labels(self) -> list[_Label]:
        """Summarise the labels by decreasing number of frames. A label lasts until the next processed frame."""
        end, moments = self._end(), self.frames["timestamp_ms"].to_numpy(np.float64)
        until = dict(zip(self.frames["frame"].tolist(), [*moments[1:].tolist(), end][: len(moments)], strict=True))
        labels = []
        for name, rows in self.table.groupby("label", sort=False):
            once = rows.drop_duplicates("frame")
            columns = np.zeros(_COLUMNS, dtype=np.bool_)
            for frame, start in zip(once["frame"].tolist(), once["timestamp_ms"].tolist(), strict=True):
                first = min(_COLUMNS - 1, int(start / end * _COLUMNS))
                columns[first : max(first + 1, round(until[frame] / end * _COLUMNS))] = True
            low, high = float(rows["confidence"].min()), float(rows["confidence"].max())
            color = self.colors.get(str(name), "#888888")
            labels.append(_Label(str(name), color, len(once), low, high, columns))
        return sorted(labels, key=lambda label: -label.frames)


def _named(answer: ImagePrediction, config: ModelConfig) -> list[tuple[str, float, str, Any, Any]]:
    """Return the label, confidence, color, box and polygon of each prediction for a frame."""
    polygons = [None] * len(answer.labels) if answer.polygons is None else answer.polygons
    rows = zip(answer.labels, answer.confidences, answer.boxes, polygons, strict=True)
    return [(config.labels[k], float(value), config.colors[k], box, polygon) for k, value, box, polygon in rows]


def _marks_of(index: int, rows: list[tuple[str, float, str, Any, Any]]) -> Marks:
    """Convert predictions in a frame to marks: label, confidence, color, box (or NaN) and polygon (or None)."""
    boxes = [
        LabelledBox(tuple(box.tolist()), label, color, f"{confidence:.2f}", polygon)
        for label, confidence, color, box, polygon in rows
        if not np.isnan(box).any()
    ]
    chips = [(f"{label}  {value:.2f}", color) for label, value, color, box, _ in rows if np.isnan(box).any()]
    return Marks(index, boxes, chips)


def target_of(to: str | os.PathLike[str] | None, video: str) -> _Target:
    """Parse ``to`` for the given video, creating the folder if ``to`` names one."""
    if to is None:
        return _Target()
    path = local_path(to, "to")
    kind = path.suffix.lower()
    if kind in _OTHERS and not path.is_dir():
        raise InputError(
            f"to={str(path)!r} has an unsupported suffix. Use .mp4 (annotated video) or .json (predictions), or pass a "
            "folder."
        )
    is_file = kind in (".mp4", ".json") and not path.is_dir()
    folder = path.parent if is_file else path
    with write_errors(f"to={str(path)!r}"):
        if not is_file:
            path.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            raise InputError(f"to={str(path)!r} cannot be written: the folder {str(folder)!r} does not exist.")
    if is_file:
        return _Target(video=path) if kind == ".mp4" else _Target(answers=path)
    name = _file_name(video)
    return _Target(path / f"{name}.json", path / f"{name}.annotated.mp4")


def _file_name(video: str) -> str:
    """Return the last part of a path or URL as a safe file name."""
    path = urlsplit(video).path if is_remote(video) else os.fspath(local_path(video, "video"))
    name = path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    short = os.fsdecode(os.fsencode(name)[:_LONGEST_NAME]) if len(os.fsencode(name)) > _LONGEST_NAME else name
    return portable_name(short) or "video"


def _still(picture: Image.Image, size: tuple[int, int], ms: float, marks: Marks) -> _Still:
    """Create a thumbnail of a frame, with boxes scaled from the frame of ``size``."""
    scale = picture.width / size[0]
    boxes = []
    for mark in marks.boxes:
        left, top, width, height = (side * scale for side in mark.box)
        polygon = [ring * scale for ring in rings_of(mark.polygon)] or None
        boxes.append(LabelledBox((left, top, width, height), one_line(mark.label), mark.color, mark.value, polygon))
    return _Still(picture, ms, boxes, [(one_line(words), color) for words, color in marks.chips])


def clock(ms: float) -> str:
    """Format a time as video players do, such as 0:07.3 or 1:02:03.0."""
    tenths = round(ms / 100)
    seconds, tenth = divmod(tenths, 10)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}.{tenth}" if hours else f"{minute}:{second:02}.{tenth}"


def _small_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= MOST_EMBEDDED else None
    except OSError:
        return None
