"""Asking a model about a video."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb._utils.durations import read_seconds
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Events
from customlabels_nb.inference.inputs import as_uri
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared, joined
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.prefetch import prefetch
from customlabels_nb.inference.thresholds import Threshold
from customlabels_nb.inference.video_detection import (
    FRAME_COLUMNS,
    VideoDetection,
    marks_of,
    still,
    target_of,
)
from customlabels_nb.inference.video_display import STILL_SIDE, Stills
from customlabels_nb.inference.video_reading import VideoFile, local_video, open_source, open_video
from customlabels_nb.models.backbones import forward_batch

_HOW = 'give a text like "1s", "500ms" or "2min", or a whole number of frames'
_MOST_SECONDS = 24 * 3600.0
_EARLY_MS = 1.0  # files keep times rounded


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
    events: Events | None = None,
) -> VideoDetection:
    """Ask a running model about frames of a video, a few of them in memory at a time.

    The video is decoded on threads of its own while the model is asked.

    Parameters
    ----------
    predictor : Predictor
        Running.
    video : path
        A file that FFmpeg reads (MP4, MOV, MKV, WebM, AVI, …), or a URL, which is fetched first.
    every : str or int
        Between the frames that are looked at: a time ("1s", "500ms"), by the times that the file gives each frame, or
        a number of frames; 1 for all.
    root : Path, optional
        Folder under which a relative path lies that isn't here.
    threshold, max_results
        See :class:`customlabels_nb.inference.postprocess.Postprocessor`; for each frame.
    to : path, optional
        What to write; see :meth:`customlabels_nb.inference.video_detection.VideoDetection.to`.
    allow_damaged : bool
        Go as far as a file goes that ends too early.
    events : Events, optional
        Gets the progress as phases "detect" and "draw", in frames of the video.

    Returns
    -------
    VideoDetection
        After an interrupt or a request to stop, of what was looked at until then (``interrupted``); nothing is written
        then.

    Raises
    ------
    InputError, LabelError
        If an argument can't be used.
    VideoError
        One of its subclasses: if the video can't be used.
    MissingDependencyError
        If PyAV isn't installed.
    ModelError
        If the model isn't running.
    """
    postprocessor, stream = Postprocessor(predictor, threshold, max_results), events or Events()
    takes = _pace(every)
    if not isinstance(video, str | os.PathLike):
        raise InputError(f"video is of type {type(video).__name__}; give a path or URL.")
    name = as_uri(video)
    with local_video(name, root) as path:
        with open_video(path, name, damaged=allow_damaged) as file:
            target = target_of(to, name)
            target.refuse_to_replace(path)
            found = _asked(postprocessor, file, takes, stream)
        try:
            found.reopen = partial(open_video, path, name, damaged=allow_damaged)
            if not found.interrupted:
                found.write(target, stream)
        except (KeyboardInterrupt, Cancelled):
            found.interrupted = True
            found.note("Stopped while the annotated video was written: there is none.")
        found.reopen = partial(open_source, name, root, damaged=allow_damaged)
    return found


@dataclass(frozen=True)
class _Looked:
    """A frame to be asked about: as the model takes it, and small."""

    index: int
    ms: float
    prepared: Prepared
    small: Image.Image


def _asked(
    postprocessor: Postprocessor, video: VideoFile, takes: Callable[[int, float], bool], events: Events
) -> VideoDetection:
    config = postprocessor.config
    colours = dict(zip(config.labels, config.colours, strict=True))
    batch = forward_batch(postprocessor.predictor.device or "cpu")
    done: list[tuple[ImagePrediction, list[tuple[int, int, int]]]] = []  # with rows of the table of frames; stays whole
    stills, empty, interrupted = Stills(), Stills(), False
    frames = prefetch(_looked_at(postprocessor, video, takes), 2 * batch)
    try:
        while group := list(islice(frames, batch)):
            answers = postprocessor.ask([one.prepared for one in group])
            rows = [(one.index, round(one.ms), len(a.labels)) for one, a in zip(group, answers, strict=True)]
            done.append((joined(answers), rows))
            for one, answer in zip(group, answers, strict=True):
                named = [
                    (config.labels[label], float(confidence), config.colours[label], box)
                    for label, confidence, box in zip(answer.labels, answer.confidences, answer.boxes, strict=True)
                ]
                (stills if named else empty).add(still(one.small, video.size, one.ms, marks_of(one.index, named)))
            _tell(events, group[-1].index + 1, video.count)
        _tell(events, video.decoded, video.decoded)
    except (KeyboardInterrupt, Cancelled):
        interrupted = True
    finally:
        frames.close()
    looked = np.array([row for _, rows in done for row in rows], dtype=np.int64).reshape(-1, len(FRAME_COLUMNS))
    seen = pd.DataFrame(looked, columns=list(FRAME_COLUMNS))
    table = postprocessor.table([answer for answer, _ in done])
    for place, column in enumerate(FRAME_COLUMNS[:2]):
        table.insert(place, column, np.repeat(seen[column].to_numpy(), seen["found"].to_numpy()))
    found = VideoDetection(video.name, table, seen, video.size, video.duration_ms, colours, interrupted=interrupted)
    found.stills = stills.chosen() or empty.chosen()
    if video.lost:
        found.notes.append(f"{video.lost:,} damaged pieces of the video were left out.")
    if video.has_sound:
        found.notes.append("Its sound was not looked at.")
    return found


def _looked_at(
    postprocessor: Postprocessor, video: VideoFile, takes: Callable[[int, float], bool]
) -> Iterator[_Looked]:
    for frame in video.frames():
        if takes(frame.index, frame.ms):
            picture = frame.picture()
            prepared = postprocessor.prepare_picture(picture)
            picture.thumbnail((STILL_SIDE, STILL_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
            yield _Looked(frame.index, frame.ms, prepared, picture)


def _tell(events: Events, done: int, total: int | None) -> None:
    events.progress("detect", done, None if total is None else max(done, total), "frames")


def _pace(every: Any) -> Callable[[int, float], bool]:
    """What tells of each frame in turn, by index and milliseconds, whether it is looked at."""
    if isinstance(every, int | np.integer) and not isinstance(every, bool):
        if every < 1:
            raise InputError(f"every={every!r} must be at least 1 frame; {_HOW}.")
        return lambda index, ms: index % int(every) == 0
    has_unit = isinstance(every, str) and any(sign.isalpha() for sign in every)
    seconds = read_seconds(every) if has_unit else None
    if seconds is None:
        raise InputError(f"every={every!r} can't be understood; {_HOW}.")
    if not 0.001 <= seconds <= _MOST_SECONDS:
        raise InputError(f"every={every!r} must be from 1 ms to 24 hours; {_HOW}.")
    return _ByTime(seconds * 1000)


class _ByTime:
    """The first frame, and of each following step of time the first."""

    def __init__(self, step_ms: float) -> None:
        self._step, self._due = step_ms, 0.0

    def __call__(self, index: int, ms: float) -> bool:
        if index > 0 and ms + _EARLY_MS < self._due:
            return False
        self._due = (int((ms + _EARLY_MS) / self._step) + 1) * self._step
        return True
