"""Tests of a training run around its recipe."""

import weakref
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from customlabels_nb.events import Events
from customlabels_nb.training import run
from customlabels_nb.training.options import TrainingOptions
from customlabels_nb.training.recipe import TrainingJob


@pytest.mark.parametrize("error", [None, OSError("disk full")])
def test_the_memory_of_the_device_is_released_after_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception | None
) -> None:
    networks: list[weakref.ref[nn.Module]] = []
    released: list[tuple[str, bool]] = []

    def train(work: TrainingJob) -> Any:
        network = nn.Linear(1, 1)
        networks.append(weakref.ref(network))
        part = SimpleNamespace(issues=[])
        return SimpleNamespace(train=part, test=part, network=network)

    def write(*arguments: object) -> tuple[dict[str, Any], str]:
        if error is not None:
            raise error
        return {}, "evaluation"

    monkeypatch.setattr(run, "recipe_for", lambda task: train)
    monkeypatch.setattr(run, "_write_version", write)
    monkeypatch.setattr(run, "release_memory", lambda device: released.append((device, networks[0]() is None)))
    monkeypatch.setattr(run, "honest_status", lambda store, name: nullcontext())
    for name in ("write_snapshots", "note_issues", "_statistics"):
        monkeypatch.setattr(run, name, lambda *arguments: None)
    part = SimpleNamespace(images=[])
    plan: Any = SimpleNamespace(task="boxes", recipe="chosen", choice="chosen", notes=[], train=part, test=part)
    store: Any = SimpleNamespace(update_version=lambda *arguments, **values: None, images=lambda name: None)
    record, datasets = SimpleNamespace(name="v1", created=datetime.now(UTC)), SimpleNamespace()
    job = TrainingJob(plan, TrainingOptions(), "cuda", tmp_path, tmp_path, Events())
    given: Any = (store, record, (datasets, datasets), job)
    if error is None:
        assert run._run(*given) == "evaluation"
        assert released == [("cuda", True)]  # nothing refers to the network any more
        return
    with pytest.raises(OSError, match="full"):
        run._run(*given)
    assert [device for device, _ in released] == ["cuda"]
