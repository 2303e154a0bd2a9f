"""Run this package's side of ``peers.py`` in a process of its own: ``_peers_ours.py WORK TASK``.

Prints the seconds and processor seconds after the imports, and the results, as JSON. ``torchvision_detector`` is a
peer, but trains a network that this package builds, and so runs here.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Stopwatch

import customlabels_nb as cl

Answer = dict[str, Any]
OURS = f"customlabels_nb {cl.__version__}"


# -- detectors ------------------------------------------------------------------------------------------------
def _detector_task(path: str) -> dict[str, Any]:
    import torch

    task: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    return task


def detector(path: str) -> Answer:
    """Train our recipe for a number of steps."""
    from _training_judging import judge
    from _training_photos import photos

    from customlabels_nb.events import Events
    from customlabels_nb.training.budget import parse_budget
    from customlabels_nb.training.detection_data import DetectionOptions
    from customlabels_nb.training.detection_learner import truth_table
    from customlabels_nb.training.detector_recipe import predict_boxes, train_detector

    task = _detector_task(path)
    train, test, labels = photos("raccoon")
    budget = parse_budget(None, task["steps"])
    options = DetectionOptions(budget=budget, random_state=task["random_state"], device="cpu", input_size=320)
    watch = Stopwatch()
    trained = train_detector(train, labels, options, Events())
    took, names = watch.read(), [example.image for example in test]
    found, names, _ = predict_boxes(trained, names, labels, root=None, events=Events())
    ap50, ap = judge(truth_table(names, test, labels), found, names, labels)
    return {**took, "AP50": ap50, "AP": ap}


def torchvision_detector(path: str) -> Answer:
    """Train torchvision's reference recipe for the same number of steps."""
    import torchvision
    from _training_peer import _judge, train_reference
    from _training_photos import photos

    task = _detector_task(path)
    train, _, labels = photos("raccoon")
    watch = Stopwatch()
    how = {"random_state": task["random_state"], "steps": task["steps"]}
    network, mean, std, _, _ = train_reference(train, labels, **how)
    took = watch.read()
    ap50, ap = _judge(network, mean, std)
    return {**took, "AP50": ap50, "AP": ap, "what": f"torchvision {torchvision.__version__}, reference recipe"}


# -- formats --------------------------------------------------------------------------------------------------
def read_format(path: str, kind: str) -> Answer:
    """Read boxes of all images."""
    task = json.loads(Path(path).read_text("utf-8"))
    cl.read_dataset  # noqa: B018 — imports it
    watch = Stopwatch()
    boxes = len(cl.read_dataset(task[kind], kind).annotations)
    return {**watch.read(), "boxes": boxes}


def write_format(path: str, kind: str) -> Answer:
    """Write the boxes that were read from COCO, without copies of the images."""
    from _peers_others import _written

    dataset = cl.read_dataset(json.loads(Path(path).read_text("utf-8"))["coco"], "coco")
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        dataset.to(kind, f"{folder}/boxes.json" if kind == "coco" else f"{folder}/boxes")  # type: ignore[arg-type]
        took = watch.read()
        boxes = _written(Path(folder), kind)
    return {**took, "boxes": boxes}


# -- answers, suspects, queue, near-duplicates ------------------------------------------------------------------
def suspects(path: str) -> Answer:
    """Find wrong labels from cross-fitted probabilities."""
    from customlabels_nb.assist.suspects import swapped_labels

    data = np.load(path)
    watch = Stopwatch()
    found = swapped_labels(data["probabilities"], data["given"])[0].tolist()
    return {**watch.read(), "suspects": found}


def consensus(path: str) -> Answer:
    """Combine three answers for each image."""
    from consolidation import EACH, as_answers

    from customlabels_nb.jobs.consolidation import consolidate

    data = np.load(path)
    answers = as_answers(data["person"][0], data["given"][0])
    watch = Stopwatch()
    found = consolidate(answers, "single-label", annotators=EACH).annotations
    best = found.sort_values("confidence").drop_duplicates("task", keep="last").sort_values("task")
    return {**watch.read(), "labels": {"ours": [best["label"].astype(int).tolist()]}}


def queue(path: str, random_state: str) -> Answer:
    """Choose images to label, a page at a time."""
    from assist import check_places, compact, our_page
    from peers import images_of

    images, most = images_of(path)
    watch = Stopwatch()
    features = compact(images.features, random_state=int(random_state))
    places = check_places([str(at) for at in range(len(features))], random_state=int(random_state))
    order, asked = np.argsort(places), np.empty(0, dtype=np.int64)
    while len(asked) < most:
        asked = np.concatenate([asked, our_page(images, features, order, asked, int(random_state))])
    return {**watch.read(), "asked": {"ours": asked.tolist()}}


def near_duplicates(folder: str) -> Answer:
    """Add the photos to a project and find near-duplicates."""
    with tempfile.TemporaryDirectory() as place:
        project = cl.create_project("peer", place)
        watch = Stopwatch()
        project.add_images(folder, progress=False)
        pairs = project.near_duplicates("train", progress=False)
        took = watch.read()
        names = [[Path(name).name for name in pairs[column]] for column in ("image", "other")]
        project.close()
    return {**took, "pairs": sorted(tuple(sorted(pair)) for pair in zip(*names, strict=True))}


WORKS = (
    detector, torchvision_detector, read_format, write_format, suspects, consensus, queue, near_duplicates,
)  # fmt: skip

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answer = {one.__name__: one for one in WORKS}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"what": OURS, **answer}), flush=True)
