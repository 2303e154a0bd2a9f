"""Fuzzing of every member of every operation: no value causes status 500, and each error is declared."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from customlabels_nb.endpoints.rekognition.endpoint import OPERATIONS
from customlabels_nb.endpoints.rekognition.service_model import service_model
from customlabels_nb.training.status import this_process
from customlabels_nb.user_settings import settings
from tests.endpoints.rekognition.service import Service, boxed, classified, declared_errors
from tests.endpoints.rekognition.test_detect_operation import fake_predictor
from tests.endpoints.rekognition.test_policy_operations import document, statement
from tests.endpoints.rekognition.test_project_operations import version
from tests.endpoints.rekognition.training import replace_process
from tests.images.pictures import jpeg

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 5, 10**40, 0.5, -1e308, 1e999, "", " ", "a", "é", "日本", "\0", "\ud800", "\n",
    "a" * 3000, "..", "../x", "%", "'; DROP TABLE entries; --", "{{7*7}}", "x=", "====", "eA==", [], [None], [[]],
    ["a"], ["a"] * 300, {}, {"a": "b"}, {"a": None}, {"": ""}, {"S3Object": {}}, {"Arn": "a" * 30},
    {"Bytes": "eA==", "S3Object": {"Bucket": "photos"}}, {f"k{n}": "v" for n in range(300)},
]  # fmt: skip
#: Errors of the wire, which the model does not declare.
WIRE_ERRORS = frozenset({
    "UnknownOperationException", "SerializationException", "MissingAuthenticationTokenException",
    "IncompleteSignatureException", "UnrecognizedClientException", "InvalidSignatureException",
})  # fmt: skip
LINES = [classified("1.jpg", "a"), classified("2.jpg", "b"), boxed("3.jpg", ("a", 0, 0, 30, 30)), "{}", "nope"]


PICTURES = [base64.b64encode(data).decode() for data in (jpeg(1, (80, 80)), jpeg(1, (20, 20)), b"nonsense")]
STATUSES = ("RUNNING", "TRAINING_COMPLETED", "STOPPED", "TRAINING_FAILED", "RUNNING")


def versions_in(service: Service, name: str) -> list[str]:
    """Add versions with different statuses to a project, and return their ARNs."""
    for number, status in enumerate(STATUSES):
        record = replace(version(f"v{number}"), status=status, **(this_process() if status == "RUNNING" else {}))
        service.add_version(record, name)
    arn = next(
        one["ProjectArn"] for one in service.call("describe_projects", ProjectNames=[name])["ProjectDescriptions"]
    )
    found = service.call("describe_project_versions", ProjectArn=arn)["ProjectVersionDescriptions"]
    return [one["ProjectVersionArn"] for one in found]


class Fuzzer:
    """Maker of requests that mostly fit the model, with odd values for some of their members."""

    def __init__(self, random_state: int, known: dict[str, list[Any]]) -> None:
        self.random = random.Random(random_state)
        self.known = known

    def value(self, shape: Any, odd: float) -> Any:
        """Return a value of a shape, or with the probability ``odd`` any other."""
        if self.random.random() < odd:
            return self.random.choice(ODD)
        if shape.name in self.known and (not odd or self.random.random() < 0.8):
            return self.random.choice(self.known[shape.name])
        kind, limits = shape.type_name, shape.metadata
        if kind == "structure":
            required = limits.get("required", [])
            return {
                name: self.value(member, odd)
                for name, member in shape.members.items()
                if name in required or self.random.random() < 0.4
            }
        if kind == "list":
            return [
                self.value(shape.member, odd) for _ in range(self.random.choice([1, 2, 2, limits.get("max", 3) + 1]))
            ]
        if kind == "map":
            return {str(self.value(shape.key, 0)): self.value(shape.value, odd) for _ in range(2)}
        if kind == "string":
            if shape.enum:
                return self.random.choice(shape.enum)
            length = self.random.choice(
                [limits.get("min", 1), 8, min(limits.get("max", 50), 3000), limits.get("max", 50) + 1]
            )
            return "".join(self.random.choice("ab.-_9") for _ in range(length))
        if kind == "blob":
            text = self.random.choice(LINES) if self.random.random() < 0.7 else str(self.random.choice(ODD))
            return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
        if kind == "boolean":
            return self.random.random() < 0.5
        return self.random.choice([limits.get("min", 0), limits.get("max", 3), 7])

    def requests(self, shape: Any, count: int) -> Iterator[Any]:
        """Yield requests: each member in turn with each odd value, then ``count`` random ones."""
        for name in shape.members:
            for odd in ODD:
                request = self.value(shape, 0)
                yield {**request, name: odd}
        for _ in range(count):
            yield self.value(shape, self.random.choice([0, 0.1, 0.3]))


#: Operations from the one that needs the most to the one that leaves the least.
ORDER = sorted(OPERATIONS, key=lambda name: (name.startswith("Delete"), not name.startswith("Distribute"), name))


def test_no_member_causes_status_500(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "customlabels_nb.endpoints.rekognition.endpoint.verify", lambda keys, *_: next(iter(keys.values()))
    )
    replace_process(monkeypatch)
    fake_predictor(monkeypatch)
    project, empty = service.project("fuzzed"), service.project("empty")
    train, test = service.dataset(project, LINES[:3]), service.dataset(project, kind="TEST")
    service.manifest(LINES[:3], "m.manifest")
    known = {
        "ProjectName": ["fuzzed", "new"], "ProjectArn": [project, empty, f"{project}1"], "DatasetArn": [train, test],
        "S3Bucket": ["photos", "bucket"], "S3ObjectName": ["m.manifest", "none"], "ExtendedPaginationToken": [""],
        "DatasetLabel": ["a", "b"], "ProjectVersionArn": versions_in(service, "fuzzed"), "VersionName": ["v0", "new"],
        "ImageBlob": PICTURES, "Image": [{"Bytes": PICTURES[0]}],
        "OutputConfig": [{"S3Bucket": "photos"}], "KmsKeyId": ["key"], "ResourceArn": [project, train],
        "ProjectPolicyName": ["p", "q"], "ProjectPolicyDocument": [document(statement(project))],
        "TagKey": ["a", "b"], "TagValue": ["", "v"],
    }  # fmt: skip
    monkeypatch.setitem(settings.buckets, "bucket", Path("/none"))
    fuzzer = Fuzzer(9, known)
    for name in ORDER:
        if name == "DeleteProject":  # the others have versions by now
            known["ProjectArn"].append(service.project("spare"))
        shape = service_model().operation_model(name).input_shape
        codes: set[str] = set()
        count = 0
        for request in fuzzer.requests(shape, 25):
            headers = {"X-Amz-Target": f"RekognitionService.{name}"}
            answer = service.server.rekognition.answer("POST", "/", headers, json.dumps(request).encode())
            body = json.loads(answer.body)
            assert answer.status in (200, 400), (name, request, body)
            codes.add(body.get("__type", "") if answer.status == 400 else "")
            count += 1
        assert count > 25
        assert codes <= declared_errors(name) | WIRE_ERRORS | {""}
        assert {"InvalidParameterException", ""} <= codes, name
        datasets = [
            one for each in service.call("describe_projects")["ProjectDescriptions"] for one in each["Datasets"]
        ]
        assert "SERVICE_ERROR" not in {service.settle(one["DatasetArn"])["StatusMessageCode"] for one in datasets}
