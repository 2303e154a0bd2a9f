"""Servers of the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from customlabels_nb.endpoints.custom_vision import iteration_training
from customlabels_nb.endpoints.custom_vision.iterations import Iteration
from customlabels_nb.user_settings import settings
from tests.endpoints.custom_vision.vision_service import VisionService
from tests.endpoints.rekognition.conftest import service

__all__ = ["service"]


@pytest.fixture
def vision(tmp_path: Path) -> Iterator[VisionService]:
    """Yield a running server with an empty root."""
    with VisionService(tmp_path / "root") as service:
        yield service


@pytest.fixture
def train_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in a thread of this process, which has torch loaded already."""

    def start(version: Iteration) -> None:
        iteration_training.train_iteration(iteration_training.training_task(version))

    monkeypatch.setattr(iteration_training, "start_process", start)
    monkeypatch.setattr(settings, "threads", 1)  # otherwise a benchmark chooses


@pytest.fixture
def train_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail each training at once, as if its process had died."""
    monkeypatch.setattr(iteration_training, "start_process", lambda version: None)
