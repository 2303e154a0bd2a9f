"""Tests of the life of a version: training, its files, running, and what a restart finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

import customlabels_nb as cl
from customlabels_nb.core.issues import CODES
from customlabels_nb.endpoints import served_versions, training_process
from customlabels_nb.endpoints.failures import FAILED_BY_SERVICE
from customlabels_nb.endpoints.project_folders import Quotas
from customlabels_nb.endpoints.rekognition import copy_operation, version_training
from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.endpoints.rekognition.resource_names import parse_arn
from customlabels_nb.endpoints.served_versions import WAITING, change_facts, end_job, facts_of, versions_of
from customlabels_nb.errors import NotAllowedError, StoreError
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.project.model import Model
from customlabels_nb.project.projects import load_project
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.training.status import settle_orphans, this_process
from tests.endpoints.rekognition.service import Service, classified
from tests.endpoints.rekognition.test_project_operations import version
from tests.endpoints.rekognition.training import OUTPUT, paint, replace_process, train_here
from tests.s3_server import Bucket
from tests.waiting import wait_until

OTHER = "111122223333"

ALWAYS = {"ProjectVersionArn", "CreationTimestamp", "Status", "StatusMessage", "Feature", "OutputConfig"}


def described(service: Service, version: str) -> dict[str, Any]:
    project, _, name, _ = version.rsplit("/", 3)
    found = service.call("describe_projects")["ProjectDescriptions"]
    arn = next(one["ProjectArn"] for one in found if one["ProjectArn"].startswith(f"{project}/"))
    request = {"ProjectArn": arn, "VersionNames": [name]}
    (one,) = service.call("describe_project_versions", **request)["ProjectVersionDescriptions"]
    assert one.keys() >= ALWAYS
    assert one["OutputConfig"].keys() == {"S3Bucket", "S3KeyPrefix"}
    return dict(one)


def settle(service: Service, version: str) -> dict[str, Any]:
    """Wait until the version has a status that stays."""
    for _ in range(6000):  # a training takes minutes on a busy machine
        found = described(service, version)
        if found["Status"] not in ("TRAINING_IN_PROGRESS", "COPYING_IN_PROGRESS", "STARTING", "STOPPING"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{version} is still {found['Status']}.")


def train(service: Service, project: str, name: str = "v1", **more: Any) -> str:
    request = {"ProjectArn": project, "VersionName": name, "OutputConfig": OUTPUT, **more}
    return str(service.call("create_project_version", **request)["ProjectVersionArn"])


def key_of(result: dict[str, Any]) -> str:
    """Return the key of the only asset of a result."""
    (asset,) = result["Assets"]
    assert asset["GroundTruthManifest"]["S3Object"]["Bucket"] == "photos"
    return str(asset["GroundTruthManifest"]["S3Object"]["Name"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str, str]]:
    """Yield a service with a trained version, and the ARNs of project and version."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("root", "photos", "other"):
        (folder / name).mkdir()
    more: dict[str, Any] = {
        "accounts": {OTHER: folder / "other"},
        "buckets": {f"{OTHER}:theirs": folder / "photos" / "theirs"},
    }
    with Service(folder / "root", folder / "photos", hold=20, engine="torch", **more) as service:
        project = service.project()
        service.dataset(project, paint(service.photos))
        with pytest.MonkeyPatch.context() as patch:
            train_here(patch)
            arn = train(service, project, Tags={"k": "v"}, VersionDescription="a: b, c?", KmsKeyId="key/1")
            (now,) = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
            assert (now["Status"], now["StatusMessage"]) == ("TRAINING_IN_PROGRESS", "The model is being trained.")
            assert now.keys() == ALWAYS | {"VersionDescription", "KmsKeyId"}
            changes = {"GroundTruth": classified("x.jpg", "a").encode()}
            (dataset, *_) = service.call("describe_projects")["ProjectDescriptions"][0]["Datasets"]
            update = {"DatasetArn": dataset["DatasetArn"], "Changes": changes}
            assert service.refused("update_dataset_entries", **update) == "ResourceInUseException"
            waiter = service.client.get_waiter("project_version_training_completed")
            waiter.wait(ProjectArn=project, VersionNames=["v1"], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
        yield service, project, arn


def test_a_trained_version_has_all_its_members(trained: tuple[Service, str, str]) -> None:
    service, _, arn = trained
    found = described(service, arn)
    assert found.keys() == ALWAYS | {
        "TrainingEndTimestamp", "BillableTrainingTimeInSeconds", "EvaluationResult", "TrainingDataResult",
        "TestingDataResult", "ManifestSummary", "VersionDescription", "KmsKeyId",
    }  # fmt: skip
    assert (found["Status"], found["StatusMessage"]) == ("TRAINING_COMPLETED", "The model is ready to run.")
    assert (found["VersionDescription"], found["KmsKeyId"], found["OutputConfig"]) == ("a: b, c?", "key/1", OUTPUT)
    assert found["BillableTrainingTimeInSeconds"] >= 1
    assert found["TrainingEndTimestamp"] > found["CreationTimestamp"]
    assert found["TestingDataResult"]["Input"] == {"AutoCreate": True}


def test_the_files_are_where_the_version_says(trained: tuple[Service, str, str]) -> None:
    service, _, arn = trained
    found = described(service, arn)
    train_data, test_data = found["TrainingDataResult"], found["TestingDataResult"]
    expected = {
        "out/EvaluationResultSummary-rooms-v1.json": found["EvaluationResult"]["Summary"]["S3Object"]["Name"],
        "out/rooms-v1/train.manifest": key_of(train_data["Input"]),
        "out/rooms-v1/TrainingSnapshot-rooms-v1.manifest": key_of(train_data["Output"]),
        "out/rooms-v1/EvaluationSnapshot-rooms-v1.manifest": key_of(test_data["Output"]),
        "out/rooms-v1/validation/training_manifest_with_validation.json": key_of(train_data["Validation"]),
        "out/rooms-v1/validation/testing_manifest_with_validation.json": key_of(test_data["Validation"]),
        "out/rooms-v1/validation/manifest_summary.json": found["ManifestSummary"]["S3Object"]["Name"],
    }  # fmt: skip
    assert all(key == given for key, given in expected.items())
    lines = {key: (service.photos / key).read_text().splitlines() for key in expected}
    assert [len(lines[key]) for key in list(expected)[1:6]] == [12, 10, 2, 12, 2]
    summary = cl.read_evaluation_summary(service.photos / next(iter(expected)))
    content = json.loads((service.photos / next(iter(expected))).read_text())
    assert content["EvaluationDetails"]["ProjectVersionArn"] == arn
    results = content["AggregatedEvaluationResults"]
    assert results["Metrics"]["ConfusionMatrix"] == results["ConfusionMatrix"]
    assert found["EvaluationResult"]["F1Score"] == pytest.approx(results["F1Score"])
    project = cl.load_project(service.root / "rooms")
    evaluated = project.model("v1").evaluate()
    assert found["EvaluationResult"]["F1Score"] == pytest.approx(evaluated.metric("f1"))
    assert summary is not None
    assert project.versions["tags"].tolist() == [{"k": "v"}]
    assert project.model("v1").description == "a: b, c?"
    project.close()


def test_the_test_images_are_now_a_dataset(trained: tuple[Service, str, str]) -> None:
    service, *_ = trained
    (found,) = service.call("describe_projects")["ProjectDescriptions"]
    train_set, test_set = (one["DatasetArn"] for one in found["Datasets"])
    assert (len(service.entries(train_set)), len(service.entries(test_set))) == (10, 2)


def test_a_version_is_started_used_and_stopped(trained: tuple[Service, str, str]) -> None:
    service, project, arn = trained
    photo = {"Bytes": (service.photos / "0.jpg").read_bytes()}
    detect = {"ProjectVersionArn": arn, "Image": photo}
    assert service.refused("detect_custom_labels", **detect) == "ResourceNotReadyException"
    assert service.refused("stop_project_version", ProjectVersionArn=arn) == "ResourceInUseException"
    start = {"ProjectVersionArn": arn, "MinInferenceUnits": 2}
    assert service.refused("start_project_version", **start, MaxInferenceUnits=1) == "InvalidParameterException"
    assert service.call("start_project_version", **start, MaxInferenceUnits=3) == {"Status": "STARTING"}
    waiter = service.client.get_waiter("project_version_running")
    waiter.wait(ProjectArn=project, VersionNames=["v1"], WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    found = described(service, arn)
    assert (found["StatusMessage"], found["MinInferenceUnits"], found["MaxInferenceUnits"]) == (
        "The model is running.",
        2,
        3,
    )
    assert service.refused("start_project_version", **start) == "ResourceInUseException"
    assert service.refused("delete_project_version", ProjectVersionArn=arn) == "ResourceInUseException"
    model = cl.load_project(service.root / "rooms").model("v1")  # not closed, as it runs in this process
    for number, threshold in ((0, None), (1, 0.0), (2, 0.5)):
        data = (service.photos / f"{number}.jpg").read_bytes()
        least = {} if threshold is None else {"MinConfidence": threshold * 100}
        request = {"ProjectVersionArn": arn, "Image": {"S3Object": {"Bucket": "photos", "Name": f"{number}.jpg"}}}
        answer = service.call("detect_custom_labels", **request, **least)["CustomLabels"]
        expected = model.detect(data, threshold).response["CustomLabels"]
        assert [one["Name"] for one in answer] == [one["Name"] for one in expected]
        for one, other in zip(answer, expected, strict=True):
            assert one["Confidence"] == pytest.approx(other["Confidence"], abs=1e-2)
        assert service.call("detect_custom_labels", **request, **least, MaxResults=1)["CustomLabels"] == answer[:1]
        assert service.call("detect_custom_labels", **request, MaxResults=0)["CustomLabels"] == []


def test_running_models_start_again_after_a_restart(trained: tuple[Service, str, str]) -> None:
    service, _, arn = trained
    assert described(service, arn)["Status"] == "RUNNING"
    service.restart()
    assert settle(service, arn)["Status"] == "RUNNING"
    photo = {"Bytes": (service.photos / "1.jpg").read_bytes()}
    assert service.call("detect_custom_labels", ProjectVersionArn=arn, Image=photo)["CustomLabels"][0]["Name"] == "blue"
    assert service.call("stop_project_version", ProjectVersionArn=arn) == {"Status": "STOPPING"}
    found = settle(service, arn)
    assert (found["Status"], found["StatusMessage"]) == ("STOPPED", "The model has stopped running.")
    service.restart()
    assert settle(service, arn)["Status"] == "STOPPED"


def test_a_copy_runs_without_its_source(trained: tuple[Service, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    service, project, arn = trained
    target = service.project("target")
    output = {"S3Bucket": "photos", "S3KeyPrefix": "copies"}
    request = {"SourceProjectArn": project, "SourceProjectVersionArn": arn, "DestinationProjectArn": target}
    more = {"OutputConfig": output, "Tags": {"k": "w"}, "KmsKeyId": "key/2"}
    workspace = service.server.rekognition.folder
    served = workspace.find_project(parse_arn(target))
    began, go_on = threading.Event(), threading.Event()

    def waiting(project: object) -> ProjectLocation:
        began.set()
        assert go_on.wait(20)
        return location_of(project)

    monkeypatch.setattr(copy_operation, "location_of", waiting)  # right before the files are copied
    copy = service.call("copy_project_version", **request, VersionName="c.", **more)["ProjectVersionArn"]
    (found,) = service.call("describe_project_versions", ProjectArn=target)["ProjectVersionDescriptions"]
    assert (found["Status"], found["StatusMessage"]) == ("COPYING_IN_PROGRESS", "The model is being copied.")
    assert found.keys() == ALWAYS | {"SourceProjectVersionArn", "KmsKeyId"}
    assert service.refused("copy_project_version", **request, VersionName="c.", **more) == "ResourceInUseException"
    assert service.refused("start_project_version", ProjectVersionArn=copy, MinInferenceUnits=1) == (
        "ResourceInUseException"
    )
    assert service.refused("delete_project_version", ProjectVersionArn=copy) == "ResourceInUseException"
    twice = {**request, "SourceProjectArn": target, "SourceProjectVersionArn": copy}
    assert service.refused("copy_project_version", **twice, VersionName="d", **more) == "ResourceInUseException"
    assert began.wait(20)
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "options", replace(workspace.options, quotas=Quotas(copies=1)))
        assert service.refused("copy_project_version", **request, VersionName="d", **more) == (
            "ServiceQuotaExceededException"
        )
    service.call("tag_resource", ResourceArn=copy, Tags={"l": "x"})
    go_on.set()
    found = settle(service, copy)
    assert (found["Status"], found["StatusMessage"]) == ("COPYING_COMPLETED", "The model is ready to run.")
    assert found.keys() == ALWAYS | {
        "SourceProjectVersionArn", "KmsKeyId", "TrainingEndTimestamp", "BillableTrainingTimeInSeconds",
        "EvaluationResult", "TrainingDataResult", "TestingDataResult",
    }  # fmt: skip
    assert (found["SourceProjectVersionArn"], found["OutputConfig"]) == (arn, output)
    assert found["EvaluationResult"]["F1Score"] == described(service, arn)["EvaluationResult"]["F1Score"]
    assert service.call("list_tags_for_resource", ResourceArn=copy)["Tags"] == {"k": "w", "l": "x"}
    assert service.call("list_tags_for_resource", ResourceArn=arn)["Tags"] == {"k": "v"}
    key = found["EvaluationResult"]["Summary"]["S3Object"]["Name"]
    assert key == "copies/EvaluationResultSummary-target-c.json"
    summary = json.loads((service.photos / key).read_text())
    assert summary["EvaluationDetails"]["ProjectVersionArn"] == arn
    assert found["TrainingDataResult"].keys() == found["TestingDataResult"].keys() == {"Output"}
    assert (service.photos / key_of(found["TestingDataResult"]["Output"])).is_file()
    assert service.call("describe_projects", ProjectNames=["target"])["ProjectDescriptions"][0]["Datasets"] == []
    service.call("start_project_version", ProjectVersionArn=copy, MinInferenceUnits=1)
    assert settle(service, copy)["Status"] == "RUNNING"
    photo = {"Bytes": (service.photos / "1.jpg").read_bytes()}
    answer = service.call("detect_custom_labels", ProjectVersionArn=copy, Image=photo)["CustomLabels"]
    assert answer[0]["Name"] == "blue"
    service.call("stop_project_version", ProjectVersionArn=copy)
    settle(service, copy)
    # a failure, and what a restart finds of a copy that was cut off
    service.put("file", "no folder")
    lost = {"S3Bucket": "photos", "S3KeyPrefix": "file"}
    broken = service.call("copy_project_version", **request, VersionName="e", OutputConfig=lost)
    assert settle(service, broken["ProjectVersionArn"])["Status"] == "COPYING_FAILED"
    change_facts(served.store, "e", status="COPYING_IN_PROGRESS")
    service.restart()
    found = settle(service, broken["ProjectVersionArn"])
    assert (found["Status"], found["StatusMessage"]) == ("COPYING_FAILED", FAILED_BY_SERVICE)
    assert service.refused(
        "start_project_version", ProjectVersionArn=broken["ProjectVersionArn"], MinInferenceUnits=1
    ) == ("InvalidParameterException")


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.exhaustive)])
def test_a_poll_right_after_a_change_of_a_version_shows_it(trained: tuple[Service, str, str], rounds: int) -> None:
    service, project, arn = trained
    target = service.project("polled")
    request = {"SourceProjectArn": project, "SourceProjectVersionArn": arn, "DestinationProjectArn": target}
    few_lines = service.manifest([classified("0.jpg", "red"), classified("1.jpg", "blue")], "few.manifest")
    data = {"TrainingData": {"Assets": [few_lines]}, "TestingData": {"AutoCreate": True}}

    def status(name: str) -> str:
        found = service.call("describe_project_versions", ProjectArn=target)["ProjectVersionDescriptions"]
        (one,) = [one for one in found if one["ProjectVersionArn"].split("/")[3] == name]
        assert one.keys() >= ALWAYS
        assert one["StatusMessage"]
        return str(one["Status"])

    with pytest.MonkeyPatch.context() as patch:
        train_here(patch)
        for number in range(rounds):
            few, name = train(service, target, f"few{number}", **data), f"v{number}"
            assert status(f"few{number}") in ("TRAINING_IN_PROGRESS", "TRAINING_FAILED")
            copy = service.call("copy_project_version", **request, VersionName=name, OutputConfig=OUTPUT)
            copy = copy["ProjectVersionArn"]
            assert status(name) in ("COPYING_IN_PROGRESS", "COPYING_COMPLETED")
            assert settle(service, copy)["Status"] == "COPYING_COMPLETED"
            if number == 0:  # this takes a second
                service.call("start_project_version", ProjectVersionArn=copy, MinInferenceUnits=1)
                assert status(name) in ("STARTING", "RUNNING")
                assert settle(service, copy)["Status"] == "RUNNING"
                service.call("stop_project_version", ProjectVersionArn=copy)
                assert status(name) in ("STOPPING", "STOPPED")
                assert settle(service, copy)["Status"] == "STOPPED"
            assert settle(service, few)["Status"] == "TRAINING_FAILED"
            for version in (copy, few):
                service.call("delete_project_version", ProjectVersionArn=version)
                left = service.call("describe_project_versions", ProjectArn=target)["ProjectVersionDescriptions"]
                assert {one["Status"] for one in left if one["ProjectVersionArn"] == version} <= {"DELETING"}
            assert left == []
    service.call("delete_project", ProjectArn=target)


def test_a_version_goes_to_another_account(trained: tuple[Service, str, str]) -> None:
    service, project, arn = trained
    key = AccessKey("other", "other", OTHER, f"arn:aws:iam::{OTHER}:role/copier")
    service.server.rekognition.keys.keys[key.access_key] = key  # type: ignore[index]
    other = service.new_client("other", "other")
    target = other.create_project(ProjectName="theirs")["ProjectArn"]
    request = {
        "SourceProjectArn": project, "SourceProjectVersionArn": arn, "DestinationProjectArn": target,
        "VersionName": "v", "OutputConfig": {"S3Bucket": "theirs"},
    }  # fmt: skip
    with pytest.raises(other.exceptions.AccessDeniedException):
        other.copy_project_version(**request)
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow", "Principal": {"AWS": key.principal}, "Action": "rekognition:CopyProjectVersion",
            "Resource": f"{project.rpartition('/')[0]}/version/*",
        },
    }  # fmt: skip
    service.call("put_project_policy", ProjectArn=project, PolicyName="p", PolicyDocument=json.dumps(policy))
    copy = other.copy_project_version(**request)["ProjectVersionArn"]
    for _ in range(400):
        (found,) = other.describe_project_versions(ProjectArn=target, VersionNames=["v"])["ProjectVersionDescriptions"]
        if found["Status"] != "COPYING_IN_PROGRESS":
            break
    assert (found["Status"], found["SourceProjectVersionArn"]) == ("COPYING_COMPLETED", arn)
    assert copy.split(":")[4] == OTHER
    python = cl.load_project(service.options["accounts"][OTHER] / "theirs")
    assert python.versions["name"].tolist() == ["v"]
    python.close()
    service.call("delete_project_policy", ProjectArn=project, PolicyName="p")
    other.delete_project_version(ProjectVersionArn=copy)


def test_quotas_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("root", "photos"):
        (tmp_path / name).mkdir()
    replace_process(monkeypatch)
    quotas = Quotas(projects=2, versions_per_project=4, trainings=1, running=2, units_per_version=5)
    with Service(tmp_path / "root", tmp_path / "photos", quotas=quotas) as service:
        project = service.project()
        service.project("b")
        assert service.refused("create_project", ProjectName="c") == "LimitExceededException"
        service.dataset(project, [classified("1.jpg", "a")])
        workspace = service.server.rekognition.folder
        request = {"ProjectArn": project, "VersionName": "b", "OutputConfig": OUTPUT}
        with workspace.training:
            arn = train(service, project, "a")
            assert service.refused("create_project_version", **request) == "ServiceQuotaExceededException"
        settle(service, arn)
        settle(service, train(service, project, "b"))
        python = cl.load_project(service.root / "rooms")
        for name in ("x", "y"):
            record = python.model("b").record
            status = {"status": "RUNNING", **this_process()} if name == "x" else {"status": "STOPPED"}
            service.add_version(replace(record, name=name, endpoint={}, **status))
        with service.store() as store:
            store.update_version("a", status="RUNNING", **this_process())
        request["VersionName"] = "c"
        assert service.refused("create_project_version", **request) == "ServiceQuotaExceededException"
        start = {
            "ProjectVersionArn": next(
                one["ProjectVersionArn"]
                for one in service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
                if one["Status"] == "STOPPED"
            )
        }
        assert service.refused("start_project_version", **start, MinInferenceUnits=6) == "LimitExceededException"
        assert service.refused("start_project_version", **start, MinInferenceUnits=5) == "LimitExceededException"
        with service.store() as store:
            store.update_version("a", status="STOPPED", host=None, pid=None)
        assert service.call("start_project_version", **start, MinInferenceUnits=5) == {"Status": "STARTING"}
        python.close()


def test_python_sees_the_version_and_the_endpoint_those_of_python(
    trained: tuple[Service, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    service, project, _ = trained
    python = cl.load_project(service.root / "rooms")
    assert python.versions["name"].tolist() == ["v1"]
    python.model("v1").copy_to(python, "Größe 2", progress=False)
    found = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
    newest = found[0]
    name, digits = newest["ProjectVersionArn"].split("/")[3:]
    assert name == f"Gr-e-2-{digits}"
    assert [one["Status"] for one in found] == ["COPYING_COMPLETED", "STOPPED"]
    assert found[0]["TrainingEndTimestamp"] > found[1]["TrainingEndTimestamp"]
    assert newest["EvaluationResult"]["F1Score"] == found[1]["EvaluationResult"]["F1Score"]
    place = newest["EvaluationResult"]["Summary"]["S3Object"]
    assert place["Bucket"].startswith("custom-labels-console-us-east-1-")
    assert json.loads((service.root / place["Name"]).read_text())["Version"] == 1
    arn = newest["ProjectVersionArn"]
    assert service.call("delete_project_version", ProjectVersionArn=arn) == {"Status": "DELETING"}
    assert service.refused("delete_project_version", ProjectVersionArn=arn) == "ResourceNotFoundException"
    assert python.versions["name"].tolist() == ["v1"]
    python.close()


# -- requests ---------------------------------------------------------------------------------------
ASSET = {"GroundTruthManifest": {"S3Object": {"Bucket": "photos", "Name": "a.manifest"}}}


@pytest.mark.parametrize(
    "data",
    [
        {"TrainingData": {"Assets": [ASSET]}},
        {"TestingData": {"AutoCreate": True}},
        {"TrainingData": {}, "TestingData": {"AutoCreate": True}},
        {"TrainingData": {"Assets": [ASSET, ASSET]}, "TestingData": {"AutoCreate": True}},
        {"TrainingData": {"Assets": [{}]}, "TestingData": {"AutoCreate": True}},
        {"TrainingData": {"Assets": [ASSET]}, "TestingData": {"AutoCreate": True, "Assets": [ASSET]}},
        {"TrainingData": {"Assets": [ASSET]}, "TestingData": {"AutoCreate": False}},
        {"TrainingData": {"Assets": [ASSET]}, "TestingData": {"Assets": [{"GroundTruthManifest": {}}]}},
        {"FeatureConfig": {}},
        {"OutputConfig": {"S3KeyPrefix": "a"}},
        {},
    ],
)
def test_requests_that_name_no_data_are_invalid(service: Service, data: dict[str, Any]) -> None:
    project = service.project()
    request = {"ProjectArn": project, "VersionName": "v", "OutputConfig": OUTPUT, **data}
    assert service.refused("create_project_version", **request) == "InvalidParameterException"
    assert service.call("describe_project_versions", ProjectArn=project) == {"ProjectVersionDescriptions": []}


def test_datasets_decide_whether_a_version_is_accepted(service: Service) -> None:
    project = service.project()
    old = {"TrainingData": {"Assets": [ASSET]}, "TestingData": {"AutoCreate": True}}
    request = {"ProjectArn": project, "VersionName": "v", "OutputConfig": OUTPUT}
    service.dataset(project, kind="TEST")
    assert service.refused("create_project_version", **request, **old) == "InvalidParameterException"
    assert service.refused("create_project_version", **request) == "InvalidParameterException"
    service.dataset(project, ["nonsense"])
    assert service.refused("create_project_version", **request) == "ResourceInUseException"
    other = {**request, "ProjectArn": project.replace("rooms", "other")}
    assert service.refused("create_project_version", **other) == "ResourceNotFoundException"
    unknown = {"ProjectArn": project, "VersionNames": ["v"]}
    assert service.call("describe_project_versions", **unknown) == {"ProjectVersionDescriptions": []}
    other_arn = {"ProjectArn": other["ProjectArn"]}
    assert service.refused("describe_project_versions", **other_arn) == "ResourceNotFoundException"


# -- failures ---------------------------------------------------------------------------------------
def test_failures_by_content_have_validation_files(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    train_here(monkeypatch)
    project = service.project()
    lines = paint(service.photos, 10)
    service.dataset(project, [*lines, *(classified(f"missing{n}.jpg", "red") for n in range(4))])
    arn = train(service, project, "odd.name.")
    found = settle(service, arn)
    assert (found["Status"], found["StatusMessage"]) == (
        "TRAINING_FAILED",
        CODES["ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST"],
    )
    results = {"TrainingDataResult", "ManifestSummary", "TrainingEndTimestamp"}
    assert found.keys() == ALWAYS | results | ({"TestingDataResult"} & found.keys())
    assert found["TrainingDataResult"].keys() == {"Validation"}
    checked = (service.photos / key_of(found["TrainingDataResult"]["Validation"])).read_text().splitlines()
    assert sum("ERROR_INVALID_IMAGE" in line for line in checked) == 4
    summary = json.loads((service.photos / found["ManifestSummary"]["S3Object"]["Name"]).read_text())
    assert summary["errors"] or summary["statistics"]["training"]["errors"]
    start = {"ProjectVersionArn": arn, "MinInferenceUnits": 1}
    assert service.refused("start_project_version", **start) == "InvalidParameterException"
    again = {"ProjectArn": project, "VersionName": "odd.name.", "OutputConfig": OUTPUT}
    assert service.refused("create_project_version", **again) == "ResourceInUseException"
    service.call("delete_project_version", ProjectVersionArn=arn)
    assert service.call("describe_project_versions", ProjectArn=project) == {"ProjectVersionDescriptions": []}


@pytest.mark.parametrize("case", ["empty", "output", "extension", "missing"])
def test_failures_by_files_have_no_validation_files(
    service: Service, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    train_here(monkeypatch)
    project = service.project()
    more: dict[str, Any] = {}
    if case in ("empty", "output"):
        service.dataset(project, None if case == "empty" else [classified("1.jpg", "a")])
    else:
        service.put("train", classified("1.jpg", "a"))
        place = {"Bucket": "photos", "Name": "train" if case == "extension" else "none.manifest"}
        asset = {"GroundTruthManifest": {"S3Object": place}}
        more = {"TrainingData": {"Assets": [asset]}, "TestingData": {"AutoCreate": True}}
    if case == "output":
        more["OutputConfig"] = {"S3Bucket": "photos", "S3KeyPrefix": "1.manifest"}
        service.put("1.manifest", "a file, not a folder")
    found = settle(service, train(service, project, **more))
    assert found["Status"] == "TRAINING_FAILED"
    assert found.keys() == ALWAYS | {"TrainingEndTimestamp"}
    messages = {
        "empty": CODES["ERROR_MANIFEST_IS_EMPTY"],
        "output": "cannot be written",
        "extension": CODES["ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"],
        "missing": CODES["ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"],
    }
    assert messages[case] in found["StatusMessage"]


@pytest.mark.parametrize("case", ["no folder", "no config"])
def test_a_version_that_cannot_be_started_has_failed(service: Service, case: str) -> None:
    project = service.project()
    arn = add_version(service, project, "STOPPED")
    if case == "no config":
        (service.root / "rooms" / "versions" / "v").mkdir(parents=True)
    service.call("start_project_version", ProjectVersionArn=arn, MinInferenceUnits=1)
    assert settle(service, arn)["Status"] == "FAILED"
    assert service.refused("stop_project_version", ProjectVersionArn=arn) == "ResourceInUseException"
    service.call("delete_project_version", ProjectVersionArn=arn)


def test_a_version_whose_stop_could_not_be_stored_is_stopped(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise StoreError("The project's database is locked.")

    arn = add_version(service, service.project(), "RUNNING", **this_process())
    monkeypatch.setattr(Model, "stop", fail)
    assert service.call("stop_project_version", ProjectVersionArn=arn) == {"Status": "STOPPING"}
    assert settle(service, arn)["Status"] == "STOPPED"


def add_version(service: Service, project: str, status: str, **more: Any) -> str:
    """Add a version to the store, and return its ARN."""
    service.add_version(replace(version("v"), status=status, **more))
    (found,) = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
    return str(found["ProjectVersionArn"])


def test_a_version_is_trained_in_a_process_of_its_own(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMLABELS_NB_THREADS", "1")
    project = service.project()
    service.dataset(project, paint(service.photos)[::2])
    arn = train(service, project)
    served = service.server.rekognition.folder.find_project(parse_arn(project))
    wait_until(lambda: facts_of(served.store, "v1").get("process") is not None)
    process = facts_of(served.store, "v1")["process"]
    assert psutil.Process(process[0]).parent().pid == os.getpid()
    found = settle(service, arn)
    message = CODES["ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"]
    assert (found["Status"], found["StatusMessage"]) == ("TRAINING_FAILED", message)


def test_a_second_process_leaves_a_trained_version_alone(trained: tuple[Service, str, str]) -> None:
    service, project, arn = trained
    before = described(service, arn)
    workspace = service.server.rekognition.folder
    (version,) = (one for one in versions_of(workspace.find_project(parse_arn(project))) if one.local == "v1")
    version_training.train_served_version(version_training.training_task(version))
    assert described(service, arn) == before


def test_a_training_process_that_dies_is_a_service_issue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: start(killed, **options))
    project = service.project()
    service.dataset(project, [classified("1.jpg", "a")])
    found = settle(service, train(service, project))
    assert (found["Status"], found["StatusMessage"]) == ("TRAINING_FAILED", FAILED_BY_SERVICE)


def test_a_restart_goes_on_with_what_waits(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    replace_process(monkeypatch, lambda version: begun.append(version.local))
    project = service.project()
    service.dataset(project, [classified("1.jpg", "a")])
    workspace = service.server.rekognition.folder
    with workspace.training:
        arns = [train(service, project, name) for name in ("a", "b")]
        assert [described(service, arn)["Status"] for arn in arns] == ["TRAINING_IN_PROGRESS"] * 2
        with closing(cl.load_project(service.root / "rooms")) as python:
            assert python.versions["message"].tolist() == [WAITING] * 2
        served = workspace.find_project(parse_arn(project))
        change_facts(served.store, "a", process=(2**22 - 1, 0.0))  # of a process that has ended
        assert begun == []
        service.restart()
    assert [settle(service, arn)["Status"] for arn in arns] == ["TRAINING_FAILED"] * 2
    assert begun == ["b"]


def test_a_notebook_sees_that_a_version_waits_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_process, "_CLAIM_SECONDS", 0.05)
    project = service.project()
    service.dataset(project, [classified("1.jpg", "a")])
    with service.server.rekognition.folder.training, service.store() as store:
        train(service, project)

        def is_orphaned() -> bool:
            store.update_version("v1", pid=2**22 + 1)  # of a server that was killed; the one that waits may be faster
            return settle_orphans(store) == ["v1"]

        wait_until(is_orphaned)
        wait_until(lambda: store.versions()[0].status == "TRAINING_IN_PROGRESS")
        with pytest.raises(NotAllowedError, match="already exists"):
            load_project(service.root / "rooms").train(name="v1", progress=False)
        store.update_version("v1", status="TRAINING_FAILED", **dict.fromkeys(("host", "pid", "heartbeat")))
        store.delete_version("v1", Action("delete", "ann"))


def test_a_version_whose_training_ends_is_always_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    project = service.project()
    service.dataset(project, [classified("1.jpg", "a")])
    workspace = service.server.rekognition.folder
    with workspace.training:
        train(service, project)
        served = workspace.find_project(parse_arn(project))
        ending, read = ["v1"], SqlStore.versions

        def versions(store: SqlStore) -> Any:
            found = read(store)
            if ending:
                end_job(store, ending.pop(), "TRAINING_FAILED", "It failed.")
            return found

        monkeypatch.setattr(SqlStore, "versions", versions)
        statuses = [[version.status for version in versions_of(served)] for _ in range(2)]
        assert statuses == [["TRAINING_IN_PROGRESS"], ["TRAINING_FAILED"]]


@pytest.mark.parametrize("names", [["auto"], pytest.param(["given", "again"], marks=pytest.mark.thorough)])
def test_old_requests_train_on_manifests_without_datasets(
    service: Service, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    train_here(monkeypatch)
    project = service.project()
    lines = paint(service.photos, 16)
    training = {"Assets": [service.manifest(lines[:12], "a.manifest")]}
    given = {"Assets": [service.manifest(lines[12:], "b.manifest")]}
    for name in names:
        testing = given if name == "given" else {"AutoCreate": True}
        arn = train(service, project, name, TrainingData=training, TestingData=testing)
        found = settle(service, arn)
        assert found["Status"] == "TRAINING_COMPLETED", found["StatusMessage"]
        assert found["TrainingDataResult"]["Input"] == training
        assert found["TestingDataResult"]["Input"] == testing
        count = len((service.photos / key_of(found["TestingDataResult"]["Output"])).read_text().splitlines())
        assert count == (4 if name == "given" else 2)
        assert service.call("describe_projects")["ProjectDescriptions"][0]["Datasets"] == []
    python = cl.load_project(service.root / "rooms")
    assert python.versions["status"].tolist() == ["TRAINING_COMPLETED"] * len(names)
    assert len(python.train_set) == 0
    python.close()
    assert {path.name for path in (service.root / ".endpoints").iterdir()} == {
        "account",
        "custom_vision_keys.json",
        "keys.json",
        "lock",
    }
    assert all((service.photos / "out" / f"EvaluationResultSummary-rooms-{name}.json").is_file() for name in names)


@pytest.mark.thorough
def test_images_manifests_and_outputs_may_be_on_an_s3_server(
    service: Service, monkeypatch: pytest.MonkeyPatch, bucket: Bucket
) -> None:
    train_here(monkeypatch)
    project = service.project()
    lines = [line.replace("s3://photos/", f"{bucket.url}/") for line in paint(service.photos)]
    for number in range(len(lines)):
        bucket.put(f"{number}.jpg", (service.photos / f"{number}.jpg").read_bytes())
    bucket.put("a.manifest", "\n".join(lines).encode())
    source = {"GroundTruthManifest": {"S3Object": {"Bucket": bucket.name, "Name": "a.manifest"}}}
    request = {"ProjectArn": project, "DatasetType": "TRAIN", "DatasetSource": source}
    service.settle(service.call("create_dataset", **request)["DatasetArn"])
    output = {"S3Bucket": bucket.name, "S3KeyPrefix": "out"}
    arn = train(service, project, OutputConfig=output, KmsKeyId="alias/mine")
    found = settle(service, arn)
    assert found["Status"] == "TRAINING_COMPLETED", found["StatusMessage"]
    place = found["EvaluationResult"]["Summary"]["S3Object"]
    stored = bucket.client.get_object(Bucket=bucket.name, Key=place["Name"])
    assert json.loads(stored["Body"].read())["EvaluationDetails"]["ProjectVersionArn"] == arn
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")
    other = service.project("other")
    service.dataset(other, lines)
    missing = train(service, other, OutputConfig={"S3Bucket": f"{bucket.name}-none"})
    found = settle(service, missing)
    assert found["Status"] == "TRAINING_FAILED"
    assert "cannot be written" in found["StatusMessage"]


@pytest.mark.parametrize("on_server", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_a_training_reads_photos_as_they_are_now(
    service: Service, monkeypatch: pytest.MonkeyPatch, bucket: Bucket, on_server: bool
) -> None:
    train_here(monkeypatch)
    lines = paint(service.photos)
    for number in range(len(lines)):
        bucket.put(f"{number}.jpg", (service.photos / f"{number}.jpg").read_bytes())
    project = service.project()
    place = bucket.name if on_server else "photos"
    service.dataset(project, [line.replace("s3://photos/", f"s3://{place}/") for line in lines])
    assert settle(service, train(service, project))["Status"] == "TRAINING_COMPLETED"
    for number in range(3):
        service.put(f"{number}.jpg", "no photo")
        bucket.put(f"{number}.jpg", b"no photo")
    found = settle(service, train(service, project, "v2"))
    assert found["Status"] == "TRAINING_FAILED", "a quarter of the photos cannot be read"
    checked = (service.photos / key_of(found["TrainingDataResult"]["Validation"])).read_text().splitlines()
    assert sum("ERROR_INVALID_IMAGE" in line for line in checked) == 3


def test_a_version_that_was_made_again_in_python_is_another(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    project = service.project()
    service.dataset(project, [classified("1.jpg", "a")])

    def fail(served: served_versions.ServedVersion[Any]) -> None:
        end_job(served.served.store, "v", "TRAINING_FAILED", "It failed.")

    replace_process(monkeypatch, fail)
    arn = train(service, project, VersionName="v", VersionDescription="first")
    settle(service, arn)
    with closing(cl.load_project(service.root / "rooms")) as python:
        python.model("v").delete(confirm=True)
        service.add_version(replace(version("v"), created=datetime.now(UTC)))
    (found,) = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
    assert found["ProjectVersionArn"] != arn
    assert "VersionDescription" not in found
