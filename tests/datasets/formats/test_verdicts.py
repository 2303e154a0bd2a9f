"""Tests of verdicts on boxes: the same for the same boxes, whichever format has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import xyxy_to_ltwh
from customlabels_nb.datasets.formats.verdicts import Verdict, are_ratios, judge
from tests.tiers import many

Box = tuple[float, float, float, float]
SIZE = WIDTH, HEIGHT = 640, 480
FINE = [(10, 20, 30, 40), (600, 400, 40, 80), (300, 200, 100.5, 60.25)]
BEYOND = [(-100, 20, 300, 40), (560, 440, 200, 60), (-20, -20, 680, 520)]
UNREADABLE = [(1200, 20, 30, 40), (3000, 2000, 400, 500), (-700, 20, 100, 40), (10, 20, 1300, 40)]


def write_coco(folder: Path, boxes: list[Box]) -> Path:
    annotations = [{"id": n, "image_id": 1, "category_id": 1, "bbox": box} for n, box in enumerate(boxes)]
    images = [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    return written(folder / "coco.json", json.dumps(content))


def write_yolo(folder: Path, boxes: list[Box]) -> Path:
    lines = (
        ((left + width / 2) / WIDTH, (top + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT)
        for left, top, width, height in boxes
    )
    written(folder / "a.txt", "".join(f"0 {' '.join(map(repr, line))}\n" for line in lines))
    written(folder / "index.json", json.dumps({"customlabels_nb": 1, "images": [["a.jpg", WIDTH, HEIGHT]]}))
    written(folder / "list.txt", "a.jpg\n")
    return written(folder / "data.yaml", "names: [cat]\ntrain: list.txt\n")


def write_csv(folder: Path, boxes: list[Box]) -> Path:
    rows = (f"a.jpg,cat,{','.join(map(repr, box))},{WIDTH},{HEIGHT}\n" for box in boxes)
    header = "image,label,left,top,width,height,image_width,image_height\n"
    return written(folder / "boxes.csv", header + "".join(rows))


def write_voc(folder: Path, boxes: list[Box]) -> Path:
    objects = "".join(
        f"<object><name>cat</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{left + width}</xmax>"
        f"<ymax>{top + height}</ymax></bndbox></object>"
        for left, top, width, height in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    return written(folder / "a.xml", f"<annotation><filename>a.jpg</filename>{size}{objects}</annotation>")


def write_labelme(folder: Path, boxes: list[Box]) -> Path:
    shapes = [
        {"label": "cat", "shape_type": "rectangle", "points": [[left, top], [left + width, top + height]]}
        for left, top, width, height in boxes
    ]
    content = {"shapes": shapes, "imagePath": "a.jpg", "imageData": None, "imageWidth": WIDTH, "imageHeight": HEIGHT}
    return written(folder / "a.json", json.dumps(content))


def write_cvat(folder: Path, boxes: list[Box]) -> Path:
    drawn = "".join(
        f'<box label="cat" xtl="{left}" ytl="{top}" xbr="{left + width}" ybr="{top + height}"/>'
        for left, top, width, height in boxes
    )
    image = f'<image id="0" name="a.jpg" width="{WIDTH}" height="{HEIGHT}">{drawn}</image>'
    return written(folder / "a.xml", f"<annotations><version>1.1</version>{image}</annotations>")


def write_label_studio(folder: Path, boxes: list[Box]) -> Path:
    results = [
        {
            "type": "rectanglelabels", "from_name": "label", "to_name": "image",
            "original_width": WIDTH, "original_height": HEIGHT,
            "value": {
                "x": left / WIDTH * 100, "y": top / HEIGHT * 100, "width": width / WIDTH * 100,
                "height": height / HEIGHT * 100, "rectanglelabels": ["cat"],
            },
        }
        for left, top, width, height in boxes
    ]  # fmt: skip
    tasks = [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"id": 1, "result": results}]}]
    return written(folder / "tasks.json", json.dumps(tasks))


def write_custom_vision(folder: Path, boxes: list[Box]) -> Path:
    tags = [
        {"tag": "cat", "left": left / WIDTH, "top": top / HEIGHT, "width": width / WIDTH, "height": height / HEIGHT}
        for left, top, width, height in boxes
    ]
    content = {"files": [{"filename": "a.jpg", "width": WIDTH, "height": HEIGHT, "tags": tags}]}
    return written(folder / "tags.json", json.dumps(content))


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


WRITERS: dict[str, Callable[[Path, list[Box]], Path]] = {
    "coco": write_coco, "yolo": write_yolo, "csv": write_csv, "voc": write_voc, "labelme": write_labelme,
    "cvat": write_cvat, "label_studio": write_label_studio, "custom_vision": write_custom_vision,
}  # fmt: skip


def boxes_of(dataset: cl.Dataset) -> list[list[float]]:
    """Return the boxes, rounded, as formats have ratios of different accuracy."""
    found: list[list[float]] = dataset.annotations[list(t.BOX_COLUMNS)].round(6).to_numpy().tolist()
    return found


def read_all(folder: Path, boxes: list[Box]) -> dict[str, cl.Dataset]:
    """Read the same boxes in all formats, and from a table."""
    found = {}
    for name, write in WRITERS.items():
        (folder / name).mkdir()
        found[name] = cl.read_dataset(write(folder / name, boxes), name)  # type: ignore[arg-type]
    rows = pd.DataFrame(boxes, columns=list(t.BOX_COLUMNS)).assign(image="a.jpg", label="cat")
    images = pd.DataFrame({"image": ["a.jpg"], "width": [WIDTH], "height": [HEIGHT]})
    return found | {"table": cl.Dataset(images, rows)}


ODD = st.lists(st.sampled_from([*BEYOND, *UNREADABLE]), min_size=1, max_size=2, unique=True)


@settings(max_examples=many(40), phases=[Phase.generate])
@given(odd=ODD, fine=st.sampled_from([[], FINE]))
def test_all_formats_have_the_same_verdict(
    odd: list[Box], fine: list[Box], tmp_path_factory: pytest.TempPathFactory
) -> None:
    boxes = [*odd, *fine]
    kept = [list(map(float, box)) for box in boxes if box not in UNREADABLE]
    datasets = read_all(tmp_path_factory.mktemp("boxes"), boxes)
    if not fine:  # so many numbers above 100 are pixels
        del datasets["label_studio"]
    for name, dataset in datasets.items():
        assert boxes_of(dataset) == kept, name
        (issue,) = dataset.issues.query("code == 'ENTRY_UNREADABLE'")["message"] if len(kept) < len(boxes) else ("",)
        assert not issue or f"{len(boxes) - len(kept)} × box or polygon far beyond its image" in issue, name
        if name != "table":  # an image whose boxes were all left out is not empty
            assert dataset.images["status"].tolist() == ["labelled" if kept else "unlabelled"], name


@st.composite
def inside(draw: st.DrawFn) -> list[Box]:
    """Draw boxes within an image, as corners, of which the first is beyond it if read as left, top, width, height."""
    lows = draw(st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), min_size=1, max_size=5))
    corners = [(x, y, x + draw(st.floats(0.1, 0.5)), y + draw(st.floats(0.1, 0.5))) for x, y in lows]
    return [(0.6, 0.5, 0.95, 0.9), *corners]


@settings(max_examples=many(500))
@given(corners=inside())
def test_corners_are_recognised_if_all_boxes_fit_only_so(corners: list[Box]) -> None:
    numbers, sizes = np.array(corners), np.tile([640.0, 480.0], (len(corners), 1))
    in_pixels = numbers * [640, 480, 640, 480]
    for unit, given_ in (("ratios", numbers), ("pixels", in_pixels)):
        judged = judge(given_, sizes, unit=unit, corners=True)  # type: ignore[arg-type]
        assert set(judged.verdicts.tolist()) == {Verdict.CORNERS}
        np.testing.assert_allclose(judged.boxes, xyxy_to_ltwh(in_pixels))
    beside = np.vstack([in_pixels, [[600, 400, 30, 40]]])  # not in the order of corners
    assert Verdict.CORNERS not in judge(beside, np.tile([640.0, 480.0], (len(beside), 1)), corners=True).verdicts


@settings(max_examples=many(500))
@given(st.lists(st.tuples(*[st.floats(0.05, 0.49)] * 4), min_size=1, max_size=5), st.integers(100, 4000))
def test_ratios_become_the_pixels_they_are(ratios: list[Box], side: int) -> None:
    boxes, sizes = np.array(ratios), np.full((len(ratios), 2), float(side))
    judged = judge(boxes, sizes)
    assert are_ratios(boxes)
    assert set(judged.verdicts.tolist()) == {Verdict.RATIOS}
    for unit, numbers in (("ratios", boxes), ("pixels", boxes * side)):
        other = judge(numbers, sizes, unit=unit)  # type: ignore[arg-type]
        np.testing.assert_allclose(judged.boxes, other.boxes)


def test_boxes_in_images_of_unknown_size_are_kept() -> None:
    judged = judge(np.array([[1e6, 1, 1, 1], [np.nan] * 4]), np.full((2, 2), np.nan))
    assert judged.keep.all()
    assert list(judged.findings()) == []


POLYGON = [[100, 50], [300, 50], [300, 250], [100, 250]]


@pytest.mark.parametrize(
    ("box", "polygon", "read", "words"),
    [
        ((100, 50, 200, 200), POLYGON, (100, 50, 200, 200), ""),
        ((100, 50, 300, 250), POLYGON, (100, 50, 200, 200), "The box of the polygon was read"),  # corners
        ((0.15625, 0.104167, 0.3125, 0.416667), POLYGON, (100, 50, 200, 200), "The box of the polygon was read"),
        ((400, 300, 50, 50), POLYGON, (400, 300, 50, 50), "Both were read"),
        (
            (100, 50, 200, 200),
            [[x / WIDTH, y / HEIGHT] for x, y in POLYGON],
            (100, 50, 200, 200),
            "converted to pixels",
        ),
        ((100, 50, 200, 200), [[2000, 2000], [3000, 2000], [3000, 3000]], (100, 50, 200, 200), "The box was read"),
        ((2000, 50, 200, 200), [[2000, 50], [3000, 50], [3000, 250]], None, "far beyond its image"),
    ],
)
def test_a_polygon_in_a_table_is_compared_with_its_box(
    box: Box, polygon: list[list[float]], read: Box | None, words: str
) -> None:
    images = pd.DataFrame({"image": ["a.jpg"], "width": [WIDTH], "height": [HEIGHT]})
    rows = pd.DataFrame({"image": ["a.jpg"], "label": ["cat"], **dict(zip(t.BOX_COLUMNS, box, strict=True))})
    found = cl.Dataset(images, rows.assign(polygon=[polygon]))
    assert boxes_of(found) == ([] if read is None else [list(map(float, read))])
    assert words in " ".join(found.issues["message"])
    assert found.issues.empty == (words == "")
    if words == "The box was read":
        assert found.annotations["polygon"].isna().all()
    if words == "converted to pixels":
        np.testing.assert_allclose(found.annotations["polygon"][0], POLYGON)
