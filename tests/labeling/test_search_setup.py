"""Tests of what the search by a description says that it needs, before anyone searches."""

from __future__ import annotations

from pathlib import Path

import pytest

from customlabels_nb.models.pretrained import weights
from customlabels_nb.project.project import Project
from customlabels_nb.store import SqlStore
from customlabels_nb.user_settings import settings
from tests.facts import tells
from tests.models.tiny_siglip import write_tiny_siglip
from tests.waiting import wait_until
from tests.widgets.asking import Page


@pytest.fixture(autouse=True)
def nothing_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(weights, "find_weights", lambda name: None)
    monkeypatch.setattr(settings, "network", True)


def test_missing_weights_are_offered_with_their_size(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(project.label(), monkeypatch)
    state = page.ask("search setup")
    assert tells(state["button"], "Get the model", "1.5 GB")
    assert tells(state["question"], "google/siglip2-base-patch32-256", "1510 MB")
    monkeypatch.setattr(SqlStore, "read_only", True)
    state = page.ask("search setup", start=True)
    assert state["text"]
    assert (state["button"], state["running"]) == ("", False)


def test_without_a_network_the_command_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "network", False)
    state = project.label().session.search.state()
    assert tells(state["text"], "offline", "customlabels-nb fetch siglip2")
    assert not state["button"]


def test_missing_vectors_are_computed_with_progress(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    write_tiny_siglip(tmp_path / "tiny")
    project.embedding_model = str(tmp_path / "tiny")
    page = Page(project.map(), monkeypatch)
    assert page.ask("search setup")["button"] == "Compute vectors of 30 images"
    assert page.ask("search setup", start=True)["error"] == ""
    wait_until(lambda: page.ask("search setup")["text"] == "", 60)
    assert len(project.search("a red screw")) == 30
