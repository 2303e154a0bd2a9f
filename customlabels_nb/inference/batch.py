"""Asking a model about many images, a few batches in memory at a time.

Threads read and decode images ahead, the caller's thread has the device work, and where the answers are written another
thread does that behind it. Batches are as large as memory allows.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from customlabels_nb._utils.device import is_out_of_memory
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import Cancelled, ImageError, InputError, ModelError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.inference.inputs import expand_sources, located
from customlabels_nb.inference.journal import Failure
from customlabels_nb.inference.outputs import Looked
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared, joined
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import Writing, WrittenDetections
from customlabels_nb.inference.thresholds import Threshold
from customlabels_nb.models.backbones import decode_threads
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.remote.download_cache import connections

_BYTES_A_PIXEL = 1000  # of an image as the model takes it, in a forward pass: thrice what the packaged backbone needs
_SHARE = 0.5  # of the free memory
_CGROUP = Path("/sys/fs/cgroup")

__all__ = ["detect_many", "expand_sources"]


def detect_many(
    predictor: Predictor,
    sources: str | os.PathLike[str] | pd.DataFrame | Iterable[str | os.PathLike[str]],
    *,
    root: Path | None = None,
    threshold: Threshold = None,
    max_results: int | None = None,
    to: str | os.PathLike[str] | None = None,
    resume: bool = False,
    batch_size: int | None = None,
    events: Events | None = None,
) -> pd.DataFrame | WrittenDetections:
    """Ask a running model about many images.

    Parameters
    ----------
    predictor : Predictor
        Running.
    sources, root
        See :func:`customlabels_nb.inference.inputs.expand_sources`.
    threshold, max_results
        See :class:`customlabels_nb.inference.postprocess.Postprocessor`; for each image.
    to, resume
        Write the answers, and go on with what is there; see :class:`customlabels_nb.inference.result_writing.Writing`.
    batch_size : int, optional
        Images in one forward pass; what suits the device and its free memory by default. Where memory runs out
        batches become smaller.
    events : Events, optional
        Gets the progress as phase "detect".

    Returns
    -------
    pandas.DataFrame
        ``image``, ``label``, ``confidence`` (0..1), ``left``, ``top``, ``width``, ``height`` (pixels, NaN from a
        classifier); the images in their order, the highest confidence first. ``.attrs["errors"]``: a dict
        ``image, code, message`` for each image or folder that can't be read. After an interrupt or a request to stop,
        ``.attrs["interrupted"]`` is True and ``.attrs["remaining"]`` lists the images that weren't looked at:
        give them as ``sources`` to go on.
    WrittenDetections
        Instead, with ``to``.

    Raises
    ------
    InputError
        If an argument can't be used, there is nothing at ``sources``, or ``to`` can't be written.
    ModelError
        If the model isn't running, or memory doesn't suffice for one image. What was written by then stays, and
        ``resume=True`` goes on with it.
    """
    postprocessor = Postprocessor(predictor, threshold, max_results)
    batches = _BatchSize(postprocessor, batch_size, events)
    if to is None and resume:
        raise InputError("resume=True needs to=, the file or folder that the answers were written to.")
    issues: list[Issue] = []
    images = expand_sources(sources, root=root, issues=issues)
    listing = [{"image": issue.where, "code": issue.code, "message": issue.message} for issue in issues]
    if to is None:
        kept = _Kept(postprocessor)
        complete = _ask_all(postprocessor, batches, images, root, kept.take, events)
        return kept.table(listing, None if complete else images[kept.images :])
    writing, complete = Writing(to, postprocessor, root=root, resume=resume), False
    try:
        left = writing.left_of(images)
        complete = _ask_all(postprocessor, batches, left, root, writing.take, events, before=len(images) - len(left))
    finally:
        writing.close(complete=complete)
    return writing.result(images, listing)


def words_on_the_rest(found: pd.DataFrame | WrittenDetections) -> list[str]:
    """What to tell somebody whose run was interrupted, or whose table lacks images that could not be read."""
    if isinstance(found, WrittenDetections):  # which shows itself what could not be read
        errors, left, go_on = 0, found.left, "; resume=True goes on with them."
    else:
        errors, left = len(found.attrs["errors"]), len(found.attrs.get("remaining", ()))
        go_on = ", see .attrs['remaining']."
    words = [f"{errors:,} could not be read: see .attrs['errors']."] if errors else []
    return [*words, f"Stopped: {counted(left, 'image is', 'images are')} left{go_on}"] if left else words


def _ask_all(
    postprocessor: Postprocessor,
    batches: _BatchSize,
    images: Sequence[str],
    root: Path | None,
    take: Callable[[list[Looked]], None],
    events: Events | None,
    *,
    before: int = 0,
) -> bool:
    """Hand what the model says of each image to ``take``; False if it was interrupted.

    ``before`` images were looked at earlier, for the progress.
    """
    workers = connections(images, decode_threads(postprocessor.predictor.device or "cpu"))
    done, total = before, before + len(images)

    def decode(name: str) -> tuple[str, Prepared | Failure]:
        try:
            return name, postprocessor.prepare(read_bytes(located(name, root)), name)
        except ImageError as error:  # itself it would keep the bytes of the file in memory
            return name, {"image": name, "code": error.code, "message": error.reason}

    try:
        with closing(map_bounded(decode, images, workers=workers, ahead=4 * workers + batches.size)) as decoded:
            while batch := list(islice(decoded, batches.size)):
                take(_looked_at(batches, batch))
                done += len(batch)
                if events is not None:
                    events.progress("detect", done, total)
    except (KeyboardInterrupt, Cancelled):
        return False
    return True


def _looked_at(batches: _BatchSize, batch: Sequence[tuple[str, Prepared | Failure]]) -> list[Looked]:
    answers = iter(batches.ask([found for _, found in batch if not isinstance(found, dict)]))
    return [
        Looked(name, None, failure=found)
        if isinstance(found, dict)
        else Looked(name, next(answers), found.size if isinstance(found, Canvas) else None)
        for name, found in batch
    ]


@dataclass(frozen=True)
class _Batch:
    """Of a batch the images, how many answers each has, and these in one piece: a fraction of what single ones take."""

    images: list[str]
    counts: list[int]
    answer: ImagePrediction
    failures: list[Failure]


class _Kept:
    """Keeps the answers in memory."""

    def __init__(self, postprocessor: Postprocessor) -> None:
        self._postprocessor = postprocessor
        self._batches: list[_Batch] = []

    @property
    def images(self) -> int:
        """How many images were looked at."""
        return sum(len(batch.images) for batch in self._batches)

    def take(self, looked: Sequence[Looked]) -> None:
        answers = [one.answer for one in looked if one.answer is not None]
        counts = [0 if one.answer is None else len(one.answer.labels) for one in looked]
        failures = [one.failure for one in looked if one.failure is not None]
        # in one step, so that an interrupt finds the batch whole or not at all
        self._batches.append(_Batch([one.image for one in looked], counts, joined(answers), failures))

    def table(self, listing: Sequence[Failure], remaining: list[str] | None) -> pd.DataFrame:
        """What :func:`detect_many` returns."""
        table = self._postprocessor.table([batch.answer for batch in self._batches])
        names = np.array([name for batch in self._batches for name in batch.images], dtype=object)
        counts = np.array([count for batch in self._batches for count in batch.counts], dtype=np.int64)
        table.insert(0, "image", pd.Series(np.repeat(names, counts), dtype="str"))
        table.attrs["errors"] = [*listing, *(failure for batch in self._batches for failure in batch.failures)]
        if remaining is not None:
            table.attrs["interrupted"] = True
            table.attrs["remaining"] = remaining
        return table


class _BatchSize:
    """Asks about images in batches; where memory runs out, in smaller ones from then on.

    Parameters
    ----------
    postprocessor : Postprocessor
    wanted : int, optional
        How many at once; what suits the device and its free memory by default.
    events : Events, optional
        Told when batches become smaller.

    Attributes
    ----------
    size : int
    """

    def __init__(self, postprocessor: Postprocessor, wanted: int | None = None, events: Events | None = None) -> None:
        if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1):
            raise InputError(f"batch_size={wanted!r} must be a whole number from 1, or None for what suits the device.")
        self._postprocessor, self._events = postprocessor, events
        self._device = postprocessor.predictor.device or "cpu"
        self.size = int(wanted) if wanted is not None else self._fitting()

    def ask(self, images: Sequence[Prepared]) -> list[ImagePrediction]:
        """As :meth:`Postprocessor.ask`, with no more than ``size`` images at once.

        Raises
        ------
        ModelError
            If the model isn't running, or memory doesn't suffice for one image.
        """
        answers: list[ImagePrediction] = []
        while len(answers) < len(images):
            part, shortage = images[len(answers) : len(answers) + self.size], ""
            try:
                answers += self._postprocessor.ask(part, at_once=self.size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                shortage = str(error).partition("\n")[0] or type(error).__name__
            if shortage:  # only here, as the error itself holds on to the memory
                self._halve(len(part), shortage)
        return answers

    def _halve(self, tried: int, shortage: str) -> None:
        gc.collect()
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()
        if tried == 1:
            raise ModelError(
                f"The memory of {self._device} doesn't suffice for one image ({shortage}). Stop other models with "
                "model.stop(), or start this one elsewhere, such as model.start('cpu')."
            )
        self.size = tried // 2
        if self._events is not None:
            self._events.message(f"Out of memory with {tried} images at once: going on with {self.size}.")

    def _fitting(self) -> int:
        free = free_bytes(self._device)
        usual = self._postprocessor.predictor.at_once
        one = _BYTES_A_PIXEL * self._postprocessor.config.input_size**2
        return usual if free is None else max(1, min(usual, int(free * _SHARE / one)))


def free_bytes(device: str) -> int | None:
    """The free memory of a device; None if it doesn't tell."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    if device != "cpu":
        return None
    return int(min(psutil.virtual_memory().available, _free_in_container()))


def _free_in_container() -> float:
    """What a container, whose limit the system's figures don't show, may still take; infinite outside of one."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # no such limit, or "max"
        return float("inf")
