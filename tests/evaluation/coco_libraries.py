"""Evaluate boxes with pycocotools and faster-coco-eval."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customlabels_nb.evaluation.boxes import Boxes


@dataclass(frozen=True)
class CocoFigures:
    """Metrics of a COCO library, with -1 in ``average_precision`` and ``recall`` for labels without a true box."""

    average_precision: npt.NDArray[np.float64]  # IoU thresholds × labels
    recall: npt.NDArray[np.float64]

    def mean(self, values: npt.NDArray[np.float64]) -> float:
        kept = values[values > -1]
        return float(kept.mean()) if kept.size else 0.0


def figures_of(library: str, boxes: Boxes) -> CocoFigures:
    """Evaluate with "pycocotools" or "faster-coco-eval"."""
    coco, evaluator = _classes(library)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco()
        truth.dataset = _dataset(boxes)
        truth.dataset["annotations"] = _annotations(
            boxes.truth_image, boxes.truth_label, boxes.truth_box, iscrowd=boxes.truth_crowd
        )
        truth.createIndex()
        found = coco()  # like loadRes, but pycocotools' cannot be empty
        found.dataset = _dataset(boxes)
        found.dataset["annotations"] = _annotations(boxes.image, boxes.label, boxes.box, score=boxes.confidence)
        found.createIndex()
        evaluation = evaluator(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    assert precision.shape == (10, 101, len(boxes.labels), 4, 3)
    return CocoFigures(precision[:, :, :, 0, 2].mean(axis=1), recall[:, :, 0, 2])


def _classes(library: str) -> tuple[Any, Any]:
    """Import the COCO and evaluator classes of a library."""
    if library == "pycocotools":
        import pycocotools.coco
        import pycocotools.cocoeval

        return pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval
    import faster_coco_eval

    return faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster


def _dataset(boxes: Boxes) -> dict[str, Any]:
    """Return images and categories in COCO's format."""
    return {
        "images": [{"id": i + 1, "width": 1000, "height": 1000} for i in range(len(boxes.images))],
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(boxes.labels)],
    }


def _annotations(
    image: npt.NDArray[np.int64], label: npt.NDArray[np.int64], box: npt.NDArray[np.float64], **more: npt.NDArray[Any]
) -> list[dict[str, Any]]:
    """Return annotations in COCO's format."""
    rows = zip(
        image.tolist(), label.tolist(), box.tolist(), *(column.tolist() for column in more.values()), strict=True
    )
    return [
        {"id": n, "image_id": i + 1, "category_id": k + 1, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
        | {name: int(value) if name == "iscrowd" else value for name, value in zip(more, rest, strict=True)}
        for n, (i, k, b, *rest) in enumerate(rows, start=1)
    ]
