"""Create, describe and delete projects."""

from __future__ import annotations

from typing import Any

from customlabels_nb.endpoints.rekognition.manifest_entries import refresh_entries
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, RekognitionProject
from customlabels_nb.endpoints.served_versions import versions_of
from customlabels_nb.errors import CustomLabelsError, NotAllowedError, ServiceError

FEATURE = "CUSTOM_LABELS"


def create_project_operation(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    name = request["ProjectName"]
    if request.get("Feature", FEATURE) != FEATURE:
        raise ServiceError(INVALID, f"Feature={request['Feature']!a} is not supported. Use {FEATURE}.")
    if request.get("AutoUpdate") == "ENABLED":
        raise ServiceError(INVALID, "AutoUpdate='ENABLED' is only for CONTENT_MODERATION.")
    with call.workspace.lock:
        if any(served.name == name for served in call.workspace.projects()):
            raise ServiceError("ResourceInUseException", f"The project {name!a} already exists.")
        count = len(call.workspace.projects()) + 1
        call.workspace.options.quotas.check("projects", count, "LimitExceededException")
        with call.workspace.creating(name, request.get("Tags")) as project:
            return {"ProjectArn": str(call.workspace.adopt(project, name=(name, project.name)).arn)}


def describe_projects(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    page = call.page(request)
    names = request.get("ProjectNames")
    projects = [
        served
        for served in call.workspace.projects()
        if (names is None or served.name in names) and (page.after is None or served.digits < page.after)
    ]
    if FEATURE not in request.get("Features", [FEATURE]):
        projects = []
    items, last = page.cut(projects, lambda served: served.digits)
    return page.answer("ProjectDescriptions", call.workspace.read_each(items, _described), last)


def _described(served: RekognitionProject) -> dict[str, Any]:
    refresh_entries(served)
    return {
        "ProjectArn": str(served.arn),
        "CreationTimestamp": served.store.project().created,
        "Status": "CREATED",
        "Feature": FEATURE,
        "Datasets": [
            {
                "CreationTimestamp": state.created,
                "DatasetType": state.split.upper(),
                "DatasetArn": str(served.dataset_arn(state)),
                "Status": state.status,
                "StatusMessage": state.message,
                "StatusMessageCode": state.code,
            }
            for state in served.datasets().values()
        ],
    }


def delete_project_operation(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement DeleteProject. Datasets are deleted as well."""
    with call.workspace.find_project(request["ProjectArn"]).version_lock, call.workspace.lock:
        served = call.workspace.find_project(request["ProjectArn"])
        if versions_of(served):
            raise ServiceError("ResourceInUseException", "The project has model versions. Delete them first.")
        if any(state.is_busy for state in served.datasets().values()):
            raise ServiceError("ResourceInUseException", "A dataset of the project is being changed. Try again later.")
        try:
            served.project.delete(confirm=True)
        except NotAllowedError as error:
            raise ServiceError("ResourceInUseException", str(error)) from error
        except CustomLabelsError as error:  # such as files that may not be deleted
            raise ServiceError("InternalServerError", str(error)) from error
        call.workspace.forget(served)
    return {"Status": "DELETING"}
