"""Write and read evaluation snapshots: manifests with the ground truth and predictions for each image.

Snapshots use Rekognition's format. Ground truth is stored under ``rekognition-custom-labels-training-<n>``, and
predictions under ``rekognition-custom-labels-evaluation-<n>``. Manifest readers skip the predictions, so a snapshot can
be imported as a dataset. :func:`.read_evaluation_snapshot` returns the predictions as well.
Lines are pure ASCII, so that no character in a name can end a line.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import orjson
import pandas as pd

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.core.decisions import ASSUMED
from customlabels_nb.core.limits import REKOGNITION
from customlabels_nb.core.tables import BOX_COLUMNS, TEXT, by_machine
from customlabels_nb.datasets.formats.ground_truth import manifest_of
from customlabels_nb.datasets.formats.manifest_lines import ManifestFile, ManifestLines
from customlabels_nb.datasets.formats.manifest_sizes import headers
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    ESTIMATED,
    IMAGE_LEVEL,
    LARGEST_SIZE,
    METADATA,
    PREDICTION,
    SOURCE,
    box_of,
    confidence_of,
    is_box,
)
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.cross_validation import apply_thresholds
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.summary import in_utc, safe_parts
from customlabels_nb.images.locations import is_remote, local_path
from customlabels_nb.images.reading import ImageHeader

TRAINING = "rekognition-custom-labels-training"
EVALUATION = "rekognition-custom-labels-evaluation"
DETAILS = f"{EVALUATION}-details"
#: A detector's predictions below this confidence are omitted, unless they are accepted.
LOWEST_CONFIDENCE = 0.05

_LONGEST_LINE = REKOGNITION.max_line_length or 0
_LARGEST_FILE = REKOGNITION.max_manifest_bytes or 0
_SHORTEST_LINE = 2_000


def snapshot_file_names(*parts: str) -> tuple[str, str]:
    """Build safe file names for the snapshots of the test and training images."""
    stem = "-".join(["", *safe_parts(parts)])
    return f"EvaluationSnapshot{stem}.manifest", f"TrainingSnapshot{stem}.manifest"


@dataclass(frozen=True)
class Snapshot:
    """JSON lines of a snapshot, to be read once. For ``estimated`` images, the size is the extent of their boxes."""

    lines: Iterator[bytes]
    estimated: int = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.lines


def evaluation_snapshot(
    evaluation: Evaluation, *, created: datetime | None = None, thresholds: Mapping[str, float] | None = None
) -> Snapshot:
    """Create the snapshot of an evaluation, with one line per test image, in order.

    For a classifier, a line contains all predictions, whether or not they reach the threshold, and the true labels
    without a prediction, with confidence 0. For a detector, a line contains all predictions that are accepted or have
    a confidence of at least 0.05, and every unmatched true box with confidence 0. Predictions on a crowd, which count
    as neither right nor wrong, are omitted.

    If the evaluation has no thresholds, these are ``thresholds`` by label, or the assumed ones.

    Manifests have a maximum line length (100,000 characters) and file size (1 GB). To stay below these limits, the
    least confident true negatives are omitted.
    """
    outcomes, applied, date = evaluation.outcomes, evaluation.applied, _date(created)
    if applied.most_confident:  # the results in the lines are by threshold
        applied = apply_thresholds(ASSUMED if thresholds is None else thresholds, outcomes)
    limits = applied.of_images()
    longest = max(_SHORTEST_LINE, min(_LONGEST_LINE, _LARGEST_FILE // max(len(outcomes.images), 1) - 1))
    if isinstance(outcomes, Boxes):
        entries = _entries(outcomes, limits)
        image = np.concatenate([outcomes.truth_image, entries[0]])
        box = np.concatenate([outcomes.truth_box, entries[3]])
        sizes, estimated = image_sizes(evaluation.images, image, box)
        return Snapshot(_box_lines(outcomes, entries, sizes, date, longest), estimated)
    assert isinstance(outcomes, Scores)
    return Snapshot(_score_lines(outcomes, limits, date, longest))


def truth_snapshot(
    images: pd.DataFrame, annotations: pd.DataFrame, *, boxes: bool, created: datetime | None = None
) -> Snapshot:
    """Create a snapshot without predictions. Annotations are of machines if a model made one of the image's."""
    date = _date(created)
    usable = annotations[annotations["left"].notna() == boxes]
    chosen = images[images["image"].isin(usable["image"])]
    code, labels = pd.factorize(usable["label"], sort=True)
    row = pd.Index(chosen["image"]).get_indexer(usable["image"])
    order = np.argsort(row, kind="stable")
    row, code = row[order].astype(np.int64), code[order].astype(np.int64)
    names, texts = chosen["image"].tolist(), [_text(str(label)) for label in labels]
    ends = _ends(row, len(names))
    machine = set(usable.loc[by_machine(usable), "image"])
    by = ["no" if name in machine else "yes" for name in names]
    if not boxes:
        arguments = (code[start:end].tolist() for start, end in pairwise(ends))
        parts = zip(names, zip(arguments, by, strict=True), strict=True)
        return Snapshot(
            orjson.dumps({SOURCE: _text(name)} | _true_labels(texts, date, *values)) for name, values in parts
        )
    frame = usable[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)[order]
    crowd = usable["crowd"].astype("boolean").fillna(False).to_numpy(dtype=bool)[order]
    sizes, estimated = image_sizes(chosen, row, frame)
    entries = zip(names, zip(sizes, _boxes_in_lines(code, frame, crowd, ends), by, strict=True), strict=True)
    lines = (orjson.dumps({SOURCE: _text(name)} | _true_boxes(texts, date, *arguments)) for name, arguments in entries)
    return Snapshot(lines, estimated)


# -- classifiers ----------------------------------------------------------------------------------------
def _score_lines(scores: Scores, thresholds: FloatArray, date: str, longest: int) -> Iterator[bytes]:
    """Yield the lines of a classifier, leaving out true negatives from lines of more than ``longest`` bytes."""
    columns = np.flatnonzero(scores.known)
    all_kinds = (2 * scores.truth.astype(np.int8) + scores.accepted(thresholds))[:, columns]
    is_listed = (scores.given | scores.truth)[:, columns]
    texts = [_text(label) for label in scores.labels]
    facts = _metadata(IMAGE_LEVEL, "no", f"{EVALUATION}-job", date)
    classes = [{"class-name": texts[column], **facts} for column in columns.tolist()]

    def line(head: dict[str, Any], confidences: list[float], kinds: list[int], chosen: Iterable[int]) -> bytes:
        value = dict(head)
        for n in chosen:
            value[f"{EVALUATION}-{n}"] = 1
            details = {"confidence": confidences[n], **classes[n], DETAILS: _DETAILS[kinds[n]]}
            value[f"{EVALUATION}-{n}{METADATA}"] = details
        return orjson.dumps(value)

    for row, image in enumerate(scores.images):
        confidences, kinds = scores.confidence[row, columns].tolist(), all_kinds[row].tolist()
        head = {SOURCE: _text(image)} | _true_labels(texts, date, np.flatnonzero(scores.truth[row]).tolist())
        listed = np.flatnonzero(is_listed[row]).tolist()
        negatives = [(confidences[n], n) for n in listed if not kinds[n]]
        yield _fitting(partial(line, head, confidences, kinds), listed, longest, negatives)


def _true_labels(texts: list[Any], date: str, labels: list[int], human: str = "yes") -> dict[str, Any]:
    line: dict[str, Any] = {}
    for n, label in enumerate(labels):
        facts = _metadata(IMAGE_LEVEL, human, f"{TRAINING}-job", date)
        line[f"{TRAINING}-{n}"] = 1
        line[f"{TRAINING}-{n}{METADATA}"] = {"confidence": 1, "class-name": texts[label], **facts}
    return line


# -- detectors ------------------------------------------------------------------------------------------
_Entries: TypeAlias = tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]


def _box_lines(boxes: Boxes, entries: _Entries, sizes: list[Size], date: str, longest: int) -> Iterator[bytes]:
    """Yield the lines of a detector, leaving out true negatives from lines of more than ``longest`` bytes."""
    texts = [_text(name) for name in boxes.labels]
    facts = _metadata(BOXES, "no", f"{EVALUATION}-job", date)
    label, confidence, frame, kind = (column.tolist() for column in entries[1:])

    def line(head: dict[str, Any], size: Size, chosen: Iterable[int]) -> bytes:
        rows = list(chosen)
        annotations = [_annotation(label[row], frame[row]) for row in rows]
        objects = [{"confidence": confidence[row], DETAILS: _DETAILS[kind[row]]} for row in rows]
        classes = _class_map({label[row] for row in rows}, texts)
        value = {
            **head,
            f"{EVALUATION}-0": {"image_size": [size], "annotations": annotations},
            f"{EVALUATION}-0{METADATA}": {"objects": objects, "class-map": classes, **facts},
        }
        return orjson.dumps(value)

    count = len(boxes.images)
    truth = _boxes_in_lines(boxes.truth_label, boxes.truth_box, boxes.truth_crowd, _ends(boxes.truth_image, count))
    for image, size, true, (start, end) in zip(
        boxes.images, sizes, truth, pairwise(_ends(entries[0], count)), strict=True
    ):
        head = {SOURCE: _text(image)} | _true_boxes(texts, date, size, true)
        negatives = [(confidence[row], row) for row in range(start, end) if not kind[row]]
        yield _fitting(partial(line, head, size), range(start, end), longest, negatives)


def _entries(boxes: Boxes, thresholds: FloatArray) -> _Entries:
    """Return the image, label, confidence, box and :data:`_DETAILS` key of each prediction entry, sorted by image."""
    accepted = boxes.confidence >= thresholds[boxes.image, boxes.label]
    kept = ~boxes.ignored & (accepted | (boxes.confidence >= LOWEST_CONFIDENCE))
    missed = ~boxes.truth_crowd
    missed[boxes.match[kept & (boxes.match >= 0)]] = False
    image = np.concatenate([boxes.image[kept], boxes.truth_image[missed]])
    label = np.concatenate([boxes.label[kept], boxes.truth_label[missed]])
    confidence = np.concatenate([boxes.confidence[kept], np.zeros(missed.sum())])
    frame = np.concatenate([boxes.box[kept], boxes.truth_box[missed]])
    kind = np.concatenate([2 * (boxes.match[kept] >= 0) + accepted[kept], np.full(missed.sum(), 2)])
    order = np.lexsort((-confidence, image))
    return image[order], label[order], confidence[order], frame[order], kind[order].astype(np.int64)


def _boxes_in_lines(
    label: IntArray, frame: FloatArray, crowd: np.ndarray[Any, np.dtype[np.bool_]], ends: list[int]
) -> Iterator[list[tuple[int, list[float], bool]]]:
    """Yield the true boxes of each image, as tuples of label, box and crowd flag."""
    columns = label.tolist(), frame.tolist(), crowd.tolist()
    for start, end in pairwise(ends):
        yield list(zip(*(column[start:end] for column in columns), strict=True))


def _true_boxes(
    texts: list[Any], date: str, size: Size, boxes: list[tuple[int, list[float], bool]], human: str = "yes"
) -> dict[str, Any]:
    annotations = [_annotation(label, sides) | ({"iscrowd": 1} if crowd else {}) for label, sides, crowd in boxes]
    facts = _metadata(BOXES, human, f"{TRAINING}-job", date)
    classes = _class_map({label for label, _, _ in boxes}, texts)
    return {
        f"{TRAINING}-0": {"image_size": [size], "annotations": annotations},
        f"{TRAINING}-0{METADATA}": {"objects": [{"confidence": 1}] * len(boxes), "class-map": classes, **facts},
    }


def _annotation(label: int, sides: list[float]) -> dict[str, Any]:
    left, top, width, height = sides
    return {"class_id": label, "left": left, "top": top, "width": width, "height": height}


def _class_map(labels: set[int], texts: list[Any]) -> dict[str, Any]:
    return {str(label): texts[label] for label in sorted(labels)}


# -- both -----------------------------------------------------------------------------------------------
def _metadata(kind: str, human: str, job: str, date: str) -> dict[str, Any]:
    return {"type": kind, "human-annotated": human, "creation-date": date, "job-name": job}


def _details(true: bool, accepted: bool) -> orjson.Fragment:
    value = {
        "version": 1,
        "is-true-positive": true and accepted,
        "is-true-negative": not true and not accepted,
        "is-false-positive": not true and accepted,
        "is-false-negative": true and not accepted,
        "is-present-in-ground-truth": true,
        "ground-truth-labelling-jobs": [f"{TRAINING}-job"],
    }
    return orjson.Fragment(orjson.dumps(value))


#: Details of an entry, indexed by 2 × (is in the ground truth) + (is accepted). 0 is a true negative.
_DETAILS = [_details(true, accepted) for true in (False, True) for accepted in (False, True)]


def _fitting(
    line: Callable[[Iterable[int]], bytes], entries: Iterable[int], longest: int, negatives: list[tuple[float, int]]
) -> bytes:
    """Return the line, dropping as many of the least confident negatives (confidence, entry) as needed to fit."""
    result = line(entries)
    if len(result) <= longest:
        return result
    negatives, kept = sorted(negatives, reverse=True), list(entries)
    while len(result) > longest and negatives:
        too_many = max(1, len(kept) * (len(result) - longest) // len(result))
        gone = {entry for _, entry in negatives[-too_many:]}
        del negatives[-too_many:]
        kept = [entry for entry in kept if entry not in gone]
        result = line(kept)
    return result


def _ends(image: IntArray, count: int) -> list[int]:
    """Return the row bounds of each image. The rows must be sorted by image."""
    ends: list[int] = np.searchsorted(image, np.arange(count + 1)).tolist()
    return ends


def _text(text: str) -> Any:
    """Wrap non-ASCII ``text`` as escaped JSON, because orjson supports neither lone surrogates nor ASCII escapes."""
    return text if text.isascii() else orjson.Fragment(json.dumps(text))


def _date(created: datetime | None) -> str:
    return in_utc(created).isoformat(timespec="milliseconds")


#: ``width``, ``height`` and ``depth`` as in manifests, and ``estimated`` if the size is the extent of the boxes.
Size: TypeAlias = dict[str, int | bool]


def image_sizes(images: pd.DataFrame, image: IntArray, box: FloatArray) -> tuple[list[Size], int]:
    """Return the size of each image, and the number of those estimated from the extent of boxes in row ``image``."""
    sides = np.zeros((len(images), 2))
    if {"width", "height"} <= set(images.columns):
        sizes_in_table = [pd.to_numeric(images[side], errors="coerce") for side in ("width", "height")]
        sides = np.stack([side.to_numpy(dtype=np.float64, na_value=np.nan) for side in sizes_in_table], axis=1)
        sides[~((sides >= 1) & (sides <= LARGEST_SIZE)).all(axis=1)] = 0
    unknown = np.flatnonzero(sides[:, 0] == 0)
    names = images["image"].to_numpy(dtype=object)
    near = [row for row in unknown.tolist() if not is_remote(names[row])]
    for row, header in zip(near, headers([names[row] for row in near]), strict=True):
        if isinstance(header, ImageHeader):
            sides[row] = header.width, header.height
    estimated = sides[:, 0] == 0
    if estimated.any():
        ends = np.full_like(sides, REKOGNITION.min_side_pixels)  # Rekognition rejects smaller images
        np.maximum.at(ends, image, np.ceil(box[:, :2] + box[:, 2:]))
        sides = np.where(estimated[:, None], np.minimum(ends, LARGEST_SIZE), sides)
    size_rows: list[list[int]] = sides.astype(np.int64).tolist()
    manifest_sizes: list[Size] = [
        {"width": width, "height": height, "depth": 3, **({ESTIMATED: True} if guess else {})}
        for (width, height), guess in zip(size_rows, estimated.tolist(), strict=True)
    ]
    return manifest_sizes, int(estimated.sum())


#: Label, confidence, and left, top, width, height of the box (NaN without a box).
Prediction: TypeAlias = tuple[str, float, float, float, float, float]


class SnapshotTables(NamedTuple):
    """Tables of ground truth, predictions and images from a snapshot, in the argument order of ``evaluate``.

    Examples
    --------
    >>> tables = cl.read_evaluation_snapshot("EvaluationSnapshot-rooms-v1.manifest")  # doctest: +SKIP
    >>> cl.evaluate(*tables)  # doctest: +SKIP
    """

    truth: pd.DataFrame
    predictions: pd.DataFrame
    images: pd.DataFrame

    def __repr__(self) -> str:
        return f"Tables .truth, .predictions and .images of {counted(len(self.images), 'image')}"


@names_arguments
def read_evaluation_snapshot(path: str | os.PathLike[str]) -> SnapshotTables:
    """Read an evaluation snapshot, written by this package or by Rekognition.

    Pass the result to ``evaluate(*tables)`` to evaluate it again. Ground truth is read as from any manifest.
    Predictions are read from the attributes ``rekognition-custom-labels-evaluation``, with or without a number. The
    confidence of a box is read from its entry in ``objects`` or, failing that, from the metadata. Missed true labels
    and boxes, which snapshots list as predictions with confidence 0, are ignored.

    Returns
    -------
    SnapshotTables
        ``truth`` and ``images``, which are like the ``annotations`` and ``images`` tables of a dataset, and
        ``predictions`` with ``image`` and ``label`` (str), ``confidence``, ``left``, ``top``, ``width`` and ``height``
        (float64, NaN for image-level labels).

    Raises
    ------
    ManifestError
        If the file is not a manifest.
    InputError
        If the file has no predictions, or a prediction is not valid. The message names the line.

    Examples
    --------
    >>> files = cl.evaluate(truth, predictions).to("files")
    >>> path = next(file for file in files if file.name.startswith("EvaluationSnapshot"))
    >>> tables = cl.read_evaluation_snapshot(path)
    >>> len(tables.truth), len(tables.predictions)
    (4, 8)
    >>> cl.evaluate(*tables).metric("accuracy")
    0.75
    """
    file = local_path(path, "path")
    source = ManifestFile(file)
    truth: list[bytes] = []
    entries: list[tuple[Any, list[Prediction]]] = []
    with collection_paused():
        for number, raw in enumerate(source, 1):
            line = _object(raw)
            entries += _taken(line, f"{str(file)!r}, line {number}")
            truth.append(raw if line is None else orjson.dumps(line))
        manifest = manifest_of(ManifestLines(source.name, truth), str(file))
        in_manifest = set(manifest.images["image"])
        rows = [(image, *row) for image, predictions in entries if image in in_manifest for row in predictions]
    if not entries:
        raise InputError(f"path={str(file)!r} contains no predictions (rekognition-custom-labels-evaluation-0, …).")
    columns = ["image", "label", "confidence", *BOX_COLUMNS]
    predictions = pd.DataFrame(rows, columns=columns).astype(
        {"image": TEXT, "label": TEXT, **dict.fromkeys(columns[2:], "float64")}
    )
    return SnapshotTables(manifest.annotations, predictions, manifest.images)


def _object(raw: bytes) -> dict[str, Any] | None:
    """Parse a line as a JSON object, or return None if it is invalid, in which case the manifest reader reports it."""
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return line if isinstance(line, dict) else None


def _taken(line: dict[str, Any] | None, where: str) -> Iterator[tuple[Any, list[Prediction]]]:
    """Remove the predictions from a manifest line, and yield the image and predictions of each attribute."""
    for key in [key for key in line or () if PREDICTION.fullmatch(key) and not key.endswith(METADATA)]:
        assert line is not None
        try:
            yield line.get(SOURCE), list(_predictions(line.pop(key), line.pop(key + METADATA)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{where}: {key!r} cannot be read as predictions.") from error


def _predictions(value: Any, facts: dict[str, Any]) -> Iterator[Prediction]:
    kind = facts.get("type")
    if kind == IMAGE_LEVEL:
        label, confidence = _label(facts["class-name"]), _confidence(facts)
        if not _is_missed(confidence, facts):
            yield label, confidence, math.nan, math.nan, math.nan, math.nan
        return
    if kind != BOXES:
        raise ValueError(kind)
    boxes = value["annotations"]
    objects = facts.get("objects", [{}] * len(boxes))
    for box, details in zip(boxes, objects, strict=True):
        # details and confidence can be stored once for all objects, next to the list of objects
        merged = {**facts, **details}
        if not is_box(box):
            raise ValueError(box)
        confidence = _confidence(merged)
        if not _is_missed(confidence, merged):
            yield _label(facts["class-map"][str(box["class_id"])]), confidence, *box_of(box)


def _is_missed(confidence: float, facts: dict[str, Any]) -> bool:
    """Check whether an entry is not a prediction, but a true label or box without one."""
    return not confidence and bool(facts.get(DETAILS, {}).get("is-false-negative"))


def _label(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(name)
    return name


def _confidence(facts: dict[str, Any]) -> float:
    confidence = confidence_of(facts, None)
    if confidence is None:
        raise ValueError("confidence")
    return confidence
