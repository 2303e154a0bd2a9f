"""Tests of Custom Vision regions: ratios in the file, pixels in the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.custom_vision import FORMAT
from customlabels_nb.errors import InputError, ManifestError
from tests.datasets.formats.json_cases import (
    anything,
    assert_equal,
    assert_sound,
    contents,
    read,
)
from tests.images.pictures import encoded, jpeg, picture
from tests.tiers import many


def region(**changes: Any) -> dict[str, Any]:
    return {"tag": "pear", "left": 0.5, "top": 0.25, "width": 0.25, "height": 0.5, **changes}


def files(*tags: Any, **changes: Any) -> dict[str, Any]:
    return {"files": [{"filename": "a.jpg", "tags": list(tags), **changes}]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of the annotations, next to a photo of 48 × 32 pixels."""
    (tmp_path / "a.jpg").write_bytes(jpeg(1, (48, 32)))
    return tmp_path / "tagged.json"


def test_ratios_become_pixels_of_the_upright_image(file: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for name, format_ in (("b.jpg", "JPEG"), ("b.png", "PNG"), ("b.tif", "TIFF"), ("b.webp", "WEBP")):
        (file.parent / name).write_bytes(encoded(picture(2, (48, 32)), format_, exif=turned))
        found = read(FORMAT, file, files(region(), filename=name))
        assert found.images.loc[0, ["width", "height"]].tolist() == [32, 48], name
        assert found.annotations.loc[0, list(t.BOX_COLUMNS)].tolist() == [16, 12, 8, 24]
        assert found.issues == []


@pytest.mark.parametrize(
    ("box", "expected", "says"),
    [
        ([12, 16, 24, 8], [12, 16, 24, 8], "pixels"),
        ([12, 16, 48, 8], None, "far beyond its image"),
        ([0.5, 0.25, 1.5, 0.5], None, "far beyond its image"),
        ([-0.25, 0.25, 1.5, 0.5], [-12, 8, 72, 16], "beyond the image"),
    ],
)
def test_boxes_beyond_ratios_are_converted_or_reported(
    file: Path, box: list[float], expected: list[float] | None, says: str
) -> None:
    tag = region(**dict(zip(t.BOX_COLUMNS, box, strict=True)))
    found = read(FORMAT, file, files(tag))
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == ([expected] if expected else [])
    assert found.images["status"].tolist() == ["labelled" if expected else "unlabelled"]
    assert [(issue.where, says in issue.message) for issue in found.issues] == [("files[0].tags[0]", True)]


def test_tags_without_a_region_label_the_image(file: Path) -> None:
    found = read(FORMAT, file, {"files": [
        {"filename": "a.jpg", "tags": [region(), {"tag": "ripe"}]}, {"filename": "gone.jpg", "tags": [{"tag": "ripe"}]},
        {"filename": "c.jpg", "tags": []}, {"filename": "d.jpg"},
    ]})  # fmt: skip
    assert found.annotations["label"].tolist() == ["pear", "ripe", "ripe"]
    assert found.annotations["left"].isna().tolist() == [False, True, True]
    assert found.images["status"].tolist() == ["labelled", "labelled", "unlabelled", "unlabelled"]
    assert found.labels == ["pear", "ripe"]
    assert found.issues == []


def test_boxes_of_an_image_that_is_not_there_are_named(file: Path) -> None:
    (file.parent / "text.jpg").write_text("no photo")
    data = {"files": [{"filename": n, "tags": [region(), {"tag": "x"}]} for n in ("gone.jpg", "text.jpg", "a.jpg")]}
    found = read(FORMAT, file, data)
    assert len(found.images) == 3
    assert found.annotations["label"].tolist() == ["x", "x", "pear", "x"]
    assert [issue.code for issue in found.issues] == ["IMAGE_NOT_LISTED"] * 2
    assert found.issues[0].where == str(file.parent / "gone.jpg")


def test_photos_are_found_in_images_or_the_given_folder(file: Path) -> None:
    for folder in ("images", "elsewhere"):
        (file.parent / folder).mkdir()
        (file.parent / folder / f"{folder}.jpg").write_bytes(jpeg(1, (48, 32)))
    found = read(FORMAT, file, files(region(), filename="images.jpg"))
    assert found.images["image"].tolist() == [str(file.parent / "images" / "images.jpg")]
    found = read(FORMAT, file, files(region(), filename="elsewhere.jpg"), images=file.parent / "elsewhere")
    assert found.images["image"].tolist() == [str(file.parent / "elsewhere" / "elsewhere.jpg")]
    assert len(found.annotations) == 1


@pytest.mark.parametrize(
    ("tag", "what"),
    [
        (5, "5"),
        ({"left": 0.5}, "None"),
        (region(tag=""), "''"),
        (region(tag=["x"]), "x"),
        (region(width=-0.1), "-0.1"),
        (region(width=None), "None"),
        (region(left="0.5"), "'0.5'"),
        (region(left=True), "True"),
        (region(top=float("nan")), "nan"),
        (region(top=10**400), "left, top"),
        (region(width=1e308), "1e+308"),
        ({"tag": "pear", "left": 0.5}, "0.5"),
    ],
)
def test_a_bad_tag_is_named_and_the_rest_is_read(file: Path, tag: object, what: str) -> None:
    found = read(FORMAT, file, files(region(), tag, region(tag="apple")))
    assert found.annotations["label"].tolist() == ["pear", "apple"]
    [issue] = found.issues
    assert (issue.code, issue.where, issue.source) == ("ENTRY_UNREADABLE", "files[0].tags[1]", str(file))
    assert what in issue.message


@pytest.mark.parametrize(
    "entry",
    [5, {}, {"filename": 5}, {"filename": ""}, {"filename": "../a.jpg"}, {"filename": "/etc/passwd"},
     {"filename": "\ud800"}, {"filename": "x\0"}, {"filename": "http://["}],
)  # fmt: skip
def test_a_file_without_a_usable_name_is_left_out(file: Path, entry: object) -> None:
    found = read(FORMAT, file, {"files": [entry, *files(region())["files"]]})
    assert len(found.images) == len(found.annotations) == 1
    assert [issue.where for issue in found.issues] == ["files[0]"]


def test_a_file_named_twice_is_one_image(file: Path) -> None:
    found = read(FORMAT, file, {"files": files(region())["files"] * 2})
    assert (len(found.images), len(found.annotations)) == (1, 2)
    assert [issue.code for issue in found.issues] == ["ENTRY_ADJUSTED"]


def test_sizes_that_are_not_known_are_read_or_the_boxes_refused(file: Path) -> None:
    row = {"label": "x", "left": 12.0, "top": 8.0, "width": 24.0, "height": 16.0}
    FORMAT.write(contents(file.parent, [{"image": "a.jpg"}], [{"image": "a.jpg", **row}], ["x"]), file)
    assert json.loads(file.read_bytes()) == files(
        {"tag": "x", "left": 0.25, "top": 0.25, "width": 0.5, "height": 0.5}, width=48, height=32
    )
    before = file.read_bytes()
    with pytest.raises(InputError, match=r"gone\.jpg"):
        FORMAT.write(contents(file.parent, [{"image": "gone.jpg"}], [{"image": "gone.jpg", **row}], ["x"]), file)
    assert file.read_bytes() == before


def test_polygons_are_written_as_their_boxes(file: Path) -> None:
    polygon = [[12.0, 8.0], [36.0, 8.0], [36.0, 24.0]]
    rows = [{"image": "a.jpg", "label": "x", "polygon": polygon}]
    FORMAT.write(contents(file.parent, [{"image": "a.jpg"}], rows, ["x"]), file)
    assert read(FORMAT, file).annotations.loc[0, list(t.BOX_COLUMNS)].tolist() == [12, 8, 24, 16]


def test_empty_file_is_read(file: Path) -> None:
    nothing = read(FORMAT, file, {"files": []})
    FORMAT.write(nothing, file)
    assert FORMAT.recognise(file)
    assert_equal(read(FORMAT, file), nothing)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 5}', '{"images": []}', "[" * 100_000])
def test_a_file_that_can_not_be_read_at_all(file: Path, text: str) -> None:
    with pytest.raises(ManifestError):
        read(FORMAT, file, text)
    assert not FORMAT.recognise(file)


def test_other_files_with_files_are_not_recognised(file: Path) -> None:
    file.write_text('{"name": "package", "files": ["dist"]}')
    assert not FORMAT.recognise(file)


@given(anything | st.fixed_dictionaries({"files": st.lists(anything | st.fixed_dictionaries(
    {"filename": st.sampled_from(["a.jpg", "b.jpg"]) | anything},
    optional={"width": anything, "height": anything, "tags": anything | st.lists(st.fixed_dictionaries(
        {"tag": st.sampled_from("ab") | anything},
        optional={side: st.floats(-1, 2) | anything for side in t.BOX_COLUMNS},
    ))},
))}))  # fmt: skip
@settings(max_examples=many(50))
def test_any_content_is_read_or_reported(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "a.jpg").write_bytes(jpeg(1))
    file = folder / "fuzzed-tags.json"
    file.write_text(json.dumps(data))
    FORMAT.recognise(file)
    try:
        found = read(FORMAT, file)
    except ManifestError:
        assert not (isinstance(data, dict) and isinstance(data.get("files"), list))
        return
    assert_sound(found)


def test_the_tutorial_s_photos(test_data: Path) -> None:
    file = test_data / "fruit-objects" / "tagged-images.json"
    assert FORMAT.recognise(file)
    found = read(FORMAT, file)
    assert found.issues == []
    entries = json.loads(file.read_bytes())["files"]
    assert [Path(image).name for image in found.images["image"]] == [entry["filename"] for entry in entries]
    assert sorted(found.labels) == ["apple", "banana", "orange"]
    assert len(found.annotations) == sum(len(entry["tags"]) for entry in entries)
    first = entries[0]["tags"][0]
    with Image.open(found.images["image"][0]) as photo:
        expected = [first["left"] * photo.width, first["top"] * photo.height]
    assert found.annotations.loc[0, ["left", "top"]].tolist() == pytest.approx(expected)


def test_the_tutorial_s_photos_written_and_read_again(test_data: Path, tmp_path: Path) -> None:
    found = read(FORMAT, test_data / "fruit-objects" / "tagged-images.json")
    FORMAT.write(found, tmp_path / "again.json")
    again = read(FORMAT, tmp_path / "again.json")
    boxes = list(t.BOX_COLUMNS)
    assert abs(again.annotations[boxes].to_numpy() - found.annotations[boxes].to_numpy()).max() < 1e-6
    assert again.annotations["label"].tolist() == found.annotations["label"].tolist()
