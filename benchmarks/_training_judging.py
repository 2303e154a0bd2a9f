"""Train and evaluate detectors for the parts of ``training.py`` on unseen images."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from _measure import figure

if TYPE_CHECKING:
    import pandas as pd

    from customlabels_nb.models.canvas import Canvas
    from customlabels_nb.training.boxes_data import Example
    from customlabels_nb.training.detector_recipe import TrainedDetector
    from customlabels_nb.training.scene_sources import SceneSource

_TIMED, _TURNS = 20, 3  # images, and measurements of each network


def train_and_judge(
    what: str,
    data: Sequence[Example] | SceneSource,
    tests: Sequence[str],
    truth: pd.DataFrame,
    labels: Sequence[str],
    *,
    random_state: int,
    budget: str | None,
    steps: int | None,
    input_size: int | None = None,
    device: str = "cpu",
) -> tuple[float, float]:
    """Train on ``device``, then print and return AP50 and AP on the images ``tests``.

    The same network without its second pass, and with two and four views, is only printed. So is the time of a
    detection.

    Parameters
    ----------
    truth : DataFrame
        image, label, left, top, width, height of the test images.
    """
    from customlabels_nb.events import Events
    from customlabels_nb.training.budget import parse_budget
    from customlabels_nb.training.detection_data import DetectionOptions
    from customlabels_nb.training.detector_recipe import predict_boxes, train_detector

    chosen = parse_budget(None if steps else budget, steps)
    options = DetectionOptions(budget=chosen, random_state=random_state, device=device, input_size=input_size)
    started, work = time.perf_counter(), time.process_time()
    trained = train_detector(data, labels, options, Events())
    seconds, work = time.perf_counter() - started, time.process_time() - work
    found, names, _ = predict_boxes(trained, tests, labels, root=None, events=Events())
    ap50, ap = judge(truth, found, names, labels)
    figure(
        f"{what}: AP50, AP",
        f"{ap50:.3f}, {ap:.3f} after {trained.state.step} steps of {trained.input_size} px, {seconds:.0f} s, "
        f"{work:.0f} core-s",
    )
    plain = _in_one_pass(trained, labels)
    for how, table in (
        ("in one pass", predict_boxes(plain, names, labels, root=None, events=Events())[0]),
        *((f"with views={views}", _find_in_views(trained, names, labels, views)) for views in (2, 4)),
    ):
        figure(f"  {how}", ", ".join(f"{value:.3f}" for value in judge(truth, table, names, labels)))
    few = names[:_TIMED]
    times = [[_time_detection(network, few) for network in (plain, trained)] for _ in range(_TURNS)]
    once, twice = (statistics.median(column) for column in zip(*times, strict=True))
    figure("  detection, ms per image", f"{1000 * twice:.0f}, {twice / once:.2f} x in one pass")
    return ap50, ap


def _in_one_pass(trained: TrainedDetector, labels: Sequence[str]) -> TrainedDetector:
    """Return the same network without its second pass, which refines the boxes."""
    from customlabels_nb.models.backbone import PACKAGED
    from customlabels_nb.models.detector_building import build_detector

    plain = build_detector(replace(trained.shape, cascade=False), len(labels), PACKAGED).eval()
    weights = trained.network.state_dict()
    plain.load_state_dict({key: weights[key] for key in plain.state_dict()})
    plain.to(next(trained.network.parameters()).device)
    return replace(trained, network=plain)


def _time_detection(trained: TrainedDetector, names: Sequence[str]) -> float:
    """Return the seconds per image that detection takes with PyTorch, without decoding."""
    from customlabels_nb.models.detector import detect

    canvases, device = [_open(trained, name) for name in names], str(next(trained.network.parameters()).device)
    started = time.perf_counter()
    detect(trained.network, canvases, trained.mean, trained.std, device)
    return (time.perf_counter() - started) / len(names)


def _open(trained: TrainedDetector, name: str, scale: float = 1) -> Canvas:
    """Read an image at the input size of the network, with a second canvas of ``scale`` times the size."""
    from customlabels_nb.images.reading import read_bytes
    from customlabels_nb.models.canvas import open_canvas
    from customlabels_nb.models.detector_shape import fill_of

    larger = round(scale * trained.input_size)
    return open_canvas(read_bytes(name, None), name, trained.input_size, fill_of(trained.mean), larger=larger)


def _find_in_views(trained: TrainedDetector, names: Sequence[str], labels: Sequence[str], views: int) -> pd.DataFrame:
    """Detect objects as a model that was started with ``views``."""
    from customlabels_nb.inference.views import LARGER, find_in_views
    from customlabels_nb.models.detector import detect, to_table
    from customlabels_nb.models.detector_shape import MOST_BOXES

    device = str(next(trained.network.parameters()).device)
    find = partial(detect, trained.network, mean=trained.mean, std=trained.std, device=device)
    found = [find_in_views(find, [_open(trained, name, LARGER)], views, MOST_BOXES)[0] for name in names]
    return to_table(names, found, labels)


def judge(truth: pd.DataFrame, found: pd.DataFrame, names: Sequence[str], labels: Sequence[str]) -> tuple[float, float]:
    """Return AP50 and AP@[.5:.95] of the detections on the images ``names``."""
    from customlabels_nb.evaluation.boxes import make_boxes
    from customlabels_nb.evaluation.detector_metrics import coco_map
    from customlabels_nb.training.detection_learner import average_precision_50

    boxes = make_boxes(truth, found, list(names), labels=list(labels))
    return average_precision_50(boxes), coco_map(boxes)
