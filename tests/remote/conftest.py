"""A real S3 server and a real web server, started by the tests, and a project beside them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.unit.conftest import add, project

__all__ = ["add", "project"]

_numbers = itertools.count()


@dataclass
class _Server:
    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    seconds: float = 0.0
    at_once: int = 0
    most_at_once: int = 0


@dataclass
class Bucket:
    """A bucket of the S3 server, and what was asked of it: method and path of each request, in order."""

    name: str
    client: Any
    server: _Server

    @property
    def requests(self) -> list[tuple[str, str]]:
        return self.server.requests

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, data: bytes) -> str:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)
        return f"s3://{self.name}/{key}"

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def fetched(self) -> list[str]:
        """The keys of the objects that were read, in order; forgets what was asked so far."""
        keys = [path.split("/", 2)[2] for method, path in self.requests if method == "GET" and path.count("/") > 1]
        self.requests.clear()
        return [key for key in keys if key]

    def asked(self) -> list[str]:
        """Method and path of all requests; forgets them."""
        found = [f"{method} {path}" for method, path in self.requests]
        self.requests.clear()
        return found


@pytest.fixture(scope="session")
def _s3() -> Iterator[_Server]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = _Server(f"http://{host}:{port}")
    inner: Callable[..., Any] = server._server.app  # type: ignore[union-attr]

    lock = threading.Lock()

    def noting(environ: dict[str, Any], start: Any) -> Any:
        with lock:
            found.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
            found.at_once += 1
            found.most_at_once = max(found.most_at_once, found.at_once)
        try:
            if environ["PATH_INFO"].rpartition("/")[2] in found.refused:
                body = b"<Error><Code>AccessDenied</Code><Message>not for you</Message></Error>"
                start("403 Forbidden", [("Content-Type", "application/xml")])
                return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
            time.sleep(found.seconds)
            return inner(environ, start)
        finally:
            with lock:
                found.at_once -= 1

    server._server.app = noting  # type: ignore[union-attr]
    yield found
    server.stop()


@pytest.fixture(scope="session")
def _client(_s3: _Server) -> Iterator[Any]:
    """A client; the environment leads to the server as it leads anybody to theirs."""
    import boto3

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL_S3": _s3.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        yield boto3.client("s3")


@pytest.fixture
def bucket(_s3: _Server, _client: Any) -> Iterator[Bucket]:
    """An empty bucket."""
    name = f"shop-{next(_numbers)}"
    _client.create_bucket(Bucket=name)
    _s3.requests.clear()
    _s3.most_at_once = 0
    yield Bucket(name, _client, _s3)
    _s3.refused.clear()
    _s3.seconds = 0.0


@pytest.fixture
def anew() -> Iterator[Callable[[], None]]:
    """Makes fsspec look at the environment again, as it does in another process."""
    import s3fs

    yield s3fs.S3FileSystem.clear_instance_cache
    s3fs.S3FileSystem.clear_instance_cache()


class _Handler(SimpleHTTPRequestHandler):
    requests: list[tuple[str, str]]

    def send_head(self) -> Any:
        self.requests.append((self.command, self.path))
        if self.path.startswith("/forbidden"):
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Web:
    """A web server of the folder ``root``, and what was asked of it."""

    url: str
    root: Path
    requests: list[tuple[str, str]]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    root = tmp_path / "www"
    root.mkdir()
    requests: list[tuple[str, str]] = []
    handler = type("Handler", (_Handler,), {"requests": requests})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Web(f"http://127.0.0.1:{server.server_address[1]}", root, requests)
    server.shutdown()
    server.server_close()
    thread.join()
