"""Fuzzing of every route: no request causes a status from 500 on, and every error has the form of the service."""

from __future__ import annotations

import base64
import json
import random
from typing import Any
from urllib.parse import urlencode

import pytest
from tornado.httputil import HTTPHeaders

from customlabels_nb.endpoints.custom_vision.routes import ROUTES
from tests.endpoints.custom_vision.vision_service import KEY, NOBODY, VisionService, picture
from tests.endpoints.rekognition.test_fuzzing import ODD

QUERY = [
    "name", "description", "type", "domainId", "classificationType", "targetExportPlatforms", "tagIds", "imageIds",
    "regionIds", "iterationId", "taggingStatus", "orderBy", "take", "skip", "allImages", "publishName", "overwrite",
    "threshold", "overlapThreshold", "forceTrain", "trainingType", "reservedBudgetInHours", "ids", "platform",
    "flavor", "application", "store",
]  # fmt: skip
MEMBERS = [
    "images", "tags", "regions", "tagIds", "contents", "url", "id", "imageId", "tagId", "left", "top", "width",
    "height", "name", "type", "description", "settings", "domainId", "selectedTags", "customBaseModelInfo",
    "maxCount", "orderBy", "iterationId", "startTime", "endTime", "application", "continuation", "minThreshold",
]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.usefixtures("train_nothing")
def test_no_request_causes_a_failure(vision: VisionService, caplog: pytest.LogCaptureFixture) -> None:
    chosen = random.Random(7)
    assert vision.server.custom_vision is not None
    detector, project = vision.detector(), vision.project()
    tags = vision.painted(project)
    box = {"tagId": vision.tag(detector, "box"), "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}
    (first,) = vision.upload(detector, [{"contents": picture(), "regions": [box]}])
    image = vision.call("GET", f"{project}/images")[0]["id"]
    iteration = vision.call("POST", f"{project}/train")["id"]
    known = [
        *tags.values(), box["tagId"], image, first["image"]["id"], first["image"]["regions"][0]["regionId"], iteration,
        NOBODY, project.partition("/")[2], detector.partition("/")[2],
    ]  # fmt: skip
    contents = base64.b64encode(picture("red", 70, (30, 20))).decode()

    def value(depth: int = 0) -> Any:
        kind = chosen.random()
        if kind < 0.35:
            return chosen.choice(ODD)
        if kind < 0.6:
            return chosen.choice(known)
        if kind < 0.7 or depth > 3:
            return chosen.choice([contents, 0.5, "Regular", "Negative", "red", True])
        if kind < 0.85:
            return [value(depth + 1) for _ in range(chosen.randrange(3))]
        return {chosen.choice(MEMBERS): value(depth + 1) for _ in range(chosen.randrange(4))}

    def mutated(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(chosen.randrange(4)):
            start = chosen.randrange(len(changed) + 1)
            changed[start : start + chosen.randrange(5)] = chosen.randbytes(chosen.randrange(5))
        return bytes(changed)

    seen: set[tuple[str, int]] = set()
    for number in range(2200):  # some are left out
        route = ROUTES[number % len(ROUTES)]
        path = route.path
        for name in ("projectId", "tagId", "imageId", "iterationId", "domainId", "publishedName", "predictionId"):
            given = chosen.choice(["%00", "%ff", "x" * 300, "..", "%2e%2e%2f"]) if chosen.random() < 0.1 else None
            main = chosen.choice([project, detector]).partition("/")[2]
            path = path.replace(f"{{{name}}}", given or (main if name == "projectId" else chosen.choice(known)))
        path = path.replace("{kind}", "original").replace("{signature}", "0" * 32)
        names = chosen.sample(QUERY, chosen.randrange(4))
        query = urlencode({name: str(value()) for name in names}, errors="replace")
        kind = chosen.random()
        body = b"" if kind < 0.3 else json.dumps({chosen.choice(MEMBERS): value() for _ in range(3)}).encode()
        if kind > 0.7:
            head = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n'
            body = mutated(head + picture("red", 71, (20, 20)) + b"\r\n--b--\r\n" if kind > 0.85 else body)
        type_ = chosen.choice(["application/json", "multipart/form-data; boundary=b", "multipart/form-data", ""])
        headers = {"Training-Key": KEY.secret_key, "Prediction-Key": KEY.secret_key, "Content-Type": type_}
        uri = f"/customvision/v3.3{path}" + (f"?{query}" if query else "")
        deletes = (route.method == "DELETE" and route.path.count("/") <= 3) or "allImages" in query
        if deletes:  # the project, or all of its images
            continue
        answer = vision.server.custom_vision.answer(route.method, uri, HTTPHeaders(headers), body)
        assert answer.status < 500, (route.name, uri, body[:500], answer.body, caplog.text[-3000:])
        if answer.status >= 400:
            assert set(json.loads(answer.body)) == {"code", "message"}
        seen.add((route.name, answer.status))
    assert len({name for name, status in seen if status < 300}) > 15
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(vision.call("GET", "projects")) >= 2
