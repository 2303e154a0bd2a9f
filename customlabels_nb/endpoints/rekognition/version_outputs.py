"""Write the files of a version to its output bucket."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import Any

from customlabels_nb.endpoints.rekognition.buckets import Buckets
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.errors import ServiceError
from customlabels_nb.evaluation.evaluation_snapshots import snapshot_file_names
from customlabels_nb.evaluation.summary import summary_file_name
from customlabels_nb.project.model import Model
from customlabels_nb.store.records import DESCRIPTION

PROBE = "write_access_check_file.temp"

_ROLES = {
    "EvaluationResultSummary": "summary",
    "EvaluationSnapshot": "snapshot_test",
    "TrainingSnapshot": "snapshot_train",
}


def roles_of(name: str) -> list[str]:
    """Return the role of a file of an evaluation, if the service has such files."""
    return [role for start, role in _ROLES.items() if name.startswith(start)]


def output_facts(request: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a request for a new version says of it: where its files go and the key, and tags and description."""
    output = request["OutputConfig"]
    if "S3Bucket" not in output:
        raise ServiceError(INVALID, "OutputConfig needs S3Bucket.")
    description = {DESCRIPTION: request["VersionDescription"]} if "VersionDescription" in request else {}
    facts = {"output": {"S3Bucket": output["S3Bucket"], "S3KeyPrefix": output.get("S3KeyPrefix", "")}}
    key = {"kms": request["KmsKeyId"]} if "KmsKeyId" in request else {}
    return facts | key, {**request.get("Tags", {}), **description}


class Outputs:
    """Files of a version in its bucket. ``files`` has the keys of those that were written, by their roles."""

    def __init__(self, buckets: Buckets, facts: Mapping[str, Any], project: str, version: str) -> None:
        self.buckets = buckets
        self.files: dict[str, str] = {}
        self.folder = f"{project}-{version}"
        self._facts = facts
        self._names = project, version

    def write(self, key: str, data: bytes, role: str | None = None) -> None:
        """Write an object below the version's prefix."""
        output = self._facts["output"]
        prefix = output["S3KeyPrefix"].rstrip("/")
        key = f"{prefix}/{key}" if prefix else key
        self.buckets.write(output["S3Bucket"], key, data, kms_key=self._facts.get("kms"))
        if role is not None:
            self.files[role] = key

    def write_evaluation(self, model: Model, arn: str) -> None:
        """Write the summary and the snapshots, with the ARN of the trained version."""
        test, train = (f"{self.folder}/{name}" for name in snapshot_file_names(*self._names))
        keys = {"summary": summary_file_name(*self._names), "snapshot_test": test, "snapshot_train": train}
        report = model.evaluate(as_trained=True)
        report.details["project_version_arn"] = arn
        with tempfile.TemporaryDirectory() as folder:
            for path in report.to(folder):
                for role in roles_of(path.name):
                    data = path.read_bytes()
                    self.write(keys[role], _with_metrics(data) if role == "summary" else data, role)


def _with_metrics(data: bytes) -> bytes:
    """Add the confusion matrix where the reference of the service has it too, below ``Metrics``."""
    content = json.loads(data)
    results = content["AggregatedEvaluationResults"]
    if "ConfusionMatrix" in results:
        results["Metrics"] = {"ConfusionMatrix": results["ConfusionMatrix"]}
    return json.dumps(content, indent=2).encode()
