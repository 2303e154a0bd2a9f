"""Tests of complete manifests, of two manifests, of terminal errors, and of the lenient profile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.core.limits import LOCAL, REKOGNITION
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest
from customlabels_nb.datasets.validation.rules import check_manifests
from tests.datasets.validation.cases import (
    BAD_REF,
    CLASS_ID,
    INSIDE,
    JSON_LINE,
    LABEL,
    MESSAGES,
    METADATA,
    MISSING_REF,
    OF_LABEL,
    OFF,
    OTHER_TYPE,
    TINY,
    TYPE,
)  # fmt: skip
from tests.datasets.validation.manifests import BUCKET, GONE, Line, box_line, changed, image_line, write_manifest


def checked(path: Path, lines: list[Any], **options: Any) -> CheckedManifest:
    options = {"limits": REKOGNITION, "check_images": False, **options}
    return check_manifests(write_manifest(path / "m.manifest", lines), **options).train


def whole(manifest: CheckedManifest) -> list[tuple[str, str]]:
    return [(found.code, found.message) for found in manifest.errors]


def said(code: str, value: str = "") -> tuple[str, str]:
    return code, MESSAGES[code].replace("{}", value)


def good_lines(count: int, first: int = 0) -> list[Line]:
    """Return lines with two alternating labels."""
    return [image_line(f"{first + number}.png", ("apple", "pear")[number % 2]) for number in range(count)]


@pytest.mark.parametrize(
    ("good", "bad", "ignored", "passes"),
    [(10, 0, 0, True), (8, 2, 0, True), (7, 3, 0, False), (799, 200, 1, True), (799, 201, 0, False), (4, 2, 4, True),
     (0, 2, 8, True), (2, 2, 4, False), (12, 3, 0, True)],
)  # fmt: skip
def test_a_fifth_of_the_lines_may_be_invalid(tmp_path: Path, good: int, bad: int, ignored: int, passes: bool) -> None:
    lines = [*good_lines(good), *["{"] * bad, *[{"source-ref": f"{BUCKET}i{n}.png"} for n in range(ignored)]]
    found = checked(tmp_path, lines)
    assert (found.total, found.valid, found.invalid, found.ignored) == (good + bad + ignored, good, bad, ignored)
    expected = said("ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST")
    assert (expected not in whole(found)) == passes


def test_the_rules_that_make_a_line_invalid_are_counted_together(tmp_path: Path) -> None:
    bad = ["{", box_line("x.png", [OFF]), image_line("y.png", **OTHER_TYPE)]
    assert said("ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST") in whole(checked(tmp_path, [*good_lines(11), *bad]))
    assert whole(checked(tmp_path, [*good_lines(12), *bad])) == []


def test_blank_lines_are_counted(tmp_path: Path) -> None:
    lines = [*good_lines(7), "{", "", "  "]
    found = checked(tmp_path, lines)
    assert (found.total, found.valid, found.invalid, found.ignored) == (10, 7, 3, 0)
    assert [line.findings[0].code for line in found.lines] == [JSON_LINE] * 3
    found = checked(tmp_path, lines, limits=LOCAL)
    assert (found.total, found.valid, found.invalid, found.ignored) == (10, 7, 1, 2)


def test_an_image_that_is_named_twice(tmp_path: Path) -> None:
    found = checked(tmp_path, [*good_lines(10), image_line("3.png", "pear")])
    assert [(line.number, [f.code for f in line.findings]) for line in found.lines] == [(11, [BAD_REF])]
    assert (found.valid, found.invalid) == (10, 1)


def test_all_images_lie_in_one_bucket(tmp_path: Path) -> None:
    elsewhere = image_line("s3://other/0.png")
    assert whole(checked(tmp_path, [*good_lines(10), elsewhere])) == [said("ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS")]
    assert whole(checked(tmp_path, [*good_lines(10), elsewhere], limits=LOCAL)) == []


def numbered_labels(count: int, line: Callable[..., Line] = image_line) -> list[Line]:
    """Return lines that each have their own label."""
    if line is box_line:
        return [box_line(f"{n}.png", labels=[f"label {n}"]) for n in range(count)]
    return [image_line(f"{n}.png", f"label {n}") for n in range(count)]


@pytest.mark.parametrize("line", [image_line, box_line])
def test_number_of_labels_is_limited(tmp_path: Path, line: Callable[..., Line]) -> None:
    assert whole(checked(tmp_path, numbered_labels(250, line))) == []
    assert whole(checked(tmp_path, numbered_labels(251, line))) == [said("ERROR_MANIFEST_TOO_MANY_LABELS")]


def test_one_label_is_enough_for_boxes_alone(tmp_path: Path) -> None:
    assert whole(checked(tmp_path, [box_line(f"{n}.png") for n in range(10)])) == []
    too_few = [said("ERROR_MANIFEST_TOO_FEW_LABELS")]
    assert whole(checked(tmp_path, [image_line(f"{n}.png") for n in range(10)])) == too_few
    no_labels = [{"source-ref": f"{BUCKET}{n}.png"} for n in range(10)]
    assert whole(checked(tmp_path, no_labels))[:1] == too_few


def test_labels_on_invalid_lines_do_not_count(tmp_path: Path) -> None:
    bad = changed(image_line("bad.jpg", "pear"), {LABEL: "x"})
    found = checked(tmp_path, [*[image_line(f"{n}.png") for n in range(20)], bad])
    assert found.labels == found.usable_labels == {"apple": 20}
    assert whole(found) == [said("ERROR_MANIFEST_TOO_FEW_LABELS")]


def test_labels_of_another_use_case_are_not_usable(tmp_path: Path) -> None:
    found = checked(tmp_path, [*[image_line(f"{n}.png") for n in range(20)], box_line("b.png", labels=["pear"])])
    assert found.use_case == "IMAGE_LEVEL_LABELS"
    assert (found.labels, found.usable_labels) == ({"apple": 20, "pear": 1}, {"apple": 20})
    assert whole(found) == [said("ERROR_MANIFEST_TOO_FEW_USABLE_LABELS")]


def test_use_case_is_determined_from_the_lines(tmp_path: Path) -> None:
    assert checked(tmp_path, good_lines(10)).use_case == "IMAGE_LEVEL_LABELS"
    assert checked(tmp_path, [box_line(f"{n}.png") for n in range(3)]).use_case == "OBJECT_LOCALIZATION"
    assert checked(tmp_path, ["{", "{"]).use_case == "NOT_DETERMINED"


# -- two manifests ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("training", "testing", "passes"),
    [("abcd", "ab", True), ("abcd", "abxyz", True), ("abcd", "a", False), ("abcde", "ab", False), ("ab", "xy", False)],
)
def test_half_of_the_labels_are_tested(tmp_path: Path, training: str, testing: str, passes: bool) -> None:
    train = write_manifest(tmp_path / "t.manifest", [box_line(f"{name}.png", labels=[name]) for name in training])
    test = write_manifest(tmp_path / "u.manifest", [box_line(f"{name}2.png", labels=[name]) for name in testing])
    report = cl.validate_manifest(train, test, check_images=False)
    code, message = said("ERROR_INSUFFICIENT_LABEL_OVERLAP", "50")
    expected = [] if passes else [("", code, message)]
    assert [tuple(row) for row in report.errors[["split", "code", "message"]].itertuples(index=False)] == expected
    assert report.summary["errors"] == [{"code": code, "message": message} for _, code, message in expected]


def test_labels_of_another_use_case_do_not_count_as_tested(tmp_path: Path) -> None:
    train = write_manifest(tmp_path / "t.manifest", [box_line(f"{name}.png", labels=[name]) for name in "abcde"])
    lines = [box_line("a2.png", labels=["a"]), box_line("b2.png", labels=["b"]), image_line("x.png", "c", "d", "e")]
    test = write_manifest(tmp_path / "u.manifest", lines)
    report = cl.validate_manifest(train, test, check_images=False)
    code, message = said("ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP", "50")
    assert report.summary["errors"] == [{"code": code, "message": message}]


# -- terminal errors of a manifest ------------------------------------------------------------------
def created(path: Path, lines: list[Any], name: str = "m.manifest", **options: Any) -> CheckedManifest:
    options = {"limits": REKOGNITION, "check_images": False, **options}
    return check_manifests(write_manifest(path / name, lines), stage="creation", **options).train


UNUSABLE = said("ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT")


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert whole(created(tmp_path, good_lines(4), "manifest")) == [UNUSABLE]
    assert whole(created(tmp_path, good_lines(4), "manifest", limits=LOCAL)) == []
    assert whole(created(tmp_path, good_lines(4), "manifest.txt")) == []
    assert whole(created(tmp_path, [b"\x89PNG\r", b"\0\0"])) == [UNUSABLE]
    for path in (tmp_path / "nowhere.manifest", tmp_path):
        found = check_manifests(path, limits=REKOGNITION, stage="creation").train
        assert whole(found) == [UNUSABLE]
        assert found.terminal


def test_a_file_without_lines(tmp_path: Path) -> None:
    empty = said("ERROR_MANIFEST_IS_EMPTY")
    assert whole(created(tmp_path, [])) == [empty]
    assert whole(created(tmp_path, ["", " "])) == [empty]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    size = write_manifest(tmp_path / "m.manifest", good_lines(4)).stat().st_size
    for allowed, expected in ((size, []), (size - 1, [said("ERROR_MANIFEST_SIZE_TOO_LARGE")])):
        limits = replace(REKOGNITION, max_manifest_bytes=allowed)
        assert whole(created(tmp_path, good_lines(4), limits=limits)) == expected


def test_too_many_rows(tmp_path: Path) -> None:
    for allowed, expected in ((4, []), (3, [said("ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM")])):
        assert whole(created(tmp_path, good_lines(4), limits=replace(REKOGNITION, max_images=allowed))) == expected


def test_half_of_the_lines_may_have_a_terminal_error(tmp_path: Path) -> None:
    too_many = [said("ERROR_TOO_MANY_RECORDS_IN_ERROR")]
    terminal = ["{", changed(image_line(), {"source-ref": GONE}), changed(image_line(), {"source-ref": "a.png"}),
                image_line("0.png"), " " * 100_001 + json.dumps(image_line("long.png"))]  # fmt: skip
    assert whole(created(tmp_path, [*good_lines(5), *terminal])) == []
    assert whole(created(tmp_path, [*good_lines(4), *terminal])) == too_many
    # checks that only training does are not terminal here
    later = [image_line(f"x{n}.png", confidence=7) for n in range(9)]
    assert whole(created(tmp_path, [*good_lines(4), *later])) == []


def test_too_many_labels_to_create_a_dataset(tmp_path: Path) -> None:
    assert whole(created(tmp_path, numbered_labels(250))) == []
    assert whole(created(tmp_path, numbered_labels(251))) == [said("ERROR_MANIFEST_TOO_MANY_LABELS")]


def test_too_few_images_to_split(tmp_path: Path) -> None:
    one_each = [image_line("a.png", "apple"), image_line("b.png", "pear")]
    too_few = said("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE")
    assert whole(created(tmp_path, one_each, autosplit=True)) == [too_few]
    assert whole(created(tmp_path, one_each)) == []
    assert whole(created(tmp_path, good_lines(4), autosplit=True)) == []
    too_few = said("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT")
    assert whole(checked(tmp_path, one_each, autosplit=True)) == [too_few]
    assert whole(checked(tmp_path, good_lines(4), autosplit=True)) == []


@pytest.mark.parametrize("stage", ["creation", "training"])
def test_errors_of_dataset_creation_end_training_too(tmp_path: Path, stage: Any) -> None:
    found = check_manifests(write_manifest(tmp_path / "m.manifest", []), limits=REKOGNITION, stage=stage).train
    assert found.terminal
    assert whole(found) == [said("ERROR_MANIFEST_IS_EMPTY")]


# -- the lenient profile ----------------------------------------------------------------------------
LENIENT: dict[str, Line | str] = {
    "no confidence": image_line(confidence=GONE),
    "no job name, no date, nobody said who": image_line(job_name=GONE, creation_date=GONE, human_annotated=GONE),
    "no confidences of boxes": box_line(objects=GONE),
    "no image_size": changed(box_line(), {"bounding-box/image_size": GONE}),
    "a path": image_line("file:///photos/a.png"),
    "a box off frame": box_line(boxes=[OFF]),
    "a small box": box_line(boxes=[TINY]),
    "fifty-one boxes": box_line(boxes=[INSIDE] * 51),
    "no boxes": box_line(boxes=[]),
    "only a source-ref": {"source-ref": "a.png"},
    "a date with a space": box_line(creation_date="2020-03-06 17:46"),
}


@pytest.mark.parametrize("name", LENIENT)
def test_local_profile_accepts_lenient_lines(tmp_path: Path, name: str) -> None:
    manifest = write_manifest(tmp_path / "manifest", [LENIENT[name]])
    report = cl.validate_manifest(manifest, profile="local", check_images=False)
    assert report.lines.empty
    assert report.summary["statistics"]["training"]["valid_json_lines"] == 1


def test_a_type_that_is_not_known_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m", [{**image_line(**OTHER_TYPE), **box_line()}, image_line("b.png")])
    report = cl.validate_manifest(manifest, profile="local", check_images=False)
    assert report.lines[["line", "code", "where", "state"]].to_numpy().tolist() == [[1, TYPE, OF_LABEL, "valid"]]
    assert len(cl.read_dataset(manifest).annotations) == 2


def test_unreadable_lines_are_invalid_in_both_profiles(tmp_path: Path) -> None:
    lines = ["{", {}, changed(image_line(), {"source-ref": 5}), box_line(class_map={}), image_line(confidence=7)]
    report = cl.validate_manifest(write_manifest(tmp_path / "m", lines), profile="local", check_images=False)
    assert report.lines["code"].tolist() == [JSON_LINE, MISSING_REF, BAD_REF, CLASS_ID, METADATA]
    assert set(report.lines["state"]) == {"invalid"}


def test_the_profile_is_one_of_two(tmp_path: Path) -> None:
    with pytest.raises(cl.errors.InputError, match="profile='aws'"):
        cl.validate_manifest(tmp_path / "m", profile="aws")
