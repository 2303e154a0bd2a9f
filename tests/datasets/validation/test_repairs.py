"""Tests of each repair: its changes and messages. The source stays unchanged, and the result validates better."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core.issues import CODES, CONTENT_ERRORS, FILE_ERRORS, LINE_ERRORS, POLYGON_FINDINGS, WARNINGS
from customlabels_nb.datasets.validation.repairs import DROP, MEND, REPAIRS
from customlabels_nb.datasets.validation.todo import ADVICE
from customlabels_nb.errors import InputError
from tests.datasets.validation.manifests import BUCKET, GONE, Line, box_line, changed, draw, image_line, write_manifest
from tests.facts import tells

INSIDE, OFF, OUTSIDE, TINY = (10, 20, 30, 40), (620, -5, 30, 40), (700, 20, 30, 40), (10, 20, 1, 40)
GOOD = [*[image_line(f"g{n}.png", ("apple", "pear")[n % 2]) for n in range(9)], box_line("g9.png", labels=["apple"])]


def boxes_of(dataset: cl.Dataset) -> list[tuple[float, ...]]:
    """Return the boxes of a dataset as tuples."""
    table = dataset.annotations
    boxes = table.loc[table["left"].notna(), ["left", "top", "width", "height"]]
    return [tuple(row) for row in boxes.itertuples(index=False)]


def fix(path: Path, line: Line | str, *names: str, **options: Any) -> tuple[Any, cl.Dataset]:
    """Return the report on good lines and this one, and the repaired dataset."""
    manifest = write_manifest(path / "m.manifest", [*GOOD, line])
    before = manifest.read_bytes()
    report = cl.validate_manifest(manifest, **{"check_images": False, **options})
    fixed = report.fix(*names)
    assert manifest.read_bytes() == before
    return report, fixed


#: repair → a line, and how many images, boxes and labels it leaves in the repaired dataset.
LINES: dict[str, tuple[Line | str, str, dict[str, Any]]] = {
    "drop_bad_attributes": (
        {**image_line("x.png", "fig", confidence=7), **box_line("x.png")},
        "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT", {"boxes": [INSIDE], "labels": ["Echo"]},
    ),
    "drop_unsupported": (
        {**image_line("x.png", "fig", type="groundtruth/video"), **box_line("x.png")},
        "ERROR_UNSUPPORTED_USE_CASE_TYPE", {"boxes": [INSIDE], "labels": ["Echo"]},
    ),
    "assume_confidence": (
        box_line("x.png", [INSIDE, INSIDE], objects=[{"confidence": 0.5}]),
        "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE", {"boxes": [INSIDE] * 2, "confidences": [0.5, 1.0]},
    ),
    "drop_unnamed_boxes": (
        changed(box_line("x.png", [INSIDE, INSIDE]), {"bounding-box/annotations/0/class_id": 7}),
        "ERROR_MISSING_CLASS_MAP_ID", {"boxes": [INSIDE]},
    ),
    "shorten_labels": (
        {**image_line("x.png", "x" * 300, "", "fig"), **box_line("x.png", [INSIDE] * 3, labels=["y" * 257, " ", "z"])},
        "ERROR_INVALID_LABEL_NAME_LENGTH", {"boxes": [INSIDE] * 2},
    ),
    "clip_boxes": (
        box_line("x.png", [INSIDE, OFF, OUTSIDE, (-10, 470, 2000, 40)]), "ERROR_INVALID_BOUNDING_BOX",
        {"boxes": [INSIDE, (620, 0, 20, 35), (0, 470, 640, 10)]},
    ),
    "drop_off_frame_boxes": (
        box_line("x.png", [INSIDE, OFF, OUTSIDE]), "ERROR_INVALID_BOUNDING_BOX", {"boxes": [INSIDE]},
    ),
    "drop_small_boxes": (box_line("x.png", [INSIDE, TINY]), "ERROR_BOUNDING_BOX_TOO_SMALL", {"boxes": [INSIDE]}),
    "drop_excess_boxes": (
        box_line("x.png", [(n, 20, 30, 40) for n in range(52)],
                 objects=[{"confidence": 0.1 if n in (3, 50) else 0.9} for n in range(52)]),
        "ERROR_TOO_MANY_BOUNDING_BOXES", {"boxes": [(n, 20, 30, 40) for n in range(52) if n not in (3, 50)]},
    ),
    "keep_one_bucket": (
        image_line("s3://other/x.png"), "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS", {"images": 0},
    ),
    "drop_unannotated": ({"source-ref": f"{BUCKET}x.png"}, "WARNING_UNANNOTATED_RECORD", {"images": 0}),
    "drop_lines": ("{", "ERROR_INVALID_JSON_LINE", {"images": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_repair(tmp_path: Path, name: str) -> None:
    line, code, expected = LINES[name]
    report, fixed = fix(tmp_path, line, name)
    assert {code} <= {*report.lines["code"], *report.errors["code"]}
    assert name in ADVICE[code].repairs
    here = fixed.filter(lambda images: ~images["image"].str.startswith(f"{BUCKET}g"))
    assert len(here) == expected.get("images", 1)
    assert boxes_of(here) == [tuple(map(float, box)) for box in expected.get("boxes", [])]
    if "labels" in expected:
        assert here.annotations["label"].tolist() == expected["labels"]
    if "confidences" in expected:
        assert here.annotations["confidence"].tolist() == expected["confidences"]
    # it reports its changes
    told = fixed.issues[fixed.issues["code"] == "ENTRY_REPAIRED"]
    assert len(told)
    assert told["message"].str.startswith(f"{name}: ").all()
    assert set(told["line"]) == {len(GOOD) + 1}
    # and it validates better
    fixed.to("ground_truth", tmp_path / "fixed.manifest")
    after = cl.validate_manifest(tmp_path / "fixed.manifest", check_images=False)
    assert code not in {*after.lines["code"], *after.errors["code"]}
    assert after.ok
    assert len(after.lines) < max(len(report.lines), 1)


def test_every_repair_is_tested_above_or_here() -> None:
    assert set(REPAIRS) == {*LINES, "drop_bad_images", MEND, DROP}  # the last two in test_polygon_rules.py


def test_images_that_can_not_be_used_are_left_out(tmp_path: Path) -> None:
    draw(tmp_path / "x.png", (63, 64))
    for number in range(10):
        draw(tmp_path / f"g{number}.png")
    where = {"relocate": {BUCKET: f"{tmp_path}/"}, "check_images": True}
    report, fixed = fix(tmp_path, image_line("x.png"), "drop_bad_images", **where)
    assert report.lines["code"].tolist() == ["ERROR_INVALID_IMAGE"]
    assert fixed.images["image"].tolist() == [f"{tmp_path}/g{number}.png" for number in range(10)]


def test_boxes_are_cut_off_at_the_frame_of_the_real_image(tmp_path: Path) -> None:
    for number in range(10):
        draw(tmp_path / f"g{number}.png")
    draw(tmp_path / "x.png", (100, 80))
    where = {"relocate": {BUCKET: f"{tmp_path}/"}, "check_images": True}
    report, fixed = fix(tmp_path, box_line("x.png", [(90, 10, 30, 80)], size=(640, 480)), "clip_boxes", **where)
    assert report.lines["code"].tolist()[0] == "ERROR_INVALID_BOUNDING_BOX"
    assert fixed.annotations.iloc[-1][["left", "top", "width", "height"]].tolist() == [90, 10, 10, 70]


def test_boxes_drawn_on_a_larger_copy_are_fitted_rather_than_cut(tmp_path: Path) -> None:
    for number in range(10):
        draw(tmp_path / f"g{number}.png")
    draw(tmp_path / "x.png", (320, 240))
    where = {"relocate": {BUCKET: f"{tmp_path}/"}, "check_images": True}
    for name in ("clip_boxes", "drop_off_frame_boxes"):
        report, fixed = fix(tmp_path, box_line("x.png", [(400, 100, 50, 60), INSIDE]), name, **where)
        assert report.lines["where"].tolist() == ["bounding-box.annotations[0]"]
        assert boxes_of(fixed)[1:] == [(200, 50, 25, 30), (5, 10, 15, 20)]
        assert fixed.issues["message"].tolist()[0] == (
            f"{name}: boxes drawn on 640 × 480 pixels were fitted to the image's 320 × 240 pixels"
        )


def test_several_repairs_in_one_go_whatever_their_order(tmp_path: Path) -> None:
    broken = changed(box_line("x.png", [OFF, TINY, INSIDE, INSIDE]), {
        "bounding-box/annotations/3/class_id": 9, "bounding-box-metadata/objects": [],
    })  # fmt: skip
    names = ["drop_lines", "drop_small_boxes", "clip_boxes", "drop_unnamed_boxes", "assume_confidence"]
    report, fixed = fix(tmp_path, broken, *names)
    assert report.lines["code"].tolist() == ["ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"]
    assert boxes_of(fixed)[1:] == [(620, 0, 20, 35), INSIDE]
    assert fixed.issues["code"].tolist() == ["ENTRY_REPAIRED"] * 4
    _, other = fix(tmp_path, broken, *reversed(names))
    pd.testing.assert_frame_equal(other.annotations, fixed.annotations)


def test_lines_that_another_repair_mended_are_kept(tmp_path: Path) -> None:
    line = box_line("x.png", [OFF])
    assert len(fix(tmp_path, line, "drop_lines")[1]) == 10
    assert len(fix(tmp_path, line, "drop_lines", "clip_boxes")[1]) == 11
    # no part is inside: the image becomes unlabelled, and is removed only on request
    gone = box_line("x.png", [OUTSIDE])
    _, fixed = fix(tmp_path, gone, "drop_lines", "clip_boxes")
    assert fixed.images["status"].tolist()[-1] == "unlabelled"
    assert len(fixed) == 11
    assert len(fix(tmp_path, gone, "drop_lines", "clip_boxes", "drop_unannotated")[1]) == 10


def test_lines_that_stay_unread_keep_their_numbers(tmp_path: Path) -> None:
    manifest = write_manifest(
        tmp_path / "m.manifest", [{"source-ref": f"{BUCKET}a.png"}, "{", image_line("b.png"), "[", image_line("c.png")]
    )
    fixed = cl.validate_manifest(manifest, check_images=False).fix("drop_unannotated")
    assert [(number, raw) for _, number, raw in fixed.unread] == [(2, "{"), (4, "[")]
    unread = fixed.issues[fixed.issues["code"] == "ERROR_INVALID_JSON_LINE"]
    assert unread["line"].tolist() == [2, 4]


def test_long_labels_that_begin_alike_stay_apart(tmp_path: Path) -> None:
    line = image_line("x.png", "x" * 299 + "a", "x" * 299 + "b")
    _, fixed = fix(tmp_path, line, "shorten_labels")
    labels = fixed.annotations.loc[fixed.annotations["image"] == f"{BUCKET}x.png", "label"]
    assert labels.nunique() == 2
    assert labels.str.len().max() <= 256
    again = fix(tmp_path, line, "shorten_labels")[1]
    assert set(again.labels["label"]) == set(fixed.labels["label"])


def test_invalid_attributes_are_dropped(tmp_path: Path) -> None:
    line = {**image_line("x.png", "fig"), **box_line("x.png", key="one", objects=5), **box_line("x.png", key="two")}
    line = changed(line, {"two": []})
    _, fixed = fix(tmp_path, line, "drop_bad_attributes")
    assert fixed.annotations.iloc[-1]["label"] == "fig"
    assert boxes_of(fixed) == [INSIDE]  # the box of the good lines


def test_attribute_without_metadata_is_dropped(tmp_path: Path) -> None:
    _, fixed = fix(tmp_path, changed(image_line("x.png"), {"label-0-metadata": GONE}), "drop_bad_attributes")
    assert fixed.images["status"].tolist()[-1] == "unlabelled"


def test_unknown_repair_is_refused(tmp_path: Path) -> None:
    report = cl.validate_manifest(write_manifest(tmp_path / "m.manifest", GOOD), check_images=False)
    with pytest.raises(InputError, match=r"Unknown repair 'clip'.*'clip_boxes'"):
        report.fix("clip")
    with pytest.raises(InputError, match=r"fix\(\) needs the name of a repair"):
        report.fix()
    with pytest.raises(InputError, match="split='test' was not validated"):
        report.fix("clip_boxes", split="test")


def test_the_test_manifest_is_repaired_too(tmp_path: Path) -> None:
    train = write_manifest(tmp_path / "t.manifest", GOOD)
    test = write_manifest(tmp_path / "u.manifest", [*GOOD, "{"])
    fixed = cl.validate_manifest(train, test, check_images=False).fix("drop_lines", split="test")
    assert len(fixed) == 10
    assert fixed.name == "u.manifest"
    assert fixed.unread == []


def test_report_lists_the_repairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fix(tmp_path, box_line("x.png", [OFF, OFF, TINY]), "clip_boxes", "drop_small_boxes", "drop_lines")
    clipped, small, lines = capsys.readouterr().out.splitlines()
    assert tells(clipped, "clip_boxes", 2, 1)
    assert tells(small, "drop_small_boxes", 1, 1)
    assert tells(lines, "drop_lines")
    assert not re.search(r"\d", lines), "nothing to change"


def test_every_code_has_advice_and_every_repair_a_code() -> None:
    assert set(ADVICE) == {*FILE_ERRORS, *CONTENT_ERRORS, *LINE_ERRORS, *WARNINGS, *POLYGON_FINDINGS}
    assert set(ADVICE) <= set(CODES)
    for code, advice in ADVICE.items():
        assert advice.text.endswith("."), code
        assert "\n" not in advice.text
        for name in REPAIRS:
            named = f'fix("{name}")' in advice.text
            assert named <= (name in advice.repairs), code
        assert set(advice.repairs) <= set(REPAIRS)
        assert not advice.repairs or f'fix("{advice.repairs[0]}")' in advice.text, code
    assert {name for advice in ADVICE.values() for name in advice.repairs} == set(REPAIRS)


# -- datasets in memory -----------------------------------------------------------------------------
def in_hand(folder: Path) -> cl.Dataset:
    """Return a dataset in memory with small, missing and partly annotated images."""
    images = [{"image": f"{n}.png", "tags": [str(n)], "note": n} for n in range(5)]
    for image in images:
        draw(folder / str(image["image"]))
    draw(folder / "small.png", (20, 20))
    images += [{"image": "small.png", "tags": [], "note": 5}, {"image": "gone.png", "tags": [], "note": 6}]
    marks = [
        {"image": "0.png", "label": "a", "left": 10, "top": 10, "width": 30, "height": 30},
        {"image": "1.png", "label": "a", "left": 600, "top": 10, "width": 80, "height": 30},
        {"image": "1.png", "label": "a", "left": 600, "top": 10, "width": 80, "height": 30},
        {"image": "1.png", "label": "b", "left": 5, "top": 5, "width": 0.5, "height": 30},
        {"image": "2.png", "label": "b", "left": 900, "top": 10, "width": 80, "height": 30},
        {"image": "3.png", "label": "a"},
        {"image": "4.png", "label": "b", "left": 620, "top": 0, "width": 60, "height": 40,
         "polygon": [[620.0, 0.0], [680.0, 20.0], [640.0, 40.0]]},
        {"image": "small.png", "label": "a", "left": 1, "top": 1, "width": 9, "height": 9},
        {"image": "gone.png", "label": "b", "left": 1, "top": 1, "width": 9, "height": 9},
    ]  # fmt: skip
    return cl.Dataset(pd.DataFrame(images), pd.DataFrame(marks), name="train", root=folder)


def test_dataset_is_repaired_in_its_tables(tmp_path: Path) -> None:
    dataset = in_hand(tmp_path)
    images, annotations = dataset.images.copy(deep=True), dataset.annotations.copy(deep=True)
    report = dataset.validate("rekognition")
    fixed = report.fix("clip_boxes", "drop_small_boxes", "drop_bad_images")
    assert fixed.images["image"].tolist() == [f"{n}.png" for n in range(5)]
    assert fixed.images["note"].tolist() == [0, 1, 2, 3, 4]
    assert fixed.images["tags"].tolist() == [["0"], ["1"], ["2"], ["3"], ["4"]]
    assert fixed.images["status"].tolist() == ["unlabelled"] * 5 or fixed.images["status"].tolist()[2] == "unlabelled"
    assert fixed.root == tmp_path
    expected = [(10, 10, 30, 30), (600, 10, 40, 30), (600, 10, 40, 30), (620, 0, 20, 40)]
    assert boxes_of(fixed) == expected
    polygon = fixed.annotations.loc[fixed.annotations["image"] == "4.png", "polygon"].iloc[0]
    assert polygon == [[620.0, 0.0], [640.0, 20.0], [640.0, 40.0]]
    pd.testing.assert_frame_equal(dataset.images, images)
    pd.testing.assert_frame_equal(dataset.annotations, annotations)
    again = fixed.validate("rekognition")
    assert set(again.lines["code"]) <= {"WARNING_UNANNOTATED_RECORD"}


def test_a_repaired_set_of_a_project_is_written_back(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    marks = []
    for number in range(4):
        path = tmp_path / "photos" / f"{number}.png"
        draw(path, (640, 480 + number))
        marks.append({"image": str(path), "label": "ab"[number % 2], "left": 600, "top": 5, "width": 80, "height": 30})
    project = cl.create_project("boxes", tmp_path)
    project.add_images(pd.DataFrame(marks), progress=False)
    report = project.train_set.validate("rekognition")
    assert set(report.lines["code"]) == {"ERROR_INVALID_BOUNDING_BOX", "ERROR_NO_VALID_ANNOTATIONS"}
    assert project.update("train", report.fix("clip_boxes"), note="clipped") == 4
    assert project.train_set.validate("rekognition").lines.empty
    project.close()
