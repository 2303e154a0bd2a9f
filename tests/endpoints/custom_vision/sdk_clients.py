"""Server in this process with clients of the SDK, and versions that a replaced predictor stands in for."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from msrest.authentication import ApiKeyCredentials
from msrest.exceptions import HttpOperationError

import customlabels_nb as cl
from customlabels_nb.endpoints import EndpointServer, ServingOptions
from customlabels_nb.endpoints.custom_vision import prediction_operations
from customlabels_nb.endpoints.rekognition import detect_operation
from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.endpoints.served_versions import ServedVersion, versions_of
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import Action, VersionRecord
from customlabels_nb.training.status import this_process
from tests.endpoints.rekognition.test_detect_operation import Fake

LABELS = ("apple", "banana", "orange")


class SdkServer:
    """Server of a folder, as a ``with`` block, with a training and a prediction client."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.root = root
        self._server = EndpointServer(root, port=0, key=AccessKey("test", "test"), options=ServingOptions(**options))

    def __enter__(self) -> SdkServer:
        self.url = self._server.start().url
        self.trainer = CustomVisionTrainingClient(self.url, ApiKeyCredentials(in_headers={"Training-Key": "test"}))
        self.predictor = self.new_predictor()
        return self

    def __exit__(self, *error: object) -> None:
        for client in (self.trainer, self.predictor):
            client.close()
        self._server.stop()

    def new_predictor(self) -> CustomVisionPredictionClient:
        return CustomVisionPredictionClient(self.url, ApiKeyCredentials(in_headers={"Prediction-Key": "test"}))

    def project(self, task: str, *versions: str) -> str:
        """Create a project in Python, with versions that seem to run here, and return its id."""
        python = cl.create_project("fruit", self.root, task=task)
        for label in LABELS:
            python.labels.add(label)
        for name in versions:
            (python.root / "versions" / name).mkdir(parents=True)
            now = datetime.now(UTC)
            record = VersionRecord(name, "RUNNING", "", f"versions/{name}", now, now, **this_process())
            with closing(open_project_store(python.root)) as store:
                store.add_version(record, Action("add", "test"))
        python.close()
        (project,) = self.trainer.get_projects()
        return str(project.id)

    def published(self, task: str) -> str:
        """Create a project with a version that is published as "live", and return its id."""
        project = self.project(task, "v1")
        (iteration,) = self.trainer.get_iterations(project)
        self.trainer.publish_iteration(project, iteration.id, "live", "resource")
        return project

    def version(self) -> ServedVersion[Any]:
        """Return the only version of the only project."""
        assert self._server.rekognition is not None
        (served,) = self._server.rekognition.folder.projects()
        (version,) = versions_of(served)
        return version

    def refused(self, operation: str, *values: Any, **more: Any) -> str:
        """Return the code of the error that an operation answers with."""
        client = self.predictor if operation.startswith(("classify_", "detect_")) else self.trainer
        with pytest.raises(HttpOperationError) as caught:  # each client has an exception of its own
            getattr(client, operation)(*values, **more)
        assert type(caught.value).__module__.startswith(type(client).__module__.rpartition(".")[0])
        return str(caught.value.error.code)


class FakeClassifier(Fake):
    """Predictor with the probabilities 0.2, 0.7 and 0.1 for each image."""

    config = SimpleNamespace(**{**vars(Fake.config), "task": "single-label", "is_detector": False, "labels": LABELS})

    def probabilities(self, images: list[Any], at_once: int | None = None) -> Any:
        self.batches.append(len(images))
        assert self.go_on.wait(self.seconds)
        return np.tile([0.2, 0.7, 0.1], (len(images), 1))


class FakeDetector(Fake):
    """Predictor that finds two bananas in each image, the less probable one first."""

    config = SimpleNamespace(**{**vars(Fake.config), "labels": ("banana",)})


def replace_predictor(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> None:
    """Replace the predictor of every version, for both kinds of clients."""
    for module in (prediction_operations, detect_operation):
        monkeypatch.setattr(module, "predictor_of", lambda _: fake)
