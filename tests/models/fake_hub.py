"""Hugging Face Hub on loopback that serves one model."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "b" * 40


@dataclass
class FakeHub:
    """Files of a repository, what was downloaded, and after how many bytes of the weights the connection ends."""

    repository: str
    files: Mapping[str, bytes]
    downloaded: list[str] = field(default_factory=list)
    breaks_after: int | None = None
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to a request."""
        path = path.partition("?")[0]
        entries = [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in self.files.items()
        ]
        facts: dict[str, Any] = {
            "id": self.repository,
            "sha": COMMIT,
            "siblings": [{"rfilename": n} for n in self.files],
        }
        if path.startswith(f"/api/models/{self.repository}/tree/"):
            return 200, {}, json.dumps(entries).encode()
        if path.startswith(f"/api/models/{self.repository}"):
            return 200, {}, json.dumps(facts).encode()
        name = path.removeprefix(f"/{self.repository}/resolve/{COMMIT}/")
        if name in self.files:
            data = self.files[name]
            headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            return 200, headers, data
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"


@contextmanager
def serve_hub(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve the repository inside the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._send(body=False)

        def do_GET(self) -> None:
            self._send(body=True)

        def _send(self, *, body: bool) -> None:
            status, headers, data = hub.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                if "/resolve/" in self.path:
                    hub.downloaded.append(self.path.rpartition("/")[2])
                weights = self.path.endswith(".safetensors")
                self.wfile.write(data[: hub.breaks_after if weights else None])
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
