"""Tests of one project that both endpoints serve and a notebook opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

import customlabels_nb as cl
from customlabels_nb.store import Action
from tests.endpoints.custom_vision.vision_service import VisionService, picture
from tests.endpoints.rekognition.service import SECRET, Service
from tests.endpoints.rekognition.test_project_operations import version
from tests.endpoints.rekognition.training import replace_process
from tests.waiting import wait_until


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Return a folder with the project "flats", which a notebook has made: boxes in both datasets, and two versions."""
    root = tmp_path / "root"
    for number in range(3):
        path = tmp_path / "photos" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture("red", number, (200, 100)))
    project = cl.create_project("flats", root, task="boxes")
    project.add_images(tmp_path / "photos", progress=False)
    images = project.train_set.images["image"]
    box = {"left": 20.0, "top": 10.0, "width": 100.0, "height": 50.0}
    project.update("train", pd.DataFrame([{"image": image, "label": "sofa", **box} for image in images[:2]]))
    project._store.move_images([images[1]], "train", "test", Action("distribute", "test"))
    statuses = {"stopped": "TRAINING_STOPPED", "trained": "TRAINING_COMPLETED", "broken": "TRAINING_FAILED"}
    for name, status in statuses.items():
        record = replace(version(name), status=status, task="boxes")
        project._store.add_version(record, Action("add", "test"))
    project.close()
    return root


def test_slashes_before_the_path_do_not_matter(tmp_path: Path) -> None:
    """Programs put a slash between the path and an ENDPOINT that ends with one."""
    with VisionService(tmp_path, only=None) as service:
        assert service.call("GET", f"{service.server.url}//customvision/v3.3/training/domains")[0]["name"] == "General"


def test_a_project_of_a_notebook_is_served_with_stable_ids(labelled: Path) -> None:
    with VisionService(labelled) as service:

        def read() -> dict[str, Any]:
            (project,) = service.call("GET", "projects")
            path = f"projects/{project['id']}"
            images = service.call("GET", f"{path}/images", params={"orderBy": "Oldest"})
            for image in images:
                image.update(dict.fromkeys(("originalImageUri", "resizedImageUri", "thumbnailUri")))
            lists = {kind: service.call("GET", f"{path}/{kind}") for kind in ("tags", "iterations")}
            return {"project": project, "images": images, **lists}

        found = read()
        assert found["project"]["name"] == "flats"
        assert found["project"]["settings"]["domainId"] == "da2e3a8a-40a5-4171-82f4-58522f70fbc1"
        ((tag),) = found["tags"]
        assert (tag["name"], tag["imageCount"]) == ("sofa", 2)
        regions = [image["regions"] for image in found["images"]]
        assert [len(each) for each in regions] == [1, 1, 0]
        expected = {"tagId": tag["id"], "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}
        assert all(region.items() >= expected.items() for each in regions for region in each)
        assert [(each["name"], each["status"]) for each in found["iterations"]] == [
            ("broken", "Failed"), ("trained", "Completed"), ("stopped", "Failed"),
        ]  # fmt: skip
        service.restart()
        assert read() == found
        path = f"projects/{found['project']['id']}"
        iteration = found["iterations"][1]["id"]
        query = {"publishName": "sofas", "predictionId": "x"}
        assert service.call("POST", f"{path}/iterations/{iteration}/publish", params=query) is True
        assert service.call("GET", f"{path}/iterations/{iteration}")["publishName"] == "sofas"
        service.call("PATCH", path, json={"name": "Flats & more", "description": "d"})
        service.server.stop()
        python = cl.load_project(labelled / "flats")
        python.labels.rename("sofa", "couch")
        python.rename("houses")
        python.close()
        service.__enter__()
        (project,) = service.call("GET", "projects")
        assert (project["id"], project["name"]) == (found["project"]["id"], "houses")
        assert service.call("GET", f"{path}/tags")[0]["name"] == "couch"
        assert [each["id"] for each in service.call("GET", f"{path}/images", params={"orderBy": "Oldest"})] == [
            each["id"] for each in found["images"]
        ]


def test_a_project_of_a_program_opens_in_a_notebook(vision: VisionService) -> None:
    project = vision.project("kitchens", "Multilabel")
    red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
    data = picture()
    vision.add(project, data, red, blue)
    vision.add(project, picture("blue"))
    python = cl.load_project(vision.root / "kitchens")
    assert (python.task, list(python.labels)) == ("multi-label", ["red", "blue"])
    images = python.train_set.images
    assert images["status"].tolist() == ["labelled", "unlabelled"]
    assert (python.root / images["image"].iloc[0]).read_bytes() == data
    assert set(python.train_set.annotations["label"]) == {"red", "blue"}
    assert python.history["what"].str.contains("add images").any()
    assert len(python.issues) == 0
    python.update("train", pd.DataFrame({"image": images["image"], "label": ["red", "blue"]}))
    python.close()
    assert [tag["imageCount"] for tag in vision.call("GET", f"{project}/tags")] == [1, 1]


@pytest.mark.usefixtures("train_nothing")
def test_both_clients_see_each_version(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_process(monkeypatch)
    url = f"{service.server.url}/customvision/v3.3/training/projects"
    with requests.Session() as session:
        session.headers["Training-Key"] = SECRET
        project = session.post(url, params={"name": "rooms"}, timeout=10).json()["id"]
        for number, name in enumerate(("red", "blue")):
            tag = session.post(f"{url}/{project}/tags", params={"name": name}, timeout=10).json()["id"]
            for each in range(5):
                data = picture(name, 10 * number + each, (80, 70))
                session.post(f"{url}/{project}/images", params={"tagIds": tag}, data=data, timeout=10)
        begun = session.post(f"{url}/{project}/train", timeout=10).json()
        path = f"{url}/{project}/iterations/{begun['id']}"
        wait_until(lambda: session.get(path, timeout=10).json()["status"] == "Failed")
        (described,) = service.call("describe_projects")["ProjectDescriptions"]
        arn = described["ProjectArn"]
        (found,) = service.call("describe_project_versions", ProjectArn=arn)["ProjectVersionDescriptions"]
        assert found["Status"] == "TRAINING_FAILED"
        output = {"S3Bucket": "photos"}
        made = service.call("create_project_version", ProjectArn=arn, VersionName="v1", OutputConfig=output)
        names = [each["name"] for each in session.get(f"{url}/{project}/iterations", timeout=10).json()]
        assert names == ["v1", "Iteration 1"]
        service.call("delete_project_version", ProjectVersionArn=found["ProjectVersionArn"])
        assert session.get(path, timeout=10).json()["code"] == "NotFoundIteration"
        (found,) = service.call("describe_project_versions", ProjectArn=arn)["ProjectVersionDescriptions"]
        assert found["ProjectVersionArn"] == made["ProjectVersionArn"]


def test_both_clients_use_one_project(service: Service) -> None:
    url = f"{service.server.url}/customvision/v3.3/training/projects"
    session = requests.Session()
    session.headers["Training-Key"] = SECRET
    arn = service.project("rooms")
    (project,) = session.get(url, timeout=10).json()
    assert project["name"] == "rooms"
    path = f"{url}/{project['id']}"
    tag = session.post(f"{path}/tags", params={"name": "red"}, timeout=10).json()["id"]
    body = picture()
    answer = session.post(f"{path}/images", params={"tagIds": tag}, data=body, timeout=10).json()
    assert answer["isBatchSuccessful"]
    (described,) = service.call("describe_projects", ProjectNames=["rooms"])["ProjectDescriptions"]
    (dataset,) = described["Datasets"]
    assert service.labels(dataset["DatasetArn"]) == {"red": (1, 0)}
    made = session.post(url, params={"name": "made/there"}, timeout=10).json()
    arns = {each["ProjectArn"] for each in service.call("describe_projects")["ProjectDescriptions"]}
    assert len(arns) == 2
    service.call("delete_project", ProjectArn=arn)
    assert [each["id"] for each in session.get(url, timeout=10).json()] == [made["id"]]
    session.close()
