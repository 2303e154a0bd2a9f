"""Run a model on many images in batches, with image prefetching and bounded memory.

Worker threads read and decode images ahead of the model, the calling thread runs the model, and another thread writes
the predictions if they go to a file. On a GPU, two threads run the model, so that the GPU computes one batch while the
results of another are converted. The batch size is limited by the free memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from customlabels_nb._utils.device import BatchSize
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import Cancelled, ImageError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import located
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.inference.distributed import check_spreading, detect_with_workers
from customlabels_nb.inference.inputs import expand_sources
from customlabels_nb.inference.journal import Failure
from customlabels_nb.inference.outputs import ImageResult
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared, joined
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections, open_writing
from customlabels_nb.inference.thresholds import Threshold
from customlabels_nb.models.backbones import decode_threads
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.remote.download_cache import connections

_BYTES_A_PIXEL = 1000  # per input pixel in a forward pass, three times the need of the packaged backbone
_SHARE = 0.5  # fraction of the free memory that a batch may use
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
    workers: int | None = None,
    backend: str | None = None,
    shared_filesystem: bool = False,
    events: Events | None = None,
) -> pd.DataFrame | WrittenDetections:
    """Run a started model on many images, in this process or with workers.

    Parameters
    ----------
    sources, root
        See :func:`customlabels_nb.inference.inputs.expand_sources`.
    threshold, max_results
        Applied to each image. See :class:`customlabels_nb.inference.postprocess.Postprocessor`.
    to, resume
        File or folder to write the predictions to, and whether to continue an earlier run that wrote to it. See
        :class:`customlabels_nb.inference.result_writing.Writing`.
    batch_size : int, optional
        Number of images in one forward pass. By default it depends on the device and its free memory. If memory runs
        out, the batch size is reduced.
    workers, backend, shared_filesystem
        See :func:`customlabels_nb.inference.distributed.detect_with_workers`.

    Returns
    -------
    pandas.DataFrame
        Columns ``image``, ``label``, ``confidence`` (between 0 and 1) and, for a detector, ``left``, ``top``,
        ``width``, ``height`` (in pixels), and ``polygon`` for a model with masks. Images keep their order, and the
        predictions for each image are sorted by decreasing confidence. ``.attrs["errors"]`` holds a dict with
        ``image``, ``code`` and ``message`` for each image or folder that cannot be read. After an interrupt or a
        request to stop, ``.attrs["interrupted"]`` is True and ``.attrs["remaining"]`` lists the images that were not
        processed. Pass that list as ``sources`` to continue.
    WrittenDetections
        Returned instead of the table if ``to`` is given.

    Raises
    ------
    InputError
        If an argument is invalid, ``sources`` does not exist, or ``to`` cannot be written.
    ModelError
        If the model is not running, or there is not enough memory for one image. Predictions written before the error
        are preserved, and ``resume=True`` continues after them.
    """
    is_spread = workers is not None or backend is not None
    if is_spread:
        check_spreading(workers, backend, to)
    postprocessor = Postprocessor(predictor, threshold, max_results)
    batches = _BatchSize(postprocessor, batch_size, events)
    if to is None and resume:
        raise InputError("resume=True requires `to`, the file or folder with the results of the earlier run.")
    issues: list[Issue] = []
    images = expand_sources(sources, root=root, issues=issues)
    listing = [{"image": issue.where, "code": issue.code, "message": issue.message} for issue in issues]
    if is_spread:
        return detect_with_workers(
            postprocessor,
            images,
            listing,
            workers=workers,
            backend=backend,
            shared_filesystem=shared_filesystem,
            to=to,
            resume=resume,
            root=root,
            batch_size=batch_size,
            events=events,
        )
    if to is None:
        kept = _Kept(postprocessor)
        complete = _predict_all(postprocessor, batches, images, root, kept.take, events)
        return kept.table(listing, None if complete else images[kept.images :])
    writing, complete = open_writing(to, postprocessor, root=root, resume=resume), False
    try:
        remaining = writing.begin(images)
        complete = _predict_all(
            postprocessor, batches, remaining, root, writing.take, events, before=len(images) - len(remaining)
        )
    finally:
        writing.close(complete=complete)
    return writing.result(listing)


def detect_chunk(
    postprocessor: Postprocessor, images: Sequence[str], *, root: Path | None = None, batch_size: int | None = None
) -> list[ImageResult]:
    """Run a started model on a chunk of images and keep the result for each of them.

    Raises
    ------
    ModelError
        If the model is not running, or there is not enough memory for one image.
    Cancelled
        If the run was interrupted.
    """
    kept: list[ImageResult] = []
    if not _predict_all(postprocessor, _BatchSize(postprocessor, batch_size), images, root, kept.extend, None):
        raise Cancelled("Stopped on request.")
    return kept


def describe_unfinished(result: pd.DataFrame | WrittenDetections) -> list[str]:
    """Describe how many images could not be read and how many were not processed, in one sentence each."""
    if isinstance(result, WrittenDetections):  # its repr already reports the read errors
        errors, remaining, go_on = 0, result.left, ". Use resume=True to continue."
    else:
        errors, remaining = len(result.attrs["errors"]), len(result.attrs.get("remaining", ()))
        go_on = ". They are listed in .attrs['remaining']."
    words = []
    if errors:
        unread = counted(errors, "image or folder", "images or folders")
        words.append(f"{unread} could not be read. See .attrs['errors'].")
    return [*words, f"Stopped: {counted(remaining, 'image is', 'images are')} left{go_on}"] if remaining else words


def _predict_all(
    postprocessor: Postprocessor,
    batches: _BatchSize,
    images: Sequence[str],
    root: Path | None,
    take: Callable[[list[ImageResult]], None],
    events: Events | None,
    *,
    before: int = 0,
) -> bool:
    """Pass the predictions for each image to ``take``. Return False if the run was interrupted.

    ``before`` is the number of images that an earlier run processed. They count towards the progress.
    """
    workers = connections(images, decode_threads(postprocessor.predictor.device or "cpu"))
    done, total = before, before + len(images)

    def decode(name: str) -> tuple[str, Prepared | Failure]:
        try:
            return name, postprocessor.prepare(read_bytes(located(name, root)), name)
        except ImageError as error:  # the exception itself would keep the file's bytes in memory
            return name, {"image": name, "code": error.code, "message": error.reason}

    try:
        with closing(map_bounded(decode, images, workers=workers, ahead=4 * workers + batches.size)) as decoded:
            parts = iter(lambda: list(islice(decoded, batches.size)), [])
            several = batches.at_a_time
            with closing(
                map_bounded(partial(_predict_part, batches), parts, workers=several, ahead=several)
            ) as answered:
                for results in answered:
                    take(results)
                    done += len(results)
                    if events is not None:
                        events.progress("detect", done, total)
    except (KeyboardInterrupt, Cancelled):
        return False
    return True


def _predict_part(batches: _BatchSize, batch: Sequence[tuple[str, Prepared | Failure]]) -> list[ImageResult]:
    answers = iter(batches.ask([prepared for _, prepared in batch if not isinstance(prepared, dict)]))
    return [
        ImageResult(name, None, failure=prepared)
        if isinstance(prepared, dict)
        else ImageResult(name, next(answers), prepared.size if isinstance(prepared, Canvas) else None)
        for name, prepared in batch
    ]


@dataclass(frozen=True)
class _Batch:
    """Image names, result counts and concatenated predictions of one batch.

    Concatenated arrays take a fraction of the memory of one array per image.
    """

    images: list[str]
    counts: list[int]
    answer: ImagePrediction
    failures: list[Failure]


class _Kept:
    """Collector of predictions in memory."""

    def __init__(self, postprocessor: Postprocessor) -> None:
        self._postprocessor = postprocessor
        self._batches: list[_Batch] = []

    @property
    def images(self) -> int:
        """Number of processed images."""
        return sum(len(batch.images) for batch in self._batches)

    def take(self, results: Sequence[ImageResult]) -> None:
        answers = [result.answer for result in results if result.answer is not None]
        counts = [0 if result.answer is None else len(result.answer.labels) for result in results]
        failures = [result.failure for result in results if result.failure is not None]
        # append in one step, so that an interrupt leaves either the complete batch or nothing
        self._batches.append(_Batch([result.image for result in results], counts, joined(answers), failures))

    def table(self, listing: Sequence[Failure], remaining: list[str] | None) -> pd.DataFrame:
        """Return the table that :func:`detect_many` returns."""
        table = self._postprocessor.table([batch.answer for batch in self._batches])
        names = np.array([name for batch in self._batches for name in batch.images], dtype=object)
        counts = np.array([count for batch in self._batches for count in batch.counts], dtype=np.int64)
        table.insert(0, "image", pd.Series(np.repeat(names, counts), dtype="str"))
        table = table[self._postprocessor.columns]  # without the empty boxes of a classifier
        table.attrs["errors"] = [*listing, *(failure for batch in self._batches for failure in batch.failures)]
        if remaining is not None:
            table.attrs["interrupted"] = True
            table.attrs["remaining"] = remaining
        return table


class _BatchSize(BatchSize):
    """Batch size of a running model.

    Parameters
    ----------
    postprocessor : Postprocessor
        Postprocessor of the running model.
    wanted : int, optional
        Batch size. By default it depends on the device and its free memory.
    events : Events, optional
        Receives a message whenever the batch size is reduced.

    Attributes
    ----------
    at_a_time : int
        Number of batches that are processed at the same time.
    """

    def __init__(self, postprocessor: Postprocessor, wanted: int | None = None, events: Events | None = None) -> None:
        if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1):
            raise InputError(f"batch_size={wanted!r} must be a positive integer, or None for the default.")
        self._postprocessor, device = postprocessor, postprocessor.predictor.device or "cpu"
        self.at_a_time = _batches_at_a_time(device)
        super().__init__(int(wanted) if wanted is not None else self._fitting(device), device, events)

    def ask(self, images: Sequence[Prepared]) -> list[ImagePrediction]:
        """Run :meth:`Postprocessor.ask` on batches of at most ``size`` images.

        Raises
        ------
        ModelError
            If the model is not running, or there is not enough memory for one image.
        """
        return self.map(lambda part: self._postprocessor.ask(part, at_once=len(part)), images)

    def _fitting(self, device: str) -> int:
        free = free_bytes(device)
        usual = self._postprocessor.predictor.at_once
        image_bytes = self.at_a_time * _BYTES_A_PIXEL * self._postprocessor.config.input_size**2
        return usual if free is None else max(1, min(usual, int(free * _SHARE / image_bytes)))


def _batches_at_a_time(device: str) -> int:
    return 2 if device.startswith("cuda") else 1


def free_bytes(device: str) -> int | None:
    """Return the free memory of a device in bytes, or None if it is unknown."""
    if device.startswith("cuda"):
        import torch

        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # PyTorch uses it again
        return int(torch.cuda.mem_get_info(device)[0]) + int(cached)
    if device != "cpu":
        return None
    return int(min(psutil.virtual_memory().available, _free_in_container()))


def _free_in_container() -> float:
    """Return the memory that a container may still allocate, or infinity outside a container.

    The operating system's own statistics ignore the container's memory limit.
    """
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # no limit is set, or the limit is "max"
        return float("inf")
