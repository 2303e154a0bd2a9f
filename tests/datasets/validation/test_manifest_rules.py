"""Tests of manifest checks: files and memory, with images that are local, on a server, or inaccessible."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.core.limits import LOCAL, REKOGNITION
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats.manifest_lines import ManifestLines
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest
from customlabels_nb.datasets.validation.rules import check_manifests
from customlabels_nb.errors import InputError
from customlabels_nb.user_settings import settings
from tests.datasets.formats.test_ground_truth import BOX_LINE, LABEL_LINE, changed, write


def picture(path: Path, size: tuple[int, int] = (640, 480), **options: Any) -> Path:
    Image.new("RGB", size).save(path, **options)
    return path


def labels(*names: str, key: str = "image") -> list[dict[str, Any]]:
    """Return a line for each label, each with its own image."""
    made = []
    for number, name in enumerate(names):
        line = changed(LABEL_LINE, **{"sunrise-metadata.class-name": name})
        made.append({**line, "source-ref": f"s3://bucket/{key}-{number}.png"})
    return made


def as_lines(*lines: Any, name: str = "lines") -> ManifestLines:
    return ManifestLines(name, [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines])


def codes(manifest: CheckedManifest) -> dict[int, list[str]]:
    return {line.number: [found.code for found in line.findings] for line in manifest.lines}


def errors(manifest: CheckedManifest) -> list[str]:
    return [found.code for found in manifest.errors]


# -- sources of lines -------------------------------------------------------------------------------
def test_a_file_and_the_same_lines_in_memory_are_judged_alike(tmp_path: Path) -> None:
    many = [*labels("a", "b"), BOX_LINE, "bad", {"source-ref": "s3://bucket/x"}]
    in_file = check_manifests(write(tmp_path / "a.manifest", *many), limits=REKOGNITION, check_images=False).train
    raws = [line.encode() if isinstance(line, str) else line for line in many]
    in_memory = check_manifests(as_lines(*raws), limits=REKOGNITION, check_images=False).train
    assert codes(in_file) == codes(in_memory) == {4: ["ERROR_INVALID_JSON_LINE"], 5: ["WARNING_UNANNOTATED_RECORD"]}
    assert list(in_file.raw_lines()) == list(in_memory.raw_lines())
    assert (in_file.total, in_file.valid, in_file.invalid, in_file.ignored) == (5, 3, 1, 1)
    assert in_file.lines[0].raw == b"bad"
    assert in_file.source.endswith("a.manifest")
    assert in_memory.source == "lines"


def test_the_raw_lines_have_no_ends_and_no_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_bytes(b'\xef\xbb\xbf{"source-ref": "a"}\r\n\r\nx\r\n')
    found = check_manifests(tmp_path / "a.manifest", limits=LOCAL, check_images=False).train
    assert list(found.raw_lines()) == [(1, b'{"source-ref": "a"}'), (2, b""), (3, b"x")]
    assert (found.valid, found.invalid, found.ignored) == (1, 1, 1)


def test_extra_lines_follow_those_of_the_training_manifest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.manifest", *labels("a", "b"))
    found = check_manifests(
        path, as_lines(*labels("a", "b")), limits=REKOGNITION, check_images=False, extra_lines=[b"bad"]
    )
    assert codes(found.train) == {3: ["ERROR_INVALID_JSON_LINE"]}
    assert found.test is not None
    assert found.test.total == 2


def test_findings_name_the_multi_label_attribute() -> None:
    multi = {"type": "groundtruth/image-classification-multilabel", "class-map": {"0": "x" * 300, "1": "pear"}}
    found = check_manifests(
        as_lines({"source-ref": "a", "f": [0, 1], "f-metadata": multi}), limits=LOCAL, check_images=False
    ).train
    line = found.lines[0]
    assert (line.state, [finding.place for finding in line.findings]) == ("valid", [("f0-metadata",)])
    assert line.value is not None
    assert line.value["f0-metadata"]["class-name"] == "x" * 300
    assert found.labels == {"pear": 1}


def test_an_argument_that_can_not_be_used_is_named() -> None:
    with pytest.raises(InputError, match="stage='now'"):
        check_manifests(as_lines(), limits=LOCAL, stage="now")  # type: ignore[arg-type]


# -- images -----------------------------------------------------------------------------------------
def test_images_are_found_where_they_lie_now_and_only_their_headers_are_read(tmp_path: Path) -> None:
    whole = picture(tmp_path / "whole.png")
    (tmp_path / "cut.jpg").write_bytes(picture(tmp_path / "c.jpg").read_bytes()[:700])
    (tmp_path / "text.png").write_text("no image")
    names = [whole.name, "cut.jpg", "text.png", "gone.png"]
    lines = [{**LABEL_LINE, "source-ref": f"s3://bucket/{name}"} for name in names]
    found = check_manifests(as_lines(*lines), limits=REKOGNITION, relocate={"s3://bucket/": f"{tmp_path}/"}).train
    assert codes(found) == {3: ["ERROR_INVALID_IMAGE"], 4: ["ERROR_INVALID_IMAGE"]}
    assert found.lines[0].findings[0].message == "The image is invalid. Check S3 path and/or image properties."
    assert "not an image" in found.lines[0].findings[0].detail
    by_name = check_manifests(as_lines(*lines), limits=REKOGNITION, images=tmp_path)
    assert codes(by_name.train) == {3: ["ERROR_INVALID_IMAGE"], 4: ["ERROR_INVALID_IMAGE"]}
    assert by_name.train.contents is not None
    assert by_name.train.contents.images["image"].tolist() == [str(tmp_path / name) for name in names[:2]]


def test_boxes_are_checked_against_the_real_image_size(tmp_path: Path) -> None:
    picture(tmp_path / "IMG_1186.png", (500, 480))
    found = check_manifests(as_lines(BOX_LINE), limits=REKOGNITION, images=tmp_path).train
    assert [(f.code, f.place) for f in found.lines[0].findings] == [
        ("ERROR_INVALID_BOUNDING_BOX", ("bounding-box", "annotations", 0))
    ]
    assert found.labels == {"Echo": 1}
    local = check_manifests(as_lines(BOX_LINE), limits=LOCAL, images=tmp_path).train
    assert local.lines == []
    assert local.contents is not None
    assert local.contents.images[["width", "height"]].to_numpy().tolist() == [[500, 480]]
    assert [issue.code for issue in local.contents.issues] == ["ENTRY_ADJUSTED"]


@pytest.mark.parametrize(
    ("size", "kind", "label_line", "box_line"),
    [
        ((63, 100), "PNG", "ERROR_INVALID_IMAGE", "ERROR_INVALID_IMAGE_DIMENSION"),
        ((4097, 300), "PNG", "ERROR_INVALID_IMAGE", "ERROR_INVALID_IMAGE_DIMENSION"),
        ((2000, 64), "PNG", "ERROR_INVALID_IMAGE", "ERROR_INVALID_IMAGE"),
        ((640, 480), "GIF", "ERROR_INVALID_IMAGE", "ERROR_INVALID_IMAGE"),
    ],
)
def test_images_outside_the_limits_are_reported(
    tmp_path: Path, size: tuple[int, int], kind: str, label_line: str, box_line: str
) -> None:
    for name in ("sunrise.png", "IMG_1186.png"):
        picture(tmp_path / name, size, format=kind)
    small = [{"class_id": 0, "left": 1, "top": 1, "width": 9, "height": 9}] * 2
    boxes = changed(BOX_LINE, **{"bounding-box.annotations": small})
    found = check_manifests(as_lines(LABEL_LINE, boxes), limits=REKOGNITION, images=tmp_path).train
    assert codes(found) == {1: [label_line], 2: [box_line]}
    assert check_manifests(as_lines(LABEL_LINE, boxes), limits=LOCAL, images=tmp_path).train.lines == []


def test_a_file_of_too_many_bytes_is_no_image(tmp_path: Path) -> None:
    with picture(tmp_path / "sunrise.png").open("ab") as file:
        file.truncate(15 * 10**6 + 1)
    found = check_manifests(as_lines(LABEL_LINE), limits=REKOGNITION, images=tmp_path).train
    assert codes(found) == {1: ["ERROR_INVALID_IMAGE"]}


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sunrise.png")
    found = check_manifests(as_lines(LABEL_LINE), limits=REKOGNITION, relocate={"s3://bucket/images": str(tmp_path)})
    assert codes(found.train) == {1: ["ERROR_INVALID_IMAGE"]}


def test_unreachable_images_are_not_checked_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "network", False)
    found = check_manifests(as_lines(LABEL_LINE, BOX_LINE), limits=REKOGNITION).train
    assert (found.valid, found.lines) == (2, [])
    assert found.contents is not None
    assert [(issue.code, issue.where) for issue in found.contents.issues] == [("IMAGE_NOT_FOUND", "s3://bucket")]
    assert "settings.network is off" in found.contents.issues[0].message


def test_two_thousand_images_that_are_not_there_are_all_reported(tmp_path: Path) -> None:
    lines = labels(*["a", "b"] * 1000)
    found = check_manifests(as_lines(*lines), limits=REKOGNITION, relocate={"s3://bucket": str(tmp_path)}).train
    assert (found.valid, found.invalid) == (0, 2000)
    assert errors(found)[0] == "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST"


# -- complete manifests -----------------------------------------------------------------------------
def test_use_case_determines_usable_labels() -> None:
    boxes = [{**BOX_LINE, "source-ref": f"s3://bucket/box-{n}"} for n in range(2)]
    for train, test, use_case, usable in (
        (labels("a", "b"), None, "IMAGE_LEVEL_LABELS", {"a", "b"}),
        ([*labels("a", "b"), *boxes], None, "OBJECT_LOCALIZATION", {"Echo", "Echo Dot"}),
        ([*labels("a", "b", "c"), *boxes], None, "IMAGE_LEVEL_LABELS", {"a", "b", "c"}),
        ([*labels("a", "b", "c"), *boxes], boxes, "OBJECT_LOCALIZATION", {"Echo", "Echo Dot"}),
        (labels("Echo"), boxes, "OBJECT_LOCALIZATION", {"Echo"}),  # a brand
        ([{"source-ref": "s3://bucket/a"}], None, "NOT_DETERMINED", set()),
    ):
        sides = [as_lines(*train)] + ([as_lines(*test)] if test else [])
        found = check_manifests(*sides, limits=REKOGNITION, check_images=False)
        assert (found.train.use_case, set(found.train.usable_labels)) == (use_case, usable)


def test_a_label_counts_once_an_image() -> None:
    found = check_manifests(as_lines(BOX_LINE, *labels("Echo", "x")), limits=LOCAL, check_images=False).train
    assert found.labels == {"Echo": 2, "Echo Dot": 1, "x": 1}


def test_automatic_split_is_refused_for_too_few_images() -> None:
    few, enough = as_lines(*labels("a", "a", "b", "c", "c", "d", "e")), as_lines(*labels("a", "a", "b", "b", "c", "d"))
    for lines, expected in ((few, ["ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"]), (enough, [])):
        found = check_manifests(lines, limits=REKOGNITION, check_images=False, autosplit=True).train
        assert (errors(found), found.terminal) == (expected, False)
        created = check_manifests(lines, limits=REKOGNITION, check_images=False, autosplit=True, stage="creation").train
        assert errors(created) == [code.replace("AUTOSPLIT", "DISTRIBUTE") for code in expected]
        assert created.terminal is bool(expected)


def test_written_dataset_passes_validation(tmp_path: Path) -> None:
    names = [f"s3://bucket/{number}.jpg" for number in range(40)]
    random = np.random.default_rng(0)
    size = {"width": [1001] * 40, "height": [701] * 40}
    rows = pd.DataFrame(
        {
            "image": np.repeat(names, 5),
            "label": random.choice(["apple", "x-metadata", "<b>", "source-ref"], 200),
            "left": random.uniform(0, 500, 200),
            "top": random.uniform(0, 350, 200),
            "width": random.uniform(2, 501, 200),
            "height": random.uniform(2, 351, 200),
            "confidence": random.uniform(0, 1, 200),
            "job": random.choice(["one", "two", ""], 200),
        }
    )
    whole = pd.DataFrame({"image": names, "label": random.choice(["pear", "fig"], 40)})
    for said in (rows, whole, pd.concat([rows, whole])):
        Dataset(pd.DataFrame({"image": names, **size}), said).to("ground_truth", tmp_path / "a.manifest")
        found = check_manifests(tmp_path / "a.manifest", limits=REKOGNITION, check_images=False)
        assert (found.train.valid, found.train.lines, found.train.errors, found.errors) == (40, [], [], [])


def test_lines_with_boxes_are_written_with_the_sizes_of_images_that_are_here(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", (80, 70))
    boxes = {"label": ["x"], "left": [1.0], "top": [2.0], "width": [3.0], "height": [4.0]}
    Dataset(pd.DataFrame({"image": [str(path)]}), pd.DataFrame({"image": [str(path)], **boxes})).to(
        "ground_truth", tmp_path / "a.manifest"
    )
    line = json.loads((tmp_path / "a.manifest").read_text())
    assert line["bounding-box"]["image_size"] == [{"width": 80, "height": 70, "depth": 3}]
