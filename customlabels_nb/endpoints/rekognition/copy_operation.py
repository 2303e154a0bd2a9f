"""Copy versions to other projects of the same or another account."""

from __future__ import annotations

from typing import Any

from customlabels_nb.core.version_status import COPYING, FAILED_COPYING, READY
from customlabels_nb.endpoints.failures import job_message
from customlabels_nb.endpoints.rekognition.policy_operations import find_version_to_copy
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.version_outputs import PROBE, Outputs, output_facts
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, version_arn, version_name
from customlabels_nb.endpoints.served_versions import (
    TRANSITIONAL,
    ServedVersion,
    check_quota,
    end_job,
    reserve_version,
    versions_of,
)
from customlabels_nb.errors import ServiceError
from customlabels_nb.project.version_copying import location_of


def copy_project_version(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement CopyProjectVersion. The files are copied in a job."""
    target = call.workspace.find_project(request["DestinationProjectArn"])
    source = find_version_to_copy(call, request["SourceProjectArn"], request["SourceProjectVersionArn"])
    facts, tags = output_facts(request)
    if source.status not in READY:
        code = "ResourceInUseException" if source.status in TRANSITIONAL else INVALID
        raise ServiceError(
            code, f"The version to copy is {source.status}. Wait until it is trained, or choose another one."
        )
    with call.workspace.counting, target.version_lock:
        if any(version_name(version) == request["VersionName"] for version in versions_of(target)):
            raise ServiceError("ResourceInUseException", f"The version {request['VersionName']!a} already exists.")
        check_quota(call.workspace, "copies", COPYING)
        facts["source"] = str(version_arn(source))
        copy = reserve_version(target, request["VersionName"], COPYING, facts, tags)
    call.workspace.jobs.submit(_copy, source, copy)
    return {"ProjectVersionArn": str(version_arn(copy))}


def _copy(source: ServedVersion, copy: ServedVersion) -> None:
    """Copy the files of a version, and write the results of its evaluation to the output bucket of the copy."""
    served, name = copy.served, copy.local
    outputs = Outputs(served.folder.buckets, copy.facts, served.name, version_name(copy))
    try:
        outputs.write(PROBE, b"")
        model = source.model._copy_to(location_of(served.project), name, progress=False)
        outputs.write_evaluation(model, str(version_arn(source)))
        record = model.record
        end_job(served.store, name, record.status, record.status_message, files=outputs.files)
    except Exception as error:
        end_job(served.store, name, FAILED_COPYING, job_message(error, f"The copy {version_arn(copy)} failed."))
