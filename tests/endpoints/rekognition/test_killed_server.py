"""Tests of a server that is killed: five seconds after it starts again, all statuses are true."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from customlabels_nb.endpoints.failures import FAILED_BY_SERVICE
from tests.endpoints.rekognition.server_process import ServerProcess
from tests.endpoints.rekognition.service import classified
from tests.endpoints.rekognition.training import OUTPUT, paint
from tests.waiting import wait_until

_MANY = 60_000


def restart(server: ServerProcess) -> float:
    """Kill the server, start it again, and return the time at which all statuses must be true."""
    server.kill()
    server.start()
    return time.monotonic() + 5


@pytest.mark.exhaustive
def test_killed_server_reports_true_statuses_after_a_restart(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--engine", "torch") as server:
        lines = paint(server.photos)
        project = server.client.create_project(ProjectName="rooms")["ProjectArn"]
        assert server.dataset(project, lines)["Status"] == "CREATE_COMPLETE"

        # in a training, which goes on
        request = {"ProjectArn": project, "OutputConfig": OUTPUT}
        server.client.create_project_version(**request, VersionName="v1")
        wait_until(lambda: len(psutil.Process(server.process.pid).children()) == 1)
        restart(server)
        assert server.version(project, "v1")["Status"] in ("TRAINING_IN_PROGRESS", "TRAINING_COMPLETED")
        found = server.settle(project, "v1")
        assert found["Status"] == "TRAINING_COMPLETED", found["StatusMessage"]
        arn = found["ProjectVersionArn"]

        # in a training whose process is killed as well, and while a model starts
        server.client.create_project_version(**request, VersionName="v2")
        wait_until(lambda: (server.photos / "out" / "rooms-v2").exists())  # the training has begun
        wait_until(lambda: len(psutil.Process(server.process.pid).children()) == 1)  # one of v1 may still be there
        (child,) = psutil.Process(server.process.pid).children()
        server.client.start_project_version(ProjectVersionArn=arn, MinInferenceUnits=1)
        child.suspend()  # or it would be done before the server is killed
        server.kill()
        child.kill()
        wait_until(lambda: not psutil.pid_exists(child.pid) or child.status() == psutil.STATUS_ZOMBIE)
        server.start()
        end = time.monotonic() + 5
        assert server.version(project, "v1")["Status"] in ("STARTING", "RUNNING")
        found = server.settle(project, "v2", end - time.monotonic())
        assert (found["Status"], found["StatusMessage"]) == ("TRAINING_FAILED", FAILED_BY_SERVICE)
        assert server.settle(project, "v1")["Status"] == "RUNNING"

        # while a model runs, in a copy, and while a dataset is created
        target = server.client.create_project(ProjectName="target")["ProjectArn"]
        large = "".join(f"{classified(f'{number}.jpg', 'a')}\n" for number in range(_MANY))
        (server.photos / "large.manifest").write_text(large)
        with (server.root / "rooms" / "versions" / "v1" / "large").open("wb") as file:
            os.truncate(file.fileno(), 2 * 2**30)
        copy = {"SourceProjectArn": project, "SourceProjectVersionArn": arn, "DestinationProjectArn": target}
        server.client.copy_project_version(**copy, VersionName="c", OutputConfig=OUTPUT)
        wait_until(lambda: any((server.root / "target" / "versions").glob("c/*")))
        assert server.version(target, "c")["Status"] == "COPYING_IN_PROGRESS"
        source = {"GroundTruthManifest": {"S3Object": {"Bucket": "photos", "Name": "large.manifest"}}}
        create = {"ProjectArn": target, "DatasetType": "TRAIN", "DatasetSource": source}
        dataset = server.client.create_dataset(**create)["DatasetArn"]
        end = restart(server)
        assert server.version(project, "v1")["Status"] in ("STARTING", "RUNNING")
        found = server.settle(target, "c", end - time.monotonic())
        assert (found["Status"], found["StatusMessage"]) == ("COPYING_FAILED", FAILED_BY_SERVICE)
        found = server.status(dataset)
        assert (found["Status"], found["StatusMessageCode"]) == ("CREATE_FAILED", "SERVICE_ERROR")
        assert server.settle(project, "v1")["Status"] == "RUNNING"
        photo = {"Bytes": (server.photos / "1.jpg").read_bytes()}
        answer = server.client.detect_custom_labels(ProjectVersionArn=arn, Image=photo)
        assert answer["CustomLabels"][0]["Name"] == "blue"
        failed = server.version(target, "c")["ProjectVersionArn"]
        server.client.delete_project_version(ProjectVersionArn=failed)
        (server.root / "rooms" / "versions" / "v1" / "large").unlink()
        assert not any((server.root / "target" / "versions").glob("*"))

        # while the dataset is updated
        changes = {"GroundTruth": large.encode()[:5_000_000].rpartition(b"\n")[0]}
        server.client.update_dataset_entries(DatasetArn=dataset, Changes=changes)
        restart(server)
        found = server.status(dataset)
        assert (found["Status"], found["StatusMessageCode"]) == ("UPDATE_FAILED", "SERVICE_ERROR")
        total = found["DatasetStats"]["TotalEntries"]
        server.client.update_dataset_entries(DatasetArn=dataset, Changes={"GroundTruth": lines[0].encode()})
        wait_until(lambda: server.status(dataset)["Status"] == "UPDATE_COMPLETE")
        assert server.status(dataset)["DatasetStats"]["TotalEntries"] in (total, total + 1)
        server.client.delete_dataset(DatasetArn=dataset)
        assert server.settle(project, "v1")["Status"] == "RUNNING"
        server.client.stop_project_version(ProjectVersionArn=arn)
        assert server.settle(project, "v1")["Status"] == "STOPPED"
