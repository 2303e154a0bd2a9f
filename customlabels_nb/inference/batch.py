"""Run a model on many images in batches, with image prefetching and bounded memory.

Worker threads read and decode images ahead of the model, and the calling thread runs the model. For a GPU, two batches
are processed at the same time, so that it computes one while the results of the other are converted. The batch size is
limited by the free memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import psutil

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.device import BatchSize
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.errors import Cancelled, ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import located
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.inference.journal import Failure
from customlabels_nb.inference.outputs import ImageResult
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared
from customlabels_nb.models.backbones import decode_threads
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.remote.download_cache import connections

_BYTES_A_PIXEL = 1000  # per input pixel in a forward pass, three times the need of the packaged backbone
_SHARE = 0.5  # fraction of the free memory that a batch may use
#: Folder with the memory limit of a container.
CGROUP = Path("/sys/fs/cgroup")


def predict_all(
    batches: PredictionBatches,
    images: Sequence[str],
    root: Path | None,
    take: Callable[[list[ImageResult]], None],
    events: Events | None,
    *,
    before: int = 0,
) -> bool:
    """Pass predictions to ``take``, with progress from ``before`` on. Return False if the run was interrupted."""
    postprocessor = batches.postprocessor
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


def _predict_part(batches: PredictionBatches, batch: Sequence[tuple[str, Prepared | Failure]]) -> list[ImageResult]:
    answers = iter(batches.ask([prepared for _, prepared in batch if not isinstance(prepared, dict)]))
    return [
        ImageResult(name, None, failure=prepared)
        if isinstance(prepared, dict)
        else ImageResult(name, next(answers), prepared.size if isinstance(prepared, Canvas) else None)
        for name, prepared in batch
    ]


class PredictionBatches(BatchSize):
    """Batches that a running model processes. ``wanted`` is by default chosen by the device and its free memory."""

    def __init__(self, postprocessor: Postprocessor, wanted: int | None = None, events: Events | None = None) -> None:
        if wanted is not None:
            wanted = check_integer("batch_size", wanted, 1, otherwise="None for the default")
        self.postprocessor, device = postprocessor, postprocessor.predictor.device or "cpu"
        self.at_a_time = batches_at_a_time(device)
        super().__init__(wanted if wanted is not None else self._fitting(device), device, events)

    def ask(self, images: Sequence[Prepared]) -> list[ImagePrediction]:
        """Run :meth:`Postprocessor.ask` on batches of at most ``size`` images."""
        return self.map(lambda part: self.postprocessor.ask(part, at_once=len(part)), images)

    def _fitting(self, device: str) -> int:
        free = free_bytes(device)
        usual = self.postprocessor.predictor.at_once
        image_bytes = self.at_a_time * _BYTES_A_PIXEL * self.postprocessor.config.input_size**2
        return usual if free is None else max(1, min(usual, int(free * _SHARE / image_bytes)))


def batches_at_a_time(device: str) -> int:
    """Return the number of batches that are processed at the same time."""
    return 2 if device.startswith("cuda") else 1


def free_bytes(device: str) -> int | None:
    if device.startswith("cuda"):
        import torch

        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # PyTorch uses it again
        return int(torch.cuda.mem_get_info(device)[0]) + int(cached)
    if device != "cpu":
        return None
    return int(min(psutil.virtual_memory().available, _free_in_container()))


def _free_in_container() -> float:
    """Return the memory that a container, which the system's statistics ignore, may still allocate, or infinity."""
    try:
        limit = (CGROUP / "memory.max").read_text("ascii").strip()
        used = int((CGROUP / "memory.current").read_text("ascii"))
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # no limit is set, or the limit is "max"
        return float("inf")
