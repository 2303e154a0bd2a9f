"""Tests of training masks: targets, augmentation, logo scenes, snapshots, and a short training run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy
from customlabels_nb.core.masks import mask_iou, polygon_to_rle
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.models.artifact import ModelConfig, load_artifact, save_artifact
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.detector import CELLS
from customlabels_nb.models.detector_building import build_detector, copy_known_labels, pretrained_detector
from customlabels_nb.models.detector_shape import DetectorShape
from customlabels_nb.training.boxes_data import Example, Photos, make_examples
from customlabels_nb.training.brands import BrandScenes
from customlabels_nb.training.budget import Budget
from customlabels_nb.training.detection_data import DetectionOptions, prepare
from customlabels_nb.training.detection_learner import mosaic, single
from customlabels_nb.training.detector_recipe import predict_boxes, train_detector, usable_polygons
from customlabels_nb.training.kept_files import read_predictions, read_snapshot, write_predictions, write_snapshots
from customlabels_nb.training.mask_data import MOST_MASKS, mask_targets, rasterise
from customlabels_nb.training.plan import make_plan
from customlabels_nb.training.scene_sources import TrainingScene
from customlabels_nb.training.tasks import choose_task
from tests.threads import one_thread  # noqa: F401
from tests.training.drawn import drawn_squares

SQUARE = np.array([[10.0, 10], [50, 10], [50, 50], [10, 50]])
HOLE = np.array([[20.0, 20], [40, 20], [40, 40], [20, 40]])
LABELS = ["red", "blue"]


def triangles(folder: Path, count: int) -> list[Example]:
    """Return drawn rectangles, each with the triangle of its upper left half as its polygon."""
    found = []
    for example in drawn_squares(folder, count):
        x0, y0, x1, y1 = ltwh_to_xyxy(example.boxes)[0].tolist()
        found.append(replace(example, polygons=[[[x0, y0], [x1, y0], [x0, y1]]]))
    return found


def test_a_mask_is_the_share_of_each_cell_inside_the_outline() -> None:
    region = np.array([10.0, 10, 50, 50])
    assert rasterise([SQUARE], region, region).min() > 0.98
    ring = rasterise([SQUARE, HOLE], region, region)
    assert ring.mean() == pytest.approx(0.75, abs=0.02)
    assert ring[CELLS // 2, CELLS // 2] == 0
    half = rasterise([SQUARE], np.array([10.0, 10, 30, 50]), region)  # the right half is hidden
    assert half[:, : CELLS // 2].min() > 0.98
    assert half[:, CELLS // 2 :].max() == 0
    wide = rasterise([SQUARE], region, np.array([-30.0, 10, 50, 50]))
    assert wide[:, : CELLS // 2].max() < 0.2
    assert wide[:, CELLS // 2 + 1 :].min() > 0.9
    assert rasterise([], region, region).max() == 0


def test_targets_are_of_some_objects_with_outlines() -> None:
    boxes = np.tile([[10.0, 10, 40, 40]], (20, 1))
    outlines = [None if at % 2 else [SQUARE] for at in range(20)]
    scene = TrainingScene(np.zeros((64, 64, 3), np.uint8), boxes, np.zeros(20, np.int64), outlines)
    targets = mask_targets(scene, np.random.default_rng(0))
    assert targets.regions.shape == (MOST_MASKS, 4)
    assert targets.inside.shape == (MOST_MASKS, CELLS, CELLS)
    assert np.ptp(targets.regions, axis=0).max() > 1  # they differ a little from the box
    assert targets.inside.mean() > 0.7
    assert len(mask_targets(replace(scene, outlines=[None] * 20), np.random.default_rng(0)).regions) == 0


@pytest.mark.parametrize("random_state", range(8))
def test_augmentation_moves_outlines_with_their_boxes(random_state: int) -> None:
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[10:50, 10:50] = (255, 255, 255)
    scene = TrainingScene(pixels, np.array([[10.0, 10, 40, 40]]), np.array([0]), [[SQUARE, HOLE]])
    rng = np.random.default_rng(random_state)
    for made in (single(scene, 96, (0, 0, 0), rng), mosaic([scene] * 4, 96, (0, 0, 0), rng)):
        assert len(made.outlines) == len(made.boxes)
        for (left, top, width, height), outline in zip(made.boxes.tolist(), made.outlines, strict=True):
            assert outline is not None
            ring, hole = outline
            corners = np.array([left, top, left + width, top + height])
            inside = np.clip([*ring.min(axis=0), *ring.max(axis=0)], corners[[0, 1, 0, 1]], corners[[2, 3, 2, 3]])
            np.testing.assert_allclose(inside, corners, atol=1e-6)  # the box is the visible part of the outline
            assert np.abs(hole.mean(axis=0) - ring.mean(axis=0)).max() < 1e-6
    without = TrainingScene(pixels, scene.boxes, scene.labels)
    same = single(without, 96, (0, 0, 0), np.random.default_rng(random_state))
    assert not same.outlines
    assert np.array_equal(same.boxes, single(scene, 96, (0, 0, 0), np.random.default_rng(random_state)).boxes)


def test_logo_scenes_have_the_outlines_of_what_is_visible(tmp_path: Path) -> None:
    examples = drawn_squares(tmp_path, 2)
    logos = [(example.image, LABELS[int(example.labels[0])]) for example in examples]
    scenes = BrandScenes(logos, LABELS, masks=True)
    boxed = BrandScenes(logos, LABELS)
    count = 0
    for index in range(12):
        scene, plain = scenes.load(index, 0), boxed.load(index, 0)
        assert scene is not None
        assert plain is not None
        assert np.array_equal(scene.pixels, plain.pixels)
        assert np.array_equal(scene.boxes, plain.boxes)
        assert len(scene.outlines) == len(scene.boxes)
        assert not plain.outlines
        for (left, top, width, height), outline in zip(scene.boxes.tolist(), scene.outlines, strict=True):
            points = np.concatenate(outline or [])
            low, high = points.min(axis=0), points.max(axis=0)
            np.testing.assert_allclose([*low, *(high - low)], [left, top, width, height])
            count += 1
    assert count > 5


def test_a_polygon_without_an_area_is_an_issue_and_its_box_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pd.DataFrame({"image": ["a.png"], "sha256": [None]})
    good, bad = [[0.0, 0], [9, 0], [9, 9]], [[0.0, 0], [9, 9]]
    marks = t.normalise_annotations(
        pd.DataFrame(
            {
                "image": "a.png",
                "label": "red",
                "polygon": [good, bad],
                "left": 0.0,
                "top": 0.0,
                "width": 9.0,
                "height": 9.0,
            }
        )
    )
    monkeypatch.setattr("customlabels_nb.core.polygons.crossing", None)  # slow, and not needed
    kept, [issue] = usable_polygons(marks)
    assert (issue.where, issue.code) == ("a.png", "POLYGON_TOO_FEW_POINTS")
    assert "'red' at (0, 0)" in issue.message
    [example] = make_examples(images, kept, LABELS, masks=True)
    assert (len(example.boxes), example.polygons[0], example.polygons[1]) == (2, good, None)
    assert make_examples(images, kept, LABELS)[0].polygons == ()
    with pytest.raises(InputError, match="2 boxes but 1 polygons"):
        replace(example, polygons=[good])


def test_photos_scale_outlines_as_boxes(tmp_path: Path) -> None:
    [example] = triangles(tmp_path, 1)
    off = replace(example, boxes=np.vstack([[[500, 500, 9, 9]], example.boxes]), labels=np.array([0, 0]),
                  polygons=[[[500, 500], [509, 500], [509, 509]], *example.polygons])  # fmt: skip
    scene = Photos([off], side=64).load(0)
    assert scene is not None
    [outline] = scene.outlines
    assert outline is not None
    np.testing.assert_allclose(outline[0].min(axis=0), scene.boxes[0, :2])
    np.testing.assert_allclose(outline[0], np.array(example.polygons[0]) / 2)


def test_images_for_validation_have_the_boxes_that_can_be_used(tmp_path: Path) -> None:
    first, second = triangles(tmp_path, 2)
    off = replace(second, boxes=np.vstack([[[500, 500, 9, 9]], second.boxes]), labels=np.array([0, 0]),
                  polygons=[[[500, 500], [509, 500], [509, 509]], *second.polygons])  # fmt: skip
    options = DetectionOptions(input_size=64, masks=True)
    prepared = prepare([first, off], LABELS, options, Events(), None, [off])
    [(held_out, _)] = prepared.held_out
    assert len(held_out.boxes) == 1


@pytest.mark.thorough
def test_a_short_training_run_gives_boxes_and_masks(tmp_path: Path) -> None:
    examples = triangles(tmp_path / "images", 4)
    options = DetectionOptions(Budget(steps=2), device="cpu", input_size=64, batch=2, masks=True)
    trained = train_detector(examples, LABELS, options, Events())
    assert trained.facts["history"][-1]["loss_mask"] > 0
    again = train_detector(examples, LABELS, options, Events())
    both = trained.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(both[0][key], both[1][key]) for key in both[0])
    config = ModelConfig(
        "polygons",
        tuple(LABELS),
        ("#ff0000", "#0000ff"),
        PACKAGED,
        64,
        trained.mean,
        trained.std,
        detector=trained.shape,
    )
    save_artifact(tmp_path / "model", trained.network, config)
    loaded, read = load_artifact(tmp_path / "model")
    assert read == config
    with pytest.raises(InputError, match="mask head"):
        save_artifact(tmp_path / "other", trained.network, replace(config, task="boxes"))
    images = [example.image for example in examples]
    table, readable, _ = predict_boxes(replace(trained, network=loaded), images, LABELS, root=None, events=Events())
    write_predictions(tmp_path, readable, LABELS, table)
    stored = read_predictions(tmp_path)[1]
    assert stored["polygon"].tolist() == table["polygon"].tolist()


def test_a_detector_with_masks_starts_from_one_without() -> None:
    shape = DetectorShape(channels=8, hidden=16)
    boxes, masks = (build_detector(shape, 1, PACKAGED, masks=has) for has in (False, True))
    before = {key: value.clone() for key, value in masks.state_dict().items()}
    assert copy_known_labels(boxes, ["red"], masks, ["red"]) == 1
    for key, value in masks.state_dict().items():
        expected = before[key] if key.startswith("masks.") else boxes.state_dict()[key]
        assert torch.equal(value, expected), key
    later = build_detector(shape, 2, PACKAGED, masks=True)
    assert copy_known_labels(masks, ["red"], later, ["blue", "red"]) == 1
    assert all(
        torch.equal(value, later.state_dict()[f"masks.{key}"]) for key, value in masks.masks.state_dict().items()
    )
    assert copy_known_labels(masks, ["red"], boxes, ["red"]) == 1
    with pytest.raises(InputError, match="cannot predict masks"):
        pretrained_detector(DetectorShape("retinanet_resnet50_fpn_v2"), 1, PACKAGED, random_state=0, masks=True)


def test_polygons_train_masks_and_keep_them_in_snapshots(tmp_path: Path) -> None:
    examples = triangles(tmp_path / "images", 8)
    rings = [[[1.0, 1], [9, 1], [9, 9]], [[2.0, 2], [4, 2], [4, 3]]]
    polygons = [rings, *(example.polygons[0] for example in examples[1:])]
    images = pd.DataFrame({"image": [example.image for example in examples], "status": "labelled"})
    marks = pd.DataFrame({"image": images["image"], "label": [LABELS[at % 2] for at in range(8)], "polygon": polygons})
    train = Dataset(images, marks, name="train")
    tasks = [choose_task(train, train, project_task=task).task for task in ("polygons", "boxes", None)]
    assert tasks == ["polygons", "boxes", "boxes"]
    only_boxes = Dataset(images, train.annotations.assign(polygon=None), name="train")
    assert choose_task(only_boxes, only_boxes, project_task="polygons").task == "boxes"
    with pytest.raises(NotEnoughDataError, match="no polygon is drawn"):
        make_plan(only_boxes, only_boxes, task="polygons")
    write_snapshots(tmp_path, train, Dataset(images[:0], None, name="test"))
    kept = read_snapshot(tmp_path, "train", tmp_path).annotations
    assert kept["polygon"].tolist() == train.annotations["polygon"].tolist()
    assert mask_iou([polygon_to_rle(kept["polygon"][0], (20, 20))], [polygon_to_rle(rings, (20, 20))])[0, 0] == 1


def test_a_snapshot_keeps_shapes_with_the_same_label_and_box(tmp_path: Path) -> None:
    box = {"image": "a.jpg", "label": "part", "left": 10.0, "top": 10.0, "width": 40.0, "height": 40.0}
    shapes = [[[10.0, 10.0], [50.0, 10.0], [10.0, 50.0]], None, [[50.0, 10.0], [50.0, 50.0], [10.0, 50.0]]]
    images = pd.DataFrame({"image": ["a.jpg"], "width": [100], "height": [80]})
    dataset = Dataset(images, pd.DataFrame([{**box, "polygon": polygon} for polygon in shapes]), name="train")
    write_snapshots(tmp_path, dataset, Dataset(images[:0], None, name="test"))
    assert read_snapshot(tmp_path, "train", tmp_path).annotations["polygon"].tolist() == shapes
