"""Train, describe, start, stop and delete model versions."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from customlabels_nb.core.version_status import COPYING, FAILED_COPYING, FAILED_TRAINING, READY, RUNNING, TRAINING
from customlabels_nb.endpoints.failures import FAILED_BY_SERVICE
from customlabels_nb.endpoints.rekognition import version_training
from customlabels_nb.endpoints.rekognition.manifest_entries import refresh_entries
from customlabels_nb.endpoints.rekognition.project_operations import FEATURE
from customlabels_nb.endpoints.rekognition.resource_names import ResourceName
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.version_outputs import output_facts, roles_of
from customlabels_nb.endpoints.rekognition.workspace import (
    RekognitionCall,
    RekognitionProject,
    Workspace,
    find_version,
    version_arn,
    version_name,
)
from customlabels_nb.endpoints.served_versions import (
    TRANSITIONAL,
    ServedVersion,
    change_facts,
    check_quota,
    end_job,
    reserve_version,
    versions_of,
)
from customlabels_nb.endpoints.training_process import begin_training
from customlabels_nb.errors import CustomLabelsError, NotAllowedError, ServiceError
from customlabels_nb.project.model import Model
from customlabels_nb.training.status import is_settled

_holding = threading.BoundedSemaphore(16)  # of the server's threads. Further descriptions do not wait.
_STARTABLE = tuple(status for status in READY if status not in RUNNING)
_IN_USE = "ResourceInUseException"
_POLL_SECONDS = 0.2
_DESCRIBABLE = re.compile(r"[a-zA-Z0-9\-_. ()':,;?]{1,255}", re.ASCII)  # descriptions of Python may be longer
_log = logging.getLogger(__name__)


def create_project_version(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement CreateProjectVersion. Training runs in a process of its own."""
    served = call.workspace.find_project(request["ProjectArn"])
    if "FeatureConfig" in request:
        raise ServiceError(INVALID, "FeatureConfig is only for CONTENT_MODERATION.")
    facts, tags = output_facts(request)
    facts |= _manifests(request)
    refresh_entries(served)
    with call.workspace.counting, served.version_lock:
        versions = versions_of(served)
        if any(version_name(version) == request["VersionName"] for version in versions):
            raise ServiceError(_IN_USE, f"The version {request['VersionName']!a} already exists.")
        _check_datasets(served, uses_manifests="training" in facts)
        call.workspace.options.quotas.check("versions_per_project", len(versions) + 1)
        check_quota(call.workspace, "trainings", TRAINING)
        version = reserve_version(served, request["VersionName"], TRAINING, facts, tags)
    begin_training(version, version_training.start_process)
    return {"ProjectVersionArn": str(version_arn(version))}


def _manifests(request: dict[str, Any]) -> dict[str, Any]:
    """Return the manifests of a request that names its data, or nothing if the project's datasets are meant."""
    training, testing = request.get("TrainingData"), request.get("TestingData")
    if training is None and testing is None:
        return {}
    if training is None or testing is None:
        raise ServiceError(INVALID, "TrainingData and TestingData must be given together.")
    if bool(testing.get("Assets")) == bool(testing.get("AutoCreate")):
        raise ServiceError(INVALID, "TestingData needs either Assets or AutoCreate=true.")
    manifests = {"training": _manifest(training, "TrainingData")}
    return manifests if testing.get("AutoCreate") else manifests | {"testing": _manifest(testing, "TestingData")}


def _manifest(data: dict[str, Any], member: str) -> dict[str, Any]:
    assets = data.get("Assets", [])
    s3_object = assets[0].get("GroundTruthManifest", {}).get("S3Object", {}) if len(assets) == 1 else {}
    if "Bucket" not in s3_object or "Name" not in s3_object:
        raise ServiceError(INVALID, f"{member}.Assets needs one GroundTruthManifest with Bucket and Name.")
    return dict(s3_object)


def _check_datasets(served: RekognitionProject, *, uses_manifests: bool) -> None:
    states = served.datasets()
    if uses_manifests:
        if states:
            raise ServiceError(INVALID, "TrainingData and TestingData are only for projects without datasets.")
        return
    if "train" not in states:
        raise ServiceError(INVALID, "The project has no training dataset.")
    for split, state in states.items():
        if state.is_busy or state.status.endswith("FAILED"):
            raise ServiceError(_IN_USE, f"The {split} dataset is {state.status}.")


def go_on(workspace: Workspace) -> None:
    """Go on after a restart: wait for or begin trainings, restart models, fail copies and finish deletions."""
    for served in workspace.projects():
        for version in versions_of(served):
            if version.record.status == "DELETING":  # also one that was queued
                version.model.delete(confirm=True)
            elif version.facts.get("status") == TRAINING and "iteration" not in version.facts:
                begin_training(version, version_training.start_process)
            elif version.facts.get("status") == COPYING:
                end_job(served.store, version.local, FAILED_COPYING, FAILED_BY_SERVICE)
            elif version.facts.get("is_wanted") and version.status in _STARTABLE:
                begin_starting(version)


def describe_project_versions(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement DescribeProjectVersions. With ``--hold``, wait for a change of a single version in transition."""
    served = call.workspace.find_project(request["ProjectArn"])
    page = call.page(request)
    names = request.get("VersionNames")

    def find() -> list[ServedVersion]:
        return [
            version
            for version in versions_of(served)
            if (names is None or version_name(version) in names) and (page.after is None or version.digits < page.after)
        ]

    versions = find()
    before, deadline = [version.status for version in versions], time.monotonic() + call.workspace.options.hold
    if len(names or ()) == 1 and _holding.acquire(blocking=False):
        try:
            while set(before) & set(TRANSITIONAL) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                versions = find()
                if [version.status for version in versions] != before:
                    break
        finally:
            _holding.release()
    items, last = page.cut(versions, lambda version: version.digits)
    return page.answer("ProjectVersionDescriptions", [_described(version) for version in items], last)


def _described(version: ServedVersion) -> dict[str, Any]:
    facts, outputs = version.facts, _outputs_of(version)
    description = version.record.description
    answer = {
        "ProjectVersionArn": str(version_arn(version)),
        "CreationTimestamp": version.created,
        "Status": version.status,
        "StatusMessage": version.message,
        "Feature": FEATURE,
        "OutputConfig": outputs.config,
        "KmsKeyId": facts.get("kms"),
        "VersionDescription": description if _DESCRIBABLE.fullmatch(description) else None,
        "MinInferenceUnits": facts.get("min_units"),
        "MaxInferenceUnits": facts.get("max_units"),
        "SourceProjectVersionArn": facts.get("source"),
    }
    if version.status in (TRAINING, COPYING):
        return answer
    return answer | {
        "TrainingEndTimestamp": datetime.fromtimestamp(version.ended, UTC),
        **_evaluation(version, outputs),
        "TrainingDataResult": _data_result(version, outputs, "train"),
        "TestingDataResult": _data_result(version, outputs, "test"),
        "ManifestSummary": outputs.find("manifests"),
    }


@dataclass(frozen=True)
class _Outputs:
    """Files of a version: the OutputConfig, and the keys of the files by their roles."""

    config: dict[str, str]
    keys: dict[str, str]

    def find(self, role: str) -> dict[str, Any] | None:
        return {"S3Object": {"Bucket": self.config["S3Bucket"], "Name": self.keys[role]}} if role in self.keys else None

    def manifest(self, role: str) -> dict[str, Any] | None:
        """Return a manifest as the only asset of a split's data, or None if the version has no such file."""
        return None if (found := self.find(role)) is None else _assets(found)


def _assets(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"Assets": [{"GroundTruthManifest": manifest}]}


def _evaluation(version: ServedVersion, outputs: _Outputs) -> dict[str, Any]:
    """Return the metrics and the duration of a training that has completed."""
    record, summary = version.record, outputs.find("summary")
    if version.status == FAILED_TRAINING or summary is None:
        return {}
    f1 = record.metrics.get("assumed_f1", record.metrics.get("f1"))  # the service has no other decision
    seconds = version.facts.get("billable", version.seconds)
    return {
        "EvaluationResult": {"F1Score": None if f1 is None else float(f1), "Summary": summary},
        "BillableTrainingTimeInSeconds": None if seconds is None else round(seconds),
    }


def _data_result(version: ServedVersion, outputs: _Outputs, split: str) -> dict[str, Any] | None:
    """Return the data of a split, and the manifests that training has written. Failed trainings have no snapshots."""
    validation = outputs.manifest(f"validation_{split}")
    if version.status == FAILED_TRAINING:
        return validation and {"Validation": validation}
    data = {"Input": _input(version, outputs, split), "Output": outputs.manifest(f"snapshot_{split}")}
    return data | {"Validation": validation}


def _input(version: ServedVersion, outputs: _Outputs, split: str) -> dict[str, Any] | None:
    """Return the data of a split as a request names it: a manifest, or for testing also a part of the training data."""
    facts = version.facts
    found = outputs.manifest(f"input_{split}")
    if "training" in facts:
        manifest = facts.get("training" if split == "train" else "testing")
        found = None if manifest is None else _assets({"S3Object": manifest})
    if found is None and split == "test" and "output" in facts and "source" not in facts:
        return {"AutoCreate": True}
    return found


def _outputs_of(version: ServedVersion) -> _Outputs:
    if "output" in version.facts:
        return _Outputs(version.facts["output"], version.facts.get("files", {}))
    served = version.served  # a version of Python, whose files are in its folder
    prefix = f"{served.project.root.name}/versions/{version.local}/evaluation"
    folder = served.project.root / "versions" / version.local / "evaluation"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    keys = {role: f"{prefix}/{name}" for name in names for role in roles_of(name)}
    return _Outputs({"S3Bucket": served.folder.buckets.console, "S3KeyPrefix": prefix}, keys)


def delete_project_version(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    with _locked(call, request["ProjectVersionArn"]) as version:
        if version.status in (*TRANSITIONAL, "RUNNING"):
            raise ServiceError(_IN_USE, f"The version is {version.status}.")
        try:
            version.model.delete(confirm=True)
        except NotAllowedError as error:
            raise ServiceError(_IN_USE, str(error)) from error
    return {"Status": "DELETING"}


@contextmanager
def _locked(call: RekognitionCall, name: ResourceName) -> Iterator[ServedVersion]:
    """Yield the version with a name, while no other request changes its status."""
    with find_version(call.workspace, name).served.version_lock:
        yield find_version(call.workspace, name)


def start_project_version(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    least, most = request["MinInferenceUnits"], request.get("MaxInferenceUnits")
    if most is not None and most < least:
        raise ServiceError(INVALID, f"MaxInferenceUnits={most} is less than MinInferenceUnits={least}.")
    with call.workspace.counting, _locked(call, request["ProjectVersionArn"]) as version:
        if version.status in (*TRANSITIONAL, "RUNNING"):
            raise ServiceError(_IN_USE, f"The version is {version.status}.")
        if version.status not in _STARTABLE:
            raise ServiceError(INVALID, f"The version cannot be started, as it is {version.status}.")
        call.workspace.options.quotas.check("units_per_version", most or least, "LimitExceededException")
        check_quota(call.workspace, "running", *RUNNING, code="LimitExceededException")
        begin_starting(version, min_units=least, max_units=most)
    return {"Status": "STARTING"}


def begin_starting(version: ServedVersion, **units: Any) -> None:
    """Set the status of a version to STARTING, and start it in a thread. It is to run after a restart, too."""
    change_facts(version.served.store, version.local, is_wanted=True, **units)
    model = version.model
    model._set("STARTING", "The model is starting.")
    workspace = version.served.folder
    workspace.jobs.submit(_run, model, partial(model.start, engine=workspace.options.engine))


def stop_project_version(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    with _locked(call, request["ProjectVersionArn"]) as version:
        if version.status != "RUNNING":
            raise ServiceError(_IN_USE, f"The version is {version.status}, not RUNNING.")
        if not is_settled(version.record):
            raise ServiceError(_IN_USE, "The version is running in a notebook. Stop it there.")
        change_facts(version.served.store, version.local, is_wanted=None)
        model = version.model
        model._set("STOPPING", "The model is stopping.")
        call.workspace.jobs.submit(_run, model, model.stop)
    return {"Status": "STOPPING"}


def _run(model: Model, work: Callable[[], Any]) -> None:
    """Start or stop a model. If that fails, the model does not stay STARTING or STOPPING."""
    try:
        work()
    except Exception as error:
        if isinstance(error, CustomLabelsError):
            _log.warning("%s", error)
        else:
            _log.exception("The model %s could not be started or stopped.", model.name)
        status = model.status
        if status == "STARTING":
            model._end("FAILED", f"The model could not be started: {error}")
        elif status == "STOPPING":
            model._end("STOPPED", "The model has stopped running.")
