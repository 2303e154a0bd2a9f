"""Detect in many images with several workers, each of which writes the predictions for a chunk of images."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import write_errors
from customlabels_nb.errors import Cancelled, ImageNotFoundError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import is_remote
from customlabels_nb.inference.batch import Spread, detect_chunk
from customlabels_nb.inference.image_numbers import Run, listings
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import ImageResult, ParquetParts
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.result_writing import FolderWriting
from customlabels_nb.models.artifact import model_identity
from customlabels_nb.remote.remote_files import NOT_THERE
from customlabels_nb.settings import settings
from customlabels_nb.workers.protocol import TaskOutcome, WorkerJob
from customlabels_nb.workers.shared_files import readable_everywhere
from customlabels_nb.workers.spreading import FAILED, check_workers, open_workers, process_tasks, worker_options

_CHUNK, _CHUNKS_A_WORKER = 500, 4


def detect_with(
    workers: int | None,
    backend: str | None,
    *,
    to: str | os.PathLike[str] | None,
    shared_filesystem: bool = False,
    root: Path | None = None,
    batch_size: int | None = None,
    events: Events | None = None,
) -> Spread:
    """Return the argument ``spread`` of :func:`customlabels_nb.inference.batch.detect_many` for workers.

    Parameters
    ----------
    workers, backend
        Number of workers, and where they run. See :func:`customlabels_nb.workers.spreading.open_workers`.
    shared_filesystem : bool
        Whether the machines of a cluster see the same local files. Each worker then compares one with the driver's.
    to, root, batch_size
        As for ``detect_many``.
    events : Events, optional
        Receives the progress after each chunk, and can cancel the work.

    Raises
    ------
    InputError
        If ``workers`` or ``backend`` is invalid, or workers on other machines have no place to write to.
    """
    check_workers(workers, backend)
    if backend is not None and to is None:
        raise InputError(
            f"backend={backend!r} requires `to`, a folder to which all workers can write, such as 's3://b/found/'."
        )

    def spread(writing: FolderWriting, before: int) -> bool:
        runs = writing.runs
        if not runs:
            return True
        postprocessor, total = writing.postprocessor, before + writing.left
        folder, names = writing.output.folder, [name for run in runs for name in run.images]
        output = None if folder.local is None else folder.local / listings(folder)[0][2]
        job = WorkerJob(
            entry=f"{__name__}:start_detecting",
            arguments={
                "to": str(folder),
                "thresholds": dict(zip(postprocessor.config.labels, postprocessor.thresholds.tolist(), strict=True)),
                "max_results": postprocessor.max_results,
                "root": None if root is None else str(root.absolute()),
                "current": os.getcwd(),
                "batch_size": batch_size,
                "device": postprocessor.predictor.device,
                "engine": postprocessor.predictor.engine_name,
                "views": postprocessor.predictor.views,
            },
            model=str(postprocessor.predictor.folder.absolute()),
            identity=model_identity(postprocessor.predictor.folder, postprocessor.config),
            probes=[]
            if backend is None
            else readable_everywhere(names, root, shared_filesystem=shared_filesystem, output=output),
            options=worker_options(workers),
        )
        try:
            opened = open_workers(
                job, workers, backend, gpus=int(str(postprocessor.predictor.device).startswith("cuda"))
            )
            size = min(_CHUNK, math.ceil(writing.left / (_CHUNKS_A_WORKER * opened.count)))

            def finish(chunk: Run, result: dict[str, Any]) -> None:
                writing.record(chunk, result["errors"], result["found"], result["mark"])
                if events is not None:
                    events.progress("detect", total - writing.left, total)

            def split(chunk: Run, outcome: TaskOutcome) -> list[Run]:
                if len(chunk.images) > 1:
                    return list(chunk.chunks(math.ceil(len(chunk.images) / 2)))
                reason = f"no worker could process it. The last attempt, on {outcome.worker}: {outcome.error}"
                failure = {"image": chunk.images[0], "code": FAILED, "message": reason}
                finish(chunk, {"errors": [failure], "found": 0, "mark": None})
                return []

            process_tasks(
                opened,
                (chunk for run in runs for chunk in run.chunks(size)),
                encode=lambda chunk: {"first": chunk.first, "images": list(chunk.images)},
                finish=finish,
                split=split,
                events=events,
            )
        except (KeyboardInterrupt, Cancelled):
            return False
        return True

    return spread


def start_detecting(job: WorkerJob) -> Callable[[Any, Events], dict[str, Any]]:
    """Start the job's model in a worker, and return the function that processes a chunk."""
    import torch

    from customlabels_nb.inference.predictor import Predictor

    arguments = job.arguments
    if os.path.isdir(arguments["current"]):
        os.chdir(arguments["current"])  # relative paths of images refer to it
    torch.set_num_threads(settings.threads)
    assert job.model is not None
    predictor = Predictor(Path(job.model))
    predictor.start(arguments["device"], engine=arguments["engine"], views=arguments["views"])
    postprocessor = Postprocessor(predictor, arguments["thresholds"], arguments["max_results"])
    output = ParquetParts(OutputFolder(arguments["to"]), predictor.config.labels)
    root = None if arguments["root"] is None else Path(arguments["root"])

    def detect(task: Any, events: Events) -> dict[str, Any]:
        results = detect_chunk(postprocessor, task["images"], root=root, batch_size=arguments["batch_size"])
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
