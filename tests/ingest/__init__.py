"""Tests of bringing images into a project."""
