"""Tests of the validation report: whether training is possible, what to do first, and datasets in memory."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb._utils.text import escaped
from customlabels_nb.datasets.validation.subjects import UPLOAD_NOTE
from customlabels_nb.errors import InputError
from tests.datasets.validation.manifests import BUCKET, GONE, Line, box_line, changed, draw, image_line, write_manifest
from tests.facts import tells

INSIDE, OFF, TINY = (10, 20, 30, 40), (620, 20, 30, 40), (10, 20, 1, 40)


def good_lines(count: int) -> list[Line]:
    return [image_line(f"g{number}.png", ("apple", "pear")[number % 2]) for number in range(count)]


def test_a_report_says_whether_one_can_train_and_what_to_do_first(tmp_path: Path) -> None:
    lines = [*good_lines(20), *[box_line(f"x{n}.png", [OFF]) for n in range(3)], box_line("y.png", [INSIDE, TINY]), "{",
             {"source-ref": f"{BUCKET}z.png"}]  # fmt: skip
    path = write_manifest(tmp_path / "m.manifest", lines)
    report = cl.validate_manifest(path, check_images=False)
    assert report.ok
    whole, first, train, empty, head, *rows = repr(report).splitlines()
    assert tells(whole, path, "rekognition")
    assert "can't" not in whole
    assert tells(first, 'report.fix("clip_boxes")', 3)
    assert tells(train, "train", 26, 21, "valid", 4, "invalid", 1, "ignored", "image-level")
    assert [empty, head, *rows[::2]] == [
        "",
        "lines  frees  code                          first lines",
        "    3      3  ERROR_INVALID_BOUNDING_BOX    21, 22, 23",
        "    1      1  ERROR_INVALID_JSON_LINE       25",
        "    3         ERROR_NO_VALID_ANNOTATIONS    21, 22, 23",
        "    1         ERROR_BOUNDING_BOX_TOO_SMALL  24",
        "    1      1  WARNING_UNANNOTATED_RECORD    26",
    ]
    advice = rows[1::2]
    assert all(line.startswith(" " * 16) for line in advice)
    assert [re.findall(r"fix\(.*?\)", line) for line in advice] == [
        ['fix("clip_boxes")', 'fix("drop_off_frame_boxes")'], ['fix("drop_lines")'], ['fix("drop_lines")'],
        ['fix("drop_small_boxes")'], ['fix("drop_unannotated")'],
    ]  # fmt: skip
    todo = report.todo
    assert todo["code"].tolist()[0] == "ERROR_INVALID_BOUNDING_BOX"
    assert todo["frees"].tolist() == [3, 1, 0, 0, 1]
    assert todo["repairs"].tolist()[0] == ["clip_boxes", "drop_off_frame_boxes"]


def test_errors_that_stop_training_come_first(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "m.manifest", [*good_lines(4), image_line("s3://other/x.png"), "{", "{"])
    report = cl.validate_manifest(path, check_images=False)
    assert not report.ok
    assert report.errors[["split", "code"]].to_numpy().tolist() == [
        ["train", "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST"],
        ["train", "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS"],
    ]
    assert report.errors["detail"].tolist()[1] == "bucket, other"
    assert report.todo["code"].tolist()[:2] == report.errors["code"].tolist()
    head = repr(report).splitlines()
    assert tells(head[0], path, "cannot", "rekognition")
    assert head[0].endswith(
        "The manifest file contains too many invalid rows. The manifest file contains images in multiple S3 buckets."
    )
    assert tells(head[1], "JSON"), "the reason for the additional rows"


def test_training_needs_ten_images(tmp_path: Path) -> None:
    report = cl.validate_manifest(write_manifest(tmp_path / "m.manifest", good_lines(9)), check_images=False)
    assert report.errors.empty
    assert not report.ok
    assert tells(repr(report), 10, "images", 9)
    assert cl.validate_manifest(write_manifest(tmp_path / "m.manifest", good_lines(10)), check_images=False).ok


def test_report_without_findings(tmp_path: Path) -> None:
    report = cl.validate_manifest(write_manifest(tmp_path / "m.manifest", good_lines(10)), check_images=False)
    _, train, nothing = repr(report).splitlines()
    assert tells(train, "train", 10, 10, "valid", 0, "invalid", 0, "ignored", "image-level")
    assert not re.search(r"\d|_", nothing)
    assert report.lines.empty
    assert report.todo.empty
    assert "<table" not in report._repr_html_()


def test_findings_name_their_manifest(tmp_path: Path) -> None:
    train = write_manifest(tmp_path / "t.manifest", good_lines(10))
    test = write_manifest(tmp_path / "u.manifest", [*good_lines(10), box_line("x.png", [OFF])])
    report = cl.validate_manifest(train, test, check_images=False)
    assert set(report.lines["split"]) == {"test"}
    assert report.lines["line"].tolist() == [11, 11]
    text = repr(report)
    assert tells(text, 'report.fix("clip_boxes", split="test")', 1)
    assert "ERROR_INVALID_BOUNDING_BOX (test)" in text
    assert tells(text, "test", 11, 10, "valid", 1, "invalid", 0, "ignored", "image-level")


def test_lines_table_has_one_row_per_finding(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "m.manifest", [image_line(), box_line("b.png", [INSIDE, OFF]), "{"])
    lines = cl.validate_manifest(path, check_images=False).lines
    assert lines.columns.tolist() == ["split", "line", "source_ref", "code", "message", "where", "state", "detail"]
    assert lines.iloc[0].tolist()[:7] == [
        "train", 2, f"{BUCKET}b.png", "ERROR_INVALID_BOUNDING_BOX", "The bounding box has off frame values.",
        "bounding-box.annotations[1]", "valid",
    ]  # fmt: skip
    assert lines["source_ref"].isna().tolist() == [False, True]
    empty = cl.validate_manifest(write_manifest(path, good_lines(2)), check_images=False).lines
    assert empty.dtypes.to_dict() == lines.dtypes.to_dict()


def test_names_from_files_never_become_markup(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\x1b[31m"
    line = image_line("a.png", type="x/y")
    line[evil], line[f"{evil}-metadata"] = line.pop("label-0"), line.pop("label-0-metadata")
    path = write_manifest(
        tmp_path / f"{evil.replace('/', '')}.manifest", [line, image_line(f"{evil}.png", confidence=7)]
    )
    report = cl.validate_manifest(path, check_images=False)
    shown = report._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown
    assert "\x1b" not in shown + repr(report)
    assert len(repr(report).splitlines()[0]) > 0


# -- datasets in memory -----------------------------------------------------------------------------
def boxes(folder: Path, count: int = 10, *, size: tuple[int, int] = (640, 480)) -> cl.Dataset:
    """Return a dataset of images with one box each, labelled a and b in turn."""
    rows = []
    for number in range(count):
        draw(folder / f"{number}.png", size)
        rows.append({"image": str(folder / f"{number}.png"), "label": "ab"[number % 2]})
    return cl.Dataset(pd.DataFrame(rows), pd.DataFrame(rows).assign(left=5, top=5, width=30, height=30), name="boards")


def test_local_images_are_checked_as_if_uploaded(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    report = dataset.validate("rekognition")
    assert report.lines.empty
    assert report.ok
    assert report.notes == [UPLOAD_NOTE]
    assert UPLOAD_NOTE in repr(report)
    assert escaped(UPLOAD_NOTE) in report._repr_html_()
    assert repr(report).startswith("boards can be used for training")
    assert report.summary["statistics"]["training"]["use_case"] == "OBJECT_LOCALIZATION"
    # written lines name the images unchanged
    written = report.to(tmp_path / "out")[0].read_text("utf-8").splitlines()
    assert [json.loads(line)["source-ref"] for line in written] == dataset.images["image"].tolist()
    assert cl.read_dataset(tmp_path / "out" / "training_manifest_with_validation.json").images["width"].eq(640).all()


def test_dataset_images_are_checked_in_place(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    draw(tmp_path / "3.png", (40, 40))
    (tmp_path / "4.png").unlink()
    report = dataset.validate("rekognition")
    assert report.lines[["source_ref", "code"]].to_numpy().tolist() == [
        [str(tmp_path / "3.png"), "ERROR_INVALID_IMAGE_DIMENSION"],
        [str(tmp_path / "4.png"), "ERROR_INVALID_IMAGE"],
    ]
    assert dataset.validate("rekognition", check_images=False).lines["line"].tolist() == [4]
    assert len(report.fix("drop_bad_images")) == 8


def test_images_on_s3_and_here_are_in_one_bucket(tmp_path: Path) -> None:
    dataset = boxes(tmp_path, 9)
    more = pd.DataFrame({"image": ["s3://shop/a.png"], "width": [640], "height": [480]})
    marks = pd.DataFrame({"image": ["s3://shop/a.png"], "label": "a", "left": 1, "top": 1, "width": 9, "height": 9})
    both = dataset.concat(cl.Dataset(more, marks))
    assert both.validate("rekognition", check_images=False).ok
    other = more.assign(image="s3://other/a.png")
    three = both.concat(cl.Dataset(other, marks.assign(image="s3://other/a.png")))
    report = three.validate("rekognition", check_images=False)
    assert report.errors["code"].tolist() == ["ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS"]
    assert "s3://other/a.png" not in report.fix("keep_one_bucket").images["image"].tolist()


def test_paths_as_they_are_in_the_local_profile(tmp_path: Path) -> None:
    report = boxes(tmp_path, 3).validate()
    assert report.profile == "local"
    assert report.notes == []
    assert report.ok
    assert report.lines.empty


def test_the_test_set_is_checked_against_the_training_set(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    renamed = dataset.relabel({"a": "x", "b": "y"})
    report = dataset.validate("rekognition", test=renamed, check_images=False)
    assert report.errors["code"].tolist() == ["ERROR_INSUFFICIENT_LABEL_OVERLAP"]
    assert set(report.fix("drop_lines", split="test").annotations["label"]) == {"x", "y"}


def test_validation_changes_nothing(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    before = pickle.dumps((dataset.images, dataset.annotations, dataset.labels))
    dataset.validate("rekognition").fix("clip_boxes", "drop_lines")
    assert pickle.dumps((dataset.images, dataset.annotations, dataset.labels)) == before


def test_lines_that_an_import_could_not_read_show_in_the_projects_dataset(tmp_path: Path) -> None:
    for number in range(10):
        draw(tmp_path / f"{number}.png", (640, 480 + number))
    lines = [image_line(f"file://{tmp_path}/{n}.png", "ab"[n % 2]) for n in range(9)]
    partly = {**image_line(f"file://{tmp_path}/9.png", "a"), **image_line("x", type="x/y")}
    partly = {**changed(partly, {"label-0": GONE, "label-0-metadata": GONE}), **box_line("x", size=(640, 489)),
              "track": 1, "track-metadata": {"type": "x/y"}, "source-ref": f"file://{tmp_path}/9.png"}  # fmt: skip
    again = image_line(f"file://{tmp_path}/3.png", "a")
    manifest = write_manifest(tmp_path / "m.manifest", [*lines, "{", partly, again])
    project = cl.create_project("shop", tmp_path)
    project.import_dataset(cl.read_dataset(manifest), progress=False)
    assert len(project.train_set) == 10
    report = project.train_set.validate()
    assert report.lines["code"].tolist() == ["ERROR_INVALID_JSON_LINE", "ERROR_INVALID_SOURCE_REF_FORMAT"]
    assert report.lines["line"].tolist() == [11, 12]
    assert report.lines["detail"].str.contains(r"line 1[02] of .*m\.manifest").all()
    fixed = report.fix("drop_lines")
    assert len(fixed) == 10
    assert fixed.validate().lines.empty
    assert len(copy.deepcopy(project.train_set).validate().lines) == 2
    project.close()


def test_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"profile='aws'.*'local' or 'rekognition'"):
        boxes(tmp_path, 1).validate("aws")
