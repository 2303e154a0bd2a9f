"""Asking a model about many images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from customlabels_nb.errors import Cancelled, ImageError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images import read_bytes
from customlabels_nb.inference.asking import Answer, Asking, Prepared, joined
from customlabels_nb.inference.inputs import expand_sources, located
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import Threshold
from customlabels_nb.issues import Issue
from customlabels_nb.models.backbones import decode_threads, forward_batch
from customlabels_nb.remote import connections
from customlabels_nb.work import map_bounded

__all__ = ["detect_many", "expand_sources"]


def detect_many(
    predictor: Predictor,
    sources: str | os.PathLike[str] | pd.DataFrame | Iterable[str | os.PathLike[str]],
    *,
    root: Path | None = None,
    threshold: Threshold = None,
    max_results: int | None = None,
    batch_size: int | None = None,
    events: Events | None = None,
) -> pd.DataFrame:
    """Ask a running model about many images, a few batches in memory at a time.

    Parameters
    ----------
    predictor : Predictor
        Running.
    sources, root
        See :func:`customlabels_nb.inference.inputs.expand_sources`.
    threshold, max_results
        See :class:`customlabels_nb.inference.asking.Asking`; for each image.
    batch_size : int, optional
        Images in one forward pass; what suits the device by default.
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

    Raises
    ------
    InputError
        If an argument can't be used, or there is nothing at ``sources``.
    ModelError
        If the model isn't running.
    """
    asking = Asking(predictor, threshold, max_results)
    if batch_size is not None and (isinstance(batch_size, bool) or batch_size < 1):
        raise InputError(f"batch_size={batch_size!r} must be at least 1.")
    issues: list[Issue] = []
    images = expand_sources(sources, root=root, issues=issues)
    device = predictor.device or "cpu"
    size, workers = batch_size or forward_batch(device), connections(images, decode_threads(device))

    def decode(name: str) -> Prepared | ImageError:
        try:
            return asking.prepare(read_bytes(located(name, root)), name)
        except ImageError as error:
            return error

    finished: list[_Batch] = []  # an interrupt leaves them whole
    interrupted = False
    try:
        with closing(map_bounded(decode, images, workers=workers, ahead=4 * workers + size)) as decoded:
            for start in range(0, len(images), size):
                batch = [(name, next(decoded)) for name in images[start : start + size]]
                finished.append(_ask(asking, batch))
                if events is not None:
                    events.progress("detect", start + len(batch), len(images))
    except (KeyboardInterrupt, Cancelled):
        interrupted = True
    table = asking.table([batch.answer for batch in finished])
    table.insert(0, "image", pd.Series([name for batch in finished for name in batch.images], dtype="str"))
    table.attrs["errors"] = [
        *({"image": issue.where, "code": issue.code, "message": issue.message} for issue in issues),
        *(error for batch in finished for error in batch.errors),
    ]
    if interrupted:
        table.attrs["interrupted"] = True
        table.attrs["remaining"] = images[len(finished) * size :]
    return table


@dataclass(frozen=True)
class _Batch:
    """What the model says of the images of a batch, the image of each row, and why others could not be read."""

    answer: Answer
    images: list[str]
    errors: list[dict[str, str]]


def _ask(asking: Asking, batch: Sequence[tuple[str, Prepared | ImageError]]) -> _Batch:
    answers = asking.ask([found for _, found in batch if not isinstance(found, ImageError)])
    read = [name for name, found in batch if not isinstance(found, ImageError)]
    images = [name for name, answer in zip(read, answers, strict=True) for _ in answer.labels]
    errors = [
        {"image": name, "code": found.code, "message": found.reason}
        for name, found in batch
        if isinstance(found, ImageError)
    ]
    return _Batch(joined(answers), images, errors)
