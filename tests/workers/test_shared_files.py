"""Tests of the files that workers on other machines must be able to read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.protocol import readable_everywhere
from tests.s3_server import Bucket


def test_a_bucket_is_probed_by_an_image_that_can_be_read(bucket: Bucket) -> None:
    missing, there = f"{bucket.url}/missing.jpg", bucket.put("there.jpg", b"image")
    assert readable_everywhere([missing, there], None, shared_filesystem=False) == [[there, ""]]
    with pytest.raises(InputError, match=r"None of the first images can be read: .*missing\.jpg"):
        readable_everywhere([missing], None, shared_filesystem=False)
    assert readable_everywhere(["http://127.0.0.1:1/gone.jpg"], None, shared_filesystem=False) == []


def test_a_bucket_that_is_a_folder_needs_a_shared_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.jpg").write_bytes(b"image")
    monkeypatch.setattr(settings, "buckets", {"photos": tmp_path})
    for name in ("s3://photos/1.jpg", "s3://photos/../1.jpg"):
        with pytest.raises(InputError, match=r"is a path on this machine.*shared_filesystem=True"):
            readable_everywhere([name], None, shared_filesystem=False)
    assert readable_everywhere(["s3://photos/../1.jpg"], None, shared_filesystem=True) == []
    digest = hashlib.sha256(b"image").hexdigest()
    for name in ("s3://photos/1.jpg", str(tmp_path / "1.jpg")):
        assert readable_everywhere([name], None, shared_filesystem=True) == [[str(tmp_path / "1.jpg"), digest]]
