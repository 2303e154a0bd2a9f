"""Accuracy of a model after a few photos per label: trained on 2 or 5 of each, tested on all the others.

python benchmarks/shots.py [--images DIR]
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from _measure import bound, figure, heading, start

from customlabels_nb.images.listing import read_folder
from customlabels_nb.models.embeddings import embed
from customlabels_nb.training.classification import fit_head

SEEDS = 20
BOUNDS = {2: 0.98, 5: 0.995}

Features = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


def photos_of(folder: Path) -> tuple[list[str], Integers, list[str]]:
    """Return the paths, the index of each photo's label, and the labels."""
    found = read_folder(folder, labels_from="folders")
    labelled = [(image, label) for image, label in zip(found.images, found.labels, strict=True) if label is not None]
    labels = sorted({label for _, label in labelled})
    targets = np.array([labels.index(label) for _, label in labelled], dtype=np.int64)
    return [image for image, _ in labelled], targets, labels


def few_of_each(targets: Integers, shots: int, random_state: int) -> npt.NDArray[np.bool_]:
    """Return a mask of the training photos: ``shots`` of each label, drawn with ``random_state``."""
    rng = np.random.default_rng(random_state)
    chosen = np.zeros(len(targets), dtype=bool)
    for label in np.unique(targets):
        chosen[rng.choice(np.flatnonzero(targets == label), shots, replace=False)] = True
    return chosen


def one_seed(
    features: Features, targets: Integers, n_labels: int, shots: int, random_state: int
) -> tuple[float, float, float]:
    """Return accuracy and log loss on the other photos, and the seconds of fitting."""
    train = few_of_each(targets, shots, random_state)
    started = time.perf_counter()
    head = fit_head(features[train], targets[train], n_labels, random_state=random_state)
    took = time.perf_counter() - started
    logits = (features[~train] @ head.weight.T + head.bias).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    truth = targets[~train]
    loss = -log_probabilities[np.arange(len(truth)), truth].mean()
    return float((log_probabilities.argmax(axis=1) == truth).mean()), float(loss), took


def main() -> None:
    """Run the benchmark and print the results."""
    images, targets, labels = photos_of(start(__doc__))
    started = time.perf_counter()
    features = embed(images, device="cpu").features
    took = time.perf_counter() - started
    heading(f"{len(images)} photos of {len(labels)} labels, {torch.get_num_threads()} torch threads:")
    figure("features of all photos, including loading the backbone", f"{took:.2f} s")
    for shots, limit in BOUNDS.items():
        if np.bincount(targets).min() <= shots:
            figure(f"{shots} photos per label", "skipped, because a label has too few photos")
            continue
        heading(f"{shots} photos per label, {SEEDS} seeds, tested on the other {len(images) - shots * len(labels)}:")
        runs = [one_seed(features, targets, len(labels), shots, random_state) for random_state in range(SEEDS)]
        accuracy, loss, fitting = np.array(runs).T
        bound("mean accuracy", float(accuracy.mean()), "", at_least=limit)
        figure("worst seed's accuracy", f"{accuracy.min():.4f}")
        figure("log-loss, mean (worst)", f"{loss.mean():.4f} ({loss.max():.4f})")
        figure("fitting the head, median", f"{np.median(fitting) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
