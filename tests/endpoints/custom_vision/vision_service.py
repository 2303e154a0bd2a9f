"""Running server with the REST calls of Custom Vision programs, and pictures for it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

from customlabels_nb.endpoints import EndpointServer, ServingOptions
from customlabels_nb.endpoints.rekognition.access_keys import AccessKey

KEY = AccessKey("test", "secret")
NOBODY = "00000000-0000-0000-0000-000000000001"


class VisionService:
    """Server on a root folder, as a ``with`` block."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.root = root
        self.only = options.pop("only", "custom-vision")
        self.key: AccessKey | None = options.pop("key", KEY)
        self.options = ServingOptions(**options)
        self.session = requests.Session()

    def __enter__(self) -> VisionService:
        self.server = EndpointServer(self.root, port=0, key=self.key, options=self.options, only=self.only).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.session.close()
        self.server.stop()

    def restart(self) -> None:
        self.server.stop()
        self.__enter__()

    def request(
        self, method: str, path: str, *, part: str = "training", headers: dict[str, str] | None = None, **more: Any
    ) -> requests.Response:
        """Send a request to a path below the version, with the key that the part needs."""
        url = path if path.startswith("http") else f"{self.server.url}/customvision/v3.3/{part}/{path}"
        keys = {"Training-Key": KEY.secret_key, "Prediction-Key": KEY.secret_key}
        return self.session.request(method, url, headers=keys | (headers or {}), timeout=60, **more)

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """Return the JSON value of an answer with this status."""
        answer = self.request(method, path, **more)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, status: int = 400, **more: Any) -> str:
        """Return the code of the error that a request is answered with."""
        error = self.call(method, path, status, **more)
        assert set(error) == {"code", "message"}
        assert error["message"]
        return str(error["code"])

    # -- shorthand ----------------------------------------------------------------------------------
    def project(self, name: str = "rooms", kind: str = "Multiclass", **more: Any) -> str:
        """Create a project, and return the start of its paths."""
        query = {"name": name, "classificationType": kind, **more}
        return f"projects/{self.call('POST', 'projects', params=query)['id']}"

    def detector(self, name: str = "things") -> str:
        return self.project(name, domainId="da2e3a8a-40a5-4171-82f4-58522f70fbc1")

    def tag(self, project: str, name: str, kind: str = "Regular") -> str:
        return str(self.call("POST", f"{project}/tags", params={"name": name, "type": kind})["id"])

    def add(self, project: str, data: bytes, *tags: str) -> dict[str, Any]:
        """Add an image, and return it."""
        query = {"tagIds": ",".join(tags)}
        body = {"data": data, "headers": {"Content-Type": "application/octet-stream"}}
        (result,) = self.call("POST", f"{project}/images", params=query, **body)["images"]
        return dict(result["image"])

    def upload(self, project: str, entries: list[dict[str, Any]], status: int = 200, **more: Any) -> list[Any]:
        """Add images of entries whose contents are bytes, and return the results."""
        coded = [entry | {"contents": base64.b64encode(entry["contents"]).decode()} for entry in entries]
        answer = self.call("POST", f"{project}/images/files", status, json={"images": coded, **more})
        return list(answer["images"])

    def painted(self, project: str, count: int = 12) -> dict[str, str]:
        """Add red and blue pictures, as many of each, and return the ids of the tags."""
        tags = {name: self.tag(project, name) for name in ("red", "blue")}
        names = [["red", "blue"][number % 2] for number in range(count)]
        entries = [{"contents": picture(name, number), "tagIds": [tags[name]]} for number, name in enumerate(names)]
        self.upload(project, entries)
        return tags


def picture(color: str = "red", random_state: int = 0, size: tuple[int, int] = (96, 72), format: str = "JPEG") -> bytes:
    """Return a picture of one color with noise, encoded."""
    colors = {"red": (200, 30, 30), "blue": (30, 30, 200)}
    pixels = np.random.default_rng(random_state).normal(colors[color], 20, (size[1], size[0], 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, format, quality=90)
    return file.getvalue()
