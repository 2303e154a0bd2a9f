import base64
import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import InputError, ModelError, NotAnImageError
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import Detection, detect
from customlabels_nb.inference.postprocess import DETECTION_COLUMNS
from customlabels_nb.inference.predictor import Predictor
from tests.inference.configs import CONFIG
from tests.models.pictures import gradient


def to_table(found: list[tuple[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(found, columns=["label", "confidence"]).reindex(columns=list(DETECTION_COLUMNS))
    return table.astype({"label": "str", **dict.fromkeys(DETECTION_COLUMNS[1:], "float64")})


def detection(found: list[tuple[str, float]], name: str = "photo.jpg", **values: Any) -> Detection:
    colors = dict(zip(CONFIG.labels, CONFIG.colors, strict=True))
    return Detection(gradient(), name, to_table(found), colors, **values)


def test_response_is_in_the_form_of_the_api() -> None:
    response = detection([("c", 0.8777), ("a", 0.3)]).response
    assert response == {
        "CustomLabels": [{"Name": "c", "Confidence": pytest.approx(87.77)}, {"Name": "a", "Confidence": 30}]
    }
    assert detection([]).response == {"CustomLabels": []}


def test_boxes_are_shares_of_the_image_in_the_response() -> None:
    found = detection([("a", 0.9)])
    found.table.loc[0, ["left", "top", "width", "height"]] = [30.0, 100.0, 60.0, 50.0]
    assert found.response["CustomLabels"][0]["Geometry"] == {
        "BoundingBox": {"Width": 0.2, "Height": 0.25, "Left": 0.1, "Top": 0.5}
    }


def test_an_answer_end_to_end(predictor: Predictor, blots: dict[str, list[str]]) -> None:
    found = detect(predictor, blots["red"][0])
    assert list(found.table.columns) == list(DETECTION_COLUMNS)
    assert found.table["label"].tolist() == ["red"]
    assert found.table["confidence"].dtype == np.float64
    assert found.table[["left", "top", "width", "height"]].isna().all(axis=None)
    assert found.image.size == (160, 120)
    assert found.name == blots["red"][0]
    everything = detect(predictor, blots["red"][0], threshold=0)
    assert sorted(everything.table["label"]) == ["blue", "green", "red"]
    assert everything.table["confidence"].is_monotonic_decreasing
    assert everything.table["confidence"].sum() == pytest.approx(1)
    assert len(detect(predictor, blots["red"][0], threshold=0, max_results=2).table) == 2


def test_all_input_types_give_the_same_detections(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    gradient(1600, 1200).save(path)
    batch = detect_many(predictor, [path], threshold=0)["confidence"].tolist()
    for given in (path, path.as_uri(), path.read_bytes()):
        assert detect(predictor, given, threshold=0).table["confidence"].tolist() == pytest.approx(batch, abs=1e-5)
    with Image.open(path) as image:
        assert detect(predictor, image, threshold=0).table["confidence"].tolist() == pytest.approx(batch, abs=0.05)


def test_errors_come_before_work_and_name_the_image(model_folder: Path, predictor: Predictor) -> None:
    with pytest.raises(NotAnImageError, match="'image'"):
        detect(predictor, b"no image")
    with pytest.raises(InputError, match="max_results"):
        detect(predictor, "gone.jpg", max_results=0)
    with pytest.raises(ModelError, match="start"):
        detect(Predictor(model_folder), gradient())


class Tags(HTMLParser):
    """Parser that collects tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.image: dict[str, str | None] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "img":
            self.image = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def test_hostile_names_stay_text() -> None:
    config = replace(CONFIG, labels=(HOSTILE, "b", "c", "d"), thresholds={})
    colors = dict(zip(config.labels, config.colors, strict=True))
    for found, nearest in (([(HOSTILE, 0.98)], None), ([], (HOSTILE, 0.2, 0.5))):
        shown = Detection(gradient(), f"/data/{HOSTILE}.jpg", to_table(found), colors, nearest)
        tags = Tags(shown._repr_html_())
        assert set(tags.found) <= {"figure", "img", "figcaption", "div", "span", "bdi"}
        assert tags.found.count("img") == 1
        assert HOSTILE in tags.text


def test_notebook_shows_text_tags_and_picture() -> None:
    bundle = detection([("c", 0.876), ("a", 0.3)])._repr_mimebundle_()
    assert bundle["text/plain"] == "photo.jpg: c 0.88, a 0.30"
    tags = Tags(bundle["text/html"])
    assert "c 0.88" in tags.text
    assert CONFIG.colors[2] in bundle["text/html"]
    assert "photo.jpg" in tags.text
    with Image.open(io.BytesIO(bundle["image/jpeg"])) as picture:
        assert picture.width == 300
        assert picture.height > 200


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photos/a.jpg", "a.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("https://example.com/a.jpg?size=1/2", "a.jpg"),
        ("what?.jpg", "what?.jpg"),
        ("http://[broken", "[broken"),
        ("/", "/"),
    ],
)
def test_images_are_called_by_the_last_part_of_their_path(name: str, shown: str) -> None:
    assert repr(detection([("a", 1.0)], name)) == f"{shown}: a 1.00"


def test_a_large_photo_is_shown_small_and_crisp() -> None:
    shown = Detection(gradient(3000, 1500), "x.jpg", to_table([("a", 0.9)]), {"a": "#c8553d"})
    tags = Tags(shown._repr_html_())
    assert (tags.image["width"], tags.image["height"]) == ("480", "240")
    data = base64.b64decode(str(tags.image["src"]).partition(",")[2])
    with Image.open(io.BytesIO(data)) as photo:
        assert photo.size == (960, 480)
    assert shown.draw().width == 960
    assert shown.draw(480).width == 480


def test_empty_detection_has_a_message() -> None:
    shown = detection([], nearest=("c", 0.4123, 0.5))
    sentence = "No label reaches its threshold. The closest is c with 0.412 (threshold 0.500)."
    assert sentence in Tags(shown._repr_html_()).text
    assert repr(shown) == f"photo.jpg: {sentence}"
    assert "0.49999 (threshold 0.500)" in repr(detection([], nearest=("c", 0.49999, 0.5)))
    assert "Nothing was found." in repr(detection([]))


def test_long_label_lists_are_shortened_in_pictures_only() -> None:
    shown = detection([(f"label {i}", 1 - i / 100) for i in range(40)])
    assert "and 28 more" in Tags(shown._repr_html_()).text
    assert len(shown.response["CustomLabels"]) == 40


@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (3, 2000), (50, 50)])
@pytest.mark.parametrize("label", ["a", "very long " * 25, "x" * 256, "水果\n\t\u202eabc", "🍎"])
def test_any_size_and_any_label_can_be_drawn(size: tuple[int, int], label: str) -> None:
    for found, nearest in (([(label, 0.9)], None), ([], (label, 0.1, 0.5))):
        shown = Detection(Image.new("RGB", size), "x.jpg", to_table(found), {label: "#c8553d"}, nearest)
        picture = shown.draw()
        assert picture.mode == "RGB"
        assert picture.width <= 960
        assert picture.height > size[1] * min(1, 960 / max(size))
        shown._repr_mimebundle_()


def test_no_control_character_reaches_a_screen() -> None:
    label = '\x1b[2J"\nred\u202e'
    for found, nearest in (([(label, 0.9)], None), ([], (label, 0.1, 0.5))):
        shown = Detection(Image.new("RGB", (50, 50)), f"/photos/{label}.jpg", to_table(found), {}, nearest)
        for text in (repr(shown), shown._repr_html_()):
            assert text.isprintable()
            assert "red" in text
