"""Tests of importing images into a project."""
