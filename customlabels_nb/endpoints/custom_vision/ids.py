"""Compute stable ids of projects, images and others from facts of the project, without storing them."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

from customlabels_nb.endpoints.project_folders import ServedProject

_NAMESPACE = UUID("7d3c0b5e-6a0f-5c54-9a55-3f6a0e6f2c11")


def project_id(served: ServedProject) -> str:
    """Return the id of a project, which depends on the time of its creation."""
    return str(uuid5(_NAMESPACE, str(served.digits)))


@lru_cache(maxsize=2**19)
def id_in_project(project: str, kind: str, name: str) -> str:
    """Return the id of an image, tag, region or iteration in a project."""
    return str(uuid5(UUID(project), f"{kind}/{name}"))
