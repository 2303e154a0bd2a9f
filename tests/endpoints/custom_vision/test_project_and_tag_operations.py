"""Tests of projects, domains and tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision import project_and_tag_operations
from customlabels_nb.endpoints.custom_vision.project_records import read_tags
from customlabels_nb.endpoints.project_folders import ServedProject
from tests.endpoints.custom_vision.vision_service import NOBODY, VisionService, picture

HOSTILE = [
    "../../up",
    "a/b\\c:*?",
    "CON",
    " spaced ",
    "日本 🍎",
    "'; DROP TABLE labels; --",
    "<b>x</b>",
    "x" * 256,
    "%2e%2e",
]
DETECTION = "da2e3a8a-40a5-4171-82f4-58522f70fbc1"


def test_domains_are_those_of_the_service(vision: VisionService) -> None:
    domains = {domain["id"]: domain for domain in vision.call("GET", "domains")}
    assert len(domains) == 17
    assert domains[DETECTION]["type"] == "ObjectDetection"
    compact = domains["0732100f-1a38-4e49-a514-c9b44c697ab5"]
    assert (compact["name"], compact["exportablePlatforms"]) == ("General (compact)", ["ONNX"])
    assert vision.call("GET", f"domains/{DETECTION.upper()}") == domains[DETECTION]
    assert vision.refused("GET", f"domains/{NOBODY}", 404) == "NotFoundDomain"


def test_projects_have_free_names_and_safe_folders(vision: VisionService) -> None:
    made = {vision.project(name): name.strip() for name in [*HOSTILE, "twice", "twice"]}
    listed = {f"projects/{each['id']}": each["name"] for each in vision.call("GET", "projects")}
    assert listed == made
    assert {path.name for path in vision.root.parent.iterdir()} == {"root"}
    vision.restart()
    assert {f"projects/{each['id']}": each["name"] for each in vision.call("GET", "projects")} == made
    for project in made:
        vision.call("DELETE", project, 204)
    assert vision.call("GET", "projects") == []
    assert [path.name for path in vision.root.iterdir()] == [".endpoints"]


def test_a_project_has_the_task_of_its_domain_and_type(vision: VisionService) -> None:
    cases = [
        ({}, t.MULTI_LABEL, "Multilabel"),
        ({"classificationType": "multiclass"}, t.SINGLE_LABEL, "Multiclass"),
        ({"domainId": DETECTION, "description": "Tools"}, t.BOXES, None),
    ]
    for number, (query, task, kind) in enumerate(cases):
        made = vision.call("POST", "projects", params={"name": f"p{number}", **query})
        assert made["settings"]["classificationType"] == kind
        assert made["description"] == query.get("description", "")
        assert made == vision.call("GET", f"projects/{made['id']}")
        with_python = cl.load_project(vision.root / f"p{number}")
        assert with_python.task == task
        with_python.close()
    for query, code in (
        ({}, "BadRequestRequiredParamIsNull"),
        ({"name": " "}, "BadRequestRequiredParamIsNull"),
        ({"name": "x" * 257}, "BadRequestProjectName"),
        ({"name": "x", "domainId": NOBODY}, "BadRequestProjectUnknownDomain"),
        ({"name": "x", "classificationType": "Both"}, "BadRequestInvalid"),
        ({"name": "x", "targetExportPlatforms": "Toaster"}, "BadRequestProjectUnsupportedExportPlatform"),
        ({"name": "\0"}, "BadRequestInvalid"),
    ):
        assert vision.refused("POST", "projects", params=query) == code
    assert len(vision.call("GET", "projects")) == len(cases)


def test_projects_are_updated(vision: VisionService) -> None:
    project = vision.project("before", targetExportPlatforms="onnx,CoreML")
    made = vision.call("GET", project)
    assert made["settings"]["targetExportPlatforms"] == ["ONNX", "CoreML"]
    food = "c151d5b5-dd07-472a-acc8-15d29dea8518"
    settings = {"domainId": food, "classificationType": "Multilabel", "targetExportPlatforms": ["ONNX"]}
    body = {"name": "after/1", "description": "Rooms", "settings": settings}
    changed = vision.call("PATCH", project, json=body)
    assert changed == vision.call("GET", project)
    assert (changed["id"], changed["name"], changed["description"]) == (made["id"], "after/1", "Rooms")
    assert changed["settings"].items() >= settings.items()
    assert changed["lastModified"] > made["lastModified"]
    assert vision.call("PATCH", project, json={})["name"] == "after/1"
    wrong = {"settings": {"domainId": DETECTION}}
    assert vision.refused("PATCH", project, json=wrong) == "BadRequestProjectUnsupportedDomainTypeChange"
    assert vision.refused("PATCH", project, json={"name": ""}) == "BadRequestRequiredParamIsNull"
    assert vision.refused("PATCH", project, json={"settings": "x"}) == "BadRequestInvalid"


def test_tags_are_labels(vision: VisionService) -> None:
    project = vision.project()
    red, blue = vision.tag(project, " red "), vision.tag(project, "blue")
    image = vision.add(project, picture(), red)
    assert [(tag["tagName"], tag["tagId"]) for tag in image["tags"]] == [("red", red)]
    body = {"name": "scarlet", "description": "A colour", "type": "Regular"}
    changed = vision.call("PATCH", f"{project}/tags/{red}", json=body)
    assert changed == {"id": red, **body, "imageCount": 1}
    assert vision.call("GET", f"{project}/tags/{red}") == changed
    again = vision.tag(project, "red")  # whose id would be that of the first tag if it depended on the name alone
    assert [(tag["id"], tag["name"], tag["imageCount"]) for tag in vision.call("GET", f"{project}/tags")] == [
        (red, "scarlet", 1), (blue, "blue", 0), (again, "red", 0),
    ]  # fmt: skip
    assert len({red, blue, again}) == 3
    vision.call("DELETE", f"{project}/tags/{red}", 204)
    assert vision.refused("GET", f"{project}/tags/{red}", 404) == "NotFoundTag"
    assert vision.call("GET", f"{project}/images/untagged/count") == 1


def test_tags_that_cannot_be_are_refused(vision: VisionService) -> None:
    project = vision.project()
    red = vision.tag(project, "red")
    vision.tag(project, "none", "Negative")
    for query, code in (
        ({"name": "RED"}, "BadRequestTagNameNotUnique"),
        ({"name": "None"}, "BadRequestTagNameNotUnique"),
        ({"name": "nothing", "type": "negative"}, "BadRequestMultipleNegativeTag"),
        ({"name": "x" * 257}, "BadRequestTagName"),
        ({"name": "x" * 257, "type": "Negative"}, "BadRequestTagName"),
        ({"name": "x", "type": "Odd"}, "BadRequestInvalid"),
        ({}, "BadRequestRequiredParamIsNull"),
    ):
        assert vision.refused("POST", f"{project}/tags", params=query) == code
    for body, code in (
        ({"name": "none"}, "BadRequestTagNameNotUnique"),
        ({"name": "red", "type": "Negative"}, "BadRequestTagType"),
        ({"name": "x" * 300}, "BadRequestTagName"),
    ):
        assert vision.refused("PATCH", f"{project}/tags/{red}", json=body) == code
    assert [tag["name"] for tag in vision.call("GET", f"{project}/tags")] == ["red", "none"]


def test_a_negative_tag_says_that_no_label_applies(vision: VisionService) -> None:
    project = vision.project("rooms")
    red, none = vision.tag(project, "red"), vision.tag(project, "none", "Negative")
    first, second = vision.add(project, picture(random_state=1), none), vision.add(project, picture(random_state=2))
    assert [tag["tagId"] for tag in first["tags"]] == [none]
    body = {"tags": [{"imageId": second["id"], "tagId": none}, {"imageId": second["id"], "tagId": none}]}
    answer = vision.call("POST", f"{project}/images/tags", json=body)
    assert [len(answer[name]) for name in ("created", "duplicated", "exceeded")] == [1, 1, 0]
    python = cl.load_project(vision.root / "rooms")
    assert python.train_set.images["status"].tolist() == ["labelled", "labelled"]
    assert (len(python.train_set.annotations), list(python.labels)) == (0, ["red"])
    python.close()
    body = {"tags": [{"imageId": first["id"], "tagId": red}]}
    code = "BadRequestNegativeAndRegularTagOnSameImage"
    assert vision.refused("POST", f"{project}/images/tags", json=body) == code
    query = {"imageIds": first["id"], "tagIds": none}
    vision.call("DELETE", f"{project}/images/tags", 204, params=query)
    assert vision.call("GET", f"{project}/tags/{none}")["imageCount"] == 1
    vision.call("POST", f"{project}/images/tags", json=body)
    body = {"tags": [{"imageId": first["id"], "tagId": none}]}
    assert vision.refused("POST", f"{project}/images/tags", json=body) == code
    vision.call("DELETE", f"{project}/tags/{none}", 204)
    assert vision.call("GET", f"{project}/images/untagged/count") == 1


def test_quotas_are_enforced_on_request_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "customlabels_nb.endpoints.custom_vision.project_and_tag_operations"
    monkeypatch.setattr(f"{module}._MOST_PROJECTS", 1)
    monkeypatch.setattr(f"{module}._MOST_TAGS", 1)
    for limited in (False, True):
        with VisionService(tmp_path / str(limited), service_limits=limited) as service:
            project = service.project()
            service.tag(project, "a")
            if limited:
                assert service.refused("POST", "projects?name=x") == "BadRequestExceedProjectLimit"
                assert service.refused("POST", f"{project}/tags?name=b") == "BadRequestExceedTagPerProjectLimit"
            else:
                service.tag(service.project(), "b")
                service.tag(project, "b")


def test_requests_about_a_project_that_is_deleted_meanwhile_do_not_find_it(
    vision: VisionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = vision.project()

    def delete_first(served: ServedProject) -> Any:
        vision.call("DELETE", project, 204)
        return read_tags(served)  # fails, because the database is closed

    monkeypatch.setattr(project_and_tag_operations, "read_tags", delete_first)
    assert vision.refused("GET", f"{project}/tags", 404) == "NotFoundProject"
