"""Peer of ``training.py``: torchvision's reference recipe for fine-tuning a detector, for the same time.

As in ``references/detection/train.py``: SGD with momentum 0.9, weight decay 1e-4 and a learning rate of 0.02 for 16
images, so 0.01 for 8, a linear warm-up over the first epoch, horizontal flips, and a learning rate divided by ten at
16/26 and 22/26 of the training time. Backbone, input size, test photos and seed are the same. One change is in its
favour: gradients are clipped as in our recipe, because it learns nothing on this backbone otherwise. Masks are learnt
in the true boxes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
from _measure import figure, heading
from _training_judging import judge, train_and_judge
from _training_photos import photos

SIDE, BATCH, RATE, CLIP = 320, 8, 0.01, 10.0


def peer_part(seeds: Sequence[int], budget: str) -> None:
    """Print AP50 and AP of both recipes, run in turn."""
    from customlabels_nb.training.budget import parse_budget

    seconds = parse_budget(budget).seconds
    assert seconds is not None
    heading(f"raccoon, {budget} each, compared with torchvision's reference recipe:")
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "torchvision's": []}
    for random_state in seeds:
        for name, run in (("ours", _ours), ("torchvision's", _reference)):
            found[name].append(run(random_state, seconds))
    for name, values in found.items():
        means = [statistics.mean(column) for column in zip(*values, strict=True)]
        figure(f"{name}, mean AP50, AP", ", ".join(f"{value:.3f}" for value in means))


def _ours(random_state: int, seconds: float) -> tuple[float, float]:
    """Train our recipe for this time and return AP50 and AP."""
    from customlabels_nb.training.detection_learner import truth_table

    train, test, labels = photos("raccoon")
    tests = [example.image for example in test]
    truth, budget = truth_table(tests, test, labels), f"{seconds:g}s"
    what = f"seed {random_state}: ours"
    return train_and_judge(
        what, train, tests, truth, labels, random_state=random_state, budget=budget, steps=None, input_size=SIDE
    )


def _reference(random_state: int, seconds: float) -> tuple[float, float]:
    """Train torchvision's reference recipe for this time and return AP50 and AP."""
    train, _, labels = photos("raccoon")
    network, mean, std, step, took = train_reference(train, labels, random_state=random_state, seconds=seconds)
    ap50, ap = _judge(network, mean, std)
    figure(f"seed {random_state}: torchvision's: AP50, AP", f"{ap50:.3f}, {ap:.3f} after {step} steps, {took:.0f} s")
    return ap50, ap


def train_reference(train, labels, *, random_state, seconds=None, steps=None, masks=False):  # type: ignore[no-untyped-def]
    """Train for this time or number of steps, and return the network, mean, std, its steps and its seconds."""
    import torch

    from customlabels_nb.models.backbone import PACKAGED
    from customlabels_nb.models.detector_building import normalisation, pretrained_detector
    from customlabels_nb.models.detector_shape import DetectorShape

    shape = DetectorShape(votes=False, cascade=False)
    mean, std = normalisation(shape.architecture, PACKAGED)
    own = {"random_state": random_state, "frozen_stages": 2, "proposals": 512, "masks": masks}
    network = pretrained_detector(shape, len(labels), PACKAGED, **own)
    network.train()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=0.9, weight_decay=1e-4)
    rng = np.random.default_rng(random_state)
    started = time.perf_counter()
    data = [_decoded(example) for example in train]
    warm_up = max(1, len(data) // BATCH - 1)
    step, order = 0, np.empty(0, dtype=np.int64)
    while (share := step / steps if steps else (time.perf_counter() - started) / seconds) < 1:
        if len(order) < BATCH:
            order = rng.permutation(len(data))
        batch, order = order[:BATCH], order[BATCH:]
        cuts = sum(share >= part / 26 for part in (16, 22))
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / warm_up) * 0.1**cuts
        optimizer.zero_grad()
        sum(network.losses(*_flipped([data[i] for i in batch.tolist()], rng, mean, std)).values()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        step += 1
    return network.eval(), mean, std, step, time.perf_counter() - started


def _decoded(example):  # type: ignore[no-untyped-def]
    """Decode an example and return pixels, boxes and labels on the canvas, and masks if it has polygons."""
    from customlabels_nb.core.geometry import ltwh_to_xyxy
    from customlabels_nb.core.polygons import rings_of
    from customlabels_nb.images.reading import open_image
    from customlabels_nb.models.canvas import to_canvas
    from customlabels_nb.training.mask_data import rasterise

    canvas = to_canvas(open_image(example.image), SIDE, (127, 127, 127))
    pixels = np.full((3, SIDE, SIDE), 127, dtype=np.uint8)
    pixels[:, : canvas.pixels.shape[1], : canvas.pixels.shape[2]] = canvas.pixels
    scale = np.divide(canvas.inside, canvas.size)
    boxes = example.boxes * np.tile(scale, 2)
    corners = ltwh_to_xyxy(boxes)
    inside = [
        rasterise([ring * scale for ring in rings_of(polygon)], own, own)
        for polygon, own in zip(example.polygons, corners, strict=False)
    ]
    return pixels, boxes, example.labels, np.stack(inside) if inside else None


def _flipped(items, rng, mean, std):  # type: ignore[no-untyped-def]
    """Flip items at random and return them as a batch."""
    import torch

    from customlabels_nb.core.geometry import ltwh_to_xyxy
    from customlabels_nb.models.transforms import to_batch

    pixels, corners, labels, masks = [], [], [], []
    for image, boxes, at, inside in items:
        if rng.random() < 0.5:
            image, boxes = image[:, :, ::-1], boxes.copy()
            inside = None if inside is None else np.ascontiguousarray(inside[:, :, ::-1])
            boxes[:, 0] = SIDE - boxes[:, 0] - boxes[:, 2]
        pixels.append(image)
        corners.append(torch.from_numpy(ltwh_to_xyxy(boxes)).float())
        labels.append(torch.from_numpy(at))
        if inside is not None:
            masks.append((corners[-1], torch.from_numpy(inside)))
    return to_batch(pixels, mean, std), corners, labels, masks


def _judge(network, mean, std) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Return AP50 and AP of the network on the test photos."""
    from customlabels_nb.images.reading import open_image
    from customlabels_nb.models.canvas import to_canvas
    from customlabels_nb.models.detector import detect, to_table
    from customlabels_nb.models.detector_shape import fill_of
    from customlabels_nb.training.detection_learner import truth_table

    _, test, labels = photos("raccoon")
    names = [example.image for example in test]
    canvases = [to_canvas(open_image(name), SIDE, fill_of(mean)) for name in names]
    table = to_table(names, detect(network, canvases, mean, std, "cpu"), labels)
    return judge(truth_table(names, test, labels), table, names, labels)
