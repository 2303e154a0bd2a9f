"""Evaluation snapshots: manifests that hold each image's truth and what was predicted for it, as the hosted service
writes them.

The truth stands under ``rekognition-custom-labels-training-<n>``, predictions under
``rekognition-custom-labels-evaluation-<n>``, which readers of manifests pass over: a snapshot imports again as a
dataset, and :func:`customlabels_nb.evaluation.snapshot_reading.read_evaluation_snapshot` gives the predictions, too.
All of it is ASCII, so that a name in a line can't end it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pandas as pd

from customlabels_nb.core.limits import REKOGNITION
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.datasets.formats.manifest_values import BOXES, IMAGE_LEVEL, METADATA, SOURCE
from customlabels_nb.evaluation.arrays import FloatArray, IntArray
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.image_sizes import Size, image_sizes
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.summary import in_utc, safe_parts
from customlabels_nb.evaluation.thresholded import Thresholded

TRAINING = "rekognition-custom-labels-training"
EVALUATION = "rekognition-custom-labels-evaluation"
DETAILS = f"{EVALUATION}-details"
#: Predictions of a detector with less confidence are left out, unless they count.
LOWEST_CONFIDENCE = 0.05

_LONGEST_LINE = REKOGNITION.max_line_length or 0
_LARGEST_FILE = REKOGNITION.max_manifest_bytes or 0
_SHORTEST_LINE = 2_000


def snapshot_file_names(*parts: str) -> tuple[str, str]:
    """The file names of the snapshots of the test images and of the training images, made safe."""
    stem = "-".join(["", *safe_parts(parts)])
    return f"EvaluationSnapshot{stem}.manifest", f"TrainingSnapshot{stem}.manifest"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot's lines (JSON, without line ends), to be gone through once.

    ``estimated`` is the number of images of which the size isn't known: the extent of their boxes stands for it.
    """

    lines: Iterator[bytes]
    estimated: int = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.lines


def evaluation_snapshot(evaluation: Evaluation, *, created: datetime | None = None) -> Snapshot:
    """The snapshot of an evaluation, a line for each test image in their order.

    Of a classifier, each has the confidence of every label that the predictions know, above its threshold or not. Of
    a detector, all predictions from a confidence of 0.05 up, those below that count, and with confidence 0 each true
    box that none of them matches. Predictions on a crowd, which neither help nor harm, aren't among them.

    Manifests have a longest line (100,000 characters) and a largest size (1 GB): where a snapshot would be larger, the
    least confident true negatives are left out of it.

    Parameters
    ----------
    evaluation : Evaluation
        Sizes of images are the columns ``width`` and ``height`` of its images, where it has them; otherwise those in
        the headers of local files, and at last the extent of the boxes, marked ``"estimated"``.
    created : datetime, optional
        The creation date written (naive: UTC); now by default.
    """
    outcomes, date = evaluation.outcomes, _date(created)
    longest = _longest_line(len(outcomes.images))
    if isinstance(outcomes, Boxes):
        lines = _BoxLines(outcomes, _thresholds(evaluation.applied), evaluation.images, date)
        return Snapshot(lines.fitting(longest), lines.estimated)
    assert isinstance(outcomes, Scores)
    return Snapshot(_ScoreLines(outcomes, _thresholds(evaluation.applied), date).fitting(longest))


def truth_snapshot(
    images: pd.DataFrame, annotations: pd.DataFrame, *, boxes: bool, created: datetime | None = None
) -> Snapshot:
    """A snapshot without predictions, a line for each image that has labels (or boxes) to train on.

    Parameters
    ----------
    images, annotations : DataFrame
        As in a dataset.
    boxes : bool
        Whether boxes are trained on, or labels of whole images.
    created : datetime, optional
        The creation date written (naive: UTC); now by default.
    """
    date = _date(created)
    usable = annotations[annotations["left"].notna() == boxes]
    chosen = images[images["image"].isin(usable["image"])]
    at, labels = pd.factorize(usable["label"], sort=True)
    row = pd.Index(chosen["image"]).get_indexer(usable["image"])
    order = np.argsort(row, kind="stable")
    row, at = row[order].astype(np.int64), at[order].astype(np.int64)
    names, texts = chosen["image"].tolist(), [_text(str(label)) for label in labels]
    ends = _ends(row, len(names))
    if not boxes:
        own = (at[start:end].tolist() for start, end in pairwise(ends))
        parts = zip(names, own, strict=True)
        return Snapshot(orjson.dumps({SOURCE: _text(name)} | _true_labels(texts, one, date)) for name, one in parts)
    frame = usable[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)[order]
    crowd = usable["crowd"].fillna(False).to_numpy(dtype=bool)[order]
    sizes, estimated = image_sizes(chosen, row, frame)
    found = zip(names, sizes, _boxes_in_lines(at, frame, crowd, ends), strict=True)
    lines = (orjson.dumps({SOURCE: _text(name)} | _true_boxes(size, own, texts, date)) for name, size, own in found)
    return Snapshot(lines, estimated)


# -- classifiers ----------------------------------------------------------------------------------------
class _ScoreLines:
    """The lines of a classifier's test images."""

    def __init__(self, scores: Scores, thresholds: FloatArray, date: str) -> None:
        self._scores, self._date = scores, date
        self._known = np.flatnonzero(scores.known)
        self._kinds = (2 * scores.truth.astype(np.int8) + scores.accepted(thresholds))[:, self._known]
        self._texts = [_text(label) for label in scores.labels]
        facts = _metadata(IMAGE_LEVEL, "no", f"{EVALUATION}-job", date)
        self._attributes = [
            (f"{EVALUATION}-{n}", f"{EVALUATION}-{n}{METADATA}", {"class-name": self._texts[column], **facts})
            for n, column in enumerate(self._known.tolist())
        ]

    def fitting(self, longest: int) -> Iterator[bytes]:
        """The lines, of at most that many bytes as far as leaving out true negatives can make them so."""
        for row, image in enumerate(self._scores.images):
            confidences, kinds = self._scores.confidence[row, self._known].tolist(), self._kinds[row].tolist()
            own = np.flatnonzero(self._scores.truth[row]).tolist()
            head = {SOURCE: _text(image)} | _true_labels(self._texts, own, self._date)
            negatives = [(confidences[n], n) for n, kind in enumerate(kinds) if not kind]
            line = partial(self._line, head, confidences, kinds)
            yield _fitting(line, range(len(self._attributes)), longest, negatives)

    def _line(self, head: dict[str, Any], confidences: list[float], kinds: list[int], chosen: Iterable[int]) -> bytes:
        value = dict(head)
        for n in chosen:
            name, metadata, facts = self._attributes[n]
            value[name] = 1
            value[metadata] = {"confidence": confidences[n], **facts, DETAILS: _DETAILS[kinds[n]]}
        return orjson.dumps(value)


def _true_labels(texts: list[Any], labels: list[int], date: str) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for n, label in enumerate(labels):
        facts = _metadata(IMAGE_LEVEL, "yes", f"{TRAINING}-job", date)
        line[f"{TRAINING}-{n}"] = 1
        line[f"{TRAINING}-{n}{METADATA}"] = {"confidence": 1, "class-name": texts[label], **facts}
    return line


# -- detectors ------------------------------------------------------------------------------------------
class _BoxLines:
    """The lines of a detector's test images."""

    def __init__(self, boxes: Boxes, thresholds: FloatArray, images: pd.DataFrame, date: str) -> None:
        self._boxes, self._date = boxes, date
        self._texts = [_text(name) for name in boxes.labels]
        self._facts = _metadata(BOXES, "no", f"{EVALUATION}-job", date)
        image, label, confidence, frame, kind = _entries(boxes, thresholds)
        self._image, self._label, self._frame = image, label.tolist(), frame.tolist()
        self._confidence, self._kind = confidence.tolist(), kind.tolist()
        all_images, all_frames = np.concatenate([boxes.truth_image, image]), np.concatenate([boxes.truth_box, frame])
        self._sizes, self.estimated = image_sizes(images, all_images, all_frames)

    def fitting(self, longest: int) -> Iterator[bytes]:
        """The lines, of at most that many bytes as far as leaving out true negatives can make them so."""
        boxes, count = self._boxes, len(self._boxes.images)
        truth = _boxes_in_lines(boxes.truth_label, boxes.truth_box, boxes.truth_crowd, _ends(boxes.truth_image, count))
        parts = zip(boxes.images, self._sizes, truth, pairwise(_ends(self._image, count)), strict=True)
        for image, size, true, (start, end) in parts:
            head = {SOURCE: _text(image)} | _true_boxes(size, true, self._texts, self._date)
            negatives = [(self._confidence[row], row) for row in range(start, end) if not self._kind[row]]
            line = partial(self._line, head, size)
            yield _fitting(line, range(start, end), longest, negatives)

    def _line(self, head: dict[str, Any], size: Size, chosen: Iterable[int]) -> bytes:
        rows = list(chosen)
        annotations = [_annotation(self._label[row], self._frame[row]) for row in rows]
        objects = [{"confidence": self._confidence[row], DETAILS: _DETAILS[self._kind[row]]} for row in rows]
        classes = _class_map({self._label[row] for row in rows}, self._texts)
        value = {
            **head,
            f"{EVALUATION}-0": {"image_size": [size], "annotations": annotations},
            f"{EVALUATION}-0{METADATA}": {"objects": objects, "class-map": classes, **self._facts},
        }
        return orjson.dumps(value)


def _entries(boxes: Boxes, thresholds: FloatArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]:
    """What stands as a prediction: image, label, confidence, box, and a key of :data:`_DETAILS`; sorted by image."""
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
    """Label, sides and whether it is a crowd, of the true boxes of each image."""
    columns = label.tolist(), frame.tolist(), crowd.tolist()
    for start, end in pairwise(ends):
        yield list(zip(*(column[start:end] for column in columns), strict=True))


def _true_boxes(size: Size, found: list[tuple[int, list[float], bool]], texts: list[Any], date: str) -> dict[str, Any]:
    annotations = [_annotation(label, sides) | ({"iscrowd": 1} if crowd else {}) for label, sides, crowd in found]
    facts = _metadata(BOXES, "yes", f"{TRAINING}-job", date)
    classes = _class_map({label for label, _, _ in found}, texts)
    return {
        f"{TRAINING}-0": {"image_size": [size], "annotations": annotations},
        f"{TRAINING}-0{METADATA}": {"objects": [{"confidence": 1}] * len(found), "class-map": classes, **facts},
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


#: By 2 × whether it is in the truth + whether it counts: 0 is a true negative.
_DETAILS = [_details(true, accepted) for true in (False, True) for accepted in (False, True)]


def _fitting(
    line: Callable[[Iterable[int]], bytes], entries: Iterable[int], longest: int, negatives: list[tuple[float, int]]
) -> bytes:
    """The line with all entries, or without as many of the negatives (confidence, entry) as it takes to fit."""
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


def _thresholds(applied: Thresholded) -> FloatArray:
    """The threshold of each label for each image, shape (n, k)."""
    shape = (len(applied.outcomes.images), len(applied.outcomes.labels))
    if not applied.folds:
        return np.broadcast_to(applied.thresholds, shape)
    result = np.empty(shape)
    for images, thresholds in applied.folds:
        result[images] = thresholds
    return result


def _longest_line(count: int) -> int:
    return max(_SHORTEST_LINE, min(_LONGEST_LINE, _LARGEST_FILE // max(count, 1) - 1))


def _ends(image: IntArray, count: int) -> list[int]:
    """Where the rows of each image end, and before the first: of rows that are sorted by image."""
    ends: list[int] = np.searchsorted(image, np.arange(count + 1)).tolist()
    return ends


def _text(text: str) -> Any:
    """``text`` for orjson, which knows neither halves of surrogate pairs nor ASCII escapes."""
    return text if text.isascii() else orjson.Fragment(json.dumps(text))


def _date(created: datetime | None) -> str:
    return in_utc(created).isoformat(timespec="milliseconds")
