"""Tests of stickers warped into images, occlusion, and the boxes around the visible parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.core.geometry import iou
from customlabels_nb.training.pasting import LEAST_SIDE, Logo, PasteCanvas, Pose, Sticker, warp
from customlabels_nb.training.trimming import Cutout
from tests.tiers import many

RED = (220, 20, 30)


def sticker(width: int, height: int, alpha: int = 255) -> Sticker:
    """Return a red sticker of this size."""
    pixels = np.empty((height, width, 4), dtype=np.uint8)
    pixels[:] = (*RED, alpha)
    return Sticker.of(pixels)


def canvas(width: int = 200, height: int = 160) -> PasteCanvas:
    return PasteCanvas(Image.new("RGB", (width, height), "white"))


def is_red(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image).astype(int)
    return (pixels[..., 0] > 150) & (pixels[..., 1] < 255 - 0.25 * (255 - RED[1]))  # a quarter of it is visible


def extent(mask: np.ndarray) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [float(columns[0]), float(rows[0]), float(np.ptp(columns) + 1), float(np.ptp(rows) + 1)]


def test_sticker_follows_its_pose() -> None:
    scene = canvas()
    scene.paste(warp(sticker(60, 40), Pose(100, 80, 60, 40)), label=3)
    boxes, labels = scene.visible()
    assert labels.tolist() == [3]
    assert boxes[0] == pytest.approx([70, 60, 60, 40], abs=1)
    assert extent(is_red(scene.image)) == pytest.approx([70, 60, 60, 40], abs=1)
    assert np.asarray(scene.image)[80, 100].tolist() == list(RED)


@settings(max_examples=many(80))
@given(
    x=st.floats(20, 180),
    y=st.floats(20, 140),
    width=st.floats(8, 150),
    stretch=st.floats(0.75, 1.33),
    angle=st.floats(-180, 180),
    bend=st.lists(st.floats(-0.18, 0.18), min_size=8, max_size=8),
)
def test_boxes_agree_with_what_is_seen(
    x: float, y: float, width: float, stretch: float, angle: float, bend: list[float]
) -> None:
    pose = Pose(x, y, width, width * stretch, angle, np.array(bend).reshape(4, 2))
    scene = canvas()
    scene.paste(warp(sticker(96, 96), pose), label=0)
    boxes, _ = scene.visible()
    corners = pose.quadrangle()
    whole = np.concatenate([corners.min(axis=0), np.ptp(corners, axis=0)])
    inside = (corners >= 0).all() and (corners <= (200, 160)).all()
    if not len(boxes):
        assert not inside or min(whole[2:]) < LEAST_SIDE + 3
        return
    assert boxes[0] == pytest.approx(extent(is_red(scene.image)), abs=1.01)
    if inside and min(whole[2:]) > 12:
        # the tip of a sharp corner is too faint to be visible
        assert boxes[0] == pytest.approx(whole, abs=max(2.0, 0.06 * max(whole[2:])))


def test_only_the_visible_part_of_a_logo_counts() -> None:
    scene = canvas()
    scene.paste(warp(sticker(60, 60), Pose(0, 80, 60, 60)), label=0)  # half of it
    scene.paste(warp(sticker(60, 60), Pose(194, 80, 60, 60)), label=1)  # 60 % of it
    scene.paste(warp(sticker(60, 60), Pose(100, -10, 60, 60)), label=2)  # a third
    scene.paste(warp(sticker(60, 60), Pose(-300, 80, 60, 60)), label=3)
    boxes, labels = scene.visible()
    assert labels.tolist() == [0, 1]
    assert boxes[0] == pytest.approx([0, 50, 30, 60], abs=1)
    assert boxes[1] == pytest.approx([164, 50, 36, 60], abs=1)


@pytest.mark.parametrize(("hidden", "counts"), [(0.0, True), (0.5, True), (0.57, True), (0.64, False), (1.0, False)])
def test_mostly_hidden_logos_are_no_examples(hidden: float, counts: bool) -> None:
    scene = canvas()
    scene.paste(warp(sticker(100, 100), Pose(100, 80, 100, 100)), label=0)
    cover = np.zeros((104, 104, 4), dtype=np.uint8)
    cover[...] = (0, 0, 255, 255)
    width = 104 * hidden
    if hidden:
        scene.paste(warp(Sticker.of(cover), Pose(48 + width / 2, 80, width, 104)))
    boxes, _ = scene.visible()
    assert len(boxes) == counts
    if counts and hidden:
        assert boxes[0] == pytest.approx([48 + width, 30, 102 - width, 100], abs=1.5)


def test_a_logo_hides_another_one() -> None:
    scene = canvas()
    scene.paste(warp(sticker(60, 60), Pose(100, 80, 60, 60)), label=0)
    scene.paste(warp(sticker(90, 90), Pose(100, 80, 90, 90)), label=1)
    assert scene.visible()[1].tolist() == [1]


def test_tiny_logos_are_skipped() -> None:
    scene = canvas()
    scene.paste(warp(sticker(60, 60), Pose(60, 80, 60, 2)), label=0)
    scene.paste(warp(sticker(60, 60), Pose(140, 80, 6, 6)), label=1)
    assert scene.visible()[1].tolist() == [1]
    boxes, labels = canvas().visible()
    assert (boxes.shape, labels.shape) == ((0, 4), (0,))


def test_a_plate_is_larger_than_the_logo_and_its_box() -> None:
    pose = Pose(100, 80, 60, 40, angle=20)
    scene, plain = canvas(), canvas()
    patch = warp(sticker(60, 40), pose, plate=(0, 0, 255), margin=0.5)
    scene.paste(patch, label=0)
    plain.paste(warp(sticker(60, 40), pose), label=0)
    assert iou(scene.visible()[0], plain.visible()[0])[0, 0] > 0.95
    pixels = np.asarray(scene.image)
    blue = (pixels[..., 2] > 200) & (pixels[..., 0] < 60)
    _, _, width, height = extent(blue)
    assert width > 85
    assert height > 65
    assert is_red(scene.image)[80, 100]


def test_transparent_logos_show_the_background() -> None:
    scene = canvas()
    scene.paste(warp(sticker(60, 60), Pose(100, 80, 60, 60)), label=0, opacity=0.5)
    assert np.asarray(scene.image)[80, 100] == pytest.approx((np.array(RED) + 255) / 2, abs=2)
    assert len(scene.visible()[0]) == 1


def test_small_logos_are_averaged() -> None:
    stripes = np.zeros((256, 256, 4), dtype=np.uint8)
    stripes[..., 3] = 255
    stripes[:, ::2, :3] = 255
    small = warp(Sticker.of(stripes), Pose(20, 20, 32, 32)).image
    inside = np.asarray(small)[6:-6, 6:-6, 0].astype(float)
    assert inside.mean() == pytest.approx(127, abs=4)
    assert inside.std() < 10
    sharp, soft = (warp(Sticker.of(stripes), Pose(20, 20, 250, 250, softer=n)).image for n in (0, 1))
    assert np.asarray(soft)[..., 0].std() < np.asarray(sharp)[..., 0].std() / 2


def test_contrast_is_measured_where_the_logo_is() -> None:
    scene = canvas()
    white = np.full((40, 40, 4), 255, dtype=np.uint8)
    assert scene.contrast(warp(Sticker.of(white), Pose(100, 80, 40, 40))) == pytest.approx(0)
    assert scene.contrast(warp(sticker(40, 40), Pose(100, 80, 40, 40))) == pytest.approx(
        np.mean(255 - np.array(RED)), abs=1
    )
    assert scene.contrast(warp(sticker(40, 40), Pose(-100, 80, 40, 40))) == 0


def test_a_logo_has_two_forms_where_it_has_islands() -> None:
    pixels = np.full((40, 60, 4), 255, dtype=np.uint8)
    opened = np.full((40, 60), 255, dtype=np.uint8)
    opened[10:30, 20:40] = 0
    logo = Logo.of(Cutout(pixels, opened, "plain", (255, 255, 255)))
    assert logo.closed.size == logo.opened.size == (60, 40)
    assert logo.bytes == 2 * logo.closed.bytes
    shown = warp(logo.opened, Pose(50, 50, 60, 40))
    assert shown.logo[50 - shown.top, 50 - shown.left] == 0
    whole = Logo.of(Cutout(pixels, None, "photo"))
    assert whole.closed is whole.opened
    assert whole.rectangle
    assert whole.bytes == whole.closed.bytes
