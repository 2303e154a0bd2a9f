"""Classifier and images of the inference tests."""

from tests.inference.conftest import blots, model_folder  # noqa: F401
