"""Combine what the project and the ledger know of the settings and the tags of a project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision.domains import DETECTION, GENERAL, GENERAL_DETECTION, find_domain
from customlabels_nb.endpoints.custom_vision.ids import id_in_project, project_id
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.errors import ServiceError
from customlabels_nb.settings import settings
from customlabels_nb.store import Action

MULTICLASS, MULTILABEL = "Multiclass", "Multilabel"
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
    """Return the settings of a project, which for one made in a notebook are those of its task."""
    record = served.project._store.project()
    known = served.ledger.fact(_SETTINGS)
    if known is None:
        domain = GENERAL_DETECTION if task_of(served) in t.DRAWN_TASKS else GENERAL
        return ProjectSettings(record.name, record.name, "", domain, [], record.updated.timestamp())
    found = ProjectSettings(**known)
    name = found.name if found.local == record.name else record.name  # it was renamed in a notebook
    return ProjectSettings(**asdict(found) | {"name": name, "local": record.name})


def settings_fact(chosen: ProjectSettings) -> dict[str, Any]:
    """Return the settings as a fact for the ledger."""
    return {_SETTINGS: asdict(chosen)}


def is_detection(served: ServedProject) -> bool:
    """Check whether a project detects objects."""
    return bool(find_domain(read_settings(served).domain)["type"] == DETECTION)


def task_of(served: ServedProject) -> str:
    """Return the task of a project. One made in a notebook may have none, and gets the one of its labels."""
    task = served.project.task
    if task is not None:
        return task
    if served.ledger.fact(_SETTINGS) is not None:
        return t.MULTI_LABEL
    marks = served.project._store.annotations()
    if marks["left"].notna().any():
        return t.BOXES
    return t.MULTI_LABEL if marks["image"].duplicated().any() else t.SINGLE_LABEL


def read_tags(served: ServedProject) -> list[ProjectTag]:
    """Return the tags of a project: its labels, and negative tags, which only the ledger knows."""
    project, known = project_id(served), served.ledger.fact(_TAGS, {})
    labels = [str(label) for label in served.project._store.labels()["label"]]
    tags = [_tag(project, name, known) for name in labels]
    negative = (_tag(project, name, known) for name, facts in known.items() if facts["type"] == NEGATIVE)
    return tags + [tag for tag in negative if tag.name not in labels]


def _tag(project: str, name: str, known: dict[str, Any]) -> ProjectTag:
    return ProjectTag(**{"id": id_in_project(project, "tag", name), "name": name, **known.get(name, {})})


def find_tag(served: ServedProject, id_: str | None) -> ProjectTag:
    """Return the tag with an id, or raise ServiceError."""
    for tag in read_tags(served):
        if tag.id == (id_ or "").lower():
            return tag
    raise ServiceError("NotFoundTag", f"There is no tag {str(id_)[:100]!a} in the project.")


@contextmanager
def changing_tags(served: ServedProject) -> Iterator[dict[str, Any]]:
    """Yield what the ledger knows of tags by their names, and store it at the end of the block."""
    with served.lock:
        known = served.ledger.fact(_TAGS, {})
        yield known
        served.ledger.set_facts(**{_TAGS: known})


def new_tag_facts(description: str, kind: str) -> dict[str, Any]:
    """Return what the ledger knows of a new tag."""
    return {"id": str(uuid4()), "description": description, "type": kind}


def action(what: str) -> Action:
    """Return an action of a program for the history."""
    return Action(what, settings.user, "Custom Vision endpoint")
