"""Tests that advice names the slices that a model fails on, and no others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.slices import beyond_chance
from customlabels_nb.evaluation.thresholded import Thresholded
from tests.evaluation.cases import tables

KINDS = ["most confident", "assumed", "multi-label", "boxes"]
IMAGES, LABELS = 240, 3
#: Of how many simulated evaluations a share is computed.
simulations = pytest.mark.parametrize("number", [24, pytest.param(500, marks=pytest.mark.exhaustive)])


def simulated(kind: str, seed: int, *, worse: bool) -> Evaluation:
    """Evaluate a model that is right for nine of ten objects, and with ``worse`` for three of ten of camera D."""
    rng = np.random.default_rng(seed)
    names = [f"image {i}.jpg" for i in range(IMAGES)]
    columns = {
        "camera": rng.choice(list("ABCD"), IMAGES),
        "day": rng.integers(0, 60, IMAGES),
        "width": rng.choice([320, 480, 640], IMAGES),
        "source": rng.choice([f"batch {i}" for i in range(8)], IMAGES),
        "tags": [["blurred"] if blurred else [] for blurred in rng.random(IMAGES) < 0.2],
        "number": [f"no. {i}" for i in range(IMAGES)],  # of each image
    }
    images = pd.DataFrame({"image": names, **columns})
    is_right = rng.random((IMAGES, LABELS)) < np.where(worse & (images["camera"] == "D"), 0.3, 0.9)[:, None]
    sure = rng.uniform(0.5, 1, (IMAGES, LABELS))
    if kind in ("most confident", "assumed"):
        truth = rng.integers(0, LABELS, IMAGES)
        says = np.where(is_right[:, 0], truth, (truth + 1) % LABELS)
        confidence = (1 - sure[:, :1]) / LABELS + sure[:, :1] * (says[:, None] == np.arange(LABELS))
        return evaluate(*tables(truth.tolist(), confidence), images, task="single-label", thresholds=kind)
    has = rng.random((IMAGES, LABELS)) < 0.5
    if kind == "multi-label":
        _, predictions = tables([None] * IMAGES, np.where(has == is_right, sure, 1 - sure))
        rows = [(names[i], f"label {j}") for i, j in np.argwhere(has)]
        return evaluate(pd.DataFrame(rows, columns=["image", "label"]), predictions, images, task=kind, thresholds=0.5)
    objects = np.argwhere(rng.random((IMAGES, LABELS)) < 0.8)
    truth_boxes = pd.DataFrame(
        {"image": [names[i] for i, _ in objects], "label": [f"label {j}" for _, j in objects]}
    ).assign(left=100 * objects[:, 1], top=0, width=50, height=50)
    moved = np.where(is_right[tuple(objects.T)], 0, 40)
    found = truth_boxes.assign(top=moved, confidence=sure[tuple(objects.T)])
    return evaluate(truth_boxes, found, images, task=kind, thresholds=0.5)


@simulations
@pytest.mark.parametrize("kind", KINDS)
def test_a_worse_camera_is_found(kind: str, number: int) -> None:
    found = 0
    for seed in range(number // len(KINDS)):
        evaluation = simulated(kind, seed, worse=True)
        camera = evaluation.images["camera"]
        for item in evaluation.advice.about("slice"):
            if item.text.startswith("camera D: F1 0."):
                is_there = evaluation.per_image["image"].isin(evaluation.images.loc[camera == "D", "image"])
                found += set(item.names) == set(evaluation.per_image.loc[is_there, "image"])
                assert item.weight > 0.03
    assert found >= 0.95 * (number // len(KINDS))


@simulations
def test_advice_names_no_slice_that_differs_by_chance(number: int) -> None:
    kinds = KINDS * (number // len(KINDS))
    items = [simulated(kind, seed, worse=False).advice.about("slice") for seed, kind in enumerate(kinds, 1000)]
    assert sum(len(item) > 0 for item in items) <= 0.05 * number


def test_a_bad_slice_does_not_make_others_differ_and_the_rest_of_a_column_is_tested_too() -> None:
    right = np.r_[np.tile([1] * 9 + [0], 18), np.tile([1, 0, 0], 20), np.tile([1, 1, 0], 20)]  # A to C, D, E
    camera = np.repeat(list("ABCDE"), 60)
    says = np.where(right, 0.9, 0.1)
    images = pd.DataFrame({"image": [f"image {i}.jpg" for i in range(300)], "camera": camera, "folder": camera})
    evaluation = evaluate(*tables([0] * 300, np.stack([says, 1 - says], axis=1)), images, task="single-label")
    assert evaluation.by("camera")["differs"].tolist() == ["", "", "", "lower", "lower"]
    assert [item.text[:8] for item in evaluation.advice.about("slice")] == ["camera D", "camera E"]


@simulations
def test_slices_with_many_objects_differ_by_chance_as_rarely_as_others(number: int) -> None:
    marked = 0
    for seed in range(number // 2):
        rng = np.random.default_rng(seed)
        is_dense = rng.random(IMAGES) < 0.06
        objects = np.where(is_dense, 50, 2)
        right = rng.binomial(objects, rng.beta(2.4, 0.6, IMAGES))  # images differ in difficulty
        counts = csr_array(np.stack([right, rng.binomial(objects, 0.2), objects - right], axis=1))
        applied = cast(Thresholded, SimpleNamespace(image_counts=lambda counts=counts: counts))
        marked += any(beyond_chance(applied, [np.flatnonzero(is_dense), np.flatnonzero(~is_dense)]))
    assert marked <= 0.06 * (number // 2)


@simulations
def test_marks_agree_with_the_f1_that_is_shown(number: int) -> None:
    for seed in range(number // 2):
        rng = np.random.default_rng(seed)
        truth = (rng.random(IMAGES) < 0.1).astype(int)  # one label is rare
        camera = rng.choice(["A", "B"], IMAGES)
        fails = np.where(camera == "A", np.where(truth == 1, 0.9, 0.02), 0.2)
        says = np.where(rng.random(IMAGES) < fails, 1 - truth, truth)
        images = pd.DataFrame({"image": [f"image {i}.jpg" for i in range(IMAGES)], "camera": camera})
        table = evaluate(*tables(truth.tolist(), np.eye(2)[says]), images, task="single-label").by("camera")
        for mark, f1, other in zip(table["differs"], table["f1"], table["f1"][::-1], strict=True):
            assert mark == "" or (mark == "lower") == (f1 < other)
