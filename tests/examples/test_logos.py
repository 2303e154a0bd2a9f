"""Tests of the example "logos": images of brands alone, and scenes whose boxes match the visible parts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import customlabels_nb as cl
from customlabels_nb import examples
from customlabels_nb.examples import logos
from customlabels_nb.examples._drawing import Box
from customlabels_nb.training.tasks import choose_task
from customlabels_nb.training.trimming import read_cutout

SMALL = (160, 120)
LABELS = ("lumivane", "pellwick", "tarnfold")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    return examples.write_photos("logos", tmp_path_factory.mktemp("example") / "logos", size=SMALL)


def test_every_brand_is_shown_alone_and_in_scenes(photos: examples.ExamplePhotos) -> None:
    assert photos.labels == logos.LABELS == LABELS
    assert Counter(path.parent.name for path in photos.train.rglob("*.jpg")) == dict.fromkeys(LABELS, 7)
    coco = json.loads(photos.test.read_text())
    assert len(coco["images"]) == 42
    assert [category["name"] for category in coco["categories"]] == list(LABELS)
    names = {category["id"]: category["name"] for category in coco["categories"]}
    found = Counter(names[mark["category_id"]] for mark in coco["annotations"])
    assert set(found) == set(LABELS)
    assert min(found.values()) >= 10
    shown = [{m["category_id"] for m in coco["annotations"] if m["image_id"] == i["id"]} for i in coco["images"]]
    assert all(shown)
    assert sum(len(labels) > 1 for labels in shown) >= 4


def test_a_picture_to_train_on_shows_the_logo_and_its_ground_only(photos: examples.ExamplePhotos) -> None:
    grounds: Counter[str] = Counter()
    for path in sorted(photos.train.rglob("*.jpg")):
        cutout = read_cutout(str(path))
        grounds[cutout.ground] += 1
        high, wide = cutout.pixels.shape[:2]
        assert 0.35 * SMALL[1] < min(high, wide) <= max(high, wide) <= SMALL[1]
    assert grounds["plain"] >= 18


@pytest.mark.parametrize("kind", list(logos.SCENES))
@pytest.mark.parametrize("random_state", [0, 1])
def test_boxes_are_what_the_logo_changes_in_the_picture(
    kind: str, random_state: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    brand = LABELS[(list(logos.SCENES).index(kind) + random_state) % 3]

    def picture() -> tuple[np.ndarray, tuple[Box, ...]]:
        canvas, shown = logos.compose(kind, np.random.default_rng([3, random_state]), (320, 240), [brand])
        return np.asarray(canvas.image.reduce(2)).astype(int), canvas.boxes(shown)

    shown, boxes = picture()
    monkeypatch.setattr(logos, "_logo", lambda *_: None)
    bare, none = picture()
    assert none == ()
    ys, xs = np.nonzero(np.abs(shown - bare).max(axis=2) > 12)
    if not boxes:
        assert len(xs) < 60
        return
    (box,) = boxes
    assert box.label == brand
    assert (xs.min(), ys.min()) == pytest.approx((box.left, box.top), abs=2.5)
    assert (xs.max() + 1, ys.max() + 1) == pytest.approx((box.left + box.width, box.top + box.height), abs=2.5)


def test_lookalikes_of_brands_have_no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, decoy = [], logos._decoy
    monkeypatch.setattr(logos, "_decoy", lambda *arguments: drawn.append(1) or decoy(*arguments))
    for kind in logos.SCENES:
        canvas, shown = logos.compose(kind, np.random.default_rng(4), (96, 72), [None, None])
        assert canvas.boxes(shown) == ()
    assert len(drawn) >= len(logos.SCENES)


def test_a_picture_alone_is_square_and_has_no_box() -> None:
    for number in range(10):
        picture = logos.paint("train", number, np.random.default_rng(number), (50, 110))
        assert (picture.image.size, picture.boxes, picture.labels) == ((50, 50), (), (LABELS[number % 3],))


def test_a_project_of_it_is_one_of_brands(tmp_path: Path) -> None:
    project = cl.examples.create("logos", tmp_path, size=(96, 72), train=9, test=6)
    assert project.task == "boxes"
    assert dict(project.train_set.label_counts) == dict.fromkeys(LABELS, 3)
    assert project.train_set.annotations["left"].isna().all()
    assert (project.test_set.images["status"] == "labelled").all()
    assert project.test_set.annotations["left"].notna().all()
    assert choose_task(project.train_set, project.test_set).recipe == "brands"
