"""Tests of manifest reading: the batch reader agrees with the line parser, and common variants are understood."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import LOCAL, REKOGNITION, Limits
from customlabels_nb.datasets.formats import manifest_lines
from customlabels_nb.datasets.formats.ground_truth import read_manifest
from customlabels_nb.datasets.formats.manifest_lines import ManifestFile, ManifestLines, parse_line
from customlabels_nb.datasets.formats.manifest_tables import NO_DATE, Codes, ManifestReader, gather
from customlabels_nb.datasets.formats.manifest_values import ImageVerdict, expand_multi_label, parsed
from customlabels_nb.images.reading import open_image
from tests.datasets.formats.test_ground_truth import BAD_LINES, BOX_LINE, LABEL_LINE, changed, write
from tests.datasets.validation.mutations import mutated_lines

PROFILES = pytest.mark.parametrize("limits", [LOCAL, REKOGNITION], ids=lambda limits: limits.name)


def many(raws: list[bytes], limits: Limits) -> Any:
    """Return the reader's state, issues and rows by line number."""
    reader = ManifestReader(ManifestLines("lines", raws), limits)
    reader.read()
    table = reader.table()
    rows: dict[int, list[Any]] = {number: [] for number in table.numbers.tolist()}
    each = zip(*(getattr(table.rows, name).tolist() for name in table.rows.__slots__), strict=True)
    for number, label, confidence, origin, created, box, crowd in each:
        place = None if np.isnan(box[0]) else tuple(box)
        rows[number].append((table.labels[label], confidence, *table.origins[origin], created, place, crowd))
    facts = zip(table.numbers.tolist(), table.sources, table.labelled.tolist(), table.sizes.tolist(), strict=True)
    images = {number: (source, labelled, tuple(size)) for number, source, labelled, size in facts}
    return images, rows, {note.number: note.parsed.findings for note in reader.notes()}


def one_by_one(raws: list[bytes], limits: Limits) -> Any:
    """Return the same from :func:`parse_line` alone."""
    images, rows, findings = {}, {}, {}
    for number, raw in enumerate(raws, 1):
        parsed = parse_line(raw, limits)
        if not raw.strip() and not limits.service:
            continue
        if parsed.findings:
            findings[number] = parsed.findings
        if parsed.state != "invalid":
            images[number] = (parsed.source_ref, parsed.looked_at, parsed.size or (0, 0))
            rows[number] = [
                (
                    label.name,
                    label.confidence,
                    label.job,
                    label.annotator,
                    NO_DATE if label.created is None else label.created,
                    label.box,
                    label.crowd,
                )
                for label in parsed.labels
            ]
    return images, rows, findings


def unlike(raws: list[bytes]) -> list[bytes]:
    """Return the lines with distinct source-refs, where they can be told apart."""
    result = []
    for number, raw in enumerate(raws):
        for old in (b"s3://bucket/images/", b'"x"'):
            raw = raw.replace(old, b"s3://bucket/%d/" % number if old.startswith(b"s3") else b'"s3://b/x%d"' % number)
        result.append(raw)
    return result


@PROFILES
def test_lines_read_together_equal_lines_read_one_by_one(limits: Limits) -> None:
    raws = list(mutated_lines(2_000, random_state=3))
    seen: dict[str | None, bytes] = {parse_line(raw, limits).source_ref: raw for raw in raws}
    raws = [*seen.values(), *(raw for raw in raws if parse_line(raw, limits).source_ref is None)]
    assert many(raws, limits) == one_by_one(raws, limits)


NUMBERS = [
    0,
    -1,
    1,
    5,
    640,
    641,
    1e300,
    0.1,
    2**63,
    2**64,
    10**30,
    10**400,
    True,
    None,
    "5",
    [],
    {},
    float("nan"),
    -0.0,
]
PLACES = [
    "bounding-box.annotations.0.left", "bounding-box.annotations.1.width", "bounding-box.annotations.0.class_id",
    "bounding-box.annotations.0.height", "bounding-box.image_size.0.width", "bounding-box-metadata.class-map.1",
    "bounding-box-metadata.objects.1.confidence", "bounding-box-metadata.job-name",
    "bounding-box-metadata.creation-date",
    "bounding-box-metadata.human-annotated", "bounding-box-metadata.objects.0", "bounding-box.image_size.0",
    "bounding-box", "bounding-box-metadata.type",
]  # fmt: skip


@PROFILES
def test_one_odd_number_at_any_place_among_plain_lines(limits: Limits) -> None:
    odd = [changed(BOX_LINE, **{place: value}) for place in PLACES for value in [*NUMBERS, ...]]
    odd += [changed(BOX_LINE, **{"bounding-box.annotations.0.iscrowd": value}) for value in NUMBERS]
    odd += [changed(LABEL_LINE, sunrise=value) for value in NUMBERS]
    odd += [changed(LABEL_LINE, **{"sunrise-metadata.confidence": value}) for value in [*NUMBERS, ...]]
    odd += [line for line, _ in BAD_LINES if isinstance(line, dict)]
    every = [line for pair in zip(odd, [BOX_LINE, LABEL_LINE] * len(odd), strict=False) for line in pair]
    raws = unlike([json.dumps(line).encode() for line in every])
    together, alone = many(raws, limits), one_by_one(raws, limits)
    for a, b in zip(together, alone, strict=True):
        assert a == b


@PROFILES
def test_plain_lines_are_taken_together(limits: Limits) -> None:
    raws = unlike([json.dumps(line).encode() for line in [BOX_LINE, LABEL_LINE, {**LABEL_LINE, **BOX_LINE}]])
    parts = list(gather([(n, raw, json.loads(raw)) for n, raw in enumerate(raws, 1)], Codes(limits), limits))
    assert [(len(plain.numbers), others) for plain, others in parts if plain is not None] == [(3, [])]


@PROFILES
def test_crowds_are_read_from_plain_lines(limits: Limits) -> None:
    raws = unlike([json.dumps(changed(BOX_LINE, **{"bounding-box.annotations.1.iscrowd": 1})).encode()])
    (row, crowd) = many(raws, limits)[1][1]
    assert (row[-1], crowd[-1]) == (False, True)


def test_the_quick_parser_takes_nothing_that_json_does_not() -> None:
    for raw in mutated_lines(2_000, random_state=4):
        try:
            quick = orjson.loads(raw)
        except orjson.JSONDecodeError:
            continue
        assert isinstance(quick, dict) is (parsed(raw) is not None)
        # it reads larger integers as floats, and no plain line has one where an integer is required
        assert json.loads(raw.decode(), parse_int=lambda text: _short(int(text))) == quick


def _short(number: int) -> int | float:
    return number if -(2**63) <= number < 2**64 else float(number)


# -- content of a manifest --------------------------------------------------------------------------
MULTI = {
    "source-ref": "s3://bucket/a.png",
    "fruit": [6, 0],
    "fruit-metadata": {
        "job-name": "labeling-job/fruit",
        "class-map": {"6": "pear", "0": "apple", "3": "fig"},
        "confidence-map": {"6": 0.75, "0": 0.5},
        "human-annotated": "yes",
        "creation-date": "2024-01-02T03:04:05",
        "type": "groundtruth/image-classification-multilabel",
    },
}


def test_a_multi_label_job_gives_an_attribute_for_each_class(tmp_path: Path) -> None:
    found = read_manifest(write(tmp_path / "m", MULTI, {**MULTI, "source-ref": "nothing", "fruit": []}))
    rows = found.annotations[["image", "label", "confidence", "job"]].to_numpy().tolist()
    job = "labeling-job/fruit"
    assert rows == [["s3://bucket/a.png", "pear", 0.75, job], ["s3://bucket/a.png", "apple", 0.5, job]]
    assert found.images["status"].tolist() == ["labelled", "labelled"]
    assert found.issues == []
    expanded = expand_multi_label({**MULTI, "fruit1": 5})
    assert list(expanded) == ["source-ref", "fruit0", "fruit0-metadata", "fruit1-", "fruit1--metadata", "fruit1"]
    assert expanded["fruit0-metadata"] == {
        "job-name": job,
        "confidence": 0.75,
        "class-name": "pear",
        "human-annotated": "yes",
        "creation-date": "2024-01-02T03:04:05",
        "type": "groundtruth/image-classification",
    }


@pytest.mark.parametrize(
    "change",
    [{"fruit": [9]}, {"fruit": ["6"]}, {"fruit": 6}, {"fruit": [True]}, {"fruit-metadata.class-map": []},
     {"fruit-metadata.confidence-map": 1}],
)  # fmt: skip
def test_a_multi_label_line_that_is_not_understood_is_reported(change: dict[str, Any]) -> None:
    parsed = parse_line(json.dumps(changed(MULTI, **change)).encode(), LOCAL)
    assert (parsed.state, parsed.findings[0].place) == ("invalid", ("fruit-metadata",))
    assert parsed.findings[0].code == "ERROR_UNSUPPORTED_USE_CASE_TYPE"
    assert parsed.findings[0].detail.endswith("each with a name in class-map")


def test_predictions_in_a_manifest_are_no_labels(tmp_path: Path) -> None:
    said = {**LABEL_LINE["sunrise-metadata"], "human-annotated": "no", "class-name": "Moon"}
    line = {
        "source-ref": "a",
        "rekognition-custom-labels-training-0": 1,
        "rekognition-custom-labels-training-0-metadata": LABEL_LINE["sunrise-metadata"],
        "rekognition-custom-labels-evaluation-0": 1,
        "rekognition-custom-labels-evaluation-0-metadata": said,
        "rekognition-custom-labels-evaluation": {"annotations": []},
        "rekognition-custom-labels-evaluation-metadata": {"type": "groundtruth/object-detection", "objects": []},
    }
    bare = {key: value for key, value in line.items() if "training" not in key}
    found = read_manifest(write(tmp_path / "m", line, {**bare, "source-ref": "b"}))
    assert found.annotations[["image", "label"]].to_numpy().tolist() == [["a", "Sunrise"]]
    assert found.images["status"].tolist() == ["labelled", "unlabelled"]
    assert [(issue.code, issue.message[:12]) for issue in found.issues] == [("ENTRY_ADJUSTED", "4 attributes")]


def test_an_unknown_type_is_reported_and_the_rest_of_the_line_is_read(tmp_path: Path) -> None:
    unknown = {"v": 1, "v-metadata": {"type": "groundtruth/video-object-tracking"}}
    found = read_manifest(write(tmp_path / "m", {**LABEL_LINE, **unknown}, {**unknown, "source-ref": "only"}))
    assert found.annotations["label"].tolist() == ["Sunrise"]
    assert found.images["image"].tolist() == [LABEL_LINE["source-ref"]]
    assert [(issue.code, issue.line, issue.where) for issue in found.issues] == [
        ("ERROR_UNSUPPORTED_USE_CASE_TYPE", 1, "v-metadata"),
        ("ERROR_UNSUPPORTED_USE_CASE_TYPE", 2, "v-metadata"),
    ]
    assert [number for number, _ in found.unread] == [1, 2]


def test_missing_confidences_jobs_and_boxes_are_understood(tmp_path: Path) -> None:
    label = changed(LABEL_LINE, **{"sunrise-metadata.confidence": ..., "sunrise-metadata.job-name": ...})
    boxes = changed(BOX_LINE, **{"bounding-box-metadata.objects.1.confidence": ...})
    none = changed(BOX_LINE, **{"source-ref": "c", "bounding-box-metadata.objects": ...})
    empty = {"source-ref": "d", "bounding-box": {}, "bounding-box-metadata": {"type": "groundtruth/object-detection"}}
    found = read_manifest(write(tmp_path / "m", label, boxes, none, empty))
    assert found.issues == []
    assert found.annotations["confidence"].tolist() == [1.0] * 5
    assert found.images["status"].tolist() == ["labelled"] * 4


def test_findings_of_validation_are_ignored_anywhere_in_a_line(tmp_path: Path) -> None:
    said = [{"code": "ERROR_INVALID_BOUNDING_BOX", "message": "The bounding box has off frame values."}]
    line = changed(BOX_LINE, **dict.fromkeys(("errors", "cl-errors"), said))
    for part in (line["bounding-box"], line["bounding-box-metadata"], line["bounding-box"]["annotations"][0]):
        part |= {"errors": said, "warnings": said}
    found = read_manifest(write(tmp_path / "m", line))
    assert (len(found.annotations), found.issues) == (2, [])


# -- sizes ------------------------------------------------------------------------------------------
def picture(path: Path, width: int, height: int, orientation: int = 1) -> Path:
    """Write an image with this EXIF orientation and return its path."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(path, exif=exif)
    return path


def with_boxes(path: Path, size: tuple[int, int], *boxes: tuple[float, float, float, float]) -> dict[str, Any]:
    """Return a manifest line with these boxes."""
    annotations = [dict(zip(("class_id", *t.BOX_COLUMNS), (0, *box), strict=True)) for box in boxes]
    line = changed(BOX_LINE, **{"bounding-box.annotations": annotations, "source-ref": str(path)})
    line["bounding-box"]["image_size"] = [{"width": size[0], "height": size[1], "depth": 3}]
    line["bounding-box-metadata"]["objects"] = [{"confidence": 1}] * len(boxes)
    return line


def test_boxes_are_scaled_to_the_image_with_an_issue(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.jpg", 200, 101)
    same = picture(tmp_path / "b.jpg", 100, 50)
    line = with_boxes(image, (400, 203), (40, 20.3, 80, 101.5))
    found = cl.read_dataset(write(tmp_path / "m", line, with_boxes(same, (100, 50), (1, 2, 3, 4))))
    assert found.images[["width", "height"]].to_numpy().tolist() == [[200, 101], [100, 50]]
    np.testing.assert_allclose(found.annotations[list(t.BOX_COLUMNS)], [[20, 10.1, 40, 50.5], [1, 2, 3, 4]])
    assert found.issues["code"].tolist() == ["ENTRY_ADJUSTED"]
    assert "400 × 203" in found.issues["message"][0]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_drawn_before_the_image_was_turned_go_with_the_turn(tmp_path: Path, orientation: int) -> None:
    stored = np.zeros((60, 100, 3), dtype=np.uint8)
    stored[10:20, 30:70] = 255  # left 30, top 10, width 40, height 10
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(path, exif=exif)
    found = cl.read_dataset(write(tmp_path / "m", with_boxes(path, (50, 30), (15, 5, 20, 5))))
    upright = np.asarray(open_image(path).convert("L"))
    rows, columns = np.nonzero(upright)
    seen = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [seen]
    assert found.images[["width", "height"]].to_numpy().tolist() == [[60, 100]]


def test_a_nearly_square_image_is_turned_and_not_scaled(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (101, 100)).save(tmp_path / "a.png", exif=exif)
    found = cl.read_dataset(write(tmp_path / "m", with_boxes(tmp_path / "a.png", (101, 100), (0, 0, 30, 10))))
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[90, 0, 10, 30]]


def test_boxes_for_another_aspect_ratio_are_kept_with_an_issue(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.jpg", 200, 100)
    found = cl.read_dataset(write(tmp_path / "m", with_boxes(image, (100, 200), (1, 2, 3, 4))))
    assert found.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[1, 2, 3, 4]]
    assert found.images[["width", "height"]].to_numpy().tolist() == [[200, 100]]
    assert "not changed" in found.issues["message"][0]


# -- files ------------------------------------------------------------------------------------------
def test_lines_longer_than_a_block_and_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = 2**20
    monkeypatch.setattr(manifest_lines, "LONGEST_LINE", 3 * block)
    texts = [b"a" * 5, b"b" * (5 * block // 2), b"", b"c" * 9 * block, b"d", b"\r", b"e" * (block - 3)]
    for end in (b"", b"\n", b"\n\n"):
        (tmp_path / "m").write_bytes(b"\xef\xbb\xbf" + b"\n".join(texts) + end)
        found = list(ManifestFile(tmp_path / "m"))
        assert len(found) == len(texts) + (end == b"\n\n")
        assert [line for number, line in enumerate(found[:7]) if number != 3] == texts[:3] + texts[4:]
        assert set(found[3]) == {ord("c")}
        assert 3 * block < len(found[3]) <= 4 * block


def test_blank_lines_are_counted_and_never_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    loads = orjson.loads

    def count(raw: bytes) -> Any:
        parsed.append(raw)
        return loads(raw)

    monkeypatch.setattr(orjson, "loads", count)
    line = json.dumps(LABEL_LINE).encode()
    (tmp_path / "m").write_bytes(b"\n".join([line, *[b"", b" \r"] * 500, b"x", line.replace(b"sunrise.png", b"z.png")]))
    found = read_manifest(tmp_path / "m")
    assert len(parsed) == 3
    assert len(found.images) == 2
    assert [(issue.code, issue.line) for issue in found.issues] == [("ERROR_INVALID_JSON_LINE", 1002)]


def test_a_long_line_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split: list[int] = []

    class Block(bytes):
        def __radd__(self, rest: bytes) -> Block:
            return Block(bytes(rest) + bytes(self))

        def split(self, *arguments: Any) -> list[bytes]:
            split.append(len(self))
            return super().split(*arguments)

    class Blocks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return Block(super().read(size))

    (tmp_path / "m").write_bytes(data := b"x" * 2**24)
    file = ManifestFile(tmp_path / "m")
    monkeypatch.setattr("builtins.open", lambda *_: Blocks(data))
    found = list(file)
    monkeypatch.undo()
    assert found == [data]
    assert sum(split) <= 2 * len(data)


def test_a_line_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    image = {**LABEL_LINE, "source-ref": "s3://bucket/b", "note": "x" * 10_000_000}
    found = read_manifest(write(tmp_path / "m", LABEL_LINE, image, BOX_LINE))
    assert found.images["image"].tolist()[1] == "s3://bucket/b"
    parsed = parse_line(json.dumps(image).encode(), REKOGNITION)
    assert [finding.code for finding in parsed.findings] == ["ERROR_INVALID_JSON_LINE"]


def test_the_order_of_images_is_that_of_the_lines(tmp_path: Path) -> None:
    plain = [{**BOX_LINE, "source-ref": f"s3://b/{n:03}"} for n in range(250)]
    mixed = [
        changed(line, **{"bounding-box.annotations.0.class_id": "1"}) if n % 3 == 0 else line
        for n, line in enumerate(plain)
    ]
    first, second = (read_manifest(write(tmp_path / "m", *some)) for some in (plain, mixed))
    pd.testing.assert_frame_equal(first.images, second.images)
    pd.testing.assert_frame_equal(first.annotations, second.annotations)
    assert first.images["image"].is_monotonic_increasing


def test_verdict_on_an_image_replaces_the_first_reading() -> None:
    raws = unlike([json.dumps(BOX_LINE).encode()] * 3)
    reader = ManifestReader(ManifestLines("lines", raws), REKOGNITION)
    reader.read()
    reader.again({2: ImageVerdict((500, 480)), 3: ImageVerdict(unusable="gone")})
    assert [(note.number, note.parsed.state) for note in reader.notes()] == [(2, "valid"), (3, "invalid")]
    assert [found.place for found in reader.notes()[0].parsed.findings] == [("bounding-box", "annotations", 0)]
    table = reader.table()
    assert table.rows.lines.tolist() == [1, 1, 2]
    assert table.sizes.tolist() == [[640, 480], [500, 480]]
    assert (reader.count("valid"), reader.count("invalid")) == (2, 1)
