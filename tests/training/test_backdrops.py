"""Tests of backgrounds for logos: drawn at any size, always different, and without logos."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.training.backdrops import clouds, cut_out, draw_backdrop, draw_shape, palette, shuffle_pieces
from customlabels_nb.training.pasting import photographed
from tests.tiers import many


@settings(max_examples=many(60))
@given(random_state=st.integers(0, 10_000), width=st.integers(36, 200), height=st.integers(36, 200))
def test_a_backdrop_has_the_size_that_is_asked_for_and_depends_on_its_seed_alone(
    random_state: int, width: int, height: int
) -> None:
    first, again = (draw_backdrop(np.random.default_rng(random_state), (width, height)) for _ in range(2))
    assert (first.mode, first.size) == ("RGB", (width, height))
    assert first.tobytes() == again.tobytes()
    taken, taken_again = (photographed(np.random.default_rng(random_state), image) for image in (first, again))
    assert (taken.shape, taken.dtype) == ((height, width, 3), np.uint8)
    assert np.array_equal(taken, taken_again)


def test_backdrops_differ_as_photos_do() -> None:
    images = [
        np.asarray(draw_backdrop(np.random.default_rng(random_state), (96, 96))).astype(float)
        for random_state in range(120)
    ]
    means, deviations = np.array([i.mean(axis=(0, 1)) for i in images]), np.array([i.std() for i in images])
    assert (means.std(axis=0) > 35).all()
    assert np.percentile(deviations, 5) < 25
    assert np.percentile(deviations, 80) > 35
    edges = np.array([np.abs(np.diff(image, axis=1)).mean() for image in images])
    assert edges.max() > 10 * max(edges.min(), 0.1)


@settings(max_examples=many(60))
@given(
    random_state=st.integers(0, 10_000),
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    wide=st.sampled_from([60, 90, 160]),
)
def test_any_photo_gives_pieces(random_state: int, width: int, height: int, wide: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert cut_out(np.random.default_rng(random_state), (wide, 90), photo).size == (wide, 90)


def test_pieces_of_a_photo_are_hardly_stretched() -> None:
    """Test that checks of 20 pixels stay checks, with equal edges per pixel horizontally and vertically."""
    y, x = np.mgrid[0:600, 0:600] // 20
    photo = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    for random_state in range(10):
        piece = np.asarray(cut_out(np.random.default_rng(random_state), (160, 90), photo))[..., 0] > 128
        across, down = (piece[:, 1:] != piece[:, :-1]).mean(), (piece[1:] != piece[:-1]).mean()
        assert 0.8 < across / down < 1.25


def test_shapes_can_be_seen_and_differ() -> None:
    shapes = [draw_shape(np.random.default_rng(random_state)) for random_state in range(40)]
    assert all(
        shape.shape[2] == 4 and shape.dtype == np.uint8 and (shape[..., 3] > 0).mean() > 0.01 for shape in shapes
    )
    assert len({shape.tobytes() for shape in shapes}) == 40


@given(random_state=st.integers(0, 1000), width=st.integers(12, 60), height=st.integers(12, 60))
def test_shuffled_pieces_have_the_same_pixels_elsewhere(random_state: int, width: int, height: int) -> None:
    pixels = np.arange(height * width * 4, dtype=np.uint32).reshape(height, width, 4)
    mixed = shuffle_pieces(np.random.default_rng(random_state), pixels)  # type: ignore[arg-type]
    assert mixed.shape[0] > height - 4
    assert mixed.shape[1] > width - 4
    assert np.isin(mixed, pixels).all()
    assert len(np.unique(mixed)) == mixed.size
    assert (mixed != pixels[: mixed.shape[0], : mixed.shape[1]]).any()


def test_colors_and_noise_have_their_range() -> None:
    rng = np.random.default_rng(0)
    colors = np.concatenate([palette(rng, 5) for _ in range(200)])
    assert colors.shape == (1000, 3)
    assert colors.min() >= 0
    assert colors.max() <= 255
    vivid = np.ptp(colors, axis=1)
    assert np.median(vivid) < 80  # most colors of photos are dull
    assert np.percentile(vivid, 95) > 100
    field = clouds(rng, (80, 50), finest=240)
    assert field.shape == (50, 80)
    assert 0.7 < field.std() < 1.4
