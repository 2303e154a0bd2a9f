from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, NotAllowedError, NotEnoughDataError
from customlabels_nb.project.projects import create_project
from customlabels_nb.training.batch_view import show_batch
from tests.models.pictures import save_blots
from tests.training.drawn import COLORS, drawn_squares

LABELS = pd.DataFrame({"label": ["red", "blue"], "color": ["#c8553d", "#2f7fc1"]})


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return images with a red or blue rectangle each, labelled with boxes."""
    examples = drawn_squares(tmp_path_factory.mktemp("squares"), 12, size=(256, 192), sides=(50, 90))
    images = pd.DataFrame({"image": [one.image for one in examples], "status": "labelled", "width": 256, "height": 192})
    boxes = pd.DataFrame(np.concatenate([one.boxes for one in examples]), columns=["left", "top", "width", "height"])
    boxes["image"], boxes["label"] = images["image"], [("red", "blue")[one.labels[0]] for one in examples]
    return Dataset(images, boxes, LABELS)


@pytest.fixture(scope="module")
def blots(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return images of a red or blue disc each, with image-level labels."""
    folder = tmp_path_factory.mktemp("blots")
    paths = [path for name, color in zip(("red", "blue"), COLORS, strict=True)
             for path in save_blots(folder / name, color, 4)]  # fmt: skip
    images = pd.DataFrame({"image": paths, "status": "labelled"})
    marks = pd.DataFrame({"image": paths, "label": ["red"] * 4 + ["blue"] * 4})
    return Dataset(images, marks, LABELS)


def share_of_color(pixels: np.ndarray, label: str) -> float:
    """Return the share of an image that is more red than blue, or the reverse."""
    red, blue = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
    return float(((red - blue if label == "red" else blue - red) > 60).mean())


def test_boxes_go_where_their_objects_go(squares: Dataset) -> None:
    sheet = show_batch(squares, n=16, random_state=3)
    assert len(sheet) == 16
    boxes = [(tile, box) for tile in sheet.tiles for box in tile.boxes]
    assert len(boxes) >= 16
    assert max(len(tile.boxes) for tile in sheet.tiles) > 1  # some are mosaics of four
    for tile, box in boxes:
        assert tile.image.size == (320, 320)
        left, top, width, height = (round(value) for value in box.box)
        inside = np.asarray(tile.image)[top : top + height, left : left + width]
        assert share_of_color(inside, box.label) > 0.7
        assert box.color == {"red": "#c8553d", "blue": "#2f7fc1"}[box.label]
    assert "320 × 320" in sheet.words


def test_without_changes_each_image_comes_once_and_whole(squares: Dataset) -> None:
    sheet = show_batch(squares, n=50, augmented=False)
    assert len(sheet) == 12
    for tile in sheet.tiles:
        assert tile.image.size == (320, 256)  # 320 × 240, padded to whole strides
        (box,) = tile.boxes
        left, top, width, height = (round(value) for value in box.box)
        pixels = np.asarray(tile.image)
        assert share_of_color(pixels[top : top + height, left : left + width], box.label) > 0.9
        pixels = pixels.copy()
        pixels[max(0, top - 2) : top + height + 3, max(0, left - 2) : left + width + 3] = 0
        assert share_of_color(pixels, box.label) < 0.01


def test_the_same_seed_gives_the_same_pictures(squares: Dataset, blots: Dataset) -> None:
    for dataset in (squares, blots):
        for augmented in (True, False):
            first, same, other = (
                show_batch(dataset, n=6, augmented=augmented, random_state=random_state) for random_state in (1, 1, 2)
            )
            pictures = [[tile.image.tobytes() for tile in sheet.tiles] for sheet in (first, same, other)]
            assert pictures[0] == pictures[1] != pictures[2]
            assert first.draw().tobytes() == same.draw().tobytes()


def test_whole_images_keep_their_labels(blots: Dataset) -> None:
    plain = show_batch(blots, n=50, augmented=False)
    assert len(plain) == 8
    changed = show_batch(blots, n=20)
    assert len(changed) == 20  # each is repeated, never in the same way
    assert len({tile.image.tobytes() for tile in changed.tiles}) == 20
    for tile in (*plain.tiles, *changed.tiles):
        assert tile.image.size == (224, 224)
        ((label, color),) = tile.labels
        assert color == {"red": "#c8553d", "blue": "#2f7fc1"}[label]
        pixels = np.asarray(tile.image)
        assert share_of_color(pixels, label) > share_of_color(pixels, "blue" if label == "red" else "red")


def test_batch_of_logo_scenes(tmp_path: Path) -> None:
    for name, color in zip(("red", "blue"), COLORS, strict=True):
        picture = Image.new("RGB", (120, 120), "white")
        picture.paste(color, (30, 30, 90, 90))
        picture.paste((255, 255, 255), (50, 50, 70, 70))
        picture.save(tmp_path / f"{name}.png")
    paths = [str(tmp_path / "red.png"), str(tmp_path / "blue.png")]
    images = pd.DataFrame({"image": paths, "status": "labelled"})
    train = Dataset(images, pd.DataFrame({"image": paths, "label": ["red", "blue"]}), LABELS)
    box = {"left": 1.0, "top": 1.0, "width": 9.0, "height": 9.0}
    test = Dataset(images[:1], pd.DataFrame([{"image": paths[0], "label": label, **box} for label in ("red", "blue")]))
    for augmented in (True, False):
        sheet = show_batch(train, test, n=6, augmented=augmented)
        assert len(sheet) == 6
        assert sum(len(tile.boxes) for tile in sheet.tiles) >= 4
        assert "scenes" in sheet.words


@pytest.mark.parametrize("of", ["squares", "blots"])
def test_unreadable_images_are_passed_over(of: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    dataset = request.getfixturevalue(of)
    images, marks = dataset.images, dataset.annotations
    half = images["image"][::2]
    gone = {image: str(tmp_path / f"{number}.jpg") for number, image in enumerate(half)}
    for table in (images, marks):
        table["image"] = table["image"].replace(gone)
    left = Dataset(images, marks, LABELS)
    assert len(show_batch(left, n=50, augmented=False)) == len(images) - len(half)
    assert len(show_batch(left, n=9)) == 9
    none = left.filter(images["image"].isin(gone.values()))
    for augmented in (True, False):
        with pytest.raises(NotEnoughDataError, match="be read"):
            show_batch(none, augmented=augmented)


def test_invalid_requests_for_a_batch_are_refused(squares: Dataset, blots: Dataset) -> None:
    for wrong in (0, 101, True, 2.5, "9"):
        with pytest.raises(InputError, match="n="):
            show_batch(squares, n=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="random_state=-1"):
        show_batch(squares, random_state=-1)
    with pytest.raises(InputError, match="task='detection'"):
        show_batch(squares, task="detection")
    with pytest.raises(NotEnoughDataError, match="No image has a box"):
        show_batch(blots, task="boxes")
    with pytest.raises(NotEnoughDataError, match="No image is labelled"):
        show_batch(squares, task="single-label")
    with pytest.raises(NotAllowedError, match="does not belong to a project"):
        squares.show_batch()


def test_dataset_batches_equal_training_batches(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name, color in zip(("red", "blue"), COLORS, strict=True):
        save_blots(folder / name, color, 3)
    project = create_project("blots", tmp_path)
    project.add_images(folder, labels_from="folders", progress=False)
    assert {label for tile in project.train_set.show_batch(6, augmented=False).tiles for label, _ in tile.labels} == {
        "red",
        "blue",
    }
    only = project.train_set.filter("label == 'red'").show_batch(4, random_state=1)
    assert [tile.labels[0][0] for tile in only.tiles] == ["red"] * 4
