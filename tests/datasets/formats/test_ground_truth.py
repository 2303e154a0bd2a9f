"""Tests of manifests: reading what was written, and bad lines reported while the others are read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.datasets.formats import FORMATS
from customlabels_nb.datasets.formats.base import Contents, losses
from customlabels_nb.datasets.formats.ground_truth import attribute_names, manifest_lines, read_manifest
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import ManifestError
from tests.datasets.formats.shared import HOSTILE
from tests.images.pictures import unreadable
from tests.tiers import many

# as in the hosted service's documentation (manifests.md, section 2)
LABEL_LINE = {
    "source-ref": "s3://bucket/images/sunrise.png",
    "sunrise": 1,
    "sunrise-metadata": {
        "confidence": 1,
        "job-name": "labeling-job/sunrise",
        "class-name": "Sunrise",
        "human-annotated": "yes",
        "creation-date": "2020-03-06T17:46:39.176",
        "type": "groundtruth/image-classification",
    },
}
BOX_LINE = {
    "source-ref": "s3://bucket/images/IMG_1186.png",
    "bounding-box": {
        "image_size": [{"width": 640, "height": 480, "depth": 3}],
        "annotations": [
            {"class_id": 1, "top": 251, "left": 399, "width": 155, "height": 101},
            {"class_id": 0, "top": 65, "left": 86, "width": 220, "height": 334},
        ],
    },
    "bounding-box-metadata": {
        "objects": [{"confidence": 1}, {"confidence": 0.5}],
        "class-map": {"0": "Echo", "1": "Echo Dot"},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2013-11-18T02:53:27",
        "job-name": "my job",
    },
}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def changed(line: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a deep copy with values replaced at paths such as ``bounding-box.annotations.0.left``. ... deletes."""
    result = json.loads(json.dumps(line))
    for path, value in changes.items():
        *way, last = path.split(".")
        place = result
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        key = int(last) if isinstance(place, list) else last
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return result


def again(images: pd.DataFrame, annotations: pd.DataFrame, path: Path) -> Any:
    return read_manifest(write(path, *manifest_lines(t.normalise_images(images), t.normalise_annotations(annotations))))


def adjusted(line: dict[str, Any], name: str, status: str, *, width: int) -> dict[str, Any]:
    """Return a line with one more box attribute, as a job adds it that adjusts boxes."""
    copy = changed(line, **{"bounding-box.annotations.0.width": width})["bounding-box"]
    facts = changed(line, **{"bounding-box-metadata.adjustment-status": status})["bounding-box-metadata"]
    return {**line, name: copy, f"{name}-metadata": facts}


# -- reading ----------------------------------------------------------------------------------------
def test_of_an_attribute_and_its_adjusted_copies_the_last_is_read(tmp_path: Path) -> None:
    once = adjusted(BOX_LINE, "second", "adjusted", width=7)
    twice = adjusted(once, "third", "unadjusted", width=9)
    for line, width in ((once, 7), (twice, 9)):
        found = read_manifest(write(tmp_path / "x.manifest", line))
        assert found.annotations["width"].tolist() == [width, 220]
        assert [(issue.code, issue.message[:1]) for issue in found.issues] == [
            ("NOT_IMPORTED", str(len(line) // 2 - 1))
        ]


def test_an_adjusted_copy_replaces_the_attribute_whose_name_it_continues(tmp_path: Path) -> None:
    other = {"cups": BOX_LINE["bounding-box"], "cups-metadata": BOX_LINE["bounding-box-metadata"]}
    line = adjusted({**BOX_LINE, **other}, "bounding-box-adjusted", "adjusted", width=7)
    found = read_manifest(write(tmp_path / "x.manifest", line))
    assert sorted(found.annotations["width"].tolist()) == [7, 155, 220, 220]
    label = {**LABEL_LINE, **{key: value for key, value in line.items() if key.startswith("bounding-box")}}
    found = read_manifest(write(tmp_path / "x.manifest", label))
    assert sorted(found.annotations["label"]) == ["Echo", "Echo Dot", "Sunrise"]


def test_deleted_boxes_are_left_out_and_unknown_keys_are_counted(tmp_path: Path) -> None:
    line = changed(BOX_LINE, **{
        "bounding-box.annotations.0.deleted": True, "bounding-box.annotations.1.angle": 30,
        "bounding-box-metadata.team": "a", "bounding-box-metadata.objects.0.seconds": 3, "weather": "rain",
    })  # fmt: skip
    plain = [changed(BOX_LINE, **{"source-ref": f"s3://bucket/{number}.png", "weather": "sun"}) for number in range(3)]
    found = read_manifest(write(tmp_path / "x.manifest", line, *plain))
    assert found.annotations["label"].tolist() == ["Echo", *["Echo Dot", "Echo"] * 3]
    assert {issue.where: issue.message.split(" ×")[0] for issue in found.issues} == {
        "value of the key 'weather' of a line": "4", "value of the key 'team' of a metadata object": "1",
        "value of the key 'seconds' of an object": "1", "value of the key 'angle' of a box": "1",
        "box that is marked as deleted": "1",
    }  # fmt: skip


def test_a_line_with_a_label_is_read(tmp_path: Path) -> None:
    found = read_manifest(write(tmp_path / "manifest.txt", LABEL_LINE))
    assert found.images[["image", "status"]].to_numpy().tolist() == [["s3://bucket/images/sunrise.png", "labelled"]]
    row = found.annotations.iloc[0]
    assert (row["label"], row["confidence"], row["job"]) == ("Sunrise", 1.0, "labeling-job/sunrise")
    assert row["created"] == pd.Timestamp("2020-03-06T17:46:39.176", tz="UTC")
    assert pd.isna(row["left"])
    assert found.issues == []


def test_a_line_with_boxes_is_read(tmp_path: Path) -> None:
    found = read_manifest(write(tmp_path / "a.manifest", BOX_LINE))
    assert found.images[["width", "height"]].to_numpy().tolist() == [[640, 480]]
    assert found.annotations["label"].tolist() == ["Echo Dot", "Echo"]
    assert found.annotations["confidence"].tolist() == [1.0, 0.5]
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[399, 251, 155, 101], [86, 65, 220, 334]]


def test_labels_boxes_and_plain_lines_share_a_manifest(tmp_path: Path) -> None:
    both = {**BOX_LINE, **LABEL_LINE, "source-ref": "s3://bucket/both.png"}
    found = read_manifest(
        write(tmp_path / "a.manifest", LABEL_LINE, BOX_LINE, both, {"source-ref": "s3://bucket/c.png"})
    )
    assert found.images["status"].tolist() == ["labelled"] * 3 + ["unlabelled"]
    assert found.annotations["image"].value_counts().to_dict() == {
        "s3://bucket/images/sunrise.png": 1,
        "s3://bucket/images/IMG_1186.png": 2,
        "s3://bucket/both.png": 3,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-03-06T17:46:39.176", "2020-03-06T17:46:39.176Z"),
        ("2013-11-18T02:53:27", "2013-11-18T02:53:27Z"),
        ("2018-10-18T22:18:13.527256", "2018-10-18T22:18:13.527256Z"),
        ("2018-10-18T22:18:13.5272561234", "2018-10-18T22:18:13.527256Z"),
        ("2018-10-18T22:18:13Z", "2018-10-18T22:18:13Z"),
        ("2018-10-18T22:18:13.527Z", "2018-10-18T22:18:13.527Z"),
        ("2018-10-18 22:18:13", "2018-10-18T22:18:13Z"),
        ("2018-10-18 22:18:13.5Z", "2018-10-18T22:18:13.5Z"),
        ("2018-10-18T22:18:13+02:00", "2018-10-18T20:18:13Z"),
        (" 2018-10-18 ", "2018-10-18T00:00:00Z"),
    ],
)
def test_every_style_of_date_is_read(tmp_path: Path, text: str, expected: str) -> None:
    line = changed(LABEL_LINE, **{"sunrise-metadata.creation-date": text})
    assert read_manifest(write(tmp_path / "m", line)).annotations["created"][0] == pd.Timestamp(expected)


@pytest.mark.parametrize("date", ["soon", 5, None, [], {}, ["2018-10-18"], "0000-00-00", "2018-13-01T00:00:00", ...])
def test_invalid_date_becomes_the_import_date(tmp_path: Path, date: Any) -> None:
    line = changed(LABEL_LINE, **{"sunrise-metadata.creation-date": date})
    created = read_manifest(write(tmp_path / "m", line)).annotations["created"][0]
    assert abs((created - pd.Timestamp.now(tz="UTC")).total_seconds()) < 60


BAD_LINES: list[tuple[Any, str]] = [
    ("{not json", "ERROR_INVALID_JSON_LINE"),
    ("[]", "ERROR_INVALID_JSON_LINE"),
    ("null", "ERROR_INVALID_JSON_LINE"),
    ("[" * 100_000, "ERROR_INVALID_JSON_LINE"),
    ('{"source-ref": ' + "9" * 5000 + "}", "ERROR_INVALID_JSON_LINE"),
    ({"image": "a"}, "ERROR_MISSING_SOURCE_REF"),
    ({"source-ref": 5}, "ERROR_INVALID_SOURCE_REF_FORMAT"),
    ({"source-ref": ""}, "ERROR_INVALID_SOURCE_REF_FORMAT"),
    ({"source-ref": None}, "ERROR_INVALID_SOURCE_REF_FORMAT"),
    ('{"source-ref": "a\\ud800.png"}', "ERROR_INVALID_SOURCE_REF_FORMAT"),
    ('{"source-ref": "a\\u0000.png"}', "ERROR_INVALID_SOURCE_REF_FORMAT"),
    (changed(LABEL_LINE, **{"sunrise-metadata": ...}), "ERROR_NO_LABEL_ATTRIBUTES"),
    (changed(LABEL_LINE, sunrise=...), "ERROR_NO_LABEL_ATTRIBUTES"),
    ({"source-ref": "a", "source-ref-metadata": {}}, "ERROR_NO_LABEL_ATTRIBUTES"),
    (changed(LABEL_LINE, **{"sunrise-metadata": "x"}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(LABEL_LINE, **{"sunrise-metadata.confidence": 1.5}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(LABEL_LINE, **{"sunrise-metadata.confidence": "1"}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(LABEL_LINE, **{"sunrise-metadata.confidence": True}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(LABEL_LINE, **{"sunrise-metadata.type": "groundtruth/text"}), "ERROR_UNSUPPORTED_USE_CASE_TYPE"),
    (changed(LABEL_LINE, **{"sunrise-metadata.type": ...}), "ERROR_UNSUPPORTED_USE_CASE_TYPE"),
    (changed(LABEL_LINE, **{"sunrise-metadata.class-name": ""}), "ERROR_INVALID_LABEL_NAME_LENGTH"),
    (changed(LABEL_LINE, **{"sunrise-metadata.class-name": "x" * 257}), "ERROR_INVALID_LABEL_NAME_LENGTH"),
    (changed(LABEL_LINE, **{"sunrise-metadata.class-name": 7}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(LABEL_LINE, **{"sunrise-metadata.class-name": "a\ud800"}), "ERROR_INVALID_LABEL_NAME_LENGTH"),
    (changed(BOX_LINE, **{"bounding-box": 1}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations": {}}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0": "x"}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.left": ...}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.left": "5"}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.left": True}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.top": float("nan")}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.top": float("inf")}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.top": 10**400}), "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box-metadata.objects": []}), "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"),
    (changed(BOX_LINE, **{"bounding-box-metadata.objects": 5}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box-metadata.objects.1": 5}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box-metadata.class-map": []}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box-metadata.class-map.0": ...}), "ERROR_MISSING_CLASS_MAP_ID"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.class_id": 7}), "ERROR_MISSING_CLASS_MAP_ID"),
    (changed(BOX_LINE, **{"bounding-box.annotations.0.class_id": []}), "ERROR_MISSING_CLASS_MAP_ID"),
    (changed(BOX_LINE, **{"bounding-box-metadata.class-map.0": 7}), "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"),
    (changed(BOX_LINE, **{"bounding-box-metadata.class-map.0": " "}), "ERROR_INVALID_LABEL_NAME_LENGTH"),
]


@pytest.mark.parametrize(("line", "code"), BAD_LINES, ids=[f"{i}-{code}" for i, (_, code) in enumerate(BAD_LINES)])
def test_a_bad_line_is_reported_with_code_and_number_and_the_rest_is_read(tmp_path: Path, line: Any, code: str) -> None:
    raw = line if isinstance(line, str) else json.dumps(line)
    found = read_manifest(write(tmp_path / "m", {"source-ref": "first"}, raw, {"source-ref": "last"}))
    assert found.images["image"].tolist() == ["first", "last"]
    assert [(issue.code, issue.line, issue.source) for issue in found.issues] == [(code, 2, str(tmp_path / "m"))]
    assert found.unread == [(2, raw)]
    assert found.issues[0].message.startswith(CODES[code].split("{}")[0])
    assert len(found.annotations) == 0


def test_the_message_names_the_attribute(tmp_path: Path) -> None:
    line = changed(BOX_LINE, **{"bounding-box.annotations.0.left": "5"})
    message = read_manifest(write(tmp_path / "m", {"source-ref": "a"}, line)).issues[0].message
    assert message == "The format of the label attribute bounding-box is invalid."


def test_a_bad_box_among_good_ones_is_left_out_and_the_line_kept_as_it_was(tmp_path: Path) -> None:
    line = changed(BOX_LINE, **{"bounding-box.annotations.0.width": -1})
    found = read_manifest(write(tmp_path / "m", line))
    assert found.annotations["label"].tolist() == ["Echo"]
    assert [(issue.code, issue.where) for issue in found.issues] == [
        ("ERROR_INVALID_BOUNDING_BOX", "bounding-box.annotations.0")
    ]
    assert found.unread == [(1, json.dumps(line))]
    both_bad = changed(line, **{"bounding-box.annotations.1.height": -1})
    found = read_manifest(write(tmp_path / "m", {"source-ref": "a"}, both_bad))
    assert found.images["image"].tolist() == ["a"]
    assert [issue.code for issue in found.issues] == ["ERROR_INVALID_BOUNDING_BOX"] * 2


def test_a_source_that_occurs_again_is_reported(tmp_path: Path) -> None:
    found = read_manifest(write(tmp_path / "m", LABEL_LINE, {"source-ref": "b"}, LABEL_LINE))
    assert (len(found.images), len(found.annotations)) == (2, 1)
    assert [(issue.code, issue.line) for issue in found.issues] == [("ERROR_INVALID_SOURCE_REF_FORMAT", 3)]


def test_byte_order_mark_carriage_returns_and_blank_lines_are_accepted(tmp_path: Path) -> None:
    text = f"\ufeff\r\n{json.dumps(LABEL_LINE)}\r\n\r\n   \r\nbad\r\n{json.dumps(BOX_LINE)}"
    (tmp_path / "m").write_bytes(text.encode())
    found = read_manifest(tmp_path / "m")
    assert len(found.images) == 2
    assert found.unread == [(5, "bad")]


def test_line_separators_inside_text_do_not_end_a_line(tmp_path: Path) -> None:
    line = json.dumps({"source-ref": "a\u2028b\x85c.png"}, ensure_ascii=False)
    assert read_manifest(write(tmp_path / "m", line)).images["image"].tolist() == ["a\u2028b\x85c.png"]


def test_one_line_that_is_not_utf8_spoils_only_itself(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b'{"source-ref": "a"}\n{"source-ref": "\xe4.jpg"}\n{"source-ref": "b"}\n')
    found = read_manifest(tmp_path / "m")
    assert found.images["image"].tolist() == ["a", "b"]
    assert [(issue.code, issue.line) for issue in found.issues] == [("ERROR_INVALID_JSON_LINE", 2)]


def test_findings_of_validation_in_a_line_are_ignored(tmp_path: Path) -> None:
    added = {"errors": [{"code": "X"}], "warnings": [], "cl-errors": [], "cl-warnings": [], "cl-metadata": {}}
    lines = [{**LABEL_LINE, **added}, {"source-ref": "plain", **added}]
    found = read_manifest(write(tmp_path / "m", *lines))
    assert found.images["status"].tolist() == ["labelled", "unlabelled"]
    assert found.issues == []


def test_invalid_size_is_ignored(tmp_path: Path) -> None:
    for number, size in enumerate([[], {}, [{}], [{"width": 0, "height": 5}], [{"width": 10**20, "height": 5}],
                                   [{"width": float("inf"), "height": 5}], [{"width": "x", "height": 5}]]):  # fmt: skip
        line = changed(BOX_LINE, **{"bounding-box.image_size": size})
        found = read_manifest(write(tmp_path / f"m{number}", line))
        assert found.images["width"].isna().all()
        assert len(found.annotations) == 2


@pytest.mark.parametrize("job", [5, None, {}, "", "a\ud800", ...])
def test_invalid_job_name_is_ignored(tmp_path: Path, job: Any) -> None:
    line = changed(LABEL_LINE, **{"sunrise-metadata.job-name": job})
    assert read_manifest(write(tmp_path / "m", line)).annotations["job"].isna().all()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "ERROR_MANIFEST_IS_EMPTY"),
        (b"\n \r\n\n", "ERROR_MANIFEST_IS_EMPTY"),
        (b"\xef\xbb\xbf", "ERROR_MANIFEST_IS_EMPTY"),
        (b"no manifest", "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        (b"\xff\xd8\xff\xe0\n\0\n", "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ('{"source-ref": "a"}'.encode("utf-16"), "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
    ],
)
def test_a_file_without_a_line_that_can_be_read_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "train.manifest").write_bytes(content)
    with pytest.raises(ManifestError, match=r"train\.manifest") as caught:
        read_manifest(tmp_path / "train.manifest")
    assert caught.value.code == code
    assert CODES[code] in str(caught.value)


def test_pipes_and_devices_are_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "locked").write_text("{}")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(ManifestError) as caught:
            read_manifest(path)
        assert caught.value.code == "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    with unreadable(tmp_path / "locked"), pytest.raises(ManifestError, match="Permission denied"):
        read_manifest(str(tmp_path / "locked"))


# -- round trips ------------------------------------------------------------------------------------
def test_attribute_names_are_safe_unique_and_never_anothers_metadata() -> None:
    names = attribute_names(sorted(HOSTILE))
    assert list(names) == sorted(HOSTILE)
    keys_of_line = [key.lower() for name in names.values() for key in (name, f"{name}-metadata")]
    keys_of_line += ["source-ref", "bounding-box", "bounding-box-metadata", "bounding-box-2", "bounding-box-2-metadata"]
    assert len(set(keys_of_line)) == len(keys_of_line)
    assert all(name.isascii() and name.replace("-", "").isalnum() and len(name) < 120 for name in names.values())
    assert not {"errors", "warnings", "cl-errors", "cl-metadata"} & set(names.values())


@settings(max_examples=many(60))
@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text("x-metadt", min_size=1, max_size=24)), unique=True))
def test_attribute_names_of_any_labels_are_unique(labels: list[str]) -> None:
    names = attribute_names(labels)
    keys_of_line = [key for name in names.values() for key in (name, f"{name}-metadata")] + ["source-ref"]
    assert len(set(keys_of_line)) == 2 * len(labels) + 1


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = ["image", "label", *t.BOX_COLUMNS, "confidence", "job", "created"]
    return sorted(map(str, frame[columns].itertuples(index=False, name=None)))


def test_a_valid_manifest_survives_reading_and_writing(tmp_path: Path) -> None:
    second_job = changed(BOX_LINE["bounding-box-metadata"], **{"job-name": "another", "creation-date": "2021-01-01"})
    two_jobs = {**BOX_LINE, "source-ref": "two", "more": BOX_LINE["bounding-box"], "more-metadata": second_job}
    both = {**LABEL_LINE, **BOX_LINE, "source-ref": "both"}
    plain = {"source-ref": "plain"}
    first = read_manifest(write(tmp_path / "m", LABEL_LINE, BOX_LINE, two_jobs, both, plain))
    second = again(first.images, first.annotations, tmp_path / "again")
    assert_frame_equal(second.images, first.images)
    assert rows(second.annotations) == rows(first.annotations)
    lines_again = list(manifest_lines(second.images, second.annotations))
    assert lines_again == (tmp_path / "again").read_text("utf-8").splitlines()
    assert json.loads(lines_again[0]).keys() == {"source-ref", "Sunrise", "Sunrise-metadata"}
    assert json.loads(lines_again[1]) == {
        **BOX_LINE,
        "bounding-box": json.loads(lines_again[1])["bounding-box"],
        "bounding-box-metadata": {
            **BOX_LINE["bounding-box-metadata"],
            "objects": [{"confidence": 1}, {"confidence": 0.5}],
        },
    }


def machine_labels() -> pd.DataFrame:
    """Return labels and boxes of a person and of two models on one image."""
    box = {"left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0}
    first, later = pd.Timestamp("2026-01-02", tz="UTC"), pd.Timestamp("2026-01-03", tz="UTC")
    by = [
        {"annotator": None, "confidence": 1.0, "created": first},
        {"annotator": "model:run 7", "confidence": 0.875, "created": later},
        {"annotator": "model:run 8", "confidence": 0.75, "created": later},
        {"annotator": "model:run 8", "confidence": 0.625, "created": later},
    ]
    rows = [{"image": "a", "label": f"label {n}", **shape, **own} for shape in ({}, box) for n, own in enumerate(by)]
    return t.normalise_annotations(pd.DataFrame(rows))


def test_labels_of_models_stay_labels_of_models(tmp_path: Path) -> None:
    images, given = pd.DataFrame({"image": ["a"], "status": ["labelled"]}), machine_labels()
    found = again(images, given, tmp_path / "m")
    columns = ["label", "confidence", "annotator", *t.BOX_COLUMNS]
    assert_frame_equal(found.annotations[columns], given[columns])
    assert found.annotations["job"].astype(object).where(found.annotations["job"].notna(), None).tolist() == [
        "labeling-job/label 0",
        *[None] * 3,
        "labeling-job/bounding-box",
        *[None] * 3,
    ]
    assert t.by_machine(found.annotations).tolist() == [False, True, True, True] * 2
    line = json.loads((tmp_path / "m").read_text())
    human = {key: value["human-annotated"] for key, value in line.items() if key.endswith("-metadata")}
    assert human == {
        **{f"label-{n}-metadata": "no" if n else "yes" for n in range(4)},
        "bounding-box-metadata": "yes", "bounding-box-2-metadata": "no", "bounding-box-3-metadata": "no",
    }  # fmt: skip
    facts = line["bounding-box-3-metadata"]
    assert (facts["job-name"], facts["objects"]) == ("model:run 8", [{"confidence": 0.75}, {"confidence": 0.625}])
    third = again(found.images, found.annotations, tmp_path / "n")
    assert_frame_equal(third.annotations, found.annotations)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    ("job", "origin"),
    [
        ("labeling-job/cats", ("labeling-job/cats", "model:labeling-job/cats")),
        ("model:run 7", (None, "model:run 7")),
        (..., (None, "model:unknown")),
    ],
)
def test_automated_labels_of_other_tools_are_labels_of_models(
    tmp_path: Path, job: Any, origin: tuple[str | None, str], quick: bool
) -> None:
    facts = {"human-annotated": "no", "confidence": 0.8, "job-name": job}
    line = changed(LABEL_LINE, **{f"sunrise-metadata.{key}": value for key, value in facts.items()})
    if not quick:  # only the exact parser handles a value with an unknown type beside the label
        line |= {"other": 1, "other-metadata": {"type": "other"}}
    found = read_manifest(write(tmp_path / "m", line))
    row = found.annotations.astype(object).where(found.annotations.notna(), None).iloc[0]
    assert ((row["job"], row["annotator"]), row["confidence"]) == (origin, 0.8)
    assert_frame_equal(again(found.images, found.annotations, tmp_path / "n").annotations, found.annotations)


def test_other_words_than_yes_and_no_are_read_or_reported(tmp_path: Path) -> None:
    lines = [
        changed(LABEL_LINE, **{"source-ref": f"s3://b/{number}.png", "sunrise-metadata.human-annotated": word})
        for number, word in enumerate(["yes", "no", "False", "TRUE", "maybe", None, ...])
    ]
    found = read_manifest(write(tmp_path / "m", *lines))
    assert found.annotations["annotator"].notna().tolist() == [False, True, True, *[False] * 4]
    assert [issue.message.partition(" was")[0] for issue in found.issues] == [
        f"1 × human-annotated that is {word}, not 'yes' or 'no', and" for word in ("'maybe'", "None")
    ]


def test_boxes_in_ratios_or_without_area_are_reported(tmp_path: Path) -> None:
    ratios = {"left": 0.25, "top": 0.5, "width": 0.5, "height": 0.25}
    small = changed(
        BOX_LINE, **{f"bounding-box.annotations.{n}.{side}": ratios[side] for side in ratios for n in (0, 1)}
    )
    empty = changed(BOX_LINE, **{"bounding-box.annotations.0.width": 0})
    found = read_dataset(write(tmp_path / "small.manifest", small))
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[160, 240, 320, 120]] * 2
    assert "converted to pixels" in found.issues["message"].item()
    found = read_dataset(write(tmp_path / "empty.manifest", empty))
    assert (len(found.annotations), "without area" in found.issues["message"].item()) == (2, True)


def test_labels_of_models_are_no_loss() -> None:
    images = t.normalise_images(pd.DataFrame({"image": ["a"]}))
    people = machine_labels().assign(annotator=lambda rows: rows["annotator"].fillna("Ann"))
    lost = {issue.where: issue.message for issue in losses(Contents(images, people), FORMATS["ground_truth"])}
    assert lost["annotator"].startswith("2 × annotator")


def test_labelled_images_without_annotations_stay_labelled(tmp_path: Path) -> None:
    images = pd.DataFrame({"image": ["a", "b", "c"], "status": ["labelled", "labelled", "unlabelled"]})
    said = pd.DataFrame({"image": ["a"], "label": ["x"]})
    assert again(images, said, tmp_path / "m").images["status"].tolist() == ["labelled", "labelled", "unlabelled"]
    assert again(images, said.iloc[:0], tmp_path / "n").images["status"].tolist()[0] == "labelled"


def test_written_lines_are_what_the_service_documents() -> None:
    created = pd.Timestamp("2024-02-03T04:05:06.5", tz="UTC")
    images = t.normalise_images(pd.DataFrame({"image": ["a"], "width": [64], "height": [48]}))
    label = {"image": "a", "label": "ripe apple", "created": created, "confidence": 0.5}
    box = {**label, "left": 1, "top": 2, "width": 3, "height": 4}
    line = json.loads(next(manifest_lines(images, t.normalise_annotations(pd.DataFrame([label, box])))))
    assert line == {
        "source-ref": "a",
        "ripe-apple": 1,
        "ripe-apple-metadata": {
            "confidence": 0.5,
            "job-name": "labeling-job/ripe apple",
            "class-name": "ripe apple",
            "human-annotated": "yes",
            "creation-date": "2024-02-03T04:05:06.500000",
            "type": "groundtruth/image-classification",
        },
        "bounding-box": {
            "image_size": [{"width": 64, "height": 48, "depth": 3}],
            "annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}],
        },
        "bounding-box-metadata": {
            "objects": [{"confidence": 0.5}],
            "class-map": {"0": "ripe apple"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2024-02-03T04:05:06.500000",
            "job-name": "labeling-job/bounding-box",
        },
    }


@pytest.mark.parametrize("quick", [True, False])
def test_invalid_date_is_reported(tmp_path: Path, quick: bool) -> None:
    good, bad, without = (json.loads(json.dumps(LABEL_LINE | {"source-ref": f"s3://bucket/{n}.png"})) for n in range(3))
    bad["sunrise-metadata"]["creation-date"] = "yesterday"
    del without["sunrise-metadata"]["creation-date"]
    if not quick:  # handled by the exact parser only
        bad["sunrise-metadata"]["type"] = "groundtruth/image-classification-multilabel"
        bad["sunrise"], bad["sunrise-metadata"]["class-map"] = [1], {"1": "Sunrise"}
    path = tmp_path / "set.manifest"
    path.write_text("\n".join(map(json.dumps, (good, without, bad, bad | {"source-ref": "s3://bucket/3.png"}))))
    found = read_manifest(path)
    assert [(issue.code, issue.line) for issue in found.issues] == [("ENTRY_ADJUSTED", 3)]
    assert found.issues[0].message.startswith("2 lines have an invalid creation-date")
    assert found.unread == []
    assert len(found.annotations) == 4


def test_the_only_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    line = {
        "source-ref": "a.jpg",
        "x": {"image_size": [{"width": 9, "height": 9, "depth": 3}], "annotations": [
            {"class_id": 7, "left": 1, "top": 1, "width": 2, "height": 2}]},
        "x-metadata": {"objects": [{"confidence": 1}], "class-map": {"0": "cat"},
                       "type": "groundtruth/object-detection", "human-annotated": "yes",
                       "creation-date": "2020-01-01T00:00:00"},
    }  # fmt: skip
    (tmp_path / "x.manifest").write_text(json.dumps(line))
    with pytest.raises(ManifestError, match=r"Line 1: .*class"):
        read_dataset(tmp_path / "x.manifest")
