"""Tests of the helpers of JSON formats: sizes from headers, boxes, polygons, the start of a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.core.geometry import ltwh_to_ratios, ratios_to_ltwh
from customlabels_nb.datasets.formats import json_file
from customlabels_nb.datasets.formats.json_file import as_boxes, as_rings, load, measured, outer_keys
from customlabels_nb.errors import ImageError, ManifestError
from customlabels_nb.images.reading import header_size, measure
from tests.images.pictures import encoded, jpeg, picture


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_header_size_equals_image_size(tmp_path: Path, format_: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(1, (48, 32)), format_, exif=exif)
    path = tmp_path / "image"
    path.write_bytes(data)
    assert header_size(str(path)) == measure(data, "image") == ((32, 48) if orientation > 4 else (48, 32))
    assert header_size("image", tmp_path) == header_size(str(path))


def test_only_the_header_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(encoded(picture(1, (480, 320)), quality=100)[:2000])
    assert header_size(str(path)) == (480, 320)


@pytest.mark.parametrize("slow", [0, 60])
def test_sizes_and_errors_are_returned_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: float) -> None:
    monkeypatch.setattr(json_file, "_SLOW", slow)  # with threads, and without
    (tmp_path / "a.jpg").write_bytes(jpeg(1, (48, 32)))
    (tmp_path / "b.jpg").write_text("no image")
    (tmp_path / "c.jpg").mkdir()
    os.mkfifo(tmp_path / "d.jpg")
    (tmp_path / "e.jpg").touch()
    names = [str(tmp_path / f"{letter}.jpg") for letter in "abcdef"]
    many = [*names, "x\0"] * 20
    found = list(measured(many))
    assert [name for name, _ in found] == many
    assert [size for _, size in found[::7]] == [(48, 32)] * 20
    assert all(isinstance(size, str) == (name != names[0]) for name, size in found)
    with pytest.raises(ImageError):
        header_size(names[5])


def test_ratios_with_a_size_for_each_box() -> None:
    sizes = [(10, 20), (100, 200)]
    pixels = ratios_to_ltwh([[0.5, 0.5, 1, 1]] * 2, sizes)
    assert pixels.tolist() == [[5, 10, 10, 20], [50, 100, 100, 200]]
    assert ltwh_to_ratios(pixels, sizes).tolist() == [[0.5, 0.5, 1, 1]] * 2


def test_one_odd_box_changes_nothing_for_the_others() -> None:
    good = [[1, 2, 3, 4], None, [], [0.5, 1e300, 0, 0]]
    boxes, bad = as_boxes(good)
    assert not bad.any()
    for odd in ([1, 2, 3], "1234", [None] * 4, [10**400] * 4, {"x": 1}, [[1], 2, 3, 4], [1, 2, -1e-9, 4]):
        with_odd, found_bad = as_boxes([*good, odd])
        assert found_bad.tolist() == [False] * 4 + [True], odd
        np.testing.assert_array_equal(with_odd[:4], boxes)
        assert np.isnan(with_odd[4]).all()


def test_outlines_are_parsed() -> None:
    square = [0, 0, 2, 0, 2, 2, 0, 2]
    assert as_rings([square, [], [1, 2]]) == ([[[0, 0], [2, 0], [2, 2], [0, 2]]], 2)
    assert as_rings([[], []]) == ([], 0)
    for odd in ([square[:-1]], [square[:4]], [["0"] * 6], [[10**400] * 6], [[float("nan")] * 6], "0 0 1 1", [{}]):
        assert as_rings(odd) == ([], 1), odd


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('{"a": [{"b": 1}], "c" : {"d": []}, "e": "}"}', {"a": "[", "c": "{", "e": '"'}),
        ('{"a": ["}", "\\"", {"x": [1]}], "b": 5', {"a": "[", "b": "5"}),
        ('[{"a": 1}]', {}),
        ('{"a": 1} {"b": 2}', {"a": "1"}),
        ("", {}),
    ],
)
def test_top_level_keys_are_found(tmp_path: Path, text: str, keys: dict[str, str]) -> None:
    path = tmp_path / "some.json"
    path.write_text(text)
    assert outer_keys(path)[0] == keys


def test_the_encodings_that_fit_are_named_if_a_file_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes('{"label": "狗"}'.encode(encoding))
        assert load(path, dict) == {"label": "狗"}
    path.write_bytes('{\n"label": "狗"}'.encode("gbk"))
    with pytest.raises(
        ManifestError, match=r"a\.json.*line 2 is not UTF-8, but may be 'gb18030'.* Save the file as UTF-8"
    ):
        load(path, dict)
