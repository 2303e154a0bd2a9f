"""Train object detectors on photos with boxes, or on synthetic scenes composed of logo images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from customlabels_nb._utils.device import choose_device
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import emptiness
from customlabels_nb.core.tables import POLYGONS
from customlabels_nb.errors import ImageError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.inference.postprocess import objects, polygons_of
from customlabels_nb.models.artifact import ModelConfig, load_artifact
from customlabels_nb.models.backbones import decode_threads
from customlabels_nb.models.canvas import Canvas, open_canvas
from customlabels_nb.models.detector import ImageDetector, detect, to_table
from customlabels_nb.models.detector_building import copy_known_labels, pretrained_detector
from customlabels_nb.models.detector_shape import (
    OWN,
    AnyShape,
    DetectorShape,
    TransformersShape,
    anchors_for,
    fill_of,
    is_pretrained,
    shape_from_dict,
    with_box_limit,
)
from customlabels_nb.models.transformers_detector import (
    build_transformers_detector,
    pretrained_shape,
    pretrained_transformers_detector,
)
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.training.boxes_data import Example, Photos, make_examples
from customlabels_nb.training.brands import BrandScenes, MixedScenes
from customlabels_nb.training.budget import Budget, Clock
from customlabels_nb.training.checkpoints import LoopState
from customlabels_nb.training.detection_data import DetectionOptions, Prepared, prepare
from customlabels_nb.training.detection_learner import DetectionLearner
from customlabels_nb.training.loop import LoopOptions, OtherRank, train
from customlabels_nb.training.plan import UsableImages
from customlabels_nb.training.recipe import Predictions, TrainingJob, TrainingResult
from customlabels_nb.training.scene_sources import SceneSource
from customlabels_nb.training.tasks import BRANDS
from customlabels_nb.workers.ranks import Ranks, RankTask


def train_boxes(work: TrainingJob) -> TrainingResult:
    """Train a detector and use it to predict the training and test images."""
    names, masks = work.plan.labels["label"].tolist(), work.plan.task == POLYGONS
    source: Sequence[Example] | SceneSource
    if work.plan.recipe == BRANDS:
        source, notes, issues = _scenes(work, names, masks)
    else:
        annotations, issues = usable_polygons(work.plan.train.marks) if masks else (work.plan.train.marks, [])
        source, notes = make_examples(work.plan.train.images, annotations, names, masks=masks), []
    options = work.options
    trained = train_detector(
        source,
        names,
        DetectionOptions(
            budget=options.time(),
            random_state=options.random_state,
            device=work.device,
            detector=options.detector,
            backbone=options.backbone,
            input_size=options.input_size,
            max_boxes=options.max_boxes,
            masks=masks,
            run=work.run,
        ),
        work.events,
        root=work.root,
        checkpoints=work.checkpoints,
        base=_base(work),
        clock=work.clock,
        ranks=work.ranks,
    )
    test = _ask(work, trained, work.plan.test, names)
    if not test.images:
        raise NotEnoughDataError(f"None of the {len(test.issues)} test images can still be read. See project.issues.")
    # predictions for logo images would be meaningless: a brand detector is trained on scenes
    train = (
        Predictions(work.plan.train.images["image"].tolist(), None, [*issues, *trained.issues])
        if work.plan.recipe == BRANDS
        else _ask(work, trained, work.plan.train, names, issues=[*issues, *trained.issues])
    )
    config = ModelConfig(
        task=work.plan.task,
        labels=tuple(names),
        colors=tuple(work.plan.labels["color"]),
        backbone=options.backbone if trained.shape.architecture == OWN else trained.shape.architecture,
        input_size=trained.input_size,
        mean=(trained.mean[0], trained.mean[1], trained.mean[2]),
        std=(trained.std[0], trained.std[1], trained.std[2]),
        detector=trained.shape,
    )
    facts: dict[str, Any] = {**trained.facts, "notes": [*notes, *trained.facts["notes"]]}
    return TrainingResult(trained.network, config, train, test, facts)


def usable_polygons(annotations: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Remove the polygons that enclose nothing, so that only their boxes are trained, and return an issue for each."""
    polygons, issues = annotations["polygon"].copy(), []
    for row in np.flatnonzero(polygons.notna()).tolist():
        if (code := emptiness(polygons.iat[row])) is not None:
            label, left, top = (annotations[name].iat[row] for name in ("label", "left", "top"))
            what = f"The polygon of {label!r} at ({left:g}, {top:g}) encloses nothing. Training used only its box."
            issues.append(Issue(code, what, where=annotations["image"].iat[row]))
            polygons.iat[row] = None
    return annotations.assign(polygon=polygons), issues


def _scenes(work: TrainingJob, names: Sequence[str], masks: bool) -> tuple[SceneSource, list[str], list[Issue]]:
    """Create scenes from the logos, mix in the training images that have boxes, and return notes and issues."""
    part, annotations = work.plan.train, work.plan.train.marks
    boxed = annotations["left"].notna()
    logos = list(zip(annotations.loc[~boxed, "image"], annotations.loc[~boxed, "label"], strict=True))
    scenes = BrandScenes(
        logos,
        names,
        backgrounds=part.images.loc[~part.images["image"].isin(annotations["image"]), "image"].tolist(),
        root=work.root,
        random_state=work.options.random_state,
        events=work.events,
        masks=masks,
    )
    for note in scenes.notes:
        work.events.message(note)
    if not boxed.any():
        return scenes, scenes.notes, scenes.issues
    images = part.images[part.images["image"].isin(annotations.loc[boxed, "image"])]
    shapes, unusable = usable_polygons(annotations[boxed]) if masks else (annotations[boxed], [])
    real = Photos(make_examples(images, shapes, names, masks=masks), root=work.root)
    return MixedScenes(scenes, real), scenes.notes, [*scenes.issues, *unusable, *real.issues]


def _base(work: TrainingJob) -> tuple[ImageDetector, Sequence[str]] | None:
    if work.base is None:
        return None
    network, config = load_artifact(work.base.folder)
    if not isinstance(network, ImageDetector):
        work.events.message(f"Version {work.base.name!r} is a classifier, so a detector cannot start from it.")
        return None
    return network, config.labels


def _ask(
    work: TrainingJob,
    trained: TrainedDetector,
    part: UsableImages,
    names: Sequence[str],
    *,
    issues: Sequence[Issue] = (),
) -> Predictions:
    images = part.images["image"].tolist()
    table, readable, unread = predict_boxes(trained, images, names, root=work.root, events=work.events)
    reported = {(issue.where, issue.code) for issue in issues}
    return Predictions(
        readable, table, [*issues, *(problem for problem in unread if (problem.where, problem.code) not in reported)]
    )


_LEAST_EPOCH = 25  # steps; smallest distance between two validations or checkpoints
_BEST_EPOCHS, _BEST_STEPS = 60, (600, 20_000)
_USEFUL_BASE = 0.2
_FROZEN = 2  # stages
_PROPOSALS = {True: 64, False: 256}  # on a CPU and on other devices


@dataclass(frozen=True)
class TrainedDetector:
    """Result of :func:`train_detector`: the network in eval mode, on the device it was trained on, with its facts."""

    network: ImageDetector
    shape: AnyShape
    input_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    state: LoopState
    facts: dict[str, Any]
    issues: list[Issue]


def train_detector(
    examples: Sequence[Example] | SceneSource,
    labels: Sequence[str],
    options: DetectionOptions,
    events: Events,
    *,
    root: Path | None = None,
    checkpoints: Path | None = None,
    validation: Sequence[Example] | None = None,
    base: tuple[ImageDetector, Sequence[str]] | None = None,
    clock: Clock | None = None,
    ranks: Ranks | None = None,
) -> TrainedDetector:
    """Train a detector within a budget. See :func:`customlabels_nb.training.loop.train` for cancelling and resuming.

    Never pass test images for ``validation``, because the best state is selected on them. Training starts from
    ``base``, a detector and its labels, if it knows one of ``labels`` and performs well enough on held-out images.
    ``ranks`` share the images of each batch.
    """
    clock = clock or Clock(options.budget, events, time.perf_counter(), [])
    device = choose_device(options.device)
    pretrained = pretrained_shape(options.detector) if is_pretrained(options.detector) else None
    prepared = prepare(examples, labels, options, events, root, validation, clock, pretrained)
    size, notes = prepared.size, list(prepared.notes)
    shape: AnyShape = DetectorShape() if options.detector == OWN else pretrained or DetectorShape(options.detector)
    if isinstance(shape, TransformersShape):
        shape = shape.for_size(size)
    elif shape.architecture == OWN:
        shape = replace(shape, anchors=anchors_for(size, prepared.smallest))
    shape = with_box_limit(shape, options.max_boxes, prepared.most_boxes)
    if prepared.most_boxes > shape.box_limit:
        notes.append(
            f"A training image has {prepared.most_boxes:,} boxes, but the model finds at most {shape.box_limit:,}."
        )
    network = _network(prepared, shape, labels, options, device)
    learner = DetectionLearner(network, prepared, labels, options, device)
    if learner.repeated > 1:
        notes.append(f"Images of rare labels are used up to {learner.repeated:.1f} times as often as others.")
    if base is not None:
        begin_from(base, learner, notes)
    budget = options.budget.seconds
    if budget is not None and clock.spent() >= budget:
        notes.append(
            f"Preparing the training took {clock.spent():.0f} s, which uses up the budget of {options.budget}. One "
            "step is trained nevertheless, which may take seconds."
        )
    for note in notes[len(prepared.notes) :]:
        events.message(note)
    epoch = max(_LEAST_EPOCH, -(-len(learner.turns) // options.batch))
    low, high = _BEST_STEPS

    def expect(average: Any) -> tuple[float, float]:
        now = TrainedDetector(average, shape, size, learner.mean, learner.std, LoopState(), {}, [])
        ask = partial(predict_boxes, now, labels=labels, root=root, events=Events())
        return clock.predictions(ask, len(prepared.held_out))

    loop = LoopOptions(
        budget=options.budget,
        best_steps=min(high, max(low, _BEST_EPOCHS * len(learner.turns) // options.batch)),
        epoch_steps=epoch,
        random_state=options.random_state,
        device=device,
        clip=LoopOptions.clip if pretrained is None else pretrained.family.clip,
        spent=clock.spent(),
        expect=expect if clock.asked_about else None,
        ranks=ranks,
    )
    state = train(learner, loop, events, checkpoints)
    facts = {
        "steps": state.step, "planned_steps": state.total, "seconds": round(state.seconds, 3),
        "budget": str(options.budget), "random_state": options.random_state, "device": device, "batch": options.batch,
        "parts": state.parts, "input_size": size, "detector": shape.architecture, "images": len(prepared.source),
        "held_out": len(prepared.held_out), "held_out_ap50": state.best, "best_step": state.best_step,
        "history": state.history, "notes": [*notes, *state.notes],
    }  # fmt: skip
    issues: list[Issue] = list(getattr(prepared.source, "issues", []))
    return TrainedDetector(network, shape, size, learner.mean, learner.std, state, facts, issues)


def _network(
    prepared: Prepared,
    shape: AnyShape,
    labels: Sequence[str],
    options: DetectionOptions,
    device: str,
    *,
    weights: bool = True,
) -> ImageDetector:
    few = device == "cpu"  # on a slow device, halving the work per step hardly changes the number of steps needed
    if not isinstance(shape, TransformersShape):
        network = pretrained_detector(
            shape,
            len(labels),
            options.backbone,
            random_state=options.random_state,
            frozen_stages=_FROZEN,
            proposals=_PROPOSALS[few] * (2 if prepared.crowded else 1),
            lean=few,
            masks=options.masks,
            weights=weights,
        )
    elif weights:
        name, random_state = options.detector, options.random_state
        network = pretrained_transformers_detector(name, shape, len(labels), random_state=random_state)
    else:
        network = build_transformers_detector(shape, len(labels))
    return network.to(device).to(memory_format=torch.channels_last)


def detector_rank(task: RankTask) -> OtherRank:
    """Return the work of another process that trains a detector, see :meth:`DetectionLearner.for_ranks`."""
    facts = task.facts["learner"]
    labels, device = facts["labels"], facts["device"]
    options = DetectionOptions(**{**facts["options"], "budget": Budget(**facts["options"]["budget"])})
    prepared = Prepared(_source(facts["source"]), [], [], facts["size"], 0.0, [])
    network = _network(prepared, shape_from_dict(facts["shape"]), labels, options, device, weights=False)
    return OtherRank(DetectionLearner(network, prepared, labels, options, device), task)


def _source(facts: dict[str, Any]) -> SceneSource:
    if "real" in facts:
        return MixedScenes(_source(facts["scenes"]), _source(facts["real"]))
    facts["root"] = facts["root"] and Path(facts["root"])
    if "examples" not in facts:
        return BrandScenes(**facts)
    return Photos([Example(**example) for example in facts.pop("examples")], **facts)


def predict_boxes(
    trained: TrainedDetector, images: Sequence[str], labels: Sequence[str], *, root: Path | None, events: Events
) -> tuple[pd.DataFrame, list[str], list[Issue]]:
    """Detect objects in images, and return the table, the readable images and issues for the others."""
    device = str(next(trained.network.parameters()).device)
    fill = fill_of(trained.mean)
    readable, detected, issues = [], [], []

    def open_one(image: str) -> Canvas | Issue:
        try:
            return open_canvas(read_bytes(image, root), image, trained.input_size, fill)
        except ImageError as error:
            return Issue(error.code, error.reason, where=image)

    with closing(map_bounded(open_one, images, workers=connections(images, decode_threads(device)))) as opened:
        for done, (image, canvas) in enumerate(zip(images, opened, strict=True), start=1):
            if isinstance(canvas, Issue):
                issues.append(canvas)
            else:
                readable.append(image)
                detected += detect(trained.network, [canvas], trained.mean, trained.std, device)
            events.progress("detecting", done, len(images))
    table = to_table(readable, detected, labels)
    if trained.network.masks is not None:
        table["polygon"] = objects(
            polygon
            for boxes in detected
            if boxes.masks
            for polygon in polygons_of(boxes.masks, np.arange(len(boxes.labels)))
        )
    return table, readable, issues


def begin_from(base: tuple[ImageDetector, Sequence[str]], learner: DetectionLearner, notes: list[str]) -> None:
    """Copy the weights of a trained detector if it performs well on the new labels."""
    fresh = {key: value.clone() for key, value in learner.network.state_dict().items()}
    count = copy_known_labels(base[0], base[1], learner.network, learner.labels)
    ap50 = learner.validate(learner.network.eval()).get("ap50") if count else None
    if count and (ap50 is None or ap50 >= _USEFUL_BASE):
        judged = "" if ap50 is None else f" and reaches an AP50 of {ap50:.2f} on held-out images"
        notes.append(f"Started from the earlier detector, which knows {count} of {len(learner.labels)} labels{judged}.")
        return
    learner.network.load_state_dict(fresh)
    if count:
        why = f"its AP50 on held-out images is {ap50:.2f}"
    elif OWN in (base[0].shape.architecture, learner.network.shape.architecture):
        why = "it knows none of the labels or has a different architecture"
    else:
        why = "only the packaged detector can be started from"
    notes.append(f"Did not start from the earlier detector: {why}.")
