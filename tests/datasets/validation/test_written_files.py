"""Tests of the files of a validation: summary, annotated manifests, listings, and reading them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.datasets.formats.manifest_values import LineFinding
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest
from customlabels_nb.datasets.validation.written_files import annotated_lines, with_findings
from customlabels_nb.errors import InputError
from tests.datasets.validation.manifests import BUCKET, GONE, Line, box_line, changed, image_line, write_manifest

TRAINING, TESTING = "training_manifest_with_validation.json", "testing_manifest_with_validation.json"
OFF = (620, 20, 30, 40)
INSIDE = (10, 20, 30, 40)


def error(code: str, message: str) -> list[dict[str, str]]:
    return [{"code": code, "message": message}]


OFF_FRAME = error("ERROR_INVALID_BOUNDING_BOX", "The bounding box has off frame values.")
TOO_MANY = error("ERROR_TOO_MANY_BOUNDING_BOXES", "There are more bounding boxes than the allowed maximum.")


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def report_on(path: Path, *lines: Line | str | bytes, **options: Any) -> Any:
    return cl.validate_manifest(write_manifest(path / "m.manifest", lines), **{"check_images": False, **options})


def test_errors_are_written_at_their_object(tmp_path: Path) -> None:
    many = box_line("c.png", [INSIDE] * 51)
    track = {**image_line("d.png", type="groundtruth/video"), **box_line("d.png")}
    lines = [image_line(), box_line("b.png", [INSIDE, OFF]), many, track, "{", {"source-ref": f"{BUCKET}e.png"}]
    files = report_on(tmp_path, *lines).to(tmp_path / "out")
    assert [file.name for file in files] == [TRAINING, "manifest_summary.json"]
    written = lines_of(files[0])
    assert written[0] == image_line()
    assert written[1] == changed(box_line("b.png", [INSIDE, OFF]), {"bounding-box/annotations/1/errors": OFF_FRAME})
    assert written[2] == changed(many, {"bounding-box/errors": TOO_MANY})
    unsupported = (
        "The use case type of the label-0-metadata label attribute metadata is unsupported. Check the type field."
    )
    assert written[3] == changed(
        track, {"label-0-metadata/errors": error("ERROR_UNSUPPORTED_USE_CASE_TYPE", unsupported)}
    )
    assert written[4] == {"errors": error("ERROR_INVALID_JSON_LINE", "The JSON Line has an invalid format.")}
    assert written[5] == {
        "source-ref": f"{BUCKET}e.png",
        "warnings": error("WARNING_UNANNOTATED_RECORD", "Record is unannotated."),
    }
    assert len(written) == 6


def test_the_summary_is_as_documented(tmp_path: Path) -> None:
    train = write_manifest(
        tmp_path / "t.manifest",
        [*[image_line(f"{n}.png", "ab"[n % 2]) for n in range(9)], box_line("x.png", [INSIDE, OFF]), "{",
         {"source-ref": f"{BUCKET}y.png"}],
    )  # fmt: skip
    test = write_manifest(tmp_path / "u.manifest", [image_line("z.png", "c"), image_line("y.png", "d")])
    report = cl.validate_manifest(train, test, check_images=False)
    overlap = "Less than 50% label overlap between the training and testing manifest files."
    assert report.summary["errors"][0] == {"code": "ERROR_INSUFFICIENT_LABEL_OVERLAP", "message": overlap}
    training = report.summary["statistics"]["training"]
    assert list(training) == [
        "use_case", "total_json_lines", "valid_json_lines", "invalid_json_lines", "ignored_json_lines",
        "error_json_line_indices", "errors",
    ]  # fmt: skip
    assert {name: training[name] for name in list(training)[1:6]} == {
        "total_json_lines": 12, "valid_json_lines": 10, "invalid_json_lines": 1, "ignored_json_lines": 1,
        "error_json_line_indices": [10, 11],
    }  # fmt: skip
    files = report.to(tmp_path / "out")
    assert [file.name for file in files] == [TRAINING, TESTING, "manifest_summary.json"]
    assert json.loads(files[2].read_text("utf-8")) == report.summary
    assert list(report.summary) == ["statistics", "errors"]
    assert list(report.summary["statistics"]) == ["training", "testing"]
    assert list(cl.validate_manifest(train, check_images=False).summary["statistics"]) == ["training"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    lines = [image_line(), box_line("é.png", [OFF]), spelt := '{ "source-ref" : "s3://bucket/spaces.png"}']
    first = report_on(tmp_path, *lines).to(tmp_path / "one")
    second = report_on(tmp_path, *lines).to(tmp_path / "two")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    # validating a validated file again changes nothing
    again = cl.validate_manifest(first[0], check_images=False).to(tmp_path / "three")
    assert again[0].read_bytes() == first[0].read_bytes()
    assert spelt[:-1] not in first[0].read_text("utf-8")  # an issue was reported for it
    assert "é.png" in first[0].read_text("utf-8")
    assert first[0].read_bytes().endswith(b"}\n")


def test_outputs_of_an_earlier_validation_are_replaced(tmp_path: Path) -> None:
    old = error("ERROR_OLD", "old")
    places = ["errors", "bounding-box/errors", "bounding-box/annotations/0/errors", "bounding-box-metadata/warnings"]
    mended = changed(box_line("a.png"), dict.fromkeys([*places, "cl-errors", "cl-metadata"], old))
    still = changed(box_line("b.png", [INSIDE, OFF]), {"bounding-box/annotations/1/errors": old, "errors": old})
    written = lines_of(report_on(tmp_path, mended, still).to(tmp_path / "out")[0])
    assert written[0] == box_line("a.png")
    assert written[1] == changed(box_line("b.png", [INSIDE, OFF]), {"bounding-box/annotations/1/errors": OFF_FRAME})


def test_the_annotated_manifest_is_read_as_the_one_it_comes_from(tmp_path: Path) -> None:
    lines = [image_line("a.png", "apple", "pear"), box_line("b.png", [INSIDE, OFF]), {"source-ref": f"{BUCKET}c.png"},
             box_line("d.png", [INSIDE, (5, 5, 1, 1)]), {**image_line("e.png"), **box_line("e.png")}]  # fmt: skip
    report = report_on(tmp_path, *lines)
    files = report.to(tmp_path / "out")
    before, after = cl.read_dataset(tmp_path / "m.manifest"), cl.read_dataset(files[0])
    pd.testing.assert_frame_equal(before.images, after.images)
    pd.testing.assert_frame_equal(before.annotations, after.annotations)
    assert len(report.lines) == 3


def test_lines_mended_in_the_annotated_manifest_are_valid(tmp_path: Path) -> None:
    good = [image_line(f"{n}.png", "ab"[n % 2]) for n in range(10)]
    broken = changed(box_line("x.png", [INSIDE, OFF]), {"bounding-box-metadata/objects": []})
    path = report_on(tmp_path, *good, broken).to(tmp_path / "out")[0]
    lines = lines_of(path)
    assert lines[-1]["errors"][0]["code"] == "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
    lines[-1]["bounding-box-metadata"]["objects"] = [{"confidence": 1}] * 2
    lines[-1]["bounding-box"]["annotations"][1]["left"] = 600
    report = cl.validate_manifest(write_manifest(path, lines), check_images=False)
    assert report.lines.empty
    assert report.ok


def test_nothing_is_written_when_a_manifest_can_not_be_read(tmp_path: Path) -> None:
    report = cl.validate_manifest(tmp_path / "nowhere.manifest")
    assert not report.ok
    assert report.to(tmp_path / "out") == []
    assert list((tmp_path / "out").iterdir()) == []
    assert "The manifest file extension or contents are invalid." in repr(report)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    report = report_on(tmp_path, image_line())
    with pytest.raises(InputError, match=r"m\.manifest.* is a file"):
        report.to(tmp_path / "m.manifest")


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    report = report_on(tmp_path, image_line(), "{")
    write_manifest(tmp_path / "m.manifest", [image_line(), image_line("b.png")])
    with pytest.raises(InputError, match="changed since it was validated"):
        report.to(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    write_manifest(tmp_path / "m.manifest", [image_line()])
    with pytest.raises(InputError, match="changed since it was validated"):
        report.to(tmp_path / "out")


def test_the_annotated_manifest_may_take_the_place_of_its_source(tmp_path: Path) -> None:
    write_manifest(tmp_path / TRAINING, [image_line(), box_line("b.png", [INSIDE, OFF])])
    report = cl.validate_manifest(tmp_path / TRAINING, check_images=False)
    for _ in range(2):
        path = report.to(tmp_path)[0]
        assert lines_of(path)[1]["bounding-box"]["annotations"][1]["errors"] == OFF_FRAME
        report = cl.validate_manifest(tmp_path / TRAINING, check_images=False)


def test_entries_are_listed_as_the_service_lists_them(tmp_path: Path) -> None:
    broken = image_line("b.png", confidence=GONE)
    report = report_on(
        tmp_path, image_line(), broken, {"source-ref": f"{BUCKET}c.png"}, "{", changed(image_line("d.png"), errors=[])
    )
    entries = list(report.entries())
    assert entries[0] == {**image_line(), "cl-metadata": {"is_labeled": True}}
    code = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
    assert entries[1] == {**broken, "cl-errors": error(code, "The format of the label attribute metadata is invalid."),
                          "cl-metadata": {"is_labeled": False}}  # fmt: skip
    assert entries[2]["cl-metadata"] == {"is_labeled": False}
    assert [one["code"] for one in entries[2]["cl-warnings"]] == ["WARNING_UNANNOTATED_RECORD"]
    assert entries[3] == {**image_line("d.png"), "cl-metadata": {"is_labeled": True}}
    with pytest.raises(InputError, match="split='test'"):
        next(report.entries("test"))


def test_a_finding_goes_to_the_nearest_object() -> None:
    found = [
        LineFinding("ERROR_X", "x", ("number",)),
        LineFinding("WARNING_Y", "y", ("list", 3, "z")),
        LineFinding("ERROR_Z", "z", ("box", "a", 0)),
    ]
    value = with_findings({"number": 1, "list": [], "box": {"a": [5]}}, found)
    assert value == {"number": 1, "list": [], "box": {"a": [5], "errors": error("ERROR_Z", "z")},
                     "errors": error("ERROR_X", "x"), "warnings": error("WARNING_Y", "y")}  # fmt: skip


def test_a_line_that_can_be_read_but_not_written_keeps_its_text() -> None:
    deep = b'{"source-ref": "s3://bucket/a.png", "x": ' + b"[" * 900 + b"]" * 900 + b"}"
    manifest = CheckedManifest("m", total=1, open_lines=lambda: [deep])
    from customlabels_nb.datasets.validation.manifest_findings import CheckedLine

    manifest.lines = [
        CheckedLine(1, deep, "s3://bucket/a.png", "invalid", [LineFinding("ERROR_NO_LABEL_ATTRIBUTES", "none")])
    ]
    (line,) = annotated_lines(manifest)
    assert line.count(b"[" * 900) == 1
    assert line.endswith(b'"errors": [{"code": "ERROR_NO_LABEL_ATTRIBUTES", "message": "none"}]}')


def test_lone_surrogate_is_kept(tmp_path: Path) -> None:
    line = json.dumps(box_line("a.png", [INSIDE, OFF], labels=["x"])).replace('"my job"', '"\\ud800"')
    written = lines_of(report_on(tmp_path, line).to(tmp_path / "out")[0])
    assert written[0]["bounding-box-metadata"]["job-name"] == "\ud800"
