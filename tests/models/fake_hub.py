"""Hugging Face Hub on loopback that serves one model, and takes uploads to it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

COMMIT = "b" * 40

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class FakeHub:
    """Files of a repository, what was downloaded and uploaded, and after how many bytes the connection ends.

    With a ``token``, requests without it are answered as if the repository did not exist. ``refuses`` is the part of
    a path whose requests are denied, ``damages`` the name of a file that is sent with other content.
    """

    repository: str
    files: Mapping[str, bytes]
    downloaded: list[str] = field(default_factory=list)
    breaks_after: int | None = None
    url: str = ""
    exists: bool = True
    private: bool = False
    token: str | None = None
    gated: bool = False
    refuses: str | None = None
    damages: str | None = None
    commits: list[str] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        """Newest commit."""
        return f"{len(self.commits):x}" + COMMIT[1:] if self.commits else COMMIT

    def answer(self, path: str, token: str | None = None) -> Answer:
        """Return status, headers and body of the answer to a request."""
        path = path.partition("?")[0]
        entries = [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in self.files.items()
        ]
        facts: dict[str, Any] = {
            "id": self.repository,
            "sha": self.commit,
            "private": self.private,
            "siblings": [{"rfilename": n} for n in self.files],
        }
        if not self.exists or (self.token is not None and token != self.token):
            return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if self.gated and path.startswith((f"/api/models/{self.repository}/tree/", f"/{self.repository}/resolve/")):
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        if path.startswith(f"/api/models/{self.repository}/tree/"):
            return 200, {}, json.dumps(entries).encode()
        revision = path.partition(f"/api/models/{self.repository}/revision/")[2]
        if revision not in ("", "main", self.commit):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        if path.startswith(f"/api/models/{self.repository}"):
            return 200, {}, json.dumps(facts).encode()
        name = path.removeprefix(f"/{self.repository}/resolve/{self.commit}/")
        if name in self.files:
            data = self.files[name]
            large = name.endswith(".safetensors")
            digest = (hashlib.sha256(data) if large else hashlib.sha1(b"blob %d\0" % len(data) + data)).hexdigest()
            headers = {"ETag": f'"{digest}"', "X-Repo-Commit": self.commit}
            return 200, headers, data[::-1] if name == self.damages else data
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"

    def receive(self, path: str, token: str | None, body: bytes) -> Answer:
        """Take a part of an upload, and return the answer."""
        path = path.partition("?")[0]
        if self.token is not None and token != self.token:
            return 401, {}, b"{}"
        if self.refuses is not None and self.refuses in path:
            return 403, {"X-Error-Message": "denied"}, b"{}"
        if path.startswith("/lfs/"):
            self.uploaded.append(path.removeprefix("/lfs/"))
            self.blobs[path.removeprefix("/lfs/")] = body
            return 200, {}, b"{}"
        if path == "/api/repos/create":
            status = 409 if self.exists else 200
            if not self.exists:
                wanted = json.loads(body)  # with "private" from old clients
                self.exists = True
                self.private = wanted.get("visibility") == "private" or wanted.get("private", False)
            return status, {}, json.dumps({"url": f"{self.url}/{self.repository}"}).encode()
        if path == "/api/validate-yaml":
            assert isinstance(front_matter(json.loads(body)["content"]), dict)
            return 200, {}, b"{}"
        if path == f"/api/models/{self.repository}/preupload/main":
            files = [{**self._mode(file["path"]), "shouldIgnore": False} for file in json.loads(body)["files"]]
            return 200, {}, json.dumps({"files": files}).encode()
        if path == f"/{self.repository}.git/info/lfs/objects/batch":
            objects = [self._action(entry) for entry in json.loads(body)["objects"]]
            return 200, {"Content-Type": "application/json"}, json.dumps({"objects": objects}).encode()
        assert path == f"/api/models/{self.repository}/commit/main", path
        header, *operations = map(json.loads, body.decode().splitlines())
        added = {
            value["path"]: base64.b64decode(value["content"]) if "content" in value else self.blobs[value["oid"]]
            for value in (operation["value"] for operation in operations)
        }
        self.files = {**self.files, **added}
        self.commits.append(header["value"]["summary"])
        made = {"commitUrl": f"{self.url}/{self.repository}/commit/{self.commit}", "commitOid": self.commit}
        return 200, {}, json.dumps(made).encode()

    def _mode(self, name: str) -> dict[str, Any]:
        data, large, known = self.files.get(name), name.endswith(".safetensors"), None
        if data is not None:
            known = (hashlib.sha256(data) if large else hashlib.sha1(b"blob %d\0" % len(data) + data)).hexdigest()
        return {"path": name, "uploadMode": "lfs" if large else "regular", "oid": known}

    def _action(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        oid = entry["oid"]
        actions = {} if oid in self.blobs else {"actions": {"upload": {"href": f"{self.url}/lfs/{oid}"}}}
        return {"oid": oid, "size": entry["size"], **actions}


def front_matter(text: str) -> Any:
    """Return the metadata at the beginning of a model card."""
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert found
    return yaml.safe_load(found[1])


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, home: Path) -> None:
    """Make the client of the Hub in this process use this address and an empty folder, as its variables would."""
    from huggingface_hub import constants

    values = {"ENDPOINT": url, "HUGGINGFACE_CO_URL_TEMPLATE": f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"}
    files = {"HF_HUB_CACHE": str(home / "hub"), "HF_TOKEN_PATH": str(home / "token"), "HF_HUB_DISABLE_XET": True}
    for name, value in {**values, **files}.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)


@contextmanager
def serve_hub(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve the repository inside the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._send(hub.answer(self.path, self._token()), body=False)

        def do_GET(self) -> None:
            self._send(hub.answer(self.path, self._token()), body=True)

        def do_POST(self) -> None:
            self._send(hub.receive(self.path, self._token(), self._body()), body=True)

        def do_PUT(self) -> None:
            self._send(hub.receive(self.path, hub.token, self._body()), body=True)  # the address is signed

        def _token(self) -> str | None:
            return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"]))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, answer: Answer, *, body: bool) -> None:
            status, headers, data = answer
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
