"""Tests of PyTorch datasets: targets, transforms, and workers of both kinds."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn, maskrcnn_resnet50_fpn
from torchvision.transforms import v2
from torchvision.transforms.functional import pil_to_tensor

import customlabels_nb as cl
from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.errors import ImageNotFoundError, InputError, TruncatedImageError
from customlabels_nb.images.reading import open_image
from tests.datasets.interop.shops import TRIANGLE, boxes, drawn, many_labels, one_label, turned
from tests.facts import tells


def test_one_label_is_its_number(tmp_path: Path) -> None:
    dataset = one_label(tmp_path)
    made = dataset.to_torch()
    assert (made.task, made.classes, len(made)) == ("single-label", ["pear", "apple", "quince"], 4)
    assert [made[index][1] for index in range(4)] == [0, 1, 0, 1]
    image, target = made[-1]
    assert isinstance(target, int)
    assert np.array_equal(image, open_image(made.images[3]))
    with pytest.raises(IndexError):
        made[4]


def test_left_out_images_are_reported(tmp_path: Path) -> None:
    issues = one_label(tmp_path).to_torch().issues
    assert issues["code"].tolist() == ["NOT_HELD", "NOT_HELD"]
    assert tells(issues["message"][0], 1, "image")
    assert tells(issues["message"][0], "4.jpg")
    assert "5.jpg" in issues["message"][1]
    assert one_label(tmp_path).filter("label == 'pear'").to_torch().issues.empty


def test_several_labels_are_a_vector(tmp_path: Path) -> None:
    made = many_labels(tmp_path).to_torch()
    assert made.task == "multi-label"
    vectors = torch.stack([target for _, target in made])  # type: ignore[attr-defined]
    assert vectors.dtype == torch.float32
    assert vectors.tolist() == [[1, 1], [1, 0], [0, 0]]
    with pytest.raises(InputError, match=r"0\.jpg.*task='multi-label'"):
        many_labels(tmp_path).to_torch(task="single-label")


def test_boxes_are_what_torchvision_takes(tmp_path: Path) -> None:
    made = boxes(tmp_path).to_torch(pil_to_tensor)
    assert made.task == "boxes"
    assert made.classes == ["__background__", "plate", "cup"]
    assert len(made) == 3
    target = made[0][1]
    assert target["boxes"].tolist() == [[1, 2, 21, 12], [10.5, 0, 40.5, 32]]
    assert target["boxes"].dtype == target["area"].dtype == torch.float32
    assert [made.classes[number] for number in target["labels"]] == ["cup", "plate"]
    assert target["labels"].dtype == target["iscrowd"].dtype == torch.int64
    assert (target["area"].tolist(), target["iscrowd"].tolist(), target["image_id"]) == ([200, 960], [0, 1], 0)
    assert made[1][1]["boxes"].tolist() == [[2, 2, 12, 22]]  # around the polygon
    assert made[2][1]["boxes"].shape == (0, 4)
    assert made[2][1]["labels"].shape == (0,)


def test_a_detector_of_torchvision_learns_from_it(tmp_path: Path) -> None:
    made = boxes(tmp_path).to_torch(v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]))
    torch.manual_seed(0)
    model = fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=len(made.classes), min_size=64, max_size=96
    )
    images, targets = next(iter(DataLoader(made, batch_size=3, collate_fn=made.collate)))
    losses = model(images, targets)
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_masks_are_what_torchvision_takes_and_follow_the_transforms(tmp_path: Path) -> None:
    start = boxes(tmp_path)
    flat = start.annotations.iloc[[1]].assign(polygon=[[[2, 2], [12, 2], [2, 2]]])
    start = cl.Dataset(start.images, pd.concat([start.annotations, flat]), ["plate", "cup"])
    made = start.to_torch(task="polygons")
    assert made.task == "polygons"
    target = made[1][1]
    assert target["masks"].dtype == torch.uint8
    assert target["masks"].shape == (1, 32, 48)
    np.testing.assert_array_equal(target["masks"][0], polygon_to_mask(TRIANGLE, (48, 32)))
    assert target["area"].tolist() == [target["masks"].sum()]
    assert made[0][1]["masks"].sum(dim=(1, 2)).tolist() == [200, 960]  # boxes without a polygon
    assert made[2][1]["masks"].shape == (0, 32, 48)
    assert "1 mask without an area was dropped" in made.issues["message"].iloc[-1]
    scaled = v2.Compose([v2.RandomHorizontalFlip(1.0), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    made = start.to_torch(task="polygons", transforms=scaled)
    np.testing.assert_array_equal(made[1][1]["masks"][0].flip(1), target["masks"][0])
    torch.manual_seed(0)
    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3, min_size=32, max_size=48)
    images, targets = next(iter(DataLoader(made, batch_size=3, collate_fn=made.collate)))
    losses = model(images, targets)
    assert torch.isfinite(losses["loss_mask"])


def test_boxes_follow_the_transforms_of_both(tmp_path: Path) -> None:
    flip = v2.Compose([v2.RandomHorizontalFlip(1.0), v2.Resize((64, 96)), v2.ToImage()])
    made = boxes(tmp_path).to_torch(transforms=flip)
    image, target = made[0]
    assert tuple(image.shape) == (3, 64, 96)
    assert target["boxes"].tolist() == [[54, 4, 94, 24], [15, 0, 75, 64]]
    with pytest.raises(InputError, match="not both"):
        boxes(tmp_path).to_torch(pil_to_tensor, transforms=flip)


def test_boxes_without_an_area_are_left_out(tmp_path: Path) -> None:
    paths = drawn(tmp_path, 1)
    rows = pd.DataFrame(
        {"image": paths * 2, "label": "cup", "left": 1.0, "top": 1.0, "width": [5.0, 0.0], "height": 5.0}
    )
    made = cl.Dataset(pd.DataFrame({"image": paths}), rows).to_torch()
    assert made[0][1]["boxes"].tolist() == [[1, 1, 6, 6]]
    assert "1 box without an area was dropped" in made.issues["message"].item()


def test_images_are_upright_and_relative_ones_lie_under_the_root(tmp_path: Path) -> None:
    turned(tmp_path / "a.jpg")
    rows = pd.DataFrame({"image": ["a.jpg"], "label": ["x"], "left": 0.0, "top": 0.0, "width": 32.0, "height": 48.0})
    made = cl.Dataset(rows[["image"]], rows, root=tmp_path).to_torch()
    image, target = made[0]
    assert image.size == (32, 48)
    assert target["boxes"].canvas_size == (48, 32)


def test_a_missing_and_a_broken_image_are_named(tmp_path: Path) -> None:
    made = one_label(tmp_path).to_torch()
    Path(made.images[0]).unlink()
    Path(made.images[1]).write_bytes(Path(made.images[1]).read_bytes()[:-100])
    for index, error in ((0, ImageNotFoundError), (1, TruncatedImageError)):
        with pytest.raises(error, match=rf"{index}\.jpg"):
            made[index]


def test_a_dataset_without_labels_has_no_task(tmp_path: Path) -> None:
    bare = cl.Dataset(pd.DataFrame({"image": drawn(tmp_path)}))
    with pytest.raises(InputError, match="no annotations"):
        bare.to_torch()
    with pytest.raises(InputError, match="task='points'"):
        one_label(tmp_path).to_torch(task="points")


def test_the_dataset_itself_is_not_changed(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    before = dataset.images, dataset.annotations
    made = dataset.to_torch()
    made[0][1]["boxes"][:] = -1
    assert made[0][1]["boxes"].min() >= 0
    pd.testing.assert_frame_equal(dataset.images, before[0])
    pd.testing.assert_frame_equal(dataset.annotations, before[1])


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.thorough)])
def test_workers_give_what_one_process_gives(tmp_path: Path, method: str) -> None:
    project = cl.create_project("shop", tmp_path / "projects")
    paths = drawn(tmp_path / "photos", 6)
    labels = ["a", "b"] * 3
    project.add_images(pd.DataFrame({"image": paths, "label": labels}), progress=False)
    made = project.train_set.to_torch(pil_to_tensor)  # with an open database behind the project
    loader = DataLoader(made, batch_size=2, num_workers=2, multiprocessing_context=method)
    loaded = list(loader)
    project.close()
    assert torch.cat([target for _, target in loaded]).tolist() == [0, 1] * 3
    alone = torch.stack([made[index][0] for index in range(6)])
    assert torch.equal(torch.cat([images for images, _ in loaded]), alone)


def test_missing_image_in_a_worker_is_named(tmp_path: Path) -> None:
    made = one_label(tmp_path).to_torch(pil_to_tensor)
    Path(made.images[2]).unlink()
    with pytest.raises(ImageNotFoundError, match=r"2\.jpg"):
        list(DataLoader(made, num_workers=1, multiprocessing_context="fork"))


def test_it_can_be_pickled(tmp_path: Path) -> None:
    made = boxes(tmp_path).to_torch()
    again = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert again.classes == made.classes
    assert torch.equal(again[0][1]["boxes"], made[0][1]["boxes"])
    assert repr(again) == "TorchDataset(3 images, 3 classes, task='boxes')"
