"""Tests of names of metrics in MLflow. Logged trainings are tested in ``tests/project/test_mlflow_runs.py``."""

from __future__ import annotations

import sys

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import MissingDependencyError
from customlabels_nb.training.mlflow import metric_key

PLAIN = ["cat", "naïve 雪", "living_room-2.1"]
HOSTILE = ["a/b", "../..", ".hidden", "<b>", "spaced-", "x" * 150, "a:b", "a\nb", "-", "🍎"]


def test_every_label_has_its_own_key_of_allowed_characters() -> None:
    assert [metric_key(label) for label in PLAIN] == PLAIN
    assert metric_key("a/b").startswith("a_b-")
    labels = [*PLAIN, *HOSTILE, "a_b", "a?b", "a*b"]
    keys = {metric_key(label) for label in labels}
    assert len(keys) == len(labels)
    assert all(len(key) <= 100 and not set(key) & set("/<>:\n🍎") for key in keys)


def test_without_mlflow_its_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r"install .*mlflow"):
        cl.MLflowListener()
