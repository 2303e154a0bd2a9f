"""A small project of drawn pictures."""

from tests.project.conftest import project, shapes

__all__ = ["project", "shapes"]
