"""Fixtures of the checks: a small project of drawn images."""

from tests.project.conftest import project, shapes

__all__ = ["project", "shapes"]
