"""Tests of training, iterations, publishing and performance."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision import iteration_training
from customlabels_nb.endpoints.custom_vision.iterations import Iteration
from customlabels_nb.errors import InputError
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action
from tests.endpoints.custom_vision.vision_service import NOBODY, VisionService, picture
from tests.endpoints.rekognition.test_project_operations import version
from tests.waiting import wait_until


def settle(vision: VisionService, project: str, iteration: dict[str, Any]) -> dict[str, Any]:
    """Wait until the iteration is no longer trained, and return it."""
    path = f"{project}/iterations/{iteration['id']}"
    wait_until(lambda: vision.call("GET", path)["status"] != "Training", 120)
    return dict(vision.call("GET", path))


def train(vision: VisionService, project: str, **query: Any) -> dict[str, Any]:
    return settle(vision, project, vision.call("POST", f"{project}/train", params=query))


@pytest.mark.usefixtures("train_here")
def test_a_program_trains_publishes_and_measures(vision: VisionService) -> None:
    project = vision.project("rooms")
    tags = vision.painted(project)
    vision.add(project, picture("red", 99))  # without a tag
    begun = vision.call("POST", f"{project}/train")
    assert (begun["name"], begun["status"], begun["trainedAt"]) == ("Iteration 1", "Training", None)
    path = f"{project}/iterations/{begun['id']}"
    found = settle(vision, project, begun)
    assert (found["status"], found["classificationType"]) == ("Completed", "Multiclass")
    assert begun["created"] == found["created"] < found["trainedAt"]
    assert vision.refused("POST", f"{project}/train") == "BadRequestTrainingNotNeeded"

    performance = vision.call("GET", f"{path}/performance", params={"threshold": 0.5, "overlapThreshold": 0.3})
    assert performance.items() >= {"precision": 1.0, "recall": 1.0, "averagePrecision": 1.0}.items()
    assert {each["name"]: each["id"] for each in performance["perTagPerformance"]} == tags
    assert all(each["recallStdDeviation"] == 0 for each in performance["perTagPerformance"])
    assert vision.call("GET", f"{path}/performance", params={"threshold": 1})["recall"] == 0
    assert vision.refused("GET", f"{path}/performance", params={"threshold": 2}) == "BadRequestInvalid"
    images = vision.call("GET", f"{path}/performance/images", params={"tagIds": tags["red"]})
    assert len(images) == vision.call("GET", f"{path}/performance/images/count", params={"tagIds": tags["red"]})
    for image in images:
        assert [tag["tagName"] for tag in image["tags"]] == ["red"]
        assert [each["tagName"] for each in image["predictions"]] == ["red", "blue"]
        assert sum(each["probability"] for each in image["predictions"]) == pytest.approx(1)
    assert vision.call("GET", f"{path}/performance/images/count") > len(images) > 0
    assert vision.call("GET", f"{path}/performance/images", params={"skip": 100}) == []

    vision.call("PATCH", f"{project}/tags/{tags['red']}", json={"name": "crimson"})
    performance = vision.call("GET", f"{path}/performance", params={"threshold": 0.5, "overlapThreshold": 0.3})
    assert {each["name"]: each["id"] for each in performance["perTagPerformance"]} == tags

    publish = f"{path}/publish"
    assert vision.refused("POST", publish) == "BadRequestRequiredParamIsNull"
    assert vision.refused("POST", publish, params={"publishName": "a/b"}) == "BadRequestInvalidPublishName"
    for _ in range(2):  # a client may send it again
        assert vision.call("POST", publish, params={"publishName": "model", "predictionId": "/a/b"}) is True
    published = vision.call("GET", path)
    assert (published["publishName"], published["originalPublishResourceId"]) == ("model", "/a/b")
    assert vision.refused("POST", publish, params={"publishName": "other"}) == "BadRequestIterationIsPublished"
    assert vision.refused("DELETE", path) == "BadRequestIterationIsPublished"
    assert vision.refused("DELETE", project) == "BadRequestIterationIsPublished"

    newer = train(vision, project, forceTrain="true")
    assert newer["name"] == "Iteration 2"
    assert [each["id"] for each in vision.call("GET", f"{project}/iterations")] == [newer["id"], begun["id"]]
    publish = f"{project}/iterations/{newer['id']}/publish"
    assert vision.refused("POST", publish, params={"publishName": "model"}) == "BadRequestInvalidPublishName"
    assert vision.call("POST", publish, params={"publishName": "model", "overwrite": "true"}) is True
    assert [each["publishName"] for each in vision.call("GET", f"{project}/iterations")] == ["model", None]
    vision.restart()
    assert [each["publishName"] for each in vision.call("GET", f"{project}/iterations")] == ["model", None]
    vision.call("DELETE", publish, 204)
    assert vision.refused("DELETE", publish) == "BadRequestIterationNotPublished"
    assert vision.refused("PATCH", path, json={"name": "Iteration 2"}) == "BadRequestIterationNameNotUnique"
    assert vision.call("PATCH", path, json={"name": "Best / one"})["name"] == "Best / one"
    vision.call("DELETE", path, 204)
    assert vision.refused("GET", path, 404) == "NotFoundIteration"

    python = cl.load_project(vision.root / "rooms")
    assert python.versions["name"].tolist() == ["Iteration 2"]
    assert python.train_set.annotations["label"].nunique() == 2
    assert python.model("Iteration 2").evaluate(progress=False).metric("f1") == 1
    python.close()
    vision.call("DELETE", project, 204)
    assert not (vision.root / "rooms").exists()


@pytest.mark.thorough
@pytest.mark.usefixtures("train_here")
def test_boxes_are_trained_and_measured(vision: VisionService, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Project.train
    monkeypatch.setattr(Project, "train", lambda *own, budget, **more: whole(*own, steps=1, **more))
    project = vision.detector("things")
    red = vision.tag(project, "red")
    region = {"tagId": red, "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}
    entries = [{"contents": picture("red", number), "regions": [region]} for number in range(15)]
    vision.upload(project, entries)
    found = train(vision, project)
    assert (found["status"], found["classificationType"]) == ("Completed", None)
    path = f"{project}/iterations/{found['id']}/performance"
    measured = [vision.call("GET", path, params={"threshold": 0, "overlapThreshold": x}) for x in (0, 1)]
    assert [each["perTagPerformance"][0]["name"] for each in measured] == ["red", "red"]
    assert measured[0]["recall"] >= measured[1]["recall"] == 0
    for image in vision.call("GET", f"{path}/images"):
        for prediction in image["predictions"]:
            assert set(prediction["boundingBox"]) == set(t.BOX_COLUMNS)
            assert -0.01 <= prediction["boundingBox"]["left"] <= 1


@pytest.mark.usefixtures("train_nothing")
def test_everything_is_checked_before_an_iteration_exists(vision: VisionService) -> None:
    code = "BadRequest{}TrainingValidationFailed"
    multi, single = "MultiLabelClassification", "MultiClassClassification"
    for number, (kind, name) in enumerate((("Multilabel", multi), ("Multiclass", single))):
        project = vision.project(f"p{number}", kind)
        assert vision.refused("POST", f"{project}/train") == code.format(name)
        red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
        assert vision.refused("POST", f"{project}/train") == code.format(name)
        tags = [red] * 5 + [blue] * 4
        entries = [{"contents": picture("red", n, (40, 30)), "tagIds": [tag]} for n, tag in enumerate(tags)]
        vision.upload(project, entries)
        error = vision.call("POST", f"{project}/train", 400)
        assert "blue (4)" in error["message"]
        assert "red" not in error["message"]
        vision.add(project, picture("blue", 50), blue)
        for query, body, expected in (
            ({"trainingType": "Odd"}, {}, "BadRequestInvalid"),
            ({"reservedBudgetInHours": 99}, {}, "BadRequestInvalid"),
            ({}, {"selectedTags": [red]}, "BadRequestNotSupported"),
            ({}, {"customBaseModelInfo": {"iterationId": NOBODY}}, "NotFoundIteration"),
        ):
            status = 404 if expected == "NotFoundIteration" else 400
            assert vision.refused("POST", f"{project}/train", status, params=query, json=body) == expected
        assert vision.call("GET", f"{project}/iterations") == []
        assert vision.call("POST", f"{project}/train")["status"] == "Training"
    project = vision.detector()
    red = vision.tag(project, "red")
    region = {"tagId": red, "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}
    entries = [{"contents": picture("red", n, (40, 30)), "regions": [region]} for n in range(14)]
    vision.upload(project, entries)
    assert vision.refused("POST", f"{project}/train") == code.format("Detection")
    vision.upload(project, [{"contents": picture("red", 90, (40, 30)), "regions": [region]}])
    assert vision.call("POST", f"{project}/train")["status"] == "Training"


@pytest.mark.usefixtures("train_nothing")
def test_one_tag_is_enough_with_images_of_the_negative_tag(vision: VisionService) -> None:
    """An image has one of several tags in a multiclass project, so the negative tag does not help there."""
    for kind, message in (("Multilabel", "one and 5 images with the negative tag"), ("Multiclass", "at least 2 tags.")):
        project = vision.project(kind, kind)
        red, none = vision.tag(project, "red"), vision.tag(project, "none", "Negative")
        tags = [red] * 5 + [none] * 4
        vision.upload(
            project, [{"contents": picture("red", n, (40, 30)), "tagIds": [tag]} for n, tag in enumerate(tags)]
        )
        assert message in vision.call("POST", f"{project}/train", 400)["message"]
        vision.add(project, picture("blue", 50), none)
        if kind == "Multiclass":
            assert message in vision.call("POST", f"{project}/train", 400)["message"]
        else:
            assert vision.call("POST", f"{project}/train")["status"] == "Training"


@pytest.mark.usefixtures("train_nothing")
def test_a_training_that_dies_has_failed(vision: VisionService) -> None:
    project = vision.project()
    vision.painted(project)
    found = train(vision, project)
    assert (found["status"], found["trainedAt"]) == ("Failed", None)
    assert found["trainingErrorDetails"]
    path = f"{project}/iterations/{found['id']}"
    query = {"publishName": "model"}
    assert vision.refused("POST", f"{path}/publish", params=query) == "BadRequestIterationIsNotTrained"
    assert vision.refused("GET", f"{path}/performance") == "BadRequestIterationIsNotTrained"
    assert train(vision, project)["name"] == "Iteration 2"  # a failed one does not count as trained
    vision.call("DELETE", path, 204)
    assert [each["name"] for each in vision.call("GET", f"{project}/iterations")] == ["Iteration 2"]


def test_one_iteration_of_a_project_is_trained_at_once(vision: VisionService, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(iteration_training, "start_process", lambda version: goes_on.wait(60))
    project = vision.project()
    vision.painted(project)
    begun = vision.call("POST", f"{project}/train")
    try:
        assert vision.refused("POST", f"{project}/train") == "BadRequestTrainingAlreadyInProgress"
        path = f"{project}/iterations/{begun['id']}"
        assert vision.refused("DELETE", path) == "BadRequestTrainingAlreadyInProgress"
        assert vision.refused("DELETE", project) == "BadRequestTrainingAlreadyInProgress"
        query = {"publishName": "model"}
        assert vision.refused("POST", f"{path}/publish", params=query) == "BadRequestIterationIsNotTrained"
    finally:
        goes_on.set()
    assert settle(vision, project, begun)["status"] == "Failed"


@pytest.mark.usefixtures("train_here")
def test_domains_that_are_not_compact_use_a_larger_backbone_that_is_on_this_machine(
    vision: VisionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[str | None] = []

    def train_model(*_: Any, backbone: str | None, **more: Any) -> None:
        chosen.append(backbone)
        raise InputError("Nothing is trained here.")

    monkeypatch.setattr(Project, "train", train_model)
    for domain in ("ee85a74c-405e-4adc-bb47-ffa8ca0c9f31", "0732100f-1a38-4e49-a514-c9b44c697ab5"):
        project = vision.project(domain[:4], domainId=domain)
        vision.painted(project)
        for file in (None, "weights"):
            monkeypatch.setattr(iteration_training, "cached_file", lambda name, file=file: file)
            found = train(vision, project)
            assert (found["status"], found["trainingErrorDetails"]) == ("Failed", "Nothing is trained here.")
    assert chosen == [None, "base", None, None]


def test_the_task_of_a_training_has_its_budget_and_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[dict[str, Any]] = []

    def start(version: Iteration) -> None:
        tasks.append(iteration_training.training_task(version))

    monkeypatch.setattr(iteration_training, "start_process", start)
    for budget in (None, "9s"):
        with VisionService(tmp_path / str(budget), budget=budget) as service:
            project = service.project("rooms")
            service.painted(project)
            first = train(service, project)
            query = {"trainingType": "Advanced", "reservedBudgetInHours": 2}
            base = {"customBaseModelInfo": {"projectId": project, "iterationId": first["id"]}}
            begun = service.call("POST", f"{project}/train", params=query, json=base)
            assert (begun["trainingType"], begun["reservedBudgetInHours"]) == ("Advanced", 2)
            settle(service, project, begun)
    chosen = [(task["budget"], task["base"]) for task in tasks]
    assert chosen == [(None, None), (7200.0, "Iteration 1"), ("9s", None), ("9s", "Iteration 1")]


@pytest.mark.usefixtures("train_nothing")
def test_test_images_are_chosen_again_if_a_tag_has_none(vision: VisionService) -> None:
    project = vision.project("rooms")
    vision.painted(project)
    first = train(vision, project)
    assert first["status"] == "Failed"
    green = vision.tag(project, "green")
    entries = [{"contents": picture("blue", 50 + number), "tagIds": [green]} for number in range(5)]
    vision.upload(project, entries)
    train(vision, project)
    python = cl.load_project(vision.root / "rooms")
    for dataset in (python.train_set, python.test_set):
        assert set(dataset.annotations["label"]) == {"red", "blue", "green"}
    python.close()


def test_quotas_of_iterations_are_enforced_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iteration_training, "start_process", lambda version: None)
    with VisionService(tmp_path, service_limits=True) as service:
        project = service.project()
        service.painted(project)
        with closing(open_project_store(tmp_path / "rooms")) as store:
            for number in range(19):
                store.add_version(version(f"v{number}"), Action("add", "test"))
        train(service, project)
        assert service.refused("POST", f"{project}/train") == "BadRequestExceedIterationPerProjectLimit"
