"""Tests of files in the format "CVAT for images 1.1"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.datasets.formats import cvat
from customlabels_nb.datasets.formats.cvat import FORMAT
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import ManifestError
from tests.datasets.formats.shared import boxes, codes, read, statuses

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><project><labels>
<label><name>zebra</name><color>#fa3253</color><type>any</type></label><label><name>cat</name></label>
</labels></project></meta>
"""


def written(folder: Path, *inner: str) -> Path:
    path = folder / "annotations.xml"
    path.write_text(HEAD + "\n".join(inner) + "</annotations>", "utf-8")
    return path


def image(*objects: str, name: str = "a.png", subset: str = "Train") -> str:
    return f'<image id="0" name="{name}" subset="{subset}" width="40" height="20">\n' + "\n".join(objects) + "</image>"


def box(more: str = "", inner: str = "") -> str:
    return f'<box label="cat" occluded="0" xtl="4" ytl="4" xbr="24" ybr="9" z_order="0"{more}>{inner}</box>'


def mask(rle: str, sides: str = 'left="5" top="3" width="3" height="2"') -> str:
    return f'<mask label="cat" rle="{rle}" {sides}></mask>'


def test_boxes_polygons_masks_and_tags(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        image(box(), box(' rotation="90"'), '<polygon label="dog" points="0,0;20,0;20,10.5"/>', mask("1, 2, 1, 2")),
        image('<tag label="zebra"/>', name="b.png", subset="Validation"),
        image(name="c.png", subset="test"),
    )
    found = read(FORMAT, path)
    assert boxes(found)[:4] == [
        ("a.png", "cat", 4, 4, 20, 5), ("a.png", "cat", 11.5, -3.5, 5, 20), ("a.png", "dog", 0, 0, 20, 10.5),
        ("a.png", "cat", 6, 3, 2, 2),
    ]  # fmt: skip
    polygons = found.annotations["polygon"]
    # turned clockwise around its centre
    np.testing.assert_allclose(polygons[1], [[16.5, -3.5], [16.5, 16.5], [11.5, 16.5], [11.5, -3.5]], atol=1e-9)
    expected = np.zeros((20, 40), dtype=np.uint8)
    expected[3:5, 5:8] = [[0, 1, 1], [0, 1, 1]]
    np.testing.assert_array_equal(polygon_to_mask(polygons[3], (40, 20)), expected)
    assert found.annotations["label"].tolist()[4] == "zebra"
    assert found.annotations["left"].isna().tolist() == [False] * 4 + [True]
    assert found.images["split"].tolist() == ["train", "test", "test"]
    assert statuses(found) == {"a.png": "labelled", "b.png": "labelled", "c.png": "unlabelled"}
    assert found.labels == ["zebra", "cat", "dog"]
    assert found.colors == {"zebra": "#fa3253"}
    assert found.issues == []


def test_attributes_of_tags_are_columns_and_the_rest_is_listed(tmp_path: Path) -> None:
    attribute = '<attribute name="weather">rain</attribute>'
    path = written(
        tmp_path,
        image(f'<tag label="cat">{attribute}</tag>', box(inner=attribute), box(inner=attribute)),
        image('<points label="cat" points="1,2"/>', box().replace('occluded="0"', 'occluded="1"'), name="b.png"),
    )
    found = read(FORMAT, path)
    assert found.images["weather"].tolist()[0] == "rain"
    assert [issue.message for issue in found.issues] == [
        "2 objects with the attribute 'weather': not imported.", "1 object with the shape <points>: not imported.",
        "1 object with the mark 'occluded': not imported.",
    ]  # fmt: skip


def test_tracks_of_a_video_are_unsupported_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, f'<track id="0" label="car">{box()}</track>', image(box()))
    found = read_dataset(path)
    assert len(found.annotations) == 1
    assert found.issues[["code", "line"]].to_numpy().tolist() == [["ENTRY_UNREADABLE", 5]]
    assert "<track> of 'car' is from a video. Tracks are not supported." in found.issues["message"][0]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (mask("1, 2"), "do not add up to 3 × 2 pixels"),
        (mask("1, -2, 7"), "do not add up to 3 × 2 pixels"),
        (mask("6"), "empty"),
        (mask("1", 'left="0" top="0" width="999999" height="999999"'), "999999 × 999999, is invalid"),
        (mask("1," * 101), "more than 100 runs"),
        ('<polygon label="cat" points="0,0;1,1"/>', "at least three points"),
        ('<polygon label="cat" points="0,0;1,nan;2,2"/>', "not a point with two numbers"),
        (box().replace('xtl="4"', 'xtl="left"'), "xtl is 'left', not a number"),
        (box().replace('label="cat"', ""), "label"),
    ],
)
def test_objects_that_cannot_be_read_are_listed_by_line(
    tmp_path: Path, wrong: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cvat, "MOST_EDGES", 100)
    found = read(FORMAT, written(tmp_path, image(box(), wrong)))
    assert boxes(found) == [("a.png", "cat", 4, 4, 20, 5)]
    assert codes(found) == ["ENTRY_UNREADABLE"]
    assert why in found.issues[0].message
    assert (found.issues[0].where, found.issues[0].line) == ("a.png, object 2", 7)


def test_entities_and_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, image(box()))
    path.write_text(
        path.read_text("utf-8").replace("<annotations>", '<!DOCTYPE a [<!ENTITY e "x">]><annotations>'), "utf-8"
    )
    with pytest.raises(ManifestError, match=r"annotations\.xml.*entity 'e'"):
        read(FORMAT, path)
    monkeypatch.setattr(cvat, "_LARGEST_FILE", 100)
    with pytest.raises(ManifestError, match="more than 100 bytes"):
        read(FORMAT, written(tmp_path, image(box())))


def test_images_are_found_in_the_folder_of_their_subset(tmp_path: Path) -> None:
    (tmp_path / "images" / "Train").mkdir(parents=True)
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "Train" / "a.png")
    found = read_dataset(written(tmp_path, image(box())))
    assert found.issues.empty
    assert found.images["image"].tolist() == [str(tmp_path / "images" / "Train" / "a.png")]
