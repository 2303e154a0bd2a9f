"""Call the operations of both endpoints on a disk that is full, run by ``test_disk_full.py`` in a small file system.

Argument: the small folder. Each line of the output is the name of an operation, its status and its message.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from tornado.httputil import HTTPHeaders

from customlabels_nb.endpoints.failures import DISK_FULL
from customlabels_nb.errors import InputError
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import Action
from customlabels_nb.training.status import this_process
from tests.endpoints.custom_vision.sdk_clients import FakeClassifier, replace_predictor
from tests.endpoints.custom_vision.vision_service import picture
from tests.endpoints.rekognition.service import SECRET, Service, classified
from tests.endpoints.rekognition.test_policy_operations import document, statement
from tests.endpoints.rekognition.test_project_operations import version
from tests.endpoints.rekognition.training import paint, replace_process
from tests.stress.on_a_full_disk import fill

LONG = "x" * 3000  # more than the free space in a page of a database


class Records(logging.Handler):
    """Records of errors, none of which has a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Caller:
    """Caller of operations, which prints their answers. None of them shows a path."""

    def __init__(self, service: Service, disk: Path) -> None:
        self.service, self.disk = service, disk
        self.full: set[str] = set()

    def vision(self, method: str, path: str, body: Any = b"", part: str = "training", **query: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        uri = f"/customvision/v3.3/{part}/{path}?{urlencode(query)}"
        headers = HTTPHeaders({"Training-Key": SECRET, "Prediction-Key": SECRET})
        assert self.service.server.custom_vision is not None
        answer = self.service.server.custom_vision.answer(method, uri, headers, data)
        content = json.loads(answer.body) if answer.body else None
        self._report(f"{method} {path}", answer.status, content["message"] if answer.status >= 400 else "")
        return content

    def rekognition(self, operation: str, **request: Any) -> Any:
        try:
            answer = getattr(self.service.client, operation)(**request)
        except ClientError as error:
            found = error.response["Error"]
            self._report(operation, error.response["ResponseMetadata"]["HTTPStatusCode"], found["Message"])
            return None
        self._report(operation, 200, "")
        return answer

    def _report(self, name: str, status: int, message: str) -> None:
        print(name, status, message)
        assert str(self.disk) not in message, message
        assert status < 500 or message == DISK_FULL, message
        if message == DISK_FULL:
            self.full.add(name.partition("projects/")[2].partition("/")[2] or name)


def main() -> None:
    """Prepare projects, fill the disk, and call the operations. See the module docstring."""
    disk = Path(sys.argv[1])
    for name in ("root", "photos"):
        (disk / name).mkdir()
    records, patch = Records(), pytest.MonkeyPatch()
    logging.getLogger().addHandler(records)
    fake = FakeClassifier()
    replace_predictor(patch, fake)
    replace_process(patch)
    with Service(disk / "root", disk / "photos") as service:
        caller = Caller(service, disk)
        lines = paint(disk / "photos")
        arn = service.project("rooms")
        dataset = service.dataset(arn, lines)
        project = caller.vision("POST", "projects", name="fruit", classificationType="Multiclass")["id"]
        base = f"projects/{project}"
        tags = [caller.vision("POST", f"{base}/tags", name=name)["id"] for name in ("red", "blue")]
        images = [
            caller.vision("POST", f"{base}/images", picture("red", number), tagIds=tags[number % 2])["images"][0]
            for number in range(12)
        ]
        ids = [each["image"]["id"] for each in images]
        for name in ("rooms", "fruit"):
            with_version(disk / "root" / name)
        found = service.call("describe_project_versions", ProjectArn=arn)["ProjectVersionDescriptions"]
        trained = {one["Status"]: one["ProjectVersionArn"] for one in found}
        iterations = [each["id"] for each in caller.vision("GET", f"{base}/iterations")]
        caller.vision("POST", f"{base}/iterations/{iterations[0]}/publish", publishName="live", predictionId="x")
        for leave in (0, 12_000, 40_000, 300_000):
            fill(disk, leave)
            print(f"-- {leave} bytes are free")
            operate(caller, base, tags, ids, iterations)
            operate_rekognition(caller, service, arn, dataset, trained)
        for record in records.records:
            assert record.exc_info is None, logging.Formatter().format(record)
        fill(disk, 0)
        service.server.stop()
        try:
            service.restart()
        except InputError as error:
            print("start:", error)
        else:
            caller.vision("GET", "projects")
    print("full:", len(caller.full), *sorted(caller.full), sep="\n")


def with_version(root: Path) -> None:
    store = open_project_store(root)
    for name, status in (("v1", "RUNNING"), ("v2", "TRAINING_COMPLETED")):
        (root / "versions" / name).mkdir(parents=True)
        more = this_process() if status == "RUNNING" else {}
        store.add_version(replace(version(name), status=status, **more), Action("add", "test"))
    store.close()


def operate(caller: Caller, base: str, tags: list[str], ids: list[str], iterations: list[str]) -> None:
    vision = caller.vision
    coded = base64.b64encode(picture("blue", 99)).decode()
    before = sorted(caller.service.root.iterdir())
    vision("POST", "projects", name="new", description=LONG)
    assert sorted(caller.service.root.iterdir()) == before
    vision("PATCH", base, {"description": LONG})
    vision("POST", f"{base}/tags", name=LONG[:200], description=LONG)
    vision("PATCH", f"{base}/tags/{tags[0]}", {"name": LONG[:100], "description": LONG})
    vision("PATCH", f"{base}/tags/{tags[0]}", {"name": "red", "description": LONG})
    vision("POST", f"{base}/images", picture("red", 98, (400, 400)), tagIds=tags[0])
    vision("POST", f"{base}/images/files", {"images": [{"name": "a", "contents": coded, "tagIds": tags[:1]}]})
    vision("POST", f"{base}/images/tags", {"tags": [{"imageId": ids[0], "tagId": tags[1]}]})
    vision("DELETE", f"{base}/images/tags", imageIds=",".join(ids[:6]), tagIds=tags[0])
    vision("POST", f"{base}/images/tags", {"tags": [{"imageId": each, "tagId": tags[0]} for each in ids[:6:2]]})
    vision("DELETE", f"{base}/images", imageIds=ids[-1])
    vision("POST", f"{base}/train")
    for iteration in iterations:
        vision("PATCH", f"{base}/iterations/{iteration}", {"name": LONG[:250]})
        vision("PATCH", f"{base}/iterations/{iteration}", {"name": "a"})
        vision("POST", f"{base}/iterations/{iteration}/publish", publishName=LONG[:250], predictionId=LONG)
        vision("DELETE", f"{base}/iterations/{iteration}/publish")
        vision("POST", f"{base}/iterations/{iteration}/export", platform="ONNX")
    vision("POST", f"{base}/iterations/{iterations[0]}/publish", publishName="live", predictionId="x")
    project = base.partition("/")[2]
    for way in ("image", "image/nostore"):
        vision("POST", f"{project}/classify/iterations/live/{way}", picture("red", 97, (300, 300)), "prediction")
    vision("POST", f"{base}/quicktest/image", picture("red", 96), iterationId=iterations[0])
    vision("POST", f"{base}/predictions/query", {})
    vision("DELETE", f"{base}/predictions", ids=ids[0])
    for path in ("", "/images", "/tags", "/iterations", "/images/tagged"):
        vision("GET", f"{base}{path}")
    vision("GET", "projects")


def operate_rekognition(caller: Caller, service: Service, arn: str, dataset: str, trained: dict[str, str]) -> None:
    call = caller.rekognition
    call("create_project", ProjectName="other", Tags={"a": LONG[:200]})
    lines = "\n".join(classified(f"{number}.jpg", f"{LONG[:100]}{number}") for number in range(40))
    call("update_dataset_entries", DatasetArn=dataset, Changes={"GroundTruth": lines.encode()})
    call("create_dataset", ProjectArn=arn, DatasetType="TEST")
    call("describe_dataset", DatasetArn=dataset)
    call("list_dataset_entries", DatasetArn=dataset)
    output = {"S3Bucket": "photos", "S3KeyPrefix": "out"}
    call("create_project_version", ProjectArn=arn, VersionName="new", OutputConfig=output, Tags={"a": LONG[:200]})
    for each in trained.values():
        call("tag_resource", ResourceArn=each, Tags={f"{number}": LONG[:200] for number in range(40)})
        call("untag_resource", ResourceArn=each, TagKeys=["1"])
        call("stop_project_version", ProjectVersionArn=each)
        call("start_project_version", ProjectVersionArn=each, MinInferenceUnits=1)
        call("detect_custom_labels", ProjectVersionArn=each, Image={"Bytes": picture("red", 1)})
        call("delete_project_version", ProjectVersionArn=each)
    policy = document(statement(arn))
    call("put_project_policy", ProjectArn=arn, PolicyName="p", PolicyDocument=policy)
    call("delete_project_policy", ProjectArn=arn, PolicyName="p")
    call("delete_dataset", DatasetArn=dataset)
    call("describe_projects")
    call("describe_project_versions", ProjectArn=arn)


if __name__ == "__main__":
    main()
