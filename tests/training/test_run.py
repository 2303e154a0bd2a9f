"""Tests of a training run around its recipe."""

import weakref
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from customlabels_nb.project.projects import create_project
from customlabels_nb.training import run
from customlabels_nb.training.recipe import TrainingJob
from tests.models.pictures import save_blots


@pytest.mark.parametrize("error", [None, OSError("disk full")])
def test_the_memory_of_the_device_is_released_after_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception | None
) -> None:
    networks: list[weakref.ref[nn.Module]] = []
    released: list[tuple[str, bool]] = []
    recipe_for, save_artifact = run.recipe_for, run.save_artifact

    def train(work: TrainingJob) -> Any:
        trained = recipe_for(work.plan.task)(work)
        networks.append(weakref.ref(trained.network))
        return trained

    def save(*arguments: Any) -> None:
        if error is not None:
            raise error
        save_artifact(*arguments)

    monkeypatch.setattr(run, "recipe_for", lambda task: train)
    monkeypatch.setattr(run, "save_artifact", save)
    monkeypatch.setattr(run, "release_memory", lambda device: released.append((device, networks[0]() is None)))
    project = create_project("released", tmp_path)
    for label, color in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        save_blots(tmp_path / "photos" / label, color, 5)
    project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    project.distribute()
    if error is None:
        assert project.train("v1", device="cpu", progress=False).status == "TRAINING_COMPLETED"
        assert released == [("cpu", True)]  # nothing refers to the network any more
        return
    with pytest.raises(OSError, match="full"):
        project.train("v1", device="cpu", progress=False)
    assert [device for device, _ in released] == ["cpu"]
