"""Project of the map's benchmark, created in the kernel: images whose files are empty, and their features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import psutil

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.embeddings import describe_features
from customlabels_nb.models.feature_file import feature_key, project_features
from customlabels_nb.store import Action

LABELS = ("apple", "banana", "orange", "lemon", "lime", "pear")
GROUPS, BLOCK, DIRECTIONS = 40, 5_000, 60


def create(images: int) -> cl.Project:
    """Create a project whose images form overlapping groups, half of them with a label."""
    project = cl.create_project(f"map {images}", task="single-label")
    random = np.random.default_rng(0)
    groups = random.integers(0, GROUPS, images)
    photos = Path(project.root) / "photos"
    photos.mkdir()
    names = [str(photos / f"{number:06}.jpg") for number in range(images)]
    for name in names:  # an image without a file is left out
        Path(name).touch()
    contents = [f"{number:064x}" for number in range(images)]
    labelled = random.random(images) < 0.5
    rows = {"image": names, "sha256": contents, "width": 1024, "height": 768}
    table = t.normalise_images(pd.DataFrame(rows)).assign(status=np.where(labelled, "labelled", "unlabelled"))
    marks = pd.DataFrame({"image": np.array(names)[labelled]}).assign(
        label=np.array(LABELS)[groups[labelled] % len(LABELS)]
    )
    for label in LABELS:
        project.labels.add(label)
    project._store.add_images(
        "train", table, t.normalise_annotations(marks, annotator="anna"), Action("import", "anna")
    )
    file = project_features(project.root).of(describe_features(PACKAGED))
    spread = random.normal(size=(DIRECTIONS, file.width)).astype(np.float32)
    centres = random.normal(size=(GROUPS, DIRECTIONS)).astype(np.float32)
    for start in range(0, images, BLOCK):
        part = groups[start : start + BLOCK]
        points = centres[part] + 0.4 * random.normal(size=(len(part), DIRECTIONS)).astype(np.float32)
        file.add([feature_key(content) for content in contents[start : start + BLOCK]], points @ spread)
    return project


def neighbours_kept(project: cl.Project, layout: pd.DataFrame, *, count: int = 10, sample: int = 500) -> float:
    """Return the share of the nearest neighbours by features that are also the nearest on the plane."""
    file = project_features(project.root).of(describe_features(PACKAGED))
    contents = project._store.images("train")["sha256"]
    positions, rows = file.lookup([feature_key(content) for content in contents])
    features = rows[positions].astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    xy = layout[["x", "y"]].to_numpy(np.float32)
    kept = 0
    for index in np.random.default_rng(0).choice(len(xy), min(sample, len(xy)), replace=False).tolist():
        near = [((each - each[index]) ** 2).sum(axis=1).argsort()[1 : count + 1] for each in (features, xy)]
        kept += len(set(near[0].tolist()) & set(near[1].tolist()))
    return kept / (count * min(sample, len(xy)))


def memory() -> float:
    """Return the memory of this process in MB."""
    return float(psutil.Process().memory_info().rss / 2**20)
