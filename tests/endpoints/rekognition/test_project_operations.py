"""Tests of creating, describing and deleting projects, beside projects made in Python."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.endpoints import project_folders, served_versions
from customlabels_nb.endpoints.rekognition import project_operations
from customlabels_nb.store import Action, VersionRecord
from tests.endpoints.rekognition.service import Service, classified


def names(service: Service, **request: object) -> list[str]:
    return [
        one["ProjectArn"].split("/")[1] for one in service.call("describe_projects", **request)["ProjectDescriptions"]
    ]


def test_a_project_is_created_described_and_deleted(service: Service) -> None:
    before = time.time()
    arn = service.call("create_project", ProjectName="rooms", Feature="CUSTOM_LABELS", Tags={"team": "a b"})[
        "ProjectArn"
    ]
    (found,) = service.call("describe_projects")["ProjectDescriptions"]
    assert abs(found.pop("CreationTimestamp").timestamp() - before) < 20
    assert found == {"ProjectArn": arn, "Status": "CREATED", "Feature": "CUSTOM_LABELS", "Datasets": []}
    project = cl.load_project(service.root / "rooms")
    assert project.tags == {"team": "a b"}
    project.close()
    assert service.call("delete_project", ProjectArn=arn) == {"Status": "DELETING"}
    assert service.call("describe_projects", ProjectNames=["rooms"]) == {"ProjectDescriptions": []}
    assert not (service.root / "rooms").exists()
    assert service.refused("delete_project", ProjectArn=arn) == "ResourceNotFoundException"


def test_a_name_exists_once_and_again_with_other_digits(service: Service) -> None:
    arn = service.project()
    assert service.refused("create_project", ProjectName="rooms") == "ResourceInUseException"
    service.call("delete_project", ProjectArn=arn)
    again = service.project()
    assert again.rpartition("/")[0] == arn.rpartition("/")[0]
    assert again != arn
    assert service.refused("delete_project", ProjectArn=arn) == "ResourceNotFoundException"


def test_adapters_are_not_supported(service: Service) -> None:
    assert (
        service.refused("create_project", ProjectName="a", Feature="CONTENT_MODERATION") == "InvalidParameterException"
    )
    assert service.refused("create_project", ProjectName="a", AutoUpdate="ENABLED") == "InvalidParameterException"
    assert service.call("create_project", ProjectName="a", AutoUpdate="DISABLED")


@pytest.mark.parametrize("name", ["x" * 255, "ends.", "-x", ".x", ".rekognition", "..", "_", "0"])
def test_names_that_cannot_be_folders_are_kept_in_the_arn(service: Service, name: str) -> None:
    arn = service.project(name)
    assert arn.split("/")[1] == name
    assert names(service, ProjectNames=[name]) == [name]
    service.restart()
    assert names(service) == [name]
    assert service.dataset(arn).startswith(arn.rpartition("/")[0])
    service.call("delete_project", ProjectArn=arn)
    assert names(service) == []


def test_names_that_differ_by_case_have_folders_of_their_own(service: Service) -> None:
    for name in ("rooms", "Rooms", "ROOMS", "project-2"):
        service.project(name)
    assert names(service) == ["project-2", "ROOMS", "Rooms", "rooms"]
    assert len({folder.name.casefold() for folder in service.root.iterdir()}) == 5


def test_unknown_names_and_other_features_are_left_out(service: Service) -> None:
    service.project("a")
    assert names(service, ProjectNames=["a", "b"]) == ["a"]
    assert names(service, ProjectNames=["b"]) == []
    assert names(service, Features=["CONTENT_MODERATION"]) == []
    assert names(service, Features=["CONTENT_MODERATION", "CUSTOM_LABELS"]) == ["a"]


def test_arns_of_other_accounts_regions_and_kinds_name_nothing(service: Service) -> None:
    arn = service.project()
    dataset = service.dataset(arn)
    for other in (
        arn.replace("123456789012", "111122223333"),
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("rooms", "Rooms"),
        f"{arn}0",
        f"{arn[:-1]}{(int(arn[-1]) + 1) % 10}",
    ):
        assert service.refused("delete_project", ProjectArn=other) == "ResourceNotFoundException"
        assert service.refused("create_dataset", ProjectArn=other, DatasetType="TEST") == "ResourceNotFoundException"
    assert (
        service.refused("describe_dataset", DatasetArn=dataset.replace("train", "test")) == "ResourceNotFoundException"
    )
    assert service.refused("delete_project", ProjectArn=dataset) == "InvalidParameterException"
    assert service.refused("delete_project", ProjectArn="arn:aws:rekognition:x:y") == "InvalidParameterException"


def test_a_project_with_versions_is_kept(service: Service) -> None:
    arn = service.project()
    service.add_version(version("v1"))
    assert service.refused("delete_project", ProjectArn=arn) == "ResourceInUseException"
    with service.store() as store:
        store.delete_version("v1", Action("delete", "test"))
    service.call("delete_project", ProjectArn=arn)


def version(name: str) -> VersionRecord:
    now = datetime.now(UTC)
    return VersionRecord(name, "TRAINING_FAILED", "", f"versions/{name}", now, now)


def test_concurrent_creation_makes_one_project(service: Service) -> None:
    def create(_: int) -> str:
        try:
            return str(service.call("create_project", ProjectName="rooms")["ProjectArn"])
        except service.client.exceptions.ResourceInUseException:
            return ""

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(8)))
    assert len([arn for arn in made if arn]) == 1
    assert names(service) == ["rooms"]


@pytest.mark.parametrize("how", ["endpoint", "notebook"])
@pytest.mark.parametrize("read", ["refresh_entries", "versions_of"])
def test_a_project_that_is_deleted_while_all_are_read_is_left_out(
    service: Service, monkeypatch: pytest.MonkeyPatch, how: str, read: str
) -> None:
    first = service.project("a")
    service.project("b")
    module = project_operations if read == "refresh_entries" else served_versions
    original, client, deleted = getattr(module, read), service.new_client(), list[str]()

    def deleting(served: Any) -> Any:
        if served.name == "a" and not deleted:
            deleted.append("a")
            if how == "endpoint":
                client.delete_project(ProjectArn=first)
            else:
                cl.load_project(service.root / "a").delete(confirm=True)
        return original(served)

    monkeypatch.setattr(module, read, deleting)
    if read == "refresh_entries":
        assert names(service) == ["b"]
    else:
        served_versions.check_quota(service.server.rekognition.folder, "copies", "RUNNING")
    assert deleted == ["a"]


def test_a_project_that_cannot_be_read_is_an_error(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.project()
    monkeypatch.setattr(project_operations, "refresh_entries", lambda _: 1 / 0)
    assert service.refused("describe_projects") == "InternalServerError"


# -- projects made in Python ------------------------------------------------------------------------
def test_projects_made_in_python_appear_and_disappear(service: Service) -> None:
    project = cl.create_project("Küche 1", service.root)
    (found,) = service.call("describe_projects")["ProjectDescriptions"]
    name, digits = found["ProjectArn"].split("/")[1:]
    assert name == f"K-che-1-{digits}"
    with service.store("Küche 1") as store:
        assert found["CreationTimestamp"] == store.project().created
    project.delete(confirm=True)
    assert names(service) == []
    assert not (service.root / "Küche 1").exists()


def test_a_renamed_project_keeps_its_digits(service: Service) -> None:
    arn = service.project()
    dataset = service.dataset(arn, [classified("1.jpg", "a"), classified("2.jpg", "b")])
    project = cl.load_project(service.root / "rooms")
    project.rename("flats")
    project.close()
    (found,) = service.call("describe_projects")["ProjectDescriptions"]
    assert found["ProjectArn"] == arn.replace("rooms", "flats")
    assert service.refused("delete_project", ProjectArn=arn) == "ResourceNotFoundException"
    assert len(service.entries(dataset.replace("rooms", "flats"))) == 2


def test_a_copied_folder_gets_an_arn_of_its_own(service: Service) -> None:
    import shutil

    service.project()
    shutil.copytree(service.root / "rooms", service.root / "copy")
    arns = {one["ProjectArn"] for one in service.call("describe_projects")["ProjectDescriptions"]}
    assert len({arn.rpartition("/")[2] for arn in arns}) == 2


def test_a_damaged_project_hides_no_others(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.project()
    (service.root / "broken").mkdir()
    (service.root / "broken" / "project.db").write_bytes(b"no database")
    (service.root / "notes.txt").write_text("")
    tried: list[str] = []
    load = project_folders.load_project
    monkeypatch.setattr(project_folders, "load_project", lambda folder: tried.append(folder.name) or load(folder))
    assert names(service) == ["rooms"] == names(service)
    assert caplog.text.count("broken") >= 1
    assert tried.count("broken") == 1  # because a database that does not answer takes long
