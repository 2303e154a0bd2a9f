"""MLflow logging of parameters, metrics, plots and models, if the extra ``mlflow`` is installed."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.text import first_line, without_passwords
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.errors import InputError, MissingDependencyError
from customlabels_nb.events import DONE, FAILED, STOPPED, Ended, Event, Metrics, Result, Started

_STATUSES = {DONE: "FINISHED", STOPPED: "KILLED", FAILED: "FAILED"}
_VERSION = "customlabels_nb.version"  # tag that identifies the run of a version
_PER_LABEL = ("f1", "precision", "recall", "average_precision", "threshold")
_PLAIN = re.compile(r"\w(?:[\w .-]{0,98}\w)?")
_OTHER = re.compile(r"[^\w .-]")
_LONGEST_KEY, _LONGEST_VALUE = 100, 500
_BATCH = 500


class MLflowListener(NameHints):
    """Listener that logs training runs to MLflow.

    A run has the options of the training as parameters, the metrics of each step as curves, the metrics on the test
    images (``test/f1``, and ``per_label/f1/cat`` for a label), the plots of the evaluation, and the folder of the
    model. A training that is resumed continues its run. If MLflow fails during a training, this is printed and the
    training continues.

    Characters of a label that MLflow does not allow in names are replaced by ``_``, followed by a hash of the label.
    The artifact ``labels.json`` lists these names.

    Parameters
    ----------
    tracking_uri : str, optional
        Store or server of MLflow, such as "sqlite:///runs.db". By default the one that MLflow is configured for, with
        ``MLFLOW_TRACKING_URI`` for example.
    experiment : str
        Name of the experiment, which is created if it does not exist.
    artifacts : bool
        Log the plots and the folder of the model. The folder lists the names of the images, but has no images.

    Raises
    ------
    MissingDependencyError
        If MLflow is not installed.
    InputError
        If the store cannot be opened.

    Examples
    --------
    >>> project.train(events=cl.MLflowListener("sqlite:///runs.db"))  # doctest: +SKIP
    """

    def __init__(
        self, tracking_uri: str | None = None, *, experiment: str = "customlabels_nb", artifacts: bool = True
    ) -> None:
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise MissingDependencyError(
                f"MLflowListener needs the package mlflow. Install it: {extra_command('mlflow')}"
            ) from error
        try:
            self._client: Any = MlflowClient(tracking_uri)
            found = self._client.get_experiment_by_name(experiment)
            self._experiment = self._client.create_experiment(experiment) if found is None else found.experiment_id
        except Exception as error:  # also those of the database and the HTTP library
            what = f"tracking_uri={tracking_uri!r}, experiment={experiment!r}"
            raise InputError(without_passwords(f"{what} cannot be used: {first_line(error)}")) from error
        self._artifacts = artifacts
        self._run: str | None = None
        self._folder = Path()
        self._logged_step = -1  # of a run that is continued, until its training is further
        self._failed = False

    def __call__(self, event: Event) -> None:
        """Log an event to the run."""
        if self._failed and isinstance(event, Metrics):  # each attempt to reach a server may take minutes
            return
        try:
            self._log(event)
        except Exception as error:
            self._failed = True
            reason = without_passwords(first_line(error)).rstrip(".")
            say(f"MLflow could not log the {type(event).__name__.lower()} event: {reason}. Training continues.")

    def _log(self, event: Event) -> None:
        if isinstance(event, Started):
            self._run, self._failed = None, False
            self._begin(event)
        elif self._run is None:
            return
        elif isinstance(event, Metrics):
            if event.step > self._logged_step:
                self._logged_step = -1
                self._log_metrics({_OTHER.sub("_", name): value for name, value in event.values.items()}, event.step)
        elif isinstance(event, Result):
            self._log_report(event.report)
        elif isinstance(event, Ended):
            run, self._run = self._run, None
            if event.reason:
                self._client.set_tag(run, "reason", event.reason[:_LONGEST_VALUE])
            self._client.set_terminated(run, _STATUSES[event.status])

    def _begin(self, event: Started) -> None:
        """Continue the run of the version, or create it."""
        from mlflow.entities import Param

        identity = hashlib.sha256(f"{event.name}\0{event.created.isoformat()}".encode()).hexdigest()[:32]
        runs = self._client.search_runs([self._experiment], f"tags.`{_VERSION}` = '{identity}'", max_results=1)
        if runs:
            run = runs[0]
            self._client.update_run(run.info.run_id, status="RUNNING")
            histories = (self._client.get_metric_history(run.info.run_id, name) for name in run.data.metrics)
            self._logged_step = max((point.step for history in histories for point in history), default=-1)
        else:
            run = self._client.create_run(self._experiment, tags={_VERSION: identity}, run_name=event.name)
            self._logged_step = -1
        self._run, self._folder = run.info.run_id, event.folder
        logged = run.data.params
        new = {name: value for name, value in event.parameters.items() if value is not None and name not in logged}
        params = [Param(name, str(value)[:_LONGEST_VALUE]) for name, value in new.items()]
        self._client.log_batch(self._run, params=params)

    def _log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = [Metric(name, float(value), now, step) for name, value in values.items() if math.isfinite(value)]
        for start in range(0, len(finite), _BATCH):
            self._client.log_batch(self._run, metrics=finite[start : start + _BATCH])

    def _log_report(self, report: Any) -> None:
        table = report.per_label.query("test_images > 0")
        keys = {label: metric_key(label) for label in table["label"]}
        values = {f"test/{row.metric}": row.value for row in report.summary.itertuples()}
        for name in _PER_LABEL:
            values |= {f"per_label/{name}/{keys[row.label]}": getattr(row, name) for row in table.itertuples()}
        self._log_metrics(values)
        renamed = {key: label for label, key in keys.items() if key != label}
        if renamed:
            self._client.log_dict(self._run, renamed, "labels.json")
        if not self._artifacts:
            return
        with tempfile.TemporaryDirectory() as folder:
            for file in report.to(folder, plots=True):
                if file.suffix == ".png":
                    self._client.log_artifact(self._run, str(file), "plots")
        self._client.log_artifacts(self._run, str(self._folder), "model")


def metric_key(label: str) -> str:
    """Return a label as a part of the name of a metric: itself, or its allowed characters and a hash of it."""
    if _PLAIN.fullmatch(label):
        return label
    digest = hashlib.sha256(label.encode()).hexdigest()[:12]
    return f"{_OTHER.sub('_', label)[: _LONGEST_KEY - 13]}-{digest}"
