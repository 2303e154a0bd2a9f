"""Detectors: trained on photos with boxes, or on scenes made of pictures that show one logo each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.models.artifact import DETECTION, ModelConfig, load_artifact
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_shape import OWN
from customlabels_nb.training.boxes_data import Example, Photos, make_examples
from customlabels_nb.training.brands import BrandScenes, MixedScenes
from customlabels_nb.training.detection_data import DetectionOptions
from customlabels_nb.training.detector_training import TrainedDetector, predict_boxes, train_detector
from customlabels_nb.training.kinds import BRANDS
from customlabels_nb.training.plan import UsableImages
from customlabels_nb.training.recipe import Predictions, TrainingJob, TrainingResult
from customlabels_nb.training.scene_sources import SceneSource


def train_boxes(work: TrainingJob) -> TrainingResult:
    """Train a detector.

    Raises
    ------
    NotEnoughDataError
        If there is no box or no logo to learn from, or no test image can be read.
    """
    names = work.plan.labels["label"].tolist()
    source: Sequence[Example] | SceneSource
    if work.plan.kind == BRANDS:
        source, notes, issues = _scenes(work, names)
    else:
        source, notes, issues = make_examples(work.plan.train.images, work.plan.train.marks, names), [], []
    options = work.options
    trained = train_detector(
        source,
        names,
        DetectionOptions(
            budget=options.time(),
            seed=options.seed,
            device=work.device,
            detector=options.detector,
            backbone=options.backbone,
            input_size=options.input_size,
        ),
        work.events,
        root=work.root,
        checkpoints=work.checkpoints,
        base=_base(work),
        clock=work.clock,
    )
    test = _ask(work, trained, work.plan.test, names)
    if not test.images:
        raise NotEnoughDataError(
            f"None of the {len(test.issues)} test images can be read any more; see project.issues."
        )
    # what a brand's detector says of a picture that is all logo is no figure: it learnt from scenes
    train = (
        Predictions(work.plan.train.images["image"].tolist(), None, [*issues, *trained.issues])
        if work.plan.kind == BRANDS
        else _ask(work, trained, work.plan.train, names, issues=trained.issues)
    )
    config = ModelConfig(
        kind=DETECTION,
        labels=tuple(names),
        colours=tuple(work.plan.labels["colour"]),
        backbone=options.backbone if trained.shape.architecture == OWN else trained.shape.architecture,
        input_size=trained.input_size,
        mean=(trained.mean[0], trained.mean[1], trained.mean[2]),
        std=(trained.std[0], trained.std[1], trained.std[2]),
        detector=trained.shape,
    )
    facts: dict[str, Any] = {**trained.facts, "notes": [*notes, *trained.facts["notes"]]}
    return TrainingResult(trained.network, config, train, test, facts)


def _scenes(work: TrainingJob, names: Sequence[str]) -> tuple[SceneSource, list[str], list[Issue]]:
    """Scenes made of the logos, and in between the training images that have boxes; what was found of the logos."""
    part, marks = work.plan.train, work.plan.train.marks
    boxed = marks["left"].notna()
    logos = list(zip(marks.loc[~boxed, "image"], marks.loc[~boxed, "label"], strict=True))
    scenes = BrandScenes(
        logos,
        names,
        backgrounds=part.images.loc[~part.images["image"].isin(marks["image"]), "image"].tolist(),
        root=work.root,
        seed=work.options.seed,
        events=work.events,
    )
    for note in scenes.notes:
        work.events.message(note)
    if not boxed.any():
        return scenes, scenes.notes, scenes.issues
    images = part.images[part.images["image"].isin(marks.loc[boxed, "image"])]
    real = Photos(make_examples(images, marks[boxed], names), root=work.root)
    return MixedScenes(scenes, real), scenes.notes, [*scenes.issues, *real.issues]


def _base(work: TrainingJob) -> tuple[ImageDetector, Sequence[str]] | None:
    """The former detector to begin from, and its labels."""
    if work.base is None:
        return None
    network, config = load_artifact(work.base.folder)
    if not isinstance(network, ImageDetector):
        work.events.message(f"Version {work.base.name!r} is a classifier: a detector can't begin from it.")
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
    known = {(issue.where, issue.code) for issue in issues}
    return Predictions(readable, table, [*issues, *(one for one in unread if (one.where, one.code) not in known)])
