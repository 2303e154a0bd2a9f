"""Tests of manifest lines in the database of a project, while notebooks delete, move and restore its images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import func, select

import customlabels_nb as cl
from customlabels_nb.store import Action, SqlStore, schema
from tests.endpoints.rekognition.service import Service, boxed, classified
from tests.images.pictures import jpeg

LINES = [
    classified("0.jpg", "cat", mine="kept"),
    classified("in/1.jpg", "dog", "cat"),
    boxed("2.jpg", ("cat", 10, 10, 50, 50), ("cat", 20, 20, 50, 50)),
    boxed("3.jpg", ("cat", -5, 0, 20, 20)),
    '{"source-ref": "s3://photos/4.jpg"}',
]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def project(request: pytest.FixtureRequest, service: Service) -> Iterator[cl.Project]:
    """Yield a project made in a notebook, on each database."""
    where = {"store": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}
    project = cl.create_project("rooms", service.root, **where)
    yield project
    project.delete(confirm=True)


def arn_of(service: Service) -> str:
    return str(service.call("describe_projects")["ProjectDescriptions"][0]["ProjectArn"])


def numbers(service: Service, arn: str, **filters: Any) -> str:
    """Return the last characters of the names of entries."""
    return "".join(entry["source-ref"][-5] for entry in service.entries(arn, **filters))


def stored_lines(store: SqlStore) -> int:
    with store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(schema.manifest_lines)) or 0)


def test_entries_follow_the_images_of_the_project(service: Service, project: cl.Project) -> None:
    train = service.dataset(arn_of(service), LINES)
    described = service.settle(train)["DatasetStats"]
    assert described == {"TotalEntries": 5, "LabeledEntries": 3, "TotalLabels": 2, "ErrorEntries": 1}
    assert service.labels(train) == {"cat": (3, 1), "dog": (1, 0)}
    for filters, found in (
        ({"ContainsLabels": ["cat", "bird"]}, "012"),
        ({"ContainsLabels": ["bird"]}, ""),
        ({"Labeled": False}, "34"),
        ({"HasErrors": True}, "3"),
        ({"SourceRefContains": "s/in/"}, "1"),
        ({"SourceRefContains": "S/IN/"}, ""),
    ):
        assert numbers(service, train, **filters) == found, filters
    before = service.entries(train)
    project.update("train", pd.DataFrame({"image": ["s3://photos/0.jpg"], "label": ["bird"]}))
    assert service.labels(train) == {"cat": (2, 1), "dog": (1, 0), "bird": (1, 0)}
    assert (service.entries(train)[0]["mine"], service.entries(train)[1:]) == ("kept", before[1:])
    service.update(train, LINES[0], classified("5.jpg", "dog"))
    assert [numbers(service, train), service.entries(train)[0]] == ["012345", before[0]]
    project.delete_dataset("train", confirm=True)
    assert service.refused("describe_dataset", DatasetArn=train) == "ResourceNotFoundException"
    project.undo()
    assert service.entries(train)[:5] == before


def test_a_dataset_that_a_notebook_restores_is_ready(service: Service, project: cl.Project) -> None:
    train = service.dataset(arn_of(service), LINES)
    service.call("delete_dataset", DatasetArn=train)
    with service.store() as store:
        assert stored_lines(store) == 0
    project.undo()
    (described,) = service.call("describe_projects")["ProjectDescriptions"]
    (dataset,) = described["Datasets"]
    assert (dataset["Status"].endswith("_COMPLETE"), dataset["StatusMessageCode"]) == (True, "SUCCESS")
    assert numbers(service, dataset["DatasetArn"]) == "01234"
    assert "mine" not in service.entries(dataset["DatasetArn"])[0]
    assert service.update(dataset["DatasetArn"], LINES[0])["Status"] == "UPDATE_COMPLETE"
    project.delete_dataset("train", confirm=True)
    assert service.dataset(arn_of(service), LINES) != dataset["DatasetArn"]


def test_images_of_one_source_get_sources_of_their_own(service: Service, project: cl.Project) -> None:
    (service.photos / "0.jpg").write_bytes(jpeg(1, (80, 70)))
    test = service.dataset(arn_of(service), [classified("0.jpg", "dog", mine="kept")], "TEST")
    project.add_images([service.photos / "0.jpg"], label="cat", progress=False)
    (train,) = (one["DatasetArn"] for one in describe(service) if one["DatasetType"] == "TRAIN")
    assert [entry["source-ref"] for entry in service.entries(train)] == ["s3://photos/0.jpg"]
    with service.store() as store:
        names = {split: store.images(split)["image"].tolist() for split in ("train", "test")}
        assert names["test"] == ["s3://photos/0.jpg"] != names["train"]
        store.move_images(names["test"], "test", "train", Action("move", "test"))
    entries = service.entries(train)
    assert (entries[0]["mine"], entries[1]["source-ref"]) == ("kept", "s3://photos/0.jpg")
    assert entries[0]["source-ref"].endswith("/external/s3%3A//photos/0.jpg")
    lines = [json.dumps({**json.loads(classified("x", "bird")), "source-ref": one["source-ref"]}) for one in entries]
    service.update(train, *lines)
    assert (service.labels(train), service.entries(test)) == ({"bird": (2, 0)}, [])


def describe(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.call("describe_projects")["ProjectDescriptions"][0]["Datasets"]
    return found
