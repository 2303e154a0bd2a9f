"""Detect in one of several workers: start the model, and write the predictions for each chunk of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import write_errors
from customlabels_nb.errors import ImageNotFoundError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote
from customlabels_nb.inference.batch import detect_chunk
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import ImageResult, ParquetParts
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.remote.remote_files import NOT_THERE
from customlabels_nb.settings import settings
from customlabels_nb.workers.protocol import WorkerJob


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
