"""Tests of web servers with redirects, without response, and with directory listings."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import hypothesis
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageNotFoundError, InputError
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.inference.inputs import expand_sources
from customlabels_nb.remote.remote_files import list_web, read
from customlabels_nb.user_settings import settings
from tests.images.pictures import jpeg
from tests.remote.conftest import Web
from tests.tiers import many


class _Redirecting(BaseHTTPRequestHandler):
    """Handler that redirects paths to their locations in ``places``, and answers all others, also as a proxy."""

    protocol_version = "HTTP/1.1"  # connections stay open

    def __init__(self, places: dict[str, str], *arguments: object) -> None:
        self.places = places
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        place = self.places.get(self.path)
        self.send_response(302 if place is not None else 200)
        if place is not None:
            self.send_header("Location", place.encode().decode("latin-1"))
        self.send_header("Content-Length", "0" if place is not None else "5")
        self.end_headers()
        if place is None and self.command == "GET":
            self.wfile.write(b"image")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def places() -> dict[str, str]:
    return {}


@pytest.fixture
def elsewhere(places: dict[str, str]) -> Iterator[str]:
    """Yield a server named localhost that redirects to ``places``, a different host name than 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Redirecting, places))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_redirect_to_an_address_that_is_not_public_is_refused(
    web: Web, elsewhere: str, places: dict[str, str]
) -> None:
    (web.root / "a.jpg").write_bytes(jpeg(1))
    port = web.url.rpartition(":")[2]
    for number, target in enumerate([f"{web.url}/a.jpg", f"http://2130706433:{port}/a.jpg", f"//127.1:{port}/a.jpg"]):
        places[f"/{number}.jpg"] = target
        with pytest.raises(ImageNotFoundError, match=r"redirect to .*not public.*settings\.private_redirects"):
            read_bytes(f"{elsewhere}/{number}.jpg")
    places["/metadata.jpg"] = "http://169.254.169.254/latest/meta-data/"
    with pytest.raises(ImageNotFoundError, match=r"169\.254\.169\.254.*not public"):
        read_bytes(f"{elsewhere}/metadata.jpg")
    assert web.requests == []
    settings.private_redirects = True
    assert read_bytes(f"{elsewhere}/0.jpg") == jpeg(1)


#: Ways to write the address of this machine.
_HERE = (
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "2130706433", "0x7f000001", "0x7F.0.0.1", "017700000001",
    "0177.0.0.01", "127.0.0.0x1", "１２７.0.0.1", "127。0。0。1", "user@127.0.0.1", "localhost@127.0.0.1", "localhost.",
    "LOCALHOST.", "sub.localhost", "A.B.localhost.", "[::1]", "[0:0::0:1]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::1]", "[2001:0:7f00:1::80ff:fffe]", "[fe80::1%25lo]",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(["absolute", "relative"]), max_size=4),
    st.sampled_from(_HERE),
    st.sampled_from(["http:", "https:", ""]),
)
@example([], "sub.localhost", "http:")
@hypothesis.settings(max_examples=many(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_chain_of_redirects_leads_to_this_machine(
    elsewhere: str, places: dict[str, str], chain: list[str], host: str, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as secret:
        secret.setblocking(False)
        for number, kind in enumerate(chain):
            places[f"/{number}"] = f"{elsewhere if kind == 'absolute' else ''}/{number + 1}"
        places[f"/{len(chain)}"] = f"{scheme}//{host}:{secret.getsockname()[1]}/inner"
        with pytest.raises(ImageNotFoundError, match=r"redirect to .*not public"):
            read(f"{elsewhere}/0", None, None)
        with pytest.raises(BlockingIOError):  # nobody has connected
            secret.accept()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return a mapping of names to the addresses that they have for aiohttp and for nobody else."""
    known, own = aiohttp.DefaultResolver.resolve, {}

    async def resolve(self: Any, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
        if not host.endswith(".example"):
            return await known(self, host, port, family)
        return [
            {"hostname": host, "host": each, "port": port, "family": 0, "proto": 0, "flags": 0} for each in own[host]
        ]

    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", resolve)
    return own


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["::1", "127.0.0.1"]])
def test_the_address_of_the_connection_is_checked(
    elsewhere: str, places: dict[str, str], names: dict[str, list[str]], addresses: list[str]
) -> None:
    names["rebound.example"] = addresses
    target = elsewhere.replace("localhost", "rebound.example")
    places["/a.jpg"] = f"{target}/b.jpg"
    for _ in range(2):
        with pytest.raises(ImageNotFoundError, match=r"redirect to .*rebound.*not public"):
            read_bytes(f"{elsewhere}/a.jpg")
        if "127.0.0.1" in addresses:
            assert read_bytes(f"{target}/b.jpg") == b"image"  # leaves an open connection to it


def test_a_proxy_resolves_the_names_of_redirects(
    elsewhere: str, places: dict[str, str], names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", elsewhere)
    places["http://first.example/a.jpg"] = "http://second.example/b.jpg"
    assert read_bytes("http://first.example/a.jpg") == b"image"
    for number, host in enumerate(("10.0.0.1", "0x7f.1", "[::1]", "sub.localhost")):
        places[f"http://first.example/{number}.jpg"] = f"http://{host}/inner"
        with pytest.raises(ImageNotFoundError, match=r"redirect to .*not public"):
            read_bytes(f"http://first.example/{number}.jpg")


def test_a_redirect_to_a_local_file_is_refused_whatever_is_allowed(
    elsewhere: str, places: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(1))
    places["/a.jpg"] = (tmp_path / "secret.jpg").as_uri()
    for allowed in (False, True):
        settings.private_redirects = allowed
        with pytest.raises(ImageNotFoundError, match=r"redirect to 'file://.*refused"):
            read_bytes(f"{elsewhere}/a.jpg")


def test_a_redirect_within_the_named_host_is_followed(elsewhere: str, places: dict[str, str], web: Web) -> None:
    (web.root / "a.jpg").write_bytes(jpeg(1))
    places["/a.jpg"] = web.url.replace("127.0.0.1", "localhost") + "/a.jpg"
    assert read_bytes(f"{elsewhere}/a.jpg") == jpeg(1)


def test_silent_server_times_out() -> None:
    settings.timeout_seconds = 0.3
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ImageNotFoundError, match="in time"),
    ):
        read_bytes(f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg")


def test_the_pages_of_a_web_server_are_listed(web: Web) -> None:
    odd = "b/ü & <i>#1?.jpg"
    for name in ("a.jpg", odd, "b/deep/c.png", ".hidden/d.jpg", "note.txt", "phone.psd", "other/e.jpg"):
        (web.root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (web.root / "photos" / name).write_bytes(jpeg(len(name)))
    (web.root / "photos" / "b" / "index.html").write_text(
        '<a href="/secret/x.jpg">up</a> <a href="../../y.jpg">y</a> <a href="?C=N">sorted</a> '
        '<a href="%C3%BC%20&amp;%20%3Ci%3E%231%3F.jpg">ü</a> <a href="deep/">deep</a> <a href="javascript:alert()">'
        '<a href="http://example.org/z.jpg">z</a> <a href="deep/%2e%2e/%2e%2e/%2e%2e/w.jpg">w</a>'
    )
    issues: list[Issue] = []
    found = expand_sources(f"{web.url}/photos/", issues=issues)
    base = f"{web.url}/photos"
    assert found == [
        f"{base}/{name}" for name in ("a.jpg", "b/%C3%BC%20&%20%3Ci%3E%231%3F.jpg", "b/deep/c.png", "other/e.jpg")
    ]
    assert [(issue.code, issue.where) for issue in issues] == [("IMAGE_TYPE_UNSUPPORTED", f"{base}/phone.psd")]
    assert read_bytes(found[1]) == jpeg(len(odd))
    with pytest.raises(InputError, match="more than 2 pages"):
        list_web(f"{web.url}/photos/", folders=2)


def test_error_names_a_missing_page_or_one_without_images(web: Web) -> None:
    (web.root / "none").mkdir()
    with pytest.raises(InputError, match=r"none/' contains no images"):
        expand_sources(f"{web.url}/none/")
    with pytest.raises(InputError, match=r"gone/' cannot be listed: .* not exist"):
        expand_sources(f"{web.url}/gone/")
    settings.network = False
    with pytest.raises(InputError, match=r"settings\.network is off"):
        expand_sources(f"{web.url}/none/")
