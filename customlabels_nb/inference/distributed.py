"""Let several workers detect in many images. Each writes the predictions for its chunks into the folder of a run."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Events
from customlabels_nb.inference.image_numbers import Run, listings
from customlabels_nb.inference.journal import Failure
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.result_writing import FolderWriting, WrittenDetections, open_writing
from customlabels_nb.models.artifact import model_identity
from customlabels_nb.workers.protocol import TaskOutcome, WorkerJob
from customlabels_nb.workers.shared_files import readable_everywhere
from customlabels_nb.workers.spreading import FAILED, check_workers, open_workers, process_tasks, worker_options

_CHUNK, _CHUNKS_A_WORKER = 500, 4
_ENTRY = "customlabels_nb.inference.detection_worker:start_detecting"


def check_spreading(workers: int | None, backend: str | None, to: str | os.PathLike[str] | None) -> None:
    """Check the arguments of a run with workers.

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


def detect_with_workers(
    postprocessor: Postprocessor,
    images: Sequence[str],
    listing: Sequence[Failure],
    *,
    workers: int | None,
    backend: str | None,
    shared_filesystem: bool,
    to: str | os.PathLike[str] | None,
    resume: bool,
    root: Path | None,
    batch_size: int | None,
    events: Events | None,
) -> pd.DataFrame | WrittenDetections:
    """Let several workers write to a folder, a temporary one if ``to`` is None, and return the result.

    Parameters
    ----------
    listing : sequence of dict
        Files and folders that cannot be read, which are added to the result.
    workers, backend
        Number of workers, and where they run. See :func:`customlabels_nb.workers.spreading.open_workers`.
    shared_filesystem : bool
        Whether the machines of a cluster see the same local files. Each worker then compares one with the driver's.
    """
    with tempfile.TemporaryDirectory(prefix="customlabels-found-") if to is None else nullcontext(to) as folder:
        writing = open_writing(folder, postprocessor, root=root, resume=resume, spread=True)
        assert isinstance(writing, FolderWriting)
        try:
            before = len(images) - len(writing.begin(images))
            complete = _process(writing, before, workers, backend, shared_filesystem, root, batch_size, events)
        except BaseException:
            writing.close(complete=False)
            writing.discard_if_unused()
            raise
        writing.close(complete=complete)
        result = writing.result(listing)
        if to is not None:
            return result
        table = result.table()
        if not complete:
            table.attrs |= {"interrupted": True}
            table.attrs["remaining"] = [name for run in writing.remaining() for name in run.images]
        return table


def _process(
    writing: FolderWriting,
    before: int,
    workers: int | None,
    backend: str | None,
    shared_filesystem: bool,
    root: Path | None,
    batch_size: int | None,
    events: Events | None,
) -> bool:
    """Process the remaining images and record each finished chunk. Return False if the run was interrupted.

    ``before`` is the number of images that an earlier run processed. They count towards the progress.
    """
    runs = writing.runs
    if not runs:
        return True
    postprocessor, total = writing.postprocessor, before + writing.left
    predictor = postprocessor.predictor
    folder, names = writing.output.folder, [name for run in runs for name in run.images]
    output = None if folder.local is None else folder.local / listings(folder)[0][2]
    job = WorkerJob(
        entry=_ENTRY,
        arguments={
            "to": str(folder),
            "thresholds": dict(zip(postprocessor.config.labels, postprocessor.thresholds.tolist(), strict=True)),
            "max_results": postprocessor.max_results,
            "root": None if root is None else str(root.absolute()),
            "current": os.getcwd(),
            "batch_size": batch_size,
            "device": predictor.device,
            "engine": predictor.engine_name,
            "views": predictor.views,
        },
        model=str(predictor.folder.absolute()),
        identity=model_identity(predictor.folder, postprocessor.config),
        probes=[]
        if backend is None
        else readable_everywhere(names, root, shared_filesystem=shared_filesystem, output=output),
        options=worker_options(workers),
    )

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

    try:
        opened = open_workers(job, workers, backend, gpus=int(str(predictor.device).startswith("cuda")))
        size = min(_CHUNK, math.ceil(writing.left / (_CHUNKS_A_WORKER * opened.count)))
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
