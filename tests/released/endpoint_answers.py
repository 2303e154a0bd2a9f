"""What both endpoints answer about a project, to compare the answers of two versions."""

from __future__ import annotations

import re
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.endpoints.rekognition.service import SECRET, Service
from tests.endpoints.rekognition.training import replace_process
from tests.waiting import wait_until


def answers(root: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Serve the only project of a folder, and return what both endpoints tell of it. Versions stay in training."""
    ended = threading.Event()
    replace_process(monkeypatch, lambda version: ended.wait())
    with Service(root, photos) as service:
        try:
            found = {"rekognition": _rekognition(service), "custom_vision": _custom_vision(service.server.url)}
        finally:
            service.server.stop()
            ended.set()
    return found


def _rekognition(service: Service) -> dict[str, Any]:
    (project,) = service.call("describe_projects")["ProjectDescriptions"]
    arn = project["ProjectArn"]
    found: dict[str, Any] = {"project": project, "policies": [], "datasets": {}, "tags": {}}
    page: dict[str, Any] = {"NextToken": ""}
    while "NextToken" in page:
        page = service.call("list_project_policies", ProjectArn=arn, MaxResults=1, NextToken=page["NextToken"])
        found["policies"] += page["ProjectPolicies"]
    for dataset in project["Datasets"]:
        one = {"DatasetArn": dataset["DatasetArn"]}
        labels = service.call("list_dataset_labels", **one)["DatasetLabelDescriptions"]  # in an order of the endpoint's
        found["datasets"][dataset["DatasetType"]] = {
            **service.call("describe_dataset", **one),
            "lines": service.call("list_dataset_entries", **one)["DatasetEntries"],
            "errors": service.call("list_dataset_entries", **one, HasErrors=True)["DatasetEntries"],
            "labels": sorted(labels, key=lambda label: str(label["LabelName"])),
        }

    def versions() -> list[dict[str, Any]]:
        return list(service.call("describe_project_versions", ProjectArn=arn)["ProjectVersionDescriptions"])

    wait_until(lambda: all(each["Status"] != "COPYING_IN_PROGRESS" for each in versions()))
    found["versions"] = versions()
    for one in found["versions"]:
        if one["Status"] == "COPYING_FAILED":  # just now, as the process that copied it has ended
            one.pop("TrainingEndTimestamp")
    resources = [arn, *(each["DatasetArn"] for each in project["Datasets"])]
    for resource in resources + [each["ProjectVersionArn"] for each in found["versions"]]:
        found["tags"][resource] = service.call("list_tags_for_resource", ResourceArn=resource)["Tags"]
    return dict(_plain(found))


def _custom_vision(url: str) -> dict[str, Any]:
    def call(path: str, method: str = "GET", **more: Any) -> Any:
        headers = {"Training-Key": SECRET, "Prediction-Key": SECRET}
        answer = requests.request(
            method, f"{url}/customvision/v3.3/training/{path}", headers=headers, timeout=60, **more
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    (project,) = call("projects")
    path = f"projects/{project['id']}"
    found = {kind: call(f"{path}/{kind}") for kind in ("tags", "images", "iterations")}
    exports = [call(f"{path}/iterations/{one['id']}/export") for one in found["iterations"]]
    for one in found["iterations"]:
        if one["status"] == "Failed":
            one.pop("lastModified")
    project.pop("lastModified")  # failing the copy is a change of the project
    predictions = call(f"{path}/predictions/query", "POST", json={"orderBy": "Newest"})
    return dict(_plain({"project": project, **found, "exports": exports, "predictions": predictions["results"]}))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, without what may differ: URLs, the server's bucket, and fractions of seconds."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if not key.endswith("Uri")}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    text = value.isoformat() if isinstance(value, datetime) else value
    return (
        re.sub(r"(?<=custom-labels-console)-[\w\-]+|(?<=T\d\d:\d\d:\d\d)\.\d+", "", text)
        if isinstance(text, str)
        else text
    )
