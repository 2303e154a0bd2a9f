"""Tests of what other programs need from an export: plain names, equal stems, boxes in the image, and known layouts."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import clip_ltwh, polygon_to_ltwh
from customlabels_nb.core.polygons import area
from customlabels_nb.datasets import formats
from customlabels_nb.datasets.formats.base import ImageFinder
from customlabels_nb.datasets.formats.clipping import clip
from customlabels_nb.errors import InputError
from tests import peers
from tests.datasets.formats.shared import contents
from tests.datasets.formats.test_contract import IN_FILES, target
from tests.peers import layouts

BOX = {"left": 1.0, "top": 2.0, "width": 20.0, "height": 10.0}
PAIRED = ["yolo", "voc", "labelme"]


def boxes_of(files: list[Path], split: str = "train", **box: float) -> cl.Dataset:
    """Write images and return a dataset with a box in each, labelled with the name of its image."""
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (number, 0, 0)).save(file)
    rows = pd.DataFrame({"image": list(map(str, files))}).assign(**{**BOX, **box})
    return cl.Dataset(rows[["image"]].assign(split=split), rows.assign(label=[file.name for file in files]))


def where(report: Any) -> dict[str, str]:
    return {issue.where: issue.message for issue in report.issues.itertuples()}


# -- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copy_images", [True, False])
@pytest.mark.parametrize("name", IN_FILES)
@pytest.mark.filterwarnings("ignore:.*outside:UserWarning")
def test_names_are_plain_paths(tmp_path: Path, name: str, copy_images: bool) -> None:
    files = [tmp_path / "my pics" / "ü b.jpg", tmp_path / "out" / "in here.jpg"]
    before = boxes_of(files)
    path = target(name, tmp_path / "out")
    written = before.to(name, path, copy_images=copy_images)
    texts = "".join(file.read_text("utf-8") for file in written.files if file.suffix != ".jpg")
    assert "file:" not in texts
    assert "%20" not in texts
    if not copy_images and not name.startswith("label_studio"):  # its names are the end of a URL
        assert str(files[0]) in texts or str(files[0]).replace("ü", "\\u00fc") in texts
    after = cl.read_dataset(path)
    assert after.issues.empty
    if not copy_images:
        assert sorted(after.images["image"]) == sorted(map(str, files))


@pytest.mark.parametrize("form", [str, Path.as_uri])
def test_images_elsewhere_are_accepted_by_their_extension(tmp_path: Path, form: Any) -> None:
    finder = ImageFinder(tmp_path / "set")
    assert finder.find(form(tmp_path / "a b.jpg")) == str(tmp_path / "a b.jpg")
    assert finder.find(form(tmp_path / "set" / "raw")) == str(tmp_path / "set" / "raw")
    for secret in (Path("/etc/passwd"), tmp_path / "set" / ".." / "key.pem", tmp_path / "settings"):
        with pytest.raises(InputError, match="outside the folder of the annotations"):
            finder.find(form(secret))


@pytest.mark.parametrize(
    "name", ["//server/a.jpg", "\\\\server\\a.jpg", "file:////server/a.jpg", "file://server/a.jpg"]
)
def test_images_on_network_shares_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="outside the folder of the annotations"):
        ImageFinder(Path("/set")).find(name)


@pytest.mark.parametrize(("name", "program"), [("yolo", "Ultralytics"), ("cvat", "CVAT"), ("coco", "supervision")])
def test_images_that_a_program_cannot_find_are_reported_once(tmp_path: Path, name: str, program: str) -> None:
    before = boxes_of([tmp_path / "photos" / f"{number}.jpg" for number in range(5)])
    with pytest.warns(
        UserWarning, match=rf"5 images are outside .* {program} cannot find them.*copy_images=True"
    ) as found:
        written = before.to(name, target(name, tmp_path / "out"))
    assert [str(warning.message) for warning in found] == [where(written)["copy_images"]]
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before.to(name, target(name, tmp_path / "out"), copy_images=True)
        before.to(name, tmp_path / "photos" / {"cvat": "x.xml", "coco": "x.json"}.get(name, ""))


# -- stems ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IN_FILES)
def test_copies_have_different_stems_and_renamed_ones_are_reported(tmp_path: Path, name: str) -> None:
    names = ["a/d.jpg", "a/d.png", "b/D.jpg", "a/index.jpg", "a/c d.jpg"]
    before = boxes_of([tmp_path / each for each in names])
    written = before.to(name, target(name, tmp_path / "out"), copy_images=True)
    copies = {file.name for file in written.files if file.parent.name == "images"}
    assert copies == {"d.jpg", "d-2.png", "D-3.jpg", "index.jpg", "c d.jpg"}
    renamed = where(written)["names of copies"]
    assert renamed.startswith("2 × copy with another name")
    assert "d-2.png" in renamed
    after = cl.read_dataset(target(name, tmp_path / "out"))
    found = dict(zip(after.annotations["image"].map(os.path.basename), after.annotations["label"], strict=True))
    assert found == {
        "d.jpg": "d.jpg", "d-2.png": "d.png", "D-3.jpg": "D.jpg", "index.jpg": "index.jpg", "c d.jpg": "c d.jpg",
    }  # fmt: skip


@pytest.mark.parametrize("copy_images", [True, False])
@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.filterwarnings("ignore:.*outside:UserWarning")
def test_annotation_files_have_the_stems_of_their_images(tmp_path: Path, name: str, copy_images: bool) -> None:
    names = ["a/c d.jpg", "a/é.v2.png", "a/%41 [1].jpg", "a/index.jpg"]
    before = boxes_of([tmp_path / each for each in names])
    out = tmp_path / "out"
    written = before.to(name, out, copy_images=copy_images)
    images = [file.stem for file in (out / "images" if copy_images else tmp_path / "a").iterdir()]
    folder = out / {"yolo": "labels", "voc": "Annotations", "labelme": "."}[name]
    ending = {"yolo": ".txt", "voc": ".xml", "labelme": ".json"}[name]
    stems = {file.stem for file in written.files if file.parent == folder and file.suffix == ending}
    assert {stem for stem in images if "%" not in stem} <= stems  # a percent sign is replaced
    assert len(stems) == len(names)


@pytest.mark.filterwarnings("ignore:.*outside:UserWarning")
def test_boxes_of_images_elsewhere_with_one_stem_stay_apart(tmp_path: Path) -> None:
    before = boxes_of([tmp_path / "a" / "d.jpg", tmp_path / "a" / "d.png", tmp_path / "a" / "e.png"])
    before.to("yolo", tmp_path / "out")
    few = before.filter(before.images["image"].str.endswith("png"))
    for again in (before, few, before):
        again.to("yolo", tmp_path / "out")
        after = cl.read_dataset(tmp_path / "out")
        assert set(after.issues["code"]) <= {"NOT_IMPORTED"}  # a file of the image that is no longer exported
        assert sorted(after.annotations["label"]) == sorted(again.annotations["label"])


# -- boxes ------------------------------------------------------------------------------------------

sides = st.floats(-30, 70, width=32)


@given(st.lists(st.tuples(sides, sides, st.floats(0.5, 80), st.floats(0.5, 80), st.booleans()), min_size=1, max_size=6))
def test_shapes_are_clipped_to_the_image(drawn: list[tuple[Any, ...]]) -> None:
    rows: list[dict[str, Any]] = []
    for left, top, width, height, outlined in drawn:
        row = {"left": left, "top": top, "width": width, "height": height, "polygon": None}
        if outlined:
            row["polygon"] = [[left, top], [left + width, top], [left + width, top + height]]
        rows.append({"image": "/a.jpg", "label": "x", **row})
    before = contents([{"image": "/a.jpg", "width": 40, "height": 30, "status": "labelled"}], rows)
    after = clip(before, formats.FORMATS["coco"], {"/a.jpg": "a.jpg"})
    boxes, placed = (each.annotations[list(t.BOX_COLUMNS)].to_numpy() for each in (before, after))
    expected = clip_ltwh(boxes, (40, 30))
    inside = (expected[:, 2:] > 0).all(axis=1)
    outlines = [p for p in after.annotations["polygon"] if p is not None]
    assert all(area(outline) > 0 for outline in outlines)
    bounds = [polygon_to_ltwh(outline) for outline in outlines]
    assert all((clip_ltwh(box, (40, 30))[0] == box).all() for box in bounds)
    if not any(row["polygon"] for row in rows):
        np.testing.assert_allclose(placed, expected[inside])
        cut = (np.abs(expected - boxes).max(axis=1) > 0.011) & inside
        counts = {issue.where: int(issue.message.split()[0]) for issue in after.issues}
        assert counts.get("boxes outside the image", 0) == (~inside).sum()
        assert counts.get("boxes beyond the image", 0) == cut.sum()
    assert (after.images["status"] == ("labelled" if len(placed) else "unlabelled")).all()


@pytest.mark.parametrize("name", [name for name, format_ in formats.FORMATS.items() if "boxes" in format_.holds])
def test_boxes_beyond_the_image_are_clipped_in_files_of_other_programs(tmp_path: Path, name: str) -> None:
    before = boxes_of([tmp_path / "a.jpg"], left=-10, top=-5, width=45, height=40)
    written = before.to(name, target(name, tmp_path / "out"), copy_images=True)
    found = cl.read_dataset(target(name, tmp_path / "out")).annotations[list(t.BOX_COLUMNS)].round(3)
    clipped = name not in ("ground_truth", "label_studio", "label_studio_min", "csv")
    assert found.to_numpy().tolist() == [[0, 0, 35, 30] if clipped else [-10, -5, 45, 40]]
    reported = where(written).get("boxes beyond the image", "")
    assert reported == (f"1 × box or polygon beyond its image was clipped: '{tmp_path}/a.jpg'." if clipped else "")


# -- layouts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["yolo", "yolo_polygons"])
def test_training_programs_find_each_image_with_its_boxes(tmp_path: Path, name: str) -> None:
    peers.export(tmp_path)
    splits = layouts.read_yolo(tmp_path / name / "data.yaml")
    assert [split.problems for split in splits.values()] == [[], []]
    assert [len(split.images) for split in splits.values()] == [5, 1]
    images = {image: boxes for each in splits.values() for image, boxes in each.images.items()}
    found = sorted([peers.pixel(str(image)), *box] for image, boxes in images.items() for box in boxes)
    pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(expected_of(tmp_path, name)), atol=0.01)


def expected_of(folder: Path, name: str) -> list[Any]:
    boxes: list[Any] = json.loads((folder / "expected.json").read_text("utf-8"))[name]["boxes"]
    return boxes


def test_val_names_training_images_without_test_images(tmp_path: Path) -> None:
    before = boxes_of([tmp_path / "a.jpg", tmp_path / "b.jpg"])
    written = before.to("yolo", tmp_path / "out", copy_images=True)
    splits = layouts.read_yolo(tmp_path / "out" / "data.yaml")
    assert splits["val"].images == splits["train"].images
    assert "names the training images" in where(written)["val"]
    after = cl.read_dataset(tmp_path / "out")
    assert after.issues.empty
    assert after.images["split"].tolist() == ["train", "train"]
    of_both = boxes_of([tmp_path / "c.jpg"], split="test").concat(before)
    assert "val" not in where(of_both.to("yolo", tmp_path / "both", copy_images=True))


def test_voc_lists_its_labels_for_other_programs(tmp_path: Path) -> None:
    before = boxes_of([tmp_path / "a.jpg"])
    labels = ["cat", "a:b", "#1"]
    written = cl.Dataset(before.images, before.annotations.assign(label="cat"), labels).to("voc", tmp_path / "out")
    lines = (tmp_path / "out" / "labelmap.txt").read_text("utf-8").splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith("#")] == ["background", "cat"]
    assert where(written)["labelmap.txt"].startswith("2 × label in labelmap.txt cannot be stored as voc: 'a:b', '#1'")


def test_names_of_copies_in_cvat_files_are_those_of_frames(tmp_path: Path) -> None:
    before = boxes_of([tmp_path / "a b.jpg"])
    before.to("cvat", tmp_path / "out" / "annotations.xml", copy_images=True)
    assert 'name="a b.jpg"' in (tmp_path / "out" / "annotations.xml").read_text("utf-8")
    (tmp_path / "out" / "a b.jpg").write_bytes(b"another file of this name")
    before.to("cvat", tmp_path / "out" / "annotations.xml", copy_images=True)
    assert 'name="images/a b.jpg"' in (tmp_path / "out" / "annotations.xml").read_text("utf-8")
    assert cl.read_dataset(tmp_path / "out" / "annotations.xml").images["image"].map(os.path.dirname).tolist() == [
        str(tmp_path / "out" / "images")
    ]
