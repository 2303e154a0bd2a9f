"""Tests of a run's parameters, curves, metrics and files in MLflow, in an SQLite database."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Ended, Event, Events, Message, Metrics, Result, Started
from customlabels_nb.project.project import Project
from customlabels_nb.training.mlflow import MLflowListener, metric_key
from tests.training.test_mlflow import HOSTILE, PLAIN

CREATED = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
LABELS = [*PLAIN, *HOSTILE]
pytestmark = pytest.mark.thorough  # creating the database takes seconds


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an SQLite database for MLflow, whose files are beside it."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield f"sqlite:///{folder}/runs.db"


def runs(database: str, experiment: str = "customlabels_nb") -> list[Any]:
    """Return the runs of an experiment, oldest first."""
    from mlflow import MlflowClient

    client = MlflowClient(database)
    found = client.get_experiment_by_name(experiment)
    return sorted(client.search_runs([found.experiment_id]), key=lambda run: run.info.start_time)


def logged_files(run: Any) -> set[str]:
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("known_features")
def test_a_resumed_training_continues_its_run(database: str, project: Project) -> None:
    project.distribute(test_fraction=0.25)
    events = Events(MLflowListener(database))

    def stop(event: Event) -> None:
        if isinstance(event, Message):
            events.cancel()

    events.subscribe(stop)
    with pytest.raises(Cancelled):
        project.train("v1", random_state=3, progress=False, events=events)
    (stopped,) = runs(database)
    assert (stopped.info.run_name, stopped.info.status) == ("v1", "KILLED")
    assert stopped.data.tags["reason"].startswith("Stopped")
    assert not logged_files(stopped)

    model = project.model("v1").resume(progress=False, events=MLflowListener(database))
    (run,) = runs(database)
    assert (run.info.run_id, run.info.status) == (stopped.info.run_id, "FINISHED")
    expected = {"random_state": "3", "task": "single-label", "training_images": "18", "backbone": "efficientnet_lite0"}
    assert expected.items() <= run.data.params.items()
    report = model.evaluate()
    assert run.data.metrics["test/f1"] == pytest.approx(report.metric("f1"))
    for row in report.per_label.itertuples():
        assert run.data.metrics[f"per_label/f1/{row.label}"] == pytest.approx(row.f1)
    files = {path.relative_to(model.folder).as_posix() for path in model.folder.rglob("*") if path.is_file()}
    assert {f"model/{name}" for name in files} <= logged_files(run)
    assert {"plots/confusion_matrix.png", "plots/per_label.png"} <= logged_files(run)


def test_curves_and_hostile_labels_are_logged(database: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    listener = MLflowListener(database, experiment="curves", artifacts=False)

    def run(*events: Event) -> None:
        for event in (Started("first", CREATED, tmp_path, {"detector": "x" * 900, "steps": None}), *events):
            listener(event)

    run(Metrics(1, {"loss": 0.5, "ap50": math.nan}), Metrics(2, {"loss": 0.25}), Ended("failed", "No memory."))
    (failed,) = runs(database, "curves")
    assert (failed.info.status, failed.data.tags["reason"]) == ("FAILED", "No memory.")
    assert failed.data.params == {"detector": "x" * 500}

    truth = pd.DataFrame({"image": [f"{n}.jpg" for n in range(len(LABELS))], "label": LABELS})
    report = cl.evaluate(truth, truth.assign(confidence=0.9), task="single-label")
    again = [Metrics(step, {"loss": 1 / step}) for step in (2, 4)]  # from a checkpoint before the second step
    run(*again, Result("Test F1 1.000.", report), Ended("done"))
    (finished,) = runs(database, "curves")
    assert (finished.info.run_id, finished.info.status) == (failed.info.run_id, "FINISHED")
    curve = MlflowClient(database).get_metric_history(finished.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25), (4, 0.25)]
    assert "ap50" not in finished.data.metrics
    assert {f"per_label/f1/{metric_key(label)}" for label in LABELS} <= finished.data.metrics.keys()
    assert logged_files(finished) == {"labels.json"}
    written = Path(finished.info.artifact_uri.removeprefix("file://"), "labels.json")
    assert json.loads(written.read_text("utf-8")) == {metric_key(label): label for label in HOSTILE}

    listener(Started("first", CREATED.replace(year=2027), tmp_path))
    assert len(runs(database, "curves")) == 2


def test_a_failing_store_does_not_end_the_training(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"tracking_uri='oracle://ann@x'.* cannot be used") as refused:
        MLflowListener("oracle://ann:secret@x")
    assert "secret" not in str(refused.value)
    listener = MLflowListener(database, experiment="failing")
    listener(Started("first", CREATED, tmp_path))

    def fail(*_: object, **__: object) -> None:
        raise OSError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_batch", fail)
        listener(Metrics(1, {"loss": 0.5}))
        listener(Metrics(2, {"loss": 0.5}))
    listener(Ended("done"))
    assert capsys.readouterr().out.count("MLflow could not log the metrics event: no answer. Training continues.") == 1
    (run,) = runs(database, "failing")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {})
