"""Test of many clients of both services that ask one model while a program trains the next one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from azure.cognitiveservices.vision.customvision.training.models import PredictionQueryToken
from msrest.authentication import ApiKeyCredentials

import customlabels_nb as cl
from tests.endpoints.custom_vision.vision_service import picture
from tests.endpoints.rekognition.server_process import ServerProcess
from tests.waiting import wait_until

_CLIENTS = 100


@pytest.mark.exhaustive
def test_a_hundred_clients_of_both_services_ask_one_model_during_a_training(tmp_path: Path) -> None:
    photos = [(name, picture(name, number)) for number, name in enumerate(["red", "blue"] * 6)]
    for number, (name, data) in enumerate(photos):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{number}.jpg").write_bytes(data)
    python = cl.create_project("colors", tmp_path / "root", task="single-label")
    for name in ("red", "blue"):
        python.add_images(tmp_path / name, label=name, progress=False)
    python.train("v1", progress=False)
    python.close()
    with ServerProcess(tmp_path, "--engine", "torch") as server:
        trainer = CustomVisionTrainingClient(server.url, ApiKeyCredentials(in_headers={"Training-Key": "test"}))
        (project,) = trainer.get_projects()
        (iteration,) = trainer.get_iterations(project.id)
        trainer.publish_iteration(project.id, iteration.id, "live", "resource")
        (arn,) = (each["ProjectArn"] for each in server.client.describe_projects()["ProjectDescriptions"])
        version = server.version(arn, "v1")["ProjectVersionArn"]
        server.client.start_project_version(ProjectVersionArn=version, MinInferenceUnits=4)
        assert server.settle(arn, "v1")["Status"] == "RUNNING"
        next_one = trainer.train_project(project.id, force_train=True)
        assert next_one.status == "Training"

        def classify(number: int) -> str:
            """Return the id of the stored prediction, which only one of the services has."""
            name, data = photos[number % len(photos)]
            if number % 4:
                keys = ApiKeyCredentials(in_headers={"Prediction-Key": "test"})
                with CustomVisionPredictionClient(server.url, keys) as client:
                    answer = client.classify_image(project.id, "live", data)
                assert answer.predictions[0].tag_name == name
                return str(answer.id)
            found = server.new_client().detect_custom_labels(ProjectVersionArn=version, Image={"Bytes": data})
            assert found["CustomLabels"][0]["Name"] == name
            return ""

        with ThreadPoolExecutor(_CLIENTS) as pool:
            ids = sorted(filter(None, pool.map(classify, range(_CLIENTS))))
        stored, token = [], PredictionQueryToken(max_count=20)
        while token:
            page = trainer.query_predictions(project.id, token)
            stored += [each.id for each in page.results]
            token = page.token if page.token.continuation else None
        assert sorted(stored) == ids
        wait_until(lambda: trainer.get_iteration(project.id, next_one.id).status != "Training", 300)
        assert trainer.get_iteration(project.id, next_one.id).status == "Completed"
        server.client.stop_project_version(ProjectVersionArn=version)
        server.settle(arn, "v1")
        trainer.close()
