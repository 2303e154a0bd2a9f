"""Detection part of ``evaluation.py``: simulated boxes, each contender in its own process."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from _measure import Stopwatch, alternate, bound, figure, heading, last_json, ratio, spread

SIZES = {"images": 20_000, "boxes": 150_000, "labels": 80}
QUICK_SIZES = {"images": 2_000, "boxes": 15_000, "labels": 80}
ROUNDS = 3
MOST_OF_PEER = 1.3
FRAME = (640, 480)
CORNERS = ["left", "top", "width", "height"]

Drawn = dict[str, npt.NDArray[Any]]


def draw(*, images: int, boxes: int, labels: int) -> tuple[Drawn, Drawn]:
    """Return true boxes and the predictions of an average detector, about two per true box.

    Labels are as unevenly distributed as in COCO. Nine of ten true boxes are detected, a tenth of these with a wrong
    label. Every third detection is duplicated less precisely, and the rest are false positives of low confidence.
    """
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, labels + 1)
    truth = {
        "image": np.sort(rng.integers(0, images, boxes)),
        "label": rng.choice(labels, boxes, p=weights / weights.sum()),
        "box": _boxes(rng, boxes),
        "crowd": rng.random(boxes) < 0.01,
    }
    found = np.flatnonzero(rng.random(boxes) < 0.9)
    again = found[rng.random(found.size) < 0.33]
    source = np.concatenate([found, again])
    alarms = max(0, 2 * boxes - source.size)
    label = truth["label"][source]
    label = np.where(rng.random(source.size) < 0.1, rng.integers(0, labels, source.size), label)
    strength = np.where(np.arange(source.size) < found.size, 0.04, 0.15)[:, None]
    near = truth["box"][source] + rng.normal(size=(source.size, 4)) * strength * np.tile(truth["box"][source][:, 2:], 2)
    near[:, 2:] = np.maximum(near[:, 2:], 1)
    confidence = np.concatenate([rng.beta(5, 2, source.size), rng.beta(1, 6, alarms)])
    predictions = {
        "image": np.concatenate([truth["image"][source], rng.integers(0, images, alarms)]),
        "label": np.concatenate([label, rng.choice(labels, alarms, p=weights / weights.sum())]),
        "box": np.concatenate([near, _boxes(rng, alarms)]).round(2),
        "confidence": confidence.round(4),
    }
    order = np.argsort(predictions["image"], kind="stable")
    return truth, {name: values[order] for name, values in predictions.items()}


def _boxes(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    size = np.exp(rng.normal(4, 0.9, (count, 2))).clip(4, FRAME)
    return np.concatenate([rng.random((count, 2)) * (np.array(FRAME) - size), size], axis=1).round(2)


def run_ours(sizes: dict[str, int]) -> dict[str, Any]:
    """Evaluate the two tables and compute everything an evaluation contains."""
    import customlabels_nb as cl

    truth, predictions = (_table(drawn) for drawn in draw(**sizes))
    images = pd.DataFrame({"image": _names(np.arange(sizes["images"]))})
    cl.evaluate(truth[:100], predictions[:100])  # imports on first use
    memory, watch = _peak(), Stopwatch()
    report = cl.evaluate(truth, predictions, images)
    rows = len(report.per_image)
    took = watch.read()
    moved = _slide(report.outcomes)
    per_label = report.per_label.set_index("label")["average_precision"]
    figures = report.summary.set_index("metric")["value"]
    return {
        **took,
        "peak": _peak() - memory,
        "rows": rows,
        "slide": moved,
        "average_precision": [float(per_label[f"label {n:02}"]) for n in range(sizes["labels"])],
        "mean_average_recall": figures["mean_average_recall"],
        "coco_map": figures["coco_map"],
    }


def _slide(boxes: Any) -> float:
    """Return the median seconds of matching a quarter of the images (5,000 with 37,500 true boxes) again."""
    part = boxes.only(np.arange(0, len(boxes.images), 4))
    part.at_iou_threshold(0.5)
    took = []
    for overlap in np.linspace(0.3, 0.9, 13).tolist():
        started = time.perf_counter()
        part.at_iou_threshold(overlap)
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def run_peer(sizes: dict[str, int]) -> dict[str, Any]:
    """Compute faster-coco-eval's average precision of the same boxes, given as the dicts of its files."""
    import faster_coco_eval
    from faster_coco_eval import COCO, COCOeval_faster

    truth, predictions = draw(**sizes)
    dataset = {
        "images": [{"id": n, "width": FRAME[0], "height": FRAME[1]} for n in range(1, sizes["images"] + 1)],
        "categories": [{"id": n + 1, "name": f"label {n:02}"} for n in range(sizes["labels"])],
        "annotations": [
            {"id": n, "area": box[2] * box[3], "iscrowd": int(crowd), **row}
            for n, (row, box, crowd) in enumerate(
                zip(_rows(truth), truth["box"].tolist(), truth["crowd"].tolist(), strict=True), start=1
            )
        ],
    }
    results = [
        {"score": score, **row}
        for row, score in zip(_rows(predictions), predictions["confidence"].tolist(), strict=True)
    ]
    memory, watch, moments = _peak(), Stopwatch(), [time.perf_counter()]
    coco = COCO(dataset)
    found = coco.loadRes(results)
    moments.append(time.perf_counter())
    evaluation = COCOeval_faster(coco, found, "bbox")
    parameters = evaluation.params
    parameters.areaRng, parameters.areaRngLbl, parameters.maxDets = parameters.areaRng[:1], ["all"], [100]  # only AP
    evaluation.evaluate()
    moments.append(time.perf_counter())
    evaluation.accumulate()
    moments.append(time.perf_counter())
    took = watch.read()
    precision, recall = evaluation.eval["precision"][:, :, :, 0, 0], evaluation.eval["recall"][:, :, 0, 0]
    return {
        **took,
        "what": f"faster-coco-eval {faster_coco_eval.__version__}",
        "parts": np.diff(moments).tolist(),
        "peak": _peak() - memory,
        "average_precision": precision[0].mean(axis=0).tolist(),
        "mean_average_recall": float(recall[0].mean()),
        "coco_map": float(precision.mean()),
    }


def compare_detection(*, quick: bool = False) -> float:
    """Print time and memory of both contenders and return the ratio of our time to the peer's."""
    sizes, rounds = (QUICK_SIZES, 1) if quick else (SIZES, ROUNDS)
    shown = {name: f"{number:,}" for name, number in sizes.items()}
    heading(f"{shown['boxes']} boxes of {shown['labels']} labels on {shown['images']} images, 2 predictions per box:")
    results: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}

    def side(name: str) -> float:
        results[name].append(last_json([sys.executable, str(Path(__file__)), name, json.dumps(sizes)]))
        return float(results[name][-1]["seconds"])

    ours, peer = alternate(rounds, lambda: side("ours"), lambda: side("peer"))
    for name in ("average_precision", "mean_average_recall", "coco_map"):
        np.testing.assert_allclose(results["ours"][0][name], results["peer"][0][name], rtol=0, atol=1e-6)
    figure("average precision by label, mAR, COCO mAP@[.5:.95]", "equal")
    figure("cl.evaluate: all figures, tables, matrix, intervals", spread(ours, " s"))
    figure("faster-coco-eval: average precision alone", spread(peer, " s"))
    for number, part in enumerate(("COCO() and loadRes()", "evaluate()", "accumulate()")):
        figure(f"  of which {part}", spread([result["parts"][number] for result in results["peer"]], " s"))
    for name, what in (("ours", "cl.evaluate"), ("peer", "faster-coco-eval")):
        peaks = [result["peak"] / 1e9 for result in results[name]]
        figure(f"{what}: peak memory without its input", spread(peaks, " GB"))
    slides = [1000 * result["slide"] for result in results["ours"]]
    figure("matching a quarter of the images at another IoU", spread(slides, " ms"))
    over = ratio(ours, peer)
    bound("time, cl.evaluate over faster-coco-eval", over, "×", at_most=MOST_OF_PEER)
    return over


def _names(image: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    return np.array([f"/home/somebody/photos/IMG_{number:06}.jpg" for number in image.tolist()], dtype=object)


def _table(drawn: Drawn) -> pd.DataFrame:
    """Return boxes as the long table that ``cl.evaluate`` takes."""
    labels = np.array([f"label {number:02}" for number in range(100)], dtype=object)
    rest = {name: drawn[name] for name in ("crowd", "confidence") if name in drawn}
    boxes = dict(zip(CORNERS, drawn["box"].T, strict=True))
    return pd.DataFrame({"image": _names(drawn["image"]), "label": labels[drawn["label"]], **boxes, **rest})


def _rows(drawn: Drawn) -> list[dict[str, Any]]:
    columns = (drawn["image"] + 1).tolist(), (drawn["label"] + 1).tolist(), drawn["box"].tolist()
    return [{"image_id": image, "category_id": label, "bbox": box} for image, label, box in zip(*columns, strict=True)]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps({"ours": run_ours, "peer": run_peer}[sys.argv[1]](json.loads(sys.argv[2]))))
