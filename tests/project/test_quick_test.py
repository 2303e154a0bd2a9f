"""Tests of ``model.quick_test()`` with a running model: predictions as in ``detect``, versions, added images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.project.project import Project
from customlabels_nb.project.runnable import load_model
from customlabels_nb.widgets.quick_test import QuickTest
from tests.project.conftest import draw


@pytest.fixture
def trained(project: Project) -> Project:
    """Return the project with two trained versions."""
    project.distribute(test_fraction=0.25)
    project.train("first", progress=False)
    project.train("second", progress=False)
    return project


def test_quick_test_switches_between_versions(trained: Project, tmp_path: Path) -> None:
    photo = tmp_path / "new.png"
    draw(photo, 1, random_state=99)
    model = trained.model("first")
    widget = model.quick_test()
    assert isinstance(widget, QuickTest)
    names = [(one.name, one.about[:3]) for one in widget.session.candidates()]
    assert names == [("first", "F1 "), ("second", "F1 ")]
    assert model.status == "TRAINING_COMPLETED"  # opening it does not start the model
    found = widget.ask(photo)
    assert model.status == "RUNNING"
    own = model.detect(photo)
    assert found.table.equals(own.table)
    assert found.response == own.response
    widget.threshold = 0.0
    assert np.allclose(widget.table["confidence"], model.detect(photo, threshold=0).table["confidence"])
    assert widget.detection.nearest == model.detect(photo, threshold=0).nearest

    widget.session.choose("second")
    widget.session.again(1)
    assert trained.model("second").status == "RUNNING"
    widget.session.stop()
    assert (trained.model("first").status, trained.model("second").status) == ("RUNNING", "STOPPED")
    model.set_thresholds(0.99)
    widget.threshold = None
    widget.session.choose("first")
    widget.session.again(1)
    assert widget.table["label"].tolist() == model.detect(photo).table["label"].tolist()
    before = len(trained.train_set.images)
    added = widget.add("train", ["stripes"])
    assert len(trained.train_set.images) == before + 1
    assert trained.train_set.images["source"].iloc[-1] == "quick test of first"
    assert added.image == str(photo)
    widget.undo()
    assert len(trained.train_set.images) == before
    model.stop()


@pytest.mark.thorough
def test_quick_test_of_a_loaded_model_adds_nothing(project: Project, tmp_path: Path) -> None:
    project.distribute(test_fraction=0.25)
    photo = tmp_path / "new.png"
    draw(photo, 0, random_state=98)
    loaded = load_model(project.train("only", progress=False).folder)
    widget = loaded.quick_test()
    assert widget.ask(photo).table.equals(loaded.detect(photo).table)
    assert widget.session.feedback is None
    with pytest.raises(NotAllowedError, match="not belong to a project"):
        widget.add()
    loaded.stop()
