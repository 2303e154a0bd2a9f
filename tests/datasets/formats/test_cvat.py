"""Tests of files in the format "CVAT for images 1.1"."""

from __future__ import annotations

import os
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
        "2 × attribute 'weather' of an object was not imported: 'a.png, object 2', 'a.png, object 3'. For example "
        "'rain'.",
        "1 × shape <points> was not imported: 'b.png, object 1'.",
        "1 × mark 'occluded' of an object was not imported: 'b.png, object 2'. For example '1'.",
    ]


def test_objects_that_are_outside_or_deleted_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, image(box(), box(' outside="1"'), box(' deleted="true"')), image(box(), name="b.png"))
    path.write_text(path.read_text("utf-8").replace('name="b.png"', 'name="b.png" deleted="1"'), "utf-8")
    found = read(FORMAT, path)
    assert boxes(found) == [("a.png", "cat", 4, 4, 20, 5)]
    assert sorted(issue.where for issue in found.issues) == [
        "image that is marked deleted", "object that is marked deleted", "object that is marked outside",
    ]  # fmt: skip


@pytest.mark.parametrize("tasks", ["<id>7</id><subset>Test</subset>", "<id>7</id><subset>Holdout</subset>"])
def test_images_without_a_subset_have_that_of_their_task(tmp_path: Path, tasks: str) -> None:
    path = written(tmp_path, image(box()), image(box(), name="b.png"))
    both = f"<task>{tasks}</task><task><id>8</id><subset>Train</subset></task>"
    text = (
        path.read_text("utf-8").replace("</project>", f"<tasks>{both}</tasks></project>").replace(' subset="Train"', "")
    )
    path.write_text(text.replace('name="a.png"', 'name="a.png" task_id="7"'), "utf-8")
    found = read(FORMAT, path)
    assert found.images["split"].tolist() == ["test" if "Test" in tasks else "train", "train"]
    assert [issue.where for issue in found.issues] == ([] if "Test" in tasks else ["subset 'Holdout' of an image"])


def test_tracks_of_a_video_are_unsupported_by_name(tmp_path: Path) -> None:
    track = f'<track id="0" label="car">{box()}</track>'
    found = read_dataset(written(tmp_path, track, track, image(box())))
    assert len(found.annotations) == 1
    assert found.issues["message"][0] == "2 × track of a video was not imported: 'line 5', 'line 6'."
    with pytest.raises(ManifestError, match=r"annotations\.xml.*only tracks of a video, 1\. Export the task as"):
        read(FORMAT, written(tmp_path, track))


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


def test_entities_and_large_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, image(box()))
    path.write_text(
        path.read_text("utf-8").replace("<annotations>", '<!DOCTYPE a [<!ENTITY e "x">]><annotations>'), "utf-8"
    )
    with pytest.raises(ManifestError, match=r"annotations\.xml.*entity 'e'"):
        read(FORMAT, path)
    os.truncate(written(tmp_path, image(box())), 2**30 + 1)
    with pytest.raises(ManifestError, match="more than 1,073,741,824 bytes"):
        read(FORMAT, path)


def test_images_are_found_in_the_folder_of_their_subset(tmp_path: Path) -> None:
    (tmp_path / "images" / "Train").mkdir(parents=True)
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "Train" / "a.png")
    found = read_dataset(written(tmp_path, image(box())))
    assert found.issues.empty
    assert found.images["image"].tolist() == [str(tmp_path / "images" / "Train" / "a.png")]


def test_boxes_in_ratios_are_read_in_pixels(tmp_path: Path) -> None:
    ratios = '<box label="cat" xtl="0.1" ytl="0.5" xbr="0.6" ybr="1"/>'
    found = read(FORMAT, written(tmp_path, image(ratios, '<box label="cat" xtl="0" ytl="0.5" xbr="0" ybr="1"/>')))
    assert boxes(found) == [("a.png", "cat", 4, 10, 20, 10), ("a.png", "cat", 0, 10, 0, 10)]
    assert [(issue.code, issue.line, issue.message) for issue in found.issues] == [
        ("ENTRY_ADJUSTED", 7, "Its box has no area: left 0, top 0.5, width 0, height 0.5. Draw it again, or remove "
         "it."),
        ("ENTRY_ADJUSTED", 6, "2 × box in ratios of the image size was converted to pixels, such as left 0.1, top 0.5, "
         "width 0.5, height 0.5, which was read as left 4, top 10, width 20, height 10."),
    ]  # fmt: skip
