"""Detect in many images, in this process or with several workers, and return or write the predictions.

Each worker writes the predictions for its chunks of images into the folder of the run.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import write_errors
from customlabels_nb._utils.text import counted
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import Cancelled, ImageNotFoundError, InputError, ModelError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote
from customlabels_nb.inference.batch import PredictionBatches, predict_all
from customlabels_nb.inference.image_numbers import listings
from customlabels_nb.inference.inputs import expand_sources
from customlabels_nb.inference.journal import Failure
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import ImageResult, ParquetParts
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, joined
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import FolderWriting, Writing, WrittenDetections, open_writing
from customlabels_nb.inference.thresholds import Threshold
from customlabels_nb.models.artifact import load_config, model_identity
from customlabels_nb.remote.remote_files import NOT_THERE
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.protocol import WorkerJob, own_name, readable_everywhere
from customlabels_nb.workers.spreading import (
    FAILED,
    Backend,
    check_workers,
    open_workers,
    process_tasks,
    worker_options,
)

_CHUNK, _CHUNKS_A_WORKER = 500, 4


class ManyOptions(TypedDict, total=False):
    """Options of :meth:`customlabels_nb.project.runnable.LoadedModel.detect_many` about how images are processed."""

    resume: bool
    batch_size: int | None
    workers: int | None
    backend: Backend | None
    shared_filesystem: bool


def detect_many(
    predictor: Predictor,
    sources: str | os.PathLike[str] | pd.DataFrame | Iterable[str | os.PathLike[str]],
    *,
    root: Path | None = None,
    threshold: Threshold = None,
    max_results: int | None = None,
    to: str | os.PathLike[str] | None = None,
    events: Events | None = None,
    **options: Unpack[ManyOptions],
) -> pd.DataFrame | WrittenDetections:
    """Run a started model on many images, in this process or with workers.

    See :meth:`customlabels_nb.project.runnable.LoadedModel.detect_many` for the table. Its ``.attrs`` have ``errors``
    (image, code and message) and after an interrupt ``interrupted`` and ``remaining``. With ``shared_filesystem``, each
    worker compares a local file with the driver's. Predictions written before an error are preserved, and
    ``resume=True`` continues after them.
    """
    workers, backend, resume = options.get("workers"), options.get("backend"), options.get("resume", False)
    is_spread = _is_spread(options)
    check_workers(workers, backend)
    if backend is not None and to is None:
        raise InputError(
            f"backend={backend!r} requires `to`, a folder to which all workers can write, such as 's3://b/found/'."
        )
    postprocessor = Postprocessor(predictor, threshold, max_results)
    batches = PredictionBatches(postprocessor, options.get("batch_size"), events)
    if to is None and resume:
        raise InputError("resume=True requires `to`, the file or folder with the results of the earlier run.")
    issues: list[Issue] = []
    images = expand_sources(sources, root=root, issues=issues)
    listing = [{"image": issue.where, "code": issue.code, "message": issue.message} for issue in issues]
    if to is None and not is_spread:
        kept = _Kept(postprocessor)
        complete = predict_all(batches, images, root, kept.take, events)
        return kept.table(listing, None if complete else images[kept.images :])
    with tempfile.TemporaryDirectory(prefix="customlabels-found-") if to is None else nullcontext(to) as folder:
        writing = open_writing(folder, postprocessor, root=root, resume=resume, spread=is_spread)
        complete = _write(writing, images, batches, root, events, options)
        result = writing.result(listing)
        if to is not None:
            return result
        assert isinstance(writing, FolderWriting)
        table = result.table()
        table.attrs["decision"] = postprocessor.decision
        if not complete:
            table.attrs["interrupted"] = True
            table.attrs["remaining"] = [name for run in writing.remaining() for name in run.images]
        return table


def _write(
    writing: Writing,
    images: list[str],
    batches: PredictionBatches,
    root: Path | None,
    events: Events | None,
    options: ManyOptions,
) -> bool:
    """Write the predictions that are missing, by workers if there are any. Return False if interrupted."""
    shared = writing if isinstance(writing, FolderWriting) and _is_spread(options) else None
    try:
        remaining = writing.begin(images)
        if shared is not None:
            complete = _use_workers(shared, len(images), root, events, options)
        else:
            before = len(images) - len(remaining)
            complete = predict_all(batches, remaining, root, writing.take, events, before=before)
    except BaseException:
        writing.close(complete=False)
        if shared is not None:
            shared.discard_if_unused()
        raise
    writing.close(complete=complete)
    return complete


def _is_spread(options: ManyOptions) -> bool:
    """Check whether workers process the images."""
    return options.get("workers") is not None or options.get("backend") is not None


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


@dataclass(frozen=True)
class _Batch:
    """Image names, result counts and concatenated predictions (small in memory) of one batch."""

    images: list[str]
    counts: list[int]
    answer: ImagePrediction
    failures: list[Failure]


class _Kept:
    def __init__(self, postprocessor: Postprocessor) -> None:
        self._postprocessor = postprocessor
        self._batches: list[_Batch] = []

    @property
    def images(self) -> int:
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
        table.insert(0, "image", pd.Series(np.repeat(names, counts), dtype=TEXT))
        table = table[self._postprocessor.columns]  # without the empty boxes of a classifier
        table.attrs["errors"] = [*listing, *(failure for batch in self._batches for failure in batch.failures)]
        if remaining is not None:
            table.attrs["interrupted"] = True
            table.attrs["remaining"] = remaining
        return table


# -- with workers -----------------------------------------------------------------------------------
def _use_workers(
    writing: FolderWriting, total: int, root: Path | None, events: Events | None, options: ManyOptions
) -> bool:
    """Let workers process the remaining of ``total`` images, and record chunks. Return False if interrupted."""
    runs, workers, backend = writing.runs, options.get("workers"), options.get("backend")
    if not runs:
        return True
    postprocessor, predictor = writing.postprocessor, writing.postprocessor.predictor
    folder, names = writing.output.folder, [name for run in runs for name in run.images]
    output = None if folder.local is None else folder.local / listings(folder)[0][2]
    arguments = {
        "to": str(folder), "thresholds": postprocessor.decision, "max_results": postprocessor.max_results,
        "root": None if root is None else str(root.absolute()), "current": os.getcwd(),
        "batch_size": options.get("batch_size"), "device": predictor.device, "engine": predictor.engine_name,
        "views": predictor.views, "identity": model_identity(predictor.folder, postprocessor.config),
    }  # fmt: skip
    job = WorkerJob(
        entry=f"{__name__}:start_detecting",
        arguments=arguments,
        model=str(predictor.folder.absolute()),
        probes=[]
        if backend is None
        else readable_everywhere(names, root, shared_filesystem=options.get("shared_filesystem", False), output=output),
        options=worker_options(workers),
    )
    try:
        with closing(open_workers(job, workers, backend, gpus=int(str(predictor.device).startswith("cuda")))) as opened:
            size = min(_CHUNK, math.ceil(writing.left / (_CHUNKS_A_WORKER * opened.count)))
            for chunk, outcome in process_tasks(
                opened,
                (chunk for run in runs for chunk in run.chunks(size)),
                encode=lambda chunk: {"first": chunk.first, "images": list(chunk.images)},
                split=lambda chunk: list(chunk.chunks(math.ceil(len(chunk.images) / 2))),
                events=events,
            ):
                result = outcome.result
                if result is None:
                    reason = f"no worker could process it. The last attempt, on {outcome.worker}: {outcome.error}"
                    failure = {"image": chunk.images[0], "code": FAILED, "message": reason}
                    result = {"errors": [failure], "found": 0, "mark": None}
                writing.record(chunk, result["errors"], result["found"], result["mark"])
                if events is not None:
                    events.progress("detect", total - writing.left, total)
    except (KeyboardInterrupt, Cancelled):
        return False
    return True


# -- worker -----------------------------------------------------------------------------------------
def start_detecting(job: WorkerJob) -> Callable[[Any, Events], dict[str, Any]]:
    """Start the job's model in a worker, and return the function that processes a chunk."""
    import torch

    arguments = job.arguments
    if os.path.isdir(arguments["current"]):
        os.chdir(arguments["current"])  # relative paths of images refer to it
    torch.set_num_threads(settings.threads)
    assert job.model is not None
    folder = Path(job.model)
    config = load_config(folder)
    if model_identity(folder, config) != arguments["identity"]:
        raise ModelError(f"The model on {own_name()} is not the driver's model. Start the run again.")
    predictor = Predictor(folder, config=config)
    predictor.start(arguments["device"], engine=arguments["engine"], views=arguments["views"])
    postprocessor = Postprocessor(predictor, arguments["thresholds"], arguments["max_results"])
    output = ParquetParts(OutputFolder(arguments["to"]), postprocessor.config.labels)
    root = None if arguments["root"] is None else Path(arguments["root"])

    def detect(task: Any, events: Events) -> dict[str, Any]:
        results: list[ImageResult] = []
        batches = PredictionBatches(postprocessor, arguments["batch_size"])
        if not predict_all(batches, task["images"], root, results.extend, None):
            raise Cancelled("Stopped on request.")
        if len(results) > 1 and all(map(_is_cut_off, results)):
            assert results[0].failure is not None
            raise OSError(f"{results[0].image!r}: {results[0].failure['message']}")  # another worker may have access
        with write_errors(f"to={str(output.path)!r}"):
            mark = output.write(results, task["first"])
        return {
            "mark": mark,
            "found": sum(len(result.answer.labels) for result in results if result.answer is not None),
            "errors": [result.failure for result in results if result.failure is not None],
        }

    return detect


def _is_cut_off(result: ImageResult) -> bool:
    """Check whether a remote image failed as all do in a worker that has lost its credentials or its network."""
    return (
        is_remote(result.image)
        and result.failure is not None
        and result.failure["code"] == ImageNotFoundError.code
        and not result.failure["message"].endswith(NOT_THERE)
    )
