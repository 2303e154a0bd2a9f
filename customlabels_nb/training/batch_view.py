"""Show a training batch: images with their labels or boxes, with or without augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb._utils.arguments import check_integer, check_random_state
from customlabels_nb._utils.text import counted
from customlabels_nb.core.tables import DRAWN_TASKS
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import NotEnoughDataError
from customlabels_nb.images.box_drawing import LabelledBox
from customlabels_nb.images.image_grid import ContactSheet, Tile
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import backbone_named
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.models.detector_shape import DetectorShape, choose_input_size, fill_of
from customlabels_nb.models.transforms import to_batch
from customlabels_nb.training.boxes_data import BOX, Photos, make_examples, with_boxes
from customlabels_nb.training.brands import BrandScenes
from customlabels_nb.training.detection_data import DetectionOptions, Prepared, frames_of_scenes
from customlabels_nb.training.image_data import ImagePixels, apply_changes, draw_change
from customlabels_nb.training.scene_sources import SceneSource, TrainingScene
from customlabels_nb.training.tasks import BRANDS, boxed, choose_task, whole_labels

#: Largest number of images that :func:`show_batch` shows.
MOST = 100

_CHOSEN_FROM = 2_000  # images; keeps the call equally fast for larger datasets
_SCENES = 16  # synthetic scenes from which the input size is chosen

Found = TypeVar("Found")


def show_batch(
    train: Dataset,
    test: Dataset | None = None,
    *,
    n: int = 9,
    augmented: bool = True,
    task: str | None = None,
    recipe: str | None = None,
    project_task: str | None = None,
    random_state: int = 0,
) -> ContactSheet:
    """Show training images as the model sees them, with their labels or boxes."""
    n, random_state = check_integer("n", n, 1, MOST), check_random_state(random_state)
    tested = train if test is None else test
    chosen = choose_task(train, tested, named=task, recipe=recipe, project_task=project_task)
    some = train.sample(_CHOSEN_FROM, random_state=random_state)
    if chosen.recipe == BRANDS:
        return _show_scenes(
            _logo_scenes(some, random_state), some, n, augmented, random_state, "scenes composed of the logos"
        )
    if chosen.task in DRAWN_TASKS:
        return _show_scenes(_photos(some), some, n, augmented, random_state, counted(len(train), "image"))
    return _show_whole_images(some, n, augmented, random_state)


def _photos(dataset: Dataset) -> Photos:
    images, boxes = dataset.image_table, boxed(dataset)
    empty = (images["status"] == "labelled") & ~images["image"].isin(dataset.annotations["image"])
    usable = images[images["image"].isin(boxes["image"]) | empty]
    if boxes.empty:
        raise NotEnoughDataError("No image has a box, so there is nothing to show for a detector.")
    side = 2 * _size_of_photos(usable, boxes)  # leaves room for scaling up
    return Photos(make_examples(usable, boxes, _names(dataset)), root=dataset.root, side=side)


def _logo_scenes(dataset: Dataset, random_state: int) -> BrandScenes:
    whole = whole_labels(dataset)
    unlabelled = dataset.image_table.loc[
        ~dataset.image_table["image"].isin(dataset.annotations["image"]), "image"
    ].tolist()
    logos = list(zip(whole["image"], whole["label"], strict=True))
    return BrandScenes(logos, _names(dataset), backgrounds=unlabelled, root=dataset.root, random_state=random_state)


def _show_scenes(
    source: SceneSource, dataset: Dataset, n: int, augmented: bool, random_state: int, origin: str
) -> ContactSheet:
    from customlabels_nb.models.detector_building import build_detector
    from customlabels_nb.training.detection_learner import DetectionLearner

    names = _names(dataset)
    size = source.side // 2 if isinstance(source, Photos) else choose_input_size(*frames_of_scenes(source, _SCENES))[0]
    if augmented:
        # the same learner as in training: it creates batches without running its network
        network = build_detector(DetectorShape(), len(names), PACKAGED)
        options = DetectionOptions(random_state=random_state, batch=n)
        scenes = DetectionLearner(network, Prepared(source, [], [], size, 0.0, []), names, options, "cpu").batch(0, 0.0)
        how = "with random size, position and lighting, some as mosaics of four images"
    else:
        fill = fill_of(backbone_named(PACKAGED).mean)
        order = np.random.default_rng(random_state).permutation(len(source))
        loaded = _first(((index, source.load(index, 0)) for index in order.tolist()), n)
        scenes = [_as_in_use(scene, size, fill) for _, scene in loaded]
        how = "without augmentation, as in prediction"
    colors = _colors(dataset)
    tiles = [Tile(Image.fromarray(scene.pixels), _labelled_boxes(scene, names, colors)) for scene in scenes]
    sides = f"of {size} × {size} pixels" if augmented else f"whose longer side is {size} pixels"
    return ContactSheet(tiles, f"Training batch of a detector, from {origin}: canvases {sides}, {how}.")


def _show_whole_images(dataset: Dataset, n: int, augmented: bool, random_state: int) -> ContactSheet:
    backbone, whole = backbone_named(PACKAGED), whole_labels(dataset)
    images = whole["image"].drop_duplicates().tolist()
    if not images:
        raise NotEnoughDataError("No image is labelled, so there is nothing to show for a classifier.")
    rng = np.random.default_rng(random_state)
    source = ImagePixels(images, backbone.input_size, root=dataset.root)
    order = rng.permutation(len(images)).tolist()
    loaded = _first(((index, source.load(index)) for index in order), n)
    if augmented:  # training repeats each image, with different augmentation every time
        loaded = [loaded[number % len(loaded)] for number in range(n)]
    pixels = [image_pixels for _, image_pixels in loaded]
    if augmented:
        batch = to_batch(pixels, backbone.mean, backbone.std)
        seen = apply_changes(batch, [draw_change(rng) for _ in pixels]).permute(0, 2, 3, 1).numpy()
        shown = np.clip((seen * np.array(backbone.std) + np.array(backbone.mean)) * 255, 0, 255).round()
        pixels = list(shown.astype(np.uint8).transpose(0, 3, 1, 2))
        how = "with random size, position, rotation and lighting, as in fine-tuning"
    else:
        how = "without augmentation, as in prediction and in training without fine-tuning"
    colors = _colors(dataset)
    labels = {image: rows.tolist() for image, rows in whole.groupby("image", observed=True)["label"]}
    tiles = [
        Tile(
            Image.fromarray(image_pixels.transpose(1, 2, 0).copy()),
            labels=[(label, colors[label]) for label in labels[image]],
        )
        for image_pixels, image in zip(pixels, (images[index] for index, _ in loaded), strict=True)
    ]
    side = backbone.input_size
    return ContactSheet(
        tiles,
        f"Training batch of a classifier, from {counted(len(images), 'image')}: resized to {side} × {side} pixels, "
        f"{how}.",
    )


def _first(candidates: Iterable[tuple[int, Found | None]], n: int) -> list[tuple[int, Found]]:
    read = list(islice(((index, scene) for index, scene in candidates if scene is not None), n))
    if not read:
        raise NotEnoughDataError("None of the images can be read. Call project.check() to see why.")
    return read


def _as_in_use(scene: TrainingScene, size: int, fill: Sequence[int]) -> TrainingScene:
    """Fit an entire scene onto a canvas, as a detector sees it in prediction."""
    canvas = to_canvas(Image.fromarray(scene.pixels), size, fill)
    scale = np.tile(np.divide(canvas.inside, scene.pixels.shape[1::-1]), 2)
    return TrainingScene(canvas.pixels.transpose(1, 2, 0).copy(), scene.boxes * scale, scene.labels)


def _size_of_photos(images: pd.DataFrame, boxes: pd.DataFrame) -> int:
    """Choose the input size that suits the boxes, using only the images whose size is known."""
    rows = with_boxes(boxes).merge(images[["image", "width", "height"]], on="image", suffixes=("", "_of_image"))
    frames = rows[["width_of_image", "height_of_image"]].to_numpy(dtype=np.float64, na_value=0)
    return choose_input_size(rows[BOX].to_numpy(dtype=np.float64), frames)[0]


def _labelled_boxes(scene: TrainingScene, names: Sequence[str], colors: Mapping[str, str]) -> list[LabelledBox]:
    pairs = zip(scene.boxes.tolist(), (names[code] for code in scene.labels.tolist()), strict=True)
    return [LabelledBox((box[0], box[1], box[2], box[3]), label, colors[label]) for box, label in pairs]


def _names(dataset: Dataset) -> list[str]:
    return dataset.labels["label"].tolist()


def _colors(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.labels["label"], dataset.labels["color"], strict=True))
