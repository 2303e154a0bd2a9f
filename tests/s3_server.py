"""S3 server started by the tests, one for the run."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

_numbers = itertools.count()


@dataclass
class _Server:
    """State of the S3 server: address, requests, refused keys and concurrency."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    seconds: float = 0.0
    at_once: int = 0
    most_at_once: int = 0


@dataclass
class Bucket:
    """Bucket of the S3 server and its requests: method and path of each, in order."""

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
        """Return the keys of the objects that were read, in order, and clear the requests."""
        keys = [path.split("/", 2)[2] for method, path in self.requests if method == "GET" and path.count("/") > 1]
        self.requests.clear()
        return [key for key in keys if key]

    def asked(self) -> list[str]:
        """Return method and path of all requests and clear them."""
        found = [f"{method} {path}" for method, path in self.requests]
        self.requests.clear()
        return found


@pytest.fixture(scope="session")
def _s3() -> Iterator[_Server]:
    """Yield the S3 server of the run."""
    from moto.server import ThreadedMotoServer

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
    """Yield a client with an environment that points to the server, as users configure theirs."""
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
    """Yield an empty bucket."""
    name = f"shop-{next(_numbers)}"
    _client.create_bucket(Bucket=name)
    _s3.requests.clear()
    _s3.most_at_once = 0
    yield Bucket(name, _client, _s3)
    _s3.refused.clear()
    _s3.seconds = 0.0
