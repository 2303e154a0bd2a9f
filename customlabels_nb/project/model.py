"""Model versions of a project: run, evaluate, describe, publish, copy and delete them."""

from __future__ import annotations

import math
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.progress_bars import progress_bars, say
from customlabels_nb._utils.rendering import facts_html
from customlabels_nb._utils.text import counted, escaped, one_line
from customlabels_nb.core.decisions import (
    ASSUMED,
    MOST_CONFIDENT,
    Decision,
    EvaluationDecision,
    default_decision,
    require_single_label,
)
from customlabels_nb.core.version_status import BUSY, FAILED_TRAINING, READY, RUNNING, STOPPED_TRAINING
from customlabels_nb.errors import (
    ArtifactError,
    Cancelled,
    CustomLabelsError,
    InputError,
    ModelNotFoundError,
    ModelNotReadyError,
    NotAllowedError,
    NotEnoughDataError,
    StoreError,
    show_in_one_line,
)
from customlabels_nb.events import Events, Listener, Result
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.project.location import ProjectLocation, check_description, check_name
from customlabels_nb.project.progress_display import watch
from customlabels_nb.project.runnable import Runnable
from customlabels_nb.project.tags import Tags
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.store.records import DESCRIPTION
from customlabels_nb.training.status import Heartbeat, check_resumable, is_settled, remove_folder, this_process
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import pandas as pd

    from customlabels_nb.datasets.dataset import Dataset
    from customlabels_nb.evaluation import Evaluation
    from customlabels_nb.inference.engines.names import EngineName
    from customlabels_nb.inference.exporting.export import Exported
    from customlabels_nb.inference.exporting.formats import ExportFormat
    from customlabels_nb.inference.predictor import Predictor
    from customlabels_nb.jobs.identity import StoredProject
    from customlabels_nb.labeling.project_actions import ProjectActions
    from customlabels_nb.labeling.quick_test import QuickTestModel, QuickTestSession
    from customlabels_nb.models.artifact import ModelConfig
    from customlabels_nb.project.model_card import ModelCard
    from customlabels_nb.project.report import Report

_PHOTOS = 16
_DONE = {"RUNNING": "start version", "STOPPED": "stop version", "FAILED": "start version (failed)"}


@dataclass
class _RunningVersion:
    """Predictor of a version in this process, running or idle, and its heartbeat while it runs."""

    predictor: Predictor
    heartbeat: Heartbeat | None = None

    def be_silent(self) -> None:
        if self.heartbeat is not None:
            self.heartbeat.stop()
            self.heartbeat = None


#: Running versions and their locks, by project folder and version. A lock is held while its version starts or stops.
_RUNNING: dict[tuple[Path, str], _RunningVersion] = {}
_LOCKS: defaultdict[tuple[Path, str], threading.RLock] = defaultdict(threading.RLock)


class Model(Runnable):
    """Version of a project's model, returned by ``project.train()`` and ``project.model(name)``.

    Examples
    --------
    >>> model = project.model("latest")
    >>> model.name in project.versions["name"].tolist()
    True
    >>> sorted(model.thresholds)
    ['bathroom', 'bedroom', 'garden']
    """

    def __init__(self, location: ProjectLocation, name: str) -> None:
        self._location = location
        self.name = name

    @property
    def _root(self) -> Path:
        return self._location.root

    @property
    def _store(self) -> SqlStore:
        return self._location.store

    # -- properties ---------------------------------------------------------------------------------
    @property
    def record(self) -> VersionRecord:
        """Stored record of the version: status, message, times, tags, metrics and configuration."""
        for version in self._store.versions():
            if version.name == self.name:
                return version
        raise ModelNotFoundError(f"Version {self.name!r} no longer exists.")

    @property
    def status(self) -> str:
        """Status of the version, such as "RUNNING" or "STOPPED".

        As in Rekognition, it is "TRAINING_IN_PROGRESS", "TRAINING_COMPLETED", "TRAINING_FAILED", "STARTING", "RUNNING",
        "STOPPING", "STOPPED", "FAILED", "DELETING", "COPYING_IN_PROGRESS", "COPYING_COMPLETED" or "COPYING_FAILED". A
        training that you stop is "TRAINING_STOPPED", and one that an error or the end of its kernel has stopped is
        "TRAINING_FAILED". :meth:`resume` continues both.
        """
        return self.record.status

    @property
    def status_message(self) -> str:
        """Human-readable explanation of the status."""
        return self.record.status_message

    @property
    def folder(self) -> Path:
        """Folder with the weights, the snapshots and all other files of the version."""
        return self._root / self.record.folder

    @property
    def task(self) -> str:
        """Task of the model: "single-label", "multi-label", "boxes" or "polygons"."""
        from customlabels_nb.models.artifact import load_config

        self._require_ready()
        return load_config(self.folder).task

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the model, in the order of its outputs."""
        from customlabels_nb.models.artifact import load_config

        self._require_ready()
        return load_config(self.folder).labels

    @property
    def thresholds(self) -> dict[str, float]:
        """Confidence threshold of each label. By default, the threshold with the label's highest F1 on the test set.

        They are used if :attr:`decision` is "assumed". A running detector with ``views`` of 2 or 4 has thresholds of
        its own.
        """
        from customlabels_nb.models.artifact import load_config

        self._require_ready()
        config, views = load_config(self.folder), 1 if self._predictor is None else self._predictor.views
        return dict(config.view_thresholds.get(str(views), config.thresholds))

    @property
    def decision(self) -> str:
        """Rule for the answers of the model, set with :meth:`set_thresholds`: "most confident" or "assumed".

        With "most confident", the default for one label per image, the answer is the label with the highest confidence.
        With "assumed", all labels or boxes that reach the threshold of their label in :attr:`thresholds` are answers.

        Examples
        --------
        >>> project.model("latest").decision
        'most confident'
        """
        from customlabels_nb.models.artifact import load_config

        self._require_ready()
        return load_config(self.folder).decision

    @property
    def card(self) -> ModelCard:
        """Model card: task, training data, metrics and limits.

        It is displayed in notebooks. ``.text`` contains its Markdown, and ``.to(path)`` writes it to a file.
        """
        return self._make_card(None)

    def _make_card(self, evaluated: Evaluation | None) -> ModelCard:
        from customlabels_nb.project.model_card import make_card

        self._require_ready()
        return make_card(self.folder, self._root, self.record, self._store.project().name, evaluated=evaluated)

    # -- alias, tags and description ----------------------------------------------------------------
    def publish(self, alias: str) -> None:
        """Give the version an alias for ``project.model(alias)``, which it takes over from any version that has it.

        Raises
        ------
        NotAllowedError
            If ``alias`` is "latest" or the name of a version.

        Examples
        --------
        >>> model.publish("production")
        >>> project.model("production").name == model.name
        True
        """
        if check_name(alias, "alias") == "latest" or any(version.name == alias for version in self._store.versions()):
            raise NotAllowedError(
                f"alias={alias!r} is reserved or already the name of a version. Choose a different alias."
            )
        self._require_ready()
        self._store.update_version(self.name, Action("publish version", settings.user, self.name), alias=alias)

    @property
    def tags(self) -> Tags:
        """Tags of the version, a mapping of str to str. Changes are stored at once.

        Examples
        --------
        >>> model.tags.update(stage="test", customer="Smith")
        >>> model.tags["stage"]
        'test'
        """

        def shown(tags: Mapping[str, str]) -> dict[str, str]:
            return {key: text for key, text in tags.items() if key != DESCRIPTION}

        def change(changed: Callable[[dict[str, str]], dict[str, str]]) -> None:
            def tagged(now: VersionRecord) -> dict[str, Any]:
                kept = {key: text for key, text in now.tags.items() if key == DESCRIPTION}
                return {"tags": {**changed(shown(now.tags)), **kept}}

            self._store.change_version(self.name, tagged, Action("tag version", settings.user, self.name))

        return Tags(lambda: shown(self.record.tags), change)

    @property
    def description(self) -> str:
        """Description of the version, set with ``describe``."""
        return self.record.description

    def describe(self, text: str) -> None:
        """Set the description shown in the model card and the table of versions.

        Parameters
        ----------
        text : str
            Description. An empty string removes it.

        Examples
        --------
        >>> model.describe("Rooms of flats in daylight")
        >>> model.description
        'Rooms of flats in daylight'
        """
        description = check_description(text)

        def described(now: VersionRecord) -> dict[str, dict[str, str]]:
            tags = {**now.tags, DESCRIPTION: description}
            return {"tags": {key: value for key, value in tags.items() if value or key != DESCRIPTION}}

        self._store.change_version(self.name, described, Action("describe version", settings.user, self.name))
        self._write_card()

    # -- running ------------------------------------------------------------------------------------
    def set_thresholds(self, thresholds: float | Mapping[str, float] | Decision | None) -> None:
        """Store the decision of the version. ``detect`` follows it from now on, even in a running model.

        Parameters
        ----------
        thresholds : number, dict, "most confident", "assumed" or None
            One threshold for all labels, or thresholds by label (other labels keep theirs). They apply to any number of
            views. "most confident" returns the label with the highest confidence, if the model has one label per image.
            "assumed" restores the thresholds with the highest F1 on the test set. None restores the default: "most
            confident" for models of one label per image, otherwise "assumed".

        Raises
        ------
        InputError, LabelError
            If a threshold is not a number between 0 and 1, the model does not have a label, or "most confident" is
            for a model of several labels or boxes.

        Examples
        --------
        >>> model.set_thresholds({"garden": 0.8})
        >>> model.thresholds["garden"]
        0.8
        """
        from customlabels_nb.inference.thresholds import label_thresholds
        from customlabels_nb.models.artifact import load_config, update_config
        from customlabels_nb.training.stored import former_thresholds

        self._require_ready()
        task = load_config(self.folder).task
        decision = default_decision(task) if thresholds is None else ASSUMED
        names = self._names_now()
        restored = thresholds is None or (isinstance(thresholds, str) and thresholds == ASSUMED)
        if restored:
            thresholds = self._chosen_thresholds(names)
        elif isinstance(thresholds, str) and thresholds == MOST_CONFIDENT:
            require_single_label("thresholds", task)
            decision, thresholds = MOST_CONFIDENT, {}
        elif isinstance(thresholds, Mapping):
            thresholds = former_thresholds(thresholds, names)
        by_label = {} if thresholds is None else thresholds

        def merge(_: VersionRecord) -> dict[str, Any]:  # other kernels that set thresholds wait
            config = load_config(self.folder)
            views = [] if restored else list(config.view_thresholds)
            by_views = {number: label_thresholds(config, by_label, int(number), name="thresholds") for number in views}
            own = label_thresholds(config, by_label, name="thresholds")
            update_config(self.folder, replace(config, thresholds=own, view_thresholds=by_views, decision=decision))
            return {}

        self._store.change_version(self.name, merge, Action("set thresholds", settings.user, self.name))
        self._write_card()
        self._choose_view_thresholds()

    def _chosen_thresholds(self, names: Mapping[str, str]) -> dict[str, float]:
        """Choose the threshold of each label on the test set as it is now, or that of the training if it is gone."""
        try:
            return _best_thresholds(self.evaluate(thresholds=ASSUMED), names)
        except NotEnoughDataError:
            return _best_thresholds(self.evaluate(thresholds=ASSUMED, as_trained=True), {name: name for name in names})

    def _names_now(self) -> dict[str, str]:
        """Map the labels of the version to their names in the project now."""
        from customlabels_nb.models.artifact import load_config
        from customlabels_nb.training.evaluation_now import names_now

        return names_now(self._store, self.record, load_config(self.folder))

    def _choose_view_thresholds(self) -> None:
        """Choose a detector's thresholds for several views on its test images, unless it has them or the user's."""
        from customlabels_nb.models.artifact import load_config, update_config
        from customlabels_nb.training.kept_files import has_predictions, read_snapshot

        config, predictor = load_config(self.folder), self._predictor
        views = 1 if predictor is None or not config.is_detector else predictor.views
        if views == 1 or str(views) in config.view_thresholds or not has_predictions(self.folder, "test"):
            return
        if self._store.read_only:
            say("The thresholds of one view are used, because the project is read-only.")
            return
        data = read_snapshot(self.folder, "test", self._root)
        say(f"Choosing the thresholds for views={views} on {counted(len(data.images), 'test image')}.")
        try:
            labels = {label: label for label in config.labels}
            best = _best_thresholds(super().evaluate(data, thresholds="best"), labels)
        except CustomLabelsError as error:
            say(f"The thresholds of one view are used: {error}")
            return
        assumed = _best_thresholds(self.evaluate(thresholds=ASSUMED, as_trained=True), labels)

        def store(_: VersionRecord) -> dict[str, Any]:
            config = load_config(self.folder)
            kept = {name: value for name, value in config.thresholds.items() if value != assumed.get(name)}
            by_views = config.view_thresholds | {str(views): config.thresholds | best | kept}
            update_config(self.folder, replace(config, view_thresholds=by_views))
            return {}

        self._store.change_version(self.name, store, Action("set thresholds", settings.user, self.name))

    def start(
        self,
        device: str | None = None,
        *,
        engine: EngineName | None = None,
        idle_stop: str | float | None = None,
        views: int | None = None,
    ) -> Model:
        from customlabels_nb._utils.device import choose_device
        from customlabels_nb.inference.engines.names import check_engine
        from customlabels_nb.inference.idle import idle_seconds
        from customlabels_nb.inference.predictor import Predictor
        from customlabels_nb.inference.views import check_views

        self._require_ready()
        chosen = None if device is None else choose_device(device)
        if idle_stop is not None:
            idle_seconds(idle_stop)  # validate before the status changes
        if engine is not None:
            check_engine(engine)
        if views is not None:
            check_views(views)
        with _LOCKS[self._key]:
            predictor = self._predictor
            if predictor is not None and chosen in (None, predictor.device) and engine is None:
                predictor.start(idle_stop=idle_stop, views=views)
            else:
                self._set("STARTING", "The model is starting.")
                try:
                    life = _RUNNING.get(self._key) or _RunningVersion(Predictor(self.folder, changed=self._note_change))
                    _RUNNING[self._key] = life
                    life.predictor.start(chosen, engine=engine, idle_stop=idle_stop, views=views)
                    self._note_running(life)
                except BaseException as error:
                    self._end("FAILED", f"The model could not be started: {error}")
                    raise
        self._choose_view_thresholds()
        return self

    def stop(self) -> None:
        """Stop the model and free its memory, after finishing requests in progress.

        Nothing happens if the model is not running.

        Raises
        ------
        NotAllowedError
            If the model is running in another kernel, where it must be stopped.

        Examples
        --------
        >>> started = model.start("cpu", engine="torch")
        >>> model.status
        'RUNNING'
        >>> model.stop()
        >>> model.status
        'STOPPED'
        """
        with _LOCKS[self._key]:
            life, record = _RUNNING.get(self._key), self.record
            if life is not None:
                self._set("STOPPING", "The model is stopping.")
            elif record.status not in RUNNING:
                return
            elif not is_settled(record):
                where = f"{record.host}, {record.pid}"
                raise NotAllowedError(f"{self.name!r} is running in another kernel ({where}). Stop it there.")
            self._end("STOPPED", "The model has stopped running.")

    def export(self, format: ExportFormat, path: str | os.PathLike[str] | None = None) -> Exported:
        self._require_ready()
        return super().export(format, path)

    # -- evaluation ---------------------------------------------------------------------------------
    def evaluate(
        self,
        data: Dataset | pd.DataFrame | None = None,
        *,
        thresholds: float | Mapping[str, float] | EvaluationDecision | None = None,
        as_trained: bool = False,
        run: bool = True,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> Report:
        """Compare the predictions of the version with the labels of test images, or of other images.

        Without ``data``, the stored predictions are judged by the project's test set as it is now. Only test images
        that are new, or whose content has changed, are run through the model. Those that the version was trained on are
        left out. Labels that were renamed or merged since are followed.

        Parameters
        ----------
        data : Dataset or DataFrame, optional
            Labelled images to run the model on, instead of the test set. In a dataset, only images whose labelling is
            complete are used. A DataFrame has the columns ``image`` and ``label``, one row per label (missing for an
            image without labels), and for boxes also ``left``, ``top``, ``width``, ``height`` in pixels. Further
            columns are available in ``report.by``.
        thresholds : number, dict, "most confident", "assumed", "best" or "cross-validated", optional
            Rule that decides which predictions are answers, by default that of the model. A number or a dict is the
            minimum confidence of a prediction (between 0 and 1), for all labels or by label. "most confident" is the
            label with the highest confidence, for models of one label per image. Labels missing in a dict have the
            model's own thresholds, and so has "assumed" with ``data``. "best", and "assumed" without ``data``, choose
            the threshold with the highest F1 on the evaluated images for each label. "cross-validated" chooses the
            thresholds for each fifth of the images from the other four fifths.
        as_trained : bool
            Return the evaluation of the training instead: the test images and labels of that time.
        run : bool
            Run the model on test images without a stored prediction. Otherwise, they are left out, and counted in
            ``.notes``.
        progress, events
            Show progress, and receive it, as in :meth:`detect_many`.

        Returns
        -------
        Report
            ``.notes`` has a sentence for each reason why images or labels were left out, with their number.

        Raises
        ------
        InputError, TableError, LabelError
            If an argument is invalid, or a threshold is for a label that the model does not know.
        NotEnoughDataError
            If no image is labelled for the model's task, or none can be read.
        Cancelled
            If prediction is stopped. Nothing is evaluated.

        Examples
        --------
        >>> report = model.evaluate()
        >>> report.metric("f1") == model.evaluate(as_trained=True).metric("f1")
        True
        """
        from customlabels_nb.models.artifact import load_config
        from customlabels_nb.project.report import Report
        from customlabels_nb.training.evaluation_now import evaluation_now
        from customlabels_nb.training.stored import stored_evaluation

        self._require_ready()
        config = load_config(self.folder)
        if data is not None:
            if as_trained or not run:
                given = "as_trained=True" if as_trained else "run=False"
                raise InputError(f"{given} is for the project's test set. Leave it out, or call evaluate without data.")
            report = super().evaluate(data, thresholds=thresholds, progress=progress, events=events)
            return Report(report, root=report.root, details=report.details, **self._report_facts(config))
        if as_trained:
            images, record = self._store.images("test"), self.record
            result = stored_evaluation(
                self.folder, self._root, config, thresholds=thresholds, columns=images, version=record
            )
            return self._test_report(result, config)
        with progress_bars(events, show=progress) as stream:
            predict = partial(self._predict, events=stream) if run else None
            result = evaluation_now(self._store, self._root, self.record, thresholds=thresholds, predict=predict)
        return self._test_report(result, config)

    def _predict(self, images: list[str], *, events: Events | None = None) -> tuple[pd.DataFrame, list[str]]:
        """Run the version on test images, and return its predictions and the images that could not be read.

        It does not change the running model, which may have another engine or several views.
        """
        import pandas as pd

        from customlabels_nb.inference.detect_many import detect_many
        from customlabels_nb.inference.predictor import Predictor

        are = counted(len(images), "test image is", "test images are")
        say(f"{are} new or changed since {self.name} was trained, and run through the model.")
        predictor = Predictor(self.folder)
        predictor.start(engine="torch")
        try:
            table = detect_many(predictor, pd.DataFrame({"image": images}), root=self._root, threshold=0, events=events)
        finally:
            predictor.stop()
        assert isinstance(table, pd.DataFrame)
        if table.attrs.get("interrupted"):
            raise Cancelled("Stopped by you. Nothing was evaluated.")
        return table, [error["image"] for error in table.attrs["errors"]]

    def _test_report(self, result: Evaluation, config: ModelConfig) -> Report:
        from customlabels_nb.project.report import Report

        facts, names = config.training, None
        details = {"evaluated": datetime.now(UTC), "training_images": facts["training_images"]}
        if result.basis is None or result.basis.state is None:  # the evaluation of the training
            details["evaluated"] = datetime.fromisoformat(facts["ended"])
            if facts["left_out"]:
                details["left out, as they could not be read"] = facts["left_out"]
        else:
            names = self._names_now()
        actions = partial(self._project_actions, config)
        return Report(result, details=details, root=self._root, actions=actions, **self._report_facts(config, names))

    def _report_facts(self, config: ModelConfig, names: Mapping[str, str] | None = None) -> dict[str, Any]:
        from customlabels_nb.training.stored import stored_training

        return {
            "name": self.name,
            "project": self._store.project().name,
            "training": partial(stored_training, self.folder, self._root, config, names),
            "access": self._access(),
        }

    def write_results(self) -> None:
        """Write the evaluation of the training and the model card to the version's folder, replacing existing ones.

        Examples
        --------
        >>> model.write_results()
        >>> (model.folder / "card.md").exists()
        True
        """
        from customlabels_nb.training.kept_files import has_predictions

        self._write_report(self.evaluate(as_trained=True) if has_predictions(self.folder, "test") else None)

    def _write_report(self, report: Report | None) -> None:
        if report is not None:
            report.to(self.folder / "evaluation")
        self._make_card(report).to(self.folder)

    def _finish(self, result: Evaluation, events: Events) -> None:
        """Write the results of a completed training run, and send its test F1 and the next call."""
        from customlabels_nb.models.artifact import load_config

        report = self._test_report(result, load_config(self.folder))
        self._write_report(report)
        metrics = report.summary.set_index("metric")
        f1, low, high = metrics.loc["f1", ["value", "low", "high"]]
        interval = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
        accuracy = f", accuracy {metrics.at['accuracy', 'value']:.3f}" if "accuracy" in metrics.index else ""
        events.emit(Result(f"Test F1 {f1:.3f}{interval}{accuracy}. Next: model.evaluate()", report))

    def _access(self) -> tuple[str, str]:
        """Return two expressions that evaluate to the project and the model in any notebook."""
        project = f"cl.load_project({str(self._root)!r})"
        return project, f"{project}.model({self.name!r})"

    # -- resuming, copying and deleting -------------------------------------------------------------
    def resume(self, *, progress: bool | str = True, events: Events | Listener | None = None) -> Model:
        """Resume a training run that was stopped or killed, with its original images and options.

        ``progress`` and ``events`` are described in :meth:`customlabels_nb.project.project.Project.train`.

        Examples
        --------
        >>> project.model("stopped").resume()  # doctest: +SKIP
        """
        from customlabels_nb.workers.ranks import follow, launched_rank, ranks

        record = self.record
        where = record.config.get("workers"), record.config.get("backend"), bool(record.config.get("shared_filesystem"))
        if launched_rank(where[0]):
            follow()
            return self
        check_resumable(record)
        labels = self._store.labels()
        colors = dict(zip(labels["label"], labels["color"], strict=True))
        display = watch(events, show=progress, title=self.name, colors=colors)
        with self._stoppable(), display as stream:
            from customlabels_nb.training.run import resume_version  # loads torch, which takes seconds

            with ranks(*where, version=self.name) as group:
                result = resume_version(self._store, self._root, record, stream, ranks=group)
            self._finish(result, stream)
        return self

    def copy_to(
        self,
        project: StoredProject | str | os.PathLike[str],
        name: str | None = None,
        *,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> Model:
        """Copy the version with all its files to another project, where it is ready to run.

        The images are not copied. The copy refers to their current paths. If copying is stopped or fails, this is
        recorded in the status of the copy, and copying can be repeated with the same name.

        Policies that were set through the Rekognition-compatible endpoint apply here too. A denial always applies. If a
        project has policies, copying to a project in another folder requires one that allows it.

        Parameters
        ----------
        project : Project or path
            Project or project folder to copy to. It may be the same project, for a copy with a different name.
        name : str, optional
            Name of the copy. By default the name of the version.

        Raises
        ------
        NotAllowedError, ProjectNameError, ProjectNotFoundError, InputError
            If the name is already used or not valid, ``project`` is not a project, or a policy of the project does not
            allow the copy. Nothing is written.
        ArtifactError
            If the version's folder is damaged, or the copy cannot be written.

        Examples
        --------
        >>> other = cl.create_project("flats", task="single-label")
        >>> copy = model.copy_to(other, "rooms", progress=False)
        >>> other.model("rooms").status
        'COPYING_COMPLETED'
        """
        from customlabels_nb.project.copy_policies import require_permission
        from customlabels_nb.project.version_copying import location_of

        self._require_ready()
        location = location_of(project)
        require_permission(self._location, self.record, location.root)
        return self._copy_to(location, name, progress=progress, events=events)

    def _copy_to(
        self,
        location: ProjectLocation,
        name: str | None,
        *,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> Model:
        """Copy the version without asking the policies of the project."""
        from customlabels_nb.project.version_copying import copy_version

        with progress_bars(events, show=progress) as stream:
            copy = Model(location, copy_version(self._location, self.record, location, name, stream))
        copy.write_results()
        return copy

    def push_to_hub(self, repo: str, *, private: bool = True, dry_run: bool = False) -> pd.DataFrame:
        """Upload the version to the Hugging Face Hub, after listing the files and their sizes.

        Only ``config.json``, ``model.safetensors`` and the model card (as ``README.md``, with metadata for the Hub) are
        uploaded, as one commit. Images, datasets and predictions stay on this machine. An interrupted upload can be
        repeated: weights that arrived are not sent again, and nothing is committed twice. The tag "license" of the
        version, if it has one, is written to the card. Log in with ``hf auth login`` first, or set ``HF_TOKEN``.

        Parameters
        ----------
        repo : str
            Repository, "user/name". It is created if it does not exist.
        private : bool
            Create a private repository, and refuse to upload to one that is public. False creates a public one, and
            uploads to an existing one of either kind.
        dry_run : bool
            Only return the list of files.

        Returns
        -------
        DataFrame
            List of the files, with the columns file and bytes.

        Raises
        ------
        InputError
            If ``repo`` does not have that form.
        NotAllowedError
            If the repository is public, but ``private`` is true, or ``settings.network`` is False.
        ModelError
            If the Hub cannot be reached or denies access.

        Examples
        --------
        >>> model.push_to_hub("ann/rooms", dry_run=True)["file"].tolist()
        ['config.json', 'model.safetensors', 'README.md']
        """
        from customlabels_nb.project.hub import upload_version

        card, project = self.card, self._store.project().name
        return upload_version(self.folder, self.record, card, project, repo, private=private, dry_run=dry_run)

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the version and its folder permanently. Asks for confirmation unless ``confirm=True``.

        Raises
        ------
        NotAllowedError
            If the version is running or being trained or copied, or the deletion is not confirmed.

        Examples
        --------
        >>> model.delete(confirm=True)
        >>> len(project.versions)
        0
        """

        def deleting(now: VersionRecord) -> dict[str, str]:
            if now.status in BUSY:
                raise NotAllowedError(f"{self.name!r} cannot be deleted while it is {now.status}. Stop it first.")
            return {"status": "DELETING", "status_message": "The model is being deleted."}

        record = self.record
        deleting(record)
        require_confirmation(f"Delete the version {self.name!r} permanently?", confirm)
        self._store.change_version(self.name, deleting)  # again: another kernel may have resumed it meanwhile
        self._forget()
        remove_folder(self._root / record.folder, self._root)
        self._store.delete_version(self.name, Action("delete version", settings.user, self.name))

    # -- display ------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        try:
            record = self.record
        except (StoreError, ModelNotFoundError) as error:
            return f"Model({self.name!r}, unavailable: {error})"
        described = f" {one_line(record.description)!r}" if record.description else ""
        return f"Model({self.name!r}, {record.status}: {record.status_message}{described})"

    def _repr_html_(self) -> str:
        try:
            record = self.record
        except (StoreError, ModelNotFoundError):
            return escaped(repr(self))
        facts = [_f1_as_trained(record), record.status_message, record.description]
        return facts_html(self.name, [fact for fact in facts if fact])

    def _require_ready(self) -> None:
        record = self.record
        if record.status not in READY:
            raise ModelNotReadyError(f"{self.name!r} is {record.status}: {record.status_message}")
        if not (self._root / record.folder).is_dir():
            raise ArtifactError(f"The folder of {self.name!r} is missing: {str(self._root / record.folder)!r}.")

    def _write_card(self) -> None:
        """Write the model card if the version is ready. Errors are printed, as nothing else depends on the card."""
        if self.record.status not in READY or not self.folder.is_dir():
            return
        try:
            self.card.to(self.folder)
        except CustomLabelsError as error:
            say(f"Cannot write the model card of {self.name}: {error}")

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Explain in one line how to continue if training is stopped within the block."""
        try:
            yield
        except (KeyboardInterrupt, Cancelled) as error:
            text = self._explain_stop()
            error.args = (text,)
            if isinstance(error, KeyboardInterrupt):
                show_in_one_line(error, text)
            raise

    def _explain_stop(self) -> str:
        call = f"project.model({self.name!r})"
        try:
            record = self.record
        except CustomLabelsError:  # for example if the version does not exist yet
            return "Stopped before the training began. Call train again."
        if record.status == STOPPED_TRAINING:
            return record.status_message
        if record.status == FAILED_TRAINING:
            return f"Stopped before the training was resumed. Call {call}.resume() to continue."
        return f"Stopped after {self.name!r} was trained. {call}.write_results() writes its files."

    def _test_precision(self) -> float | None:
        """Return the share of the predictions on the test set that are right, None if there is no evaluation."""
        from customlabels_nb.training.kept_files import has_predictions

        if not has_predictions(self.folder, "test"):
            return None
        counts = self.evaluate().per_label[["tp", "fp"]].sum()
        return float(counts["tp"] / counts.sum()) if counts.sum() else None

    def _project_actions(self, config: ModelConfig) -> ProjectActions:
        from customlabels_nb.labeling.project_actions import ProjectActions
        from customlabels_nb.project.screens import open_crops, open_evaluation_map, open_test_images

        open_images = partial(open_test_images, self._location, boxes=config.is_detector)
        return ProjectActions(
            self._store,
            self._root,
            self.name,
            config,
            keep_thresholds=self.set_thresholds,
            open_images=open_images,
            open_map=partial(open_evaluation_map, self._location, open_images),
            open_crops=partial(open_crops, self._location),
            predict=lambda version, images: Model(self._location, version)._predict(images),
        )

    def _photos(self) -> list[str]:
        images = self._store.images("test")["image"].head(_PHOTOS)
        return [image if is_remote(image) else str(to_path(image, self._root)) for image in images]

    def _trying(self) -> QuickTestSession:
        from customlabels_nb.labeling.feedback import Feedback
        from customlabels_nb.labeling.quick_test import QuickTestSession

        return QuickTestSession(self._candidates, feedback=Feedback(self._store, self._root), root=self._root)

    def _candidates(self) -> list[QuickTestModel]:
        """Return this version, followed by the other versions that can run, newest first."""
        versions = [version for version in self._store.versions() if version.status in READY]
        versions.sort(key=lambda version: (version.name == self.name, version.created), reverse=True)
        return [Model(self._location, each.name)._as_candidate(_f1_as_trained(each)) for each in versions]

    @property
    def _predictor(self) -> Predictor | None:
        """Predictor that runs the version in this process, regardless of which object started it."""
        life = _RUNNING.get(self._key)
        return life.predictor if life is not None and life.predictor.running else None

    @property
    def _key(self) -> tuple[Path, str]:
        return self._root.resolve(), self.name

    def _note_running(self, life: _RunningVersion) -> None:
        life.heartbeat = life.heartbeat or Heartbeat(self._store, self.name)
        self._set(
            "RUNNING", f"The model is running on {life.predictor.device} with the engine {life.predictor.engine!r}."
        )

    def _note_change(self) -> None:
        """Update the status after an idle stop, or after a request has restarted the model."""
        from customlabels_nb.inference.idle import format_duration

        with _LOCKS[self._key], suppress(CustomLabelsError):  # the project may be deleted
            life = _RUNNING.get(self._key)
            if life is None:
                return
            if life.predictor.running:
                self._note_running(life)
            elif life.heartbeat is not None:
                life.be_silent()
                idle = format_duration(life.predictor.idle_stop)
                self._set("STOPPED", f"The model was stopped after {idle} without requests.")

    def _end(self, status: str, message: str) -> None:
        """Free the memory of the model, and store that it does not run."""
        with _LOCKS[self._key]:
            life = _RUNNING.get(self._key)
            if life is not None:
                life.predictor.stop()
            self._forget()
            self._set(status, message)

    def _forget(self) -> None:
        life = _RUNNING.pop(self._key, None)
        if life is not None:
            life.be_silent()

    def _set(self, status: str, message: str) -> None:
        if self._store.read_only:  # the model can run, but its status cannot be stored
            return
        nobody: dict[str, Any] = {"host": None, "pid": None, "heartbeat": None}
        process = this_process() if status in RUNNING else nobody
        action = Action(_DONE[status], settings.user, self.name) if status in _DONE else None
        self._store.update_version(self.name, action, status=status, status_message=message, **process)


def _f1_as_trained(version: VersionRecord) -> str:
    f1 = version.metrics.get("f1")
    return f"F1 {f1:.3f} as trained" if isinstance(f1, float) else ""


def _best_thresholds(report: Report, names: Mapping[str, str]) -> dict[str, float]:
    """Return the thresholds of a report by the labels of a version, whose labels in the report are ``names``."""
    thresholds = {row.label: float(row.threshold) for row in report.per_label.itertuples()}
    return {label: thresholds[name] for label, name in names.items() if name in thresholds}


def require_confirmation(question: str, confirm: bool, consequence: str = "This cannot be undone.") -> None:
    """Ask the user for confirmation unless ``confirm`` is True. Any answer other than yes is treated as no."""
    if confirm:
        return
    try:
        answer = input(f"{question} {consequence} Type yes: ")
    except (EOFError, OSError, RuntimeError) as error:  # ipykernel raises StdinNotImplementedError, a RuntimeError
        raise NotAllowedError(f"{question} Confirmation is not possible here. Pass confirm=True.") from error
    if answer.strip().lower() not in ("y", "yes"):
        raise NotAllowedError("Not confirmed. Nothing was deleted.")
