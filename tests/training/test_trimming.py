"""Tests of cutting out logos: on white, grey, gradients, noise, photos, transparency, and at any size."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from customlabels_nb.errors import ImageError, ImageNotFoundError
from customlabels_nb.training.trimming import LONGEST_KEPT, Cutout, describe_grounds, read_cutout, trim_background
from tests.facts import tells
from tests.tiers import many

SIDE = 200
RED = (200, 30, 40)


def disc(ground: Image.Image, *, hole: bool = False) -> Image.Image:
    """Draw a red disc of 120 pixels at (50, 30) on a copy of the background, optionally with a hole of 60 pixels."""
    mask = Image.new("L", (SIDE * 4, SIDE * 4))
    draw = ImageDraw.Draw(mask)
    draw.ellipse((200, 120, 680, 600), fill=255)
    if hole:
        draw.ellipse((320, 240, 560, 480), fill=0)
    picture = ground.copy()
    picture.paste(RED, (0, 0), mask.resize((SIDE, SIDE), Image.Resampling.BOX))
    return picture


def flat(*color: int) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), color)


def slope() -> Image.Image:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    return Image.fromarray(np.stack([60 + 90 * x, 120 + 100 * y, 250 - 60 * x], axis=2).astype(np.uint8))


def vignette() -> Image.Image:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    return Image.fromarray(np.repeat(245 - 200 * (x * x + y * y)[..., None], 3, axis=2).astype(np.uint8))


def noisy() -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 4, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(noise + np.array([225, 220, 205]), 0, 255).astype(np.uint8))


def photo() -> Image.Image:
    """Return large and small random patches, so that no surface has their colors."""
    rng = np.random.default_rng(1)
    large = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((SIDE, SIDE))
    grain = rng.normal(0, 12, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8))


def as_jpeg(image: Image.Image, quality: int = 80) -> Image.Image:
    """Encode an image as JPEG and open it again."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def check_disc(cutout: Cutout, *, slack: int = 1) -> None:
    """Check that a cut-out is the red disc."""
    height, width = cutout.pixels.shape[:2]
    assert width == pytest.approx(120, abs=2 * slack)
    assert height == pytest.approx(120, abs=2 * slack)
    alpha = cutout.pixels[..., 3]
    assert alpha[height // 2, width // 2] == 255
    assert max(alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1]) < 16
    assert alpha.sum() / 255 == pytest.approx(np.pi * 60**2, rel=0.04)
    solid = cutout.pixels[alpha > 250][:, :3].astype(float)
    assert np.median(solid, axis=0) == pytest.approx(RED, abs=8)


@pytest.mark.parametrize(
    "ground",
    [flat(255, 255, 255), flat(128, 130, 126), flat(0, 0, 0), flat(20, 90, 200), slope(), vignette(), noisy()],
    ids=["white", "grey", "black", "blue", "slope", "vignette", "noisy"],
)
@pytest.mark.parametrize("quality", [None, 80])
def test_a_plain_ground_is_taken_away(ground: Image.Image, quality: int | None) -> None:
    picture = disc(ground)
    cutout = trim_background(picture if quality is None else as_jpeg(picture, quality))
    assert cutout.ground == "plain"
    check_disc(cutout, slack=1 if quality is None else 2)


def test_the_plain_ground_is_named() -> None:
    assert trim_background(disc(flat(20, 90, 200))).color == (20, 90, 200)
    assert trim_background(disc(photo())).color is None


def test_no_fringe_of_the_ground_is_left() -> None:
    pixels = trim_background(disc(flat(255, 255, 255))).pixels
    edge = pixels[(pixels[..., 3] > 60) & (pixels[..., 3] < 250)]
    assert len(edge) > 50
    assert np.abs(edge[:, :3].astype(int) - RED).mean() < 25  # half white would differ by about 100


def test_islands_of_the_grounds_color_may_belong_to_the_logo_or_not() -> None:
    cutout = trim_background(disc(flat(255, 255, 255), hole=True))
    assert cutout.opened is not None
    middle = tuple(side // 2 for side in cutout.opened.shape)
    assert cutout.pixels[middle].tolist() == [255, 255, 255, 255]
    assert cutout.opened[middle] == 0
    assert cutout.opened.sum() / 255 == pytest.approx(np.pi * (60**2 - 30**2), rel=0.05)
    assert trim_background(disc(flat(255, 255, 255))).opened is None


def test_logo_inside_a_photo_stays_rectangular() -> None:
    cutout = trim_background(disc(photo()))
    assert cutout.ground == "photo"
    assert cutout.pixels.shape == (SIDE, SIDE, 4)
    assert (cutout.pixels[..., 3] == 255).all()


def test_a_logo_that_touches_the_edge_is_cut_out() -> None:
    picture = flat(255, 255, 255)
    ImageDraw.Draw(picture).rectangle((60, 0, 139, 150), fill=RED)
    cutout = trim_background(picture)
    assert (cutout.ground, cutout.pixels.shape[:2]) == ("plain", (151, 80))


def test_alpha_channel_is_used() -> None:
    mask = disc(flat(0, 0, 0)).getchannel("R").point([0] * 100 + [255] * 156)
    picture = slope().convert("RGBA")
    picture.putalpha(mask)
    cutout = trim_background(picture)
    assert (cutout.ground, cutout.opened) == ("transparent", None)
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    assert cutout.pixels.shape[:2] == (bottom - top, right - left)
    assert np.array_equal(cutout.pixels, np.asarray(picture)[top:bottom, left:right])


def test_faint_alpha_is_stretched_and_opaque_alpha_ignored() -> None:
    faint = Image.new("RGBA", (SIDE, SIDE))
    faint.paste((*RED, 90), (40, 40, 160, 160))
    assert trim_background(faint).pixels[..., 3].min() == 255
    assert trim_background(disc(flat(255, 255, 255)).convert("RGBA")).ground == "plain"


def test_a_plain_ground_within_transparent_margins_is_taken_away_too() -> None:
    picture = Image.new("RGBA", (SIDE + 60, SIDE + 60))
    picture.paste(disc(flat(255, 255, 255)), (30, 30))
    cutout = trim_background(picture)
    assert cutout.ground == "plain"
    check_disc(cutout)


def test_the_ground_can_be_kept_as_a_part_of_the_logo() -> None:
    cutout = trim_background(disc(flat(20, 90, 200)), keep_ground=True)
    assert cutout.pixels.shape[:2] == (SIDE, SIDE)
    assert (cutout.pixels[..., 3] == 255).all()


@pytest.mark.parametrize(
    "picture",
    [
        flat(255, 255, 255),
        noisy(),
        Image.new("RGBA", (SIDE, SIDE)),
        Image.new("RGBA", (SIDE, SIDE), (200, 30, 40, 5)),
        Image.new("RGB", (1, 1)),
        Image.new("RGBA", (1, 1), (1, 2, 3, 0)),
        Image.new("RGB", (3, 3), RED),
    ],
    ids=["white", "noise", "transparent", "nearly transparent", "1 × 1", "1 × 1 transparent", "3 × 3"],
)
def test_blank_picture_is_refused_by_name(picture: Image.Image) -> None:
    with pytest.raises(ImageError, match=r"'empty\.png'.*no logo"):
        trim_background(picture, "empty.png")


def test_narrow_logos_are_refused_and_large_ones_shrunk() -> None:
    line = Image.new("RGB", (5000, 20), "white")
    line.paste(RED, (10, 5, 4990, 15))
    with pytest.raises(ImageError, match="too narrow"):
        trim_background(line)
    word = Image.new("RGB", (5000, 20), "white")
    word.paste(RED, (100, 5, 200, 15))
    assert trim_background(word).pixels.shape[:2] == (10, 100)
    big = Image.new("RGB", (3000, 2000), "white")
    big.paste(RED, (100, 300, 2900, 1700))
    assert trim_background(big).pixels.shape[:2] == pytest.approx((LONGEST_KEPT / 2, LONGEST_KEPT), abs=2)


@settings(max_examples=many(60))
@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    mode=st.sampled_from(["RGB", "RGBA"]),
    cells=st.integers(1, 4),
    random_state=st.integers(0, 1000),
)
def test_any_picture_is_cut_out_or_refused(width: int, height: int, mode: str, cells: int, random_state: int) -> None:
    fields = np.random.default_rng(random_state).integers(0, 256, (cells, cells, len(mode)), dtype=np.uint8)
    picture = Image.fromarray(fields).resize((width, height), Image.Resampling.NEAREST)
    try:
        cutout = trim_background(picture)
    except ImageError:
        return
    alpha = cutout.pixels[..., 3]
    assert cutout.pixels.dtype == np.uint8
    assert min(alpha.shape) >= 4
    for side in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
        assert side.max() > 16
    assert cutout.opened is None or (cutout.opened <= alpha).all()


def test_files_are_read_with_their_transparency_and_turned_upright(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (SIDE, SIDE))
    picture.paste((*RED, 255), (20, 40, 180, 100))
    picture.save(tmp_path / "logo.png")
    few = Image.new("P", (SIDE, SIDE))
    few.putpalette([0, 0, 0, *RED])
    few.paste(1, (20, 40, 180, 100))
    few.save(tmp_path / "logo.gif", transparency=0)
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = flat(255, 255, 255)
    wide.paste(RED, (20, 40, 180, 100))
    wide.save(tmp_path / "logo.jpg", exif=exif)
    assert read_cutout("logo.png", tmp_path).pixels.shape[:2] == (60, 160)
    assert read_cutout(str(tmp_path / "logo.gif")).ground == "transparent"
    turned = read_cutout("logo.jpg", tmp_path).pixels.shape
    assert turned[:2] == pytest.approx((160, 60), abs=2)
    with pytest.raises(ImageNotFoundError):
        read_cutout("gone.png", tmp_path)


def test_kinds_of_background_are_described() -> None:
    assert describe_grounds(["plain", "transparent"]) == []
    (said,) = describe_grounds(["photo", "plain", "photo", "plain", "photo"])
    assert tells(said, "background", 3, 5, "logo", "rectangles", "PNG")
