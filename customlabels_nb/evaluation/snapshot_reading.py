"""Evaluation snapshots read: truth and predictions as tables that can be evaluated."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import orjson
import pandas as pd

from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.datasets.formats.ground_truth import manifest_of
from customlabels_nb.datasets.formats.json_file import no_garbage_collection
from customlabels_nb.datasets.formats.manifest_files import ManifestFile, ManifestLines
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    IMAGE_LEVEL,
    METADATA,
    PREDICTION,
    SOURCE,
    box_of,
    confidence_of,
    is_box,
)
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.evaluation_snapshots import DETAILS
from customlabels_nb.images.reading import local_path

#: Label, confidence and the four sides of the box, NaN where there is none.
Prediction: TypeAlias = tuple[str, float, float, float, float, float]


class SnapshotTables(NamedTuple):
    """Truth, predictions and images of a snapshot, in the order in which ``evaluate`` takes them."""

    truth: pd.DataFrame
    predictions: pd.DataFrame
    images: pd.DataFrame


def read_evaluation_snapshot(path: str | os.PathLike[str]) -> SnapshotTables:
    """Read an evaluation snapshot, written here or by the hosted service; ``evaluate(*tables)`` judges it again.

    The truth is what a manifest's reader finds in it. Predictions are taken from the attributes
    ``rekognition-custom-labels-evaluation``, with or without a number; a box takes the confidence of its object, or
    that of the metadata where the object has none. True boxes that stand among the predictions because nothing matched
    them are left out.

    Returns
    -------
    SnapshotTables
        ``truth`` and ``images`` as ``annotations`` and ``images`` of a dataset, ``predictions`` with ``image`` and
        ``label`` (str), ``confidence``, ``left``, ``top``, ``width`` and ``height`` (float64, NaN for a label of the
        whole image).

    Raises
    ------
    ManifestError
        If it is no manifest.
    InputError
        If it holds no predictions, or one that can't be understood; the message names the line.
    """
    file = local_path(path, "path")
    source = ManifestFile(file)
    truth: list[bytes] = []
    found: list[tuple[Any, list[Prediction]]] = []
    with no_garbage_collection():
        for number, raw in enumerate(source, 1):
            line = _object(raw)
            found += _taken(line, f"{str(file)!r}, line {number}")
            truth.append(raw if line is None else orjson.dumps(line))
        manifest = manifest_of(ManifestLines(source.name, truth), str(file))
        known = set(manifest.images["image"])
        rows = [(image, *row) for image, predictions in found if image in known for row in predictions]
    if not found:
        raise InputError(f"path={str(file)!r} holds no predictions (rekognition-custom-labels-evaluation-0, …).")
    columns = ["image", "label", "confidence", *BOX_COLUMNS]
    predictions = pd.DataFrame(rows, columns=columns).astype(
        {"image": "str", "label": "str", **dict.fromkeys(columns[2:], "float64")}
    )
    return SnapshotTables(manifest.annotations, predictions, manifest.images)


def _object(raw: bytes) -> dict[str, Any] | None:
    """The object of a line; None where there is none that can be written again, which the manifest's reader tells."""
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return line if isinstance(line, dict) else None


def _taken(line: dict[str, Any] | None, where: str) -> Iterator[tuple[Any, list[Prediction]]]:
    """The image and the predictions of each attribute with such, taken out of the line."""
    for key in [key for key in line or () if PREDICTION.fullmatch(key) and not key.endswith(METADATA)]:
        assert line is not None
        try:
            yield line.get(SOURCE), list(_predictions(line.pop(key), line.pop(key + METADATA)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{where}: {key!r} can't be read as predictions.") from error


def _predictions(value: Any, facts: dict[str, Any]) -> Iterator[Prediction]:
    kind = facts.get("type")
    if kind == IMAGE_LEVEL:
        yield _label(facts["class-name"]), _confidence(facts), math.nan, math.nan, math.nan, math.nan
        return
    if kind != BOXES:
        raise ValueError(kind)
    boxes = value["annotations"]
    objects = facts.get("objects", [{}] * len(boxes))
    for box, found in zip(boxes, objects, strict=True):
        # details and confidence may stand beside the objects, for all of them
        merged = {**facts, **found}
        if not is_box(box):
            raise ValueError(box)
        confidence = _confidence(merged)
        if confidence or not merged.get(DETAILS, {}).get("is-false-negative"):
            yield _label(facts["class-map"][str(box["class_id"])]), confidence, *box_of(box)


def _label(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(name)
    return name


def _confidence(facts: dict[str, Any]) -> float:
    confidence = confidence_of(facts, None)
    if confidence is None:
        raise ValueError("confidence")
    return confidence
