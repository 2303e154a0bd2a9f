"""Combine what the project and the ledger know of the settings and the tags of a project."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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

_SETTINGS, _TAGS = "custom_vision", "custom_vision_tags"


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
    record = served.project._store.project()
    stored = served.ledger.fact(_SETTINGS)
    if stored is None:
        chosen = ProjectSettings(record.name, record.name, "", GENERAL, [], record.updated.timestamp())
    else:
        chosen = ProjectSettings(**stored)
    if chosen.local != record.name:
        chosen = replace(chosen, name=record.name, local=record.name)
    if (find_domain(chosen.domain)["type"] == DETECTION) != is_detection(served):
        chosen = replace(chosen, domain=GENERAL_DETECTION if is_detection(served) else GENERAL)
    return chosen


def settings_fact(chosen: ProjectSettings) -> dict[str, Any]:
    return {_SETTINGS: asdict(chosen)}


def is_detection(served: ServedProject) -> bool:
    return task_of(served) in t.DRAWN_TASKS


def task_of(served: ServedProject) -> str:
    """Return the task of a project. One made in a notebook may have none, and gets the one of its labels."""
    task = served.project.task
    if task is not None:
        return task
    annotations = served.project._store.annotations()
    if annotations["left"].notna().any():
        return t.BOXES
    return t.MULTI_LABEL if annotations["image"].duplicated().any() else t.SINGLE_LABEL


def read_tags(served: ServedProject) -> list[ProjectTag]:
    """Return the tags of a project: its labels, and negative tags, which only the ledger knows."""
    project, all_facts = project_id(served), tag_facts(served)
    labels = [str(label) for label in served.project._store.labels()["label"]]
    tags = [_tag(project, name, all_facts) for name in labels]
    negative = (_tag(project, name, all_facts) for name, facts in all_facts.items() if facts["type"] == NEGATIVE)
    return tags + [tag for tag in negative if tag.name not in labels]


def _tag(project: str, name: str, all_facts: dict[str, Any]) -> ProjectTag:
    return ProjectTag(**{"id": id_in_project(project, "tag", name), "name": name, **all_facts.get(name, {})})


def find_tag(served: ServedProject, id_: str | None) -> ProjectTag:
    for tag in read_tags(served):
        if tag.id == (id_ or "").lower():
            return tag
    raise ServiceError("NotFoundTag", f"There is no tag {str(id_)[:100]!a} in the project.")


def tag_facts(served: ServedProject) -> dict[str, Any]:
    """Return what the ledger knows of tags by their names. The caller holds the lock of the project."""
    facts: dict[str, Any] = served.ledger.fact(_TAGS, {})
    return facts


def store_tag_facts(served: ServedProject, facts: dict[str, Any]) -> None:
    served.ledger.set_facts(**{_TAGS: facts})


def action(what: str) -> Action:
    return Action(what, settings.user, "Custom Vision endpoint")
