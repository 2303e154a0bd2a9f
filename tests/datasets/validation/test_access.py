"""Tests of manifests and images in a bucket of an S3 server: unreadable objects are errors with a code."""

from __future__ import annotations

from pathlib import Path

import customlabels_nb as cl
from tests.datasets.validation.manifests import Line, box_line, image_line, write_manifest
from tests.images.pictures import encoded, picture
from tests.s3_server import Bucket

PICTURE = encoded(picture(1, (640, 480)), "PNG")


def lines_in(bucket: Bucket, count: int = 6) -> list[Line]:
    return [image_line(f"{bucket.url}/{n}.png", "ab"[n % 2]) for n in range(count)]


def test_manifest_and_images_are_read_from_s3(tmp_path: Path, bucket: Bucket) -> None:
    for number in range(6):
        bucket.put(f"{number}.png", PICTURE)
    bucket.put("small.png", encoded(picture(1, (40, 40)), "PNG"))
    path = write_manifest(
        tmp_path / "m.manifest", [*lines_in(bucket), box_line(f"{bucket.url}/small.png", size=(40, 40))]
    )
    bucket.put("train.manifest", path.read_bytes())
    report = cl.validate_manifest(f"{bucket.url}/train.manifest")
    assert report.errors.empty
    assert report.lines[["line", "code"]].to_numpy().tolist()[0] == [7, "ERROR_INVALID_IMAGE_DIMENSION"]
    assert [file.name for file in report.to(tmp_path / "out")][-1] == "manifest_summary.json"
    assert len(report.fix("drop_bad_images")) == 6


def test_forbidden_manifest_is_reported(bucket: Bucket) -> None:
    bucket.put("train.manifest", b"{}")
    bucket.server.refused.add("train.manifest")
    report = cl.validate_manifest(f"{bucket.url}/train.manifest")
    assert report.errors[["code", "message"]].to_numpy().tolist() == [
        ["ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET", "The S3 bucket permissions are incorrect."]
    ]


def test_forbidden_images_are_reported(tmp_path: Path, bucket: Bucket) -> None:
    for number in range(6):
        bucket.put(f"{number}.png", PICTURE)
    bucket.server.refused |= {f"{number}.png" for number in range(6)}
    report = cl.validate_manifest(write_manifest(tmp_path / "m.manifest", lines_in(bucket)))
    assert ["ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET", "Invalid permissions for images S3 bucket."] in report.errors[
        ["code", "message"]
    ].to_numpy().tolist()


def test_missing_images_are_reported(tmp_path: Path, bucket: Bucket) -> None:
    manifest = write_manifest(tmp_path / "m.manifest", lines_in(bucket))
    report = cl.validate_manifest(manifest)
    assert ["ERROR_FAILED_IMAGES_S3_COPY", "Failed to copy images from S3 bucket."] in report.errors[
        ["code", "message"]
    ].to_numpy().tolist()
    assert set(report.lines["code"]) == {"ERROR_INVALID_IMAGE"}
    bucket.put("0.png", PICTURE)
    report = cl.validate_manifest(manifest)
    assert "ERROR_FAILED_IMAGES_S3_COPY" not in report.errors["code"].tolist()
    assert len(report.lines) == 5
