"""Images and archives of a real web server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import ArchiveError, ImageNotFoundError, ImageTooLargeError
from customlabels_nb.images import open_image, read_bytes, read_content
from customlabels_nb.importing import ImportReport
from customlabels_nb.remote_files import is_identity
from customlabels_nb.settings import settings
from tests.remote.conftest import Web
from tests.unit.pictures import jpeg
from tests.unit.reading import codes
from tests.unit.test_sources import make_zip

Add = Callable[..., ImportReport]


def test_single_images_are_asked_for_and_fetched_when_they_are_used(project: cl.Project, add: Add, web: Web) -> None:
    for number in range(2):
        (web.root / f"{number}.jpg").write_bytes(jpeg(number))
    urls = [f"{web.url}/{name}" for name in ("0.jpg", "1.jpg?size=large", "gone.jpg", "forbidden.jpg")]
    report = add(urls, label="apple")
    assert (report.added, codes(report)) == (2, [("IMAGE_NOT_FOUND", "gone.jpg"), ("IMAGE_NOT_FOUND", "forbidden.jpg")])
    assert [message.split(";")[0] for message in report.issues["message"]] == [
        "can't be read: HTTP status 404", "can't be read: access is denied (HTTP status 403)",
    ]  # fmt: skip
    assert "GET /0.jpg" not in [" ".join(request) for request in web.requests]
    images = project.train_set.images
    assert images["sha256"].map(is_identity).all()
    assert project.fetch(progress=False).empty
    web.requests.clear()
    for number, row in enumerate(images.itertuples()):
        assert read_content(row.image, known=row.sha256) == (jpeg(number), row.sha256)
    assert web.requests == []


def test_what_is_asked_for_without_a_table_is_always_as_it_is_now(web: Web) -> None:
    for number in range(3):  # a camera's latest picture
        (web.root / "latest.jpg").write_bytes(jpeg(number))
        os.utime(web.root / "latest.jpg", (number * 10, number * 10))
        assert read_bytes(f"{web.url}/latest.jpg") == jpeg(number)
    web.requests.clear()
    assert open_image(f"{web.url}/latest.jpg").size == (48, 32)
    assert web.requests == [("HEAD", "/latest.jpg")]


def test_a_changed_image_is_recognised(project: cl.Project, add: Add, web: Web) -> None:
    (web.root / "a.jpg").write_bytes(jpeg(1))
    add(f"{web.url}/a.jpg", label="apple")
    assert len(add(f"{web.url}/a.jpg").issues) == 0
    (web.root / "a.jpg").write_bytes(jpeg(2))
    os.utime(web.root / "a.jpg", (1, 1))
    assert codes(add(f"{web.url}/a.jpg")) == [("IMAGE_CHANGED", "a.jpg")]
    (web.root / "a.jpg").unlink()
    assert project.refresh(progress=False).vanished == [f"{web.url}/a.jpg"]


def test_files_of_one_size_and_time_are_not_taken_for_one(project: cl.Project, add: Add, web: Web) -> None:
    for name, data in (("a.jpg", b"x" * 900), ("b.jpg", b"y" * 900)):
        (web.root / name).write_bytes(data)
        os.utime(web.root / name, (1, 1))
    report = add([f"{web.url}/a.jpg", f"{web.url}/b.jpg"])
    assert (report.added, len(report.issues)) == (2, 0)
    assert len(add([f"{web.url}/a.jpg", f"{web.url}/b.jpg"]).issues) == 0


def test_what_is_no_image_is_told_when_it_is_verified(add: Add, web: Web) -> None:
    (web.root / "page.html").write_text("<html>")
    report = add([f"{web.url}/page.html", f"{web.url}/"], verify=True)
    assert report.added == 0
    assert set(report.issues["code"]) == {"IMAGE_NOT_AN_IMAGE"}


def test_a_zip_is_fetched_and_unpacked(project: cl.Project, add: Add, web: Web) -> None:
    make_zip(web.root / "photos.zip", {"apple/1.jpg": jpeg(1), "pear/2.jpg": jpeg(2)})
    assert add(f"{web.url}/photos.zip?version=3", auto_label=True).added == 2
    assert project.train_set.labels_of_images() == [["apple"], ["pear"]]
    with pytest.raises(ArchiveError, match=r"none\.zip' can't be read: HTTP status 404"):
        add(f"{web.url}/none.zip")
    settings.network = False
    with pytest.raises(ArchiveError, match=r"settings\.network is off"):
        add(f"{web.url}/photos.zip")


def test_limits_and_servers_that_are_not_there(web: Web, tmp_path: Path) -> None:
    (web.root / "large.jpg").write_bytes(b"x" * 5000)
    with pytest.raises(ImageTooLargeError, match="more than 1,000 bytes"):
        read_bytes(f"{web.url}/large.jpg", max_bytes=1000)
    with pytest.raises(ImageNotFoundError, match="no answer"):
        read_bytes("http://127.0.0.1:9/a.jpg")
    settings.network = False
    with pytest.raises(ImageNotFoundError, match=r"settings\.network is off"):
        read_bytes(f"{web.url}/large.jpg")
