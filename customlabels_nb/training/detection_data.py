"""Prepare the training data for a detector: choose the input size, hold out validation images and decode the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.errors import ImageError, InputError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import header_size, read_bytes
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.canvas import Canvas, open_canvas
from customlabels_nb.models.detector_building import normalisation
from customlabels_nb.models.detector_shape import (
    INPUT_SIZES,
    OWN,
    TransformersShape,
    check_detector,
    check_input_size,
    check_max_boxes,
    choose_input_size,
    fill_of,
)
from customlabels_nb.training.boxes_data import KEPT_SIDE, Example, Photos, usable_boxes
from customlabels_nb.training.budget import Budget, Clock, parse_budget
from customlabels_nb.training.samples import chosen
from customlabels_nb.training.scene_sources import SceneSource

#: Images per step (batch size).
BATCH = 8
#: Smallest number of training images at which some are held out, unless validation images are passed.
HOLD_OUT_FROM = 300

_HELD_OUT, _MOST_HELD_OUT = 0.1, 200
_SHOWN = 4  # training images shown as samples
_LOOKED_AT, _SCENES_LOOKED_AT = 300, 64  # number of images and scenes whose boxes determine the input size
_COCO_SIZE = 640
_MANY = 8  # boxes per image
_ENLARGED = 1.6  # largest enlargement by augmentation


@dataclass(frozen=True)
class DetectionOptions:
    """Options for training a detector. On a CPU, the same options and images give the same model.

    ``detector`` is :data:`customlabels_nb.models.detector_shape.OWN` with a ``backbone``, or pretrained on COCO. If
    ``input_size``, the longer side of the network's input, or ``max_boxes``, the most boxes of an image, is None, it is
    chosen from the boxes. ``run`` identifies the training run in its checkpoints.
    """

    budget: Budget = field(default_factory=parse_budget)
    random_state: int = 0
    device: str | None = None
    detector: str = OWN
    backbone: str = PACKAGED
    input_size: int | None = None
    max_boxes: int | None = None
    batch: int = BATCH
    masks: bool = False
    run: str = ""

    def __post_init__(self) -> None:
        check_detector(self.detector)
        check_input_size(self.input_size)
        check_integer("batch", self.batch, 1, 1024)
        check_max_boxes(self.max_boxes)


@dataclass(frozen=True)
class Prepared:
    """Data prepared for training a detector.

    ``shown`` has a few samples to display during training: held-out images if there are any, otherwise training images.
    ``smallest`` is the 10th percentile of the boxes' side lengths in pixels at the input size.
    """

    source: SceneSource
    held_out: list[tuple[Example, Canvas]]
    shown: list[tuple[Example, Canvas]]
    size: int
    smallest: float
    notes: list[str]

    @property
    def most_boxes(self) -> int:
        """Largest number of boxes of a photo."""
        return max(getattr(self.source, "most_boxes", 0), *(len(example.boxes) for example, _ in self.held_out), 0)

    @property
    def crowded(self) -> bool:
        """True if the average image contains many objects."""
        counts = [len(self.source.labels_of(index)) for index in range(min(len(self.source), _LOOKED_AT))]
        return bool(np.mean(counts) > _MANY)


def prepare(
    examples: Sequence[Example] | SceneSource,
    labels: Sequence[str],
    options: DetectionOptions,
    events: Events,
    root: Path | None,
    validation: Sequence[Example] | None,
    clock: Clock | None = None,
    pretrained: TransformersShape | None = None,
) -> Prepared:
    """Choose the input size, hold out images for validation and decode the others.

    See :func:`.detector_recipe.train_detector`. Notes are also sent as messages, before the images are decoded, which
    may take long. ``pretrained`` is the shape of a detector from transformers.
    """
    if not labels:
        raise InputError("labels is empty. A detector needs at least one label.")
    if not len(examples):
        raise NotEnoughDataError("A detector needs training images with boxes, but there are no training images.")
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        events.message(text)

    if isinstance(examples, Sequence):
        photos, held_out = list(examples), list(validation or [])
        if not any(len(example.boxes) for example in photos):
            raise NotEnoughDataError(
                f"A detector needs training images with boxes, but none of the {len(photos):,} images has a box."
            )
        if validation is None and len(photos) >= HOLD_OUT_FROM:
            photos, held_out = _hold_out(photos, len(labels), options.random_state)
            note(f"{len(held_out):,} of the training images are held out to measure progress.")
        size, smallest = _input_size(_frames_of(photos, options.random_state, root), options, pretrained, note)
        source: SceneSource = _decode(photos, root, max(KEPT_SIDE, round(_ENLARGED * size)), events, clock)
        learnt = [photos[position] for position in chosen(len(photos), _SHOWN)]
    else:
        source, held_out, learnt = examples, list(validation or []), []
        size, smallest = _input_size(frames_of_scenes(source, _SCENES_LOOKED_AT), options, pretrained, note)
    fill = fill_of(normalisation(pretrained or options.detector, options.backbone)[0])
    canvases = _open_held_out(held_out, root, size, fill, note)
    shown = [canvases[position] for position in chosen(len(canvases))]
    shown = shown or _open_held_out(learnt, root, size, fill, lambda text: None)
    return Prepared(source, canvases, shown, size, smallest, notes)


def _decode(examples: Sequence[Example], root: Path | None, side: int, events: Events, clock: Clock | None) -> Photos:
    """Decode photos that fit into memory, up to ``side`` pixels. NotEnoughDataError if none has a usable box."""
    photos = Photos(examples, root=root, side=side)
    with clock.watching("images") if clock is not None else nullcontext():
        photos.preload(events)
    if not photos.may_have_boxes():
        why = "; ".join(f"{issue.where}: {issue.message}" for issue in photos.issues[:3])
        raise NotEnoughDataError(f"No training image has a usable box. {why}")
    return photos


def _open_held_out(
    held_out: Sequence[Example], root: Path | None, size: int, fill: Sequence[int], note: Callable[[str], None]
) -> list[tuple[Example, Canvas]]:
    opened = []
    for example in held_out:
        try:
            canvas = open_canvas(read_bytes(example.image, root), example.image, size, fill)
        except ImageError as error:
            note(f"Cannot read a held-out image: {error}")
            continue
        boxes, labels, _ = usable_boxes(example, canvas.size)
        opened.append((replace(example, boxes=boxes, labels=labels, polygons=()), canvas))
    return opened


_Frames = tuple[np.ndarray, np.ndarray]


def _frames_of(photos: Sequence[Example], random_state: int, root: Path | None) -> _Frames:
    """Return the boxes in a sample of images, and the size of the image that contains each box."""
    frames = []
    boxed = [example for example in photos if len(example.boxes)]
    for index in np.random.default_rng(random_state).permutation(len(boxed))[:_LOOKED_AT].tolist():
        with suppress(ImageError):  # reported when the image is decoded
            frames.append((boxed[index].boxes, header_size(boxed[index].image, root)))
    return _joined(frames)


def frames_of_scenes(source: SceneSource, most: int) -> _Frames:
    """Return the boxes in the first ``most`` scenes, and the size of the scene that contains each box."""
    scenes = (source.load(index, 0) for index in range(min(len(source), most)))
    return _joined([(scene.boxes, scene.pixels.shape[1::-1]) for scene in scenes if scene is not None])


def _joined(frames: Sequence[tuple[np.ndarray, Sequence[int]]]) -> _Frames:
    """Concatenate the boxes of several images, and repeat the size of each image for its boxes."""
    boxes = [np.empty((0, 4)), *(boxes for boxes, _ in frames)]
    sizes = [np.tile(np.asarray(size, dtype=np.float64), (len(boxes), 1)) for boxes, size in frames]
    return np.concatenate(boxes), np.concatenate([np.empty((0, 2)), *sizes])


def _input_size(
    frames: _Frames, options: DetectionOptions, pretrained: TransformersShape | None, note: Callable[[str], None]
) -> tuple[int, float]:
    chosen, smallest = choose_input_size(*frames)
    least = _COCO_SIZE if options.detector != OWN and "320" not in options.detector else INPUT_SIZES[0]
    least = pretrained.best_size if pretrained is not None else least
    share = smallest / chosen
    size = options.input_size or max(chosen, least)
    if options.input_size is None and chosen > INPUT_SIZES[0]:
        note(
            f"A tenth of the boxes would be smaller than {share * INPUT_SIZES[0]:.0f} pixels at an input size of "
            f"{INPUT_SIZES[0]} pixels. The network therefore uses an input size of {size} pixels, and each step takes "
            f"{(size / INPUT_SIZES[0]) ** 2:.1f} times as long."
        )
    return size, share * size


def _hold_out(examples: list[Example], n_labels: int, random_state: int) -> tuple[list[Example], list[Example]]:
    """Hold out random images such that each of their labels keeps at least three training images."""
    counts = np.zeros(n_labels, dtype=np.int64)
    for example in examples:
        counts[np.unique(example.labels)] += 1
    wanted = min(_MOST_HELD_OUT, round(_HELD_OUT * len(examples)))
    chosen: set[int] = set()
    for index in np.random.default_rng([random_state, len(examples)]).permutation(len(examples)).tolist():
        image_labels = np.unique(examples[index].labels)
        if len(chosen) < wanted and (counts[image_labels] > 3).all():
            counts[image_labels] -= 1
            chosen.add(index)
    rest = [example for index, example in enumerate(examples) if index not in chosen]
    return rest, [examples[index] for index in sorted(chosen)]
