"""Convert an evaluation to data for the results page: arrays, strings and images.

The page computes every metric at any slider position from the arrays. They contain only what the page needs: the
matrices of a classifier, or the boxes and candidate pairs of a detector in matching order
(:mod:`customlabels_nb.evaluation.matching`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.core.tables import SINGLE_LABEL
from customlabels_nb.errors import ImageError
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.comparison.comparing import about_inputs
from customlabels_nb.evaluation.cross_validation import CROSS_VALIDATED
from customlabels_nb.evaluation.exploring.exploration import Exploration
from customlabels_nb.evaluation.exploring.position import LEAST_IOU, Position
from customlabels_nb.evaluation.matching import WHOLE
from customlabels_nb.evaluation.metrics import bootstrap_intervals, mean_f1
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.evaluation.slices import beyond_chance
from customlabels_nb.evaluation.thresholds import FALLBACK_THRESHOLD, assumed_thresholds
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import read_header
from customlabels_nb.images.thumbnails import THUMBNAIL_SIZES, BrowserImage, full_view_of, project_cache, thumbnail_of
from customlabels_nb.user_settings import settings

Arrays = dict[str, np.ndarray[Any, Any]]


def pack(exploration: Exploration) -> tuple[dict[str, Any], Arrays]:
    """Return the data from which the page computes metrics: JSON-serialisable values, and numeric arrays by name."""
    outcomes = exploration.evaluation.outcomes
    arrays: Arrays = {"rank": exploration.ranks.astype(np.int32), **_folds(exploration)}
    facts: dict[str, Any] = {
        "task": outcomes.task,
        "images": exploration.names,
        "labels": [{"label": n, "color": c} for n, c in zip(outcomes.labels, outcomes.colors, strict=True)],
        "rows": list(exploration.evaluation.confusion_matrix.labels),
        "columns": list(exploration.columns),
        "targets": outcomes.targets.tolist(),
        "test_images": outcomes.test_images.tolist(),
        "bare": int(outcomes.bare.sum()),
        "iou_threshold": None,
        "least_iou_threshold": LEAST_IOU,
        "whole": WHOLE,
        "fallback": FALLBACK_THRESHOLD,
    }
    places: list[np.ndarray[Any, Any]] = []
    facts["slices"] = []
    start = 0
    for column, parts in exploration.slices.items():
        values = []
        for name, positions in parts.items():
            places.append(positions)
            targets = outcomes.only(positions).targets.tolist()
            values.append({"name": name, "start": start, "count": len(positions), "targets": targets})
            start += len(positions)
        facts["slices"].append({"column": column, "values": values})
    arrays["slices"] = np.concatenate([*places, np.empty(0)]).astype(np.int32)
    facts["groups"] = {name: np.flatnonzero(mask).tolist() for name, mask in exploration.compared.items()}
    if isinstance(outcomes, Scores):
        arrays |= _scores(outcomes)
        facts["assumed"] = assumed_thresholds(outcomes).tolist()
    elif isinstance(outcomes, Boxes):
        arrays |= _boxes(outcomes)
        facts["iou_threshold"] = outcomes.iou_threshold
    return facts, arrays


def _folds(exploration: Exploration) -> Arrays:
    """Return the fold of each image and a classifier's thresholds per fold. The page computes a detector's itself."""
    if not exploration.folds:
        return {}
    outcomes = exploration.evaluation.outcomes
    fold = np.zeros(len(outcomes.images), dtype=np.uint8)
    for number, images in enumerate(exploration.folds):
        fold[images] = number
    if not isinstance(outcomes, Scores):
        return {"fold": fold}
    applied = Position(CROSS_VALIDATED).applied(outcomes, exploration.folds)
    return {"fold": fold, "fold_thresholds": np.stack([thresholds for _, thresholds in applied.folds])}


def _scores(scores: Scores) -> Arrays:
    arrays: Arrays = {"confidence": scores.confidence.ravel(), "truth": scores.truth.ravel().astype(np.uint8)}
    if not scores.given.all():
        arrays["given"] = scores.given.ravel().astype(np.uint8)
    if scores.task == SINGLE_LABEL:
        arrays["true_label"] = scores.true_label.astype(np.int32)
    return arrays


def _boxes(boxes: Boxes) -> Arrays:
    least = min(LEAST_IOU, boxes.iou_threshold)
    pairs = np.flatnonzero(
        boxes.candidates.iou >= (0 if boxes.masks else least)
    )  # the page cannot compute IoU of masks
    order = np.lexsort((-boxes.confidence, boxes.image))  # by image, over all labels
    real = np.flatnonzero(~boxes.truth_crowd)
    every = boxes.candidates_of_any_label(order, real)
    near = np.flatnonzero(every.iou >= least)
    by_label = np.concatenate([boxes.of_label(position) for position in range(len(boxes.labels))])
    arrays: Arrays = {
        "truth_image": boxes.truth_image.astype(np.int32),
        "truth_label": boxes.truth_label.astype(np.int32),
        "truth_crowd": boxes.truth_crowd.astype(np.uint8),
        "truth_box": boxes.truth_box.astype(np.float32).ravel(),
        "image": boxes.image.astype(np.int32),
        "label": boxes.label.astype(np.int32),
        "confidence": boxes.confidence,
        "box": boxes.box.astype(np.float32).ravel(),
        "on_crowd": boxes.candidates.on_crowd,
        "by_label": by_label.astype(np.int32),
        "pair_prediction": boxes.candidates.prediction[pairs].astype(np.int32),
        "pair_truth": boxes.candidates.truth[pairs].astype(np.int32),
        "pair_iou": boxes.candidates.iou[pairs],
        # candidate pairs over all labels, with the predictions in matching order
        "other_prediction": order[every.prediction[near]].astype(np.int32),
        "other_truth": real[every.truth[near]].astype(np.int32),
        "other_iou": every.iou[near],
    }
    if boxes.masks is not None:
        arrays |= {**_polygons("truth_", boxes.masks.truth_polygon), **_polygons("", boxes.masks.polygon)}
    return arrays


def _polygons(prefix: str, polygons: np.ndarray[Any, Any]) -> Arrays:
    """Return the points of polygons, the end of each ring in points, and the end of each polygon in rings."""
    rings = [rings_of(polygon) for polygon in polygons]
    flat = [ring for parts in rings for ring in parts]
    return {
        f"{prefix}polygon_end": np.cumsum([len(parts) for parts in rings], dtype=np.int32),
        f"{prefix}ring_end": np.cumsum([len(ring) for ring in flat], dtype=np.int32),
        f"{prefix}points": np.concatenate([np.empty((0, 2)), *flat]).astype(np.float32).ravel(),
    }


def as_buffers(arrays: Arrays) -> tuple[list[list[str]], list[bytes]]:
    """Convert arrays to a list of names and dtypes, and a list of buffers in little-endian order."""
    little = {name: np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    return [[name, array.dtype.name] for name, array in little.items()], [array.tobytes() for array in little.values()]


def summary_as_json(
    exploration: Exploration, project: str, details: Mapping[str, Any], facts: Mapping[str, str]
) -> dict[str, Any]:
    """Build the page header. Without the name of a ``project``, it has no code to copy."""
    evaluation = exploration.evaluation
    table = evaluation.summary.set_index("metric")
    kept = table.loc[[name for name in ("f1", "precision", "recall", "accuracy") if name in table.index]]
    lines = []
    ended = details.get("evaluated")
    if isinstance(ended, datetime):
        lines.append(["evaluated", ended.strftime("%Y-%m-%d %H:%M")])
    if details.get("training_images"):
        lines.append(["training images", f"{int(details['training_images']):,}"])
    lines += [[str(name), str(value)] for name, value in facts.items()]
    shown_elsewhere = ("evaluated", "training_images", "project_version_arn")
    lines += [[str(name), str(value)] for name, value in details.items() if name not in shown_elsewhere]
    return {
        "name": exploration.name,
        "project": project,
        "said": lines,
        "notes": list(evaluation.notes),
        "own": {
            "position": exploration.own.to_dict(),
            "intervals": {str(name): [_number(row["low"]), _number(row["high"])] for name, row in kept.iterrows()},
        },
        "coco_map": _number(table["value"].get("coco_map")),
        "code": code_to_copy(project, exploration.name),
    }


def code_to_copy(project: str, name: str) -> str:
    if not project:
        return ""
    return (
        f"import customlabels_nb as cl\n\nproject = cl.load_project({project!r})\nmodel = project.model({name!r})\n"
        'model.start()\nmodel.detect("new.jpg")\nmodel.stop()'
    )


def advice_as_json(exploration: Exploration) -> list[dict[str, Any]]:
    """Convert the suggestions to JSON values, with the positions of their images."""
    return [
        {
            "heading": item.heading,
            "kind": item.kind,
            "text": item.text,
            "labels": list(item.labels),
            "images": [exploration.index_of[name] for name in item.names if name in exploration.index_of],
            "call": item.call,
        }
        for item in exploration.advice
    ]


def slices_as_json(exploration: Exploration) -> list[dict[str, Any]]:
    """Return the F1, intervals and mark of each slice as ``Report.by`` does, at the current thresholds."""
    found: list[dict[str, Any]] = []
    for column, parts in exploration.slices.items():
        marks = beyond_chance(exploration.applied, list(parts.values()))
        for (name, positions), differs in zip(parts.items(), marks, strict=True):
            part = exploration.applied.only(positions)
            ends = {
                metric: [_number(end) for end in pair] for metric, pair in bootstrap_intervals(part).metrics.items()
            }
            f1 = mean_f1(np.stack(part.counts()))
            here = {"column": column, "name": name, "images": len(positions), "f1": f1}
            found.append(here | {"intervals": ends, "differs": differs})
    return found


def comparison_as_json(exploration: Exploration) -> dict[str, Any] | None:
    """Convert the current comparison to JSON values, or return None if there is none."""
    comparison = exploration.comparison
    if comparison is None:
        return None

    def numbers(row: Any) -> dict[str, float | None]:
        return {name: _number(getattr(row, name)) for name in ("before", "after", "delta", "low", "high")}

    return {
        "names": list(comparison.names),
        "position": exploration.compared_at.to_dict(),
        "test_images": comparison.test_images,
        "summary": [
            {"metric": row.metric, **numbers(row)}
            for row in comparison.summary.itertuples()
            if row.metric in ("f1", "precision", "recall", "accuracy")
        ],
        "labels": {row.label: numbers(row) for row in comparison.per_label.itertuples()},
        "sentences": list(comparison.sentences),
        "said": about_inputs(comparison),
        "notes": list(comparison.notes),
    }


def default_name(what: str, name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "results"
    return f"{plain}.html" if what == "page" else f"{plain}-results"


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


class TestPictures:
    """Thumbnails, cached in ``root``, and full-size views of test images, by position."""

    __test__ = False  # not a pytest class

    def __init__(self, images: pd.DataFrame, root: Path | None) -> None:
        self._names: list[str] = images["image"].tolist()
        self._root = root
        self._cache = project_cache(root, "thumbnails")
        self._contents = [cell if isinstance(cell, str) else None for cell in _cells(images, "sha256")]
        self._sizes = list(zip(_cells(images, "width"), _cells(images, "height"), strict=True))

    def thumbnails(self, positions: Sequence[int], pixels: int) -> list[bytes | ImageError]:
        """Return a JPEG thumbnail to show at ``pixels`` × ``pixels`` for each image, or the error that prevents it."""
        size = next((size for size in THUMBNAIL_SIZES if size >= pixels), THUMBNAIL_SIZES[-1])

        def load(index: int) -> bytes | ImageError:
            try:
                return thumbnail_of(
                    self._names[index], root=self._root, sha256=self._contents[index], size=size, cache=self._cache
                )
            except ImageError as error:
                return error

        return list(map_bounded(load, positions, workers=settings.threads))

    def size(self, index: int) -> tuple[int, int] | None:
        """Return the width and height of the upright image in pixels, or None if not available without a download."""
        width, height = self._sizes[index]
        if isinstance(width, int | float) and isinstance(height, int | float) and width > 0 and height > 0:
            return int(width), int(height)
        if is_remote(self._names[index]):
            return None
        try:
            header = read_header(self._names[index], self._root)
        except ImageError:
            return None
        self._sizes[index] = (header.width, header.height)
        return header.width, header.height

    def view(self, index: int) -> BrowserImage:
        """Return the full-size image in a format that browsers can display."""
        return full_view_of(self._names[index], root=self._root, sha256=self._contents[index], cache=self._cache)


def _cells(images: pd.DataFrame, column: str) -> list[object]:
    if column not in images.columns:
        return [None] * len(images)
    values = images[column]
    cells: list[object] = values.astype(object).where(values.notna(), None).tolist()
    return cells
