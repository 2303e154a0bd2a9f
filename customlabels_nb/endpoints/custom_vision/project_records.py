"""Combine the settings and labels of a project with those that programs have stored for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision.domains import DETECTION, GENERAL, GENERAL_DETECTION, find_domain
from customlabels_nb.endpoints.custom_vision.ids import id_in_project, project_id
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.errors import ServiceError
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings

MULTICLASS, MULTILABEL = "Multiclass", "Multilabel"
#: Classification types of the service by our tasks. Projects that detect objects have none.
CLASSIFICATION_TYPES = {t.SINGLE_LABEL: MULTICLASS, t.MULTI_LABEL: MULTILABEL}
REGULAR, NEGATIVE, PRODUCT = "Regular", "Negative", "GeneralProduct"

SETTINGS, TAGS = "custom_vision", "custom_vision_tags"  # keys of notes


@dataclass(frozen=True)
class ProjectSettings:
    """Settings of a project. ``name`` is the one that a program chose, when the name in Python was ``local``."""

    name: str
    local: str
    description: str
    domain: str
    platforms: list[str]
    modified: float


@dataclass(frozen=True)
class ProjectTag:
    """Tag of a project. It is a label of the project, except that a negative tag means that no label applies."""

    id: str
    name: str
    description: str = ""
    type: str = REGULAR

    @property
    def is_negative(self) -> bool:
        """True if images with this tag show none of the labels."""
        return self.type == NEGATIVE


def read_settings(served: ServedProject) -> ProjectSettings:
    """Return the settings of a project. Notebooks may have made it, or changed its name or its task."""
    record, stored = served.store.project(), served.fact(SETTINGS)
    if stored is None:
        chosen = ProjectSettings(record.name, record.name, "", GENERAL, [], record.updated.timestamp())
    else:
        chosen = ProjectSettings(**stored)
    if chosen.local != record.name:
        chosen = replace(chosen, name=record.name, local=record.name)
    if (find_domain(chosen.domain)["type"] == DETECTION) != is_detection(served):
        chosen = replace(chosen, domain=GENERAL_DETECTION if is_detection(served) else GENERAL)
    return chosen


def is_detection(served: ServedProject) -> bool:
    return task_of(served) in t.DRAWN_TASKS


def task_of(served: ServedProject) -> str:
    """Return the task of a project. One made in a notebook may have none, and gets the one of its labels."""
    return served.store.project().task or served.store.implied_task()


def read_tags(served: ServedProject) -> list[ProjectTag]:
    """Return the tags of a project: its labels, and negative tags, which are noted only."""
    project, noted = project_id(served), served.fact(TAGS, {})
    labels = served.store.label_names()
    negative = [name for name, facts in noted.items() if facts["type"] == NEGATIVE and name not in labels]
    return [_tag(project, name, noted.get(name, {})) for name in (*labels, *negative)]


def _tag(project: str, name: str, facts: dict[str, Any]) -> ProjectTag:
    return ProjectTag(**{"id": id_in_project(project, "tag", name), "name": name, **facts})


def find_tag(served: ServedProject, id_: str | None) -> ProjectTag:
    for tag in read_tags(served):
        if tag.id == (id_ or "").lower():
            return tag
    raise ServiceError("NotFoundTag", f"The tag {str(id_)[:100]!a} does not exist in the project.")


def note_tag(served: ServedProject, tag: ProjectTag) -> None:
    """Store the facts about a tag that a label does not have: its id, description and type."""
    facts = {"id": tag.id, "description": tag.description, "type": tag.type}
    served.note(TAGS, lambda noted: {**(noted or {}), tag.name: facts})


def forget_tag(served: ServedProject, name: str) -> None:
    served.note(TAGS, lambda noted: {other: facts for other, facts in (noted or {}).items() if other != name})


def action(what: str) -> Action:
    return Action(what, settings.user, "Custom Vision endpoint")
