"""Tests of tags: on projects, datasets and versions, in Python and through the endpoint."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

import customlabels_nb as cl
from customlabels_nb.endpoints.rekognition.workspace import version_arn
from customlabels_nb.endpoints.served_versions import ServedVersion, end_job
from customlabels_nb.errors import InputError
from tests.endpoints.rekognition.service import Service, classified
from tests.endpoints.rekognition.test_project_operations import version
from tests.endpoints.rekognition.test_version_operations import OUTPUT, settle
from tests.endpoints.rekognition.training import replace_process


def tags(service: Service, arn: str) -> dict[str, str]:
    found: dict[str, str] = service.call("list_tags_for_resource", ResourceArn=arn)["Tags"]
    return found


@pytest.mark.parametrize("kind", ["project", "dataset", "version"])
def test_tags_are_merged_and_removed(service: Service, kind: str) -> None:
    project = service.project()
    arn = project if kind == "project" else service.dataset(project, [classified("1.jpg", "a")])
    python = cl.load_project(service.root / "rooms")
    if kind == "version":
        service.add_version(replace(version("v"), status="STOPPED"))
        python.model("v").describe("Küche")
        (found,) = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
        assert "VersionDescription" not in found  # it has a letter that the service does not allow
        arn = found["ProjectVersionArn"]
    assert tags(service, arn) == {}
    service.call("tag_resource", ResourceArn=arn, Tags={"team": "a", "Größe @ 1": "日本 +-=._:/", "description": "d"})
    service.call("tag_resource", ResourceArn=arn, Tags={"team": "b", "empty": ""})
    service.call("tag_resource", ResourceArn=arn, Tags={})
    expected = {"team": "b", "Größe @ 1": "日本 +-=._:/", "description": "d", "empty": ""}
    assert tags(service, arn) == expected
    stored = {
        "project": lambda: python.tags,
        "dataset": lambda: python.datasets["tags"].iloc[0],
        "version": lambda: python.versions["tags"].iloc[0],
    }
    assert stored[kind]() == expected
    service.restart()
    service.call("untag_resource", ResourceArn=arn, TagKeys=["team", "unknown"])
    expected.pop("team")
    assert tags(service, arn) == stored[kind]() == expected
    wrong_key = {"ResourceArn": arn, "TagKeys": ["aws:description"]}
    assert service.refused("untag_resource", **wrong_key) == "InvalidParameterException"
    if kind == "version":
        assert python.model("v").description == "Küche"
    many = {str(number): "" for number in range(200 - len(expected))}
    service.call("tag_resource", ResourceArn=arn, Tags=many)
    assert len(tags(service, arn)) == 200
    assert service.refused("tag_resource", ResourceArn=arn, Tags={"more": ""}) == "ServiceQuotaExceededException"
    service.call("tag_resource", ResourceArn=arn, Tags={"0": "changed"})
    for wrong in ({"aws:x": "a"}, {"a": "b" * 257}, {"a!": "b"}):
        assert service.refused("tag_resource", ResourceArn=arn, Tags=wrong) == "InvalidParameterException"
    for unknown, code in ((f"{arn}1", "ResourceNotFoundException"), ("x" * 20, "InvalidParameterException")):
        assert service.refused("list_tags_for_resource", ResourceArn=unknown) == code
        assert service.refused("tag_resource", ResourceArn=unknown, Tags={"a": "b"}) == code
    python.close()


def test_operations_that_create_take_tags(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_process(monkeypatch)
    arn = service.call("create_project", ProjectName="rooms", Tags={"a": "1"})["ProjectArn"]
    request = {"ProjectArn": arn, "DatasetType": "TRAIN", "Tags": {"b": "2"}}
    dataset = service.call("create_dataset", **request)["DatasetArn"]
    service.update(dataset, classified("1.jpg", "a"))
    workspace = service.server.rekognition.folder
    request = {"ProjectArn": arn, "VersionName": "v", "OutputConfig": OUTPUT}
    with workspace.training:
        made = service.call("create_project_version", **request, Tags={"c": "3"}, VersionDescription="For (all)")
        one = made["ProjectVersionArn"]
        assert [tags(service, each) for each in (arn, dataset, one)] == [{"a": "1"}, {"b": "2"}, {"c": "3"}]
        service.call("tag_resource", ResourceArn=one, Tags={"d": "4"})  # while it is being trained
    assert settle(service, one)["VersionDescription"] == "For (all)"
    assert tags(service, one) == {"c": "3", "d": "4"}
    python = cl.load_project(service.root / "rooms")
    assert (python.versions["tags"].iloc[0], python.model("v").description) == ({"c": "3", "d": "4"}, "For (all)")
    python.close()


def test_tags_of_notebooks_are_kept_when_a_training_ends(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    project = service.project()
    service.dataset(project, [classified("1.jpg", "a")])

    def trained(served: ServedVersion) -> None:
        with closing(cl.load_project(service.root / "rooms")) as python:
            service.call("tag_resource", ResourceArn=str(version_arn(served)), Tags={"client": "2", "late": "1"})
            service.call("untag_resource", ResourceArn=str(version_arn(served)), TagKeys=["gone"])
            del python.model("v").tags["removed"]
            python.model("v").tags["notebook"] = "1"
            end_job(served.served.store, "v", "TRAINING_FAILED", "It failed.")

    replace_process(monkeypatch, trained)
    request = {"ProjectArn": project, "VersionName": "v", "OutputConfig": OUTPUT}
    given = dict.fromkeys(("kept", "client", "gone", "removed"), "1")
    arn = service.call("create_project_version", **request, Tags=given)["ProjectVersionArn"]
    assert settle(service, arn)["StatusMessage"] == "It failed."
    assert tags(service, arn) == {"kept": "1", "client": "2", "late": "1", "notebook": "1"}


def test_python_tags_datasets(service: Service) -> None:
    dataset = service.dataset(service.project(), [classified("1.jpg", "a")])
    python = cl.load_project(service.root / "rooms")
    stored = python.train_set.tags
    stored.update(site="north", camera="left")
    del stored["camera"]
    stored["team"] = "a"
    assert stored == tags(service, dataset) == {"site": "north", "team": "a"}
    with pytest.raises(InputError, match="has no test set"):
        python.test_set.tags["a"] = "b"
    with pytest.raises(InputError, match="tags="):
        stored["a"] = 1  # type: ignore[assignment]
    with pytest.raises(KeyError):
        del stored["camera"]
    python.close()
