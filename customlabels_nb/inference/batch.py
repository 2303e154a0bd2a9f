"""Asking a model about many images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from customlabels_nb.errors import Cancelled, ImageError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images import open_image
from customlabels_nb.inference.detection import (
    DETECTION_COLUMNS,
    Threshold,
    check_max_results,
    resolve_thresholds,
    select,
)
from customlabels_nb.inference.inputs import expand_sources, located
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.issues import Issue
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.backbones import decode_threads, forward_batch
from customlabels_nb.models.transforms import Pixels, to_pixels
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
        See :func:`customlabels_nb.inference.detection.select`; for each image.
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
    config = predictor.config
    resolved = dict(zip(config.labels, resolve_thresholds(config, threshold).tolist(), strict=True))
    check_max_results(max_results)
    if batch_size is not None and (isinstance(batch_size, bool) or batch_size < 1):
        raise InputError(f"batch_size={batch_size!r} must be at least 1.")
    issues: list[Issue] = []
    images = expand_sources(sources, root=root, issues=issues)
    device = predictor.device or "cpu"
    size, workers = batch_size or forward_batch(device), connections(images, decode_threads(device))

    def decode(name: str) -> Pixels | ImageError:
        try:
            return to_pixels(open_image(located(name, root), name=name, at_least=config.input_size), config.input_size)
        except ImageError as error:
            return error

    finished: list[tuple[list[_Row], list[dict[str, str]]]] = []  # one entry a batch: an interrupt leaves it whole
    interrupted = False
    try:
        with closing(map_bounded(decode, images, workers=workers, ahead=4 * workers + size)) as decoded:
            for start in range(0, len(images), size):
                batch = [(name, next(decoded)) for name in images[start : start + size]]
                finished.append(_ask(predictor, batch, config, resolved, max_results))
                if events is not None:
                    events.progress("detect", start + len(batch), len(images))
    except (KeyboardInterrupt, Cancelled):
        interrupted = True
    table = _to_table([row for rows, _ in finished for row in rows])
    table.attrs["errors"] = [
        *({"image": issue.where, "code": issue.code, "message": issue.message} for issue in issues),
        *(error for _, errors in finished for error in errors),
    ]
    if interrupted:
        table.attrs["interrupted"] = True
        table.attrs["remaining"] = images[len(finished) * size :]
    return table


_Row = tuple[str, str, float]


def _ask(
    predictor: Predictor,
    batch: list[tuple[str, Pixels | ImageError]],
    config: ModelConfig,
    thresholds: dict[str, float],
    max_results: int | None,
) -> tuple[list[_Row], list[dict[str, str]]]:
    """Rows of the answer and errors for one batch of decoded images."""
    answers = iter(predictor.probabilities([found for _, found in batch if not isinstance(found, ImageError)]))
    rows: list[_Row] = []
    errors = []
    for name, found in batch:
        if isinstance(found, ImageError):
            errors.append({"image": name, "code": found.code, "message": found.reason})
        else:
            rows += [(name, label, value) for label, value in select(next(answers), config, thresholds, max_results)]
    return rows, errors


def _to_table(rows: list[_Row]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["image", "label", "confidence"])
    for name in DETECTION_COLUMNS[2:]:
        table[name] = np.nan
    return table.astype({"image": "str", "label": "str", **dict.fromkeys(DETECTION_COLUMNS[1:], "float64")})
