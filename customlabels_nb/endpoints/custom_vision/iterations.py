"""Find and describe the iterations of a project, which are its model versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from customlabels_nb.core import tables as t
from customlabels_nb.core.version_status import COPYING, READY, TRAINING
from customlabels_nb.endpoints.custom_vision.calls import moment
from customlabels_nb.endpoints.custom_vision.domains import GENERAL, GENERAL_DETECTION, find_domain
from customlabels_nb.endpoints.custom_vision.ids import id_in_project, project_id
from customlabels_nb.endpoints.custom_vision.project_records import CLASSIFICATION_TYPES, ProjectTag, action, task_of
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.endpoints.served_versions import ServedVersion, change_facts, versions_of
from customlabels_nb.errors import ServiceError
from customlabels_nb.project.model import Model

COMPLETED, FAILED = "Completed", "Failed"

Iteration = ServedVersion[ServedProject]


def iteration_id(version: Iteration) -> str:
    """Return the id of an iteration, which depends on the time of its creation."""
    return id_in_project(project_id(version.served), "iteration", str(version.digits))


def tag_ids(version: Iteration, labels: Iterable[str], tags: Iterable[ProjectTag]) -> dict[str, str]:
    """Return the ids that tags had when the iteration was trained. Labels without a tag get an id as well."""
    ids = {label: id_in_project(project_id(version.served), "tag", label) for label in labels}
    now = {tag.name: tag.id for tag in tags}
    trained: dict[str, str] = version.facts.get("iteration", {}).get("tags", {})
    return ids | now | trained


def find_iteration(served: ServedProject, id_: str | None) -> Iteration:
    for version in versions_of(served):
        if iteration_id(version) == (id_ or "").lower():
            return version
    raise ServiceError("NotFoundIteration", f"The iteration {str(id_)[:100]!a} does not exist in the project.")


def publish_names(version: Iteration) -> list[str]:
    """Return the name that a program has published an iteration under, then the one of ``model.publish`` in Python."""
    names = version.facts.get("published"), version.record.alias
    return [name for name in names if name]


def publish_name(version: Iteration) -> str | None:
    return next(iter(publish_names(version)), None)


def take_back(version: Iteration) -> None:
    change_facts(version.served.store, version.local, published=None, published_for=None)
    if version.record.alias:
        version.served.store.update_version(version.local, action("unpublish version"), alias=None)


def find_published(served: ServedProject, name: str) -> Iteration:
    for version in versions_of(served):
        if name in publish_names(version) and status_of(version) == COMPLETED:
            return version
    raise ServiceError("NotFoundIteration", f"No iteration of the project is published as {name[:100]!a}.")


def latest_iteration(served: ServedProject) -> Iteration:
    """Return the newest iteration that is trained, or raise ServiceError."""
    for version in versions_of(served):
        if status_of(version) == COMPLETED:
            return version
    raise ServiceError("NotFoundProjectDefaultIteration", "No iteration of the project is trained.")


def status_of(version: Iteration) -> str:
    if version.status in (TRAINING, COPYING):
        return "Training"
    return COMPLETED if version.status in READY else FAILED


def trained_model(version: Iteration) -> Model:
    if status_of(version) != COMPLETED:
        message = f"The iteration is {status_of(version)}, not {COMPLETED}."
        raise ServiceError("BadRequestIterationIsNotTrained", message)
    return version.model


def name_of(version: Iteration) -> str:
    return str(version.facts.get("iteration", {}).get("name") or version.facts.get("name") or version.local)


def change_iteration(version: Iteration, **changes: Any) -> None:
    """Change what is noted of an iteration, such as its name."""
    facts = {**version.facts.get("iteration", {}), **changes}
    change_facts(version.served.store, version.local, iteration=facts)


def describe_iteration(version: Iteration) -> dict[str, Any]:
    facts, status = version.facts.get("iteration", {}), status_of(version)
    is_trained, published = status == COMPLETED, publish_name(version)
    created, ended = version.created.timestamp(), version.ended
    task = version.record.task or task_of(version.served)
    domain = find_domain(facts.get("domain") or (GENERAL_DETECTION if task in t.DRAWN_TASKS else GENERAL))
    exportable = is_trained and domain["exportable"]
    return {
        "id": iteration_id(version),
        "name": name_of(version),
        "status": status,
        "created": moment(created),
        "lastModified": moment(max(created, 0.0 if status == "Training" else ended, facts.get("modified", 0.0))),
        "trainedAt": moment(ended) if is_trained else None,
        "projectId": project_id(version.served),
        "exportable": exportable,
        "exportableTo": domain["exportablePlatforms"] if exportable else None,
        "domainId": domain["id"],
        "classificationType": facts.get("classification", CLASSIFICATION_TYPES.get(task)),
        "trainingType": facts.get("type", "Regular"),
        "reservedBudgetInHours": facts.get("hours", 0),
        "trainingTimeInMinutes": max(1, round((ended - created) / 60)) if is_trained else 0,
        "publishName": published,
        "originalPublishResourceId": version.facts.get("published_for") if published else None,
        "trainingErrorDetails": version.message if status == FAILED else None,
    }
