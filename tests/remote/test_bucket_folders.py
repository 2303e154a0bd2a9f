"""Tests of folders that stand in for S3 buckets."""

from __future__ import annotations

from pathlib import Path

import pytest

from customlabels_nb.errors import ImageNotFoundError
from customlabels_nb.images.reading import open_image
from customlabels_nb.remote.remote_files import list_files, look_up, open_system, path_in_bucket, read
from customlabels_nb.user_settings import settings
from tests.images.pictures import jpeg


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the bucket "photos"."""
    (tmp_path / "bucket" / "in").mkdir(parents=True)
    monkeypatch.setattr(settings, "buckets", {"photos": tmp_path / "bucket"})
    return tmp_path / "bucket"


def test_objects_are_read_from_the_folder_without_a_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "network", False)
    (folder / "in" / "a b.jpg").write_bytes(jpeg(1))
    found = look_up("s3://photos/in/a b.jpg")
    assert found.size == len(jpeg(1))
    assert read("s3://photos/in/a b.jpg", found.identity, None) == jpeg(1)
    assert open_image("s3://photos/in/a b.jpg").size == (48, 32)
    assert path_in_bucket("s3://other/a") is None


def test_another_content_has_another_identity(folder: Path) -> None:
    (folder / "a").write_bytes(b"1")
    before = look_up("s3://photos/a").identity
    (folder / "a").write_bytes(b"22")
    assert look_up("s3://photos/a").identity != before


def test_folders_are_listed_as_a_bucket(folder: Path) -> None:
    for name in ("in/a.jpg", "in/b.png", "c.jpg"):
        (folder / name).write_bytes(b"x")
    assert [file.url for file in list_files("s3://photos/in/")] == ["s3://photos/in/a.jpg", "s3://photos/in/b.png"]
    assert [file.url for file in list_files("s3://photos/in/*.png")] == ["s3://photos/in/b.png"]


@pytest.mark.parametrize("key", ["../secret", "in/../../secret", ".hidden", "in/.x/y", "link", "link/../secret", "\0"])
def test_no_key_leads_out_of_the_folder(folder: Path, key: str) -> None:
    (folder.parent / "secret").write_bytes(b"x")
    (folder / "link").symlink_to(folder.parent / "secret")
    with pytest.raises(FileNotFoundError):
        open_system(f"s3://photos/{key}")
    with pytest.raises(ImageNotFoundError):
        look_up(f"s3://photos/{key}")
