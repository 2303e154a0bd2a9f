"""List domains, and create, list, change and delete projects and tags."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

from customlabels_nb.core import tables as t
from customlabels_nb.core.version_status import TRAINING
from customlabels_nb.endpoints.custom_vision.calls import Call, RequestFields, invalid, moment
from customlabels_nb.endpoints.custom_vision.domains import DETECTION, GENERAL, domains, find_domain
from customlabels_nb.endpoints.custom_vision.ids import project_id
from customlabels_nb.endpoints.custom_vision.image_operations import untag
from customlabels_nb.endpoints.custom_vision.images import ImageList, list_images
from customlabels_nb.endpoints.custom_vision.iterations import publish_name
from customlabels_nb.endpoints.custom_vision.project_records import (
    CLASSIFICATION_TYPES,
    MULTICLASS,
    MULTILABEL,
    NEGATIVE,
    PRODUCT,
    REGULAR,
    SETTINGS,
    ProjectSettings,
    ProjectTag,
    action,
    find_tag,
    forget_tag,
    is_detection,
    note_tag,
    read_settings,
    read_tags,
    task_of,
)
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.endpoints.served_versions import versions_of
from customlabels_nb.errors import LabelError, NotAllowedError, ServiceError

_MOST_PROJECTS, _MOST_TAGS = 100, 500
_PLATFORMS = ("CoreML", "TensorFlow", "DockerFile", "ONNX", "VAIDK", "OpenVino")


def get_domains(call: Call) -> list[dict[str, Any]]:
    return domains()


def get_domain(call: Call) -> dict[str, Any]:
    return find_domain(call.path.need("domainId"), "NotFoundDomain")


def get_projects(call: Call) -> list[dict[str, Any]]:
    return call.folder.read_each(call.folder.projects(), _described)


def get_project(call: Call) -> dict[str, Any]:
    return _described(call.project())


def create_project(call: Call) -> dict[str, Any]:
    """Create a project. Its folder gets the name if that can be a folder, else another."""
    name = _name(call.query)
    domain = find_domain(call.query.text("domainId") or GENERAL)
    kind = call.query.choice("classificationType", MULTILABEL, MULTICLASS)
    platforms, description = _platforms(call.query), call.query.text("description") or ""
    with call.folder.lock:
        if call.folder.options.service_limits and len(call.folder.projects()) >= _MOST_PROJECTS:
            raise ServiceError(
                "BadRequestExceedProjectLimit", f"At most {_MOST_PROJECTS} projects are allowed. Delete one."
            )
        with call.folder.creating(name) as project:
            project.task = _task(domain, kind)
            chosen = ProjectSettings(name, project.name, description, domain["id"], platforms, time.time())
            return _described(call.folder.adopt(project, **{SETTINGS: asdict(chosen)}))


def update_project(call: Call) -> dict[str, Any]:
    """Change the name, the description and the settings of a project."""
    served, body = call.project(), call.json()
    settings = body.part("settings")
    with served.lock:
        chosen = read_settings(served)
        domain = find_domain(settings.text("domainId") or chosen.domain)
        before = find_domain(chosen.domain)
        if domain["type"] != before["type"]:
            code = "BadRequestProjectUnsupportedDomainTypeChange"
            raise ServiceError(
                code, f"A domain of type {before['type']} cannot be replaced by one of type {domain['type']}."
            )
        chosen = replace(
            chosen,
            name=_name(body) if "name" in body else chosen.name,
            description=body.text("description", chosen.description) or "",
            domain=domain["id"],
            platforms=_platforms(settings) if "targetExportPlatforms" in settings else chosen.platforms,
            modified=time.time(),
        )
        if "classificationType" in settings and not is_detection(served):
            served.project.task = _task(domain, settings.choice("classificationType", MULTILABEL, MULTICLASS))
        served.note(SETTINGS, lambda _: asdict(chosen))
    return _described(served)


def delete_project(call: Call) -> None:
    """Delete a project whose iterations are neither published nor being trained."""
    with call.project().version_lock, call.folder.lock:
        served = call.project()
        for version in versions_of(served):
            if version.status == TRAINING:
                raise ServiceError(
                    "BadRequestTrainingAlreadyInProgress", "An iteration is being trained. Try again later."
                )
            if publish_name(version):
                message = "An iteration of the project is published. Unpublish it first."
                raise ServiceError("BadRequestIterationIsPublished", message)
        try:
            served.project.delete(confirm=True)
        except NotAllowedError as error:
            raise ServiceError("BadRequestInvalid", str(error)) from error
        call.folder.forget(served)


def _described(served: ServedProject) -> dict[str, Any]:
    chosen, record = read_settings(served), served.store.project()
    return {
        "id": project_id(served),
        "name": chosen.name,
        "description": chosen.description,
        "settings": {
            "domainId": chosen.domain,
            "classificationType": CLASSIFICATION_TYPES.get(task_of(served)),
            "targetExportPlatforms": chosen.platforms,
            "useNegativeSet": True,
            "detectionParameters": None,
            "imageProcessingSettings": {"augmentationMethods": {}},
        },
        "created": moment(record.created),
        "lastModified": moment(max(chosen.modified, record.updated.timestamp())),
        "thumbnailUri": None,
        "drModeEnabled": False,
        "status": "Succeeded",
    }


def _task(domain: dict[str, Any], kind: str) -> t.Task:
    return t.BOXES if domain["type"] == DETECTION else t.SINGLE_LABEL if kind == MULTICLASS else t.MULTI_LABEL


def _name(fields: RequestFields) -> str:
    name = fields.need("name")
    if len(name) > 256:
        raise invalid(f"The name has {len(name)} characters, but at most 256 are allowed.", "BadRequestProjectName")
    return name


def _platforms(fields: RequestFields) -> list[str]:
    names = {name.lower(): name for name in _PLATFORMS}
    platforms = fields.texts("targetExportPlatforms")
    for name in platforms:
        if name.lower() not in names:
            message = f"{name[:100]!a} is not a platform. Use one of {', '.join(_PLATFORMS)}."
            raise ServiceError("BadRequestProjectUnsupportedExportPlatform", message)
    return [names[name.lower()] for name in platforms]


# -- tags ------------------------------------------------------------------------------------------------
def get_tags(call: Call) -> list[dict[str, Any]]:
    served = call.project()
    counts = list_images(served).counts
    return [_described_tag(tag, counts) for tag in read_tags(served)]


def get_tag(call: Call) -> dict[str, Any]:
    served = call.project()
    return _described_tag(find_tag(served, call.path.text("tagId")), list_images(served).counts)


def create_tag(call: Call) -> dict[str, Any]:
    """Create a tag. A regular one is a label of the project, a negative one says that no label applies."""
    served, name = call.project(), call.query.need("name")
    kind = call.query.choice("type", REGULAR, NEGATIVE, PRODUCT)
    description = call.query.text("description") or ""
    with served.lock:
        tags, tag = read_tags(served), ProjectTag(str(uuid4()), name, description, kind)
        _check_name(tags, name)
        _change_label(lambda: t.check_label(name))
        if kind != REGULAR and any(tag.type == kind for tag in tags):
            code = "BadRequestMultipleNegativeTag" if kind == NEGATIVE else "BadRequestMultipleGeneralProductTag"
            raise ServiceError(code, f"The project already has a tag of type {kind}.")
        if call.folder.options.service_limits and len(tags) >= _MOST_TAGS:
            raise ServiceError("BadRequestExceedTagPerProjectLimit", f"A project may have at most {_MOST_TAGS} tags.")
        if kind != NEGATIVE:
            _change_label(lambda: served.store.add_labels([(name, None)], action("add label")))
        note_tag(served, tag)
        return _described_tag(tag, {})


def update_tag(call: Call) -> dict[str, Any]:
    """Change the name, the description and the type of a tag."""
    served, body = call.project(), call.json()
    with served.lock:
        tag = find_tag(served, call.path.text("tagId"))
        name = body.need("name") if "name" in body else tag.name
        kind = body.choice("type", tag.type, REGULAR, NEGATIVE, PRODUCT)
        if (kind == NEGATIVE) != tag.is_negative:
            message = f"The tag is {tag.type} and cannot become {kind}. Create another tag."
            raise ServiceError("BadRequestTagType", message)
        if name != tag.name:
            _check_name(read_tags(served), name, but=tag)
            _change_label(lambda: t.check_label(name))
        new = ProjectTag(tag.id, name, body.text("description", tag.description) or "", kind)
        note_tag(served, new)  # first, so that the tag keeps its id if the server is killed
        if name != tag.name:
            if not tag.is_negative:
                _change_label(lambda: served.store.rename_label(tag.name, name, action("rename label")))
            forget_tag(served, tag.name)
    return _described_tag(new, list_images(served).counts)


def delete_tag(call: Call) -> None:
    """Delete a tag, and remove it from its images."""
    served = call.project()
    with served.lock:
        tag = find_tag(served, call.path.text("tagId"))
        if tag.is_negative:
            images = ImageList(served)
            untag(images, images.with_tags([tag]), [tag])
        else:
            served.store.remove_label(tag.name, action("remove label"), with_annotations=True)
        forget_tag(served, tag.name)


def _described_tag(tag: ProjectTag, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "id": tag.id,
        "name": tag.name,
        "description": tag.description,
        "type": tag.type,
        "imageCount": counts.get(tag.id, 0),
    }


def _check_name(tags: list[ProjectTag], name: str, but: ProjectTag | None = None) -> None:
    if any(tag.name.casefold() == name.casefold() and tag != but for tag in tags):
        raise ServiceError("BadRequestTagNameNotUnique", f"The project already has a tag {name[:100]!a}.")


def _change_label(change: Any) -> None:
    try:
        change()
    except LabelError as error:
        raise ServiceError("BadRequestTagName", str(error)) from error
