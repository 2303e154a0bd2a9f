"""Copy versions to other projects of the same or another account."""

from __future__ import annotations

import logging
from typing import Any

from customlabels_nb.endpoints.rekognition.policy_operations import find_version_to_copy
from customlabels_nb.endpoints.rekognition.served_versions import (
    COPYING,
    TRANSITIONAL,
    ServedVersion,
    add_version,
    change_facts,
    count_versions,
    end_job,
    versions_of,
)
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.version_outputs import PROBE, Outputs, output_facts
from customlabels_nb.endpoints.rekognition.workspace import FAILED_BY_SERVICE, Call
from customlabels_nb.errors import CustomLabelsError, ServiceError
from customlabels_nb.project.model import READY

FAILED = "COPYING_FAILED"

_log = logging.getLogger(__name__)


def copy_project_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Implement CopyProjectVersion. The files are copied in a job."""
    target = call.workspace.find_project(request["DestinationProjectArn"])
    source = find_version_to_copy(call, request["SourceProjectArn"], request["SourceProjectVersionArn"])
    facts = {"status": COPYING, "source": str(source.arn), **output_facts(request)}
    if source.status not in READY:
        code = "ResourceInUseException" if source.status in TRANSITIONAL else INVALID
        raise ServiceError(code, f"The version to copy is {source.status}.")
    with call.workspace.counting, target.version_lock:
        if any(version.name == request["VersionName"] for version in versions_of(target)):
            raise ServiceError("ResourceInUseException", f"The version {request['VersionName']!a} already exists.")
        call.workspace.options.quotas.check("copies", count_versions(call.workspace, COPYING) + 1)
        copy = add_version(target, request["VersionName"], facts)
    call.workspace.jobs.submit(_copy, source, copy)
    return {"ProjectVersionArn": str(copy.arn)}


def _copy(source: ServedVersion, copy: ServedVersion) -> None:
    """Copy the files of a version, and write the results of its evaluation to the output bucket of the copy."""
    served, name = copy.served, copy.local
    store, ledger = served.project._store, served.ledger
    outputs = Outputs(served.workspace.buckets, copy.facts, served.name, copy.name)
    try:
        outputs.write(PROBE, b"")
        change_facts(ledger, name, first_tags=source.model.record.tags)
        model = source.model._copy_to(served.project._location, name, progress=False)
        outputs.write_evaluation(model, str(source.arn))
        record = model.record
        end_job(store, ledger, name, record.status, record.status_message, files=outputs.files)
    except CustomLabelsError as error:
        end_job(store, ledger, name, FAILED, str(error).splitlines()[0])
    except Exception:
        _log.exception("The copy %s failed.", copy.arn)
        end_job(store, ledger, name, FAILED, FAILED_BY_SERVICE)
