"""Masks and boxes for ``training.py``: drawn circuit boards, whose outlines are exact, and photos of fruit.

The outlines of the fruit (``fruit_outlines.json``) were drawn in the annotator with its Outline tool: a box around each
object by mouse, and clicks that took its shadow away. The photos have a licence of their own (MIT), see the file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from _measure import bound, figure, heading
from _training_peer import SIDE, train_reference
from _training_photos import folder_of

from customlabels_nb import read_dataset

OUTLINES = Path(__file__).with_name("fruit_outlines.json")
TRAIN, TEST, SIZE = 120, 40, (480, 360)
_LEAST_SIDE = 8  # pixels
MOST_APART, LEAST_SPEED = 0.03, 0.85
_SPEED_IMAGES, _SPEED_ROUNDS = 60, 5


def masks_part(seeds: Sequence[int], *, budget: str | None, steps: int | None) -> None:
    """Train masks with every seed, and compare AP50 by masks with AP50 by boxes, on fruit also with the peer's."""
    from customlabels_nb.examples.circuit_boards import LABELS

    heading(f"masks: {TRAIN} training boards, {TEST} test boards, {budget or f'{steps} steps'}:")
    with tempfile.TemporaryDirectory() as folder:
        images, shapes = _boards(Path(folder), TRAIN + TEST)
        is_test = images["image"].isin(images["image"].tail(TEST))
        for random_state in seeds:
            _compare(images, shapes, is_test, list(LABELS), random_state, budget=budget, steps=steps, peer=False)
    photos = folder_of("fruit-objects")
    if not photos.is_dir():
        print(f"There are no photos in {photos}, so masks of fruit are skipped.")
        return
    fruit = read_dataset(OUTLINES, images=photos / "images")
    is_test = pd.Series(np.arange(len(fruit.images)) % 5 == 0)
    counts = f"{(~is_test).sum()} training photos, {is_test.sum()} test photos"
    heading(f"masks of fruit: {counts}, {budget or f'{steps} steps'}, in turn with torchvision's reference recipe:")
    labels = sorted(fruit.annotations["label"].unique())
    for random_state in seeds:
        _compare(fruit.images, fruit.annotations, is_test, labels, random_state, budget=budget, steps=steps, peer=True)


def _compare(
    images: pd.DataFrame,
    shapes: pd.DataFrame,
    is_test: pd.Series[bool],
    labels: list[str],
    random_state: int,
    *,
    budget: str | None,
    steps: int | None,
    peer: bool,
) -> None:
    """Train on the images that are not for testing, and print AP50 by boxes and by masks."""
    from customlabels_nb.core.polygons import rings_of
    from customlabels_nb.events import Events
    from customlabels_nb.training.boxes_data import make_examples
    from customlabels_nb.training.budget import parse_budget
    from customlabels_nb.training.detection_data import DetectionOptions
    from customlabels_nb.training.detector_recipe import predict_boxes, train_detector

    tests, truth = images[is_test]["image"].tolist(), shapes[shapes["image"].isin(images[is_test]["image"])]
    examples = make_examples(images[~is_test], shapes, labels, masks=True)
    chosen = parse_budget(None if steps else budget, steps)
    options = DetectionOptions(
        budget=chosen, random_state=random_state, device="cpu", masks=True, input_size=SIDE if peer else None
    )
    trained = train_detector(examples, labels, options, Events())
    runs = {"ours": (trained, trained.state.step)}
    if peer:
        network, _, _, step, _ = train_reference(
            examples, labels, random_state=random_state, seconds=chosen.seconds, steps=steps, masks=True
        )
        runs["torchvision's"] = (replace(trained, network=network), step)
    for name, (one, step) in runs.items():
        found, _, _ = predict_boxes(one, tests, labels, root=None, events=Events())
        by_boxes, by_masks = (_ap50(truth, found, images[is_test], labels, masks) for masks in (False, True))
        points = np.mean([sum(map(len, rings_of(polygon))) for polygon in found["polygon"]])
        figure(
            f"seed {random_state}: {name}: AP50 by boxes, by masks",
            f"{by_boxes:.3f}, {by_masks:.3f} after {step} steps of {one.input_size} px, {points:.0f} points a polygon",
        )
        if name == "ours":
            bound("AP50 by masks below AP50 by boxes", by_boxes - by_masks, "", at_most=MOST_APART)
            _compare_speed(one, tests, labels)


def _compare_speed(trained: Any, photos: list[str], labels: list[str]) -> None:
    """Compare ``detect_many`` of a model with masks and of the same model without its mask head, in turn."""
    from customlabels_nb.inference.detect_many import detect_many
    from customlabels_nb.inference.predictor import Predictor
    from customlabels_nb.models.artifact import ModelConfig, save_artifact
    from customlabels_nb.models.backbone import PACKAGED

    masks, many = trained.network.masks, (photos * _SPEED_IMAGES)[:_SPEED_IMAGES]
    shape: dict[str, Any] = {"input_size": trained.input_size, "detector": trained.shape, "backbone": PACKAGED}
    known = {"labels": tuple(labels), "colors": ("#c8553d",) * len(labels), "mean": trained.mean, "std": trained.std}
    predictors = {}
    with tempfile.TemporaryDirectory() as folder:
        for task, head in (("boxes", None), ("polygons", masks)):
            trained.network.masks = head
            save_artifact(Path(folder, task), trained.network, ModelConfig(task=task, **shape, **known))
            predictors[task] = Predictor(Path(folder, task))
            predictors[task].start("cpu")
            found = detect_many(predictors[task], photos)  # the first one warms up
        times: dict[str, list[float]] = {task: [] for task in predictors}
        for _ in range(_SPEED_ROUNDS):
            for task, predictor in predictors.items():
                began = process_time()
                detect_many(predictor, many)
                times[task].append(process_time() - began)
    boxes, outlined = (1000 * float(np.median(times[task])) / len(many) for task in ("boxes", "polygons"))
    each = f"{boxes:.0f}, {outlined:.0f} ms, {len(found) / len(photos):.1f} objects"
    figure("CPU time of detect_many for a photo, by boxes and by masks", each)
    bound("speed by masks over speed by boxes", boxes / outlined, "×", at_least=LEAST_SPEED)


def _ap50(truth: Any, found: Any, images: Any, labels: list[str], masks: bool) -> float:
    from customlabels_nb.evaluation.boxes import make_boxes
    from customlabels_nb.training.detection_learner import average_precision_50

    return average_precision_50(make_boxes(truth, found, images, labels=labels, masks=masks))


def _boards(folder: Path, count: int) -> tuple[Any, Any]:
    """Draw boards, and return the table of images and the table of the visible parts with their outlines."""
    from PIL import Image

    from customlabels_nb.core import tables as t
    from customlabels_nb.core.geometry import polygon_to_ltwh
    from customlabels_nb.core.masks import mask_to_polygon
    from customlabels_nb.core.polygons import simplified
    from customlabels_nb.examples._drawing import OVERSAMPLE
    from customlabels_nb.examples.circuit_boards import LABELS, board

    images, rows = [], []
    for number in range(count):
        rng = np.random.default_rng([7, number])
        canvas, labels = board(LABELS[number % len(LABELS)], rng, SIZE)
        name = str(folder / f"{number:04}.jpg")
        canvas.finish(rng).save(name, quality=90)
        owners = np.asarray(canvas.owners)
        images.append({"image": name, "sha256": None, "width": SIZE[0], "height": SIZE[1], "status": "labelled"})
        for owner, label in enumerate(labels, start=1):
            seen = Image.fromarray(((owners == owner) * 255).astype(np.uint8)).reduce(OVERSAMPLE)
            polygon = mask_to_polygon(np.asarray(seen) >= 128)
            if not label or polygon is None:
                continue
            left, top, width, height = polygon_to_ltwh(polygon).tolist()
            if min(width, height) >= _LEAST_SIDE:
                box = {"left": left, "top": top, "width": width, "height": height}
                rows.append({"image": name, "label": label, "polygon": simplified(polygon, 0.5), **box})
    return pd.DataFrame(images), t.normalise_annotations(pd.DataFrame(rows))
