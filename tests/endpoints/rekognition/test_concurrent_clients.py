"""Tests of many clients at once, of polls right after changes, of notebooks that write meanwhile, and of a detector."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import customlabels_nb as cl
from tests.conftest import ROOT
from tests.endpoints.rekognition.server_process import ServerProcess
from tests.endpoints.rekognition.service import Service, classified
from tests.endpoints.rekognition.test_version_operations import settle, train
from tests.endpoints.rekognition.training import LABELS, OUTPUT, paint, paint_boxes, paint_several, train_here

_CLIENTS = 32


@pytest.mark.exhaustive
def test_many_clients_detect_while_a_model_is_trained(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--engine", "torch") as server:
        project = server.client.create_project(ProjectName="rooms")["ProjectArn"]
        server.dataset(project, paint(server.photos))
        request = {"ProjectArn": project, "OutputConfig": OUTPUT}
        server.client.create_project_version(**request, VersionName="v1")
        arn = server.settle(project, "v1")["ProjectVersionArn"]
        server.client.start_project_version(ProjectVersionArn=arn, MinInferenceUnits=1)
        assert server.settle(project, "v1")["Status"] == "RUNNING"

        server.client.create_project_version(**request, VersionName="v2")
        seconds = []
        for _ in range(100):
            start = time.perf_counter()
            status = server.version(project, "v2")["Status"]
            seconds.append(time.perf_counter() - start)
        assert status == "TRAINING_IN_PROGRESS"
        assert np.quantile(seconds, 0.95) < 0.1

        photos = [(server.photos / f"{number}.jpg").read_bytes() for number in range(12)]

        def detect(number: int) -> list[str]:
            client = server.new_client()  # with the retries of boto3's defaults
            found = []
            for each in range(number, number + 3):
                answer = client.detect_custom_labels(ProjectVersionArn=arn, Image={"Bytes": photos[each % 12]})
                found.append(answer["CustomLabels"][0]["Name"] == ["red", "blue"][each % 2])
            return found

        with ThreadPoolExecutor(_CLIENTS) as pool:
            assert all(all(found) for found in pool.map(detect, range(_CLIENTS)))
        assert server.settle(project, "v2")["Status"] == "TRAINING_COMPLETED"
        server.client.stop_project_version(ProjectVersionArn=arn)


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=pytest.mark.exhaustive)])
def test_a_poll_right_after_a_change_shows_it(service: Service, rounds: int) -> None:
    lines = [classified(f"{number}.jpg", "ab"[number % 2]) for number in range(10)]
    source = service.manifest(lines)
    for number in range(rounds):
        project = service.project(f"p{number}")
        (found,) = service.call("describe_projects", ProjectNames=[f"p{number}"])["ProjectDescriptions"]
        assert found["ProjectArn"] == project
        arns = []
        for kind, given in (("TRAIN", {"DatasetSource": source}), ("TEST", {})):
            arn = service.call("create_dataset", ProjectArn=project, DatasetType=kind, **given)["DatasetArn"]
            status = service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]
            assert status["Status"] in ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
            assert status.keys() >= {"StatusMessage", "StatusMessageCode", "DatasetStats", "LastUpdatedTimestamp"}
            service.settle(arn)
            arns.append(arn)
        changes = {"GroundTruth": classified("x.jpg", "a").encode()}
        service.call("update_dataset_entries", DatasetArn=arns[0], Changes=changes)
        status = service.call("describe_dataset", DatasetArn=arns[0])["DatasetDescription"]
        assert status["Status"].startswith("UPDATE_")
        service.settle(arns[0])
        service.call("distribute_dataset_entries", Datasets=[{"Arn": arn} for arn in arns])
        for arn in arns:
            status = service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]
            assert status["Status"].startswith("UPDATE_")
        assert [service.settle(arn)["DatasetStats"]["TotalEntries"] for arn in arns] == [9, 2]
        for arn in arns:
            service.call("delete_dataset", DatasetArn=arn)
            assert service.refused("describe_dataset", DatasetArn=arn) == "ResourceNotFoundException"
        service.call("delete_project", ProjectArn=project)
        assert service.call("describe_projects", ProjectNames=[f"p{number}"])["ProjectDescriptions"] == []


#: Notebook that labels images in rounds: those that it alone labels, those that clients label too, and new ones.
_NOTEBOOK = """
import json, sys
import pandas as pd
import customlabels_nb as cl

project = cl.load_project(sys.argv[1])
print("open", flush=True)
for number in range(int(sys.argv[2])):
    chosen = [f"s3://photos/{each}.jpg" for each in (number % 10, (number + 1) % 10, 10 + number % 10)]
    while True:
        try:
            project.update("train", pd.DataFrame({"image": chosen, "label": f"notebook{number}"}))
            break
        except cl.CustomLabelsError as error:
            assert type(error).__name__ == "StaleEditError", error
    added = json.loads(sys.argv[3].replace("0.jpg", f"notebook{number}.jpg"))
    project.update_entries("train", [added], progress=False)
project.close()
"""


@pytest.mark.parametrize("rounds", [4, pytest.param(12, marks=pytest.mark.exhaustive)])
def test_a_notebook_and_clients_write_in_the_same_project(service: Service, rounds: int) -> None:
    arn = service.dataset(service.project(), [classified(f"{number}.jpg", "a") for number in range(30)])
    command = [sys.executable, "-c", _NOTEBOOK, str(service.root / "rooms"), str(rounds), classified("0.jpg", "new")]
    notebook = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert notebook.stdout is not None
    assert notebook.stdout.readline() == "open\n"
    sent: dict[str, str] = {}
    number, before = 0, 30
    while number < rounds or notebook.poll() is None:
        keys = [f"{each}.jpg" for each in (10 + number % 10, 20 + number % 10)] + [f"client{number}.jpg"]
        lines = [classified(key, f"client{number}", mine=number) for key in keys]
        assert service.update(arn, *lines)["Status"] == "UPDATE_COMPLETE"
        sent |= {f"s3://photos/{key}": line for key, line in zip(keys, lines, strict=True)}
        described = service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]["DatasetStats"]
        assert described["ErrorEntries"] == 0
        assert described["TotalEntries"] >= before + 1, "no entry is lost"
        before, number = described["TotalEntries"], number + 1
    assert notebook.wait() == 0

    python = cl.load_project(service.root / "rooms")
    marks = python.train_set.annotations
    stored = marks.groupby("image")["label"].agg(list).to_dict()
    names = {f"{each}" for each in range(30)} | {f"client{each}" for each in range(number)}
    names |= {f"notebook{each}" for each in range(rounds)}
    assert set(python.train_set.images["image"]) == {f"s3://photos/{name}.jpg" for name in names}
    entries = service.call("list_dataset_entries", DatasetArn=arn)
    found = list(entries["DatasetEntries"])
    while "NextToken" in entries:
        entries = service.call("list_dataset_entries", DatasetArn=arn, NextToken=entries["NextToken"])
        found += entries["DatasetEntries"]
    listed = {}
    clients_alone = {f"s3://photos/{each}.jpg": classified(f"{each}.jpg", "a") for each in range(20, 30)}
    for line in found:
        entry = json.loads(line)
        del entry["cl-metadata"]
        source = entry["source-ref"]
        listed[source] = [value["class-name"] for key, value in entry.items() if key.endswith("-metadata")]
        if source in clients_alone:
            assert entry == json.loads(sent.get(source, clients_alone[source]))
    assert listed == stored, "each image has the labels of its last writer, in both"
    for each in range(10):
        last = max((turn for turn in range(rounds) if each in (turn % 10, (turn + 1) % 10)), default=None)
        assert stored[f"s3://photos/{each}.jpg"] == ["a" if last is None else f"notebook{last}"]
    python.close()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["several labels", pytest.param("boxes", marks=pytest.mark.exhaustive)])
def test_model_of_each_task_gives_the_same_results_as_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    train_here(monkeypatch, 16 if kind == "boxes" else None)  # what a slow machine does in half a minute
    for name in ("root", "photos"):
        (tmp_path / name).mkdir()
    with Service(tmp_path / "root", tmp_path / "photos", engine="torch") as service:
        project = service.project()
        paint_them = paint_boxes if kind == "boxes" else paint_several
        dataset = service.dataset(project, paint_them(service.photos))
        assert service.labels(dataset) == dict.fromkeys(("red", "blue"), (16, 16 if kind == "boxes" else 0))
        arn = train(service, project)
        found = settle(service, arn)
        assert found["Status"] == "TRAINING_COMPLETED", found["StatusMessage"]
        assert found["EvaluationResult"]["F1Score"] > 0
        service.call("start_project_version", ProjectVersionArn=arn, MinInferenceUnits=4)
        assert settle(service, arn)["Status"] == "RUNNING"
        python = cl.load_project(service.root / "rooms")
        for number in range(4):
            data = (service.photos / f"{number}.png").read_bytes()
            request = {"ProjectVersionArn": arn, "Image": {"Bytes": data}}
            for least in (None, 0.0, 0.3):
                more = {} if least is None else {"MinConfidence": least * 100}
                answer = service.call("detect_custom_labels", **request, **more)["CustomLabels"]
                expected = python.model("v1").detect(data, least).response["CustomLabels"]
                assert [one["Name"] for one in answer] == [one["Name"] for one in expected]
                for one, other in zip(answer, expected, strict=True):
                    assert one["Confidence"] == pytest.approx(other["Confidence"], abs=1e-2)
                    assert ("Geometry" in one) == (kind == "boxes")
                    if kind == "boxes":
                        box, place = one["Geometry"]["BoundingBox"], other["Geometry"]["BoundingBox"]
                        assert box == pytest.approx(place, abs=1 / 200)
            if kind == "several labels":  # each label has a confidence of its own
                names = {one["Name"] for one in answer if one["Confidence"] >= 50}
                assert names == LABELS[number % 3]
        assert answer
        service.call("stop_project_version", ProjectVersionArn=arn)
        settle(service, arn)
        python.close()
