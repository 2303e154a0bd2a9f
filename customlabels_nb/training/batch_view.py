"""What a model sees in training: a batch, made as training makes it, to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.evaluation.outcomes import DETECTION
from customlabels_nb.images.box_drawing import LabelledBox
from customlabels_nb.images.image_grid import ContactSheet, Tile
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import backbone_named
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.models.detector_shape import DetectorShape, fill_of
from customlabels_nb.models.transforms import to_batch
from customlabels_nb.training.boxes_data import BOX, Photos, choose_input_size, make_examples, with_boxes
from customlabels_nb.training.brands import BrandScenes
from customlabels_nb.training.detection_data import DetectionOptions, Prepared, frames_of_scenes
from customlabels_nb.training.image_data import ImagePixels, apply_changes, draw_change
from customlabels_nb.training.kinds import BRANDS, boxed, choose_kind, whole_labels
from customlabels_nb.training.scene_sources import SceneSource, TrainingScene

#: No more are shown at once.
MOST = 100

_CHOSEN_FROM = 2_000  # images; a look shall not take longer because there are more
_SCENES = 16  # of made-up ones, by which the input size is chosen

Found = TypeVar("Found")


def show_batch(
    train: Dataset,
    test: Dataset | None = None,
    *,
    n: int = 9,
    augmented: bool = True,
    kind: str | None = None,
    task: str | None = None,
    seed: int = 0,
) -> ContactSheet:
    """Training images as a model gets to see them, with what it is told of them.

    Parameters
    ----------
    train, test : Dataset
        The test images only help to tell which kind of model it is.
    n : int
        How many.
    augmented : bool
        Changed by chance as in training; otherwise as when the model is used.
    kind, task : str, optional
        See :func:`customlabels_nb.training.kinds.choose_kind`.
    seed : int
        Decides which images and which changes.

    Raises
    ------
    InputError
        If ``n`` or ``seed`` can't be.
    NotEnoughDataError
        If no image is labelled in the way that the model needs, or none can be read.
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
        raise InputError(f"n={n!r} must be a whole number from 1 to {MOST}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed={seed!r} must be a whole number from 0.")
    chosen = choose_kind(train, train if test is None else test, named=kind, task=task).kind
    some = train.sample(_CHOSEN_FROM, random_state=seed)
    if chosen == BRANDS:
        return _show_scenes(_logo_scenes(some, seed), some, n, augmented, seed, "scenes made of the logos")
    if chosen == DETECTION:
        return _show_scenes(_photos(some), some, n, augmented, seed, f"{len(train):,} images")
    return _show_whole_images(some, n, augmented, seed)


def _photos(dataset: Dataset) -> Photos:
    images, marks = dataset.images, boxed(dataset)
    empty = (images["status"] == "labelled") & ~images["image"].isin(dataset.annotations["image"])
    usable = images[images["image"].isin(marks["image"]) | empty]
    if marks.empty:
        raise NotEnoughDataError("No image has a box, so there is nothing that a detector could be shown.")
    side = 2 * _size_of_photos(usable, marks)  # so that they can be enlarged
    return Photos(make_examples(usable, marks, _names(dataset)), root=dataset.root, side=side)


def _logo_scenes(dataset: Dataset, seed: int) -> BrandScenes:
    whole = whole_labels(dataset)
    unlabelled = dataset.images.loc[~dataset.images["image"].isin(dataset.annotations["image"]), "image"].tolist()
    logos = list(zip(whole["image"], whole["label"], strict=True))
    return BrandScenes(logos, _names(dataset), backgrounds=unlabelled, root=dataset.root, seed=seed)


def _show_scenes(
    source: SceneSource, dataset: Dataset, n: int, augmented: bool, seed: int, origin: str
) -> ContactSheet:
    from customlabels_nb.models.detector_building import build_detector
    from customlabels_nb.training.detection_learner import DetectionLearner

    names = _names(dataset)
    size = source.side // 2 if isinstance(source, Photos) else choose_input_size(*frames_of_scenes(source, _SCENES))[0]
    if augmented:
        # the very one that training uses; it makes batches without asking its network
        network = build_detector(DetectorShape(), len(names), PACKAGED)
        options = DetectionOptions(seed=seed, batch=n)
        scenes = DetectionLearner(network, Prepared(source, [], [], size, 0.0, []), names, options, "cpu").batch(0, 0.0)
        how = "changed by chance in size, place and light, some of them four on one"
    else:
        fill, order = fill_of(backbone_named(PACKAGED).mean), np.random.default_rng(seed).permutation(len(source))
        found = _first(((index, source.load(index, 0)) for index in order.tolist()), n)
        scenes = [_as_in_use(scene, size, fill) for _, scene in found]
        how = "as when it is used"
    colours = _colours(dataset)
    tiles = [Tile(Image.fromarray(scene.pixels), _labelled_boxes(scene, names, colours)) for scene in scenes]
    sides = f"of {size} × {size} pixels" if augmented else f"whose longer side is {size} pixels"
    return ContactSheet(tiles, f"What a detector is shown of {origin}: canvases {sides}, {how}.")


def _show_whole_images(dataset: Dataset, n: int, augmented: bool, seed: int) -> ContactSheet:
    backbone, whole = backbone_named(PACKAGED), whole_labels(dataset)
    images = whole["image"].drop_duplicates().tolist()
    if not images:
        raise NotEnoughDataError("No image is labelled, so there is nothing that a classifier could be shown.")
    rng = np.random.default_rng(seed)
    source = ImagePixels(images, backbone.input_size, root=dataset.root)
    order = rng.permutation(len(images)).tolist()
    found = _first(((index, source.load(index)) for index in order), n)
    if augmented:  # in training each comes again and again, never twice alike
        found = [found[place % len(found)] for place in range(n)]
    pixels = [one for _, one in found]
    if augmented:
        batch = to_batch(pixels, backbone.mean, backbone.std)
        seen = apply_changes(batch, [draw_change(rng) for _ in pixels]).permute(0, 2, 3, 1).numpy()
        shown = np.clip((seen * np.array(backbone.std) + np.array(backbone.mean)) * 255, 0, 255).round()
        pixels = list(shown.astype(np.uint8).transpose(0, 3, 1, 2))
        how = "changed by chance in size, place, turn and light, as in fine-tuning"
    else:
        how = "as when it is used, and as a model without fine-tuning learns from them"
    colours = _colours(dataset)
    labels = {image: rows.tolist() for image, rows in whole.groupby("image", observed=True)["label"]}
    tiles = [
        Tile(
            Image.fromarray(one.transpose(1, 2, 0).copy()), labels=[(label, colours[label]) for label in labels[image]]
        )
        for one, image in zip(pixels, (images[index] for index, _ in found), strict=True)
    ]
    side = backbone.input_size
    return ContactSheet(
        tiles, f"What a classifier is shown of {len(images):,} images: squeezed to {side} × {side} pixels, {how}."
    )


def _first(found: Iterable[tuple[int, Found | None]], n: int) -> list[tuple[int, Found]]:
    """The first ``n`` that can be read."""
    read = list(islice(((index, one) for index, one in found if one is not None), n))
    if not read:
        raise NotEnoughDataError("None of the images can be read; project.check() says why.")
    return read


def _as_in_use(scene: TrainingScene, size: int, fill: Sequence[int]) -> TrainingScene:
    """The whole of a scene on a canvas, as a detector gets it when it is asked."""
    canvas = to_canvas(Image.fromarray(scene.pixels), size, fill)
    scale = np.tile(np.divide(canvas.inside, scene.pixels.shape[1::-1]), 2)
    return TrainingScene(canvas.pixels.transpose(1, 2, 0).copy(), scene.boxes * scale, scene.labels)


def _size_of_photos(images: pd.DataFrame, marks: pd.DataFrame) -> int:
    """The input size that suits their boxes, as far as the sizes of images are known."""
    rows = with_boxes(marks).merge(images[["image", "width", "height"]], on="image", suffixes=("", "_of_image"))
    frames = rows[["width_of_image", "height_of_image"]].to_numpy(dtype=np.float64, na_value=0)
    return choose_input_size(rows[BOX].to_numpy(dtype=np.float64), frames)[0]


def _labelled_boxes(scene: TrainingScene, names: Sequence[str], colours: Mapping[str, str]) -> list[LabelledBox]:
    found = zip(scene.boxes.tolist(), (names[at] for at in scene.labels.tolist()), strict=True)
    return [LabelledBox((box[0], box[1], box[2], box[3]), label, colours[label]) for box, label in found]


def _names(dataset: Dataset) -> list[str]:
    return dataset.labels["label"].tolist()


def _colours(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.labels["label"], dataset.labels["colour"], strict=True))
