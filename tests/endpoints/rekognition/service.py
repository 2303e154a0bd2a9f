"""Running server with a boto3 client, and manifests for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from customlabels_nb.endpoints import EndpointServer, ServingOptions
from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.endpoints.rekognition.service_model import find_problems, service_model
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import Action, SqlStore, VersionRecord

SECRET = "a secret for tests"
KEY = AccessKey("test", SECRET)
DATE = "2024-05-01T10:00:00"


class Service:
    """Server on a root folder, whose client checks each answer against the service model."""

    def __init__(
        self,
        root: Path,
        photos: Path,
        *,
        key: AccessKey | None = KEY,
        accounts: dict[str, Path] | None = None,
        buckets: dict[str, Path] | None = None,
        **options: Any,
    ) -> None:
        self.root, self.photos = root, photos
        given = {
            "buckets": {"photos": photos} | (buckets or {}),
            "accounts": accounts,
            "options": ServingOptions(**options),
        }
        self.options: dict[str, Any] = {"port": 0, "key": key, **given}

    def __enter__(self) -> Service:
        self.server = EndpointServer(self.root, **self.options).start()
        self.client = self.new_client()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.stop()

    def restart(self) -> None:
        self.server.stop()
        self.__enter__()

    def new_client(self, key: str = "test", secret: str = SECRET, **options: Any) -> Any:
        """Return a client that retries nothing, so that each error is seen."""
        settings = {"region_name": "us-east-1", "endpoint_url": self.server.url, **options}
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
        client = boto3.client(
            "rekognition", aws_access_key_id=key, aws_secret_access_key=secret, config=config, **settings
        )
        client.meta.events.register("after-call.rekognition", _check_answer)
        return client

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation by its name in the client, such as "create_project"."""
        answer: dict[str, Any] = getattr(self.client, operation)(**request)
        answer.pop("ResponseMetadata")
        return answer

    def refused(self, operation: str, **request: Any) -> str:
        """Return the code of the error that an operation answers with."""
        with pytest.raises(ClientError) as caught:
            self.call(operation, **request)
        return str(caught.value.response["Error"]["Code"])

    def store(self, name: str = "rooms") -> closing[SqlStore]:
        """Open the store of a project for a ``with`` block, as another program does."""
        return closing(open_project_store(self.root / name))

    def add_version(self, record: VersionRecord, name: str = "rooms") -> None:
        """Add a version to the store of a project, as a notebook does that trains it."""
        with self.store(name) as store:
            store.add_version(record, Action("add", "test"))

    # -- shorthand ----------------------------------------------------------------------------------
    def project(self, name: str = "rooms") -> str:
        return str(self.call("create_project", ProjectName=name)["ProjectArn"])

    def put(self, key: str, data: bytes | str) -> dict[str, Any]:
        """Write an object of the bucket, and return its S3Object."""
        path = self.photos / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return {"Bucket": "photos", "Name": key}

    def manifest(self, lines: Iterable[str], key: str = "train.manifest") -> dict[str, Any]:
        return {"GroundTruthManifest": {"S3Object": self.put(key, "".join(f"{line}\n" for line in lines))}}

    def dataset(self, project: str, lines: Iterable[str] | None = None, kind: str = "TRAIN") -> str:
        """Create a dataset of manifest lines, wait for it, and return its ARN."""
        source = {} if lines is None else {"DatasetSource": self.manifest(lines, f"{kind}.manifest")}
        arn = self.call("create_dataset", ProjectArn=project, DatasetType=kind, **source)["DatasetArn"]
        self.settle(arn)
        return str(arn)

    def settle(self, arn: str) -> dict[str, Any]:
        """Wait until no job changes the dataset, and return its description."""
        for _ in range(400):
            found: dict[str, Any] = self.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]
            if not found["Status"].endswith("IN_PROGRESS"):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{arn} is still {found['Status']}.")

    def entries(self, arn: str, **filters: Any) -> list[dict[str, Any]]:
        found = self.call("list_dataset_entries", DatasetArn=arn, **filters)["DatasetEntries"]
        return [json.loads(line) for line in found]

    def labels(self, arn: str) -> dict[str, tuple[int, int]]:
        found = self.call("list_dataset_labels", DatasetArn=arn)["DatasetLabelDescriptions"]
        return {
            one["LabelName"]: (one["LabelStats"]["EntryCount"], one["LabelStats"]["BoundingBoxCount"]) for one in found
        }

    def update(self, arn: str, *lines: str) -> dict[str, Any]:
        self.call("update_dataset_entries", DatasetArn=arn, Changes={"GroundTruth": "\n".join(lines).encode()})
        return self.settle(arn)


def declared_errors(operation: str) -> frozenset[str]:
    """Return the errors that the model declares for an operation."""
    return frozenset(shape.name for shape in service_model().operation_model(operation).error_shapes)


def _check_answer(parsed: dict[str, Any], model: Any, http_response: Any, **_: Any) -> None:
    """Check that an answer fits the model, or that its error is declared with its status."""
    if http_response.status_code < 300:
        answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        assert find_problems(answer, model.output_shape) == []
        return
    code = parsed["Error"]["Code"]
    wire = ("Signature", "Authentication", "UnrecognizedClient", "UnknownOperation", "Serialization")
    assert code in declared_errors(model.name) or any(part in code for part in wire), code
    assert http_response.status_code == (500 if code in ("InternalServerError", "ThrottlingException") else 400)
    assert parsed["Error"]["Message"]
    assert service_model().operation_names


def write_keys(root: Path, *keys: dict[str, Any]) -> Path:
    """Write the file of access keys in a new root folder, and return it."""
    path = root / ".endpoints" / "keys.json"
    path.parent.mkdir(exist_ok=True)
    path.touch(0o600)
    path.write_text(json.dumps({"secret": "00" * 32, "keys": keys}))
    return path


def classified(key: str, *labels: str, **more: Any) -> str:
    """Return a manifest line of an image in the bucket, with image-level labels."""
    line: dict[str, Any] = {"source-ref": f"s3://photos/{key}"}
    for number, label in enumerate(labels):
        line[f"class{number}"] = 1
        line[f"class{number}-metadata"] = {
            "confidence": 1, "job-name": "labeling-job/class", "class-name": label, "human-annotated": "yes",
            "creation-date": DATE, "type": "groundtruth/image-classification",
        }  # fmt: skip
    return json.dumps(line | more)


def boxed(key: str, *boxes: tuple[str, int, int, int, int], size: tuple[int, int] = (200, 150)) -> str:
    """Return a manifest line with boxes (label, left, top, width, height)."""
    labels = sorted({box[0] for box in boxes})
    annotations = [
        {"class_id": labels.index(label), "left": left, "top": top, "width": width, "height": height}
        for label, left, top, width, height in boxes
    ]
    return json.dumps({
        "source-ref": f"s3://photos/{key}",
        "box": {"image_size": [{"width": size[0], "height": size[1], "depth": 3}], "annotations": annotations},
        "box-metadata": {
            "objects": [{"confidence": 1}] * len(boxes), "class-map": {str(i): name for i, name in enumerate(labels)},
            "type": "groundtruth/object-detection", "human-annotated": "yes", "creation-date": DATE, "job-name": "b",
        },
    })  # fmt: skip
