"""Put, list and delete the policies of projects, and decide by them who may copy a version."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Any

from customlabels_nb.endpoints.rekognition.resource_names import ResourceName
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, find_version
from customlabels_nb.endpoints.served_versions import ServedVersion
from customlabels_nb.errors import InputError, ServiceError
from customlabels_nb.project.copy_policies import decide, read_policy

_MOST_ON_PAGE = 5


def put_project_policy(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement PutProjectPolicy. A policy that exists is replaced if its revision is given."""
    served, name = call.workspace.find_project(request["ProjectArn"]), request["PolicyName"]
    document = request["PolicyDocument"]
    try:
        read_policy(document, str(served.arn).rpartition("/")[0])
    except InputError as error:
        raise ServiceError("MalformedPolicyDocumentException", str(error)) from error
    revision, now = secrets.token_hex(16), time.time()
    with served.ledger.writing() as connection:
        revisions = dict(served.ledger.rows("SELECT name, revision FROM policies"))
        if name in revisions and "PolicyRevisionId" not in request:
            message = f"The policy {name!a} already exists. Give its PolicyRevisionId to replace it."
            raise ServiceError("ResourceAlreadyExistsException", message)
        _check_revision(request, revisions.get(name))
        if name not in revisions:
            call.workspace.options.quotas.check("policies_per_project", len(revisions) + 1)
        connection.execute(
            "INSERT INTO policies (name, revision, document, created, updated) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET (revision, document, updated) = "
            "(excluded.revision, excluded.document, excluded.updated)",
            (name, revision, document, now, now),
        )
    return {"PolicyRevisionId": revision}


def _check_revision(request: dict[str, Any], newest: str | None) -> None:
    revision = request.get("PolicyRevisionId")
    if revision is not None and revision.lower() != newest:
        message = f"PolicyRevisionId={revision!a} is not the newest revision of {request['PolicyName']!a}."
        raise ServiceError("InvalidPolicyRevisionIdException", message)


def list_project_policies(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    page = call.page(request, _MOST_ON_PAGE)
    served = call.workspace.find_project(request["ProjectArn"])
    columns = "id, name, revision, document, created, updated"
    values = page.after or 0, page.size + 1
    rows = served.ledger.rows(f"SELECT {columns} FROM policies WHERE id > ? ORDER BY id LIMIT ?", *values)
    items, last = page.cut(rows, lambda row: int(row[0]))
    policies = [
        {
            "ProjectArn": str(served.arn),
            "PolicyName": name,
            "PolicyRevisionId": revision,
            "PolicyDocument": document,
            "CreationTimestamp": datetime.fromtimestamp(created, UTC),
            "LastUpdatedTimestamp": datetime.fromtimestamp(updated, UTC),
        }
        for _, name, revision, document, created, updated in items
    ]
    return page.answer("ProjectPolicies", policies, last)


def delete_project_policy(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    served, name = call.workspace.find_project(request["ProjectArn"]), request["PolicyName"]
    with served.ledger.writing() as connection:
        revisions = dict(served.ledger.rows("SELECT name, revision FROM policies"))
        if name not in revisions:
            raise ServiceError("ResourceNotFoundException", f"The project has no policy {name!a}.")
        _check_revision(request, revisions[name])
        connection.execute("DELETE FROM policies WHERE name = ?", (name,))
    return {}


def find_version_to_copy(call: RekognitionCall, project: ResourceName, version: ResourceName) -> ServedVersion:
    """Return a version of any account, or raise ServiceError unless it exists and the caller may copy it."""
    if (project.region, project.account, project.project) != (version.region, version.account, version.project):
        raise ServiceError(INVALID, "SourceProjectVersionArn is not of the project SourceProjectArn.")
    is_own = version.account == call.workspace.account
    try:
        home = call.accounts[version.account]
        source = find_version(home, version)
        home.find_project(project)
    except (KeyError, ServiceError):
        if is_own:
            raise
        raise _denied(version) from None  # whether it exists is no concern of others
    documents = [document for (document,) in source.served.ledger.rows("SELECT document FROM policies")]
    allowed = decide(documents, source.digits, call.workspace.account, call.principal)
    if allowed is False or not (is_own or allowed):
        raise _denied(version)
    return source


def _denied(version: ResourceName) -> ServiceError:
    message = f"The policies of the source project do not allow rekognition:CopyProjectVersion on {str(version)[:400]}."
    return ServiceError("AccessDeniedException", message)
