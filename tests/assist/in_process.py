"""Train in this process on features of images without files, so that tests of assist are quick."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from customlabels_nb.assist import background_training, training
from customlabels_nb.assist.background_training import BackgroundTraining
from customlabels_nb.errors import Cancelled, HelperError
from customlabels_nb.events import Events
from customlabels_nb.project.location import ProjectLocation, open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import SqlStore
from customlabels_nb.workers.helper_process import failure

Rows = np.ndarray[Any, np.dtype[np.float16]]


class InProcess:
    """Runner without a helper process, which reports errors as the helper process does."""

    is_elsewhere, record = False, None

    def __init__(self, store: SqlStore, kind: str) -> None:
        assert kind == "trainer"
        self.store = store

    def run(self, entry: str, arguments: dict[str, Any], events: Events) -> Any:
        assert entry == "customlabels_nb.assist.training:run"
        try:
            return training.run(self.store, arguments, events)
        except Cancelled:
            raise
        except Exception as error:
            answer = failure(error)
            raise HelperError(answer["failed"], answer["kind"]) from error

    def stop(self) -> None:
        pass

    close = stop


class FakeFeatures:
    """Features of images without files: a function of their names."""

    def __init__(self, rows: Callable[[list[str]], Rows], *_: Any) -> None:
        self.rows, self.names = rows, list[str]()

    def add(self, images: list[str], keys: list[str | None], **_: Any) -> None:
        self.names += images

    @property
    def readable(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.ones(len(self), dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Rows:
        return self.rows(self.names)[index]


def train_in_process(monkeypatch: pytest.MonkeyPatch, rows: Callable[[list[str]], Rows]) -> None:
    """Train in this process on features by the names of images, without near-duplicates."""
    monkeypatch.setattr(background_training, "BackgroundRunner", InProcess)
    monkeypatch.setattr(training, "PackedFeatures", partial(FakeFeatures, rows))
    monkeypatch.setattr(training, "group_copies", lambda images, *_: np.arange(len(images)))


def training_of(project: Project) -> BackgroundTraining:
    """Return the background training of a project as another kernel has it, without a thread."""
    return BackgroundTraining(ProjectLocation(project.root, open_project_store(project.root)))


def turn_on(project: Project, **settings: Any) -> None:
    """Turn assist on as in another kernel, without a thread that trains."""
    training_of(project).change_settings("start assist", on=True, **settings)
