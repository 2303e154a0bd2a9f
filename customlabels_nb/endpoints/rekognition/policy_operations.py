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
from customlabels_nb.project.copy_policies import POLICIES, decide, read_policy

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

    def put(policies: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        others, old = _without(policies, name)
        if old and "PolicyRevisionId" not in request:
            message = f"The policy {name!a} already exists. Give its PolicyRevisionId to replace it."
            raise ServiceError("ResourceAlreadyExistsException", message)
        _check_revision(request, old.get("revision"))
        if not old:
            call.workspace.options.quotas.check("policies_per_project", len(others) + 1)
            last = max((policy["id"] for policy in others), default=0)
            old = {"id": max(round(now * 1000), last + 1), "name": name, "created": now}  # no id is used again
        new = {**old, "revision": revision, "document": document, "updated": now}
        return sorted([*others, new], key=lambda policy: int(policy["id"]))

    served.note(POLICIES, put)
    return {"PolicyRevisionId": revision}


def _without(policies: list[dict[str, Any]] | None, name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the policies but the one with a name, and that one, empty if there is none."""
    named = {policy["name"]: policy for policy in policies or []}
    old = named.pop(name, {})
    return list(named.values()), old


def _check_revision(request: dict[str, Any], newest: str | None) -> None:
    revision = request.get("PolicyRevisionId")
    if revision is not None and revision.lower() != newest:
        message = f"PolicyRevisionId={revision!a} is not the newest revision of {request['PolicyName']!a}."
        raise ServiceError("InvalidPolicyRevisionIdException", message)


def list_project_policies(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    page = call.page(request, _MOST_ON_PAGE)
    served = call.workspace.find_project(request["ProjectArn"])
    after = [policy for policy in served.fact(POLICIES, []) if policy["id"] > (page.after or 0)]
    items, last = page.cut(after, lambda policy: int(policy["id"]))
    policies = [
        {
            "ProjectArn": str(served.arn),
            "PolicyName": policy["name"],
            "PolicyRevisionId": policy["revision"],
            "PolicyDocument": policy["document"],
            "CreationTimestamp": datetime.fromtimestamp(policy["created"], UTC),
            "LastUpdatedTimestamp": datetime.fromtimestamp(policy["updated"], UTC),
        }
        for policy in items
    ]
    return page.answer("ProjectPolicies", policies, last)


def delete_project_policy(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    served, name = call.workspace.find_project(request["ProjectArn"]), request["PolicyName"]

    def delete(policies: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        others, old = _without(policies, name)
        if not old:
            raise ServiceError("ResourceNotFoundException", f"The project has no policy {name!a}.")
        _check_revision(request, old["revision"])
        return others

    served.note(POLICIES, delete)
    return {}


def find_version_to_copy(call: RekognitionCall, project: ResourceName, version: ResourceName) -> ServedVersion:
    """Return a version of any account, or raise ServiceError unless it exists and the caller may copy it."""
    if (project.region, project.account, project.project) != (version.region, version.account, version.project):
        raise ServiceError(
            INVALID, "SourceProjectVersionArn must be the ARN of a version of the project SourceProjectArn."
        )
    is_own = version.account == call.workspace.account
    try:
        home = call.accounts[version.account]
        source = find_version(home, version)
        home.find_project(project)
    except (KeyError, ServiceError):
        if is_own:
            raise
        raise _denied(version) from None  # whether it exists is no concern of others
    documents = [policy["document"] for policy in source.served.fact(POLICIES, [])]
    allowed = decide(documents, source.digits, call.workspace.account, call.principal)
    if allowed is False or not (is_own or allowed):
        raise _denied(version)
    return source


def _denied(version: ResourceName) -> ServiceError:
    message = f"The policies of the source project do not allow rekognition:CopyProjectVersion on {str(version)[:400]}."
    return ServiceError("AccessDeniedException", message)
