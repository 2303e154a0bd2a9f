"""Fixtures of an S3 server, a web server, and a project next to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.conftest import add, project

__all__ = ["add", "project"]


@pytest.fixture
def anew() -> Iterator[Callable[[], None]]:
    """Yield a function that makes fsspec read the environment again, as in another process."""
    import s3fs

    yield s3fs.S3FileSystem.clear_instance_cache
    s3fs.S3FileSystem.clear_instance_cache()


class _Handler(SimpleHTTPRequestHandler):
    """Handler that records requests, refuses paths below ``/forbidden`` and sends ETags, except below ``/dated``."""

    requests: list[tuple[str, str]]

    def send_head(self) -> Any:
        self.requests.append((self.command, self.path))
        if self.path.startswith("/forbidden"):
            self.send_error(403)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        file = self.translate_path(self.path)
        if os.path.isfile(file) and not self.path.startswith("/dated"):
            status = os.stat(file)
            self.send_header("ETag", f'"{status.st_mtime_ns:x}-{status.st_size:x}"')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Web:
    """Web server of the folder ``root`` that records its requests."""

    url: str
    root: Path
    requests: list[tuple[str, str]]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """Yield a web server of a new folder."""
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
