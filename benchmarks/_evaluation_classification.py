"""Classification part of ``evaluation.py``: simulated confidences, each contender in its own process."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from _measure import Stopwatch, alternate, bound, figure, heading, last_json, ratio, spread

SIZES = {"images": 100_000, "labels": 80}
QUICK_SIZES = {"images": 10_000, "labels": 80}
ROUNDS = 3
MOST_OF_PEER = 0.5

Array = npt.NDArray[Any]


def draw(*, images: int, labels: int) -> tuple[Array, Array]:
    """Return the label of each image and softmax confidences of a classifier with about 90 % accuracy."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, labels, images)
    scores = rng.normal(size=(images, labels))
    scores[np.arange(images), truth] += rng.normal(4.2, 1, images)
    confidence = np.exp(2 * scores)
    return truth, confidence / confidence.sum(axis=1, keepdims=True)


def run_ours(sizes: dict[str, int], *, shuffled: bool = False) -> dict[str, Any]:
    """Evaluate long tables with one row per image and label and compute everything an evaluation contains."""
    import customlabels_nb as cl

    true, confidence = draw(**sizes)
    n, k = confidence.shape
    images = np.array([f"/home/somebody/photos/IMG_{number:06}.jpg" for number in range(n)], dtype=object)
    labels = np.array([f"label {number:02}" for number in range(k)], dtype=object)
    truth = pd.DataFrame({"image": images, "label": labels[true]})
    predictions = pd.DataFrame(
        {"image": np.repeat(images, k), "label": np.tile(labels, n), "confidence": confidence.ravel()}
    )
    cl.evaluate(truth[:100], predictions[:100])  # imports on first use
    if shuffled:
        predictions = predictions.sample(frac=1, random_state=0)
    del confidence
    memory, watch = _peak(anew=True), Stopwatch()
    report = cl.evaluate(truth, predictions)
    rows = len(report.per_image)
    took = watch.read()
    columns = ("roc_auc", "average_precision", "precision", "recall", "f1")
    return {
        **took,
        "peak": _peak() - memory,
        "rows": rows,
        "confusion": report.confusion_matrix.counts.tolist(),
        "accuracy": report.metric("accuracy"),
    } | {name: report.per_label[name].tolist() for name in columns}


def run_peer(sizes: dict[str, int]) -> dict[str, Any]:
    """Compute scikit-learn's metrics of the same confidences from existing matrices."""
    import sklearn
    from sklearn import metrics

    true, confidence = draw(**sizes)
    has = true[:, None] == np.arange(confidence.shape[1])
    memory, watch, started = _peak(anew=True), Stopwatch(), time.perf_counter()
    roc_auc, average_precision, parts = [], [], []
    for label in range(confidence.shape[1]):
        roc_auc.append(float(metrics.roc_auc_score(has[:, label], confidence[:, label])))
    parts.append(time.perf_counter())
    for label in range(confidence.shape[1]):
        average_precision.append(float(metrics.average_precision_score(has[:, label], confidence[:, label])))
    parts.append(time.perf_counter())
    predicted = confidence.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(true, predicted, zero_division=0.0)
    parts.append(time.perf_counter())
    confusion = metrics.confusion_matrix(true, predicted, labels=range(confidence.shape[1]))
    accuracy = metrics.accuracy_score(true, predicted)
    parts.append(time.perf_counter())
    took = watch.read()
    return {
        **took,
        "what": f"scikit-learn {sklearn.__version__}",
        "parts": np.diff([started, *parts]).tolist(),
        "peak": _peak() - memory,
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "confusion": confusion.tolist(),
        "accuracy": float(accuracy),
    }


def compare_classification(*, quick: bool = False) -> float:
    """Print time and memory of both contenders and return the ratio of our time to the peer's."""
    sizes, rounds = (QUICK_SIZES, 1) if quick else (SIZES, ROUNDS)
    pairs = sizes["images"] * sizes["labels"]
    heading(f"{sizes['images']:,} images with one of {sizes['labels']} labels, {pairs:,} rows of predictions:")
    results: dict[str, list[dict[str, Any]]] = {"ours": [], "shuffled": [], "peer": []}

    def side(name: str) -> float:
        results[name].append(last_json([sys.executable, str(Path(__file__)), name, json.dumps(sizes)]))
        return float(results[name][-1]["seconds"])

    ours, shuffled, peer = alternate(rounds, *(lambda name=name: side(name) for name in results))
    mine, theirs = results["ours"][0], results["peer"][0]
    for name in ("roc_auc", "average_precision", "precision", "recall", "f1", "confusion", "accuracy"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=0, atol=1e-9)
        np.testing.assert_allclose(mine[name], results["shuffled"][0][name], rtol=0, atol=1e-9)
    figure("precision, recall, F1, average precision, area under the ROC curve, confusion", "equal")
    figure("cl.evaluate: all metrics, tables, matrix, intervals, from long tables", spread(ours, " s"))
    figure("  with shuffled rows of predictions", spread(shuffled, " s"))
    figure("scikit-learn: the same metrics, from matrices", spread(peer, " s"))
    names = ("roc_auc_score", "average_precision_score", "precision_recall_fscore_support", "confusion_matrix")
    for number, part in enumerate(names):
        figure(f"  of which {part}", spread([result["parts"][number] for result in results["peer"]], " s"))
    for name, what in (("ours", "cl.evaluate"), ("shuffled", "  in any order"), ("peer", "scikit-learn")):
        peaks = [result["peak"] / 1e9 for result in results[name]]
        figure(f"{what}: peak memory without its input", spread(peaks, " GB"))
    over = ratio(ours, peer)
    bound("time, cl.evaluate over scikit-learn", over, "×", at_most=MOST_OF_PEER)
    return over


def _peak(*, anew: bool = False) -> int:
    """Return the process's peak memory in bytes. ``anew`` resets the peak first, where the system supports it."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        if anew:
            reset.write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    size = json.loads(sys.argv[2])
    if sys.argv[1] == "peer":
        print(json.dumps(run_peer(size)))
    else:
        print(json.dumps(run_ours(size, shuffled=sys.argv[1] == "shuffled")))
