"""Tests of a run's TensorBoard files."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import MissingDependencyError
from customlabels_nb.events import Events, Mark, Sample
from tests.widgets.test_training_view import picture


def test_metrics_messages_and_samples_are_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = Events()
    with cl.TensorBoardListener(tmp_path / "run") as listener:
        events.subscribe(listener)
        events.progress("training", 1, 9)
        for step in (3, 6):
            events.metrics(step, loss=1 / step, ap50=math.nan if step == 3 else 0.5)
        events.message("**Kind**: detection.\n# second line")
        box = (1.0, 2.0, 30.0, 40.0)
        events.samples(6, [Sample("a.jpg", picture(), (640, 400), (Mark("\u96ea", box),), (Mark("b", None, 0.5),))])
    read = EventAccumulator(str(tmp_path / "run"))
    read.Reload()
    assert [(point.step, point.value) for point in read.Scalars("loss")] == [
        (3, pytest.approx(1 / 3)), (6, pytest.approx(1 / 6)),
    ]  # fmt: skip
    assert [point.step for point in read.Scalars("ap50")] == [6]
    (text,) = read.Tensors("messages/text_summary")
    assert text.tensor_proto.string_val[0].decode() == "    **Kind**: detection.\n    # second line"
    (image,) = read.Images("held-out/0")
    assert (image.step, image.width, image.height) == (6, 320, 200)


def test_without_tensorboard_its_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"install .*tensorboard>="):
        cl.TensorBoardListener(tmp_path / "run")
    assert not (tmp_path / "run").exists()
