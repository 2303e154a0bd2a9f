"""The drawn example "logos": pictures of brands alone, and scenes whose boxes are exactly what is seen of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import customlabels_nb as cl
from customlabels_nb import examples
from customlabels_nb.examples import logos
from customlabels_nb.examples._drawing import Camera, Light, Scene
from customlabels_nb.examples._picture import Box
from customlabels_nb.examples._shapes import Frame, palette
from customlabels_nb.examples.logos import _marks as marks
from customlabels_nb.examples.logos import _stage as staging
from customlabels_nb.examples.logos._streets import NAMES
from customlabels_nb.training.kinds import choose_kind
from customlabels_nb.training.trimming import read_cutout

SMALL = (160, 120)
LABELS = ("lumivane", "pellwick", "tarnfold")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    return examples.write_photos("logos", tmp_path_factory.mktemp("example") / "logos", size=SMALL)


def test_every_brand_is_shown_alone_and_in_scenes(photos: examples.ExamplePhotos) -> None:
    assert photos.labels == logos.LABELS == LABELS
    assert Counter(path.parent.name for path in photos.train.rglob("*.jpg")) == dict.fromkeys(LABELS, 7)
    told = json.loads(photos.test.read_text())
    assert len(told["images"]) == 42
    assert [category["name"] for category in told["categories"]] == list(LABELS)
    names = {category["id"]: category["name"] for category in told["categories"]}
    found = Counter(names[mark["category_id"]] for mark in told["annotations"])
    assert set(found) == set(LABELS)
    assert min(found.values()) >= 10
    shown = [{m["category_id"] for m in told["annotations"] if m["image_id"] == i["id"]} for i in told["images"]]
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
@pytest.mark.parametrize("seed", [0, 1])
def test_boxes_are_what_the_logo_changes_in_the_picture(kind: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    brand = LABELS[(list(logos.SCENES).index(kind) + seed) % 3]

    def picture() -> tuple[np.ndarray, tuple[Box, ...]]:
        image, stage = logos.SCENES[kind](np.random.default_rng([3, seed]), (320, 240), [brand])
        return np.asarray(image).astype(int), stage.boxes()

    shown, boxes = picture()
    monkeypatch.setattr(staging, "logo", lambda *_, **__: ())
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


def stage_with_a_logo(size: float = 0.3) -> tuple[staging.Stage, Frame]:
    """A logo in the middle of a canvas of 200 x 200, upright and seen from straight ahead."""
    scene = Scene((200, 200), Camera((0, 0, 0), 0, 0, 0, 1.0, (200, 200)), Light((1, 1, 1), (0, 0, 0)), rng())
    stage, frame = staging.Stage(scene, palette(rng()), "day", ["tarnfold"]), Frame(scene, (0, 0, 1))
    stage.sign(staging.on_panel(frame, 0, 0, 0, size), (250, 250, 250), word=0.0)
    return stage, frame


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_box_ends_where_something_hides_the_logo() -> None:
    stage, frame = stage_with_a_logo()
    (whole,) = stage.boxes()
    assert (whole.left, whole.left + whole.width) == pytest.approx((20, 80), abs=1)
    assert (whole.top, whole.top + whole.height) == pytest.approx((50 - 0.88 * 30, 50 + 0.82 * 30), abs=1)
    frame.panel(0.1, 0.6, -0.6, 0.6, 0.01, (200, 30, 30))
    (left,) = stage.boxes()
    edge = 50 + 0.1 / 0.99 * 100
    assert left.left == whole.left
    assert left.left + left.width == pytest.approx(edge, abs=1)
    frame.panel(-0.6, 0.6, -0.6, 0.2, 0.02, (200, 30, 30))
    assert stage.boxes() == ()


def test_a_logo_too_small_to_be_seen_has_no_box() -> None:
    assert stage_with_a_logo(0.018)[0].boxes() == ()
    assert len(stage_with_a_logo(0.06)[0].boxes()) == 1


def test_a_logo_beside_the_picture_has_no_box() -> None:
    stage, frame = stage_with_a_logo()
    stage.signs = ["lumivane", "pellwick"]
    stage.sign(staging.on_panel(frame, 3, 0, 0, 0.3), (250, 250, 250))
    stage.sign(staging.on_panel(frame, 0.5, 0.3, 0, 0.2), (250, 250, 250), word=0.0)
    assert [box.label for box in stage.boxes()] == ["tarnfold", "pellwick"]
    assert stage.boxes()[1].left + stage.boxes()[1].width == 100


@pytest.mark.parametrize("number", range(10))
def test_a_picture_of_any_shape(number: int) -> None:
    for size in ((32, 32), (120, 50), (50, 110)):
        scene = logos.paint("test", number, np.random.default_rng(number), size)
        assert (scene.image.mode, scene.image.size) == ("RGB", size)
        for box in scene.boxes:
            assert min(box.width, box.height) >= staging.LEAST
    alone = logos.paint("train", number, np.random.default_rng(number), (50, 110))
    assert (alone.image.size, alone.boxes, alone.labels) == ((50, 50), (), (LABELS[number % 3],))


def test_what_only_looks_like_a_brand_has_no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of nobody are put up in every kind of scene, and are in no list."""
    drawn = []
    monkeypatch.setattr(staging, "decoy", lambda *arguments: drawn.append(1) or marks.decoy(*arguments))
    for paint in logos.SCENES.values():
        _, stage = paint(np.random.default_rng(4), (96, 72), [None, None])
        assert stage.boxes() == ()
    assert len(drawn) >= len(logos.SCENES)


def test_every_letter_that_is_used_is_known() -> None:
    for text in (*(brand.word for brand in marks.BRANDS.values()), *marks.WORDS, *NAMES):
        layer = marks.letters(text, (0, 0, 0), 0, 0, 1.0, 0.5)
        points = np.array([point for outline, _ in layer.outlines for point in outline])
        assert np.abs(points[:, 0]).max() <= 0.5 + 1e-9
        assert np.abs(points[:, 1]).max() <= 0.25 + 1e-9


def test_a_project_of_it_is_one_of_brands(tmp_path: Path) -> None:
    project = cl.examples.create("logos", tmp_path, size=(96, 72), train=9, test=6)
    assert project.task == "boxes"
    assert dict(project.train_set.label_counts) == dict.fromkeys(LABELS, 3)
    assert project.train_set.annotations["left"].isna().all()
    assert (project.test_set.images["status"] == "labelled").all()
    assert project.test_set.annotations["left"].notna().all()
    assert choose_kind(project.train_set, project.test_set).kind == "brands"
