"""Tests of detectors: single images, batches, and display in a notebook."""

import base64
import io
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import LabelError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import Detection, detect
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import load_artifact
from customlabels_nb.models.canvas import open_canvas
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector import detect as find
from tests.models.pictures import gradient

BOX = ["left", "top", "width", "height"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return seven photos of different sizes."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{i}.jpg" for i in range(7)]
    for i, path in enumerate(paths):
        gradient(300 + 40 * i, 400 - 30 * i).save(path, quality=95)
    return [str(path) for path in paths]


def test_boxes_are_in_pixels_of_the_upright_image(detector: Predictor, tmp_path: Path) -> None:
    image = gradient(600, 400)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by a quarter turn
    image.save(tmp_path / "lying.jpg", quality=95, exif=exif)
    found = detect(detector, tmp_path / "lying.jpg", threshold=0)
    assert found.image.size == (400, 600)
    corners = found.table[["left", "top"]].to_numpy() + found.table[["width", "height"]].to_numpy()
    assert (found.table[["left", "top"]] >= 0).all(axis=None)
    assert (corners <= np.array([400, 600]) + 1e-9).all()
    assert corners[:, 1].max() > 400
    upright = detect(detector, image.transpose(Image.Transpose.ROTATE_270), threshold=0)
    same = np.abs(upright.table[BOX].to_numpy()[:3] - found.table[BOX].to_numpy()[:3])
    assert same.max() < 5  # JPEG has changed the pixels slightly


def test_detect_returns_the_boxes_of_the_network(detector: Predictor, detector_folder: Path, photos: list[str]) -> None:
    network, config = load_artifact(detector_folder)
    assert isinstance(network, ImageDetector)
    canvas = open_canvas(Path(photos[0]).read_bytes(), photos[0], config.input_size, config.fill)
    truth = find(network, [canvas], config.mean, config.std, "cpu")[0]
    found = detect(detector, photos[0], threshold=0).table
    assert found["confidence"].tolist() == pytest.approx(truth.confidences, abs=1e-4)
    np.testing.assert_allclose(found[BOX], truth.boxes, atol=1e-3)
    assert found["label"].tolist() == [config.labels[i] for i in truth.labels]
    assert len(found) > 20


def test_each_label_has_its_own_threshold(detector: Predictor, photos: list[str]) -> None:
    everything = detect(detector, photos[0], threshold=0).table
    assert set(everything["label"]) == {"red", "blue"}
    wanted = {"red": 0.9, "blue": 0.35}
    kept = everything[everything["confidence"] >= everything["label"].map(wanted)].reset_index(drop=True)
    found = detect(detector, photos[0], threshold=wanted).table
    pd.testing.assert_frame_equal(found, kept)
    assert detect(detector, photos[0]).table["confidence"].min() >= 0.2
    few = detect(detector, photos[0], threshold=0, max_results=3).table
    pd.testing.assert_frame_equal(few, everything.head(3))
    with pytest.raises(LabelError, match="green"):
        detect(detector, photos[0], threshold={"green": 0.1})


def test_the_response_has_shares_of_the_image(detector: Predictor, photos: list[str]) -> None:
    found = detect(detector, photos[1], threshold=0, max_results=5)
    width, height = found.image.size
    for row, entry in zip(found.table.to_dict("records"), found.response["CustomLabels"], strict=True):
        assert entry["Name"] == row["label"]
        assert entry["Confidence"] == pytest.approx(100 * row["confidence"])
        assert entry["Geometry"]["BoundingBox"] == pytest.approx(
            {
                "Left": row["left"] / width,
                "Top": row["top"] / height,
                "Width": row["width"] / width,
                "Height": row["height"] / height,
            }
        )


def test_batch_equals_single_detections(detector: Predictor, photos: list[str]) -> None:
    found = detect_many(detector, photos, threshold=0.3, max_results=12)
    assert list(found.columns) == ["image", "label", "confidence", *BOX]
    assert (found.dtypes[["confidence", *BOX]] == np.float64).all()
    alone = [detect(detector, path, threshold=0.3, max_results=12).table.assign(image=path) for path in photos]
    pd.testing.assert_frame_equal(found, pd.concat(alone, ignore_index=True)[found.columns], check_dtype=False)
    assert found["image"].drop_duplicates().tolist() == photos
    for size in (1, 3, 100):
        pd.testing.assert_frame_equal(
            detect_many(detector, photos, threshold=0.3, max_results=12, batch_size=size), found
        )


def test_unreadable_images_and_those_with_nothing_on_them(
    detector: Predictor, photos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cut.jpg").write_bytes(Path(photos[1]).read_bytes()[:900])
    bad = [str(tmp_path / "cut.jpg"), str(tmp_path / "gone.jpg")]
    found = detect_many(detector, [bad[0], photos[0], bad[1], photos[2]], threshold=0, max_results=1, batch_size=2)
    assert found["image"].tolist() == [photos[0], photos[2]]
    assert [(error["image"], error["code"]) for error in found.attrs["errors"]] == [
        (bad[0], "IMAGE_TRUNCATED"),
        (bad[1], "IMAGE_NOT_FOUND"),
    ]
    nothing = detect_many(detector, photos[:2], threshold=1)
    assert nothing.empty
    assert (nothing.dtypes[["confidence", *BOX]] == np.float64).all()


@pytest.mark.parametrize("by_keyboard", [True, False])
def test_interrupt_keeps_results(detector: Predictor, photos: list[str], by_keyboard: bool) -> None:
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= 4:
            if by_keyboard:
                raise KeyboardInterrupt
            events.cancel()

    events.subscribe(stop)
    part = detect_many(detector, photos, threshold=0, max_results=2, batch_size=2, events=events)
    assert part.attrs["interrupted"] is True
    rest = detect_many(detector, part.attrs["remaining"], threshold=0, max_results=2)
    whole = detect_many(detector, photos, threshold=0, max_results=2)
    assert 0 < len(part) < len(whole)
    pd.testing.assert_frame_equal(pd.concat([part, rest], ignore_index=True), whole, check_dtype=False)


def parts(shown: Detection) -> tuple[ElementTree.Element, str]:
    """Return the displayed SVG and the text around it."""
    html = shown._repr_html_()
    source = re.search(r'<img src="data:image/svg\+xml,([^"]*)"', html)
    assert source is not None
    return ElementTree.fromstring(unquote(source[1])), re.sub("<[^>]*>", " ", html)


def test_a_notebook_shows_the_photo_with_its_boxes(detector: Predictor, photos: list[str]) -> None:
    shown = detect(detector, photos[0], threshold=0, max_results=6)
    svg, words = parts(shown)
    image = svg.find(f"{SVG}image")
    assert image is not None
    data = base64.b64decode(image.attrib["href"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as photo:
        assert photo.size == (300, 400)
    lines = [path.attrib["stroke"] for path in svg.iter(f"{SVG}path") if "stroke" in path.attrib]
    assert lines == [shown.colors[label] for label in shown.table["label"][::-1]]
    assert "red" in words
    assert "×" in words
    assert shown._repr_html_().count("image/jpeg") == 1
    bundle = shown._repr_mimebundle_()
    with Image.open(io.BytesIO(bundle["image/jpeg"])) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=int)
    near = np.abs(pixels - np.array([0xC8, 0x55, 0x3D])).sum(axis=2) < 40
    assert near.sum() > 300  # the lines are in the image as well
    assert bundle["text/plain"].startswith("0.jpg: red")


def test_repr_of_an_empty_detection_has_a_message(detector: Predictor, photos: list[str]) -> None:
    shown = detect(detector, photos[0], threshold=1.0)
    assert shown.table.empty
    assert shown.response == {"CustomLabels": []}
    assert re.search(r"No label reaches its threshold\. The closest is (red|blue) with 0\.\d+", repr(shown))
    assert parts(shown)[0].find(f"{SVG}image") is not None  # as large as images with detections


def test_boxes_of_a_label_share_a_chip() -> None:
    table = pd.DataFrame(
        [("a", 0.97, 10, 10, 50, 40), ("b", 0.8, 5, 5, 9, 9), ("a", 0.5, 90, 10, 50, 40), ("b", 0.801, 50, 5, 9, 9)],
        columns=["label", "confidence", *BOX],
    ).astype({"label": "str", **dict.fromkeys(BOX, "float64")})
    shown = Detection(gradient(), "x.jpg", table, {"a": "#c8553d", "b": "#2f7fc1"})
    assert repr(shown) == "x.jpg: a ×2 0.50–0.97, b ×2 0.80"
    assert len(shown.response["CustomLabels"]) == 4
