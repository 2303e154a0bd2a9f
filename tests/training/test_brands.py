"""Tests of scenes of logos: reproducible, balanced, with correct boxes, for any kind of logo image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from customlabels_nb.errors import Cancelled, InputError, NotEnoughDataError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.models.detector_building import build_detector, pretrained_detector
from customlabels_nb.models.detector_shape import OWN, DetectorShape
from customlabels_nb.training import brands
from customlabels_nb.training.brands import NEGATIVES, REAL_TURNS, BrandScenes, MixedScenes
from customlabels_nb.training.budget import parse_budget
from customlabels_nb.training.detection_data import DetectionOptions, prepare
from customlabels_nb.training.detection_learner import DetectionLearner
from customlabels_nb.training.pasting import Logo
from customlabels_nb.training.scene_sources import TrainingScene
from customlabels_nb.training.trimming import read_cutout
from tests.facts import facts, tells

LABELS = ["ring", "bar", "wedge"]
COLORS = {"ring": (200, 20, 30), "bar": (20, 60, 200), "wedge": (240, 190, 20)}


def draw_logo(label: str, side: int = 160) -> Image.Image:
    """Draw a logo on a transparent background."""
    image = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(image)
    fill = (*COLORS[label], 255)
    if label == "ring":
        draw.ellipse((10, 10, side - 10, side - 10), outline=fill, width=side // 6)
    elif label == "bar":
        draw.rectangle((10, side // 3, side - 10, 2 * side // 3), fill=fill)
    else:
        draw.polygon([(side / 2, 10), (side - 10, side - 10), (10, side - 10)], fill=fill)
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two images of each logo, on white and on grey, but only one of the wedge."""
    place: Path = tmp_path_factory.mktemp("logos")
    for label in LABELS:
        for number, ground in enumerate(("white", "grey")):
            logo = draw_logo(label)
            picture = Image.new("RGB", logo.size, ground)
            picture.paste(logo, (0, 0), logo)
            picture.save(place / f"{label}-{number}.png")
    (place / "wedge-1.png").unlink()
    return place


def logos_in(folder: Path) -> list[tuple[str, str]]:
    return [(path.name, path.name.split("-")[0]) for path in sorted(folder.glob("*-?.png"))]


@pytest.fixture(scope="module")
def scenes(folder: Path) -> BrandScenes:
    return BrandScenes(logos_in(folder), LABELS, root=folder, random_state=3, size=160, length=300)


@pytest.fixture(scope="module")
def some(scenes: BrandScenes) -> list[TrainingScene]:
    found = [scenes.load(index, 0) for index in range(len(scenes))]
    return [scene for scene in found if scene is not None]


def same(first: TrainingScene | None, second: TrainingScene | None) -> bool:
    """Return True if two scenes have equal pixels, boxes and labels."""
    assert first is not None
    assert second is not None
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("pixels", "boxes", "labels"))


def test_a_scene_is_always_the_same(folder: Path, scenes: BrandScenes) -> None:
    again = BrandScenes(logos_in(folder), LABELS, root=folder, random_state=3, size=160, length=300)
    for index, epoch in ((7, 2), (0, 0), (299, 1), (7, 2)):
        assert same(scenes.load(index, epoch), again.load(index, epoch))
    other = BrandScenes(logos_in(folder), LABELS, root=folder, random_state=4, size=160, length=300)
    assert not same(scenes.load(7, 2), other.load(7, 2))
    assert not same(scenes.load(7, 2), scenes.load(7, 3))
    assert not same(scenes.load(7, 2), scenes.load(8, 2))


def test_scenes_have_the_form_that_training_takes(some: list[TrainingScene]) -> None:
    assert len(some) == 300
    shapes = set()
    for scene in some:
        height, width = scene.pixels.shape[:2]
        shapes.add((width, height))
        assert scene.pixels.dtype == np.uint8
        assert scene.pixels.flags.c_contiguous
        assert scene.boxes.shape == (len(scene.labels), 4)
        assert (scene.boxes.dtype, scene.labels.dtype) == (np.float64, np.int64)
        assert max(width, height) == 160
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] >= 4).all()
        assert (scene.boxes[:, :2] + scene.boxes[:, 2:] <= (width, height)).all()
    assert len(shapes) > 3


def test_scenes_are_balanced_and_some_are_empty(scenes: BrandScenes, some: list[TrainingScene]) -> None:
    empty = np.mean([len(scene.labels) == 0 for scene in some])
    assert NEGATIVES - 0.05 < empty < NEGATIVES + 0.12  # including those whose logos did not fit or are hidden
    counts = np.bincount(np.concatenate([scene.labels for scene in some]), minlength=3)
    assert counts.min() > 0.8 * counts.max()
    assert max(len(scene.labels) for scene in some) > 2
    first = np.array([scenes.labels_of(index)[0] for index in range(300)])
    assert np.bincount(first).tolist() == [100, 100, 100]
    shown = [index for index, scene in enumerate(some) if first[index] in scene.labels]
    assert len(shown) > 0.7 * len(some)


def test_boxes_enclose_the_pasted_logo(some: list[TrainingScene]) -> None:
    """Test that the color in the middle of most boxes is nearest to the label's own color."""
    right = total = 0
    own = np.array([COLORS[label] for label in LABELS], dtype=float)
    for scene in some:
        for (left, top, width, height), label in zip(scene.boxes, scene.labels, strict=True):
            if LABELS[label] == "ring" or min(width, height) < 10:
                continue
            x, y = int(left + width / 2), int(top + height * (0.5 if LABELS[label] == "bar" else 0.6))
            found = scene.pixels[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0)
            direction = found - found.mean()
            nearest = np.argmax((own - own.mean(axis=1, keepdims=True)) @ direction)
            right, total = right + int(nearest == label), total + 1
    assert total > 100
    assert right > 0.85 * total


def test_sizes_and_places_vary(some: list[TrainingScene]) -> None:
    boxes = np.concatenate([scene.boxes for scene in some])
    sides = np.sqrt(boxes[:, 2] * boxes[:, 3]) / 160
    assert np.percentile(sides, 10) < 0.12
    assert np.percentile(sides, 90) > 0.3
    middles = (boxes[:, :2] + boxes[:, 2:] / 2) / 160
    assert (middles.std(axis=0) > 0.15).all()


def test_unusable_logos_are_left_out_with_a_note(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (50, 50), "white").save(tmp_path / "blank.png")
    fields = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(fields).resize((120, 120), Image.Resampling.NEAREST).save(tmp_path / "photo.png")
    good = [(str(folder / image), label) for image, label in logos_in(folder)]
    bad = [("broken.png", "ring"), ("blank.png", "lost"), ("gone.png", "ring"), ("photo.png", "bar")]
    scenes = BrandScenes([*good, *bad], [*LABELS, "lost", "never"], root=tmp_path, size=96)
    assert [(issue.code, issue.where) for issue in scenes.issues] == [
        ("IMAGE_NOT_AN_IMAGE", "broken.png"),
        ("IMAGE_UNUSABLE", "blank.png"),
        ("IMAGE_NOT_FOUND", "gone.png"),
    ]
    said = "\n".join(scenes.notes)
    assert tells(said, "background", 1, 6)
    assert tells(said, 3, 9, "'broken.png'")
    assert tells(said, "'lost'")
    assert "wedge (1)" in said
    assert {int(scenes.labels_of(index)[0]) for index in range(9)} == {0, 1, 2}
    scene = scenes.load(0, 0)
    assert scene is not None
    with pytest.raises(NotEnoughDataError, match=facts(2, "training", "broken.png")):
        BrandScenes([("broken.png", "ring"), ("blank.png", "ring")], LABELS, root=tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5000, 20), (20, 3000), (40, 40), (700, 600)])
def test_logos_of_any_size_make_scenes_or_are_reported(tmp_path: Path, folder: Path, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white")
    picture.paste((200, 20, 30), (size[0] // 4, size[1] // 4, -(-size[0] * 3 // 4), -(-size[1] * 3 // 4)))
    picture.save(tmp_path / "odd.png")
    scenes = BrandScenes([("odd.png", "ring"), (str(folder / "bar-0.png"), "bar")], LABELS, root=tmp_path, size=96)
    assert len(scenes.issues) == (min(size) < 40)
    for index in range(12):
        scene = scenes.load(index, 0)
        assert scene is not None
        assert (scene.boxes[:, 2:] >= 4).all()


def test_invalid_arguments_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="'other', which is not in labels"):
        BrandScenes([("ring-0.png", "other")], LABELS, root=folder)
    with pytest.raises(InputError, match="size=10"):
        BrandScenes(logos_in(folder), LABELS, root=folder, size=10)
    with pytest.raises(InputError, match="length=0"):
        BrandScenes(logos_in(folder), LABELS, root=folder, length=0)
    with pytest.raises(NotEnoughDataError):
        BrandScenes([], LABELS)


def test_trimming_reports_progress_and_can_be_cancelled(folder: Path) -> None:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    BrandScenes(logos_in(folder), LABELS, root=folder, events=events)
    assert seen[-1] == Progress("cutting out logos", 5, 5)
    events.cancel()
    with pytest.raises(Cancelled):
        BrandScenes(logos_in(folder), LABELS, root=folder, events=events)


def test_backgrounds_are_cut_out_of_the_users_own_images(tmp_path: Path, folder: Path) -> None:
    green = tmp_path / "green.png"
    Image.new("RGB", (500, 300), (10, 250, 10)).save(green)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    backgrounds = [str(green), str(tmp_path / "broken.jpg")]
    scenes = BrandScenes(logos_in(folder), LABELS, root=folder, backgrounds=backgrounds, size=96)
    green_ones = 0
    for index in range(40):
        scene = scenes.load(index, 0)
        assert scene is not None
        corner = scene.pixels[:6, :6].reshape(-1, 3).mean(axis=0)
        green_ones += bool(corner[1] > 120 and corner[[0, 2]].max() < 90)
    assert 4 < green_ones < 36
    assert [issue.where for issue in scenes.issues] == [str(tmp_path / "broken.jpg")]


def test_an_image_that_vanishes_costs_its_scenes_only(tmp_path: Path, folder: Path) -> None:
    for name in ("ring-0.png", "bar-0.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    logos = [("ring-0.png", "ring"), ("bar-0.png", "bar")]
    kept, forgetful = (BrandScenes(logos, LABELS, root=tmp_path, size=96, cache_bytes=n) for n in (10**8, 0))
    (tmp_path / "bar-0.png").unlink()
    assert all(kept.load(index, 1) is not None for index in range(30))
    found = [forgetful.load(index, 1) for index in range(30)]
    assert None in found
    assert any(scene is not None for scene in found)
    assert [(issue.code, issue.where) for issue in forgetful.issues] == [("IMAGE_NOT_FOUND", "bar-0.png")]


def test_memory_has_a_limit_that_changes_no_scene(
    folder: Path, scenes: BrandScenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def count(image: str, *arguments: Any, **options: Any) -> Any:
        read.append(image)
        return read_cutout(image, *arguments, **options)

    monkeypatch.setattr(brands, "read_cutout", count)
    small = BrandScenes(
        logos_in(folder), LABELS, root=folder, random_state=3, size=160, length=300, cache_bytes=250_000
    )
    for index in range(12):
        assert same(small.load(index, 0), scenes.load(index, 0))
    assert len(read) > 5  # the logos do not fit, and are read again


@pytest.mark.parametrize(("grounds", "kept"), [(["#d01020"] * 3, True), (["#d01020", "#10d020", "white"], False)])
def test_shared_strong_background_belongs_to_the_logo(
    tmp_path: Path, grounds: list[str], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    logos, whole = [], set()

    def note(image: str, root: Path | None, *, keep_ground: bool = False) -> Any:
        cutout = read_cutout(image, root, keep_ground=keep_ground)
        whole.add(keep_ground and Logo.of(cutout).closed.size)
        return cutout

    monkeypatch.setattr(brands, "read_cutout", note)
    for number, ground in enumerate(grounds):
        picture = Image.new("RGB", (160, 160), ground)
        picture.paste("black", (50, 50, 110, 110))
        picture.save(tmp_path / f"{number}.png")
        logos.append((f"{number}.png", "mark"))
    scenes = BrandScenes(logos, ["mark"], root=tmp_path)
    assert any("learnt as part of the logo" in note for note in scenes.notes) == kept
    assert all(scenes.load(index, 0) is not None for index in range(10))
    assert whole == ({False, (160, 160)} if kept else {False})


class Numbered:
    """Scenes whose only label is their number."""

    def __init__(self, length: int, first: int) -> None:
        self.length, self.first = length, first

    def __len__(self) -> int:
        return self.length

    def labels_of(self, index: int) -> np.ndarray:
        return np.array([self.first + index])

    def load(self, index: int, epoch: int) -> TrainingScene:
        return TrainingScene(np.zeros((4, 4, 3), np.uint8), np.array([[0.0, 0, 4, 4]]), self.labels_of(index))


def test_few_real_images_come_several_times_an_epoch() -> None:
    mixed = MixedScenes(Numbered(200, 0), Numbered(3, 1000))
    labels = [int(scene.labels[0]) for index in range(200) if (scene := mixed.load(index, 5))]
    real = [label for label in labels if label >= 1000]
    assert len(mixed) == len(labels) == 200
    assert {label: real.count(label) for label in real} == {1000 + i: REAL_TURNS for i in range(3)}
    assert [int(mixed.labels_of(index)[0]) for index in range(200)] == labels
    assert mixed.composed


def test_many_real_images_take_turns() -> None:
    mixed = MixedScenes(Numbered(100, 0), Numbered(120, 1000))
    seen: list[int] = []
    for epoch in range(12):
        real = [int(mixed.load(index, epoch).labels[0]) for index in range(50)]  # type: ignore[union-attr]
        assert min(real) >= 1000
        seen += real
    assert set(np.bincount(np.array(seen) - 1000)) == {5}
    assert mixed.labels_of(0).size == 0
    assert mixed.labels_of(99).tolist() == [99]
    with pytest.raises(InputError, match="real contains no images"):
        MixedScenes(Numbered(100, 0), Numbered(0, 0))


def test_a_detector_is_trained_on_scenes_as_they_are(scenes: BrandScenes) -> None:
    """Test that scenes are never mirrored or combined: the drawn object stays on its side of the image."""
    options = DetectionOptions(budget=parse_budget(None, 1), batch=2, input_size=64, device="cpu")
    prepared = prepare(scenes, LABELS, options, Events(), None, None)
    network = pretrained_detector(DetectorShape(OWN), len(LABELS), options.backbone, random_state=0)
    learner = DetectionLearner(network, prepared, LABELS, options, "cpu")
    assert learner.repeated == 1
    assert len(learner.turns) == len(scenes)
    losses = learner.losses(learner.batch(0, 0.0))
    assert all(bool(value.isfinite()) for value in losses.values())


class HalfRed:
    """Scenes whose left half is red, with a box in it."""

    composed = True

    def __len__(self) -> int:
        return 50

    def labels_of(self, index: int) -> np.ndarray:
        return np.zeros(1, dtype=np.int64)

    def load(self, index: int, epoch: int) -> TrainingScene:
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[:, :32, 0] = 250
        return TrainingScene(pixels, np.array([[4.0, 4, 20, 20]]), self.labels_of(index))


@pytest.mark.parametrize("composed", [True, False])
def test_composed_scenes_are_neither_mirrored_nor_tiled(composed: bool) -> None:
    source = HalfRed()
    source.composed = composed
    options = DetectionOptions(budget=parse_budget(None, 1), batch=8, input_size=64, device="cpu")
    prepared = prepare(source, ["mark"], options, Events(), None, None)
    network = build_detector(DetectorShape(OWN), 1, options.backbone)
    learner = DetectionLearner(network, prepared, ["mark"], options, "cpu")
    boxes = [len(scene.boxes) for step in range(6) for scene in learner.batch(step, 0.0)]
    right_of_red = 0
    for scene in (scene for step in range(6) for scene in learner.batch(step, 0.9)):
        columns = scene.pixels[..., 0].astype(int) - scene.pixels[..., 1] > 60
        black = (scene.pixels.max(axis=2) < 60) & (scene.pixels.std(axis=2) < 30)
        if columns.any() and black.any():
            right_of_red += np.nonzero(black)[1].mean() < np.nonzero(columns)[1].mean()
    assert (max(boxes) > 1) != composed
    assert (right_of_red > 0) != composed
