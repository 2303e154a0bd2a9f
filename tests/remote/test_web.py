"""Tests of images and archives on a web server."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from packaging.version import Version

import customlabels_nb as cl
from customlabels_nb.errors import ArchiveError, ImageNotFoundError, ImageTooLargeError, InputError
from customlabels_nb.images.reading import open_image, read_bytes, read_content
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.remote import http_client
from customlabels_nb.remote.memory_budget import image_memory
from customlabels_nb.remote.remote_files import download, is_chain, is_identity, list_web, open_system, read
from customlabels_nb.user_settings import settings
from tests.conftest import AllowedSkip
from tests.images.pictures import jpeg
from tests.ingest.reading import codes
from tests.ingest.test_sources import make_zip
from tests.remote.conftest import Web

Add = Callable[..., ImportReport]

_LARGE = bytes(range(256)) * 2048


_UNPACKED = 128 * 2**20
_BOMB = gzip.compress(bytes(_UNPACKED))


class _Streaming(BaseHTTPRequestHandler):
    """Handler that sends ``_LARGE`` in chunks, disconnects midway, announces too many bytes, or sends ``_BOMB``."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.send_response(200)
        if self.path.startswith(("/announced", "/bomb")):
            self.send_header("Content-Length", str(len(_LARGE) + 1000))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()

    def do_GET(self) -> None:
        if self.path.startswith("/bomb"):
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(_BOMB)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(_BOMB)
            return
        if self.path == "/announced-by-head":
            self.path = "/chunked"
        self.do_HEAD()
        if self.path == "/announced":
            self.wfile.write(_LARGE)
            return
        data = _LARGE[: len(_LARGE) // 2] if self.path == "/broken" else _LARGE
        with contextlib.suppress(ConnectionError):  # a client that only needs the size does not wait for the rest
            for start in range(0, len(data), 4999):
                part = data[start : start + 4999]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            if self.path != "/broken":
                self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def streaming() -> Iterator[str]:
    """Yield the address of a server that streams large files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Streaming)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_chunks_are_read_to_their_end_or_the_limit(streaming: str, tmp_path: Path) -> None:
    url = f"{streaming}/chunked"
    assert read_bytes(url) == read_bytes(url, max_bytes=len(_LARGE)) == read_bytes(url, max_bytes=None) == _LARGE
    with pytest.raises(ImageTooLargeError, match="more than 524,287 bytes"):
        read_bytes(url, max_bytes=len(_LARGE) - 1)
    download(url, tmp_path / "whole", len(_LARGE))
    assert (tmp_path / "whole").read_bytes() == _LARGE


def test_a_small_answer_that_unpacks_to_a_large_one_is_read_up_to_the_limit(
    streaming: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "_MOST_AT_ONCE", 2**20)
    url = f"{streaming}/bomb/"
    tracemalloc.start()
    with image_memory.share() as hold:
        for options in ({}, {"hold": hold}):
            with pytest.raises(ImageTooLargeError, match="more than 100,000 bytes"):
                read(url, None, 100_000, **options)
        assert image_memory.used == 0
    with pytest.raises(InputError, match="answer has more than"):  # of a part of the file
        download(url, tmp_path / "file", _UNPACKED)
    with pytest.raises(InputError, match="answer has more than"):
        list_web(url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20 < _UNPACKED


def test_all_of_an_answer_must_arrive_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    class Trickling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                while not ended.wait(0.02):
                    self.wfile.write(b"x")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Trickling) as server, image_memory.share() as hold:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(ImageNotFoundError, match="in time"):
            read(f"http://127.0.0.1:{server.server_port}/a.jpg", None, 2**20, hold=hold, seconds=0.3)
        ended.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["broken", "announced", "announced-by-head"])
def test_an_answer_that_ends_too_early_is_an_error(streaming: str, tmp_path: Path, name: str) -> None:
    if name == "announced-by-head":  # the answer with the image is complete
        assert read_bytes(f"{streaming}/{name}") == _LARGE
    else:
        with pytest.raises(ImageNotFoundError, match=name):
            read_bytes(f"{streaming}/{name}")
    with pytest.raises(InputError, match=name):
        download(f"{streaming}/{name}", tmp_path / "part", 2 * len(_LARGE))


@pytest.mark.parametrize(
    ("url", "name", "path"),
    [
        ("http://[::1]:9/a.jpg", "HTTPFileSystem", "http://[::1]:9/a.jpg"),
        ("https://example.org/a?b=c::http://d", "HTTPFileSystem", "https://example.org/a?b=c::http://d"),
        ("s3://bucket/a::b.jpg", "S3FileSystem", "bucket/a::b.jpg"),
        ("simplecache::http://example.org/a.jpg", "SimpleCacheFileSystem", "http://example.org/a.jpg"),
    ],
)
def test_only_urls_that_begin_with_another_protocol_are_chains(url: str, name: str, path: str) -> None:
    system, found = open_system(url)
    assert (type(system).__name__, found) == (name, path)
    assert is_chain(url) is (name == "SimpleCacheFileSystem")
    if name != "S3FileSystem":
        assert getattr(system, "fs", system).get_client is http_client.make_client


def test_single_images_are_asked_for_and_fetched_when_they_are_used(project: cl.Project, add: Add, web: Web) -> None:
    for number in range(2):
        (web.root / f"{number}.jpg").write_bytes(jpeg(number))
    urls = [f"{web.url}/{name}" for name in ("0.jpg", "1.jpg?size=large", "gone.jpg", "forbidden.jpg")]
    report = add(urls, label="apple")
    assert (report.added, codes(report)) == (2, [("IMAGE_NOT_FOUND", "gone.jpg"), ("IMAGE_NOT_FOUND", "forbidden.jpg")])
    assert [message.split(".")[0] for message in report.issues["message"]] == [
        "cannot be read: HTTP status 404", "cannot be read: access is denied (HTTP status 403)",
    ]  # fmt: skip
    assert "GET /0.jpg" not in [" ".join(request) for request in web.requests]
    images = project.train_set.images
    assert images["sha256"].map(is_identity).all()
    assert project.fetch(progress=False).empty
    web.requests.clear()
    for number, row in enumerate(images.itertuples()):
        assert read_content(row.image, content_id=row.sha256) == (jpeg(number), row.sha256)
    assert web.requests == []


def test_images_read_directly_are_revalidated(web: Web) -> None:
    for number in range(3):  # the latest image of a camera
        (web.root / "latest.jpg").write_bytes(jpeg(number))
        os.utime(web.root / "latest.jpg", (number * 10, number * 10))
        assert read_bytes(f"{web.url}/latest.jpg") == jpeg(number)
    web.requests.clear()
    assert open_image(f"{web.url}/latest.jpg").size == (48, 32)
    assert web.requests == [("HEAD", "/latest.jpg")]


@pytest.mark.parametrize("folder", ["", "dated/"])
def test_a_changed_image_is_recognised(project: cl.Project, add: Add, web: Web, folder: str) -> None:
    if folder and Version(fsspec.__version__) < Version("2025.9"):
        raise AllowedSkip("this fsspec does not read Last-Modified")
    file, url = web.root / folder / "a.jpg", f"{web.url}/{folder}a.jpg"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(jpeg(1))
    add(url, label="apple")
    assert len(add(url).issues) == 0
    file.write_bytes(jpeg(2))
    os.utime(file, (1, 1))
    assert codes(add(url)) == [("IMAGE_CHANGED", "a.jpg")]
    file.unlink()
    assert project.refresh(progress=False).vanished == [url]


def test_files_of_equal_size_and_time_are_distinguished(project: cl.Project, add: Add, web: Web) -> None:
    for name, data in (("a.jpg", b"x" * 900), ("b.jpg", b"y" * 900)):
        (web.root / name).write_bytes(data)
        os.utime(web.root / name, (1, 1))
    report = add([f"{web.url}/a.jpg", f"{web.url}/b.jpg"])
    assert (report.added, len(report.issues)) == (2, 0)
    assert len(add([f"{web.url}/a.jpg", f"{web.url}/b.jpg"]).issues) == 0


def test_verify_reports_files_that_are_no_images(add: Add, web: Web) -> None:
    (web.root / "page.html").write_text("<html>")
    report = add([f"{web.url}/page.html", f"{web.url}/"], check_images=True)
    assert report.added == 0
    assert set(report.issues["code"]) == {"IMAGE_NOT_AN_IMAGE"}


def test_a_folder_of_a_web_server_is_imported_and_rescanned(project: cl.Project, add: Add, web: Web) -> None:
    for number, name in enumerate(("apple/1.jpg", "pear/2.jpg")):
        (web.root / "photos" / name).parent.mkdir(parents=True)
        (web.root / "photos" / name).write_bytes(jpeg(number))
    (web.root / "photos" / "pear" / "index.html").write_text('<a href="2.jpg">2</a> <a href="gone.jpg">gone</a>')
    report = add(f"{web.url}/photos/", labels_from="folders")
    assert (report.added, codes(report)) == (2, [("IMAGE_NOT_FOUND", "gone.jpg")])
    assert not {("GET", "/photos/apple/1.jpg"), ("GET", "/photos/pear/2.jpg")} & set(web.requests)
    assert project.train_set.labels_of_images() == [["apple"], ["pear"]]
    images = project.train_set.images
    assert images["sha256"].map(is_identity).all()
    assert set(images["source"]) == {f"{web.url}/photos/"}
    assert add([f"{web.url}/photos/"]).known == 2
    (web.root / "photos" / "apple" / "1.jpg").rename(web.root / "photos" / "apple" / "5.jpg")
    (web.root / "photos" / "apple" / "6.jpg").write_bytes(jpeg(6))
    found = project.refresh(progress=False)
    assert [image.rpartition("/")[2] for image in found.added] == ["5.jpg", "6.jpg"]
    assert found.vanished == [f"{web.url}/photos/apple/1.jpg"]
    with pytest.raises(InputError, match="cannot be listed"):
        add(f"{web.url}/forbidden/")


def test_a_listed_image_is_known_by_a_url_with_spaces(project: cl.Project, add: Add, web: Web) -> None:
    (web.root / "photos").mkdir()
    (web.root / "photos" / "a b.jpg").write_bytes(jpeg(1))
    add(f"{web.url}/photos/")
    report = add(pd.DataFrame({"image": [f"{web.url}/photos/a b.jpg"], "label": ["apple"]}))
    assert (report.added, len(report.issues)) == (0, 0)
    report = add([f"{web.url}/photos/a b.jpg"])
    assert (report.known, len(report.issues)) == (1, 0)
    assert project.train_set.labels_of_images() == [["apple"]]


def test_a_zip_is_fetched_and_unpacked(project: cl.Project, add: Add, web: Web) -> None:
    make_zip(web.root / "photos.zip", {"apple/1.jpg": jpeg(1), "pear/2.jpg": jpeg(2)})
    assert add(f"{web.url}/photos.zip?version=3", labels_from="folders").added == 2
    assert project.train_set.labels_of_images() == [["apple"], ["pear"]]
    with pytest.raises(ArchiveError, match=r"none\.zip' cannot be read: HTTP status 404"):
        add(f"{web.url}/none.zip")
    settings.network = False
    with pytest.raises(ArchiveError, match=r"settings\.network is off"):
        add(f"{web.url}/photos.zip")


def test_limits_and_unreachable_servers(web: Web, tmp_path: Path) -> None:
    (web.root / "large.jpg").write_bytes(b"x" * 5000)
    with pytest.raises(ImageTooLargeError, match="more than 1,000 bytes"):
        read_bytes(f"{web.url}/large.jpg", max_bytes=1000)
    with pytest.raises(ImageNotFoundError, match="no response"):
        read_bytes("http://127.0.0.1:9/a.jpg")
    settings.network = False
    with pytest.raises(ImageNotFoundError, match=r"settings\.network is off"):
        read_bytes(f"{web.url}/large.jpg")


def test_a_password_in_a_url_is_kept_nowhere(project: cl.Project, add: Add, web: Web, tmp_path: Path) -> None:
    (web.root / "a.jpg").write_bytes(jpeg(1))
    (web.root / "gone").mkdir()
    plain = f"{web.url}/a.jpg"
    secret = plain.replace("://", "://me:hunter2@")
    with pytest.warns(UserWarning, match=r"netrc"):
        add(secret, label="apple")
    assert project.train_set.images["image"].tolist() == [plain]
    with pytest.warns(UserWarning, match=r"netrc"):
        report = add([secret.replace("a.jpg", "none.jpg")])
    assert "hunter2" not in repr(report) + report.issues.to_string()
    line = {"source-ref": secret.replace("a.jpg", "b.jpg"), "x": 1}
    (tmp_path / "m.manifest").write_text(json.dumps({"source-ref": secret}) + "\n" + json.dumps(line) + "\n")
    (tmp_path / "c.csv").write_text(f"image,label\n{secret},pear\n{secret},apple,{'x,' * 2000}\n")
    for name in ("m.manifest", "c.csv"):
        with pytest.warns(UserWarning, match=r"netrc"):
            read = cl.read_dataset(tmp_path / name)
        assert read.images["image"].tolist() == [plain]
        assert len(read.unread) == 1
        project.import_dataset(read, split="test", progress=False)
    with pytest.warns(UserWarning, match=r"netrc"):
        table = cl.Dataset(pd.DataFrame({"image": [secret]}), pd.DataFrame({"image": [secret], "label": ["apple"]}))
    assert table.annotations["image"].tolist() == [plain]
    root = project.root
    project.close()
    assert not any(b"hunter2" in file.read_bytes() for file in root.rglob("*") if file.is_file())


def test_the_password_of_a_web_server_comes_from_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Private(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Basic bWU6aHVudGVyMg=="
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"image")

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Private)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/a.jpg"
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(ImageNotFoundError, match=r"401.*netrc"):
        read_bytes(url)
    monkeypatch.setenv("NETRC", str(netrc))
    assert read_bytes(url) == b"image"
    server.shutdown()
    server.server_close()
    thread.join()
