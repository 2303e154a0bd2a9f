"""Add, remove and list the tags of projects, datasets and versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customlabels_nb.endpoints.rekognition.manifest_entries import refresh_entries
from customlabels_nb.endpoints.rekognition.resource_names import ResourceName
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, find_version
from customlabels_nb.errors import ServiceError
from customlabels_nb.store import Action
from customlabels_nb.store.records import DESCRIPTION
from customlabels_nb.user_settings import settings

_MOST = 200


def tag_resource(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement TagResource. Other tags of the resource are kept."""
    return _change(call, request["ResourceArn"], request["Tags"])


def untag_resource(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    return _change(call, request["ResourceArn"], dict.fromkeys(request["TagKeys"]))


def list_tags_for_resource(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    return {"Tags": _tags(call, request["ResourceArn"], {})}


def _change(call: RekognitionCall, name: ResourceName, changes: Mapping[str, str | None]) -> dict[str, Any]:
    with call.workspace.find(name).version_lock:
        _tags(call, name, changes)
    return {}


def _tags(call: RekognitionCall, name: ResourceName, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Change the tags of a resource, where None removes a tag, and return them."""
    action, served = Action("tag", settings.user, "Rekognition endpoint"), call.workspace.find(name)
    store = served.store
    if name.version is not None:
        version = find_version(call.workspace, name)
        changed = _changed(version.record.tags, changes)
        if changes:
            store.change_version(version.local, lambda now: {"tags": _changed(now.tags, changes)}, action)
        return {key: text for key, text in changed.items() if key != DESCRIPTION}
    if name.split is not None:
        refresh_entries(served)
        _, state = call.workspace.find_dataset(name)
        record = store.dataset(state.split)
        changed = _changed(record.tags if record else {}, changes)
        if changes:
            store.tag_dataset(state.split, lambda tags: _changed(tags, changes), action)
        return changed
    project = call.workspace.find_project(name).project
    if changes:
        store.change_tags(action, lambda tags: _changed(tags, changes))
    return dict(project.tags)


def _changed(tags: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    kept = {key: text for key, text in {**tags, **changes}.items() if text is not None}
    if len(kept.keys() - {DESCRIPTION}) > max(_MOST, len(tags.keys() - {DESCRIPTION})):
        raise ServiceError("ServiceQuotaExceededException", f"A resource may have at most {_MOST} tags.")
    return kept
