"""Tests of entries while notebooks change the same projects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.endpoints.rekognition.manifest_entries import listed_line
from customlabels_nb.store import Action, SqlStore, WriteResult
from tests.endpoints.rekognition.service import Service, boxed, classified
from tests.images.pictures import jpeg

LINES = [
    classified("0.jpg", "cat", mine="kept"),
    classified("1.jpg", "dog", "cat"),
    boxed("2.jpg", ("cat", 10, 10, 50, 50)),
    '{"source-ref": "s3://photos/3.jpg", "mine": 3}',
]


@pytest.fixture
def train(service: Service) -> str:
    """Return the ARN of a training dataset."""
    return service.dataset(service.project(), LINES[:3])


@pytest.fixture
def project(service: Service, train: str) -> Iterator[cl.Project]:
    """Yield the project of the dataset, as a notebook opens it."""
    project = cl.load_project(service.root / "rooms")
    yield project
    project.close()


def label(project: cl.Project, image: str, *labels: str) -> None:
    project.update("train", pd.DataFrame({"image": f"s3://photos/{image}", "label": labels}))


def test_a_notebook_sees_images_and_annotations_by_their_source_refs(project: cl.Project) -> None:
    images = project.train_set.images
    assert images["image"].tolist() == [f"s3://photos/{number}.jpg" for number in range(3)]
    assert project.train_set.label_counts.to_dict() == {"cat": 3, "dog": 1}
    assert project.train_set.annotations["width"].dropna().tolist() == [50]


def test_of_an_adjusted_attribute_only_the_copy_is_a_label(service: Service) -> None:
    line = json.loads(boxed("2.jpg", ("cat", 10, 10, 50, 50)))
    name = next(key for key in line if f"{key}-metadata" in line)
    copy = json.loads(json.dumps(line[name]))
    copy["annotations"][0]["width"] = 30
    facts = {**line[f"{name}-metadata"], "adjustment-status": "adjusted"}
    raw = json.dumps({**line, "adjusted": copy, "adjusted-metadata": facts}, separators=(", ", ": "))
    train = service.dataset(service.project(), [raw])
    project = cl.load_project(service.root / "rooms")
    assert project.train_set.annotations["width"].tolist() == [30]
    project.close()
    assert {**json.loads(raw), "cl-metadata": {"is_labeled": True}} == service.entries(train)[0]


def test_an_edit_in_a_notebook_rewrites_only_its_line(service: Service, train: str, project: cl.Project) -> None:
    before = service.entries(train)
    label(project, "0.jpg", "cat", "bird")
    entries = service.entries(train)
    assert entries[1:] == before[1:]
    assert entries[0]["mine"] == "kept"
    assert entries[0]["class0-metadata"] == before[0]["class0-metadata"]
    assert entries[0]["bird-metadata"]["class-name"] == "bird"
    assert service.labels(train) == {"cat": (3, 1), "dog": (1, 0), "bird": (1, 0)}
    label(project, "1.jpg", "bird")
    assert [key for key in service.entries(train)[1] if "class" in key] == []
    assert service.labels(train)["bird"] == (2, 0)
    assert service.entries(train, HasErrors=True) == []


def test_boxes_of_a_notebook_replace_those_of_the_line(service: Service, train: str, project: cl.Project) -> None:
    table = {
        "image": "s3://photos/2.jpg",
        "label": ["dog"],
        "left": [1.5],
        "top": [2.0],
        "width": [30.0],
        "height": [40.0],
    }
    project.update("train", pd.DataFrame(table))
    entry = service.entries(train)[2]
    assert "box" not in entry
    assert entry["bounding-box"]["annotations"] == [
        {"class_id": 0, "left": 1.5, "top": 2.0, "width": 30.0, "height": 40.0}
    ]
    assert entry["bounding-box"]["image_size"][0]["width"] == 200
    assert service.labels(train) == {"cat": (2, 0), "dog": (2, 1)}
    assert service.entries(train, HasErrors=True) == []


def test_renaming_a_label_is_seen(service: Service, train: str, project: cl.Project) -> None:
    project.labels.rename("cat", "kitten")
    assert service.labels(train) == {"kitten": (3, 1), "dog": (1, 0)}
    assert [entry["source-ref"][-5] for entry in service.entries(train, ContainsLabels=["kitten"])] == ["0", "1", "2"]


def test_removed_moved_and_restored_images_are_seen(service: Service, train: str, project: cl.Project) -> None:
    before = service.entries(train)
    project.remove("train", ["s3://photos/0.jpg"])
    assert service.entries(train) == before[1:]
    project.undo()
    assert service.entries(train) == before
    with service.store() as store:
        store.move_images(["s3://photos/1.jpg"], "train", "test", Action("move", "test"))
    (described,) = service.call("describe_projects")["ProjectDescriptions"]
    test = described["Datasets"][1]["DatasetArn"]
    assert service.entries(test) == [before[1]]
    assert len(service.entries(train)) == 2


def test_an_update_after_an_edit_wins(service: Service, train: str, project: cl.Project) -> None:
    label(project, "0.jpg", "bird")
    service.update(train, LINES[0])
    assert service.entries(train)[0]["class0-metadata"]["class-name"] == "cat"
    assert project.train_set.label_counts.to_dict() == {"cat": 3, "dog": 1, "bird": 0}
    label(project, "1.jpg", "bird")
    service.update(train, LINES[3])
    assert [entry["source-ref"][-5] for entry in service.entries(train)] == ["0", "1", "2", "3"]
    assert service.labels(train)["bird"] == (1, 0)


def test_an_edit_before_the_lines_of_an_update_are_stored_is_seen(
    service: Service, train: str, project: cl.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = SqlStore.add_parts

    def edited(*arguments: Any, **options: Any) -> WriteResult:
        result = add(*arguments, **options)
        monkeypatch.undo()
        label(project, "0.jpg", "bird")
        return result

    monkeypatch.setattr(SqlStore, "add_parts", edited)
    service.update(train, classified("0.jpg", "dog", mine="new"), LINES[3])
    entry = service.entries(train, ContainsLabels=["bird"])[0]
    assert (entry["mine"], entry["bird-metadata"]["class-name"], "class0" in entry) == ("new", "bird", False)


def test_a_line_whose_attribute_is_named_like_metadata_can_be_changed(
    service: Service, train: str, project: cl.Project
) -> None:
    attribute = {"type": "groundtruth/image-classification", "class-name": "cat"}
    more = {"a": 1, "a-metadata": attribute, "a-metadata-metadata": {"type": "other"}}
    service.update(train, classified("0.jpg", "dog", **more))
    label(project, "0.jpg", "cat", "bird")
    assert service.entries(train)[0]["a-metadata"] == attribute
    label(project, "0.jpg", "bird")
    assert service.labels(train)["bird"] == (1, 0)
    assert not service.entries(train)[0].keys() & {"a", "a-metadata"}


def test_correcting_a_line_with_errors_in_a_notebook_frees_it(
    service: Service, train: str, project: cl.Project
) -> None:
    service.update(train, boxed("2.jpg", ("cat", 190, 10, 50, 50)))
    assert len(service.entries(train, HasErrors=True)) == 1
    label(project, "2.jpg", "dog")
    assert service.entries(train, HasErrors=True) == []
    assert service.labels(train) == {"cat": (2, 0), "dog": (2, 0)}


def test_deleting_the_dataset_in_a_notebook_ends_it(service: Service, train: str, project: cl.Project) -> None:
    project.delete_dataset("train", confirm=True)
    assert service.refused("describe_dataset", DatasetArn=train) == "ResourceNotFoundException"


def test_work_on_versions_reads_no_images_again(
    service: Service, train: str, project: cl.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.entries(train)
    project.tags["a"] = "b"
    monkeypatch.setattr(SqlStore, "tables", None)
    assert len(service.entries(train)) == 3


# -- projects made in Python ------------------------------------------------------------------------
def test_local_images_are_listed_as_objects(service: Service, tmp_path: Path) -> None:
    project = cl.create_project("küche", service.root)
    for folder, name in ((service.photos, "in bucket.jpg"), (tmp_path, "outside of it ü.jpg")):
        (folder / name).write_bytes(jpeg(len(name), (80, 70)))
        project.add_images([folder / name], label="cat", progress=False)
    (tmp_path / "copied.jpg").write_bytes(jpeg(5, (80, 70)))
    project.add_images([tmp_path / "copied.jpg"], label="dog", copy=True, progress=False)
    (described,) = service.call("describe_projects")["ProjectDescriptions"]
    (dataset,) = described["Datasets"]
    assert (dataset["Status"], dataset["StatusMessageCode"]) == ("UPDATE_COMPLETE", "SUCCESS")
    arn = dataset["DatasetArn"]
    found = [entry["source-ref"] for entry in service.entries(arn, Labeled=True, HasErrors=False)]
    console = service.server.rekognition.folder.buckets.console
    assert console.startswith("custom-labels-console-us-east-1-")
    assert found[0] == "s3://photos/in bucket.jpg"
    assert found[1].startswith(f"s3://{console}/external/")
    assert found[2].startswith(f"s3://{console}/küche/images/")
    assert service.entries(arn, HasErrors=True) == []
    assert service.labels(arn) == {"cat": (2, 0), "dog": (1, 0)}
    # a client can change them by these names
    lines = [json.dumps(json.loads(classified("x", "bird")) | {"source-ref": source}) for source in found]
    service.update(arn, *lines)
    assert project.train_set.label_counts.to_dict() == {"cat": 0, "dog": 0, "bird": 3}
    assert len(project.train_set.images) == 3
    project.close()


def test_a_listed_line_is_one_line() -> None:
    raw = '{"source-ref": "s3://a/b",\r "x": "\u2028\x85"}'.encode()
    listed = listed_line(raw, True, None)
    assert len(listed.splitlines()) == 1
    assert json.loads(listed) == {"source-ref": "s3://a/b", "x": "\u2028\x85", "cl-metadata": {"is_labeled": True}}
