"""Fixture of a project to import images into."""

from tests.ingest.conftest import add, project

__all__ = ["add", "project"]
