"""The drawn example "flowers": three labels a photo, what is written of them, and that the labels are to be seen."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb import examples
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.examples import flowers
from customlabels_nb.examples._drawing import Light
from customlabels_nb.examples.flowers import _grounds, _scenes
from customlabels_nb.examples.flowers._meshes import (
    DEPTH,
    Form,
    Mesh,
    PaintView,
    Tint,
    frame,
    place,
    scatter,
    tube,
    whorl,
)
from customlabels_nb.examples.flowers._scenes import Wish
from customlabels_nb.examples.flowers._species import SPECIES, leaves

SMALL = (64, 48)

SORTS = ("bougainvillea", "camellia", "common_lilac", "frangipani", "jonquil")
AGES = ("fully_grown", "not_fully_grown")
LEAVES = ("with_leaves", "without_leaves")
LABELS = tuple(sorted((*SORTS, *AGES, *LEAVES)))


def labels_of(dataset: object) -> dict[str, frozenset[str]]:
    marks: pd.DataFrame = dataset.annotations  # type: ignore[attr-defined]
    return {Path(image).name: frozenset(group) for image, group in marks.groupby("image")["label"]}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    return examples.write_photos(
        "flowers", tmp_path_factory.mktemp("example") / "flowers", size=SMALL, train=20, test=20
    )


def test_every_photo_has_a_sort_leaves_or_none_and_an_age(photos: examples.ExamplePhotos) -> None:
    assert photos.labels == flowers.LABELS == LABELS
    for file, count in ((photos.train, 20), (photos.test, 20)):
        assert file.suffix == ".csv"
        found = labels_of(read_dataset(file))
        assert len(found) == count
        wanted = itertools.product(SORTS, AGES, LEAVES)
        assert Counter(found.values()) == {frozenset(three): count // 20 for three in wanted}


def test_as_many_photos_as_are_told_are_there_unless_told() -> None:
    assert (flowers.TRAIN, flowers.TEST, flowers.TASK) == (100, 60, "multi-label")
    for count in (flowers.TRAIN, flowers.TEST):
        sorts = Counter(flowers.shown(flowers.wish(number)) for number in range(count))
        assert len(sorts) == 20
        assert set(sorts.values()) == {count // 20}


def test_the_kept_photos_have_three_labels_too(photos: examples.ExamplePhotos) -> None:
    for sort, age, leafy in photos.answers.values():
        assert sort in SORTS
        assert age in AGES
        assert leafy in LEAVES


@pytest.mark.parametrize("size", [(120, 60), (48, 90), (32, 32), (33, 47)])
def test_a_picture_of_any_shape(size: tuple[int, int]) -> None:
    for number in range(0, 20, 4):
        picture = flowers.paint("train", number, np.random.default_rng([5, number]), size)
        assert (picture.image.mode, picture.image.size) == ("RGB", size)
        assert picture.boxes == ()
        assert picture.shown == picture.labels == flowers.shown(flowers.wish(number))


@pytest.mark.parametrize("setting", [_scenes._on_branch, _scenes._in_vase, _scenes._lying])
@pytest.mark.parametrize("sort", SORTS)
def test_leaves_are_to_be_seen_where_the_label_says_so(
    sort: str, setting: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same picture with the leaves left out is another one, and on one without leaves none grow."""
    view = PaintView((128, 96), Light((0.7, 0.7, 0.7), (0.5, 0.5, 0.5), direction=(-0.5, 0.7, -1.0)))

    def paint(leafy: bool) -> np.ndarray:
        rng = np.random.default_rng(3)
        wish = Wish(sort, leafy, grown=True)
        return np.asarray(setting(rng, view, wish, SPECIES[sort].colours[0])).astype(int)  # type: ignore[operator]

    monkeypatch.setattr(_scenes, "_far_off", lambda rng, view, wish, colour, back: back)
    seen = paint(leafy=True)
    grow, grown = _scenes._foliage, []
    monkeypatch.setattr(_scenes, "_foliage", lambda *args: grown.append(grow(*args)) or [])
    gone = np.abs(seen - paint(leafy=True)).max(axis=2) > 24
    assert grown
    assert gone.mean() > 0.004
    grown.clear()
    paint(leafy=False)
    assert grown == []


@pytest.mark.parametrize("sort", SORTS)
def test_a_bud_shows_less_of_itself_than_a_bloom(sort: str) -> None:
    view = PaintView((160, 160), Light((0.8, 0.8, 0.8), (0.2, 0.2, 0.2)))
    species = SPECIES[sort]
    axes = frame((0.2, 1.0, -0.3) if species.spire else (0.2, 0.2, -1.0))
    shares = []
    for opening in (0.05, 0.4, 0.75, 1.0):
        image = Image.new("RGB", view.size, (0, 0, 255))
        rng = np.random.default_rng(3)
        view.paint(image, [place(m, (0, 0, DEPTH), axes, 0.7) for m in species.head(rng, (230, 90, 60), opening)])
        shares.append(float((np.asarray(image) != (0, 0, 255)).any(axis=2).mean()))
    assert shares[0] < 0.75 * shares[2]
    assert shares[0] < shares[1] < shares[3] * 1.02
    assert shares[3] > 0.08


def test_what_is_grown_is_more_open_than_what_is_not() -> None:
    rng = np.random.default_rng(0)
    grown = [_scenes._opening(rng, True) for _ in range(200)]
    young = [_scenes._opening(rng, False) for _ in range(200)]
    assert max(young) < 0.5 < 0.7 < min(grown)


def test_petals_stand_round_the_axis() -> None:
    rng = np.random.default_rng(1)
    plain = Tint((10, 20, 30), (100, 110, 120), (200, 210, 220))
    flat = whorl(rng, Form(1.0, 0.5, 90, 0, 0), plain, 6, loose=0.0)
    assert flat.points.shape == flat.colours.shape == (6, 10, 7, 3)
    assert np.abs(flat.points[..., 2]).max() < 0.01
    tips = flat.points[:, -1, 3]
    assert np.hypot(tips[:, 0], tips[:, 1]) == pytest.approx(np.ones(6))
    assert np.degrees(np.arctan2(tips[:, 1], tips[:, 0])) % 360 == pytest.approx([0, 60, 120, 180, 240, 300], abs=1e-6)
    upright = whorl(rng, Form(1.0, 0.5, 0, 0, 0), plain, 3, loose=0.0)
    assert upright.points[:, -1, 3, 2] == pytest.approx(np.ones(3))


def test_a_frame_is_three_unit_vectors_at_right_angles() -> None:
    for axis in ((0, 0, -1), (0, 1, 0), (0.3, -2.0, 0.1), (-1, 0.2, 0.4)):
        axes = frame(axis, 33.0)
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-9)
        assert axes[2] == pytest.approx(np.array(axis) / np.linalg.norm(axis))
        assert np.linalg.det(axes) == pytest.approx(1.0)


def test_copies_are_what_placing_each_gives() -> None:
    petal = whorl(np.random.default_rng(2), Form(1, 0.4), Tint((9, 9, 9), (90, 90, 90), (200, 200, 200)), 2)
    ats = np.array([[0.1, 0.2, 4.0], [-0.5, 0.0, 4.2]])
    axes = np.stack([frame((0, 0.4, -1), 10), frame((1, 0, 0), 70)])
    copies = scatter(petal, ats, axes, np.array([0.5, 2.0]), np.array([1.0, 0.5]))
    for n, (size, shade) in enumerate(((0.5, 1.0), (2.0, 0.5))):
        one = place(petal, ats[n], axes[n], size)
        assert copies.points[2 * n : 2 * n + 2] == pytest.approx(one.points)
        assert copies.colours[2 * n : 2 * n + 2] == pytest.approx(one.colours * shade)


def test_the_near_covers_the_far_whatever_the_order() -> None:
    view = PaintView((60, 60), Light((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))

    def board(z: float, colour: tuple[int, int, int], half: float) -> Mesh:
        side = np.array([-half, half])
        x, y = np.meshgrid(side, side)
        return Mesh(np.stack([x, y, 0 * x + z], axis=-1)[None], np.broadcast_to(np.array(colour, float), (1, 2, 2, 3)))

    for order in (1, -1):
        image = Image.new("RGB", (60, 60))
        view.paint(image, [board(DEPTH + 1, (0, 200, 0), 2.0), board(DEPTH, (200, 0, 0), 0.5)][::order])
        red = np.asarray(image)[..., 0] > 100
        assert red[30, 30]
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        assert (rows[0], rows[-1], columns[0], columns[-1]) == pytest.approx((15, 45, 15, 45), abs=1)
        assert np.asarray(image)[2, 2, 1] > 100


def test_a_side_in_the_light_is_brighter_and_a_thin_sheet_lets_some_through() -> None:
    stem = tube([(0, -1, DEPTH), (0, 1, DEPTH)], [0.6, 0.6], (120, 120, 120), sides=8)
    image = Image.new("RGB", (80, 80))
    PaintView(image.size, Light((0.4, 0.4, 0.4), (0.6, 0.6, 0.6), direction=(1.0, 0.0, -0.4))).paint(image, [stem])
    row = np.asarray(image)[40, :, 0]
    assert row[50] > row[40] > row[30] > 0
    thin, thick = (
        whorl(np.random.default_rng(0), Form(1, 1, 90, 0, 0), Tint(*[(120, 120, 120)] * 3), 3, through=share)
        for share in (0.8, 0.0)
    )
    behind = PaintView((80, 80), Light((0.4, 0.4, 0.4), (0.6, 0.6, 0.6), direction=(0, 0, 1)))
    brightest = []
    for mesh in (thin, thick):
        image = Image.new("RGB", (80, 80))
        behind.paint(image, [place(mesh, (0, 0, DEPTH), frame((0, 0, -1)))])
        brightest.append(int(np.asarray(image)[..., 0].max()))
    assert brightest[0] > brightest[1] + 20


def test_a_shadow_falls_away_from_the_light() -> None:
    view = PaintView((120, 120), Light((1, 1, 1), (0, 0, 0), direction=(-1.0, 0.0, -1.0)))
    image = Image.new("RGB", (120, 120), (200, 200, 200))
    petals = whorl(np.random.default_rng(0), Form(0.4, 0.4, 90, 0, 0), Tint(*[(120, 120, 120)] * 3), 5)
    view.shade(image, [place(petals, (0, 0, DEPTH - 0.6), frame((0, 0, -1)))], DEPTH, 0.6, 0.02)
    dark = np.argwhere(np.asarray(image)[..., 0] < 150)
    assert len(dark) > 100
    assert dark[:, 1].mean() > 60 + 20
    assert dark[:, 0].mean() == pytest.approx(60, abs=8)


@pytest.mark.parametrize("ground", [_grounds.wood, _grounds.cloth, _grounds.stone])
def test_a_ground_fills_the_canvas(ground: object) -> None:
    for size in ((96, 64), (64, 128)):
        for seed in range(4):
            image: Image.Image = ground(np.random.default_rng(seed), size)  # type: ignore[operator]
            assert (image.mode, image.size) == ("RGB", size)
            assert np.asarray(image).std() > 1


def test_leaves_are_green() -> None:
    for species in SPECIES.values():
        for seed in range(5):
            red, green, blue = leaves(np.random.default_rng(seed), species, 3).colours.reshape(-1, 3).mean(axis=0)
            assert green > red
            assert green > blue


def test_a_project_of_it_has_photos_to_train_and_to_test(tmp_path: Path) -> None:
    project = examples.create("flowers", tmp_path, size=SMALL, train=20, test=5)
    assert tuple(project.labels) == LABELS
    for dataset, count in ((project.train_set, 20), (project.test_set, 5)):
        found = labels_of(dataset)
        assert len(found) == len(set(found.values())) == count
        assert all(len(three) == 3 for three in found.values())
    assert len(list((tmp_path / "flowers-photos" / "detect").glob("new_*.jpg"))) == 2


def test_what_is_written_is_read_and_written_again_as_it_was(photos: examples.ExamplePhotos, tmp_path: Path) -> None:
    dataset = read_dataset(photos.train)
    dataset.to("csv", tmp_path / "again.csv")
    again = labels_of(read_dataset(tmp_path / "again.csv"))
    assert again == labels_of(dataset)
    assert len(again) == 20
