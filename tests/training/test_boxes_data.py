from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.core.tables import normalise_annotations
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Events, Progress
from customlabels_nb.models.detector_shape import choose_input_size
from customlabels_nb.training.boxes_data import (
    Example,
    Photos,
    make_examples,
    usable_boxes,
)
from customlabels_nb.training.detection_learner import VISIBLE, Turns, frequencies, mosaic, single
from customlabels_nb.training.scene_sources import TrainingScene
from tests.tiers import many
from tests.training.drawn import COLORS, drawn_squares

GREY = (127, 127, 127)


def example(image: str, *boxes: tuple[float, float, float, float], ignored: list[list[float]] | None = None) -> Example:
    labels = np.zeros(len(boxes), dtype=np.int64)
    return Example(image, None, np.array(boxes, dtype=np.float64), labels, np.array(ignored or []))


# -- tables and boxes ------------------------------------------------------------------------------------
def test_examples_of_tables_polygons_count_as_boxes_and_crowds_are_ignored() -> None:
    images = pd.DataFrame({"image": ["a.png", "nothing.png", "b.png"], "sha256": ["1", None, "3"]})
    rows = [
        {"image": "b.png", "label": "pear", "left": 1, "top": 2, "width": 3, "height": 4},
        {"image": "a.png", "label": "apple", "left": 5, "top": 6, "width": 7, "height": 8, "crowd": True},
        {"image": "a.png", "label": "apple", "polygon": [[10, 20], [30, 20], [20, 50]]},
        {"image": "a.png", "label": "pear"},  # label of the whole image
        {"image": "a.png", "label": "plum", "left": 1, "top": 1, "width": 1, "height": 1},  # not trained
    ]
    found = make_examples(images, normalise_annotations(pd.DataFrame(rows)), ["pear", "apple"])
    assert [(one.image, one.sha256) for one in found] == [("a.png", "1"), ("nothing.png", None), ("b.png", "3")]
    assert found[0].boxes.tolist() == [[10, 20, 20, 30]]
    assert found[0].labels.tolist() == [1]
    assert found[0].ignored.tolist() == [[5, 6, 7, 8]]
    assert found[1].boxes.shape == (0, 4)
    assert found[2].boxes.tolist() == [[1, 2, 3, 4]]
    assert found[2].labels.tolist() == [0]


def test_boxes_and_labels_must_be_as_many() -> None:
    with pytest.raises(InputError, match="2 boxes but 1 labels"):
        Example("a.png", None, np.zeros((2, 4)), np.zeros(1))


def test_invalid_boxes_are_left_out_with_a_note() -> None:
    boxes = [
        (10, 10, 20, 20),
        (90, 40, 20, 20),  # half outside: the part inside counts
        (95, 40, 20, 20),  # a quarter inside
        (200, 0, 5, 5),
        (5, 5, 0, 9),
        (5, 5, -3, 9),
        (np.nan, 5, 3, 9),
        (5, 5, np.inf, 9),
    ]
    kept, labels, issues = usable_boxes(example("<x>.png", *boxes), (100, 80))
    assert kept.tolist() == [[10, 10, 20, 20], [90, 40, 10, 20]]
    assert len(labels) == 2
    assert [issue.code for issue in issues] == ["BOX_OFF_FRAME"] * 2 + ["BOX_EMPTY"] * 4
    assert all(issue.where == "<x>.png" for issue in issues)


@pytest.mark.parametrize(
    ("side", "frame", "size"),
    [
        (200, (640, 480), 320),
        (40, (640, 480), 320),
        (24, (640, 480), 512),
        (12, (1280, 960), 1024),  # even that is too small, but there is no larger size
        (12, (400, 300), 416),
        (4, (200, 100), 320),  # a larger size would add no detail
    ],
)
def test_small_boxes_ask_for_larger_inputs(side: float, frame: tuple[int, int], size: int) -> None:
    boxes = np.array([[0, 0, side, side]] * 10)
    chosen, smallest = choose_input_size(boxes, np.array([frame] * 10))
    assert chosen == size
    assert smallest == pytest.approx(side * size / frame[0])


def test_input_size_without_boxes() -> None:
    assert choose_input_size(np.empty((0, 4)), np.empty((0, 2)))[0] == 320
    assert choose_input_size(np.array([[0, 0, np.nan, -1]]), np.array([[10, 10]]))[0] == 320


# -- photos ----------------------------------------------------------------------------------------------
def test_photos_are_reduced_upright_and_boxes_go_along(tmp_path: Path) -> None:
    pixels = np.full((600, 1000, 3), 200, dtype=np.uint8)
    pixels[100:300, 700:900] = (10, 20, 230)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated clockwise by a quarter turn
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    box = (300, 700, 200, 200)  # in the upright image of 600 × 1000
    scene = Photos([example(str(tmp_path / "turned.jpg"), box)], side=500).load(0)
    assert scene is not None
    assert scene.pixels.shape == (500, 300, 3)
    assert scene.boxes.tolist() == [[150, 350, 100, 100]]
    left, top, width, height = scene.boxes[0].astype(int)
    inside = scene.pixels[top + 4 : top + height - 4, left + 4 : left + width - 4].reshape(-1, 3)
    assert np.abs(inside - np.array([10, 20, 230])).max() < 40


def test_small_images_stay_as_they_are(tmp_path: Path) -> None:
    [one] = drawn_squares(tmp_path, 1)
    scene = Photos([one]).load(0)
    assert scene is not None
    assert scene.pixels.shape == (96, 128, 3)
    assert scene.boxes.tolist() == one.boxes.tolist()


def test_unreadable_images_are_reported_once(tmp_path: Path) -> None:
    [good] = drawn_squares(tmp_path, 1)
    (tmp_path / "broken.png").write_bytes(b"no image")
    bad_boxes = example(good.image, (500, 500, 10, 10))
    photos = Photos([good, example(str(tmp_path / "broken.png"), (1, 1, 5, 5)), example("gone.png"), bad_boxes])
    for _ in range(2):
        assert [photos.load(index) is not None for index in range(4)] == [True, False, False, False]
    assert sorted(issue.code for issue in photos.issues) == ["BOX_OFF_FRAME", "IMAGE_NOT_AN_IMAGE", "IMAGE_NOT_FOUND"]
    assert photos.may_have_boxes()
    nothing = Photos([bad_boxes, example("gone.png", (1, 1, 5, 5))])
    assert nothing.may_have_boxes()  # it has not checked yet
    nothing.preload(Events())
    assert not nothing.may_have_boxes()


def test_images_relative_to_a_root(tmp_path: Path) -> None:
    drawn_squares(tmp_path, 1)
    assert Photos([example("000.png", (1, 1, 5, 5))], root=tmp_path).load(0) is not None


def test_the_cache_has_a_limit_and_beyond_it_images_are_decoded_again(tmp_path: Path) -> None:
    examples = drawn_squares(tmp_path, 5)
    each = 128 * 96 * 3
    photos = Photos(examples, cache_bytes=2 * each)
    photos.preload(Events())
    assert photos.cached_bytes == 2 * each
    scenes = [photos.load(index) for index in range(5)]
    again = [photos.load(index) for index in range(5)]
    kept = [first is second for first, second in zip(scenes, again, strict=True)]
    assert sum(kept) == 2
    assert photos.cached_bytes == 2 * each
    for first, second in zip(scenes, again, strict=True):
        assert first is not None
        assert second is not None
        assert np.array_equal(first.pixels, second.pixels)
    cached = kept.index(True)  # whichever was decoded first
    Path(examples[cached].image).unlink()
    assert photos.load(cached) is scenes[cached]


def test_an_image_that_vanishes_is_skipped(tmp_path: Path) -> None:
    examples = drawn_squares(tmp_path, 2)
    photos = Photos(examples, cache_bytes=0)
    assert photos.load(1) is not None
    Path(examples[1].image).unlink()
    assert photos.load(1) is None
    assert [issue.code for issue in photos.issues] == ["IMAGE_NOT_FOUND"]


def test_preloading_can_be_stopped(tmp_path: Path) -> None:
    events = Events()
    events.subscribe(lambda event: events.cancel() if isinstance(event, Progress) and event.done == 2 else None)
    photos = Photos(drawn_squares(tmp_path, 6))
    with pytest.raises(Cancelled):
        photos.preload(events)


def test_ignored_regions_are_painted_over_except_boxes_on_them(tmp_path: Path) -> None:
    [one] = drawn_squares(tmp_path, 1)
    left, top, width, height = one.boxes[0].astype(int)
    crowd = Example(one.image, None, one.boxes, one.labels, np.array([[0.0, 0, 128, 96]]))
    scene, plain = Photos([crowd]).load(0), Photos([one]).load(0)
    assert scene is not None
    assert plain is not None
    box = np.s_[top : top + height, left : left + width]
    assert np.array_equal(scene.pixels[box], plain.pixels[box])
    outside = np.ones((96, 128), dtype=bool)
    outside[box] = False
    assert len(np.unique(scene.pixels[outside].reshape(-1, 3), axis=0)) == 1


# -- augmentation ----------------------------------------------------------------------------------------
def scene_with(boxes: list[list[float]], size: tuple[int, int], labels: list[int]) -> TrainingScene:
    """Return a scene whose boxes are filled with the color of their label."""
    pixels = np.full((size[1], size[0], 3), 0, dtype=np.uint8)
    for (left, top, width, height), label in zip(np.array(boxes).astype(int), labels, strict=True):
        pixels[top : top + height, left : left + width] = COLORS[label]
    return TrainingScene(pixels, np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(labels, dtype=np.int64))


def check_boxes_lie_where_the_colors_are(canvas: TrainingScene, side: int) -> None:
    """Check that boxes are inside the canvas and on the color of their label."""
    assert canvas.pixels.shape == (side, side, 3)
    assert canvas.pixels.dtype == np.uint8
    assert (canvas.boxes[:, :2] >= 0).all()
    assert (canvas.boxes[:, :2] + canvas.boxes[:, 2:] <= side + 1e-9).all()
    channels = canvas.pixels.astype(int)
    for (left, top, width, height), label in zip(canvas.boxes, canvas.labels, strict=True):
        if min(width, height) < 8:
            continue
        middle = channels[int(top + height * 0.2) : int(top + height * 0.8) + 1, :][
            :, int(left + width * 0.2) : int(left + width * 0.8) + 1
        ]
        red_not_blue = middle[..., 0] - middle[..., 2]
        share = (red_not_blue > 0).mean() if label == 0 else (red_not_blue < 0).mean()
        assert share > 0.95


@settings(max_examples=many(60))
@given(st.integers(0, 2**32 - 1), st.integers(40, 400), st.integers(40, 400))
def test_boxes_go_where_their_pixels_go(random_state: int, width: int, height: int) -> None:
    first = scene_with([[5, 6, width - 20, 12], [width // 2, 22, 15, height - 24]], (width, height), [0, 1])
    second = scene_with([[3, 3, 30, 30]], (60, 50), [1])
    nothing = scene_with([], (30, 90), [])
    rng = np.random.default_rng(random_state)
    check_boxes_lie_where_the_colors_are(single(first, 96, GREY, rng), 96)
    check_boxes_lie_where_the_colors_are(mosaic([first, second, nothing, first], 96, GREY, rng), 96)


def test_a_scene_keeps_at_least_one_box_in_sight() -> None:
    scene = scene_with([[2, 2, 40, 40]], (300, 200), [0])
    rng = np.random.default_rng(0)
    kept = [len(single(scene, 96, GREY, rng).boxes) for _ in range(200)]
    assert np.mean(kept) > 0.97


def test_hardly_visible_boxes_are_dropped() -> None:
    scene = scene_with([[0, 0, 99, 99]], (100, 100), [0])
    rng = np.random.default_rng(0)
    for _ in range(300):
        canvas = mosaic([scene] * 4, 64, GREY, rng)
        assert len(canvas.boxes) <= 4
        assert (canvas.boxes[:, 2:] >= 2).all()
    assert VISIBLE == 0.4


def test_equal_seeds_make_equal_canvases_and_scenes_stay_untouched() -> None:
    scene = scene_with([[5, 5, 30, 20]], (80, 60), [0])
    scene.pixels.flags.writeable = False
    before = scene.boxes.copy()
    first, second = (single(scene, 64, GREY, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(scene.boxes, before)


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000)])
def test_extreme_sizes_are_handled(size: tuple[int, int]) -> None:
    scene = TrainingScene(np.zeros((size[1], size[0], 3), dtype=np.uint8), np.array([[0.0, 0, *size]]), np.array([0]))
    rng = np.random.default_rng(0)
    for _ in range(20):
        for canvas in (single(scene, 64, GREY, rng), mosaic([scene] * 4, 64, GREY, rng)):
            assert canvas.pixels.shape == (64, 64, 3)
            ends = canvas.boxes[:, :2] + canvas.boxes[:, 2:]
            assert (canvas.boxes[:, :2] >= 0).all()
            assert (ends <= 64).all()


# -- epoch order -----------------------------------------------------------------------------------------
def test_every_picture_comes_once_an_epoch_in_another_order_each_time() -> None:
    turns = Turns(np.ones(7), 0)
    epochs = [[turns.at(turn) for turn in range(7 * epoch, 7 * epoch + 7)] for epoch in range(3)]
    for number, epoch in enumerate(epochs):
        assert sorted(index for index, _ in epoch) == list(range(7))
        assert {at for _, at in epoch} == {number}
    assert len({tuple(index for index, _ in epoch) for epoch in epochs}) > 1
    assert [Turns(np.ones(7), 0).at(turn) for turn in range(14, 21)] == epochs[2]  # without the earlier ones


def test_rare_labels_come_more_often() -> None:
    labels = [np.array([0])] * 95 + [np.array([1]), np.array([0, 1])] + [np.empty(0, dtype=np.int64)] * 3
    weights = frequencies(labels, 3)
    assert weights[:95].tolist() == [1.0] * 95
    assert weights[95] == weights[96] == pytest.approx(np.sqrt(0.1 / 0.02))
    assert weights[97:].tolist() == [1.0] * 3
    turns = Turns(weights, 0)
    counts = np.bincount([turns.at(turn)[0] for turn in range(50 * len(turns))], minlength=100)
    assert counts[95] / counts[:95].mean() == pytest.approx(np.sqrt(5), rel=0.1)
    assert (counts > 0).all()


def test_any_picture_by_its_frequency() -> None:
    turns, rng = Turns(np.array([1.0, 3.0]), 0), np.random.default_rng(0)
    assert np.mean([turns.some(rng) for _ in range(2000)]) == pytest.approx(0.75, abs=0.05)
