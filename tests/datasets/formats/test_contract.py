"""Tests of every format's contract: read → write → read is equal in all it can hold, and losses are reported."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.datasets import formats
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats import base
from customlabels_nb.datasets.formats.base import ImageFinder
from customlabels_nb.errors import InputError, ManifestError
from tests.datasets.formats.shared import HOSTILE, files_outside
from tests.images.pictures import jpeg

LABELS = ["apple", "quote\" 'pear", "<b>plum", "naïve 🍎"]


def photos(folder: Path, count: int = 6) -> list[str]:
    """Write images of different sizes and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        path = folder / f"photo {number}.png"
        Image.fromarray(np.full((60 + number, 100, 3), 20 * number, dtype=np.uint8)).save(path)
        names.append(str(path))
    return names


def dataset(folder: Path, kind: str) -> Dataset:
    """Return photos below ``folder`` with annotations of one kind. The last but one is empty, the last unlabelled."""
    names = photos(folder / "photos")
    rows: list[dict[str, object]] = []
    for number, name in enumerate(names[:4]):
        if kind == "image_labels":
            rows.append({"image": name, "label": LABELS[number]})
            continue
        for k in range(number % 2 + 1):
            row = {
                "image": name,
                "label": LABELS[(number + k) % 4],
                "left": 3.5 + k,
                "top": 4.25,
                "width": 20 if kind == "polygons" else 33.3333333,
                "height": 30.125,
            }
            if kind == "polygons":
                row |= {"polygon": [[3.5 + k, 4.25], [23.5 + k, 4.25], [23.5 + k, 34.375]]}
            if kind == "polygons" and k:  # with a hole and a second part
                row |= {"polygon": [row["polygon"], [[18.5, 8], [22, 8], [22, 14]], [[5, 20], [9, 20], [9, 24]]]}
            rows.append(row)
    created = pd.Timestamp("2026-03-06T17:46:39.176000Z")
    images = pd.DataFrame(
        {
            "image": names,
            "width": pd.array([100] * len(names), dtype="Int64"),
            "height": pd.array([60 + i for i in range(len(names))], dtype="Int64"),
            "status": ["labelled"] * 5 + ["unlabelled"],
        }
    )
    return Dataset(images, pd.DataFrame(rows).assign(created=created), LABELS)


def target(name: str, folder: Path) -> Path:
    """Return the path at which a dataset of the format is written."""
    return folder / {
        "ground_truth": "set.manifest",
        "coco": "set.json",
        "custom_vision": "set.json",
        "csv": "set.csv",
        "label_studio": "set.json",
        "label_studio_min": "set.json",
        "cvat": "set.xml",
    }.get(name, "set")


IN_FILES = [name for name, format_ in formats.FORMATS.items() if not format_.copies]
CASES = [
    (name, kind)
    for name, format_ in formats.FORMATS.items()
    for kind in ("image_labels", "boxes", "polygons")
    if kind in format_.holds and not format_.copies
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_round_trip_keeps_what_the_format_can_hold(tmp_path: Path, name: str, kind: str) -> None:
    holds = formats.FORMATS[name].holds
    before = dataset(tmp_path, kind)
    if "empty" not in holds:
        before = before.filter(before.images.index != 4)
    path = target(name, tmp_path)
    written = before.to(name, path)
    assert all(file.is_relative_to(tmp_path) and file.exists() for file in written.files)
    after = cl.read_dataset(path)
    assert after.issues.empty, after.issues.to_dict("records")
    kept = before.images if "unlabelled" in holds else before.images[before.images["status"] == "labelled"]
    assert sorted(after.images["image"]) == sorted(kept["image"])
    assert dict(zip(after.images["image"], after.images["status"], strict=True)) == dict(
        zip(kept["image"], kept["status"], strict=True)
    )
    columns = ["image", "label", *t.BOX_COLUMNS]
    expected, found = (frame.annotations.sort_values(columns).reset_index(drop=True) for frame in (before, after))
    pd.testing.assert_frame_equal(found[columns], expected[columns], atol=1e-6, rtol=0)
    if kind == "polygons":
        for mine, theirs in zip(expected["polygon"], found["polygon"], strict=True):
            for ring, other in zip(rings_of(theirs), rings_of(mine), strict=True):
                np.testing.assert_allclose(ring, other, atol=1e-6)
    if "created" in holds:
        assert (found["created"] == expected["created"]).all()
    if "label_order" in holds:
        assert after.labels["label"].tolist() == LABELS


OWN = {"csv", "label_studio"}  # formats that hold columns of the user's own


def everything(folder: Path) -> Dataset:
    """Return a dataset with one of everything that some format cannot hold."""
    names = photos(folder / "photos", 9)
    box = {"left": 3.5, "top": 4.25, "width": 20.0, "height": 30.125}
    outline = [[3.5, 4.25], [23.5, 4.25], [23.5, 34.375]]
    first, second = map(pd.Timestamp, ("2026-03-06T17:46:39.176Z", "2025-01-02T03:04:05Z"))
    rows = [
        {
            "image": names[0],
            "label": "zebra",
            "confidence": 0.25,
            "annotator": "Ann",
            "created": first,
            "note": "or a\nhorse?",
        },
        {"image": names[1], "label": "ape", **box, "job": "labeling-job/a", "created": second},
        {"image": names[1], "label": "zebra", **box, "crowd": True, "job": "labeling-job/a", "created": second},
        {"image": names[2], "label": "cat", **box, "polygon": outline, "created": first, "note": "<b>loose</b> 🍎"},
        {"image": names[3], "label": "cat", **box, "confidence": 0.5, "annotator": "Bo", "created": first},
    ]
    images = pd.DataFrame({
        "image": names,
        "width": pd.array([100] * 9, dtype="Int64"),
        "height": pd.array([60 + i for i in range(9)], dtype="Int64"),
        "status": ["labelled"] * 3 + ["needs_review", "labelled", "skipped"] + ["unlabelled"] * 3,
        "split": ["train", "test"] * 4 + ["train"],
        "tags": [["good"], *[[]] * 8],
        "site": pd.Categorical(["north", "south", None] * 3),
        "license": ["CC BY 4.0", *[None] * 8],
    })  # fmt: skip
    images.attrs["about"] = "drawn"
    found = [{**box, "image": name, "label": "cat", "confidence": 0.25, "model": "v1"} for name in names[3:5]]
    predictions = pd.DataFrame(found)
    return Dataset(images, pd.DataFrame(rows), ["zebra", "unused", "ape", "cat"], predictions=predictions)


@pytest.mark.parametrize(("name", "lost"), [("csv", 7), ("label_studio", 3)])
def test_own_columns_come_back_or_are_reported(tmp_path: Path, name: str, lost: int) -> None:
    images = pd.DataFrame({
        "image": photos(tmp_path / "photos", 3),
        "camera, left": ["a b", None, 'd"e'],
        "metres": [1.0, None, -2.5e-7],
        "count": [1, -2, 3],
        "night": [True, False, True],
        "batch": ["007", "12", "9"],
        "digits": ["1", "2", "3"],  # numbers in CSV
        "padded": [" x", None, None],
        "Category": ["x", "y", "z"],  # the labels in CSV
        "bbox_xyxy": ["1", "2", "3"],
        "long": ["a" * 2000, None, None],
        "lists": [["a"], ["b"], None],
        "id": ["12345678901234567", "12345678901234568", "1"],
        "few": [101, None, 103.5],
        "some": pd.array([101, None, 103], dtype="Int64"),  # text in CSV
    })  # fmt: skip
    before = Dataset(images, pd.DataFrame({"image": images["image"][:1], "label": "cat"}))
    path = target(name, tmp_path / "out")
    (issue,) = (issue for issue in before.to(name, path).issues.itertuples() if issue.where == "columns")
    assert issue.message.startswith(f"{lost} × custom column")
    after = cl.read_dataset(path)
    assert after.labels["label"].tolist() == ["cat"]
    own = [column for column in images.columns if column not in t.IMAGE_COLUMNS]
    same = [column for column in own if column in after.images and after.images[column].equals(before.images[column])]
    assert len(own) - len(same) == lost


def comparable(dataset: Dataset, holds: frozenset[str]) -> dict[str, object]:
    """Return the parts that must survive writing to a format with the capabilities ``holds``."""
    images, rows = dataset.images, dataset.annotations
    whole = rows["left"].isna()
    rows = rows[(whole & ("image_labels" in holds)) | (~whole & ("boxes" in holds))].sort_values(["image", "label"])
    rows = rows.fillna({**dict.fromkeys(t.BOX_COLUMNS, -1.0), "job": "", "annotator": "", "note": ""}).round(
        dict.fromkeys(t.BOX_COLUMNS, 6)
    )
    status = dict(zip(images["image"].map(os.path.basename), images["status"], strict=True))
    split = dict(zip(images["image"].map(os.path.basename), images["split"], strict=True))
    sized = images[images["image"].isin(rows.loc[rows["left"] >= 0, "image"])].sort_values("image")

    def of_rows(*columns: str) -> list[list[object]]:
        return rows[["image", "label", *columns]].to_numpy().tolist()

    return {
        "image_labels": of_rows(),
        "boxes": of_rows(*t.BOX_COLUMNS),
        "polygons": [None if points is None else np.round(points, 6).tolist() for points in rows["polygon"]],
        "confidence": of_rows("confidence"),
        "annotator": of_rows("annotator"),
        "job": [row for row in of_rows("job") if "labeling-job/a" in row],
        "created": of_rows("created"),
        "crowd": of_rows("crowd"),
        "label_notes": rows.loc[rows["left"] < 0, "note"].tolist(),
        "box_notes": rows.loc[rows["left"] >= 0, "note"].tolist(),
        "empty": status["photo 4.png"],
        "unlabelled": [status[f"photo {number}.png"] for number in (6, 7, 8)],
        "status": status,
        "split": split,
        "size": sized[["image", "width", "height"]].to_numpy().tolist(),
        "predictions": dataset.predictions.drop(columns="created")
        .round(6)
        .fillna({"annotator": "", "job": "", "note": ""})
        .to_numpy()
        .tolist(),
        "labels": sorted(dataset.labels["label"]),
        "label_order": dataset.labels["label"].tolist(),
    }


@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_each_value_survives_a_round_trip_or_its_loss_is_reported(tmp_path: Path, name: str) -> None:
    format_ = formats.FORMATS[name]
    before = everything(tmp_path)
    if format_.copies:
        before = before.filter(before.images.index != 1)  # it has two labels
    path = target(name, tmp_path / "out")
    written = before.to(name, path)
    said = {issue.where: issue.message for issue in written.issues.itertuples()}
    lost = {"columns", "notes", *formats.base.CAPABILITIES - format_.holds} - ({"columns"} if name in OWN else set())
    assert said.keys() - {"copy_images"} == lost - ({"crowd", "job"} if format_.copies else set())
    assert "'about'" in said["notes"]
    assert said.get("box_notes", "1 × note on a box or polygon").startswith("1 × note on a box or polygon")
    if name not in OWN:
        assert said["columns"].startswith(f"{1 if name == 'coco' else 2} × custom column")
    if "confidence" in lost:
        assert said["confidence"].startswith("2 × confidence cannot be stored as")
        assert "photo 0.png" in said["confidence"]
    if format_.copies:
        return  # its images differ: test_folders_by_label_come_back_with_copies
    after = cl.read_dataset(path)
    assert after.issues.empty, after.issues.to_dict("records")
    mine, theirs = comparable(before, format_.holds), comparable(after, format_.holds)
    for capability in mine.keys() & format_.holds:
        assert theirs[capability] == mine[capability], capability


@pytest.mark.parametrize("name", IN_FILES)
def test_hostile_names_are_only_text(tmp_path: Path, name: str) -> None:
    holds, out = formats.FORMATS[name].holds, tmp_path / "out"
    files = ["plain.png", *(f"{label.replace('/', '_')}.jpg" for label in HOSTILE)]
    folders = [out, out / "images", tmp_path / "elsewhere"]
    images = [str(folder / file) for folder in folders for file in files]
    images += [f"https://host/{file}" for file in files if file.isprintable()]
    table = pd.DataFrame({"image": images, "width": 10, "height": 10})
    rows = pd.DataFrame({"image": images, "label": (HOSTILE * 5)[: len(images)]})
    parts = [rows.assign(left=1, top=2, width=3, height=4)] if "boxes" in holds else []
    parts += [rows] if "image_labels" in holds else []
    before = Dataset(table, pd.concat(parts), HOSTILE)
    written = before.to(name, target(name, out))
    assert files_outside(tmp_path, out) == []
    if formats.FORMATS[name].on_lines:  # a line or an XML file cannot hold all names
        images = [image for image in images if not re.search("[\t\n\r\x85\u2028]", image)]
        left_out = next(issue.message for issue in written.issues.itertuples() if issue.where == "names")
        assert left_out.startswith(f"{len(before) - len(images)} × image name")
        assert "copy_images=True" in left_out
        before = before.filter(before.images["image"].isin(images))
    after = cl.read_dataset(target(name, out))
    assert after.issues["code"].tolist() == ["IMAGE_NOT_LISTED"], after.issues.to_dict("records")
    assert sorted(after.images["image"]) == sorted(images)
    columns = ["image", "label", *t.BOX_COLUMNS]
    expected, found = (frame.annotations[columns].fillna(0).to_numpy().tolist() for frame in (before, after))
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("name", IN_FILES)
def test_writing_again_replaces_earlier_files(tmp_path: Path, name: str) -> None:
    before = dataset(tmp_path, "boxes" if "boxes" in formats.FORMATS[name].holds else "image_labels")
    before.filter("label.notna()").to(name, target(name, tmp_path / "out"))
    fewer = before.filter(before.images.index % 2 == 1).filter("label.notna()")
    bare = Dataset(fewer.images.assign(status="unlabelled"), labels=LABELS)
    for again in (fewer, bare):
        again.to(name, target(name, tmp_path / "out"))
        after = cl.read_dataset(target(name, tmp_path / "out"))
        assert sorted(after.images["image"]) == sorted(again.images["image"])
        assert len(after.annotations) == len(again.annotations)


def test_no_loss_is_reported_for_absent_values(tmp_path: Path) -> None:
    names = photos(tmp_path / "photos", 2)
    plain = Dataset(pd.DataFrame({"image": names}), pd.DataFrame({"image": names, "label": ["a", "b"]}))
    for name, format_ in formats.FORMATS.items():
        if "image_labels" in format_.holds:
            issues = plain.to(name, target(name, tmp_path / name)).issues
            assert set(issues["where"]) - {"copy_images"} == {"created"} - format_.holds, name


def test_folders_by_label_come_back_with_copies(tmp_path: Path) -> None:
    names = photos(tmp_path / "photos", 4)
    rows = pd.DataFrame({"image": names[:3], "label": ["apple", "pear", "apple"]})
    before = Dataset(pd.DataFrame({"image": names}), rows)
    before.to("image_folder", tmp_path / "out")
    after = cl.read_dataset(tmp_path / "out", "image_folder")
    assert after.label_counts.to_dict() == {"apple": 2, "pear": 1}
    assert len(after) == 4
    for hostile in ("..", "a/b", ".hidden", "x\0y"):
        if "\0" in hostile:
            continue
        with pytest.raises(InputError, match="not a valid folder name"):
            before.relabel({"apple": hostile}).to("image_folder", tmp_path / "bad")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", IN_FILES)
def test_copied_images_go_along_and_can_be_moved(tmp_path: Path, name: str) -> None:
    kind = "boxes" if "boxes" in formats.FORMATS[name].holds else "image_labels"
    before = dataset(tmp_path, kind).filter("label.notna()")
    before.to(name, target(name, tmp_path / "out"), copy_images=True)
    if name == "ground_truth":
        after = cl.read_dataset(target(name, tmp_path / "out"))
        assert all(Path(image).is_relative_to(tmp_path / "out" / "images") for image in after.images["image"])
        return
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    for path in (tmp_path / "photos").iterdir():
        path.unlink()
    after = cl.read_dataset(target(name, tmp_path / "elsewhere"))
    assert len(after) == len(before)
    assert all(Path(image).is_file() for image in after.images["image"])
    project = cl.create_project("moved", tmp_path)
    report = project.import_dataset(after, split="test", progress=False)
    assert report.added == len(before)
    assert len(project.test_set.annotations) == len(before.annotations)
    project.close()


def test_moved_images_are_found(tmp_path: Path) -> None:
    names = photos(tmp_path / "now" / "deep", 2)
    lines = [{"source-ref": f"s3://bucket/{Path(name).name}"} for name in [*names, "gone.png"]]
    (tmp_path / "set.manifest").write_text("\n".join(map(json.dumps, lines)))
    moved = cl.read_dataset(tmp_path / "set.manifest", relocate={"s3://bucket/": f"{tmp_path}/now/deep/"})
    assert moved.images["image"].tolist() == [*names, f"{tmp_path}/now/deep/gone.png"]
    found = cl.read_dataset(tmp_path / "set.manifest", images=tmp_path / "now")
    assert found.images["image"].tolist() == [*names, "s3://bucket/gone.png"]
    assert found.issues["code"].tolist() == ["IMAGE_NOT_LISTED"]


def test_files_of_no_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path / "nothing", tmp_path / "notes.txt"):
        with pytest.raises((ManifestError, InputError), match=path.name):
            cl.read_dataset(path)
    with pytest.raises(InputError, match="'cocco'"):
        cl.read_dataset(tmp_path, "cocco")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("yolo", "out/data.yaml"), ("yolo", "out"), ("coco", "out"), ("coco", "out/x.json"), ("custom_vision", "out"),
        ("csv", "out/x.csv"), ("voc", "out"), ("voc", "out/x.xml"),
    ],
)  # fmt: skip
def test_copies_lie_beside_the_annotations(tmp_path: Path, name: str, file: str) -> None:
    before = dataset(tmp_path, "boxes").filter("label.notna()")
    before = before.sample(1) if file.endswith(".xml") else before
    written = before.to(name, tmp_path / file, copy_images=True)
    copies = [path for path in written.files if path.suffix == ".png"]
    assert {path.parent for path in copies} == {tmp_path / "out" / "images"}
    assert all(path.is_file() for path in written.files)
    assert sorted(cl.read_dataset(tmp_path / file, name).images["image"]) == sorted(map(str, copies))


def test_a_dataset_goes_from_project_to_project_with_all_that_is_known(tmp_path: Path) -> None:
    given = everything(tmp_path)
    first, second = (cl.create_project(name, tmp_path) for name in ("first", "second"))
    first.import_dataset(given.filter("split == 'train'"), copy=True, progress=False)
    mine = first.train_set
    assert not any(Path(image).is_absolute() for image in mine.images["image"])
    second.import_dataset(mine, split="test", progress=False)
    theirs = second.test_set
    assert all(Path(image).is_file() for image in theirs.images["image"])
    own = ["status", "width", "height", "tags", "site", "license"]
    pd.testing.assert_frame_equal(theirs.images[own], mine.images[own])
    assert isinstance(theirs.images["site"].dtype, pd.CategoricalDtype)
    said = ["label", *t.BOX_COLUMNS, "polygon", "crowd", "confidence", "annotator", "job", "created"]
    pd.testing.assert_frame_equal(theirs.annotations[said], mine.annotations[said])
    for project in (first, second):
        project.close()


def test_folders_by_label_hold_each_image_once(tmp_path: Path) -> None:
    names = photos(tmp_path / "photos", 3)
    before = Dataset(pd.DataFrame({"image": names}), pd.DataFrame({"image": names, "label": ["apple", "pear", "pear"]}))
    before.to("image_folder", tmp_path / "out", copy_images=True)
    assert cl.read_dataset(tmp_path / "out").label_counts.to_dict() == {"apple": 1, "pear": 2}
    both = pd.concat([before.annotations, pd.DataFrame({"image": names[:1], "label": ["pear"]})])
    with pytest.raises(InputError, match="more than one label") as refused:
        Dataset(before.images, both).to("image_folder", tmp_path / "refused", copy_images=True)
    assert repr(names[0]) in str(refused.value)
    assert not list((tmp_path / "refused").iterdir())


@pytest.mark.parametrize("name", ["voc", "yolo"])
def test_format_is_recognised_without_annotations(tmp_path: Path, name: str) -> None:
    names = photos(tmp_path / "photos", 2)
    before = Dataset(pd.DataFrame({"image": names}), labels=["apple"])
    before.to(name, tmp_path / "out", copy_images=True)
    after = cl.read_dataset(tmp_path / "out")
    assert after.images["status"].tolist() == ["unlabelled"] * 2
    assert after.labels["label"].tolist() == ["apple"]


def test_export_report_has_a_short_repr(tmp_path: Path) -> None:
    written = dataset(tmp_path, "polygons").to("voc", tmp_path / "out", copy_images=True)
    text = repr(written).splitlines()
    assert text[0] == f"Written as voc: {len(written.files)} files, such as {written.files[0]}."
    assert text[1:] == written.issues["message"].tolist()
    assert repr(dataset(tmp_path, "boxes").to("csv", tmp_path / "a.csv")).startswith(
        f"Written as csv: {tmp_path / 'a.csv'}."
    )


def test_invalid_path_error_names_the_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = dataset(tmp_path, "boxes")
    for path, why in (("s3://bucket/set.json", "is a URL"), ("", "not a valid path"), (None, "is not a path")):
        with pytest.raises(InputError, match=f"path=.*{why}"):
            before.to("coco", path)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=f"folder=.*{why}"):
            before.validate().to(path)  # type: ignore[arg-type]
    for nothing in ("", None, 3):
        with pytest.raises(InputError, match="path="):
            cl.read_dataset(nothing)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="train="):
            cl.validate_manifest(nothing)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="relocate='s3://'"):
        cl.read_dataset(tmp_path / "photos", relocate="s3://")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"relocate=\{1: 2\}"):
        cl.read_dataset(tmp_path / "photos", relocate={1: 2})  # type: ignore[dict-item]
    with pytest.raises(ManifestError, match="'s3://bucket/photos/' is a folder"):
        cl.read_dataset("s3://bucket/photos/")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert len(cl.read_dataset((tmp_path / "photos").as_uri())) == len(before)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "set.manifest").touch()
    with pytest.raises(ManifestError, match=r"set\.manifest.* is empty") as refused:
        cl.read_dataset(tmp_path / "set.manifest")
    assert refused.value.code == "ERROR_MANIFEST_IS_EMPTY"


def manifest_and_coco(folder: Path, refs: list[str]) -> list[Path]:
    """Write a manifest and a COCO file with these image references."""
    lines = "\n".join(json.dumps({"source-ref": ref}) for ref in refs)
    images = [{"id": number, "file_name": ref} for number, ref in enumerate(refs)]
    (folder / "set.manifest").write_text(lines)
    (folder / "set.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    return [folder / "set.manifest", folder / "set.json"]


def test_file_with_the_longest_common_path_is_chosen(tmp_path: Path) -> None:
    places = [photos(tmp_path / "now" / day / camera, 1)[0] for day in ("mon", "tue") for camera in ("left", "right")]
    refs = [f"old/{day}/{camera}/photo 0.png" for day in ("mon", "tue") for camera in ("left", "right")]
    for path in manifest_and_coco(tmp_path, refs):
        found = cl.read_dataset(path, images=tmp_path / "now")
        assert found.images["image"].tolist() == places
        assert found.issues.empty
    for path in manifest_and_coco(tmp_path, ["wed/left/photo 0.png"]):
        found = cl.read_dataset(path, images=tmp_path / "now")
        assert found.images["image"].tolist()[0] not in places, "mon or tue: ambiguous"
        assert found.issues["code"].tolist() == ["IMAGE_NOT_LISTED"]
        assert "several files" in found.issues["message"].iloc[0]


def test_files_of_one_name_are_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [f"{day:02}" for day in range(20)]
    for day in days:
        (tmp_path / day / "left").mkdir(parents=True)
        (tmp_path / day / "left" / "0.png").touch()
    finder, compared = ImageFinder(tmp_path, images=tmp_path), list[str]()
    monkeypatch.setattr(base, "to_path", lambda uri: compared.append(uri) or Path(uri))  # type: ignore[func-returns-value]
    found = [finder.find(f"old/{day}/left/0.png") for day in days]
    assert found == [str(tmp_path / day / "left" / "0.png") for day in days]
    assert len(compared) == 2 * len(days), "by the name of the parent, and of its parent"


@pytest.mark.parametrize("name", IN_FILES)
def test_images_outside_the_folder_are_found_where_they_were_moved(tmp_path: Path, name: str) -> None:
    kind = "boxes" if "boxes" in formats.FORMATS[name].holds else "image_labels"
    before = dataset(tmp_path, kind).filter("label.notna()")
    before.to(name, target(name, tmp_path / "out"))
    now = tmp_path / "now %20"
    (tmp_path / "photos").rename(now)
    old = tmp_path / "photos"
    for options in (
        {"relocate": {f"{old}/": f"{now}/"}},
        {"relocate": {f"{old.as_uri()}/": f"{now}/"}},
        {"relocate": {f"{old.as_uri()}/": f"{now.as_uri()}/"}},
        {"images": now},
    ):
        after = cl.read_dataset(target(name, tmp_path / "out"), **options)  # type: ignore[arg-type]
        assert sorted(after.images["image"]) == sorted(str(now / Path(image).name) for image in before.images["image"])
        assert len(after.annotations) == len(before.annotations)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("file://", "", "/old/my photo.jpg"),
        ("file://", "/mnt", "/mnt/old/my photo.jpg"),
        ("/old/", "s3://bucket/", "s3://bucket/my photo.jpg"),
        ("file:///old/", "https://there/", "https://there/my%20photo.jpg"),
    ],
)
def test_file_urls_are_decoded_unless_a_web_address_replaces_them(old: str, new: str, expected: str) -> None:
    finder = ImageFinder(Path("/base"), relocate={old: new})
    assert finder.find("file:///old/my%20photo.jpg") == expected


def test_windows_paths_are_relocated() -> None:
    finder = ImageFinder(Path("/base"), relocate={"C:\\data\\": "/photos/"})
    assert finder.find("C:\\data\\cats\\a.jpg") == "/photos/cats/a.jpg"


def test_two_images_are_not_one_file_of_their_name(tmp_path: Path) -> None:
    place = photos(tmp_path / "now", 1)
    for path in manifest_and_coco(tmp_path, ["s3://b/x/photo 0.png", "s3://b/y/photo 0.png"]):
        found = cl.read_dataset(path, images=tmp_path / "now")
        assert found.images["image"].tolist() == [*place, "s3://b/y/photo 0.png"]
        assert "s3://b/y/photo 0.png" in found.issues[["message", "where"]].to_string()
    moved = {"s3://b/x/": f"{tmp_path}/now/", "s3://b/y/": f"{tmp_path}/now/"}
    assert cl.read_dataset(tmp_path / "set.manifest", relocate=moved).images["image"].tolist() == place


@pytest.mark.parametrize(("name", "path"), [("coco", "{}.json"), ("image_folder", ""), ("yolo_classify", "")])
def test_copies_replace_no_other_images(tmp_path: Path, name: str, path: str) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    sets, contents = {}, {}
    for number, split in enumerate(("train", "test")):
        photo = tmp_path / split / "0.png"
        Image.new("RGB", (40, 30), (number, 0, 0)).save(photo)
        marks = pd.DataFrame({"image": [str(photo)], "label": ["a"], "left": 1, "top": 1, "width": 9, "height": 9})
        sets[split], contents[split] = Dataset(marks[["image"]], marks), photo.read_bytes()
    for split in ("train", "test", "train", "test"):
        written = sets[split].to(name, tmp_path / "out" / path.format(split), copy_images=True)
        (copy,) = (file for file in written.files if file.suffix == ".png")
        assert copy.read_bytes() == contents[split]
    copies = {file.name: file.read_bytes() for file in (tmp_path / "out").rglob("*.png")}
    assert copies == {"0.png": contents["train"], "0-2.png": contents["test"]}


def test_a_folder_with_one_annotation_file_for_each_split_is_read(tmp_path: Path) -> None:
    before = dataset(tmp_path, "boxes")
    for split in ("train", "test"):
        before.to("coco", tmp_path / "export" / split / "_annotations.coco.json", copy_images=True)
        found = cl.read_dataset(tmp_path / "export")
        assert len(found.annotations) == len(before.annotations) * found.images["split"].nunique()
    assert set(found.images["split"]) == {"train", "test"}
    (tmp_path / "export" / "test").rename(tmp_path / "export" / "more")
    with pytest.raises(ManifestError, match=r"(?s)annotations.*/train/_annotations.coco.json: it is a 'coco' file"):
        cl.read_dataset(tmp_path / "export")
    by_folder = cl.read_dataset(tmp_path / "export", labels_from="folders")
    assert set(by_folder.annotations["label"]) == {"train", "more"}
    assert set(by_folder.issues["code"]) == {"ENTRY_UNREADABLE"}


def test_two_images_of_one_name_do_not_share_a_file(tmp_path: Path) -> None:
    photos(tmp_path / "cam1", 1)
    (name,) = (path.name for path in (tmp_path / "cam1").iterdir())
    lines = [f"{camera}/{name},{label}" for camera, label in (("cam1", "apple"), ("cam2", "pear"), ("./cam1", "lime"))]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *lines]))
    found = cl.read_dataset(tmp_path / "labels.csv", images=tmp_path / "cam1")
    here = found.annotations["image"] == str(tmp_path / "cam1" / name)
    assert found.annotations.loc[here, "label"].tolist() == ["apple", "lime"]
    assert found.issues.loc[found.issues["code"] == "IMAGE_NOT_LISTED", "where"].tolist() == [f"cam2/{name}"]


@pytest.mark.parametrize("name", ["a%20%C3%BC.jpg", "a ü.jpg?token=1%2F2", "a%20ü.jpg#x"])
@pytest.mark.parametrize("start", ["https://host/d/", "file:///d/", ""])
def test_images_are_found_by_percent_encoded_names_and_urls(tmp_path: Path, name: str, start: str) -> None:
    photo = tmp_path / "photos" / "a ü.jpg"
    photo.parent.mkdir()
    photo.write_bytes(jpeg(1, (48, 32)))
    (tmp_path / "x.csv").write_text(f"image,label\n{start}{name},cat\n", "utf-8")
    searched = cl.read_dataset(tmp_path / "x.csv", images=photo.parent)
    assert (searched.images["image"].tolist(), len(searched.issues)) == ([str(photo)], 0)
    if start:
        moved = cl.read_dataset(tmp_path / "x.csv", relocate={start: f"{photo.parent}/"})
        assert moved.images["image"].tolist() == [str(photo)]
    if not start and "?" not in name and "#" not in name:
        assert cl.read_dataset((tmp_path / "x.csv").rename(photo.with_name("x.csv"))).issues.empty
        photo.with_name("x.csv").rename(tmp_path / "x.csv")
    literal = photo.with_name(name)
    if literal.suffix == ".jpg" and not start:
        literal.write_bytes(jpeg(2, (48, 32)))
        assert cl.read_dataset(tmp_path / "x.csv", images=photo.parent).images["image"].tolist() == [str(literal)]


@pytest.mark.parametrize(("stored", "named"), [("NFD", "NFC"), ("NFC", "NFD")])
@pytest.mark.parametrize("searched", [False, True])
def test_images_are_found_in_another_unicode_form(tmp_path: Path, stored: str, named: str, searched: bool) -> None:
    photo = tmp_path / unicodedata.normalize(stored, "café") / unicodedata.normalize(stored, "é.jpg")
    photo.parent.mkdir()
    photo.write_bytes(jpeg(1, (48, 32)))
    name = unicodedata.normalize(named, "é.jpg" if searched else "café/é.jpg")
    (tmp_path / "x.csv").write_text(f"{name},cat\n", "utf-8")
    found = cl.read_dataset(tmp_path / "x.csv", images=tmp_path if searched else None)
    assert (found.images["image"].tolist(), len(found.issues)) == ([str(photo)], 0)
